//! The scenarios that `hangproof` carries with it, and the units they are about: all that ship and need nothing but our own programs.

use super::document::Text;
use super::{Loader, Scenario};

macro_rules! scenarios {
    ($($path:literal),* $(,)?) => {
        /// Paths below scenarios/, without the ending, and texts.
        const SCENARIOS: &[(&str, &str)] = &[$(($path, include_str!(concat!("../../scenarios/", $path, ".toml")))),*];
    };
}

// A test compares with the files. The order is that of `hangproof list`.
scenarios![
    "classic",
    "mute",
    "mute-under-load",
    "accept-stall",
    "deadlock",
    "spin",
    "block-runtime",
    "drip",
    "half",
    "error",
    "wrong-body",
    "fd-leak",
    "stubborn",
    "self-ping",
    "sigstop",
    "sigstop-main",
    "exec",
    "port-drop",
    "crash",
    "kill",
    "exit",
    "segfault",
    "memory-leak",
    "mute-then-deadlock",
    "each-phase",
    "stopped-for-a-moment",
    "stop",
    "reload",
    "start-limit",
    "withhold",
    "stop-watchdog",
    "kill-watchdog",
    "freeze",
    "second-set",
    "undisturbed",
    "slow",
    "brief",
    "signalled",
    "loss",
    "latency",
    "cpu-starve",
    "daemon-reload",
    "daemon-reexec",
    "journald-kill",
    "notify-socket-full",
    "clock-step",
    "guarded-beside",
    "guarded-second-set",
    "guard-restart-no",
    "guard-restart-unit",
    "guard-wrong-port",
    "notify-gated",
    "notify-gated-wrapped",
    "notify-ungated",
    "notify-ungated-wrapped",
    "controls/blind-pings",
    "controls/no-watchdog",
    "controls/stop-watchdog-unwatched",
    "controls/unwatched",
    "controls/drip-head-only",
    "controls/half-health-only",
    "controls/wrong-body-unread",
    "controls/self-ping-alone",
    "controls/stubborn-patient",
    "controls/slow-beyond-deadline",
    "controls/brief-for-long",
    "controls/not-restarted",
    "controls/each-phase-otherwise",
    "controls/start-fails",
];

/// The units that a scenario may name as `builtin:NAME`, and their texts.
pub const UNITS: [(&str, &str); 2] =
    [("buggy_server.service", server::UNIT), ("sd-watchdog@.service", watchdog::TEMPLATE_UNIT)];

/// Names and texts.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    SCENARIOS.iter().map(|(path, text)| (path.rsplit('/').next().unwrap_or(path), *text))
}

/// A built-in scenario's text.
pub fn text(name: &str) -> Option<&'static str> {
    all().find(|(known, _)| *known == name).map(|(_, text)| text)
}

/// A built-in unit's text.
pub fn unit(name: &str) -> Option<&'static str> {
    UNITS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The scenarios that have this tag.
pub fn tagged(tag: &str) -> Vec<Text> {
    let is_tagged =
        |scenarios: &[Scenario]| scenarios.iter().any(|scenario| scenario.tags.iter().any(|own| own == tag));
    let texts = all().map(|(name, text)| Text::named(name, text));
    texts.filter(|text| Loader::default().read(text.clone()).is_ok_and(|read| is_tagged(&read))).collect()
}
