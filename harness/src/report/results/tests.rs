use std::fs;

use super::*;
use crate::model::call::{Host, Planned};
use crate::model::comparison::Tolerance;
use crate::model::story::Story;
use crate::report::diff::Diff;

/// Three trials of crash.
fn stories() -> Vec<Story> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/crash-trials.jsonl");
    let text = fs::read(path).expect("it ships");
    Recording::read(text.as_slice()).expect("a recording").stories
}

fn call(stories: &[Story]) -> Call {
    Call {
        program: "hangproof 0".into(),
        command: vec!["hangproof".into()],
        host: Host { id: Some("a".into()), kernel: "6.1".into(), cpu: "x".into(), cpus: 2 },
        seed: None,
        shard: None,
        until: None,
        plan: vec![Planned {
            scenario: "crash".into(),
            cases: stories.iter().map(|story| story.case).collect(),
        }],
    }
}

fn results(calls: &[Call], stories: &[Story]) -> Results {
    let recording = Recording { stories: stories.to_vec(), cut: Vec::new(), calls: calls.to_vec() };
    Results::of(&recording).expect("it can be read back")
}

fn merged(reports: &[&Results]) -> Result<Results, ResultsError> {
    let named = reports.iter().enumerate();
    Results::merged(
        named.map(|(index, report)| (format!("{index}.json").into(), (*report).clone())).collect(),
    )
}

#[test]
fn what_is_merged_is_the_report_of_all() {
    let all = stories();
    assert!(all.len() >= 3, "{}", all.len());
    let calls = [call(&all)];
    let whole = results(&calls, &all);
    let [first, rest] = [&all[..1], &all[1..]].map(|some| results(&calls, some));
    assert_ne!(first, whole);
    for reports in [[&first, &rest], [&rest, &first], [&whole, &first], [&whole, &whole]] {
        assert_eq!(merged(&reports).expect("no conflict"), whole);
    }
    let text = serde_json::to_string(&whole).expect("JSON");
    assert_eq!(serde_json::from_str::<Results>(&text).expect("a report"), whole);
    assert_eq!(merged(&[&first]).expect("no conflict").cases().len(), 1);
}

#[test]
fn a_case_that_came_to_something_else_is_named_with_both_files() {
    let all = stories();
    let calls = [call(&all)];
    let first = results(&calls, &all);
    let mut second = first.clone();
    second.runs[0].trials[1].phases.insert("recovery_ms".into(), 1.0);
    let error = merged(&[&first, &second]).expect_err("they differ").to_string();
    assert!(error.starts_with(&format!("case {} of ", all[1].case)), "{error}");
    assert!(error.contains("is in 0.json and in 1.json"), "{error}");
}

#[test]
fn units_that_differ_are_runs_of_their_own() {
    let all = stories();
    let (first, mut second) = (results(&[], &all[..1]), results(&[], &all[1..]));
    second.runs[0].settings.as_mut().expect("settings").watchdog_usec = Some(1);
    assert_eq!(merged(&[&first, &second]).expect("no conflict").runs.len(), 2);
}

fn diff(before: &Results, after: &Results) -> Result<bool, String> {
    Diff::of(before, after, Tolerance::Percent(10.0)).map(|diff| diff.is_regression())
}

#[test]
fn what_is_not_of_the_same_is_not_compared() {
    let all = stories();
    let before = results(&[call(&all)], &all);
    assert_eq!(diff(&before, &before), Ok(false));
    let change = |how: fn(&mut Results)| {
        let mut after = before.clone();
        how(&mut after);
        diff(&before, &after).expect_err("not the same")
    };
    for (how, expected) in [
        (
            (|after| after.calls.clear()) as fn(&mut Results),
            "the second does not tell on which host it was made",
        ),
        (|after| after.calls[0].host.cpus = 8, "they are of different hosts: cpus was 2, and is 8"),
        (
            |after| {
                let mut other = after.calls[0].clone();
                other.host.id = None;
                after.calls.push(other);
            },
            "the second is of several hosts: id was \"a\", and is null",
        ),
        (|after| after.runs[0].scenario = "mute".into(), "one is of crash, the other of mute"),
        (|after| after.runs.clear(), "one is of crash, the other of "),
        (
            |after| after.runs[0].machine.as_mut().expect("a machine").systemd = "999".into(),
            "crash was tried on another systemd: ",
        ),
        (
            |after| after.runs[0].settings.as_mut().expect("settings").watchdog_usec = Some(1),
            "the unit of crash is another: watchdog_usec was ",
        ),
    ] {
        let reason = change(how);
        assert!(reason.starts_with(expected), "{reason}");
    }
    // How long the machine took to boot is no matter.
    let mut after = before.clone();
    after.runs[0].machine.as_mut().expect("a machine").boot_ms += 1.0;
    assert_eq!(diff(&before, &after), Ok(false));
}

#[test]
fn slower_than_is_tolerated_or_no_longer_as_expected_is_a_regression() {
    let all = stories();
    // As many as it takes to tell.
    let mut before = results(&[call(&all)], &all);
    let rows = before.runs[0].trials.clone();
    before.runs[0].trials = (0..8).map(|index| rows[index % rows.len()].clone()).collect();
    let slower = |by: f64| {
        let mut after = before.clone();
        for row in &mut after.runs[0].trials {
            *row.phases.get_mut("recovery_ms").expect("it recovered") += by;
        }
        after
    };
    assert_eq!(diff(&before, &slower(100.0)), Ok(true));
    assert_eq!(diff(&before, &slower(5.0)), Ok(false), "10 ms are tolerated");
    assert_eq!(diff(&slower(100.0), &before), Ok(false), "it is faster");
    let shown = Diff::of(&before, &slower(100.0), Tolerance::Percent(10.0)).expect("compared").render();
    let shown = anstream::adapter::strip_str(&shown).to_string();
    assert!(shown.lines().any(|line| line.contains("recovery") && line.ends_with("slower")), "{shown}");
    assert!(shown.lines().any(|line| line.contains("outage") && line.ends_with("equivalent")), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    let mut failing = before.clone();
    failing.runs[0].verdict = "fail".into();
    assert_eq!((diff(&before, &failing), diff(&failing, &before)), (Ok(true), Ok(false)));
}
