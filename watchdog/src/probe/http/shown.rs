//! A target as it may be shown: in reasons, STATUS, the log and refusals. Pure.

/// Without the query, which often holds a token.
pub fn shown(target: &str) -> String {
    match target.split_once('?') {
        Some((path, _)) => format!("{path}?…"),
        None => target.to_owned(),
    }
}

/// One that is refused, which may have anything in it: a user and a password, too.
pub fn refused(url: &str) -> String {
    let Some((secret, rest)) = url.rsplit_once('@') else { return shown(url) };
    let scheme = secret.split_once("://").map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
    shown(&format!("{scheme}…@{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_and_credentials_are_not_shown() {
        for (target, expected) in [
            ("http://127.0.0.1:8080/healthz", "http://127.0.0.1:8080/healthz"),
            ("http://127.0.0.1/healthz?token=s3cret", "http://127.0.0.1/healthz?…"),
            ("http://127.0.0.1?s3cret?s3cret", "http://127.0.0.1?…"),
            ("/run/my.sock:/healthz?s3cret", "/run/my.sock:/healthz?…"),
            ("@my:/", "@my:/"),
        ] {
            assert_eq!(shown(target), expected);
        }
        for (target, expected) in [
            ("ftp://127.0.0.1/a?s3cret", "ftp://127.0.0.1/a?…"),
            ("http://me:s3cret@127.0.0.1/a", "http://…@127.0.0.1/a"),
            ("http://me:s3c?ret@127.0.0.1/a?s3cret", "http://…@127.0.0.1/a?…"),
            ("me:s3cret@127.0.0.1", "…@127.0.0.1"),
            ("http:/me:s3@cret@127.0.0.1", "…@127.0.0.1"),
        ] {
            assert_eq!(refused(target), expected);
        }
    }
}
