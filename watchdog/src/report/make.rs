//! From an order to the entries in the journal, while the loop goes on.

use crate::kernel::alarm;
use std::ffi::OsString;
use std::rc::Rc;
use std::time::Instant;

use super::outlet::Outlet;
use super::{COMMAND_MESSAGE_ID, Collector, Context, ProbeRecord, Report, Scope, command_entry};
use crate::service::children::Children;
use crate::service::command;
use crate::service::command::Finished;
use crate::systemd::scope::Scope as Manager;
use crate::words::journal::Entry;

/// The most of `--on-hang-exec`'s output that goes to the journal, in bytes.
const MOST_OUTPUT: usize = 256 * 1024;

/// A report to be made.
#[derive(Debug)]
pub struct Order {
    /// The unit, and whose it is, where it is not the one that we run in.
    pub unit: Option<(Manager, String)>,
    /// Whose processes.
    pub scope: Scope,
    /// The main process, for `%p`.
    pub main: Option<i32>,
    /// What is thought to be a hang.
    pub reason: String,
    /// That it hangs is known. Else it could not be probed, and systemd's own timer is about to act.
    pub is_certain: bool,
    /// The last probes, the oldest first.
    pub probes: Vec<ProbeRecord>,
    /// `--on-hang-exec`: a program and its arguments.
    pub exec: Option<Vec<String>>,
    /// What is not there by then stays out of it.
    pub deadline: Instant,
}

/// Makes it, and sends it to the journal; to the log too, where standard error is somewhere else. Ends at the deadline.
///
/// First it is looked at, then the command runs, with half of the time each at most: a debugger stops what it looks at,
/// and the report would say just that. Some time is kept for journald, which may have room for a few entries only.
pub async fn make(order: Order, children: Rc<Children>) {
    let Order { unit, scope, main, reason, is_certain, probes, exec, deadline } = order;
    let began = Instant::now();
    let budget = deadline.saturating_duration_since(began);
    let look_for = if exec.is_some() { budget / 2 } else { budget / 10 * 9 };
    let (mut collector, look_until) = (Collector::start(&scope, look_for), began + look_for);
    let snapshot = collector.gather(look_until).await;
    let report = Report::new(snapshot, Context { unit, reason, is_certain, probes });
    let mut entries = report.entries();
    if let Some(exec) = exec {
        let argv: Vec<OsString> = exec.iter().map(|word| expand(word, main)).collect();
        let left = deadline.saturating_duration_since(Instant::now());
        let ran = command::run(&argv, &children, alarm::after(left), MOST_OUTPUT).await;
        let (output, how) = match &ran {
            Ok(finished) => (finished.output.as_slice(), ended(finished)),
            Err(error) => (&[][..], error.to_string()),
        };
        entries.push(command_entry(&argv, output, &how, report.id, report.context.unit.as_ref()));
    }
    publish(&report, &entries, Outlet::open(), deadline).await;
}

/// `%p` stands for the main process, `%%` for a percent sign.
fn expand(word: &str, main: Option<i32>) -> OsString {
    let main = main.map(|pid| pid.to_string()).unwrap_or_default();
    word.split("%%").map(|part| part.replace("%p", &main)).collect::<Vec<_>>().join("%").into()
}

fn ended(finished: &Finished) -> String {
    if finished.timed_out {
        "killed at the end of the report's budget".to_owned()
    } else {
        finished.end.verb()
    }
}

/// To the journal, whatever standard error is; and as text to standard error, unless that is the journal.
async fn publish(report: &Report, entries: &[Entry], outlet: Outlet, deadline: Instant) {
    let mut is_filed = false;
    if let Some(mut journal) = outlet.journal {
        let lost = journal.send_all(entries, deadline).await;
        if lost > 0 {
            tracing::warn!("{lost} entries of the hang report found no room in the journal");
        }
        is_filed = lost < entries.len() as u64;
    }
    if is_filed && outlet.log_is_journal {
        return;
    }
    let is_output = |entry: &&Entry| entry.text("MESSAGE_ID") == Some(COMMAND_MESSAGE_ID);
    let output = entries.iter().find(is_output).and_then(|entry| entry.text("MESSAGE"));
    for line in report.summary().lines().chain(output.into_iter().flat_map(str::lines)) {
        tracing::warn!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    use super::super::Snapshot;
    use super::*;
    use crate::words::journal::Journal;
    use crate::words::log;

    #[test]
    fn the_main_process_is_put_in_for_its_sign() {
        for (word, expected) in [("%p", "42"), ("--pid=%p,%p", "--pid=42,42"), ("%%p %", "%p %"), ("x", "x")]
        {
            assert_eq!(expand(word, Some(42)), expected);
        }
        assert_eq!(expand("%p", None), "");
    }

    fn report() -> (Report, Vec<Entry>) {
        let snapshot = Snapshot { took: Duration::from_millis(3), ..Snapshot::new(Instant::now(), None) };
        let report = Report::new(
            snapshot,
            Context { unit: None, reason: "mute".to_owned(), is_certain: true, probes: Vec::new() },
        );
        let output = command_entry(&["gdb".into()], b"#0 futex_wait", "exited", report.id, None);
        let entries = report.entries().into_iter().chain([output]).collect();
        (report, entries)
    }

    /// Publishes where journald listens, or not, and standard error is the journal, or not; what got there.
    async fn published(is_journald_there: bool, log_is_journal: bool) -> (Vec<String>, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let journal = Some(Journal::connect_to(&path).unwrap());
        let socket = is_journald_there.then_some(socket);
        let stderr = tempfile::NamedTempFile::new().unwrap();
        let _said = log::tests::into(stderr.reopen().unwrap());
        let (report, entries) = report();
        let deadline = Instant::now() + Duration::from_secs(10);
        publish(&report, &entries, Outlet { journal, log_is_journal }, deadline).await;
        let mut buffer = vec![0; 1 << 16];
        let mut received = Vec::new();
        while let Some(length) = socket.as_ref().and_then(|socket| socket.recv(&mut buffer).ok()) {
            received.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        (received, std::fs::read_to_string(stderr.path()).unwrap())
    }

    #[tokio::test]
    async fn a_report_is_in_the_journal_whatever_standard_error_is_and_once_where_they_are_the_same() {
        for (is_journald_there, log_is_journal, in_journal, on_stderr) in [
            (true, true, true, false),
            (true, false, true, true),
            (false, true, false, true),
            (false, false, false, true),
        ] {
            let case = format!("journald there: {is_journald_there}, standard error: {log_is_journal}");
            let (entries, text) = published(is_journald_there, log_is_journal).await;
            assert_eq!(entries.len(), if in_journal { 2 } else { 0 }, "{case}: {entries:?}");
            assert_eq!(
                entries.iter().filter(|entry| entry.contains("HANGPROOF_REPORT_ID=")).count(),
                entries.len()
            );
            assert_eq!(text.contains("sd-watchdog: The service hangs: mute\n"), on_stderr, "{case}: {text}");
            assert_eq!(text.contains("sd-watchdog: #0 futex_wait\n"), on_stderr, "{case}: {text}");
        }
    }
}
