//! What one datagram to systemd says.

use sd_notify::NotifyState;

/// A longer status is cut: the whole datagram must stay below `PIPE_BUF` (4096 bytes), or systemd ignores it.
const STATUS_MAX_BYTES: usize = 1024;

/// What a datagram says about the watchdog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// `WATCHDOG=1`
    Ping,
    /// `WATCHDOG=trigger`
    Trigger,
}

/// One datagram. Its lines travel together: systemd takes in `STATUS=` before it acts on `WATCHDOG=`, which puts the
/// reason into its log (`Watchdog request (last status: …)!`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// `READY=1`
    pub ready: bool,
    /// `STOPPING=1`
    pub stopping: bool,
    /// `STATUS=…`
    pub status: Option<String>,
    /// `WATCHDOG=…`
    pub watchdog: Option<Verdict>,
}

impl Message {
    /// Just a `STATUS=`.
    pub fn status(status: impl Into<String>) -> Self {
        Self { status: Some(status.into()), ..Self::default() }
    }

    /// There is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Puts `newer` over what could not be sent yet.
    ///
    /// READY, STOPPING and a trigger stay until they are sent. A ping does not: it vouches for one moment, so the newer
    /// message alone decides whether there is one.
    pub fn supersede(&mut self, newer: Self) {
        self.ready |= newer.ready;
        self.stopping |= newer.stopping;
        self.status = newer.status.or(self.status.take());
        if self.watchdog != Some(Verdict::Trigger) {
            self.watchdog = newer.watchdog;
        }
    }

    /// The datagram, in sd_notify(3)'s words.
    pub fn encode(&self) -> String {
        let status = self.status.as_deref().map(one_line);
        let lines = [
            self.ready.then_some(NotifyState::Ready),
            self.stopping.then_some(NotifyState::Stopping),
            status.as_deref().map(NotifyState::Status),
            self.watchdog.map(|verdict| match verdict {
                Verdict::Ping => NotifyState::Watchdog,
                Verdict::Trigger => NotifyState::WatchdogTrigger,
            }),
        ];
        let lines: Vec<String> = lines.iter().flatten().map(ToString::to_string).collect();
        lines.join("\n")
    }
}

/// Control characters would end the line, or the datagram (NUL).
fn one_line(status: &str) -> String {
    let mut line = String::with_capacity(status.len().min(STATUS_MAX_BYTES));
    for character in status.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if line.len() + character.len_utf8() > STATUS_MAX_BYTES - '…'.len_utf8() {
            line.push('…');
            break;
        }
        line.push(character);
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ping() -> Message {
        Message { watchdog: Some(Verdict::Ping), ..Message::default() }
    }

    fn trigger() -> Message {
        Message { watchdog: Some(Verdict::Trigger), ..Message::status("mute") }
    }

    #[test]
    fn the_words_are_those_of_sd_notify() {
        let ready = Message { ready: true, ..Message::status("up") };
        let stopping = Message { stopping: true, ..Message::default() };
        for (message, expected) in [
            (Message::default(), ""),
            (ready, "READY=1\nSTATUS=up"),
            (stopping, "STOPPING=1"),
            (ping(), "WATCHDOG=1"),
            (trigger(), "STATUS=mute\nWATCHDOG=trigger"),
        ] {
            assert_eq!(message.encode(), expected);
        }
    }

    #[test]
    fn what_waits_to_be_sent_keeps_ready_stopping_and_trigger_but_never_an_old_ping() {
        let ready = Message { ready: true, ..Message::status("up") };
        let stopping = Message { stopping: true, ..Message::default() };
        for (waiting, newer, expected) in [
            (ready.clone(), ping(), "READY=1\nSTATUS=up\nWATCHDOG=1"),
            (ready, stopping.clone(), "READY=1\nSTOPPING=1\nSTATUS=up"),
            (ping(), Message::default(), ""),
            (ping(), stopping, "STOPPING=1"),
            (ping(), trigger(), "STATUS=mute\nWATCHDOG=trigger"),
            (trigger(), Message::default(), "STATUS=mute\nWATCHDOG=trigger"),
            (trigger(), ping(), "STATUS=mute\nWATCHDOG=trigger"),
        ] {
            let mut message = waiting.clone();
            message.supersede(newer.clone());
            assert_eq!(message.encode(), expected, "{waiting:?} then {newer:?}");
        }
    }

    proptest! {
        #[test]
        fn any_status_is_one_line_and_fits(status in "(?s).{0,3000}", ready: bool) {
            let encoded = Message { ready, ..Message::status(status) }.encode();
            prop_assert!(encoded.len() <= 4096);
            prop_assert_eq!(encoded.lines().count(), 1 + usize::from(ready));
            prop_assert!(!encoded.contains('\0'));
        }
    }
}
