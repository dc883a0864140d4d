//! Faults that `buggy_server` does to itself, on command: the server's own catalogue.

use std::time::Duration;

use server::fault::{Fault as InProcess, Recovery, Unit};

use super::Fault;
use super::act::{Act, Step};
use super::need::Need;
use super::parameter::{Default, Kind, Parameter};
use super::spec::{Family, Spec};
use crate::model::expect::Deed;

/// Where the client of `buggy_server` is in a machine.
pub const CLIENT: &str = "/usr/local/bin/buggy_server";

/// The server's catalogue, as one family of this one.
pub fn faults() -> Vec<Spec> {
    InProcess::ALL.into_iter().map(spec).collect()
}

fn spec(fault: InProcess) -> Spec {
    let entry = fault.entry();
    let (deed, recovery) = match entry.recovery {
        Recovery::Watchdog => (Deed::Hangs, "a watchdog that probes the service has it restarted"),
        Recovery::Exit => (Deed::Ends, "the process ends, and systemd's Restart= starts it again"),
        Recovery::None => (Deed::Spares, "none, for there is nothing to recover from"),
    };
    Spec {
        name: entry.name,
        family: Family::InProcess,
        does: entry.does,
        parameters: entry.parameters.iter().map(parameter).collect(),
        heals: entry.healable,
        takes_cpus: false,
        needs: entry.needs.map(Need::Said).into_iter().collect(),
        deed,
        recovery,
        how: |fault, _| Ok(order(fault)),
    }
}

fn parameter(given: &server::fault::Parameter) -> Parameter {
    let (least, most) = given.range;
    let kind = match given.unit {
        Unit::Span => Kind::Span(Duration::from_micros(least), Duration::from_micros(most)),
        Unit::Size => Kind::Size(least, most),
        Unit::Count => Kind::Number(number(least), number(most)),
    };
    let default =
        given.default.map_or(Default::Nothing, |default| Default::Value(given.unit.text(default).into()));
    Parameter { name: given.name, kind, default, does: given.does }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A server that was restarted has nothing to heal: that the client is told so is no error.
const HEAL: &str = "\"$1\" heal >/dev/null 2>&1 || :";

fn order(fault: &Fault) -> Act {
    let said = fault.spec().parameters.iter().filter_map(|Parameter { name, kind, .. }| {
        let value = match kind {
            // The server has another grammar of time spans.
            Kind::Span(..) => format!("{}us", fault.parameters().span(name)?.as_micros()),
            _ => fault.parameters().text(name),
        };
        // Nothing is what the server makes of a parameter that it is not told.
        (!value.is_empty()).then_some(())?;
        Some(format!("{name}={value}"))
    });
    let deed = Step::Client(
        [CLIENT, "inject", fault.name()].map(ToOwned::to_owned).into_iter().chain(said).collect(),
    );
    let undo = fault.spec().heals.then(|| Step::script("heal", HEAL, [CLIENT.into()]));
    Act { deed, undo }
}
