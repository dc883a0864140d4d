//! What people read: the beginning, the progress, what is wrong as it happens, and the account.

use std::time::Duration;

use super::clock::Time;
use super::conductor::{Complaint, Soak};
use super::deeds::Doing;
use super::guarded::{Ends, Guarded};
use super::hang::Hang;
use super::injections::{Injection, Outcome};
use super::schedule::Track;

/// How often the progress is shown.
pub fn progress_every(length: Duration) -> Duration {
    Duration::from_secs(if length <= Duration::from_secs(180) { 10 } else { 60 })
}

/// The first lines.
pub fn beginning(soak: &Soak, tracks: &[Track]) {
    let healthy = soak.guarded.iter().filter(|guarded| !guarded.part.is_patient).count();
    println!(
        "Soak: {} min, seed {}; W {} s; {healthy} healthy services, {} that hang; disturbed: {}",
        soak.length.as_secs_f64() / 60.0,
        soak.seed,
        soak.timing.watchdog.as_secs(),
        soak.guarded.len() - healthy,
        tracks.iter().map(|track| format!("{track:?}").to_lowercase()).collect::<Vec<_>>().join(", ")
    );
    if cfg!(debug_assertions) {
        println!("(dev profile: what it says of memory is not valid for the program that ships)");
    }
}

fn clock(at: Duration) -> String {
    format!("{:>3}:{:02}", at.as_secs() / 60, at.as_secs() % 60)
}

fn count(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// A line on how it stands.
pub fn progress(soak: &Soak, now: Time) {
    let sum = |field: &dyn Fn(&Guarded) -> u64| soak.guarded.iter().map(field).sum::<u64>();
    let open = soak.injections.iter().filter(|injection| injection.outcome.is_none()).count();
    let found = soak.injections.iter().filter(|injection| injection.outcome == Some(Outcome::Found)).count();
    let doing: Vec<String> = soak.doing.iter().map(Doing::name).collect();
    println!(
        "{}  {}, {} wrong; hangs: {} ordered, {found} found, {open} open | {}",
        clock(now.saturating_sub(soak.began)),
        count(sum(&|guarded| guarded.account.pings), "ping"),
        soak.complaints.iter().filter(|complaint| complaint.unsound.is_none()).count(),
        soak.injections.len(),
        if doing.is_empty() { "quiet".to_owned() } else { doing.join(", ") }
    );
}

/// Something that must not happen has happened.
pub fn complaint(complaint: &Complaint, under: &[String], log: &[String]) {
    let Complaint { at, who, what, unsound } = complaint;
    let kind = if unsound.is_some() { "unsound" } else { "WRONG" };
    println!("{}  {kind}: {who}: {what}", clock(*at));
    if let Some(why) = unsound {
        println!("        ({why})");
    }
    if !under.is_empty() {
        println!("        under: {}", under.join(", "));
    }
    for line in log {
        println!("        | {line}");
    }
}

/// The account; whether all of it is as it should be.
pub fn account(soak: &Soak, is_interrupted: bool) -> bool {
    println!(
        "\nServices. Gaps are between READY=1 or a ping and the next; a client's time is to its answer."
    );
    println!(
        "  {:<12} {:>6} {:>7} {:>8} {:>8} {:>8} {:>7} {:>8}  {:>8} {:>6} {:>8}  {:>7} {:>6} {:>6} {:>5}",
        "",
        "starts",
        "slowest",
        "pings",
        "longest",
        "triggers",
        "lapses",
        "failures",
        "clients",
        "failed",
        "slowest",
        "probes",
        "failed",
        "discnt",
        "wider"
    );
    soak.guarded.iter().for_each(service);
    println!("\nMemory of sd-watchdog, first third of a life against the last (the longest life; MiB):");
    soak.guarded.iter().filter(|guarded| !guarded.part.is_patient).for_each(memory);
    hangs(soak);
    let wrong = balance(soak);
    println!(
        "\nThe instrument: {} late at most, {} begun, the clock was set {}.",
        millis(soak.lateness),
        count(soak.deeds, "deed"),
        count(soak.stamps.steps.into(), "time")
    );
    let unsound = soak.complaints.iter().filter(|complaint| complaint.unsound.is_some()).count();
    if is_interrupted {
        println!("Interrupted: no verdict. (seed {})", soak.seed);
    } else if wrong.is_empty() {
        println!("PASS, with {unsound} unsound. (seed {})", soak.seed);
    } else {
        println!("FAIL (seed {}), with {unsound} unsound:", soak.seed);
        for line in &wrong {
            println!("  {line}");
        }
    }
    wrong.is_empty()
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn service(guarded: &Guarded) {
    let (account, counts) = (&guarded.account, guarded.figures.total());
    let (answered, failed, slowest) = if guarded.part.clients == 0 {
        ("-".to_owned(), "-".to_owned(), "-".to_owned())
    } else {
        let witness = &guarded.witness;
        (witness.answered.to_string(), witness.failed.to_string(), seconds(witness.slowest))
    };
    println!(
        "  {:<12} {:>6} {:>7} {:>8} {:>8} {:>8} {:>7} {:>8}  {answered:>8} {failed:>6} {slowest:>8}  {:>7} {:>6} {:>6} {:>5}",
        guarded.part.name,
        account.starts,
        seconds(account.longest_start),
        account.pings,
        seconds(account.longest_gap.0),
        account.triggers,
        account.lapses,
        account.failures,
        counts.ended,
        counts.unhealthy,
        counts.discounted,
        counts.widened
    );
    if let Some(control) = &guarded.control {
        let witness = &control.witness;
        println!(
            "  {:<12} {:>66}  {:>8} {:>6} {:>8}",
            "  unguarded",
            "",
            witness.answered,
            witness.failed,
            seconds(witness.slowest)
        );
    }
}

fn memory(guarded: &Guarded) {
    let Some(thirds) = guarded.lives.last() else {
        println!("  {:<12} no life was long enough", guarded.part.name);
        return;
    };
    println!(
        "  {:<12} anonymous {:>6.2} → {:>6.2}   PSS {:>6.2} → {:>6.2}   descriptors {:>3} → {:>3}{}",
        guarded.part.name,
        thirds.first.anonymous,
        thirds.last.anonymous,
        thirds.first.pss,
        thirds.last.pss,
        thirds.first.descriptors,
        thirds.last.descriptors,
        if thirds.grew() { "   GREW" } else { "" }
    );
}

/// Of more hangs than this, those that were found are shown by kind.
const MOST_ROWS: usize = 30;

fn hangs(soak: &Soak) {
    println!(
        "\nHangs, from their beginning to the word. Bound: (W/2 + N·T + (N−1)·r + report) / (1 − kept from running)"
    );
    let is_long = soak.injections.len() > MOST_ROWS;
    if is_long {
        println!(
            "  {:<14} {:>6} {:>6} {:>9} {:>22}",
            "", "hangs", "found", "slowest", "nearest to its bound"
        );
        for kind in Hang::ALL {
            hangs_of(soak, kind);
        }
    }
    let is_shown = |injection: &&Injection| !is_long || injection.outcome != Some(Outcome::Found);
    println!("  {:<10} {:<14} {:>9} {:>9} {:>6}", "", "", "after", "bound", "kept");
    for injection in soak.injections.iter().filter(is_shown) {
        let (after, kept) = (injection.after.map_or("-".to_owned(), seconds), injection.kept);
        println!(
            "  {:<10} {:<14} {after:>9} {:>9} {:>6}  {}{}{}",
            soak.guarded[injection.service].part.name,
            injection.kind.name(),
            seconds(injection.bound(&soak.timing)),
            kept.map_or("?".to_owned(), |kept| format!("{:.0} %", kept * 100.0)),
            outcome(injection),
            if injection.by_timer { ", by systemd's own timer" } else { "" },
            if injection.gone { ", while the socket was missing" } else { "" }
        );
    }
}

fn hangs_of(soak: &Soak, kind: Hang) {
    let all = || soak.injections.iter().filter(|injection| injection.kind == kind);
    let found = || all().filter(|injection| injection.outcome == Some(Outcome::Found));
    let slowest = found().filter_map(|injection| injection.after).max().unwrap_or_default();
    let share = |injection: &Injection| {
        injection.after.unwrap_or_default().div_duration_f64(injection.bound(&soak.timing))
    };
    let nearest = found().map(share).fold(0.0, f64::max);
    println!(
        "  {:<14} {:>6} {:>6} {:>9} {:>20.0} %",
        kind.name(),
        all().count(),
        found().count(),
        seconds(slowest),
        nearest * 100.0
    );
}

fn outcome(injection: &Injection) -> String {
    match &injection.outcome {
        Some(Outcome::Found) => "found".to_owned(),
        Some(Outcome::WordLost) => "WORD LOST".to_owned(),
        Some(Outcome::Missed) => "MISSED".to_owned(),
        Some(Outcome::Unsound(why)) => format!("unsound: {why}"),
        None => "open".to_owned(),
    }
}

/// Prints the sums; what is wrong with them.
fn balance(soak: &Soak) -> Vec<String> {
    let mut wrong = Vec::new();
    let healthy = || soak.guarded.iter().filter(|guarded| !guarded.part.is_patient);
    let of = |outcome: &dyn Fn(Option<&Outcome>) -> bool| {
        soak.injections.iter().filter(|injection| outcome(injection.outcome.as_ref())).count()
    };
    let (ordered, found) = (soak.injections.len(), of(&|outcome| outcome == Some(&Outcome::Found)));
    let missed = of(&|outcome| outcome == Some(&Outcome::Missed));
    let lost = of(&|outcome| outcome == Some(&Outcome::WordLost));
    let unsound = of(&|outcome| matches!(outcome, Some(Outcome::Unsound(_))));
    let open = of(&|outcome| outcome.is_none());
    println!("\nThe balance:");
    println!(
        "  hangs     {ordered} ordered = {found} found + {missed} missed + {lost} found late for a lost word + {unsound} \
         unsound + {open} open; {} not ordered, the patient had not come back",
        soak.not_ordered
    );
    let triggers: u64 = healthy().map(|guarded| guarded.account.triggers).sum();
    let lapses: u64 = healthy().map(|guarded| guarded.account.lapses).sum();
    let failures: u64 = healthy().map(|guarded| guarded.account.failures).sum();
    if let Some(nearest) = healthy().max_by_key(|guarded| guarded.account.longest_gap.0) {
        println!(
            "  pings     the longest gap of a healthy service: {} of {} ({}, {} after the beginning)",
            seconds(nearest.account.longest_gap.0),
            seconds(soak.timing.watchdog),
            nearest.part.name,
            clock(nearest.account.longest_gap.1.saturating_sub(soak.began)).trim_start()
        );
    }
    println!(
        "  healthy   {triggers} triggers, {lapses} lapses, {failures} failed starts, stops or ends; of these unsound: {}",
        soak.complaints.iter().filter(|complaint| complaint.unsound.is_some()).count()
    );
    for guarded in &soak.guarded {
        let (starts, ends) = (guarded.account.starts, guarded.ends);
        if starts != ends.sum() {
            wrong.push(format!("{}: {starts} starts, but {ends:?}", guarded.part.name));
        }
        if let Some(first) = guarded.imbalances.first() {
            wrong.push(format!(
                "{}: {} figures that do not add up: {first}",
                guarded.part.name,
                guarded.imbalances.len()
            ));
        }
        if guarded.lives.iter().any(super::growth::Thirds::grew) {
            wrong.push(format!("{}: sd-watchdog grew", guarded.part.name));
        }
    }
    let ends =
        |field: &dyn Fn(&Ends) -> u64| soak.guarded.iter().map(|guarded| field(&guarded.ends)).sum::<u64>();
    println!(
        "  starts    {} = {} killed as systemd would + {} restarted on purpose + {} ended by themselves + {} at the end",
        soak.guarded.iter().map(|guarded| guarded.account.starts).sum::<u64>(),
        ends(&|ends| ends.killed),
        ends(&|ends| ends.restarted),
        ends(&|ends| ends.by_itself),
        ends(&|ends| ends.at_the_end)
    );
    let sum = |field: &dyn Fn(&super::figures::Counts) -> u64| {
        soak.guarded.iter().map(|guarded| field(&guarded.figures.total())).sum::<u64>()
    };
    println!(
        "  probes    {} ended = {} healthy + {} unhealthy, of which {} discounted (as of the last figures of each life)",
        sum(&|counts| counts.ended),
        sum(&|counts| counts.healthy),
        sum(&|counts| counts.unhealthy),
        sum(&|counts| counts.discounted)
    );
    wrong.extend(soak.complaints.iter().filter(|complaint| complaint.unsound.is_none()).map(|complaint| {
        format!("{} {}: {}", clock(complaint.at).trim_start(), complaint.who, complaint.what)
    }));
    if missed + lost + open > 0 {
        wrong.push(format!("{missed} hangs missed, {lost} words lost, {open} hangs open"));
    }
    wrong
}
