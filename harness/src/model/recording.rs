//! A recording: the moments of a run's cases, one JSON object a line, written before anything is computed from them. It is all
//! that timelines, verdicts and reports are made from, at once or years later (`hangproof replay`).
//!
//! Its first line says which version of the format it is, and which a reader has to know to understand it.

use std::collections::HashMap;
use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::lines;
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
    /// The call that what follows is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
}

impl Format {
    /// Of what is written here.
    pub fn current(call: Option<Call>) -> Self {
        Self { format: "hangproof".into(), version: VERSION, needs: VERSION, call }
    }
}

/// What a recording tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Of the cases that were made to their end, or skipped, in the order in which they were planned.
    pub stories: Vec<Story>,
    /// Of the others, as far as they came: of one in which the instrument broke with why.
    pub cut: Vec<Story>,
    /// The calls that were recorded, one after another.
    pub calls: Vec<Call>,
}

/// Why a text is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
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
    ///
    /// # Errors
    /// [`RecordingError::Empty`], where no trial was made to its end and none broke either.
    pub fn read(text: impl BufRead) -> Result<Self, RecordingError> {
        Self::read_hearing(text, |_| {})
    }

    /// The same, for somebody who hears of each moment too.
    pub fn read_hearing(text: impl BufRead, hear: impl FnMut(&Moment)) -> Result<Self, RecordingError> {
        let (stories, calls) = Self::begun(text, hear)?;
        let is_whole = |story: &Story| story.ended.is_some() || story.skipped.is_some();
        let (stories, cut): (Vec<_>, Vec<_>) = stories.into_iter().partition(is_whole);
        if stories.is_empty() && cut.iter().all(|story| story.broke.is_none()) {
            return Err(RecordingError::Empty);
        }
        Ok(Self { stories, cut, calls })
    }

    /// Every story of a recording, also of a trial that was not made to its end, and the calls; for somebody who hears of each moment
    /// too.
    pub fn begun(
        text: impl BufRead,
        mut hear: impl FnMut(&Moment),
    ) -> Result<(Vec<Story>, Vec<Call>), RecordingError> {
        let mut cases = Cases::default();
        let calls = moments(text, |moment| {
            hear(&moment);
            cases.take(moment)
        })?;
        Ok((cases.stories, calls))
    }
}

/// Reads the moments of a recording, up to where it was cut off; returns the calls that were recorded.
pub fn moments(
    mut text: impl BufRead,
    mut take: impl FnMut(Moment) -> Result<(), String>,
) -> Result<Vec<Call>, RecordingError> {
    let mut old = v1::Reader::default();
    let mut calls = Vec::new();
    let mut bytes = Vec::new();
    for number in 1.. {
        let invalid = |message| RecordingError::Invalid { line: number, message };
        if !lines::next(&mut text, &mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => invalid(error.to_string()),
            _ => error.into(),
        })? {
            break;
        }
        let line = String::from_utf8_lossy(&bytes);
        if line.trim().is_empty() {
            continue;
        }
        let moments = match read(line.trim_end(), &mut old, &mut calls) {
            Ok(moments) => moments,
            // The last line of a run that was killed, or of a full disk.
            Err(_) if !line.ends_with('\n') => break,
            Err(message) => return Err(invalid(message)),
        };
        for moment in moments {
            take(moment).map_err(invalid)?;
        }
    }
    Ok(calls)
}

/// What a line tells: nothing that is known here, a moment, or in version 1 several.
fn read(line: &str, old: &mut v1::Reader, calls: &mut Vec<Call>) -> Result<Vec<Moment>, String> {
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
    let Format { format, version, needs, call } = serde_json::from_str(line).map_err(invalid)?;
    if format != "hangproof" || needs > VERSION {
        return Err(format!(
            "its format is {format}/{version}, which needs a reader of {needs}; this program reads up to {VERSION}"
        ));
    }
    calls.extend(call);
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
            let story = Story::new(moment.case, *plan);
            // A run that was resumed makes anew what was not made to its end.
            let unmade = self.places.get(&moment.case).map(|place| &mut self.stories[*place]);
            if let Some(unmade) = unmade.filter(|story| story.ended.is_none()) {
                *unmade = story;
            } else {
                self.places.insert(moment.case, self.stories.len());
                self.stories.push(story);
            }
            return Ok(());
        }
        let place = self.places.get(&moment.case).ok_or("a moment of a case that was not planned")?;
        self.stories[*place].take(&moment);
        Ok(())
    }
}
