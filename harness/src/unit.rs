//! The unit as systemd understood it, drop-ins and defaults included: what the bounds are computed from.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Parser as _;
use serde::{Deserialize, Serialize};
use watchdog::cli::Cli;
use watchdog::config::{Config, OnHang};

use crate::clock::parse_span;

/// The properties that [`Settings`] are read from, for `systemctl show --property=`.
pub const PROPERTIES: &str = "LoadState,LoadError,Type,NotifyAccess,Restart,WatchdogUSec,RestartUSec,TimeoutStartUSec,\
    TimeoutStopUSec,TimeoutAbortUSec,ExecStart";

/// What of a unit matters for its recovery. Times are in microseconds; an absent one is off, or infinite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The unit's name.
    pub unit: String,
    /// `notify`, `simple`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// `always`, `on-failure`, `no`, …
    pub restart: String,
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

/// `sd-watchdog`'s settings, as it derives them from its command line and WatchdogSec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// `trigger` or `withhold`.
    pub on_hang: String,
    /// P, from the start of a healthy probe to the start of the next.
    pub interval_usec: u64,
    /// T, a probe's deadline.
    pub timeout_usec: u64,
    /// N, unhealthy probes in a row that make a hang.
    pub failures: u32,
    /// r, from an unhealthy probe to the next.
    pub retry_interval_usec: u64,
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
    /// `sd-watchdog` would refuse its command line.
    #[error("the unit's ExecStart= is refused by sd-watchdog: {0}")]
    Guard(String),
}

impl Settings {
    /// Reads the answer of `systemctl show --property=`[`PROPERTIES`].
    pub fn parse(unit: &str, answer: &str) -> Result<Self, UnitError> {
        let properties: BTreeMap<&str, &str> =
            answer.lines().filter_map(|line| line.split_once('=')).collect();
        let text = |name: &str| properties.get(name).copied().unwrap_or_default().to_owned();
        if text("LoadState") != "loaded" {
            let reason = if text("LoadError").is_empty() { text("LoadState") } else { text("LoadError") };
            return Err(UnitError::NotLoaded { unit: unit.into(), reason });
        }
        let span = |name: &str| parse_span(&text(name)).map(micros);
        let watchdog_usec = span("WatchdogUSec").filter(|&usec| usec > 0);
        let guard = Guard::parse(&text("ExecStart"), watchdog_usec)?;
        Ok(Self {
            unit: unit.into(),
            kind: text("Type"),
            restart: text("Restart"),
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
    fn parse(exec_start: &str, watchdog_usec: Option<u64>) -> Result<Option<Self>, UnitError> {
        // "{ path=/usr/bin/x ; argv[]=/usr/bin/x -v ; ignore_errors=no ; …": systemd quotes nothing here.
        let argv = exec_start.split_once("argv[]=").and_then(|(_, rest)| rest.split_once(" ; "));
        let (Some((argv, _)), Some(usec)) = (argv, watchdog_usec) else { return Ok(None) };
        let mut argv = argv.split(' ').peekable();
        if argv.peek().is_none_or(|program| program.rsplit('/').next() != Some("sd-watchdog")) {
            return Ok(None);
        }
        let refused = |error: &dyn std::fmt::Display| UnitError::Guard(error.to_string().trim().to_owned());
        let cli = Cli::try_parse_from(argv).map_err(|error| refused(&error))?;
        let config = Config::new(&cli.wrap.timing, &cli.wrap.hang, &cli.wrap.wrapper, Some(Duration::from_micros(usec))).map_err(|error| refused(&error))?;
        let timing = &config.timing;
        Ok(Some(Self {
            on_hang: match config.on_hang {
                OnHang::Trigger => "trigger".into(),
                OnHang::Withhold => "withhold".into(),
            },
            interval_usec: micros(timing.interval),
            timeout_usec: micros(timing.timeout),
            failures: timing.failures,
            retry_interval_usec: micros(timing.retry_interval),
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
ExecStart={ path=/usr/local/bin/sd-watchdog ; argv[]=/usr/local/bin/sd-watchdog --http http://127.0.0.1:80/ --failures 2 -- /bin/x --on-hang withhold ; ignore_errors=no ; start_time=[n/a] ; pid=0 }";

    #[test]
    fn settings_are_read_from_what_systemd_shows() {
        let settings = Settings::parse("x.service", SHOWN).expect("loaded");
        assert_eq!(settings.span("WatchdogSec"), Some(Duration::from_secs(5)));
        assert_eq!(settings.span("RestartSec"), Some(Duration::ZERO));
        assert_eq!(settings.span("TimeoutStartSec"), Some(Duration::from_secs(90)));
        assert_eq!(settings.span("TimeoutStopSec"), None);
        let guard = settings.guard.expect("sd-watchdog guards it");
        assert_eq!((guard.on_hang.as_str(), guard.failures, guard.interval_usec), ("trigger", 2, 500_000));
    }

    #[test]
    fn a_watchdog_of_zero_is_off_and_guards_nothing() {
        let shown = SHOWN.replace("WatchdogUSec=5s", "WatchdogUSec=0");
        let settings = Settings::parse("x.service", &shown).expect("loaded");
        assert_eq!((settings.watchdog_usec, settings.guard), (None, None));
        let shown = SHOWN.replace("WatchdogUSec=5s", "WatchdogUSec=infinity");
        assert_eq!(Settings::parse("x.service", &shown).expect("loaded").watchdog_usec, None);
    }

    #[test]
    fn a_service_that_guards_itself_has_no_guard_of_ours() {
        let shown = SHOWN.replace("/usr/local/bin/sd-watchdog", "/bin/sh");
        assert_eq!(Settings::parse("x.service", &shown).expect("loaded").guard, None);
    }

    #[test]
    fn a_unit_that_systemd_refuses_is_refused_with_its_words() {
        let error =
            Settings::parse("x.service", "LoadState=bad-setting\nLoadError=org.x \"Unit lacks ExecStart\"");
        assert!(error.expect_err("not loaded").to_string().contains("lacks ExecStart"));
        let error = Settings::parse("x.service", &SHOWN.replace("--failures 2", "--failures 20"));
        assert!(error.expect_err("impossible").to_string().contains("WatchdogSec is 5 s"));
    }
}
