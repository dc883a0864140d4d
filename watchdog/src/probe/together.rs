//! Several probes at the same time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

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
        first(flights.iter().map(|flight| match flight {
            Flight::Under(_) => None,
            Flight::Ended(outcome) => Some(outcome),
        }))
    })
    .await
}

/// The first unhealthy one that counts, as far as it is known, of several in their order; [`None`] is one under way.
fn first<'o>(outcomes: impl Iterator<Item = Option<&'o Outcome>>) -> Poll<Outcome> {
    let mut not_made = None;
    for outcome in outcomes {
        match outcome {
            Some(Outcome::Healthy) => {}
            Some(Outcome::Unhealthy(reason)) if reason.cause().counts() => {
                return Poll::Ready(Outcome::Unhealthy(reason.clone()));
            }
            Some(Outcome::Unhealthy(reason)) => {
                not_made.get_or_insert(reason);
            }
            None => return Poll::Pending,
        }
    }
    Poll::Ready(not_made.map_or(Outcome::Healthy, |reason| Outcome::Unhealthy(reason.clone())))
}

/// Runs `probes` at the same time, each to its own end, and says how long each took.
pub async fn all<'a>(
    probes: impl Iterator<Item = impl Future<Output = Outcome> + 'a>,
) -> Vec<(Outcome, Duration)> {
    let began = Instant::now();
    let mut probes: Vec<_> = probes.map(|probe| (Box::pin(probe), None)).collect();
    poll_fn(|context| {
        for (probe, end) in &mut probes {
            if end.is_none()
                && let Poll::Ready(outcome) = probe.as_mut().poll(context)
            {
                *end = Some((outcome, began.elapsed()));
            }
        }
        if probes.iter().all(|(_, end)| end.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    probes.into_iter().filter_map(|(_, end)| end).collect()
}

/// What several outcomes amount to, as of [`first_unhealthy`].
pub fn outcome<'o>(outcomes: impl Iterator<Item = &'o Outcome>) -> Outcome {
    match first(outcomes.map(Some)) {
        Poll::Ready(outcome) => outcome,
        // There is none under way.
        Poll::Pending => Outcome::Healthy,
    }
}
