//! Runs a helper command (`--exec`, `--on-hang-exec`) within a deadline, and leaves nothing of it behind.
//!
//! - It leads a process group of its own. The group is killed as a whole at the deadline, when the command has ended
//!   (stragglers), and when the future is dropped. So is a process that left the group, where we are a subreaper: see
//!   `children/strays.rs`, also for what is not found.
//! - Its output, standard output and standard error together, is read as it comes, and thrown away beyond a limit: it
//!   never waits for us.
//! - It gets no shell, no input, no descriptor and nothing that was said to a service, and all signals as a program
//!   finds them normally.
//! - execve(2) may wait for a slow file system; only the new process does that waiting.

use crate::kernel::alarm::{self, Elapsed};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::time::Instant;

use nix::sys::signal::SigSet;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;
use tokio::net::unix::pipe::Receiver;

use crate::kernel::raw::Grouping;
use crate::kernel::raw::{Dispositions, Streams};
use crate::kernel::variable::Value;
use crate::service::children::Children;
use crate::service::children::strays;
use crate::service::children::strays::Mark;
use crate::service::end::End;
use crate::service::environment;
use crate::service::launch::{Launch, Refusal, SpawnError};

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How it ended; by SIGKILL if the deadline came.
    pub end: End,
    /// What it said, up to the limit.
    pub output: Vec<u8>,
    /// The deadline came, and it was killed.
    pub timed_out: bool,
}

/// A command could not be run.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum CommandError {
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error("cannot {what}: {source}; look at LimitNOFILE=")]
    System { what: &'static str, source: io::Error },
}

/// Runs `argv`, a program (looked up in `PATH`) and its arguments, until `next` says that its time is up (see
/// [`alarm::until`]); keeps `limit` bytes of output.
///
/// Needs a Tokio runtime with I/O, on the main thread.
pub async fn run(
    argv: &[OsString],
    children: &Rc<Children>,
    next: impl FnMut(Instant) -> Option<Instant>,
    limit: usize,
) -> Result<Finished, CommandError> {
    let (running, pipes) = Running::start(argv, children)?;
    let mut output = Output { kept: Vec::new(), limit };
    // Looks at the command before the clock: what has ended has ended, however late we come to look.
    let ended = alarm::until(next, pin!(running.to_its_end(pipes, &mut output))).await;
    match ended {
        Ok(end) => Ok(Finished { end: end?, output: output.kept, timed_out: false }),
        // Dropping `running` kills it.
        Err(Elapsed) => Ok(Finished {
            end: End::Killed { signal: Signal::KILL.as_raw() },
            output: output.kept,
            timed_out: true,
        }),
    }
}

/// A process of ours that is killed, with its group, when this is dropped.
struct Running<'a> {
    pid: i32,
    children: &'a Children,
    mark: Option<Mark>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.children.abandon(self.pid);
        if let Some(mark) = self.mark.take() {
            self.children.end_strays(mark);
        }
    }
}

struct Pipes {
    output: Receiver,
    report: Receiver,
    refusal: Refusal,
}

impl<'a> Running<'a> {
    fn start(argv: &[OsString], children: &'a Children) -> Result<(Self, Pipes), CommandError> {
        let system = |what| move |source: io::Error| CommandError::System { what, source };
        let errno = |error: Errno| io::Error::from(error);
        let null = open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| system("open /dev/null")(errno(error)))?;
        let (output, its_output) =
            pipe_with(PipeFlags::CLOEXEC).map_err(|error| system("open a pipe")(errno(error)))?;
        let mut mark = Mark::new();
        let started = Launch {
            command: argv,
            environment: environment::of_helper(
                std::env::vars_os(),
                &[(strays::NAME, Value::Text(mark.value()))],
            ),
            mask: &SigSet::empty(),
            dispositions: Dispositions::Standard,
            place: Grouping::Group,
            death_signal: Signal::KILL,
            streams: Some(Streams { input: null.as_fd(), output: its_output.as_fd() }),
        }
        .start()?;
        let pid = started.pid.as_raw_nonzero().get();
        children.expect_group(pid);
        mark.started(pid);
        let running = Self { pid, children, mark: Some(mark) };
        let receiver = |pipe: OwnedFd| Receiver::from_owned_fd(pipe).map_err(system("read a pipe"));
        let report = receiver(started.report)?;
        Ok((running, Pipes { output: receiver(output)?, report, refusal: started.refusal }))
    }

    async fn to_its_end(&self, pipes: Pipes, output: &mut Output) -> Result<End, CommandError> {
        let mut report = Output { kept: Vec::new(), limit: size_of::<i32>() };
        report.read_on(&pipes.report).await;
        if let Err(error) = pipes.refusal.in_report(&report.kept) {
            self.children.end_of(self.pid).await;
            return Err(error.into());
        }
        let end = self.children.end_of(self.pid);
        tokio::pin!(end);
        let end = tokio::select! {
            end = &mut end => end,
            // It closed its output, and may run on.
            () = output.read_on(&pipes.output) => end.await,
        };
        // What it said last. A process that left the group may hold the pipe open still: there is no end to wait for.
        output.read_what_is_there(&pipes.output);
        Ok(end)
    }
}

/// The first bytes of a stream.
struct Output {
    kept: Vec<u8>,
    limit: usize,
}

impl Output {
    /// To the end of the stream.
    async fn read_on(&mut self, pipe: &Receiver) {
        let mut buffer = [0; 4096];
        while pipe.readable().await.is_ok() {
            match pipe.try_read(&mut buffer) {
                Ok(length @ 1..) => self.keep(&buffer[..length]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// What can be read at once, whether the runtime has heard of it or not.
    fn read_what_is_there(&mut self, pipe: &Receiver) {
        let mut buffer = [0; 4096];
        while self.kept.len() < self.limit {
            match rustix::io::read(pipe, &mut buffer) {
                Ok(length @ 1..) => self.keep(&buffer[..length]),
                Err(Errno::INTR) => {}
                Ok(0) | Err(_) => return,
            }
        }
    }

    fn keep(&mut self, read: &[u8]) {
        let wanted = read.len().min(self.limit - self.kept.len());
        self.kept.extend_from_slice(&read[..wanted]);
    }
}

#[cfg(test)]
mod tests;
