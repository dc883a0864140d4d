//! Ctrl-C and its like: heard once, they end the run in order; heard twice, they end it at once.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{LazyLock, OnceLock};
use std::thread;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::watch;

/// The exit code of an interrupted run.
pub const EXIT_CODE: u8 = 130;

static LATCH: OnceLock<OwnedFd> = OnceLock::new();

/// The same for tasks.
static HEARD: LazyLock<watch::Sender<bool>> = LazyLock::new(watch::Sender::default);

/// Readable from the first signal on, for whoever waits for something else; [`None`] where nobody listens.
pub fn latch() -> Option<BorrowedFd<'static>> {
    LATCH.get().map(AsFd::as_fd)
}

/// Whether the first signal has come.
pub fn is_heard() -> bool {
    latch().is_some_and(|latch| is_readable(latch, Timespec::default()))
}

/// Comes back when the first signal has come, for tasks.
pub async fn heard() {
    // The sender is never dropped.
    let _ = HEARD.subscribe().wait_for(|is_heard| *is_heard).await;
}

/// Waits for so long, or until the first signal.
pub fn wait(at_most: Timespec) {
    match latch() {
        Some(latch) => drop(is_readable(latch, at_most)),
        None => drop(poll(&mut [], Some(&at_most))),
    }
}

fn is_readable(latch: BorrowedFd, at_most: Timespec) -> bool {
    let mut latch = [PollFd::new(&latch, PollFlags::IN)];
    poll(&mut latch, Some(&at_most)).is_ok_and(|count| count > 0)
}

/// Runs a command of this host to its end, which comes early where the user wants to stop; how it ended, and what it wrote to
/// standard error.
pub fn end_of(command: &mut Command) -> io::Result<(ExitStatus, String)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let mut stderr = child.stderr.take();
    let said = thread::spawn(move || stderr.as_mut().map(io::read_to_string).transpose());
    if let Some(interrupted) = latch() {
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN), PollFd::new(&interrupted, PollFlags::IN)];
        retry_on_intr(|| poll(&mut fds, None))?;
        if !fds[1].revents().is_empty() {
            // It tells its own children.
            let _ = pidfd_send_signal(&pidfd, Signal::INT);
        }
    }
    let status = child.wait()?;
    let said = said.join().map_err(|_| io::Error::other("the thread that reads panicked"))??;
    Ok((status, said.unwrap_or_default()))
}

/// Calls `hear` at the first signal, and sets the [`latch`]; it is said at once, for what is under way may take a moment to end. At the second, this process ends: PID 1 of every machine dies with it, and the
/// next run sweeps what is left, an empty cgroup.
pub fn listen(hear: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // Under nohup(1) SIGHUP is ignored, and stays so.
    let hangup = (!ignores_hangup()).then_some(SIGHUP);
    let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup))?;
    let made = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let latch = LATCH.get_or_init(|| made);
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut hear = Some(hear);
        for _ in signals.forever() {
            match hear.take() {
                Some(hear) => {
                    hear();
                    HEARD.send_replace(true);
                    let _ = rustix::io::write(latch, &1_u64.to_ne_bytes());
                    anstream::eprintln!("hangproof: interrupted; cleaning up. Once more ends it at once");
                }
                None => signal_hook::low_level::exit(EXIT_CODE.into()),
            }
        }
    })?;
    Ok(())
}

/// Whether this process was started with SIGHUP ignored: bit 0 of `SigIgn`, proc(5).
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
