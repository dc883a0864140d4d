//! Drop-ins that a unit has already, in the place of which the printed one goes: those of ours, and any of its name. Pure.

use std::path::{Path, PathBuf};

use super::directives::Named;
use super::template::FILE;
use super::wrapped;
use crate::unit::{Assigned, Unit, UnitFile};

/// Where they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Older(Vec<PathBuf>);

impl Older {
    /// A unit's. Its own file is none, whatever stands in it. One that has the printed one's name is one, whoever wrote it: it is
    /// overwritten, or hidden (see [`Unit::with`]).
    pub fn of(unit: &Unit) -> Self {
        let is_replaced = |file: &&UnitFile| has_printed_name(&file.path) || is_ours(file);
        Self(unit.drop_ins().iter().filter(is_replaced).map(|file| file.path.clone()).collect())
    }

    /// The unit as it is without them.
    pub fn taken_off(&self, unit: &Unit) -> Unit {
        unit.without(|file| self.0.contains(&file.path))
    }

    /// Those that have another name than the printed one: beside that they would still count.
    pub fn of_other_names(&self) -> Vec<PathBuf> {
        self.0.iter().filter(|path| !has_printed_name(path)).cloned().collect()
    }

    /// What they say in `before` and the drop-in `text` does not: somebody may have added it. Of options that are given anew
    /// this is not said.
    pub fn lost(&self, before: &Unit, text: &str, is_watchdog_given: bool) -> Vec<Named> {
        let after = before.with(Path::new(FILE), text);
        let new = after.assigned(Path::new(FILE));
        let what =
            |assigned: &Assigned| (assigned.section.clone(), assigned.key.clone(), assigned.value.clone());
        let is_there = |old: &&Assigned| new.iter().any(|new| what(new) == what(old));
        let mut lost = Vec::new();
        for path in &self.0 {
            let alone = before.without(|file| file.path != *path);
            let is_wrapped = matches!(alone.commands("ExecStart"), [command] if wrapped::is_ours(command));
            let is_given = |old: &Assigned| match old.key.as_str() {
                "ExecStart" => is_wrapped,
                key => is_watchdog_given && key == "WatchdogSec",
            };
            let old = before.assigned(path).iter().filter(|old| !is_there(old) && !is_given(old));
            lost.extend(old.map(|old| Named {
                directive: old.key.clone(),
                value: Some(old.value.clone()),
                place: Some(format!("{}:{}", path.display(), old.line)),
                consequence:
                    "is in the drop-in that this one takes the place of, and not in this one".to_owned(),
                remedy: "if it is to stay, put it into a drop-in of its own".to_owned(),
            }));
        }
        lost
    }
}

fn has_printed_name(path: &Path) -> bool {
    path.file_name() == Some(FILE.as_ref())
}

/// Its first line says it.
fn is_ours(file: &UnitFile) -> bool {
    let first = file.text.lines().next().unwrap_or_default();
    first.starts_with('#') && first.contains("(sd-watchdog unit --drop-in)")
}
