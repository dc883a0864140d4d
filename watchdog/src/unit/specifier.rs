//! Specifiers: `%i` and the like (src/shared/specifier.c and `unit_full_printf_full` in src/core/unit-printf.c of systemd;
//! systemd.unit(5), "SPECIFIERS"). Pure.
//!
//! What follows from the unit's name, its file and its manager is expanded. What only the system knows on which it runs
//! (`%H`, `%b`, a user's `%h`) is left open: a command line that is printed today for a unit of tomorrow has to keep it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Scope;
use super::name::{UnitName, unescaped};

/// What specifiers are expanded from.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'u> {
    /// The unit's own name, where an alias led to it.
    pub name: &'u UnitName,
    /// Whose it is.
    pub scope: Scope,
    /// The unit's file, if it has one.
    pub fragment: Option<&'u Path>,
}

/// A text with what is known of its specifiers put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expanded(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Known(Vec<u8>),
    /// `%H`, whatever that is there.
    Open(char),
}

/// A specifier that systemd does not know, or that cannot be expanded: the assignment does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("%{0} is no specifier, or none that can be resolved here")]
pub struct BadSpecifier(pub char);

/// Expands specifiers.
pub fn expand(text: &[u8], subject: Subject<'_>) -> Result<Expanded, BadSpecifier> {
    let mut pieces = Vec::new();
    let mut known = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            known.push(byte);
            continue;
        }
        match bytes.next() {
            None | Some(b'%') => known.push(b'%'),
            Some(letter) if letter.is_ascii_alphanumeric() => {
                if let Some(value) = look_up(letter, subject)? {
                    known.extend(value);
                } else {
                    pieces.extend([Piece::Known(std::mem::take(&mut known)), Piece::Open(letter.into())]);
                }
            }
            Some(other) => known.extend([b'%', other]),
        }
    }
    pieces.push(Piece::Known(known));
    Ok(Expanded(pieces))
}

/// [`None`]: only the system itself knows.
fn look_up(letter: u8, subject: Subject<'_>) -> Result<Option<Vec<u8>>, BadSpecifier> {
    let Subject { name, scope, fragment } = subject;
    let bad = BadSpecifier(letter.into());
    let bytes = |text: &str| Ok(Some(text.as_bytes().to_vec()));
    let unescaped = |text: &str| unescaped(text).map(Some).ok_or(bad);
    let of_system = |text: &str| Ok((scope == Scope::System).then(|| text.as_bytes().to_vec()));
    // Which instance it will be is not known of a template.
    let depends_on_instance = matches!(letter, b'i' | b'I' | b'n' | b'N' | b'f' | b'd');
    if name.is_template() && depends_on_instance {
        return Ok(None);
    }
    let prefix = name.prefix();
    let last = prefix.rsplit_once('-').map_or(prefix, |(_, last)| last);
    let instance = name.instance().unwrap_or_default();
    match letter {
        b'i' => bytes(instance),
        b'I' => unescaped(instance),
        b'j' => bytes(last),
        b'J' => unescaped(last),
        b'n' => bytes(name.as_str()),
        b'N' => bytes(name.stem()),
        b'p' => bytes(prefix),
        b'P' => unescaped(prefix),
        b'f' => {
            let path = unescaped(if instance.is_empty() { name.stem() } else { instance })?;
            Ok(path.map(|path| if path.starts_with(b"/") { path } else { [&b"/"[..], &path].concat() }))
        }
        // Links are followed there, which may lead elsewhere.
        b'y' | b'Y' => fragment.map(|_| None).ok_or(bad),
        b'd' => of_system(&format!("/run/credentials/{name}")),
        b't' => of_system("/run"),
        b'S' => of_system("/var/lib"),
        b'C' => of_system("/var/cache"),
        b'L' => of_system("/var/log"),
        b'E' => of_system("/etc"),
        b'u' | b'g' => of_system("root"),
        b'U' | b'G' => of_system("0"),
        b'h' => of_system("/root"),
        b'T' => of_system("/tmp"),
        b'V' => of_system("/var/tmp"),
        // D: since version 256. c, r, R: deprecated, and known to 262 all the same.
        b'a' | b'A' | b'b' | b'B' | b'c' | b'D' | b'H' | b'l' | b'm' | b'M' | b'o' | b'q' | b'r' | b'R'
        | b's' | b'v' | b'w' | b'W' => Ok(None),
        _ => Err(bad),
    }
}

impl Expanded {
    /// Whether it is an absolute path, whatever stands for what is open: some specifiers are directories (systemd.unit(5)).
    pub fn is_absolute(&self) -> bool {
        let first = self.0.iter().find(|piece| !matches!(piece, Piece::Known(known) if known.is_empty()));
        match first {
            Some(Piece::Known(known)) => known.starts_with(b"/"),
            Some(Piece::Open(letter)) => "CdEfhLStTVyY".contains(*letter),
            None => false,
        }
    }

    /// The text, if there is nothing open in it.
    pub fn known(&self) -> Option<&[u8]> {
        match &self.0[..] {
            [Piece::Known(known)] => Some(known),
            _ => None,
        }
    }

    /// The text, with what is open as it was written.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Known(known) => text.extend_from_slice(known),
                Piece::Open(letter) => text.extend_from_slice(format!("%{letter}").as_bytes()),
            }
        }
        text
    }

    /// The text, with something plain where it is open: what cannot be right with that is right with nothing.
    pub fn supposed(&self) -> Vec<u8> {
        let piece = |piece: &Piece| match piece {
            Piece::Known(known) => known.clone(),
            Piece::Open(_) => b"x.x".to_vec(),
        };
        self.0.iter().flat_map(piece).collect()
    }

    /// Whether this is `text`, whatever stands for what is open.
    pub fn fits(&self, text: &OsStr) -> bool {
        fits(&self.0, text.as_bytes())
    }
}

/// Of the known pieces between open ones each is looked for as early as it can be: then it is found if it can be.
fn fits(pieces: &[Piece], mut text: &[u8]) -> bool {
    let mut is_anchored = true;
    for (index, piece) in pieces.iter().enumerate() {
        let Piece::Known(known) = piece else {
            is_anchored = false;
            continue;
        };
        let is_last = index + 1 == pieces.len();
        let rest = match (is_anchored, is_last) {
            (true, true) => return text == &known[..],
            (true, false) => text.strip_prefix(&known[..]),
            (false, true) => return text.ends_with(known),
            (false, false) if known.is_empty() => Some(text),
            (false, false) => {
                let at = text.windows(known.len()).position(|window| window == &known[..]);
                at.map(|at| &text[at + known.len()..])
            }
        };
        match rest {
            Some(rest) => text = rest,
            None => return false,
        }
        is_anchored = true;
    }
    // The last piece is a known one always.
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str, name: &str, scope: Scope) -> Result<String, BadSpecifier> {
        let name = UnitName::new(name).expect("a name");
        let expanded = expand(text.as_bytes(), Subject { name: &name, scope, fragment: None })?;
        Ok(String::from_utf8(expanded.text()).expect("text"))
    }

    #[test]
    fn what_follows_from_the_name_is_expanded() {
        for (text, name, expected) in [
            ("%n %N %p %i", "a-b@c-d", "a-b@c-d.service a-b@c-d a-b c-d"),
            ("%n %N %p", "a-b", "a-b.service a-b a-b"),
            ("[%i]%I", "a", "[]"),
            ("%I %P %j %J %f", "a-b\\x2dc@d-e\\x2f", "d/e/ a/b-c b\\x2dc b-c /d/e/"),
            ("%f", "a-b", "/a/b"),
            ("%t %S %C %L %E %d", "a", "/run /var/lib /var/cache /var/log /etc /run/credentials/a.service"),
            ("%u %U %g %G %h %T %V", "a", "root 0 root 0 /root /tmp /var/tmp"),
            ("100%% %% %", "a", "100% % %"),
            ("a%-b%/", "a", "a%-b%/"),
            ("%H %b %v %s", "a", "%H %b %v %s"),
            ("%i %n %p %t", "a@", "%i %n a /run"),
        ] {
            assert_eq!(expanded(text, name, Scope::System), Ok(expected.to_owned()), "{text} of {name}");
        }
        assert_eq!(expanded("%t %h %u %d %i", "a@b", Scope::User), Ok("%t %h %u %d b".to_owned()));
    }

    #[test]
    fn what_systemd_does_not_know_is_refused() {
        for (text, name) in [("%z", "a"), ("%20b", "a"), ("%I", "a@\\x"), ("%y", "a")] {
            assert!(expanded(text, name, Scope::System).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_is_absolute_by_its_slash_or_by_a_specifier_that_is_a_directory() {
        let name = UnitName::new("a@").expect("a name");
        for (text, scope, is_absolute) in [
            ("/a", Scope::System, true),
            ("a/b", Scope::System, false),
            ("%t/a", Scope::System, true),
            ("%t/a", Scope::User, true),
            ("%h", Scope::User, true),
            ("%i/a", Scope::User, false),
            ("%H.pid", Scope::System, false),
            ("x%t", Scope::User, false),
            ("", Scope::System, false),
        ] {
            let expanded = expand(text.as_bytes(), Subject { name: &name, scope, fragment: None });
            assert_eq!(expanded.expect("specifiers").is_absolute(), is_absolute, "{text}");
        }
    }

    #[test]
    fn what_is_open_fits_whatever_systemd_has_there() {
        let name = UnitName::new("a@b").expect("a name");
        let subject = Subject { name: &name, scope: Scope::System, fragment: None };
        for (text, other, expected) in [
            ("x", "x", true),
            ("x", "xx", false),
            ("%i-%H", "b-host", true),
            ("%i-%H", "c-host", false),
            ("%H.%m", "host.0123", true),
            ("%H.%m", "host", false),
            ("%H%m", "host", true),
            ("%Hx", "hostx", true),
            ("%Hx", "host", false),
            ("%H:%H:80", "a:a:80:80", true),
            ("x%H", "", false),
        ] {
            let expanded = expand(text.as_bytes(), subject).expect("known");
            assert_eq!(expanded.fits(OsStr::new(other)), expected, "{text} {other}");
        }
    }
}
