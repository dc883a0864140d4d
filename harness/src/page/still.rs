//! The page in one file: results and moments become a document that needs nothing but a browser.
//!
//! It holds the tellings that a live page would have been told, compressed: what it is of, the verdicts, then case by case all else. Of a
//! case nothing is kept but that, and only once it is over; one in which the instrument broke is in it for as long as it is not made anew.
//! Answers of the cases after the [first few](IN_FULL) are
//! [thinned](thin): those that failed, and all near them, stay.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::assets;
use super::document::{self, Tellings};
use super::telling::{self, Answers, Scene, Telling};
use super::view::{Told, View};
use crate::model::call::Call;
use crate::model::case::CaseId;
use crate::model::clock::{Human, Usec};
use crate::model::moment::{Moment, What};
use crate::model::result::RunResult;

mod head;
mod pack;
#[cfg(test)]
mod tests;
mod thin;

use self::pack::Pack;

/// So many cases have all of their answers in a report.
const IN_FULL: usize = 20;

/// What begins a report has ids up to here.
const HEAD: u64 = 1 << 20;

/// A report that grows.
#[derive(Default)]
pub struct Still {
    view: View,
    /// What was told of cases that are not over.
    open: HashMap<CaseId, Told>,
    /// What was told of those in which the instrument broke, in their order: they may be made anew.
    broken: Vec<(CaseId, Told)>,
    /// Those that are in it.
    done: HashSet<CaseId>,
    pack: Pack,
    /// How many tellings are in it.
    count: u64,
    history: Option<(Usec, Telling)>,
    began: Option<Usec>,
}

impl Still {
    /// Takes a moment in. Of a case that is in it already there is nothing more to know.
    pub fn take(&mut self, moment: &Moment) -> io::Result<()> {
        if self.done.contains(&moment.case) {
            return Ok(());
        }
        if let What::Planned(_) = &moment.what {
            // What was not made to its end is made anew.
            self.broken.retain(|(case, _)| *case != moment.case);
            self.open.insert(moment.case, Told::new());
        }
        self.began = self.began.or(Some(moment.at));
        let told = self.view.take(moment);
        let Some(open) = self.open.get_mut(&moment.case) else { return Ok(()) };
        for (at, telling) in told {
            match telling {
                Telling::History(_) => self.history = Some((at, telling)),
                telling => open.push((at, telling)),
            }
        }
        match moment.what {
            What::Ended | What::Skipped(_) => {
                let told = self.open.remove(&moment.case).unwrap_or_default();
                let is_thin = self.done.len() >= IN_FULL;
                self.done.insert(moment.case);
                self.add(condensed(told, is_thin))
            }
            What::Broke(_) => {
                let told = self.open.remove(&moment.case).unwrap_or_default();
                self.broken.push((moment.case, condensed(told, false)));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn add(&mut self, told: Told) -> io::Result<()> {
        let (begin, count) = (HEAD + self.count, told.len());
        self.pack.push(&items(begin, told)?)?;
        self.count += count as u64;
        Ok(())
    }

    /// The document of these runs, whose moments were taken in.
    pub fn page(&self, calls: &[Call], runs: &[RunResult]) -> io::Result<String> {
        let began = self.began.unwrap_or(Usec(0));
        let scene = head::scene(calls, runs);
        let (title, mut head) = (scene.title.clone(), vec![(began, Telling::Scene(Box::new(scene)))]);
        head.extend(runs.iter().map(|run| (began, Telling::Run(Box::new(head::run(calls, run))))));
        head.extend(self.history.clone());
        let head = (1..).zip(head).map(|(id, (at, telling))| telling::Told { id, at, telling });
        let text = serde_json::to_vec(&head.collect::<Vec<_>>())?;
        let text = text.strip_suffix(b"]").unwrap_or(&text);
        let broken = self.broken.iter().flat_map(|(_, told)| told).cloned();
        let mut end = items(HEAD + self.count, broken)?;
        end.push(b']');
        Ok(document(&title, &self.pack.between(text, &end)?, &plain(runs)))
    }
}

/// What was told, as further items of a list, whose ids follow this one.
fn items(id: u64, told: impl IntoIterator<Item = (Usec, Telling)>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for (id, (at, telling)) in (id + 1..).zip(told) {
        text.push(b',');
        serde_json::to_writer(&mut text, &telling::Told { id, at, telling })?;
    }
    Ok(text)
}

/// The document of what a live page was told, in its order.
pub fn page_of<'a>(told: impl IntoIterator<Item = &'a telling::Told>) -> io::Result<String> {
    let mut title = "hangproof".to_owned();
    let told = told.into_iter().map(|told| match &told.telling {
        Telling::Scene(scene) => {
            title.clone_from(&scene.title);
            let telling = Telling::Scene(Box::new(Scene { live: false, ..(**scene).clone() }));
            telling::Told { telling, ..*told }
        }
        telling => telling::Told { telling: telling.clone(), ..*told },
    });
    let text = serde_json::to_vec(&told.collect::<Vec<_>>())?;
    Ok(document(&title, &Pack::default().between(&text, b"")?, "The page needs JavaScript."))
}

/// What a page shows that was told all this: of what replaces one another the last, and answers together.
fn condensed(told: Told, is_thin: bool) -> Told {
    let key = |telling: &Telling| match telling {
        Telling::Fault(fault) => Some(("fault", fault.key.clone())),
        Telling::Episode(episode) => Some(("episode", episode.key.clone())),
        Telling::Report(report) => Some(("report", report.key.clone())),
        _ => None,
    };
    let last: HashMap<_, usize> =
        told.iter().enumerate().filter_map(|(place, (_, telling))| Some((key(telling)?, place))).collect();
    let mut answers: Vec<Answers> = Vec::new();
    let mut known = Usec(0);
    let mut few = Told::new();
    for (place, (at, telling)) in told.into_iter().enumerate() {
        if key(&telling).is_some_and(|key| last.get(&key) != Some(&place)) {
            continue;
        }
        match telling {
            Telling::Answers(told) => {
                known = at;
                answers.push(told);
            }
            telling => few.push((at, telling)),
        }
    }
    if !answers.is_empty() {
        few.push((known, Telling::Answers(thin::merged(answers, is_thin))));
    }
    few
}

/// What it comes to, for a reader without scripts.
fn plain(runs: &[RunResult]) -> String {
    let mut text = String::new();
    for run in runs {
        let told = head::run(&[], run);
        let _ = write!(text, "{}: {}", told.scenario, told.verdict);
        if told.sound > 0 {
            let _ = write!(text, ", {} of {} trials as expected", told.passed, told.sound);
        }
        if let Some(slowest) = told.slowest_usec {
            let slowest = Human(std::time::Duration::from_micros(slowest));
            let _ = write!(text, ", the slowest recovery took {slowest}");
        }
        for reason in told.skipped.iter().chain(&told.broke) {
            let _ = write!(text, "\n  {reason}");
        }
        for trial in run.trials.iter().filter(|trial| !trial.verdict.is_pass()) {
            for reason in trial.verdict.reasons() {
                let _ = write!(text, "\n  trial {}: {reason}", trial.number);
            }
        }
        text.push('\n');
    }
    text
}

/// Nothing is loaded, and nothing runs but what is in it.
fn policy(script: &str, style: &str) -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(script),
        hash(style)
    )
}

/// The document around the tellings.
fn document(title: &str, tellings: &[u8], plain: &str) -> String {
    let tellings = STANDARD.encode(tellings);
    document::still(&document::Still {
        title,
        policy: &policy(assets::script(), assets::style()),
        tellings: Tellings::Deflated(&tellings),
        plain,
    })
}
