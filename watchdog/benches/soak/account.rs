//! What systemd would make of what a service says: the account of one unit. Pure.
//!
//! As `service_dispatch_watchdog` and `service_notify_message` have it in systemd's src/core/service.c: the timer begins with
//! READY=1 and with every WATCHDOG=1; it is off while the unit stops; EXTEND_TIMEOUT_USEC moves the end of a start, never
//! towards us. Its 250 ms of slack are not granted here: W is W.

use std::collections::VecDeque;
use std::time::Duration;

use super::clock::Time;

/// Pings whose times are kept, to be compared with what `sd-watchdog` counted as of some time.
const KEPT: usize = 256;

/// Where the unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// It does not run.
    Down,
    /// Until READY=1, or the time given: then the start has failed.
    Starting(Time),
    /// Since READY=1, which came at the first time; the last ping, or READY, at the second.
    Up(Time, Time),
    /// It was asked to stop, or is to be ended.
    Stopping,
}

/// What ends a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// `WATCHDOG=trigger`, with the status.
    Trigger(String),
    /// No ping for this long, which is W or more.
    Lapse(Duration),
    /// No READY=1 in time; what it said last.
    StartTimeout(String),
    /// It ended by itself: how.
    Exit(String),
}

/// Of one unit.
#[derive(Debug)]
pub struct Account {
    watchdog: Duration,
    start_timeout: Duration,
    stand: Stand,
    status: String,
    /// Times of the last pings of this life.
    recent: VecDeque<Time>,
    /// Starts.
    pub starts: u64,
    /// WATCHDOG=1, in all.
    pub pings: u64,
    /// WATCHDOG=1 since the last start.
    pub pings_of_life: u64,
    /// The longest time from READY=1 or a ping to the next, and when it ended.
    pub longest_gap: (Duration, Time),
    /// The longest start that ended with READY=1.
    pub longest_start: Duration,
    /// EXTEND_TIMEOUT_USEC.
    pub extensions: u64,
    /// `WATCHDOG=trigger`.
    pub triggers: u64,
    /// Gaps of W or more.
    pub lapses: u64,
    /// Starts that failed, and ends that nobody asked for.
    pub failures: u64,
    started: Time,
    was_ready: bool,
}

impl Account {
    /// Of a unit with `WatchdogSec=` and `TimeoutStartSec=`.
    pub fn new(watchdog: Duration, start_timeout: Duration) -> Self {
        Self {
            watchdog,
            start_timeout,
            stand: Stand::Down,
            status: String::new(),
            recent: VecDeque::new(),
            starts: 0,
            pings: 0,
            pings_of_life: 0,
            longest_gap: (Duration::ZERO, Duration::ZERO),
            longest_start: Duration::ZERO,
            extensions: 0,
            triggers: 0,
            lapses: 0,
            failures: 0,
            started: Duration::ZERO,
            was_ready: false,
        }
    }

    /// Where it stands.
    pub fn stand(&self) -> Stand {
        self.stand
    }

    /// Since when it is up.
    pub fn up_since(&self) -> Option<Time> {
        match self.stand {
            Stand::Up(since, _) => Some(since),
            Stand::Down | Stand::Starting(_) | Stand::Stopping => None,
        }
    }

    /// It was READY in this life.
    pub fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// Its process was started.
    pub fn start(&mut self, now: Time) {
        self.starts += 1;
        self.started = now;
        self.was_ready = false;
        self.status.clear();
        self.recent.clear();
        self.pings_of_life = 0;
        self.stand = Stand::Starting(now + self.start_timeout);
    }

    /// It is going to be ended.
    pub fn stop(&mut self) {
        self.stand = Stand::Stopping;
    }

    /// Its process has ended.
    pub fn ended(&mut self, how: &str) -> Option<Finding> {
        let finding = match self.stand {
            Stand::Starting(_) | Stand::Up(..) => {
                self.failures += 1;
                Some(Finding::Exit(how.to_owned()))
            }
            Stand::Down | Stand::Stopping => None,
        };
        self.stand = Stand::Down;
        finding
    }

    /// A datagram that was sent at `at`.
    pub fn heard(&mut self, datagram: &str, at: Time) -> Option<Finding> {
        let mut finding = None;
        if let Some(status) = datagram.lines().find_map(|line| line.strip_prefix("STATUS=")) {
            status.clone_into(&mut self.status);
        }
        for line in datagram.lines() {
            match (line, self.stand) {
                ("READY=1", Stand::Starting(_)) => {
                    self.was_ready = true;
                    self.longest_start = self.longest_start.max(at.saturating_sub(self.started));
                    self.stand = Stand::Up(at, at);
                }
                ("WATCHDOG=1", stand) => {
                    self.pings += 1;
                    self.pings_of_life += 1;
                    self.recent.push_back(at);
                    if self.recent.len() > KEPT {
                        self.recent.pop_front();
                    }
                    if let Stand::Up(since, last) = stand {
                        finding = finding.or(self.gap(last, at));
                        self.stand = if finding.is_some() { Stand::Stopping } else { Stand::Up(since, at) };
                    }
                }
                ("WATCHDOG=trigger", Stand::Starting(_) | Stand::Up(..)) => {
                    self.triggers += 1;
                    finding = finding.or_else(|| Some(Finding::Trigger(self.status.clone())));
                    self.stand = Stand::Stopping;
                }
                ("STOPPING=1", Stand::Starting(_) | Stand::Up(..)) => self.stand = Stand::Stopping,
                (line, stand) => {
                    if let Some(usec) =
                        line.strip_prefix("EXTEND_TIMEOUT_USEC=").and_then(|usec| usec.parse().ok())
                    {
                        self.extensions += 1;
                        if let Stand::Starting(until) = stand {
                            self.stand = Stand::Starting(until.max(at + Duration::from_micros(usec)));
                        }
                    }
                }
            }
        }
        finding
    }

    /// The socket was found empty at `now`: all that was sent before has been heard.
    pub fn heard_all(&mut self, now: Time) -> Option<Finding> {
        match self.stand {
            Stand::Up(_, last) if now.saturating_sub(last) >= self.watchdog => {
                let finding = self.gap(last, now);
                self.stand = Stand::Stopping;
                finding
            }
            Stand::Starting(until) if now >= until => {
                self.failures += 1;
                self.stand = Stand::Stopping;
                Some(Finding::StartTimeout(self.status.clone()))
            }
            Stand::Up(..) | Stand::Starting(_) | Stand::Down | Stand::Stopping => None,
        }
    }

    /// Pings of this life up to `time`, as far as that is known.
    pub fn pings_until(&self, time: Time) -> Option<u64> {
        let later = self.recent.iter().rev().take_while(|at| **at > time).count();
        let is_known = later < self.recent.len() || self.recent.len() < KEPT;
        is_known.then(|| self.pings_of_life.saturating_sub(later as u64))
    }

    fn gap(&mut self, last: Time, now: Time) -> Option<Finding> {
        let gap = now.saturating_sub(last);
        if gap > self.longest_gap.0 {
            self.longest_gap = (gap, now);
        }
        if gap < self.watchdog {
            return None;
        }
        self.lapses += 1;
        Some(Finding::Lapse(gap))
    }
}
