//! The turns of events that people want to read about, and how they are logged.

use crate::kernel::stalls::Pressure;
use std::time::{Duration, Instant};

use crate::guard::comeback::{Comeback, Obstacle};
use crate::guard::rules::Rules;
use crate::guard::settings::Whom;
use crate::hang::flapping::Flapping;
use crate::service::signals;
use crate::systemd::scope::Scope;
use crate::unit::UnitName;
use crate::words;
use crate::words::outcome::Reason;
use crate::words::span::{Span, rounded};

/// What is guarded against what, for the first line of the log.
pub fn start(unit: &UnitName, rules: &Rules, targets: &[String]) -> String {
    let (limit, window) = (rules.budget.0, Span(rules.budget.1));
    let then = if rules.dry_run {
        // The budget is for what is done.
        "that is only said (--dry-run)".to_owned()
    } else {
        format!("it is ended, {limit} times within {window} at most")
    };
    let sets = rules.sets.iter().zip(targets).map(|(timing, target)| {
        let (interval, timeout, failures) = (Span(timing.interval), Span(timing.timeout), timing.failures);
        format!("probing {target} every {interval}, timeout {timeout}; after {failures} unhealthy in a row")
    });
    format!("guarding {unit}: {} {then}", sets.collect::<Vec<_>>().join(", or "))
}

/// What is told to the journal with it.
pub fn settings<'a>(unit: &'a UnitName, rules: &Rules) -> words::settings::Settings<'a> {
    let timing = rules.slowest();
    words::settings::Settings {
        unit: Some(unit.as_str()),
        on_hang: if rules.dry_run { "nothing" } else { "restart" },
        watchdog: rules.watchdog,
        interval: timing.interval,
        timeout: timing.timeout,
        failures: timing.failures,
        retry_interval: timing.retry_interval,
        report: rules.report.unwrap_or_default(),
    }
}

/// What is to be said where the report was given more than W leaves.
pub fn late_report(rules: &Rules) -> Option<String> {
    let (given, bound) = (rules.report?, rules.detect_bound());
    let left = rules.watchdog.saturating_sub(bound);
    (given > left).then(|| {
        format!(
            "--report-budget is {}, but --watchdog {} leaves {} for the report where it takes longest to find a hang: \
             UNIT may be ended later than that; raise --watchdog, or lower --failures, --timeout or --interval",
            Span(given),
            Span(rules.watchdog),
            Span(left)
        )
    })
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    NotThere,
    Outlook { plan: String, comeback: Comeback, is_own_will: bool, is_dry: bool },
    NeverHealthy { grace: Duration, reason: Reason },
    Answers { target: String, took: Duration },
    Unhealthy { reason: Reason },
    Recovered { failures: u32 },
    Hung { reason: String },
    CannotProbe { reason: Reason },
    Discounted { late: Duration },
    Slowed { pressure: Pressure },
    DryRun { reason: String, plan: String },
    LeftAlone { reason: String, obstacle: Obstacle },
    Exhausted { reason: String, limit: u32, window: Duration },
    Signalling { signal: i32, whom: Whom },
    Killing { after: Duration },
    CannotRead { why: String },
    CannotKill { why: String },
    CannotStart { why: String },
    NotStarted { why: String },
    StaysDown { result: String },
    Starting,
    GaveWay,
    Maintenance,
    Lost { why: String },
    Stuck,
}

/// What was left out of the log, if its minute is over.
pub fn flapped(unit: &UnitName, flapping: &mut Flapping, now: Instant) {
    if let Some(summary) = flapping.summary(now) {
        tracing::warn!("{unit} was {summary}");
    }
}

/// Logs it, unless there is too much of its kind.
pub fn log((scope, unit): (Scope, &UnitName), note: &Note, flapping: &mut Flapping) {
    let is_to_be_said = match note {
        Note::Unhealthy { .. } => flapping.began(Instant::now()),
        Note::Recovered { .. } => flapping.ended(),
        Note::Slowed { .. } => flapping.slowed(Instant::now()),
        _ => true,
    };
    if is_to_be_said {
        say(scope, unit, note);
    }
}

/// What a hang would come to.
fn outlook(
    (scope, unit): (Scope, &UnitName),
    comeback: &Comeback,
    plan: &str,
    is_own_will: bool,
    is_dry: bool,
) {
    let would = if is_dry { "would be (without --dry-run)" } else { "is" };
    match comeback {
        Comeback::Nobody(obstacle) if !comeback.may_end() => tracing::warn!(
            "IN A HANG {unit} WOULD BE LEFT ALONE: nobody would start it again ({obstacle}); {}",
            obstacle.remedy(scope)
        ),
        _ if is_own_will => tracing::info!("if {unit} hangs, it {would} {plan}"),
        _ => tracing::warn!(
            "if {unit} hangs, it {would} {plan}, although its own Restart= has it left dead; --restart unit leaves it alone"
        ),
    }
}

fn say(scope: Scope, unit: &UnitName, note: &Note) {
    let systemctl = scope.systemctl();
    match note {
        Note::NotThere => {
            tracing::warn!("{unit} does not exist; waiting for it. Is the name right?");
        }
        Note::Outlook { comeback, plan, is_own_will, is_dry } => {
            outlook((scope, unit), comeback, plan, *is_own_will, *is_dry);
        }
        Note::NeverHealthy { grace, reason } => tracing::warn!(
            "{unit} HAS NOT BEEN HEALTHY ONCE IN {} AND IS LEFT ALONE until it is, since a probe that is wrong must not end \
             a healthy service. Is the probe right? If so, look into it, then run `{systemctl} restart {unit}`. {reason}",
            Span(*grace)
        ),
        Note::Answers { target, took } => {
            tracing::info!("{unit} is healthy: {target} answered in {}", rounded(*took));
        }
        Note::Unhealthy { reason } => tracing::warn!("{unit} is unhealthy: {reason}"),
        Note::CannotProbe { reason } => {
            tracing::warn!("cannot probe {unit}, so it is left alone until that can be done: {reason}");
        }
        Note::Discounted { late } => tracing::warn!(
            "an unhealthy probe of {unit} does not count: sd-watchdog itself was held up for {}",
            rounded(*late)
        ),
        Note::Slowed { pressure } => tracing::warn!(
            event = "deadline_widened",
            pressure = pressure.percent,
            "{unit} waits for {pressure}, so it has more time to answer: deadlines count only the \
             time in which it is able to run"
        ),
        Note::Recovered { failures: 1 } => tracing::info!("{unit} is healthy again after 1 unhealthy probe"),
        Note::Recovered { failures } => {
            tracing::info!("{unit} is healthy again after {failures} unhealthy probes");
        }
        Note::Hung { reason } => tracing::error!("{unit} hangs: {reason}"),
        Note::DryRun { reason, plan } => {
            tracing::error!("{unit} hangs and would be {plan}, without --dry-run: {reason}");
        }
        Note::LeftAlone { reason, obstacle } => tracing::error!(
            "{unit} HANGS AND IS LEFT ALONE: nobody would start it again ({obstacle}); {}. Look into it, then run \
             `{systemctl} restart {unit}`. {reason}",
            obstacle.remedy(scope)
        ),
        Note::Exhausted { reason, limit, window } => tracing::error!(
            "{unit} HANGS AND IS LEFT ALONE: it was ended {limit} times within {} already (--max-restarts). \
             Look into it, then run `{systemctl} restart {unit}`. {reason}",
            Span(*window)
        ),
        Note::Signalling { signal, whom: Whom::Main } => {
            tracing::warn!("sending {} to the main process of {unit}", signals::name(*signal));
        }
        Note::Signalling { signal, whom: Whom::All } => {
            tracing::warn!("sending {} to all processes of {unit}", signals::name(*signal));
        }
        Note::Killing { after } => {
            tracing::warn!("{unit} is still there after {}: sending SIGKILL", Span(*after));
        }
        Note::CannotRead { why } => {
            tracing::error!("{unit} hangs, and its settings cannot be read: {why}; trying again");
        }
        Note::CannotKill { why } => tracing::error!("{unit} hangs and cannot be ended: {why}"),
        Note::CannotStart { why } => tracing::error!("{unit} was ended and cannot be started again: {why}"),
        Note::NotStarted { why } => {
            tracing::warn!(
                "{unit} was ended and is not started again ({why}); `{systemctl} start {unit}` does it"
            );
        }
        Note::StaysDown { result } => tracing::error!(
            "{unit} STAYS DOWN after its hang (Result={result}): its start failed, or was one too many (StartLimitBurst=), as \
             `{systemctl} status {unit}` says. Look into it, then run `{systemctl} reset-failed {unit}` and \
             `{systemctl} start {unit}`"
        ),
        Note::Starting => tracing::info!("starting {unit} again: systemd has left it dead"),
        Note::GaveWay => {
            tracing::info!("somebody else wants something done to {unit}: leaving it to them");
        }
        Note::Maintenance => tracing::info!("{unit} is under maintenance: leaving it alone"),
        Note::Lost { why } => tracing::warn!("systemd is out of reach: {why}; connecting again"),
        Note::Stuck => {
            tracing::error!(
                "what this guard is doing should have ended long ago: no more pings, so that systemd restarts this guard"
            );
        }
    }
}
