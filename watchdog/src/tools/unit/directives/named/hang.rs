//! What of a hang, an end, a stop or a reload is not as one might think.

use nix::libc::{SIGABRT, SIGKILL};

use super::List;
use crate::service::signals;
use crate::tools::unit::directives::decide::Subject;
use crate::tools::unit::directives::signals::{
    MainPid, have_to_be_passed_on, sent_in_reload, that_may_reload, that_reloads, that_stop,
};
use crate::tools::unit::directives::translate;
use crate::unit::Value;

pub fn add(list: &mut List<'_>, subject: &Subject<'_>) {
    let facts = list.facts;
    let watchdog_signal = facts.0.value("WatchdogSignal").and_then(Value::signal).unwrap_or(SIGABRT);
    match facts.text("Restart") {
        Some("on-success") => list.add(
            "Restart",
            "becomes always: after a hang it has to be started again, and no other value covers both; so it is after a failure \
             too",
            "if it must not be, name the failure in RestartPreventExitStatus=",
        ),
        Some("on-abort") => list.add(
            "Restart",
            "becomes on-abnormal: after a hang it has to be started again; so it is after a timeout too",
            "if it must not be, use: sd-watchdog guard UNIT",
        ),
        _ => {}
    }
    if let Some(Value::Statuses(prevent)) = facts.0.value("RestartPreventExitStatus") {
        let by: Vec<String> = [watchdog_signal, SIGKILL]
            .iter()
            .filter(|signal| prevent.signals.contains(signal))
            .map(|signal| signals::name(*signal))
            .collect();
        if !by.is_empty() {
            list.add(
                "RestartPreventExitStatus",
                format!("a service that hangs is ended by {}, and not started again", by.join(" or ")),
                "take it out",
            );
        }
    }
    if facts.0.value("SendSIGKILL").and_then(Value::flag) == Some(false) {
        list.add(
            "SendSIGKILL",
            format!(
                "what hangs and does not end by {} stays, beside the one that is started next",
                signals::name(watchdog_signal)
            ),
            "leave it at yes",
        );
    }
    if translate::abort_timeout(facts).is_none()
        && facts.0.value("TimeoutAbortSec").and_then(Value::time) == Some(None)
    {
        list.add(
            "TimeoutAbortSec",
            format!(
                "what hangs and does not end by {} is waited for without end",
                signals::name(watchdog_signal)
            ),
            "set it to what a core dump takes",
        );
    }
    if facts.0.value("PIDFile").is_some() && translate::is_out_of_reach(facts) {
        list.add(
            "PIDFile",
            "is taken out, and the file is no longer removed when the unit is down: with RootDirectory= no command gets there",
            "if somebody reads it then, have the service remove it",
        );
    }
    main_pid(list, subject);
    capabilities(list, subject);
}

/// `$MAINPID` for what is not kill(1).
fn main_pid(list: &mut List<'_>, subject: &Subject<'_>) {
    let facts = list.facts;
    for name in ["ExecReload", "ExecReloadPost", "ExecStop"] {
        if MainPid::of(facts.0.commands(name)).is_used_otherwise {
            list.add(
                name,
                "$MAINPID in it is the process of sd-watchdog, which passes on to the service what signals it gets from kill, \
                 and no more",
                "have it find the service's process in another way, if it is for anything else",
            );
        }
    }
    let stops = that_stop(facts, subject.wrapper.reload_signal.as_deref());
    let name = if facts.kind() == "notify-reload" { "ReloadSignal" } else { "ExecReload" };
    if let Some(signal) = sent_in_reload(facts).iter().find(|signal| stops.contains(signal)) {
        let signal = signals::name(*signal);
        list.add(
            name,
            format!(
                "{signal} stops the unit as well, so that a reload is the end of it: at {signal} sd-watchdog says STOPPING=1 and \
                 pings no more, and what has not ended after TimeoutStopSec= is killed"
            ),
            "have one of them use another signal",
        );
    }
    several_reloads(list, subject, &stops);
}

/// One of them is known to us.
fn several_reloads(list: &mut List<'_>, subject: &Subject<'_>, stops: &[i32]) {
    if list.facts.kind() == "notify-reload" || subject.is_typed("--reload-signal") {
        return;
    }
    let Some(known) = that_reloads(list.facts, stops) else { return };
    let is_another = |signal: &i32| *signal != known && !stops.contains(signal);
    if let Some(other) = that_may_reload(list.facts).into_iter().find(is_another) {
        list.add(
            "ExecReload",
            format!(
                "only {} is announced as a reload; {} is passed on as any signal is",
                signals::name(known),
                signals::name(other)
            ),
            "if the reload is by another one, name it with --reload-signal",
        );
    }
}

/// The service may become another user, which may not be signalled without a capability.
fn capabilities(list: &mut List<'_>, subject: &Subject<'_>) {
    let facts = list.facts;
    let ambient = facts.list("AmbientCapabilities");
    let has = |name: &str| ambient.iter().any(|other| other == name);
    if !facts.is_of_root(subject.flags())
        && has("CAP_SETUID")
        && !has("CAP_KILL")
        && have_to_be_passed_on(facts)
    {
        list.add(
            "AmbientCapabilities",
            "the service can change its user, and sd-watchdog cannot pass signals on to it then",
            "add CAP_KILL here and in CapabilityBoundingSet=, if it does",
        );
    }
}
