//! Secrets, and text without the password that a URL may hold.

use std::borrow::Cow;
use std::fmt;

/// A password or token. Its `Debug` says nothing; [`Secret::expose`] is the one way out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns whether the secret begins or ends with a blank, which is easily overlooked.
    pub fn has_blank_ends(&self) -> bool {
        self.0.trim() != self.0
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
