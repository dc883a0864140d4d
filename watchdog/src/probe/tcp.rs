//! Connecting to one of several addresses.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use rustix::net::AddressFamily;

use super::broken::not_connected;
use super::plain::{NotConnected, Plain};
use crate::kernel::alarm::sleep;
use crate::words::outcome::{Cause, Reason};

/// The address that was connected to last, to tell of several failures that of the service.
pub type Answered = Cell<Option<SocketAddr>>;

/// Tries one after the other.
pub async fn in_order(addresses: &[SocketAddr], answered: &Answered) -> Result<Plain, Reason> {
    let mut failures = Vec::new();
    for address in addresses {
        match connect(*address).await {
            Ok(stream) => {
                answered.set(Some(*address));
                return Ok(stream);
            }
            Err(reason) => failures.push((*address, reason)),
        }
    }
    Err(told(failures, answered.get()))
}

/// Tries one after the other, and the next one beside it where one takes longer than `head_start`: what swallows packets
/// does not use up the deadline of those behind it.
pub async fn staggered(
    addresses: &[SocketAddr],
    head_start: Duration,
    answered: &Answered,
) -> Result<Plain, Reason> {
    type Attempt = Pin<Box<dyn Future<Output = Result<Plain, Reason>>>>;
    if let [_] = addresses {
        return in_order(addresses, answered).await;
    }
    let mut rest = addresses.iter().copied();
    let mut under_way: Vec<(SocketAddr, Attempt)> = Vec::new();
    let mut failures = Vec::new();
    let mut pause = sleep(head_start);
    let connected = poll_fn(|context| {
        loop {
            let mut connected = None;
            under_way.retain_mut(|(address, attempt)| match attempt.as_mut().poll(context) {
                Poll::Pending => true,
                Poll::Ready(Err(reason)) => {
                    failures.push((*address, reason));
                    false
                }
                Poll::Ready(Ok(stream)) => {
                    connected.get_or_insert((*address, stream));
                    false
                }
            });
            if connected.is_some() {
                return Poll::Ready(connected);
            }
            let is_time =
                under_way.is_empty() || (rest.len() > 0 && Pin::new(&mut pause).poll(context).is_ready());
            let next = if is_time { rest.next() } else { None };
            match next {
                Some(address) => {
                    under_way.push((address, Box::pin(connect(address))));
                    pause.reset(Instant::now() + head_start);
                }
                None if under_way.is_empty() => return Poll::Ready(None),
                None => return Poll::Pending,
            }
        }
    });
    if let Some((address, stream)) = connected.await {
        answered.set(Some(address));
        return Ok(stream);
    }
    failures.sort_by_key(|(failed, _)| addresses.iter().position(|address| address == failed));
    Err(told(failures, answered.get()))
}

async fn connect(address: SocketAddr) -> Result<Plain, Reason> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let connected = Plain::connect(family, &address).await.and_then(Plain::of_another);
    connected.map_err(|NotConnected { error, when }| not_connected(&error, when, false))
}

/// Which of several failures to tell: that of the address that was connected to last, where one was. Its neighbours may
/// never have been the service's: behind 127.0.0.1, ::1 refuses if the service does not listen there, and cannot be
/// connected to if the host has no IPv6. Else the first that counts, or the first.
fn told(mut failures: Vec<(SocketAddr, Reason)>, answered: Option<SocketAddr>) -> Reason {
    let place = failures
        .iter()
        .position(|(address, _)| Some(*address) == answered)
        .or_else(|| failures.iter().position(|(_, reason)| reason.cause().counts()))
        .unwrap_or_default();
    if failures.is_empty() {
        return Reason::new(Cause::Lookup, "the name has no address");
    }
    failures.swap_remove(place).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::testing::{listener_without_backlog, reserved_port, runtime};

    /// Tried both ways, which must not differ.
    fn reason(addresses: &[SocketAddr], answered: Option<SocketAddr>) -> Reason {
        let (answered, ample) = (Cell::new(answered), Duration::from_secs(20));
        runtime().block_on(async {
            let reason = in_order(addresses, &answered).await.expect_err("a reason");
            assert_eq!(staggered(addresses, ample, &answered).await.expect_err("a reason"), reason);
            reason
        })
    }

    #[test]
    fn of_several_addresses_the_one_that_answered_before_says_why_there_is_no_connection_or_else_the_first_that_counts()
     {
        let (_reserved, port) = reserved_port();
        // Nobody can connect to a broadcast address, which fails here, at once.
        let (refuses, unreachable) = (([127, 0, 0, 1], port).into(), ([255, 255, 255, 255], port).into());
        for (addresses, answered, expected) in [
            (&[][..], None, Cause::Lookup),
            (&[unreachable], None, Cause::System),
            (&[refuses, unreachable], None, Cause::Refused),
            (&[unreachable, refuses], None, Cause::Refused),
            (&[unreachable, refuses], Some(refuses), Cause::Refused),
            (&[unreachable, refuses], Some(unreachable), Cause::System),
            (&[refuses, unreachable], Some(unreachable), Cause::System),
            (&[refuses], Some(unreachable), Cause::Refused),
        ] {
            assert_eq!(reason(addresses, answered).cause(), expected, "{addresses:?} {answered:?}");
        }
    }

    #[test]
    fn an_address_that_is_silent_uses_up_no_more_than_its_head_start() {
        // Its queue takes one connection, and the kernel drops what else comes.
        let full = listener_without_backlog();
        let silent = full.local_addr().expect("an address");
        let _waiting = std::net::TcpStream::connect(silent).expect("room for one");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let serves = listener.local_addr().expect("an address");
        let (answered, head_start) = (Cell::default(), Duration::from_millis(20));
        runtime().block_on(async {
            let began = Instant::now();
            let stream = staggered(&[silent, serves], head_start, &answered).await.expect("a connection");
            assert!(began.elapsed() >= head_start, "it was tried first");
            assert_eq!(stream.peer(), serves);
            assert_eq!(answered.take(), Some(serves));
            in_order(&[serves, silent], &answered).await.expect("a connection");
            assert_eq!(answered.take(), Some(serves));
        });
    }
}
