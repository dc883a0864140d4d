//! D-Bus messages as bytes. D-Bus specification, "Type System" and "Message Protocol".
//!
//! What comes in is not trusted: every length is checked, types nest 32 deep at most, and nothing panics.

use crate::systemd::dbus::{CommandProperty, Property};

/// The part of a message that is always there: everything up to the length of the header fields, and that.
pub const FIXED: usize = 16;
/// D-Bus specification, "Message Format".
const LONGEST: usize = 128 << 20;
/// As the specification has it.
const DEEPEST: u32 = 32;

/// Something that is no D-Bus message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// A method to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call<'a> {
    /// Whom, where there is a bus between.
    pub destination: &'a str,
    /// Which object.
    pub path: &'a str,
    /// Which interface of it.
    pub interface: &'a str,
    /// Which method of that.
    pub method: &'a str,
}

/// What a method is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument<'a> {
    /// `s`
    Text(&'a str),
    /// `i`
    Signed(i32),
    /// `u`
    Unsigned(u32),
}

/// The bytes of a call, in this machine's byte order.
pub fn encode(serial: u32, call: Call<'_>, arguments: &[Argument<'_>]) -> Vec<u8> {
    let mut signature = String::new();
    let mut body = Vec::new();
    for argument in arguments {
        match argument {
            Argument::Text(text) => {
                signature.push('s');
                put_string(&mut body, text);
            }
            Argument::Signed(number) => {
                signature.push('i');
                pad(&mut body, 4);
                body.extend(number.to_ne_bytes());
            }
            Argument::Unsigned(number) => {
                signature.push('u');
                pad(&mut body, 4);
                body.extend(number.to_ne_bytes());
            }
        }
    }
    let mut fields = Vec::new();
    for (code, kind, text) in [
        (1, b'o', call.path),
        (2, b's', call.interface),
        (3, b's', call.method),
        (6, b's', call.destination),
        (8, b'g', signature.as_str()),
    ] {
        if text.is_empty() {
            continue;
        }
        pad(&mut fields, 8);
        fields.extend([code, 1, kind, 0]);
        if kind == b'g' {
            // A signature has a length of one byte; ours are short.
            fields.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            fields.extend(text.as_bytes());
            fields.push(0);
        } else {
            put_string(&mut fields, text);
        }
    }
    let order = if cfg!(target_endian = "little") { b'l' } else { b'B' };
    let mut message = vec![order, 1, 0, 1];
    message.extend(size(&body));
    message.extend(serial.to_ne_bytes());
    message.extend(size(&fields));
    message.extend(fields);
    pad(&mut message, 8);
    message.extend(body);
    message
}

fn size(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_ne_bytes()
}

fn pad(bytes: &mut Vec<u8>, alignment: usize) {
    bytes.resize(bytes.len().next_multiple_of(alignment), 0);
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    pad(bytes, 4);
    bytes.extend(size(text.as_bytes()));
    bytes.extend(text.as_bytes());
    bytes.push(0);
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Call,
    Return,
    Error,
    Signal,
}

/// A message that has come in. Header fields that it does not have are empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    pub kind: Kind,
    pub reply_serial: u32,
    pub path: String,
    pub interface: String,
    pub member: String,
    pub error: String,
    pub sender: String,
    bytes: Vec<u8>,
    body: usize,
}

/// How long the parts of a message are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Of the header, [`FIXED`] and its padding included.
    pub header: usize,
    /// Of the body.
    pub body: usize,
}

impl Frame {
    /// Of the message that begins so. Takes [`FIXED`] bytes.
    pub fn new(fixed: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(fixed, 0)?;
        reader.at = 4;
        let body = reader.length()?;
        reader.at = 12;
        let header = (FIXED + reader.length()?).next_multiple_of(8);
        if header + body > LONGEST { Err(Malformed) } else { Ok(Self { header, body }) }
    }
}

impl Incoming {
    /// Reads the header of a message. What comes after it is the body, which may be missing yet.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, Malformed> {
        let mut reader = Reader::new(&bytes, 12)?;
        let kind = match bytes.get(1) {
            Some(1) => Kind::Call,
            Some(2) => Kind::Return,
            Some(3) => Kind::Error,
            Some(4) => Kind::Signal,
            _ => return Err(Malformed),
        };
        let (mut reply_serial, mut texts) = (0, [const { String::new() }; 8]);
        let end = reader.array(8)?;
        while reader.at < end {
            reader.align(8)?;
            let code = reader.byte()?;
            match (code, reader.value()?) {
                (5, Some(Property::Unsigned(serial))) => {
                    reply_serial = u32::try_from(serial).map_err(|_| Malformed)?;
                }
                (code @ 0..8, Some(Property::Text(text))) => texts[usize::from(code)] = text,
                _ => {}
            }
        }
        reader.align(8)?;
        let body = reader.at;
        let [_, path, interface, member, error, _, _, sender] = texts;
        Ok(Self { kind, reply_serial, path, interface, member, error, sender, bytes, body })
    }

    /// Room for a body of this length, which is missing yet.
    pub fn make_room(&mut self, length: usize) -> &mut [u8] {
        self.bytes.resize(self.body + length, 0);
        &mut self.bytes[self.body..]
    }

    /// The body, to be read in the order of its types, which the caller knows.
    pub fn body(&self) -> Reader<'_> {
        // A body is aligned to 8 bytes in the message, so that its own alignments are the message's.
        Reader { bytes: &self.bytes, at: self.body, swapped: is_swapped(&self.bytes) }
    }
}

fn is_swapped(message: &[u8]) -> bool {
    message.first() == Some(if cfg!(target_endian = "little") { &b'B' } else { &b'l' })
}

/// Reads one value after another.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    swapped: bool,
}

impl<'a> Reader<'a> {
    fn new(message: &'a [u8], at: usize) -> Result<Self, Malformed> {
        match message.first() {
            Some(b'l' | b'B') => Ok(Self { bytes: message, at, swapped: is_swapped(message) }),
            _ => Err(Malformed),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).ok_or(Malformed)?;
        let taken = self.bytes.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(taken)
    }

    fn align(&mut self, alignment: usize) -> Result<(), Malformed> {
        self.take(self.at.next_multiple_of(alignment) - self.at).map(drop)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.align(N)?;
        let mut bytes: [u8; N] = self.take(N)?.try_into().map_err(|_| Malformed)?;
        if self.swapped {
            bytes.reverse();
        }
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.number().map(u8::from_ne_bytes)
    }

    /// `u`
    pub fn unsigned(&mut self) -> Result<u32, Malformed> {
        self.number().map(u32::from_ne_bytes)
    }

    /// `b`
    pub fn flag(&mut self) -> Result<bool, Malformed> {
        self.unsigned().map(|flag| flag != 0)
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.unsigned()?).ok().filter(|&length| length <= LONGEST).ok_or(Malformed)
    }

    /// `s` and `o`
    pub fn string(&mut self) -> Result<&'a str, Malformed> {
        let length = self.length()?;
        self.text(length)
    }

    /// `g`
    fn signature(&mut self) -> Result<&'a str, Malformed> {
        let length = self.byte()?.into();
        self.text(length)
    }

    fn text(&mut self, length: usize) -> Result<&'a str, Malformed> {
        let text = str::from_utf8(self.take(length)?).map_err(|_| Malformed)?;
        if self.byte()? == 0 { Ok(text) } else { Err(Malformed) }
    }

    /// Begins an array with elements of this alignment, and says where it ends.
    pub fn array(&mut self, alignment: usize) -> Result<usize, Malformed> {
        let length = self.length()?;
        self.align(alignment)?;
        let end = self.at + length;
        if end > self.bytes.len() { Err(Malformed) } else { Ok(end) }
    }

    /// `a{sv}`: as much of it as is of types that [`Property`] has.
    pub fn properties(&mut self) -> Result<Vec<(String, Property)>, Malformed> {
        let mut properties = Vec::new();
        let end = self.array(8)?;
        while self.at < end {
            self.align(8)?;
            let name = self.string()?;
            if let Some(value) = self.value()? {
                properties.push((name.to_owned(), value));
            }
        }
        Ok(properties)
    }

    /// `v`; [`None`] for a type that [`Property`] does not have.
    pub fn value(&mut self) -> Result<Option<Property>, Malformed> {
        let signature = self.signature()?;
        Ok(Some(match signature {
            "o" => self.basic('s')?,
            "s" | "b" | "u" | "t" | "i" => self.basic(char::from(signature.as_bytes()[0]))?,
            "ay" => {
                let end = self.array(1)?;
                Property::Bytes(self.take(end - self.at)?.to_vec())
            }
            "(uo)" => {
                self.align(8)?;
                let id = self.unsigned()?.into();
                self.string()?;
                Property::Unsigned(id)
            }
            "(aiai)" => {
                self.align(8)?;
                Property::Statuses(self.numbers()?, self.numbers()?)
            }
            "as" => Property::Texts(self.strings()?),
            "(ss)" => {
                self.align(8)?;
                self.string()?;
                Property::Text(self.string()?.to_owned())
            }
            "(bas)" => {
                self.align(8)?;
                Property::Filter(self.flag()?, self.strings()?)
            }
            "a(sasasttttuii)" => Property::Commands(self.commands(Self::strings)?),
            "a(sasbttttuii)" => Property::Commands(self.commands(|reader| {
                Ok(if reader.flag()? { vec!["ignore-failure".to_owned()] } else { Vec::new() })
            })?),
            other if is_table(other) => Property::Rows(self.rows(&other[2..other.len() - 1])?),
            other => {
                let rest = self.skip(other.as_bytes(), 0)?;
                return if rest.is_empty() { Ok(None) } else { Err(Malformed) };
            }
        }))
    }

    /// `as`
    fn strings(&mut self) -> Result<Vec<String>, Malformed> {
        let mut strings = Vec::new();
        let end = self.array(4)?;
        while self.at < end {
            strings.push(self.string()?.to_owned());
        }
        Ok(strings)
    }

    /// Structures of these members.
    fn rows(&mut self, members: &str) -> Result<Vec<Vec<Property>>, Malformed> {
        let mut rows = Vec::new();
        let end = self.array(8)?;
        while self.at < end {
            self.align(8)?;
            rows.push(members.chars().map(|member| self.basic(member)).collect::<Result<_, _>>()?);
        }
        Ok(rows)
    }

    /// Text, a flag or a number.
    fn basic(&mut self, kind: char) -> Result<Property, Malformed> {
        Ok(match kind {
            's' => Property::Text(self.string()?.to_owned()),
            'b' => Property::Flag(self.flag()?),
            'u' => Property::Unsigned(self.unsigned()?.into()),
            't' => Property::Unsigned(u64::from_ne_bytes(self.number()?)),
            'i' => Property::Signed(i32::from_ne_bytes(self.number()?)),
            _ => return Err(Malformed),
        })
    }

    /// Commands, the flags of which `flags` reads; what comes after them, of the last run, is passed over.
    fn commands(
        &mut self,
        mut flags: impl FnMut(&mut Self) -> Result<Vec<String>, Malformed>,
    ) -> Result<Vec<CommandProperty>, Malformed> {
        let mut commands = Vec::new();
        let end = self.array(8)?;
        while self.at < end {
            self.align(8)?;
            let path = self.string()?.to_owned();
            let argv = self.strings()?;
            let flags = flags(self)?;
            commands.push(CommandProperty { path, argv, flags });
            for member in ["t", "t", "t", "t", "u", "i", "i"] {
                self.skip(member.as_bytes(), 0)?;
            }
        }
        Ok(commands)
    }

    fn numbers(&mut self) -> Result<Vec<i32>, Malformed> {
        let mut numbers = Vec::new();
        let end = self.array(4)?;
        while self.at < end {
            numbers.push(i32::from_ne_bytes(self.number()?));
        }
        Ok(numbers)
    }

    /// Passes over a value of the first type in the signature, and returns the rest of that.
    fn skip<'s>(&mut self, signature: &'s [u8], depth: u32) -> Result<&'s [u8], Malformed> {
        let (&first, mut rest) = signature.split_first().ok_or(Malformed)?;
        if depth > DEEPEST {
            return Err(Malformed);
        }
        match first {
            b'a' => {
                let end = self.array(alignment(rest)?)?;
                self.at = end;
                return after(rest, depth + 1);
            }
            b'(' | b'{' => {
                self.align(8)?;
                while !matches!(rest.first(), Some(b')' | b'}')) {
                    rest = self.skip(rest, depth + 1)?;
                }
                return Ok(&rest[1..]);
            }
            b'v' => {
                let inner = self.signature()?;
                if !self.skip(inner.as_bytes(), depth + 1)?.is_empty() {
                    return Err(Malformed);
                }
            }
            b's' | b'o' => drop(self.string()?),
            b'g' => drop(self.signature()?),
            _ => {
                let size = alignment(signature)?;
                self.align(size)?;
                self.take(size)?;
            }
        }
        Ok(rest)
    }
}

/// Of values of the first type in the signature. With numbers it is also their size.
fn alignment(signature: &[u8]) -> Result<usize, Malformed> {
    Ok(match signature.first() {
        Some(b'y' | b'g' | b'v') => 1,
        Some(b'n' | b'q') => 2,
        Some(b'b' | b'i' | b'u' | b'h' | b's' | b'o' | b'a') => 4,
        Some(b'x' | b't' | b'd' | b'(' | b'{') => 8,
        _ => return Err(Malformed),
    })
}

/// What comes after the first type in the signature.
fn after(signature: &[u8], depth: u32) -> Result<&[u8], Malformed> {
    let (&first, mut rest) = signature.split_first().ok_or(Malformed)?;
    if depth > DEEPEST {
        return Err(Malformed);
    }
    match first {
        b'a' => after(rest, depth + 1),
        b'(' | b'{' => {
            while !matches!(rest.first(), Some(b')' | b'}')) {
                rest = after(rest, depth + 1)?;
            }
            Ok(&rest[1..])
        }
        _ => alignment(signature).map(|_| rest),
    }
}

/// An array of structures of which each member is text, a flag or a number.
fn is_table(signature: &str) -> bool {
    let members = signature.strip_prefix("a(").and_then(|rest| rest.strip_suffix(')'));
    members
        .is_some_and(|members| !members.is_empty() && members.chars().all(|member| "sbuti".contains(member)))
}

#[cfg(test)]
mod tests;
