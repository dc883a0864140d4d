//! The runtime: one thread, with I/O and one timer.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{EventfdFlags, eventfd};
use tokio::runtime::{Builder, Runtime};

use crate::kernel::alarm;

/// What Tokio opens at most to set up I/O: its poller, its waker, and, in a build where any crate has asked for its feature
/// `signal`, a pair of sockets and a copy.
const DESCRIPTORS: usize = 6;

/// Makes the runtime. An error where there are too few descriptors, at which Tokio panics (`signal/unix.rs`, 1.54).
pub fn runtime() -> io::Result<Runtime> {
    let spare = (0..DESCRIPTORS).map(|_| eventfd(0, EventfdFlags::CLOEXEC));
    drop(spare.collect::<Result<Vec<OwnedFd>, _>>()?);
    let runtime = Builder::new_current_thread().enable_io().build()?;
    {
        let _entered = runtime.enter();
        alarm::prepare()?;
    }
    Ok(runtime)
}
