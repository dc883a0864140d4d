//! What is said to systemd, and asked of it.

pub mod barrier;
pub mod dbus;
pub mod main_process;
pub mod message;
pub mod notify;
mod own_unit;
pub mod relay;
pub mod reloads;
pub mod restarts;
pub mod shall_restart;
pub mod stopping;
pub mod unit_name;
