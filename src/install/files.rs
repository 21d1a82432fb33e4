//! Files that all may read, written durably and replaced whole.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Read as _, Write as _};
use std::mem::take;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};

use super::digest::Digest;
use crate::bounded;
use crate::error::Error;
use crate::limits;
use crate::ownership;

/// A finding at a path.
pub(super) enum Found {
    /// Nothing there.
    Nothing,
    /// A regular file.
    File(Digest),
    /// A directory, a link, or a file that is too large to be one of ours.
    Other,
}

/// Looks at what is at a path, and follows no link there.
pub(super) fn look(path: &Path) -> Result<Found, Error> {
    let failed = |source| failed("read", path, source);
    match path.symlink_metadata() {
        Err(error) if is_missing(&error) => Ok(Found::Nothing),
        Err(error) => Err(failed(error)),
        Ok(metadata) if is_plausible(&metadata) => {
            let mut file = File::open(path).map_err(failed)?;
            let mut context = Context::new(&SHA256);
            let mut buffer = vec![0; limits::BUFFER];
            loop {
                let length = file.read(&mut buffer).map_err(failed)?;
                match buffer.get(..length) {
                    Some(octets @ [_, ..]) => context.update(octets),
                    _ => return Ok(Found::File(Digest::from_context(context))),
                }
            }
        }
        Ok(_) => Ok(Found::Other),
    }
}

/// The text of a file that only this user or root can have written; `None` if there is none.
pub(super) fn read_own(path: &Path) -> Result<Option<String>, Error> {
    let failed = |source| failed("read", path, source);
    let file = match File::open(path) {
        Err(error) if is_missing(&error) => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    ownership::check_writers(&file, path)
        .map_err(|error| failed(io::Error::other(error.to_string())))?;
    let mut text = bounded::read_text(&file, limits::INSTALLED).map_err(failed)?;
    Ok(Some(take(&mut *text)))
}

/// Writes a file that all may read, in place of what was there, with the directories on the way to it.
/// The file is whole and durable, or not there. One that an earlier run left half-written is replaced.
pub(super) fn write(path: &Path, text: &[u8]) -> Result<(), Error> {
    let failed = |source| failed("write", path, source);
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(failed(io::ErrorKind::InvalidFilename.into()));
    };
    make_directories(dir).map_err(failed)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".postie-install");
    let temporary = dir.join(hidden);
    let written = write_new(&temporary, text).and_then(|()| replace(&temporary, path));
    if written.is_err() {
        drop(fs::remove_file(&temporary));
    }
    written.and_then(|()| sync(dir)).map_err(failed)
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    let removed = match fs::remove_file(path) {
        Err(error) if is_missing(&error) => return Ok(()),
        removed => removed,
    };
    removed
        .and_then(|()| path.parent().map_or(Ok(()), sync))
        .map_err(|source| failed("remove", path, source))
}

/// Removes those directories that are empty.
pub(super) fn remove_directories<'a>(directories: impl Iterator<Item = &'a Path>) {
    for dir in directories {
        // One that has something in it stays, and nothing is lost by one that stays.
        drop(fs::remove_dir(dir));
    }
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if !is_missing(&error) => return Err(error),
        _ => {}
    }
    let mut file = File::create_new(path)?;
    // Independent of the umask.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.write_all(text)?;
    file.sync_all()
}

#[expect(clippy::disallowed_methods, reason = "both file and directory are synced")]
fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Makes a directory and those above it that are missing, each durable in the one above.
fn make_directories(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let above = dir.parent().ok_or(io::ErrorKind::NotFound)?;
    make_directories(above)?;
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::set_permissions(dir, Permissions::from_mode(0o755))?;
    sync(above)
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn is_plausible(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.len() <= limits::INSTALLED
}

/// Returns whether the error means that there is nothing, perhaps for lack of a directory on the
/// way.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound)
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Install { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_for_all_to_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/page.1");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // As a run leaves it that was cut off.
        let half = File::create(dir.path().join("a/b/.page.1.postie-install"));
        half.unwrap().write_all(b"half").unwrap();
        for text in ["one", "another"] {
            write(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(matches!(look(&path), Ok(Found::Nothing)));
    }

    #[test]
    fn a_link_or_a_directory_is_not_a_file_of_ours() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        assert!(matches!(look(&link), Ok(Found::Other)));
        assert!(matches!(look(dir.path()), Ok(Found::Other)));
        assert!(matches!(look(&dir.path().join("none/at/all")), Ok(Found::Nothing)));
    }
}
