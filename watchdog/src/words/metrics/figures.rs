//! The figures.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::ServiceState;
use super::histogram::{Bound, Histogram};
use super::text::label;
use crate::words::outcome::{Cause, Outcome};

mod page;

/// 0.1 ms to 10 s, about two per factor of ten and a half: a loopback answer takes some 100 µs, a deadline some seconds.
const DURATIONS: [Bound; 16] = [
    (Duration::from_micros(100), "0.0001"),
    (Duration::from_micros(250), "0.00025"),
    (Duration::from_micros(500), "0.0005"),
    (Duration::from_millis(1), "0.001"),
    (Duration::from_micros(2_500), "0.0025"),
    (Duration::from_millis(5), "0.005"),
    (Duration::from_millis(10), "0.01"),
    (Duration::from_millis(25), "0.025"),
    (Duration::from_millis(50), "0.05"),
    (Duration::from_millis(100), "0.1"),
    (Duration::from_millis(250), "0.25"),
    (Duration::from_millis(500), "0.5"),
    (Duration::from_secs(1), "1"),
    (Duration::from_millis(2_500), "2.5"),
    (Duration::from_secs(5), "5"),
    (Duration::from_secs(10), "10"),
];

/// All causes. A new one is counted as soon as it stands here, which the test below sees to.
const CAUSES: [Cause; 13] = [
    Cause::Timeout,
    Cause::Lookup,
    Cause::Refused,
    Cause::Connect,
    Cause::Closed,
    Cause::Tls,
    Cause::Protocol,
    Cause::Status,
    Cause::Body,
    Cause::NotServing,
    Cause::Exec,
    Cause::ChildPing,
    Cause::System,
];

/// What is counted, between the loop that counts and whoever asks; on one thread.
#[derive(Debug)]
pub struct Metrics {
    /// `unit="x.service"`, or nothing.
    labels: String,
    watchdog: Option<Duration>,
    durations: Histogram<16>,
    healthy: Cell<u64>,
    unhealthy: [Cell<u64>; CAUSES.len()],
    discounted: Cell<u64>,
    pings: Cell<u64>,
    /// When systemd's own timer began anew.
    timed_from: Cell<Option<Instant>>,
    state: Cell<ServiceState>,
    failures: Cell<u32>,
    hangs: Cell<u64>,
    widened: Cell<u64>,
    lateness: Histogram<16>,
    restarts: Cell<Option<u32>>,
    armed: Cell<Option<bool>>,
    heard: Cell<Option<bool>>,
}

fn count(cell: &Cell<u64>) {
    cell.set(cell.get() + 1);
}

impl Metrics {
    /// All zero, for `unit` with a `WatchdogSec=` of `watchdog`.
    pub fn new(unit: Option<&str>, watchdog: Option<Duration>) -> Self {
        Self {
            labels: unit.map(|unit| label("unit", unit)).unwrap_or_default(),
            watchdog,
            durations: Histogram::new(&DURATIONS),
            healthy: Cell::new(0),
            unhealthy: [const { Cell::new(0) }; CAUSES.len()],
            discounted: Cell::new(0),
            pings: Cell::new(0),
            timed_from: Cell::new(None),
            state: Cell::new(ServiceState::Starting),
            failures: Cell::new(0),
            hangs: Cell::new(0),
            widened: Cell::new(0),
            lateness: Histogram::new(&DURATIONS),
            restarts: Cell::new(None),
            armed: Cell::new(None),
            heard: Cell::new(None),
        }
    }

    /// A probe has ended.
    pub fn probe(&self, took: Duration, outcome: &Outcome) {
        self.durations.observe(took);
        match outcome {
            Outcome::Healthy => count(&self.healthy),
            Outcome::Unhealthy(reason) => {
                if let Some(place) = CAUSES.iter().position(|cause| *cause == reason.cause()) {
                    count(&self.unhealthy[place]);
                }
            }
        }
    }

    /// The unhealthy probe that has just ended does not count, since the loop ran late.
    pub fn discounted(&self) {
        count(&self.discounted);
    }

    /// `WATCHDOG=1` was sent.
    pub fn ping(&self) {
        count(&self.pings);
    }

    /// systemd's own timer began anew then: by READY=1 or a ping.
    pub fn timed_from(&self, moment: Instant) {
        self.timed_from.set(Some(moment));
    }

    /// Where the service stands from now on.
    pub fn state(&self, state: ServiceState) {
        self.state.set(state);
    }

    /// Unhealthy probes in a row, as of now.
    pub fn failures(&self, in_a_row: u32) {
        self.failures.set(in_a_row);
    }

    /// A hang was found.
    pub fn hang(&self) {
        count(&self.hangs);
    }

    /// The last deadline was widened, since others kept the service from running.
    pub fn widened(&self) {
        count(&self.widened);
    }

    /// The loop came to something this much after its time.
    pub fn late(&self, by: Duration) {
        self.lateness.observe(by);
    }

    /// How often systemd has restarted the unit.
    pub fn restarts(&self, count: u32) {
        self.restarts.set(Some(count));
    }

    /// Whether a hang would be acted upon, as of now.
    pub fn armed(&self, is_armed: bool) {
        self.armed.set(Some(is_armed));
    }

    /// Whether systemd takes us for the main process, and so listens to us, as of now.
    pub fn heard(&self, is_heard: bool) {
        self.heard.set(Some(is_heard));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::words::outcome::Reason;

    fn lines(metrics: &Metrics, name: &str) -> Vec<String> {
        metrics.encode().lines().filter(|line| line.starts_with(name)).map(ToOwned::to_owned).collect()
    }

    fn unhealthy(cause: Cause) -> Outcome {
        Outcome::Unhealthy(Reason::new(cause, "because"))
    }

    #[test]
    fn every_cause_is_counted_under_its_name() {
        let all = |cause| match cause {
            // Does not compile when a cause is added: add it to CAUSES, and here.
            Cause::Timeout
            | Cause::Lookup
            | Cause::Refused
            | Cause::Connect
            | Cause::Closed
            | Cause::Tls
            | Cause::Protocol
            | Cause::Status
            | Cause::Body
            | Cause::NotServing
            | Cause::Exec
            | Cause::ChildPing
            | Cause::System => 13,
        };
        assert_eq!(CAUSES.iter().collect::<HashSet<_>>().len(), all(Cause::Timeout));
        let metrics = Metrics::new(None, None);
        for (times, cause) in (1..).zip(CAUSES) {
            for _ in 0..times {
                metrics.probe(Duration::ZERO, &unhealthy(cause));
            }
        }
        for (times, cause) in (1..).zip(CAUSES) {
            let outcome = match cause {
                Cause::Lookup | Cause::System => "unknown",
                _ => "unhealthy",
            };
            let name = format!(
                "sd_watchdog_probes_total{{outcome=\"{outcome}\",reason=\"{}\"}} {times}",
                cause.name()
            );
            assert_eq!(lines(&metrics, &name).len(), 1, "{name}");
        }
    }

    type Event = fn(&Metrics);

    #[test]
    fn every_event_moves_its_own_figure_and_no_other() {
        let events: [(Event, &[&str]); 11] = [
            (
                |metrics| metrics.probe(Duration::from_secs(2), &Outcome::Healthy),
                &[
                    "sd_watchdog_probe_duration_seconds_bucket{le=\"2.5\"} 1",
                    "sd_watchdog_probe_duration_seconds_bucket{le=\"5\"} 1",
                    "sd_watchdog_probe_duration_seconds_bucket{le=\"10\"} 1",
                    "sd_watchdog_probe_duration_seconds_bucket{le=\"+Inf\"} 1",
                    "sd_watchdog_probe_duration_seconds_sum 2",
                    "sd_watchdog_probe_duration_seconds_count 1",
                    "sd_watchdog_probes_total{outcome=\"healthy\",reason=\"\"} 1",
                ],
            ),
            (Metrics::discounted, &["sd_watchdog_discounted_total 1"]),
            (Metrics::ping, &["sd_watchdog_pings_total 1"]),
            (
                |metrics| metrics.state(ServiceState::Hung),
                &["sd_watchdog_state{state=\"starting\"} 0", "sd_watchdog_state{state=\"hung\"} 1"],
            ),
            (|metrics| metrics.failures(2), &["sd_watchdog_failures 2"]),
            (Metrics::hang, &["sd_watchdog_hangs_total 1"]),
            (Metrics::widened, &["sd_watchdog_widened_total 1"]),
            (
                |metrics| metrics.late(Duration::from_secs(11)),
                &[
                    "sd_watchdog_loop_lateness_seconds_bucket{le=\"+Inf\"} 1",
                    "sd_watchdog_loop_lateness_seconds_sum 11",
                    "sd_watchdog_loop_lateness_seconds_count 1",
                ],
            ),
            (
                |metrics| metrics.armed(false),
                &[
                    "# HELP sd_watchdog_armed 1 while a hang of the unit would be acted upon, 0 while it would only be said.",
                    "# TYPE sd_watchdog_armed gauge",
                    "sd_watchdog_armed 0",
                ],
            ),
            (
                |metrics| metrics.heard(false),
                &[
                    "# HELP sd_watchdog_heard 1 while systemd takes sd-watchdog for the main process, 0 while it refuses its pings.",
                    "# TYPE sd_watchdog_heard gauge",
                    "sd_watchdog_heard 0",
                ],
            ),
            (
                |metrics| metrics.restarts(0),
                &[
                    "# HELP sd_watchdog_restarts Restarts of the unit by systemd.",
                    "# TYPE sd_watchdog_restarts gauge",
                    "sd_watchdog_restarts 0",
                ],
            ),
        ];
        for (event, expected) in events {
            let metrics = Metrics::new(None, Some(Duration::from_secs(5)));
            let before = metrics.encode();
            event(&metrics);
            let after = metrics.encode();
            let before: HashSet<&str> = before.lines().collect();
            let moved: Vec<&str> = after.lines().filter(|line| !before.contains(line)).collect();
            assert_eq!(moved, expected);
        }
    }

    #[test]
    fn what_is_left_until_systemds_own_timer_acts_runs_down_to_zero() {
        let metrics = Metrics::new(None, Some(Duration::from_secs(5)));
        let left = |at| {
            let page = metrics.encode_at(at);
            let line = page.lines().find(|line| line.starts_with("sd_watchdog_time_left_seconds "));
            line.map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned())
        };
        let ready = Instant::now();
        assert_eq!(left(ready), None, "it does not run yet");
        metrics.timed_from(ready);
        for (millis, expected) in [(0, "5"), (1_500, "3.5"), (5_000, "0"), (9_000, "0")] {
            assert_eq!(left(ready + Duration::from_millis(millis)).as_deref(), Some(expected), "{millis}");
        }
    }

    #[test]
    fn all_samples_carry_the_unit_and_their_family_is_declared_once_before_them() {
        let metrics = Metrics::new(Some("a\\x2db.service"), Some(Duration::from_millis(1_500)));
        metrics.restarts(3);
        metrics.armed(true);
        let page = metrics.encode();
        assert!(page.contains("sd_watchdog_watchdog_seconds{unit=\"a\\\\x2db.service\"} 1.5\n"), "{page}");
        let mut declared: Vec<&str> = Vec::new();
        for line in page.lines() {
            if let Some(family) = line.strip_prefix("# TYPE ") {
                let name = family.split(' ').next().unwrap_or_default();
                assert!(!declared.contains(&name), "{name} twice");
                declared.push(name);
            } else if !line.starts_with('#') {
                assert!(line.contains("{unit=\"a\\\\x2db.service\""), "{line}");
                let family = declared.last().copied().unwrap_or_default();
                assert!(line.starts_with(family), "{line} under {family}");
            }
        }
        assert_eq!(declared.len(), 13);
    }
}
