//! The pure half: what is known of a trial, and what follows from it. No machine, no runtime, no command line.
//!
//! - [`clock`]: moments and spans of time; [`entry`]: what journald received; [`ask`]: what a client saw
//! - [`settings`]: the unit as systemd understood it; [`expect`]: what is demanded; [`description`]: what was booted
//! - [`event`]: typed facts, read from entries; [`timeline`]: their order, and its [`phase`]s; [`bound`]: how long those may
//!   take; [`patience`]: how long they are waited for
//! - [`verdict`]: whether that was as expected; [`result`]: the same of a run

pub mod ask;
pub mod bound;
pub mod clock;
pub mod description;
pub mod entry;
pub mod event;
pub mod expect;
pub mod patience;
pub mod phase;
pub mod result;
pub mod settings;
pub mod timeline;
pub mod verdict;
pub mod words;
