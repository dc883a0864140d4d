//! What the control endpoint does: `/status` and `/faults`, in JSON.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::guard::{Guard, Turned};
use super::{Control, READ_DEADLINE};
use crate::clock::monotonic_usec;
use crate::condition::Condition;
use crate::fault::catalogue::CATALOGUE;
use crate::fault::{BadArgument, Entry, Fault, Injection, UnknownFault};
use crate::injector::{Order, Refusal};

/// The longest body that is taken.
const BODY_LIMIT: usize = 64 * 1024;
/// The longest `after_ms` and `for_ms`: a day, which keeps every sum of times in range.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;

/// What `POST /faults` takes.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRequest {
    /// The name of the fault.
    pub fault: String,
    /// How long to wait before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// Heal it by itself after this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// What is said of it beyond its name: texts, or numbers for what has no unit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Value>,
}

type Answer = Response<Full<Bytes>>;

/// Answers one request.
pub(super) async fn answer(
    control: &Control,
    guard: &Guard,
    request: Request<Incoming>,
    answered: watch::Receiver<()>,
) -> Answer {
    let (head, body) = request.into_parts();
    // Before anything is refused: to close a connection with bytes unread resets it, and the client would see that
    // instead of the reason.
    let body = timeout(READ_DEADLINE, read(body)).await.unwrap_or(Err(Unreadable::Late));
    let answer = match guard.check(&head) {
        Err(turned) => Err(turned.into()),
        Ok(()) => match (head.uri.path(), &head.method) {
            ("/status", &Method::GET | &Method::HEAD) => Ok(reply(StatusCode::OK, &status(control))),
            ("/faults", &Method::GET | &Method::HEAD) => Ok(reply(StatusCode::OK, &catalogue())),
            ("/faults", &Method::POST) => inject(control, body, answered).await,
            ("/faults", &Method::DELETE) => heal(control).await,
            ("/status", _) => Err(Failure::method_not_allowed("GET, HEAD")),
            ("/faults", _) => Err(Failure::method_not_allowed("GET, HEAD, POST, DELETE")),
            _ => Err(Failure::new(StatusCode::NOT_FOUND, "not here; there are /status and /faults")),
        },
    };
    answer.unwrap_or_else(Failure::into_answer)
}

fn status(control: &Control) -> Value {
    let condition = *control.condition.borrow();
    let in_ms = |at: Instant| at.saturating_duration_since(Instant::now()).as_millis();
    let state = if condition.fault().is_some() { "faulty" } else { "healthy" };
    let fault = match condition {
        Condition::Faulty { injection, injected_at_usec, until } => json!({
            "fault": injection.fault,
            "does": injection.fault.does(),
            "parameters": injection.json(),
            "injected_at_monotonic_usec": injected_at_usec,
            "healable": injection.fault.healable(),
            "heals_in_ms": until.map(in_ms),
        }),
        Condition::Healthy { .. } | Condition::Pending { .. } => Value::Null,
    };
    json!({
        "pid": control.vitals.pid,
        "state": state,
        "fault": fault,
        "next": condition.next().map(|due| json!({"fault": due.injection.fault, "parameters": due.injection.json(), "in_ms": in_ms(due.at)})),
        "requests": control.vitals.requests(),
        "seed": control.vitals.seed,
        "workers": control.vitals.workers,
        "monotonic_usec": monotonic_usec(),
    })
}

fn catalogue() -> Value {
    let describe = |Entry { name, does, parameters, healable, needs, found_by, recovery, .. }: &Entry| {
        let parameters = parameters.iter().map(|parameter| {
            json!({
                "name": parameter.name,
                "does": parameter.does,
                "unit": parameter.unit.to_string(),
                "default": parameter.default.map(|default| parameter.unit.text(default)),
            })
        });
        json!({
            "name": name,
            "does": does,
            "parameters": parameters.collect::<Value>(),
            "healable": healable,
            "needs": needs,
            "found_by": found_by,
            "recovery": recovery,
        })
    };
    CATALOGUE.iter().map(describe).collect()
}

async fn inject(
    control: &Control,
    body: Result<Bytes, Unreadable>,
    answered: watch::Receiver<()>,
) -> Result<Answer, Failure> {
    let request: FaultRequest = serde_json::from_slice(&body?).map_err(|error| {
        let reason = format!("the body makes no sense: {error}; send for example {{\"fault\":\"mute\"}}");
        Failure::new(StatusCode::BAD_REQUEST, reason)
    })?;
    let fault: Fault = request.fault.parse()?;
    let lasting = request.for_ms.map(|ms| duration("for_ms", ms)).transpose()?;
    if lasting.is_some() && !fault.healable() {
        let reason = format!("{fault} cannot be healed: leave out \"for_ms\"");
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, reason));
    }
    let after = duration("after_ms", request.after_ms.unwrap_or(0))?;
    let injection =
        request.parameters.iter().try_fold(Injection::of(fault), |injection, (name, value)| {
            // A number is as good as its digits; of anything else the text tells what it is.
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            injection.with(name, &text)
        })?;
    let injected_at_usec = control.injector.inject(Order { injection, after, lasting, answered }).await?;
    let injected = json!({"fault": fault, "injected_at_monotonic_usec": injected_at_usec});
    Ok(reply(StatusCode::ACCEPTED, &injected))
}

async fn heal(control: &Control) -> Result<Answer, Failure> {
    control.injector.heal().await?;
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    Ok(answer)
}

fn duration(name: &str, ms: u64) -> Result<Duration, Failure> {
    if ms <= LONGEST_MS {
        Ok(Duration::from_millis(ms))
    } else {
        let reason = format!("{name:?} is {ms}, but at most a day ({LONGEST_MS}) makes sense");
        Err(Failure::new(StatusCode::BAD_REQUEST, reason))
    }
}

/// Why there is no body.
#[derive(Clone, Copy, Debug)]
enum Unreadable {
    TooLong,
    Late,
    Broken,
}

async fn read(mut body: Incoming) -> Result<Bytes, Unreadable> {
    let mut bytes = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unreadable::Broken)?.into_data() else { continue };
        length += data.len();
        // What is too long is thrown away, but read, up to a point: see `answer`.
        if length <= BODY_LIMIT {
            bytes.extend_from_slice(&data);
        } else if length > 16 * BODY_LIMIT {
            break;
        }
    }
    if length <= BODY_LIMIT { Ok(bytes.into()) } else { Err(Unreadable::TooLong) }
}

/// A request that was not carried out: the status and the JSON that says why.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    body: Value,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Failure {
    fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, body: json!({"error": reason.into()}), header: None }
    }

    fn method_not_allowed(allowed: &'static str) -> Self {
        let failure = Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("only {allowed}"));
        Self { header: Some((ALLOW, HeaderValue::from_static(allowed))), ..failure }
    }

    fn into_answer(self) -> Answer {
        let mut answer = reply(self.status, &self.body);
        answer.headers_mut().extend(self.header);
        answer
    }
}

impl From<Turned> for Failure {
    fn from(turned: Turned) -> Self {
        let failure = Self::new(turned.status(), turned.to_string());
        let bearer = (WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Self { header: (turned == Turned::NoToken).then_some(bearer), ..failure }
    }
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::TooLong => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is longer than {BODY_LIMIT} bytes"),
            ),
            Unreadable::Late => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body took longer than {READ_DEADLINE:?} to arrive"),
            ),
            Unreadable::Broken => Self::new(StatusCode::BAD_REQUEST, "the body ended before its end"),
        }
    }
}

impl From<UnknownFault> for Failure {
    fn from(unknown: UnknownFault) -> Self {
        let body = json!({
            "error": unknown.to_string(),
            "nearest": unknown.nearest,
            "faults": Fault::ALL,
        });
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, body, header: None }
    }
}

impl From<BadArgument> for Failure {
    fn from(argument: BadArgument) -> Self {
        let body = json!({"error": argument.to_string(), "nearest": argument.nearest()});
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, body, header: None }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::Active(_) | Refusal::Ordered(_) | Refusal::Unhealable(_) | Refusal::Impossible(..) => {
                StatusCode::CONFLICT
            }
            Refusal::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refusal.to_string())
    }
}

fn reply(status: StatusCode, body: &Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
