//! The last probes, for a report.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::ProbeRecord;
use crate::words::outcome::Outcome;

/// How many are remembered.
const MOST: usize = 10;

/// The last few.
#[derive(Debug, Default)]
pub struct Recent(VecDeque<ProbeRecord>);

impl Recent {
    /// None yet; what is remembered later allocates for reasons only.
    pub fn new() -> Self {
        Self(VecDeque::with_capacity(MOST))
    }

    /// One has ended.
    pub fn remember(&mut self, at: Instant, took: Duration, outcome: &Outcome) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        let outcome = match outcome {
            Outcome::Healthy => Ok(()),
            Outcome::Unhealthy(reason) => Err(reason.to_string()),
        };
        self.0.push_back(ProbeRecord { at, took, outcome });
    }

    /// The oldest first.
    pub fn records(&self) -> Vec<ProbeRecord> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::outcome::{Cause, Reason};

    #[test]
    fn the_last_ten_are_remembered_the_oldest_first() {
        let (now, mut recent) = (Instant::now(), Recent::new());
        for index in 0..12_u64 {
            let reason = Reason::new(Cause::Status, format!("status {index}"));
            let outcome = if index % 2 == 0 { Outcome::Healthy } else { Outcome::Unhealthy(reason) };
            recent.remember(now, Duration::from_millis(index), &outcome);
        }
        let records = recent.records();
        assert_eq!((records.len(), records[0].took), (10, Duration::from_millis(2)));
        assert_eq!(records[9].outcome, Err("status 11".to_owned()));
    }
}
