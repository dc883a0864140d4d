//! From COMMAND's start to READY.

use std::time::{Duration, Instant};

use super::start::gap;
use super::status::Kind;
use super::{Actions, Note, Phase, State};
use crate::cli::ChildReady;
use crate::systemd::message::Message;
use crate::words::outcome::{Cause, Reason};
use crate::words::span::rounded;

impl State {
    /// The set is not healthy yet. `able`: for how long the unit was able to run since COMMAND was started.
    pub(super) fn not_yet(&mut self, index: usize, reason: Reason, able: Duration, now: Instant) -> Actions {
        let set = &mut self.sets[index];
        set.is_sound = false;
        // What could not be asked says nothing of a start either: TimeoutStartSec= decides. So it does of what never makes a hang.
        if !reason.is_ours() && !set.ready_only && self.start.is_overdue(able) && self.call(index) {
            return self.start_overdue(index, &reason, now);
        }
        self.waits(index, reason, now)
    }

    fn waits(&mut self, index: usize, reason: Reason, now: Instant) -> Actions {
        let set = &mut self.sets[index];
        let took = now - set.started;
        set.next = Some(now + gap(self.start.lasted(now), &set.timing, took));
        let is_news = reason.is_ours() && set.watch.could_not_probe();
        let note = is_news.then(|| self.cannot_probe_note(&reason, now));
        let status = self.status.say(Kind::Waiting, now, || format!("waiting for {reason}"));
        self.sets[index].not_yet = Some(reason);
        Actions { message: Message { status, ..Message::default() }, note, ..Actions::default() }
    }

    pub(super) fn answers(&mut self, index: usize, able: Duration, now: Instant) -> Actions {
        let set = &mut self.sets[index];
        (set.is_sound, set.vouched, set.not_yet) = (true, set.started, None);
        if !self.sets.iter().all(|set| set.is_sound) {
            // It is to be healthy still when the others are.
            let set = &mut self.sets[index];
            set.next = Some((set.started + set.timing.interval).max(now));
            return Actions::default();
        }
        let waits_for_child = match self.config.child_ready {
            ChildReady::Ignore => false,
            // With nothing else to go by, its own word is all there is.
            ChildReady::Auto => (self.child.is_heard || self.target_is_child()) && !self.child.is_ready,
            ChildReady::Require => !self.child.is_ready,
        };
        if waits_for_child {
            let reason = Reason::new(Cause::ChildPing, "COMMAND to say that it is ready; it answers already");
            // It is the whole start that lasts too long then, whichever set it is that was probed.
            let carrier = self.carrier();
            if self.start.is_overdue(able) && self.call(carrier) {
                return self.start_overdue(carrier, &reason, now);
            }
            let actions = self.waits(index, reason, now);
            let is_missed = !self.child.is_heard && !std::mem::replace(&mut self.child.is_missed, true);
            return Actions { note: actions.note.or(is_missed.then_some(Note::Unheard)), ..actions };
        }
        self.ready(index, now)
    }

    /// No ping goes with it: READY=1 restarts systemd's timer itself (`service_enter_start_post`).
    fn ready(&mut self, index: usize, now: Instant) -> Actions {
        let is_watched = self.config.watchdog.is_some();
        self.enter(if is_watched { Phase::Watching } else { Phase::Unguarded });
        for set in &mut self.sets {
            set.watch.forget();
            (set.not_yet, set.answered, set.next) = (None, now, None);
            if is_watched && !set.ready_only && !set.in_flight {
                let dice = self.random.f64();
                set.next = Some(set.watch.after_interval(set.started, None, dice, now));
            }
        }
        if is_watched {
            self.restart_timer(now);
        }
        self.sound_since = Some(now);
        self.child.pinged = Some(now);
        let text = self.healthy_text(index, now);
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

    fn start_overdue(&mut self, set: usize, reason: &Reason, now: Instant) -> Actions {
        let limit = self.config.start_timeout.unwrap_or_default();
        let hang = format!("hung, not healthy {} after its start: {reason}", rounded(limit));
        // systemd's own timer for a start was extended beyond this by more than a report takes.
        self.hung(set, hang, now + self.config.report_budget, now)
    }
}
