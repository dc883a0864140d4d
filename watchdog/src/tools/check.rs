//! `sd-watchdog check`: one probe, for people, scripts and Docker's HEALTHCHECK.
//!
//! The outcome goes to standard output, unhealthy too: it is the answer, not an error, and `docker inspect` shows it.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::cli::{CHECK_TIMEOUT, CheckArgs, Next};
use crate::config::{ConfigError, LONGEST_OPTION, SHORTEST_OPTION};
use crate::kernel::runtime::runtime;
use crate::probe;
use crate::probe::{Deadline, ProbeError, Probes, Row};
use crate::service::children::Children;
use crate::words::error::Error;
use crate::words::exit_code::{CANNOT_PROBE, UNHEALTHY};
use crate::words::outcome::Outcome;
use crate::words::span::rounded;

mod json;

/// How long the processes that were killed may take to end. Nothing but the kernel holds them.
const PARTING: Duration = Duration::from_secs(1);

/// Probes once, for as long as `--timeout`, and prints the outcome. Exits with 0 if healthy, with [`UNHEALTHY`] if not, and
/// with [`CANNOT_PROBE`] if nobody can tell.
pub fn run(args: &CheckArgs, next: &[Next]) -> Result<ExitCode, Error> {
    let (children, before) = (Children::new(), Children::all());
    let probes = Probes::sets(&args.probes, next, &children)?;
    if probes[0].is_empty() {
        return Err(ProbeError::Nothing.into());
    }
    let timeout = timeout(args.timeout, &format!("for {CHECK_TIMEOUT}"))?;
    let timeouts = next.iter().map(|next| {
        next.set.timeout.map_or(Ok(timeout), |given| self::timeout(given, "to have it as in the first set"))
    });
    let timeouts = [Ok(timeout)].into_iter().chain(timeouts).collect::<Result<Vec<_>, _>>()?;
    let runtime = runtime().map_err(|source| Error::cannot("set up I/O", &source))?;
    let runs_commands = !args.probes.exec.is_empty() || next.iter().any(|next| !next.probes.exec.is_empty());
    if runs_commands && let Err(error) = children.become_subreaper_alone() {
        tracing::debug!("cannot become a subreaper: {error}");
    }
    let began = Instant::now();
    let sets: Vec<_> = probes.iter().zip(timeouts.into_iter().map(Deadline::after)).collect();
    let (outcome, rows) = if args.json {
        let rows = runtime.block_on(probe::run_each(&sets));
        (Row::outcome_of(&rows), rows)
    } else {
        (runtime.block_on(probe::run_all(&sets)), Vec::new())
    };
    let took = began.elapsed();
    if runs_commands {
        runtime.block_on(children.part(&before, PARTING));
    }
    // A name lookup may hang in its thread; there is nothing to wait for.
    runtime.shutdown_background();
    if !args.quiet {
        let said = if args.json {
            json::object(&outcome, took, &rows)
        } else {
            let targets: Vec<String> = probes.iter().map(ToString::to_string).collect();
            verdict(&targets.join(", "), &outcome, took)
        };
        // Where nobody reads it, the exit code still says it.
        let _ = writeln!(std::io::stdout(), "{said}");
    }
    Ok(match outcome {
        Outcome::Healthy => ExitCode::SUCCESS,
        Outcome::Unhealthy(reason) if reason.is_ours() => ExitCode::from(CANNOT_PROBE),
        Outcome::Unhealthy(_) => ExitCode::from(UNHEALTHY),
    })
}

fn timeout(given: Duration, otherwise: &str) -> Result<Duration, ConfigError> {
    if given < SHORTEST_OPTION {
        let otherwise = otherwise.to_owned();
        return Err(ConfigError::TooShort { option: "timeout", value: given, otherwise });
    }
    if given > LONGEST_OPTION {
        return Err(ConfigError::TooLong { option: "timeout", value: given });
    }
    Ok(given)
}

fn verdict(target: &str, outcome: &Outcome, took: Duration) -> String {
    match outcome {
        Outcome::Healthy => format!("healthy: {target} answered in {}", rounded(took)),
        Outcome::Unhealthy(reason) if reason.is_ours() => format!("cannot probe: {reason}"),
        Outcome::Unhealthy(reason) => format!("unhealthy: {reason}"),
    }
}
