//! Who is shown the figures.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Instant;

use super::Metrics;
use super::file::{InTheWay, MetricsFile};
use super::server::Server;
use crate::cli::OutsideArgs;
use crate::words::error::Error;

/// `--metrics` and `--metrics-file`, as far as they are given.
#[derive(Debug, Default)]
pub struct Exporter {
    server: Option<Server>,
    file: Option<RefCell<MetricsFile>>,
}

/// Nobody can be shown the figures as the options say. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ExporterError {
    #[error("--metrics {address} cannot be listened on: {source}{}", remedy(*address, source))]
    Listen { address: SocketAddr, source: io::Error },
    #[error("--metrics-file {0}")]
    File(#[from] InTheWay),
}

impl From<ExporterError> for Error {
    fn from(error: ExporterError) -> Self {
        Self::system(&error)
    }
}

fn remedy(address: SocketAddr, error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => "; give each service a port of its own",
        ErrorKind::AddrNotAvailable => "; 127.0.0.1 is this host",
        ErrorKind::PermissionDenied if address.port() < 1024 => {
            "; take a port above 1023, or AmbientCapabilities=CAP_NET_BIND_SERVICE"
        }
        _ => "; look at the unit's RestrictAddressFamilies=, SocketBindDeny= and LimitNOFILE=",
    }
}

impl Exporter {
    /// Listens, if that is asked for, and refuses a file that is not ours. It is written with the first
    /// [`update`](Self::update).
    pub fn open(args: &OutsideArgs) -> Result<Self, ExporterError> {
        let listen = |address: SocketAddr| {
            let server = Server::bind(address).map_err(|source| ExporterError::Listen { address, source })?;
            if !address.ip().to_canonical().is_loopback() {
                tracing::warn!(
                    "--metrics {address}: whoever can reach this host can read the figures, without a password"
                );
            }
            Ok::<_, ExporterError>(server)
        };
        Ok(Self {
            server: args.metrics.map(listen).transpose()?,
            file: args.metrics_file.as_deref().map(MetricsFile::new).transpose()?.map(RefCell::new),
        })
    }

    /// Serves `metrics` for as long as it is polled. Needs a Tokio runtime with I/O.
    pub async fn serve(&self, metrics: &Metrics) -> Infallible {
        match &self.server {
            Some(server) => server.serve(metrics).await,
            None => pending().await,
        }
    }

    /// Call it when the state has `changed`, and at the end of every probe. Never blocks.
    pub fn update(&self, metrics: &Metrics, now: Instant, changed: bool) {
        if let Some(file) = &self.file {
            file.borrow_mut().update(metrics, now, changed);
        }
    }

    /// Removes the file; 100 ms at most. Needs a Tokio runtime with I/O.
    #[expect(clippy::await_holding_refcell_ref, reason = "nothing is updated while all comes to its end")]
    pub async fn close(&self) {
        if let Some(file) = &self.file {
            file.borrow().remove().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(address: &str) -> Result<Exporter, ExporterError> {
        let metrics = Some(address.parse().expect("an address"));
        Exporter::open(&OutsideArgs { metrics, ..OutsideArgs::default() })
    }

    #[test]
    fn an_address_that_cannot_be_listened_on_is_an_error_with_the_remedy() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let taken = taken.local_addr().map(|address| (address, taken)).expect("an address");
        for (address, expected) in [
            (taken.0.to_string(), "give each service a port of its own"),
            ("192.0.2.1:9101".to_owned(), "127.0.0.1 is this host"),
        ] {
            let error = open(&address).expect_err("cannot be listened on").to_string();
            assert!(error.starts_with(&format!("--metrics {address} cannot be listened on: ")), "{error}");
            assert!(error.ends_with(expected), "{error}");
        }
        assert!(open("127.0.0.1:0").is_ok());
    }
}
