//! What another crate's tests look like that prove their service. They boot machines: where none can be booted they print why, and
//! pass; in CI (`CI=true`) they fail.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::model::verdict::Verdict;
use harness::programs::Programs;
use harness::progress::Silent;
use harness::proof::{Exit, Proof, ProofError, Proven, Watchdog, fault, load, restarted, undisturbed};

/// A server that hangs when it is told to, behind sd-watchdog. A crate of its own names its programs by
/// `env!("CARGO_BIN_EXE_…")`; these are other packages of this workspace.
fn buggy_server() -> Proof {
    let programs = Programs::find(["buggy_server", "sd-watchdog"], None, &Silent).expect("they are built");
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/buggy_server.service");
    Proof::of_unit(unit.to_string_lossy())
        .root(std::env::var_os("HANGPROOF_TEST_ROOT").map_or("/".into(), PathBuf::from))
        .file("/usr/local/bin/buggy_server", programs.path("buggy_server"))
        .file("/usr/local/bin/sd-watchdog", programs.path("sd-watchdog"))
        .http("http://127.0.0.1:8080/")
        .set("WatchdogSec=1s")
        // As shipped, except for the random hangs: what hangs is asked for.
        .set("ExecStart=")
        .set("ExecStart=/usr/local/bin/sd-watchdog --http http://127.0.0.1:8080/healthz -- /usr/local/bin/buggy_server")
        .or_skip()
}

/// What a proof has come to, made again where the computer was too busy for a verdict: all tests of this file are made at once.
fn decided(proof: impl Fn() -> Proof) -> Result<Proven, ProofError> {
    let is_unsound = |proven: &Proven| {
        proven.result().trials.iter().any(|trial| matches!(trial.verdict, Verdict::Unsound { .. }))
    };
    for _ in 0..2 {
        let proven = proof().run()?;
        if !is_unsound(&proven) {
            return Ok(proven);
        }
        eprintln!("no verdict, and made again:\n{proven}");
    }
    proof().run()
}

#[test]
fn a_stopped_server_is_restarted_by_the_watchdog() -> Result<(), ProofError> {
    let proven = decided(|| {
        let expected = restarted().by(Watchdog).within("2s").hang_report(true).restarts(1);
        let expected =
            expected.detect_within("WatchdogSec").kill_within("1s").restart_within("1s").start_within("1s");
        let expected =
            expected.journal("Scheduled restart job").journal_without("code=killed, status=9/KILL");
        let expected = expected.diagnosis("stopped by a signal");
        buggy_server().fault("sigstop").expect(expected).trials(2)
    })?;
    proven.assert();
    assert!(proven.skipped().is_some() || proven.result().passed() == 2, "{proven}");
    Ok(())
}

#[test]
fn a_trial_may_have_several_faults_and_many_clients() -> Result<(), ProofError> {
    let proven = decided(|| {
        buggy_server()
            .every("20ms")
            .load(load(50).timeout("200ms"))
            .fault(fault("sigstop").with("processes", "main"))
            .then(fault("crash").after("3s").expect(restarted().by(Exit)))
            .expect(restarted().by(Watchdog).within("2s").at_most_failed(1000))
    })?;
    proven.assert();
    if let [trial] = proven.result().trials.as_slice() {
        let shown = proven.to_string();
        assert_eq!(trial.episodes().count(), 2, "{shown}");
        for part in ["injected sigstop", "injected crash", "every 20 ms", "requests"] {
            assert!(shown.contains(part), "there is no {part:?} in:\n{shown}");
        }
        assert!(String::from_utf8_lossy(proven.recording()).contains("sigstop processes=main"), "{shown}");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_is_left_alone_where_nothing_is_done_to_it() -> Result<(), ProofError> {
    decided(|| buggy_server().expect(undisturbed().during("1s")))?.assert();
    Ok(())
}

#[test]
fn what_is_not_as_expected_panics_with_the_timeline_and_how_to_see_it_again() -> Result<(), ProofError> {
    let proven = decided(|| buggy_server().fault("mute").expect(restarted().by(Watchdog).within("100ms")))?;
    if proven.skipped().is_some() {
        proven.assert();
        return Ok(());
    }
    assert!(!proven.is_pass());
    let panic = catch_unwind(|| proven.assert()).expect_err("it fails");
    let message = panic.downcast_ref::<String>().expect("a message");
    for part in [
        "not every trial was as expected",
        "mute is done to buggy_server",
        "injected mute",
        "watchdog trigger: hung",
        "last lines of buggy_server.service in the journal",
        "FAIL",
    ] {
        assert!(message.contains(part), "there is no {part:?} in:\n{message}");
    }
    assert!(!message.contains('\u{1b}'), "{message:?}");
    let (_, recording) = message.split_once("`hangproof replay ").expect("how it is replayed");
    let (recording, _) = recording.split_once('`').expect("its end");
    let replayed = Command::new(env!("CARGO_BIN_EXE_hangproof")).args(["replay", recording]).output();
    let replayed = replayed.expect("it runs");
    assert_eq!(replayed.status.code(), Some(1), "{}", String::from_utf8_lossy(&replayed.stderr));
    assert!(String::from_utf8_lossy(&replayed.stdout).contains("injected mute"));
    Ok(())
}

#[test]
fn a_service_that_cannot_be_tried_is_an_error_with_what_was_seen_of_it() {
    match buggy_server().set("TimeoutStartSec=3s").http("http://127.0.0.1:9/").fault("sigstop").run() {
        Ok(skipped) => {
            assert!(skipped.skipped().is_some(), "{skipped}");
            skipped.assert();
        }
        Err(error) => {
            let said = format!("{error:?}");
            for part in ["gave no good answer within", "Until then:", "ms  ready", "UNSOUND"] {
                assert!(said.contains(part), "there is no {part:?} in:\n{said}");
            }
            assert!(
                matches!(error, ProofError::Broke { .. }) && !said.contains("hangproof replay"),
                "{said}"
            );
        }
    }
}
