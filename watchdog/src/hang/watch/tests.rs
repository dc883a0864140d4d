//! Tables: rows of probes, and what they mean in front of a service (`wrap`) and beside it (`guard`).

use super::*;
use crate::words::outcome::Cause;

const MS: Duration = Duration::from_millis(1);
const STARVED: Pressure = Pressure { resource: "CPU", percent: 80 };

/// P = T = 100 ms, N = 3, r = 10 ms.
fn timing(rise: u32) -> Timing {
    Timing { interval: 100 * MS, timeout: 100 * MS, failures: 3, rise, jitter: 0, retry_interval: 10 * MS }
}

/// A watch, and a clock that each probe moves.
struct Play {
    watch: Watch,
    now: Instant,
    started: Instant,
}

impl Play {
    fn new(watch: Watch) -> Self {
        let now = Instant::now();
        Self { watch, now, started: now }
    }

    /// A probe ends after `took` ms, of which the service was able to run for `able` ms.
    fn probe(&mut self, outcome: Outcome, took: u32, able: u32, late: u32) -> (Ruling, Duration) {
        self.started = self.now;
        self.now += took * MS;
        let began = self.watch.row_began().unwrap_or(self.started);
        let stalled = (took - able) * MS;
        let ended = Ended {
            outcome,
            late: late * MS,
            able: able * MS,
            row: (self.now - began).saturating_sub(stalled),
            pressure: (able < took).then_some(STARVED),
        };
        let (ruling, next) = self.watch.ended(ended, self.started, 0.0, self.now);
        let gap = next - self.now;
        self.now = next;
        (ruling, gap)
    }

    /// What a row of outcomes means, a letter each. `h` healthy; `u` runs into its deadline; `r` is refused at once; `l`
    /// runs into its deadline, and we come late; `c` could not be made.
    fn row(&mut self, outcomes: &str) -> String {
        let mean = |outcome| {
            let (ruling, _) = match outcome {
                'h' => self.probe(Outcome::Healthy, 1, 1, 0),
                'u' => self.probe(mute(), 100, 100, 0),
                'r' => self.probe(refused(), 0, 0, 0),
                'l' => self.probe(mute(), 125, 125, 25),
                'c' => self.probe(Outcome::Unhealthy(Reason::new(Cause::System, "no descriptor")), 0, 0, 0),
                other => panic!("{other}"),
            };
            letter(&ruling)
        };
        outcomes.chars().map(mean).collect()
    }
}

fn mute() -> Outcome {
    Outcome::Unhealthy(Reason::new(Cause::Timeout, "mute"))
}

fn refused() -> Outcome {
    Outcome::Unhealthy(Reason::new(Cause::Refused, "refused"))
}

fn letter(ruling: &Ruling) -> char {
    match ruling {
        Ruling::Healthy { .. } => 'h',
        Ruling::Rising => '^',
        Ruling::CannotProbe { is_new: true, .. } => 'C',
        Ruling::CannotProbe { is_new: false, .. } => 'c',
        Ruling::Late { .. } => 'l',
        Ruling::Failure { .. } => 'f',
        Ruling::Hang { .. } => 'H',
    }
}

#[test]
fn only_what_was_sent_in_time_and_not_answered_counts() {
    for (rise, outcomes, in_front, beside) in [
        (1, "hhuuuu", "hhffHH", "hhffHH"),
        (1, "uuhuuhuuu", "ffhffhffH", "ffhffhffH"),
        (2, "uuhhuuu", "ff^hffH", "ff^hffH"),
        (2, "uuhu", "ff^H", "ff^H"),
        (1, "uucccccccccu", "ffCccccccccH", "ffCccccccccH"),
        (1, "cuchuuu", "CfChffH", "CfChffH"),
        (1, "cccccc", "Cccccc", "Cccccc"),
        // Three deadlines' worth of time, however quickly it is refused.
        (1, &"r".repeat(22), "fffffffffffffffffffffH", "fffffffffffffffffffffH"),
        // The one difference: beside a service there is no timer of systemd's to fall back on.
        (1, "llllllll", "llllllll", "lllffHHH"),
        (1, "llulll", "llflll", "llflll"),
        (1, "llhlll", "llhlll", "llhlll"),
    ] {
        assert_eq!(Play::new(Watch::in_front(timing(rise))).row(outcomes), in_front, "in front: {outcomes}");
        assert_eq!(Play::new(Watch::beside(timing(rise))).row(outcomes), beside, "beside: {outcomes}");
    }
}

#[test]
fn under_pressure_a_question_counts_once_for_each_deadline_in_which_it_could_have_been_answered() {
    for (able, expected) in
        [(90, 'f'), (140, 'f'), (160, 'f'), (249, 'f'), (299, 'H'), (300, 'H'), (900, 'H')]
    {
        let mut play = Play::new(Watch::in_front(timing(1)));
        let (ruling, _) = play.probe(mute(), able * 10, able, 0);
        assert_eq!(letter(&ruling), expected, "{able}");
    }
    // Without pressure, a probe is one probe.
    let mut play = Play::new(Watch::in_front(timing(1)));
    assert_eq!(letter(&play.probe(mute(), 900, 900, 0).0), 'f');
}

#[test]
fn what_is_left_of_a_row_is_how_long_a_question_stands_under_pressure() {
    let mut play = Play::new(Watch::in_front(timing(1)));
    for left in [3, 2, 1, 1, 1] {
        assert_eq!(play.watch.limit(), Limit { timeout: 100 * MS, under_pressure: left * 100 * MS });
        play.row("u");
    }
}

#[test]
fn after_an_answer_the_next_question_comes_after_p_and_under_pressure_leaves_three_quarters_of_the_time_to_others()
 {
    let mut play = Play::new(Watch::in_front(timing(1)));
    for (took, able, gap) in
        [(1, 1, 99), (99, 99, 1), (130, 130, 0), (20, 4, 80), (40, 8, 120), (1000, 150, 3000)]
    {
        let (ruling, next) = play.probe(Outcome::Healthy, took, able, 0);
        assert_eq!((letter(&ruling), next), ('h', gap * MS), "{took} {able}");
    }
}

#[test]
fn a_hang_that_is_left_alone_is_asked_after_without_hurry() {
    let (watch, now) = (Watch::in_front(timing(1)), Instant::now());
    assert_eq!(watch.without_hurry(now, now + 20 * MS), now + 110 * MS);
    assert_eq!(watch.without_hurry(now, now + 200 * MS), now + 200 * MS);
}

#[test]
fn a_hang_is_called_once_in_a_row() {
    let mut play = Play::new(Watch::in_front(timing(1)));
    play.row("uuu");
    assert_eq!([play.watch.call(), play.watch.call()], [true, false]);
    play.row("huuu");
    assert!(play.watch.call());
}

#[test]
fn who_comes_later_than_planned_is_late_and_where_nothing_was_planned_after_the_deadline() {
    let limit = Limit { timeout: 100 * MS, under_pressure: 300 * MS };
    for (able, planned, pressure, expected) in [
        // It stood for long on purpose, and the pressure is over.
        (300, Some(0), None, 'f'),
        (300, Some(24), None, 'f'),
        (300, Some(200), None, 'l'),
        (124, None, None, 'f'),
        (300, None, None, 'l'),
        // Under pressure it stood for as long as it takes to be sure.
        (200, Some(200), Some(STARVED), 'f'),
        (200, None, Some(STARVED), 'f'),
    ] {
        let mut play = Play::new(Watch::in_front(timing(1)));
        let able = able * MS;
        let measured = Measured { able, row: able, pressure, late: planned.map(|late| late * MS) };
        let ended = Ended::new(mute(), limit, measured);
        let (ruling, _) = play.watch.ended(ended, play.now, 0.0, play.now + able);
        assert_eq!(letter(&ruling), expected, "{able:?} {planned:?} {pressure:?}: {ruling:?}");
    }
}

#[test]
fn a_starved_service_is_not_left_in_peace_for_long() {
    for (took, expected) in [(100, 300), (1_000, 3_000), (1_001, 3_000), (60_000, 3_000)] {
        let (_, gap) = Play::new(Watch::beside(timing(1))).probe(Outcome::Healthy, took, 10, 0);
        assert_eq!(gap, expected * MS, "after {took} ms");
    }
}
