//! What every machine's systemd is told, whatever the backend: a target that wants journald and nothing else.

/// In a container PID 1's arguments are its kernel command line (systemd, src/basic/proc-cmdline.c).
pub const PID1_ARGUMENTS: [&str; 3] =
    ["systemd.unit=hangproof.target", "systemd.show_status=no", "systemd.firstboot=no"];

/// Files below `/etc`.
///
/// The journal keeps everything, at once and in memory: a rate limit would lose the very messages that a hang leaves.
pub const MACHINE_FILES: [(&str, &str); 2] = [
    (
        "systemd/journald.conf.d/50-hangproof.conf",
        "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\nForwardToConsole=no\n\
         ForwardToWall=no\nForwardToSyslog=no\n",
    ),
    (
        "systemd/system/hangproof.target",
        "[Unit]\nDescription=A machine of hangproof\nRequires=basic.target systemd-journald.service\n\
         After=basic.target systemd-journald.service\nWants=systemd-journald-dev-log.socket\nAllowIsolate=yes\n",
    ),
];

/// Directories below `/usr/lib/systemd` that are emptied: what systemd would start by itself.
pub const EMPTIED: [&str; 7] = [
    "system-generators",
    "system/getty.target.wants",
    "system/local-fs.target.wants",
    "system/multi-user.target.wants",
    "system/sockets.target.wants",
    "system/sysinit.target.wants",
    "system/timers.target.wants",
];

/// The least `/etc` that systemd wants of a tree that brings none.
pub const ETC: [(&str, &str); 8] = [
    ("hostname", "machine\n"),
    ("hosts", "127.0.0.1 localhost machine\n::1 localhost\n"),
    ("passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"),
    ("group", "root:x:0:\ntty:x:5:\nsystemd-journal:x:101:\nnogroup:x:65534:\n"),
    ("shadow", "root:*:1::::::\nnobody:*:1::::::\n"),
    ("nsswitch.conf", "passwd: files systemd\ngroup: files systemd\nhosts: files\n"),
    ("fstab", ""),
    ("machine-info", ""),
];

/// Links of a merged-/usr root.
pub const ROOT_LINKS: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
