//! Machines that make the cases of a plan: at most so many at once, over all scenarios.

use std::cell::Cell;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::error::Error;
use crate::machine::{self, Choice, Machine, MachineError};
use crate::model::story::Story;
use crate::model::verdict::Verdict;
use crate::plan::Case;
use crate::programs::Programs;
use crate::progress::{Counted, Progress};
use crate::record::{Recorder, Shared};
use crate::run::evidence::{Kept, Sheet};
use crate::run::inputs::Interrupts;
use crate::run::{Cases, RunError, Setting, evidence, skip, work};
use crate::scenario::Scenario;

mod queue;

use self::queue::{Next, Queue};

/// What every machine is booted with.
pub struct House<'a> {
    /// The scenarios, in the order of the plan.
    pub scenarios: &'a [Scenario],
    /// Where machines are booted.
    pub choice: Choice,
    /// The tree that is booted in namespaces.
    pub root: &'a Path,
    /// The image that containers are made of.
    pub image: Option<&'a str>,
    /// What scenarios may name.
    pub programs: &'a Programs,
    /// What the user says meanwhile.
    pub interrupts: &'a Interrupts,
    /// Who hears of the progress.
    pub progress: &'a dyn Progress,
    /// Whether the evidence of what did not pass is kept.
    pub keep_on_failure: bool,
}

/// What a pool tells of its work.
pub enum News {
    /// Of a scenario a case was made, or skipped.
    Made(usize, Box<Story>),
    /// A machine broke, or a scenario cannot be tried: no further case of it is begun.
    Failed(usize, Error),
    /// Of a scenario all was made that will be.
    Done(usize),
}

/// Cases that are being made.
pub struct Pool<'a> {
    house: &'a House<'a>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl<'a> Pool<'a> {
    /// Of the cases of each scenario of the house, in its order.
    pub fn new(house: &'a House<'a>, cases: Vec<Vec<Case>>, machines: u32) -> Self {
        let mut queue = Queue::default();
        for (scenario, cases) in house.scenarios.iter().zip(cases) {
            queue.add(cases, scenario.alone && machines > 1);
        }
        Self { house, queue: Mutex::new(queue), changed: Condvar::new() }
    }

    /// Makes them all on so many machines at once, and tells of it. What hears of it can [stop](Self::stop) a scenario.
    pub fn work(&self, machines: u32, recorder: &mut Recorder, mut hear: impl FnMut(News)) {
        let recorder = Mutex::new(recorder);
        let counted = Counted(self.house.progress);
        let progress: &dyn Progress = if machines == 1 { self.house.progress } else { &counted };
        let (tell, news): (_, Receiver<News>) = channel();
        thread::scope(|scope| {
            for _ in 0..machines {
                let (tell, recorder) = (tell.clone(), Shared::new(&recorder));
                scope.spawn(move || self.make(recorder, progress, &tell));
            }
            drop(tell);
            news.into_iter().for_each(&mut hear);
        });
    }

    /// No further case of a scenario is begun.
    pub fn stop(&self, scenario: usize) {
        self.queue().stop(scenario);
    }

    /// Nor of any.
    pub fn end(&self) {
        self.queue().end();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for what one more machine is to be booted for.
    fn next(&self) -> Option<usize> {
        let mut queue = self.queue();
        loop {
            match queue.next() {
                Next::Scenario(scenario) => return Some(scenario),
                Next::Nothing => return None,
                Next::Later => {
                    queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Boots one machine after another, for as long as there is something to make.
    fn make(&self, mut recorder: Shared, progress: &dyn Progress, tell: &Sender<News>) {
        while let Some(scenario) = self.next() {
            let _leave = Leave { pool: self, scenario, tell };
            if let Err(error) = self.on_machine(scenario, &mut recorder, progress, tell) {
                let is_stopped = self.house.interrupts.is_set();
                let error = if is_stopped { RunError::Interrupted.into() } else { error };
                let mut queue = self.queue();
                queue.stop(scenario);
                if is_everybodys(&error) {
                    queue.end();
                }
                // Who hears no more has panicked.
                let _ = tell.send(News::Failed(scenario, error));
            }
        }
    }

    /// Boots a machine, makes cases of a scenario on it while there are any, and closes it.
    fn on_machine(
        &self,
        scenario: usize,
        recorder: &mut Shared,
        progress: &dyn Progress,
        tell: &Sender<News>,
    ) -> Result<(), Error> {
        let House { interrupts, programs, .. } = *self.house;
        if interrupts.is_set() {
            return Err(RunError::Interrupted.into());
        }
        if let Some(reason) = self.missing(scenario) {
            let mut cases = Lease { pool: self, scenario, tell, evidence: None };
            if let Some(case) = cases.next() {
                cases.made(skip(None, recorder, case, Vec::new(), reason)?);
            }
            return Ok(());
        }
        let mut machine = machine::boot(self.house.choice, self.house.root, self.house.image, progress)?;
        let inputs = interrupts.inputs();
        let setting = Setting {
            machine: machine.as_ref(),
            scenario: &self.house.scenarios[scenario],
            programs,
            inputs: &inputs,
            progress,
        };
        let evidence = Evidence {
            machine: machine.as_ref(),
            scenario: &self.house.scenarios[scenario],
            progress,
            moments: Sheet::default(),
            is_wanted: Cell::new(self.house.keep_on_failure),
        };
        let mut cases = Lease { pool: self, scenario, tell, evidence: Some(&evidence) };
        let worked = if self.house.keep_on_failure {
            work(&setting, &mut cases, &mut Kept::beside(recorder, &evidence.moments))
        } else {
            work(&setting, &mut cases, recorder)
        };
        if worked.is_err() && !interrupts.is_set() {
            evidence.keep();
        }
        let closed = machine.close();
        match (worked, closed) {
            (Err(error), Err(left)) => {
                progress.note(&format!("hangproof: {left}"));
                Err(error.into())
            }
            (Err(error), Ok(())) => Err(error.into()),
            (Ok(()), closed) => Ok(closed?),
        }
    }

    /// What a scenario's fault needs, and no machine that is booted here would have.
    fn missing(&self, scenario: usize) -> Option<String> {
        let House { scenarios, choice, root, image, .. } = *self.house;
        let mut faults = scenarios[scenario].faults.iter().map(|injection| &injection.fault);
        faults.find_map(|fault| fault.missing_on_host(choice, root, image.is_some()))
    }
}

/// Whether an error is the host's or the user's, and not one scenario's: then nothing more is begun.
fn is_everybodys(error: &Error) -> bool {
    let is_hosts =
        |error: &MachineError| matches!(error, MachineError::Unavailable { .. } | MachineError::Boot { .. });
    match error {
        Error::Run(RunError::Interrupted | RunError::Recording(_)) => true,
        Error::Machine(error) | Error::Run(RunError::Machine(error)) => is_hosts(error),
        _ => false,
    }
}

/// A machine's place at a scenario.
struct Leave<'a> {
    pool: &'a Pool<'a>,
    scenario: usize,
    tell: &'a Sender<News>,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut queue = self.pool.queue();
        queue.leave(self.scenario);
        if queue.is_done(self.scenario) {
            let _ = self.tell.send(News::Done(self.scenario));
        }
        drop(queue);
        self.pool.changed.notify_all();
    }
}

/// The cases of a scenario, for one machine.
struct Lease<'a> {
    pool: &'a Pool<'a>,
    scenario: usize,
    tell: &'a Sender<News>,
    /// What is to be kept, where there is a machine.
    evidence: Option<&'a Evidence<'a>>,
}

impl Cases for Lease<'_> {
    fn next(&mut self) -> Option<Case> {
        let case = self.pool.queue().next_case(self.scenario)?;
        let House { progress, .. } = *self.pool.house;
        progress.stage(&format!("{} trial {}", case.plan.scenario, case.plan.trial));
        Some(case)
    }

    fn made(&mut self, story: Story) {
        if story.skipped.is_some() {
            // The others would be, for the same reason.
            self.pool.stop(self.scenario);
        }
        if let Some(evidence) = self.evidence {
            match story.verdict() {
                Verdict::Pass { .. } | Verdict::Skip { .. } => evidence.forget(),
                // While it is still as it was.
                Verdict::Fail { .. } | Verdict::Unsound { .. } => evidence.keep(),
            }
        }
        let _ = self.tell.send(News::Made(self.scenario, Box::new(story)));
    }
}

/// What is to be kept of a machine: of the first of its cases that does not pass.
struct Evidence<'a> {
    machine: &'a dyn Machine,
    scenario: &'a Scenario,
    progress: &'a dyn Progress,
    /// Of the case that is being made.
    moments: Sheet,
    is_wanted: Cell<bool>,
}

impl Evidence<'_> {
    /// The case that is over needs none.
    fn forget(&self) {
        drop(self.moments.take());
    }

    fn keep(&self) {
        let moments = self.moments.take();
        if !self.is_wanted.replace(false) {
            return;
        }
        self.progress.stage("keeping the evidence");
        let name = format!("hangproof-{}", self.scenario.name.replace('/', "-"));
        let unit = self.scenario.service.unit_name();
        let kept = evidence::keep(self.machine, &unit, Path::new("."), &name, &moments);
        self.progress.note(&match kept {
            Ok(directory) => {
                let recording = directory.join(evidence::MOMENTS);
                let directory = directory.display();
                format!("The evidence is in {directory}: hangproof replay {}", recording.display())
            }
            Err(error) => format!("The evidence could not be kept: {error}"),
        });
    }
}
