//! Starved or hung: how far a unit is kept from running.
//!
//! The kernel's PSI tells (`cpu.pressure`, `memory.pressure` and `io.pressure` of the unit's cgroup): its line `full` adds
//! up the time in which *every* process of the unit that wanted to run had to wait. A service that spins keeps itself
//! waiting at most in part, since one of its threads always runs; so `full` is pressure from others, or the unit's own
//! CPUQuota= or MemoryHigh=. Where it does not tell of the CPU, the threads' own queueing does ([`RunQueue`]). What
//! follows from it is decided by [`Stalls`].

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crate::kernel::cgroup::{Cgroup, Resource};
use crate::kernel::run_queue::RunQueue;
use crate::kernel::stalls::{self, Limit, Measured, Pressure, Stalls};

/// In the order of [`stalls::RESOURCES`].
const RESOURCES: [Resource; 3] = [Resource::Cpu, Resource::Memory, Resource::Io];

/// Measures a unit.
#[derive(Debug)]
pub struct Starvation {
    cgroup: Cgroup,
    stalls: RefCell<Stalls>,
    run_queue: RefCell<RunQueue>,
    /// The look that is to come next, as far as a probe has asked for one.
    planned: Cell<Option<Instant>>,
}

impl Starvation {
    /// Of the unit with this cgroup. `limit` is that of `--pressure`.
    pub fn new(cgroup: Cgroup, limit: Option<u8>) -> Self {
        Self {
            cgroup,
            stalls: RefCell::new(Stalls::new(limit)),
            run_queue: RefCell::default(),
            planned: Cell::new(None),
        }
    }

    /// Reads the kernel's totals, unless nobody asks for them.
    pub fn look(&self, now: Instant) {
        let mut stalls = self.stalls.borrow_mut();
        if stalls.is_on() {
            let mut totals = RESOURCES.map(|resource| self.cgroup.stalled(resource));
            if totals[0].is_none() {
                totals[0] = self.run_queue.borrow_mut().look(&self.cgroup);
            }
            stalls.look(now, totals);
        }
    }

    /// What kept the unit from running since `from`, where that is the limit or more.
    pub fn pressure(&self, from: Instant, now: Instant) -> Option<Pressure> {
        self.stalls.borrow().pressure(from, now)
    }

    /// How much of the time from `from` to `to` the unit was able to run.
    pub fn able(&self, from: Instant, to: Instant) -> Duration {
        self.stalls.borrow().able(from, to)
    }

    /// When to look next whether a probe's time is up; [`None`]: it is. Reads the kernel's totals from half of it on.
    pub fn next_look(&self, limit: Limit, started: Instant, now: Instant) -> Option<Instant> {
        if now >= started + limit.timeout / 2 {
            self.look(now);
        }
        let next = stalls::next_look(&self.stalls.borrow(), limit, started, now);
        self.planned.set(self.planned.get().max(next));
        next
    }

    /// How able the unit was to answer a probe that was sent at `started`, could take `timeout`, and has ended; in a row of
    /// failures that began at `row`.
    pub fn measure(
        &self,
        is_healthy: bool,
        timeout: Duration,
        started: Instant,
        row: Option<Instant>,
        now: Instant,
    ) -> Measured {
        let planned = self.planned.take();
        let late = planned.map(|planned| now.saturating_duration_since(planned));
        // A row that is not over, or a start, is still measured by what was seen before.
        if is_healthy && row.is_none() && now - started < timeout / 2 {
            self.forget();
            return Measured { late, ..Measured::on_the_clock(started, row, now) };
        }
        self.look(now);
        let able = |from| self.able(from, now);
        Measured {
            able: able(started),
            row: able(row.unwrap_or(started)),
            pressure: self.pressure(started, now),
            late,
        }
    }

    /// The service has answered in good time.
    fn forget(&self) {
        self.stalls.borrow_mut().forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_is_who_comes_after_the_last_look_that_was_planned() {
        let (ms, start) = (Duration::from_millis(1), Instant::now());
        let at = |after: u32| start + ms * after;
        let limit = Limit::of(100 * ms);
        for (looks, end, late) in [
            // It ended before anybody looked.
            (&[][..], 30, None),
            (&[0], 40, Some(0)),
            (&[0], 80, Some(30)),
            (&[0, 50], 100, Some(0)),
            (&[0, 50, 100], 104, Some(4)),
            // So late that there was no second look.
            (&[0, 250], 250, Some(200)),
        ] {
            let starvation = Starvation::new(Cgroup::at("/no-such.service"), Some(40));
            for look in looks {
                starvation.next_look(limit, start, at(*look));
            }
            let measure = || starvation.measure(false, limit.timeout, start, None, at(end)).late;
            assert_eq!(measure(), late.map(|late| ms * late), "{looks:?} {end}");
            assert_eq!(measure(), None, "that was another probe");
        }
    }
}
