//! Results for people and for programs. Every format is a function of the same [`RunResult`]s.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::result::RunResult;

pub mod chart;
pub mod json;
pub mod table;

/// Where a report goes; its format is its file's ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// `.json`: results.
    Json(PathBuf),
    /// `.jsonl`: the recording, for `hangproof replay`.
    Recording(PathBuf),
}

impl std::str::FromStr for Report {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        match path.extension().and_then(std::ffi::OsStr::to_str) {
            Some("json") => Ok(Self::Json(path)),
            Some("jsonl") => Ok(Self::Recording(path)),
            _ => Err("a report's name ends in .json (results) or .jsonl (the recording)".into()),
        }
    }
}

impl Report {
    /// Its file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Json(path) | Self::Recording(path) => path,
        }
    }
}

/// Writes results as JSON.
pub fn write_json(mut file: impl Write, runs: &[RunResult]) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut file, &json::Document::of(runs))?;
    writeln!(file)
}
