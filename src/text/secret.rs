//! Secrets, which are erased when dropped and not shown by `Debug`; and text without the password that
//! a URL in it may hold.

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

/// A password or token. Its `Debug` says nothing; [`Secret::expose`] is the one way out. Its octets are
/// overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Creates a secret from a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Joins parts, of which some are secret. The text is as long as it will be from the start: one
    /// that grows leaves copies of itself in memory.
    pub fn joined(parts: &[&str]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|it| it.len()).sum()));
        for part in parts {
            text.push_str(part);
        }
        Self(text)
    }

    /// Returns whether the secret begins or ends with a blank, which is easily overlooked.
    pub fn has_blank_ends(&self) -> bool {
        self.0.trim() != self.0.as_str()
    }

    /// The text itself, for the one command that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// Text with the user and password masked that stand in front of the host of a URL (RFC 3986 §3.2.1),
/// or of what was meant as one.
pub fn without_password(text: &str) -> Cow<'_, str> {
    let begin = text.find("://").map_or(0, |at| at + "://".len());
    let (scheme, rest) = text.split_at_checked(begin).unwrap_or(("", text));
    match rest.rsplit_once('@') {
        Some((user, host)) if user.contains(':') => Cow::Owned(format!("{scheme}****@{host}")),
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiles for what is overwritten when it is dropped.
    fn is_overwritten(_: &impl zeroize::ZeroizeOnDrop) -> bool {
        true
    }

    #[test]
    fn a_secret_is_overwritten_when_it_is_dropped() {
        let Secret(text) = Secret::new("not-a-secret");
        assert!(is_overwritten(&text));
        let secret = Secret::joined(&["not", "-a-", "", "secret"]);
        assert_eq!((secret.expose(), secret.0.capacity()), ("not-a-secret", 12));
    }
}
