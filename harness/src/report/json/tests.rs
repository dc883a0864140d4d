use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::model::call::{Host, Planned};
use crate::model::moment::{Moment, Noted, What};
use crate::model::recording::Recording;

/// What of a value is not as a JSON Schema has it, of the words that ours uses; nothing where it is.
fn violation(value: &Value, schema: &Value, root: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let place = reference.strip_prefix('#').expect("one of ours");
        return violation(value, root.pointer(place).expect(place), root);
    }
    let is_of = |kind: &Value| match kind.as_str().expect("a word") {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("{other} is not checked here"),
    };
    let kinds = schema.get("type").expect("every schema of ours has a type");
    if !kinds.as_array().map_or_else(|| is_of(kinds), |kinds| kinds.iter().any(is_of)) {
        return Some(format!("{value} is not of type {kinds}"));
    }
    let is_below = value.as_f64().zip(schema["minimum"].as_f64()).is_some_and(|(value, least)| value < least);
    let is_other = schema.get("const").is_some_and(|only| only != value);
    let is_strange = schema["enum"].as_array().is_some_and(|words| !words.contains(value));
    let is_hex = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_no_id = schema.get("pattern").is_some() && !value.as_str().is_some_and(is_hex);
    if is_below || is_other || is_strange || is_no_id {
        return Some(format!("{value} is not {schema}"));
    }
    let items = value.as_array().into_iter().flatten();
    if let Some(wrong) = items.into_iter().find_map(|item| violation(item, &schema["items"], root)) {
        return Some(wrong);
    }
    let object = value.as_object()?;
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(absent) = required.into_iter().find(|key| !object.contains_key(*key)) {
        return Some(format!("{absent} is missing in {value}"));
    }
    object.iter().find_map(|(key, value)| {
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => Some(format!("{key} is unknown")),
            (Value::Null, Value::Null) => None,
            (Value::Null, others) => violation(value, others, root),
            (known, _) => violation(value, known, root),
        }
    })
}

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/report.json");
    serde_json::from_str(&fs::read_to_string(path).expect("it ships")).expect("JSON")
}

/// Those of all recordings that ship.
fn reports() -> Vec<(String, Value)> {
    let journals = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals");
    let files = fs::read_dir(journals).expect("a directory").map(|entry| entry.expect("an entry").path());
    let reports = files.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")).map(|path| {
        let text = fs::read(&path).expect("readable");
        let recording = Recording::read(text.as_slice()).expect("a recording");
        let claim = "recovered >= 95% within WatchdogSec".parse().expect("a claim");
        let runs = RunResult::all_of(&recording.stories).into_iter().map(|run| run.claimed(Some(&claim)));
        let call = Call {
            program: PROGRAM.into(),
            command: vec!["hangproof".into()],
            host: Host { id: Some("x".into()), ..Host::default() },
            seed: Some(u64::MAX),
            shard: Some("1/2".parse().expect("a shard")),
            until: Some(claim.clone()),
            plan: vec![Planned {
                scenario: "x".into(),
                cases: recording.stories.iter().map(|story| story.case).collect(),
            }],
        };
        let runs = runs.collect::<Vec<_>>();
        let report = serde_json::to_value(Document::of(&[call], &runs)).expect("JSON");
        (path.display().to_string(), report)
    });
    reports.collect()
}

#[test]
fn every_report_is_as_the_json_schema_has_it() {
    let (schema, reports) = (schema(), reports());
    assert!(reports.len() > 5, "{}", reports.len());
    for (path, report) in reports {
        assert_eq!(violation(&report, &schema, &schema), None, "{path}");
    }
}

#[test]
fn what_lacks_a_key_or_has_another_is_none() {
    let schema = schema();
    let (_, whole) =
        reports().into_iter().find(|(path, _)| path.ends_with("/trigger.jsonl")).expect("it ships");
    for place in
        ["", "/calls/0", "/calls/0/host", "/calls/0/plan/0", "/runs/0", "/runs/0/passed", "/runs/0/claim"]
    {
        let object = whole.pointer(place).expect(place).as_object().expect(place);
        for key in object.keys().filter(|key| {
            !["id", "seed", "shard", "until", "claim"].contains(&key.as_str()) || place.ends_with("claim")
        }) {
            let mut report = whole.clone();
            report.pointer_mut(place).expect(place).as_object_mut().expect(place).remove(key);
            assert!(violation(&report, &schema, &schema).is_some(), "{place} without {key}");
        }
        let mut report = whole.clone();
        report.pointer_mut(place).expect(place)["another"] = json!(1);
        assert!(violation(&report, &schema, &schema).is_some(), "{place} with another key");
    }
    for (place, wrong) in [
        ("/schema", json!("hangproof/3")),
        ("/runs/0/verdict", json!("passed")),
        ("/runs/0/trials/0/case", json!("7")),
        ("/runs/0/trials/0/phases/detect_ms", json!(-1)),
        ("/runs/0/trials/0/events/0/kind", json!("exploded")),
        ("/runs/0/summary/detect_ms/count", json!(0.5)),
    ] {
        let mut report = whole.clone();
        *report.pointer_mut(place).expect(place) = wrong;
        assert!(violation(&report, &schema, &schema).is_some(), "{place}");
    }
}

#[test]
fn a_run_that_broke_is_in_every_report() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/crash.jsonl");
    let recording = Recording::read(&*fs::read(path).expect("it ships")).expect("a recording");
    let story = &recording.stories[0];
    let broken = RunResult::broken(&[], story, "no <such> socket".into());
    let runs = [broken.expect("a result")];
    let report = serde_json::to_value(Document::of(&[], &runs)).expect("JSON");
    assert_eq!(violation(&report, &schema(), &schema()), None);
    assert_eq!(report["runs"][0]["broke"], "no <such> socket");
    let junit = crate::report::junit::document(&runs).expect("XML");
    assert!(junit.contains("errors=\"1\"") && junit.contains("no &lt;such&gt; socket"), "{junit}");
}

#[test]
fn what_is_to_be_known_of_an_install_is_in_the_report_once() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/trigger.jsonl");
    let mut stories = Recording::read(&*fs::read(path).expect("it ships")).expect("a recording").stories;
    let mut again = stories[0].clone();
    again.plan.trial += 1;
    let note = || What::Noted(Noted { note: "the user app was made\u{7}".into() });
    for story in [&mut stories[0], &mut again] {
        story.take(&Moment { at: Usec(1), case: story.case, what: note() });
    }
    let run = RunResult::of(&[stories.remove(0), again]).expect("a run");
    let document = serde_json::to_value(Document::of(&[], std::slice::from_ref(&run))).expect("JSON");
    assert_eq!(document["runs"][0]["notes"], json!(["the user app was made\\u{7}"]));
    assert_eq!(violation(&document, &schema(), &schema()), None);
    assert!(crate::report::table::render(&run, 100).contains("the user app was made"));
}

#[test]
fn what_is_no_timer_has_no_bound_in_any_report() {
    use crate::model::bound::tests::settings;
    use crate::model::settings::OnHang;

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/crash.jsonl");
    let recording = Recording::read(fs::read(path).expect("readable").as_slice()).expect("a recording");
    let mut runs = RunResult::all_of(&recording.stories);
    for (restart_usec, has_timer) in [(0, false), (100_000, true)] {
        runs[0].bounds =
            Bounds::of(&Settings { restart_usec: Some(restart_usec), ..settings(OnHang::Trigger) });
        let report = serde_json::to_value(Document::of(&[], &runs)).expect("JSON");
        let bounds = report["runs"][0]["bounds"].as_object().expect("an object");
        assert_eq!(bounds.contains_key("restart_ms"), has_timer, "{bounds:?}");
        assert!(bounds.contains_key("recovery_ms"), "{bounds:?}");
        let trace = crate::report::trace::document(&runs);
        let slices = trace["traceEvents"].as_array().expect("a list");
        let is_bound = |slice: &&Value| slice["args"]["sum"].is_string() && slice["name"] == "restart";
        assert_eq!(slices.iter().any(|slice| is_bound(&slice)), has_timer);
    }
}
