//! Recorders: what writes moments down, each at once.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::model::asks::Asks;
use crate::model::clock::Usec;
use crate::model::moment::{Moment, What};
use crate::model::recording::Format;

/// So many asks are written as one line at most, and none waits for longer than this to be written, in the time of moments.
const BATCH: usize = 100;
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(1);

/// Writes moments to any number of files.
#[derive(Default)]
pub struct Recorder {
    files: Vec<(PathBuf, Box<dyn Write>)>,
    has_format: bool,
    /// Asks that are not written yet, all of one case.
    asks: Option<Moment>,
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

    /// Writes a moment. Clients' asks are written several at a time, and all of them before anything else but entries.
    pub fn take(&mut self, moment: &Moment) -> Result<(), WriteError> {
        if self.files.is_empty() {
            return Ok(());
        }
        match &moment.what {
            What::Asks(Asks(asks)) => {
                match &mut self.asks {
                    Some(Moment { case, what: What::Asks(Asks(waiting)), .. }) if *case == moment.case => {
                        waiting.extend(asks.iter().cloned());
                    }
                    _ => {
                        self.flush()?;
                        self.asks = Some(moment.clone());
                    }
                }
                if self.is_due(moment.at) { self.flush() } else { Ok(()) }
            }
            What::Journal(_) => {
                if self.is_due(moment.at) {
                    self.flush()?;
                }
                self.write(moment)
            }
            _ => {
                self.flush()?;
                self.write(moment)
            }
        }
    }

    fn is_due(&self, now: Usec) -> bool {
        let Some(Moment { at, what: What::Asks(Asks(waiting)), .. }) = &self.asks else { return false };
        waiting.len() >= BATCH || now - *at >= LONGEST_WAIT
    }

    /// Writes what waits.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        match self.asks.take() {
            Some(asks) => self.write(&asks),
            None => Ok(()),
        }
    }

    fn write(&mut self, moment: &Moment) -> Result<(), WriteError> {
        if !std::mem::replace(&mut self.has_format, true) {
            self.line(&Format::current())?;
        }
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

impl Drop for Recorder {
    fn drop(&mut self) {
        // Who wants to know has flushed it.
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests;
