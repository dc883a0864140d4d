//! The thread that follows a machine's journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::RunError;
use super::inputs::{Input, Inputs};
use super::room::Room;
use crate::journal;
use crate::machine::{Machine, MachineError, StreamGuard};
use crate::model::settings::Settings;

/// How many entries may wait to be taken in.
const ROOM: usize = 4096;

/// Sends every entry of systemd's and of `sd-watchdog`'s about the unit to the run's inputs, from a thread that ends with it.
pub struct Follower {
    closing: Arc<AtomicBool>,
    room: Arc<Room>,
    stream: Option<StreamGuard>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Follows from the first entry on.
    pub fn start(machine: &dyn Machine, settings: &Settings, inputs: &Inputs) -> Result<Self, RunError> {
        let unit = settings.unit.as_str();
        let argv = journal::follow(unit, settings.log_namespace.as_deref());
        let words = argv.iter().map(String::as_str).collect::<Vec<_>>();
        let (stream, guard) = machine.start(&words)?.split();
        let (unit, sender): (Arc<str>, _) = (unit.into(), inputs.sender());
        let closing = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&closing);
        let room = Room::new(ROOM);
        let places = Arc::clone(&room);
        let follow = move || {
            let ended = journal::read(stream, |entry| {
                if let Some(mark) = journal::marked(&entry) {
                    return sender.send(Input::Mark(mark));
                }
                if !entry.concerns(&unit) {
                    return true;
                }
                places.enter().is_some_and(|place| sender.send(Input::Entry(entry.trimmed(), place)))
            });
            if !closed.load(Ordering::SeqCst) {
                let reason = ended.err().unwrap_or_else(|| "journalctl ended".into());
                sender.send(Input::JournalEnded(reason));
            }
        };
        let thread = thread::Builder::new().name("journal".into()).spawn(follow);
        let thread = thread.map_err(|error| MachineError::broken("following the journal", error))?;
        Ok(Self { closing, room, stream: Some(guard), thread: Some(thread) })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        self.room.close();
        drop(self.stream.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
