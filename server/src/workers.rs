//! The worker threads of the data plane, and the faults that take them away: `spin`, `deadlock` and `block-runtime`.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::MissedTickBehavior;

/// Starts the runtime whose threads serve the data plane.
pub fn start(count: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(count).thread_name("worker").enable_io().enable_time().build()
}

/// The means to seize every worker thread at once.
#[derive(Debug)]
pub struct Workers {
    runtime: Handle,
    count: usize,
    spinning: Option<Arc<AtomicBool>>,
    /// Whom all of them wait for.
    peer: Option<UnixStream>,
}

impl Workers {
    /// Those of `runtime`, which has `count` of them.
    pub fn new(runtime: Handle, count: usize) -> Self {
        Self { runtime, count, spinning: None, peer: None }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Keeps every worker busy in a loop; returns once the last one is in it.
    pub async fn spin(&mut self) {
        // A flag of its own each time: a worker that is slow to see the last one fall must not see it raised again.
        let spinning = Arc::new(AtomicBool::new(true));
        self.spinning = Some(Arc::clone(&spinning));
        self.seize(move |_, stuck| {
            let _ = stuck.send(());
            while spinning.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        })
        .await;
    }

    /// Ends [`Workers::spin`].
    pub fn stop_spinning(&mut self) {
        if let Some(spinning) = self.spinning.take() {
            spinning.store(false, Ordering::Relaxed);
        }
    }

    /// Blocks every worker in a read from a peer that says nothing, as a call does that is not meant for async code;
    /// returns once the last one is in it.
    pub async fn block(&mut self) -> io::Result<()> {
        let (peer, ours) = UnixStream::pair()?;
        self.peer = Some(peer);
        self.seize(move |_, stuck| {
            let _ = stuck.send(());
            let _ = (&ours).read(&mut [0]);
        })
        .await;
        Ok(())
    }

    /// Ends [`Workers::block`]: the peer hangs up.
    pub fn unblock(&mut self) {
        self.peer = None;
    }

    /// Blocks every worker for good; returns once the last one is lost.
    ///
    /// These are Dijkstra's dining philosophers: each takes the fork on its left, and when all have one, reaches for
    /// the fork on its right. Locking in one order everywhere (the lower number first) is the cure.
    pub async fn deadlock(&self) {
        let forks: Arc<[Mutex<()>]> = (0..self.count).map(|_| Mutex::new(())).collect();
        let all_have_one = Arc::new(Barrier::new(self.count));
        self.seize(move |seat, stuck| {
            let _left = forks[seat].lock();
            all_have_one.wait();
            // From here on every fork is held by somebody who never lets go.
            let _ = stuck.send(());
            let _right = forks[(seat + 1) % forks.len()].lock();
        })
        .await;
    }

    /// Runs `body` on every worker thread at the same time, and returns when all have reported to be stuck.
    ///
    /// What makes it every one: the body gives its thread back to the runtime only after all the others are in theirs,
    /// so that as many bodies as there are workers can only be on as many threads. What makes it certain to come about:
    /// a task spawned from outside the runtime enters by the queue that all workers share, and wakes one that idles.
    async fn seize(&self, body: impl Fn(usize, UnboundedSender<()>) + Send + Sync + 'static) {
        let (stuck, mut reports) = mpsc::unbounded_channel();
        let body = Arc::new(body);
        let seats = Arc::new(AtomicUsize::new(0));
        let spawn_one = || {
            let (body, seats, stuck, count) =
                (Arc::clone(&body), Arc::clone(&seats), stuck.clone(), self.count);
            self.runtime.spawn(async move {
                let seat = seats.fetch_add(1, Ordering::Relaxed);
                // A surplus task runs after the fault has been healed, and has nothing to do.
                if seat < count {
                    body(seat, stuck);
                }
            });
        };
        for _ in 0..self.count {
            spawn_one();
        }
        // A worker may have taken several tasks into its own queue and be stuck in the first. Others steal from it, but
        // only when something wakes them: one more task does.
        let mut nudge = tokio::time::interval(Duration::from_millis(1));
        nudge.set_missed_tick_behavior(MissedTickBehavior::Delay);
        nudge.reset();
        let mut stuck_workers = 0;
        while stuck_workers < self.count {
            tokio::select! {
                biased;
                _ = reports.recv() => stuck_workers += 1,
                _ = nudge.tick() => spawn_one(),
            }
        }
    }
}
