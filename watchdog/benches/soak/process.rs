//! A running `sd-watchdog` with its COMMAND.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use rustix::fs::OFlags;
use rustix::process::Pid;

use super::cast::Part;
use super::role;
use crate::common::program;

/// A real-time signal that COMMAND does not mind: SIGRTMIN + 5.
pub const HARMLESS_SIGNAL: i32 = 39;

/// A running `sd-watchdog`.
pub struct Process {
    /// Of `sd-watchdog`.
    pub pid: Pid,
    orders: ChildStdin,
    words: ChildStdout,
    half_a_line: String,
}

/// `sd-watchdog` in front of `part`, in these control groups, with its figures at `metrics`.
pub fn command(part: &Part, metrics: &Path, groups: &[PathBuf]) -> io::Result<Command> {
    let mut words: Vec<OsString> = vec![program().into()];
    words.extend(part.options.iter().map(OsString::from));
    words.extend(["--metrics-file".into(), metrics.into()]);
    words.extend(["--".into(), "env".into(), format!("--ignore-signal={HARMLESS_SIGNAL}").into()]);
    words.extend(role::arguments("serve")?);
    words.extend(part.service.iter().map(OsString::from));
    role::enter_then(groups, &words)
}

impl Process {
    /// Starts it, with its log at the end of the file `log`.
    pub fn spawn(command: &mut Command, log: &Path) -> io::Result<Self> {
        let log = File::options().append(true).open(log)?;
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::from(log));
        let mut child = command.spawn()?;
        let (Some(orders), Some(words)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipes"));
        };
        rustix::fs::fcntl_setfl(&words, OFlags::NONBLOCK)?;
        // It is reaped by the loop, with all that becomes ours.
        Ok(Self { pid: Pid::from_child(&child), orders, words, half_a_line: String::new() })
    }

    /// What it says can be waited for here.
    pub fn words(&self) -> BorrowedFd<'_> {
        self.words.as_fd()
    }

    /// Gives COMMAND an order.
    pub fn order(&mut self, order: &str) {
        // One that has just ended takes none.
        let _ = writeln!(self.orders, "{order}");
    }

    /// The lines that COMMAND has said since.
    pub fn read(&mut self) -> io::Result<Vec<String>> {
        let mut bytes = [0; 4096];
        loop {
            match self.words.read(&mut bytes) {
                Ok(0) => break,
                Ok(length) => self.half_a_line.push_str(&String::from_utf8_lossy(&bytes[..length])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut lines: Vec<String> = self.half_a_line.split('\n').map(str::to_owned).collect();
        self.half_a_line = lines.pop().unwrap_or_default();
        Ok(lines)
    }
}
