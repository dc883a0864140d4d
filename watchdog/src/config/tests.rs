use clap::Parser;
use proptest::prelude::*;

use super::*;

fn config(options: &[&str], watchdog: Option<Duration>) -> Result<Config, ConfigError> {
    let fixed = ["sd-watchdog", "--http", "http://127.0.0.1:8080/"];
    let argv = fixed.iter().chain(options).chain(&["--", "server"]);
    let wrap = crate::cli::Cli::try_parse_from(argv).expect("a good command line").wrap;
    Config::new(&wrap.timing, &[], &wrap.hang, &wrap.wrapper, watchdog)
}

/// With more sets behind the first.
fn config_of(words: &[&str], watchdog: Option<Duration>) -> Result<Config, ConfigError> {
    let fixed = ["sd-watchdog", "--http", "http://127.0.0.1:8080/"];
    let words = fixed.iter().chain(words).chain(&["--", "server"]).map(std::ffi::OsString::from);
    let line = crate::cli::Line::try_parse_from(words).expect("a good command line");
    let wrap = &line.cli.wrap;
    Config::new(&wrap.timing, &line.next, &wrap.hang, &wrap.wrapper, watchdog)
}

fn refusal(options: &[&str], watchdog: Option<Duration>) -> String {
    config(options, watchdog).expect_err("cannot work").to_string()
}

const W5: Option<Duration> = Some(Duration::from_secs(5));

#[test]
fn the_timing_is_derived_from_the_watchdog_to_the_microsecond() {
    for (watchdog_usec, interval, retry, bound) in [
        (100_000, 10_000, 1_000, 42_000),
        (1_000_000, 100_000, 10_000, 420_000),
        (5_000_000, 500_000, 50_000, 2_100_000),
        (7_200_000_000, 720_000_000, 72_000_000, 3_024_000_000),
    ] {
        let config = config(&[], Some(Duration::from_micros(watchdog_usec))).expect("works");
        let micros = Duration::from_micros;
        let expected = Timing {
            interval: micros(interval),
            jitter: 5,
            timeout: micros(interval),
            failures: 3,
            rise: 1,
            retry_interval: micros(retry),
        };
        assert_eq!(config.sets[0].timing, expected);
        assert_eq!(config.detect_bound(), Some(micros(bound)));
    }
}

#[test]
fn every_part_of_the_timing_can_be_overridden() {
    let options = [
        "--interval=1s",
        "--jitter=20",
        "--timeout=300ms",
        "--failures=2",
        "--rise=3",
        "--retry-interval=1ms",
    ];
    let timing = config(&options, W5).expect("works").sets[0].timing;
    let millis = Duration::from_millis;
    let expected = Timing {
        interval: millis(1000),
        jitter: 20,
        timeout: millis(300),
        failures: 2,
        rise: 3,
        retry_interval: millis(1),
    };
    assert_eq!(timing, expected);
    assert_eq!(timing.detect_bound(), millis(1601));
}

#[test]
fn a_trigger_that_comes_too_late_is_refused_with_the_sum() {
    assert_eq!(
        refusal(&["--timeout=2s"], W5),
        "interval 500 ms + 3 × timeout 2 s + 2 × retry-interval 50 ms = 6.6 s, but WatchdogSec is 5 s: \
         lower --failures, --timeout or --interval, or raise WatchdogSec="
    );
    assert!(
        refusal(&["--failures=1", "--timeout=5s"], W5)
            .starts_with("interval 500 ms + 1 × timeout 5 s = 5.5 s, but")
    );
}

#[test]
fn the_sum_must_be_less_than_the_watchdog_by_a_microsecond_at_least() {
    let options = ["--failures=1", "--interval=2s", "--timeout=3s"];
    assert!(config(&options, W5).is_err());
    assert!(config(&options, Some(Duration::from_micros(5_000_001))).is_ok());
}

#[test]
fn withholding_needs_room_for_one_failed_probe() {
    let withhold =
        |interval| config(&["--on-hang=withhold", "--timeout=1s", "--retry-interval=10ms", interval], W5);
    assert!(withhold("--interval=2989ms").is_ok());
    let error = withhold("--interval=2990ms").expect_err("cannot work").to_string();
    assert!(
        error.starts_with(
            "interval 2.99 s + 2 × timeout 1 s + 1 × retry-interval 10 ms = 5 s, so one failed probe would be"
        ),
        "{error}"
    );
    let bound = withhold("--interval=1s").expect("works").detect_bound();
    assert_eq!(bound, Some(Duration::from_millis(5250)));
}

#[test]
fn what_it_takes_to_rise_must_fit_into_the_watchdog_too() {
    assert_eq!(
        refusal(&["--rise=3"], W5),
        "interval 500 ms + 3 × timeout 500 ms + 2 × retry-interval 50 ms + 6 × (timeout + retry-interval) to rise \
         = 5.4 s, but WatchdogSec is 5 s: lower --failures, --timeout or --interval, or raise WatchdogSec="
    );
    assert!(config(&["--rise=2"], W5).is_ok());
}

#[test]
fn numbers_of_any_size_are_refused_with_the_true_sum() {
    const MOST: u32 = u32::MAX;
    let sum = |options: &[&str]| refusal(options, W5).split_once(", ").expect("a sum").0.to_owned();
    let (rise, failures) = (format!("--rise={MOST}"), format!("--failures={MOST}"));
    assert_eq!(
        sum(&[&rise, "--on-hang=withhold"]),
        "interval 500 ms + 4294967296 × timeout 500 ms + 4294967295 × retry-interval 50 ms = 2362232013.25 s"
    );
    assert_eq!(
        sum(&[&failures]),
        "interval 500 ms + 4294967295 × timeout 500 ms + 4294967294 × retry-interval 50 ms = 2362232012.7 s"
    );
    assert_eq!(
        sum(&["--failures=100000", "--rise=100001", "--retry-interval=500ms"]),
        "interval 500 ms + 100000 × timeout 500 ms + 99999 × retry-interval 500 ms \
         + 10000000000 × (timeout + retry-interval) to rise = 10000100000 s"
    );
    // More than a Duration has room for.
    assert_eq!(
        sum(&[&failures, &rise, "--interval=365d", "--timeout=365d", "--retry-interval=365d"]),
        "interval 31536000 s + 4294967295 × timeout 31536000 s + 4294967294 × retry-interval 31536000 s \
         + 18446744060824649730 × (timeout + retry-interval) to rise = 1163473041675224485000800000 s"
    );
}

#[test]
fn the_hang_report_has_half_a_second_unless_it_is_given_more_or_none() {
    for (options, expected) in [(&[][..], 500), (&["--report-budget=2s"], 2000), (&["--report-budget=0s"], 0)]
    {
        assert_eq!(config(options, W5).expect("works").report_budget, Duration::from_millis(expected));
    }
}

#[test]
fn a_budget_that_the_watchdog_does_not_leave_is_warned_of_and_no_other() {
    let warning = |watchdog, millis: Option<u64>| {
        config(&[], watchdog).expect("works").report_warning(millis.map(Duration::from_millis))
    };
    // 5 s, less the 100 ms before systemd's own timer and the 2.1 s that it takes to find a hang.
    assert_eq!(warning(W5, Some(2_800)), None);
    let text = warning(W5, Some(2_801)).expect("more than is left");
    assert!(
        text.starts_with("--report-budget is 2.801 s, but a WatchdogSec of 5 s leaves 2.8 s for the report"),
        "{text}"
    );
    assert_eq!(warning(Some(Duration::from_millis(100)), None), None);
    assert_eq!(warning(None, Some(60_000)), None);
}

#[test]
fn signals_are_named_as_people_name_them() {
    let named = ["--stop-signal=WINCH", "--stop-signal=SIGUSR1", "--reload-signal=12"];
    let named = config(&named, W5).expect("works");
    assert_eq!((named.stop_signals, named.reload_signal), (vec![15, 28, 10], Some(12)));
    assert_eq!(config(&["--reload-signal=none"], W5).expect("works").reload_signal, None);
    let error = refusal(&["--stop-signal=WINK"], W5);
    assert!(error.starts_with("--stop-signal \"WINK\" is not a signal; write it as USR1"), "{error}");
    for option in ["--stop-signal=KILL", "--reload-signal=SIGSTOP"] {
        assert!(refusal(&[option], W5).contains("no process gets to see that signal"));
    }
}

#[test]
fn a_signal_has_one_meaning() {
    for (options, expected) in [
        (&["--reload-signal=TERM"][..], "--reload-signal \"TERM\" is a stop signal (SIGTERM is, and what"),
        (&["--stop-signal=12", "--reload-signal=USR2"], "--reload-signal \"USR2\" is a stop signal"),
        (&["--reload-signal=HUP", "--stop-signal=HUP"], "--reload-signal \"HUP\" is a stop signal"),
        (&["--reload-signal=SIGABRT"], "--reload-signal \"SIGABRT\": systemd's watchdog ends services by it"),
        (&["--reload-signal=CHLD"], "--reload-signal \"CHLD\": it says that a process has ended, and is not"),
        (
            &["--stop-signal=17"],
            "--stop-signal \"17\": it says that a process has ended, and is not passed on",
        ),
    ] {
        let error = refusal(options, W5);
        assert!(error.starts_with(expected), "{error}");
    }
    assert!(config(&["--stop-signal=ABRT"], W5).is_ok());
}

#[test]
fn sighup_reloads_unless_it_stops() {
    assert_eq!(config(&[], W5).expect("works").reload_signal, Some(1));
    // As `unit --drop-in` takes it over from KillSignal=SIGHUP.
    assert_eq!(config(&["--stop-signal=SIGHUP"], W5).expect("works").reload_signal, None);
}

#[test]
fn options_of_which_one_makes_the_other_void_are_refused() {
    let exec = ["--on-hang-exec=gdb -p %p", "--report-budget=0s"];
    assert!(
        refusal(&exec, W5).starts_with("--on-hang-exec adds to the hang report, and with --report-budget 0s")
    );
    let dry = ["--on-hang=withhold", "--dry-run"];
    assert!(refusal(&dry, W5).starts_with("--on-hang withhold stops pinging, and --dry-run goes on"));
    for half in [&exec[..1], &exec[1..], &dry[..1], &dry[1..]] {
        assert!(config(half, W5).is_ok(), "{half:?}");
    }
}

#[test]
fn what_is_run_on_a_hang_is_taken_apart_as_a_shell_would() {
    let config = config(&["--on-hang-exec=gdb -p %p -ex 'bt full'"], W5).expect("works");
    assert_eq!(config.on_hang_exec.expect("given"), ["gdb", "-p", "%p", "-ex", "bt full"]);
    assert!(refusal(&["--on-hang-exec='gdb"], W5).starts_with("--on-hang-exec: a quote"));
}

#[test]
fn nothing_may_be_zero() {
    for (option, expected) in [
        (
            "--interval=0s",
            "--interval is 0 s: give it at least 100us, or leave it out to have it derived from WatchdogSec=",
        ),
        ("--timeout=0s", "--timeout is 0 s: give it at least 100us"),
        ("--retry-interval=0s", "--retry-interval is 0 s: give it at least 100us"),
        ("--failures=0", "--failures is 0: give it at least 1, or leave it out for 3"),
        ("--rise=0", "--rise is 0: give it at least 1, or leave it out for 1"),
        (
            "--start-timeout=0s",
            "--start-timeout is 0 s: give it at least 100us, or leave it out to have TimeoutStartSec= alone decide",
        ),
        ("--reset-after=0s", "--reset-after is 0 s: give it at least 100us"),
    ] {
        for watchdog in [W5, None] {
            let error = refusal(&[option], watchdog);
            assert!(error.starts_with(expected), "{error}");
        }
    }
}

#[test]
fn what_is_shorter_than_anything_derived_is_refused() {
    for option in ["interval", "timeout", "retry-interval"] {
        let error = refusal(&[&format!("--{option}=99us")], W5);
        assert!(
            error.starts_with(&format!("--{option} is 99 µs: give it at least 100us, or leave it out")),
            "{error}"
        );
        assert!(config(&[&format!("--{option}=100us")], W5).is_ok());
    }
    let shortest = config(&[], Some(SHORTEST_WATCHDOG)).expect("works").sets[0].timing.retry_interval;
    assert_eq!(shortest, SHORTEST_OPTION);
}

#[test]
fn without_a_watchdog_there_is_no_sum_to_keep_and_no_bound() {
    let config = config(&["--timeout=1h"], None).expect("works");
    assert_eq!(config.sets[0].timing.interval, Duration::from_secs(1));
    assert_eq!(config.detect_bound(), None);
}

#[test]
fn a_watchdog_too_short_to_probe_within_is_refused() {
    let error = refusal(&[], Some(Duration::from_micros(9_999)));
    assert_eq!(error, "WatchdogSec is 9.999 ms, too short to probe within: set it to 10 ms or more");
}

#[test]
fn an_option_beyond_a_year_is_refused_even_without_a_watchdog() {
    assert!(refusal(&["--timeout=100years"], None).contains("more than a year"));
}

proptest! {
    #[test]
    fn derived_timings_always_work(watchdog_usec in 10_000..u64::MAX) {
        let watchdog = Duration::from_micros(watchdog_usec);
        let config = config(&[], Some(watchdog)).expect("derived timings work");
        prop_assert!(config.sets[0].timing.detect_bound() < watchdog / 2);
    }

    #[test]
    fn no_accepted_trigger_comes_after_systemds_own_timer(
        watchdog_ms in 10_u64..100_000, interval in 1_u64..50_000, timeout in 1_u64..50_000, failures in 1_u32..,
    ) {
        let options = [
            format!("--interval={interval}ms"), format!("--timeout={timeout}ms"), format!("--failures={failures}"),
        ];
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let watchdog = Duration::from_millis(watchdog_ms);
        if let Ok(config) = config(&options, Some(watchdog)) {
            prop_assert!(config.sets[0].timing.detect_bound() < watchdog);
        }
    }
}

#[test]
fn a_further_set_has_the_timing_of_the_first_unless_it_says_another() {
    let words =
        ["--interval=1s", "--failures=2", "--jitter=7", "--next", "--tcp=a:1", "--timeout=200ms", "--next"];
    let words =
        [&words[..], &["--tcp=b:1", "--interval=2s", "--rise=2", "--next", "--tcp=c:1", "--ready-only"]]
            .concat();
    let config = config_of(&words, W5).expect("works");
    let first = config.sets[0].timing;
    let millis = Duration::from_millis;
    assert_eq!(
        (first.interval, first.timeout, first.failures, first.jitter),
        (millis(1000), millis(500), 2, 7)
    );
    assert_eq!(config.sets[1].timing, Timing { timeout: millis(200), ..first });
    assert_eq!(config.sets[2].timing, Timing { interval: millis(2000), rise: 2, ..first });
    assert_eq!(config.sets[3], Set { timing: first, ready_only: true });
    // The largest: 2 s + 2 × 500 ms + 50 ms.
    assert_eq!(config.detect_bound(), Some(millis(3050)));
    let withhold = config_of(&[&["--on-hang=withhold"], &words[..]].concat(), W5).expect("works");
    assert_eq!(withhold.detect_bound(), Some(W5.expect("W") + millis(250) + millis(2500)));
}

#[test]
fn each_set_is_held_against_w_by_itself_unless_it_is_not_watched() {
    for (words, expected) in [
        (
            &["--next", "--tcp=a:1", "--interval=4s"][..],
            "set 2, behind --next: interval 4 s + 3 × timeout 500 ms + 2 × retry-interval 50 ms = 5.6 s, but WatchdogSec is 5 s: \
             lower --failures, --timeout or --interval, or raise WatchdogSec=",
        ),
        (
            &["--next", "--tcp=a:1", "--next", "--tcp=b:1", "--timeout=0s"],
            "set 3, behind --next: --timeout is 0 s: give it at least 100us, or leave it out to have it as in the first set",
        ),
        (
            &["--ready-only"],
            "all probes are --ready-only, so nothing is watched after READY=1: leave it out of one set",
        ),
        (&["--ready-only", "--next", "--tcp=a:1", "--ready-only"], "all probes are --ready-only"),
        (
            &["--next", "--tcp=a:1", "--ready-only", "--rise=2"],
            "set 2, behind --next: --rise says what makes a hang, and",
        ),
        (&["--ready-only", "--failures=2"], "--failures says what makes a hang"),
    ] {
        let error = config_of(words, W5).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    for words in [
        &["--next", "--tcp=a:1", "--interval=4s", "--ready-only"][..],
        &["--interval=4s", "--ready-only", "--next", "--tcp=a:1", "--interval=1s"],
    ] {
        assert!(config_of(words, W5).is_ok(), "{words:?}");
    }
    let pings = config_of(&["--ready-only", "--interval=60s", "--child-pings=require"], W5)
        .expect("COMMAND's own pings are watched");
    assert_eq!(pings.sets.iter().map(|set| set.ready_only).collect::<Vec<_>>(), [true, false]);
    let derived = Timing { jitter: 0, ..Timing::for_watchdog(Duration::from_secs(5)) };
    assert_eq!(Timing { jitter: 0, ..pings.sets[1].timing }, derived, "the gate's is its own");
}
