//! What the libraries offer no safe call for: the unsafe code of this crate, all of it.
//!
//! Everything that is decided, and everything that allocates, is done by the callers, before the call.

#![expect(
    unsafe_code,
    reason = "fork(2), exec(3), signals of any number, waitid(2) and epoll registration have no safe form"
)]

use std::ffi::{CString, c_char};
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::SigSet;
use nix::sys::signalfd::SignalFd;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal};
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use crate::kernel::variable::Variable;

pub(crate) use self::witness::{REPORT, fork_witness, mark};

mod witness;

/// Everything that a new process is made from; prepared, so that nothing is left to allocate after the fork.
#[derive(Debug)]
pub(crate) struct Image<'a> {
    /// The files to execute: the first that can be.
    pub candidates: &'a [CString],
    pub arguments: &'a [CString],
    pub environment: &'a mut [Variable],
    /// The signals that it is to have blocked.
    pub mask: &'a SigSet,
    pub dispositions: Dispositions,
    pub place: Grouping,
    /// The signal that it gets when this thread, which is to be the main one, ends; [`None`]: none.
    pub death_signal: Option<Signal>,
    /// [`None`]: ours.
    pub streams: Option<Streams<'a>>,
}

/// What a new process does with signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dispositions {
    /// Ignores what we were started to ignore.
    Inherited(SigPipe),
    /// Ignores nothing.
    Standard,
}

/// What to do with SIGPIPE, which a Rust program ignores, and which would be inherited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigPipe {
    /// As systemd starts services, unless they say `IgnoreSIGPIPE=no`.
    Ignored,
    /// As shells start programs.
    Default,
}

impl SigPipe {
    /// As we were started ourselves.
    pub fn inherited() -> Self {
        if sigpipe_was_ignored() { Self::Ignored } else { Self::Default }
    }
}

/// Which session and process group a new process is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// In ours.
    Ours,
    /// In a session of its own, and so in a group of its own.
    Session,
    /// In our session, and leader of a group of its own.
    Group,
}

/// Standard streams of its own. It gets no other descriptor then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Streams<'a> {
    pub input: BorrowedFd<'a>,
    /// Standard output and standard error.
    pub output: BorrowedFd<'a>,
}

/// Forks, and executes in the child. What comes out of the descriptor is nothing once the program runs, or the error
/// number (four bytes, native) because of which it does not.
pub(crate) fn fork(image: Image<'_>) -> io::Result<(Pid, OwnedFd)> {
    let Image { candidates, arguments, environment, mask, dispositions, place, death_signal, streams } =
        image;
    let (report, complaint) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut argv: Vec<*const c_char> = arguments.iter().map(|argument| argument.as_ptr()).collect();
    argv.push(ptr::null());
    let mut envp: Vec<*const c_char> = vec![ptr::null(); environment.len() + 1];
    let parent = rustix::process::getpid().as_raw_nonzero().get();
    let mask: &libc::sigset_t = mask.as_ref();

    // SAFETY:
    // - This process may have other threads (name lookup, the hang report), and one of them may hold a lock, such as
    //   the allocator's, that will never be released in the child. So the child takes none: between fork and execve or
    //   _exit it makes only calls that signal-safety(7) lists or that are bare system calls (setsid, setpgid, prctl,
    //   close_range, dup2, fcntl, sigmask), does not allocate, free, log or unwind (no indexing, no arithmetic that can
    //   overflow), and never returns from this block, so no destructor runs in it.
    // - Every pointer handed to libc is to memory that was allocated before the fork and that lives, borrowed by
    //   `image` or owned by this function, until after it: `argv` and `envp` end with a null pointer, the strings in
    //   them with NUL (CString, and Variable's own promise), `mask` is initialised.
    // - libc::signal(SIG_DFL) installs no handler. Handlers of ours that are still installed while the child runs here
    //   only set flags, and execve resets them.
    let pid = unsafe {
        let pid = libc::fork();
        if pid == 0 {
            let own = libc::getpid();
            // Neither can fail: a new process leads nothing yet.
            match place {
                Grouping::Session => {
                    libc::setsid();
                }
                Grouping::Group => {
                    libc::setpgid(0, 0);
                }
                Grouping::Ours => {}
            }
            match dispositions {
                Dispositions::Inherited(SigPipe::Ignored) => {}
                Dispositions::Inherited(SigPipe::Default) => {
                    libc::signal(libc::SIGPIPE, libc::SIG_DFL);
                }
                Dispositions::Standard => {
                    for signal in 1..=libc::SIGRTMAX() {
                        libc::signal(signal, libc::SIG_DFL);
                    }
                }
            }
            if let Some(signal) = death_signal {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::c_ulong::from(signal.as_raw().unsigned_abs()));
                // The parent may have ended before that: the signal that would have come then comes now.
                if libc::getppid() != parent {
                    libc::kill(own, signal.as_raw());
                }
            }
            if let Some(Streams { input, output }) = streams {
                let redirected = libc::dup2(input.as_raw_fd(), libc::STDIN_FILENO) >= 0
                    && libc::dup2(output.as_raw_fd(), libc::STDOUT_FILENO) >= 0
                    && libc::dup2(output.as_raw_fd(), libc::STDERR_FILENO) >= 0;
                if !redirected {
                    complain(&complaint, Errno::last_raw());
                }
                // Those that the manager passed on to COMMAND. Linux before 5.11 does not know the flag.
                if libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) != 0 {
                    for descriptor in 3..1024 {
                        libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
                    }
                }
            }
            for (pointer, variable) in envp.iter_mut().zip(environment.iter_mut()) {
                *pointer = variable.of_process(own.unsigned_abs()).as_ptr();
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, mask, ptr::null_mut());
            // As execvp(3) goes through PATH.
            let mut error = libc::ENOENT;
            for candidate in candidates {
                libc::execve(candidate.as_ptr(), argv.as_ptr(), envp.as_ptr());
                match Errno::last_raw() {
                    libc::EACCES => error = libc::EACCES,
                    libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT => {
                        if candidates.len() == 1 {
                            error = Errno::last_raw();
                        }
                    }
                    other => complain(&complaint, other),
                }
            }
            complain(&complaint, error)
        }
        pid
    };

    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::from(Errno::ESRCH))?;
    if place == Grouping::Group {
        // The child does it too. Whoever comes first: from here on the group is there to be killed. Fails once the
        // child has executed, and then it has done it.
        let _ = rustix::process::setpgid(Some(pid), Some(pid));
    }
    Ok((pid, report))
}

/// In the child: says why the program cannot be executed, and ends.
fn complain(complaint: &OwnedFd, error: i32) -> ! {
    // The pipe is empty, so it has room; nobody is left to tell if not.
    let _ = rustix::io::write(complaint, &error.to_ne_bytes());
    // SAFETY: ends this process at once and without destructors or handlers, which belong to the parent.
    unsafe { libc::_exit(127) }
}

/// Whether we were started with SIGPIPE ignored. Rust's runtime ignores it before main, so it is asked for earlier.
fn sigpipe_was_ignored() -> bool {
    // Named, so that the linker keeps it.
    std::hint::black_box(&BEFORE_MAIN);
    SIGPIPE_WAS_IGNORED.load(Ordering::Relaxed)
}

static SIGPIPE_WAS_IGNORED: AtomicBool = AtomicBool::new(false);

// SAFETY: the C library calls what this section names once each, before main; the function is of the form that it calls.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = look_at_sigpipe;

extern "C" fn look_at_sigpipe() {
    // SAFETY: sigaction is plain data, for which zeroes are a value; nothing is set, and the kernel only writes to it.
    let handler = unsafe {
        let mut action = std::mem::zeroed::<libc::sigaction>();
        libc::sigaction(libc::SIGPIPE, ptr::null(), &raw mut action);
        action.sa_sigaction
    };
    SIGPIPE_WAS_IGNORED.store(handler == libc::SIG_IGN, Ordering::Relaxed);
}

/// Sends a signal of any number, with the value that it was queued with, if it was.
///
/// To our child, that nobody has waited for: of others, `pid` may be another's by now.
pub(crate) fn send_signal(pid: i32, signal: i32, value: Option<u64>) -> io::Result<()> {
    let sent = match value {
        // SAFETY: no memory is involved.
        None => unsafe { libc::kill(pid, signal) },
        Some(value) => {
            let bits = usize::try_from(value).unwrap_or_default();
            let value = libc::sigval { sival_ptr: ptr::without_provenance_mut(bits) };
            // SAFETY: the pointer is a number to hand on, which nobody here follows.
            unsafe { libc::sigqueue(pid, signal, value) }
        }
    };
    Errno::result(sent).map(drop).map_err(io::Error::from)
}

/// The same to the process of a pidfd, which nobody else can be.
pub(crate) fn send_signal_to(pidfd: BorrowedFd<'_>, signal: i32, value: Option<u64>) -> io::Result<()> {
    /// What stands in `struct siginfo` behind its first three numbers, where a signal was queued.
    #[repr(C)]
    struct Queued {
        pid: libc::pid_t,
        uid: libc::uid_t,
        value: usize,
    }
    const PLACE: usize = (3 * size_of::<libc::c_int>()).next_multiple_of(align_of::<Queued>());
    const { assert!(PLACE + size_of::<Queued>() <= size_of::<libc::siginfo_t>()) };

    // SAFETY: siginfo_t is plain data, for which zeroes are a value. `Queued` is written within it, as asserted, and
    // without regard to alignment. The kernel reads `info`, which lives until after the
    // call, where the pointer is not null.
    let sent = unsafe {
        let mut info = std::mem::zeroed::<libc::siginfo_t>();
        info.si_signo = signal;
        info.si_code = libc::SI_QUEUE;
        let value_of = |value| usize::try_from(value).unwrap_or_default();
        let queued = Queued { pid: libc::getpid(), uid: libc::getuid(), value: value.map_or(0, value_of) };
        (&raw mut info).cast::<u8>().add(PLACE).cast::<Queued>().write_unaligned(queued);
        let info = if value.is_some() { &raw const info } else { ptr::null() };
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, info, 0)
    };
    Errno::result(sent).map(drop).map_err(io::Error::from)
}

/// A set of signals of any number. A number that is no signal's is left out.
pub(crate) fn signal_set(numbers: impl Iterator<Item = i32>) -> SigSet {
    // SAFETY: `set` is initialised by sigemptyset before it is read, and sigaddset refuses what is no signal.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        for number in numbers {
            libc::sigaddset(&raw mut set, number);
        }
        SigSet::from_sigset_t_unchecked(set)
    }
}

/// Ends this process by `signal`, as that ends it by default. Returns if it does not.
pub(crate) fn die_by(signal: i32) {
    // SAFETY: `set` is initialised by sigemptyset before it is read; SIG_DFL installs no handler.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
    }
}

/// Lets children that end be waited for. A parent may have left SIGCHLD ignored, and the kernel then forgets how they end.
pub(crate) fn keep_ended_children() {
    // SAFETY: SIG_DFL installs no handler; the number is of a signal that may be set, so it cannot fail.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
    }
}

/// The next child that has ended; it stays to be waited for.
pub(crate) fn peek_at_ended_child() -> io::Result<Option<i32>> {
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: siginfo_t is plain data, for which zeroes are a value; si_pid is there to read after a waitid that
    // succeeded, and 0 (as it was) where no child has ended.
    let (result, pid) = unsafe {
        let mut info = std::mem::zeroed::<libc::siginfo_t>();
        let result = libc::waitid(libc::P_ALL, 0, &raw mut info, flags);
        (result, info.si_pid())
    };
    match Errno::result(result) {
        Ok(_) => Ok((pid != 0).then_some(pid)),
        Err(Errno::ECHILD) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Unmaps the pages of a mapping that `memory` has found clean: of a file, not writable, never written.
pub(crate) fn forget_clean_pages(mapping: &std::ops::Range<usize>) -> io::Result<()> {
    let start = ptr::with_exposed_provenance_mut::<libc::c_void>(mapping.start);
    // SAFETY: such pages come back from the file as they were when they are touched next (madvise(2), MADV_DONTNEED);
    // nothing that points into them can tell.
    let result = unsafe { libc::madvise(start, mapping.len(), libc::MADV_DONTNEED) };
    Errno::result(result).map(drop).map_err(Into::into)
}

/// Gives freed memory that the allocator keeps back to the kernel, where the allocator is one that can (glibc).
pub(crate) fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) asks nothing of its caller, and touches memory only that is free.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Descriptors whose owner answers as_raw_fd with the same one for as long as it lives, and keeps it open.
pub(crate) trait Steady: AsRawFd {}
impl Steady for OwnedFd {}
impl Steady for SignalFd {}

/// To be waited for until there is something to read. Needs a Tokio runtime with I/O.
pub(crate) fn readable<T: Steady>(descriptor: T) -> io::Result<AsyncFd<T>> {
    registered(descriptor, Interest::READABLE)
}

/// To be waited for. Needs a Tokio runtime with I/O.
pub(crate) fn registered<T: Steady>(descriptor: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    // SAFETY: `descriptor` owns an open descriptor, and is owned by the AsyncFd from here on; see `Steady`.
    let registered = unsafe { AsyncFd::register_with_interest(descriptor, interest) };
    registered.map_err(|error| error.into_parts().1)
}

/// Ends when there may be something to read. For one at a time: of several that wait, only the last to be polled is woken.
/// In return none has to be put on a list and taken off again, in every turn of a loop.
pub(crate) async fn ready<T: Steady>(descriptor: &AsyncFd<T>) -> io::Result<AsyncFdReadyGuard<'_, T>> {
    poll_fn(|context| descriptor.poll_read_ready(context)).await
}
