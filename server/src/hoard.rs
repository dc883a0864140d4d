//! What the server takes and does not give back: descriptors (`fd-leak`) and memory (`memory-leak`).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::oneshot;

use crate::memory;

/// Every descriptor that the process may have; closed when dropped.
#[derive(Debug)]
pub struct Descriptors {
    held: Vec<OwnedFd>,
    before: Rlimit,
}

impl Descriptors {
    /// Takes all there are, of at most `limit`.
    ///
    /// A service may have a million, and each costs the host memory: so the soft limit is lowered first. Whoever reads it
    /// sees the truth.
    pub fn take(limit: u64) -> io::Result<Self> {
        let before = getrlimit(Resource::Nofile);
        let current = before.current.map_or(limit, |current| current.min(limit));
        setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: before.maximum })?;
        let mut taken = Self { held: Vec::new(), before };
        taken.take_rest()?;
        Ok(taken)
    }

    /// Takes those that have become free.
    pub fn take_rest(&mut self) -> io::Result<()> {
        let original = io::stderr();
        loop {
            match original.as_fd().try_clone_to_owned() {
                Ok(copy) => self.held.push(copy),
                Err(error) if error.raw_os_error() == Some(Errno::MFILE.raw_os_error()) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        // It was in force before, so that it can be again.
        let _ = setrlimit(Resource::Nofile, self.before);
    }
}

/// A thread that takes more and more memory; it gives all of it back and ends when this is dropped.
#[derive(Debug)]
pub struct Memory {
    _stop: mpsc::Sender<()>,
}

impl Memory {
    /// From one helping to the next.
    const EVERY: Duration = Duration::from_millis(10);

    /// Takes `rate` bytes a second, `limit` at most; returns after the first of them.
    ///
    /// Without a limit of any kind it would be the host that comes to grief, and not the server: then it says so instead.
    pub async fn take(rate: u64, limit: Option<u64>) -> Result<Self, String> {
        if limit.is_none() && memory::limit().is_none() {
            return Err("nothing limits this process, so it would take the memory of the whole host. Set MemoryMax=, \
                LimitDATA= or LimitAS= in its unit, or say limit=SIZE"
                .to_owned());
        }
        let (stop, stopped) = mpsc::channel();
        let (tell, told) = oneshot::channel();
        let helping = usize::try_from(rate / 100).unwrap_or(usize::MAX);
        let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let work = move || {
            let (mut held, mut size) = (Vec::new(), 0);
            let mut tell = Some(tell);
            loop {
                let next = helping.min(limit - size);
                if next > 0 {
                    // Not zero, so that there is a page of memory behind every page of addresses.
                    held.push(vec![1_u8; next]);
                    size += next;
                }
                if let Some(tell) = tell.take() {
                    let _ = tell.send(());
                }
                if stopped.recv_timeout(Self::EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("memory-leak".to_owned())
            .spawn(work)
            .map_err(|error| error.to_string())?;
        told.await.map_err(|_| "its thread has ended".to_owned())?;
        Ok(Self { _stop: stop })
    }
}
