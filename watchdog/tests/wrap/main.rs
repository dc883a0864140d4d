//! The program as systemd runs it: a notify socket, an environment, signals, an end. Nothing here needs systemd.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod between;
#[path = "../common/mod.rs"]
mod common;
mod end;
mod errors;
mod family;
mod floods;
mod grace;
mod journal;
mod main_process;
mod manager;
mod peer;
mod pings;
mod process;
mod relay;
mod seen;
mod sets;
mod signals;
mod sockets;
mod start;
mod wrapped;
