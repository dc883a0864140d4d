//! One request over a connection of its own, and its answer.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Why there was no answer, for people.
pub(crate) type Reason = Box<dyn std::error::Error + Send + Sync>;

/// Sends the request over `stream`, and gives the status and the body of the answer.
pub(crate) async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(StatusCode, String), Reason>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
