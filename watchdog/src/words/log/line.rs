//! Lines on standard error.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::fstat;
use tracing::Level;

use super::event::LogRecord;
use crate::text;

/// pipe(7): a pipe that has room has room for this much, and one write of it is not torn apart. More could block.
const PIPE_BUF: usize = 4096;

/// Where lines go, as long as it takes at once what it is given.
#[derive(Debug)]
pub struct Lines {
    /// [`None`]: standard error.
    file: Option<OwnedFd>,
    for_journal: bool,
}

impl Lines {
    /// To standard error.
    pub fn to_stderr() -> Self {
        let stream = std::env::var("JOURNAL_STREAM").ok();
        Self { file: None, for_journal: is_journal(rustix::stdio::stderr(), stream.as_deref()) }
    }

    /// To another file.
    #[cfg(test)]
    pub fn to(file: OwnedFd, for_journal: bool) -> Self {
        Self { file: Some(file), for_journal }
    }

    /// Whether it is journald that reads them.
    pub fn for_journal(&self) -> bool {
        self.for_journal
    }

    /// Writes a line, if there is room for it.
    pub fn write(&self, said: &LogRecord) -> bool {
        let stderr = io::stderr();
        let file = self.file.as_ref().map_or_else(|| stderr.as_fd(), AsFd::as_fd);
        let line = line(said, self.for_journal);
        has_room(file)
            && matches!(rustix::io::write(file, line.as_bytes()), Ok(length) if length == line.len())
    }
}

/// systemd.exec(5): `JOURNAL_STREAM` holds device and inode of the journal's stream; a redirected standard error has
/// others.
fn is_journal(stderr: BorrowedFd<'_>, stream: Option<&str>) -> bool {
    let Ok(stat) = fstat(stderr) else { return false };
    stream.is_some_and(|stream| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// `<4>sd-watchdog: MESSAGE`. The name is there since COMMAND's own lines come under the same identifier. One line
/// without control characters: no part of a message can pass for somebody else's, or play with a terminal.
fn line(said: &LogRecord, for_journal: bool) -> String {
    let mut line = if for_journal { format!("<{}>", priority(said.level)) } else { String::new() };
    line.push_str("sd-watchdog: ");
    line.extend(said.message.chars().map(text::printable));
    if line.len() >= PIPE_BUF {
        while line.len() > PIPE_BUF - "…\n".len() {
            line.pop();
        }
        line.push('…');
    }
    line.push('\n');
    line
}

/// syslog(3)'s number.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

fn has_room(file: BorrowedFd<'_>) -> bool {
    let mut ready = [PollFd::new(&file, PollFlags::OUT)];
    matches!(poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(level: Level, message: &str) -> LogRecord {
        let mut said = LogRecord::lost(1);
        (said.level, said.message) = (level, message.to_owned());
        said
    }

    #[test]
    fn a_line_has_its_priority_only_for_the_journal_and_is_one_line() {
        for (level, message, for_journal, expected) in [
            (Level::ERROR, "x", true, "<3>sd-watchdog: x\n"),
            (Level::WARN, "x", true, "<4>sd-watchdog: x\n"),
            (Level::INFO, "x", true, "<6>sd-watchdog: x\n"),
            (Level::DEBUG, "x", true, "<7>sd-watchdog: x\n"),
            (Level::ERROR, "x", false, "sd-watchdog: x\n"),
            (Level::INFO, "a\n<0>b\x1b[1m\0", false, "sd-watchdog: a <0>b\u{fffd}[1m\u{fffd}\n"),
        ] {
            assert_eq!(line(&said(level, message), for_journal), expected);
        }
    }

    #[test]
    fn a_line_longer_than_a_pipe_takes_at_once_is_cut_between_characters() {
        for message in ["x".repeat(5000), "ä".repeat(5000), format!("x{}", "🦀".repeat(2000))] {
            let line = line(&said(Level::INFO, &message), true);
            assert!(line.len() <= PIPE_BUF && line.len() > PIPE_BUF - 4, "{}", line.len());
            assert!(line.ends_with("…\n"));
        }
    }

    #[test]
    fn standard_error_is_the_journal_if_it_is_the_file_that_journal_stream_names() {
        let file = tempfile::tempfile().expect("a file");
        let stat = fstat(&file).expect("its inode");
        for (stream, expected) in [
            (Some(format!("{}:{}", stat.st_dev, stat.st_ino)), true),
            (Some(format!("{}:{}", stat.st_dev, stat.st_ino + 1)), false),
            (Some("nonsense".to_owned()), false),
            (None, false),
        ] {
            assert_eq!(is_journal(file.as_fd(), stream.as_deref()), expected, "{stream:?}");
        }
    }
}
