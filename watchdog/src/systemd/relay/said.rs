//! What a datagram from COMMAND says. Pure.
//!
//! The words are taken apart as systemd does it (`manager_dispatch_notify_fd`, later `notify_recv_with_fds`, and
//! `service_notify_message`), so that a service that works without us works with us, and one that gets a word wrong is not
//! made to work by us, to fail elsewhere:
//!
//! - a datagram of more than 4096 bytes, or with a NUL byte anywhere but at its end, is ignored as a whole;
//! - lines end with `\n` or `\r`; empty ones do not count;
//! - a backslash takes the meaning from what follows it, even from the end of a line, and is not part of the text; one at
//!   the end of the datagram spoils it as a whole;
//! - `BARRIER=1` is alone in its datagram and has one descriptor with it, or everything in it is ignored;
//! - of several lines with the same name the first counts.

use std::borrow::Cow;
use std::time::Duration;

use crate::systemd::message::WatchdogWord;

/// `NOTIFY_BUFFER_MAX` in systemd.
pub const MOST_BYTES: usize = 4096;

/// The words for us, and those that are passed on as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notification {
    /// `READY=1`. Together with `reloading`: a reload that began and is over.
    pub ready: bool,
    /// `STOPPING=1`. Together with one of the others it alone counts.
    pub stopping: bool,
    /// `RELOADING=1`
    pub reloading: Option<Reloading>,
    /// `STATUS=…`; empty to take it back.
    pub status: Option<String>,
    /// `MAINPID=…`: COMMAND goes on as this process. Followed by us, not passed on: systemd would take that process for
    /// the main one, and our pings for those of a stranger (`NotifyAccess=main`).
    pub mainpid: Option<u32>,
    /// `WATCHDOG=…`: COMMAND's own word, not passed on. Only a probe vouches for COMMAND.
    pub watchdog: Option<WatchdogWord>,
    /// `EXTEND_TIMEOUT_USEC=…`. Between READY and STOPPING it would make the watchdog wait as well: see
    /// [`Message::extend`](crate::systemd::message::Message::extend).
    pub extend: Option<Duration>,
    /// `BARRIER=1`: tell COMMAND, by closing the descriptor, when systemd has read all that it has said before.
    pub barrier: bool,
    /// Lines for systemd alone: `FDSTORE=`, `ERRNO=`, `RESTART_RESET=`, `X_…`, and what we do not know.
    pub verbatim: Vec<u8>,
    /// `FDSTORE=1` is among them: they need the descriptors.
    pub stores: bool,
    /// `MAINPIDFD=1`: the first descriptor is not one to store.
    pub first_is_pidfd: bool,
    /// Lines that went no further: their name is in [`KEPT_BACK`], or they have none.
    pub kept_back: Vec<String>,
}

/// `RELOADING=1`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reloading {
    /// `MONOTONIC_USEC=…`: when it began, in µs of `CLOCK_MONOTONIC`. Required with `Type=notify-reload`.
    pub monotonic_usec: Option<u64>,
}

/// What would come between systemd and us: another watchdog limit than our timing follows from, another main process, or
/// nobody's words heard any more (`NOTIFYACCESS=none`).
pub const KEPT_BACK: [&[u8]; 4] = [b"WATCHDOG_USEC", b"NOTIFYACCESS", b"MAINPIDFD", b"MAINPIDFDID"];

/// Why a datagram is ignored as a whole, as systemd would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("more than {MOST_BYTES} bytes")]
    TooLong,
    #[error("a NUL byte in it")]
    Nul,
    #[error("a backslash at its end")]
    Backslash,
    #[error("BARRIER=1 is not alone in it")]
    BarrierInCompany,
    #[error("BARRIER=1 comes with {descriptors} descriptors, not with one")]
    BarrierDescriptors { descriptors: usize },
}

impl Notification {
    /// Takes a datagram that came with that many descriptors apart.
    pub fn parse(datagram: &[u8], descriptors: usize) -> Result<Self, Malformed> {
        let lines = lines(datagram)?;
        let says = |line: &[u8]| lines.iter().any(|said| **said == *line);
        let first = |name: &[u8]| lines.iter().find_map(|line| line.strip_prefix(name));
        if says(b"BARRIER=1") {
            return match (lines.len(), descriptors) {
                (1, 1) => Ok(Self { barrier: true, ..Self::default() }),
                (1, _) => Err(Malformed::BarrierDescriptors { descriptors }),
                (_, _) => Err(Malformed::BarrierInCompany),
            };
        }
        let mut said = Self {
            ready: says(b"READY=1"),
            stopping: says(b"STOPPING=1"),
            reloading: says(b"RELOADING=1")
                .then(|| Reloading { monotonic_usec: first(b"MONOTONIC_USEC=").and_then(number) }),
            status: first(b"STATUS=").and_then(text).map(ToOwned::to_owned),
            mainpid: first(b"MAINPID=").and_then(number).filter(|pid| (1..=MOST_PID).contains(pid)),
            watchdog: match first(b"WATCHDOG=") {
                Some(b"1") => Some(WatchdogWord::Ping),
                Some(b"trigger") => Some(WatchdogWord::Trigger),
                _ => None,
            },
            extend: first(b"EXTEND_TIMEOUT_USEC=")
                .and_then(number)
                .filter(|usec| ![0, u64::MAX].contains(usec))
                .map(Duration::from_micros),
            stores: says(b"FDSTORE=1"),
            first_is_pidfd: says(b"MAINPIDFD=1"),
            ..Self::default()
        };
        for line in &lines {
            match name(line) {
                Some(name) if OURS.contains(&name) => {}
                Some(name) if !KEPT_BACK.contains(&name) => push_line(&mut said.verbatim, line),
                _ => said.kept_back.push(String::from_utf8_lossy(line).into_owned()),
            }
        }
        Ok(said)
    }
}

/// Names of lines that end here: what they say is in [`Notification`].
const OURS: [&[u8]; 9] = [
    b"READY",
    b"STOPPING",
    b"RELOADING",
    b"MONOTONIC_USEC",
    b"STATUS",
    b"MAINPID",
    b"WATCHDOG",
    b"EXTEND_TIMEOUT_USEC",
    b"BARRIER",
];

/// As `pid_t` has it.
const MOST_PID: u32 = i32::MAX.unsigned_abs();

/// The lines that are not empty, without their backslashes.
fn lines(datagram: &[u8]) -> Result<Vec<Cow<'_, [u8]>>, Malformed> {
    if datagram.len() > MOST_BYTES {
        return Err(Malformed::TooLong);
    }
    let datagram = datagram.strip_suffix(b"\0").unwrap_or(datagram);
    if datagram.contains(&0) {
        return Err(Malformed::Nul);
    }
    if !datagram.contains(&b'\\') {
        let lines = datagram.split(|byte| is_end_of_line(*byte));
        return Ok(lines.filter(|line| !line.is_empty()).map(Cow::Borrowed).collect());
    }
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    let mut bytes = datagram.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => line.push(bytes.next().ok_or(Malformed::Backslash)?),
            byte if !is_end_of_line(byte) => line.push(byte),
            _ if line.is_empty() => {}
            _ => lines.push(Cow::Owned(std::mem::take(&mut line))),
        }
    }
    if !line.is_empty() {
        lines.push(Cow::Owned(line));
    }
    Ok(lines)
}

fn is_end_of_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Writes a line so that systemd takes it apart as [`lines`] did.
fn push_line(datagram: &mut Vec<u8>, line: &[u8]) {
    if !datagram.is_empty() {
        datagram.push(b'\n');
    }
    for byte in line {
        if *byte == b'\\' || is_end_of_line(*byte) {
            datagram.push(b'\\');
        }
        datagram.push(*byte);
    }
}

fn name(line: &[u8]) -> Option<&[u8]> {
    line.iter().position(|byte| *byte == b'=').map(|end| &line[..end])
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

fn number<T: std::str::FromStr>(value: &[u8]) -> Option<T> {
    text(value)?.parse().ok()
}

#[cfg(test)]
mod tests;
