//! `--tcp HOST:PORT` and `--unix PATH`: a connection and, with `--expect`, an answer.
//!
//! Without `--expect` this proves little: the kernel accepts connections for a process that is stuck, as long as there
//! is room in the socket's queue.

use super::deadline::Deadline;
use std::cell::RefCell;
use std::pin::pin;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub use self::escape::{EscapeError, unescape};
use super::broken::{broken, closed_early};
use super::connect::Endpoint;
use super::course::{Course, Stage};
use super::excerpt::excerpt;
use super::plain::Plain;
use crate::words::outcome::{Cause, Outcome, Reason};

mod escape;

/// How much is read in search of what is expected.
const LIMIT: usize = 64 * 1024;

/// Probes one [`Endpoint`].
#[derive(Debug)]
pub struct StreamProbe {
    endpoint: Endpoint,
    /// Nothing, if empty.
    send: Vec<u8>,
    expect: Option<Vec<u8>>,
}

impl StreamProbe {
    /// A probe that sends `send`, and is healthy as soon as `expect` is in what comes back.
    pub fn new(endpoint: Endpoint, send: Vec<u8>, expect: Option<Vec<u8>>) -> Self {
        Self { endpoint, send, expect }
    }

    /// Probes once, until `deadline` at most. Needs a Tokio runtime with I/O.
    pub async fn run(&self, deadline: &Deadline) -> Outcome {
        let (course, answer) = (Course::new(deadline.timeout()), RefCell::new(Vec::new()));
        let overdue = |waited| match (course.stage(), &self.expect) {
            (Stage::Read, Some(expect)) => {
                let text = format!("{} after {}", without(&answer.borrow(), expect), waited);
                Reason::new(Cause::Timeout, text)
            }
            _ => self.endpoint.overdue(&course, &waited),
        };
        self.endpoint.within(deadline, pin!(self.attempt(&course, &answer)), overdue).await
    }

    async fn attempt(&self, course: &Course, answer: &RefCell<Vec<u8>>) -> Result<(), Reason> {
        let mut stream = self.endpoint.connect(course).await?;
        course.reach(if self.send.is_empty() { Stage::Listen } else { Stage::Wait });
        stream.write_all(&self.send).await.map_err(|error| broken(&error, false))?;
        match &self.expect {
            Some(expect) => await_text(stream, course, expect, answer).await,
            None => Ok(()),
        }
    }
}

async fn await_text(
    mut stream: Plain,
    course: &Course,
    expect: &[u8],
    answer: &RefCell<Vec<u8>>,
) -> Result<(), Reason> {
    let mut part = Vec::with_capacity(2048);
    loop {
        part.clear();
        let read = stream.read_buf(&mut part).await;
        let mut answer = answer.borrow_mut();
        match read {
            Ok(0) if answer.is_empty() => return Err(closed_early(false)),
            Ok(0) => return Err(Reason::new(Cause::Body, without(&answer, expect))),
            Ok(_) => {}
            Err(error) => return Err(broken(&error, !answer.is_empty())),
        }
        course.reach(Stage::Read);
        if take_in(&mut answer, &part, expect) {
            return Ok(());
        }
        if answer.len() >= LIMIT {
            return Err(Reason::new(
                Cause::Body,
                format!("{} in the first 64 KiB", without(&answer, expect)),
            ));
        }
    }
}

/// Appends `part`. Is what is expected (which is not empty) there now? It may have begun in what was there already.
fn take_in(answer: &mut Vec<u8>, part: &[u8], expect: &[u8]) -> bool {
    let from = answer.len().saturating_sub(expect.len() - 1);
    answer.extend_from_slice(part);
    answer[from..].windows(expect.len()).any(|window| window == expect)
}

fn without(answer: &[u8], expect: &[u8]) -> String {
    format!("answered {}, without {}", excerpt(answer), excerpt(expect))
}

#[cfg(test)]
mod tests;
