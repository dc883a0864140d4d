use std::collections::BTreeMap;

use super::*;

fn modules() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    MODULES.iter().chain([&MAIN])
}

/// What a line at the top of a module declares.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let rest = ["function ", "class ", "const ", "let "].iter().find_map(|word| line.strip_prefix(word))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').next()
}

#[test]
fn modules_import_by_name_what_comes_before_them() {
    let mut exports: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, module) in modules() {
        for line in module.lines().filter(|line| line.starts_with("import ")) {
            let (names, from) =
                line.strip_prefix("import { ").and_then(|rest| rest.split_once(" } from './")).expect(line);
            let from = from.strip_suffix("';").expect(line);
            let exported =
                exports.get(from).unwrap_or_else(|| panic!("{name}: {from} does not come before it"));
            for one in names.split(", ") {
                assert!(exported.contains(&one), "{name}: {from} exports no {one}");
            }
        }
        let exported =
            module.lines().filter(|line| line.starts_with("export ")).map(|line| declared(line).expect(line));
        exports.insert(name, exported.collect());
    }
}

#[test]
fn no_two_modules_use_a_name_for_different_things() {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, module) in modules() {
        for one in module.lines().filter_map(declared) {
            if let Some(other) = names.insert(one, name) {
                panic!("{one} is at the top of {other} and of {name}");
            }
        }
    }
}

#[test]
fn a_bundle_has_neither_imports_nor_exports_nor_comments() {
    let module = "/**\n * Says.\n */\nimport { a } from './a.js';\n\n/** @param {any} x */\nexport function f(x) {\n  // Why.\n  \
                  return /** @type {any} */ (x)(a); /* so */\n}\n/** @type {any} */ (f).g = 1;\n";
    let mut script = String::new();
    bundle(module, &mut script);
    assert_eq!(script, "function f(x) {\nreturn (x)(a);\n}\n(f).g = 1;\n");
}

#[test]
fn the_script_may_stand_within_the_page() {
    assert!(!script().contains("</") && !script().contains("<!--"), "it would end there");
    assert!(!style().contains("</"));
    assert!(script().lines().all(|line| !line.starts_with("import ") && !line.starts_with("export ")));
    // Whole lines are trimmed, which within a text of several lines would change it.
    for (name, module) in modules() {
        let in_code = without_comments(module);
        for line in in_code.lines() {
            let text_is_open = line.matches('`').count() % 2 == 1 && !line.contains("${");
            assert!(!text_is_open, "{name}: a text of several lines: {line}");
        }
    }
}

#[test]
fn the_renderer_is_small() {
    let size = script().len() + style().len();
    assert!(size <= 105_000, "{size} bytes");
}

#[test]
fn the_renderer_is_of_this_origin_and_has_no_styles_or_handlers_in_markup() {
    for word in [
        "http://",
        "https://",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "setAttribute('style",
    ] {
        let found = script().replace("http://www.w3.org/2000/svg", "");
        assert!(!found.contains(word), "{word}");
    }
    assert!(!style().contains("url(") && !style().contains("@import"));
}
