//! Every fault does what it says, as seen from outside by a plain socket and by the kernel.

mod common;

use std::ffi::OsStr;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, Exchange, SILENCE, Server, eventually};
use rustix::process::Signal;
use server::fault::Fault;
use tempfile::TempDir;

/// What asks a service to end.
const ASKS: [(Signal, &str); 5] = [
    (Signal::TERM, "SIGTERM"),
    (Signal::INT, "SIGINT"),
    (Signal::ABORT, "SIGABRT"),
    (Signal::QUIT, "SIGQUIT"),
    (Signal::HUP, "SIGHUP"),
];

#[test]
fn mute_reads_requests_and_answers_them_only_after_healing() {
    let server = Server::start(&[]);
    server.inject("mute");
    let page = server.open("/");
    let health = server.open("/healthz");
    eventually("the requests to be read", || {
        (page.unread_bytes() + health.unread_bytes() == 0).then_some(())
    });
    assert!(page.read(SILENCE).is_none() && health.read(SILENCE).is_none());
    server.heal();
    assert_eq!(page.read(DEADLINE).map(|answer| answer.status), Some(200));
    assert_eq!(health.read(DEADLINE).map(|answer| answer.body), Some("ok\n".to_owned()));
    assert_eq!(server.get("/").map(|answer| answer.status), Some(200));
}

#[test]
fn accept_stall_leaves_connections_to_the_kernel() {
    let server = Server::start(&[]);
    let descriptors = server.open_descriptors();
    server.inject("accept-stall");
    // The handshake is the kernel's work, which is why a health check that only connects sees nothing wrong.
    let stalled = server.open("/");
    assert!(stalled.read(SILENCE).is_none());
    assert_ne!(stalled.unread_bytes(), 0, "nobody may have read the request");
    assert_eq!(server.open_descriptors(), descriptors, "nobody may have accepted the connection");
    server.heal();
    assert_eq!(stalled.read(DEADLINE).map(|answer| answer.status), Some(200));
    assert_eq!(server.get("/").map(|answer| answer.status), Some(200));
}

#[test]
fn accept_stall_fills_the_backlog_until_connecting_fails_too() {
    let server = Server::start(&[]);
    server.inject("accept-stall");
    let connect = |_| TcpStream::connect_timeout(&server.listen, SILENCE).ok();
    let connected: Vec<TcpStream> = (0..300).map_while(connect).collect();
    assert!((128..=130).contains(&connected.len()), "{} connections", connected.len());
    drop(connected);
    server.heal();
    eventually("connecting to work again", || server.get("/healthz"));
}

#[test]
fn deadlock_blocks_every_worker_for_good() {
    let server = Server::start(&["--workers", "4"]);
    server.inject("deadlock");
    let workers = server.workers();
    assert_eq!(workers.len(), 4);
    eventually("every worker to sleep", || workers.iter().all(common::Thread::sleeps).then_some(()));
    let switches = || workers.iter().map(common::Thread::switches).collect::<Vec<_>>();
    let before = switches();
    // An idle worker sleeps too, but it wakes up for a connection.
    assert!(server.is_silent("/") && server.is_silent("/healthz"));
    assert_eq!(switches(), before, "no worker may have stirred");
}

#[test]
fn deadlock_cannot_be_healed() {
    let server = Server::start(&[]);
    server.inject("deadlock");
    let refusal = server.control("DELETE", "/faults", "");
    assert_eq!(
        (refusal.status, refusal.error().as_str()),
        (409, "deadlock cannot be healed: restart the server")
    );
    assert!(server.is_silent("/"));
}

#[test]
fn spin_burns_cpu_time_on_every_worker_until_healed() {
    let server = Server::start(&["--workers", "4"]);
    server.inject("spin");
    let workers = server.workers();
    assert_eq!(workers.len(), 4);
    // Per thread, so that it does not matter how many CPUs there are to share.
    for worker in &workers {
        let before = worker.cpu_ticks();
        eventually("a worker to burn 50 ms", || (worker.cpu_ticks() >= before + 5).then_some(()));
    }
    assert!(server.is_silent("/healthz"));
    server.heal();
    assert_eq!(server.get("/").map(|answer| answer.status), Some(200));
    eventually("every worker to rest", || workers.iter().all(common::Thread::sleeps).then_some(()));
}

#[test]
fn spin_and_deadlock_get_every_worker_even_while_clients_keep_them_busy() {
    let server = Server::start(&["--workers", "8"]);
    let (start, hung) = (Instant::now(), AtomicBool::new(false));
    // What is late was not forgotten, so long as the server does not hang for good.
    let answered = |exchange: &Exchange| loop {
        if exchange.read(SILENCE).is_some() {
            return true;
        }
        if hung.load(Relaxed) || start.elapsed() > DEADLINE {
            return false;
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| while start.elapsed() < DEADLINE && answered(&server.open("/")) {});
        }
        eventually("the clients to be busy", || (server.status()["requests"].as_u64()? > 50).then_some(()));
        for _ in 0..5 {
            server.inject("spin");
            server.heal();
        }
        server.inject("deadlock");
        hung.store(true, Relaxed);
    });
    let workers = server.workers();
    eventually("every worker to sleep", || workers.iter().all(common::Thread::sleeps).then_some(()));
    assert!(server.is_silent("/healthz"));
}

#[test]
fn crash_answers_and_then_dies_of_sigabrt() {
    let mut server = Server::start(&[]);
    assert_ne!(server.inject("crash"), 0);
    assert_eq!(server.wait_for_exit().signal(), Some(6));
}

#[test]
fn a_crash_ordered_for_later_comes_later() {
    let mut server = Server::start(&[]);
    let start = Instant::now();
    let answer = server.control("POST", "/faults", r#"{"fault":"crash","after_ms":2000}"#);
    assert_eq!(answer.status, 202);
    assert_eq!(server.get("/healthz").map(|answer| answer.status), Some(200));
    assert_eq!(server.wait_for_exit().signal(), Some(6));
    assert!(start.elapsed() >= Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn error_answers_every_request_with_500_until_healed() {
    let server = Server::start(&[]);
    server.inject("error");
    for path in ["/", "/healthz", "/elsewhere"] {
        assert_eq!(server.get(path).map(|answer| answer.status), Some(500), "{path}");
    }
    server.heal();
    assert_eq!(server.get("/").map(|answer| answer.status), Some(200));
}

#[test]
fn exit_answers_and_then_stops_in_an_orderly_way_with_its_code() {
    for (parameters, code) in [("{}", 1), (r#"{"code":0}"#, 0), (r#"{"code":"255"}"#, 255)] {
        let mut server = Server::start(&[]);
        server.inject_with("exit", parameters);
        server.log_line("stopping on exit");
        assert_eq!(server.wait_for_exit().code(), Some(code), "{parameters}");
    }
}

#[test]
fn an_exit_lets_requests_that_are_under_way_finish() {
    let mut server = Server::start(&[]);
    let order = r#"{"fault":"exit","after_ms":100}"#;
    let begun = Exchange::start(server.listen, "GET /healthz HTTP/1.1\r\nHost: x\r\n");
    eventually("the server to read it", || (begun.unread_bytes() == 0).then_some(()));
    assert_eq!(server.control("POST", "/faults", order).status, 202);
    server.log_line("stopping on exit");
    begun.send("Connection: close\r\n\r\n");
    assert_eq!(begun.read(DEADLINE).map(|answer| answer.body), Some("ok\n".to_owned()));
    assert_eq!(server.wait_for_exit().code(), Some(1));
}

#[test]
fn segfault_answers_and_then_dies_of_sigsegv() {
    let mut server = Server::start(&[]);
    assert_ne!(server.inject("segfault"), 0);
    assert_eq!(server.wait_for_exit().signal(), Some(11));
}

#[test]
fn block_runtime_blocks_every_worker_until_healed() {
    let server = Server::start(&["--workers", "4"]);
    server.inject("block-runtime");
    let workers = server.workers();
    assert_eq!(workers.len(), 4);
    eventually("every worker to sleep", || workers.iter().all(common::Thread::sleeps).then_some(()));
    let switches = || workers.iter().map(common::Thread::switches).collect::<Vec<_>>();
    let before = switches();
    let waiting = server.open("/");
    assert!(waiting.read(SILENCE).is_none() && server.is_silent("/healthz"));
    assert_eq!(switches(), before, "no worker may have stirred");
    server.heal();
    assert_eq!(waiting.read(DEADLINE).map(|answer| answer.status), Some(200));
}

#[test]
fn stubborn_is_mute_and_ends_by_sigkill_alone() {
    let mut server = Server::start(&[]);
    server.inject("stubborn");
    let waiting = server.open("/healthz");
    for (signal, name) in ASKS {
        server.signal(signal);
        server.log_line(&format!("{name} is ignored"));
    }
    assert!(waiting.read(SILENCE).is_none());
    assert_eq!(server.status()["state"], "faulty");
    server.signal(Signal::KILL);
    assert_eq!(server.wait_for_exit().signal(), Some(9));
}

#[test]
fn a_server_that_was_stubborn_answers_and_heeds_signals_once_healed() {
    for (signal, name) in ASKS {
        let mut server = Server::start(&[]);
        server.inject("stubborn");
        let waiting = server.open("/healthz");
        assert!(waiting.read(SILENCE).is_none());
        server.heal();
        assert_eq!(waiting.read(DEADLINE).map(|answer| answer.status), Some(200));
        server.signal(signal);
        let status = server.wait_for_exit();
        let expected = if signal == Signal::ABORT { (None, Some(6)) } else { (Some(0), None) };
        assert_eq!((status.code(), status.signal()), expected, "{name}");
    }
}

#[test]
fn only_a_server_that_was_stubborn_catches_the_signals_that_end_others_at_once() {
    for (signal, number) in [(Signal::ABORT, 6), (Signal::QUIT, 3), (Signal::HUP, 1)] {
        let mut server = Server::start_with_usual_signals();
        server.inject("mute");
        server.signal(signal);
        assert_eq!(server.wait_for_exit().signal(), Some(number));
    }
}

#[test]
fn self_ping_pings_systemd_while_no_worker_stirs_until_healed() {
    let directory = TempDir::new().unwrap();
    let address = directory.path().join("notify");
    let systemd = UnixDatagram::bind(&address).unwrap();
    systemd.set_read_timeout(Some(DEADLINE)).unwrap();
    let server = Server::start_with(&[("NOTIFY_SOCKET", address.as_os_str())], "127.0.0.1:0", &[]);
    server.inject_with("self-ping", r#"{"interval":"10ms"}"#);
    let workers = server.workers();
    eventually("every worker to sleep", || workers.iter().all(common::Thread::sleeps).then_some(()));
    let waiting = server.open("/healthz");
    for _ in 0..20 {
        let mut buffer = [0; 64];
        let length = systemd.recv(&mut buffer).unwrap();
        assert_eq!(String::from_utf8_lossy(&buffer[..length]), "WATCHDOG=1\n");
    }
    assert!(waiting.read(SILENCE).is_none());
    // The thread may wait for room in the socket, as it does for a systemd that is busy.
    thread::spawn(move || while systemd.recv(&mut [0; 64]).is_ok() {});
    server.heal();
    assert_eq!(waiting.read(DEADLINE).map(|answer| answer.status), Some(200));
    eventually("its thread to end", || (!server.has_thread("self-ping")).then_some(()));
}

#[test]
fn self_ping_without_anybody_to_ping_is_refused_and_nothing_is_harmed() {
    let server = Server::start(&[]);
    let refusal = server.control("POST", "/faults", r#"{"fault":"self-ping"}"#);
    assert_eq!((refusal.status, refusal.error().contains("NOTIFY_SOCKET")), (409, true), "{}", refusal.body);
    let gone =
        Server::start_with(&[("NOTIFY_SOCKET", OsStr::new("/nonexistent/notify"))], "127.0.0.1:0", &[]);
    let refusal = gone.control("POST", "/faults", r#"{"fault":"self-ping"}"#);
    assert_eq!(
        (refusal.status, refusal.error().contains("cannot be pinged")),
        (409, true),
        "{}",
        refusal.body
    );
    for server in [&server, &gone] {
        assert_eq!(server.status()["state"], "healthy");
        assert_eq!(server.get("/healthz").map(|answer| answer.status), Some(200));
    }
}

#[test]
fn fd_leak_leaves_no_descriptor_for_a_connection_until_healed() {
    let server = Server::start(&[]);
    let (descriptors, limit) = (server.open_descriptors(), server.descriptor_limit());
    let mut kept = server.open_kept("/healthz");
    assert!(kept.read_some(DEADLINE).ends_with("ok\n"));
    server.inject_with("fd-leak", r#"{"descriptors":64}"#);
    assert_eq!(server.descriptor_limit(), 64);
    eventually("every descriptor to be in use", || (server.open_descriptors_below(64) == 64).then_some(()));
    let waiting = server.open("/healthz");
    server.log_line("cannot accept a connection: Too many open files");
    assert_ne!(waiting.unread_bytes(), 0, "nobody may have accepted it");
    // Who is there already is served. The room that this one leaves is leaked as well.
    kept.send("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(kept.read_to_end(DEADLINE).ends_with("ok\n"));
    assert!(waiting.read(SILENCE).is_none() && server.is_silent("/healthz"));
    server.heal();
    assert_eq!(waiting.read(DEADLINE).map(|answer| answer.status), Some(200));
    assert_eq!(server.descriptor_limit(), limit);
    drop(waiting);
    eventually("the descriptors to be given back", || {
        (server.open_descriptors() == descriptors).then_some(())
    });
}

#[test]
fn memory_leak_grows_to_its_limit_and_gives_all_back_when_healed() {
    let server = Server::start(&[]);
    let before = server.memory();
    server.inject_with("memory-leak", r#"{"limit":"96MiB","rate":"1GiB"}"#);
    eventually("96 MiB to be taken", || (server.memory() - before >= 96 << 20).then_some(()));
    assert_eq!(server.get("/healthz").map(|answer| answer.status), Some(200));
    // At this rate a third of a GiB would be taken meanwhile.
    let start = Instant::now();
    while start.elapsed() < SILENCE {
        assert!(server.memory() - before < 128 << 20, "{} bytes", server.memory() - before);
    }
    server.heal();
    eventually("it to be given back", || (server.memory() < before + (16 << 20)).then_some(()));
}

#[test]
fn memory_leak_ends_the_process_where_its_limit_does() {
    let mut server = Server::start_limited("-d 131072", &[]);
    server.inject_with("memory-leak", r#"{"rate":"1GiB"}"#);
    assert_eq!(server.wait_for_exit().signal(), Some(6));
}

#[test]
fn wrong_body_answers_every_request_with_200_and_the_same_other_body_until_healed() {
    let server = Server::start(&[]);
    let right = server.get("/healthz").unwrap().body;
    server.inject("wrong-body");
    for path in ["/", "/healthz", "/elsewhere"] {
        let answer = server.get(path).unwrap();
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "the fault \"wrong-body\" is active\n"),
            "{path}"
        );
    }
    server.heal();
    assert_eq!(server.get("/healthz").unwrap().body, right);
}

#[test]
fn half_answers_the_health_check_and_nothing_else_until_healed() {
    let server = Server::start(&[]);
    server.inject("half");
    let page = server.open("/");
    assert!(page.read(SILENCE).is_none() && server.is_silent("/elsewhere"));
    for path in ["/healthz", "/healthz?from=a-probe"] {
        assert_eq!(server.get(path).map(|answer| answer.body), Some("ok\n".to_owned()), "{path}");
    }
    server.heal();
    assert_eq!(page.read(DEADLINE).map(|answer| answer.status), Some(200));
}

#[test]
fn drip_sends_a_byte_now_and_then_and_ends_only_when_healed() {
    let server = Server::start(&[]);
    server.inject_with("drip", r#"{"interval":"20ms"}"#);
    let start = Instant::now();
    let mut health = server.open("/healthz");
    let mut text = String::new();
    while text.matches("\r\n.\r\n").count() < 10 {
        text += &health.read_some(DEADLINE);
    }
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    // The first comes at once, and none comes early.
    assert!(start.elapsed() >= 9 * Duration::from_millis(20), "{:?}", start.elapsed());
    assert!(!text.contains("\r\n0\r\n"), "no end: {text}");
    server.heal();
    assert!(health.read_to_end(DEADLINE).ends_with("0\r\n\r\n"), "the end of the body");
    assert_eq!(server.get("/healthz").map(|answer| answer.body), Some("ok\n".to_owned()));
}

#[test]
fn slow_answers_rightly_but_not_before_its_delay() {
    let server = Server::start(&[]);
    server.inject("slow");
    let timed = |path: &str| {
        let start = Instant::now();
        (server.get(path).map(|answer| answer.status), start.elapsed())
    };
    for (path, status) in [("/", 200), ("/healthz", 200), ("/elsewhere", 404)] {
        let (answered, length) = timed(path);
        assert_eq!(answered, Some(status), "{path}");
        assert!(length >= Duration::from_millis(200), "{path}: {length:?}");
    }
    server.heal();
    server.inject_with("slow", r#"{"delay":"1h"}"#);
    let waiting = server.open("/healthz");
    assert!(waiting.read(SILENCE).is_none());
    server.heal();
    assert_eq!(waiting.read(DEADLINE).map(|answer| answer.status), Some(200));
}

#[test]
fn brief_is_mute_for_its_duration_and_heals_itself() {
    let server = Server::start(&[]);
    let start = Instant::now();
    server.inject("brief");
    assert_eq!(server.get("/healthz").map(|answer| answer.status), Some(200));
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(server.status()["state"], "healthy");
    // What comes first ends it.
    let order = r#"{"fault":"brief","for_ms":50,"parameters":{"duration":"1h"}}"#;
    assert_eq!(server.control("POST", "/faults", order).status, 202);
    assert_eq!(server.get("/healthz").map(|answer| answer.status), Some(200));
}

#[test]
fn the_control_endpoint_answers_during_every_hang() {
    for fault in Fault::ALL.into_iter().filter(|fault| fault.is_hang()).map(Fault::name) {
        let (_systemd, server) = Server::start_notifying();
        let injected_at = server.inject(fault);
        let status = server.status();
        assert_eq!(status["state"], "faulty", "{status}");
        assert_eq!(status["fault"]["fault"], fault, "{status}");
        assert_eq!(status["fault"]["injected_at_monotonic_usec"], injected_at, "{status}");
        assert!(status["monotonic_usec"].as_u64().unwrap() >= injected_at, "{status}");
        assert_eq!(server.control("GET", "/faults", "").status, 200);
    }
}

#[test]
fn a_fault_with_a_duration_heals_itself() {
    let (_systemd, server) = Server::start_notifying();
    for fault in Fault::ALL.into_iter().filter(|fault| fault.healable()).map(Fault::name) {
        let parameters = if fault == "memory-leak" { r#"{"limit":"1MiB"}"# } else { "{}" };
        let order = format!(r#"{{"fault":"{fault}","for_ms":50,"parameters":{parameters}}}"#);
        assert_eq!(server.control("POST", "/faults", &order).status, 202, "{fault}");
        eventually("the fault to end", || (server.status()["state"] == "healthy").then_some(()));
        assert_eq!(server.get("/").map(|answer| answer.status), Some(200), "{fault}");
    }
}
