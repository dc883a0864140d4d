//! The command line, as typed.

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::error::Error;
use crate::jobs::Jobs;
use crate::machine::Choice;
use crate::model::call::Shard;
use crate::model::claim::Claim;
use crate::model::comparison::Tolerance;
use crate::report::Report;
use crate::scenario::asked::{self, unescaped};
use crate::scenario::{Asked, Assignment, Loader};

/// Prove that a service recovers from a hang: boot a real systemd, hang the service, time the recovery.
///
/// Without a command, runs the scenario "classic".
#[derive(Debug, Parser)]
#[command(name = "hangproof", version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    /// What to do; `run` unless given.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of `run`; `hangproof run -h` has all.
    #[command(flatten)]
    pub run: Run,
}

/// The options of `run` that `hangproof -h` has; `hangproof run -h` has all.
const AT_THE_FRONT: [&str; 6] = ["scenarios", "trials", "jobs", "machine", "keep_on_failure", "reports"];

impl Cli {
    /// The command line with a help that fits a screen.
    pub fn front() -> clap::Command {
        Self::command().mut_args(|option| {
            let is_rare = !AT_THE_FRONT.contains(&option.get_id().as_str());
            option.hide(is_rare)
        })
    }

    /// Reads these words, of which the first is the program's own name.
    fn typed(words: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, clap::Error> {
        let cli = Self::from_arg_matches(&Self::front().try_get_matches_from(words)?)?;
        let run = match &cli.command {
            Some(Command::Run(run)) => run,
            Some(_) => return Ok(cli),
            None => &cli.run,
        };
        match run.question.without_unit() {
            None => Ok(cli),
            Some(option) => {
                let message = format!(
                    "{option} goes with --unit, which asks without a scenario: what a scenario asks is in its file. \
                    Leave {option} out, or give --unit UNIT and no SCENARIO"
                );
                Err(Self::front().error(clap::error::ErrorKind::ArgumentConflict, message))
            }
        }
    }

    /// Reads what was typed. [`Err`]: it is said already what is wrong with it, or what was asked of it, and this is left to do.
    pub fn read() -> Result<Self, Result<ExitCode, Error>> {
        Self::typed(std::env::args_os()).map_err(|error| {
            // A help that nobody gets is an error, as with any other text.
            let told = error.print().and_then(|()| std::io::stdout().flush());
            match told {
                Err(source) if !error.use_stderr() && source.kind() != ErrorKind::BrokenPipe => {
                    Err(Error::Output(source))
                }
                _ => Ok(ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))),
            }
        })
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Boot a machine, make the trials of each scenario, and judge them
    #[command(after_help = "docs/scenario.md tells what a scenario may say, with an example of each key.")]
    Run(Box<Run>),
    /// Timelines, verdicts and reports from a recording, without a machine
    Replay(Replay),
    /// One result of several: of shards, or of what was resumed elsewhere
    Merge(Merge),
    /// Phase by phase, what is slower in the second of two results
    Diff(Diff),
    /// The built-in scenarios, or yours, each with its question
    List(List),
    /// What can be done to a service, or one fault in full
    Faults(Faults),
    /// A page on which a service hangs and comes back, live, and by your own hand
    Demo(Box<Demo>),
    /// What this host can run, and what to do about what it cannot
    Doctor,
}

/// The options of `run`.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Files, folders, or built-in scenarios by name or tag [default: classic]
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<String>,

    /// Assign a directive of each unit, repeatable; of its section Service unless SECTION.DIRECTIVE
    #[arg(long = "set", value_name = "DIRECTIVE=VALUE")]
    pub set: Vec<Assignment>,

    /// How many trials to make of each scenario [default: 1; with --until 1000 at most]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub trials: Option<u32>,

    /// Go on until it is shown or refuted, as "recovered >= 95% within WatchdogSec"
    #[arg(long, value_name = "CLAIM", conflicts_with = "shard")]
    pub until: Option<Claim>,

    /// Make the Ith of N parts of all cases: 1/2 here, 2/2 elsewhere, and `merge` what came of them
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,

    /// Take over what an interrupted run has recorded, make what is missing, and record it there (a
    /// folder: the only .jsonl in it)
    #[arg(long, value_name = "FILE.jsonl")]
    pub resume: Option<PathBuf>,

    /// On how many machines at once, over all scenarios; auto: as many as this host carries
    #[arg(long, value_name = "N", default_value = "1")]
    pub jobs: Jobs,

    /// The seed of each first trial; the next ones count on from it [default: each case's own]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
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

    /// Let scenarios name files of this host outside of their own directories
    #[arg(long)]
    pub allow_host_files: bool,

    /// Keep the evidence of what does not pass here, in ./hangproof-SCENARIO
    #[arg(long)]
    pub keep_on_failure: bool,

    /// Write a report, repeatable: .html, .json, .xml (JUnit), .trace.json, .jsonl
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<Report>,

    /// What is asked without a file.
    #[command(flatten)]
    pub question: Question,
}

/// A question without a file.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Without a file")]
pub struct Question {
    /// Ask this unit: a file, or the name of one that the tree has
    #[arg(long, value_name = "UNIT", conflicts_with = "scenarios")]
    pub unit: Option<String>,

    /// Where clients ask it: http://ADDRESS:PORT/PATH
    #[arg(long, value_name = "URL", requires = "unit", conflicts_with = "tcp")]
    pub http: Option<String>,

    /// Where clients ask it: ADDRESS:PORT
    #[arg(long, value_name = "ADDRESS", requires = "answer")]
    pub tcp: Option<String>,

    /// What they send there (\r, \n, \t, \0 and \\ are what they are)
    #[arg(long, value_name = "TEXT", requires = "tcp")]
    pub send: Option<String>,

    /// What a good answer contains
    #[arg(long, value_name = "TEXT", requires = "tcp")]
    pub answer: Option<String>,

    /// What is done to it, a fault [default: nothing]
    #[arg(long, value_name = "FAULT", requires = "unit")]
    pub fault: Option<String>,

    /// How that is to end: restarted, undisturbed, failed [default: restarted; where nothing is done, undisturbed]
    #[arg(long, value_name = "OUTCOME", requires = "unit")]
    pub expect: Option<String>,

    /// How long after the fault it may be back, at most [default: as the unit's timers allow]
    #[arg(long, value_name = "SPAN", requires = "fault")]
    pub within: Option<String>,
}

impl Question {
    /// An option that says something of no question, since there is no unit. (clap waives what an option requires where that is in
    /// conflict with what was given, as `--unit` is with scenarios.)
    fn without_unit(&self) -> Option<&'static str> {
        let Self { unit, http, tcp, send, answer, fault, expect, within } = self;
        let given = [
            (http, "--http"),
            (tcp, "--tcp"),
            (send, "--send"),
            (answer, "--answer"),
            (fault, "--fault"),
            (expect, "--expect"),
            (within, "--within"),
        ];
        given.into_iter().find(|(value, _)| unit.is_none() && value.is_some()).map(|(_, option)| option)
    }

    /// The question, where one is asked.
    pub fn asked(&self) -> Option<Asked> {
        let Self { unit, http, tcp, send, answer, fault, expect, within } = self.clone();
        let [send, answer] = [send, answer].map(|text| text.as_deref().map(unescaped));
        let place = asked::Place { http, tcp, send, answer, ..asked::Place::default() };
        let fault = fault.map(|name| asked::Fault { name, ..asked::Fault::default() });
        let expect = asked::Expect { outcome: expect, within, ..asked::Expect::default() };
        Some(Asked { unit: unit?, place, faults: fault.into_iter().collect(), expect, ..Asked::default() })
    }
}

/// How many trials are made of a scenario at most until a claim is decided.
const MOST_TRIALS: u32 = 1000;

impl Run {
    /// How many trials to make of each scenario, at most.
    pub fn trials(&self) -> u32 {
        self.trials.unwrap_or(if self.until.is_some() { MOST_TRIALS } else { 1 })
    }

    /// How its scenarios are read.
    pub fn loader(&self) -> Loader {
        Loader { host_files: self.allow_host_files, tree: self.root.clone(), set: self.set.clone() }
    }
}

/// The options of `merge`.
#[derive(Debug, Clone, Args)]
pub struct Merge {
    /// Reports (.json), or recordings (.jsonl)
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Write a report (repeatable): .json; of recordings .html, .xml, .trace.json, .jsonl too
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<Report>,
}

/// The options of `diff`.
#[derive(Debug, Clone, Args)]
pub struct Diff {
    /// A report (.json) or recording (.jsonl) of before
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,

    /// One of the same scenarios on the same host, after
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,

    /// What may differ: a part of the median before (and 10 ms at least), or a time (50ms)
    #[arg(long, value_name = "PART|TIME", default_value = "10%")]
    pub tolerance: Tolerance,
}

/// The options of `list`.
#[derive(Debug, Clone, Args)]
pub struct List {
    /// Files, folders, or built-in scenarios by name or tag [default: the built-in ones]
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<String>,

    /// Let scenarios name files of this host outside of their own directories
    #[arg(long)]
    pub allow_host_files: bool,
}

/// The options of `faults`.
#[derive(Debug, Clone, Args)]
pub struct Faults {
    /// Only this one, in full
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// The options of `replay`.
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// A recording, as `--report FILE.jsonl` writes it
    #[arg(value_name = "FILE.jsonl")]
    pub recording: PathBuf,

    /// Write a report (repeatable): .html, .json, .xml (JUnit), .trace.json (Perfetto)
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<Report>,
}

/// The options of `demo`.
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// Where the page is served
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,

    /// Where to boot; auto: in namespaces of this host, else in a container
    #[arg(long, value_name = "BACKEND", value_enum, default_value_t)]
    pub machine: Choice,

    /// The tree whose /usr is booted in namespaces
    #[arg(long, value_name = "DIR", default_value = "/", conflicts_with = "image")]
    pub root: PathBuf,

    /// The image that a container is made of [default: hangproof:trixie, built if need be]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,

    /// Take buggy_server and sd-watchdog from here, not from beside hangproof
    #[arg(long, value_name = "DIR")]
    pub programs: Option<PathBuf>,

    /// The seed of what hangs by itself
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Nothing hangs by itself
    #[arg(long)]
    pub calm: bool,

    /// Boot nothing: play with the buggy_server of the container that this is in
    #[arg(long, conflicts_with_all = ["machine", "root", "image", "programs"])]
    pub here: bool,
}

const AFTER_HELP: &str = "\
Examples:
  hangproof                      is a hang noticed, and how soon?
  hangproof run deadlock --trials 20 --report r.json --report r.jsonl
  hangproof replay r.jsonl       the same timelines, without a machine
  hangproof diff before.json after.json
  hangproof run --unit my.service --http http://127.0.0.1:8080/ --fault sigstop

`hangproof list` has the built-in scenarios; docs/scenario.md what a file may say.

Exits with 0 when every verdict is pass or skip; 1: one is fail; 2: the command
line, a scenario or its unit is wrong; 3: no machine can be booted here; 4: the
machine broke, or a trial is unsound (it was late itself); 130: interrupted.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::front().debug_assert();
    }

    #[test]
    fn what_is_asked_without_a_file_is_no_part_of_a_question_that_has_one() {
        let options = [
            ("--http", "http://127.0.0.1/"),
            ("--tcp", "127.0.0.1:1"),
            ("--send", "PING"),
            ("--answer", "PONG"),
            ("--fault", "sigstop"),
            ("--expect", "failed"),
            ("--within", "1ms"),
        ];
        for (option, value) in options {
            for before in [&["run", "mute"][..], &["mute"], &["run"], &[]] {
                let words = [&["hangproof"], before, &[option, value]].concat();
                let error = Cli::typed(&words).expect_err(&words.join(" "));
                assert_eq!(error.exit_code(), 2, "{error}");
                let said = error.to_string();
                assert!(said.contains(option) || said.contains("required"), "{words:?}: {said}");
                // What else these need is told first.
                if before.contains(&"mute") && !["--tcp", "--send", "--answer", "--within"].contains(&option)
                {
                    assert!(
                        said.contains("Leave ") && said.contains("give --unit UNIT"),
                        "{words:?}: {said}"
                    );
                }
            }
        }
        let all = options.iter().filter(|(option, _)| *option != "--http");
        let all = all.flat_map(|(option, value)| [*option, *value]).collect::<Vec<_>>();
        let said =
            Cli::typed([&["hangproof", "run", "mute"], all.as_slice()].concat()).expect_err("all of them");
        assert!(said.to_string().contains("Leave --tcp out"), "{said}");
        let asked = Cli::typed([&["hangproof", "run", "--unit", "x.service"], all.as_slice()].concat());
        asked.expect("a question");
        Cli::typed(["hangproof", "run", "mute"]).expect("a scenario");
    }

    #[test]
    fn the_help_fits_a_screen_and_tells_where_scenarios_and_their_format_are() {
        let help = Cli::front().term_width(80).render_help().to_string();
        assert!(help.lines().count() <= 50, "{} lines", help.lines().count());
        for place in ["hangproof list", "docs/scenario.md"] {
            assert!(help.contains(place), "{place} is missing");
        }
    }
}
