//! What a service was told to do, and what its threads make of it.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use super::super::clock::{self, Time};
use super::super::hang::Hang;
use super::park;

/// What a service was told to do.
#[derive(Debug, Default)]
pub struct Switch {
    hang: AtomicU8,
    chats: AtomicBool,
    lock: Mutex<()>,
}

impl Switch {
    /// Hangs from now on, for ever; since when.
    pub fn hang(&self, kind: Hang) -> Time {
        if kind == Hang::Deadlock {
            std::mem::forget(self.lock.lock());
        }
        let since = clock::now();
        self.hang.store(kind as u8 + 1, Ordering::SeqCst);
        since
    }

    fn kind(&self) -> Option<Hang> {
        Hang::ALL.into_iter().find(|&kind| kind as u8 + 1 == self.hang.load(Ordering::SeqCst))
    }

    /// What a worker does between request and answer.
    pub fn pass(&self) {
        match self.kind() {
            Some(Hang::Mute) => park(),
            Some(Hang::Spin) => loop {
                std::hint::spin_loop();
            },
            Some(Hang::Deadlock | Hang::AcceptStall) | None => {
                drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// What the accepting thread does with each connection.
    pub fn accepted(&self) {
        if self.kind() == Some(Hang::AcceptStall) {
            park();
        }
    }

    /// Chats from now on, or not; whether it did before.
    pub fn chat(&self, on: bool) -> bool {
        self.chats.swap(on, Ordering::SeqCst)
    }

    /// Whether it is to chat.
    pub fn chats(&self) -> bool {
        self.chats.load(Ordering::SeqCst)
    }
}
