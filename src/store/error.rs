//! Errors of the store: of the disk, the journal, the lock and the Maildir.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::ownership;
use crate::text::plain;

/// A failure of the disk or of what it holds.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another run holds the lock.
    #[error("another run is active on this mailbox")]
    Locked {
        /// The age of the lock.
        age: Duration,
    },
    /// A Maildir is made, its parents are not.
    #[error("cannot create {}: {} does not exist", path.display(), parent.display())]
    NoParent {
        /// The Maildir.
        path: PathBuf,
        /// The directory that is missing.
        parent: PathBuf,
    },
    /// A file or directory could not be made.
    #[error("cannot create {}: {}", path.display(), plain(source))]
    Create {
        /// The file or directory.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// Any other failure of the disk.
    #[error("cannot {doing} {}: {}", path.display(), plain(source))]
    Io {
        /// The action, as a verb.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// A version of this program that is newer than this one wrote the journal.
    #[error("{} is a journal of version {version}, newer than this program", path.display())]
    NewerJournal {
        /// The journal.
        path: PathBuf,
        /// The journal's version.
        version: u64,
    },
    /// The program that takes messages cannot be run.
    #[error("cannot run {}: {}", program, plain(source))]
    Program {
        /// The program.
        program: String,
        /// The failure.
        source: io::Error,
    },
    /// The file with the tokens of a login makes no sense.
    #[error("{} is damaged", .0.display())]
    Token(PathBuf),
    /// Another user has written there, or could; or could read what this run would write.
    #[error(transparent)]
    Ownership(#[from] ownership::Error),
    /// A Maildir into which messages were delivered is not there, or not whole.
    #[error("{} is gone, and mail was delivered into it", .0.display())]
    MaildirGone(PathBuf),
}

impl Error {
    pub(in crate::store) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }

    pub(in crate::store) fn create(path: &Path, source: io::Error) -> Self {
        Self::Create { path: path.to_owned(), source }
    }
}
