//! What was found until the deadline.

use std::time::{Duration, Instant};

use super::figures::Figures;
use crate::kernel::gap::{Field, Gap};
use crate::kernel::process::Process;
use crate::kernel::sockets::Socket;

/// What was found until the deadline.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When collecting began.
    pub taken_at: Instant,
    /// How long it took.
    pub took: Duration,
    /// Whether the deadline came first.
    pub cut: Option<Cut>,
    /// The service's main process, if it is known.
    pub main: Option<i32>,
    /// How many processes the unit has, without those left out.
    pub total: Option<usize>,
    /// What a first glance at them showed.
    pub glance: Option<Glance>,
    /// Processes for which no time was left.
    pub late: usize,
    /// Those that were read: the main process first, then those that run, wait uninterruptibly or are stopped; the others
    /// by their ids.
    pub processes: Vec<Process>,
    /// What the unit listens on.
    pub sockets: Vec<Socket>,
    /// The unit as a whole.
    pub figures: Option<Figures>,
    /// Over what time the use of CPUs was measured; it is only if a thread runs.
    pub measured: Option<Duration>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// What is known of all processes before any of them is read as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Glance {
    /// How many could be looked at.
    pub processes: usize,
    /// Their threads.
    pub threads: usize,
    /// Of the processes, those that are stopped or traced.
    pub stopped: usize,
}

/// What the collector was at when the deadline came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Listing,
    Processes,
    Figures,
    Sockets,
    /// Of this process: its address space is locked.
    CommandLine(i32),
    Measuring,
}

/// What the collector sends.
#[derive(Debug)]
pub(super) enum Event {
    /// It begins with this.
    At(Cut),
    /// That many processes.
    Found(usize),
    Glance(Glance),
    Late(usize),
    Process(Box<Process>),
    Figures(Box<Figures>),
    Sockets(Vec<Socket>),
    CommandLine {
        pid: i32,
        command_line: String,
    },
    /// A thread used that many percent of a CPU.
    Busy {
        pid: i32,
        tid: i32,
        percent: u8,
    },
    Measured(Duration),
    Gaps(Vec<Gap>),
    Done,
}

impl Snapshot {
    pub(super) fn new(taken_at: Instant, main: Option<i32>) -> Self {
        Self {
            taken_at,
            took: Duration::ZERO,
            cut: Some(Cut::Listing),
            main,
            total: None,
            glance: None,
            late: 0,
            processes: Vec::new(),
            sockets: Vec::new(),
            figures: None,
            measured: None,
            gaps: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::At(step) => self.cut = Some(step),
            Event::Found(total) => self.total = Some(total),
            Event::Glance(glance) => self.glance = Some(glance),
            Event::Late(late) => self.late = late,
            Event::Process(process) => self.processes.push(*process),
            Event::Figures(figures) => self.figures = Some(*figures),
            Event::Sockets(sockets) => self.sockets = sockets,
            Event::CommandLine { pid, command_line } => {
                if let Some(process) = self.process_mut(pid) {
                    process.command_line = Some(command_line);
                }
            }
            Event::Busy { pid, tid, percent } => {
                let threads = self.process_mut(pid).into_iter().flat_map(|process| &mut process.threads);
                for thread in threads.filter(|thread| thread.tid == tid) {
                    thread.busy = Some(percent);
                }
            }
            Event::Measured(duration) => self.measured = Some(duration),
            Event::Gaps(gaps) => self.gaps = gaps,
            Event::Done => self.cut = None,
        }
    }

    fn process_mut(&mut self, pid: i32) -> Option<&mut Process> {
        self.processes.iter_mut().find(|process| process.pid == pid)
    }

    /// Threads of the processes that were read, counted.
    pub fn thread_count(&self) -> usize {
        self.processes.iter().map(|process| process.thread_count).sum()
    }

    /// Processes that were not read, for want of time or since they are hidden.
    pub(super) fn unread(&self) -> usize {
        self.total.map_or(0, |total| total.saturating_sub(self.processes.len()))
    }

    /// Threads of all processes, also of those that were not read; [`None`] if nothing tells.
    pub fn thread_total(&self) -> Option<usize> {
        let read = self.thread_count();
        if self.unread() == 0 {
            return Some(read);
        }
        let seen = self.glance.filter(|glance| Some(glance.processes) >= self.total);
        // Our own threads are among the tasks of a unit that we run in: a few too many.
        let tasks = || usize::try_from(self.figures.as_ref()?.tasks?).ok();
        seen.map(|glance| glance.threads).or_else(tasks).map(|threads| threads.max(read))
    }

    /// What cannot be read, if there is such a gap.
    pub fn gap(&self, field: Field) -> Option<&Gap> {
        self.gaps.iter().find(|gap| gap.field == field)
    }

    /// What is missing because the deadline came first, in words.
    pub(super) fn missing(&self) -> Option<String> {
        let read = self.processes.len();
        let of_all = || match self.total {
            Some(total) => format!("{read} of {total} processes"),
            None => format!("{read} processes"),
        };
        let Some(cut) = self.cut else { return (self.late > 0).then(of_all) };
        Some(match cut {
            Cut::Listing => "no process yet".to_owned(),
            Cut::Processes => of_all(),
            Cut::Figures => "without the figures of its control group".to_owned(),
            Cut::Sockets => "without its listening sockets".to_owned(),
            Cut::CommandLine(pid) => {
                format!("the command line of {pid} cannot be read: its address space is locked")
            }
            Cut::Measuring => "before the use of CPUs was measured".to_owned(),
        })
    }
}
