//! The vocabulary of guard mode: what can happen, and what can be done about it.

use std::time::{Duration, Instant};

use crate::guard::note::Note;
use crate::guard::settings::{Settings, Whom};
use crate::guard::unit::{Instance, Unit};
use crate::hang::watch::Ended;
use crate::kernel::stalls::{Limit, Pressure};
use crate::systemd::message::Message;

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// systemd is connected, and UNIT stands so; or something about it changed.
    Seen(Unit),
    /// UNIT, as it was seen last, has these settings.
    Settings(Settings),
    /// systemd is connected no more.
    Lost {
        /// Why.
        why: String,
    },
    /// The time [`GuardState::due`](super::decide::GuardState::due) named has come.
    Due,
    /// The time [`GuardState::turn`](super::decide::GuardState::turn) named has come.
    Turn,
    /// [`Task::Probe`] has no answer yet, as long as that may take on a quiet host, and UNIT is kept from running.
    Slow {
        /// Of which set.
        set: usize,
        /// For how long UNIT was able to run since it was asked.
        able: Duration,
        /// By what.
        pressure: Pressure,
    },
    /// [`Task::Probe`] has ended.
    Probed {
        /// Of which set.
        set: usize,
        /// How.
        ended: Ended,
    },
    /// [`Task::ReadSettings`] has ended.
    Read(Result<Settings, String>),
    /// [`Task::Report`] has ended.
    Reported,
    /// [`Task::Kill`] or [`Task::Start`] has ended.
    Called(Result<(), Failure>),
    /// [`Task::Look`] has ended.
    Looked(Result<(Unit, Settings), String>),
    /// We are asked to stop.
    Stop,
}

/// A call that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In words.
    pub why: String,
    /// systemd has refused it. Otherwise there was no answer, and nobody knows whether it was done.
    pub is_refusal: bool,
}

/// The circumstances of an event.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// When.
    pub now: Instant,
    /// `--maintenance-file` exists.
    pub maintenance: bool,
    /// A random number from 0 to 1.
    pub dice: f32,
}

/// What takes time. There is one probe of each set at a time, or one other task: a new one takes the place of what is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Probe once.
    Probe {
        /// Which set.
        set: usize,
        /// It may take so long.
        limit: Limit,
    },
    /// Read UNIT's settings.
    ReadSettings,
    /// Make the hang report.
    Report(Hang),
    /// Send UNIT this signal.
    Kill {
        /// Which of its processes.
        whom: Whom,
        /// Its number.
        signal: i32,
    },
    /// See how UNIT stands now, not when systemd last said, and what its settings are.
    Look,
    /// Start UNIT, which has ended.
    Start {
        /// [`Unit::is_exited`]: to start it is to restart it.
        is_exited: bool,
    },
}

/// A hang, for the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hang {
    /// UNIT
    pub unit: String,
    /// Its main process, if it is known.
    pub main_pid: Option<u32>,
    /// Its control group, as systemd's ControlGroup=.
    pub control_group: String,
    /// In words.
    pub reason: String,
    /// What the report may take.
    pub budget: Duration,
}

/// What to do about an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actions {
    /// Forget what is under way.
    pub drop_task: bool,
    /// Begin this.
    pub task: Option<Task>,
    /// Say this to systemd about ourselves.
    pub message: Message,
    /// Log these.
    pub notes: Vec<Note>,
    /// UNIT is about to be ended, or was not after all; keep when that was done, as far as it counts.
    pub ends: Option<Vec<Instant>>,
    /// This life of UNIT was healthy for the first time; keep that.
    pub healthy: Option<Instance>,
}
