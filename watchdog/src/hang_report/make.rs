//! From an order to the entries in the journal, while the loop goes on.

use std::ffi::OsString;
use std::rc::Rc;
use std::time::Instant;

use super::{COMMAND_MESSAGE_ID, Collector, Context, ProbeRecord, Report, Scope, command_entry};
use crate::children::Children;
use crate::command::{self, Finished};
use crate::journal::{Entry, Journal};

/// The most of `--on-hang-exec`'s output that goes to the journal, in bytes.
const MOST_OUTPUT: usize = 256 * 1024;

/// A report to be made.
#[derive(Debug)]
pub struct Order {
    /// The unit, where it is not the one that we run in.
    pub unit: Option<String>,
    /// Whose processes.
    pub scope: Scope,
    /// The main process, for `%p`.
    pub main: Option<i32>,
    /// What is thought to be a hang.
    pub reason: String,
    /// The last probes, the oldest first.
    pub probes: Vec<ProbeRecord>,
    /// `--on-hang-exec`: a program and its arguments.
    pub exec: Option<Vec<String>>,
    /// What is not there by then stays out of it.
    pub deadline: Instant,
}

/// Makes it, and sends it to the journal; to the log, where standard error is somewhere else. Ends at the deadline.
///
/// First it is looked at, with half of the time at most, then the command runs: a debugger stops what it looks at, and
/// the report would say just that.
pub async fn make(order: Order, children: Rc<Children>) {
    let Order { unit, scope, main, reason, probes, exec, deadline } = order;
    let began = Instant::now();
    let budget = deadline.saturating_duration_since(began);
    let mut collector = Collector::start(&scope, budget);
    let look_until = if exec.is_some() { began + budget / 2 } else { deadline };
    let snapshot = collector.gather(look_until).await;
    let report = Report::new(snapshot, Context { unit, reason, probes });
    let mut entries = report.entries();
    if let Some(exec) = exec {
        let argv: Vec<OsString> = exec.iter().map(|word| expand(word, main)).collect();
        let left = deadline.saturating_duration_since(Instant::now());
        let ran = command::run(&argv, &children, left, MOST_OUTPUT).await;
        let (output, how) = match &ran {
            Ok(finished) => (finished.output.as_slice(), ended(finished)),
            Err(error) => (&[][..], error.to_string()),
        };
        entries.push(command_entry(&argv, output, &how, report.id, report.context.unit.as_deref()));
    }
    publish(&report, &entries, deadline).await;
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

async fn publish(report: &Report, entries: &[Entry], deadline: Instant) {
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| Journal::connect().ok());
    if let Some(mut journal) = journal {
        let lost = journal.send_all(entries, deadline).await;
        if lost > 0 {
            tracing::warn!("{lost} entries of the hang report found no room in the journal");
        }
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
    use super::*;

    #[test]
    fn the_main_process_is_put_in_for_its_sign() {
        for (word, expected) in [("%p", "42"), ("--pid=%p,%p", "--pid=42,42"), ("%%p %", "%p %"), ("x", "x")]
        {
            assert_eq!(expand(word, Some(42)), expected);
        }
        assert_eq!(expand("%p", None), "");
    }
}
