//! The unit as systemd understood it, drop-ins and defaults included: what the bounds are computed from.

use std::ffi::OsString;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watchdog::cli::{self, Line};
use watchdog::config::Config;

use crate::model::clock::parse_span;
pub use crate::model::words::{Restart, Type};

/// The properties that [`Settings`] are read from, for `systemctl show --property=`.
pub const PROPERTIES: &str = "LoadState,LoadError,Type,NotifyAccess,Restart,WatchdogUSec,RestartUSec,TimeoutStartUSec,\
    TimeoutStopUSec,TimeoutAbortUSec,MainPID";

/// A property's value in what `systemctl show` printed.
pub fn property<'a>(shown: &'a str, name: &str) -> Option<&'a str> {
    shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

/// What of a unit matters for its recovery. Times are in microseconds; an absent one is off, or infinite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The unit's name.
    pub unit: String,
    /// `notify`, `simple`, …
    #[serde(rename = "type")]
    pub kind: Type,
    /// `always`, `on-failure`, `no`, …
    pub restart: Restart,
    /// WatchdogSec; absent when the watchdog is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watchdog_usec: Option<u64>,
    /// RestartSec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_usec: Option<u64>,
    /// TimeoutStartSec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_start_usec: Option<u64>,
    /// TimeoutStopSec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_stop_usec: Option<u64>,
    /// TimeoutAbortSec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_abort_usec: Option<u64>,
    /// How `sd-watchdog` guards the service, where it does.
    #[serde(flatten)]
    pub guard: Option<Guard>,
}

/// `sd-watchdog`'s settings, as it derives them from its command line and WatchdogSec. Of several sets of probes, those of the
/// one that finds a hang last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// What it does about a hang.
    pub on_hang: OnHang,
    /// P, from the start of a healthy probe to the start of the next.
    pub interval_usec: u64,
    /// T, a probe's deadline.
    pub timeout_usec: u64,
    /// N, unhealthy probes in a row that make a hang.
    pub failures: u32,
    /// r, from an unhealthy probe to the next.
    pub retry_interval_usec: u64,
    /// How long the hang report may take, between the last unhealthy probe and the trigger.
    #[serde(default)]
    pub report_usec: u64,
}

/// What `sd-watchdog` does about a hang.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnHang {
    /// It says `WATCHDOG=trigger`.
    Trigger,
    /// It stops pinging.
    Withhold,
}

/// Why a unit's settings could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnitError {
    /// systemd refuses the unit.
    #[error("systemd does not load {unit}: {reason}")]
    NotLoaded {
        /// The unit's name.
        unit: String,
        /// systemd's own words, or its load state.
        reason: String,
    },
    /// The machine's `sd-watchdog` runs with options that this program does not know.
    #[error("sd-watchdog runs in the machine, but its command line is not understood here: {0}")]
    Guard(String),
}

impl Settings {
    /// Reads the answer of `systemctl show --property=`[`PROPERTIES`], and the command line of the main process as
    /// `/proc/PID/cmdline` has it; empty where none runs.
    ///
    /// The process tells what ExecStart= does not: systemd shows that without any quotes, so that `--send 'A B'` and
    /// `--send A B` look alike, and before specifiers and variables are put in.
    pub fn parse(unit: &str, shown: &str, cmdline: &str) -> Result<Self, UnitError> {
        let text = |name: &str| property(shown, name).unwrap_or_default().to_owned();
        if text("LoadState") != "loaded" {
            let reason = if text("LoadError").is_empty() { text("LoadState") } else { text("LoadError") };
            return Err(UnitError::NotLoaded { unit: unit.into(), reason });
        }
        let span = |name: &str| parse_span(&text(name)).map(micros);
        let watchdog_usec = span("WatchdogUSec").filter(|&usec| usec > 0);
        let guard = Guard::parse(cmdline, watchdog_usec)?;
        Ok(Self {
            unit: unit.into(),
            kind: text("Type").into(),
            restart: text("Restart").into(),
            watchdog_usec,
            restart_usec: span("RestartUSec"),
            timeout_start_usec: span("TimeoutStartUSec"),
            timeout_stop_usec: span("TimeoutStopUSec"),
            timeout_abort_usec: span("TimeoutAbortUSec"),
            guard,
        })
    }

    /// A directive that is a time span, by its name in the unit file.
    pub fn span(&self, directive: &str) -> Option<Duration> {
        let usec = match directive {
            "WatchdogSec" => self.watchdog_usec,
            "RestartSec" => self.restart_usec,
            "TimeoutStartSec" => self.timeout_start_usec,
            "TimeoutStopSec" => self.timeout_stop_usec,
            "TimeoutAbortSec" => self.timeout_abort_usec,
            _ => None,
        };
        usec.map(Duration::from_micros)
    }
}

/// Directives that [`Settings::span`] knows.
pub const SPANS: [&str; 5] =
    ["WatchdogSec", "RestartSec", "TimeoutStartSec", "TimeoutStopSec", "TimeoutAbortSec"];

impl Guard {
    /// `None` for a command that is not `sd-watchdog`, and where the watchdog is off: then it does not guard.
    fn parse(cmdline: &str, watchdog_usec: Option<u64>) -> Result<Option<Self>, UnitError> {
        let argv = cmdline.trim_end_matches('\0').split('\0');
        let is_ours =
            argv.clone().next().is_some_and(|program| program.rsplit('/').next() == Some("sd-watchdog"));
        let Some(watchdog) = watchdog_usec.filter(|_| is_ours).map(Duration::from_micros) else {
            return Ok(None);
        };
        let not_understood =
            |error: &dyn std::fmt::Display| UnitError::Guard(error.to_string().trim().to_owned());
        let line = Line::try_parse_from(argv.map(OsString::from)).map_err(|error| not_understood(&error))?;
        let wrap = &line.cli.wrap;
        let config = Config::new(&wrap.timing, &line.next, &wrap.hang, &wrap.wrapper, Some(watchdog))
            .map_err(|error| not_understood(&error))?;
        // Whichever set finds the hang, it is found by then.
        let timing = config.slowest();
        let report = config.report_budget;
        Ok(Some(Self {
            on_hang: match config.on_hang {
                cli::OnHang::Trigger => OnHang::Trigger,
                cli::OnHang::Withhold => OnHang::Withhold,
            },
            interval_usec: micros(timing.interval),
            timeout_usec: micros(timing.timeout),
            failures: timing.failures,
            retry_interval_usec: micros(timing.retry_interval),
            report_usec: micros(report.min(watchdog.saturating_sub(timing.detect_bound()))),
        }))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "\
LoadState=loaded
Type=notify
Restart=always
WatchdogUSec=5s
RestartUSec=0
TimeoutStartUSec=1min 30s
TimeoutStopUSec=infinity
TimeoutAbortUSec=2s
MainPID=12";

    /// As the kernel keeps a command line.
    fn cmdline(argv: &[&str]) -> String {
        argv.join("\0") + "\0"
    }

    fn settings(options: &[&str]) -> Result<Settings, UnitError> {
        let program = ["/usr/local/bin/sd-watchdog"];
        let command = ["--", "/bin/x", "--on-hang", "withhold"];
        Settings::parse("x.service", SHOWN, &cmdline(&[&program[..], options, &command[..]].concat()))
    }

    fn guard(options: &[&str]) -> Guard {
        settings(options).expect("understood").guard.expect("sd-watchdog guards it")
    }

    #[test]
    fn settings_are_read_from_what_systemd_shows() {
        let settings = settings(&["--http", "http://127.0.0.1:80/", "--failures", "2"]).expect("loaded");
        assert_eq!(settings.span("WatchdogSec"), Some(Duration::from_secs(5)));
        assert_eq!(settings.span("RestartSec"), Some(Duration::ZERO));
        assert_eq!(settings.span("TimeoutStartSec"), Some(Duration::from_secs(90)));
        assert_eq!(settings.span("TimeoutStopSec"), None);
        let guard = settings.guard.expect("sd-watchdog guards it");
        assert_eq!((guard.on_hang, guard.failures, guard.interval_usec), (OnHang::Trigger, 2, 500_000));
    }

    #[test]
    fn options_with_spaces_line_ends_and_options_in_them_are_read_as_the_process_got_them() {
        let tcp = [
            "--tcp",
            "127.0.0.1:6379",
            "--send",
            "PING\r\n",
            "--expect",
            "+PONG",
            "--child-ready",
            "require",
        ];
        assert_eq!(guard(&tcp).failures, 3);
        let http = ["--http", "https://127.0.0.1/", "--header", "A: b --failures 9", "--failures=2"];
        assert_eq!(guard(&http).failures, 2);
        let exec = ["--exec", "curl --timeout 9s --failures 9 -- x", "--interval", "1s"];
        let exec = guard(&exec);
        assert_eq!((exec.failures, exec.timeout_usec, exec.interval_usec), (3, 500_000, 1_000_000));
    }

    #[test]
    fn of_several_sets_of_probes_the_slowest_that_is_watched_is_the_bound() {
        let first = ["--tcp", "127.0.0.1:1", "--next", "--exec", "x", "--interval", "2s", "--failures=2"];
        let gate = ["--next", "--tcp", "127.0.0.1:2", "--interval=4s", "--ready-only"];
        let slowest = guard(&[&first[..], &gate].concat());
        assert_eq!((slowest.interval_usec, slowest.timeout_usec, slowest.failures), (2_000_000, 500_000, 2));
    }

    #[test]
    fn the_reports_budget_is_what_is_given_but_not_past_what_the_watchdog_leaves() {
        let http =
            |options: &[&str]| guard(&[&["--http", "http://127.0.0.1/"], options].concat()).report_usec;
        assert_eq!(http(&[]), 500_000);
        assert_eq!(http(&["--report-budget", "0s"]), 0);
        assert_eq!(http(&["--report-budget", "1s"]), 1_000_000);
        assert_eq!(http(&["--timeout=1s", "--interval=1s", "--report-budget", "10s"]), 900_000);
    }

    #[test]
    fn a_watchdog_of_zero_is_off_and_guards_nothing() {
        let running = cmdline(&["sd-watchdog", "--http", "http://127.0.0.1/", "--", "/bin/x"]);
        let shown = SHOWN.replace("WatchdogUSec=5s", "WatchdogUSec=0");
        let settings = Settings::parse("x.service", &shown, &running).expect("loaded");
        assert_eq!((settings.watchdog_usec, settings.guard), (None, None));
        let shown = SHOWN.replace("WatchdogUSec=5s", "WatchdogUSec=infinity");
        assert_eq!(Settings::parse("x.service", &shown, &running).expect("loaded").watchdog_usec, None);
    }

    #[test]
    fn a_service_that_guards_itself_or_does_not_run_has_no_guard_of_ours() {
        for running in
            [cmdline(&["/bin/sh", "-c", "sd-watchdog --http http://127.0.0.1/ -- /bin/x"]), String::new()]
        {
            assert_eq!(Settings::parse("x.service", SHOWN, &running).expect("loaded").guard, None);
        }
    }

    #[test]
    fn a_unit_that_systemd_refuses_is_refused_with_its_words() {
        let shown = "LoadState=bad-setting\nLoadError=org.x \"Unit lacks ExecStart\"";
        let error = Settings::parse("x.service", shown, "");
        assert!(error.expect_err("not loaded").to_string().contains("lacks ExecStart"));
    }

    #[test]
    fn an_sd_watchdog_with_options_of_another_version_is_said_not_to_be_understood() {
        let error =
            settings(&["--http", "http://127.0.0.1/", "--of-tomorrow"]).expect_err("unknown").to_string();
        assert!(error.contains("not understood here") && error.contains("--of-tomorrow"), "{error}");
        let error = settings(&["--http", "http://127.0.0.1/", "--failures", "20"]).expect_err("impossible");
        assert!(error.to_string().contains("WatchdogSec is 5 s"));
    }
}
