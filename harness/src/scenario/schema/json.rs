//! The JSON Schema of a scenario, for editors: harness/schema/scenario.json.

use serde_json::{Map, Value, json};

use super::{Key, Kind, TABLES, Table};
use crate::fault::{catalogue, parameter};

/// The schema, of the draft 2020-12.
pub fn schema() -> Value {
    let tables = TABLES.iter().filter(|table| !table.name.is_empty());
    let definitions = tables.map(|table| (table.name.to_owned(), of_table(table))).collect::<Map<_, _>>();
    let file = TABLES.iter().find(|table| table.name.is_empty());
    let mut schema = file.map(of_table).unwrap_or_default();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "A scenario of hangproof".into();
    schema["$defs"] = definitions.into();
    // What is extended may have them.
    schema["if"] = json!({"not": {"required": ["extends"]}});
    schema["then"] = json!({"required": required(file.map_or(&[], |table| table.keys))});
    schema
}

fn of_table(table: &Table) -> Value {
    let properties = table.keys.iter().map(|key| {
        let mut schema = of_kind(key.kind);
        schema["description"] = key.about.into();
        (key.name.to_owned(), schema)
    });
    let parameters = catalogue().iter().flat_map(|spec| &spec.parameters);
    let parameters = parameters.map(|parameter| (parameter.name.to_owned(), of_parameter(parameter.kind)));
    let properties = properties.chain(parameters.filter(|_| table.name == "fault")).collect::<Map<_, _>>();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

/// A parameter of some fault: which faults have it is checked when the scenario is read.
fn of_parameter(kind: parameter::Kind) -> Value {
    match kind {
        parameter::Kind::Number(..) => json!({"type": "number"}),
        parameter::Kind::Command => json!({"type": "array", "items": {"type": "string"}}),
        parameter::Kind::Span(..)
        | parameter::Kind::Size(..)
        | parameter::Kind::Word(_)
        | parameter::Kind::Path => json!({"type": "string"}),
    }
}

fn required(keys: &[Key]) -> Vec<&str> {
    keys.iter().filter(|key| key.default.is_none()).map(|key| key.name).collect()
}

fn of_kind(kind: Kind) -> Value {
    let text = || json!({"type": "string"});
    let values_of = |values: Value| json!({"type": "object", "additionalProperties": values});
    let list_of = |values: Value| json!({"type": "array", "items": values});
    match kind {
        Kind::Text | Kind::Span | Kind::SpanOrDirective | Kind::After | Kind::Extended => text(),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Word(words) => json!({"type": "string", "enum": words()}),
        Kind::Texts => list_of(text()),
        Kind::Requires => json!({
            "type": "object",
            "properties": {"controllers": list_of(text())},
            "additionalProperties": text(),
        }),
        Kind::Files => values_of(json!({"anyOf": [text(), reference(super::FILE)]})),
        Kind::Directories => values_of(reference(super::DIRECTORY)),
        Kind::Assignments => {
            let one = json!({"type": ["string", "number", "boolean"]});
            values_of(values_of(json!({"anyOf": [one, list_of(one.clone())]})))
        }
        Kind::Count => json!({"type": "integer"}),
        Kind::Headers => values_of(text()),
        Kind::Statuses => {
            let one = json!({"type": ["string", "integer"]});
            json!({"anyOf": [one, list_of(one.clone())]})
        }
        Kind::Matrix => json!({"type": "object", "additionalProperties": {"type": ["array", "object"]}}),
        Kind::Table(name) => reference(name),
        Kind::Tables(name) => json!({"anyOf": [reference(name), list_of(reference(name))]}),
    }
}

fn reference(table: &str) -> Value {
    json!({"$ref": format!("#/$defs/{table}")})
}
