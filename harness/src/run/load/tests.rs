//! Requests at a real socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use super::*;
use crate::machine::Namespaces;
use crate::scenario::observe::{Bytes, Observe, Place, Question};

fn load(service: SocketAddr, rate: u32, connections: u32, timeout: Duration) -> Load {
    let bytes = Bytes { send: b"?".into(), expect: b"!".into() };
    let question = Question::Bytes(Place::Port(vec![service]), bytes);
    let network = Network::Namespace(Arc::new(Namespaces::of("/proc/self".as_ref()).expect("namespaces")));
    let observe = Observe { timeout, ..Observe::often(question.clone()) };
    let client = Client::new(&observe, &network, |_| Ok(Vec::new())).expect("a client");
    // The test's own namespaces need not be entered, which only root may.
    let network = Network::Address(service);
    Load::start(&Plan { question, rate, connections, timeout }, client, network).expect("it starts")
}

/// Waits until there is such a tally, and returns it.
fn until(load: &Load, tally: &mut Tally, is_reached: impl Fn(&Tally) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_reached(tally) {
        assert!(Instant::now() < deadline, "{tally:?}");
        std::thread::yield_now();
        tally.add(&load.batch());
    }
}

#[test]
fn a_service_that_stalls_keeps_nobody_from_asking_and_every_request_is_accounted_for() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let service = listener.local_addr().expect("an address");
    let begin = Instant::now();
    let load = load(service, 200, 1000, Duration::from_millis(200));
    let mut tally = Tally::default();
    // It listens, and accepts nobody: whoever waits for an answer before he asks again would ask five times a second.
    until(&load, &mut tally, |tally| tally.all().failed >= 60);
    load.end();
    until(&load, &mut tally, |tally| tally.open == 0);
    let due = begin.elapsed().as_secs_f64() * 200.0;
    let all = tally.all();
    assert_eq!((all.good, tally.failures()[0].0), (0, "no answer in 200 ms"), "{tally:?}");
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let made = all.all() as f64;
    assert!(made <= due + 1.0 && made >= 60.0, "{made} of {due}");
    // Whoever waits for one answer is too late for all that are due meanwhile.
    assert!(all.failed > all.unasked, "{tally:?}");
}

#[test]
fn answers_are_timed_from_when_they_were_due_and_failures_have_reasons() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let service = listener.local_addr().expect("an address");
    let load = load(service, 500, 1000, Duration::from_secs(5));
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..50 {
                let (mut stream, _) = listener.accept().expect("a client");
                let _ = stream.read(&mut [0]);
                let _ = stream.write_all(b"!");
            }
            // Nobody listens any more.
        });
        until(&load, &mut tally, |tally| tally.all().good >= 50 && tally.all().failed >= 20);
    });
    assert_eq!(tally.all().good, 50);
    assert!(tally.failures().iter().any(|(reason, _)| *reason == "connection refused"), "{tally:?}");
    assert!(tally.quantile(0.5).is_some_and(|took| took > Duration::ZERO));
    assert_eq!(tally.rate, 500);
}

#[test]
fn who_finds_all_connections_in_use_has_failed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let load = load(listener.local_addr().expect("an address"), 500, 3, Duration::from_secs(20));
    let mut tally = Tally::default();
    until(&load, &mut tally, |tally| tally.all().failed >= 20);
    assert_eq!(tally.failures()[0].0, "all connections are in use");
    assert_eq!(load.open(), 3);
}
