//! A reload: from RELOADING=1 to the READY=1 that ends it.
//!
//! With `Type=notify-reload` (systemd 253) systemd sends `ReloadSignal=` and waits for both, the first with the time at
//! which it was said. Either COMMAND says them itself, or they are said for it: RELOADING=1 before the signal is passed
//! on, READY=1 at the first healthy probe that was started after it. Under `Type=notify` they do no harm: the unit shows
//! as "reloading" for as long.
//!
//! Where COMMAND would die of the signal the reload is refused. systemd sees us as the main process, which has a handler, so
//! it cannot know; where it can (262 and later) it does not even take such a unit up. There is no word for "refused": the
//! reload is said to be over at once, with the reason in STATUS and in the log, instead of leaving systemd to time out.
//!
//! A service may end what it has begun before it loads anew, and answer nobody meanwhile. For a probe that looks like a hang. It
//! has the time that systemd itself gives a reload: as long as a start (systemd.service(5), `TimeoutStartSec=`). Until then
//! it is pinged for, since systemd's timer for the watchdog goes on in a reload. What hangs in it is found at the end. For who
//! answers by then, but has not said that it is over, nothing is excused any longer; systemd is told when it comes.

use std::time::{Duration, Instant};

use super::start::gap;
use super::status::Kind;
use super::{Actions, Note, Phase, State};
use crate::systemd::message::{Message, WatchdogWord};
use crate::words::outcome::Reason;
use crate::words::span::rounded;

/// What a reload has where systemd sets no end to it, or cannot be asked: what systemd is built with
/// (`DefaultTimeoutStartSec=`).
const TIME: Duration = Duration::from_secs(90);

/// Whether one is under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Reload {
    /// Since when.
    asked: Option<Instant>,
    /// COMMAND has said RELOADING=1 itself, and not READY=1 yet.
    is_childs: bool,
    /// COMMAND has not got the signal yet: it is found out first whether systemd has sent it to all of the unit.
    is_withheld: bool,
    /// What did not answer last, of what is asked for the reload alone.
    waits_for: Option<Reason>,
    /// From when on it has its time, for as long as what fails is put down to it. Of a service that answers nobody, another
    /// reload does not begin anew: who is asked to reload ever again is not to hang for ever.
    began: Option<Instant>,
    /// That no hang is called was noted.
    is_noted: bool,
    /// So was that its time is over.
    is_overdue: bool,
    /// The unit's `TimeoutStartSec=`, where that is known and has an end.
    timeout_start: Option<Duration>,
}

impl Reload {
    /// The signal came. The service `answers`, as far as known.
    pub(super) fn asked(&mut self, answers: bool, now: Instant) {
        self.begin(answers, now);
        (self.asked, self.is_childs, self.is_withheld, self.waits_for) = (Some(now), false, true, None);
    }

    /// COMMAND has got the signal: what it did before was not the reload. True if one is under way by it.
    pub(super) fn delivered(&mut self, now: Instant) -> bool {
        if !std::mem::take(&mut self.is_withheld) {
            return false;
        }
        let asked = self.asked.replace(now);
        self.began = self.began.map(|began| if Some(began) == asked { now } else { began });
        asked.is_some()
    }

    /// A probe that was sent then says nothing of it.
    pub(super) fn is_after(&self, started: Instant) -> bool {
        self.asked.is_some_and(|asked| started < asked)
    }

    /// COMMAND says so: what to say in RELOADING=1's `MONOTONIC_USEC`, unless it was said for it already.
    pub(super) fn begun(&mut self, monotonic_usec: Option<u64>, answers: bool, now: Instant) -> Option<u64> {
        self.is_childs = true;
        if self.asked.is_some() {
            return None;
        }
        self.begin(answers, now);
        (self.asked, self.waits_for) = (Some(now), None);
        // Type=notify-reload wants the time, Type=notify does not look at it.
        Some(monotonic_usec.unwrap_or_default())
    }

    fn begin(&mut self, answers: bool, now: Instant) {
        if answers || self.asked.is_none() {
            (self.began, self.is_noted, self.is_overdue) = (Some(now), false, false);
        }
    }

    /// COMMAND's own READY=1.
    pub(super) fn child_is_ready(&mut self) {
        self.is_childs = false;
    }

    pub(super) fn is_on(&self) -> bool {
        self.asked.is_some()
    }

    /// For how long one is under way.
    pub(super) fn lasted(&self, now: Instant) -> Option<Duration> {
        self.asked.and(self.began).map(|began| now - began)
    }

    /// What is asked for it alone has not answered. True the first time.
    pub(super) fn waits_for(&mut self, reason: &Reason) -> bool {
        self.waits_for.replace(reason.clone()).is_none()
    }

    /// `reloading for 12 s, waits for COMMAND's READY=1`
    pub(super) fn text(&self, now: Instant) -> Option<String> {
        let lasted = rounded(self.lasted(now)?);
        Some(match self.missing() {
            Some(missing) => format!("reloading for {lasted}, waits for {missing}"),
            None => format!("reloading for {lasted}"),
        })
    }

    fn missing(&self) -> Option<String> {
        let childs = self.is_childs.then(|| "COMMAND's READY=1".to_owned());
        childs.or_else(|| self.waits_for.as_ref().map(Reason::to_string))
    }

    /// A probe that was started at `started` is healthy: when the reload that it ends was asked for, if it ends one.
    ///
    /// A probe is healthy too that comes before COMMAND has looked at its signal. So what fails is put down to the reload
    /// until one is that was started `reaction` after it.
    pub(super) fn answered(&mut self, started: Instant, reaction: Duration) -> Option<Instant> {
        if self.is_childs || self.is_withheld {
            return None;
        }
        let ended = self.asked.take_if(|asked| started >= *asked);
        if self.asked.is_none() {
            self.began = ended.or(self.began).filter(|asked| started < *asked + reaction);
        }
        ended
    }
}

impl State {
    /// systemd has said what the unit's `TimeoutStartSec=` is; [`None`]: that has no end.
    pub fn timeout_start_is(&mut self, timeout_start: Option<Duration>) {
        self.reload.timeout_start = timeout_start;
    }

    /// How long a reload may take.
    pub(super) fn reload_time(&self) -> Duration {
        self.config.start_timeout.or(self.reload.timeout_start).unwrap_or(TIME)
    }

    /// The reload in the time of which the row of failures began: with a probe that was under way when it began, at the
    /// earliest. What was failing before is no fault of the reload's.
    pub(super) fn failing_since_reload(&self, set: usize) -> Option<Instant> {
        let set = &self.sets[set];
        let row_began = set.watch.row_began()?;
        self.reload.began.filter(|began| {
            row_began + set.timing.timeout >= *began
                && row_began.saturating_duration_since(*began) < self.reload_time()
        })
    }

    /// The reload's time is over, and it is not. systemd waits for it no longer than for a start (`service_dispatch_timer`), with
    /// `TimeoutStartSec=infinity` for ever: what is missing may still come.
    pub(super) fn reload_is_overdue(&mut self, now: Instant) -> Option<Note> {
        let lasted = self.reload.lasted(now).filter(|lasted| *lasted >= self.reload_time())?;
        if std::mem::replace(&mut self.reload.is_overdue, true) {
            return None;
        }
        let missing = self.reload.missing().unwrap_or_else(|| "an answer".to_owned());
        Some(Note::ReloadUnfinished { missing, lasted })
    }

    /// Whether what COMMAND says of stopping may be of its old self: while systemd waits for the reload, as far as that is known.
    pub(super) fn may_stop_to_reload(&self, now: Instant) -> bool {
        let time = self.reload_time().max(self.reload.timeout_start.unwrap_or_default());
        self.reload.lasted(now).is_some_and(|lasted| lasted < time)
    }

    /// When to ask again what has not answered in a reload: as gently as in a start, which may take as long; and without
    /// hurry once its time is over.
    pub(super) fn ask_again_in_reload(&mut self, index: usize, now: Instant) {
        let (lasted, is_overdue) = (self.reload.lasted(now), self.reload.is_overdue);
        let set = &mut self.sets[index];
        let timing = &set.timing;
        let after = |lasted| gap(lasted, timing, now - set.started).max(timing.retry_interval);
        set.next = lasted.map(|lasted| now + if is_overdue { timing.interval } else { after(lasted) });
    }

    /// The sets that are asked for a reload alone.
    pub(super) fn ask_no_more_for_reload(&mut self) {
        let is_unguarded = self.phase == Phase::Unguarded;
        self.sets.iter_mut().filter(|set| is_unguarded || set.ready_only).for_each(|set| set.next = None);
    }

    /// What to do about what would be a hang, but for a reload that `began` then; [`None`] where that has had its time.
    pub(super) fn busy_reloading(
        &mut self,
        set: usize,
        reason: &Reason,
        began: Instant,
        now: Instant,
    ) -> Option<Actions> {
        let left = self.reload_time().checked_sub(now - began).filter(|left| !left.is_zero())?;
        if self.is_called() {
            return None;
        }
        self.count_failure(now);
        self.restart_timer(now);
        let row = self.sets[set].watch.row();
        let status = self
            .status
            .say(Kind::Unhealthy, now, || format!("reloading for {}, {row}: {reason}", rounded(now - began)));
        let is_news = !std::mem::replace(&mut self.reload.is_noted, true);
        Some(Actions {
            message: Message { status, watchdog: Some(WatchdogWord::Ping), ..Message::default() },
            note: is_news.then_some(Note::BusyReloading { reason: reason.clone(), left }),
            ..Actions::default()
        })
    }

    pub(super) fn reload_refused(&mut self, signal: String, monotonic_usec: u64, now: Instant) -> Actions {
        let text = format!("reload refused: COMMAND has no handler for {signal}, and would end");
        let text = self.status.now(Kind::Unhealthy, now, &text);
        // One of its own goes on.
        let is_on = self.reload.is_on();
        let message =
            Message { reloading: (!is_on).then_some(monotonic_usec), ready: !is_on, ..Message::status(text) };
        Actions { message, note: Some(Note::ReloadRefused { signal }), ..Actions::default() }
    }
}
