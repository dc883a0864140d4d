//! What guarding a service costs, and whether it does harm.
//!
//! | | |
//! |---|---|
//! | `cargo bench -p watchdog` | CPU, memory and latency of `sd-watchdog`, beside the alternatives in the same run: [`probing`] |
//! | `cargo bench -p watchdog -- --million` | the same, with the heap watched over a million probes |
//! | `cargo bench -p watchdog -- --soak MINUTES` | healthy and hanging services under disturbance, and an account of it: [`soak`] |
//!
//! With `HANGPROOF_TEST_PROGRAMS` it is about the program of that directory: what is shipped is in `target/dist` (`cargo build
//! --profile dist -p watchdog`).

use std::process::ExitCode;

use clap::Parser;

#[path = "../tests/common/mod.rs"]
mod common;
mod manager;
mod memory;
mod probing;
mod soak;

/// What guarding a service costs, and whether it does harm.
#[derive(Debug, Parser)]
struct CommandLine {
    /// Watch the heap over a million probes instead of fifty thousand
    #[arg(long)]
    million: bool,
    #[command(flatten)]
    soak: soak::Options,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
    /// A name that cargo bench was asked for: there is one benchmark
    #[arg(hide = true)]
    _names: Vec<String>,
}

fn main() -> ExitCode {
    if let Some(status) = soak::role::play() {
        return status;
    }
    if let Some(status) = probing::play() {
        return status;
    }
    let options = CommandLine::parse();
    if let Some(length) = options.soak.length() {
        return soak::run(&options.soak, length);
    }
    // `cargo test --benches` runs this too, to see that it works.
    probing::run(!options.bench, options.million);
    ExitCode::SUCCESS
}
