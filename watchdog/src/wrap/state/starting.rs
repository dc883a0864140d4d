//! From COMMAND's start to READY.

use std::time::{Duration, Instant};

use super::status::Kind;
use super::{Actions, Note, Phase, State};
use crate::cli::ChildReady;
use crate::systemd::message::Message;
use crate::words::outcome::{Cause, Reason};
use crate::words::span::rounded;

impl State {
    /// `able`: for how long the unit was able to run since COMMAND was started.
    pub(super) fn not_yet(&mut self, reason: Reason, able: Duration, now: Instant) -> Actions {
        // What could not be asked says nothing of a start either: TimeoutStartSec= decides.
        if !reason.is_ours() && self.start.is_overdue(able) && self.watch.call() {
            return self.start_overdue(&reason, now);
        }
        let took = now - self.probe_started;
        self.next_probe = Some(now + self.start.gap(&self.config.timing, took, now));
        let is_news = reason.is_ours() && self.watch.could_not_probe();
        let note = is_news.then(|| self.cannot_probe_note(&reason, now));
        let status = self.status.say(Kind::Waiting, now, || format!("waiting for {reason}"));
        self.not_yet = Some(reason);
        Actions { message: Message { status, ..Message::default() }, note, ..Actions::default() }
    }

    pub(super) fn answers(&mut self, able: Duration, now: Instant) -> Actions {
        let waits_for_child = match self.config.child_ready {
            ChildReady::Ignore => false,
            // With nothing else to go by, its own word is all there is.
            ChildReady::Auto => (self.child.is_heard || self.target_is_child()) && !self.child.is_ready,
            ChildReady::Require => !self.child.is_ready,
        };
        if waits_for_child {
            let reason = Reason::new(Cause::ChildPing, "COMMAND to say that it is ready; it answers already");
            let actions = self.not_yet(reason, able, now);
            let is_missed = !self.child.is_heard && !std::mem::replace(&mut self.child.is_missed, true);
            return Actions { note: actions.note.or(is_missed.then_some(Note::Unheard)), ..actions };
        }
        self.ready(now)
    }

    /// No ping goes with it: READY=1 restarts systemd's timer itself (`service_enter_start_post`).
    pub(super) fn ready(&mut self, now: Instant) -> Actions {
        self.not_yet = None;
        self.watch.forget();
        let is_watched = self.config.watchdog.is_some();
        self.enter(if is_watched { Phase::Watching } else { Phase::Unguarded });
        if is_watched {
            let dice = self.random.f64();
            self.next_probe = Some(self.watch.after_interval(self.probe_started, None, dice, now));
            self.restart_timer(now);
        }
        self.answered = now;
        self.sound_since = Some(now);
        self.child.pinged = Some(now);
        let text = self.healthy_text(now);
        let text = self.status.now(Kind::Healthy, now, &text);
        Actions {
            message: Message { ready: true, ..Message::status(text) },
            note: Some(Note::Ready { after: self.start.lasted(now) }),
            ..Actions::default()
        }
    }

    pub(super) fn looked(&mut self, is_progress: bool, able: Duration, now: Instant) -> Actions {
        let extend = self.start.looked(is_progress, able, now);
        Actions { message: Message { extend, ..Message::default() }, ..Actions::default() }
    }

    pub(super) fn manager_reloads(&self, now: Instant) -> Actions {
        let extend = self.start.extended(now);
        Actions { message: Message { extend, ..Message::default() }, ..Actions::default() }
    }

    pub(super) fn start_overdue(&mut self, reason: &Reason, now: Instant) -> Actions {
        let limit = self.config.start_timeout.unwrap_or_default();
        let hang = format!("hung, not healthy {} after its start: {reason}", rounded(limit));
        // systemd's own timer for a start was extended beyond this by more than a report takes.
        self.hung(hang, now + self.config.report_budget, now)
    }
}
