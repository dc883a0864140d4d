//! `[expect]` and `[ready]`.

use std::time::Duration;

use toml::Spanned;

use super::section::Section;
use super::unit_text::{self, Said};
use super::{Injection, Observe, Service};
use crate::model::clock::{Human, NoSpan, parse_span, read_span};
use crate::model::expect::{By, Deed, Expectation, Outcome};
use crate::model::settings::SPANS;
use crate::model::text::one_line;

/// Reads what is expected, of each of these deeds; of any, where it is not known what is done.
pub(super) fn read(section: &Section, deeds: Option<&[Deed]>) -> Option<Expectation> {
    section.needed_text("outcome")?;
    let outcome = section.word("outcome", &Outcome::WORDS);
    let [recovery_within, outage_within, undisturbed_for] =
        ["recovery_within", "outage_within", "undisturbed_for"].map(|key| span_or_directive(section, key));
    let [detect_within, kill_within, restart_within, start_within] =
        ["detect_within", "kill_within", "restart_within", "start_within"]
            .map(|key| span_or_directive(section, key));
    let (by, hang_report) = (section.word("by", &By::WORDS), section.flag("hang_report"));
    let [journal, journal_without] = ["journal", "journal_without"].map(|key| {
        let texts = section.texts(key);
        if let Some(beyond) = texts.get(MOST_TEXTS) {
            section.wrong(beyond.span(), format!("{key} has {MOST_TEXTS} texts at most"));
        }
        texts.into_iter().filter_map(|text| searched(section, text)).collect()
    });
    let diagnosis = section.text("diagnosis").and_then(|text| searched(section, text));
    let expect = Expectation {
        outcome: outcome?,
        by,
        recovery_within,
        undisturbed_for,
        hang_report,
        outage_within,
        at_most_failed: section.count("at_most_failed"),
        ready_within: None,
        detect_within,
        kill_within,
        restart_within,
        start_within,
        restarts: section.count("restarts"),
        diagnosis,
        journal,
        journal_without,
    };
    let mut told = Vec::new();
    let contradictions = if let Some(deeds) = deeds {
        deeds.iter().flat_map(|deed| expect.contradictions(*deed)).collect()
    } else {
        let of_all = Deed::ALL.map(|deed| expect.contradictions(deed));
        let is_always = |wrong: &(_, _)| of_all.iter().all(|of_one| of_one.contains(wrong));
        of_all[0].iter().filter(|wrong| is_always(wrong)).cloned().collect::<Vec<_>>()
    };
    for (key, message) in contradictions {
        if !told.contains(&key) {
            section.wrong(section.place(key), message);
            told.push(key);
        }
    }
    Some(expect)
}

/// How many texts may be looked for in the journal's lines.
const MOST_TEXTS: usize = 16;

/// A text that is looked for: every line has an empty one, and none has the end of one.
fn searched(section: &Section, text: Spanned<String>) -> Option<String> {
    let is_sound = !text.get_ref().is_empty() && one_line(text.get_ref().clone()) == *text.get_ref();
    if !is_sound {
        section
            .wrong(text.span(), "what is looked for is to be a part of one line, without control characters");
        return None;
    }
    Some(text.into_inner())
}

/// Keys that a directive of the unit may stand for.
const SPAN_KEYS: [&str; 7] = [
    "recovery_within",
    "outage_within",
    "undisturbed_for",
    "detect_within",
    "kill_within",
    "restart_within",
    "start_within",
];

/// What of an expectation arithmetic forbids, as far as the scenario itself tells: the key, and why. What is not known, since something
/// else is wrong with it, forbids nothing.
pub(super) fn impossible(
    expect: &Expectation,
    observe: Option<&Observe>,
    service: Option<&Service>,
    faults: Option<&[Injection]>,
) -> Vec<(&'static str, String)> {
    let literal = |span: &Option<String>| span.as_deref().and_then(parse_span);
    let mut wrong = Vec::new();
    if let (Some(observe), Some(calm)) = (observe, literal(&expect.undisturbed_for))
        && calm <= observe.interval
    {
        let (calm, interval) = (Human(calm), Human(observe.interval));
        let message = format!("within {calm} nobody asks a second time: [observe] interval is {interval}");
        wrong.push(("undisturbed_for", message));
    }
    if let (Some(observe), Some(limit)) = (observe, literal(&expect.outage_within))
        && limit < observe.interval
        && !limit.is_zero()
    {
        let (limit, interval) = (Human(limit), Human(observe.interval));
        let message =
            format!("no outage that is seen is as short as {limit}: [observe] interval is {interval}");
        wrong.push(("outage_within", message));
    }
    let Some(service) = service else { return wrong };
    let spans = [
        &expect.recovery_within,
        &expect.outage_within,
        &expect.undisturbed_for,
        &expect.detect_within,
        &expect.kill_within,
        &expect.restart_within,
        &expect.start_within,
    ];
    for (key, directive) in SPAN_KEYS.into_iter().zip(spans) {
        wrong.extend(directive.as_deref().and_then(|name| off(name, service)).map(|why| (key, why)));
    }
    // A guard from beside starts a service without waiting for systemd's timer, and a command may do so.
    let is_systemds = faults.is_some_and(|faults| faults.iter().all(|done| done.fault.name() != "exec"));
    if expect.outcome == Outcome::Restarted && service.guard.is_none() && is_systemds {
        let (delay, whose) = match unit_text::said(service, "RestartSec") {
            Said::Value(value) => (parse_span(&value), ""),
            Said::Default => (Some(RESTART_SEC), ", systemd's default"),
            Said::Unknown => (None, ""),
        };
        let limits = [
            ("recovery_within", &expect.recovery_within, "recovery"),
            ("restart_within", &expect.restart_within, "restart"),
        ];
        for (key, limit, what) in limits {
            if let (Some(delay), Some(limit)) = (delay, literal(limit))
                && delay >= limit
                && !limit.is_zero()
            {
                let (limit, delay) = (Human(limit), Human(delay));
                let message = format!(
                    "no {what} takes less than {limit}: RestartSec is {delay}{whose}, and comes on top of all else"
                );
                wrong.push((key, message));
            }
            if limit.as_deref() == Some("RestartSec") {
                wrong.push((key, format!("no {what} is within RestartSec: it is one of its parts")));
            }
        }
    }
    wrong
}

/// What systemd waits before a restart where nothing is said of it (`DEFAULT_RESTART_USEC`, systemd, src/basic/constants.h).
const RESTART_SEC: Duration = Duration::from_millis(100);

/// That a directive is off in this unit, so that nothing can be held against it.
pub(super) fn off(directive: &str, service: &Service) -> Option<String> {
    let said = unit_text::said(service, directive);
    let is_off = match (directive, &said) {
        ("WatchdogSec", Said::Default) => true,
        ("WatchdogSec" | "TimeoutStartSec" | "TimeoutStopSec" | "TimeoutAbortSec", Said::Value(value)) => {
            value == "infinity" || parse_span(value).is_some_and(|span| span.is_zero())
        }
        _ => false,
    };
    let what = if said == Said::Default { "is not set in this unit" } else { "is off in this unit" };
    is_off.then(|| format!("{directive} {what}: give a time span, or set it"))
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
    let read = if SPANS.contains(&text.as_str()) { Ok(Duration::ZERO) } else { read_span(text) };
    if read == Err(NoSpan::TooLong) {
        section.wrong(value.span(), format!("\"{text}\" is too long a time span; an example: \"5s\""));
        return None;
    }
    if read.is_err() {
        let message = format!("\"{text}\" is neither a time span (\"5s\") nor one of {}", SPANS.join(", "));
        section.wrong(value.span(), message);
        return None;
    }
    Some(value.into_inner())
}
