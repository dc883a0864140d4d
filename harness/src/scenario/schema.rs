//! What a scenario may say: every table and key, once. The check of keys, the nearest right word, the reference
//! (docs/scenario.md) and the JSON Schema (harness/schema/scenario.json) come from it.
//!
//! To add a key: a [`Key`] in [`tables`], and the code that reads it from its [`Section`](super::section::Section). The tests then
//! say what to write anew, and read the key's example as a scenario.

pub mod json;
pub mod reference;
mod tables;

pub use self::tables::TABLES;
use super::service::{DIRECTORY, FILE};
use crate::model::sequence::After;

/// A table of the file.
#[derive(Debug)]
pub struct Table {
    /// As the file has it; empty for the file itself.
    pub name: &'static str,
    /// What it is for, in Markdown.
    pub about: &'static str,
    /// Those that say what it is about: with one of them the table stands for itself, and takes nothing of the one that it extends.
    pub heads: &'static [&'static str],
    /// In the order in which they are explained.
    pub keys: &'static [Key],
}

/// A key of a table.
#[derive(Debug)]
pub struct Key {
    /// As the file has it.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// What holds without it, in words; `None`: it has to be there.
    pub default: Option<&'static str>,
    /// What it says: a sentence, in Markdown.
    pub about: &'static str,
    /// A scenario with it; what it has not is as in the built-in one "classic".
    pub example: &'static str,
}

/// What a key may hold.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A string.
    Text,
    /// True or false.
    Flag,
    /// A time span above 0: `"2s"`.
    Span,
    /// A time span, or the name of a directive that is one.
    SpanOrDirective,
    /// What a fault waits for.
    After,
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// A list of strings.
    Texts,
    /// A file, or the name of a built-in scenario.
    Extended,
    /// Files with the packages that have them, and `controllers`, a list.
    Requires,
    /// Paths in the machine, each with what is put there.
    Files,
    /// Paths in the machine, each with a table.
    Directories,
    /// Keys of the scenario or directives of the unit, each with a list of values.
    Matrix,
    /// A whole number from 0.
    Count,
    /// Names and values of headers.
    Headers,
    /// Statuses of HTTP, and ranges of them.
    Statuses,
    /// Sections of a unit, each with directives.
    Assignments,
    /// A table of [`TABLES`].
    Table(&'static str),
    /// The same, or a list of them.
    Tables(&'static str),
}

impl Kind {
    /// In words, for people.
    pub fn words(self) -> String {
        match self {
            Self::Text => "a string".into(),
            Self::Flag => "true or false".into(),
            Self::Span => "a time span above 0, as `\"2s\"`".into(),
            Self::SpanOrDirective => format!(
                "a time span, as `\"2s\"`, or one of the unit's {}",
                super::SPANS.map(|name| format!("`\"{name}\"`")).join(", ")
            ),
            Self::After => format!(
                "a time span, as `\"2s\"`, or one of {}",
                After::WORDS.map(|(word, _)| format!("`\"{word}\"`")).join(", ")
            ),
            Self::Word(words) => {
                format!(
                    "one of {}",
                    words().iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ")
                )
            }
            Self::Texts => "a list of strings".into(),
            Self::Extended => "a built-in scenario's name, or a file, relative to this one".into(),
            Self::Requires => "a table of strings, and `controllers`, a list of strings".into(),
            Self::Files => "a table: each path in the machine with a string or a table".into(),
            Self::Directories => "a table: each path in the machine with a table".into(),
            Self::Matrix => "a table of lists".into(),
            Self::Count => "a whole number from 0".into(),
            Self::Headers => "a table of strings".into(),
            Self::Statuses => "a status, a range of them as `\"200-299\"`, or a list of these".into(),
            Self::Assignments => "a table of a unit's sections, each a table of its directives".into(),
            Self::Table(_) => "a table".into(),
            Self::Tables(name) => format!("a table, or several, each `[[{name}]]`"),
        }
    }
}

/// The keys of a table.
pub fn known(table: &str) -> &'static [Key] {
    TABLES.iter().find(|known| known.name == table).map_or(&[], |table| table.keys)
}

/// The heads of a table.
pub fn heads(table: &str) -> &'static [&'static str] {
    TABLES.iter().find(|known| known.name == table).map_or(&[], |table| table.heads)
}

/// The nearest of some words; `None` where none is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What is longer than every word is near to none, and takes long to compare.
    let short = word.chars().take(64).collect::<String>();
    let distance = |name: &&str| strsim::damerau_levenshtein(&short, name);
    known.into_iter().min_by_key(distance).filter(|nearest| distance(nearest) <= 1 + nearest.len() / 3)
}

/// `; did you mean "mute"?`, or the list of what there is when nothing is near.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known = known.into_iter().collect::<Vec<_>>();
    match nearest(word, known.iter().copied()) {
        Some(nearest) => format!("; did you mean \"{nearest}\"?"),
        None => format!("; there are: {}", known.join(", ")),
    }
}

/// The same of a table's keys, which may be those of another table.
pub fn suggest_key(word: &str, table: &str) -> String {
    let keys = || known(table).iter().map(|key| key.name);
    if nearest(word, keys()).is_none() {
        let others = TABLES.iter().filter(|other| other.name != table);
        let holder = others.into_iter().find(|other| other.keys.iter().any(|key| key.name == word));
        if let Some(holder) = holder.map(|table| table.name) {
            let place =
                if holder.is_empty() { "the file, above its tables".into() } else { format!("[{holder}]") };
            return format!("; it is a key of {place}");
        }
    }
    suggest(word, keys())
}

#[cfg(test)]
mod tests;
