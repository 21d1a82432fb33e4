//! `config.toml`: read, checked key by key, and turned into types. Which table wins over which is
//! [`Table::over`]'s business; what a job needs of them, that of `settings`.

mod append;
mod oauth;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use toml::de::{DeTable, DeValue};

pub use self::append::{append, write_secret};
pub use self::oauth::{OAUTH_KEYS, OAuth};
use crate::limits;
use crate::ownership;
use crate::sasl::Mechanism;
use crate::text::{
    AddressError, Addressee, Addressees, Domain, EhloName, LocalName, Mailbox, Secret, plain,
    shown, without_password,
};
use crate::tls::Pin;

/// A fault of a configuration file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {}: {}", path.display(), plain(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// Others may have written it; or it holds a password, and others may read it.
    #[error(transparent)]
    Ownership(#[from] ownership::Error),
    /// A caller of sendmail has named it, and it is not root's alone.
    #[error("{}: -C needs a file that belongs to root and no other user can write", .0.display())]
    NotOfRoot(PathBuf),
    /// A caller of sendmail has named it, to whom it is not to be shown.
    #[error("{} is not a configuration file", .0.display())]
    NotShown(PathBuf),
    /// A line of the file is wrong.
    #[error("{}:{line}: {what}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The fault.
        what: String,
    },
    /// An account that was to be added is there already.
    #[error("account `{}` is already in {}", shown(name), path.display())]
    AccountExists {
        /// The file.
        path: PathBuf,
        /// The account.
        name: String,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {}", path.display(), plain(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
}

impl Error {
    fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }
}

/// Returns whether root alone can have written the file.
fn is_of_root_alone(metadata: &std::fs::Metadata) -> bool {
    metadata.is_file() && metadata.uid() == 0 && metadata.mode() & 0o022 == 0
}

/// A whole configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct File {
    /// The account to send with when nothing else decides.
    pub default: Option<String>,
    /// The values for every account that sets none of its own.
    pub defaults: Table,
    /// The addresses for local names (`[aliases]`).
    pub aliases: Aliases,
    /// The clients that are registered at authorization servers.
    pub oauth: BTreeMap<String, OAuth>,
    /// The accounts.
    pub account: BTreeMap<String, Table>,
}

/// The addresses for names without a domain (`[aliases]`).
#[derive(Debug, Default, Deserialize)]
pub struct Aliases(BTreeMap<String, Alias>);

impl Aliases {
    /// The name that stands for all that are not there.
    const OTHERS: &str = "*";

    /// Returns whether there are no aliases.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the addresses for a name; `None` if neither it nor `*` is there.
    pub fn of(&self, name: &LocalName) -> Option<&[Mailbox]> {
        let Self(aliases) = self;
        let mut named = aliases.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name.as_str()));
        let alias = named.next().map(|(_, alias)| alias).or_else(|| aliases.get(Self::OTHERS));
        alias.map(|Alias(mailboxes)| mailboxes.as_slice())
    }
}

/// The addresses of an alias: written as text with commas, or as a list.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Words")]
struct Alias(Vec<Mailbox>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected an address as text, or a list of addresses")]
enum Words {
    One(String),
    Several(Vec<String>),
}

impl TryFrom<Words> for Alias {
    type Error = String;

    fn try_from(words: Words) -> Result<Self, String> {
        let text = match words {
            Words::One(text) => text,
            Words::Several(list) => list.join(", "),
        };
        let list = text.parse::<Addressees>().map_err(|error| error.to_string())?;
        let mailboxes: Vec<_> = list.addresses().collect();
        if mailboxes.is_empty() {
            Err("expected an address".to_owned())
        } else {
            Ok(Self(mailboxes))
        }
    }
}

/// Defines a table: a struct of options, and `or`, which completes it from another one key by key.
macro_rules! table {
    ($(#[$table:meta])* pub struct $name:ident { $($(#[$key:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$table])*
        pub struct $name {
            $($(#[$key])* pub $field: $type,)*
        }

        impl $name {
            /// Returns this table, and for each key that it lacks the value of `below`.
            fn or(self, below: Self) -> Self {
                Self { $($field: self.$field.or(below.$field),)* }
            }
        }
    };
}

table! {
/// A table of an account, of one of its sides, or of the defaults; or what the command line says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Table {
    /// The server's name or address, and perhaps a port.
    #[serde(deserialize_with = "parsed")]
    pub server: Option<Server>,
    /// The port; by default it follows from `tls`.
    #[serde(deserialize_with = "number::<_, _, 65_535>")]
    pub port: Option<u16>,
    /// The kind of TLS.
    #[serde(deserialize_with = "parsed")]
    pub tls: Option<Tls>,
    /// The login name.
    pub user: Option<String>,
    /// The password itself.
    #[serde(deserialize_with = "secret")]
    pub password: Option<Secret>,
    /// A program that prints it.
    pub password_command: Option<CommandLine>,
    /// A file that holds it.
    pub password_file: Option<PathBuf>,
    /// A program that prints an OAuth 2.0 access token.
    pub token_command: Option<CommandLine>,
    /// The `[oauth.NAME]` whose tokens to log in with.
    pub oauth: Option<String>,
    /// The SASL mechanism, or USER; by default the strongest that both sides know.
    #[serde(deserialize_with = "parsed")]
    pub auth: Option<Mechanism>,
    /// Seconds to wait for each step of the network.
    #[serde(deserialize_with = "time")]
    pub timeout: Option<u32>,
    /// Seconds that one connection may last.
    #[serde(deserialize_with = "time")]
    pub max_time: Option<u32>,
    /// True if commands are sent ahead of the server's replies; by default this is found out.
    pub pipelining: Option<bool>,
    /// The address of this machine to connect from.
    pub source_address: Option<IpAddr>,
    /// The program whose standard input and output are the connection.
    #[serde(deserialize_with = "words")]
    pub connect_command: Option<CommandLine>,
    /// The time for which temporary failures are not reported away from a terminal.
    #[serde(deserialize_with = "parsed")]
    pub patience: Option<Span>,
    /// The trust store.
    #[serde(deserialize_with = "parsed")]
    pub trust: Option<TrustStore>,
    /// The authorities to trust instead of the usual ones.
    pub ca_file: Option<PathBuf>,
    /// The one certificate to trust.
    #[serde(deserialize_with = "parsed")]
    pub pin: Option<Pin>,
    /// The certificate to show.
    pub client_cert: Option<PathBuf>,
    /// The private key of `client_cert`.
    pub client_key: Option<PathBuf>,
    /// The Maildir for fetched messages.
    pub maildir: Option<PathBuf>,
    /// The program that takes fetched messages in place of a Maildir.
    pub deliver_command: Option<CommandLine>,
    /// The program that is run after a fetch that brought new messages.
    pub after_fetch: Option<CommandLine>,
    /// The retention of fetched messages on the server.
    #[serde(deserialize_with = "parsed")]
    pub keep: Option<Keep>,
    /// The most octets that a message to be fetched may have.
    #[serde(deserialize_with = "parsed")]
    pub max_size: Option<Size>,
    /// The most messages to fetch in one run.
    #[serde(deserialize_with = "number::<_, _, 4_294_967_295>")]
    pub limit: Option<u32>,
    /// The sender's address.
    #[serde(deserialize_with = "parsed")]
    pub from: Option<Sender>,
    /// The client's name in EHLO.
    #[serde(deserialize_with = "parsed")]
    pub ehlo_name: Option<EhloName>,
    /// The From fields that are replaced by the account's address.
    #[serde(deserialize_with = "parsed")]
    pub rewrite_from: Option<RewriteFrom>,
    /// True if a message may leave with its envelope (BDAT).
    pub chunking: Option<bool>,
    /// The Maildir for copies of sent messages.
    pub sent_maildir: Option<PathBuf>,
    /// The file that gets a line for each attempt.
    pub log_file: Option<PathBuf>,
    /// True if a message that cannot be sent now waits in the outbox.
    pub queue: Option<bool>,
    /// The values for fetching only.
    pub fetch: Option<Box<Self>>,
    /// The values for sending only.
    pub send: Option<Box<Self>>,
}
}

impl Table {
    /// Returns this table, completed from the one below. Of keys that exclude each other, one that
    /// is set here hides all of those below; and a port belongs to the server that it was written
    /// for.
    #[must_use]
    pub fn over(self, mut below: Self) -> Self {
        if self.has_secret() {
            below.password = None;
            below.password_command = None;
            below.password_file = None;
            below.token_command = None;
            below.oauth = None;
        }
        if self.trust.is_some() || self.ca_file.is_some() || self.pin.is_some() {
            below.trust = None;
            below.ca_file = None;
            below.pin = None;
        }
        if self.maildir.is_some() || self.deliver_command.is_some() {
            below.maildir = None;
            below.deliver_command = None;
        }
        if self.server.is_some() {
            below.port = None;
        }
        self.or(below)
    }

    fn has_secret(&self) -> bool {
        self.password.is_some()
            || self.password_command.is_some()
            || self.password_file.is_some()
            || self.token_command.is_some()
            || self.oauth.is_some()
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

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.port) {
            (host, None) => f.write_str(host.as_str()),
            (host, Some(port)) if host.as_str().contains(':') => write!(f, "[{host}]:{port}"),
            (host, Some(port)) => write!(f, "{host}:{port}"),
        }
    }
}

impl FromStr for Server {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        let wrong =
            |reason: String| WrongValue { found: shown(&without_password(text)), expected: reason };
        // An IPv6 address has colons of its own, so its port needs brackets around it. What is
        // not even a number is no port, but half of a URL, and so no part of a host name either.
        let is_number = |port: &str| port.bytes().all(|octet| octet.is_ascii_digit());
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port))
                if (!host.contains(':') || host.ends_with(']')) && is_number(port) =>
            {
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

/// A kind of TLS.
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

    /// Returns the value as it is written in the configuration.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
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

/// The retention of a delivered message on the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Retention without end.
    #[default]
    Forever,
    /// Deletion this many days after the fetch; with 0 in the same session.
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

/// A set of trusted certification authorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustStore {
    /// The built-in list of the Mozilla root program.
    Webpki,
    /// The system's trust store.
    System,
}

impl FromStr for TrustStore {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        match text {
            "webpki" => Ok(Self::Webpki),
            "system" => Ok(Self::System),
            _ => {
                Err(WrongValue { found: shown(text), expected: "`webpki` or `system`".to_owned() })
            }
        }
    }
}

/// The address, or the domain, that an account sends from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// An address, with the display name for a From field that is added.
    Mailbox(Addressee),
    /// Any address that has the domain of this one, which is written `*@DOMAIN`.
    Anybody(Mailbox),
}

/// A match of an address with an account, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressMatch {
    /// The account's address.
    Same,
    /// The account's address but for a +tag (RFC 5233 §1).
    Detail,
    /// An address of the account's domain.
    Domain,
}

impl Sender {
    /// The address; for a whole domain, one whose domain matters only.
    pub fn address(&self) -> &Mailbox {
        match self {
            Self::Mailbox(Addressee { address, .. }) | Self::Anybody(address) => address,
        }
    }

    /// The domain of its addresses.
    pub fn domain(&self) -> &str {
        self.address().domain()
    }

    /// Returns how an address matches this account; `None` if it does not.
    pub fn likeness(&self, address: &Mailbox) -> Option<AddressMatch> {
        let own = self.address();
        let is_at_home = own.domain().eq_ignore_ascii_case(address.domain());
        let user = address.local_part().split('+').next();
        match self {
            _ if !is_at_home => None,
            Self::Anybody(_) => Some(AddressMatch::Domain),
            Self::Mailbox(_) if own.local_part() == address.local_part() => {
                Some(AddressMatch::Same)
            }
            Self::Mailbox(_) => (user == Some(own.local_part())).then_some(AddressMatch::Detail),
        }
    }
}

impl FromStr for Sender {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let addressee: Addressee = text.parse()?;
        let is_anybody = addressee.address.local_part() == "*";
        Ok(if is_anybody { Self::Anybody(addressee.address) } else { Self::Mailbox(addressee) })
    }
}

/// The From fields that the account's address replaces. One that is missing is added in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RewriteFrom {
    /// None.
    #[default]
    Missing,
    /// Fields whose address means nothing beyond this machine.
    Local,
    /// All of them.
    Always,
}

impl RewriteFrom {
    /// Returns whether an address is replaced; `is_local` tells whether it means nothing beyond
    /// this machine.
    pub fn applies(self, is_local: impl FnOnce() -> bool) -> bool {
        match self {
            Self::Missing => false,
            Self::Local => is_local(),
            Self::Always => true,
        }
    }
}

impl FromStr for RewriteFrom {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        match text {
            "missing" => Ok(Self::Missing),
            "local" => Ok(Self::Local),
            "always" => Ok(Self::Always),
            _ => Err(WrongValue {
                found: shown(text),
                expected: "`missing`, `local` or `always`".to_owned(),
            }),
        }
    }
}

/// A length of time: a number and a unit, `30s`, `15m`, `6h` or `2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The time in seconds.
    pub seconds: u64,
}

impl FromStr for Span {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 60 * 60), ('d', 24 * 60 * 60)];
        let seconds = UNITS.iter().find_map(|(name, unit)| {
            text.strip_suffix(*name)?.parse::<u64>().ok()?.checked_mul(*unit)
        });
        seconds.map(|seconds| Self { seconds }).ok_or_else(|| WrongValue {
            found: shown(text),
            expected: "a length of time such as `30m`, `6h` or `2d`".to_owned(),
        })
    }
}

/// A number of octets: `5000`, `500k`, `25M` or `2G`, in powers of 1,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The size in octets.
    pub octets: u64,
}

impl FromStr for Size {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        const UNITS: [(char, u64); 3] = [('k', 1_000), ('M', 1_000_000), ('G', 1_000_000_000)];
        let unit = UNITS.iter().find_map(|(name, unit)| {
            let number = text.strip_suffix([*name, name.to_ascii_lowercase()])?;
            Some((number, *unit))
        });
        let (number, unit) = unit.unwrap_or((text, 1));
        let octets = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        octets.map(|octets| Self { octets }).ok_or_else(|| WrongValue {
            found: shown(text),
            expected: "a number of octets such as `500k` or `25M`".to_owned(),
        })
    }
}

/// A program to run and its arguments: given as a list, or as a line for `sh -c`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(from = "Typed")]
pub struct CommandLine(Vec<String>);

/// A command line as it stands in the file.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a command as text, or a list of its words")]
enum Typed {
    Shell(String),
    Words(Vec<String>),
}

impl CommandLine {
    /// A line for the shell.
    pub fn shell(line: &str) -> Self {
        Self(["sh", "-c", line].map(str::to_owned).to_vec())
    }

    /// The program's words as they stand.
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// The program with its arguments.
    pub fn command(&self) -> Command {
        let mut words = self.0.iter();
        let mut command = Command::new(words.next().map_or("", String::as_str));
        command.args(words);
        command
    }
}

impl CommandLine {
    /// The same for this server: `%h` in a word stands for its host, `%p` for the port.
    #[must_use]
    pub fn for_server(self, host: &Domain, port: u16) -> Self {
        let port = port.to_string();
        let word = |word: String| word.replace("%p", &port).replace("%h", host.as_str());
        Self(self.0.into_iter().map(word).collect())
    }
}

impl From<Typed> for CommandLine {
    fn from(typed: Typed) -> Self {
        match typed {
            Typed::Shell(line) => Self::shell(&line),
            Typed::Words(words) => Self(words),
        }
    }
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
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, may have been written by others, holds a secret
    /// that others may read, or has a wrong line.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = std::fs::File::open(path);
        Self::read_opened(&file.map_err(|source| Error::read(path, source))?, path)
    }

    /// Reads a configuration file that a caller of sendmail named, perhaps with a stranger's words:
    /// it must be root's, and writable by root only. Errors show no line of it.
    pub fn read_of_root(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::read(path, source);
        let check = |metadata: std::fs::Metadata| {
            let not_of_root = || Error::NotOfRoot(path.to_owned());
            is_of_root_alone(&metadata).then_some(()).ok_or_else(not_of_root)
        };
        // To open what is no file (a pipe, a device) may block, or do something.
        check(std::fs::metadata(path).map_err(failed)?)?;
        let file = std::fs::File::open(path).map_err(failed)?;
        check(file.metadata().map_err(failed)?)?;
        Self::read_opened(&file, path).map_err(|error| match error {
            Error::Wrong { path, .. } => Error::NotShown(path),
            error => error,
        })
    }

    /// The contents of a text that may become the file at `path`.
    ///
    /// # Errors
    ///
    /// Returns the first fault, with its line.
    pub fn of_text(text: &str, path: &Path) -> Result<Self, Error> {
        Ok(Self::parse(text, path)?.0)
    }

    fn read_opened(file: &std::fs::File, path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::read(path, source);
        ownership::check_writers(file, path)?;
        let text = text(file).map_err(failed)?;
        let (contents, has_password) = Self::parse(&text, path)?;
        if has_password {
            ownership::check_readers(file, path)?;
        }
        Ok(contents)
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

/// A line number, and the fault there.
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
                ("oauth", DeValue::Table(clients)) => {
                    for (name, client) in clients {
                        let DeValue::Table(table) = client.get_ref() else {
                            let name = shown(name.get_ref());
                            let what = format!("expected a client, as in [oauth.{name}]");
                            return Err((client.span().start, what));
                        };
                        self.table(table, Place::OAuth)?;
                    }
                }
                ("aliases", DeValue::Table(aliases)) => {
                    for name in aliases.keys() {
                        let (at, name) = (name.span().start, name.get_ref().as_ref());
                        if name != Aliases::OTHERS && name.parse::<LocalName>().is_err() {
                            let what = "expected a name without a domain, or \"*\"";
                            return Err((at, format!("{what}, found `{}`", shown(name))));
                        }
                    }
                }
                (name @ ("defaults" | "account" | "aliases" | "oauth"), _) => {
                    return Err((at, format!("expected a table, as in [{name}]")));
                }
                // Most likely an account's key above the first [account.NAME].
                (name, _) if KEYS.iter().any(|key| key.name == name) => {
                    let what = "belongs into an [account.NAME] or [defaults]";
                    return Err((at, format!("`{}` {what}", shown(name))));
                }
                (name, value) => {
                    let known = ["default", "defaults", "aliases", "oauth", "account"];
                    let mut what = unknown(name, known.into_iter());
                    if value.is_table() && nearest(name, known.into_iter()).is_none() {
                        what += &format!(", did you mean [account.{}]?", shown(name));
                    }
                    return Err((at, what));
                }
            }
        }
        Ok(())
    }

    fn table(&mut self, table: &DeTable<'_>, place: Place) -> Result<(), Finding> {
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
            let keys = || KEYS.iter().chain(&OAUTH_KEYS);
            if !keys().any(|known| known.name == name && known.may_stand_in(place)) {
                if let Some(known) = keys().find(|known| known.name == name) {
                    return Err((at, format!("`{name}` is for {} only", known.place)));
                }
                let known = keys().filter(|known| known.may_stand_in(place));
                return Err((at, unknown(name, known.map(|known| known.name))));
            }
            // What the parser would say of a number here shows the number.
            let is_password = matches!(name, "password" | "client-secret");
            if is_password && !value.get_ref().is_str() {
                return Err((at, format!("`{name}` is text and stands in quotes")));
            }
            self.has_password |= is_password;
        }
        for group in EXCLUSIVE {
            let mut found: Vec<_> = table
                .iter()
                .map(|(key, _)| (key.span().start, key.get_ref().as_ref()))
                .filter(|(_, name)| group.contains(name))
                .collect();
            found.sort_unstable();
            if let [(_, one), (at, other), ..] = found.as_slice() {
                return Err((*at, format!("`{one}` and `{other}`: one of them is too many")));
            }
        }
        Ok(())
    }
}

/// Text as a value of the file.
pub fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Keys of other programs, and what does here what they do there.
const ELSEWHERE: [(&str, &str); 9] = [
    ("username", "the name to log in with is `user`"),
    ("login", "the name to log in with is `user`"),
    ("host", "the server is `server`"),
    ("hostname", "the server is `server`"),
    ("email", "the name to log in with is `user`, the sender's address `from`"),
    ("insecure", VERIFIED),
    ("tls-verify", VERIFIED),
    ("verify", VERIFIED),
    ("ssl", "`tls` is \"implicit\" (the default) or \"starttls\""),
];

const VERIFIED: &str =
    "certificates are always verified; for a server of your own, `ca-file` or `pin`";

/// The message for an unknown key.
fn unknown(name: &str, known: impl Iterator<Item = &'static str>) -> String {
    let found = shown(name);
    if let Some((_, answer)) = ELSEWHERE.iter().find(|(other, _)| *other == name) {
        return format!("unknown key `{found}`: {answer}");
    }
    match nearest(name, known) {
        Some(meant) => format!("unknown key `{found}`, did you mean `{meant}`?"),
        None => format!("unknown key `{found}`"),
    }
}

/// The one of `known` that was probably meant. `None` if none is near.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &str| strsim::jaro_winkler(name, known);
    known
        .map(|known| (known, likeness(known)))
        .filter(|&(_, likeness)| likeness > 0.8)
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .map(|(known, _)| known)
}

/// A table in which a key may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `[account.NAME]` or `[defaults]`.
    Account,
    /// `[account.NAME.fetch]`.
    Fetch,
    /// `[account.NAME.send]`.
    Send,
    /// `[oauth.NAME]`.
    OAuth,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "accounts",
            Self::Fetch => "fetching",
            Self::Send => "sending",
            Self::OAuth => "[oauth.NAME]",
        })
    }
}

/// A key, as the manual shows it.
#[derive(Debug)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// [`Place::Account`]: it may stand anywhere.
    pub place: Place,
    /// The form of a value.
    pub value: &'static str,
    /// The effect.
    pub text: &'static str,
}

impl Key {
    fn may_stand_in(&self, place: Place) -> bool {
        match (self.place, place) {
            (Place::OAuth, other) | (other, Place::OAuth) => other == Place::OAuth,
            (own, place) => place == Place::Account || own == Place::Account || own == place,
        }
    }
}

/// Keys of which a table may have one.
const EXCLUSIVE: [&[&str]; 5] = [
    &["password", "password-command", "password-file", "token-command", "oauth"],
    &["client-secret", "client-secret-command"],
    &["issuer", "token"],
    &["trust", "ca-file", "pin"],
    &["maildir", "deliver-command"],
];

/// Every key of an account.
pub const KEYS: [Key; 34] = [
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
        name: "token-command",
        place: Place::Account,
        value: "\"LINE\" | [\"WORD\", ...]",
        text: "A command that prints an OAuth 2.0 access token, in place of a password. It is run \
               once more if the server refuses the token.",
    },
    Key {
        name: "oauth",
        place: Place::Account,
        value: "\"NAME\"",
        text: "Log in with the tokens of the client that [oauth.NAME] describes, in place of a \
               password. See postie-login(1).",
    },
    Key {
        name: "auth",
        place: Place::Account,
        value: "\"MECHANISM\"",
        text: "The one way to log in: oauthbearer, xoauth2, external, scram-sha-256-plus, \
               scram-sha-1-plus, scram-sha-256, scram-sha-1, plain, login, or user (POP3's USER \
               and PASS). Without it, the strongest that the server offers is used, in this order.",
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
        name: "trust",
        place: Place::Account,
        value: "\"webpki\" | \"system\"",
        text: "Whose certification authorities to trust: the browsers', which are built in (the \
               default), or this machine's.",
    },
    Key {
        name: "ca-file",
        place: Place::Account,
        value: "\"FILE\"",
        text: "Certification authorities to trust instead of the usual ones, as PEM.",
    },
    Key {
        name: "pin",
        place: Place::Account,
        value: "\"SHA-256\"",
        text: "The one certificate to trust, by its SHA-256 in hexadecimal digits, whoever signed \
               it and whatever name it is for. `openssl x509 -noout -fingerprint -sha256` prints it.",
    },
    Key {
        name: "client-cert",
        place: Place::Account,
        value: "\"FILE\"",
        text: "A certificate to show to the server, as PEM. If there is no password and no token, \
               it is also what to log in with (EXTERNAL).",
    },
    Key {
        name: "client-key",
        place: Place::Account,
        value: "\"FILE\"",
        text: "Its private key, as PEM and not encrypted, in a file of mode 0600. It may be the \
               same file.",
    },
    Key {
        name: "timeout",
        place: Place::Account,
        value: "\"TIME\"",
        text: "How long to wait for each step of the network, such as \"60s\" or \"2m\"; a number alone is \
               seconds. [default: 60s]",
    },
    Key {
        name: "max-time",
        place: Place::Account,
        value: "\"TIME\"",
        text: "How long one connection may last in all, such as \"10m\"; not bounded if it is not given.",
    },
    Key {
        name: "pipelining",
        place: Place::Account,
        value: "true | false",
        text: "Whether commands are sent ahead of the server's replies where it announces \
               PIPELINING. If it is not given, this is tried step by step, and what works is \
               remembered. With false, each command waits for the reply to the one before.",
    },
    Key {
        name: "source-address",
        place: Place::Account,
        value: "\"ADDRESS\"",
        text: "The address of this machine to connect from, if not the one that the system chooses: \
               \"192.0.2.1\" or \"2001:db8::1\". Of the server's, only those of its kind are tried.",
    },
    Key {
        name: "connect-command",
        place: Place::Account,
        value: "[\"WORD\", ...]",
        text: "A program and its arguments, whose standard input and output are the connection, as \
               in [\"ssh\", \"-W\", \"%h:%p\", \"jump\"]; %h stands for the host, %p for the port. TLS \
               runs inside, and the certificate must be for `server`. The program looks up the name \
               itself, `source-address` does not count, and `tls` may not be \"none\". It ends with \
               the connection.",
    },
    Key {
        name: "patience",
        place: Place::Fetch,
        value: "\"6h\"",
        text: "Away from a terminal, say nothing of temporary failures (status 75) and of messages \
               that were refused until they have lasted this long, then once each time it has passed \
               again. The status stays.",
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
        text: "How long a delivered message stays on the server: forever [default], not at all, or \
               this number of days after it was fetched.",
    },
    Key {
        name: "deliver-command",
        place: Place::Fetch,
        value: "\"LINE\" | [\"WORD\", ...]",
        text: "A command that takes each message on its standard input, in place of a Maildir. \
               Exit status 0 says that it has it; with any other it stays on the server and comes \
               again. If this program is cut off in between, a message may come twice.",
    },
    Key {
        name: "after-fetch",
        place: Place::Fetch,
        value: "\"LINE\" | [\"WORD\", ...]",
        text: "A command to run once when something new has come.",
    },
    Key {
        name: "max-size",
        place: Place::Fetch,
        value: "\"25M\"",
        text: "Leave larger messages on the server. k, M and G are 10^3, 10^6 and 10^9 octets.",
    },
    Key {
        name: "limit",
        place: Place::Fetch,
        value: "NUMBER",
        text: "Fetch at most this number of messages in one run, oldest first.",
    },
    Key {
        name: "from",
        place: Place::Send,
        value: "\"ADDRESS\" | \"NAME <ADDRESS>\" | \"*@DOMAIN\"",
        text: "The sender's address, perhaps with the name for a From field that is added; the user \
               name if it is not given and has an @. With an \
               asterisk, any address with this domain may send, and --from or the message must \
               have one.",
    },
    Key {
        name: "ehlo-name",
        place: Place::Send,
        value: "\"NAME\"",
        text: "What this machine calls itself to the server; the domain of the sender's address if \
               it is not given.",
    },
    Key {
        name: "rewrite-from",
        place: Place::Send,
        value: "\"missing\" | \"local\" | \"always\"",
        text: "When `from` takes the place of the address in the From field: only if there is no \
               such field (the default); also if it means nothing beyond this machine, such as \
               root, root@localhost or an address at the machine's own name; or always. The name \
               before the address is kept. The same holds for an address given with --from.",
    },
    Key {
        name: "chunking",
        place: Place::Send,
        value: "true | false",
        text: "Whether a small message goes along with its envelope where the server offers \
               CHUNKING and PIPELINING, which saves a round trip (the default). For servers that \
               get it wrong.",
    },
    Key {
        name: "sent-maildir",
        place: Place::Send,
        value: "\"DIRECTORY\"",
        text: "A Maildir for a copy of each message that the server accepted, as it was sent and \
               with its Bcc field. It is created if its parent exists. A copy that cannot be kept \
               is complained about; the message was sent all the same, and the status says so.",
    },
    Key {
        name: "log-file",
        place: Place::Account,
        value: "\"FILE\"",
        text: "A file to which a line is added for each attempt. To send: when, with which account, \
               to which server, who sent, to whom with which reply, size, Message-ID, the server's \
               last words or the error, and the exit status. To fetch: when, account, server, user, \
               how many messages are new and their octets, how many were deleted, how many stay on \
               the server and how many were missed, the error, and the exit status. It is opened anew \
               for each line, so it may be renamed at any time. If it cannot be written, that is \
               reported, and changes nothing.",
    },
    Key {
        name: "queue",
        place: Place::Send,
        value: "true | false",
        text: "Whether a message that cannot be sent now waits in the outbox; see postie-queue(1). \
               The default is false (then it is for the caller to try again), and true under the \
               name sendmail.",
    },
];

/// The text of a file, within bounds.
#[expect(clippy::disallowed_methods, reason = "its size is bounded")]
fn text(file: &std::fs::File) -> io::Result<String> {
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

/// A number of seconds, or a length of time with its unit as text; never zero.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a length of time such as \"60s\" or \"2m\"")]
    enum Time {
        Seconds(u32),
        Text(String),
    }
    let text = match Time::deserialize(deserializer)? {
        Time::Seconds(seconds) => seconds.to_string(),
        Time::Text(text) => text,
    };
    seconds(&text).map(Some).map_err(serde::de::Error::custom)
}

/// Reads a length of time that is not zero, in seconds unless it has a unit: `60`, `60s` or `2m`.
pub fn seconds(text: &str) -> Result<u32, WrongValue> {
    let plain = text.parse::<u64>();
    let seconds = plain.or_else(|_| text.parse::<Span>().map(|span| span.seconds));
    let seconds = seconds.ok().and_then(|seconds| u32::try_from(seconds).ok());
    seconds.filter(|&seconds| seconds > 0).ok_or_else(|| WrongValue {
        found: shown(text),
        expected: "a length of time such as `60s` or `2m`".to_owned(),
    })
}

/// A program and its arguments, not empty; no line for a shell.
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<CommandLine>, D::Error> {
    let words = Vec::<String>::deserialize(deserializer).unwrap_or_default();
    let wrong = "expected a list of a program and its arguments";
    if words.is_empty() {
        Err(serde::de::Error::custom(wrong))
    } else {
        Ok(Some(CommandLine(words)))
    }
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
    fn times_have_units_or_are_seconds() {
        let read = |value: &str| {
            let file = parse(&format!("[defaults]\ntimeout = {value}\nmax-time = {value}\n"))?;
            Ok::<_, String>((file.defaults.timeout, file.defaults.max_time))
        };
        for (value, seconds) in
            [("5", 5), ("\"5\"", 5), ("\"5s\"", 5), ("\"2m\"", 120), ("\"1h\"", 3600)]
        {
            assert_eq!(read(value), Ok((Some(seconds), Some(seconds))), "{value}");
        }
        for wrong in ["0", "\"0s\"", "\"5x\"", "\"\"", "-1", "true", "\"99999999d\""] {
            assert!(read(wrong).unwrap_err().contains("a length of time"), "{wrong}");
        }
    }

    #[test]
    fn keys_of_other_programs_have_an_answer() {
        for (key, answer) in ELSEWHERE {
            let error = parse(&format!("[account.home]\n{key} = \"x\"\n")).unwrap_err();
            assert_eq!(error, format!("c.toml:2: unknown key `{key}`: {answer}"));
        }
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
        let command = CommandLine::shell("pass show mail/home");
        assert_eq!(home.password_command, Some(command));
    }

    #[test]
    fn every_key_is_known_to_both_the_check_and_the_types() {
        let every = "server = \"h:1\"\nuser = \"u\"\npassword-file = \"f\"\ntls = \"starttls\"\n\
                     port = 5\nca-file = \"c\"\ntimeout = 3\nmax-time = 4\npipelining = true\nauth = \"Plain\"\n\
                     source-address = \"::1\"\nconnect-command = [\"c\", \"%h:%p\"]\n\
                     client-cert = \"c\"\nclient-key = \"k\"\n";
        let fetch = "maildir = \"m\"\nkeep = \"30d\"\npassword-command = [\"a\", \"b\"]\n\
                     patience = \"6h\"\ntrust = \"system\"\nafter-fetch = \"a\"\n\
                     max-size = \"25M\"\nlimit = 7\n";
        let send = "from = \"a@x\"\nehlo-name = \"h.x\"\npassword = \"p\"\nrewrite-from = \"local\"\n\
                    sent-maildir = \"s\"\nlog-file = \"l\"\nchunking = false\nqueue = true\n";
        let oauth = "client-id = \"i\"\nclient-secret-command = \"s\"\ngrant = \"code\"\n\
                     issuer = \"https://a.x\"\nauthorize = \"https://a.x/a\"\n\
                     device = \"https://a.x/d\"\nscope = \"s\"\ntenant = \"t\"\n\
                     redirect = \"http://localhost\"\nca-file = \"c\"\n";
        let registered = "client-secret = \"s\"\ntoken = \"https://a.x/t\"\n";
        parse(&format!("[oauth.a]\n{oauth}[oauth.b]\n{registered}")).unwrap();
        for key in &OAUTH_KEYS {
            let is_named = [oauth, registered].concat().contains(&format!("{} = ", key.name));
            assert!(is_named, "{}", key.name);
        }
        parse("[account.a]\noauth = \"b\"\n").unwrap();
        let other = "oauth = \"o\"\ntoken-command = \"t\"\ndeliver-command = [\"d\"]\n\
                     pin = \"00000000000000000000000000000000\
                     00000000000000000000000000000000\"\n";
        let file = parse(&format!(
            "default = \"a\"\n[defaults]\n{every}\n[account.a]\n{every}{fetch}\
             [account.b.fetch]\n{fetch}[account.b.send]\n{send}"
        ));
        // `password-file` and `password-command` in one table is one too many.
        let error = file.unwrap_err();
        assert!(error.ends_with("one of them is too many"), "{error}");
        let named: String = [every, fetch, send, other].concat();
        for key in &KEYS {
            assert!(named.contains(&format!("{} = ", key.name)), "{}", key.name);
        }
        let text =
            format!("[account.b]\n{every}[account.b.fetch]\n{fetch}[account.b.send]\n{send}");
        let (file, has_password) = File::parse(&text, Path::new("c.toml")).unwrap();
        assert!(has_password);
        parse(&format!("[account.b.fetch]\n{}", other.replace("oauth = \"o\"\n", ""))).unwrap();
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
            ("[home]\n", "c.toml:1: unknown key `home`, did you mean [account.home]?"),
            ("home = 1\n", "c.toml:1: unknown key `home`"),
            (
                "[account.a]\nserver = \"pop3s://ann:not-a-secret@host\"\n",
                "c.toml:2: expected a host name, as HOST or HOST:PORT, found `pop3s://****@host`",
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
                "[aliases]\nroot = \"a@x\"\n\"ann@x\" = \"a@x\"\n",
                "c.toml:3: expected a name without a domain, or \"*\", found `ann@x`",
            ),
            ("[aliases]\nroot = \"ann\"\n", "c.toml:2: `ann` is not an address: it has no `@`"),
            ("[aliases]\nroot = []\n", "c.toml:2: expected an address"),
            (
                "[aliases]\nroot = 1\n",
                "c.toml:2: expected an address as text, or a list of addresses",
            ),
            (
                "[account.a]\nconnect-command = \"ssh -W %h:%p jump\"\n",
                "c.toml:2: expected a list of a program and its arguments",
            ),
            (
                "[account.a]\nconnect-command = []\n",
                "c.toml:2: expected a list of a program and its arguments",
            ),
            ("[account.a]\nsource-address = \"eth0\"\n", "c.toml:2: invalid IP address syntax"),
            ("aliases = 1\n", "c.toml:1: expected a table, as in [aliases]"),
            ("oauth = 1\n", "c.toml:1: expected a table, as in [oauth]"),
            ("[oauth]\na = 1\n", "c.toml:2: expected a client, as in [oauth.a]"),
            (
                "[oauth.a]\nclient-ids = \"x\"\n",
                "c.toml:2: unknown key `client-ids`, did you mean `client-id`?",
            ),
            (
                "[oauth.a]\nclient-secret = 1\n",
                "c.toml:2: `client-secret` is text and stands in quotes",
            ),
            ("[oauth.a]\nserver = \"x\"\n", "c.toml:2: `server` is for accounts only"),
            ("[account.a]\nissuer = \"x\"\n", "c.toml:2: `issuer` is for [oauth.NAME] only"),
            (
                "[oauth.a]\ntoken = \"http://a.x/\"\n",
                "c.toml:2: `http://a.x/` is not an https address",
            ),
            (
                "[oauth.a]\nredirect = \"http://a.x/\"\n",
                "c.toml:2: expected a redirect to this machine, such as `http://localhost`, found `http://a.x/`",
            ),
            (
                "[account.a.send]\nrewrite-from = \"yes\"\n",
                "c.toml:2: expected `missing`, `local` or `always`, found `yes`",
            ),
            (
                "[account.a]\nserver = \"a b\"\n",
                "c.toml:2: expected a host name, as HOST or HOST:PORT, found `a b`",
            ),
            (
                "[account.a]\nserver = \"pops://mail.x\"\n",
                "c.toml:2: expected a host name, as HOST or HOST:PORT, found `pops://mail.x`",
            ),
            (
                "[account.a]\nserver = \"mail.x:99999\"\n",
                "c.toml:2: expected a port from 1 to 65535, found `mail.x:99999`",
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
    fn an_alias_is_one_address_or_several_and_a_star_stands_for_the_rest() {
        let file = parse(
            "[aliases]\nroot = \"Ann <a@x>, b@x\"\nOps = [\"c@x\", \"d@x\"]\n\"*\" = \"e@x\"\n",
        )
        .unwrap();
        for (name, expected) in [("root", "a@x b@x"), ("ops", "c@x d@x"), ("www-data", "e@x")] {
            let found = file.aliases.of(&name.parse().unwrap()).unwrap();
            let found: Vec<_> = found.iter().map(Mailbox::as_str).collect();
            assert_eq!(found.join(" "), expected, "{name}");
        }
        let few = parse("[aliases]\nroot = \"a@x\"\n").unwrap();
        assert!(few.aliases.of(&"ops".parse().unwrap()).is_none());
    }

    #[test]
    fn an_address_is_an_accounts_in_one_of_three_ways() {
        let likeness = |own: &str, address: &str| {
            own.parse::<Sender>().unwrap().likeness(&address.parse().unwrap())
        };
        assert_eq!(likeness("a@x.y", "a@X.Y"), Some(AddressMatch::Same));
        assert_eq!(likeness("a+b@x.y", "a+b@x.y"), Some(AddressMatch::Same));
        assert_eq!(likeness("a@x.y", "a+b+c@x.y"), Some(AddressMatch::Detail));
        assert_eq!(likeness("*@x.y", "b@x.y"), Some(AddressMatch::Domain));
        for (own, address) in [("a@x.y", "ab@x.y"), ("a+b@x.y", "a@x.y"), ("*@x.y", "a@z.x.y")] {
            assert_eq!(likeness(own, address), None, "{own} {address}");
        }
    }

    #[test]
    fn a_connect_command_is_told_the_server() {
        let line = CommandLine(["ssh", "-W", "%h:%p", "%%h", "jump"].map(str::to_owned).to_vec());
        let line = line.for_server(&"mail.x".parse().unwrap(), 995);
        assert_eq!(line.words(), ["ssh", "-W", "mail.x:995", "%mail.x", "jump"]);
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
