//! The addresses of a name, in the order in which they are tried. Pure.
//!
//! A and AAAA are two questions, and each can fail alone: getaddrinfo(3) then finds the addresses of the other family, and
//! does not say that it is half an answer. Within a family an answer is whole. So:
//!
//! - What a newer answer names comes in its place. Addresses of a family that it lacks are *kept* behind it, until the
//!   service is healthy at one that it names: then it has moved, or can do without.
//! - Where the service was healthy last comes first. What is only kept does so for [`TRUST`]: the name may have lost that
//!   family for good, and something else may answer there by now.
//! - If what is kept came first, and the service is unhealthy there, the newer answer comes first the next time. If it is
//!   unhealthy there as well, they change places again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Addresses;

/// A resolver that loses half of its answer for longer than this has lost it for good.
const TRUST: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Candidates {
    in_order: Addresses,
    /// The newest answer; never empty.
    found: Vec<SocketAddr>,
    /// Those of the family that it lacks …
    kept: Vec<SocketAddr>,
    /// … and when the first answer came that did.
    lacking_since: Instant,
    /// Where the service was healthy last.
    good: Option<SocketAddr>,
    /// Where that is only kept: it comes first.
    is_good_first: bool,
}

impl Candidates {
    /// Of the first answer, which is not empty.
    pub fn new(found: Vec<SocketAddr>, now: Instant) -> Self {
        let in_order = found.as_slice().into();
        Self { in_order, found, kept: Vec::new(), lacking_since: now, good: None, is_good_first: false }
    }

    /// There is a newer answer, which is not empty.
    pub fn renew(&mut self, found: Vec<SocketAddr>, now: Instant) {
        let lacks = |known: &SocketAddr| found.iter().all(|new| new.is_ipv4() != known.is_ipv4());
        let lost: Vec<_> = self.found.iter().copied().filter(lacks).collect();
        self.kept.retain(lacks);
        if !lost.is_empty() {
            // What was kept is of the other family, and named again.
            (self.kept, self.lacking_since, self.is_good_first) = (lost, now, true);
        }
        self.found = found;
        self.is_good_first &= now - self.lacking_since < TRUST;
        self.arrange();
    }

    /// The service is healthy at `address`.
    pub fn healthy(&mut self, address: SocketAddr, now: Instant) {
        self.good = Some(address);
        if self.found.contains(&address) {
            self.kept.clear();
        } else {
            self.is_good_first = now - self.lacking_since < TRUST;
        }
        self.arrange();
    }

    /// The service is unhealthy, wherever that was seen.
    pub fn unhealthy(&mut self) {
        self.is_good_first = !self.is_good_first;
        self.arrange();
    }

    pub fn in_order(&self) -> &Addresses {
        &self.in_order
    }

    fn arrange(&mut self) {
        let comes_first =
            |good: &SocketAddr| self.found.contains(good) || (self.is_good_first && self.kept.contains(good));
        let first = self.good.filter(comes_first);
        let others = self.found.iter().chain(&self.kept).filter(|address| Some(**address) != first);
        let in_order: Vec<_> = first.iter().chain(others).copied().collect();
        if *self.in_order != *in_order {
            self.in_order = in_order.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// `a1` and `a2` are IPv4 addresses, `b1` and `b2` IPv6 addresses.
    fn address(name: &str) -> SocketAddr {
        let (family, number) = name.split_at(1);
        let number: u8 = number.parse().expect("a number");
        match family {
            "a" => (Ipv4Addr::new(10, 0, 0, number), 80).into(),
            "b" => (Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()), 80).into(),
            _ => panic!("{name}"),
        }
    }

    fn addresses(names: &str) -> Vec<SocketAddr> {
        names.split_whitespace().map(address).collect()
    }

    /// What happens at which second, and in which order they are tried then.
    #[track_caller]
    fn expect(what: &str, course: &[(u32, Happening, &str)]) {
        let start = Instant::now();
        let mut candidates: Option<Candidates> = None;
        for (number, (second, happening, expected)) in course.iter().enumerate() {
            let now = start + SECOND * *second;
            match (happening, &mut candidates) {
                (Found(names), None) => candidates = Some(Candidates::new(addresses(names), now)),
                (Found(names), Some(candidates)) => candidates.renew(addresses(names), now),
                (Healthy(name), Some(candidates)) => candidates.healthy(address(name), now),
                (Unhealthy, Some(candidates)) => candidates.unhealthy(),
                (Healthy(_) | Unhealthy, None) => panic!("nothing is known yet"),
            }
            let in_order = candidates.as_ref().expect("an answer").in_order();
            assert_eq!(**in_order, *addresses(expected), "{what}, step {number}");
        }
    }

    enum Happening {
        Found(&'static str),
        Healthy(&'static str),
        Unhealthy,
    }
    use Happening::{Found, Healthy, Unhealthy};

    #[test]
    fn half_an_answer_replaces_no_address_of_the_other_half() {
        expect(
            "A is lost, where the service is",
            &[
                (0, Found("b1 a1"), "b1 a1"),
                (1, Healthy("a1"), "a1 b1"),
                (10, Found("b1"), "a1 b1"),
                (11, Healthy("a1"), "a1 b1"),
                (20, Found("b1 a1"), "a1 b1"),
                // The time counts anew.
                (100, Found("b1"), "a1 b1"),
                (159, Found("b1"), "a1 b1"),
            ],
        );
        expect(
            "AAAA is lost, where the service is",
            &[
                (0, Found("b1 a1"), "b1 a1"),
                (1, Healthy("b1"), "b1 a1"),
                (10, Found("a1"), "b1 a1"),
                (20, Found("b1 a1"), "b1 a1"),
            ],
        );
        expect(
            "A alone, then AAAA alone",
            &[
                (0, Found("a1"), "a1"),
                (1, Healthy("a1"), "a1"),
                (10, Found("b1"), "a1 b1"),
                (20, Found("a1"), "a1 b1"),
            ],
        );
        expect(
            "A is lost while it stumbles",
            &[
                (0, Found("b1 a1"), "b1 a1"),
                (1, Healthy("a1"), "a1 b1"),
                (10, Found("b1"), "a1 b1"),
                (11, Unhealthy, "b1 a1"),
                (12, Healthy("a1"), "a1 b1"),
            ],
        );
        expect(
            "before it was ever healthy",
            &[(0, Found("a1 a2"), "a1 a2"), (10, Found("b1"), "b1 a1 a2"), (11, Healthy("a2"), "a2 b1 a1")],
        );
        expect(
            "its neighbours are kept behind the new ones",
            &[
                (0, Found("a1 a2 a3"), "a1 a2 a3"),
                (1, Healthy("a2"), "a2 a1 a3"),
                (10, Found("b1 b2"), "a2 b1 b2 a1 a3"),
            ],
        );
    }

    #[test]
    fn what_is_kept_is_dropped_when_the_service_is_healthy_where_the_answer_says() {
        expect(
            "it refuses where it was",
            &[
                (0, Found("a1"), "a1"),
                (1, Healthy("a1"), "a1"),
                (10, Found("b1"), "a1 b1"),
                (11, Healthy("b1"), "b1"),
                (20, Found("b1"), "b1"),
                (21, Unhealthy, "b1"),
            ],
        );
        expect(
            "something else answers where it was",
            &[
                (0, Found("a1"), "a1"),
                (1, Healthy("a1"), "a1"),
                (10, Found("b1"), "a1 b1"),
                (11, Unhealthy, "b1 a1"),
                (12, Unhealthy, "a1 b1"),
                (13, Unhealthy, "b1 a1"),
                (14, Healthy("b1"), "b1"),
            ],
        );
        expect(
            "something else answers just as well where it was",
            &[
                (0, Found("a1"), "a1"),
                (1, Healthy("a1"), "a1"),
                (10, Found("b1"), "a1 b1"),
                (69, Found("b1"), "a1 b1"),
                (70, Found("b1"), "b1 a1"),
                (71, Healthy("a1"), "b1 a1"),
                (72, Unhealthy, "a1 b1"),
                (73, Healthy("a1"), "b1 a1"),
                (74, Healthy("b1"), "b1"),
            ],
        );
        expect(
            "both are named again",
            &[
                (0, Found("a1"), "a1"),
                (1, Healthy("a1"), "a1"),
                (10, Found("b1"), "a1 b1"),
                (20, Found("b1 a2"), "b1 a2"),
            ],
        );
    }

    #[test]
    fn within_a_family_an_answer_is_whole() {
        expect(
            "another address",
            &[
                (0, Found("a1"), "a1"),
                (1, Healthy("a1"), "a1"),
                (10, Found("a2"), "a2"),
                (11, Healthy("a2"), "a2"),
                (20, Found("a1"), "a1"),
            ],
        );
        expect(
            "one of several is gone",
            &[(0, Found("a1 a2"), "a1 a2"), (1, Healthy("a1"), "a1 a2"), (10, Found("a2 a3"), "a2 a3")],
        );
        expect(
            "another address, and half an answer",
            &[
                (0, Found("b1 a1"), "b1 a1"),
                (1, Healthy("a1"), "a1 b1"),
                (10, Found("a2"), "a2 b1"),
                (20, Found("b2"), "b2 a2"),
            ],
        );
        expect(
            "half an answer, and another address",
            &[(0, Found("a1"), "a1"), (10, Found("b1"), "b1 a1"), (20, Found("b2"), "b2 a1")],
        );
    }

    #[test]
    fn an_answer_in_another_order_changes_nothing_where_the_service_is_healthy() {
        expect("before", &[(0, Found("a1 a2"), "a1 a2"), (10, Found("a2 a1"), "a2 a1")]);
        expect(
            "after",
            &[
                (0, Found("a1 a2"), "a1 a2"),
                (1, Healthy("a2"), "a2 a1"),
                (10, Found("a1 a2"), "a2 a1"),
                (11, Unhealthy, "a2 a1"),
                (12, Healthy("a1"), "a1 a2"),
            ],
        );
    }
}
