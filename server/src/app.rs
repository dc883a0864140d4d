//! The data plane: accepts connections and answers requests, on the worker threads.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, VARY};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::sleep;
use tracing::warn;

use crate::condition::ConditionReader;
use crate::drip::Drip;
use crate::error::Error;
use crate::gate::{Entrance, HEALTH, Manner};
use crate::page;
use crate::setback::Setback;
use crate::vitals::Vitals;

/// How many connections the kernel holds for us until we accept them. Small on purpose: `accept-stall` is to be seen.
const BACKLOG: u32 = 128;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What clients get.
type Answer = Response<Either<Full<Bytes>, Drip>>;

/// What it takes to answer a request.
#[derive(Clone, Debug)]
pub struct App {
    /// Facts for the page.
    pub vitals: Arc<Vitals>,
    /// The state of the server, for the page.
    pub condition: ConditionReader,
    /// What every connection and request passes.
    pub entrance: Entrance,
}

/// Listens where clients are to connect. To be called in the runtime that is to serve them.
pub fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Connections of the process before us may linger in TIME_WAIT; they are no reason not to start.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bind().map_err(|source| Error::listen(address, "--listen", source))
}

impl App {
    /// Serves until `stop` completes, then finishes the requests that are under way.
    pub async fn serve(mut self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let connections = GracefulShutdown::new();
        let mut setback = Setback::default();
        let mut stop = std::pin::pin!(stop);
        loop {
            // In this order: a connection must not slip in after the accept loop was told to stall.
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = self.entrance.stalled() => tokio::select! {
                    () = &mut stop => break,
                    () = self.entrance.stand_down() => {}
                },
                accepted = accept(&listener, setback.pause()) => match accepted {
                    Ok(stream) => {
                        setback.succeeded();
                        self.spawn_connection(stream, &connections);
                    }
                    Err(error) => {
                        if let Some(line) = setback.failed(&error, Instant::now()) {
                            warn!("cannot accept a connection: {line}");
                        }
                    }
                },
            }
        }
        drop(listener);
        connections.shutdown().await;
    }

    fn spawn_connection(&self, stream: TcpStream, connections: &GracefulShutdown) {
        let app = self.clone();
        let service = service_fn(move |request| {
            let app = app.clone();
            async move { Ok::<_, Infallible>(app.answer(&request).await) }
        });
        let connection =
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        let mut entrance = self.entrance.clone();
        tokio::spawn(async move {
            entrance.pass_connection().await;
            // What goes wrong on a connection is the client's to notice.
            let _ = connection.await;
        });
    }

    async fn answer(mut self, request: &Request<Incoming>) -> Answer {
        let manner = self.entrance.pass_request(request.uri().path()).await;
        let requests = self.vitals.count_request();
        match manner {
            Manner::Right => self.right_answer(request, requests),
            Manner::Error => {
                reply(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the fault \"error\" is active\n")
            }
            Manner::WrongBody => reply(StatusCode::OK, TEXT, "the fault \"wrong-body\" is active\n"),
            Manner::Drip(every) => {
                let drip = Drip::new(every, self.entrance);
                reply(StatusCode::OK, TEXT, "").map(|_| Either::Right(drip))
            }
        }
    }

    fn right_answer(&self, request: &Request<Incoming>, requests: u64) -> Answer {
        let answer = match request.uri().path() {
            "/" if wants_json(request) => {
                (JSON, page::json(&self.vitals, requests, &self.condition.borrow()))
            }
            "/" => (HTML, page::html(&self.vitals, requests, &self.condition.borrow())),
            HEALTH => (TEXT, "ok\n".to_owned()),
            _ => return reply(StatusCode::NOT_FOUND, TEXT, "not here; there are / and /healthz\n"),
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refusal = reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        reply(StatusCode::OK, answer.0, answer.1)
    }
}

/// The next connection, but not before `pause` has passed.
async fn accept(listener: &TcpListener, pause: Duration) -> io::Result<TcpStream> {
    if !pause.is_zero() {
        sleep(pause).await;
    }
    listener.accept().await.map(|(stream, _)| stream)
}

fn wants_json(request: &Request<Incoming>) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}

fn reply(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Either::Left(Full::new(body.into())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    response
}
