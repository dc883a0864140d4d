//! Ctrl-C and its like: heard once, they end the run in order; heard twice, they end it at once.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// The exit code of an interrupted run.
pub const EXIT_CODE: u8 = 130;

/// Calls `hear` at the first signal. At the second, this process ends: PID 1 of every machine dies with it, and the
/// next run sweeps what is left, an empty cgroup.
pub fn listen(hear: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut hear = Some(hear);
        for _ in signals.forever() {
            match hear.take() {
                Some(hear) => hear(),
                None => signal_hook::low_level::exit(EXIT_CODE.into()),
            }
        }
    })?;
    Ok(())
}
