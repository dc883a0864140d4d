//! What is promised about any scenario file: for the fuzz target `scenario`, and the test that replays its corpus.

use crate::scenario::Scenario;

/// No scenario makes a reader panic, or drives the terminal on which its mistakes are shown.
///
/// # Panics
/// Where that does not hold.
pub fn scenario(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match Scenario::of_text(&text) {
        Ok(scenario) => {
            let plan = scenario.plan(1, 1);
            serde_json::to_string(&plan).expect("a plan");
            assert!(!scenario.content().is_empty());
        }
        Err(error) => super::assert_harmless(&error.to_string()),
    }
}
