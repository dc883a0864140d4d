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
//!           Starting ── healthy ──► Watching ── N unhealthy in a row ──► Hung
//!        polls every few ms        a probe every P; healthy: ping      says nothing more; systemd
//!        says READY=1 at the end   unhealthy: no ping, again after r   kills and restarts the service
//! ```
//!
//! Three rules carry the weight:
//!
//! - A ping is sent only because a probe has just ended healthy. There is no timer, thread or retry that pings.
//! - The service and its manager do not notice that anything stands between them: standard streams, signals and the way
//!   of ending are as if systemd had started the service itself ([`child`], [`signals`]).
//! - Nothing may stall the loop: one thread, no blocking send ([`notify`]), no blocking log line ([`log`]). Should
//!   `sd-watchdog` itself stall or die, pings stop, and systemd's own timer restarts the service.
//!
//! # Map
//!
//! What is decided is pure; what is done is beside it.
//!
//! | decides | does |
//! |---|---|
//! | [`cli`]: the command line | [`supervise`]: the one `select!`, I/O to events and actions to I/O |
//! | [`environment`]: what systemd asks of us | [`child`]: COMMAND, from spawn to its end |
//! | [`config`]: the timing, and whether it can work | [`signals`]: signals as things to read |
//! | [`state`]: event in, actions out | [`notify`]: the socket to systemd, never blocking |
//! | [`message`]: one datagram's content | [`probe`]: one health check, with a deadline |
//! | [`span`]: durations as people write them | [`log`]: lines for people and for journald |
//! | [`exit_code`], [`error`]: how it can end | |

pub mod child;
pub mod cli;
pub mod config;
pub mod environment;
pub mod error;
pub mod exit_code;
pub mod log;
pub mod message;
pub mod notify;
pub mod probe;
pub mod signals;
pub mod span;
pub mod state;
pub mod supervise;
