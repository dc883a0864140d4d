//! How thirtyfour speaks to chromedriver: by hyper, which is here already.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::HOST;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use thirtyfour::error::{WebDriverError, WebDriverResult};
use thirtyfour::session::http::{Body, HttpClient};
use tokio::net::TcpStream;

/// A connection for each request.
pub struct Client;

impl Client {
    async fn exchange(request: Request<Body<'_>>) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        let (mut parts, body) = request.into_parts();
        let address = parts.uri.authority().ok_or("no address")?.to_string();
        let body = match body {
            Body::Empty => Bytes::new(),
            Body::Json(value) => serde_json::to_vec(value)?.into(),
        };
        parts.uri = parts.uri.path_and_query().ok_or("no path")?.as_str().parse()?;
        parts.headers.insert(HOST, address.parse()?);
        let stream = TokioIo::new(TcpStream::connect(&address).await?);
        let (mut sender, connection) = handshake(stream).await?;
        let connection = tokio::spawn(connection);
        let (parts, body) =
            sender.send_request(Request::from_parts(parts, Full::new(body))).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        connection.abort();
        Ok(Response::from_parts(parts, body))
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send(&self, request: Request<Body<'_>>) -> WebDriverResult<Response<Bytes>> {
        Self::exchange(request).await.map_err(|error| WebDriverError::RequestFailed(error.to_string()))
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(Self)
    }
}
