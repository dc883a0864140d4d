//! DER, as far as certificates have it: X.690.

pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const OBJECT_IDENTIFIER: u8 = 0x06;
pub const UTC_TIME: u8 = 0x17;
pub const GENERALIZED_TIME: u8 = 0x18;
pub const SEQUENCE: u8 = 0x30;

/// One element of DER.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    /// With its tag and length.
    pub whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// The first in `bytes`.
    pub fn first(bytes: &'a [u8]) -> Option<Self> {
        let [tag, length, rest @ ..] = bytes else { return None };
        let (length, rest) = match length {
            0..=0x7F => (usize::from(*length), rest),
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7F))?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let content = rest.get(..length)?;
        Some(Self { tag: *tag, content, whole: &bytes[..bytes.len() - rest.len() + length] })
    }

    /// If it has this tag.
    pub fn of(self, tag: u8) -> Option<Self> {
        (self.tag == tag).then_some(self)
    }

    /// Those inside.
    pub fn elements(self) -> Vec<Self> {
        elements(self.content)
    }
}

/// Those in a row, up to one that is cut off.
pub fn elements(mut rest: &[u8]) -> Vec<Element<'_>> {
    std::iter::from_fn(|| {
        let element = Element::first(rest)?;
        rest = &rest[element.whole.len()..];
        Some(element)
    })
    .collect()
}
