//! What a fault does in the machine and what undoes it, as commands: data, until somebody runs them.

use std::time::Duration;

use serde::Deserialize;

use crate::machine::{Machine, MachineError, Output};
use crate::model::clock::Usec;

/// How long a command may take that injects or heals.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tells when the rest began and ended, as `/proc/uptime` has it.
const CLOCK: &str = include_str!("clock.sh");

/// What injects a fault, and what heals it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Injects.
    pub deed: Step,
    /// Heals, whatever the deed has come to, and also where nothing is to be healed any more.
    pub undo: Option<Step>,
}

/// A command in the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `buggy_server`'s client, which answers with the moment of the injection.
    Client(Vec<String>),
    /// A script for a POSIX shell, with its arguments. It prints `/proc/uptime`'s first number as it was before the deed, and as it
    /// was after.
    Script {
        /// What people call it.
        name: &'static str,
        /// What the shell is told.
        text: String,
        /// `$1` and so on.
        arguments: Vec<String>,
    },
}

#[derive(Deserialize)]
struct Answer {
    injected_at_monotonic_usec: u64,
}

impl Step {
    /// A script that tells the time itself.
    pub fn script(name: &'static str, text: &str, arguments: impl IntoIterator<Item = String>) -> Self {
        Self::Script { name, text: text.into(), arguments: arguments.into_iter().collect() }
    }

    /// A script whose time is told for it: all of it, from its first command to its last.
    pub fn timed(name: &'static str, text: &str, arguments: impl IntoIterator<Item = String>) -> Self {
        Self::script(name, &format!("{CLOCK}{text}"), arguments)
    }

    fn argv(&self) -> Vec<&str> {
        match self {
            Self::Client(argv) => argv.iter().map(String::as_str).collect(),
            Self::Script { name, text, arguments } => {
                let shell = ["sh", "-c", text.as_str(), *name];
                shell.into_iter().chain(arguments.iter().map(String::as_str)).collect()
            }
        }
    }

    /// The same for people, who need not read the script.
    fn named(&self) -> Vec<&str> {
        match self {
            Self::Client(_) => self.argv(),
            Self::Script { name, arguments, .. } => {
                ["sh", *name].into_iter().chain(arguments.iter().map(String::as_str)).collect()
            }
        }
    }

    /// Runs it to its end.
    pub fn run(&self, machine: &dyn Machine) -> Result<Output, MachineError> {
        let output = machine.run(&self.argv(), PATIENCE).map_err(|error| match error {
            MachineError::Command { reason, .. } => refused(&self.named(), &reason),
            error => error,
        })?;
        output.successful(&self.named())
    }

    /// Runs it to its end, and tells between which moments it did what it does.
    pub fn run_timed(&self, machine: &dyn Machine) -> Result<(Usec, Usec), MachineError> {
        let begin = Usec::now();
        let said = self.run(machine)?.stdout;
        match self {
            Self::Client(_) => {
                let answer: Answer = serde_json::from_str(&said)
                    .map_err(|error| refused(&self.named(), &error.to_string()))?;
                let at = Usec(answer.injected_at_monotonic_usec);
                Ok((at, at))
            }
            Self::Script { .. } => Ok(narrowed((begin, Usec::now()), &said)),
        }
    }
}

/// The host knows that it happened within `window`; the uptimes just before and after it, read in the machine, may know
/// that better. Where `/proc/uptime` is of another clock (lxcfs shows a container's own), they say nothing.
fn narrowed((begin, end): (Usec, Usec), uptimes: &str) -> (Usec, Usec) {
    let mut read = uptimes.split_whitespace().map(Usec::of_uptime);
    let (Some(Some((before, _))), Some(Some((_, after)))) = (read.next(), read.next()) else {
        return (begin, end);
    };
    if before > after || before > end || after < begin {
        (begin, end)
    } else {
        (before.max(begin), after.min(end))
    }
}

/// A command that did not do what it was to do.
pub fn refused(argv: &[&str], reason: &str) -> MachineError {
    MachineError::Command { command: argv.join(" "), reason: reason.trim().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `/proc/uptime` shows, and some moment at which it does.
    fn uptime() -> (String, Usec) {
        let shown = std::fs::read_to_string("/proc/uptime").expect("readable");
        (shown.split(' ').next().expect("a number").into(), Usec::now())
    }

    #[test]
    fn an_injection_is_as_exact_as_the_better_of_two_clocks() {
        let ((uptime, now), ms) = (uptime(), Duration::from_millis);
        let uptimes = format!("{uptime} {uptime}");
        // The host has seen it within 200 ms: the machine knows better.
        let (at, until) = narrowed((now.before(ms(100)), now + ms(100)), &uptimes);
        assert!(at <= now && until >= at + ms(10) && until - at < ms(50), "{at:?}..{until:?}");
        // The host has seen it within a microsecond: nothing knows better.
        let window = (at + ms(5), at + ms(5) + Duration::from_micros(1));
        assert_eq!(narrowed(window, &uptimes), window);
        // The machine's clock is another one, or none.
        let window = (now.before(ms(100)), now + ms(100));
        for text in ["12.34 12.35", "", "1 soon"] {
            assert_eq!(narrowed(window, text), window, "{text:?}");
        }
    }

    #[test]
    fn people_are_shown_a_scripts_name_and_arguments_and_the_shell_gets_its_text() {
        let step = Step::script("signal.sh", "kill -s $1 $2", ["STOP".into(), "7".into()]);
        assert_eq!(step.argv(), ["sh", "-c", "kill -s $1 $2", "signal.sh", "STOP", "7"]);
        assert_eq!(step.named(), ["sh", "signal.sh", "STOP", "7"]);
    }
}
