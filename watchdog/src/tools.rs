//! What `sd-watchdog` does beside guarding: the other subcommands.

pub mod check;
#[cfg(feature = "manual")]
pub mod manual;
pub(crate) mod print;
pub mod unit;
