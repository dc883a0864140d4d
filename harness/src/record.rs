//! Who takes moments in, besides the story; above all the recorder, which writes them down.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::model::asks::Asks;
use crate::model::call::Call;
use crate::model::case::CaseId;
use crate::model::moment::{Moment, What};
use crate::model::recording::Format;

/// So many asks are written as one line at most, and none waits for longer than this to be written, in the time of moments.
const BATCH: usize = 100;
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(1);

/// Takes moments in, as they come.
pub trait Sink {
    /// Takes a moment in.
    fn take(&mut self, moment: &Moment) -> Result<(), WriteError>;

    /// Nothing that was taken in is kept back any longer.
    fn flush(&mut self) -> Result<(), WriteError>;
}

/// Writes moments to any number of files.
#[derive(Default)]
pub struct Recorder {
    files: Vec<(PathBuf, Box<dyn Write + Send>)>,
    /// Who else takes every moment in, as it comes.
    others: Vec<Box<dyn Sink + Send>>,
    /// What was called, where that is known.
    pub call: Option<Call>,
    has_format: bool,
    /// Asks that are not written yet.
    asks: BTreeMap<CaseId, Moment>,
}

/// One that several conductors tell their moments.
pub struct Shared<'a>(&'a Mutex<&'a mut Recorder>);

impl<'a> Shared<'a> {
    /// An end of it.
    pub fn new(recorder: &'a Mutex<&'a mut Recorder>) -> Self {
        Self(recorder)
    }
}

impl Sink for Shared<'_> {
    fn take(&mut self, moment: &Moment) -> Result<(), WriteError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take(moment)
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
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
    pub fn add(&mut self, path: PathBuf, file: impl Write + Send + 'static) {
        self.files.push((path, Box::new(file)));
    }

    /// Writes what each file begins with, unless that is there.
    pub fn begin(&mut self) -> Result<(), WriteError> {
        if std::mem::replace(&mut self.has_format, true) {
            return Ok(());
        }
        self.line(&Format::current(self.call.clone()))
    }

    /// Whether anything was written of this call.
    pub fn has_begun(&self) -> bool {
        self.has_format
    }

    /// Has somebody else take in what is told.
    pub fn tell(&mut self, other: impl Sink + Send + 'static) {
        self.others.push(Box::new(other));
    }

    /// Writes the asks of a case that wait.
    fn write_asks(&mut self, case: CaseId) -> Result<(), WriteError> {
        match self.asks.remove(&case) {
            Some(asks) => self.write(&asks),
            None => Ok(()),
        }
    }

    fn is_due(&self, Moment { at: now, case, .. }: &Moment) -> bool {
        let Some(Moment { at, what: What::Asks(Asks(waiting)), .. }) = self.asks.get(case) else {
            return false;
        };
        waiting.len() >= BATCH || *now - *at >= LONGEST_WAIT
    }

    fn write(&mut self, moment: &Moment) -> Result<(), WriteError> {
        self.begin()?;
        self.line(moment)
    }

    fn line(&mut self, what: &impl Serialize) -> Result<(), WriteError> {
        for (path, file) in &mut self.files {
            let written = serde_json::to_vec(what).map_err(std::io::Error::from).and_then(|mut line| {
                line.push(b'\n');
                file.write_all(&line)?;
                file.flush()
            });
            written.map_err(|source| WriteError { path: path.clone(), source })?;
        }
        Ok(())
    }
}

impl Sink for Recorder {
    /// Clients' asks are written several at a time, and all of a case's before anything else of it but entries.
    fn take(&mut self, moment: &Moment) -> Result<(), WriteError> {
        self.others.iter_mut().try_for_each(|other| other.take(moment))?;
        if self.files.is_empty() {
            return Ok(());
        }
        match &moment.what {
            What::Asks(Asks(asks)) => {
                match self.asks.get_mut(&moment.case) {
                    Some(Moment { what: What::Asks(Asks(waiting)), .. }) => {
                        waiting.extend(asks.iter().cloned());
                    }
                    _ => drop(self.asks.insert(moment.case, moment.clone())),
                }
                if self.is_due(moment) { self.write_asks(moment.case) } else { Ok(()) }
            }
            What::Journal(_) if !self.is_due(moment) => self.write(moment),
            _ => {
                self.write_asks(moment.case)?;
                self.write(moment)
            }
        }
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let waiting = self.asks.keys().copied().collect::<Vec<_>>();
        waiting.into_iter().try_for_each(|case| self.write_asks(case))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Who wants to know has flushed it.
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests;
