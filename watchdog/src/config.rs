//! The timing, derived from the one knob that the user already sets, and refused where it cannot work.

use std::time::Duration;

use crate::cli::{
    ChildPings, ChildReady, HangArgs, Next, OnHang, PressureLimit, SetArgs, TimingArgs, WrapperArgs,
};
use crate::hang::timing;
use crate::hang::timing::Timing;
use crate::words::command_line;
use crate::words::span::Span;

pub use self::error::{ConfigError, Knob};

mod error;
mod signals;

/// systemd's watchdog timer may fire this much late: it is added with sd-event's default accuracy
/// (`service_start_watchdog` in systemd's src/core/service.c, `DEFAULT_ACCURACY_USEC` in sd-event.c).
pub const SYSTEMD_TIMER_SLACK: Duration = Duration::from_millis(250);

/// Below this, W/100 is less than the resolution of a timer on a busy machine.
const SHORTEST_WATCHDOG: Duration = Duration::from_millis(10);
/// What the timing is derived from where there is no watchdog: probing ends at READY=1 then.
const NOMINAL_WATCHDOG: Duration = Duration::from_secs(10);
/// The r of the shortest W. With less, probing is all that is done.
pub const SHORTEST_OPTION: Duration = Duration::from_micros(100);
/// More than anyone means, and far from where arithmetic on instants ends.
pub(crate) const LONGEST_OPTION: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// The hang report's budget, unless given.
const REPORT_BUDGET: Duration = Duration::from_millis(500);
/// RESTART_RESET=1 is not said sooner than this, unless asked for.
const SHORTEST_RESET: Duration = Duration::from_secs(60);
const PRESSURE_LIMIT: u8 = 10;
const MAX_JITTER: u8 = 50;

/// Everything that is decided before the service starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The sets of probes, each with its own timing; never empty.
    pub sets: Vec<Set>,
    /// What to do when the service hangs.
    pub on_hang: OnHang,
    /// Only say what would be done; ping whatever the probes find.
    pub dry_run: bool,
    /// W, if systemd's watchdog is on.
    pub watchdog: Option<Duration>,
    /// How long a start may take; [`None`]: systemd's TimeoutStartSec= alone decides.
    pub start_timeout: Option<Duration>,
    /// When others keep the service from running: a share of the time in percent, or never.
    pub pressure_limit: Option<u8>,
    /// The longest that a hang report may take; zero where none is to be made.
    pub report_budget: Duration,
    /// Health without a failure after which RESTART_RESET=1 is said.
    pub reset_after: Duration,
    /// COMMAND's own READY=1.
    pub child_ready: ChildReady,
    /// COMMAND's own WATCHDOG=1.
    pub child_pings: ChildPings,
    /// What to run for a hang report: a program and its arguments.
    pub on_hang_exec: Option<Vec<String>>,
    /// The signals that ask COMMAND to stop.
    pub stop_signals: Vec<i32>,
    /// The one that asks it to reload.
    pub reload_signal: Option<i32>,
}

/// Probes that go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set {
    /// When to probe.
    pub timing: Timing,
    /// They gate READY=1, and are not asked afterwards.
    pub ready_only: bool,
}

impl Set {
    /// What is not said is as in `derived`, which comes of what is `otherwise`. `limits`, where there is a watchdog: what its
    /// probes have to keep to, if they are watched.
    fn new(
        args: &SetArgs,
        derived: Timing,
        otherwise: &str,
        limits: Option<(OnHang, Duration, Knob)>,
    ) -> Result<Self, ConfigError> {
        let derive = |name, given, derived| {
            option(name, given, || otherwise.to_owned()).map(|given| given.unwrap_or(derived))
        };
        let timing = Timing {
            interval: derive("interval", args.interval, derived.interval)?,
            jitter: derived.jitter,
            timeout: derive("timeout", args.timeout, derived.timeout)?,
            failures: count("failures", args.failures, derived.failures)?,
            rise: count("rise", args.rise, derived.rise)?,
            retry_interval: derive("retry-interval", args.retry_interval, derived.retry_interval)?,
        };
        if args.ready_only {
            for (option, is_given) in [("failures", args.failures.is_some()), ("rise", args.rise.is_some())] {
                if is_given {
                    return Err(ConfigError::NeverAHang { option });
                }
            }
        } else if let Some((on_hang, watchdog, knob)) = limits {
            check(timing, on_hang, watchdog, knob)?;
        }
        Ok(Self { timing, ready_only: args.ready_only })
    }
}

impl Config {
    /// Derives the timing from `watchdog` (W, [`None`] where systemd's watchdog is off) and the options, and refuses
    /// what cannot work.
    pub fn new(
        args: &TimingArgs,
        next: &[Next],
        hang: &HangArgs,
        wrapper: &WrapperArgs,
        watchdog: Option<Duration>,
    ) -> Result<Self, ConfigError> {
        Self::derive(args, next, hang, wrapper, watchdog, Knob::WatchdogSec)
    }

    /// The same for `guard`, where W is `--watchdog` and nothing stands in between.
    pub fn beside(
        args: &TimingArgs,
        next: &[Next],
        hang: &HangArgs,
        watchdog: Duration,
    ) -> Result<Self, ConfigError> {
        Self::derive(args, next, hang, &WrapperArgs::default(), Some(watchdog), Knob::Watchdog)
    }

    fn derive(
        args: &TimingArgs,
        next: &[Next],
        hang: &HangArgs,
        wrapper: &WrapperArgs,
        watchdog: Option<Duration>,
        knob: Knob,
    ) -> Result<Self, ConfigError> {
        let derive = |name, given, derived| {
            option(name, given, || format!("to have it derived from {}", knob.setting()))
                .map(|given| given.unwrap_or(derived))
        };
        let w = watchdog.unwrap_or(NOMINAL_WATCHDOG);
        let derived = Timing::for_watchdog(w);
        let derived = Timing { jitter: args.jitter.unwrap_or(derived.jitter), ..derived };
        if derived.jitter > MAX_JITTER {
            return Err(ConfigError::TooMuchJitter(derived.jitter));
        }
        let otherwise = format!("to have it derived from {}", knob.setting());
        let limits = watchdog.map(|watchdog| (hang.on_hang, watchdog, knob));
        let mut sets = vec![Set::new(&args.set, derived, &otherwise, limits)?];
        for (index, next) in next.iter().enumerate() {
            let set = Set::new(&next.set, sets[0].timing, "to have it as in the first set", limits)
                .map_err(|source| ConfigError::Set { number: index + 2, source: Box::new(source) })?;
            sets.push(set);
        }
        if sets.iter().all(|set| set.ready_only) {
            if wrapper.child_pings == ChildPings::Ignore {
                return Err(ConfigError::NothingWatched);
            }
            // COMMAND's own pings, with no probe beside them.
            sets.push(Set::new(&SetArgs::default(), derived, &otherwise, limits)?);
        }
        let start_timeout = option("start-timeout", args.start_timeout, || match knob {
            Knob::WatchdogSec => "to have TimeoutStartSec= alone decide".to_owned(),
            Knob::Watchdog => "to have it as long as --watchdog".to_owned(),
        })?;
        let report_budget = match hang.report_budget {
            Some(Duration::ZERO) => Duration::ZERO,
            given => derive("report-budget", given, REPORT_BUDGET)?,
        };
        if report_budget.is_zero() && hang.on_hang_exec.is_some() {
            return Err(ConfigError::NoTimeForExec);
        }
        if hang.dry_run && hang.on_hang == OnHang::Withhold {
            return Err(ConfigError::DryWithhold);
        }
        let pressure_limit = match args.pressure {
            Some(PressureLimit::Off) => None,
            Some(PressureLimit::Percent(percent)) => Some(percent),
            None => Some(PRESSURE_LIMIT),
        };
        let stop_signals = signals::stop_signals(&wrapper.stop_signal)?;
        let reload_signal = signals::reload_signal(wrapper.reload_signal.as_deref(), &stop_signals)?;
        Ok(Self {
            sets,
            on_hang: hang.on_hang,
            dry_run: hang.dry_run,
            watchdog,
            start_timeout,
            pressure_limit,
            report_budget,
            reset_after: derive("reset-after", args.reset_after, w.saturating_mul(10).max(SHORTEST_RESET))?,
            child_ready: wrapper.child_ready,
            child_pings: wrapper.child_pings,
            on_hang_exec: hang.on_hang_exec.as_deref().map(command_line::words).transpose()?,
            stop_signals,
            reload_signal,
        })
    }

    /// The longest time from a hang to systemd acting on it; [`None`] where the watchdog is off.
    ///
    /// With trigger, the largest [`Timing::detect_bound`]. With withhold, W after the last ping and [`SYSTEMD_TIMER_SLACK`]; of
    /// several sets, the others go on pinging until a probe of the one that finds it has failed: P + T more.
    pub fn detect_bound(&self) -> Option<Duration> {
        let watchdog = self.watchdog?;
        Some(match self.on_hang {
            OnHang::Trigger => self.longest_row(),
            OnHang::Withhold => {
                watchdog.saturating_add(SYSTEMD_TIMER_SLACK).saturating_add(self.until_known())
            }
        })
    }

    fn until_known(&self) -> Duration {
        let watched = || self.sets.iter().filter(|set| !set.ready_only);
        let longest = watched().map(|set| set.timing.interval.saturating_add(set.timing.timeout)).max();
        longest.filter(|_| watched().count() > 1).unwrap_or_default()
    }

    /// The timing of the set that finds a hang last, of those that are watched.
    pub fn slowest(&self) -> Timing {
        let watched = self.sets.iter().filter(|set| !set.ready_only).map(|set| set.timing);
        watched.max_by_key(Timing::detect_bound).unwrap_or(self.sets[0].timing)
    }

    /// Its [`Timing::detect_bound`].
    pub fn longest_row(&self) -> Duration {
        self.slowest().detect_bound()
    }

    /// What is to be said where `given`, the hang report's budget, is more than W leaves. It may still be used: a
    /// service that fails at once is found to hang sooner.
    pub fn report_warning(&self, given: Option<Duration>) -> Option<String> {
        let (given, watchdog) = (given?, self.watchdog?);
        let left = timing::until_last_call(watchdog).saturating_sub(self.longest_row());
        (given > left).then(|| {
            format!(
                "--report-budget is {}, but a WatchdogSec of {} leaves {} for the report where it takes longest to find \
                 a hang: the report is cut short there; raise WatchdogSec=, or lower --failures, --timeout or --interval",
                Span(given),
                Span(watchdog),
                Span(left)
            )
        })
    }
}

fn count(name: &'static str, given: Option<u32>, derived: u32) -> Result<u32, ConfigError> {
    match given.unwrap_or(derived) {
        0 => Err(ConfigError::NoCount { option: name, default: derived }),
        value => Ok(value),
    }
}

/// `otherwise` is what comes of leaving it out.
fn option(
    name: &'static str,
    given: Option<Duration>,
    otherwise: impl FnOnce() -> String,
) -> Result<Option<Duration>, ConfigError> {
    match given {
        Some(value) if value < SHORTEST_OPTION => {
            Err(ConfigError::TooShort { option: name, value, otherwise: otherwise() })
        }
        Some(value) if value > LONGEST_OPTION => Err(ConfigError::TooLong { option: name, value }),
        given => Ok(given),
    }
}

/// A trigger that comes after systemd's own timer is none; and pings farther apart than W kill a healthy service.
fn check(timing: Timing, on_hang: OnHang, watchdog: Duration, knob: Knob) -> Result<(), ConfigError> {
    if watchdog < SHORTEST_WATCHDOG {
        return Err(ConfigError::WatchdogTooShort { watchdog, knob });
    }
    if knob == Knob::Watchdog && watchdog > LONGEST_OPTION {
        return Err(ConfigError::TooLong { option: "watchdog", value: watchdog });
    }
    match on_hang {
        OnHang::Trigger if timing.longest_gap() >= watchdog.into() => {
            Err(ConfigError::TriggerTooLate { timing, watchdog, knob })
        }
        OnHang::Withhold if timing.gap_of_one_failure() >= watchdog.into() => {
            Err(ConfigError::PingTooLate { timing, watchdog })
        }
        OnHang::Trigger | OnHang::Withhold => Ok(()),
    }
}

#[cfg(test)]
mod tests;
