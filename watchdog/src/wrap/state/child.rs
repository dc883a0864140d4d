//! What COMMAND itself says to systemd, and what it is worth.

use std::time::Instant;

use super::{Actions, Note, Phase, State};
use crate::cli::ChildPings;
use crate::cli::OnHang;
use crate::systemd::message::{Message, WatchdogWord};
use crate::systemd::relay::Notification;
use crate::words::outcome::{Cause, Reason};
use crate::words::span::rounded;

/// What COMMAND itself has said to systemd.
#[derive(Debug, Clone, Default)]
pub(super) struct Child {
    /// Anything at all.
    pub(super) is_heard: bool,
    /// `READY=1`
    pub(super) is_ready: bool,
    /// That nothing was heard of it, and is waited for, was noted.
    pub(super) is_missed: bool,
    /// The last `WATCHDOG=1`, or READY where none came yet.
    pub(super) pinged: Option<Instant>,
    /// What it said may wait where it could not be read.
    pub(super) is_unheard: bool,
}

impl State {
    /// COMMAND has said anything at all.
    pub fn child_is_heard(&self) -> bool {
        self.child.is_heard
    }

    /// Whether all that COMMAND has said until now was read.
    pub fn hears_child(&mut self, all: bool) {
        self.child.is_unheard = !all;
    }

    pub(super) fn heard(&mut self, said: Notification, now: Instant) -> Actions {
        self.child.is_heard = true;
        if let Some(status) = said.status {
            self.status.child_says(status);
        }
        // While it is watched this would put systemd's own timer off too, and hide a hang that long.
        let extend = said.extend.filter(|_| self.phase == Phase::Starting);
        let mut message = Message { extend, ..Message::default() };
        match said.watchdog {
            Some(WatchdogWord::Ping) => self.child.pinged = Some(now),
            Some(WatchdogWord::Trigger) => return self.triggered_by_itself(now),
            None => {}
        }
        if said.stopping && self.may_stop_to_reload(now) {
            return self.stopping_in_reload(now);
        }
        if said.stopping {
            return self.stop("COMMAND says so", true);
        }
        if let Some(reloading) = said.reloading
            && self.phase != Phase::Starting
        {
            message.reloading =
                self.reload.begun(reloading.monotonic_usec, self.failures_in_a_row() == 0, now);
            self.status.is_news();
        }
        if said.ready {
            self.child.is_ready = true;
            self.reload.child_is_ready();
            // Whatever it waited for so far, it is worth a look now.
            if self.phase == Phase::Starting {
                self.ask_by(now, |_| true);
            } else if self.reload.is_on() {
                self.look_soon(now);
            }
        }
        Actions { message, ..Actions::default() }
    }

    /// What reloads by starting itself anew may say that its old self stops. systemd 259 and later take the word as the
    /// last one, and kill what lives on. If it stops indeed, its end tells; until then systemd's own timer looks after it.
    fn stopping_in_reload(&mut self, now: Instant) -> Actions {
        self.no_hang_for_now(now);
        Actions { note: Some(Note::StoppingInReload), ..Actions::default() }
    }

    /// COMMAND has asked systemd to restart it: so it shall, whatever `--on-hang` says, and without a watchdog too.
    fn triggered_by_itself(&mut self, now: Instant) -> Actions {
        let carrier = self.carrier();
        if self.config.dry_run && !self.call(carrier) {
            return Actions::default();
        }
        let hang = "hung: COMMAND itself says so (WATCHDOG=trigger)".to_owned();
        let deadline = if self.config.watchdog.is_some() && self.phase == Phase::Watching {
            self.report_deadline(now)
        } else {
            now + self.config.report_budget
        };
        self.config.on_hang = OnHang::Trigger;
        self.hung(carrier, hang, deadline, now)
    }

    /// COMMAND's own pings are all that is asked for.
    pub(super) fn target_is_child(&self) -> bool {
        self.config.child_pings == ChildPings::Require && self.sets.iter().all(|set| set.target.is_empty())
    }

    /// Where COMMAND's own pings are asked for: that none has come for as long as systemd itself would have waited.
    pub(super) fn child_silence(&self, now: Instant) -> Option<Reason> {
        if self.config.child_pings == ChildPings::Ignore {
            return None;
        }
        if self.child.is_unheard {
            return None;
        }
        let silent = now - self.child.pinged?;
        (silent > self.config.watchdog?).then(|| {
            Reason::new(
                Cause::ChildPing,
                format!("COMMAND: no WATCHDOG=1 of its own for {}", rounded(silent)),
            )
        })
    }

    /// What is asked for a reload alone does not answer.
    pub(super) fn not_yet_reloaded(&mut self, index: usize, reason: &Reason, now: Instant) -> Actions {
        self.ask_again_in_reload(index, now);
        if self.reload.waits_for(reason) {
            self.status.is_news();
        }
        Actions::default()
    }

    /// Without a watchdog it is probed for a reload only; and so is a set that gates READY.
    pub(super) fn reloaded(&mut self, index: usize, now: Instant) -> Actions {
        let set = &mut self.sets[index];
        set.vouched = set.started;
        let Some(asked) = self.reload_answered() else {
            let set = &mut self.sets[index];
            set.next = self.reload.is_on().then(|| (set.started + set.timing.interval).max(now));
            return Actions::default();
        };
        self.ask_no_more_for_reload();
        Actions {
            message: Message { ready: true, ..Message::default() },
            note: Some(Note::Reloaded { after: now - asked }),
            ..Actions::default()
        }
    }
}
