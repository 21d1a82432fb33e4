//! The user's directories for configuration, state and data: of the XDG variables and HOME those that
//! belong to the user, else those of the password database. Makes none of them.

use std::path::{Path, PathBuf};

use super::error::Error;
use crate::ownership;

/// The directories of this user. One that the environment names counts if it is absolute and
/// belongs to the user (if it does not exist: its nearest existing ancestor), since the environment
/// may be that of another user, as under `sudo` and `su`. A user without an entry in the password
/// database, as in a container, may have none of them.
pub(super) struct Directories {
    pub(super) home: Option<PathBuf>,
    /// `postie/` in `XDG_CONFIG_HOME`, else in `~/.config`.
    pub(super) config: Option<PathBuf>,
    /// `postie/` in `XDG_STATE_HOME`, else in `~/.local/state`.
    pub(super) state: Option<PathBuf>,
    /// The state directories of runs with another environment: in the home directory that this one
    /// names, and in that of the password database.
    pub(super) other_states: Vec<PathBuf>,
}

impl Directories {
    pub(super) fn from_environment() -> Self {
        let home = match variable("HOME") {
            Some(named) if named != Path::new("/") && ownership::is_ours(&named) => Some(named),
            _ => ownership::home(),
        };
        let named = |name| variable(name).map(|dir| dir.join("postie"));
        let config = match named("XDG_CONFIG_HOME") {
            // What is only read may be root's.
            Some(dir) if ownership::is_ours_or_roots(&dir) => Some(dir),
            _ => home.as_deref().map(|home| home.join(".config/postie")),
        };
        let below = |home: &Path| home.join(".local/state/postie");
        let state = match named("XDG_STATE_HOME") {
            // The owner of the directory above could put another one in its place.
            Some(dir)
                if ownership::is_ours(&dir)
                    && dir.parent().is_some_and(ownership::is_ours_or_roots) =>
            {
                Some(dir)
            }
            _ => home.as_deref().map(below),
        };
        let mut other_states = Vec::new();
        for home in [home.clone(), ownership::home()].into_iter().flatten() {
            let other = below(&home);
            let is_known = state.as_ref() == Some(&other) || other_states.contains(&other);
            if !is_known && ownership::is_ours(&other) {
                other_states.push(other);
            }
        }
        Self { home, config, state, other_states }
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
        let home = Directories::from_environment().home.ok_or(Error::NoHome)?;
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
