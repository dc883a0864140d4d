//! What is asked, and what is said of mistakes in that.

use super::*;
use crate::scenario::tests::{GOOD, HTTP, parse};

/// What is read of `[observe]` with these lines.
fn observed(lines: &str) -> Result<Observe, String> {
    parse(&GOOD.replace(HTTP, lines)).map(|scenario| scenario.observe)
}

#[test]
fn a_url_is_taken_apart_as_it_is_written() {
    for (lines, places, host, shown) in [
        (
            "http = \"http://localhost:8080/\"",
            "127.0.0.1:8080 [::1]:8080",
            "localhost:8080",
            "http://localhost:8080/",
        ),
        ("http = \"http://127.0.0.1\"", "127.0.0.1:80", "127.0.0.1", "http://127.0.0.1/"),
        ("http = \"https://[::1]/x?a=b#c\"", "[::1]:443", "[::1]", "https://[::1]/x?a=b"),
        ("http = \"http://[::1]:81?a=b\"", "[::1]:81", "[::1]:81", "http://[::1]:81/?a=b"),
        (
            "http = \"https://shop.example:8443/\"\naddress = \"127.0.0.1\"",
            "127.0.0.1:8443",
            "shop.example:8443",
            "https://shop.example:8443/ at 127.0.0.1:8443",
        ),
        ("http = \"http://shop/\"\nunix = \"/run/x\"", "/run/x", "shop", "http://shop/ over /run/x"),
    ] {
        let observe = observed(lines).expect(lines);
        assert_eq!(observe.to_string(), shown);
        let Question::Http(place, http) = observe.question else { panic!("{lines} is HTTP") };
        let places_read = match place {
            Place::Port(services) => services.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Place::Socket(path) => path,
        };
        assert_eq!((places_read.as_str(), http.authority.as_str()), (places, host), "{lines}");
    }
}

#[test]
fn what_is_good_and_whom_to_trust_is_what_the_scenario_says() {
    let http = |lines: &str| match observed(&format!("http = \"https://localhost/\"\n{lines}"))
        .expect(lines)
        .question
    {
        Question::Http(_, http) => *http,
        other => panic!("{other:?}"),
    };
    let usual = http("");
    assert_eq!((usual.tls.clone(), usual.status.as_slice()), (Some(Trust::Host), &[200..=399][..]));
    for (lines, change) in [
        ("status = 204", (|http| http.status = vec![204..=204]) as fn(&mut Http)),
        ("status = [\"200-299\", 404]", |http| http.status = vec![200..=299, 404..=404]),
        ("body = \"up\"", |http| http.body = "up".into()),
        ("method = \"HEAD\"", |http| http.method = "HEAD".into()),
        ("headers = { X-A = \"b\" }", |http| http.headers = vec![("X-A".into(), "b".into())]),
        ("insecure = true", |http| http.tls = Some(Trust::Anybody)),
        ("insecure = false", |http| http.tls = Some(Trust::Host)),
    ] {
        let mut expected = usual.clone();
        change(&mut expected);
        assert_eq!(http(lines), expected, "{lines}");
    }
}

#[test]
fn a_command_asks_less_often() {
    let observe = observed("exec = [\"/bin/true\", \"-x\"]").expect("valid");
    assert_eq!((observe.interval, observe.timeout), (Duration::from_millis(100), Duration::from_secs(1)));
    assert_eq!(observe.to_string(), "`/bin/true -x`");
}

#[test]
fn what_is_wrong_with_a_question_is_said_at_its_place() {
    let url = |url: &str| format!("http = \"{url}\"");
    let with = |line: &str| format!("http = \"http://127.0.0.1/\"\n{line}");
    for (lines, expected) in [
        (url("http://shop.example/"), "x.toml:7:8: where shop.example is, is not looked up"),
        (
            url("http://user:pass@127.0.0.1/"),
            "x.toml:7:8: a URL of [observe] does not say who asks: headers =",
        ),
        (
            url("http://127.0.0.1:99999/"),
            "x.toml:7:8: \"http://127.0.0.1:99999/\" is not http://HOST:PORT/PATH",
        ),
        (url("http://127.0.0.1:/"), "x.toml:7:8: \"http://127.0.0.1:/\" is not"),
        (url("http://127.0.0.1:0/"), "x.toml:7:8: \"http://127.0.0.1:0/\" is not"),
        (url("http://[fe80::1%25eth0]/"), "x.toml:7:8: \"http://[fe80::1%25eth0]/\" is not"),
        (url("http://[x]/"), "x.toml:7:8: \"http://[x]/\" is not"),
        (url("http:///x"), "x.toml:7:8: \"http:///x\" is not"),
        (url("http://127.0.0.1/a b"), "x.toml:7:8: \"http://127.0.0.1/a b\" is not"),
        (url("ftp://127.0.0.1/"), "x.toml:7:8: \"ftp://127.0.0.1/\" is not"),
        (url("/x"), "x.toml:7:8: \"/x\" is not"),
        (with("address = \"localhost\""), "x.toml:8:11: \"localhost\" is no IP address"),
        (with("address = \"127.0.0.1\"\nunix = \"/x\""), "x.toml:8:1: unix says already where"),
        (with("ca = \"x.service\""), "x.toml:8:1: ca goes with https://"),
        (with("insecure = true"), "x.toml:8:1: insecure goes with https://"),
        (
            "http = \"https://127.0.0.1/\"\nca = \"x.service\"\ninsecure = true".into(),
            "x.toml:8:6: with insecure = true nobody looks at certificates",
        ),
        ("http = \"https://127.0.0.1/\"\nca = \"none.pem\"".into(), "x.toml:8:6: none.pem cannot be read"),
        (
            "http = \"https://127.0.0.1/\"\nca = \"/etc/shadow\"".into(),
            "x.toml:8:6: /etc/shadow leads out of",
        ),
        (with("status = \"2xx\""), "x.toml:8:10: \"2xx\" is neither a status of an answer"),
        (with("status = [200, \"300-200\"]"), "x.toml:8:16: \"300-200\" is neither"),
        (with("status = 103"), "x.toml:8:10: \"103\" is neither"),
        (with("status = true"), "x.toml:8:10: status is to be a string, and is of type boolean"),
        (with("method = \"get\""), "x.toml:8:10: \"get\" is no method of HTTP"),
        (with("method = \"A B\""), "x.toml:8:10: \"A B\" is no method of HTTP"),
        (with("method = \"HEAD\"\nbody = \"x\""), "x.toml:9:1: an answer to HEAD has no body"),
        (with("headers = { \"A B\" = \"c\" }"), "x.toml:8:21: \"A B\" is no name of a header"),
        (with("headers = { A = \"b\\r\\nC: d\" }"), "x.toml:8:17: the value of A has a character"),
        (with("headers = { Content-Length = \"7\" }"), "x.toml:8:30: Content-Length is the observer's own"),
        (with("interval = \"10us\""), "x.toml:8:1: nobody asks more often than every 1 ms"),
        (with("timeout = \"200s\""), "x.toml:8:1: a service that hangs would have 20000 connections"),
        (
            with("exec = [\"/bin/true\"]"),
            "x.toml:6:1: [observe] needs exactly one of http, tcp, unix and exec",
        ),
        ("unix = \"/run/x\"".into(), "x.toml:7:1: unix needs expect"),
        ("unix = \"run/x\"\nexpect = \"x\"".into(), "x.toml:7:8: \"run/x\" is neither the absolute path"),
        (
            format!("unix = \"/{}\"\nexpect = \"x\"", "x".repeat(107)),
            "x.toml:7:8: a socket's path has 107 bytes",
        ),
        ("unix = \"/x\"\nexpect = \"x\"\nstatus = 200".into(), "x.toml:9:1: status goes with http"),
        ("tcp = \"redis:6379\"\nexpect = \"x\"".into(), "x.toml:7:7: \"redis:6379\" is not ADDRESS:PORT"),
        ("exec = []".into(), "x.toml:7:1: exec is a command and its arguments"),
        ("exec = [\"/x\"]\nsend = \"x\"".into(), "x.toml:8:1: send goes with tcp and unix; of a command"),
        (
            "exec = \"pg_isready -q\"".into(),
            "x.toml:7:8: exec is to be a list of strings, and is of type string",
        ),
        (
            "exec = [\"/bin/true\"]\ninterval = \"10ms\"".into(),
            "x.toml:8:1: a service that hangs would have 100 commands of the observer's at once",
        ),
    ] {
        let said = observed(&lines).expect_err(&lines);
        assert!(
            said.lines().any(|said| said.starts_with(expected)),
            "{lines}: {said:?} should have {expected:?}"
        );
    }
}
