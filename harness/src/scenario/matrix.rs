//! `[matrix]`: one file, several scenarios.

use std::borrow::Cow;
use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::take;
use super::schema;
use super::section::Mistakes;

/// How many variants a file may have, and of how many lists.
const LIMIT: usize = 64;
const AXES: usize = 8;

/// A scenario's table, and what makes it one of several: `WatchdogSec=1s`; empty where there is but one.
pub type Variant<'a> = (String, DeTable<'a>);

type Value<'a> = Spanned<DeValue<'a>>;
type Name<'a> = Spanned<Cow<'a, str>>;

/// Where the values go, as the file has it, and which there are.
struct Axis<'a> {
    path: Vec<Name<'a>>,
    values: Vec<Value<'a>>,
}

/// All combinations of the values of `[matrix]`; the file as it is where there is none.
pub fn variants<'a>(mut file: DeTable<'a>, mistakes: &Mistakes) -> Vec<Variant<'a>> {
    let Some((_, matrix)) = take(&mut file, "matrix") else { return vec![(String::new(), file)] };
    let at = matrix.span();
    let DeValue::Table(matrix) = matrix.into_inner() else {
        mistakes.add(at, "matrix is to be a table of lists");
        return Vec::new();
    };
    let mut axes = Vec::new();
    collect(matrix, &mut Vec::new(), &mut axes, mistakes);
    if axes.len() > AXES {
        mistakes.add(at, format!("{} lists are more than the {AXES} that [matrix] may have", axes.len()));
        return Vec::new();
    }
    let count = axes.iter().try_fold(1_usize, |count, axis| count.checked_mul(axis.values.len()));
    if count.is_none_or(|count| count > LIMIT) {
        let lengths = axes.iter().map(|axis| axis.values.len().to_string()).collect::<Vec<_>>();
        let message = format!(
            "{} variants are more than the {LIMIT} that a file may have: make several files",
            lengths.join(" × ")
        );
        mistakes.add(at, message);
        return Vec::new();
    }
    let mut variants = vec![(String::new(), file)];
    for axis in axes {
        let Some(place) = place(&axis.path, mistakes) else { continue };
        let spelled = axis.path.iter().map(|name| name.get_ref().as_ref()).collect::<Vec<_>>().join(".");
        let labels = labels(&axis.values, mistakes);
        let old = std::mem::take(&mut variants);
        for (label, table) in old {
            for (value, word) in axis.values.iter().zip(&labels) {
                let mut table = table.clone();
                if let Err(name) = set(&mut table, &place, value.clone()) {
                    let message = format!("{name} is no table, and [matrix] sets keys of tables");
                    mistakes.add(axis.path[0].span(), message);
                }
                let comma = if label.is_empty() { "" } else { "," };
                variants.push((format!("{label}{comma}{spelled}={word}"), table));
            }
        }
    }
    variants
}

fn collect<'a>(table: DeTable<'a>, path: &mut Vec<Name<'a>>, axes: &mut Vec<Axis<'a>>, mistakes: &Mistakes) {
    for (name, value) in table {
        path.push(name);
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => collect(table, path, axes, mistakes),
            DeValue::Array(values) if !values.is_empty() => {
                axes.push(Axis { path: path.clone(), values: values.into_iter().collect() });
            }
            DeValue::Array(_) => mistakes.add(span, "a list of no values makes no variants"),
            _ => mistakes.add(span, "[matrix] has lists: WatchdogSec = [\"1s\", \"5s\"]"),
        }
        path.pop();
    }
}

/// Where in the file: a key as it is spelled, `SECTION.DIRECTIVE` of the unit, or a directive of its `[Service]`.
fn place(path: &[Name], mistakes: &Mistakes) -> Option<Vec<String>> {
    let names = path.iter().map(|name| name.get_ref().to_string()).collect::<Vec<_>>();
    let is_key = |name: &String| schema::known("").iter().any(|key| key.name == name);
    let drop_in = |rest: &[&str]| {
        ["service", "override"].iter().chain(rest).map(ToString::to_string).collect::<Vec<_>>()
    };
    match names.as_slice() {
        [first, ..] if ["extends", "matrix", "description", "tags"].contains(&first.as_str()) => {
            mistakes.add(path[0].span(), format!("{first} is the same for all variants"));
            None
        }
        [first, _, ..] if is_key(first) => Some(names),
        [first] if is_key(first) => {
            mistakes.add(
                path[0].span(),
                format!("{first} is a table: [matrix] sets one of its keys, {first}.KEY"),
            );
            None
        }
        [directive] => Some(drop_in(&["Service", directive])),
        [section, directive] if section.starts_with(|c: char| c.is_ascii_uppercase()) => {
            Some(drop_in(&[section, directive]))
        }
        [first, ..] => {
            let keys = schema::known("").iter().map(|key| key.name);
            let message = format!("[matrix] knows no \"{first}\"{}", schema::suggest(first, keys));
            mistakes.add(path[0].span(), message);
            None
        }
        [] => None,
    }
}

fn set<'a>(table: &mut DeTable<'a>, place: &[String], value: Value<'a>) -> Result<(), String> {
    let [name, rest @ ..] = place else { return Ok(()) };
    let span = value.span();
    let (key, old) = match take(table, name) {
        Some((key, old)) => (key, Some(old)),
        None => (Spanned::new(span.clone(), Cow::Owned(name.clone())), None),
    };
    if rest.is_empty() {
        table.insert(key, value);
        return Ok(());
    }
    let at = old.as_ref().map_or(span, Spanned::span);
    let mut inner = match old.map(Spanned::into_inner) {
        None => DeTable::new(),
        Some(DeValue::Table(table)) => table,
        Some(_) => return Err(name.clone()),
    };
    set(&mut inner, rest, value)?;
    table.insert(key, Spanned::new(at, DeValue::Table(inner)));
    Ok(())
}

/// How each value is called: by itself where it is short and plain, else by its number.
fn labels(values: &[Value], mistakes: &Mistakes) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let labels = values.iter().enumerate().map(|(index, value)| {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.as_str().into(),
            DeValue::Float(number) => number.as_str().into(),
            DeValue::Boolean(flag) => flag.to_string(),
            _ => String::new(),
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+%:".contains(c);
        let label = if (1..=24).contains(&text.len()) && text.chars().all(is_plain) {
            text
        } else {
            format!("#{}", index + 1)
        };
        if !seen.insert(label.clone()) {
            mistakes.add(value.span(), format!("\"{label}\" is there twice"));
        }
        label
    });
    labels.collect()
}
