//! The proof that a service recovers from a hang.
//!
//! # Theory of operation
//!
//! ```text
//! unit + fault  ──►  machine  ──►  journal entries  ──►  events  ──►  timeline  ──►  verdict  ──►  report
//! (scenario)        (systemd)      (journalctl)         (the seam)    (pure)         (pure)       (table, json)
//! ```
//!
//! To the left of *events* is I/O: a [`machine`] is booted, a [`scenario`]'s unit is installed in it, a [`fault`] is
//! injected, and two witnesses are heard. systemd's [`journal`] says when systemd acted; an observer of our own says when
//! clients were served. All that is heard is written to a [`record`]ing first. From there on everything is a function of the
//! recording, in the pure half, [`model`]: events, the timeline with its phases, the bounds that the unit allows, the verdict,
//! the result; and its [`report`]s. `hangproof replay` runs that half alone.
//!
//! There is one [clock](model::clock), CLOCK_MONOTONIC, and nothing is waited for but a condition with a deadline
//! ([`model::patience`]).
//!
//! # Modules, along the line
//!
//! - [`scenario`]: one question to a service, as a file
//! - [`machine`]: a booted systemd that we own; [`machine::namespace`]: in bare namespaces; [`machine::docker`]: in a
//!   container; [`doctor`]: which of them this host can boot
//! - [`programs`]: what goes into it; [`fault`]: what is done to the service
//! - [`run`]: a run, from boot to the last trial, with its observer; [`jobs`]: several at once;
//!   [`interrupt`]: how it is stopped
//! - [`journal`]: what systemd says; [`record`]: all that was heard
//! - [`model`]: what it means
//! - [`report`], [`progress`]: what a person sees
//! - [`cli`], [`app`], [`error`]: the program `hangproof`

#[cfg(feature = "run")]
pub mod app;
#[cfg(feature = "run")]
pub mod cli;
#[cfg(feature = "run")]
pub mod doctor;
#[cfg(feature = "run")]
pub mod error;
#[cfg(feature = "run")]
pub mod fault;
#[cfg(feature = "run")]
pub mod interrupt;
#[cfg(feature = "run")]
pub mod jobs;
#[cfg(feature = "run")]
pub mod journal;
#[cfg(feature = "run")]
pub mod machine;
pub mod model;
#[cfg(feature = "run")]
pub mod programs;
#[cfg(feature = "run")]
pub mod progress;
pub mod record;
pub mod report;
#[cfg(feature = "run")]
pub mod run;
#[cfg(feature = "run")]
pub mod scenario;
