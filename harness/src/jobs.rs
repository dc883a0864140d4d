//! How many machines at once.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::machine::inotify::Usage;

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
    /// How many machines to boot for so many cases, and what is to be said of it.
    pub fn machines(self, cases: usize) -> (u32, Option<String>) {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        self.within(u32::try_from(cases).unwrap_or(u32::MAX), cpus, Usage::now().map(Usage::room))
    }

    /// The same on a host with so many CPUs, and `room` for so many machines where that is known.
    fn within(self, cases: u32, cpus: usize, room: Option<usize>) -> (u32, Option<String>) {
        let room = room.map_or(u32::MAX, |room| u32::try_from(room).unwrap_or(u32::MAX).max(1));
        let wanted = match self {
            Self::Auto => u32::try_from(cpus * PER_CPU).unwrap_or(u32::MAX),
            Self::Count(count) => count.get(),
        };
        let wanted = wanted.min(cases).max(1);
        let note = (wanted > room && self != Self::Auto).then(|| {
            format!("there is room for {room} machines at once, not for {wanted}: hangproof doctor says which limit that is")
        });
        (wanted.min(room), note)
    }
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
    fn jobs_are_a_number_or_auto() {
        assert_eq!("auto".parse(), Ok(Jobs::Auto));
        assert_eq!("8".parse::<Jobs>().map(|jobs| jobs.to_string()).as_deref(), Ok("8"));
        assert!("0".parse::<Jobs>().is_err() && "-1".parse::<Jobs>().is_err());
    }
}
