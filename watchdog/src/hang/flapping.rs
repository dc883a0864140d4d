//! A service that comes and goes, and how often that is said. Pure.
//!
//! The first few times in a minute are, each with its end; of the others there is one line, when the minute is over.

use std::time::{Duration, Instant};

/// For so long it is counted, from the first time on.
const WINDOW: Duration = Duration::from_secs(60);
/// Pressure from others lasts for minutes; it is said this often at most.
const SLOWED_GAP: Duration = Duration::from_secs(10);
/// How many times are said in it.
const MOST: u32 = 3;

/// How often it was unhealthy of late.
#[derive(Debug, Default)]
pub struct Flapping {
    since: Option<Instant>,
    times: u32,
    /// The last time was not said, so neither is its end.
    is_silent: bool,
    /// When it was last said that it is kept from running.
    slowed: Option<Instant>,
}

impl Flapping {
    /// Time passes. Where not all was said of a minute that is over, how it went, for the log.
    pub fn summary(&mut self, now: Instant) -> Option<String> {
        let is_over = |since: &Instant| now.saturating_duration_since(*since) >= WINDOW;
        self.since.take_if(|since| is_over(since))?;
        let times = std::mem::take(&mut self.times);
        (times > MOST).then(|| {
            format!("unhealthy {times} times within a minute, only the first {MOST} of which were logged: it comes and goes")
        })
    }

    /// It became unhealthy. Whether that is to be said.
    pub fn began(&mut self, now: Instant) -> bool {
        self.since.get_or_insert(now);
        self.times += 1;
        self.is_silent = self.times > MOST;
        !self.is_silent
    }

    /// Others keep it from running. Whether that is to be said.
    pub fn slowed(&mut self, now: Instant) -> bool {
        let is_due = self.slowed.is_none_or(|said| now.saturating_duration_since(said) >= SLOWED_GAP);
        if is_due {
            self.slowed = Some(now);
        }
        is_due
    }

    /// It is healthy again. Whether that is to be said.
    pub fn ended(&self) -> bool {
        !self.is_silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flaps so often, with so long between one time and the next; how many lines there are of it, and what sums them up.
    fn flaps(times: u32, every: Duration) -> (u32, Vec<String>) {
        let (mut now, mut flapping) = (Instant::now(), Flapping::default());
        let (mut lines, mut summaries) = (0, Vec::new());
        for _ in 0..times {
            summaries.extend(flapping.summary(now));
            let began = flapping.began(now);
            now += every / 2;
            summaries.extend(flapping.summary(now));
            assert_eq!(flapping.ended(), began, "what is said to begin is said to end");
            lines += 2 * u32::from(began);
            now += every / 2;
        }
        summaries.extend(flapping.summary(now + WINDOW));
        assert_eq!(flapping.summary(now + 3 * WINDOW), None, "it is said once");
        (lines, summaries)
    }

    #[test]
    fn a_service_that_flaps_has_a_few_lines_a_minute_and_a_summary() {
        let seconds = Duration::from_secs;
        for (times, every, lines, summed_up) in [
            (1, seconds(5), 2, &[][..]),
            (3, seconds(5), 6, &[]),
            (4, seconds(5), 6, &[4]),
            (36, seconds(5), 18, &[12, 12, 12]),
            // Now and then: all of it is said.
            (100, seconds(20), 200, &[]),
        ] {
            let (said, summaries) = flaps(times, every);
            assert_eq!(said, lines, "{times} times, every {every:?}");
            let expected = summed_up.iter().map(|times| format!("unhealthy {times} times within a minute"));
            assert_eq!(summaries.len(), summed_up.len(), "{summaries:?}");
            assert!(
                summaries.iter().zip(expected).all(|(is, expected)| is.starts_with(&expected)),
                "{summaries:?}"
            );
        }
    }
}
