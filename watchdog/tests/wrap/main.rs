//! The program as systemd runs it: a notify socket, an environment, signals, an end. Nothing here needs systemd.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod end;
mod journal;
mod manager;
mod peer;
mod pings;
mod signals;
mod start;
mod wrapped;
