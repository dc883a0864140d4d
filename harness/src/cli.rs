//! The command line, as typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::jobs::Jobs;
use crate::machine::Choice;
use crate::report::Report;

/// Prove that a service recovers from a hang: boot a real systemd, hang the service, time the recovery.
///
/// Without a command, runs the scenario "classic".
#[derive(Debug, Parser)]
#[command(name = "hangproof", version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    /// What to do; `run` unless given.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of `run`.
    #[command(flatten)]
    pub run: Run,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Boot a machine, make the trials of each scenario, and judge them
    Run(Run),
    /// Timelines, verdicts and reports from a recording, without a machine
    Replay(Replay),
    /// The built-in scenarios, or those of files and folders, each with its question
    List(List),
    /// What this host can run, and what to do about what it cannot
    Doctor,
}

/// The options of `run`.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Scenario files, folders of them, or built-in scenarios by name [default: classic]
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<String>,

    /// How many trials to make of each scenario
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub trials: u32,

    /// On how many machines at once; auto: as many as this host carries
    #[arg(long, value_name = "N", default_value = "1")]
    pub jobs: Jobs,

    /// The seed of the first trial; the next ones count on from it [default: drawn]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Where to boot; auto: in namespaces of this host, else in a container
    #[arg(long, value_name = "BACKEND", value_enum, default_value_t)]
    pub machine: Choice,

    /// The tree whose /usr is booted in namespaces
    #[arg(long, value_name = "DIR", default_value = "/", conflicts_with = "image")]
    pub root: PathBuf,

    /// The image that containers are made of [default: hangproof:trixie, built if need be]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,

    /// Take the programs of a scenario from here, not from beside hangproof
    #[arg(long, value_name = "DIR")]
    pub programs: Option<PathBuf>,

    /// Keep the evidence here when a verdict is fail
    #[arg(long)]
    pub keep_on_failure: bool,

    /// Write a report, repeatable: .json, .xml (JUnit), .trace.json, .jsonl (recording)
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<Report>,
}

/// The options of `list`.
#[derive(Debug, Clone, Args)]
pub struct List {
    /// Scenario files, folders of them, or built-in scenarios by name [default: the built-in ones]
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<String>,
}

/// The options of `replay`.
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// A recording, as `--report FILE.jsonl` writes it
    #[arg(value_name = "FILE.jsonl")]
    pub recording: PathBuf,

    /// Write a report (repeatable): .json, .xml (JUnit), .trace.json (Perfetto)
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<Report>,
}

const AFTER_HELP: &str = "\
Examples:
  hangproof                      is a hang noticed, and how soon?
  hangproof run deadlock --trials 20 --report r.json --report r.jsonl
  hangproof replay r.jsonl       the same timelines, without a machine

Built-in scenarios: classic, accept-stall, crash, deadlock, spin, start-limit,
undisturbed, withhold

Exits with 0 when every verdict is pass or skip; 1: one is fail; 2: the command
line, a scenario or its unit is wrong; 3: no machine can be booted here; 4: the
machine broke; 130: interrupted.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_fits_a_screen_and_names_every_built_in_scenario() {
        let help = Cli::command().term_width(80).render_help().to_string();
        assert!(help.lines().count() <= 50, "{} lines", help.lines().count());
        for (name, _) in crate::scenario::builtin::SCENARIOS {
            assert!(help.contains(name), "{name} is missing");
        }
    }
}
