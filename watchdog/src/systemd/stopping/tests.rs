//! Against a systemd of our own, at the other end of a pair of sockets.

use std::future::poll_fn;
use std::pin::Pin;

use zbus::MessageStream;
use zbus::connection::{Builder, Connection as Zbus};
use zbus::export::futures_core::Stream;
use zbus::message::{Message, Type};
use zbus::zvariant::{ObjectPath, OwnedObjectPath, Value};

use super::*;

const UNIT_PATH: &str = "/org/freedesktop/systemd1/unit/mine_2eservice";
const JOB_PATH: &str = "/org/freedesktop/systemd1/job/7";

/// The unit that asks, in this state and with this job, answers for ever.
async fn systemd(stream: UnixStream, state: &str, job: &str) {
    let guid = zbus::Guid::generate();
    let server = Builder::unix_stream(stream).server(guid).expect("a guid").p2p();
    let server = server.build().await.expect("a connection");
    let mut stream = MessageStream::from(&server);
    while let Some(Ok(message)) = poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
        if message.message_type() == Type::MethodCall {
            answer(&server, &message, state, job).await;
        }
    }
}

async fn answer(server: &Zbus, call: &Message, state: &str, job: &str) {
    let (header, body) = (call.header(), call.body());
    let path = |path: &'static str| OwnedObjectPath::from(ObjectPath::from_static_str_unchecked(path));
    let method = header.member().expect("a method").as_str();
    let value = match method {
        "Hello" => return server.reply(&header, &":1.7").await.expect("sent"),
        "GetUnitByPID" => {
            assert_eq!(body.deserialize::<u32>().expect("a pid"), 0);
            return server.reply(&header, &path(UNIT_PATH)).await.expect("sent");
        }
        "Get" => {
            let (_, property): (String, String) = body.deserialize().expect("a property");
            let asked = header.path().expect("a path").as_str();
            match (asked, property.as_str()) {
                (UNIT_PATH, "ActiveState") => Value::from(state),
                (UNIT_PATH, "Job") if job.is_empty() => Value::from((0_u32, path("/"))),
                (UNIT_PATH, "Job") => Value::from((7_u32, path(JOB_PATH))),
                (JOB_PATH, "JobType") => Value::from(job),
                other => panic!("{other:?} was asked for"),
            }
        }
        other => panic!("{other} was called"),
    };
    server.reply(&header, &value).await.expect("sent");
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

#[test]
fn a_unit_is_being_stopped_when_it_is_on_its_way_down_or_is_to_go_there() {
    for (state, job, expected) in [
        ("active", "", false),
        ("active", "reload", false),
        ("active", "start", false),
        ("active", "stop", true),
        ("active", "restart", true),
        ("activating", "start", false),
        ("reloading", "", false),
        ("deactivating", "stop", true),
        ("deactivating", "", true),
    ] {
        for by_bus in [false, true] {
            let answer = run(async {
                let (ours, theirs) = UnixStream::pair().expect("sockets");
                let ask = async { if by_bus { over_bus(ours).await } else { over(ours).await } };
                tokio::select! {
                    answer = ask => answer,
                    () = systemd(theirs, state, job) => panic!("systemd has ended"),
                }
            });
            assert_eq!(answer.expect("an answer"), expected, "{state} {job} {by_bus}");
        }
    }
}

#[test]
fn nobody_who_answers_is_no_answer() {
    run(async {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        drop(theirs);
        assert!(over(ours).await.is_err());
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
