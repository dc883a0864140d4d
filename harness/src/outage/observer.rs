//! A client that asks the service every 10 ms, over connections of its own and never through `sd-watchdog`'s code.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::{Ask, Outcome, TICK};
use crate::clock::Usec;
use crate::machine::{MachineError, Network};
use crate::scenario::Observe;

/// How long one ask may take.
const ASK_DEADLINE: Duration = Duration::from_secs(1);

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
        let Observe { service, path } = observe;
        let address = network.address(*service);
        let request = format!("GET {path} HTTP/1.1\r\nHost: {service}\r\nConnection: close\r\n\r\n");
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
                    runtime.block_on(ask_on(address, request.into(), open, report, stopped));
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

async fn ask_on(
    address: SocketAddr,
    request: Arc<str>,
    pending: Arc<Mutex<BTreeSet<Usec>>>,
    report: impl Fn(Ask) + Clone + Send + 'static,
    mut stop: oneshot::Receiver<()>,
) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = &mut stop => return,
            _ = ticks.tick() => {}
        }
        let (request, report, pending) = (request.clone(), report.clone(), Arc::clone(&pending));
        let asked = Usec::now();
        lock(&pending).insert(asked);
        tokio::spawn(async move {
            let answer = tokio::time::timeout(ASK_DEADLINE, ask(address, &request)).await;
            let outcome = match answer {
                Ok(Ok(status)) if (100..400).contains(&status) => Outcome::Good,
                Ok(Ok(status)) => Outcome::Bad(format!("status {status}")),
                Ok(Err(error)) => Outcome::Bad(bad(&error)),
                Err(_) => Outcome::Bad("no answer in 1 s".into()),
            };
            report(Ask { asked, known: Usec::now(), outcome });
            lock(&pending).remove(&asked);
        });
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

/// Asks once and reads the answer's status and all that follows.
async fn ask(address: SocketAddr, request: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    let status = std::str::from_utf8(&head[9..]).ok().and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other("not an HTTP answer"))?;
    let mut rest = [0; 4096];
    while stream.read(&mut rest).await? != 0 {}
    Ok(status)
}
