//! A unit before and after, as systemd would have it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use super::table;
use crate::unit::{Unit, Value};

/// What differs, and what is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// In the order of sections and names.
    pub changed: Vec<Changed>,
    /// What the unit sets, and is the same behind the drop-in, as it is [`shown`].
    pub kept: Vec<String>,
}

/// A directive that is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// `Service`
    pub section: String,
    /// `Type`
    pub name: String,
    /// What is not set, nor has a default that is known, is empty.
    pub before: String,
    /// The same.
    pub after: String,
}

/// A directive's name, with its section where it does not belong there.
pub fn shown(section: &str, name: &str) -> String {
    match table::find(section, name) {
        Some(_) => format!("{name}="),
        None => format!("[{section}] {name}="),
    }
}

/// Compares them directive by directive.
pub fn difference(before: &Unit, after: &Unit) -> Difference {
    let all = before.directives().chain(after.directives());
    let names: BTreeSet<(&str, &str)> = all.map(|(section, name, _)| (section, name)).collect();
    let mut difference = Difference::default();
    for (section, name) in names {
        let values = [before, after].map(|unit| unit.get(section, name).value);
        let is_default = || names_as_before(before, values[1].and_then(Value::text));
        if (section, name) == ("Service", "SyslogIdentifier") && values[0].is_none() && is_default() {
            continue;
        }
        if values[0] != values[1] {
            let [before, after] =
                values.map(|value| value.map(|value| written(name, value)).unwrap_or_default());
            difference.changed.push(Changed {
                section: section.to_owned(),
                name: name.to_owned(),
                before,
                after,
            });
        } else if before.get(section, name).is_set() {
            difference.kept.push(shown(section, name));
        }
    }
    difference
}

/// Whether `identifier` is what the lines of all commands are under where nobody says it: the name of what is executed.
pub fn names_as_before(unit: &Unit, identifier: Option<&str>) -> bool {
    let is_same = |program: &OsStr| Path::new(program).file_name() == identifier.map(OsStr::new);
    identifier.is_some() && programs(unit).all(is_same)
}

/// The programs that a unit runs.
fn programs(unit: &Unit) -> impl Iterator<Item = &OsStr> {
    const COMMANDS: [&str; 8] = [
        "ExecCondition",
        "ExecStartPre",
        "ExecStart",
        "ExecStartPost",
        "ExecReload",
        "ExecReloadPost",
        "ExecStop",
        "ExecStopPost",
    ];
    COMMANDS.iter().flat_map(|name| unit.commands(name)).map(|command| command.program.text.as_os_str())
}

/// A list of nothing is not the same as none.
fn written(name: &str, value: &Value) -> String {
    match value {
        Value::List(list) if list.is_empty() && name == "RestrictAddressFamilies" => "none".to_owned(),
        Value::List(list) if list.is_empty() => "(empty)".to_owned(),
        value => value.to_string(),
    }
}
