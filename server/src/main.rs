//! The program `buggy_server`; the [library](server) says how it works.

use std::io::{self, Write};
use std::process::ExitCode;

use server::cli::Cli;
use server::{client, log, serve};

fn main() -> ExitCode {
    let cli = Cli::from_command_line();
    let outcome = match cli.command {
        None => {
            log::init();
            serve::serve(cli.serve, &cli.control)
        }
        Some(command) => client::run(&cli.control, command).map(|()| ExitCode::SUCCESS),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // Not eprintln!, which panics where stderr has gone away.
            let _ = writeln!(io::stderr(), "buggy_server: {error}");
            error.exit_code()
        }
    }
}
