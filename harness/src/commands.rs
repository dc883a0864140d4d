//! The commands of the program, each in a file, and how they speak to whoever called them.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::error::Error;
use crate::model::result::RunResult;
use crate::model::text;
use crate::report::table;

mod demo;
mod diff;
mod faults;
mod list;
mod merge;
mod replay;
mod resume;
mod run;

/// Does what was typed.
pub fn execute(cli: &Cli) -> Result<ExitCode, Error> {
    match &cli.command {
        None => run::run(&cli.run).map(ExitCode::from),
        Some(Command::Run(options)) => run::run(options).map(ExitCode::from),
        Some(Command::Replay(options)) => replay::replay(options).map(ExitCode::from),
        Some(Command::Merge(options)) => merge::merge(options).map(ExitCode::from),
        Some(Command::Diff(options)) => diff::diff(options).map(ExitCode::from),
        Some(Command::List(options)) => list::list(options).map(|()| ExitCode::SUCCESS),
        Some(Command::Faults(options)) => faults::faults(options).map(|()| ExitCode::SUCCESS),
        Some(Command::Demo(options)) => demo::demo(options).map(|()| ExitCode::SUCCESS),
        Some(Command::Doctor) => Ok(crate::doctor::examine()),
    }
}

/// Prints a run, with a line between it and an earlier one.
fn print(run: &RunResult, is_first: bool) -> Result<(), Error> {
    let gap = if is_first { "" } else { "\n" };
    say(&format!("{gap}{}", table::render(run, columns())))
}

/// Prints what several runs came to.
fn total(runs: &[RunResult]) -> Result<(), Error> {
    say(&table::total(runs.iter().map(|run| (run.about.scenario.as_str(), run.word())), columns()))
}

fn columns() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)).clamp(60, 110)
}

fn say(text: &str) -> Result<(), Error> {
    let mut stdout = anstream::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // A reader that has gone away (`| head`) is no error of ours.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(()),
    }
}

/// Says on standard error what went wrong, or what is to be known beside the results.
pub fn tell(what: &str) {
    // The exit code says it too.
    let _ = writeln!(anstream::stderr(), "hangproof: {}", text::lines(what.to_owned()));
}
