//! Options about what stands between systemd and COMMAND.

use clap::{Args, ValueEnum};

/// What stands between systemd and COMMAND.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Between systemd and COMMAND")]
pub struct WrapperArgs {
    /// Whether to wait for COMMAND's own READY=1, beside a healthy probe
    #[arg(
        long,
        value_name = "auto|require|ignore",
        default_value = "auto",
        hide_possible_values = true,
        hide_default_value = true,
        hide_short_help = true
    )]
    #[arg(
        long_help = "Whether to wait for COMMAND's own READY=1, beside a healthy probe. auto: if it has said \
        anything to systemd before the probe was healthy [default: auto]"
    )]
    pub child_ready: ChildReady,

    /// require: the WATCHDOG=1 of COMMAND's main process is one more probe. ignore: COMMAND is not asked to ping [default: ignore]
    #[arg(
        long,
        value_name = "require|ignore",
        default_value = "ignore",
        hide_possible_values = true,
        hide_default_value = true,
        hide_short_help = true
    )]
    pub child_pings: ChildPings,

    /// A further signal that asks COMMAND to stop (KillSignal=), beside TERM
    #[arg(long, value_name = "SIGNAL", hide_short_help = true)]
    pub stop_signal: Vec<String>,

    /// The signal that asks COMMAND to reload (ReloadSignal=), or none [default: HUP, unless that stops it]
    #[arg(long, value_name = "SIGNAL|none", hide_short_help = true)]
    pub reload_signal: Option<String>,
}

impl Default for WrapperArgs {
    fn default() -> Self {
        Self {
            child_ready: ChildReady::Auto,
            child_pings: ChildPings::Ignore,
            stop_signal: Vec::new(),
            reload_signal: None,
        }
    }
}

/// Whether COMMAND's own READY=1 is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ChildReady {
    /// If COMMAND has said anything to systemd before the first healthy probe.
    Auto,
    /// Always.
    Require,
    /// Never; it is not passed on either.
    Ignore,
}

/// What COMMAND's own WATCHDOG=1 is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ChildPings {
    /// It is asked for (WATCHDOG_USEC) and must come: one more probe.
    Require,
    /// It is not asked for, and dropped if it comes.
    Ignore,
}
