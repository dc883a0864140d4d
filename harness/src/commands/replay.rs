//! `hangproof replay`.

use std::io::BufReader;

use super::{print, tell, total};
use crate::cli::Replay;
use crate::error::{Error, of_verdicts};
use crate::model::call::missing;
use crate::model::recording::Recording;
use crate::model::result::RunResult;
use crate::report::{Report, ReportError, Reports, given};

/// Understands a recording; the exit code of its verdicts.
pub fn replay(options: &Replay) -> Result<u8, Error> {
    if let Some(report) = options.reports.iter().find(|report| matches!(report, Report::Recording(_))) {
        let source = std::io::Error::other("a replay makes no recording; copy the one you have");
        return Err(ReportError { path: report.path().into(), source }.into());
    }
    let path = &options.recording;
    let failed = |source| Error::Replay { path: path.clone(), source };
    let file = given::open(path).map_err(|error| failed(error.into()))?;
    let reports = Reports::open(&options.reports)?;
    let heard = Recording::read_hearing(BufReader::new(file), |moment| reports.hear(moment));
    let recording = heard.map_err(failed)?;
    let claim = recording.calls.iter().find_map(|call| call.until.as_ref());
    let runs =
        RunResult::of_recordings([&recording]).into_iter().map(|run| run.claimed(claim)).collect::<Vec<_>>();
    reports.write(&recording.calls, &runs)?;
    // Of one that broke before there was anything to show, why it did is all there is.
    let shown = runs.iter().filter(|run| !run.trials.is_empty() || run.skipped.is_some());
    for (index, run) in shown.enumerate() {
        print(run, index == 0)?;
    }
    total(&runs)?;
    for story in &recording.cut {
        let (scenario, trial) = (&story.plan.scenario, story.plan.trial);
        tell(&match &story.broke {
            Some(reason) => format!("{scenario} broke in trial {trial}: {reason}"),
            None => format!("trial {trial} of {scenario} was not recorded to its end, and is left out"),
        });
    }
    let made = recording.stories.iter().map(|story| story.case).collect();
    for missing in missing(&recording.calls, &made) {
        tell(&missing.to_string());
    }
    Ok(of_verdicts(&runs))
}
