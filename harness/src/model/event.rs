//! The seam: typed, timestamped facts, read from the journal or observed by the harness.
//!
//! To the left of this file is I/O; from here on everything is a function of data. Journal entries are told apart by
//! MESSAGE_ID (systemd, src/systemd/sd-messages.h: the same from v247 to v261) and, where systemd gives none, by
//! CODE_FUNC; never by their English text.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::clock::{Human, Usec};
use crate::model::entry::Entry;
use crate::model::expect::Deed;
use crate::model::text::one_line;

/// A fact and its moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, by CLOCK_MONOTONIC.
    pub at: Usec,
    /// What.
    #[serde(flatten)]
    pub kind: Kind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// The harness injected a fault.
    Injected {
        /// Its name.
        fault: String,
        /// Within how many microseconds it took effect, where that is not known exactly.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within_usec: Option<u64>,
        /// What becomes of the service.
        #[serde(default, skip_serializing_if = "Deed::is_hang")]
        deed: Deed,
    },
    /// The harness healed a fault.
    Healed {
        /// Its name.
        fault: String,
    },
    /// The last good answer that a client got before the outage.
    LastGood,
    /// The first good answer that a client got after the outage.
    FirstGood,
    /// `sd-watchdog` gives the service one more probe, longer than the others, since it was kept from running.
    DeadlineWidened {
        /// In so many percent of the time it was kept from running; [`None`] where an older version did not say.
        percent: Option<u8>,
    },
    /// `sd-watchdog` has put into the journal what it saw of the hung service.
    HangReport {
        /// By which the report's other entries are found: `HANGPROOF_REPORT_ID`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Why the service counts as hung.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// What it looks like.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        diagnosis: Option<String>,
        /// Where that counts connections, how many asks of the harness's own observer no one had answered by then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        observers: Option<u64>,
    },
    /// systemd or `sd-watchdog` has put a line into the journal that the scenario looks for.
    Logged {
        /// What it looks for.
        text: String,
        /// The line.
        line: String,
    },
    /// systemd saw no ping for WatchdogSec.
    WatchdogTimeout,
    /// systemd received `WATCHDOG=trigger`.
    WatchdogTrigger {
        /// The service's STATUS at that moment.
        status: Option<String>,
    },
    /// systemd sent a signal to a process of the service.
    Killed {
        /// The receiver.
        pid: Option<u32>,
        /// `SIGABRT`, …
        signal: Option<String>,
    },
    /// The main process ended.
    Exited(Exit),
    /// The service ended without a failure. (systemd logs no exit with code 0 at its default level, but this.)
    Deactivated,
    /// The service failed.
    Failed {
        /// systemd's word for why: `watchdog`, `signal`, `exit-code`, `timeout`, …
        result: String,
    },
    /// systemd will start the service again.
    RestartScheduled {
        /// How many restarts that makes.
        restarts: u32,
    },
    /// The service is being stopped on request.
    Stopping,
    /// The service is being started.
    Starting,
    /// systemd saw `READY=1`.
    Ready,
    /// The service was to start and did not.
    StartFailed,
    /// The service was started too often: systemd gives up.
    StartLimitHit,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with a code.
    Code(i32),
    /// By a signal, `SIGABRT`.
    Signal(String),
}

impl Kind {
    /// Whether it is a diagnosis that counts connections (`queues` and `out_of_descriptors` in sd-watchdog's
    /// src/report/diagnosis.rs), among which the harness's own are.
    pub fn counts_connections(&self) -> bool {
        let Self::HangReport { diagnosis: Some(diagnosis), .. } = self else { return false };
        ["accept queue", "to be accepted", "out of descriptors"].iter().any(|words| diagnosis.contains(words))
    }

    /// Whether this happens only to a service that something is done to.
    pub fn is_disturbance(&self) -> bool {
        match self {
            Self::WatchdogTimeout
            | Self::WatchdogTrigger { .. }
            | Self::Killed { .. }
            | Self::Exited(_)
            | Self::Deactivated
            | Self::Failed { .. }
            | Self::RestartScheduled { .. }
            | Self::Stopping
            | Self::Starting
            | Self::StartFailed
            | Self::StartLimitHit => true,
            Self::Injected { .. }
            | Self::Healed { .. }
            | Self::LastGood
            | Self::FirstGood
            | Self::DeadlineWidened { .. }
            | Self::HangReport { .. }
            | Self::Logged { .. }
            | Self::Ready => false,
        }
    }
}

/// In the words of the reports.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Injected { fault, within_usec: None, .. } => write!(f, "injected {fault}"),
            Self::Injected { fault, within_usec: Some(usec), .. } => {
                write!(f, "injected {fault}, within {}", Human(Duration::from_micros(*usec)))
            }
            Self::Healed { fault } => write!(f, "healed {fault}"),
            Self::LastGood => f.write_str("last good answer"),
            Self::FirstGood => f.write_str("first good answer"),
            Self::DeadlineWidened { percent: Some(percent) } => {
                write!(f, "deadlines widened: the service was kept from running {percent} % of the time")
            }
            Self::DeadlineWidened { percent: None } => {
                f.write_str("deadline widened: the service was kept from running")
            }
            Self::HangReport { reason, diagnosis, observers, .. } => {
                f.write_str("hang report")?;
                if let Some(what) = diagnosis.as_ref().or(reason.as_ref()) {
                    write!(f, ": {what}")?;
                }
                match observers {
                    Some(1) => f.write_str("; the observer itself had asked once by then in vain"),
                    Some(asks) => write!(f, "; the observer itself had asked {asks} times by then in vain"),
                    None => Ok(()),
                }
            }
            Self::Logged { line, .. } => write!(f, "logged: {line}"),
            Self::WatchdogTimeout => f.write_str("watchdog timeout"),
            Self::WatchdogTrigger { status: None } => f.write_str("watchdog trigger"),
            Self::WatchdogTrigger { status: Some(status) } => write!(f, "watchdog trigger: {status}"),
            Self::Killed { pid, signal } => {
                let pid = pid.map(|pid| format!(" pid {pid}")).unwrap_or_default();
                write!(f, "killed{pid} with {}", signal.as_deref().unwrap_or("a signal"))
            }
            Self::Exited(Exit::Code(code)) => write!(f, "exited with code {code}"),
            Self::Exited(Exit::Signal(signal)) => write!(f, "exited by {signal}"),
            Self::Deactivated => f.write_str("deactivated"),
            Self::Failed { result } => write!(f, "failed, result {result}"),
            Self::RestartScheduled { restarts } => write!(f, "restart scheduled, number {restarts}"),
            Self::Stopping => f.write_str("stopping"),
            Self::Starting => f.write_str("starting"),
            Self::Ready => f.write_str("ready"),
            Self::StartFailed => f.write_str("start failed"),
            Self::StartLimitHit => f.write_str("start limit hit"),
        }
    }
}

const EXITED: &str = "98e322203f7a4ed290d09fe03c09fe15";
const DEACTIVATED: &str = "7ad2d189f7e94e70a38c781354912448";
const FAILED: &str = "d9b373ed55a64feb8242e02dbe79a49c";
const RESTART_SCHEDULED: &str = "5eb03494b6584870a536b337290809b3";
const STOPPING: &str = "de5b426a63be47a7b6ac3eaac82e2f6f";
const STARTING: &str = "7d4958e842da4a758f6c1cdc7b36dcc5";
const STARTED: &str = "39f53479d3a045ac8e11786248231fbf";
const START_FAILED: &str = "be02cf6855d2428ba40df7e9d022f03d";

/// Reads what PID 1 and `sd-watchdog` say of `unit`; `None` for everything else.
pub fn read(entry: &Entry, unit: &str) -> Option<Event> {
    if let Some(event) = entry.text("HANGPROOF_EVENT") {
        return of_guard(&event, entry, unit);
    }
    if !(entry.has("_PID", "1") && entry.has("UNIT", unit)) {
        return None;
    }
    let kind = match entry.text("MESSAGE_ID").as_deref() {
        Some(EXITED) => exited(entry)?,
        Some(DEACTIVATED) => Kind::Deactivated,
        Some(FAILED) => Kind::Failed { result: one_line(entry.text("UNIT_RESULT")?) },
        Some(RESTART_SCHEDULED) => Kind::RestartScheduled { restarts: entry.number("N_RESTARTS")? },
        Some(STOPPING) => Kind::Stopping,
        Some(STARTING) => Kind::Starting,
        Some(STARTED) => Kind::Ready,
        Some(START_FAILED) => Kind::StartFailed,
        Some(_) => return None,
        None => without_id(entry)?,
    };
    Some(Event { at: entry.at()?, kind })
}

/// A line of systemd's or of `sd-watchdog`'s about `unit` that has this text; never one of the service's own, which is told only where
/// somebody has to find out why.
pub fn logged(entry: &Entry, unit: &str, text: &str) -> Option<Event> {
    let is_systemds = entry.has("_PID", "1") && entry.has("UNIT", unit);
    let is_ours = entry.has("_COMM", "sd-watchdog") && entry.concerns(unit);
    if !is_systemds && !is_ours {
        return None;
    }
    let message = entry.text("MESSAGE").filter(|message| message.contains(text))?;
    // A message may have any number of lines.
    let line = message.lines().find(|line| line.contains(text)).unwrap_or(&message);
    let line = line.chars().take(LONGEST_LINE).collect();
    Some(Event { at: entry.at()?, kind: Kind::Logged { text: text.to_owned(), line: one_line(line) } })
}

/// How much of a line is told.
const LONGEST_LINE: usize = 200;

/// From the unit itself, or from beside it: then journald has found out which unit the entry is about.
fn of_guard(event: &str, entry: &Entry, unit: &str) -> Option<Event> {
    // What journald attests; the service could write any other field too.
    let is_ours = entry.has("_COMM", "sd-watchdog");
    if !is_ours || !entry.concerns(unit) {
        return None;
    }
    let text = |name: &str| entry.text(name).filter(|text| !text.is_empty()).map(one_line);
    let kind = match event {
        "deadline_widened" => Kind::DeadlineWidened {
            percent: text("HANGPROOF_PRESSURE").and_then(|percent| percent.parse().ok()),
        },
        "hang_report" => Kind::HangReport {
            id: text("HANGPROOF_REPORT_ID"),
            reason: text("HANGPROOF_REASON"),
            diagnosis: text("HANGPROOF_DIAGNOSIS"),
            observers: None,
        },
        _ => return None,
    };
    Some(Event { at: entry.at()?, kind })
}

fn without_id(entry: &Entry) -> Option<Kind> {
    // "Watchdog disabled! Ignoring …" comes from the same functions, with a lesser priority.
    let is_error = entry.number("PRIORITY").is_some_and(|priority: u8| priority <= 3);
    Some(match entry.text("CODE_FUNC")?.as_str() {
        "service_dispatch_watchdog" if is_error => Kind::WatchdogTimeout,
        "service_force_watchdog" if is_error => Kind::WatchdogTrigger { status: last_status(entry) },
        "log_kill" => killed(entry),
        "unit_test_start_limit" => Kind::StartLimitHit,
        _ => return None,
    })
}

fn exited(entry: &Entry) -> Option<Kind> {
    // The same id is used for ExecStartPre= and its like; COMMAND tells which.
    if entry.text("COMMAND").is_some_and(|command| command != "ExecStart") {
        return None;
    }
    let status = entry.number("EXIT_STATUS")?;
    Some(Kind::Exited(match entry.text("EXIT_CODE")?.as_str() {
        "exited" => Exit::Code(status),
        _ => Exit::Signal(signal_name(status)),
    }))
}

/// `SIGABRT` for 6.
fn signal_name(number: i32) -> String {
    signal_hook::low_level::signal_name(number).map_or_else(|| format!("signal {number}"), ToOwned::to_owned)
}

/// The status that systemd quotes: it is in no field but the message's parentheses.
fn last_status(entry: &Entry) -> Option<String> {
    let message = entry.text("MESSAGE")?;
    let status = message.split_once('(')?.1.split_once(": ")?.1;
    Some(one_line(status.strip_suffix(")!").unwrap_or(status).to_owned()))
}

/// The receiver and the signal, which are in no field either: the first word that is a number, the last in SIG….
fn killed(entry: &Entry) -> Kind {
    let message = entry.text("MESSAGE").unwrap_or_default();
    let mut words = message.split(|c: char| !c.is_ascii_alphanumeric());
    Kind::Killed {
        pid: words.clone().find_map(|word| word.parse().ok()),
        signal: words.rfind(|word| word.starts_with("SIG")).map(ToOwned::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &str) -> Option<Kind> {
        let line = format!(r#"{{"_PID":"1","UNIT":"x.service","__MONOTONIC_TIMESTAMP":"7",{fields}}}"#);
        let event = read(&Entry::parse(&line).expect("an entry"), "x.service")?;
        assert_eq!(event.at, Usec(7));
        Some(event.kind)
    }

    #[test]
    fn entries_are_told_apart_by_id_and_function() {
        let trigger = r#""CODE_FUNC":"service_force_watchdog","PRIORITY":"3","MESSAGE":"x.service: Watchdog request (last status: a: b)!""#;
        let kill = r#""CODE_FUNC":"log_kill","PRIORITY":"5","MESSAGE":"x1.service: Killing process 31 (SIGNpost 9) with signal SIGABRT.""#;
        for (fields, expected) in [
            (r#""CODE_FUNC":"service_dispatch_watchdog","PRIORITY":"3""#, Some(Kind::WatchdogTimeout)),
            (r#""CODE_FUNC":"service_dispatch_watchdog","PRIORITY":"5""#, None),
            (trigger, Some(Kind::WatchdogTrigger { status: Some("a: b".into()) })),
            (kill, Some(Kind::Killed { pid: Some(31), signal: Some("SIGABRT".into()) })),
            (
                r#""MESSAGE_ID":"98e322203f7a4ed290d09fe03c09fe15","EXIT_CODE":"dumped","EXIT_STATUS":"6","COMMAND":"ExecStart""#,
                Some(Kind::Exited(Exit::Signal("SIGABRT".into()))),
            ),
            (
                r#""MESSAGE_ID":"98e322203f7a4ed290d09fe03c09fe15","EXIT_CODE":"exited","EXIT_STATUS":"127","COMMAND":"ExecStart""#,
                Some(Kind::Exited(Exit::Code(127))),
            ),
            (
                r#""MESSAGE_ID":"98e322203f7a4ed290d09fe03c09fe15","EXIT_CODE":"exited","EXIT_STATUS":"1","COMMAND":"ExecStartPre""#,
                None,
            ),
            (
                r#""MESSAGE_ID":"5eb03494b6584870a536b337290809b3","N_RESTARTS":"3""#,
                Some(Kind::RestartScheduled { restarts: 3 }),
            ),
            (r#""MESSAGE":"Watchdog timeout (limit 5s)!","PRIORITY":"3""#, None),
        ] {
            assert_eq!(of(fields), expected, "{fields}");
        }
    }

    #[test]
    fn what_the_guard_says_is_read_from_the_fields_of_its_own_entries() {
        let fields = r#""HANGPROOF_EVENT":"hang_report","HANGPROOF_REPORT_ID":"7f","HANGPROOF_REASON":"no answer","HANGPROOF_DIAGNOSIS":"""#;
        let report = |rest: &str| {
            let line = format!(r#"{{"_PID":"9",{rest},"__MONOTONIC_TIMESTAMP":"7",{fields}}}"#);
            Some(read(&Entry::parse(&line).expect("an entry"), "x.service")?.kind)
        };
        let expected = Kind::HangReport {
            id: Some("7f".into()),
            reason: Some("no answer".into()),
            diagnosis: None,
            observers: None,
        };
        assert_eq!(expected.to_string(), "hang report: no answer");
        let widened = r#""_COMM":"sd-watchdog","_SYSTEMD_UNIT":"x.service","__MONOTONIC_TIMESTAMP":"7","HANGPROOF_PRESSURE":"88","HANGPROOF_EVENT""#;
        for (event, expected) in [
            ("deadline_widened", Some(Kind::DeadlineWidened { percent: Some(88) })),
            ("hang_report_process", None),
        ] {
            let entry = Entry::parse(&format!(r#"{{{widened}:"{event}"}}"#)).expect("an entry");
            assert_eq!(read(&entry, "x.service").map(|event| event.kind), expected, "{event}");
        }
        for (fields, expected) in [
            (r#""_COMM":"sd-watchdog","_SYSTEMD_UNIT":"x.service""#, Some(&expected)),
            (
                r#""_COMM":"sd-watchdog","_SYSTEMD_UNIT":"g.service","OBJECT_SYSTEMD_UNIT":"x.service""#,
                Some(&expected),
            ),
            (r#""_COMM":"sd-watchdog","_SYSTEMD_UNIT":"y.service""#, None),
            (r#""_COMM":"buggy_server","_SYSTEMD_UNIT":"x.service""#, None),
        ] {
            assert_eq!(report(fields).as_ref(), expected, "{fields}");
        }
    }

    #[test]
    fn only_pid_1_is_believed() {
        let forged = r#"{"_PID":"9","UNIT":"x.service","__MONOTONIC_TIMESTAMP":"7","MESSAGE_ID":"39f53479d3a045ac8e11786248231fbf"}"#;
        assert_eq!(read(&Entry::parse(forged).expect("an entry"), "x.service"), None);
    }

    #[test]
    fn every_kind_has_words_and_is_a_disturbance_or_not() {
        let hang_report = |reason: Option<&str>, diagnosis: Option<&str>| Kind::HangReport {
            id: None,
            reason: reason.map(Into::into),
            diagnosis: diagnosis.map(Into::into),
            observers: None,
        };
        let injected = |within_usec| Kind::Injected { fault: "mute".into(), within_usec, deed: Deed::Hangs };
        for (kind, words, is_disturbance) in [
            (injected(None), "injected mute", false),
            (injected(Some(8000)), "injected mute, within 8 ms", false),
            (Kind::Healed { fault: "mute".into() }, "healed mute", false),
            (Kind::LastGood, "last good answer", false),
            (Kind::FirstGood, "first good answer", false),
            (
                Kind::DeadlineWidened { percent: Some(88) },
                "deadlines widened: the service was kept from running 88 % of the time",
                false,
            ),
            (
                Kind::DeadlineWidened { percent: None },
                "deadline widened: the service was kept from running",
                false,
            ),
            (hang_report(Some("no answer"), Some("futex")), "hang report: futex", false),
            (hang_report(Some("no answer"), None), "hang report: no answer", false),
            (hang_report(None, None), "hang report", false),
            (
                Kind::HangReport { id: None, reason: None, diagnosis: None, observers: Some(1) },
                "hang report; the observer itself had asked once by then in vain",
                false,
            ),
            (Kind::Ready, "ready", false),
            (Kind::WatchdogTimeout, "watchdog timeout", true),
            (Kind::WatchdogTrigger { status: None }, "watchdog trigger", true),
            (Kind::WatchdogTrigger { status: Some("hung".into()) }, "watchdog trigger: hung", true),
            (
                Kind::Killed { pid: Some(7), signal: Some("SIGABRT".into()) },
                "killed pid 7 with SIGABRT",
                true,
            ),
            (Kind::Killed { pid: None, signal: None }, "killed with a signal", true),
            (Kind::Exited(Exit::Code(1)), "exited with code 1", true),
            (Kind::Exited(Exit::Signal("SIGSEGV".into())), "exited by SIGSEGV", true),
            (Kind::Deactivated, "deactivated", true),
            (Kind::Failed { result: "watchdog".into() }, "failed, result watchdog", true),
            (Kind::RestartScheduled { restarts: 3 }, "restart scheduled, number 3", true),
            (Kind::Stopping, "stopping", true),
            (Kind::Starting, "starting", true),
            (Kind::StartFailed, "start failed", true),
            (Kind::StartLimitHit, "start limit hit", true),
        ] {
            assert_eq!((kind.to_string().as_str(), kind.is_disturbance()), (words, is_disturbance));
        }
    }

    #[test]
    fn what_systemd_says_by_id_or_function_alone_is_read_too() {
        for (fields, expected) in [
            (r#""MESSAGE_ID":"7ad2d189f7e94e70a38c781354912448""#, Some(Kind::Deactivated)),
            (r#""MESSAGE_ID":"de5b426a63be47a7b6ac3eaac82e2f6f""#, Some(Kind::Stopping)),
            (r#""MESSAGE_ID":"7d4958e842da4a758f6c1cdc7b36dcc5""#, Some(Kind::Starting)),
            (r#""MESSAGE_ID":"39f53479d3a045ac8e11786248231fbf""#, Some(Kind::Ready)),
            (r#""MESSAGE_ID":"be02cf6855d2428ba40df7e9d022f03d""#, Some(Kind::StartFailed)),
            (
                r#""MESSAGE_ID":"d9b373ed55a64feb8242e02dbe79a49c","UNIT_RESULT":"timeout""#,
                Some(Kind::Failed { result: "timeout".into() }),
            ),
            // One that is of no interest is not told by its function.
            (r#""MESSAGE_ID":"0","CODE_FUNC":"unit_test_start_limit""#, None),
            (r#""CODE_FUNC":"unit_test_start_limit""#, Some(Kind::StartLimitHit)),
            (r#""CODE_FUNC":"service_force_watchdog","PRIORITY":"4","MESSAGE":"Watchdog disabled!""#, None),
            (
                r#""CODE_FUNC":"service_force_watchdog","PRIORITY":"2","MESSAGE":"x.service: Watchdog request!""#,
                Some(Kind::WatchdogTrigger { status: None }),
            ),
            (r#""CODE_FUNC":"unit_log_resources""#, None),
            (
                r#""MESSAGE_ID":"98e322203f7a4ed290d09fe03c09fe15","EXIT_CODE":"killed","EXIT_STATUS":"99""#,
                Some(Kind::Exited(Exit::Signal("signal 99".into()))),
            ),
        ] {
            assert_eq!(of(fields), expected, "{fields}");
        }
        let other = r#"{"_PID":"1","UNIT":"y.service","__MONOTONIC_TIMESTAMP":"7","MESSAGE_ID":"39f53479d3a045ac8e11786248231fbf"}"#;
        assert_eq!(read(&Entry::parse(other).expect("an entry"), "x.service"), None);
    }
}
