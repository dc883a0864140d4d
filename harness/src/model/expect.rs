//! What a scenario demands of a trial.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::parse_span;
use super::settings::Settings;

mod parts;

/// What a scenario demands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// How the trial must end.
    pub outcome: Outcome,
    /// What must have ended the main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// From the injection to READY, at most: a time span, or a directive of the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_within: Option<String>,
    /// From the last good answer to the first, as clients saw it, at most: a time span, or a directive of the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage_within: Option<String>,
    /// How many requests of the load may fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_failed: Option<u64>,
    /// How long a service must stay undisturbed; two times WatchdogSec unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undisturbed_for: Option<String>,
    /// Whether `sd-watchdog` must have put a hang report into the journal before systemd acted, or none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hang_report: Option<bool>,
    /// Of a service that does not tell systemd when it is ready: from its start to the first good answer, at most. A time span,
    /// or a directive of the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_within: Option<String>,
    /// How long each phase may take: a time span, or a directive of the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detect_within: Option<String>,
    /// The same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_within: Option<String>,
    /// The same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_within: Option<String>,
    /// The same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_within: Option<String>,
    /// How many restarts systemd must have scheduled since the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u64>,
    /// What the hang report's diagnosis must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<String>,
    /// Texts each of which a line of the journal must contain that systemd or `sd-watchdog` wrote about the unit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub journal: Vec<String>,
    /// Texts that no such line may contain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub journal_without: Vec<String>,
}

/// How a trial must end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The service is restarted and serves again.
    #[default]
    Restarted,
    /// Nothing happens to it; hung, where there is a fault, it is left as it is.
    Undisturbed,
    /// systemd gives up.
    Failed,
    /// The service ends in order, as it was asked to, and stays down.
    Stopped,
}

/// What ended the main process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// systemd's watchdog.
    Watchdog,
    /// The process itself.
    Exit,
}

impl Outcome {
    /// Each as scenarios write it.
    pub const WORDS: [(&str, Self); 4] = [
        ("restarted", Self::Restarted),
        ("undisturbed", Self::Undisturbed),
        ("failed", Self::Failed),
        ("stopped", Self::Stopped),
    ];
}

impl By {
    /// Each as scenarios write it.
    pub const WORDS: [(&str, Self); 2] = [("watchdog", Self::Watchdog), ("exit", Self::Exit)];
}

/// What is done to a service, as far as it decides what can be expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// Nothing.
    Nothing,
    /// Its process ends.
    Ends,
    /// It is left as it is, but does not serve.
    #[default]
    Hangs,
    /// It may go on serving, as far as that depends on what it needs, and on what is decided about the fault.
    Spares,
    /// It is asked to end for good.
    Stops,
    /// Its guard says nothing any more, and systemd's own timer has to find that, whether the service serves or not.
    Silences,
}

impl Deed {
    /// Each that a fault may do, as scenarios write it.
    pub const WORDS: [(&str, Self); 4] = [
        ("hangs", Self::Hangs),
        ("ends", Self::Ends),
        ("spares", Self::Spares),
        ("silences", Self::Silences),
    ];

    /// All.
    pub const ALL: [Self; 6] =
        [Self::Nothing, Self::Ends, Self::Hangs, Self::Spares, Self::Stops, Self::Silences];

    /// As recordings have it: nothing is said of a hang.
    pub fn is_hang(&self) -> bool {
        *self == Self::Hangs
    }
}

impl Expectation {
    /// What of it could never be, or would never be looked at: the key, and what is wrong with it.
    pub fn contradictions(&self, deed: Deed) -> Vec<(&'static str, String)> {
        let Self { outcome, by, recovery_within, outage_within, undisturbed_for, hang_report, .. } = self;
        let (outcome, by, hang_report) = (*outcome, *by, *hang_report);
        let word = Outcome::WORDS.iter().find(|(_, known)| *known == outcome).map_or("", |(word, _)| word);
        let is_zero = |span: &Option<String>| span.as_deref().and_then(parse_span) == Some(Duration::ZERO);
        let only = |with: &str| format!("goes with outcome = \"{with}\", and this one is \"{word}\"");
        let rules = [
            (
                outcome != Outcome::Undisturbed && deed == Deed::Nothing,
                "outcome",
                "without a [fault] nothing can be expected but outcome = \"undisturbed\"".to_owned(),
            ),
            (
                outcome == Outcome::Undisturbed && deed == Deed::Ends,
                "outcome",
                "this fault ends the process, and with outcome = \"undisturbed\" nothing may".into(),
            ),
            (
                outcome == Outcome::Undisturbed && by.is_some(),
                "by",
                "by tells what ends the service, and with outcome = \"undisturbed\" nothing may".into(),
            ),
            (
                (outcome == Outcome::Stopped) != (deed == Deed::Stops),
                "outcome",
                "outcome = \"stopped\" goes with inject = \"stop\", and with no other fault".into(),
            ),
            (
                outcome == Outcome::Stopped && by.is_some(),
                "by",
                "by tells what ends the service, and with outcome = \"stopped\" that is the stop".into(),
            ),
            (
                outcome != Outcome::Undisturbed && by == Some(By::Watchdog) && deed == Deed::Ends,
                "by",
                "this fault ends the process without the watchdog: by = \"exit\"".into(),
            ),
            (
                outcome != Outcome::Restarted && recovery_within.is_some(),
                "recovery_within",
                format!("recovery_within {}", only("restarted")),
            ),
            (
                outcome == Outcome::Restarted && is_zero(recovery_within),
                "recovery_within",
                "no service recovers within no time".into(),
            ),
            (
                outcome != Outcome::Restarted && outage_within.is_some(),
                "outage_within",
                format!("outage_within {}", only("restarted")),
            ),
            (
                outcome == Outcome::Restarted && is_zero(outage_within),
                "outage_within",
                "no outage takes no time".into(),
            ),
            (
                outcome != Outcome::Undisturbed && undisturbed_for.is_some(),
                "undisturbed_for",
                format!("undisturbed_for {}", only("undisturbed")),
            ),
            (
                outcome == Outcome::Undisturbed && is_zero(undisturbed_for),
                "undisturbed_for",
                "whoever watches for no time has seen nothing".into(),
            ),
            (
                hang_report == Some(true) && deed == Deed::Nothing,
                "hang_report",
                "without a [fault] nothing hangs, and nothing is reported".into(),
            ),
            (
                hang_report == Some(true) && deed == Deed::Silences,
                "hang_report",
                "this fault silences sd-watchdog: nobody is there to report".into(),
            ),
            (
                hang_report == Some(true) && matches!(deed, Deed::Ends | Deed::Stops),
                "hang_report",
                "this fault ends the process: nothing hangs, and nothing is reported".into(),
            ),
        ];
        let wrong = rules.into_iter().filter(|(is_wrong, ..)| *is_wrong).map(|(_, key, what)| (key, what));
        wrong.chain(self.contradictions_of_parts(deed)).collect()
    }

    /// The limit in time; `None` if there is none or the directive it names is off.
    pub fn limit(&self, settings: &Settings) -> Option<Duration> {
        span(self.recovery_within.as_deref(), settings)
    }

    /// The limit of the outage in time; `None` if there is none or the directive it names is off.
    pub fn outage_limit(&self, settings: &Settings) -> Option<Duration> {
        span(self.outage_within.as_deref(), settings)
    }

    /// How long after its start a service may take to serve; `None` where nothing is said of it.
    pub fn ready(&self, settings: &Settings) -> Option<Duration> {
        span(self.ready_within.as_deref(), settings)
    }

    /// How long a service must stay undisturbed.
    pub fn calm(&self, settings: &Settings) -> Duration {
        let given = span(self.undisturbed_for.as_deref(), settings);
        given.or_else(|| Some(settings.span("WatchdogSec")? * 2)).unwrap_or(Duration::from_secs(5))
    }
}

/// A time span, or that of a directive.
fn span(text: Option<&str>, settings: &Settings) -> Option<Duration> {
    text.and_then(|text| settings.span(text).or_else(|| parse_span(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_recordings() {
        let written = |word: &str| format!("\"{word}\"");
        for (word, outcome) in Outcome::WORDS {
            assert_eq!(serde_json::to_string(&outcome).expect("json"), written(word));
        }
        for (word, by) in By::WORDS {
            assert_eq!(serde_json::to_string(&by).expect("json"), written(word));
        }
    }

    #[test]
    fn what_could_never_be_or_would_not_be_looked_at_is_a_contradiction() {
        use Deed::{Ends, Hangs, Nothing, Silences, Spares, Stops};
        let good = r#"{"outcome":"restarted","by":"watchdog","recovery_within":"5s","hang_report":true}"#;
        for (deed, expect, wrong) in [
            (Hangs, good, &[][..]),
            (Hangs, r#"{"outcome":"failed","by":"watchdog","hang_report":true}"#, &[]),
            (Hangs, r#"{"outcome":"undisturbed","undisturbed_for":"WatchdogSec","hang_report":true}"#, &[]),
            // A guard beside it ends a service that hangs, and systemd sees an exit.
            (Hangs, r#"{"outcome":"restarted","by":"exit","hang_report":true}"#, &[]),
            (Ends, r#"{"outcome":"restarted","by":"exit","hang_report":false}"#, &[]),
            (Stops, r#"{"outcome":"stopped","hang_report":false}"#, &[]),
            (Stops, r#"{"outcome":"restarted"}"#, &["outcome"]),
            (
                Stops,
                r#"{"outcome":"stopped","by":"exit","recovery_within":"1s"}"#,
                &["by", "recovery_within"],
            ),
            (Hangs, r#"{"outcome":"stopped"}"#, &["outcome"]),
            (Nothing, r#"{"outcome":"undisturbed","hang_report":false}"#, &[]),
            (Nothing, r#"{"outcome":"restarted"}"#, &["outcome"]),
            (Ends, r#"{"outcome":"undisturbed"}"#, &["outcome"]),
            (Nothing, r#"{"outcome":"undisturbed","hang_report":true}"#, &["hang_report"]),
            (Ends, good, &["by", "hang_report"]),
            (Hangs, r#"{"outcome":"restarted","recovery_within":"0s"}"#, &["recovery_within"]),
            (Hangs, r#"{"outcome":"restarted","outage_within":"5s","at_most_failed":0}"#, &[]),
            (Hangs, r#"{"outcome":"restarted","outage_within":"0"}"#, &["outage_within"]),
            (Hangs, r#"{"outcome":"failed","outage_within":"5s"}"#, &["outage_within"]),
            (Hangs, r#"{"outcome":"restarted","undisturbed_for":"5s"}"#, &["undisturbed_for"]),
            (Hangs, r#"{"outcome":"failed","recovery_within":"5s"}"#, &["recovery_within"]),
            (
                Hangs,
                r#"{"outcome":"undisturbed","by":"exit","recovery_within":"1us"}"#,
                &["by", "recovery_within"],
            ),
            (Nothing, r#"{"outcome":"undisturbed","undisturbed_for":"0"}"#, &["undisturbed_for"]),
            (Spares, good, &[]),
            (Silences, r#"{"outcome":"restarted","by":"watchdog","hang_report":false}"#, &[]),
            (Silences, r#"{"outcome":"restarted","hang_report":true}"#, &["hang_report"]),
            (Spares, r#"{"outcome":"undisturbed","hang_report":false}"#, &[]),
        ] {
            let read: Expectation = serde_json::from_str(expect).expect("an expectation");
            let keys = read.contradictions(deed).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
            assert_eq!(keys, wrong, "{deed:?} {expect}");
        }
    }

    #[test]
    fn a_hang_is_told_from_what_else_is_done_and_an_outcome_is_named_as_it_is_written() {
        let hangs = [Deed::Nothing, Deed::Ends, Deed::Hangs, Deed::Spares, Deed::Stops, Deed::Silences]
            .map(|deed| deed.is_hang());
        assert_eq!(hangs, [false, false, true, false, false, false]);
        let read: Expectation =
            serde_json::from_str(r#"{"outcome":"failed","outage_within":"5s"}"#).expect("an expectation");
        let expected = r#"outage_within goes with outcome = "restarted", and this one is "failed""#;
        assert_eq!(read.contradictions(Deed::Hangs), [("outage_within", expected.to_owned())]);
    }
}
