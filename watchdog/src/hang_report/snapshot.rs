//! What was found until the deadline.

use std::time::{Duration, Instant};

use super::figures::Figures;
use super::gap::{Field, Gap};
use super::process::Process;
use super::sockets::Socket;

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
    /// The main process first, the others by their ids.
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

/// What the collector was at when the deadline came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they document themselves")]
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

    /// Threads of all processes, counted.
    pub fn thread_count(&self) -> usize {
        self.processes.iter().map(|process| process.thread_count).sum()
    }

    /// What cannot be read, if there is such a gap.
    pub fn gap(&self, field: Field) -> Option<&Gap> {
        self.gaps.iter().find(|gap| gap.field == field)
    }

    /// What is missing because the deadline came first, in words.
    pub(super) fn missing(&self) -> Option<String> {
        let read = self.processes.len();
        Some(match self.cut? {
            Cut::Listing => "no process yet".to_owned(),
            Cut::Processes => match self.total {
                Some(total) => format!("{read} of {total} processes"),
                None => format!("{read} processes"),
            },
            Cut::Figures => "without the figures of its control group".to_owned(),
            Cut::Sockets => "without its listening sockets".to_owned(),
            Cut::CommandLine(pid) => {
                format!("the command line of {pid} cannot be read: its address space is locked")
            }
            Cut::Measuring => "before the use of CPUs was measured".to_owned(),
        })
    }
}
