//! `hangproof`: prove that a service recovers from a hang.

use std::process::ExitCode;

use harness::cli::Cli;
use harness::commands;
use harness::error::Error;
use harness::machine::docker;

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(Ok(code)) => return code,
        Err(Err(error)) => return said(&error),
    };
    docker::context::enter();
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    match commands::execute(&cli) {
        Ok(code) => code,
        Err(error) => said(&error),
    }
}

fn said(error: &Error) -> ExitCode {
    if !error.is_told() {
        commands::tell(&error.to_string());
    }
    ExitCode::from(error.exit_code())
}
