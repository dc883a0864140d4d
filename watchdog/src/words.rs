//! What everything is said in: text, log, journal, figures, errors and exit codes.

pub(crate) mod aside;
pub mod command_line;
pub mod error;
pub mod exit_code;
pub mod journal;
pub mod log;
pub mod metrics;
pub mod outcome;
pub mod remedy;
pub mod span;
pub(crate) mod text;
