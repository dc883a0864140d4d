//! `report.xml`: the verdicts as JUnit has them, for whoever shows test results. A scenario is a suite, a trial a test.

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::model::result::{RunResult, TrialResult};
use crate::model::verdict::Verdict;

/// The document of some runs.
///
/// # Errors
/// Those of writing XML.
pub fn document(runs: &[RunResult]) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("hangproof");
    report.add_test_suites(runs.iter().map(suite));
    report.to_string()
}

fn suite(run: &RunResult) -> TestSuite {
    let about = &run.about;
    let mut suite = TestSuite::new(about.scenario.as_str());
    suite.add_property(Property::new("description", about.description.as_str()));
    if let Some(machine) = &about.machine {
        suite.add_property(Property::new(
            "machine",
            format!("{}, systemd {}", machine.backend, machine.systemd),
        ));
    }
    suite.add_test_cases(run.trials.iter().map(|trial| case(run, trial)));
    if let Some(reason) = &run.skipped {
        let mut status = TestCaseStatus::skipped();
        status.set_message(reason.as_str());
        suite.add_test_case(TestCase::new(about.scenario.as_str(), status));
    }
    if let Some(reason) = &run.broke {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("broke").set_message(reason.as_str());
        suite.add_test_case(TestCase::new(about.scenario.as_str(), status));
    }
    suite
}

fn case(run: &RunResult, trial: &TrialResult) -> TestCase {
    let status = match &trial.verdict {
        Verdict::Pass { .. } => TestCaseStatus::success(),
        Verdict::Skip { reason } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            status
        }
        verdict @ (Verdict::Fail { reasons } | Verdict::Unsound { reasons }) => {
            // JUnit's error is of the test itself, as unsound is of the instrument.
            let kind = if verdict.word() == "fail" { NonSuccessKind::Failure } else { NonSuccessKind::Error };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_type(verdict.word()).set_message(reasons.join("; "));
            status.set_description(story(trial));
            status
        }
    };
    let mut case = TestCase::new(format!("{} trial {}", run.about.scenario, trial.number), status);
    case.set_classname(format!("hangproof.{}", run.about.scenario));
    let end = trial.episodes().last().map_or(trial.timeline.end, |(_, last)| last.end);
    case.set_time(end - trial.timeline.origin);
    case.add_property(Property::new("case", trial.case.to_string()));
    case.add_property(Property::new("seed", trial.seed.to_string()));
    for ((_, timeline), number) in trial.episodes().zip(1..) {
        for (phase, span) in timeline.phases.iter() {
            let ms = span.length().as_secs_f64() * 1e3;
            let which = if number == 1 { String::new() } else { format!("fault_{number}_") };
            case.add_property(Property::new(format!("{which}{}_ms", phase.name()), format!("{ms:.3}")));
        }
    }
    if !trial.verdict.is_pass() {
        case.set_system_out(trial.last_lines.join("\n"));
    }
    case
}

/// What happened, a line for each event; its time is since the first injection.
fn story(trial: &TrialResult) -> String {
    let origin = trial.timeline.origin;
    let events = trial.episodes().flat_map(|(_, timeline)| &timeline.events);
    let lines = events.map(|event| format!("{:>10.1} ms  {}", event.at.ms_since(origin), event.kind));
    lines.collect::<Vec<_>>().join("\n")
}
