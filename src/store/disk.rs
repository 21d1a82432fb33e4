//! The few things the store asks of a disk. A trait, so that tests can make any of them fail.
#![expect(clippy::missing_errors_doc, reason = "every method returns the system's own error")]

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File as OsFile, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::mem::take;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{
    Advice, FallocateFlags, OFlags, Timespec, Timestamps, UTIME_NOW, fadvise, fallocate, futimens,
    statvfs,
};
use rustix::io::Errno;

use crate::bounded;
use crate::limits;
use crate::ownership;

#[cfg(test)]
pub(crate) mod simulated;

/// The operations of the store on a disk. Each step that can fail is one method.
pub trait Disk: Send + Sync {
    /// A new file, mode 0600, to write behind its present end; fails if the name is taken, be it by
    /// a symbolic link.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// A file to write behind its present end, made with mode 0600 if it is not there.
    fn append(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// A whole file; `None` if it is not there.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;

    /// Reads a file of secrets, which no other user may read or write; `None` if it does not exist.
    fn read_secret(&self, path: &Path) -> Result<Option<Vec<u8>>, ownership::Error> {
        let failed = |source| ownership::Error::Look { path: path.to_owned(), source };
        self.read(path).map_err(failed)
    }

    /// A file to read from its beginning, and its length in octets.
    fn open(&self, path: &Path) -> io::Result<(Box<dyn Read + Send>, u64)>;

    /// Locks a file until the lock is dropped. The file is created, mode 0600, if it is not there,
    /// and opened for writing, as NFS requires; `None` if another process has locked it.
    fn lock_file(&self, path: &Path) -> io::Result<Option<Lock>>;

    /// Cuts a file off behind `length` octets.
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()>;

    /// Opens a directory, so that it stays the same even if its name is given to another.
    fn open_dir(&self, path: &Path) -> io::Result<Box<dyn Dir>>;

    /// Makes the names in a directory durable. Satisfied where the file system knows no such thing: a
    /// CIFS mount or a shared folder of a virtual machine. An error of the device stays one.
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        tolerate(self.open_dir(path).and_then(|dir| dir.sync_names()))
    }

    /// Makes durable the names in a directory that was opened before they were changed; and if another
    /// directory has its name by now, those in that, too.
    fn sync_opened(&self, dir: &dyn Dir, path: &Path) -> io::Result<()> {
        tolerate(dir.sync_names())?;
        if dir.is_at(path) { Ok(()) } else { self.sync_dir(path) }
    }

    /// Gives a file another name, replacing what had it; or a directory one that is free.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Writes a file anew, and its directory if that is not there: readers see what was there or all of
    /// this. Nothing is durable, which will do for a cache.
    fn replace(&self, path: &Path, text: &str) -> io::Result<()> {
        if let Some(dir) = path.parent() {
            self.make_dir(dir)?;
        }
        let fresh = path.with_added_extension("new");
        drop(self.remove(&fresh));
        self.create(&fresh)?.write_all(text.as_bytes())?;
        self.rename(&fresh, path)
    }

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory with nothing in it.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Returns whether the path exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// The names in a directory.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;

    /// A new directory, mode 0700; one that is there already will do.
    fn make_dir(&self, path: &Path) -> io::Result<()>;

    /// Returns the size of the file system that holds a directory, and the part of it that this
    /// user may still fill; `None` if it does not tell.
    fn space(&self, _: &Path) -> Option<Space> {
        None
    }

    /// Checks that a directory is this user's or root's.
    fn check_place(&self, _: &Path) -> Result<(), ownership::Error> {
        Ok(())
    }
}

/// An open file of a [`Disk`].
pub trait File: Write + Send {
    /// Begins to make the contents durable without waiting for it. A hint: with many files begun
    /// before the first is waited for, the disk can do them together.
    fn begin_sync(&mut self) {}

    /// Waits until contents and size are durable.
    fn sync(&mut self) -> io::Result<()>;

    /// Reserves room for this many more octets, as far as the file system supports it.
    fn reserve(&mut self, octets: u64) -> io::Result<()>;
}

/// The size of a file system, and the part of it that is free, in octets.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// All of it.
    pub total: u64,
    /// The octets that this user may still fill.
    pub free: u64,
}

impl Space {
    /// Returns whether less is free than should be left for other programs.
    pub fn is_scarce(self) -> bool {
        self.free < limits::KEPT_FREE.min(self.total / 20)
    }
}

/// An open directory of a [`Disk`].
pub trait Dir {
    /// Makes the names in it durable, where the file system knows such a thing.
    fn sync_names(&self) -> io::Result<()>;

    /// Returns whether the path still names this directory.
    fn is_at(&self, path: &Path) -> bool;
}

/// A file system that cannot sync a directory says so in one of these ways.
fn tolerate(synced: io::Result<()>) -> io::Result<()> {
    let number = |error: &io::Error| error.raw_os_error().map(Errno::from_raw_os_error);
    match synced {
        Err(error)
            if matches!(number(&error), Some(Errno::INVAL | Errno::NOTSUP | Errno::NOSYS)) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// A lock, which ends when it is dropped, or when the process ends in any way.
pub type Lock = Box<dyn Send>;

/// The options for opening our files: new ones are readable by the owner only, and symbolic links
/// are not followed. To open a pipe, such as a log may be, does not wait for its other end.
pub(super) fn own() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(flags.bits().cast_signed());
    options
}

/// Opens a file to read from its beginning, and returns its length in octets. What is no file, such as a
/// pipe, would be read as an empty one.
fn opened(path: &Path) -> io::Result<(OsFile, u64)> {
    let file = own().read(true).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok((file, metadata.len()))
}

/// The operating system's file system.
#[derive(Debug)]
pub struct Os;

impl Disk for Os {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = own().append(true).create_new(true).open(path)?;
        Ok(Box::new(file))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = own().append(true).create(true).open(path)?;
        Ok(Box::new(file))
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let file = match opened(path) {
            Ok((file, _)) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut octets = bounded::read(&file, limits::JOURNAL)?;
        Ok(Some(take(&mut *octets)))
    }

    fn read_secret(&self, path: &Path) -> Result<Option<Vec<u8>>, ownership::Error> {
        let failed = |source| ownership::Error::Look { path: path.to_owned(), source };
        let file = match opened(path) {
            Ok((file, _)) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        ownership::check_writers(&file, path)?;
        ownership::check_readers(&file, path)?;
        let mut octets = bounded::read(&file, limits::TOKENS).map_err(failed)?;
        Ok(Some(take(&mut *octets)))
    }

    fn open(&self, path: &Path) -> io::Result<(Box<dyn Read + Send>, u64)> {
        let (file, length) = opened(path)?;
        Ok((Box::new(file), length))
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        own().write(true).open(path)?.set_len(length)
    }

    fn lock_file(&self, path: &Path) -> io::Result<Option<Lock>> {
        loop {
            let file = own().write(true).create(true).truncate(false).open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Another process may have removed it between the two, and a lock that has no name excludes
            // nobody.
            let inode = file.metadata()?.ino();
            if fs::symlink_metadata(path).is_ok_and(|named| named.ino() == inode) {
                // Others see by its time since when it is locked.
                let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
                let _ = futimens(&file, &Timestamps { last_access: now, last_modification: now });
                return Ok(Some(Box::new(LockedFile(file))));
            }
        }
    }

    fn open_dir(&self, path: &Path) -> io::Result<Box<dyn Dir>> {
        Ok(Box::new(OsFile::open(path)?))
    }

    #[expect(clippy::disallowed_methods, reason = "this is its one home")]
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match fs::symlink_metadata(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            made => made,
        }
    }

    fn space(&self, path: &Path) -> Option<Space> {
        let known = statvfs(path).ok()?;
        let octets = |blocks: u64| blocks.saturating_mul(known.f_frsize);
        Some(Space { total: octets(known.f_blocks), free: octets(known.f_bavail) })
    }

    fn check_place(&self, path: &Path) -> Result<(), ownership::Error> {
        ownership::check_place(path)
    }
}

/// A locked file.
struct LockedFile(OsFile);

impl Drop for LockedFile {
    fn drop(&mut self) {
        // Closing alone leaves the lock to a child that has this file until it runs its program.
        drop(self.0.unlock());
    }
}

impl Dir for OsFile {
    fn sync_names(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn is_at(&self, path: &Path) -> bool {
        let (Ok(this), Ok(named)) = (self.metadata(), fs::metadata(path)) else { return false };
        (this.dev(), this.ino()) == (named.dev(), named.ino())
    }
}

impl File for OsFile {
    fn begin_sync(&mut self) {
        // What is not needed any more is written out, which is all that is wanted. No harm is done
        // where this means nothing: the wait that follows is what counts.
        let _ = fadvise(&*self, 0, None, Advice::DontNeed);
    }

    fn sync(&mut self) -> io::Result<()> {
        // Data and size are all that recovery needs; times may wait.
        self.sync_data()
    }

    fn reserve(&mut self, octets: u64) -> io::Result<()> {
        let end = self.metadata()?.len();
        match fallocate(&*self, FallocateFlags::KEEP_SIZE, end, octets) {
            Err(Errno::NOTSUP | Errno::NOSYS) => Ok(()),
            reserved => Ok(reserved?),
        }
    }
}
