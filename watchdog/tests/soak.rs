//! The soak's arithmetic (`benches/soak`), as tables: the benchmark itself has no tests, for it has a `main` of its own.

#![expect(dead_code, reason = "the benchmark uses what is not tested here")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

#[path = "../benches/soak/account.rs"]
mod account;
#[path = "../benches/soak/bound.rs"]
mod bound;
#[path = "../benches/soak/clock.rs"]
mod clock;
#[path = "../benches/soak/figures.rs"]
mod figures;
#[path = "../benches/soak/growth.rs"]
mod growth;
#[path = "../benches/soak/hang.rs"]
mod hang;
#[path = "../benches/soak/injections.rs"]
mod injections;
#[path = "../benches/memory.rs"]
mod memory;
#[path = "../benches/soak/pressure.rs"]
mod pressure;
#[path = "../benches/soak/schedule.rs"]
mod schedule;

mod the_bound {
    use std::time::Duration;

    use crate::bound::Timing;

    #[test]
    fn the_bound_is_the_sum_of_its_parts_and_grows_as_the_unit_gets_less_to_run() {
        let timing = Timing::of(Duration::from_secs(5));
        for (kept, millis) in
            [(0.0, 4_600), (-0.1, 4_600), (0.5, 9_200), (0.8, 23_000), (0.98, 230_000), (1.0, 230_000)]
        {
            let bound = timing.detect_bound(kept);
            assert!(
                bound.abs_diff(Duration::from_millis(millis)) < Duration::from_millis(1),
                "{kept}: {bound:?}"
            );
        }
    }
}

mod the_pressure {
    use std::time::Duration;

    use crate::pressure::{Pressure, Totals};

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn the_total_is_that_of_the_line_full() {
        let text = "some avg10=1.00 avg60=0.39 avg300=0.63 total=77\nfull avg10=0.00 avg60=0.28 avg300=0.47 total=4488100\n";
        assert_eq!(Totals::parse(text), Some(Duration::from_micros(4_488_100)));
        assert_eq!(Totals::parse("some avg10=0 total=1\n"), None);
    }

    #[test]
    fn the_share_is_taken_between_the_looks_around_the_time_and_memory_and_io_count_once() {
        let mut pressure = Pressure::default();
        let totals = |cpu, memory, io| Totals { cpu: seconds(cpu), memory: seconds(memory), io: seconds(io) };
        for (at, seen) in [
            (1.0, totals(0.0, 0.0, 0.0)),
            (2.0, totals(0.5, 0.0, 0.0)),
            (3.0, totals(0.5, 0.3, 0.2)),
            (4.0, totals(1.5, 0.3, 0.2)),
        ] {
            pressure.look(seconds(at), seen);
        }
        for (since, until, expected) in [
            (0.5, 4.0, None),
            (1.0, 2.0, Some(0.5)),
            (2.5, 2.6, Some(0.3)),
            (1.2, 2.2, Some(0.4)),
            (3.0, 9.0, Some(1.0)),
            (4.0, 9.0, None),
        ] {
            let share = pressure.share(seconds(since), seconds(until));
            match (share, expected) {
                (Some(share), Some(expected)) => assert!((share - expected).abs() < 1e-9, "{since}: {share}"),
                (share, expected) => assert_eq!(share, expected, "{since}"),
            }
        }
    }
}

mod the_account {
    use std::time::Duration;

    use crate::account::{Account, Finding, Stand};
    use crate::clock::Time;

    fn seconds(seconds: f64) -> Time {
        Duration::from_secs_f64(seconds)
    }

    /// A unit with W = 5 s and 20 s for a start, begun at 100 s, that says these; an empty datagram is an empty socket.
    fn told(words: &[(f64, &str)]) -> (Account, Vec<Finding>) {
        let mut account = Account::new(seconds(5.0), seconds(20.0));
        account.start(seconds(100.0));
        let hear = |(at, datagram): &(f64, &str)| {
            if datagram.is_empty() {
                account.heard_all(seconds(*at))
            } else {
                account.heard(datagram, seconds(*at))
            }
        };
        let findings = words.iter().filter_map(hear).collect();
        (account, findings)
    }

    #[test]
    fn the_timer_begins_with_ready_and_with_every_ping_and_w_without_one_is_a_lapse() {
        for (words, expected) in [
            (&[(101.0, "READY=1"), (105.9, "")][..], None),
            (&[(101.0, "READY=1"), (106.0, "")], Some(5.0)),
            (&[(101.0, "READY=1\nSTATUS=x"), (105.0, "WATCHDOG=1"), (109.9, "")], None),
            (&[(101.0, "READY=1"), (105.0, "WATCHDOG=1"), (111.0, "WATCHDOG=1")], Some(6.0)),
            (&[(101.0, "READY=1"), (102.0, "STOPPING=1"), (119.0, "")], None),
            (&[(101.0, "WATCHDOG=1"), (119.0, "")], None),
        ] {
            let (account, findings) = told(words);
            let lapses: Vec<_> = expected.map(|gap| Finding::Lapse(seconds(gap))).into_iter().collect();
            assert_eq!(findings, lapses, "{words:?}");
            assert_eq!(account.lapses, lapses.len() as u64);
        }
    }

    #[test]
    fn a_start_ends_with_ready_or_its_timeout_which_can_be_extended_but_not_shortened() {
        for (words, fails) in [
            (&[(119.9, "")][..], false),
            (&[(120.0, "")], true),
            (&[(110.0, "EXTEND_TIMEOUT_USEC=15000000"), (124.9, "")], false),
            (&[(110.0, "EXTEND_TIMEOUT_USEC=15000000"), (125.0, "")], true),
            (&[(101.0, "EXTEND_TIMEOUT_USEC=1000"), (119.9, "")], false),
        ] {
            let (_, findings) = told(words);
            assert_eq!(findings.len(), usize::from(fails), "{words:?}");
        }
    }

    #[test]
    fn a_trigger_is_heard_once_with_its_status_and_what_follows_is_no_lapse() {
        let (account, findings) = told(&[
            (101.0, "READY=1"),
            (103.0, "STATUS=hung\nWATCHDOG=trigger"),
            (110.0, ""),
            (111.0, "WATCHDOG=1"),
        ]);
        assert_eq!(findings, [Finding::Trigger("hung".to_owned())]);
        assert_eq!((account.triggers, account.lapses), (1, 0));
    }

    #[test]
    fn an_end_that_was_not_asked_for_is_a_failure() {
        let (mut account, _) = told(&[(101.0, "READY=1")]);
        assert_eq!(account.ended("exit 1"), Some(Finding::Exit("exit 1".to_owned())));
        account.start(seconds(200.0));
        account.stop();
        assert_eq!(account.ended("exit 0"), None);
        assert_eq!((account.failures, account.stand()), (1, Stand::Down));
    }

    #[test]
    fn pings_are_counted_as_of_a_time() {
        let (account, _) = told(&[(101.0, "READY=1"), (102.0, "WATCHDOG=1"), (103.0, "WATCHDOG=1")]);
        for (at, pings) in [(101.5, 0), (102.5, 1), (103.0, 2), (110.0, 2)] {
            assert_eq!(account.pings_until(seconds(at)), Some(pings), "{at}");
        }
    }
}

mod the_schedule {
    use std::time::Duration;

    use crate::schedule::{Deed, Planned, QUIET, Track, plan};

    const W: Duration = Duration::from_secs(5);

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    #[test]
    fn in_a_minute_everything_is_done_at_least_once_and_nothing_after_the_end() {
        for seed in 0..50 {
            let planned = plan(seed, minutes(1), &Track::ALL, W);
            for track in Track::ALL {
                for deed in track.deeds(0) {
                    assert!(planned.iter().any(|planned| planned.deed == deed), "{seed}: {deed:?}");
                }
            }
            for Planned { at, lasts, deed, .. } in planned {
                assert!(
                    at >= QUIET && at + lasts <= minutes(1) + Duration::from_secs(1),
                    "{seed}: {deed:?} {at:?}"
                );
            }
        }
    }

    #[test]
    fn a_seed_says_it_all_and_a_track_does_the_same_by_itself() {
        let all = plan(7, minutes(10), &Track::ALL, W);
        assert_eq!(all, plan(7, minutes(10), &Track::ALL, W));
        assert_ne!(all, plan(8, minutes(10), &Track::ALL, W));
        let cpu: Vec<_> = all.into_iter().filter(|planned| matches!(planned.deed, Deed::Busy(_))).collect();
        assert_eq!(cpu, plan(7, minutes(10), &[Track::Cpu], W));
    }

    #[test]
    fn what_keeps_it_from_speaking_is_one_thing_at_a_time_and_leaves_room_for_a_ping() {
        for seed in 0..50 {
            let planned = plan(seed, minutes(20), &[Track::Speech], W);
            for pair in planned.windows(2) {
                assert!(pair[0].at + pair[0].lasts <= pair[1].at, "{seed}: {pair:?}");
            }
            let silences =
                planned.iter().filter(|planned| !matches!(planned.deed, Deed::Niced | Deed::GoneAtStart));
            assert!(silences.into_iter().all(|planned| planned.lasts <= W / 4), "{seed}");
        }
    }
}

mod the_growth {
    use std::time::Duration;

    use crate::growth::Growth;
    use crate::memory::Memory;

    fn life(seconds: u64, figures: impl Fn(u64) -> (f64, usize)) -> Option<bool> {
        let mut growth = Growth::default();
        for second in 0..seconds {
            let (anonymous, descriptors) = figures(second);
            growth.look(Duration::from_secs(1000 + second), Memory { pss: 9.0, anonymous, descriptors });
        }
        growth.thirds().map(|thirds| thirds.grew())
    }

    #[test]
    fn a_slope_is_growth_and_a_peak_or_a_start_is_none() {
        let flat = |_| (1.0, 12);
        let slope = |second: u64| (1.0 + 0.01 * second as f64, 12);
        let leak = |second: u64| (1.0, 12 + usize::try_from(second / 10).unwrap());
        let peaks = |second: u64| if second.is_multiple_of(7) { (3.0, 20) } else { (1.0, 12) };
        let start = |second: u64| if second < 9 { (0.5, 3) } else { (1.0, 12) };
        assert_eq!(life(60, flat), Some(false));
        assert_eq!(life(60, slope), Some(true));
        assert_eq!(life(60, leak), Some(true));
        assert_eq!(life(60, peaks), Some(false));
        assert_eq!(life(60, start), Some(false));
        assert_eq!(life(35, slope), None);
    }
}

mod the_figures {
    use crate::clock::Time;
    use crate::figures::{Counts, Figures};

    #[test]
    fn figures_are_added_by_name_and_outcome_and_lives_are_added_up() {
        let page = "# TYPE x counter\n\
            sd_watchdog_probes_total{outcome=\"healthy\",reason=\"\"} 40\n\
            sd_watchdog_probes_total{outcome=\"unhealthy\",reason=\"timeout\"} 2\n\
            sd_watchdog_probes_total{outcome=\"unhealthy\",reason=\"lookup\"} 1\n\
            sd_watchdog_probe_duration_seconds_count 43\n\
            sd_watchdog_probe_duration_seconds_sum 0.25\n\
            sd_watchdog_discounted_total 3\n\
            sd_watchdog_pings_total{unit=\"a.service\"} 39\n\
            sd_watchdog_new_total 7\n";
        let counts =
            Counts { healthy: 40, unhealthy: 3, ended: 43, discounted: 3, pings: 39, ..Counts::default() };
        assert_eq!(Counts::parse(page), counts);
        assert!(counts.balance());
        assert!(!Counts { ended: 44, ..counts }.balance());
        let mut figures = Figures::default();
        for second in 0..2 {
            figures.seen(Time::from_secs(second), page);
            figures.next_life();
        }
        assert_eq!(figures.total().healthy, 80);
    }
}

mod the_injections {
    use std::time::Duration;

    use crate::account::Finding;
    use crate::bound::Timing;
    use crate::clock::{Stalls, Time};
    use crate::hang::Hang;
    use crate::injections::{Injection, Outcome};

    fn seconds(seconds: f64) -> Time {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_hang_is_found_in_bound_missed_or_unsound_and_a_lost_word_is_not_found() {
        let timing = Timing::of(seconds(5.0));
        let (trigger, lapse) = (Finding::Trigger(String::new()), Finding::Lapse(seconds(5.0)));
        for (gone, finding, after, kept, is_late, expected) in [
            (false, &trigger, 2.1, Some(0.0), false, Outcome::Found),
            (false, &trigger, 4.6, Some(0.0), false, Outcome::Found),
            (false, &trigger, 4.7, Some(0.0), false, Outcome::Missed),
            (false, &trigger, 4.7, Some(0.2), false, Outcome::Found),
            (false, &lapse, 4.5, Some(0.0), false, Outcome::Found),
            (true, &lapse, 4.5, Some(0.0), false, Outcome::WordLost),
            (true, &lapse, 4.5, Some(0.5), false, Outcome::Found),
            (true, &trigger, 4.5, Some(0.0), false, Outcome::Found),
            (false, &trigger, 4.5, None, false, Outcome::Found),
            (
                false,
                &trigger,
                9.0,
                None,
                false,
                Outcome::Unsound("without PSI of the unit its bound is not known"),
            ),
            (
                false,
                &trigger,
                9.0,
                Some(0.0),
                true,
                Outcome::Unsound("the soak kept it from speaking for longer than it meant to"),
            ),
        ] {
            let mut injection = Injection::order(0, Hang::Mute, gone, seconds(9.0));
            injection.began = Some(seconds(10.0));
            injection.found(finding, seconds(10.0 + after), kept, is_late, &timing);
            assert_eq!(injection.outcome, Some(expected), "{gone} {finding:?} {after} {kept:?}");
        }
    }

    #[test]
    fn what_stood_still_with_the_soak_is_neither_found_nor_missed() {
        let timing = Timing::of(seconds(5.0));
        let trigger = Finding::Trigger(String::new());
        let mut stalls = Stalls::default();
        for (due, now, stall) in [(9.0, 9.05, None), (9.5, 10.5, Some(1.0)), (12.0, 14.5, Some(2.5))] {
            assert_eq!(stalls.woken(seconds(due), seconds(now)), stall.map(seconds));
        }
        for (after, stalled, excused) in [(2.0, 0.5, true), (4.7, 3.0, true), (7.7, 3.0, false)] {
            let mut injection = Injection::order(0, Hang::Mute, false, seconds(9.0));
            injection.began = Some(seconds(10.0));
            injection.stalled = stalls.between(seconds(10.0), seconds(10.0 + after));
            assert_eq!(injection.stalled, seconds(stalled));
            injection.found(&trigger, seconds(10.0 + after), Some(0.0), false, &timing);
            assert_eq!(injection.outcome != Some(Outcome::Missed), excused, "{after}");
            assert_eq!(injection.outcome == Some(Outcome::Found), after < 4.6, "{after}");
            injection.outcome = None;
            assert_eq!(injection.is_given_up(seconds(22.2), Some(0.0), &timing), stalled < 3.0);
        }
    }

    #[test]
    fn what_is_not_told_in_two_bounds_is_given_up_as_missed() {
        let timing = Timing::of(seconds(5.0));
        let mut injection = Injection::order(0, Hang::Spin, false, seconds(9.0));
        assert!(!injection.is_given_up(seconds(20.0), Some(0.0), &timing));
        assert!(
            injection.clone().is_given_up(seconds(40.0), Some(0.0), &timing),
            "the order was not carried out"
        );
        injection.began = Some(seconds(10.0));
        assert!(!injection.is_given_up(seconds(19.2), Some(0.0), &timing));
        assert!(!injection.is_given_up(seconds(20.0), Some(0.5), &timing));
        assert!(injection.is_given_up(seconds(20.0), Some(0.0), &timing));
        assert_eq!(injection.outcome, Some(Outcome::Missed));
    }
}
