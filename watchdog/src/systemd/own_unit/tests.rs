//! Against a systemd of our own, at the other end of a pair of sockets.

use std::future::poll_fn;
use std::pin::Pin;

use zbus::MessageStream;
use zbus::connection::{Builder, Connection as Zbus};
use zbus::export::futures_core::Stream;
use zbus::message::{Message, Type};
use zbus::zvariant::{ObjectPath, OwnedObjectPath, Value};

use super::*;

pub(in crate::systemd) const UNIT_PATH: &str = "/org/freedesktop/systemd1/unit/mine_2eservice";

/// What it says of an object's property.
type Properties<'a> = dyn Fn(&str, &str) -> Value<'static> + 'a;

pub(in crate::systemd) fn object(path: &'static str) -> OwnedObjectPath {
    OwnedObjectPath::from(ObjectPath::from_static_str_unchecked(path))
}

/// Answers for ever. In the unit are who asks, and the process 17.
async fn systemd(stream: UnixStream, properties: &Properties<'_>) {
    let guid = zbus::Guid::generate();
    let server = Builder::unix_stream(stream).server(guid).expect("a guid").p2p();
    let server = server.build().await.expect("a connection");
    let mut stream = MessageStream::from(&server);
    while let Some(Ok(message)) = poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
        if message.message_type() == Type::MethodCall {
            answer(&server, &message, properties).await;
        }
    }
}

async fn answer(server: &Zbus, call: &Message, properties: &Properties<'_>) {
    let (header, body) = (call.header(), call.body());
    let method = header.member().expect("a method").as_str();
    let whom = if method == "Hello" { "org.freedesktop.DBus" } else { "org.freedesktop.systemd1" };
    assert_eq!(header.destination().expect("somebody").as_str(), whom, "where there is a bus, it is to know");
    match method {
        "Hello" => server.reply(&header, &":1.7").await.expect("sent"),
        "GetUnitByPID" => match body.deserialize::<u32>().expect("a pid") {
            0 | 17 => server.reply(&header, &object(UNIT_PATH)).await.expect("sent"),
            18 => server.reply(&header, &object("/org/freedesktop/systemd1/unit/other")).await.expect("sent"),
            _ => {
                let name = "org.freedesktop.systemd1.NoUnitForPID";
                server.reply_error(&header, name, &"in no unit").await.expect("sent");
            }
        },
        "Get" => {
            let (_, property): (String, String) = body.deserialize().expect("a property");
            let value = properties(header.path().expect("a path").as_str(), &property);
            server.reply(&header, &value).await.expect("sent");
        }
        other => panic!("{other} was called"),
    }
}

pub(in crate::systemd) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    runtime.block_on(future)
}

/// What `ask` makes of a unit of these properties, over the bus or not.
pub(in crate::systemd) fn asked<T>(
    by_bus: bool,
    properties: &Properties<'_>,
    ask: impl AsyncFnOnce(&OwnUnit) -> T,
) -> T {
    run(async {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        let ask = async {
            let unit = if by_bus { OwnUnit::over_bus(ours).await } else { OwnUnit::over(ours).await };
            ask(&unit.expect("a unit")).await
        };
        tokio::select! {
            answer = ask => answer,
            () = systemd(theirs, properties) => panic!("systemd has ended"),
        }
    })
}

#[test]
fn who_is_in_it_is_known() {
    for (pid, expected) in [(17, true), (18, false), (19, false)] {
        let has = asked(false, &|_, _| unreachable!(), async |unit| unit.has(pid).await.expect("an answer"));
        assert_eq!(has, expected, "{pid}");
    }
}

#[test]
fn nobody_who_answers_is_no_answer() {
    run(async {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        drop(theirs);
        assert!(OwnUnit::over(ours).await.is_err());
    });
}

#[test]
fn the_manager_that_is_notified_is_asked() {
    for (notify, expected) in [
        (Some("/run/systemd/notify"), Some("/run/systemd/private")),
        (Some("/run/user/1000/systemd/notify"), Some("/run/user/1000/systemd/private")),
        (Some("/run/podman/notify.sock"), None),
        (Some("@notify"), None),
        (Some("vsock:2:9999"), None),
        (None, None),
    ] {
        assert_eq!(private_socket(notify.map(OsStr::new)), expected.map(PathBuf::from), "{notify:?}");
    }
}
