//! Bytes that systemd, or anybody on its bus, might send a guard.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watchdog::fuzz::dbus_messages(bytes));
