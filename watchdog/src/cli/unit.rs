//! `sd-watchdog unit`

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{HangArgs, OutsideArgs, ProbeArgs, TimingArgs, WrapperArgs};

const DRY_RUN: &str = "A unit that only says what would be done; a drop-in says what is before and after";
const DRY_RUN_LONG: &str = "The unit only says what would be done on a hang, and goes on pinging whatever the probes find; READY=1 \
                            is still said after the first healthy probe only. A drop-in says, directive by directive, what is \
                            before and after, and what is kept";

/// `sd-watchdog unit`
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "sd-watchdog unit [--drop-in UNIT] PROBE... [OPTIONS] [-- COMMAND]",
    mut_arg("dry_run", |arg| arg.help(DRY_RUN).long_help(DRY_RUN_LONG)),
    after_long_help = super::texts::UNIT.long_help()
)]
#[expect(missing_docs, reason = "the types say it, and their documentation is that of the options")]
pub struct UnitArgs {
    /// Print a drop-in for this unit, the ExecStart= of which is wrapped, instead of a whole unit; a name, or, with a slash in
    /// it, a file, read with those in FILE.d beside it
    #[arg(long, value_name = "UNIT")]
    pub drop_in: Option<String>,

    /// UNIT belongs to the manager of the user that runs this: `systemctl --user`
    #[arg(long, requires = "drop_in")]
    pub user: bool,

    /// UNIT is read from the files in the tree at DIR, as systemd would load it there, not from the systemd that runs
    #[arg(long, value_name = "DIR", requires = "drop_in")]
    pub root: Option<PathBuf>,

    /// WatchdogSec= of the unit; with --drop-in, what the unit itself says is kept unless this is given
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5s")]
    pub watchdog_sec: Duration,

    #[command(flatten)]
    pub probes: ProbeArgs,
    #[command(flatten)]
    pub timing: TimingArgs,
    #[command(flatten)]
    pub hang: HangArgs,
    #[command(flatten)]
    pub wrapper: WrapperArgs,
    #[command(flatten)]
    pub outside: OutsideArgs,

    /// The service and its arguments, after `--`; with --drop-in, its own unless given
    #[arg(last = true, value_name = "COMMAND", help_heading = "Arguments")]
    pub command: Vec<OsString>,
}
