//! One question to a service, as a TOML file: what runs, what is done to it, what is expected.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::fault::Fault;
use crate::model::ask::TICK;
use crate::model::case::Plan;
use crate::model::clock::parse_span;
use crate::model::expect::{Expectation, Outcome};
use crate::model::settings::SPANS;

pub mod builtin;
mod keys;
pub mod observe;
mod position;

pub use self::observe::Observe;
use self::position::Position;

/// A scenario, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The file's name without its ending.
    pub name: String,
    /// What it shows, in a sentence.
    pub description: String,
    /// What runs.
    pub service: Service,
    /// Where it is asked.
    pub observe: Observe,
    /// What is done to it; absent where the question is whether a healthy service is left alone.
    pub fault: Option<Fault>,
    /// What is expected.
    pub expect: Expectation,
}

/// The unit and what it needs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Service {
    /// The unit file, relative to the scenario's own.
    pub unit: PathBuf,
    /// Where in the machine, and what: `bin:NAME` for one of our programs, else a path as of `unit`.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Files that the machine's own tree must bring, and the Debian package that has each. Without them there is nothing
    /// to try: the verdict is skip.
    #[serde(default)]
    pub requires: BTreeMap<String, String>,
    /// Sections and directives that become a drop-in.
    #[serde(default, rename = "override")]
    pub overrides: BTreeMap<String, BTreeMap<String, Value>>,
    /// The unit of the `sd-watchdog guard` beside it. A guard ends only what it has seen healthy, so no fault is injected
    /// before that.
    #[serde(default)]
    pub guard: Option<String>,
    /// The directory that relative paths start from; absent for a built-in scenario.
    #[serde(skip)]
    pub base: Option<PathBuf>,
}

/// A directive's value: a list stands for as many assignments.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A string.
    Text(String),
    /// A number.
    Number(i64),
    /// A boolean, `yes` or `no` to systemd.
    Flag(bool),
    /// Several assignments; an empty string first resets what the unit has.
    List(Vec<String>),
}

/// A scenario that cannot be used, with the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("the scenario {} cannot be read: {source}. Built-in scenarios: {}", .path.display(), builtin::names())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a scenario.
    #[error("{file}:{at}: {message}")]
    Invalid {
        /// The file, as the user named it.
        file: String,
        /// Line and column, both from 1.
        at: Position,
        /// What is wrong and what would be right.
        message: String,
    },
}

#[derive(Deserialize)]
struct Raw {
    description: String,
    service: Service,
    observe: observe::Raw,
    fault: Option<RawFault>,
    expect: Expectation,
}

#[derive(Deserialize)]
struct RawFault {
    inject: String,
}

impl Scenario {
    /// Reads a scenario file, or a built-in one by its name.
    pub fn load(name_or_path: &str) -> Result<Self, ScenarioError> {
        if let Some(text) = builtin::text(name_or_path) {
            return Self::parse(text, name_or_path, name_or_path, None);
        }
        let path = Path::new(name_or_path);
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Unreadable { path: path.into(), source })?;
        let name = path.file_stem().map_or_else(|| name_or_path.into(), |stem| stem.to_string_lossy());
        let base = path.parent().map(Path::to_owned).unwrap_or_default();
        Self::parse(&text, &name, name_or_path, Some(base))
    }

    /// What a case of it is.
    pub fn plan(&self, trial: u32, seed: u64) -> Plan {
        let interval = self.observe.interval;
        Plan {
            scenario: self.name.clone(),
            description: self.description.clone(),
            unit: self.service.unit_name(),
            trial,
            seed,
            fault: self.fault.map(|fault| fault.to_string()),
            expect: self.expect.clone(),
            ask_interval_usec: (interval != TICK)
                .then(|| u64::try_from(interval.as_micros()).unwrap_or(u64::MAX)),
        }
    }

    /// All that makes it another scenario if it changes.
    pub fn content(&self) -> String {
        let Self { name, service, observe, fault, expect, .. } = self;
        let Service { unit, files, requires, guard, .. } = service;
        let fault = fault.map(Fault::name);
        let drop_in = service.drop_in();
        let expect = serde_json::to_string(expect).unwrap_or_default();
        let (unit, how) = (unit.to_string_lossy(), (observe.interval, observe.timeout, &observe.question));
        format!(
            "{name}\n{unit}\n{files:?}\n{requires:?}\n{guard:?}\n{drop_in}\n{observe}\n{how:?}\n{fault:?}\n{expect}"
        )
    }

    fn parse(text: &str, name: &str, file: &str, base: Option<PathBuf>) -> Result<Self, ScenarioError> {
        let invalid = |span: std::ops::Range<usize>, message: String| ScenarioError::Invalid {
            file: file.into(),
            at: Position::of(text, span.start),
            message,
        };
        if let Some((span, message)) = keys::first_unknown(text) {
            return Err(invalid(span, message));
        }
        let raw: Raw = toml::from_str(text)
            .map_err(|error| invalid(error.span().unwrap_or(0..0), error.message().trim().to_owned()))?;
        // What serde cannot see is pointed at by looking the value up in the text.
        let place = |value: &str| text.find(value).map_or(0..0, |start| start..start + value.len());
        let fault = raw.fault.map(|RawFault { inject }| {
            fault(&inject).map_err(|message| invalid(place(&format!("\"{inject}\"")), message))
        });
        let fault = fault.transpose()?;
        for within in [&raw.expect.recovery_within, &raw.expect.undisturbed_for].into_iter().flatten() {
            check_within(within).map_err(|message| invalid(place(&format!("\"{within}\"")), message))?;
        }
        if raw.expect.outcome != Outcome::Undisturbed && fault.is_none() {
            let message = "without a [fault] nothing can be expected but outcome = \"undisturbed\"";
            return Err(invalid(place("[expect]"), message.into()));
        }
        let observe = raw.observe.check().map_err(|wrong| invalid(place(&wrong.place), wrong.message))?;
        if raw.expect.outcome != Outcome::Undisturbed && observe.interval != TICK {
            let message = "interval goes with outcome = \"undisturbed\": a recovery is measured by a client that asks \
                every 10 ms";
            return Err(invalid(place("interval"), message.into()));
        }
        let service = Service { base, ..raw.service };
        Ok(Self {
            name: name.into(),
            description: raw.description,
            service,
            observe,
            fault,
            expect: raw.expect,
        })
    }
}

fn fault(name: &str) -> Result<Fault, String> {
    let hint = || keys::suggest(name, Fault::all().map(Fault::name));
    name.parse().map_err(|_| format!("there is no fault \"{name}\"{}", hint()))
}

fn check_within(within: &str) -> Result<(), String> {
    if SPANS.contains(&within) || parse_span(within).is_some() {
        return Ok(());
    }
    Err(format!("\"{within}\" is neither a time span (\"5s\") nor one of {}", SPANS.join(", ")))
}

impl Service {
    /// The unit's name in the machine.
    pub fn unit_name(&self) -> String {
        self.unit.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The overrides as a drop-in file; empty if there are none.
    pub fn drop_in(&self) -> String {
        let mut text = String::new();
        for (section, directives) in &self.overrides {
            let _ = writeln!(text, "[{section}]");
            for (directive, value) in directives {
                for value in value.assignments() {
                    let _ = writeln!(text, "{directive}={value}");
                }
            }
        }
        text
    }
}

impl Value {
    fn assignments(&self) -> Vec<String> {
        match self {
            Self::Text(text) => vec![text.clone()],
            Self::Number(number) => vec![number.to_string()],
            Self::Flag(flag) => vec![if *flag { "yes" } else { "no" }.into()],
            Self::List(values) => values.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::observe::Question;
    use std::time::Duration;

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
        let undisturbed = GOOD
            .replace("\"restarted\"\nby = \"watchdog\"\nrecovery_within", "\"undisturbed\"\nundisturbed_for");
        let spans =
            |text: &str| parse(text).map(|scenario| (scenario.observe.interval, scenario.observe.timeout));
        let seconds = Duration::from_secs;
        assert_eq!(spans(&undisturbed.replace(HTTP, &few)), Ok((seconds(2), seconds(10))));
        assert_eq!(spans(&undisturbed), Ok((TICK, seconds(1))));
    }

    #[test]
    fn errors_give_the_place_and_the_nearest_right_word() {
        for (from, to, expected) in [
            (
                "inject =",
                "injekt =",
                "x.toml:9:1: unknown key \"injekt\" in [fault]; did you mean \"inject\"?",
            ),
            ("[observe]", "[observ]", "x.toml:6:2: unknown key \"observ\"; did you mean \"observe\"?"),
            ("\"mute\"", "\"mut\"", "x.toml:9:10: there is no fault \"mut\"; did you mean \"mute\"?"),
            (
                "\"mute\"",
                "\"sigstp\"",
                "x.toml:9:10: there is no fault \"sigstp\"; did you mean \"sigstop\"?",
            ),
            ("\"WatchdogSec\"", "\"Watchdog\"", "x.toml:13:19: \"Watchdog\" is neither a time span"),
            ("\"restarted\"", "\"restart\"", "x.toml:11:11: unknown variant `restart`"),
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
            (HTTP, "http = \"http://[::1]/\"\nsend = \"PING\"", "x.toml:6:1: send and expect go with tcp"),
            (HTTP, "tcp = \"127.0.0.1:6379\"", "x.toml:7:1: tcp needs expect"),
            (HTTP, "tcp = \"127.0.0.1:6379\"\nexpect = \"\"", "x.toml:7:1: tcp needs expect"),
            (HTTP, "tcp = \"redis\"\nexpect = \"x\"", "x.toml:7:8: \"redis\" is not ADDRESS:PORT"),
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
            (
                HTTP,
                "http = \"http://[::1]/\"\ntimeout = \"0s\"",
                "x.toml:8:11: timeout = \"0s\" is no time span",
            ),
            (HTTP, "http = \"http://[::1]/\"\ninterval = \"2s\"", "x.toml:8:1: interval goes with outcome"),
            ("unit = \"x.service\"", "", "x.toml:3:1: missing field `unit`"),
            ("[fault]\ninject = \"mute\"", "", "without a [fault]"),
        ] {
            let error = parse(&GOOD.replace(from, to)).expect_err(to);
            assert!(error.contains(expected), "{error:?} should contain {expected:?}");
        }
    }
}
