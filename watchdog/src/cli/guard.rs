//! `sd-watchdog guard`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{HangArgs, OutsideArgs, ProbeArgs, TimingArgs};

/// `sd-watchdog guard UNIT`
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "sd-watchdog guard UNIT PROBE... [OPTIONS]",
    // There are no pings to withhold and no READY=1 to gate: they are refused with what there is instead.
    mut_arg("on_hang", |arg| arg.hide(true)),
    mut_arg("ready_only", |arg| arg.hide(true)),
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

    /// Who starts UNIT again: systemd or else guard (auto), as its own Restart= says (unit), always, never
    #[arg(
        long,
        value_name = "auto|unit|always|never",
        default_value = "auto",
        hide_possible_values = true,
        help_heading = "Guarding"
    )]
    #[arg(
        long_help = "Who starts UNIT again after a hang. auto: systemd, or else this guard, as with the drop-in of sd-watchdog \
        unit. unit: the same where its own Restart= covers a watchdog's timeout; with another one UNIT is left alone in a \
        hang. always: in spite of its RestartPreventExitStatus= and FailureAction= too. never: it is ended and left to \
        systemd. Other than with never, what nobody would start again is not ended; what would be done is said when UNIT is \
        taken up"
    )]
    pub restart: RestartRule,

    /// End UNIT at most N times per --restart-window; after that only say that it hangs
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Guarding")]
    pub max_restarts: u32,

    /// The time over which --max-restarts counts
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "1h",
        help_heading = "Guarding")]
    pub restart_window: Duration,

    /// While this file exists, UNIT is left alone
    #[arg(long, value_name = "PATH", help_heading = "Guarding")]
    #[arg(
        long_help = "While this file exists, UNIT is left alone. Where its file system does not answer, what it said last \
        holds [default: /run/sd-watchdog/UNIT.maintenance; of a user's unit XDG_RUNTIME_DIR/sd-watchdog/UNIT.maintenance]"
    )]
    pub maintenance_file: Option<PathBuf>,

    /// UNIT is one of systemctl --user
    #[arg(long, conflicts_with = "system", help_heading = "Guarding")]
    #[arg(
        long_help = "UNIT is one of the manager of the user that runs this, as in systemctl --user. Without --user and \
        --system: of the manager that runs this guard, or of the system's"
    )]
    pub user: bool,

    /// UNIT is one of the system's manager, whoever runs this guard
    #[arg(long, help_heading = "Guarding", hide_short_help = true)]
    pub system: bool,

    #[command(flatten)]
    pub outside: OutsideArgs,
}

/// Whether a unit that hung is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RestartRule {
    /// By systemd where it does so by itself, and else by this guard.
    Auto,
    /// The same, if its own Restart= covers a watchdog's timeout.
    Unit,
    /// Whatever its settings say.
    Always,
    /// Left to systemd alone: it is ended and not started by us.
    Never,
}
