use std::io::{Read, Write, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::*;

fn log(level: LevelFilter, lines: Lines) -> &'static Log {
    Box::leak(Box::new(Log::new(level, lines)))
}

/// What this thread says from now on goes into a file, as to a standard error that is not the journal.
pub(crate) fn into(file: std::fs::File) -> tracing::subscriber::DefaultGuard {
    tracing::subscriber::set_default(log(LevelFilter::INFO, Lines::to(file.into(), false)))
}

/// A log for the journal: lines into the file, entries to the socket, once the log is told of it.
fn for_journal(directory: &Path) -> (&'static Log, std::fs::File, UnixDatagram) {
    let path = directory.join("socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let file = tempfile::NamedTempFile::new_in(directory).unwrap();
    let lines = Lines::to(OwnedFd::from(file.reopen().unwrap()), true);
    let log = log(LevelFilter::INFO, lines);
    log.with(|sinks| sinks.journal = Some(Journal::connect_to(&path).unwrap()));
    (log, file.into_file(), socket)
}

fn receive(socket: &UnixDatagram) -> Option<String> {
    let mut buffer = vec![0; 65536];
    let length = socket.recv(&mut buffer).ok()?;
    Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
}

fn read(mut file: std::fs::File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn an_entry_has_the_message_its_priority_its_place_and_the_fields() {
    let directory = tempfile::tempdir().unwrap();
    let (log, file, socket) = for_journal(directory.path());
    tracing::subscriber::with_default(log, || {
        let reason = "status 503";
        tracing::warn!(reason = %reason, failures = 2, healthy = false, probe.name = "http", "unhealthy: {reason}");
        tracing::info!(message_id = "c0ffee", object_unit = "x.service", "two\nlines");
    });
    let entry = receive(&socket).unwrap();
    let lines: Vec<&str> = entry.lines().filter(|line| !line.starts_with("CODE_LINE=")).collect();
    let expected = [
        "MESSAGE=unhealthy: status 503",
        "PRIORITY=4",
        "SYSLOG_IDENTIFIER=sd-watchdog",
        "CODE_FILE=watchdog/src/words/log/tests.rs",
        "CODE_FUNC=watchdog::words::log::tests",
        "HANGPROOF_REASON=status 503",
        "HANGPROOF_FAILURES=2",
        "HANGPROOF_HEALTHY=false",
        "HANGPROOF_PROBE_NAME=http",
    ];
    assert_eq!(lines, expected);
    assert!(entry.contains("\nCODE_LINE="), "{entry}");
    let entry = receive(&socket).unwrap();
    assert!(entry.starts_with("MESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\nPRIORITY=6\n"), "{entry:?}");
    assert!(entry.ends_with("\nMESSAGE_ID=c0ffee\nOBJECT_SYSTEMD_UNIT=x.service\n"), "{entry:?}");
    assert_eq!(read(file), "");
}

#[test]
fn an_entry_that_journald_does_not_take_is_a_line() {
    let directory = tempfile::tempdir().unwrap();
    let (log, file, socket) = for_journal(directory.path());
    drop(socket);
    tracing::subscriber::with_default(log, || tracing::error!(reason = "r", "it hangs"));
    assert_eq!(read(file), "<3>sd-watchdog: it hangs\n");
}

#[test]
fn what_finds_no_room_is_counted_and_said_once_when_there_is_room_again() {
    let (mut reader, mut writer) = pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    let mut stuffing = 0;
    while let Ok(length) = writer.write(&[b'x'; 4096]) {
        stuffing += length;
    }
    fcntl_setfl(&writer, flags).unwrap();
    let log = log(LevelFilter::INFO, Lines::to(writer.into(), false));
    tracing::subscriber::with_default(log, || {
        tracing::info!("lost");
        tracing::info!("lost too");
        reader.read_exact(&mut vec![0; stuffing]).unwrap();
        tracing::info!("there");
        tracing::info!("and on");
    });
    let mut text = [0; 4096];
    let length = reader.read(&mut text).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&text[..length]),
        "sd-watchdog: 2 lines of this log were lost: there was no room for them\nsd-watchdog: there\n\
         sd-watchdog: and on\n"
    );
}

#[test]
fn only_our_own_events_of_the_level_asked_for_are_said() {
    for (level, expected) in
        [(LevelFilter::INFO, "sd-watchdog: i\n"), (LevelFilter::DEBUG, "sd-watchdog: i\nsd-watchdog: d\n")]
    {
        let file = tempfile::NamedTempFile::new().unwrap();
        let log = log(level, Lines::to(file.reopen().unwrap().into(), false));
        tracing::subscriber::with_default(log, || {
            tracing::info!("i");
            tracing::debug!(field = 1, "d");
            tracing::trace!("t");
            tracing::error!(target: "zbus::connection", "a library's");
            tracing::error!(target: "watchdogs", "not ours either");
            let _span = tracing::error_span!("a library's span").entered();
        });
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), expected);
    }
}
