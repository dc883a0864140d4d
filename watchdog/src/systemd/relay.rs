//! COMMAND's own sd_notify(3), relayed.
//!
//! COMMAND must not speak to systemd itself: its READY=1 would count without a probe, its WATCHDOG=1 would hide its hang.
//! But what else it says has its use, and a service that keeps descriptors with systemd, or reports its progress, is to
//! go on doing so. So it gets a socket of ours as `NOTIFY_SOCKET`, and what it says there goes four ways:
//!
//! | it says | it is |
//! |---|---|
//! | READY, STOPPING, RELOADING, STATUS, WATCHDOG, EXTEND_TIMEOUT_USEC, MAINPID | for us: [`Notification`] |
//! | FDSTORE with its descriptors, ERRNO, RESTART_RESET, X_…, unknown names | passed on as it is ([`Received::pass_on`]) |
//! | BARRIER | passed on in the same line: it tells COMMAND that systemd has read what was passed on before |
//! | what would come between systemd and us | dropped: [`KEPT_BACK`](said::KEPT_BACK) |
//!
//! Where it finds the socket is told in `relay/meeting_point.rs`, and whom that listens to in `relay/speaker.rs`.

use std::cell::RefCell;
use std::ffi::OsString;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

use crate::kernel::foreign::Foreign;
use crate::systemd::notify::Datagram;

mod errand;
mod meeting_point;
mod reach;
mod receive;
mod said;
mod speaker;
mod strangers;

use self::errand::Errand;
use self::meeting_point::{MeetingPoint, Surroundings};
use self::receive::{Envelope, Taken};
#[cfg(test)]
pub(crate) use self::said::Reloading;
pub use self::said::{MOST_BYTES, Malformed, Notification};
use self::speaker::{Home, Sender};
use self::strangers::Strangers;

/// More datagrams than any socket holds (`net.unix.max_dgram_qlen`; systemd sets it to 512).
const MOST_LAST_WORDS: usize = 1024;
/// Taking a datagram with descriptors is given this much time; after that, the relay is not listened to until it is over …
const PATIENCE: Duration = Duration::from_millis(1);
/// … and this much where COMMAND has ended.
const PATIENCE_AT_LAST: Duration = Duration::from_millis(20);

/// The socket that COMMAND speaks to.
#[derive(Debug)]
pub struct Relay {
    socket: Arc<UnixDatagram>,
    meeting_point: MeetingPoint,
    home: Home,
    own_uid: u32,
    strangers: RefCell<Strangers>,
    /// Until the next datagram, which has descriptors, is off the socket.
    errand: RefCell<Option<Errand>>,
}

/// What came from COMMAND.
#[derive(Debug)]
pub struct Received {
    /// Which of its processes sent it.
    pub pid: i32,
    /// What is for us.
    pub said: Notification,
    /// What is for systemd: give it to [`Notifier::pass_on`](crate::systemd::notify::Notifier::pass_on). Where there is nobody to
    /// tell, drop it: a barrier is passed then.
    pub pass_on: Option<Datagram>,
}

/// What [`Relay::take`] found.
#[derive(Debug)]
pub enum Next {
    /// This.
    Notification(Box<Received>),
    /// Something that is not listened to: a stranger's, or malformed.
    Ignored,
    /// Nothing.
    Nothing,
}

impl Relay {
    /// Opens the socket. Needs a Tokio runtime with I/O.
    pub fn open() -> io::Result<Self> {
        Self::at_home(Home::find(), &Surroundings::here())
    }

    fn at_home(home: Home, surroundings: &Surroundings) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        // Before it has a name: nothing comes without its sender's credentials.
        set_socket_passcred(&socket, true)?;
        let meeting_point = MeetingPoint::find(&socket, surroundings)?;
        Ok(Self {
            socket: Arc::new(UnixDatagram::from_std(socket.into())?),
            meeting_point,
            home,
            own_uid: rustix::process::getuid().as_raw(),
            strangers: RefCell::default(),
            errand: RefCell::default(),
        })
    }

    /// `NOTIFY_SOCKET` for COMMAND.
    pub fn address(&self) -> &OsString {
        self.meeting_point.address()
    }

    /// Says so in the log if the process cannot get to the socket from where it is. Does not wait. `is_awaited`: what it says
    /// is waited for; otherwise it may have nothing to say.
    pub fn check_reach(&self, pid: i32, is_awaited: bool) {
        reach::check(self.meeting_point.address(), self.meeting_point.file(), pid, is_awaited);
    }

    /// Ends when there may be something to take. An end of the runtime is waited for in vain.
    pub async fn wait(&self) {
        let errand = self.errand.borrow().as_ref().map(Errand::is_over);
        if let Some(is_over) = errand {
            is_over.notified().await;
        } else if poll_fn(|context| self.socket.poll_recv_ready(context)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Takes what was said next, by the process that was `started`, the one it `named` with `MAINPID=`, or another. Does
    /// not wait, except for [`PATIENCE`] where descriptors come with it.
    pub fn take(&self, started: i32, named: Option<i32>) -> io::Result<Next> {
        self.receive([started, named.unwrap_or(started)], PATIENCE)
    }

    /// What COMMAND has said already. For its last words, once it has ended: hardly waits, and comes to an end even where
    /// others go on talking.
    pub fn last_words(&self, started: i32, named: Option<i32>) -> impl Iterator<Item = Received> {
        let command = [started, named.unwrap_or(started)];
        let next = move |_| match self.receive(command, PATIENCE_AT_LAST) {
            Ok(Next::Notification(received)) => Some(Some(*received)),
            Ok(Next::Ignored) => Some(None),
            Ok(Next::Nothing) | Err(_) => None,
        };
        (0..MOST_LAST_WORDS).map_while(next).flatten()
    }

    /// Leaves the socket to the end of this process: what is still in it might keep whoever closes it, but not a process
    /// that ends.
    pub fn leave(self) {
        std::mem::forget(self.socket);
    }

    fn receive(&self, command: [i32; 2], patience: Duration) -> io::Result<Next> {
        let mut errand = self.errand.borrow_mut();
        if errand.is_none() {
            let socket = self.socket.as_fd();
            let envelope = match receive::look(socket) {
                Err(Errno::AGAIN) => {
                    self.found_empty();
                    return Ok(Next::Nothing);
                }
                looked => looked.inspect_err(|_| self.found_empty())?,
            };
            let pid = self.wanted(&envelope, command);
            if !envelope.loaded {
                let taken = if pid.is_some() { receive::take(socket) } else { receive::discard(socket) };
                return Ok(understand(taken?, pid));
            }
            *errand = Some(Errand::run(&self.socket, pid)?);
        }
        let Some(result) = errand.as_ref().and_then(|errand| errand.result(patience)) else {
            return Ok(Next::Nothing);
        };
        let pid = errand.take().and_then(|errand| errand.pid);
        Ok(understand(result?, pid))
    }

    /// [`wait`](Self::wait) waits for the next one from now on. What comes just now is told afterwards: whoever tells it
    /// runs on this thread.
    fn found_empty(&self) {
        let _ = self.socket.try_io(Interest::READABLE, || Err::<(), _>(ErrorKind::WouldBlock.into()));
    }

    /// Who sent it, if it is to be listened to.
    fn wanted(&self, envelope: &Envelope, command: [i32; 2]) -> Option<i32> {
        let Sender { pid, .. } = envelope.sender.filter(|sender| self.listens_to(*sender, command))?;
        if envelope.length > MOST_BYTES {
            tracing::debug!("ignored a notification of process {pid}: {}", Malformed::TooLong);
            return None;
        }
        Some(pid)
    }

    fn listens_to(&self, sender: Sender, command: [i32; 2]) -> bool {
        if command.contains(&sender.pid) {
            return true;
        }
        let may_speak = || speaker::may_speak(sender, self.own_uid, || self.home.place_of(sender.pid));
        !self.strangers.borrow_mut().is_one(sender, || !may_speak())
    }
}

/// What the process `pid` said, if it is listened to.
fn understand(taken: Taken, pid: Option<i32>) -> Next {
    let Some(pid) = pid else { return Next::Ignored };
    let Some(descriptors) = taken.descriptors else {
        tracing::warn!("ignored a notification of process {pid}: no room for its descriptors (LimitNOFILE=)");
        return Next::Ignored;
    };
    match Notification::parse(&taken.bytes, descriptors.len()) {
        Ok(said) => Next::Notification(Box::new(Received::new(pid, said, descriptors))),
        Err(malformed) => {
            tracing::debug!("ignored a notification of process {pid}: {malformed}");
            Next::Ignored
        }
    }
}

impl Received {
    fn new(pid: i32, mut said: Notification, mut descriptors: Foreign) -> Self {
        if said.first_is_pidfd {
            descriptors.take_first();
        }
        let pass_on = if said.barrier {
            descriptors.take_first().map(Datagram::barrier)
        } else if said.verbatim.is_empty() {
            None
        } else {
            if !said.stores {
                descriptors = Foreign::default();
            }
            Some(Datagram { bytes: std::mem::take(&mut said.verbatim), descriptors })
        };
        tracing::debug!("process {pid} said {said:?}; to be passed on: {pass_on:?}");
        Self { pid, said, pass_on }
    }
}

#[cfg(test)]
mod tests;
