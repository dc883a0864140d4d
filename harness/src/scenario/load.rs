//! Many clients who ask at a rate of their own: how many requests an outage costs.

use std::time::Duration;

use super::document::Documents;
use super::observe::{self, Observe, Question};
use super::section::Section;
use crate::model::clock::Human;

/// Nobody asks more often.
const HIGHEST_RATE: u64 = 20_000;
/// So many requests may be open at once.
const MOST_OPEN: u64 = 20_000;

/// What many clients ask, and how often.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// What each asks, each time anew.
    pub question: Question,
    /// How many requests are due in a second.
    pub rate: u32,
    /// How many may be open at once: one that is due beyond them fails.
    pub connections: u32,
    /// How long one may take.
    pub timeout: Duration,
}

/// Reads `[load]`, of which the question is that of `[observe]` unless it has one of its own.
pub(super) fn read(section: &Section, observe: Option<&Observe>, documents: &Documents) -> Option<Load> {
    let rate = section.count_from("rate", 1, HIGHEST_RATE);
    if !section.has("rate") {
        section.wrong(section.place(""), "[load] needs rate, how many requests are due in a second");
    }
    let (given, timeout) = (section.count("connections"), observe::span(section, "timeout"));
    let timeout = timeout.or_else(|| Some(observe?.timeout)).unwrap_or(Duration::from_secs(1));
    let asks_itself = observe::KEYS.iter().any(|key| section.has(key));
    let question = if asks_itself {
        observe::question(section, documents)
    } else {
        observe.map(|observe| observe.question.clone())
    };
    if let Some(Question::Exec(_)) = question {
        let message = "a command is asked by no load: [load] needs http, tcp or unix of its own";
        section.wrong(section.place(""), message);
    }
    let rate = rate?;
    // All that can be open where nothing is answered, and some more, for a timeout may come late.
    let most = timeout.as_millis().saturating_mul(rate.into()).div_ceil(1000);
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let connections = given.unwrap_or_else(|| most.saturating_add(most / 4).saturating_add(16));
    if connections == 0 {
        section.wrong(section.place("connections"), "without a connection nobody asks");
    } else if connections > MOST_OPEN {
        let key = if given.is_some() { "connections" } else { "rate" };
        let message = format!(
            "{rate} requests a second that wait {} each are {most} connections at once, and {MOST_OPEN} are the most: a lower rate, \
             a shorter timeout, or connections = {MOST_OPEN}, beyond which requests fail",
            Human(timeout)
        );
        section.wrong(section.place(key), message);
    }
    Some(Load {
        question: question?,
        rate: u32::try_from(rate).ok()?,
        connections: u32::try_from(connections).ok()?,
        timeout,
    })
}
