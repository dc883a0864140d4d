use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::fs::{fcntl_get_seals, fstat};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::*;

fn journald() -> (UnixDatagram, Journal, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    (socket, Journal::connect_to(&path).unwrap(), directory)
}

fn receive(socket: &UnixDatagram) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 1 << 16];
    let length = socket.recv(&mut buffer).ok()?;
    buffer.truncate(length);
    Some(buffer)
}

fn entry(message: &str) -> Entry {
    Entry::new(Priority::Info, message)
}

#[test]
fn an_entry_arrives_as_one_datagram() {
    let (socket, mut journal, _directory) = journald();
    let entry = entry("two\nlines");
    journal.send(&entry).unwrap();
    assert_eq!(receive(&socket).as_deref(), Some(entry.as_bytes()));
}

#[test]
fn an_entry_too_long_for_a_datagram_arrives_in_a_sealed_memfd() {
    let (socket, mut journal, _directory) = journald();
    let entry = entry(&"long ".repeat(4 << 20));
    journal.send(&entry).unwrap();

    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(&socket, &mut [], &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
    assert_eq!(received.bytes, 0);
    let RecvAncillaryMessage::ScmRights(mut descriptors) = ancillary.drain().next().unwrap() else {
        panic!("no descriptor")
    };
    let memfd = descriptors.next().unwrap();
    let seals = fcntl_get_seals(&memfd).unwrap();
    assert!(seals.contains(SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL));
    assert_eq!(usize::try_from(fstat(&memfd).unwrap().st_size).unwrap(), entry.as_bytes().len());
    let mut start = [0; 16];
    rustix::io::pread(&memfd, &mut start, 0).unwrap();
    assert_eq!(&start[..], &entry.as_bytes()[..16]);
}

#[test]
fn a_full_queue_loses_the_entry_and_counts_it() {
    let (socket, mut journal, _directory) = journald();
    let mut sent = 0;
    while journal.send(&entry("more")).is_ok() {
        sent += 1;
        assert!(sent < 100_000, "the queue has no end");
    }
    assert_eq!(journal.lost(), 1);
    assert_eq!(receive(&socket).as_deref(), Some(entry("more").as_bytes()));
    journal.send(&entry("room again")).unwrap();
    assert_eq!(journal.lost(), 1);
}

#[tokio::test]
async fn a_long_report_waits_for_room_until_its_deadline() {
    let (socket, mut journal, _directory) = journald();
    let entries: Vec<_> = (0..2_000).map(|number| entry(&number.to_string())).collect();
    let deadline = Instant::now() + Duration::from_secs(30);
    let slow_reader = async {
        let mut received = 0;
        while received < entries.len() {
            match receive(&socket) {
                Some(datagram) => {
                    assert_eq!(datagram, entries[received].as_bytes());
                    received += 1;
                }
                None => tokio::task::yield_now().await,
            }
            assert!(Instant::now() < deadline, "{received} received");
        }
    };
    let (lost, ()) = tokio::join!(journal.send_all(&entries, deadline), slow_reader);
    assert_eq!(lost, 0);

    let lost = journal.send_all(&entries, Instant::now() + Duration::from_millis(20)).await;
    let mut received = 0;
    while receive(&socket).is_some() {
        received += 1;
    }
    assert_eq!((lost + received, journal.lost()), (2_000, lost));
    assert!(lost > 0 && received > 0, "{lost} lost, {received} received");
}

#[test]
fn a_journald_that_was_made_anew_is_found_again() {
    let (socket, mut journal, directory) = journald();
    drop(socket);
    std::fs::remove_file(directory.path().join("socket")).unwrap();
    assert_eq!(journal.send(&entry("nobody there")).unwrap_err().kind(), io::ErrorKind::NotFound);
    let again = UnixDatagram::bind(directory.path().join("socket")).unwrap();
    again.set_nonblocking(true).unwrap();
    journal.send(&entry("hello")).unwrap();
    assert_eq!(receive(&again).as_deref(), Some(entry("hello").as_bytes()));
    assert_eq!(journal.lost(), 1);
}

#[test]
fn where_no_journald_listens_the_error_says_where() {
    let error = Journal::connect_to(Path::new("/nonexistent/socket")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().starts_with("journald at /nonexistent/socket: "), "{error}");
}
