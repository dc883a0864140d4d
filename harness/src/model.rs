//! The pure half: what is known of a trial, and what follows from it. No machine, no runtime, no command line.
//!
//! - [`clock`]: moments and spans of time; [`case`]: one trial of one variant of one scenario
//! - [`moment`]: one fact as it arrived; [`recording`]: the moments of a file, in this version of its format or in [`v1`]
//! - what a moment tells: [`description`] of what was booted, [`settings`] of the unit in [systemd's words](words), [`entry`] of
//!   the journal, [`asks`] of clients
//! - [`text`]: what others wrote, made harmless
//! - [`story`]: what the moments of a case come to: its [`event`]s, read from entries, and what [clients saw](ask)
//! - [`timeline`]: the events in their order, and their [`phase`]s; [`bound`]: how long those may take; [`patience`]: how long
//!   they are waited for
//! - [`expect`]: what is demanded; [`verdict`]: whether it was so; [`result`]: the same of a run, with
//!   [`statistics`]

pub mod ask;
pub mod asks;
pub mod bound;
pub mod case;
pub mod clock;
pub mod description;
pub mod entry;
pub mod event;
pub mod expect;
pub mod moment;
pub mod patience;
pub mod phase;
pub mod recording;
pub mod result;
pub mod settings;
pub mod statistics;
pub mod story;
pub mod text;
pub mod timeline;
pub mod v1;
pub mod verdict;
pub mod words;
