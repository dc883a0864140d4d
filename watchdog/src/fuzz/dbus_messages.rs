//! What the fuzz target `dbus_messages` calls: what systemd, or anybody on its bus, sends a guard, and what we promise about it.

use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc::unbounded_channel;

use crate::systemd::dbus::wire::Incoming;
use crate::systemd::dbus::{Waiting, Wanted, receive_one};

/// Every second signal, by its name, and all that can be read in it.
struct SomeSignals;

impl Wanted for SomeSignals {
    type News = String;

    fn concerns(&self, header: &Incoming) -> bool {
        header.member.len().is_multiple_of(2)
    }

    fn read(&self, signal: &Incoming) -> Option<String> {
        assert!(self.concerns(signal), "what nobody asked for was read");
        let (mut changed, mut job, mut value) = (signal.body(), signal.body(), signal.body());
        let changed = (changed.string(), changed.properties());
        let job = (job.unsigned(), job.string(), job.string(), job.flag());
        Some(format!("{} {} {changed:?} {job:?} {:?}", signal.sender, signal.path, value.value()))
    }
}

/// Nothing that is sent makes a connection panic, or means something else because of how it was cut.
///
/// # Panics
///
/// Where what we promise does not hold.
pub fn dbus_messages(bytes: &[u8]) {
    let whole = received(bytes);
    for cut in [1, 16, bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        assert_eq!(received(first.chain(second)), whole, "cut at {cut}");
    }
}

/// What was wanted of it, and how it ended.
fn received(mut bytes: impl AsyncRead + Unpin) -> (Vec<String>, std::io::ErrorKind) {
    let (sender, mut receiver) = unbounded_channel();
    let waiting = Mutex::<Waiting>::default();
    let error = loop {
        let one = pin!(receive_one(&mut bytes, &waiting, &SomeSignals, &sender));
        match one.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => break error.kind(),
            Poll::Pending => unreachable!("bytes in memory are there"),
        }
    };
    let mut news = Vec::new();
    while let Ok(text) = receiver.try_recv() {
        news.push(text);
    }
    (news, error)
}
