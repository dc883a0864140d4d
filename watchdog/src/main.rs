//! `sd-watchdog`: see the library's documentation for how it works.

use std::io::Write;
use std::process::ExitCode;

use watchdog::cli::{ChildPings, Line, Next, Sub, WrapArgs};
use watchdog::config::Config;
use watchdog::guard;
use watchdog::probe::{ProbeError, Probes};
use watchdog::service::children::Children;
use watchdog::service::end::End;
use watchdog::service::environment::Environment;
#[cfg(feature = "manual")]
use watchdog::tools::manual;
use watchdog::tools::{check, unit};
use watchdog::words::error::Error;
use watchdog::words::log;
use watchdog::wrap::supervise;
use watchdog::wrap::supervise::Service;

fn main() -> ExitCode {
    let parsed = Line::try_parse_from(std::env::args_os());
    log::init(parsed.as_ref().is_ok_and(|line| line.cli.is_verbose()));
    parsed.map_or_else(|answer| help(&answer), |line| run(&line)).unwrap_or_else(|error| {
        tracing::error!("{error}");
        error.exit_code()
    })
}

/// `--help` and `--version`; or what is wrong with the command line.
fn help(answer: &clap::Error) -> Result<ExitCode, Error> {
    if answer.use_stderr() {
        answer.exit();
    }
    answer.print().and_then(|()| std::io::stdout().flush()).map_err(|source| Error::print(&source))?;
    Ok(ExitCode::SUCCESS)
}

fn run(line: &Line) -> Result<ExitCode, Error> {
    match &line.cli.subcommand {
        Some(Sub::Check(args)) => check::run(args, &line.next),
        Some(Sub::Unit(args)) => unit::run(args, line),
        #[cfg(feature = "manual")]
        Some(Sub::Completions { shell }) => manual::completions(*shell),
        #[cfg(feature = "manual")]
        Some(Sub::Man { directory }) => manual::pages(directory),
        Some(Sub::Guard(args)) => guard::run(args, &line.next).map_err(Error::from),
        None => wrap(&line.cli.wrap, &line.next),
    }
}

fn wrap(args: &WrapArgs, next: &[Next]) -> Result<ExitCode, Error> {
    let environment = Environment::read()?;
    let config = Config::new(&args.timing, next, &args.hang, &args.wrapper, environment.watchdog.limit())?;
    let children = Children::new();
    let mut probes = Probes::sets(&args.probes, next, &children)?;
    if args.wrapper.child_pings == ChildPings::Ignore && probes[0].is_empty() {
        return Err(ProbeError::Nothing.into());
    }
    probes.resize_with(config.sets.len(), Probes::none);
    if let Some(warning) = config.report_warning(args.hang.report_budget) {
        tracing::warn!("{warning}");
    }
    let notifier = supervise::connect(&environment);
    let service = Service {
        config: &config,
        command: &args.command,
        probes: &probes,
        children: &children,
        outside: &args.outside,
    };
    supervise::run(&service, notifier).map(End::reproduce)
}
