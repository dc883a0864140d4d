//! The program: what its commands do, in order.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Write};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use crate::cli::{List, Replay, Run};
use crate::error::Error;
use crate::fault::Fault;
use crate::interrupt;
use crate::jobs::{Counted, Numbers};
use crate::machine::{self, Machine};
use crate::model::recording::Recording;
use crate::model::result::RunResult;
use crate::model::story::Story;
use crate::model::text::one_line;
use crate::programs::Programs;
use crate::progress::{self, Progress};
use crate::record::{Recorder, Shared, Sink};
use crate::report::{Report, ReportError, Reports, table};
use crate::run::inputs::Interrupts;
use crate::run::{RunError, Setting, Worked, evidence, work};
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
    let interrupts = Interrupts::default();
    let heard = interrupts.clone();
    interrupt::listen(move || heard.interrupt()).map_err(Error::Signals)?;

    let mut runs = Vec::new();
    for scenario in &scenarios {
        let house =
            House { options, programs: &programs, interrupts: &interrupts, progress: progress.as_ref() };
        let mut ended = house.run(scenario, &mut reports.recorder);
        if let Some(result) = ended.result.take() {
            let printed = print(&result, runs.is_empty());
            runs.push(result);
            // After every run: a later one may break.
            reports.write(&runs)?;
            printed?;
        }
        if let Some(error) = ended.error {
            // A program that the terminal interrupted together with us fails in a way of its own.
            return Err(if interrupts.is_set() { RunError::Interrupted.into() } else { error });
        }
    }
    Ok(runs.iter().all(RunResult::is_pass))
}

/// What came of a scenario: what there is to show, and what went wrong.
struct Ended {
    result: Option<RunResult>,
    error: Option<Error>,
}

/// What every scenario of this call is run with.
struct House<'a> {
    options: &'a Run,
    programs: &'a Programs,
    interrupts: &'a Interrupts,
    progress: &'a dyn Progress,
}

impl House<'_> {
    /// Makes the trials of a scenario, on as many machines as `--jobs` says.
    fn run(&self, scenario: &Scenario, recorder: &mut Recorder) -> Ended {
        let trials = self.options.trials;
        let (machines, note) = self.options.jobs.machines(trials);
        if let Some(note) = note {
            self.progress.note(&note);
        }
        let seed = self.options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        let numbers = Numbers::up_to(trials);
        let worked = if machines == 1 {
            vec![self.on_machine(scenario, seed, &numbers, recorder, self.progress)]
        } else {
            let (recorder, counted) = (Mutex::new(recorder), Counted(self.progress));
            let (seed, numbers, counted) = (seed, &numbers, &counted);
            let work = || self.on_machine(scenario, seed, numbers, &mut Shared::new(&recorder), counted);
            thread::scope(|scope| {
                let workers = (0..machines).map(|_| scope.spawn(work)).collect::<Vec<_>>();
                workers
                    .into_iter()
                    .map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
                    .collect()
            })
        };
        self.progress.done();
        let mut stories = Vec::new();
        let mut error = None;
        for (mut made, failed) in worked {
            stories.append(&mut made);
            error = error.or(failed);
        }
        stories.sort_by_key(|story: &Story| story.plan.trial);
        Ended { result: RunResult::of(&stories), error }
    }

    /// Boots a machine, and makes trials on it while there are any.
    fn on_machine(
        &self,
        scenario: &Scenario,
        seed: u64,
        numbers: &Numbers,
        sink: &mut dyn Sink,
        progress: &dyn Progress,
    ) -> (Vec<Story>, Option<Error>) {
        let options = self.options;
        if self.interrupts.is_set() {
            return (Vec::new(), Some(RunError::Interrupted.into()));
        }
        let booted = machine::boot(options.machine, &options.root, options.image.as_deref(), progress);
        let mut machine = match booted {
            Ok(machine) => machine,
            Err(error) => {
                numbers.end();
                return (Vec::new(), Some(error.into()));
            }
        };
        let inputs = self.interrupts.inputs();
        let setting = Setting {
            machine: machine.as_ref(),
            scenario,
            programs: self.programs,
            inputs: &inputs,
            progress,
        };
        let mut next = || {
            let number = numbers.next();
            if let Some(number) = number.filter(|_| options.trials > 1) {
                self.progress.stage(&format!("{} trial {number} of {}", scenario.name, options.trials));
            }
            number
        };
        let Worked { stories, error } = work(&setting, seed, &mut next, sink);
        let passed = error.is_none() && stories.iter().all(|story| story.verdict().is_pass());
        if error.is_some() {
            numbers.end();
        }
        if options.keep_on_failure && !passed {
            keep(machine.as_ref(), scenario, progress);
        }
        let closed = machine.close();
        let error = match (error, closed) {
            (Some(error), Err(left)) => {
                anstream::eprintln!("hangproof: {left}");
                Some(error.into())
            }
            (Some(error), Ok(())) => Some(error.into()),
            (None, closed) => closed.err().map(Error::from),
        };
        (stories, error)
    }
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
    for broke in recording.cut {
        let why = broke.map(|reason| format!(": {}", one_line(reason))).unwrap_or_default();
        anstream::eprintln!("a trial was not recorded to its end, and is left out{why}");
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
