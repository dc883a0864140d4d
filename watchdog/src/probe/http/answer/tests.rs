use proptest::prelude::*;

use super::*;

mod against_curl;

/// Feeds `parts` one by one, then closes the connection; says after how many parts it was decided, and what.
fn outcome(parts: &[&[u8]]) -> (usize, Result<(), String>) {
    judge(&Expected::default(), "GET", parts)
}

/// The same with other expectations.
fn judge(expected: &Expected, method: &str, parts: &[&[u8]]) -> (usize, Result<(), String>) {
    let origin = Origin::new("http", "127.0.0.1", 8080);
    let follow = expected.follow.then_some(&origin);
    let mut answer = Answer::new(Question { expected, follow, method, path: "/a/healthz" });
    for (index, part) in parts.iter().enumerate() {
        answer.buffer().extend_from_slice(part);
        match answer.progress() {
            Ok(Progress::Incomplete) => {}
            Ok(Progress::Complete) => return (index + 1, Ok(())),
            Ok(Progress::Redirect { status, path }) => {
                return (index + 1, Err(format!("{status} to {path}")));
            }
            Err(reason) => return (index + 1, Err(reason.to_string())),
        }
    }
    (parts.len() + 1, answer.closed().map_err(|reason| reason.to_string()))
}

const LONG: &[u8] = &[b'x'; LIMIT];

#[test]
fn a_complete_answer_with_status_200_to_399_is_healthy_as_soon_as_it_is_complete() {
    for (decided_after, parts) in [
        (1, &[&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"[..]][..]),
        (2, &[b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no", b"k", b"more"]),
        (1, &[b"HTTP/1.1 204 No Content\r\n\r\n"]),
        (1, &[b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"]),
        (1, &[b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"]),
        (3, &[b"HTTP/1.0 200 OK\r\n\r\n", b"until closed"]),
        (2, &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r", b"\n0\r\n", b"\r\n"]),
        (3, &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", b"zz"]),
        (2, &[b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]),
        (2, &[b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", LONG, b"never read"]),
        (2, &[b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", LONG]),
    ] {
        assert_eq!(outcome(parts), (decided_after, Ok(())), "{}", excerpt(parts[0]));
    }
}

#[test]
fn anything_else_is_unhealthy_with_a_reason() {
    for (expected, parts) in [
        ("status 503", &[&b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 99\r\n\r\n"[..]][..]),
        ("status 404", &[b"HTTP/1.1 404 Not Found\r\n\r\n"]),
        ("status 101", &[b"HTTP/1.1 101 Switching Protocols\r\n\r\n"]),
        ("connection closed before an answer", &[]),
        ("connection closed in the middle of the answer", &[b"HTTP/1.1 20"]),
        ("connection closed in the middle of the answer", &[b"HTTP/1.1 100 Continue\r\n\r\n"]),
        (
            "connection closed in the middle of the answer",
            &[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"],
        ),
        (
            "connection closed in the middle of the answer",
            &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok"],
        ),
        (
            "not an HTTP answer: invalid HTTP version: \"SSH-2.0-OpenSSH_9.2\\r\\n\"",
            &[b"SSH-2.0-OpenSSH_9.2\r\n"],
        ),
        ("not an HTTP answer: invalid HTTP version: \"\\x15\\x03\\x01\"", &[b"\x15\x03\x01"]),
        (
            "not an HTTP answer: its Content-Length is not a number",
            &[b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n"],
        ),
        (
            "not an HTTP answer: its Content-Length is not a number",
            &[b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
        ),
        (
            "not an HTTP answer: its body has a broken chunk",
            &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
        ),
        (
            "not an HTTP answer: its body has a broken chunk",
            &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", &LONG[..1024]],
        ),
        (
            "not an HTTP answer: its body has a broken chunk",
            &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0;", &LONG[..1024], b"\r\n\r\n"],
        ),
        ("not an HTTP answer: its head is longer than 64 KiB", &[b"HTTP/1.1 200 OK\r\nX: ", LONG]),
        (
            "not an HTTP answer: invalid HTTP status: \"HTTP/1.1 \\r\\n200 OK\\r\\n\\r\\n\"",
            &[b"HTTP/1.1 \r\n200 OK\r\n\r\n"],
        ),
    ] {
        assert_eq!(outcome(parts).1, Err(expected.to_owned()));
    }
}

#[test]
fn the_status_line_decides_and_what_is_not_needed_is_passed_over() {
    let many = "X: y\r\n".repeat(129);
    for head in [
        "HTTP/1.1 200 OK\r\nX-Long: a\r\n b\r\n\tContent-Length: 99",
        "HTTP/1.1 200 OK\r\nSet-Cookie : x",
        "HTTP/1.1 200 OK\r\nX Name: x\r\nnonsense\r\n: x\r\n(: x",
        "HTTP/1.1 200 OK\r\nX: a\0b\u{1}\u{7f}",
        "HTTP/1.1 200 OK\nX: y",
        "HTTP/1.1 200",
        "HTTP/1.0  200  OK",
        "\r\nHTTP/1.9\t200\r\n\u{e9}: \u{e9}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2,2",
        "HTTP/1.1 200 OK\r\ncontent-length : 2",
        &format!("HTTP/1.1 200 OK\r\n{many}X: y"),
    ] {
        let answer = format!("{head}\r\nContent-Length: 2\r\n\r\nok");
        assert_eq!(outcome(&[answer.as_bytes()]), (1, Ok(())), "{head:?}");
        // Also where every byte comes alone.
        let bytes: Vec<&[u8]> = answer.as_bytes().chunks(1).collect();
        assert_eq!(outcome(&bytes), (bytes.len(), Ok(())), "{head:?}");
    }
    let chunks = b"HTTP/1.1 200 OK\nTransfer-Encoding: x, Chunked\nContent-Length: two\n\n2 ;x\nok\n0\n";
    assert_eq!(outcome(&[chunks]), (1, Ok(())));
    for status_line in ["HTTP/1.1 20", "HTTP/1.1 2000 OK", "HTTP/1.1 OK", "HTTP/4.0 200 OK", "HTTP 200 OK"] {
        let (_, outcome) = outcome(&[format!("{status_line}\r\n").as_bytes()]);
        let reason = outcome.expect_err(status_line);
        assert!(reason.starts_with("not an HTTP answer: invalid HTTP "), "{status_line}: {reason}");
    }
    for lengths in ["2, 3", "2\r\nContent-Length: 3"] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {lengths}\r\n\r\nok");
        let reason = "not an HTTP answer: its Content-Length is not one number";
        assert_eq!(outcome(&[answer.as_bytes()]).1, Err(reason.to_owned()));
    }
}

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn wanting(text: &str) -> Expected {
    Expected { text: Some(text.to_owned()), ..Expected::default() }
}

#[test]
fn the_body_is_judged_when_it_is_all_there_or_the_text_is() {
    for (decided_after, expected, parts) in [
        (2, "", &[&b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nall"[..], b"ok"][..]),
        (1, "does not contain \"allok\" (\"all\")", &[b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nallok"]),
        (2, "", &[b"HTTP/1.0 200 OK\r\n\r\nal", b"lok"]),
        (3, "", &[b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"\xffa", b"llok\xff", b"never read"]),
        (3, "", &[CHUNKED, b"9\r\nal", b"lok", b"never read"]),
        (3, "", &[CHUNKED, b"1\r\na\r\n1\r\nl\r\n5\r\nl", b"ok\r\nno size"]),
        (1, "", &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nallok\r\nno size"]),
        (2, "not an HTTP answer: its body has a broken chunk", &[CHUNKED, b"4\r\nallo\r\nk"]),
        (3, "does not contain \"allok\" (\"allo\")", &[b"HTTP/1.0 200 OK\r\n\r\nal", b"lo"]),
        (3, "", &[CHUNKED, b"3\r\nall\r\n2;x=y\r\no", b"k\r\n0\r\n\r\n"]),
        (2, "does not contain \"allok\" (\"al\")", &[CHUNKED, b"2\r\nal\r\n0\r\nTrailer: allok\r\n\r\n"]),
        (1, "does not contain \"allok\" (\"\")", &[b"HTTP/1.1 204 No Content\r\n\r\nallok"]),
        (1, "status 500", &[b"HTTP/1.1 500 Oh\r\n\r\nallok"]),
    ] {
        let (after, outcome) = judge(&wanting("allok"), "GET", parts);
        assert_eq!(after, decided_after, "{expected}");
        let reason = outcome.err().unwrap_or_default();
        assert_eq!(reason.trim_start_matches("body "), expected);
    }
}

#[test]
fn a_long_body_is_read_to_1_mib_where_it_decides() {
    let head = &b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"[..];
    let parts: Vec<&[u8]> = std::iter::once(head).chain(std::iter::repeat_n(LONG, 20)).collect();
    assert_eq!(
        judge(&wanting("ok"), "GET", &parts),
        (17, Err("body does not contain \"ok\" in its first 1 MiB".to_owned()))
    );
    assert_eq!(judge(&wanting("xx"), "GET", &parts), (2, Ok(())));
    assert_eq!(judge(&Expected::default(), "GET", &parts), (2, Ok(())));
}

#[cfg(feature = "regex")]
#[test]
fn a_regular_expression_looks_at_the_first_64_kib_of_the_body() {
    let pattern =
        |pattern: &str| Expected { pattern: Expected::pattern(pattern).ok(), ..Expected::default() };
    let head = &b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"[..];
    let not_found = Err("body does not match \"o+k\" in its first 64 KiB".to_owned());
    assert_eq!(judge(&pattern("o+k"), "GET", &[head, LONG, b"ok"]), (2, not_found.clone()));
    assert_eq!(judge(&pattern("^x"), "GET", &[head, LONG]), (2, Ok(())));
    // What matches so far may not match in the end.
    let parts = [&b"HTTP/1.0 200 OK\r\n\r\n"[..], b"up", b" and down"];
    assert_eq!(judge(&pattern("^up"), "GET", &parts), (4, Ok(())));
    let (after, outcome) = judge(&pattern("^up$"), "GET", &parts);
    assert_eq!((after, outcome.is_err()), (4, true));
    // Also where a text lets more be read.
    let both = Expected { text: Some("ok".to_owned()), ..pattern("o+k") };
    let short = b"HTTP/1.0 200 OK\r\n\r\n";
    assert_eq!(judge(&both, "GET", &[short, LONG, b"ok"]), (4, not_found));
}

#[test]
fn an_answer_to_head_has_no_body_whatever_it_says() {
    for head in [&b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"[..], CHUNKED, b"HTTP/1.0 200 OK\r\n\r\n"] {
        assert_eq!(judge(&Expected::default(), "HEAD", &[head]), (1, Ok(())));
    }
}

#[test]
fn a_status_that_is_expected_is_healthy() {
    let expected = Expected { statuses: "101,503".parse().ok(), ..Expected::default() };
    for (answer, outcome) in [
        (&b"HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"[..], Ok(())),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", Ok(())),
        (b"HTTP/1.1 200 OK\r\n\r\n", Err("status 200, expected 101,503".to_owned())),
    ] {
        assert_eq!(judge(&expected, "GET", &[answer]), (1, outcome));
    }
}

#[test]
fn a_redirect_is_followed_where_it_stays_and_an_answer_where_it_does_not() {
    let expected = Expected { follow: true, ..Expected::default() };
    for (answer, outcome) in [
        (&b"HTTP/1.1 302 Found\r\nLocation: ../b\r\n\r\n"[..], (1, Err("302 to /b".to_owned()))),
        (b"HTTP/1.1 302 Found\r\nLocation: http://example.org/\r\nContent-Length: 0\r\n\r\n", (1, Ok(()))),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", (1, Ok(()))),
        (b"HTTP/1.1 304 Not Modified\r\nLocation: /b\r\n\r\n", (1, Ok(()))),
        (b"HTTP/1.1 201 Created\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", (1, Ok(()))),
    ] {
        assert_eq!(judge(&expected, "GET", &[answer]), outcome);
    }
}

#[test]
fn interim_answers_without_end_are_none() {
    let hints = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000);
    let (after, outcome) = outcome(&[&hints[..], &hints, &hints, &hints]);
    let reason = "not an HTTP answer: only interim answers, and no end of them";
    assert_eq!((after, outcome), (3, Err(reason.to_owned())));
}

#[test]
fn a_head_that_drips_is_not_parsed_with_every_byte() {
    let head = [b"HTTP/1.1 200 OK\r\nX: ", &LONG[..60_000], b"\r\nContent-Length: 0\r\n\r\n"].concat();
    let expected = Expected::default();
    let question = Question { expected: &expected, follow: None, method: "GET", path: "/" };
    let mut answer = Answer::new(question);
    let before = std::time::Instant::now();
    for (index, byte) in head.iter().enumerate() {
        answer.buffer().push(*byte);
        let complete = answer.progress().expect("an answer") == Progress::Complete;
        assert_eq!(complete, index + 1 == head.len());
    }
    // Parsed with every byte, it takes a minute.
    assert!(before.elapsed().as_secs() < 10, "{:?}", before.elapsed());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_how_they_are_cut_does_not_matter(
        head in prop_oneof![Just(&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..]), Just(&b""[..])],
        tail in proptest::collection::vec(any::<u8>(), 0..200),
        cut in 0_usize..200,
    ) {
        let whole = [head, &tail].concat();
        let (first, second) = whole.split_at(cut.min(whole.len()));
        prop_assert_eq!(outcome(&[&whole]).1.is_ok(), outcome(&[first, second]).1.is_ok());
    }
}
