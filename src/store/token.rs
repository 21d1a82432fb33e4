//! What is kept of an OAuth 2.0 login: one file, which a person can read, and a lock beside it. The
//! file is replaced whole, and the new one is durable before anything in it is used: an
//! interruption leaves the old file or the new one.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Error;
use super::disk::{Disk, Lock};
use crate::text::Secret;

/// The tokens of a login, and what they were granted for. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// The endpoint that granted them: the refresh token goes nowhere else.
    pub endpoint: String,
    /// The client they were granted to.
    pub client: String,
    /// The user who logged in.
    pub user: String,
    /// The scope of the tokens.
    pub scope: String,
    /// The access token; empty before the first.
    pub access: Secret,
    /// The time when the access token was granted.
    pub granted: u64,
    /// The time when it expires.
    pub expires: u64,
    /// The refresh token; `None` for a client without a person.
    pub refresh: Option<Secret>,
    /// The time when the user logged in.
    pub since: u64,
    /// The time when a new token was first asked for without a known answer. The server may have
    /// granted one, and may no longer take the old refresh token.
    pub unanswered: Option<u64>,
}

impl Tokens {
    fn encode(&self) -> String {
        let time = |seconds: u64| {
            let seconds = i64::try_from(seconds).ok();
            let time = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
            time.unwrap_or_default().to_string()
        };
        let object = json!({
            "token-endpoint": self.endpoint,
            "client-id": self.client,
            "user": self.user,
            "scope": self.scope,
            "access-token": self.access.expose(),
            "granted": time(self.granted),
            "expires": time(self.expires),
            "refresh-token": self.refresh.as_ref().map(Secret::expose),
            "logged-in": time(self.since),
            "unanswered": self.unanswered.map(time),
        });
        format!("{object:#}\n")
    }

    fn decode(octets: &[u8]) -> Option<Self> {
        let object: Value = serde_json::from_slice(octets).ok()?;
        let text = |name: &str| Some(object.get(name)?.as_str()?.to_owned());
        let time = |name: &str| {
            let time: jiff::Timestamp = object.get(name)?.as_str()?.parse().ok()?;
            u64::try_from(time.as_second()).ok()
        };
        Some(Self {
            endpoint: text("token-endpoint")?,
            client: text("client-id")?,
            user: text("user")?,
            scope: text("scope")?,
            access: Secret::new(text("access-token")?),
            granted: time("granted")?,
            expires: time("expires")?,
            refresh: text("refresh-token").map(Secret::new),
            since: time("logged-in")?,
            unanswered: time("unanswered"),
        })
    }
}

/// The directory of a login.
#[derive(Clone, Copy)]
pub struct TokenStore<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
}

impl<'a> TokenStore<'a> {
    /// The login whose directory is `dir`, which need not exist.
    pub fn new(disk: &'a dyn Disk, dir: &'a Path) -> Self {
        Self { disk, dir }
    }

    /// The file that holds the tokens.
    pub fn path(&self) -> PathBuf {
        self.dir.join("token")
    }

    /// Reads the tokens; `None` if there are none. A file that others may read or write is an error.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, is no token file, or others may use it.
    pub fn read(&self) -> Result<Option<Tokens>, Error> {
        let path = self.path();
        let Some(octets) = self.disk.read_secret(&path)? else { return Ok(None) };
        match Tokens::decode(&octets) {
            Some(tokens) => Ok(Some(tokens)),
            None => Err(Error::Token(path)),
        }
    }

    /// Locks the login, and makes its directory if it is not there; `None` if another run has locked
    /// it.
    ///
    /// # Errors
    ///
    /// Returns an error if the lock file cannot be made.
    pub fn lock(&self) -> Result<Option<Lock>, Error> {
        super::directory(self.disk, self.dir)?;
        let path = self.dir.join("lock");
        self.disk.lock_file(&path).map_err(|error| Error::create(&path, error))
    }

    /// Replaces the tokens. When this returns, the new ones are durable. The login must be locked.
    ///
    /// # Errors
    ///
    /// Returns an error if the file could not be replaced durably.
    pub fn write(&self, tokens: &Tokens) -> Result<(), Error> {
        let (new, path) = (self.create(&tokens.encode())?, self.path());
        self.disk.rename(&new, &path).map_err(|error| Error::io("replace", &path, error))?;
        self.disk.sync_dir(self.dir).map_err(|error| Error::io("write", self.dir, error))
    }

    /// Writes a file beside the tokens and removes it. The login must be locked.
    ///
    /// # Errors
    ///
    /// Returns an error if that fails, as a write of tokens would.
    pub fn try_to_write(&self) -> Result<(), Error> {
        let new = self.create("\n")?;
        self.remove_if_there(&new)
    }

    /// Makes the file that is to replace the tokens, durably.
    fn create(&self, text: &str) -> Result<PathBuf, Error> {
        let new = self.dir.join("token.new");
        self.remove_if_there(&new)?;
        let failed = |error| Error::io("write", &new, error);
        let mut file = self.disk.create(&new).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync().map_err(failed)?;
        Ok(new)
    }

    /// Removes the tokens. The login must be locked.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be removed.
    pub fn forget(&self) -> Result<(), Error> {
        self.remove_if_there(&self.dir.join("token.new"))?;
        self.remove_if_there(&self.path())?;
        self.disk.sync_dir(self.dir).map_err(|error| Error::io("write", self.dir, error))
    }

    fn remove_if_there(&self, path: &Path) -> Result<(), Error> {
        match self.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", path, error))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::store::disk::Os;
    use crate::store::disk::simulated::{Fault, Simulated};

    fn tokens(number: u64) -> Tokens {
        Tokens {
            endpoint: "https://a.example/token".to_owned(),
            client: "id".to_owned(),
            user: "ann@x.example".to_owned(),
            scope: "mail".to_owned(),
            access: Secret::new(format!("access-{number}")),
            granted: 1_800_000_000 + number,
            expires: 1_800_003_600 + number,
            refresh: Some(Secret::new(format!("refresh-{number}"))),
            since: 1_800_000_000,
            unanswered: None,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("login/ann");
        let store = TokenStore::new(&Os, &dir);
        assert!(store.read().unwrap().is_none());
        let lock = store.lock().unwrap().unwrap();
        assert!(store.lock().unwrap().is_none(), "it is locked");
        for mut written in [tokens(1), tokens(2)] {
            written.unanswered = Some(1_800_000_007);
            store.write(&written).unwrap();
            assert_eq!(store.read().unwrap().unwrap(), written);
        }
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&store.path())), (0o700, 0o600));
        store.forget().unwrap();
        assert!(store.read().unwrap().is_none());
        drop(lock);
    }

    #[test]
    fn a_file_that_others_may_read_or_that_is_damaged_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let store = TokenStore::new(&Os, dir.path());
        store.write(&tokens(1)).unwrap();
        let mode = |mode| std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(store.path(), mode(0o644)).unwrap();
        assert!(matches!(store.read(), Err(Error::Ownership(_))));
        std::fs::set_permissions(store.path(), mode(0o600)).unwrap();
        let mut file = std::fs::File::create(store.path()).unwrap();
        file.write_all(b"{\"user\":").unwrap();
        assert!(matches!(store.read(), Err(Error::Token(_))));
        std::fs::remove_file(store.path()).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", store.path()).unwrap();
        assert!(store.read().is_err(), "a link is followed");
    }

    #[test]
    fn a_cut_at_any_step_leaves_the_old_tokens_or_the_new() {
        let dir = Path::new("/state/login/ann");
        let (old, new) = (tokens(1), tokens(2));
        let mut cuts = 0;
        for step in 0.. {
            let disk = Simulated::new(Path::new("/state"));
            let store = TokenStore::new(&disk, dir);
            drop(store.lock().unwrap());
            store.write(&old).unwrap();
            disk.settle();
            disk.arm(Fault::From(step));
            let written = store.write(&new);
            let is_through = disk.steps() <= step;
            disk.arm(Fault::None);
            let killed = store.read().unwrap().unwrap();
            assert!(killed == old || killed == new, "killed at step {step}: {killed:?}");
            for remains in disk.remains(1000) {
                let left = TokenStore::new(&remains.disk, dir).read().unwrap().unwrap();
                assert!(left == old || left == new, "cut at step {step}: {left:?}");
                cuts += 1;
            }
            if written.is_ok() {
                let left = TokenStore::new(&disk.for_sure(), dir).read().unwrap().unwrap();
                assert_eq!(left, new, "it was said to be durable");
            }
            if is_through {
                break;
            }
        }
        assert!(cuts > 5, "{cuts}");
    }
}
