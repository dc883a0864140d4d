//! The renderer: modules of plain JavaScript and a stylesheet, which are put together here and built by nothing.
//!
//! A module imports by name, from `./other.js`, what comes before it in [`MODULES`]; no two of them use a name for different
//! things at their top. So all of them in one scope, without their `import` and `export`, are one script.

use std::sync::LazyLock;

#[cfg(test)]
mod tests;

macro_rules! modules {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("assets/", $name)))),*] };
}

/// Every module before those that need it.
const MODULES: [(&str, &str); 17] = modules![
    "format.js",
    "series.js",
    "scale.js",
    "keys.js",
    "store.js",
    "lanes.js",
    "dom.js",
    "source.js",
    "paint.js",
    "timeline.js",
    "now.js",
    "unit.js",
    "controls.js",
    "tour.js",
    "history.js",
    "hang.js",
    "runs.js",
];

/// What begins it all.
const MAIN: (&str, &str) = ("main.js", include_str!("assets/main.js"));

const STYLE: &str = include_str!("assets/page.css");

/// A page's sign among others.
const ICON: &str = include_str!("assets/icon.svg");

static SCRIPT: LazyLock<String> = LazyLock::new(|| {
    let mut script = String::from("(() => {\n'use strict';\n");
    for (_, module) in MODULES.iter().chain([&MAIN]) {
        bundle(module, &mut script);
    }
    script.push_str("})();\n");
    script
});

static SHEET: LazyLock<String> = LazyLock::new(|| without_comments(STYLE));

/// The whole renderer, a classic script.
pub fn script() -> &'static str {
    &SCRIPT
}

/// The whole stylesheet.
pub fn style() -> &'static str {
    &SHEET
}

/// The icon, SVG.
pub fn icon() -> &'static str {
    ICON
}

/// Appends a module to the script, without its imports and exports. What is for its readers alone stays behind.
fn bundle(module: &str, script: &mut String) {
    for line in without_comments(module).lines() {
        if line.starts_with("import ") {
            continue;
        }
        script.push_str(line.strip_prefix("export ").unwrap_or(line));
        script.push('\n');
    }
}

/// Without comments and without indentation. A comment is a block within a line, or has lines of its own.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut in_comment = false;
    for line in text.lines() {
        if in_comment {
            in_comment = !line.contains("*/");
            continue;
        }
        let line = without_types(line);
        let line = line.trim();
        in_comment = line.starts_with("/*");
        if !in_comment && !line.is_empty() && !line.starts_with("//") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// A line without the comments that begin and end in it, which say of what type something is.
fn without_types(line: &str) -> String {
    let mut rest = line;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once("/*")
        && let Some((_, after)) = after.split_once("*/")
    {
        kept.push_str(before);
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    kept + rest
}
