//! Results in the terminal: the timeline to scale, bound against measured, and the verdict with its reason.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::chart::Scale;
use super::fold::{self, Line};
use super::load;
use super::results;
use crate::model::ask::TICK;
use crate::model::bound::{Bound, SCHEDULING, WORK};
use crate::model::claim::{Account, Claim, Decision};
use crate::model::clock::Human;
use crate::model::description::Description;
use crate::model::event::Kind;
use crate::model::expect::By;
use crate::model::phase::{Phase, Span};
use crate::model::result::{RunResult, TrialResult};
use crate::model::settings::{OnHang, Settings};
use crate::model::statistics::{Quantile, Summary, at_most};
use crate::model::text::{lines, one_line};
use crate::model::timeline::{Timeline, is_watchdog};
use crate::model::verdict::Verdict;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const HANG: Style = AnsiColor::Yellow.on_default();

/// Renders a run with ANSI styles, for a terminal of `columns`; whoever prints it strips them where they do not belong.
pub fn render(run: &RunResult, columns: usize) -> String {
    let mut text = heading(run, columns);
    match run.trials.as_slice() {
        // There was nothing to try.
        [] => {}
        [trial] => text += &timeline(run, trial, columns),
        trials => {
            text += &rows(trials, columns);
            if let Some(shown) = telling(trials) {
                let which = match &shown.verdict {
                    Verdict::Pass { .. } => "the slowest",
                    Verdict::Fail { .. } => "which failed",
                    Verdict::Skip { .. } | Verdict::Unsound { .. } => "which says nothing of the service",
                };
                let _ =
                    writeln!(text, "\n  {DIM}trial {} (seed {}), {which}{DIM:#}", shown.number, shown.seed);
                text += &timeline(run, shown, columns);
            }
        }
    }
    text += &measured(run, columns);
    text + &verdict(run, columns)
}

fn heading(run: &RunResult, columns: usize) -> String {
    let about = &run.about;
    let about_what = wrap(&about.description, textwrap::core::display_width(&about.scenario) + 2, columns);
    let mut text = format!("{BOLD}{}{BOLD:#}  {about_what}\n\n", about.scenario);
    if let Some(Description { backend, systemd, boot_ms }) = &about.machine {
        // A recording may hold anything.
        let boot =
            Duration::try_from_secs_f64(boot_ms / 1e3).map(|boot| format!(", ready in {}", Human(boot)));
        let boot = boot.unwrap_or_default();
        let machine = wrap(&format!("{backend}, systemd {systemd}{boot}"), 11, columns);
        let _ = writeln!(text, "  {DIM}machine{DIM:#}  {machine}");
    }
    if let Some(observed) = &about.observed {
        let _ = writeln!(text, "  {DIM}asked{DIM:#}    {}", wrap(observed, 11, columns));
    }
    if let Some(settings) = &about.settings {
        let _ = writeln!(text, "  {DIM}unit{DIM:#}     {}", wrap(&unit(settings), 11, columns));
    }
    for note in &about.notes {
        let _ = writeln!(text, "  {DIM}note{DIM:#}     {}", wrap(note, 11, columns));
    }
    text
}

fn unit(settings: &Settings) -> String {
    let watchdog = settings.span("WatchdogSec").map_or("off".into(), |watchdog| Human(watchdog).to_string());
    let guard = match &settings.guard {
        None => "not guarded by sd-watchdog".into(),
        Some(guard) => {
            let (failures, every) = (guard.failures, Human(guard.interval()));
            match guard.on_hang {
                OnHang::Withhold => format!("pings withheld while a probe fails, one every {every}"),
                OnHang::Trigger => format!("trigger after {failures} failed probes, one every {every}"),
                OnHang::Restart => {
                    format!("ended from beside after {failures} failed probes, one every {every}")
                }
                OnHang::Nothing => {
                    format!("nothing is done after {failures} failed probes, one every {every}")
                }
            }
        }
    };
    format!("{}, WatchdogSec {watchdog}, {guard}, Restart={}", settings.unit, settings.restart)
}

/// So many of them, in words.
pub(super) fn trials(count: impl std::fmt::Display) -> String {
    let count = count.to_string();
    if count == "1" { "1 trial".into() } else { format!("{count} trials") }
}

/// The trials of a report that was read back.
pub fn rows_of(run: &results::Run, columns: usize) -> String {
    let (passed, sound) = run.passed();
    let name = one_line(run.scenario.clone());
    let mut text = format!("{BOLD}{name}{BOLD:#}  {}\n", trials(run.trials.len()));
    if let Some(reason) = run.untried() {
        let verdict = one_line(run.verdict.clone());
        return text + "\n" + &said(&verdict, HANG, &lines(reason.to_owned()), columns);
    }
    let summary = run.summary();
    if !summary.is_empty() {
        let _ = writeln!(text, "\n  {DIM}phase        n       p50                95 %       max{DIM:#}");
    }
    for (phase, Summary { count, p50: Quantile { value, low, high }, max, .. }) in summary {
        let interval = low.zip(high).map(|(low, high)| format!("{:#} – {:#}", Human(low), Human(high)));
        let interval = interval.unwrap_or_default();
        let (name, p50, max) = (phase.name(), Human(value), Human(max));
        let _ = writeln!(text, "  {name:<9}{count:>5}{p50:>#10}{interval:>20}{max:>#10}");
    }
    text += "\n";
    for row in run.trials.iter().filter(|row| row.verdict != "pass") {
        for reason in &row.reasons {
            let reason = one_line(format!("trial {}: {reason}", row.number));
            text += &said(&one_line(row.verdict.clone()), BAD, &reason, columns);
        }
    }
    let (style, what) = match run.verdict.as_str() {
        "pass" => (GOOD, format!("{passed} of {} as expected", trials(sound))),
        "fail" => (BAD, format!("{} of {}", sound - passed, trials(sound))),
        _ => (BAD, format!("{} of {}", run.trials.len() - sound, trials(run.trials.len()))),
    };
    text + &said(&one_line(run.verdict.clone()), style, &what, columns)
}

/// What all of several scenarios came to, by their names and their verdicts' words; nothing of a single one.
pub fn total<'a>(runs: impl IntoIterator<Item = (&'a str, &'a str)>, columns: usize) -> String {
    let runs = runs.into_iter().collect::<Vec<_>>();
    let of =
        |word: &str| runs.iter().filter(|(_, is)| *is == word).map(|(name, _)| *name).collect::<Vec<_>>();
    if runs.len() < 2 {
        return String::new();
    }
    let verdicts = [("pass", GOOD), ("fail", BAD), ("unsound", HANG), ("skip", HANG)];
    let counts = verdicts.map(|(word, _)| (of(word).len(), word));
    let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    let mut text =
        format!("\n{BOLD}{} scenarios{BOLD:#}  {}\n", runs.len(), counts.collect::<Vec<_>>().join(", "));
    for (word, style) in verdicts.iter().skip(1).filter(|(word, _)| !of(word).is_empty()) {
        text += &said(word, *style, &one_line(of(word).join(", ")), columns);
    }
    text
}

/// A name that is longer stands on a line of its own in a list.
const WIDEST_NAME: usize = 30;

/// Names and what is to be said of each, in two columns.
pub fn list(entries: &[(String, String)], columns: usize) -> String {
    let widest =
        entries.iter().map(|(name, _)| textwrap::core::display_width(name)).max().unwrap_or_default();
    let indent = widest.min(WIDEST_NAME) + 2;
    let mut text = String::new();
    for (name, what) in entries {
        let what = wrap(what, indent, columns);
        let gap = indent.saturating_sub(textwrap::core::display_width(name));
        if gap < 2 {
            let _ = writeln!(text, "{BOLD}{name}{BOLD:#}\n{:indent$}{what}", "");
        } else {
            let _ = writeln!(text, "{BOLD}{name}{BOLD:#}{:gap$}{what}", "");
        }
    }
    text
}

/// Breaks a text that starts at column `indent` into lines that continue there.
pub(super) fn wrap(text: &str, indent: usize, columns: usize) -> String {
    let width = columns.saturating_sub(indent).max(12);
    let whole_words = textwrap::Options::new(width).word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(text, whole_words).join(&format!("\n{:indent$}", ""))
}

/// The trial that tells most: the first that failed, else one that says nothing, else the slowest.
fn telling(trials: &[TrialResult]) -> Option<&TrialResult> {
    let recovery = |trial: &&TrialResult| trial.timeline.phases.recovery.map(Span::length);
    let failed = trials.iter().find(|trial| matches!(trial.verdict, Verdict::Fail { .. }));
    let unsound = || trials.iter().find(|trial| !trial.verdict.is_pass());
    failed.or_else(unsound).or_else(|| trials.iter().max_by_key(recovery))
}

fn style(verdict: &Verdict) -> Style {
    match verdict {
        Verdict::Pass { .. } => GOOD,
        Verdict::Fail { .. } => BAD,
        Verdict::Skip { .. } | Verdict::Unsound { .. } => HANG,
    }
}

/// What a table with all phases and the seed takes.
const WIDEST_ROW: usize = 95;

fn rows(trials: &[TrialResult], columns: usize) -> String {
    let is_wide = columns >= WIDEST_ROW;
    let phases =
        if is_wide { Phase::ALL.to_vec() } else { vec![Phase::Detect, Phase::Recovery, Phase::Outage] };
    let seed = |seed: &str| if is_wide { format!("  {seed:>20}") } else { String::new() };
    let mut text = format!("\n  {DIM}trial{}", seed("seed"));
    for phase in &phases {
        let _ = write!(text, "{:>10}", phase.name());
    }
    let _ = writeln!(text, "{DIM:#}");
    for trial in trials {
        for (number, (_, timeline)) in trial.episodes().enumerate() {
            if number == 0 {
                let _ = write!(text, "  {:>5}{}", trial.number, seed(&trial.seed.to_string()));
            } else {
                let _ = write!(text, "\n  {:>5}{}", format!("·{}", number + 1), seed(""));
            }
            for phase in &phases {
                let span = timeline.phases.get(*phase);
                let length = span.map_or("–".into(), |span| format!("{:#}", Human(span.length())));
                let _ = write!(text, "{length:>10}");
            }
        }
        let style = style(&trial.verdict);
        let _ = writeln!(text, "  {style}{}{style:#}", trial.verdict.word());
    }
    text
}

fn timeline(run: &RunResult, trial: &TrialResult, columns: usize) -> String {
    let mut text = String::new();
    for (name, timeline) in trial.episodes() {
        if let Some(name) = name {
            let _ = writeln!(text, "\n  {BOLD}{}{BOLD:#}", wrap(&name, 2, columns));
        }
        text += &episode(timeline, columns);
    }
    if let Some(load) = &trial.load {
        let said = wrap(&load::sentence(load, &trial.timeline), 11, columns);
        let _ = writeln!(text, "\n  {DIM}load{DIM:#}     {said}");
    }
    if !trial.verdict.is_pass() {
        let _ = writeln!(
            text,
            "\n  {DIM}last lines of {} in the journal{DIM:#}",
            run.about.settings.as_ref().map_or("the unit", |settings| settings.unit.as_str())
        );
        for line in trial.last_lines.iter().flat_map(|line| line.split('\n')) {
            let _ = writeln!(text, "    {}", wrap(line, 6, columns));
        }
    }
    text
}

/// The phases to scale, and the events.
fn episode(timeline: &Timeline, columns: usize) -> String {
    let mut text = String::new();
    if let Some(scale) = Scale::of(timeline, columns) {
        let [labels, axis] = scale.axis(timeline.origin);
        let _ = writeln!(text, "\n{DIM}{labels}\n{axis}{DIM:#}");
        for (phase, span) in timeline.phases.iter().filter(|(phase, _)| *phase != Phase::Recovery) {
            let style = match phase {
                Phase::Detect => HANG,
                Phase::Outage => BAD,
                _ => GOOD,
            };
            let length = format!("{:#}", Human(span.length()));
            let bar = scale.bar(span);
            let width = scale.width();
            let _ = writeln!(text, "  {:<9}{style}{bar:<width$}{style:#}{length:>9}", phase.name());
        }
    }
    if !timeline.events.is_empty() {
        text += "\n";
    }
    for Line { at, kind, text: what } in fold::lines(&timeline.events) {
        let at = at.ms_since(timeline.origin);
        let style = match kind {
            Kind::Injected { .. } | Kind::HangReport { .. } => HANG,
            kind if is_watchdog(kind) => HANG,
            Kind::Ready | Kind::FirstGood | Kind::Healed { .. } => GOOD,
            Kind::Failed { .. } | Kind::StartFailed | Kind::StartLimitHit => BAD,
            _ => Style::new(),
        };
        let what = wrap(&what, 17, columns);
        let _ = writeln!(text, "  {at:>10.1} ms  {style}{what}{style:#}");
    }
    text
}

/// Where there is room for intervals beside the figures; for how many there were, with less.
const WIDE: usize = 95;

/// Bound against measured; over several trials, the longest of each phase and the median.
fn measured(run: &RunResult, width: usize) -> String {
    let episodes = run.episodes();
    let summaries = (0..episodes.len()).map(|number| run.summary_of(number)).collect::<Vec<_>>();
    if summaries.iter().all(Vec::is_empty) {
        return String::new();
    }
    let several = run.trials.len() > 1;
    let has_counts = several && width >= 70;
    let has_intervals =
        several && width >= WIDE && summaries.iter().flatten().any(|(_, summary)| summary.p50.high.is_some());
    let columns = match (several, has_counts, has_intervals) {
        (false, ..) => "  measured",
        (true, false, _) => "       p50       max",
        (true, true, false) => "    n       p50       max",
        (true, true, true) => "    n       p50                95 %       max",
    };
    let mut text = format!("\n  {DIM}phase    {columns}     bound{DIM:#}\n");
    let expect = &run.about.expect;
    let is_beside = is_guarded_from_beside(run);
    let ended_by_itself = |number: usize| {
        let mut timelines = run.trials.iter().filter_map(|trial| Some(trial.episodes().nth(number)?.1));
        !is_beside && timelines.all(|timeline| timeline.cause() == Some(By::Exit))
    };
    let named = episodes.into_iter().zip(summaries).enumerate();
    let rows = named.flat_map(|(number, (mut name, summary))| {
        let by_exit = ended_by_itself(number);
        summary.into_iter().map(move |(phase, summary)| (name.take(), by_exit, phase, summary))
    });
    for (name, by_exit, phase, summary) in rows {
        if let Some(name) = name {
            let _ = writeln!(text, "  {DIM}{name}{DIM:#}");
        }
        let bound = match phase {
            Phase::Detect if by_exit => Some((String::new(), "the process ended by itself".into())),
            Phase::Detect | Phase::Kill | Phase::Restart | Phase::Start => run.bounds.get(phase).map(limits),
            Phase::Recovery => {
                run.about.settings.as_ref().and_then(|settings| expect.limit(settings)).map(|limit| {
                    let within = expect
                        .recovery_within
                        .as_deref()
                        .filter(|within| within.starts_with(char::is_uppercase));
                    (
                        Human(limit).to_string(),
                        format!("expected{}", within.map(|name| format!(": {name}")).unwrap_or_default()),
                    )
                })
            }
            Phase::Outage => {
                let interval = run.about.ask_interval_usec.map_or(TICK, Duration::from_micros);
                // Each end may have come up to one of them earlier than it was seen.
                let vague = format!(", so up to {} too long", Human(interval * 2));
                let vague = if interval == TICK { String::new() } else { vague };
                Some((
                    String::new(),
                    format!("as seen by a client that asks every {}{vague}", Human(interval)),
                ))
            }
        };
        let (limit, sum) = bound.unwrap_or_else(|| ("none".into(), String::new()));
        let _ = write!(text, "  {:<9}", phase.name());
        if several {
            let Quantile { value, low, high } = summary.p50;
            if has_counts {
                let _ = write!(text, "{:>5}", summary.count);
            }
            let _ = write!(text, "{:>#10}", Human(value));
            if has_intervals {
                let interval =
                    low.zip(high).map(|(low, high)| format!("{:#} – {:#}", Human(low), Human(high)));
                let _ = write!(text, "{:>20}", interval.unwrap_or_default());
            }
        }
        let indent = 33
            + [(several, 10), (has_counts, 5), (has_intervals, 20)]
                .iter()
                .filter(|(is, _)| *is)
                .map(|(_, wide)| wide)
                .sum::<usize>();
        let sum = wrap(&sum, indent, width);
        let _ = writeln!(text, "{:>#10}{limit:>10}  {DIM}{sum}{DIM:#}", Human(summary.max));
    }
    let (detect, others) = (Human(SCHEDULING), Human(WORK));
    let note = format!(
        "Bounds are of timers; detect is granted {detect} for the work itself, other phases {others}."
    );
    let _ = writeln!(text, "  {DIM}{}{DIM:#}", wrap(&note, 2, width));
    if has_intervals {
        let note = "95 %: the median of all trials is neither below nor above, each with that certainty.";
        let _ = writeln!(text, "  {DIM}{}{DIM:#}", wrap(note, 2, width));
    }
    text
}

/// Ended from beside, the process's end is the detection.
fn is_guarded_from_beside(run: &RunResult) -> bool {
    let guard = run.about.settings.as_ref().and_then(|settings| settings.guard.as_ref());
    guard.is_some_and(|guard| guard.on_hang == OnHang::Restart)
}

fn limits(bound: &Bound) -> (String, String) {
    let above = bound.above.map(|above| format!(", and more than {}", Human(above))).unwrap_or_default();
    let at_most = if bound.at_most.is_zero() { "none".to_owned() } else { Human(bound.at_most).to_string() };
    (at_most, format!("{}{above}", bound.sum))
}

fn verdict(run: &RunResult, columns: usize) -> String {
    let mut text = String::from("\n");
    if let Some(reason) = &run.skipped {
        let _ = writeln!(text, "  {HANG}SKIP{HANG:#}  {}", wrap(reason, 8, columns));
        return text;
    }
    if let Some((claim, account)) = &run.claim {
        text += &refused(run, columns);
        text += &decided(claim, *account, columns);
        return text;
    }
    if run.is_pass() {
        let what = match run.trials.as_slice() {
            [TrialResult { verdict: Verdict::Pass { summary }, .. }] => summary.clone(),
            all => {
                let count = all.len();
                let others = at_most(0, count) * 100.0;
                format!(
                    "{count} of {} as expected, which shows that at most {others:.1} % of all are not (at 95 %)",
                    trials(count)
                )
            }
        };
        let _ = writeln!(text, "  {GOOD}PASS{GOOD:#}  {}", wrap(&what, 8, columns));
        return text;
    }
    text += &refused(run, columns);
    let all = run.trials.len();
    let mut say = |word: &str, style: Style, what: &str| text += &said(word, style, what, columns);
    let sound = run.sound();
    if all > 1 && sound < all {
        let unsound = format!("{} of {all} trials, which are in no figure", all - sound);
        say("unsound", HANG, &unsound);
    }
    match sound - run.passed() {
        _ if all == 1 || sound == 0 => {}
        0 => say("pass", GOOD, &format!("{sound} of {sound} others")),
        failed => say("fail", BAD, &format!("{failed} of {}", trials(sound))),
    }
    text
}

/// What is said of a claim.
fn decided(claim: &Claim, Account { yes, no, decision }: Account, columns: usize) -> String {
    let of = format!("{yes} of {}", trials(yes + no));
    let (style, word, what) = match decision {
        Decision::Shown => {
            (GOOD, "pass", format!("{claim}: shown by {of} (at 95 %, however often one looks)"))
        }
        Decision::Refuted => {
            (BAD, "fail", format!("{claim}: refuted, by {of} (at 95 %, however often one looks)"))
        }
        Decision::Open => {
            (BAD, "fail", format!("{claim}: neither shown nor refuted by {of}; more of them would tell"))
        }
    };
    said(word, style, &what, columns)
}

/// Why trials were not as expected.
fn refused(run: &RunResult, columns: usize) -> String {
    let mut text = String::new();
    let all = run.trials.len();
    for TrialResult { number, verdict, .. } in run.trials.iter().filter(|trial| !trial.verdict.is_pass()) {
        let which = if all > 1 { format!("trial {number}: ") } else { String::new() };
        for reason in verdict.reasons() {
            text += &said(verdict.word(), style(verdict), &format!("{which}{reason}"), columns);
        }
    }
    text
}

fn said(word: &str, style: Style, what: &str, columns: usize) -> String {
    let word = word.to_uppercase();
    let what = wrap(what, word.len() + 4, columns);
    format!("  {style}{word}{style:#}  {what}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_scenarios_it_is_told_how_many_came_to_what_and_which_did_not_pass() {
        let plain = |runs: &[(&'static str, &'static str)], columns| {
            anstream::adapter::strip_str(&total(runs.iter().copied(), columns)).to_string()
        };
        assert_eq!(plain(&[("mute", "fail")], 80), "", "it is said already");
        assert_eq!(plain(&[("mute", "pass"), ("spin", "pass")], 80), "\n2 scenarios  2 pass\n");
        let runs = [
            ("a", "pass"),
            ("crash", "fail"),
            ("netem\u{1b}", "skip"),
            ("mute", "fail"),
            ("drip", "unsound"),
        ];
        let said = "\n5 scenarios  1 pass, 2 fail, 1 unsound, 1 skip\n  FAIL  crash, mute\n  UNSOUND  drip\n  \
                    SKIP  netem\\u{1b}\n";
        assert_eq!(plain(&runs, 20), said);
    }

    #[test]
    fn a_long_name_stands_on_a_line_of_its_own_and_one_trial_is_no_trials() {
        let long = "a-name-of-more-characters-than-there-is-room-for";
        let entries = [("mute", "What?"), (long, "And what else?")];
        let entries = entries.map(|(name, what)| (name.to_owned(), what.to_owned()));
        let shown = anstream::adapter::strip_str(&list(&entries, 80)).to_string();
        let column = " ".repeat(WIDEST_NAME + 2);
        assert_eq!(shown, format!("mute{}What?\n{long}\n{column}And what else?\n", &column[4..]));
        assert_eq!([0, 1, 2].map(trials), ["0 trials", "1 trial", "2 trials"]);
    }
}
