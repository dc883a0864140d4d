//! The recording: raw events, one JSON object a line, written before anything is computed from them.
//!
//! A recording is all that timelines, verdicts and reports are made from, at once or years later (`hangproof replay`).

use std::io::{BufRead, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::fault::Injection;
use crate::model::ask::{Streak, Witness};
use crate::model::clock::Usec;
use crate::model::description::Description;
use crate::model::entry::Entry;
use crate::model::event::{self, Event, Kind};
use crate::model::expect::Expectation;
use crate::model::settings::Settings;
use crate::model::timeline::Timeline;

/// The format of recordings and reports.
pub const SCHEMA: &str = "hangproof/1";

/// One line of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// A run begins.
    Run(Box<Header>),
    /// A trial begins.
    Trial {
        /// From 1.
        number: u32,
        /// What its random choices came from.
        seed: u64,
        /// When.
        at_usec: Usec,
    },
    /// The service is up and clients are served: from here on the trial's question is put.
    Steady {
        /// When.
        at_usec: Usec,
    },
    /// The harness injected a fault.
    Injected {
        /// When, as the server itself says; from outside, the moment before which it was not.
        at_usec: Usec,
        /// The moment by which it was in effect, where that is not the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until_usec: Option<Usec>,
        /// Its name.
        fault: String,
    },
    /// journald received an entry about the unit.
    Journal {
        /// The entry, without what only identifies the host.
        entry: Entry,
    },
    /// What clients saw for a while.
    Clients(Streak),
    /// There is nothing to try: the run has no trials.
    Skipped {
        /// Why, and what to do about it.
        reason: String,
    },
    /// The trial is over.
    End {
        /// When.
        at_usec: Usec,
    },
}

/// What a run is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: String,
    /// The scenario's name.
    pub scenario: String,
    /// Its description.
    pub description: String,
    /// Its fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// What it expects.
    pub expect: Expectation,
    /// From one ask of the observer to the next; absent for [`TICK`](crate::model::ask::TICK).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask_interval_usec: Option<u64>,
    /// What was booted.
    pub machine: Description,
    /// The unit as systemd understood it.
    pub settings: Settings,
}

/// A run's raw events.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// What it is about.
    pub header: Header,
    /// In the order in which they were made.
    pub trials: Vec<Trial>,
    /// Why there are none.
    pub skipped: Option<String>,
}

/// A trial's raw events.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// From 1.
    pub number: u32,
    /// What its random choices came from.
    pub seed: u64,
    /// When it began; once the service is served, when that was.
    pub begin: Usec,
    /// When it was over; until then, now.
    pub end: Option<Usec>,
    /// Which fault was injected, and when.
    pub injected: Option<Injection>,
    /// What journald received about the unit.
    pub entries: Vec<Entry>,
    /// What clients saw.
    pub witness: Witness,
}

impl Trial {
    /// A trial that begins now.
    pub fn begin(number: u32, seed: u64) -> Self {
        let begin = Usec::now();
        Self {
            number,
            seed,
            begin,
            end: None,
            injected: None,
            entries: Vec::new(),
            witness: Witness::default(),
        }
    }

    /// What happened, so far or altogether.
    pub fn timeline(&self, unit: &str) -> Timeline {
        let end = self.end.unwrap_or_else(Usec::now);
        Timeline::new(self.begin, end, self.events(unit), &self.witness)
    }

    /// The events so far, without what clients saw.
    pub fn events(&self, unit: &str) -> Vec<Event> {
        let injected = self.injected.clone().map(|Injection { at, until, fault }| {
            let within_usec = until.0.checked_sub(at.0).filter(|&usec| usec > 0);
            Event { at, kind: Kind::Injected { fault, within_usec } }
        });
        injected.into_iter().chain(self.entries.iter().filter_map(|entry| event::read(entry, unit))).collect()
    }
}

/// Why a text is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] std::io::Error),
    /// A line is no record.
    #[error("line {line}: {message}")]
    Invalid {
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// There is no run in it.
    #[error("it holds no complete trial. A recording is what `--report FILE.jsonl` writes")]
    Empty,
}

impl Recording {
    /// The run's settings and expectation applied to one of its trials.
    pub fn is_pass(&self, trial: &Trial) -> bool {
        crate::model::result::TrialResult::of(trial, &self.header).verdict.is_pass()
    }

    /// Reads the runs of a recording. A trial that was cut short is left out.
    pub fn read(text: impl BufRead) -> Result<Vec<Self>, RecordingError> {
        let mut runs: Vec<Self> = Vec::new();
        let mut open: Option<Trial> = None;
        let mut lines = text.lines().enumerate().peekable();
        while let Some((index, line)) = lines.next() {
            let line = line?;
            let invalid = |message: String| RecordingError::Invalid { line: index + 1, message };
            if line.trim().is_empty() {
                continue;
            }
            let record = match serde_json::from_str(&line) {
                Ok(record) => record,
                // The last line of a run that was killed, or of a full disk.
                Err(error) if error.is_eof() && lines.peek().is_none() => break,
                Err(error) => return Err(invalid(error.to_string())),
            };
            match (record, runs.last_mut(), &mut open) {
                (Record::Run(header), _, _) if header.schema != SCHEMA => {
                    return Err(invalid(format!(
                        "its schema is {}, this program reads {SCHEMA}",
                        header.schema
                    )));
                }
                (Record::Run(header), _, _) => {
                    open = None;
                    runs.push(Self { header: *header, trials: Vec::new(), skipped: None });
                }
                (Record::Trial { number, seed, at_usec }, Some(_), _) => {
                    open = Some(Trial { begin: at_usec, ..Trial::begin(number, seed) });
                }
                (Record::Steady { at_usec }, _, Some(trial)) => trial.begin = at_usec,
                (Record::Injected { at_usec, until_usec, fault }, _, Some(trial)) => {
                    let until = until_usec.unwrap_or(at_usec);
                    trial.injected = Some(Injection { at: at_usec, until, fault });
                }
                (Record::Skipped { reason }, Some(run), None) => run.skipped = Some(reason),
                (Record::Journal { entry }, _, Some(trial)) => trial.entries.push(entry),
                (Record::Clients(streak), _, Some(trial)) => trial.witness.push(&streak),
                (Record::End { at_usec }, Some(run), Some(trial)) => {
                    trial.end = Some(at_usec);
                    run.trials.extend(open.take());
                }
                _ => return Err(invalid("a trial's record outside of a trial".into())),
            }
        }
        runs.retain(|run| !run.trials.is_empty() || run.skipped.is_some());
        if runs.is_empty() { Err(RecordingError::Empty) } else { Ok(runs) }
    }
}

/// Writes records to any number of files, each record at once.
#[derive(Default)]
pub struct Recorder {
    files: Vec<(PathBuf, Box<dyn Write>)>,
}

/// A recording could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the recording {} cannot be written: {source}", .path.display())]
pub struct WriteError {
    /// Its file.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

impl Recorder {
    /// Adds a file.
    pub fn add(&mut self, path: PathBuf, file: impl Write + 'static) {
        self.files.push((path, Box::new(file)));
    }

    /// Writes a record and flushes it.
    pub fn write(&mut self, record: &Record) -> Result<(), WriteError> {
        for (path, file) in &mut self.files {
            let written = serde_json::to_vec(record).map_err(std::io::Error::from).and_then(|mut line| {
                line.push(b'\n');
                file.write_all(&line)?;
                file.flush()
            });
            written.map_err(|source| WriteError { path: path.clone(), source })?;
        }
        Ok(())
    }
}
