//! The report as people read it: why it counts as hung, what that looks like, then the evidence. Pure.

use std::time::Instant;

use crate::text::shortened;
use crate::words::span::rounded;

use super::figures::Figures;
use super::snapshot::Snapshot;
use super::table::{align, counted, groups, lines};
use super::{ProbeRecord, Report};
use crate::kernel::process::Process;
use crate::kernel::sockets::Socket;

/// How much of each section is shown; the entries have the rest.
const MAX_PROBES: usize = 6;
const MAX_PROCESSES: usize = 6;
const MAX_GROUPS: usize = 4;
const MAX_SOCKETS: usize = 6;
/// Lines of a process: one for itself, one for its command line, its groups, and one for those left out.
const MAX_GROUPS_IN_ALL: usize = 16;
/// Of a command line, in characters.
const MAX_COMMAND_LINE: usize = 160;
/// Of the reason of a failed probe, and of other people's words in general, in characters.
const MAX_WORDS: usize = 300;

/// From this share on, a limit is nearly reached.
const NEARLY: f64 = 0.9;

pub(super) fn render(report: &Report) -> String {
    let Report { snapshot, context, diagnosis, .. } = report;
    let mut text = vec![format!(
        "{} {}: {}",
        context.unit.as_ref().map_or("The service", |(_, unit)| unit),
        if context.is_certain { "hangs" } else { "may hang" },
        shortened(&context.reason, MAX_WORDS)
    )];
    text.extend(diagnosis.iter().map(|diagnosis| format!("Diagnosis: {diagnosis}")));
    section(&mut text, "Last probes", probes(&context.probes, snapshot.taken_at));
    section(&mut text, &heading(snapshot), processes(snapshot));
    section(&mut text, "Listens on", sockets(&snapshot.sockets));
    section(&mut text, "The unit as a whole", snapshot.figures.iter().flat_map(figures).collect());
    section(&mut text, "Not in this report", gaps(snapshot));
    text.push(format!("Collected in {}", rounded(snapshot.took)));
    text.join("\n")
}

fn section(text: &mut Vec<String>, heading: &str, lines: Vec<String>) {
    if !lines.is_empty() {
        text.push(format!("{heading}:"));
        text.extend(lines.into_iter().map(|line| format!("  {line}")));
    }
}

/// The last probes, relative to the report.
pub(super) fn probes(probes: &[ProbeRecord], now: Instant) -> Vec<String> {
    let rows: Vec<_> = probes
        .iter()
        .skip(probes.len().saturating_sub(MAX_PROBES))
        .map(|probe| {
            let outcome = match &probe.outcome {
                Ok(()) => "healthy".to_owned(),
                Err(reason) => shortened(reason, MAX_WORDS),
            };
            let ago = rounded(now.saturating_duration_since(probe.at));
            [format!("{ago} ago"), format!("took {}", rounded(probe.took)), outcome]
        })
        .collect();
    align(&rows)
}

fn heading(snapshot: &Snapshot) -> String {
    let (read, threads) = (snapshot.processes.len(), snapshot.thread_count());
    let all = counted(read + snapshot.unread(), "process");
    match (snapshot.unread(), snapshot.thread_total()) {
        (0, _) => format!("{all}, {}", counted(threads, "thread")),
        (_, Some(total)) => format!("{read} of {all}, {threads} of {}", counted(total, "thread")),
        (_, None) => format!("{read} of {all}, {}", counted(threads, "thread")),
    }
}

fn processes(snapshot: &Snapshot) -> Vec<String> {
    let shown = &snapshot.processes[..snapshot.processes.len().min(MAX_PROCESSES)];
    let heads = align(&shown.iter().map(head).collect::<Vec<_>>());
    let mut text = Vec::new();
    let mut groups_left = MAX_GROUPS_IN_ALL;
    for (process, head) in shown.iter().zip(heads) {
        text.push(head);
        let command_line = process.command_line.as_deref().filter(|line| !line.is_empty());
        text.extend(command_line.map(|line| format!("    {}", shortened(line, MAX_COMMAND_LINE))));
        let groups = groups(&process.threads);
        let most = groups.len().min(MAX_GROUPS).min(groups_left);
        groups_left -= most;
        text.extend(lines(&groups[..most]).into_iter().map(|line| format!("    {line}")));
        let hidden = process.thread_count - groups[..most].iter().map(|group| group.count).sum::<usize>();
        if hidden > 0 {
            text.push(format!("    and {} more", counted(hidden, "thread")));
        }
    }
    let rest = snapshot.processes.len() - shown.len();
    if rest > 0 {
        text.push(format!("and {}", counted(rest, "process").replacen(' ', " more ", 1)));
    }
    text
}

/// Of a process, in columns.
fn head(process: &Process) -> [String; 5] {
    let files = match (process.descriptors, process.descriptor_limit) {
        (Some(open), Some(u64::MAX) | None) => counted(open, "open file"),
        (Some(open), Some(limit)) => format!("{open} of {limit} open files{}", nearly(open as u64, limit)),
        (None, _) => String::new(),
    };
    let memory = match (process.resident, process.swapped) {
        (Some(resident), Some(swapped @ 1..)) => format!("{}, {} swapped out", size(resident), size(swapped)),
        (Some(resident), _) => size(resident),
        (None, _) => String::new(),
    };
    let threads = counted(process.thread_count, "thread");
    [format!("{} {}", process.pid, process.comm), state(process), threads, files, memory]
}

/// A process' state in a word.
fn state(process: &Process) -> String {
    match process.state {
        'R' => "R (runs)".to_owned(),
        'S' => "S (sleeps)".to_owned(),
        'D' => "D (waits uninterruptibly)".to_owned(),
        'T' => "T (stopped)".to_owned(),
        't' => match process.tracer {
            Some(tracer) => format!("t (traced by {tracer})"),
            None => "t (traced)".to_owned(),
        },
        'Z' => "Z (has ended)".to_owned(),
        'I' => "I (idle)".to_owned(),
        other => other.to_string(),
    }
}

fn sockets(sockets: &[Socket]) -> Vec<String> {
    let rows: Vec<_> =
        sockets.iter().take(MAX_SOCKETS).map(|socket| [socket.address.clone(), queue(socket)]).collect();
    let mut text = align(&rows);
    if sockets.len() > MAX_SOCKETS {
        text.push(format!("and {} more", sockets.len() - MAX_SOCKETS));
    }
    text
}

/// An accept queue in words.
pub(super) fn queue(socket: &Socket) -> String {
    match (socket.depth, socket.limit) {
        (Some(depth), Some(limit)) if socket.is_full() => {
            format!("{depth} of {limit} wait to be accepted: full")
        }
        (Some(depth), Some(limit)) => format!("{depth} of {limit} wait to be accepted"),
        (Some(depth), None) => format!("{depth} wait to be accepted"),
        (None, _) => "how many wait to be accepted is not known".to_owned(),
    }
}

fn figures(figures: &Figures) -> Vec<String> {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push([name.to_owned(), value]);
    if figures.frozen {
        row("freezer", "frozen".to_owned());
    }
    if !figures.pressure.is_empty() {
        let whose = if figures.pressure_of_machine { "pressure of the machine" } else { "pressure" };
        row(whose, format!("{} of the last 10 s", pressure(figures)));
    }
    if let Some(memory) = figures.memory {
        let mut text = match figures.memory_max {
            Some(u64::MAX) | None => size(memory),
            Some(most) => format!("{} of {}{}", size(memory), size(most), nearly(memory, most)),
        };
        text.extend(figures.memory_peak.map(|peak| format!(", at most {}", size(peak))));
        text.extend(
            figures.swap.filter(|&swap| swap > 0).map(|swap| format!(", {} swapped out", size(swap))),
        );
        row("memory", text);
    }
    let (out, kills) = (figures.out_of_memory.unwrap_or(0), figures.oom_kills.unwrap_or(0));
    if out + kills > 0 {
        row("out of memory", format!("{out} times; killed for it: {kills}"));
    }
    if let Some(tasks) = figures.tasks {
        let text = match figures.tasks_max {
            Some(u64::MAX) | None => tasks.to_string(),
            Some(most) => format!("{tasks} of {most}{}", nearly(tasks, most)),
        };
        row("tasks", text);
    }
    if let Some(throttled) = figures.throttled.filter(|throttled| throttled.throttled > 0) {
        let (held, periods, time) = (throttled.throttled, throttled.periods, rounded(throttled.time));
        row("CPUQuota=", format!("held it up in {held} of {periods} periods, for {time}"));
    }
    if let Some(dying @ 1..) = figures.dying_groups {
        row("control groups", format!("{dying} below were removed and still hold memory"));
    }
    align(&rows)
}

/// `CPU 1.5 %, memory 0 %, IO 0 %`: time in which something waited for it.
pub(super) fn pressure(figures: &Figures) -> String {
    let percents: Vec<_> = figures
        .pressure
        .iter()
        .map(|(resource, pressure)| format!("{} {} %", resource.name(), pressure.some.avg10))
        .collect();
    percents.join(", ")
}

fn gaps(snapshot: &Snapshot) -> Vec<String> {
    let cut =
        snapshot.missing().map(|missing| format!("cut short after {}: {missing}", rounded(snapshot.took)));
    cut.into_iter().chain(snapshot.gaps.iter().map(ToString::to_string)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "only a share is asked for")]
fn nearly(now: u64, most: u64) -> &'static str {
    match now as f64 / most as f64 {
        1.0.. => " (all)",
        NEARLY.. => " (nearly all)",
        _ => "",
    }
}

/// `12.3 MiB`
pub(super) fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let exponent = (0..3).take_while(|exponent| bytes >> (10 * (exponent + 2)) > 0).count();
    let tenths = (u128::from(bytes) * 10) >> (10 * (exponent + 1));
    if tenths.is_multiple_of(10) || tenths >= 1000 {
        format!("{} {}", tenths / 10, units[exponent])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, units[exponent])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits_or_so() {
        for (bytes, expected) in [
            (0, "0 KiB"),
            (1536, "1.5 KiB"),
            (4096, "4 KiB"),
            (1 << 20, "1 MiB"),
            (12_900_000, "12.3 MiB"),
            (537_000_000, "512 MiB"),
            (5 << 40, "5 TiB"),
            (5 << 50, "5120 TiB"),
        ] {
            assert_eq!(size(bytes), expected, "{bytes}");
        }
    }
}
