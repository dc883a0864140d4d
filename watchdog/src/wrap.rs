//! In front of a service: as its main process, with COMMAND as a child. [`state`] decides, [`supervise`] does.

pub(crate) mod state;
pub mod supervise;
