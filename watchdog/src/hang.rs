//! When it is a hang. Pure: no clock, no I/O.

pub mod flapping;
pub mod streak;
pub mod timing;
pub mod watch;
