//! What is held against `sd-watchdog` as well, which does other things than the service.

use super::{List, Named, addresses, calls};
use crate::tools::unit::directives::decide::Subject;
use crate::tools::unit::directives::{GUARD, guard};
use crate::tools::unit::directives::{reach, translate};
use crate::unit::value::{self, flag};
use crate::unit::{Scope, Value};

/// What `sd-watchdog` needs at least. With fewer descriptors than 16 it does not start; the rest is for probes and the hang report.
const TASKS: u64 = 16;
const MEMORY: u64 = 32 << 20;
const DESCRIPTORS: u64 = 24;

/// syslog(3): levels that leave out what is told, as turns for the better.
const HIDING: [&str; 12] =
    ["emerg", "alert", "crit", "err", "warning", "notice", "0", "1", "2", "3", "4", "5"];

pub fn add(list: &mut List<'_>, subject: &Subject<'_>) {
    wider(list, subject);
    if subject.is_typed("--exec") {
        of_command(list);
    }
    calls::add(list);
    if subject.probes_internet() {
        network(list, subject);
    }
    if subject.is_typed("--metrics") {
        for name in ["SocketBindDeny", "PrivateNetwork", "NetworkNamespacePath"] {
            let is_off = list.facts.written("Service", name).and_then(flag) == Some(false);
            if list.facts.0.value(name).is_some() && list.facts.is_set("Service", name) && !is_off {
                list.add(
                    name,
                    "holds for the port of --metrics too, which may not be had, or not be reached",
                    "use --metrics-file instead, or let that port through",
                );
            }
        }
    }
    for name in ["AppArmorProfile", "SELinuxContext"] {
        if list.facts.written("Service", name).is_some() {
            list.add(
                name,
                "is sd-watchdog's now; what the service's is, the policy says: what it makes of a program that this one starts",
                POLICY,
            );
        }
    }
    if subject.has_selinux && list.facts.0.scope == Scope::System && !list.facts.is_wrapped() {
        selinux(list);
    }
    if list.facts.written("Service", "RestrictFileSystems").is_some() {
        list.add(
            "RestrictFileSystems",
            "holds for sd-watchdog too, which reads proc and cgroup2",
            "let these through",
        );
    }
    if list.facts.0.value("MountAPIVFS").and_then(Value::flag) == Some(false)
        && reach::root(list.facts).is_some()
    {
        list.add(
            "MountAPIVFS",
            "leaves /proc out of the unit's root directory, in which sd-watchdog sees what the service does",
            "leave it at yes, or have /proc bound there",
        );
    }
    if list.facts.is_yes("PrivatePIDs") {
        list.add(
            "PrivatePIDs",
            "sd-watchdog is process 1 in it, not the service",
            "use sd-watchdog guard UNIT, if the service counts on it",
        );
    }
    terminal(list);
    limits(list, subject);
}

const POLICY: &str = "have the policy let sd-watchdog start the service, or use: sd-watchdog guard UNIT";

/// Where no context is set, it follows from the file that systemd executes by the policy's `type_transition`.
fn selinux(list: &mut List<'_>) {
    if list.facts.written("Service", "SELinuxContext").is_none() {
        list.named.push(Named {
            directive: "SELinuxContext".to_owned(),
            value: None,
            place: Some("not set, where SELinux is in use".to_owned()),
            consequence: "the domain follows from the type of the file that systemd executes, which is sd-watchdog's now; the \
                          service may run in another than before"
                .to_owned(),
            remedy: POLICY.replace(GUARD, &guard(list.facts.0)),
        });
    }
}

/// What the service may do besides, since `sd-watchdog` has to.
fn wider(list: &mut List<'_>, subject: &Subject<'_>) {
    const REMEDY: &str = "if it must not, use: sd-watchdog guard UNIT";
    let families = translate::missing_families(subject, list.facts);
    if !families.is_empty() {
        let more = format!("the service may use {} too, which sd-watchdog needs", families.join(" "));
        list.add("RestrictAddressFamilies", more, REMEDY);
    }
    if translate::needs_kill(subject, list.facts) {
        list.add("CapabilityBoundingSet", "the service has CAP_KILL too, which sd-watchdog needs", REMEDY);
    }
}

/// What the command of `--exec` may, and sees, nobody knows here.
fn of_command(list: &mut List<'_>) {
    const HOLDING: [&str; 6] = [
        "RestrictAddressFamilies",
        "IPAddressDeny",
        "NoExecPaths",
        "InaccessiblePaths",
        "RootDirectory",
        "RootImage",
    ];
    let mut set = HOLDING.into_iter().filter(|name| list.facts.is_set("Service", name));
    let Some(first) = set.next() else { return };
    let others = set.fold(String::new(), |others, name| others + ", as does " + name + "=");
    list.add(
        first,
        format!("holds for the command of --exec too, which runs within the unit{others}"),
        "see that it lets that command do what it does",
    );
}

/// Probes come from within the unit.
fn network(list: &mut List<'_>, subject: &Subject<'_>) {
    let hosts = addresses::held(subject, list.facts);
    if !hosts.is_empty() {
        list.add(
            "IPAddressDeny",
            format!(
                "holds for the probes, which come from within the unit: it may not let them through to {}; such a one does not \
                 count, and READY never comes",
                hosts.join(" and ")
            ),
            "allow that with IPAddressAllow=",
        );
    }
    let words = |name: &str| -> Vec<String> {
        let lines = list.facts.list(name).iter();
        lines.flat_map(|line| line.split_whitespace()).map(ToOwned::to_owned).collect()
    };
    let interfaces = words("RestrictNetworkInterfaces");
    let denies_interfaces = interfaces.first().is_some_and(|first| first.starts_with('~'));
    let names_loopback = interfaces.iter().any(|name| name.trim_start_matches('~') == "lo");
    let is_set = |name: &str| list.facts.written("Service", name).is_some_and(|written| !written.is_empty());
    let held: Vec<&str> = [
        ("RestrictNetworkInterfaces", !interfaces.is_empty() && denies_interfaces == names_loopback),
        ("BindNetworkInterface", is_set("BindNetworkInterface")),
        ("IPIngressFilterPath", is_set("IPIngressFilterPath")),
        ("IPEgressFilterPath", is_set("IPEgressFilterPath")),
        ("BPFProgram", is_set("BPFProgram")),
    ]
    .into_iter()
    .filter_map(|(name, is_held)| is_held.then_some(name))
    .collect();
    for name in held {
        list.add(
            name,
            "holds for the probes, which come from within the unit; one that is not let through does not count, and READY \
             never comes",
            "let through where they go, like the interface lo",
        );
    }
}

fn terminal(list: &mut List<'_>) {
    match list.facts.text("StandardInput").or_else(|| list.facts.written("Service", "StandardInput")) {
        Some(input) if input.starts_with("tty") => list.add(
            "StandardInput",
            "the terminal belongs to the session of sd-watchdog, in which the service is, and does not lead it",
            "use sd-watchdog guard UNIT, if the service is to lead it",
        ),
        Some("socket") => list.add(
            "StandardInput",
            "is one connection, or a listening socket: if each connection has an instance of this unit, each is probed",
            "wrap only what serves all connections",
        ),
        _ => {}
    }
    if list.facts.0.value("UtmpIdentifier").is_some() {
        list.add(
            "UtmpIdentifier",
            "utmp has the process of sd-watchdog",
            "nothing, if nobody reads it there",
        );
    }
    if list.facts.written("Service", "LogLevelMax").is_some_and(|level| HIDING.contains(&level)) {
        list.add(
            "LogLevelMax",
            "hides what sd-watchdog says on that level and below, as to when the service was healthy again; warnings are \
             hang reports",
            "set it to info",
        );
    }
}

fn limits(list: &mut List<'_>, subject: &Subject<'_>) {
    if list.facts.written("Service", "LimitCPU").is_some_and(|limit| limit != "infinity") {
        list.add(
            "LimitCPU",
            "counts for sd-watchdog by itself too: at the limit it ends, and the service with it",
            "limit CPU by CPUQuota=",
        );
    }
    // getrlimit(2): root's processes are not counted. Of a range the first is what holds.
    let of_process = |name, parse: fn(&str) -> Option<u64>| {
        list.facts.written("Service", name).and_then(|limit| parse(limit.split(':').next()?))
    };
    let of_user = of_process("LimitNPROC", value::number).filter(|_| !list.facts.is_of_root(subject.flags()));
    let of_group = |name| match list.facts.0.value(name) {
        Some(Value::Number(limit)) => *limit,
        _ => None,
    };
    let counted = [
        ("TasksMax", of_group("TasksMax"), TASKS),
        ("LimitNPROC", of_user, TASKS),
        ("MemoryMax", of_group("MemoryMax"), MEMORY),
        ("MemoryHigh", of_group("MemoryHigh"), MEMORY),
    ];
    let held = [
        ("LimitNOFILE", of_process("LimitNOFILE", value::number), DESCRIPTORS, "24"),
        ("LimitAS", of_process("LimitAS", value::size), MEMORY, "32M"),
    ];
    for (name, limit, least) in counted {
        if limit.is_some_and(|limit| limit < least) {
            list.add(
                name,
                "counts sd-watchdog too: two processes, some threads and some MiB",
                "raise it by 8 tasks, or 16 MiB",
            );
        }
    }
    for (name, limit, least, shown) in held {
        if limit.is_some_and(|limit| limit < least) {
            list.add(
                name,
                "holds for sd-watchdog by itself too, which may not be able to start with it, or to probe",
                format!("raise it to {shown}"),
            );
        }
    }
}
