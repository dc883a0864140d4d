//! Recordings of real runs, replayed into timelines and verdicts, as a person would see them.
//!
//! `tests/journals/*.jsonl` were written by `hangproof run --report`. A change in what is made of them shows in the
//! snapshots; a new systemd version is a new recording.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use harness::model::recording::Recording;
use harness::model::result::RunResult;
use harness::report::{junit, table, trace};

fn runs(name: &str) -> Vec<RunResult> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/journals/{name}.jsonl"));
    let file = File::open(path).expect("it ships");
    let recording = Recording::read(BufReader::new(file)).expect("a recording");
    RunResult::all_of(&recording.stories)
}

fn replayed(name: &str) -> String {
    let runs = runs(name);
    let text = runs.iter().map(|run| table::render(run, 100)).collect::<String>();
    anstream::adapter::strip_str(&text).to_string()
}

macro_rules! replays {
    ($($test:ident: $name:literal),* $(,)?) => {
        $(#[test]
        fn $test() {
            insta::assert_snapshot!($name, replayed($name));
        })*

        #[test]
        fn every_recording_is_replayed() {
            let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals");
            let mut found = std::fs::read_dir(directory).expect("it ships").map(|entry| {
                let name = entry.expect("readable").file_name().into_string().expect("a name");
                name.trim_end_matches(".jsonl").to_owned()
            }).collect::<Vec<_>>();
            found.sort();
            assert_eq!(found, [$($name),*]);
        }
    };
}

replays! {
    a_crash_recovers_by_exit: "crash",
    trials_are_summed_up: "crash-trials",
    a_stopped_service_is_reported_before_it_is_ended: "hang-report",
    a_watchdog_that_is_off_fails_with_the_reason: "no-watchdog",
    a_start_that_fails_is_told_with_the_last_lines: "start-fails",
    a_service_that_is_given_up: "start-limit",
    a_hang_that_is_triggered: "trigger",
    a_healthy_service_is_undisturbed: "undisturbed",
    a_hang_that_systemds_own_timer_finds: "withhold",
}

#[test]
fn verdicts_are_tests_of_junit_each_with_why_it_failed() {
    for name in ["no-watchdog", "trigger"] {
        insta::assert_snapshot!(format!("{name}.xml"), junit::document(&runs(name)).expect("XML"));
    }
}

#[test]
fn a_trace_has_every_phase_and_event_on_the_track_of_who_did_it() {
    let runs = runs("trigger");
    let trace = trace::document(&runs);
    let events = trace["traceEvents"].as_array().expect("a list");
    let names = |ph: &str, tid: u64| {
        let of_track = events.iter().filter(|event| event["ph"] == ph && event["tid"] == tid);
        of_track.map(|event| event["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("X", 1), ["detect", "kill", "restart", "start", "recovery"]);
    assert_eq!(names("X", 2), ["detect", "kill", "restart", "start"], "bounds");
    assert_eq!(
        (names("X", 3), names("i", 3)),
        (vec!["outage".to_owned()], vec!["last good answer".to_owned(), "first good answer".to_owned()])
    );
    assert_eq!(names("i", 4), ["exited by SIGABRT"]);
    assert_eq!(names("i", 7), ["injected mute"]);
    let timeline = &runs[0].trials[0].timeline;
    let instants = events.iter().filter(|event| event["ph"] == "i").count();
    assert_eq!(instants, timeline.events.len());
    let detect = timeline.phases.detect.expect("it was detected");
    let slice = events.iter().find(|event| event["ph"] == "X" && event["tid"] == 1).expect("a slice");
    assert_eq!(
        (slice["ts"].as_u64(), slice["dur"].as_u64()),
        (Some(detect.from.0), Some(detect.to.0 - detect.from.0))
    );
}
