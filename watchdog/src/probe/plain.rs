//! A connection as it is, before any TLS.
//!
//! A probe makes one connection and asks one question, so it does without the two turns of the loop that a general stream
//! takes for it: whether a connection was made is asked at once, which on loopback it always was; and what is to be sent is
//! sent, and waited for only where there was no room.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg;
use rustix::net::sockopt::{set_socket_linger, socket_error};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, connect, getpeername,
    getsockname, recv, send, shutdown, socket_with,
};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use super::local::When;
use crate::kernel::raw;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A connection, as yet without TLS.
#[derive(Debug)]
pub struct Plain {
    /// [`None`] where it could not be registered anew.
    socket: Option<AsyncFd<OwnedFd>>,
    /// Whether it is told when there is room to send.
    hears_of_room: bool,
    /// The peer takes no more of what is sent, for this reason. What it has said before is read all the same: it may be why.
    deaf: Option<Errno>,
}

/// There is no connection.
#[derive(Debug)]
pub struct NotConnected {
    pub error: io::Error,
    pub when: When,
}

impl NotConnected {
    /// socket(2) or connect(2) said so.
    pub fn at_once(errno: Errno) -> Self {
        Self { error: errno.into(), when: When::AtOnce }
    }
}

impl Plain {
    /// Connects to `address`. Needs a Tokio runtime with I/O.
    pub async fn connect(family: AddressFamily, address: &impl SocketAddrArg) -> Result<Self, NotConnected> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family, SocketType::STREAM, flags, None).map_err(NotConnected::at_once)?;
        Self::connect_by(socket, address).await
    }

    async fn connect_by(socket: OwnedFd, address: &impl SocketAddrArg) -> Result<Self, NotConnected> {
        let is_under_way = match connect(&socket, address) {
            Ok(()) => false,
            // Over loopback it is made by the time that connect(2) returns, though it says this.
            Err(Errno::INPROGRESS) => getpeername(&socket).is_err(),
            Err(errno) => return Err(NotConnected::at_once(errno)),
        };
        // That there is room is told with the first event, and would wake us for nothing.
        let interest = if is_under_way { BOTH } else { Interest::READABLE };
        let socket =
            raw::registered(socket, interest).map_err(|error| NotConnected { error, when: When::AtOnce })?;
        if is_under_way {
            let later = |error| NotConnected { error, when: When::Later };
            socket.writable().await.map_err(later)?.retain_ready();
            socket_error(&socket).and_then(|result| result).map_err(|errno| later(errno.into()))?;
        }
        Ok(Self { socket: Some(socket), hears_of_room: is_under_way, deaf: None })
    }

    /// Fails if this is connected to itself.
    ///
    /// Where nobody listens on a port that the kernel gives to clients (`net.ipv4.ip_local_port_range`), it may give that one
    /// to the client of it, who then hears itself (RFC 9293, 3.5: simultaneous open). To its host the port is closed.
    pub fn of_another(self) -> Result<Self, NotConnected> {
        let Ok(socket) = self.socket() else { return Ok(self) };
        let names = (getsockname(socket), getpeername(socket));
        if !matches!(names, (Ok(own), Ok(Some(peers))) if own == peers) {
            return Ok(self);
        }
        // Or the port stays taken for a minute (TIME_WAIT), and the service cannot listen on it. Where it fails, it does.
        let _ = set_socket_linger(socket, Some(Duration::ZERO));
        Err(NotConnected { error: Errno::CONNREFUSED.into(), when: When::Later })
    }

    fn socket(&self) -> io::Result<&AsyncFd<OwnedFd>> {
        self.socket.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Waits until there is room for more.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.hears_of_room, true) {
            let socket = self.socket.take().map(AsyncFd::into_inner);
            self.socket = socket.map(|socket| raw::registered(socket, BOTH)).transpose()?;
            // Who waited for an answer is to wait for this one.
            context.waker().wake_by_ref();
        }
        ready!(self.socket()?.poll_write_ready(context))?.clear_ready();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = self.socket()?;
        loop {
            let mut readable = ready!(socket.poll_read_ready(context))?;
            match recv(socket, buffer.initialize_unfilled(), RecvFlags::empty()) {
                Ok((length, _)) => {
                    buffer.advance(length);
                    return Poll::Ready(match self.deaf {
                        Some(errno) if length == 0 => Err(errno.into()),
                        _ => Ok(()),
                    });
                }
                Err(Errno::AGAIN) => readable.clear_ready(),
                Err(Errno::INTR) => {}
                Err(errno) => return Poll::Ready(Err(errno.into())),
            }
        }
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.deaf.is_some() {
            return Poll::Ready(Ok(bytes.len()));
        }
        loop {
            match send(self.socket()?, bytes, SendFlags::NOSIGNAL) {
                Ok(length) => return Poll::Ready(Ok(length)),
                Err(Errno::AGAIN) => ready!(self.poll_room(context))?,
                Err(Errno::INTR) => {}
                Err(errno @ (Errno::PIPE | Errno::CONNRESET)) => {
                    self.deaf = Some(errno);
                    return Poll::Ready(Ok(bytes.len()));
                }
                Err(errno) => return Poll::Ready(Err(errno.into())),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket().and_then(|socket| Ok(shutdown(socket, Shutdown::Write)?)))
    }
}

#[cfg(test)]
impl Plain {
    pub fn peer(&self) -> std::net::SocketAddr {
        let address = getpeername(self.socket().expect("a socket")).expect("an address");
        address.expect("a name").try_into().expect("an address of the Internet")
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::kernel::alarm::timeout;
    use crate::probe::testing::{listener_without_backlog, reserved_port, runtime};

    /// Longer than anything here takes.
    const AMPLE: Duration = Duration::from_secs(60);

    async fn connected(address: SocketAddr) -> Result<Plain, NotConnected> {
        timeout(AMPLE, Plain::connect(AddressFamily::INET, &address)).await.expect("in time")
    }

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        (listener, address)
    }

    #[test]
    fn what_a_peer_said_before_it_hung_up_is_read_though_it_takes_no_more() {
        let (listener, address) = listener();
        let peer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            // Closed with something unread, which resets the connection.
            stream.peek(&mut [0]).expect("a question");
            stream.write_all(b"no").expect("sent");
        });
        runtime().block_on(async {
            let mut stream = connected(address).await.expect("a connection");
            stream.write_all(b"?").await.expect("sent");
            peer.join().expect("it ends");
            for _ in 0..3 {
                stream.write_all(b"more").await.expect("not told yet");
            }
            let mut said = [0; 2];
            timeout(AMPLE, stream.read_exact(&mut said)).await.expect("in time").expect("read");
            assert_eq!(&said, b"no");
            let end = timeout(AMPLE, stream.read(&mut said)).await.expect("in time").expect_err("the end");
            assert!(
                matches!(end.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset),
                "{end}"
            );
        });
    }

    #[test]
    fn what_is_more_than_there_is_room_for_is_sent_all_the_same_while_an_answer_comes() {
        const MUCH: usize = 16 << 20;
        let (listener, address) = listener();
        let peer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.write_all(b"go on").expect("sent");
            let mut all = Vec::new();
            stream.read_to_end(&mut all).expect("read");
            stream.write_all(b"thanks").expect("sent");
            all.len()
        });
        runtime().block_on(async {
            let mut stream = connected(address).await.expect("a connection");
            let mut words = [0; 5];
            stream.read_exact(&mut words).await.expect("an answer");
            assert_eq!(&words, b"go on");
            timeout(AMPLE, stream.write_all(&vec![7; MUCH])).await.expect("in time").expect("sent");
            assert!(stream.hears_of_room, "or there was room for all of it");
            stream.shutdown().await.expect("an end");
            let mut rest = String::new();
            timeout(AMPLE, stream.read_to_string(&mut rest)).await.expect("in time").expect("read");
            assert_eq!(rest, "thanks");
        });
        assert_eq!(peer.join().expect("it ends"), MUCH);
    }

    #[test]
    fn a_refusal_is_an_answer_of_the_service_s_host() {
        let (_reserved, port) = reserved_port();
        let refused = runtime().block_on(connected(([127, 0, 0, 1], port).into())).expect_err("refused");
        assert_eq!((refused.error.kind(), refused.when), (io::ErrorKind::ConnectionRefused, When::Later));
        let broadcast = ([255, 255, 255, 255], port).into();
        let none = runtime().block_on(connected(broadcast)).expect_err("no connection");
        assert_eq!(none.when, When::AtOnce, "{none:?}");
    }

    #[test]
    fn a_client_that_hears_itself_is_refused_and_leaves_the_port_to_the_service() {
        let (listener, address) = listener();
        drop(listener);
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::NONBLOCK, None);
        let socket = socket.expect("a socket");
        rustix::net::bind(&socket, &address).expect("nobody has it");
        runtime().block_on(async {
            let to_itself = Plain::connect_by(socket, &address).await.expect("a connection");
            assert_eq!(to_itself.peer(), address);
            let refused = to_itself.of_another().expect_err("nobody listens");
            assert_eq!((refused.error.kind(), refused.when), (io::ErrorKind::ConnectionRefused, When::Later));
        });
        // Without SO_REUSEADDR, which the standard library sets.
        let service = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::empty(), None);
        rustix::net::bind(service.expect("a socket"), &address).expect("the port is free");
    }

    #[test]
    fn a_connection_that_is_made_later_is_waited_for() {
        // The kernel drops what finds the queue full, and tries it again after a second.
        let full = listener_without_backlog();
        let address = full.local_addr().expect("an address");
        let waiting = std::net::TcpStream::connect(address).expect("room for one");
        runtime().block_on(async {
            let mut connecting = std::pin::pin!(connected(address));
            assert!(timeout(Duration::from_millis(20), &mut connecting).await.is_err());
            full.accept().expect("the first");
            let mut stream = connecting.await.expect("a connection");
            let (mut peer, _) = full.accept().expect("the second");
            stream.write_all(b"ping").await.expect("sent");
            let mut words = [0; 4];
            peer.read_exact(&mut words).expect("read");
            assert_eq!(&words, b"ping");
        });
        drop(waiting);
    }
}
