//! What a drop-in that is read behind ours says otherwise.

use std::path::Path;

use super::difference::Changed;
use super::named::shortened;
use super::{Named, difference};
use crate::unit::Unit;

/// A drop-in that no other is read behind: there is no character after this one.
const LAST: &str = "\u{10ffff}.conf";

/// What the drop-in `text` says in vain in `unit`, if it goes by the name of `file`, since one that is read behind it says
/// something else.
pub fn undone(unit: &Unit, file: &Path, text: &str) -> Vec<Named> {
    let (there, last) = (unit.with(file, text), unit.with(Path::new(LAST), text));
    let Some(ours) = there.files.iter().position(|other| other.path == file) else { return Vec::new() };
    let changed = difference(&last, &there).changed.into_iter();
    let undone = changed.filter_map(|Changed { section, name, before: wanted, after: value }| {
        let by = there.get(&section, &name).set_by.last();
        // What follows from what is undone is no matter of its own.
        let is_ours = || last.get(&section, &name).set_by.iter().any(|by| by.file + 1 == last.files.len());
        if by.map_or_else(|| !is_ours(), |by| by.file <= ours) {
            return None;
        }
        let (file, place) = match by {
            Some(by) => (there.files[by.file].path.display().to_string(), Some(there.place(by))),
            None => ("a drop-in".to_owned(), None),
        };
        let wanted = if wanted.is_empty() { "none".into() } else { shortened(&wanted) };
        Some(Named {
            consequence: format!("{file} is read behind this drop-in, and undoes its {name}={wanted}"),
            remedy: format!("give that file a name that comes before {}", crate::tools::unit::template::FILE),
            directive: name,
            value: Some(value),
            place,
        })
    });
    undone.collect()
}
