//! Results in the terminal: the timeline to scale, bound against measured, and the verdict with its reason.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::chart::Scale;
use crate::model::ask::TICK;
use crate::model::bound::{Bound, SCHEDULING, WORK};
use crate::model::clock::Human;
use crate::model::description::Description;
use crate::model::event::Kind;
use crate::model::expect::By;
use crate::model::phase::{Phase, Span};
use crate::model::result::{RunResult, TrialResult};
use crate::model::settings::{OnHang, Settings};
use crate::model::statistics::{Quantile, at_most};
use crate::model::timeline::is_watchdog;
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
        [trial] => text += &timeline(run, trial, columns),
        trials => {
            text += &rows(trials, columns);
            if let Some(shown) = telling(trials) {
                let which = if shown.verdict.is_pass() { "the slowest" } else { "which failed" };
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
    if let Some(settings) = &about.settings {
        let _ = writeln!(text, "  {DIM}unit{DIM:#}     {}", wrap(&unit(settings), 11, columns));
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

/// Names and what is to be said of each, in two columns.
pub fn list(entries: &[(String, String)], columns: usize) -> String {
    let widest =
        entries.iter().map(|(name, _)| textwrap::core::display_width(name)).max().unwrap_or_default();
    let indent = widest.min(30) + 2;
    let mut text = String::new();
    for (name, what) in entries {
        let gap = indent.saturating_sub(textwrap::core::display_width(name)).max(1);
        let _ = writeln!(text, "{BOLD}{name}{BOLD:#}{:gap$}{}", "", wrap(what, indent, columns));
    }
    text
}

/// Breaks a text that starts at column `indent` into lines that continue there.
fn wrap(text: &str, indent: usize, columns: usize) -> String {
    let width = columns.saturating_sub(indent).max(12);
    let whole_words = textwrap::Options::new(width).word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(text, whole_words).join(&format!("\n{:indent$}", ""))
}

/// The trial that tells most: the first that failed, else the slowest.
fn telling(trials: &[TrialResult]) -> Option<&TrialResult> {
    let recovery = |trial: &&TrialResult| trial.timeline.phases.recovery.map(Span::length);
    trials.iter().find(|trial| !trial.verdict.is_pass()).or_else(|| trials.iter().max_by_key(recovery))
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
        let _ = write!(text, "  {:>5}{}", trial.number, seed(&trial.seed.to_string()));
        for phase in &phases {
            let span = trial.timeline.phases.get(*phase);
            let length = span.map_or("–".into(), |span| format!("{:#}", Human(span.length())));
            let _ = write!(text, "{length:>10}");
        }
        let style = if trial.verdict.is_pass() { GOOD } else { BAD };
        let _ = writeln!(text, "  {style}{}{style:#}", trial.verdict.word());
    }
    text
}

fn timeline(run: &RunResult, trial: &TrialResult, columns: usize) -> String {
    let timeline = &trial.timeline;
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
    for event in &timeline.events {
        let at = event.at.ms_since(timeline.origin);
        let style = match event.kind {
            Kind::Injected { .. } | Kind::HangReport { .. } => HANG,
            ref kind if is_watchdog(kind) => HANG,
            Kind::Ready | Kind::FirstGood => GOOD,
            Kind::Failed { .. } | Kind::StartFailed | Kind::StartLimitHit => BAD,
            _ => Style::new(),
        };
        let what = wrap(&event.kind.to_string(), 17, columns);
        let _ = writeln!(text, "  {at:>10.1} ms  {style}{what}{style:#}");
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

/// Where there is room for intervals beside the figures; for how many there were, with less.
const WIDE: usize = 95;

/// Bound against measured; over several trials, the longest of each phase and the median.
fn measured(run: &RunResult, width: usize) -> String {
    let summary = run.summary();
    if summary.is_empty() {
        return String::new();
    }
    let several = run.trials.len() > 1;
    let has_counts = several && width >= 70;
    let has_intervals =
        several && width >= WIDE && summary.iter().any(|(_, summary)| summary.p50.high.is_some());
    let columns = match (several, has_counts, has_intervals) {
        (false, ..) => "  measured",
        (true, false, _) => "       p50       max",
        (true, true, false) => "    n       p50       max",
        (true, true, true) => "    n       p50                95 %       max",
    };
    let mut text = format!("\n  {DIM}phase    {columns}     bound{DIM:#}\n");
    let expect = &run.about.expect;
    let is_beside = is_guarded_from_beside(run);
    let by_exit = !is_beside && run.trials.iter().all(|trial| trial.timeline.cause() == Some(By::Exit));
    for (phase, summary) in summary {
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
                Some((String::new(), format!("as seen by a client that asks every {}", Human(interval))))
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
    if run.is_pass() {
        let what = match run.trials.as_slice() {
            [TrialResult { verdict: Verdict::Pass { summary }, .. }] => summary.clone(),
            trials => {
                let count = trials.len();
                let others = at_most(0, count) * 100.0;
                format!(
                    "{count} of {count} trials as expected, which shows that at most {others:.1} % of all are not (at 95 %)"
                )
            }
        };
        let _ = writeln!(text, "  {GOOD}PASS{GOOD:#}  {}", wrap(&what, 8, columns));
        return text;
    }
    let failed = run.trials.iter().filter(|trial| !trial.verdict.is_pass()).collect::<Vec<_>>();
    for trial in &failed {
        let which = if run.trials.len() > 1 { format!("trial {}: ", trial.number) } else { String::new() };
        for reason in trial.verdict.reasons() {
            let reason = wrap(&format!("{which}{reason}"), 8, columns);
            let _ = writeln!(text, "  {BAD}FAIL{BAD:#}  {reason}");
        }
    }
    if run.trials.len() > 1 {
        let _ = writeln!(text, "  {BAD}FAIL{BAD:#}  {} of {} trials", failed.len(), run.trials.len());
    }
    text
}
