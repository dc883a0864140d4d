//! The clients of a healthy service, who show that it is healthy.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::cast::{Ask, Part};
use super::clock::{self, Time};
use super::services;

/// From one question of a client to the next, where there is but one client.
const PAUSE: Duration = Duration::from_secs(2);
/// A client gives up after this.
const PATIENCE: Duration = Duration::from_secs(30);

/// One question.
#[derive(Debug, Clone, Copy)]
struct Asked {
    from: Time,
    to: Time,
    is_answered: bool,
}

/// Between the clients and who reads what they saw.
#[derive(Debug, Default)]
struct Board {
    asked: Mutex<Vec<Asked>>,
    /// Since when questions are under way.
    under_way: Mutex<Vec<Time>>,
}

/// What a service's clients saw while it was up.
#[derive(Debug, Default)]
pub struct Witness {
    board: Arc<Board>,
    /// Questions that were answered.
    pub answered: u64,
    /// Those that were not.
    pub failed: u64,
    /// The longest time to an answer.
    pub slowest: Duration,
    /// Questions that were not answered within W, with their ends.
    troubles: VecDeque<Time>,
    is_up: bool,
}

impl Witness {
    /// Sends the clients of `part`.
    pub fn send(part: &Part) -> io::Result<Self> {
        Self::ask(&part.ask, part.clients)
    }

    /// Sends so many clients.
    pub fn ask(ask: &Ask, clients: usize) -> io::Result<Self> {
        let witness = Self::default();
        for _ in 0..clients {
            let (board, ask) = (Arc::clone(&witness.board), ask.clone());
            let pause = if clients > 1 { Duration::ZERO } else { PAUSE };
            thread::Builder::new().name("client".to_owned()).stack_size(128 * 1024).spawn(move || {
                loop {
                    board.ask(&ask);
                    clock::pass(pause);
                }
            })?;
        }
        Ok(witness)
    }

    /// Takes in what clients saw of a service that is up since `up_since`. What began before that, or ended after the end,
    /// says nothing.
    pub fn read(&mut self, up_since: Option<Time>, watchdog: Duration) {
        let asked = std::mem::take(&mut *self.board.asked.lock().unwrap_or_else(PoisonError::into_inner));
        let was_up = std::mem::replace(&mut self.is_up, up_since.is_some());
        let Some(up_since) = up_since.filter(|_| was_up) else { return };
        for Asked { from, to, is_answered } in asked.into_iter().filter(|asked| asked.from >= up_since) {
            let took = to.saturating_sub(from);
            if is_answered {
                self.answered += 1;
                self.slowest = self.slowest.max(took);
            } else {
                self.failed += 1;
            }
            if !is_answered || took >= watchdog {
                self.troubles.push_back(to);
            }
        }
    }

    /// Whether the service itself left a client without an answer for W or more in the 2 W before `now`.
    pub fn doubts(&self, now: Time, watchdog: Duration) -> bool {
        let under_way = self.board.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        self.troubles.iter().any(|to| *to + watchdog * 2 >= now)
            || under_way.iter().any(|from| *from + watchdog <= now)
    }
}

impl Board {
    fn ask(&self, ask: &Ask) {
        let from = clock::now();
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).push(from);
        let answer = match ask {
            Ask::Http(address) => services::get(*address, PATIENCE).map(|line| line.contains(" 200 ")),
            Ask::Unix(path) => ping(path).map(|()| true),
            Ask::Nobody => Ok(true),
        };
        let to = clock::now();
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = under_way.iter().position(|since| *since == from) {
            under_way.swap_remove(place);
        }
        let is_answered = answer.unwrap_or(false);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked { from, to, is_answered });
        if !is_answered {
            // A service that is away refuses at once.
            clock::pass(Duration::from_millis(200));
        }
    }
}

fn ping(path: &PathBuf) -> io::Result<()> {
    use std::io::{Read, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"PING")?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    (&answer == b"PONG").then_some(()).ok_or_else(|| io::Error::other("no PONG"))
}
