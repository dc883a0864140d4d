//! What [`State`](super::State) takes in, and what it gives out.

use crate::hang::watch::Ended;
use crate::kernel::stalls::{Limit, Pressure};
use std::time::{Duration, Instant};

use crate::systemd::message::Message;
use crate::systemd::relay::Notification;
use crate::systemd::stopping::Course;
use crate::words::outcome::Reason;

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The time [`State::next_probe_of`](super::State::next_probe_of) named for this set has come.
    ProbeDue {
        /// Its index.
        set: usize,
    },
    /// The probe that was started of this set has ended.
    ProbeEnded {
        /// Its index.
        set: usize,
        /// How.
        ended: Ended,
    },
    /// The time [`State::no_ping_due`](super::State::no_ping_due) named has come: no ping was said for long.
    NoPing {
        /// For how long the unit was able to run since [`State::asked`](super::State::asked).
        able: Duration,
        /// What kept it from running meanwhile, where that is `--pressure` or more.
        pressure: Option<Pressure>,
    },
    /// The time [`State::next_look`](super::State::next_look) named has come, and it was looked whether the start makes
    /// progress.
    Looked {
        /// CPU time was used, or something was read or written.
        is_progress: bool,
        /// For how long the unit was able to run since COMMAND was started.
        able: Duration,
    },
    /// systemd itself is being reloaded: it forgets for how long the start was extended.
    ManagerReloads,
    /// COMMAND has said something to systemd.
    Said(Notification),
    /// A signal that asks COMMAND to stop has come.
    StopAsked {
        /// For the status: what it is.
        signal: String,
        /// It is not the manager's own SIGABRT: tell the manager that stopping begins.
        announce: bool,
    },
    /// A signal has come that stops some services, and that others take for something else (SIGQUIT, SIGINT).
    MayStop,
    /// A signal that asks COMMAND to reload has come.
    ReloadAsked {
        /// CLOCK_MONOTONIC, which systemd compares with its own (sd_notify(3), `MONOTONIC_USEC`).
        monotonic_usec: u64,
    },
    /// COMMAND has got the signal that asks it to reload.
    ReloadDelivered,
    /// A signal that asks COMMAND to reload has come, and was not passed on: COMMAND would have died of it.
    ReloadRefused {
        /// For the log: what it is.
        signal: String,
        /// As in [`ReloadAsked`](Self::ReloadAsked).
        monotonic_usec: u64,
    },
    /// The hang report that was asked for is in the journal, as far as there was time, and systemd was asked.
    Reported {
        /// What systemd is about to do with the unit. Not known counts as nothing.
        course: Course,
    },
    /// How often systemd has restarted the unit is known.
    Restarts(u32),
    /// systemd has begun to listen to this process instead of us, 0 for none; [`None`]: it listens to us again.
    MainProcess {
        /// Which.
        instead: Option<u32>,
    },
    /// COMMAND has ended.
    Ended {
        /// For the status: how.
        how: String,
    },
}

/// What to do about it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Actions {
    /// Start a probe of the set that is due, which may take so long.
    pub start_probe: Option<Limit>,
    /// Forget the probes in flight.
    pub abandon_probe: bool,
    /// Send this. It supersedes what could not be sent yet, even where it is empty.
    pub message: Message,
    /// Make a hang report, and answer with [`Event::Reported`].
    pub report: Option<ReportRequest>,
    /// Ask systemd, until then, whether it is stopping the unit; [`Event::Reported`] has its answer too.
    pub ask: Option<Instant>,
    /// Log this.
    pub note: Option<Note>,
    /// Others kept the unit from answering in time, by this.
    pub slowed: Option<Pressure>,
}

/// A hang report to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRequest {
    /// What is not there by then stays out of it.
    pub deadline: Instant,
    /// What is thought to be a hang.
    pub reason: String,
    /// That it hangs is known. Else it could not be probed, and systemd's own timer is about to act.
    pub is_certain: bool,
}

/// A turn of events that people want to read about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The first healthy probe.
    Ready {
        /// Since the start of COMMAND.
        after: Duration,
    },
    /// READY=1 waits for COMMAND's own, and nothing was heard of it yet, although it answers.
    Unheard,
    /// COMMAND is asked to stop before any probe was healthy: a start that timed out, most likely.
    NeverHealthy {
        /// Why the last probe was unhealthy.
        reason: Reason,
    },
    /// The first unhealthy probe after a healthy one.
    Unhealthy {
        /// Why.
        reason: Reason,
    },
    /// A probe could not be made: no descriptor, no such command. It does not count.
    CannotProbe {
        /// Why.
        reason: Reason,
        /// When systemd's own timer acts, since no ping is sent meanwhile; [`None`] where it does not.
        acts_in: Option<Duration>,
        /// READY=1 was not said yet: it waits for a probe that can be made.
        is_start: bool,
    },
    /// An unhealthy probe does not count: this process ran late itself.
    Discounted {
        /// By how much.
        late: Duration,
    },
    /// The service is healthy again.
    Recovered {
        /// How many unhealthy probes there were.
        failures: u32,
    },
    /// The service was reloaded and answers.
    Reloaded {
        /// Since it was asked.
        after: Duration,
    },
    /// A reload has had its time, and is not over: it excuses nothing any longer.
    ReloadUnfinished {
        /// What it waited for.
        missing: String,
        /// How long.
        lasted: Duration,
    },
    /// It does not answer while it reloads, and would count as hung if it did not.
    BusyReloading {
        /// What the last probe found.
        reason: Reason,
        /// What is left of the time that a reload has.
        left: Duration,
    },
    /// A reload was refused: COMMAND would have died of its signal.
    ReloadRefused {
        /// Which.
        signal: String,
    },
    /// COMMAND says STOPPING=1 while it reloads, which is not passed on.
    StoppingInReload,
    /// The service hangs; systemd was told.
    Triggered {
        /// The status that went with it.
        reason: String,
    },
    /// What looked like a hang is the end of the service: systemd is stopping the unit.
    CalledOff {
        /// What it looked like.
        reason: String,
    },
    /// The service hangs; pings are withheld.
    Withholding {
        /// Why.
        reason: String,
    },
    /// The service hangs, and nothing is done about it.
    WouldTrigger {
        /// Why.
        reason: String,
    },
}
