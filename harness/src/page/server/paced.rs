//! A connection whose client has to take what it asked for: one that reads nothing, or next to nothing, is shed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What a client that is waited for has to take within its patience, in bytes.
const LEAST: usize = 64 << 10;

/// A stream that breaks when its writes hardly come forward.
#[derive(Debug)]
pub struct Paced<S> {
    stream: S,
    pace: Pace,
    timer: Option<Pin<Box<Sleep>>>,
}

/// How a client comes forward.
#[derive(Debug)]
struct Pace {
    patience: Duration,
    /// While the client is waited for: until when it has to have taken enough, and what it has taken.
    waited: Option<(Instant, usize)>,
}

impl Pace {
    /// It took so much of what was offered.
    fn took(&mut self, count: usize, offered: usize) {
        match &mut self.waited {
            // It is not waited for any more.
            _ if count == offered => self.waited = None,
            Some((_, taken)) => *taken = taken.saturating_add(count),
            None => {}
        }
    }

    /// It has no room; until when it has patience, or nothing where that is over.
    fn has_no_room(&mut self, now: Instant) -> Option<Instant> {
        let (until, taken) = self.waited.get_or_insert((now + self.patience, 0));
        if now >= *until {
            if *taken < LEAST {
                return None;
            }
            (*until, *taken) = (now + self.patience, 0);
        }
        Some(*until)
    }
}

impl<S> Paced<S> {
    /// With so much patience.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self { stream, pace: Pace { patience, waited: None }, timer: None }
    }

    /// Makes of a write what it is for a client that has to come forward.
    fn pace(
        &mut self,
        context: &mut Context<'_>,
        offered: usize,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) => {
                self.pace.took(count, offered);
                written
            }
            Poll::Ready(Err(_)) => written,
            // Until the timer waits for a moment that is yet to come.
            Poll::Pending => loop {
                let Some(until) = self.pace.has_no_room(Instant::now()) else {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                };
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
                if timer.deadline() != until {
                    timer.as_mut().reset(until);
                }
                if timer.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
            },
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.pace(context, buffer.len(), written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.pace(context, buffers.iter().map(|buffer| buffer.len()).sum(), written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio::runtime;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// When a client is shed that makes room for so much once a second, of what is offered without an end.
    fn shed_after(room: usize) -> Option<u64> {
        let (begin, mut pace) = (Instant::now(), Pace { patience: PATIENCE, waited: None });
        let shed = |second: &u64| {
            let now = begin + Duration::from_secs(*second);
            let is_over = pace.has_no_room(now).is_none();
            pace.took(room, usize::MAX);
            is_over
        };
        (0..100).find(shed)
    }

    #[test]
    fn a_client_that_takes_next_to_nothing_is_shed_and_one_that_is_slow_is_not() {
        for (room, expected) in [(0, Some(10)), (1, Some(10)), (LEAST / 10, Some(10)), (LEAST / 10 + 1, None)]
        {
            assert_eq!(shed_after(room), expected, "{room} bytes a second");
        }
    }

    #[test]
    fn a_client_that_has_taken_all_is_waited_for_anew() {
        let (begin, mut pace) = (Instant::now(), Pace { patience: PATIENCE, waited: None });
        assert_eq!(pace.has_no_room(begin), Some(begin + PATIENCE));
        pace.took(3, 3);
        let later = begin + PATIENCE * 2;
        assert_eq!(pace.has_no_room(later), Some(later + PATIENCE));
    }

    #[test]
    fn a_write_to_nobody_ends() {
        let runtime = runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let written = runtime.block_on(async {
            let (ours, _theirs) = duplex(1024);
            Paced::new(ours, Duration::from_millis(20)).write_all(&[7; 2048]).await
        });
        assert_eq!(written.map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
    }
}
