//! The loop of guard mode: turns what comes in into events for [`GuardState`], and its actions into I/O.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::unbounded_channel;

use crate::cli::OutsideArgs;
use crate::guard::bus::{Bus, BusError, Changes};
use crate::guard::decide::GuardState;
use crate::guard::event::{Actions, Event, Failure, Moment, Task};
use crate::guard::follow::{Line, News, follow};
use crate::guard::gauge::{Gauge, Reading};
use crate::guard::ledger::Ledger;
use crate::guard::maintenance::Maintenance;
use crate::guard::note::Note;
use crate::guard::rules::Rules;
use crate::guard::settings::Settings;
use crate::guard::signals::Signals;
use crate::guard::unit::Unit;
use crate::guard::{GuardError, Reporter, note};
use crate::hang::flapping::Flapping;
use crate::kernel::alarm::{at, sleep, timeout};
use crate::kernel::runtime::runtime;
use crate::kernel::stalls::Limit;
use crate::probe::Probes;
use crate::report::Recent;
use crate::service::children::Children;
use crate::systemd::notify::Notifier;
use crate::systemd::scope::Scope;
use crate::unit::UnitName;
use crate::words::log;
use crate::words::metrics;
use crate::words::metrics::{Exporter, Metrics};
use crate::words::outcome::Outcome;
use crate::words::span::Span;

/// How long the last message may wait for room in systemd's queue.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Where systemd is not to be had for this long at our start, it is not the moment but the place.
const PATIENCE: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(50);

/// [`GuardState`] asks nothing of systemd while it is out of reach.
const NO_LINE: &str = "systemd is out of reach";

/// What a guard is made of.
pub struct Guard<'a> {
    /// Whose UNIT is.
    pub scope: Scope,
    /// UNIT
    pub name: UnitName,
    /// When it hangs, and what then.
    pub rules: Rules,
    /// What is probed, set by set.
    pub probes: &'a [Probes],
    /// Our own unit's, where we run in one.
    pub notifier: Option<Notifier>,
    /// While it is on, UNIT is left alone.
    pub maintenance: Maintenance,
    /// What the next guard is to know.
    pub ledger: Ledger,
    /// The helpers that probes and reports run.
    pub children: &'a Children,
    /// Makes hang reports.
    pub report: &'a Reporter,
    /// W
    pub watchdog: Duration,
    /// How it is seen from outside.
    pub outside: &'a OutsideArgs,
}

/// Guards UNIT until asked to stop.
pub fn run(guard: Guard<'_>) -> Result<ExitCode, GuardError> {
    let runtime = runtime().map_err(|source| GuardError::System { what: "set up I/O", source })?;
    let end = runtime.block_on(async {
        let signals =
            Signals::block().map_err(|source| GuardError::System { what: "block signals", source })?;
        let bus = first_bus(guard.scope).await?;
        drive(guard, bus, &signals).await
    });
    // A name lookup may hang in its thread; there is nothing to wait for.
    runtime.shutdown_background();
    end.map(|()| ExitCode::SUCCESS)
}

/// Early at boot the bus can be there before systemd is on it.
async fn first_bus(scope: Scope) -> Result<(Bus, Changes), BusError> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match Bus::connect(scope).await {
            Err(_) if Instant::now() < give_up => sleep(RETRY).await,
            result => return result,
        }
    }
}

/// How a task that is no probe ends.
type Underway<'a> = Pin<Box<dyn Future<Output = Event> + 'a>>;

/// The last probe of a set.
struct Asked<'a> {
    /// While it is under way.
    answer: Option<Pin<Box<dyn Future<Output = Outcome> + 'a>>>,
    started: Instant,
    /// How long it may take.
    limit: Limit,
    /// When to look whether UNIT is kept from answering.
    slow_look: Option<Instant>,
}

impl Asked<'_> {
    fn none() -> Self {
        Self { answer: None, started: Instant::now(), limit: Limit::of(Duration::ZERO), slow_look: None }
    }

    fn give_up(&mut self) {
        (self.answer, self.slow_look) = (None, None);
    }
}

async fn drive(guard: Guard<'_>, bus: (Bus, Changes), signals: &Signals) -> Result<(), GuardError> {
    let Guard {
        scope,
        name,
        rules,
        probes,
        notifier,
        maintenance,
        ledger,
        children,
        report,
        watchdog,
        outside,
    } = guard;
    let exporter = Exporter::open(outside)?;
    let metrics = Metrics::new(Some(name.as_str()), Some(watchdog));
    let _structured = log::structured();
    let targets: Vec<_> = probes.iter().map(ToString::to_string).collect();
    note::settings(&name, &rules).tell(None, &note::start(&name, &rules, &targets));
    if let Some(warning) = note::late_report(&rules) {
        tracing::warn!("{warning}");
    }
    let (sender, mut news) = unbounded_channel();
    let gauge = Gauge::new(rules.pressure_limit, probes.len());
    let known = (ledger.ends(), ledger.healthy());
    let state = GuardState::new(rules, name.clone(), &targets, known, Instant::now());
    let mut driver = Driver {
        scope,
        name: &name,
        probes,
        report,
        maintenance,
        ledger,
        notifier,
        state,
        line: None,
        underway: None,
        asked: probes.iter().map(|_| Asked::none()).collect(),
        gauge,
        recent: Recent::new(),
        flapping: Flapping::default(),
        figure: metrics::ServiceState::Stopping,
        metrics: &metrics,
        exporter: &exporter,
    };
    let mut serving = pin!(exporter.serve(&metrics));
    let mut follower = pin!(follow(scope, &name, bus, &sender));
    loop {
        let slow_look = driver.slow_look();
        tokio::select! {
            // In this order: what systemd says of UNIT comes before what follows from what it said earlier.
            biased;
            told = signals.stop() => {
                told.map_err(|source| GuardError::System { what: "wait for signals", source })?;
                driver.step(Event::Stop).await;
                driver.ledger.forget_health();
                driver.last_words().await;
                exporter.close().await;
                return Ok(());
            }
            () = at(driver.notifier.as_ref().and_then(Notifier::retry_at)) => driver.flush(),
            () = &mut follower => {}
            Some(news) = news.recv() => driver.hear(news).await,
            event = end_of(&mut driver.underway) => driver.ended(event).await,
            (set, outcome) = answer_of(&mut driver.asked) => driver.probed(set, outcome).await,
            () = driver.gauge.found() => {}
            () = at(slow_look) => driver.look_whether_slow().await,
            () = at(driver.state.due()) => driver.step(Event::Due).await,
            () = at(driver.state.turn()) => driver.step(Event::Turn).await,
            // In every phase: one that was given up while UNIT is stopped ends when nobody asks any more.
            told = signals.child() => {
                told.map_err(|source| GuardError::System { what: "wait for signals", source })?;
                while children.reap().has_more {}
            }
            never = &mut serving => match never {},
        }
    }
}

struct Driver<'a> {
    scope: Scope,
    name: &'a UnitName,
    probes: &'a [Probes],
    report: &'a Reporter,
    maintenance: Maintenance,
    ledger: Ledger,
    notifier: Option<Notifier>,
    state: GuardState,
    /// [`None`] while there is no connection.
    line: Option<Rc<Line>>,
    underway: Option<Underway<'a>>,
    /// Of each set.
    asked: Vec<Asked<'a>>,
    gauge: Gauge<'a>,
    recent: Recent,
    flapping: Flapping,
    figure: metrics::ServiceState,
    metrics: &'a Metrics,
    exporter: &'a Exporter,
}

impl<'a> Driver<'a> {
    async fn hear(&mut self, news: News) {
        match news {
            News::Connected(line) => self.line = Some(line),
            News::Unit(unit) => {
                tracing::debug!("{unit:?}");
                self.step(Event::Seen(unit)).await;
            }
            News::Settings(settings) => {
                tracing::debug!("{settings:?}");
                self.step(Event::Settings(settings)).await;
            }
            News::Lost(why) => {
                self.line = None;
                self.step(Event::Lost { why }).await;
            }
        }
    }

    async fn look_whether_slow(&mut self) {
        let now = Instant::now();
        let due = |asked: &Asked<'_>| asked.slow_look.is_some_and(|look| look <= now);
        let Some(set) = self.asked.iter().position(due) else { return };
        let asked = &mut self.asked[set];
        asked.slow_look = Some(now + asked.limit.timeout);
        if let Some((able, pressure)) = self.gauge.slow(set, asked.started, now) {
            self.step(Event::Slow { set, able, pressure }).await;
        }
    }

    /// When that is to be done next.
    fn slow_look(&self) -> Option<Instant> {
        self.asked.iter().filter_map(|asked| asked.slow_look).min()
    }

    async fn ended(&mut self, event: Event) {
        self.underway = None;
        tracing::debug!("{event:?}");
        self.step(event).await;
    }

    async fn probed(&mut self, set: usize, outcome: Outcome) {
        let (now, asked) = (Instant::now(), &mut self.asked[set]);
        asked.give_up();
        let (started, limit) = (asked.started, asked.limit);
        let took = now - started;
        self.recent.remember(now, took, &outcome);
        note::flapped(self.name, &mut self.flapping, now);
        self.metrics.probe(took, &outcome);
        let row = self.state.row_began(set);
        let read = || control_group(self.line.clone());
        let ended = self.gauge.ended(set, outcome, (started, limit), row, now, read);
        tracing::debug!("{ended:?}");
        self.step(Event::Probed { set, ended }).await;
    }

    async fn step(&mut self, event: Event) {
        let maintenance = self.maintenance.is_on().await;
        let now = Instant::now();
        let moment = Moment { now, maintenance, dice: fastrand::f32() };
        let Actions { drop_task, task, message, notes, ends, healthy } = self.state.step(event, moment);
        if drop_task {
            self.underway = None;
            self.asked.iter_mut().for_each(Asked::give_up);
        }
        let kept = [
            ends.map(|ends| self.ledger.keep_ends(&ends)),
            healthy.map(|instance| self.ledger.keep_health(&instance)),
        ];
        if let Some(error) = kept.into_iter().flatten().find_map(Result::err) {
            // By who may not write to /run.
            tracing::debug!("what happened to UNIT is forgotten when this guard ends: {error}");
        }
        if let Some(task) = task {
            self.begin(task, now);
        }
        self.gauge.follow(self.state.instance(), || control_group(self.line.clone()));
        self.metrics.failures(self.state.failures());
        self.metrics.restarts(self.state.restarts());
        self.metrics.armed(self.state.is_armed(now));
        let figure = self.state.figure();
        let is_changed = std::mem::replace(&mut self.figure, figure) != figure;
        self.metrics.state(figure);
        self.exporter.update(self.metrics, now, is_changed);
        if let Some(notifier) = &mut self.notifier {
            notifier.send(message, now);
        }
        for note in &notes {
            self.count(note);
            note::log((self.scope, self.name), note, &mut self.flapping);
        }
    }

    fn count(&self, note: &Note) {
        match note {
            Note::Hung { .. } | Note::DryRun { .. } | Note::LeftAlone { .. } | Note::Exhausted { .. } => {
                self.metrics.hang();
            }
            Note::Discounted { .. } => self.metrics.discounted(),
            Note::Slowed { .. } => self.metrics.widened(),
            _ => {}
        }
    }

    fn ask(&mut self, set: usize, limit: Limit, now: Instant) {
        let (probes, deadline) = (&self.probes[set], self.gauge.deadline(set, limit));
        self.asked[set] = Asked {
            answer: Some(Box::pin(async move { probes.run(&deadline).await })),
            started: now,
            limit,
            // The probe itself looks once at its ordinary deadline, and goes on if UNIT is starved.
            slow_look: Some(now + limit.timeout * 2),
        };
    }

    fn begin(&mut self, task: Task, now: Instant) {
        let (name, line) = (self.name, self.line.clone());
        let underway: Underway<'a> = match task {
            Task::Probe { set, limit } => return self.ask(set, limit, now),
            Task::Report(hang) => {
                let budget = hang.budget;
                let report = (self.report)(hang, self.recent.records());
                Box::pin(async move {
                    if timeout(budget, report).await.is_err() {
                        tracing::warn!("the hang report was not done in {}: going on", Span(budget));
                    }
                    Event::Reported
                })
            }
            Task::ReadSettings => Box::pin(async move {
                Event::Read(match line {
                    Some(line) => line.bus.settings(&line.handle).await.map_err(|error| error.to_string()),
                    None => Err(NO_LINE.to_owned()),
                })
            }),
            Task::Look => Box::pin(async move {
                Event::Looked(match line {
                    Some(line) => look(&line).await.map_err(|error| error.to_string()),
                    None => Err(NO_LINE.to_owned()),
                })
            }),
            Task::Kill { whom, signal } => Box::pin(async move {
                Event::Called(match line {
                    Some(line) => line.bus.kill(name, whom, signal).await,
                    None => Err(no_line()),
                })
            }),
            Task::Start { is_exited } => Box::pin(async move {
                Event::Called(match line {
                    Some(line) => line.bus.start(name, is_exited).await,
                    None => Err(no_line()),
                })
            }),
        };
        self.underway = Some(underway);
    }

    fn flush(&mut self) {
        if let Some(notifier) = &mut self.notifier {
            notifier.flush(Instant::now());
        }
    }

    async fn last_words(&mut self) {
        let give_up = Instant::now() + LAST_WORDS;
        while let Some(retry_at) = self.notifier.as_ref().and_then(Notifier::retry_at)
            && retry_at < give_up
        {
            at(Some(retry_at)).await;
            self.flush();
        }
    }
}

/// Nothing was asked.
fn no_line() -> Failure {
    Failure { why: NO_LINE.to_owned(), is_refusal: true }
}

async fn look(line: &Line) -> Result<(Unit, Settings), BusError> {
    Ok((line.bus.look(&line.handle).await?, line.bus.settings(&line.handle).await?))
}

fn control_group<'a>(line: Option<Rc<Line>>) -> Reading<'a> {
    Box::pin(async move {
        let line = line?;
        let read = line.bus.control_group(&line.handle).await;
        read.inspect_err(|error| tracing::debug!("its control group is not known: {error}")).ok()?
    })
}

/// Of the first set whose probe has ended.
async fn answer_of(asked: &mut [Asked<'_>]) -> (usize, Outcome) {
    poll_fn(|context| {
        for (set, asked) in asked.iter_mut().enumerate() {
            if let Some(answer) = &mut asked.answer
                && let Poll::Ready(outcome) = answer.as_mut().poll(context)
            {
                return Poll::Ready((set, outcome));
            }
        }
        Poll::Pending
    })
    .await
}

async fn end_of(underway: &mut Option<Underway<'_>>) -> Event {
    match underway {
        Some(underway) => underway.await,
        None => pending().await,
    }
}
