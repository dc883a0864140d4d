use std::pin::pin;

use rustix::io::Errno;

use super::*;
use crate::probe::testing::runtime;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// A resolver that answers when the test says so, and a clock that the test moves.
struct Bench {
    lookup: Lookup,
    asked: Rc<RefCell<Vec<Answer>>>,
    now: Instant,
}

#[expect(clippy::unnecessary_wraps, reason = "as a resolver answers")]
fn at(hosts: &[u8]) -> Found {
    Ok(hosts.iter().map(|host| ([10, 0, 0, *host], 80).into()).collect())
}

fn refused() -> Found {
    // As the standard library puts it.
    Err(io::Error::other("failed to lookup address information: Temporary failure in name resolution"))
}

impl Lookup {
    /// As if the last lookup had been begun earlier by this much.
    pub(in crate::probe) fn let_pass(&self, time: Duration) {
        let mut state = self.state.borrow_mut();
        state.began = state.began.map(|began| began.checked_sub(time).expect("a host that is up for longer"));
    }
}

impl Bench {
    fn new() -> Self {
        let asked = Rc::new(RefCell::new(Vec::new()));
        let asks = Rc::clone(&asked);
        let resolver = move |name: &str, port, answer| {
            assert_eq!((name, port), ("db.internal", 80));
            asks.borrow_mut().push(answer);
            Ok(())
        };
        let lookup = Lookup::by("db.internal", 80, Box::new(resolver));
        Self { lookup, asked, now: Instant::now() }
    }

    /// `found` was the first answer.
    fn knowing(found: Found) -> Self {
        let mut bench = Self::new();
        assert_eq!(bench.probe(), None);
        bench.answer(found);
        bench.probe();
        bench
    }

    /// What a probe gets, by the last octets, or why it gets none; [`None`] while it waits.
    fn probe(&mut self) -> Option<Result<Vec<u8>, String>> {
        let mut context = Context::from_waker(std::task::Waker::noop());
        match self.lookup.state.borrow_mut().poll(&self.lookup, &mut context, self.now) {
            Poll::Pending => None,
            Poll::Ready(Ok(addresses)) => Some(Ok(last_octets(&addresses))),
            Poll::Ready(Err(reason)) => {
                assert!(!reason.cause().counts());
                Some(Err(reason.to_string()))
            }
        }
    }

    fn doubt(&mut self) {
        self.lookup.state.borrow_mut().begin(&self.lookup, Need::Doubt, self.now);
    }

    fn answer(&self, found: Found) {
        self.asked.borrow_mut().remove(0).give(found);
    }

    fn under_way(&self) -> usize {
        self.asked.borrow().len()
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn almost_pass(&mut self, time: Duration) {
        self.now += time.saturating_sub(MS);
    }
}

fn last_octets(addresses: &[SocketAddr]) -> Vec<u8> {
    let octet = |address: &SocketAddr| match address {
        SocketAddr::V4(address) => address.ip().octets()[3],
        SocketAddr::V6(_) => 0,
    };
    addresses.iter().map(octet).collect()
}

#[test]
fn only_the_first_lookup_is_waited_for_and_a_probe_that_ends_meanwhile_begins_no_second() {
    let mut bench = Bench::new();
    for _ in 0..10 {
        assert_eq!(bench.probe(), None);
        bench.pass(SECOND);
    }
    assert_eq!(bench.under_way(), 1);
    bench.answer(at(&[2, 1]));
    assert_eq!(bench.probe(), Some(Ok(vec![2, 1])), "in the order of the resolver");
}

#[test]
fn what_was_found_is_used_at_once_however_long_the_resolver_is_away() {
    for answer in [Some(refused as fn() -> Found), Some(|| Ok(Vec::new())), None] {
        let mut bench = Bench::knowing(at(&[1]));
        for _ in 0..1_000 {
            bench.pass(SECOND);
            assert_eq!(bench.probe(), Some(Ok(vec![1])));
            assert!(bench.under_way() <= MOST_THREADS);
            if let Some(found) = answer
                && bench.under_way() > 0
            {
                bench.answer(found());
            }
        }
    }
}

#[test]
fn what_is_10_s_old_is_looked_up_again_beside_the_probe_and_the_next_one_has_it() {
    let mut bench = Bench::knowing(at(&[1]));
    bench.almost_pass(AGE);
    bench.probe();
    assert_eq!(bench.under_way(), 0);
    bench.pass(MS);
    assert_eq!(bench.probe(), Some(Ok(vec![1])), "nothing is waited for");
    assert_eq!(bench.under_way(), 1);
    bench.answer(at(&[2]));
    assert_eq!(bench.probe(), Some(Ok(vec![2])));
    bench.pass(AGE);
    bench.probe();
    bench.answer(refused());
    assert_eq!(bench.probe(), Some(Ok(vec![2])));
    bench.almost_pass(AGE);
    bench.probe();
    assert_eq!(bench.under_way(), 0, "a resolver in trouble is not asked more often");
}

#[test]
fn an_unhealthy_service_is_looked_up_again_at_once_and_then_once_a_second() {
    let mut bench = Bench::knowing(at(&[1]));
    bench.pass(2 * SECOND);
    bench.doubt();
    assert_eq!(bench.under_way(), 1);
    bench.doubt();
    assert_eq!(bench.under_way(), 1, "one at a time");
    bench.answer(at(&[1]));
    bench.probe();
    bench.almost_pass(SECOND);
    bench.doubt();
    assert_eq!(bench.under_way(), 0);
    bench.pass(MS);
    bench.doubt();
    assert_eq!(bench.under_way(), 1);
}

#[test]
fn before_anything_is_known_a_lookup_that_fails_is_repeated_ever_more_slowly_and_the_reason_has_a_remedy() {
    let mut bench = Bench::new();
    let start = bench.now;
    let mut begun = Vec::new();
    while begun.len() < 12 {
        if bench.probe().is_none() {
            begun.push((bench.now - start).as_millis());
            bench.answer(refused());
        }
        let reason = bench.probe().expect("an end").expect_err("a reason");
        assert_eq!(
            reason,
            "cannot look up db.internal: Temporary failure in name resolution; check the name and the resolver with \
             `getent ahosts db.internal`"
        );
        bench.pass(MS);
    }
    assert_eq!(begun, [0, 10, 30, 70, 150, 310, 630, 1270, 2270, 3270, 4270, 5270]);
    bench.pass(SECOND);
    bench.probe();
    bench.answer(at(&[1]));
    assert_eq!(bench.probe(), Some(Ok(vec![1])));
}

#[test]
fn a_lookup_is_given_up_after_30_s_and_of_those_that_never_end_there_are_four() {
    let mut bench = Bench::new();
    for lost in 1..=MOST_THREADS {
        assert_eq!(bench.probe(), None);
        bench.almost_pass(DEADLINE);
        assert_eq!((bench.probe(), bench.under_way()), (None, lost), "it has time");
        bench.pass(MS);
        let reason = bench.probe();
        if lost < MOST_THREADS {
            assert_eq!(reason, None, "the next one has begun");
        } else {
            let reason = reason.and_then(Result::err).expect("a reason");
            assert!(reason.contains("4 lookups were given up and have not ended"), "{reason}");
        }
    }
    // Late as it is, one ends: there is room for another.
    bench.answer(at(&[1]));
    bench.pass(SECOND);
    assert_eq!(bench.probe(), None);
    bench.asked.borrow_mut().pop().expect("the last one").give(at(&[2]));
    assert_eq!(bench.probe(), Some(Ok(vec![2])), "what was given up has no say");
}

#[test]
fn a_probe_that_waits_for_where_the_service_went_gets_only_what_is_new() {
    for (found, expected) in [(at(&[1, 2]), Some(vec![2])), (at(&[1]), None), (refused(), None)] {
        let mut bench = Bench::knowing(at(&[1]));
        let known: Vec<SocketAddr> = at(&[1]).expect("addresses");
        bench.pass(SECOND);
        bench.doubt();
        runtime().block_on(async {
            let mut moved = pin!(bench.lookup.moved_from(&known));
            poll_fn(|context| {
                assert!(moved.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            bench.answer(found);
            assert_eq!(moved.await.as_deref().map(last_octets), expected);
            assert_eq!(
                bench.lookup.moved_from(&known).await.as_deref().map(last_octets),
                expected,
                "nothing is under way"
            );
        });
    }
}

#[test]
fn without_a_thread_the_probe_cannot_be_made_and_a_later_one_tries_again() {
    let spawned = Rc::new(RefCell::new(0));
    let count = Rc::clone(&spawned);
    let resolver = move |_: &str, _, answer: Answer| {
        *count.borrow_mut() += 1;
        if *count.borrow() == 1 {
            return Err(Errno::AGAIN.into());
        }
        answer.give(at(&[1]));
        Ok(())
    };
    let lookup = Lookup::by("db.internal", 80, Box::new(resolver));
    let mut bench = Bench { lookup, asked: Rc::default(), now: Instant::now() };
    let reason = bench.probe().expect("an end").expect_err("a reason");
    assert!(reason.contains("no thread for it: ") && reason.contains("TasksMax="), "{reason}");
    bench.pass(FIRST.0);
    assert_eq!(bench.probe(), Some(Ok(vec![1])));
}

#[test]
fn this_hosts_own_resolver_is_asked_in_a_thread() {
    let lookup = Lookup::new("localhost", 81);
    let found = runtime().block_on(lookup.addresses()).expect("addresses");
    assert!(found.contains(&([127, 0, 0, 1], 81).into()), "{found:?}");
}
