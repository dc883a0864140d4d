//! `sd-watchdog`: see the library's documentation for how it works.

use std::process::ExitCode;

use clap::Parser;
use watchdog::child::End;
use watchdog::cli::Cli;
use watchdog::config::Config;
use watchdog::environment::Environment;
use watchdog::error::Error;
use watchdog::{log, supervise};

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::init(cli.verbose);
    match run(&cli) {
        Ok(end) => end.reproduce(),
        Err(error) => {
            tracing::error!("{error}");
            error.exit_code()
        }
    }
}

fn run(cli: &Cli) -> Result<End, Error> {
    let environment = Environment::read()?;
    let config = Config::new(cli, environment.watchdog.limit())?;
    let notifier = environment.connect();
    supervise::run(&config, notifier)
}
