//! What the journal says, as the page is told.

use std::collections::BTreeMap;

use crate::model::entry::Entry;
use crate::model::event::{Exit, Kind};
use crate::page::telling::{self, Line, Source};

/// So many characters of a text are told.
const LONGEST: usize = 4096;

/// What is shown elsewhere, or says nothing to anybody.
const NOT_TOLD: [&str; 3] = ["MESSAGE", "PRIORITY", "__MONOTONIC_TIMESTAMP"];

/// A line that is no event.
pub fn line(entry: &Entry) -> Line {
    let telling::Entry { message, fields } = told(entry);
    Line { source: source(entry), message, priority: entry.number("PRIORITY"), fields }
}

/// An entry with all that it holds.
pub fn told(entry: &Entry) -> telling::Entry {
    let fields = entry.names().filter(|name| !NOT_TOLD.contains(name));
    let fields = fields.filter_map(|name| Some((name.to_owned(), cut(entry.text(name)?))));
    let message = entry.text("MESSAGE").unwrap_or_else(|| "(too large to show)".into());
    telling::Entry { message: cut(message), fields: fields.collect::<BTreeMap<_, _>>() }
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Who says it, as journald attests.
fn source(entry: &Entry) -> Source {
    if entry.has("_PID", "1") {
        Source::Systemd
    } else if entry.has("_COMM", "sd-watchdog") {
        Source::SdWatchdog
    } else {
        Source::Service
    }
}

/// Who says that an event happened.
pub fn source_of(kind: &Kind) -> Source {
    match kind {
        Kind::Injected { .. } | Kind::Healed { .. } | Kind::LastGood | Kind::FirstGood => Source::Hangproof,
        Kind::DeadlineWidened { .. } | Kind::HangReport { .. } => Source::SdWatchdog,
        _ => Source::Systemd,
    }
}

/// An event in a few plain words.
pub fn label(kind: &Kind) -> String {
    match kind {
        Kind::Injected { fault, .. } => format!("Fault: {fault}"),
        Kind::Healed { fault } => format!("Healed: {fault}"),
        Kind::LastGood => "Last good answer".into(),
        Kind::FirstGood => "First good answer".into(),
        Kind::DeadlineWidened { .. } => "Deadlines widened".into(),
        Kind::HangReport { .. } => "Hang report".into(),
        Kind::Logged { text, .. } => format!("Logged: {text}"),
        Kind::WatchdogTimeout => "Watchdog timeout".into(),
        Kind::WatchdogTrigger { .. } => "Watchdog request".into(),
        Kind::Killed { signal, .. } => format!("Sent {}", signal.as_deref().unwrap_or("a signal")),
        Kind::Exited(Exit::Code(code)) => format!("Exited with {code}"),
        Kind::Exited(Exit::Signal(signal)) => format!("Ended by {signal}"),
        Kind::Deactivated => "Ended in order".into(),
        Kind::Failed { result } => format!("Failed: {result}"),
        Kind::RestartScheduled { restarts } => format!("Restart {restarts}"),
        Kind::Stopping => "Stopping".into(),
        Kind::Starting => "Starting".into(),
        Kind::Ready => "Ready".into(),
        Kind::StartFailed => "Start failed".into(),
        Kind::StartLimitHit => "Started too often".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_who_said_it_as_journald_attests_and_nothing_a_terminal_obeys() {
        let of = |who: &str| {
            let entry = format!(
                r#"{{{who},"MESSAGE":"<b>\u001b[1m</script>","PRIORITY":"3","HUGE":null,"A":"a\u0007","__MONOTONIC_TIMESTAMP":"7"}}"#
            );
            line(&Entry::parse(&entry).expect("an entry"))
        };
        for (who, source) in [
            (r#""_PID":"1""#, Source::Systemd),
            (r#""_COMM":"sd-watchdog","_PID":"9""#, Source::SdWatchdog),
            (r#""SYSLOG_IDENTIFIER":"sd-watchdog","_COMM":"x""#, Source::Service),
        ] {
            let line = of(who);
            assert_eq!((line.source, line.priority), (source, Some(3)), "{who}");
            assert_eq!(line.message, "<b>\\u{1b}[1m</script>");
            assert_eq!(line.fields.get("A").map(String::as_str), Some("a\\u{7}"));
            assert!(!line.fields.contains_key("HUGE") && !line.fields.contains_key("MESSAGE"), "{who}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let entry = Entry::parse(&format!(r#"{{"MESSAGE":"{}"}}"#, "ü".repeat(9000))).expect("an entry");
        let message = told(&entry).message;
        assert_eq!((message.chars().count(), message.ends_with('…')), (LONGEST + 1, true));
    }
}
