//! One question to a service, as a TOML file: what runs, what is done to it, what is expected.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use server::fault::Recovery;
use toml::Spanned;
use toml::de::DeTable;

use self::section::{Mistakes, Section};
use crate::fault::Fault;
use crate::model::ask::TICK;
use crate::model::case::Plan;
use crate::model::clock::parse_span;
use crate::model::expect::{By, Deed, Expectation, Outcome};
use crate::model::settings::SPANS;

pub mod builtin;
mod keys;
pub mod observe;
mod position;
mod section;

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
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The unit file, relative to the scenario's own.
    pub unit: PathBuf,
    /// Where in the machine, and what: `bin:NAME` for one of our programs, else a path as of `unit`.
    pub files: BTreeMap<String, String>,
    /// Files that the machine's own tree must bring, and the Debian package that has each. Without them there is nothing
    /// to try: the verdict is skip.
    pub requires: BTreeMap<String, String>,
    /// Sections and directives that become a drop-in, each with its assignments: an empty one resets what the unit has.
    pub overrides: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// The unit of the `sd-watchdog guard` beside it. A guard ends only what it has seen healthy, so no fault is injected
    /// before that.
    pub guard: Option<String>,
    /// The directory that relative paths start from; absent for a built-in scenario.
    pub base: Option<PathBuf>,
}

/// A scenario that cannot be used, with the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("the scenario {} cannot be read: {source}{}. Built-in scenarios: {}", .path.display(), near(.path), builtin::names())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a scenario.
    #[error("{}", Lines(.0))]
    Invalid(Vec<Mistake>),
}

/// What is wrong in a scenario's file.
#[derive(Debug)]
pub struct Mistake {
    /// The file, as the user named it.
    pub file: String,
    /// Line and column, both from 1.
    pub at: Position,
    /// What is wrong and what would be right.
    pub message: String,
}

/// The built-in scenario that was meant, perhaps.
fn near(path: &Path) -> String {
    let names = builtin::SCENARIOS.map(|(name, _)| name);
    let nearest = path.to_str().and_then(|name| keys::nearest(name, names));
    nearest.map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default()
}

struct Lines<'a>(&'a [Mistake]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Mistake { file, at, message }) in self.0.iter().enumerate() {
            let begin = if index == 0 { "" } else { "\n" };
            write!(f, "{begin}{file}:{at}: {message}")?;
        }
        Ok(())
    }
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

    /// Reads all that are meant: a file, a built-in one, or in the order of their names those of a folder (not of folders in it).
    /// Mistakes of several files are told together.
    pub fn load_all<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>, ScenarioError> {
        let (mut scenarios, mut wrong) = (Vec::new(), Vec::new());
        for name in names {
            for file in files_of(name)? {
                match Self::load(&file) {
                    Ok(scenario) => scenarios.push(scenario),
                    Err(ScenarioError::Invalid(mistakes)) => wrong.extend(mistakes),
                    Err(error) => return Err(error),
                }
            }
        }
        if wrong.is_empty() { Ok(scenarios) } else { Err(ScenarioError::Invalid(wrong)) }
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
        let mistakes = Mistakes::default();
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            mistakes.add(error.span().unwrap_or(0..0), error.message().trim());
        }
        // Of what is no TOML the rest is a guess.
        let read = if errors.is_empty() {
            Self::read(&Section::top(document.get_ref(), &mistakes), name, base)
        } else {
            None
        };
        let mistakes = mistakes.sorted().into_iter().map(|(span, message)| Mistake {
            file: file.into(),
            at: Position::of(text, span.start),
            message,
        });
        let mistakes = mistakes.collect::<Vec<_>>();
        read.filter(|_| mistakes.is_empty()).ok_or(ScenarioError::Invalid(mistakes))
    }

    /// What is read; nothing, or anything, where there are mistakes.
    fn read(top: &Section, name: &str, base: Option<PathBuf>) -> Option<Self> {
        let description = top.needed_text("description").map(Spanned::into_inner);
        let service = top.needed_section("service").and_then(|section| Service::read(&section, base));
        let watched = top.needed_section("observe");
        let observe = watched.as_ref().and_then(observe::read);
        let injected = top.section("fault").map(|section| fault(&section));
        let fault = injected.flatten();
        let deed = match (injected, fault) {
            (None, _) => Some(Deed::Nothing),
            (Some(_), fault) => fault.map(deed),
        };
        let expect = top.needed_section("expect").and_then(|section| expectation(&section, deed));
        let ready = top.section("ready").and_then(|section| ready(&section));
        let expect = expect.map(|expect| Expectation { ready_within: ready, ..expect });
        if let (Some(section), Some(expect)) = (&watched, &expect) {
            let is_slow = observe.as_ref().is_some_and(|observe| observe.interval != TICK);
            if is_slow && expect.outcome != Outcome::Undisturbed {
                let message = "interval goes with outcome = \"undisturbed\": a recovery is measured by a client that \
                    asks every 10 ms";
                section.wrong(section.place("interval"), message);
            }
        }
        Some(Self {
            name: name.into(),
            description: description?,
            service: service?,
            observe: observe?,
            fault,
            expect: expect?,
        })
    }
}

/// The scenarios of a folder; of anything else itself.
fn files_of(name: &str) -> Result<Vec<String>, ScenarioError> {
    let path = Path::new(name);
    if builtin::text(name).is_some() || !path.is_dir() {
        return Ok(vec![name.to_owned()]);
    }
    let unreadable = |source| ScenarioError::Unreadable { path: path.into(), source };
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let paths = entries.map_err(unreadable)?.into_iter().map(|entry| entry.path());
    let is_scenario =
        |path: &PathBuf| path.extension().is_some_and(|ending| ending == "toml") && path.is_file();
    let mut files =
        paths.filter(is_scenario).map(|path| path.to_string_lossy().into_owned()).collect::<Vec<_>>();
    files.sort();
    if files.is_empty() {
        return Err(unreadable(std::io::Error::other("there is no scenario (NAME.toml) in this folder")));
    }
    Ok(files)
}

fn deed(fault: Fault) -> Deed {
    match fault {
        Fault::InProcess(fault) if fault.recovery() == Recovery::Exit => Deed::Ends,
        Fault::InProcess(_) | Fault::Sigstop => Deed::Hangs,
    }
}

fn fault(section: &Section) -> Option<Fault> {
    let inject = section.needed_text("inject")?;
    let fault = inject.get_ref().parse::<Fault>().ok();
    if fault.is_none() {
        let hint = keys::suggest(inject.get_ref(), Fault::all().map(Fault::name));
        section.wrong(inject.span(), format!("there is no fault \"{}\"{hint}", inject.get_ref()));
    }
    fault
}

/// Reads `[expect]`. `deed` is what is done to the service, where that is known.
fn expectation(section: &Section, deed: Option<Deed>) -> Option<Expectation> {
    section.needed_text("outcome")?;
    let outcome = section.word("outcome", &Outcome::WORDS);
    let [recovery_within, undisturbed_for] =
        ["recovery_within", "undisturbed_for"].map(|key| span_or_directive(section, key));
    let (by, hang_report) = (section.word("by", &By::WORDS), section.flag("hang_report"));
    let expect = Expectation {
        outcome: outcome?,
        by,
        recovery_within,
        undisturbed_for,
        hang_report,
        ready_within: None,
    };
    for (key, message) in deed.map(|deed| expect.contradictions(deed)).unwrap_or_default() {
        section.wrong(section.place(key), message);
    }
    Some(expect)
}

/// Reads `[ready]`.
fn ready(section: &Section) -> Option<String> {
    section.needed_text("within")?;
    let within = span_or_directive(section, "within")?;
    if parse_span(&within) == Some(Duration::ZERO) {
        section.wrong(section.place("within"), "no service is ready within no time");
    }
    Some(within)
}

/// A time span, or the name of a directive that is one.
fn span_or_directive(section: &Section, key: &str) -> Option<String> {
    let value = section.text(key)?;
    let text = value.get_ref();
    if !SPANS.contains(&text.as_str()) && parse_span(text).is_none() {
        let message = format!("\"{text}\" is neither a time span (\"5s\") nor one of {}", SPANS.join(", "));
        section.wrong(value.span(), message);
        return None;
    }
    Some(value.into_inner())
}

impl Service {
    fn read(section: &Section, base: Option<PathBuf>) -> Option<Self> {
        let unit = section.needed_text("unit");
        let guard = section.text("guard");
        for unit in [&unit, &guard].into_iter().flatten() {
            if let Some(message) = no_service(unit.get_ref()) {
                section.wrong(unit.span(), message);
            }
        }
        let texts =
            |key| section.texts(key).into_iter().map(|(name, text)| (name, text.into_inner())).collect();
        let files = section.texts("files");
        for (target, source) in files.iter().filter(|(target, _)| !target.starts_with('/')) {
            section.wrong(source.span(), format!("\"{target}\" is no absolute path in the machine"));
        }
        let read = Self {
            unit: PathBuf::new(),
            files: files.into_iter().map(|(target, source)| (target, source.into_inner())).collect(),
            requires: texts("requires"),
            overrides: section.assignments("override"),
            guard: guard.map(Spanned::into_inner),
            base,
        };
        Some(Self { unit: unit?.into_inner().into(), ..read })
    }

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
                for value in value {
                    let _ = writeln!(text, "{directive}={value}");
                }
            }
        }
        text
    }
}

/// Why a unit cannot be started as a service, by its file's name.
fn no_service(unit: &str) -> Option<String> {
    let name = Path::new(unit).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some(stem) = name.strip_suffix(".service").filter(|stem| !stem.is_empty()) else {
        return Some(format!("\"{unit}\" is not NAME.service"));
    };
    if let Some(wrong) = stem.chars().find(|c| !(c.is_ascii_alphanumeric() || ":-_.\\@".contains(*c))) {
        return Some(format!("a unit's name has no {wrong:?}"));
    }
    let template = stem.strip_suffix('@')?;
    Some(format!(
        "{name} is a template, of which systemd starts instances: name the file {template}@INSTANCE.service"
    ))
}

#[cfg(test)]
mod tests {
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
        let undisturbed = GOOD
            .replace("\"restarted\"\nby = \"watchdog\"\nrecovery_within", "\"undisturbed\"\nundisturbed_for");
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
            (
                HTTP,
                "http = \"http://[::1]/\"\ntimeout = \"0s\"",
                "x.toml:8:11: timeout = \"0s\" is no time span",
            ),
            (HTTP, "http = \"http://[::1]/\"\ninterval = \"2s\"", "x.toml:8:1: interval goes with outcome"),
            ("unit = \"x.service\"", "", "x.toml:3:1: [service] needs unit"),
            ("[fault]\ninject = \"mute\"", "", "x.toml:10:1: without a [fault]"),
            (
                "[fault]\ninject = \"mute\"",
                "[[fault]]\ninject = \"mute\"",
                "x.toml:8:1: fault is to be a table",
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
}
