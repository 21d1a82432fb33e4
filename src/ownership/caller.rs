//! The user at the other end of a UNIX socket, as the kernel names it.

use std::ffi::CString;
use std::fmt;
use std::os::fd::AsFd;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use rustix::net::sockopt::{socket_peercred, socket_type};
use rustix::net::{AddressFamily, SocketType, getpeername, getsockname};

use super::user_name;

/// The user of the process that connected to a UNIX socket, at the time when it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user id.
    pub uid: u32,
    /// The group id of the process.
    pub gid: u32,
    /// The name in the password database; `None` if there is none.
    pub name: Option<String>,
}

impl Caller {
    /// The user at the other end of a connected UNIX stream socket. `None` if it is not one.
    pub fn at(socket: impl AsFd) -> Option<Self> {
        let is_unix =
            getsockname(&socket).is_ok_and(|name| name.address_family() == AddressFamily::UNIX);
        let is_stream = socket_type(&socket).is_ok_and(|kind| kind == SocketType::STREAM);
        // What only listens has credentials of its own.
        let is_connected = getpeername(&socket).is_ok();
        if !(is_unix && is_stream && is_connected) {
            return None;
        }
        let peer = socket_peercred(&socket).ok()?;
        let uid = peer.uid.as_raw();
        Some(Self { uid, gid: peer.gid.as_raw(), name: user_name(uid) })
    }

    /// Returns whether a user's name or number in the configuration is this one's.
    pub fn is_user(&self, named: &str) -> bool {
        match named.parse::<u32>() {
            Ok(uid) => uid == self.uid,
            Err(_) => User::from_name(named)
                .is_ok_and(|user| user.is_some_and(|user| user.uid == Uid::from_raw(self.uid))),
        }
    }

    /// Returns whether a group's name or number in the configuration is one of this user's: the
    /// group of the process, or one that the password database gives the user.
    pub fn is_in_group(&self, named: &str) -> bool {
        let gid = match named.parse::<u32>() {
            Ok(gid) => Some(Gid::from_raw(gid)),
            Err(_) => Group::from_name(named).ok().flatten().map(|group| group.gid),
        };
        gid.is_some_and(|gid| gid.as_raw() == self.gid || self.groups().contains(&gid))
    }

    /// The groups by the password database; none for a user without an entry.
    fn groups(&self) -> Vec<Gid> {
        let entry = || {
            let user = User::from_uid(self.uid.into()).ok()??;
            getgrouplist(&CString::new(user.name).ok()?, user.gid).ok()
        };
        entry().unwrap_or_default()
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({})", self.uid),
            None => write!(f, "{}", self.uid),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    use super::*;

    #[test]
    fn only_a_connected_unix_stream_has_a_caller() {
        let (one, other) = UnixStream::pair().unwrap();
        let caller = Caller::at(&one).unwrap();
        assert_eq!(caller.uid, super::super::us());
        assert_eq!(Caller::at(&other), Some(caller));
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        assert_eq!(Caller::at(&listener), None);
        assert_eq!(Caller::at(UnixDatagram::pair().unwrap().0), None);
        assert_eq!(Caller::at(TcpListener::bind("127.0.0.1:0").unwrap()), None);
        assert_eq!(Caller::at(std::fs::File::open("/dev/null").unwrap()), None);
    }

    #[test]
    fn a_user_is_known_by_name_and_number_and_by_groups() {
        let root = Caller { uid: 0, gid: 0, name: Some("root".to_owned()) };
        assert!(root.is_user("root") && root.is_user("0"));
        assert!(root.is_in_group("root") && root.is_in_group("0"));
        let ann = Caller { uid: 54_321, gid: 54_322, name: None };
        for (user, group) in [("root", "root"), ("0", "0"), ("", ""), ("ann", "54321")] {
            assert!(!ann.is_user(user) && !ann.is_in_group(group), "{user}, {group}");
        }
        assert!(ann.is_user("54321") && ann.is_in_group("54322"));
        assert_eq!((root.to_string(), ann.to_string()), ("root (0)".into(), "54321".into()));
    }
}
