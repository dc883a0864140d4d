//! The service's port, as far as a probe sees it: answers as the test says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use crate::manager::AMPLE;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Healthy,
    /// Answers 503.
    Unavailable,
    /// Takes the request and says nothing.
    Mute,
    /// Begins an answer and never ends it.
    Stuck,
}

#[derive(Debug, Default, Clone, Copy)]
pub struct Served {
    pub healthy: usize,
    pub other: usize,
}

pub struct Peer {
    address: Option<SocketAddr>,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<(Manner, Served)>,
    changed: Condvar,
}

impl Peer {
    pub fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self { address: Some(address), shared: Self::serve(manner, move || listener.accept().unwrap().0) }
    }

    /// On a socket with a path, which is in reach from other network namespaces.
    pub fn at(path: &Path, manner: Manner) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        Self { address: None, shared: Self::serve(manner, move || listener.accept().unwrap().0) }
    }

    fn serve<S: Read + Write>(manner: Manner, accept: impl FnMut() -> S + Send + 'static) -> Arc<Shared> {
        let shared =
            Arc::new(Shared { state: Mutex::new((manner, Served::default())), changed: Condvar::new() });
        let served = Arc::clone(&shared);
        std::thread::spawn(move || serve(accept, &served));
        shared
    }

    pub fn url(&self) -> String {
        format!("http://{}/healthz", self.address.expect("an address"))
    }

    pub fn set(&self, manner: Manner) {
        self.shared.state.lock().unwrap().0 = manner;
    }

    pub fn served(&self) -> Served {
        self.shared.state.lock().unwrap().1
    }

    /// Waits until what was served is so.
    #[track_caller]
    pub fn wait_until(&self, is_so: impl Fn(Served) -> bool) {
        let state = self.shared.state.lock().unwrap();
        let (state, _) =
            self.shared.changed.wait_timeout_while(state, AMPLE, |state| !is_so(state.1)).unwrap();
        assert!(is_so(state.1), "in vain: {:?}", state.1);
    }

    /// Waits until `count` more probes were answered, in whatever manner.
    #[track_caller]
    pub fn wait_for_probes(&self, count: usize) {
        let total = |served: Served| served.healthy + served.other;
        let state = self.shared.state.lock().unwrap();
        let target = total(state.1) + count;
        let (state, _) =
            self.shared.changed.wait_timeout_while(state, AMPLE, |state| total(state.1) < target).unwrap();
        assert!(total(state.1) >= target, "{} probes came, not {target}", total(state.1));
    }
}

fn serve<S: Read + Write>(mut accept: impl FnMut() -> S, shared: &Shared) {
    let mut held = Vec::new();
    loop {
        let mut stream = accept();
        let _ = stream.read(&mut [0; 1024]);
        let manner = {
            // Counted before the answer goes out, so that a ping never seems to come before its probe.
            let mut state = shared.state.lock().unwrap();
            match state.0 {
                Manner::Healthy => state.1.healthy += 1,
                Manner::Unavailable | Manner::Mute | Manner::Stuck => state.1.other += 1,
            }
            shared.changed.notify_all();
            state.0
        };
        let answer: &[u8] = match manner {
            Manner::Healthy => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            Manner::Unavailable => b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            Manner::Mute => b"",
            Manner::Stuck => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        };
        let _ = stream.write_all(answer);
        if matches!(manner, Manner::Mute | Manner::Stuck) {
            held.push(stream);
        }
    }
}
