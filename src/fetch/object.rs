//! The JSON objects of `postie fetch` (`--json`).

use serde::Serialize;

use crate::report::ErrorObject;

/// The result of a fetch from one account.
#[derive(Debug, Serialize)]
pub(super) struct FetchResult<'a> {
    pub(super) account: &'a str,
    /// Messages that were fetched.
    pub(super) new: usize,
    /// Their octets.
    pub(super) bytes: u64,
    pub(super) files: Vec<FileObject>,
    /// Messages that are still on the server.
    pub(super) left: usize,
    pub(super) refused: Vec<RefusedObject<'a>>,
    /// Messages that were deleted from the server.
    pub(super) deleted: usize,
    pub(super) error: Option<ErrorObject>,
}

/// A fetched message.
#[derive(Debug, Serialize)]
pub(super) struct FileObject {
    pub(super) uid: Option<String>,
    pub(super) size: u64,
    /// `None` if a program took the message.
    pub(super) path: Option<String>,
}

/// A message that was to be fetched or deleted and was not.
#[derive(Debug, Serialize)]
pub(super) struct RefusedObject<'a> {
    pub(super) number: u32,
    pub(super) uid: Option<String>,
    pub(super) reason: &'a str,
}

/// What a dry run says of one message.
#[derive(Debug, Serialize)]
pub(super) struct PreviewObject<'a> {
    pub(super) account: &'a str,
    pub(super) message: ListedObject,
}

/// A message of a dry run.
#[derive(Debug, Serialize)]
pub(super) struct ListedObject {
    pub(super) number: u32,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<String>,
    /// What a run without `--dry-run` would do.
    pub(super) action: &'static str,
}
