//! Healthy services under everything that must not end them, hanging ones that must be found, and an account of both.
//!
//! `cargo bench -p watchdog -- --soak MINUTES [--seed N] [--only TRACK,…]`
//!
//! `sd-watchdog` is a black box here: its program, its command line, the notify socket, its figures. Each service stands
//! behind one of its own, as a unit with `WatchdogSec=5` has it, and the soak plays systemd for them all: it takes their
//! words, counts the time between pings as PID 1 would, ends and restarts a service after a trigger or a lapse.
//!
//! | | |
//! |---|---|
//! | [`cast`] | who is guarded: healthy services of many kinds, and patients that hang on command |
//! | [`schedule`] | what is done to them and when, from a seed |
//! | [`account`] | what systemd would make of a service's words |
//! | [`bound`], [`pressure`] | how soon a hang must be found, and how far the unit was kept from running |
//! | [`injections`], [`witness`], [`growth`], [`figures`] | hangs and what came of them; clients; memory; what sd-watchdog counted |
//! | [`conductor`], [`deeds`] | the loop that does it all; each disturbance |
//! | [`guarded`], [`process`], [`control`] | one service with its `sd-watchdog`; another one like it without |
//! | [`house`], [`cgroups`], [`role`] | namespaces, control groups, and the other processes: this program again |
//! | [`report`] | progress and the account |
//!
//! **The instrument is starved too**, by its own load. So no verdict rests on when the soak came to look: the kernel stamps
//! each word when it is sent, a hanging service says itself when it began, and a lapse is called only once the socket was
//! found empty *after* W had passed. What the soak has to do in time (to end a SIGSTOP, to read again) is measured; where
//! it came too late, or a healthy service did not answer its own client either, or where a hang was told late, or no ping
//! came, by no more than the time in which the soak itself stood still, a finding is *unsound*: it is shown, and is neither
//! pass nor fail.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

mod account;
mod bound;
mod cast;
mod cgroups;
mod clock;
mod conductor;
mod control;
mod deeds;
mod figures;
mod growth;
mod guarded;
mod hang;
mod house;
mod injections;
mod load;
mod pressure;
mod process;
mod report;
mod resolver;
pub mod role;
mod schedule;
mod services;
mod witness;

use self::schedule::Track;

/// The soak's part of the command line.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The soak")]
pub struct Options {
    /// Disturb healthy services and let others hang, for this long
    #[arg(long, value_name = "MINUTES", value_parser = minutes)]
    soak: Option<Duration>,
    /// Do what a soak with this seed did [default: a new one, which is printed]
    #[arg(long, value_name = "N", requires = "soak")]
    seed: Option<u64>,
    /// Only these disturbances: cpu, memory, resolver, relay, speech, restart, hang [default: all]
    #[arg(long, value_name = "TRACK", value_delimiter = ',', requires = "soak")]
    only: Vec<Track>,
    /// The control group that the outer half of the soak has made
    #[arg(long, hide = true)]
    inside: Option<std::path::PathBuf>,
}

impl Options {
    /// How long to soak, if that is asked for.
    pub fn length(&self) -> Option<Duration> {
        self.soak
    }

    fn tracks(&self) -> Vec<Track> {
        if self.only.is_empty() { Track::ALL.to_vec() } else { self.only.clone() }
    }
}

fn minutes(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(minutes) if (0.5..=10_000.0).contains(&minutes) => Ok(Duration::from_secs_f64(minutes * 60.0)),
        _ => Err("give minutes, from 0.5 to 10000".to_owned()),
    }
}

/// Soaks. Exits with 0 if nothing healthy was ended, nothing that hung was missed, nothing grew and the account balances;
/// with 1 if not; 130 after Ctrl-C.
pub fn run(options: &Options, length: Duration) -> ExitCode {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    match &options.inside {
        Some(cgroup) => conductor::run(seed, length, &options.tracks(), cgroup),
        None => house::run(seed, length, &options.only),
    }
}
