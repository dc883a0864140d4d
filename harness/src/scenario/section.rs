//! A scenario's tables, read key by key. Every mistake is kept with its place, and what is wrong reads as if it were absent, so that
//! a file's mistakes are all found at once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::keys::{known, suggest};

/// What is wrong with a text, each with the place.
#[derive(Default)]
pub struct Mistakes(RefCell<Vec<(Range<usize>, String)>>);

impl Mistakes {
    /// Adds one.
    pub fn add(&self, span: Range<usize>, message: impl Into<String>) {
        self.0.borrow_mut().push((span, message.into()));
    }

    /// In the order of their places.
    pub fn sorted(self) -> Vec<(Range<usize>, String)> {
        let mut all = self.0.into_inner();
        all.sort_by_key(|(span, _)| span.start);
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

type Entry<'a> = (&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>);

impl<'a> Section<'a> {
    /// The file itself.
    pub fn top(table: &'a DeTable<'a>, mistakes: &'a Mistakes) -> Self {
        Self { name: "", at: 0..0, table, mistakes }.checked()
    }

    /// A table in it.
    pub fn section(&self, name: &'static str) -> Option<Self> {
        let (_, value) = self.entry(name)?;
        let table = self.table_of(name, value)?;
        Some(Self { name, at: value.span(), table, mistakes: self.mistakes }.checked())
    }

    /// A table that must be there.
    pub fn needed_section(&self, name: &'static str) -> Option<Self> {
        if self.entry(name).is_none() {
            self.mistakes.add(0..0, format!("there is no [{name}]"));
        }
        self.section(name)
    }

    fn checked(self) -> Self {
        let place = if self.name.is_empty() { String::new() } else { format!(" in [{}]", self.name) };
        let keys = known(self.name);
        for key in self.table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            let hint = suggest(name, keys.iter().copied());
            self.mistakes.add(key.span(), format!("unknown key \"{name}\"{place}{hint}"));
        }
        self
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

    fn is_no(&self, value: &Spanned<DeValue>, key: &str, wanted: &str) {
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

    fn text_of(&self, key: &str, value: &Spanned<DeValue>) -> Option<Spanned<String>> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.is_no(value, key, "a string");
        }
        text.map(|text| Spanned::new(value.span(), text.to_owned()))
    }

    /// A string.
    pub fn text(&self, key: &str) -> Option<Spanned<String>> {
        let (_, value) = self.entry(key)?;
        self.text_of(key, value)
    }

    /// A string that must be there.
    pub fn needed_text(&self, key: &str) -> Option<Spanned<String>> {
        if self.entry(key).is_none() {
            let place = if self.name.is_empty() { "a scenario" } else { &format!("[{}]", self.name) };
            self.wrong(self.at.clone(), format!("{place} needs {key}"));
        }
        self.text(key)
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

    /// Names of the user's own, each with a string.
    pub fn texts(&self, key: &str) -> BTreeMap<String, Spanned<String>> {
        let table = self.entry(key).and_then(|(_, value)| self.table_of(key, value));
        let texts = table.into_iter().flatten().filter_map(|(name, value)| {
            Some((name.get_ref().to_string(), self.text_of(name.get_ref(), value)?))
        });
        texts.collect()
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

    fn name_of_unit_files(&self, name: &Spanned<std::borrow::Cow<str>>) {
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

fn integer(number: &DeInteger) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}
