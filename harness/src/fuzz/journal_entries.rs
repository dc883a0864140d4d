//! What is promised about anything in a journal: for the fuzz target `journal_entries`, and the test that replays its corpus.

use crate::model::entry::Entry;
use crate::model::event;
use crate::model::settings::Guard;

/// Nothing that was logged makes a reader panic, or drives the terminal it is shown on; and a recording keeps what was read of it.
///
/// # Panics
/// Where that does not hold.
pub fn journal_entries(bytes: &[u8]) {
    const UNIT: &str = "x.service";
    for line in String::from_utf8_lossy(bytes).lines() {
        let entry = match Entry::parse(line) {
            Ok(entry) => entry,
            Err(error) => {
                super::assert_harmless(&error.to_string());
                continue;
            }
        };
        super::assert_harmless(&entry.line());
        let event = event::read(&entry, UNIT);
        if let Some(event) = &event {
            super::assert_harmless(&event.kind.to_string());
        }
        let kept = serde_json::to_string(&entry.clone().trimmed()).expect("json");
        let kept = Entry::parse(&kept).expect("what was written is read");
        assert_eq!(event::read(&kept, UNIT), event, "{line}");
        assert_eq!(Guard::told(&kept, UNIT), Guard::told(&entry, UNIT), "{line}");
    }
}
