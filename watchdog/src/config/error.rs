//! Why a configuration cannot work, and what to do about it.

use std::time::Duration;

use super::{MAX_JITTER, SHORTEST_OPTION, SHORTEST_WATCHDOG};
use crate::hang::timing::Timing;
use crate::words::command_line::CommandLineError;
use crate::words::error::Error;
use crate::words::span::Span;

/// What W is set by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knob {
    /// `WatchdogSec=` of the unit that is wrapped.
    WatchdogSec,
    /// `--watchdog` of `guard`.
    Watchdog,
}

impl Knob {
    fn name(self) -> &'static str {
        match self {
            Self::WatchdogSec => "WatchdogSec",
            Self::Watchdog => "--watchdog",
        }
    }

    /// As it is written where it is set.
    pub(super) fn setting(self) -> &'static str {
        match self {
            Self::WatchdogSec => "WatchdogSec=",
            Self::Watchdog => "--watchdog",
        }
    }
}

/// A timing that cannot work. The message spells out the sum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum ConfigError {
    #[error("--{option} is {}: give it at least {}us, or leave it out {otherwise}", Span(*value), SHORTEST_OPTION.as_micros())]
    TooShort { option: &'static str, value: Duration, otherwise: String },
    #[error("--{option} is 0: give it at least 1, or leave it out for {default}")]
    NoCount { option: &'static str, default: u32 },
    #[error("--{option} is {}: more than a year; did you mean a shorter unit?", Span(*value))]
    TooLong { option: &'static str, value: Duration },
    #[error("{} is {}, too short to probe within: set it to {} or more", knob.name(), Span(*watchdog), Span(SHORTEST_WATCHDOG))]
    WatchdogTooShort { watchdog: Duration, knob: Knob },
    #[error("{}, but {} is {}: lower --failures, --timeout or --interval, or raise {}",
        trigger_sum(timing), knob.name(), Span(*watchdog), knob.setting())]
    TriggerTooLate { timing: Timing, watchdog: Duration, knob: Knob },
    #[error("interval {} + {} × timeout {} + {} × retry-interval {} = {}, so one failed probe would be a hang with a \
        WatchdogSec of {}: lower --interval, --timeout or --retry-interval, or raise WatchdogSec=",
        Span(timing.interval), u64::from(timing.rise) + 1, Span(timing.timeout), timing.rise, Span(timing.retry_interval),
        timing.gap_of_one_failure(), Span(*watchdog))]
    PingTooLate { timing: Timing, watchdog: Duration },
    #[error("--{option} {name:?} is not a signal; write it as USR1 or SIGUSR1, as RTMIN+3, or as a number")]
    Signal { option: &'static str, name: String },
    #[error("--{option} {name:?}: no process gets to see that signal; give the one that the unit sends")]
    Uncatchable { option: &'static str, name: String },
    #[error(
        "--{option} {name:?}: it says that a process has ended, and is not passed on; name another signal"
    )]
    NotPassedOn { option: &'static str, name: String },
    #[error(
        "--reload-signal {name:?} is a stop signal (SIGTERM is, and what --stop-signal names): give another one, or none"
    )]
    ReloadStops { name: String },
    #[error(
        "--reload-signal {name:?}: systemd's watchdog ends services by it (WatchdogSignal=); name another, or none"
    )]
    ReloadByAbort { name: String },
    #[error(
        "--on-hang-exec adds to the hang report, and with --report-budget 0s there is none: give it time, or leave it out"
    )]
    NoTimeForExec,
    #[error(
        "--on-hang withhold stops pinging, and --dry-run goes on whatever the probes find: leave out one of them"
    )]
    DryWithhold,
    #[error("--on-hang-exec: {0}")]
    OnHangExec(#[from] CommandLineError),
    #[error("set {number}, behind --next: {source}")]
    Set { number: usize, source: Box<ConfigError> },
    #[error(
        "all probes are --ready-only, so nothing is watched after READY=1: leave it out of one set, or add a set behind --next"
    )]
    NothingWatched,
    #[error("--{option} says what makes a hang, and --ready-only probes never do: leave out one of them")]
    NeverAHang { option: &'static str },
    #[error("--jitter is {0}: at most {MAX_JITTER} percent")]
    TooMuchJitter(u8),
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::usage(&error)
    }
}

/// `interval 500 ms + 3 × timeout 2 s + 2 × retry-interval 50 ms = 6.6 s`
fn trigger_sum(timing: &Timing) -> String {
    let Timing { interval, timeout, failures, retry_interval, .. } = timing;
    let retries = match failures - 1 {
        0 => String::new(),
        retries => format!(" + {retries} × retry-interval {}", Span(*retry_interval)),
    };
    let rising = match timing.probes_to_rise() {
        0 => String::new(),
        more => format!(" + {more} × (timeout + retry-interval) to rise"),
    };
    format!(
        "interval {} + {failures} × timeout {}{retries}{rising} = {}",
        Span(*interval),
        Span(*timeout),
        timing.longest_gap()
    )
}
