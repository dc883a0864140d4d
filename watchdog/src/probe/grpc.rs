//! `--grpc`: asks `grpc.health.v1.Health/Check`.
//!
//! A new connection for every probe, for the reasons that [`http`](super::http) has. All of it lives in the probe's own
//! future: what is left at the deadline is dropped with it, and no task stays behind.

use super::deadline::Deadline;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

pub use self::metadata::{Metadata, MetadataError};
use self::status::{judge, not_grpc, shortened};
pub use self::target::{Target, TargetError};
use super::broken::{broken, closed_early};
use super::connect::Endpoint;
use super::course::{Course, Stage};
use super::tls::Tls;
use crate::words::outcome::{Cause, Outcome, Reason};

mod message;
mod metadata;
mod status;
mod target;

/// The longest list of headers that is taken, in bytes.
const HEADERS_LIMIT: u32 = 16 * 1024;

/// Probes one [`Target`].
#[derive(Debug)]
pub struct GrpcProbe {
    endpoint: Endpoint,
    tls: Option<Tls>,
    head: Request<()>,
    message: Bytes,
}

impl GrpcProbe {
    /// A probe of `target`, over `tls` if it wants that, which says `metadata` beside its question.
    pub fn new(target: Target, tls: Option<Tls>, metadata: &Metadata) -> Result<Self, TargetError> {
        let Target { endpoint, tls_host: _, authority, service } = target;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let authority = metadata.authority.as_ref().unwrap_or(&authority);
        let mut head = Request::post(format!("{scheme}://{authority}/grpc.health.v1.Health/Check"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .map_err(|error| TargetError::Malformed { problem: error.to_string() })?;
        let headers = head.headers_mut();
        headers.extend(metadata.entries.clone());
        let agent = HeaderValue::from_static(concat!("sd-watchdog/", env!("CARGO_PKG_VERSION")));
        headers.entry("user-agent").or_insert(agent);
        Ok(Self { endpoint, tls, head, message: message::request(&service).into() })
    }

    /// Does it speak TLS?
    #[cfg(feature = "tls")]
    pub fn is_over_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Probes once, until `deadline` at most. Needs a Tokio runtime with I/O.
    pub async fn run(&self, deadline: &Deadline) -> Outcome {
        let course = Course::new(deadline.timeout());
        let overdue = |waited| self.endpoint.overdue(&course, &waited);
        self.endpoint.within(deadline, pin!(self.attempt(&course)), overdue).await
    }

    async fn attempt(&self, course: &Course) -> Result<(), Reason> {
        let stream = self.endpoint.connect(course).await?;
        if let Some(tls) = &self.tls {
            let stream = tls.handshake(stream, course).await?;
            return Box::pin(self.call(stream, course)).await.map_err(|reason| tls.unknown(reason));
        }
        self.call(stream, course).await
    }

    async fn call(&self, stream: impl AsyncRead + AsyncWrite + Unpin, course: &Course) -> Result<(), Reason> {
        course.reach(Stage::Wait);
        let (sender, connection) = Builder::new()
            .enable_push(false)
            .max_header_list_size(HEADERS_LIMIT)
            .handshake(stream)
            .await
            .map_err(|error| lost(&error, false))?;
        let (mut call, mut connection) = (pin!(self.ask(sender, course)), pin!(connection));
        poll_fn(|context| {
            if let Poll::Ready(result) = call.as_mut().poll(context) {
                return Poll::Ready(result);
            }
            // What moves on the connection wakes the call, by way of this same task.
            let Poll::Ready(end) = connection.as_mut().poll(context) else { return Poll::Pending };
            // The call may have got its answer, or a better reason, in the same moment.
            match call.as_mut().poll(context) {
                Poll::Pending => Poll::Ready(Err(match end {
                    Ok(()) => closed_early(course.stage() == Stage::Read),
                    Err(error) => lost(&error, course.stage() == Stage::Read),
                })),
                ended @ Poll::Ready(_) => ended,
            }
        })
        .await
    }

    async fn ask(&self, sender: SendRequest<Bytes>, course: &Course) -> Result<(), Reason> {
        let mut sender = sender.ready().await.map_err(|error| lost(&error, false))?;
        let (answer, mut body) =
            sender.send_request(self.head.clone(), false).map_err(|error| lost(&error, false))?;
        body.send_data(self.message.clone(), true).map_err(|error| lost(&error, false))?;
        let answer = answer.await.map_err(|error| lost(&error, false))?;
        course.reach(Stage::Read);
        let (head, mut body) = answer.into_parts();
        if head.status != StatusCode::OK {
            return Err(Reason::new(Cause::Status, format!("status {}", head.status.as_u16())));
        }
        match get(&head.headers, "content-type") {
            Some(kind) if kind.starts_with(b"application/grpc") => {}
            Some(kind) => {
                return Err(not_grpc(&format!("its content-type is {}", String::from_utf8_lossy(kind))));
            }
            None => return Err(not_grpc("it has no content-type")),
        }
        // Where there is nothing else to say, the status comes at once.
        if let Some(status) = get(&head.headers, "grpc-status") {
            return judge(Some(status), get(&head.headers, "grpc-message"), None);
        }
        let mut frame = Vec::new();
        while let Some(part) = body.data().await {
            frame.extend_from_slice(&part.map_err(|error| lost(&error, true))?);
            if frame.len() > message::LONGEST {
                return Err(not_grpc("its message is too long for a HealthCheckResponse"));
            }
        }
        let trailers = body.trailers().await.map_err(|error| lost(&error, true))?.unwrap_or_default();
        let serving = message::answer(&frame).map_err(|error| not_grpc(&error.to_string()))?;
        judge(get(&trailers, "grpc-status"), get(&trailers, "grpc-message"), serving)
    }
}

fn get<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    headers.get(name).map(HeaderValue::as_bytes)
}

/// The reason of a probe whose call failed. `begun`: there was something of an answer.
fn lost(error: &h2::Error, begun: bool) -> Reason {
    if let Some(error) = error.get_io() {
        return broken(error, begun);
    }
    if error.is_remote() {
        return Reason::new(Cause::Closed, format!("call broken off: {}", shortened(&error.to_string())));
    }
    // What every HTTP/1 answer is to HTTP/2: its first bytes are no length of a frame.
    if error.reason() == Some(h2::Reason::FRAME_SIZE_ERROR) && !begun {
        return not_grpc("the service does not speak HTTP/2; does it speak HTTP/1?");
    }
    not_grpc(&error.to_string())
}

#[cfg(test)]
mod tests;
