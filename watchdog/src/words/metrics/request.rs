//! What is asked of us over HTTP, and the answer. Pure.

use super::Metrics;
use super::text::CONTENT_TYPE;

/// A request is read up to here. Prometheus sends some 300 bytes.
pub const LIMIT: usize = 4096;

/// The answer to the request that begins with `head`; [`None`] while its head is incomplete. A body is not read.
pub fn answer(head: &[u8], metrics: &Metrics) -> Option<String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let (method, path) = match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => (request.method.unwrap_or(""), request.path.unwrap_or("")),
        Ok(httparse::Status::Partial) if head.len() < LIMIT => return None,
        Ok(httparse::Status::Partial) | Err(_) => {
            return Some(response("400 Bad Request", "", "bad request\n"));
        }
    };
    let path = path.split('?').next().unwrap_or_default();
    let mut answer = match (method, path) {
        ("GET" | "HEAD", "/metrics") => {
            let header = format!("Content-Type: {CONTENT_TYPE}\r\n");
            response("200 OK", &header, &metrics.encode())
        }
        ("GET" | "HEAD", "/") => response("200 OK", PLAIN, "sd-watchdog: the figures are at /metrics\n"),
        ("GET" | "HEAD", _) => response("404 Not Found", PLAIN, "not found: the figures are at /metrics\n"),
        _ => {
            let header = format!("{PLAIN}Allow: GET, HEAD\r\n");
            response("405 Method Not Allowed", &header, "only GET and HEAD are allowed\n")
        }
    };
    if method == "HEAD" {
        answer.truncate(answer.find("\r\n\r\n").map_or(answer.len(), |end| end + 4));
    }
    Some(answer)
}

const PLAIN: &str = "Content-Type: text/plain; charset=utf-8\r\n";

fn response(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(request: &str) -> Option<String> {
        answer(request.as_bytes(), &Metrics::new(None, None))
    }

    #[test]
    fn what_is_asked_for_decides_the_answer() {
        for (request, status, content) in [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK", "# HELP sd_watchdog_build_info"),
            ("GET /metrics?name[]=x HTTP/1.0\r\n\r\n", "200 OK", "# HELP sd_watchdog_build_info"),
            ("GET / HTTP/1.1\r\n\r\n", "200 OK", "sd-watchdog: the figures are at /metrics\n"),
            ("GET /metrics/ HTTP/1.1\r\n\r\n", "404 Not Found", "not found: "),
            ("POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "405 Method Not Allowed", "only GET "),
            ("GET  /metrics HTTP/1.1\r\n\r\n", "400 Bad Request", "bad request"),
            ("\x16\x03\x01\x02\x00\x01", "400 Bad Request", "bad request"),
        ] {
            let answer = ask(request).expect(request);
            let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
            assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request:?}: {answer}");
            assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{answer}");
            assert!(head.ends_with("\r\nConnection: close"), "{answer}");
            assert!(body.starts_with(content), "{request:?}: {answer}");
        }
    }

    #[test]
    fn the_figures_have_the_content_type_that_prometheus_wants_and_head_has_no_body() {
        let get = ask("GET /metrics HTTP/1.1\r\n\r\n").expect("an answer");
        let head = ask("HEAD /metrics HTTP/1.1\r\n\r\n").expect("an answer");
        assert!(get.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{get}");
        assert!(head.ends_with("\r\n\r\n") && get.starts_with(&head), "{head}");
        let refused = ask("DELETE / HTTP/1.1\r\n\r\n").expect("an answer");
        assert!(refused.contains("\r\nAllow: GET, HEAD\r\n"), "{refused}");
    }

    #[test]
    fn a_request_is_waited_for_up_to_the_limit() {
        let request = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(LIMIT));
        for length in 0..LIMIT {
            assert_eq!(ask(&request[..length]), None, "{length}");
        }
        assert!(ask(&request[..LIMIT]).expect("an answer").starts_with("HTTP/1.1 400 "));
    }
}
