//! `inject`, `heal` and `status`: the control endpoint, for people and scripts.

use std::collections::BTreeMap;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use serde_json::Value;
use tokio::runtime;
use tokio::time::timeout;

use crate::cli::{Command, ControlOptions, InjectOptions};
use crate::control::api::FaultRequest;
use crate::control::{ControlAddress, ControlStream, Token};
use crate::error::Error;
use crate::exchange::{Reason, send};

/// How long the control endpoint may take. It answers at once, or not at all.
const DEADLINE: Duration = Duration::from_secs(5);

/// Does what the command says, and prints what the endpoint answers.
pub fn run(control: &ControlOptions, command: Command) -> Result<(), Error> {
    match command {
        Command::Inject(order) => inject(control, order),
        Command::Heal => ask(control, Method::DELETE, "/faults", String::new()),
        Command::Status => ask(control, Method::GET, "/status", String::new()),
    }
}

fn inject(control: &ControlOptions, order: InjectOptions) -> Result<(), Error> {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut parameters = BTreeMap::new();
    for (name, value) in order.parameters {
        if parameters.insert(name.clone(), Value::String(value)).is_some() {
            return Err(Error::GivenTwice(name));
        }
    }
    let order = FaultRequest {
        fault: order.fault,
        after_ms: order.after.map(ms),
        for_ms: order.lasting.map(ms),
        parameters,
    };
    ask(control, Method::POST, "/faults", serde_json::json!(order).to_string())
}

fn ask(control: &ControlOptions, method: Method, path: &str, body: String) -> Result<(), Error> {
    let address = &control.control;
    let token = control.control_token_file.as_deref().map(Token::from_file).transpose()?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
    let answer =
        runtime.block_on(async { timeout(DEADLINE, exchange(address, token, method, path, body)).await });
    let no_answer = |reason: String| Error::NoAnswer { address: address.clone(), reason };
    match answer {
        Ok(Ok((status, text))) if status.is_success() => {
            print(text.trim());
            Ok(())
        }
        Ok(Ok((status, text))) => Err(Error::Refused(reason(status, &text))),
        Ok(Err(error)) => Err(no_answer(error.to_string())),
        Err(_) => Err(no_answer(format!("no answer within {DEADLINE:?}"))),
    }
}

async fn exchange(
    address: &ControlAddress,
    token: Option<Token>,
    method: Method,
    path: &str,
    body: String,
) -> Result<(StatusCode, String), Reason> {
    let mut request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, token.credentials());
    }
    let host = match address {
        ControlAddress::Tcp(address) => address.to_string(),
        ControlAddress::Unix(_) | ControlAddress::Abstract(_) => "localhost".to_owned(),
    };
    let request = request.header(HOST, host).body(Full::new(Bytes::from(body)))?;
    match ControlStream::connect(address).await? {
        ControlStream::Tcp(stream) => send(stream, request).await,
        ControlStream::Unix(stream) => send(stream, request).await,
    }
}

/// What the endpoint gives as its reason, or what there is instead.
fn reason(status: StatusCode, text: &str) -> String {
    let answer: Option<Value> = serde_json::from_str(text).ok();
    let error = answer.as_ref().and_then(|answer| answer["error"].as_str());
    error.map_or_else(|| format!("refused with status {status}"), str::to_owned)
}

fn print(text: &str) {
    use std::io::Write;
    if !text.is_empty() {
        // A reader that has gone away does not undo what was done.
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}
