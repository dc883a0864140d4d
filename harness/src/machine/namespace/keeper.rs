//! The thread that lives in the machine's namespaces for as long as the machine does.
//!
//! It builds the file system, starts PID 1 and then only listens: to systemd's notify socket (which must be drained,
//! or PID 1 blocks in `sendmsg` one day), to its console (for the last words of a boot that fails), to its end, and
//! to the order to end it. It cannot leave before PID 1 does: PDEATHSIG follows the *thread* that forked.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::retry_on_intr;
use rustix::mount::mount_bind;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, ptsname, unlockpt};
use rustix::thread::UnshareFlags;

use super::filesystem::enter_new_root;
use super::pid1::{Preparation, prepare, unshare};
use crate::interrupt;
use crate::machine::layout::PID1_ARGUMENTS;
use crate::machine::{MachineError, child};

const NOTIFY: &str = "/run/host/notify";
const CONSOLE_KEPT: usize = 4096;

/// What to boot.
pub struct Boot {
    /// The tree whose `/usr` is booted.
    pub tree: PathBuf,
    /// The machine's `cgroup.procs`.
    pub cgroup: std::fs::File,
}

/// A running PID 1.
pub struct Keeper {
    thread: Option<JoinHandle<()>>,
    order: Arc<OwnedFd>,
    /// PID 1, as seen from the harness.
    pub pid: Pid,
    /// A pidfd of PID 1.
    pub pidfd: OwnedFd,
}

enum Word {
    Started(Pid, OwnedFd),
    Ready,
    Ended(MachineError),
}

impl Keeper {
    /// Boots and waits for PID 1's `READY=1`.
    pub fn boot(boot: Boot, patience: Duration) -> Result<Self, MachineError> {
        let broken = |error| MachineError::broken("starting the machine's keeper", error);
        let order = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).map_err(|error| broken(error.into()))?);
        let heard = Arc::clone(&order);
        let (say, words) = channel();
        let thread = thread::Builder::new().name("machine".into()).spawn(move || {
            if let Err(error) = keep(&boot, &heard, &say) {
                let _ = say.send(Word::Ended(error));
            }
        });
        let thread = thread.map_err(broken)?;
        Self::await_ready(thread, &order, &words, patience)
    }

    fn await_ready(
        thread: JoinHandle<()>,
        order: &Arc<OwnedFd>,
        words: &Receiver<Word>,
        patience: Duration,
    ) -> Result<Self, MachineError> {
        let deadline = Instant::now() + patience;
        let mut keeper: Option<Self> = None;
        let mut thread = Some(thread);
        loop {
            match words.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Word::Started(pid, pidfd)) => {
                    keeper = Some(Self { thread: thread.take(), order: Arc::clone(order), pid, pidfd });
                }
                Ok(Word::Ready) => {
                    return keeper.ok_or_else(|| {
                        MachineError::broken("READY=1 before the start", io::Error::other("order"))
                    });
                }
                Ok(Word::Ended(error)) => return Err(error),
                Err(RecvTimeoutError::Timeout) => {
                    let _ = write_order(order);
                    let console = match words.recv() {
                        Ok(Word::Ended(MachineError::Boot { console, .. })) => console,
                        _ => String::new(),
                    };
                    let reason = format!("waited {patience:?} for READY=1 of PID 1");
                    return Err(MachineError::Boot { reason, console });
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(MachineError::broken(
                        "keeping PID 1",
                        io::Error::other("the keeper panicked"),
                    ));
                }
            }
        }
    }

    /// Whether PID 1 still runs.
    pub fn is_alive(&self) -> bool {
        !self.ends_within(Duration::ZERO)
    }

    /// Whether PID 1 has ended, or does so within `patience`.
    pub fn ends_within(&self, patience: Duration) -> bool {
        let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let patience = Timespec::try_from(patience).unwrap_or_default();
        retry_on_intr(|| poll(&mut ended, Some(&patience))).is_ok_and(|count| count > 0)
    }

    /// Kills PID 1, and with it everything in its pid namespace.
    pub fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = write_order(&self.order);
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end();
    }
}

fn write_order(order: &OwnedFd) -> io::Result<()> {
    rustix::io::write(order, &1u64.to_ne_bytes())?;
    Ok(())
}

fn keep(boot: &Boot, order: &OwnedFd, say: &Sender<Word>) -> Result<(), MachineError> {
    let step = |what: &'static str| move |error| MachineError::broken(what, error);
    let namespaces = UnshareFlags::NEWNS | UnshareFlags::NEWNET | UnshareFlags::NEWUTS | UnshareFlags::NEWIPC;
    unshare(namespaces).map_err(step("unsharing namespaces"))?;
    enter_new_root(&boot.tree)?;
    // Last: the next child is PID 1.
    unshare(UnshareFlags::NEWPID).map_err(step("unsharing the pid namespace"))?;
    let notify = UnixDatagram::bind(NOTIFY).map_err(step("binding systemd's notify socket"))?;
    notify.set_nonblocking(true).map_err(step("binding systemd's notify socket"))?;
    let mut console = Console::open().map_err(step("opening the console"))?;

    let mut pid1 = spawn(boot)?;
    let pid = Pid::from_child(&pid1);
    let pidfd =
        pidfd_open(pid, PidfdFlags::empty()).map_err(|error| step("opening PID 1's pidfd")(error.into()))?;
    let shared = pidfd.try_clone().map_err(step("opening PID 1's pidfd"))?;
    let _ = say.send(Word::Started(pid, shared));
    loop {
        // When the user wants to stop, a boot is not waited for, nor a command: they end with PID 1.
        let interrupted = interrupt::latch().unwrap_or(order.as_fd());
        let mut fds = [
            PollFd::new(&notify, PollFlags::IN),
            PollFd::new(&console.master, PollFlags::IN),
            PollFd::new(&pidfd, PollFlags::IN),
            PollFd::new(order, PollFlags::IN),
            PollFd::new(&interrupted, PollFlags::IN),
        ];
        retry_on_intr(|| poll(&mut fds, None)).map_err(|error| step("polling")(error.into()))?;
        let [notified, printed, ended, ordered, interrupted] = fds.map(|fd| !fd.revents().is_empty());
        let ordered = ordered || interrupted;
        if notified && says_ready(&notify) {
            let _ = say.send(Word::Ready);
        }
        if printed {
            console.drain();
        }
        if ordered {
            let _ = pidfd_send_signal(&pidfd, Signal::KILL);
        }
        if ended || ordered {
            let status = pid1.wait().map_err(step("waiting for PID 1"))?;
            let reason = format!("PID 1 ended ({status})");
            let _ = say.send(Word::Ended(MachineError::Boot { reason, console: console.last_lines() }));
            return Ok(());
        }
    }
}

fn spawn(boot: &Boot) -> Result<Child, MachineError> {
    let step = |what: &'static str| move |error| MachineError::broken(what, error);
    let (failed_step, report) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|e| step("making a pipe")(e.into()))?;
    let harness = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        .map_err(|error| step("opening the harness's pidfd")(error.into()))?;
    let cgroup = boot.cgroup.try_clone().map_err(step("opening the cgroup"))?;
    let mut command = Command::new("/usr/lib/systemd/systemd");
    command
        .args(PID1_ARGUMENTS)
        .env_clear()
        .envs([
            ("container", "hangproof"),
            ("NOTIFY_SOCKET", NOTIFY),
            ("PATH", child::PATH),
            ("LANG", "C.UTF-8"),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let spawned = prepare(&mut command, Preparation { cgroup, harness, report }).spawn();
    drop(command);
    spawned.map_err(|error| {
        let step = io::read_to_string(std::fs::File::from(failed_step)).unwrap_or_default();
        MachineError::broken(
            format!("starting PID 1, {}", if step.is_empty() { "exec" } else { &step }),
            error,
        )
    })
}

/// Reads everything there is; PID 1 says other things too (`STATUS=`, from v256 on `X_SYSTEMD_…`).
fn says_ready(socket: &UnixDatagram) -> bool {
    let mut ready = false;
    let mut datagram = [0; 4096];
    while let Ok(length) = socket.recv(&mut datagram) {
        ready |= datagram[..length].split(|&byte| byte == b'\n').any(|line| line == b"READY=1");
    }
    ready
}

/// A pseudo-terminal as the machine's /dev/console, of which the last lines are kept.
struct Console {
    master: OwnedFd,
    /// Held open: a master without any open slave is always "readable", with EIO.
    _slave: OwnedFd,
    kept: Vec<u8>,
}

impl Console {
    fn open() -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let slave = ioctl_tiocgptpeer(&master, flags)?;
        std::fs::File::create("/dev/console")?;
        mount_bind(ptsname(&master, Vec::new())?.as_c_str(), c"/dev/console")?;
        Ok(Self { master, _slave: slave, kept: Vec::new() })
    }

    fn drain(&mut self) {
        let mut bytes = [0; 1024];
        while let Ok(length @ 1..) = rustix::io::read(self.master.as_fd(), &mut bytes) {
            self.kept.extend_from_slice(&bytes[..length]);
        }
        self.kept.drain(..self.kept.len().saturating_sub(CONSOLE_KEPT));
    }

    fn last_lines(&mut self) -> String {
        self.drain();
        let text = String::from_utf8_lossy(&self.kept).replace('\r', "");
        let lines = text.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }
}
