//! As much of D-Bus as it takes to talk to systemd: calls with strings and numbers, their replies, and signals.
//!
//! A D-Bus library would do, but none was found that does it all: zbus adds 2.4 MB to a program that may have 4 MiB, and
//! panics at PID 1's signature on its own socket, `org.freedesktop.systemd1`, which is not a unique name
//! (`bus_on_connection` in systemd's src/core/dbus.c). The tests have zbus for a peer.
//!
//! [`wire`] has the messages, pure; this file the connection, and [`calls`] whom we call over it.
//!
//! On a bus anybody can send us signals of up to 128 MiB, and on PID 1's own socket the signals of all units come. So the
//! header of each is read first. The body of what nobody here asked for, or of what is longer than it can be, is passed over,
//! and the connection stays as it is: who could close it would have a guard lose count of its failures.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::wire::{Argument, Call, FIXED, Frame, Incoming, Kind};

use crate::kernel::alarm::timeout;

mod address;
mod calls;
pub mod names;
mod property;
pub mod wire;

pub(crate) use self::address::{connect_to_bus, connect_to_user_bus};
pub use self::property::{CommandProperty, Property};

/// What a call to systemd may take. During `daemon-reload` on a big host it does not answer for seconds.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// No header that matters here has a kB.
const LONGEST_HEADER: usize = 64 << 10;
/// All that systemd tells of a unit is some 20 kB, and more with a long Environment=.
const LONGEST_BODY: usize = 16 << 20;
/// A line of the authentication: `OK` and a number of 32 digits.
const LONGEST_LINE: usize = 256;

/// A connection, authenticated. It ends when this is dropped.
#[derive(Debug)]
pub struct Connection {
    outgoing: UnboundedSender<Vec<u8>>,
    waiting: Arc<Mutex<Waiting>>,
    tasks: [JoinHandle<()>; 2],
}

/// Calls that have no reply yet, by their serial numbers.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    last_serial: u32,
    replies: HashMap<u32, oneshot::Sender<Option<Incoming>>>,
    /// Why there will be no replies any more.
    closed: Option<String>,
}

/// A call that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The peer answered with an error.
    #[error("{words}")]
    Refused {
        /// `org.freedesktop.DBus.Error.AccessDenied`
        name: String,
        /// Its words.
        words: String,
    },
    /// There was no answer.
    #[error("no answer in {} s", .0.as_secs())]
    Timeout(Duration),
    /// The connection ended before.
    #[error("{0}")]
    Closed(String),
    /// The answer is not what it should be.
    #[error("an answer that cannot be understood")]
    Malformed,
}

impl CallError {
    /// Whom we asked has refused. Otherwise there was no answer of theirs, and nobody knows whether it was done: a bus too
    /// answers with an error where it has not heard from them.
    pub fn is_refusal(&self) -> bool {
        let lost = ["NoReply", "Timeout", "TimedOut", "Disconnected"];
        matches!(self, Self::Refused { name, .. } if !lost.iter().any(|lost| name.ends_with(lost)))
    }
}

/// Its kind tells whether it is worth to ask again.
impl From<CallError> for io::Error {
    fn from(error: CallError) -> Self {
        let kind = match error {
            CallError::Refused { .. } => ErrorKind::Other,
            CallError::Timeout(_) => ErrorKind::TimedOut,
            CallError::Closed(_) => ErrorKind::ConnectionReset,
            CallError::Malformed => ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// The signals that somebody waits for.
pub trait Wanted: Send + Sync + 'static {
    /// What is made of them.
    type News: Send + 'static;

    /// Whether it is one, by its header: there is no body yet.
    fn concerns(&self, header: &Incoming) -> bool;

    /// What it says; [`None`] where that does not matter, or is malformed.
    fn read(&self, signal: &Incoming) -> Option<Self::News>;
}

/// None of them.
#[derive(Debug, Clone, Copy)]
pub struct NoSignals;

impl Wanted for NoSignals {
    type News = ();

    fn concerns(&self, _: &Incoming) -> bool {
        false
    }

    fn read(&self, _: &Incoming) -> Option<()> {
        None
    }
}

impl Connection {
    /// Authenticates as the user that this process is, and has what `wanted` makes of signals put into the channel
    /// returned. The channel ends with the connection.
    pub async fn open<W>(stream: UnixStream, wanted: W) -> io::Result<(Self, UnboundedReceiver<W::News>)>
    where
        W: Wanted,
    {
        let (mut read, mut write) = stream.into_split();
        authenticate(&mut read, &mut write).await?;
        let waiting = Arc::<Mutex<Waiting>>::default();
        let (outgoing, messages) = unbounded_channel();
        let (signals, receiver) = unbounded_channel();
        let reader = tokio::spawn(receive(read, Arc::clone(&waiting), wanted, signals));
        let writer = tokio::spawn(send(write, messages));
        Ok((Self { outgoing, waiting, tasks: [reader, writer] }, receiver))
    }

    /// Calls a method. A call that is dropped is made all the same.
    pub async fn call(
        &self,
        call: Call<'_>,
        arguments: &[Argument<'_>],
        limit: Duration,
    ) -> Result<Incoming, CallError> {
        let (sender, reply) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(why) = &waiting.closed {
                return Err(CallError::Closed(why.clone()));
            }
            waiting.last_serial = waiting.last_serial.checked_add(1).unwrap_or(1);
            let serial = waiting.last_serial;
            waiting.replies.retain(|_, sender| !sender.is_closed());
            waiting.replies.insert(serial, sender);
            // The writer lives as long as the connection.
            let _ = self.outgoing.send(wire::encode(serial, call, arguments));
        }
        match timeout(limit, reply).await {
            Err(_) => Err(CallError::Timeout(limit)),
            Ok(Err(_)) => Err(CallError::Closed(self.why_closed())),
            Ok(Ok(None)) => Err(CallError::Malformed),
            Ok(Ok(Some(message))) if message.kind == Kind::Error => {
                let words = message.body().string().unwrap_or_default().to_owned();
                Err(CallError::Refused { name: message.error, words })
            }
            Ok(Ok(Some(message))) => Ok(message),
        }
    }

    /// Why there will be no replies and signals any more.
    pub fn why_closed(&self) -> String {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.closed.clone().unwrap_or_else(|| "the connection was closed".to_owned())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// D-Bus specification, "Authentication Protocol": we say who we are, and the peer looks at the socket's credentials.
async fn authenticate(read: &mut OwnedReadHalf, write: &mut OwnedWriteHalf) -> io::Result<()> {
    let mut hello = String::from("\0AUTH EXTERNAL ");
    for digit in rustix::process::geteuid().as_raw().to_string().bytes() {
        // Writing to a string does not fail.
        let _ = write!(hello, "{digit:02x}");
    }
    hello.push_str("\r\nBEGIN\r\n");
    write.write_all(hello.as_bytes()).await?;
    let mut line = Vec::new();
    // Byte by byte: what comes after the line is a message already.
    while !line.ends_with(b"\r\n") && line.len() < LONGEST_LINE {
        line.push(read.read_u8().await?);
    }
    if line.starts_with(b"OK ") {
        return Ok(());
    }
    let line = String::from_utf8_lossy(&line);
    Err(io::Error::new(ErrorKind::PermissionDenied, format!("authentication was refused: {}", line.trim())))
}

async fn send(mut write: OwnedWriteHalf, mut messages: UnboundedReceiver<Vec<u8>>) {
    while let Some(message) = messages.recv().await {
        // The reader notices that the connection has ended.
        if write.write_all(&message).await.is_err() {
            return;
        }
    }
}

async fn receive<W: Wanted>(
    mut read: OwnedReadHalf,
    waiting: Arc<Mutex<Waiting>>,
    wanted: W,
    signals: UnboundedSender<W::News>,
) {
    let error = loop {
        if let Err(error) = receive_one(&mut read, &waiting, &wanted, &signals).await {
            break error;
        }
    };
    let why = match error.kind() {
        ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
        _ => error.to_string(),
    };
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    waiting.closed = Some(why);
    waiting.replies.clear();
}

/// Reads the next message to its end, whatever it is. An error ends the connection.
pub(crate) async fn receive_one<W: Wanted>(
    read: &mut (impl AsyncRead + Unpin),
    waiting: &Mutex<Waiting>,
    wanted: &W,
    signals: &UnboundedSender<W::News>,
) -> io::Result<()> {
    let mut bytes = vec![0; FIXED];
    read.read_exact(&mut bytes).await?;
    let frame = Frame::new(&bytes)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "what is sent there is not D-Bus"))?;
    if frame.header > LONGEST_HEADER {
        return pass_over(read, frame.header - FIXED + frame.body).await;
    }
    bytes.resize(frame.header, 0);
    read.read_exact(&mut bytes[FIXED..]).await?;
    let Ok(mut message) = Incoming::decode(bytes) else { return pass_over(read, frame.body).await };
    match message.kind {
        Kind::Return | Kind::Error => {
            let reply = {
                let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.replies.remove(&message.reply_serial)
            };
            // Nobody waits for the reply to a call that was dropped.
            let Some(reply) = reply else { return pass_over(read, frame.body).await };
            let is_whole = complete(read, &mut message, frame.body).await?;
            let _ = reply.send(is_whole.then_some(message));
        }
        Kind::Signal if wanted.concerns(&message) => {
            if complete(read, &mut message, frame.body).await?
                && let Some(news) = wanted.read(&message)
            {
                let _ = signals.send(news);
            }
        }
        // Nobody has anything to call here.
        Kind::Signal | Kind::Call => pass_over(read, frame.body).await?,
    }
    Ok(())
}

/// Reads the body, unless it is too long; whether it did.
async fn complete(
    read: &mut (impl AsyncRead + Unpin),
    message: &mut Incoming,
    length: usize,
) -> io::Result<bool> {
    if length > LONGEST_BODY {
        pass_over(read, length).await?;
        return Ok(false);
    }
    read.read_exact(message.make_room(length)).await.map(|_| true)
}

async fn pass_over(read: &mut (impl AsyncRead + Unpin), length: usize) -> io::Result<()> {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    let passed = copy(&mut read.take(length), &mut sink()).await?;
    if passed < length { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
