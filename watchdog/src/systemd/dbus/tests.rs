//! What others send, whether anybody here asked for it or not.

use zbus::message::Message;

use super::*;

/// `Wanted` of interface `org.example.Ours`, whatever it says.
struct Ours;

impl Wanted for Ours {
    type News = String;

    fn concerns(&self, header: &Incoming) -> bool {
        header.interface == "org.example.Ours"
    }

    fn read(&self, signal: &Incoming) -> Option<String> {
        signal.body().string().ok().map(str::to_owned)
    }
}

fn signal(interface: &str, text: &str) -> Vec<u8> {
    let builder = Message::signal("/org/example", interface, "Done").expect("names");
    builder.build(&text).expect("a message").data().to_vec()
}

/// The beginning of a message with a header and a body of these lengths.
fn fixed(kind: u8, header: u32, body: u32) -> Vec<u8> {
    let numbers = [body, 1, header].map(u32::to_le_bytes).concat();
    [&[b'l', kind, 0, 1], &numbers[..]].concat()
}

/// Reads until the end, or an error other than that: what was wanted of it, and whether the connection would be lost.
async fn received(bytes: &[u8], waiting: &Mutex<Waiting>) -> (Vec<String>, bool) {
    let (sender, mut receiver) = unbounded_channel();
    let mut rest = bytes;
    let error = loop {
        if let Err(error) = receive_one(&mut rest, waiting, &Ours, &sender).await {
            break error;
        }
    };
    let mut news = Vec::new();
    while let Ok(text) = receiver.try_recv() {
        news.push(text);
    }
    (news, error.kind() != ErrorKind::UnexpectedEof)
}

#[tokio::test]
async fn what_nobody_asked_for_is_passed_over_however_long_it_is_and_the_connection_stays() {
    let long = "x".repeat(20 << 20);
    let zeroes = |length: usize| vec![0; length];
    for (what, between) in [
        ("another signal", signal("org.example.Theirs", "x")),
        ("a long one", signal("org.example.Theirs", &long)),
        ("one of ours that is too long", signal("org.example.Ours", &long)),
        ("a long header", [fixed(4, 1 << 20, 9), zeroes((1 << 20) + 9)].concat()),
        ("a kind of a later D-Bus", [fixed(9, 8, 3), zeroes(8 + 3)].concat()),
        ("a header of nonsense", [fixed(4, 8, 3), vec![0xff; 8 + 3]].concat()),
        ("a reply that nobody waits for", [fixed(2, 0, 1 << 20), zeroes(1 << 20)].concat()),
        ("a call", [fixed(1, 0, 1 << 20), zeroes(1 << 20)].concat()),
    ] {
        let bytes =
            [signal("org.example.Ours", "before"), between, signal("org.example.Ours", "after")].concat();
        let (news, is_lost) = received(&bytes, &Mutex::default()).await;
        assert_eq!(news, ["before", "after"], "{what}");
        assert!(!is_lost, "{what}");
    }
}

#[tokio::test]
async fn what_is_no_d_bus_ends_the_connection() {
    for bytes in [
        &b"HTTP/1.1 200 OK\r\n"[..],
        &fixed(4, 0, 200 << 20),
        &fixed(4, 100 << 20, 100 << 20),
        &fixed(4, u32::MAX, u32::MAX),
    ] {
        let (news, is_lost) = received(bytes, &Mutex::default()).await;
        assert!(news.is_empty() && is_lost, "{bytes:?}");
    }
}

#[tokio::test]
async fn a_reply_that_is_too_long_fails_its_call_and_no_other() {
    let waiting = Mutex::<Waiting>::default();
    let expect = |serial| {
        let (sender, reply) = oneshot::channel();
        waiting.lock().expect("not poisoned").replies.insert(serial, sender);
        reply
    };
    // REPLY_SERIAL, `u`.
    let reply = |serial: u32, body: u32| {
        let field = [&[5, 1, b'u', 0], &serial.to_le_bytes()[..]].concat();
        [fixed(2, 8, body), field, vec![0; usize::try_from(body).expect("small")]].concat()
    };
    let (mut long, mut short) = (expect(3), expect(4));
    received(&[reply(3, (16 << 20) + 1), reply(4, 8)].concat(), &waiting).await;
    assert_eq!(long.try_recv(), Ok(None));
    assert_eq!(short.try_recv().expect("said").expect("whole").body().unsigned(), Ok(0));
}
