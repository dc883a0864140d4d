//! A scenario's tables, read key by key. Every mistake is kept with its place, and what is wrong reads as if it were absent, so that
//! a file's mistakes are all found at once.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::schema::{known, nearest, suggest, suggest_key};

/// How many mistakes are told of a file: what has more is something else.
const LIMIT: usize = 200;

/// What is wrong with a text, each with the place.
#[derive(Default)]
pub struct Mistakes(RefCell<Vec<(Range<usize>, String)>>);

impl Mistakes {
    /// Adds one.
    pub fn add(&self, span: Range<usize>, message: impl Into<String>) {
        let mut all = self.0.borrow_mut();
        if all.len() < LIMIT {
            all.push((span, message.into()));
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// In the order of their places, each once: variants of one file have them in common.
    pub fn sorted(self) -> Vec<(Range<usize>, String)> {
        let mut all = self.0.into_inner();
        all.sort_by(|(one, said), (other, as_well)| (one.start, said).cmp(&(other.start, as_well)));
        all.dedup();
        all
    }
}

/// A table of the file.
#[derive(Clone)]
pub struct Section<'a> {
    name: &'static str,
    at: Range<usize>,
    table: &'a DeTable<'a>,
    mistakes: &'a Mistakes,
}

type Entry<'a> = (&'a Spanned<Cow<'a, str>>, &'a Spanned<DeValue<'a>>);

impl<'a> Section<'a> {
    /// The file itself.
    pub fn top(table: &'a DeTable<'a>, mistakes: &'a Mistakes) -> Self {
        Self { name: "", at: 0..0, table, mistakes }.checked()
    }

    /// A table in it.
    pub fn section(&self, name: &'static str) -> Option<Self> {
        Some(self.open_section(name)?.checked())
    }

    /// A table that must be there.
    pub fn needed_section(&self, name: &'static str) -> Option<Self> {
        if self.entry(name).is_none() && !self.is_misspelt(name) {
            self.mistakes.add(0..0, format!("there is no [{name}]"));
        }
        self.section(name)
    }

    /// Whether a key that is not known is said to mean this one, which is not there: then it need not be said twice.
    pub fn is_misspelt(&self, key: &str) -> bool {
        let all = || known(self.name).iter().map(|known| known.name);
        let unknown = self
            .table
            .keys()
            .map(|key| key.get_ref().as_ref())
            .filter(|name| all().all(|known| known != *name));
        // Each takes a while to compare with what there is.
        unknown.take(LIMIT).any(|name| nearest(name, all()) == Some(key))
    }

    /// A table in it whose keys depend on what it says: who reads it [checks](Self::check) them.
    pub fn open_section(&self, name: &'static str) -> Option<Self> {
        let (_, value) = self.entry(name)?;
        let table = self.table_of(name, value)?;
        Some(Self { name, at: value.span(), table, mistakes: self.mistakes })
    }

    /// The same of a table, or of several of one name; [`None`] where one is no table.
    pub fn open_sections(&self, name: &'static str) -> Option<Vec<Self>> {
        let Some((_, value)) = self.entry(name) else { return Some(Vec::new()) };
        let tables = match value.get_ref() {
            DeValue::Array(tables) => tables.iter().collect(),
            _ => vec![value],
        };
        let section = |value: &'a Spanned<DeValue<'a>>| {
            let table = self.table_of(name, value)?;
            Some(Self { name, at: value.span(), table, mistakes: self.mistakes })
        };
        let sections = tables.into_iter().map(section).collect::<Vec<_>>();
        sections.into_iter().collect()
    }

    fn checked(self) -> Self {
        let is_known = |key: &str| known(self.name).iter().any(|known| known.name == key);
        self.check(is_known, |key| suggest_key(key, self.name));
        self
    }

    /// Every key is known; what is to be said of one that is not comes after its name.
    pub fn check(&self, is_known: impl Fn(&str) -> bool, hint: impl Fn(&str) -> String) {
        let place = if self.name.is_empty() { String::new() } else { format!(" in [{}]", self.name) };
        // Each takes a while to compare with what there is.
        for key in self.table.keys().filter(|key| !is_known(key.get_ref())).take(LIMIT) {
            let name = key.get_ref();
            self.mistakes.add(key.span(), format!("unknown key \"{name}\"{place}{}", hint(name)));
        }
    }

    fn entry(&self, key: &str) -> Option<Entry<'a>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key)
    }

    /// Where a key stands; where the section does, if it is absent.
    pub fn place(&self, key: &str) -> Range<usize> {
        self.entry(key).map_or_else(|| self.at.clone(), |(key, _)| key.span())
    }

    /// Something is wrong with a value, or with the key.
    pub fn wrong(&self, span: Range<usize>, message: impl Into<String>) {
        self.mistakes.add(span, message);
    }

    /// A value is of a type that it is not to be of.
    pub fn is_no(&self, value: &Spanned<DeValue>, key: &str, wanted: &str) {
        let kind = value.get_ref().type_str();
        self.wrong(value.span(), format!("{key} is to be {wanted}, and is of type {kind}"));
    }

    fn table_of(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Option<&'a DeTable<'a>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.is_no(value, key, "a table");
        }
        table
    }

    /// A value of some type; else it is said what is `wanted`.
    pub fn typed<T>(&self, key: &str, wanted: &str, read: fn(&DeValue) -> Option<T>) -> Option<Spanned<T>> {
        let (_, value) = self.entry(key)?;
        self.typed_of(key, value, wanted, read)
    }

    fn typed_of<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue>,
        wanted: &str,
        read: fn(&DeValue) -> Option<T>,
    ) -> Option<Spanned<T>> {
        let is = read(value.get_ref());
        if is.is_none() {
            self.is_no(value, key, wanted);
        }
        is.map(|is| Spanned::new(value.span(), is))
    }

    /// A value that is a string.
    pub fn text_of(&self, key: &str, value: &Spanned<DeValue>) -> Option<Spanned<String>> {
        self.typed_of(key, value, "a string", as_text)
    }

    /// A string.
    pub fn text(&self, key: &str) -> Option<Spanned<String>> {
        let (_, value) = self.entry(key)?;
        self.text_of(key, value)
    }

    /// A string that must be there.
    pub fn needed_text(&self, key: &str) -> Option<Spanned<String>> {
        // What keys a fault has depends on the fault.
        let is_told = self.name != "fault" && self.is_misspelt(key);
        if self.entry(key).is_none() && !is_told {
            let place = if self.name.is_empty() { "a scenario" } else { &format!("[{}]", self.name) };
            self.wrong(self.at.clone(), format!("{place} needs {key}"));
        }
        self.text(key)
    }

    /// `[observe]`.
    pub fn title(&self) -> String {
        format!("[{}]", self.name)
    }

    /// Whether a key is there, right or wrong.
    pub fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// Strings, where whole numbers are taken too: one, or a list of them.
    pub fn one_or_more(&self, key: &str) -> Option<Vec<Spanned<String>>> {
        let (_, value) = self.entry(key)?;
        let one = |value: &Spanned<DeValue>| match value.get_ref() {
            DeValue::Integer(number) => Some(Spanned::new(value.span(), integer(number)?.to_string())),
            _ => self.text_of(key, value),
        };
        match value.get_ref() {
            DeValue::Array(values) => values.iter().map(one).collect(),
            _ => one(value).map(|text| vec![text]),
        }
    }

    /// A boolean.
    pub fn flag(&self, key: &str) -> Option<bool> {
        let (_, value) = self.entry(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.is_no(value, key, "true or false");
        }
        flag
    }

    /// A whole number from 0.
    pub fn count(&self, key: &str) -> Option<u64> {
        self.count_from(key, 0, u64::MAX)
    }

    /// A whole number of these.
    pub fn count_from(&self, key: &str, least: u64, most: u64) -> Option<u64> {
        let number = self.number(key)?;
        let count = u64::try_from(*number.get_ref()).ok().filter(|count| (least..=most).contains(count));
        if count.is_none() {
            let to = if most == u64::MAX { String::new() } else { format!(" to {most}") };
            self.wrong(number.span(), format!("{key} is to be a whole number from {least}{to}"));
        }
        count
    }

    /// A whole number.
    pub fn number(&self, key: &str) -> Option<Spanned<i64>> {
        self.typed(key, "a whole number", as_number)
    }

    /// A list of strings.
    pub fn list(&self, key: &str) -> Option<Spanned<Vec<String>>> {
        self.typed(key, "a list of strings", as_words)
    }

    /// One of some words.
    pub fn word<T: Copy>(&self, key: &str, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let word = words.iter().find(|(word, _)| word == text.get_ref()).map(|(_, meant)| *meant);
        if word.is_none() {
            let hint = suggest(text.get_ref(), words.iter().map(|(word, _)| *word));
            self.wrong(text.span(), format!("there is no {key} \"{}\"{hint}", text.get_ref()));
        }
        word
    }

    /// A table with names of the user's own: each with its value.
    pub fn own(&self, key: &str) -> Vec<(Spanned<String>, &'a Spanned<DeValue<'a>>)> {
        let table = self.entry(key).and_then(|(_, value)| self.table_of(key, value));
        let entries = table.into_iter().flatten();
        entries.map(|(name, value)| (Spanned::new(name.span(), name.get_ref().to_string()), value)).collect()
    }

    /// A value that is a table of the schema.
    pub fn table_in(&self, name: &'static str, value: &'a Spanned<DeValue<'a>>) -> Option<Self> {
        let table = self.table_of(name, value)?;
        Some(Self { name, at: value.span(), table, mistakes: self.mistakes }.checked())
    }

    /// A list of strings, each with its place; empty where there is none.
    pub fn texts(&self, key: &str) -> Vec<Spanned<String>> {
        self.entry(key).map(|(_, value)| self.texts_of(key, value)).unwrap_or_default()
    }

    /// A value that is one.
    pub fn texts_of(&self, key: &str, value: &Spanned<DeValue>) -> Vec<Spanned<String>> {
        let Some(values) = value.get_ref().as_array() else {
            self.is_no(value, key, "a list of strings");
            return Vec::new();
        };
        values.iter().filter_map(|value| self.text_of(key, value)).collect()
    }

    /// A unit's sections, their directives, and of each the assignments.
    pub fn assignments(&self, key: &str) -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
        let mut sections = BTreeMap::new();
        let table = self.entry(key).and_then(|(_, value)| self.table_of(key, value));
        for (section, value) in table.into_iter().flatten() {
            self.name_of_unit_files(section);
            let mut directives = BTreeMap::new();
            for (directive, value) in self.table_of(section.get_ref(), value).into_iter().flatten() {
                self.name_of_unit_files(directive);
                let values = match value.get_ref() {
                    DeValue::Array(values) => values.iter().collect(),
                    _ => vec![value],
                };
                let values = values.into_iter().filter_map(|value| self.assigned(directive.get_ref(), value));
                directives.insert(directive.get_ref().to_string(), values.collect());
            }
            sections.insert(section.get_ref().to_string(), directives);
        }
        sections
    }

    fn name_of_unit_files(&self, name: &Spanned<Cow<str>>) {
        let is_name =
            |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !name.is_empty();
        if !is_name(name.get_ref()) {
            let message = format!("\"{}\" is no name of a unit's sections and directives", name.get_ref());
            self.wrong(name.span(), message);
        }
    }

    /// A value as a unit file has it.
    fn assigned(&self, directive: &str, value: &Spanned<DeValue>) -> Option<String> {
        let text = match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => integer(number).map(|number| number.to_string()),
            DeValue::Float(number) => {
                number.as_str().parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| n.to_string())
            }
            DeValue::Boolean(flag) => Some(if *flag { "yes" } else { "no" }.into()),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
        };
        match &text {
            None => self.is_no(value, directive, "a string, a number, a boolean, or a list of them"),
            // It would end the assignment, and begin another.
            Some(text) if text.contains(['\n', '\0']) || text.ends_with('\\') => {
                self.wrong(value.span(), format!("{directive} is to be one line"));
            }
            Some(_) => {}
        }
        text
    }
}

/// A string.
pub fn as_text(value: &DeValue) -> Option<String> {
    value.as_str().map(ToOwned::to_owned)
}

/// A whole number that is not too large.
pub fn as_number(value: &DeValue) -> Option<i64> {
    value.as_integer().and_then(integer)
}

/// A list of strings.
pub fn as_words(value: &DeValue) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|word| as_text(word.get_ref())).collect()
}

fn integer(number: &DeInteger) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}
