//! Names whose addresses fail, or change.

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use super::*;
use crate::probe::lookup::Answer;
use crate::probe::testing::{AMPLE, LATER, SHORT, listener_without_backlog, reserved_port, runtime};

/// What a lookup comes to.
#[derive(Debug, Clone)]
enum Found {
    At(SocketAddr),
    Nothing,
    Silence,
}

/// A name; each lookup of it comes to the next of these, and those after them are never answered.
fn name(found: impl IntoIterator<Item = Found>) -> Endpoint {
    let lookups = RefCell::new((found.into_iter().collect::<Vec<_>>().into_iter(), Vec::new()));
    let resolve = move |_: &str, _, answer: Answer| {
        let (found, silent) = &mut *lookups.borrow_mut();
        match found.next().unwrap_or(Found::Silence) {
            Found::At(address) => answer.give(Ok(vec![address])),
            Found::Nothing => answer.give(Err(io::Error::other("SERVFAIL"))),
            Found::Silence => silent.push(answer),
        }
        Ok(())
    };
    Endpoint::at(Place::Name(Box::new(Lookup::by("db.internal", 80, Box::new(resolve)))))
}

/// Probes for a connection, and then for what comes of it.
fn probe_and(
    endpoint: &Endpoint,
    timeout: Duration,
    then: Result<(), Reason>,
) -> Result<(), (Cause, String)> {
    let course = Course::new(timeout);
    let attempt = async {
        endpoint.connect(&course).await?;
        then
    };
    let deadline = Deadline::after(timeout);
    let overdue = |waited| endpoint.overdue(&course, &waited);
    let outcome = async { endpoint.within(&deadline, pin!(attempt), overdue).await };
    match runtime().block_on(outcome) {
        Outcome::Healthy => Ok(()),
        Outcome::Unhealthy(reason) => Err((reason.cause(), reason.to_string())),
    }
}

fn probe(endpoint: &Endpoint, timeout: Duration) -> Result<(), (Cause, String)> {
    probe_and(endpoint, timeout, Ok(()))
}

fn let_pass(endpoint: &Endpoint, time: Duration) {
    let Place::Name(lookup) = &endpoint.place else { panic!("no name") };
    lookup.let_pass(time);
}

/// In which order the next probe tries what is known.
fn tried(endpoint: &Endpoint) -> Vec<SocketAddr> {
    let Place::Name(lookup) = &endpoint.place else { panic!("no name") };
    runtime().block_on(lookup.addresses()).expect("something is known").to_vec()
}

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const THERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SECOND: Duration = Duration::from_secs(1);

/// Listens at another address with this port.
fn listening_there(port: u16) -> (TcpListener, Found) {
    let address = (THERE, port).into();
    (TcpListener::bind(address).expect("the same port of another address"), Found::At(address))
}

fn refused() -> Result<(), (Cause, String)> {
    Err((Cause::Refused, "connection refused".to_owned()))
}

#[test]
fn a_service_that_has_moved_is_found_by_the_same_probe_that_is_refused_where_it_was() {
    let (_reserved, port) = reserved_port();
    let (_listener, there) = listening_there(port);
    let endpoint = name([Found::At((HERE, port).into()), there]);
    assert_eq!(probe(&endpoint, AMPLE), refused(), "it was looked up only just now");
    let_pass(&endpoint, SECOND);
    assert_eq!(probe(&endpoint, AMPLE), Ok(()));
}

#[test]
fn a_service_that_has_moved_is_found_by_the_same_probe_that_hears_nothing_where_it_was() {
    let full = listener_without_backlog();
    let here = full.local_addr().expect("an address");
    let _waiting = std::net::TcpStream::connect(here).expect("room for one");
    let (_listener, there) = listening_there(here.port());
    let endpoint = name([Found::At(here), there]);
    assert_eq!(probe(&endpoint, SHORT), Err((Cause::Timeout, "no connection within 50 ms".to_owned())));
    let_pass(&endpoint, SECOND);
    assert_eq!(probe(&endpoint, LATER), Ok(()));
}

#[test]
fn what_answers_as_it_should_not_may_be_another_service_by_now_so_the_next_probe_has_a_newer_address() {
    let old = TcpListener::bind((HERE, 0)).expect("a port");
    let here = old.local_addr().expect("an address");
    let (_listener, there) = listening_there(here.port());
    let endpoint = name([Found::At(here), there]);
    assert_eq!(probe(&endpoint, AMPLE), Ok(()));
    let_pass(&endpoint, SECOND);
    let status = || Err(Reason::new(Cause::Status, "status 404"));
    assert!(probe_and(&endpoint, AMPLE, status()).is_err());
    drop(old);
    assert_eq!(probe(&endpoint, AMPLE), Ok(()), "at its new address");
}

#[test]
fn half_an_answer_of_the_resolver_leads_nobody_away_from_where_the_service_is() {
    let listener = TcpListener::bind((HERE, 0)).expect("a port");
    let here = listener.local_addr().expect("an address");
    // Nobody listens there, whether this host has IPv6 or not.
    let nowhere = (Ipv6Addr::LOCALHOST, here.port()).into();
    let endpoint = name([Found::At(here), Found::At(nowhere), Found::At(nowhere)]);
    assert_eq!(probe(&endpoint, AMPLE), Ok(()));
    for _ in 0..3 {
        let_pass(&endpoint, 10 * SECOND);
        assert_eq!(probe(&endpoint, AMPLE), Ok(()));
    }
    assert_eq!(tried(&endpoint), [here, nowhere], "it was healthy here");
    let status = || Err(Reason::new(Cause::Status, "status 404"));
    assert!(probe_and(&endpoint, AMPLE, status()).is_err());
    assert_eq!(tried(&endpoint), [nowhere, here], "here may be another service by now");
}

#[test]
fn a_refusal_where_the_service_was_counts_whatever_the_resolver_does() {
    let (_reserved, port) = reserved_port();
    let here = Found::At((HERE, port).into());
    for later in [Found::Silence, Found::Nothing, here.clone()] {
        let endpoint = name([here.clone(), later.clone()]);
        assert_eq!(probe(&endpoint, AMPLE), refused());
        let_pass(&endpoint, SECOND);
        assert_eq!(probe(&endpoint, SHORT), refused(), "{later:?}");
    }
}

#[test]
fn as_long_as_nothing_is_known_of_a_name_a_probe_cannot_be_made() {
    for (found, problem) in [(Found::Nothing, "SERVFAIL"), (Found::Silence, "no answer in 50 ms")] {
        let (cause, reason) = probe(&name([found]), SHORT).expect_err("a reason");
        assert_eq!(cause, Cause::Lookup);
        assert!(reason.starts_with(&format!("cannot look up db.internal: {problem}; check ")), "{reason}");
    }
}
