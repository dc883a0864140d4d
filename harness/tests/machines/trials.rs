//! Many trials: on a pool of machines, in shards, resumed, until a claim is decided.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use harness::model::case::CaseId;
use harness::model::moment::{Moment, Unit, What};
use harness::model::recording::Recording;
use harness::model::story::Story;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::lab::{Backend, eventually, hangproof, output_of};

fn command(directory: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(hangproof());
    command.arg("run").args(arguments).current_dir(directory.path()).env_remove("CARGO");
    if let Some(programs) = std::env::var_os("HANGPROOF_TEST_PROGRAMS") {
        command.arg("--programs").arg(programs);
    }
    command
}

fn run(directory: &TempDir, arguments: &[&str]) -> Output {
    output_of(&mut command(directory, arguments))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn recorded(directory: &TempDir, name: &str) -> Vec<Story> {
    read(&directory.path().join(name)).stories
}

fn read(path: &Path) -> Recording {
    Recording::read(BufReader::new(File::open(path).expect("written"))).expect("a recording")
}

fn cases(stories: &[Story]) -> BTreeSet<CaseId> {
    stories.iter().map(|story| story.case).collect()
}

pub fn the_cases_of_all_scenarios_are_made_once_and_what_is_to_be_alone_is_alone(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    // The scenario takes every CPU, and says so.
    let arguments = ["crash", "spin", "undisturbed", "--jobs", "3", "--trials", "2", "--report", "r.jsonl"];
    let output = run(&directory, &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let printed = String::from_utf8_lossy(&output.stdout);
    let places = ["crash  The", "spin  ", "undisturbed  "].map(|heading| printed.find(heading));
    assert!(places.is_sorted() && places[0].is_some(), "in the order of the plan: {printed}");
    let stories = recorded(&directory, "r.jsonl");
    assert_eq!((stories.len(), cases(&stories).len()), (6, 6));
    let time = |story: &Story| (story.began.expect("it began"), story.ended.expect("it ended"));
    let (alone, others): (Vec<_>, Vec<_>) = stories.iter().partition(|story| story.plan.scenario == "spin");
    for (from, to) in alone.iter().map(|story| time(story)) {
        for other in &others {
            let (begin, end) = time(other);
            assert!(end <= from || begin >= to, "{} ran beside spin", other.plan.scenario);
        }
    }
}

pub fn a_scenario_that_cannot_be_tried_does_not_keep_the_others_from_it(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    let unit = "[Service]\nType=simple\nExecStart=/bin/true\nConditionNonsense=x\n";
    std::fs::write(directory.path().join("x.service"), unit).expect("written");
    let wrong = "description = \"x\"\n[service]\nunit = \"x.service\"\noverride = { Service = { Nonsense = \"1\" } }\n\
        [observe]\nhttp = \"http://127.0.0.1:8080/\"\n[expect]\noutcome = \"undisturbed\"\n";
    std::fs::write(directory.path().join("wrong.toml"), wrong).expect("written");
    let output = run(&directory, &["wrong.toml", "crash", "--report", "r.json", "--report", "r.jsonl"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("Nonsense=1: Unknown key"), "{}", said(&output));
    assert!(said(&output).contains("PASS"), "the other is made: {}", said(&output));
    let report = std::fs::read_to_string(directory.path().join("r.json")).expect("written");
    assert!(report.contains("\"scenario\": \"crash\""), "{report}");
    let replayed =
        Command::new(hangproof()).args(["replay", "r.jsonl"]).current_dir(directory.path()).output();
    let replayed = said(&replayed.expect("it runs"));
    assert!(
        replayed.contains("hangproof: wrong broke in trial 1: ") && replayed.contains("PASS"),
        "{replayed}"
    );
}

pub fn the_units_files_are_told_once_on_each_machine(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    let output =
        run(&directory, &["crash", "--trials", "2", "--set", "WatchdogSec=3s", "--report", "r.jsonl"]);
    assert!(output.status.success(), "{}", said(&output));
    let recording = std::fs::read_to_string(directory.path().join("r.jsonl")).expect("written");
    let told = recording.lines().filter_map(|line| match Moment::read(line).ok()??.what {
        What::Unit(Unit { files }) => Some(files),
        _ => None,
    });
    let [files] = told.collect::<Vec<_>>().try_into().expect("one machine made both trials");
    let [unit, drop_in] = files.try_into().expect("a unit and its drop-in");
    assert_eq!(unit.path, "/etc/systemd/system/buggy_server.service");
    assert!(unit.text.contains("[Service]") && !unit.text.contains("# /etc"), "{}", unit.text);
    assert_eq!(drop_in.path, "/etc/systemd/system/buggy_server.service.d/50-hangproof.conf");
    assert!(drop_in.text.contains("WatchdogSec=3s"), "{}", drop_in.text);
}

pub fn shards_make_every_case_once_and_are_merged(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    let mut all = BTreeSet::new();
    for (shard, name) in [("1/3", "1"), ("2/3", "2"), ("3/3", "3")] {
        let (recording, report) = (format!("{name}.jsonl"), format!("{name}.json"));
        let arguments = ["crash", "--trials", "7", "--jobs", "4", "--shard", shard];
        let output =
            run(&directory, &[arguments.as_slice(), &["--report", &recording, "--report", &report]].concat());
        assert!(output.status.success(), "{}", said(&output));
        for case in cases(&recorded(&directory, &recording)) {
            assert!(all.insert(case), "{case} is made by two shards");
        }
    }
    let calls = read(&directory.path().join("1.jsonl")).calls;
    assert_eq!(all, calls[0].plan[0].cases.iter().copied().collect());
    let merge = |arguments: &[&str]| {
        let mut command = Command::new(hangproof());
        output_of(command.arg("merge").args(arguments).current_dir(directory.path()))
    };
    let whole = merge(&["1.json", "2.json", "3.jsonl", "--report", "all.json"]);
    assert!(whole.status.success() && said(&whole).contains("7 of 7 trials as expected"), "{}", said(&whole));
    let recordings = merge(&["1.jsonl", "2.jsonl", "3.jsonl", "2.jsonl", "--report", "all.jsonl"]);
    assert!(
        recordings.status.success() && said(&recordings).contains("7 of 7 trials"),
        "{}",
        said(&recordings)
    );
    assert_eq!(cases(&recorded(&directory, "all.jsonl")), all);
    let part = merge(&["1.json", "all.json", "3.json"]);
    assert!(part.status.success(), "what is there twice counts once: {}", said(&part));
    let part = merge(&["1.json", "3.json"]);
    assert_eq!(part.status.code(), Some(2), "{}", said(&part));
    assert!(said(&part).contains("of 7 cases of crash are missing, of shard 2/3"), "{}", said(&part));
}

pub fn what_is_healed_at_a_trials_end_is_told(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    let output = run(&directory, &["mute", "crash", "--trials", "2", "--report", "r.jsonl"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = std::fs::read_to_string(directory.path().join("r.jsonl")).expect("written");
    let healed = text.lines().filter(|line| line.contains("\"moment\":\"healed\"")).collect::<Vec<_>>();
    // Of a process that has crashed nothing is to be healed.
    let is_mutes = |line: &&str| line.contains("\"fault\":\"mute\",\"at_end\":true");
    assert_eq!((healed.len(), healed.iter().filter(|line| is_mutes(line)).count()), (2, 2), "{healed:?}");
}

pub fn an_interrupted_run_keeps_what_it_has_and_is_resumed(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    let recording = directory.path().join("r.jsonl");
    let arguments = ["crash", "--trials", "12", "--jobs", "2", "--report", "r.jsonl", "--report", "r.json"];
    let mut command = command(&directory, &arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let text = || std::fs::read_to_string(&recording).unwrap_or_default();
    eventually("three trials are over", || text().matches("\"moment\":\"ended\"").count() >= 3);
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a pid");
    kill_process(pid, Signal::INT).expect("it runs still");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(said(&output).contains("are missing: --resume r.jsonl makes them"), "{}", said(&output));
    let made = recorded(&directory, "r.jsonl");
    assert!((3..12).contains(&made.len()), "{}", made.len());
    let report = std::fs::read_to_string(directory.path().join("r.json")).expect("written");
    assert_eq!(report.matches("\"case\":").count(), made.len(), "it has what was made");

    // As of a full disk, or SIGKILL.
    let cut = text().len() - 7;
    File::options().write(true).open(&recording).and_then(|file| file.set_len(cut as u64)).expect("cut");
    let output = run(&directory, &["crash", "--trials", "12", "--jobs", "2", "--resume", "r.jsonl"]);
    assert!(output.status.success() && said(&output).contains("12 of 12 trials"), "{}", said(&output));
    let resumed = read(&recording);
    assert_eq!((resumed.stories.len(), resumed.calls.len(), resumed.cut.len()), (12, 2, 0));
    let again = |story: &&Story| made.contains(story);
    // The last one was cut off with its end.
    assert!(resumed.stories.iter().filter(again).count() >= made.len() - 1, "not made again");
    let size = || text().len();
    let before = size();
    let output =
        run(&directory, &["crash", "--set", "RestartSec=500ms", "--trials", "12", "--resume", "r.jsonl"]);
    assert_eq!((output.status.code(), size()), (Some(2), before), "{}", said(&output));
    assert!(said(&output).contains("r.jsonl cannot be resumed: it is of another crash"), "{}", said(&output));
    let output = run(&directory, &["crash", "--trials", "12", "--seed", "1", "--resume", "r.jsonl"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("Give the same --seed"), "{}", said(&output));
}

pub fn trials_go_on_until_a_claim_is_shown_or_refuted(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    let until =
        |claim: &str| run(&directory, &["crash", "--jobs", "4", "--until", claim, "--report", "r.jsonl"]);
    let shown = until("recovered >= 50% within 5s");
    assert!(shown.status.success(), "{}", said(&shown));
    assert!(said(&shown).contains("PASS  recovered >= 50% within 5s: shown by "), "{}", said(&shown));
    let count = recorded(&directory, "r.jsonl").len();
    assert!((6..15).contains(&count), "six are enough, and some were under way: {count}");
    let refuted = until("recovered >= 95% within 1ms");
    assert_eq!(refuted.status.code(), Some(1), "{}", said(&refuted));
    assert!(
        said(&refuted).contains("FAIL  recovered >= 95% within 1ms: refuted, by 0 of "),
        "{}",
        said(&refuted)
    );
    let replayed =
        Command::new(hangproof()).args(["replay", "r.jsonl"]).current_dir(directory.path()).output();
    let replayed = replayed.expect("it runs");
    assert_eq!(
        (replayed.status.code(), &replayed.stdout),
        (Some(1), &refuted.stdout),
        "a replay comes to the same"
    );
    let never = run(
        &directory,
        &["crash", "--set", "WatchdogSec=0", "--until", "recovered >= 95% within WatchdogSec"],
    );
    assert_eq!(never.status.code(), Some(2), "{}", said(&never));
    assert!(said(&never).contains("can never be shown of crash"), "{}", said(&never));
}

pub fn an_interrupt_is_heard_while_a_start_is_waited_for_and_leaves_no_fault_of_the_instruments(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    let unit = "[Service]\nType=notify\nTimeoutStartSec=60\nExecStart=/bin/sleep 1000\n";
    std::fs::write(directory.path().join("slow.service"), unit).expect("written");
    let slow = "description = \"x\"\n[service]\nunit = \"slow.service\"\n[observe]\nhttp = \"http://127.0.0.1:8080/\"\n\
        [expect]\noutcome = \"undisturbed\"\n";
    std::fs::write(directory.path().join("slow.toml"), slow).expect("written");
    let mut command = command(&directory, &["slow.toml", "--report", "r.jsonl"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let text = || std::fs::read_to_string(directory.path().join("r.jsonl")).unwrap_or_default();
    eventually("the start is under way", || text().contains("job_emit_start_message"));
    let begin = Instant::now();
    kill_process(Pid::from_raw(child.id().cast_signed()).expect("a pid"), Signal::INT)
        .expect("it runs still");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert!(said(&output).contains("hangproof: interrupted; cleaning up"), "{}", said(&output));
    assert!(!text().contains("\"broke\""), "nothing broke: {}", text());
}
