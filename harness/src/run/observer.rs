//! A client that asks the service every 10 ms, or less often where the scenario says so: over connections of its own and
//! never through `sd-watchdog`'s code.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::machine::{MachineError, Network};
use crate::model::ask::{Answer, Ask};
use crate::model::clock::{Human, Usec};
use crate::scenario::{Observe, observe};

/// Asks until dropped.
pub struct Observer {
    pending: Arc<Mutex<BTreeSet<Usec>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Observer {
    /// Starts asking, and hands every outcome to `report`.
    pub fn start(
        network: &Network,
        observe: &Observe,
        report: impl Fn(Ask) + Clone + Send + 'static,
    ) -> Result<Self, MachineError> {
        let address = network.address(observe.service);
        let question = Arc::new(Question::of(observe));
        let (interval, timeout) = (observe.interval, observe.timeout);
        let network = network.clone();
        let pending = Arc::new(Mutex::new(BTreeSet::new()));
        let open = Arc::clone(&pending);
        let (stop, stopped) = oneshot::channel();
        let (ready, entered) = std::sync::mpsc::sync_channel(1);
        let work = move || {
            let runtime = network.enter().and_then(|()| {
                tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()
            });
            match runtime {
                Ok(runtime) => {
                    let _ = ready.send(Ok(()));
                    let asks = Asks { address, question, interval, timeout };
                    runtime.block_on(asks.make(open, report, stopped));
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        };
        let broken = |error| MachineError::broken("starting the observer", error);
        let thread = std::thread::Builder::new().name("observer".into()).spawn(work).map_err(broken)?;
        match entered.recv() {
            Ok(result) => result.map_err(broken)?,
            Err(_) => return Err(broken(std::io::Error::other("it panicked"))),
        }
        Ok(Self { pending, stop: Some(stop), thread: Some(thread) })
    }
}

impl Observer {
    /// Everything asked before this moment has been reported.
    pub fn known_until(&self) -> Usec {
        let now = Usec::now();
        lock(&self.pending).first().copied().unwrap_or(now)
    }
}

fn lock(pending: &Mutex<BTreeSet<Usec>>) -> std::sync::MutexGuard<'_, BTreeSet<Usec>> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Observer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What is asked, where, and how often.
struct Asks {
    address: SocketAddr,
    question: Arc<Question>,
    interval: Duration,
    timeout: Duration,
}

impl Asks {
    async fn make(
        self,
        pending: Arc<Mutex<BTreeSet<Usec>>>,
        report: impl Fn(Ask) + Clone + Send + 'static,
        mut stop: oneshot::Receiver<()>,
    ) {
        let Self { address, question, interval, timeout } = self;
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = &mut stop => return,
                _ = ticks.tick() => {}
            }
            let (question, report, pending) = (Arc::clone(&question), report.clone(), Arc::clone(&pending));
            let asked = Usec::now();
            lock(&pending).insert(asked);
            tokio::spawn(async move {
                let answer = tokio::time::timeout(timeout, question.ask(address)).await;
                let answer = match answer {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(error)) => Answer::Bad(bad(&error)),
                    Err(_) => Answer::Bad(format!("no answer in {}", Human(timeout))),
                };
                report(Ask { asked, known: Usec::now(), answer });
                lock(&pending).remove(&asked);
            });
        }
    }
}

fn bad(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".into(),
        std::io::ErrorKind::ConnectionReset => "connection reset".into(),
        std::io::ErrorKind::UnexpectedEof => "closed without an answer".into(),
        _ => error.to_string(),
    }
}

/// What is sent, and how the answer is judged.
struct Question {
    send: Vec<u8>,
    expected: Expected,
}

enum Expected {
    /// A status below 400.
    Status,
    /// An answer that contains this.
    Bytes(Vec<u8>),
}

/// How much of an answer is read in search of what is expected.
const LONGEST_ANSWER: usize = 64 * 1024;

impl Question {
    fn of(observe: &Observe) -> Self {
        match &observe.question {
            observe::Question::Http { path } => {
                let request =
                    format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", observe.service);
                Self { send: request.into(), expected: Expected::Status }
            }
            observe::Question::Tcp { send, expect } => {
                Self { send: send.clone(), expected: Expected::Bytes(expect.clone()) }
            }
        }
    }

    /// Asks once.
    async fn ask(&self, address: SocketAddr) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&self.send).await?;
        match &self.expected {
            Expected::Status => status(&mut stream).await,
            Expected::Bytes(expected) => bytes(&mut stream, expected).await,
        }
    }
}

/// Reads the answer's status and all that follows.
async fn status(stream: &mut TcpStream) -> std::io::Result<Answer> {
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    let status = std::str::from_utf8(&head[9..]).ok().and_then(|code| code.parse::<u16>().ok());
    let status = status.ok_or_else(|| std::io::Error::other("not an HTTP answer"))?;
    let mut rest = [0; 4096];
    while stream.read(&mut rest).await? != 0 {}
    Ok(if (100..400).contains(&status) { Answer::Good } else { Answer::Bad(format!("status {status}")) })
}

/// Reads until what is expected has come.
async fn bytes(stream: &mut TcpStream, expected: &[u8]) -> std::io::Result<Answer> {
    let mut answer = Vec::with_capacity(expected.len().max(64));
    while !answer.windows(expected.len()).any(|window| window == expected) {
        if answer.len() >= LONGEST_ANSWER || stream.read_buf(&mut answer).await? == 0 {
            let begin = answer[..answer.len().min(40)].escape_ascii();
            return Ok(Answer::Bad(if answer.is_empty() {
                "closed without an answer".into()
            } else {
                format!("answered \"{begin}\"")
            }));
        }
    }
    Ok(Answer::Good)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// What a service that reads up to `asked` and then says `pieces` is taken for.
    fn judged(observe: impl Fn(SocketAddr) -> Observe, asked: &str, pieces: &[&[u8]]) -> Answer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let observe = observe(listener.local_addr().expect("an address"));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut client, _) = listener.accept().expect("a client");
                let (mut read, mut byte) = (Vec::new(), [0]);
                while !read.ends_with(asked.as_bytes()) {
                    client.read_exact(&mut byte).expect("the question");
                    read.extend(byte);
                }
                for piece in pieces {
                    // The client may have heard enough.
                    let _ = client.write_all(piece);
                }
            });
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
            let answer = runtime.block_on(Question::of(&observe).ask(observe.service));
            answer.unwrap_or_else(|error| Answer::Bad(bad(&error)))
        })
    }

    fn tcp(service: SocketAddr) -> Observe {
        let question = observe::Question::Tcp { send: b"PING\r\n".into(), expect: b"+PONG".into() };
        Observe::often(service, question)
    }

    #[test]
    fn an_answer_over_tcp_is_good_if_it_contains_what_is_expected() {
        let bad = |reason: &str| Answer::Bad(reason.into());
        let garbage = vec![b'x'; LONGEST_ANSWER + 1];
        for (pieces, expected) in [
            (&[&b"+PONG\r\n"[..]][..], Answer::Good),
            (&[b"hello\r\n+PO", b"NG"], Answer::Good),
            (&[b"-LOADING\r\n"], bad("answered \"-LOADING\\r\\n\"")),
            (&[], bad("closed without an answer")),
            (&[&garbage], bad(&format!("answered \"{}\"", "x".repeat(40)))),
        ] {
            assert_eq!(judged(tcp, "PING\r\n", pieces), expected);
        }
    }

    #[test]
    fn an_answer_over_http_is_good_if_its_status_is_below_400() {
        let http = |service: SocketAddr| Observe::http(&format!("http://{service}/x")).expect("a URL");
        for (answer, expected) in [
            (&b"HTTP/1.1 204 No Content\r\n\r\n"[..], Answer::Good),
            (b"HTTP/1.1 500 No\r\n\r\n", Answer::Bad("status 500".into())),
            (b"SSH-2.0-OpenSSH", Answer::Bad("not an HTTP answer".into())),
            (b"", Answer::Bad("closed without an answer".into())),
        ] {
            assert_eq!(judged(http, "\r\n\r\n", &[answer]), expected);
        }
    }
}
