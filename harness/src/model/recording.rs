//! A recording: the moments of a run's cases, one JSON object a line, written before anything is computed from them. It is all
//! that timelines, verdicts and reports are made from, at once or years later (`hangproof replay`).
//!
//! Its first line says which version of the format it is, and which a reader has to know to understand it.

use std::collections::HashMap;
use std::io::BufRead;

use serde::{Deserialize, Serialize};

use super::moment::{Moment, What};
use super::story::Story;
use super::v1;

/// The version of the format that is written here, and read.
pub const VERSION: u32 = 2;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Always `hangproof`.
    pub format: String,
    /// As it was written.
    pub version: u32,
    /// What a reader must know at least.
    pub needs: u32,
}

impl Format {
    /// Of what is written here.
    pub fn current() -> Self {
        Self { format: "hangproof".into(), version: VERSION, needs: VERSION }
    }
}

/// What a recording tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Of the cases that were made to their end, or skipped, in the order in which they were planned.
    pub stories: Vec<Story>,
    /// Why each of the others was not made to its end, as far as that is recorded.
    pub cut: Vec<Option<String>>,
}

/// Why a text is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] std::io::Error),
    /// A line is none of a recording.
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
    /// Reads a recording, of this version or the first. One that was cut off is read up to the cut.
    pub fn read(mut text: impl BufRead) -> Result<Self, RecordingError> {
        let mut cases = Cases::default();
        let mut old = v1::Reader::default();
        let mut bytes = Vec::new();
        for number in 1.. {
            bytes.clear();
            if text.read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            let line = String::from_utf8_lossy(&bytes);
            if line.trim().is_empty() {
                continue;
            }
            let invalid = |message| RecordingError::Invalid { line: number, message };
            let moments = match read(line.trim_end(), &mut old) {
                Ok(moments) => moments,
                // The last line of a run that was killed, or of a full disk.
                Err(_) if !line.ends_with('\n') => break,
                Err(message) => return Err(invalid(message)),
            };
            for moment in moments {
                cases.take(moment).map_err(invalid)?;
            }
        }
        let is_whole = |story: &Story| story.ended.is_some() || story.skipped.is_some();
        let (stories, cut): (Vec<_>, Vec<_>) = cases.stories.into_iter().partition(is_whole);
        if stories.is_empty() {
            return Err(RecordingError::Empty);
        }
        Ok(Self { stories, cut: cut.into_iter().map(|story| story.broke).collect() })
    }
}

/// What a line tells: nothing that is known here, a moment, or in version 1 several.
fn read(line: &str, old: &mut v1::Reader) -> Result<Vec<Moment>, String> {
    /// Which of the three it is.
    #[derive(Deserialize)]
    struct Which {
        format: Option<serde::de::IgnoredAny>,
        record: Option<serde::de::IgnoredAny>,
    }
    let invalid = |error: serde_json::Error| error.to_string();
    // Most lines are moments, and they say so in their beginning.
    if line.starts_with("{\"at\":") {
        return Ok(Moment::read(line).map_err(invalid)?.into_iter().collect());
    }
    let which: Which = serde_json::from_str(line).map_err(invalid)?;
    if which.record.is_some() {
        return old.read(line);
    }
    if which.format.is_none() {
        return Ok(Moment::read(line).map_err(invalid)?.into_iter().collect());
    }
    let Format { format, version, needs } = serde_json::from_str(line).map_err(invalid)?;
    if format != "hangproof" || needs > VERSION {
        return Err(format!(
            "its format is {format}/{version}, which needs a reader of {needs}; this program reads up to {VERSION}"
        ));
    }
    Ok(Vec::new())
}

/// The cases of a recording, each with its story.
#[derive(Default)]
struct Cases {
    stories: Vec<Story>,
    /// Where each is, the last of its name.
    places: HashMap<super::case::CaseId, usize>,
}

impl Cases {
    fn take(&mut self, moment: Moment) -> Result<(), String> {
        if let What::Planned(plan) = moment.what {
            self.places.insert(moment.case, self.stories.len());
            self.stories.push(Story::new(moment.case, *plan));
            return Ok(());
        }
        let place = self.places.get(&moment.case).ok_or("a moment of a case that was not planned")?;
        self.stories[*place].take(&moment);
        Ok(())
    }
}
