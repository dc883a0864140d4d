//! The timing, derived from the one knob that the user already sets, and refused where it cannot work.

use std::ffi::OsString;
use std::time::Duration;

use crate::cli::Cli;
use crate::probe::http::Target;
use crate::span::Span;

/// systemd's watchdog timer may fire this much late: it is added with sd-event's default accuracy
/// (`service_start_watchdog` in systemd's src/core/service.c, `DEFAULT_ACCURACY_USEC` in sd-event.c).
pub const SYSTEMD_TIMER_SLACK: Duration = Duration::from_millis(250);

/// Below this, W/100 is less than the resolution of a timer on a busy machine.
const SHORTEST_WATCHDOG: Duration = Duration::from_millis(10);
/// What the timing is derived from where there is no watchdog: probing ends at READY=1 then.
const NOMINAL_WATCHDOG: Duration = Duration::from_secs(10);
/// More than anyone means, and far from where arithmetic on instants ends.
const LONGEST_OPTION: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What to do when the service hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnHang {
    /// Say `WATCHDOG=trigger` after N unhealthy probes in a row (systemd 243 and later).
    Trigger,
    /// Send no ping while probes are unhealthy; systemd's own timer does the rest.
    Withhold,
}

/// When to probe, and how many unhealthy probes make a hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// P: from the start of one probe to the start of the next.
    pub interval: Duration,
    /// T: the deadline of a probe.
    pub timeout: Duration,
    /// N: unhealthy probes in a row that make a hang.
    pub failures: u32,
    /// r: from the end of an unhealthy probe to the start of the next.
    pub retry_interval: Duration,
}

impl Timing {
    /// P = W/10, T = W/10, N = 3, r = W/100.
    pub fn for_watchdog(watchdog: Duration) -> Self {
        Self { interval: watchdog / 10, timeout: watchdog / 10, failures: 3, retry_interval: watchdog / 100 }
    }

    /// The longest time from a hang to `WATCHDOG=trigger`: P + N·T + (N−1)·r.
    ///
    /// It is also the longest time between two pings of a service that recovers just before it counts as hung. Timers
    /// have a resolution of 1 ms, and of those P + N·T + (N−1)·r are 2·N: expect up to 2·N ms more.
    pub fn detect_bound(&self) -> Duration {
        let timeouts = self.timeout.saturating_mul(self.failures);
        let retries = self.retry_interval.saturating_mul(self.failures.saturating_sub(1));
        self.interval.saturating_add(timeouts).saturating_add(retries)
    }
}

/// Everything that is decided before the service starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What to probe.
    pub target: Target,
    /// The service and its arguments; never empty.
    pub command: Vec<OsString>,
    /// When to probe.
    pub timing: Timing,
    /// What to do when the service hangs.
    pub on_hang: OnHang,
    /// W, if systemd's watchdog is on.
    pub watchdog: Option<Duration>,
}

/// A timing that cannot work. The message spells out the sum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum ConfigError {
    #[error(
        "--{option} is 0: give it at least 1{unit}, or leave it out to have it derived from WatchdogSec="
    )]
    Zero { option: &'static str, unit: &'static str },
    #[error("--{option} is {}: more than a year; did you mean a shorter unit?", Span(*value))]
    TooLong { option: &'static str, value: Duration },
    #[error("WatchdogSec is {}, too short to probe within: set it to {} or more", Span(*watchdog), Span(SHORTEST_WATCHDOG))]
    WatchdogTooShort { watchdog: Duration },
    #[error("{}, but WatchdogSec is {}: lower --failures, --timeout or --interval, or raise WatchdogSec=",
        trigger_sum(timing), Span(*watchdog))]
    TriggerTooLate { timing: Timing, watchdog: Duration },
    #[error("interval {} + timeout {} = {}, but WatchdogSec is {}: lower --interval or --timeout, or raise WatchdogSec=",
        Span(timing.interval), Span(timing.timeout), Span(timing.interval.saturating_add(timing.timeout)), Span(*watchdog))]
    PingTooLate { timing: Timing, watchdog: Duration },
}

/// `interval 500 ms + 3 × timeout 2 s + 2 × retry-interval 50 ms = 6.6 s`
fn trigger_sum(timing: &Timing) -> String {
    let Timing { interval, timeout, failures, retry_interval } = timing;
    let retries = match failures - 1 {
        0 => String::new(),
        retries => format!(" + {retries} × retry-interval {}", Span(*retry_interval)),
    };
    format!(
        "interval {} + {failures} × timeout {}{retries} = {}",
        Span(*interval),
        Span(*timeout),
        Span(timing.detect_bound())
    )
}

impl Config {
    /// Derives the timing from `watchdog` (W, [`None`] where systemd's watchdog is off) and the options, and refuses
    /// what cannot work.
    pub fn new(cli: &Cli, watchdog: Option<Duration>) -> Result<Self, ConfigError> {
        let derived = Timing::for_watchdog(watchdog.unwrap_or(NOMINAL_WATCHDOG));
        let timing = Timing {
            interval: option("interval", cli.interval, derived.interval)?,
            timeout: option("timeout", cli.timeout, derived.timeout)?,
            failures: cli.failures.unwrap_or(derived.failures),
            retry_interval: option("retry-interval", cli.retry_interval, derived.retry_interval)?,
        };
        if timing.failures == 0 {
            return Err(ConfigError::Zero { option: "failures", unit: "" });
        }
        if let Some(watchdog) = watchdog {
            check(timing, cli.on_hang, watchdog)?;
        }
        Ok(Self {
            target: cli.http.clone(),
            command: cli.command.clone(),
            timing,
            on_hang: cli.on_hang,
            watchdog,
        })
    }

    /// The longest time from a hang to systemd acting on it; [`None`] where the watchdog is off.
    ///
    /// With trigger, [`Timing::detect_bound`]. With withhold, W after the last ping and [`SYSTEMD_TIMER_SLACK`].
    pub fn detect_bound(&self) -> Option<Duration> {
        let watchdog = self.watchdog?;
        Some(match self.on_hang {
            OnHang::Trigger => self.timing.detect_bound(),
            OnHang::Withhold => watchdog.saturating_add(SYSTEMD_TIMER_SLACK),
        })
    }
}

fn option(name: &'static str, given: Option<Duration>, derived: Duration) -> Result<Duration, ConfigError> {
    match given {
        None => Ok(derived),
        Some(Duration::ZERO) => Err(ConfigError::Zero { option: name, unit: "ms" }),
        Some(value) if value > LONGEST_OPTION => Err(ConfigError::TooLong { option: name, value }),
        Some(value) => Ok(value),
    }
}

/// A trigger that comes after systemd's own timer is none; and pings farther apart than W kill a healthy service.
fn check(timing: Timing, on_hang: OnHang, watchdog: Duration) -> Result<(), ConfigError> {
    if watchdog < SHORTEST_WATCHDOG {
        return Err(ConfigError::WatchdogTooShort { watchdog });
    }
    match on_hang {
        OnHang::Trigger if timing.detect_bound() >= watchdog => {
            Err(ConfigError::TriggerTooLate { timing, watchdog })
        }
        OnHang::Withhold if timing.interval.saturating_add(timing.timeout) >= watchdog => {
            Err(ConfigError::PingTooLate { timing, watchdog })
        }
        OnHang::Trigger | OnHang::Withhold => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use proptest::prelude::*;

    use super::*;

    fn config(options: &[&str], watchdog: Option<Duration>) -> Result<Config, ConfigError> {
        let fixed = ["sd-watchdog", "--http", "http://127.0.0.1:8080/"];
        let argv = fixed.iter().chain(options).chain(&["--", "server"]);
        Config::new(&Cli::try_parse_from(argv).expect("a good command line"), watchdog)
    }

    fn refusal(options: &[&str], watchdog: Option<Duration>) -> String {
        config(options, watchdog).expect_err("cannot work").to_string()
    }

    const W5: Option<Duration> = Some(Duration::from_secs(5));

    #[test]
    fn the_timing_is_derived_from_the_watchdog_to_the_microsecond() {
        for (watchdog_usec, interval, retry, bound) in [
            (100_000, 10_000, 1_000, 42_000),
            (1_000_000, 100_000, 10_000, 420_000),
            (5_000_000, 500_000, 50_000, 2_100_000),
            (7_200_000_000, 720_000_000, 72_000_000, 3_024_000_000),
        ] {
            let config = config(&[], Some(Duration::from_micros(watchdog_usec))).expect("works");
            let micros = Duration::from_micros;
            let expected = Timing {
                interval: micros(interval),
                timeout: micros(interval),
                failures: 3,
                retry_interval: micros(retry),
            };
            assert_eq!(config.timing, expected);
            assert_eq!(config.detect_bound(), Some(micros(bound)));
        }
    }

    #[test]
    fn every_part_of_the_timing_can_be_overridden() {
        let options = ["--interval=1s", "--timeout=300ms", "--failures=2", "--retry-interval=1ms"];
        let timing = config(&options, W5).expect("works").timing;
        let millis = Duration::from_millis;
        let expected =
            Timing { interval: millis(1000), timeout: millis(300), failures: 2, retry_interval: millis(1) };
        assert_eq!(timing, expected);
        assert_eq!(timing.detect_bound(), millis(1601));
    }

    #[test]
    fn a_trigger_that_comes_too_late_is_refused_with_the_sum() {
        assert_eq!(
            refusal(&["--timeout=2s"], W5),
            "interval 500 ms + 3 × timeout 2 s + 2 × retry-interval 50 ms = 6.6 s, but WatchdogSec is 5 s: \
             lower --failures, --timeout or --interval, or raise WatchdogSec="
        );
        assert!(
            refusal(&["--failures=1", "--timeout=5s"], W5)
                .starts_with("interval 500 ms + 1 × timeout 5 s = 5.5 s, but")
        );
    }

    #[test]
    fn the_sum_must_be_less_than_the_watchdog_by_a_microsecond_at_least() {
        let options = ["--failures=1", "--interval=2s", "--timeout=3s"];
        assert!(config(&options, W5).is_err());
        assert!(config(&options, Some(Duration::from_micros(5_000_001))).is_ok());
    }

    #[test]
    fn withholding_needs_an_interval_and_a_timeout_within_the_watchdog() {
        let withhold = |interval| config(&["--on-hang=withhold", "--timeout=2s", interval], W5);
        assert!(withhold("--interval=2999ms").is_ok());
        let error = withhold("--interval=3s").expect_err("cannot work").to_string();
        assert!(
            error.starts_with("interval 3 s + timeout 2 s = 5 s, but WatchdogSec is 5 s: lower"),
            "{error}"
        );
        let bound = withhold("--interval=1s").expect("works").detect_bound();
        assert_eq!(bound, Some(Duration::from_millis(5250)));
    }

    #[test]
    fn nothing_may_be_zero() {
        for (option, expected) in [
            ("--interval=0s", "--interval is 0: give it at least 1ms"),
            ("--timeout=0s", "--timeout is 0: give it at least 1ms"),
            ("--retry-interval=0s", "--retry-interval is 0: give it at least 1ms"),
            ("--failures=0", "--failures is 0: give it at least 1,"),
        ] {
            for watchdog in [W5, None] {
                let error = refusal(&[option], watchdog);
                assert!(error.starts_with(expected), "{error}");
            }
        }
    }

    #[test]
    fn without_a_watchdog_there_is_no_sum_to_keep_and_no_bound() {
        let config = config(&["--timeout=1h"], None).expect("works");
        assert_eq!(config.timing.interval, Duration::from_secs(1));
        assert_eq!(config.detect_bound(), None);
    }

    #[test]
    fn a_watchdog_too_short_to_probe_within_is_refused() {
        let error = refusal(&[], Some(Duration::from_micros(9_999)));
        assert_eq!(error, "WatchdogSec is 9.999 ms, too short to probe within: set it to 10 ms or more");
    }

    #[test]
    fn an_option_beyond_a_year_is_refused_even_without_a_watchdog() {
        assert!(refusal(&["--timeout=100years"], None).contains("more than a year"));
    }

    proptest! {
        #[test]
        fn derived_timings_always_work(watchdog_usec in 10_000..u64::MAX) {
            let watchdog = Duration::from_micros(watchdog_usec);
            let config = config(&[], Some(watchdog)).expect("derived timings work");
            prop_assert!(config.timing.detect_bound() < watchdog / 2);
        }

        #[test]
        fn no_accepted_trigger_comes_after_systemds_own_timer(
            watchdog_ms in 10_u64..100_000, interval in 1_u64..50_000, timeout in 1_u64..50_000, failures in 1_u32..,
        ) {
            let options = [
                format!("--interval={interval}ms"), format!("--timeout={timeout}ms"), format!("--failures={failures}"),
            ];
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let watchdog = Duration::from_millis(watchdog_ms);
            if let Ok(config) = config(&options, Some(watchdog)) {
                prop_assert!(config.timing.detect_bound() < watchdog);
            }
        }
    }
}
