//! A fault: `inject` names one of the catalogue, and further keys of the table are its parameters.

use toml::Spanned;
use toml::de::DeValue;

use super::observe::Observe;
use super::schema::{nearest, suggest, suggest_key};
use super::section::{Section, as_number, as_text, as_words};
use crate::fault::parameter::{Kind, Parameter, Value};
use crate::fault::spec::Spec;
use crate::fault::{Fault, catalogue};

/// Reads a fault's table, the keys of which nobody has checked yet.
pub(super) fn read(section: &Section, observe: Option<&Observe>) -> Option<Fault> {
    let inject = section.needed_text("inject");
    let spec = inject.as_ref().and_then(|inject| named(section, inject));
    check_keys(section, spec);
    let spec = spec?;
    let given = spec.parameters.iter().filter_map(|parameter| {
        let value = value(section, parameter)?;
        if !parameter.kind.has(value.get_ref()) {
            let near = match (parameter.kind, value.get_ref()) {
                (Kind::Word(words), Value::Text(text)) => nearest(text, words.iter().copied()),
                _ => None,
            };
            // What there is, is said already.
            let hint = near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
            let message = format!("{} is to be {}{hint}", parameter.name, parameter.kind.wanted());
            section.wrong(value.span(), message);
        }
        Some((parameter.name, value.into_inner()))
    });
    let port = observe.and_then(Observe::port);
    match Fault::of(spec, given.collect(), port) {
        Ok(fault) => Some(fault),
        Err(needed) => {
            for name in needed {
                let wanted =
                    spec.parameter(name).map(|parameter| parameter.kind.wanted()).unwrap_or_default();
                section.wrong(section.place("inject"), format!("{} needs {name}, {wanted}", spec.name));
            }
            None
        }
    }
}

/// The fault that was meant, perhaps, or where they all are.
pub fn hint(name: &str) -> String {
    match nearest(name, catalogue().iter().map(|spec| spec.name)) {
        Some(near) => format!("; did you mean \"{near}\"?"),
        None => "; `hangproof faults` has them all".into(),
    }
}

fn named(section: &Section, inject: &Spanned<String>) -> Option<&'static Spec> {
    let spec = catalogue().iter().find(|spec| spec.name == inject.get_ref());
    if spec.is_none() {
        let message = format!("there is no fault \"{}\"{}", inject.get_ref(), hint(inject.get_ref()));
        section.wrong(inject.span(), message);
    }
    spec
}

/// A key is one of the table or a parameter of the fault; of a fault that is not known, a parameter of any.
fn check_keys(section: &Section, spec: Option<&'static Spec>) {
    let specs = spec.map_or(catalogue(), std::slice::from_ref);
    let parameters = specs.iter().flat_map(|spec| spec.parameters.iter().map(|parameter| parameter.name));
    let known =
        super::schema::known("fault").iter().map(|key| key.name).chain(parameters).collect::<Vec<_>>();
    let hint = |key: &str| {
        let holders = catalogue().iter().filter(|spec| spec.parameter(key).is_some()).map(|spec| spec.name);
        match holders.collect::<Vec<_>>().as_slice() {
            [] if nearest(key, known.iter().copied()).is_none() => suggest_key(key, "fault"),
            [] => suggest(key, known.iter().copied()),
            holders => format!("; it goes with inject = \"{}\"", holders.join("\" or \"")),
        }
    };
    section.check(|key| known.contains(&key), hint);
}

fn value(section: &Section, parameter: &Parameter) -> Option<Spanned<Value>> {
    let read: fn(&DeValue) -> Option<Value> = match parameter.kind {
        Kind::Span(..) | Kind::Size(..) | Kind::Word(_) | Kind::Path => {
            |value| as_text(value).map(Value::Text)
        }
        Kind::Number(..) => |value| as_number(value).map(Value::Number),
        Kind::Command => |value| as_words(value).map(Value::List),
    };
    section.typed(parameter.name, &parameter.kind.wanted(), read)
}
