//! A process that does nothing but report what signals it is sent. See [`crate::service::witness`].

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

use nix::errno::Errno;
use nix::libc;
use rustix::process::Pid;

/// The last that the kernel hands out of those that wait, so it marks the end of them.
fn marker() -> i32 {
    libc::SIGRTMAX()
}

/// A report: the number of a signal, 0 for a mark; and the number of the mark. In native byte order.
pub(crate) const REPORT: usize = 2 * size_of::<i32>();

/// Forks it, with all signals blocked, from the main thread, which must have them all blocked itself. It reports, into the
/// pipe, those that are sent by one of the `senders`, and ends when this process does. The rest it takes and forgets.
pub(crate) fn fork_witness(reports: &OwnedFd, senders: [i32; 3]) -> io::Result<Pid> {
    let parent = rustix::process::getpid().as_raw_nonzero().get();
    let pipe = reports.as_raw_fd();

    // SAFETY: as in `fork`: between fork and _exit the child makes only calls that signal-safety(7) lists or that are
    // bare system calls (setsid, prctl, dup2, close_range, close, rt_sigtimedwait, write), does not allocate, free, log or
    // unwind, and never returns from this block. `set` and `info` are plain data on its own stack, for which zeroes are a
    // value; the kernel writes to `info` before it is read.
    let pid = unsafe {
        let pid = libc::fork();
        if pid == 0 {
            // No key at a terminal, nor `kill 0`, is meant for it.
            libc::setsid();
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong);
            if libc::getppid() != parent {
                libc::_exit(0);
            }
            libc::prctl(libc::PR_SET_NAME, c"sd-wd-witness".as_ptr());
            // It keeps nothing open of what COMMAND or systemd waits for to be closed.
            libc::dup2(pipe, libc::STDIN_FILENO);
            if libc::syscall(libc::SYS_close_range, 1, u32::MAX, 0) != 0 {
                for descriptor in 1..1024 {
                    libc::close(descriptor);
                }
            }
            let mut set = std::mem::zeroed::<libc::sigset_t>();
            libc::sigfillset(&raw mut set);
            loop {
                let mut info = std::mem::zeroed::<libc::siginfo_t>();
                let number = libc::sigwaitinfo(&raw const set, &raw mut info);
                let is_sent = matches!(info.si_code, libc::SI_USER | libc::SI_QUEUE);
                if number <= 0 || !is_sent {
                    continue;
                }
                let report = if number == marker() && info.si_pid() == parent {
                    [0, i32::try_from(info.si_value().sival_ptr.addr()).unwrap_or(0)]
                } else if senders.contains(&info.si_pid()) {
                    [number, 0]
                } else {
                    continue;
                };
                if libc::write(libc::STDIN_FILENO, ptr::from_ref(&report).cast(), REPORT) < 0 {
                    libc::_exit(0);
                }
            }
        }
        pid
    };

    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    Pid::from_raw(pid).ok_or_else(|| Errno::ESRCH.into())
}

/// Has it report a mark once it has reported all that it was sent before.
pub(crate) fn mark(witness: Pid, number: i32) -> io::Result<()> {
    // One that was stopped goes on.
    super::send_signal(witness.as_raw_nonzero().get(), libc::SIGCONT, None)?;
    super::send_signal(witness.as_raw_nonzero().get(), marker(), Some(number.unsigned_abs().into()))
}
