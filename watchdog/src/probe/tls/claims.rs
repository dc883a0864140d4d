//! What a certificate says of when it is valid, and of what its key is for.

use super::certificate::Parts;
use super::der::{Element, GENERALIZED_TIME, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, UTC_TIME};

/// `[3]`, constructed
const EXTENSIONS: u8 = 0xA3;
const BOOLEAN: u8 = 0x01;
/// `id-ce`
const KEY_USAGE: &[u8] = &[0x55, 0x1D, 15];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1D, 19];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1D, 37];
/// `id-kp-serverAuth`
const FOR_SERVERS: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 1];
/// `keyCertSign`, in the first byte of `keyUsage`.
const SIGNS_CERTIFICATES: u8 = 0x04;

/// What we judge of it ourselves: rustls looks at none of it in a certificate that is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// In seconds since 1970.
    pub from: i64,
    /// The last second.
    pub until: i64,
    pub may_issue: bool,
    /// `extendedKeyUsage`, where there is one.
    pub is_for_servers: bool,
}

impl Claims {
    /// Those of a certificate in DER. [`None`] where it cannot be read.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let parts = Parts::of(certificate)?;
        let [from, until] = parts.validity.of(SEQUENCE)?.elements().try_into().ok()?;
        let extensions = match parts.more.iter().find(|part| part.tag == EXTENSIONS) {
            Some(extensions) => extensions.elements().first()?.of(SEQUENCE)?.elements(),
            None => Vec::new(),
        };
        let value = |identifier| extensions.iter().find_map(|extension| value(*extension, identifier));
        let usage = value(KEY_USAGE);
        let signs =
            usage.map(|usage| usage.content.get(1).is_some_and(|bits| bits & SIGNS_CERTIFICATES != 0));
        let is_authority = value(BASIC_CONSTRAINTS).map(|constraints| {
            let first = constraints.elements().first().copied();
            first.is_some_and(|first| first.tag == BOOLEAN && first.content != [0])
        });
        let purposes = value(EXTENDED_KEY_USAGE).map(Element::elements);
        Some(Self {
            from: seconds(from)?,
            until: seconds(until)?,
            // As OpenSSL has it: version 1 cannot say that it is an authority, and roots of that age are about.
            may_issue: signs != Some(false)
                && is_authority.unwrap_or_else(|| {
                    signs.is_some()
                        || parts.version.is_none() && parts.issuer.content == parts.subject.content
                }),
            is_for_servers: purposes
                .is_none_or(|purposes| purposes.iter().any(|purpose| purpose.content == FOR_SERVERS)),
        })
    }
}

/// What is in an extension, if it is the one of this identifier.
fn value<'a>(extension: Element<'a>, identifier: &[u8]) -> Option<Element<'a>> {
    let parts = extension.elements();
    let (first, last) = (parts.first()?.of(OBJECT_IDENTIFIER)?, parts.last()?.of(OCTET_STRING)?);
    let value = (first.content == identifier).then_some(last.content)?;
    Element::first(value)
}

/// A `Time` in seconds since 1970: RFC 5280, section 4.1.2.5.
fn seconds(time: Element<'_>) -> Option<i64> {
    let digits = time.content.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    let (year, rest) = match (time.tag, digits.len()) {
        (UTC_TIME, 12) => {
            let year = number(&digits[..2]);
            (if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        (GENERALIZED_TIME, 14) => (number(&digits[..4]), &digits[4..]),
        _ => return None,
    };
    let [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map(|at| number(&rest[at..at + 2]));
    // Years that begin with March have the day that may be missing at their end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - DAYS_UNTIL_1970;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// From the first of March of the year 0.
const DAYS_UNTIL_1970: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::tls::tests::issuing::{der, extension};

    const DAY: i64 = 86_400;

    /// From the end of 2025 until the beginning of 2026.
    fn certificate(version: Option<u8>, issuer: &str, extensions: &[Vec<u8>]) -> Vec<u8> {
        let time = |text: &str| der(UTC_TIME, &[text.as_bytes().to_vec()]);
        let name = |name: &str| der(SEQUENCE, &[name.as_bytes().to_vec()]);
        let filler = der(SEQUENCE, &[]);
        let mut fields: Vec<_> =
            version.map(|version| der(0xA0, &[der(2, &[vec![version - 1]])])).into_iter().collect();
        fields.extend([der(2, &[vec![1]]), filler.clone(), name(issuer)]);
        fields.push(der(SEQUENCE, &[time("251231235959Z"), time("260101000000Z")]));
        fields.extend([name("root"), filler.clone()]);
        if !extensions.is_empty() {
            fields.push(der(EXTENSIONS, &[der(SEQUENCE, extensions)]));
        }
        der(SEQUENCE, &[der(SEQUENCE, &fields), filler])
    }

    #[test]
    fn who_may_issue_is_who_says_so_or_cannot() {
        let constraints = |parts: &[Vec<u8>]| extension(19, true, der(SEQUENCE, parts));
        let (yes, no) = (constraints(&[der(BOOLEAN, &[vec![0xFF]])]), constraints(&[]));
        let said_no = constraints(&[der(BOOLEAN, &[vec![0]])]);
        let usage = |bits: u8| extension(15, true, der(3, &[vec![0, bits]]));
        let (signs, other) = (usage(0x06), usage(0x80));
        for (version, issuer, extensions, expected) in [
            (Some(3), "root", vec![yes.clone()], true),
            (Some(3), "another", vec![yes.clone()], true),
            (Some(3), "root", vec![no.clone()], false),
            (Some(3), "root", vec![said_no], false),
            (Some(3), "root", vec![], false),
            (Some(3), "root", vec![signs.clone()], true),
            (Some(3), "root", vec![no, signs.clone()], false),
            (Some(3), "root", vec![yes.clone(), signs], true),
            (Some(3), "root", vec![yes, other.clone()], false),
            (Some(3), "root", vec![other], false),
            (Some(2), "root", vec![], false),
            (None, "root", vec![], true),
            (None, "another", vec![], false),
        ] {
            let certificate = certificate(version, issuer, &extensions);
            let claims = Claims::of(&certificate).expect("claims");
            assert_eq!(claims.may_issue, expected, "{version:?} by {issuer}: {extensions:02X?}");
            assert!(claims.is_for_servers);
        }
    }

    #[test]
    fn it_is_for_servers_where_that_is_said_or_nothing_is() {
        let purposes = |numbers: &[u8]| {
            let one = |number: &u8| der(OBJECT_IDENTIFIER, &[vec![0x2B, 6, 1, 5, 5, 7, 3, *number]]);
            extension(37, false, der(SEQUENCE, &numbers.iter().map(one).collect::<Vec<_>>()))
        };
        for (numbers, expected) in [(&[1][..], true), (&[2, 1], true), (&[2], false), (&[], false)] {
            let claims = Claims::of(&certificate(Some(3), "root", &[purposes(numbers)])).expect("claims");
            assert_eq!(claims.is_for_servers, expected, "{numbers:?}");
        }
    }

    #[test]
    fn dates_are_counted_in_seconds_since_1970() {
        let claims = Claims::of(&certificate(None, "root", &[])).expect("claims");
        assert_eq!((claims.from, claims.until), (1_767_225_599, 1_767_225_600));
        for (tag, text, expected) in [
            (UTC_TIME, "700101000000Z", Some(0)),
            (UTC_TIME, "500101000000Z", Some(-7305 * DAY)),
            (UTC_TIME, "491231000000Z", Some(29_219 * DAY)),
            (UTC_TIME, "000229120000Z", Some(11_016 * DAY + DAY / 2)),
            (GENERALIZED_TIME, "19700101000001Z", Some(1)),
            (GENERALIZED_TIME, "20000301000000Z", Some(11_017 * DAY)),
            (GENERALIZED_TIME, "21000301000000Z", Some(47_541 * DAY)),
            (GENERALIZED_TIME, "99991231235959Z", Some(253_402_300_799)),
            (UTC_TIME, "7001010000Z", None),
            (UTC_TIME, "700101000000+0100", None),
            (UTC_TIME, "70010100000aZ", None),
            (GENERALIZED_TIME, "700101000000Z", None),
            (SEQUENCE, "700101000000Z", None),
        ] {
            let time = der(tag, &[text.as_bytes().to_vec()]);
            assert_eq!(seconds(Element::first(&time).expect("an element")), expected, "{text}");
        }
    }

    #[test]
    fn what_is_cut_off_claims_nothing() {
        let whole = certificate(Some(3), "root", &[extension(19, true, der(SEQUENCE, &[]))]);
        for length in 0..whole.len() {
            assert_eq!(Claims::of(&whole[..length]), None, "{length}");
        }
    }
}
