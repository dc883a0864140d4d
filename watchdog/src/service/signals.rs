//! Signals as things to read, one after the other, instead of handlers.
//!
//! All signals are blocked. Blocking comes before COMMAND is started, so no signal is lost in between, and COMMAND gets
//! back the mask that this process was started with.
//!
//! They come in two [`Inbox`]es. Of a standard signal one waits at most, so a look at all that wait is a look at a few;
//! those that stop COMMAND or have it reload are there too. Of a real-time signal any number can be queued: the others
//! of these can be left where they are, for as long as there is no room for them at COMMAND.
//!
//! Three kinds need more than that:
//!
//! - Those that report a fault of this very process (SIGSEGV …): the kernel ends a process that has them blocked all the
//!   same. Only those that a process has sent can be read.
//! - SIGTSTP, SIGTTIN and SIGTTOU from the terminal: they pause this process too, so that its shell sees that the job
//!   has stopped.
//! - SIGPIPE and SIGCHLD, which we cause ourselves. SIGCHLD is not passed on: ours and those of others merge.

use std::io::{self, ErrorKind};

use nix::libc;
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::kernel::raw;

/// The signals sent to this process.
#[derive(Debug)]
pub struct Signals {
    /// The standard ones, and the others that were named.
    pub pressing: Inbox,
    /// Real-time signals.
    pub queued: Inbox,
    inherited: SigSet,
}

/// Some of them. The kernel hands out the lowest number first, and each number in the order in which it came.
#[derive(Debug)]
pub struct Inbox {
    descriptor: AsyncFd<SignalFd>,
    managers: [i32; 3],
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// As in signal(7).
    pub number: i32,
    /// The kernel sent it, not a process: a key at the terminal, its end, a new window size. Such a signal goes to the
    /// whole foreground group, and so to COMMAND, which is in it too.
    pub by_kernel: bool,
    /// A service manager may have sent it, which can have sent it to all processes of the unit.
    pub by_manager: bool,
    /// What sigqueue(3) sent with it, as the bits of the whole `union sigval`.
    pub value: Option<u64>,
}

/// More of them never wait in [`Signals::pressing`], unless a real-time signal is among those that were named.
pub const MOST_PRESSING: usize = 31;

impl Signals {
    /// Blocks them, and reads them from now on; real-time signals that are `named` among the pressing ones. Needs a Tokio
    /// runtime with I/O, and that no other thread runs yet.
    pub fn block(named: &[i32]) -> io::Result<Self> {
        let inherited = SigSet::thread_get_mask()?;
        SigSet::all().thread_block()?;
        let standard = (1..libc::SIGRTMIN()).chain(named.iter().copied());
        let queued = (libc::SIGRTMIN()..=libc::SIGRTMAX()).filter(|number| !named.contains(number));
        Ok(Self { pressing: Inbox::of(standard)?, queued: Inbox::of(queued)?, inherited })
    }

    /// The mask before [`block`](Self::block).
    pub fn inherited(&self) -> &SigSet {
        &self.inherited
    }
}

impl Inbox {
    fn of(numbers: impl Iterator<Item = i32>) -> io::Result<Self> {
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let descriptor = SignalFd::with_flags(&raw::signal_set(numbers), flags)?;
        Ok(Self { descriptor: raw::readable(descriptor)?, managers: managers() })
    }

    /// Ends when there may be something to take. An end of the runtime is waited for in vain.
    pub async fn wait(&self) {
        // The guard is dropped as it is: only an inbox that was found empty is to be waited for again.
        if raw::ready(&self.descriptor).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Takes the next signal; [`None`] where none is left. Does not wait.
    pub fn take(&self) -> io::Result<Option<Received>> {
        loop {
            let taken = self.descriptor.get_ref().read_signal();
            let Ok(Some(info)) = taken else {
                // What comes just now is told afterwards: whoever tells it runs on this thread.
                let _ = self
                    .descriptor
                    .try_io(Interest::READABLE, |_| Err::<(), _>(ErrorKind::WouldBlock.into()));
                taken?;
                return Ok(None);
            };
            match judge(
                info.ssi_signo.cast_signed(),
                Origin { code: info.ssi_code, pid: info.ssi_pid, value: info.ssi_ptr },
                std::process::id(),
                self.managers,
            ) {
                Treatment::Tell(received) => return Ok(Some(received)),
                Treatment::Pause(signal) => pause(signal)?,
                Treatment::Ignore => {}
            }
        }
    }
}

/// The process ids that a service manager can have: that of our parent, of systemd, and what stands for one outside our
/// pid namespace.
pub(crate) fn managers() -> [i32; 3] {
    let parent = rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get());
    // PID 1 of a namespace is not its own manager.
    let first = i32::from(std::process::id() != 1);
    [parent, first, 0]
}

/// What becomes of a signal.
#[derive(Debug, PartialEq, Eq)]
enum Treatment {
    Tell(Received),
    Pause(Signal),
    Ignore,
}

/// As in sigaction(2).
#[derive(Debug, Clone, Copy)]
struct Origin {
    code: i32,
    pid: u32,
    value: u64,
}

fn judge(number: i32, origin: Origin, own_pid: u32, managers: [i32; 3]) -> Treatment {
    let by_kernel = origin.code == libc::SI_KERNEL;
    match number {
        // A write of ours to a pipe that nobody reads.
        libc::SIGPIPE if origin.pid == own_pid => Treatment::Ignore,
        libc::SIGTSTP if by_kernel => Treatment::Pause(Signal::SIGTSTP),
        libc::SIGTTIN if by_kernel => Treatment::Pause(Signal::SIGTTIN),
        libc::SIGTTOU if by_kernel => Treatment::Pause(Signal::SIGTTOU),
        _ => {
            let value = (origin.code == libc::SI_QUEUE).then_some(origin.value);
            let is_sent = matches!(origin.code, libc::SI_USER | libc::SI_QUEUE);
            let by_manager = is_sent && managers.contains(&origin.pid.cast_signed());
            Treatment::Tell(Received { number, by_kernel, by_manager, value })
        }
    }
}

/// Does what `signal` does by default. The kernel knows when that is nothing: where no shell would continue us.
fn pause(signal: Signal) -> io::Result<()> {
    let only = SigSet::from(signal);
    raise(signal)?;
    only.thread_unblock()?;
    // Here it takes effect. What follows is done when we are continued.
    only.thread_block()?;
    Ok(())
}

/// The number of `TERM`, `SIGTERM`, `RTMIN+3`, `RTMAX-3` or `15`.
pub fn number(name: &str) -> Option<i32> {
    if let Ok(number) = name.parse() {
        return (1..=libc::SIGRTMAX()).contains(&number).then_some(number);
    }
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(beyond) = bare.strip_prefix("RTMIN") {
        let beyond: i32 = if beyond.is_empty() { 0 } else { beyond.strip_prefix('+')?.parse().ok()? };
        let number = libc::SIGRTMIN().checked_add(beyond)?;
        return (beyond >= 0 && number <= libc::SIGRTMAX()).then_some(number);
    }
    if let Some(below) = bare.strip_prefix("RTMAX") {
        let below: i32 = if below.is_empty() { 0 } else { below.strip_prefix('-')?.parse().ok()? };
        let number = libc::SIGRTMAX().checked_sub(below)?;
        return (below >= 0 && number >= libc::SIGRTMIN()).then_some(number);
    }
    format!("SIG{bare}").parse::<Signal>().ok().map(|signal| signal as i32)
}

/// `SIGTERM`, `SIGRTMIN+3`, or `signal 33` for one that has no name.
pub fn name(number: i32) -> String {
    if let Ok(signal) = Signal::try_from(number) {
        return signal.as_str().to_owned();
    }
    match number - libc::SIGRTMIN() {
        0 => "SIGRTMIN".to_owned(),
        beyond @ 1.. if number <= libc::SIGRTMAX() => format!("SIGRTMIN+{beyond}"),
        _ => format!("signal {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_known_by_every_name_that_people_give_it() {
        for (given, expected) in [
            ("TERM", Some(15)),
            ("SIGTERM", Some(15)),
            ("sigusr1", Some(10)),
            ("15", Some(15)),
            ("RTMIN", Some(34)),
            ("SIGRTMIN+3", Some(37)),
            ("RTMIN+30", Some(64)),
            ("RTMIN+31", None),
            ("RTMIN-1", None),
            ("RTMIN+-1", None),
            ("0", None),
            ("65", None),
            ("WINK", None),
            ("", None),
        ] {
            assert_eq!(number(given), expected, "{given}");
        }
    }

    const OWN: u32 = 42;
    const MANAGERS: [i32; 3] = [900, 1, 0];

    fn sent(number: i32, code: i32, pid: u32) -> Treatment {
        judge(number, Origin { code, pid, value: 7 }, OWN, MANAGERS)
    }

    #[test]
    fn a_signal_is_told_with_what_was_sent_with_it() {
        for (number, code, by_kernel, value) in [
            (libc::SIGTERM, libc::SI_USER, false, None),
            (libc::SIGINT, libc::SI_KERNEL, true, None),
            (libc::SIGTSTP, libc::SI_USER, false, None),
            (libc::SIGPIPE, libc::SI_USER, false, None),
            (libc::SIGSEGV, libc::SI_USER, false, None),
            (libc::SIGUSR1, libc::SI_QUEUE, false, Some(7)),
            (40, libc::SI_USER, false, None),
            (40, libc::SI_QUEUE, false, Some(7)),
        ] {
            let by_manager = false;
            let told = Received { number, by_kernel, by_manager, value };
            assert_eq!(sent(number, code, 77), Treatment::Tell(told));
        }
    }

    #[test]
    fn what_a_manager_has_sent_is_told_from_what_others_have() {
        for (code, pid, expected) in [
            (libc::SI_USER, 900, true),
            (libc::SI_USER, 1, true),
            (libc::SI_QUEUE, 1, true),
            (libc::SI_USER, 0, true),
            (libc::SI_USER, 77, false),
            (libc::SI_USER, OWN, false),
            // A key, and a timer of our own, have no sender.
            (libc::SI_KERNEL, 0, false),
            (libc::SI_TIMER, 0, false),
        ] {
            let Treatment::Tell(told) = sent(libc::SIGTERM, code, pid) else { panic!("{code} {pid}") };
            assert_eq!(told.by_manager, expected, "{code} {pid}");
        }
    }

    #[test]
    fn the_terminals_stop_signals_pause_us_and_our_own_sigpipe_is_nothing() {
        for (number, pid, expected) in [
            (libc::SIGTSTP, 0, Treatment::Pause(Signal::SIGTSTP)),
            (libc::SIGTTIN, 0, Treatment::Pause(Signal::SIGTTIN)),
            (libc::SIGTTOU, 0, Treatment::Pause(Signal::SIGTTOU)),
        ] {
            assert_eq!(sent(number, libc::SI_KERNEL, pid), expected);
        }
        assert_eq!(sent(libc::SIGPIPE, libc::SI_USER, OWN), Treatment::Ignore);
    }

    #[test]
    fn signals_are_named_as_people_name_them() {
        for (number, expected) in [
            (15, "SIGTERM"),
            (30, "SIGPWR"),
            (34, "SIGRTMIN"),
            (40, "SIGRTMIN+6"),
            (64, "SIGRTMIN+30"),
            (33, "signal 33"),
            (65, "signal 65"),
        ] {
            assert_eq!(name(number), expected);
        }
    }
}
