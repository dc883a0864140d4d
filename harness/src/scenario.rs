//! One question to a service, as a TOML file: what runs, what is done to it, what is expected.

use toml::Spanned;

use self::document::{Documents, Text};
use self::section::Section;
use crate::model::ask::TICK;
use crate::model::case::Plan;
use crate::model::expect::{Deed, Expectation};
use crate::model::settings::SPANS;

pub mod asked;
mod assignment;
pub mod builtin;
pub mod directory;
mod document;
mod expectation;
mod fault;
pub mod injection;
pub mod load;
mod loader;
mod matrix;
mod mistake;
pub mod observe;
mod position;
pub mod schema;
mod section;
pub mod service;
mod unit_text;

pub use self::asked::Asked;
pub use self::assignment::Assignment;
pub use self::fault::hint;
pub use self::injection::Injection;
pub use self::load::Load;
pub use self::loader::Loader;
pub use self::mistake::{Mistake, ScenarioError};
pub use self::observe::Observe;
pub use self::service::Service;

/// A scenario, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The file's name without its ending, and what makes it one of a `[matrix]`: `classic[WatchdogSec=1s]`.
    pub name: String,
    /// What it shows, in a sentence.
    pub description: String,
    /// What it is one of: several scenarios may have a tag in common.
    pub tags: Vec<String>,
    /// Whether it disturbs others that run beside it, or is disturbed by them.
    pub alone: bool,
    /// What runs.
    pub service: Service,
    /// Where it is asked.
    pub observe: Observe,
    /// Who else asks, at a rate of their own.
    pub load: Option<Load>,
    /// What is done to it, one after another; nothing where the question is whether a healthy service is left alone.
    pub faults: Vec<Injection>,
    /// What is expected.
    pub expect: Expectation,
}

impl Scenario {
    /// Reads a scenario file, or a built-in one by its name; of one with a `[matrix]` the first variant.
    pub fn load(name_or_path: &str) -> Result<Self, ScenarioError> {
        let mut variants = Loader::default().load_all([name_or_path])?;
        Ok(variants.swap_remove(0))
    }

    /// What a case of it is.
    pub fn plan(&self, trial: u32, seed: u64) -> Plan {
        let interval = self.observe.interval;
        Plan {
            scenario: self.name.clone(),
            description: self.description.clone(),
            unit: self.service.unit_name(),
            trial,
            seed,
            fault: self.faults.first().map(|first| first.fault.to_string()),
            heal_after_usec: self.faults.first().and_then(Injection::heal_after_usec),
            then: self.faults.iter().skip(1).map(Injection::step).collect(),
            expect: self.expect.clone(),
            observed: Some(self.observe.told()),
            ask_interval_usec: (interval != TICK)
                .then(|| u64::try_from(interval.as_micros()).unwrap_or(u64::MAX)),
        }
    }

    /// All that makes it another scenario if it changes.
    pub fn content(&self) -> String {
        let Self { name, description: _, tags: _, alone: _, service, observe, load, faults, expect } = self;
        let Service { unit, files, directories, users, enabled, requires, controllers, overrides: _, guard } =
            service;
        let done = |injection: &Injection| {
            let Injection { fault, after, heal_after, expect } = injection;
            let expect = serde_json::to_string(expect).unwrap_or_default();
            format!("{} {:?} {after} {heal_after:?} {expect}", fault.name(), fault.parameters())
        };
        let faults = faults.iter().map(done).collect::<Vec<_>>();
        let drop_in = service.drop_in();
        let expect = serde_json::to_string(expect).unwrap_or_default();
        let how = (observe.interval, observe.timeout, &observe.question);
        let load = load.as_ref().map(|load| format!("{load:?}\n")).unwrap_or_default();
        let there = (files, directories, users, enabled);
        let text = unit.text();
        format!(
            "{name}\n{unit:?}\n{there:?}\n{requires:?}\n{controllers:?}\n{guard:?}\n{drop_in}\n{observe}\n{how:?}\n{faults:?}\n\
            {load}{expect}\n{text}"
        )
    }

    /// Reads a scenario that is in no file: there is nothing beside it that it could name.
    pub fn of_text(text: &str) -> Result<Self, ScenarioError> {
        let mut variants = Loader::default().read(Text::named("text.toml", text))?;
        Ok(variants.swap_remove(0))
    }

    /// What is read; nothing, or anything, where there are mistakes.
    fn read(top: &Section, name: &str, documents: &Documents) -> Option<Self> {
        let description = top.needed_text("description").map(Spanned::into_inner);
        let tags = top.texts("tags");
        for tag in tags.iter().filter(|tag| !is_tag(tag.get_ref())) {
            top.wrong(tag.span(), format!("\"{}\" is no tag: a word of a to z, 0 to 9 and -", tag.get_ref()));
        }
        let mut service =
            top.needed_section("service").and_then(|section| Service::read(&section, documents));
        if let Some(service) = &mut service {
            service.set(documents.assignments());
        }
        let watched = top.needed_section("observe");
        let observe = watched.as_ref().and_then(|section| observe::read(section, documents));
        let loaded = top.section("load").map(|section| load::read(&section, observe.as_ref(), documents));
        let injections = top.open_sections("fault");
        let faults = injections.as_deref().and_then(|all| injection::read_all(all, observe.as_ref()));
        let deeds = faults.as_deref().map(deeds);
        let expecting = top.needed_section("expect");
        let expect = expecting.as_ref().and_then(|section| expectation::read(section, deeds.as_deref()));
        if let (Some(sections), Some(faults), Some(expect)) = (&injections, &faults, &expect) {
            injection::contradictions(sections, faults, expect);
        }
        if let (Some(section), None) = (&expecting, &loaded)
            && section.has("at_most_failed")
        {
            section.wrong(
                section.place("at_most_failed"),
                "at_most_failed counts requests of a [load], and there is none",
            );
        }
        let own = injections.iter().flatten().map(|section| section.open_section("expect"));
        let own = own.zip(faults.iter().flatten().map(|injection| injection.expect.as_ref()));
        for (section, expect) in own.chain([(expecting.clone(), expect.as_ref())]) {
            let (Some(section), Some(expect)) = (section, expect) else { continue };
            let wrong =
                expectation::impossible(expect, observe.as_ref(), service.as_ref(), faults.as_deref());
            for (key, message) in wrong {
                section.wrong(section.place(key), message);
            }
        }
        let ready = top.section("ready").and_then(|section| {
            let within = expectation::ready(&section)?;
            if let Some(message) = service.as_ref().and_then(|service| expectation::off(&within, service)) {
                section.wrong(section.place("within"), message);
            }
            Some(within)
        });
        let expect = expect.map(|expect| Expectation { ready_within: ready, ..expect });
        Some(Self {
            name: name.into(),
            description: description?,
            tags: tags.into_iter().map(Spanned::into_inner).collect(),
            alone: top.flag("alone").unwrap_or_default(),
            service: service?,
            observe: observe?,
            load: match loaded {
                Some(load) => Some(load?),
                None => None,
            },
            faults: faults?,
            expect: expect?,
        })
    }
}

/// What is done to a service, as far as nothing else is expected of it.
fn deeds(faults: &[Injection]) -> Vec<Deed> {
    if faults.is_empty() {
        return vec![Deed::Nothing];
    }
    faults
        .iter()
        .filter(|injection| injection.expect.is_none())
        .map(|injection| injection.fault.deed())
        .collect()
}

fn is_tag(tag: &str) -> bool {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=32).contains(&tag.len()) && tag.chars().all(is_part)
}

#[cfg(test)]
mod tests;
