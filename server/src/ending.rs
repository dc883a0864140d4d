//! How the process ends where a fault ends it.

use std::process::abort;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpid, kill_process};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::error;

use crate::fault::parameter::CODE;
use crate::fault::{Fault, Injection};

/// How long whoever ordered an end may take to be told of it.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Until then the kernel has delivered a signal, whatever else there is to run.
const DELIVERED: Duration = Duration::from_secs(5);

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By SIGABRT.
    Abort,
    /// By SIGSEGV.
    Segfault,
    /// As if it had been told to stop, but with this exit code.
    Exit(u8),
}

impl Ending {
    /// That of a fault, if it is one that ends the process at once.
    pub fn of(injection: &Injection) -> Option<Self> {
        match injection.fault {
            Fault::Crash => Some(Self::Abort),
            Fault::Segfault => Some(Self::Segfault),
            // No code is beyond the range of the parameter.
            Fault::Exit => Some(Self::Exit(u8::try_from(injection.value(&CODE).unwrap_or(1)).unwrap_or(1))),
            _ => None,
        }
    }

    /// Ends the process; gives the exit code where it is to stop in an orderly way, which is the caller's to do.
    pub fn come(self) -> u8 {
        match self {
            Self::Abort => abort(),
            Self::Segfault => segfault(),
            Self::Exit(code) => code,
        }
    }
}

/// Returns once the answer to whoever ordered a fault is out and its connection closed, or after a second.
pub async fn last_words(mut answered: watch::Receiver<()>) {
    if timeout(LAST_WORDS, answered.wait_for(|()| false)).await.is_err() {
        error!("the answer to the order could not be delivered; going on all the same");
    }
}

/// A SIGSEGV that nobody handles, as far as the kernel, a parent and a core dump are concerned.
fn segfault() -> ! {
    // The standard library's own handler, which is there to name stack overflows, takes the first for none of them and gives
    // way to the default; the next one then finds that.
    let begin = Instant::now();
    while begin.elapsed() < DELIVERED {
        let _ = kill_process(getpid(), Signal::SEGV);
    }
    // It is ignored or blocked: whoever started us said so.
    error!("SIGSEGV has no effect here; aborting instead");
    abort()
}
