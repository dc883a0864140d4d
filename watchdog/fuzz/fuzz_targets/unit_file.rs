//! Bytes that somebody might have in a unit.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watchdog::fuzz::unit_file(bytes));
