//! Whether a start makes progress: has the unit used CPU time, or read or written, since the last look?

use std::fs;
use std::time::{Duration, Instant};

use crate::kernel::cgroup::Cgroup;

/// `sysconf(_SC_CLK_TCK)` is 100 on every Linux that systemd runs on.
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

/// What the unit's processes have used up to some moment. One that has ended takes its part with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Used {
    /// CPU time, in [`TICK`]s.
    ticks: u64,
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
        let own_pid = std::process::id().cast_signed();
        let pids = self.cgroup.pids().unwrap_or_default();
        let others = pids.into_iter().filter(|pid| *pid != own_pid).take(MOST_PROCESSES);
        others.map(used_by).fold(Used::default(), |sum, used| Used {
            ticks: sum.ticks.wrapping_add(used.ticks),
            bytes: sum.bytes.wrapping_add(used.bytes),
        })
    }
}

fn is_progress(before: Used, now: Used, elapsed: Duration) -> bool {
    let cpu = TICK.saturating_mul(u32::try_from(now.ticks.saturating_sub(before.ticks)).unwrap_or(u32::MAX));
    let bytes = u128::from(now.bytes.saturating_sub(before.bytes));
    cpu >= (elapsed * BUSY / 100).max(TICK)
        || bytes * 1000 >= u128::from(BYTES_A_SECOND) * elapsed.as_millis().max(1)
}

fn used_by(pid: i32) -> Used {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    Used { ticks: ticks(&read("stat")).unwrap_or_default(), bytes: bytes(&read("io")).unwrap_or_default() }
}

/// Fields 14 and 15 of proc_pid_stat(5), `utime` and `stime`. The second, the name, may contain anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()?.wrapping_add(fields.next()?.parse().ok()?))
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
        let stat = "42 (a) b) S 7 42 42 0 -1 4194304 100 200 0 0 31 12 5 6 20 0 1 0 99 1000 50";
        assert_eq!(ticks(stat), Some(43));
        let io = "rchar: 100\nwchar: 20\nsyscr: 3\nsyscw: 4\nread_bytes: 0\nwrite_bytes: 0\n";
        assert_eq!(bytes(io), Some(120));
        for nothing in ["", "42 (a", "42 (a) S 1", "rchar: x"] {
            assert_eq!((ticks(nothing), bytes(nothing)), (None, None), "{nothing}");
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
        let used = |ticks, bytes| Used { ticks, bytes };
        let second = Duration::from_secs(1);
        for (now, elapsed, expected) in [
            (used(100, 1000), second, false),
            (used(101, 1000), second, false),
            (used(102, 1000), second, true),
            (used(102, 1000), 2 * second, false),
            (used(101, 1000), second / 10, true),
            (used(100, 1000 + 16 * 1024), second, true),
            (used(100, 999 + 16 * 1024), second, false),
            // A process that has ended takes its part with it.
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
