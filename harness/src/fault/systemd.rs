//! What systemd and its journal go through: a service is to notice nothing of it.

use super::act::{Act, Step};
use super::need::Need;
use super::spec::{Family, How, Spec};
use crate::model::expect::Deed;

const FLOOD: &str = include_str!("flood.sh");
const DAM: &str = include_str!("dam.sh");
const KILL_JOURNALD: &str = "systemctl kill --signal=KILL --kill-who=main systemd-journald.service";

/// The family.
pub fn faults() -> Vec<Spec> {
    let reload: How = |_, _| Ok(command("daemon-reload", "systemctl daemon-reload"));
    let reexec: How = |_, _| Ok(command("daemon-reexec", "systemctl daemon-reexec"));
    let kill: How = |_, _| Ok(command("journald-kill", KILL_JOURNALD));
    vec![
        spec("daemon-reload", "has systemd read its units anew (systemctl daemon-reload)", reload),
        spec("daemon-reexec", "has systemd execute itself anew (systemctl daemon-reexec)", reexec),
        spec("journald-kill", "kills systemd-journald (SIGKILL), which systemd starts again", kill),
        reload_service(),
        stop_service(),
        notify_socket_full(),
    ]
}

fn command(name: &'static str, command: &str) -> Act {
    Act { deed: Step::timed(name, command, []), undo: None }
}

fn spec(name: &'static str, does: &'static str, how: How) -> Spec {
    Spec {
        name,
        family: Family::Systemd,
        does,
        parameters: Vec::new(),
        heals: false,
        takes_cpus: false,
        needs: Vec::new(),
        deed: Deed::Spares,
        recovery: "none, for there is nothing to recover from",
        how,
    }
}

fn reload_service() -> Spec {
    Spec {
        needs: vec![Need::Said("a unit that can be reloaded: ExecReload= or Type=notify-reload")],
        ..spec("reload", "has systemd reload the service (systemctl reload)", |_, target| {
            let systemctl = "systemctl reload \"$1\"";
            Ok(Act { deed: Step::timed("reload", systemctl, [target.unit().into()]), undo: None })
        })
    }
}

/// Returns when systemd has begun: how long it takes is what is asked.
fn stop_service() -> Spec {
    Spec {
        deed: Deed::Stops,
        recovery: "none, for it is to stay down: outcome = \"stopped\"",
        ..spec("stop", "has systemd stop the service (systemctl stop)", |_, target| {
            let systemctl = "systemctl stop --no-block \"$1\"";
            Ok(Act { deed: Step::timed("stop", systemctl, [target.unit().into()]), undo: None })
        })
    }
}

/// Who sends there finds no room, or waits: systemd reads one datagram after the other, and these are most of them.
fn notify_socket_full() -> Spec {
    let does = "floods the socket on which systemd is told how services are, so that its queue is full";
    Spec {
        heals: true,
        takes_cpus: false,
        needs: vec![Need::Program { name: "logger", package: "bsdutils" }],
        ..spec("notify-socket-full", does, |_, _| {
            let undo = Step::script("dam.sh", DAM, []);
            Ok(Act { deed: Step::timed("flood.sh", FLOOD, []), undo: Some(undo) })
        })
    }
}
