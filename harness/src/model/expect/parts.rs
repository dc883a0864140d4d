//! What is expected of a trial's parts: of each phase, of the restart counter, of the journal and of the hang report.

use std::time::Duration;

use super::{By, Deed, Expectation, Outcome, parse_span, span};
use crate::model::phase::Phase;
use crate::model::settings::Settings;
use crate::model::timeline::Timeline;

/// The phases that have a limit of their own, each with its key.
const PHASES: [(Phase, &str); 4] = [
    (Phase::Detect, "detect_within"),
    (Phase::Kill, "kill_within"),
    (Phase::Restart, "restart_within"),
    (Phase::Start, "start_within"),
];

impl Expectation {
    /// How long a phase may take, as the scenario says it.
    pub fn within(&self, phase: Phase) -> Option<&str> {
        let within = match phase {
            Phase::Detect => &self.detect_within,
            Phase::Kill => &self.kill_within,
            Phase::Restart => &self.restart_within,
            Phase::Start => &self.start_within,
            Phase::Recovery => &self.recovery_within,
            Phase::Outage => &self.outage_within,
        };
        within.as_deref()
    }

    /// How long a phase may take; `None` if nothing is said of it, or the directive that is named is off.
    pub fn phase_limit(&self, phase: Phase, settings: &Settings) -> Option<Duration> {
        span(self.within(phase), settings)
    }

    /// All texts that are looked for in the journal's lines.
    pub fn journal_texts(&self) -> impl Iterator<Item = &String> {
        self.journal.iter().chain(&self.journal_without)
    }

    /// Whether there is something that only the journal's silence can tell, as far as the episode has come.
    pub fn is_awaited(&self, timeline: &Timeline) -> bool {
        let reports = usize::from(self.hang_report == Some(true) || self.diagnosis.is_some());
        let is_unreported = reports > 0 && timeline.hang_report().is_none();
        let is_unwritten = self.journal.iter().any(|text| timeline.logged(text).is_none());
        is_unreported || is_unwritten || !self.journal_without.is_empty() || self.restarts.is_some()
    }

    /// What of it could never be, or would never be looked at: the key, and what is wrong with it.
    pub(super) fn contradictions_of_parts(&self, deed: Deed) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        let ends_by_itself = self.by == Some(By::Exit) || matches!(deed, Deed::Ends | Deed::Stops);
        for (phase, key) in PHASES {
            let Some(within) = self.within(phase) else { continue };
            let why = match (self.outcome, phase) {
                (Outcome::Undisturbed, _) => "with outcome = \"undisturbed\" nothing happens that has phases",
                (Outcome::Failed | Outcome::Stopped, Phase::Restart | Phase::Start) => {
                    "goes with outcome = \"restarted\": who stays down is not started again"
                }
                (_, Phase::Kill) if ends_by_itself => {
                    "where the process ends by itself nothing kills it: its end is the detection"
                }
                _ if parse_span(within) == Some(Duration::ZERO) => "no phase takes no time",
                _ => continue,
            };
            wrong.push((key, format!("{key}: {why}")));
        }
        let is_left_alone = matches!(self.outcome, Outcome::Undisturbed | Outcome::Stopped);
        if is_left_alone && self.restarts.is_some_and(|restarts| restarts > 0) {
            let message = "restarts: with outcome = \"undisturbed\" or \"stopped\" systemd restarts nothing";
            wrong.push(("restarts", message.into()));
        }
        if self.diagnosis.is_some() {
            let why = match deed {
                _ if self.hang_report == Some(false) => {
                    Some("a diagnosis is in the hang report, and with hang_report = false there is none")
                }
                Deed::Nothing => Some("without a [fault] nothing hangs, and nothing is diagnosed"),
                Deed::Silences => Some("this fault silences sd-watchdog: nobody is there to diagnose"),
                Deed::Ends | Deed::Stops => {
                    Some("this fault ends the process: nothing hangs, and nothing is diagnosed")
                }
                Deed::Hangs | Deed::Spares => None,
            };
            wrong.extend(why.map(|why| ("diagnosis", why.to_owned())));
        }
        let forbidden =
            |text: &&String| self.journal_without.iter().any(|without| text.contains(without.as_str()));
        if let Some(both) = self.journal.iter().find(forbidden) {
            let message =
                format!("in journal there is \"{both}\": a line is to have it, and none what is in it");
            wrong.push(("journal_without", message));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_of_a_part_could_never_be_is_a_contradiction() {
        use Deed::{Ends, Hangs, Nothing, Silences, Spares, Stops};
        let all = r#"{"outcome":"restarted","detect_within":"1s","kill_within":"1s","restart_within":"1s","start_within":"1s",
            "restarts":1,"diagnosis":"futex","journal":["a"],"journal_without":["b"]}"#;
        let phases = r#""detect_within":"1s","kill_within":"1s","restart_within":"1s","start_within":"1s"}"#;
        let with = |outcome: &str| format!(r#"{{"outcome":"{outcome}",{phases}"#);
        for (deed, expect, wrong) in [
            (Hangs, all, &[][..]),
            (Spares, all, &[]),
            (Ends, all, &["kill_within", "diagnosis"]),
            (Silences, all, &["diagnosis"]),
            (Hangs, &all.replace("restarted", "failed"), &["restart_within", "start_within"]),
            (Stops, &with("stopped"), &["kill_within", "restart_within", "start_within"]),
            (
                Nothing,
                &with("undisturbed"),
                &["detect_within", "kill_within", "restart_within", "start_within"],
            ),
            (Hangs, r#"{"outcome":"restarted","by":"exit","kill_within":"1s"}"#, &["kill_within"]),
            (Hangs, r#"{"outcome":"restarted","detect_within":"0s"}"#, &["detect_within"]),
            (Nothing, r#"{"outcome":"undisturbed","restarts":1}"#, &["restarts"]),
            (Nothing, r#"{"outcome":"undisturbed","restarts":0,"journal_without":["a"]}"#, &[]),
            (Nothing, r#"{"outcome":"undisturbed","diagnosis":"a"}"#, &["diagnosis"]),
            (Hangs, r#"{"outcome":"undisturbed","diagnosis":"a"}"#, &[]),
            (Hangs, r#"{"outcome":"restarted","diagnosis":"a","hang_report":false}"#, &["diagnosis"]),
            (
                Hangs,
                r#"{"outcome":"restarted","journal":["a"],"journal_without":["a"]}"#,
                &["journal_without"],
            ),
            (
                Hangs,
                r#"{"outcome":"restarted","journal":["it dumped"],"journal_without":["dumped"]}"#,
                &["journal_without"],
            ),
            (Hangs, r#"{"outcome":"restarted","journal":["dumped"],"journal_without":["it dumped"]}"#, &[]),
        ] {
            let read: Expectation = serde_json::from_str(expect).expect("an expectation");
            let found =
                read.contradictions_of_parts(deed).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
            assert_eq!(found, wrong, "{deed:?} {expect}");
        }
    }
}
