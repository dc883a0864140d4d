//! A DNS server for one name, which fails on command.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use super::clock;
use super::schedule::Away;

/// The name that it knows; any other gets the same answer.
pub const NAME: &str = "app.soak.test";
const ADDRESS: &str = "127.0.0.1:53";
const TICK: Duration = Duration::from_millis(20);

const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
const A: [u8; 2] = [0, 1];

const HERE: u8 = 0;

/// The server, on a thread of its own.
#[derive(Debug)]
pub struct Resolver(Arc<AtomicU8>);

impl Resolver {
    /// Starts it.
    pub fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind(ADDRESS)?;
        let mode = Arc::new(AtomicU8::new(HERE));
        let told = Arc::clone(&mode);
        thread::Builder::new().name("resolver".to_owned()).spawn(move || serve(socket, &told))?;
        Ok(Self(mode))
    }

    /// Fails so from now on, or answers again.
    pub fn set(&self, away: Option<Away>) {
        self.0.store(away.map_or(HERE, |away| away as u8 + 1), Ordering::SeqCst);
    }
}

fn mode(told: &AtomicU8) -> Option<Away> {
    let all = [Away::Silent, Away::Failing, Away::Denying, Away::Closed, Away::OneLost];
    all.into_iter().find(|&away| told.load(Ordering::SeqCst) == away as u8 + 1)
}

fn serve(socket: UdpSocket, told: &AtomicU8) {
    let mut open = Some(socket);
    loop {
        let Some(socket) = &open else {
            if mode(told) != Some(Away::Closed) {
                open = UdpSocket::bind(ADDRESS).ok();
            }
            clock::pass(TICK);
            continue;
        };
        if mode(told) == Some(Away::Closed) {
            open = None;
            continue;
        }
        let mut question = [0; 512];
        let _ = socket.set_read_timeout(Some(TICK));
        let Ok((length, client)) = socket.recv_from(&mut question) else { continue };
        let question = &question[..length];
        let answer = match mode(told) {
            None => answer(question, 0),
            Some(Away::Failing) => answer(question, SERVFAIL),
            Some(Away::Denying) => answer(question, NXDOMAIN),
            Some(Away::Silent | Away::Closed) => None,
            Some(Away::OneLost) => {
                let lost = Away::OneLost as u8 + 1;
                let _ = told.compare_exchange(lost, HERE, Ordering::SeqCst, Ordering::SeqCst);
                None
            }
        };
        if let Some(answer) = answer {
            let _ = socket.send_to(&answer, client);
        }
    }
}

/// RFC 1035, 4.1: the question again and, where that is of an address of IPv4, 127.0.0.1 for no time at all.
fn answer(question: &[u8], code: u8) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let name = question.get(HEADER..)?.iter().position(|&byte| byte == 0)?;
    let end = HEADER + name + 5;
    let kind: [u8; 2] = question.get(end - 4..end - 2)?.try_into().ok()?;
    let answers = u8::from(code == 0 && kind == A);
    let mut answer = question.get(..2)?.to_vec();
    // Response, authoritative, recursion desired and available; one question, so many answers, nothing else.
    answer.extend([0x85, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]);
    answer.extend(question.get(HEADER..end)?);
    if answers > 0 {
        // The name is the question's; type A, class IN, TTL 0, four bytes.
        answer.extend([0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}
