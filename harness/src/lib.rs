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
//! injected, and two witnesses are heard. systemd's [`journal`] says when systemd acted; an observer of our own
//! ([`outage`]) says when clients were served. All that is heard is written to a [`record`]ing first. From there on
//! everything is a function of the recording: [`event`]s, the [`timeline`] with its phases, the [`bound`]s that the
//! [`mod@unit`] allows, the [`verdict`], the [`result`] and its [`report`]s. `hangproof replay` runs that half alone.
//!
//! There is one [`clock`], CLOCK_MONOTONIC, and nothing is waited for but a condition with a deadline ([`patience`]).
//!
//! # Modules, along the line
//!
//! - [`scenario`]: one question to a service, as a file; [`mod@unit`]: the unit as systemd understood it
//! - [`machine`]: a booted systemd that we own; [`machine::namespace`]: in bare namespaces; [`machine::docker`]: in a
//!   container; [`doctor`]: which of them this host can boot
//! - [`programs`]: what goes into it; [`fault`]: what is done to the service
//! - [`run`]: a run, from boot to the last trial; [`patience`]: how long it waits; [`interrupt`]: how it is stopped
//! - [`journal`], [`outage`]: the witnesses; [`record`]: what they said
//! - [`event`], [`timeline`], [`bound`], [`verdict`], [`result`]: what it means
//! - [`report`], [`progress`]: what a person sees
//! - [`cli`], [`app`], [`error`]: the program `hangproof`

pub mod app;
pub mod bound;
pub mod cli;
pub mod clock;
pub mod doctor;
pub mod error;
pub mod event;
pub mod fault;
pub mod interrupt;
pub mod journal;
pub mod machine;
pub mod outage;
pub mod patience;
pub mod programs;
pub mod progress;
pub mod record;
pub mod report;
pub mod result;
pub mod run;
pub mod scenario;
pub mod timeline;
pub mod unit;
pub mod verdict;
