//! Clocks.

use super::act::{Act, Step};
use super::need::Need;
use super::spec::{Family, Spec};
use crate::model::expect::Deed;

/// The family.
pub fn faults() -> Vec<Spec> {
    vec![clock_step()]
}

/// A time namespace shifts CLOCK_MONOTONIC and CLOCK_BOOTTIME, of processes that are started in it, and by an amount that cannot be changed
/// any more once there is one (time_namespaces(7)): neither steps. And who could set CLOCK_REALTIME would set the host's.
fn clock_step() -> Spec {
    Spec {
        name: "clock-step",
        family: Family::Clock,
        does: "steps the wall clock",
        parameters: Vec::new(),
        heals: false,
        takes_cpus: false,
        needs: vec![Need::Impossible(
            "a wall clock of the machine's own, and Linux has one for all: a step would be the host's (try it in a virtual machine)",
        )],
        deed: Deed::Spares,
        recovery: "none, for watchdogs count by CLOCK_MONOTONIC",
        // Never run: of the need nobody has what it wants.
        how: |_, _| Ok(Act { deed: Step::timed("clock-step", "exit 1", []), undo: None }),
    }
}
