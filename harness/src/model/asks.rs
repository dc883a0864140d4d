//! A batch of asks, as a recording keeps every one of them in few bytes.

use serde::{Deserialize, Serialize};

use super::ask::{Answer, Ask};
use super::clock::Usec;

/// Some asks, in the order in which they became known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Asks(pub Vec<Ask>);

/// Times are as few digits as can be: asks follow one another at short intervals.
#[derive(Serialize, Deserialize)]
struct Written {
    /// When the first was asked.
    asked: Usec,
    /// By how much later, or earlier, than the one before each was asked, and how long it took to be known.
    asks: Vec<(i64, u64)>,
    /// What they came to: so many good ones, then so many bad ones of this kind, and so on.
    answers: Vec<Run>,
}

#[derive(Serialize, Deserialize)]
struct Run {
    count: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bad: Option<String>,
}

impl From<Asks> for Written {
    fn from(Asks(asks): Asks) -> Self {
        let asked = asks.first().map_or(Usec(0), |ask| ask.asked);
        let mut last = asked;
        let mut answers: Vec<Run> = Vec::new();
        let mut times = Vec::with_capacity(asks.len());
        for Ask { asked, known, answer } in asks {
            times.push((
                asked.0.wrapping_sub(last.0).cast_signed(),
                (known - asked).as_micros().try_into().unwrap_or(u64::MAX),
            ));
            last = asked;
            let bad = match answer {
                Answer::Good => None,
                Answer::Bad(reason) => Some(reason),
            };
            match answers.last_mut() {
                Some(run) if run.bad == bad => run.count += 1,
                _ => answers.push(Run { count: 1, bad }),
            }
        }
        Self { asked, asks: times, answers }
    }
}

impl TryFrom<Written> for Asks {
    type Error = String;

    fn try_from(Written { asked, asks: times, answers }: Written) -> Result<Self, String> {
        let counted = answers.iter().try_fold(0_usize, |sum, run| sum.checked_add(run.count));
        if counted != Some(times.len()) {
            return Err("there are not as many answers as asks".to_owned());
        }
        let mut asked = asked;
        let mut times = times.into_iter();
        let mut asks = Vec::with_capacity(times.len());
        for Run { count, bad } in answers {
            let answer = bad.map_or(Answer::Good, Answer::Bad);
            for (later, took) in times.by_ref().take(count) {
                asked = Usec(asked.0.wrapping_add_signed(later));
                let known = Usec(asked.0.saturating_add(took));
                asks.push(Ask { asked, known, answer: answer.clone() });
            }
        }
        Ok(Self(asks))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_batch_is_written_in_few_bytes() {
        let ask = |asked, known, answer| Ask { asked: Usec(asked), known: Usec(known), answer };
        let bad = || Answer::Bad("no".into());
        let asks = Asks(vec![ask(1000, 1400, Answer::Good), ask(1010, 1450, bad()), ask(1005, 1500, bad())]);
        assert_eq!(
            serde_json::to_string(&asks).expect("json"),
            r#"{"asked":1000,"asks":[[0,400],[10,440],[-5,495]],"answers":[{"count":1},{"count":2,"bad":"no"}]}"#
        );
    }

    #[test]
    fn answers_that_do_not_add_up_are_refused() {
        for answers in ["[]", r#"[{"count":2}]"#, r#"[{"count":1},{"count":18446744073709551615}]"#] {
            let text = format!(r#"{{"asked":1,"asks":[[0,1]],"answers":{answers}}}"#);
            assert!(serde_json::from_str::<Asks>(&text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_batch_is_read_as_it_was_written(asks in proptest::collection::vec((any::<u64>(), 0_u64..9_000_000, 0_u8..3), 0..40)) {
            let asks = Asks(asks.into_iter().map(|(asked, took, bad)| Ask {
                asked: Usec(asked),
                known: Usec(asked.saturating_add(took)),
                answer: if bad == 0 { Answer::Good } else { Answer::Bad(format!("reason {bad}")) },
            }).collect());
            let text = serde_json::to_string(&asks).expect("json");
            prop_assert_eq!(serde_json::from_str::<Asks>(&text).expect("asks"), asks);
        }
    }
}
