//! Room for so many entries that wait to be taken in. Who reads a journal of more than that waits, and so does `journalctl`, and
//! nothing grows.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The room.
#[derive(Debug)]
pub struct Room {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: usize,
    is_open: bool,
}

/// A place in it, until it is dropped.
#[derive(Debug)]
pub struct Permit(Arc<Room>);

impl Room {
    /// With places for so many.
    pub fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { free: places, is_open: true }), changed: Condvar::new() })
    }

    /// Waits for a place; [`None`] once the room is closed.
    pub fn enter(self: &Arc<Self>) -> Option<Permit> {
        let full = |state: &mut State| state.is_open && state.free == 0;
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.changed.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        if !state.is_open {
            return None;
        }
        state.free -= 1;
        Some(Permit(Arc::clone(self)))
    }

    /// Nobody gets in any more, nor waits.
    pub fn close(&self) {
        self.change(|state| state.is_open = false);
    }

    fn change(&self, how: impl FnOnce(&mut State)) {
        how(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.change(|state| state.free += 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_finds_no_place_waits_for_one_or_for_the_end() {
        let room = Room::new(1);
        let first = room.enter().expect("a place");
        let (told, tells) = channel();
        let waiting = Arc::clone(&room);
        let thread = std::thread::spawn(move || {
            let second = waiting.enter();
            told.send(second.is_some()).expect("somebody listens");
            let third = waiting.enter();
            told.send(third.is_some()).expect("somebody listens");
            drop(second);
        });
        assert!(tells.recv_timeout(Duration::from_millis(20)).is_err(), "it is full");
        drop(first);
        assert_eq!(tells.recv_timeout(Duration::from_secs(20)), Ok(true));
        assert!(tells.recv_timeout(Duration::from_millis(20)).is_err(), "it is full again");
        room.close();
        assert_eq!(tells.recv_timeout(Duration::from_secs(20)), Ok(false));
        thread.join().expect("it ends");
    }
}
