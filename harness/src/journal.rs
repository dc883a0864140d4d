//! A machine's journal, as `journalctl` streams it.

use std::io::{BufRead, BufReader, Read};

use crate::model::entry::Entry;

/// How many of a service's own lines are asked for.
const LAST_LINES: &str = "--lines=10";

/// The command that follows what systemd and `sd-watchdog` say of `unit`, from the first entry on. What the service itself says may be
/// more than anybody can read: journald looks it up by its fields, and passes it over.
///
/// journald tells its followers of new entries up to 250 ms late (`POST_CHANGE_TIMER_INTERVAL_USEC`, systemd,
/// src/libsystemd/sd-journal/journal-file.c): a trial takes that much longer, and its times, which are journald's own
/// stamps, are none the worse.
pub fn follow(unit: &str) -> Vec<String> {
    let fields =
        ["_PID=1".to_owned(), format!("UNIT={unit}"), "+".to_owned(), "_COMM=sd-watchdog".to_owned()];
    command(&["--follow", "--lines=all"], fields)
}

/// The command that prints the last lines of the service itself.
pub fn last_lines(unit: &str) -> Vec<String> {
    command(&[LAST_LINES], [format!("_SYSTEMD_UNIT={unit}")])
}

/// The command that prints what systemd did not understand of `unit` (`SD_MESSAGE_INVALID_CONFIGURATION`, systemd,
/// src/systemd/sd-messages.h).
pub fn misunderstood(unit: &str) -> Vec<String> {
    command(&[], [format!("UNIT={unit}"), "MESSAGE_ID=c772d24e9a884cbeb9ea12625c306c01".to_owned()])
}

fn command(options: &[&str], fields: impl IntoIterator<Item = String>) -> Vec<String> {
    let fixed = ["journalctl", "--all", "--output=json", "--quiet"];
    fixed.iter().chain(options).map(|&word| word.to_owned()).chain(fields).collect()
}

/// Reads entries to the end of the stream and hands each over, until `hand_over` wants no more.
///
/// # Errors
/// An unreadable stream, or a line that is no entry; the line is part of the message.
pub fn read(stream: impl Read, mut hand_over: impl FnMut(Entry) -> bool) -> Result<(), String> {
    for line in BufReader::new(stream).split(b'\n') {
        let line = line.map_err(|error| format!("the journal cannot be read: {error}"))?;
        let line = String::from_utf8_lossy(&line);
        if line.trim().is_empty() {
            continue;
        }
        let entry = Entry::parse(&line).map_err(|error| format!("not a journal entry: {error}: {line}"))?;
        if !hand_over(entry) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_entry_is_shown() {
        let result = read(&b"{\"MESSAGE\":\"ok\"}\n\nHint: something\n"[..], |_| true);
        assert!(result.is_err_and(|error| error.contains("Hint: something")));
    }
}
