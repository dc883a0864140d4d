//! Recordings of real runs, replayed into timelines and verdicts, as a person would see them.
//!
//! `tests/journals/*.jsonl` were written by `hangproof run --report`. A change in what is made of them shows in the
//! snapshots; a new systemd version is a new recording.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use harness::model::recording::Recording;
use harness::model::result::RunResult;
use harness::report::table;

fn replayed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/journals/{name}.jsonl"));
    let file = File::open(path).expect("it ships");
    let recording = Recording::read(BufReader::new(file)).expect("a recording");
    let runs = RunResult::all_of(&recording.stories);
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
