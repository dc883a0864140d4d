//! A unit before and after, as systemd would have it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use crate::unit::{Unit, Value};

/// What differs, and what is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// `Type=`, before, after; what is not set, nor has a default that is known, is empty.
    pub changed: Vec<(String, String, String)>,
    /// What the unit sets, and is the same behind the drop-in.
    pub kept: Vec<String>,
}

/// Compares them directive by directive.
pub fn difference(before: &Unit, after: &Unit) -> Difference {
    let all = before.directives().chain(after.directives());
    let names: BTreeSet<(&str, &str)> = all.map(|(section, name, _)| (section, name)).collect();
    let mut difference = Difference::default();
    for (section, name) in names {
        let values = [before, after].map(|unit| unit.get(section, name).value);
        // What nobody sets is the name of the program.
        let is_as_before = || {
            let program =
                before.commands("ExecStart").first().map(|command| Path::new(&command.program.text));
            let after = values[1].and_then(Value::text);
            values[0].is_none()
                && after.is_some()
                && program.and_then(Path::file_name) == after.map(OsStr::new)
        };
        if name == "SyslogIdentifier" && is_as_before() {
            continue;
        }
        if values[0] != values[1] {
            let [before, after] = values.map(|value| value.map(Value::to_string).unwrap_or_default());
            difference.changed.push((name.to_owned(), before, after));
        } else if before.get(section, name).is_set() {
            difference.kept.push(name.to_owned());
        }
    }
    difference
}
