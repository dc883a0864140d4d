//! `--follow-redirects`: where a `Location` leads, if that is the service that is probed. Pure.

use crate::probe::address;

/// Scheme, host and port of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: &'static str,
    /// Without brackets.
    host: String,
    port: u16,
    /// The Host that is sent, if it is another: what the service takes itself for.
    alias: Option<String>,
}

impl Origin {
    /// Of `http` or `https`. `host` is without brackets.
    pub fn new(scheme: &'static str, host: &str, port: u16) -> Self {
        Self { scheme, host: host.to_owned(), port, alias: None }
    }

    /// Requests are sent with this Host.
    pub fn with_alias(self, host: Option<&str>) -> Self {
        Self { alias: host.map(str::to_owned), ..self }
    }

    fn is(&self, authority: &str) -> bool {
        if self.alias.as_ref().is_some_and(|alias| alias.eq_ignore_ascii_case(authority)) {
            return true;
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !authority.ends_with(']') => (host, address::port(port).ok()),
            _ => (authority, Some(default_port(self.scheme))),
        };
        address::bare_host(host).is_ok_and(|host| host.eq_ignore_ascii_case(&self.host))
            && port == Some(self.port)
    }

    /// The path to ask for when an answer to `path` says `Location: location`; [`None`] if it leads elsewhere.
    /// RFC 3986, section 5.2.
    pub fn resolve(&self, path: &str, location: &[u8]) -> Option<String> {
        let location = escaped(location);
        let location = location.split('#').next().unwrap_or_default();
        let rest = match scheme(location) {
            Some(scheme) if scheme.eq_ignore_ascii_case(self.scheme) => &location[scheme.len() + 1..],
            Some(_) => return None,
            None => location,
        };
        if let Some(rest) = rest.strip_prefix("//") {
            let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            let path = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
            return self.is(authority).then(|| without_dots(&path));
        }
        if rest.len() < location.len() {
            // http:path means nothing any more.
            return None;
        }
        let base = path.split('?').next().unwrap_or_default();
        Some(match rest.as_bytes().first() {
            None => path.to_owned(),
            Some(b'/') => without_dots(rest),
            Some(b'?') => format!("{base}{rest}"),
            Some(_) => {
                let directory = base.rfind('/').map_or("/", |slash| &base[..=slash]);
                without_dots(&format!("{directory}{rest}"))
            }
        })
    }
}

fn default_port(scheme: &str) -> u16 {
    if scheme == "https" { 443 } else { 80 }
}

/// What is in front of the first colon, if that is a scheme.
fn scheme(location: &str) -> Option<&str> {
    let (scheme, _) = location.split_once(':')?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    (scheme.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && scheme.bytes().all(fits))
        .then_some(scheme)
}

/// What cannot stand in a request line is escaped, as browsers do.
fn escaped(location: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(location.len());
    for byte in location.trim_ascii() {
        if byte.is_ascii_graphic() {
            text.push(char::from(*byte));
        } else {
            // A String takes everything.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Resolves `.` and `..`; the query stays. `target` begins with a slash.
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if segments.peek().is_none() {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_location_on_the_same_service_gives_a_path() {
        let origin = Origin::new("http", "127.0.0.1", 8080).with_alias(Some("Example.org"));
        for (location, expected) in [
            ("http://127.0.0.1:8080/ready", "/ready"),
            ("HTTP://127.0.0.1:8080", "/"),
            ("http://127.0.0.1:8080?a=/../b", "/?a=/../b"),
            ("//127.0.0.1:8080/x#y", "/x"),
            ("http://example.org/ready", "/ready"),
            ("/ready?x=1#part", "/ready?x=1"),
            ("ready", "/a/ready"),
            ("../ready", "/ready"),
            ("../../../ready", "/ready"),
            ("./x/./y/../z", "/a/x/z"),
            ("..", "/"),
            (".", "/a/"),
            ("?deep", "/a/b?deep"),
            ("", "/a/b?c/d"),
            ("#top", "/a/b?c/d"),
            ("/a b\u{e9}\x7f", "/a%20b%C3%A9%7F"),
            ("a:b", "no"),
            ("1:b", "/a/1:b"),
        ] {
            let resolved = origin.resolve("/a/b?c/d", location.as_bytes());
            assert_eq!(resolved.as_deref().unwrap_or("no"), expected, "{location}");
        }
    }

    #[test]
    fn a_location_anywhere_else_gives_none() {
        let origin = Origin::new("http", "127.0.0.1", 8080);
        for location in [
            "https://127.0.0.1:8080/",
            "http://127.0.0.1/",
            "http://127.0.0.1:80/",
            "http://127.0.0.1:8081/",
            "http://127.0.0.1:/",
            "http://localhost:8080/",
            "http://127.0.0.1:8080@example.org/",
            "http://me@127.0.0.1:8080/",
            "//example.org/",
            "///x",
            "http:/x",
            "mailto:me@example.org",
        ] {
            assert_eq!(origin.resolve("/", location.as_bytes()), None, "{location}");
        }
    }

    #[test]
    fn the_port_may_be_left_out_where_it_is_the_schemes() {
        let plain = Origin::new("http", "::1", 80);
        assert_eq!(plain.resolve("/", b"http://[::1]/a").as_deref(), Some("/a"));
        let tls = Origin::new("https", "example.org", 443);
        assert_eq!(tls.resolve("/", b"https://EXAMPLE.org/a").as_deref(), Some("/a"));
        assert_eq!(tls.resolve("/", b"https://example.org:443/a").as_deref(), Some("/a"));
        assert_eq!(tls.resolve("/", b"http://example.org:443/a"), None);
    }

    proptest! {
        #[test]
        fn every_path_it_gives_can_stand_in_a_request(location in proptest::collection::vec(any::<u8>(), 0..40)) {
            let origin = Origin::new("http", "127.0.0.1", 8080);
            if let Some(path) = origin.resolve("/a/b", &location) {
                prop_assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()), "{}", path);
            }
        }
    }
}
