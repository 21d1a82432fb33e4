//! Errors of the outbox: of the disk, and of entries that cannot be read.

use std::io;
use std::path::{Path, PathBuf};

use crate::store;

/// A failure of the outbox: of the disk, or of what an entry holds.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another run has the message's lock.
    #[error("another run is active on this message")]
    Busy,
    /// There is no such message in the outbox.
    #[error("no message `{0}` in the outbox")]
    Unknown(String),
    /// A message in the outbox has lost its journal or its text.
    #[error("damaged: {} is not there", .0.display())]
    NoFile(PathBuf),
    /// A line of a file of the outbox makes no sense.
    #[error("{}:{line}: not a line of a journal", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A failure of the disk, or an entry that a newer version wrote.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        store::Error::io(doing, path, source).into()
    }

    pub(super) fn create(path: &Path, source: io::Error) -> Self {
        store::Error::create(path, source).into()
    }
}
