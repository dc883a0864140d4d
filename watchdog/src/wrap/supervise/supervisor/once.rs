//! A signal of systemd's reaches COMMAND once: it is passed on unless systemd has sent it to all of the unit anyway. How that is
//! found out, see [`witness`](crate::service::witness). Real-time signals that no option names are queued, as often as they come, and
//! are passed on at once: `systemctl kill --signal=RTMIN+5` reaches COMMAND twice, unless it has `--kill-whom=main`.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::Supervisor;
use super::wake::Woken;
use crate::kernel::alarm;
use crate::kernel::cgroup::is_beside_us;
use crate::service::end::End;
use crate::service::signals::{self, Received, Signals};
use crate::service::withheld::Withheld;
use crate::service::witness::{Report, Witness};
use crate::systemd::barrier::Barrier;
use crate::wrap::state::Event;
use crate::wrap::supervise::wait::Boxed;

/// How long systemd may take to say that it is through. A signal is passed on later by that much at most.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same of the witness.
const PATIENCE_WITH_WITNESS: Duration = Duration::from_millis(250);

/// What is known of it.
pub(super) struct Once<'a> {
    /// [`None`]: nothing can be found out, and all is passed on.
    witness: Option<Witness>,
    withheld: Withheld,
    /// The question that is under way.
    question: Option<Boxed<'a, Woken>>,
}

impl<'a> Once<'a> {
    pub fn new(witness: Option<Witness>) -> Self {
        Self { witness, withheld: Withheld::default(), question: None }
    }

    pub fn is_asking(&self) -> bool {
        self.question.is_some()
    }

    /// What is to be waited for.
    pub fn parts(&mut self) -> (Option<&mut Boxed<'a, Woken>>, Option<&Witness>) {
        (self.question.as_mut(), self.witness.as_ref())
    }

    pub fn witness_pid(&self) -> Option<i32> {
        self.witness.as_ref().map(Witness::pid)
    }
}

/// There may be reports of the witness.
pub(super) async fn speaks_of(witness: Option<&Witness>) {
    match witness {
        Some(witness) => witness.wait().await,
        None => pending().await,
    }
}

impl Supervisor<'_> {
    /// Passes a signal on: at once, or when it is known that it was sent to us alone.
    pub(super) fn deliver(&mut self, signal: &Received) {
        if signal.by_manager && self.once.witness.is_some() {
            self.once.withheld.add(*signal);
            self.ask_whether_alone();
        } else {
            self.pass_on(signal);
        }
    }

    fn pass_on(&mut self, signal: &Received) {
        if !self.child.pass_on(signal) {
            tracing::warn!("{} is lost: COMMAND has no room for it", signals::name(signal.number));
        }
        self.reached(signal);
    }

    /// COMMAND has got it.
    pub(super) fn reached(&mut self, signal: &Received) {
        if self.service.config.reload_signal == Some(signal.number) {
            self.step(Event::ReloadDelivered);
        }
    }

    /// First systemd, whether it has sent all that it sends.
    fn ask_whether_alone(&mut self) {
        if !self.once.withheld.ask() {
            return;
        }
        let barrier = self.notifier.as_mut().map(|notifier| notifier.barrier(Instant::now()));
        match barrier {
            Some(Ok(barrier)) => self.once.question = Some(Box::pin(systemd_is_through(barrier))),
            Some(Err(_)) | None => self.pass_on_withheld(),
        }
    }

    /// Then the witness, whether it has reported all that it got.
    pub(super) fn systemd_is_through(&mut self) {
        self.once.question = None;
        match self.once.witness.as_mut().map(Witness::mark) {
            Some(Ok(())) => self.once.question = Some(Box::pin(witness_is_silent())),
            // No room for a signal more (`LimitSIGPENDING=`): what it has got it reports all the same.
            Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => {
                self.once.question = Some(Box::pin(witness_is_silent()));
            }
            Some(Err(error)) => self.lose_witness(&error),
            None => self.pass_on_withheld(),
        }
    }

    /// Takes in what the witness reports, and says how COMMAND ended, if it has.
    pub(super) fn hear_witness(&mut self, signals: &Signals) -> Option<End> {
        let reports = match self.once.witness.as_ref().map(Witness::take)? {
            Ok(reports) => reports,
            Err(error) => {
                self.lose_witness(&error);
                return None;
            }
        };
        // What was reported came to us before: so it is taken in before.
        if let Some(end) = self.take_signals(signals) {
            return Some(end);
        }
        for report in reports {
            match report {
                Report::Mark => self.pass_on_withheld(),
                Report::Signal(number) => {
                    if let Some(signal) = self.once.withheld.reported(number) {
                        self.sent_to_all(&signal);
                    }
                }
            }
        }
        None
    }

    fn sent_to_all(&mut self, signal: &Received) {
        let name = signals::name(signal.number);
        if is_beside_us(self.child.pid()) {
            tracing::debug!("{name} is not passed on: systemd has sent it to all of the unit");
            self.reached(signal);
        } else {
            tracing::debug!("systemd has sent {name} to all of the unit, and COMMAND has left it");
            self.pass_on(signal);
        }
    }

    /// Those that were asked about were sent to us alone, or nobody knows.
    pub(super) fn pass_on_withheld(&mut self) {
        self.once.question = None;
        if let Some(witness) = &mut self.once.witness {
            witness.forget_mark();
        }
        for signal in self.once.withheld.answered() {
            self.pass_on(&signal);
        }
        self.ask_whether_alone();
    }

    /// It has ended, as by SIGKILL to all of the unit.
    fn lose_witness(&mut self, error: &io::Error) {
        tracing::debug!("nobody reports any more what systemd sends to all of the unit: {error}");
        if let Some(witness) = self.once.witness.take() {
            self.service.children.abandon(witness.pid());
        }
        self.once.question = None;
        for signal in self.once.withheld.give_up() {
            self.pass_on(&signal);
        }
    }

    /// To be called at the end.
    pub(in crate::wrap::supervise) async fn end_witness(&mut self) {
        if let Some(witness) = self.once.witness.take() {
            let _ = alarm::timeout(PATIENCE, witness.end()).await;
        }
    }
}

async fn systemd_is_through(barrier: Barrier) -> Woken {
    // Where systemd does not say so, the witness may know all the same.
    let _ = alarm::timeout(PATIENCE, barrier.passed()).await;
    Woken::SystemdIsThrough
}

async fn witness_is_silent() -> Woken {
    alarm::sleep(PATIENCE_WITH_WITNESS).await;
    Woken::NotWitnessed
}
