//! The report as journal entries: fields for tools, a message for people. Pure.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use crate::kernel::cgroup::Resource;
use crate::words::journal::{Entry, Priority};

use super::summary;
use super::table::{counted, full, groups, lines};
use super::{Report, ReportId};
use crate::kernel::process::{Process, Thread};
use crate::systemd::scope::Scope;

/// `MESSAGE_ID` of a report's summary.
pub const SUMMARY_MESSAGE_ID: &str = "7d6bdef4841346f99dfe63b9be64e1da";
/// `MESSAGE_ID` of an entry about one process.
pub const PROCESS_MESSAGE_ID: &str = "039433e69b954c61aa07ed6d372d7546";
/// `MESSAGE_ID` of the output of `--on-hang-exec`.
pub const COMMAND_MESSAGE_ID: &str = "2ece1a7d029b499a806992771f22c015";

/// The summary, then the processes in the order of the snapshot: should room run out, the most telling come first.
pub(super) fn all(report: &Report) -> Vec<Entry> {
    let processes = report.snapshot.processes.iter().map(|process| one(report, process));
    std::iter::once(whole(report)).chain(processes).collect()
}

/// What `--on-hang-exec` printed. `ended` in words: `exited with code 0`, `killed after 400 ms`.
pub fn command_entry(
    argv: &[OsString],
    output: &[u8],
    ended: &str,
    id: ReportId,
    unit: Option<&(Scope, String)>,
) -> Entry {
    let command: Vec<_> = argv.iter().map(|argument| argument.as_bytes()).collect();
    let command = crate::kernel::proc::command_line(&command.join(&0));
    let printed = String::from_utf8_lossy(output);
    let printed = printed.trim_end();
    let message = if printed.is_empty() {
        format!("{command}: {ended}, without a word")
    } else {
        format!("{command}: {ended}\n{printed}")
    };
    about(Entry::new(Priority::Warning, &message), unit)
        .message_id(COMMAND_MESSAGE_ID)
        .field("HANGPROOF_EVENT", "hang_report_command")
        .field("HANGPROOF_REPORT_ID", id.to_string())
        .field("HANGPROOF_COMMAND", command)
        .field("HANGPROOF_COMMAND_ENDED", ended)
        .field("HANGPROOF_COMMAND_OUTPUT", output)
}

/// Files the entry under the unit that it is about, if that is not the one that we run in.
fn about(entry: Entry, unit: Option<&(Scope, String)>) -> Entry {
    let Some((scope, unit)) = unit else { return entry };
    let entry = match scope {
        Scope::System => entry.object_unit(unit),
        Scope::User => entry.object_user_unit(unit),
    };
    entry.field("HANGPROOF_UNIT", unit)
}

fn whole(report: &Report) -> Entry {
    let Report { id, snapshot, context, diagnosis } = report;
    let figures = snapshot.figures.clone().unwrap_or_default();
    let number = |number: Option<u64>| number.map(limit);
    let queues: Vec<_> = snapshot
        .sockets
        .iter()
        .map(|socket| format!("{}  {}", socket.address, summary::queue(socket)))
        .collect();
    let gaps: Vec<_> = snapshot.gaps.iter().map(ToString::to_string).collect();
    let message = format!("{}. All of it: journalctl -o verbose HANGPROOF_REPORT_ID={id}", report.summary());
    let mut entry = about(Entry::new(Priority::Error, &message), context.unit.as_ref())
        .message_id(SUMMARY_MESSAGE_ID)
        .field("HANGPROOF_EVENT", "hang_report")
        .field("HANGPROOF_REPORT_ID", id.to_string())
        .field("HANGPROOF_REASON", &context.reason)
        .maybe("HANGPROOF_DIAGNOSIS", diagnosis.as_deref())
        .maybe("HANGPROOF_MAIN_PID", snapshot.main.map(|pid| pid.to_string()))
        .field("HANGPROOF_PROCESSES", (snapshot.processes.len() + snapshot.unread()).to_string())
        .field("HANGPROOF_PROCESSES_READ", snapshot.processes.len().to_string())
        .maybe("HANGPROOF_THREADS", snapshot.thread_total().map(|threads| threads.to_string()))
        .maybe("HANGPROOF_PROBES", some(summary::probes(&context.probes, snapshot.taken_at).join("\n")))
        .maybe("HANGPROOF_ACCEPT_QUEUE", some(queues.join("\n")))
        .maybe("HANGPROOF_MEMORY", number(figures.memory))
        .maybe("HANGPROOF_MEMORY_MAX", number(figures.memory_max))
        .maybe("HANGPROOF_MEMORY_PEAK", number(figures.memory_peak))
        .maybe("HANGPROOF_SWAP", number(figures.swap))
        .maybe("HANGPROOF_OUT_OF_MEMORY", number(figures.out_of_memory))
        .maybe("HANGPROOF_OOM_KILLS", number(figures.oom_kills))
        .maybe("HANGPROOF_TASKS", number(figures.tasks))
        .maybe("HANGPROOF_TASKS_MAX", number(figures.tasks_max))
        .maybe("HANGPROOF_THROTTLED", figures.throttled.map(|throttled| throttled.throttled.to_string()))
        .field("HANGPROOF_FROZEN", if figures.frozen { "1" } else { "0" });
    for (resource, pressure) in &figures.pressure {
        let name = match resource {
            Resource::Cpu => "HANGPROOF_CPU_PRESSURE",
            Resource::Memory => "HANGPROOF_MEMORY_PRESSURE",
            Resource::Io => "HANGPROOF_IO_PRESSURE",
        };
        entry = entry.field(name, pressure.some.avg10.to_string());
    }
    if !figures.pressure.is_empty() {
        let whose = if figures.pressure_of_machine { "machine" } else { "unit" };
        entry = entry.field("HANGPROOF_PRESSURE_OF", whose);
    }
    entry
        .maybe("HANGPROOF_CUT_SHORT", snapshot.missing())
        .maybe("HANGPROOF_UNREADABLE", some(gaps.join("\n")))
        .field("HANGPROOF_TOOK_USEC", snapshot.took.as_micros().to_string())
}

fn one(report: &Report, process: &Process) -> Entry {
    let Report { id, snapshot, context, .. } = report;
    let groups = groups(&process.threads);
    let count = counted(process.thread_count, "thread");
    let mut message = vec![format!("{} {}, state {}, {count}", process.pid, process.comm, process.state)];
    message
        .extend(process.command_line.clone().filter(|line| !line.is_empty()).map(|line| format!("  {line}")));
    message.extend(lines(&groups).into_iter().map(|line| format!("  {line}")));
    let first = groups.first().map(|group| group.thread);
    let leader = process.threads.iter().find(|thread| thread.tid == process.pid).or(first);
    let queues: Vec<_> = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.pids.contains(&process.pid))
        .map(|socket| format!("{}  {}", socket.address, summary::queue(socket)))
        .collect();
    // With these journald files the entry under the unit; in our own unit it is there anyway.
    let entry = Entry::new(Priority::Warning, &message.join("\n"));
    let entry = if context.unit.is_some() { entry.object_pid(process.pid) } else { entry };
    about(entry, context.unit.as_ref())
        .message_id(PROCESS_MESSAGE_ID)
        .field("HANGPROOF_EVENT", "hang_report_process")
        .field("HANGPROOF_REPORT_ID", id.to_string())
        .field("HANGPROOF_PID", process.pid.to_string())
        .field("HANGPROOF_PPID", process.ppid.to_string())
        .field("HANGPROOF_COMM", &process.comm)
        .maybe("HANGPROOF_CMDLINE", process.command_line.as_deref())
        .field("HANGPROOF_STATE", process.state.to_string())
        .field("HANGPROOF_THREADS", process.thread_count.to_string())
        .maybe("HANGPROOF_TRACER", process.tracer.map(|pid| pid.to_string()))
        .maybe("HANGPROOF_FDS", process.descriptors.map(|count| count.to_string()))
        .maybe("HANGPROOF_FDS_LIMIT", process.descriptor_limit.map(limit))
        .maybe("HANGPROOF_RSS", process.resident.map(limit))
        .maybe("HANGPROOF_SWAP", process.swapped.map(limit))
        .field("HANGPROOF_CPU_USEC", cpu(&process.threads).to_string())
        .maybe("HANGPROOF_WCHAN", leader.and_then(|thread| thread.wait_channel.as_deref()))
        .maybe("HANGPROOF_SYSCALL", leader.and_then(|thread| thread.call.as_ref()).map(ToString::to_string))
        .maybe("HANGPROOF_KERNEL_STACK", leader.and_then(|thread| some(thread.stack.join("\n"))))
        .maybe("HANGPROOF_THREAD_TABLE", some(full(process)))
        .maybe("HANGPROOF_ACCEPT_QUEUE", some(queues.join("\n")))
}

/// Of all its threads that live, in microseconds.
fn cpu(threads: &[Thread]) -> u128 {
    threads.iter().map(|thread| thread.cpu.as_micros()).sum()
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn limit(number: u64) -> String {
    if number == u64::MAX { "infinity".to_owned() } else { number.to_string() }
}
