//! How many clients there are at most: those that hang on, and those that ask and go.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The seats that there are.
#[derive(Clone, Debug)]
pub struct Seats {
    streams: Arc<Semaphore>,
    others: Arc<Semaphore>,
    of: (usize, usize),
}

/// A connection's own: the seat of one that asks, until it hangs on.
#[derive(Clone, Debug)]
pub struct Seat(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Seats {
    /// So many for streams of events, and so many for whoever asks.
    pub fn new(streams: usize, others: usize) -> Self {
        let of = (streams, others);
        Self { streams: Arc::new(Semaphore::new(streams)), others: Arc::new(Semaphore::new(others)), of }
    }

    /// Waits for a seat for one that asks. It comes: each of those that sit there has its deadline.
    pub async fn take(&self) -> Seat {
        let permit = Arc::clone(&self.others).acquire_owned().await;
        // Nobody closes the semaphore.
        Seat(Arc::new(Mutex::new(permit.ok())))
    }

    /// Has one that asked hang on, where there is a seat for that; the one that it had is free then.
    pub fn hang_on(&self, seat: &Seat) -> Option<OwnedSemaphorePermit> {
        let stream = Arc::clone(&self.streams).try_acquire_owned().ok()?;
        drop(seat.0.lock().unwrap_or_else(PoisonError::into_inner).take());
        Some(stream)
    }

    /// How many hang on.
    pub fn streams(&self) -> usize {
        self.of.0 - self.streams.available_permits()
    }

    /// How many ask.
    pub fn others(&self) -> usize {
        self.of.1 - self.others.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// A seat, where there is one now.
    fn take(seats: &Seats) -> Option<Seat> {
        match pin!(seats.take()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(seat) => Some(seat),
            Poll::Pending => None,
        }
    }

    #[test]
    fn who_hangs_on_leaves_its_seat_to_the_next() {
        let seats = Seats::new(1, 1);
        let first = take(&seats).expect("it is free");
        assert!(take(&seats).is_none(), "there is one seat");
        let stream = seats.hang_on(&first).expect("there is one for streams");
        assert_eq!((seats.streams(), seats.others()), (1, 0));
        let second = take(&seats).expect("the first has left its own");
        assert!(seats.hang_on(&second).is_none(), "there was one for streams");
        assert_eq!((seats.streams(), seats.others()), (1, 1));
        drop((first, stream));
        assert!(seats.hang_on(&second).is_some(), "and it is free again");
        drop(second);
        assert_eq!((seats.streams(), seats.others()), (0, 0));
    }
}
