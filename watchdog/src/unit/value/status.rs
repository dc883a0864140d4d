//! How a process ends: src/basic/signal-util.c and src/shared/exit-status.c of systemd. Pure.

use super::number;
use crate::service::signals;

/// `signal_from_string`
pub(crate) fn signal(text: &str) -> Option<i32> {
    let is_upper = !text.contains(|char: char| char.is_ascii_lowercase());
    signals::number(text).filter(|_| is_upper)
}

/// `exit_status_from_string`: systemd.exec(5), "Process Exit Codes".
pub(crate) fn exit_status(text: &str) -> Option<i32> {
    const NAMES: [(&str, i32); 66] = [
        ("SUCCESS", 0),
        ("FAILURE", 1),
        ("INVALIDARGUMENT", 2),
        ("NOTIMPLEMENTED", 3),
        ("NOPERMISSION", 4),
        ("NOTINSTALLED", 5),
        ("NOTCONFIGURED", 6),
        ("NOTRUNNING", 7),
        ("USAGE", 64),
        ("DATAERR", 65),
        ("NOINPUT", 66),
        ("NOUSER", 67),
        ("NOHOST", 68),
        ("UNAVAILABLE", 69),
        ("SOFTWARE", 70),
        ("OSERR", 71),
        ("OSFILE", 72),
        ("CANTCREAT", 73),
        ("IOERR", 74),
        ("TEMPFAIL", 75),
        ("PROTOCOL", 76),
        ("NOPERM", 77),
        ("CONFIG", 78),
        ("CHDIR", 200),
        ("NICE", 201),
        ("FDS", 202),
        ("EXEC", 203),
        ("MEMORY", 204),
        ("LIMITS", 205),
        ("OOM_ADJUST", 206),
        ("SIGNAL_MASK", 207),
        ("STDIN", 208),
        ("STDOUT", 209),
        ("CHROOT", 210),
        ("IOPRIO", 211),
        ("TIMERSLACK", 212),
        ("SECUREBITS", 213),
        ("SETSCHEDULER", 214),
        ("CPUAFFINITY", 215),
        ("GROUP", 216),
        ("USER", 217),
        ("CAPABILITIES", 218),
        ("CGROUP", 219),
        ("SETSID", 220),
        ("CONFIRM", 221),
        ("STDERR", 222),
        ("PAM", 224),
        ("NETWORK", 225),
        ("NAMESPACE", 226),
        ("NO_NEW_PRIVILEGES", 227),
        ("SECCOMP", 228),
        ("SELINUX_CONTEXT", 229),
        ("PERSONALITY", 230),
        ("APPARMOR", 231),
        ("ADDRESS_FAMILIES", 232),
        ("RUNTIME_DIRECTORY", 233),
        ("CHOWN", 235),
        ("SMACK_PROCESS_LABEL", 236),
        ("KEYRING", 237),
        ("STATE_DIRECTORY", 238),
        ("CACHE_DIRECTORY", 239),
        ("LOGS_DIRECTORY", 240),
        ("CONFIGURATION_DIRECTORY", 241),
        ("NUMA_POLICY", 242),
        ("CREDENTIALS", 243),
        ("EXCEPTION", 255),
    ];
    let named = NAMES.iter().find(|(name, _)| *name == text).map(|(_, code)| *code);
    named.or_else(|| number(text).and_then(|code| u8::try_from(code).ok()).map(i32::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_and_exit_statuses_are_read_as_systemd_reads_them() {
        for (text, expected) in [
            ("SIGTERM", Some(15)),
            ("TERM", Some(15)),
            ("15", Some(15)),
            ("RTMIN+3", Some(37)),
            ("SIGRTMAX-3", Some(61)),
            ("RTMAX", Some(64)),
            ("SIGRTMAX-31", None),
            ("RTMAX+1", None),
            ("sigterm", None),
            ("0", None),
            ("", None),
        ] {
            assert_eq!(signal(text), expected, "{text:?}");
        }
        for (text, expected) in
            [("TEMPFAIL", Some(75)), ("255", Some(255)), ("256", None), ("tempfail", None), ("-1", None)]
        {
            assert_eq!(exit_status(text), expected, "{text:?}");
        }
    }
}
