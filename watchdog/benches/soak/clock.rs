//! One clock, CLOCK_MONOTONIC, for this process, its children and the kernel's stamps.

use std::time::Duration;

use rustix::event::{Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

/// Since CLOCK_MONOTONIC's zero: unlike an `Instant`, processes can tell it each other.
pub type Time = Duration;

/// A step of CLOCK_REALTIME beyond this is none that NTP slews by between two looks.
const STEP: i128 = 5_000_000;

/// Now.
pub fn now() -> Time {
    read(ClockId::Monotonic)
}

fn read(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

/// Lets time pass, where that is what is wanted: a service that takes its time.
pub fn pass(time: Duration) {
    let end = now() + time;
    while let Some(left) = end.checked_sub(now()).filter(|left| !left.is_zero()) {
        let _ = poll(&mut [], Timespec::try_from(left).ok().as_ref());
    }
}

/// Uses `time` of CPU, however long that takes.
pub fn burn(time: Duration) {
    let cpu = || read(ClockId::ThreadCPUTime);
    let end = cpu() + time;
    while cpu() < end {
        std::hint::spin_loop();
    }
}

/// Translates the stamps of datagrams, which are of CLOCK_REALTIME: the kernel knows no other for them.
#[derive(Debug, Default)]
pub struct Stamps {
    /// CLOCK_REALTIME less CLOCK_MONOTONIC, in ns.
    offset: Option<i128>,
    /// How often somebody set the clock.
    pub steps: u32,
    last_step: Option<Time>,
}

impl Stamps {
    /// Looks at both clocks; to be called before stamps that are new are translated.
    pub fn look(&mut self) {
        let readings = (0..4).map(|_| {
            let before = now();
            let real = read(ClockId::Realtime);
            let took = now().saturating_sub(before);
            (took, nanos(real) - nanos(before + took / 2))
        });
        let Some((_, offset)) = readings.min_by_key(|(took, _)| *took) else { return };
        if self.offset.is_some_and(|last| (offset - last).abs() > STEP) {
            self.steps += 1;
            self.last_step = Some(now());
        }
        self.offset = Some(offset);
    }

    /// Whether somebody set the clock since then.
    pub fn stepped_since(&self, time: Time) -> bool {
        self.last_step.is_some_and(|step| step >= time)
    }

    /// A stamp as time of CLOCK_MONOTONIC.
    pub fn translate(&self, stamp: Duration) -> Time {
        let nanos = nanos(stamp) - self.offset.unwrap_or_default();
        Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
    }
}

fn nanos(time: Duration) -> i128 {
    i128::try_from(time.as_nanos()).unwrap_or(i128::MAX)
}

/// Who comes first and wakes up so much too late was not the only one: the machine stood still.
const STALL: Duration = Duration::from_millis(100);

/// When the soak stood still, and so most likely all of the machine.
#[derive(Debug, Default)]
pub struct Stalls(Vec<(Time, Time)>);

impl Stalls {
    /// Woken up at `now`, at `due` at the latest: for how long it stood still, if it did.
    pub fn woken(&mut self, due: Time, now: Time) -> Option<Duration> {
        let stall = now.saturating_sub(due);
        if stall <= STALL {
            return None;
        }
        self.0.push((due, now));
        Some(stall)
    }

    /// For how long it did between the two.
    pub fn between(&self, from: Time, to: Time) -> Duration {
        self.0.iter().map(|(since, until)| (*until).min(to).saturating_sub((*since).max(from))).sum()
    }
}
