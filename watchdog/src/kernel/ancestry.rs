//! Who descends from whom.

use super::proc::Stat;

/// Farther than any line of descent goes.
const GENERATIONS: usize = 1024;

/// The child of `ancestor` from which `pid` descends; `pid` itself, if it is that child. [`None`] if it does not
/// descend from `ancestor`. One that has ended descends, until somebody has waited for it.
pub fn descent(pid: i32, ancestor: i32, parent_of: impl Fn(i32) -> Option<i32>) -> Option<i32> {
    let mut pid = pid;
    for _ in 0..GENERATIONS {
        match parent_of(pid)? {
            parent if parent == ancestor => return Some(pid),
            parent @ 1.. => pid = parent,
            _ => return None,
        }
    }
    None
}

/// Its parent; [`None`] where there is no such process.
pub fn parent_of(pid: i32) -> Option<i32> {
    Some(Stat::of(pid)?.ppid)
}

/// Whether it is about to end, or has ended and nobody has waited for it. [`None`] where there is no such process.
pub(crate) fn is_exiting(pid: i32) -> Option<bool> {
    Some(Stat::of(pid)?.is_exiting)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::kernel::proc::own_pid;

    #[test]
    fn descent_is_found_through_any_number_of_generations() {
        let parents = |pid: i32| {
            [(10, 1), (20, 10), (30, 20), (40, 30), (50, 2), (60, 61), (61, 60)]
                .iter()
                .find_map(|(child, parent)| (*child == pid).then_some(*parent))
        };
        for (pid, via) in
            [(20, Some(20)), (30, Some(20)), (40, Some(20)), (10, None), (50, None), (60, None), (70, None)]
        {
            assert_eq!(descent(pid, 10, parents), via, "{pid}");
        }
    }

    #[test]
    fn who_has_ended_is_exiting_and_has_its_parent_until_it_is_waited_for() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("a process");
        let pid = child.id().cast_signed();
        assert_eq!((is_exiting(pid), parent_of(pid)), (Some(false), Some(own_pid())));
        drop(child.stdin.take());
        let process = crate::kernel::pidfd::open(pid).expect("a descriptor");
        let mut ended = [rustix::event::PollFd::new(&process, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut ended, None).expect("its end");
        assert_eq!((is_exiting(pid), parent_of(pid)), (Some(true), Some(own_pid())));
        child.wait().expect("its end");
        assert_eq!((is_exiting(pid), parent_of(pid)), (None, None));
    }
}
