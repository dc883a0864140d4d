//! What is said to systemd, and asked of it.

pub(crate) mod barrier;
pub(crate) mod dbus;
pub(crate) mod directory;
pub(crate) mod job;
pub(crate) mod main_process;
pub(crate) mod message;
pub(crate) mod notify;
mod own_unit;
pub(crate) mod relay;
pub(crate) mod reloads;
pub(crate) mod restarts;
pub(crate) mod scope;
pub(crate) mod shall_restart;
pub(crate) mod stopping;
pub(crate) mod unit_name;
