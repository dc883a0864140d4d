//! From an unhealthy probe to the trigger.

use std::time::{Duration, Instant};

use super::status::Kind;
use super::{Actions, Note, Phase, ReportRequest, State};
use crate::cli::OnHang;
use crate::systemd::message::{Message, WatchdogWord};
use crate::words::outcome::Reason;
use crate::words::span::rounded;

/// How long systemd is asked for where there is to be no report.
const ASK: Duration = Duration::from_millis(50);

impl State {
    /// A failure, of too few to make a hang.
    pub(super) fn failed(&mut self, set: usize, reason: Reason, is_first: bool, now: Instant) -> Actions {
        self.count_failure(now);
        let message = self.maybe_ping(false, now);
        let row = self.sets[set].watch.row();
        let status = self.status.say(Kind::Unhealthy, now, || format!("{row}: {reason}"));
        Actions {
            message: Message { status, ..message },
            note: is_first.then_some(Note::Unhealthy { reason }),
            ..Actions::default()
        }
    }

    /// It fails as one that hangs does.
    pub(super) fn seems_to_hang(&mut self, set: usize, reason: Reason, now: Instant) -> Actions {
        let reload = self.failing_since_reload(set);
        if let Some(began) = reload
            && let Some(actions) = self.busy_reloading(set, &reason, began, now)
        {
            return actions;
        }
        self.hangs(set, reason, reload, now)
    }

    /// It hangs; unless it may be on its way to stop, when systemd's own timer looks after it meanwhile. It was asked to
    /// `reload` then, and has not answered since.
    fn hangs(&mut self, set: usize, reason: Reason, reload: Option<Instant>, now: Instant) -> Actions {
        let may_stop = self.no_hang_before.is_some_and(|until| now < until);
        if may_stop || !self.call(set) {
            return self.failed(set, reason, false, now);
        }
        self.count_failure(now);
        let message = self.maybe_ping(false, now);
        let since = reload.map(|began| format!(" since a reload {} ago", rounded(now - began)));
        let hang = format!("hung, {}{}: {reason}", self.sets[set].watch.row(), since.unwrap_or_default());
        let actions = self.hung(set, hang, self.report_deadline(now), now);
        if actions.message.is_empty() { Actions { message, ..actions } } else { actions }
    }

    /// Calls it a hang, unless there is one already: of several sets the first to find it tells. True if that is news.
    pub(super) fn call(&mut self, set: usize) -> bool {
        !self.is_called() && self.sets[set].watch.call()
    }

    /// COMMAND's own pings have not come for W: systemd itself would have acted on that.
    pub(super) fn silent(&mut self, index: usize, reason: Reason, now: Instant) -> Actions {
        let set = &mut self.sets[index];
        set.watch.condemn(set.started);
        set.is_sound = false;
        set.next = Some(now + set.timing.retry_interval);
        self.hangs(index, reason, None, now)
    }

    pub(super) fn count_failure(&mut self, now: Instant) {
        self.failures += 1;
        self.status.is_news();
        self.sound_since = Some(now);
    }

    pub(super) fn report_deadline(&self, now: Instant) -> Instant {
        (now + self.config.report_budget).min(self.last_call())
    }

    /// Probes cannot be made, and systemd's own timer is about to act: a report, while there is time for one. What it
    /// then kills may be healthy, so nothing is triggered.
    pub(super) fn cannot_probe_report(
        &mut self,
        set: usize,
        reason: &Reason,
        now: Instant,
    ) -> Option<ReportRequest> {
        let deadline = self.last_call();
        let set = &mut self.sets[set];
        let next = now + set.timing.retry_interval;
        let is_due = next + self.config.report_budget >= deadline && now < deadline;
        if !is_due || self.config.report_budget.is_zero() || set.cannot_probe_reported {
            return None;
        }
        set.cannot_probe_reported = true;
        let reason = format!("no ping, since it cannot be probed: {reason}; systemd's own timer acts");
        Some(ReportRequest { deadline, reason, is_certain: false })
    }

    /// It hangs, unless systemd is stopping it: first that, and a report, unless there is no time for one.
    pub(super) fn hung(&mut self, set: usize, reason: String, deadline: Instant, now: Instant) -> Actions {
        let report =
            (deadline > now).then(|| ReportRequest { deadline, reason: reason.clone(), is_certain: true });
        if self.config.dry_run || self.config.on_hang == OnHang::Withhold {
            let set = &mut self.sets[set];
            if !set.in_flight && self.config.dry_run {
                set.next = Some(set.watch.without_hurry(set.started, now));
            } else if !set.in_flight {
                set.next.get_or_insert(now + set.timing.retry_interval);
            }
            let note = if self.config.dry_run {
                Note::WouldTrigger { reason }
            } else {
                Note::Withholding { reason }
            };
            return Actions { report, note: Some(note), ..Actions::default() };
        }
        self.enter(Phase::Reporting);
        self.hang = reason;
        // What the last call leaves of W is more than this.
        let ask = ASK.min(self.config.watchdog.unwrap_or(ASK) / 40);
        let ask = Some(deadline.max(now + ask));
        Actions { report, ask, abandon_probe: true, ..Actions::default() }
    }

    /// A service that closes its listener first and then takes its time hangs, for all that probes can tell: `ExecStop=`
    /// that drains, a `KillSignal=` that was not named.
    /// Where systemd has begun with it, its timer is not to count what is left.
    pub(super) fn called_off(&mut self, rest: bool) -> Actions {
        self.enter(Phase::Stopping);
        let reason = std::mem::take(&mut self.hang);
        let message = Message { rest, ..Message::default() };
        Actions { message, note: Some(Note::CalledOff { reason }), ..Actions::default() }
    }

    pub(super) fn trigger(&mut self) -> Actions {
        self.enter(Phase::Hung);
        let reason = std::mem::take(&mut self.hang);
        Actions {
            abandon_probe: true,
            message: Message { watchdog: Some(WatchdogWord::Trigger), ..Message::status(reason.clone()) },
            note: Some(Note::Triggered { reason }),
            ..Actions::default()
        }
    }
}
