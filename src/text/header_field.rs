//! Header fields and a sender's full name as the command line gives them (RFC 5322 §2.2): one line, and
//! no field that postie writes itself.

use std::str::FromStr;

use super::address::{AddressError, Addressees};
use super::shown;
use crate::limits;

/// A header field `Name: value` that the user adds to a composed message: one line, and none of the
/// fields that this program writes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderField {
    /// The name, in front of the colon.
    pub name: String,
    /// The value, behind the colon, without blanks around it.
    pub value: String,
}

impl FromStr for HeaderField {
    type Err = HeaderFieldError;

    fn from_str(text: &str) -> Result<Self, HeaderFieldError> {
        const WRITTEN: [&str; 9] = [
            "bcc",
            "cc",
            "date",
            "from",
            "message-id",
            "mime-version",
            "reply-to",
            "subject",
            "to",
        ];
        let wrong = || HeaderFieldError::Malformed(shown(text));
        let (name, value) = text.split_once(':').ok_or_else(wrong)?;
        let value = value.trim();
        let is_name = !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic());
        if !is_name || value.is_empty() || value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(wrong());
        }
        let lower = name.to_ascii_lowercase();
        if WRITTEN.contains(&lower.as_str()) || lower.starts_with("content-") {
            return Err(HeaderFieldError::Written(name.to_owned()));
        }
        if lower == "resent-bcc" {
            return Err(HeaderFieldError::Removed(name.to_owned()));
        }
        if value.is_ascii() && !is_foldable(value) {
            return Err(HeaderFieldError::TooLong(name.to_owned()));
        }
        let field = Self { name: name.to_owned(), value: value.to_owned() };
        if let Some(Err(error)) = field.addressees() {
            return Err(HeaderFieldError::Address(name.to_owned(), error));
        }
        Ok(field)
    }
}

impl HeaderField {
    /// The addresses of a field that holds some and is not ASCII, so that their names must be
    /// encoded and they themselves must not (RFC 2047 §5). `None` for any other field.
    pub fn addressees(&self) -> Option<Result<Addressees, AddressError>> {
        const ADDRESSES: [&str; 13] = [
            "disposition-notification-to",
            "errors-to",
            "mail-followup-to",
            "mail-reply-to",
            "resent-cc",
            "resent-from",
            "resent-reply-to",
            "resent-sender",
            "resent-to",
            "return-receipt-to",
            "sender",
            "x-original-to",
            "x-sender",
        ];
        let is_known = |name: &&str| name.eq_ignore_ascii_case(&self.name);
        let has_addresses = !self.value.is_ascii() && ADDRESSES.iter().any(is_known);
        has_addresses.then(|| self.value.parse())
    }
}

/// The text is not a field that can be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFieldError {
    /// The text has no name and colon.
    #[error("expected `Name: value`, found `{0}`")]
    Malformed(String),
    /// The field would be in the message twice.
    #[error("`{0}` cannot be set with --header")]
    Written(String),
    /// The field would be removed before sending.
    #[error("`{0}` is removed from every message that is sent: use --bcc")]
    Removed(String),
    /// A word of it has no place on any line.
    #[error("`{0}` has a word of more than 998 octets")]
    TooLong(String),
    /// The field must hold addresses and does not.
    #[error("`{0}`: {1}")]
    Address(String, AddressError),
}

/// Returns whether text fits a header: no word of it is longer than a folded line, which begins
/// with a blank (RFC 5322 §2.1.1).
fn is_foldable(text: &str) -> bool {
    text.split_ascii_whitespace().all(|word| word.len() < limits::TEXT_LINE - 2)
}

/// The name before an address, as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullName(String);

impl FullName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FullName {
    type Err = FullNameError;

    fn from_str(text: &str) -> Result<Self, FullNameError> {
        // With quotes and backslashes around it, it may be twice as long; and an address follows.
        let room = (limits::TEXT_LINE - limits::ADDRESS) / 2;
        let is_short = text.split_ascii_whitespace().all(|word| word.len() < room);
        if is_short { Ok(Self(text.to_owned())) } else { Err(FullNameError) }
    }
}

/// The name has a word that no line of a header holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has a word too long for a header line")]
pub struct FullNameError;
