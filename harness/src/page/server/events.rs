//! `GET /events`: the tellings as server-sent events, from the client's cursor on and without an end.

use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use hyper::http::request::Parts;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use crate::page::hub::{After, Subscription};
use crate::page::ring::{Entry, Given};

/// How much of the ring is handed to a client at once, in bytes: what a client takes of our memory.
const CHUNK: usize = 32 << 10;
/// How long a browser waits before it comes again.
const RETRY: Duration = Duration::from_secs(1);

/// An endless body. Its seat is free again when it is dropped, and with it goes whoever fills it.
#[derive(Debug)]
pub struct Events {
    chunks: mpsc::Receiver<Bytes>,
    _seat: OwnedSemaphorePermit,
}

impl Events {
    /// What follows in `subscription`; where there is nothing for so long, a sign of life.
    pub fn new(
        subscription: Subscription,
        run: u64,
        keep_alive: Duration,
        seat: OwnedSemaphorePermit,
    ) -> Self {
        // One is on its way and one waits: a client that does not read is not read for.
        let (sender, chunks) = mpsc::channel(1);
        tokio::spawn(pump(subscription, run, keep_alive, sender));
        Self { chunks, _seat: seat }
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.chunks.poll_recv(context).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

/// Fills the body until the client is gone, or lags.
async fn pump(mut client: Subscription, run: u64, keep_alive: Duration, chunks: mpsc::Sender<Bytes>) {
    let mut text = format!("retry: {}\n\n", RETRY.as_millis());
    if let Some(stale) = client.stale() {
        let data = format!(r#"{{"oldest":{},"restarted":{}}}"#, stale.oldest, stale.restarted);
        frame(&mut text, None, "stale", &data);
    }
    let mut is_live = false;
    loop {
        match client.next(CHUNK) {
            Given::Next(entries) if entries.is_empty() && !is_live => {
                is_live = true;
                frame(&mut text, None, "live", &format!(r#"{{"id":{}}}"#, client.had()));
            }
            Given::Next(entries) if entries.is_empty() => {
                let more = tokio::select! {
                    more = timeout(keep_alive, client.more()) => more.is_ok(),
                    () = chunks.closed() => return,
                };
                if more {
                    continue;
                }
                // Of a comment a browser tells its page nothing.
                frame(&mut text, None, "alive", "{}");
            }
            Given::Next(entries) => {
                for Entry { id, json } in entries {
                    frame(&mut text, Some(&format!("{id}-{run:x}")), "telling", &json);
                }
            }
            Given::Gap { from, to } => {
                frame(&mut text, None, "gap", &format!(r#"{{"from":{from},"to":{to}}}"#));
                let _ = chunks.send(text.into()).await;
                return;
            }
        }
        if chunks.send(std::mem::take(&mut text).into()).await.is_err() {
            return;
        }
    }
}

/// An event, as the HTML standard frames it. A line end in `data` cannot end it: there are as many fields as lines.
fn frame(text: &mut String, id: Option<&str>, event: &str, data: &str) {
    if let Some(id) = id {
        let _ = writeln!(text, "id: {id}");
    }
    let _ = writeln!(text, "event: {event}");
    for line in data.split("\r\n").flat_map(|line| line.split(['\r', '\n'])) {
        let _ = writeln!(text, "data: {line}");
    }
    text.push('\n');
}

/// Where the client was: `Last-Event-ID`, which a browser says when it comes again, before `?after=`, which it says each time.
pub fn after(request: &Parts) -> Result<After, NoCursor> {
    let header = request.headers.get("last-event-id").map(|value| value.to_str().map_err(|_| NoCursor));
    let mut pairs = request.uri.query().unwrap_or_default().split('&');
    let query = pairs.find_map(|pair| pair.strip_prefix("after="));
    match header.transpose()?.or(query) {
        None | Some("") => Ok(After::default()),
        Some(cursor) => parse(cursor).ok_or(NoCursor),
    }
}

/// What says where the client was cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is the id of an event: a number, or a number and what follows it in the id")]
pub struct NoCursor;

fn parse(cursor: &str) -> Option<After> {
    let (id, run) = match cursor.split_once('-') {
        Some((id, run)) => (id, Some(u64::from_str_radix(run, 16).ok()?)),
        None => (cursor, None),
    };
    Some(After { id: id.parse().ok()?, run })
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    /// The `data` of each event, as a browser's parser has it.
    fn parsed(text: &str) -> Vec<(String, String)> {
        let (mut events, mut event, mut data) = (Vec::new(), String::new(), Vec::new());
        for line in text.split("\r\n").flat_map(|line| line.split(['\r', '\n'])) {
            match line.split_once(": ") {
                Some(("event", name)) => event = name.to_owned(),
                Some(("data", line)) => data.push(line.to_owned()),
                _ if line.is_empty() && !data.is_empty() => {
                    events.push((std::mem::take(&mut event), std::mem::take(&mut data).join("\n")));
                }
                _ => {}
            }
        }
        events
    }

    #[test]
    fn no_text_ends_an_event_or_begins_another() {
        for hostile in [
            "a\n\nevent: stale\ndata: {}\n\n",
            "a\r\rdata: b",
            "a\r\n\r\nid: 9\r\n",
            "\n",
            "\r",
            "",
            ": comment",
            "data: data: x",
            "\u{2028}\u{85}\u{b}\u{c}",
        ] {
            let mut text = String::new();
            frame(&mut text, Some("7-ab"), "telling", hostile);
            frame(&mut text, None, "live", "{}");
            let plain = hostile.replace("\r\n", "\n").replace('\r', "\n");
            let expected = [("telling".to_owned(), plain), ("live".to_owned(), "{}".to_owned())];
            assert_eq!(parsed(&text), expected, "{hostile:?}");
            assert!(text.starts_with("id: 7-ab\nevent: telling\ndata: "), "{text}");
            // JSON of our own has no line end at all.
            let json = serde_json::to_string(hostile).expect("JSON");
            assert!(!json.contains(['\r', '\n']), "{json}");
        }
    }

    #[test]
    fn a_client_says_where_it_was_by_header_or_query() {
        let after = |uri: &str, header: Option<&str>| {
            let mut request = Request::builder().uri(uri);
            if let Some(header) = header {
                request = request.header("Last-Event-ID", header);
            }
            after(&request.body(()).unwrap().into_parts().0)
        };
        let at = |id, run| Ok(After { id, run });
        assert_eq!(after("/events", None), at(0, None));
        assert_eq!(after("/events?after=", Some("")), at(0, None));
        assert_eq!(after("/events?after=7", None), at(7, None));
        assert_eq!(after("/events?x=1&after=7-1f", None), at(7, Some(31)));
        assert_eq!(after("/events?after=7", Some("9-2")), at(9, Some(2)), "the newer");
        for wrong in ["-1", "x", "7-", "7-x", "99999999999999999999", "7 ", "7-1-2"] {
            assert_eq!(after("/events", Some(wrong)), Err(NoCursor), "{wrong}");
        }
    }
}
