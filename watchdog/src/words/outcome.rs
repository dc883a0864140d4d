//! What a probe found, in words and for counting.

use std::borrow::Cow;
use std::fmt;

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The service serves.
    Healthy,
    /// It does not.
    Unhealthy(Reason),
}

/// What kind of trouble a probe met: few, for counting. The words are those of the `reason` label of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// No complete answer by the deadline, however far it got.
    Timeout,
    Lookup,
    Refused,
    /// Any other way in which there was no connection.
    Connect,
    /// Closed or reset before the answer was complete.
    Closed,
    Tls,
    /// Not an answer of the protocol asked in.
    Protocol,
    Status,
    /// The body, or what was read, is not what was expected.
    Body,
    /// gRPC: anything but SERVING.
    NotServing,
    /// A command said so, by its exit code or by a signal.
    Exec,
    /// COMMAND's own WATCHDOG=1 does not come.
    ChildPing,
    /// This host could not make the probe: no descriptor, no port, no permission, no route, no such program.
    System,
}

impl Cause {
    /// Whether it counts against the service, which was asked and did not answer as it should. The others mean that it
    /// could not be asked, and say nothing about it.
    pub fn counts(self) -> bool {
        !matches!(self, Self::Lookup | Self::System)
    }

    /// As the metrics spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Lookup => "lookup",
            Self::Refused => "refused",
            Self::Connect => "connect",
            Self::Closed => "closed",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Status => "status",
            Self::Body => "body",
            Self::NotServing => "not_serving",
            Self::Exec => "exec",
            Self::ChildPing => "child_ping",
            Self::System => "system",
        }
    }
}

/// Why a probe was unhealthy, to the stage it got to: "no answer in 500 ms after the request was sent".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    cause: Cause,
    text: Cow<'static, str>,
}

impl Reason {
    /// In words; what was probed is put in front by the caller.
    pub fn new(cause: Cause, text: impl Into<Cow<'static, str>>) -> Self {
        Self { cause, text: text.into() }
    }

    /// It says nothing of the service: this host could not make the probe.
    pub fn is_ours(&self) -> bool {
        !self.cause.counts()
    }

    /// What kind of trouble.
    pub fn cause(&self) -> Cause {
        self.cause
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
