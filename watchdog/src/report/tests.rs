use std::time::Duration;

use super::*;
use crate::kernel::gap::{Field, Gap};
use crate::kernel::process::{Process, Thread};
use crate::kernel::sockets::Socket;
use crate::kernel::syscall::{Call, Descriptor};

mod golden;
mod live;

/// A call by name, with its descriptor.
pub(super) fn call(name: &'static str, descriptor: Option<(i32, &str)>) -> Call {
    let descriptor =
        descriptor.map(|(number, target)| Descriptor { number, target: Some(target.to_owned()) });
    Call::Syscall { name: name.into(), descriptor }
}

/// A thread of `server`.
pub(super) fn thread(tid: i32, state: char, wait_channel: &str, call: Option<Call>) -> Thread {
    let wait_channel = Some(wait_channel.to_owned()).filter(|place| !place.is_empty());
    Thread { tid, comm: "server".to_owned(), state, wait_channel, call, ..Thread::default() }
}

/// A process named `server` with these threads.
pub(super) fn process(pid: i32, state: char, threads: Vec<Thread>) -> Process {
    let thread_count = threads.len();
    Process { pid, ppid: 1, comm: "server".to_owned(), state, thread_count, threads, ..Process::default() }
}

/// A complete snapshot of these processes, the first of them the main one.
pub(super) fn snapshot(processes: Vec<Process>) -> Snapshot {
    Snapshot {
        took: Duration::from_micros(4_200),
        cut: None,
        total: Some(processes.len()),
        main: processes.first().map(|process| process.pid),
        processes,
        ..Snapshot::new(Instant::now(), None)
    }
}
