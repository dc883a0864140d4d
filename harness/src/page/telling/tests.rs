//! The JSON of each kind: what the page's modules are written against.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::model::bound::Bounds;
use crate::model::bound::tests::settings;
use crate::model::case::CaseId;
use crate::model::event::{Exit, Kind};
use crate::model::phase::Phase;
use crate::model::settings::OnHang;
use crate::model::verdict::Verdict;

fn case() -> CaseId {
    CaseId::of("classic", 1)
}

#[track_caller]
fn is(telling: Telling, expected: Value) {
    let told = Told { id: 7, at: Usec(1_000), telling };
    let Value::Object(mut found) = serde_json::to_value(&told).expect("JSON") else { panic!("an object") };
    assert_eq!((found.remove("id"), found.remove("at")), (Some(json!(7)), Some(json!(1000))));
    let Value::Object(expected) = expected else { panic!("an object") };
    assert_eq!(found, expected);
}

#[test]
fn a_scene_tells_what_is_looked_at() {
    let scene = Scene {
        live: true,
        title: "t".into(),
        unit: "x.service".into(),
        description: "d".into(),
        backend: "namespace".into(),
        systemd: "257".into(),
        version: "hangproof 0.1.0".into(),
        ..Scene::default()
    };
    let plain = json!({
        "kind": "scene", "live": true, "title": "t", "unit": "x.service", "description": "d", "backend": "namespace",
        "systemd": "257", "version": "hangproof 0.1.0",
    });
    is(Telling::Scene(Box::new(scene.clone())), plain.clone());
    let full = Scene {
        machine: Some("m".into()),
        wall_usec: Some(5),
        url: Some("http://localhost:8080/".into()),
        command: Some("hangproof run".into()),
        ..scene
    };
    let mut expected = plain;
    for (key, value) in [
        ("machine", json!("m")),
        ("wall_usec", json!(5)),
        ("url", json!("http://localhost:8080/")),
        ("command", json!("hangproof run")),
    ] {
        expected[key] = value;
    }
    is(Telling::Scene(Box::new(full)), expected);
}

#[test]
fn a_unit_is_its_files_with_their_paths() {
    let file = File { path: "/etc/systemd/system/x.service".into(), text: "[Service]".into() };
    is(
        Telling::Unit(Unit { case: case(), scenario: "s".into(), files: vec![file] }),
        json!({
            "kind": "unit", "case": case(), "scenario": "s",
            "files": [{ "path": "/etc/systemd/system/x.service", "text": "[Service]" }],
        }),
    );
}

#[test]
fn settings_are_the_units_with_the_bounds_that_follow() {
    let unit = settings(OnHang::Withhold);
    is(
        Telling::Settings(Settings::from(&unit)),
        json!({
            "kind": "settings", "watchdog_usec": 5_000_000, "on_hang": "withhold", "guarded": true, "restart": "always",
            "bounds": {
                "detect_usec": 5_250_000, "kill_usec": 2_000_000, "start_usec": 10_000_000,
                "recovery_usec": 17_250_000,
            },
        }),
    );
    let bare = Settings { case: Some(case()), ..Settings::default() };
    is(
        Telling::Settings(bare),
        json!({ "kind": "settings", "case": case(), "guarded": false, "bounds": {} }),
    );
    let limits = Limits::from(&Bounds::of(&unit));
    for phase in Bounds::PHASES {
        let bound = Bounds::of(&unit).timer(phase).map(|bound| usec(bound.at_most));
        assert_eq!(limits.get(phase), bound, "{}", phase.name());
    }
    assert_eq!((limits.get(Phase::Recovery), limits.get(Phase::Outage)), (Some(17_250_000), None));
}

#[test]
fn a_state_is_a_word_since_then() {
    let word = |word| State {
        word,
        since: Usec(9),
        case: None,
        pid: None,
        started: None,
        restarts: None,
        status: None,
        says: "s".into(),
    };
    for (state, name) in [
        (Word::Healthy, "healthy"),
        (Word::Hung, "hung"),
        (Word::Killed, "killed"),
        (Word::Restarting, "restarting"),
        (Word::Starting, "starting"),
        (Word::Failed, "failed"),
        (Word::Stopped, "stopped"),
        (Word::Unknown, "unknown"),
    ] {
        is(Telling::State(word(state)), json!({ "kind": "state", "word": name, "since": 9, "says": "s" }));
    }
    let full = State {
        case: Some(case()),
        pid: Some(31),
        started: Some(Usec(4)),
        restarts: Some(2),
        status: Some("healthy".into()),
        ..word(Word::Healthy)
    };
    is(
        Telling::State(full),
        json!({
            "kind": "state", "word": "healthy", "since": 9, "case": case(), "pid": 31, "started": 4, "restarts": 2, "status": "healthy", "says": "s",
        }),
    );
}

#[test]
fn answers_are_few_bytes_each() {
    let answers = Answers {
        answers: vec![Answered(Usec(10), 400, 0), Answered(Usec(20), 9_000, 1)],
        reasons: vec!["no answer".into()],
        left_out: 0,
    };
    is(
        Telling::Answers(answers.clone()),
        json!({ "kind": "answers", "answers": [[10, 400, 0], [20, 9000, 1]], "reasons": ["no answer"] }),
    );
    let thin = Answers { reasons: Vec::new(), left_out: 3, answers: vec![answers.answers[0]] };
    is(Telling::Answers(thin), json!({ "kind": "answers", "answers": [[10, 400, 0]], "left_out": 3 }));
}

#[test]
fn an_event_is_that_of_a_report_with_the_journals_entry() {
    let event = Event {
        case: case(),
        event: Kind::Exited(Exit::Signal("SIGABRT".into())),
        label: "exited by SIGABRT".into(),
        source: Source::Service,
        journal: Some(Entry {
            message: "m".into(),
            fields: BTreeMap::from([("UNIT".into(), "x.service".into())]),
        }),
    };
    let expected = json!({
        "kind": "event", "case": case(), "event": { "kind": "exited", "signal": "SIGABRT" }, "label": "exited by SIGABRT",
        "source": "service", "journal": { "message": "m", "fields": { "UNIT": "x.service" } },
    });
    is(Telling::Event(Box::new(event.clone())), expected);
    let own = Event { event: Kind::LastGood, source: Source::Hangproof, journal: None, ..event };
    let expected = json!({
        "kind": "event", "case": case(), "event": { "kind": "last_good" }, "label": "exited by SIGABRT", "source": "hangproof",
    });
    is(Telling::Event(Box::new(own)), expected);
}

#[test]
fn a_line_has_who_said_it() {
    for (source, name) in [
        (Source::Systemd, "systemd"),
        (Source::SdWatchdog, "sd-watchdog"),
        (Source::Service, "service"),
        (Source::Hangproof, "hangproof"),
    ] {
        let line = Line { source, message: "m".into(), priority: None, fields: BTreeMap::new() };
        is(Telling::Line(line.clone()), json!({ "kind": "line", "source": name, "message": "m" }));
        let fields = BTreeMap::from([("_PID".into(), "1".into())]);
        is(
            Telling::Line(Line { priority: Some(6), fields, ..line }),
            json!({ "kind": "line", "source": name, "message": "m", "priority": 6, "fields": { "_PID": "1" } }),
        );
    }
}

#[test]
fn a_fault_is_sent_again_when_it_is_over() {
    let fault = Fault { key: "k/0".into(), fault: "mute".into(), from: Usec(3), to: None };
    is(Telling::Fault(fault.clone()), json!({ "kind": "fault", "key": "k/0", "fault": "mute", "from": 3 }));
    is(
        Telling::Fault(Fault { to: Some(Usec(8)), ..fault }),
        json!({ "kind": "fault", "key": "k/0", "fault": "mute", "from": 3, "to": 8 }),
    );
}

#[test]
fn an_episode_has_the_phases_that_are_over_and_the_one_that_goes_on() {
    let episode = Episode {
        key: "k/0".into(),
        case: case(),
        scenario: "classic".into(),
        trial: 1,
        fault: None,
        expect: "e".into(),
        from: Usec(1),
        over: false,
        phases: Vec::new(),
        running: None,
        running_from: None,
        failed_requests: None,
        verdict: None,
    };
    let mut expected = json!({
        "kind": "episode", "key": "k/0", "case": case(), "scenario": "classic", "trial": 1, "expect": "e", "from": 1,
        "over": false, "phases": [],
    });
    is(Telling::Episode(Box::new(episode.clone())), expected.clone());
    let part = |phase| Part { phase, from: Usec(1), to: Usec(2), bound_usec: None };
    let full = Episode {
        fault: Some("mute".into()),
        over: true,
        phases: vec![Part { bound_usec: Some(9), ..part(Phase::Detect) }, part(Phase::Outage)],
        running: Some(Phase::Kill),
        running_from: Some(Usec(2)),
        failed_requests: Some(4),
        verdict: Some(Ruling::from(&Verdict::Pass { summary: "s".into() })),
        ..episode.clone()
    };
    for (key, value) in [
        ("fault", json!("mute")),
        ("over", json!(true)),
        (
            "phases",
            json!([{ "phase": "detect", "from": 1, "to": 2, "bound_usec": 9 }, { "phase": "outage", "from": 1, "to": 2 }]),
        ),
        ("running", json!("kill")),
        ("running_from", json!(2)),
        ("failed_requests", json!(4)),
        ("verdict", json!({ "word": "pass", "reasons": [], "summary": "s" })),
    ] {
        expected[key] = value;
    }
    is(Telling::Episode(Box::new(full)), expected);
    let skip = Ruling::from(&Verdict::Skip { reason: "r".into() });
    assert_eq!(serde_json::to_value(skip).expect("JSON"), json!({ "word": "skip", "reasons": ["r"] }));
}

#[test]
fn a_report_has_the_threads_where_they_are_known() {
    let report = Report {
        key: "7f".into(),
        case: case(),
        pid: None,
        summary: "s".into(),
        lines: vec!["l".into()],
        threads: Vec::new(),
    };
    is(
        Telling::Report(report.clone()),
        json!({ "kind": "report", "key": "7f", "case": case(), "summary": "s", "lines": ["l"] }),
    );
    let thread = Thread {
        tid: Some(31),
        count: 1,
        name: "worker".into(),
        state: "S".into(),
        r#where: "futex".into(),
        means: "waits".into(),
    };
    is(
        Telling::Report(Report { pid: Some(30), threads: vec![thread], ..report }),
        json!({
            "kind": "report", "key": "7f", "case": case(), "pid": 30, "summary": "s", "lines": ["l"],
            "threads": [{ "tid": 31, "count": 1, "name": "worker", "state": "S", "where": "futex", "means": "waits" }],
        }),
    );
}

#[test]
fn the_history_is_by_fault_and_phase() {
    let group = Group {
        fault: "mute".into(),
        phase: Phase::Restart,
        n: 1,
        of: 2,
        min_usec: 3,
        p50_usec: 3,
        p90_usec: None,
        p99_usec: None,
        max_usec: 3,
        p50_interval: None,
        values: vec![3],
        bound_usec: None,
        recovered: None,
    };
    let plain = json!({
        "fault": "mute", "phase": "restart", "n": 1, "of": 2, "min_usec": 3, "p50_usec": 3, "max_usec": 3, "values": [3],
    });
    let full = Group {
        phase: Phase::Recovery,
        p90_usec: Some(4),
        p99_usec: Some(5),
        p50_interval: Some([1, 2]),
        bound_usec: Some(6),
        recovered: Some(Recovered { of: 2, n: 1, interval: [0.25, 0.75] }),
        ..group.clone()
    };
    let mut expected = plain.clone();
    for (key, value) in [
        ("phase", json!("recovery")),
        ("p90_usec", json!(4)),
        ("p99_usec", json!(5)),
        ("p50_interval", json!([1, 2])),
        ("bound_usec", json!(6)),
        ("recovered", json!({ "of": 2, "n": 1, "interval": [0.25, 0.75] })),
    ] {
        expected[key] = value;
    }
    is(
        Telling::History(History { groups: vec![group, full] }),
        json!({ "kind": "history", "groups": [plain, expected] }),
    );
}

#[test]
fn controls_are_what_can_be_done_and_what_was_done_last() {
    is(
        Telling::Controls(Controls::default()),
        json!({ "kind": "controls", "watchdog": false, "active": [], "faults": [] }),
    );
    let choice = Choice {
        name: "mute".into(),
        says: "s".into(),
        expect: "e".into(),
        heals: true,
        r#where: "inside".into(),
        available: false,
        why_not: Some("w".into()),
    };
    let controls = Controls {
        watchdog: true,
        on_hang: Some(OnHang::Trigger),
        watchdog_usec: Some(5),
        busy: Some("b".into()),
        active: vec!["mute".into()],
        faults: vec![choice],
        last: Some(Deed { deed: "inject".into(), ok: true, says: "s".into() }),
    };
    is(
        Telling::Controls(controls),
        json!({
            "kind": "controls", "watchdog": true, "on_hang": "trigger", "watchdog_usec": 5, "busy": "b", "active": ["mute"],
            "faults": [{
                "name": "mute", "says": "s", "expect": "e", "heals": true, "where": "inside", "available": false, "why_not": "w",
            }],
            "last": { "deed": "inject", "ok": true, "says": "s" },
        }),
    );
}

#[test]
fn a_run_is_its_verdict_and_how_to_have_it_again() {
    let run = Run { scenario: "classic".into(), verdict: "pass".into(), of: 3, ..Run::default() };
    let mut expected = json!({
        "kind": "run", "scenario": "classic", "question": "", "verdict": "pass", "passed": 0, "sound": 0, "of": 3,
        "systemd": "", "backend": "",
    });
    is(Telling::Run(Box::new(run.clone())), expected.clone());
    let full = Run {
        skipped: Some("s".into()),
        broke: Some("b".into()),
        replay: Some("hangproof run".into()),
        evidence: Some("./e".into()),
        journal: vec!["j".into()],
        slowest_usec: Some(9),
        ..run
    };
    for (key, value) in [
        ("skipped", json!("s")),
        ("broke", json!("b")),
        ("replay", json!("hangproof run")),
        ("evidence", json!("./e")),
        ("journal", json!(["j"])),
        ("slowest_usec", json!(9)),
    ] {
        expected[key] = value;
    }
    is(Telling::Run(Box::new(full)), expected);
}
