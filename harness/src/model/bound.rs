//! The longest each phase may take, computed from the unit and the watchdog's settings.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::clock::{Human, LONGEST};
use crate::model::phase::Phase;
use crate::model::settings::{Guard, OnHang, Settings};

/// systemd's watchdog and restart timers may fire this much late: they are added with the default accuracy of
/// sd-event (systemd, src/core/service.c, src/libsystemd/sd-event/sd-event.c: `DEFAULT_ACCURACY_USEC`).
pub const TIMER_SLACK: Duration = Duration::from_millis(250);

/// How far apart two clocks' readings of one moment may be: journald stamps what it receives, clients what they ask.
pub const ALLOWANCE: Duration = Duration::from_millis(100);

/// What the instrument grants a busy computer before it calls the bound of the detection broken: there are only timers
/// in that, but 2·N of them, and somebody has to be scheduled for each.
pub const SCHEDULING: Duration = Duration::from_millis(250);

/// What it grants for the work in the other phases, where programs end and start: no timer tells how long that takes.
pub const WORK: Duration = Duration::from_secs(1);

/// What a phase may take beyond its bound before it is given up, so that a late event is still measured.
pub const MARGIN: Duration = Duration::from_secs(1);

/// How long systemd must do nothing about a service that ended, before it has given it up.
pub fn quiet(settings: &Settings) -> Duration {
    settings.span("RestartSec").unwrap_or_default() + TIMER_SLACK + MARGIN
}

/// A phase's limits and where they come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The phase takes longer than this.
    pub above: Option<Duration>,
    /// The phase takes at most this.
    pub at_most: Duration,
    /// The sum, spelled out.
    pub sum: String,
}

/// The bounds of a recovery by the watchdog, or by `sd-watchdog guard`. An absent one is infinite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// From the injection to systemd's word of it.
    pub detect: Option<Bound>,
    /// From there to the main process's end.
    pub kill: Option<Bound>,
    /// From there to the next start.
    pub restart: Option<Bound>,
    /// From there to `READY=1`.
    pub start: Option<Bound>,
}

impl Bounds {
    /// The phases that make up a recovery, each with a bound of its own.
    pub const PHASES: [Phase; 4] = [Phase::Detect, Phase::Kill, Phase::Restart, Phase::Start];

    /// Computes the bounds for a unit.
    pub fn of(settings: &Settings) -> Self {
        Self {
            detect: detect(settings),
            kill: named(settings, "TimeoutAbortSec"),
            restart: named(settings, "RestartSec").map(|bound| {
                if bound.at_most.is_zero() {
                    return Bound { sum: "RestartSec 0: no timer".into(), ..bound };
                }
                let sum = format!("{} + timer slack {}", bound.sum, Human(TIMER_SLACK));
                Bound { at_most: bound.at_most + TIMER_SLACK, sum, ..bound }
            }),
            start: named(settings, "TimeoutStartSec"),
        }
    }

    /// The bounds where `sd-watchdog` widened its deadlines, since the service was kept from running for so many `percent` of
    /// the time: (W/2 + N·T + (N−1)·r) / (1 − share). Where it did not say for how many, it is a version that widened one
    /// deadline, up to W and no further.
    #[must_use]
    pub fn widened(mut self, settings: &Settings, percent: Option<u8>) -> Self {
        self.detect = named(settings, "WatchdogSec").map(|watchdog| {
            let (Some(percent), Some(detect), Some(guard)) = (percent, &self.detect, &settings.guard) else {
                return Bound { sum: format!("{}: the deadline was widened", watchdog.sum), ..watchdog };
            };
            let able = f64::from(100 - percent.min(98)) / 100.0;
            let at_most =
                (watchdog.at_most / 2 + detect.at_most.saturating_sub(guard.interval())).div_f64(able);
            let sum = format!("({} / 2 + {} − P) / {able}: deadlines were widened", watchdog.sum, detect.sum);
            Bound { above: None, at_most, sum }
        });
        self
    }

    /// A phase's bound, if it has one of its own.
    pub fn get(&self, phase: Phase) -> Option<&Bound> {
        match phase {
            Phase::Detect => self.detect.as_ref(),
            Phase::Kill => self.kill.as_ref(),
            Phase::Restart => self.restart.as_ref(),
            Phase::Start => self.start.as_ref(),
            Phase::Recovery | Phase::Outage => None,
        }
    }

    /// The bound of the whole recovery, if every phase has one.
    pub fn recovery(&self) -> Option<Duration> {
        Self::PHASES.into_iter().map(|phase| Some(self.get(phase)?.at_most)).sum()
    }
}

fn named(settings: &Settings, directive: &str) -> Option<Bound> {
    let at_most = settings.span(directive)?;
    Some(Bound { above: None, at_most, sum: format!("{directive} {}", Human(at_most)) })
}

fn detect(settings: &Settings) -> Option<Bound> {
    let withheld = |above: fn(Duration, &Guard) -> Duration| {
        let watchdog = settings.span("WatchdogSec")?;
        Some(Bound {
            above: settings
                .guard
                .as_ref()
                .map(|guard| above(watchdog, guard))
                .filter(|above| !above.is_zero()),
            at_most: watchdog + TIMER_SLACK,
            sum: format!("WatchdogSec {} + timer slack {}", Human(watchdog), Human(TIMER_SLACK)),
        })
    };
    let guard = match &settings.guard {
        Some(guard) if matches!(guard.on_hang, OnHang::Trigger | OnHang::Restart) => guard,
        // The last ping came at most P before the hang.
        Some(Guard { on_hang: OnHang::Withhold, .. }) => {
            return withheld(|watchdog, guard| watchdog.saturating_sub(guard.interval()));
        }
        // Who does nothing about a hang pings on.
        Some(_) => return None,
        None => return withheld(|_, _| Duration::ZERO),
    };
    let (interval, timeout, retry) = (guard.interval(), guard.timeout(), guard.retry_interval());
    let (failures, gaps, report) = (guard.failures, guard.failures.saturating_sub(1), guard.report());
    let mut sum =
        format!("P {} + {failures} × T {} + {gaps} × r {}", Human(interval), Human(timeout), Human(retry));
    if !report.is_zero() {
        sum = format!("{sum} + report {}", Human(report));
    }
    let probes = timeout.saturating_mul(failures).saturating_add(retry.saturating_mul(gaps));
    Some(Bound { above: None, at_most: probes.saturating_add(interval + report).min(LONGEST), sum })
}

impl Guard {
    /// P.
    pub fn interval(&self) -> Duration {
        Duration::from_micros(self.interval_usec)
    }

    /// T.
    pub fn timeout(&self) -> Duration {
        Duration::from_micros(self.timeout_usec)
    }

    /// r.
    pub fn retry_interval(&self) -> Duration {
        Duration::from_micros(self.retry_interval_usec)
    }

    /// The budget of the hang report.
    pub fn report(&self) -> Duration {
        Duration::from_micros(self.report_usec)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::settings::{Restart, Type};

    /// The settings of a unit with WatchdogSec=5 that `sd-watchdog` guards, as the tests of other modules want them.
    pub fn settings(on_hang: OnHang) -> Settings {
        Settings {
            unit: "x.service".into(),
            kind: Type::Notify,
            restart: Restart::Always,
            watchdog_usec: Some(5_000_000),
            restart_usec: Some(0),
            timeout_start_usec: Some(10_000_000),
            timeout_stop_usec: Some(5_000_000),
            timeout_abort_usec: Some(2_000_000),
            guard: Some(Guard {
                on_hang,
                interval_usec: 500_000,
                timeout_usec: 500_000,
                failures: 3,
                retry_interval_usec: 50_000,
                report_usec: 0,
            }),
        }
    }

    #[test]
    fn triggering_detects_within_the_probes_own_sum() {
        let bounds = Bounds::of(&settings(OnHang::Trigger));
        let detect = bounds.detect.clone().expect("bounded");
        assert_eq!((detect.above, detect.at_most), (None, Duration::from_millis(2100)));
        assert_eq!(detect.sum, "P 500 ms + 3 × T 500 ms + 2 × r 50 ms");
        assert_eq!(bounds.recovery(), Some(Duration::from_millis(14_100)));
        let mut reporting = settings(OnHang::Trigger);
        if let Some(guard) = &mut reporting.guard {
            guard.report_usec = 500_000;
        }
        let detect = Bounds::of(&reporting).detect.expect("bounded");
        assert_eq!(detect.at_most, Duration::from_millis(2600));
        assert_eq!(detect.sum, "P 500 ms + 3 × T 500 ms + 2 × r 50 ms + report 500 ms");
    }

    #[test]
    fn who_guards_from_beside_needs_no_watchdog_of_systemds_and_who_does_nothing_has_no_bound() {
        let detect = |on_hang| {
            let unit = Settings { watchdog_usec: None, ..settings(on_hang) };
            Bounds::of(&unit).detect.map(|bound| bound.at_most)
        };
        assert_eq!(detect(OnHang::Restart), Some(Duration::from_millis(2100)));
        assert_eq!(detect(OnHang::Nothing), None);
        assert_eq!(detect(OnHang::Withhold), None);
    }

    #[test]
    fn withholding_detects_between_the_last_ping_and_the_timers_slack() {
        let detect = Bounds::of(&settings(OnHang::Withhold)).detect.expect("bounded");
        assert_eq!(detect.above, Some(Duration::from_millis(4500)));
        assert_eq!(detect.at_most, Duration::from_millis(5250));
    }

    #[test]
    fn a_restart_delay_costs_a_timers_slack_and_none_costs_nothing() {
        let none = settings(OnHang::Trigger);
        let some = Settings { restart_usec: Some(100_000), ..none.clone() };
        assert_eq!(Bounds::of(&none).restart.map(|bound| bound.at_most), Some(Duration::ZERO));
        assert_eq!(Bounds::of(&some).restart.map(|bound| bound.at_most), Some(Duration::from_millis(350)));
    }

    #[test]
    fn what_is_off_or_infinite_has_no_bound() {
        let off = Settings { watchdog_usec: None, guard: None, ..settings(OnHang::Trigger) };
        assert_eq!(Bounds::of(&off).detect, None);
        let endless = Settings { timeout_start_usec: None, ..settings(OnHang::Trigger) };
        assert_eq!(Bounds::of(&endless).recovery(), None);
    }
}
