//! What a unit's text says, as far as the arithmetic of an expectation needs it.

use super::service::{Service, Source};

/// What is known of a directive of `[Service]`, as far as the scenario tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is assigned.
    Value(String),
    /// It is not: systemd's own default holds.
    Default,
    /// It may be assigned where the scenario does not see it.
    Unknown,
}

/// What the scenario's overrides and the unit's own text say.
pub fn said(service: &Service, directive: &str) -> Said {
    let overridden =
        service.overrides.get("Service").and_then(|directives| directives.get(directive)?.last());
    if let Some(value) = overridden {
        return if value.trim().is_empty() { Said::Default } else { Said::Value(value.trim().to_owned()) };
    }
    let mut paths = service.files.keys().chain(service.directories.keys());
    // The machine's tree has what it has, and what is put beside the unit may be read with it.
    if matches!(service.unit, Source::Tree(..)) || paths.any(|path| may_be_read_with_it(path)) {
        return Said::Unknown;
    }
    last_of(&service.unit.text(), directive).map_or(Said::Default, Said::Value)
}

/// Whether a drop-in, or a configuration of systemd itself, may be there.
fn may_be_read_with_it(path: &str) -> bool {
    const PLACES: [&str; 4] = ["/etc/systemd", "/run/systemd", "/usr/lib/systemd", "/usr/local/lib/systemd"];
    let is_plain_unit = path.ends_with(".service") || path.ends_with(".socket");
    PLACES.iter().any(|place| place.starts_with(path) || (path.starts_with(place) && !is_plain_unit))
}

/// The last assignment of a directive in `[Service]`; an empty one resets it.
fn last_of(text: &str, directive: &str) -> Option<String> {
    // systemd passes comments over before it joins lines, between those of one assignment too.
    let is_comment = |line: &&str| line.trim_start().starts_with(['#', ';']);
    let lines = text.lines().filter(|line| !is_comment(line)).collect::<Vec<_>>();
    let joined = lines.join("\n").replace("\\\n", " ");
    let (mut is_service, mut last) = (false, None);
    for line in joined.lines().map(str::trim) {
        if line.starts_with('[') {
            is_service = line == "[Service]";
        } else if let Some((name, value)) = line.split_once('=')
            && is_service
            && name.trim() == directive
        {
            last = Some(value.trim().to_owned());
        }
    }
    last.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn the_last_assignment_in_the_section_counts_and_an_empty_one_resets() {
        for (text, said) in [
            ("", None),
            ("[Service]\nRestartSec=2s\n", Some("2s")),
            ("[Service]\n RestartSec = 2s \n# RestartSec=3s\n;RestartSec=4s\n", Some("2s")),
            ("[Service]\nRestartSec=2s\nRestartSec=\n", None),
            ("[Service]\nRestartSec=2s\n[Unit]\nRestartSec=9s\n[Service]\nRestartSec=3s", Some("3s")),
            ("[Service]\nExecStart=/x \\\nRestartSec=5s\nRestartSec=1", Some("1")),
            ("[Unit]\nRestartSec=1", None),
            ("[Service]\n# it is short \\\nRestartSec=1\n", Some("1")),
            ("[Service]\nExecStart=/x \\\n# RestartSec=2 \\\n  y\nRestartSec=3\n", Some("3")),
        ] {
            assert_eq!(last_of(text, "RestartSec").as_deref(), said, "{text:?}");
        }
    }

    #[test]
    fn what_the_scenario_does_not_see_is_not_known() {
        let of = |service: &str| {
            let text = format!("extends = \"classic\"\n[service]\n{service}\n");
            said(&Scenario::of_text(&text).expect(service).service, "RestartSec")
        };
        assert_eq!(of("override = { Service = { RestartSec = \"7s\" } }"), Said::Value("7s".into()));
        assert_eq!(of("override = { Service = { RestartSec = \"\" } }"), Said::Default);
        assert_ne!(of("enabled = false"), Said::Unknown);
        for file in ["/etc/systemd/system/x.service.d/x.conf", "/etc/systemd/system.conf"] {
            assert_eq!(of(&format!("files = {{ \"{file}\" = {{ text = \"\" }} }}")), Said::Unknown, "{file}");
        }
        assert_ne!(of("files = { \"/etc/systemd/system/y.service\" = { text = \"\" } }"), Said::Unknown);
        assert_eq!(of("unit = \"tree:x.service\""), Said::Unknown);
    }
}
