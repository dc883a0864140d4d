//! What one datagram to systemd says.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::text;

/// A longer status is cut: the whole datagram must not exceed `PIPE_BUF` (4096 bytes), or systemd ignores it.
const STATUS_MAX_BYTES: usize = 1024;

/// What a datagram says about the watchdog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchdogWord {
    /// `WATCHDOG=1`
    Ping,
    /// `WATCHDOG=trigger`
    Trigger,
}

/// One datagram. Its lines travel together: systemd takes in `STATUS=` before it acts on `WATCHDOG=`, which puts the
/// reason into its log (`Watchdog request (last status: …)!`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// `RELOADING=1`, with `MONOTONIC_USEC=` the time of `CLOCK_MONOTONIC` at which it began, in µs. systemd compares it
    /// with the time of its own SIGHUP (`Type=notify-reload`).
    pub reloading: Option<u64>,
    /// `READY=1`. Together with `reloading`: a reload that began and is over (systemd 253 and later).
    pub ready: bool,
    /// `STOPPING=1`
    pub stopping: bool,
    /// `STATUS=…`
    pub status: Option<String>,
    /// `EXTEND_TIMEOUT_USEC=…`: the start, reload or stop under way may take at least this much longer, from when
    /// systemd reads it. It moves the watchdog's deadline as well (`service_extend_timeout`): between READY and STOPPING
    /// it would hide a hang that long.
    pub extend: Option<Duration>,
    /// `RESTART_RESET=1`: `RestartSteps=` begin anew (systemd 258; earlier ones ignore it).
    pub restart_reset: bool,
    /// `WATCHDOG=…`
    pub watchdog: Option<WatchdogWord>,
    /// `WATCHDOG_USEC=` infinity: systemd's own timer rests for the rest of this life. systemd stops it when it stops the unit,
    /// and starts it again at a ping that it reads afterwards (`service_reset_watchdog`): what drains for longer than W was
    /// killed for it.
    pub rest: bool,
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

    /// Puts `newer` over `self`, which could not be sent yet, so that the one datagram has the effect of both. Where
    /// one datagram cannot, what must be sent after `self` comes back.
    ///
    /// | word | waiting, then newer | because |
    /// |---|---|---|
    /// | READY, RELOADING, STOPPING | equal: one, with the newer time; different: **two datagrams** | of several in one datagram systemd heeds one: the last one up to 256. A service that stops before its READY was read has failed |
    /// | STATUS | the newer | systemd keeps one |
    /// | WATCHDOG=1 | the newer message alone decides | a ping vouches for one moment |
    /// | WATCHDOG=trigger | stays as it is, with its STATUS: **two datagrams** | the status is the reason that systemd logs |
    /// | EXTEND_TIMEOUT_USEC | the longer; none of before a change of state | it counts from when it is read, for the state that is then |
    /// | RESTART_RESET, WATCHDOG_USEC | if either says it | it can be said twice |
    pub fn supersede(&mut self, mut newer: Self) -> Option<Self> {
        if self.watchdog == Some(WatchdogWord::Trigger) {
            newer.withdraw_ping();
            return Some(newer).filter(|newer| !newer.is_empty());
        }
        self.withdraw_ping();
        if self.changes_state() && newer.changes_state() && self.words_of_state() != newer.words_of_state() {
            return Some(newer);
        }
        self.extend = if newer.changes_state() { newer.extend } else { self.extend.max(newer.extend) };
        self.reloading = newer.reloading.or(self.reloading);
        self.ready |= newer.ready;
        self.stopping |= newer.stopping;
        self.status = newer.status.or(self.status.take());
        self.restart_reset |= newer.restart_reset;
        self.watchdog = newer.watchdog;
        self.rest |= newer.rest;
        None
    }

    /// Takes back a `WATCHDOG=1`: its moment is over.
    pub fn withdraw_ping(&mut self) {
        if self.watchdog == Some(WatchdogWord::Ping) {
            self.watchdog = None;
        }
    }

    fn changes_state(&self) -> bool {
        self.words_of_state() != (false, false, false)
    }

    fn words_of_state(&self) -> (bool, bool, bool) {
        (self.reloading.is_some(), self.ready, self.stopping)
    }

    /// The datagram, in sd_notify(3)'s words.
    pub fn encode(&self) -> String {
        let mut lines = Lines(String::with_capacity(64 + self.status.as_ref().map_or(0, String::len)));
        if let Some(began) = self.reloading {
            lines.push(format_args!("RELOADING=1\nMONOTONIC_USEC={began}"));
        }
        if self.ready {
            lines.push(format_args!("READY=1"));
        }
        if self.stopping {
            lines.push(format_args!("STOPPING=1"));
        }
        if let Some(status) = &self.status {
            lines.push(format_args!("STATUS={}", OneLine(status)));
        }
        if let Some(extend) = self.extend {
            lines.push(format_args!("EXTEND_TIMEOUT_USEC={}", extend.as_micros()));
        }
        if self.restart_reset {
            lines.push(format_args!("RESTART_RESET=1"));
        }
        match self.watchdog {
            Some(WatchdogWord::Ping) => lines.push(format_args!("WATCHDOG=1")),
            Some(WatchdogWord::Trigger) => lines.push(format_args!("WATCHDOG=trigger")),
            None => {}
        }
        if self.rest {
            lines.push(format_args!("WATCHDOG_USEC={}", u64::MAX));
        }
        lines.0
    }
}

struct Lines(String);

impl Lines {
    fn push(&mut self, line: fmt::Arguments<'_>) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        // Writing to a String cannot fail.
        let _ = self.0.write_fmt(line);
    }
}

/// Control characters would end the line, or the datagram (NUL). A backslash takes the meaning from what follows it
/// (`strv_split_newlines` in systemd): at the end of a status it would swallow the next line, a trigger, say. So each is
/// doubled.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut length = 0;
        for character in self.0.chars() {
            length += character.len_utf8();
            if length > STATUS_MAX_BYTES - '…'.len_utf8() {
                return f.write_char('…');
            }
            match character {
                '\\' => f.write_str("\\\\")?,
                character => f.write_char(text::printable(character))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ping() -> Message {
        Message { watchdog: Some(WatchdogWord::Ping), ..Message::default() }
    }

    fn trigger() -> Message {
        Message { watchdog: Some(WatchdogWord::Trigger), ..Message::status("mute") }
    }

    fn ready() -> Message {
        Message { ready: true, ..Message::status("up") }
    }

    fn reloading(began: u64) -> Message {
        Message { reloading: Some(began), ..Message::default() }
    }

    fn stopping() -> Message {
        Message { stopping: true, ..Message::default() }
    }

    fn extend(seconds: u64) -> Message {
        Message { extend: Some(Duration::from_secs(seconds)), ..Message::default() }
    }

    fn restart_reset() -> Message {
        Message { restart_reset: true, ..Message::default() }
    }

    #[test]
    fn the_words_are_those_of_sd_notify() {
        for (message, expected) in [
            (Message::default(), ""),
            (ready(), "READY=1\nSTATUS=up"),
            (reloading(17), "RELOADING=1\nMONOTONIC_USEC=17"),
            (Message { ready: true, ..reloading(17) }, "RELOADING=1\nMONOTONIC_USEC=17\nREADY=1"),
            (stopping(), "STOPPING=1"),
            (ping(), "WATCHDOG=1"),
            (trigger(), "STATUS=mute\nWATCHDOG=trigger"),
            (extend(2), "EXTEND_TIMEOUT_USEC=2000000"),
            (restart_reset(), "RESTART_RESET=1"),
            (Message::status(""), "STATUS="),
            (Message::status("C:\\"), "STATUS=C:\\\\"),
        ] {
            assert_eq!(message.encode(), expected);
        }
    }

    #[test]
    fn what_waits_and_what_is_new_go_out_as_if_both_had_been_sent_in_turn() {
        for (waiting, newer, expected) in [
            (ready(), ping(), &["READY=1\nSTATUS=up\nWATCHDOG=1"][..]),
            (ready(), ready(), &["READY=1\nSTATUS=up"]),
            (ready(), stopping(), &["READY=1\nSTATUS=up", "STOPPING=1"]),
            (ready(), reloading(1), &["READY=1\nSTATUS=up", "RELOADING=1\nMONOTONIC_USEC=1"]),
            (reloading(1), ready(), &["RELOADING=1\nMONOTONIC_USEC=1", "READY=1\nSTATUS=up"]),
            (reloading(1), reloading(2), &["RELOADING=1\nMONOTONIC_USEC=2"]),
            (reloading(1), Message::status("x"), &["RELOADING=1\nMONOTONIC_USEC=1\nSTATUS=x"]),
            (ready(), Message::status("new"), &["READY=1\nSTATUS=new"]),
            (Message::status("waiting"), ready(), &["READY=1\nSTATUS=up"]),
            (ping(), Message::default(), &[""]),
            (ping(), ping(), &["WATCHDOG=1"]),
            (ping(), stopping(), &["STOPPING=1"]),
            (ping(), trigger(), &["STATUS=mute\nWATCHDOG=trigger"]),
            (ready(), trigger(), &["READY=1\nSTATUS=mute\nWATCHDOG=trigger"]),
            (trigger(), Message::default(), &["STATUS=mute\nWATCHDOG=trigger"]),
            (trigger(), ping(), &["STATUS=mute\nWATCHDOG=trigger"]),
            (trigger(), Message::status("killed"), &["STATUS=mute\nWATCHDOG=trigger", "STATUS=killed"]),
            (extend(3), extend(2), &["EXTEND_TIMEOUT_USEC=3000000"]),
            (extend(2), extend(3), &["EXTEND_TIMEOUT_USEC=3000000"]),
            (extend(3), Message::status("x"), &["STATUS=x\nEXTEND_TIMEOUT_USEC=3000000"]),
            (extend(3), ready(), &["READY=1\nSTATUS=up"]),
            (
                extend(3),
                Message { stopping: true, ..extend(2) },
                &["STOPPING=1\nEXTEND_TIMEOUT_USEC=2000000"],
            ),
            (restart_reset(), ping(), &["RESTART_RESET=1\nWATCHDOG=1"]),
            (ready(), restart_reset(), &["READY=1\nSTATUS=up\nRESTART_RESET=1"]),
        ] {
            let mut message = waiting.clone();
            let rest = message.supersede(newer.clone());
            let sent: Vec<_> = [Some(message), rest].iter().flatten().map(Message::encode).collect();
            assert_eq!(sent, expected, "{waiting:?} then {newer:?}");
        }
    }

    proptest! {
        #[test]
        fn any_status_is_one_line_and_fits(status in "(?s)(.|\\\\){0,3000}", ready: bool) {
            let encoded = Message { ready, ..Message::status(status) }.encode();
            prop_assert!(encoded.len() <= 4096);
            prop_assert_eq!(encoded.lines().count(), 1 + usize::from(ready));
            prop_assert!(!encoded.contains('\0'));
        }
    }
}
