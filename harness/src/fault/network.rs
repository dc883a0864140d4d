//! What the service is reached through, and reaches: in the machine's own network namespace, which the observer asks in as well. To
//! that network it is a client like any other: what is done there is done to it too.

use super::act::{Act, Step};
use super::need::Need;
use super::parameter::{Default, Kind, Parameter};
use super::spec::{Family, Spec};
use crate::model::expect::Deed;

const RULE: &str = include_str!("rule.sh");
const UNRULE: &str = include_str!("unrule.sh");
const NETEM: &str = include_str!("netem.sh");
const UNNETEM: &str = include_str!("unnetem.sh");

const NFT: Need = Need::Program { name: "nft", package: "nftables" };
const NF_TABLES: Need =
    Need::Kernel { what: "nf_tables in the kernel", test: "nft add table inet hangproof" };
const TC: Need = Need::Program { name: "tc", package: "iproute2" };
const NETEM_IN_KERNEL: Need = Need::Kernel {
    what: "netem in the kernel (sch_netem)",
    test: "tc qdisc add dev lo root netem delay 1ms",
};

/// The family.
pub fn faults() -> Vec<Spec> {
    vec![port_drop(), loss(), latency(), resolver_down()]
}

const fn port() -> Parameter {
    Parameter {
        name: "port",
        kind: Kind::Number(1, 65_535),
        default: Default::ObservedPort,
        does: "the service's port (TCP)",
    }
}

/// Rules of nftables, in a table of the fault's own.
fn rules(name: &'static str, rules: &str) -> Act {
    let table = format!("hangproof_{}", name.replace('-', "_"));
    let deed = Step::timed("rule.sh", RULE, [table.clone(), rules.to_owned()]);
    Act { deed, undo: Some(Step::script("unrule.sh", UNRULE, [table])) }
}

fn port_drop() -> Spec {
    Spec {
        name: "port-drop",
        family: Family::Network,
        does: "drops every packet to the service's port, of connections that there are as well",
        parameters: vec![port()],
        heals: true,
        takes_cpus: false,
        needs: vec![NFT, NF_TABLES],
        deed: Deed::Hangs,
        recovery: "a watchdog that probes the port has the service restarted, again and again until it is healed",
        how: |fault, _| {
            Ok(rules("port-drop", &format!("tcp dport {} drop", fault.parameters().text("port"))))
        },
    }
}

fn loss() -> Spec {
    let percent = Parameter {
        name: "percent",
        kind: Kind::Number(1, 100),
        default: Default::value("2"),
        does: "of how many packets, each way",
    };
    Spec {
        name: "loss",
        family: Family::Network,
        does: "loses some of the packets to and from the service's port, at random",
        parameters: vec![percent, port()],
        heals: true,
        takes_cpus: false,
        needs: vec![NFT, NF_TABLES],
        deed: Deed::Spares,
        recovery: "none, unless so much is lost that several probes in a row come to nothing",
        how: |fault, _| {
            let parameters = fault.parameters();
            // Of the numbers from 0 to 99, the highest that is lost.
            let highest = parameters.number("percent").unwrap_or_default() - 1;
            let port = parameters.text("port");
            let lost = |way: &str| format!("tcp {way} {port} numgen random mod 100 <= {highest} drop");
            Ok(rules("loss", &format!("{}; {}", lost("dport"), lost("sport"))))
        },
    }
}

fn latency() -> Spec {
    const MS: std::time::Duration = std::time::Duration::from_millis(1);
    let delay = Parameter {
        name: "delay",
        kind: Kind::Span(MS, std::time::Duration::from_secs(60)),
        default: Default::value("100ms"),
        does: "by how much each packet is late, and so twice that an answer",
    };
    Spec {
        name: "latency",
        family: Family::Network,
        does: "delays every packet of the machine's loopback device",
        parameters: vec![delay],
        heals: true,
        takes_cpus: false,
        needs: vec![TC, NETEM_IN_KERNEL],
        deed: Deed::Spares,
        recovery: "none, unless an answer takes longer than a probe waits for it",
        how: |fault, _| {
            let delay = fault.parameters().span("delay").unwrap_or_default();
            let deed = Step::timed("netem.sh", NETEM, [format!("{}us", delay.as_micros())]);
            Ok(Act { deed, undo: Some(Step::script("unnetem.sh", UNNETEM, [])) })
        },
    }
}

fn resolver_down() -> Spec {
    Spec {
        name: "resolver-down",
        family: Family::Network,
        does: "drops every question to a name server: every packet to port 53",
        parameters: Vec::new(),
        heals: true,
        takes_cpus: false,
        needs: vec![NFT, NF_TABLES],
        deed: Deed::Spares,
        recovery: "none, unless the service itself cannot serve without names",
        how: |_, _| Ok(rules("resolver-down", "meta l4proto { tcp, udp } th dport 53 drop")),
    }
}
