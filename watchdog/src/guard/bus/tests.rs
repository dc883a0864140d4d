//! Against a systemd of our own, at the other end of a pair of sockets.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;

use tokio::sync::Notify;
use zbus::MessageStream;
use zbus::connection::{Builder, Connection};
use zbus::export::futures_core::Stream;
use zbus::message::{Message, Type};
use zbus::zvariant::{DynamicType, ObjectPath, Value};

use super::*;
use crate::systemd::dbus::names::MANAGER_PATH;
use crate::systemd::shall_restart::{Restart, Statuses};

mod follow;

const UNIT_PATH: &str = "/org/freedesktop/systemd1/unit/nginx_2eservice";

/// Has one unit, and keeps the calls that were made.
#[derive(Debug, Clone)]
struct Systemd {
    connection: Connection,
    calls: Rc<RefCell<Vec<String>>>,
    /// What KillUnit answers.
    refusal: Option<&'static str>,
    /// Properties that this systemd is too old for.
    unknown: &'static [&'static str],
    /// What `JobType` says of each job, or the error that is the answer. Where there is nothing yet, the answer waits for it.
    jobs: Rc<RefCell<HashMap<u32, Result<&'static str, &'static str>>>>,
    job_known: Rc<Notify>,
    /// Properties that are other ones by now.
    now: Rc<RefCell<HashMap<&'static str, Value<'static>>>>,
}

const NO_SUCH_JOB: &str = "org.freedesktop.DBus.Error.UnknownObject";

impl Systemd {
    /// One that is asked by the [`Bus`].
    async fn with_bus() -> (Self, Bus, Changes) {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        let server = async {
            let guid = zbus::Guid::generate();
            let builder = Builder::unix_stream(theirs).server(guid).expect("a guid").p2p();
            let connection = builder.build().await.expect("a connection");
            Self {
                connection,
                calls: Rc::default(),
                refusal: None,
                unknown: &[],
                jobs: Rc::default(),
                job_known: Rc::default(),
                now: Rc::default(),
            }
        };
        let (systemd, bus) = tokio::join!(server, Bus::open(ours));
        let (bus, changes) = bus.expect("a connection");
        (systemd, bus, changes)
    }

    fn properties(&self) -> HashMap<&'static str, Value<'static>> {
        let mut properties = properties();
        properties.retain(|name, _| !self.unknown.contains(name));
        for (name, value) in self.now.borrow().iter() {
            properties.insert(name, value.try_clone().expect("cloned"));
        }
        properties
    }

    async fn tell_job_type(&self, call: &zbus::message::Header<'_>) {
        let (path, connection) = (call.path().expect("a path").to_string(), &self.connection);
        self.calls.borrow_mut().push(format!("JobType {path}"));
        let id = path.strip_prefix("/org/freedesktop/systemd1/job/").and_then(|id| id.parse().ok());
        let id: u32 = id.expect("the path of a job");
        let answer = loop {
            let known = self.jobs.borrow().get(&id).copied();
            match known {
                Some(answer) => break answer,
                None => self.job_known.notified().await,
            }
        };
        match answer {
            Ok(word) => connection.reply(call, &Value::from(word)).await.expect("sent"),
            Err(error) => connection.reply_error(call, error, &"No.").await.expect("sent"),
        }
    }

    /// Answers calls for ever.
    async fn serve(&self) {
        let mut stream = MessageStream::from(&self.connection);
        while let Some(Ok(message)) = poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
            if message.message_type() == Type::MethodCall {
                self.answer(&message).await;
            }
        }
    }

    async fn answer(&self, call: &Message) {
        let (header, body) = (call.header(), call.body());
        let method = header.member().expect("a method").to_string();
        let connection = &self.connection;
        let path = ObjectPath::try_from(UNIT_PATH).expect("a path");
        let said = match method.as_str() {
            "Subscribe" => {
                connection.reply(&header, &()).await.expect("sent");
                String::new()
            }
            "LoadUnit" => {
                connection.reply(&header, &path).await.expect("sent");
                body.deserialize::<String>().expect("a name")
            }
            "GetAll" => {
                assert_eq!(body.deserialize::<String>().expect("an interface"), "");
                connection.reply(&header, &self.properties()).await.expect("sent");
                return;
            }
            "Get" => {
                let asked: (String, String) = body.deserialize().expect("a property");
                if asked == ("org.freedesktop.systemd1.Job".to_owned(), "JobType".to_owned()) {
                    return self.tell_job_type(&header).await;
                }
                assert_eq!(asked, (SERVICE.to_owned(), "ControlGroup".to_owned()));
                connection.reply(&header, &self.properties()["ControlGroup"]).await.expect("sent");
                return;
            }
            "KillUnit" => {
                match self.refusal {
                    None => connection.reply(&header, &()).await.expect("sent"),
                    Some(error) => connection.reply_error(&header, error, &"No.").await.expect("sent"),
                }
                format!("{:?}", body.deserialize::<(String, String, i32)>().expect("arguments"))
            }
            "StartUnit" => {
                connection.reply(&header, &path).await.expect("sent");
                format!("{:?}", body.deserialize::<(String, String)>().expect("arguments"))
            }
            other => panic!("{other} was not expected"),
        };
        self.calls.borrow_mut().push(format!("{method} {said}").trim().to_owned());
    }

    async fn say<B>(&self, path: &str, interface: &str, signal: &str, body: &B)
    where
        B: serde::Serialize + DynamicType,
    {
        self.connection.emit_signal(None::<&str>, path, interface, signal, body).await.expect("sent");
    }

    async fn changed(&self, path: &str, interface: &str, values: &[(&str, Value<'_>)]) {
        let values: HashMap<&str, Value<'_>> =
            values.iter().map(|(name, value)| (*name, value.try_clone().expect("cloned"))).collect();
        self.say(path, PROPERTIES, "PropertiesChanged", &(interface, values, Vec::<&str>::new())).await;
    }
}

/// As systemd 252 has them, and a unit.
fn properties() -> HashMap<&'static str, Value<'static>> {
    let job = Value::from((0_u32, ObjectPath::from_static_str_unchecked("/")));
    HashMap::from([
        ("Id", "nginx.service".into()),
        ("LoadState", "loaded".into()),
        ("ActiveState", "active".into()),
        ("SubState", "running".into()),
        ("InvocationID", vec![1_u8, 2, 3].into()),
        ("Job", job),
        ("MainPID", 42_u32.into()),
        ("Result", "success".into()),
        ("ExecMainCode", 0_i32.into()),
        ("ExecMainStatus", 0_i32.into()),
        ("CanStart", false.into()),
        ("CollectMode", "inactive-or-failed".into()),
        ("FailureAction", "reboot".into()),
        ("UnitFileState", "enabled".into()),
        ("Restart", "on-failure".into()),
        ("RestartUSec", 250_000_u64.into()),
        ("KillMode", "mixed".into()),
        ("WatchdogSignal", 9_i32.into()),
        ("TimeoutStopUSec", 90_000_000_u64.into()),
        ("TimeoutAbortUSec", 10_000_000_u64.into()),
        ("SendSIGKILL", false.into()),
        ("RestartPreventExitStatus", Value::from((vec![3_i32, 4], vec![6_i32]))),
        ("RestartForceExitStatus", Value::from((vec![5_i32], Vec::<i32>::new()))),
        ("SuccessExitStatus", Value::from((Vec::<i32>::new(), vec![10_i32]))),
        ("ControlGroup", "/system.slice/nginx.service".into()),
        // Of types that nobody here reads.
        ("ExecStart", Value::from(vec![("/bin/x", vec!["/bin/x"], false, 7_u64)])),
        ("Environment", vec!["A=b"].into()),
    ])
}

fn running() -> Unit {
    Unit {
        id: "nginx.service".into(),
        load: "loaded".into(),
        active: "active".into(),
        sub: "running".into(),
        main_pid: 42,
        invocation: vec![1, 2, 3],
        job: None,
        result: "success".into(),
        exit: (0, 0),
    }
}

fn nginx() -> UnitName {
    UnitName::new("nginx").expect("a name")
}

/// Runs until `test` ends, with the systemd answering beside it.
async fn beside<T>(systemd: &Systemd, test: impl Future<Output = T>) -> T {
    let within = timeout(Duration::from_secs(20), test);
    tokio::select! {
        ended = within => ended.expect("it ends"),
        () = systemd.serve() => panic!("systemd is gone"),
    }
}

#[tokio::test]
async fn what_there_is_to_know_of_a_unit_is_read_whatever_its_type_and_systemds_age() {
    let expected = Settings {
        restart: Restart {
            setting: "on-failure".into(),
            prevent: Statuses { codes: vec![3, 4], signals: vec![6] },
            force: Statuses { codes: vec![5], signals: vec![] },
            success: Statuses { codes: vec![], signals: vec![10] },
        },
        restart_after: Duration::from_millis(250),
        kill_mode: "mixed".into(),
        watchdog_signal: 9,
        stop_timeout: Some(Duration::from_secs(90)),
        abort_timeout: Some(Some(Duration::from_secs(10))),
        send_sigkill: false,
        failure_action: "reboot".into(),
        collect_mode: "inactive-or-failed".into(),
        load: "loaded".into(),
        can_start: false,
        file_state: "enabled".into(),
        control_group: "/system.slice/nginx.service".into(),
    };
    let old = Settings { abort_timeout: None, ..expected.clone() };
    for (unknown, settings) in [(&[][..], expected), (&["TimeoutAbortUSec"], old)] {
        let (mut systemd, bus, _changes) = Systemd::with_bus().await;
        systemd.unknown = unknown;
        beside(&systemd, async {
            let handle = bus.load(&nginx()).await.expect("loaded");
            assert_eq!(bus.look(&handle).await.expect("seen"), running());
            assert_eq!(bus.settings(&handle).await.expect("read"), settings);
            let control_group = bus.control_group(&handle).await.expect("read");
            assert_eq!(control_group.as_deref(), Some("/system.slice/nginx.service"));
        })
        .await;
    }
}

#[tokio::test]
async fn a_signal_is_followed_by_sigcont_unless_it_is_sigkill() {
    let (systemd, bus, _changes) = Systemd::with_bus().await;
    beside(&systemd, async {
        bus.kill(&nginx(), Whom::Main, 6).await.expect("sent");
        bus.kill(&nginx(), Whom::All, 9).await.expect("sent");
        bus.start(&nginx(), false).await.expect("queued");
    })
    .await;
    let expected = [
        r#"KillUnit ("nginx.service", "main", 6)"#,
        r#"KillUnit ("nginx.service", "main", 18)"#,
        r#"KillUnit ("nginx.service", "all", 9)"#,
        r#"StartUnit ("nginx.service", "fail")"#,
    ];
    assert_eq!(*systemd.calls.borrow(), expected);
}

#[tokio::test]
async fn a_refusal_is_told_with_the_remedy_and_a_process_that_is_gone_is_none() {
    for (refusal, expected) in [
        ("org.freedesktop.systemd1.NoSuchProcess", Ok(())),
        ("org.freedesktop.systemd1.NoSuchUnit", Err("No.")),
        ("org.freedesktop.DBus.Error.NoReply", Err("No.")),
        ("org.freedesktop.DBus.Error.AccessDenied", Err("No.: run the guard as root")),
        ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", Err("No.: run the guard as root")),
    ] {
        let (mut systemd, bus, _changes) = Systemd::with_bus().await;
        systemd.refusal = Some(refusal);
        let result = beside(&systemd, bus.kill(&nginx(), Whom::Main, 6)).await;
        let result = result.map_err(|failure| {
            assert_eq!(failure.is_refusal, !refusal.ends_with("NoReply"), "{refusal}");
            failure.why
        });
        match (result, expected) {
            (Ok(()), Ok(())) => {}
            (Err(why), Err(words)) => assert!(why.starts_with(words), "{why}"),
            (result, _) => panic!("{refusal}: {result:?}"),
        }
    }
}

fn job_path() -> ObjectPath<'static> {
    ObjectPath::try_from("/org/freedesktop/systemd1/job/7").expect("a path")
}

#[test]
fn on_a_bus_only_systemds_own_signals_count_and_only_the_bus_tells_that_it_has_moved() {
    let subject = Arc::<Subject>::default();
    subject.peer.set(":1.0".to_owned()).expect("unset");
    subject.unit.set((Handle(UNIT_PATH.to_owned()), "nginx.service".to_owned())).expect("unset");
    let signal = |sender: &'static str, interface: &'static str, member: &'static str, text: &'static str| {
        let builder = Message::signal(MANAGER_PATH, interface, member).expect("names");
        let builder = builder.sender(sender).expect("a name");
        let message = match member {
            "Reloading" => builder.build(&false),
            "JobNew" => builder.build(&(7_u32, job_path(), text)),
            "JobRemoved" => builder.build(&(7_u32, job_path(), text, "invalid")),
            _ => builder.build(&(text, "", ":1.7")),
        };
        let message = message.expect("a message");
        let message = Incoming::decode(message.data().to_vec()).expect("a message");
        let said = subject.read(&message);
        assert!(said.is_none() || subject.concerns(&message), "its body would be passed over");
        said
    };
    for (sender, reloading, job, over, moved) in [
        (":1.0", Some(Change::Reloaded), Some(Change::Job(7)), Some(Change::JobInvalid(7)), None),
        (":1.9", None, None, None, None),
        (BUS, None, None, None, Some(Change::Moved)),
    ] {
        assert_eq!(signal(sender, MANAGER, "Reloading", ""), reloading, "{sender}");
        assert_eq!(signal(sender, MANAGER, "JobNew", "nginx.service"), job, "{sender}");
        assert_eq!(signal(sender, MANAGER, "JobNew", "x.service"), None, "{sender}");
        assert_eq!(signal(sender, MANAGER, "JobRemoved", "nginx.service"), over, "{sender}");
        assert_eq!(signal(sender, BUS, "NameOwnerChanged", SYSTEMD), moved, "{sender}");
        assert_eq!(signal(sender, BUS, "NameOwnerChanged", "org.example"), None, "{sender}");
    }
}
