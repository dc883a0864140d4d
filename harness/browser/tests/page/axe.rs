//! What axe-core finds: the checks of accessibility that need no person.

use std::path::PathBuf;

use serde_json::Value;

use crate::browser::Browser;

/// Where ci/setup.sh puts axe-core.
const HERE: &str = "/usr/local/share/axe-core/axe.min.js";

/// axe-core's text, or why there is none.
pub fn script() -> Result<String, String> {
    let path = std::env::var_os("HANGPROOF_AXE").map_or(HERE.into(), PathBuf::from);
    std::fs::read_to_string(&path)
        .map_err(|error| format!("{}: {error}. ci/setup.sh --browser installs axe-core", path.display()))
}

/// Panics with what is against its rules in the page as it is now.
pub async fn check(browser: &Browser, what: &str) {
    browser.run(&script().expect("it was there")).await;
    let found: Vec<Value> = browser.awaited("axe.run().then((found) => found.violations)").await;
    let told: Vec<String> = found.iter().map(violation).collect();
    assert!(told.is_empty(), "{what}: against the rules of accessibility:\n{}", told.join("\n"));
}

fn violation(found: &Value) -> String {
    let nodes = found["nodes"].as_array().into_iter().flatten();
    let nodes: Vec<String> =
        nodes.map(|node| format!("  {}\n    {}", node["html"], node["failureSummary"])).collect();
    format!("{} ({}): {}\n{}", found["id"], found["impact"], found["help"], nodes.join("\n"))
}
