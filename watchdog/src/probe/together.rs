//! Several probes at the same time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use crate::words::outcome::Outcome;

enum Flight<'a> {
    Under(Pin<Box<dyn Future<Output = Outcome> + 'a>>),
    Ended(Outcome),
}

/// Runs `probes` at the same time, and ends as soon as the first unhealthy one among them that counts is known: when all
/// before it have ended, and none of them with another. Those that are still under way are dropped.
///
/// One that could not be made says nothing, so it hides none behind it: it is the outcome only where no other counts.
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
        let mut not_made = None;
        for flight in &flights {
            match flight {
                Flight::Ended(Outcome::Healthy) => {}
                Flight::Ended(Outcome::Unhealthy(reason)) if reason.cause().counts() => {
                    return Poll::Ready(Outcome::Unhealthy(reason.clone()));
                }
                Flight::Ended(Outcome::Unhealthy(reason)) => {
                    not_made.get_or_insert(reason);
                }
                Flight::Under(_) => return Poll::Pending,
            }
        }
        Poll::Ready(not_made.map_or(Outcome::Healthy, |reason| Outcome::Unhealthy(reason.clone())))
    })
    .await
}
