//! The user's directories for configuration, state and data: of the XDG variables and HOME those that
//! belong to the user, else those of the password database. Makes none of them.

use std::path::{Path, PathBuf};

use super::error::Error;
use crate::ownership;

/// The directories of this user. One that the environment names counts if it is absolute and
/// belongs to the user (if it does not exist: its nearest existing ancestor), since the environment
/// may be that of another user, as under `sudo` and `su`.
pub(super) struct Directories {
    pub(super) home: PathBuf,
    /// `postie/` in `XDG_CONFIG_HOME`, else in `~/.config`.
    pub(super) config: PathBuf,
    /// `postie/` in `XDG_STATE_HOME`, else in `~/.local/state`.
    pub(super) state: PathBuf,
    /// The state directories of runs with another environment: in the home directory that this one
    /// names, and in that of the password database.
    pub(super) other_states: Vec<PathBuf>,
}

impl Directories {
    pub(super) fn from_environment() -> Result<Self, Error> {
        let home = match variable("HOME") {
            Some(named) if named != Path::new("/") && ownership::is_ours(&named) => named,
            _ => ownership::home().ok_or(Error::NoHome)?,
        };
        let named = |name| variable(name).map(|dir| dir.join("postie"));
        let config = match named("XDG_CONFIG_HOME") {
            // What is only read may be root's.
            Some(dir) if ownership::is_ours_or_roots(&dir) => dir,
            _ => home.join(".config/postie"),
        };
        let below = |home: &Path| home.join(".local/state/postie");
        let state = match named("XDG_STATE_HOME") {
            Some(dir) if ownership::is_ours(&dir) => dir,
            _ => below(&home),
        };
        let mut homes = vec![home.clone()];
        homes.extend(ownership::home());
        let mut other_states = Vec::new();
        for home in homes {
            let other = below(&home);
            if other != state && !other_states.contains(&other) && ownership::is_ours(&other) {
                other_states.push(other);
            }
        }
        Ok(Self { home, config, state, other_states })
    }
}

/// The paths of a user's own files, and of the running program.
#[derive(Debug)]
pub struct UserPlaces {
    /// The home directory.
    pub home: PathBuf,
    /// `XDG_DATA_HOME`, else `~/.local/share`.
    pub data: PathBuf,
    /// The program, by its absolute path if that is known.
    pub program: PathBuf,
}

impl UserPlaces {
    /// Determines the paths from the environment, else from the password database.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no home directory.
    pub fn from_environment() -> Result<Self, Error> {
        let home = Directories::from_environment()?.home;
        let data = variable("XDG_DATA_HOME").filter(|dir| ownership::is_ours(dir));
        let data = data.unwrap_or_else(|| home.join(".local/share"));
        // Without /proc it is found by its name.
        let program = std::env::current_exe().unwrap_or_else(|_| "postie".into());
        Ok(Self { home, data, program })
    }
}

/// Returns whether this run is root's.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// An absolute path in the environment.
pub(super) fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}
