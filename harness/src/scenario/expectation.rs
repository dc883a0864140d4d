//! `[expect]` and `[ready]`.

use std::time::Duration;

use super::section::Section;
use super::{Observe, Service};
use crate::model::clock::{Human, parse_span};
use crate::model::expect::{By, Deed, Expectation, Outcome};
use crate::model::settings::SPANS;

/// Reads what is expected, of each of these deeds.
pub(super) fn read(section: &Section, deeds: &[Deed]) -> Option<Expectation> {
    section.needed_text("outcome")?;
    let outcome = section.word("outcome", &Outcome::WORDS);
    let [recovery_within, outage_within, undisturbed_for] =
        ["recovery_within", "outage_within", "undisturbed_for"].map(|key| span_or_directive(section, key));
    let (by, hang_report) = (section.word("by", &By::WORDS), section.flag("hang_report"));
    let expect = Expectation {
        outcome: outcome?,
        by,
        recovery_within,
        undisturbed_for,
        hang_report,
        outage_within,
        at_most_failed: section.count("at_most_failed"),
        ..Expectation::default()
    };
    let mut told = Vec::new();
    for (key, message) in deeds.iter().flat_map(|deed| expect.contradictions(*deed)) {
        if !told.contains(&key) {
            section.wrong(section.place(key), message);
            told.push(key);
        }
    }
    Some(expect)
}

/// What of an expectation arithmetic forbids, as far as the scenario itself tells: the key, and why.
pub(super) fn impossible(
    expect: &Expectation,
    observe: &Observe,
    service: &Service,
) -> Vec<(&'static str, String)> {
    let literal = |span: &Option<String>| span.as_deref().and_then(parse_span);
    let mut wrong = Vec::new();
    if let Some(calm) = literal(&expect.undisturbed_for).filter(|calm| *calm <= observe.interval) {
        let message = format!(
            "within {} nobody asks a second time: [observe] interval is {}",
            Human(calm),
            Human(observe.interval)
        );
        wrong.push(("undisturbed_for", message));
    }
    // A guard from beside starts a service without waiting for systemd's timer.
    if expect.outcome == Outcome::Restarted && service.guard.is_none() {
        let own =
            service.overrides.get("Service").and_then(|directives| directives.get("RestartSec")?.last());
        let delay = own.and_then(|delay| parse_span(delay));
        let limit = literal(&expect.recovery_within);
        if let (Some(delay), Some(limit)) =
            (delay, limit.filter(|limit| delay.is_some_and(|delay| delay >= *limit)))
        {
            let message = format!(
                "no recovery takes less than {}: RestartSec is {}, and comes on top of all else",
                Human(limit),
                Human(delay)
            );
            wrong.push(("recovery_within", message));
        }
        if expect.recovery_within.as_deref() == Some("RestartSec") {
            let message = "no recovery is within RestartSec: it is one of its parts".to_owned();
            wrong.push(("recovery_within", message));
        }
    }
    wrong
}

/// Reads `[ready]`.
pub(super) fn ready(section: &Section) -> Option<String> {
    section.needed_text("within")?;
    let within = span_or_directive(section, "within")?;
    if parse_span(&within) == Some(Duration::ZERO) {
        section.wrong(section.place("within"), "no service is ready within no time");
    }
    Some(within)
}

/// A time span, or the name of a directive that is one.
fn span_or_directive(section: &Section, key: &str) -> Option<String> {
    let value = section.text(key)?;
    let text = value.get_ref();
    if !SPANS.contains(&text.as_str()) && parse_span(text).is_none() {
        let message = format!("\"{text}\" is neither a time span (\"5s\") nor one of {}", SPANS.join(", "));
        section.wrong(value.span(), message);
        return None;
    }
    Some(value.into_inner())
}
