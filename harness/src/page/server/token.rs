//! The secret that the page carries: who has it has read the page, and that only a page of this very origin can.

use std::fmt;

use subtle::ConstantTimeEq as _;

/// Another one each time the server is started.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A new one: 256 bits of chance.
    pub fn random() -> Self {
        Self(format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()))
    }

    /// Whether this is it, in a time that says nothing of how much of it is right.
    pub fn is(&self, said: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(said).into()
    }

    /// What the page is to carry.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_alone_and_never_the_same_twice() {
        let token = Token::random();
        let text = token.reveal().to_owned();
        assert_eq!((text.len(), token.is(text.as_bytes())), (64, true));
        for other in ["", &text[1..], &format!("{text}0"), &text.to_uppercase(), Token::random().reveal()] {
            assert!(!token.is(other.as_bytes()) || other == text, "{other}");
        }
        assert_ne!(token.reveal(), Token::random().reveal());
        assert_eq!(format!("{token:?}"), "Token");
    }
}
