//! What is done to the service: `[fault]`, or several `[[fault]]`, one after another.

use std::time::Duration;

use super::expectation;
use super::fault;
use super::observe::{Observe, span};
use super::section::Section;
use crate::fault::Fault;
use crate::model::expect::{Expectation, Outcome};
use crate::model::sequence::{After, Step};

/// How many faults a trial may have.
const LIMIT: usize = 16;

/// A fault, when it is injected and healed, and what is expected then.
#[derive(Clone, Debug, PartialEq)]
pub struct Injection {
    /// What is done.
    pub fault: Fault,
    /// What it waits for; of the first fault that means nothing.
    pub after: After,
    /// It is healed so long after its injection, unless the trial is over before; absent: at the trial's end.
    pub heal_after: Option<Duration>,
    /// What is expected of it, where that is not what is expected of the others.
    pub expect: Option<Expectation>,
}

impl Injection {
    /// Of a fault that has the trial for itself.
    pub const fn only(fault: Fault) -> Self {
        Self { fault, after: After::Recovered, heal_after: None, expect: None }
    }

    /// When it is healed, in microseconds after its injection.
    pub fn heal_after_usec(&self) -> Option<u64> {
        self.heal_after.map(|span| u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
    }

    /// As a plan has it, behind another.
    pub fn step(&self) -> Step {
        Step {
            fault: self.fault.to_string(),
            after: self.after,
            heal_after_usec: self.heal_after_usec(),
            expect: self.expect.clone(),
        }
    }
}

/// Reads them; [`None`] where one of them is none.
pub(super) fn read_all(sections: &[Section], observe: Option<&Observe>) -> Option<Vec<Injection>> {
    if let Some(beyond) = sections.get(LIMIT) {
        beyond.wrong(beyond.place(""), format!("a trial has {LIMIT} faults at most"));
    }
    let mut read = Vec::new();
    let mut is_whole = true;
    for (number, section) in sections.iter().take(LIMIT).enumerate() {
        match one(section, number, observe) {
            Some(injection) => read.push(injection),
            None => is_whole = false,
        }
    }
    is_whole.then_some(read)
}

fn one(section: &Section, number: usize, observe: Option<&Observe>) -> Option<Injection> {
    let fault = fault::read(section, observe);
    let after = section.text("after");
    if let Some(after) = after.as_ref().filter(|_| number == 0) {
        section
            .wrong(after.span(), "the first fault waits for nothing: after goes with a fault behind another");
    }
    let after = after.map(|after| {
        after.get_ref().parse().map_err(|wrong: String| section.wrong(after.span(), wrong)).ok()
    });
    let heal_after = span(section, "heal_after");
    if let (Some(_), Some(fault)) = (heal_after, &fault)
        && !fault.spec().heals
    {
        let message = format!("{} cannot be healed: it ends with the process", fault.name());
        section.wrong(section.place("heal_after"), message);
    }
    let deed = fault.as_ref().map(Fault::deed);
    let expect = section
        .section("expect")
        .map(|section| expectation::read(&section, deed.as_ref().map(std::slice::from_ref)));
    if let (Some(_), 0) = (&expect, number) {
        let message = "what is expected of the first fault is said in [expect]: expect goes with a fault behind another";
        section.wrong(section.place("expect"), message);
    }
    let after = match after {
        None => After::default(),
        Some(after) => after?,
    };
    let expect = match expect {
        None => None,
        Some(expect) => Some(expect?),
    };
    Some(Injection { fault: fault?, after, heal_after, expect })
}

/// What a fault waits for that what is expected before it lets never come.
pub(super) fn contradictions(sections: &[Section], injections: &[Injection], expect: &Expectation) {
    let mut before = expect;
    for (section, injection) in sections.iter().zip(injections).skip(1) {
        if before.outcome == Outcome::Undisturbed && !matches!(injection.after, After::Span(_)) {
            let message = format!(
                "it waits for {}, and before it outcome = \"undisturbed\" is expected, with which nothing of that comes: \
                 after is to be a time, as \"2s\"",
                injection.after
            );
            section.wrong(section.place("after"), message);
        }
        before = injection.expect.as_ref().unwrap_or(expect);
    }
}
