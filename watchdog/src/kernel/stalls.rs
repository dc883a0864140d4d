//! How much of a span of time a unit was able to run.
//!
//! A deadline is a promise about the service, so it counts only time in which the service could keep it. The kernel adds
//! up for how long every process of a unit that wanted to run had to wait; this turns a few looks at those totals into
//! the *able* time between any two moments: the time on the clock, less what others took.
//!
//! ```text
//!   probe sent    T/2: first look   T: second look                       able time = T: time-out
//!   ├─────────────────┼─────────────────┼───────────────────┼────────────────┤
//!         as the first span looked at         stalled 80 %         stalled 60 %
//! ```
//!
//! Nothing is looked at before half a deadline has passed without an answer, so a healthy service costs nothing here.
//!
//! A spinning service under load looks just like a healthy one that is starved, and a mute one may have a busy thread
//! beside it. So pressure never excuses for ever: able time goes on as long as the unit gets anything at all, and is
//! never taken to be less than [`LEAST`] of the time on the clock.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// What can keep a unit from running, in the order of [`Totals`].
pub const RESOURCES: [&str; 3] = ["CPU", "memory", "I/O"];

/// The least share of the time in which a unit counts as able to run. It bounds how long a hang can hide behind pressure.
pub const LEAST: f64 = 0.02;

/// Looks that are kept: in an hour of starvation only the last ones matter.
const LOOKS: usize = 64;

/// For how long every process of the unit that wanted to run has waited so far, for each of [`RESOURCES`]; [`None`]
/// where the kernel does not tell.
pub type Totals = [Option<Duration>; RESOURCES.len()];

/// How far others kept a unit from running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressure {
    /// What was waited for.
    pub resource: &'static str,
    /// The share of the time in which all of the unit's processes that wanted to run waited for it.
    pub percent: u8,
}

/// "CPU 88 % of the time"
impl fmt::Display for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} % of the time", self.resource, self.percent)
    }
}

/// A look at the totals, and what the unit waited for since the look before.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    totals: Totals,
    waited: [Duration; RESOURCES.len()],
    /// The share of that time in which it was kept from running, from 0 to 1 − [`LEAST`].
    share: f64,
}

impl Look {
    /// With what the unit waited for since the look before.
    fn after(self, before: &Self) -> Self {
        let waited = waited(&before.totals, &self.totals);
        // The totals of the CPUs are read one after the other, so a short time can seem more than full.
        let share = stalled(&waited).div_duration_f64(self.at - before.at).min(1.0 - LEAST);
        Self { waited, share, ..self }
    }
}

/// For how long a service was able to answer a probe that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Since the probe was sent.
    pub able: Duration,
    /// Since the row of failures began that it is in.
    pub row: Duration,
    /// What kept the service from running while the probe was under way, where that was `--pressure` or more.
    pub pressure: Option<Pressure>,
    /// How long after the look that was to be the last this process came to it; [`None`]: after the deadline.
    pub late: Option<Duration>,
}

impl Measured {
    /// Where it cannot be known, all time counts. The probe was sent at `started`, in a row that began at `row`.
    pub fn on_the_clock(started: Instant, row: Option<Instant>, now: Instant) -> Self {
        Self { able: now - started, row: now - row.unwrap_or(started), pressure: None, late: None }
    }
}

/// What was seen of one unit.
#[derive(Debug, Clone)]
pub struct Stalls {
    /// Less than this share of a span, in percent, is what every process of a shared host has to bear.
    limit: Option<u8>,
    looks: VecDeque<Look>,
}

impl Stalls {
    /// `limit` is that of `--pressure`; without one, all time counts as able.
    pub fn new(limit: Option<u8>) -> Self {
        Self { limit, looks: VecDeque::new() }
    }

    /// Whether a look is of any use.
    pub fn is_on(&self) -> bool {
        self.limit.is_some()
    }

    /// Takes in the totals of this moment. Looks are to come in the order of time.
    pub fn look(&mut self, at: Instant, totals: Totals) {
        let mut look = Look { at, totals, waited: [Duration::ZERO; RESOURCES.len()], share: 0.0 };
        if let Some(before) = self.looks.back() {
            if at <= before.at {
                return;
            }
            look = look.after(before);
        }
        self.looks.push_back(look);
        if self.looks.len() > LOOKS {
            self.join_the_oldest();
        }
    }

    /// Makes one span of the first two: what is long ago is known as a whole, and not by a sample.
    fn join_the_oldest(&mut self) {
        self.looks.remove(1);
        if let [first, second, ..] = self.looks.make_contiguous() {
            *second = second.after(first);
        }
    }

    /// The service has answered in good time: what was seen before is of no use any more.
    pub fn forget(&mut self) {
        self.looks.clear();
    }

    /// What kept the unit from running from `from` to `to`, where that is the limit or more. Before the first look it was
    /// kept from it as much as until the second; after the last, not at all.
    pub fn pressure(&self, from: Instant, to: Instant) -> Option<Pressure> {
        self.kept(from, to).map(|(pressure, _)| pressure)
    }

    /// How much of the time from `from` to `to` the unit was able to run.
    pub fn able(&self, from: Instant, to: Instant) -> Duration {
        let all = to.saturating_duration_since(from);
        all.saturating_sub(self.kept(from, to).map_or(Duration::ZERO, |(_, stalled)| stalled))
    }

    fn kept(&self, from: Instant, to: Instant) -> Option<(Pressure, Duration)> {
        let all = to.saturating_duration_since(from);
        let mut sum = Duration::ZERO;
        let mut waited = [Duration::ZERO; RESOURCES.len()];
        let mut begin = from;
        for look in self.looks.iter().skip(1) {
            let span = look.at.min(to).saturating_duration_since(begin);
            if !span.is_zero() {
                sum += span.mul_f64(look.share);
                waited.iter_mut().zip(look.waited).for_each(|(sum, waited)| *sum += waited);
                begin = look.at;
            }
        }
        let percent = percent(if all.is_zero() { 0.0 } else { sum.div_duration_f64(all) });
        // Of equals the first, so that the text does not change for nothing.
        let longest = (0..RESOURCES.len()).rev().max_by_key(|&index| waited[index])?;
        let pressure = Pressure { resource: RESOURCES[longest], percent };
        (percent >= self.limit?).then_some((pressure, sum))
    }
}

/// Nothing where the kernel does not tell.
fn waited(before: &Totals, after: &Totals) -> [Duration; RESOURCES.len()] {
    std::array::from_fn(|index| match (before[index], after[index]) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => Duration::ZERO,
    })
}

/// Who waits for the CPU does not wait for a disk; but who waits for memory mostly waits for the disk that it is read from,
/// and that time is in both totals.
fn stalled([cpu, memory, io]: &[Duration; RESOURCES.len()]) -> Duration {
    *cpu + *memory.max(io)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
fn percent(share: f64) -> u8 {
    (share * 100.0).round() as u8
}

/// How long a probe may take, in able time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// T.
    pub timeout: Duration,
    /// The same under pressure: the question stands for as long as it takes to be sure of a hang, since to ask a busy server
    /// again and again is what keeps it busy.
    pub under_pressure: Duration,
}

impl Limit {
    /// The same, whatever keeps the service from running.
    pub fn of(timeout: Duration) -> Self {
        Self { timeout, under_pressure: timeout }
    }
}

/// When to look next whether a probe's time is up; [`None`]: it is. The totals were looked at just `now`, unless half of
/// the timeout has not passed yet.
pub fn next_look(stalls: &Stalls, limit: Limit, started: Instant, now: Instant) -> Option<Instant> {
    let half = started + limit.timeout / 2;
    if stalls.is_on() && now < half {
        return Some(half);
    }
    let (limit, shortest) = match stalls.pressure(started, now) {
        // Not ever more often as the end comes near: the last look may be late by as much.
        Some(_) => (limit.under_pressure, (limit.timeout / 4).max((now - started) / 8)),
        None => (limit.timeout, Duration::ZERO),
    };
    let left = limit.saturating_sub(stalls.able(started, now));
    (!left.is_zero()).then(|| now + left.max(shortest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn totals(cpu: u32, memory: u32, io: u32) -> Totals {
        [Some(cpu * MS), Some(memory * MS), Some(io * MS)]
    }

    /// Looks at these times after the first, in ms, with the CPU's total of stalls until then.
    fn stalls(limit: u8, looks: &[(u32, u32)]) -> (Stalls, Instant) {
        let (mut stalls, began) = (Stalls::new(Some(limit)), Instant::now());
        for &(at, cpu) in looks {
            stalls.look(began + at * MS, totals(cpu, 0, 0));
        }
        (stalls, began)
    }

    #[test]
    fn waiting_for_the_cpu_adds_to_waiting_for_a_disk_which_is_in_two_totals() {
        for (before, after, expected) in [
            (totals(0, 0, 0), totals(500, 0, 0), Some(("CPU", 50))),
            (totals(7, 9, 0), totals(7, 909, 0), Some(("memory", 90))),
            (totals(0, 0, 0), totals(100, 0, 450), Some(("I/O", 55))),
            (totals(0, 0, 0), totals(100, 400, 450), Some(("I/O", 55))),
            (totals(0, 0, 0), totals(300, 300, 300), Some(("CPU", 60))),
            (totals(0, 0, 0), totals(200, 150, 0), None),
            (totals(0, 0, 0), totals(9000, 0, 0), Some(("CPU", 98))),
            (totals(5, 5, 5), totals(4, 5, 5), None),
            ([None; 3], totals(1000, 1000, 1000), None),
            ([None, Some(MS), None], totals(1000, 601, 1000), Some(("memory", 60))),
        ] {
            let (mut stalls, began) = (Stalls::new(Some(40)), Instant::now());
            stalls.look(began, before);
            stalls.look(began + 1000 * MS, after);
            let pressure = stalls.pressure(began, began + 1000 * MS);
            let pressure = pressure.map(|pressure| (pressure.resource, pressure.percent));
            assert_eq!(pressure, expected);
        }
    }

    #[test]
    fn able_time_is_what_others_left_of_each_span_between_two_looks() {
        let (stalls, began) = stalls(40, &[(0, 0), (100, 80), (200, 80), (300, 130)]);
        for (from, to, expected) in [
            (0, 100, 20),
            (0, 200, 120),
            (0, 300, 170),
            (50, 100, 10),
            (50, 150, 60),
            (250, 300, 25),
            (100, 200, 100),
            (300, 400, 100),
            (200, 100, 0),
        ] {
            let able = stalls.able(began + from * MS, began + to * MS);
            assert_eq!(able.as_millis(), expected, "{from} to {to}");
        }
    }

    #[test]
    fn before_the_first_look_it_was_as_able_as_until_the_second() {
        let (stalls, began) = stalls(40, &[(100, 0), (200, 80)]);
        assert_eq!(stalls.able(began, began + 200 * MS), 40 * MS);
        assert_eq!(stalls.able(began, began + 100 * MS), 20 * MS);
        let (stalls, began) = self::stalls(40, &[(100, 7)]);
        assert_eq!(stalls.able(began, began + 200 * MS), 200 * MS, "nothing is known yet");
    }

    #[test]
    fn pressure_below_the_limit_takes_nothing_away() {
        for (stalled, able, percent) in
            [(39, 100, None), (40, 60, Some(40)), (98, 2, Some(98)), (100, 2, Some(98))]
        {
            let (stalls, began) = stalls(40, &[(0, 0), (100, stalled)]);
            let end = began + 100 * MS;
            assert_eq!(stalls.able(began, end), able * MS);
            assert_eq!(stalls.pressure(began, end).map(|pressure| pressure.percent), percent);
        }
    }

    #[test]
    fn what_is_long_ago_is_known_as_a_whole() {
        let (mut stalls, began) = (Stalls::new(Some(10)), Instant::now());
        // Starved for 90 % of each 100 ms, except for some of them.
        let mut stalled = 0;
        for step in 0..10 * u32::try_from(LOOKS).expect("few") {
            let (at, is_free) = (began + step * 100 * MS, step % 10 == 3);
            stalls.look(at, totals(stalled, 0, 0));
            if step > 0 {
                let able = stalls.able(began, at);
                assert!(able.abs_diff((step * 100 - stalled) * MS) <= step * MS, "{step}: {able:?}");
            }
            stalled += if is_free { 0 } else { 90 };
        }
    }

    #[test]
    fn a_moment_without_pressure_in_a_time_full_of_it_changes_little() {
        let (stalls, began) = stalls(40, &[(0, 0), (1000, 900), (1005, 900)]);
        assert_eq!(stalls.able(began, began + 1005 * MS), 105 * MS);
        assert!(stalls.pressure(began + 1000 * MS, began + 1005 * MS).is_none());
    }

    #[test]
    fn only_the_last_looks_are_kept_and_none_after_an_answer() {
        let (mut stalls, began) = (Stalls::new(Some(40)), Instant::now());
        for at in 0..1000 {
            stalls.look(began + at * MS, totals(at, 0, 0));
        }
        assert_eq!(stalls.looks.len(), LOOKS);
        stalls.forget();
        assert!(stalls.looks.is_empty());
    }

    /// When each look is due, in ms, of a unit that is stalled so many percent of the time.
    fn looks(timeout: u32, percent: u32) -> Vec<u128> {
        let (mut stalls, began) = (Stalls::new(Some(40)), Instant::now());
        let mut now = began;
        let mut due = Vec::new();
        let limit = Limit { timeout: timeout * MS, under_pressure: 2 * timeout * MS };
        while let Some(next) = next_look(&stalls, limit, began, now) {
            now = next;
            due.push((now - began).as_millis());
            stalls.look(now, [Some((now - began).mul_f64(f64::from(percent) / 100.0)), None, None]);
        }
        due
    }

    #[test]
    fn under_pressure_a_question_stands_for_a_whole_row_of_able_time() {
        assert_eq!(looks(400, 0), [200, 400]);
        assert_eq!(looks(400, 39), [200, 400], "below the limit");
        let last = |percent| *looks(400, percent).last().expect("a look");
        for (percent, ideal) in [(50, 1600), (80, 4000), (90, 8000), (98, 40_000), (100, 40_000)] {
            let (last, all) = (last(percent), looks(400, percent));
            assert!((ideal..=ideal * 9 / 8).contains(&last), "{percent}: {all:?}");
            assert!(all.len() < 40, "{percent}: {all:?}");
        }
    }
}
