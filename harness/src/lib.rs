//! The proof that a service recovers from a hang.
//!
//! # Theory of operation
//!
//! ```text
//! scenario  ──►  case  ──►  machine  ──►  moments  ──►  story  ──►  verdict  ──►  report
//! (question)     (trial)    (systemd)     (the seam)    (fold)      (judge)       (terminal, html, json, junit, trace)
//! ```
//!
//! To the left of *moments* is I/O: a [`machine`] is booted, a [`scenario`]'s unit is installed in it, a [`fault`] is
//! injected, or several one after another, and three witnesses are heard. systemd's [`journal`] says when systemd acted; an
//! observer of our own says when clients were served; PID 1 is asked once a trial for its own times and counts. The conductor of a case tells it all as moments, each of which is written down before anything else is
//! done with it ([`record`]). From there on everything is a function of the moments, in the pure half, [`model`]: the story, its
//! events and timeline, the bounds that the unit allows, the verdict, the result; and its [`report`]s. `hangproof replay` runs
//! that half alone, and without the cargo feature `run` there is no other.
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
//! - [`plan`]: the cases of a call, on which [`host`]; [`pool`]: the machines that make them, as many at once as [`jobs`] says
//! - [`run`]: the cases of one machine, one after another, with their observer; [`interrupt`]: how they are stopped
//! - [`journal`]: what systemd says; [`record`]: who writes down what is told
//! - [`model`]: what it means
//! - [`report`], [`page`], [`progress`]: what a person sees
//! - [`demo`]: the same without an end, for people: a page on which a service hangs and comes back
//! - [`cli`], [`commands`], [`error`]: the program `hangproof`; [`proof`]: the same question in other people's tests
//! - [`fuzz`]: what is promised about anything that a stranger hands over

#[cfg(feature = "run")]
pub mod cli;
#[cfg(feature = "run")]
pub mod commands;
#[cfg(feature = "run")]
pub mod demo;
#[cfg(feature = "run")]
pub mod doctor;
#[cfg(feature = "run")]
pub mod error;
#[cfg(feature = "run")]
pub mod fault;
pub mod fuzz;
#[cfg(feature = "run")]
pub mod host;
#[cfg(feature = "run")]
pub mod interrupt;
#[cfg(feature = "run")]
pub mod jobs;
#[cfg(feature = "run")]
pub mod journal;
#[cfg(feature = "run")]
pub mod machine;
pub mod model;
pub mod page;
#[cfg(feature = "run")]
pub mod plan;
#[cfg(feature = "run")]
pub mod pool;
#[cfg(feature = "run")]
pub mod programs;
#[cfg(feature = "run")]
pub mod progress;
#[cfg(feature = "run")]
pub mod proof;
pub mod record;
pub mod report;
#[cfg(feature = "run")]
pub mod run;
#[cfg(feature = "run")]
pub mod scenario;
