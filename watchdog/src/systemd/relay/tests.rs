use std::io::{BufRead, BufReader, Lines, PipeReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;
use crate::kernel::alarm;
use crate::kernel::foreign::tests::lingering;
use crate::systemd::message::Message;
use crate::systemd::notify::{MOST_DESCRIPTORS, Notifier};

mod peers;

/// Long enough for a machine that is busy with everything else.
const AMPLE: Duration = Duration::from_secs(30);

/// To where the tests' own output is not swallowed.
fn tell(lines: &str) {
    for line in lines.lines().filter(|line| line.starts_with("skipped: ")) {
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// Whether a test can be made that only root can make.
pub(super) fn is_root(what: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        assert!(std::env::var_os("CI").is_none(), "in CI the tests run as root");
        tell(&format!("skipped: {what}: needs root"));
    }
    is_root
}

fn own_pid() -> i32 {
    std::process::id().cast_signed()
}

/// At an abstract name, wherever the tests run.
fn relay() -> Relay {
    Relay::at_home(Home::find(), &Surroundings::default()).expect("a relay")
}

/// What COMMAND says next, where this process is COMMAND.
async fn next(relay: &Relay) -> Received {
    next_of(relay, own_pid(), None).await
}

async fn next_of(relay: &Relay, started: i32, named: Option<i32>) -> Received {
    let said = async {
        loop {
            relay.wait().await;
            if let Next::Notification(received) = relay.take(started, named).expect("received") {
                return *received;
            }
        }
    };
    alarm::timeout(AMPLE, said).await.expect("in time")
}

/// COMMAND's side.
fn command(relay: &Relay) -> Notifier {
    Notifier::new(relay.address()).expect("an address")
}

fn say(relay: &Relay, words: impl Into<Vec<u8>>, descriptors: Vec<OwnedFd>) {
    let mut command = command(relay);
    command.pass_on(Datagram { bytes: words.into(), descriptors: descriptors.into() }, Instant::now());
    assert_eq!(command.retry_at(), None, "it found room");
}

fn pipe() -> (PipeReader, OwnedFd) {
    let (reader, writer) = io::pipe().expect("a pipe");
    (reader, writer.into())
}

/// Nobody holds the other end of the pipe any more.
#[track_caller]
/// A process that another test starts may have a copy of it until it executes its program.
fn assert_closed(mut reader: PipeReader) {
    let patience = Timespec::try_from(AMPLE).expect("a time");
    let mut is_at_end = [PollFd::new(&reader, PollFlags::IN)];
    let ready = poll(&mut is_at_end, Some(&patience)).expect("to wait");
    assert_eq!(ready, 1, "an open pipe, not its end");
    assert_eq!(reader.read(&mut [0]).expect("the end"), 0);
}

fn status(words: &str) -> Notification {
    Notification { status: Some(words.to_owned()), ..Notification::default() }
}

#[tokio::test]
async fn what_is_for_us_and_what_is_for_systemd_go_their_ways() {
    let relay = relay();
    say(&relay, "READY=1\nERRNO=2\nSTATUS=up\nX_A=1", Vec::new());
    say(&relay, "MAINPID=17", Vec::new());
    let received = next(&relay).await;
    assert_eq!((received.pid, received.said), (own_pid(), Notification { ready: true, ..status("up") }));
    let pass_on = received.pass_on.expect("lines for systemd");
    assert_eq!((&*pass_on.bytes, pass_on.descriptors.len()), (&b"ERRNO=2\nX_A=1"[..], 0));
    let received = next(&relay).await;
    assert_eq!(received.said, Notification { mainpid: Some(17), ..Notification::default() });
    assert!(received.pass_on.is_none());
}

#[tokio::test]
async fn descriptors_and_barriers_reach_systemd_in_order() {
    // Another relay plays systemd.
    let systemd = relay();
    let (relay, mut upstream) = (relay(), command(&systemd));

    let (mut stored, end) = pipe();
    say(&relay, "FDSTORE=1\nFDNAME=a", vec![end]);
    let mut command = command(&relay);
    let barrier = command.barrier(Instant::now()).expect("a barrier");
    let passed = |time| alarm::timeout(time, barrier.passed());
    for _ in 0..2 {
        let received = next(&relay).await;
        upstream.pass_on(received.pass_on.expect("for systemd"), Instant::now());
    }

    let store = next(&systemd).await.pass_on.expect("the store");
    assert_eq!((&*store.bytes, store.descriptors.len()), (&b"FDSTORE=1\nFDNAME=a"[..], 1));
    // It is the same pipe, and only systemd holds its end.
    rustix::io::write(store.descriptors.iter().next().expect("a descriptor"), b"through").expect("a write");
    drop(store);
    let mut text = String::new();
    stored.read_to_string(&mut text).expect("the end");
    assert_eq!(text, "through");

    assert!(passed(Duration::from_millis(10)).await.is_err(), "systemd has not come to it yet");
    let received = next(&systemd).await;
    assert!(received.said.barrier);
    assert!(passed(Duration::from_millis(10)).await.is_err(), "systemd is at it");
    drop(received);
    passed(AMPLE).await.expect("in time").expect("passed");
}

#[tokio::test]
async fn descriptors_that_nobody_stores_are_closed() {
    let relay = relay();
    for words in ["STATUS=a", "X_A=1", "BARRIER=1\nX_A=1", "X_A=\0b", "FDSTORE=1\nX_A=\\"] {
        let (reader, end) = pipe();
        say(&relay, words, vec![end]);
        say(&relay, "STATUS=next", Vec::new());
        let mut received = next(&relay).await;
        while received.said != status("next") {
            assert!(received.pass_on.is_none_or(|datagram| datagram.descriptors.is_empty()), "{words}");
            received = next(&relay).await;
        }
        assert_closed(reader);
    }
}

#[tokio::test]
async fn of_the_descriptors_a_pidfd_is_not_stored() {
    let relay = relay();
    let ((pidfd, first), (_stored, second)) = (pipe(), pipe());
    say(&relay, "MAINPIDFD=1\nFDSTORE=1", vec![first, second]);
    let pass_on = next(&relay).await.pass_on.expect("the store");
    assert_eq!((&*pass_on.bytes, pass_on.descriptors.len()), (&b"FDSTORE=1"[..], 1));
    assert_closed(pidfd);
}

#[tokio::test]
async fn as_many_descriptors_as_the_kernel_lets_through_pass() {
    let relay = relay();
    let null = || std::fs::File::open("/dev/null").expect("a file").into();
    say(&relay, "FDSTORE=1", (0..MOST_DESCRIPTORS).map(|_| null()).collect());
    let pass_on = next(&relay).await.pass_on.expect("the store");
    assert_eq!(pass_on.descriptors.len(), MOST_DESCRIPTORS);
}

#[tokio::test]
async fn what_is_too_long_is_dropped_whole() {
    let relay = relay();
    let (reader, end) = pipe();
    say(&relay, format!("READY=1\nFDSTORE=1\nX_A={}", "x".repeat(MOST_BYTES)), vec![end]);
    say(&relay, "", Vec::new());
    let received = next(&relay).await;
    assert_eq!(received.said, Notification::default());
    assert_closed(reader);
    say(&relay, "x".repeat(MOST_BYTES), Vec::new());
    assert_eq!(next(&relay).await.said.kept_back.len(), 1);
}

#[tokio::test]
async fn nothing_is_lost_when_waiting_is_given_up() {
    let relay = relay();
    for _ in 0..3 {
        assert!(alarm::timeout(Duration::ZERO, relay.wait()).await.is_err());
        assert!(matches!(relay.take(1, None), Ok(Next::Nothing)));
    }
    say(&relay, "STATUS=a", Vec::new());
    assert_eq!(next(&relay).await.said, status("a"));
}

#[tokio::test]
async fn every_relay_has_a_name_of_its_own_and_leaves_none_behind() {
    let (one, other) = (relay(), relay());
    assert_ne!(one.address(), other.address());
    let text = one.address().to_str().expect("UTF-8").to_owned();
    let is_bound = || {
        let sockets = std::fs::read_to_string("/proc/net/unix").expect("the sockets");
        sockets.lines().any(|line| line.ends_with(&text))
    };
    assert!(text.starts_with(&format!("@sd-watchdog/{}/", own_pid())) && is_bound());
    drop(one);
    // A process that another test has just forked has it for a moment.
    let deadline = Instant::now() + AMPLE;
    while is_bound() && Instant::now() < deadline {
        alarm::sleep(Duration::from_millis(1)).await;
    }
    assert!(!is_bound());
}

#[tokio::test]
async fn last_words_are_there_without_waiting() {
    let relay = relay();
    let last_words = || relay.last_words(own_pid(), None).map(|received| received.said).collect::<Vec<_>>();
    assert_eq!(last_words(), []);
    say(&relay, "STATUS=a", Vec::new());
    say(&relay, "X_A=\0b", Vec::new());
    say(&relay, "STATUS=b", Vec::new());
    assert_eq!(last_words(), [status("a"), status("b")]);
    assert_eq!(last_words(), []);
}

#[tokio::test]
async fn who_sends_a_descriptor_that_takes_an_hour_to_close_holds_nobody_up() {
    let relay = relay();
    let too_long = "x".repeat(MOST_BYTES + 1);
    // Taken and dropped; and never taken: it is the kernel that closes it then.
    for words in ["STATUS=a", &too_long] {
        let (lingering, peer) = lingering();
        say(&relay, words, vec![lingering]);
        say(&relay, "STATUS=next", Vec::new());
        let began = Instant::now();
        let taken = relay.take(own_pid(), None).expect("taken");
        assert!(began.elapsed() < AMPLE, "it took {:?}", began.elapsed());
        drop(taken);
        drop(peer);
        let mut received = next(&relay).await;
        while received.said != status("next") {
            received = next(&relay).await;
        }
    }
}

/// This very program, to run one of its tests.
fn this_program(test: &str) -> Command {
    // Its file may be where the user of `another_process` cannot get to.
    let mut program = Command::new("/proc/self/exe");
    program.args(["--exact", "--nocapture", test]);
    program
}

#[tokio::test]
async fn what_there_is_no_room_for_is_dropped_whole() {
    const HELPED: &str = "TEST_NO_ROOM";
    if std::env::var_os(HELPED).is_none() {
        // The limit is that of a whole process.
        let test = "systemd::relay::tests::what_there_is_no_room_for_is_dropped_whole";
        let output = this_program(test).env(HELPED, "1").output().expect("a process");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let relay = relay();
    // Of pipes, which the sender closes at once.
    let ends: Vec<_> = (0..3).map(|_| pipe()).collect();
    let (_readers, mut ends): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
    let last = ends.pop().expect("an end");
    say(&relay, "FDSTORE=1\nREADY=1", ends);
    say(&relay, "FDSTORE=1", vec![last]);
    alarm::prepare().expect("a timer");
    let room_for_one = std::fs::File::open("/dev/null").expect("a file").as_raw_fd().unsigned_abs() + 1;
    let limit = Rlimit { current: Some(room_for_one.into()), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).expect("a limit");
    let received = next(&relay).await;
    let descriptors = received.pass_on.map(|datagram| datagram.descriptors.len());
    assert_eq!((received.said.ready, descriptors), (false, Some(1)));
}

/// Another process says `words`, as `user` if that is given.
fn another_process(relay: &Relay, words: &str, user: Option<u32>) -> Another {
    let mut process = this_program("systemd::relay::tests::helper_that_is_another_process");
    process.env("TEST_ADDRESS", relay.address()).env("TEST_WORDS", words);
    if let Some(user) = user {
        process.uid(user);
    }
    let mut child = process.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    assert!(lines.any(|line| line.expect("a line").contains("said it")));
    Another { child, lines }
}

struct Another {
    child: Child,
    /// Must stay open.
    lines: Lines<BufReader<ChildStdout>>,
}

impl Another {
    fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Lets it go on, to its end.
    fn end(mut self) {
        drop(self.child.stdin.take());
        self.lines.by_ref().for_each(drop);
        assert!(self.child.wait().expect("its end").success());
    }
}

#[test]
fn helper_that_is_another_process() {
    let Some(address) = std::env::var_os("TEST_ADDRESS") else { return };
    let words = std::env::var("TEST_WORDS").expect("words");
    let mut notifier = Notifier::new(&address).expect("an address");
    notifier.pass_on(Datagram { bytes: words.into(), descriptors: Foreign::default() }, Instant::now());
    println!("\nsaid it");
    io::stdin().read_to_end(&mut Vec::new()).expect("the end");
}

#[tokio::test]
async fn every_process_of_our_unit_may_speak() {
    let relay = relay();
    let other = another_process(&relay, "STATUS=other", None);
    let received = next(&relay).await;
    assert_eq!((received.pid, received.said), (other.pid(), status("other")));
    other.end();
}

#[tokio::test]
async fn a_stranger_is_not_listened_to_while_it_lives_and_by_its_user_when_it_has_exited() {
    const NOBODY: u32 = 65534;
    let relay = Relay::at_home(Home::at("0::/system.slice/another.service"), &Surroundings::default())
        .expect("a relay");
    let stranger = another_process(&relay, "STATUS=alive", None);
    let (reader, descriptor) = pipe();
    say(&relay, "FDSTORE=1", vec![descriptor]);
    let stranger_pid = stranger.pid();
    let received = next_of(&relay, 1, Some(stranger_pid)).await;
    assert_eq!(received.said, status("alive"), "it is COMMAND here");

    let gone = another_process(&relay, "STATUS=gone", None);
    let gone_pid = gone.pid();
    gone.end();
    let received = next_of(&relay, 1, Some(stranger_pid)).await;
    assert_eq!((received.pid, received.said), (gone_pid, status("gone")));
    assert_closed(reader);
    assert_eq!(relay.strangers.borrow().logged(), [own_pid()], "this process is a stranger here");

    stranger.end();
    if !rustix::process::geteuid().is_root() {
        return;
    }
    another_process(&relay, "STATUS=nobody", Some(NOBODY)).end();
    say(&relay, "STATUS=next", Vec::new());
    assert_eq!(next(&relay).await.said, status("next"));
    assert_eq!(relay.strangers.borrow().logged().len(), 2);
}

#[tokio::test]
async fn our_own_messages_are_understood_by_a_relay_of_ours() {
    let relay = relay();
    let mut command = command(&relay);
    command.send(Message { ready: true, ..Message::status("C:\\") }, Instant::now());
    assert_eq!(next(&relay).await.said, Notification { ready: true, ..status("C:\\") });
}

#[tokio::test]
async fn a_plain_client_can_reach_it() {
    use std::os::linux::net::SocketAddrExt;
    let relay = relay();
    let name = relay.address().to_str().and_then(|name| name.strip_prefix('@')).expect("an abstract name");
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name).expect("an address");
    let client = StdDatagram::unbound().expect("a socket");
    client.connect_addr(&address).expect("connected");
    client.send(b"STATUS=plain").expect("sent");
    assert_eq!(next(&relay).await.said, status("plain"));
}
