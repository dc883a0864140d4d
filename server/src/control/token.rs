//! The secret that whoever commands the server has to know.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use subtle::ConstantTimeEq;

use crate::error::Error;

const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
const GROUP_WRITES: u32 = 0o020;
/// Of a file with a token, in bytes. What is longer would not fit in a header.
const LONGEST: u64 = 4096;

/// A control token. It cannot be printed.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The token that `path` holds; space around it does not count.
    ///
    /// Its group may read it: that is how people share one. What others may read is no secret, and what others may write is
    /// theirs. The rights are those of the file that a link leads to.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::TokenUnreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & (OTHERS_READ | OTHERS_WRITE | GROUP_WRITES) != 0 {
            return Err(Error::TokenExposed { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        file.take(LONGEST + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > LONGEST {
            return Err(Error::TokenUnusable(path.to_owned()));
        }
        let token = text.trim();
        // It has to fit in a header.
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::TokenUnusable(path.to_owned()));
        }
        Ok(Self(token.to_owned()))
    }

    /// What a client says in `Authorization`.
    pub fn credentials(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether these are the right credentials. How long this takes does not tell how much of them is right.
    pub fn admits(&self, credentials: &[u8]) -> bool {
        const SCHEME: &[u8] = b"bearer ";
        let Some((scheme, token)) = credentials.split_at_checked(SCHEME.len()) else { return false };
        scheme.eq_ignore_ascii_case(SCHEME) && self.0.as_bytes().ct_eq(token).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_admitted() {
        let token = Token("secret".to_owned());
        assert!(token.admits(token.credentials().as_bytes()));
        assert!(token.admits(b"bearer secret"));
        for wrong in ["", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Basic  secret", "secret"] {
            assert!(!token.admits(wrong.as_bytes()), "{wrong:?}");
        }
    }

    #[test]
    fn a_token_does_not_show_in_a_log() {
        assert_eq!(format!("{:?}", Token("secret".to_owned())), "Token(…)");
    }
}
