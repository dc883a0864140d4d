//! The socket to systemd.
//!
//! systemd reads it when it gets round to it: during `daemon-reload` it does not, and its queue can fill up
//! (`net.unix.max_dgram_qlen`). A send that waited for that would hold up probing, so nothing here waits. What finds no
//! room is kept, the newest word superseding older ones, and sent again after [`RETRY`].

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::message::Message;

/// How soon a message that found no room is tried again.
pub const RETRY: Duration = Duration::from_millis(5);

/// Where to send, and what could not be sent yet.
#[derive(Debug)]
pub struct Notifier {
    socket: UnixDatagram,
    address: SocketAddr,
    /// As in `NOTIFY_SOCKET`, for the log.
    name: PathBuf,
    waiting: Message,
    retry_at: Option<Instant>,
    /// The last send failed for good, and that was logged.
    failing: bool,
}

/// `NOTIFY_SOCKET` cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum NotifierError {
    #[error(
        "NOTIFY_SOCKET is {name:?}: only /path and @abstract sockets can be notified, not other kinds (vsock:)"
    )]
    Unsupported { name: PathBuf },
    #[error("NOTIFY_SOCKET is {name:?}, which cannot be notified: {source}")]
    Unusable { name: PathBuf, source: io::Error },
}

impl Notifier {
    /// Takes the value of `NOTIFY_SOCKET`. Whether anyone listens there shows at the first message.
    pub fn new(notify_socket: &OsStr) -> Result<Self, NotifierError> {
        let name = PathBuf::from(notify_socket);
        let address = match notify_socket.as_bytes() {
            [b'/', ..] => SocketAddr::from_pathname(&name),
            [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name),
            _ => return Err(NotifierError::Unsupported { name }),
        };
        let open = |address| {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            Ok((socket, address))
        };
        match address.and_then(open) {
            Ok((socket, address)) => Ok(Self {
                socket,
                address,
                name,
                waiting: Message::default(),
                retry_at: None,
                failing: false,
            }),
            Err(source) => Err(NotifierError::Unusable { name, source }),
        }
    }

    /// Sends `message`, with what still waits; see [`Message::supersede`]. Never blocks.
    pub fn send(&mut self, message: Message, now: Instant) {
        self.waiting.supersede(message);
        self.flush(now);
    }

    /// When to call [`flush`](Self::flush); [`None`] while nothing waits.
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Tries what waits.
    pub fn flush(&mut self, now: Instant) {
        self.retry_at = None;
        if self.waiting.is_empty() {
            return;
        }
        let datagram = self.waiting.encode();
        // Not connected: systemd makes the socket anew when it is reexecuted by hand, and the address stays.
        match self.socket.send_to_addr(datagram.as_bytes(), &self.address) {
            Ok(_) => {
                tracing::debug!("sent {datagram:?}");
                self.waiting = Message::default();
                self.failing = false;
            }
            Err(error) if is_passing(&error) => {
                tracing::debug!("no room for {datagram:?}: {error}");
                self.retry_at = Some(now + RETRY);
            }
            Err(error) => {
                if !self.failing {
                    tracing::warn!("systemd cannot be notified at {:?}: {error}; going on", self.name);
                }
                self.waiting = Message::default();
                self.failing = true;
            }
        }
    }
}

/// The queue or the kernel's memory is full, or a signal came: trying again can help.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::OutOfMemory)
        || error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Verdict;

    fn receiver() -> (UnixDatagram, Notifier, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_nonblocking(true).expect("non-blocking");
        (socket, Notifier::new(path.as_os_str()).expect("a notifier"), directory)
    }

    fn receive(socket: &UnixDatagram) -> Option<String> {
        let mut buffer = [0; 8192];
        let length = socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    fn ping() -> Message {
        Message { watchdog: Some(Verdict::Ping), ..Message::default() }
    }

    #[test]
    fn a_full_queue_keeps_ready_and_the_newest_word_and_drops_old_pings() {
        let (socket, mut notifier, _directory) = receiver();
        let now = Instant::now();
        for _ in 0..100_000 {
            if notifier.retry_at().is_none() {
                notifier.send(ping(), now);
            }
        }
        notifier.send(Message { ready: true, ..Message::status("old") }, now);
        notifier.send(Message { watchdog: Some(Verdict::Ping), ..Message::status("new") }, now);
        notifier.send(Message::default(), now);
        assert_eq!(notifier.retry_at(), Some(now + RETRY));
        while let Some(datagram) = receive(&socket) {
            assert_eq!(datagram, "WATCHDOG=1");
        }
        notifier.flush(now + RETRY);
        assert_eq!(receive(&socket).as_deref(), Some("READY=1\nSTATUS=new"));
        assert_eq!((notifier.retry_at(), receive(&socket)), (None, None));
    }

    #[test]
    fn a_socket_that_is_gone_loses_the_message_and_nothing_else() {
        let (socket, mut notifier, directory) = receiver();
        drop(socket);
        notifier.send(Message::status("refused"), Instant::now());
        assert_eq!(notifier.retry_at(), None);
        std::fs::remove_file(directory.path().join("notify")).expect("a socket's file");
        notifier.send(Message::status("not found"), Instant::now());
        let again = UnixDatagram::bind(directory.path().join("notify")).expect("a socket");
        notifier.send(ping(), Instant::now());
        assert_eq!(receive(&again).as_deref(), Some("WATCHDOG=1"));
    }

    #[test]
    fn addresses_that_cannot_be_notified_are_errors_that_say_why() {
        for (address, expected) in [
            ("vsock:2:1234", "only /path and @abstract sockets"),
            ("relative", "only /path and @abstract sockets"),
            (&*format!("/{}", "x".repeat(200)), "cannot be notified: path must be shorter"),
            (&*format!("@{}", "x".repeat(200)), "cannot be notified: "),
        ] {
            let error = Notifier::new(OsStr::new(address)).expect_err("unusable").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
