//! A client that asks the service every 10 ms, or as often as the scenario says: each time anew, and never through `sd-watchdog`'s
//! code. When it asks is fixed beforehand, and no ask waits for another.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

pub use self::client::Client;
use self::schedule::Schedule;
use crate::machine::{Machine, MachineError, Network};
use crate::model::ask::Ask;
use crate::model::clock::Usec;
use crate::scenario::observe::{Observe, Place, Question};

mod bytes;
mod client;
mod frame;
mod http;
mod reason;
mod schedule;
#[cfg(test)]
mod tests;
mod tls;

/// Asks until dropped.
pub struct Observer<'scope> {
    pending: Arc<Pending>,
    lateness: Arc<Lateness>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope> Observer<'scope> {
    /// Starts asking every `interval`, and hands to `report` what each ask came to.
    pub fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        machine: &'env dyn Machine,
        client: Client,
        interval: Duration,
        report: impl Fn(Ask) + Clone + Send + 'scope + 'static,
    ) -> Result<Self, MachineError> {
        let network = machine.network();
        let pending = Arc::new(Pending::default());
        let schedule = Schedule::new(Usec::now(), interval);
        let lateness = Arc::new(Lateness::new(schedule.due()));
        let (open, late) = (Arc::clone(&pending), Arc::clone(&lateness));
        let (stop, stopped) = oneshot::channel();
        let (ready, entered) = std::sync::mpsc::sync_channel(1);
        let work = move || {
            let runtime = client.enter(&network).and_then(|()| {
                tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()
            });
            match runtime {
                Ok(runtime) => {
                    let _ = ready.send(Ok(()));
                    let asks = Asks { client, pending: open, report };
                    runtime.block_on(asks.make(schedule, &late, stopped, scope, machine));
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        };
        let broken = |error| MachineError::broken("starting the observer", error);
        let thread = Builder::new().name("observer".into()).spawn_scoped(scope, work).map_err(broken)?;
        match entered.recv() {
            Ok(result) => result.map_err(broken)?,
            Err(_) => return Err(broken(std::io::Error::other("it panicked"))),
        }
        Ok(Self { pending, lateness, stop: Some(stop), thread: Some(thread) })
    }

    /// How late the ask was, since this was looked at last, that was the latest; one that is due now and not asked yet counts. A
    /// client that was that late saw nothing for as long.
    pub fn lateness(&self) -> Duration {
        self.lateness.take(Usec::now())
    }

    /// Everything asked before this moment has been reported.
    pub fn known_until(&self) -> Usec {
        let now = Usec::now();
        self.pending.first().unwrap_or(now)
    }
}

/// Why the question cannot be asked of such a machine.
pub fn unreachable(network: &Network, observe: &Observe) -> Option<String> {
    let (Question::Http(Place::Socket(path), _) | Question::Bytes(Place::Socket(path), _)) =
        &observe.question
    else {
        return None;
    };
    (!network.has_files()).then(|| {
        format!("needs the machine's own files, for {path} in [observe]: run it as root on the host of the machine")
    })
}

impl Drop for Observer<'_> {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What is asked and not known yet, by when it was asked.
#[derive(Default)]
struct Pending(Mutex<BTreeSet<Usec>>);

impl Pending {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<Usec>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first(&self) -> Option<Usec> {
        self.lock().first().copied()
    }
}

/// How late asks were.
struct Lateness {
    /// When the next is due, in microseconds.
    due: AtomicU64,
    /// The most since it was asked for, in microseconds.
    most: AtomicU64,
}

impl Lateness {
    fn new(due: Usec) -> Self {
        Self { due: AtomicU64::new(due.0), most: AtomicU64::new(0) }
    }

    /// What was due has been asked at `asked`, and the `next` is due then.
    fn asked(&self, asked: Usec, next: Usec) {
        let due = Usec(self.due.swap(next.0, Ordering::Relaxed));
        let late = u64::try_from((asked - due).as_micros()).unwrap_or(u64::MAX);
        self.most.fetch_max(late, Ordering::Relaxed);
    }

    fn take(&self, now: Usec) -> Duration {
        let most = Duration::from_micros(self.most.swap(0, Ordering::Relaxed));
        most.max(now - Usec(self.due.load(Ordering::Relaxed)))
    }
}

/// Who asks, and who hears of it.
#[derive(Clone)]
struct Asks<R> {
    client: Client,
    pending: Arc<Pending>,
    report: R,
}

impl<R: Fn(Ask) + Clone + Send + 'static> Asks<R> {
    async fn make<'scope>(
        self,
        mut schedule: Schedule,
        lateness: &Lateness,
        mut stop: oneshot::Receiver<()>,
        scope: &'scope Scope<'scope, '_>,
        machine: &'scope dyn Machine,
    ) {
        loop {
            tokio::select! {
                _ = &mut stop => return,
                () = tokio::time::sleep(schedule.due() - Usec::now()) => {}
            }
            let asked = Usec::now();
            schedule.asked(asked);
            lateness.asked(asked, schedule.due());
            self.pending.lock().insert(asked);
            let asks = self.clone();
            if self.client.command().is_some() {
                // Where no thread can be had, nothing was asked.
                let thread = Builder::new().name("asking".into());
                if thread.spawn_scoped(scope, move || asks.run(machine, asked)).is_err() {
                    self.pending.lock().remove(&asked);
                }
            } else {
                tokio::spawn(asks.ask(asked));
            }
        }
    }

    async fn ask(self, asked: Usec) {
        // That it could not be asked leaves a gap, which says as much.
        if let Ok(answer) = self.client.ask().await {
            (self.report)(Ask { asked, known: Usec::now(), answer });
        }
        self.pending.lock().remove(&asked);
    }

    fn run(self, machine: &dyn Machine, asked: Usec) {
        let argv = self.client.command().unwrap_or_default();
        let words = argv.iter().map(String::as_str).collect::<Vec<_>>();
        let answer = client::judge(machine.run(&words, self.client.timeout()));
        (self.report)(Ask { asked, known: Usec::now(), answer });
        self.pending.lock().remove(&asked);
    }
}
