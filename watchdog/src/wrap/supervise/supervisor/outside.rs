//! What others send: signals, ended children, and what COMMAND and its like say.
//!
//! Anybody may send as much as they like: a service logs `STATUS=` in a loop, a stranger floods its socket, a test
//! queues real-time signals. The loop must get to its probes all the same. So each of them gets a handful taken at a time and a
//! [`Share`] of the time, and what does not depend on others is looked at first. What is not taken waits where it is.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use nix::libc::{SIGABRT, SIGCHLD, SIGINT, SIGQUIT};

use super::Supervisor;
use crate::service::end::End;
use crate::service::signals::{self, MOST_PRESSING, Received, Signals};
use crate::systemd::notify::{Notifier, monotonic_usec};
use crate::systemd::relay::{Next, Relay};
use crate::wrap::state::{Event, Phase};
use crate::wrap::supervise::share::{Share, Turn};
use crate::wrap::supervise::wait::{signalled, speaks};

/// Where a verdict depends on it, so many are looked at: more than a queue of the kernel's default length holds.
const MOST_AT_ONCE: usize = 32;
/// As many signals for which COMMAND has no room are kept.
const MOST_HELD: usize = 1024;
/// When a signal for which COMMAND had no room is tried again.
const NO_ROOM: Duration = Duration::from_millis(5);
/// When a descriptor is tried again that could not be read: the kernel may have run out of memory for a moment.
const DEAF: Duration = Duration::from_millis(250);

/// How much of it was taken, and what is left.
#[derive(Debug, Default)]
pub(super) struct Outside {
    pressing: Share,
    queued: Share,
    relay: Share,
    /// Queued signals that COMMAND has no room for, in their order.
    held: VecDeque<Received>,
    /// More children have ended than were waited for.
    has_more_ended: bool,
    /// The relay could not be read: whether there is something in it is not known.
    is_deaf: bool,
    /// The same of queued signals. The others are looked at in every turn.
    is_blind: bool,
    /// There was as much as was taken, or more.
    is_busy: bool,
    /// The relay, or signals, could not be read, and that was logged.
    complained: [bool; 2],
    /// So was a queued signal that was lost.
    has_lost: bool,
}

impl Outside {
    /// When there is to be looked again at what was left.
    pub fn next_look(&self, now: Instant) -> Option<Instant> {
        let rests = [&self.pressing, &self.queued, &self.relay].map(|share| share.rests_until(now));
        rests.into_iter().flatten().min()
    }

    /// Ends when somebody may have sent something that there is room and time for. `relay`: if there is room.
    pub async fn knock(&self, signals: &Signals, relay: Option<&Relay>, now: Instant) {
        let is_free = |share: &Share| share.rests_until(now).is_none();
        let holds = !self.held.is_empty() || self.is_blind;
        if self.has_more_ended
            || (holds && is_free(&self.queued))
            || (self.is_deaf && relay.is_some() && is_free(&self.relay))
        {
            return;
        }
        let pressing = Some(&signals.pressing).filter(|_| is_free(&self.pressing));
        let queued = Some(&signals.queued).filter(|_| !holds && is_free(&self.queued));
        let relay = relay.filter(|_| !self.is_deaf && is_free(&self.relay));
        tokio::select! {
            biased;
            () = signalled(pressing) => {}
            () = speaks(relay) => {}
            () = signalled(queued) => {}
        }
    }

    /// More of it may be there than was taken: others are to have their turn before the next look.
    pub fn is_busy(&self) -> bool {
        self.is_busy || self.has_more_ended
    }

    fn complain(&mut self, about: usize, what: &str, error: &io::Error) {
        if !std::mem::replace(&mut self.complained[about], true) {
            tracing::warn!("cannot {what}: {error}; trying again");
        }
    }
}

impl Supervisor<'_> {
    /// Takes in the signals that are there, apart from those that can wait, and says how COMMAND ended, if it has.
    ///
    /// To be called in every turn, before anything else that it brings: a stop that comes at the same moment as the end
    /// of a probe comes first, so that there is no ping any more.
    pub(super) fn take_signals(&mut self, signals: &Signals) -> Option<End> {
        let began = Instant::now();
        self.outside.is_busy = false;
        if self.outside.has_more_ended
            && let Some(end) = self.reap()
        {
            return Some(end);
        }
        for number in 0..=MOST_PRESSING {
            match signals.pressing.take() {
                Ok(Some(signal)) => {
                    if let Some(end) = self.receive(&signal) {
                        return Some(end);
                    }
                }
                Ok(None) if number == 0 => return None,
                Ok(None) => break,
                Err(error) => {
                    self.outside.complain(0, "read the signals that were sent", &error);
                    self.outside.pressing.rest_until(began + DEAF);
                    // Among them there may be one that tells of an end.
                    return self.reap();
                }
            }
        }
        self.outside.pressing.charge(began, Instant::now());
        None
    }

    /// Waits for the children that have ended, and says how COMMAND did, if it has.
    pub(super) fn reap(&mut self) -> Option<End> {
        let children = self.service.children;
        if children.main_has_ended() {
            // What COMMAND said before it ended counts: it may have named another main process.
            self.drain();
        }
        let reaped = children.reap();
        self.outside.has_more_ended = reaped.has_more;
        reaped.end
    }

    fn receive(&mut self, signal: &Received) -> Option<End> {
        if signal.number == SIGCHLD {
            return self.reap();
        }
        // Before passing it on: systemd must hear of the stop, or the reload, before COMMAND can act on it.
        let config = self.service.config;
        if signal.number == SIGABRT {
            // What systemd's watchdog sends (`WatchdogSignal=`): systemd knows then.
            self.step(Event::StopAsked { signal: signals::name(signal.number), announce: false });
        } else if config.stop_signals.contains(&signal.number) {
            self.step(Event::StopAsked { signal: signals::name(signal.number), announce: true });
        } else if config.reload_signal == Some(signal.number) && self.would_die_of(signal) {
            let name = signals::name(signal.number);
            self.step(Event::ReloadRefused { signal: name, monotonic_usec: monotonic_usec() });
            return None;
        } else if config.reload_signal == Some(signal.number) {
            self.step(Event::ReloadAsked { monotonic_usec: monotonic_usec() });
        } else if matches!(signal.number, SIGINT | SIGQUIT) {
            self.step(Event::MayStop);
        }
        if signal.by_kernel {
            self.reached(signal);
        } else {
            self.deliver(signal);
        }
        None
    }

    /// Whether a reload is to be refused. At the end, any signal may be meant to hasten it; and where there is no systemd
    /// that asks for reloads, it is a shell that says goodbye.
    fn would_die_of(&self, signal: &Received) -> bool {
        !signal.by_kernel
            && self.notifier.is_some()
            && !matches!(self.state.phase(), Phase::Stopping | Phase::Hung)
            && self.service.children.main_would_die_of(signal.number)
    }

    /// Takes in a handful of what can wait.
    pub(super) fn take_others(&mut self, signals: &Signals) {
        self.hear();
        self.take_queued(signals);
    }

    /// Reads what waits in the relay, whoever's turn it is: a ping that came in time may lie there. False where there is more
    /// than that, or it cannot be read: then nobody knows whether there is one.
    pub(super) fn hear_all(&mut self) -> bool {
        for _ in 0..MOST_AT_ONCE {
            if !self.notifier.as_ref().is_some_and(Notifier::has_room) {
                return false;
            }
            let Some(relay) = self.relay.as_ref() else { return true };
            match relay.take(self.first_pid, self.named) {
                Ok(Next::Notification(heard)) => self.heard(*heard),
                Ok(Next::Ignored) => {}
                Ok(Next::Nothing) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    /// What COMMAND, and whoever else, says over the relay.
    fn hear(&mut self) {
        let mut turn = Turn::begin(Instant::now());
        if self.outside.relay.rests_until(turn.began()).is_some() {
            return;
        }
        while turn.goes_on(Instant::now()) {
            let has_room = self.notifier.as_ref().is_some_and(Notifier::has_room);
            let Some(relay) = self.relay.as_ref().filter(|_| has_room) else { break };
            self.outside.is_deaf = false;
            match relay.take(self.first_pid, self.named) {
                Ok(Next::Notification(heard)) => self.heard(*heard),
                Ok(Next::Ignored) => {}
                Ok(Next::Nothing) => break,
                Err(error) => {
                    self.outside.complain(1, "read what COMMAND says to systemd", &error);
                    self.outside.is_deaf = true;
                    self.outside.relay.rest_until(turn.began() + DEAF);
                    break;
                }
            }
            turn.took_one();
        }
        self.outside.is_busy |= turn.is_full();
        turn.end(&mut self.outside.relay, Instant::now());
    }

    /// Passes real-time signals on, as long as there is room for them.
    fn take_queued(&mut self, signals: &Signals) {
        let mut turn = Turn::begin(Instant::now());
        if self.outside.queued.rests_until(turn.began()).is_some() {
            return;
        }
        self.outside.is_blind = false;
        while turn.goes_on(Instant::now()) {
            let held = self.outside.held.pop_front();
            let signal = match held.map_or_else(|| signals.queued.take(), |held| Ok(Some(held))) {
                Ok(Some(signal)) => signal,
                Ok(None) => break,
                Err(error) => {
                    self.outside.complain(0, "read the signals that were sent", &error);
                    self.outside.is_blind = true;
                    self.outside.queued.rest_until(turn.began() + DEAF);
                    break;
                }
            };
            if !self.child.pass_on(&signal) && !self.pass_on_in_place_of_another(&signal, signals) {
                self.outside.held.push_front(signal);
                self.outside.queued.rest_until(turn.began() + NO_ROOM);
                break;
            }
            turn.took_one();
        }
        self.outside.is_busy |= turn.is_full();
        turn.end(&mut self.outside.queued, Instant::now());
    }

    /// What waits for us uses up the same room as what waits for COMMAND, the user's (`RLIMIT_SIGPENDING`): to take one of
    /// ours in makes room for one more.
    fn pass_on_in_place_of_another(&mut self, signal: &Received, signals: &Signals) -> bool {
        let Ok(Some(next)) = signals.queued.take() else { return false };
        let is_passed = self.child.pass_on(signal);
        if self.outside.held.len() < MOST_HELD {
            self.outside.held.push_back(next);
        } else if !std::mem::replace(&mut self.outside.has_lost, true) {
            tracing::warn!(
                "{} is lost: COMMAND has no room for it (LimitSIGPENDING=)",
                signals::name(next.number)
            );
        }
        is_passed
    }
}
