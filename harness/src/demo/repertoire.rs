//! The catalogue's faults as they are played on this stage: with what parameters, and what is to come of each.

use std::collections::BTreeMap;
use std::time::Duration;

use super::duty::Duty;
use crate::fault::Fault;
use crate::fault::catalogue;
use crate::fault::need::{self, Need};
use crate::fault::parameter::{Default as Usual, Value};
use crate::fault::spec::{Family, Spec};
use crate::machine::{Machine, MachineError};
use crate::model::expect::{By, Deed, Expectation, Outcome};
use crate::page::telling::Choice;

/// Where clients ask.
const PORT: u16 = 8080;

/// How long what is to be left alone is watched.
const CALM: &str = "4s";

/// Below this systemd's and the host's own time is too large a part of WatchdogSec to promise a recovery within it.
const PROMISED: Duration = Duration::from_secs(2);

/// What of the catalogue can be played, and why the rest cannot.
#[derive(Default)]
pub struct Repertoire(BTreeMap<&'static str, String>);

impl Repertoire {
    /// Looks what the machine has of what each fault needs.
    pub fn of(machine: &dyn Machine) -> Result<Self, MachineError> {
        let mut cannot = BTreeMap::new();
        for spec in catalogue() {
            let reason = match unfit(spec) {
                Some(reason) => Some(reason),
                None => need::missing_in(&[&spec.needs, own_needs(spec)].concat(), machine)?,
            };
            cannot.extend(reason.map(|reason| (spec.name, reason)));
        }
        Ok(Self(cannot))
    }

    /// A fault by its name, as it is played while the service is guarded like that.
    ///
    /// # Errors
    /// Why it is not played.
    pub fn fault(&self, name: &str, duty: Duty) -> Result<Fault, String> {
        let spec = catalogue().iter().find(|spec| spec.name == name);
        let spec = spec.ok_or_else(|| format!("there is no fault \"{name}\""))?;
        match self.0.get(name) {
            Some(reason) => Err(format!("{name} cannot be injected here: {reason}")),
            None => fault(spec, duty),
        }
    }

    /// All of the catalogue, for people.
    pub fn choices(&self, duty: Duty) -> Vec<Choice> {
        catalogue()
            .iter()
            .map(|spec| Choice {
                name: spec.name.into(),
                says: spec.does.into(),
                expect: expected_in_words(spec, duty).into(),
                heals: spec.heals,
                r#where: if spec.family == Family::InProcess { "inside" } else { "outside" }.into(),
                available: !self.0.contains_key(spec.name),
                why_not: self.0.get(spec.name).cloned(),
            })
            .collect()
    }
}

/// Why a fault is not for this service.
fn unfit(spec: &Spec) -> Option<String> {
    match spec.name {
        "self-ping" => Some("needs a service that pings systemd itself, and here sd-watchdog does".into()),
        "reload" => Some("needs a unit that can be reloaded, and this one has no ExecReload=".into()),
        _ => {
            let is_needed =
                |parameter: &&crate::fault::parameter::Parameter| parameter.default == Usual::Needed;
            let needed = spec.parameters.iter().find(is_needed)?;
            Some(format!("needs {}: {} (in a scenario of your own: hangproof run)", needed.name, needed.does))
        }
    }
}

/// What a fault needs beside because of this service.
fn own_needs(spec: &Spec) -> &'static [Need] {
    match spec.name {
        // The unit has DynamicUser=.
        "memory-pressure" => &[Need::Shown {
            what: "CAP_SYS_RESOURCE in the machine, since the service has a user of its own",
            test: "[ $((0x$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status) >> 24 & 1)) = 1 ]",
        }],
        _ => &[],
    }
}

fn fault(spec: &'static Spec, duty: Duty) -> Result<Fault, String> {
    // A probe's deadline is a tenth of WatchdogSec, and several in a row make a hang.
    let ms = |span: Duration| Value::Text(format!("{}ms", span.as_millis()));
    let fraction = |parts: u32, most: Duration| ms((duty.within / parts).min(most));
    let given = match spec.name {
        "slow" => Some(("delay", fraction(25, Duration::from_millis(200)))),
        "brief" => Some(("duration", fraction(5, Duration::from_secs(1)))),
        "latency" => Some(("delay", ms(Duration::from_millis(20)))),
        // Soon enough to be seen.
        "memory-leak" => Some(("rate", Value::Text("256MiB".into()))),
        _ => None,
    };
    let wrong = |missing: Vec<&str>| format!("{} needs {}", spec.name, missing.join(", "));
    Fault::of(spec, given.into_iter().collect(), Some(PORT)).map_err(wrong)
}

/// What is to come of a fault.
pub fn expected(fault: &Fault, duty: Duty) -> Expectation {
    let nothing = Expectation {
        outcome: Outcome::Undisturbed,
        undisturbed_for: Some(CALM.into()),
        ..Expectation::default()
    };
    let restarted = |by| Expectation {
        outcome: Outcome::Restarted,
        by: Some(by),
        undisturbed_for: None,
        ..nothing.clone()
    };
    let is_promised = |name: &str| {
        // It takes as long as SIGKILL lets it; and how long the network is down is not the watchdog's to say.
        duty.triggers() && duty.within >= PROMISED && !["stubborn", "port-drop"].contains(&name)
    };
    match fault.deed() {
        Deed::Hangs if duty.watchdog => Expectation {
            recovery_within: is_promised(fault.name()).then(|| "WatchdogSec".into()),
            hang_report: duty.triggers().then_some(true),
            ..restarted(By::Watchdog)
        },
        Deed::Silences if duty.watchdog => restarted(By::Watchdog),
        Deed::Ends => restarted(By::Exit),
        Deed::Stops => Expectation { outcome: Outcome::Stopped, undisturbed_for: None, ..nothing },
        Deed::Spares if duty.watchdog => Expectation { hang_report: Some(false), ..nothing },
        Deed::Hangs | Deed::Silences | Deed::Spares | Deed::Nothing => nothing,
    }
}

/// How long after its injection a fault is healed that nothing else would end: a probe is to have found it by then.
pub fn heal_after(fault: &Fault, duty: Duty, detected: Option<Duration>) -> Option<Duration> {
    let is_outlasting = fault.spec().family == Family::Network && fault.deed() == Deed::Hangs;
    let detected = detected.filter(|_| duty.watchdog && is_outlasting)?;
    Some(detected + Duration::from_secs(1))
}

fn expected_in_words(spec: &Spec, duty: Duty) -> &'static str {
    match spec.deed {
        Deed::Hangs | Deed::Silences if !duty.watchdog => {
            "none while the watchdog is off: systemd sees a process that lives"
        }
        _ => spec.recovery,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::settings::OnHang;

    fn all() -> Repertoire {
        let cannot = catalogue().iter().filter_map(|spec| Some((spec.name, unfit(spec)?)));
        Repertoire(cannot.collect())
    }

    #[test]
    fn every_fault_of_the_catalogue_is_played_or_says_why_not() {
        let repertoire = all();
        for choice in repertoire.choices(Duty::default()) {
            let played = repertoire.fault(&choice.name, Duty::default());
            assert_eq!(choice.available, played.is_ok(), "{}: {played:?}", choice.name);
            assert_eq!(choice.available, choice.why_not.is_none(), "{}", choice.name);
            assert!(!choice.says.is_empty() && !choice.expect.is_empty(), "{}", choice.name);
        }
        let cannot = repertoire.0.keys().copied().collect::<Vec<_>>();
        assert_eq!(cannot, ["disk-full", "exec", "io-hang", "reload", "self-ping"]);
        let unknown = repertoire.fault("mut", Duty::default()).expect_err("no fault");
        assert_eq!(unknown, "there is no fault \"mut\"");
    }

    #[test]
    fn what_is_expected_of_a_fault_is_never_a_contradiction() {
        let (repertoire, on) = (all(), Duty::default());
        for duty in [on, Duty { watchdog: false, ..on }, Duty { on_hang: OnHang::Withhold, ..on }] {
            for choice in repertoire.choices(duty).into_iter().filter(|choice| choice.available) {
                let fault = repertoire.fault(&choice.name, duty).expect("it is available");
                let wrong = expected(&fault, duty).contradictions(fault.deed());
                assert_eq!(wrong, [], "{fault} {duty:?}");
            }
        }
    }

    #[test]
    fn what_is_to_come_of_a_fault_depends_on_who_is_on_duty() {
        use Outcome::{Restarted, Stopped, Undisturbed};
        let on = Duty::default();
        let (off, withheld) = (Duty { watchdog: false, ..on }, Duty { on_hang: OnHang::Withhold, ..on });
        let second = on.within(1_000_000).expect("a choice");
        let limit = Some("WatchdogSec");
        for (name, duty, outcome, by, within, report) in [
            ("mute", on, Restarted, Some(By::Watchdog), limit, Some(true)),
            ("mute", second, Restarted, Some(By::Watchdog), None, Some(true)),
            ("mute", withheld, Restarted, Some(By::Watchdog), None, None),
            ("mute", off, Undisturbed, None, None, None),
            ("stubborn", on, Restarted, Some(By::Watchdog), None, Some(true)),
            ("freeze", on, Restarted, Some(By::Watchdog), None, None),
            ("freeze", off, Undisturbed, None, None, None),
            ("crash", on, Restarted, Some(By::Exit), None, None),
            ("crash", off, Restarted, Some(By::Exit), None, None),
            ("memory-leak", on, Restarted, Some(By::Exit), None, None),
            ("slow", on, Undisturbed, None, None, Some(false)),
            ("stop", on, Stopped, None, None, None),
        ] {
            let fault = all().fault(name, duty).expect("it is played");
            let is = expected(&fault, duty);
            let told = (is.outcome, is.by, is.recovery_within.as_deref(), is.hang_report);
            assert_eq!(told, (outcome, by, within, report), "{name} {duty:?}");
        }
    }

    #[test]
    fn a_moment_is_short_beside_what_a_probe_waits_for() {
        for (usec, slow, brief) in
            [(1_000_000, "40", "200"), (5_000_000, "200", "1000"), (30_000_000, "200", "1000")]
        {
            let duty = Duty::default().within(usec).expect("a choice");
            let span = |name: &str, parameter: &str| {
                let fault = all().fault(name, duty).expect("it is played");
                fault.parameters().span(parameter).expect("it is given").as_millis().to_string()
            };
            assert_eq!((span("slow", "delay").as_str(), span("brief", "duration").as_str()), (slow, brief));
        }
    }

    #[test]
    fn what_a_restart_does_not_end_is_healed_when_it_has_been_found() {
        let (on, second) = (Duty::default(), Duration::from_secs(1));
        let off = Duty { watchdog: false, ..on };
        for (name, duty, detected, expected) in [
            ("port-drop", on, Some(second * 2), Some(second * 3)),
            ("port-drop", off, Some(second * 2), None),
            ("port-drop", on, None, None),
            ("mute", on, Some(second * 2), None),
            ("latency", on, Some(second * 2), None),
        ] {
            let fault = all().fault(name, duty).expect("it is played");
            assert_eq!(heal_after(&fault, duty, detected), expected, "{name} {duty:?}");
        }
    }
}
