//! Signals of systemd's that are not passed on until it is known whether COMMAND was sent them too. Pure.
//!
//! A signal is dropped only where the [`witness`](super::witness) got it as well. In all other cases it is passed on: one too
//! many does less harm than one too few.

use std::collections::VecDeque;

use super::signals::Received;

/// They, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Withheld {
    waiting: VecDeque<Received>,
    /// About so many of them the question is under way.
    asked: Option<usize>,
}

impl Withheld {
    /// It has come.
    pub fn add(&mut self, signal: Received) {
        self.waiting.push_back(signal);
    }

    /// The witness got one too: that one, if it waits here. It must have been added before.
    pub fn reported(&mut self, number: i32) -> Option<Received> {
        let place = self.waiting.iter().position(|signal| signal.number == number)?;
        if let Some(asked) = &mut self.asked {
            *asked -= usize::from(place < *asked);
        }
        self.waiting.remove(place)
    }

    /// Whether to ask now if there are more reports to come about those that wait.
    pub fn ask(&mut self) -> bool {
        let is_due = self.asked.is_none() && !self.waiting.is_empty();
        if is_due {
            self.asked = Some(self.waiting.len());
        }
        is_due
    }

    /// There are none: these were sent to us alone, or nobody knows.
    pub fn answered(&mut self) -> Vec<Received> {
        let asked = self.asked.take().unwrap_or_default();
        self.waiting.drain(..asked).collect()
    }

    /// Nobody will know of any.
    pub fn give_up(&mut self) -> Vec<Received> {
        self.asked = None;
        self.waiting.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use nix::libc::{SIGABRT, SIGCONT, SIGHUP, SIGTERM};

    use super::*;

    enum Happens {
        Comes(i32),
        Reported(i32),
        Asked(bool),
        Answered(&'static [i32]),
    }

    fn signal(number: i32) -> Received {
        Received { number, by_kernel: false, by_manager: true, value: None }
    }

    fn numbers(signals: &[Received]) -> Vec<i32> {
        signals.iter().map(|signal| signal.number).collect()
    }

    #[test]
    fn a_signal_is_passed_on_once_unless_everybody_was_sent_it() {
        use Happens::{Answered, Asked, Comes, Reported};
        for (name, events, left) in [
            (
                "KillMode=control-group, a stop",
                &[
                    Comes(SIGTERM),
                    Asked(true),
                    Comes(SIGCONT),
                    Reported(SIGTERM),
                    Reported(SIGCONT),
                    Answered(&[]),
                ][..],
                &[][..],
            ),
            (
                "KillMode=mixed or process, a stop",
                &[
                    Comes(SIGTERM),
                    Asked(true),
                    Comes(SIGCONT),
                    Answered(&[SIGTERM]),
                    Asked(true),
                    Answered(&[SIGCONT]),
                ],
                &[],
            ),
            ("a hang, control-group", &[Comes(SIGABRT), Asked(true), Reported(SIGABRT), Answered(&[])], &[]),
            (
                "what came after the question waits for the next",
                &[Comes(SIGHUP), Asked(true), Comes(SIGTERM), Asked(false), Answered(&[SIGHUP])],
                &[SIGTERM],
            ),
            (
                "the report of the second is not about the first",
                &[
                    Comes(SIGHUP),
                    Asked(true),
                    Comes(SIGTERM),
                    Reported(SIGTERM),
                    Answered(&[SIGHUP]),
                    Asked(false),
                ],
                &[],
            ),
            (
                "two that came to us as one",
                &[Comes(SIGHUP), Asked(true), Reported(SIGHUP), Reported(SIGHUP), Answered(&[])],
                &[],
            ),
            (
                "such a report says nothing of a later one",
                &[Reported(SIGHUP), Comes(SIGHUP), Asked(true), Answered(&[SIGHUP])],
                &[],
            ),
            (
                "the order is kept",
                &[
                    Comes(SIGTERM),
                    Comes(SIGHUP),
                    Comes(SIGCONT),
                    Asked(true),
                    Reported(SIGHUP),
                    Answered(&[SIGTERM, SIGCONT]),
                ],
                &[],
            ),
            ("no question without a signal", &[Asked(false), Answered(&[])], &[]),
        ] {
            let mut withheld = Withheld::default();
            for event in events {
                match *event {
                    Comes(number) => withheld.add(signal(number)),
                    Reported(number) => drop(withheld.reported(number)),
                    Asked(expected) => assert_eq!(withheld.ask(), expected, "{name}"),
                    Answered(expected) => assert_eq!(numbers(&withheld.answered()), expected, "{name}"),
                }
            }
            assert_eq!(numbers(&withheld.give_up()), left, "{name}");
        }
    }
}
