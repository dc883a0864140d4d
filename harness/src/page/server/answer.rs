//! Answers, each with the headers that keep the page to itself.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use http_body_util::{Either, Full};
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::events::Events;
use super::stage::Format;

/// What clients get.
pub type Answer = Response<Either<Full<Bytes>, Events>>;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Nothing but what this very server has, and nothing that is written into the page by way of a text; in nobody's frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
     trusted-types 'none'",
);
/// A file that somebody opens here instead of keeping it is nobody's page.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

/// The headers that every answer has.
const ALWAYS: [(HeaderName, &str); 7] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// The page.
pub fn page(html: String) -> Answer {
    full(StatusCode::OK, HTML, html)
}

/// A text, for people who look at what they got.
pub fn text(status: StatusCode, text: &str) -> Answer {
    full(status, TEXT, format!("{text}\n"))
}

/// JSON.
pub fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(json) => full(status, JSON, json),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// This path has other methods.
pub fn method_not_allowed(allowed: &'static str) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, &format!("only {allowed}"));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// A part of the page, which a browser may keep but has to ask for; it gets nothing where it has it already.
pub fn asset(request: &HeaderMap, media_type: &'static str, content: &'static str) -> Answer {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    let tag = format!("\"{:016x}-{:x}\"", hasher.finish(), content.len());
    let is_known = |value: &HeaderValue| {
        value.to_str().is_ok_and(|tags| {
            tags.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
        })
    };
    let mut answer = if request.get_all(IF_NONE_MATCH).iter().any(is_known) {
        full(StatusCode::NOT_MODIFIED, HeaderValue::from_static(media_type), "")
    } else {
        full(StatusCode::OK, HeaderValue::from_static(media_type), content)
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ETAG, HeaderValue::try_from(tag).expect("digits"));
    answer
}

/// A file to keep.
pub fn file(format: Format, content: Vec<u8>) -> Answer {
    let mut answer = full(StatusCode::OK, HeaderValue::from_static(format.media_type()), content);
    let name = format!("attachment; filename=\"hangproof.{}\"", format.extension());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_DISPOSITION, HeaderValue::try_from(name).expect("letters"));
    headers.insert(CONTENT_SECURITY_POLICY, SANDBOX);
    answer
}

/// A stream of events. It has no end but that of its connection.
pub fn events(body: Either<Full<Bytes>, Events>) -> Answer {
    let mut answer = full(StatusCode::OK, EVENTS, "");
    *answer.body_mut() = body;
    let headers = answer.headers_mut();
    headers.insert(hyper::header::CONNECTION, HeaderValue::from_static("close"));
    // A proxy that gathers answers before it hands them on would hold back what is live.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    answer
}

fn full(status: StatusCode, media_type: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(body.into())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(CONTENT_TYPE, media_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
