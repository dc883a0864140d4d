//! A question that is asked without a file: on the command line, or by a [`Proof`](crate::proof::Proof).

use std::fmt;
use std::iter::repeat_n;
use std::path::{Path, PathBuf};

use toml::Value;

use super::directory::{Bounds, Directory};
use super::document::Text;
use super::position::Position;
use super::{Loader, Scenario, ScenarioError};
use crate::fault::catalogue;
use crate::fault::parameter::Value as Parameter;
use crate::model::expect::{By, Deed};
use crate::programs::PROGRAMS;

/// What was asked: `--unit my.service --http URL --fault sigstop`.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// A file, or the name of a unit that the machine's tree has.
    pub unit: String,
    /// What is put into the machine beside it: where, and what.
    pub files: Vec<(String, String)>,
    /// Where it is asked,
    pub place: Place,
    /// how often, where not as usual,
    pub interval: Option<String>,
    /// and how long an answer may take.
    pub timeout: Option<String>,
    /// Many clients who ask besides.
    pub load: Option<Load>,
    /// What is done to it, one after another.
    pub faults: Vec<Fault>,
    /// What is to come of it.
    pub expect: Expect,
}

/// Where a service is asked, and what; as text, all of it.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Over HTTP.
    pub http: Option<String>,
    /// Over TCP.
    pub tcp: Option<String>,
    /// At a socket in the file system; HTTP, too, if that is there.
    pub unix: Option<String>,
    /// What is sent there, if it is not HTTP,
    pub send: Option<String>,
    /// and what a good answer contains.
    pub answer: Option<String>,
}

/// Many clients.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// How many requests are due in a second.
    pub rate: u32,
    /// How many may be open at once.
    pub connections: Option<u32>,
    /// How long one may take.
    pub timeout: Option<String>,
    /// Where they ask, if it is somewhere else.
    pub place: Place,
}

/// What is done to a service.
#[derive(Clone, Debug, Default)]
pub struct Fault {
    /// A name of the catalogue.
    pub name: String,
    /// What is decided about it.
    pub parameters: Vec<(String, Parameter)>,
    /// What it waits for, where another came before.
    pub after: Option<String>,
    /// How long after its injection it is healed.
    pub heal_after: Option<String>,
    /// What is to come of it, where that is not what is to come of the others.
    pub expect: Option<Expect>,
}

/// What is to come of it; what is absent, as it usually is.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// How it is to end.
    pub outcome: Option<String>,
    /// What is to end the main process.
    pub by: Option<By>,
    /// How long that may take; a watchdog that only stops pinging takes longer than WatchdogSec, so there is no usual limit but those of
    /// the unit's timers.
    pub within: Option<String>,
    /// How long clients may go without an answer.
    pub outage_within: Option<String>,
    /// How many requests of a load may fail.
    pub at_most_failed: Option<u64>,
    /// How long a service that is to stay undisturbed is watched.
    pub undisturbed_for: Option<String>,
    /// Whether there is to be a hang report.
    pub hang_report: Option<bool>,
    /// What is to be in its diagnosis.
    pub diagnosis: Option<String>,
    /// How long phases may take: `"detect_within"` and the like, each with a time span.
    pub phases: Vec<(&'static str, String)>,
    /// How many restarts there are to be.
    pub restarts: Option<u64>,
    /// What the journal's lines of the unit are to have, each somewhere.
    pub journal: Vec<String>,
    /// What none of them is to have.
    pub journal_without: Vec<String>,
}

/// The endings of units, systemd.unit(5).
const KINDS: [&str; 11] = [
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "slice",
    "scope",
];

/// The option of this name, as the command line has it.
pub fn option(name: &str) -> String {
    name.split(" or ").map(|name| format!("--{name}")).collect::<Vec<_>>().join(" or ")
}

impl Asked {
    /// The scenario that asks it.
    ///
    /// # Errors
    /// The mistakes, each with what it is of: a field's name, as `spelled` has it.
    pub fn scenario(
        &self,
        loader: &Loader,
        spelled: impl Fn(&str) -> String,
    ) -> Result<Scenario, ScenarioError> {
        let entries = self.lines();
        let text = entries.iter().map(|(line, _)| format!("{line}\n")).collect::<Vec<_>>().concat();
        // What has several lines is written as such.
        let lines = entries.iter().flat_map(|(line, name)| repeat_n(*name, line.split('\n').count()));
        let lines = lines.collect::<Vec<_>>();
        // The user has named the unit's file, wherever it is.
        let text = Text::typed(&self.name(), &text, Directory::of(PathBuf::new(), Bounds::None));
        let read = loader.read(text).map_err(|error| match error {
            ScenarioError::Invalid(mut mistakes) => {
                for mistake in &mut mistakes {
                    let line = mistake.at.take().map_or(0, Position::line);
                    mistake.file = spelled(lines.get(line.saturating_sub(1)).unwrap_or(&"unit"));
                }
                ScenarioError::Invalid(mistakes)
            }
            unreadable @ ScenarioError::Unreadable { .. } => unreadable,
        });
        Ok(read?.swap_remove(0))
    }

    /// The scenario's name: the unit's, without its ending.
    fn name(&self) -> String {
        let name = self.unit.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".service").unwrap_or(name).to_owned()
    }

    /// The scenario's file, entry by entry, each with the field that it comes from.
    fn lines(&self) -> Vec<(String, &'static str)> {
        let mut file = Entries::default();
        let first = self.faults.first();
        let done = first.map_or("nothing", |fault| &fault.name);
        file.text("description", Some(&format!("{done} is done to {}", self.name())), "unit");
        file.line("[service]", "unit");
        file.text("unit", Some(&self.unit()), "unit");
        let files = self.files.iter().cloned().chain(self.programs()).collect::<Vec<_>>();
        if !files.is_empty() {
            file.line("[service.files]", "file");
        }
        for (target, source) in files {
            file.text(&quoted(&target), Some(&source), "file");
        }
        file.line("[observe]", "http or tcp");
        file.place(&self.place);
        file.text("interval", self.interval.as_deref(), "interval");
        file.text("timeout", self.timeout.as_deref(), "timeout");
        if let Some(load) = &self.load {
            file.line("[load]", "load");
            file.line(format!("rate = {}", load.rate), "load");
            file.value("connections", load.connections, "connections");
            file.text("timeout", load.timeout.as_deref(), "timeout");
            file.place(&load.place);
        }
        let title = if self.faults.len() > 1 { "[[fault]]" } else { "[fault]" };
        for (number, fault) in self.faults.iter().enumerate() {
            let name = if number == 0 { "fault" } else { "then" };
            file.line(title, name);
            file.text("inject", Some(&fault.name), name);
            for (parameter, value) in &fault.parameters {
                file.line(format!("{} = {}", quoted(parameter), value_of(value)), "with");
            }
            file.text("after", fault.after.as_deref(), "after");
            file.text("heal_after", fault.heal_after.as_deref(), "heal_after");
            if let Some(expect) = &fault.expect {
                file.line("[fault.expect]", "expect");
                file.expect(expect, &[fault.deed()]);
            }
        }
        file.line("[expect]", "expect");
        // Of the first fault, and of those that have none of their own.
        let others = self.faults.iter().skip(1).filter(|fault| fault.expect.is_none());
        let deeds = first.into_iter().chain(others).map(Fault::deed).collect::<Vec<_>>();
        file.expect(&self.expect, &deeds);
        file.0
    }

    /// The unit's file, where one is named: what has no directory is the machine's unless there is such a file.
    fn unit_file(&self) -> Option<&Path> {
        let path = Path::new(&self.unit);
        (self.unit.contains('/') || path.is_file()).then_some(path)
    }

    /// Those of our own programs that the unit runs, and that nobody else has put there.
    fn programs(&self) -> Vec<(String, String)> {
        let text = self.unit_file().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let places = PROGRAMS.map(|name| (format!("/usr/local/bin/{name}"), format!("bin:{name}")));
        let is_given = |target: &String| self.files.iter().any(|(given, _)| given == target);
        places.into_iter().filter(|(target, _)| text.contains(target) && !is_given(target)).collect()
    }

    /// The unit as a scenario has it.
    fn unit(&self) -> String {
        if let Some(path) = self.unit_file() {
            let directory = if self.unit.contains('/') { "" } else { "./" };
            return format!("{directory}{}", path.display());
        }
        // That another kind is none that can be asked, the reader knows.
        let kind = self.unit.rsplit_once('.').map(|(_, kind)| kind);
        let ending = if kind.is_some_and(|kind| KINDS.contains(&kind)) { "" } else { ".service" };
        format!("tree:{}{ending}", self.unit)
    }
}

impl Fault {
    /// What it does; of one that there is not, what most do.
    fn deed(&self) -> Deed {
        catalogue().iter().find(|spec| spec.name == self.name).map_or(Deed::Hangs, |spec| spec.deed)
    }
}

/// The lines of a file, each with the field that it comes from.
#[derive(Default)]
struct Entries(Vec<(String, &'static str)>);

impl Entries {
    fn line(&mut self, line: impl Into<String>, name: &'static str) {
        self.0.push((line.into(), name));
    }

    fn text(&mut self, key: &str, value: Option<&str>, name: &'static str) {
        self.value(key, value.map(quoted), name);
    }

    fn value(&mut self, key: &str, value: Option<impl fmt::Display>, name: &'static str) {
        self.0.extend(value.map(|value| (format!("{key} = {value}"), name)));
    }

    fn place(&mut self, Place { http, tcp, unix, send, answer }: &Place) {
        self.text("http", http.as_deref(), "http");
        self.text("tcp", tcp.as_deref(), "tcp");
        self.text("unix", unix.as_deref(), "unix");
        self.text("send", send.as_deref(), "send");
        self.text("expect", answer.as_deref(), "answer");
    }

    /// What is expected after these deeds.
    fn expect(&mut self, expect: &Expect, deeds: &[Deed]) {
        let first = deeds.first().copied();
        let usual = if first.is_none_or(|deed| deed == Deed::Nothing) { "undisturbed" } else { "restarted" };
        let outcome = expect.outcome.as_deref().unwrap_or(usual);
        let by = expect.by.or(match first.filter(|first| deeds.iter().all(|deed| deed == first)) {
            Some(Deed::Hangs) if outcome == "restarted" => Some(By::Watchdog),
            Some(Deed::Ends) if outcome != "undisturbed" => Some(By::Exit),
            _ => None,
        });
        self.text("outcome", Some(outcome), "expect");
        let by = By::WORDS.iter().find(|(_, is)| Some(*is) == by);
        self.text("by", by.map(|(word, _)| *word), "expect");
        self.text("recovery_within", expect.within.as_deref(), "within");
        self.text("outage_within", expect.outage_within.as_deref(), "outage_within");
        self.value("at_most_failed", expect.at_most_failed, "at_most_failed");
        self.text("undisturbed_for", expect.undisturbed_for.as_deref(), "during");
        self.value("hang_report", expect.hang_report, "hang_report");
        self.text("diagnosis", expect.diagnosis.as_deref(), "diagnosis");
        for (key, span) in &expect.phases {
            self.text(key, Some(span), key);
        }
        self.value("restarts", expect.restarts, "restarts");
        for (key, texts) in [("journal", &expect.journal), ("journal_without", &expect.journal_without)] {
            self.value(key, Some(texts).filter(|texts| !texts.is_empty()).map(|texts| list(texts)), key);
        }
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn list(texts: &[String]) -> Value {
    Value::from(texts.to_vec())
}

fn value_of(parameter: &Parameter) -> String {
    match parameter {
        Parameter::Text(text) => quoted(text),
        Parameter::Number(number) => number.to_string(),
        Parameter::List(words) => list(words).to_string(),
    }
}

/// A shell has no way to write the end of a line: `\r`, `\n`, `\t`, `\0` and `\\` are what they are in most languages.
pub fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            plain.push(char);
            continue;
        }
        match chars.next() {
            Some('r') => plain.push('\r'),
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('0') => plain.push('\0'),
            Some('\\') | None => plain.push('\\'),
            Some(other) => plain.extend(['\\', other]),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::expect::{By, Outcome};

    fn asked(unit: &str) -> Asked {
        let place = Place { http: Some("http://127.0.0.1/".into()), ..Place::default() };
        Asked { unit: unit.into(), place, ..Asked::default() }
    }

    fn done(name: &str) -> Vec<Fault> {
        vec![Fault { name: name.into(), ..Fault::default() }]
    }

    fn read(asked: &Asked) -> Result<Scenario, String> {
        asked.scenario(&Loader::default(), option).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_expected_follows_from_what_is_done() {
        let expect = |fault: Option<&str>, expect: Option<&str>| {
            let faults = fault.map(done).unwrap_or_default();
            let expect = Expect { outcome: expect.map(ToOwned::to_owned), ..Expect::default() };
            let expect = read(&Asked { faults, expect, ..asked("my") }).expect("a question").expect;
            (expect.outcome, expect.by)
        };
        assert_eq!(expect(Some("sigstop"), None), (Outcome::Restarted, Some(By::Watchdog)));
        assert_eq!(expect(None, None), (Outcome::Undisturbed, None));
        assert_eq!(expect(Some("crash"), None), (Outcome::Restarted, Some(By::Exit)));
        assert_eq!(expect(Some("crash"), Some("failed")), (Outcome::Failed, Some(By::Exit)));
        assert_eq!(expect(Some("mute"), Some("undisturbed")), (Outcome::Undisturbed, None));
        let within = |span: &str| Expect { within: Some(span.to_owned()), ..Expect::default() };
        let limited = Asked { faults: done("mute"), expect: within("5s"), ..asked("my") };
        let limited = read(&limited).expect("a question");
        assert_eq!(limited.expect.recovery_within.as_deref(), Some("5s"));
    }

    #[test]
    fn a_unit_is_the_machines_or_a_file_wherever_it_is() {
        let scenario = read(&asked("my")).expect("a question");
        assert_eq!((scenario.name.as_str(), scenario.service.unit_name().as_str()), ("my", "my.service"));
        assert_eq!(format!("{:?}", scenario.service.unit), "tree:my.service");
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("own.service");
        std::fs::write(&file, "[Service]\nExecStart=/bin/true\n").expect("written");
        let scenario = read(&asked(&file.to_string_lossy())).expect("a question");
        assert_eq!((scenario.name.as_str(), scenario.service.unit_name().as_str()), ("own", "own.service"));
    }

    #[test]
    fn a_unit_that_runs_our_own_programs_has_them_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("own.service");
        let unit = "[Service]\nExecStart=/usr/local/bin/sd-watchdog --http http://127.0.0.1/ -- /opt/x\n";
        std::fs::write(&file, unit).expect("written");
        let watched = asked(&file.to_string_lossy());
        let files = |asked: &Asked| {
            let files = read(asked).expect("a question").service.files;
            files.iter().map(|(target, source)| format!("{target} {source:?}")).collect::<Vec<_>>().join("\n")
        };
        assert!(
            files(&watched).contains("/usr/local/bin/sd-watchdog")
                && !files(&watched).contains("buggy_server")
        );
        let of_ones_own = ("/usr/local/bin/sd-watchdog".to_owned(), "bin:buggy_server".to_owned());
        let given = files(&Asked { files: vec![of_ones_own], ..watched });
        assert!(given.contains("buggy_server") && given.lines().count() == 1, "{given}");
    }

    #[test]
    fn what_is_sent_has_its_control_characters() {
        assert_eq!(unescaped(r"PING\r\n\0\\x\y\"), "PING\r\n\0\\x\\y\\");
    }

    #[test]
    fn a_mistake_is_told_with_its_option() {
        let with = |fault: Option<&str>, http: &str| {
            let place = Place { http: Some(http.into()), ..Place::default() };
            let faults = fault.map(done).unwrap_or_default();
            read(&Asked { place, faults, ..asked("my") }).expect_err("wrong")
        };
        let said = with(Some("sigstp"), "http://[::1]/");
        assert_eq!(said, "--fault: there is no fault \"sigstp\"; did you mean \"sigstop\"?");
        let said = with(None, "127.0.0.1");
        assert!(said.starts_with("--http: \"127.0.0.1\" is not http://"), "{said}");
        let said = read(&Asked { place: Place::default(), ..asked("my") }).expect_err("nobody is asked");
        assert!(said.starts_with("--http or --tcp: [observe] needs exactly one of "), "{said}");
        let said = read(&asked("my.timer")).expect_err("no service");
        assert!(said.starts_with("--unit: "), "{said}");
        assert!(said.contains("my.timer") && !said.contains("my.timer.service"), "{said}");
        let said = read(&asked("./none.service")).expect_err("no file");
        assert!(said.starts_with("--unit: ./none.service cannot be read: No such file"), "{said}");
        let within = Expect { within: Some("soon".into()), ..Expect::default() };
        let said = read(&Asked { faults: done("mute"), expect: within, ..asked("my") }).expect_err("no span");
        assert!(said.starts_with("--within: \"soon\" is neither a time span"), "{said}");
        let expect = Expect { outcome: Some("restart".into()), ..Expect::default() };
        let said = read(&Asked { expect, ..asked("my") }).expect_err("no outcome");
        assert!(said.starts_with("--expect: there is no outcome \"restart\""), "{said}");
    }
}
