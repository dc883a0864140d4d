//! The control endpoint: what it does, and whom it turns away.

mod common;

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use common::{Answer, DEADLINE, Server, eventually, program};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use rustix::process::Signal;
use server::fault::Fault;
use tempfile::TempDir;

const JSON: &str = "Content-Type: application/json";

fn post(server: &Server, body: &str) -> Answer {
    server.control("POST", "/faults", body)
}

#[test]
fn a_healthy_server_says_so() {
    let server = Server::start(&["--seed", "7", "--workers", "3"]);
    let status = server.status();
    assert_eq!(status["pid"], server.pid());
    assert_eq!(status["state"], "healthy");
    assert!(status["fault"].is_null() && status["next"].is_null(), "{status}");
    assert_eq!((status["seed"].as_u64(), status["workers"].as_u64()), (Some(7), Some(3)));
}

#[test]
fn the_catalogue_lists_every_fault() {
    let server = Server::start(&[]);
    let catalogue = server.control("GET", "/faults", "").json();
    let catalogue = catalogue.as_array().unwrap();
    let names: Vec<_> = catalogue.iter().map(|fault| fault["name"].as_str().unwrap()).collect();
    assert_eq!(names, Fault::ALL.map(Fault::name));
    let entry = |name: &str| catalogue.iter().find(|fault| fault["name"] == name).unwrap();
    for (fault, healable, recovery) in [
        ("mute", true, "watchdog"),
        ("deadlock", false, "watchdog"),
        ("crash", false, "exit"),
        ("slow", true, "none"),
    ] {
        assert_eq!(
            (&entry(fault)["healable"], &entry(fault)["recovery"]),
            (&healable.into(), &recovery.into())
        );
    }
    assert_eq!(entry("slow")["parameters"][0]["default"], "200ms");
    assert_eq!(entry("mute")["parameters"].as_array().map(Vec::len), Some(0));
}

#[test]
fn parameters_are_checked_against_the_catalogue_and_shown() {
    let server = Server::start(&[]);
    for (order, error) in [
        (r#"{"fault":"slow","parameters":{"dely":"1s"}}"#, r#"did you mean "delay"?"#),
        (r#"{"fault":"mute","parameters":{"delay":"1s"}}"#, "it has none"),
        (r#"{"fault":"slow","parameters":{"delay":200}}"#, "a time span from 1ms to 1day, such as 200ms"),
        (r#"{"fault":"slow","parameters":{"delay":["1s"]}}"#, "a time span from 1ms to 1day, such as 200ms"),
        (r#"{"fault":"slow","parameters":{"delay":"0s"}}"#, "not within 1ms to 1day"),
    ] {
        let answer = post(&server, order);
        assert_eq!((answer.status, answer.error().contains(error)), (422, true), "{order}: {}", answer.body);
    }
    assert_eq!(post(&server, r#"{"fault":"slow","parameters":"delay"}"#).status, 400);
    assert_eq!(server.status()["state"], "healthy");
    assert_eq!(post(&server, r#"{"fault":"slow","parameters":{"delay":"2ms"}}"#).status, 202);
    let fault = server.status()["fault"].clone();
    assert_eq!((&fault["parameters"]["delay"], &fault["does"]), (&"2ms".into(), &Fault::Slow.does().into()));
}

#[test]
fn an_unknown_fault_is_answered_with_the_names_and_the_nearest() {
    let answer = post(&Server::start(&[]), r#"{"fault":"deadlok"}"#);
    assert_eq!(answer.status, 422);
    assert!(answer.error().contains(r#"did you mean "deadlock"?"#), "{}", answer.body);
    assert_eq!(answer.json()["nearest"], "deadlock");
    assert_eq!(answer.json()["faults"].as_array().map(Vec::len), Some(Fault::ALL.len()));
}

#[test]
fn one_fault_at_a_time() {
    let server = Server::start(&[]);
    server.inject("mute");
    let refusal = post(&server, r#"{"fault":"error"}"#);
    assert_eq!((refusal.status, refusal.error().as_str()), (409, "mute is active already: heal it first"));
    server.heal();
    server.inject("error");
}

#[test]
fn a_fault_ordered_for_later_can_be_cancelled() {
    let server = Server::start(&[]);
    let before = server.status()["monotonic_usec"].as_u64().unwrap();
    let answer = post(&server, r#"{"fault":"mute","after_ms":3600000}"#);
    assert_eq!(answer.status, 202);
    let planned = answer.json()["injected_at_monotonic_usec"].as_u64().unwrap();
    assert!((3_600_000_000..3_660_000_000).contains(&(planned - before)), "{planned} after {before}");
    let status = server.status();
    assert_eq!((&status["state"], &status["next"]["fault"]), (&"healthy".into(), &"mute".into()));
    assert_eq!(post(&server, r#"{"fault":"mute"}"#).status, 409);
    server.heal();
    assert!(server.status()["next"].is_null());
}

#[test]
fn healing_a_healthy_server_does_nothing() {
    let server = Server::start(&[]);
    server.heal();
    assert_eq!(server.status()["state"], "healthy");
}

#[test]
fn a_body_that_makes_no_sense_is_answered_with_the_reason() {
    let server = Server::start(&[]);
    for (body, reason) in [
        ("", "EOF"),
        ("{", "EOF"),
        ("{}", "missing field `fault`"),
        (r#"{"fault":7}"#, "invalid type"),
        (r#"{"fault":"mute","afterms":1}"#, "unknown field `afterms`"),
        (r#"{"fault":"mute","after_ms":-1}"#, "invalid value"),
        (r#"{"fault":"mute","after_ms":18446744073709551615}"#, "at most a day"),
        (r#"{"fault":"mute","for_ms":18446744073709551615}"#, "at most a day"),
    ] {
        let answer = post(&server, body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        assert!(answer.error().contains(reason), "{body}: {}", answer.body);
    }
    assert_eq!(server.status()["state"], "healthy");
}

#[test]
fn a_fault_that_cannot_be_healed_cannot_have_a_duration() {
    let answer = post(&Server::start(&[]), r#"{"fault":"deadlock","for_ms":100}"#);
    assert_eq!((answer.status, answer.error().contains("leave out")), (422, true), "{}", answer.body);
}

#[test]
fn a_body_beyond_64_kib_is_refused() {
    let server = Server::start(&[]);
    let order = r#"{"fault":"error"}"#;
    let padded = |length: usize| order.to_owned() + &" ".repeat(length - order.len());
    assert_eq!(post(&server, &padded(64 * 1024 + 1)).status, 413);
    assert_eq!(post(&server, &padded(1024 * 1024)).status, 413);
    assert_eq!(post(&server, &padded(64 * 1024)).status, 202);
}

#[test]
fn other_paths_and_methods_are_refused() {
    let server = Server::start(&[]);
    assert_eq!(server.control("GET", "/", "").status, 404);
    assert_eq!(server.control("POST", "/status", "").status, 405);
    let put = server.control("PUT", "/faults", "");
    assert_eq!(put.status, 405);
    assert!(put.head.contains("allow: get, head, post, delete"), "{}", put.head);
}

#[test]
fn a_page_of_another_site_is_turned_away() {
    let server = Server::start(&[]);
    let fault = r#"{"fault":"mute"}"#;
    let rebound = server.control_with("POST", "/faults", &["Host: example.com", JSON], fault);
    assert_eq!((rebound.status, rebound.error().contains("Host")), (403, true), "{}", rebound.body);
    let foreign = ["Host: localhost", "Origin: https://example.com", JSON];
    let foreign = server.control_with("POST", "/faults", &foreign, fault);
    assert_eq!((foreign.status, foreign.error().contains("Origin")), (403, true), "{}", foreign.body);
    assert_eq!(server.control_with("GET", "/status", &["Host: example.com"], "").status, 403);
    for headers in [&["Host: localhost"][..], &["Host: localhost", "Content-Type: text/plain"]] {
        assert_eq!(server.control_with("POST", "/faults", headers, fault).status, 415);
        assert_eq!(server.control_with("DELETE", "/faults", headers, "").status, 415);
    }
    assert_eq!(server.status()["state"], "healthy");
}

#[test]
fn a_client_that_sends_nothing_more_is_dropped_and_keeps_nobody_waiting() {
    let server = Server::start(&[]);
    let mut slow_head = TcpStream::connect(&server.control).unwrap();
    slow_head.write_all(b"GET /status HT").unwrap();
    let mut slow_body = TcpStream::connect(&server.control).unwrap();
    let head = b"POST /faults HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n";
    slow_body.write_all(head).unwrap();
    let start = Instant::now();
    assert_eq!(server.status()["state"], "healthy");
    // Before the 2 s that the others get.
    slow_head.set_nonblocking(true).unwrap();
    let waits = slow_head.peek(&mut [0]).map_err(|error| error.kind());
    assert_eq!(waits, Err(ErrorKind::WouldBlock), "answered only once another was let go");
    slow_head.set_nonblocking(false).unwrap();
    for stream in [&slow_head, &slow_body] {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
    }
    let mut answer = String::new();
    slow_head.read_to_string(&mut answer).expect("the connection to be closed");
    // After 2 s by the deadline for the head; the one for the whole connection would take 10 s.
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    answer.clear();
    slow_body.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[test]
fn with_a_token_every_request_needs_it() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("token");
    fs::write(&file, "secret\n").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let file = file.to_str().unwrap();
    let server = Server::start_at("0.0.0.0:0", &["--control-token-file", file]);
    let get = |headers: &[&str]| server.control_with("GET", "/status", headers, "");
    let refused = get(&["Host: localhost"]);
    assert_eq!(refused.status, 401);
    assert!(refused.head.contains("www-authenticate: bearer"), "{}", refused.head);
    assert_eq!(get(&["Host: localhost", "Authorization: Bearer wrong"]).status, 401);
    assert_eq!(get(&["Host: localhost", "Authorization: Bearer secret"]).status, 200);
    assert_eq!(get(&["Host: from.elsewhere:81", "Authorization: Bearer secret"]).status, 200);
    server.client(&["status"]).assert().code(1).stderr(contains("send the control token"));
    server.client(&["status", "--control-token-file", file]).assert().success();
}

#[test]
fn with_every_descriptor_in_use_the_control_endpoint_answers_and_the_log_has_one_line() {
    let server = Server::start_limited("-n 256", &[]);
    let idle: Vec<_> = (0..300).map(|_| TcpStream::connect(server.listen).unwrap()).collect();
    eventually("the descriptors to be used up", || (server.open_descriptors_below(256) == 256).then_some(()));
    // For as long as 85 lines took when each refusal was one.
    let start = Instant::now();
    let mut asked = 0;
    while asked < 20 || start.elapsed() < Duration::from_secs(1) {
        assert_eq!(server.status()["state"], "healthy");
        asked += 1;
    }
    assert!(start.elapsed() < DEADLINE, "{asked} answers took {:?}", start.elapsed());
    // As many at once as there are places, and one more, which waits for one.
    let many: Vec<_> = (0..9).map(|_| TcpStream::connect(&server.control).unwrap()).collect();
    let start = Instant::now();
    assert_eq!(server.status()["state"], "healthy");
    // All places are there still: with one of them the nine would be let go one by one, each after 2 s.
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    drop(many);
    server.inject("mute");
    server.heal();
    let refusals =
        server.log_until("fault injected").into_iter().filter(|line| line.contains("cannot accept"));
    let refusals = refusals.collect::<Vec<_>>();
    let of_clients = refusals.iter().filter(|line| line.contains("accept a connection")).count();
    assert_eq!((of_clients, refusals.len() <= 2), (1, true), "{refusals:?}");
    drop(idle);
    eventually("clients to be served again", || server.get("/healthz"));
}

#[test]
fn a_token_that_others_can_read_or_change_is_refused_with_the_remedy() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("token");
    fs::write(&file, "secret\n").unwrap();
    let link = directory.path().join("link");
    symlink(&file, &link).unwrap();
    let start = |path: &Path| {
        let mut command = assert_cmd::Command::from_std(program());
        command.args(["status", "--control", "unix:/nonexistent", "--control-token-file"]);
        command.arg(path).timeout(DEADLINE).assert()
    };
    for mode in [0o644, 0o604, 0o602, 0o620, 0o666, 0o660] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        for path in [&file, &link] {
            start(path).code(1).stderr(contains(format!("its mode is {mode:o}")).and(contains("chmod 600")));
        }
    }
    // Nothing answers there, but the token was taken.
    for mode in [0o600, 0o400, 0o640, 0o440] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        for path in [&file, &link] {
            start(path).code(2).stderr(contains("nothing answers"));
        }
    }
    fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
    start(directory.path())
        .code(1)
        .stderr(contains("cannot read the control token").and(contains("directory")));
    start(&directory.path().join("absent")).code(1).stderr(contains("cannot read the control token"));
    let endless = directory.path().join("endless");
    fs::write(&endless, "x".repeat(5000)).unwrap();
    fs::set_permissions(&endless, Permissions::from_mode(0o600)).unwrap();
    start(&endless).code(1).stderr(contains("longer than 4096 bytes"));
    let mut server = assert_cmd::Command::from_std(program());
    server.args(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--control-token-file"]).arg(&file);
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    server.timeout(DEADLINE).assert().code(1).stderr(contains("its mode is 644"));
}

#[test]
fn an_abstract_socket_is_no_file_and_is_reached_by_its_name() {
    let name = format!("buggy_server-test-{}", std::process::id());
    let address = format!("unix:@{name}");
    let mut server = Server::start_at(&address, &[]);
    assert_eq!(server.control, address);
    server.client(&["inject", "mute"]).assert().success().stdout(contains(r#""fault":"mute""#));
    let listening = fs::read_to_string("/proc/net/unix").unwrap();
    assert!(listening.lines().any(|line| line.ends_with(&format!(" @{name}"))), "{name} in no file");
    let arguments = ["--listen", "127.0.0.1:0", "--control", &address];
    let taken = assert_cmd::Command::from_std(program()).args(arguments).timeout(DEADLINE).assert().code(1);
    taken.stderr(contains("another process already does"));
    server.signal(Signal::TERM);
    assert!(server.wait_for_exit().success());
    // Nothing is left of it, so that there is nothing stale either.
    drop(Server::start_at(&address, &[]));
}

#[test]
fn beyond_this_machine_a_token_is_demanded() {
    let arguments = ["--listen", "127.0.0.1:0", "--control", "0.0.0.0:0"];
    let refused = assert_cmd::Command::from_std(program()).args(arguments).timeout(DEADLINE).assert().code(1);
    refused.stderr(contains("--control-token-file"));
}

#[test]
fn an_empty_token_is_no_token() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut command = assert_cmd::Command::from_std(program());
    command.args(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--control-token-file"]);
    command.arg(file.path()).timeout(DEADLINE).assert().code(1).stderr(contains("is empty"));
}

#[test]
fn a_unix_socket_is_for_its_owner_and_goes_with_the_server() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("control");
    let address = format!("unix:{}", path.display());
    let mut server = Server::start_at(&address, &[]);
    let file = fs::metadata(&path).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    server.client(&["inject", "mute"]).assert().success().stdout(contains(r#""fault":"mute""#));
    let mut browserless = UnixStream::connect(&path).unwrap();
    browserless.write_all(b"GET /status HTTP/1.1\r\nHost: d\r\n\r\n").unwrap();
    let mut answer = String::new();
    browserless.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    server.signal(Signal::TERM);
    assert!(server.wait_for_exit().success());
    assert!(!path.exists());
}

#[test]
fn a_stale_socket_is_replaced_and_a_used_one_is_not() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("control");
    let address = format!("unix:{}", path.display());
    drop(UnixListener::bind(&path).unwrap());
    let server = Server::start_at(&address, &[]);
    let start_another = |control: &str| {
        let arguments = ["--listen", "127.0.0.1:0", "--control", control];
        assert_cmd::Command::from_std(program()).args(arguments).timeout(DEADLINE).assert().code(1)
    };
    start_another(&address).stderr(contains("another process already does"));
    server.client(&["status"]).assert().success();
    let file = directory.path().join("file");
    fs::write(&file, "precious").unwrap();
    start_another(&format!("unix:{}", file.display())).stderr(contains("not a socket"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}

#[test]
fn a_fault_with_after_and_for_begins_and_ends_by_itself() {
    let server = Server::start(&[]);
    assert_eq!(post(&server, r#"{"fault":"mute","after_ms":50,"for_ms":50}"#).status, 202);
    server.log_line("fault injected");
    server.log_line("fault healed");
    eventually("health", || server.get("/healthz"));
}
