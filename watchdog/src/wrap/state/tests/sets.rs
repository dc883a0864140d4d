//! Several sets of probes: each on its own schedule.

use super::*;

/// A service that is asked by several sets; the test says what each probe finds and takes.
struct Served {
    state: State,
    start: Instant,
    now: Instant,
    /// When the probe under way of each set was sent, when it will have ended, and what it finds.
    flights: Vec<Option<(Instant, Instant, bool)>>,
    /// The times at which each set was asked, in ms.
    asked: Vec<Vec<u64>>,
    said: Vec<(u64, String)>,
    notes: Vec<(u64, Note)>,
}

/// What a probe of this set finds that is sent at that ms, and how long it takes.
type Found = fn(usize, u64) -> (bool, u64);

impl Served {
    /// W = 1 s, as in the other tables.
    fn new(words: &[&str]) -> Self {
        let words =
            ["sd-watchdog", "--http", TARGET, "--jitter=0"].iter().chain(words).chain(&["--", "server"]);
        let line = crate::cli::Line::try_parse_from(words.map(std::ffi::OsString::from))
            .expect("a good command line");
        let wrap = &line.cli.wrap;
        let watchdog = Some(Duration::from_secs(1));
        let config =
            Config::new(&wrap.timing, &line.next, &wrap.hang, &wrap.wrapper, watchdog).expect("works");
        let targets: Vec<String> = (0..config.sets.len()).map(|set| format!("set {}", set + 1)).collect();
        let (now, count) = (Instant::now(), targets.len());
        Self {
            state: State::new(&config, &targets, 7, now),
            start: now,
            now,
            flights: vec![None; count],
            asked: vec![Vec::new(); count],
            said: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn ms(&self) -> u64 {
        u64::try_from((self.now - self.start).as_millis()).expect("soon")
    }

    fn step(&mut self, event: Event) {
        let is_passed_on = matches!(event, Event::ReloadAsked { .. });
        let actions = self.state.step(event, self.now);
        let ms = self.ms();
        self.notes.extend(actions.note.clone().map(|note| (ms, note)));
        if is_passed_on {
            self.step(Event::ReloadDelivered);
        }
        if actions.abandon_probe {
            self.flights.iter_mut().for_each(|flight| *flight = None);
        }
        let is_asked = actions.ask.is_some();
        let text = sent(&actions);
        if !text.is_empty() {
            self.said.push((self.ms(), text));
        }
        if is_asked {
            self.step(REPORTED);
        }
    }

    /// Lets the time pass until then.
    fn run(&mut self, until_ms: u64, found: impl Fn(usize, u64) -> (bool, u64)) {
        loop {
            let ends = self
                .flights
                .iter()
                .enumerate()
                .filter_map(|(set, flight)| Some((flight.as_ref()?.1, 0, set)));
            let due =
                (0..self.flights.len()).filter_map(|set| Some((self.state.next_probe_of(set)?, 1, set)));
            let Some((at, kind, set)) = ends.chain(due).min() else { break };
            if at > self.start + Duration::from_millis(until_ms) {
                break;
            }
            self.now = self.now.max(at);
            if kind == 1 {
                let ms = self.ms();
                let (is_healthy, took) = found(set, ms);
                self.asked[set].push(ms);
                assert!(self.flights[set].is_none(), "one probe of a set at a time");
                self.flights[set] = Some((self.now, self.now + Duration::from_millis(took), is_healthy));
                self.step(Event::ProbeDue { set });
            } else if let Some((started, _, is_healthy)) = self.flights[set].take() {
                let reason = Reason::new(Cause::Timeout, format!("set {}: mute", set + 1));
                let outcome = if is_healthy { Outcome::Healthy } else { Outcome::Unhealthy(reason) };
                let row = self.now - self.state.row_began(set).unwrap_or(started);
                let able = self.now - started;
                let ended = Ended { outcome, late: Duration::ZERO, able, row, pressure: None };
                self.step(Event::ProbeEnded { set, ended });
            }
        }
        self.now = self.start + Duration::from_millis(until_ms);
    }

    fn pings(&self) -> Vec<u64> {
        let pings = self.said.iter().filter(|(_, said)| said.contains("WATCHDOG=1"));
        pings.map(|(at, _)| *at).collect()
    }

    /// When that was said first.
    fn first(&self, word: &str) -> Option<(u64, &str)> {
        self.said.iter().find(|(_, said)| said.contains(word)).map(|(at, said)| (*at, said.as_str()))
    }
}

const WELL: Found = |_, _| (true, 0);

#[test]
fn ready_waits_for_every_set_and_for_each_to_be_healthy_still() {
    for words in [&["--next", "--tcp=a:1"][..], &["--next", "--tcp=a:1", "--ready-only"]] {
        let mut served = Served::new(words);
        served.run(400, |set, ms| (set == 0 || ms >= 300, 1));
        let (at, said) = served.first("READY=1").expect("ready");
        assert!((300..=330).contains(&at), "{words:?} {at}");
        assert!(said.ends_with("healthy: set 2 answered in 1 ms"), "{said}");
        assert_eq!(served.first("STATUS").expect("a status").1, "STATUS=waiting for set 2: mute");
        // What was healthy and is not any more holds it up, too.
        let mut served = Served::new(words);
        served.run(700, |set, ms| if set == 0 { (!(90..500).contains(&ms), 1) } else { (ms >= 300, 1) });
        let (at, _) = served.first("READY=1").expect("ready");
        assert!((500..=700).contains(&at), "{words:?} {at}");
    }
}

#[test]
fn what_gates_ready_only_is_not_asked_afterwards_and_never_makes_a_hang() {
    let mut served = Served::new(&["--next", "--tcp=a:1", "--ready-only"]);
    served.run(5000, |set, ms| (set == 0 || ms < 50, 1));
    assert_eq!(served.asked[1], [0]);
    assert_eq!(served.state.phase(), Phase::Watching);
    assert!(served.pings().windows(2).all(|pair| pair[1] - pair[0] <= 101), "{:?}", served.pings());
}

#[test]
fn one_that_never_is_healthy_leaves_the_start_to_systemd() {
    let mut served = Served::new(&["--start-timeout=500ms", "--next", "--tcp=a:1", "--ready-only"]);
    served.run(3000, |set, _| (set == 0, 1));
    assert_eq!(
        (served.state.phase(), served.first("READY=1"), served.first("trigger")),
        (Phase::Starting, None, None)
    );
    // Of one that is watched it counts as a hang.
    let mut served = Served::new(&["--start-timeout=500ms", "--next", "--tcp=a:1"]);
    served.run(3000, |set, _| (set == 0, 1));
    let (at, said) = served.first("WATCHDOG=trigger").expect("a trigger");
    assert!((500..700).contains(&at), "{at}");
    assert!(said.contains("hung, not healthy 500 ms after its start: set 2: mute"), "{said}");
}

#[test]
fn the_set_that_finds_a_hang_is_named_and_found_within_its_own_bound() {
    for (slow, bad) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let slowly = ["--interval=300ms", "--timeout=150ms"];
        let words = match slow {
            0 => [&slowly[..], &["--next", "--tcp=a:1", "--interval=100ms", "--timeout=100ms"]].concat(),
            _ => [&["--next", "--tcp=a:1"], &slowly[..]].concat(),
        };
        let mut served = Served::new(&words);
        let timeout = if slow == bad { 150 } else { 100 };
        served.run(3000, |set, ms| if set == bad && ms >= 1000 { (false, timeout) } else { (true, 3) });
        let (at, said) = served.first("WATCHDOG=trigger").expect("a trigger");
        let status = format!("STATUS=hung, 3 probes in a row unhealthy: set {}: mute", bad + 1);
        assert_eq!(said, format!("{status} WATCHDOG=trigger"));
        let bound = if slow == bad { 300 + 3 * 150 + 20 } else { 100 + 3 * 100 + 20 };
        assert!((1000..=1000 + bound).contains(&at), "slow {slow}, bad {bad}: {at}");
        // Meanwhile the other one does not ping.
        let last = *served.pings().last().expect("pings");
        assert!(last <= 1000 + bound - 3 * timeout + timeout, "{last}");
        assert!(at - last <= bound, "{last} {at}");
    }
}

#[test]
fn a_set_that_fails_once_keeps_the_others_from_pinging_until_it_is_healthy() {
    let mut served = Served::new(&["--next", "--tcp=a:1", "--interval=400ms"]);
    served.run(2000, |set, ms| (set == 0 || !(700..880).contains(&ms), 1));
    let gap: Vec<u64> = served.pings().into_iter().filter(|at| (700..1000).contains(at)).collect();
    // The second set is asked at 800 ms, and found healthy in a row of retries at 880 ms or soon after.
    assert!(gap.iter().all(|at| *at <= 801 || *at >= 880), "{gap:?}");
    assert!(gap.iter().any(|at| (880..=900).contains(at)), "{gap:?}");
    assert_eq!(served.state.phase(), Phase::Watching);
}

#[test]
fn a_reload_is_over_when_every_set_has_answered_since_it_was_asked_for() {
    for ready_only in [false, true] {
        let words = ["--next", "--tcp=a:1", "--interval=400ms", "--ready-only"];
        let mut served = Served::new(&words[..if ready_only { 4 } else { 3 }]);
        served.run(1000, WELL);
        let asked = served.asked[1].len();
        served.step(Event::ReloadAsked { monotonic_usec: 1 });
        served.run(2000, |set, ms| (set == 0 || ms >= 1200, 1));
        let after: Vec<_> =
            served.said.iter().filter(|(at, said)| *at >= 1000 && said.contains("READY=1")).collect();
        assert!(matches!(after[..], [(1200..=1230, _)]), "{ready_only}: {after:?}");
        assert_eq!(served.state.phase(), Phase::Watching);
        assert_eq!(
            served.pings().iter().any(|at| (1020..1200).contains(at)),
            ready_only,
            "{:?}",
            served.pings()
        );
        let again = served.asked[1].len() - asked;
        served.run(4000, WELL);
        assert_eq!(served.asked[1].len() - asked == again, ready_only, "it is asked for the reload only");
    }
}

#[test]
fn what_gates_ready_is_asked_gently_in_a_reload_and_no_longer_than_that_may_take() {
    let mut served =
        Served::new(&["--start-timeout=3s", "--next", "--tcp=a:1", "--interval=250ms", "--ready-only"]);
    served.run(1000, WELL);
    served.step(Event::ReloadAsked { monotonic_usec: 1 });
    let before = served.asked[1].len();
    // Each of its probes takes what a command may take.
    served.run(20_000, |set, ms| if set == 0 { (true, 0) } else { (ms < 1000, 10) });
    let in_reload = &served.asked[1][before..];
    assert!(in_reload.windows(2).all(|pair| pair[1] - pair[0] >= 10 + 80), "{in_reload:?}");
    // When its time is over it is asked as seldom as ever.
    let in_time = in_reload.iter().filter(|at| **at < 4000).count();
    let later = in_reload.windows(2).filter(|pair| pair[0] > 4100);
    assert!(in_time > 20 && later.clone().count() > 20, "{in_reload:?}");
    assert!(later.into_iter().all(|pair| pair[1] - pair[0] >= 10 + 250), "{in_reload:?}");
    let (at, note) = served.notes.last().expect("a note");
    let Note::ReloadUnfinished { missing, .. } = note else { panic!("{note:?}") };
    assert!((4000..4150).contains(at) && missing == "set 2: mute", "{at} {missing}");
    let (at, _) = served
        .first(", waits for set 2: mute")
        .unwrap_or_else(|| panic!("the status tells: {:?}", served.said));
    assert!(at < 2100, "{at}");
    assert!(served.first("trigger").is_none());
    assert_eq!(
        served.notes.iter().filter(|(_, note)| matches!(note, Note::ReloadUnfinished { .. })).count(),
        1
    );
    // What was missing comes after all.
    let before = served.said.len();
    served.run(21_000, WELL);
    assert!(served.said[before..].iter().any(|(_, said)| said.contains("READY=1")));
    let asked = served.asked[1].len();
    served.run(24_000, WELL);
    assert_eq!(served.asked[1].len(), asked, "it is not asked any more");
}

#[test]
fn of_several_sets_the_first_to_find_a_hang_tells_and_the_next_only_when_that_is_over() {
    for option in ["--on-hang=withhold", "--dry-run"] {
        let mut served = Served::new(&[option, "--next", "--tcp=a:1"]);
        let count = |served: &Served, which: fn(&Note) -> bool| {
            served.notes.iter().filter(|(_, note)| which(note)).count()
        };
        let hangs = |note: &Note| matches!(note, Note::Withholding { .. } | Note::WouldTrigger { .. });
        let recoveries = |note: &Note| matches!(note, Note::Recovered { .. });
        for (until, expected) in [(1900, (1, 0)), (4000, (2, 0)), (12_000, (2, 1))] {
            // The first hangs from 500 to 2000 ms, the second from 1000 to 9000.
            let is_bad =
                |set, ms| if set == 0 { (500..2000).contains(&ms) } else { (1000..9000).contains(&ms) };
            served.run(until, |set, ms| (!is_bad(set, ms), 1));
            let seen = (count(&served, hangs), count(&served, recoveries));
            assert_eq!(seen, expected, "{option} until {until}: {:?}", served.notes);
        }
    }
}

#[test]
fn commands_own_pings_are_asked_for_once_and_beside_any_set() {
    let mut served = Served::new(&["--child-pings=require", "--ready-only"]);
    served.state = {
        let line = [
            "sd-watchdog",
            "--http",
            TARGET,
            "--jitter=0",
            "--child-pings=require",
            "--ready-only",
            "--",
            "x",
        ];
        let wrap = Cli::try_parse_from(line).expect("a good command line").wrap;
        let config = Config::new(&wrap.timing, &[], &wrap.hang, &wrap.wrapper, Some(W)).expect("works");
        State::new(&config, &[TARGET, ""], 7, served.start)
    };
    served.run(2500, |set, ms| (set == 1 || ms < 100, 1));
    let (at, said) = served.first("WATCHDOG=trigger").expect("a trigger");
    assert!(
        (1000..1500).contains(&at) && said.contains("COMMAND: no WATCHDOG=1 of its own for 1"),
        "{at} {said}"
    );
}

proptest! {
    #[test]
    fn no_set_changes_when_another_is_asked_and_pings_are_said_while_none_fails(
        bad in proptest::collection::vec((0_usize..2, 200_u64..2500, 1_u64..200), 0..6),
        took in (0_u64..60, 0_u64..60),
        interval in 100_u64..350,
    ) {
        let found = |set: usize, ms: u64| {
            let is_bad = bad.iter().any(|(of, from, long)| *of == set && (*from..from + long).contains(&ms));
            (!is_bad, if ms == 0 { 0 } else if set == 0 { took.0 } else { took.1 })
        };
        let own = format!("--interval={interval}ms");
        let mut both = Served::new(&["--next", "--tcp=a:1", &own]);
        both.run(3000, found);
        let end = both.first("trigger").map_or(3000, |(at, _)| at);
        for (set, words) in [(0, &[][..]), (1, &[own.as_str()])] {
            let mut alone = Served::new(words);
            alone.run(3000, |_, ms| found(set, ms));
            let until = |times: &[u64]| times.iter().copied().take_while(|at| *at < end).collect::<Vec<_>>();
            prop_assert_eq!(until(&both.asked[set]), until(&alone.asked[0]));
            // It is a hang for both exactly if it is one for any of them alone, and at the same time.
            if let Some((at, _)) = alone.first("trigger") {
                prop_assert!(end <= at);
            }
        }
        let sent = |set: usize| -> Vec<(u64, bool)> {
            both.asked[set].iter().map(|at| (at + found(set, *at).1, found(set, *at).0)).collect()
        };
        for ping in both.pings() {
            for set in 0..2 {
                let last = sent(set).into_iter().rev().find(|(ended, _)| *ended < ping);
                prop_assert!(last.is_none_or(|(_, healthy)| healthy) || sent(set).contains(&(ping, true)), "{} {}", ping, set);
            }
        }
    }
}
