//! What all of these tests need.

use std::env;
use std::path::Path;
use std::sync::LazyLock;

/// The program under test: of the directory `HANGPROOF_TEST_PROGRAMS`, or as cargo has just built it.
pub fn program() -> &'static str {
    static PROGRAM: LazyLock<String> = LazyLock::new(|| {
        env::var("HANGPROOF_TEST_PROGRAMS").map_or_else(
            |_| env!("CARGO_BIN_EXE_sd-watchdog").to_owned(),
            |directory| Path::new(&directory).join("sd-watchdog").to_string_lossy().into_owned(),
        )
    });
    &PROGRAM
}
