//! How far a unit was kept from running, from the kernel's PSI of its control group.
//!
//! `full` is the time in which tasks of the unit wanted to go on and none of them did. Of CPU and memory, or CPU and io, only
//! one can be full at a time: who waits for memory or io does not wait for a CPU. A task that waits for its own page to come
//! back from the disk counts as waiting for memory and for io, so of these two the greater is taken.

use std::collections::VecDeque;
use std::time::Duration;

use super::clock::Time;

/// How long looks are kept: longer than any bound.
const KEPT: Duration = Duration::from_secs(600);

/// The kernel's totals of `full` since the group was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Time without a CPU.
    pub cpu: Duration,
    /// Time without memory.
    pub memory: Duration,
    /// Time without what was to be read or written.
    pub io: Duration,
}

impl Totals {
    /// The total of the line `full` of a file like `cpu.pressure`.
    pub fn parse(text: &str) -> Option<Duration> {
        let full = text.lines().find_map(|line| line.strip_prefix("full "))?;
        let total = full.split(' ').find_map(|field| field.strip_prefix("total="))?;
        total.trim().parse().ok().map(Duration::from_micros)
    }

    fn lost_since(&self, before: &Self) -> Duration {
        let cpu = self.cpu.saturating_sub(before.cpu);
        let memory = self.memory.saturating_sub(before.memory);
        cpu + memory.max(self.io.saturating_sub(before.io))
    }
}

/// What was seen of one unit.
#[derive(Debug, Default)]
pub struct Pressure {
    looks: VecDeque<(Time, Totals)>,
}

impl Pressure {
    /// The totals at `now`.
    pub fn look(&mut self, now: Time, totals: Totals) {
        self.looks.push_back((now, totals));
        while self.looks.front().is_some_and(|(at, _)| *at + KEPT < now) {
            self.looks.pop_front();
        }
    }

    /// The share of the time from `since` to `until` in which the unit was kept from running, from the last look before and
    /// the first after; [`None`] where there was no look before `since`.
    pub fn share(&self, since: Time, until: Time) -> Option<f64> {
        let (from, before) = self.looks.iter().rev().find(|(at, _)| *at <= since)?;
        let after = self.looks.iter().find(|(at, _)| *at >= until).or(self.looks.back());
        let (to, after) = after.filter(|(at, _)| at > from)?;
        let lost = after.lost_since(before).as_secs_f64();
        Some((lost / to.saturating_sub(*from).as_secs_f64()).min(1.0))
    }
}
