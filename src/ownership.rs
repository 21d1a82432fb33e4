//! Who owns a file, who may write to it and who may read it. What postie obeys must have been
//! written by its user or by root, and a secret must be readable by no other: one set of
//! rules for every file that is read and every directory that is used.
//!
//! A file's own directory is looked at, its ancestors are not.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Group, User};
use rustix::fs::{FileType, StatVfsMountFlags, fgetxattr, getxattr, statvfs};
use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, getsockname};

use crate::text::plain;

mod caller;
mod listener;

pub use self::caller::Caller;
pub use self::listener::other_person_behind;

/// The reason why a file or directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path cannot be examined.
    #[error("cannot check {}: {}", path.display(), plain(source))]
    Look {
        /// The file or directory.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// The owner is neither this user nor root.
    #[error("{} belongs to another user ({owner})", path.display())]
    Foreign {
        /// The file or directory.
        path: PathBuf,
        /// The owner's name, or the number where there is none.
        owner: String,
    },
    /// Users other than this one and root may write to it.
    #[error("others may write to {}: `chmod go-w` it", .0.display())]
    Writable(PathBuf),
    /// The file is secret, and users other than this one and root may read it.
    #[error("others may read {}, which holds a secret: `chmod 600` it", .0.display())]
    Readable(PathBuf),
}

/// Checks that only this user and root can have written an opened file: its owner, its mode and
/// ACL, and those of its directory (through symbolic links: of both the link's and the target's).
/// The owner of a pipe or another special file does not tell who writes to it, so only its
/// directory is checked.
///
/// # Errors
///
/// Returns an error if others may have written the file, or it cannot be examined.
pub fn check_writers(file: &File, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Look { path: path.to_owned(), source };
    let metadata = file.metadata().map_err(failed)?;
    let named = parent(path);
    check_directory(named)?;
    let target = path.canonicalize().ok();
    let actual = target.as_deref().map_or(named, parent);
    if !same(named, actual) {
        check_directory(actual)?;
    }
    if !metadata.is_file() {
        return Ok(());
    }
    check_owner(path, &metadata, actual, || is_mounted_read_only(file))?;
    if is_writable_by_others(&metadata, &acl(|buffer| fgetxattr(file, ACL, buffer))) {
        return Err(Error::Writable(path.to_owned()));
    }
    Ok(())
}

/// Checks that only this user and root can read an opened file, which [`check_writers`] has
/// accepted. A group may read a file of root's: root decided that, as systemd does for a service's
/// credentials.
///
/// # Errors
///
/// Returns an error if others may read the file.
pub fn check_readers(file: &File, path: &Path) -> Result<(), Error> {
    const READ: u32 = 0o4;
    let metadata = file.metadata().map_err(|source| Error::Look { path: path.into(), source })?;
    if !metadata.is_file() {
        return Ok(());
    }
    let acl = acl(|buffer| fgetxattr(file, ACL, buffer));
    let may_read = |grant: &Grant| grant.mode & READ != 0 && !grant.is_to_user();
    let by_all = metadata.mode() & READ != 0;
    let by_some = metadata.uid() != ROOT && grants(&metadata, &acl).iter().any(may_read);
    if by_all || by_some { Err(Error::Readable(path.to_owned())) } else { Ok(()) }
}

/// Checks that a directory belongs to this user or to root, so that no other user can replace what
/// is put there.
///
/// # Errors
///
/// Returns an error if the directory belongs to another user, or cannot be examined.
pub fn check_place(dir: &Path) -> Result<(), Error> {
    let metadata = metadata(dir)?;
    check_owner(dir, &metadata, dir, || is_read_only(dir))
}

/// Returns whether the directory, or its nearest existing ancestor, belongs to this user.
pub fn is_ours(dir: &Path) -> bool {
    let found = dir.ancestors().find_map(|dir| Some((dir, dir.metadata().ok()?)));
    found.is_some_and(|(dir, metadata)| {
        metadata.is_dir() && counts_as_us(metadata.uid(), dir, || is_read_only(dir))
    })
}

/// Returns whether the directory is ours ([`is_ours`]), or root's and open to this user: enough for
/// what is only read.
pub fn is_ours_or_roots(dir: &Path) -> bool {
    let is_roots = |dir: &Path| dir.metadata().is_ok_and(|metadata| metadata.uid() == ROOT);
    is_ours(dir) || (is_roots(dir) && dir.read_dir().is_ok())
}

/// Returns whether standard input comes from a program of this user's or root's: it is no socket,
/// or a UNIX one whose peer is.
pub fn is_stdin_ours() -> bool {
    let stdin = io::stdin();
    let Ok(stat) = rustix::fs::fstat(&stdin) else { return false };
    if !FileType::from_raw_mode(stat.st_mode).is_socket() {
        return true;
    }
    let is_unix =
        getsockname(&stdin).is_ok_and(|name| name.address_family() == AddressFamily::UNIX);
    let own = rustix::process::geteuid();
    is_unix && socket_peercred(&stdin).is_ok_and(|peer| peer.uid == own || peer.uid.is_root())
}

/// Checks the directory of a socket that others offer a service at: whoever may write to it decides
/// who is spoken to. It may belong to any user, who is the one that was chosen with the path.
///
/// # Errors
///
/// Returns an error if users other than its owner may write to it, or it cannot be examined.
pub fn check_socket(path: &Path) -> Result<(), Error> {
    let dir = parent(path);
    let acl = acl(|buffer| getxattr(dir, ACL, buffer));
    if is_writable_by_others(&metadata(dir)?, &acl) {
        return Err(Error::Writable(dir.to_owned()));
    }
    Ok(())
}

/// The home directory of this user by the password database; `None` if it has no entry.
pub fn home() -> Option<PathBuf> {
    Some(User::from_uid(nix::unistd::geteuid()).ok()??.dir)
}

const ROOT: u32 = 0;

/// A directory that holds what is relied on. Others may write to it if it is sticky, since they
/// can neither remove nor rename what is there.
fn check_directory(dir: &Path) -> Result<(), Error> {
    const STICKY: u32 = 0o1000;
    let metadata = metadata(dir)?;
    check_owner(dir, &metadata, dir, || is_read_only(dir))?;
    let is_sticky = metadata.mode() & STICKY != 0;
    let acl = acl(|buffer| getxattr(dir, ACL, buffer));
    if !is_sticky && is_writable_by_others(&metadata, &acl) {
        return Err(Error::Writable(dir.to_owned()));
    }
    Ok(())
}

fn metadata(dir: &Path) -> Result<Metadata, Error> {
    dir.metadata().map_err(|source| Error::Look { path: dir.to_owned(), source })
}

fn check_owner(
    path: &Path,
    metadata: &Metadata,
    dir: &Path,
    is_read_only: impl FnOnce() -> bool,
) -> Result<(), Error> {
    let owner = metadata.uid();
    if owner == ROOT || counts_as_us(owner, dir, is_read_only) {
        return Ok(());
    }
    let owner = user_name(owner).unwrap_or_else(|| owner.to_string());
    Err(Error::Foreign { path: path.to_owned(), owner })
}

/// Returns whether files of `uid` in `dir` count as this user's own: they are; or the file system
/// is mounted read-only; or it gives files that this user makes to that same owner (NFS with
/// squashing, CIFS).
fn counts_as_us(uid: u32, dir: &Path, is_read_only: impl FnOnce() -> bool) -> bool {
    let made_here = || tempfile::tempfile_in(dir).and_then(|file| file.metadata());
    uid == us() || is_read_only() || made_here().is_ok_and(|made| made.uid() == uid)
}

fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn is_mounted_read_only(file: impl AsFd) -> bool {
    let found = rustix::fs::fstatvfs(file);
    found.is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn is_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// The directory that a file's name is in.
fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| path.metadata().map(|found| (found.dev(), found.ino())).ok();
    one == other || place(one).is_some_and(|one| Some(one) == place(other))
}

/// The permissions of one user or group: `mode` has the three bits of the lowest digit of
/// [`Metadata::mode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grant {
    to: Grantee,
    mode: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grantee {
    User(u32),
    Group(u32),
}

impl Grant {
    /// Returns whether the grant is to this user or root.
    fn is_to_user(&self) -> bool {
        matches!(self.to, Grantee::User(uid) if uid == us() || uid == ROOT)
    }
}

fn is_writable_by_others(metadata: &Metadata, acl: &[AclEntry]) -> bool {
    const WRITE: u32 = 0o2;
    let owner = metadata.uid();
    let is_to_another = |grant: &Grant| match grant.to {
        Grantee::User(uid) => !grant.is_to_user() && uid != owner,
        Grantee::Group(gid) => !is_own_group(gid, owner),
    };
    let grants = grants(metadata, acl);
    let mut writers = grants.iter().filter(|grant| grant.mode & WRITE != 0);
    metadata.mode() & WRITE != 0 || writers.any(is_to_another)
}

/// Returns whether a group is its owner's alone: each user has a group of the same name or number
/// where a umask of 002 is usual.
fn is_own_group(gid: u32, owner: u32) -> bool {
    let named = || Some(Group::from_gid(gid.into()).ok()??.name);
    gid == owner || named().is_some_and(|group| user_name(owner) == Some(group))
}

fn user_name(uid: u32) -> Option<String> {
    Some(User::from_uid(uid.into()).ok()??.name)
}

/// The permissions of others than the owner, except those that all users have. With an ACL, the
/// mode's group digit is its mask, which bounds them all.
fn grants(metadata: &Metadata, acl: &[AclEntry]) -> Vec<Grant> {
    let mask = (metadata.mode() >> 3) & 0o7;
    let group = Grantee::Group(metadata.gid());
    if acl.is_empty() {
        return vec![Grant { to: group, mode: mask }];
    }
    let grant = |entry: &AclEntry| {
        let to = match entry.tag {
            AclEntry::USER => Grantee::User(entry.id),
            AclEntry::GROUP_OBJ => group,
            AclEntry::GROUP => Grantee::Group(entry.id),
            _ => return None,
        };
        Some(Grant { to, mode: u32::from(entry.mode) & mask })
    };
    acl.iter().filter_map(grant).collect()
}

/// The extended attribute that holds a file's POSIX ACL on Linux.
const ACL: &str = "system.posix_acl_access";

/// An entry of an ACL as the kernel hands it out (`posix_acl_xattr_entry`): little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AclEntry {
    tag: u16,
    mode: u16,
    id: u32,
}

impl AclEntry {
    const USER: u16 = 0x02;
    const GROUP_OBJ: u16 = 0x04;
    const GROUP: u16 = 0x08;

    fn read(octets: [u8; 8]) -> Self {
        let [t0, t1, m0, m1, id @ ..] = octets;
        Self {
            tag: u16::from_le_bytes([t0, t1]),
            mode: u16::from_le_bytes([m0, m1]),
            id: u32::from_le_bytes(id),
        }
    }
}

/// The entries of a file's ACL; none if it has none, or the file system knows of none.
fn acl(read: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> Vec<AclEntry> {
    const VERSION: usize = 4;
    let mut buffer = vec![0; 1 << 10];
    let mut length = read(&mut buffer);
    if length == Err(rustix::io::Errno::RANGE) {
        // More than an extended attribute may have.
        buffer = vec![0; 64 << 10];
        length = read(&mut buffer);
    }
    let length = length.unwrap_or_default();
    let entries = buffer.get(VERSION..length).unwrap_or_default();
    let (entries, _) = entries.as_chunks();
    entries.iter().map(|&entry| AclEntry::read(entry)).collect()
}
