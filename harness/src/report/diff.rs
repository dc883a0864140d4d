//! Two reports of the same question, phase by phase.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::results::{Results, Run};
use super::table::trials;
use crate::model::call::Host;
use crate::model::clock::Human;
use crate::model::comparison::{Comparison, Tolerance, Word};
use crate::model::phase::Phase;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// What is compared, scenario by scenario.
pub struct Diff {
    pairs: Vec<Pair>,
    tolerance: Tolerance,
}

struct Pair {
    before: Run,
    after: Run,
    phases: Vec<(Phase, Comparison)>,
}

impl Diff {
    /// Compares two reports.
    ///
    /// # Errors
    /// Why they cannot be compared: another scenario, another host, another systemd, another unit.
    pub fn of(before: &Results, after: &Results, tolerance: Tolerance) -> Result<Self, String> {
        let hosts = [host(before, "the first")?, host(after, "the second")?];
        if let Some(what) = difference(hosts[0], hosts[1]) {
            return Err(format!("they are of different hosts: {what}"));
        }
        let names = |results: &Results| {
            let mut names = results.runs.iter().map(|run| run.scenario.clone()).collect::<Vec<_>>();
            names.sort();
            names
        };
        if names(before) != names(after) {
            let list = |results| names(results).join(", ");
            return Err(format!("one is of {}, the other of {}", list(before), list(after)));
        }
        let pairs = before.runs.iter().map(|run| {
            let same = |other: &&Run| other.scenario == run.scenario;
            let other =
                after.runs.iter().find(same).ok_or_else(|| format!("{} is in one of them", run.scenario))?;
            pair(run, other, tolerance)
        });
        Ok(Self { pairs: pairs.collect::<Result<_, _>>()?, tolerance })
    }

    /// Whether something is slower than is tolerated, or no longer as expected.
    pub fn is_regression(&self) -> bool {
        let is_slower = |pair: &Pair| pair.phases.iter().any(|(_, phase)| phase.word == Word::Slower);
        self.pairs.iter().any(|pair| is_slower(pair) || pair.fails_now())
    }

    /// For a terminal; whoever prints it strips the styles where they do not belong.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for (index, pair) in self.pairs.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            let counts = [&pair.before, &pair.after].map(|run| run.trials.len());
            let name = &pair.before.scenario;
            let _ = writeln!(
                text,
                "{gap}{BOLD}{name}{BOLD:#}  {} before, {} after\n",
                trials(counts[0]),
                counts[1]
            );
            let _ = writeln!(
                text,
                "  {DIM}{:<9}{:>10}{:>10}{:>11}{:>24}{:>11}{DIM:#}",
                "phase", "before", "after", "shift", "95 %", "tolerated"
            );
            for (phase, compared) in &pair.phases {
                let Comparison { medians, shift, interval, margin, word } = compared;
                let interval = interval.map_or("too few to tell".into(), |(low, high)| {
                    format!("{} … {}", signed(low), signed(high))
                });
                let style = match word {
                    Word::Slower => BAD,
                    Word::Faster | Word::Equivalent => GOOD,
                    Word::Untold => Style::new(),
                };
                let _ = writeln!(
                    text,
                    "  {:<9}{:>#10}{:>#10}{:>11}{interval:>24}{:>#11}  {style}{}{style:#}",
                    phase.name(),
                    Human(medians[0]),
                    Human(medians[1]),
                    signed(*shift),
                    Human(*margin),
                    word.text()
                );
            }
            if pair.fails_now() {
                let ((was, of), (is, now)) = (pair.before.passed(), pair.after.passed());
                let _ = writeln!(
                    text,
                    "  {BAD}as expected were {was} of {of} trials, and are {is} of {now}{BAD:#}"
                );
            }
        }
        let _ = writeln!(
            text,
            "\n  {DIM}A shift is the median of all differences. Slower, faster: by more than {}, and not by chance.\n  \
             Equivalent: by less, with the whole interval.{DIM:#}",
            self.tolerance
        );
        text
    }
}

impl Pair {
    fn fails_now(&self) -> bool {
        self.before.verdict == "pass" && self.after.verdict == "fail"
    }
}

fn pair(before: &Run, after: &Run, tolerance: Tolerance) -> Result<Pair, String> {
    let name = &before.scenario;
    let systemd =
        [before, after].map(|run| run.machine.as_ref().map(|machine| (&machine.backend, &machine.systemd)));
    if systemd[0] != systemd[1] {
        let told = systemd.map(|systemd| {
            systemd.map_or("none".into(), |(backend, systemd)| format!("{systemd} ({backend})"))
        });
        return Err(format!("{name} was tried on another systemd: {}, then {}", told[0], told[1]));
    }
    let settings = [before, after].map(|run| serde_json::to_value(&run.settings).unwrap_or_default());
    if let Some((key, was, is)) = first_difference(&settings[0], &settings[1]) {
        return Err(format!("the unit of {name} is another: {key} was {was}, and is {is}"));
    }
    let compared = |phase| Comparison::of(&before.lengths(phase), &after.lengths(phase), tolerance);
    let phases = Phase::ALL.into_iter().filter_map(|phase| Some((phase, compared(phase)?))).collect();
    Ok(Pair { before: before.clone(), after: after.clone(), phases })
}

/// The host of a report, which is one.
fn host<'a>(results: &'a Results, which: &str) -> Result<&'a Host, String> {
    let mut hosts = results.calls.iter().map(|call| &call.host);
    let first = hosts.next().ok_or_else(|| format!("{which} does not tell on which host it was made"))?;
    match hosts.find_map(|host| difference(first, host)) {
        Some(what) => Err(format!("{which} is of several hosts: {what}")),
        None => Ok(first),
    }
}

fn difference(first: &Host, second: &Host) -> Option<String> {
    let [first, second] = [first, second].map(|host| serde_json::to_value(host).unwrap_or_default());
    first_difference(&first, &second).map(|(key, was, is)| format!("{key} was {was}, and is {is}"))
}

fn first_difference(
    first: &serde_json::Value,
    second: &serde_json::Value,
) -> Option<(String, String, String)> {
    let (none, empty) = (serde_json::Value::Null, serde_json::Map::new());
    let objects = [first, second].map(|value| value.as_object().unwrap_or(&empty));
    let keys = objects[0].keys().chain(objects[1].keys());
    keys.into_iter().find_map(|key| {
        let [was, is] = objects.map(|object| object.get(key).unwrap_or(&none));
        (was != is).then(|| (key.clone(), was.to_string(), is.to_string()))
    })
}

/// A difference in microseconds, for people.
fn signed(usec: i64) -> String {
    let sign = if usec < 0 { "−" } else { "+" };
    format!("{sign}{:#}", Human(Duration::from_micros(usec.unsigned_abs())))
}
