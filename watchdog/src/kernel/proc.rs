//! What the files in `/proc/PID` say: proc(5).

use std::time::Duration;

use crate::text::one_line;

/// `USER_HZ`, which is 100 towards user space on every architecture that Rust's std and systemd both run on.
const TICKS_PER_SECOND: u64 = 100;

/// `PF_EXITING` of the kernel's `sched.h`, the same since Linux 2.6.
const EXITING: u64 = 4;

/// `/proc/PID/stat`, as far as it is needed: proc_pid_stat(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) comm: String,
    pub(crate) state: char,
    pub(crate) ppid: i32,
    /// It ends, or has ended.
    pub(crate) is_exiting: bool,
    pub(crate) cpu: Duration,
    /// Of the process; 0 if it was not told.
    pub(crate) threads: usize,
    /// When it was started, in hundredths of a second since the host was; 0 if it was not told.
    pub(crate) started: u64,
}

impl Stat {
    /// Of a process. [`None`] where there is none, or it cannot be read.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        Self::parse(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        // The name may contain anything, ") " too.
        let begin = line.iter().position(|&byte| byte == b'(')?;
        let end = line.iter().rposition(|&byte| byte == b')').filter(|end| begin < *end)?;
        let comm = one_line(&String::from_utf8_lossy(&line[begin + 1..end]));
        let mut fields = std::str::from_utf8(&line[end + 1..]).ok()?.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let ppid = fields.next()?.parse().ok()?;
        let flags: u64 = fields.nth(4)?.parse().ok()?;
        let user: u64 = fields.nth(4)?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        let cpu = Duration::from_millis(user.saturating_add(system).saturating_mul(1_000 / TICKS_PER_SECOND));
        let threads = fields.nth(4).and_then(|threads| threads.parse().ok()).unwrap_or(0);
        let is_exiting = flags & EXITING != 0 || matches!(state, 'Z' | 'X' | 'x');
        let started = fields.nth(1).and_then(|started| started.parse().ok()).unwrap_or(0);
        Some(Self { comm, state, ppid, is_exiting, cpu, threads, started })
    }
}

/// Of this process, as `/proc` and control groups name it.
pub(crate) fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// `/proc/PID/task/TID/schedstat`: exact where `stat` counts in hundredths of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turns {
    /// On a CPU.
    pub(crate) ran: Duration,
    /// In a queue for one. A wait is added when it is over.
    pub(crate) waited: Duration,
}

/// [`None`] where it is not as the kernel writes it.
pub(crate) fn turns(schedstat: &str) -> Option<Turns> {
    let mut fields =
        schedstat.split_ascii_whitespace().map(|field| field.parse().ok().map(Duration::from_nanos));
    Some(Turns { ran: fields.next()??, waited: fields.next()?? })
}

/// `/proc/PID/status`, as far as it is needed. Memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Status {
    pub(crate) resident: Option<u64>,
    pub(crate) swapped: Option<u64>,
    /// Who traces it.
    pub(crate) tracer: Option<i32>,
}

impl Status {
    pub(crate) fn parse(text: &str) -> Self {
        let value = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.split_ascii_whitespace().next())
        };
        let memory = |name| Some(value(name)?.parse::<u64>().ok()? * 1024);
        Self {
            resident: memory("VmRSS:"),
            swapped: memory("VmSwap:"),
            tracer: value("TracerPid:").and_then(|pid| pid.parse().ok()).filter(|&pid| pid != 0),
        }
    }
}

/// The sets of signals in `/proc/PID/status`. What is handled and ignored is the same for all threads, what is blocked is
/// each one's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signals {
    blocked: u64,
    ignored: u64,
    handled: u64,
}

impl Signals {
    pub(crate) fn parse(status: &str) -> Option<Self> {
        let set = |name: &str| {
            let set = status.lines().find_map(|line| line.strip_prefix(name))?;
            u64::from_str_radix(set.trim(), 16).ok()
        };
        Some(Self { blocked: set("SigBlk:")?, ignored: set("SigIgn:")?, handled: set("SigCgt:")? })
    }

    /// It is neither handled nor ignored.
    pub(crate) fn is_default(self, signal: i32) -> bool {
        (self.handled | self.ignored) & bit(signal) == 0
    }

    pub(crate) fn is_blocked(self, signal: i32) -> bool {
        self.blocked & bit(signal) != 0
    }
}

fn bit(signal: i32) -> u64 {
    u32::try_from(signal - 1).ok().and_then(|place| 1_u64.checked_shl(place)).unwrap_or(0)
}

/// The soft limit of open files in `/proc/PID/limits`.
pub(crate) fn descriptor_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// `/proc/PID/cmdline`: arguments as a shell would take them, those with blanks in quotes. Empty ones at the end are left
/// out: a program that writes a shorter title over its arguments (nginx) leaves many.
pub(crate) fn command_line(cmdline: &[u8]) -> String {
    let length = cmdline.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let cmdline = &cmdline[..length];
    if cmdline.is_empty() {
        return String::new();
    }
    let arguments: Vec<String> = cmdline
        .split(|&byte| byte == 0)
        .map(|argument| {
            let argument = one_line(&String::from_utf8_lossy(argument));
            let is_plain = !argument.is_empty()
                && !argument.chars().any(|c| c.is_whitespace() || "'\"\\$`*?;&|<>()".contains(c));
            if is_plain { argument } else { format!("'{}'", argument.replace('\'', r"'\''")) }
        })
        .collect();
    arguments.join(" ")
}

/// `/proc/PID/task/TID/stack`, innermost first: `futex_wait_queue+0x69/0xd0` and so on, without addresses.
pub(crate) fn stack(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.split_once("] ").map_or(line, |(_, frame)| frame).trim())
        .filter(|frame| !frame.is_empty() && *frame != "0xffffffffffffffff")
        .map(str::to_owned)
        .collect()
}

/// The inode in the target of a descriptor that is a socket: `socket:[12345]`.
pub(crate) fn socket_inode(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_contain_what_comes_behind_it() {
        let stat = |comm: &str, state, ppid, millis, threads, started| {
            let (comm, is_exiting) = (comm.to_owned(), matches!(state, 'Z' | 'D'));
            Some(Stat { comm, state, ppid, is_exiting, cpu: Duration::from_millis(millis), threads, started })
        };
        for (text, expected) in [
            (
                "4242 (buggy_server) S 1 4242 4242 0 -1 4194560 1031 0 7 0 12 34 0 0 20 0 9 0 1234567 0 0\n",
                stat("buggy_server", 'S', 1, 460, 9, 1_234_567),
            ),
            (
                "7 (a) R 1 (b) c) D 3 7 7 0 -1 4194564 1 0 0 0 100 0 0 0 20 0 1 0 12 0 0",
                stat("a) R 1 (b) c", 'D', 3, 1_000, 1, 12),
            ),
            ("7 (a\nb\x1b) Z 3 7 7 0 -1 4 1 0 0 0 0 0 0 0", stat("a b\u{fffd}", 'Z', 3, 0, 0, 0)),
            ("7 (a) S 1 7", None),
            ("7 a S 1", None),
            ("", None),
        ] {
            assert_eq!(Stat::parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn memory_and_tracer_are_taken_from_the_status() {
        let text = "Name:\tcat\nUmask:\t0022\nTracerPid:\t77\nVmPeak:\t    5000 kB\nVmRSS:\t    1536 kB\nVmSwap:\t       8 kB\n";
        let expected = Status { resident: Some(1536 * 1024), swapped: Some(8192), tracer: Some(77) };
        assert_eq!(Status::parse(text), expected);
        // A zombie has no memory.
        assert_eq!(Status::parse("Name:\tcat\nState:\tZ (zombie)\nTracerPid:\t0\n"), Status::default());
    }

    #[test]
    fn the_first_signal_is_the_lowest_bit() {
        let status = "Name:\tx\nSigPnd:\t0000000000000000\nSigBlk:\t8000000000000000\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n";
        let signals = Signals::parse(status).expect("sets");
        assert!(signals.is_blocked(64) && !signals.is_blocked(63));
        assert!(!signals.is_default(1) && !signals.is_default(13) && signals.is_default(2));
        assert!(signals.is_default(0) && !signals.is_blocked(65) && signals.is_default(-1));
        assert_eq!(Signals::parse("SigBlk:\t0\nSigIgn:\t0\n"), None);
    }

    #[test]
    fn the_soft_limit_of_open_files_counts() {
        let limits = "\
Limit                     Soft Limit           Hard Limit           Units
Max processes             15000                15000                processes
Max open files            1024                 524288               files
Max locked memory         8388608              8388608              bytes
";
        assert_eq!(descriptor_limit(limits), Some(1024));
        assert_eq!(descriptor_limit(&limits.replace("1024 ", "unlimited ")), Some(u64::MAX));
        assert_eq!(descriptor_limit(""), None);
    }

    #[test]
    fn command_lines_can_be_pasted_into_a_shell_and_break_no_line() {
        for (cmdline, expected) in [
            (&b"/usr/sbin/nginx\0-g\0daemon off;\0"[..], "/usr/sbin/nginx -g 'daemon off;'"),
            (b"sh\0-c\0echo it's\0\0x\0", r"sh -c 'echo it'\''s' '' x"),
            (b"nginx: worker process\0\0\0\0", "'nginx: worker process'"),
            // Programs that write their title over it leave no terminator.
            (b"postgres: checkpointer", "'postgres: checkpointer'"),
            (b"a\nb\x1b[2J", "'a b\u{fffd}[2J'"),
            (b"", ""),
            (b"\0", ""),
        ] {
            assert_eq!(command_line(cmdline), expected);
        }
    }

    #[test]
    fn stacks_lose_their_addresses() {
        let text =
            "[<0>] futex_wait_queue+0x69/0xd0\n[<0>] futex_wait+0x177/0x270\n[<0>] do_futex+0xc6/0x190\n";
        assert_eq!(
            stack(text),
            ["futex_wait_queue+0x69/0xd0", "futex_wait+0x177/0x270", "do_futex+0xc6/0x190"]
        );
        let old =
            "[<ffffffff810f1b0e>] futex_wait_queue_me+0xce/0x140\n[<ffffffffffffffff>] 0xffffffffffffffff\n";
        assert_eq!(stack(old), ["futex_wait_queue_me+0xce/0x140"]);
        assert_eq!(stack(""), [""; 0]);
    }

    #[test]
    fn times_and_sockets_are_read() {
        let (ran, waited) = (Duration::from_nanos(1_234_567), Duration::from_nanos(890));
        assert_eq!(turns("1234567 890 12\n"), Some(Turns { ran, waited }));
        assert_eq!(turns("\n"), None);
        assert_eq!(socket_inode("socket:[12345]"), Some(12_345));
        assert_eq!(socket_inode("pipe:[12345]"), None);
    }
}
