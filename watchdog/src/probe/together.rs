//! Several probes at the same time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use crate::words::outcome::Outcome;

enum Flight<'a> {
    Under(Pin<Box<dyn Future<Output = Outcome> + 'a>>),
    Ended(Outcome),
}

/// Runs `probes` at the same time, and ends as soon as the first unhealthy one among them is known: when all before it
/// have ended healthy. Those that are still under way are dropped.
pub async fn first_unhealthy<'a>(
    probes: impl Iterator<Item = impl Future<Output = Outcome> + 'a>,
) -> Outcome {
    let mut flights: Vec<Flight<'a>> =
        probes.map(|probe| Flight::Under(Box::pin(probe) as Pin<Box<dyn Future<Output = _>>>)).collect();
    poll_fn(|context| {
        for flight in &mut flights {
            if let Flight::Under(probe) = flight
                && let Poll::Ready(outcome) = probe.as_mut().poll(context)
            {
                *flight = Flight::Ended(outcome);
            }
        }
        for flight in &mut flights {
            match flight {
                Flight::Ended(Outcome::Healthy) => {}
                Flight::Ended(outcome) => return Poll::Ready(std::mem::replace(outcome, Outcome::Healthy)),
                Flight::Under(_) => return Poll::Pending,
            }
        }
        Poll::Ready(Outcome::Healthy)
    })
    .await
}
