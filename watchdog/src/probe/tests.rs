use super::testing::*;
use super::*;
use crate::probe::Deadline;
use crate::words::outcome::Cause;

/// Answers everything at once.
fn serving() -> Peer {
    Peer::new(|mut stream| {
        answer_http(&mut stream, b"HTTP/1.1 204 No Content\r\n\r\n");
    })
}

/// Lets connect, and never answers.
fn mute() -> Peer {
    Peer::new(until_closed)
}

fn url(peer: &Peer) -> String {
    format!("http://{}/", peer.address)
}

fn unhealthy(outcome: Outcome) -> String {
    match outcome {
        Outcome::Healthy => panic!("healthy"),
        Outcome::Unhealthy(reason) => reason.to_string(),
    }
}

#[test]
fn all_must_pass() {
    let peers = [serving(), serving(), mute()];
    let [first, second, third] = &peers;
    let options = ["--http", &url(first), "--http", &url(second), "--tcp", &third.address.to_string()];
    assert_eq!(run(&options, AMPLE), Outcome::Healthy);
}

#[test]
fn the_first_in_order_that_fails_is_named_whichever_fails_first() {
    let (_reserved, port) = reserved_port();
    let refused = format!("http://127.0.0.1:{port}/");
    let peer = mute();
    let silent = url(&peer);
    // The refusal is there long before the silence is known.
    let outcome = run(&["--http", &silent, "--http", &refused], SHORT);
    assert_eq!(unhealthy(outcome), format!("{silent}: no answer in 50 ms after the request was sent"));
}

#[test]
fn a_failure_ends_the_others_as_soon_as_it_is_sure_to_be_the_first() {
    let (_reserved, port) = reserved_port();
    let refused = format!("http://127.0.0.1:{port}/");
    let (good, bad) = (serving(), mute());
    let options = ["--http", &url(&good), "--http", &refused, "--http", &url(&bad)];
    // Were the silent one waited for, this would take until the deadline.
    let before = std::time::Instant::now();
    assert_eq!(unhealthy(run(&options, AMPLE)), format!("{refused}: connection refused"));
    assert!(before.elapsed() < AMPLE);
}

#[test]
fn a_probe_that_cannot_be_made_hides_no_failure_behind_it_and_is_the_outcome_where_nothing_else_failed() {
    let (_reserved, port) = reserved_port();
    let (peer, refused) = (serving(), format!("127.0.0.1:{port}"));
    let healthy = url(&peer);
    let cause = |options: &[&str]| match run(options, AMPLE) {
        Outcome::Healthy => panic!("healthy"),
        Outcome::Unhealthy(reason) => reason.cause(),
    };
    // Nobody can connect to a broadcast address.
    let impossible = "255.255.255.255:80";
    assert_eq!(cause(&["--tcp", impossible, "--tcp", &refused]), Cause::Refused);
    assert_eq!(cause(&["--tcp", impossible, "--exec", "false"]), Cause::Exec);
    assert_eq!(cause(&["--http", &healthy, "--tcp", impossible, "--exec", "/nonexistent"]), Cause::System);
}

#[test]
fn several_probes_share_one_deadline() {
    let peers = [mute(), mute(), mute()];
    let urls: Vec<String> = peers.iter().map(url).collect();
    let options: Vec<&str> = urls.iter().flat_map(|url| ["--http", url]).collect();
    let before = std::time::Instant::now();
    assert!(unhealthy(run(&options, SHORT * 4)).contains("no answer in 200 ms"));
    let took = before.elapsed();
    assert!(took >= SHORT * 4 && took < SHORT * 8, "{took:?}");
}

#[test]
fn probes_are_called_what_they_were_given_as() {
    for (options, name) in [
        (&["--http", "http://127.0.0.1/a"][..], "http://127.0.0.1/a"),
        (&["--http-unix", "/run/my.sock:/a"], "http-unix /run/my.sock:/a"),
        (&["--unix", "/run/my.sock", "--http", "http://a/", "--tcp", "a:1"], "http://a/ and 2 more"),
        (&[], "nothing"),
    ] {
        assert_eq!(probes(options).expect("probes").to_string(), name);
    }
}

#[test]
fn there_may_be_none_where_that_is_allowed() {
    let none = probes(&[]).expect("no probes");
    assert!(none.is_empty());
    assert_eq!(runtime().block_on(none.run(&Deadline::after(SHORT))), Outcome::Healthy);
    assert_eq!(none.or_refuse_empty().map(drop), Err(ProbeError::Nothing));
    let one = probes(&["--tcp", "127.0.0.1:1"]).expect("a probe");
    assert!(!one.is_empty() && one.or_refuse_empty().is_ok());
}
