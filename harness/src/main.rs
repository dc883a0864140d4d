//! `hangproof`: prove that a service recovers from a hang.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use harness::cli::{Cli, Command};
use harness::machine::docker;
use harness::model::text;
use harness::{app, doctor};

fn main() -> ExitCode {
    let cli = Cli::parse();
    docker::context::enter();
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    let verdict = match cli.command {
        None => app::run_scenarios(&cli.run),
        Some(Command::Run(options)) => app::run_scenarios(&options),
        Some(Command::Replay(options)) => app::replay(&options),
        Some(Command::List(options)) => app::list(&options),
        Some(Command::Doctor) => return doctor::examine(),
    };
    match verdict {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // The exit code says it too.
            let _ = writeln!(anstream::stderr(), "hangproof: {}", text::lines(error.to_string()));
            ExitCode::from(error.exit_code())
        }
    }
}
