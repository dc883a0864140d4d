//! What each request comes to.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::answer::{self, Answer};
use super::deed::{Deed, Outcome};
use super::events::{self, Events};
use super::gate::{Gate, Turned};
use super::seats::{Seat, Seats};
use super::stage::{Format, Refused, Stage};
use super::{Assets, Limits};
use crate::page::hub::Hub;

/// How much of a body that is too long is read all the same: to close a connection with bytes unread resets it, and the client
/// would see that instead of the reason.
const DISCARD: usize = 256 << 10;
/// How many deeds and exports may be under way.
const AT_ONCE: usize = 4;

/// Answers requests.
#[derive(Debug)]
pub struct Desk<S> {
    gate: Gate,
    hub: Hub,
    stage: Arc<S>,
    assets: Assets,
    limits: Limits,
    seats: Seats,
    hands: Arc<Semaphore>,
}

/// What there is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Page,
    Script,
    Style,
    Icon,
    Events,
    Deed,
    Export(Format),
    Health,
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/" => Self::Page,
            "/page.js" => Self::Script,
            "/page.css" => Self::Style,
            "/icon.svg" => Self::Icon,
            "/events" => Self::Events,
            "/deed" => Self::Deed,
            "/health" => Self::Health,
            _ => {
                let extension = path.strip_prefix("/export.")?;
                Self::Export(Format::ALL.into_iter().find(|format| format.extension() == extension)?)
            }
        })
    }
}

/// What `GET /health` says.
#[derive(Serialize)]
struct Health {
    ok: bool,
    streams: usize,
    connections: usize,
    tellings: usize,
    bytes: usize,
    newest: u64,
}

/// Why a body could not be read.
enum Unread {
    TooLong,
    Late,
    Broken,
}

impl<S: Stage> Desk<S> {
    /// A desk for those who pass the gate.
    pub fn new(gate: Gate, hub: Hub, stage: Arc<S>, assets: Assets, limits: Limits, seats: Seats) -> Self {
        Self { gate, hub, stage, assets, limits, seats, hands: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The answer to a request that came by a connection in that seat.
    pub async fn answer(&self, request: Request<Incoming>, seat: &Seat) -> Result<Answer, Infallible> {
        let (head, body) = request.into_parts();
        let route = Route::of(head.uri.path());
        if route == Some(Route::Deed) && head.method == Method::POST {
            return Ok(self.deed(&head, body).await);
        }
        // What is there and what is not is nobody else's to know either.
        if let Err(turned) = self.gate.reads(&head) {
            return Ok(refusal(turned));
        }
        Ok(match (route, &head.method) {
            (None, _) => answer::text(StatusCode::NOT_FOUND, "there is nothing here; the page is at /"),
            (Some(Route::Deed), _) => answer::method_not_allowed("POST"),
            (Some(route), &Method::GET | &Method::HEAD) => self.read(route, &head, seat).await,
            _ => answer::method_not_allowed("GET, HEAD"),
        })
    }

    async fn read(&self, route: Route, head: &Parts, seat: &Seat) -> Answer {
        match route {
            Route::Page => {
                let (stage, token) = (Arc::clone(&self.stage), self.gate.token().clone());
                match spawn_blocking(move || stage.document(token.reveal())).await {
                    Ok(html) => answer::page(html),
                    Err(_) => answer::text(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made"),
                }
            }
            Route::Script => {
                answer::asset(&head.headers, "text/javascript; charset=utf-8", self.assets.script)
            }
            Route::Style => answer::asset(&head.headers, "text/css; charset=utf-8", self.assets.style),
            Route::Icon => answer::asset(&head.headers, "image/svg+xml", self.assets.icon),
            Route::Events => self.events(head, seat),
            // Without its content, which would be made for nothing.
            Route::Export(format) if head.method == Method::HEAD => answer::file(format, Vec::new()),
            Route::Export(format) => match self.ask(move |stage| stage.export(format)).await {
                Ok(content) => answer::file(format, content),
                Err(refused) => answer::text(status(&refused), &refused.to_string()),
            },
            Route::Health | Route::Deed => answer::json(StatusCode::OK, &self.health()),
        }
    }

    fn health(&self) -> Health {
        let (tellings, bytes) = self.hub.size();
        let (streams, connections) = (self.seats.streams(), self.seats.others());
        Health { ok: true, streams, connections, tellings, bytes, newest: self.hub.head() }
    }

    fn events(&self, head: &Parts, seat: &Seat) -> Answer {
        let after = match events::after(head) {
            Ok(after) => after,
            Err(error) => return answer::text(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        if head.method == Method::HEAD {
            return answer::events(Either::Left(Full::default()));
        }
        let Some(stream) = self.seats.hang_on(seat) else {
            let mut full =
                answer::text(StatusCode::SERVICE_UNAVAILABLE, "as many as can be follow this page already");
            full.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            return full;
        };
        let client = self.hub.subscribe(after);
        let events = Events::new(client, self.hub.run(), self.limits.keep_alive, stream);
        answer::events(Either::Right(events))
    }

    async fn deed(&self, head: &Parts, body: Incoming) -> Answer {
        let read = timeout(self.limits.body_deadline, read(body, self.limits.body)).await;
        let read = read.unwrap_or(Err(Unread::Late));
        if let Err(turned) = self.gate.changes(head) {
            return outcome(turned.status(), turned.to_string());
        }
        let body = match read {
            Ok(body) => body,
            Err(Unread::TooLong) => {
                let says = format!("a deed has at most {} bytes", self.limits.body);
                return outcome(StatusCode::PAYLOAD_TOO_LARGE, says);
            }
            Err(Unread::Late) => {
                return outcome(StatusCode::REQUEST_TIMEOUT, "the deed came too slowly".into());
            }
            Err(Unread::Broken) => return outcome(StatusCode::BAD_REQUEST, "the deed broke off".into()),
        };
        let deed = match serde_json::from_slice::<Deed>(&body) {
            Ok(deed) => deed,
            Err(error) => return outcome(StatusCode::BAD_REQUEST, format!("that is no deed: {error}")),
        };
        match self.ask(move |stage| stage.deed(deed)).await {
            Ok(says) => answer::json(StatusCode::OK, &Outcome { ok: true, says }),
            Err(refused) => outcome(status(&refused), refused.to_string()),
        }
    }

    /// Asks the stage, on a thread that may block. What was begun is done though the client may be gone.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&S) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let Ok(hand) = Arc::clone(&self.hands).try_acquire_owned() else {
            return Err(Refused::NotNow("too much is asked for at once".into()));
        };
        let stage = Arc::clone(&self.stage);
        let asked = spawn_blocking(move || {
            let _hand = hand;
            ask(&stage)
        });
        asked.await.unwrap_or_else(|error| Err(Refused::Failed(format!("it broke: {error}"))))
    }
}

fn status(refused: &Refused) -> StatusCode {
    match refused {
        Refused::Impossible(_) => StatusCode::BAD_REQUEST,
        Refused::NotNow(_) => StatusCode::CONFLICT,
        Refused::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn refusal(turned: Turned) -> Answer {
    answer::text(turned.status(), &turned.to_string())
}

fn outcome(status: StatusCode, says: String) -> Answer {
    answer::json(status, &Outcome { ok: false, says })
}

/// A body of at most so many bytes. What is over is looked at no more, but read for a while.
async fn read<B: Body<Data = Bytes> + Unpin>(mut body: B, most: usize) -> Result<Vec<u8>, Unread> {
    let (mut content, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Some(data) = frame.map_err(|_| Unread::Broken)?.into_data().ok() else { continue };
        length += data.len();
        if length > DISCARD {
            break;
        }
        if length <= most {
            content.extend_from_slice(&data);
        }
    }
    if length > most { Err(Unread::TooLong) } else { Ok(content) }
}
