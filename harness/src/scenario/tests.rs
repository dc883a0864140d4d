//! Scenario files, and what is said of their mistakes.

use proptest::prelude::*;

use super::observe::{Bytes, Place, Question};

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use super::document::Text;
use super::service::Source;
use super::*;
use crate::fault::catalogue;

pub(super) const GOOD: &str = r#"
description = "d"
[service]
unit = "x.service"
override = { Service = { WatchdogSec = 1, ExecStart = ["", "/bin/true"], PrivateTmp = false } }
[observe]
http = "http://127.0.0.1:8080/"
[fault]
inject = "mute"
[expect]
outcome = "restarted"
by = "watchdog"
recovery_within = "WatchdogSec"
"#;

pub(super) const HTTP: &str = "http = \"http://127.0.0.1:8080/\"";

/// A directory with a unit, and what is read of a scenario in it.
fn variants_in(directory: &Path, text: &str) -> Result<Vec<Scenario>, String> {
    std::fs::write(directory.join("x.toml"), text).expect("written");
    std::fs::write(directory.join("x.service"), "[Service]\n").expect("written");
    let path = directory.join("x.toml").to_string_lossy().into_owned();
    let read = Loader::default().load_all([path.as_str()]);
    read.map_err(|error| error.to_string().replace(&format!("{}/", directory.display()), ""))
}

pub(super) fn parse(text: &str) -> Result<Scenario, String> {
    let directory = tempfile::tempdir().expect("a directory");
    Ok(variants_in(directory.path(), text)?.swap_remove(0))
}

#[test]
fn every_built_in_scenario_is_valid() {
    for (name, _) in builtin::all() {
        Scenario::load(name).expect(name);
    }
}

#[test]
fn overrides_become_a_drop_in() {
    let scenario = parse(GOOD).expect("valid");
    assert_eq!(scenario.service.guard, None);
    assert_eq!(
        scenario.service.drop_in(),
        "[Service]\nExecStart=\nExecStart=/bin/true\nPrivateTmp=no\nWatchdogSec=1\n"
    );
}

#[test]
fn what_is_sent_and_expected_over_tcp_has_its_control_characters() {
    let tcp = "tcp = \"localhost:6379\"\nsend = \"PING\\r\\n\\u0000\"\nexpect = \"+PONG\"";
    let observe = parse(&GOOD.replace(HTTP, tcp)).expect("valid").observe;
    let bytes = Bytes { send: b"PING\r\n\0".into(), expect: b"+PONG".into() };
    let places = ["127.0.0.1:6379", "[::1]:6379"].map(|place| place.parse().expect("an address"));
    let question = Question::Bytes(Place::Port(places.into()), bytes);
    assert_eq!((observe.to_string().as_str(), observe.question), ("tcp://127.0.0.1:6379", question));
}

#[test]
fn a_service_may_have_few_clients_who_wait_long() {
    let few = format!("{HTTP}\ninterval = \"2s\"\ntimeout = \"10s\"");
    let undisturbed =
        GOOD.replace("\"restarted\"\nby = \"watchdog\"\nrecovery_within", "\"undisturbed\"\nundisturbed_for");
    let spans =
        |text: &str| parse(text).map(|scenario| (scenario.observe.interval, scenario.observe.timeout));
    let seconds = Duration::from_secs;
    assert_eq!(spans(&undisturbed.replace(HTTP, &few)), Ok((seconds(2), seconds(10))));
    assert_eq!(spans(&GOOD.replace(HTTP, &few)), Ok((seconds(2), seconds(10))));
    assert_eq!(spans(&undisturbed), Ok((TICK, seconds(1))));
}

#[test]
fn every_scenario_that_ships_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut seen = 0;
    for directory in [root.clone(), root.join("controls")] {
        for file in std::fs::read_dir(directory).expect("a directory") {
            let path = file.expect("an entry").path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                Scenario::load(&path.to_string_lossy()).unwrap_or_else(|error| panic!("{error}"));
                seen += 1;
            }
        }
    }
    assert!(seen > 25, "{seen}");
}

#[test]
fn every_value_that_a_unit_file_can_hold_is_taken() {
    let set = "{ A = 0.5, B = 0x10, C = [1, true, \"x\", 2.0], D = -3, E = 1e2 }";
    let text =
        GOOD.replace("{ WatchdogSec = 1, ExecStart = [\"\", \"/bin/true\"], PrivateTmp = false }", set);
    let text = text.replace("\"WatchdogSec\"", "\"5s\"");
    let drop_in = parse(&text).expect("valid").service.drop_in();
    assert_eq!(drop_in, "[Service]\nA=0.5\nB=16\nC=1\nC=yes\nC=x\nC=2\nD=-3\nE=100\n");
}

proptest! {
    #[test]
    fn no_text_of_a_scenario_makes_the_reader_panic(
        which in 0..builtin::all().count(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..30_usize, any::<prop::sample::Index>()), 1..6),
    ) {
        const PIECES: [&str; 24] = [
            "", "\"", "\"\"\"", "[", "]", "{", "}", "=", "\n", "0", "-1", "1e999", "nan", "18446744073709551615", "infinity",
            "500000000000y 500000000000y", "\"0us\"", "\u{1b}]0;x\u{7}", "\u{202e}漢", "\\u0000", "[[fault]]\n",
            "[expect]\n", "undisturbed_for = \"99999999999999y\"\n", "1979-05-27",
        ];
        let mut text = builtin::all().nth(which).expect("there are that many").1.to_owned();
        for (at, length, piece) in edits {
            let boundaries = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect::<Vec<_>>();
            let begin = at.index(boundaries.len());
            let end = boundaries[(begin + length).min(boundaries.len() - 1)];
            text.replace_range(boundaries[begin]..end, PIECES[piece.index(PIECES.len())]);
        }
        match Loader::default().read(Text::named("x.toml", &text)) {
            Ok(variants) => {
                let scenario = &variants[0];
                let settings = crate::model::bound::tests::settings(crate::model::settings::OnHang::Trigger);
                let _ = (scenario.content(), scenario.plan(1, 0), scenario.expect.limit(&settings));
                let _ = crate::model::clock::Usec(u64::MAX) + scenario.expect.calm(&settings);
            }
            Err(error) => prop_assert!(error.to_string().contains("x.toml:")),
        }
    }
}

#[test]
fn when_a_service_is_ready_has_a_limit_of_its_own() {
    let ready = |with: &str| {
        parse(&GOOD.replace("[fault]", &format!("{with}[fault]"))).map(|s| s.expect.ready_within)
    };
    assert_eq!(ready(""), Ok(None));
    assert_eq!(ready("[ready]\nwithin = \"20s\"\n"), Ok(Some("20s".into())));
    assert_eq!(ready("[ready]\nwithin = \"TimeoutStartSec\"\n"), Ok(Some("TimeoutStartSec".into())));
}

#[test]
fn all_mistakes_are_told_at_once_and_each_at_its_own_place() {
    let text = r#"
[service]
unit = "x@.service"
gard = "g.service"
override = { Service = { WatchdogSec = "soon", X = [[1]], "A B" = 1, Y = "a\nb" } }
files = { "x" = "y", "/z" = 7 }
[observe]
http = "http://127.0.0.1:8080/"
interval = "soon"
[fault]
inject = "mute"
[expect]
outcome = "failed"
recovery_within = "soon"
undisturbed_for = "2s"
"#;
    let said = parse(text).expect_err("wrong");
    let expected = [
        "x.toml:1:1: a scenario needs description",
        "x.toml:3:8: x@.service is a template, of which systemd starts instances: name the file x@INSTANCE.service",
        "x.toml:4:1: unknown key \"gard\" in [service]; did you mean \"guard\"?",
        "x.toml:5:53: X is to be a string, a number, a boolean, or a list of them, and is of type array",
        "x.toml:5:59: \"A B\" is no name of a unit's sections and directives",
        "x.toml:5:74: Y is to be one line",
        "x.toml:6:11: \"x\" is no absolute path in the machine",
        "x.toml:6:17: y cannot be read: No such file or directory (os error 2)",
        "x.toml:6:29: /z is to be a string or a table, and is of type integer",
        "x.toml:9:12: interval = \"soon\" is no time span above 0; an example: \"2s\"",
        "x.toml:14:19: \"soon\" is neither a time span (\"5s\") nor one of WatchdogSec, RestartSec, TimeoutStartSec, TimeoutStopSec, TimeoutAbortSec",
        "x.toml:15:1: undisturbed_for goes with outcome = \"undisturbed\", and this one is \"failed\"",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_decided_about_a_fault_is_of_its_kind_and_belongs_to_the_case() {
    let with = |keys: &str| parse(&GOOD.replace("\"mute\"", &format!("\"sigstop\"\n{keys}")));
    let [plain, all, main] =
        ["", "processes = \"all\"", "processes = \"main\""].map(|keys| with(keys).expect("valid"));
    assert_eq!(plain.content(), all.content());
    assert_ne!(plain.content(), main.content());
    assert_eq!(main.plan(1, 1).fault.as_deref(), Some("sigstop processes=main"));
    for (keys, expected) in [
        (
            "proceses = \"main\"",
            "x.toml:10:1: unknown key \"proceses\" in [fault]; did you mean \"processes\"?",
        ),
        (
            "processes = \"mian\"",
            "x.toml:10:13: processes is to be one of \"all\", \"main\", \"one\"; did you mean \"main\"?",
        ),
        (
            "processes = 1",
            "x.toml:10:13: processes is to be one of \"all\", \"main\", \"one\", and is of type integer",
        ),
    ] {
        assert_eq!(with(keys).expect_err(keys), expected);
    }
    let foreign =
        parse(&GOOD.replace("\"mute\"", "\"mute\"\nprocesses = \"main\"")).expect_err("not its own");
    assert_eq!(
        foreign,
        "x.toml:10:1: unknown key \"processes\" in [fault]; it goes with inject = \"sigstop\""
    );
}

#[test]
fn a_value_that_a_parameter_may_not_have_is_answered_with_what_it_may() {
    let values = [
        "-1",
        "\"-1\"",
        "\"-1s\"",
        "1.5",
        "nan",
        "inf",
        "1e400",
        "99999999999999999999999",
        "\"nan\"",
        "\"\"",
        "true",
        "[]",
        "{ x = 1 }",
    ];
    for spec in catalogue() {
        for parameter in &spec.parameters {
            for value in values {
                let (name, wanted) = (parameter.name, parameter.kind.wanted());
                let keys = format!("\"{}\"\n{name} = {value}", spec.name);
                let said = parse(&GOOD.replace("\"mute\"", &keys)).expect_err(&keys);
                assert!(
                    said.contains(&format!("x.toml:10:{}: {name} is to be {wanted}", name.len() + 4)),
                    "{keys}: {said}"
                );
            }
        }
    }
}

#[test]
fn what_is_misspelt_is_not_said_to_be_missing_too_and_hides_no_contradiction() {
    for (from, to, said) in [
        ("[observe]", "[observ]", "x.toml:6:2: unknown key \"observ\"; did you mean \"observe\"?"),
        (
            "outcome =",
            "outcom =",
            "x.toml:11:1: unknown key \"outcom\" in [expect]; did you mean \"outcome\"?",
        ),
        ("http =", "htpt =", "x.toml:7:1: unknown key \"htpt\" in [observe]; did you mean \"http\"?"),
        ("unit =", "unti =", "x.toml:4:1: unknown key \"unti\" in [service]; did you mean \"unit\"?"),
    ] {
        assert_eq!(parse(&GOOD.replace(from, to)).expect_err(to), said);
    }
    let text = GOOD.replace("inject =", "injekt =") + "undisturbed_for = \"2s\"\noutage_within = \"1us\"\n";
    let said = parse(&text).expect_err("three mistakes");
    for part in ["unknown key \"injekt\"", "x.toml:14:1: undisturbed_for goes with", "x.toml:15:1: no outage"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn what_the_unit_itself_says_is_part_of_the_arithmetic_and_so_is_what_is_set_besides() {
    let directory = tempfile::tempdir().expect("a directory");
    let read = |unit: &str, set: &[&str]| {
        std::fs::write(directory.path().join("my.service"), unit).expect("written");
        let text = GOOD.replace("WatchdogSec = 1, ", "").replace("x.service", "my.service");
        let text = text + "restart_within = \"1s\"\n";
        let path = directory.path().join("x.toml");
        std::fs::write(&path, text).expect("written");
        let set = set.iter().map(|set| set.parse().expect("an assignment")).collect();
        let loader = Loader { set, ..Loader::default() };
        let read = loader.load_all([path.to_string_lossy().as_ref()]);
        read.map(|_| ()).map_err(|error| error.to_string())
    };
    let watched = "[Service]\nWatchdogSec=2s\n";
    assert_eq!(read(watched, &[]), Ok(()));
    let said = read(&format!("{watched}RestartSec=3s\n"), &[]).expect_err("too late");
    assert!(
        said.ends_with(
            "x.toml:14:1: no restart takes less than 1 s: RestartSec is 3 s, and comes on top of all else"
        ),
        "{said}"
    );
    assert_eq!(read(&format!("{watched}RestartSec=3s\n"), &["RestartSec=0"]), Ok(()));
    let said = read("[Service]\n", &[]).expect_err("there is none");
    assert!(
        said.ends_with("x.toml:13:1: WatchdogSec is not set in this unit: give a time span, or set it"),
        "{said}"
    );
    assert!(read(watched, &["WatchdogSec=0"]).expect_err("off").contains("WatchdogSec is off in this unit"));
    assert_eq!(read("[Service]\n", &["WatchdogSec=1s"]), Ok(()));
}

#[test]
fn what_could_never_be_expected_is_a_mistake_at_its_place() {
    for (from, to, expected) in [
        (
            "recovery_within = \"WatchdogSec\"",
            "outage_within = \"1us\"",
            "x.toml:13:1: no outage that is seen is as short as 1 µs: [observe] interval is 10 ms",
        ),
        (
            "\"WatchdogSec\"",
            "\"50ms\"",
            "x.toml:13:1: no recovery takes less than 50 ms: RestartSec is 100 ms, systemd's default",
        ),
        ("\"WatchdogSec\"", "\"500000000000y\"", "x.toml:13:19: \"500000000000y\" is too long a time span"),
        (
            HTTP,
            "http = \"http://[::1]/\"\ninterval = \"500000000000y\"",
            "x.toml:8:12: interval = \"500000000000y\" is too long a",
        ),
        (
            "recovery_within = \"WatchdogSec\"",
            "diagnosis = \"x\"\nhang_report = false",
            "x.toml:13:1: a diagnosis is in the hang report",
        ),
        (
            "recovery_within = \"WatchdogSec\"",
            "journal = [\"x\", \"\"]",
            "x.toml:13:17: what is looked for is to be a part of one line",
        ),
        ("recovery_within = \"WatchdogSec\"", "diagnosis = \"a\\nb\"", "x.toml:13:13: what is looked for"),
        (
            "inject = \"mute\"\n[expect]\noutcome = \"restarted\"\nby = \"watchdog\"\nrecovery_within = \"WatchdogSec\"",
            "inject = \"mute\"\n[expect]\noutcome = \"undisturbed\"\ndetect_within = \"1s\"",
            "x.toml:12:1: detect_within: with outcome = \"undisturbed\"",
        ),
    ] {
        let text = GOOD.replace(from, to);
        let said = parse(&text).expect_err(to);
        assert!(said.contains(expected), "{to}: {said}");
    }
}

#[test]
fn errors_give_the_place_and_the_nearest_right_word() {
    for (from, to, expected) in [
        ("inject =", "injekt =", "x.toml:9:1: unknown key \"injekt\" in [fault]; did you mean \"inject\"?"),
        ("[observe]", "[observ]", "x.toml:6:2: unknown key \"observ\"; did you mean \"observe\"?"),
        ("\"mute\"", "\"mut\"", "x.toml:9:10: there is no fault \"mut\"; did you mean \"mute\"?"),
        ("\"mute\"", "\"sigstp\"", "x.toml:9:10: there is no fault \"sigstp\"; did you mean \"sigstop\"?"),
        ("\"WatchdogSec\"", "\"Watchdog\"", "x.toml:13:19: \"Watchdog\" is neither a time span"),
        (
            "\"restarted\"",
            "\"restart\"",
            "x.toml:11:11: there is no outcome \"restart\"; did you mean \"restarted\"?",
        ),
        ("by = \"watchdog\"", "by = \"watchdog", "x.toml:12:"),
        ("http://127.0.0.1:8080/", "127.0.0.1:8080", "is not http://HOST:PORT/PATH"),
        (
            "unit = \"x.service\"",
            "unit = \"x.service\"\ngard = \"g.service\"",
            "x.toml:5:1: unknown key \"gard\" in [service]; did you mean \"guard\"?",
        ),
        (HTTP, "", "x.toml:6:1: [observe] needs exactly one of http, tcp, unix and exec"),
        (
            HTTP,
            "http = \"http://[::1]/\"\ntcp = \"[::1]:80\"\nexpect = \"x\"",
            "x.toml:6:1: [observe] needs exactly",
        ),
        (HTTP, "http = \"http://[::1]/\"\nsend = \"PING\"", "x.toml:8:1: send goes with tcp"),
        (HTTP, "tcp = \"127.0.0.1:6379\"", "x.toml:7:1: tcp needs expect"),
        (HTTP, "tcp = \"127.0.0.1:6379\"\nexpect = \"\"", "x.toml:7:1: tcp needs expect"),
        (HTTP, "tcp = \"redis\"\nexpect = \"x\"", "x.toml:7:7: \"redis\" is not ADDRESS:PORT"),
        (
            HTTP,
            "tpc = \"127.0.0.1:6379\"",
            "x.toml:7:1: unknown key \"tpc\" in [observe]; did you mean \"tcp\"?",
        ),
        ("by = \"watchdog\"", "hang_repor = true", "in [expect]; did you mean \"hang_report\"?"),
        (
            HTTP,
            "http = \"http://[::1]/\"\ninterval = \"soon\"",
            "x.toml:8:12: interval = \"soon\" is no time span above 0",
        ),
        (HTTP, "http = \"http://[::1]/\"\ntimeout = \"0s\"", "x.toml:8:11: timeout = \"0s\" is no time span"),
        ("unit = \"x.service\"", "", "x.toml:3:1: [service] needs unit"),
        ("[fault]\ninject = \"mute\"", "", "x.toml:10:1: without a [fault]"),
        (
            "inject = \"mute\"",
            "inject = \"mute\"\nafter = \"2s\"",
            "x.toml:10:9: the first fault waits for nothing",
        ),
        (
            "inject = \"mute\"",
            "inject = \"mute\"\nexpect = { outcome = \"failed\" }",
            "x.toml:10:1: what is expected of the first",
        ),
        (
            "inject = \"mute\"",
            "inject = \"crash\"\nheal_after = \"1s\"",
            "x.toml:10:1: crash cannot be healed",
        ),
        (
            "[fault]\ninject = \"mute\"",
            "[[fault]]\ninject = \"mute\"\n[[fault]]\ninject = \"mute\"\nafter = \"restarted\"",
            "x.toml:12:9: \"restarted\" is neither a time span (\"2s\") nor one of recovered, detected, ended, starting",
        ),
        (
            "[fault]\ninject = \"mute\"",
            "[[fault]]\ninject = \"mute\"\n[[fault]]\ninject = \"mute\"\nexpect = { outcome = \"undisturbd\" }",
            "x.toml:12:22: there is no outcome \"undisturbd\"; did you mean \"undisturbed\"?",
        ),
        (
            "[fault]\ninject = \"mute\"",
            "[[fault]]\ninject = \"mute\"\n[[fault]]\ninject = \"crash\"\n",
            "x.toml:15:1: this fault ends the process without the watchdog",
        ),
        ("\"x.service\"", "\"a b.service\"", "x.toml:4:8: a unit's name has no ' '"),
        ("[fault]", "[ready]\nwithin = \"0\"\n[fault]", "x.toml:9:1: no service is ready within no time"),
        ("[fault]", "[ready]\n[fault]", "x.toml:8:1: [ready] needs within"),
        ("\"x.service\"", "\"..\"", "x.toml:4:8: \"..\" is not NAME.service"),
        (
            "by = \"watchdog\"",
            "hang_report = 1",
            "x.toml:12:15: hang_report is to be true or false, and is of",
        ),
        ("\"restarted\"", "\"undisturbed\"", "x.toml:12:1: by tells what ends the service"),
    ] {
        let error = parse(&GOOD.replace(from, to)).expect_err(to);
        assert!(error.contains(expected), "{error:?} should contain {expected:?}");
    }
}

#[test]
fn a_scenario_says_only_in_what_it_differs_from_one_that_it_extends() {
    let directory = tempfile::tempdir().expect("a directory");
    let here = directory.path();
    std::fs::create_dir(here.join("base")).expect("made");
    let base = GOOD.replace("unit =", "users = [\"u\"]\nrequires = { \"/a\" = \"a\" }\nunit =");
    std::fs::write(here.join("base/base.toml"), base).expect("written");
    std::fs::write(here.join("base/x.service"), "[Service]\n").expect("written");
    let heir = "extends = \"base/base.toml\"\ndescription = \"other\"\n[service]\nrequires = { \"/b\" = \"b\" }\n\
        override = { Service = { WatchdogSec = 2 }, Unit = { X = 1 } }\n[observe]\ntimeout = \"2s\"\n[expect]\nhang_report = true\n";
    let read = variants_in(here, heir).expect("valid").swap_remove(0);
    let base = Scenario::load(&here.join("base/base.toml").to_string_lossy()).expect("valid");
    assert_eq!(
        read.service.drop_in(),
        "[Service]\nExecStart=\nExecStart=/bin/true\nPrivateTmp=no\nWatchdogSec=2\n[Unit]\nX=1\n"
    );
    assert_eq!((read.name.as_str(), read.description.as_str()), ("x", "other"));
    assert_eq!(read.service.requires.keys().collect::<Vec<_>>(), ["/a", "/b"]);
    assert_eq!(
        (read.observe.timeout, &read.observe.question),
        (Duration::from_secs(2), &base.observe.question)
    );
    assert_eq!(read.expect, Expectation { hang_report: Some(true), ..base.expect });
    // From where the base is.
    assert_eq!(read.service.unit.read(&crate::programs::Programs::default()), Ok(b"[Service]\n".to_vec()));
}

#[test]
fn a_table_that_says_what_it_is_about_stands_for_itself() {
    let heir = "extends = \"classic\"\n[observe]\ntcp = \"[::1]:80\"\nexpect = \"x\"\n[expect]\noutcome = \"failed\"\n";
    let read = parse(heir).expect("valid");
    assert_eq!((read.expect.by, read.expect.hang_report, read.expect.recovery_within), (None, None, None));
    assert_eq!(read.observe.to_string(), "tcp://[::1]:80");
    assert_eq!(read.faults, Scenario::load("classic").expect("valid").faults);
}

#[test]
fn what_cannot_be_extended_is_told_at_its_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let here = directory.path();
    for (name, text) in [
        ("a", "extends = \"b.toml\"".to_owned()),
        ("b", "extends = \"a.toml\"".into()),
        ("wrong", "\n[expect]\noutcom = 1\n".into()),
        ("no", "= 1".into()),
    ] {
        std::fs::write(here.join(format!("{name}.toml")), text).expect("written");
    }
    for step in 0..9 {
        let text = format!("extends = \"d{}.toml\"", step + 1);
        std::fs::write(here.join(format!("d{step}.toml")), text).expect("written");
    }
    std::os::unix::fs::symlink("x.toml", here.join("link.toml")).expect("linked");
    for (extended, expected) in [
        (
            "\"clasic\"",
            "x.toml:1:11: there is no built-in scenario \"clasic\", and a file is NAME.toml; did you mean \"classic\"?",
        ),
        (
            "7",
            "x.toml:1:11: extends is to be a string, a file or a built-in scenario, and is of type integer",
        ),
        ("\"none.toml\"", "x.toml:1:11: none.toml cannot be read: No such file"),
        ("\"../x.toml\"", "x.toml:1:11: ../x.toml leads out of "),
        ("\"/etc/x.toml\"", "x.toml:1:11: /etc/x.toml leads out of "),
        (
            "\"a.toml\"",
            "b.toml:1:11: a scenario cannot extend itself: x.toml, which extends a.toml, which extends b.toml, which extends a.toml",
        ),
        ("\"x.toml\"", "x.toml:1:11: a scenario cannot extend itself: "),
        ("\"link.toml\"", "x.toml:1:11: a scenario cannot extend itself: "),
        ("\"d0.toml\"", "d6.toml:1:11: more than 8 scenarios extend one another: "),
        ("\"no.toml\"", "no.toml:1:1: "),
        ("\"wrong.toml\"", "wrong.toml:3:1: unknown key \"outcom\" in [expect]; did you mean \"outcome\"?"),
    ] {
        let said = variants_in(here, &format!("extends = {extended}")).expect_err(extended);
        assert!(said.contains(expected), "{extended}: {said}");
    }
}

#[test]
fn a_matrix_makes_a_scenario_of_each_combination_with_a_name_of_its_own() {
    let text = format!(
        "{GOOD}[matrix]\nWatchdogSec = [\"1s\", 5]\nUnit.X = [true]\nfault.inject = [\"mute\", \"spin\"]\n\
        Service.ExecStart = [[\"\", \"/bin/a\"], [\"\", \"/bin/b\"]]\n"
    );
    let directory = tempfile::tempdir().expect("a directory");
    let variants = variants_in(directory.path(), &text).expect("valid");
    let names = variants.iter().map(|variant| variant.name.as_str()).collect::<Vec<_>>();
    assert_eq!(names.len(), 8);
    assert_eq!(names[0], "x[Service.ExecStart=#1,Unit.X=true,WatchdogSec=1s,fault.inject=mute]");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 8);
    assert_eq!(variants.iter().map(Scenario::content).collect::<BTreeSet<_>>().len(), 8);
    let last = &variants[7];
    assert_eq!(
        last.service.drop_in(),
        "[Service]\nExecStart=\nExecStart=/bin/b\nPrivateTmp=no\nWatchdogSec=5\n[Unit]\nX=yes\n"
    );
    assert_eq!(last.plan(1, 1).fault.as_deref(), Some("spin"));
}

#[test]
fn what_a_matrix_cannot_be_is_told_at_its_place() {
    let many = "[\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\", \"9\"]";
    for (matrix, expected) in [
        ("WatchdogSec = \"1s\"", "x.toml:15:15: [matrix] has lists: "),
        ("WatchdogSec = []", "x.toml:15:15: a list of no values"),
        ("fualt.inject = [\"mute\"]", "x.toml:15:1: [matrix] knows no \"fualt\"; did you mean \"fault\"?"),
        ("expect = [1]", "x.toml:15:1: expect is a table: [matrix] sets one of its keys, expect.KEY"),
        ("extends = [\"classic\"]", "x.toml:15:1: extends is the same for all variants"),
        ("description.x = [1]", "x.toml:15:1: description is the same for all variants"),
        ("expect.outcome.x = [1]", "x.toml:15:1: outcome is no table"),
        (
            "fault.inject = [\"mute\", \"mut\"]",
            "x.toml:15:25: there is no fault \"mut\"; did you mean \"mute\"?",
        ),
        ("A = [1, \"1\"]", "x.toml:15:9: \"1\" is there twice"),
    ] {
        let text = format!("{GOOD}[matrix]\n{matrix}\n");
        let said = parse(&text).expect_err(matrix);
        assert!(said.contains(expected), "{matrix}: {said}");
    }
    let text = format!("{GOOD}[matrix]\nA = {many}\nB = {many}\n");
    let said = parse(&text).expect_err("many");
    assert_eq!(
        said,
        "x.toml:14:1: 9 × 9 variants are more than the 64 that a file may have: make several files"
    );
}

#[test]
fn what_is_put_into_the_machine_has_a_source_permissions_and_an_owner() {
    let directory = tempfile::tempdir().expect("a directory");
    let here = directory.path();
    std::fs::create_dir(here.join("etc")).expect("made");
    let with = |lines: &str| GOOD.replace("override", &format!("{lines}\noverride"));
    let files = r#"files = { "/a" = "bin:sd-watchdog", "/b" = { text = "t", mode = "0640", owner = "redis:tls" }, "/c" = "etc" }
directories = { "/var/lib/x" = { owner = "redis" } }
users = ["redis"]
enabled = true
requires = { controllers = ["memory"] }"#;
    let service = variants_in(here, &with(files)).expect("valid").swap_remove(0).service;
    assert_eq!(service.files["/a"].source, Source::Program("sd-watchdog".into()));
    assert!(matches!(service.files["/c"].source.find(), Ok(Some(directory::Found::Directory(_)))));
    let permissions = &service.files["/b"].permissions;
    assert_eq!((permissions.mode, permissions.owner.as_deref()), (Some(0o640), Some("redis:tls")));
    assert_eq!(service.directories["/var/lib/x"].owner.as_deref(), Some("redis"));
    assert_eq!((service.enabled, service.users.len(), service.controllers.len()), (true, 1, 1));
    for (lines, expected) in [
        (r#"files = { "/a" = "none" }"#, "x.toml:5:18: none cannot be read: No such file"),
        (r#"files = { "/a" = "../x" }"#, "x.toml:5:18: ../x leads out of "),
        (r#"files = { "/a" = "/dev/zero" }"#, "/dev/zero leads out of "),
        (
            r#"files = { "/a" = "tree:/etc/shadow" }"#,
            "is a file of this host, not of the scenario's. Allow it with --allow-host-files",
        ),
        (r#"files = { "/a/../b" = "etc" }"#, "x.toml:5:11: \"/a/../b\" is no absolute path in the machine"),
        (
            r#"files = { "/a" = { from = "etc", text = "x" } }"#,
            "x.toml:5:18: a file needs exactly one of from and text",
        ),
        (
            r#"files = { "/a" = { text = "", mode = "u+x" } }"#,
            "x.toml:5:38: \"u+x\" is no mode; an example: \"0640\"",
        ),
        (r#"files = { "/a" = { text = "", owner = "a b" } }"#, "\"a b\" is neither USER nor USER:GROUP"),
        (r#"files = { "/a" = "builtin:buggy.service" }"#, "there is no \"builtin:buggy.service\""),
        (r#"users = ["--help"]"#, "x.toml:5:10: \"--help\" is no name of a user"),
        (
            r#"requires = { controllers = ["memry"] }"#,
            "there is no controller \"memry\"; did you mean \"memory\"?",
        ),
        (
            r#"requires = { controller = "memory" }"#,
            "x.toml:5:14: \"controller\" is neither an absolute path nor",
        ),
    ] {
        let said = variants_in(here, &with(lines)).expect_err(lines);
        assert!(said.contains(expected), "{lines}: {said}");
    }
}

#[test]
fn what_arithmetic_forbids_is_a_mistake() {
    let undisturbed = "extends = \"undisturbed\"\n";
    let restarted = "extends = \"classic\"\n";
    for (text, expected) in [
        (
            format!("{undisturbed}[observe]\ninterval = \"2s\"\n"),
            "undisturbed.toml:16:1: within 2 s nobody asks a second time: [observe] interval is 2 s",
        ),
        (
            format!(
                "{restarted}[service]\noverride = {{ Service = {{ RestartSec = 10 }} }}\n[expect]\nrecovery_within = \"8s\"\n"
            ),
            "x.toml:5:1: no recovery takes less than 8 s: RestartSec is 10 s, and comes on top of all else",
        ),
        (
            format!("{restarted}[expect]\nrecovery_within = \"RestartSec\"\n"),
            "x.toml:3:1: no recovery is within RestartSec: it is one of its parts",
        ),
        (
            format!(
                "{restarted}[service]\nfiles = {{ \"/a\" = {{ text = \"\" }} }}\ndirectories = {{ \"/a\" = {{}} }}\n"
            ),
            "x.toml:4:1: /a is in files too, which makes the directory itself",
        ),
        (
            format!(
                "{restarted}[service]\nfiles = {{ \"/etc/systemd/system/buggy_server.service\" = {{ text = \"\" }} }}\n"
            ),
            "x.toml:3:1: /etc/systemd/system/buggy_server.service is where the unit itself is put",
        ),
    ] {
        let said = parse(&text).expect_err(expected);
        let ends = expected.split_once(": ").map_or(expected, |(_, message)| message);
        assert!(said.contains(ends), "{said}\n{expected}");
        assert!(expected.starts_with("undisturbed") || said.contains(expected), "{said}\n{expected}");
    }
    // A guard from beside does not wait for the timer.
    let guarded = "extends = \"guarded-beside\"\n[service]\noverride = { Service = { RestartSec = 10 } }\n";
    parse(guarded).expect("valid");
}

#[test]
fn a_unit_is_one_of_ours_of_the_scenarios_directory_or_of_the_machines_tree() {
    let unit = |unit: &str| {
        parse(&GOOD.replace("\"x.service\"", &format!("\"{unit}\""))).map(|read| read.service.unit_name())
    };
    assert_eq!(unit("tree:redis-server.service").as_deref(), Ok("redis-server.service"));
    assert_eq!(unit("builtin:buggy_server.service").as_deref(), Ok("buggy_server.service"));
    for (name, expected) in [
        ("tree:redis@.service", "redis@.service is a template"),
        ("tree:redis", "is not NAME.service"),
        ("none.service", "none.service cannot be read: No such file"),
        ("../x.service", "../x.service leads out of "),
        ("tree:/etc/systemd/system/x.service", "is a file of this host"),
        ("bin:x.service", "a unit is no program"),
    ] {
        let said = unit(name).expect_err(name);
        assert!(said.contains(expected), "{name}: {said}");
    }
}

#[test]
fn what_ships_is_built_in_where_it_needs_nothing_but_our_own_programs() {
    let ships = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let built_in = builtin::all().map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(built_in.len(), builtin::all().count(), "two have one name");
    let mut without = BTreeSet::new();
    for folder in [ships.clone(), ships.join("controls"), ships.join("faults")] {
        for file in std::fs::read_dir(folder).into_iter().flatten() {
            let path = file.expect("an entry").path();
            if path.extension().is_none_or(|ending| ending != "toml") {
                continue;
            }
            let scenario = Scenario::load(&path.to_string_lossy()).unwrap_or_else(|error| panic!("{error}"));
            let service = &scenario.service;
            let sources = service.files.values().map(|file| &file.source).chain([&service.unit]);
            let is_ours = |source: &Source| !matches!(source, Source::Host(..) | Source::Tree(..));
            if sources.into_iter().all(is_ours) && service.requires.is_empty() {
                without.insert(scenario.name.split('[').next().unwrap_or_default().to_owned());
            }
            assert!(!scenario.tags.is_empty(), "{} has no tag", scenario.name);
        }
    }
    assert_eq!(built_in, without);
}

#[test]
fn a_tag_stands_for_the_built_in_scenarios_that_have_it() {
    let names = |tag: &str| {
        let read = Loader::default().load_all([tag]).expect(tag);
        read.into_iter().map(|scenario| scenario.name).collect::<Vec<_>>()
    };
    assert_eq!(names("ends"), ["crash", "exit", "segfault", "memory-leak", "start-limit"]);
    assert!(names("control").contains(&"undisturbed".to_owned()));
    assert_eq!(names("mute"), ["mute"], "a name comes first");
}

#[test]
fn a_file_of_any_content_is_read_in_bounded_time() {
    let lines = |line: fn(usize) -> String, count: usize| (0..count).map(line).collect::<String>();
    let begin = Instant::now();
    let directory = tempfile::tempdir().expect("a directory");
    let twice = lines(|n| format!("k{n} = {n}\n"), 20_000);
    std::fs::write(directory.path().join("twice.toml"), twice).expect("written");
    for text in [
        lines(|n| format!("k{n} = {n}\n"), 20_000),
        lines(|_| "=\n".into(), 100_000),
        lines(|_| "[".into(), 100_000),
        lines(|_| "a.".into(), 100_000),
        lines(|_| "[[fault]]\n".into(), 20_000),
        format!("a = {}", "[".repeat(200_000)),
        format!("{} = 1", "k".repeat(200_000)),
        format!("[fault]\ninject = \"{}\"", "m".repeat(200_000)),
        format!("[matrix]\n{}", lines(|n| format!("K{n} = [1]\n"), 10_000)),
        format!("{GOOD}[matrix]\n{}", lines(|n| format!("K{n} = [1]\n"), 10_000)),
        format!("{GOOD}[matrix]\nA = [{}]\n", "1,".repeat(64)),
        format!("extends = \"twice.toml\"\n{}", lines(|n| format!("k{n} = {n}\n"), 20_000)),
        "# ".to_owned() + &"x".repeat(300_000),
    ] {
        let _ = variants_in(directory.path(), &text);
    }
    // Each takes less than a second; the machine does other things too.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "[a-z\\[\\]{}=.,\"' \n#0-9_-]{0,200}|\\PC{0,200}") {
        let _ = Loader::default().read(Text::named("x.toml", &text));
    }
}

#[test]
fn a_load_asks_what_the_observer_asks_unless_it_says_otherwise() {
    let load = |lines: &str| parse(&GOOD.replace("[fault]", &format!("[load]\n{lines}\n[fault]")));
    let read = |lines: &str| load(lines).expect(lines).load.expect("a load");
    let usual = read("rate = 500");
    let observe = parse(GOOD).expect("valid").observe;
    assert_eq!((&usual.question, usual.timeout), (&observe.question, observe.timeout));
    assert_eq!((usual.rate, usual.connections), (500, 641), "all that can wait at once, and some more");
    assert_eq!(read("rate = 5000\ntimeout = \"250ms\"").connections, 1578);
    let own = read("rate = 1\ntcp = \"127.0.0.1:1\"\nexpect = \"x\"\nconnections = 7");
    assert_eq!((own.question.to_string().as_str(), own.connections), ("tcp://127.0.0.1:1", 7));
    let content = |lines: &str| load(lines).expect(lines).content();
    assert_ne!(content("rate = 1"), content("rate = 2"), "it is another scenario");
    for (lines, expected) in [
        ("", "x.toml:8:1: [load] needs rate"),
        ("rate = 0", "x.toml:9:8: rate is to be a whole number from 1 to 20000"),
        ("rate = -1", "x.toml:9:8: rate is to be a whole number from 1 to 20000"),
        ("rate = \"5\"", "x.toml:9:8: rate is to be a whole number"),
        ("rate = 20001", "x.toml:9:8: rate is to be a whole number from 1"),
        ("rate = 1\nconnections = 0", "x.toml:10:1: without a connection nobody asks"),
        (
            "rate = 5000\ntimeout = \"10s\"",
            "x.toml:9:1: 5000 requests a second that wait 10 s each are 50000 connections",
        ),
        ("rate = 1\nconnections = 30000", "x.toml:10:1: 1 requests a second"),
        ("rate = 1\nsend = \"x\"", "x.toml:8:1: [load] needs exactly one of http, tcp and unix"),
        ("rate = 1\nexec = [\"/x\"]", "x.toml:10:1: unknown key \"exec\" in [load]"),
        ("rate = 1\ninterval = \"1s\"", "x.toml:10:1: unknown key \"interval\" in [load]"),
    ] {
        let said = load(lines).expect_err(lines);
        assert!(
            said.lines().any(|said| said.starts_with(expected)),
            "{lines}: {said:?} should have {expected:?}"
        );
    }
    let by_command = GOOD.replace(HTTP, "exec = [\"/x\"]").replace("[fault]", "[load]\nrate = 1\n[fault]");
    let said = parse(&by_command).expect_err("a command");
    assert!(said.contains("x.toml:8:1: a command is asked by no load"), "{said}");
    let at_most = GOOD.replace("by =", "at_most_failed = 3\nby =");
    let said = parse(&at_most).expect_err("no load");
    assert!(said.contains("x.toml:12:1: at_most_failed counts requests of a [load]"), "{said}");
}

#[test]
fn what_clients_ask_and_what_is_good_is_told_in_a_sentence() {
    for (observe, expected) in [
        (HTTP, "http://127.0.0.1:8080/ every 10 ms; good is status 200 to 399 within 1 s"),
        (
            "http = \"http://127.0.0.1:8080/x\"\nstatus = [204, \"500-503\"]\nbody = \"ok\"\ninterval = \"1s\"\ntimeout = \"2s\"",
            "http://127.0.0.1:8080/x every 1 s; good is status 204 or 500 to 503 with \"ok\" in it within 2 s",
        ),
        (
            "tcp = \"127.0.0.1:1\"\nexpect = \"+PONG\\n\"",
            "tcp://127.0.0.1:1 every 10 ms; good is an answer with \"+PONG\\n\" within 1 s",
        ),
        ("exec = [\"true\", \"x\"]", "`true x` every 100 ms; good is exit status 0 within 1 s"),
    ] {
        let scenario = Scenario::of_text(
            &GOOD
                .replace("unit = \"x.service\"", "unit = \"builtin:buggy_server.service\"")
                .replace(HTTP, observe),
        );
        assert_eq!(scenario.expect(observe).observe.told(), expected);
    }
}

#[test]
fn a_file_of_a_folder_that_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("bad.toml"), b"\xff\xfe").expect("written");
    let error = Loader::default().load_all([&*directory.path().to_string_lossy()]).expect_err("no text");
    let error = error.to_string();
    assert!(error.contains("/bad.toml cannot be read: it is no UTF-8 text"), "{error}");
}

#[test]
fn a_unit_that_says_something_else_makes_another_case_wherever_it_is() {
    let content = |unit: &str| {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("x.service"), unit).expect("written");
        let file = directory.path().join("x.toml");
        std::fs::write(&file, GOOD).expect("written");
        Scenario::load(&file.to_string_lossy()).expect("valid").content()
    };
    let unit = "[Service]\nExecStart=/bin/true\n";
    assert_eq!(content(unit), content(unit));
    assert_ne!(content(unit), content(&unit.replace("true", "false")));
}
