//! Every fault does what it says, as seen from outside by a plain socket and by the kernel.

mod common;

use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::Instant;

use common::{DEADLINE, SILENCE, Server, eventually};

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
    assert!(server.get("/").is_none() && server.get("/healthz").is_none());
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
    assert!(server.get("/").is_none());
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
    assert!(server.get("/healthz").is_none());
    server.heal();
    assert_eq!(server.open("/").read(DEADLINE).map(|answer| answer.status), Some(200));
    eventually("every worker to rest", || workers.iter().all(common::Thread::sleeps).then_some(()));
}

#[test]
fn spin_and_deadlock_get_every_worker_even_while_clients_keep_them_busy() {
    let server = Server::start(&["--workers", "8"]);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..4 {
            // Ends with the first request that gets no answer.
            scope.spawn(|| while start.elapsed() < DEADLINE && server.get("/").is_some() {});
        }
        eventually("the clients to be busy", || (server.status()["requests"].as_u64()? > 50).then_some(()));
        for _ in 0..5 {
            server.inject("spin");
            server.heal();
        }
        server.inject("deadlock");
    });
    let workers = server.workers();
    eventually("every worker to sleep", || workers.iter().all(common::Thread::sleeps).then_some(()));
    assert!(server.get("/healthz").is_none());
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
    let answer = server.control("POST", "/faults", r#"{"fault":"crash","after_ms":200}"#);
    assert_eq!(answer.status, 202);
    assert_eq!(server.get("/healthz").map(|answer| answer.status), Some(200));
    assert_eq!(server.wait_for_exit().signal(), Some(6));
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
fn the_control_endpoint_answers_during_every_hang() {
    for fault in ["mute", "accept-stall", "deadlock", "spin"] {
        let server = Server::start(&[]);
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
    let server = Server::start(&[]);
    for fault in ["mute", "accept-stall", "spin", "error"] {
        let order = format!(r#"{{"fault":"{fault}","for_ms":50}}"#);
        assert_eq!(server.control("POST", "/faults", &order).status, 202, "{fault}");
        eventually("the fault to end", || (server.status()["state"] == "healthy").then_some(()));
        assert_eq!(server.open("/").read(DEADLINE).map(|answer| answer.status), Some(200), "{fault}");
    }
}
