//! The keys a scenario may have: an unknown one is an error that names the nearest known.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

const TOP: [&str; 5] = ["description", "service", "observe", "fault", "expect"];

/// The keys of a table; `None` where the names are not ours (sections and directives of a unit, paths).
fn known(table: &str) -> Option<&'static [&'static str]> {
    match table {
        "service" => Some(&["unit", "files", "requires", "override", "guard"]),
        "observe" => Some(&["http", "tcp", "send", "expect", "interval", "timeout"]),
        "fault" => Some(&["inject"]),
        "expect" => Some(&["outcome", "by", "recovery_within", "undisturbed_for", "hang_report"]),
        _ => None,
    }
}

/// The first unknown key, with its place. A text that is no TOML has none: the parser says more about that.
pub fn first_unknown(text: &str) -> Option<(Range<usize>, String)> {
    let document = DeTable::parse(text).ok()?;
    let mut unknown = Vec::new();
    for (key, value) in document.get_ref() {
        let name = key.get_ref().as_ref();
        if !TOP.contains(&name) {
            unknown.push((key.span(), format!("unknown key \"{name}\"{}", suggest(name, TOP))));
        }
        let (Some(keys), DeValue::Table(table)) = (known(name), value.get_ref()) else { continue };
        for (inner, _) in table {
            let inner_name = inner.get_ref().as_ref();
            if !keys.contains(&inner_name) {
                let hint = suggest(inner_name, keys.iter().copied());
                unknown.push((inner.span(), format!("unknown key \"{inner_name}\" in [{name}]{hint}")));
            }
        }
    }
    unknown.into_iter().min_by_key(|(span, _)| span.start)
}

/// `; did you mean "mute"?`, or the list of what there is when nothing is near.
pub fn suggest(word: &str, known: impl IntoIterator<Item = &'static str>) -> String {
    let known = known.into_iter().collect::<Vec<_>>();
    let distance = |name: &&str| strsim::damerau_levenshtein(word, name);
    match known.iter().copied().min_by_key(distance) {
        Some(nearest) if distance(&nearest) <= 1 + nearest.len() / 3 => {
            format!("; did you mean \"{nearest}\"?")
        }
        _ => format!("; there are: {}", known.join(", ")),
    }
}
