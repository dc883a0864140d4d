//! A body that never ends: what `drip` answers with.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::gate::Entrance;

/// What is dripped.
const BYTE: Bytes = Bytes::from_static(b".");

/// A byte now and then, until the fault is healed.
pub struct Drip {
    drops: Interval,
    healed: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Drip {
    /// One byte each time `every` has passed, for as long as `entrance` is under a fault.
    pub fn new(every: Duration, mut entrance: Entrance) -> Self {
        let mut drops = interval(every);
        drops.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first comes with the head, as whoever waits for a sign of life has it.
        Self { drops, healed: Box::pin(async move { entrance.healed().await }) }
    }
}

impl Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.healed.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        ready!(self.drops.poll_tick(context));
        Poll::Ready(Some(Ok(Frame::data(BYTE))))
    }
}
