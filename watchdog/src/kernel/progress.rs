//! Whether a start makes progress: has the unit used CPU time, or read or written, since the last look?

use std::fs;
use std::time::{Duration, Instant};

use crate::kernel::cgroup::Cgroup;
use crate::kernel::proc::{Stat, own_pid};

/// In which the kernel counts CPU time: `USER_HZ`.
const TICK: Duration = Duration::from_millis(10);
/// A start that makes progress uses this share of the time on a CPU, in percent …
const BUSY: u32 = 2;
/// … or reads and writes this many bytes a second. To answer our own probes takes less.
const BYTES_A_SECOND: u64 = 16 * 1024;
/// Looking takes time in the loop: of more processes than this, only the first are looked at.
const MOST_PROCESSES: usize = 256;

/// Measures a unit, without this process.
#[derive(Debug)]
pub struct Progress {
    cgroup: Cgroup,
    before: Option<(Instant, Used)>,
}

/// What the unit's processes have used up to some moment. A process that ends takes its share out of the sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Used {
    /// On a CPU.
    cpu: Duration,
    /// Bytes read and written, by whatever means.
    bytes: u64,
}

impl Progress {
    /// Of the unit with this cgroup, of which this process is a part.
    pub fn new(cgroup: Cgroup) -> Self {
        Self { cgroup, before: None }
    }

    /// Whether enough was used since the last look. The first is there to be compared with: false.
    pub fn look(&mut self, now: Instant) -> bool {
        let used = self.used();
        match self.before.replace((now, used)) {
            Some((then, before)) => is_progress(before, used, now - then),
            None => false,
        }
    }

    /// Nothing where it cannot be read: then the start is not extended, and systemd's TimeoutStartSec= decides.
    fn used(&self) -> Used {
        let own_pid = own_pid();
        let pids = self.cgroup.pids().unwrap_or_default();
        let others = pids.into_iter().filter(|pid| *pid != own_pid).take(MOST_PROCESSES);
        others.map(used_by).fold(Used::default(), |sum, used| Used {
            cpu: sum.cpu.saturating_add(used.cpu),
            bytes: sum.bytes.wrapping_add(used.bytes),
        })
    }
}

fn is_progress(before: Used, now: Used, elapsed: Duration) -> bool {
    let cpu = now.cpu.saturating_sub(before.cpu);
    let bytes = u128::from(now.bytes.saturating_sub(before.bytes));
    cpu >= (elapsed * BUSY / 100).max(TICK)
        || bytes * 1000 >= u128::from(BYTES_A_SECOND) * elapsed.as_millis().max(1)
}

fn used_by(pid: i32) -> Used {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    Used {
        cpu: Stat::of(pid).map(|stat| stat.cpu).unwrap_or_default(),
        bytes: bytes(&io).unwrap_or_default(),
    }
}

/// `rchar` and `wchar` of proc_pid_io(5).
fn bytes(io: &str) -> Option<u64> {
    let field = |name: &str| io.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    Some(field("rchar:")?.wrapping_add(field("wchar:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_is_read_from_what_the_kernel_writes() {
        let io = "rchar: 100\nwchar: 20\nsyscr: 3\nsyscw: 4\nread_bytes: 0\nwrite_bytes: 0\n";
        assert_eq!(bytes(io), Some(120));
        for nothing in ["", "rchar: x"] {
            assert_eq!(bytes(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_process_shows_what_it_read() {
        let pid = std::process::id().cast_signed();
        let before = used_by(pid).bytes;
        assert!(used_by(pid).bytes > before, "reading that file is reading");
    }

    #[test]
    fn progress_is_more_than_answering_probes_takes() {
        let used = |ticks, bytes| Used { cpu: ticks * TICK, bytes };
        let second = Duration::from_secs(1);
        for (now, elapsed, expected) in [
            (used(100, 1000), second, false),
            (used(101, 1000), second, false),
            (used(102, 1000), second, true),
            (used(102, 1000), 2 * second, false),
            (used(101, 1000), second / 10, true),
            (used(100, 1000 + 16 * 1024), second, true),
            (used(100, 999 + 16 * 1024), second, false),
            // A process that ends takes its share out of the sum.
            (used(1, 1), second, false),
        ] {
            assert_eq!(is_progress(used(100, 1000), now, elapsed), expected, "{now:?} {elapsed:?}");
        }
    }

    #[test]
    fn a_unit_of_which_nothing_can_be_read_makes_no_progress() {
        let mut progress = Progress::new(Cgroup::at("/no-such.slice/no-such.service"));
        let now = Instant::now();
        assert!(!progress.look(now), "there is nothing to compare with");
        assert!(!progress.look(now + Duration::from_secs(1)));
    }
}
