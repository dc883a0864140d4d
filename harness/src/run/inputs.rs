//! The one channel in which everything arrives that happens during a run.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::room::Permit;
use crate::model::ask::Ask;
use crate::model::clock::Usec;
use crate::model::entry::Entry;

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// An entry about the unit was written into the journal.
    Entry(Entry, Permit),
    /// All that journald received before this mark has been sent.
    Mark(String),
    /// A client's ask came to something.
    Ask(Ask),
    /// There will be no more entries.
    JournalEnded(String),
    /// A visitor of a demo has something to be done, which waits elsewhere.
    Visited,
    /// The user wants to stop.
    Interrupted,
}

/// Both ends of the channel.
pub struct Inputs {
    sender: Sender,
    receiver: Receiver<(Usec, Input)>,
    /// What was sent after a deadline, for who asks next.
    held: RefCell<Option<(Usec, Input)>>,
}

/// An end to send from.
#[derive(Clone)]
pub struct Sender {
    channel: mpsc::Sender<(Usec, Input)>,
    is_interrupted: Arc<AtomicBool>,
}

impl Sender {
    /// Sends. False: nobody listens any more.
    pub fn send(&self, input: Input) -> bool {
        if matches!(input, Input::Interrupted) {
            // Heard before all that waits.
            self.is_interrupted.store(true, Ordering::SeqCst);
        }
        self.channel.send((Usec::now(), input)).is_ok()
    }
}

/// Tells everybody who waits for inputs that the user wants to stop.
#[derive(Clone, Default)]
pub struct Interrupts {
    is_set: Arc<AtomicBool>,
    listeners: Arc<Mutex<Vec<Sender>>>,
}

impl Interrupts {
    /// The user wants to stop.
    pub fn interrupt(&self) {
        self.is_set.store(true, Ordering::SeqCst);
        for listener in self.listeners.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            listener.send(Input::Interrupted);
        }
    }

    /// Whether the user does.
    pub fn is_set(&self) -> bool {
        self.is_set.load(Ordering::SeqCst)
    }

    /// Inputs that hear of it.
    pub fn inputs(&self) -> Inputs {
        let (channel, receiver) = channel();
        let sender = Sender { channel, is_interrupted: Arc::clone(&self.is_set) };
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(sender.clone());
        Inputs { sender, receiver, held: RefCell::default() }
    }
}

impl Default for Inputs {
    fn default() -> Self {
        Interrupts::default().inputs()
    }
}

impl Inputs {
    /// An end to send from.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// The next input that was sent by the `deadline`, and when that was; [`None`] where there is none, however many were sent since.
    pub fn receive(&self, deadline: Usec) -> Option<(Usec, Input)> {
        if self.interrupted() {
            return Some((Usec::now(), Input::Interrupted));
        }
        let next = self.held.take().or_else(|| self.receiver.recv_timeout(deadline - Usec::now()).ok());
        let (sent, input) = next?;
        if sent <= deadline {
            return Some((sent, input));
        }
        drop(self.held.replace(Some((sent, input))));
        None
    }

    /// Whether the user wants to stop.
    pub fn interrupted(&self) -> bool {
        self.sender.is_interrupted.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ended(reason: &str) -> Input {
        Input::JournalEnded(reason.into())
    }

    #[test]
    fn what_was_sent_by_the_deadline_is_received_and_what_was_sent_later_is_kept() {
        let inputs = Inputs::default();
        let sender = inputs.sender();
        sender.send(ended("in time"));
        let deadline = Usec::now();
        while Usec::now() <= deadline {}
        sender.send(ended("too late"));
        sender.send(ended("still later"));
        let what = |deadline| inputs.receive(deadline).map(|(_, input)| format!("{input:?}"));
        assert_eq!(what(deadline).as_deref(), Some("JournalEnded(\"in time\")"));
        // However much there is, and however often one looks.
        assert_eq!((what(deadline), what(deadline)), (None, None));
        let later = Usec::now() + Duration::from_secs(20);
        assert_eq!(what(later).as_deref(), Some("JournalEnded(\"too late\")"));
        assert_eq!(what(later).as_deref(), Some("JournalEnded(\"still later\")"));
    }

    #[test]
    fn an_interrupt_is_heard_before_all_that_waits() {
        let inputs = Inputs::default();
        let sender = inputs.sender();
        sender.send(ended("first"));
        sender.send(Input::Interrupted);
        assert!(matches!(inputs.receive(Usec::now()), Some((_, Input::Interrupted))));
    }
}
