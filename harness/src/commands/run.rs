//! `hangproof run`.

use std::path::Path;
use std::time::{Duration, Instant};

use self::account::Account;
use super::resume::Resumed;
use crate::cli::Run;
use crate::error::Error;
use crate::interrupt;
use crate::model::call::Call;
use crate::plan::{self, Case};
use crate::pool::{House, News, Pool};
use crate::programs::Programs;
use crate::progress;
use crate::report::{Report, Reports};
use crate::run::RunError;
use crate::run::inputs::Interrupts;
use crate::scenario::asked;

mod account;

const CLASSIC: &str = "classic";

/// Makes the cases of all scenarios; the exit code of the verdicts.
pub fn run(options: &Run) -> Result<u8, Error> {
    let names =
        if options.scenarios.is_empty() { &[CLASSIC.to_owned()] } else { options.scenarios.as_slice() };
    let loader = options.loader();
    let scenarios = match options.question.asked() {
        Some(asked) => vec![asked.scenario(&loader, asked::option)?],
        None => loader.load_all(names.iter().map(String::as_str))?,
    };
    let mut reports = Reports::open(&options.reports)?;
    let mut resumed = options
        .resume
        .as_deref()
        .map(|path| Resumed::read(path, |moment| reports.hear(moment)))
        .transpose()?;
    let mut cases = scenarios
        .iter()
        .map(|scenario| Case::all_of(scenario, options.trials(), options.seed))
        .collect::<Vec<_>>();
    if let Some(resumed) = &resumed {
        resumed.check(&cases)?;
        reports.resume(&resumed.path, resumed.kept)?;
    }
    let progress = progress::on_stderr();
    let interrupts = Interrupts::default();
    let heard = interrupts.clone();
    interrupt::listen(move || heard.interrupt()).map_err(Error::Signals)?;
    let programs = Programs::of(&scenarios, options.programs.as_deref(), progress.as_ref());
    let programs = programs.map_err(|error| {
        // What cargo says when it is interrupted is of no use.
        if interrupts.is_set() { RunError::Interrupted.into() } else { Error::from(error) }
    })?;

    let call = call(options, &cases);
    if let Some(shard) = options.shard {
        for cases in &mut cases {
            cases.retain(|case| shard.has(case.id));
        }
    }
    let mut account = Account::of(options.until.as_ref(), &cases);
    if let Some(resumed) = &mut resumed {
        for (scenario, cases) in cases.iter_mut().enumerate() {
            account.take_over(scenario, resumed.take(cases)?);
        }
        account.calls.append(&mut resumed.calls);
    }
    account.calls.push(call.clone());
    reports.recorder.call = Some(call);
    for (scenario, cases) in cases.iter_mut().enumerate() {
        // It may be decided already.
        if account.is_decided(scenario) {
            cases.clear();
        }
    }

    let (machines, note) = options.jobs.machines(cases.iter().map(Vec::len).sum());
    if let Some(note) = note {
        progress.note(&note);
    }
    let house = House {
        scenarios: &scenarios,
        choice: options.machine,
        root: &options.root,
        image: options.image.as_deref(),
        programs: &programs,
        interrupts: &interrupts,
        progress: progress.as_ref(),
        keep_on_failure: options.keep_on_failure,
    };
    let pool = Pool::new(&house, cases, machines);
    let mut due = Due::default();
    let mut wrong: Option<Error> = None;
    reports.begin().map_err(RunError::from)?;
    let recorder = &mut std::mem::take(&mut reports.recorder);
    pool.work(machines, recorder, |news| {
        let made = if let News::Made(scenario, _) = news { Some(scenario) } else { None };
        account.take(news);
        if let Some(scenario) = made.filter(|scenario| account.is_decided(*scenario)) {
            pool.stop(scenario);
        }
        let mut hear = || {
            if let Some(scenario) = made {
                account.is_decidable(scenario)?;
            }
            account.tell(progress.as_ref())?;
            if made.is_some() && due.is_now() {
                due.after(|| reports.write(&account.calls, &account.results()))?;
            }
            Ok(())
        };
        if let (Err(error), None) = (hear(), &wrong) {
            // What is not written down, or cannot be shown, need not be measured.
            pool.end();
            wrong = Some(error);
        }
    });
    progress.done();
    if let Some(error) = wrong {
        return Err(error);
    }
    account.finish();
    reports.write(&account.calls, &account.results())?;
    account.tell(progress.as_ref())?;
    let recording = options.recording().filter(|_| options.resume.is_some() || recorder.has_begun());
    account.tell_what_is_missing(recording);
    account.verdict(interrupts.is_set())
}

impl Run {
    /// What it can be resumed from.
    fn recording(&self) -> Option<&Path> {
        let recorded = self.reports.iter().find_map(|report| match report {
            Report::Recording(path) => Some(path.as_path()),
            _ => None,
        });
        self.resume.as_deref().or(recorded)
    }
}

/// What was called, with all cases of all shards.
fn call(options: &Run, cases: &[Vec<Case>]) -> Call {
    let typed = std::iter::once("hangproof".into()).chain(std::env::args_os().skip(1));
    Call { shard: options.shard, until: options.until.clone(), ..plan::call(typed, options.seed, cases) }
}

/// When reports are written again: after every case, as long as that takes no more than a twentieth of the time. What is
/// measured meanwhile is not to be disturbed, however many cases there are.
#[derive(Default)]
struct Due {
    next: Option<Instant>,
}

impl Due {
    const PAUSE: u32 = 20;

    fn is_now(&self) -> bool {
        self.next.is_none_or(|next| Instant::now() >= next)
    }

    fn after<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let done = work();
        let end = Instant::now();
        self.next =
            Some(end + end.saturating_duration_since(begin).max(Duration::from_micros(1)) * Self::PAUSE);
        done
    }
}
