//! A fault and what comes of it, read off the story.

use crate::model::bound::Bounds;
use crate::model::case::CaseId;
use crate::model::clock::Usec;
use crate::model::episode;
use crate::model::event::Kind;
use crate::model::expect::{By, Deed, Expectation, Outcome};
use crate::model::phase::Phase;
use crate::model::story::Story;
use crate::model::timeline::Timeline;
use crate::page::telling::{Episode, Fault, Part, Ruling, Word};

use super::past::limit;

/// The episodes of a case so far, each with its fault while that is in effect. `word` is how the service is.
pub fn told(story: &Story, now: Usec, word: Word) -> Vec<(Episode, Option<Fault>)> {
    let verdict = story.ended.is_some().then(|| Ruling::from(&story.verdict()));
    let verdict = verdict.or_else(|| story.broke.as_ref().map(|_| Ruling::from(&story.verdict())));
    let episodes = story.episodes(now);
    let starts = episodes.iter().map(|episode| episode.timeline.origin).collect::<Vec<_>>();
    let told = episodes.into_iter().enumerate().map(|(number, episode)| {
        let timeline = &episode.timeline;
        let next = starts.get(number + 1).copied();
        let over = verdict.is_some() || next.is_some();
        let running = if over { None } else { running(story, timeline, number, word) };
        let bounds = story.settings.as_ref().map(|settings| timeline.bounds(settings));
        let bound = |phase| bounds.as_ref().and_then(|bounds| limit(bounds, phase));
        let phases = timeline.phases.iter();
        let phases = phases.map(|(phase, span)| Part {
            phase,
            from: span.from,
            to: span.to,
            bound_usec: bound(phase),
        });
        let key = key(story.case, number);
        let is_injected = timeline.has(|kind| matches!(kind, Kind::Injected { .. }));
        let fault = episode.fault.clone().filter(|_| is_injected).map(|fault| Fault {
            key: key.clone(),
            fault,
            from: timeline.origin,
            to: until(timeline).or(next).or_else(|| story.ended.filter(|_| over)),
        });
        let told = Episode {
            key,
            case: story.case,
            scenario: story.plan.scenario.clone(),
            trial: story.plan.trial,
            fault: episode.fault.clone(),
            expect: expects(&episode::expected(&story.plan, number, timeline, story.settings.as_ref())),
            from: timeline.origin,
            over,
            phases: phases.collect(),
            running: running.map(|(phase, _)| phase),
            running_from: running.map(|(_, from)| from),
            // Nobody has asked before it began.
            failed_requests: story.began.map(|_| episode.failed()),
            verdict: verdict.clone(),
        };
        (told, fault)
    });
    told.collect()
}

/// A case and the number of the fault in it.
fn key(case: CaseId, number: usize) -> String {
    format!("{case}/{number}")
}

/// When a fault was over: it was healed, or clients were served by another process.
fn until(timeline: &Timeline) -> Option<Usec> {
    let recovered = timeline.phases.recovery.and(timeline.phases.outage).map(|outage| outage.to);
    timeline.healed().or(recovered)
}

/// The phase that goes on, and since when.
fn running(story: &Story, timeline: &Timeline, number: usize, word: Word) -> Option<(Phase, Usec)> {
    if !timeline.has(|kind| matches!(kind, Kind::Injected { .. })) {
        return None;
    }
    let phases = &timeline.phases;
    let is_served = word == Word::Healthy;
    let outage = || {
        let (bad, _) = story.witness().first_bad(timeline.origin)?;
        let from = story.witness().last_good(bad).unwrap_or(timeline.origin);
        (!is_served).then_some((Phase::Outage, from))
    };
    if matches!(word, Word::Failed | Word::Stopped) {
        return None;
    }
    let Some(detect) = phases.detect else {
        let expect = episode::expected(&story.plan, number, timeline, story.settings.as_ref());
        let is_to_be_found = expect.outcome != Outcome::Undisturbed && timeline.deed() != Deed::Spares;
        return if is_to_be_found { Some((Phase::Detect, timeline.origin)) } else { outage() };
    };
    if phases.recovery.is_some() {
        return outage().filter(|_| phases.outage.is_none());
    }
    if let Some(restart) = phases.restart {
        return Some((Phase::Start, restart.to));
    }
    match (timeline.cause(), phases.kill) {
        (Some(By::Watchdog), None) => Some((Phase::Kill, detect.to)),
        (_, kill) => Some((Phase::Restart, kill.unwrap_or(detect).to)),
    }
}

/// What is to come of a fault, in a sentence.
pub fn expects(expect: &Expectation) -> String {
    let by = match expect.by {
        Some(By::Watchdog) => " by the watchdog",
        Some(By::Exit) => " after the process has ended by itself",
        None => "",
    };
    let within = expect.recovery_within.as_ref().map(|within| format!(", within {within}"));
    let outage = expect
        .outage_within
        .as_ref()
        .map(|within| format!("; clients are to be served again within {within}"));
    let failed = expect.at_most_failed.map(|most| format!("; at most {most} requests may fail"));
    let phases = Bounds::PHASES.into_iter().filter_map(|phase| Some((phase.name(), expect.within(phase)?)));
    let phases = phases
        .map(|(name, within)| format!("; {name} is to take {within} at most"))
        .collect::<Vec<_>>()
        .concat();
    let restarts = expect.restarts.map(|restarts| format!("; systemd is to schedule restarts: {restarts}"));
    let texts = |what: &str, texts: &[String]| {
        let quoted = texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>();
        if quoted.is_empty() {
            String::new()
        } else {
            format!("; the journal is {what} {}", quoted.join(", "))
        }
    };
    let journal = texts("to have", &expect.journal) + &texts("not to have", &expect.journal_without);
    let diagnosis = expect.diagnosis.as_ref().map(|text| format!("; the diagnosis is to have \"{text}\""));
    let report = match expect.hang_report {
        Some(true) => "; sd-watchdog is to report the hang",
        Some(false) => "; no hang is to be reported",
        None => "",
    };
    let what = match expect.outcome {
        Outcome::Restarted => format!("The service is to be restarted{by}{}", within.unwrap_or_default()),
        Outcome::Undisturbed => {
            let calm = expect.undisturbed_for.as_ref().map(|calm| format!(" for {calm}"));
            format!("Nothing is to happen to the service{}", calm.unwrap_or_default())
        }
        Outcome::Failed => format!("systemd is to give the service up{by}"),
        Outcome::Stopped => "The service is to end in order, and to stay down".into(),
    };
    let counted = [outage, failed, restarts, diagnosis].into_iter().flatten().collect::<String>();
    format!("{what}{phases}{counted}{journal}{report}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_is_told_in_a_sentence() {
        for (expect, sentence) in [
            (
                r#"{"outcome":"restarted","by":"watchdog","recovery_within":"WatchdogSec","hang_report":true}"#,
                "The service is to be restarted by the watchdog, within WatchdogSec; sd-watchdog is to report the hang.",
            ),
            (
                r#"{"outcome":"restarted","outage_within":"5s","at_most_failed":0}"#,
                "The service is to be restarted; clients are to be served again within 5s; at most 0 requests may fail.",
            ),
            (
                r#"{"outcome":"undisturbed","undisturbed_for":"10s","hang_report":false}"#,
                "Nothing is to happen to the service for 10s; no hang is to be reported.",
            ),
            (
                r#"{"outcome":"failed","by":"exit"}"#,
                "systemd is to give the service up after the process has ended by itself.",
            ),
            (
                r#"{"outcome":"restarted","detect_within":"1s","restarts":1,"journal":["a","b"],"journal_without":["c"],"diagnosis":"d"}"#,
                "The service is to be restarted; detect is to take 1s at most; systemd is to schedule restarts: 1; the diagnosis is to have \
                 \"d\"; the journal is to have \"a\", \"b\"; the journal is not to have \"c\".",
            ),
            (r#"{"outcome":"stopped"}"#, "The service is to end in order, and to stay down."),
        ] {
            let expect: Expectation = serde_json::from_str(expect).expect("an expectation");
            assert_eq!(expects(&expect), sentence);
        }
    }
}
