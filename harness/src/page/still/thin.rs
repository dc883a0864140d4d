//! Fewer answers, of trials of which there are many.

use std::time::Duration;

use crate::model::clock::Usec;
use crate::page::telling::{Answered, Answers};

/// Answers as near as this to one that failed all stay.
const NEAR: Duration = Duration::from_millis(250);

/// Of so many others in a row one stays: the slowest.
const ROW: usize = 20;

/// All answers of a case in one, in the order in which they were asked. With `is_thin` those that tell nothing new are left out.
pub fn merged(told: Vec<Answers>, is_thin: bool) -> Answers {
    let mut merged = Answers::default();
    for Answers { answers, reasons, left_out } in told {
        let places =
            reasons.into_iter().map(|reason| place_of(&mut merged.reasons, reason)).collect::<Vec<_>>();
        let answers = answers.into_iter().map(|Answered(asked, took, outcome)| {
            let place = outcome.checked_sub(1).and_then(|place| places.get(place));
            Answered(asked, took, place.map_or(0, |place| place + 1))
        });
        merged.answers.extend(answers);
        merged.left_out += left_out;
    }
    merged.answers.sort_by_key(|Answered(asked, ..)| *asked);
    if is_thin { thinned(merged) } else { merged }
}

fn place_of(reasons: &mut Vec<String>, reason: String) -> usize {
    reasons.iter().position(|known| *known == reason).unwrap_or_else(|| {
        reasons.push(reason);
        reasons.len() - 1
    })
}

fn thinned(Answers { answers, reasons, left_out }: Answers) -> Answers {
    let failed = answers.iter().filter(|Answered(_, _, outcome)| *outcome > 0);
    let failed = failed.map(|Answered(asked, took, _)| (*asked, *asked + Duration::from_micros(*took)));
    // From when to when, in order and apart from one another.
    let mut kept: Vec<(Usec, Usec)> = Vec::new();
    for (asked, known) in failed {
        let (from, to) = (asked.before(NEAR), known + NEAR);
        match kept.last_mut().filter(|(_, end)| from <= *end) {
            Some((_, end)) => *end = (*end).max(to),
            None => kept.push((from, to)),
        }
    }
    let is_kept = |asked: Usec| {
        let next = kept.partition_point(|(_, to)| *to < asked);
        kept.get(next).is_some_and(|(from, _)| *from <= asked)
    };
    let all = answers.len();
    let mut few = Vec::with_capacity(all / 4);
    for stretch in answers.chunk_by(|Answered(one, ..), Answered(next, ..)| is_kept(*one) == is_kept(*next)) {
        if stretch.first().is_some_and(|Answered(asked, ..)| is_kept(*asked)) {
            few.extend_from_slice(stretch);
        } else {
            few.extend(
                stretch.chunks(ROW).filter_map(|row| row.iter().max_by_key(|Answered(_, took, _)| *took)),
            );
        }
    }
    let left_out = left_out + (all - few.len()) as u64;
    Answers { answers: few, reasons, left_out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(asks: impl Iterator<Item = (u64, u64, bool)>) -> Answers {
        let answers = asks.map(|(asked, took, good)| Answered(Usec(asked * 1000), took, usize::from(!good)));
        Answers { answers: answers.collect(), reasons: vec!["no".into()], left_out: 0 }
    }

    #[test]
    fn one_that_failed_and_those_near_it_stay_and_of_the_others_the_slowest() {
        let is_bad = |at: u64| (5000..5100).contains(&at);
        let all =
            || (0..1000_u64).map(|n| n * 10).map(|at| (at, if at == 3330 { 900 } else { 100 }, !is_bad(at)));
        let thin = merged(vec![told(all())], true);
        let has = |at: u64| thin.answers.iter().any(|Answered(asked, ..)| asked.0 == at * 1000);
        for at in (4750..=5340).step_by(10) {
            assert!(has(at), "{at}");
        }
        assert!(has(3330), "the slowest of its row");
        let failed = thin.answers.iter().filter(|Answered(_, _, outcome)| *outcome == 1).count();
        assert_eq!(failed, 10);
        assert_eq!(thin.answers.len() as u64 + thin.left_out, 1000);
        assert!(thin.answers.len() < 120, "{} stay", thin.answers.len());
        assert_eq!(merged(vec![told(all())], false), told(all()));
    }

    #[test]
    fn answers_that_were_told_apart_are_one_with_each_reason_once() {
        let one = |asked, reason: &str| Answers {
            answers: vec![Answered(Usec(asked), 1, 1)],
            reasons: vec![reason.into()],
            left_out: 1,
        };
        let merged = merged(vec![one(9, "a"), one(5, "b"), one(1, "a")], false);
        assert_eq!(merged.reasons, ["a", "b"]);
        let outcomes = merged.answers.iter().map(|Answered(asked, _, outcome)| (asked.0, *outcome));
        assert_eq!((outcomes.collect::<Vec<_>>(), merged.left_out), (vec![(1, 1), (5, 2), (9, 1)], 3));
    }
}
