//! Bytes that COMMAND might say to systemd.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watchdog::fuzz::notify_datagram(bytes));
