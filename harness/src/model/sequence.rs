//! Several faults in one trial: each waits for something of the one before it, and begins an episode of its own.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ask::Witness;
use super::clock::{Human, Usec, parse_span};
use super::expect::Expectation;
use super::timeline::Timeline;

/// A fault that follows another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub fault: String,
    /// What it waits for.
    #[serde(default)]
    pub after: After,
    /// It is healed so long after its injection, unless the trial is over before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heal_after_usec: Option<u64>,
    /// What is expected of its episode, where that is not what is expected of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expectation>,
}

/// What of the episode before it a fault waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum After {
    /// The service is ready again, and clients are served.
    #[default]
    Recovered,
    /// systemd knows of the hang, or the process has ended by itself.
    Detected,
    /// The main process has ended.
    Ended,
    /// The service is being started again.
    Starting,
    /// So much time since the injection.
    Span(Duration),
}

impl After {
    /// Each that is an event, as scenarios write it.
    pub const WORDS: [(&str, Self); 4] = [
        ("recovered", Self::Recovered),
        ("detected", Self::Detected),
        ("ended", Self::Ended),
        ("starting", Self::Starting),
    ];

    /// Whether it has come, in an episode as it is so far. Clients' asks are known up to `known_until`.
    pub fn has_come(self, timeline: &Timeline, witness: &Witness, known_until: Usec) -> bool {
        let phases = &timeline.phases;
        match self {
            Self::Recovered => phases.recovery.is_some_and(|recovery| {
                known_until > recovery.to && witness.first_good(recovery.to).is_some()
            }),
            Self::Detected => phases.detect.is_some(),
            Self::Ended => timeline.main_process_ended().is_some(),
            Self::Starting => phases.restart.is_some(),
            Self::Span(span) => timeline.end >= timeline.origin + span,
        }
    }
}

impl FromStr for After {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word = Self::WORDS.iter().find(|(word, _)| *word == text).map(|(_, after)| *after);
        word.or_else(|| parse_span(text).map(Self::Span)).ok_or_else(|| {
            let words = Self::WORDS.map(|(word, _)| word).join(", ");
            format!("\"{text}\" is neither a time span (\"2s\") nor one of {words}")
        })
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(span) => write!(f, "{} since the fault before it", Human(*span)),
            Self::Recovered => f.write_str("the recovery"),
            Self::Detected => f.write_str("the detection"),
            Self::Ended => f.write_str("the main process's end"),
            Self::Starting => f.write_str("the next start"),
        }
    }
}

impl TryFrom<String> for After {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<After> for String {
    fn from(after: After) -> Self {
        match After::WORDS.iter().find(|(_, known)| *known == after) {
            Some((word, _)) => (*word).to_owned(),
            None => match after {
                After::Span(span) => format!("{}us", span.as_micros()),
                _ => String::new(),
            },
        }
    }
}
