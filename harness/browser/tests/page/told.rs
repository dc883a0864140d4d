//! Tellings made by hand, as a service makes them that hangs every now and then.

use serde_json::{Value, json};

/// The settings of the service that hangs: `WatchdogSec=5s`.
const BOUNDS: [(&str, u64); 5] = [
    ("detect_usec", 2_100_000),
    ("kill_usec", 5_000_000),
    ("restart_usec", 350_000),
    ("start_usec", 10_000_000),
    ("recovery_usec", 17_450_000),
];
const FAULTS: [&str; 4] = ["mute", "deadlock", "refuse", "sigstop"];
/// How long a hang lasts, from its phases: detect, kill, restart, start.
const PHASES: [(&str, u64); 4] =
    [("detect", 1_720_000), ("kill", 60_000), ("restart", 120_000), ("start", 240_000)];
/// Between two asks of the client.
const ASK: u64 = 100_000;
/// Between two hangs.
pub const HANG: u64 = 30_000_000;

/// Tellings with their moments, in order, and what is still to come.
#[derive(Default)]
pub struct Told {
    /// Of each: when, and what without an id.
    pub tellings: Vec<(u64, Value)>,
}

impl Told {
    /// `seconds` of a service that hangs every [`HANG`], from `start` on.
    pub fn of(start: u64, seconds: u64) -> Self {
        let mut told = Self::default();
        told.say(start, scene(true));
        told.say(
            start,
            unit(
                "/etc/systemd/system/buggy_server.service",
                "[Service]\nType=notify\nWatchdogSec=5s\nRestart=always\n",
            ),
        );
        told.say(start, settings());
        told.say(start, controls());
        told.say(start, state("healthy", start, 100, 0));
        let (mut pid, end) = (100, start + seconds * 1_000_000);
        let mut quiet = start;
        for (number, hang) in
            (start + HANG / 2..end).step_by(usize::try_from(HANG).expect("it fits")).enumerate()
        {
            told.answers(quiet, hang, true);
            quiet = told.hang(hang, number, pid);
            pid += 1;
        }
        told.answers(quiet, end, true);
        told
    }

    pub fn say(&mut self, at: u64, telling: Value) {
        self.tellings.push((at, telling));
    }

    /// A second of asks each: a sinus of latencies, or none in time.
    fn answers(&mut self, from: u64, to: u64, good: bool) {
        let asks: Vec<u64> = (from..to).step_by(usize::try_from(ASK).expect("it fits")).collect();
        for second in asks.chunks(10) {
            let of = |&asked: &u64| {
                if good {
                    json!([asked, 700 + (asked / 100_000 * 37) % 900, 0])
                } else {
                    json!([asked, 500_000, 1])
                }
            };
            let answers: Vec<Value> = second.iter().map(of).collect();
            let mut telling = json!({"kind": "answers", "answers": answers});
            if !good {
                telling["reasons"] = json!(["no answer within 500 ms"]);
            }
            self.say(second.last().copied().unwrap_or(from) + ASK, telling);
        }
    }

    /// A hang, from its injection to when all is well; gives that moment.
    pub fn hang(&mut self, from: u64, number: usize, pid: u32) -> u64 {
        let (key, fault) = (format!("demo/{number}"), FAULTS[number % FAULTS.len()]);
        let restarts = u32::try_from(number).expect("few");
        let mut phases = Vec::new();
        let mut episode = json!({
            "kind": "episode", "key": key, "case": "demo", "scenario": "demo", "trial": number + 1, "fault": fault,
            "expect": "restarted by the watchdog within 17.45 s", "from": from, "over": false, "phases": [],
            "running": "detect", "running_from": from,
        });
        self.say(from, json!({"kind": "fault", "key": key, "fault": fault, "from": from}));
        self.say(from, event(from, "injected", &format!("{fault} injected"), "hangproof", None));
        self.say(from, episode.clone());
        self.say(from + ASK, state("hung", from, pid, restarts));
        let mut at = from;
        for (index, (phase, length)) in PHASES.into_iter().enumerate() {
            if phase == "detect" {
                self.answers(from, from + length, false);
            }
            at += length;
            phases.push(json!({"phase": phase, "from": at - length, "to": at, "bound_usec": bound(phase)}));
            episode["phases"] = phases.clone().into();
            episode["running"] = PHASES.get(index + 1).map_or(Value::Null, |next| next.0.into());
            episode["running_from"] = at.into();
            let (kind, label, word, source, message) = match phase {
                "detect" => (
                    "watchdog",
                    "Watchdog request",
                    "killed",
                    "systemd",
                    "buggy_server.service: Watchdog request (last status: probe failed)",
                ),
                "kill" => (
                    "exited",
                    "Main process exited",
                    "restarting",
                    "systemd",
                    "buggy_server.service: Main process exited, code=killed, status=6/ABRT",
                ),
                "restart" => (
                    "scheduled",
                    "Scheduled restart",
                    "starting",
                    "systemd",
                    "buggy_server.service: Scheduled restart job, restart counter is at 1.",
                ),
                _ => (
                    "started",
                    "Started",
                    "healthy",
                    "systemd",
                    "Started buggy_server.service - Buggy server.",
                ),
            };
            self.say(at, event(at, kind, label, source, Some(message)));
            self.say(at, state(word, at, if word == "healthy" { pid + 1 } else { pid }, restarts + 1));
            if phase == "start" {
                phases.push(
                    json!({"phase": "recovery", "from": from, "to": at, "bound_usec": bound("recovery")}),
                );
                phases.push(json!({"phase": "outage", "from": from, "to": at + 20_000}));
                episode["phases"] = phases.clone().into();
                episode["over"] = true.into();
                episode["failed_requests"] = 18.into();
                episode["verdict"] =
                    json!({"word": "pass", "reasons": [], "summary": "restarted by the watchdog"});
                let object = episode.as_object_mut().expect("an object");
                object.retain(|name, _| name != "running" && name != "running_from");
            } else if phase == "detect" {
                self.say(at, report(number, pid));
            }
            self.say(at, episode.clone());
        }
        self.say(at, json!({"kind": "fault", "key": key, "fault": fault, "from": from, "to": at}));
        self.say(at, history(number + 1));
        at
    }

    /// All of them as the page is given them.
    pub fn numbered(&self) -> Vec<Value> {
        let numbered = self.tellings.iter().zip(1_u64..);
        numbered.map(|((at, telling), id)| told(id, *at, telling)).collect()
    }
}

/// A telling with its id and its moment.
pub fn told(id: u64, at: u64, telling: &Value) -> Value {
    let mut whole = telling.clone();
    whole["id"] = id.into();
    whole["at"] = at.into();
    whole
}

fn bound(phase: &str) -> Value {
    let name = format!("{phase}_usec");
    BOUNDS.iter().find(|(of, _)| *of == name).map_or(Value::Null, |(_, usec)| (*usec).into())
}

fn scene(live: bool) -> Value {
    json!({
        "kind": "scene", "live": live, "title": "buggy_server", "unit": "buggy_server.service",
        "description": "Buggy server", "backend": "namespace", "systemd": "252.39-1~deb12u2", "version": "hangproof 0.1.0",
        "wall_usec": 1_796_000_000_000_000_u64, "url": "http://localhost:8080/",
    })
}

pub fn unit(path: &str, text: &str) -> Value {
    json!({"kind": "unit", "case": "demo", "scenario": "", "files": [{"path": path, "text": text}]})
}

fn settings() -> Value {
    let bounds: serde_json::Map<String, Value> =
        BOUNDS.iter().map(|(name, usec)| ((*name).into(), (*usec).into())).collect();
    json!({"kind": "settings", "watchdog_usec": 5_000_000, "on_hang": "trigger", "guarded": true, "restart": "always", "bounds": bounds})
}

pub fn state(word: &str, since: u64, pid: u32, restarts: u32) -> Value {
    json!({
        "kind": "state", "word": word, "since": since, "pid": pid, "started": since.saturating_sub(3_000_000), "restarts": restarts,
        "status": "healthy; last answer took 0.8 ms", "says": format!("The service is {word}."),
    })
}

pub fn event(at: u64, kind: &str, label: &str, source: &str, message: Option<&str>) -> Value {
    let mut event = json!({"kind": "event", "case": "demo", "event": {"kind": kind, "at": at}, "label": label, "source": source});
    if let Some(message) = message {
        event["journal"] =
            json!({"message": message, "fields": {"_PID": "1", "UNIT": "buggy_server.service"}});
    }
    event
}

fn controls() -> Value {
    let fault = |name: &str| {
        json!({
            "name": name, "says": format!("What {name} does, in a line."), "expect": "restarted by the watchdog", "heals": name == "mute",
            "where": if name == "sigstop" { "outside" } else { "inside" }, "available": true,
        })
    };
    json!({
        "kind": "controls", "watchdog": true, "on_hang": "trigger", "watchdog_usec": 5_000_000, "active": [],
        "faults": FAULTS.iter().map(|name| fault(name)).collect::<Vec<_>>(),
    })
}

fn report(number: usize, pid: u32) -> Value {
    json!({
        "kind": "report", "key": format!("report-{number}"), "case": "demo", "pid": pid,
        "summary": "Looks like a deadlock: 2 threads wait for locks.", "lines": ["hung: no answer within 500 ms, 3 times", "2 threads"],
        "threads": [
            {"tid": pid, "name": "buggy_server", "state": "S (sleeping)", "where": "futex_wait_queue", "means": "waits for a lock"},
            {"tid": pid + 1, "name": "worker", "state": "S (sleeping)", "where": "ep_poll", "means": "waits for events"},
        ],
    })
}

fn history(count: usize) -> Value {
    let group = |fault: &str| {
        json!({
            "fault": fault, "phase": "recovery", "n": count.div_ceil(FAULTS.len()), "of": count.div_ceil(FAULTS.len()), "min_usec": 2_040_000,
            "p50_usec": 2_140_000, "max_usec": 2_240_000, "values": vec![2_140_000; count.div_ceil(FAULTS.len()).min(200)], "bound_usec": bound("recovery"),
            "recovered": {"of": count, "n": count, "interval": [0.7, 1.0]},
        })
    };
    json!({"kind": "history", "groups": FAULTS.iter().take(count).map(|fault| group(fault)).collect::<Vec<_>>()})
}
