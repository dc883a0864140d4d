//! What the fuzz target `notify_datagram` calls: bytes that COMMAND sends us, and what we promise about them.

use crate::systemd::relay::Notification;

/// Takes a datagram apart, the first byte being the number of descriptors with it.
///
/// # Panics
///
/// Where what we promise does not hold.
pub fn notify_datagram(input: &[u8]) {
    let [descriptors, datagram @ ..] = input else { return };
    let descriptors = usize::from(*descriptors);
    let Ok(said) = Notification::parse(datagram, descriptors) else { return };
    assert!(said.verbatim.len() <= datagram.len(), "what is passed on grew");
    let passed_on =
        Notification::parse(&said.verbatim, descriptors).expect("systemd can read what is passed on");
    let expected =
        Notification { verbatim: said.verbatim.clone(), stores: said.stores, ..Notification::default() };
    assert_eq!(passed_on, expected, "more is passed on than what is for systemd alone");
}
