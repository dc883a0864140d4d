//! Name lookups. getaddrinfo(3) blocks, so each needs a thread; a lookup that outlives its probe is taken up by the next
//! one, so there is never a second.
//!
//! The thread is not one of Tokio's pool, which panics where there can be no thread (`TasksMax=`, `LimitNPROC=`): that
//! this host has run out of threads must not end the service.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Poll, ready};

use tokio::sync::oneshot;

use crate::words::outcome::{Cause, Reason};

type Found = io::Result<Vec<SocketAddr>>;
type Work = Box<dyn FnOnce() + Send>;

/// The lookup that is under way, if one is.
#[derive(Debug, Default)]
pub struct Lookup {
    pending: RefCell<Option<oneshot::Receiver<Found>>>,
}

impl Lookup {
    /// The addresses of `name`, each with `port`.
    pub async fn addresses(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Reason> {
        self.addresses_by(name, port, in_a_thread).await
    }

    /// The same, with `spawn` to have the work done.
    async fn addresses_by(
        &self,
        name: &str,
        port: u16,
        spawn: impl Fn(Work) -> io::Result<()>,
    ) -> Result<Vec<SocketAddr>, Reason> {
        let failed = |error: io::Error| Reason::new(Cause::Lookup, format!("cannot look up {name}: {error}"));
        poll_fn(|context| {
            let mut pending = self.pending.borrow_mut();
            let receiver = match &mut *pending {
                Some(receiver) => receiver,
                none => none.insert(start(name, port, &spawn)?),
            };
            let found = ready!(Pin::new(receiver).poll(context));
            *pending = None;
            // Without an answer the thread has panicked, where a panic does not abort.
            Poll::Ready(found.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(failed))
        })
        .await
    }
}

fn start(
    name: &str,
    port: u16,
    spawn: impl Fn(Work) -> io::Result<()>,
) -> Result<oneshot::Receiver<Found>, Reason> {
    let (sender, receiver) = oneshot::channel();
    let address = (name.to_owned(), port);
    let work = move || {
        // Nobody waits any more when the program ends.
        let _ = sender.send(address.to_socket_addrs().map(Iterator::collect));
    };
    spawn(Box::new(work)).map_err(|error| {
        Reason::new(Cause::System, format!("cannot look up {name}: no thread for it: {error}"))
    })?;
    Ok(receiver)
}

/// With the default stack size: what getaddrinfo(3) needs is up to the modules of nsswitch.conf(5).
fn in_a_thread(work: Work) -> io::Result<()> {
    std::thread::Builder::new().name("lookup".into()).spawn(work).map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::io::Errno;

    use super::*;
    use crate::probe::testing::runtime;

    #[test]
    fn without_a_thread_the_probe_fails_for_a_reason_of_the_system_and_the_next_one_tries_again() {
        let lookup = Lookup::default();
        let none = |_| Err(Errno::AGAIN.into());
        let reason = runtime().block_on(lookup.addresses_by("localhost", 80, none)).expect_err("a reason");
        assert_eq!(reason.cause(), Cause::System);
        assert!(reason.to_string().starts_with("cannot look up localhost: no thread for it: "), "{reason}");
        let found = runtime().block_on(lookup.addresses("localhost", 80)).expect("addresses");
        assert!(found.contains(&([127, 0, 0, 1], 80).into()), "{found:?}");
    }

    #[test]
    fn a_lookup_that_outlives_its_probe_is_taken_up_by_the_next_one() {
        let (lookup, waiting) = (Lookup::default(), RefCell::new(Vec::new()));
        let keep = |work| {
            waiting.borrow_mut().push(work);
            Ok(())
        };
        runtime().block_on(async {
            let first = lookup.addresses_by("localhost", 80, keep);
            assert!(tokio::time::timeout(Duration::from_millis(1), first).await.is_err());
            let mut second = std::pin::pin!(lookup.addresses_by("localhost", 80, keep));
            assert!(tokio::time::timeout(Duration::from_millis(1), second.as_mut()).await.is_err());
            let work = waiting.borrow_mut().pop().expect("one lookup");
            assert!(waiting.borrow().is_empty(), "a second lookup");
            work();
            assert!(second.await.is_ok());
        });
    }
}
