//! The catalogue, and what a fault of it is.

use super::parameter::{Default, Parameter};
use super::*;

#[test]
fn every_fault_is_found_by_its_own_name_and_no_other_has_it() {
    for fault in Fault::all() {
        assert_eq!(fault.name().parse().as_ref(), Ok(&fault));
    }
    let names = catalogue().iter().map(|spec| spec.name).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names.len(), catalogue().len());
    assert_eq!("SIGSTOP".parse::<Fault>(), Err(UnknownFault));
}

#[test]
fn what_the_catalogue_says_is_one_line_each_and_its_defaults_are_of_their_kind() {
    for spec in catalogue() {
        let said = spec.parameters.iter().map(|parameter| parameter.does).chain([spec.does, spec.recovery]);
        for line in said {
            assert!(
                !line.is_empty() && !line.ends_with('.') && !line.contains('\n'),
                "{}: {line}",
                spec.name
            );
        }
        for parameter in &spec.parameters {
            assert_ne!(parameter.name, "inject", "{}", spec.name);
            let Ok(parameters) = Parameters::of(std::slice::from_ref(parameter), BTreeMap::new(), Some(8080))
            else {
                assert_eq!(parameter.default, Default::Needed, "{} {}", spec.name, parameter.name);
                continue;
            };
            for (name, value) in parameters.iter() {
                assert!(parameter.kind.has(value), "{} {name}: {value}", spec.name);
            }
        }
    }
}

/// In a scenario they are all keys of the one table [fault], and its schema has one kind for each.
#[test]
fn parameters_of_one_name_are_of_one_kind() {
    let all =
        || catalogue().iter().flat_map(|spec| spec.parameters.iter().map(move |each| (spec.name, each)));
    for ((one, parameter), (other, same)) in all().flat_map(|each| all().map(move |other| (each, other))) {
        let kind = |parameter: &Parameter| std::mem::discriminant(&parameter.kind);
        if parameter.name == same.name {
            assert_eq!(kind(parameter), kind(same), "{}: {one}, {other}", parameter.name);
        }
    }
}

#[test]
fn a_fault_is_shown_with_what_was_decided_about_it() {
    let sigstop = catalogue().iter().find(|spec| spec.name == "sigstop").expect("it is there");
    let with = |which: &str| {
        let given = BTreeMap::from([("processes", Value::Text(which.into()))]);
        Fault::of(sigstop, given, None).expect("nothing is missing").to_string()
    };
    assert_eq!(with("main"), "sigstop processes=main");
    assert_eq!(with("all"), "sigstop");
    assert_ne!(with("main").parse::<Fault>(), "sigstop".parse());
}
