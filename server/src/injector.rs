//! Who decides which fault is active: one task on the control plane, and the only one that ever changes that.

use std::future::pending;
use std::io;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep_until;
use tracing::{error, info, warn};

use crate::clock::monotonic_usec;
use crate::condition::{Condition, ConditionReader, Due};
use crate::ending::{Ending, last_words};
use crate::fault::parameter::{DESCRIPTORS, MEMORY, PING_INTERVAL, RATE};
use crate::fault::{Fault, Injection};
use crate::gate::Gate;
use crate::hoard::{Descriptors, Memory};
use crate::pinger::Pinger;
use crate::plan::Plan;
use crate::signals::Ears;
use crate::workers::Workers;

/// Decides, begins and ends faults.
#[derive(Debug)]
pub struct Injector {
    condition: watch::Sender<Condition>,
    commands: mpsc::Receiver<Command>,
    gate: Gate,
    workers: Workers,
    ears: Ears,
    plan: Option<Plan>,
    /// Where the server is told to stop, with an exit code.
    exit: Option<oneshot::Sender<u8>>,
    held: Held,
}

/// What a fault holds until it is healed.
#[derive(Debug, Default)]
struct Held {
    descriptors: Option<Descriptors>,
    memory: Option<Memory>,
    pinger: Option<Pinger>,
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
    pub injection: Injection,
    /// How long to wait before it.
    pub after: Duration,
    /// How long it is to last, if it is to end by itself.
    pub lasting: Option<Duration>,
    /// Closed once the orderer has been answered: the end of the process would otherwise take the answer with it.
    pub answered: watch::Receiver<()>,
}

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
    /// What the fault needs is not there.
    #[error("{0} cannot be injected: {1}")]
    Impossible(Fault, String),
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
    /// An injector in good health, with the way to command it and the way to watch it. A server that is to exit is told so
    /// through `exit`.
    pub fn new(
        gate: Gate,
        workers: Workers,
        ears: Ears,
        plan: Option<Plan>,
        exit: oneshot::Sender<u8>,
    ) -> (Self, InjectorHandle, ConditionReader) {
        let (condition, reader) = watch::channel(Condition::Healthy { next: None });
        // Nobody sends a second command before the first is answered; the queue is for many who ask at once.
        let (sender, commands) = mpsc::channel(16);
        let (exit, held) = (Some(exit), Held::default());
        let injector = Self { condition, commands, gate, workers, ears, plan, exit, held };
        (injector, InjectorHandle { commands: sender }, reader)
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
        let Order { injection, after, lasting, answered } = order;
        let condition = *self.condition.borrow();
        match condition {
            Condition::Faulty { injection, .. } => {
                let _ = reply.send(Err(Refusal::Active(injection.fault)));
            }
            Condition::Pending { order, .. } => {
                let _ = reply.send(Err(Refusal::Ordered(order.injection.fault)));
            }
            Condition::Healthy { .. } if after.is_zero() => {
                let begun = self.begin(injection, lasting).await;
                let has_begun = begun.is_ok();
                let _ = reply.send(begun);
                if has_begun {
                    self.complete(&injection, answered).await;
                }
            }
            Condition::Healthy { .. } => {
                let order = Due { injection, at: Instant::now() + after };
                let planned_usec = monotonic_usec() + usec(after);
                self.condition.send_replace(Condition::Pending { order, lasting });
                info!(fault = %injection, ?after, "fault ordered");
                let _ = reply.send(Ok(planned_usec));
            }
        }
    }

    /// Does what would have kept the orderer from being told.
    async fn complete(&mut self, injection: &Injection, answered: watch::Receiver<()>) {
        if let Some(ending) = Ending::of(injection) {
            last_words(answered).await;
            self.stop(ending.come());
        } else if let Some(descriptors) = &mut self.held.descriptors {
            // The order's own connection has left one.
            last_words(answered).await;
            let _ = descriptors.take_rest();
        }
    }

    fn on_heal(&mut self) -> Result<(), Refusal> {
        let condition = *self.condition.borrow();
        match condition {
            Condition::Faulty { injection: Injection { fault, .. }, .. } => {
                if !fault.healable() {
                    return Err(Refusal::Unhealable(fault));
                }
                self.end(fault);
            }
            Condition::Pending { order, .. } => {
                info!(fault = %order.injection.fault, "fault cancelled");
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
            Condition::Faulty { injection, .. } => return self.end(injection.fault),
            Condition::Pending { order, lasting } => (order, lasting),
            Condition::Healthy { next: Some(due) } => (due, None),
            Condition::Healthy { next: None } => return,
        };
        match self.begin(due.injection, lasting).await {
            Ok(_) => {
                if let Some(ending) = Ending::of(&due.injection) {
                    self.stop(ending.come());
                }
            }
            Err(refusal) => {
                error!("{refusal}");
                self.recover();
            }
        }
    }

    /// Begins a fault, and gives the time at which it had taken hold. An ending is the caller's to complete.
    async fn begin(&mut self, injection: Injection, lasting: Option<Duration>) -> Result<u64, Refusal> {
        if let Err(reason) = self.do_harm(injection).await {
            self.undo(injection.fault);
            return Err(Refusal::Impossible(injection.fault, reason));
        }
        let injected_at_usec = monotonic_usec();
        let lasting = [lasting, injection.lasting()].into_iter().flatten().min();
        let until = lasting.map(|lasting| Instant::now() + lasting);
        self.condition.send_replace(Condition::Faulty { injection, injected_at_usec, until });
        warn!(fault = %injection, "fault injected");
        Ok(injected_at_usec)
    }

    /// Returns once the fault has taken hold, or says why it cannot.
    async fn do_harm(&mut self, injection: Injection) -> Result<(), String> {
        let said = |error: io::Error| error.to_string();
        match injection.fault {
            Fault::Mute
            | Fault::AcceptStall
            | Fault::Drip
            | Fault::Half
            | Fault::Error
            | Fault::WrongBody
            | Fault::Slow
            | Fault::Brief => self.gate.close(injection).await,
            Fault::Deadlock => self.workers.deadlock().await,
            Fault::Spin => self.workers.spin().await,
            Fault::BlockRuntime => self.workers.block().await.map_err(said)?,
            Fault::FdLeak => {
                // First, so that what is accepted from now on is held.
                self.gate.close(injection).await;
                let limit = injection.value(&DESCRIPTORS).unwrap_or(u64::MAX);
                self.held.descriptors = Some(Descriptors::take(limit).map_err(said)?);
            }
            Fault::MemoryLeak => {
                let rate = injection.value(&RATE).unwrap_or_default();
                self.held.memory = Some(Memory::take(rate, injection.value(&MEMORY)).await?);
            }
            Fault::Stubborn => {
                self.ears.go_deaf().map_err(said)?;
                self.gate.close(injection).await;
            }
            Fault::SelfPing => {
                // First, since it is what may be refused.
                self.held.pinger = Some(Pinger::start(injection.span(&PING_INTERVAL)).await?);
                self.workers.block().await.map_err(said)?;
            }
            Fault::Crash | Fault::Exit | Fault::Segfault => {}
        }
        Ok(())
    }

    fn end(&mut self, fault: Fault) {
        if !fault.healable() {
            return;
        }
        self.undo(fault);
        info!(%fault, "fault healed");
        self.recover();
    }

    /// The opposite of doing harm, where that can be had.
    fn undo(&mut self, fault: Fault) {
        self.held = Held::default();
        match fault {
            Fault::Mute
            | Fault::AcceptStall
            | Fault::Drip
            | Fault::Half
            | Fault::Error
            | Fault::WrongBody
            | Fault::Slow
            | Fault::Brief
            | Fault::FdLeak => self.gate.open(),
            Fault::Spin => self.workers.stop_spinning(),
            Fault::BlockRuntime | Fault::SelfPing => self.workers.unblock(),
            Fault::Stubborn => {
                self.ears.hear_again();
                self.gate.open();
            }
            Fault::MemoryLeak | Fault::Deadlock | Fault::Crash | Fault::Exit | Fault::Segfault => {}
        }
    }

    /// Has the server stop.
    fn stop(&mut self, code: u8) {
        if let Some(exit) = self.exit.take() {
            let _ = exit.send(code);
        }
    }

    /// Goes back to good health, until the next fault of the plan.
    fn recover(&mut self) {
        let next = self.plan.as_mut().and_then(Iterator::next);
        let next =
            next.map(|hang| Due { injection: Injection::of(hang.fault), at: Instant::now() + hang.after });
        self.condition.send_replace(Condition::Healthy { next });
    }
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
