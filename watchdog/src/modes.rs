//! In front of a service and beside it, the same probes mean the same: both are played one trace, and their rulings compared.

use std::time::{Duration, Instant};

use clap::Parser;
use proptest::prelude::*;

use crate::cli::{Cli, RestartRule};
use crate::config::Config;
use crate::guard::decide;
use crate::guard::event::{Event as Beside, Moment, Task};
use crate::guard::note::Note as BesideNote;
use crate::guard::rules::Rules;
use crate::guard::unit::tests::running;
use crate::hang::watch::Ended;
use crate::kernel::stalls::Pressure;
use crate::unit::UnitName;
use crate::words::outcome::{Cause, Outcome, Reason};
use crate::wrap::state::{Event as InFront, Note as InFrontNote, State};

/// What a probe found, and what it took.
#[derive(Debug, Clone)]
struct Probe {
    outcome: Outcome,
    took: Duration,
    /// Of that the service was able to run in so many percent.
    able: u8,
}

/// What a mode made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Made {
    failures: u32,
    hang: bool,
    /// How long until the next probe.
    gap: Option<Duration>,
    says: Vec<&'static str>,
}

fn any_probe() -> impl Strategy<Value = Probe> {
    let found = prop_oneof![
        6 => Just(Outcome::Healthy),
        4 => Just(Outcome::Unhealthy(Reason::new(Cause::Timeout, "mute"))),
        2 => Just(Outcome::Unhealthy(Reason::new(Cause::Refused, "refused"))),
        1 => Just(Outcome::Unhealthy(Reason::new(Cause::System, "no descriptor"))),
    ];
    let able = prop_oneof![3 => Just(100_u8), 1 => 2_u8..90];
    // Not as late as that it would not count: that is where the two differ, since only one has a timer of systemd's below.
    (found, 0_u64..=1_200, able).prop_map(|(outcome, took, able)| {
        let took = if able == 100 { took } else { took * 100 / u64::from(able) };
        Probe { outcome, took: Duration::from_millis(took), able }
    })
}

fn ended(probe: &Probe, row: Option<Instant>, started: Instant, now: Instant) -> Ended {
    let able = |time: Duration| time * u32::from(probe.able) / 100;
    Ended {
        outcome: probe.outcome.clone(),
        late: Duration::ZERO,
        able: able(probe.took),
        row: able(now - row.unwrap_or(started)),
        pressure: (probe.able < 100).then_some(Pressure { resource: "CPU", percent: 100 - probe.able }),
    }
}

fn in_front(config: &Config, probes: &[Probe]) -> Vec<Made> {
    let mut now = Instant::now();
    let mut state = State::new(config, &["target"], 0, now);
    let mut made = Vec::new();
    let mut play = |probe: &Probe| {
        now = state.next_probe().expect("a probe").max(now);
        let started = now;
        state.step(InFront::ProbeDue { set: 0 }, now);
        now += probe.took;
        let ended = ended(probe, state.row_began(0), started, now);
        let actions = state.step(InFront::ProbeEnded { set: 0, ended }, now);
        let hang = actions.ask.is_some();
        let says = actions.note.iter().filter_map(|note| match note {
            InFrontNote::Unhealthy { .. } => Some("unhealthy"),
            InFrontNote::Recovered { .. } => Some("recovered"),
            InFrontNote::CannotProbe { .. } => Some("cannot probe"),
            _ => None,
        });
        let says = says.chain(actions.slowed.map(|_| "slowed")).collect();
        let gap = state.next_probe().filter(|_| !hang).map(|next| next - now);
        Made { failures: state.failures_in_a_row(), hang, gap, says }
    };
    play(&Probe { outcome: Outcome::Healthy, took: Duration::ZERO, able: 100 });
    for probe in probes {
        made.push(play(probe));
        if made.last().is_some_and(|made| made.hang) {
            break;
        }
    }
    made
}

fn beside(rules: Rules, probes: &[Probe]) -> Vec<Made> {
    let mut now = Instant::now();
    let name = UnitName::new("nginx").expect("a name");
    let mut state = decide::GuardState::new(rules, name, &["target"], (Vec::new(), None), now);
    let moment = |now| Moment { now, maintenance: false, dice: 0.0 };
    state.step(Beside::Seen(running(7)), moment(now));
    let mut made = Vec::new();
    let mut play = |probe: &Probe| {
        now = state.due().expect("a probe").max(now);
        let started = now;
        state.step(Beside::Due, moment(now));
        now += probe.took;
        let ended = ended(probe, state.row_began(0), started, now);
        let actions = state.step(Beside::Probed { set: 0, ended }, moment(now));
        let hang = actions.task == Some(Task::ReadSettings);
        let says = actions.notes.iter().filter_map(|note| match note {
            BesideNote::Unhealthy { .. } => Some("unhealthy"),
            BesideNote::Recovered { .. } => Some("recovered"),
            BesideNote::CannotProbe { .. } => Some("cannot probe"),
            BesideNote::Slowed { .. } => Some("slowed"),
            _ => None,
        });
        let mut says: Vec<_> = says.collect();
        // What keeps it from running is said apart, in front of a service.
        says.sort_by_key(|says| *says == "slowed");
        let gap = state.due().filter(|_| !hang).map(|next| next - now);
        Made { failures: state.failures(), hang, gap, says }
    };
    play(&Probe { outcome: Outcome::Healthy, took: Duration::ZERO, able: 100 });
    for probe in probes {
        made.push(play(probe));
        if made.last().is_some_and(|made| made.hang) {
            break;
        }
    }
    made
}

proptest! {
    #[test]
    fn the_same_probes_mean_the_same_in_front_of_a_service_and_beside_it(
        probes in proptest::collection::vec(any_probe(), 1..80),
        failures in 1_u32..5,
        rise in 1_u32..4,
    ) {
        let counts = [format!("--failures={failures}"), format!("--rise={rise}")];
        let options = [
            "sd-watchdog", "--tcp=127.0.0.1:1", "--jitter=0", "--timeout=1s", "--interval=1s", "--retry-interval=100ms",
            &counts[0], &counts[1], "--", "server",
        ];
        let wrap = Cli::try_parse_from(options).expect("a good command line").wrap;
        let watchdog = Duration::from_secs(100);
        let config = Config::new(&wrap.timing, &[], &wrap.hang, &wrap.wrapper, Some(watchdog)).expect("a timing that works");
        let rules = Rules {
            watchdog,
            sets: vec![config.sets[0].timing],
            pressure_limit: config.pressure_limit,
            start_grace: watchdog,
            restart: RestartRule::Always,
            budget: (1000, watchdog),
            report: None,
            dry_run: false,
            turn: None,
        };
        prop_assert_eq!(in_front(&config, &probes), beside(rules, &probes));
    }
}
