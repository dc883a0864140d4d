//! What is promised about any answer: for the fuzz target `http_answer`, and the test that replays its corpus.

use crate::probe::http::answer::{Answer, Progress, Question};
use crate::probe::http::expected::{Expected, LIMIT};
use crate::probe::http::redirect::Origin;

/// No answer makes a probe panic, keep more than it may, or judge differently because of how it was cut.
pub fn http_answer(bytes: &[u8]) {
    // What is behind the limit may be in the same read as what is before, or not.
    let bytes = &bytes[..bytes.len().min(LIMIT - 1)];
    let mut body = Expected { text: Some("ok".to_owned()), ..Expected::default() };
    #[cfg(feature = "regex")]
    {
        body.pattern = Expected::pattern("^[a-z ]+k").ok();
    }
    body.statuses = "200,404".parse().ok();
    let follow = Expected { follow: true, ..Expected::default() };
    for (expected, method) in
        [(Expected::default(), "GET"), (Expected::default(), "HEAD"), (body, "GET"), (follow, "GET")]
    {
        let whole = judge(&expected, method, [bytes, b""]);
        for cut in [1, bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(1)] {
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            assert_eq!(judge(&expected, method, [first, second]), whole, "{method}, cut at {cut}");
        }
    }
}

/// Where it leads, if it is to be followed; else whether it is healthy.
fn judge(expected: &Expected, method: &str, parts: [&[u8]; 2]) -> Result<bool, String> {
    let origin = Origin::new("http", "127.0.0.1", 8080);
    let follow = expected.follow.then_some(&origin);
    let mut answer = Answer::new(Question { expected, follow, method, path: "/a/healthz?b" });
    for part in parts {
        answer.buffer().extend_from_slice(part);
        match answer.progress() {
            Ok(Progress::Incomplete) => {}
            Ok(Progress::Complete) => return Ok(true),
            Ok(Progress::Redirect { path, .. }) => {
                assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()), "{path}");
                return Err(path);
            }
            Err(_) => return Ok(false),
        }
    }
    Ok(answer.closed().is_ok())
}
