//! `--exec 'CMD ARG...'`: healthy if the command exits with 0.
//!
//! No shell: the words are split as a shell would split them, quotes included, and nothing is expanded. See
//! [`command`] for what the command gets, and for how it ends at the deadline.

use super::deadline::Deadline;
use std::ffi::OsString;
use std::fmt::Display;
use std::rc::Rc;
use std::time::Instant;

use crate::service::children::Children;
use crate::service::command;
use crate::service::command::{CommandError, Finished};
use crate::service::end::End;
use crate::service::signals;
use crate::text;
use crate::words::command_line;
use crate::words::command_line::CommandLineError;
use crate::words::outcome::{Cause, Outcome, Reason};

/// More than a line for people has, and little enough for a STATUS.
const LONGEST_LINE: usize = 200;
/// Enough for [`LONGEST_LINE`] characters, after some blank lines.
const KEPT: usize = 4096;

/// Runs one command.
#[derive(Debug)]
pub struct ExecProbe {
    argv: Vec<OsString>,
    children: Rc<Children>,
}

impl ExecProbe {
    /// A probe by `command`, words as a shell splits them. Its processes are registered with `children`.
    pub fn new(command: &str, children: &Rc<Children>) -> Result<Self, CommandLineError> {
        let argv = command_line::words(command)?.into_iter().map(OsString::from).collect();
        Ok(Self { argv, children: Rc::clone(children) })
    }

    /// Probes once, until `deadline` at most. Needs a Tokio runtime with I/O.
    pub async fn run(&self, deadline: &Deadline) -> Outcome {
        let started = Instant::now();
        let next = |now| deadline.next(started, now);
        let result = command::run(&self.argv, &self.children, next, KEPT).await;
        outcome(&result, deadline.waited(started))
    }
}

fn outcome(result: &Result<Finished, CommandError>, waited: impl Display) -> Outcome {
    let (cause, how, output) = match result {
        Ok(Finished { end: End::Exited(0), timed_out: false, .. }) => return Outcome::Healthy,
        Ok(Finished { timed_out: true, output, .. }) => {
            (Cause::Timeout, format!("still running after {waited}, killed"), output)
        }
        Ok(Finished { end: End::Exited(code), output, .. }) => {
            (Cause::Exec, format!("exit code {code}"), output)
        }
        Ok(Finished { end: End::Killed { signal }, output, .. }) => {
            (Cause::Exec, format!("killed by {}", signals::name(*signal)), output)
        }
        Err(error) => return Outcome::Unhealthy(Reason::new(Cause::System, error.to_string())),
    };
    let line = first_line(output);
    Outcome::Unhealthy(Reason::new(cause, if line.is_empty() { how } else { format!("{how}: {line}") }))
}

/// The first line that is not blank.
fn first_line(output: &[u8]) -> String {
    let mut lines = output.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    text::shortened(String::from_utf8_lossy(line).trim(), LONGEST_LINE)
}

#[cfg(test)]
mod tests;
