//! The fields of the lines of the journal and of the outbox's records, as they are written.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::text::{UidRef, percent_decoded, percent_encoded};

/// The first words of the first line.
pub(super) const FORMAT: &str = "postie journal ";

/// The version behind them.
pub(super) const VERSION: u64 = 2;

/// A size in the listing, or `?` if there was none.
pub(super) struct Size(pub(super) Option<u64>);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(size) => write!(f, "{size}"),
            None => f.write_str("?"),
        }
    }
}

/// The field for a unique-id.
pub(super) fn encoded_uid(uid: &[u8]) -> Cow<'_, str> {
    percent_encoded(uid)
}

/// The unique-id in a field; `None` if it is none.
pub(super) fn decoded_uid(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    percent_decoded(text).filter(|uid| UidRef::new(uid).is_some())
}

/// The field for a path.
pub(super) fn encoded_path(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    percent_encoded(path.as_os_str().as_bytes()).replace("%2F", "/")
}

/// The path in a field; `None` if it is none.
pub(super) fn decoded_path(text: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Some(std::ffi::OsString::from_vec(percent_decoded(text)?.into_owned()).into())
}
