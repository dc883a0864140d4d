//! The program as a person or a script uses it, where no machine is needed.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::{contains, starts_with};
use tempfile::TempDir;

fn hangproof(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangproof"));
    command.args(arguments);
    command
}

fn recording(name: &str) -> String {
    journals().join(format!("{name}.jsonl")).to_string_lossy().into_owned()
}

fn journals() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals")
}

/// A scenario file in a directory of its own, from the classic one with something replaced.
fn scenario(from: &str, to: &str) -> (TempDir, String) {
    let classic = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/classic.toml");
    let text = fs::read_to_string(classic).expect("it ships").replace(from, to);
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("mine.toml");
    fs::write(&path, text).expect("written");
    let path = path.to_string_lossy().into_owned();
    (directory, path)
}

#[test]
fn the_version_and_the_help_are_told() {
    hangproof(&["--version"]).assert().success().stdout(starts_with("hangproof "));
    hangproof(&["run", "--help"]).assert().success().stdout(contains("docs/scenario.md"));
    hangproof(&["--help"]).assert().success().stdout(contains("Exits with 0").and(contains("replay")));
}

#[test]
fn a_help_that_cannot_be_written_is_an_error() {
    for arguments in [&["run", "-h"][..], &["--help"], &["--version"], &["list"]] {
        let full = fs::File::options().write(true).open("/dev/full").expect("there is one");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_hangproof"))
            .args(arguments)
            .stdout(full)
            .stderr(std::process::Stdio::piped())
            .output();
        let output = output.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.starts_with("hangproof: standard output cannot be written to: "), "{said}");
    }
}

#[test]
fn two_reports_do_not_go_to_one_file_and_a_report_is_not_resumed() {
    let directory = TempDir::new().expect("a directory");
    let twice = ["run", "--report", "r.json", "--report", "./r.json"];
    let said = contains("the report ./r.json cannot be written: it is named twice");
    hangproof(&twice).current_dir(&directory).assert().code(2).stdout("").stderr(said);
    fs::write(directory.path().join("r.json"), "{}").expect("written");
    let said = contains("r.json cannot be resumed: a report does not hold what trials are made of");
    hangproof(&["run", "--resume", "r.json"]).current_dir(&directory).assert().code(2).stderr(said);
}

#[test]
fn a_replay_names_each_scenario_that_broke_and_why() {
    let directory = TempDir::new().expect("a directory");
    let plan = |case: &str, scenario: &str| {
        format!(
            "{{\"at\":1,\"case\":\"{case}\",\"moment\":\"planned\",\"scenario\":\"{scenario}\",\"description\":\"x\",\
            \"unit\":\"x.service\",\"trial\":1,\"seed\":1,\"expect\":{{\"outcome\":\"undisturbed\"}}}}\n"
        )
    };
    let [one, other] = ["a6df4ce6f6324bf2", "a6df4ce6f6324bf3"];
    let broke = format!(
        "{{\"at\":2,\"case\":\"{one}\",\"moment\":\"broke\",\"reason\":\"no such\\n  unit\\u001b\"}}\n"
    );
    let text = format!(
        "{{\"format\":\"hangproof\",\"version\":2,\"needs\":2}}\n{}{broke}{}",
        plan(one, "mine"),
        plan(other, "yours")
    );
    fs::write(directory.path().join("r.jsonl"), text).expect("written");
    let said = contains("hangproof: mine broke in trial 1: no such\n  unit\\u{1b}\n")
        .and(contains("hangproof: trial 1 of yours was not recorded to its end, and is left out\n"));
    let arguments = ["replay", "r.jsonl", "--report", "r.json"];
    hangproof(&arguments).current_dir(&directory).assert().code(4).stdout("").stderr(said);
    let report = fs::read_to_string(directory.path().join("r.json")).expect("written");
    let broke = "\"broke\": \"no such\\n  unit\\\\u{1b}\"";
    assert!(report.contains(broke) && !report.contains("yours"), "{report}");
}

#[test]
fn a_recording_of_something_else_is_not_resumed() {
    let said = contains("cannot be resumed: it is of other scenarios");
    hangproof(&["run", "crash", "--resume", &recording("no-watchdog")]).assert().code(2).stderr(said);
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    hangproof(&["run", "--seed", "-1"]).assert().code(2).stderr(contains("'-1'").and(contains("tip").not()));
    hangproof(&["--trails", "3"]).assert().code(2).stderr(contains("--trials"));
    hangproof(&["run", "--trials", "0"]).assert().code(2);
    hangproof(&["run", "--report", "r.csv"])
        .assert()
        .code(2)
        .stderr(contains("ends in .html (to look at), .json"));
}

#[test]
fn a_wrong_scenario_exits_with_2_and_is_pointed_at() {
    for (from, to, expected) in [
        (
            "inject = \"mute\"",
            "inject = \"mut\"",
            "mine.toml:14:10: there is no fault \"mut\"; did you mean \"mute\"?",
        ),
        (
            "outcome =",
            "outcom =",
            "mine.toml:17:1: unknown key \"outcom\" in [expect]; did you mean \"outcome\"?",
        ),
        ("[expect]", "[expect", "mine.toml:16:"),
    ] {
        let (_directory, path) = scenario(from, to);
        hangproof(&["run", &path]).assert().code(2).stdout("").stderr(contains(expected));
    }
    let (_directory, path) = scenario("hang_report = true", "hang_reports = 1\nundisturbed_for = \"0\"");
    let expected = contains("hangproof: ")
        .and(contains("mine.toml:20:1: unknown key \"hang_reports\""))
        .and(contains("mine.toml:21:1: undisturbed_for goes with"));
    hangproof(&["run", &path]).assert().code(2).stdout("").stderr(expected);
    let built_in = contains("cannot be read")
        .and(contains("; did you mean \"classic\"?"))
        .and(contains("`hangproof list` has the built-in"));
    hangproof(&["run", "clasic"]).assert().code(2).stderr(built_in);
}

#[test]
fn scenarios_are_listed_with_their_questions_and_a_folder_stands_for_those_in_it() {
    let built_in = contains("classic").and(contains("The server goes mute")).and(contains("[no fault"));
    hangproof(&["list"]).assert().success().stdout(built_in);
    let ships = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/controls");
    let controls = contains("blind-pings").and(contains("no-watchdog")).and(contains("classic").not());
    hangproof(&["list", &ships.to_string_lossy()]).assert().success().stdout(controls);
    let (directory, path) = scenario("\"mute\"", "\"mut\"");
    fs::copy(path, directory.path().join("other.toml")).expect("copied");
    let folder = directory.path().to_string_lossy();
    let both =
        contains("mine.toml:14:10: there is no fault").and(contains("other.toml:14:10: there is no fault"));
    hangproof(&["run", &folder]).assert().code(2).stderr(both);
    let empty = TempDir::new().expect("a directory");
    let nothing = contains("there is no scenario (NAME.toml) in this folder");
    hangproof(&["run", &empty.path().to_string_lossy()]).assert().code(2).stderr(nothing);
}

#[test]
fn a_program_that_is_none_of_ours_and_a_fault_that_there_is_not_are_told_of_in_a_line() {
    let (_directory, path) = scenario("\"bin:buggy_server\"", "\"bin:nope\"");
    let said = contains("mine.toml:6:43: there is no \"bin:nope\"; there are: buggy_server, sd-watchdog");
    hangproof(&["list", &path]).assert().code(2).stdout("").stderr(said);
    let said = "hangproof: there is no fault \"nope\"; `hangproof faults` has them all\n";
    hangproof(&["faults", "nope"]).assert().code(2).stderr(said);
}

#[test]
fn each_variant_of_a_matrix_is_listed_by_its_name() {
    let (_directory, path) = scenario("[expect]", "[matrix]\nWatchdogSec = [\"1s\", \"5s\"]\n[expect]");
    let both = contains("mine[WatchdogSec=1s]").and(contains("mine[WatchdogSec=5s]"));
    hangproof(&["list", &path]).assert().success().stdout(both);
}

#[test]
fn a_question_without_a_file_is_checked_as_one_in_a_file_is() {
    let asked = ["run", "--unit", "my", "--http", "http://127.0.0.1/", "--fault", "sigstp"];
    let said = contains("--fault: there is no fault \"sigstp\"; did you mean \"sigstop\"?");
    hangproof(&asked).assert().code(2).stdout("").stderr(said);
    hangproof(&["run", "classic", "--unit", "my"]).assert().code(2).stderr(contains("cannot be used with"));
    hangproof(&["run", "--fault", "mute"]).assert().code(2).stderr(contains("--unit <UNIT>"));
}

#[test]
fn a_scenario_that_names_files_of_others_is_refused_with_what_to_do() {
    let (_directory, path) = scenario("\"bin:buggy_server\"", "\"/etc/passwd\"");
    let refused = contains("mine.toml:6:43: /etc/passwd leads out of ")
        .and(contains("allow it with --allow-host-files"));
    hangproof(&["run", &path]).assert().code(2).stdout("").stderr(refused);
    let listed = contains("[mute; hang]");
    hangproof(&["list", "--allow-host-files", &path]).assert().success().stdout(listed);
}

#[test]
fn a_host_without_systemd_exits_with_3_and_the_remedy() {
    let empty = TempDir::new().expect("a directory");
    let root = empty.path().to_string_lossy();
    let remedy = contains("no machine can be booted here").and(contains("--root"));
    hangproof(&["run", "--root", &root]).assert().code(3).stderr(remedy);
}

#[test]
fn a_user_without_privilege_is_told_to_use_sudo() {
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-sys_admin", "--inh-caps=-sys_admin", env!("CARGO_BIN_EXE_hangproof")]);
        command.args(["run", "--machine", "namespace"]);
        command
    } else {
        hangproof(&["run", "--machine", "namespace"])
    };
    command.assert().code(3).stderr(contains("this is not root with CAP_SYS_ADMIN. Run it with sudo."));
}

#[cfg(feature = "docker")]
#[test]
fn no_docker_engine_exits_with_3_and_the_remedy() {
    let mut run = hangproof(&["run", "--machine", "docker"]);
    let remedy =
        contains("no Docker engine answers at unix:///no/such/socket").and(contains("set DOCKER_HOST"));
    run.env("DOCKER_HOST", "unix:///no/such/socket").assert().code(3).stdout("").stderr(remedy);
}

#[cfg(not(feature = "docker"))]
#[test]
fn a_hangproof_without_containers_says_so_and_exits_with_3() {
    let remedy = contains("built without the cargo feature docker. Build it with that feature");
    hangproof(&["run", "--machine", "docker"]).assert().code(3).stdout("").stderr(remedy.clone());
    hangproof(&["run", "--image", "hangproof:trixie"]).assert().code(3).stderr(remedy.clone());
    hangproof(&["doctor"]).assert().stdout(contains("no  docker     this hangproof was").and(remedy));
}

#[cfg(feature = "docker")]
#[test]
fn the_doctor_says_what_works_and_what_to_do_about_what_does_not() {
    let mut doctor = hangproof(&["doctor"]);
    let said = contains("namespace").and(contains("no  docker     no Docker engine answers"));
    doctor.env("DOCKER_HOST", "unix:///no/such/socket").assert().stdout(said);
}

#[test]
fn a_report_that_cannot_be_written_is_found_out_before_the_run() {
    let expected = contains("/no/such/directory/r.json cannot be written");
    hangproof(&["run", "--report", "/no/such/directory/r.json"]).assert().code(2).stderr(expected);
}

#[test]
fn a_replay_needs_no_machine_and_exits_as_the_verdict_says() {
    hangproof(&["replay", &recording("trigger")]).assert().success().stdout(contains("PASS"));
    hangproof(&["replay", &recording("no-watchdog")]).assert().code(1).stdout(contains("FAIL"));
    hangproof(&["replay", &recording("late")]).assert().code(4).stdout(contains("UNSOUND"));
}

#[test]
fn what_cannot_be_printed_exits_with_2_and_a_reader_that_has_gone_is_no_error() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let mut replay = std::process::Command::new(env!("CARGO_BIN_EXE_hangproof"));
    let output = replay.args(["replay", &recording("trigger")]).stdout(full).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("standard output cannot be written to: No space left"), "{said}");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let gone = replay.stdout(writer).status().expect("it runs");
    assert!(gone.success(), "{gone}");
}

#[test]
fn a_replay_writes_the_report_of_the_run_it_replays() {
    let directory = TempDir::new().expect("a directory");
    let report = directory.path().join("r.json");
    let path = report.to_string_lossy();
    hangproof(&["replay", &recording("trigger"), "--report", &path]).assert().success();
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&report).expect("written")).expect("JSON");
    assert_eq!(report["schema"], "hangproof/2");
    let trial = &report["runs"][0]["trials"][0];
    assert_eq!((&trial["verdict"], &trial["fault"]), (&"pass".into(), &"mute".into()));
    assert!(trial["phases"]["detect_ms"].as_f64().is_some_and(|detect| detect > 0.0 && detect < 2200.0));
    assert!(report["runs"][0]["bounds"]["detect_ms"] == 2100.0);
}

#[test]
fn a_run_that_was_skipped_is_no_failure_and_says_what_to_do() {
    let run = fs::read_to_string(recording("trigger")).expect("it ships").lines().next().map(str::to_owned);
    let reason = "needs /usr/sbin/nginx: apt-get install nginx-light";
    let skipped = format!("{}\n{{\"record\":\"skipped\",\"reason\":\"{reason}\"}}\n", run.expect("a run"));
    let directory = TempDir::new().expect("a directory");
    let (path, report) = (directory.path().join("skipped.jsonl"), directory.path().join("r.json"));
    fs::write(&path, skipped).expect("written");
    let replay = ["replay", &path.to_string_lossy(), "--report", &report.to_string_lossy()];
    hangproof(&replay)
        .assert()
        .success()
        .stdout(contains(format!("SKIP  {reason}")).and(contains("PASS").not()));
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&report).expect("written")).expect("JSON");
    let run = &report["runs"][0];
    assert_eq!((&run["verdict"], &run["skipped"]), (&"skip".into(), &reason.into()));
}

#[test]
fn what_is_no_recording_is_refused_with_the_line() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("bad.jsonl");
    for (text, expected) in [
        ("", "it holds no complete trial"),
        ("{\"record\":\"end\",\"at_usec\":1}\n", "line 1: a trial's record outside of a trial"),
        ("\nnot json\n", "line 2: "),
    ] {
        fs::write(&path, text).expect("written");
        hangproof(&["replay", &path.to_string_lossy()]).assert().code(2).stderr(contains(expected));
    }
    hangproof(&["replay", "/no/such/file.jsonl"]).assert().code(2).stderr(contains("No such file"));
}

#[test]
fn a_recording_that_was_cut_short_is_replayed_up_to_there() {
    let whole = fs::read_to_string(recording("crash-trials")).expect("it ships");
    let last_trial = whole.rfind("{\"record\":\"trial\"").expect("several trials");
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("cut.jsonl");
    fs::write(&path, &whole[..last_trial + 200]).expect("written");
    hangproof(&["replay", &path.to_string_lossy()]).assert().success().stdout(contains("2 of 2 trials"));
    let line_end = last_trial + whole[last_trial..].find('\n').expect("lines") + 1;
    fs::write(&path, &whole[..line_end]).expect("written");
    hangproof(&["replay", &path.to_string_lossy()]).assert().success().stdout(contains("2 of 2 trials"));
}

#[test]
fn of_what_was_skipped_nothing_is_missing_when_it_is_merged() {
    let directory = TempDir::new().expect("a directory");
    let hangproof = |arguments: &[&str]| {
        let mut command = hangproof(arguments);
        command.current_dir(&directory);
        command
    };
    // That is known before anything is booted.
    let run = ["run", "clock-step", "--report", "r.jsonl", "--report", "r.json"];
    hangproof(&run).assert().success().stdout(contains("SKIP  needs a wall clock"));
    for file in ["r.json", "r.jsonl"] {
        let merged = hangproof(&["merge", file]).assert().success().stderr("");
        merged.stdout(contains("SKIP  needs a wall clock").and(contains("0 of 0").not()));
    }
}

#[test]
fn what_cannot_be_merged_or_compared_is_named_with_the_reason() {
    let directory = TempDir::new().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("written");
        path.to_string_lossy().into_owned()
    };
    let other = write("other.json", r#"{"schema": "other/1"}"#);
    hangproof(&["merge", &other])
        .assert()
        .code(2)
        .stderr(contains("its schema is other/1, this program reads hangproof/2"));
    let none = write("none.json", "[]");
    hangproof(&["merge", &none])
        .assert()
        .code(2)
        .stderr(contains("it has no schema. What can be read back is what"));
    hangproof(&["merge", "/no/such.json"])
        .assert()
        .code(2)
        .stderr(contains("/no/such.json cannot be read: No such"));
    let trigger = recording("trigger");
    hangproof(&["merge", &trigger, &trigger]).assert().success().stdout(contains("PASS"));
    let (json, xml) = (write("r.json", ""), write("r.xml", ""));
    hangproof(&["replay", &trigger, "--report", &json]).assert().success();
    let refused = contains("of .json reports a .json is made; of recordings (.jsonl) any report");
    hangproof(&["merge", &trigger, &json, "--report", &xml]).assert().code(2).stderr(refused);
    let no_host = contains("cannot be compared: the first does not tell on which host it was made");
    hangproof(&["diff", &json, &trigger]).assert().code(2).stderr(no_host);
    hangproof(&["diff", &json]).assert().code(2).stderr(contains("<AFTER>"));
}
