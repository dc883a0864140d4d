//! In place of TLS, where it is left out: there is no way to get at any.

use super::course::Course;
use super::plain::Plain;
use crate::cli::ProbeArgs;
use crate::words::outcome::Reason;

/// There is none.
#[derive(Debug, Clone, Copy)]
pub enum Tls {}

/// None is needed.
#[derive(Debug)]
pub struct Trust;

/// https:// is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "https:// needs the cargo feature tls, which this sd-watchdog was built without; use one that has it"
)]
pub struct TlsError;

impl Trust {
    pub fn new(_args: &ProbeArgs) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "as with TLS")]
    pub fn with(&mut self, _host: &str, _protocol: &str) -> Result<Tls, TlsError> {
        Err(TlsError)
    }
}

impl Tls {
    #[expect(clippy::unused_async, reason = "as with TLS")]
    pub async fn handshake(&self, _stream: Plain, _course: &Course) -> Result<Plain, Reason> {
        match *self {}
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as with TLS")]
    pub fn unknown(&self, _reason: Reason) -> Reason {
        match *self {}
    }
}
