//! The pure half: what is known of a trial, and what follows from it. No machine, no runtime, no command line.
//!
//! - [`clock`]: moments and spans of time; [`case`]: one trial of one variant of one scenario; [`call`]: all that were planned
//! - [`moment`]: one fact as it arrived; [`recording`]: the moments of a file, in this version of its format or in [`v1`]
//! - what a moment tells: [`description`] of what was booted, [`settings`] of the unit in [systemd's words](words), [`entry`] of
//!   the journal, [`asks`] of clients
//! - [`third_witness`]: what PID 1 itself says of the unit
//! - [`text`]: what others wrote, made harmless; [`lines`]: the same, line by line
//! - [`story`]: what the moments of a case come to: its [`event`]s, read from entries, and what [clients saw](ask)
//! - [`timeline`]: the events in their order, and their [`phase`]s; [`bound`]: how long those may take; [`patience`]: how long
//!   they are waited for
//! - [`episode`]: a fault and what came of it, of which a trial has several where its plan is a [`sequence`]
//! - [`expect`]: what is demanded; [`finding`]: a way in which it was not so; [`soundness`]: whether that is to be held against the
//!   service; [`verdict`]: all of a trial's; [`result`]: the same of a run, with [`statistics`]
//! - [`claim`]: what all trials are to be; [`comparison`]: two runs, phase by phase

pub mod ask;
pub mod asks;
pub mod bound;
pub mod call;
pub mod case;
pub mod claim;
pub mod clock;
pub mod comparison;
pub mod description;
pub mod entry;
pub mod episode;
pub mod event;
pub mod expect;
pub mod finding;
pub mod lines;
pub mod load;
pub mod moment;
pub mod patience;
pub mod phase;
pub mod recording;
pub mod result;
pub mod sequence;
pub mod settings;
pub mod soundness;
pub mod statistics;
pub mod story;
pub mod text;
pub mod third_witness;
pub mod timeline;
pub mod v1;
pub mod verdict;
pub mod words;
