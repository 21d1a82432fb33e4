//! The parameters of delivery status notifications, and xtext (RFC 3461 §4).

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use super::shown;

/// The NOTIFY parameter (RFC 3461 §4.1): the occasions on which the sender wants a delivery status
/// notification, in the words of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify(String);

impl FromStr for Notify {
    type Err = NotifyError;

    fn from_str(text: &str) -> Result<Self, NotifyError> {
        let words = text.to_ascii_uppercase();
        let is_occasion = |word: &str| matches!(word, "SUCCESS" | "FAILURE" | "DELAY");
        if words == "NEVER" || words.split(',').all(is_occasion) {
            Ok(Self(words))
        } else {
            Err(NotifyError { found: shown(text) })
        }
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text names no occasions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected `never`, or some of `success`, `failure` and `delay` with commas, found `{found}`"
)]
pub struct NotifyError {
    found: String,
}

/// The RET parameter (RFC 3461 §4.3): the part of the message that a report of its failure holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// All of it.
    Full,
    /// The header only.
    Headers,
}

impl FromStr for Return {
    type Err = ReturnError;

    fn from_str(text: &str) -> Result<Self, ReturnError> {
        match text.to_ascii_lowercase().as_str() {
            "full" => Ok(Self::Full),
            "hdrs" => Ok(Self::Headers),
            _ => Err(ReturnError { found: shown(text) }),
        }
    }
}

impl fmt::Display for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        })
    }
}

/// The text names no part of a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `full` or `hdrs`, found `{found}`")]
pub struct ReturnError {
    found: String,
}

/// Text as a parameter of a command can hold it (RFC 3461 §4 `xtext`).
pub fn xtext(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_graphic() && !b"+=".contains(&octet) {
            encoded.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "+{octet:02X}");
        }
    }
    encoded
}
