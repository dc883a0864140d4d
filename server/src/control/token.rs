//! The secret that whoever commands the server has to know.

use std::path::Path;

use subtle::ConstantTimeEq;

use crate::error::Error;

/// A control token. It cannot be printed.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The token that `path` holds; space around it does not count.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::TokenUnreadable { path: path.to_owned(), source })?;
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
