//! The keys a scenario may have, and which of them is near to one that it may not.

/// The keys of a table; of the file itself where it has no name.
pub fn known(table: &str) -> &'static [&'static str] {
    match table {
        "" => &["description", "service", "observe", "ready", "fault", "expect"],
        "service" => &["unit", "files", "requires", "override", "guard"],
        "observe" => &["http", "tcp", "send", "expect", "interval", "timeout"],
        "ready" => &["within"],
        "fault" => &["inject"],
        "expect" => &["outcome", "by", "recovery_within", "undisturbed_for", "hang_report"],
        _ => &[],
    }
}

/// The nearest of them; `None` where none is near.
pub fn nearest(word: &str, known: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    let distance = |name: &&str| strsim::damerau_levenshtein(word, name);
    known.into_iter().min_by_key(distance).filter(|nearest| distance(nearest) <= 1 + nearest.len() / 3)
}

/// `; did you mean "mute"?`, or the list of what there is when nothing is near.
pub fn suggest(word: &str, known: impl IntoIterator<Item = &'static str>) -> String {
    let known = known.into_iter().collect::<Vec<_>>();
    match nearest(word, known.iter().copied()) {
        Some(nearest) => format!("; did you mean \"{nearest}\"?"),
        None => format!("; there are: {}", known.join(", ")),
    }
}
