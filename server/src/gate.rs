//! The gate that every connection and every request passes: where `mute`, `error` and `accept-stall` happen.
//!
//! A closed gate holds tasks, not threads: the workers stay free, which is what makes these hangs hard to see from
//! inside.

use tokio::sync::watch;

use crate::fault::Fault;

/// The gatekeeper's side, on the control plane.
#[derive(Debug)]
pub struct Gate {
    fault: watch::Sender<Option<Fault>>,
    accepting: watch::Receiver<bool>,
}

/// The side of those who want to pass, on the data plane.
#[derive(Clone, Debug)]
pub struct Entrance {
    fault: watch::Receiver<Option<Fault>>,
    accepting: watch::Sender<bool>,
}

/// Every request is to be answered with an error.
#[derive(Clone, Copy, Debug)]
pub struct AnswerError;

/// Opens a gate, and gives its two sides.
pub fn gate() -> (Gate, Entrance) {
    let (fault_sender, fault) = watch::channel(None);
    let (accepting_sender, accepting) = watch::channel(true);
    (Gate { fault: fault_sender, accepting }, Entrance { fault, accepting: accepting_sender })
}

impl Gate {
    /// Closes the gate in the manner of `fault`, and waits until it is closed.
    pub async fn close(&mut self, fault: Fault) {
        self.fault.send_replace(Some(fault));
        if fault == Fault::AcceptStall {
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
    /// Holds a request for as long as the server is mute, then says how to answer it.
    pub async fn pass_request(&mut self) -> Result<(), AnswerError> {
        // Without a gatekeeper the server is stopping, and lets everybody pass.
        let fault = match self.fault.wait_for(|fault| *fault != Some(Fault::Mute)).await {
            Ok(fault) => *fault,
            Err(_) => None,
        };
        if fault == Some(Fault::Error) { Err(AnswerError) } else { Ok(()) }
    }

    /// Returns once no connection may be accepted any more.
    pub async fn stalled(&mut self) {
        if self.fault.wait_for(|fault| *fault == Some(Fault::AcceptStall)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Tells the gatekeeper that the accept loop has stood down, and returns once it may go on.
    pub async fn stand_down(&mut self) {
        self.accepting.send_replace(false);
        let _ = self.fault.wait_for(|fault| *fault != Some(Fault::AcceptStall)).await;
        self.accepting.send_replace(true);
    }
}
