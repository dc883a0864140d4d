//! Which errors of a connection say something about the service, and which only that this host could not ask it.
//!
//! A probe that was sent counts; one that could not be sent does not. A failure that is wrongly taken for a local one
//! hides a hang: in front of a service until `WatchdogSec=` is over, since nothing pings meanwhile; beside one, for good.
//! A local one that is wrongly counted ends a healthy service, and every service of the host with it, since they share
//! what it is short of. So what cannot be told apart by errno(3) is told apart by *when* it came: what connect(2) returns
//! at once was decided here, before a packet was sent. What comes later is somebody's answer.
//!
//! | error | said by | counts |
//! |---|---|---|
//! | ECONNREFUSED, ECONNRESET, EPIPE, ETIMEDOUT | the service's host: nobody listens; or it hung up, or is silent | yes |
//! | ENOENT, ENOTDIR, ELOOP, EPROTOTYPE of a Unix socket | whoever made the socket: clients do not find it either | yes |
//! | EHOSTUNREACH, ENETUNREACH, later | a router, or nobody on the link: a virtual machine that is stuck ends like this | yes |
//! | the same at once | this host has no route | no |
//! | EADDRNOTAVAIL, EADDRINUSE | this host: all local ports are in use, or it has no address of this family | no |
//! | EMFILE, ENFILE, ENOMEM, ENOBUFS | this host: a limit | no |
//! | EACCES, EPERM | this host: a rule, a mode, a sandbox. A hang takes nobody's permission away | no |
//! | EAFNOSUPPORT, EPROTONOSUPPORT, ENETDOWN, ENODEV, EINVAL | this host: no such family, interface or route | no |
//! | any other, at once | this host | no |
//! | any other, later | the connection | yes |
//!
//! Two local failures cannot be told from a service that hangs, and count: a packet filter that drops (TCP tries again in
//! silence) and one that rejects, which by default looks like a closed port (seen with nftables, Linux 6.18).

use std::io;

use rustix::io::Errno;

use crate::words::outcome::{Cause, Reason};
use crate::words::remedy;

/// When an error came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// From socket(2) or connect(2) itself.
    AtOnce,
    /// While the connection was being made or used.
    Later,
}

/// Whether this host could not ask the service. The second column of the table is argued above.
pub fn is_local(error: &io::Error, when: When) -> bool {
    match Errno::from_io_error(error) {
        Some(
            Errno::CONNREFUSED
            | Errno::CONNRESET
            | Errno::CONNABORTED
            | Errno::PIPE
            | Errno::TIMEDOUT
            | Errno::NOENT
            | Errno::NOTDIR
            | Errno::LOOP
            | Errno::PROTOTYPE,
        )
        // Not of the system: of TLS, or of a stream that ended.
        | None => false,
        Some(
            Errno::ADDRNOTAVAIL
            | Errno::ADDRINUSE
            | Errno::MFILE
            | Errno::NFILE
            | Errno::NOMEM
            | Errno::NOBUFS
            | Errno::ACCESS
            | Errno::PERM
            | Errno::AFNOSUPPORT
            | Errno::PROTONOSUPPORT
            | Errno::NETDOWN
            | Errno::NODEV
            | Errno::INVAL,
        ) => true,
        Some(_) => when == When::AtOnce,
    }
}

/// The reason of a probe that this host could not make: it could not do `what`.
pub fn reason(what: &str, error: &io::Error, is_unix: bool) -> Reason {
    let remedy = what_to_do(error, is_unix).map(|remedy| format!("; {remedy}")).unwrap_or_default();
    Reason::new(Cause::System, format!("cannot {what}: {error}{remedy}"))
}

/// What to do about it, if that can be said.
fn what_to_do(error: &io::Error, is_unix: bool) -> Option<&'static str> {
    Some(match Errno::from_io_error(error)? {
        Errno::ADDRNOTAVAIL => {
            "no local port or address is left for it: look at `ss -s`, and at the sysctl net.ipv4.ip_local_port_range"
        }
        Errno::ACCESS | Errno::PERM if is_unix => {
            "let the user that sd-watchdog runs as connect: look at the modes of the socket and of its directories"
        }
        Errno::ACCESS | Errno::PERM => {
            "allow it: look at `ip route get` for this address, and at the unit's IPAddressDeny= and SystemCallFilter="
        }
        Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::NETDOWN | Errno::NODEV | Errno::INVAL if !is_unix => {
            "no packet can be sent there from here: look at `ip route get` for this address, and at the unit's \
             PrivateNetwork="
        }
        Errno::AFNOSUPPORT | Errno::PROTONOSUPPORT => "look at the unit's RestrictAddressFamilies=",
        _ => return remedy::of_limit(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who is hurt if it is taken for the other: the words are those of the table above.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Counts {
        /// Else a hang is missed.
        Always,
        /// Else a healthy service is ended.
        Never,
        /// It depends on who said it.
        Later,
    }

    #[test]
    fn what_was_sent_counts_and_what_could_not_be_sent_does_not() {
        use Counts::{Always, Later, Never};
        for (errno, expected) in [
            (Errno::CONNREFUSED, Always),
            (Errno::CONNRESET, Always),
            (Errno::CONNABORTED, Always),
            (Errno::PIPE, Always),
            (Errno::TIMEDOUT, Always),
            (Errno::NOENT, Always),
            (Errno::NOTDIR, Always),
            (Errno::LOOP, Always),
            (Errno::PROTOTYPE, Always),
            (Errno::HOSTUNREACH, Later),
            (Errno::NETUNREACH, Later),
            (Errno::HOSTDOWN, Later),
            (Errno::NOPROTOOPT, Later),
            (Errno::NOSPC, Later),
            (Errno::ADDRNOTAVAIL, Never),
            (Errno::ADDRINUSE, Never),
            (Errno::MFILE, Never),
            (Errno::NFILE, Never),
            (Errno::NOMEM, Never),
            (Errno::NOBUFS, Never),
            (Errno::ACCESS, Never),
            (Errno::PERM, Never),
            (Errno::AFNOSUPPORT, Never),
            (Errno::PROTONOSUPPORT, Never),
            (Errno::NETDOWN, Never),
            (Errno::NODEV, Never),
            (Errno::INVAL, Never),
        ] {
            let error = io::Error::from(errno);
            let seen = match (is_local(&error, When::AtOnce), is_local(&error, When::Later)) {
                (false, false) => Always,
                (true, true) => Never,
                (true, false) => Later,
                (false, true) => panic!("{errno:?} is local only later"),
            };
            assert_eq!(seen, expected, "{errno:?}");
        }
        assert!(!is_local(&io::ErrorKind::UnexpectedEof.into(), When::AtOnce));
    }

    #[test]
    fn what_this_host_lacks_is_said_with_a_remedy() {
        for (errno, is_unix, expected) in [
            (Errno::MFILE, false, "LimitNOFILE="),
            (Errno::NFILE, false, "fs.file-max"),
            (Errno::NOBUFS, false, "MemoryMax="),
            (Errno::ADDRNOTAVAIL, false, "ip_local_port_range"),
            (Errno::ACCESS, false, "IPAddressDeny="),
            (Errno::ACCESS, true, "the modes of the socket"),
            (Errno::NETUNREACH, false, "ip route get"),
            (Errno::AFNOSUPPORT, true, "RestrictAddressFamilies="),
        ] {
            let remedy = what_to_do(&errno.into(), is_unix).unwrap_or_default();
            assert!(remedy.contains(expected), "{errno:?}: {remedy}");
        }
    }
}
