//! What the evidence suggests, in words, carefully. Pure.
//!
//! Each kind of evidence has a function of its own that says something or nothing. At most three are said, in the order
//! of how much they explain.

use crate::kernel::cgroup::Resource;
use crate::words::span::rounded;

use super::figures::Figures;
use super::snapshot::{Cut, Snapshot};
use super::summary::size;
use super::table::counted;
use crate::kernel::gap::Field;
use crate::kernel::process::{Process, Thread};

/// More is no diagnosis.
const MOST: usize = 3;
/// Percent of a CPU from which a thread counts as busy.
const BUSY: u8 = 80;
/// The same where CPUs are short: it takes what it can get.
const BUSY_UNDER_PRESSURE: u8 = 10;
/// Percent of the last 10 s from which pressure says something.
const PRESSED: f32 = 40.0;

/// What the evidence suggests; [`None`] if nothing fits.
pub fn diagnose(snapshot: &Snapshot) -> Option<String> {
    let evidence = [
        frozen(snapshot),
        ended(snapshot),
        stopped(snapshot),
        out_of_descriptors(snapshot),
        out_of_tasks(snapshot),
        locked(snapshot),
        uninterruptible(snapshot),
        busy(snapshot),
        stuck(snapshot),
        short_of_cpu(snapshot),
        short_of_memory(snapshot),
        idle(snapshot),
        queues(snapshot),
    ];
    let said: Vec<String> = evidence.into_iter().flatten().take(MOST).collect();
    // Otherwise "all threads" would be taken for those that nobody looked at too.
    let part = (snapshot.late > 0 || snapshot.cut == Some(Cut::Processes)).then(|| {
        format!(
            " (read were {} of {})",
            snapshot.processes.len(),
            counted(snapshot.total.unwrap_or(0), "process")
        )
    });
    (!said.is_empty()).then(|| said.join("; ") + &part.unwrap_or_default())
}

fn frozen(snapshot: &Snapshot) -> Option<String> {
    let frozen = snapshot.figures.as_ref()?.frozen;
    frozen.then(|| "frozen by the cgroup freezer (systemctl freeze, or a container's pause)".to_owned())
}

fn ended(snapshot: &Snapshot) -> Option<String> {
    let ended = |process: &Process| process.state == 'Z' && process.thread_count <= 1;
    if let Some(main) = snapshot.processes.iter().find(|process| Some(process.pid) == snapshot.main) {
        return ended(main).then(|| format!("{} has ended (state Z)", name(main)));
    }
    // Where not all can be seen, none seen means nothing.
    let sees_all = snapshot.gap(Field::Processes).is_none();
    (snapshot.total == Some(0) && sees_all).then(|| "no process is left".to_owned())
}

fn stopped(snapshot: &Snapshot) -> Option<String> {
    let stopped: Vec<_> =
        snapshot.processes.iter().filter(|process| matches!(process.state, 'T' | 't')).collect();
    let first = stopped.first()?;
    // Of those that were not read, at least that is known.
    let glance = snapshot.glance.filter(|_| snapshot.unread() > 0).unwrap_or_default();
    let all = snapshot.processes.len().max(glance.processes);
    let who = match (stopped.len().max(glance.stopped), all) {
        (1, _) => format!("{} is", name(first)),
        (some, all) if some == all => format!("all {all} processes are"),
        (some, all) => format!("{some} of {all} processes are"),
    };
    Some(match first.tracer {
        Some(tracer) if first.state == 't' => {
            format!("{who} held by process {tracer}, a debugger or tracer (state t)")
        }
        _ if first.state == 't' => format!("{who} held by a debugger or tracer (state t)"),
        _ => format!("{who} stopped by a signal (state T); SIGCONT would let it go on"),
    })
}

fn out_of_descriptors(snapshot: &Snapshot) -> Option<String> {
    snapshot.processes.iter().find_map(|process| {
        let (open, limit) = (process.descriptors?, process.descriptor_limit?);
        (open as u64 >= limit)
            .then(|| format!("{} is out of descriptors ({open} of {limit}, LimitNOFILE=)", name(process)))
    })
}

fn out_of_tasks(snapshot: &Snapshot) -> Option<String> {
    let figures = snapshot.figures.as_ref()?;
    let (tasks, most) = (figures.tasks?, figures.tasks_max?);
    (tasks >= most).then(|| format!("the unit is out of tasks ({tasks} of {most}, TasksMax=)"))
}

fn locked(snapshot: &Snapshot) -> Option<String> {
    let Some(Cut::CommandLine(pid)) = snapshot.cut else { return None };
    Some(format!("the address space of process {pid} is locked: reading its command line blocks"))
}

fn uninterruptible(snapshot: &Snapshot) -> Option<String> {
    let stuck: Vec<_> = threads(snapshot).filter(|thread| thread.state == 'D').collect();
    let first = stuck.first()?;
    let place = first.wait_channel.as_ref().map_or(String::new(), |place| format!(" in {place}"));
    let is_lock = ["rwsem", "mutex", "mmap"].iter().any(|lock| place.contains(lock));
    let what = if is_lock { "a lock in the kernel" } else { "a disk or another device" };
    Some(format!(
        "{} uninterruptibly (state D{place}): for {what}",
        subject(stuck.len(), threads(snapshot).count(), "", "waits", "wait")
    ))
}

fn busy(snapshot: &Snapshot) -> Option<String> {
    let is_short =
        snapshot.figures.as_ref().is_some_and(|figures| pressure(figures, Resource::Cpu).is_some());
    let least = if is_short { BUSY_UNDER_PRESSURE } else { BUSY };
    let busy: Vec<_> =
        threads(snapshot).filter_map(|thread| thread.busy).filter(|&busy| busy >= least).collect();
    let most = busy.iter().max()?;
    let time = snapshot.measured.map_or(String::new(), |time| format!(" for {}", rounded(time)));
    let who = subject(busy.len(), threads(snapshot).count(), "", "is", "are");
    Some(match busy.len() {
        1 => format!("{who} busy ({most} % of a CPU{time}): an endless loop, or too much work"),
        _ => format!("{who} busy (up to {most} % of a CPU each{time}): endless loops, or too much work"),
    })
}

fn short_of_cpu(snapshot: &Snapshot) -> Option<String> {
    let figures = snapshot.figures.as_ref()?;
    let percent = pressure(figures, Resource::Cpu)?;
    let quota = figures.throttled.filter(|throttled| throttled.throttled * 2 > throttled.periods);
    let why = match quota {
        Some(throttled) => {
            format!("; CPUQuota= held it up in {} of {} periods", throttled.throttled, throttled.periods)
        }
        None => String::new(),
    };
    Some(format!("{} short of CPU time (pressure {percent:.0} %{why})", whose(figures)))
}

fn short_of_memory(snapshot: &Snapshot) -> Option<String> {
    let figures = snapshot.figures.as_ref()?;
    let percent = pressure(figures, Resource::Memory)?;
    let most = figures.memory_max.filter(|&most| most != u64::MAX);
    let memory = match (figures.memory, most) {
        (Some(memory), Some(most)) => format!("; {} of {}, MemoryMax=", size(memory), size(most)),
        _ => String::new(),
    };
    Some(format!("{} short of memory (pressure {percent:.0} %{memory})", whose(figures)))
}

/// Above what is worth saying.
fn pressure(figures: &Figures, resource: Resource) -> Option<f32> {
    let (_, pressure) = figures.pressure.iter().find(|(of, _)| *of == resource)?;
    Some(pressure.some.avg10).filter(|&percent| percent >= PRESSED)
}

fn whose(figures: &Figures) -> &'static str {
    if figures.pressure_of_machine { "the machine is" } else { "the unit is" }
}

fn queues(snapshot: &Snapshot) -> Option<String> {
    let waiting = |depth: u32| {
        format!(
            "{} to be accepted",
            if depth == 1 { "1 connection waits".to_owned() } else { format!("{depth} connections wait") }
        )
    };
    let deepest = snapshot.sockets.iter().max_by_key(|socket| (socket.is_full(), socket.depth))?;
    let (address, depth) = (&deepest.address, deepest.depth.filter(|&depth| depth > 0)?);
    Some(match deepest.limit {
        Some(limit) if deepest.is_full() => {
            format!("the accept queue of {address} is full ({depth} of {limit}): it does not accept")
        }
        Some(limit) => format!("{} at {address} (there is room for {limit})", waiting(depth)),
        None => format!("{} at {address}", waiting(depth)),
    })
}

/// What one waits for in a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Lock,
    Reader,
    Data,
    FileLock,
    Disk,
    Peer,
    Child,
    Time,
    Events,
}

impl Wait {
    /// By the system call, or else the function of the kernel that it waits in.
    fn of(thread: &Thread) -> Option<Self> {
        if !matches!(thread.state, 'S' | 'D') {
            return None;
        }
        let by_call = thread.call.as_ref().and_then(|call| call.name()).and_then(|name| {
            Some(match name {
                "futex" | "futex_wait" | "futex_waitv" => Self::Lock,
                "write" | "writev" | "pwrite64" | "sendto" | "sendmsg" | "sendmmsg" | "sendfile"
                | "splice" | "vmsplice" => Self::Reader,
                "read" | "readv" | "pread64" | "recvfrom" | "recvmsg" | "recvmmsg" => Self::Data,
                "flock" | "fcntl" => Self::FileLock,
                "fsync" | "fdatasync" | "sync_file_range" | "syncfs" | "msync" | "sync" => Self::Disk,
                "connect" => Self::Peer,
                "wait4" | "waitid" => Self::Child,
                "nanosleep" | "clock_nanosleep" => Self::Time,
                "epoll_wait" | "epoll_pwait" | "epoll_pwait2" | "poll" | "ppoll" | "select" | "pselect6"
                | "accept" | "accept4" | "io_getevents" | "io_uring_enter" | "pause" | "rt_sigsuspend"
                | "rt_sigtimedwait" => Self::Events,
                _ => return None,
            })
        });
        by_call.or_else(|| {
            let place = thread.wait_channel.as_deref()?;
            Some(match place {
                _ if place.starts_with("futex_") => Self::Lock,
                _ if place.contains("pipe_write") || place == "sk_stream_wait_memory" => Self::Reader,
                _ if place.contains("pipe_read") => Self::Data,
                "ep_poll"
                | "do_epoll_wait"
                | "poll_schedule_timeout"
                | "do_sys_poll"
                | "do_select"
                | "inet_csk_accept" => Self::Events,
                "do_wait" => Self::Child,
                "hrtimer_nanosleep" => Self::Time,
                _ => return None,
            })
        })
    }
}

/// What one process waits for that explains a hang, the main one first.
fn stuck(snapshot: &Snapshot) -> Option<String> {
    let whose = |process: &Process| match snapshot.processes.len() {
        1 => String::new(),
        _ => format!(" of {}", name(process)),
    };
    snapshot.processes.iter().find_map(|process| stuck_in(&living(process), &whose(process)))
}

fn stuck_in(all: &[&Thread], whose: &str) -> Option<String> {
    // These explain it even if it is one thread of many.
    for (wait, why) in [
        (Wait::Reader, "the other end does not read"),
        (Wait::FileLock, "somebody else holds the lock on the file"),
        (Wait::Disk, "the disk is slow or stuck"),
        (Wait::Peer, "the peer does not answer"),
    ] {
        if let Some(example) = example(all, wait) {
            let who = subject(count(all, wait), all.len(), whose, "waits", "wait");
            return Some(format!("{who} in {example}: {why}"));
        }
    }
    let locked = count(all, Wait::Lock);
    let who = || subject(locked, all.len(), whose, "waits", "wait");
    let at_rest = count(all, Wait::Events) + count(all, Wait::Child);
    match locked {
        0 => None,
        1 if all.len() == 1 => Some(format!("{} in futex, for a lock or a condition", who())),
        _ if locked == all.len() => Some(format!("{} in futex: looks like a deadlock", who())),
        // A pool that has nothing to do looks like this as well.
        _ if locked + at_rest == all.len() => {
            Some(format!("{} in futex, {at_rest} for events: idle, or waiting for each other", who()))
        }
        _ if locked * 2 > all.len() => Some(format!("{} in futex: perhaps a deadlock", who())),
        _ => None,
    }
}

/// Where no process is stuck: what a service does that has nothing to do, or thinks so.
fn idle(snapshot: &Snapshot) -> Option<String> {
    if stuck(snapshot).is_some() {
        return None;
    }
    let all = &threads(snapshot).collect::<Vec<_>>()[..];
    let who = |some| subject(some, all.len(), "", "waits", "wait");
    for (wait, why) in [
        (Wait::Data, "for data that does not come"),
        (Wait::Time, "sleeping"),
        (Wait::Child, "for a child process"),
    ] {
        if count(all, wait) == all.len()
            && let Some(example) = example(all, wait)
        {
            return Some(format!("{} in {example}, {why}", who(all.len())));
        }
    }
    let at_rest = count(all, Wait::Events) + count(all, Wait::Child) + count(all, Wait::Data);
    (at_rest > 0 && at_rest == all.len())
        .then(|| format!("{} for events or data, as an idle service does", who(at_rest)))
}

fn count(all: &[&Thread], wait: Wait) -> usize {
    all.iter().filter(|thread| Wait::of(thread) == Some(wait)).count()
}

/// In what one of them waits.
fn example(all: &[&Thread], wait: Wait) -> Option<String> {
    let thread = all.iter().find(|thread| Wait::of(thread) == Some(wait))?;
    let call = thread.call.as_ref().map(ToString::to_string);
    call.or_else(|| thread.wait_channel.clone())
}

/// Its threads that have not ended.
fn living(process: &Process) -> Vec<&Thread> {
    process.threads.iter().filter(|thread| !matches!(thread.state, 'Z' | 'X')).collect()
}

/// Those of all processes.
fn threads(snapshot: &Snapshot) -> impl Iterator<Item = &Thread> {
    snapshot.processes.iter().flat_map(living)
}

/// `its only thread waits`, `all 8 threads of a (7) wait`, `1 of 8 threads waits`
fn subject(count: usize, all: usize, whose: &str, one: &str, many: &str) -> String {
    match (count, all) {
        (1, 1) if whose.is_empty() => format!("its only thread {one}"),
        (1, 1) => format!("the only thread{whose} {one}"),
        _ if count == all => format!("all {all} threads{whose} {many}"),
        (1, _) => format!("1 of {}{whose} {one}", counted(all, "thread")),
        _ => format!("{count} of {}{whose} {many}", counted(all, "thread")),
    }
}

fn name(process: &Process) -> String {
    format!("{} ({})", process.comm, process.pid)
}

#[cfg(test)]
mod tests;
