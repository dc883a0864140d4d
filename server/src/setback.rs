//! What an accept loop makes of errors: it asks again after a while, and logs them once and not each time. Pure.

use std::io;
use std::time::{Duration, Instant};

use rustix::io::Errno;

/// After the first error.
const SHORTEST: Duration = Duration::from_millis(10);
/// After many; a client that waits does not notice so little.
const LONGEST: Duration = Duration::from_millis(100);
/// From one line about errors to the next, at least.
const QUIET: Duration = Duration::from_secs(60);

/// The errors of one accept loop, so far.
#[derive(Debug, Default)]
pub struct Setback {
    pause: Duration,
    told_at: Option<Instant>,
    untold: u64,
}

impl Setback {
    /// How long to wait before accept is called.
    pub fn pause(&self) -> Duration {
        self.pause
    }

    /// There was an error now; gives what is to be said of it, if anything.
    pub fn failed(&mut self, error: &io::Error, now: Instant) -> Option<String> {
        self.pause = (self.pause * 2).clamp(SHORTEST, LONGEST);
        if self.told_at.is_some_and(|told_at| now.saturating_duration_since(told_at) < QUIET) {
            self.untold += 1;
            return None;
        }
        self.told_at = Some(now);
        let more = match std::mem::take(&mut self.untold) {
            0 => String::new(),
            untold => format!(" ({untold} times more since the last line)"),
        };
        let remedy = match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::MFILE) => {
                ". Clients wait until one is free; LimitNOFILE= in the unit, or `ulimit -n`, allows more"
            }
            Some(Errno::NFILE) => ". The whole host has none left: fs.file-max",
            _ => "",
        };
        Some(format!("{error}{more}{remedy}"))
    }

    /// A connection was accepted.
    pub fn succeeded(&mut self) {
        self.pause = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_descriptors() -> io::Error {
        Errno::MFILE.into()
    }

    #[test]
    fn the_pause_grows_up_to_its_limit_and_a_success_ends_it() {
        let (mut setback, now) = (Setback::default(), Instant::now());
        assert_eq!(setback.pause(), Duration::ZERO);
        for ms in [10, 20, 40, 80, 100, 100] {
            setback.failed(&no_descriptors(), now);
            assert_eq!(setback.pause(), Duration::from_millis(ms));
        }
        setback.succeeded();
        assert_eq!(setback.pause(), Duration::ZERO);
    }

    #[test]
    fn a_line_is_written_once_a_minute_whatever_happens_in_between() {
        let (mut setback, start) = (Setback::default(), Instant::now());
        let mut lines = Vec::new();
        // Ten minutes of a client that comes and goes, ten times a second.
        for tick in 0..6_000_u32 {
            lines.extend(setback.failed(&no_descriptors(), start + tick * Duration::from_millis(100)));
            setback.succeeded();
        }
        assert_eq!(lines.len(), 10);
        assert!(lines[0].starts_with("Too many open files (os error 24). Clients wait"), "{}", lines[0]);
        assert!(lines[1].contains("(599 times more since the last line)"), "{}", lines[1]);
    }

    #[test]
    fn an_error_without_a_remedy_is_told_as_it_is() {
        let error = io::Error::from(Errno::PERM);
        assert_eq!(Setback::default().failed(&error, Instant::now()), Some(error.to_string()));
    }
}
