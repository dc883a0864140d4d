//! `STATUS=`: what people read in `systemctl status`, and when it is worth saying. PID 1 handles each of them, for every
//! service, so it is not said with every probe.

use std::time::{Duration, Instant};

use super::{Act, GuardState, Phase};
use crate::guard::event::Actions;
use crate::words::metrics;
use crate::words::outcome::Reason;
use crate::words::span::rounded;

/// Another state of the same unhealthy service is said at most this often …
const GAP: Duration = Duration::from_secs(1);
/// … and the newest figures of a healthy one, this often.
const REFRESH: Duration = Duration::from_secs(60);

impl GuardState {
    pub(super) fn say(&mut self, now: Instant, actions: &mut Actions) {
        let known = !matches!(self.phase, Phase::Away(_));
        if known && !self.ready {
            self.ready = true;
            actions.message.ready = true;
        }
        let (kind, text) = self.status();
        let state = if known { self.unit.describe() } else { "unknown".to_owned() };
        let (main, forecast) = (format!("({state}): {text}"), self.forecast());
        // By what it is held up is news; for how much of the time is a figure.
        let waits_for = self.pressure().map_or("", |pressure| pressure.resource);
        if self.said.is_due(kind, &format!("{main}{forecast}{waits_for}"), now) {
            actions.message.status = Some(format!("{}{forecast}", self.figures(&main)));
        }
    }

    /// What the status is about, and its middle part; figures are left out, for they change all the time.
    fn status(&self) -> (Kind, String) {
        let words = |reason: Option<&Reason>| reason.map(ToString::to_string).unwrap_or_default();
        let reason = || words(self.reason());
        let remark = self.remark.as_ref().map(|remark| format!(": {remark}")).unwrap_or_default();
        match &self.phase {
            Phase::Away(_) => (Kind::Plain, format!("systemd is out of reach{remark}")),
            Phase::Resting if self.maintenance => (Kind::Plain, "left alone: maintenance".to_owned()),
            Phase::Resting => (Kind::Plain, format!("left alone{remark}")),
            Phase::Starting { .. } if self.is_silence_said => {
                (Kind::Figures, format!("never healthy so far, and so left alone: {}", reason()))
            }
            Phase::Starting { .. } if self.reason().is_some() => {
                (Kind::Figures, format!("no healthy answer yet: {}", reason()))
            }
            Phase::Watching if self.is_called() => {
                (Kind::Figures, format!("hung, and {}: {}", self.why_left_alone(), reason()))
            }
            Phase::Watching if self.cannot_probe().is_some() => {
                (Kind::Figures, format!("cannot probe: {}", words(self.cannot_probe())))
            }
            Phase::Watching if self.slow().is_some() => {
                let (no_answer, able) = self.slow().unwrap_or_default();
                let (no_answer, able) = (rounded(no_answer), rounded(able));
                (Kind::Figures, format!("slow: no answer for {no_answer}, of which it could run for {able}"))
            }
            Phase::Watching if self.reason().is_some() => (Kind::Figures, format!("unhealthy: {}", reason())),
            Phase::Watching if self.latency.is_some() => (Kind::Healthy, "healthy".to_owned()),
            Phase::Starting { .. } | Phase::Watching => (Kind::Figures, "no healthy answer yet".to_owned()),
            Phase::Acting(act) => (Kind::Plain, act.describe().to_owned()),
            Phase::Ended => (Kind::Plain, String::new()),
        }
    }

    /// Why nothing is done about a hang that was said to be one.
    fn why_left_alone(&self) -> String {
        match (&self.refusal, self.obstacle()) {
            _ if self.rules.dry_run => "would have been ended".to_owned(),
            (Some((why, _)), _) => format!("cannot be ended ({why})"),
            (None, Some(obstacle)) => format!("left alone, since nobody would start it again ({obstacle})"),
            (None, None) => "ended too often already".to_owned(),
        }
    }

    /// What is wrong although nothing is.
    fn forecast(&self) -> String {
        match self.obstacle() {
            Some(obstacle) if self.figure() == metrics::ServiceState::Watching => {
                format!("; in a hang it would be left alone ({obstacle})")
            }
            _ => String::new(),
        }
    }

    fn figures(&self, main: &str) -> String {
        let answered = match (&self.phase, self.latency) {
            (Phase::Watching, Some(took))
                if self.reason().is_none() && self.cannot_probe().is_none() && self.slow().is_none() =>
            {
                format!(", answered in {}", rounded(took))
            }
            _ => String::new(),
        };
        let pressure =
            self.pressure().map(|pressure| format!(", waiting for {pressure}")).unwrap_or_default();
        let (failures, restarts) = (self.failures(), self.restarts);
        let plural = |count: u32| if count == 1 { "" } else { "s" };
        format!(
            "guarding {} {main}{answered}{pressure}, {failures} failure{}, {restarts} restart{}",
            self.name,
            plural(failures),
            plural(restarts),
        )
    }
}

impl Act {
    fn describe(&self) -> &'static str {
        match self {
            Self::ReadingSettings => "hung",
            Self::Reporting { .. } => "hung: making the hang report",
            Self::Signalled(_) => "hung: was sent the watchdog's signal",
            Self::Killed(_) => "hung: was sent SIGKILL",
            Self::Dead { .. } | Self::Looking { .. } => "ended, to be started again",
            Self::Starting => "being started again",
        }
    }
}

/// What a status is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Each is news.
    Plain,
    /// The figures change with every probe.
    Figures,
    /// The same, and nobody is in a hurry to read them.
    Healthy,
}

/// What was said last.
#[derive(Debug, Clone, Default)]
pub struct Throttle {
    last: Option<(Kind, String, Instant)>,
}

impl Throttle {
    /// Whether it is time to say a status of this kind, the main part of which is `text`. If so, it counts as said.
    pub fn is_due(&mut self, kind: Kind, text: &str, now: Instant) -> bool {
        let due = match &self.last {
            None => true,
            Some((last, said, at)) => {
                let news = *last != kind || said != text;
                match kind {
                    Kind::Plain => news,
                    Kind::Healthy => news || now - *at >= REFRESH,
                    Kind::Figures => *last != kind || now - *at >= GAP,
                }
            }
        };
        if due {
            self.last = Some((kind, text.to_owned(), now));
        }
        due
    }
}
