use proptest::prelude::*;

use super::*;
use crate::fuzz::notify_datagram;
use crate::systemd::message::Message;
use crate::text::one_line;

fn parse(datagram: &str) -> Notification {
    Notification::parse(datagram.as_bytes(), 0).expect("well formed")
}

fn verbatim(lines: &str) -> Notification {
    Notification { verbatim: lines.into(), ..Notification::default() }
}

fn kept_back(lines: &[&str]) -> Notification {
    Notification { kept_back: lines.iter().map(ToString::to_string).collect(), ..Notification::default() }
}

fn status(status: &str) -> Notification {
    Notification { status: Some(status.to_owned()), ..Notification::default() }
}

#[test]
fn every_word_of_sd_notify_is_understood_or_passed_on_or_kept_back() {
    let none = Notification::default;
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let reloading = |monotonic_usec| Some(Reloading { monotonic_usec });
    for (datagram, expected) in [
        ("", none()),
        ("\n\r\n", none()),
        ("READY=1", Notification { ready: true, ..none() }),
        ("READY=1\n", Notification { ready: true, ..none() }),
        ("READY=1\0", Notification { ready: true, ..none() }),
        ("READY=0", none()),
        ("READY=1x", none()),
        ("STOPPING=1", Notification { stopping: true, ..none() }),
        ("RELOADING=1", Notification { reloading: reloading(None), ..none() }),
        ("RELOADING=1\nMONOTONIC_USEC=17", Notification { reloading: reloading(Some(17)), ..none() }),
        ("MONOTONIC_USEC=17\r\nRELOADING=1", Notification { reloading: reloading(Some(17)), ..none() }),
        ("RELOADING=1\nMONOTONIC_USEC=soon", Notification { reloading: reloading(None), ..none() }),
        ("MONOTONIC_USEC=17", none()),
        ("STATUS=a = b", status("a = b")),
        ("STATUS=", status("")),
        ("STATUS=a\nSTATUS=b", status("a")),
        ("MAINPID=17", Notification { mainpid: Some(17), ..none() }),
        ("MAINPID=0", none()),
        ("MAINPID=-1", none()),
        ("MAINPID=2147483648", none()),
        ("MAINPID=me\nMAINPID=17", none()),
        ("WATCHDOG=1", Notification { watchdog: Some(WatchdogWord::Ping), ..none() }),
        ("WATCHDOG=trigger", Notification { watchdog: Some(WatchdogWord::Trigger), ..none() }),
        ("WATCHDOG=2\nWATCHDOG=1", none()),
        ("EXTEND_TIMEOUT_USEC=2000000", Notification { extend: seconds(2), ..none() }),
        ("EXTEND_TIMEOUT_USEC=0", none()),
        ("EXTEND_TIMEOUT_USEC=18446744073709551615", none()),
        ("BARRIER=0", none()),
        ("FDSTORE=1\nFDNAME=a", Notification { stores: true, ..verbatim("FDSTORE=1\nFDNAME=a") }),
        ("FDSTOREREMOVE=1\nFDNAME=a", verbatim("FDSTOREREMOVE=1\nFDNAME=a")),
        ("FDSTORE=1\nFDPOLL=0", Notification { stores: true, ..verbatim("FDSTORE=1\nFDPOLL=0") }),
        ("ERRNO=2\nBUSERROR=a.b\nVARLINKERROR=c", verbatim("ERRNO=2\nBUSERROR=a.b\nVARLINKERROR=c")),
        ("EXIT_STATUS=3\n\nX_A=1\nNEW=\n", verbatim("EXIT_STATUS=3\nX_A=1\nNEW=")),
        ("RESTART_RESET=1", verbatim("RESTART_RESET=1")),
        (
            "READY=1\nX_A=1\nSTATUS=s",
            Notification { ready: true, ..Notification { verbatim: "X_A=1".into(), ..status("s") } },
        ),
        ("WATCHDOG_USEC=1", kept_back(&["WATCHDOG_USEC=1"])),
        ("NOTIFYACCESS=none", kept_back(&["NOTIFYACCESS=none"])),
        ("MAINPIDFD=1", Notification { first_is_pidfd: true, ..kept_back(&["MAINPIDFD=1"]) }),
        ("MAINPIDFDID=5\nno assignment", kept_back(&["MAINPIDFDID=5", "no assignment"])),
    ] {
        assert_eq!(parse(datagram), expected, "{datagram:?}");
    }
}

#[test]
fn a_status_that_is_not_utf8_is_none() {
    assert_eq!(Notification::parse(b"STATUS=\xff", 0), Ok(Notification::default()));
}

#[test]
fn backslashes_count_as_they_do_in_systemd() {
    for (datagram, expected) in [
        ("STATUS=C:\\\\x", status("C:\\x")),
        ("STATUS=a\\b", status("ab")),
        ("STATUS=a\\\nREADY=1", status("a\nREADY=1")),
        ("X_A=\\\nb\\\\\\c", verbatim("X_A=\\\nb\\\\c")),
        // Else it would be systemd that finds a name of ours.
        ("\\MAINPID=17", Notification { mainpid: Some(17), ..Notification::default() }),
        ("NOTIFY\\ACCESS=none", kept_back(&["NOTIFYACCESS=none"])),
        ("X_A=\\\nMAINPID=17", verbatim("X_A=\\\nMAINPID=17")),
        ("\\\nMAINPID=17", verbatim("\\\nMAINPID=17")),
    ] {
        assert_eq!(parse(datagram), expected, "{datagram:?}");
    }
}

#[test]
fn what_systemd_ignores_as_a_whole_is_ignored() {
    let ready = |length: usize| format!("READY=1\n{}", "X".repeat(length - 8)).into_bytes();
    for (datagram, descriptors, expected) in [
        (ready(4097), 0, Malformed::TooLong),
        (b"READY=1\0X".to_vec(), 0, Malformed::Nul),
        (b"READY=1\0\0".to_vec(), 0, Malformed::Nul),
        (b"READY=1\nX_A=\\".to_vec(), 0, Malformed::Backslash),
        (b"READY=1\nBARRIER=1".to_vec(), 1, Malformed::BarrierInCompany),
        (b"BARRIER=1\nBARRIER=1".to_vec(), 1, Malformed::BarrierInCompany),
        (b"BARRIER=1".to_vec(), 0, Malformed::BarrierDescriptors { descriptors: 0 }),
        (b"BARRIER=1".to_vec(), 2, Malformed::BarrierDescriptors { descriptors: 2 }),
    ] {
        assert_eq!(Notification::parse(&datagram, descriptors), Err(expected));
    }
    assert!(Notification::parse(&ready(4096), 0).expect("short enough").ready);
    let barrier = Notification { barrier: true, ..Notification::default() };
    assert_eq!(Notification::parse(b"BARRIER=1\n", 1), Ok(barrier));
}

fn any_message() -> impl Strategy<Value = Message> {
    let words = (any::<Option<u64>>(), any::<bool>(), any::<bool>(), any::<bool>());
    let extend = proptest::option::of((1..u64::MAX).prop_map(Duration::from_micros));
    let watchdog = proptest::option::of(prop_oneof![Just(WatchdogWord::Ping), Just(WatchdogWord::Trigger)]);
    // What would steer a terminal and what is too long do not come back: Message replaces them.
    let status = proptest::option::of("[^\\p{Cc}]{0,80}|\\\\{0,9}")
        .prop_map(|status| status.map(|status| one_line(&status)));
    (words, extend, watchdog, status).prop_map(
        |((reloading, ready, stopping, restart_reset), extend, watchdog, status)| Message {
            reloading,
            ready,
            stopping,
            status,
            extend,
            rest: false,
            restart_reset,
            watchdog,
        },
    )
}

proptest! {
    #[test]
    fn any_bytes_are_taken_apart_without_surprise(
        input in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        notify_datagram(&input);
    }

    #[test]
    fn any_lines_are_taken_apart_without_surprise(
        datagram in "((READY|STATUS|MAINPID|FDSTORE|BARRIER|WATCHDOG|NOTIFYACCESS|X_A|)(=1|=|\\\\|\n|\r|a){0,4}){0,8}",
        descriptors in 0..3_u8,
    ) {
        notify_datagram(&[&[descriptors], datagram.as_bytes()].concat());
    }

    #[test]
    fn our_own_messages_say_what_they_mean(message in any_message()) {
        let said = parse(&message.encode());
        let Message { reloading, ready, stopping, status, extend, restart_reset, watchdog, .. } = message;
        let expected = Notification {
            ready,
            stopping,
            reloading: reloading.map(|usec| Reloading { monotonic_usec: Some(usec) }),
            status,
            watchdog,
            extend,
            verbatim: if restart_reset { b"RESTART_RESET=1".to_vec() } else { Vec::new() },
            ..Notification::default()
        };
        prop_assert_eq!(said, expected);
    }
}
