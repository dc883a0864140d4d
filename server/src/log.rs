//! One line on stderr for each thing that happens.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::fmt;

/// Starts logging. Journald stamps every line itself; elsewhere a line begins with the time since the start.
pub fn init() {
    let log = fmt()
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false)
        // A log that cannot be written is lost; to complain about that on the same stderr would panic.
        .log_internal_errors(false)
        .with_max_level(tracing::Level::INFO);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        log.without_time().init();
    } else {
        log.with_timer(fmt::time::uptime()).init();
    }
}
