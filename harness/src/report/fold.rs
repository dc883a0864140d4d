//! Many events that say the same, as one line: systemd tells every process that it kills, and of some every thread.

use crate::model::clock::Usec;
use crate::model::event::{Event, Kind};

/// So many lines that say the same may stand one below another.
const FEW: usize = 3;
/// So many processes are named.
const NAMED: usize = 3;

/// A line of a timeline.
#[derive(Debug, PartialEq)]
pub struct Line<'a> {
    /// Of the first event.
    pub at: Usec,
    /// What happened.
    pub kind: &'a Kind,
    /// In words.
    pub text: String,
}

/// The lines of some events, in their order.
pub fn lines(events: &[Event]) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for same in events.chunk_by(|one, next| signal(one).is_some() && signal(one) == signal(next)) {
        match same {
            [first, ..] if same.len() > FEW => {
                lines.push(Line { at: first.at, kind: &first.kind, text: folded(same) });
            }
            few => lines.extend(few.iter().map(|event| Line {
                at: event.at,
                kind: &event.kind,
                text: event.kind.to_string(),
            })),
        }
    }
    lines
}

/// The signal that a process was sent.
fn signal(event: &Event) -> Option<&str> {
    match &event.kind {
        Kind::Killed { signal, .. } => Some(signal.as_deref().unwrap_or("a signal")),
        _ => None,
    }
}

fn folded(same: &[Event]) -> String {
    let signal = same.first().and_then(signal).unwrap_or("a signal");
    let mut pids = Vec::new();
    for event in same {
        match event.kind {
            Kind::Killed { pid: Some(pid), .. } if !pids.contains(&pid) => pids.push(pid),
            _ => {}
        }
    }
    let count = same.len();
    match pids.as_slice() {
        [] => format!("killed {count} processes with {signal}"),
        [pid] => format!("killed pid {pid} with {signal}, told {count} times"),
        pids => {
            let named = pids.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let more = if pids.len() > NAMED { ", …" } else { "" };
            let processes = pids.len();
            format!("killed {processes} processes with {signal}: pid {named}{more}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn killed(at: u64, pid: Option<u32>, signal: &str) -> Event {
        Event { at: Usec(at), kind: Kind::Killed { pid, signal: Some(signal.into()) } }
    }

    #[test]
    fn what_is_said_of_many_processes_is_said_once() {
        let ready = |at| Event { at: Usec(at), kind: Kind::Ready };
        let of = |pids: &[u32]| pids.iter().map(|pid| killed(7, Some(*pid), "SIGKILL")).collect::<Vec<_>>();
        let all = (1..=190).collect::<Vec<_>>();
        for (events, expected) in [
            (of(&[1]), vec!["killed pid 1 with SIGKILL"]),
            (
                of(&[1, 2, 3]),
                vec!["killed pid 1 with SIGKILL", "killed pid 2 with SIGKILL", "killed pid 3 with SIGKILL"],
            ),
            (of(&[52; 190]), vec!["killed pid 52 with SIGKILL, told 190 times"]),
            (of(&all), vec!["killed 190 processes with SIGKILL: pid 1, 2, 3, …"]),
            (of(&[1, 2, 1, 2]), vec!["killed 2 processes with SIGKILL: pid 1, 2"]),
            (vec![killed(7, None, "SIGKILL"); 4], vec!["killed 4 processes with SIGKILL"]),
            (
                [of(&[5; 4]), vec![killed(8, Some(5), "SIGABRT"), ready(9), ready(9), ready(9), ready(9)]]
                    .concat(),
                vec![
                    "killed pid 5 with SIGKILL, told 4 times",
                    "killed pid 5 with SIGABRT",
                    "ready",
                    "ready",
                    "ready",
                    "ready",
                ],
            ),
        ] {
            let lines = lines(&events);
            assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), expected);
            assert_eq!(lines.first().map(|line| line.at), Some(Usec(7)));
        }
    }
}
