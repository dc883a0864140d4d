//! Bytes that an HTTP server might answer a probe with.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watchdog::fuzz::http_answer(bytes));
