//! The hang report, put together from the entries that `sd-watchdog` made of it.

use crate::model::case::CaseId;
use crate::model::entry::Entry;
use crate::model::text::one_line;
use crate::page::telling::{Report, Thread};

/// So many rows of threads are told, and so many lines.
const MOST: usize = 200;

/// Fields of the summary, and what to call each.
const FIGURES: [(&str, &str); 12] = [
    ("HANGPROOF_REASON", "why"),
    ("HANGPROOF_PROBES", "probes"),
    ("HANGPROOF_ACCEPT_QUEUE", "connections"),
    ("HANGPROOF_PROCESSES", "processes"),
    ("HANGPROOF_THREADS", "threads"),
    ("HANGPROOF_MEMORY", "memory, bytes"),
    ("HANGPROOF_MEMORY_MAX", "memory at most"),
    ("HANGPROOF_OOM_KILLS", "killed for memory"),
    ("HANGPROOF_CPU_PRESSURE", "waiting for a CPU, %"),
    ("HANGPROOF_MEMORY_PRESSURE", "waiting for memory, %"),
    ("HANGPROOF_IO_PRESSURE", "waiting for a disk, %"),
    ("HANGPROOF_CUT_SHORT", "cut short"),
];

/// What an entry adds to the reports of a case: the report that it is of. [`None`]: it is of none.
pub fn told(entry: &Entry, unit: &str, case: CaseId, known: Option<&Report>) -> Option<Report> {
    // What journald attests; the service could write any other field too.
    if !entry.has("_COMM", "sd-watchdog") || !entry.concerns(unit) {
        return None;
    }
    let key = key(entry)?;
    let mut report = known.filter(|known| known.key == key).cloned().unwrap_or_else(|| Report {
        key,
        case,
        pid: None,
        summary: String::new(),
        lines: Vec::new(),
        threads: Vec::new(),
    });
    match entry.text("HANGPROOF_EVENT")?.as_str() {
        "hang_report" => {
            report.pid = entry.number("HANGPROOF_MAIN_PID");
            let said = ["HANGPROOF_DIAGNOSIS", "HANGPROOF_REASON", "MESSAGE"];
            let said = said.iter().find_map(|name| entry.text(name).filter(|text| !text.is_empty()));
            report.summary = one_line(said.unwrap_or_default());
            let figures = FIGURES.iter().filter_map(|(field, name)| Some((name, entry.text(field)?)));
            // It comes first, in whatever order the entries came.
            let mut lines = figures.flat_map(|(name, text)| named(name, &text)).collect::<Vec<_>>();
            lines.append(&mut report.lines);
            report.lines = lines;
        }
        "hang_report_process" => {
            report.lines.extend(entry.text("MESSAGE").unwrap_or_default().lines().map(str::to_owned));
            report.threads.extend(threads(entry));
        }
        "hang_report_command" => {
            report.lines.extend(entry.text("MESSAGE").unwrap_or_default().lines().map(str::to_owned));
        }
        _ => return None,
    }
    report.lines.truncate(MOST);
    report.threads.truncate(MOST);
    Some(report)
}

/// By what the entries of one report are found.
fn key(entry: &Entry) -> Option<String> {
    entry.text("HANGPROOF_REPORT_ID").map(one_line).filter(|id| !id.is_empty())
}

/// The lines of a field: its name stands before the first.
fn named(name: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    let line = |(number, line): (usize, &str)| {
        if number == 0 { format!("{name}: {line}") } else { format!("  {line}") }
    };
    lines.map(line).collect()
}

/// The rows of an entry's table, `12 threads  S  futex_wait_queue  futex  worker-0, worker-1, …`: where there is no wait channel and no
/// call those columns are missing, and the frames of a stack are below.
fn threads(entry: &Entry) -> Vec<Thread> {
    let table = entry.text("HANGPROOF_THREAD_TABLE").unwrap_or_default();
    let tid: Option<u32> = entry.number("HANGPROOF_PID");
    let rows = table.lines().filter(|line| !line.starts_with("    "));
    let rows = rows.filter_map(|line| {
        let columns = line.split("  ").map(str::trim).filter(|column| !column.is_empty());
        let columns = columns.collect::<Vec<_>>();
        let [count, state, between @ .., names] = columns.as_slice() else { return None };
        let count = count.split_once(' ').filter(|(_, noun)| noun.starts_with("thread"))?.0.parse().ok()?;
        let where_to = between.join("  ");
        Some(Thread {
            // Of one that is alone in its process the id is the process's.
            tid: tid.filter(|_| entry.number("HANGPROOF_THREADS") == Some(1)),
            count,
            name: (*names).to_owned(),
            state: (*state).to_owned(),
            means: means(state, &where_to).to_owned(),
            r#where: where_to,
        })
    });
    rows.collect()
}

/// What it means to stand there.
fn means(state: &str, place: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| place.contains(word));
    match state {
        "T" | "t" => "stopped by a signal or a debugger",
        "Z" | "X" => "has ended",
        "R" => "runs, or waits for a CPU",
        "D" if has(&["freez"]) => "frozen",
        "D" => "waits in the kernel, and cannot be disturbed: for a disk, a network file system or a driver",
        _ if has(&["futex"]) => "waits for another thread: a lock, a channel or a condition",
        _ if has(&["epoll", "poll", "select"]) => "waits for something to do",
        _ if has(&["accept"]) => "waits for a connection",
        _ if has(&["nanosleep"]) => "sleeps for a time",
        _ if has(&["wait4", "waitid", "do_wait"]) => "waits for a child process",
        _ if has(&["sigsuspend", "sigtimedwait", "pause"]) => "waits for a signal",
        _ if has(&["recv", "read", "pipe"]) => "waits for somebody to write",
        _ if has(&["send", "write"]) => "waits for somebody to read",
        _ if has(&["connect"]) => "waits for a connection to come about",
        _ => "waits",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: &str = r#""_COMM":"sd-watchdog","_SYSTEMD_UNIT":"x.service","HANGPROOF_REPORT_ID":"7f""#;

    fn entry(rest: &str) -> Entry {
        Entry::parse(&format!("{{{WHO},{rest}}}")).expect("an entry")
    }

    fn all(entries: &[Entry]) -> Report {
        let mut report = None;
        for entry in entries {
            report = told(entry, "x.service", CaseId::of("a", 1), report.as_ref());
        }
        report.expect("a report")
    }

    #[test]
    fn a_report_is_its_summary_and_a_row_for_threads_that_stand_at_the_same_place() {
        let summary = entry(
            r#""HANGPROOF_EVENT":"hang_report","HANGPROOF_MAIN_PID":"42","HANGPROOF_REASON":"no answer",
            "HANGPROOF_DIAGNOSIS":"looks like a deadlock","HANGPROOF_PROBES":"3 s ago  healthy\n1 s ago  nothing""#,
        );
        let process = entry(
            r#""HANGPROOF_EVENT":"hang_report_process","HANGPROOF_PID":"42","HANGPROOF_THREADS":"13","MESSAGE":"42 x, state S\n  all of it",
            "HANGPROOF_THREAD_TABLE":"12 threads  S  futex_wait_queue  futex  a, b, …\n    futex_wait+0x1\n 1 thread   R  -  running, 99 % of a CPU  x\nand 3 threads more, not looked at""#,
        );
        let report = all(&[summary.clone(), process.clone()]);
        assert_eq!((report.key.as_str(), report.pid), ("7f", Some(42)));
        assert_eq!(report.summary, "looks like a deadlock");
        assert_eq!(
            report.lines,
            [
                "why: no answer",
                "probes: 3 s ago  healthy",
                "  1 s ago  nothing",
                "42 x, state S",
                "  all of it"
            ]
        );
        let rows = report.threads.iter();
        let rows = rows.map(|row| (row.tid, row.count, &*row.name, &*row.state, &*row.r#where, &*row.means));
        assert_eq!(
            rows.collect::<Vec<_>>(),
            [
                (
                    None,
                    12,
                    "a, b, …",
                    "S",
                    "futex_wait_queue  futex",
                    "waits for another thread: a lock, a channel or a condition"
                ),
                (None, 1, "x", "R", "-  running, 99 % of a CPU", "runs, or waits for a CPU"),
            ]
        );
        assert_eq!(all(&[process, summary]), report, "in whatever order its entries came");
    }

    #[test]
    fn the_one_thread_of_a_process_has_its_id() {
        let process = entry(
            r#""HANGPROOF_EVENT":"hang_report_process","HANGPROOF_PID":"9","HANGPROOF_THREADS":"1","HANGPROOF_THREAD_TABLE":"1 thread  T  do_signal_stop  nginx""#,
        );
        let threads = all(&[process]).threads;
        assert_eq!((threads[0].tid, &*threads[0].r#where), (Some(9), "do_signal_stop"));
    }

    #[test]
    fn only_the_guard_of_the_unit_reports() {
        let of = |rest: &str| {
            let text = format!(r#"{{{rest},"HANGPROOF_EVENT":"hang_report","HANGPROOF_REPORT_ID":"7f"}}"#);
            told(&Entry::parse(&text).expect("an entry"), "x.service", CaseId::of("a", 1), None)
        };
        assert!(of(r#""_COMM":"sd-watchdog","_SYSTEMD_UNIT":"x.service""#).is_some());
        assert!(of(r#""_COMM":"other","_SYSTEMD_UNIT":"x.service""#).is_none());
        assert!(of(r#""_COMM":"sd-watchdog","_SYSTEMD_UNIT":"y.service""#).is_none());
        assert!(
            told(&entry(r#""HANGPROOF_EVENT":"settings""#), "x.service", CaseId::of("a", 1), None).is_none()
        );
    }
}
