//! `report.trace.json`: the trials as slices and instants in the Trace Event Format, which Perfetto (<https://ui.perfetto.dev>) and
//! Chromium's about:tracing show. A trial is a process there; who did something is a thread of it.

use serde_json::{Value, json};

use crate::model::clock::Usec;
use crate::model::event::Kind;
use crate::model::phase::Phase;
use crate::model::result::{RunResult, TrialResult};

/// Whose doing it was, in the order in which they are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Track {
    Phases = 1,
    Bounds,
    Client,
    Service,
    Watchdog,
    Systemd,
    Harness,
}

impl Track {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Phases, "phases"),
        (Self::Bounds, "bounds"),
        (Self::Client, "client"),
        (Self::Service, "service"),
        (Self::Watchdog, "sd-watchdog"),
        (Self::Systemd, "systemd (PID 1)"),
        (Self::Harness, "hangproof"),
    ];

    fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Injected { .. } => Self::Harness,
            Kind::LastGood | Kind::FirstGood => Self::Client,
            Kind::DeadlineWidened { .. } | Kind::HangReport { .. } => Self::Watchdog,
            Kind::Exited(_) => Self::Service,
            _ => Self::Systemd,
        }
    }
}

/// The document of some runs.
pub fn document(runs: &[RunResult]) -> Value {
    let trials = runs.iter().flat_map(|run| run.trials.iter().map(move |trial| (run, trial)));
    let events = trials.zip(1_u32..).flat_map(|((run, trial), process)| of_trial(run, trial, process));
    json!({ "displayTimeUnit": "ms", "traceEvents": events.collect::<Vec<_>>() })
}

fn of_trial(run: &RunResult, trial: &TrialResult, pid: u32) -> Vec<Value> {
    let name = format!("{} trial {}: {}", run.about.scenario, trial.number, trial.verdict.word());
    let mut events = vec![json!({ "ph": "M", "pid": pid, "name": "process_name", "args": { "name": name } })];
    for (track, name) in Track::ALL {
        let (tid, order) = (track as u32, track as u32);
        events.push(
            json!({ "ph": "M", "pid": pid, "tid": tid, "name": "thread_name", "args": { "name": name } }),
        );
        events.push(json!({ "ph": "M", "pid": pid, "tid": tid, "name": "thread_sort_index", "args": { "sort_index": order } }));
    }
    let slice = |track: Track, name: &str, from: Usec, usec: u64, args: Value| json!({ "ph": "X", "pid": pid, "tid": track as u32, "name": name, "ts": from.0, "dur": usec, "args": args });
    for (_, timeline) in trial.episodes() {
        for (phase, span) in timeline.phases.iter() {
            // The whole is the parts' frame; what clients saw is theirs.
            let track = if phase == Phase::Outage { Track::Client } else { Track::Phases };
            events.push(slice(track, phase.name(), span.from, span.to.0 - span.from.0, json!({})));
            if let Some(bound) = run.bounds.timer(phase) {
                let usec = u64::try_from(bound.at_most.as_micros()).unwrap_or(u64::MAX);
                events.push(slice(Track::Bounds, phase.name(), span.from, usec, json!({ "sum": bound.sum })));
            }
        }
        for event in &timeline.events {
            let track = Track::of(&event.kind) as u32;
            events.push(json!({
                "ph": "i", "s": "t", "pid": pid, "tid": track, "name": event.kind.to_string(), "ts": event.at.0,
                "args": serde_json::to_value(&event.kind).unwrap_or_default(),
            }));
        }
    }
    events
}
