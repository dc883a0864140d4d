//! The program `buggy_server`; the [library](server) says how it works.

use std::io::{self, Write};
use std::process::ExitCode;

use server::cli::{Cli, Command};
use server::{client, log, serve};

fn main() -> ExitCode {
    let cli = Cli::from_command_line();
    let outcome = match cli.command {
        None => {
            log::init();
            serve::serve(cli.serve, &cli.control)
        }
        Some(Command::Inject(order)) => client::inject(&cli.control, order),
        Some(Command::Heal) => client::heal(&cli.control),
        Some(Command::Status) => client::status(&cli.control),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not eprintln!, which panics where stderr has gone away.
            let _ = writeln!(io::stderr(), "buggy_server: {error}");
            error.exit_code()
        }
    }
}
