//! What is promised about any recording: for the fuzz target `recording`, and the test that replays its corpus.

use crate::model::recording::Recording;
use crate::model::result::RunResult;
use crate::report::{json, junit, table, trace};

/// No recording makes a reader panic, or drives the terminal it is shown on; and one that is read is read again from every cut
/// behind a line.
///
/// # Panics
/// Where that does not hold.
pub fn recording(bytes: &[u8]) {
    let Ok(recording) = Recording::read(bytes) else { return };
    let runs = RunResult::of_recordings([&recording]);
    for run in &runs {
        for columns in [60, 110] {
            super::assert_harmless(&table::render(run, columns));
        }
        for trial in &run.trials {
            trial.verdict.reasons().iter().for_each(|reason| super::assert_harmless(reason));
        }
    }
    serde_json::to_string(&json::Document::of(&[], &runs)).expect("a report");
    let _ = junit::document(&runs);
    serde_json::to_string(&trace::document(&runs)).expect("a trace");
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').take(50) {
        if let Err(error) = Recording::read(&bytes[..=at]) {
            super::assert_harmless(&error.to_string());
        }
    }
}
