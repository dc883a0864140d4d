//! systemd's own timer counts all time; what of it the unit was kept from running must not end it.

use std::time::{Duration, Instant};

use super::status::Kind;
use super::{Actions, State};
use crate::cli::OnHang;
use crate::kernel::stalls::Pressure;
use crate::systemd::message::{Message, WatchdogWord};
use crate::words::span::rounded;

impl State {
    /// systemd's own timer starts anew.
    pub(super) fn restart_timer(&mut self, now: Instant) {
        self.timer_since = now;
        let watched = self.config.watchdog.filter(|_| self.config.pressure_limit.is_some());
        self.no_ping_due = watched.map(|watchdog| now + watchdog / 2);
    }

    /// No ping was said for W/2. The unit was `able` to run for so long since it was asked.
    ///
    /// With trigger, a row of failures ends as a hang while this goes on. With withhold nothing ends it but systemd's own
    /// timer, which gets the second half of W.
    pub(super) fn no_ping(&mut self, able: Duration, pressure: Option<Pressure>, now: Instant) -> Actions {
        let watchdog = self.config.watchdog.unwrap_or_default();
        let longest = match self.config.on_hang {
            OnHang::Trigger => watchdog,
            OnHang::Withhold => watchdog / 2,
        };
        let is_slow = !self.cannot_probe() && !self.is_called() && able < longest;
        let Some(pressure) = pressure.filter(|_| is_slow) else {
            // The pressure may have just begun: it takes two looks to see it.
            self.no_ping_due = Some(now + watchdog / 8);
            // It was left in peace for long enough.
            self.ask_by(now, |set| !set.ready_only && now - set.answered >= watchdog / 2);
            return Actions::default();
        };
        self.restart_timer(now);
        let answered = self.asked().map_or(now, |(set, _)| self.sets[set].answered);
        let (since, able) = (rounded(now - answered), rounded(able));
        let status = self.status.say(Kind::Unhealthy, now, || {
            format!("slow: no answer for {since}, of which it could run for {able}; waiting for {pressure}")
        });
        let message = Message { status, watchdog: Some(WatchdogWord::Ping), ..Message::default() };
        Actions { message, slowed: Some(pressure), ..Actions::default() }
    }
}
