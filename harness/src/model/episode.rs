//! A fault and what came of it. A trial has one, or several where its plan is a sequence of faults.

use std::borrow::Cow;
use std::time::Duration;

use super::ask::Witness;
use super::bound::{ALLOWANCE, SCHEDULING};
use super::case::Plan;
use super::clock::{Human, Usec};
use super::event::{Event, Kind};
use super::expect::{Expectation, Outcome};
use super::phase::Phases;
use super::sequence::Step;
use super::settings::Settings;
use super::text::one_line;
use super::timeline::Timeline;
use super::verdict::{Verdict, judge};

/// One injection, and what came of it until the next one or the trial's end.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// Its fault; [`None`] where nothing was to be injected.
    pub fault: Option<String>,
    /// What happened.
    pub timeline: Timeline,
    /// Whether the next fault came before clients were served again.
    pub is_overtaken: bool,
    /// What clients asked in it.
    witness: Witness,
}

impl Episode {
    /// How many asks failed in it.
    pub fn failed(&self) -> u64 {
        self.witness.failed_of().0
    }
}

/// Divides a trial's events, which begins at `begin` and is over at `end`, into its episodes; one where nothing was injected.
pub fn divide(plan: &Plan, begin: Usec, end: Usec, events: &[Event], witness: &Witness) -> Vec<Episode> {
    let injections = injections(events);
    if injections.len() < 2 {
        let timeline = Timeline::new(begin, end, events.to_vec(), witness);
        let fault = plan.fault.clone();
        return vec![Episode { fault, timeline, is_overtaken: false, witness: witness.clone() }];
    }
    let mut episodes: Vec<Episode> = Vec::with_capacity(injections.len());
    // Since when clients have been served, as far as the faults before go; and whether they are still.
    let (mut well, mut is_well) = (None, true);
    for (index, (from, fault)) in injections.iter().enumerate() {
        let next = injections.get(index + 1).map(|(at, _)| *at);
        let part =
            |event: &&Event| (index == 0 || event.at >= *from) && next.is_none_or(|next| event.at < next);
        let events = events.iter().filter(part).cloned().collect();
        // What was under way when the next fault took hold is the next one's.
        let until = next.map(|next| next.before(ALLOWANCE));
        let timeline = Timeline::new(begin, next.unwrap_or(end), events, &witness.between(well, until));
        // For what clients missed before it, this fault is not to blame.
        let blamed = if is_well { well } else { Some(*from) };
        let asked = witness.between(blamed, until);
        let state = state_at_end(&timeline, &asked);
        is_well = state != State::Unwell;
        if let State::WellSince(served) = state {
            well = Some(served);
        }
        let is_overtaken = next.is_some() && !is_well;
        episodes.push(Episode { fault: Some(fault.clone()), timeline, is_overtaken, witness: asked });
    }
    episodes
}

/// How the service was at the end of an episode.
#[derive(PartialEq, Eq)]
enum State {
    /// Clients were not served.
    Unwell,
    /// They were all the time.
    Well,
    /// They were again, since then.
    WellSince(Usec),
}

fn state_at_end(timeline: &Timeline, asked: &Witness) -> State {
    let Phases { detect, recovery, .. } = timeline.phases;
    if detect.is_some() && recovery.is_none() {
        return State::Unwell;
    }
    match recovery.map(|recovery| recovery.to).max(timeline.healed()) {
        Some(up) => asked.first_good(up).map_or(State::Unwell, State::WellSince),
        None if asked.first_bad(timeline.origin.before(ALLOWANCE)).is_none() => State::Well,
        None => State::Unwell,
    }
}

/// When each fault was injected, and which.
fn injections(events: &[Event]) -> Vec<(Usec, String)> {
    let injected = events.iter().filter_map(|event| match &event.kind {
        Kind::Injected { fault, .. } => Some((event.at, fault.clone())),
        _ => None,
    });
    injected.collect()
}

/// The fault that is to follow, after `injected` ones.
pub fn next(plan: &Plan, injected: usize) -> Option<&Step> {
    plan.then.get(injected.checked_sub(1)?)
}

/// How long after its injection the last of `injected` faults is healed, if it is.
pub fn heal_after(plan: &Plan, injected: usize) -> Option<Duration> {
    let usec = match injected.checked_sub(2) {
        None => plan.heal_after_usec,
        Some(number) => plan.then.get(number)?.heal_after_usec,
    };
    usec.map(Duration::from_micros)
}

/// What is expected of the episode of this number, from 0, as it has come so far.
///
/// A restart is not to be expected of a fault that somebody has healed, who was not to, before it had to be found: the service is to serve
/// on. Where it was found all the same, the restart is.
pub fn expected<'a>(
    plan: &'a Plan,
    number: usize,
    timeline: &Timeline,
    settings: Option<&Settings>,
) -> Cow<'a, Expectation> {
    let planned = expectation(plan, number);
    let settings =
        settings.filter(|_| planned.outcome == Outcome::Restarted && !timeline.has(Kind::is_disturbance));
    let Some((settings, healed)) = settings.zip(timeline.healed()) else { return Cow::Borrowed(planned) };
    let detect = timeline.bounds(settings).detect.map(|bound| bound.at_most);
    let is_planned = heal_after(plan, number + 1).is_some_and(|span| healed >= timeline.origin + span);
    let is_overdue = detect.is_some_and(|detect| healed > timeline.origin + detect + SCHEDULING);
    if is_planned || is_overdue {
        return Cow::Borrowed(planned);
    }
    Cow::Owned(Expectation {
        outcome: Outcome::Undisturbed,
        at_most_failed: planned.at_most_failed,
        // What is on its way when it is healed has come by then.
        undisturbed_for: detect.map(|detect| Human(detect).to_string()),
        journal_without: planned.journal_without.clone(),
        ..Expectation::default()
    })
}

/// What is expected of the episode of this number, from 0, as it is planned.
pub fn expectation(plan: &Plan, number: usize) -> &Expectation {
    let own = number.checked_sub(1).and_then(|number| plan.then.get(number)?.expect.as_ref());
    own.unwrap_or(&plan.expect)
}

/// Whether a trial of these episodes was as expected.
pub fn judge_all(plan: &Plan, episodes: &[Episode], settings: &Settings) -> Verdict {
    let judged = |number: usize, episode: &Episode| {
        let has_own = number > 0 && plan.then.get(number - 1).is_some_and(|step| step.expect.is_some());
        // Nobody says what a recovery is to be that was not let come about.
        if episode.is_overtaken && !has_own {
            return Verdict::Pass { summary: "overtaken by the next".into() };
        }
        let expect = expected(plan, number, &episode.timeline, Some(settings));
        judge(&episode.timeline, &episode.witness, &expect, settings)
    };
    if let [only] = episodes
        && plan.then.is_empty()
    {
        return judged(0, only);
    }
    let (mut summaries, mut reasons, mut doubts) = (Vec::new(), Vec::new(), Vec::new());
    for (number, episode) in episodes.iter().enumerate() {
        let name = name(number, episode.fault.as_deref());
        match judged(number, episode) {
            Verdict::Pass { summary } => summaries.push(format!("{name}: {summary}")),
            Verdict::Skip { reason } => reasons.push(format!("{name}: {reason}")),
            Verdict::Fail { reasons: why } => {
                reasons.extend(why.into_iter().map(|reason| format!("{name}: {reason}")));
            }
            Verdict::Unsound { reasons: why } => {
                doubts.extend(why.into_iter().map(|reason| format!("{name}: {reason}")));
            }
        }
    }
    let was_injected = episodes
        .first()
        .is_some_and(|episode| episode.timeline.has(|kind| matches!(kind, Kind::Injected { .. })));
    if let Some(step) = next(plan, episodes.len()).filter(|_| was_injected) {
        let name = name(episodes.len(), Some(&step.fault));
        // What is doubtful of the faults before is so of what was to come of them.
        let why = if doubts.is_empty() { &mut reasons } else { &mut doubts };
        why.push(format!("{name} was not injected: it waits for {}, which did not come", step.after));
    }
    match (reasons.is_empty(), doubts.is_empty()) {
        (false, _) => Verdict::Fail { reasons },
        (true, false) => Verdict::Unsound { reasons: doubts },
        (true, true) => Verdict::Pass { summary: summaries.join("; ") },
    }
}

/// `fault 2, sigstop`.
pub fn name(number: usize, fault: Option<&str>) -> String {
    let fault = fault.map(|fault| format!(", {}", one_line(fault.to_owned()))).unwrap_or_default();
    format!("fault {}{fault}", number + 1)
}

#[cfg(test)]
mod tests;
