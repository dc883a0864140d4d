//! Starved or hung: how far a unit was kept from running since its first unhealthy probe.
//!
//! The kernel's PSI tells (`cpu.pressure` and `memory.pressure` of the unit's cgroup): its line `full` adds up the time in
//! which *every* process of the unit that wanted to run had to wait. A service that spins keeps itself waiting at most
//! in part, since one of its threads always runs; so `full` is pressure from others, or the unit's own CPUQuota= or
//! MemoryHigh=. It is read after unhealthy probes only: a healthy service costs nothing here.

use std::time::{Duration, Instant};

use crate::kernel::cgroup::{Cgroup, Resource};

/// What can keep a unit from running.
const RESOURCES: [Resource; 2] = [Resource::Cpu, Resource::Memory];

/// In less time than this the kernel's totals say little.
const SHORTEST: Duration = Duration::from_millis(100);

/// How far others kept a unit from running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressure {
    /// What was waited for: `CPU`, `memory`.
    pub resource: &'static str,
    /// The share of the time in which all of the unit's processes that wanted to run waited for it.
    pub percent: u8,
}

/// Measures a unit.
#[derive(Debug)]
pub struct Starvation {
    cgroup: Cgroup,
    /// When the first of a row of unhealthy probes ended, and the totals then.
    since: Option<(Instant, [Option<u64>; 2])>,
}

impl Starvation {
    /// Of the unit with this cgroup.
    pub fn new(cgroup: Cgroup) -> Self {
        Self { cgroup, since: None }
    }

    /// Begins anew: the first of a row of unhealthy probes has just ended.
    pub fn begin(&mut self, now: Instant) {
        self.since = Some((now, self.totals()));
    }

    /// [`begin`](Self::begin) was called.
    pub fn has_begun(&self) -> bool {
        self.since.is_some()
    }

    /// The greatest pressure since [`begin`](Self::begin), or in the last 10 s where that was only just now;
    /// [`None`] where the kernel does not tell.
    pub fn measure(&self, now: Instant) -> Option<Pressure> {
        let (since, before) = self.since?;
        if now - since < SHORTEST {
            return self.recent();
        }
        greatest(&before, &self.totals(), now - since)
    }

    fn recent(&self) -> Option<Pressure> {
        let share = |resource: Resource| {
            let percent = self.cgroup.pressure(resource).ok()?.full?.avg10.clamp(0.0, 100.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
            Some(Pressure { resource: resource.name(), percent: percent as u8 })
        };
        RESOURCES.into_iter().filter_map(share).max_by_key(|pressure| pressure.percent)
    }

    fn totals(&self) -> [Option<u64>; 2] {
        RESOURCES.map(|resource| Some(self.cgroup.pressure(resource).ok()?.full?.total_usec))
    }
}

fn greatest(before: &[Option<u64>; 2], after: &[Option<u64>; 2], elapsed: Duration) -> Option<Pressure> {
    let share = |index: usize| {
        let stalled = after[index]?.saturating_sub(before[index]?);
        let percent = u128::from(stalled) * 100 / elapsed.as_micros().max(1);
        // The kernel brings the totals up to date every now and then, so a short time can seem more than full.
        Some(Pressure {
            resource: RESOURCES[index].name(),
            percent: u8::try_from(percent.min(100)).unwrap_or(100),
        })
    };
    (0..RESOURCES.len()).filter_map(share).max_by_key(|pressure| pressure.percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_share_of_the_time_counts() {
        let millis = Duration::from_millis;
        for (before, after, elapsed, expected) in [
            ([Some(0), Some(0)], [Some(500_000), Some(0)], millis(1000), Some(("CPU", 50))),
            ([Some(7), Some(9)], [Some(7), Some(900_009)], millis(1000), Some(("memory", 90))),
            ([Some(0), None], [Some(100_000), None], millis(1000), Some(("CPU", 10))),
            ([Some(0), Some(0)], [Some(9_000_000), Some(0)], millis(1000), Some(("CPU", 100))),
            ([Some(5), Some(5)], [Some(4), Some(5)], Duration::ZERO, Some(("memory", 0))),
            ([None, None], [Some(1), None], millis(1000), None),
        ] {
            let pressure = greatest(&before, &after, elapsed);
            assert_eq!(pressure.map(|pressure| (pressure.resource, pressure.percent)), expected);
        }
    }

    #[test]
    fn nothing_is_measured_before_it_began() {
        assert_eq!(Starvation::new(Cgroup::own()).measure(Instant::now()), None);
    }
}
