//! What is written of the format is what is read.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::scenario::builtin;

/// What a scenario is that has this example in it: as "classic" but for that.
fn scenario_of(example: &str) -> String {
    if example.contains("extends = ") {
        example.to_owned()
    } else {
        format!("extends = \"classic\"\n{example}")
    }
}

#[test]
fn every_example_of_the_reference_is_a_scenario() {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in [("my.conf", "port 80\n"), ("ca.pem", "-----BEGIN CERTIFICATE-----\n")] {
        std::fs::write(directory.path().join(name), text).expect("written");
    }
    for table in TABLES {
        for key in table.keys {
            let path = directory.path().join("my.toml");
            std::fs::write(&path, scenario_of(key.example)).expect("written");
            let read = crate::scenario::Scenario::load(&path.to_string_lossy());
            read.unwrap_or_else(|error| panic!("{}.{}: {error}", table.name, key.name));
            assert!(key.example.contains(key.name), "{} is not in its example", key.name);
            // A file and a directory stand in a table whose name is a path.
            let name = table.name.trim_end_matches("PATH").trim_end_matches('.');
            let is_own = name.is_empty() || key.example.contains(&format!("[{name}"));
            assert!(is_own, "the example of {} has no [{name}]", key.name);
        }
    }
}

/// A file of the repository that is written from the table: written anew with UPDATE=1.
fn is_up_to_date(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("made");
        std::fs::write(&file, text).expect("written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == text,
        "{path} is out of date: UPDATE=1 cargo test -p harness --lib schema, and look at the difference"
    );
}

#[test]
fn the_reference_is_written_from_the_schema() {
    is_up_to_date("docs/scenario.md", &reference::markdown());
}

#[test]
fn the_json_schema_is_written_from_the_schema() {
    let text = serde_json::to_string_pretty(&json::schema()).expect("JSON");
    is_up_to_date("harness/schema/scenario.json", &format!("{text}\n"));
}

/// What of a value is not as a JSON Schema has it, of the words that ours uses; nothing where it is.
fn violation(value: &Value, schema: &Value, root: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").expect("one of ours");
        return violation(value, &root["$defs"][name], root);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let is_none = any.iter().all(|schema| violation(value, schema, root).is_some());
        return is_none.then(|| format!("{value} is none of {any:?}"));
    }
    let is_of = |kind: &Value| match kind.as_str().expect("a word") {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is not checked here"),
    };
    let kinds = &schema["type"];
    let is_right = kinds.as_array().map_or_else(|| is_of(kinds), |kinds| kinds.iter().any(is_of));
    if !is_right {
        return Some(format!("{value} is not of type {kinds}"));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return Some(format!("{value} is none of {}", schema["enum"]));
    }
    let items = value.as_array().into_iter().flatten().filter(|_| schema["items"].is_object());
    if let Some(wrong) = items.into_iter().find_map(|item| violation(item, &schema["items"], root)) {
        return Some(wrong);
    }
    let is_heir = value.get("extends").is_some();
    let required = schema["then"]["required"].as_array().filter(|_| !is_heir);
    let absent = required.into_iter().flatten().find(|key| value.get(key.as_str().expect("a key")).is_none());
    if let Some(absent) = absent {
        return Some(format!("{absent} is missing"));
    }
    value.as_object().into_iter().flatten().find_map(|(key, value)| {
        let schema = match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => return Some(format!("{key} is unknown")),
            (Value::Null, Value::Null) => return None,
            (Value::Null, others) => others,
            (known, _) => known,
        };
        violation(value, schema, root)
    })
}

fn json_of(scenario: &str) -> Value {
    let table = toml::from_str::<toml::Table>(scenario).expect("TOML");
    serde_json::to_value(table).expect("JSON")
}

#[test]
fn the_json_schema_takes_what_is_read_and_refuses_what_is_not() {
    let schema = json::schema();
    let of = |scenario: &str| violation(&json_of(scenario), &schema, &schema);
    for (name, text) in builtin::all() {
        assert_eq!(of(text), None, "{name}");
    }
    let ships = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    for file in std::fs::read_dir(ships).expect("a directory") {
        let path = file.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = std::fs::read_to_string(&path).expect("readable");
            assert_eq!(of(&text), None, "{}", path.display());
        }
    }
    for key in TABLES.iter().flat_map(|table| table.keys) {
        assert_eq!(of(&scenario_of(key.example)), None, "{}", key.name);
    }
    for wrong in [
        "extends = 7",
        "extends = \"classic\"\nfautl = {}",
        "description = \"d\"",
        "extends = \"classic\"\n[expect]\noutcome = \"restart\"",
        "extends = \"classic\"\n[service]\nusers = \"redis\"",
        "extends = \"classic\"\n[service]\nfiles = { \"/x\" = { form = \"y\" } }",
        "extends = \"classic\"\n[service]\noverride = { Service = { A = [[1]] } }",
    ] {
        assert!(of(wrong).is_some(), "{wrong}");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("my.toml");
        std::fs::write(&path, wrong).expect("written");
        assert!(crate::scenario::Scenario::load(&path.to_string_lossy()).is_err(), "{wrong}");
    }
}

#[test]
fn a_value_of_another_type_is_a_mistake_at_its_place_whatever_the_key() {
    for table in TABLES {
        for key in table.keys {
            let header = match table.name {
                FILE => "[service.files.\"/x\"]".to_owned(),
                DIRECTORY => "[service.directories.\"/x\"]".to_owned(),
                "" => String::new(),
                name => format!("[{name}]"),
            };
            let text = format!("{header}\n{} = 1979-05-27\n", key.name);
            let begin = if key.name == "extends" { "" } else { "extends = \"classic\"\n" };
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("my.toml");
            std::fs::write(&path, format!("{begin}{text}")).expect("written");
            let error =
                crate::scenario::Scenario::load(&path.to_string_lossy()).expect_err(&text).to_string();
            let line = if begin.is_empty() { 2 } else { 3 };
            let is_told =
                |said: &str| said.contains(&format!("my.toml:{line}:")) && said.contains("is to be");
            assert!(error.lines().any(is_told), "{text}: {error}");
        }
    }
}

#[test]
fn every_table_is_the_value_of_a_key_and_no_key_is_there_twice() {
    for table in TABLES {
        let names = table.keys.iter().map(|key| key.name).collect::<BTreeSet<_>>();
        assert_eq!(names.len(), table.keys.len(), "[{}]", table.name);
        let mut keys = TABLES.iter().flat_map(|table| table.keys);
        let is_value = keys.any(|key| match key.kind {
            Kind::Table(name) | Kind::Tables(name) => name == table.name,
            Kind::Files => FILE == table.name,
            Kind::Directories => DIRECTORY == table.name,
            _ => false,
        });
        assert!(is_value || table.name.is_empty(), "[{}]", table.name);
    }
}

#[test]
fn a_key_of_another_table_is_named_with_that_table() {
    assert_eq!(suggest_key("http", "expect"), "; it is a key of [observe]");
    assert_eq!(suggest_key("description", "fault"), "; it is a key of the file, above its tables");
    assert_eq!(suggest_key("outcom", "expect"), "; did you mean \"outcome\"?");
    assert_eq!(suggest_key("x", "ready"), "; there are: within");
}
