//! What a report begins with: what it is of, and the verdicts.

use crate::model::call::Call;
use crate::model::phase::{Phase, Span};
use crate::model::result::RunResult;
use crate::page::telling::{Run, Scene, usec};
use crate::report::json::PROGRAM;

/// What a report is of.
pub fn scene(calls: &[Call], runs: &[RunResult]) -> Scene {
    let first = runs.first().map(|run| &run.about);
    let machine = first.and_then(|about| about.machine.as_ref());
    let title = match runs {
        [] => "hangproof".into(),
        [only] => only.about.scenario.clone(),
        several => format!("{} scenarios", several.len()),
    };
    let mut units = runs.iter().filter_map(|run| run.about.settings.as_ref());
    let unit = units.next().map(|settings| settings.unit.clone()).unwrap_or_default();
    let is_one = units.all(|settings| settings.unit == unit);
    Scene {
        live: false,
        title,
        unit: if is_one { unit } else { String::new() },
        description: first
            .filter(|_| runs.len() == 1)
            .map(|about| about.description.clone())
            .unwrap_or_default(),
        backend: machine.map(|machine| machine.backend.clone()).unwrap_or_default(),
        systemd: machine.map(|machine| machine.systemd.clone()).unwrap_or_default(),
        version: calls.last().map_or_else(|| PROGRAM.to_owned(), |call| call.program.clone()),
        command: calls.last().map(Call::typed),
        ..Scene::default()
    }
}

/// What is said of a scenario.
pub fn run(calls: &[Call], run: &RunResult) -> Run {
    let about = &run.about;
    let call = calls.iter().rev().find(|call| call.plan.iter().any(|plan| plan.scenario == about.scenario));
    let is_kept = call.is_some_and(|call| call.command.iter().any(|word| word == "--keep-on-failure"));
    let bad = run.trials.iter().find(|trial| !trial.verdict.is_pass());
    let shown = bad.or(run.trials.first());
    let sound = run.trials.iter().filter(|trial| trial.verdict.is_sound());
    let recoveries =
        sound.flat_map(|trial| trial.episodes().filter_map(|(_, it)| it.phases.get(Phase::Recovery)));
    Run {
        scenario: about.scenario.clone(),
        question: about.description.clone(),
        verdict: run.word().to_owned(),
        passed: run.passed(),
        sound: run.sound(),
        of: run.trials.len(),
        skipped: run.skipped.clone(),
        broke: run.broke.clone(),
        replay: call.map(Call::typed),
        evidence: bad.filter(|_| is_kept).map(|_| format!("./hangproof-{}", about.scenario)),
        journal: shown.map(|trial| trial.last_lines.clone()).unwrap_or_default(),
        systemd: about.machine.as_ref().map(|machine| machine.systemd.clone()).unwrap_or_default(),
        backend: about.machine.as_ref().map(|machine| machine.backend.clone()).unwrap_or_default(),
        slowest_usec: recoveries.map(Span::length).max().map(usec),
    }
}
