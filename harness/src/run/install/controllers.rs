//! Controllers of cgroups: what a unit limits is not limited where the machine has none. systemd says nothing of that.

use std::collections::{BTreeMap, BTreeSet};

use super::{COMMAND, RunError};
use crate::machine::Machine;
use crate::model::text;

/// What each controller's directives begin with, and which are meant (systemd.resource-control(5)).
const DIRECTIVES: [(&str, &[&str]); 5] = [
    (
        "memory",
        &[
            "MemoryMax",
            "MemoryHigh",
            "MemoryLow",
            "MemoryMin",
            "MemorySwapMax",
            "MemoryZSwapMax",
            "MemoryLimit",
        ],
    ),
    ("cpu", &["CPUQuota", "CPUWeight", "CPUShares"]),
    ("cpuset", &["AllowedCPUs", "AllowedMemoryNodes"]),
    ("pids", &["TasksMax"]),
    (
        "io",
        &[
            "IOWeight",
            "IODeviceWeight",
            "IODeviceLatencyTargetSec",
            "IOReadBandwidthMax",
            "IOWriteBandwidthMax",
            "IOReadIOPSMax",
            "IOWriteIOPSMax",
        ],
    ),
];

/// The first of these controllers that the machine has not, as a reason to skip.
pub fn missing(machine: &dyn Machine, wanted: &BTreeSet<String>) -> Result<Option<String>, RunError> {
    if wanted.is_empty() {
        return Ok(None);
    }
    let there = of(machine)?;
    let missing = wanted.iter().find(|wanted| !there.contains(*wanted));
    Ok(missing.map(|missing| {
        format!("needs the cgroup controller {missing}, and the machine has {}", list(&there))
    }))
}

/// Of each directive of the unit that does nothing for want of a controller, that it does not.
pub fn without_effect(machine: &dyn Machine, unit: &str) -> Result<Vec<String>, RunError> {
    let argv = ["systemctl", "cat", unit];
    let files = machine.run(&argv, COMMAND)?.stdout;
    let idle = limits(&files);
    if idle.is_empty() {
        return Ok(Vec::new());
    }
    let there = of(machine)?;
    let idle = idle.into_iter().filter(|(_, (controller, _))| !there.contains(*controller));
    let notes = idle.map(|(directive, (controller, value))| {
        let line = text::one_line(format!("{directive}={value}"));
        format!(
            "{line} has no effect: the machine has no cgroup controller {controller}. [service] requires.controllers = \
            [\"{controller}\"] skips the scenario there"
        )
    });
    Ok(notes.collect())
}

/// Those that the machine has.
fn of(machine: &dyn Machine) -> Result<BTreeSet<String>, RunError> {
    let argv = ["cat", "/sys/fs/cgroup/cgroup.controllers"];
    let controllers = machine.run(&argv, COMMAND)?.successful(&argv)?.stdout;
    Ok(controllers.split_whitespace().map(ToOwned::to_owned).collect())
}

fn list(controllers: &BTreeSet<String>) -> String {
    if controllers.is_empty() {
        return "none".into();
    }
    controllers.iter().cloned().collect::<Vec<_>>().join(", ")
}

/// The directives of a unit's files that limit something, each with its controller and its last value.
fn limits(files: &str) -> BTreeMap<&'static str, (&'static str, &str)> {
    let mut limits = BTreeMap::new();
    for (name, value) in files.lines().filter_map(|line| line.split_once('=')) {
        let name = name.trim();
        let found = DIRECTIVES.iter().find_map(|(controller, names)| {
            Some((*names.iter().find(|known| **known == name)?, *controller))
        });
        match (found, value.trim()) {
            (Some((name, _)), "" | "infinity") => drop(limits.remove(name)),
            (Some((name, controller)), value) => drop(limits.insert(name, (controller, value))),
            (None, _) => {}
        }
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_units_limits_are_read_from_its_files_the_last_one_of_each() {
        let files = "\
# /etc/systemd/system/x.service
[Service]
#MemoryHigh=1G
MemoryMax=1G
CPUQuota=20%
TasksMax=infinity
IOWeight = 10
MemoryDenyWriteExecute=yes
# /etc/systemd/system/x.service.d/50-hangproof.conf
[Service]
MemoryMax=2G
CPUQuota=
";
        let limits = limits(files).into_iter().collect::<Vec<_>>();
        assert_eq!(limits, [("IOWeight", ("io", "10")), ("MemoryMax", ("memory", "2G"))]);
    }
}
