//! The record of what `postie install` has put in a place: a text of lines that say `file SHA-256
//! PATH` or `directory PATH`. A file has two lines while one version replaces another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::digest::Digest;
use super::files;
use crate::error::Error;

const HEAD: &str = "\
# What `postie install` has put here. `postie install --remove` removes the files that are still as
# this says, and these directories if they are empty.
";

/// The record of an installation. Its files are absolute paths in UTF-8, without line ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    files: BTreeMap<PathBuf, Vec<Digest>>,
    directories: BTreeSet<PathBuf>,
}

impl Record {
    /// Reads the record at `path`; an empty one if there is none. It must belong to this user or
    /// root, and be writable by no other.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        Ok(files::read_own(path)?.map(|text| Self::parse(&text)).unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let mut record = Self::default();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("file ")
                && let Some((digest, path)) = rest.split_once(' ')
            {
                record.add(Path::new(path), Digest(digest.into()));
            } else if let Some(path) = line.strip_prefix("directory ") {
                record.directories.insert(path.into());
            }
        }
        record
    }

    /// Makes it durable at `path`, in place of the one before.
    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        let mut text = HEAD.to_owned();
        let paths = self.files.keys().chain(&self.directories);
        for path in paths {
            let is_line = path.to_str().is_some_and(|path| !path.contains(['\n', '\r']));
            if !is_line {
                return Err(Error::Unrecordable(path.clone()));
            }
        }
        for (path, digests) in &self.files {
            for Digest(digest) in digests {
                let _ = writeln!(text, "file {digest} {}", path.display());
            }
        }
        for path in &self.directories {
            let _ = writeln!(text, "directory {}", path.display());
        }
        files::write(path, text.as_bytes())
    }

    /// Returns whether a file with this digest was installed at this path.
    pub(super) fn proves(&self, path: &Path, digest: &Digest) -> bool {
        self.files.get(path).is_some_and(|digests| digests.contains(digest))
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, &[Digest])> {
        self.files.iter().map(|(path, digests)| (path.as_path(), digests.as_slice()))
    }

    /// The directories that were made, each after those that are in it.
    pub(super) fn directories(&self) -> impl Iterator<Item = &Path> {
        self.directories.iter().rev().map(PathBuf::as_path)
    }

    pub(super) fn add(&mut self, path: &Path, digest: Digest) {
        let digests = self.files.entry(path.to_owned()).or_default();
        if !digests.contains(&digest) {
            digests.push(digest);
        }
    }

    /// Adds the directories that are missing on the way to a file, and are about to be made.
    pub(super) fn add_directories(&mut self, path: &Path) {
        let missing = path.ancestors().skip(1).take_while(|dir| dir.symlink_metadata().is_err());
        self.directories.extend(missing.map(Path::to_owned));
    }

    /// Forgets other digests of a file, if it is recorded: it is replaced.
    pub(super) fn keep_only(&mut self, path: &Path, digest: &Digest) {
        if let Some(digests) = self.files.get_mut(path) {
            digests.retain(|one| one == digest);
        }
    }

    /// Forgets files.
    pub(super) fn drop_files(&mut self, is_gone: impl Fn(&Path) -> bool) {
        self.files.retain(|path, digests| !is_gone(path) && !digests.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let (path, page) =
            (dir.path().join("share/postie/installed"), dir.path().join("a b/page.1"));
        let mut record = Record::default();
        record.add_directories(&page);
        record.add(&page, Digest::of(b"old"));
        record.add(&page, Digest::of(b"new"));
        record.write(&path).unwrap();
        let mut record = Record::read(&path).unwrap();
        assert!(
            record.proves(&page, &Digest::of(b"old")) && record.proves(&page, &Digest::of(b"new"))
        );
        assert!(!record.proves(&page, &Digest::of(b"changed")));
        assert!(!record.proves(dir.path(), &Digest::of(b"new")));
        assert_eq!(record.directories().collect::<Vec<_>>(), [dir.path().join("a b")]);
        record.keep_only(&page, &Digest::of(b"new"));
        assert!(
            !record.proves(&page, &Digest::of(b"old")) && record.proves(&page, &Digest::of(b"new"))
        );
    }

    #[test]
    fn directories_are_removed_from_the_inside_out() {
        let record = Record::parse("directory /a\ndirectory /a/b/c\ndirectory /a/b\n");
        assert_eq!(
            record.directories().collect::<Vec<_>>(),
            ["/a/b/c", "/a/b", "/a"].map(Path::new)
        );
    }

    #[test]
    fn what_does_not_fit_on_a_line_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = Record::default();
        record.add(Path::new("/a\nfile 00 /etc/passwd"), Digest::of(b""));
        let error = record.write(&dir.path().join("installed")).unwrap_err();
        assert!(matches!(error, Error::Unrecordable(_)), "{error}");
    }

    #[test]
    fn a_digest_is_that_of_sha256sum() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b""), Digest(empty.into()));
    }
}
