//! A recording of a stranger's.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::fuzz::recording(bytes));
