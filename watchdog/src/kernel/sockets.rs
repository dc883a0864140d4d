//! The sockets that a unit listens on, and how many connections wait there to be accepted.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;

use crate::text::one_line;

use super::gap::{Field, Gaps, because};
use super::process::Reader;
use super::sock_diag::{self, Listener};

/// Of a table in `/proc/PID/net`, in bytes. Listening sockets come first in those of TCP.
const MAX_TABLE: usize = 1 << 20;

/// A socket that a unit listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// `127.0.0.1:8080`, `[::]:80`, `/run/my.sock`, `@abstract`.
    pub address: String,
    /// Connections that wait to be accepted; [`None`] if the kernel does not say.
    pub depth: Option<u32>,
    /// How many may wait (listen(2)'s backlog); [`None`] if the kernel does not say.
    pub limit: Option<u32>,
    /// Who has it open.
    pub pids: Vec<i32>,
}

impl Socket {
    /// No further connection finds room.
    pub fn is_full(&self) -> bool {
        matches!((self.depth, self.limit), (Some(depth), Some(limit)) if depth > 0 && depth >= limit)
    }
}

/// The listening sockets of each network namespace that is met, read once; and those among them that processes of the
/// unit have open.
#[derive(Debug)]
pub(crate) struct Listeners {
    ours: Option<String>,
    /// Namespaces that were read. Where one cannot be told, the process counts as one of its own.
    namespaces: HashSet<String>,
    /// Whoever's they are, by inode.
    found: HashMap<u64, Listener>,
    /// The unit's, by inode.
    claimed: HashMap<u64, Socket>,
}

impl Listeners {
    pub(crate) fn new(reader: &Reader) -> Self {
        Self {
            ours: reader.network("self"),
            namespaces: HashSet::new(),
            found: HashMap::new(),
            claimed: HashMap::new(),
        }
    }

    /// A process has these sockets open, by inode. Whether one of them listens that was not known of the unit.
    pub(crate) fn claim(&mut self, pid: i32, inodes: &[u64], reader: &mut Reader, gaps: &mut Gaps) -> bool {
        if inodes.is_empty() {
            return false;
        }
        let name = pid.to_string();
        let namespace = reader.network(&name).unwrap_or(name);
        if !self.namespaces.contains(&namespace) {
            self.read(pid, Some(&namespace) == self.ours.as_ref(), reader, gaps);
            self.namespaces.insert(namespace);
        }
        let mut is_news = false;
        for inode in inodes {
            if let Some(Listener { address, depth, limit, .. }) = self.found.remove(inode) {
                self.claimed.insert(*inode, Socket { address, depth, limit, pids: Vec::new() });
                is_news = true;
            }
            if let Some(socket) = self.claimed.get_mut(inode)
                && socket.pids.last() != Some(&pid)
            {
                socket.pids.push(pid);
            }
        }
        is_news
    }

    fn read(&mut self, pid: i32, is_ours: bool, reader: &mut Reader, gaps: &mut Gaps) {
        if !is_ours {
            gaps.note(Field::AcceptLimits, "not to be had from another network namespace (PrivateNetwork=)");
        }
        for kind in [TCP, UNIX] {
            let monitored = is_ours.then(kind.monitor).and_then(|listeners| {
                listeners.map_err(|errno| gaps.refused(Field::AcceptLimits, errno)).ok()
            });
            let listeners = monitored.unwrap_or_else(|| tables(pid, &kind, reader, gaps));
            self.found.extend(listeners.into_iter().map(|listener| (listener.inode, listener)));
        }
    }

    /// The unit's, by address.
    pub(crate) fn sockets(&self) -> Vec<Socket> {
        let mut sockets: Vec<_> = self.claimed.values().cloned().collect();
        sockets.sort_by(|a, b| a.address.cmp(&b.address));
        sockets
    }
}

/// Where the kernel tells of one kind of sockets.
struct Kind {
    /// All that is known, for our own network namespace.
    monitor: fn() -> Result<Vec<Listener>, Errno>,
    /// Files in `/proc/PID/net`: how many connections wait for TCP, nothing more for Unix sockets.
    tables: &'static [&'static str],
    line: fn(&str) -> Option<Listener>,
}

const TCP: Kind = Kind { monitor: sock_diag::tcp, tables: &["tcp", "tcp6"], line: tcp };
const UNIX: Kind = Kind { monitor: sock_diag::unix, tables: &["unix"], line: unix };

/// The listening sockets in the namespace of `pid`.
fn tables(pid: i32, kind: &Kind, reader: &mut Reader, gaps: &mut Gaps) -> Vec<Listener> {
    let mut listeners = Vec::new();
    for &table in kind.tables {
        match reader.file(&format!("{pid}/net/{table}"), MAX_TABLE) {
            Ok(text) => listeners.extend(text.lines().skip(1).filter_map(kind.line)),
            // A kernel without IPv6.
            Err(Errno::NOENT) if table == "tcp6" => {}
            Err(errno) => gaps.note(Field::AcceptQueues, format!("not readable ({})", because(errno))),
        }
    }
    listeners
}

/// A line of `/proc/net/tcp` or `tcp6`, if it is of a listening socket: for those, `rx_queue` is the accept queue.
fn tcp(line: &str) -> Option<Listener> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    let queues = (fields.nth(1)? == "0A").then(|| fields.next())??;
    let (_, depth) = queues.split_once(':')?;
    Some(Listener {
        address: address(local)?.to_string(),
        depth: u32::from_str_radix(depth, 16).ok(),
        limit: None,
        inode: fields.nth(4)?.parse().ok()?,
    })
}

/// `0100007F:1F90`: words of 32 bits as this machine orders their bytes, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (words, port) = text.split_once(':')?;
    let word = |index: usize| {
        let digits = words.get(index * 8..(index + 1) * 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip = match words.len() {
        8 => IpAddr::from(word(0)?),
        32 => {
            let mut octets = [0; 16];
            for index in 0..4 {
                octets[index * 4..(index + 1) * 4].copy_from_slice(&word(index)?);
            }
            IpAddr::from(octets)
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// A line of `/proc/net/unix`, if it is of a listening socket. The name at its end may have blanks.
fn unix(line: &str) -> Option<Listener> {
    /// `__SO_ACCEPTCON`
    const LISTENS: u32 = 1 << 16;
    let mut rest = line;
    let mut field = || {
        let (field, after) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
        rest = after;
        field
    };
    let [_, _, _, flags, _, _, inode] = std::array::from_fn(|_| field());
    (u32::from_str_radix(flags, 16).ok()? & LISTENS != 0).then_some(())?;
    let name = if rest.is_empty() { "unnamed Unix socket" } else { rest };
    let address = one_line(name);
    Some(Listener { address, depth: None, limit: None, inode: inode.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use rustix::fs::fstat;

    use super::*;

    #[test]
    fn where_the_monitor_is_not_to_be_had_tables_tell_how_many_wait() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let unix_listener = UnixListener::bind(&path).unwrap();
        let _waiting = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut reader = Reader::new(Path::new("/proc")).unwrap();
        let mut gaps = Gaps::default();
        let pid = crate::kernel::proc::own_pid();
        let mut found = tables(pid, &TCP, &mut reader, &mut gaps);
        found.extend(tables(pid, &UNIX, &mut reader, &mut gaps));
        let inode = |socket: &dyn AsFd| fstat(socket.as_fd()).unwrap().st_ino;
        let of = |inode| found.iter().find(|listener| listener.inode == inode).cloned();
        let (tcp, unix) = (inode(&listener), inode(&unix_listener));
        assert_eq!(of(tcp), Some(self::listener(&listener.local_addr().unwrap().to_string(), Some(1), tcp)));
        assert_eq!(of(unix), Some(self::listener(path.to_str().unwrap(), None, unix)));
        assert_eq!(gaps.news(), None);
        assert_eq!(tables(pid, &Kind { tables: &["none"], ..TCP }, &mut reader, &mut gaps), []);
        let told = gaps.news().unwrap()[0].to_string();
        assert_eq!(told, "accept queues: not readable (No such file or directory)");
    }

    #[test]
    fn a_socket_is_the_units_once_and_has_everybody_who_has_it_open() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let inode = fstat(&listener).unwrap().st_ino;
        let mut reader = Reader::new(Path::new("/proc")).unwrap();
        let (mut listeners, mut gaps) = (Listeners::new(&reader), Gaps::default());
        let pid = crate::kernel::proc::own_pid();
        assert!(!listeners.claim(pid, &[], &mut reader, &mut gaps));
        assert!(!listeners.claim(pid, &[u64::MAX], &mut reader, &mut gaps));
        assert!(listeners.claim(pid, &[inode, inode], &mut reader, &mut gaps));
        // Its namespace cannot be told; what is known of the socket stays.
        assert!(!listeners.claim(i32::MAX, &[inode], &mut reader, &mut gaps));
        let [socket] = &listeners.sockets()[..] else { panic!("{:?}", listeners.sockets()) };
        assert_eq!(socket.address, listener.local_addr().unwrap().to_string());
        assert_eq!(socket.pids, [pid, i32::MAX]);
    }

    fn listener(address: &str, depth: Option<u32>, inode: u64) -> Listener {
        Listener { address: address.to_owned(), depth, limit: None, inode }
    }

    #[test]
    fn tables_of_tcp_give_listening_sockets_and_how_many_wait() {
        for (line, expected) in [
            (
                "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 12345 1 0000000000000000 100 0 0 10 0",
                Some(listener("127.0.0.1:8080", Some(3), 12_345)),
            ),
            (
                "   1: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0",
                Some(listener("[::]:80", Some(0), 99)),
            ),
            (
                "   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000081 00:00000000 00000000     0        0 99 1 0",
                Some(listener("[::1]:80", Some(129), 99)),
            ),
            (
                "   2: 0100007F:1F90 0100007F:C350 01 00000000:00000003 00:00000000 00000000     0        0 12346 1",
                None,
            ),
            ("   3: 0100007F 00000000:0000 0A 00000000:00000003 00:00000000 00000000 0 0 1 1", None),
            ("", None),
        ] {
            assert_eq!(tcp(line), expected, "{line}");
        }
    }

    #[test]
    fn the_table_of_unix_sockets_gives_those_that_listen() {
        for (line, expected) in [
            (
                "0000000000000000: 00000002 00000000 00010000 0001 01 20411 /run/my service.sock",
                Some(listener("/run/my service.sock", None, 20_411)),
            ),
            (
                "0000000000000000: 00000002 00000000 00010000 0001 01 7 @abstract",
                Some(listener("@abstract", None, 7)),
            ),
            (
                "0000000000000000: 00000002 00000000 00010000 0001 01 20412",
                Some(listener("unnamed Unix socket", None, 20_412)),
            ),
            ("0000000000000000: 00000003 00000000 00000000 0001 03 20413 /run/my.sock", None),
            ("", None),
        ] {
            assert_eq!(unix(line), expected, "{line}");
        }
    }

    #[test]
    fn a_queue_is_full_when_no_more_find_room() {
        let socket = |depth, limit| Socket { address: String::new(), depth, limit, pids: Vec::new() };
        for (depth, limit, expected) in [
            (Some(128), Some(128), true),
            (Some(129), Some(128), true),
            (Some(127), Some(128), false),
            (Some(0), Some(0), false),
            (Some(3), None, false),
            (None, Some(3), false),
        ] {
            assert_eq!(socket(depth, limit).is_full(), expected, "{depth:?} of {limit:?}");
        }
    }
}
