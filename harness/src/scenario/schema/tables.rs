//! The tables and their keys.

use super::{DIRECTORY, FILE, Key, Kind, Table};
use crate::fault::catalogue;
use crate::model::expect::{By, Outcome};

/// All of them, in the order in which they are explained.
pub const TABLES: &[Table] = &[TOP, SERVICE, PUT, MADE, READY, OBSERVE, LOAD, FAULT, EXPECT];

const TOP: Table = Table {
    name: "",
    about: "A scenario is a TOML file: one question to a service. What runs, what is done to it, what is expected.",
    heads: &[],
    keys: &[
        Key {
            name: "description",
            kind: Kind::Text,
            default: None,
            about: "What it shows, in a sentence.",
            example: "description = \"The server goes mute; systemd restarts it within WatchdogSec\"",
        },
        Key {
            name: "tags",
            kind: Kind::Texts,
            default: Some("none"),
            about: "Words that it has in common with others: `hangproof run TAG` runs the built-in scenarios that have it.",
            example: "tags = [\"hang\", \"in-process\"]",
        },
        Key {
            name: "extends",
            kind: Kind::Extended,
            default: Some("it stands for itself"),
            about: "A scenario that says all that this one does not: tables are taken together key by key, the directives of `override` too. \
                But an `[observe]` that says where (`http`, `tcp`, `unix`, `exec`), a `[fault]` that says which (`inject`) and an `[expect]` that has an \
                `outcome` stand for themselves.",
            example: "extends = \"classic\"\n[fault]\ninject = \"deadlock\"",
        },
        Key {
            name: "matrix",
            kind: Kind::Matrix,
            default: Some("one scenario"),
            about: "Lists of values: of a directive in `[Service]` (`WatchdogSec`), of one in another section (`Unit.StartLimitBurst`), or of a \
                key of the scenario (`fault.inject`). Each combination is a scenario, named `NAME[WatchdogSec=1s,fault.inject=mute]`; 64 at \
                most.",
            example: "[matrix]\nWatchdogSec = [\"1s\", \"5s\"]\nfault.inject = [\"mute\", \"deadlock\"]",
        },
        Key {
            name: "alone",
            kind: Kind::Flag,
            default: Some("false"),
            about: "Whether no other machine runs while this one does, however many `--jobs` there are: for what takes every CPU.",
            example: "alone = true",
        },
        Key {
            name: "service",
            kind: Kind::Table("service"),
            default: None,
            about: "What runs.",
            example: "[service]\nunit = \"builtin:buggy_server.service\"",
        },
        Key {
            name: "ready",
            kind: Kind::Table("ready"),
            default: Some(
                "5 s after each start; where there is `recovery_within`, as long as that after a restart",
            ),
            about: "When a service serves that does not tell systemd when it is ready.",
            example: "[ready]\nwithin = \"1min\"",
        },
        Key {
            name: "observe",
            kind: Kind::Table("observe"),
            default: None,
            about: "Where clients ask.",
            example: "[observe]\nhttp = \"http://127.0.0.1:8080/\"",
        },
        Key {
            name: "load",
            kind: Kind::Table("load"),
            default: Some("nobody asks but `[observe]`"),
            about: "Who else asks, at a rate of their own.",
            example: "[load]\nrate = 500",
        },
        Key {
            name: "fault",
            kind: Kind::Tables("fault"),
            default: Some("nothing is done, and the question is whether a healthy service is left alone"),
            about: "What is done to the service.",
            example: "[fault]\ninject = \"deadlock\"",
        },
        Key {
            name: "expect",
            kind: Kind::Table("expect"),
            default: None,
            about: "What is expected.",
            example: "[expect]\noutcome = \"restarted\"",
        },
    ],
};

const SERVICE: Table = Table {
    name: "service",
    about: "The unit, and what it needs in the machine, which has the host's `/usr` and nothing of its `/etc`.",
    heads: &[],
    keys: &[
        Key {
            name: "unit",
            kind: Kind::Text,
            default: None,
            about: "The unit: a file `NAME.service`, relative to the scenario's own; `builtin:buggy_server.service`, that of our own server; or \
                `tree:NAME.service`, one that the machine's tree has in its `/usr`, as a package brings it. With the last, there is what its \
                package brings: the users that it and its `/usr/lib/tmpfiles.d` name, what that says, and its directories below `/var`, empty.",
            example: "[service]\nunit = \"tree:redis-server.service\"",
        },
        Key {
            name: "files",
            kind: Kind::Files,
            default: Some("none"),
            about: "What is put where in the machine: `bin:NAME` for one of our programs (`bin:buggy_server`, `bin:sd-watchdog`), \
                `builtin:NAME` for one of our units (`builtin:buggy_server.service`, `builtin:sd-watchdog@.service`), else a file or a \
                directory, relative to the scenario's own file, with its permissions. What leads out of that file's directory, and \
                `tree:/PATH`, a path in the machine's tree (`--root`), take `--allow-host-files`.",
            example: "[service.files]\n\"/usr/local/bin/sd-watchdog\" = \"bin:sd-watchdog\"\n\"/etc/my.conf\" = { text = \"port 80\\n\", mode = \"0640\", owner = \"root:daemon\" }",
        },
        Key {
            name: "directories",
            kind: Kind::Directories,
            default: Some("none but those of `files`"),
            about: "Directories that are made in the machine.",
            example: "[service.directories]\n\"/var/lib/my\" = { owner = \"daemon:daemon\", mode = \"0750\" }",
        },
        Key {
            name: "users",
            kind: Kind::Texts,
            default: Some("those that `User=`, `Group=` and `SupplementaryGroups=` name"),
            about: "Users of the system, each with a group of its name, that are made where the machine has none: for a service that changes \
                its user itself.",
            example: "[service]\nusers = [\"my-daemon\"]",
        },
        Key {
            name: "enabled",
            kind: Kind::Flag,
            default: Some("`false`"),
            about: "Whether the unit is enabled (`systemctl enable`) before it is started.",
            example: "[service]\nenabled = true",
        },
        Key {
            name: "requires",
            kind: Kind::Requires,
            default: Some("nothing"),
            about: "Files that the machine's own tree has to bring, each with the Debian package that has it, and controllers of cgroups. \
                Without them the verdict is skip. A directive whose controller the machine has not does nothing, which a run says.",
            example: "[service.requires]\n\"/usr/bin/python3\" = \"python3\"\ncontrollers = [\"memory\"]",
        },
        Key {
            name: "override",
            kind: Kind::Assignments,
            default: Some("the unit as it is"),
            about: "A drop-in: directives with a string, a number, a boolean, or a list of them. An empty string resets what the unit \
                has.",
            example: "[service.override]\nUnit = { StartLimitBurst = 3 }\nService = { ExecStart = [\"\", \"/usr/bin/my --fast\"], WatchdogSec = \"2s\" }",
        },
        Key {
            name: "guard",
            kind: Kind::Text,
            default: Some("the service is not guarded from beside"),
            about: "The unit of the `sd-watchdog guard` beside the service. It ends only what it has seen healthy, so no fault is injected \
                before that.",
            example: "[service]\nguard = \"sd-watchdog@buggy_server.service\"",
        },
    ],
};

const PUT: Table = Table {
    name: FILE,
    about: "A file or a directory that is put into the machine, as a table.",
    heads: &["from", "text"],
    keys: &[
        Key {
            name: "from",
            kind: Kind::Text,
            default: Some("`text` is put there"),
            about: "Where it comes from, as the string in its place.",
            example: "[service.files]\n\"/usr/local/bin/my\" = { from = \"bin:buggy_server\", mode = \"0700\" }",
        },
        Key {
            name: "text",
            kind: Kind::Text,
            default: Some("what `from` names is put there"),
            about: "What the file holds.",
            example: "[service.files]\n\"/etc/my.conf\" = { text = \"port 80\\n\" }",
        },
        Key {
            name: "mode",
            kind: Kind::Text,
            default: Some("as the source has it; 0644 of a text"),
            about: "Its permissions, in octal; of a directory those of the directory itself.",
            example: "[service.files]\n\"/etc/my.key\" = { text = \"secret\", mode = \"0600\" }",
        },
        Key {
            name: "owner",
            kind: Kind::Text,
            default: Some("root; of `tree:/PATH` whose it is there, by name"),
            about: "`USER` or `USER:GROUP`; of a directory of all that is in it.",
            example: "[service.files]\n\"/etc/my.conf\" = { text = \"x\", owner = \"daemon:daemon\" }",
        },
    ],
};

const MADE: Table = Table {
    name: DIRECTORY,
    about: "A directory that is made in the machine.",
    heads: &[],
    keys: &[
        Key {
            name: "mode",
            kind: Kind::Text,
            default: Some("0755"),
            about: "Its permissions, in octal.",
            example: "[service.directories]\n\"/var/lib/my\" = { mode = \"0700\" }",
        },
        Key {
            name: "owner",
            kind: Kind::Text,
            default: Some("root"),
            about: "`USER` or `USER:GROUP`.",
            example: "[service.directories]\n\"/var/lib/my\" = { owner = \"daemon\" }",
        },
    ],
};

const READY: Table = Table {
    name: "ready",
    about: "Of a service that does not tell systemd when it is ready (`Type=simple` and its like).",
    heads: &[],
    keys: &[Key {
        name: "within",
        kind: Kind::SpanOrDirective,
        default: None,
        about: "From each of its starts to the first good answer, at most.",
        example: "[ready]\nwithin = \"1min\"",
    }],
};

const HTTP: Key = Key {
    name: "http",
    kind: Kind::Text,
    default: Some("something else is asked"),
    about: "`http://HOST:PORT/PATH?QUERY`, or `https://`: a good answer is whole, as HTTP/1.1 says where it ends, and its status is \
        from 200 to 399; what only precedes an answer (1xx) is passed over. The service is told HOST:PORT as it is written. HOST \
        is an address, or `localhost` (127.0.0.1, then ::1); any other name needs `address` or `unix`.",
    example: "[observe]\nhttp = \"http://localhost:8080/health?full=1\"",
};

const METHOD: Key = Key {
    name: "method",
    kind: Kind::Text,
    default: Some("`GET`"),
    about: "The request's method. No request has a body.",
    example: "[observe]\nhttp = \"http://127.0.0.1:8080/\"\nmethod = \"HEAD\"",
};

const HEADERS: Key = Key {
    name: "headers",
    kind: Kind::Headers,
    default: Some("`Host` and `Connection: close`"),
    about: "More headers of the request, or others.",
    example: "[observe]\nhttp = \"http://127.0.0.1:8080/\"\nheaders = { Accept = \"application/json\" }",
};

const STATUS: Key = Key {
    name: "status",
    kind: Kind::Statuses,
    default: Some("`\"200-399\"`"),
    about: "Which statuses are good.",
    example: "[observe]\nhttp = \"http://127.0.0.1:8080/\"\nstatus = [\"200-299\", 404]",
};

const BODY: Key = Key {
    name: "body",
    kind: Kind::Text,
    default: Some("any is good"),
    about: "What the body of a good answer contains.",
    example: "[observe]\nhttp = \"http://127.0.0.1:8080/\"\nbody = \"\\\"status\\\":\\\"up\\\"\"",
};

const ADDRESS: Key = Key {
    name: "address",
    kind: Kind::Text,
    default: Some("where the URL says"),
    about: "Where the service is reached whose URL has a name: an IP address. The port is the URL's.",
    example: "[observe]\nhttp = \"http://shop.example:8080/\"\naddress = \"127.0.0.1\"",
};

const CA: Key = Key {
    name: "ca",
    kind: Kind::Text,
    default: Some("whom this host trusts"),
    about: "Whom to trust over `https://`: a file with certificates in PEM, relative to the scenario's own directory.",
    example: "[observe]\nhttp = \"https://localhost:8443/\"\nca = \"ca.pem\"",
};

const INSECURE: Key = Key {
    name: "insecure",
    kind: Kind::Flag,
    default: Some("certificates are checked"),
    about: "Whether any certificate is taken over `https://`.",
    example: "[observe]\nhttp = \"https://localhost:8443/\"\ninsecure = true",
};

const TCP: Key = Key {
    name: "tcp",
    kind: Kind::Text,
    default: Some("something else is asked"),
    about: "`ADDRESS:PORT`: what `send` says is sent, and an answer that contains `expect` is good. That a connection is accepted \
        is no answer: the kernel does that for a process that is stopped.",
    example: "[observe]\ntcp = \"127.0.0.1:6379\"\nsend = \"PING\\r\\n\"\nexpect = \"+PONG\"",
};

const UNIX: Key = Key {
    name: "unix",
    kind: Kind::Text,
    default: Some("something else is asked"),
    about: "The same at a socket in the machine's files, or at an abstract one (`@NAME`). With `http` beside it the request goes \
        there, and the URL says what is asked.",
    example: "[observe]\nhttp = \"http://localhost/health\"\nunix = \"/run/my.sock\"",
};

const SEND: Key = Key {
    name: "send",
    kind: Kind::Text,
    default: Some("nothing is sent: the service speaks first"),
    about: "What is sent over `tcp` or `unix` at once.",
    example: "[observe]\ntcp = \"127.0.0.1:6379\"\nsend = \"PING\\r\\n\"\nexpect = \"+PONG\"",
};

const ANSWER: Key = Key {
    name: "expect",
    kind: Kind::Text,
    default: Some("needed with `tcp`, and with `unix` without `http`"),
    about: "What a good answer over `tcp` or `unix` contains.",
    example: "[observe]\ntcp = \"127.0.0.1:25\"\nexpect = \"220 \"",
};

const EXEC: Key = Key {
    name: "exec",
    kind: Kind::Texts,
    default: Some("something else is asked"),
    about: "A command in the machine and its arguments, as root: the exit status 0 is good, and at `timeout` it is killed.",
    example: "[observe]\nexec = [\"/usr/bin/pg_isready\", \"--quiet\"]",
};

const INTERVAL: Key = Key {
    name: "interval",
    kind: Kind::Span,
    default: Some("10 ms; 100 ms with `exec`"),
    about: "From one question to the next. An outage is measured to within two of them, which the report says.",
    example: "[observe]\ninterval = \"100ms\"",
};

const TIMEOUT: Key = Key {
    name: "timeout",
    kind: Kind::Span,
    default: Some("1 s"),
    about: "How long an answer may take.",
    example: "[observe]\ntimeout = \"5s\"",
};

const OBSERVE: Table = Table {
    name: "observe",
    about: "The client that measures the outage: where it asks, as seen in the machine, and what a good answer is. It asks at fixed times, \
        each time anew, and does not wait for one answer before it asks again. One of `http`, `tcp`, `unix` and `exec` has to be there; \
        `http` may have `unix` beside it.",
    heads: &["http", "tcp", "unix", "exec"],
    keys: &[
        HTTP, METHOD, HEADERS, STATUS, BODY, ADDRESS, CA, INSECURE, TCP, UNIX, SEND, ANSWER, EXEC, INTERVAL,
        TIMEOUT,
    ],
};

const LOAD: Table = Table {
    name: "load",
    about: "Many clients beside the one of `[observe]`, who show how many requests an outage costs. Requests are due at fixed times, whatever \
        becomes of those before, and how long one takes counts from when it was due: a service that stalls fails, or delays, every one \
        that was due meanwhile. They begin a second before the fault. What is asked is as in `[observe]`, unless `http`, `tcp` or `unix` \
        is here too.",
    heads: &["http", "tcp", "unix"],
    keys: &[
        Key {
            name: "rate",
            kind: Kind::Count,
            default: None,
            about: "How many requests are due in a second.",
            example: "[load]\nrate = 500",
        },
        Key {
            name: "connections",
            kind: Kind::Count,
            default: Some("as many as can wait at this rate"),
            about: "How many requests may be open at once. One that is due beyond them fails.",
            example: "[load]\nrate = 500\nconnections = 64",
        },
        Key {
            name: "timeout",
            kind: Kind::Span,
            default: Some("as in `[observe]`"),
            about: "How long an answer may take.",
            example: "[load]\nrate = 500\ntimeout = \"250ms\"",
        },
        Key { example: "[load]\nrate = 100\nhttp = \"http://127.0.0.1:8080/shop?page=1\"", ..HTTP },
        Key { example: "[load]\nrate = 100\nhttp = \"http://127.0.0.1:8080/\"\nmethod = \"HEAD\"", ..METHOD },
        Key {
            example: "[load]\nrate = 100\nhttp = \"http://127.0.0.1:8080/\"\nheaders = { Accept = \"application/json\" }",
            ..HEADERS
        },
        Key {
            example: "[load]\nrate = 100\nhttp = \"http://127.0.0.1:8080/\"\nstatus = [\"200-299\", 404]",
            ..STATUS
        },
        Key { example: "[load]\nrate = 100\nhttp = \"http://127.0.0.1:8080/\"\nbody = \"</html>\"", ..BODY },
        Key {
            example: "[load]\nrate = 100\nhttp = \"http://shop.example:8080/\"\naddress = \"127.0.0.1\"",
            ..ADDRESS
        },
        Key { example: "[load]\nrate = 100\nhttp = \"https://localhost:8443/\"\nca = \"ca.pem\"", ..CA },
        Key {
            example: "[load]\nrate = 100\nhttp = \"https://localhost:8443/\"\ninsecure = true",
            ..INSECURE
        },
        Key {
            example: "[load]\nrate = 100\ntcp = \"127.0.0.1:6379\"\nsend = \"PING\\r\\n\"\nexpect = \"+PONG\"",
            ..TCP
        },
        Key {
            example: "[load]\nrate = 100\nhttp = \"http://localhost/shop\"\nunix = \"/run/my.sock\"",
            ..UNIX
        },
        Key {
            example: "[load]\nrate = 100\ntcp = \"127.0.0.1:6379\"\nsend = \"PING\\r\\n\"\nexpect = \"+PONG\"",
            ..SEND
        },
        Key { example: "[load]\nrate = 100\ntcp = \"127.0.0.1:25\"\nexpect = \"220 \"", ..ANSWER },
    ],
};

const FAULT: Table = Table {
    name: "fault",
    about: "One fault, injected at a random moment of the watchdog's interval once clients are served, and undone when the trial is \
        over. Several, one after another, are written as `[[fault]]`: each begins an episode with phases of its own, for which \
        `[expect]` holds, unless another comes before the recovery. What can be decided about it are further keys of this table: `hangproof faults NAME` tells those of a fault.",
    heads: &["inject"],
    keys: &[
        Key {
            name: "inject",
            kind: Kind::Word(|| catalogue().iter().map(|spec| spec.name).collect()),
            default: None,
            about: "Its name. `hangproof faults` says what each does, what it needs, and what is to bring the service back.",
            example: "[fault]\ninject = \"sigstop\"\nprocesses = \"main\"",
        },
        Key {
            name: "after",
            kind: Kind::After,
            default: Some("`\"recovered\"`"),
            about: "What a fault behind another waits for: the recovery from the one before, its detection, the main process's end, \
                the next start; or so much time since that injection. What systemd does is heard of up to 250 ms after it did it.",
            example: "[[fault]]\ninject = \"mute\"\n[[fault]]\ninject = \"crash\"\nafter = \"starting\"\nexpect = { outcome = \"restarted\" }",
        },
        Key {
            name: "heal_after",
            kind: Kind::Span,
            default: Some("when the trial is over"),
            about: "How long the fault lasts. With `outcome = \"undisturbed\"` clients are to be served again after that.",
            example: "[fault]\ninject = \"mute\"\nheal_after = \"100ms\"\n[expect]\noutcome = \"undisturbed\"",
        },
        Key {
            name: "expect",
            kind: Kind::Table("expect"),
            default: Some("what `[expect]` says"),
            about: "What is expected of this fault alone, where it comes behind another.",
            example: "[[fault]]\ninject = \"mute\"\n[[fault]]\ninject = \"crash\"\nexpect = { outcome = \"restarted\", by = \"exit\" }",
        },
    ],
};

const EXPECT: Table = Table {
    name: "expect",
    about: "What a trial has to show. What contradicts itself is a mistake.",
    heads: &["outcome"],
    keys: &[
        Key {
            name: "outcome",
            kind: Kind::Word(|| Outcome::WORDS.map(|(word, _)| word).to_vec()),
            default: None,
            about: "The service is restarted and serves again; or nothing happens to it (hung, where there is a fault, it is left as it is); or \
                systemd gives up.",
            example: "[expect]\noutcome = \"restarted\"",
        },
        Key {
            name: "by",
            kind: Kind::Word(|| By::WORDS.map(|(word, _)| word).to_vec()),
            default: Some("by either"),
            about: "What has to have ended the main process: systemd's watchdog, or itself.",
            example: "extends = \"crash\"\n[expect]\nby = \"exit\"",
        },
        Key {
            name: "recovery_within",
            kind: Kind::SpanOrDirective,
            default: Some("as long as the bounds allow"),
            about: "From the injection to READY, at most. Goes with `outcome = \"restarted\"`.",
            example: "[expect]\nrecovery_within = \"WatchdogSec\"",
        },
        Key {
            name: "outage_within",
            kind: Kind::SpanOrDirective,
            default: Some("as long as `recovery_within` allows"),
            about: "From the last good answer to the first, as clients saw it, at most. Goes with `outcome = \"restarted\"`.",
            example: "[expect]\noutage_within = \"4s\"",
        },
        Key {
            name: "at_most_failed",
            kind: Kind::Count,
            default: Some("any number"),
            about: "How many requests of `[load]` may fail from the fault on.",
            example: "[load]\nrate = 100\n[expect]\nat_most_failed = 250",
        },
        Key {
            name: "undisturbed_for",
            kind: Kind::SpanOrDirective,
            default: Some("two times WatchdogSec; 5 s without one"),
            about: "How long nothing may happen. Goes with `outcome = \"undisturbed\"`.",
            example: "extends = \"undisturbed\"\n[expect]\nundisturbed_for = \"12s\"",
        },
        Key {
            name: "hang_report",
            kind: Kind::Flag,
            default: Some("either is good"),
            about: "Whether `sd-watchdog` has to have put a hang report into the journal before systemd acted, or none at all.",
            example: "[expect]\nhang_report = true",
        },
        Key {
            name: "diagnosis",
            kind: Kind::Text,
            default: Some("any is good, and none too"),
            about: "What the hang report's diagnosis has to contain (`HANGPROOF_DIAGNOSIS=`), as it is written. Without a hang report the \
                trial fails.",
            example: "extends = \"sigstop\"\n[expect]\ndiagnosis = \"stopped by a signal\"",
        },
        Key {
            name: "detect_within",
            kind: Kind::SpanOrDirective,
            default: Some("as long as the bounds allow"),
            about: "From the injection to systemd's word that the watchdog found a hang, or to the exit of a process that ends by itself, at \
                most. A phase has to keep its bound, too.",
            example: "[expect]\ndetect_within = \"WatchdogSec\"",
        },
        Key {
            name: "kill_within",
            kind: Kind::SpanOrDirective,
            default: Some("as long as the bounds allow"),
            about: "From there to the main process's end, at most. One that ends by itself has no such phase.",
            example: "[expect]\nkill_within = \"500ms\"",
        },
        Key {
            name: "restart_within",
            kind: Kind::SpanOrDirective,
            default: Some("as long as the bounds allow"),
            about: "From there to the next start, at most. Goes with `outcome = \"restarted\"`.",
            example: "[expect]\nrestart_within = \"2s\"",
        },
        Key {
            name: "start_within",
            kind: Kind::SpanOrDirective,
            default: Some("as long as the bounds allow"),
            about: "From there to READY, at most. Goes with `outcome = \"restarted\"`.",
            example: "[expect]\nstart_within = \"3s\"",
        },
        Key {
            name: "restarts",
            kind: Kind::Count,
            default: Some("any number"),
            about: "How many restarts systemd has to have scheduled from the fault on, until the next one or the end of the trial, neither more \
                nor fewer. Where nobody resets it, its restart counter (`NRestarts`) has grown by so many then.",
            example: "[expect]\nrestarts = 1",
        },
        Key {
            name: "journal",
            kind: Kind::Texts,
            default: Some("the journal may say anything"),
            about: "Texts, up to 16, each of which a line of the journal has to contain from the fault on, until \
                the next one or the end of the trial; one that expects a restart ends as soon as clients are served. Lines count that systemd \
                (PID 1) and `sd-watchdog` write about the unit, as far as its `LogLevelMax=` lets them; what the service itself writes is not \
                followed, since it may be more than anybody can read.",
            example: "[expect]\njournal = [\"Watchdog request\", \"Scheduled restart job\"]",
        },
        Key {
            name: "journal_without",
            kind: Kind::Texts,
            default: Some("the journal may say anything"),
            about: "Texts that no such line may contain.",
            example: "[expect]\njournal_without = [\"code=dumped\", \"Failed with result 'timeout'\"]",
        },
    ],
};
