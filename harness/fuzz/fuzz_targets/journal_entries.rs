//! What journalctl prints of what anybody may have logged.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::fuzz::journal_entries(bytes));
