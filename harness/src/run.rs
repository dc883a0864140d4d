//! A run: boots a machine, installs the unit, and makes trials one after another.
//!
//! Everything that happens arrives in one channel, and everything that is waited for is a condition on what has
//! arrived, with a deadline. Nothing is computed here that a recording could not give again.

use std::thread::{self, Scope};
use std::time::Duration;

pub use self::error::RunError;

use self::conductor::Conductor;
use self::follower::Follower;
use self::inputs::{Input, Inputs};
use self::install::unit_files;
use self::load::Loading;
use self::observer::{Client, Observer};
use crate::fault::CLIENT;
use crate::machine::Machine;
use crate::model::clock::Usec;
use crate::model::moment::{Because, Moment, Noted, What};
use crate::model::result::RunResult;
use crate::model::settings::Settings;
use crate::model::story::Story;
use crate::plan::Case;
use crate::programs::Programs;
use crate::progress::Progress;
use crate::record::{Sink, WriteError};
use crate::scenario::Scenario;
use crate::scenario::service::Source;

mod conductor;
mod error;
pub mod evidence;
pub mod follower;
pub mod inputs;
pub mod install;
pub mod instrument;
pub mod load;
pub mod observer;
mod room;

/// How long a command in the machine may take that only tells systemd something.
pub const COMMAND: Duration = Duration::from_secs(10);

/// Where a machine's cases come from, and where what came of them goes.
pub trait Cases {
    /// The next to be made.
    fn next(&mut self) -> Option<Case>;

    /// One was made, or skipped.
    fn made(&mut self, story: Story);
}

/// How a run ended: what it has shown, and why it could not go on.
pub struct Ended {
    /// The trials that were made, if there were any.
    pub result: Option<RunResult>,
    /// What ended it early.
    pub error: Option<RunError>,
}

/// What a run is given: everything it needs from outside.
pub struct Setting<'a> {
    /// The machine, which the caller closes.
    pub machine: &'a dyn Machine,
    /// The question.
    pub scenario: &'a Scenario,
    /// The programs that the scenario may name.
    pub programs: &'a Programs,
    /// Where everything arrives that happens.
    pub inputs: &'a Inputs,
    /// Who hears of the progress.
    pub progress: &'a dyn Progress,
}

impl Setting<'_> {
    /// An error by its name: what a machine answers that ends since the user wants to stop is no fault of its own.
    fn named(&self, error: RunError) -> RunError {
        match error {
            RunError::Recording(_) => error,
            _ if self.inputs.interrupted() => RunError::Interrupted,
            _ => error,
        }
    }
}

/// Makes some cases of a scenario, one after another.
pub fn run(setting: &Setting, cases: Vec<Case>, sink: &mut dyn Sink) -> Ended {
    let mut list = List { cases: cases.into_iter(), stories: Vec::new() };
    let error = work(setting, &mut list, sink).err();
    Ended { result: RunResult::of(&list.stories), error }
}

struct List {
    cases: std::vec::IntoIter<Case>,
    stories: Vec<Story>,
}

impl Cases for List {
    fn next(&mut self) -> Option<Case> {
        self.cases.next()
    }

    fn made(&mut self, story: Story) {
        self.stories.push(story);
    }
}

/// Makes cases of a scenario on one machine, while there are any and the service can be started.
///
/// # Errors
/// What ended it early. The cases that were made before are none the worse.
pub fn work(setting: &Setting, cases: &mut dyn Cases, sink: &mut dyn Sink) -> Result<(), RunError> {
    let mut begun = Begun { cases, sink: &mut *sink, last: None, installed: Vec::new(), has_made: false };
    let worked = thread::scope(|scope| make(scope, setting, &mut begun));
    let Begun { last: unbegun, installed, has_made, .. } = begun;
    if worked.is_err() && !has_made {
        // There is no report that would have them.
        for what in &installed {
            if let What::Noted(Noted { note }) = what {
                setting.progress.note(note);
            }
        }
    }
    worked.map_err(|error| {
        let error = setting.named(error);
        if matches!(error, RunError::Interrupted | RunError::Recording(_)) {
            return error;
        }
        // Whatever a dying machine answers, that it died is what matters.
        let error = setting.machine.obituary().map_or(error, RunError::Journal);
        // A recording tells of it, too.
        match unbegun.map_or(Ok(()), |case| broke(setting.machine, sink, case, installed, &error)) {
            Ok(()) => error,
            Err(unwritten) => unwritten.into(),
        }
    })
}

/// A machine's cases and where their moments go, and what is to be told where none of them begins.
struct Begun<'a> {
    cases: &'a mut dyn Cases,
    sink: &'a mut dyn Sink,
    /// The one that was handed out last, and has not begun.
    last: Option<Case>,
    /// What a person should know of how the service was installed, and the unit's files: every machine tells it once.
    installed: Vec<What>,
    has_made: bool,
}

impl Begun<'_> {
    fn next(&mut self) -> Option<Case> {
        self.last = self.cases.next();
        self.last.clone()
    }

    /// The last one begins: from here on it tells what becomes of it.
    fn sink(&mut self) -> &mut dyn Sink {
        self.last = None;
        self.sink
    }

    fn made(&mut self, story: Story) {
        self.has_made = true;
        self.cases.made(story);
    }

    /// There is nothing to try on this machine.
    fn skip(&mut self, machine: &dyn Machine, case: Case, reason: String) -> Result<(), RunError> {
        let installed = self.installed.clone();
        let skipped = skip(Some(machine), self.sink(), case, installed, reason)?;
        self.made(skipped);
        Ok(())
    }
}

fn make<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    setting: &'env Setting<'env>,
    cases: &mut Begun,
) -> Result<(), RunError> {
    let Setting { machine, scenario, inputs, progress, .. } = *setting;
    let Some(mut case) = cases.next() else { return Ok(()) };
    progress.stage(&format!("installing {}", scenario.service.unit_name()));
    let since = Usec::now();
    let network = machine.network();
    let unreachable = observer::unreachable(&network, &scenario.observe);
    if let Some(reason) = install::missing(machine, &scenario.service)?.or(unreachable) {
        return cases.skip(machine, case, reason);
    }
    let (mut settings, notes) = install::install(machine, &scenario.service, setting.programs)?;
    cases.installed = noted(notes).collect();
    cases.installed.push(What::Unit(unit_files::in_force(machine, &settings.unit)?));
    if let Some(reason) = install::unheard(machine, &settings)? {
        return cases.skip(machine, case, reason);
    }
    let ignored = install::ignored(machine, &scenario.service, since)?;
    cases.installed.extend(noted(ignored.into_iter().map(|said| format!("systemd says: {said}"))));
    for fault in scenario.faults.iter().map(|injection| &injection.fault) {
        if let Some(reason) = fault.missing_in(machine)? {
            return cases.skip(machine, case, reason);
        }
        if fault.is_in_process() && !machine.run(&["test", "-x", CLIENT], COMMAND)?.status.success() {
            let said = format!("there is no {CLIENT} in the machine");
            return Err(instrument::not_buggy(fault, said));
        }
    }
    let _journal = Follower::start(machine, &settings, inputs)?;
    let asks = inputs.sender();
    let file = |source: &Source| source.read(setting.programs).map_err(RunError::File);
    let client = Client::new(&scenario.observe, &network, file)?;
    let loading = scenario.load.as_ref().map(|plan| Loading::new(plan, &network, file)).transpose()?;
    let observer = Observer::start(scope, machine, client, scenario.observe.interval, move |ask| {
        asks.send(Input::Ask(ask));
    })?;
    let mut last: Option<Story> = None;
    let mut has_served = false;
    loop {
        let restart = match &last {
            Some(last) => {
                // The trials' own restarts must not add up to the unit's start limit.
                conductor::reset(setting, &settings.unit)?;
                conductor::is_to_be_restarted(setting, last)
            }
            None => false,
        };
        // Every machine tells it once.
        let installed = if last.is_none() { cases.installed.clone() } else { Vec::new() };
        let mut conductor =
            Conductor::begin(setting, &observer, loading.as_ref(), cases.sink(), case, settings.clone())?;
        conductor.installed(installed)?;
        let started =
            if last.is_none() { first_start(&mut conductor, machine, &mut settings) } else { Ok(true) };
        let (is_up, conducted) = match started {
            Ok(true) => (true, conductor.conduct(restart, has_served)),
            Ok(false) => (false, Ok(())),
            Err(error) => (false, Err(error)),
        };
        let story = conductor.end(conducted)?;
        // A guard beside the service has told its settings once.
        settings.guard = story.settings.as_ref().and_then(|settings| settings.guard.clone());
        has_served |= story.witness().was_served();
        cases.made(story.clone());
        last = Some(story);
        // One that is not made here is left to another machine.
        match is_up.then(|| cases.next()).flatten() {
            Some(following) => case = following,
            None => return Ok(()),
        }
    }
}

/// Whether the service starts on this machine. systemd tells more of a unit that has.
fn first_start(
    conductor: &mut Conductor,
    machine: &dyn Machine,
    settings: &mut Settings,
) -> Result<bool, RunError> {
    let started = conductor.start("start")?;
    *settings = install::settings(machine, &settings.unit)?;
    conductor.told(settings.clone())?;
    Ok(started)
}

fn noted(notes: impl IntoIterator<Item = String>) -> impl Iterator<Item = What> {
    notes.into_iter().map(|note| What::Noted(Noted { note }))
}

/// The instrument broke before a case began: that, and what was to be made.
fn broke(
    machine: &dyn Machine,
    sink: &mut dyn Sink,
    Case { id: case, plan }: Case,
    installed: Vec<What>,
    error: &RunError,
) -> Result<(), WriteError> {
    let (at, reason) = (Usec::now(), error.to_string());
    let begin = [What::Planned(Box::new(plan)), What::Booted(machine.description().clone())];
    for what in begin.into_iter().chain(installed).chain([What::Broke(Because { reason })]) {
        sink.take(&Moment { at, case, what })?;
    }
    sink.flush()
}

/// There is nothing to try on a `machine`, or on any that would be booted: the story of a case that is not made.
pub fn skip(
    machine: Option<&dyn Machine>,
    sink: &mut dyn Sink,
    Case { id: case, plan }: Case,
    installed: Vec<What>,
    reason: String,
) -> Result<Story, RunError> {
    let mut story = Story::new(case, plan.clone());
    let at = Usec::now();
    let booted = machine.map(|machine| What::Booted(machine.description().clone()));
    let begin = std::iter::once(What::Planned(Box::new(plan))).chain(booted);
    for what in begin.chain(installed).chain([What::Skipped(Because { reason })]) {
        let moment = Moment { at, case, what };
        sink.take(&moment)?;
        story.take(&moment);
    }
    Ok(story)
}
