//! What the loop waits for.

use std::io;
use std::time::Instant;

use super::{Supervisor, first_of};
use crate::kernel::alarm;
use crate::service::signals::Signals;
use crate::systemd::main_process::Standing;
use crate::systemd::notify::Notifier;
use crate::systemd::stopping::Course;
use crate::words::outcome::Outcome;
use crate::wrap::supervise::supervisor::once::speaks_of;
use crate::wrap::supervise::wait::{end_of, reload_of_manager, was_read};

/// What the loop woke up for.
pub(super) enum Woken {
    ProbeEnded {
        set: usize,
        outcome: Outcome,
    },
    TimeCame,
    Reported {
        course: Course,
    },
    ReadyRead(bool),
    Restarts(Option<u32>),
    Mainship(io::Result<Standing>),
    ManagerReloads,
    FollowedEnded,
    /// systemd has sent what it had to send when it was asked.
    SystemdIsThrough,
    /// There may be reports of the witness.
    Witnessed,
    /// It does not answer.
    NotWitnessed,
    /// Others may have sent something.
    Knock,
}

impl Supervisor<'_> {
    /// Waits for the next of it.
    pub(super) async fn wake(&mut self, signals: &Signals) -> Woken {
        let (now, state) = (Instant::now(), &self.state);
        let times = [
            self.retry_at(),
            state.next_probe(),
            state.next_look(),
            state.no_ping_due(),
            self.outside.next_look(now),
            self.mainship.next_look(),
        ];
        let next = times.into_iter().flatten().min();
        // What systemd has no room for waits in COMMAND's socket, as it would in systemd's.
        let relay = self.relay.as_ref().filter(|_| self.notifier.as_ref().is_some_and(Notifier::has_room));
        let is_asking = self.report.is_some()
            || self.barrier.is_some()
            || self.restarts.is_some()
            || self.mainship.asking.is_some()
            || self.once.is_asking()
            || self.reloads.is_some();
        let (question, witness) = self.once.parts();
        let asked = async {
            tokio::select! {
                biased;
                course = end_of(self.report.as_mut()) => Woken::Reported { course },
                is_read = was_read(self.barrier.as_ref()) => Woken::ReadyRead(is_read),
                restarts = end_of(self.restarts.as_mut()) => Woken::Restarts(restarts),
                standing = end_of(self.mainship.asking.as_mut()) => Woken::Mainship(standing),
                woken = end_of(question) => woken,
                () = reload_of_manager(&mut self.reloads) => Woken::ManagerReloads,
            }
        };
        tokio::select! {
            // What others cannot make happen as often as they like comes first: no flood keeps it waiting.
            biased;
            (set, outcome) = first_of(&mut self.flights) => Woken::ProbeEnded { set, outcome },
            // Nothing of it is under way for most of a service's life.
            woken = asked, if is_asking => woken,
            () = alarm::at(next) => Woken::TimeCame,
            () = self.service.children.followed_ended() => Woken::FollowedEnded,
            () = speaks_of(witness) => Woken::Witnessed,
            () = self.outside.knock(signals, relay, now) => Woken::Knock,
        }
    }
}
