//! Whom systemd takes for the main process: with NotifyAccess=main it listens to that one alone.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::net::UnixStream;
use zbus::connection::Builder;
use zbus::message::{Message, Type};
use zbus::zvariant::{ObjectPath, Value};

use crate::manager::{AMPLE, Manager};
use crate::peer::{Manner, Peer};
use crate::process::wait_until;
use crate::wrapped::{FOREVER, Wrapped};

/// Plays systemd's own socket, beside that for notifications.
#[derive(Default)]
struct Private {
    /// `MainPID=`; that of who asks where it is negative.
    main: AtomicI32,
    asked: AtomicUsize,
    /// Connections that are still to end before they should.
    breaks: AtomicUsize,
    pid_file: &'static str,
    access: &'static str,
}

/// When a connection ends that does before it should, in turn.
const BREAKS_AT: [&str; 3] = ["", "GetUnitByPID", "Get"];

impl Private {
    fn listen(manager: &Manager, pid_file: &'static str, access: &'static str) -> Arc<Self> {
        Self::listen_and_break(manager, pid_file, access, 0)
    }

    fn listen_and_break(
        manager: &Manager,
        pid_file: &'static str,
        access: &'static str,
        breaks: usize,
    ) -> Arc<Self> {
        let listener = UnixListener::bind(private_path(manager)).unwrap();
        let main = AtomicI32::new(-1);
        let private =
            Arc::new(Self { main, asked: AtomicUsize::new(0), breaks: breaks.into(), pid_file, access });
        let served = Arc::clone(&private);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                stream.set_nonblocking(true).unwrap();
                runtime.block_on(async { served.serve(UnixStream::from_std(stream).unwrap()).await });
            }
        });
        private
    }

    async fn serve(&self, stream: UnixStream) {
        let left = self.breaks.load(Ordering::Relaxed);
        self.breaks.store(left.saturating_sub(1), Ordering::Relaxed);
        let breaks_at = (left > 0).then(|| BREAKS_AT[left % BREAKS_AT.len()]);
        if breaks_at == Some("") {
            // What is left unread would be a reset.
            stream.readable().await.unwrap();
            stream.try_read(&mut [0; 256]).unwrap();
            return;
        }
        let peer = stream.peer_cred().unwrap().pid().unwrap();
        let builder = Builder::unix_stream(stream).server(zbus::Guid::generate()).unwrap().p2p();
        // Who asked may be gone already.
        let Ok(server) = builder.build().await else { return };
        let mut messages = zbus::MessageStream::from(&server);
        while let Some(Ok(call)) = std::future::poll_fn(|context| {
            use zbus::export::futures_core::Stream;
            std::pin::Pin::new(&mut messages).poll_next(context)
        })
        .await
        {
            if call.message_type() != Type::MethodCall {
                continue;
            }
            let is_break = breaks_at == Some(call.header().member().unwrap().as_str());
            if is_break || self.answer(&server, &call, peer).await.is_err() {
                return;
            }
        }
    }

    async fn answer(&self, server: &zbus::Connection, call: &Message, peer: i32) -> zbus::Result<()> {
        let (header, body) = (call.header(), call.body());
        let value = match header.member().unwrap().as_str() {
            "GetUnitByPID" => {
                return server.reply(&header, &ObjectPath::from_static_str_unchecked("/mine")).await;
            }
            "Get" => match body.deserialize::<(String, String)>().unwrap().1.as_str() {
                "MainPID" => {
                    self.asked.fetch_add(1, Ordering::Relaxed);
                    let main = self.main.load(Ordering::Relaxed);
                    Value::from(u32::try_from(main).unwrap_or(peer.unsigned_abs()))
                }
                "PIDFile" => Value::from(self.pid_file),
                "TimeoutStartUSec" => Value::from(90_000_000_u64),
                "NotifyAccess" => Value::from(self.access),
                other => panic!("{other} was asked for"),
            },
            other => panic!("{other} was called"),
        };
        server.reply(&header, &value).await
    }
}

fn private_path(manager: &Manager) -> PathBuf {
    Path::new(&manager.address).with_file_name("private")
}

/// W, in µs.
const USEC: &str = "4000000";

fn start(manager: &Manager, peer: &Peer) -> Wrapped {
    start_with(manager, peer, &[])
}

fn start_with(manager: &Manager, peer: &Peer, options: &[&str]) -> Wrapped {
    let url = format!("--http={}", peer.url());
    let options = [&[&*url, "--interval=50ms", "--timeout=1s"], options].concat();
    Wrapped::start_within(manager, USEC, &options, &FOREVER)
}

#[test]
fn who_is_not_the_main_process_any_more_says_so_before_systemds_timer_acts_and_in_the_status() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let private = Private::listen(&manager, "/run/lighttpd.pid", "main");
    let wrapped = start(&manager, &peer);
    manager.receive_until("WATCHDOG=1");
    wait_until("it was asked after READY=1", || {
        manager.so_far();
        private.asked.load(Ordering::Relaxed) >= 2
    });
    // As after a reload: systemd has read the file.
    private.main.store(wrapped.child_pid(), Ordering::Relaxed);
    let began = Instant::now();
    let line = wrapped.stderr_find("systemd takes COMMAND (process ");
    assert!(began.elapsed() < Duration::from_secs(3), "too late: {:?}", began.elapsed());
    assert!(line.contains("not sd-watchdog") && line.contains("refuses its pings"), "{line}");
    assert!(line.contains("take PIDFile=/run/lighttpd.pid out of the unit"), "{line}");
    manager.receive_until("systemd refuses our pings");
    // Once.
    let asked = private.asked.load(Ordering::Relaxed);
    wait_until("it was asked again", || {
        manager.so_far();
        private.asked.load(Ordering::Relaxed) >= asked + 2
    });
    private.main.store(-1, Ordering::Relaxed);
    let between = wrapped.stderr_until("takes sd-watchdog for the main process again");
    assert!(!between.iter().any(|line| line.contains("systemd takes COMMAND")), "{between:?}");
    wrapped.signal(Signal::TERM);
}

#[test]
fn who_is_not_the_main_process_from_the_start_says_so_at_once() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Unavailable));
    let private = Private::listen(&manager, "", "main");
    private.main.store(0, Ordering::Relaxed);
    let wrapped = start(&manager, &peer);
    let line = wrapped.stderr_find("systemd takes no process for the main process");
    assert!(line.contains("the start times out; have ExecStart= begin with sd-watchdog"), "{line}");
    wrapped.signal(Signal::TERM);
}

#[test]
fn systemd_is_asked_twice_where_nothing_can_change_and_never_mind_where_all_may_speak() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let private = Private::listen(&manager, "", "all");
    private.main.store(42, Ordering::Relaxed);
    let wrapped = start(&manager, &peer);
    let began = Instant::now();
    // More than any gap between two questions.
    while began.elapsed() < Duration::from_secs(4) {
        assert!(manager.receive_within(AMPLE).is_some());
    }
    assert_eq!(private.asked.load(Ordering::Relaxed), 2);
    wrapped.signal(Signal::TERM);
    let (_, _, log) = wrapped.end();
    assert!(!log.iter().any(|line| line.contains("main process of")), "{log:?}");
}

#[test]
fn a_connection_that_breaks_is_no_answer_and_systemd_is_asked_again() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    // Each way of it more often than it is asked anyhow: after the start, and after READY=1.
    let private = Private::listen_and_break(&manager, "", "main", 3 * BREAKS_AT.len());
    private.main.store(42, Ordering::Relaxed);
    let wrapped = start(&manager, &peer);
    wrapped.stderr_find("systemd takes process 42 for the main process");
    assert_eq!(private.breaks.load(Ordering::Relaxed), 0);
    wrapped.signal(Signal::TERM);
}

#[test]
fn systemd_is_asked_again_where_nobody_listened_for_a_moment_as_when_it_executes_itself_anew() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    drop(UnixListener::bind(private_path(&manager)).unwrap());
    let wrapped = start_with(&manager, &peer, &["--verbose"]);
    // Once more often than it is asked anyhow.
    for _ in 0..3 {
        wrapped
            .stderr_until("systemd cannot be asked whom it takes for the main process: Connection refused");
    }
    std::fs::remove_file(private_path(&manager)).unwrap();
    let private = Private::listen(&manager, "", "main");
    private.main.store(42, Ordering::Relaxed);
    wrapped.stderr_find("systemd takes process 42 for the main process");
    wrapped.signal(Signal::TERM);
}
