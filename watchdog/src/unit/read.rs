//! One assignment, by what its directive can be; and the same of the manager's property. Pure.

use std::ffi::OsStr;

pub use self::lists::settle;
use self::lists::{each, environment, paths, words};
use self::sets::{capabilities, families};
use super::command;
use super::specifier::{Expanded, Subject, expand};
use super::table::{Kind, Row};
use super::value::{self, Statuses, Value};
use super::words::{Escapes, Rules, first};

mod lists;
mod places;
mod property;
mod sets;

pub use self::property::of_property;

/// What an assignment does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It alone counts.
    Set(Value),
    /// It adds to what was said before.
    Add(Value),
    /// It takes back what was said before.
    Unset,
}

/// What becomes of an assignment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// What it does, if anything.
    pub change: Option<Change>,
    /// What is wrong with it, and whether that is fatal.
    pub fault: Option<(String, bool)>,
}

impl Outcome {
    fn set(value: Value) -> Self {
        Self { change: Some(Change::Set(value)), fault: None }
    }

    fn add(value: Value) -> Self {
        Self { change: Some(Change::Add(value)), fault: None }
    }

    /// A list, if there is anything in it.
    fn added(list: Vec<String>) -> Self {
        if list.is_empty() { Self::default() } else { Self::add(Value::List(list)) }
    }

    fn or_fatal(self) -> Self {
        Self { fault: self.fault.map(|(why, _)| (why, true)), ..self }
    }

    fn unset() -> Self {
        Self { change: Some(Change::Unset), fault: None }
    }

    fn wrong(why: impl Into<String>) -> Self {
        Self { change: None, fault: Some((why.into(), false)) }
    }

    fn fatal(why: impl Into<String>) -> Self {
        Self { change: None, fault: Some((why.into(), true)) }
    }
}

/// What `text` makes of a directive that had the value `old`. What it is added to is taken out of there, and not copied: a unit may
/// have many thousands of lines.
pub fn read(row: Option<&Row>, old: &mut Option<Value>, text: &str, subject: Subject<'_>) -> Outcome {
    let Some(row) = row else { return lines(old, text) };
    if text.is_empty() && row.kind.is_taken_back() {
        return Outcome::unset();
    }
    match row.kind {
        Kind::Lines => lines(old, text),
        Kind::Text => expanded(text, subject, |text| Ok(text.to_owned())),
        Kind::Path => expanded(text, subject, path),
        Kind::FatalPath => expanded(text, subject, path).or_fatal(),
        Kind::PidFile => match expand(text.as_bytes(), subject) {
            Err(error) => Outcome::wrong(error.to_string()),
            // Relative to the manager's runtime directory, which of a user's depends on the user.
            Ok(path) if !path.is_absolute() && path.known().is_none_or(|known| !known.is_empty()) => {
                expanded(&format!("%t/{text}"), subject, pid_file).or_fatal()
            }
            Ok(_) => expanded(text, subject, pid_file).or_fatal(),
        },
        Kind::WorkingDirectory => {
            let bare = text.strip_prefix('-').unwrap_or(text);
            let dash = &text[..text.len() - bare.len()];
            let directory = |path: &str| match path {
                "~" => Ok(format!("{dash}~")),
                path => self::path(path).map(|path| format!("{dash}{path}")),
            };
            let outcome = expanded(bare, subject, directory);
            if dash.is_empty() { outcome.or_fatal() } else { outcome }
        }
        Kind::Account => {
            let is_one = |text: &str| is_account(text).then(|| text.to_owned()).ok_or("is no user or group");
            expanded(text, subject, is_one).or_fatal()
        }
        Kind::Accounts => {
            let mut list = taken(old);
            let fault = each(text, Rules { quotes: true, escapes: Escapes::Literal }, subject, |word| {
                if !is_account(&word.supposed) {
                    return Err(format!("{:?} is no group", word.text));
                }
                list.push(word.text);
                Ok(())
            });
            let outcome = Outcome { fault, ..Outcome::added(list) };
            outcome.or_fatal()
        }
        Kind::FatalFlag => match value::flag(text) {
            Some(flag) => Outcome::set(Value::Flag(flag)),
            None => Outcome::fatal(format!("{text:?} is neither yes nor no")),
        },
        Kind::BusName => expanded(text, subject, |text| {
            is_bus_name(text).then(|| text.to_owned()).ok_or("is no name on the bus")
        }),
        Kind::Delegate if value::flag(text).is_none() => {
            let mut rest = text;
            loop {
                match first(&mut rest, Rules { quotes: true, escapes: Escapes::Literal }) {
                    Ok(Some(_)) => {}
                    Ok(None) => break Outcome::set(Value::Flag(true)),
                    Err(_) => break Outcome::wrong("a quote in it is not closed"),
                }
            }
        }
        Kind::Size if row.name == "MemoryMax" && value::size(text) == Some(0) => {
            Outcome::wrong("0 is too little")
        }
        Kind::Statuses => statuses(old.as_ref(), text),
        Kind::Commands => commands(old, text, subject),
        Kind::Environment => environment(taken(old), text, subject),
        Kind::Words => words(taken(old), text, Rules { quotes: true, escapes: Escapes::Kept }, subject),
        Kind::Paths => paths(taken(old), text, subject),
        Kind::EnvironmentFiles => places::environment_files(taken(old), text, subject),
        Kind::Binds => places::binds(taken(old), text, subject),
        Kind::Temporary => places::temporary(taken(old), text, subject),
        Kind::Directories => {
            let has_links = row.name != "ConfigurationDirectory";
            places::directories(taken(old), text, subject, has_links)
        }
        Kind::Capabilities(bounding) => capabilities(bounding, old.as_ref(), text),
        Kind::Families => families(old.as_ref(), text),
        Kind::Dependencies => {
            words(taken(old), text, Rules { quotes: false, escapes: Escapes::Kept }, subject)
        }
        scalar => match plain(scalar, text) {
            Some(value) => Outcome::set(value),
            None => Outcome::wrong(format!("{text:?} is nothing that it can be")),
        },
    }
}

/// A value of a kind that needs to know nothing else.
pub fn plain(kind: Kind, text: &str) -> Option<Value> {
    let is_one = |words: &[&str]| words.contains(&text).then(|| Value::Text(text.to_owned()));
    match kind {
        Kind::WordOrFirst(words) if text.is_empty() => {
            words.first().map(|word| Value::Text((*word).to_owned()))
        }
        Kind::Word(words) | Kind::WordOrFirst(words) => is_one(words),
        Kind::FlagOr(words) => value::flag(text).map(Value::Flag).or_else(|| is_one(words)),
        Kind::Flag | Kind::FatalFlag | Kind::Delegate => value::flag(text).map(Value::Flag),
        Kind::Time | Kind::OptionalTime => value::time(text).map(Value::Time),
        Kind::TimeOrNone => value::time(text).map(|time| Value::Time(time.filter(|time| !time.is_zero()))),
        Kind::Signal => value::signal(text).map(Value::Signal),
        Kind::Number => value::number(text).map(|number| Value::Number(Some(number))),
        Kind::Size if text == "infinity" => Some(Value::Number(None)),
        Kind::Size if is_percentage(text) => Some(Value::Text(text.to_owned())),
        Kind::Size => {
            value::size(text).filter(|bytes| *bytes < u64::MAX).map(|bytes| Value::Number(Some(bytes)))
        }
        Kind::Text => Some(Value::Text(text.to_owned())),
        _ => None,
    }
}

fn is_percentage(text: &str) -> bool {
    let number = text.strip_suffix(['%', '‰', '‱']);
    number.is_some_and(|number| number.parse::<f64>().is_ok_and(|part| (0.0..=10_000.0).contains(&part)))
}

/// The list that is there, from where it is.
fn taken(old: &mut Option<Value>) -> Vec<String> {
    match old.take_if(|old| matches!(old, Value::List(_))) {
        Some(Value::List(list)) => list,
        _ => Vec::new(),
    }
}

fn lines(old: &mut Option<Value>, text: &str) -> Outcome {
    if text.is_empty() {
        return Outcome::unset();
    }
    let mut list = taken(old);
    list.push(text.to_owned());
    Outcome::add(Value::List(list))
}

fn expanded(
    text: &str,
    subject: Subject<'_>,
    check: impl Fn(&str) -> Result<String, &'static str>,
) -> Outcome {
    let expanded = match expand(text.as_bytes(), subject) {
        Ok(expanded) => expanded,
        Err(error) => return Outcome::wrong(error.to_string()),
    };
    match known(&expanded) {
        None => match check(&String::from_utf8_lossy(&expanded.supposed())) {
            Ok(_) => Outcome::set(Value::Unresolved(text.to_owned())),
            Err(why) => Outcome::wrong(format!("{text:?} {why}")),
        },
        // Nothing is left of it: as if nothing was said.
        Some(known) if known.is_empty() => match check(known) {
            Ok(_) => Outcome::unset(),
            Err(why) => Outcome::wrong(format!("{known:?} {why}")),
        },
        Some(known) => match check(known) {
            Ok(text) => Outcome::set(Value::Text(text)),
            Err(why) => Outcome::wrong(format!("{known:?} {why}")),
        },
    }
}

fn known(expanded: &Expanded) -> Option<&str> {
    expanded.known().and_then(|bytes| str::from_utf8(bytes).ok())
}

fn pid_file(text: &str) -> Result<String, &'static str> {
    let whole = if text.starts_with('/') { text.to_owned() } else { format!("/run/{text}") };
    let path = path(&whole)?;
    // `patch_var_run`
    Ok(path.strip_prefix("/var/run/").map_or(path.clone(), |rest| format!("/run/{rest}")))
}

/// `path_simplify_and_warn`
fn path(text: &str) -> Result<String, &'static str> {
    if !text.starts_with('/') {
        return Err("is no absolute path");
    }
    let simple = command::simplified(OsStr::new(text)).into_string().map_err(|_| "is no text")?;
    let is_normal = simple.split('/').all(|part| part != ".." && part.len() <= 255);
    if is_normal && simple.len() < 4096 { Ok(simple) } else { Err("is no path that systemd takes") }
}

/// `valid_user_group_name`, as mildly as it is asked there (src/basic/user-util.c).
fn is_account(text: &str) -> bool {
    let is_digits = |text: &str| text.chars().all(|char| char.is_ascii_digit());
    let is_number = !text.starts_with('0') || text == "0";
    let is_id =
        text.parse::<u32>().is_ok_and(|id| id != u32::MAX && id != 0xffff) && is_digits(text) && is_number;
    let is_bad = |char: char| char.is_ascii_control() || ":/".contains(char);
    let is_name = !text.contains(is_bad)
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !is_digits(text.strip_prefix('-').unwrap_or(text))
        && !matches!(text, "." | "..");
    !text.is_empty() && (is_id || is_name)
}

/// D-Bus specification, "Bus names"; a well-known one.
fn is_bus_name(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(|char: char| char.is_ascii_digit())
            && part.chars().all(|char| char.is_ascii_alphanumeric() || "_-".contains(char))
    };
    text.contains('.') && text.len() <= 255 && text.split('.').all(is_part)
}

fn statuses(old: Option<&Value>, text: &str) -> Outcome {
    let mut set = match old {
        Some(Value::Statuses(set)) => set.clone(),
        _ => Statuses::default(),
    };
    let rules = Rules { quotes: false, escapes: Escapes::Literal };
    let (mut rest, mut fault) = (text, None);
    loop {
        match first(&mut rest, rules) {
            Ok(None) => break,
            Ok(Some(found)) => {
                let word = String::from_utf8_lossy(&found.bytes).into_owned();
                match (value::exit_status(&word), value::signal(&word)) {
                    (Some(code), _) => set.codes.push(code),
                    (None, Some(signal)) => set.signals.push(signal),
                    (None, None) => {
                        fault = Some((format!("{word:?} is no exit status and no signal"), false));
                    }
                }
            }
            Err(_) => {
                fault = Some(("it ends with a backslash".to_owned(), false));
                break;
            }
        }
    }
    for list in [&mut set.codes, &mut set.signals] {
        list.sort_unstable();
        list.dedup();
    }
    let change = (set != Statuses::default()).then_some(Change::Add(Value::Statuses(set)));
    Outcome { change, fault }
}

fn commands(old: &mut Option<Value>, text: &str, subject: Subject<'_>) -> Outcome {
    let parsed = command::parse(text, subject);
    let change = (!parsed.commands.is_empty()).then(|| {
        let mut list = match old.take() {
            Some(Value::Commands(list)) => list,
            _ => Vec::new(),
        };
        list.extend(parsed.commands);
        Change::Add(Value::Commands(list))
    });
    Outcome { change, fault: parsed.fault.map(|fault| (fault.to_string(), parsed.is_fatal)) }
}
