//! What a client saw: the second witness, independent of systemd and of `sd-watchdog`.
//!
//! An observer asks the service every 10 ms (less often where a scenario says so, which measures no recovery), each
//! time over a new connection, and never waits for one answer before it asks again. What it knows of a good answer is an
//! interval: the service served at some moment between the ask and the observer's reading of the answer, which may come
//! late on a busy computer. Everything is ordered by when it was asked, and only what a whole interval proves is held
//! against systemd's journal.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::clock::Usec;
use crate::model::load::{Load, Tally};
use crate::model::phase::Span;

/// From one ask of the observer to the next, where a recovery is measured.
pub const TICK: Duration = Duration::from_millis(10);

/// The difference between "after" and "at or after".
const TIMES_GRAIN: Duration = Duration::from_micros(1);

/// One ask and what it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Just before the connection was opened.
    pub asked: Usec,
    /// When the answer was read.
    pub known: Usec,
    /// A good answer, or what came instead.
    pub answer: Answer,
}

impl Ask {
    /// Whether it was answered well.
    pub fn is_good(&self) -> bool {
        self.answer == Answer::Good
    }
}

/// What an ask came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A status below 400, or what is expected.
    Good,
    /// Anything else, in words.
    Bad(String),
}

/// Consecutive asks with the same answer, in the order in which they were asked: how version 1 of recordings kept them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak {
    /// What they came to.
    #[serde(rename = "outcome")]
    pub answer: Answer,
    /// How many there were.
    pub count: u32,
    /// When the first was asked, and its answer known.
    pub first_usec: (Usec, Usec),
    /// When the last was asked, and its answer known.
    pub last_usec: (Usec, Usec),
}

/// Everything a client saw during a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// From one ask to the next, where nothing is late.
    interval: Duration,
    /// In the order in which they were asked, each with how many it stands for.
    asks: Vec<(Ask, u32)>,
    /// What was asked before is of no interest.
    since: Option<Usec>,
    /// What became of the requests of a load, where there was one.
    load: Option<Tally>,
    /// When the machine had to wait for a CPU, and for how long of that.
    stalls: Vec<(Span, Duration)>,
}

impl Default for Witness {
    /// One that asks every [`TICK`].
    fn default() -> Self {
        Self { interval: TICK, asks: Vec::new(), since: None, load: None, stalls: Vec::new() }
    }
}

impl Witness {
    /// One that asks every `interval`.
    pub fn every(interval: Duration) -> Self {
        Self { interval, ..Self::default() }
    }

    /// Adds an ask, which may have become known out of turn.
    pub fn add(&mut self, ask: Ask) {
        self.insert(ask, 1);
    }

    /// Adds the edges of a streak: what was between them is not known any more.
    pub fn push(&mut self, streak: &Streak) {
        let edge = |(asked, known): (Usec, Usec)| Ask { asked, known, answer: streak.answer.clone() };
        self.insert(edge(streak.first_usec), streak.count.saturating_sub(1).max(1));
        if streak.count > 1 {
            self.insert(edge(streak.last_usec), 1);
        }
    }

    fn insert(&mut self, ask: Ask, count: u32) {
        if self.since.is_some_and(|since| ask.asked < since) {
            return;
        }
        let place = self.place(|asked| asked <= ask.asked);
        self.asks.insert(place, (ask, count));
    }

    /// Adds what became of requests of a load.
    pub fn add_load(&mut self, load: &Load) {
        self.load.get_or_insert_default().add(load);
    }

    /// What became of the requests of a load, where there was one.
    pub fn load(&self) -> Option<&Tally> {
        self.load.as_ref()
    }

    /// Adds that the machine had to wait for a CPU, for so long of that span.
    pub fn add_stall(&mut self, span: Span, waited: Duration) {
        self.stalls.push((span, waited.min(span.length())));
    }

    /// For how long the machine had to wait for a CPU within `span`. Of what was looked at only before and after one of its ends, as much
    /// counts as lies within.
    pub fn stalled_within(&self, span: Span) -> Duration {
        let share = |(looked, waited): &(Span, Duration)| {
            let within = looked.to.min(span.to) - looked.from.max(span.from);
            waited.mul_f64(within.as_secs_f64() / looked.length().as_secs_f64().max(f64::MIN_POSITIVE))
        };
        self.stalls.iter().map(share).sum()
    }

    /// Forgets what was asked before `since`, also where it becomes known later.
    pub fn forget_before(&mut self, since: Usec) {
        self.since = self.since.max(Some(since));
        let first = self.place(|asked| asked < since);
        self.asks.drain(..first);
    }

    fn place(&self, is_before: impl Fn(Usec) -> bool) -> usize {
        self.asks.partition_point(|(ask, _)| is_before(ask.asked))
    }

    /// From one ask to the next, where nothing is late.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// When each was asked whose predecessor is known too, and when that was.
    pub fn successions(&self) -> impl Iterator<Item = (Usec, Usec)> {
        let is_known = |pair: &&[(Ask, u32)]| pair[0].1 == 1;
        self.asks.windows(2).filter(is_known).map(|pair| (pair[0].0.asked, pair[1].0.asked))
    }

    /// Those asked at `since` or later.
    fn from(&self, since: Usec) -> impl Iterator<Item = &Ask> {
        self.asks[self.place(|asked| asked < since)..].iter().map(|(ask, _)| ask)
    }

    /// Those asked at `since` or later, and before `until`.
    pub fn asked_between(&self, since: Usec, until: Option<Usec>) -> impl Iterator<Item = &Ask> {
        self.from(since).take_while(move |ask| until.is_none_or(|until| ask.asked < until))
    }

    /// The same as a witness of its own.
    #[must_use]
    pub fn between(&self, since: Option<Usec>, until: Option<Usec>) -> Self {
        let first = since.map_or(0, |since| self.place(|asked| asked < since));
        let end = until.map_or(self.asks.len(), |until| self.place(|asked| asked < until));
        let asks = self.asks[first.min(end)..end].to_vec();
        let since = since.or(self.since);
        Self { interval: self.interval, asks, since, load: self.load.clone(), stalls: self.stalls.clone() }
    }

    /// How many were asked at `since` or later and had no good answer by `until`.
    pub fn in_vain(&self, since: Usec, until: Usec) -> u64 {
        let asks = self.asks[self.place(|asked| asked < since)..].iter();
        let asks = asks.take_while(|(ask, _)| ask.asked < until);
        asks.filter(|(ask, _)| !(ask.is_good() && ask.known < until))
            .map(|(_, count)| u64::from(*count))
            .sum()
    }

    /// When the last ask with a good answer was asked.
    pub fn last_served(&self) -> Option<Usec> {
        self.last_good(Usec(u64::MAX))
    }

    /// Whether any ask was answered well.
    pub fn was_served(&self) -> bool {
        self.last_served().is_some()
    }

    /// The first ask since `since` that failed, and why.
    pub fn first_bad(&self, since: Usec) -> Option<(Usec, &str)> {
        self.failed_since(since).map(|(ask, reason)| (ask.asked, reason))
    }

    /// The same, with when it was known.
    pub fn failed_since(&self, since: Usec) -> Option<(&Ask, &str)> {
        self.from(since).find_map(failed)
    }

    /// The first ask that had failed by `until`, and why. One still open then says nothing of the time before.
    pub fn first_bad_by(&self, until: Usec) -> Option<(&Ask, &str)> {
        self.asks.iter().map(|(ask, _)| ask).filter(|ask| ask.known < until).find_map(failed)
    }

    /// The last good answer to an ask before `until`, by when it was asked.
    pub fn last_good(&self, until: Usec) -> Option<Usec> {
        let before = self.asks[..self.place(|asked| asked < until)].iter().map(|(ask, _)| ask);
        before.rev().find(|ask| ask.is_good()).map(|ask| ask.asked)
    }

    /// The first good answer to an ask after `since`, by when it was known.
    pub fn first_good(&self, since: Usec) -> Option<Usec> {
        self.from(since + TIMES_GRAIN).find(|ask| ask.is_good()).map(|ask| ask.known)
    }

    /// How long after `from` clients were not served for certain, where they were when they were `served`: the last that was asked
    /// between the two and failed proves it. However seldom they ask, nothing else does.
    pub fn unserved_for(&self, from: Usec, served: Usec) -> Duration {
        let asks = self.from(from).take_while(|ask| ask.asked < served);
        asks.filter(|ask| !ask.is_good()).last().map_or(Duration::ZERO, |ask| ask.asked - from)
    }

    /// A good answer that was both asked and known between the two: proof that the service served then.
    pub fn served_between(&self, from: Usec, to: Usec) -> Option<Usec> {
        let mut asks = self.from(from + TIMES_GRAIN).take_while(|ask| ask.asked < to);
        asks.find(|ask| ask.is_good() && ask.known < to).map(|ask| ask.known)
    }

    /// How many asks failed, and how many there were.
    pub fn failed_of(&self) -> (u64, u64) {
        let count = |wanted: fn(&Answer) -> bool| -> u64 {
            self.asks.iter().filter(|(ask, _)| wanted(&ask.answer)).map(|(_, count)| u64::from(*count)).sum()
        };
        (count(|answer| *answer != Answer::Good), count(|_| true))
    }
}

fn failed(ask: &Ask) -> Option<(&Ask, &str)> {
    match &ask.answer {
        Answer::Bad(reason) => Some((ask, reason)),
        Answer::Good => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(asks: &[(u64, u64, bool)]) -> Witness {
        let mut witness = Witness::default();
        for &(asked, known, good) in asks {
            let answer = if good { Answer::Good } else { Answer::Bad("no".into()) };
            witness.add(Ask { asked: Usec(asked), known: Usec(known), answer });
        }
        witness
    }

    /// First bad, last good before it, first good after it.
    fn outage(witness: &Witness) -> (Option<u64>, Option<u64>, Option<u64>) {
        let bad = witness.first_bad(Usec(0)).map(|(asked, _)| asked);
        let last = bad.and_then(|bad| witness.last_good(bad));
        let first = bad.and_then(|bad| witness.first_good(bad));
        (bad.map(|at| at.0), last.map(|at| at.0), first.map(|at| at.0))
    }

    #[test]
    fn asks_are_ordered_by_when_they_were_asked() {
        // Asked at 30 and 40, unanswered until their deadline; the restart refuses 50, then serves.
        let seen = witness(&[
            (10, 11, true),
            (20, 21, true),
            (50, 51, false),
            (30, 55, false),
            (60, 61, true),
            (40, 65, false),
            (70, 71, true),
        ]);
        assert_eq!(outage(&seen), (Some(30), Some(20), Some(61)));
        assert_eq!(seen.failed_of(), (3, 7));
    }

    #[test]
    fn a_lost_ask_before_an_outage_does_not_hide_it() {
        let seen =
            witness(&[(10, 11, true), (20, 25, false), (30, 31, true), (40, 45, false), (900, 901, false)]);
        assert_eq!(seen.first_bad(Usec(30)).map(|(asked, _)| asked), Some(Usec(40)));
        assert_eq!(outage(&seen), (Some(20), Some(10), Some(31)));
    }

    #[test]
    fn an_answer_proves_service_only_with_its_whole_interval() {
        // Asked just before the hang at 100, read by a busy observer at 180.
        let seen = witness(&[(90, 180, true)]);
        assert_eq!(seen.served_between(Usec(100), Usec(500)), None);
        assert_eq!(witness(&[(110, 180, true)]).served_between(Usec(100), Usec(500)), Some(Usec(180)));
        assert_eq!(witness(&[(490, 510, true)]).served_between(Usec(100), Usec(500)), None);
    }

    #[test]
    fn what_was_refused_while_the_service_came_up_is_forgotten() {
        let mut seen = witness(&[(10, 11, false), (20, 21, false), (30, 31, true)]);
        let last = seen.last_served().expect("served");
        seen.forget_before(last);
        assert_eq!((outage(&seen), seen.failed_of()), ((None, None, None), (0, 1)));
        // It was under way.
        seen.add(Ask { asked: Usec(25), known: Usec(90), answer: Answer::Bad("no answer".into()) });
        assert_eq!(seen.failed_of(), (0, 1));
        assert_eq!(witness(&[(10, 11, false)]).last_served(), None);
    }

    #[test]
    fn of_a_streak_the_edges_and_the_count_are_known() {
        let mut seen = Witness::default();
        let streak =
            |answer, count, first, last| Streak { answer, count, first_usec: first, last_usec: last };
        seen.push(&streak(Answer::Good, 3, (Usec(10), Usec(11)), (Usec(30), Usec(31))));
        seen.push(&streak(Answer::Bad("no".into()), 1, (Usec(40), Usec(50)), (Usec(40), Usec(50))));
        assert_eq!((outage(&seen), seen.failed_of()), ((Some(40), Some(30), None), (1, 4)));
    }
}
