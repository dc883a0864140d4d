//! The program: what its commands do, in order.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Write};
use std::path::Path;

use crate::cli::{List, Replay, Run};
use crate::error::Error;
use crate::fault::Fault;
use crate::interrupt;
use crate::machine::{self, Machine};
use crate::model::recording::Recording;
use crate::model::result::RunResult;
use crate::model::text::one_line;
use crate::programs::Programs;
use crate::progress::{self, Progress};
use crate::record::Recorder;
use crate::report::{Report, ReportError, Reports, table};
use crate::run::inputs::{Input, Inputs};
use crate::run::{Options, RunError, Setting, evidence, run};
use crate::scenario::{Scenario, builtin};

const CLASSIC: &str = "classic";

/// Runs every scenario on a machine of its own; whether every verdict is pass.
pub fn run_scenarios(options: &Run) -> Result<bool, Error> {
    let names =
        if options.scenarios.is_empty() { &[CLASSIC.to_owned()] } else { options.scenarios.as_slice() };
    let scenarios = Scenario::load_all(names.iter().map(String::as_str))?;
    let mut reports = Reports::open(&options.reports)?;
    let progress = progress::on_stderr();
    // Before there is a machine, and before signals are taken from the user: a build may be interrupted as ever.
    let programs = Programs::of(&scenarios, options.programs.as_deref(), progress.as_ref())?;
    let inputs = Inputs::default();
    let interrupted = inputs.sender();
    interrupt::listen(move || {
        interrupted.send(Input::Interrupted);
    })
    .map_err(Error::Signals)?;

    let mut runs = Vec::new();
    for scenario in &scenarios {
        let mut ended =
            run_scenario(scenario, options, &programs, &inputs, progress.as_ref(), &mut reports.recorder);
        if let Some(result) = ended.result.take() {
            let printed = print(&result, runs.is_empty());
            runs.push(result);
            // After every run: a later one may break.
            reports.write(&runs)?;
            printed?;
        }
        if let Some(error) = ended.error {
            // A program that the terminal interrupted together with us fails in a way of its own.
            return Err(if inputs.interrupted() { RunError::Interrupted.into() } else { error });
        }
    }
    Ok(runs.iter().all(RunResult::is_pass))
}

/// What came of a scenario: what there is to show, and what went wrong.
struct Ended {
    result: Option<RunResult>,
    error: Option<Error>,
}

fn run_scenario(
    scenario: &Scenario,
    options: &Run,
    programs: &Programs,
    inputs: &Inputs,
    progress: &dyn Progress,
    recorder: &mut Recorder,
) -> Ended {
    if inputs.interrupted() {
        return Ended { result: None, error: Some(RunError::Interrupted.into()) };
    }
    let booted = machine::boot(options.machine, &options.root, options.image.as_deref(), progress);
    let mut machine = match booted {
        Ok(machine) => machine,
        Err(error) => {
            progress.done();
            return Ended { result: None, error: Some(error.into()) };
        }
    };
    let seed = options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let wanted = Options { trials: options.trials, seed };
    let setting = Setting { machine: machine.as_ref(), scenario, programs, inputs, progress };
    let ended = run(&setting, &wanted, recorder);
    let passed = ended.error.is_none() && ended.result.as_ref().is_some_and(RunResult::is_pass);
    if options.keep_on_failure && !passed {
        keep(machine.as_ref(), scenario, progress);
    }
    let closed = machine.close();
    progress.done();
    let error = match (ended.error, closed) {
        (Some(error), Err(left)) => {
            anstream::eprintln!("hangproof: {left}");
            Some(error.into())
        }
        (Some(error), Ok(())) => Some(error.into()),
        (None, closed) => closed.err().map(Error::from),
    };
    Ended { result: ended.result, error }
}

/// Prints scenarios and their questions; always well.
pub fn list(options: &List) -> Result<bool, Error> {
    let scenarios = if options.scenarios.is_empty() {
        Scenario::load_all(builtin::SCENARIOS.map(|(name, _)| name))?
    } else {
        Scenario::load_all(options.scenarios.iter().map(String::as_str))?
    };
    let questions = scenarios.iter().map(|scenario| {
        let fault = scenario.fault.map_or("no fault", Fault::name);
        (one_line(scenario.name.clone()), format!("{} [{fault}]", one_line(scenario.description.clone())))
    });
    say(&table::list(&questions.collect::<Vec<_>>(), columns()))?;
    Ok(true)
}

/// Understands a recording; whether every verdict is pass.
pub fn replay(options: &Replay) -> Result<bool, Error> {
    let path = &options.recording;
    let failed = |source| Error::Replay { path: path.clone(), source };
    let file = File::open(path).map_err(|error| failed(error.into()))?;
    let recording = Recording::read(BufReader::new(file)).map_err(failed)?;
    let runs = RunResult::all_of(&recording.stories);
    if let Some(report) = options.reports.iter().find(|report| matches!(report, Report::Recording(_))) {
        let source = std::io::Error::other("a replay makes no recording; copy the one you have");
        return Err(ReportError { path: report.path().into(), source }.into());
    }
    Reports::open(&options.reports)?.write(&runs)?;
    for (index, run) in runs.iter().enumerate() {
        print(run, index == 0)?;
    }
    if recording.cut > 0 {
        let trials = if recording.cut == 1 { "trial was" } else { "trials were" };
        anstream::eprintln!("{} {trials} not recorded to the end, and left out", recording.cut);
    }
    Ok(runs.iter().all(RunResult::is_pass))
}

fn print(run: &RunResult, is_first: bool) -> Result<(), Error> {
    let gap = if is_first { "" } else { "\n" };
    say(&format!("{gap}{}", table::render(run, columns())))
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

fn keep(machine: &dyn Machine, scenario: &Scenario, progress: &dyn Progress) {
    progress.stage("keeping the evidence");
    let name = format!("hangproof-{}", scenario.name);
    let kept = evidence::keep(machine, &scenario.service.unit_name(), Path::new("."), &name);
    progress.done();
    match kept {
        Ok(directory) => anstream::eprintln!("The evidence is in {}", directory.display()),
        Err(error) => anstream::eprintln!("The evidence could not be kept: {error}"),
    }
}
