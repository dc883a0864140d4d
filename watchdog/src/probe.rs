//! One health check, with a deadline.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

pub mod http;

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The service serves.
    Healthy,
    /// It does not.
    Unhealthy(Reason),
}

/// Why a probe was unhealthy, to the stage it got to: "no answer in 500 ms after the request was sent".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(Cow<'static, str>);

impl Reason {
    /// In words.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Any kind of probe.
#[derive(Debug)]
pub enum Probe {
    /// `--http`
    Http(http::HttpProbe),
}

impl Probe {
    /// Probes once. Takes `timeout` at most, whatever the service does.
    pub async fn run(&self, timeout: Duration) -> Outcome {
        match self {
            Self::Http(probe) => probe.run(timeout).await,
        }
    }
}
