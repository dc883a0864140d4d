//! The thread that reads, and the future that waits for it.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::figures::Figures;
use super::scope::{MAX_PROCESSES, Scope};
use super::snapshot::{Cut, Event, Glance, Snapshot};
use super::table::rank;
use crate::kernel::alarm;
use crate::kernel::aside;
use crate::kernel::gap::{Field, Gaps, because};
use crate::kernel::process::{Found, Process, Reader, Unseen};
use crate::kernel::sockets::Listeners;

/// It calls nothing that needs more.
const STACK: usize = 256 << 10;

/// Over this time it is measured how busy running threads are, if the budget has as much left.
const MEASURE_FOR: Duration = Duration::from_millis(50);

/// Of the budget, what is kept for the time after the processes: to measure, and to read command lines. A fifth at most.
const RESERVE: Duration = Duration::from_millis(100);

/// Collects a [`Snapshot`] in the background. Dropped, it lets the thread end at its next step.
#[derive(Debug)]
pub struct Collector {
    events: UnboundedReceiver<Event>,
    snapshot: Snapshot,
    /// Never used to send: the thread sees when it goes away.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is there to be dropped"))]
    stop: SyncSender<()>,
}

impl Collector {
    /// Starts reading; `budget` is how long it should take. Returns at once.
    pub fn start(scope: &Scope, budget: Duration) -> Self {
        let now = Instant::now();
        let (sender, events) = unbounded_channel();
        let (stop, stopped) = sync_channel(0);
        let mut collector = Self { events, snapshot: Snapshot::new(now, scope.main), stop };
        let reading = Reading {
            sender,
            stopped,
            gaps: Gaps::default(),
            read_until: now + budget.saturating_sub(RESERVE.min(budget / 5)),
            deadline: now + budget,
            scope: scope.clone(),
        };
        let spawned = aside::start("hang-report", Some(STACK), || reading.run());
        if let Err(error) = spawned {
            collector.do_without(scope, error);
        }
        collector
    }

    /// Without a thread (the unit may be at its `TasksMax=`) there are only the figures of the control group, which can
    /// be read without blocking.
    fn do_without(&mut self, scope: &Scope, error: std::io::Error) {
        let mut gaps = Gaps::default();
        gaps.note(Field::Processes, format!("no thread could be started to read them ({})", because(error)));
        let figures = Figures::read(&scope.cgroup, &scope.proc, &mut gaps);
        self.snapshot.take(Event::Figures(Box::new(figures)));
        self.snapshot.take(Event::Gaps(gaps.news().unwrap_or_default()));
        self.snapshot.take(Event::Done);
    }

    /// Waits until everything is read, or `deadline`; returns what there is. Never waits for a thread that is stuck.
    ///
    /// It can be dropped and called again: nothing is lost. Called again after it returned, it returns the same.
    pub async fn gather(&mut self, deadline: Instant) -> Snapshot {
        while self.snapshot.cut.is_some() {
            match alarm::timeout_at(deadline, self.events.recv()).await {
                Ok(Some(event)) => self.snapshot.take(event),
                Ok(None) | Err(_) => break,
            }
        }
        while let Ok(event) = self.events.try_recv() {
            self.snapshot.take(event);
        }
        Snapshot { took: self.snapshot.taken_at.elapsed(), ..self.snapshot.clone() }
    }
}

/// The state of the thread.
struct Reading {
    sender: UnboundedSender<Event>,
    stopped: Receiver<()>,
    gaps: Gaps,
    /// No further process is read after this.
    read_until: Instant,
    deadline: Instant,
    scope: Scope,
}

/// Nobody waits for the rest any more.
struct Stopped;

/// What is needed of a process again.
struct Seen {
    pid: i32,
    at: Instant,
    /// Threads that ran, with their CPU time then.
    running: Vec<(i32, Duration)>,
}

impl Seen {
    fn new(process: &Process) -> Self {
        let running = process.threads.iter().filter(|thread| thread.state == 'R');
        let running = running.map(|thread| (thread.tid, thread.cpu)).collect();
        Self { pid: process.pid, at: Instant::now(), running }
    }
}

impl Reading {
    fn run(mut self) {
        // Whether it came to its end is seen from `Event::Done`.
        let _ = self.all();
    }

    fn all(&mut self) -> Result<(), Stopped> {
        self.send(Event::At(Cut::Listing))?;
        let (mut pids, total) = self.list()?;
        // First what takes no longer with a thousand processes than with one.
        self.send(Event::At(Cut::Figures))?;
        let figures = Figures::read(&self.scope.cgroup, &self.scope.proc, &mut self.gaps);
        self.send(Event::Figures(Box::new(figures)))?;

        self.send(Event::At(Cut::Processes))?;
        let mut reader = match Reader::new(&self.scope.proc) {
            Ok(reader) => reader,
            Err(errno) => {
                self.gaps.refused(Field::Processes, errno);
                return self.end();
            }
        };
        self.glance(&mut pids, &mut reader)?;
        let seen = self.processes(&pids, total, &mut reader)?;
        self.measure(&seen, &mut reader)?;

        // Last, since these can block for as long as the process hangs.
        for Seen { pid, .. } in seen {
            self.send(Event::At(Cut::CommandLine(pid)))?;
            if let Some(command_line) = reader.command_line(pid, &mut self.gaps) {
                self.send(Event::CommandLine { pid, command_line })?;
            }
        }
        self.end()
    }

    /// Looks at all processes, one file of each, and puts the most telling in front.
    fn glance(&mut self, pids: &mut [i32], reader: &mut Reader) -> Result<(), Stopped> {
        let mut glance = Glance::default();
        let mut states = HashMap::new();
        for &pid in &*pids {
            let Some((state, threads)) = reader.glance(pid) else { continue };
            glance.processes += 1;
            glance.threads += threads;
            glance.stopped += usize::from(matches!(state, 'T' | 't'));
            states.insert(pid, state);
        }
        let main = self.scope.main;
        pids.sort_by_key(|pid| (Some(*pid) != main, states.get(pid).map_or(u8::MAX, |&state| rank(state))));
        self.send(Event::Glance(glance))
    }

    /// Reads the processes in this order, and with each what it listens on, as long as there is time.
    fn processes(
        &mut self,
        pids: &[i32],
        mut total: usize,
        reader: &mut Reader,
    ) -> Result<Vec<Seen>, Stopped> {
        let mut listeners = Listeners::new(reader);
        let mut seen = Vec::new();
        for (place, &pid) in pids.iter().enumerate() {
            if place > 0 && Instant::now() >= self.read_until {
                self.send(Event::Late(pids.len() - place))?;
                break;
            }
            let Found { process, sockets } = match reader.process(pid, &mut self.gaps) {
                Ok(found) => found,
                Err(unseen) => {
                    total -= usize::from(unseen == Unseen::Gone);
                    continue;
                }
            };
            seen.push(Seen::new(&process));
            self.send(Event::Process(Box::new(process)))?;
            if place == 0 {
                self.send(Event::At(Cut::Sockets))?;
            }
            if listeners.claim(pid, &sockets, reader, &mut self.gaps) {
                self.send(Event::Sockets(listeners.sockets()))?;
            }
            if place == 0 {
                self.send(Event::At(Cut::Processes))?;
            }
        }
        self.send(Event::Sockets(listeners.sockets()))?;
        self.send(Event::Found(total))?;
        Ok(seen)
    }

    fn end(&mut self) -> Result<(), Stopped> {
        self.send(Event::Done)
    }

    /// Which processes to look at, and how many there are.
    fn list(&mut self) -> Result<(Vec<i32>, usize), Stopped> {
        let mut pids = match self.scope.cgroup.list() {
            Ok(listing) => {
                if let Some(why) = listing.by_descent {
                    self.gaps.note(
                        Field::Processes,
                        format!("those that sd-watchdog started, and theirs ({why})"),
                    );
                }
                self.scope.order(&listing.pids)
            }
            Err(error) => {
                self.gaps.note(Field::Processes, format!("only the main one ({error})"));
                self.scope.main.into_iter().collect()
            }
        };
        let total = pids.len();
        self.send(Event::Found(total))?;
        if total > MAX_PROCESSES {
            self.gaps.note(Field::Processes, format!("the first {MAX_PROCESSES} of {total}"));
            pids.truncate(MAX_PROCESSES);
        }
        Ok((pids, total))
    }

    /// How busy the threads are that were found running. Without any, nothing is measured and no time is spent.
    fn measure(&mut self, seen: &[Seen], reader: &mut Reader) -> Result<(), Stopped> {
        let Some(last) = seen.iter().rfind(|seen| !seen.running.is_empty()) else { return Ok(()) };
        self.send(Event::At(Cut::Measuring))?;
        let left = self.deadline.saturating_duration_since(Instant::now());
        let wait = MEASURE_FOR.saturating_sub(last.at.elapsed()).min(left / 2);
        match self.stopped.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Err(Stopped),
        }
        let mut shortest = None;
        for seen in seen {
            for &(tid, before) in &seen.running {
                let Some(cpu) = reader.cpu(seen.pid, tid) else { continue };
                let elapsed = seen.at.elapsed();
                let percent = percent(cpu.saturating_sub(before), elapsed);
                self.send(Event::Busy { pid: seen.pid, tid, percent })?;
                shortest = Some(shortest.unwrap_or(elapsed).min(elapsed));
            }
        }
        if let Some(shortest) = shortest {
            self.send(Event::Measured(shortest))?;
        }
        Ok(())
    }

    fn send(&mut self, event: Event) -> Result<(), Stopped> {
        if let Some(gaps) = self.gaps.news() {
            self.sender.send(Event::Gaps(gaps)).map_err(|_| Stopped)?;
        }
        self.sender.send(event).map_err(|_| Stopped)
    }
}

fn percent(cpu: Duration, elapsed: Duration) -> u8 {
    let percent = cpu.as_nanos() * 100 / elapsed.as_nanos().max(1);
    u8::try_from(percent.min(100)).unwrap_or(100)
}

#[cfg(test)]
mod tests;
