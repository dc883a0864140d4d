//! What of a start is not as before.

use super::{List, Named, is_looked_for};
use crate::cli::ChildPings;
use crate::tools::unit::directives::decide::Subject;
use crate::tools::unit::wrapped::Wrapped;
use crate::unit::{Value, Word};

pub fn add(list: &mut List<'_>, subject: &Subject<'_>) {
    let facts = list.facts;
    // It was so before: somebody has put sd-watchdog there already.
    if facts.is_wrapped() {
        lost_options(list, subject);
        return;
    }
    if !facts.0.commands("ExecStartPost").is_empty() {
        list.add(
            "ExecStartPost",
            "runs after the first healthy probe; health that waits for it never comes, and the start times out",
            "if so, move it to ExecStartPre=",
        );
    }
    if !facts.is_notify() {
        limits(list, subject);
    }
    match facts.kind() {
        "idle" => list.add(
            "Type",
            "the start no longer waits, up to 5 s, until other jobs are done",
            "order it with After=, if that was more than for a tidy console",
        ),
        "dbus" => list.add(
            "Type",
            "the name on the bus is not waited for any more, only health is",
            "have the probe ask over the bus (--exec 'busctl …'), or use: sd-watchdog guard UNIT",
        ),
        _ => {}
    }
    let commands =
        ["ExecCondition", "ExecStartPre", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"];
    let has_commands = commands.iter().any(|name| !facts.0.commands(name).is_empty());
    if has_commands && facts.hears_all() {
        list.add(
            "NotifyAccess",
            "becomes main; what ExecStartPre= and other commands say to systemd is not heard any more",
            "if they say anything, leave it to the service, which sd-watchdog hears",
        );
    }
    if facts.pings() && facts.hears_all() {
        pings(list, subject);
    }
    let sets_path = |name| facts.list(name).iter().any(|word| word == "PATH" || word.starts_with("PATH="));
    let is_looked_for =
        facts.0.commands("ExecStart").iter().any(|command| is_looked_for(&command.program.text));
    if subject.command.is_none()
        && is_looked_for
        && (sets_path("Environment") || sets_path("PassEnvironment"))
    {
        list.add(
            "ExecStart",
            "its program is looked for in the unit's own PATH, where systemd looks in directories of its own",
            "give its full path as COMMAND after --",
        );
    }
    if let Some((socket, place)) = facts.socket() {
        list.named.push(Named {
            directive: "Sockets".to_owned(),
            value: Some(socket),
            place: Some(place.unwrap_or_else(|| "TriggeredBy, as systemd has it".to_owned())),
            consequence: "is passed through; each probe is a client of the service, which is never idle for longer than --interval"
                .to_owned(),
            remedy: "if it is to exit when it is idle, do not wrap it".to_owned(),
        });
    }
    if facts.is_yes("RemainAfterExit") {
        list.add(
            "RemainAfterExit",
            "once the service has ended, nobody probes, and the unit counts as active",
            "take it out, if the service is to run all the time",
        );
    }
}

/// What stands there as an option of `sd-watchdog` is not there any more, unless it is given anew.
fn lost_options(list: &mut List<'_>, subject: &Subject<'_>) {
    let Some(wrapped) = list.facts.0.commands("ExecStart").first().and_then(Wrapped::of) else { return };
    // `--http=URL` is handed on in two words.
    let is_given = |word: &Word| {
        let text = word.text.to_string_lossy();
        let mut parts = text.splitn(if text.starts_with("--") { 2 } else { 1 }, '=');
        parts.all(|part| subject.options.iter().any(|option| option == part))
    };
    if wrapped.options.iter().all(is_given) {
        return;
    }
    let options: Vec<&str> = wrapped.options.iter().map(|word| word.written.as_str()).collect();
    list.add(
        "ExecStart",
        format!(
            "has options for sd-watchdog, in place of which those count that are given here: {}",
            options.join(" ")
        ),
        "give again what is to stay",
    );
}

/// `sd-watchdog` takes for a ping of the service what its main process says, as with `NotifyAccess=main`.
fn pings(list: &mut List<'_>, subject: &Subject<'_>) {
    const CONSEQUENCE: &str = "becomes main: the pings of WatchdogSec= may have come from any process, and now only the main one's count";
    match (subject.is_typed("--child-pings"), subject.wrapper.child_pings) {
        (false, _) => list.add(
            "NotifyAccess",
            format!("{CONSEQUENCE}; so none are asked for"),
            "if the main process pings by itself, give --child-pings require",
        ),
        (true, ChildPings::Require) => list.add(
            "NotifyAccess",
            format!("{CONSEQUENCE}; where another pings, the service is ended as if it hung"),
            "if the main process does not ping by itself, leave --child-pings require out",
        ),
        (true, ChildPings::Ignore) => {}
    }
}

/// What becomes of a limit of the start.
pub const LIMIT: &str = "now limits the time to the first healthy probe too";
pub const LONGER: &str = "if the service may need longer until it answers, raise it, or give --start-timeout";

/// Of the time that a start has.
fn limits(list: &mut List<'_>, subject: &Subject<'_>) {
    let facts = list.facts;
    let limit = facts.0.value("TimeoutStartSec").and_then(Value::time).flatten();
    if limit.is_some() && !subject.is_typed("--start-timeout") {
        list.add("TimeoutStartSec", LIMIT, LONGER);
    }
    // `service_add_extras` in systemd's src/core/service.c.
    if facts.kind() == "oneshot" && !facts.is_set("Service", "TimeoutStartSec") {
        list.add(
            "TimeoutStartSec",
            "is that of Type=oneshot; now it is DefaultTimeoutStartSec=, 90 s if nobody says it, to the first healthy probe",
            "set it, if the service may need longer until it answers",
        );
    }
    for name in ["JobTimeoutSec", "JobRunningTimeoutSec"] {
        if facts.is_set("Unit", name) {
            list.add_of("Unit", name, LIMIT, "raise it, if the service may need longer until it answers");
        }
    }
}
