//! `sd-watchdog guard UNIT`: probes from beside a service that cannot be wrapped (Type=forking or dbus, Delegate=,
//! somebody else's unit), and does to it what systemd's own watchdog would.
//!
//! | decides | does |
//! |---|---|
//! | [`decide`]: event in, actions out | [`drive`]: the loop, for I/O to events and actions to I/O |
//! | [`mod@unit`]: what UNIT's state means | [`follow`]: UNIT's state as news, whatever happens to the connection |
//! | [`settings`]: what UNIT's settings say about a hang | [`bus`]: systemd over D-Bus |
//! | [`comeback`]: who starts UNIT again | [`maintenance`]: whether UNIT is to be left alone |
//! | [`budget`]: how often UNIT may be ended | [`dbus`](crate::systemd::dbus): as much of D-Bus as that takes |
//! | | [`gauge`]: how far others keep UNIT from running |
//! | | [`stopping`](crate::systemd::stopping): how the unit stands that we ourselves are in |
//! | [`event`]: the words in which all of these speak | [`note`]: the log |
//! | | [`ledger`]: what the next guard is to know of UNIT |
//! | | [`signals`]: what this guard is told by signals |
//!
//! What makes a hang is the same as for a service that is wrapped: [`streak`](crate::hang::streak), [`starvation`](crate::kernel::starvation).
//!
//! # How UNIT is ended, and why so
//!
//! By `KillUnit` with UNIT's own `WatchdogSignal=`, to whom systemd would send it (`KillMode=`), followed by SIGCONT as
//! systemd does; after `TimeoutAbortSec=` by SIGKILL. systemd then sees a service die, and does what `Restart=` says for
//! a death by a signal. Where that is nothing, we start UNIT ourselves, when `RestartSec=` is over and if it still is dead
//! then: with `no`, `on-success` and `on-watchdog`, and where a process makes something else of the signal (a handler that
//! exits with 0). [`comeback`] is the table. What nobody would start again is not ended, and nor is what never was healthy
//! under our probes.
//!
//! `WATCHDOG=trigger` on UNIT's behalf would have systemd do all this by itself, with the result `watchdog`. But it takes
//! CAP_SYS_ADMIN to claim another's process id (SCM_CREDENTIALS), a known main process, and a unit with `NotifyAccess=`,
//! which those that this is for mostly have not; and systemd drops what it does not like without a word (at debug level
//! from 257 on), so that nobody would know whether it was heard.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::cli::{GuardArgs, Next, OnHang, ProbeArgs};
use crate::config::{Config, ConfigError};
use crate::probe::{ProbeError, Probes};
use crate::report;
use crate::report::{ProbeRecord, Scope as Whose};
use crate::service::children::Children;
use crate::service::environment::{Environment, EnvironmentError};
use crate::systemd::notify::{Notifier, NotifierError};
use crate::systemd::scope::Scope;
use crate::unit::UnitName;
use crate::unit::name::NotAService;
use crate::words::command_line;
use crate::words::error::Error;
use crate::words::metrics::ExporterError;

use self::bus::BusError;
use self::event::Hang;
use self::ledger::Ledger;
use self::maintenance::Maintenance;
use self::rules::Rules;

pub(crate) mod budget;
pub(crate) mod bus;
pub(crate) mod comeback;
pub(crate) mod decide;
pub(crate) mod drive;
pub(crate) mod event;
pub(crate) mod follow;
pub(crate) mod gauge;
pub(crate) mod ledger;
pub(crate) mod maintenance;
pub(crate) mod note;
pub(crate) mod rules;
pub(crate) mod settings;
pub(crate) mod signals;
pub(crate) mod unit;

/// As the command line's long help has it.
const REPORT_BUDGET: Duration = Duration::from_millis(500);

/// Makes the hang report. It is dropped after [`Rules::report`].
pub type Reporter = dyn Fn(Hang, Vec<ProbeRecord>) -> Pin<Box<dyn Future<Output = ()>>>;

/// Why a guard cannot start. The message says what to do.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum GuardError {
    #[error(transparent)]
    Name(#[from] NotAService),
    #[error("UNIT is {0}, a template: give one of its instances, like {prefix}@NAME.service", prefix = .0.prefix())]
    Template(UnitName),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error(
        "{source}; sd-watchdog@{name}.service takes its options from SD_WATCHDOG_OPTIONS=\"...\" in \
         /etc/sd-watchdog/{}.conf",
        without_escapes(name)
    )]
    NoOptions { name: String, source: ProbeError },
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Notifier(#[from] NotifierError),
    #[error(
        "--on-hang withhold: from beside there are no pings to withhold; use --dry-run to only say what hangs"
    )]
    Withhold,
    #[error("--reset-after: RESTART_RESET=1 can be said by UNIT's own processes only; leave it out")]
    ResetAfter,
    #[error(
        "--ready-only: a guard says no READY=1, so there is nothing to gate; leave it out, and the set is watched as the others are"
    )]
    ReadyOnly,
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Exporter(#[from] ExporterError),
    #[error("cannot {what}: {source}; look at the limits of the unit (LimitNOFILE=, TasksMax=)")]
    System { what: &'static str, source: std::io::Error },
}

impl From<GuardError> for Error {
    fn from(error: GuardError) -> Self {
        match &error {
            GuardError::Bus(_) | GuardError::Exporter(_) | GuardError::System { .. } => Self::system(&error),
            GuardError::Name(_)
            | GuardError::Template(_)
            | GuardError::Config(_)
            | GuardError::Probe(_)
            | GuardError::NoOptions { .. }
            | GuardError::Environment(_)
            | GuardError::Notifier(_)
            | GuardError::Withhold
            | GuardError::ResetAfter
            | GuardError::ReadyOnly => Self::usage(&error),
        }
    }
}

/// Guards UNIT until asked to stop.
pub fn run(args: &GuardArgs, next: &[Next]) -> Result<ExitCode, GuardError> {
    let name = unit(&args.unit)?;
    let scope = scope(args);
    let environment = Environment::read()?;
    let rules = rules(args, next, environment.watchdog.limit())?;
    let children = Children::new();
    let runs_commands = |probes: &ProbeArgs| !probes.exec.is_empty();
    if runs_commands(&args.probes)
        || next.iter().any(|next| runs_commands(&next.probes))
        || args.hang.on_hang_exec.is_some()
    {
        children
            .become_subreaper()
            .unwrap_or_else(|error| tracing::warn!("cannot become a subreaper: {error}"));
    }
    let probes = Probes::sets(&args.probes, next, &children)?;
    if probes[0].is_empty() {
        return Err(nothing_to_probe(ProbeError::Nothing, &name, environment.notify_socket.is_some()));
    }
    let exec =
        args.hang.on_hang_exec.as_deref().map(command_line::words).transpose().map_err(ConfigError::from)?;
    let helpers = Rc::clone(&children);
    let report = move |hang: Hang, probes: Vec<ProbeRecord>| {
        report(scope, hang, probes, exec.clone(), Rc::clone(&helpers))
    };
    let notifier = environment.notify_socket.as_deref().map(Notifier::new).transpose()?;
    let maintenance = Maintenance::new(maintenance_file(args, scope, &name));
    let ledger = Ledger::new(&scope.directory(), name.as_str(), std::env::args_os().collect::<Vec<_>>());
    drive::run(drive::Guard {
        scope,
        name,
        rules,
        probes: &probes,
        notifier,
        maintenance,
        ledger,
        children: &children,
        report: &report,
        watchdog: args.watchdog,
        outside: &args.outside,
    })
}

fn unit(typed: &str) -> Result<UnitName, GuardError> {
    let name = UnitName::new(typed)?;
    if name.is_template() { Err(GuardError::Template(name)) } else { Ok(name) }
}

/// How systemd finds the file of `EnvironmentFile=`, which is a pattern: to glob(3) a backslash is an escape.
fn without_escapes(name: &str) -> String {
    name.replace('\\', "")
}

/// Run by systemd, it most likely is the template without its file.
fn nothing_to_probe(source: ProbeError, name: &UnitName, by_systemd: bool) -> GuardError {
    if !by_systemd {
        return source.into();
    }
    let name = name.as_str();
    GuardError::NoOptions { name: name.strip_suffix(".service").unwrap_or(name).to_owned(), source }
}

fn report(
    scope: Scope,
    hang: Hang,
    probes: Vec<ProbeRecord>,
    exec: Option<Vec<String>>,
    children: Rc<Children>,
) -> Pin<Box<dyn Future<Output = ()>>> {
    let main = hang.main_pid.and_then(|pid| i32::try_from(pid).ok());
    let order = report::Order {
        scope: Whose::unit(&hang.control_group, main),
        unit: Some((scope, hang.unit)),
        main,
        reason: hang.reason,
        is_certain: true,
        probes,
        exec,
        deadline: Instant::now() + hang.budget,
    };
    Box::pin(report::make(order, children))
}

/// Puts the command line together with our own watchdog, and refuses what cannot work.
fn rules(args: &GuardArgs, next: &[Next], own_watchdog: Option<Duration>) -> Result<Rules, GuardError> {
    if args.hang.on_hang == OnHang::Withhold {
        return Err(GuardError::Withhold);
    }
    if args.timing.set.ready_only || next.iter().any(|next| next.set.ready_only) {
        return Err(GuardError::ReadyOnly);
    }
    if args.timing.reset_after.is_some() {
        return Err(GuardError::ResetAfter);
    }
    let config = Config::beside(&args.timing, next, &args.hang, args.watchdog)?;
    let report = args.hang.report_budget.unwrap_or_else(|| {
        // Never past what W leaves.
        REPORT_BUDGET.min(args.watchdog.saturating_sub(config.longest_row()))
    });
    Ok(Rules {
        watchdog: args.watchdog,
        sets: config.sets.iter().map(|set| set.timing).collect(),
        pressure_limit: config.pressure_limit,
        start_grace: args.timing.start_timeout.unwrap_or(args.watchdog),
        restart: args.restart,
        budget: (args.max_restarts, args.restart_window),
        report: Some(report).filter(|budget| !budget.is_zero()),
        dry_run: args.hang.dry_run,
        // Twice as often as systemd wants it, as sd_watchdog_enabled(3) has it.
        turn: own_watchdog.map(|limit| limit / 2),
    })
}

/// Whose UNIT is: who runs a guard in a unit of their manager means that manager, unless they say otherwise.
fn scope(args: &GuardArgs) -> Scope {
    match (args.user, args.system) {
        (true, _) => Scope::User,
        (_, true) => Scope::System,
        (false, false) => Scope::own(),
    }
}

fn maintenance_file(args: &GuardArgs, scope: Scope, name: &UnitName) -> PathBuf {
    let default = || scope.directory().join(format!("{name}.maintenance"));
    args.maintenance_file.clone().unwrap_or_else(default)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Sub};

    fn args(options: &[&str]) -> GuardArgs {
        let fixed = ["sd-watchdog", "guard", "nginx", "--http", "http://127.0.0.1/"];
        match Cli::try_parse_from(fixed.iter().chain(options)).expect("a good command line").subcommand {
            Some(Sub::Guard(args)) => *args,
            other => panic!("{other:?}"),
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_template_is_refused_with_the_remedy() {
        assert_eq!(unit("postgresql@15-main").expect("an instance").as_str(), "postgresql@15-main.service");
        let error = unit("getty@").expect_err("a template");
        assert!(error.to_string().contains("like getty@NAME.service"), "{error}");
        assert_eq!(Error::from(error).exit_code(), ExitCode::from(2));
        assert!(unit("nginx.socket").is_err());
    }

    #[test]
    fn everything_follows_from_w() {
        let rules = rules(&args(&["--watchdog=10s"]), &[], Some(seconds(30))).expect("works");
        assert_eq!(rules.sets[0].interval, seconds(1));
        assert_eq!((rules.sets[0].rise, rules.sets[0].jitter), (1, 5));
        assert_eq!(rules.start_grace, seconds(10));
        assert_eq!(rules.budget, (5, seconds(3600)));
        assert_eq!(rules.report, Some(Duration::from_millis(500)));
        assert_eq!(rules.turn, Some(seconds(15)));
    }

    fn line(words: &[&str]) -> crate::cli::Line {
        let fixed = ["sd-watchdog", "guard", "nginx", "--tcp=127.0.0.1:1", "--watchdog=10s"];
        let words = fixed.iter().chain(words).map(Into::into);
        crate::cli::Line::try_parse_from(words).expect("a good command line")
    }

    fn rules_of(words: &[&str]) -> Result<Rules, GuardError> {
        let line = line(words);
        let Some(Sub::Guard(args)) = line.cli.subcommand else { panic!("no guard") };
        rules(&args, &line.next, None)
    }

    #[test]
    fn a_further_set_has_a_timing_of_its_own_and_what_it_does_not_say_is_as_in_the_first() {
        let rules =
            rules_of(&["--failures=2", "--next", "--tcp=127.0.0.1:2", "--interval=3s"]).expect("works");
        let [first, second] = rules.sets[..] else { panic!("{:?}", rules.sets) };
        assert_eq!((first.interval, first.failures), (seconds(1), 2));
        assert_eq!((second.interval, second.failures, second.timeout), (seconds(3), 2, first.timeout));
        assert_eq!(rules.detect_bound(), second.detect_bound(), "of the slowest");
        let left = rules_of(&["--next", "--tcp=127.0.0.1:2", "--interval=6500ms"]).expect("works").report;
        assert_eq!(left, Some(Duration::from_millis(300)), "10 s less 6.5 s + 3 x 1 s + 2 x 100 ms");
    }

    #[test]
    fn what_no_further_set_can_do_is_refused_with_the_remedy() {
        let further = ["--next", "--tcp=127.0.0.1:2"];
        for (options, expected) in [
            (&["--ready-only"][..], "--ready-only: a guard says no READY=1, so there is nothing to gate"),
            (&["--interval=20s"], "set 2, behind --next: interval 20 s + 3 × timeout 1 s"),
            (&["--failures=0"], "set 2, behind --next: --failures is 0"),
        ] {
            let error = rules_of(&[&further, options].concat()).expect_err("cannot work");
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(Error::from(error).exit_code(), ExitCode::from(2));
        }
        let error = rules_of(&["--ready-only"]).expect_err("cannot work");
        assert!(error.to_string().contains("so there is nothing to gate"), "{error}");
    }

    #[test]
    fn a_report_takes_no_longer_than_w_leaves() {
        let rules = |options: &[&str]| rules(&args(options), &[], None).expect("works");
        assert_eq!(rules(&["--watchdog=100ms"]).report, Some(Duration::from_millis(58)));
        assert_eq!(rules(&["--report-budget=0s"]).report, None);
        assert_eq!(rules(&["--report-budget=2s"]).report, Some(seconds(2)));
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_remedy() {
        for (options, expected) in [
            (&["--on-hang=withhold"][..], "use --dry-run"),
            (&["--watchdog=500000000000y"], "more than a year"),
            (&["--on-hang=withhold", "--dry-run"], "use --dry-run"),
            (&["--reset-after=1h"], "RESTART_RESET=1 can be said by UNIT's own processes only; leave it out"),
            (
                &["--on-hang-exec=gdb -p %p", "--report-budget=0s"],
                "there is none: give it time, or leave it out",
            ),
            (&["--jitter=51"], "at most 50 percent"),
            (
                &["--timeout=20s"],
                "but --watchdog is 30 s: lower --failures, --timeout or --interval, or raise --watchdog",
            ),
            (&["--watchdog=5ms"], "--watchdog is 5 ms, too short to probe within: set it to 10 ms or more"),
            (&["--interval=0s"], "or leave it out to have it derived from --watchdog"),
            (&["--start-timeout=0s"], "or leave it out to have it as long as --watchdog"),
        ] {
            let error = rules(&args(options), &[], None).expect_err("cannot work");
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(Error::from(error).exit_code(), ExitCode::from(2));
        }
    }

    #[test]
    fn who_runs_the_template_without_options_learns_where_they_go() {
        let name = UnitName::new("postgresql@15-main").expect("a name");
        let text = |by_systemd| nothing_to_probe(ProbeError::Nothing, &name, by_systemd).to_string();
        assert!(!text(false).contains("/etc"), "{}", text(false));
        assert!(
            text(true).ends_with(
                "; sd-watchdog@postgresql@15-main.service takes its options from SD_WATCHDOG_OPTIONS=\"...\" in \
                 /etc/sd-watchdog/postgresql@15-main.conf"
            ),
            "{}",
            text(true)
        );
        let name = UnitName::new(r"a@x-y\x2dz").expect("a name");
        let text = nothing_to_probe(ProbeError::Nothing, &name, true).to_string();
        assert!(text.contains(r"sd-watchdog@a@x-y\x2dz.service"), "{text}");
        assert!(text.ends_with("/etc/sd-watchdog/a@x-yx2dz.conf"), "{text}");
    }

    #[test]
    fn the_maintenance_file_is_named_for_the_whole_unit() {
        let name = UnitName::new("nginx").expect("a name");
        let default = maintenance_file(&args(&[]), Scope::System, &name);
        assert_eq!(default, PathBuf::from("/run/sd-watchdog/nginx.service.maintenance"));
        assert_eq!(
            maintenance_file(&args(&["--maintenance-file=/x"]), Scope::User, &name),
            PathBuf::from("/x")
        );
    }
}
