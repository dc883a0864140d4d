//! The longest each phase may take, computed from the unit and the watchdog's settings.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::clock::{Human, LONGEST};
use crate::model::phase::Phase;
use crate::model::settings::{Guard, OnHang, Settings};

mod stopping;

use self::stopping::{Most, left_over, stop_posts};
pub use self::stopping::{longest as longest_stop, stop_post};

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

/// How long systemd must do nothing about a unit that ended, before it has given it up. What it waits for before a unit has ended is
/// [`longest_stop`].
pub fn quiet(settings: &Settings) -> Duration {
    let delay = delay(settings).map_or(Duration::ZERO, |bound| bound.at_most);
    delay.max(settings.span("RestartSec").unwrap_or_default() + TIMER_SLACK) + MARGIN
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
            restart: restart(settings),
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

    /// The bounds where the guard was silenced: nobody triggers, and nobody pings.
    #[must_use]
    pub fn silenced(mut self, settings: &Settings) -> Self {
        self.detect = withheld(settings);
        self
    }

    /// The bounds where processes were left over when the main one had ended, and systemd waited for them.
    #[must_use]
    pub fn with_left_over(mut self, settings: &Settings) -> Self {
        self.restart = after(left_over(settings), self.restart);
        self
    }

    /// The bounds where the main process's own end was not told: then its phase lasts until the unit's end, and the next one has nothing
    /// but the delay.
    #[must_use]
    pub fn with_end_untold(mut self, settings: &Settings) -> Self {
        let stop = stop_posts(settings).and(left_over(settings));
        self.kill = match (self.kill, stop) {
            (Some(kill), Most::Within(stop)) => Some(kill.and(&stop)),
            (kill, Most::Nothing) => kill,
            _ => None,
        };
        self.restart = delay(settings);
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

    /// The same, as it is shown: what is no timer has none.
    pub fn timer(&self, phase: Phase) -> Option<&Bound> {
        self.get(phase).filter(|bound| !bound.at_most.is_zero())
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

/// By systemd's own timer. The last ping of a guard came at most P before.
fn withheld(settings: &Settings) -> Option<Bound> {
    let watchdog = settings.span("WatchdogSec")?;
    let above = settings.guard.as_ref().map(|guard| watchdog.saturating_sub(guard.interval()));
    Some(Bound {
        above: above.filter(|above| !above.is_zero()),
        at_most: watchdog + TIMER_SLACK,
        sum: format!("WatchdogSec {} + timer slack {}", Human(watchdog), Human(TIMER_SLACK)),
    })
}

/// What systemd waits for between the end of the main process and the next start: ExecStopPost=, and then its own delay. No unit says
/// whether processes are left over, so what these may take is added where there were some.
fn restart(settings: &Settings) -> Option<Bound> {
    after(stop_posts(settings), delay(settings))
}

/// A delay after what comes before it.
fn after(before: Most, delay: Option<Bound>) -> Option<Bound> {
    match before {
        Most::Nothing => delay,
        Most::Unbounded => None,
        // One that is no timer is not named beside one.
        Most::Within(bound) if delay.as_ref()?.at_most.is_zero() => Some(bound),
        Most::Within(bound) => Some(bound.and(&delay?)),
    }
}

/// From the unit's end to the next start: systemd's timer, which a RestartSec=0 does not arm.
fn delay(settings: &Settings) -> Option<Bound> {
    let delay = named(settings, "RestartSec")?;
    let delay =
        named(settings, "RestartMaxDelaySec").filter(|most| most.at_most > delay.at_most).unwrap_or(delay);
    let random = named(settings, "RestartRandomizedDelaySec");
    if delay.at_most.is_zero() && random.is_none() {
        return Some(Bound { sum: "RestartSec 0: no timer".into(), ..delay });
    }
    let slack =
        Bound { above: None, at_most: TIMER_SLACK, sum: format!("timer slack {}", Human(TIMER_SLACK)) };
    let parts = Some(delay).filter(|delay| !delay.at_most.is_zero()).into_iter().chain(random);
    parts.chain([slack]).reduce(|sum, part| sum.and(&part))
}

fn detect(settings: &Settings) -> Option<Bound> {
    let guard = match &settings.guard {
        Some(guard) if matches!(guard.on_hang, OnHang::Trigger | OnHang::Restart) => guard,
        Some(Guard { on_hang: OnHang::Withhold, .. }) | None => return withheld(settings),
        // Who does nothing about a hang pings on.
        Some(_) => return None,
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
            restart_max_delay_usec: None,
            restart_randomized_usec: None,
            has_stop_post: false,
            stop_posts: None,
            stops: None,
            kill_mode: None,
            spares_with_sigkill: false,
            aborts_when_stopped_too_long: false,
            timeout_start_usec: Some(10_000_000),
            timeout_stop_usec: Some(5_000_000),
            timeout_abort_usec: Some(2_000_000),
            log_level_max: None,
            log_namespace: None,
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
    fn a_restart_waits_for_all_that_the_unit_has_between() {
        let plain = || settings(OnHang::Trigger);
        for (settings, sum, at_most) in [
            (
                Settings { has_stop_post: true, ..plain() },
                "ExecStopPost= within TimeoutStopSec 5 s",
                Some(5000),
            ),
            (
                Settings { has_stop_post: true, restart_usec: Some(100_000), ..plain() },
                "ExecStopPost= within TimeoutStopSec 5 s + RestartSec 100 ms + timer slack 250 ms",
                Some(5350),
            ),
            (
                Settings { has_stop_post: true, stop_posts: Some(2), ..plain() },
                "ExecStopPost= within 2 × TimeoutStopSec 5 s",
                Some(10_000),
            ),
            (Settings { has_stop_post: true, timeout_stop_usec: None, ..plain() }, "", None),
            (
                Settings { restart_usec: Some(100_000), restart_max_delay_usec: Some(10_000_000), ..plain() },
                "RestartMaxDelaySec 10 s + timer slack 250 ms",
                Some(10_250),
            ),
            (
                Settings { restart_usec: Some(100_000), restart_max_delay_usec: Some(50_000), ..plain() },
                "RestartSec 100 ms + timer slack 250 ms",
                Some(350),
            ),
            (
                Settings { restart_usec: Some(100_000), restart_max_delay_usec: Some(100_000), ..plain() },
                "RestartSec 100 ms + timer slack 250 ms",
                Some(350),
            ),
            (
                Settings { restart_randomized_usec: Some(1_000_000), ..plain() },
                "RestartRandomizedDelaySec 1 s + timer slack 250 ms",
                Some(1250),
            ),
            (Settings { restart_usec: None, ..plain() }, "", None),
            (plain(), "RestartSec 0: no timer", Some(0)),
        ] {
            let bound = restart(&settings);
            assert_eq!(
                bound.as_ref().map(|bound| bound.at_most),
                at_most.map(Duration::from_millis),
                "{sum}"
            );
            assert_eq!(bound.map_or(String::new(), |bound| bound.sum), sum);
            let delay = delay(&settings).map_or(Duration::ZERO, |delay| delay.at_most);
            assert!(quiet(&settings) >= delay + MARGIN, "{sum}");
        }
    }

    #[test]
    fn what_is_left_over_is_added_where_there_was_some_and_to_the_phase_in_which_it_was() {
        let plain = || settings(OnHang::Trigger);
        let delayed = Settings { restart_usec: Some(100_000), has_stop_post: true, ..plain() };
        let left = "left-over processes 2 × TimeoutStopSec 5 s";
        let sums = |bounds: Bounds| [bounds.kill, bounds.restart].map(|bound| Some(bound?.sum));
        for (settings, with, expected) in [
            (
                plain(),
                Bounds::with_left_over as fn(Bounds, &Settings) -> Bounds,
                [Some("TimeoutAbortSec 2 s".to_owned()), Some(left.to_owned())],
            ),
            (
                delayed.clone(),
                Bounds::with_left_over,
                [
                    Some("TimeoutAbortSec 2 s".into()),
                    Some(format!(
                        "{left} + ExecStopPost= within TimeoutStopSec 5 s + RestartSec 100 ms + timer slack 250 ms"
                    )),
                ],
            ),
            (
                Settings { timeout_stop_usec: None, ..plain() },
                Bounds::with_left_over,
                [Some("TimeoutAbortSec 2 s".into()), None],
            ),
            (
                delayed,
                Bounds::with_end_untold,
                [
                    Some(format!("TimeoutAbortSec 2 s + ExecStopPost= within TimeoutStopSec 5 s + {left}")),
                    Some("RestartSec 100 ms + timer slack 250 ms".into()),
                ],
            ),
            (
                Settings { timeout_stop_usec: None, ..plain() },
                Bounds::with_end_untold,
                [None, Some("RestartSec 0: no timer".into())],
            ),
        ] {
            assert_eq!(sums(with(Bounds::of(&settings), &settings)), expected);
        }
        let kill = Bounds::of(&plain()).with_end_untold(&plain()).kill.map(|kill| kill.at_most);
        assert_eq!(kill, Some(Duration::from_secs(12)));
    }

    #[test]
    fn what_is_off_or_infinite_has_no_bound() {
        let off = Settings { watchdog_usec: None, guard: None, ..settings(OnHang::Trigger) };
        assert_eq!(Bounds::of(&off).detect, None);
        let endless = Settings { timeout_start_usec: None, ..settings(OnHang::Trigger) };
        assert_eq!(Bounds::of(&endless).recovery(), None);
    }

    #[test]
    fn a_guard_that_is_kept_from_running_has_so_much_more_time() {
        let unit = settings(OnHang::Trigger);
        let widened = |percent| {
            let detect = Bounds::of(&unit).widened(&unit, percent).detect.expect("bounded");
            (detect.at_most.as_millis(), detect.sum)
        };
        let probes = "P 500 ms + 3 × T 500 ms + 2 × r 50 ms";
        for (percent, at_most, sum) in [
            (None, 5000, "WatchdogSec 5 s: the deadline was widened".to_owned()),
            (Some(0), 4100, format!("(WatchdogSec 5 s / 2 + {probes} − P) / 1: deadlines were widened")),
            (Some(50), 8200, format!("(WatchdogSec 5 s / 2 + {probes} − P) / 0.5: deadlines were widened")),
            (
                Some(100),
                205_000,
                format!("(WatchdogSec 5 s / 2 + {probes} − P) / 0.02: deadlines were widened"),
            ),
        ] {
            assert_eq!(widened(percent), (at_most, sum), "{percent:?}");
        }
    }
}
