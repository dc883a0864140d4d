//! The two messages of `grpc.health.v1.Health/Check`, in their frames. Pure.
//!
//! A frame is a byte that says whether it is compressed, four bytes of length (big-endian), and the message. The request
//! has one string, `service = 1`; the answer has one enum, `status = 1`.

/// What a service says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Unknown,
    Serving,
    NotServing,
    ServiceUnknown,
    /// A value that grpc.health.v1 does not have.
    Other(u64),
}

/// Why an answer is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    #[error("its message is compressed, which was not asked for")]
    Compressed,
    #[error("its message is too long for a HealthCheckResponse")]
    TooLong,
    #[error("its message is not a HealthCheckResponse")]
    Malformed,
}

const HEADER: usize = 5;
/// The longest answer that is read, in bytes. An honest one has two.
pub const LONGEST: usize = 4096;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const DELIMITED: u64 = 2;
const FIXED32: u64 = 5;

/// The framed request. An empty `service` asks for the server as a whole.
pub fn request(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(1 << 3 | 2);
        push_varint(&mut message, service.len());
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut frame = vec![0];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.append(&mut message);
    frame
}

fn push_varint(bytes: &mut Vec<u8>, mut value: usize) {
    while value > 0x7f {
        // The low seven bits fit.
        bytes.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap_or_default());
}

/// Reads a framed answer; [`None`] while it is not all there.
pub fn answer(frame: &[u8]) -> Result<Option<Health>, MessageError> {
    let Some((header, message)) = frame.split_first_chunk::<HEADER>() else { return Ok(None) };
    let [compressed, length @ ..] = *header;
    if compressed != 0 {
        return Err(MessageError::Compressed);
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > LONGEST - HEADER {
        return Err(MessageError::TooLong);
    }
    message.get(..length).map(|message| status(message).ok_or(MessageError::Malformed)).transpose()
}

/// The last status in the message counts; other fields are skipped. [`None`]: malformed.
fn status(mut message: &[u8]) -> Option<Health> {
    // Protobuf does not send a zero.
    let mut status = 0;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match (tag >> 3, tag & 7) {
            (1, VARINT) => status = varint(&mut message)?,
            (_, VARINT) => drop(varint(&mut message)?),
            (_, FIXED64) => message = message.get(8..)?,
            (_, FIXED32) => message = message.get(4..)?,
            (_, DELIMITED) => {
                let length = varint(&mut message)?;
                message = message.get(usize::try_from(length).ok()?..)?;
            }
            _ => return None,
        }
    }
    Some(match status {
        0 => Health::Unknown,
        1 => Health::Serving,
        2 => Health::NotServing,
        3 => Health::ServiceUnknown,
        other => Health::Other(other),
    })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_names_the_service_or_the_whole_server() {
        assert_eq!(request(""), b"\0\0\0\0\0");
        assert_eq!(request("my.Service"), b"\0\0\0\0\x0c\x0a\x0amy.Service");
        let long = request(&"x".repeat(300));
        assert_eq!(&long[..8], b"\0\0\0\x01\x2f\x0a\xac\x02");
    }

    #[test]
    fn answers_are_read_as_soon_as_they_are_there() {
        for (frame, expected) in [
            (&b""[..], Ok(None)),
            (b"\0\0\0\0\x02\x08", Ok(None)),
            (b"\0\0\0\0\x02\x08\x01", Ok(Some(Health::Serving))),
            (b"\0\0\0\0\x02\x08\x01more", Ok(Some(Health::Serving))),
            (b"\0\0\0\0\x02\x08\x02", Ok(Some(Health::NotServing))),
            (b"\0\0\0\0\x02\x08\x03", Ok(Some(Health::ServiceUnknown))),
            (b"\0\0\0\0\0", Ok(Some(Health::Unknown))),
            (b"\0\0\0\0\x03\x08\xac\x02", Ok(Some(Health::Other(300)))),
            // Fields that are not known: 2 (varint), 3 (bytes), 4 (64 bits), 5 (32 bits).
            (b"\0\0\0\0\x16\x10\x05\x1a\x02ab\x21........\x2d....\x08\x01", Ok(Some(Health::Serving))),
            (b"\x01\0\0\0\x02\x08\x01", Err(MessageError::Compressed)),
            (b"\0\xff\xff\xff\xff", Err(MessageError::TooLong)),
            (b"\0\0\0\0\x01\x08", Err(MessageError::Malformed)),
            (b"\0\0\0\0\x02\x0a\x05", Err(MessageError::Malformed)),
            (b"\0\0\0\0\x02\x0b\x05", Err(MessageError::Malformed)),
            (b"\0\0\0\0\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", Err(MessageError::Malformed)),
            (b"HTTP/1.1 400", Err(MessageError::Compressed)),
        ] {
            assert_eq!(answer(frame), expected, "{}", frame.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(header in any::<[u8; 5]>(), message in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = answer(&[&header, &message[..]].concat());
            let length = u8::try_from(message.len()).expect("short");
            let _ = answer(&[&[0, 0, 0, 0, length], &message[..]].concat());
        }
    }
}
