//! The signals that ask the server to end, and `stubborn`, which turns a deaf ear to them.

use std::io;
use std::process::abort;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::warn;

/// What stops the server in an orderly way.
const STOP: [(Signal, &str); 2] = [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")];
/// What ends it at once, unless `stubborn` has ever been injected: from then on these are caught too. SIGABRT is systemd's
/// WatchdogSignal=, and the others are what people choose instead.
const END: [(Signal, &str); 3] =
    [(Signal::ABORT, "SIGABRT"), (Signal::QUIT, "SIGQUIT"), (Signal::HUP, "SIGHUP")];

/// What hears signals, on the control plane.
#[derive(Debug)]
pub struct Ears {
    heard: UnboundedSender<&'static str>,
    is_deaf: Arc<AtomicBool>,
    hears_all: bool,
}

/// The names of those that were heard, and that the server is to stop on.
pub type Heard = UnboundedReceiver<&'static str>;

impl Ears {
    /// Listens for what stops the server. To be called in the runtime of the control plane.
    pub fn open() -> io::Result<(Self, Heard)> {
        let (heard, names) = unbounded_channel();
        let ears = Self { heard, is_deaf: Arc::default(), hears_all: false };
        ears.listen(&STOP)?;
        Ok((ears, names))
    }

    /// From now on no signal that can be caught, and that asks a service to end, ends this one.
    pub fn go_deaf(&mut self) -> io::Result<()> {
        if !self.hears_all {
            self.listen(&END)?;
            self.hears_all = true;
        }
        self.is_deaf.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The opposite.
    pub fn hear_again(&self) {
        self.is_deaf.store(false, Ordering::Relaxed);
    }

    fn listen(&self, signals: &'static [(Signal, &'static str)]) -> io::Result<()> {
        for (number, name) in signals {
            let mut stream = signal(SignalKind::from_raw(number.as_raw()))?;
            let (heard, is_deaf) = (self.heard.clone(), Arc::clone(&self.is_deaf));
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    if is_deaf.load(Ordering::Relaxed) {
                        warn!("{name} is ignored: the fault stubborn is active");
                    } else if *number == Signal::ABORT {
                        abort();
                    } else {
                        let _ = heard.send(name);
                    }
                }
            });
        }
        Ok(())
    }
}
