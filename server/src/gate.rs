//! The gate that every connection and every request passes: where every fault happens that takes no thread away.
//!
//! A closed gate holds tasks, not threads: the workers stay free, which is what makes these hangs hard to see from
//! inside.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::fault::parameter::{DELAY, INTERVAL};
use crate::fault::{Fault, Injection};

/// The path of the health check: what `half` goes on answering.
pub const HEALTH: &str = "/healthz";

/// The gatekeeper's side, on the control plane.
#[derive(Debug)]
pub struct Gate {
    fault: watch::Sender<Option<Injection>>,
    accepting: watch::Receiver<bool>,
}

/// The side of those who want to pass, on the data plane.
#[derive(Clone, Debug)]
pub struct Entrance {
    fault: watch::Receiver<Option<Injection>>,
    accepting: watch::Sender<bool>,
}

/// How a request that has passed is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should be.
    Right,
    /// With an error.
    Error,
    /// As if something else had been asked.
    WrongBody,
    /// One byte each time this has passed, without an end.
    Drip(Duration),
}

/// Opens a gate, and gives its two sides.
pub fn gate() -> (Gate, Entrance) {
    let (fault_sender, fault) = watch::channel(None);
    let (accepting_sender, accepting) = watch::channel(true);
    (Gate { fault: fault_sender, accepting }, Entrance { fault, accepting: accepting_sender })
}

impl Gate {
    /// Closes the gate in the manner of a fault, and waits until it is closed.
    pub async fn close(&mut self, injection: Injection) {
        self.fault.send_replace(Some(injection));
        if injection.fault == Fault::AcceptStall {
            // Until the accept loop has stood down, one more connection could slip in. It only ever goes away when
            // the server stops, and then nobody is accepting either.
            let _ = self.accepting.wait_for(|accepting| !accepting).await;
        }
    }

    /// Opens the gate again; those who waited pass.
    pub fn open(&mut self) {
        self.fault.send_replace(None);
    }
}

impl Entrance {
    /// Holds a request of `path` for as long as the fault that is active demands, then says how to answer it.
    pub async fn pass_request(&mut self, path: &str) -> Manner {
        let is_held = |active: &Option<Injection>| match active.map(|active| active.fault) {
            Some(Fault::Mute | Fault::Brief | Fault::Stubborn) => true,
            Some(Fault::Half) => path != HEALTH,
            _ => false,
        };
        // Without a gatekeeper the server is stopping, and lets everybody pass.
        let Ok(active) = self.fault.wait_for(|active| !is_held(active)).await.map(|active| *active) else {
            return Manner::Right;
        };
        match active.map(|active| (active.fault, active)) {
            Some((Fault::Slow, slow)) => {
                // Healing ends the wait.
                let _ = timeout(slow.span(&DELAY), self.healed()).await;
                Manner::Right
            }
            Some((Fault::Error, _)) => Manner::Error,
            Some((Fault::WrongBody, _)) => Manner::WrongBody,
            Some((Fault::Drip, drip)) => Manner::Drip(drip.span(&INTERVAL)),
            _ => Manner::Right,
        }
    }

    /// Holds a connection that was accepted because a descriptor became free while there are none to have: it is leaked too.
    pub async fn pass_connection(&mut self) {
        let is_held = |active: &Option<Injection>| active.is_some_and(|active| active.fault == Fault::FdLeak);
        let _ = self.fault.wait_for(|active| !is_held(active)).await;
    }

    /// Returns once no fault of the gate is active, or the gatekeeper is gone.
    pub async fn healed(&mut self) {
        let _ = self.fault.wait_for(Option::is_none).await;
    }

    /// Returns once no connection may be accepted any more.
    pub async fn stalled(&mut self) {
        if self.fault.wait_for(|active| is_stalled(*active)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Tells the gatekeeper that the accept loop has stood down, and returns once it may go on.
    pub async fn stand_down(&mut self) {
        self.accepting.send_replace(false);
        let _ = self.fault.wait_for(|active| !is_stalled(*active)).await;
        self.accepting.send_replace(true);
    }
}

fn is_stalled(active: Option<Injection>) -> bool {
    active.is_some_and(|active| active.fault == Fault::AcceptStall)
}
