//! Whether the unit's own filter lets its probes through: `IPAddressAllow=` and `IPAddressDeny=` (systemd.resource-control(5)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::tools::unit::directives::decide::Subject;
use crate::tools::unit::directives::facts::Facts;

/// An address, and how many of its first bits count.
type Prefix = (IpAddr, u8);

/// The hosts of the probes, and that of `--metrics`, that are not let through; names that may lead to such an address among them.
pub fn held(subject: &Subject<'_>, facts: Facts<'_>) -> Vec<String> {
    let [allowed, denied] = ["IPAddressAllow", "IPAddressDeny"].map(|name| prefixes(facts.list(name)));
    let is_in = |prefixes: &[Prefix], address| prefixes.iter().any(|prefix| is_in(address, *prefix));
    // What is allowed is asked first.
    let passes = |address: &IpAddr| is_in(&allowed, *address) || !is_in(&denied, *address);
    let allows_all = EVERYTHING.iter().all(|all| allowed.contains(all));
    let is_held = |host: &String| match addresses(host) {
        Some(addresses) => !addresses.iter().any(passes),
        None => !denied.is_empty() && !allows_all,
    };
    hosts(subject).into_iter().filter(is_held).collect()
}

const EVERYTHING: [Prefix; 2] =
    [(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0)];
const LOOPBACK: [Prefix; 2] =
    [(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8), (IpAddr::V6(Ipv6Addr::LOCALHOST), 128)];

/// Of a name it is not known.
fn addresses(host: &str) -> Option<Vec<IpAddr>> {
    match host.parse() {
        Ok(address) => Some(vec![address]),
        Err(_) if host == "localhost" => Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
        Err(_) => None,
    }
}

/// Each once, as it is typed.
fn hosts(subject: &Subject<'_>) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    for pair in subject.options.windows(2) {
        let is_asked = ["--http", "--tcp", "--grpc", "--metrics"].iter().any(|name| pair[0] == *name);
        let host = pair[1].to_str().filter(|_| is_asked).and_then(host);
        hosts.extend(host.filter(|host| !hosts.contains(host)));
    }
    hosts
}

/// The host of `http://user@host:80/path`, `host:80/service` or `[::1]:80`; none of a Unix socket.
fn host(target: &str) -> Option<String> {
    if target.starts_with("unix:") {
        return None;
    }
    let behind_scheme = target.split_once("://").map_or(target, |(_, rest)| rest);
    let authority = behind_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let host = match place.strip_prefix('[') {
        // Without an interface: `[fe80::1%eth0]`.
        Some(rest) => rest.split([']', '%']).next().unwrap_or_default(),
        None => place.rsplit_once(':').map_or(place, |(host, _)| host),
    };
    (!host.is_empty()).then(|| host.to_owned())
}

/// `in_addr_prefix_from_string` and `config_parse_in_addr_prefixes` in systemd; what it passes over is passed over.
fn prefixes(lines: &[String]) -> Vec<Prefix> {
    let mut prefixes = Vec::new();
    for word in lines.iter().flat_map(|line| line.split_whitespace()) {
        match word {
            "any" => prefixes.extend(EVERYTHING),
            "localhost" => prefixes.extend(LOOPBACK),
            "link-local" => prefixes.extend([
                (IpAddr::from([169, 254, 0, 0]), 16),
                (IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 0]), 64),
            ]),
            "multicast" => prefixes.extend([
                (IpAddr::from([224, 0, 0, 0]), 4),
                (IpAddr::from([0xff00, 0, 0, 0, 0, 0, 0, 0]), 8),
            ]),
            word => {
                let (address, length) =
                    word.split_once('/').map_or((word, None), |(address, length)| (address, Some(length)));
                let Ok(address) = address.parse::<IpAddr>() else { continue };
                let most = if address.is_ipv4() { 32 } else { 128 };
                let length = length.map_or(Some(most), |length| length.parse().ok());
                prefixes.extend(length.filter(|length| *length <= most).map(|length| (address, length)));
            }
        }
    }
    prefixes
}

fn is_in(address: IpAddr, (prefix, length): Prefix) -> bool {
    let same = |one: u128, other: u128, bits: u8| length == 0 || (one ^ other) >> (bits - length) == 0;
    match (address, prefix) {
        (IpAddr::V4(one), IpAddr::V4(other)) => same(one.to_bits().into(), other.to_bits().into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => same(one.to_bits(), other.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_probe_is_found_in_whatever_form_it_is_typed() {
        for (target, expected) in [
            ("http://127.0.0.1:8080/healthz", Some("127.0.0.1")),
            ("https://a@b.example/x@y?z", Some("b.example")),
            ("http://[::1]:80/", Some("::1")),
            ("http://[fe80::1%25eth0]/", Some("fe80::1")),
            ("localhost:6379", Some("localhost")),
            ("10.0.0.1:50051/my.Service", Some("10.0.0.1")),
            ("unix:/run/x.sock", None),
            ("", None),
        ] {
            assert_eq!(host(target).as_deref(), expected, "{target}");
        }
    }

    #[test]
    fn an_address_is_in_a_prefix_by_its_first_bits() {
        for (words, address, expected) in [
            ("any", "10.0.0.1", true),
            ("any", "2001:db8::1", true),
            ("localhost", "127.1.2.3", true),
            ("localhost", "::1", true),
            ("localhost", "::2", false),
            ("10.0.0.0/8 192.168.1.7", "10.255.0.1", true),
            ("10.0.0.0/8 192.168.1.7", "192.168.1.7", true),
            ("10.0.0.0/8 192.168.1.7", "192.168.1.8", false),
            ("fe80::/10", "febf::1", true),
            ("link-local", "169.254.3.4", true),
            ("multicast", "239.1.1.1", true),
            ("0.0.0.0/0", "::1", false),
            ("10.0.0.0/33 nonsense", "10.0.0.0", false),
        ] {
            let prefixes = prefixes(&[words.to_owned()]);
            let address = address.parse().expect("an address");
            assert_eq!(prefixes.iter().any(|prefix| is_in(address, *prefix)), expected, "{words}: {address}");
        }
    }
}
