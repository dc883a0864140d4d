//! The program as a whole: how it starts, serves, hangs at random and stops.

mod common;

use common::{DEADLINE, Exchange, Server, eventually, program};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use rustix::process::Signal;

#[test]
fn people_get_a_page_and_programs_get_json() {
    let server = Server::start(&["--seed", "7"]);
    let page = server.get("/").unwrap();
    assert!(page.head.contains("content-type: text/html") && page.body.starts_with("<!doctype html>"));
    assert!(page.body.contains(&server.pid().to_string()));
    let request = "GET / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nConnection: close\r\n\r\n";
    let facts = Exchange::start(server.listen, request).read(DEADLINE).unwrap().json();
    assert_eq!((facts["pid"].as_u64(), facts["seed"].as_u64()), (Some(server.pid().into()), Some(7)));
    assert_eq!(facts["requests"], 2);
    assert_eq!(server.get("/healthz").map(|answer| answer.body), Some("ok\n".to_owned()));
    assert_eq!(server.status()["requests"], 3);
}

#[test]
fn other_paths_and_methods_are_refused() {
    let server = Server::start(&[]);
    assert_eq!(server.get("/nowhere").map(|answer| answer.status), Some(404));
    let post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let refusal = Exchange::start(server.listen, post).read(DEADLINE).unwrap();
    assert_eq!((refusal.status, refusal.head.contains("allow: get, head")), (405, true));
}

#[test]
fn a_port_that_is_taken_is_explained() {
    let server = Server::start(&[]);
    let start = |listen: &str, control: &str| {
        let arguments = ["--listen", listen, "--control", control];
        assert_cmd::Command::from_std(program()).args(arguments).timeout(DEADLINE).assert().code(1)
    };
    let taken = server.listen.to_string();
    let explained = || contains("another process already does").and(contains("--listen"));
    start(&taken, "127.0.0.1:0").stderr(explained().and(contains(&taken)));
    start("127.0.0.1:0", &server.control)
        .stderr(contains("another process already does").and(contains("--control")));
}

#[test]
fn the_same_seed_hangs_at_the_same_time_in_the_same_way() {
    let next = |seed: &str| {
        let server = Server::start(&["--seed", seed, "--mean-time-to-hang", "10days"]);
        let next = server.status()["next"].clone();
        (next["fault"].as_str().unwrap().to_owned(), next["in_ms"].as_u64().unwrap())
    };
    let ((fault, in_ms), (again, again_in_ms)) = (next("7"), next("7"));
    assert_eq!(fault, again);
    assert!(in_ms.abs_diff(again_in_ms) < 20_000, "{in_ms} {again_in_ms}");
    assert!(next("8").1.abs_diff(in_ms) > 20_000);
}

#[test]
fn a_drawn_seed_is_logged_and_shown() {
    let (one, other) = (Server::start(&[]), Server::start(&[]));
    assert!(one.status()["seed"].is_u64());
    assert_ne!(one.status()["seed"], other.status()["seed"]);
}

#[test]
fn it_hangs_at_random_and_again_after_healing() {
    let server = Server::start(&["--mean-time-to-hang", "20ms", "--faults", "mute,spin"]);
    for _ in 0..5 {
        let status =
            eventually("a hang", || Some(server.status()).filter(|status| status["state"] == "faulty"));
        assert!(["mute", "spin"].contains(&status["fault"]["fault"].as_str().unwrap()), "{status}");
        server.heal();
    }
}

#[test]
fn a_random_deadlock_is_real_too() {
    let server = Server::start(&["--mean-time-to-hang", "20ms", "--faults", "deadlock"]);
    server.log_line("fault injected");
    assert!(server.is_silent("/healthz"));
}

#[test]
fn losing_its_log_does_not_stop_it() {
    let mut server = Server::start(&[]);
    server.close_log();
    server.inject("mute");
    server.heal();
    server.inject("error");
    assert_eq!(server.get("/").map(|answer| answer.status), Some(500));
}

#[test]
fn it_stops_when_told_to() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(&[]);
        assert!(server.get("/").is_some());
        server.signal(signal);
        assert_eq!(server.wait_for_exit().code(), Some(0));
    }
}

#[test]
fn it_stops_at_once_even_when_it_hangs() {
    for fault in ["mute", "accept-stall", "deadlock", "spin"] {
        let mut server = Server::start(&[]);
        server.inject(fault);
        let _waiting = server.open("/");
        server.signal(Signal::TERM);
        // Or it says, after a second, that requests were still under way.
        server.log_line("stopping at once");
        assert_eq!(server.wait_for_exit().code(), Some(0), "{fault}");
    }
}

#[test]
fn a_request_that_never_ends_does_not_keep_it_from_stopping() {
    let mut server = Server::start(&[]);
    let endless = Exchange::start(server.listen, "GET / HTTP/1.1\r\n");
    eventually("the server to read it", || (endless.unread_bytes() == 0).then_some(()));
    server.signal(Signal::TERM);
    assert_eq!(server.wait_for_exit().code(), Some(0));
}
