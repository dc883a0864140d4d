//! Answers that wait to be told together.

use std::time::Duration;

use crate::model::ask::{Answer, Ask, Streak};
use crate::model::clock::Usec;
use crate::model::text::one_line;
use crate::page::telling::{Answered, Answers, usec};

/// No answer waits for longer than this, in the time of moments, nor more than so many.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
const MOST: usize = 200;

/// Answers that wait to be told together.
#[derive(Debug, Default)]
pub struct Waiting {
    answers: Answers,
    /// When the first of them, and the last, were known.
    known: Option<(Usec, Usec)>,
}

impl Waiting {
    /// One more.
    pub fn push(&mut self, ask: &Ask) {
        let outcome = match &ask.answer {
            Answer::Good => 0,
            Answer::Bad(reason) => self.reason(reason),
        };
        self.answers.answers.push(Answered(ask.asked, usec(ask.known - ask.asked), outcome));
        let first = self.known.map_or(ask.known, |(first, _)| first);
        self.known = Some((first, ask.known));
    }

    /// The edges of a streak, which is all that is known of it.
    pub fn push_streak(&mut self, streak: &Streak) {
        for (asked, known) in [streak.first_usec, streak.last_usec].iter().take(streak.count.min(2) as usize)
        {
            self.push(&Ask { asked: *asked, known: *known, answer: streak.answer.clone() });
        }
        if streak.answer == Answer::Good {
            self.answers.left_out += u64::from(streak.count.saturating_sub(2));
        }
    }

    /// The place of a reason, from 1.
    fn reason(&mut self, reason: &str) -> usize {
        let reasons = &mut self.answers.reasons;
        let reason = one_line(reason.to_owned());
        let place = reasons.iter().position(|known| *known == reason).unwrap_or_else(|| {
            reasons.push(reason);
            reasons.len() - 1
        });
        place + 1
    }

    /// Whether they have waited for long enough.
    pub fn is_due(&self, now: Usec) -> bool {
        self.answers.answers.len() >= MOST || self.known.is_some_and(|(first, _)| now - first >= LONGEST_WAIT)
    }

    /// All of them, and when the last was known.
    pub fn take(&mut self) -> Option<(Usec, Answers)> {
        let (_, last) = self.known.take()?;
        Some((last, std::mem::take(&mut self.answers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(asked: u64, known: u64, bad: Option<&str>) -> Ask {
        let answer = bad.map_or(Answer::Good, |reason| Answer::Bad(reason.into()));
        Ask { asked: Usec(asked), known: Usec(known), answer }
    }

    #[test]
    fn asks_told_together_have_each_reason_once() {
        let mut waiting = Waiting::default();
        for asked in
            [ask(1, 2, None), ask(3, 9, Some("no")), ask(5, 9, Some("lost\u{7}")), ask(7, 9, Some("no"))]
        {
            waiting.push(&asked);
        }
        let (at, answers) = waiting.take().expect("some");
        assert_eq!((at, answers.reasons), (Usec(9), vec!["no".to_owned(), "lost\\u{7}".to_owned()]));
        let outcomes =
            answers.answers.iter().map(|Answered(asked, took, outcome)| (asked.0, *took, *outcome));
        assert_eq!(outcomes.collect::<Vec<_>>(), [(1, 1, 0), (3, 6, 1), (5, 4, 2), (7, 2, 1)]);
        assert_eq!(waiting.take(), None);
    }

    #[test]
    fn none_waits_for_longer_than_a_tenth_of_a_second() {
        let mut waiting = Waiting::default();
        assert!(!waiting.is_due(Usec(1_000_000)));
        waiting.push(&ask(0, 10, None));
        waiting.push(&ask(0, 90_000, None));
        assert!(!waiting.is_due(Usec(100_009)) && waiting.is_due(Usec(100_010)));
    }

    #[test]
    fn of_a_streak_of_an_old_recording_the_edges_are_told_and_how_many_there_were() {
        let mut waiting = Waiting::default();
        let streak = |count| Streak {
            answer: Answer::Good,
            count,
            first_usec: (Usec(1), Usec(2)),
            last_usec: (Usec(8), Usec(9)),
        };
        waiting.push_streak(&streak(1));
        waiting.push_streak(&streak(7));
        let (_, answers) = waiting.take().expect("some");
        assert_eq!((answers.answers.len(), answers.left_out), (3, 5));
    }
}
