use crate::probe::testing::probes;

#[test]
fn options_that_make_no_probe_are_refused_with_the_flag_and_a_remedy() {
    const HTTP: [&str; 2] = ["--http", "http://127.0.0.1/"];
    const TCP: [&str; 2] = ["--tcp", "127.0.0.1:1"];
    for (probe, options, expected) in [
        (HTTP, &["--http", "/x"][..], "--http /x: no http:// in front; write it as http://"),
        (HTTP, &["--http-unix", "/x"], "--http-unix /x: no URL path; write it as /run/my.sock:/healthz"),
        (HTTP, &["--tcp", "x"], "--tcp x: no port; write it as 127.0.0.1:8080"),
        (HTTP, &["--unix", ""], "--unix : no path of a socket; write it as /run/my.sock"),
        (HTTP, &["--method", "get"], "--method \"get\": methods are written in capitals: GET"),
        (HTTP, &["--header", "X"], "--header \"\": no colon; write it as 'Name: value'"),
        (HTTP, &["--header", "A b: secret"], "--header \"A b\": \"A b\" is not the name of a header"),
        (HTTP, &["--header", "A: x\ny"], "--header \"A\": the value has a line break"),
        (HTTP, &["--header-file", "/no/such"], "--header-file /no/such: cannot be read: No such file"),
        (
            ["--http", "http://me:secret@127.0.0.1/?secret"],
            &[],
            "--http http://…@127.0.0.1/?…: credentials in a URL are not supported; write 'Authorization: Basic …' into",
        ),
        (["--http", "ftp://127.0.0.1/?secret"], &[], "--http ftp://127.0.0.1/?…: ftp://"),
        (["--http-unix", "x?secret"], &[], "--http-unix x?…: no URL path"),
        (HTTP, &["--status", "2xx"], "--status \"2xx\": \"2xx\" is not a status; write it as 200-399"),
        (HTTP, &["--body", ""], "--body: an empty text is in every body; leave the option out"),
        (
            HTTP,
            &["--body", "x", "--method", "HEAD"],
            "--body and --method HEAD contradict each other: an answer to HEAD has no body",
        ),
        (HTTP, &["--data", "@/no/such"], "--data @/no/such: cannot be read: No such file"),
        (
            HTTP,
            &["--data", "secret", "--method", "HEAD"],
            "--data and --method HEAD contradict each other: such a request has no body, so leave one of them out",
        ),
        (
            HTTP,
            &["--data", "secret", "--header", "Content-Length: 6"],
            "--header \"Content-Length\": the body that --data gives is sent with its own length",
        ),
        (TCP, &["--expect", r"\q"], r"--expect: \q is no escape; there are"),
        (TCP, &["--send", ""], "--send: there is nothing in it; leave the option out"),
        (
            TCP,
            &["--method", "GET"],
            "--method goes with --http or --http-unix: add one, or leave --method out",
        ),
        (TCP, &["--header", "A: b"], "--header goes with --http"),
        (TCP, &["--header-file", "x"], "--header-file goes with --http"),
        (TCP, &["--data", "secret"], "--data goes with --http or --http-unix"),
        (TCP, &["--status", "200"], "--status goes with --http or --http-unix"),
        (TCP, &["--body", "x"], "--body goes with --http or --http-unix"),
        (TCP, &["--follow-redirects"], "--follow-redirects goes with --http or --http-unix"),
        (HTTP, &["--send", "x"], "--send goes with --tcp or --unix: add one, or leave --send out"),
        (HTTP, &["--expect", "x"], "--expect goes with --tcp or --unix"),
    ] {
        let error = probes(&[&probe, options].concat()).map(drop).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn a_probe_shows_neither_query_nor_headers() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "X-B: secret\n").expect("written");
    let file = file.path().to_str().expect("a name");
    for (option, target, expected) in [
        ("--http", "http://127.0.0.1/a?secret", "http://127.0.0.1/a?…"),
        ("--http-unix", "/run/x:/a?secret", "http-unix /run/x:/a?…"),
    ] {
        let options = [option, target, "--header", "X-A: secret", "--header-file", file];
        let probes = probes(&options).expect("a probe");
        assert_eq!(probes.to_string(), expected);
        let debug = format!("{probes:?}");
        assert!(debug.contains("[\"X-A\", \"X-B\"]") && !debug.contains("secret"), "{debug}");
    }
}

#[cfg(feature = "regex")]
#[test]
fn a_regular_expression_that_is_none_is_refused() {
    for (options, expected) in [
        (
            ["--http", "http://127.0.0.1/", "--body-regex", "(x"],
            "--body-regex \"(x\": not a regular expression that can be used: ",
        ),
        (
            ["--http", "http://127.0.0.1/", "--body-regex", "[a-z ]{1,200}y"],
            "--body-regex \"[a-z ]{1,200}y\": not a regular expression that can be used: ",
        ),
        (["--tcp", "127.0.0.1:1", "--body-regex", "x"], "--body-regex goes with --http or --http-unix"),
    ] {
        let error = probes(&options).map(drop).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let options = ["--http", "http://127.0.0.1/", "--body-regex", "x", "--method", "HEAD"];
    let error = probes(&options).map(drop).expect_err("no body").to_string();
    assert!(error.starts_with("--body-regex and --method HEAD contradict each other"), "{error}");
}

#[cfg(feature = "tls")]
#[test]
fn options_of_tls_go_with_https() {
    for (options, expected) in [
        (&["--http", "http://127.0.0.1/", "--insecure"][..], "--insecure goes with a probe of https://"),
        (&["--http", "http://127.0.0.1/", "--ca-file", "/x"], "--ca-file goes with a probe of https://"),
        (
            &["--http", "http://127.0.0.1/", "--server-name", "x"],
            "--server-name goes with a probe of https://",
        ),
        (
            &["--http", "https://127.0.0.1/", "--server-name", "a b", "--insecure"],
            "--http https://127.0.0.1/: no certificate can be issued for a b; give the IP address, or the name",
        ),
        (&["--tcp", "127.0.0.1:1", "--insecure"], "--insecure goes with a probe of https://"),
        (&["--tcp", "127.0.0.1:1", "--cert", "/x"], "--cert goes with a probe of https://"),
        (&["--http", "https://127.0.0.1/", "--insecure", "--key", "/x"], "--key goes with --cert"),
        (
            &["--http", "https://127.0.0.1/", "--insecure", "--ca-file", "/x"],
            "--ca-file and --insecure contradict each other: leave --insecure out",
        ),
    ] {
        let error = probes(options).map(drop).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    assert!(probes(&["--http", "https://127.0.0.1/", "--insecure"]).is_ok());
}

#[cfg(not(feature = "tls"))]
#[test]
fn without_tls_https_is_refused_by_the_name_of_the_feature() {
    let error = probes(&["--http", "https://127.0.0.1/"]).map(drop).expect_err("no TLS").to_string();
    assert!(error.starts_with("--http https://127.0.0.1/: https:// needs the cargo feature tls"), "{error}");
}

#[cfg(feature = "grpc")]
#[test]
fn grpc_targets_are_checked() {
    let error = probes(&["--grpc", "127.0.0.1"]).map(drop).expect_err("no port").to_string();
    assert!(error.starts_with("--grpc 127.0.0.1: no port; write it as"), "{error}");
    assert_eq!(probes(&["--grpc", "a:1/b"]).expect("a probe").to_string(), "grpc a:1/b");
    let options = ["--grpc", "a:1", "--header", "TE: secret"];
    let error = probes(&options).map(drop).expect_err("reserved").to_string();
    assert_eq!(error, "--grpc a:1: the header te is gRPC's or HTTP/2's own; leave it out");
    let error = probes(&["--grpc", "a:1", "--data", "x"]).map(drop).expect_err("no body").to_string();
    assert!(error.starts_with("--data goes with --http or --http-unix"), "{error}");
    let made = probes(&["--grpc", "a:1", "--header", "A: s3cret"]).expect("a probe");
    assert!(!format!("{made:?}").contains("s3cret"), "{made:?}");
}
