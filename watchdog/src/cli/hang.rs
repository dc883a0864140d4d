//! Options that say what happens on a hang.

use std::time::Duration;

use clap::Args;

/// What happens on a hang.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "On a hang")]
pub struct HangArgs {
    /// Trigger systemd, or withhold pings
    #[arg(
        long,
        value_name = "ACTION",
        help = "Trigger systemd, or withhold pings [trigger]",
        default_value = "trigger",
        hide_possible_values = true,
        hide_default_value = true
    )]
    #[arg(
        long_help = "trigger: tell systemd at once, which restarts the service. withhold: only stop pinging; systemd \
        restarts the service when WatchdogSec= has passed since the last ping, unless it is healthy again before; not \
        with guard [default: trigger]"
    )]
    pub on_hang: OnHang,

    /// Only say what would be done, and go on pinging
    #[arg(long)]
    #[arg(
        long_help = "Only say what would be done, and go on pinging whatever the probes find. The hang report is made all \
        the same, and READY=1 is still said after the first healthy probe only"
    )]
    pub dry_run: bool,

    /// How long the hang report may take; 0s: no report [default: 500ms, or what W leaves]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, hide_short_help = true)]
    pub report_budget: Option<Duration>,

    /// Run this for the hang report too: 'gdb -p %p …'
    #[arg(long, value_name = "CMD")]
    #[arg(
        long_help = "Run this command for the hang report too, within its budget; its output goes to the journal. %p stands \
        for the process id of the service, %% for a percent sign. No shell. A debugger needs more than the default \
        budget: --report-budget 2s --on-hang-exec 'gdb -p %p -batch -ex \"thread apply all bt\"'"
    )]
    pub on_hang_exec: Option<String>,
}

/// What to do when the service hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnHang {
    /// Say `WATCHDOG=trigger` after N unhealthy probes in a row (systemd 243 and later).
    Trigger,
    /// Send no ping while probes are unhealthy; systemd's own timer does the rest.
    Withhold,
}

impl Default for HangArgs {
    fn default() -> Self {
        Self { on_hang: OnHang::Trigger, dry_run: false, report_budget: None, on_hang_exec: None }
    }
}
