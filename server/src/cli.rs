//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::control::ControlAddress;
use crate::fault::{Fault, catalogue, names};
use crate::notify::Pings;

/// An HTTP server that hangs at random, or on command
///
/// Without a command it serves. The commands talk to the control endpoint of a server that runs; they exit with 0,
/// with 1 when it refuses, and with 2 when nothing answers.
#[derive(Debug, Parser)]
#[command(name = "buggy_server", version, max_term_width = 100, after_help = after_help())]
pub struct Cli {
    /// What to do, instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub serve: ServeOptions,
    /// Where the control endpoint is.
    #[command(flatten)]
    pub control: ControlOptions,
}

/// How to serve.
#[derive(Debug, Args)]
pub struct ServeOptions {
    /// Where clients connect
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Hang at random, after this long on average [default: only on command]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub mean_time_to_hang: Option<Duration>,
    /// What a random hang is drawn from
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "mute,accept-stall,deadlock,spin"
    )]
    pub faults: Vec<Fault>,
    /// Repeat the random hangs of an earlier run [default: drawn, and logged]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How many worker threads serve, at least 2 [default: one per CPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1024))]
    pub workers: Option<u16>,
    /// Tell systemd READY, STATUS, WATCHDOG and STOPPING: `gated`, the default, pings only after its workers have
    /// answered it; `ungated`, a MISTAKE to be seen, pings from a thread that lives on while the workers hang
    #[arg(long, value_name = "PINGS", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "gated", hide_possible_values = true)]
    pub notify: Option<Pings>,
}

/// Where the control endpoint is, and what it takes to be heard.
#[derive(Debug, Args)]
pub struct ControlOptions {
    /// The control endpoint: ADDRESS:PORT, unix:PATH or unix:@NAME
    #[arg(long, value_name = "ADDR", env = "BUGGY_SERVER_CONTROL", hide_env_values = true, global = true)]
    #[arg(default_value = "127.0.0.1:8081")]
    pub control: ControlAddress,
    /// A file with the token that the control endpoint demands [default: none]
    #[arg(long, value_name = "FILE", global = true)]
    pub control_token_file: Option<PathBuf>,
}

/// What to ask of a server that runs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Inject a fault
    Inject(InjectOptions),
    /// End the active fault, or cancel the one ordered for later
    Heal,
    /// Print how the server is, as JSON
    Status,
}

/// Which fault to inject, how, and when.
#[derive(Debug, Args)]
#[command(after_help = format!("Faults, and parameters as they are by default:\n{}", catalogue::text()))]
pub struct InjectOptions {
    /// The fault's name
    pub fault: String,
    /// What is said of it beyond its name, for example delay=200ms
    #[arg(value_name = "PARAMETER=VALUE", value_parser = parameter)]
    pub parameters: Vec<(String, String)>,
    /// Wait this long before it, for example 500ms
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub after: Option<Duration>,
    /// Heal it by itself after this long
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub lasting: Option<Duration>,
}

impl Cli {
    /// What the command line asks for. If it makes no sense, says why and exits with 2.
    pub fn from_command_line() -> Self {
        let matches = Self::command().get_matches();
        // An option that only a server understands would otherwise be ignored without a word.
        let given = |id: &clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        let stray = ServeOptions::augment_args(clap::Command::new(""))
            .get_arguments()
            .find_map(|arg| given(arg.get_id()).then(|| arg.get_long().unwrap_or_default().to_owned()));
        if let (Some(option), Some(command)) = (stray, matches.subcommand_name()) {
            let message = format!("--{option} is for serving; `{command}` asks a server that runs already");
            Self::command().error(ErrorKind::ArgumentConflict, message).exit();
        }
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

fn positive_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => {
            Err("must be more than 0; leave the option out to hang only on command".to_owned())
        }
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; write for example 60s or 5m")),
    }
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write PARAMETER=VALUE, for example delay=200ms")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn after_help() -> String {
    format!("Faults (`buggy_server inject --help` explains them):\n  {}", names())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn by_default_every_hang_is_drawn_from() {
        assert_eq!(Cli::parse_from(["buggy_server"]).serve.faults, Fault::HANGS);
    }

    #[test]
    fn pings_are_gated_unless_said_otherwise_and_what_follows_is_left_alone() {
        let notify = |arguments: &[&str]| {
            let arguments = ["buggy_server"].iter().chain(arguments);
            Cli::try_parse_from(arguments).map(|cli| (cli.serve.notify, cli.command.is_some()))
        };
        for (arguments, expected) in [
            (&[][..], None),
            (&["--notify"], Some(Pings::Gated)),
            (&["--notify=gated"], Some(Pings::Gated)),
            (&["--notify=ungated"], Some(Pings::Ungated)),
            (&["--notify", "--workers", "2"], Some(Pings::Gated)),
        ] {
            assert_eq!(notify(arguments).ok(), Some((expected, false)), "{arguments:?}");
        }
        for arguments in [&["--notify", "ungated"][..], &["--notify=sometimes"], &["--notify="]] {
            assert!(notify(arguments).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn help_fits_a_screen_of_80_columns_and_50_lines() {
        let help = Cli::command().term_width(80).render_help().to_string();
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        assert!(help.lines().count() <= 50, "{help}");
    }
}
