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

/// From one ask of the observer to the next, where a recovery is measured.
pub const TICK: Duration = Duration::from_millis(10);

/// One ask and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Just before the connection was opened.
    pub asked: Usec,
    /// When the outcome was read.
    pub known: Usec,
    /// A good answer, or what came instead.
    pub outcome: Answer,
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

/// Consecutive asks of the same outcome, in the order in which they were asked: how a recording keeps them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak {
    /// What they came to.
    pub outcome: Answer,
    /// How many there were.
    pub count: u32,
    /// When the first was asked, and its outcome known.
    pub first_usec: (Usec, Usec),
    /// When the last was asked, and its outcome known.
    pub last_usec: (Usec, Usec),
}

/// Everything a client saw during a trial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// In the order in which they were asked, each with how many it stands for.
    asks: Vec<(Ask, u32)>,
}

impl Witness {
    /// Adds one ask, which may have become known out of turn.
    pub fn add(&mut self, ask: Ask) {
        let place = self.asks.partition_point(|(earlier, _)| earlier.asked <= ask.asked);
        self.asks.insert(place, (ask, 1));
    }

    /// Adds a streak from a recording: its edges, which is all that anything is read from.
    pub fn push(&mut self, streak: &Streak) {
        let edge = |(asked, known): (Usec, Usec)| Ask { asked, known, outcome: streak.outcome.clone() };
        self.asks.push((edge(streak.first_usec), streak.count.saturating_sub(1).max(1)));
        if streak.count > 1 {
            self.asks.push((edge(streak.last_usec), 1));
        }
    }

    /// The asks as a recording keeps them.
    pub fn streaks(&self) -> Vec<Streak> {
        let mut streaks: Vec<Streak> = Vec::new();
        for (ask, count) in &self.asks {
            let edge = (ask.asked, ask.known);
            match streaks.last_mut() {
                Some(streak) if streak.outcome == ask.outcome => {
                    streak.count += count;
                    streak.last_usec = edge;
                }
                _ => streaks.push(Streak {
                    outcome: ask.outcome.clone(),
                    count: *count,
                    first_usec: edge,
                    last_usec: edge,
                }),
            }
        }
        streaks
    }

    /// Forgets what was asked before the last good answer, and returns when that was asked: a service that has just
    /// come up refused connections before.
    pub fn begin_at_last_good(&mut self) -> Option<Usec> {
        let last = self.asks.iter().rposition(|(ask, _)| ask.outcome == Answer::Good)?;
        self.asks.drain(..last);
        self.asks.first().map(|(ask, _)| ask.asked)
    }

    fn good(&self) -> impl DoubleEndedIterator<Item = &Ask> {
        self.asks.iter().map(|(ask, _)| ask).filter(|ask| ask.outcome == Answer::Good)
    }

    /// Whether any ask was answered well.
    pub fn was_served(&self) -> bool {
        self.good().next().is_some()
    }

    /// The first ask since `since` that failed, and why.
    pub fn first_bad(&self, since: Usec) -> Option<(Usec, &str)> {
        self.asks.iter().find_map(|(ask, _)| match &ask.outcome {
            Answer::Bad(reason) if ask.asked >= since => Some((ask.asked, reason.as_str())),
            _ => None,
        })
    }

    /// The first ask that had failed by `until`, and why. One still open then says nothing of the time before.
    pub fn first_bad_by(&self, until: Usec) -> Option<(Usec, &str)> {
        self.asks.iter().find_map(|(ask, _)| match &ask.outcome {
            Answer::Bad(reason) if ask.known < until => Some((ask.asked, reason.as_str())),
            _ => None,
        })
    }

    /// The last good answer to an ask before `until`, by when it was asked.
    pub fn last_good(&self, until: Usec) -> Option<Usec> {
        self.good().rfind(|ask| ask.asked < until).map(|ask| ask.asked)
    }

    /// The first good answer to an ask after `since`, by when it was known.
    pub fn first_good(&self, since: Usec) -> Option<Usec> {
        self.good().find(|ask| ask.asked > since).map(|ask| ask.known)
    }

    /// A good answer that was both asked and known between the two: proof that the service served then.
    pub fn served_between(&self, from: Usec, to: Usec) -> Option<Usec> {
        self.good().find(|ask| ask.asked > from && ask.known < to).map(|ask| ask.known)
    }

    /// How many asks failed, and how many there were.
    pub fn failed_of(&self) -> (u32, u32) {
        let count = |wanted: fn(&Answer) -> bool| -> u32 {
            self.asks.iter().filter(|(ask, _)| wanted(&ask.outcome)).map(|(_, count)| count).sum()
        };
        (count(|outcome| *outcome != Answer::Good), count(|_| true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(asks: &[(u64, u64, bool)]) -> Witness {
        let mut witness = Witness::default();
        for &(asked, known, good) in asks {
            let outcome = if good { Answer::Good } else { Answer::Bad("no".into()) };
            witness.add(Ask { asked: Usec(asked), known: Usec(known), outcome });
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
    fn a_recording_keeps_all_that_is_read_from_the_asks() {
        let live = witness(&[
            (10, 11, true),
            (20, 21, true),
            (30, 31, true),
            (40, 50, false),
            (45, 51, false),
            (60, 61, true),
            (55, 90, false),
        ]);
        let mut replayed = Witness::default();
        let streaks = live.streaks();
        assert_eq!(streaks.iter().map(|streak| streak.count).collect::<Vec<_>>(), [3, 3, 1]);
        for streak in &streaks {
            replayed.push(streak);
        }
        assert_eq!((outage(&replayed), replayed.failed_of()), (outage(&live), live.failed_of()));
        assert_eq!(replayed.streaks(), streaks);
    }

    #[test]
    fn what_was_refused_while_the_service_came_up_is_forgotten() {
        let mut seen = witness(&[(10, 11, false), (20, 21, false), (30, 31, true)]);
        assert_eq!(seen.begin_at_last_good(), Some(Usec(30)));
        assert_eq!((outage(&seen), seen.failed_of()), ((None, None, None), (0, 1)));
        assert_eq!(witness(&[(10, 11, false)]).begin_at_last_good(), None);
    }
}
