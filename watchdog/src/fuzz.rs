//! What the fuzz targets in `watchdog/fuzz` call. A function here takes bytes that others send us, and panics where what
//! we promise about them does not hold.

mod dbus_messages;
mod http_answer;
mod notify_datagram;
mod unit_file;

pub use self::dbus_messages::dbus_messages;
pub use self::http_answer::http_answer;
pub use self::notify_datagram::notify_datagram;
pub use self::unit_file::unit_file;

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Replays `fuzz/corpus/TARGET` through the function of that name.
    fn replay(target: &str, function: fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let inputs: Vec<_> = std::fs::read_dir(&corpus)
            .expect("a corpus")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        assert!(!inputs.is_empty(), "nothing in {}", corpus.display());
        for input in inputs {
            let bytes = std::fs::read(&input).expect("an input");
            // Captured, and so shown only where the function panics.
            println!("{}", input.display());
            function(&bytes);
        }
    }

    #[test]
    fn every_http_answer_in_the_corpus_is_survived() {
        replay("http_answer", super::http_answer);
    }

    #[test]
    fn every_message_of_d_bus_in_the_corpus_is_survived() {
        replay("dbus_messages", super::dbus_messages);
    }

    #[test]
    fn every_unit_in_the_corpus_is_survived() {
        replay("unit_file", super::unit_file);
    }

    #[test]
    fn every_datagram_in_the_corpus_is_survived() {
        replay("notify_datagram", super::notify_datagram);
    }
}
