//! Work that may block for ever (a file system, a resolver, a hung process), on a thread of its own beside the loop.

use std::io;
use std::thread::Builder;

use nix::sys::signal::SigSet;

/// Starts it, with so many bytes of stack where the default of 2 MiB is too much. Nobody waits for its end: the program does
/// not, when it ends itself.
///
/// The thread is not one of Tokio's pool, which panics where there can be none: that this host has run out of threads
/// (`TasksMax=`, `LimitNPROC=`) is an error like any other.
pub(crate) fn start(
    name: &str,
    stack: Option<usize>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let builder = Builder::new().name(name.to_owned());
    let builder = stack.into_iter().fold(builder, Builder::stack_size);
    let work = move || {
        // They are for the loop to take; this thread may never wake again.
        let _ = SigSet::all().thread_block();
        work();
    };
    builder.spawn(work).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn it_has_its_name_and_takes_no_signals_from_the_loop() {
        let (sender, told) = channel();
        let work = move || {
            let blocked = SigSet::thread_get_mask().expect("a mask");
            let name = std::thread::current().name().map(ToOwned::to_owned);
            sender.send((name, blocked.contains(nix::sys::signal::SIGCHLD))).expect("somebody listens");
        };
        start("at-work", Some(256 << 10), work).expect("a thread");
        assert_eq!(told.recv().expect("it ran"), (Some("at-work".to_owned()), true));
    }
}
