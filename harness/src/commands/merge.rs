//! `hangproof merge`.

use std::collections::HashSet;
use std::io::{BufReader, Write as _};
use std::path::PathBuf;

use super::{columns, print, say, tell, total};
use crate::cli::Merge;
use crate::error::{Error, of_words};
use crate::model::call::missing;
use crate::model::case::CaseId;
use crate::model::lines;
use crate::model::recording::Recording;
use crate::model::result::RunResult;
use crate::report::results::Results;
use crate::report::{Report, ReportError, Reports, given, table};

/// The exit code where cases are missing.
const INCOMPLETE: u8 = 2;

/// Makes one result of several, and writes and prints it; the exit code of the verdicts.
pub fn merge(options: &Merge) -> Result<u8, Error> {
    let files = &options.files;
    let is_recording = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "jsonl");
    let are_recordings = files.iter().all(is_recording);
    let is_json = |report: &&Report| matches!(report, Report::Json(_));
    if let Some(report) = options.reports.iter().find(|report| !is_json(report) && !are_recordings) {
        let source =
            std::io::Error::other("of .json reports a .json is made; of recordings (.jsonl) any report");
        return Err(ReportError { path: report.path().into(), source }.into());
    }
    let reports = Reports::open(&options.reports)?;
    let read = files.iter().map(|path| Ok((path.clone(), Results::read(path)?)));
    let merged = Results::merged(read.collect::<Result<_, Error>>()?)?;
    if are_recordings {
        let runs = of_recordings(files, &merged, &reports, options)?;
        for (index, run) in runs.iter().enumerate() {
            print(run, index == 0)?;
        }
        total(&runs)?;
    } else {
        for report in options.reports.iter().filter(is_json) {
            let text = serde_json::to_vec_pretty(&merged).map_err(std::io::Error::from);
            let written = text.and_then(|text| crate::report::replace(report.path(), &text));
            written.map_err(|source| ReportError { path: report.path().into(), source })?;
        }
        for (index, run) in merged.runs.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            say(&format!("{gap}{}", table::rows_of(run, columns())))?;
        }
        let runs = merged.runs.iter().map(|run| (run.scenario.as_str(), run.verdict.as_str()));
        say(&table::total(runs, columns()))?;
    }
    let mut missing = missing(&merged.calls, &merged.cases());
    // Of a scenario of which there was nothing to try none is.
    missing.retain(|missing| {
        let mut runs = merged.runs.iter().filter(|run| run.scenario == missing.scenario);
        runs.all(|run| run.skipped().is_none())
    });
    for missing in &missing {
        tell(&missing.to_string());
    }
    let code = of_words(&merged.runs.iter().map(|run| run.verdict.as_str()).collect::<Vec<_>>());
    Ok(if code == 0 && !missing.is_empty() { INCOMPLETE } else { code })
}

/// Of recordings everything can be made anew.
fn of_recordings(
    files: &[PathBuf],
    merged: &Results,
    reports: &Reports,
    options: &Merge,
) -> Result<Vec<RunResult>, Error> {
    let read = |path: &PathBuf| {
        let failed = |source| Error::Replay { path: path.clone(), source };
        let file = given::open(path).map_err(|error| failed(error.into()))?;
        Recording::read_hearing(BufReader::new(file), |moment| reports.hear(moment)).map_err(failed)
    };
    let recordings = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let runs = RunResult::of_recordings(&recordings);
    reports.write(&merged.calls, &runs)?;
    for report in &options.reports {
        if let Report::Recording(path) = report {
            let text = lines(files).map_err(|source| ReportError { path: path.clone(), source });
            let written = text.and_then(|text| {
                crate::report::replace(path, &text)
                    .map_err(|source| ReportError { path: path.clone(), source })
            });
            written?;
        }
    }
    Ok(runs)
}

/// The lines of all recordings; of a case that is in several, those of the first.
fn lines(files: &[PathBuf]) -> std::io::Result<Vec<u8>> {
    #[derive(serde::Deserialize)]
    struct Head {
        case: Option<CaseId>,
    }
    let mut taken: HashSet<CaseId> = HashSet::new();
    let mut text = Vec::new();
    for path in files {
        let mut here = HashSet::new();
        // What was cut off is no line.
        let (mut content, mut line) = (BufReader::new(given::open(path)?), Vec::new());
        while lines::next(&mut content, &mut line)? && line.ends_with(b"\n") {
            let case = serde_json::from_slice::<Head>(&line).ok().and_then(|head| head.case);
            if case.is_none_or(|case| !taken.contains(&case)) {
                here.extend(case);
                text.write_all(&line)?;
            }
        }
        taken.extend(here);
    }
    Ok(text)
}
