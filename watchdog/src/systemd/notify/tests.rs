use std::io::Read;
use std::os::unix::net::UnixDatagram;

use super::*;
use crate::kernel::alarm;
use crate::systemd::message::WatchdogWord;

fn receiver() -> (UnixDatagram, Notifier, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_nonblocking(true).expect("non-blocking");
    (socket, Notifier::new(path.as_os_str()).expect("a notifier"), directory)
}

/// Sends pings until one finds no room.
fn fill(notifier: &mut Notifier, now: Instant) {
    for _ in 0..100_000 {
        if notifier.retry_at().is_some() {
            return;
        }
        notifier.send(ping(), now);
    }
    panic!("the queue has no end");
}

/// The next datagram and its descriptors.
fn receive(socket: &UnixDatagram) -> Option<(String, Vec<OwnedFd>)> {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    let mut buffer = [0; 8192];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [io::IoSliceMut::new(&mut buffer)];
    let length = recvmsg(socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC).ok()?.bytes;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    Some((String::from_utf8_lossy(&buffer[..length]).into_owned(), descriptors))
}

/// The words of all that has come, without the pings of [`fill`].
fn words(socket: &UnixDatagram) -> Vec<String> {
    std::iter::from_fn(|| receive(socket))
        .map(|(words, _)| words)
        .filter(|words| words != "WATCHDOG=1")
        .collect()
}

fn ping() -> Message {
    Message { watchdog: Some(WatchdogWord::Ping), ..Message::default() }
}

fn pipe_in(words: &str) -> (io::PipeReader, Datagram) {
    let (reader, writer) = io::pipe().expect("a pipe");
    (reader, Datagram { bytes: words.into(), descriptors: Foreign::from(vec![writer.into()]) })
}

#[test]
fn a_full_queue_keeps_ready_and_the_newest_word_and_drops_old_pings() {
    let (socket, mut notifier, _directory) = receiver();
    let now = Instant::now();
    fill(&mut notifier, now);
    notifier.send(Message { ready: true, ..Message::status("old") }, now);
    notifier.send(Message { watchdog: Some(WatchdogWord::Ping), ..Message::status("new") }, now);
    notifier.send(Message::default(), now);
    assert_eq!(notifier.retry_at(), Some(now + RETRY));
    assert_eq!(words(&socket), [""; 0]);
    notifier.flush(now + RETRY);
    assert_eq!(words(&socket), ["READY=1\nSTATUS=new"]);
    assert_eq!((notifier.retry_at(), words(&socket).len()), (None, 0));
}

#[test]
fn what_waits_is_sent_in_order_ours_and_commands() {
    let (socket, mut notifier, _directory) = receiver();
    let now = Instant::now();
    fill(&mut notifier, now);
    let (mut stored, store) = pipe_in("FDSTORE=1");
    notifier.send(Message { reloading: Some(5), ..Message::default() }, now);
    notifier.pass_on(store, now);
    notifier.send(Message { ready: true, ..Message::default() }, now);
    notifier.pass_on(Datagram { bytes: b"X_LAST=1".to_vec(), descriptors: Foreign::default() }, now);
    assert_eq!(words(&socket), [""; 0]);
    notifier.flush(now);
    assert_eq!(receive(&socket).expect("a datagram").0, "RELOADING=1\nMONOTONIC_USEC=5");
    let (words_of_store, mut descriptors) = receive(&socket).expect("a datagram");
    assert_eq!((&*words_of_store, descriptors.len()), ("FDSTORE=1", 1));
    assert_eq!(words(&socket), ["READY=1", "X_LAST=1"]);
    // It is the same pipe, and nobody else holds its end.
    rustix::io::write(descriptors.pop().expect("a descriptor"), b"through").expect("a write");
    let mut text = String::new();
    stored.read_to_string(&mut text).expect("the end");
    assert_eq!(text, "through");
}

#[test]
fn one_datagram_can_carry_as_many_descriptors_as_the_kernel_lets_it() {
    let (socket, mut notifier, _directory) = receiver();
    let now = Instant::now();
    let null = || std::fs::File::open("/dev/null").expect("a file").into();
    for (count, arrive) in [(MOST_DESCRIPTORS, Some(MOST_DESCRIPTORS)), (MOST_DESCRIPTORS + 1, None)] {
        let descriptors: Vec<_> = (0..count).map(|_| null()).collect();
        notifier
            .pass_on(Datagram { bytes: b"FDSTORE=1".to_vec(), descriptors: Foreign::from(descriptors) }, now);
        assert_eq!(receive(&socket).map(|(_, descriptors)| descriptors.len()), arrive);
    }
    notifier.send(ping(), now);
    assert_eq!(receive(&socket).expect("a ping").0, "WATCHDOG=1");
}

#[tokio::test]
async fn a_barrier_is_passed_when_all_before_it_was_read_and_not_before() {
    let (socket, mut notifier, _directory) = receiver();
    let now = Instant::now();
    fill(&mut notifier, now);
    notifier.send(Message::status("last"), now);
    let barrier = notifier.barrier(now).expect("a barrier");
    let passed = |time| alarm::timeout(Duration::from_millis(time), barrier.passed());
    assert!(passed(10).await.is_err(), "it waits in our queue");
    assert_eq!(words(&socket), [""; 0]);
    notifier.flush(now);
    assert!(passed(10).await.is_err(), "it waits in systemd's queue");
    assert_eq!(receive(&socket).expect("a datagram").0, "STATUS=last");
    let (words, descriptors) = receive(&socket).expect("a barrier");
    assert_eq!((&*words, descriptors.len()), ("BARRIER=1", 1));
    assert!(passed(10).await.is_err(), "systemd is at it");
    drop(descriptors);
    passed(30_000).await.expect("in time").expect("passed");
}

#[tokio::test]
async fn a_barrier_is_passed_when_nobody_comes_to_read() {
    let (socket, mut notifier, _directory) = receiver();
    drop(socket);
    let now = Instant::now();
    let barrier = notifier.barrier(now).expect("a barrier");
    let passed = |time| alarm::timeout(Duration::from_millis(time), barrier.passed());
    notifier.flush(now + PATIENCE.saturating_sub(RETRY));
    assert!(passed(10).await.is_err(), "somebody may come yet");
    notifier.flush(now + PATIENCE);
    passed(30_000).await.expect("in time").expect("passed");
}

/// Plays a manager whose socket goes away and comes back at the same address.
fn back_again(directory: &tempfile::TempDir) -> UnixDatagram {
    let path = directory.path().join("notify");
    let _ = std::fs::remove_file(&path);
    let socket = UnixDatagram::bind(path).expect("a socket");
    socket.set_nonblocking(true).expect("non-blocking");
    socket
}

#[test]
fn what_is_said_while_the_socket_is_gone_is_said_when_it_is_back() {
    let ready = Message { ready: true, ..Message::status("up") };
    let trigger = Message { watchdog: Some(WatchdogWord::Trigger), ..Message::status("mute") };
    for (is_unlinked, message, expected) in [
        (false, &ready, "READY=1\nSTATUS=up"),
        (true, &ready, "READY=1\nSTATUS=up"),
        (false, &trigger, "STATUS=mute\nWATCHDOG=trigger"),
        (true, &trigger, "STATUS=mute\nWATCHDOG=trigger"),
    ] {
        let (socket, mut notifier, directory) = receiver();
        drop(socket);
        if is_unlinked {
            std::fs::remove_file(directory.path().join("notify")).expect("a socket's file");
        }
        let now = Instant::now();
        notifier.send(message.clone(), now);
        // However long it takes.
        for minutes in 1..60 {
            assert!(notifier.retry_at().is_some());
            notifier.flush(now + Duration::from_secs(60) * minutes);
        }
        let again = back_again(&directory);
        notifier.flush(now + Duration::from_secs(3600));
        assert_eq!(words(&again), [expected]);
        assert_eq!(notifier.retry_at(), None);
    }
}

#[test]
fn what_is_not_true_any_more_is_not_said_when_the_socket_is_back() {
    let (socket, mut notifier, directory) = receiver();
    drop(socket);
    let now = Instant::now();
    notifier.send(ping(), now);
    notifier.send(Message::status("unhealthy"), now);
    let again = back_again(&directory);
    notifier.flush(now);
    assert_eq!(words(&again), ["STATUS=unhealthy"]);
}

#[test]
fn one_that_is_gone_is_tried_less_and_less_often() {
    let (socket, mut notifier, _directory) = receiver();
    drop(socket);
    let mut now = Instant::now();
    notifier.send(Message::status("a"), now);
    let mut gaps = Vec::new();
    for _ in 0..7 {
        let next = notifier.retry_at().expect("a time");
        gaps.push((next - now).as_millis());
        now = next;
        notifier.flush(now);
    }
    assert_eq!(gaps, [5, 10, 20, 40, 80, 100, 100]);
}

#[test]
fn who_is_gone_for_long_does_not_hold_up_what_command_says() {
    let (socket, mut notifier, directory) = receiver();
    drop(socket);
    let now = Instant::now();
    let store = |number: usize| Datagram { bytes: format!("X_A={number}").into(), descriptors: pipe_end() };
    // For a moment it is kept.
    notifier.pass_on(store(0), now);
    let again = back_again(&directory);
    notifier.flush(now);
    assert_eq!(words(&again), ["X_A=0"]);
    drop(again);
    notifier.send(Message { ready: true, ..Message::default() }, now);
    for number in 0..1000 {
        assert!(notifier.has_room(), "COMMAND would wait");
        notifier.pass_on(store(number), now);
    }
    notifier.flush(now + PATIENCE);
    let again = back_again(&directory);
    notifier.flush(now + PATIENCE);
    assert_eq!(words(&again), ["READY=1"]);
}

fn pipe_end() -> Foreign {
    let (_, end) = io::pipe().expect("a pipe");
    Foreign::from(vec![end.into()])
}

#[test]
fn a_datagram_that_cannot_be_sent_as_it_is_does_not_hold_up_the_next() {
    let (socket, mut notifier, _directory) = receiver();
    let now = Instant::now();
    // More than any socket's buffer.
    let huge = Datagram { bytes: vec![b'x'; 64 << 20], descriptors: Foreign::default() };
    notifier.pass_on(huge, now);
    notifier.send(Message::status("next"), now);
    assert_eq!(words(&socket), ["STATUS=next"]);
}

#[test]
fn too_much_is_given_up_instead_of_growing() {
    let (socket, mut notifier, _directory) = receiver();
    let now = Instant::now();
    fill(&mut notifier, now);
    notifier.send(Message { ready: true, ..Message::default() }, now);
    assert!(notifier.has_room());
    for number in 0..1000 {
        notifier.pass_on(
            Datagram { bytes: format!("X_A={number}").into(), descriptors: Foreign::default() },
            now,
        );
    }
    assert!(!notifier.has_room());
    assert_eq!(words(&socket), [""; 0]);
    let mut sent = Vec::new();
    while notifier.retry_at().is_some() {
        notifier.flush(now);
        sent.extend(words(&socket));
    }
    assert_eq!((sent.len(), &*sent[0], &*sent[63]), (64, "READY=1", "X_A=999"));
}

#[test]
fn addresses_that_cannot_be_notified_are_errors_that_say_why() {
    for (address, expected) in [
        ("vsock:2:1234", "only /path and @abstract sockets"),
        ("relative", "only /path and @abstract sockets"),
        (&*format!("/{}", "x".repeat(200)), "cannot be notified: File name too long"),
        (&*format!("@{}", "x".repeat(200)), "cannot be notified: File name too long"),
    ] {
        let error = Notifier::new(OsStr::new(address)).expect_err("unusable").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_clock_is_the_one_systemd_compares_with() {
    // Instant is CLOCK_MONOTONIC, but does not say what it reads.
    let (outer, before, inner) = (Instant::now(), monotonic_usec(), Instant::now());
    while inner.elapsed() < Duration::from_millis(2) {}
    let (inner, after, outer) = (inner.elapsed(), monotonic_usec(), outer.elapsed());
    let (passed, rounding) = (Duration::from_micros(after - before), Duration::from_micros(1));
    assert!(inner <= passed + rounding && passed <= outer + rounding, "{inner:?} {passed:?} {outer:?}");
    let uptime = std::fs::read_to_string("/proc/uptime").expect("the uptime");
    let uptime: f64 = uptime.split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
    // Uptime counts suspended time as well, and is in hundredths.
    assert!(Duration::from_micros(before).as_secs_f64() <= uptime + 0.02);
}
