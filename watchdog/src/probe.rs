//! One health check, with a deadline: [`Probes`].
//!
//! | | probes | with |
//! |---|---|---|
//! | `http` | `--http`, `--http-unix` | `http/answer`: the answer as it comes in, pure |
//! | `stream` | `--tcp`, `--unix` | |
//! | `grpc` | `--grpc` | `grpc/message`, `grpc/status`: the answer, pure |
//! | `options` | the options to probes | `address`: HOST:PORT and paths |
//! | `deadline` | how long one may take | |
//! | `connect` | what all connect to | `course`: how far they got; `tcp`, `plain`: the connection; `broken`: why no farther; `local`: whose fault an error is; `lookup`; `tls`, or `no_tls` where it is left out |
//! | `together` | several at the same time | `excerpt`: what a peer sent, for people |

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

pub use self::deadline::Deadline;
use self::exec::ExecProbe;
use self::http::HttpProbe;
pub use self::options::{ProbeError, Problem};
use self::stream::StreamProbe;
use crate::cli::{Next, ProbeArgs};
use crate::service::children::Children;
use crate::words::outcome::{Outcome, Reason};

mod address;
mod broken;
mod connect;
mod course;
mod deadline;
mod excerpt;
pub(crate) mod exec;
#[cfg(feature = "grpc")]
mod grpc;
pub(crate) mod http;
mod local;
mod lookup;
mod options;
mod plain;
mod stream;
mod tcp;
#[cfg(test)]
mod testing;
#[cfg_attr(not(feature = "tls"), path = "probe/no_tls.rs")]
mod tls;
#[cfg(feature = "tls")]
mod tls_error;
mod together;

/// All that is probed; all must pass.
#[derive(Debug)]
pub struct Probes {
    probes: Vec<Named>,
}

/// A probe, and what it is called in reasons: as it was given.
#[derive(Debug)]
struct Named {
    name: String,
    probe: Probe,
}

/// One kind of probe.
#[derive(Debug)]
enum Probe {
    Http(Box<HttpProbe>),
    Stream(StreamProbe),
    Exec(ExecProbe),
    #[cfg(feature = "grpc")]
    Grpc(Box<grpc::GrpcProbe>),
}

impl Probe {
    #[cfg(feature = "tls")]
    fn is_over_tls(&self) -> bool {
        match self {
            Self::Http(probe) => probe.is_over_tls(),
            Self::Stream(_) | Self::Exec(_) => false,
            #[cfg(feature = "grpc")]
            Self::Grpc(probe) => probe.is_over_tls(),
        }
    }
}

impl Named {
    async fn run(&self, deadline: &Deadline) -> Outcome {
        let outcome = match &self.probe {
            Probe::Http(probe) => probe.run(deadline).await,
            Probe::Stream(probe) => probe.run(deadline).await,
            // Apart, so that the others stay small.
            Probe::Exec(probe) => Box::pin(probe.run(deadline)).await,
            #[cfg(feature = "grpc")]
            Probe::Grpc(probe) => Box::pin(probe.run(deadline)).await,
        };
        match outcome {
            Outcome::Healthy => Outcome::Healthy,
            Outcome::Unhealthy(reason) => {
                Outcome::Unhealthy(Reason::new(reason.cause(), format!("{}: {reason}", self.name)))
            }
        }
    }
}

impl Probes {
    /// Checks the options and puts the probes together. There may be none.
    ///
    /// Commands are started with `children`.
    pub fn new(args: &ProbeArgs, children: &Rc<Children>) -> Result<Self, ProbeError> {
        options::probes(args, children).map(|probes| Self { probes })
    }

    /// Those of each set, the first set's, and those behind each `--next`, of which there must be some.
    pub fn sets(first: &ProbeArgs, next: &[Next], children: &Rc<Children>) -> Result<Vec<Self>, ProbeError> {
        let mut sets = vec![Self::new(first, children)?];
        for (index, next) in next.iter().enumerate() {
            let probes = Self::new(&next.probes, children).and_then(Self::or_refuse_empty);
            sets.push(
                probes.map_err(|source| ProbeError::Set { number: index + 2, source: Box::new(source) })?,
            );
        }
        Ok(sets)
    }

    /// None at all.
    pub fn none() -> Self {
        Self { probes: Vec::new() }
    }

    /// The same, where there must be one.
    pub fn or_refuse_empty(self) -> Result<Self, ProbeError> {
        if self.is_empty() { Err(ProbeError::Nothing) } else { Ok(self) }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.probes.is_empty()
    }

    /// Probes once, all at the same time. Takes until `deadline` at most, whatever the service does.
    ///
    /// The reason is that of the first unhealthy probe in the order of the options, whichever ended first: the same
    /// trouble has the same reason every time.
    pub async fn run(&self, deadline: &Deadline) -> Outcome {
        match &self.probes[..] {
            [] => Outcome::Healthy,
            [probe] => probe.run(deadline).await,
            probes => together::first_unhealthy(probes.iter().map(|probe| probe.run(deadline))).await,
        }
    }
}

/// Probes each set once, all at the same time, as [`Probes::run`] does with one.
pub async fn run_all(sets: &[(&Probes, Deadline)]) -> Outcome {
    together::first_unhealthy(sets.iter().map(|(probes, deadline)| probes.run(deadline))).await
}

/// The same, but each probe to its own end.
pub async fn run_each<'p>(sets: &[(&'p Probes, Deadline)]) -> Vec<Row<'p>> {
    let probes = || {
        let sets = sets.iter().enumerate();
        sets.flat_map(|(set, (probes, deadline))| {
            probes.probes.iter().map(move |probe| (set, probe, deadline))
        })
    };
    let ends = together::all(probes().map(|(_, probe, deadline)| probe.run(deadline))).await;
    let rows = probes().zip(ends);
    rows.map(|((set, probe, _), (outcome, took))| Row { set: set + 1, probe: &probe.name, outcome, took })
        .collect()
}

/// How one of several probes ended.
#[derive(Debug, Clone)]
pub struct Row<'p> {
    /// The number of its set, from 1.
    pub set: usize,
    /// What it is called in reasons.
    pub probe: &'p str,
    /// What it found.
    pub outcome: Outcome,
    /// From the start of them all to its end.
    pub took: Duration,
}

impl Row<'_> {
    /// What [`run_all`] would have said.
    pub fn outcome_of(rows: &[Self]) -> Outcome {
        together::outcome(rows.iter().map(|row| &row.outcome))
    }
}

/// "http://127.0.0.1:8080/healthz and 2 more"
impl fmt::Display for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.probes[..] {
            [] => f.write_str("nothing"),
            [probe] => f.write_str(&probe.name),
            [first, more @ ..] => write!(f, "{} and {} more", first.name, more.len()),
        }
    }
}

#[cfg(test)]
mod tests;
