//! What the trials of a proof have shown.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{env, fmt, fs, io};

use super::notes::Notes;
use crate::model::result::RunResult;
use crate::report::table;

/// As wide as what is printed in the terminal at most; a test's output has no width of its own.
const COLUMNS: usize = 100;

/// What the trials have shown. Displayed, it is the table that `hangproof run` prints.
#[derive(Debug)]
#[must_use = "a proof that nobody asserts proves nothing"]
pub struct Proven {
    result: RunResult,
    recording: Vec<u8>,
    notes: Notes,
    may_skip: bool,
}

impl Proven {
    pub(super) fn new(result: RunResult, recording: Vec<u8>, notes: Notes, may_skip: bool) -> Self {
        Self { result, recording, notes, may_skip }
    }

    /// Whether there were trials, and every one was as expected.
    pub fn is_pass(&self) -> bool {
        self.result.skipped.is_none() && self.result.is_pass()
    }

    /// Why nothing was tried, if nothing was.
    pub fn skipped(&self) -> Option<&str> {
        self.result.skipped.as_deref()
    }

    /// The trials, with their timelines, phases and verdicts, and what they have in common.
    pub fn result(&self) -> &RunResult {
        &self.result
    }

    /// All that was seen, moment by moment, as `--report FILE.jsonl` has it, for `hangproof replay`.
    pub fn recording(&self) -> &[u8] {
        &self.recording
    }

    /// Every trial was as expected.
    ///
    /// # Panics
    /// Where one was not, or says nothing of the service; or nothing could be tried, unless that [may be](super::Proof::or_skip).
    /// The message is the table of the run with the timeline and the journal's last lines. The recording is then kept in cargo's
    /// `target` directory, and the message says how it is replayed.
    #[track_caller]
    pub fn assert(&self) {
        match self.skipped() {
            _ if self.is_pass() => {}
            // As what libtest prints itself: captured, and shown with --nocapture.
            Some(why) if self.may_skip => anstream::eprintln!("skipped: {why}"),
            Some(why) => panic!("nothing was proved: {why}\n\n{self}"),
            None => {
                let (notes, kept) = (self.notes.text(), kept(&self.result, &self.recording));
                panic!("not every trial was as expected\n\n{self}\n{notes}{kept}")
            }
        }
    }
}

impl fmt::Display for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.result))
    }
}

/// The table of a run as plain text.
pub(super) fn shown(run: &RunResult) -> String {
    anstream::adapter::strip_str(&table::render(run, COLUMNS)).to_string()
}

/// Keeps the recording of a run that failed, in cargo's own directory: says where, and how it is replayed.
pub(super) fn kept(run: &RunResult, recording: &[u8]) -> String {
    let own = env::current_exe().unwrap_or_default();
    let Some(target) = target_of(&own, |directory| directory.join("CACHEDIR.TAG").exists()) else {
        return "Write Proven::recording() to FILE.jsonl, and `hangproof replay FILE.jsonl` shows it again.\n".into();
    };
    match keep(&target.join("hangproof"), run, recording) {
        Ok(path) => format!("`hangproof replay {}` shows it again, without a machine.\n", path.display()),
        Err(error) => format!("The recording could not be kept in {}: {error}\n", target.display()),
    }
}

/// The directory of cargo's that this program is in.
fn target_of(own: &Path, is_cargos: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    own.ancestors().skip(1).find(|directory| is_cargos(directory)).map(Path::to_owned)
}

/// By its first case, so that the next failure of the same replaces it.
fn keep(directory: &Path, run: &RunResult, recording: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let case = run.trials.first().map(|trial| trial.case.to_string()).unwrap_or_default();
    let name = Path::new(&run.about.scenario).file_name().unwrap_or(OsStr::new("proof")).to_string_lossy();
    let path = directory.join(format!("{name}-{case}.jsonl"));
    fs::write(&path, recording)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_kept_in_cargos_directory_and_nowhere_else() {
        let is_cargos = |directory: &Path| directory == Path::new("/w/target");
        for (own, expected) in [
            ("/w/target/debug/deps/my-0123", Some("/w/target")),
            ("/w/target/riscv64gc-unknown-linux-gnu/debug/deps/my-0123", Some("/w/target")),
            ("/usr/local/bin/my", None),
            ("", None),
        ] {
            assert_eq!(target_of(Path::new(own), is_cargos).as_deref(), expected.map(Path::new), "{own}");
        }
    }
}
