//! Directives whose value is a set of names, which an assignment may invert: what is allowed, and what is not.

use super::{Change, Outcome};
use crate::unit::table::Bounding;
use crate::unit::value::{CAPABILITIES, Value};
use crate::unit::words::{Escapes, Rules, first};

/// Capabilities, by name or number.
pub(super) fn capabilities(bounding: Bounding, old: Option<&Value>, text: &str) -> Outcome {
    let initial = match bounding {
        Bounding::All => u64::MAX,
        Bounding::None => 0,
    };
    let number = |name: &str| CAPABILITIES.iter().position(|other| other.eq_ignore_ascii_case(name));
    let current = match old {
        None => initial,
        Some(old) => old.list().iter().filter_map(|name| number(name)).fold(0, |mask, bit| mask | 1 << bit),
    };
    let (is_inverted, names) = match text.strip_prefix('~') {
        Some(names) => (true, names),
        None => (false, text),
    };
    let mut sum = 0_u64;
    let mut fault = None;
    let (mut rest, rules) = (names, Rules { quotes: true, escapes: Escapes::Literal });
    while let Ok(Some(found)) = first(&mut rest, rules) {
        let name = String::from_utf8_lossy(&found.bytes).into_owned();
        match number(&name).or_else(|| name.parse().ok().filter(|bit| *bit < CAPABILITIES.len())) {
            Some(bit) => sum |= 1 << bit,
            None => fault = Some((format!("{name:?} is no capability"), false)),
        }
    }
    let is_replaced = sum == 0 || current == initial;
    let mask = match (is_replaced, is_inverted) {
        (true, true) => !sum,
        (true, false) => sum,
        (false, true) => current & !sum,
        (false, false) => current | sum,
    };
    let change = match (capability_list(bounding, mask), is_replaced) {
        (None, _) => Change::Unset,
        (Some(value), true) => Change::Set(value),
        (Some(value), false) => Change::Add(value),
    };
    Outcome { change: Some(change), fault }
}

/// [`None`], if it is as if nothing was said.
pub(super) fn capability_list(bounding: Bounding, mask: u64) -> Option<Value> {
    let all = (1_u64 << CAPABILITIES.len()) - 1;
    let is_initial = match bounding {
        Bounding::All => mask & all == all,
        Bounding::None => mask == 0,
    };
    let names = CAPABILITIES.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0);
    (!is_initial).then(|| Value::List(names.map(|(_, name)| (*name).to_owned()).collect()))
}

/// sys/socket.h
const FAMILIES: [&str; 45] = [
    "AF_UNIX",
    "AF_INET",
    "AF_AX25",
    "AF_IPX",
    "AF_APPLETALK",
    "AF_NETROM",
    "AF_BRIDGE",
    "AF_ATMPVC",
    "AF_X25",
    "AF_INET6",
    "AF_ROSE",
    "AF_DECnet",
    "AF_NETBEUI",
    "AF_SECURITY",
    "AF_KEY",
    "AF_NETLINK",
    "AF_PACKET",
    "AF_ASH",
    "AF_ECONET",
    "AF_ATMSVC",
    "AF_RDS",
    "AF_SNA",
    "AF_IRDA",
    "AF_PPPOX",
    "AF_WANPIPE",
    "AF_LLC",
    "AF_IB",
    "AF_MPLS",
    "AF_CAN",
    "AF_TIPC",
    "AF_BLUETOOTH",
    "AF_IUCV",
    "AF_RXRPC",
    "AF_ISDN",
    "AF_PHONET",
    "AF_IEEE802154",
    "AF_CAIF",
    "AF_ALG",
    "AF_NFC",
    "AF_VSOCK",
    "AF_KCM",
    "AF_QIPCRTR",
    "AF_SMC",
    "AF_XDP",
    "AF_MCTP",
];

/// In a list that more may be added to; taken out at the end.
pub(super) const BEGUN: &str = "";

/// Address families, allowed or, behind `~`, denied.
pub(super) fn families(old: Option<&Value>, text: &str) -> Outcome {
    if text == "none" {
        return Outcome::set(Value::List(Vec::new()));
    }
    let (is_denied, names) = match text.strip_prefix('~') {
        Some(names) => (true, names),
        None => (false, text),
    };
    let mut list = old.map(Value::list).unwrap_or_default().to_vec();
    // Behind nothing, or `none`, a list begins, which is one even if nothing in it is an address family.
    let is_begun = list.iter().any(|name| name == BEGUN);
    let denies = if is_begun { list.first().is_some_and(|first| first == "~") } else { is_denied };
    list.retain(|name| name != "~");
    list.push(BEGUN.to_owned());
    let (mut rest, mut fault) = (names, None);
    while let Ok(Some(found)) = first(&mut rest, Rules { quotes: true, escapes: Escapes::Literal }) {
        let name = match &found.bytes[..] {
            b"AF_LOCAL" | b"AF_FILE" => "AF_UNIX".to_owned(),
            b"AF_ROUTE" => "AF_NETLINK".to_owned(),
            other => String::from_utf8_lossy(other).into_owned(),
        };
        if !FAMILIES.contains(&name.as_str()) {
            fault = Some((format!("{name:?} is no address family"), false));
        } else if is_denied == denies {
            list.push(name);
        } else {
            list.retain(|other| *other != name);
        }
    }
    list.sort_unstable();
    list.dedup();
    if denies {
        list.insert(0, "~".to_owned());
    }
    let value = Value::List(list);
    let change = if old.is_none() { Change::Set(value) } else { Change::Add(value) };
    Outcome { change: Some(change), fault }
}
