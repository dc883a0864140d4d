//! Several sets of probes, each with its own timing.

use super::*;

/// The second: P = 3 s, T = 2 s, N = 2.
fn two() -> Rules {
    let first = rules().sets[0];
    let second = Timing { interval: 3 * S, timeout: 2 * S, failures: 2, ..first };
    Rules { sets: vec![first, second], ..rules() }
}

/// Plays what two sets find.
struct Sets {
    play: Play,
    /// Probes under way: when each ends, and of which set it is.
    underway: Vec<(Instant, usize)>,
    /// All that were sent.
    asked: Vec<usize>,
}

impl Sets {
    fn new(rules: Rules) -> Self {
        let mut play = Play::new(rules);
        play.step(Event::Seen(running(7)));
        Self { play, underway: Vec::new(), asked: Vec::new() }
    }

    fn watching(rules: Rules) -> Self {
        let mut sets = Self::new(rules);
        sets.healthy(S / 2);
        assert!(matches!(sets.play.state.phase, Phase::Watching));
        sets
    }

    fn healthy(&mut self, span: Duration) {
        assert_eq!(self.go_on(span, [false; 2]), None);
    }

    /// For `span`, or until a task that is no probe, which it returns. A set answers in 10 ms, or where it is `mute`, not until
    /// its deadline.
    fn go_on(&mut self, span: Duration, mute: [bool; 2]) -> Option<Task> {
        let until = self.play.now + span;
        loop {
            let (due, end) = (self.play.state.due(), self.underway.iter().min().copied());
            let (next, event) = match end {
                Some((end, set)) if due.is_none_or(|due| end <= due) => {
                    let outcome = if mute[set] { super::mute() } else { Outcome::Healthy };
                    (end, of_set(set, outcome))
                }
                _ => (due.expect("something is due"), Event::Due),
            };
            if next > until {
                self.play.now = until;
                return None;
            }
            self.play.now = self.play.now.max(next);
            if let Event::Probed { set, .. } = event {
                self.underway.retain(|(_, other)| *other != set);
            }
            match self.play.step(event) {
                Some(Task::Probe { set, limit }) => {
                    self.asked.push(set);
                    let took = if mute[set] { limit.timeout } else { 10 * MS };
                    self.underway.push((self.play.now + took, set));
                }
                None => {}
                task => {
                    self.underway.clear();
                    return task;
                }
            }
        }
    }

    fn asked(&self, set: usize) -> usize {
        self.asked.iter().filter(|&&one| one == set).count()
    }
}

fn of_set(set: usize, outcome: Outcome) -> Event {
    match probed(outcome) {
        Event::Probed { ended, .. } => Event::Probed { set, ended },
        other => other,
    }
}

#[test]
fn each_set_is_asked_in_its_own_time_and_none_waits_for_another() {
    let patient = Timing { failures: 100, ..two().sets[1] };
    for (mute, rules) in
        [([false, false], two()), ([false, true], Rules { sets: vec![two().sets[0], patient], ..two() })]
    {
        let mut sets = Sets::watching(rules);
        sets.asked.clear();
        assert_eq!(sets.go_on(30 * S, mute), None);
        assert_eq!(sets.asked(0), 30, "{mute:?}");
        assert!(sets.asked(1) >= 10);
    }
}

#[test]
fn the_first_set_that_finds_a_hang_has_found_it() {
    for (mute, within, row) in [
        // P + N T + (N - 1) r after it hangs, at most.
        ([true, false], 4200 * MS, "3 probes"),
        ([false, true], 7100 * MS, "2 probes"),
        ([true, true], 4200 * MS, "3 probes"),
    ] {
        let mut sets = Sets::watching(two());
        let before = sets.play.now;
        assert_eq!(sets.go_on(60 * S, mute), Some(Task::ReadSettings), "{mute:?}");
        let took = sets.play.now - before;
        assert!(took <= within, "{mute:?}: {took:?}");
        assert!(matches!(sets.play.step(Event::Read(Ok(settings("always")))), Some(Task::Kill { .. })));
        let said = |note: &Note| matches!(note, Note::Hung { reason } if reason.starts_with(row));
        assert_eq!(sets.play.has(said), 1, "{mute:?}: {:?}", sets.play.notes);
    }
}

#[test]
fn what_was_never_healthy_under_all_sets_is_never_ended() {
    let mut sets = Sets::new(two());
    for mute in [[false, true], [true, true], [true, false]] {
        assert_eq!(sets.go_on(60 * S, mute), None, "{mute:?}");
        let silences = sets.play.has(|note| matches!(note, Note::NeverHealthy { .. }));
        assert_eq!((silences, sets.play.state.is_armed(sets.play.now)), (1, false), "{mute:?}");
        assert_eq!(sets.play.healthy, None);
    }
    let status = sets.play.status();
    assert!(status.contains("never healthy so far, and so left alone: "), "{status}");
    sets.healthy(5 * S);
    assert_eq!(sets.play.healthy.clone().map(|life| life.main_pid), Some(7));
    assert!(sets.play.state.is_armed(sets.play.now));
    assert_eq!(sets.play.has(|note| matches!(note, Note::Answers { .. })), 1);
    assert_eq!(sets.go_on(60 * S, [false, true]), Some(Task::ReadSettings), "it was healthy");
}

#[test]
fn what_others_ask_when_a_hang_is_acted_upon_is_given_up_and_asked_again_where_it_is_left_alone() {
    let mut sets = Sets::watching(Rules { dry_run: true, ..two() });
    assert_eq!(sets.go_on(60 * S, [false, true]), Some(Task::ReadSettings));
    assert_eq!((sets.play.state.due(), &sets.play.underway), (None, &Some(Task::ReadSettings)));
    assert_eq!(sets.play.step(Event::Read(Ok(settings("always")))), None, "there is no report");
    sets.asked.clear();
    assert_eq!(sets.go_on(60 * S, [false, true]), None, "it was said");
    assert!(sets.asked(0) > 50 && sets.asked(1) > 5, "{:?}", sets.asked);
}

#[test]
fn a_hang_that_is_left_alone_is_said_once_whichever_set_finds_it_too() {
    let mut sets = Sets::watching(Rules { dry_run: true, ..two() });
    assert_eq!(sets.go_on(60 * S, [true, true]), Some(Task::ReadSettings));
    sets.play.step(Event::Read(Ok(settings("always"))));
    assert_eq!(sets.go_on(60 * S, [true, true]), None);
    assert_eq!(sets.play.has(|note| matches!(note, Note::DryRun { .. })), 1);
    sets.healthy(60 * S);
    assert_eq!(sets.go_on(60 * S, [false, true]), Some(Task::ReadSettings), "another");
}

#[test]
fn it_is_healthy_again_once_no_set_fails() {
    let mut sets =
        Sets::watching(Rules { sets: vec![Timing { failures: 100, ..two().sets[0] }; 2], ..two() });
    let said = |sets: &Sets| sets.play.has(|note| matches!(note, Note::Recovered { .. }));
    for (mute, expected) in [([true, true], 0), ([false, true], 0), ([false, false], 1)] {
        assert_eq!(sets.go_on(10 * S, mute), None);
        assert_eq!(said(&sets), expected, "{mute:?}");
        assert_eq!(sets.play.status().contains(": unhealthy: "), expected == 0, "{}", sets.play.status());
    }
}

#[test]
fn a_refusal_of_systemd_is_remembered_though_another_set_answers() {
    let mut sets = Sets::watching(two());
    for _ in 0..4 {
        assert_eq!(sets.go_on(60 * S, [false, true]), Some(Task::ReadSettings));
        assert!(matches!(sets.play.step(Event::Read(Ok(settings("always")))), Some(Task::Kill { .. })));
        sets.play.step(refusal("no"));
    }
    assert_eq!(sets.play.has(|note| matches!(note, Note::CannotKill { .. })), 1);
    assert_eq!(sets.play.has(|note| matches!(note, Note::Hung { .. })), 1);
}

#[test]
fn one_probe_that_does_not_end_stops_the_pings_whatever_another_does() {
    let mut play = Play::new(two());
    play.step(Event::Seen(running(7)));
    assert!(matches!(play.step(Event::Due), Some(Task::Probe { set: 0, .. })));
    assert!(matches!(play.step(Event::Due), Some(Task::Probe { set: 1, .. })));
    play.step(healthy());
    // Under pressure it may take long.
    play.now += 3600 * S;
    play.step(Event::Turn);
    assert_eq!(play.has(|note| *note == Note::Stuck), 1);
    play.step(of_set(1, Outcome::Healthy));
    play.step(Event::Turn);
    assert_eq!(play.has(|note| *note == Note::Stuck), 1, "it has ended");
}

#[test]
fn the_first_line_has_the_timing_of_each_set() {
    let name = UnitName::new("nginx").expect("a name");
    let targets = ["tcp 127.0.0.1:80".to_owned(), "exec true".to_owned()];
    assert_eq!(
        crate::guard::note::start(&name, &two(), &targets),
        "guarding nginx.service: probing tcp 127.0.0.1:80 every 1 s, timeout 1 s; after 3 unhealthy in a row, or probing exec true \
         every 3 s, timeout 2 s; after 2 unhealthy in a row it is ended, 2 times within 3600 s at most"
    );
}
