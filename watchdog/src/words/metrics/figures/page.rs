//! The page that the figures make.

use std::time::Instant;

use super::{CAUSES, Metrics};
use crate::words::metrics::ServiceState;
use crate::words::metrics::text::Kind::{Counter, Gauge};
use crate::words::metrics::text::{Page, Seconds, label};

impl Metrics {
    /// The page, in the text format 0.0.4.
    pub fn encode(&self) -> String {
        self.encode_at(Instant::now())
    }

    pub(super) fn encode_at(&self, now: Instant) -> String {
        let mut page = Page::new(&self.labels);
        page.figures(
            Gauge,
            "sd_watchdog_build_info",
            "Which sd-watchdog this is.",
            [(label("version", env!("CARGO_PKG_VERSION")), 1)],
        );
        let state = self.state.get();
        page.figures(
            Gauge,
            "sd_watchdog_state",
            "1 for the state that the service is in, 0 for the others.",
            ServiceState::ALL.map(|each| (label("state", each.name()), u8::from(each == state))),
        );
        page.figure(Gauge, "sd_watchdog_failures", "Unhealthy probes in a row.", self.failures.get());
        page.histogram(
            "sd_watchdog_probe_duration_seconds",
            "How long probes took, healthy or not.",
            &self.durations,
        );
        let unhealthy = CAUSES.iter().zip(&self.unhealthy).map(|(cause, count)| {
            let outcome = if cause.counts() { "unhealthy" } else { "unknown" };
            (format!("outcome=\"{outcome}\",{}", label("reason", cause.name())), count.get())
        });
        let healthy = ("outcome=\"healthy\",reason=\"\"".to_owned(), self.healthy.get());
        page.figures(
            Counter,
            "sd_watchdog_probes_total",
            "Probes by outcome and reason; unknown: the probe could not be made, and does not count.",
            std::iter::once(healthy).chain(unhealthy),
        );
        for (name, help, value) in [
            (
                "sd_watchdog_discounted_total",
                "Unhealthy probes that did not count, since sd-watchdog itself ran late.",
                &self.discounted,
            ),
            ("sd_watchdog_pings_total", "WATCHDOG=1 sent to systemd.", &self.pings),
            ("sd_watchdog_hangs_total", "Hangs found since sd-watchdog was started.", &self.hangs),
            (
                "sd_watchdog_widened_total",
                "Deadlines widened, since others kept the service from running.",
                &self.widened,
            ),
        ] {
            page.figure(Counter, name, help, value.get());
        }
        page.histogram(
            "sd_watchdog_loop_lateness_seconds",
            "How late sd-watchdog came to what it had planned.",
            &self.lateness,
        );
        if let Some(is_armed) = self.armed.get() {
            page.figure(
                Gauge,
                "sd_watchdog_armed",
                "1 while a hang of the unit would be acted upon, 0 while it would only be said.",
                u8::from(is_armed),
            );
        }
        if let Some(is_heard) = self.heard.get() {
            page.figure(
                Gauge,
                "sd_watchdog_heard",
                "1 while systemd takes sd-watchdog for the main process, 0 while it refuses its pings.",
                u8::from(is_heard),
            );
        }
        if let Some(restarts) = self.restarts.get() {
            page.figure(Gauge, "sd_watchdog_restarts", "Restarts of the unit by systemd.", restarts);
        }
        if let Some(watchdog) = self.watchdog {
            page.figure(
                Gauge,
                "sd_watchdog_watchdog_seconds",
                "WatchdogSec= of the unit.",
                Seconds(watchdog),
            );
            if let Some(from) = self.timed_from.get() {
                page.figure(
                    Gauge,
                    "sd_watchdog_time_left_seconds",
                    "Until systemd's own timer acts, unless there is a ping before.",
                    Seconds((from + watchdog).saturating_duration_since(now)),
                );
            }
        }
        page.finish()
    }
}
