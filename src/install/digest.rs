//! The digest by which an installed file is recognised.

use std::fmt::Write as _;

use aws_lc_rs::digest::{Context, SHA256};

/// The SHA-256 of a file, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digest(pub(super) String);

impl Digest {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(text);
        Self::from_context(context)
    }

    pub(super) fn from_context(context: Context) -> Self {
        let octets = context.finish();
        let mut digits = String::new();
        for octet in octets.as_ref() {
            // Writing to a String cannot fail.
            let _ = write!(digits, "{octet:02x}");
        }
        Self(digits)
    }
}
