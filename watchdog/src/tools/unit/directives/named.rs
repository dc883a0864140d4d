//! Directives that stay and do not have the effect any more that they had, or not only that one.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use super::decide::Subject;
use super::facts::Facts;
use super::{GUARD, guard, refused, signals, table};

mod addresses;
mod calls;
mod hang;
mod sandbox;
mod start;

/// One of them: what it comes to, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// `ExecStartPost`
    pub directive: String,
    /// As it is written, or the default.
    pub value: Option<String>,
    /// Where it was set.
    pub place: Option<String>,
    /// What is not as before.
    pub consequence: String,
    /// What to do about it.
    pub remedy: String,
}

/// The longest value that is repeated whole, in characters.
const LONGEST: usize = 60;

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.directive)?;
        if let Some(value) = &self.value {
            f.write_str(&shortened(value))?;
        }
        write!(f, " ({})", self.place.as_deref().unwrap_or("the default"))?;
        write!(f, ": {}; {}", self.consequence, self.remedy)
    }
}

/// A value as it is repeated.
pub(super) fn shortened(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", value[..end].trim_end()).into(),
        None => value.into(),
    }
}

/// All of a unit, in the order in which they are to be read: first what keeps it from starting.
pub fn all(subject: &Subject<'_>, facts: Facts<'_>) -> Vec<Named> {
    let mut list = List { facts, named: Vec::new() };
    if subject.command.is_some() {
        list.not_refused();
    }
    start::add(&mut list, subject);
    hang::add(&mut list, subject);
    sandbox::add(&mut list, subject);
    list.unknown();
    list.named
}

/// Of a unit that is not known.
pub fn of_unknown(subject: &Subject<'_>) -> Option<Named> {
    (!subject.is_typed("--start-timeout")).then(|| Named {
        directive: "TimeoutStartSec".to_owned(),
        value: None,
        place: Some("90 s, if nobody says it".to_owned()),
        consequence: start::LIMIT.to_owned(),
        remedy: start::LONGER.to_owned(),
    })
}

/// What is named so far.
struct List<'u> {
    facts: Facts<'u>,
    named: Vec<Named>,
}

impl List<'_> {
    /// By which the unit is not wrapped unless COMMAND is given.
    fn not_refused(&mut self) {
        for refusal in refused::by_directives(self.facts) {
            self.add(refusal.what, refusal.why, "use instead: sd-watchdog guard UNIT");
        }
        if let Some(no_signal) = signals::that_is_none(self.facts) {
            self.named.push(Named {
                consequence: no_signal.consequence(),
                directive: no_signal.what,
                value: Some(no_signal.value),
                place: Some(no_signal.place),
                remedy: "mend it".to_owned(),
            });
        }
    }

    /// Of `[Service]`.
    fn add(&mut self, name: &str, consequence: impl Into<String>, remedy: impl Into<String>) {
        self.add_of("Service", name, consequence, remedy);
    }

    fn add_of(
        &mut self,
        section: &str,
        name: &str,
        consequence: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let written = self.facts.written(section, name).map(ToOwned::to_owned);
        self.named.push(Named {
            directive: name.to_owned(),
            value: written.or_else(|| Some(self.facts.0.get(section, name).value?.to_string())),
            place: self.facts.place(section, name),
            consequence: consequence.into(),
            remedy: remedy.into().replace(GUARD, &guard(self.facts.0)),
        });
    }

    /// Directives of which nothing is known here: mistyped ones, and those of a systemd that is newer.
    fn unknown(&mut self) {
        let unknown = self.facts.0.directives().filter(|(section, name, directive)| {
            directive.is_set()
                && !section.starts_with("X-")
                && !name.starts_with("X-")
                && table::find(section, name).is_none()
        });
        let unknown: Vec<(String, String)> =
            unknown.map(|(section, name, _)| (section.to_owned(), name.to_owned())).collect();
        for (section, name) in unknown {
            self.add_of(
                &section,
                &name,
                format!("sd-watchdog knows no such directive in [{section}], nor what becomes of it"),
                "see to it yourself, if systemd knows it",
            );
        }
    }
}

/// Whether a program is looked for, by systemd without us and by COMMAND's environment with us.
fn is_looked_for(program: &std::ffi::OsStr) -> bool {
    Path::new(program).components().count() == 1 && !program.as_encoded_bytes().starts_with(b"/")
}
