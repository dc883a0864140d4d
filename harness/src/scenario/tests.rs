//! Scenario files, and what is said of their mistakes.

use proptest::prelude::*;

use super::observe::Question;

use super::*;

const GOOD: &str = r#"
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

const HTTP: &str = "http = \"http://127.0.0.1:8080/\"";

fn parse(text: &str) -> Result<Scenario, String> {
    Scenario::parse(text, "x", "x.toml", None).map_err(|error| error.to_string())
}

#[test]
fn every_built_in_scenario_is_valid() {
    for name in builtin::SCENARIOS.map(|(name, _)| name) {
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
    let question = Question::Tcp { send: b"PING\r\n\0".into(), expect: b"+PONG".into() };
    assert_eq!((observe.to_string().as_str(), observe.question), ("tcp://127.0.0.1:6379", question));
}

#[test]
fn a_service_that_is_to_be_left_alone_may_have_few_clients_who_wait_long() {
    let few = format!("{HTTP}\ninterval = \"2s\"\ntimeout = \"10s\"");
    let undisturbed =
        GOOD.replace("\"restarted\"\nby = \"watchdog\"\nrecovery_within", "\"undisturbed\"\nundisturbed_for");
    let spans =
        |text: &str| parse(text).map(|scenario| (scenario.observe.interval, scenario.observe.timeout));
    let seconds = Duration::from_secs;
    assert_eq!(spans(&undisturbed.replace(HTTP, &few)), Ok((seconds(2), seconds(10))));
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
    let drop_in = parse(&text).expect("valid").service.drop_in();
    assert_eq!(drop_in, "[Service]\nA=0.5\nB=16\nC=1\nC=yes\nC=x\nC=2\nD=-3\nE=100\n");
}

proptest! {
    #[test]
    fn no_text_of_a_scenario_makes_the_reader_panic(
        which in 0..builtin::SCENARIOS.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..30_usize, any::<prop::sample::Index>()), 1..6),
    ) {
        const PIECES: [&str; 24] = [
            "", "\"", "\"\"\"", "[", "]", "{", "}", "=", "\n", "0", "-1", "1e999", "nan", "18446744073709551615", "infinity",
            "500000000000y 500000000000y", "\"0us\"", "\u{1b}]0;x\u{7}", "\u{202e}漢", "\\u0000", "[[fault]]\n",
            "[expect]\n", "undisturbed_for = \"99999999999999y\"\n", "1979-05-27",
        ];
        let mut text = builtin::SCENARIOS[which].1.to_owned();
        for (at, length, piece) in edits {
            let boundaries = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect::<Vec<_>>();
            let begin = at.index(boundaries.len());
            let end = boundaries[(begin + length).min(boundaries.len() - 1)];
            text.replace_range(boundaries[begin]..end, PIECES[piece.index(PIECES.len())]);
        }
        match Scenario::parse(&text, "x", "x.toml", None) {
            Ok(scenario) => {
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
        "x.toml:6:17: \"x\" is no absolute path in the machine",
        "x.toml:6:29: /z is to be a string, and is of type integer",
        "x.toml:9:12: interval = \"soon\" is no time span above 0; an example: \"2s\"",
        "x.toml:14:19: \"soon\" is neither a time span (\"5s\") nor one of WatchdogSec, RestartSec, TimeoutStartSec, TimeoutStopSec, TimeoutAbortSec",
        "x.toml:15:1: undisturbed_for goes with outcome = \"undisturbed\", and this one is \"failed\"",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
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
        ("http://127.0.0.1:8080/", "127.0.0.1:8080", "is not http://ADDRESS:PORT/PATH"),
        (
            "unit = \"x.service\"",
            "unit = \"x.service\"\ngard = \"g.service\"",
            "x.toml:5:1: unknown key \"gard\" in [service]; did you mean \"guard\"?",
        ),
        (HTTP, "", "x.toml:6:1: [observe] needs exactly one of http and tcp"),
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
        (HTTP, "http = \"http://[::1]/\"\ninterval = \"2s\"", "x.toml:8:1: interval goes with outcome"),
        ("unit = \"x.service\"", "", "x.toml:3:1: [service] needs unit"),
        ("[fault]\ninject = \"mute\"", "", "x.toml:10:1: without a [fault]"),
        ("[fault]\ninject = \"mute\"", "[[fault]]\ninject = \"mute\"", "x.toml:8:1: fault is to be a table"),
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
