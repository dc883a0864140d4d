//! When it is a hang. Pure: no clock, no I/O.

pub(crate) mod flapping;
pub(crate) mod streak;
pub(crate) mod timing;
pub(crate) mod watch;
