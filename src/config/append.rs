//! Adding to a configuration file, and writing the files with the passwords that it names. What is
//! there stays as it is; what is added is whole and durable, or an error says so.

use std::fs::{DirBuilder, File as OsFile, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Error, File};
use crate::bounded;
use crate::limits;
use crate::ownership;
use crate::text::Secret;

/// Adds `added` to the end of the configuration file at `path`, which is created, readable by its
/// owner only, if it does not exist. Refuses an account that the file has already, and an addition
/// that would make the file unreadable.
///
/// # Errors
///
/// Returns an error if the account exists, the result would not load, or the file cannot be
/// written.
pub fn append(path: &Path, added: &str) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    // The directory of dotfiles behind a link is where the file is; the link stays.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let old = match OsFile::open(&target) {
        Ok(file) => {
            ownership::check_writers(&file, path)?;
            bounded::read_text(&file, limits::CONFIG).map_err(|source| Error::read(path, source))?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => zeroize::Zeroizing::default(),
        Err(error) => return Err(Error::read(path, error)),
    };
    let glue = match old.as_str() {
        "" => "",
        old if old.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let whole = [old.as_str(), glue, added].concat();
    let (before, has_password) = File::parse(&old, path)?;
    let names = File::parse(added, path)?.0.account.into_keys();
    if let Some(name) = names.into_iter().find(|name| before.account.contains_key(name)) {
        return Err(Error::AccountExists { path: path.to_owned(), name });
    }
    File::parse(&whole, path)?;
    if u64::try_from(whole.len()).is_ok_and(|length| length > limits::CONFIG) {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    let made = make_directories(&target).map_err(failed)?;
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).mode(0o600).open(&target).map_err(failed)?;
    if has_password {
        ownership::check_readers(&file, path)?;
    }
    let length = file.metadata().map_err(failed)?.len();
    let written = (&file).write_all(format!("{glue}{added}").as_bytes());
    if let Err(error) = written.and_then(|()| file.sync_all()) {
        // Half an account is worse than none.
        drop(file.set_len(length));
        return Err(failed(error));
    }
    sync_names(&target, &made).map_err(failed)
}

/// Writes a password to a new file, which its owner alone may read: all of it, or no file. One that
/// is there with the same password will do; another is left as it is, and is an error.
pub fn write_secret(path: &Path, secret: &Secret) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let made = make_directories(path).map_err(failed)?;
    let mut file = tempfile::Builder::new()
        .prefix(".password-")
        .tempfile_in(directory(path))
        .map_err(failed)?;
    writeln!(file, "{}", secret.expose()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            let there = OsFile::open(path).map_err(failed)?;
            ownership::check_writers(&there, path)?;
            ownership::check_readers(&there, path)?;
            let found = bounded::read_text(&there, limits::SECRET).map_err(failed)?;
            if found.strip_suffix('\n').unwrap_or(&found) != secret.expose() {
                return Err(failed(error.error));
            }
        }
        Err(error) => return Err(failed(error.error)),
    }
    sync_names(path, &made).map_err(failed)
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the directories that lead to a file, for their owner alone; those that were not there.
fn make_directories(path: &Path) -> io::Result<Vec<PathBuf>> {
    let dir = directory(path);
    let is_missing = |dir: &&Path| !dir.as_os_str().is_empty() && !dir.exists();
    let missing = dir.ancestors().take_while(is_missing).map(Path::to_owned).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    Ok(missing)
}

/// Makes durable the name of a file and those of the directories that were made for it.
fn sync_names(path: &Path, made: &[PathBuf]) -> io::Result<()> {
    let named = std::iter::once(path).chain(made.iter().map(PathBuf::as_path));
    named.map(directory).try_for_each(|dir| OsFile::open(dir)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const HOME: &str = "[account.home]\nserver = \"a.example\"\nuser = \"ann\"\n";
    const WORK: &str = "[account.work.fetch]\nserver = \"b.example\"\nuser = \"ann\"\n";

    #[test]
    fn what_is_there_stays_and_what_is_added_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/config.toml");
        append(&path, HOME).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&dir.path().join("a"))), (0o600, 0o700));
        assert_eq!(fs::read_to_string(&path).unwrap(), HOME);
        append(&path, WORK).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{HOME}\n{WORK}"));
        assert_eq!(File::read(&path).unwrap().account.len(), 2);
    }

    #[test]
    fn an_account_that_is_there_is_not_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        append(&path, HOME).unwrap();
        // TOML itself would let a table below this one be added.
        let more = "[account.home.fetch]\nkeep = \"none\"\n";
        assert!(matches!(append(&path, more), Err(Error::AccountExists { .. })));
        assert!(matches!(append(&path, "default = \"home\"\n"), Err(Error::Wrong { .. })));
        assert!(matches!(append(&path, "[account.x]\nkep = 1\n"), Err(Error::Wrong { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), HOME);
    }

    #[test]
    fn a_file_behind_a_link_is_added_to_and_the_link_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("dotfile"), dir.path().join("config.toml"));
        append(&file, HOME).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        append(&link, WORK).unwrap();
        assert_eq!(File::read(&file).unwrap().account.len(), 2);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_password_file_is_private_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("home.password");
        write_secret(&path, &Secret::new("not-a-secret")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "not-a-secret\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        write_secret(&path, &Secret::new("not-a-secret")).unwrap();
        assert!(write_secret(&path, &Secret::new("another")).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "not-a-secret\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
    }
}
