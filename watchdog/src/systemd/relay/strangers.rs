//! Processes that are none of this service's: each is looked at once, however often it speaks.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use super::speaker::Sender;
use crate::kernel::pidfd;

/// The strangers that spoke last.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// Each by a descriptor: until it has ended its pid is nobody else's.
    known: VecDeque<(i32, OwnedFd)>,
    logged: Vec<i32>,
}

impl Strangers {
    /// So many are known at a time. Each takes a descriptor, of which probes need some.
    const MOST_KNOWN: usize = 8;
    /// So many are named in the log.
    const MOST_LOGGED: usize = 16;

    /// Whether the process `pid` was found to be one. Processes do not come into a unit from outside by themselves.
    pub fn knows(&self, pid: i32) -> bool {
        self.known.iter().any(|(known, process)| *known == pid && !pidfd::has_ended(process))
    }

    /// `is_stranger` finds out whether the process `pid` is one, and is asked after it can be told from a later one with
    /// the same pid. What cannot be told from others is not remembered.
    pub fn is_one(&mut self, sender: Sender, is_stranger: impl FnOnce() -> bool) -> bool {
        if self.knows(sender.pid) {
            return true;
        }
        let process = pidfd::open(sender.pid);
        if !is_stranger() {
            return false;
        }
        if let Ok(process) = process {
            self.known.retain(|(pid, _)| *pid != sender.pid);
            self.known.truncate(Self::MOST_KNOWN - 1);
            self.known.push_front((sender.pid, process));
        }
        self.log(sender);
        true
    }

    /// Says it once of each, and not without end.
    fn log(&mut self, Sender { pid, uid }: Sender) {
        if self.logged.len() == Self::MOST_LOGGED || self.logged.contains(&pid) {
            return;
        }
        self.logged.push(pid);
        tracing::warn!("ignored a notification of process {pid} (user {uid}): it is not one of this service");
        if self.logged.len() == Self::MOST_LOGGED {
            tracing::warn!("further strangers are ignored in silence");
        }
    }

    #[cfg(test)]
    pub fn logged(&self) -> &[i32] {
        &self.logged
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sender(pid: i32) -> Sender {
        Sender { pid, uid: 0 }
    }

    fn process() -> (Child, Sender) {
        let child = Command::new("sleep").arg("1000").spawn().expect("a process");
        let pid = child.id().cast_signed();
        (child, sender(pid))
    }

    #[test]
    fn a_stranger_is_looked_at_once_and_after_its_end_its_pid_again() {
        let (mut child, stranger) = process();
        let mut strangers = Strangers::default();
        assert!(strangers.is_one(stranger, || true));
        assert!(strangers.is_one(stranger, || panic!("looked at again")));
        child.kill().and_then(|()| child.wait()).expect("its end");
        // Whoever has the pid now may be one of ours.
        assert!(!strangers.is_one(stranger, || false));
        assert!(!strangers.knows(stranger.pid));
    }

    #[test]
    fn one_of_ours_is_not_remembered_as_a_stranger() {
        let mut strangers = Strangers::default();
        let own = sender(std::process::id().cast_signed());
        assert!(!strangers.is_one(own, || false));
        assert!(strangers.is_one(own, || true), "it is looked at each time");
    }

    #[test]
    fn the_last_ones_are_remembered_and_the_first_forgotten() {
        let mut strangers = Strangers::default();
        let mut processes: Vec<_> = (0..=Strangers::MOST_KNOWN).map(|_| process()).collect();
        for (_, stranger) in &processes {
            assert!(strangers.is_one(*stranger, || true));
        }
        let known: Vec<_> = processes.iter().map(|(_, stranger)| strangers.knows(stranger.pid)).collect();
        assert_eq!(known.iter().filter(|known| !**known).count(), 1);
        assert!(!known[0]);
        for (child, _) in &mut processes {
            child.kill().and_then(|()| child.wait()).expect("its end");
        }
    }

    #[test]
    fn strangers_are_logged_once_each_and_not_without_end() {
        let mut strangers = Strangers::default();
        for pid in [1, 1, 2].into_iter().chain(0..1000) {
            strangers.log(sender(pid));
        }
        assert_eq!(strangers.logged.len(), Strangers::MOST_LOGGED);
        assert_eq!(strangers.logged[..3], [1, 2, 0]);
    }
}
