//! `check --json`. The keys are public: README.md, "Seen from outside". Pure.

use std::time::Duration;

use serde::Serialize;

use crate::probe::Row;
use crate::words::outcome::{Cause, Outcome};

#[derive(Serialize)]
struct Check<'a> {
    #[serde(flatten)]
    end: End,
    probes: Vec<Probe<'a>>,
}

#[derive(Serialize)]
struct Probe<'a> {
    set: usize,
    #[serde(rename = "probe")]
    name: &'a str,
    #[serde(flatten)]
    end: End,
}

#[derive(Serialize)]
struct End {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    took_usec: u64,
}

impl End {
    fn new(outcome: &Outcome, took: Duration) -> Self {
        let reason = match outcome {
            Outcome::Healthy => None,
            Outcome::Unhealthy(reason) => Some(reason),
        };
        let word = match reason {
            None => "healthy",
            Some(reason) if reason.is_ours() => "cannot_probe",
            Some(_) => "unhealthy",
        };
        Self {
            outcome: word,
            cause: reason.map(|reason| Cause::name(reason.cause())),
            reason: reason.map(ToString::to_string),
            took_usec: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// One line: what all amounted to, and each probe.
pub fn object(outcome: &Outcome, took: Duration, rows: &[Row<'_>]) -> String {
    let probes = rows
        .iter()
        .map(|row| Probe { set: row.set, name: row.probe, end: End::new(&row.outcome, row.took) })
        .collect();
    // Nothing in it is a map, or refuses to be written.
    serde_json::to_string(&Check { end: End::new(outcome, took), probes }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::outcome::Reason;

    #[test]
    fn what_a_service_says_breaks_nothing() {
        let reason = |cause, text: &'static str| Outcome::Unhealthy(Reason::new(cause, text));
        let rows = [
            Row {
                set: 1,
                probe: "tcp a:1",
                outcome: Outcome::Healthy,
                took: Duration::from_nanos(1_234_999),
            },
            Row {
                set: 2,
                probe: "exec 'a \"b\"'",
                outcome: reason(Cause::System, "\u{1b}\\\n\u{2028}ä"),
                took: Duration::ZERO,
            },
        ];
        let said = object(&reason(Cause::Timeout, "late"), Duration::from_millis(500), &rows);
        assert_eq!(
            said,
            "{\"outcome\":\"unhealthy\",\"cause\":\"timeout\",\"reason\":\"late\",\"took_usec\":500000,\"probes\":[\
             {\"set\":1,\"probe\":\"tcp a:1\",\"outcome\":\"healthy\",\"took_usec\":1234},\
             {\"set\":2,\"probe\":\"exec 'a \\\"b\\\"'\",\"outcome\":\"cannot_probe\",\"cause\":\"system\",\
             \"reason\":\"\\u001b\\\\\\n\u{2028}ä\",\"took_usec\":0}]}"
        );
    }
}
