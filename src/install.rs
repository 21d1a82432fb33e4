//! `postie install`, `postie man` and `postie completions`: the manual pages, completions and systemd
//! units that are embedded in the program, put where they belong, or printed.
//!
//! A record of what was put there lies beside it, with the digest of each file. A file is replaced or
//! removed only if the record names it and its digest is the one recorded.

mod digest;
mod files;
mod record;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use self::digest::Digest;
use self::files::Found;
use self::record::Record;
use crate::cli;
use crate::error::{Error, Exit, Failure};
use crate::report::{self, Report, count};
use crate::settings::{self, Settings};

/// The manual pages: file name and text.
pub const PAGES: &[(&str, &str)] = &[
    ("postie.1", include_str!("../man/postie.1")),
    ("postie-fetch.1", include_str!("../man/postie-fetch.1")),
    ("postie-send.1", include_str!("../man/postie-send.1")),
    ("postie-queue.1", include_str!("../man/postie-queue.1")),
    ("postie-import.1", include_str!("../man/postie-import.1")),
    ("postie-check.1", include_str!("../man/postie-check.1")),
    ("postie-install.1", include_str!("../man/postie-install.1")),
    ("postie-submit-server.1", include_str!("../man/postie-submit-server.1")),
    ("postie-setup.1", include_str!("../man/postie-setup.1")),
    ("postie-login.1", include_str!("../man/postie-login.1")),
    ("postie-config.5", include_str!("../man/postie-config.5")),
    ("postie-providers.7", include_str!("../man/postie-providers.7")),
    ("postie-recipes.7", include_str!("../man/postie-recipes.7")),
];

/// The completions: the shell's name, the file's, and the text.
pub const COMPLETIONS: &[(&str, &str, &str)] = &[
    ("bash", "postie.bash", include_str!("../completions/postie.bash")),
    ("zsh", "_postie", include_str!("../completions/_postie")),
    ("fish", "postie.fish", include_str!("../completions/postie.fish")),
    ("elvish", "postie.elv", include_str!("../completions/postie.elv")),
    ("powershell", "_postie.ps1", include_str!("../completions/_postie.ps1")),
];

/// The units of each user's systemd: file name and text, in which [`PROGRAM`] stands for the program.
const UNITS: &[(&str, &str)] = &[
    ("postie-fetch.service", include_str!("install/units/user/postie-fetch.service")),
    ("postie-fetch.timer", include_str!("install/units/user/postie-fetch.timer")),
    ("postie-queue.service", include_str!("install/units/user/postie-queue.service")),
    ("postie-queue.timer", include_str!("install/units/user/postie-queue.timer")),
];

/// The units of the system's systemd, which send for all users, and the entry of the user that they
/// run as.
const SYSTEM_UNITS: &[(&str, &str)] = &[
    ("postie-queue.service", include_str!("install/units/system/postie-queue.service")),
    ("postie-queue.timer", include_str!("install/units/system/postie-queue.timer")),
    ("postie-submit.socket", include_str!("install/units/system/postie-submit.socket")),
    ("postie-submit@.service", include_str!("install/units/system/postie-submit@.service")),
    (SYSTEM_USER, include_str!("install/units/system/postie.conf")),
];

/// The description of the system's user (sysusers.d(5)).
const SYSTEM_USER: &str = "postie.conf";

/// Stands for the program in a unit.
const PROGRAM: &str = "@POSTIE@";

/// The prefix for root if none is named.
const SYSTEM: &str = "/usr/local";

/// Installs, lists or removes, as the command line says.
pub fn install(args: &cli::Install, report: &Report) -> Exit {
    let done = Places::new(args).and_then(|places| {
        let record = Record::read(&places.record)?;
        if args.list {
            list(&places, &record, report)
        } else if args.remove {
            remove(&places, &record, report)
        } else {
            put(&places, &record, report)
        }
    });
    match done {
        Ok(exit) => exit,
        Err(error) => refuse("install", &error, report),
    }
}

/// Prints a manual page. `name` is the file's, with or without `postie-` and the section.
pub fn man(name: &str, report: &Report) -> Exit {
    // These have no page of their own.
    let name = match name {
        "man" | "completions" => "install",
        "help" | "version" => "postie",
        name => name,
    };
    let is_named = |file: &str| {
        let page = file.rsplit_once('.').map_or(file, |(page, _)| page);
        [file, page, page.trim_start_matches("postie-")].contains(&name)
    };
    if let Some((_, text)) = PAGES.iter().find(|(file, _)| is_named(file)) {
        return print("man", text, report);
    }
    let names = PAGES.iter().filter_map(|(file, _)| Some(file.rsplit_once('.')?.0));
    let names = names.collect::<Vec<_>>().join(", ");
    let line = format!("no page `{name}`; there are {names}");
    report::usage_error(&line);
    if report.is_json() {
        report::misuse_object(&line);
    }
    Exit::Usage
}

/// Prints the completions of a shell.
pub fn completions(shell: &str, report: &Report) -> Exit {
    // Another shell is a usage error before it comes here.
    let found = COMPLETIONS.iter().find(|(name, ..)| *name == shell);
    found.map_or(Exit::Usage, |(.., text)| print("completions", text, report))
}

/// Prints names for a completion script, one per line.
pub fn names(settings: &Settings, names: cli::Names, report: &Report) -> Exit {
    let mut text = String::new();
    let mut add = |name: &str| {
        if !name.contains(char::is_control) {
            text += name;
            text += "\n";
        }
    };
    match names {
        cli::Names::Accounts => settings.account_names().for_each(add),
        cli::Names::Messages => {
            for outbox in settings.outboxes() {
                // An outbox that cannot be read has nothing to offer; `postie queue` says why.
                let Ok(entries) = outbox.list() else { continue };
                for entry in entries {
                    add(&entry.id.to_string());
                }
            }
        }
    }
    print("completions", &text, report)
}

fn print(command: &'static str, text: &str, report: &Report) -> Exit {
    let mut output = report::output();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    match report::written(written) {
        Ok(()) => Exit::Done,
        Err(error) => refuse(command, &error, report),
    }
}

fn refuse(command: &'static str, error: &Error, report: &Report) -> Exit {
    report.sole_failure(&Failure { command, account: None, peer: None, error, lasting: None });
    error.into()
}

/// A file to be installed.
struct Piece {
    path: PathBuf,
    text: String,
}

impl Piece {
    fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }
}

/// The paths of one installation: a user's, or a prefix's.
struct Places {
    pieces: Vec<Piece>,
    record: PathBuf,
    /// The name for people: `/usr/local`, or `this user`.
    title: String,
}

impl Places {
    fn new(args: &cli::Install) -> Result<Self, Error> {
        match &args.prefix {
            Some(prefix) => {
                let prefix = std::path::absolute(prefix);
                Ok(Self::system(&prefix.map_err(|source| Error::Install {
                    doing: "find",
                    path: args.prefix.clone().unwrap_or_default(),
                    source,
                })?))
            }
            None if !args.user && settings::is_root() => Ok(Self::system(Path::new(SYSTEM))),
            None => Self::user(),
        }
    }

    /// Below a prefix, for all users. systemd looks for the program, which has no path in the units,
    /// in `/usr/local/bin`, `/usr/bin` and their `sbin`.
    fn system(prefix: &Path) -> Self {
        let (share, lib) = (prefix.join("share"), prefix.join("lib"));
        let mut pieces = pieces(&share.join("man"), &share, &lib.join("systemd/user"), "postie");
        for (name, text) in SYSTEM_UNITS {
            let dir = if *name == SYSTEM_USER { "sysusers.d" } else { "systemd/system" };
            let (path, text) = (lib.join(dir).join(name), text.replace(PROGRAM, "postie"));
            pieces.push(Piece { path, text });
        }
        let title = prefix.display().to_string();
        Self { pieces, record: share.join("postie/installed"), title }
    }

    /// The paths for this user only, in `XDG_DATA_HOME`.
    fn user() -> Result<Self, Error> {
        let user = settings::UserPlaces::from_environment()?;
        // man(1) looks beside each `bin` in PATH. A program in `~/.cargo/bin` has its pages there.
        let beside = user.program.parent().filter(|bin| bin.ends_with("bin"));
        let beside = beside.and_then(Path::parent).filter(|dir| dir.starts_with(&user.home));
        let share = beside.map_or_else(|| user.data.clone(), |dir| dir.join("share"));
        let program = quoted(&user.program);
        let pieces =
            pieces(&share.join("man"), &user.data, &user.data.join("systemd/user"), &program);
        let record = user.data.join("postie/installed");
        Ok(Self { pieces, record, title: "this user".into() })
    }
}

fn pieces(man: &Path, share: &Path, units: &Path, program: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut add = |path: PathBuf, text: String| pieces.push(Piece { path, text });
    for (name, text) in PAGES {
        let section = name.rsplit_once('.').map_or("1", |(_, section)| section);
        add(man.join(format!("man{section}")).join(name), (*text).into());
    }
    for (shell, _, text) in COMPLETIONS {
        // The others have no place where they look by themselves.
        let place = match *shell {
            "bash" => "bash-completion/completions/postie",
            "zsh" => "zsh/site-functions/_postie",
            "fish" => "fish/vendor_completions.d/postie.fish",
            _ => continue,
        };
        add(share.join(place), (*text).into());
    }
    for (name, text) in UNITS {
        add(units.join(name), text.replace(PROGRAM, program));
    }
    pieces
}

/// A path as a word of a unit (systemd.syntax(7), systemd.unit(5) on specifiers).
fn quoted(program: &Path) -> String {
    let path = program.display().to_string().replace('%', "%%");
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "/._-+@%~".contains(c);
    if path.chars().all(is_bare) {
        return path;
    }
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The state of a file to install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Missing.
    Missing,
    /// The piece itself.
    Installed,
    /// An older or newer version that is recorded, unchanged.
    Outdated,
    /// Another file, which stays as it is.
    Foreign,
}

impl State {
    fn of(piece: &Piece, record: &Record) -> Result<Self, Error> {
        Ok(match files::look(&piece.path)? {
            Found::Nothing => Self::Missing,
            Found::File(digest) if digest == piece.digest() => Self::Installed,
            Found::File(digest) if record.proves(&piece.path, &digest) => Self::Outdated,
            Found::File(_) | Found::Other => Self::Foreign,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Installed => "installed",
            Self::Outdated => "outdated",
            Self::Foreign => "foreign",
        }
    }
}

fn list(places: &Places, record: &Record, report: &Report) -> Result<Exit, Error> {
    for piece in &places.pieces {
        let state = State::of(piece, record)?.word();
        if report.is_json() {
            report.object(&json!({ "path": shown(&piece.path), "state": state }))?;
        } else {
            report.answer(format_args!("{state:9} {}", piece.path.display()))?;
        }
    }
    Ok(Exit::Done)
}

fn put(places: &Places, record: &Record, report: &Report) -> Result<Exit, Error> {
    let states = places.pieces.iter().map(|piece| State::of(piece, record));
    let states = states.collect::<Result<Vec<_>, _>>()?;
    let all = || places.pieces.iter().zip(&states);
    if let Some((piece, _)) = all().find(|(_, state)| **state == State::Foreign) {
        return Err(Error::NotInstalled(piece.path.clone()));
    }
    let wanted: Vec<_> = all()
        .filter(|(_, state)| matches!(state, State::Missing | State::Outdated))
        .map(|(piece, _)| piece)
        .collect();
    // What an older version had and this one has not.
    let is_gone = |path: &Path| !places.pieces.iter().any(|piece| piece.path == path);
    let gone: Vec<_> = record.files().filter(|(path, _)| is_gone(path)).collect();
    if !wanted.is_empty() || !gone.is_empty() {
        // The record is first, and has both digests of what is replaced: wherever this is cut off, the
        // next run knows what is its own.
        let mut next = record.clone();
        for piece in &wanted {
            next.add_directories(&piece.path);
            next.add(&piece.path, piece.digest());
        }
        next.add_directories(&places.record);
        next.write(&places.record)?;
        for piece in &wanted {
            files::write(&piece.path, piece.text.as_bytes())?;
        }
        for (path, digest) in gone {
            take(path, digest, report)?;
        }
        for piece in &places.pieces {
            next.keep_only(&piece.path, &piece.digest());
        }
        next.drop_files(is_gone);
        next.write(&places.record)?;
    }
    let number = wanted.len();
    let sentence = match number {
        0 => format!("everything is installed for {}", places.title),
        _ => format!("{} installed for {}", count(number, "file"), places.title),
    };
    report.result(Some(&sentence), || {
        let paths: Vec<_> = wanted.iter().map(|piece| shown(&piece.path)).collect();
        json!({ "installed": paths })
    })?;
    Ok(Exit::Done)
}

fn remove(places: &Places, record: &Record, report: &Report) -> Result<Exit, Error> {
    let mut removed = Vec::new();
    for (path, digest) in record.files() {
        if take(path, digest, report)? {
            removed.push(shown(path));
        }
    }
    // The record goes when all that it proves is gone; its own directories go with it.
    files::remove_directories(record.directories());
    files::remove(&places.record)?;
    files::remove_directories(record.directories());
    let sentence = match removed.len() {
        0 => format!("nothing was installed for {}", places.title),
        number => format!("{} removed for {}", count(number, "file"), places.title),
    };
    report.result(Some(&sentence), || json!({ "removed": removed }))?;
    Ok(Exit::Done)
}

/// Removes a recorded file that is as it was recorded; whether it did.
fn take(path: &Path, digests: &[Digest], report: &Report) -> Result<bool, Error> {
    match files::look(path)? {
        Found::Nothing => Ok(false),
        Found::File(digest) if digests.contains(&digest) => {
            files::remove(path)?;
            Ok(true)
        }
        Found::File(_) | Found::Other => {
            report.warn(format_args!(
                "install: {} was changed since it was installed, and is kept",
                path.display()
            ));
            Ok(false)
        }
    }
}

/// A path for programs.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_page_and_completion_is_embedded() {
        let names = |dir: &str| {
            let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)).unwrap();
            let files = entries.map(Result::unwrap).filter(|entry| entry.path().is_file());
            let names = files.map(|entry| entry.file_name().into_string().unwrap());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        };
        let sorted = |mut names: Vec<&'static str>| {
            names.sort_unstable();
            names
        };
        assert_eq!(names("man"), sorted(PAGES.iter().map(|(name, _)| *name).collect()));
        let completions = COMPLETIONS.iter().map(|(_, name, _)| *name).collect();
        assert_eq!(names("completions"), sorted(completions));
        let units = |known: &[(&'static str, &str)]| known.iter().map(|(name, _)| *name).collect();
        assert_eq!(names("src/install/units/user"), sorted(units(UNITS)));
        assert_eq!(names("src/install/units/system"), sorted(units(SYSTEM_UNITS)));
    }

    #[test]
    fn a_program_is_one_word_of_its_unit() {
        assert_eq!(quoted(Path::new("/home/ann/.cargo/bin/postie")), "/home/ann/.cargo/bin/postie");
        assert_eq!(quoted(Path::new("/a b/100%/po\"stie")), "\"/a b/100%%/po\\\"stie\"");
    }
}
