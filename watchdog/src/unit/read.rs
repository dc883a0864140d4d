//! One assignment, by what its directive can be; and the same of the manager's property. Pure.

use std::ffi::OsStr;

use super::command::{self, Command, Flags};
use super::specifier::{Expanded, Subject, expand};
use super::table::{Bounding, Kind, Row};
use super::value::{self, CAPABILITIES, Statuses, Value};
use super::words::{Escapes, Rules, UNQUOTED, first};
use crate::systemd::dbus::{CommandProperty, Property};

/// What an assignment does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It alone counts.
    Set(Value),
    /// It adds to what was said before.
    Add(Value),
    /// It takes back what was said before.
    Unset,
}

/// What becomes of an assignment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// What it does, if anything.
    pub change: Option<Change>,
    /// What is wrong with it, and whether that is fatal.
    pub fault: Option<(String, bool)>,
}

impl Outcome {
    fn set(value: Value) -> Self {
        Self { change: Some(Change::Set(value)), fault: None }
    }

    fn add(value: Value) -> Self {
        Self { change: Some(Change::Add(value)), fault: None }
    }

    /// A list, if there is anything in it.
    fn added(list: Vec<String>) -> Self {
        if list.is_empty() { Self::default() } else { Self::add(Value::List(list)) }
    }

    fn or_fatal(self) -> Self {
        Self { fault: self.fault.map(|(why, _)| (why, true)), ..self }
    }

    fn unset() -> Self {
        Self { change: Some(Change::Unset), fault: None }
    }

    fn wrong(why: impl Into<String>) -> Self {
        Self { change: None, fault: Some((why.into(), false)) }
    }

    fn fatal(why: impl Into<String>) -> Self {
        Self { change: None, fault: Some((why.into(), true)) }
    }
}

/// What `text` makes of a directive that had the value `old`.
pub fn read(row: Option<&Row>, old: Option<&Value>, text: &str, subject: Subject<'_>) -> Outcome {
    let Some(row) = row else { return lines(old, text) };
    let old_list = || old.map(Value::list).unwrap_or_default().to_vec();
    if text.is_empty() && row.kind.is_taken_back() {
        return Outcome::unset();
    }
    match row.kind {
        Kind::Lines => lines(old, text),
        Kind::Text => expanded(text, subject, |text| Ok(text.to_owned())),
        Kind::Path => expanded(text, subject, path),
        Kind::FatalPath => expanded(text, subject, path).or_fatal(),
        Kind::PidFile => match expand(text.as_bytes(), subject) {
            Err(error) => Outcome::wrong(error.to_string()),
            Ok(_) => expanded(text, subject, pid_file).or_fatal(),
        },
        Kind::WorkingDirectory => {
            let bare = text.strip_prefix('-').unwrap_or(text);
            let dash = &text[..text.len() - bare.len()];
            let directory = |path: &str| match path {
                "~" => Ok(format!("{dash}~")),
                path => self::path(path).map(|path| format!("{dash}{path}")),
            };
            let outcome = expanded(bare, subject, directory);
            if dash.is_empty() { outcome.or_fatal() } else { outcome }
        }
        Kind::Account => {
            let is_one = |text: &str| is_account(text).then(|| text.to_owned()).ok_or("is no user or group");
            expanded(text, subject, is_one).or_fatal()
        }
        Kind::Accounts => {
            let mut list = old_list();
            let fault = each(text, Rules { quotes: true, escapes: Escapes::Literal }, subject, |word| {
                if !is_account(&word.supposed) {
                    return Err(format!("{:?} is no group", word.text));
                }
                list.push(word.text);
                Ok(())
            });
            let outcome = Outcome { fault, ..Outcome::added(list) };
            outcome.or_fatal()
        }
        Kind::FatalFlag => match value::flag(text) {
            Some(flag) => Outcome::set(Value::Flag(flag)),
            None => Outcome::fatal(format!("{text:?} is neither yes nor no")),
        },
        Kind::BusName => expanded(text, subject, |text| {
            is_bus_name(text).then(|| text.to_owned()).ok_or("is no name on the bus")
        }),
        Kind::Delegate if value::flag(text).is_none() => {
            let mut rest = text;
            loop {
                match first(&mut rest, Rules { quotes: true, escapes: Escapes::Literal }) {
                    Ok(Some(_)) => {}
                    Ok(None) => break Outcome::set(Value::Flag(true)),
                    Err(_) => break Outcome::wrong("a quote in it is not closed"),
                }
            }
        }
        Kind::Size if row.name == "MemoryMax" && value::size(text) == Some(0) => {
            Outcome::wrong("0 is too little")
        }
        Kind::Statuses => statuses(old, text),
        Kind::Commands => commands(old, text, subject),
        Kind::Environment => environment(old_list(), text, subject),
        Kind::Words => words(old_list(), text, subject),
        Kind::Paths => paths(old_list(), text, subject),
        Kind::Capabilities(bounding) => capabilities(bounding, old, text),
        Kind::Families => families(old, text),
        Kind::Dependencies => dependencies(old_list(), text, subject),
        scalar => match plain(scalar, text) {
            Some(value) => Outcome::set(value),
            None => Outcome::wrong(format!("{text:?} is nothing that it can be")),
        },
    }
}

/// A value of a kind that needs to know nothing else.
pub fn plain(kind: Kind, text: &str) -> Option<Value> {
    let is_one = |words: &[&str]| words.contains(&text).then(|| Value::Text(text.to_owned()));
    match kind {
        Kind::WordOrFirst(words) if text.is_empty() => {
            words.first().map(|word| Value::Text((*word).to_owned()))
        }
        Kind::Word(words) | Kind::WordOrFirst(words) => is_one(words),
        Kind::FlagOr(words) => value::flag(text).map(Value::Flag).or_else(|| is_one(words)),
        Kind::Flag | Kind::FatalFlag | Kind::Delegate => value::flag(text).map(Value::Flag),
        Kind::Time | Kind::OptionalTime => value::time(text).map(Value::Time),
        Kind::TimeOrNone => value::time(text).map(|time| Value::Time(time.filter(|time| !time.is_zero()))),
        Kind::Signal => value::signal(text).map(Value::Signal),
        Kind::Number => value::number(text).map(|number| Value::Number(Some(number))),
        Kind::Size if text == "infinity" => Some(Value::Number(None)),
        Kind::Size if is_percentage(text) => Some(Value::Text(text.to_owned())),
        Kind::Size => {
            value::size(text).filter(|bytes| *bytes < u64::MAX).map(|bytes| Value::Number(Some(bytes)))
        }
        Kind::Text => Some(Value::Text(text.to_owned())),
        _ => None,
    }
}

fn is_percentage(text: &str) -> bool {
    let number = text.strip_suffix(['%', '‰', '‱']);
    number.is_some_and(|number| number.parse::<f64>().is_ok_and(|part| (0.0..=10_000.0).contains(&part)))
}

fn lines(old: Option<&Value>, text: &str) -> Outcome {
    if text.is_empty() {
        return Outcome::unset();
    }
    let mut list = old.map(Value::list).unwrap_or_default().to_vec();
    list.push(text.to_owned());
    Outcome::add(Value::List(list))
}

fn expanded(
    text: &str,
    subject: Subject<'_>,
    check: impl Fn(&str) -> Result<String, &'static str>,
) -> Outcome {
    let expanded = match expand(text.as_bytes(), subject) {
        Ok(expanded) => expanded,
        Err(error) => return Outcome::wrong(error.to_string()),
    };
    match known(&expanded) {
        None => match check(&String::from_utf8_lossy(&expanded.supposed())) {
            Ok(_) => Outcome::set(Value::Unresolved(text.to_owned())),
            Err(why) => Outcome::wrong(format!("{text:?} {why}")),
        },
        // Nothing is left of it: as if nothing was said.
        Some(known) if known.is_empty() => match check(known) {
            Ok(_) => Outcome::unset(),
            Err(why) => Outcome::wrong(format!("{known:?} {why}")),
        },
        Some(known) => match check(known) {
            Ok(text) => Outcome::set(Value::Text(text)),
            Err(why) => Outcome::wrong(format!("{known:?} {why}")),
        },
    }
}

fn known(expanded: &Expanded) -> Option<&str> {
    expanded.known().and_then(|bytes| str::from_utf8(bytes).ok())
}

fn pid_file(text: &str) -> Result<String, &'static str> {
    let whole = if text.starts_with('/') { text.to_owned() } else { format!("/run/{text}") };
    let path = path(&whole)?;
    // `patch_var_run`
    Ok(path.strip_prefix("/var/run/").map_or(path.clone(), |rest| format!("/run/{rest}")))
}

/// `path_simplify_and_warn`
fn path(text: &str) -> Result<String, &'static str> {
    if !text.starts_with('/') {
        return Err("is no absolute path");
    }
    let simple = command::simplified(OsStr::new(text)).into_string().map_err(|_| "is no text")?;
    let is_normal = simple.split('/').all(|part| part != ".." && part.len() <= 255);
    if is_normal && simple.len() < 4096 { Ok(simple) } else { Err("is no path that systemd takes") }
}

/// `valid_user_group_name`, as mildly as it is asked there (src/basic/user-util.c).
fn is_account(text: &str) -> bool {
    let is_digits = |text: &str| text.chars().all(|char| char.is_ascii_digit());
    let is_number = !text.starts_with('0') || text == "0";
    let is_id =
        text.parse::<u32>().is_ok_and(|id| id != u32::MAX && id != 0xffff) && is_digits(text) && is_number;
    let is_bad = |char: char| char.is_ascii_control() || ":/".contains(char);
    let is_name = !text.contains(is_bad)
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !is_digits(text.strip_prefix('-').unwrap_or(text))
        && !matches!(text, "." | "..");
    !text.is_empty() && (is_id || is_name)
}

/// D-Bus specification, "Bus names"; a well-known one.
fn is_bus_name(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(|char: char| char.is_ascii_digit())
            && part.chars().all(|char| char.is_ascii_alphanumeric() || "_-".contains(char))
    };
    text.contains('.') && text.len() <= 255 && text.split('.').all(is_part)
}

fn statuses(old: Option<&Value>, text: &str) -> Outcome {
    let mut set = match old {
        Some(Value::Statuses(set)) => set.clone(),
        _ => Statuses::default(),
    };
    let rules = Rules { quotes: false, escapes: Escapes::Literal };
    let (mut rest, mut fault) = (text, None);
    loop {
        match first(&mut rest, rules) {
            Ok(None) => break,
            Ok(Some(found)) => {
                let word = String::from_utf8_lossy(&found.bytes).into_owned();
                match (value::exit_status(&word), value::signal(&word)) {
                    (Some(code), _) => set.codes.push(code),
                    (None, Some(signal)) => set.signals.push(signal),
                    (None, None) => {
                        fault = Some((format!("{word:?} is no exit status and no signal"), false));
                    }
                }
            }
            Err(_) => {
                fault = Some(("it ends with a backslash".to_owned(), false));
                break;
            }
        }
    }
    for list in [&mut set.codes, &mut set.signals] {
        list.sort_unstable();
        list.dedup();
    }
    let change = (set != Statuses::default()).then_some(Change::Add(Value::Statuses(set)));
    Outcome { change, fault }
}

fn commands(old: Option<&Value>, text: &str, subject: Subject<'_>) -> Outcome {
    let mut list = old.map(Value::commands).unwrap_or_default().to_vec();
    let parsed = command::parse(text, subject);
    let change = (!parsed.commands.is_empty()).then(|| {
        list.extend(parsed.commands);
        Change::Add(Value::Commands(list))
    });
    Outcome { change, fault: parsed.fault.map(|fault| (fault.to_string(), parsed.is_fatal)) }
}

/// A word with its specifiers expanded, as far as they can be, and as it might be if all were.
struct Each {
    text: String,
    supposed: String,
}

/// Adds words of `text`, each as `take` makes it; one that it does not make is passed over.
fn each(
    text: &str,
    rules: Rules,
    subject: Subject<'_>,
    mut take: impl FnMut(Each) -> Result<(), String>,
) -> Option<(String, bool)> {
    let (mut rest, mut fault) = (text, None);
    loop {
        match first(&mut rest, rules) {
            Ok(None) => return fault,
            Err(_) => return Some(("a quote in it is not closed, or an escape is none".to_owned(), false)),
            Ok(Some(found)) => {
                let word = expand(&found.bytes, subject).map_err(|error| error.to_string());
                let word = word.and_then(|word| {
                    let text =
                        String::from_utf8(word.text()).map_err(|_| "a word in it is not UTF-8".to_owned())?;
                    let supposed = String::from_utf8_lossy(&word.supposed()).into_owned();
                    Ok(Each { text, supposed })
                });
                if let Err(why) = word.and_then(&mut take) {
                    fault = Some((why, false));
                }
            }
        }
    }
}

fn environment(mut list: Vec<String>, text: &str, subject: Subject<'_>) -> Outcome {
    let fault = each(text, UNQUOTED, subject, |Each { text: word, .. }| {
        let name = word.split_once('=').filter(|(name, value)| {
            let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
            let is_control = |char: char| char.is_ascii_control() && !"\t\n".contains(char);
            !name.is_empty()
                && name.chars().all(is_name)
                && !name.starts_with(|char: char| char.is_ascii_digit())
                && !value.contains(is_control)
        });
        let Some((name, _)) = name else { return Err(format!("{word:?} is no assignment")) };
        let is_same = |other: &&mut String| other.split_once('=').is_some_and(|(other, _)| other == name);
        match list.iter_mut().find(is_same) {
            Some(place) => place.clone_from(&word),
            None => list.push(word),
        }
        Ok(())
    });
    Outcome { fault, ..Outcome::added(list) }
}

fn words(mut list: Vec<String>, text: &str, subject: Subject<'_>) -> Outcome {
    let rules = Rules { quotes: true, escapes: Escapes::Kept };
    let fault = each(text, rules, subject, |Each { text: word, .. }| {
        if !list.contains(&word) {
            list.push(word);
        }
        Ok(())
    });
    Outcome { fault, ..Outcome::added(list) }
}

fn paths(mut list: Vec<String>, text: &str, subject: Subject<'_>) -> Outcome {
    let rules = Rules { quotes: true, escapes: Escapes::Literal };
    let fault = each(text, rules, subject, |Each { text, supposed }| {
        let bare = |word: &str| {
            let rest = word.strip_prefix('-').unwrap_or(word);
            rest.strip_prefix('+').unwrap_or(rest).to_owned()
        };
        let (written, whole) = (bare(&text), bare(&supposed));
        let path = path(&whole).map_err(|why| format!("{written:?} {why}"))?;
        let prefix = &text[..text.len() - written.len()];
        list.push(if whole == written { format!("{prefix}{path}") } else { text });
        Ok(())
    });
    Outcome { fault, ..Outcome::added(list) }
}

fn dependencies(mut list: Vec<String>, text: &str, subject: Subject<'_>) -> Outcome {
    let rules = Rules { quotes: false, escapes: Escapes::Kept };
    let fault = each(text, rules, subject, |Each { text: word, .. }| {
        if !list.contains(&word) {
            list.push(word);
        }
        Ok(())
    });
    Outcome { fault, ..Outcome::added(list) }
}

fn capabilities(bounding: Bounding, old: Option<&Value>, text: &str) -> Outcome {
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
fn capability_list(bounding: Bounding, mask: u64) -> Option<Value> {
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

fn families(old: Option<&Value>, text: &str) -> Outcome {
    if text == "none" {
        return Outcome::set(Value::List(Vec::new()));
    }
    let (is_denied, names) = match text.strip_prefix('~') {
        Some(names) => (true, names),
        None => (false, text),
    };
    let mut list = old.map(Value::list).unwrap_or_default().to_vec();
    // `none` before it leaves a list that allows.
    let denies = if old.is_some() { list.first().is_some_and(|first| first == "~") } else { is_denied };
    let is_fresh_denial = old.is_none_or(|old| old.list().is_empty()) && is_denied;
    let denies = denies || is_fresh_denial;
    list.retain(|name| name != "~");
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

/// What the manager's property says of a directive of this kind; [`None`]: nothing that is understood. `Some(None)`: that
/// nothing is set.
pub fn of_property(kind: Kind, property: &Property) -> Option<Option<Value>> {
    use std::time::Duration;
    Some(match (kind, property) {
        (_, Property::Text(text)) if text.is_empty() => None,
        (Kind::FlagOr(_), Property::Text(text)) => Some(plain(kind, text)?),
        (_, Property::Text(text)) => Some(Value::Text(text.clone())),
        (Kind::Flag | Kind::FatalFlag | Kind::Delegate | Kind::FlagOr(_), Property::Flag(flag)) => {
            Some(Value::Flag(*flag))
        }
        (Kind::Time | Kind::TimeOrNone | Kind::OptionalTime, Property::Unsigned(micros)) => {
            Some(Value::Time((*micros < u64::MAX).then(|| Duration::from_micros(*micros))))
        }
        (Kind::Size | Kind::Number, Property::Unsigned(number)) => {
            Some(Value::Number((*number < u64::MAX).then_some(*number)))
        }
        (Kind::Capabilities(bounding), Property::Unsigned(mask)) => capability_list(bounding, *mask),
        (Kind::Signal, Property::Signed(number)) => Some(Value::Signal(*number)),
        (Kind::Statuses, Property::Statuses(codes, signals)) => {
            let set = Statuses { codes: codes.clone(), signals: signals.clone() };
            (set != Statuses::default()).then_some(Value::Statuses(set))
        }
        (Kind::Families, Property::Filter(allows, names)) => {
            let tilde = (!allows).then(|| "~".to_owned());
            let mut names = names.clone();
            names.sort_unstable();
            (*allows || !names.is_empty()).then(|| Value::List(tilde.into_iter().chain(names).collect()))
        }
        (Kind::Environment | Kind::Words | Kind::Paths, Property::Texts(texts)) => {
            (!texts.is_empty()).then(|| Value::List(texts.clone()))
        }
        (Kind::Commands, Property::Commands(commands)) => (!commands.is_empty()).then(|| {
            let one = |CommandProperty { path, argv, flags }: &CommandProperty| {
                Command::of_manager(path, argv, Flags::of_manager(flags))
            };
            Value::Commands(commands.iter().map(one).collect())
        }),
        _ => return None,
    })
}
