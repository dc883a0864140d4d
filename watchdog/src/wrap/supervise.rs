//! Runs COMMAND and guards it: the loop that turns what comes in into events for [`State`](crate::wrap::state::State), and its
//! actions into I/O.

use std::ffi::OsString;
use std::rc::Rc;
use std::time::{Duration, Instant};

use self::supervisor::Supervisor;
use crate::cli::{ChildPings, OutsideArgs};
use crate::config::Config;
use crate::kernel::raw::SigPipe;
use crate::kernel::runtime::runtime;
use crate::kernel::variable::Value;
use crate::probe::Probes;
use crate::service::child::{Child, Start};
use crate::service::children::Children;
use crate::service::end::End;
use crate::service::signals::Signals;
use crate::service::witness::Witness;
use crate::systemd::message::Message;
use crate::systemd::notify::Notifier;
use crate::systemd::relay::Relay;
use crate::words::error::Error;
use crate::words::log;
use crate::words::metrics::Exporter;

mod connect;
mod note;
mod share;
mod supervisor;
mod wait;

pub use self::connect::connect;

/// How long systemd may take to read READY=1 before that is worth a warning.
const READY_READ_WITHIN: Duration = Duration::from_secs(5);
/// How long the last words may wait for systemd to read them, once COMMAND has ended: who has exited by then is
/// nobody's to systemd, and what it said is lost.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// What to run, and how to guard it.
#[derive(Debug)]
pub struct Service<'a> {
    /// How to guard it.
    pub config: &'a Config,
    /// COMMAND and its arguments; never empty.
    pub command: &'a [OsString],
    /// What is asked, a set each as in the configuration.
    pub probes: &'a [Probes],
    /// Whom the probes start processes with.
    pub children: &'a Rc<Children>,
    /// How it is seen from outside.
    pub outside: &'a OutsideArgs,
}

/// Runs COMMAND to its end. Without a `notifier` there is nobody to tell how it is, so it is not probed.
pub fn run(service: &Service<'_>, notifier: Option<Notifier>) -> Result<End, Error> {
    let runtime = runtime().map_err(|source| Error::cannot("set up I/O", &source))?;
    let end = runtime.block_on(supervise(service, notifier));
    // A name lookup may hang in its thread; there is nothing to wait for.
    runtime.shutdown_background();
    end
}

async fn supervise(service: &Service<'_>, mut notifier: Option<Notifier>) -> Result<End, Error> {
    let structured = log::structured();
    let named: Vec<i32> =
        service.config.stop_signals.iter().copied().chain(service.config.reload_signal).collect();
    let signals = Signals::block(&named).map_err(|source| Error::cannot("block signals", &source))?;
    let exporter = Exporter::open(service.outside)?;
    service.children.become_subreaper().map_err(|source| Error::cannot("become a subreaper", &source))?;
    let relay = notifier.as_ref().and_then(|_| open_relay());
    let child = match start(service, &signals, relay.as_ref()) {
        Ok(child) => child,
        Err(error) => {
            if let Some(notifier) = &mut notifier {
                notifier.send(Message::status(error.to_string()), Instant::now());
            }
            return Err(error);
        }
    };
    // After COMMAND: what the witness gets, COMMAND gets. A stop that comes in between reaches COMMAND twice, and not never.
    let witness = notifier.as_ref().and_then(|_| start_witness(service.children));
    note::started(service, child.pid(), notifier.is_some());
    let mut supervisor = Supervisor::new(service, child, notifier, relay, witness);
    let end = {
        let metrics = supervisor.metrics();
        let serving = exporter.serve(&metrics);
        tokio::pin!(serving);
        tokio::select! {
            biased;
            end = supervisor.run(&signals, &exporter) => end,
            never = &mut serving => match never {},
        }
    };
    // What is said just before an exit is better a line: journald asks /proc whose an entry is.
    drop(structured);
    supervisor.last_words(end).await;
    supervisor.leave_relay();
    supervisor.end_witness().await;
    exporter.close().await;
    Ok(end)
}

/// Where there can be none, COMMAND runs as one that does not speak to systemd.
fn open_relay() -> Option<Relay> {
    Relay::open()
        .inspect_err(|error| tracing::warn!("COMMAND cannot speak to systemd: no socket for it: {error}"))
        .ok()
}

/// Where there can be none, what systemd sends to all of the unit reaches COMMAND twice.
fn start_witness(children: &Rc<Children>) -> Option<Witness> {
    Witness::start(children)
        .inspect_err(|error| tracing::debug!("whom systemd sends its signals cannot be known: {error}"))
        .ok()
}

fn start(service: &Service<'_>, signals: &Signals, relay: Option<&Relay>) -> Result<Child, Error> {
    let mut extra = Vec::new();
    if let Some(relay) = relay {
        extra.push(("NOTIFY_SOCKET", Value::Text(relay.address().clone())));
        // As systemd would have told it: it is judged by the same.
        if let (ChildPings::Require, Some(watchdog)) = (service.config.child_pings, service.config.watchdog) {
            let usec = watchdog.as_micros().to_string();
            extra.push(("WATCHDOG_USEC", Value::Text(usec.into())));
            extra.push(("WATCHDOG_PID", Value::OwnPid));
        }
    }
    let start = Start {
        command: service.command,
        mask: signals.inherited(),
        sigpipe: SigPipe::inherited(),
        extra: &extra,
    };
    Ok(Child::spawn(&start, service.children)?)
}
