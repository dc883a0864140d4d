//! Our judgement beside curl's, of some hundred answers: odd, broken, cut, in two pieces, and without end.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use super::super::*;

/// Odd, but an answer all the same.
const STATUS_LINES: &[(&str, &str)] = &[
    ("ordinary", "HTTP/1.1 200 OK"),
    ("no reason", "HTTP/1.1 200"),
    ("no reason but a blank", "HTTP/1.1 200 "),
    ("1.0", "HTTP/1.0 200 OK"),
    ("1.2", "HTTP/1.2 200 OK"),
    ("2", "HTTP/2 200"),
    ("2.0", "HTTP/2.0 200"),
    ("0.9", "HTTP/0.9 200 OK"),
    ("version of two digits", "HTTP/1.10 200 OK"),
    ("no version", "HTTP 200 OK"),
    ("small letters", "http/1.1 200 OK"),
    ("two blanks", "HTTP/1.1  200 OK"),
    ("tab", "HTTP/1.1\t200 OK"),
    ("status of two digits", "HTTP/1.1 20 OK"),
    ("status of four digits", "HTTP/1.1 2000 OK"),
    ("no status", "HTTP/1.1 OK"),
    ("reason at once", "HTTP/1.1 200OK"),
    ("reason in Latin-1", "HTTP/1.1 200 \u{e9}\u{1}"),
    ("another protocol", "SSH-2.0-OpenSSH_9.2"),
    ("301", "HTTP/1.1 301 Moved"),
    ("404", "HTTP/1.1 404 Not Found"),
    ("503", "HTTP/1.1 503 Down"),
    ("204", "HTTP/1.1 204 No Content"),
    ("304", "HTTP/1.1 304 Not Modified"),
];

/// As the others, where `~` is a line's end.
const HEADERS: &[(&str, &str)] = &[
    ("date", "Date: Mon, 1 Jan 2024 00:00:00 GMT"),
    ("folded", "X-Long: a~ b~\tc: d"),
    ("folded at once", " a"),
    ("blank before the colon", "Set-Cookie : x"),
    ("name with a blank", "X Name: x"),
    ("no name", ": x"),
    ("no colon", "nonsense"),
    ("NUL", "X: a\0b"),
    ("control bytes", "X: a\u{1}\u{7f}b"),
    ("Latin-1 name", "X\u{e9}: x"),
    ("no value", "X:"),
    ("blanks in a line", "X: y~   "),
    ("bracket", "X(: x"),
    ("many", "*"),
    ("location", "Location: /elsewhere"),
    ("connection", "Connection: close"),
];

/// What tells where the body ends, and the body, in which `~` is a line's end too.
const BODIES: &[(&str, &str, &str)] = &[
    ("length", "Content-Length: 2", "ok"),
    ("length twice in a line", "Content-Length: 2, 2", "ok"),
    ("length twice", "Content-Length: 2~Content-Length: 2", "ok"),
    ("two lengths in a line", "Content-Length: 2, 3", "ok"),
    ("two lengths", "Content-Length: 3~Content-Length: 2", "ok"),
    ("length with more", "Content-Length: 2;x", "ok"),
    ("length with a sign", "Content-Length: +2", "ok"),
    ("negative length", "Content-Length: -2", "ok"),
    ("length in words", "Content-Length: two", "ok"),
    ("no length in it", "Content-Length:", "ok"),
    ("length with blanks", "Content-Length: \t02 ", "ok"),
    ("length behind a blank", "Content-Length : 2", "ok"),
    ("length folded", "Content-Length:~ 2", "ok"),
    ("length too large", "Content-Length: 99999999999999999999", "ok"),
    ("length larger than i64", "Content-Length: 9223372036854775808", "ok"),
    ("length 0", "content-length: 0", ""),
    ("more than the length", "Content-Length: 2", "okok"),
    ("less than the length", "Content-Length: 9", "ok"),
    ("until closed", "X: y", "ok"),
    ("nothing until closed", "X: y", ""),
    ("chunked", "Transfer-Encoding: chunked", "2~ok~0~~"),
    ("two chunks", "transfer-encoding: CHUNKED", "1;a=b~o~001 ~k~0~X: y~~"),
    ("chunked and a length", "Content-Length: 7~Transfer-Encoding: chunked", "2~ok~0~~"),
    ("chunked and a strange length", "Transfer-Encoding: chunked~Content-Length: two", "2~ok~0~~"),
    ("chunked without trailers", "Transfer-Encoding: chunked", "2~ok~0~"),
    ("chunk without end", "Transfer-Encoding: chunked", "2~ok"),
    ("chunk of nonsense", "Transfer-Encoding: chunked", "zz~ok~0~~"),
    ("chunk too long", "Transfer-Encoding: chunked", "1~ok~0~~"),
    ("huge chunk", "Transfer-Encoding: chunked", "fffffffffffffffff~ok~0~~"),
    ("chunk of many digits", "Transfer-Encoding: chunked", "00000000000000000002~ok~0~~"),
    ("identity", "Transfer-Encoding: identity~Content-Length: 2", "ok"),
    ("chunked in a list", "Transfer-Encoding: identity, chunked", "2~ok~0~~"),
];

/// What may stand in front of it all.
const FRONTS: &[(&str, &str)] = &[
    ("interim", "HTTP/1.1 100 Continue~~"),
    ("hints", "HTTP/1.1 103 Early Hints~Link: </a>~~"),
    ("empty line", "~"),
];

/// Where we may take for healthy what curl does not, and why. What curl takes, we take.
const LENIENT: &[(&str, &str)] = &[
    (
        "empty line",
        "one line end too many, as behind an answer before; it is passed over in front of a request, too",
    ),
    ("1.2", "a minor version that is not known is read like the highest that is: RFC 9110, section 2.5"),
    ("tab", "a blank like another"),
    ("reason at once", "the status is there"),
    ("folded at once", "a header that is not needed: the status line decides"),
    ("no colon", "a header that is not needed"),
    ("NUL", "a header that is not needed"),
    ("no length in it", "no length, so until the connection is closed, as without the header"),
    ("length folded", "curl reads no second line; RFC 9112, section 5.2, has us read it"),
    ("chunked and a strange length", "a length beside chunks is not needed"),
    ("chunked without trailers", "the last chunk is the end of the body: nothing behind it is needed"),
    ("chunk of many digits", "curl reads 16; these are zeroes"),
];

/// Where curl takes for healthy what we do not, and why.
const STRICT: &[(&str, &str)] = &[
    ("head cut off", "a connection that was closed in the middle of a head: curl takes it for the end of it"),
    (
        "two lengths",
        "RFC 9112, section 6.3: an error that cannot be recovered from; browsers refuse it, curl takes the last",
    ),
    ("two lengths in a line", "likewise; curl takes the first"),
];

struct Case {
    /// What is odd about it.
    traits: Vec<&'static str>,
    bytes: Vec<u8>,
    /// Where it is cut in two.
    cut: usize,
    /// The connection stays open.
    held: bool,
}

/// In Latin-1, so that every byte can be written.
fn latin_1(text: &str, line_end: &str) -> Vec<u8> {
    let many = "X-Many: x~".repeat(129);
    let text = text.replace('*', many.trim_end_matches('~')).replace('~', line_end);
    text.chars().map(|character| u8::try_from(u32::from(character)).expect("Latin-1")).collect()
}

fn cases() -> Vec<Case> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut cases = Vec::new();
    // Each oddity alone, then together.
    for status_line in STATUS_LINES {
        cases.push(case(&mut random, &[], *status_line, &[], BODIES[0]));
    }
    for header in HEADERS {
        cases.push(case(&mut random, &[], STATUS_LINES[0], &[*header], BODIES[0]));
    }
    for body in BODIES {
        cases.push(case(&mut random, &[], STATUS_LINES[0], &[], *body));
    }
    for front in FRONTS {
        cases.push(case(&mut random, &[*front], STATUS_LINES[0], &[], BODIES[0]));
    }
    for _ in 0..400 {
        let front: Vec<_> = FRONTS.iter().copied().filter(|_| random.u8(..8) == 0).collect();
        let status_line = STATUS_LINES[if random.bool() { 0 } else { random.usize(..STATUS_LINES.len()) }];
        let headers: Vec<_> = HEADERS.iter().copied().filter(|_| random.u8(..8) == 0).collect();
        let body = BODIES[random.usize(..BODIES.len())];
        cases.push(case(&mut random, &front, status_line, &headers, body));
    }
    cases
}

fn case(
    random: &mut fastrand::Rng,
    fronts: &[(&'static str, &str)],
    (status_trait, status_line): (&'static str, &str),
    headers: &[(&'static str, &str)],
    (body_trait, framing, body): (&'static str, &str, &str),
) -> Case {
    let is_alone = fronts.len() + headers.len() == 0;
    let (mut traits, mut text) = (Vec::new(), String::new());
    for (name, front) in fronts {
        traits.push(*name);
        text.push_str(front);
    }
    traits.extend([status_trait, body_trait]);
    // Writing to a string does not fail.
    let _ = write!(text, "{status_line}~");
    for (name, header) in headers {
        traits.push(*name);
        let _ = write!(text, "{header}~");
    }
    let _ = write!(text, "{framing}~~{body}");
    let line_end = if is_alone || random.u8(..4) > 0 { "\r\n" } else { "\n" };
    let mut bytes = latin_1(&text, line_end);
    if !is_alone && random.u8(..8) == 0 {
        let length = random.usize(..bytes.len());
        let end_of_head = bytes.len() - latin_1(body, line_end).len();
        traits.push(if length < end_of_head { "head cut off" } else { "body cut off" });
        bytes.truncate(length);
    }
    let held = !is_alone && random.u8(..8) == 0;
    if held {
        traits.push("held open");
    }
    let cut = random.usize(..=bytes.len());
    Case { traits, bytes, cut, held }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Healthy,
    Unhealthy,
    Waits,
}

fn ours(case: &Case) -> Verdict {
    let expected = Expected::default();
    let mut answer = Answer::new(Question { expected: &expected, follow: None, method: "GET", path: "/" });
    let (first, second) = case.bytes.split_at(case.cut);
    for part in [first, second] {
        answer.buffer().extend_from_slice(part);
        match answer.progress() {
            Ok(Progress::Incomplete) => {}
            Ok(_) => return Verdict::Healthy,
            Err(_) => return Verdict::Unhealthy,
        }
    }
    match answer.closed() {
        _ if case.held => Verdict::Waits,
        Ok(()) => Verdict::Healthy,
        Err(_) => Verdict::Unhealthy,
    }
}

/// Answers whoever asks for `/INDEX` with that case, until it is asked for `/end`.
fn serve(listener: &TcpListener, cases: &[Case]) {
    let mut held = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().expect("a connection");
        let request = crate::probe::testing::read_until(&mut stream, b"\r\n\r\n");
        let path = String::from_utf8_lossy(&request).split(' ').nth(1).expect("a path").to_owned();
        if path == "/end" {
            return;
        }
        let case: &Case = &cases[path[1..].parse::<usize>().expect("an index")];
        stream.set_nodelay(true).expect("no delay");
        let (first, second) = case.bytes.split_at(case.cut);
        // curl may have seen enough of it.
        let _ = stream.write_all(first).and_then(|()| stream.write_all(second));
        if case.held {
            held.push(stream);
        }
    }
}

/// What curl makes of each, or [`None`] where there is no curl.
fn curls(cases: Vec<Case>) -> Option<(Vec<Case>, Vec<Verdict>)> {
    Command::new("curl").arg("--version").stdout(Stdio::null()).status().ok()?;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    // Those that are held open take this long, all at the same time.
    let mut config = format!(
        "silent\nparallel\nparallel-immediate\nparallel-max = 300\nmax-time = 5\nconnect-to = \"::{address}\"\n\
        write-out = \"%{{url_effective}} %{{exitcode}} %{{response_code}}\\n\"\n"
    );
    for index in 0..cases.len() {
        // A host of its own, so that no connection is used twice.
        let _ = write!(config, "url = \"http://a{index}.invalid/{index}\"\noutput = /dev/null\n");
    }
    let server = std::thread::spawn(move || {
        serve(&listener, &cases);
        cases
    });
    let mut curl = Command::new("curl")
        .args(["-q", "--noproxy", "*", "--config", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Where it draws how far it is.
        .stderr(Stdio::null())
        .spawn()
        .expect("curl");
    curl.stdin.take().expect("a pipe").write_all(config.as_bytes()).expect("to tell it");
    let mut said = String::new();
    curl.stdout.take().expect("a pipe").read_to_string(&mut said).expect("its words");
    curl.wait().expect("curl's end");
    TcpStream::connect(address)
        .expect("a connection")
        .write_all(b"GET /end HTTP/1.1\r\n\r\n")
        .expect("to ask");
    let cases = server.join().expect("the server's part");
    let mut verdicts = vec![None; cases.len()];
    for line in said.lines() {
        let (url, outcome) = line.split_once(' ').expect("two words");
        let index: usize = url.rsplit('/').next().expect("a path").parse().expect("an index");
        let (exit_code, status) = outcome.split_once(' ').expect("three words");
        verdicts[index] = Some(match (exit_code, status.parse::<u16>().expect("a number")) {
            ("0", 200..=399) => Verdict::Healthy,
            ("28", _) => Verdict::Waits,
            _ => Verdict::Unhealthy,
        });
    }
    let verdicts = verdicts.into_iter().map(|verdict| verdict.expect("curl's word")).collect();
    Some((cases, verdicts))
}

#[test]
fn what_curl_takes_is_healthy_and_every_difference_has_a_reason() {
    let Some((cases, verdicts)) = curls(cases()) else {
        eprintln!("skipped: there is no curl");
        return;
    };
    let (mut used, mut unexplained) = (BTreeSet::new(), String::new());
    for (case, curls) in cases.iter().zip(verdicts) {
        let ours = ours(case);
        let table = match (ours, curls) {
            _ if ours == curls => continue,
            (Verdict::Healthy, _) | (Verdict::Waits, Verdict::Unhealthy) => LENIENT,
            _ => STRICT,
        };
        match table.iter().find(|(name, _)| case.traits.contains(name)) {
            Some((name, _)) => {
                used.insert(*name);
            }
            None => {
                let _ = writeln!(
                    unexplained,
                    "{ours:?}, curl {curls:?}: {:?} {}",
                    case.traits,
                    case.bytes.escape_ascii()
                );
            }
        }
    }
    assert!(unexplained.is_empty(), "\n{unexplained}");
    for (name, why) in LENIENT.iter().chain(STRICT) {
        assert!(used.contains(name), "no difference any more, because of {name}: {why}");
    }
}
