//! A reload: from RELOADING=1 to the READY=1 that ends it.
//!
//! With `Type=notify-reload` (systemd 253) systemd sends `ReloadSignal=` and waits for both, the first with the time at
//! which it was said. Either COMMAND says them itself, or they are said for it: RELOADING=1 before the signal is passed
//! on, READY=1 at the first healthy probe that was started after it. Under `Type=notify` they do no harm: the unit shows
//! as "reloading" for as long.
//!
//! Where COMMAND would die of the signal the reload is refused. systemd sees us as the main process, which has a handler, so
//! it cannot know; where it can (262 and later) it does not even take such a unit up. There is no word for "refused": the
//! reload is said to be over at once, with the reason in STATUS and in the log, instead of leaving systemd to time out.

use std::time::Instant;

use super::status::Kind;
use super::{Actions, Note, State};
use crate::systemd::message::Message;

/// Whether one is under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Reload {
    /// Since when.
    asked: Option<Instant>,
    /// COMMAND has said RELOADING=1 itself, and not READY=1 yet.
    is_childs: bool,
}

impl Reload {
    /// The signal came.
    pub(super) fn asked(&mut self, now: Instant) {
        *self = Self { asked: Some(now), is_childs: false };
    }

    /// COMMAND says so: what to say in RELOADING=1's `MONOTONIC_USEC`, unless it was said for it already.
    pub(super) fn begun(&mut self, monotonic_usec: Option<u64>, now: Instant) -> Option<u64> {
        self.is_childs = true;
        if self.asked.is_some() {
            return None;
        }
        self.asked = Some(now);
        // Type=notify-reload wants the time, Type=notify does not look at it.
        Some(monotonic_usec.unwrap_or_default())
    }

    /// COMMAND's own READY=1.
    pub(super) fn child_is_ready(&mut self) {
        self.is_childs = false;
    }

    pub(super) fn is_on(&self) -> bool {
        self.asked.is_some()
    }

    /// A probe that was started at `started` is healthy: when the reload that it ends was asked for, if it ends one.
    pub(super) fn answered(&mut self, started: Instant) -> Option<Instant> {
        if self.is_childs {
            return None;
        }
        self.asked.take_if(|asked| started >= *asked)
    }
}

impl State {
    pub(super) fn reload_refused(&mut self, signal: String, monotonic_usec: u64, now: Instant) -> Actions {
        let text = format!("reload refused: COMMAND has no handler for {signal}, and would end");
        let text = self.status.now(Kind::Unhealthy, now, &text);
        // One of its own goes on.
        let is_on = self.reload.is_on();
        let message =
            Message { reloading: (!is_on).then_some(monotonic_usec), ready: !is_on, ..Message::status(text) };
        Actions { message, note: Some(Note::ReloadRefused { signal }), ..Actions::default() }
    }
}
