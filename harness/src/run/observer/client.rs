//! One client: it asks once, over a connection of its own, and judges what it gets.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::{bytes, http, reason, tls};
use crate::machine::{MachineError, Network};
use crate::model::ask::Answer;
use crate::model::clock::Human;
use crate::run::RunError;
use crate::scenario::observe::{Observe, Place, Question};
use crate::scenario::service::Source;

/// From one try to connect to a socket whose queue is full to the next.
const QUEUED: Duration = Duration::from_millis(5);

/// What is asked, and how long an answer may take.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    how: How,
    timeout: Duration,
}

enum How {
    Connected { way: Way, talk: Box<Talk> },
    Command(Vec<String>),
}

/// How the service is reached by a thread that has entered the machine.
enum Way {
    /// At the first of these that takes a connection.
    Tcp(Vec<SocketAddr>),
    Unix(PathBuf),
}

enum Talk {
    Http { request: http::Request, tls: Option<Box<tls::Tls>> },
    Bytes { send: Vec<u8>, expect: Vec<u8> },
}

/// That it could not even be asked is no word about the service.
#[derive(Debug)]
pub struct Unasked;

impl Client {
    /// Of a scenario's question. A file that it names is read with `file`.
    pub fn new(
        observe: &Observe,
        network: &Network,
        file: impl Fn(&Source) -> Result<Vec<u8>, RunError>,
    ) -> Result<Self, RunError> {
        let way = |place: &Place| match place {
            Place::Port(services) => {
                Way::Tcp(services.iter().map(|service| network.address(*service)).collect())
            }
            // An abstract one begins with a zero.
            Place::Socket(path) => Way::Unix(match path.strip_prefix('@') {
                Some(name) => format!("\0{name}").into(),
                None => path.into(),
            }),
        };
        let how = match &observe.question {
            Question::Http(place, http) => {
                let tls =
                    http.tls.as_ref().map(|trust| tls::Tls::new(trust, &http.host, file)).transpose()?;
                let tls = tls.map(Box::new);
                How::Connected {
                    way: way(place),
                    talk: Box::new(Talk::Http { request: http::Request::of(http), tls }),
                }
            }
            Question::Bytes(place, asked) => {
                let (send, expect) = (asked.send.clone(), asked.expect.clone());
                How::Connected { way: way(place), talk: Box::new(Talk::Bytes { send, expect }) }
            }
            Question::Exec(argv) => How::Command(argv.clone()),
        };
        Ok(Self(Arc::new(Inner { how, timeout: observe.timeout })))
    }

    /// The command that asks in place of a connection.
    pub fn command(&self) -> Option<&[String]> {
        match &self.0.how {
            How::Command(argv) => Some(argv),
            How::Connected { .. } => None,
        }
    }

    /// How long an answer may take.
    pub fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// Makes the calling thread one that can ask.
    pub fn enter(&self, network: &Network) -> io::Result<()> {
        network.enter()?;
        match &self.0.how {
            How::Connected { way: Way::Unix(_), .. } => network.enter_files(),
            _ => Ok(()),
        }
    }

    /// Asks once, where it is no command that asks.
    pub async fn ask(&self) -> Result<Answer, Unasked> {
        let How::Connected { way, talk } = &self.0.how else {
            return Err(Unasked);
        };
        let mut so_far = String::new();
        let asked = async {
            match way {
                Way::Tcp(addresses) => talk.over(connect(addresses).await?, &mut so_far).await,
                Way::Unix(path) => talk.over(connect_to_socket(path).await?, &mut so_far).await,
            }
        };
        match tokio::time::timeout(self.0.timeout, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if is_own(&error) => Err(Unasked),
            Ok(Err(error)) => Ok(Answer::Bad(reason::of(&error))),
            Err(_) => Ok(Answer::Bad(overdue(self.0.timeout, &so_far))),
        }
    }
}

impl Talk {
    async fn over<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: S,
        so_far: &mut String,
    ) -> io::Result<Answer> {
        match self {
            Self::Bytes { send, expect } => bytes::ask(&mut stream, send, expect).await,
            Self::Http { request, tls: None } => request.ask(&mut stream, so_far).await,
            Self::Http { request, tls: Some(tls) } => {
                request.ask(&mut tls.handshake(stream).await?, so_far).await
            }
        }
    }
}

/// The first that takes a connection; of those that do not, the first's reason.
async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut refused = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => drop(refused.get_or_insert(error)),
        }
    }
    Err(refused.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

/// A socket whose queue is full says so at once to who does not block (unix(7), EAGAIN), where others wait.
async fn connect_to_socket(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            // Nothing tells when there is room.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(QUEUED).await,
            connected => return connected,
        }
    }
}

/// This computer has no descriptor, port or memory left for a client.
fn is_own(error: &io::Error) -> bool {
    const OWN: [Errno; 6] =
        [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::ADDRINUSE, Errno::NOBUFS, Errno::NOMEM];
    error.raw_os_error().is_some_and(|number| OWN.iter().any(|own| own.raw_os_error() == number))
}

fn overdue(timeout: Duration, so_far: &str) -> String {
    let timeout = Human(timeout);
    if so_far.is_empty() {
        format!("no answer in {timeout}")
    } else {
        format!("no whole answer in {timeout}: {so_far}")
    }
}

/// What the end of a command that asked says.
pub fn judge(ended: Result<crate::machine::Output, MachineError>) -> Answer {
    match ended {
        Ok(output) if output.status.success() => Answer::Good,
        Ok(output) => {
            let said = output.stderr.trim().lines().last().unwrap_or_default().to_owned();
            let status = output.status;
            Answer::Bad(if said.is_empty() { status.to_string() } else { format!("{status}: {said}") })
        }
        // Of these reasons the deadline is the one that comes of the service.
        Err(MachineError::Command { reason, .. }) => Answer::Bad(reason),
        Err(error) => Answer::Bad(error.to_string()),
    }
}
