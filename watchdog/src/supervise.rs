//! The loop: turns what comes in into events for [`State`], and its actions into I/O.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGABRT, SIGCHLD, SIGINT, SIGQUIT, SIGTERM};
use tokio::runtime;
use tokio::time::sleep_until;

use crate::child::{Child, End, SigPipe};
use crate::config::{Config, OnHang};
use crate::error::Error;
use crate::message::Message;
use crate::notify::Notifier;
use crate::probe::http::HttpProbe;
use crate::probe::{Outcome, Probe};
use crate::signals::{Received, Signals};
use crate::span::{Span, rounded};
use crate::state::{Actions, Event, Note, State};

/// How long the last message may wait for room in systemd's queue, once COMMAND has ended.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Runs COMMAND to its end. Without a `notifier` there is nobody to tell how it is, so it is not probed.
pub fn run(config: &Config, notifier: Option<Notifier>) -> Result<End, Error> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|source| Error::System { what: "set up I/O", source })?;
    let end = runtime.block_on(supervise(config, notifier));
    // A name lookup may hang in its thread; there is nothing to wait for.
    runtime.shutdown_background();
    end
}

async fn supervise(config: &Config, mut notifier: Option<Notifier>) -> Result<End, Error> {
    let signals = Signals::block().map_err(|source| Error::System { what: "block signals", source })?;
    let sigpipe = if notifier.is_some() { SigPipe::Ignored } else { SigPipe::Default };
    let child = Child::spawn(&config.command, signals.inherited(), sigpipe);
    let mut notify = |message| {
        if let Some(notifier) = &mut notifier {
            notifier.send(message, Instant::now());
        }
    };
    let child = match child {
        Ok(child) => child,
        Err(error) => {
            notify(Message::status(error.to_string()));
            return Err(error.into());
        }
    };
    log_start(config, &child, notifier.is_some());
    let now = Instant::now();
    let state = if notifier.is_some() { State::new(config, now) } else { State::unguarded(config, now) };
    let probe = Probe::Http(HttpProbe::new(config.target.clone()));
    Supervisor { timeout: config.timing.timeout, state, child, notifier, probe: &probe, flight: None }
        .run(&signals)
        .await
        .map_err(|source| Error::System { what: "wait for COMMAND", source })
}

struct Supervisor<'a> {
    timeout: Duration,
    state: State,
    child: Child,
    notifier: Option<Notifier>,
    probe: &'a Probe,
    /// The probe under way.
    flight: Option<Flight<'a>>,
}

type Flight<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

impl Supervisor<'_> {
    async fn run(mut self, signals: &Signals) -> io::Result<End> {
        loop {
            tokio::select! {
                // In this order: a stop comes before a probe that ends at the same moment, which must not ping any more.
                biased;
                signal = signals.next() => {
                    if let Some(end) = self.receive(signal?)? {
                        self.last_words(end).await;
                        return Ok(end);
                    }
                }
                () = at(self.notifier.as_ref().and_then(Notifier::retry_at)) => self.flush(),
                outcome = end_of(&mut self.flight) => {
                    self.flight = None;
                    tracing::debug!("probe: {outcome:?}");
                    self.step(Event::ProbeEnded(outcome));
                }
                () = at(self.state.next_probe()) => self.step(Event::ProbeDue),
            }
        }
    }

    fn receive(&mut self, signal: Received) -> io::Result<Option<End>> {
        if signal.number == SIGCHLD {
            return self.child.try_wait();
        }
        if let Some(stop) = stop(signal.number) {
            // Before passing it on: systemd must hear of the stop before COMMAND can act on it.
            self.step(stop);
        }
        if !signal.by_kernel {
            self.child.pass_on(signal.number);
        }
        Ok(None)
    }

    fn step(&mut self, event: Event) {
        let now = Instant::now();
        let Actions { start_probe, abandon_probe, message, note } = self.state.step(event, now);
        if abandon_probe {
            self.flight = None;
        }
        if start_probe {
            self.flight = Some(Box::pin(self.probe.run(self.timeout)));
        }
        if let Some(notifier) = &mut self.notifier {
            notifier.send(message, now);
        }
        if let Some(note) = note {
            log(&note);
        }
    }

    fn flush(&mut self) {
        if let Some(notifier) = &mut self.notifier {
            notifier.flush(Instant::now());
        }
    }

    async fn last_words(&mut self, end: End) {
        match end {
            End::Exited(0) => tracing::info!("{end}"),
            End::Exited(_) | End::Killed { .. } => tracing::warn!("{end}"),
        }
        self.step(Event::Ended { how: end.to_string() });
        let give_up = Instant::now() + LAST_WORDS;
        while let Some(retry_at) = self.notifier.as_ref().and_then(Notifier::retry_at)
            && retry_at < give_up
        {
            at(Some(retry_at)).await;
            self.flush();
        }
    }
}

/// The signals that mean stop. SIGABRT is what systemd's watchdog sends (`WatchdogSignal=`): systemd knows then.
fn stop(signal: i32) -> Option<Event> {
    let (signal, announce) = match signal {
        SIGTERM => ("SIGTERM", true),
        SIGINT => ("SIGINT", true),
        SIGQUIT => ("SIGQUIT", true),
        SIGABRT => ("SIGABRT", false),
        _ => return None,
    };
    Some(Event::StopAsked { signal, announce })
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => pending().await,
    }
}

async fn end_of(flight: &mut Option<Flight<'_>>) -> Outcome {
    match flight {
        Some(flight) => flight.await,
        None => pending().await,
    }
}

fn log_start(config: &Config, child: &Child, probing: bool) {
    let (pid, command) = (child.pid(), config.command[0].display());
    if !probing {
        tracing::info!("started {command} as process {pid}");
        return;
    }
    let Config { target, timing, .. } = config;
    let (interval, timeout) = (Span(timing.interval), Span(timing.timeout));
    let on_hang = match (config.watchdog, config.on_hang) {
        (None, _) => "until it is ready".to_owned(),
        (Some(_), OnHang::Trigger) => format!("trigger after {} unhealthy in a row", timing.failures),
        (Some(_), OnHang::Withhold) => "no ping while unhealthy".to_owned(),
    };
    tracing::info!(
        "started {command} as process {pid}; probing {target} every {interval}, timeout {timeout}, {on_hang}"
    );
}

fn log(note: &Note) {
    match note {
        Note::Ready { after } => tracing::info!("ready after {}", rounded(*after)),
        Note::NeverHealthy { reason } => tracing::warn!("stopped before it was ever healthy: {reason}"),
        Note::Unhealthy { reason } => tracing::warn!("unhealthy: {reason}"),
        Note::Recovered { failures: 1 } => tracing::info!("healthy again after 1 unhealthy probe"),
        Note::Recovered { failures } => tracing::info!("healthy again after {failures} unhealthy probes"),
        Note::Triggered { reason } => tracing::error!("asking systemd to restart the service: {reason}"),
    }
}
