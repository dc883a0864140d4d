//! `sd-watchdog guard`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{HangArgs, OutsideArgs, ProbeArgs, TimingArgs};

/// `sd-watchdog guard UNIT`
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "sd-watchdog guard UNIT PROBE... [OPTIONS]",
    after_long_help = super::texts::GUARD.long_help()
)]
#[expect(missing_docs, reason = "the types say it, and their documentation is that of the options")]
pub struct GuardArgs {
    /// The unit to guard; .service may be left out
    #[arg(value_name = "UNIT")]
    pub unit: String,

    #[command(flatten)]
    pub probes: ProbeArgs,
    #[command(flatten)]
    pub timing: TimingArgs,
    #[command(flatten)]
    pub hang: HangArgs,

    /// W: within what time a hang must be noticed; the timing follows from it as from WatchdogSec=
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30s",
        help_heading = "Guarding")]
    pub watchdog: Duration,

    /// Whether UNIT is started again: as its own Restart= says for a watchdog, always, or never
    #[arg(
        long,
        value_name = "unit|always|never",
        default_value = "unit",
        hide_possible_values = true,
        help_heading = "Guarding"
    )]
    pub restart: RestartRule,

    /// End UNIT at most this often within --restart-window; then only say that it hangs
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Guarding")]
    pub max_restarts: u32,

    /// See --max-restarts
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "1h",
        help_heading = "Guarding")]
    pub restart_window: Duration,

    /// While this file exists, UNIT is left alone
    #[arg(long, value_name = "PATH", help_heading = "Guarding")]
    #[arg(
        long_help = "While this file exists, UNIT is left alone. Where its file system does not answer, what it said last \
        holds [default: /run/sd-watchdog/UNIT.maintenance]"
    )]
    pub maintenance_file: Option<PathBuf>,

    #[command(flatten)]
    pub outside: OutsideArgs,
}

/// Whether a unit that hung is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RestartRule {
    /// As its own Restart= says for a watchdog's timeout.
    Unit,
    /// Whatever it says.
    Always,
    /// Left to systemd alone: it is ended and not started by us.
    Never,
}
