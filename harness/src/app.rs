//! The program: what its commands do, in order.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

use crate::cli::{Replay, Run};
use crate::error::Error;
use crate::interrupt;
use crate::machine::Machine;
use crate::machine::namespace::NamespaceMachine;
use crate::progress::{self, Progress};
use crate::record::{Recorder, Recording};
use crate::report::{Report, table, write_json};
use crate::result::RunResult;
use crate::run::inputs::{Input, Inputs};
use crate::run::{Options, RunError, evidence, run};
use crate::scenario::Scenario;

const CLASSIC: &str = "classic";

/// Runs every scenario on a machine of its own; whether every verdict is pass.
pub fn run_scenarios(options: &Run) -> Result<bool, Error> {
    let names =
        if options.scenarios.is_empty() { &[CLASSIC.to_owned()] } else { options.scenarios.as_slice() };
    let scenarios = names.iter().map(|name| Scenario::load(name)).collect::<Result<Vec<_>, _>>()?;
    // Opened before anything is measured: an unwritable report must not cost a run.
    let mut recorder = Recorder::default();
    let mut results = Vec::new();
    for report in &options.reports {
        let file = create(report.path())?;
        match report {
            Report::Recording(_) => recorder.add(file),
            Report::Json(path) => results.push((path.clone(), file)),
        }
    }
    let inputs = Inputs::default();
    let interrupted = inputs.sender();
    interrupt::listen(move || drop(interrupted.send(Input::Interrupted))).map_err(Error::Signals)?;

    let mut runs = Vec::new();
    for (index, scenario) in scenarios.iter().enumerate() {
        if index > 0 {
            if inputs.interrupted() {
                return Err(RunError::Interrupted.into());
            }
            anstream::println!();
        }
        runs.push(run_scenario(scenario, options, &inputs, &mut recorder)?);
    }
    for (path, file) in results {
        write_json(file, &runs).map_err(|source| Error::Report { path, source })?;
    }
    Ok(runs.iter().all(RunResult::is_pass))
}

fn run_scenario(
    scenario: &Scenario,
    options: &Run,
    inputs: &Inputs,
    recorder: &mut Recorder,
) -> Result<RunResult, Error> {
    let progress = progress::on_stderr();
    progress.stage("booting systemd");
    let mut machine = NamespaceMachine::boot(&options.root)?;
    let seed = options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let wanted = Options { trials: options.trials, seed };
    let result = run(&machine, scenario, &wanted, inputs, progress.as_ref(), recorder);
    if options.keep_on_failure && !result.as_ref().is_ok_and(RunResult::is_pass) {
        keep(&machine, scenario, progress.as_ref());
    }
    let closed = machine.close();
    progress.done();
    let result = result?;
    print(&result);
    closed?;
    Ok(result)
}

/// Understands a recording; whether every verdict is pass.
pub fn replay(options: &Replay) -> Result<bool, Error> {
    let path = &options.recording;
    let failed = |source| Error::Replay { path: path.clone(), source };
    let file = File::open(path).map_err(|error| failed(error.into()))?;
    let recordings = Recording::read(BufReader::new(file)).map_err(failed)?;
    let runs = recordings.iter().map(RunResult::of).collect::<Vec<_>>();
    for report in &options.reports {
        let path = report.path().to_owned();
        match report {
            Report::Json(_) => {
                write_json(create(&path)?, &runs).map_err(|source| Error::Report { path, source })?;
            }
            Report::Recording(_) => {
                let source = std::io::Error::other("a replay makes no recording; copy the one you have");
                return Err(Error::Report { path, source });
            }
        }
    }
    for (index, run) in runs.iter().enumerate() {
        if index > 0 {
            anstream::println!();
        }
        print(run);
    }
    Ok(runs.iter().all(RunResult::is_pass))
}

fn create(path: &Path) -> Result<File, Error> {
    File::create(path).map_err(|source| Error::Report { path: path.into(), source })
}

fn print(run: &RunResult) {
    let columns =
        terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)).clamp(60, 110);
    // A reader that has gone away (`| head`) is no error of ours.
    let _ = anstream::stdout().write_all(table::render(run, columns).as_bytes());
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
