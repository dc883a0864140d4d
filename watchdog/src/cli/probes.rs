//! Options that say what to probe.

use clap::Args;

/// What to probe, and what counts as healthy. Checked and put together by [`probe`](crate::probe).
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Probes, any number; all must pass")]
pub struct ProbeArgs {
    /// Healthy if a GET is answered with status 200-399
    #[arg(long, value_name = "URL")]
    #[arg(
        long_help = "Healthy if a GET is answered with status 200-399, over a new connection each time. http://, or \
        https:// with the system's certificates or --ca-file"
    )]
    pub http: Vec<String>,

    /// The same over a Unix socket: /run/x.sock:/healthz
    #[arg(long, value_name = "SOCK:PATH")]
    pub http_unix: Vec<String>,

    /// Healthy if a connection can be made; see --expect
    #[arg(long, value_name = "HOST:PORT")]
    #[arg(
        long_help = "Healthy if a connection can be made and, with --expect, is answered as expected. Without --expect \
        a process that is stuck looks healthy as long as the kernel queues connections for it"
    )]
    pub tcp: Vec<String>,

    /// The same over a Unix socket
    #[arg(long, value_name = "SOCK")]
    pub unix: Vec<String>,

    /// Healthy if grpc.health.v1 says SERVING
    #[cfg(feature = "grpc")]
    #[arg(long, value_name = "ADDR[/SERVICE]")]
    #[arg(
        long_help = "Healthy if grpc.health.v1 says SERVING. ADDR is HOST:PORT, in plaintext unless https:// stands in front; \
        also unix:PATH[:SERVICE]"
    )]
    pub grpc: Vec<String>,

    /// Healthy if 'CMD ARG...' exits with 0; no shell
    #[arg(long, value_name = "CMD")]
    #[arg(
        long_help = "Healthy if the command exits with 0. Quotes and backslashes are understood, but no shell is run. \
        Where it fails, its first line of output is the reason; at the deadline it is \
        killed. Processes that it leaves behind are killed too, even daemons, unless they have cleared their \
        environment (SD_WATCHDOG_RUN) and lost their parent"
    )]
    pub exec: Vec<String>,

    /// Begins a further set of probes, with options and timing of its own
    #[arg(long)]
    #[arg(
        long_help = "Begins a further set of probes, with options of its own, as curl's --next. A set has its probes, what they send \
        and expect, and its timing, and runs by itself. What it does not say of --interval, --timeout, --failures, --rise and \
        --retry-interval is as in the first set; nothing else is taken over. READY=1 waits for all sets, pings are said while no set \
        has failures, and the first set that finds a hang has found it. With guard UNIT must have been healthy under all sets \
        before it is ended. All other options stand before the first --next"
    )]
    pub next: bool,

    /// With --http and --http-unix: the method [default: GET, or POST with --data]
    #[arg(
        long,
        value_name = "METHOD",
        hide_short_help = true,
        help_heading = "What the probes send and expect"
    )]
    pub method: Option<String>,

    /// With --http and --http-unix: the body of the request, or @PATH: what is in that file
    #[arg(
        long,
        value_name = "TEXT|@PATH",
        hide_short_help = true,
        help_heading = "What the probes send and expect"
    )]
    #[arg(
        long_help = "With --http and --http-unix: the body of the request, as curl's --data: POST unless --method says \
        otherwise, as application/x-www-form-urlencoded unless --header gives a Content-Type. Repeated, with & in between. \
        @PATH stands for what is in that file, up to 64 KiB, without its line breaks; for secrets. It is read once, at the \
        start. In a unit: LoadCredential=query:/etc/my-server/query and --data @%d/query"
    )]
    pub data: Vec<String>,

    /// With --http, --http-unix and --grpc: a header of the request; may be repeated
    #[arg(
        long,
        value_name = "'NAME: VALUE'",
        hide_short_help = true,
        help_heading = "What the probes send and expect"
    )]
    #[arg(
        long_help = "With --http, --http-unix and --grpc: a header of the request; may be repeated. Anybody on this machine can \
        read it, in the process list and in the journal: for secrets there is --header-file. gRPC calls it metadata: names are \
        sent in small letters, the value of a name that ends with -bin is base64, and Host is the authority"
    )]
    pub header: Vec<String>,

    /// With --http, --http-unix and --grpc: a file with headers, one a line; for secrets
    #[arg(
        long,
        value_name = "PATH",
        hide_short_help = true,
        help_heading = "What the probes send and expect"
    )]
    #[arg(
        long_help = "With --http, --http-unix and --grpc: a file with headers of the request, one a line: 'Name: value'. For secrets; \
        no value is ever shown. It is read once, at the start. In a unit: LoadCredential=headers:/etc/my-server/headers and \
        --header-file %d/headers; the file may then be root's alone, whoever the service runs as. May be repeated"
    )]
    pub header_file: Vec<std::path::PathBuf>,

    /// With --http and --http-unix: what counts as healthy [default: 200-399]
    #[arg(
        long,
        value_name = "LIST",
        hide_short_help = true,
        help_heading = "What the probes send and expect"
    )]
    #[arg(
        long_help = "With --http and --http-unix: what counts as healthy, like 200-299,404 [default: 200-399]"
    )]
    pub status: Option<String>,

    /// With --http and --http-unix: text that the answer's body must contain, in its first MiB; once it is there, the
    /// rest is not waited for
    #[arg(
        long,
        value_name = "TEXT",
        hide_short_help = true,
        help_heading = "What the probes send and expect"
    )]
    pub body: Option<String>,

    /// With --http and --http-unix: a regular expression that the answer's body must match, in its first 64 KiB, when
    /// these or all of it are there
    #[cfg(feature = "regex")]
    #[arg(
        long,
        value_name = "REGEX",
        hide_short_help = true,
        help_heading = "What the probes send and expect"
    )]
    pub body_regex: Option<String>,

    /// With --http and --http-unix: follow redirects, as long as they stay on the host and port
    #[arg(long, hide_short_help = true, help_heading = "What the probes send and expect")]
    pub follow_redirects: bool,

    /// With https:// : trust the certificates in this file (PEM) instead of the system's
    #[cfg(feature = "tls")]
    #[arg(
        long,
        value_name = "PATH",
        hide_short_help = true,
        help_heading = "What the probes send and expect",
        long_help = "With https:// : trust the certificates in this file (PEM) instead of the system's. It is read again \
        when a certificate does not hold"
    )]
    pub ca_file: Option<std::path::PathBuf>,

    /// With https:// : the name that the service goes by, where it is not the one in the address
    #[cfg(feature = "tls")]
    #[arg(
        long,
        value_name = "NAME",
        hide_short_help = true,
        help_heading = "What the probes send and expect",
        long_help = "With https:// : the name that the service goes by, where it is not the one in the address. It is told \
        to the service (SNI), and the certificate must be for it. The Host of a request is another matter: --header 'Host: NAME'"
    )]
    pub server_name: Option<String>,

    /// With https:// : accept any certificate
    #[cfg(feature = "tls")]
    #[arg(
        long,
        hide_short_help = true,
        help_heading = "What the probes send and expect",
        long_help = "With https:// : accept any certificate, whatever is wrong with it. It proves nothing about who answers: \
        what is sent, secrets in headers too, may be sent to anybody"
    )]
    pub insecure: bool,

    /// With https:// : a certificate of ours (PEM), for services that want one of their clients
    #[cfg(feature = "tls")]
    #[arg(
        long,
        value_name = "PATH",
        hide_short_help = true,
        help_heading = "What the probes send and expect",
        long_help = "With https:// : a certificate of ours (PEM), for services that want one of their clients; behind it the rest of \
        its chain. It is read again when it has changed"
    )]
    pub cert: Option<std::path::PathBuf>,

    /// With --cert: its key (PEM), where it is not in the same file
    #[cfg(feature = "tls")]
    #[arg(
        long,
        value_name = "PATH",
        hide_short_help = true,
        help_heading = "What the probes send and expect",
        long_help = "With --cert: its key (PEM), where it is not in the same file. In a unit: \
        LoadCredential=key:/etc/my-server/probe.key and --key %d/key; the file may then be root's alone. systemd copies it \
        when the service starts; what is to be renewed meanwhile stays at its place, readable by the service"
    )]
    pub key: Option<std::path::PathBuf>,

    /// With --tcp and --unix: send this first; \r, \n, \t, \0, \\ and \xHH are understood
    #[arg(
        long,
        value_name = "TEXT",
        hide_short_help = true,
        help_heading = "What the probes send and expect"
    )]
    pub send: Option<String>,

    /// With --tcp and --unix: text that the answer must contain; escapes as in --send
    #[arg(
        long,
        value_name = "TEXT",
        hide_short_help = true,
        help_heading = "What the probes send and expect"
    )]
    #[arg(
        long_help = "With --tcp and --unix: text that the answer must contain, in its first 64 KiB; escapes as in \
        --send. Where it begins with a dash: --expect=-ERR"
    )]
    pub expect: Option<String>,
}
