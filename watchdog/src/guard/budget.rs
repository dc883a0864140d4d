//! How often UNIT may be ended: so many times within a window that slides.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// `--max-restarts` within `--restart-window`.
#[derive(Debug, Clone)]
pub struct Budget {
    limit: u32,
    window: Duration,
    /// Of those within the window, the oldest first.
    spent: VecDeque<Instant>,
}

impl Budget {
    /// Of which so much is spent, the oldest first.
    pub fn new(limit: u32, window: Duration, spent: Vec<Instant>) -> Self {
        Self { limit, window, spent: spent.into() }
    }

    /// What is spent and still counts, the oldest first.
    pub fn spent(&self) -> Vec<Instant> {
        self.spent.iter().copied().collect()
    }

    /// Whether there is room for one more.
    pub fn has_room(&self, now: Instant) -> bool {
        let counting = self.spent.iter().filter(|&&at| now.duration_since(at) < self.window).count();
        counting < usize::try_from(self.limit).unwrap_or(usize::MAX)
    }

    /// One is spent now.
    pub fn spend(&mut self, now: Instant) {
        let window = self.window;
        self.spent.retain(|&at| now.duration_since(at) < window);
        self.spent.push_back(now);
    }

    /// What was spent last was not, after all.
    pub fn refund(&mut self) {
        self.spent.pop_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let began = Instant::now();
        let at = |secs| began + Duration::from_secs(secs);
        let mut budget = Budget::new(2, Duration::from_secs(100), Vec::new());
        for (secs, room) in [
            (0, true),
            (60, true),
            (61, false),
            (99, false),
            (100, true),
            (101, false),
            (159, false),
            (160, true),
        ] {
            assert_eq!(budget.has_room(at(secs)), room, "at {secs} s");
            if room {
                budget.spend(at(secs));
            }
        }
    }

    #[test]
    fn what_was_spent_before_counts() {
        let began = Instant::now();
        let at = |secs| began + Duration::from_secs(secs);
        let mut budget = Budget::new(2, Duration::from_secs(100), vec![at(0), at(50)]);
        assert!(!budget.has_room(at(60)));
        assert!(budget.has_room(at(101)));
        budget.spend(at(101));
        assert_eq!(budget.spent(), [at(50), at(101)]);
    }

    #[test]
    fn what_was_not_spent_after_all_leaves_room() {
        let now = Instant::now();
        let mut budget = Budget::new(1, Duration::from_secs(100), Vec::new());
        budget.spend(now);
        assert!(!budget.has_room(now));
        budget.refund();
        assert!(budget.has_room(now));
    }

    #[test]
    fn a_limit_of_zero_never_has_room() {
        let now = Instant::now();
        let budget = Budget::new(0, Duration::from_secs(1), Vec::new());
        assert!(!budget.has_room(now));
    }
}
