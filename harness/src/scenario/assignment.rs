//! An assignment of a unit's directive, as `--set` has it.

use std::str::FromStr;

use super::Service;

/// `DIRECTIVE=VALUE` of `[Service]`, or `SECTION.DIRECTIVE=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    section: String,
    directive: String,
    value: String,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str =
            "an assignment is DIRECTIVE=VALUE of [Service], or SECTION.DIRECTIVE=VALUE, as in WatchdogSec=1s";
        let (name, value) = text.split_once('=').ok_or_else(|| format!("there is no \"=\": {EXAMPLE}"))?;
        let (section, directive) = name.split_once('.').unwrap_or(("Service", name));
        for name in [section, directive] {
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !name.is_empty();
            if !is_name {
                return Err(format!("\"{name}\" is no name of a unit's sections and directives: {EXAMPLE}"));
            }
        }
        // It would end the assignment, and begin another.
        if value.contains(['\n', '\0']) || value.ends_with('\\') {
            return Err(format!("{directive} is to be one line"));
        }
        Ok(Self { section: section.into(), directive: directive.into(), value: value.into() })
    }
}

impl Service {
    /// Has the drop-in assign these in place of what the scenario has it assign: of a directive that is assigned several times, all
    /// of them in their order. An empty value resets what the unit has.
    pub fn set(&mut self, assignments: &[Assignment]) {
        for Assignment { section, directive, .. } in assignments {
            self.overrides.entry(section.clone()).or_default().insert(directive.clone(), Vec::new());
        }
        for Assignment { section, directive, value } in assignments {
            let directives = self.overrides.entry(section.clone()).or_default();
            directives.entry(directive.clone()).or_default().push(value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    fn assignments(texts: &[&str]) -> Vec<Assignment> {
        texts.iter().map(|text| text.parse().expect("an assignment")).collect()
    }

    #[test]
    fn an_assignment_takes_the_place_of_the_scenarios_own_and_makes_it_another_case() {
        let mut scenario = Scenario::load("mute").expect("it is built in");
        let before = scenario.content();
        scenario.service.set(&assignments(&[
            "WatchdogSec=1s",
            "ExecStart=",
            "ExecStart=/bin/sh -c 'x=1'",
            "Unit.After=a.service",
            "WatchdogSignal=SIGQUIT",
            "Unit.After=b.service",
        ]));
        assert_eq!(
            scenario.service.drop_in(),
            "[Service]\nExecStart=\nExecStart=/bin/sh -c 'x=1'\nWatchdogSec=1s\nWatchdogSignal=SIGQUIT\n\
             [Unit]\nAfter=a.service\nAfter=b.service\n"
        );
        assert_ne!(scenario.content(), before);
    }

    #[test]
    fn what_is_no_assignment_says_what_one_is() {
        for (text, expected) in [
            ("WatchdogSec", "there is no \"=\""),
            ("=1s", "\"\" is no name"),
            ("Service.=1s", "\"\" is no name"),
            ("Watchdog Sec=1s", "\"Watchdog Sec\" is no name"),
            ("A.B.C=1", "\"B.C\" is no name"),
            ("ExecStart=a\nUser=root", "ExecStart is to be one line"),
            ("ExecStart=a\\", "ExecStart is to be one line"),
        ] {
            let error = text.parse::<Assignment>().expect_err(text);
            assert!(error.starts_with(expected), "{error}");
            assert_eq!(error.contains("as in WatchdogSec=1s"), !error.contains("one line"), "{error}");
        }
    }
}
