//! A machine's journal, as `journalctl` streams it.

use std::io::{BufReader, Read};
use std::time::Duration;

use crate::machine::{Machine, MachineError};
use crate::model::entry::Entry;
use crate::model::lines;

/// How many of a service's own lines are asked for.
const LAST_LINES: &str = "--lines=10";

/// The command that follows what systemd and `sd-watchdog` say of `unit`, from the first entry on. What the service itself says may be
/// more than anybody can read: journald looks it up by its fields, and passes it over.
///
/// journald tells its followers of new entries up to [`LATE`]: unless somebody [nudges](nudge) them, a trial takes that much longer.
/// Its times, which are the kernel's or journald's own stamps, are none the worse.
///
/// Where the unit has a journal of its own (`LogNamespace=`), what is in that is told with it, in the order of time.
pub fn follow(unit: &str, namespace: Option<&str>) -> Vec<String> {
    let fields = [
        "_PID=1".to_owned(),
        format!("UNIT={unit}"),
        "+".to_owned(),
        "_COMM=sd-watchdog".to_owned(),
        "+".to_owned(),
        format!("MESSAGE_ID={SPAWN_FAILED}"),
        format!("UNIT={unit}"),
        "+".to_owned(),
        format!("SYSLOG_IDENTIFIER={MARK}"),
    ];
    command(namespace, &["--follow", "--lines=all"], fields)
}

/// Why a program could not be executed: said by the process that was to be it, which is gone before journald has found out of which
/// unit it was (`SD_MESSAGE_SPAWN_FAILED`, systemd, src/systemd/sd-messages.h).
const SPAWN_FAILED: &str = "641257651c1b4ec9a8624d7a40a9e1e7";

/// Whether a line that systemd knows to be the service's is among what is [followed](follow).
pub fn is_followed(entry: &Entry, unit: &str) -> bool {
    entry.has("_COMM", "sd-watchdog") || (entry.has("MESSAGE_ID", SPAWN_FAILED) && entry.has("UNIT", unit))
}

/// Under what name a mark is written.
const MARK: &str = "hangproof-mark";

/// The commands that have journald take in all that waits for it, and write a mark behind that.
pub fn mark(text: &str, namespace: Option<&str>) -> Vec<Vec<String>> {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let mut commands = vec![words(&["journalctl", "--sync"])];
    commands.extend(namespace.map(|name| words(&["journalctl", "--sync", &format!("--namespace={name}")])));
    commands.push(words(&["systemd-cat", "--identifier", MARK, "echo", text]));
    commands
}

/// The mark, if this entry is one. A service can write that too, but not guess which is waited for.
pub fn marked(entry: &Entry) -> Option<String> {
    entry.has("SYSLOG_IDENTIFIER", MARK).then(|| entry.text("MESSAGE"))?
}

/// How late journald tells its followers (`POST_CHANGE_TIMER_INTERVAL_USEC`, systemd, src/libsystemd/sd-journal/journal-file.c).
pub const LATE: Duration = Duration::from_millis(250);

/// Has whoever follows the journal of a machine look at it now: they watch its directory, and look after any change there, that of a
/// file's times too (systemd, src/libsystemd/sd-journal/sd-journal.c: `add_directory` watches `IN_ATTRIB`).
pub fn nudge(machine: &dyn Machine) -> Result<(), MachineError> {
    let script = "touch -c /run/log/journal/*/*.journal /var/log/journal/*/*.journal 2>/dev/null || :";
    machine.run(&["sh", "-c", script], Duration::from_secs(10)).map(drop)
}

/// The command that prints the last lines of the service itself.
pub fn last_lines(unit: &str, namespace: Option<&str>) -> Vec<String> {
    command(namespace, &[LAST_LINES], [format!("_SYSTEMD_UNIT={unit}")])
}

/// The command that prints what systemd did not understand of `unit` (`SD_MESSAGE_INVALID_CONFIGURATION`, systemd,
/// src/systemd/sd-messages.h).
pub fn misunderstood(unit: &str) -> Vec<String> {
    command(None, &[], [format!("UNIT={unit}"), "MESSAGE_ID=c772d24e9a884cbeb9ea12625c306c01".to_owned()])
}

/// The command that prints that systemd skipped `unit` since a command of its own (`ExecCondition=`) would have it
/// (`SD_MESSAGE_UNIT_SKIPPED`).
pub fn skipped(unit: &str) -> Vec<String> {
    command(None, &[], [format!("UNIT={unit}"), "MESSAGE_ID=0e4284a0caca4bfc81c0bb6786972673".to_owned()])
}

fn command(
    namespace: Option<&str>,
    options: &[&str],
    fields: impl IntoIterator<Item = String>,
) -> Vec<String> {
    let fixed = ["journalctl", "--all", "--output=json", "--quiet"];
    // "+": the machine's own as well, where PID 1 speaks.
    let namespace = namespace.map(|name| format!("--namespace=+{name}"));
    let words = fixed.iter().chain(options).map(|&word| word.to_owned());
    words.chain(namespace).chain(fields).collect()
}

/// Reads entries to the end of the stream and hands each over, until `hand_over` wants no more.
///
/// # Errors
/// An unreadable stream, or a line that is no entry; the line is part of the message.
pub fn read(stream: impl Read, mut hand_over: impl FnMut(Entry) -> bool) -> Result<(), String> {
    let (mut stream, mut bytes) = (BufReader::new(stream), Vec::new());
    while lines::next(&mut stream, &mut bytes)
        .map_err(|error| format!("the journal cannot be read: {error}"))?
    {
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end();
        if line.trim().is_empty() {
            continue;
        }
        let entry = Entry::parse(line).map_err(|error| format!("not a journal entry: {error}: {line}"))?;
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
