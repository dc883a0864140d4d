//! The command line, as typed.

use std::ffi::OsString;
use std::time::Duration;

use clap::builder::styling::Styles;
use clap::{ArgAction, Parser};

use crate::config::OnHang;
use crate::probe::http::Target;

/// Make systemd restart a service that hangs, not only one that crashes.
///
/// Runs COMMAND as the service, probes it, and tells systemd: READY=1 when it first answers, WATCHDOG=1 after every
/// healthy probe, WATCHDOG=trigger when it hangs.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "sd-watchdog",
    version,
    override_usage = "sd-watchdog --http URL [OPTIONS] -- COMMAND [ARG]...",
    after_help = AFTER_HELP,
    styles = Styles::plain(),
    max_term_width = 100,
    disable_help_flag = true,
)]
pub struct Cli {
    /// Healthy means: GET URL answers with status 200-399
    #[arg(long, value_name = "URL")]
    pub http: Target,

    /// From the start of one probe to the start of the next [default: W/10]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub interval: Option<Duration>,

    /// A probe that takes longer is unhealthy [default: W/10]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,

    /// Unhealthy probes in a row that make a hang [default: 3]
    #[arg(long, value_name = "N")]
    pub failures: Option<u32>,

    /// From the end of an unhealthy probe to the next probe [default: W/100]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub retry_interval: Option<Duration>,

    /// trigger: tell systemd at once. withhold: only stop pinging, and resume when healthy
    #[arg(long, value_name = "trigger|withhold", default_value = "trigger", hide_possible_values = true)]
    pub on_hang: OnHang,

    /// Log every probe and every message to systemd
    #[arg(long, short)]
    pub verbose: bool,

    /// Print help
    #[arg(long, short, action = ArgAction::HelpShort)]
    help: Option<bool>,

    /// The service and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// At most 80 columns wide: where lines are wrapped is decided here.
const AFTER_HELP: &str = "\
W is the unit's WatchdogSec=. Example:

  [Service]
  Type=notify
  WatchdogSec=5s
  Restart=always
  KillMode=mixed
  ExecStart=/usr/local/bin/sd-watchdog --http http://127.0.0.1:8080/healthz \\
      -- /usr/bin/my-server --port 8080

Exits as COMMAND did: with its code, or by its signal. Otherwise with 2: the
command line or the timing is wrong; 70: the system refused what sd-watchdog
needs; 126: COMMAND cannot be run; 127: COMMAND is not found.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn everything_after_the_dashes_belongs_to_the_command() {
        let cli = Cli::try_parse_from([
            "sd-watchdog",
            "--http",
            "http://127.0.0.1:8080/",
            "--interval",
            "250ms",
            "--",
            "server",
            "--timeout",
            "--",
            "-v",
        ])
        .expect("a good command line");
        assert_eq!(cli.command, ["server", "--timeout", "--", "-v"]);
        assert_eq!(cli.interval, Some(Duration::from_millis(250)));
        assert_eq!((cli.timeout, cli.verbose), (None, false));
    }

    #[test]
    fn help_fits_a_screen() {
        let help = Cli::command().term_width(80).render_help().to_string();
        let lines = help.lines().count();
        assert!(lines <= 44, "{lines} lines:\n{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        assert!(help.contains("sd-watchdog --http http://127.0.0.1:8080/healthz \\\n"));
    }
}
