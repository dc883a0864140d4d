//! Names and their addresses, looked up beside the probing: how a resolver fares says nothing about the service.
//!
//! - The addresses that were found last are kept and used, however long the resolver is away. They are looked up again
//!   [now and then](AGE), and [at once](DOUBT) when a probe is unhealthy: the service may have moved. An answer that has
//!   lost addresses of one family replaces none of them, see `lookup/candidates.rs`.
//! - Only before the first success is there nothing to use. Such a probe could not be made, and does not count.
//! - getaddrinfo(3) blocks, 5 s long where one datagram is lost, and cannot be broken off. So it has a thread, one at a
//!   time. One that takes longer than [`DEADLINE`] is given up; its thread ends when it likes.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::candidates::Candidates;
use super::deadline::Waited;
use crate::kernel::aside;
use crate::words::outcome::{Cause, Reason};
use crate::words::span::{Span, rounded};

mod candidates;

/// How old addresses get while all is well. getaddrinfo(3) does not tell how long its answer holds, and a service that has
/// moved is to be followed though something answers at its old address.
const AGE: Duration = Duration::from_secs(10);
/// An unhealthy service is looked up again at once, but no more often than this.
const DOUBT: Duration = Duration::from_secs(1);
/// Before the first success: from a failed lookup to the next, doubled each time, at least and at most.
const FIRST: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// When a lookup is given up. With three servers, all of them silent, glibc takes 30 s (resolv.conf(5)).
const DEADLINE: Duration = Duration::from_secs(30);
/// Those that were given up may hang for good, and keep their threads. There are never more than these.
const MOST_THREADS: usize = 4;
/// Addresses this old are worth a line in the log.
const STALE: Duration = Duration::from_secs(60);

pub(super) type Found = io::Result<Vec<SocketAddr>>;
/// In order of preference; never none.
pub type Addresses = Rc<[SocketAddr]>;
/// Has a name looked up, with a port. Must not block.
pub(super) type Resolver = Box<dyn Fn(&str, u16, Answer) -> io::Result<()>>;

/// A name that is looked up, and what is known of it.
pub struct Lookup {
    name: String,
    port: u16,
    resolve: Resolver,
    state: RefCell<LookupState>,
}

/// Takes what a [`Resolver`] has found.
pub(super) struct Answer {
    sender: oneshot::Sender<Found>,
    /// For counting those that are under way.
    _thread: Arc<()>,
}

impl Answer {
    pub(super) fn give(self, found: Found) {
        // Nobody waits for what was given up, or when the program ends.
        let _ = self.sender.send(found);
    }
}

#[derive(Debug, Default)]
struct LookupState {
    known: Option<Known>,
    under_way: Option<oneshot::Receiver<Found>>,
    /// When the last lookup was begun.
    began: Option<Instant>,
    /// Why the last one failed, and how many in a row have.
    failed: Option<(Reason, u32)>,
    threads: Arc<()>,
}

#[derive(Debug)]
struct Known {
    addresses: Candidates,
    since: Instant,
    /// It was said that they are old.
    is_stale: bool,
}

/// What a lookup is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    First,
    Age,
    Doubt,
}

impl Lookup {
    /// Of `name`; the addresses will have `port`.
    pub fn new(name: &str, port: u16) -> Self {
        Self::by(name, port, Box::new(in_a_thread))
    }

    pub(super) fn by(name: &str, port: u16, resolve: Resolver) -> Self {
        Self { name: name.to_owned(), port, resolve, state: RefCell::default() }
    }

    /// Where to connect to: what is known. Waits for a lookup only where nothing is.
    pub async fn addresses(&self) -> Result<Addresses, Reason> {
        poll_fn(|context| self.state.borrow_mut().poll(self, context, Instant::now())).await
    }

    /// A probe was healthy at `address`.
    pub fn healthy(&self, address: SocketAddr) {
        if let Some(known) = &mut self.state.borrow_mut().known {
            known.addresses.healthy(address, Instant::now());
        }
    }

    /// A probe was unhealthy: what answers there may be something else by now.
    pub fn unhealthy(&self) {
        if let Some(known) = &mut self.state.borrow_mut().known {
            known.addresses.unhealthy();
        }
        self.doubt();
    }

    /// What is known may not lead to the service any more.
    pub fn doubt(&self) {
        let mut state = self.state.borrow_mut();
        if state.known.is_some() {
            state.begin(self, Need::Doubt, Instant::now());
        }
    }

    /// The lookup under way, if it finds addresses other than `kept`: those. Ends with it.
    pub async fn moved_from(&self, kept: &[SocketAddr]) -> Option<Addresses> {
        poll_fn(|context| {
            let mut state = self.state.borrow_mut();
            ready!(state.poll_under_way(self, context, Instant::now()));
            let known = state.known.iter().flat_map(|known| &**known.addresses.in_order());
            let new: Addresses = known.filter(|address| !kept.contains(address)).copied().collect();
            Poll::Ready((!new.is_empty()).then_some(new))
        })
        .await
    }

    /// The name itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the addresses have.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The reason of a probe that had no address by its deadline.
    pub(super) fn overdue(&self, timeout: &Waited) -> Reason {
        self.failed(&self.resolver(format_args!("no answer in {timeout}")))
    }

    fn failed(&self, problem: &str) -> Reason {
        Reason::new(Cause::Lookup, format!("cannot look up {}: {problem}", self.name))
    }

    /// What the resolver has to say, with what to do about it.
    fn resolver(&self, problem: impl fmt::Display) -> String {
        format!("{problem}; check the name and the resolver with `getent ahosts {}`", self.name)
    }
}

impl LookupState {
    fn poll(
        &mut self,
        lookup: &Lookup,
        context: &mut Context<'_>,
        now: Instant,
    ) -> Poll<Result<Addresses, Reason>> {
        self.take_in(lookup, now);
        if let Some(known) = &self.known {
            let addresses = Rc::clone(known.addresses.in_order());
            self.begin(lookup, Need::Age, now);
            return Poll::Ready(Ok(addresses));
        }
        self.begin(lookup, Need::First, now);
        ready!(self.poll_under_way(lookup, context, now));
        Poll::Ready(match (&self.known, &self.failed) {
            (Some(known), _) => Ok(Rc::clone(known.addresses.in_order())),
            (None, Some((reason, _))) => Err(reason.clone()),
            (None, None) => Err(lookup.failed("nothing is known yet")),
        })
    }

    /// Looks whether the lookup under way has ended, without waiting for it; gives it up after [`DEADLINE`].
    fn take_in(&mut self, lookup: &Lookup, now: Instant) {
        let Some(receiver) = &mut self.under_way else { return };
        match receiver.try_recv() {
            Ok(found) => self.answered(lookup, found, now),
            Err(oneshot::error::TryRecvError::Closed) => self.answered(lookup, Err(lost()), now),
            Err(oneshot::error::TryRecvError::Empty) => {
                if self.began.is_some_and(|began| now - began >= DEADLINE) {
                    let problem = lookup.resolver(format_args!("no answer in {}", Span(DEADLINE)));
                    self.failed(lookup, &problem, now);
                }
            }
        }
    }

    /// Waits for the lookup under way, if there is one.
    fn poll_under_way(&mut self, lookup: &Lookup, context: &mut Context<'_>, now: Instant) -> Poll<()> {
        if let Some(receiver) = &mut self.under_way {
            let found = ready!(Pin::new(receiver).poll(context));
            self.answered(lookup, found.unwrap_or_else(|_| Err(lost())), now);
        }
        Poll::Ready(())
    }

    /// Begins a lookup, unless one is under way or it is too soon for another.
    fn begin(&mut self, lookup: &Lookup, need: Need, now: Instant) {
        if self.under_way.is_some() || !self.is_due(need, now) {
            return;
        }
        self.began = Some(now);
        if Arc::strong_count(&self.threads) > MOST_THREADS {
            let hang = format!("{MOST_THREADS} lookups were given up and have not ended");
            self.failed(lookup, &lookup.resolver(hang), now);
            return;
        }
        let (sender, receiver) = oneshot::channel();
        let answer = Answer { sender, _thread: Arc::clone(&self.threads) };
        match (lookup.resolve)(&lookup.name, lookup.port, answer) {
            Ok(()) => self.under_way = Some(receiver),
            Err(error) => {
                let problem = format!("no thread for it: {error}; look at TasksMax= and LimitNPROC=");
                self.failed(lookup, &problem, now);
            }
        }
    }

    fn is_due(&self, need: Need, now: Instant) -> bool {
        let Some(began) = self.began else { return true };
        let gap = match need {
            Need::First => {
                let (shortest, longest) = FIRST;
                let failures = self.failed.as_ref().map_or(0, |(_, failures)| *failures);
                shortest.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(longest)
            }
            Need::Age => AGE,
            Need::Doubt => DOUBT,
        };
        now - began >= gap
    }

    fn answered(&mut self, lookup: &Lookup, found: Found, now: Instant) {
        match found {
            Ok(addresses) if !addresses.is_empty() => self.found(lookup, addresses, now),
            Ok(_) => self.failed(lookup, &lookup.resolver("it has no address"), now),
            Err(error) => {
                // In front of what getaddrinfo(3) says, the standard library has words of its own.
                let error = error.to_string();
                let problem = error.strip_prefix("failed to lookup address information: ").unwrap_or(&error);
                self.failed(lookup, &lookup.resolver(problem), now);
            }
        }
    }

    fn found(&mut self, lookup: &Lookup, found: Vec<SocketAddr>, now: Instant) {
        let name = &lookup.name;
        tracing::debug!("{name} is at {found:?}");
        (self.under_way, self.failed) = (None, None);
        let Some(known) = &mut self.known else {
            self.known = Some(Known { addresses: Candidates::new(found, now), since: now, is_stale: false });
            return;
        };
        if std::mem::take(&mut known.is_stale) {
            tracing::info!("{name} can be looked up again");
        }
        known.since = now;
        known.addresses.renew(found, now);
    }

    fn failed(&mut self, lookup: &Lookup, problem: &str, now: Instant) {
        let reason = lookup.failed(problem);
        if let Some(known) = &mut self.known
            && now - known.since >= STALE
            && !std::mem::replace(&mut known.is_stale, true)
        {
            tracing::warn!(
                "{reason}; going on with {:?}, found {} ago",
                known.addresses.in_order(),
                rounded(now - known.since)
            );
        }
        let failures = self.failed.as_ref().map_or(0, |(_, failures)| *failures);
        self.under_way = None;
        self.failed = Some((reason, failures.saturating_add(1)));
    }
}

/// The thread has panicked, where a panic does not end the program.
fn lost() -> io::Error {
    io::Error::other("the lookup was lost")
}

/// With the default stack size: what getaddrinfo(3) needs is up to the modules of nsswitch.conf(5).
fn in_a_thread(name: &str, port: u16, answer: Answer) -> io::Result<()> {
    let name = name.to_owned();
    aside::start("lookup", None, move || answer.give((&*name, port).to_socket_addrs().map(Iterator::collect)))
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("name", &self.name).field("state", &self.state).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
