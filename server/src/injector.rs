//! Who decides which fault is active: one task on the control plane, and the only one that ever changes that.

use std::future::pending;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep_until, timeout};
use tracing::{error, info, warn};

use crate::clock::monotonic_usec;
use crate::condition::{Condition, ConditionReader, Due};
use crate::fault::Fault;
use crate::gate::Gate;
use crate::plan::Plan;
use crate::workers::Workers;

/// How long a crash waits for whoever ordered it to be told.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Decides, begins and ends faults.
#[derive(Debug)]
pub struct Injector {
    condition: watch::Sender<Condition>,
    commands: mpsc::Receiver<Command>,
    gate: Gate,
    workers: Workers,
    plan: Option<Plan>,
}

/// The way to tell the injector what to do.
#[derive(Clone, Debug)]
pub struct InjectorHandle {
    commands: mpsc::Sender<Command>,
}

/// A fault that somebody ordered.
#[derive(Clone, Debug)]
pub struct Order {
    /// What is to begin.
    pub fault: Fault,
    /// How long to wait before it.
    pub after: Duration,
    /// How long it is to last, if it is to end by itself.
    pub lasting: Option<Duration>,
    /// Closed once the orderer has been answered: a crash would otherwise take the answer with it.
    pub answered: watch::Receiver<()>,
}

/// Why an order was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// One fault at a time: two at once would leave nobody able to say which one a recovery was from.
    #[error("{0} is active already: heal it first")]
    Active(Fault),
    /// As above, for one that was ordered for later.
    #[error("{0} has been ordered already: heal to cancel it")]
    Ordered(Fault),
    /// Some faults end only with the process.
    #[error("{0} cannot be healed: restart the server")]
    Unhealable(Fault),
    /// Nobody is left to carry it out.
    #[error("the server is stopping")]
    Stopping,
}

#[derive(Debug)]
enum Command {
    Inject(Order, oneshot::Sender<Result<u64, Refusal>>),
    Heal(oneshot::Sender<Result<(), Refusal>>),
}

impl InjectorHandle {
    /// Has a fault injected; gives the time at which it had, or will have, taken hold.
    pub async fn inject(&self, order: Order) -> Result<u64, Refusal> {
        self.ask(|reply| Command::Inject(order, reply)).await
    }

    /// Ends the active fault, or cancels the one that was ordered. With neither there is nothing to do.
    pub async fn heal(&self) -> Result<(), Refusal> {
        self.ask(Command::Heal).await
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Command,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Refusal::Stopping)?;
        answer.await.unwrap_or(Err(Refusal::Stopping))
    }
}

impl Injector {
    /// An injector in good health, with the way to command it and the way to watch it.
    pub fn new(gate: Gate, workers: Workers, plan: Option<Plan>) -> (Self, InjectorHandle, ConditionReader) {
        let (condition, reader) = watch::channel(Condition::Healthy { next: None });
        // Nobody sends a second command before the first is answered; the queue is for many who ask at once.
        let (sender, commands) = mpsc::channel(16);
        (Self { condition, commands, gate, workers, plan }, InjectorHandle { commands: sender }, reader)
    }

    /// Carries out commands, and whatever falls due, until nobody is left to send a command.
    pub async fn run(mut self) {
        self.recover();
        loop {
            let due = self.condition.borrow().deadline();
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    // It makes no difference if the asker has gone: the order was given.
                    Some(Command::Inject(order, reply)) => self.on_inject(order, reply).await,
                    Some(Command::Heal(reply)) => { let _ = reply.send(self.on_heal()); }
                    None => return,
                },
                () = at(due) => self.on_due().await,
            }
        }
    }

    async fn on_inject(&mut self, order: Order, reply: oneshot::Sender<Result<u64, Refusal>>) {
        let Order { fault, after, lasting, answered } = order;
        let condition = *self.condition.borrow();
        match condition {
            Condition::Faulty { fault, .. } => {
                let _ = reply.send(Err(Refusal::Active(fault)));
            }
            Condition::Pending { order, .. } => {
                let _ = reply.send(Err(Refusal::Ordered(order.fault)));
            }
            Condition::Healthy { .. } if after.is_zero() => {
                let injected_at_usec = self.begin(fault, lasting).await;
                let _ = reply.send(Ok(injected_at_usec));
                if fault == Fault::Crash {
                    crash(answered).await;
                }
            }
            Condition::Healthy { .. } => {
                let order = Due { fault, at: Instant::now() + after };
                let planned_usec = monotonic_usec() + usec(after);
                self.condition.send_replace(Condition::Pending { order, lasting });
                info!(%fault, ?after, "fault ordered");
                let _ = reply.send(Ok(planned_usec));
            }
        }
    }

    fn on_heal(&mut self) -> Result<(), Refusal> {
        let condition = *self.condition.borrow();
        match condition {
            Condition::Faulty { fault, .. } if !fault.healable() => return Err(Refusal::Unhealable(fault)),
            Condition::Faulty { fault, .. } => self.end(fault),
            Condition::Pending { order, .. } => {
                info!(fault = %order.fault, "fault cancelled");
                self.recover();
            }
            Condition::Healthy { .. } => {}
        }
        Ok(())
    }

    /// The time has come for what the condition says is next.
    async fn on_due(&mut self) {
        let condition = *self.condition.borrow();
        let (due, lasting) = match condition {
            Condition::Faulty { fault, .. } => return self.end(fault),
            Condition::Pending { order, lasting } => (order, lasting),
            Condition::Healthy { next: Some(due) } => (due, None),
            Condition::Healthy { next: None } => return,
        };
        self.begin(due.fault, lasting).await;
        if due.fault == Fault::Crash {
            std::process::abort();
        }
    }

    /// Begins a fault, and gives the time at which it had taken hold. A crash is the caller's to complete.
    async fn begin(&mut self, fault: Fault, lasting: Option<Duration>) -> u64 {
        match fault {
            Fault::Mute | Fault::AcceptStall | Fault::Error => self.gate.close(fault).await,
            Fault::Deadlock => self.workers.deadlock().await,
            Fault::Spin => self.workers.spin().await,
            Fault::Crash => {}
        }
        let injected_at_usec = monotonic_usec();
        let until = lasting.map(|lasting| Instant::now() + lasting);
        self.condition.send_replace(Condition::Faulty { fault, injected_at_usec, until });
        warn!(%fault, "fault injected");
        injected_at_usec
    }

    fn end(&mut self, fault: Fault) {
        match fault {
            Fault::Mute | Fault::AcceptStall | Fault::Error => self.gate.open(),
            Fault::Spin => self.workers.stop_spinning(),
            Fault::Deadlock | Fault::Crash => return,
        }
        info!(%fault, "fault healed");
        self.recover();
    }

    /// Goes back to good health, until the next fault of the plan.
    fn recover(&mut self) {
        let next = self.plan.as_mut().and_then(Iterator::next);
        let next = next.map(|hang| Due { fault: hang.fault, at: Instant::now() + hang.after });
        self.condition.send_replace(Condition::Healthy { next });
    }
}

/// Aborts, as soon as the answer to whoever ordered it is out.
async fn crash(mut answered: watch::Receiver<()>) -> ! {
    if timeout(LAST_WORDS, answered.wait_for(|()| false)).await.is_err() {
        error!("the answer to the order could not be delivered; crashing all the same");
    }
    std::process::abort();
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant.into()).await,
        None => pending().await,
    }
}

fn usec(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
