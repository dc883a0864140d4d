//! Tables: what happened, and what is to be said of it.

use super::*;
use crate::model::ask::{Answer, Ask};
use crate::model::bound::tests::settings;
use crate::model::clock::Usec;
use crate::model::event::Exit;
use crate::model::settings::{OnHang, Type};
use crate::model::timeline::is_watchdog;

const ORIGIN: u64 = 10_000_000;

/// Events at milliseconds after the injection, asks likewise, and the judgement on them.
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
                undisturbed_for: None,
                hang_report: None,
                ready_within: None,
            },
            settings: settings(OnHang::Trigger),
        };
        for (ms, kind) in [
            (0, Kind::Injected { fault: "mute".into(), within_usec: None }),
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
        self.witness = Witness::default();
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
fn ready_without_service_is_late_service() {
    let mut story = Story::recovered();
    story.asks(&[(-10, true), (10, false), (2500, true)]);
    assert_eq!(story.reasons(), "", "nobody asked meanwhile, so nobody knows");
    story.asks(&[(-10, true), (10, false), (1750, false), (2500, true)]);
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
    Kind::HangReport { id: None, reason: None, diagnosis: Some("all 8 threads wait in futex".into()) }
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
    let injected = |within_usec| Kind::Injected { fault: "sigstop".into(), within_usec };
    story.asks(&[(-10, true), (5, true), (20, false), (1700, true)]);
    story.events[0].kind = injected(None);
    assert!(story.reasons().contains("a client was served"), "{}", story.reasons());
    story.events[0].kind = injected(Some(8000));
    assert!(story.verdict().is_pass(), "{}", story.reasons());
    story.asks(&[(-10, true), (9, true), (20, false), (1700, true)]);
    assert!(story.reasons().contains("a client was served"), "{}", story.reasons());
}
