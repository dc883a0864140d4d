//! Waiting for the CPU, thread by thread: for kernels that do not tell it of a unit as a whole (before 5.13, `psi=0`, a
//! host with nothing but cgroup v1).
//!
//! `schedstat` has, for each thread, the time on a CPU and the time in a queue for one. Of a unit with one busy thread the
//! second is what PSI calls `full`. Of several, the time in which none of them ran *and* one waited is at least the longest
//! wait less all that they ran; threads that keep each other from running come to nothing in it.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use crate::kernel::cgroup::Cgroup;
use crate::kernel::proc::{self, Turns};

/// Looking takes time in the loop: of more threads than this nothing is known.
const MOST_THREADS: usize = 256;

/// The waits of a unit, as far as they were seen.
#[derive(Debug, Default)]
pub struct RunQueue {
    before: HashMap<i32, Turns>,
    stalled: Duration,
}

impl RunQueue {
    /// For how long no thread of the unit ran while one waited, at least, since the first look. [`None`] where there are too
    /// many threads, or none that can be read.
    pub fn look(&mut self, cgroup: &Cgroup) -> Option<Duration> {
        let own_pid = proc::own_pid();
        let mut now = HashMap::new();
        for pid in cgroup.pids().ok()?.into_iter().filter(|&pid| pid != own_pid) {
            for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
                if now.len() == MOST_THREADS {
                    return None;
                }
                let turns = fs::read_to_string(task.path().join("schedstat")).ok();
                let thread = task.file_name().to_str().and_then(|name| name.parse().ok());
                if let (Some(thread), Some(turns)) = (thread, turns.as_deref().and_then(proc::turns)) {
                    now.insert(thread, turns);
                }
            }
        }
        if now.is_empty() {
            return None;
        }
        self.stalled += stalled(&self.before, &now);
        self.before = now;
        Some(self.stalled)
    }
}

/// A thread that was not there before says nothing.
fn stalled(before: &HashMap<i32, Turns>, now: &HashMap<i32, Turns>) -> Duration {
    let (mut longest, mut ran) = (Duration::ZERO, Duration::ZERO);
    for (thread, now) in now {
        if let Some(before) = before.get(thread) {
            longest = longest.max(now.waited.saturating_sub(before.waited));
            ran += now.ran.saturating_sub(before.ran);
        }
    }
    longest.saturating_sub(ran)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads(threads: &[(i32, u64, u64)]) -> HashMap<i32, Turns> {
        let millis = Duration::from_millis;
        threads
            .iter()
            .map(|&(id, ran, waited)| (id, Turns { ran: millis(ran), waited: millis(waited) }))
            .collect()
    }

    #[test]
    fn what_no_thread_ran_while_one_waited_is_at_least_the_longest_wait_less_what_all_ran() {
        for (before, after, expected) in [
            (&[(1, 0, 0)][..], &[(1, 120, 880)][..], 760),
            (&[(1, 10, 50)], &[(1, 10, 50)], 0),
            // Two that share what there is.
            (&[(1, 0, 0), (2, 0, 0)], &[(1, 60, 940), (2, 60, 940)], 820),
            // Sixteen on two CPUs of their own keep each other waiting.
            (&[(1, 0, 0), (2, 0, 0), (3, 0, 0)], &[(1, 700, 300), (2, 700, 300), (3, 600, 400)], 0),
            // Idle ones beside a starved one.
            (&[(1, 5, 5), (2, 7, 7)], &[(1, 105, 905), (2, 7, 7)], 800),
            // One has ended, another has come.
            (&[(1, 0, 0), (2, 0, 0)], &[(2, 100, 700), (3, 0, 9000)], 600),
        ] {
            let stalled = stalled(&threads(before), &threads(after));
            assert_eq!(stalled.as_millis(), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn this_process_is_left_out_and_without_others_nothing_is_known() {
        assert_eq!(RunQueue::default().look(&Cgroup::at("/no-such.slice")), None);
    }
}
