//! Log lines on standard error, for people and for journald.
//!
//! Where standard error goes to the journal, each line starts with its priority (`<4>`, sd-daemon(3)). A line for which
//! there is no room is dropped rather than waited for: a log that is not read must not hold up probing.

use std::fmt;
use std::io::{self, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::fstat;
use rustix::stdio::stderr;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Sends log lines of this process to standard error; `verbose` adds every probe and message.
pub fn init(verbose: bool) {
    let level = if verbose { Level::DEBUG } else { Level::INFO };
    let format = Format { priorities: is_journal() };
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(level)
        .event_format(format)
        .with_writer(|| Impatient)
        .finish();
    // Fails only where a subscriber is set already: then it, not this, is what the caller wants.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// systemd.exec(5): `JOURNAL_STREAM` holds device and inode of the journal's stream; a redirected standard error has
/// others.
fn is_journal() -> bool {
    let Ok(stat) = fstat(stderr()) else { return false };
    std::env::var("JOURNAL_STREAM").is_ok_and(|stream| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// `<4>sd-watchdog: MESSAGE`. The name stays, since COMMAND's own lines come under the same identifier.
struct Format {
    priorities: bool,
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.priorities {
            write!(line, "<{}>", priority(*event.metadata().level()))?;
        }
        line.write_str("sd-watchdog: ")?;
        context.format_fields(line.by_ref(), event)?;
        writeln!(line)
    }
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

/// Standard error, as long as it takes what it is given at once.
struct Impatient;

impl Write for Impatient {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let stderr = stderr();
        let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
        let has_room = matches!(poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1..));
        if has_room { io::stderr().write(line) } else { Ok(line.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
