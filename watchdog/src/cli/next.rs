//! `--next`: further sets of probes, each with options of its own, as curl has it for further requests.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Args, Command, CommandFactory, FromArgMatches};

use super::{Cli, ProbeArgs, SetArgs, Sub};

/// What cuts the command line.
pub const NEXT: &str = "--next";

/// A further set: what stands behind one `--next`.
#[derive(Debug, Clone, Default, Args)]
pub struct Next {
    /// What to probe
    #[command(flatten)]
    pub probes: ProbeArgs,
    /// When
    #[command(flatten)]
    pub set: SetArgs,
}

/// All of a command line.
#[derive(Debug, Clone)]
pub struct Line {
    /// What stands before the first `--next`, and COMMAND.
    pub cli: Cli,
    /// The same, as clap has it.
    pub matches: ArgMatches,
    /// Behind each.
    pub next: Vec<Next>,
    /// The same, as clap has it.
    pub next_matches: Vec<ArgMatches>,
}

impl Line {
    /// Takes the words apart; the first is the program's name.
    ///
    /// Values never begin with a dash unless they are glued on (`--body=-x`), so a word `--next` is not one.
    pub fn try_parse_from(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<OsString> = words.into_iter().collect();
        let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
        let (options, command) = words.split_at(end);
        let mut parts = options.split(|word| word == NEXT);
        let first = parts.next().unwrap_or_default().iter().chain(command);
        let matches = Cli::command().try_get_matches_from(first)?;
        let cli = Cli::from_arg_matches(&matches)?;
        let (mut next, mut next_matches) = (Vec::new(), Vec::new());
        for part in parts {
            let matches = of_set().try_get_matches_from(part).map_err(|error| refusal(error, &cli))?;
            refuse_without_effect(&matches, &cli)?;
            next.push(Next::from_arg_matches(&matches)?);
            next_matches.push(matches);
        }
        Ok(Self { cli, matches, next, next_matches })
    }
}

/// The options of a further set.
pub fn of_set() -> Command {
    let command =
        Command::new("sd-watchdog").no_binary_name(true).disable_help_flag(true).override_usage(super::USAGE);
    Next::augment_args(command)
}

/// The command that knows the options before `--next`.
fn before(cli: &Cli) -> Command {
    let program = Cli::command();
    let name = match &cli.subcommand {
        Some(Sub::Check(_)) => "check",
        Some(Sub::Guard(_)) => "guard",
        Some(Sub::Unit(_)) => "unit",
        #[cfg(feature = "manual")]
        Some(_) => "man",
        None => return program,
    };
    program.find_subcommand(name).cloned().unwrap_or(program)
}

fn knows(command: &Command, option: &str) -> bool {
    let is_it = |arg: &clap::Arg| arg.get_long().is_some_and(|long| option.strip_prefix("--") == Some(long));
    command.get_arguments().any(is_it)
}

fn unknown(message: String) -> clap::Error {
    Cli::command().error(ErrorKind::UnknownArgument, message)
}

/// An option that is not about probes is named with where it belongs.
fn refusal(error: clap::Error, cli: &Cli) -> clap::Error {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return error };
    if error.kind() == ErrorKind::UnknownArgument
        && (knows(&before(cli), option) || option.starts_with("--help"))
    {
        return unknown(format!(
            "{option} belongs before {NEXT}: it is about the whole, not about one set of probes"
        ));
    }
    error
}

/// What the first set cannot be given, a further one cannot.
fn refuse_without_effect(matches: &ArgMatches, cli: &Cli) -> Result<(), clap::Error> {
    let known = before(cli);
    for arg in of_set().get_arguments() {
        let (id, Some(long)) = (arg.get_id().as_str(), arg.get_long()) else { continue };
        let is_given = matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine);
        if is_given && !knows(&known, &format!("--{long}")) {
            return Err(unknown(format!(
                "--{long} has no effect here, before {NEXT} or after it; leave it out"
            )));
        }
    }
    Ok(())
}
