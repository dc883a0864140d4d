//! The unit as systemd understood it, drop-ins and defaults included: what the bounds are computed from.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::parse_span;
use super::entry::Entry;
pub use super::words::{KillMode, Restart, Type};

/// The properties that [`Settings`] are read from, for `systemctl show --property=`.
pub const PROPERTIES: &str = "LoadState,LoadError,Type,Restart,WatchdogUSec,RestartUSec,TimeoutStartUSec,\
    TimeoutStopUSec,TimeoutAbortUSec,LogLevelMax,LogNamespace,ExecStop,ExecStopPost,KillMode,SendSIGKILL,TimeoutStopFailureMode,\
    RestartSteps,RestartMaxDelayUSec,RestartRandomizedDelayUSec";

/// A property's value in what `systemctl show` printed.
pub fn property<'a>(shown: &'a str, name: &str) -> Option<&'a str> {
    shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

/// How many commands a property has, each of which is a line; [`None`] where there is none.
fn count(shown: &str, name: &str) -> Option<u32> {
    let commands = shown.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    u32::try_from(commands.filter(|command| !command.is_empty()).count()).ok().filter(|count| *count > 0)
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
    /// RestartMaxDelaySec, where RestartSteps= has each restart wait longer than the one before, up to that (systemd 254).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_max_delay_usec: Option<u64>,
    /// RestartRandomizedDelaySec, where it is not 0 (systemd 262).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_randomized_usec: Option<u64>,
    /// Whether there is an ExecStopPost=, which runs between the main process's end and the next start.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_stop_post: bool,
    /// How many, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_posts: Option<u32>,
    /// How many ExecStop= there are, which are run where the main process ends well by itself, or is to be stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stops: Option<u32>,
    /// KillMode=, where it is not `control-group`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_mode: Option<KillMode>,
    /// Whether nothing gets SIGKILL (`SendSIGKILL=no`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spares_with_sigkill: bool,
    /// Whether what does not end in TimeoutStopSec gets SIGABRT before SIGKILL (`TimeoutStopFailureMode=abort`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aborts_when_stopped_too_long: bool,
    /// TimeoutStartSec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_start_usec: Option<u64>,
    /// TimeoutStopSec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_stop_usec: Option<u64>,
    /// TimeoutAbortSec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_abort_usec: Option<u64>,
    /// `LogLevelMax=`, by its number: what is less urgent is not in the journal, whoever says it of the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_level_max: Option<u8>,
    /// `LogNamespace=`: the service's own lines are in a journal of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_namespace: Option<String>,
    /// How `sd-watchdog` guards the service, where it does.
    #[serde(flatten)]
    pub guard: Option<Guard>,
}

/// `sd-watchdog`'s settings, as it tells them. Of several sets of probes, those of the one that finds a hang last.
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
    /// It has systemd end the service, from beside.
    Restart,
    /// It says so (`--dry-run`).
    Nothing,
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
}

impl Settings {
    /// Reads the answer of `systemctl show --property=`[`PROPERTIES`]. How the service is guarded it does not tell.
    pub fn parse(unit: &str, shown: &str) -> Result<Self, UnitError> {
        let text = |name: &str| property(shown, name).unwrap_or_default().to_owned();
        if text("LoadState") != "loaded" {
            let reason = if text("LoadError").is_empty() { text("LoadState") } else { text("LoadError") };
            return Err(UnitError::NotLoaded { unit: unit.into(), reason });
        }
        let span = |name: &str| parse_span(&text(name)).map(micros);
        Ok(Self {
            unit: unit.into(),
            kind: text("Type").into(),
            restart: text("Restart").into(),
            watchdog_usec: span("WatchdogUSec").filter(|&usec| usec > 0),
            restart_usec: span("RestartUSec"),
            restart_max_delay_usec: span("RestartMaxDelayUSec")
                .filter(|_| text("RestartSteps").parse::<u32>().is_ok_and(|steps| steps > 0)),
            restart_randomized_usec: span("RestartRandomizedDelayUSec").filter(|usec| *usec > 0),
            has_stop_post: !text("ExecStopPost").is_empty(),
            stop_posts: count(shown, "ExecStopPost").filter(|count| *count > 1),
            stops: count(shown, "ExecStop"),
            kill_mode: Some(KillMode::from(text("KillMode"))).filter(|mode| {
                !matches!(mode, KillMode::ControlGroup) && *mode != KillMode::Other(String::new())
            }),
            spares_with_sigkill: text("SendSIGKILL") == "no",
            aborts_when_stopped_too_long: text("TimeoutStopFailureMode") == "abort",
            timeout_start_usec: span("TimeoutStartUSec"),
            timeout_stop_usec: span("TimeoutStopUSec"),
            timeout_abort_usec: span("TimeoutAbortUSec"),
            log_level_max: text("LogLevelMax").parse().ok(),
            log_namespace: Some(text("LogNamespace")).filter(|name| !name.is_empty()),
            guard: None,
        })
    }

    /// Whether PID 1's words about the unit are kept out of the journal: its starts are of level 6 (info).
    pub fn is_silent(&self) -> bool {
        self.log_level_max.is_some_and(|level| level < 6)
    }

    /// Whether systemd's watchdog's own word, of level 3 (err), is kept out of it too.
    pub fn hides_its_end(&self) -> bool {
        self.log_level_max.is_some_and(|level| level < 3)
    }

    /// A directive that is a time span, by its name in the unit file.
    pub fn span(&self, directive: &str) -> Option<Duration> {
        let usec = match directive {
            "WatchdogSec" => self.watchdog_usec,
            "RestartSec" => self.restart_usec,
            "RestartMaxDelaySec" => self.restart_max_delay_usec,
            "RestartRandomizedDelaySec" => self.restart_randomized_usec,
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
    /// What `sd-watchdog` tells of itself when it starts: in front of `unit`, or beside it. [`None`]: this entry is another, or what it
    /// does about a hang is not known here.
    pub fn told(entry: &Entry, unit: &str) -> Option<Self> {
        // What journald attests; the service could write any other field too.
        let is_ours = entry.has("_COMM", "sd-watchdog") && entry.has("HANGPROOF_EVENT", "settings");
        if !is_ours || !entry.concerns(unit) {
            return None;
        }
        Some(Self {
            on_hang: serde_json::from_value(entry.text("HANGPROOF_ON_HANG")?.into()).ok()?,
            interval_usec: entry.number("HANGPROOF_INTERVAL_USEC")?,
            timeout_usec: entry.number("HANGPROOF_TIMEOUT_USEC")?,
            failures: entry.number("HANGPROOF_FAILURES")?,
            retry_interval_usec: entry.number("HANGPROOF_RETRY_INTERVAL_USEC")?,
            report_usec: entry.number("HANGPROOF_REPORT_USEC").unwrap_or_default(),
        })
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
TimeoutAbortUSec=2s";

    #[test]
    fn settings_are_read_from_what_systemd_shows() {
        let settings = Settings::parse("x.service", SHOWN).expect("loaded");
        assert_eq!(settings.span("WatchdogSec"), Some(Duration::from_secs(5)));
        assert_eq!(settings.span("RestartSec"), Some(Duration::ZERO));
        assert_eq!(settings.span("TimeoutStartSec"), Some(Duration::from_secs(90)));
        assert_eq!(settings.span("TimeoutStopSec"), None);
        assert_eq!((settings.kind, settings.restart, settings.guard), (Type::Notify, Restart::Always, None));
    }

    #[test]
    fn how_a_unit_is_stopped_is_read_from_what_systemd_shows() {
        let plain = Settings::parse(
            "x.service",
            &format!("{SHOWN}\nKillMode=control-group\nSendSIGKILL=yes\nExecStop="),
        );
        let plain = plain.expect("loaded");
        assert_eq!((plain.stop_posts, plain.stops, plain.kill_mode), (None, None, None));
        assert!(!plain.has_stop_post && !plain.spares_with_sigkill && !plain.aborts_when_stopped_too_long);
        let shown = format!(
            "{SHOWN}\nExecStop={{ path=/a }}\nExecStopPost={{ path=/b }}\nExecStopPost={{ path=/c }}\nExecStopPostEx={{ path=/d }}\n\
            KillMode=mixed\nSendSIGKILL=no\nTimeoutStopFailureMode=abort"
        );
        let settings = Settings::parse("x.service", &shown).expect("loaded");
        assert_eq!(
            (settings.stop_posts, settings.stops, settings.kill_mode),
            (Some(2), Some(1), Some(KillMode::Mixed))
        );
        assert!(
            settings.has_stop_post && settings.spares_with_sigkill && settings.aborts_when_stopped_too_long
        );
    }

    #[test]
    fn a_watchdog_of_zero_is_off() {
        for off in ["0", "infinity"] {
            let shown = SHOWN.replace("WatchdogUSec=5s", &format!("WatchdogUSec={off}"));
            assert_eq!(Settings::parse("x.service", &shown).expect("loaded").watchdog_usec, None);
        }
    }

    #[test]
    fn a_unit_that_systemd_refuses_is_refused_with_its_words() {
        let shown = "LoadState=bad-setting\nLoadError=org.x \"Unit lacks ExecStart\"";
        let error = Settings::parse("x.service", shown);
        assert!(error.expect_err("not loaded").to_string().contains("lacks ExecStart"));
    }

    #[test]
    fn how_a_service_is_guarded_is_read_from_what_sd_watchdog_tells() {
        let entry = |head: &str| {
            let line = format!(
                r#"{{{head},"HANGPROOF_EVENT":"settings","HANGPROOF_INTERVAL_USEC":"500000","HANGPROOF_TIMEOUT_USEC":"200000",
                "HANGPROOF_FAILURES":"3","HANGPROOF_RETRY_INTERVAL_USEC":"50000","HANGPROOF_REPORT_USEC":"900000"}}"#
            );
            Guard::told(&Entry::parse(&line).expect("an entry"), "x.service")
        };
        let guard = |on_hang| Guard {
            on_hang,
            interval_usec: 500_000,
            timeout_usec: 200_000,
            failures: 3,
            retry_interval_usec: 50_000,
            report_usec: 900_000,
        };
        let ours = r#""_COMM":"sd-watchdog","HANGPROOF_ON_HANG":"#;
        for (head, expected) in [
            (format!(r#"{ours}"trigger","_SYSTEMD_UNIT":"x.service""#), Some(guard(OnHang::Trigger))),
            (format!(r#"{ours}"withhold","_SYSTEMD_UNIT":"x.service""#), Some(guard(OnHang::Withhold))),
            // From beside.
            (
                format!(r#"{ours}"restart","_SYSTEMD_UNIT":"g.service","HANGPROOF_UNIT":"x.service""#),
                Some(guard(OnHang::Restart)),
            ),
            (format!(r#"{ours}"restart","_SYSTEMD_UNIT":"g.service","HANGPROOF_UNIT":"y.service""#), None),
            // Of a later version.
            (format!(r#"{ours}"snapshot","_SYSTEMD_UNIT":"x.service""#), None),
            (r#""_COMM":"x","HANGPROOF_ON_HANG":"trigger","_SYSTEMD_UNIT":"x.service""#.into(), None),
        ] {
            assert_eq!(entry(&head), expected, "{head}");
        }
    }
}
