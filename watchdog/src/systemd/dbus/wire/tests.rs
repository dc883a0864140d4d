//! zbus is the other side.

use std::collections::BTreeMap;

use proptest::prelude::*;
use zbus::message::Message;
use zbus::zvariant::{ObjectPath, Value};

use super::*;

fn signal<B>(body: &B) -> Vec<u8>
where
    B: serde::Serialize + zbus::zvariant::DynamicType,
{
    let builder = Message::signal("/org/example", "org.example.I", "Done").expect("names");
    builder.sender(":1.7").expect("a name").build(body).expect("a message").data().to_vec()
}

fn decoded(bytes: &[u8]) -> Incoming {
    let frame = Frame::new(&bytes[..FIXED]).expect("a frame");
    assert_eq!(frame.header + frame.body, bytes.len());
    // As it arrives: the header, and then the body.
    let (header, body) = bytes.split_at(frame.header);
    let mut message = Incoming::decode(header.to_vec()).expect("a header");
    message.make_room(frame.body).copy_from_slice(body);
    assert_eq!(Ok(&message), Incoming::decode(bytes.to_vec()).as_ref());
    message
}

/// What zbus makes of calls is among the tests of [`bus`](crate::guard::bus), where it answers them.
#[test]
fn a_call_is_read_as_it_was_written() {
    let call = Call { destination: "a.b", path: "/org/example", interface: "org.example.I", method: "Do" };
    let message = decoded(&encode(7, call, &[Argument::Text("x"), Argument::Signed(-6), Argument::Text("")]));
    assert_eq!(message.kind, Kind::Call);
    assert_eq!(
        [&*message.path, &*message.interface, &*message.member],
        ["/org/example", "org.example.I", "Do"]
    );
    let mut body = message.body();
    assert_eq!(
        (body.string(), body.unsigned(), body.string()),
        (Ok("x"), Ok((-6_i32).cast_unsigned()), Ok(""))
    );
    assert_eq!(decoded(&encode(1, call, &[])).body().byte(), Err(Malformed));
}

#[test]
fn the_other_byte_order_is_read_too() {
    // From the specification's own example of a header, with one field: MEMBER is "A".
    let mut bytes = vec![b'B', 4, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 10];
    bytes.extend([3, 1, b's', 0, 0, 0, 0, 1, b'A', 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([0, 0, 1, 2]);
    let message = decoded(&bytes);
    assert_eq!((&*message.member, message.body().unsigned()), ("A", Ok(258)));
}

#[test]
fn headers_are_read() {
    let message = decoded(&signal(&(1_u32, "x")));
    assert_eq!(message.kind, Kind::Signal);
    assert_eq!(
        [&*message.path, &*message.interface, &*message.member, &*message.sender, &*message.error],
        ["/org/example", "org.example.I", "Done", ":1.7", ""]
    );
    let mut body = message.body();
    assert_eq!((body.unsigned(), body.string()), (Ok(1), Ok("x")));
    assert_eq!(body.string(), Err(Malformed), "there is no more");
}

fn texts(texts: &[&str]) -> Property {
    Property::Texts(texts.iter().map(|text| (*text).to_owned()).collect())
}

/// A command, with `flags` and its last run, as systemd sends it: `ExecStart`, `ExecStartEx`.
fn command<F>(flags: F) -> Command<F> {
    ("/bin/a", vec!["/bin/a", "b c"], flags, 1, 2, 3, 4, 5, 6, 7)
}

type Command<F> = (&'static str, Vec<&'static str>, F, u64, u64, u64, u64, u32, i32, i32);

fn run(flags: &[&str]) -> CommandProperty {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    CommandProperty { path: "/bin/a".into(), argv: owned(&["/bin/a", "b c"]), flags: owned(flags) }
}

#[test]
fn values_are_read_or_passed_over_whatever_their_types() {
    let path = ObjectPath::try_from("/a/b").expect("a path");
    let nested = vec![("x", vec![(1_u8, 2_u64, 3_i16)]), ("y", vec![])];
    let values: Vec<(Value<'_>, Option<Property>)> = vec![
        ("text".into(), Some(Property::Text("text".into()))),
        (path.clone().into(), Some(Property::Text("/a/b".into()))),
        (true.into(), Some(Property::Flag(true))),
        (7_u32.into(), Some(Property::Unsigned(7))),
        (u64::MAX.into(), Some(Property::Unsigned(u64::MAX))),
        ((-7_i32).into(), Some(Property::Signed(-7))),
        (vec![1_u8, 2, 3].into(), Some(Property::Bytes(vec![1, 2, 3]))),
        (Vec::<u8>::new().into(), Some(Property::Bytes(vec![]))),
        (Value::from((9_u32, path.clone())), Some(Property::Unsigned(9))),
        (Value::from((vec![1_i32, 2], vec![6_i32])), Some(Property::Statuses(vec![1, 2], vec![6]))),
        (5_u8.into(), None),
        (5_i16.into(), None),
        (5_u16.into(), None),
        (5_i64.into(), None),
        (0.5_f64.into(), None),
        (Value::from(vec![("a", 1_u8)]), None),
        (Value::from((1_u8, ("x", 2_u64), Value::from("v"))), None),
        (Value::from(nested), None),
        (Value::new(Value::from(7_u32)), None),
        (vec!["a", "bc"].into(), Some(texts(&["a", "bc"]))),
        (Vec::<&str>::new().into(), Some(texts(&[]))),
        (Value::from(("a.b", "words")), Some(Property::Text("words".into()))),
        (Value::from((true, vec!["AF_UNIX"])), Some(Property::Filter(true, vec!["AF_UNIX".into()]))),
        (
            Value::from(vec![("/a", "/b", true, 16384_u64, -1_i32)]),
            Some(Property::Rows(vec![vec![
                Property::Text("/a".into()),
                Property::Text("/b".into()),
                Property::Flag(true),
                Property::Unsigned(16384),
                Property::Signed(-1),
            ]])),
        ),
        (Value::from(Vec::<(&str, bool)>::new()), Some(Property::Rows(vec![]))),
        (
            Value::from(vec![("/a", 7_u32), ("/bc", 8)]),
            Some(Property::Rows(vec![
                vec![Property::Text("/a".into()), Property::Unsigned(7)],
                vec![Property::Text("/bc".into()), Property::Unsigned(8)],
            ])),
        ),
        (Value::from(vec![("/a", vec![1_u8])]), None),
        (
            Value::from(vec![command(vec!["no-env-expand"])]),
            Some(Property::Commands(vec![run(&["no-env-expand"])])),
        ),
        (Value::from(vec![command(true)]), Some(Property::Commands(vec![run(&["ignore-failure"])]))),
        (
            Value::from(vec![command(false), command(true)]),
            Some(Property::Commands(vec![run(&[]), run(&["ignore-failure"])])),
        ),
    ];
    // Names of all lengths, so that values begin at all offsets.
    for extra in 0..8 {
        let name = |at: usize| format!("{at:03}{}", "x".repeat(extra));
        let dictionary: BTreeMap<String, &Value<'_>> =
            values.iter().enumerate().map(|(at, (value, _))| (name(at), value)).collect();
        let message = decoded(&signal(&("interface", dictionary, vec!["gone"])));
        let mut body = message.body();
        assert_eq!(body.string(), Ok("interface"));
        let expected: Vec<(String, Property)> = values
            .iter()
            .enumerate()
            .filter_map(|(at, (_, property))| Some((name(at), property.clone()?)))
            .collect();
        assert_eq!(body.properties(), Ok(expected));
        let end = body.array(4).expect("the invalidated ones");
        assert_eq!((body.string(), body.at), (Ok("gone"), end), "everything before was passed over exactly");
    }
}

#[test]
fn an_array_that_goes_on_beyond_the_message_is_refused() {
    let mut bytes = signal(&Value::from(vec!["a", "bc"]));
    assert_eq!(decoded(&bytes).body().value(), Ok(Some(texts(&["a", "bc"]))));
    bytes.truncate(bytes.len() - 1);
    assert_eq!(Incoming::decode(bytes).expect("its header is whole").body().value(), Err(Malformed));
}

/// What is read of a variant at the beginning of a message.
fn value(signature: &str, body: &[u8]) -> Result<Option<Property>, Malformed> {
    let length = u8::try_from(signature.len()).expect("short");
    let bytes = [&[b'l', length], signature.as_bytes(), &[0], body].concat();
    Reader::new(&bytes, 1).expect("a byte order").value()
}

#[test]
fn what_is_not_made_as_the_specification_says_is_refused() {
    for (signature, good, bad) in [
        // Each ends with a zero.
        ("s", &[1, 0, 0, 0, b'x', 0][..], &[1, 0, 0, 0, b'x', b'y'][..]),
        ("g", b"\x01y\0", b"\x01yy"),
        // One type in each variant.
        ("v", b"\x01y\0\0", b"\x02yy\0\0\0"),
        ("v", b"\x01y\0\0", b"\0\0\0\0"),
        ("(y)", &[0; 20], &[]),
    ] {
        assert!(value(signature, good).is_ok(), "{signature} {good:?}");
        assert_eq!(value(signature, bad), Err(Malformed), "{signature} {bad:?}");
    }
    for signature in ["", "yy", "(y", "(", "a", "z", "(z)", "az"] {
        assert_eq!(value(signature, &[0; 40]), Err(Malformed), "{signature}");
    }
}

#[test]
fn values_within_values_are_read_32_deep_and_refused_where_they_are_deeper() {
    // A byte within so many variants, structures and arrays; what is in the latter is not looked at.
    let variants = |depth: usize| value("v", &[&b"\x01v\0".repeat(depth - 1)[..], b"\x01y\0\0"].concat());
    let structures = |depth: usize| value(&format!("{}y{}", "(".repeat(depth), ")".repeat(depth)), &[0; 300]);
    let arrays = |depth: usize| value(&format!("{}y", "a".repeat(depth)), &[0; 300]);
    for (what, at) in [
        ("variants", &variants as &dyn Fn(usize) -> Result<Option<Property>, Malformed>),
        ("structures", &structures),
        ("arrays", &arrays),
    ] {
        assert_eq!((at(32), at(33)), (Ok(None), Err(Malformed)), "{what}");
    }
    assert_eq!(variants(1_000_000), Err(Malformed));
}

/// Any string of bytes, mostly ones that begin as messages do.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let beginning = prop_oneof![Just(b'l'), Just(b'B'), any::<u8>()];
    let rest = proptest::collection::vec(
        prop_oneof![0_u8..16, Just(b'a'), Just(b'('), Just(b'v'), any::<u8>()],
        0..200,
    );
    (beginning, 0_u8..6, rest).prop_map(|(order, kind, rest)| [&[order, kind, 0, 1], &rest[..]].concat())
}

proptest! {
    #[test]
    fn nothing_panics(bytes in bytes(), signature in "[ybnqiuxtdsogav(){}]{0,80}") {
        let _ = Frame::new(&bytes);
        if let Ok(message) = Incoming::decode(bytes.clone()) {
            let _ = message.body().properties();
            let _ = message.body().value();
        }
        if let Ok(mut reader) = Reader::new(&bytes, 0) {
            let _ = reader.skip(signature.as_bytes(), 0);
        }
        let _ = after(signature.as_bytes(), 0);
    }

    #[test]
    fn a_message_that_is_damaged_or_cut_does_no_harm(at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let values: BTreeMap<&str, Value<'_>> =
            [("A", Value::from("x")), ("B", vec![1_u8].into()), ("C", vec!["a"].into())].into();
        let mut bytes = signal(&("interface", values, vec!["gone"]));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(FIXED + cut.index(bytes.len() - FIXED + 1));
        let _ = Frame::new(&bytes[..FIXED]);
        if let Ok(message) = Incoming::decode(bytes) {
            let mut body = message.body();
            let _ = body.string();
            let _ = body.properties();
        }
    }
}
