//! `buggy_server`: an HTTP server that hangs at random, or on command.
//!
//! # Theory of operation
//!
//! A hang has to be real to be worth recovering from, and somebody has to be left who can say when it began. The
//! program is therefore cut in two, and the halves share no thread:
//!
//! ```text
//!        data plane (N worker threads)                  control plane (the main thread)
//!   ┌───────────────────────────────────┐        ┌──────────────────────────────────────────┐
//!   │ app: accept ──► gate ──► page     │        │ control: guard ──► api                   │
//!   │                  ▲                │        │                     │ orders             │
//!   │ workers ◄────────┼── begin, end ──┼────────┼── injector ◄────────┴── plan (at random) │
//!   └───────────────────────────────────┘        │     └──► condition (what /status says)   │
//!                                                └──────────────────────────────────────────┘
//! ```
//!
//! The [`injector`] decides which [`fault`] is active, whether an operator ordered it or the [`plan`] drew it. How
//! one begins:
//!
//! - what takes no thread away (`mute`, `accept-stall`, `slow`, …) closes the [`gate`] that every connection and request
//!   passes;
//! - what does (`deadlock`, `spin`, `block-runtime`, `self-ping`) seizes every one of the [`workers`];
//! - what is taken and not given back (`fd-leak`, `memory-leak`) is in the `hoard`; from the first of them the control
//!   endpoint has a reserve;
//! - what ends the process (`crash`, `exit`, `segfault`) is in `ending`.
//!
//! A fault counts as injected, and is stamped with the [`clock`], only once it has taken hold: when the last worker is
//! stuck, when the accept loop has stood down, when no
//! descriptor is left. Whoever measures a recovery from that stamp measures from the truth.
//!
//! With `--notify` a third party looks at both: the thread of [`mod@notify`], which tells systemd how the server is. It
//! shares no thread with the workers either, which is why it has to ask them before it vouches for them.
//!
//! # Map
//!
//! - The program: [`cli`] (what it was asked), [`mod@serve`] (both planes, from start to stop), [`signals`] (what stops it),
//!   [`mod@notify`] (what systemd is told), [`client`] (`inject`, `heal` and `status`), `exchange` (a request and its answer), [`log`],
//!   [`error`].
//! - The data plane: [`app`], [`page`], [`gate`], `drip`, [`workers`], [`setback`] (errors of accept, on both planes),
//!   [`vitals`].
//! - The control plane: [`control`], [`injector`], [`condition`], [`plan`], [`clock`]; `hoard`, `memory`, `pinger` and `ending` do
//!   harm.
//! - The seam to other programs: [`fault`], the catalogue.

/// The unit that it ships with: guarded by `sd-watchdog`.
pub const UNIT: &str = include_str!("../buggy_server.service");

pub mod app;
pub mod cli;
pub mod client;
pub mod clock;
pub mod condition;
pub mod control;
mod drip;
mod ending;
pub mod error;
mod exchange;
pub mod fault;
pub mod gate;
mod hoard;
pub mod injector;
pub mod log;
mod memory;
pub mod notify;
pub mod page;
mod pinger;
pub mod plan;
pub mod serve;
pub mod setback;
pub mod signals;
pub mod vitals;
pub mod workers;
