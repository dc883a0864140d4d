//! Many clients who ask at a rate of their own. When each request is due is fixed beforehand: none waits for another's answer, and one
//! that could not be made in time is counted as such, so that neither the service's stalls nor the instrument's are hidden.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::oneshot;

use super::RunError;
use super::observer::Client;
use crate::machine::{MachineError, Network};
use crate::model::ask::Answer;
use crate::model::clock::Usec;
use crate::model::load::{Load as Batch, Tally};
use crate::scenario::Load as Plan;
use crate::scenario::observe::Observe;
use crate::scenario::service::Source;

/// A request that comes later than this after it was due says nothing of when it was due, and is not made; what came due while the
/// instrument was late by less is made at once.
const LATEST: Duration = Duration::from_millis(100);

/// So many descriptors the rest of the harness has for itself.
const OTHERS: u64 = 512;

/// Who will ask.
pub struct Loading {
    plan: Plan,
    client: Client,
    network: Network,
}

impl Loading {
    /// Of a scenario's load. A file that it names is read with `file`.
    pub fn new(
        plan: &Plan,
        network: &Network,
        file: impl Fn(&Source) -> Result<Vec<u8>, RunError>,
    ) -> Result<Self, RunError> {
        let observe = Observe { timeout: plan.timeout, ..Observe::often(plan.question.clone()) };
        let client = Client::new(&observe, network, file)?;
        Ok(Self { plan: plan.clone(), client, network: network.clone() })
    }

    /// Starts asking.
    pub fn start(&self) -> Result<Load, RunError> {
        Load::start(&self.plan, self.client.clone(), self.network.clone())
    }

    /// How long a request may take.
    pub fn timeout(&self) -> Duration {
        self.plan.timeout
    }
}

/// Asks until dropped.
pub struct Load {
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    tally: Mutex<Tally>,
    open: AtomicU64,
    /// No request is due any more.
    is_over: AtomicBool,
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    /// Starts asking.
    fn start(plan: &Plan, client: Client, network: Network) -> Result<Self, RunError> {
        have_descriptors(u64::from(plan.connections) + OTHERS)?;
        let shared = Arc::new(Shared {
            tally: Mutex::new(Tally::new(plan.rate)),
            open: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        });
        let (stop, stopped) = oneshot::channel();
        let (ready, entered) = std::sync::mpsc::sync_channel(1);
        let (rate, connections, counted) = (plan.rate, u64::from(plan.connections), Arc::clone(&shared));
        let work = move || {
            let runtime = client.enter(&network).and_then(|()| {
                tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()
            });
            match runtime {
                Ok(runtime) => {
                    let _ = ready.send(Ok(()));
                    runtime.block_on(ask(client, rate, connections, counted, stopped));
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        };
        let broken = |error| MachineError::broken("starting the load", error);
        let thread = Builder::new().name("load".into()).spawn(work).map_err(broken)?;
        match entered.recv() {
            Ok(result) => result.map_err(broken)?,
            Err(_) => return Err(broken(io::Error::other("it panicked")).into()),
        }
        Ok(Self { shared, stop: Some(stop), thread: Some(thread) })
    }

    /// What became known since this was asked last.
    pub fn batch(&self) -> Batch {
        let open = self.open();
        self.shared.tally().take(open)
    }

    /// No request is due from here on.
    pub fn end(&self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
    }

    /// How many are under way.
    pub fn open(&self) -> u64 {
        self.shared.open.load(Ordering::Acquire)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Makes requests when they are due.
async fn ask(
    client: Client,
    rate: u32,
    connections: u64,
    shared: Arc<Shared>,
    mut stop: oneshot::Receiver<()>,
) {
    let begin = Usec::now();
    // The n-th, of which the distance may be no whole number of microseconds.
    let due = |number: u64| {
        begin + Duration::from_nanos(number.saturating_mul(1_000_000_000) / u64::from(rate.max(1)))
    };
    let mut number = 0;
    loop {
        tokio::select! {
            _ = &mut stop => return,
            () = tokio::time::sleep(due(number) - Usec::now()) => {}
        }
        if shared.is_over.load(Ordering::Relaxed) {
            let _ = stop.await;
            return;
        }
        let now = Usec::now();
        while due(number) <= now {
            let due = due(number);
            number += 1;
            let late = now - due;
            let mut tally = shared.tally();
            tally.late = tally.late.max(late);
            if late > LATEST {
                tally.unasked(due);
            } else if shared.open.load(Ordering::Relaxed) >= connections {
                tally.failed(due, "all connections are in use");
            } else {
                shared.open.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(make(client.clone(), due, Arc::clone(&shared)));
            }
        }
    }
}

async fn make(client: Client, due: Usec, shared: Arc<Shared>) {
    let answer = client.ask().await;
    let took = Usec::now() - due;
    let mut tally = shared.tally();
    match answer {
        Ok(Answer::Good) => tally.good(due, took),
        Ok(Answer::Bad(reason)) => tally.failed(due, &reason),
        Err(_) => tally.unasked(due),
    }
    // Whoever sees that none is under way sees what became of it.
    shared.open.fetch_sub(1, Ordering::Release);
}

/// Lets this process have so many descriptors.
fn have_descriptors(wanted: u64) -> Result<(), RunError> {
    let mut limit = getrlimit(Resource::Nofile);
    let is_enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= wanted);
    if is_enough(limit.current) {
        return Ok(());
    }
    let too_few = || RunError::Descriptors { wanted, limit: limit.maximum.unwrap_or(wanted) };
    if !is_enough(limit.maximum) {
        return Err(too_few());
    }
    limit.current = Some(wanted);
    setrlimit(Resource::Nofile, limit).map_err(|_| too_few())
}

#[cfg(test)]
mod tests;
