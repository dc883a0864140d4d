//! When UNIT was ended, kept in a file, so that a guard that is itself restarted does not begin with a full budget.
//!
//! A line for each end, in microseconds of CLOCK_MONOTONIC. The file is in `/run`, so it does not outlive the clock.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::systemd::notify::monotonic_usec;

/// The file.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
}

impl Ledger {
    /// At `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// When UNIT was ended, the oldest first; nothing where nothing was kept. What is no time of the past is passed over.
    pub fn read(&self) -> Vec<Instant> {
        let kept = match fs::read_to_string(&self.path) {
            Ok(kept) => kept,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!("{} cannot be read: {error}; the budget is whole", self.path.display());
                }
                return Vec::new();
            }
        };
        let (now, usec) = (Instant::now(), monotonic_usec());
        let past = |line: &str| now.checked_sub(Duration::from_micros(usec.checked_sub(line.parse().ok()?)?));
        kept.lines().filter_map(past).collect()
    }

    /// Keeps this instead of what was there. A reader sees the one or the other.
    pub fn write(&self, ends: &[Instant]) -> io::Result<()> {
        let (now, usec) = (Instant::now(), monotonic_usec());
        let line = |end: &Instant| {
            let ago = u64::try_from(now.saturating_duration_since(*end).as_micros()).unwrap_or(u64::MAX);
            format!("{}\n", usec.saturating_sub(ago))
        };
        let draft = self.path.with_extension("new");
        fs::write(&draft, ends.iter().map(line).collect::<String>())?;
        fs::rename(&draft, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_that_is_restarted_knows_when_the_unit_was_ended() {
        let directory = tempfile::tempdir().expect("a directory");
        let ledger = Ledger::new(directory.path().join("nginx.service.restarts"));
        assert!(ledger.read().is_empty());
        let now = Instant::now();
        let ends = [3, 2, 1].map(|secs| now.checked_sub(Duration::from_secs(secs)).expect("up for long"));
        ledger.write(&ends).expect("writable");
        let read = ledger.read();
        assert_eq!(read.len(), 3);
        for (read, written) in read.into_iter().zip(ends) {
            let off = read.max(written) - read.min(written);
            // Between the readings of the two clocks this process may have had to wait.
            assert!(off < Duration::from_millis(500), "{off:?}");
        }
        let names = fs::read_dir(directory.path()).expect("readable").count();
        assert_eq!(names, 1, "the draft is gone");
    }

    #[test]
    fn what_is_no_time_of_the_past_is_passed_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x");
        fs::write(&path, format!("soon\n\n-1\n{}\n{}\n", u64::MAX, monotonic_usec())).expect("writable");
        assert_eq!(Ledger::new(path).read().len(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_said_so() {
        assert!(Ledger::new("/nonexistent/x".into()).write(&[]).is_err());
    }
}
