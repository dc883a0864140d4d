//! What `/proc/PID/task/TID/syscall` says, by name.

use std::borrow::Cow;
use std::fmt;

use syscalls::Sysno;

/// What a thread asked the kernel for and has not got yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// It runs, or is ready to.
    Running,
    /// It waits outside of any system call: for a page, or stopped.
    Outside,
    /// It waits in a system call.
    Syscall {
        /// As in syscalls(2), or `syscall 999`.
        name: Cow<'static, str>,
        /// Its first argument, where that is a descriptor.
        descriptor: Option<Descriptor>,
    },
}

/// An open file of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Its number.
    pub number: i32,
    /// What it refers to: a path, `socket:[123]`, `pipe:[123]`, …; [`None`] if that cannot be read.
    pub target: Option<String>,
}

/// System calls whose first argument is a descriptor, as far as one can wait in them.
const ON_DESCRIPTORS: &[&str] = &[
    "accept",
    "accept4",
    "close",
    "connect",
    "copy_file_range",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "fallocate",
    "fcntl",
    "fdatasync",
    "finit_module",
    "flock",
    "fstat",
    "fsync",
    "ftruncate",
    "getdents",
    "getdents64",
    "io_uring_enter",
    "ioctl",
    "openat",
    "openat2",
    "pread64",
    "preadv",
    "preadv2",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readv",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "sendfile",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "shutdown",
    "splice",
    "statx",
    "sync_file_range",
    "syncfs",
    "tee",
    "vmsplice",
    "write",
    "writev",
];

impl Call {
    /// Reads the file; `target` says what a descriptor of the process refers to.
    pub(crate) fn parse(text: &str, target: impl FnOnce(i32) -> Option<String>) -> Option<Self> {
        let mut fields = text.split_ascii_whitespace();
        let number = match fields.next()? {
            "running" => return Some(Self::Running),
            "-1" => return Some(Self::Outside),
            number => number.parse::<usize>().ok()?,
        };
        let name = match Sysno::new(number) {
            Some(known) => Cow::Borrowed(known.name()),
            None => Cow::Owned(format!("syscall {number}")),
        };
        // The kernel looks at the lower half of the register only. AT_FDCWD is negative.
        let first = u64::from_str_radix(fields.next()?.strip_prefix("0x")?, 16).ok()?;
        let descriptor = u32::try_from(first & u64::from(u32::MAX))
            .ok()
            .and_then(|number| i32::try_from(number).ok())
            .filter(|_| ON_DESCRIPTORS.binary_search(&&*name).is_ok())
            .map(|number| Descriptor { number, target: target(number) });
        Some(Self::Syscall { name, descriptor })
    }

    /// The name of the system call that it waits in.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Syscall { name, .. } => Some(name),
            Self::Running | Self::Outside => None,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::Outside => f.write_str("no system call"),
            Self::Syscall { name, descriptor: None } => f.write_str(name),
            Self::Syscall { name, descriptor: Some(descriptor) } => write!(f, "{name}({descriptor})"),
        }
    }
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Some(target) => write!(f, "fd {} → {target}", self.number),
            None => write!(f, "fd {}", self.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(call: Sysno, first: &str) -> String {
        format!("{} {first} 0x80 0x0 0x0 0x0 0xffffffff 0x7ffc0 0x7f21\n", call.id())
    }

    #[test]
    fn calls_are_named_and_descriptors_resolved() {
        for (text, expected) in [
            ("running\n".to_owned(), Some("running")),
            ("-1 0x7ffc00 0x7f2100\n".to_owned(), Some("no system call")),
            (line(Sysno::futex, "0x7f0000000007"), Some("futex")),
            (line(Sysno::read, "0x7"), Some("read(fd 7 → socket:[123])")),
            (line(Sysno::read, "0xdead00000007"), Some("read(fd 7 → socket:[123])")),
            (line(Sysno::write, "0x8"), Some("write(fd 8)")),
            (line(Sysno::openat, "0xffffff9c"), Some("openat")),
            ("99999 0x7 0x0 0x0 0x0 0x0 0x0 0x0 0x0".to_owned(), Some("syscall 99999")),
            ("7".to_owned(), None),
            ("x 0x7".to_owned(), None),
            (String::new(), None),
        ] {
            let call = Call::parse(&text, |number| (number == 7).then(|| "socket:[123]".to_owned()));
            assert_eq!(call.map(|call| call.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_table_of_calls_on_descriptors_is_sorted() {
        assert!(ON_DESCRIPTORS.is_sorted());
    }
}
