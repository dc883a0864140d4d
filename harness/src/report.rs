//! Results for people and for programs. Every format is a function of the same [`RunResult`]s.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::model::result::RunResult;
use crate::record::Recorder;

pub mod chart;
pub mod json;
pub mod junit;
pub mod table;
pub mod trace;

/// Where a report goes; its format is its file's ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// `.json`: results.
    Json(PathBuf),
    /// `.xml`: verdicts, as JUnit has them.
    Junit(PathBuf),
    /// `.trace.json`: timelines, for Perfetto.
    Trace(PathBuf),
    /// `.jsonl`: the recording, for `hangproof replay`.
    Recording(PathBuf),
}

impl std::str::FromStr for Report {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        match path.extension().and_then(std::ffi::OsStr::to_str) {
            Some("json") if text.ends_with(".trace.json") => Ok(Self::Trace(path)),
            Some("json") => Ok(Self::Json(path)),
            Some("jsonl") => Ok(Self::Recording(path)),
            Some("xml") => Ok(Self::Junit(path)),
            _ => Err("a report's name ends in .json (results), .xml (JUnit), .trace.json (for Perfetto) or .jsonl (the \
                recording)"
                .into()),
        }
    }
}

impl Report {
    /// What is in it; nothing for a recording, which is written as it comes.
    fn text(&self, runs: &[RunResult]) -> std::io::Result<Vec<u8>> {
        let mut text = match self {
            Self::Json(_) => serde_json::to_vec_pretty(&json::Document::of(runs))?,
            Self::Trace(_) => serde_json::to_vec(&trace::document(runs))?,
            Self::Junit(_) => junit::document(runs).map_err(std::io::Error::other)?.into_bytes(),
            Self::Recording(_) => Vec::new(),
        };
        if !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        Ok(text)
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Json(path) | Self::Junit(path) | Self::Trace(path) | Self::Recording(path) => path,
        }
    }
}

/// A report cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the report {} cannot be written: {source}", .path.display())]
pub struct ReportError {
    /// Its file.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

/// The reports of one invocation, opened before anything is measured: an unwritable one must not cost a run.
#[derive(Default)]
pub struct Reports {
    /// Where recordings go.
    pub recorder: Recorder,
    results: Vec<Report>,
}

impl Reports {
    /// Looks whether every report can be written. Whatever stood there before stays until there is something new.
    pub fn open(reports: &[Report]) -> Result<Self, ReportError> {
        let mut opened = Self::default();
        for report in reports {
            let path = report.path().to_owned();
            probe(&path).map_err(|source| ReportError { path: path.clone(), source })?;
            match report {
                Report::Recording(_) => opened.recorder.add(path.clone(), Fresh { path, file: None }),
                _ => opened.results.push(report.clone()),
            }
        }
        Ok(opened)
    }

    /// Writes the results so far, each file whole or not at all.
    pub fn write(&self, runs: &[RunResult]) -> Result<(), ReportError> {
        for report in &self.results {
            let path = report.path();
            let fail = |source| ReportError { path: path.to_owned(), source };
            let text = report.text(runs).map_err(fail)?;
            let written = beside(path);
            fs::write(&written, text).and_then(|()| fs::rename(&written, path)).map_err(|error| {
                let _ = fs::remove_file(&written);
                fail(error)
            })?;
        }
        Ok(())
    }
}

/// The name under which a report is written before it takes its place.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Whether a file can be made there.
fn probe(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    let trial = beside(path);
    File::create(&trial)?;
    fs::remove_file(trial)
}

/// A file that is made, or emptied, by the first write.
struct Fresh {
    path: PathBuf,
    file: Option<File>,
}

impl Write for Fresh {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let file = match self.file.take() {
            Some(file) => file,
            None => File::create(&self.path)?,
        };
        self.file.insert(file).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
}
