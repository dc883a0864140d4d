//! How far others keep UNIT from running: the pressure in its control group.
//!
//! Which one that is, systemd does not announce, but it is the same for as long as UNIT runs. So it is asked when UNIT is
//! taken up, beside everything else; and where there was no answer, again when a row of unhealthy probes begins. Until it is
//! known, nothing is measured.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Instant;

use crate::guard::unit::Instance;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::starvation::{Pressure, Starvation};

/// ControlGroup=, once it is known; [`None`]: systemd did not say.
pub type Reading<'a> = Pin<Box<dyn Future<Output = Option<String>> + 'a>>;

/// Measures UNIT.
#[derive(Default)]
pub struct Gauge<'a> {
    /// Whose control group it is.
    instance: Option<Instance>,
    starvation: Option<Starvation>,
    reading: Option<Reading<'a>>,
}

impl<'a> Gauge<'a> {
    /// This life of UNIT is probed now.
    pub fn follow(&mut self, instance: Option<&Instance>, read: impl FnOnce() -> Reading<'a>) {
        if self.instance.as_ref() != instance {
            let reading = instance.map(|_| read());
            *self = Self { instance: instance.cloned(), starvation: None, reading };
        }
    }

    /// Waits for what is read; for ever where nothing is.
    pub async fn found(&mut self) {
        let Some(reading) = &mut self.reading else { return pending().await };
        let control_group = reading.await;
        self.reading = None;
        self.starvation = control_group.map(|control_group| Starvation::new(Cgroup::at(&control_group)));
    }

    /// An unhealthy probe has ended, after so many `failures` in a row. The pressure since the first of them.
    pub fn measure(
        &mut self,
        failures: u32,
        now: Instant,
        read: impl FnOnce() -> Reading<'a>,
    ) -> Option<Pressure> {
        let Some(starvation) = &mut self.starvation else {
            if failures == 0 && self.reading.is_none() {
                self.reading = Some(read());
            }
            return None;
        };
        if failures == 0 || !starvation.has_begun() {
            starvation.begin(now);
        }
        starvation.measure(now)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use super::*;
    use crate::guard::unit::Standing;
    use crate::guard::unit::tests::running;

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
        let (asked, mut gauge) = (Cell::new(0), Gauge::default());
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
        let (asked, mut gauge, now) = (Cell::new(0), Gauge::default(), Instant::now());
        gauge.follow(Some(&instance(7)), || answer(&asked, None));
        assert_eq!(gauge.measure(0, now, || answer(&asked, None)), None);
        assert_eq!(asked.get(), 1, "it is being asked for");
        gauge.found().await;
        assert_eq!(gauge.measure(1, now, || answer(&asked, None)), None);
        assert_eq!(asked.get(), 1, "in the middle of a row");
        assert_eq!(gauge.measure(0, now, || answer(&asked, Some("/no-such.service"))), None);
        gauge.found().await;
        assert_eq!(gauge.measure(1, now, || answer(&asked, None)), None, "there is no such group");
        assert_eq!(gauge.measure(0, now, || answer(&asked, None)), None);
        assert_eq!(asked.get(), 2, "it is known");
    }

    #[tokio::test]
    async fn what_is_known_of_one_life_is_forgotten_with_it() {
        let (asked, mut gauge) = (Cell::new(0), Gauge::default());
        gauge.follow(Some(&instance(7)), || answer(&asked, Some("/a.service")));
        gauge.found().await;
        assert!(gauge.starvation.is_some());
        gauge.follow(Some(&instance(8)), || answer(&asked, None));
        assert!(gauge.starvation.is_none());
    }
}
