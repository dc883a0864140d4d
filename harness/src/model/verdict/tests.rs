//! Tables: what happened, and what is to be said of it.

use super::*;
use crate::model::ask::{Answer, Ask};
use crate::model::bound::tests::settings;
use crate::model::clock::Usec;
use crate::model::event::{Event, Exit};
use crate::model::expect::Deed;
use crate::model::settings::{OnHang, Type};
use crate::model::timeline::is_watchdog;

const ORIGIN: u64 = 10_000_000;

/// Events at milliseconds after the injection, asks likewise, and the judgement on them.
#[derive(Clone)]
struct Story {
    end: Usec,
    events: Vec<Event>,
    witness: Witness,
    expect: Expectation,
    settings: Settings,
}

fn at(ms: i64) -> Usec {
    Usec(ORIGIN.saturating_add_signed(ms * 1000))
}

impl Story {
    /// A mute server that was restarted 1.7 s after the injection, and clients who saw just that.
    fn recovered() -> Self {
        let mut story = Self {
            end: at(2600),
            events: Vec::new(),
            witness: Witness::default(),
            expect: Expectation {
                outcome: Outcome::Restarted,
                by: Some(By::Watchdog),
                recovery_within: Some("WatchdogSec".into()),
                ..Expectation::default()
            },
            settings: settings(OnHang::Trigger),
        };
        for (ms, kind) in [
            (0, Kind::Injected { fault: "mute".into(), within_usec: None, deed: Deed::Hangs }),
            (1650, Kind::WatchdogTrigger { status: None }),
            (1651, Kind::Killed { pid: None, signal: None }),
            (1655, Kind::Exited(Exit::Signal("SIGABRT".into()))),
            (1656, Kind::Failed { result: "watchdog".into() }),
            (1657, Kind::RestartScheduled { restarts: 1 }),
            (1670, Kind::Starting),
            (1700, Kind::Ready),
        ] {
            story.events.push(Event { at: at(ms), kind });
        }
        story.asks(&[(-20, true), (-10, true), (10, false), (1660, false), (1690, true), (2500, true)]);
        story
    }

    fn asks(&mut self, asks: &[(i64, bool)]) {
        // Those that matter, of all: none was late.
        self.witness = Witness::every(Duration::from_secs(3600));
        for &(ms, good) in asks {
            let answer = if good { Answer::Good } else { Answer::Bad("no answer in 1 s".into()) };
            self.witness.add(Ask { asked: at(ms), known: at(ms) + TICK / 10, answer });
        }
    }

    fn without(mut self, unwanted: fn(&Kind) -> bool) -> Self {
        self.events.retain(|event| !unwanted(&event.kind));
        self
    }

    /// Moves everything from the first such event on.
    fn later(mut self, from: fn(&Kind) -> bool, ms: u64) -> Self {
        let first = self.events.iter().position(|event| from(&event.kind)).expect("it happened");
        for event in &mut self.events[first..] {
            event.at = Usec(event.at.0 + ms * 1000);
        }
        let by = ms.cast_signed();
        self.asks(&[(-10, true), (10, false), (1660 + by, false), (1690 + by, true), (1710 + by, true)]);
        self
    }

    fn verdict(&self) -> Verdict {
        let timeline = Timeline::new(at(-1000), self.end, self.events.clone(), &self.witness);
        judge(&timeline, &self.witness, &self.expect, &self.settings)
    }

    fn reasons(&self) -> String {
        self.verdict().reasons().join("; ")
    }
}

#[test]
fn a_recovery_in_time_passes_and_is_summed_up() {
    let Verdict::Pass { summary } = Story::recovered().verdict() else {
        panic!("{}", Story::recovered().reasons())
    };
    assert_eq!(summary, "restarted by the watchdog 1.7 s after the injection, within WatchdogSec (5 s)");
}

#[test]
fn a_phase_longer_than_its_bound_fails_even_if_the_whole_is_in_time() {
    let slow = Story::recovered().later(|kind| matches!(kind, Kind::WatchdogTrigger { .. }), 750);
    assert_eq!(
        slow.reasons(),
        "detect took 2.4 s, more than its bound P 500 ms + 3 × T 500 ms + 2 × r 50 ms = 2.1 s"
    );
    let within_the_allowance =
        Story::recovered().later(|kind| matches!(kind, Kind::WatchdogTrigger { .. }), 690);
    assert_eq!(within_the_allowance.reasons(), "");
    let slow_restart = Story::recovered().later(|kind| *kind == Kind::Starting, 1200);
    assert!(
        slow_restart.reasons().contains("restart took 1.215 s, more than its bound RestartSec 0: no timer")
    );
}

#[test]
fn who_is_ended_from_beside_is_so_within_the_bound_and_who_ends_by_itself_has_none() {
    let ended = |on_hang, late| {
        let mut story =
            Story::recovered().without(is_watchdog).later(|kind| matches!(kind, Kind::Exited(_)), late);
        story.settings = settings(on_hang);
        story.expect.by = Some(By::Exit);
        story.reasons()
    };
    // The process's own end is in it: that is granted what work is.
    assert_eq!(ended(OnHang::Restart, 1400), "");
    assert!(ended(OnHang::Restart, 1500).starts_with("detect took 3.155 s, more than its bound P 500 ms"));
    assert_eq!(ended(OnHang::Trigger, 1500), "");
}

#[test]
fn a_withheld_ping_cannot_be_noticed_sooner_than_the_timer_runs() {
    let mut story = Story::recovered();
    story.settings = settings(OnHang::Withhold);
    assert_eq!(story.reasons(), "detect took 1.65 s, less than the 4.5 s that it must");
}

#[test]
fn a_recovery_after_the_limit_fails() {
    let mut story = Story::recovered();
    story.expect.recovery_within = Some("1.5s".into());
    assert_eq!(story.reasons(), "the recovery took 1.7 s, longer than 1.5 s");
    story.expect.recovery_within = Some("RestartSec".into());
    assert_eq!(story.reasons(), "the recovery took 1.7 s, longer than RestartSec, 0 ms");
}

#[test]
fn the_right_end_for_the_wrong_reason_fails() {
    let crashed = Story::recovered().without(is_watchdog);
    assert_eq!(crashed.reasons(), "it was restarted because of the process's own exit, not of the watchdog");
    let mut hung = Story::recovered();
    hung.expect.by = Some(By::Exit);
    assert_eq!(hung.reasons(), "it was restarted because of the watchdog, not of the process's own exit");
}

#[test]
fn an_ask_that_was_open_at_the_injection_says_nothing_of_the_time_before() {
    let mut story = Story::recovered();
    let open =
        |known| Ask { asked: at(-134), known: at(known), answer: Answer::Bad("connection reset".into()) };
    story.witness.add(open(5));
    assert_eq!(story.reasons(), "");
    story.witness.add(open(-100));
    assert!(story.reasons().contains("clients were not served already 134 ms before the injection"));
}

#[test]
fn witnesses_who_contradict_each_other_fail_the_trial() {
    let mut story = Story::recovered();
    story.asks(&[(-10, true), (500, true), (1000, true), (1710, true)]);
    assert_eq!(
        story.reasons(),
        "a client was served 501 ms after the injection, while the service was to hang"
    );
    story.asks(&[(-10, true), (10, false), (300, true), (310, false), (1710, true)]);
    assert_eq!(
        story.reasons(),
        "a client was served 301 ms after the injection, while the service was to hang"
    );
    story.asks(&[(-10, true), (10, false), (1710, false)]);
    assert_eq!(
        story.reasons(),
        "systemd says it is ready, but no client was served again (no answer in 1 s)"
    );
    story.asks(&[(-900, true), (-800, false), (-790, false), (10, false), (1710, true)]);
    assert!(story.reasons().contains("clients were not served already 800 ms before the injection"));
}

#[test]
fn a_busy_observer_is_no_contradiction() {
    let mut story = Story::recovered();
    let late = Ask { asked: at(-2), known: at(60), answer: Answer::Good };
    story.asks(&[(-10, true), (10, false), (1690, true), (1710, true)]);
    story.witness.add(late);
    assert_eq!(story.reasons(), "");
    // A quick restart between two asks of which nobody noticed anything.
    story.asks(&[(-10, true), (1701, true), (1720, true)]);
    assert_eq!(story.reasons(), "");
}

#[test]
fn requests_of_a_load_may_fail_as_often_as_is_said_and_what_was_not_made_proves_nothing() {
    use crate::model::load::Tally;
    let said = |failed: usize, unasked: usize, open: u64| {
        let mut story = Story::recovered();
        let mut load = Tally::new(100);
        // What failed before is not the fault's.
        load.failed(at(-500), "refused");
        (0..90).for_each(|_| load.good(at(2000), TICK));
        (0..failed).for_each(|_| load.failed(at(800), "no answer in 1 s"));
        (0..unasked).for_each(|_| load.unasked(at(900)));
        story.witness.add_load(&load.take(open));
        story.expect.at_most_failed = Some(10);
        story.verdict()
    };
    assert!(said(10, 0, 0).is_pass());
    let Verdict::Fail { reasons } = said(11, 5, 0) else { panic!("too many") };
    assert_eq!(reasons, ["11 of 101 requests failed (no answer in 1 s, …), more than 10"]);
    assert!(said(5, 4, 1).is_pass(), "all of them together are not too many");
    for (unasked, open) in [(6, 0), (0, 6)] {
        assert_eq!(said(5, unasked, open).word(), "unsound", "{unasked} {open}");
    }
    let mut without = Story::recovered();
    without.expect.at_most_failed = Some(0);
    assert_eq!(without.verdict().word(), "unsound");
}

#[test]
fn an_outage_has_a_limit_of_its_own() {
    let mut story = Story::recovered();
    // From 10 ms before the injection to 1.69 s after it; the last ask that failed is of 1.66 s.
    for (within, expected) in [
        ("1.68s", ""),
        ("WatchdogSec", ""),
        ("1.6s", "clients were not served for 1.701 s, longer than 1.6 s"),
    ] {
        story.expect.outage_within = Some(within.into());
        assert_eq!(story.reasons(), expected, "{within}");
    }
    story.asks(&[(-10, true), (1701, true)]);
    assert_eq!(story.reasons(), "", "nobody noticed anything");
}

#[test]
fn ready_without_service_is_late_service() {
    let mut story = Story::recovered();
    story.asks(&[(-10, true), (10, false), (2500, true)]);
    assert_eq!(story.reasons(), "", "nobody asked meanwhile, so nobody knows");
    story.asks(&[(-10, true), (10, false), (1750, false), (2500, true)]);
    assert_eq!(story.reasons(), "", "who asks seldom does not know when it was");
    story.asks(&[(-10, true), (10, false), (1750, false), (2490, false), (2500, true)]);
    let expected = "systemd says it was ready after 1.7 s, but clients were served only 801 ms later";
    assert_eq!(story.reasons(), expected);
    // With Type=exec READY promises nothing, and the limit is held against the clients.
    story.settings.kind = Type::Exec;
    assert_eq!(story.reasons(), "");
    story.expect.recovery_within = Some("2s".into());
    assert_eq!(story.reasons(), "clients were served only 2.501 s after the injection, later than 2 s");
    // It has a limit of its own from its start on.
    story.expect = Expectation { recovery_within: None, ready_within: Some("500ms".into()), ..story.expect };
    let expected =
        "clients were served only 801 ms after it was started again, later than [ready] within, 500 ms";
    assert_eq!(story.reasons(), expected);
    story.expect.ready_within = Some("800ms".into());
    assert_eq!(story.reasons(), "");
    story.asks(&[(-10, true), (10, false), (2500, false)]);
    let expected = "it was started again after 1.7 s, but no client was served in the 900 ms since then (no answer in 1 s)";
    assert_eq!(story.reasons(), expected);
}

#[test]
fn a_service_that_is_up_and_serves_nobody_is_told_from_one_that_does_not_start() {
    let mut story = Story::recovered();
    story.events.clear();
    story.asks(&[(-900, false), (-500, false)]);
    assert_eq!(story.reasons(), "the service was up, but no client was served in 3.6 s (no answer in 1 s)");
    // Between two trials it is stopped in order; what ends after its start has ended by itself, or for another unit's sake.
    let served_nobody = "the service was up, but no client was served in 3.6 s (no answer in 1 s)";
    for (ended, kind, expected) in [
        (-950, Kind::Deactivated, served_nobody),
        (-950, Kind::Stopping, served_nobody),
        (-850, Kind::Deactivated, "the service did not stay up until it served: deactivated"),
        (-850, Kind::Stopping, "the service did not stay up until it served: systemd stopped it"),
    ] {
        story.events =
            [(ended, kind), (-900, Kind::Ready)].map(|(ms, kind)| Event { at: at(ms), kind }).into();
        assert_eq!(story.reasons(), expected);
    }
    story.events = vec![Event { at: at(-900), kind: Kind::Exited(Exit::Code(1)) }];
    assert_eq!(story.reasons(), "the service did not start: exited with code 1");
    // Whatever is expected of it.
    story.expect = Expectation { outcome: Outcome::Undisturbed, by: None, ..story.expect };
    assert_eq!(story.reasons(), "the service did not start: exited with code 1");
    story.asks(&[]);
    assert_eq!(story.reasons(), "the service did not start: exited with code 1");
    story.events.clear();
    assert_eq!(story.reasons(), "no client asked: the observer did not work");
}

#[test]
fn a_service_of_type_simple_is_ready_without_starting() {
    let simple = Story::recovered().without(|kind| *kind == Kind::Starting);
    assert_eq!(simple.reasons(), "");
}

#[test]
fn a_service_that_exits_cleanly_is_noticed_too() {
    let mut clean = Story::recovered()
        .without(is_watchdog)
        .without(|kind| matches!(kind, Kind::Exited(_) | Kind::Failed { .. } | Kind::Killed { .. }));
    clean.events.push(Event { at: at(5), kind: Kind::Deactivated });
    clean.expect.by = Some(By::Exit);
    assert_eq!(clean.reasons(), "");
}

#[test]
fn a_hang_that_nobody_noticed_says_why_it_could_not_be() {
    let injected_only = |kind: &Kind| !matches!(kind, Kind::Injected { .. });
    let mut story = Story::recovered().without(injected_only);
    assert!(story.reasons().contains("something pings although the service hangs"), "{}", story.reasons());
    story.settings.watchdog_usec = None;
    assert!(story.reasons().contains("the watchdog of this unit is off"), "{}", story.reasons());
    story.asks(&[(-10, true), (500, true)]);
    assert!(story.reasons().contains("the fault had no effect"), "{}", story.reasons());
}

#[test]
fn a_service_that_is_killed_and_stays_down_says_what_holds_it() {
    let down = Story::recovered().without(|kind| matches!(kind, Kind::Starting | Kind::Ready));
    let expected =
        "noticed after 1.65 s, but the service did not become ready: systemd's last word is \"watchdog\"";
    assert!(down.reasons().contains(expected), "{}", down.reasons());
    let mut never = Story::recovered().without(|kind| matches!(kind, Kind::Starting | Kind::Ready));
    never.settings.restart = Restart::No;
    assert!(never.reasons().contains("the unit has Restart=no"), "{}", never.reasons());
    never.events.push(Event { at: at(1671), kind: Kind::StartLimitHit });
    assert!(never.reasons().contains("the start limit was hit"), "{}", never.reasons());
}

#[test]
fn a_unit_that_restarts_nothing_that_ended_so_is_named() {
    const IN_ORDER: &str = "that ended without a failure (exit code 0, SIGTERM, …)";
    let is_restart =
        |kind: &Kind| matches!(kind, Kind::RestartScheduled { .. } | Kind::Starting | Kind::Ready);
    let by_watchdog = Story::recovered().without(is_restart);
    // What the watchdog has to say comes to nothing where something else ends the process.
    let ended = |kinds: &[Kind]| {
        let mut story = Story::recovered().without(|kind| !matches!(kind, Kind::Injected { .. }));
        story.events.extend(kinds.iter().map(|kind| Event { at: at(5), kind: kind.clone() }));
        story
    };
    let failed = |result: &str| Kind::Failed { result: result.into() };
    let in_order = ended(&[Kind::Deactivated]);
    let by_code = ended(&[Kind::Exited(Exit::Code(3)), failed("exit-code")]);
    let by_signal = ended(&[Kind::Exited(Exit::Signal("SIGKILL".into())), failed("signal")]);
    for (mut down, restart, expected) in [
        (by_watchdog.clone(), Restart::OnAbort, Some("that the watchdog ended")),
        (by_watchdog.clone(), Restart::OnSuccess, Some("that the watchdog ended")),
        (by_watchdog, Restart::OnFailure, None),
        (in_order.clone(), Restart::OnFailure, Some(IN_ORDER)),
        (in_order.clone(), Restart::OnWatchdog, Some(IN_ORDER)),
        (in_order.clone(), Restart::OnSuccess, None),
        (in_order, Restart::Always, None),
        (by_code.clone(), Restart::OnAbnormal, Some("that exited by itself")),
        (by_code, Restart::OnFailure, None),
        (by_signal.clone(), Restart::OnWatchdog, Some("that a signal ended")),
        (by_signal, Restart::OnAbort, None),
    ] {
        down.settings.restart = restart.clone();
        let reasons = down.reasons();
        let named = reasons.split_once(&format!(": the unit has Restart={restart}, which restarts nothing "));
        assert_eq!(named.map(|(_, which)| which), expected, "{reasons}");
    }
}

#[test]
fn what_ends_by_itself_was_not_found_to_hang_and_what_is_to_be_started_again_is_not_refused() {
    let mut down = Story::recovered().without(|kind| is_watchdog(kind) || *kind == Kind::Ready);
    down.settings.restart = Restart::OnWatchdog;
    assert_eq!(
        down.reasons(),
        "the process ended after 1.655 s, but the service did not become ready: systemd's last word is \"watchdog\""
    );
}

#[test]
fn of_a_recovery_that_took_too_long_the_phase_is_named_that_took_most_of_it() {
    let mut story = Story::recovered().later(|kind| matches!(kind, Kind::Exited(_)), 1900);
    story.expect.recovery_within = Some("3s".into());
    assert_eq!(story.reasons(), "the recovery took 3.6 s, longer than 3 s, of which kill took 1.905 s");
}

#[test]
fn a_service_that_comes_back_was_not_given_up() {
    let mut story = Story::recovered();
    story.expect.outcome = Outcome::Failed;
    assert_eq!(story.reasons(), "the service was to fail for good, but was ready again after 1.7 s");
}

#[test]
fn given_up_is_what_systemd_says_or_is_quiet_about() {
    let down = || {
        let mut story = Story::recovered().without(|kind| matches!(kind, Kind::Starting | Kind::Ready));
        story.expect.outcome = Outcome::Failed;
        story
    };
    let trying = "systemd has not given the service up: it was still trying";
    assert_eq!(down().reasons(), trying, "a restart is scheduled");
    let mut limited = down();
    limited.events.push(Event { at: at(1671), kind: Kind::StartLimitHit });
    assert!(limited.verdict().is_pass());
    let mut failing = down();
    failing.events.push(Event { at: at(1671), kind: Kind::StartFailed });
    assert_eq!(failing.reasons(), trying, "it may be tried again at any moment");
    failing.end = at(10_000);
    assert!(failing.verdict().is_pass(), "nothing has happened for seconds");
}

#[test]
fn an_undisturbed_service_has_no_events_and_no_unanswered_client() {
    let mut story = Story::recovered().without(|_| true);
    story.expect = Expectation { outcome: Outcome::Undisturbed, by: None, ..story.expect };
    story.asks(&[(-900, true), (0, true)]);
    assert!(story.verdict().is_pass());
    story.asks(&[(-900, true), (-500, false), (0, true)]);
    assert_eq!(story.reasons(), "nothing was done to the service, yet 1 of 3 asks were not answered well");
    story.asks(&[]);
    assert!(story.reasons().contains("the observer did not work"));
    story.asks(&[(-900, true)]);
    story.events.push(Event { at: at(-500), kind: Kind::WatchdogTimeout });
    assert_eq!(story.reasons(), "nothing was done to the service, yet after 500 ms: watchdog timeout");
}

#[test]
fn a_hung_service_that_is_to_be_left_alone_may_be_called_hung_and_serve_nobody() {
    let mut story = Story::recovered().without(|kind| !is_injection(kind));
    story.expect = Expectation {
        outcome: Outcome::Undisturbed,
        undisturbed_for: Some("2s".into()),
        by: None,
        ..story.expect
    };
    story.asks(&[(-20, true), (-10, true), (10, false), (1990, false)]);
    story.events.push(Event { at: at(1649), kind: report() });
    let Verdict::Pass { summary } = story.verdict() else { panic!("{}", story.reasons()) };
    assert_eq!(summary, "left alone for 2 s after the injection: neither ended nor restarted");
    story.events.push(Event { at: at(1700), kind: Kind::Exited(Exit::Signal("SIGABRT".into())) });
    assert_eq!(story.reasons(), "the hung service was to be left alone, yet after 1.7 s: exited by SIGABRT");
    story.events.pop();
    story.asks(&[(-900, true), (-500, false), (-10, true), (10, false)]);
    assert!(
        story.reasons().starts_with("clients were not served already 500 ms before"),
        "{}",
        story.reasons()
    );
    story.asks(&[(-10, true), (10, false)]);
    story.expect.hang_report = Some(false);
    assert!(story.reasons().starts_with("there was to be no hang report"), "{}", story.reasons());
}

#[test]
fn a_trial_without_its_injection_is_no_proof() {
    let mut story = Story::recovered().without(|kind| matches!(kind, Kind::Injected { .. } | Kind::Ready));
    story.asks(&[]);
    assert!(story.reasons().starts_with("the service did not start: watchdog trigger; exited by SIGABRT"));
    story.events.insert(0, Event { at: at(-500), kind: Kind::Ready });
    assert!(story.reasons().starts_with("the service did not stay up until it served: watchdog trigger"));
    story.asks(&[(-10, true)]);
    assert!(
        story
            .reasons()
            .starts_with("the service was disturbed before anything was done to it: watchdog trigger")
    );
}

fn report() -> Kind {
    let diagnosis = Some("all 8 threads wait in futex".into());
    Kind::HangReport { id: None, reason: None, diagnosis, observers: None }
}

#[test]
fn a_hang_report_must_be_in_the_journal_before_systemd_acts() {
    let mut story = Story::recovered();
    story.expect.hang_report = Some(true);
    assert_eq!(story.reasons(), "sd-watchdog put no hang report into the journal");
    story.events.push(Event { at: at(1649), kind: report() });
    assert!(story.verdict().is_pass(), "{}", story.reasons());
    story.events.pop();
    story.events.push(Event { at: at(1652), kind: report() });
    assert_eq!(story.reasons(), "the hang report came 2 ms after systemd had begun to end the service");
}

#[test]
fn a_guard_that_widened_its_deadline_has_until_watchdog_sec() {
    let slow = || Story::recovered().later(|kind| matches!(kind, Kind::WatchdogTrigger { .. }), 3200);
    let mut story = slow();
    assert!(story.reasons().contains("more than its bound"), "{}", story.reasons());
    story.events.push(Event { at: at(1600), kind: Kind::DeadlineWidened { percent: None } });
    assert!(story.verdict().is_pass(), "{}", story.reasons());
    let mut story = Story::recovered().later(|kind| matches!(kind, Kind::WatchdogTrigger { .. }), 3700);
    story.events.push(Event { at: at(1600), kind: Kind::DeadlineWidened { percent: None } });
    let expected = "detect took 5.35 s, more than its bound WatchdogSec 5 s: the deadline was widened = 5 s";
    assert!(story.reasons().contains(expected), "{}", story.reasons());
    story.expect.recovery_within = None;
    story.events.push(Event { at: at(1600), kind: Kind::DeadlineWidened { percent: Some(50) } });
    story.events.push(Event { at: at(1700), kind: Kind::DeadlineWidened { percent: Some(20) } });
    assert!(story.verdict().is_pass(), "twice as long as without pressure: {}", story.reasons());
}

#[test]
fn a_hang_report_that_was_not_to_be_fails_the_trial() {
    let mut story = Story::recovered();
    story.events.push(Event { at: at(1649), kind: report() });
    assert!(story.verdict().is_pass(), "nothing was said about one");
    story.expect.hang_report = Some(false);
    let expected = "there was to be no hang report, but: hang report: all 8 threads wait in futex";
    assert_eq!(story.reasons(), expected);
}

#[test]
fn a_healthy_service_that_is_called_hung_fails_unless_that_is_the_question() {
    let mut story = Story::recovered().without(|_| true);
    story.expect = Expectation { outcome: Outcome::Undisturbed, by: None, ..story.expect };
    story.asks(&[(-900, true), (0, true)]);
    story.events.push(Event { at: at(-500), kind: report() });
    assert!(story.reasons().contains("yet after 500 ms: hang report: all 8 threads"), "{}", story.reasons());
    story.expect.hang_report = Some(true);
    assert!(story.verdict().is_pass(), "{}", story.reasons());
}

#[test]
fn who_is_served_before_the_fault_took_effect_contradicts_nothing() {
    let mut story = Story::recovered();
    let injected = |within_usec| Kind::Injected { fault: "sigstop".into(), within_usec, deed: Deed::Hangs };
    story.asks(&[(-10, true), (5, true), (20, false), (1700, true)]);
    story.events[0].kind = injected(None);
    assert!(story.reasons().contains("a client was served"), "{}", story.reasons());
    story.events[0].kind = injected(Some(8000));
    assert!(story.verdict().is_pass(), "{}", story.reasons());
    story.asks(&[(-10, true), (9, true), (20, false), (1700, true)]);
    assert!(story.reasons().contains("a client was served"), "{}", story.reasons());
}

#[test]
fn where_the_guard_is_silenced_clients_are_served_until_systemds_own_timer_acts() {
    let injected = |deed| Kind::Injected { fault: "stop-watchdog".into(), within_usec: None, deed };
    let mut story = Story::recovered();
    story.expect.recovery_within = None;
    story.events[1].kind = Kind::WatchdogTimeout;
    let mut story = story.later(|kind| *kind == Kind::WatchdogTimeout, 3_250);
    story.asks(&[(-10, true), (4_500, true), (4_920, false), (4_960, true), (5_700, true)]);
    assert!(story.reasons().contains("more than its bound P 500 ms"), "{}", story.reasons());
    assert!(story.reasons().contains("a client was served"), "{}", story.reasons());
    story.events[0].kind = injected(Deed::Silences);
    assert!(story.verdict().is_pass(), "{}", story.reasons());
    let late = story.later(|kind| *kind == Kind::WatchdogTimeout, 700);
    assert!(late.reasons().contains("bound WatchdogSec 5 s + timer slack"), "{}", late.reasons());
}

#[test]
fn what_may_come_to_a_hang_does_so_when_it_does() {
    let injected = |deed| Kind::Injected { fault: "memory-pressure".into(), within_usec: None, deed };
    let story = Story::recovered();
    let mut story = story.later(|kind| matches!(kind, Kind::WatchdogTrigger { .. }), 1_200);
    story.asks(&[(-10, true), (500, true), (700, false), (2_860, false), (2_890, true), (3_700, true)]);
    assert!(story.reasons().contains("more than its bound P 500 ms"), "{}", story.reasons());
    story.events[0].kind = injected(Deed::Spares);
    assert!(story.verdict().is_pass(), "{}", story.reasons());
}

#[test]
fn a_fault_that_ends_the_process_may_take_its_time_and_clients_are_served_meanwhile() {
    let injected = |deed| Kind::Injected { fault: "memory-leak".into(), within_usec: None, deed };
    let mut story = Story::recovered();
    story.asks(&[(-10, true), (1_000, true), (1_020, false), (1_700, true)]);
    assert!(story.reasons().contains("a client was served"), "{}", story.reasons());
    story.events[0].kind = injected(Deed::Ends);
    assert!(story.verdict().is_pass(), "{}", story.reasons());
}

#[test]
fn who_is_to_outlive_a_fault_is_to_serve_while_it_lasts() {
    let mut story = Story::recovered().without(|kind| !matches!(kind, Kind::Injected { .. }));
    story.expect =
        Expectation { outcome: Outcome::Undisturbed, by: None, recovery_within: None, ..story.expect };
    story.asks(&[(-10, true), (10, false), (500, false)]);
    assert!(story.verdict().is_pass(), "what hangs is left as it is: {}", story.reasons());
    let fault = "daemon-reload".into();
    story.events[0].kind = Kind::Injected { fault, within_usec: None, deed: Deed::Spares };
    assert!(story.reasons().contains("no client was served any more"), "{}", story.reasons());
    story.asks(&[(-10, true), (10, false), (500, true)]);
    assert!(story.verdict().is_pass(), "{}", story.reasons());
}

/// Clients that ask every 10 ms, but for a stretch of every 100 ms in which they come to nothing.
fn busy(story: &mut Story, idle_ms: i64) {
    story.witness = Witness::default();
    let times = (-500..=2600).step_by(10).filter(|ms: &i64| ms.rem_euclid(100) >= idle_ms);
    for ms in times {
        let answer =
            if (0..1690).contains(&ms) { Answer::Bad("no answer in 1 s".into()) } else { Answer::Good };
        story.witness.add(Ask { asked: at(ms), known: at(ms) + TICK / 10, answer });
    }
}

#[test]
fn what_a_busy_computer_may_have_made_late_is_unsound_and_what_it_may_not_fails() {
    let mut story = Story::recovered();
    story.expect.recovery_within = Some("1.6s".into());
    busy(&mut story, 0);
    assert_eq!(story.verdict().word(), "fail", "an idle one");
    busy(&mut story, 10);
    assert_eq!(
        story.verdict().word(),
        "unsound",
        "by 100 ms, and clients waited for 170: {}",
        story.reasons()
    );
    assert!(story.reasons().ends_with("; the recovery took 1.7 s, longer than 1.6 s"), "{}", story.reasons());
    story.expect.recovery_within = Some("1.5s".into());
    assert_eq!(story.reasons(), "the recovery took 1.7 s, longer than 1.5 s", "by 200 ms");
    story.expect.recovery_within = Some("2s".into());
    assert!(story.verdict().is_pass(), "{}", story.reasons());
    story.expect.by = Some(By::Exit);
    assert_eq!(story.verdict().word(), "fail", "the wrong cause is wrong on any computer");
}

#[test]
fn what_never_happened_on_a_busy_computer_is_unsound_unless_it_never_could() {
    let injected_only = |kind: &Kind| !matches!(kind, Kind::Injected { .. });
    let mut story = Story::recovered().without(injected_only);
    busy(&mut story, 40);
    assert_eq!(story.verdict().word(), "fail", "less than half of the time: {}", story.reasons());
    busy(&mut story, 70);
    assert_eq!(story.verdict().word(), "unsound", "{}", story.reasons());
    story.settings.watchdog_usec = None;
    assert_eq!(story.verdict().word(), "fail", "a watchdog that is off: {}", story.reasons());
    let mut down = Story::recovered().without(|kind| matches!(kind, Kind::Starting | Kind::Ready));
    busy(&mut down, 70);
    assert_eq!(down.verdict().word(), "unsound", "{}", down.reasons());
    down.settings.restart = Restart::No;
    assert_eq!(down.verdict().word(), "fail", "Restart=no: {}", down.reasons());
}

#[test]
fn a_healthy_service_that_a_busy_computer_had_ended_is_not_at_fault() {
    let mut story = Story::recovered().without(|_| true);
    story.expect = Expectation { outcome: Outcome::Undisturbed, by: None, ..story.expect };
    story.settings.watchdog_usec = Some(400_000);
    for (kind, word) in
        [(Kind::WatchdogTimeout, "unsound"), (report(), "unsound"), (Kind::Exited(Exit::Code(1)), "fail")]
    {
        story.events = vec![Event { at: at(1000), kind }];
        story.witness = Witness::default();
        let served = |ms| Ask { asked: at(ms), known: at(ms), answer: Answer::Good };
        for ms in (0..2600).step_by(10).filter(|ms| ms % 100 >= 70) {
            story.witness.add(served(ms));
        }
        assert_eq!(story.verdict().word(), word, "{}", story.reasons());
    }
}

#[test]
fn a_service_that_is_stopped_ends_in_order_and_stays_down() {
    let stopped = |events: &[(i64, Kind)]| {
        let mut story = Story::recovered();
        story.expect = Expectation {
            outcome: Outcome::Stopped,
            by: None,
            recovery_within: None,
            hang_report: Some(false),
            ..story.expect
        };
        let stop = Kind::Injected { fault: "stop".into(), within_usec: None, deed: Deed::Stops };
        let begin = [(0, stop), (1, Kind::Stopping)];
        let events = begin.iter().chain(events).cloned();
        story.events = events.map(|(ms, kind)| Event { at: at(ms), kind }).collect();
        // It served while it drained.
        story.asks(&[(-10, true), (20, true), (60, false), (2500, false)]);
        story.verdict()
    };
    let failed = || Kind::Failed { result: "timeout".into() };
    let killed = Kind::Exited(Exit::Signal("SIGKILL".into()));
    for (events, expected) in [
        (&[(50, Kind::Deactivated)][..], Ok("stopped when it was asked to, in order 50 ms after that")),
        (
            &[(2000, killed), (2001, failed())],
            Err("the service did not stop in order: systemd's last word is \"timeout\""),
        ),
        (&[], Err("the service had not ended in TimeoutStopSec=, nor when it was killed")),
        (
            &[(50, Kind::Deactivated), (60, Kind::Starting), (90, Kind::Ready)],
            Err("the service was to stay down, but was ready again after 90 ms"),
        ),
        (
            &[(30, Kind::WatchdogTrigger { status: None }), (50, Kind::Deactivated)],
            Err("the service was ended by the watchdog, and not by the stop"),
        ),
    ] {
        match (stopped(events), expected) {
            (Verdict::Pass { summary }, Ok(expected)) => assert_eq!(summary, expected),
            (verdict, Err(expected)) => assert_eq!(verdict.reasons(), [expected]),
            (verdict, Ok(_)) => panic!("{verdict:?}"),
        }
    }
}

#[test]
fn what_takes_just_as_long_as_it_may_is_in_time() {
    type Change = fn(&mut Story);
    let on_trigger = |kind: &Kind| matches!(kind, Kind::WatchdogTrigger { .. });
    let slow = |ms| Story::recovered().later(on_trigger, ms);
    let with = |mut story: Story, change: Change| {
        change(&mut story);
        story
    };
    let exec: Change = |story| {
        story.settings.kind = Type::Exec;
        story.expect.recovery_within = Some("2s".into());
        story.asks(&[(-10, true), (10, false), (2090, false), (2110, true)]);
    };
    let ready: Change = |story| {
        story.settings.kind = Type::Exec;
        story.expect.recovery_within = None;
        story.expect.ready_within = Some("500ms".into());
        story.asks(&[(-10, true), (10, false), (2300, false), (2310, true)]);
    };
    let withheld: Change = |story| story.settings = settings(OnHang::Withhold);
    let reported: Change = |story| {
        story.expect.hang_report = Some(true);
        story.events.push(Event { at: at(1650), kind: report() });
    };
    let reported_elsewhere: Change = |story| {
        story.expect.hang_report = Some(true);
        story.settings.log_namespace = Some("x".into());
        story.events.push(Event { at: at(1750), kind: report() });
    };
    for (what, story) in [
        (
            "the recovery",
            with(Story::recovered(), |story| story.expect.recovery_within = Some("1.7s".into())),
        ),
        ("the detection, with what it is granted", slow(700)),
        ("a timer that runs out within an ask of when it must", with(slow(2845), withheld)),
        ("clients, within what two clocks differ by", with(Story::recovered(), exec)),
        ("clients, after a start", with(Story::recovered(), ready)),
        (
            "clients, after READY",
            with(Story::recovered(), |story| {
                story.asks(&[(-10, true), (10, false), (1800, false), (1810, true)]);
            }),
        ),
        (
            "an ask that failed just then before the injection",
            with(Story::recovered(), |story| {
                let answer = Answer::Bad("no".into());
                story.witness.add(Ask { asked: at(-100), known: at(-99), answer });
            }),
        ),
        ("the hang report", with(Story::recovered(), reported)),
        ("the hang report in a journal of its own", with(Story::recovered(), reported_elsewhere)),
    ] {
        assert_eq!(story.reasons(), "", "{what}");
    }
    let mut half = Story::recovered().later(|kind| matches!(kind, Kind::Exited(_)), 1690);
    half.expect.recovery_within = Some("3s".into());
    assert_eq!(half.reasons(), "the recovery took 3.39 s, longer than 3 s", "no phase took more than half");
}

#[test]
fn by_how_much_clients_were_served_too_late_is_counted_from_what_they_were_granted() {
    let mut story = Story::recovered();
    story.settings.kind = Type::Exec;
    story.expect.ready_within = Some("500ms".into());
    story.asks(&[(-10, true), (10, false), (2400, false), (2410, true)]);
    let timeline = Timeline::new(at(-1000), story.end, story.events.clone(), &story.witness);
    let Story { witness, expect, settings, .. } = &story;
    let bounds = timeline.bounds(settings);
    let case = Case { timeline: &timeline, witness, expect, settings, bounds };
    let finding = case.served_too_late(timeline.phases.recovery.expect("recovered")).expect("too late");
    assert_eq!(finding, Finding::late(finding.what.clone(), Duration::from_millis(100), at(1700), at(2411)));
}

#[test]
fn a_service_that_never_served_is_said_to_be_up_or_not_to_have_started() {
    let mut story = Story::recovered();
    story.expect = Expectation { outcome: Outcome::Undisturbed, by: None, ..story.expect };
    story.events.clear();
    story.asks(&[(-900, false)]);
    assert_eq!(story.reasons(), "the service was up, but no client was served in 3.6 s (no answer in 1 s)");
    story.events.push(Event { at: at(-900), kind: Kind::Starting });
    assert_eq!(story.reasons(), "the service did not start: systemd did not say why");
}

#[test]
fn a_guard_from_beside_that_has_done_nothing_is_named() {
    let mut story = Story::recovered().without(|kind| !is_injection(kind));
    story.settings = settings(OnHang::Restart);
    assert!(
        story.reasons().ends_with("; sd-watchdog guard has not had the service ended"),
        "{}",
        story.reasons()
    );
}

#[test]
fn a_service_that_failed_may_be_started_again_unless_its_unit_says_no() {
    for (last, restart, gave_up) in [
        (Kind::Failed { result: "watchdog".into() }, Restart::Always, false),
        (Kind::Failed { result: "watchdog".into() }, Restart::No, true),
        (Kind::Deactivated, Restart::No, true),
        (Kind::Exited(Exit::Code(1)), Restart::No, false),
        (Kind::Starting, Restart::No, false),
    ] {
        let mut story = Story::recovered().without(|kind| !is_injection(kind));
        story.events.push(Event { at: at(1650), kind: Kind::WatchdogTimeout });
        story.events.push(Event { at: at(1660), kind: last.clone() });
        story.settings.restart = restart;
        let timeline = Timeline::new(at(-1000), at(1661), story.events.clone(), &story.witness);
        assert_eq!(timeline.gave_up(&story.settings), gave_up, "{last:?} {:?}", story.settings.restart);
    }
}

#[test]
fn a_start_that_nothing_tells_of_is_no_phase() {
    let simple = Story::recovered().without(|kind| *kind == Kind::Starting);
    let timeline = Timeline::new(at(-1000), simple.end, simple.events, &simple.witness);
    assert_eq!((timeline.phases.start, timeline.phases.recovery.map(|span| span.to)), (None, Some(at(1700))));
}

#[test]
fn each_phase_may_have_a_limit_of_its_own_and_one_that_did_not_happen_keeps_it() {
    let with = |set: fn(&mut Expectation)| {
        let mut story = Story::recovered();
        set(&mut story.expect);
        story.reasons()
    };
    assert_eq!(with(|expect| expect.detect_within = Some("1650ms".into())), "");
    assert_eq!(
        with(|expect| expect.detect_within = Some("1.6s".into())),
        "detect took 1.65 s, longer than the 1.6 s expected of it"
    );
    assert_eq!(
        with(|expect| expect.kill_within = Some("4ms".into())),
        "kill took 5 ms, longer than the 4 ms expected of it"
    );
    assert_eq!(
        with(|expect| expect.restart_within = Some("RestartSec".into())),
        "restart took 15 ms, longer than the RestartSec, 0 ms expected of it"
    );
    assert_eq!(
        with(|expect| expect.start_within = Some("10ms".into())),
        "start took 30 ms, longer than the 10 ms expected of it"
    );
    let mut crashed = Story::recovered().without(is_watchdog);
    crashed.expect = serde_json::from_str(r#"{"outcome":"restarted","kill_within":"1us"}"#).expect("one");
    assert_eq!(crashed.reasons(), "");
    let mut unwatched = Story::recovered();
    unwatched.settings.timeout_start_usec = None;
    unwatched.expect.start_within = Some("TimeoutStartSec".into());
    assert_eq!(unwatched.reasons(), "start cannot be held against TimeoutStartSec: it is off in this unit");
    // A computer that kept them from running for longer than it was too late is not held against them.
    let mut stalled = Story::recovered();
    stalled.expect.detect_within = Some("1.6s".into());
    stalled.witness.add_stall(Span { from: at(100), to: at(1000) }, Duration::from_millis(60));
    assert_eq!(stalled.verdict().word(), "unsound");
}

#[test]
fn restarts_are_counted_from_the_fault_on() {
    for (expected, said) in [
        (1, ""),
        (0, "systemd was to restart the service 0 times, and did so once"),
        (2, "systemd was to restart the service 2 times, and did so once"),
    ] {
        let mut story = Story::recovered();
        story.expect.restarts = Some(expected);
        // One of before the fault.
        story.events.insert(0, Event { at: at(-500), kind: Kind::RestartScheduled { restarts: 0 } });
        assert_eq!(story.reasons(), said);
    }
}

#[test]
fn a_diagnosis_is_that_of_the_hang_report() {
    let with = |diagnosis: Option<Option<&str>>| {
        let mut story = Story::recovered();
        story.expect.diagnosis = Some("in futex".into());
        story.events.extend(diagnosis.map(|diagnosis| Event {
            at: at(1600),
            kind: Kind::HangReport {
                id: None,
                reason: None,
                diagnosis: diagnosis.map(Into::into),
                observers: None,
            },
        }));
        story.reasons()
    };
    assert_eq!(with(Some(Some("1 of 3 threads waits in futex"))), "");
    assert_eq!(
        with(Some(Some("stopped by a signal"))),
        "sd-watchdog was to diagnose \"in futex\", and its diagnosis is: stopped by a signal"
    );
    assert_eq!(
        with(Some(None)),
        "sd-watchdog was to diagnose \"in futex\", and its hang report has no diagnosis"
    );
    assert_eq!(
        with(None),
        "sd-watchdog was to diagnose \"in futex\", and put no hang report into the journal"
    );
}

#[test]
fn lines_are_to_be_in_the_journal_or_not_to_be() {
    let with = |journal: &[&str], without: &[&str], logged: i64| {
        let mut story = Story::recovered();
        story.expect.journal = journal.iter().map(|&text| text.into()).collect();
        story.expect.journal_without = without.iter().map(|&text| text.into()).collect();
        let kind = Kind::Logged { text: "core".into(), line: "x.service: dumped core".into() };
        story.events.push(Event { at: at(logged), kind });
        story.reasons()
    };
    assert_eq!(with(&["core"], &[], 1660), "");
    assert_eq!(
        with(&["core"], &[], -10),
        "neither systemd nor sd-watchdog has put a line about the unit into the journal that has \"core\""
    );
    assert_eq!(with(&[], &["core"], -10), "");
    assert_eq!(
        with(&[], &["core"], 1660),
        "no line of the journal was to have \"core\", yet after 1.66 s: x.service: dumped core"
    );
}
