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
//! - A ping is sent only because a probe has just ended healthy. There is no timer, thread or retry that pings.
//! - The service and its manager do not notice that anything stands between them: standard streams, signals and the way
//!   of ending are as if systemd had started the service itself ([`child`], [`children`], [`signals`]).
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
//! | [`config`]: the timing, and whether it can work | [`probe`]: one health check, with a deadline |
//! | [`state`]: event in, actions out | [`child`]: COMMAND, from its start to its end |
//! | [`spell`]: a row of unhealthy probes, and when it is a hang; [`flapping`]: how often that is said | |
//! | [`environment`]: what systemd asks of us, and what COMMAND sees of it | [`children`]: every process that is ours to wait for; [`command`]: helpers, within a deadline |
//! | [`message`]: one datagram's content | [`notify`]: the way to systemd, never blocking; [`barrier`]: it has read it |
//! | | [`relay`]: what COMMAND itself says to systemd |
//! | | [`signals`]: signals as things to read |
//! | | `launch`, `raw`: fork and exec; all unsafe code is in `raw` |
//! | | [`starvation`]: kept from running, or hung? [`progress`]: does a start make any?; [`reloads`]: has systemd forgotten of it? |
//! | | [`hang_report`]: why it hung; [`cgroup`]: a unit's processes and pressure |
//! | | [`alarm`]: one timer, to the microsecond; [`memory`]: what the start needed is given back |
//! | [`span`]: durations as people write them | [`log`]: for people and for journald; [`journal`]: structured entries |
//! | [`exit_code`], [`error`]: how it can end | [`metrics`]: figures for Prometheus; [`restarts`]: how often systemd restarted us |
//! | | `guard`: the same from beside, where a unit cannot be wrapped |
//! | | [`check`], [`mod@unit`], `manual`: the subcommands that do not guard; [`print`](mod@print): what they say |

pub mod alarm;
pub mod barrier;
pub mod cgroup;
pub mod check;
pub mod child;
pub mod children;
pub mod cli;
pub mod command;
pub mod command_line;
pub mod config;
pub mod end;
pub mod environment;
pub mod error;
pub mod exit_code;
pub mod flapping;
#[doc(hidden)]
pub mod fuzz;
pub mod guard;
pub mod hang_report;
pub mod journal;
pub mod launch;
pub mod log;
#[cfg(feature = "manual")]
pub mod manual;
pub mod memory;
pub mod message;
pub mod metrics;
pub mod notify;
pub mod outcome;
pub mod print;
pub mod probe;
pub mod progress;
pub mod raw;
pub mod relay;
pub mod reloads;
pub mod restarts;
pub mod signals;
pub mod span;
pub mod spell;
pub mod starvation;
pub mod state;
pub mod supervise;
pub mod timing;
pub mod unit;
pub mod variable;
