//! A report read back, of a `.json` or of a recording: its rows, for whoever merges or compares them. What is not known here is kept as
//! it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::given;
use super::json::{Document, PROGRAM, Passed, Percentiles, SCHEMA};
use crate::model::call::Call;
use crate::model::case::CaseId;
use crate::model::description::Description;
use crate::model::phase::Phase;
use crate::model::recording::{Recording, RecordingError};
use crate::model::result::RunResult;
use crate::model::settings::Settings;
use crate::model::statistics::Summary;

/// All of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    schema: String,
    #[serde(default)]
    program: String,
    /// The calls that it is of.
    #[serde(default)]
    pub calls: Vec<Call>,
    /// Of each scenario, its trials.
    pub runs: Vec<Run>,
}

/// The trials of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The scenario's name.
    pub scenario: String,
    /// `pass`, `fail`, `skip` or `unsound`.
    pub verdict: String,
    /// What was booted.
    pub machine: Option<Description>,
    /// The unit as systemd understood it.
    pub settings: Option<Settings>,
    /// In the order of their numbers.
    pub trials: Vec<Row>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which case.
    pub case: CaseId,
    /// From 1.
    pub number: u32,
    /// `pass`, `fail` or `unsound`.
    pub verdict: String,
    /// Why it did not pass.
    #[serde(default)]
    pub reasons: Vec<String>,
    phases: BTreeMap<String, f64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Why a file is no report that can be read back.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// It cannot be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is a recording that cannot be read.
    #[error("{}: {source}", .path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: RecordingError,
    },
    /// It is no report.
    #[error("{}: {reason}. What can be read back is what --report FILE.json and FILE.jsonl write", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Two reports have another result of one case.
    #[error("case {case} of {scenario} is in {} and in {}, and came to something else in each. One of them is of another run", .first.display(), .second.display())]
    Conflict {
        /// The case.
        case: CaseId,
        /// The scenario's name.
        scenario: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

impl Results {
    /// Reads a `.json`, or makes of a `.jsonl` what would be in one.
    pub fn read(path: &Path) -> Result<Self, ResultsError> {
        let unreadable = |source| ResultsError::Unreadable { path: path.into(), source };
        let invalid = |reason: String| ResultsError::Invalid { path: path.into(), reason };
        if path.extension().is_some_and(|ending| ending == "jsonl") {
            let recording = Recording::read(BufReader::new(given::open(path).map_err(unreadable)?))
                .map_err(|source| ResultsError::Recording { path: path.into(), source })?;
            return Self::of(&recording).map_err(|error| invalid(error.to_string()));
        }
        let text = given::read(path).map_err(unreadable)?;
        let value: Value = serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
        match value.get("schema").and_then(Value::as_str) {
            Some(SCHEMA) => serde_json::from_value(value).map_err(|error| invalid(error.to_string())),
            Some(other) => Err(invalid(format!("its schema is {other}, this program reads {SCHEMA}"))),
            None => Err(invalid("it has no schema".into())),
        }
    }

    fn of(recording: &Recording) -> serde_json::Result<Self> {
        let claim = recording.calls.iter().find_map(|call| call.until.as_ref());
        let runs = RunResult::of_recordings([recording]).into_iter().map(|run| run.claimed(claim));
        let runs = runs.collect::<Vec<_>>();
        serde_json::from_value(serde_json::to_value(Document::of(&recording.calls, &runs))?)
    }

    /// The cases that are in it.
    pub fn cases(&self) -> BTreeSet<CaseId> {
        self.runs.iter().flat_map(|run| &run.trials).map(|row| row.case).collect()
    }

    /// The union of several reports, each with its file: every case once. Runs of a scenario are one where systemd understood their unit
    /// in the same way.
    ///
    /// # Errors
    /// [`ResultsError::Conflict`], where two of them have another result of one case.
    pub fn merged(reports: Vec<(PathBuf, Self)>) -> Result<Self, ResultsError> {
        let mut merged =
            Self { schema: SCHEMA.into(), program: PROGRAM.into(), calls: Vec::new(), runs: Vec::new() };
        let mut from: HashMap<CaseId, (PathBuf, Row)> = HashMap::new();
        for (path, report) in reports {
            for call in report.calls {
                if !merged.calls.contains(&call) {
                    merged.calls.push(call);
                }
            }
            for mut run in report.runs {
                let mut rows = Vec::new();
                for row in std::mem::take(&mut run.trials) {
                    match from.get(&row.case) {
                        None => {
                            from.insert(row.case, (path.clone(), row.clone()));
                            rows.push(row);
                        }
                        Some((_, known)) if *known == row => {}
                        Some((first, _)) => {
                            return Err(ResultsError::Conflict {
                                case: row.case,
                                scenario: run.scenario,
                                first: first.clone(),
                                second: path,
                            });
                        }
                    }
                }
                match merged.runs.iter_mut().find(|known| known.is_of(&run)) {
                    Some(known) => known.trials.append(&mut rows),
                    None => merged.runs.push(Run { trials: rows, ..run }),
                }
            }
        }
        for run in &mut merged.runs {
            run.trials.sort_by_key(|row| row.number);
            run.account();
        }
        Ok(merged)
    }
}

impl Run {
    /// Whether the other is of the same scenario, and of the same unit.
    fn is_of(&self, other: &Self) -> bool {
        self.scenario == other.scenario && self.settings == other.settings
    }

    /// Why there was nothing to try of it, if there was nothing.
    pub fn skipped(&self) -> Option<&str> {
        self.of_none("skipped")
    }

    /// Why no trial was made, if none was.
    pub fn untried(&self) -> Option<&str> {
        self.skipped().or_else(|| self.of_none("broke"))
    }

    fn of_none(&self, key: &str) -> Option<&str> {
        self.rest.get(key).and_then(Value::as_str).filter(|_| self.trials.is_empty())
    }

    /// How many trials are as expected, and how many are sound.
    pub fn passed(&self) -> (usize, usize) {
        let count = |word: &str| self.trials.iter().filter(|row| row.verdict == word).count();
        (count("pass"), self.trials.len() - count("unsound"))
    }

    /// How long a phase took, in those trials that are sound and in which it happened.
    pub fn lengths(&self, phase: Phase) -> Vec<Duration> {
        let sound = self.trials.iter().filter(|row| row.verdict != "unsound");
        let ms = sound.filter_map(|row| row.phases.get(&format!("{}_ms", phase.name())));
        ms.filter_map(|ms| Duration::try_from_secs_f64(ms / 1e3).ok()).collect()
    }

    /// Each phase that happened, over those trials in which it did.
    pub fn summary(&self) -> Vec<(Phase, Summary)> {
        let summaries = Phase::ALL.into_iter();
        summaries.filter_map(|phase| Some((phase, Summary::of(self.lengths(phase))?))).collect()
    }

    /// Brings what follows from the trials up to date.
    fn account(&mut self) {
        if self.trials.is_empty() {
            return;
        }
        let has = |word: &str| self.trials.iter().any(|row| row.verdict == word);
        let verdict = if has("fail") {
            "fail"
        } else if has("unsound") {
            "unsound"
        } else {
            "pass"
        };
        let (count, of) = self.passed();
        let passed = Passed::of(count, of, self.trials.len() - of);
        let summary = self.summary().into_iter();
        let summary: BTreeMap<String, Percentiles> =
            summary.map(|(phase, summary)| (format!("{}_ms", phase.name()), summary.into())).collect();
        self.verdict = verdict.into();
        // What is shown of a claim is shown of the trials up to then, and what broke may have been made elsewhere.
        for stale in ["claim", "broke"] {
            self.rest.remove(stale);
        }
        for (key, value) in
            [("passed", serde_json::to_value(passed)), ("summary", serde_json::to_value(summary))]
        {
            self.rest.insert(key.into(), value.unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests;
