//! Options that say when to probe, and what makes a hang.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;

/// When to probe one set of probes, and what makes a hang. Checked by [`config`](crate::config).
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Timing")]
pub struct SetArgs {
    /// From one probe's start to the next's [W/10]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    #[arg(long_help = "From the start of one probe to the start of the next [default: W/10]")]
    pub interval: Option<Duration>,

    /// A probe that takes longer is unhealthy [W/10]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    #[arg(
        long_help = "A probe that takes longer is unhealthy: connection and answer together; names are looked up beside it \
        [default: W/10]"
    )]
    pub timeout: Option<Duration>,

    /// Unhealthy probes in a row that make a hang
    #[arg(long, value_name = "N")]
    #[arg(help = "Unhealthy probes in a row that make a hang [3]")]
    #[arg(
        long_help = "Unhealthy probes in a row that make a hang, if the row has lasted as long as --retry-interval says \
        [default: 3]"
    )]
    pub failures: Option<u32>,

    /// Healthy probes in a row that end a row of unhealthy ones [default: 1]
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub rise: Option<u32>,

    /// From an unhealthy probe's end to the next probe [W/100]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, hide_short_help = true)]
    #[arg(
        long_help = "From the end of an unhealthy probe to the next probe [default: W/100]. However fast probes fail, \
        it takes (N - 1) timeouts and (N - 2) retry-intervals (N: --failures) until failures count as a hang: a listener \
        that is closed for a moment, as in a reload, is soon asked again, and not restarted"
    )]
    pub retry_interval: Option<Duration>,

    /// These probes gate READY=1 only; never a hang
    #[arg(long)]
    #[arg(
        long_help = "These probes only gate READY=1, and that of a reload: they must be healthy before it is said. After it they are \
        not asked, and they never make a hang. At least one other set must watch. Not with guard"
    )]
    pub ready_only: bool,
}

/// When to probe, and what makes a hang. Checked by [`config`](crate::config).
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Timing")]
pub struct TimingArgs {
    /// Of the first set
    #[command(flatten)]
    pub set: SetArgs,

    /// Shorten each interval at random by up to this much, so that services do not probe in step [default: 5]
    #[arg(long, value_name = "PERCENT", hide_short_help = true)]
    pub jitter: Option<u8>,

    /// A start may take this long, if it makes progress
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    #[arg(long_help = "How long a start may take. Until then systemd's TimeoutStartSec= is extended \
        (EXTEND_TIMEOUT_USEC), 15s at a time, while the start makes progress, that is, uses CPU or reads and writes: \
        one that hangs ends with TimeoutStartSec=, or 15s after its last progress. Afterwards, \
        what still is not healthy counts as hung [default: TimeoutStartSec= alone decides]. A reload may leave the service \
        without an answer for as long [default there: TimeoutStartSec=, or 90s where that is infinity or systemd cannot be \
        asked]. With guard: how long after \
        its start or a reload UNIT need not be healthy; a start that never is, is said so and left alone [default there: W]")]
    pub start_timeout: Option<Duration>,

    /// Count only the time in which the service could run, from this PERCENT of waiting on; or off [default: 10]
    #[arg(long, value_name = "PERCENT|off", hide_short_help = true)]
    #[arg(
        long_help = "Starved is not hung. Where others keep the unit from running, deadlines count only the time in which \
        it was able to: from PERCENT of the time on in which all its processes that wanted to run waited for CPU, memory \
        or I/O (PSI, full). A question then stands for as long as a whole row of probes, and is asked less often. Under \
        pressure a hang is found within (W/2 + a row of failures) / (1 - the share of waiting): 4.1 s / (1 - share) with \
        W = 5 s [default: 10]"
    )]
    pub pressure: Option<PressureLimit>,

    /// Say RESTART_RESET=1 after this long without a failure [default: 10 W, at least 1min]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, hide_short_help = true)]
    #[arg(
        long_help = "Say RESTART_RESET=1 after this long without a failure, so that RestartSteps= begins anew \
        (systemd 258 and later). Not with guard [default: 10 W, at least 1min]"
    )]
    pub reset_after: Option<Duration>,
}

/// When a unit counts as starved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PressureLimit {
    /// Never.
    Off,
    /// Above this share of the time, 1 to 100.
    Percent(u8),
}

impl FromStr for PressureLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim_end_matches('%').parse() {
            Ok(percent @ 1..=100) => Ok(Self::Percent(percent)),
            _ if text == "off" => Ok(Self::Off),
            _ => Err("give a percentage from 1 to 100, or off".to_owned()),
        }
    }
}
