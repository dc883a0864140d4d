//! What systemd does between the end of a main process and the end of its unit: it runs ExecStopPost=, and ends what the process has left
//! behind in the control group, by SIGTERM and then by SIGKILL, each for TimeoutStopSec= at most.
//!
//! Who gets these signals is `KillMode=`'s to say (systemd, src/core/unit.c: `unit_kill_context()`; src/core/service.c:
//! `service_enter_signal()`, the same from v247 to v262; `TimeoutStopFailureMode=` is there from v246 on):
//!
//! - `control-group`: everything that is left gets SIGTERM, and SIGKILL after that;
//! - `mixed`: it gets SIGKILL, at once;
//! - `process`, `none`: it stays, and nobody waits for it.
//!
//! A command of ExecStopPost= that does not end is ended like what is left over, whatever `KillMode=` says of that.

use std::time::Duration;

use super::{Bound, named};
use crate::model::settings::{KillMode, Settings};

impl Bound {
    /// What two things take, one after the other.
    pub(super) fn and(self, then: &Self) -> Self {
        let at_most = self.at_most.saturating_add(then.at_most).min(crate::model::clock::LONGEST);
        Self { above: None, at_most, sum: format!("{} + {}", self.sum, then.sum) }
    }

    /// The same, so many times.
    fn times(self, count: u32) -> Self {
        if count == 1 {
            return self;
        }
        let at_most = self.at_most.saturating_mul(count);
        Self { above: None, at_most, sum: format!("{count} × {}", self.sum) }
    }
}

/// How long something takes at most: no time, so long, or for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Most {
    Nothing,
    Within(Bound),
    Unbounded,
}

impl Most {
    fn of(bound: Option<Bound>) -> Self {
        bound.map_or(Self::Unbounded, Self::Within)
    }

    /// What both take, one after the other.
    pub fn and(self, then: Self) -> Self {
        match (self, then) {
            (Self::Unbounded, _) | (_, Self::Unbounded) => Self::Unbounded,
            (Self::Nothing, most) | (most, Self::Nothing) => most,
            (Self::Within(first), Self::Within(then)) => Self::Within(first.and(&then)),
        }
    }

    /// In time; [`None`] where it is for ever.
    fn at_most(&self) -> Option<Duration> {
        match self {
            Self::Nothing => Some(Duration::ZERO),
            Self::Within(bound) => Some(bound.at_most),
            Self::Unbounded => None,
        }
    }
}

/// The commands of ExecStopPost=, each of which has TimeoutStopSec=.
pub(super) fn stop_posts(settings: &Settings) -> Most {
    if !settings.has_stop_post {
        return Most::Nothing;
    }
    let count = settings.stop_posts.unwrap_or(1).max(1);
    let each = named(settings, "TimeoutStopSec").map(|stop| stop.times(count));
    Most::of(each.map(|all| Bound { sum: format!("ExecStopPost= within {}", all.sum), ..all }))
}

/// How long ExecStopPost= may take; [`None`] where that is for ever.
pub fn stop_post(settings: &Settings) -> Option<Duration> {
    stop_posts(settings).at_most()
}

/// What is left over: what the main process left behind, or a command of ExecStopPost= that has had its time.
pub(super) fn left_over(settings: &Settings) -> Most {
    let is_terminated = match settings.kill_mode {
        Some(KillMode::None) => return Most::Nothing,
        Some(KillMode::Mixed | KillMode::Process) => settings.has_stop_post,
        _ => true,
    };
    let is_killed =
        !settings.spares_with_sigkill && (is_terminated || settings.kill_mode == Some(KillMode::Mixed));
    let signals = u32::from(is_terminated) + u32::from(is_killed);
    if signals == 0 {
        return Most::Nothing;
    }
    let stop = named(settings, "TimeoutStopSec").map(|stop| stop.times(signals));
    let stop = Most::of(stop.map(|stop| Bound { sum: format!("left-over processes {}", stop.sum), ..stop }));
    if is_terminated && settings.aborts_when_stopped_too_long {
        return stop.and(Most::of(named(settings, "TimeoutAbortSec")));
    }
    stop
}

/// The longest from the main process's end to the unit's; [`None`] where nothing bounds it. What ends by itself is stopped in order:
/// ExecStop= is run, what is left is ended, and after ExecStopPost= what that has left.
pub fn longest(settings: &Settings) -> Option<Duration> {
    let stop = settings.stops.unwrap_or_default();
    let stops =
        if stop == 0 { Duration::ZERO } else { settings.span("TimeoutStopSec")?.saturating_mul(stop) };
    let (posts, left) = (stop_posts(settings), left_over(settings).at_most()?);
    let again = if posts == Most::Nothing { Duration::ZERO } else { left };
    Some(stops.saturating_add(posts.at_most()?).saturating_add(left).saturating_add(again))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::bound::tests::settings;
    use crate::model::settings::OnHang;

    #[test]
    fn what_is_left_over_has_what_kill_mode_and_the_timeouts_give_it() {
        let unit = |kill_mode| Settings { kill_mode, ..settings(OnHang::Trigger) };
        let plain = || unit(None);
        let (mixed, process) = (|| unit(Some(KillMode::Mixed)), || unit(Some(KillMode::Process)));
        let two = "left-over processes 2 × TimeoutStopSec 5 s";
        let one = "left-over processes TimeoutStopSec 5 s";
        for (settings, expected) in [
            (plain(), Ok((two, 10))),
            (unit(Some(KillMode::ControlGroup)), Ok((two, 10))),
            // One of a later systemd is not known to do less.
            (unit(Some(KillMode::Other("gently".into()))), Ok((two, 10))),
            (Settings { spares_with_sigkill: true, ..plain() }, Ok((one, 5))),
            (
                Settings { aborts_when_stopped_too_long: true, ..plain() },
                Ok(("left-over processes 2 × TimeoutStopSec 5 s + TimeoutAbortSec 2 s", 12)),
            ),
            (
                Settings { aborts_when_stopped_too_long: true, timeout_abort_usec: None, ..plain() },
                Err(Most::Unbounded),
            ),
            (Settings { timeout_stop_usec: None, ..plain() }, Err(Most::Unbounded)),
            (mixed(), Ok((one, 5))),
            (Settings { aborts_when_stopped_too_long: true, ..mixed() }, Ok((one, 5))),
            (Settings { spares_with_sigkill: true, ..mixed() }, Err(Most::Nothing)),
            (Settings { has_stop_post: true, ..mixed() }, Ok((two, 10))),
            (process(), Err(Most::Nothing)),
            // Nobody waits, however long it could be.
            (Settings { timeout_stop_usec: None, ..process() }, Err(Most::Nothing)),
            (Settings { has_stop_post: true, ..process() }, Ok((two, 10))),
            (Settings { has_stop_post: true, ..unit(Some(KillMode::None)) }, Err(Most::Nothing)),
        ] {
            let expected = expected.map_or_else(
                |most| most,
                |(sum, seconds)| {
                    let at_most = Duration::from_secs(seconds);
                    Most::Within(Bound { above: None, at_most, sum: sum.to_owned() })
                },
            );
            assert_eq!(left_over(&settings), expected, "{settings:?}");
        }
    }

    #[test]
    fn a_unit_is_waited_for_as_long_as_all_of_its_stop_can_take() {
        let plain = || settings(OnHang::Trigger);
        for (settings, seconds) in [
            (plain(), Some(10)),
            (Settings { kill_mode: Some(KillMode::Process), ..plain() }, Some(0)),
            (Settings { stops: Some(2), ..plain() }, Some(20)),
            (Settings { has_stop_post: true, ..plain() }, Some(25)),
            (Settings { has_stop_post: true, stop_posts: Some(3), ..plain() }, Some(35)),
            (Settings { timeout_stop_usec: None, ..plain() }, None),
            (
                Settings {
                    timeout_stop_usec: None,
                    kill_mode: Some(KillMode::Process),
                    stops: Some(1),
                    ..plain()
                },
                None,
            ),
        ] {
            assert_eq!(longest(&settings), seconds.map(Duration::from_secs), "{settings:?}");
        }
    }
}
