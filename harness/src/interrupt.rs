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
    // Under nohup(1) SIGHUP is ignored, and stays so.
    let hangup = (!ignores_hangup()).then_some(SIGHUP);
    let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup))?;
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

/// Whether this process was started with SIGHUP ignored: bit 0 of `SigIgn`, proc(5).
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
