//! A command of the user's own.

use super::act::{Act, Step};
use super::parameter::{Default, Kind, Parameter};
use super::spec::{Family, Spec};
use crate::model::expect::Deed;

/// Runs its arguments.
const RUN: &str = "\"$@\"";

/// The family.
pub fn faults() -> Vec<Spec> {
    vec![exec()]
}

fn exec() -> Spec {
    let parameter = |name, kind, default, does| Parameter { name, kind, default, does };
    Spec {
        name: "exec",
        family: Family::Command,
        does: "runs a command of your own in the machine, as root; the fault is in effect when it has ended",
        parameters: vec![
            parameter("run", Kind::Command, Default::Needed, "what injects it"),
            parameter(
                "undo",
                Kind::Command,
                Default::Nothing,
                "what heals it, and does no harm where nothing is to be healed",
            ),
            parameter(
                "effect",
                Kind::Word(&["hangs", "ends", "spares", "silences"]),
                Default::value("hangs"),
                "what becomes of the service: it does not serve, ends, is to go on serving, or sd-watchdog is silenced",
            ),
        ],
        heals: true,
        takes_cpus: true,
        needs: Vec::new(),
        deed: Deed::Hangs,
        recovery: "what the scenario says",
        how: |fault, _| {
            let undo = fault.parameters().command("undo");
            let undo = (!undo.is_empty()).then(|| Step::script("undo", RUN, undo));
            Ok(Act { deed: Step::timed("run", RUN, fault.parameters().command("run")), undo })
        },
    }
}
