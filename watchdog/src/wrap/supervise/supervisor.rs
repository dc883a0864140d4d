//! The loop itself.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use self::mainship::Mainship;
use self::once::Once;
use self::outside::Outside;
use self::wake::Woken;
use super::wait::{Boxed, watch_manager};
use super::{LAST_WORDS, Service, note};
use crate::cli::ChildPings;
use crate::hang::flapping::Flapping;
use crate::hang::watch::Ended;
use crate::kernel::alarm;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::memory;
use crate::kernel::progress::Progress;
use crate::kernel::stalls::{Limit, Pressure};
use crate::kernel::starvation::Starvation;
use crate::probe::{Deadline, Probes};
use crate::report::Recent;
use crate::service::child::Child;
use crate::service::end::End;
use crate::service::signals::Signals;
use crate::service::witness::Witness;
use crate::systemd::barrier::Barrier;
use crate::systemd::message::{Message, WatchdogWord};
use crate::systemd::notify::Notifier;
use crate::systemd::relay::Relay;
use crate::systemd::reloads::Reloads;
use crate::systemd::restarts;
use crate::systemd::stopping::Course;
use crate::systemd::unit_name;
use crate::words::metrics;
use crate::words::metrics::{Exporter, Metrics};
use crate::words::outcome::Outcome;
use crate::words::span::{Span, rounded};
use crate::wrap::state::{Actions, Event, Note, Phase, State};

mod heard;
mod mainship;
mod once;
mod outside;
mod report;
mod wake;

/// From the third ping on, the loop does little else than to probe.
const PINGS_TO_SETTLE: u8 = 3;

pub(super) struct Supervisor<'a> {
    service: &'a Service<'a>,
    state: State,
    child: Child,
    notifier: Option<Notifier>,
    relay: Option<Relay>,
    /// Whom COMMAND's first process named with `MAINPID=`.
    named: Option<i32>,
    first_pid: i32,
    /// One that is not the main process has said WATCHDOG=1, and that was logged.
    pinged_for_another: bool,
    outside: Outside,
    mainship: Mainship<'a>,
    once: Once<'a>,
    /// The probes under way, one of each set at most.
    flights: Vec<Option<Flight<'a>>>,
    /// The hang report under way, and the question whether systemd is stopping the unit.
    report: Option<Boxed<'a, Course>>,
    recent: Recent,
    /// Until systemd has read READY=1.
    barrier: Option<(Barrier, Instant)>,
    /// Until it is known how often systemd has restarted the unit.
    restarts: Option<Boxed<'a, Option<u32>>>,
    /// Until what the start needed is given back.
    pings_to_settle: u8,
    cgroup: Cgroup,
    /// Of each set: what is seen while one is asked is forgotten when it answers.
    starvation: Vec<Rc<Starvation>>,
    progress: Progress,
    /// While the start is extended.
    reloads: Option<Reloads>,
    flapping: Flapping,
    metrics: Rc<Metrics>,
}

struct Flight<'a> {
    started: Instant,
    limit: Limit,
    probe: Boxed<'a, Outcome>,
}

/// The first to end of those under way, and the index of its set.
async fn first_of(flights: &mut [Option<Flight<'_>>]) -> (usize, Outcome) {
    poll_fn(|context| {
        for (set, flight) in flights.iter_mut().enumerate() {
            if let Some(flight) = flight
                && let Poll::Ready(outcome) = flight.probe.as_mut().poll(context)
            {
                return Poll::Ready((set, outcome));
            }
        }
        Poll::Pending
    })
    .await
}

impl<'a> Supervisor<'a> {
    /// COMMAND has just been started.
    pub(super) fn new(
        service: &'a Service<'a>,
        child: Child,
        notifier: Option<Notifier>,
        relay: Option<Relay>,
        witness: Option<Witness>,
    ) -> Self {
        let (now, cgroup) = (Instant::now(), Cgroup::own());
        let mut progress = Progress::new(cgroup.clone());
        if service.config.start_timeout.is_some() {
            progress.look(now);
        }
        let target = |probes: &Probes| if probes.is_empty() { String::new() } else { probes.to_string() };
        let targets: Vec<String> = service.probes.iter().map(target).collect();
        let state = if notifier.is_some() {
            State::new(service.config, &targets, fastrand::u64(..), now)
        } else {
            State::unguarded(service.config, &targets, now)
        };
        let starvation = || Rc::new(Starvation::new(cgroup.clone(), service.config.pressure_limit));
        let reloads = service.config.start_timeout.and(notifier.as_ref()).and_then(watch_manager);
        let mut mainship = Mainship::default();
        if notifier.is_some() {
            mainship.look(now);
        }
        Self {
            state,
            first_pid: child.pid(),
            child,
            notifier,
            relay,
            named: None,
            pinged_for_another: false,
            outside: Outside::default(),
            mainship,
            once: Once::new(witness),
            flights: targets.iter().map(|_| None).collect(),
            report: None,
            recent: Recent::new(),
            barrier: None,
            restarts: None,
            pings_to_settle: PINGS_TO_SETTLE,
            starvation: targets.iter().map(|_| starvation()).collect(),
            progress,
            flapping: Flapping::default(),
            cgroup,
            reloads,
            metrics: Rc::new(Metrics::new(unit_name::own().as_deref(), service.config.watchdog)),
            service,
        }
    }

    /// The figures, to be served beside.
    pub(super) fn metrics(&self) -> Rc<Metrics> {
        Rc::clone(&self.metrics)
    }

    /// Runs until COMMAND has ended, and says how it did.
    pub(super) async fn run(&mut self, signals: &Signals, exporter: &Exporter) -> End {
        loop {
            let before = self.state.phase();
            let woken = self.wake(signals).await;
            if let Some(end) = self.take_signals(signals) {
                return end;
            }
            match woken {
                Woken::FollowedEnded => {
                    if let Some(end) = self.reap() {
                        return end;
                    }
                }
                Woken::Knock => self.take_others(signals),
                Woken::Witnessed => {
                    if let Some(end) = self.hear_witness(signals) {
                        return end;
                    }
                }
                woken => self.handle(woken),
            }
            if self.state.phase() != Phase::Starting {
                self.reloads = None;
            }
            self.count();
            exporter.update(&self.metrics, Instant::now(), self.state.phase() != before);
            if self.outside.is_busy() {
                // What the probes wait for is only seen when nothing runs.
                tokio::task::yield_now().await;
            }
        }
    }

    fn handle(&mut self, woken: Woken) {
        match woken {
            Woken::FollowedEnded | Woken::Knock | Woken::Witnessed => {}
            Woken::SystemdIsThrough => self.systemd_is_through(),
            Woken::NotWitnessed => self.pass_on_withheld(),
            Woken::ProbeEnded { set, outcome } => self.probed(set, outcome),
            Woken::TimeCame => self.time_came(Instant::now()),
            Woken::Reported { course } => {
                self.report = None;
                self.step(Event::Reported { course });
            }
            Woken::ReadyRead(is_read) => {
                self.mainship.look(Instant::now());
                if let Some((_, sent)) = self.barrier.take() {
                    note::ready_read(is_read.then(|| sent.elapsed()));
                }
            }
            Woken::Mainship(standing) => self.mainship_told(standing),
            Woken::ManagerReloads => self.step(Event::ManagerReloads),
            Woken::Restarts(restarts) => {
                self.restarts = None;
                if let Some(restarts) = restarts {
                    self.metrics.restarts(restarts);
                    self.step(Event::Restarts(restarts));
                }
            }
        }
    }

    fn retry_at(&self) -> Option<Instant> {
        self.notifier.as_ref().and_then(Notifier::retry_at)
    }

    /// Does what is due.
    fn time_came(&mut self, now: Instant) {
        let is_due = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        if is_due(self.retry_at()) {
            self.flush();
        }
        if is_due(self.mainship.next_look()) {
            self.ask_for_mainship();
        }
        if is_due(self.state.next_look()) {
            let is_progress = self.progress.look(now);
            let set = self.state.awaited();
            let starvation = &self.starvation[set];
            starvation.look(now);
            let able = self.state.row_began(set).map_or(Duration::ZERO, |began| starvation.able(began, now));
            self.step(Event::Looked { is_progress, able });
        }
        if is_due(self.state.no_ping_due()) {
            let (able, pressure) = match self.state.asked() {
                Some((set, since)) => {
                    let starvation = &self.starvation[set];
                    starvation.look(now);
                    (starvation.able(since, now), starvation.pressure(since, now))
                }
                None => (Duration::ZERO, None),
            };
            self.step(Event::NoPing { able, pressure });
        }
        for set in 0..self.flights.len() {
            if let Some(due) = self.state.next_probe_of(set).filter(|due| *due <= now) {
                self.metrics.late(now - due);
                self.step(Event::ProbeDue { set });
            }
        }
    }

    fn probed(&mut self, set: usize, outcome: Outcome) {
        let Some(Flight { started, limit, .. }) = self.flights[set].take() else { return };
        let now = Instant::now();
        let took = now - started;
        match &outcome {
            Outcome::Healthy => tracing::debug!("probe healthy after {}", rounded(took)),
            Outcome::Unhealthy(reason) => {
                tracing::debug!("probe unhealthy after {}: {reason}", rounded(took));
            }
        }
        self.metrics.probe(took, &outcome);
        self.recent.remember(now, took, &outcome);
        note::flapped(&mut self.flapping, now);
        let (is_healthy, row) = (outcome == Outcome::Healthy, self.state.row_began(set));
        if is_healthy && self.service.config.child_pings == ChildPings::Require {
            let is_heard = self.hear_all();
            self.state.hears_child(is_heard);
        }
        let measured = self.starvation[set].measure(is_healthy, limit.timeout, started, row, now);
        self.step(Event::ProbeEnded { set, ended: Ended::new(outcome, limit, measured) });
    }

    fn step(&mut self, event: Event) {
        let now = Instant::now();
        let is_verdict = matches!(
            event,
            Event::ProbeEnded { .. }
                | Event::NoPing { .. }
                | Event::StopAsked { .. }
                | Event::Reported { .. }
                | Event::Ended { .. }
        );
        let due = match event {
            Event::ProbeDue { set } => Some(set),
            _ => None,
        };
        let Actions { start_probe, abandon_probe, message, report, ask, note, slowed } =
            self.state.step(event, now);
        if abandon_probe {
            self.flights.iter_mut().for_each(|flight| *flight = None);
        }
        if let (Some(limit), Some(set)) = (start_probe, due) {
            let deadline = Deadline::able(limit, Rc::clone(&self.starvation[set]));
            let probes = &self.service.probes[set];
            let probe = Box::pin(async move { probes.run(&deadline).await });
            self.flights[set] = Some(Flight { started: now, limit, probe });
        }
        if report.is_some() || ask.is_some() {
            self.report(report, ask);
        }
        if message.reloading.is_some() && self.notifier.is_some() {
            // What time it has may be another since READY=1, and so may the main process be after it.
            self.mainship.look(now);
        }
        self.send(message, is_verdict || self.state.phase() != Phase::Watching, now);
        if let Some(pressure) = slowed {
            self.slowed(pressure, now);
        }
        if let Some(note) = note {
            self.note(&note);
        }
    }

    /// The start is over when a few pings were sent and nothing of it is under way.
    fn settle(&mut self) {
        let is_asking = self.restarts.is_some() || self.mainship.asking.is_some();
        if self.barrier.is_some() || is_asking || self.pings_to_settle == 0 {
            return;
        }
        self.pings_to_settle -= 1;
        if self.pings_to_settle == 0
            && let Err(error) = memory::release_startup()
        {
            tracing::debug!("what the start needed of memory is kept: {error}");
        }
    }

    /// Where it `is_verdict`, a ping that still waits is worth nothing any more.
    fn send(&mut self, message: Message, is_verdict: bool, now: Instant) {
        if self.notifier.is_some() && message.watchdog == Some(WatchdogWord::Ping) {
            self.metrics.ping();
            if self.mainship.is_ours() {
                self.metrics.timed_from(now);
            }
            self.settle();
        }
        let Some(notifier) = &mut self.notifier else { return };
        let is_first_ready = message.ready && message.reloading.is_none() && self.restarts.is_none();
        if is_verdict {
            notifier.send(message, now);
        } else {
            notifier.add(message, now);
        }
        if is_first_ready && self.barrier.is_none() {
            match notifier.barrier(now) {
                Ok(barrier) => self.barrier = Some((barrier, now)),
                Err(error) => tracing::warn!("cannot ask systemd whether it has read READY=1: {error}"),
            }
        }
    }

    fn slowed(&mut self, pressure: Pressure, now: Instant) {
        self.metrics.widened();
        if self.flapping.slowed(now) {
            note::slowed(pressure);
        }
    }

    fn note(&mut self, note: &Note) {
        match note {
            Note::Ready { .. } => {
                self.metrics.timed_from(Instant::now());
                if !self.state.child_is_heard() {
                    self.check_reach(false);
                }
                self.restarts = restarts::query(self.service.children).map(|query| Box::pin(query) as _);
            }
            Note::Unheard => self.check_reach(true),
            Note::Discounted { .. } => self.metrics.discounted(),
            Note::Triggered { .. } | Note::Withholding { .. } | Note::WouldTrigger { .. } => {
                self.metrics.hang();
            }
            Note::NeverHealthy { .. }
            | Note::Unhealthy { .. }
            | Note::CannotProbe { .. }
            | Note::Recovered { .. }
            | Note::CalledOff { .. }
            | Note::BusyReloading { .. }
            | Note::ReloadUnfinished { .. }
            | Note::ReloadRefused { .. }
            | Note::StoppingInReload
            | Note::Reloaded { .. } => {}
        }
        note::log(note, &mut self.flapping);
    }

    fn count(&self) {
        let failures = self.state.failures_in_a_row();
        self.metrics.failures(failures);
        self.metrics.state(match self.state.phase() {
            Phase::Starting => metrics::ServiceState::Starting,
            Phase::Watching if self.state.cannot_probe() => metrics::ServiceState::CannotProbe,
            Phase::Watching if failures > 0 => metrics::ServiceState::Unhealthy,
            Phase::Watching => metrics::ServiceState::Watching,
            Phase::Unguarded => metrics::ServiceState::Unguarded,
            Phase::Reporting | Phase::Hung => metrics::ServiceState::Hung,
            Phase::Stopping => metrics::ServiceState::Stopping,
        });
    }

    fn flush(&mut self) {
        if let Some(notifier) = &mut self.notifier {
            notifier.flush(Instant::now());
        }
    }

    /// Tells systemd how COMMAND ended, and waits until it has heard.
    pub(super) async fn last_words(&mut self, end: End) {
        // What was asked to stop may leave some to end a moment later.
        let left_behind = match self.state.phase() {
            Phase::Stopping => 0,
            _ => self.service.children.left_behind(),
        };
        note::ended(end, left_behind);
        self.step(Event::Ended { how: end.to_string() });
        let Some(notifier) = &mut self.notifier else { return };
        let give_up = Instant::now() + LAST_WORDS;
        let Ok(barrier) = notifier.barrier(Instant::now()) else { return };
        let read = async {
            loop {
                tokio::select! {
                    result = barrier.passed() => return result,
                    () = alarm::at(notifier.retry_at()) => notifier.flush(Instant::now()),
                }
            }
        };
        if !matches!(alarm::timeout_at(give_up, read).await, Ok(Ok(()))) {
            tracing::debug!("systemd did not read the last words within {}", Span(LAST_WORDS));
        }
    }
}
