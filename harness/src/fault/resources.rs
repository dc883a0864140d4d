//! What a service works with runs short: CPU, memory, a disk, an answer of a disk.
//!
//! The machine's cgroups have the controllers that the host gives them, which is none on many, so no fault here relies on one.

use super::act::{Act, Step};
use super::need::Need;
use super::parameter::{Default, Kind, Parameter};
use super::spec::{Family, How, Spec};
use crate::model::expect::Deed;

const STARVE: &str = include_str!("starve.sh");
const LIMIT: &str = include_str!("limit.sh");
const UNLIMIT: &str = include_str!("unlimit.sh");
const FILL: &str = include_str!("fill.sh");
const EMPTY: &str = include_str!("empty.sh");
const COVER: &str = include_str!("cover.sh");
const UNCOVER: &str = include_str!("uncover.sh");

const NSENTER: Need = Need::Program { name: "nsenter", package: "util-linux" };

/// The family.
pub fn faults() -> Vec<Spec> {
    vec![cpu_starve(), memory_pressure(), disk_full(), io_hang()]
}

fn spec(name: &'static str, does: &'static str, parameter: Parameter, need: Need, how: How) -> Spec {
    Spec {
        name,
        family: Family::Resources,
        does,
        parameters: vec![parameter],
        heals: true,
        takes_cpus: false,
        needs: vec![need],
        deed: Deed::Hangs,
        recovery: "a watchdog that probes what the service does with it has it restarted",
        how,
    }
}

/// The loops are not nice, so they take the CPUs from the host's other work as well.
fn cpu_starve() -> Spec {
    let hogs = Parameter {
        name: "hogs",
        kind: Kind::Number(1, 64),
        default: Default::value("8"),
        does: "how many busy loops share each CPU with the unit",
    };
    let need = Need::Program { name: "setsid", package: "util-linux" };
    let does = "leaves the unit a small part of the CPUs: busy loops, each with a session of its own, take the rest, from sd-watchdog too";
    let how: How = |fault, _| {
        let undo = Step::script("starve.sh", STARVE, ["0".to_owned()]);
        let deed = Step::timed("starve.sh", STARVE, [fault.parameters().text("hogs")]);
        Ok(Act { deed, undo: Some(undo) })
    };
    Spec {
        deed: Deed::Spares,
        takes_cpus: true,
        recovery: "none: a service that is starved is not one that hangs (sd-watchdog --pressure)",
        ..spec("cpu-starve", does, hogs, need, how)
    }
}

fn memory_pressure() -> Spec {
    let left = Parameter {
        name: "left",
        kind: Kind::Number(0, 1024),
        default: Default::value("0"),
        does: "how many MB each process may still allocate",
    };
    let need = Need::Program { name: "prlimit", package: "util-linux" };
    let does = "lets the service's processes, except for sd-watchdog, allocate no more memory than they have (RLIMIT_AS)";
    let how: How = |fault, target| {
        let (group, main) = (target.group()?, target.main_pid()?);
        let undo = Step::script("unlimit.sh", UNLIMIT, [group.clone()]);
        let deed = Step::timed("limit.sh", LIMIT, [group, main, fault.parameters().text("left")]);
        Ok(Act { deed, undo: Some(undo) })
    };
    Spec {
        recovery: "a service that ends over it is started again; one that cannot serve, a watchdog that probes it has restarted",
        deed: Deed::Spares,
        ..spec("memory-pressure", does, left, need, how)
    }
}

/// A file system of the service's own, and a small one: that of a machine is its host's memory.
fn disk_full() -> Spec {
    let path = Parameter {
        name: "path",
        kind: Kind::Path,
        default: Default::Needed,
        does: "a directory of the service on a tmpfs of at most 64 MB (TemporaryFileSystem=PATH:size=16M)",
    };
    let does = "fills a file system of the service to the last byte";
    let how: How = |fault, target| {
        let (main, path) = (target.main_pid()?, fault.parameters().text("path"));
        let undo = Step::script("empty.sh", EMPTY, [main.clone(), path.clone()]);
        Ok(Act { deed: Step::timed("fill.sh", FILL, [main, path]), undo: Some(undo) })
    };
    Spec { deed: Deed::Spares, ..spec("disk-full", does, path, NSENTER, how) }
}

/// A FIFO that nobody writes to is bound over the file. Unlike a disk that does not answer, it lets a signal end who waits; and what was
/// open already goes on.
fn io_hang() -> Spec {
    let path = Parameter {
        name: "path",
        kind: Kind::Path,
        default: Default::Needed,
        does: "a file that the service opens as it serves",
    };
    let does =
        "has whoever opens a file of the service wait for ever (a FIFO with no other end is bound over it)";
    spec("io-hang", does, path, NSENTER, |fault, target| {
        let (main, path) = (target.main_pid()?, fault.parameters().text("path"));
        let undo = Step::script("uncover.sh", UNCOVER, [main.clone(), path.clone()]);
        Ok(Act { deed: Step::timed("cover.sh", COVER, [main, path]), undo: Some(undo) })
    })
}
