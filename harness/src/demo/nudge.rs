//! Has the journal's follower hear at once what journald tells it 250 ms later by itself, while somebody watches a recovery.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens};

use crate::machine::{MachineError, Network};

/// From one to the next.
const EVERY: Duration = Duration::from_millis(40);
/// Where the journal is.
const JOURNALS: [&str; 2] = ["/run/log/journal", "/var/log/journal"];

/// A thread that touches the journal's files while that is wanted, as [`journal::nudge`](crate::journal::nudge) does with a command.
/// Where the machine's files are not to be seen, there is none.
pub struct Nudge {
    state: Arc<(Mutex<State>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Rest,
    Wanted,
    Over,
}

impl Nudge {
    /// In the machine of this network.
    pub fn of(network: &Network) -> Result<Self, MachineError> {
        let state = Arc::new((Mutex::new(State::Rest), Condvar::new()));
        if !network.has_files() {
            return Ok(Self { state, thread: None });
        }
        let (network, shared) = (network.clone(), Arc::clone(&state));
        let work = move || {
            if network.enter_files().is_ok() {
                nudge(&shared);
            }
        };
        let thread = Builder::new().name("nudge".into()).spawn(work);
        let thread = thread.map_err(|error| MachineError::broken("nudging the journal", error))?;
        Ok(Self { state, thread: Some(thread) })
    }

    /// Whether it is wanted from now on.
    pub fn wanted(&self, is_wanted: bool) {
        self.set(if is_wanted { State::Wanted } else { State::Rest });
    }

    fn set(&self, state: State) {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.state.1.notify_all();
    }
}

impl Drop for Nudge {
    fn drop(&mut self) {
        self.set(State::Over);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// As touch(1) has it: the time of the last modification is now.
const TOUCHED: Timestamps = Timestamps {
    last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
};

fn nudge((state, changed): &(Mutex<State>, Condvar)) {
    let mut now = state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        now = match *now {
            State::Over => return,
            State::Rest => changed.wait(now).unwrap_or_else(PoisonError::into_inner),
            State::Wanted => {
                drop(now);
                for file in JOURNALS.iter().flat_map(|directory| journals(directory).unwrap_or_default()) {
                    // A journal that has just been rotated is no longer there.
                    let _ = File::open(file).and_then(|file| Ok(futimens(file, &TOUCHED)?));
                }
                let again = state.lock().unwrap_or_else(PoisonError::into_inner);
                let is_over = |state: &mut State| *state == State::Wanted;
                let waited = changed.wait_timeout_while(again, EVERY, is_over);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

/// The files of the journals that are written to.
fn journals(directory: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for machine in fs::read_dir(directory)?.flatten() {
        let files = fs::read_dir(machine.path())?.flatten().map(|file| file.path());
        found.extend(files.filter(|file| file.file_stem().is_some_and(|stem| stem == "system")));
    }
    Ok(found)
}
