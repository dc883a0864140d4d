//! Results for people and for programs. Every format is a function of the same [`RunResult`]s.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::model::call::Call;
use crate::model::moment::Moment;
use crate::model::result::RunResult;
use crate::page::still::Still;
use crate::record::{Recorder, Sink, WriteError};

pub mod chart;
pub mod diff;
#[cfg(feature = "run")]
pub mod faults;
mod fold;
pub mod given;
pub mod json;
pub mod junit;
mod load;
pub mod results;
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
    /// `.html`: all of it, to look at.
    Page(PathBuf),
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
            Some("html") => Ok(Self::Page(path)),
            _ => Err("a report's name ends in .html (to look at), .json (results), .xml (JUnit), .trace.json (for Perfetto) \
                or .jsonl (the recording)"
                .into()),
        }
    }
}

impl Report {
    /// What is in it; nothing for a recording, which is written as it comes.
    fn text(&self, calls: &[Call], runs: &[RunResult], page: Option<&Page>) -> std::io::Result<Vec<u8>> {
        let mut text = match self {
            Self::Json(_) => serde_json::to_vec_pretty(&json::Document::of(calls, runs))?,
            Self::Trace(_) => serde_json::to_vec(&trace::document(runs))?,
            Self::Junit(_) => junit::document(runs).map_err(std::io::Error::other)?.into_bytes(),
            Self::Page(_) => {
                let page = page.map(|page| page.still().page(calls, runs)).transpose()?;
                page.unwrap_or_default().into_bytes()
            }
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
            Self::Json(path)
            | Self::Junit(path)
            | Self::Trace(path)
            | Self::Recording(path)
            | Self::Page(path) => path,
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

/// What the moments have come to so far, for reports that are looked at.
#[derive(Clone)]
struct Page {
    path: PathBuf,
    still: Arc<Mutex<Still>>,
}

impl Page {
    fn still(&self) -> std::sync::MutexGuard<'_, Still> {
        self.still.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Page {
    fn take(&mut self, moment: &Moment) -> Result<(), WriteError> {
        let taken = self.still().take(moment);
        taken.map_err(|source| WriteError { path: self.path.clone(), source })
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        Ok(())
    }
}

/// The reports of one invocation, opened before anything is measured: an unwritable one must not cost a run.
#[derive(Default)]
pub struct Reports {
    /// Where recordings go.
    pub recorder: Recorder,
    results: Vec<Report>,
    /// Where one goes already.
    taken: BTreeSet<PathBuf>,
    /// Whether something stands already where one goes.
    is_over_another: bool,
    /// Of the first `.html`, and what all of them show.
    page: Option<Page>,
}

impl Reports {
    /// Looks whether every report can be written, each to a file of its own. Whatever stood there before stays until there is something
    /// new.
    pub fn open(reports: &[Report]) -> Result<Self, ReportError> {
        let mut opened = Self::default();
        for report in reports {
            let path = report.path().to_owned();
            opened.take(&path)?;
            probe(&path).map_err(|source| ReportError { path: path.clone(), source })?;
            match report {
                Report::Recording(_) => {
                    opened.is_over_another |= has_content(&path);
                    opened.recorder.add(path.clone(), Fresh { path, kept: 0, file: None });
                }
                Report::Page(_) => {
                    opened.results.push(report.clone());
                    if opened.page.is_none() {
                        let page = opened.page.insert(Page { path, still: Arc::default() });
                        opened.recorder.tell(page.clone());
                    }
                }
                _ => opened.results.push(report.clone()),
            }
        }
        Ok(opened)
    }

    /// Has a recording go on behind its first `kept` bytes; what follows them is cut off.
    pub fn resume(&mut self, path: &Path, kept: u64) -> Result<(), ReportError> {
        self.take(path)?;
        self.is_over_another = true;
        self.recorder.add(path.into(), Fresh { path: path.into(), kept, file: None });
        Ok(())
    }

    /// A run begins: from here on it can be resumed. Where an earlier recording stands that is so from its first moment on.
    pub fn begin(&mut self) -> Result<(), WriteError> {
        if self.is_over_another { Ok(()) } else { self.recorder.begin() }
    }

    /// Of two reports in one file one would be lost.
    fn take(&mut self, path: &Path) -> Result<(), ReportError> {
        let real = match (path.parent().map(own), path.file_name()) {
            (Some(Ok(directory)), Some(name)) => directory.join(name),
            _ => path.into(),
        };
        if self.taken.insert(real) {
            return Ok(());
        }
        let source = std::io::Error::other("it is named twice: each report goes to a file of its own");
        Err(ReportError { path: path.into(), source })
    }

    /// Takes in a moment that was recorded before.
    pub fn hear(&self, moment: &Moment) {
        if let Some(page) = &self.page {
            // It is in memory alone: what can fail is to write it.
            let _ = page.still().take(moment);
        }
    }

    /// Writes the results so far, each file whole or not at all.
    pub fn write(&self, calls: &[Call], runs: &[RunResult]) -> Result<(), ReportError> {
        for report in &self.results {
            let path = report.path();
            let fail = |source| ReportError { path: path.to_owned(), source };
            let text = report.text(calls, runs, self.page.as_ref()).map_err(fail)?;
            replace(path, &text).map_err(fail)?;
        }
        Ok(())
    }
}

/// A directory as it is called without links; an empty name is of the one in which we are.
fn own(directory: &Path) -> std::io::Result<PathBuf> {
    let here = directory.as_os_str().is_empty();
    if here { Path::new(".").canonicalize() } else { directory.canonicalize() }
}

/// Writes a file whole, or not at all.
pub fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let written = beside(path);
    fs::write(&written, text).and_then(|()| fs::rename(&written, path)).inspect_err(|_| {
        let _ = fs::remove_file(&written);
    })
}

/// The name under which a report is written before it takes its place.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Whether a file is there, and not empty.
fn has_content(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0)
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

/// A file that is made, or cut off behind so many bytes, by the first write.
struct Fresh {
    path: PathBuf,
    kept: u64,
    file: Option<File>,
}

impl Fresh {
    fn open(&self) -> std::io::Result<File> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&self.path)?;
        // What is no file, a pipe, has no length.
        if file.metadata()?.is_file() {
            // Of two that write to one file neither can be read.
            flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
                Errno::WOULDBLOCK => std::io::Error::other("another hangproof records there"),
                error => error.into(),
            })?;
            file.set_len(self.kept)?;
            file.seek(SeekFrom::End(0))?;
        }
        Ok(file)
    }
}

impl Write for Fresh {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        self.file.insert(file).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recording::Recording;

    #[test]
    fn each_report_goes_to_a_file_of_its_own_however_that_is_called() {
        let directory = tempfile::tempdir().expect("a directory");
        let [one, other] = ["r.json", "r.jsonl"].map(|name| directory.path().join(name));
        fs::create_dir(directory.path().join("below")).expect("made");
        let again = directory.path().join("below/../r.json");
        let twice = Reports::open(&[Report::Json(one.clone()), Report::Json(again.clone())]).err();
        let said = twice.expect("refused").to_string();
        assert!(said.contains("cannot be written: it is named twice"), "{said}");
        let mut opened =
            Reports::open(&[Report::Json(one), Report::Recording(other.clone())]).expect("two files");
        assert!(opened.resume(&other, 0).is_err(), "it is recorded anew already");
        opened.resume(&directory.path().join("before.jsonl"), 0).expect("another one");
    }

    #[test]
    fn a_run_can_be_resumed_from_its_begin_on_and_does_away_with_no_other_before_it_has_something() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("r.jsonl");
        let call = Call {
            program: "hangproof".into(),
            command: Vec::new(),
            host: crate::model::call::Host::default(),
            seed: None,
            shard: None,
            until: None,
            plan: Vec::new(),
        };
        let begun = || {
            let mut reports = Reports::open(&[Report::Recording(path.clone())]).expect("it can be written");
            reports.recorder.call = Some(call.clone());
            reports.begin().expect("written");
            reports.recorder.has_begun()
        };
        assert!(begun(), "nothing stood there");
        let text = fs::read(&path).expect("there");
        let (stories, calls) = Recording::begun(text.as_slice(), |_| {}).expect("a recording");
        assert_eq!((stories.len(), calls.len()), (0, 1));
        fs::write(&path, "of an earlier run").expect("written");
        assert!(!begun(), "something stands there");
        assert_eq!(fs::read_to_string(&path).expect("there"), "of an earlier run");
        fs::write(&path, "").expect("written");
        assert!(begun(), "nothing is in it");
    }

    #[test]
    fn a_recording_is_one_runs_and_goes_on_where_it_is_told_to() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("r.jsonl");
        let fresh = |kept| Fresh { path: path.clone(), kept, file: None };
        fs::write(&path, "of an earlier run").expect("written");
        let mut first = fresh(0);
        first.write_all(b"first\ncut").expect("written");
        let error = fresh(0).write_all(b"second").expect_err("it is the first's").to_string();
        assert_eq!(error, "another hangproof records there");
        assert_eq!(fs::read_to_string(&path).expect("read"), "first\ncut");
        drop(first);
        fresh(6).write_all(b"second\n").expect("nobody writes there any more");
        assert_eq!(fs::read_to_string(&path).expect("read"), "first\nsecond\n");
    }
}
