//! The one channel in which everything arrives that happens during a run.

use std::sync::mpsc::{Receiver, Sender, channel};

use crate::model::ask::Ask;
use crate::model::clock::Usec;
use crate::model::entry::Entry;

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// journald received an entry about the unit.
    Entry(Entry),
    /// A client's ask came to something.
    Ask(Ask),
    /// There will be no more entries.
    JournalEnded(String),
    /// The user wants to stop.
    Interrupted,
}

/// Both ends of the channel.
pub struct Inputs {
    sender: Sender<Input>,
    receiver: Receiver<Input>,
}

impl Default for Inputs {
    fn default() -> Self {
        let (sender, receiver) = channel();
        Self { sender, receiver }
    }
}

impl Inputs {
    /// An end to send from.
    pub fn sender(&self) -> Sender<Input> {
        self.sender.clone()
    }

    /// The next input, or `None` at the deadline.
    pub fn receive(&self, deadline: Usec) -> Option<Input> {
        self.receiver.recv_timeout(deadline - Usec::now()).ok()
    }

    /// Whether an interrupt is among what has arrived; everything else of it is dropped.
    pub fn interrupted(&self) -> bool {
        self.receiver.try_iter().any(|input| matches!(input, Input::Interrupted))
    }
}
