//! In front of a service: as its main process, with COMMAND as a child. [`state`] decides, [`supervise`] does.

pub mod state;
pub mod supervise;
