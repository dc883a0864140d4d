//! A real server on loopback, and clients that speak to it by the byte.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc;

use serde_json::Value;

use super::deed::Deed;
use super::stage::{Format, Refused};
use super::*;
use crate::model::clock::Usec;
use crate::page::hub::After;
use crate::page::ring::{Bounds, Keep};

/// Longer than anything here takes on a busy computer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stage that keeps what it was asked for.
#[derive(Debug, Default)]
struct Boards {
    deeds: Mutex<Vec<Deed>>,
    /// A restart waits for this to be dropped or sent to.
    curtain: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Stage for Boards {
    fn deed(&self, deed: Deed) -> Result<String, Refused> {
        self.deeds.lock().unwrap().push(deed.clone());
        match deed {
            Deed::Restart => {
                let curtain = self.curtain.lock().unwrap().take();
                Ok(curtain
                    .map_or("restarted", |curtain| curtain.recv().map_or("late", |()| "later"))
                    .to_owned())
            }
            Deed::Inject { fault } if fault == "busy" => Err(Refused::NotNow("a fault is in effect".into())),
            Deed::Inject { fault } if fault == "panic" => panic!("a bug of the stage's"),
            Deed::Inject { fault } => Ok(format!("{fault} is in effect")),
            _ => Err(Refused::Impossible("no".into())),
        }
    }

    fn export(&self, format: Format) -> Result<Vec<u8>, Refused> {
        Ok(format!("as {}", format.extension()).into_bytes())
    }

    fn document(&self, token: &str) -> String {
        format!("<!doctype html><meta name=\"token\" content=\"{token}\">")
    }
}

struct House {
    server: Server,
    hub: Hub,
    stage: Arc<Boards>,
}

fn house(limits: Limits, bounds: Bounds) -> House {
    let assets = Assets { script: "export {};", style: "p {}", icon: "<svg/>" };
    let (hub, stage) = (Hub::new(bounds), Arc::new(Boards::default()));
    let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let options = Options { listen, limits, ..Options::new(assets) };
    let server = Server::start(&options, hub.clone(), Arc::clone(&stage)).expect("it starts");
    House { server, hub, stage }
}

fn usual() -> House {
    house(Limits::default(), Bounds::default())
}

/// An answer, as it came.
#[derive(Debug)]
struct Heard {
    status: u16,
    head: String,
    body: String,
}

impl Heard {
    fn header(&self, name: &str) -> Option<&str> {
        let is_it =
            |line: &&str| line.split_once(':').is_some_and(|(said, _)| said.eq_ignore_ascii_case(name));
        self.head.lines().find(is_it).and_then(|line| line.split_once(": ")).map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

impl House {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        stream
    }

    fn host(&self) -> String {
        format!("localhost:{}", self.server.address().port())
    }

    /// Sends this as it is, but for the host, and hears the answer to its end.
    fn says(&self, request: &str) -> Heard {
        let mut stream = self.connect();
        stream.write_all(request.replace("HOST", &self.host()).as_bytes()).expect("it reads");
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("an end");
        heard(&all)
    }

    fn get(&self, path: &str) -> Heard {
        self.says(&format!("GET {path} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"))
    }

    /// A deed as the page sends it, with other headers where they are given and without those that are empty.
    fn deed(&self, body: &str, other: &[(&str, &str)]) -> Heard {
        let (host, origin) = (self.host(), format!("http://{}", self.host()));
        let mut headers = vec![
            ("Host", &*host),
            ("Origin", &*origin),
            ("Sec-Fetch-Site", "same-origin"),
            ("X-Hangproof-Token", self.server.token().reveal()),
            ("Content-Type", "application/json"),
        ];
        for &(name, value) in other {
            headers.retain(|header| header.0 != name);
            headers.extend((!value.is_empty()).then_some((name, value)));
        }
        let headers =
            headers.iter().fold(String::new(), |text, (name, value)| text + name + ": " + value + "\r\n");
        let length = body.len();
        self.says(&format!(
            "POST /deed HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
    }

    fn tell(&self, text: &str) -> u64 {
        let text = serde_json::to_string(text).expect("JSON");
        let json = |id| format!("{{\"id\":{id},\"kind\":\"line\",\"message\":{text}}}").into();
        self.hub.tell_json(Usec::now(), Keep::Passing, json)
    }

    fn follow(&self, headers: &str) -> Follower {
        let mut stream = self.connect();
        let request = format!("GET /events HTTP/1.0\r\nHost: {}\r\n{headers}\r\n", self.host());
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).expect("a head") > 0, "it ended: {head}");
        }
        Follower { lines, head, id: String::new() }
    }
}

fn heard(all: &[u8]) -> Heard {
    let text = String::from_utf8_lossy(all);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Heard { status, head: head.to_owned(), body: body.to_owned() }
}

/// A client of the events, as a browser is one.
struct Follower {
    lines: BufReader<TcpStream>,
    head: String,
    /// What it would say as `Last-Event-ID`.
    id: String,
}

impl Follower {
    /// The next event and its data; `:` for a sign of life; nothing at the end.
    fn next(&mut self) -> Option<(String, Value)> {
        let (mut event, mut data) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).expect("events") == 0 {
                return None;
            }
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut self.id),
                Some(("event", name)) => name.clone_into(&mut event),
                Some(("data", text)) => data.push_str(text),
                Some(("retry", _)) => {}
                _ if line == "\n" && event.is_empty() => {}
                _ if line == "\n" => return Some((event, serde_json::from_str(&data).expect("JSON"))),
                _ => panic!("{line:?}"),
            }
        }
    }

    /// The ids of tellings until this one; whatever else comes is not expected.
    fn until(&mut self, last: u64) -> Vec<u64> {
        let mut ids = Vec::new();
        while ids.last() != Some(&last) {
            let (event, data) = self.next().expect("it goes on");
            match &*event {
                "telling" => ids.push(data["id"].as_u64().expect("an id")),
                "live" | ":" => {}
                _ => panic!("{event} {data}"),
            }
        }
        ids
    }
}

#[test]
fn the_page_carries_the_token_and_every_answer_keeps_it_to_itself() {
    let house = usual();
    let page = house.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.body.contains(house.server.token().reveal()), "{}", page.body);
    for path in
        ["/", "/page.js", "/page.css", "/export.json", "/health", "/nothing", "/events?after=x", "/deed"]
    {
        let answer = house.get(path);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        let policy = answer.header("content-security-policy").expect(path);
        assert!(
            policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        let is_asset = path.starts_with("/page");
        let cache = if is_asset { "no-cache" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), Some(cache), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[test]
fn an_asset_that_the_browser_has_is_not_sent_again() {
    let house = usual();
    let script = house.get("/page.js");
    assert_eq!((script.status, &*script.body), (200, "export {};"));
    let tag = script.header("etag").expect("a tag");
    let again = |path, tag| {
        house.says(&format!(
            "GET {path} HTTP/1.1\r\nHost: HOST\r\nIf-None-Match: {tag}\r\nConnection: close\r\n\r\n"
        ))
    };
    let same = again("/page.js", tag);
    assert_eq!((same.status, &*same.body, same.header("etag")), (304, "", Some(tag)));
    assert_eq!(again("/page.js", "\"x\"").status, 200);
    assert_eq!(again("/page.css", tag).status, 200, "another's");
}

#[test]
fn each_path_has_its_methods() {
    let house = usual();
    for (method, path, status, allow) in [
        ("GET", "/", 200, None),
        ("HEAD", "/", 200, None),
        ("HEAD", "/events", 200, None),
        ("HEAD", "/export.trace.json", 200, None),
        ("POST", "/", 405, Some("GET, HEAD")),
        ("DELETE", "/events", 405, Some("GET, HEAD")),
        ("OPTIONS", "/deed", 405, Some("POST")),
        ("GET", "/deed", 405, Some("POST")),
        ("GET", "/export", 404, None),
        ("GET", "/export.exe", 404, None),
        ("GET", "//", 404, None),
        ("GET", "/../etc/passwd", 404, None),
        ("BREW", "/nothing", 404, None),
    ] {
        let answer =
            house.says(&format!("{method} {path} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"));
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{method} {path}");
        assert!(method != "HEAD" || answer.body.is_empty(), "{}", answer.body);
    }
}

#[test]
fn an_export_is_a_file_to_keep() {
    let house = usual();
    for format in Format::ALL {
        let answer = house.get(&format!("/export.{}", format.extension()));
        assert_eq!((answer.status, answer.body), (200, format!("as {}", format.extension())));
        let name = format!("attachment; filename=\"hangproof.{}\"", format.extension());
        let header = |name: &str| answer.head.lines().any(|line| line.ends_with(name));
        assert!(header(&name) && header(format.media_type()), "{}", answer.head);
    }
}

#[test]
fn a_page_whose_name_was_made_to_point_here_gets_nothing() {
    let house = usual();
    let port = house.server.address().port();
    for path in ["/", "/page.js", "/events", "/export.json", "/health", "/nothing"] {
        for host in [&*format!("evil.example:{port}"), "evil.example", "localhost.evil.example", ""] {
            let answer =
                house.says(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
            assert_eq!(answer.status, 403, "{host}{path}");
            assert!(!answer.body.contains(house.server.token().reveal()));
        }
        let answer = house.says(&format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n"));
        assert!([400, 403].contains(&answer.status), "{answer:?}");
    }
    assert_eq!(house.deed(r#"{"deed":"restart"}"#, &[("Host", "evil.example")]).status, 403);
    assert_eq!(*house.stage.deeds.lock().unwrap(), []);
}

#[test]
fn a_deed_of_the_pages_own_is_done_and_said() {
    let house = usual();
    let done = house.deed(r#"{"deed":"inject","fault":"mute"}"#, &[]);
    assert_eq!(
        (done.status, done.json()),
        (200, serde_json::json!({"ok": true, "says": "mute is in effect"}))
    );
    let busy = house.deed(r#"{"deed":"inject","fault":"busy"}"#, &[]);
    assert_eq!((busy.status, busy.json()["says"].as_str()), (409, Some("a fault is in effect")));
    assert_eq!(house.deed(r#"{"deed":"heal"}"#, &[]).status, 400);
    assert_eq!(house.deed(r#"{"deed":"inject","fault":"panic"}"#, &[]).status, 500);
    assert_eq!(house.deed(r#"{"deed":"restart"}"#, &[]).json()["says"], "restarted", "it still serves");
    let names = house.stage.deeds.lock().unwrap().iter().map(Deed::name).collect::<Vec<_>>();
    assert_eq!(names, ["inject", "inject", "heal", "inject", "restart"]);
}

#[test]
fn a_deed_that_is_not_the_pages_own_is_not_done() {
    let house = usual();
    let restart = r#"{"deed":"restart"}"#;
    let with = |name, value| house.deed(restart, &[(name, value)]).status;
    assert_eq!(with("Origin", "http://evil.example"), 403);
    assert_eq!(with("Origin", "http://localhost:8080"), 403);
    assert_eq!(with("Origin", "null"), 403);
    assert_eq!(with("Origin", ""), 403);
    assert_eq!(with("Sec-Fetch-Site", "same-site"), 403);
    assert_eq!(with("Sec-Fetch-Site", "cross-site"), 403);
    assert_eq!(with("X-Hangproof-Token", ""), 403);
    assert_eq!(with("X-Hangproof-Token", "0123"), 403);
    assert_eq!(with("X-Hangproof-Token", &house.server.token().reveal()[1..]), 403);
    assert_eq!(with("Content-Type", "text/plain"), 415);
    assert_eq!(with("Content-Type", ""), 415);
    assert_eq!(house.deed("{", &[]).status, 400);
    assert_eq!(house.deed("", &[]).status, 400);
    assert_eq!(house.deed(r#"{"deed":"heal","now":true}"#, &[]).status, 400);
    let long = format!("{restart}{}", " ".repeat(Limits::default().body));
    let refused = house.deed(&long, &[]);
    assert_eq!((refused.status, refused.json()["ok"].as_bool()), (413, Some(false)));
    assert_eq!(*house.stage.deeds.lock().unwrap(), []);
}

#[test]
fn while_a_deed_takes_its_time_all_else_goes_on() {
    let house = usual();
    let restart = r#"{"deed":"restart"}"#;
    let (raise, curtain) = mpsc::channel();
    *house.stage.curtain.lock().unwrap() = Some(curtain);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| house.deed(restart, &[]));
        let until = Instant::now() + PATIENCE;
        while house.stage.deeds.lock().unwrap().is_empty() {
            assert!(Instant::now() < until, "the first deed is not begun");
            std::thread::yield_now();
        }
        // A page is served meanwhile, and other deeds are.
        assert_eq!((house.get("/").status, house.deed(restart, &[]).status), (200, 200));
        raise.send(()).expect("it waits");
        assert_eq!(first.join().unwrap().json()["says"], "later");
    });
}

#[test]
fn a_client_has_what_was_told_and_then_what_is_told() {
    let house = usual();
    house.tell("one");
    house.tell("two");
    let mut client = house.follow("");
    assert!(client.head.contains("content-type: text/event-stream"), "{}", client.head);
    assert!(client.head.contains("cache-control: no-store"), "{}", client.head);
    let mut events = || client.next().expect("it goes on");
    assert_eq!([events().1["message"].clone(), events().1["message"].clone()], ["one", "two"]);
    assert_eq!(events(), ("live".into(), serde_json::json!({"id": 2})));
    house.tell("three");
    assert_eq!(events().1["message"], "three");
    assert_eq!(client.id, format!("3-{:x}", house.hub.run()));
}

#[test]
fn text_that_looks_like_an_event_is_a_text() {
    let house = usual();
    let hostile = "</script>\r\n\r\nevent: stale\r\rdata: {}\n\nid: 99\u{2028}\0\u{1b}[2J";
    house.tell(hostile);
    let mut client = house.follow("");
    let (event, data) = client.next().expect("an event");
    assert_eq!((&*event, data["message"].as_str()), ("telling", Some(hostile)));
    assert_eq!(client.next().expect("an event").0, "live");
}

#[test]
fn a_client_that_comes_again_catches_up_without_a_gap() {
    let house = usual();
    let mut had = Vec::new();
    let mut client = house.follow("");
    for _ in 0..10 {
        for _ in 0..20 {
            house.tell("x");
        }
        // It reads some of them, and breaks off.
        let last = had.last().copied().unwrap_or_default() + 13;
        had.extend(client.until(last));
        client = house.follow(&format!("Last-Event-ID: {}\r\n", client.id));
    }
    had.extend(client.until(200));
    assert!(had.into_iter().eq(1..=200));
}

#[test]
fn a_cursor_that_does_not_lead_here_is_answered_with_stale_and_all_there_is() {
    let house = house(Limits::default(), Bounds { count: 5, ..Bounds::default() });
    for _ in 0..20 {
        house.tell("x");
    }
    let run = house.hub.run();
    for (cursor, restarted) in [
        (format!("3-{run:x}"), false),
        ("3".to_owned(), false),
        ("21".to_owned(), false),
        (format!("18-{:x}", run + 1), true),
    ] {
        let mut client = house.follow(&format!("Last-Event-ID: {cursor}\r\n"));
        let stale = serde_json::json!({"oldest": 16, "restarted": restarted});
        assert_eq!(client.next(), Some(("stale".into(), stale)), "{cursor}");
        assert_eq!(client.until(20), [16, 17, 18, 19, 20]);
    }
    let mut client = house.follow("Last-Event-ID: 18\r\n");
    assert_eq!(client.until(20), [19, 20]);
    assert_eq!(house.get("/events?after=x").status, 400);
}

#[test]
fn a_client_that_lags_is_told_of_the_gap_and_comes_again() {
    let house = house(Limits::default(), Bounds { count: 50, ..Bounds::default() });
    let mut client = house.follow("");
    let text = "x".repeat(64 << 10);
    assert_eq!(client.next().expect("it is live").0, "live");
    // More than lies on the way to a client that does not read: what the kernel takes for it at most, on either side.
    let most = 200;
    for _ in 0..most {
        house.tell(&text);
    }
    let (mut ids, mut gap) = (Vec::new(), None);
    while let Some((event, data)) = client.next() {
        match &*event {
            "telling" => ids.push(data["id"].as_u64().expect("an id")),
            "gap" => gap = Some((data["from"].as_u64().expect("an id"), data["to"].as_u64().expect("an id"))),
            _ => assert_eq!(event, ":"),
        }
    }
    // The connection is closed, and nothing is missing that was not said to be.
    let (from, to) = gap.expect("a gap was told");
    assert!(ids.iter().copied().eq(1..from), "{ids:?}, then {from} to {to}");
    assert!(to > from && to <= most - 50, "{from} to {to}");
    let mut client = house.follow(&format!("Last-Event-ID: {}\r\n", client.id));
    assert_eq!(client.next().expect("it goes on").0, "stale");
    assert!(client.until(most).into_iter().eq(most - 49..=most));
}

#[test]
fn a_stream_in_which_nothing_happens_shows_that_it_is_alive() {
    let house =
        house(Limits { keep_alive: Duration::from_millis(20), ..Limits::default() }, Bounds::default());
    let mut client = house.follow("");
    let events = [(); 3].map(|()| client.next().expect("it goes on").0);
    assert_eq!(events, ["live", "alive", "alive"]);
}

#[test]
fn a_client_that_is_gone_leaves_its_seat() {
    let house = house(Limits { streams: 2, ..Limits::default() }, Bounds::default());
    let (first, second) = (house.follow(""), house.follow(""));
    assert_eq!(house.server.followers(), 2);
    let third = house.follow("");
    assert!(
        third.head.starts_with("HTTP/1.0 503") && third.head.contains("retry-after: 5"),
        "{}",
        third.head
    );
    assert_eq!(house.get("/").status, 200, "the page is served all the same");
    drop((first, third));
    let until = Instant::now() + PATIENCE;
    while house.server.followers() > 1 {
        assert!(Instant::now() < until, "the seat is not free");
        std::thread::yield_now();
    }
    let mut next = house.follow("");
    assert_eq!(next.next().expect("it goes on").0, "live");
    drop(second);
}

/// Reads until the server closes the connection, or says what came instead.
fn closes(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    match stream.read_to_end(&mut text) {
        Ok(_) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => "reset".to_owned(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn who_is_slow_with_its_request_is_shed() {
    let short = Duration::from_millis(200);
    let limits = Limits { head_deadline: short, body_deadline: short, ..Limits::default() };
    let house = house(limits, Bounds::default());
    // Nothing, a part of a head, and nothing more after an answer.
    for begin in
        ["", "GET / HTTP/1.1\r\nHost: localhost\r\nX-", "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"]
    {
        let mut stream = house.connect();
        stream.write_all(begin.as_bytes()).expect("it reads");
        let end = closes(stream);
        assert!(begin.ends_with("\r\n\r\n") == end.starts_with("HTTP/1.1 200"), "{begin:?}: {end}");
    }
    // A head that comes on, byte by byte, and would for ever.
    let mut stream = house.connect();
    let mut writer = stream.try_clone().expect("a copy");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = writer.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n");
            let until = Instant::now() + PATIENCE;
            while writer.write_all(b"X: y\r\n").is_ok() && Instant::now() < until {
                std::thread::park_timeout(Duration::from_millis(20));
            }
        });
        let begin = Instant::now();
        let _ = stream.read(&mut [0; 4096]);
        assert!(begin.elapsed() < PATIENCE / 2, "{:?}", begin.elapsed());
        let _ = stream.shutdown(std::net::Shutdown::Both);
    });
    // A body that does not come.
    let late = house.says(&format!(
        "POST /deed HTTP/1.1\r\nHost: HOST\r\nOrigin: http://HOST\r\nX-Hangproof-Token: {}\r\nContent-Type: application/json\r\n\
         Content-Length: 9\r\n\r\n{{",
        house.server.token().reveal()
    ));
    assert_eq!((late.status, late.json()["ok"].as_bool()), (408, Some(false)));
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let house = usual();
    let long = format!("GET / HTTP/1.1\r\nHost: HOST\r\nX: {}\r\n\r\n", "x".repeat(BUFFER * 2));
    let mut stream = house.connect();
    let _ = stream.write_all(long.as_bytes());
    let end = closes(stream);
    assert!(end.starts_with("HTTP/1.1 431") || end == "reset", "{end}");
    let many = format!("GET / HTTP/1.1\r\nHost: HOST\r\n{}\r\n", "X: y\r\n".repeat(500));
    assert_eq!(house.says(&many).status, 431);
}

#[test]
fn who_finds_no_seat_has_one_when_those_that_idle_are_shed() {
    let limits = Limits { others: 3, head_deadline: Duration::from_millis(300), ..Limits::default() };
    let house = house(limits, Bounds::default());
    let idle = (0..10).map(|_| house.connect()).collect::<Vec<_>>();
    let page = house.get("/health");
    assert_eq!(page.status, 200);
    assert!(page.json()["connections"].as_u64() <= Some(3), "{}", page.body);
    drop(idle);
}

#[test]
fn a_client_that_does_not_read_is_shed() {
    let limits = Limits { patience: Duration::from_millis(300), ..Limits::default() };
    let house = house(limits, Bounds::default());
    let _client = house.follow("");
    let text = "x".repeat(64 << 10);
    let until = Instant::now() + PATIENCE;
    while house.server.followers() > 0 {
        assert!(Instant::now() < until, "it holds its seat");
        house.tell(&text);
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn a_server_that_is_dropped_is_gone_with_its_connections() {
    let house = usual();
    let mut client = house.follow("");
    assert_eq!(client.next().expect("it is live").0, "live");
    let (address, token) = (house.server.address(), house.server.token().reveal().to_owned());
    drop(house.server);
    assert_eq!(client.next(), None);
    assert!(TcpStream::connect(address).is_err(), "nobody listens");
    let again = usual();
    assert_ne!(again.server.token().reveal(), token);
    assert_eq!(again.hub.subscribe(After::default()).had(), 0);
}

#[test]
fn a_port_that_is_taken_is_an_error_with_its_remedy() {
    let house = usual();
    let assets = Assets { script: "", style: "", icon: "" };
    let options = Options { listen: house.server.address(), ..Options::new(assets) };
    let error =
        Server::start(&options, Hub::default(), Arc::new(Boards::default())).expect_err("it is taken");
    assert!(error.to_string().ends_with("Another program has the port; --listen chooses another"), "{error}");
    assert_eq!(house.server.url(), format!("http://localhost:{}/", house.server.address().port()));
}
