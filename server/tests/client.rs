//! `inject`, `heal` and `status`: what they print and how they exit.

mod common;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::{DEADLINE, Server, program};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, is_empty, is_match};

fn client(arguments: &[&str]) -> assert_cmd::assert::Assert {
    assert_cmd::Command::from_std(program()).args(arguments).timeout(DEADLINE).assert()
}

#[test]
fn what_the_endpoint_says_is_printed_as_one_line() {
    let server = Server::start(&[]);
    let one_line = || is_match(r"^\{[^\n]*\}\n$").unwrap();
    server.client(&["status"]).assert().success().stdout(one_line().and(contains(r#""state":"healthy""#)));
    let injected = server.client(&["inject", "mute"]).assert().success();
    injected.stdout(one_line().and(contains("injected_at_monotonic_usec")));
    server.client(&["status"]).assert().success().stdout(contains(r#""state":"faulty""#));
    server.client(&["heal"]).assert().success().stdout(is_empty());
    server.client(&["status"]).assert().success().stdout(contains(r#""state":"healthy""#));
}

#[test]
fn delays_are_passed_on() {
    let server = Server::start(&[]);
    server.client(&["inject", "mute", "--after", "1h", "--for", "2s"]).assert().success();
    server.client(&["status"]).assert().success().stdout(contains(r#""next":{"fault":"mute""#));
}

#[test]
fn parameters_are_passed_on_and_mistakes_in_them_explained() {
    let server = Server::start(&[]);
    let refused = |arguments: &[&str], code, error: &str| {
        server.client(arguments).assert().code(code).stdout(is_empty()).stderr(contains(error));
    };
    refused(&["inject", "slow", "dely=1s"], 1, r#"did you mean "delay"?"#);
    refused(&["inject", "slow", "delay=soon"], 1, "a time span from 1ms to 1day, such as 200ms");
    refused(&["inject", "slow", "delay"], 2, "PARAMETER=VALUE");
    refused(&["inject", "slow", "delay=1s", "delay=2s"], 2, "given twice");
    server.client(&["inject", "slow", "delay=3ms", "--for", "1h"]).assert().success();
    server.client(&["status"]).assert().success().stdout(contains(r#""parameters":{"delay":"3ms"}"#));
}

#[test]
fn a_refusal_exits_with_1_and_says_why() {
    let server = Server::start(&[]);
    let unknown = server.client(&["inject", "deadlok"]).assert().code(1).stdout(is_empty());
    unknown.stderr(contains(r#"did you mean "deadlock"?"#).and(contains("mute, accept-stall")));
    server.client(&["inject", "deadlock"]).assert().success();
    server.client(&["inject", "mute"]).assert().code(1).stderr(contains("deadlock is active already"));
    server.client(&["heal"]).assert().code(1).stderr(contains("cannot be healed"));
}

#[test]
fn a_crash_is_confirmed_before_it_happens() {
    let server = Server::start(&[]);
    server.client(&["inject", "crash"]).assert().success().stdout(contains(r#""fault":"crash""#));
}

#[test]
fn when_nothing_listens_it_exits_with_2_and_says_where() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = free.to_string();
    client(&["status", "--control", &address]).code(2).stderr(contains(address).and(contains("--control")));
    client(&["status", "--control", "unix:/nonexistent"]).code(2).stderr(contains("unix:/nonexistent"));
}

#[test]
fn when_nothing_answers_it_gives_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let start = Instant::now();
    client(&["heal", "--control", &silent.local_addr().unwrap().to_string()])
        .code(2)
        .stderr(contains("within 5s"));
    assert!(start.elapsed() >= Duration::from_secs(5));
}

#[test]
fn the_environment_can_say_where_the_endpoint_is() {
    let server = Server::start(&[]);
    let mut command = assert_cmd::Command::from_std(program());
    command.env("BUGGY_SERVER_CONTROL", &server.control).arg("status").assert().success();
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    client(&["--workers", "1"]).code(2).stderr(contains("2..=1024"));
    client(&["--mean-time-to-hang", "0s"]).code(2).stderr(contains("more than 0"));
    client(&["--faults", "mute,spinn"]).code(2).stderr(contains(r#"did you mean "spin"?"#));
    client(&["--control", "8081"]).code(2).stderr(contains("unix:PATH"));
    client(&["--control", "unix:@"]).code(2).stderr(contains("unix:@NAME"));
    client(&["--control", &format!("unix:@{}", "n".repeat(108))])
        .code(2)
        .stderr(contains("at most 107 bytes"));
    client(&["--seed", "7", "status"]).code(2).stderr(contains("--seed is for serving"));
}
