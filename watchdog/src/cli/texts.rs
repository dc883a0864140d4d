//! What the long help and the manual pages say beside the options. It stands here once, for both.

use std::fmt::Write;

/// A command line that people can start from.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// What it is for, without a full stop.
    pub what: &'static str,
    /// The command, line by line.
    pub command: &'static [&'static str],
}

/// A word and what it means.
pub type Entry = (&'static str, &'static str);

/// What belongs to one page: `sd-watchdog` itself, or a subcommand.
#[derive(Debug, Clone, Copy)]
pub struct Texts {
    /// The subcommand; empty for `sd-watchdog` itself.
    pub subcommand: &'static str,
    /// Command lines that people can start from.
    pub examples: &'static [Example],
    /// How it ends.
    pub exit_status: &'static [Entry],
    /// The variables that it reads.
    pub environment: &'static [Entry],
    /// The files that it reads or writes.
    pub files: &'static [Entry],
}

/// When the texts of the manual pages were last changed.
pub const DATE: &str = "2026-11-29";

/// Where to read on, on every page; the pages name one another beside.
pub const SEE_ALSO: &str =
    "systemd.service(5), systemd.exec(5), sd_notify(3), sd_watchdog_enabled(3), systemctl(1), journalctl(1)";

/// `sd-watchdog … -- COMMAND`
pub const WRAP: Texts = Texts {
    subcommand: "",
    examples: &[
        Example {
            what: "A web server, which must answer within 500 ms with \"ok\"",
            command: &[
                "sd-watchdog --http http://127.0.0.1:8080/healthz --body ok \\",
                "    --timeout 500ms -- my-server",
            ],
        },
        Example {
            what: "redis, which says READY=1 itself when its data is loaded",
            command: &[
                "sd-watchdog --tcp 127.0.0.1:6379 --send 'PING\\r\\n' --expect +PONG \\",
                "    --child-ready require -- redis-server --supervised systemd",
            ],
        },
        Example {
            what: "gRPC health checking over TLS, and a script of one's own; both must pass",
            command: &[
                "sd-watchdog --grpc https://127.0.0.1:50051/my.Service --ca-file ca.pem \\",
                "    --exec '/usr/lib/my-server/check --fast' -- my-server",
            ],
        },
        Example {
            what: "A script, asked twice a minute (W = 60 s); a page that gates READY=1",
            command: &[
                "sd-watchdog --http http://127.0.0.1:8080/healthz \\",
                "    --next --exec 'pg_isready -q' --interval 30s --timeout 5s \\",
                "    --next --http http://127.0.0.1:8080/ready --ready-only -- my-server",
            ],
        },
        Example {
            what: "First only look what it would do",
            command: &["sd-watchdog --dry-run --http http://127.0.0.1:8080/healthz -- my-server"],
        },
        Example {
            what: "Print a drop-in that puts it in front of a unit that is there already",
            command: &["sd-watchdog unit --drop-in my-server --http http://127.0.0.1:8080/healthz"],
        },
        Example {
            what: "A unit that cannot be wrapped (Type=forking, somebody else's)",
            command: &["sd-watchdog guard postgresql.service --tcp 127.0.0.1:5432"],
        },
        Example {
            what: "Figures for Prometheus, as a file for node_exporter",
            command: &[
                "sd-watchdog --http http://127.0.0.1:8080/healthz \\",
                "    --metrics-file /run/node-textfile/my-server.prom -- my-server",
            ],
        },
    ],
    exit_status: &[
        ("COMMAND's", "COMMAND ran and ended: the same code, or the same signal"),
        ("2", "the command line, the timing or the environment is wrong"),
        ("70", "the system refused what sd-watchdog needs"),
        ("126", "COMMAND cannot be run"),
        ("127", "COMMAND is not found"),
    ],
    environment: &[
        ("NOTIFY_SOCKET", "where systemd listens; without it COMMAND runs unguarded"),
        ("WATCHDOG_USEC", "W in microseconds; without it, unguarded once ready"),
        ("WATCHDOG_PID", "the process this is for; any other does without a watchdog"),
        ("LISTEN_FDS", "sockets of socket activation, passed on to COMMAND"),
        ("INVOCATION_ID", "systemd runs this: hang reports go to the journal"),
        ("JOURNAL_STREAM", "whether the log goes to the journal, as structured entries"),
        ("RUNTIME_DIRECTORY", "a place for COMMAND's NOTIFY_SOCKET; so is XDG_RUNTIME_DIR"),
    ],
    files: &[
        ("/run/sd-watchdog/UNIT.notify", "COMMAND's NOTIFY_SOCKET, if root runs this"),
        ("/run/systemd/journal/socket", "where log entries and hang reports go"),
    ],
};

/// `sd-watchdog check`
pub const CHECK: Texts = Texts {
    subcommand: "check",
    examples: &[
        Example { what: "By hand", command: &["sd-watchdog check --http http://127.0.0.1:8080/healthz"] },
        Example {
            what: "In a Dockerfile",
            command: &[
                "HEALTHCHECK --interval=10s --timeout=6s \\",
                "    CMD [\"sd-watchdog\", \"check\", \"--http\", \"http://127.0.0.1:8080/healthz\"]",
            ],
        },
    ],
    exit_status: &[
        ("0", "healthy"),
        ("1", "unhealthy; standard output says why"),
        ("2", "the command line is wrong; Docker takes that for unhealthy too"),
        ("3", "the probe could not be made, so nobody can tell"),
        ("70", "the system refused what sd-watchdog needs"),
    ],
    environment: &[],
    files: &[],
};

/// `sd-watchdog guard`
pub const GUARD: Texts = Texts {
    subcommand: "guard",
    examples: &[
        Example {
            what: "A database that forks away from systemd",
            command: &["sd-watchdog guard postgresql.service --tcp 127.0.0.1:5432"],
        },
        Example {
            what: "First only look what it would do",
            command: &["sd-watchdog guard nginx --http http://127.0.0.1/ --dry-run"],
        },
        Example {
            what: "A unit of systemctl --user",
            command: &["sd-watchdog guard --user syncthing --tcp 127.0.0.1:8384"],
        },
    ],
    exit_status: &[
        ("0", "it was asked to stop"),
        ("2", "the command line, the timing or the environment is wrong"),
        ("70", "the system refused what sd-watchdog needs"),
    ],
    environment: &[
        ("NOTIFY_SOCKET", "where systemd listens, if guard runs in a unit"),
        ("WATCHDOG_USEC", "its own unit's WatchdogSec=; UNIT's is --watchdog"),
        ("INVOCATION_ID", "systemd runs this: hang reports go to the journal"),
        ("JOURNAL_STREAM", "whether the log goes to the journal, as entries"),
        ("XDG_RUNTIME_DIR", "where the user's manager listens (--user)"),
        ("DBUS_SESSION_BUS_ADDRESS", "where its bus does (--user)"),
    ],
    files: &[
        ("/etc/sd-watchdog/NAME.conf", "options of sd-watchdog@NAME.service"),
        ("/run/sd-watchdog/UNIT.maintenance", "while it exists, UNIT is left alone"),
        ("/run/sd-watchdog/UNIT.restarts", "when UNIT was ended, for --max-restarts"),
        ("/run/sd-watchdog/UNIT.healthy", "which start of UNIT was healthy"),
        ("XDG_RUNTIME_DIR/sd-watchdog", "the same, of a user's units"),
        ("/run/systemd/journal/socket", "where log entries and hang reports go"),
    ],
};

/// `sd-watchdog unit`
pub const UNIT: Texts = Texts {
    subcommand: "unit",
    examples: &[
        Example {
            what: "A unit of one's own, sandboxed",
            command: &[
                "sd-watchdog unit --http http://127.0.0.1:8080/healthz \\",
                "    -- /usr/bin/my-server --port 8080 >/etc/systemd/system/my-server.service",
            ],
        },
        Example {
            what: "A drop-in for a unit that is there already",
            command: &[
                "mkdir -p /etc/systemd/system/my-server.service.d",
                "sd-watchdog unit --drop-in my-server --http http://127.0.0.1:8080/healthz \\",
                "    >/etc/systemd/system/my-server.service.d/zz-watchdog.conf",
                "systemctl daemon-reload && systemctl restart my-server",
            ],
        },
        Example {
            what: "What that changes, directive by directive",
            command: &["sd-watchdog unit --drop-in my-server --tcp 127.0.0.1:80 --dry-run"],
        },
        Example {
            what: "For a unit in another system's tree; for one of systemctl --user",
            command: &[
                "sd-watchdog unit --drop-in my-server --root /srv/tree --tcp 127.0.0.1:80",
                "sd-watchdog unit --drop-in my-server --user --tcp 127.0.0.1:8080",
            ],
        },
    ],
    exit_status: &[
        ("0", "printed"),
        ("2", "the command line or the timing is wrong, or UNIT cannot be read or wrapped"),
        ("70", "the system refused what sd-watchdog needs"),
    ],
    environment: &[
        ("DBUS_SYSTEM_BUS_ADDRESS", "where the system bus listens"),
        ("XDG_RUNTIME_DIR", "where the user's manager listens (--user)"),
        ("DBUS_SESSION_BUS_ADDRESS", "where its bus does (--user)"),
    ],
    files: &[],
};

/// All pages.
pub const ALL: &[&Texts] = &[&WRAP, &CHECK, &GUARD, &UNIT];

impl Texts {
    /// What stands below the options in the long help.
    pub fn long_help(&self) -> String {
        let mut help = String::from("Examples:\n");
        for Example { what, command } in self.examples {
            let _ = writeln!(help, "  {what}:");
            for line in *command {
                let _ = writeln!(help, "    {line}");
            }
        }
        for (heading, entries) in
            [("Exit status", self.exit_status), ("Environment", self.environment), ("Files", self.files)]
        {
            let width = entries.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
            if !entries.is_empty() {
                let _ = write!(help, "\n{heading}:\n");
            }
            for (word, meaning) in entries {
                let _ = writeln!(help, "  {word:width$}  {meaning}");
            }
        }
        help.truncate(help.trim_end().len());
        help
    }
}
