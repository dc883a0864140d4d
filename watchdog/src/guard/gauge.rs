//! How far others keep UNIT from running: the pressure in its control group, and whether that is frozen.
//!
//! What is frozen cannot answer, and a probe of it says nothing. The kernel is asked for that, not systemd: systemd does not
//! announce that FreezerState= has changed, and does not know of what others have frozen.
//!
//! Which one that is, systemd does not announce, but it is the same for as long as UNIT runs. So it is asked when UNIT is
//! taken up, beside everything else; and where there was no answer, again when a row of unhealthy probes begins. Until it is
//! known, nothing is measured.

use crate::hang::watch::Ended;
use crate::kernel::stalls::{Limit, Measured, Pressure};
use crate::kernel::starvation::Starvation;
use crate::probe::Deadline;
use crate::words::outcome::{Cause, Outcome, Reason};
use std::cell::Cell;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::guard::unit::Instance;
use crate::kernel::cgroup::Cgroup;

const FROZEN: &str = "frozen by the cgroup freezer (systemctl freeze, a container's pause): it cannot answer";

/// ControlGroup=, once it is known; [`None`]: systemd did not say.
pub type Reading<'a> = Pin<Box<dyn Future<Output = Option<String>> + 'a>>;

/// Measures UNIT.
pub struct Gauge<'a> {
    /// `--pressure`
    limit: Option<u8>,
    /// Whose control group it is.
    instance: Option<Instance>,
    group: Option<Cgroup>,
    /// When the probe of each set that is under way, or was last, began.
    was_frozen: Vec<Cell<bool>>,
    /// For each set.
    starvation: Option<Vec<Rc<Starvation>>>,
    reading: Option<Reading<'a>>,
}

impl<'a> Gauge<'a> {
    /// Of no unit yet. Without a `limit` no pressure is measured.
    pub fn new(limit: Option<u8>, sets: usize) -> Self {
        Self {
            limit,
            instance: None,
            group: None,
            was_frozen: vec![Cell::new(false); sets],
            starvation: None,
            reading: None,
        }
    }

    /// This life of UNIT is probed now.
    pub fn follow(&mut self, instance: Option<&Instance>, read: impl FnOnce() -> Reading<'a>) {
        if self.instance.as_ref() != instance {
            let reading = instance.map(|_| read());
            *self =
                Self { instance: instance.cloned(), reading, ..Self::new(self.limit, self.was_frozen.len()) };
        }
    }

    /// Waits for what is read; for ever where nothing is.
    pub async fn found(&mut self) {
        let Some(reading) = &mut self.reading else { return pending().await };
        let control_group = reading.await;
        self.reading = None;
        self.group = control_group.map(|control_group| Cgroup::at(&control_group));
        let measured = self.group.clone().filter(|_| self.limit.is_some());
        let one = |group: &Cgroup| Rc::new(Starvation::new(group.clone(), self.limit));
        self.starvation = measured.map(|group| self.was_frozen.iter().map(|_| one(&group)).collect());
    }

    fn is_frozen(&self) -> bool {
        self.group.as_ref().is_some_and(Cgroup::is_frozen)
    }

    /// For the next probe of a set.
    pub fn deadline(&self, set: usize, limit: Limit) -> Deadline {
        self.was_frozen[set].set(self.is_frozen());
        match &self.starvation {
            Some(starvation) => Deadline::able(limit, Rc::clone(&starvation[set])),
            None => Deadline::after(limit.timeout),
        }
    }

    /// For how long UNIT was able to run since `started`, and what keeps it from running; [`None`]: nothing does.
    pub fn slow(&self, set: usize, started: Instant, now: Instant) -> Option<(Duration, Pressure)> {
        let starvation = &self.starvation.as_ref()?[set];
        starvation.look(now);
        Some((starvation.able(started, now), starvation.pressure(started, now)?))
    }

    /// A probe of a set that was sent at `started` has ended, in a row of failures that began at `row`.
    pub fn ended(
        &mut self,
        set: usize,
        outcome: Outcome,
        (started, limit): (Instant, Limit),
        row: Option<Instant>,
        now: Instant,
        read: impl FnOnce() -> Reading<'a>,
    ) -> Ended {
        let outcome = match outcome {
            Outcome::Unhealthy(reason)
                if reason.cause().counts() && (self.was_frozen[set].get() || self.is_frozen()) =>
            {
                Outcome::Unhealthy(Reason::new(Cause::System, FROZEN))
            }
            outcome => outcome,
        };
        let is_healthy = outcome == Outcome::Healthy;
        let measured = if let Some(starvation) = &self.starvation {
            starvation[set].measure(is_healthy, limit.timeout, started, row, now)
        } else {
            if !is_healthy && row.is_none() && self.group.is_none() && self.reading.is_none() {
                self.reading = Some(read());
            }
            Measured::on_the_clock(started, row, now)
        };
        Ended::new(outcome, limit, measured)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;
    use std::time::Duration;

    use super::*;
    use crate::guard::unit::Standing;
    use crate::guard::unit::tests::running;
    use crate::words::outcome::{Cause, Reason};

    fn instance(main_pid: u32) -> Instance {
        match running(main_pid).standing() {
            Standing::Serving(instance) => instance,
            other => panic!("{other:?}"),
        }
    }

    /// Answers so, and counts how often it was asked.
    fn answer<'a>(asked: &Cell<u32>, control_group: Option<&str>) -> Reading<'a> {
        asked.set(asked.get() + 1);
        Box::pin(ready(control_group.map(str::to_owned)))
    }

    #[test]
    fn the_control_group_is_asked_for_once_in_a_life_of_the_unit() {
        let (asked, mut gauge) = (Cell::new(0), Gauge::new(Some(10), 1));
        for (main_pid, expected) in
            [(None, 0), (Some(7), 1), (Some(7), 1), (Some(8), 2), (None, 2), (Some(8), 3)]
        {
            gauge.follow(main_pid.map(instance).as_ref(), || answer(&asked, None));
            assert_eq!(
                (asked.get(), gauge.reading.is_some()),
                (expected, main_pid.is_some()),
                "{main_pid:?}"
            );
        }
    }

    #[tokio::test]
    async fn without_an_answer_it_is_asked_for_again_when_a_row_begins() {
        let (asked, mut gauge, now) = (Cell::new(0), Gauge::new(Some(10), 1), Instant::now());
        gauge.follow(Some(&instance(7)), || answer(&asked, None));
        let ended = |gauge: &mut Gauge<'_>, row: Option<Instant>, control_group| {
            let limit = Limit::of(Duration::from_secs(1));
            let outcome = Outcome::Unhealthy(Reason::new(Cause::Timeout, "mute"));
            let ended = gauge.ended(0, outcome, (now, limit), row, now + Duration::from_secs(2), || {
                answer(&asked, control_group)
            });
            (ended.pressure, ended.late, asked.get())
        };
        let on_the_clock = |asked| (None, Duration::from_secs(1), asked);
        assert_eq!(ended(&mut gauge, None, None), on_the_clock(1), "it is being asked for");
        gauge.found().await;
        assert_eq!(ended(&mut gauge, Some(now), None), on_the_clock(1), "in the middle of a row");
        assert_eq!(ended(&mut gauge, None, Some("/no-such.service")), on_the_clock(2));
        gauge.found().await;
        assert_eq!(ended(&mut gauge, Some(now), None), on_the_clock(2), "there is no such group");
        assert_eq!(ended(&mut gauge, None, None), on_the_clock(2), "it is known");
    }

    #[tokio::test]
    async fn what_is_known_of_one_life_is_forgotten_with_it() {
        let (asked, mut gauge) = (Cell::new(0), Gauge::new(Some(10), 1));
        gauge.follow(Some(&instance(7)), || answer(&asked, Some("/a.service")));
        gauge.found().await;
        assert!(gauge.starvation.is_some());
        gauge.follow(Some(&instance(8)), || answer(&asked, None));
        assert!(gauge.starvation.is_none());
    }

    #[tokio::test]
    async fn with_pressure_switched_off_none_is_measured() {
        let (asked, mut gauge) = (Cell::new(0), Gauge::new(None, 1));
        gauge.follow(Some(&instance(7)), || answer(&asked, Some("/a.service")));
        gauge.found().await;
        assert!(gauge.group.is_some() && gauge.starvation.is_none());
    }
}
