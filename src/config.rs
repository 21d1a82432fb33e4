//! `config.toml`: read, checked key by key, and turned into types. Which table wins over which is
//! [`Table::over`]'s business; what a job needs of them, that of `settings`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use toml::de::{DeTable, DeValue};

use crate::limits;
use crate::text::{Domain, EhloName, Mailbox, Secret, plain, shown};

/// What is wrong with a configuration file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read {}: {}", path.display(), plain(source))]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It holds a password, and others may read it.
    #[error("{} holds a password and others may read it: `chmod 600` it, or use `password-command`", .0.display())]
    Exposed(PathBuf),
    /// It does not say what it should.
    #[error("{}:{line}: {what}", path.display())]
    Wrong {
        /// Which.
        path: PathBuf,
        /// Where in it, counted from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
}

/// A whole configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct File {
    /// The account to send with when nothing else decides.
    pub default: Option<String>,
    /// What holds for every account that does not say otherwise.
    pub defaults: Table,
    /// The accounts.
    pub account: BTreeMap<String, Table>,
}

/// A table of an account, of one of its sides, or of the defaults; or what the command line says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Table {
    /// Where the mail is.
    #[serde(deserialize_with = "parsed")]
    pub server: Option<Server>,
    /// If not the one that follows from `tls`.
    #[serde(deserialize_with = "number::<_, _, 65_535>")]
    pub port: Option<u16>,
    /// How the conversation becomes private.
    #[serde(deserialize_with = "parsed")]
    pub tls: Option<Tls>,
    /// Who logs in.
    pub user: Option<String>,
    /// The password itself.
    #[serde(deserialize_with = "secret")]
    pub password: Option<Secret>,
    /// A program that prints it.
    pub password_command: Option<PasswordCommand>,
    /// A file that holds it.
    pub password_file: Option<PathBuf>,
    /// Seconds to wait for each step of the network.
    #[serde(deserialize_with = "number::<_, _, 4_294_967_295>")]
    pub timeout: Option<u32>,
    /// The authorities to trust instead of the usual ones.
    pub ca_file: Option<PathBuf>,
    /// Where fetched messages go.
    pub maildir: Option<PathBuf>,
    /// What becomes of them on the server.
    #[serde(deserialize_with = "parsed")]
    pub keep: Option<Keep>,
    /// The sender's address.
    #[serde(deserialize_with = "parsed")]
    pub from: Option<Mailbox>,
    /// What this machine calls itself.
    #[serde(deserialize_with = "parsed")]
    pub hello: Option<EhloName>,
    /// What holds for fetching only.
    pub fetch: Option<Box<Self>>,
    /// What holds for sending only.
    pub send: Option<Box<Self>>,
}

impl Table {
    /// What this table says, and where it says nothing, what the one below it does.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        let has_password = self.password.is_some()
            || self.password_command.is_some()
            || self.password_file.is_some();
        // A password from here is not to be outdone by another kind of source below, and a port
        // belongs to the server that it was written for.
        let (secrets, port) = (!has_password, self.server.is_none());
        Self {
            port: self.port.or(below.port.filter(|_| port)),
            server: self.server.or(below.server),
            tls: self.tls.or(below.tls),
            user: self.user.or(below.user),
            password: self.password.or(below.password.filter(|_| secrets)),
            password_command: self.password_command.or(below.password_command.filter(|_| secrets)),
            password_file: self.password_file.or(below.password_file.filter(|_| secrets)),
            timeout: self.timeout.or(below.timeout),
            ca_file: self.ca_file.or(below.ca_file),
            maildir: self.maildir.or(below.maildir),
            keep: self.keep.or(below.keep),
            from: self.from.or(below.from),
            hello: self.hello.or(below.hello),
            fetch: self.fetch.or(below.fetch),
            send: self.send.or(below.send),
        }
    }
}

/// A host name or address, and perhaps a port: `HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The host.
    pub host: Domain,
    /// The port, if it was named.
    pub port: Option<u16>,
}

impl FromStr for Server {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        let wrong = |reason: String| WrongValue { found: shown(text), expected: reason };
        // An IPv6 address has colons of its own, so its port needs brackets around it.
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                let port = port.parse().ok().filter(|&port: &u16| port > 0);
                (host, Some(port.ok_or_else(|| wrong("a port from 1 to 65535".to_owned()))?))
            }
            _ => (text, None),
        };
        let host =
            host.parse().map_err(|_| wrong("a host name, as HOST or HOST:PORT".to_owned()))?;
        Ok(Self { host, port })
    }
}

/// How a conversation becomes private.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// TLS from the first octet (RFC 8314 §3).
    #[default]
    Implicit,
    /// TLS after STLS or STARTTLS, without which nothing goes on.
    Starttls,
    /// None, which only a peer on this machine may have.
    None,
}

impl Tls {
    /// Every way, by name.
    pub const NAMES: [(&'static str, Self); 3] =
        [("implicit", Self::Implicit), ("starttls", Self::Starttls), ("none", Self::None)];
}

impl FromStr for Tls {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        let known = Self::NAMES.iter().find(|(name, _)| *name == text);
        known.map(|&(_, tls)| tls).ok_or_else(|| WrongValue {
            found: shown(text),
            expected: "`implicit`, `starttls` or `none`".to_owned(),
        })
    }
}

/// What becomes of a message on the server when it is safe on this side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// It stays.
    #[default]
    Forever,
    /// It is deleted so many days after it was fetched; 0 days is at once.
    Days(u32),
}

impl FromStr for Keep {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        let days = |text: &str| text.strip_suffix('d')?.parse().ok().map(Self::Days);
        match text {
            "forever" => Ok(Self::Forever),
            "none" => Ok(Self::Days(0)),
            _ => days(text).ok_or_else(|| WrongValue {
                found: shown(text),
                expected: "`forever`, `none` or a number of days such as `30d`".to_owned(),
            }),
        }
    }
}

/// A program that prints a password.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged, expecting = "expected a command as text, or a list of its words")]
pub enum PasswordCommand {
    /// A line for `sh -c`.
    Shell(String),
    /// A program and its arguments.
    Words(Vec<String>),
}

/// A value that is not one of those that can stand there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found `{found}`")]
pub struct WrongValue {
    found: String,
    expected: String,
}

impl File {
    /// Reads a configuration file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        let text = text(file).map_err(failed)?;
        let (file, has_password) = Self::parse(&text, path)?;
        if has_password && mode & 0o077 != 0 {
            return Err(Error::Exposed(path.to_owned()));
        }
        Ok(file)
    }

    /// The contents of a file, and whether there is a password among them.
    fn parse(text: &str, path: &Path) -> Result<(Self, bool), Error> {
        let wrong = |at: usize, what: String| {
            let before = text.get(..at).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            Error::Wrong { path: path.to_owned(), line, what }
        };
        let syntax = |error: &toml::de::Error| {
            wrong(error.span().unwrap_or_default().start, shown(error.message()))
        };
        let root = DeTable::parse(text).map_err(|error| syntax(&error))?;
        let mut check = Check { has_password: false };
        check.root(root.get_ref()).map_err(|(at, what)| wrong(at, what))?;
        let file = toml::from_str(text).map_err(|error| syntax(&error))?;
        Ok((file, check.has_password))
    }
}

/// Goes through all keys before their values are looked at, so that a misspelt one is reported
/// with its place and the one that was probably meant.
struct Check {
    has_password: bool,
}

/// Where in the text, and what is wrong there.
type Finding = (usize, String);

impl Check {
    fn root(&mut self, table: &DeTable<'_>) -> Result<(), Finding> {
        for (key, value) in table {
            let at = key.span().start;
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("default", _) => {}
                ("defaults", DeValue::Table(table)) => self.table(table, Place::Account)?,
                ("account", DeValue::Table(accounts)) => {
                    for (name, account) in accounts {
                        let DeValue::Table(table) = account.get_ref() else {
                            let name = shown(name.get_ref());
                            let what = format!("expected an account, as in [account.{name}]");
                            return Err((account.span().start, what));
                        };
                        self.table(table, Place::Account)?;
                    }
                }
                (name @ ("defaults" | "account"), _) => {
                    return Err((at, format!("expected a table, as in [{name}]")));
                }
                (name, _) => {
                    let known = ["default", "defaults", "account"];
                    // Most likely an account's key above the first [account.NAME].
                    let account = KEYS.iter().any(|key| key.name == name);
                    let what = if account {
                        format!("`{}` belongs into an [account.NAME] or [defaults]", shown(name))
                    } else {
                        unknown(name, known.into_iter())
                    };
                    return Err((at, what));
                }
            }
        }
        Ok(())
    }

    fn table(&mut self, table: &DeTable<'_>, place: Place) -> Result<(), Finding> {
        let mut source: Option<&str> = None;
        for (key, value) in table {
            let (at, name) = (key.span().start, key.get_ref().as_ref());
            match (name, place, value.get_ref()) {
                ("fetch", Place::Account, DeValue::Table(side)) => {
                    self.table(side, Place::Fetch)?;
                    continue;
                }
                ("send", Place::Account, DeValue::Table(side)) => {
                    self.table(side, Place::Send)?;
                    continue;
                }
                _ => {}
            }
            if !KEYS.iter().any(|known| known.name == name && known.may_stand_in(place)) {
                if let Some(known) = KEYS.iter().find(|known| known.name == name) {
                    return Err((at, format!("`{name}` is for {} only", known.place)));
                }
                let known = KEYS.iter().filter(|known| known.may_stand_in(place));
                return Err((at, unknown(name, known.map(|known| known.name))));
            }
            // What the parser would say of a number here shows the number.
            if name == "password" && !value.get_ref().is_str() {
                return Err((at, "`password` is text and stands in quotes".to_owned()));
            }
            if name.starts_with("password") {
                self.has_password |= name == "password";
                if let Some(other) = source {
                    return Err((at, format!("`{other}` and `{name}`: one of them is too many")));
                }
                source = Some(name);
            }
        }
        Ok(())
    }
}

/// What to say of a key that nobody knows.
fn unknown(name: &str, known: impl Iterator<Item = &'static str>) -> String {
    let found = shown(name);
    match nearest(name, known) {
        Some(meant) => format!("unknown key `{found}`, did you mean `{meant}`?"),
        None => format!("unknown key `{found}`"),
    }
}

/// The one of `known` that was probably meant.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &str| strsim::jaro_winkler(name, known);
    known
        .map(|known| (known, likeness(known)))
        .filter(|&(_, likeness)| likeness > 0.8)
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .map(|(known, _)| known)
}

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `[account.NAME]` or `[defaults]`.
    Account,
    /// `[account.NAME.fetch]`.
    Fetch,
    /// `[account.NAME.send]`.
    Send,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "accounts",
            Self::Fetch => "fetching",
            Self::Send => "sending",
        })
    }
}

/// A key, as the manual shows it.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// [`Place::Account`]: it may stand anywhere.
    pub place: Place,
    /// What a value looks like.
    pub value: &'static str,
    /// What it does.
    pub text: &'static str,
}

impl Key {
    fn may_stand_in(&self, place: Place) -> bool {
        place == Place::Account || self.place == Place::Account || self.place == place
    }
}

/// Every key of an account.
pub const KEYS: [Key; 13] = [
    Key {
        name: "server",
        place: Place::Account,
        value: "\"HOST\"",
        text: "The host that keeps the mail, and takes it. Its certificate must be for this name. \
               A port may follow, as in \"HOST:PORT\".",
    },
    Key {
        name: "user",
        place: Place::Account,
        value: "\"NAME\"",
        text: "The name to log in with; often the whole address.",
    },
    Key {
        name: "password-command",
        place: Place::Account,
        value: "\"LINE\" | [\"WORD\", ...]",
        text: "A command that prints the password, or prints it on its first line: a line for sh, \
               or a list of words that is run as it stands.",
    },
    Key {
        name: "password-file",
        place: Place::Account,
        value: "\"FILE\"",
        text: "A file whose first line is the password.",
    },
    Key {
        name: "password",
        place: Place::Account,
        value: "\"TEXT\"",
        text: "The password itself. The configuration file is refused if others may read it. \
               Without any of the three, the password is asked for at the terminal.",
    },
    Key {
        name: "tls",
        place: Place::Account,
        value: "\"implicit\" | \"starttls\" | \"none\"",
        text: "How the conversation becomes private: TLS from the start (the default), or after \
               STLS or STARTTLS, without which nothing is said. \"none\" is for a server on this \
               machine's loopback address and is refused for any other.",
    },
    Key {
        name: "port",
        place: Place::Account,
        value: "NUMBER",
        text: "If it is not the usual one: 995 and 465 for implicit TLS, 110 and 587 for STLS and \
               STARTTLS and for none.",
    },
    Key {
        name: "ca-file",
        place: Place::Account,
        value: "\"FILE\"",
        text: "Certification authorities to trust instead of the usual ones, as PEM.",
    },
    Key {
        name: "timeout",
        place: Place::Account,
        value: "SECONDS",
        text: "How long to wait for each step of the network; 60 if it is not given.",
    },
    Key {
        name: "maildir",
        place: Place::Fetch,
        value: "\"DIRECTORY\"",
        text: "Where messages go; ~/Maildir if it is not given. It is created if its parent exists.",
    },
    Key {
        name: "keep",
        place: Place::Fetch,
        value: "\"forever\" | \"none\" | \"30d\"",
        text: "What becomes of a message on the server when it is safe on this side: it stays (the \
               default), goes at once, or goes so many days after it was fetched.",
    },
    Key {
        name: "from",
        place: Place::Send,
        value: "\"ADDRESS\"",
        text: "The sender's address; the user name if it is not given and has an @.",
    },
    Key {
        name: "hello",
        place: Place::Send,
        value: "\"NAME\"",
        text: "What this machine calls itself to the server; the domain of the sender's address if \
               it is not given.",
    },
];

/// The text of a file, within bounds.
#[expect(clippy::disallowed_methods, reason = "its size is bounded")]
fn text(file: std::fs::File) -> io::Result<String> {
    let mut text = String::new();
    file.take(limits::CONFIG).read_to_string(&mut text)?;
    Ok(text)
}

fn parsed<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

fn number<'de, D, T, const LAST: u32>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u32>,
{
    let number = u32::deserialize(deserializer).ok().filter(|number| *number > 0);
    let wrong = || serde::de::Error::custom(format_args!("expected a number from 1 to {LAST}"));
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(wrong).map(Some)
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    String::deserialize(deserializer).map(|text| Some(Secret::new(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File, String> {
        File::parse(text, Path::new("c.toml"))
            .map(|(file, _)| file)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn three_facts_make_an_account() {
        let file = parse(
            "[account.home]\nserver = \"Mail.Example.com\"\nuser = \"ann@example.com\"\n\
             password-command = \"pass show mail/home\"\n",
        )
        .unwrap();
        let home = &file.account["home"];
        assert_eq!(home.server.as_ref().unwrap().host.as_str(), "mail.example.com");
        let command = PasswordCommand::Shell("pass show mail/home".to_owned());
        assert_eq!(home.password_command, Some(command));
    }

    #[test]
    fn every_key_is_known_to_both_the_check_and_the_types() {
        let every = "server = \"h:1\"\nuser = \"u\"\npassword-file = \"f\"\ntls = \"starttls\"\n\
                     port = 5\nca-file = \"c\"\ntimeout = 3\n";
        let fetch = "maildir = \"m\"\nkeep = \"30d\"\npassword-command = [\"a\", \"b\"]\n";
        let send = "from = \"a@x\"\nhello = \"h.x\"\npassword = \"p\"\n";
        let file = parse(&format!(
            "default = \"a\"\n[defaults]\n{every}\n[account.a]\n{every}{fetch}\
             [account.b.fetch]\n{fetch}[account.b.send]\n{send}"
        ));
        // `password-file` and `password-command` in one table is one too many.
        let error = file.unwrap_err();
        assert!(error.ends_with("one of them is too many"), "{error}");
        let named: String = [every, fetch, send].concat();
        for key in &KEYS {
            assert!(named.contains(&format!("{} = ", key.name)), "{}", key.name);
        }
        let text =
            format!("[account.b]\n{every}[account.b.fetch]\n{fetch}[account.b.send]\n{send}");
        let (file, has_password) = File::parse(&text, Path::new("c.toml")).unwrap();
        assert!(has_password);
        let fetch = file.account["b"].fetch.clone().unwrap();
        assert_eq!((fetch.keep, fetch.maildir), (Some(Keep::Days(30)), Some("m".into())));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            (
                "[account.a]\npasword = \"x\"\n",
                "c.toml:2: unknown key `pasword`, did you mean `password`?",
            ),
            ("[acount.a]\n", "c.toml:1: unknown key `acount`, did you mean `account`?"),
            (
                "\nserver = \"x\"\n",
                "c.toml:2: `server` belongs into an [account.NAME] or [defaults]",
            ),
            ("[account]\nhome = 1\n", "c.toml:2: expected an account, as in [account.home]"),
            ("account = 1\n", "c.toml:1: expected a table, as in [account]"),
            ("[account.a.send]\nkeep = \"none\"\n", "c.toml:2: `keep` is for fetching only"),
            ("[account.a]\npassword = 123\n", "c.toml:2: `password` is text and stands in quotes"),
            ("[account.a]\nzzz = 1\n", "c.toml:2: unknown key `zzz`"),
            (
                "[account.a]\ntls = \"off\"\n",
                "c.toml:2: expected `implicit`, `starttls` or `none`, found `off`",
            ),
            (
                "[account.a.fetch]\nkeep = \"30\"\n",
                "c.toml:2: expected `forever`, `none` or a number of days such as `30d`, found `30`",
            ),
            (
                "[account.a]\nserver = \"a b\"\n",
                "c.toml:2: expected a host name, as HOST or HOST:PORT, found `a b`",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected);
        }
        for text in ["[account.a]\nport = \"x\"\n", "[account.a]\nport = 99999\n", "[account.a\n"] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("c.toml:"), "{error}");
        }
    }

    #[test]
    fn a_server_may_name_its_port() {
        let read = |text: &str| {
            let Server { host, port } = text.parse().unwrap();
            (host.as_str().to_owned(), port)
        };
        assert_eq!(read("mail.x"), ("mail.x".to_owned(), None));
        assert_eq!(read("mail.x:99"), ("mail.x".to_owned(), Some(99)));
        assert_eq!(read("::1"), ("::1".to_owned(), None));
        assert_eq!(read("[::1]:99"), ("::1".to_owned(), Some(99)));
        for wrong in ["", "mail.x:", "mail.x:0", "mail.x:65536", "a b", "x:y"] {
            assert!(wrong.parse::<Server>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_upper_table_wins_but_takes_no_port_for_another_server() {
        let table = |text: &str| toml::from_str::<Table>(text).unwrap();
        let below = table("server = \"a\"\nport = 1\npassword-command = \"x\"\nuser = \"u\"\n");
        let merged = table("server = \"b\"\npassword-file = \"f\"\n").over(below.clone());
        assert_eq!(merged.server.unwrap().host.as_str(), "b");
        assert_eq!((merged.port, merged.password_command), (None, None));
        assert_eq!(merged.user.as_deref(), Some("u"));
        let merged = table("port = 2\n").over(below);
        assert_eq!((merged.port, merged.server.unwrap().host.as_str()), (Some(2), "a"));
    }
}
