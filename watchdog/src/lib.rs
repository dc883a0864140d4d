//! `sd-watchdog`: systemd restarts a service that crashes; this makes it restart one that hangs.
//!
//! # Theory of operation
//!
//! systemd's watchdog (`WatchdogSec=`) restarts a service whose main process stops saying `WATCHDOG=1`. Few services
//! say it, and of those many say it from a thread that lives on while the rest hangs. `sd-watchdog` stands in front of
//! any service, as its main process: it starts the service as a child, *probes* it from outside as a client would, and
//! says what it found.
//!
//! ```text
//!           Starting ── healthy ──► Watching ── a row of unhealthy ──► Reporting ─────► Hung
//!        polls every few ms        a probe every P; healthy: ping      why does it      WATCHDOG=trigger; systemd
//!        says READY=1 at the end   unhealthy: no ping, again after r   hang?            kills and restarts it
//! ```
//!
//! Three rules carry the weight:
//!
//! - A ping is sent because a probe has just ended healthy. There are two exceptions: a service that is kept from running,
//!   for as long as its answer may still come ([`wrap::state`]); and `--dry-run`.
//! - The service and its manager do not notice that anything stands between them: standard streams, signals and the way
//!   of ending are as if systemd had started the service itself ([`service`]).
//! - Nothing may stall the loop: one thread, no blocking send
//!   ([`systemd::notify`]), no blocking log line ([`words::log`]). Should
//!   `sd-watchdog` itself stall or die, pings stop, and systemd's own timer restarts the service.
//!
//! # Map
//!
//! One line for each room, the highest first. A room may use those below it, and none above; `wrap` and `guard` stand side by
//! side, and neither knows the other.
//!
//! | room | holds |
//! |---|---|
//! | [`fuzz`] | what the fuzz targets call |
//! | [`tools`] | the subcommands that do not guard: `check`, `unit`, `man`, `completions` |
//! | [`wrap`] | in front of a service: [`wrap::state`] (event in, actions out) and [`wrap::supervise`] (the one `select!`) |
//! | [`guard`] | the same from beside, where a unit cannot be wrapped |
//! | [`config`] | what follows from the options and from W, and whether it can work |
//! | [`hang`] | pure: the timing and its bounds, a row of unhealthy probes, and when it is a hang |
//! | [`report`] | the hang report: what was seen, for people and for the journal |
//! | [`probe`] | one health check, with a deadline |
//! | [`mod@unit`] | a unit of somebody else's, read as systemd reads it |
//! | [`systemd`] | what is said to systemd and asked of it: notifications, COMMAND's own among them, and D-Bus |
//! | [`service`] | COMMAND and helpers: started, signalled, waited for |
//! | [`words`] | durations, outcomes, errors, log, journal and metrics |
//! | [`kernel`] | `/proc`, control groups, sockets, pressure, timers, threads; all unsafe code is in [`kernel::raw`] |
//! | [`cli`] | the command line, as typed |
//! | [`text`] | what others wrote, on one line |

pub mod cli;
pub mod config;
#[doc(hidden)]
pub mod fuzz;
pub mod guard;
pub(crate) mod hang;
pub mod kernel;
#[cfg(test)]
mod modes;
pub mod probe;
pub(crate) mod report;
pub mod service;
pub(crate) mod systemd;
pub(crate) mod text;
pub mod tools;
pub mod unit;
pub mod words;
pub mod wrap;

/// The unit that it ships with: guards a unit from beside.
pub const TEMPLATE_UNIT: &str = include_str!("../units/sd-watchdog@.service");
