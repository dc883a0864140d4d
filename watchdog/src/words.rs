//! What everything is said in: text, log, journal, figures, errors and exit codes.

pub(crate) mod command_line;
pub mod error;
pub(crate) mod exit_code;
pub(crate) mod journal;
pub mod log;
pub(crate) mod metrics;
pub(crate) mod outcome;
pub(crate) mod remedy;
pub(crate) mod settings;
pub(crate) mod span;
