//! Trials on several machines at once.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::machine::inotify::Usage;
use crate::progress::Progress;

/// How many machines at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jobs {
    /// As many as the host carries without disturbing what is measured.
    Auto,
    /// So many.
    Count(NonZeroU32),
}

/// Machines for each CPU, of themselves: a trial waits most of the time.
const PER_CPU: usize = 2;

impl FromStr for Jobs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => text.parse().map(Self::Count).map_err(|_| "a number from 1, or auto".to_owned()),
        }
    }
}

impl fmt::Display for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Count(count) => count.fmt(f),
        }
    }
}

impl Jobs {
    /// How many machines to boot for so many trials, and what is to be said of it.
    pub fn machines(self, trials: u32) -> (u32, Option<String>) {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        self.within(trials, cpus, Usage::now().map(Usage::room))
    }

    /// The same on a host with so many CPUs, and `room` for so many machines where that is known.
    fn within(self, trials: u32, cpus: usize, room: Option<usize>) -> (u32, Option<String>) {
        let room = room.map_or(u32::MAX, |room| u32::try_from(room).unwrap_or(u32::MAX).max(1));
        let wanted = match self {
            Self::Auto => u32::try_from(cpus * PER_CPU).unwrap_or(u32::MAX),
            Self::Count(count) => count.get(),
        };
        let wanted = wanted.min(trials).max(1);
        let note = (wanted > room && self != Self::Auto).then(|| {
            format!("there is room for {room} machines at once, not for {wanted}: hangproof doctor says which limit that is")
        });
        (wanted.min(room), note)
    }
}

/// The numbers of the trials, for whoever makes the next.
pub struct Numbers {
    next: AtomicU32,
    last: u32,
    is_over: AtomicBool,
}

impl Numbers {
    /// From 1 to `trials`.
    pub fn up_to(trials: u32) -> Self {
        Self { next: AtomicU32::new(1), last: trials, is_over: AtomicBool::new(false) }
    }

    /// The next, if there is one to be made.
    pub fn next(&self) -> Option<u32> {
        if self.is_over.load(Ordering::SeqCst) {
            return None;
        }
        Some(self.next.fetch_add(1, Ordering::SeqCst)).filter(|number| *number <= self.last)
    }

    /// No further trial is begun.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

/// Of several runs at once a person sees which trial has begun.
pub struct Counted<'a>(pub &'a dyn Progress);

impl Progress for Counted<'_> {
    fn stage(&self, _: &str) {}

    fn note(&self, what: &str) {
        self.0.note(what);
    }

    fn event(&self, _: &str) {}

    fn done(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_machines_are_booted_as_are_wanted_and_as_there_is_room_for() {
        let count = |count: u32| Jobs::Count(NonZeroU32::new(count).expect("not 0"));
        for (jobs, trials, room, expected) in [
            (Jobs::Auto, 200, Some(100), 4),
            (Jobs::Auto, 200, None, 4),
            (Jobs::Auto, 3, Some(100), 3),
            (Jobs::Auto, 200, Some(2), 2),
            (count(64), 200, Some(100), 64),
            (count(64), 200, Some(40), 40),
            (count(64), 10, Some(40), 10),
            (count(2), 1, Some(0), 1),
        ] {
            let (machines, note) = jobs.within(trials, 2, room);
            assert_eq!(machines, expected, "{jobs} {trials} {room:?}");
            assert_eq!(note.is_some(), expected == 40, "{note:?}");
        }
    }

    #[test]
    fn every_trial_is_made_once_and_none_after_the_end() {
        let numbers = Numbers::up_to(100);
        let mut made = std::thread::scope(|scope| {
            let workers =
                [(); 4].map(|()| scope.spawn(|| std::iter::from_fn(|| numbers.next()).collect::<Vec<_>>()));
            workers.into_iter().flat_map(|worker| worker.join().expect("it ends")).collect::<Vec<_>>()
        });
        made.sort_unstable();
        assert_eq!(made, (1..=100).collect::<Vec<_>>());
        let numbers = Numbers::up_to(2);
        numbers.end();
        assert_eq!(numbers.next(), None);
    }

    #[test]
    fn jobs_are_a_number_or_auto() {
        assert_eq!("auto".parse(), Ok(Jobs::Auto));
        assert_eq!("8".parse::<Jobs>().map(|jobs| jobs.to_string()).as_deref(), Ok("8"));
        assert!("0".parse::<Jobs>().is_err() && "-1".parse::<Jobs>().is_err());
    }
}
