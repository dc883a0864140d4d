//! One process and its threads, read from `/proc`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::text::one_line;

use super::gap::{Field, Gaps};
use super::proc::{self, Stat, Status};
use super::syscall::Call;

/// More threads are counted, but not looked at.
pub const MAX_THREADS: usize = 256;
/// The same, over all processes.
const MAX_THREADS_IN_ALL: usize = 4096;
/// More descriptors are counted, but not looked at for sockets.
const MAX_DESCRIPTORS: usize = 4096;
/// The same, over all processes.
const MAX_DESCRIPTORS_IN_ALL: usize = 16_384;
/// Of a command line, in bytes.
const MAX_COMMAND_LINE: usize = 1024;
/// Of any other file, in bytes.
const MAX_FILE: usize = 64 << 10;

/// A process of the unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its parent's.
    pub ppid: i32,
    /// Its name.
    pub comm: String,
    /// Program and arguments, quoted for a shell and cut at 1 KiB; empty for a zombie; [`None`] if it was not read.
    pub command_line: Option<String>,
    /// Of its first thread, as in `/proc/PID/stat`.
    pub state: char,
    /// Who traces it, like a debugger.
    pub tracer: Option<i32>,
    /// Of threads; those in `threads` are the first of them.
    pub thread_count: usize,
    /// At most [`MAX_THREADS`].
    pub threads: Vec<Thread>,
    /// Open files.
    pub descriptors: Option<usize>,
    /// How many it may have open (`LimitNOFILE=`).
    pub descriptor_limit: Option<u64>,
    /// Bytes of memory in use, and swapped out.
    pub resident: Option<u64>,
    /// See [`resident`](Self::resident).
    pub swapped: Option<u64>,
}

/// A thread.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thread {
    /// Its id.
    pub tid: i32,
    /// Its name.
    pub comm: String,
    /// As in `/proc/PID/stat`: R runs, S sleeps, D waits uninterruptibly, T is stopped, t is traced, Z has ended.
    pub state: char,
    /// The function of the kernel that it waits in.
    pub wait_channel: Option<String>,
    /// What it asked the kernel for.
    pub call: Option<Call>,
    /// The functions of the kernel that it is in, the innermost first.
    pub stack: Vec<String>,
    /// CPU time since it was started.
    pub cpu: Duration,
    /// Percent of a CPU used while the report was made; [`None`] if that was not measured.
    pub busy: Option<u8>,
}

/// What was read of a process.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) process: Process,
    /// Inodes of its sockets.
    pub(crate) sockets: Vec<u64>,
}

/// Why a process was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// There is no such process any more.
    Gone,
    /// It is there, as far as we know.
    Hidden,
}

/// Reads processes below one `/proc`.
#[derive(Debug)]
pub(crate) struct Reader {
    proc: OwnedFd,
    buffer: Vec<u8>,
    /// Threads that may still be looked at, over all processes.
    threads_left: usize,
    descriptors_left: usize,
}

impl Reader {
    pub(crate) fn new(proc: &Path) -> Result<Self, Errno> {
        let proc = open(CWD, proc, OFlags::DIRECTORY)?;
        Ok(Self {
            proc,
            buffer: Vec::with_capacity(4096),
            threads_left: MAX_THREADS_IN_ALL,
            descriptors_left: MAX_DESCRIPTORS_IN_ALL,
        })
    }

    /// The state of a process, and how many threads it has.
    pub(crate) fn glance(&mut self, pid: i32) -> Option<(char, usize)> {
        read(self.proc.as_fd(), &format!("{pid}/stat"), MAX_FILE, &mut self.buffer).ok()?;
        let stat = Stat::parse(&self.buffer)?;
        Some((stat.state, stat.threads))
    }

    /// Everything but the command line, reading which can block.
    pub(crate) fn process(&mut self, pid: i32, gaps: &mut Gaps) -> Result<Found, Unseen> {
        let directory = match open(&self.proc, pid.to_string(), OFlags::DIRECTORY) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::SRCH) => {
                if !lives(pid) {
                    return Err(Unseen::Gone);
                }
                gaps.note_foremost(Field::Processes, self.hidden());
                return Err(Unseen::Hidden);
            }
            Err(errno) => {
                gaps.refused(Field::Stat, errno);
                return Err(Unseen::Hidden);
            }
        };
        let stat = match self.text(&directory, "stat", MAX_FILE) {
            Ok(stat) => Stat::parse(stat.as_bytes()).ok_or(Unseen::Hidden)?,
            Err(Errno::NOENT | Errno::SRCH) => return Err(Unseen::Gone),
            Err(errno) => {
                gaps.refused(Field::Stat, errno);
                return Err(Unseen::Hidden);
            }
        };
        let status = self.text(&directory, "status", MAX_FILE).map(|text| Status::parse(&text));
        let status = status.unwrap_or_default();
        let process = Process {
            pid,
            ppid: stat.ppid,
            comm: stat.comm,
            state: stat.state,
            tracer: status.tracer,
            resident: status.resident,
            swapped: status.swapped,
            ..Process::default()
        };
        let mut found = Found { process, sockets: Vec::new() };
        let has_files = !matches!(found.process.state, 'Z' | 'X');
        let files = if has_files { self.descriptors(&directory, &mut found, gaps) } else { None };
        self.threads(&directory, &mut found.process, files.as_ref().map(AsFd::as_fd), gaps);
        Ok(found)
    }

    /// Why a process that lives is not shown. A `/proc` that is one always has the directory of who looks.
    fn hidden(&self) -> &'static str {
        match open(&self.proc, "self", OFlags::DIRECTORY) {
            Ok(_) => "some are hidden from this user (ProtectProc=, hidepid=)",
            Err(_) => "they cannot be seen: /proc is not mounted here, or something else is mounted over it",
        }
    }

    /// Waits for a lock of the process' address space: can block for as long as the process hangs.
    pub(crate) fn command_line(&mut self, pid: i32, gaps: &mut Gaps) -> Option<String> {
        let name = format!("{pid}/cmdline");
        match read(self.proc.as_fd(), &name, MAX_COMMAND_LINE, &mut self.buffer) {
            Ok(()) => Some(proc::command_line(&self.buffer)),
            Err(Errno::NOENT) => None,
            Err(errno) => {
                gaps.refused(Field::CommandLines, errno);
                None
            }
        }
    }

    /// CPU time of one thread so far.
    pub(crate) fn cpu(&mut self, pid: i32, tid: i32) -> Option<Duration> {
        let name = format!("{pid}/task/{tid}/schedstat");
        let proc = self.proc.as_fd();
        if read(proc, &name, MAX_FILE, &mut self.buffer).is_ok() {
            return Some(proc::turns(&String::from_utf8_lossy(&self.buffer))?.ran);
        }
        read(proc, &format!("{pid}/task/{tid}/stat"), MAX_FILE, &mut self.buffer).ok()?;
        Some(Stat::parse(&self.buffer)?.cpu)
    }

    /// The network namespace of a process, as a key.
    pub(crate) fn network(&self, pid: &str) -> Option<String> {
        target(self.proc.as_fd(), &format!("{pid}/ns/net"))
    }

    /// A file below `/proc`, up to `limit` bytes.
    pub(crate) fn file(&mut self, name: &str, limit: usize) -> Result<Cow<'_, str>, Errno> {
        read(self.proc.as_fd(), name, limit, &mut self.buffer)?;
        Ok(String::from_utf8_lossy(&self.buffer))
    }

    fn text(&mut self, directory: &OwnedFd, name: &str, limit: usize) -> Result<Cow<'_, str>, Errno> {
        read(directory.as_fd(), name, limit, &mut self.buffer)?;
        Ok(String::from_utf8_lossy(&self.buffer))
    }

    /// Counts the descriptors and finds the sockets among them.
    fn descriptors(&mut self, process: &OwnedFd, into: &mut Found, gaps: &mut Gaps) -> Option<OwnedFd> {
        into.process.descriptor_limit =
            self.text(process, "limits", MAX_FILE).ok().and_then(|text| proc::descriptor_limit(&text));
        let directory = match open(process, "fd", OFlags::DIRECTORY) {
            Ok(directory) => directory,
            Err(errno) => {
                gaps.refused(Field::Descriptors, errno);
                return None;
            }
        };
        let entries = match Dir::read_from(&directory) {
            Ok(entries) => entries,
            Err(errno) => {
                gaps.refused(Field::Descriptors, errno);
                return Some(directory);
            }
        };
        // Since Linux 6.2 the size of the directory is the number of descriptors; before, it is 0.
        let size = fstat(&directory).ok().and_then(|stat| usize::try_from(stat.st_size).ok());
        let known = size.filter(|&size| size > 0);
        let most = MAX_DESCRIPTORS.min(self.descriptors_left);
        let mut counted = 0;
        for entry in entries.flatten() {
            let Some(number) = entry.file_name().to_str().ok().filter(|name| !name.starts_with('.')) else {
                continue;
            };
            counted += 1;
            if counted <= most {
                self.descriptors_left -= 1;
                let inode = target(directory.as_fd(), number).and_then(|target| proc::socket_inode(&target));
                into.sockets.extend(inode);
            } else if known.is_some() {
                break;
            }
        }
        into.process.descriptors = Some(if counted > most { known.unwrap_or(counted) } else { counted });
        Some(directory)
    }

    fn threads(
        &mut self,
        process: &OwnedFd,
        into: &mut Process,
        descriptors: Option<BorrowedFd<'_>>,
        gaps: &mut Gaps,
    ) {
        let opened = open(process, "task", OFlags::DIRECTORY);
        let (tasks, entries) = match opened.and_then(|tasks| Dir::read_from(&tasks).map(|dir| (tasks, dir))) {
            Ok(opened) => opened,
            Err(errno) => {
                if errno != Errno::NOENT {
                    gaps.refused(Field::Stat, errno);
                }
                return;
            }
        };
        let mut targets = HashMap::new();
        let mut shows_stacks = true;
        for entry in entries.flatten() {
            let Some(tid) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) else {
                continue;
            };
            into.thread_count += 1;
            if into.threads.len() < MAX_THREADS && self.threads_left > 0 {
                self.threads_left -= 1;
                let target_of = |number: i32| {
                    let read = || target(descriptors?, &number.to_string());
                    targets.entry(number).or_insert_with(read).clone()
                };
                into.threads.extend(self.thread(&tasks, tid, target_of, &mut shows_stacks, gaps));
            }
        }
    }

    fn thread(
        &mut self,
        tasks: &OwnedFd,
        tid: i32,
        target: impl FnOnce(i32) -> Option<String>,
        shows_stacks: &mut bool,
        gaps: &mut Gaps,
    ) -> Option<Thread> {
        let stat = Stat::parse(self.text(tasks, &format!("{tid}/stat"), MAX_FILE).ok()?.as_bytes())?;
        let mut thread =
            Thread { tid, comm: stat.comm, state: stat.state, cpu: stat.cpu, ..Thread::default() };
        if matches!(thread.state, 'Z' | 'X') {
            return Some(thread);
        }
        let mut refused = |field, errno| {
            // A kernel built without it, or a thread that has just ended?
            let is_gone = || statat(tasks, tid.to_string(), AtFlags::empty()).is_err();
            if errno != Errno::NOENT || !is_gone() {
                gaps.refused(field, errno);
            }
        };
        match self.text(tasks, &format!("{tid}/syscall"), MAX_FILE) {
            Ok(text) => thread.call = Call::parse(&text, target),
            Err(errno) => refused(Field::Calls, errno),
        }
        // What a running thread is in changes while it is read.
        if thread.state == 'R' {
            // It is measured how busy it is, for which hundredths of a second are too coarse.
            let exact = self.text(tasks, &format!("{tid}/schedstat"), MAX_FILE);
            thread.cpu = exact.ok().and_then(|text| proc::turns(&text)).map_or(thread.cpu, |turns| turns.ran);
            return Some(thread);
        }
        if *shows_stacks {
            match self.text(tasks, &format!("{tid}/stack"), MAX_FILE) {
                Ok(text) => thread.stack = proc::stack(&text),
                Err(errno) => {
                    // Then it does not of its other threads either.
                    *shows_stacks = !matches!(errno, Errno::ACCESS | Errno::PERM);
                    refused(Field::Stacks, errno);
                }
            }
        }
        // The wait channel is where the stack begins: one file less to read.
        if let Some((place, _)) = thread.stack.first().and_then(|frame| frame.split_once('+')) {
            thread.wait_channel = Some(place.to_owned());
            return Some(thread);
        }
        match self.text(tasks, &format!("{tid}/wchan"), MAX_FILE) {
            Ok(text) if text != "0" && !text.is_empty() => thread.wait_channel = Some(text.into_owned()),
            // The kernel writes 0 where it will not say.
            Ok(_) if matches!(thread.state, 'S' | 'D') && !matches!(thread.call, Some(Call::Running)) => {
                gaps.note(Field::WaitChannels, "the kernel does not show them to this user");
            }
            Ok(_) => {}
            Err(errno) => refused(Field::WaitChannels, errno),
        }
        Some(thread)
    }
}

/// Whether there is such a process, although `/proc` does not show it.
fn lives(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM)))
}

fn open(directory: impl AsFd, path: impl rustix::path::Arg, flags: OFlags) -> Result<OwnedFd, Errno> {
    openat(directory, path, OFlags::RDONLY | OFlags::CLOEXEC | flags, Mode::empty())
}

/// Reads a file from its start, up to `limit` bytes, into `buffer`.
fn read(directory: BorrowedFd<'_>, name: &str, limit: usize, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    const CHUNK: usize = 4096;
    buffer.clear();
    let file = open(directory, name, OFlags::empty())?;
    while buffer.len() < limit {
        let start = buffer.len();
        buffer.resize(start + CHUNK.min(limit - start), 0);
        let length = match rustix::io::read(&file, &mut buffer[start..]) {
            Ok(length) => length,
            Err(Errno::INTR) => {
                buffer.truncate(start);
                continue;
            }
            Err(errno) => {
                buffer.clear();
                return Err(errno);
            }
        };
        buffer.truncate(start + length);
        if length == 0 {
            break;
        }
    }
    Ok(())
}

/// What a symbolic link says.
fn target(directory: BorrowedFd<'_>, name: &str) -> Option<String> {
    let target = readlinkat(directory, name, Vec::new()).ok()?;
    Some(one_line(&target.to_string_lossy()))
}
