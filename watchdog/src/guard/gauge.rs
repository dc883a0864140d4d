//! How far others keep UNIT from running: the pressure in its control group.
//!
//! Which one that is, systemd does not announce, but it is the same for as long as UNIT runs. So it is asked when UNIT is
//! taken up, beside everything else; and where there was no answer, again when a row of unhealthy probes begins. Until it is
//! known, nothing is measured.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Instant;

use crate::cgroup::Cgroup;
use crate::guard::unit::Instance;
use crate::starvation::{Pressure, Starvation};

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
