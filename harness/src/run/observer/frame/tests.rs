//! Answers, whole and not.

use proptest::prelude::*;

use super::*;

/// What an answer that comes in such pieces, and is then closed, is taken for.
fn read<'a>(method: &str, text: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Whole, String> {
    let mut reader = Reader::new(method, text.as_bytes());
    for piece in pieces {
        if let Some(whole) = reader.read(piece)? {
            return Ok(whole);
        }
    }
    reader.close()
}

fn good(status: u16) -> Whole {
    Whole { status, has_text: true }
}

#[test]
fn an_answer_ends_where_http_says() {
    for (method, answer, expected) in [
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", good(200)),
        ("GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", good(200)),
        ("GET", "HTTP/1.0 302 Found\r\nLocation: /x\r\n\r\nuntil it is closed", good(302)),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", good(204)),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 70\r\n\r\n", good(304)),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n", good(200)),
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", good(200)),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nA;x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
            good(200),
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n",
            good(200),
        ),
        ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n...", good(200)),
        ("GET", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 503 No\r\n\r\n", good(503)),
        (
            "GET",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
            good(200),
        ),
        ("GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", good(101)),
        // What other clients take.
        ("GET", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", good(200)),
        ("GET", "HTTP/1.1 200 OK\r\nX: a\r\n  folded\r\nContent-Length: 2\r\n\r\nok", good(200)),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok", good(200)),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nSet-Cookie : x\r\nbad name: x\r\nContent-Length: 2, 2\r\n\r\nok",
            good(200),
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nCONTENT-LENGTH: 2\r\nConnection: keep-alive\r\n\r\nok",
            good(200),
        ),
    ] {
        assert_eq!(read(method, "", [answer.as_bytes()]), Ok(expected), "{answer:?}");
        assert_eq!(read(method, "", answer.as_bytes().chunks(1)), Ok(expected), "{answer:?}, byte by byte");
    }
}

#[test]
fn an_answer_that_is_cut_is_none_and_what_is_missing_is_said() {
    for (answer, expected) in [
        ("", "closed without an answer"),
        ("HTTP/1.1 200", "closed, but its head is not whole: 12 bytes"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "closed, but its head is not whole: 36 bytes"),
        ("HTTP/1.1 103 Early Hints\r\n\r\n", "closed, but status 103 only precedes an answer"),
        ("HTTP/1.1 103 x\r\n\r\nHTTP/1.1 2", "closed, but its head is not whole: 10 bytes"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789",
            "closed, but status 200, and 10 of 100 bytes",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", "closed, but status 200, and 0 of 1 bytes"),
    ] {
        assert_eq!(read("GET", "", [answer.as_bytes()]), Err(expected.into()), "{answer:?}");
    }
    let chunks = "5\r\nhello\r\n0\r\nX: y\r\n\r\n";
    for cut in 0..chunks.len() {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", &chunks[..cut]);
        let expected = "closed, but status 200, and not the last of its chunks";
        assert_eq!(read("GET", "", [answer.as_bytes()]), Err(expected.into()), "{answer:?}");
    }
}

#[test]
fn what_does_not_say_where_it_ends_or_says_it_twice_is_no_answer() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (answer, expected) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "not an HTTP answer"),
        ("<html>", "not an HTTP answer"),
        ("H2", "not an HTTP answer"),
        ("HTTP/2 200\r\n\r\n", "not an HTTP answer"),
        ("HTTP/1.1 2x0 OK\r\n\r\n", "not an HTTP answer: "),
        ("HTTP/1.1 099 OK\r\n\r\n", "not an HTTP answer: status 99"),
        ("HTTP/1.1 999 OK\r\n\r\n", "not an HTTP answer: status 999"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            "status 200, with Content-Length \"2\" and \"3\"",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", "status 200, with Content-Length \"+2\""),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok", "status 200, with Content-Length \"-1\""),
        ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok", "status 200, with Content-Length \"\""),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\nok",
            "status 200, with Content-Length \"18446744073709551616\"",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
            "status 200, with Content-Length and Transfer-Encoding",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay", "status 200, but 2 bytes more than its answer"),
        ("HTTP/1.1 204 No Content\r\n\r\nx", "status 204, but 1 bytes more than its answer"),
        (&format!("{chunked}0\r\n\r\nHTTP/1.1 200 OK\r\n"), "status 200, but 17 bytes more than its answer"),
        (&format!("{chunked}x\r\n"), "wrongly chunked: a length that is none"),
        (&format!("{chunked}-1\r\n"), "wrongly chunked: a length that is none"),
        (&format!("{chunked}11111111111111111\r\n"), "wrongly chunked: a length that is none"),
        (&format!("{chunked}1\r\nokay\r\n"), "wrongly chunked: a chunk is longer than it says"),
        (&format!("{chunked}1;{}", "x".repeat(LONGEST_LINE)), "wrongly chunked: a line that is too long"),
    ] {
        let said = read("GET", "", [answer.as_bytes()]).expect_err(answer);
        assert!(said.starts_with(expected), "{answer:?}: {said:?} should begin with {expected:?}");
    }
}

#[test]
fn what_does_not_end_is_read_no_further_than_it_may_be() {
    let endless = |begin: &str, rest: &str| {
        let pieces = std::iter::once(begin).chain(std::iter::repeat_n(rest, 100_000));
        read("GET", "", pieces.map(str::as_bytes))
    };
    let long = "x".repeat(100);
    for (begin, rest, expected) in [
        ("HTTP/1.1 200 OK\r\nX: ", long.as_str(), "a head of more than 65536 bytes"),
        ("HTTP/1.1 200 ", &long, "a head of more than 65536 bytes"),
        ("", "HTTP/1.1 100 Continue\r\n\r\n", "more than 64 times a status that only precedes an answer"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            &long,
            "wrongly chunked: a line that is too long",
        ),
    ] {
        assert_eq!(endless(begin, rest), Err(expected.into()), "{begin:?} {rest:?}");
    }
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(MOST_HEADERS + 1));
    assert_eq!(read("GET", "", [many.as_bytes()]), Err("a head of more than 256 headers".into()));
    // What came all at once is no better.
    let huge = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(LONGEST_HEAD));
    assert_eq!(read("GET", "", [huge.as_bytes()]), Err("a head of more than 65536 bytes".into()));
}

#[test]
fn a_body_is_looked_through_however_it_is_cut_and_costs_no_memory() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\"st\r\n5\r\natus\"\r\n0\r\n\r\n";
    for (text, has_text) in [("\"status\"", true), ("\"state\"", false), ("\r\n", false)] {
        for size in 1..chunked.len() {
            let whole = read("GET", text, chunked.as_bytes().chunks(size)).expect("whole");
            assert_eq!(whole.has_text, has_text, "{text:?} in pieces of {size}");
        }
    }
    let mut reader = Reader::new("GET", b"needle");
    reader.read(b"HTTP/1.1 200 OK\r\n\r\n").expect("a head");
    for _ in 0..1000 {
        reader.read(&[b'x'; 4096]).expect("a body");
    }
    assert!(reader.search.tail.len() < 6 && reader.waiting.is_empty());
    assert_eq!(reader.missing(), "status 200, and a body that does not end");
    assert_eq!(reader.close(), Ok(Whole { status: 200, has_text: false }));
}

const PARTS: [&str; 16] = [
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 103 x\r\n",
    "HTTP/1.1 204 x\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 4\r\n",
    "Transfer-Encoding: chunked\r\n",
    "X: y\r\n z\r\n",
    "\r\n",
    "\n",
    "abc",
    "3\r\n",
    "0\r\n",
    "\r",
    "\0\u{ff}",
    ": \r\n",
    "HTTP/1.",
];

proptest! {
    #[test]
    fn the_same_bytes_are_the_same_answer_however_they_arrive(
        parts in proptest::collection::vec(proptest::sample::select(&PARTS[..]), 0..12),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        head in any::<bool>(),
    ) {
        let answer = parts.concat().into_bytes();
        let method = if head { "HEAD" } else { "GET" };
        let mut cuts = cuts.iter().map(|cut| cut.index(answer.len() + 1)).chain([0, answer.len()]).collect::<Vec<_>>();
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &answer[cut[0]..cut[1]]);
        let at_once = read(method, "abc", [answer.as_slice()]);
        let in_pieces = read(method, "abc", pieces);
        // What comes after an answer is seen only if it comes with it.
        let is_surplus = |read: &Result<Whole, String>| read.as_ref().is_err_and(|said| said.contains("more than its answer"));
        if !is_surplus(&at_once) {
            prop_assert_eq!(in_pieces, at_once);
        }
    }
}
