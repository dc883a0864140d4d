//! Recordings of real runs, replayed into timelines and verdicts, as a person would see them.
//!
//! `tests/journals/*.jsonl` were written by `hangproof run --report`. A change in what is made of them shows in the
//! snapshots; a new systemd version is a new recording.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use harness::model::recording::Recording;
use harness::model::result::RunResult;
use harness::report::{json, junit, table, trace};
use proptest::prelude::*;

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
    a_recovery_on_a_busy_host_that_says_nothing_of_the_service: "late",
    a_watchdog_that_is_off_fails_with_the_reason: "no-watchdog",
    faults_one_after_another_are_each_an_episode: "sequence",
    a_start_that_fails_is_told_with_the_last_lines: "start-fails",
    a_service_that_is_given_up: "start-limit",
    a_hang_that_is_triggered: "trigger",
    a_healthy_service_is_undisturbed: "undisturbed",
    a_hang_that_systemds_own_timer_finds: "withhold",
}

#[test]
fn verdicts_are_tests_of_junit_each_with_why_it_failed() {
    for name in ["late", "no-watchdog", "trigger"] {
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
    assert_eq!(names("X", 2), ["detect", "kill", "start"], "bounds: RestartSec=0 is no timer");
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

fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/journals/{name}.jsonl"));
    std::fs::read_to_string(path).expect("it ships")
}

/// All that is made of a text by a replay; [`None`] where it is no recording.
fn all_of(text: &str) -> Option<String> {
    let recording = Recording::read(text.as_bytes()).ok()?;
    let runs = RunResult::all_of(&recording.stories);
    serde_json::to_string(&json::Document::of(&[], &runs)).expect("JSON");
    Some(runs.iter().flat_map(|run| [60, 100].map(|columns| table::render(run, columns))).collect())
}

/// What is left of what a terminal obeys, without the colours.
fn obeyed(rendered: &str) -> Vec<&str> {
    let is_colour = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && !"[;".contains(c));
        rest.starts_with('[') && end.is_some_and(|end| rest[end..].starts_with('m'))
    };
    let controls = rendered.match_indices(|c: char| c.is_control() && c != '\n');
    controls.filter(|(at, c)| !(*c == "\u{1b}" && is_colour(&rendered[at + 1..]))).map(|(_, c)| c).collect()
}

/// The last moment at which journald received an entry.
fn last_time(text: &str) -> String {
    let field = "\"__MONOTONIC_TIMESTAMP\":\"";
    let at = text.rfind(field).expect("entries") + field.len();
    text[at..].split('"').next().expect("a number").to_owned()
}

#[test]
fn numbers_that_cannot_be_neither_panic_nor_go_on_for_ever() {
    let trigger = text("trigger");
    let time = last_time(&trigger);
    for (from, to) in [
        ("\"boot_ms\":", "\"boot_ms\":-1,\"was\":"),
        ("\"boot_ms\":", "\"boot_ms\":1e300,\"was\":"),
        ("\"count\":", "\"count\":4294967295,\"was\":"),
        ("\"failures\":", "\"failures\":4294967295,\"was\":"),
        ("\"timeout_usec\":", "\"timeout_usec\":18446744073709551615,\"was\":"),
        ("\"watchdog_usec\":", "\"watchdog_usec\":18446744073709551615,\"was\":"),
        ("\"recovery_within\":\"WatchdogSec\"", "\"recovery_within\":\"500000000000y 500000000000y\""),
        (time.as_str(), "18446744073709551615"),
    ] {
        assert!(trigger.contains(from), "{from}");
        assert!(all_of(&trigger.replace(from, to)).is_some(), "{to} is read");
    }
    let both = trigger.replace("\"failures\":", "\"failures\":4294967295,\"was\":");
    let timeout = "\"timeout_usec\":18446744073709551615,\"was\":";
    assert!(all_of(&both.replace("\"timeout_usec\":", timeout)).is_some());
}

#[test]
fn what_a_service_logs_and_a_recording_claims_is_text_to_the_terminal() {
    let evil = "\\u001b]0;pwned\\u0007\\u001b[2J";
    for (name, from) in [
        ("start-fails", "\"MESSAGE\":\""),
        ("trigger", "(last status: "),
        ("trigger", "\"description\":\""),
        ("trigger", "\"scenario\":\""),
        ("trigger", "\"systemd\":\""),
        ("trigger", "\"restart\":\""),
        ("hang-report", "\"HANGPROOF_DIAGNOSIS\":\""),
    ] {
        let text = text(name);
        assert!(text.contains(from), "{name}: {from}");
        let rendered = all_of(&text.replace(from, &format!("{from}{evil}"))).expect("read");
        assert_eq!(obeyed(&rendered), [""; 0], "{name}: {from}");
        assert!(rendered.contains("\\u{1b}]0;pwned"), "{name}: {from} is shown");
    }
}

#[test]
fn texts_wrap_at_words_and_fit_the_terminal() {
    for name in [
        "crash",
        "crash-trials",
        "hang-report",
        "no-watchdog",
        "start-fails",
        "trigger",
        "undisturbed",
        "withhold",
    ] {
        let recording = Recording::read(text(name).as_bytes()).expect("a recording");
        for run in RunResult::all_of(&recording.stories) {
            let shown = |columns| anstream::adapter::strip_str(&table::render(&run, columns)).to_string();
            let (narrow, wide) = (shown(60), shown(1000));
            let words = wide.split_whitespace().collect::<std::collections::HashSet<_>>();
            for line in narrow.lines() {
                assert!(line.chars().count() <= 60, "{name}: {line}");
                // The chart is to another scale.
                let is_text = |word: &&str| word.chars().any(|c| c.is_ascii_alphabetic());
                for word in line.split_whitespace().filter(is_text) {
                    assert!(words.contains(word), "{name}: {word} in {line}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn no_recording_makes_a_replay_panic(
        name in prop::sample::select(vec!["trigger", "crash-trials", "hang-report", "start-limit"]),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3_u8), 1..8),
    ) {
        const VALUES: [&str; 9] =
            ["0", "-1", "1e308", "18446744073709551615", "9223372036854775808", "null", "[]", "{}", "\"\\u001b]0;x\\u0007\""];
        let mut lines = text(name).lines().map(str::to_owned).collect::<Vec<_>>();
        for (place, value, how) in edits {
            let index = place.index(lines.len());
            match how {
                0 => drop(lines.remove(index)),
                1 => {
 let other = value.index(lines.len()); lines.swap(index, other);}
                _ => {
                    let line = &lines[index];
                    let values = line.match_indices("\":").map(|(at, _)| at + 2).collect::<Vec<_>>();
                    if let Some(at) = values.get(place.index(values.len().max(1))) {
                        let length = line[*at..].find([',', '}']).unwrap_or_default();
                        let value = VALUES[value.index(VALUES.len())];
                        let quoted = format!("\"{value}\"");
                        let value = if line[*at..].starts_with('"') && !value.starts_with('"') { &quoted } else { value };
                        lines[index].replace_range(*at..*at + length, value);
                    }
                }
            }
        }
        if let Some(rendered) = all_of(&lines.join("\n")) {
            prop_assert_eq!(obeyed(&rendered), [""; 0]);
        }
    }
}
