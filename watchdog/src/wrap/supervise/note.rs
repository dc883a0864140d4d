//! What is logged, and how it reads.

use crate::kernel::stalls::Pressure;
use std::time::{Duration, Instant};

use super::Service;
use crate::cli::OnHang;
use crate::config::{Config, Set};
use crate::hang::flapping::Flapping;
use crate::probe::Probes;
use crate::service::end::End;
use crate::words::settings::Settings;
use crate::words::span::{Span, rounded};
use crate::wrap::state::Note;

/// COMMAND runs.
pub fn started(service: &Service<'_>, pid: i32, is_probed: bool) {
    let command = service.command[0].display();
    if !is_probed {
        tracing::info!(pid, "started {command} as process {pid}");
        return;
    }
    let sets = service.config.sets.iter().zip(service.probes);
    let probing: Vec<String> = sets.map(|(set, probes)| probing(service.config, set, probes)).collect();
    let message = format!("started {command} as process {pid}; probing {}", probing.join("; "));
    if let Some(settings) = settings(service.config) {
        settings.tell(Some(pid), &message);
    } else {
        tracing::info!(pid, "{message}");
    }
}

/// [`None`] where there is no watchdog: then nothing is done about a hang.
fn settings(config: &Config) -> Option<Settings<'static>> {
    let (watchdog, timing) = (config.watchdog?, config.slowest());
    Some(Settings {
        unit: None,
        on_hang: match config.on_hang {
            _ if config.dry_run => "nothing",
            OnHang::Trigger => "trigger",
            OnHang::Withhold => "withhold",
        },
        watchdog,
        interval: timing.interval,
        timeout: timing.timeout,
        failures: timing.failures,
        retry_interval: timing.retry_interval,
        report: config.report_budget.min(watchdog.saturating_sub(timing.detect_bound())),
    })
}

/// `http://127.0.0.1:8080/ every 500 ms, timeout 500 ms, trigger after 3 unhealthy in a row`
fn probing(config: &Config, set: &Set, probes: &Probes) -> String {
    let timing = &set.timing;
    let (interval, timeout) = (Span(timing.interval), Span(timing.timeout));
    let on_hang = match (config.watchdog, config.on_hang) {
        _ if set.ready_only => "until READY=1 only (--ready-only)".to_owned(),
        (None, _) => "until it is ready".to_owned(),
        (Some(_), _) if config.dry_run => {
            format!("nothing but a log line after {} unhealthy in a row (--dry-run)", timing.failures)
        }
        (Some(_), OnHang::Trigger) => format!("trigger after {} unhealthy in a row", timing.failures),
        (Some(_), OnHang::Withhold) => "no ping while unhealthy".to_owned(),
    };
    format!("{probes} every {interval}, timeout {timeout}, {on_hang}")
}

/// COMMAND has ended, and left so many processes behind without having been asked to stop.
pub fn ended(end: End, left_behind: usize) {
    match end {
        End::Exited(0) if left_behind > 0 => {
            let (them, processes) = if left_behind == 1 { ("it", "process") } else { ("them", "processes") };
            tracing::warn!(
                "{end} and left {left_behind} {processes} behind; systemd ends {them} with the unit. If it went into \
                 the background: run it in the foreground, or use sd-watchdog guard"
            );
        }
        End::Exited(0) => tracing::info!("{end}"),
        End::Exited(_) | End::Killed { .. } => tracing::warn!("{end}"),
    }
}

/// systemd has read READY=1, after so long; or it has not.
pub fn ready_read(after: Option<Duration>) {
    if let Some(after) = after {
        tracing::debug!("systemd has read READY=1 after {}", rounded(after));
    } else {
        let patience = Span(super::READY_READ_WITHIN);
        tracing::warn!("systemd has not read READY=1 in {patience}; is it busy?");
    }
}

/// Others keep the unit from answering in time.
pub fn slowed(pressure: Pressure) {
    tracing::warn!(
        event = "deadline_widened",
        pressure = pressure.percent,
        "the unit waits for {pressure}, so it has more time to answer: deadlines count only the \
         time in which it is able to run"
    );
}

/// What was left out of the log, if its minute is over.
pub fn flapped(flapping: &mut Flapping, now: Instant) {
    if let Some(summary) = flapping.summary(now) {
        tracing::warn!("{summary}");
    }
}

/// A turn of events, unless there are too many of its kind.
pub fn log(note: &Note, flapping: &mut Flapping) {
    let is_to_be_said = match note {
        Note::Unhealthy { .. } => flapping.began(Instant::now()),
        Note::Recovered { .. } => flapping.ended(),
        _ => true,
    };
    if is_to_be_said {
        say(note);
    }
}

fn say(note: &Note) {
    match note {
        Note::Ready { after } => tracing::info!("ready after {}", rounded(*after)),
        Note::Unheard => tracing::debug!("COMMAND answers, and has not been heard to say that it is ready"),
        Note::NeverHealthy { reason } => {
            tracing::warn!(
                reason = %reason,
                "stopped before it was ever healthy: {reason}. If that was TimeoutStartSec=, within which the service has to \
                 answer for the first time: raise it, or give --start-timeout"
            );
        }
        Note::Unhealthy { reason } => tracing::warn!(reason = %reason, "unhealthy: {reason}"),
        Note::CannotProbe { reason, is_start: true, .. } => tracing::warn!(
            reason = %reason,
            "cannot probe, which does not count; READY=1 waits until a probe can be made, at most for TimeoutStartSec=: \
             {reason}"
        ),
        Note::CannotProbe { reason, acts_in: None, .. } => {
            tracing::warn!(reason = %reason, "cannot probe, which does not count: {reason}");
        }
        Note::CannotProbe { reason, acts_in: Some(left), .. } => tracing::warn!(
            reason = %reason,
            "cannot probe, which does not count, but no ping is sent either: systemd restarts the service in {} unless \
             a probe can be made before: {reason}",
            rounded(*left)
        ),
        Note::Discounted { late } => tracing::warn!(
            "an unhealthy probe does not count: sd-watchdog itself was held up for {}",
            rounded(*late)
        ),
        Note::Recovered { failures: 1 } => tracing::info!("healthy again after 1 unhealthy probe"),
        Note::Recovered { failures } => {
            tracing::info!(failures, "healthy again after {failures} unhealthy probes");
        }
        Note::Reloaded { after } => tracing::info!("reloaded, and healthy after {}", rounded(*after)),
        Note::ReloadUnfinished { missing, lasted } => tracing::warn!(
            "the reload is not over after {}, the time for one (--start-timeout, else TimeoutStartSec=), and excuses no hang \
             any longer: {missing} is missing; systemd is told when it comes",
            rounded(*lasted)
        ),
        Note::BusyReloading { reason, left } => tracing::warn!(
            reason = %reason,
            "does not answer while it reloads, which counts as a hang in {}, when the time for a reload is over \
             (--start-timeout, else TimeoutStartSec=): {reason}",
            rounded(*left)
        ),
        Note::ReloadRefused { signal } => tracing::warn!(
            "{signal} asks for a reload, and is not passed on: COMMAND has no handler for it, and would end; \
             --reload-signal names another, or none"
        ),
        Note::StoppingInReload => tracing::warn!(
            "COMMAND says STOPPING=1 while it reloads, which is not passed on: systemd would take it as the end"
        ),
        Note::Triggered { reason } => {
            tracing::error!(reason, "asking systemd to restart the service: {reason}");
        }
        Note::CalledOff { reason } => tracing::info!(
            reason,
            "systemd is stopping the unit: what looked like a hang is its end ({reason})"
        ),
        Note::Withholding { reason } => {
            tracing::error!(reason, "left to systemd's own timer (--on-hang withhold): {reason}");
        }
        Note::WouldTrigger { reason } => {
            tracing::error!(reason, "would have triggered (--dry-run): {reason}");
        }
    }
}
