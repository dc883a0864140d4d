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
mod tests;
