//! What `GET /` shows: the same facts, as a page for people or as JSON for programs.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::condition::Condition;
use crate::fault::{Entry, Fault, catalogue};
use crate::vitals::Vitals;

/// The page. It needs nothing from anywhere else, and asks for the JSON once a second to show a hang as it happens.
const TEMPLATE: &str = include_str!("page.html");

#[derive(Serialize)]
struct Facts {
    pid: u32,
    uptime_ms: u64,
    requests: u64,
    seed: u64,
    workers: usize,
    fault: Option<Fault>,
    next: Option<Next>,
}

#[derive(Serialize)]
struct Next {
    fault: Fault,
    in_ms: u64,
}

/// The facts as JSON.
pub fn json(vitals: &Vitals, requests: u64, condition: &Condition) -> String {
    serde_json::json!(facts(vitals, requests, condition)).to_string() + "\n"
}

/// The facts as a page.
pub fn html(vitals: &Vitals, requests: u64, condition: &Condition) -> String {
    let facts = facts(vitals, requests, condition);
    let next = facts.next.as_ref().map(|next| format!("{} in {}", next.fault, whole_seconds(next.in_ms)));
    let row = |Entry { name, does, .. }: &Entry| format!("<dt>{name}</dt><dd>{does}</dd>");
    // Numbers, names and sentences of ours only: nothing here needs escaping.
    TEMPLATE
        .replace("{{faults}}", &catalogue::CATALOGUE.iter().map(row).collect::<String>())
        .replace("{{pid}}", &facts.pid.to_string())
        .replace("{{uptime}}", &whole_seconds(facts.uptime_ms))
        .replace("{{requests}}", &facts.requests.to_string())
        .replace("{{seed}}", &facts.seed.to_string())
        .replace("{{workers}}", &facts.workers.to_string())
        .replace("{{next}}", next.as_deref().unwrap_or("when told to"))
        .replace("{{fault}}", facts.fault.map_or("none", Fault::name))
}

fn facts(vitals: &Vitals, requests: u64, condition: &Condition) -> Facts {
    Facts {
        pid: vitals.pid,
        uptime_ms: millis(vitals.uptime()),
        requests,
        seed: vitals.seed,
        workers: vitals.workers,
        fault: condition.fault(),
        next: condition.next().map(|due| Next {
            fault: due.injection.fault,
            in_ms: millis(due.at.saturating_duration_since(Instant::now())),
        }),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn whole_seconds(millis: u64) -> String {
    humantime::format_duration(Duration::from_secs(millis / 1000)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_placeholder_is_left_on_the_page() {
        let page = html(&Vitals::new(7, 2), 1, &Condition::Healthy { next: None });
        assert!(!page.contains("{{"), "{page}");
        assert!(page.contains(&std::process::id().to_string()));
        for fault in Fault::ALL {
            assert!(page.contains(&format!("<dt>{fault}</dt><dd>{}</dd>", fault.does())), "{page}");
        }
    }
}
