//! What a client saw: the second witness, independent of systemd and of `sd-watchdog`.
//!
//! An observer asks the service every 10 ms, each time over a new connection, and never waits for one answer before
//! it asks again. Its answers are kept as *streaks* of equal outcomes; the outage is read from them, purely.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::clock::Usec;
use crate::machine::{MachineError, Network};
use crate::scenario::Observe;

/// How often the observer asks.
pub const TICK: Duration = Duration::from_millis(10);
/// How long one ask may take.
const ASK_DEADLINE: Duration = Duration::from_secs(1);

/// One ask and its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// When the connection was opened.
    pub asked_usec: Usec,
    /// When the outcome was known.
    pub known_usec: Usec,
    /// A good answer, or what came instead.
    pub outcome: Outcome,
}

/// What an ask came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A status below 400.
    Good,
    /// Anything else, in words.
    Bad(String),
}

/// Consecutive asks of the same outcome, in the order in which outcomes became known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak {
    /// What they came to.
    pub outcome: Outcome,
    /// How many there were.
    pub count: u32,
    /// When the one asked first was asked, and known.
    pub first_usec: (Usec, Usec),
    /// When the one asked last was asked, and known.
    pub last_usec: (Usec, Usec),
}

/// Everything a client saw during a trial.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Witness {
    streaks: Vec<Streak>,
}

impl Witness {
    /// Adds one ask.
    pub fn add(&mut self, ask: Ask) {
        let moment = (ask.asked_usec, ask.known_usec);
        match self.streaks.last_mut() {
            Some(streak) if streak.outcome == ask.outcome => {
                streak.count += 1;
                streak.first_usec = streak.first_usec.min(moment);
                streak.last_usec = streak.last_usec.max(moment);
            }
            _ => {
                let streak = Streak { outcome: ask.outcome, count: 1, first_usec: moment, last_usec: moment };
                self.streaks.push(streak);
            }
        }
    }

    /// Adds a streak from a recording.
    pub fn push(&mut self, streak: Streak) {
        self.streaks.push(streak);
    }

    fn good(&self) -> impl Iterator<Item = &Streak> {
        self.streaks.iter().filter(|streak| streak.outcome == Outcome::Good)
    }

    /// Whether any ask was answered well.
    pub fn was_served(&self) -> bool {
        self.good().next().is_some()
    }

    /// When the first ask that failed was asked, and why it did. One that good answers surround on both sides, asked
    /// before *and* after it, was lost by itself and is no outage.
    pub fn first_bad(&self) -> Option<(Usec, &str)> {
        let bad = self.streaks.iter().filter_map(|streak| match &streak.outcome {
            Outcome::Bad(reason) => Some((streak.first_usec.0, reason.as_str())),
            Outcome::Good => None,
        });
        bad.filter(|(asked, _)| {
            !self.good().any(|good| good.first_usec.0 < *asked && *asked < good.last_usec.0)
        })
        .min_by_key(|(asked, _)| *asked)
    }

    /// When the last good answer before the outage was known.
    pub fn last_good(&self) -> Option<Usec> {
        let (outage, _) = self.first_bad()?;
        let before = self.good().filter(|streak| streak.last_usec.0 < outage);
        before.map(|streak| streak.last_usec.1).max()
    }

    /// When the first good answer to an ask after `since`, and after the outage began, was known.
    pub fn first_good(&self, since: Usec) -> Option<Usec> {
        let (outage, _) = self.first_bad()?;
        let after = outage.max(since);
        // A streak that began before counts by its end: only the edges are kept.
        let edges = self.good().filter_map(|streak| {
            [streak.first_usec, streak.last_usec].into_iter().find(|(asked, _)| *asked > after)
        });
        edges.map(|(_, known)| known).min()
    }

    /// When the latest ask of known outcome was asked.
    pub fn last_asked(&self) -> Option<Usec> {
        self.streaks.iter().map(|streak| streak.last_usec.0).max()
    }

    /// How many asks failed, and how many there were.
    pub fn failed_of(&self) -> (u32, u32) {
        let all = self.streaks.iter().map(|streak| streak.count).sum();
        let good: u32 = self.good().map(|streak| streak.count).sum();
        (all - good, all)
    }

    /// The streaks in order, for a recording.
    pub fn streaks(&self) -> &[Streak] {
        &self.streaks
    }
}

/// Asks until dropped.
pub struct Observer {
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
        let (stop, stopped) = oneshot::channel();
        let (ready, entered) = std::sync::mpsc::sync_channel(1);
        let work = move || {
            let runtime = network.enter().and_then(|()| {
                tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()
            });
            match runtime {
                Ok(runtime) => {
                    let _ = ready.send(Ok(()));
                    runtime.block_on(ask_on(address, request.into(), report, stopped));
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
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
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
        let (request, report) = (request.clone(), report.clone());
        tokio::spawn(async move {
            let asked_usec = Usec::now();
            let answer = tokio::time::timeout(ASK_DEADLINE, ask(address, &request)).await;
            let outcome = match answer {
                Ok(Ok(status)) if (100..400).contains(&status) => Outcome::Good,
                Ok(Ok(status)) => Outcome::Bad(format!("status {status}")),
                Ok(Err(error)) => Outcome::Bad(bad(&error)),
                Err(_) => Outcome::Bad("no answer in 1 s".into()),
            };
            report(Ask { asked_usec, known_usec: Usec::now(), outcome });
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

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(asks: &[(u64, u64, bool)]) -> Witness {
        let mut witness = Witness::default();
        for &(asked, known, good) in asks {
            let outcome = if good { Outcome::Good } else { Outcome::Bad("no".into()) };
            witness.add(Ask { asked_usec: Usec(asked), known_usec: Usec(known), outcome });
        }
        witness
    }

    #[test]
    fn the_outage_lies_between_the_good_answers_around_the_failed_asks() {
        // Asked at 30 and 40, unanswered until their deadline; the restart refuses 50, then serves.
        let seen = witness(&[
            (10, 11, true),
            (20, 21, true),
            (50, 51, false),
            (30, 55, false),
            (40, 56, false),
            (60, 61, true),
            (70, 71, true),
        ]);
        assert_eq!(seen.first_bad().map(|(asked, _)| asked), Some(Usec(30)));
        assert_eq!((seen.last_good(), seen.first_good(Usec(0))), (Some(Usec(21)), Some(Usec(61))));
        assert_eq!(seen.failed_of(), (3, 7));
    }

    #[test]
    fn a_late_failure_of_an_early_ask_does_not_prolong_the_outage() {
        let seen =
            witness(&[(10, 11, true), (30, 31, false), (60, 61, true), (20, 65, false), (70, 71, true)]);
        assert_eq!((seen.last_good(), seen.first_good(Usec(0))), (Some(Usec(11)), Some(Usec(61))));
    }

    #[test]
    fn one_lost_ask_among_good_answers_is_no_outage() {
        let seen = witness(&[(10, 11, true), (30, 31, true), (20, 1020, false), (1020, 1021, true)]);
        assert_eq!((seen.first_bad(), seen.last_good()), (None, None));
        assert_eq!(seen.failed_of(), (1, 4));
    }

    #[test]
    fn a_service_that_never_comes_back_has_no_first_good_answer() {
        let seen = witness(&[(10, 11, true), (20, 21, false)]);
        assert_eq!((seen.last_good(), seen.first_good(Usec(0))), (Some(Usec(11)), None));
        assert_eq!(witness(&[]).first_bad(), None);
    }
}
