//! The command line, as typed. What follows from it is decided elsewhere: [`config`](crate::config).
//!
//! `--help` fits a screen and has what most units need; `--help-all` has every option, with examples.

use std::ffi::OsString;
use std::time::Duration;

use clap::builder::styling::Styles;
use clap::{ArgAction, Args, Parser, Subcommand};

mod guard;
mod hang;
mod next;
mod probes;
pub mod texts;
mod timing;
mod unit;
mod wrapper;

pub use self::guard::{GuardArgs, RestartRule};
pub use self::hang::{HangArgs, OnHang};
pub use self::next::{Line, NEXT, Next, of_set};
pub use self::probes::ProbeArgs;
pub use self::timing::{PressureLimit, SetArgs, TimingArgs};
pub use self::unit::UnitArgs;
pub use self::wrapper::{ChildPings, ChildReady, WrapperArgs};

/// Make systemd restart a service that hangs, not only one that crashes.
///
/// Runs COMMAND as the service, probes it, and tells systemd: READY=1 when it first answers, WATCHDOG=1 after every
/// healthy probe, WATCHDOG=trigger when it hangs.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "sd-watchdog",
    version,
    propagate_version = true,
    override_usage = USAGE,
    after_help = AFTER_HELP,
    after_long_help = texts::WRAP.long_help(),
    styles = Styles::plain(),
    max_term_width = 100,
    disable_help_flag = true,
    disable_help_subcommand = true,
    disable_version_flag = true,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    subcommand_help_heading = "Other ways to use it",
)]
pub struct Cli {
    /// Another way to use it
    #[command(subcommand)]
    pub subcommand: Option<Sub>,

    /// Wrap COMMAND
    #[command(flatten)]
    pub wrap: WrapArgs,

    /// Print this help
    #[arg(long, short, global = true, help_heading = GENERAL, action = ArgAction::HelpShort)]
    help: Option<bool>,

    /// Print every option, and more examples
    #[arg(long, global = true, help_heading = GENERAL, action = ArgAction::HelpLong)]
    help_all: Option<bool>,

    /// Print the version
    #[arg(long, short = 'V', global = true, hide_short_help = true, help_heading = GENERAL, action = ArgAction::Version)]
    version: Option<bool>,
}

impl Cli {
    /// Whether every probe and message is logged.
    pub fn is_verbose(&self) -> bool {
        match &self.subcommand {
            None => self.wrap.outside.verbose,
            Some(Sub::Guard(args)) => args.outside.verbose,
            // There it is an option of the unit that is printed.
            Some(_) => false,
        }
    }
}

/// `sd-watchdog [OPTIONS] -- COMMAND`
#[derive(Debug, Clone, Args)]
#[expect(missing_docs, reason = "the types say it, and their documentation is that of the options")]
pub struct WrapArgs {
    #[command(flatten)]
    pub probes: ProbeArgs,
    #[command(flatten)]
    pub timing: TimingArgs,
    #[command(flatten)]
    pub hang: HangArgs,
    #[command(flatten)]
    pub wrapper: WrapperArgs,
    #[command(flatten)]
    pub outside: OutsideArgs,

    /// The service and its arguments, after `--`
    #[arg(
        last = true,
        required = true,
        value_name = "COMMAND",
        hide_short_help = true,
        help_heading = "Arguments"
    )]
    pub command: Vec<OsString>,
}

/// How `sd-watchdog` is seen from outside.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Seen from outside")]
pub struct OutsideArgs {
    /// Serve figures for Prometheus at http://ADDR/metrics, like 127.0.0.1:9101
    #[arg(long, value_name = "ADDR", hide_short_help = true)]
    pub metrics: Option<std::net::SocketAddr>,

    /// Write them to PATH, for node_exporter's textfile collector; only while running
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    pub metrics_file: Option<std::path::PathBuf>,

    /// Log every probe and every message to systemd
    #[arg(long, short, help_heading = GENERAL)]
    pub verbose: bool,
}

/// The heading of what is neither about probes nor about timing.
const GENERAL: &str = "General";

/// Other ways to use it.
#[derive(Debug, Clone, Subcommand)]
pub enum Sub {
    /// Probe once: exit 0 if healthy, 1 if not; Docker's HEALTHCHECK
    Check(Box<CheckArgs>),
    /// Guard UNIT from beside, where it cannot be wrapped
    Guard(Box<GuardArgs>),
    /// Print a unit, or a drop-in, for the options given
    Unit(Box<UnitArgs>),
    /// Print the completions of a shell
    #[cfg(feature = "manual")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into DIRECTORY
    #[cfg(feature = "manual")]
    Man {
        /// Made if it is not there
        directory: std::path::PathBuf,
    },
}

/// How long a single probe may take, unless given.
pub const CHECK_TIMEOUT: &str = "5s";

/// `sd-watchdog check`
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "sd-watchdog check PROBE... [--timeout TIME] [--quiet | --json]",
    after_long_help = texts::CHECK.long_help()
)]
pub struct CheckArgs {
    /// What to probe
    #[command(flatten)]
    pub probes: ProbeArgs,

    /// What takes longer is unhealthy
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration,
        default_value = CHECK_TIMEOUT, help_heading = GENERAL)]
    pub timeout: Duration,

    /// Print nothing
    #[arg(long, short, conflicts_with = "json", help_heading = GENERAL)]
    pub quiet: bool,

    /// Print one object, with the outcome of each probe
    #[arg(long, help_heading = GENERAL)]
    #[arg(
        long_help = "Print one object, with the outcome of each probe: outcome (healthy, unhealthy, cannot_probe), cause and \
        reason where it is not healthy, took_usec, and probes, an array of objects with set (its number), probe and the same. Each probe runs to its \
        end, also where another has failed"
    )]
    pub json: bool,
}

const USAGE: &str = "sd-watchdog PROBE... [OPTIONS] -- COMMAND [ARG]...
       sd-watchdog check PROBE...
       sd-watchdog guard UNIT PROBE... [OPTIONS]
       sd-watchdog unit [--drop-in UNIT] PROBE... [OPTIONS] [-- COMMAND]";

/// At most 80 columns wide: where lines are wrapped is decided here.
const AFTER_HELP: &str = "\
W is the unit's WatchdogSec=; what stands in [] is the default. Example:

  [Service]
  Type=notify
  WatchdogSec=5s
  Restart=always
  ExecStart=/usr/bin/sd-watchdog --http http://127.0.0.1:8080/healthz \\
      -- /usr/bin/my-server --port 8080";

#[cfg(test)]
mod tests;
