//! What the server knows about itself, whatever happens to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Facts that no fault changes. Nothing here takes a lock: they can be read while every worker is stuck.
#[derive(Debug)]
pub struct Vitals {
    /// The process id; another one means that the service was restarted.
    pub pid: u32,
    /// What the random hangs are drawn from.
    pub seed: u64,
    /// How many worker threads serve the data plane.
    pub workers: usize,
    started: Instant,
    requests: AtomicU64,
}

impl Vitals {
    /// Those of this process, started now.
    pub fn new(seed: u64, workers: usize) -> Self {
        Self { pid: std::process::id(), seed, workers, started: Instant::now(), requests: AtomicU64::new(0) }
    }

    /// How long the server has been up.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// How many requests the data plane has answered.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Counts one more answered request, and says how many that makes.
    pub fn count_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }
}
