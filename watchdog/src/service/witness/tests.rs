use std::time::Duration;

use nix::libc::{SIGCONT, SIGHUP, SIGRTMAX, SIGTERM};
use nix::sys::signal::SigSet;

use super::*;
use crate::kernel::alarm;

/// The reports up to the mark.
async fn reports(witness: &mut Witness) -> Vec<i32> {
    witness.mark().expect("it runs");
    let mut numbers = Vec::new();
    loop {
        witness.wait().await;
        for report in witness.take().expect("it runs") {
            match report {
                Report::Signal(number) => numbers.push(number),
                Report::Mark => return numbers,
            }
        }
    }
}

/// It ends with the thread that started it.
fn with_witness(senders: [i32; 3], test: impl AsyncFnOnce(&mut Witness)) {
    SigSet::all().thread_block().expect("blocked");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let children = Children::new();
        let mut witness = Witness::of(senders, &children).expect("it starts");
        let patience = Duration::from_secs(20);
        alarm::timeout(patience, test(&mut witness)).await.expect("in time");
        alarm::timeout(patience, witness.end()).await.expect("it ends");
    });
}

fn own_pid() -> i32 {
    std::process::id().cast_signed()
}

#[test]
fn what_the_manager_sends_is_reported_before_the_mark_and_what_others_send_is_not() {
    for (senders, expected) in
        [([own_pid(), 1, 0], &[SIGHUP, SIGTERM, SIGCONT, SIGRTMAX() - 1][..]), ([1, 0, 0], &[])]
    {
        with_witness(senders, async |witness| {
            assert!(reports(witness).await.iter().all(|number| *number == SIGCONT));
            for number in [SIGTERM, SIGRTMAX() - 1, SIGHUP] {
                raw::send_signal(witness.pid(), number, None).expect("sent");
            }
            let mut reported = reports(witness).await;
            // It may take each as it comes.
            reported.sort_unstable();
            assert_eq!(reported, expected);
        });
    }
}

#[test]
fn one_that_was_stopped_reports_all_the_same() {
    with_witness([own_pid(), 1, 0], async |witness| {
        raw::send_signal(witness.pid(), nix::libc::SIGSTOP, None).expect("sent");
        raw::send_signal(witness.pid(), SIGTERM, None).expect("sent");
        assert!(reports(witness).await.contains(&SIGTERM));
    });
}

#[test]
fn a_mark_that_was_given_up_is_not_taken_for_the_next_one() {
    with_witness([1, 0, 0], async |witness| {
        witness.mark().expect("it runs");
        witness.forget_mark();
        witness.wait().await;
        assert_eq!(witness.take().expect("it runs"), []);
        assert!(reports(witness).await.is_empty());
    });
}

#[test]
fn one_that_has_ended_is_known_to_have() {
    with_witness([1, 0, 0], async |witness| {
        raw::send_signal(witness.pid(), nix::libc::SIGKILL, None).expect("sent");
        witness.wait().await;
        assert_eq!(witness.take().expect_err("it has ended").kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn it_holds_no_descriptor_but_its_pipe() {
    with_witness([1, 0, 0], async |witness| {
        reports(witness).await;
        let open = std::fs::read_dir(format!("/proc/{}/fd", witness.pid())).expect("it runs");
        assert_eq!(open.count(), 1);
    });
}
