//! `hangproof run --resume`: what an interrupted run has made is taken over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::model::call::{Call, Planned};
use crate::model::case::CaseId;
use crate::model::lines;
use crate::model::moment::Moment;
use crate::model::recording::Recording;
use crate::model::story::Story;
use crate::plan::Case;
use crate::report::given;

/// What was made before.
pub struct Resumed {
    /// Its recording.
    pub path: PathBuf,
    stories: BTreeMap<CaseId, Story>,
    /// Of each scenario the cases that are in it, or were planned.
    known: BTreeMap<String, BTreeSet<CaseId>>,
    /// The calls that made it.
    pub calls: Vec<Call>,
    /// How many bytes of the recording are whole lines.
    pub kept: u64,
}

impl Resumed {
    /// Reads a recording that is to go on: a file, or the only one in a folder; for somebody who hears of each moment too.
    pub fn read(path: &Path, hear: impl FnMut(&Moment)) -> Result<Self, Error> {
        let path = recording(path)?;
        let failed = |source| Error::Replay { path: path.clone(), source };
        let open = || given::open(&path).map(BufReader::new).map_err(|error| failed(error.into()));
        // It may have been interrupted before its first trial was over.
        let (stories, calls) = Recording::begun(open()?, hear).map_err(failed)?;
        let kept = whole(open()?).map_err(|error| failed(error.into()))?;
        let mut known: BTreeMap<String, BTreeSet<CaseId>> = BTreeMap::new();
        for Planned { scenario, cases } in calls.iter().flat_map(|call| &call.plan) {
            known.entry(scenario.clone()).or_default().extend(cases);
        }
        for story in &stories {
            known.entry(story.plan.scenario.clone()).or_default().insert(story.case);
        }
        // What there was nothing to try of may be tried now.
        let made = stories.into_iter().filter(|story| story.ended.is_some());
        Ok(Self { path, known, stories: made.map(|story| (story.case, story)).collect(), calls, kept })
    }

    /// Refuses to go on with what the recording is not of. A case's name depends on all that is tried: a scenario none of whose cases is
    /// known here has been changed since, or is of another `--set` or `--unit`.
    pub fn check(&self, cases: &[Vec<Case>]) -> Result<(), Error> {
        let wrong = |reason| Err(Error::Resume { path: self.path.clone(), reason });
        let mut has_any = self.known.is_empty();
        for cases in cases {
            let Some(first) = cases.first() else { continue };
            let scenario = &first.plan.scenario;
            let Some(known) = self.known.get(scenario) else { continue };
            if cases.iter().all(|case| !known.contains(&case.id)) {
                return wrong(format!(
                    "it is of another {scenario}: the scenario or its unit has changed since, or --set or --unit is another. \
                    Give the same again, or record into another file"
                ));
            }
            has_any = true;
        }
        if has_any {
            return Ok(());
        }
        let known = self.known.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        wrong(format!("it is of other scenarios: {known}. Record into another file"))
    }

    /// Takes those cases out that were made to their end, and returns what came of them.
    pub fn take(&mut self, cases: &mut Vec<Case>) -> Result<Vec<Story>, Error> {
        let mut taken = Vec::new();
        let mut wrong = None;
        cases.retain(|case| {
            let Some(story) = self.stories.remove(&case.id) else { return true };
            if story.plan.seed != case.plan.seed {
                wrong.get_or_insert(Error::Seed { case: case.id, was: story.plan.seed, is: case.plan.seed });
            }
            taken.push(story);
            false
        });
        wrong.map_or(Ok(taken), Err)
    }
}

/// How many bytes of a recording are whole lines.
fn whole(mut text: impl BufRead) -> io::Result<u64> {
    let (mut length, mut line) = (0, Vec::new());
    while lines::next(&mut text, &mut line)? && line.ends_with(b"\n") {
        length += u64::try_from(line.len()).unwrap_or_default();
    }
    Ok(length)
}

/// The recording that is meant: the file itself, or the only one in a folder.
fn recording(path: &Path) -> Result<PathBuf, Error> {
    let wrong = |reason| Err(Error::Resume { path: path.to_owned(), reason });
    if !path.is_dir() {
        let is_report = path.extension().is_some_and(|ending| ending == "json");
        if is_report {
            return wrong(
                "a report does not hold what trials are made of; what goes on is a recording (.jsonl)".into(),
            );
        }
        return Ok(path.to_owned());
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => return wrong(error.to_string()),
    };
    let paths = entries.into_iter().map(|entry| entry.path());
    let mut found = paths.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    match (found.next(), found.count()) {
        (Some(only), 0) => Ok(only),
        (None, _) => wrong("there is no recording (.jsonl) in this folder".into()),
        (Some(_), others) => wrong(format!("there are {} recordings in this folder: name one", others + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Assignment, Scenario};

    fn cases(scenario: &str, set: &[&str], trials: u32) -> Vec<Case> {
        let mut scenario = Scenario::load(scenario).expect("it is built in");
        let set = set.iter().map(|set| set.parse::<Assignment>().expect("an assignment")).collect::<Vec<_>>();
        scenario.service.set(&set);
        Case::all_of(&scenario, trials, None)
    }

    /// What was recorded of these cases.
    fn recorded(cases: &[Vec<Case>]) -> Resumed {
        let known = cases.iter().map(|cases| {
            let ids = cases.iter().map(|case| case.id).collect();
            (cases[0].plan.scenario.clone(), ids)
        });
        let known = known.collect();
        Resumed { path: "r.jsonl".into(), stories: BTreeMap::new(), known, calls: Vec::new(), kept: 0 }
    }

    #[test]
    fn a_recording_goes_on_with_what_it_is_of_and_with_nothing_else() {
        let of = recorded(&[cases("mute", &[], 5)]);
        let said = |cases: &[Vec<Case>]| of.check(cases).err().map(|error| error.to_string());
        for same in [
            vec![cases("mute", &[], 5)],
            vec![cases("mute", &[], 2)],
            vec![cases("mute", &[], 50)],
            vec![cases("mute", &[], 5), cases("crash", &[], 1)],
        ] {
            assert_eq!(said(&same), None);
        }
        let other = said(&[cases("mute", &["WatchdogSec=1s"], 5)]).expect("refused");
        assert!(other.starts_with("r.jsonl cannot be resumed: it is of another mute: "), "{other}");
        let other = said(&[cases("crash", &[], 5)]).expect("refused");
        assert_eq!(
            other,
            "r.jsonl cannot be resumed: it is of other scenarios: mute. Record into another file"
        );
        // It was interrupted before anything was planned.
        recorded(&[]).check(&[cases("crash", &[], 5)]).expect("of anything");
    }

    #[test]
    fn a_folder_stands_for_the_only_recording_in_it_and_a_report_is_none() {
        let directory = tempfile::tempdir().expect("a directory");
        let said = |path: &Path| recording(path).map_err(|error| error.to_string());
        let none = said(directory.path()).expect_err("empty");
        assert!(none.ends_with("there is no recording (.jsonl) in this folder"), "{none}");
        let first = directory.path().join("a.jsonl");
        fs::write(&first, "").expect("written");
        fs::write(directory.path().join("a.json"), "").expect("written");
        assert_eq!(said(directory.path()), Ok(first.clone()));
        assert_eq!(said(&first), Ok(first));
        fs::write(directory.path().join("b.jsonl"), "").expect("written");
        assert!(
            said(directory.path())
                .expect_err("two")
                .ends_with("there are 2 recordings in this folder: name one")
        );
        let report = said(&directory.path().join("a.json")).expect_err("no recording");
        assert!(report.contains("what goes on is a recording (.jsonl)"), "{report}");
    }
}
