//! `config.toml`: read, checked key by key, and turned into types. Which table wins over which is
//! [`Table::over`]'s business; what a job needs of them, that of `settings`.

mod alias_file;
mod append;
mod check;
mod key;
mod oauth;
mod syntax;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use toml::de::DeTable;

use self::alias_file::AliasFile;
pub use self::append::{append, write_secret};
use self::check::Check;
#[cfg(test)]
use self::check::ELSEWHERE;
pub use self::key::{KEYS, Key, Place};
pub use self::oauth::{OAUTH_KEYS, OAuth};
pub use self::value::{
    AddressMatch, CommandLine, EnvelopeFrom, Keep, RewriteFrom, Sender, Server, Size, Span, Tls,
    TrustStore, WrongValue, ip_address, seconds,
};
use crate::bounded;
use crate::limits;
use crate::ownership;
use crate::sasl::Mechanism;
use crate::text::{Addressees, EhloName, LocalName, Mailbox, Secret, plain, shown};
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
    /// The file with further ones, in sendmail's format.
    #[serde(rename = "aliases-file")]
    pub aliases_file: Option<PathBuf>,
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
        self.named(name).or_else(|| self.others())
    }

    /// The addresses of the name itself.
    fn named(&self, name: &LocalName) -> Option<&[Mailbox]> {
        let mut named = self.0.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name.as_str()));
        named.next().map(|(_, Alias(mailboxes))| mailboxes.as_slice())
    }

    /// The addresses of all names that are not there.
    fn others(&self) -> Option<&[Mailbox]> {
        self.0.get(Self::OTHERS).map(|Alias(mailboxes)| mailboxes.as_slice())
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
        let list = Addressees::any_number(&text).map_err(|error| error.to_string())?;
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
    #[serde(deserialize_with = "address")]
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
    /// The account that is tried for a message that would otherwise wait.
    pub fallback: Option<String>,
    /// The socket of the submission service that takes the messages in place of a server.
    pub submit: Option<PathBuf>,
    /// The most recipients of a message.
    #[serde(deserialize_with = "number::<_, _, 4_294_967_295>")]
    pub max_recipients: Option<u32>,
    /// The addresses and domains that recipients must have.
    #[serde(deserialize_with = "list")]
    pub recipients: Option<Vec<Sender>>,
    /// The reverse-path of messages.
    #[serde(deserialize_with = "parsed")]
    pub envelope: Option<EnvelopeFrom>,
    /// The users who may send by the submission service.
    #[serde(deserialize_with = "names")]
    pub allow_users: Option<Vec<String>>,
    /// The groups that may send by the submission service.
    #[serde(deserialize_with = "names")]
    pub allow_groups: Option<Vec<String>>,
    /// The most messages of each user of the submission service within an hour.
    #[serde(deserialize_with = "number::<_, _, 10_000>")]
    pub max_per_hour: Option<u32>,
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
            // A port goes with the server beside it, and without one with any.
            if below.server.is_some() {
                below.port = None;
            }
            below.submit = None;
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

    /// Adds the aliases of a file in sendmail's format, which `[aliases]` comes before.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, may have been written by others, or has a wrong
    /// line.
    pub fn add_aliases(&mut self, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::read(path, source);
        let file = std::fs::File::open(path).map_err(failed)?;
        ownership::check_writers(&file, path)?;
        let text = bounded::read_text(&file, limits::CONFIG).map_err(failed)?;
        let wrong = |(line, what)| Error::Wrong { path: path.to_owned(), line, what };
        let resolved = AliasFile::parse(&text).and_then(|file| file.resolved(&self.aliases));
        for (name, mailboxes) in resolved.map_err(wrong)? {
            if self.aliases.0.keys().all(|known| !known.eq_ignore_ascii_case(&name)) {
                self.aliases.0.insert(name, Alias(mailboxes));
            }
        }
        Ok(())
    }

    /// Parses a text that is to become the configuration file at `path`.
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
        let text = bounded::read_text(file, limits::CONFIG).map_err(failed)?;
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
            let (at, what) = syntax::explain(text, error);
            wrong(at, what)
        };
        let root = DeTable::parse(text).map_err(|error| syntax(&error))?;
        let mut check = Check { has_password: false };
        check.root(root.get_ref()).map_err(|(at, what)| wrong(at, what))?;
        let file = toml::from_str(text).map_err(|error| syntax(&error))?;
        Ok((file, check.has_password))
    }
}

/// Writes text as a string of TOML, in quotation marks.
pub fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
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
    let number = u32::deserialize(deserializer).ok().filter(|number| (1..=LAST).contains(number));
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

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    ip_address(&text).map(Some).map_err(serde::de::Error::custom)
}

/// A list of values that are written as text.
fn list<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let words = Vec::<String>::deserialize(deserializer)?;
    let values = words.iter().map(|word| word.parse().map_err(serde::de::Error::custom));
    values.collect::<Result<_, _>>().map(Some)
}

/// A list of names or numbers of users or groups.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a list of names or numbers")]
    enum Name {
        Number(u32),
        Text(String),
    }
    let names = Vec::<Name>::deserialize(deserializer)?.into_iter().map(|name| match name {
        Name::Number(number) => number.to_string(),
        Name::Text(text) => text,
    });
    Ok(Some(names.collect()))
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
                    sent-maildir = \"s\"\nlog-file = \"l\"\nchunking = false\nqueue = true\n\
                    submit = \"s\"\nmax-recipients = 1\nrecipients = [\"*@x\"]\nenvelope = \"own\"\n\
                    allow-users = [\"ann\", 5]\nallow-groups = [\"mail\"]\nmax-per-hour = 9\nfallback = \"o\"\n";
        let oauth = "client-id = \"i\"\nclient-secret-command = \"s\"\ngrant = \"code\"\n\
                     issuer = \"https://a.x\"\nauthorize = \"https://a.x/a\"\n\
                     device = \"https://a.x/d\"\nscope = \"s\"\ntenant = \"t\"\n\
                     redirect = \"http://localhost\"\nca-file = \"c\"\n";
        let registered = "client-secret = \"s\"\ntoken = \"https://a.x/t\"\n";
        parse(&format!("[oauth.a]\n{oauth}[oauth.b]\n{registered}")).unwrap();
        for key in OAUTH_KEYS {
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
        assert!(error.ends_with("only one of them may be set"), "{error}");
        let named: String = [every, fetch, send, other].concat();
        for key in KEYS {
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
            ("\nserver = \"x\"\n", "c.toml:2: `server` belongs in [account.NAME] or [defaults]"),
            ("[home]\n", "c.toml:1: unknown key `home`, did you mean [account.home]?"),
            ("home = 1\n", "c.toml:1: unknown key `home`"),
            (
                "[account.a]\nserver = \"pop3s://ann:not-a-secret@host\"\n",
                "c.toml:2: expected a host name, as HOST or HOST:PORT, found `pop3s://****@host`",
            ),
            ("[account]\nhome = 1\n", "c.toml:2: expected an account, as in [account.home]"),
            ("account = 1\n", "c.toml:1: expected a table, as in [account]"),
            ("[account.a.send]\nkeep = \"none\"\n", "c.toml:2: `keep` is for fetching only"),
            (
                "[account.a]\npassword = 123\n",
                "c.toml:2: `password` is text: write it in quotes, as in \"TEXT\"",
            ),
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
            (
                "[account.a]\nsource-address = \"eth0\"\n",
                "c.toml:2: expected an IP address such as `192.0.2.1`, found `eth0`",
            ),
            ("aliases = 1\n", "c.toml:1: expected a table, as in [aliases]"),
            ("oauth = 1\n", "c.toml:1: expected a table, as in [oauth]"),
            ("[oauth]\na = 1\n", "c.toml:2: expected a client, as in [oauth.a]"),
            (
                "[oauth.a]\nclient-ids = \"x\"\n",
                "c.toml:2: unknown key `client-ids`, did you mean `client-id`?",
            ),
            (
                "[oauth.a]\nclient-secret = 1\n",
                "c.toml:2: `client-secret` is text: write it in quotes, as in \"TEXT\"",
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
    }

    #[test]
    fn a_command_that_runs_nothing_is_refused_as_empty() {
        for key in KEYS.iter().chain(OAUTH_KEYS).filter(|key| key.value.starts_with("\"LINE\"")) {
            let table = if key.place == Place::OAuth { "oauth" } else { "account" };
            let value = |value: &str| parse(&format!("[{table}.a]\n{} = {value}\n", key.name));
            for empty in ["\"\"", "\" \\t\"", "\"# procmail\"", "\"\\n # a\\n#b\"", "[]"] {
                let expected = format!("c.toml:2: `{}` is empty", key.name);
                assert_eq!(value(empty).unwrap_err(), expected, "{empty}");
            }
            value("\"# one\\n procmail # two\"").unwrap();
        }
    }

    #[test]
    fn what_is_no_toml_is_said_in_plain_words_and_without_the_value() {
        let quotes = "is text: write it in quotes";
        for (text, expected) in [
            (
                "[a]\nkeep = 30\n",
                format!("c.toml:2: `keep` {quotes}, as in \"forever\" | \"none\" | \"30d\""),
            ),
            ("[a]\nuser = newc\n", format!("c.toml:2: `user` {quotes}, as in \"NAME\"")),
            ("[a]\nuser = 5\n", format!("c.toml:2: `user` {quotes}, as in \"NAME\"")),
            ("[a]\nuser = mail\n", format!("c.toml:2: `user` {quotes}, as in \"NAME\"")),
            ("[a]\nmax-size = 25M\n", format!("c.toml:2: `max-size` {quotes}, as in \"25M\"")),
            (
                "[a]\npassword-file = 5\n",
                format!("c.toml:2: `password-file` {quotes}, as in \"FILE\""),
            ),
            ("[a]\npassword = hunter2\n", format!("c.toml:2: `password` {quotes}, as in \"TEXT\"")),
            (
                "[a]\nfetch.keep = none\n",
                format!("c.toml:2: `fetch.keep` {quotes}, as in \"forever\" | \"none\" | \"30d\""),
            ),
            (
                "[a]\ntls = true\n",
                format!("c.toml:2: `tls` {quotes}, as in \"implicit\" | \"starttls\" | \"none\""),
            ),
            ("[a]\npatience = 6\n", format!("c.toml:2: `patience` {quotes}, as in \"6h\"")),
            ("default = 5\n", format!("c.toml:1: `default` {quotes}")),
            (
                "[a]\nqueue = \"yes\"\n",
                "c.toml:2: `queue` is true or false, without quotes".to_owned(),
            ),
            (
                "[a]\npipelining = 1\n",
                "c.toml:2: `pipelining` is true or false, without quotes".to_owned(),
            ),
            ("[a]\nlimit = \"7\"\n", "c.toml:2: `limit` is a number, without quotes".to_owned()),
            ("[a]\nport = \"x\"\n", "c.toml:2: `port` is a number, without quotes".to_owned()),
            ("[a]\nport = 99999\n", "c.toml:2: expected a number from 1 to 65535".to_owned()),
            (
                "[a]\npassword-command = 1\n",
                "c.toml:2: expected a command as text, or a list of its words".to_owned(),
            ),
            (
                "[a]\npassword-command = 18446744073709551616\n",
                "c.toml:2: expected a command as text, or a list of its words".to_owned(),
            ),
            (
                "[a]\ndeliver-command = [\"a\", 1]\n",
                "c.toml:2: expected a command as text, or a list of its words".to_owned(),
            ),
            (
                "[a]\nuser = \"a\\u0007b\"\n",
                "c.toml:2: `user` holds a control character".to_owned(),
            ),
            (
                "[a]\nca-file = \"/a\\nb\"\n",
                "c.toml:2: `ca-file` holds a control character".to_owned(),
            ),
            (
                "[a]\nfetch = 1\n",
                "c.toml:2: `fetch` is a table, as in [account.NAME.fetch]".to_owned(),
            ),
            (
                "[a]\nuser = \"x\"\nserver = \"h\"\nuser = \"y\"\n",
                "c.toml:4: `user` is there twice, first in line 2".to_owned(),
            ),
            (
                "[a]\n[b]\n[ a ]\n",
                "c.toml:3: [account.a] is there twice, first in line 1".to_owned(),
            ),
            (
                "[a.fetch]\n[a]\nfetch.keep = \"none\"\n",
                "c.toml:3: `fetch.keep` is there twice".to_owned(),
            ),
            (
                "[a]\nuser = \"x\nserver = \"h\"\n",
                "c.toml:2: `user`: the quote at the end of its value is missing".to_owned(),
            ),
            (
                "[a]\nuser = 'x\nserver = \"h\"\n",
                "c.toml:2: `user`: the quote at the end of its value is missing".to_owned(),
            ),
            (
                "[a\nserver = \"x\"\n",
                "c.toml:1: the bracket at the end is missing: expected `]`".to_owned(),
            ),
            ("[a]\nserver =\n", "c.toml:2: `server` has no value".to_owned()),
            ("[a]\nserver\n", "c.toml:2: expected KEY = VALUE: the `=` is missing".to_owned()),
            (
                "[a]\nserver: mail.x\n",
                "c.toml:2: expected KEY = VALUE: the `=` is missing".to_owned(),
            ),
        ] {
            let text = text
                .replace("[a", "[account.a")
                .replace("[ a", "[ account.a")
                .replace("[b", "[account.b");
            assert_eq!(parse(&text).unwrap_err(), expected, "{text}");
        }
        for (line, expected) in [
            ("user = \"x\" server = \"y\"", "expected the end of the line after the value"),
            ("password = 'hun'ter2'", "expected the end of the line after the value"),
            ("password = \"hun\\der2\"", "a backslash within"),
            ("password-command = [\"a\" \"b\"]", "commas separate the words of a list"),
            ("us@r = 1", "a name with other characters"),
        ] {
            let error = parse(&format!("[account.a]\n{line}\n")).unwrap_err();
            assert!(error.starts_with(&format!("c.toml:2: {expected}")), "{error}");
            assert!(!error.contains("hun"), "{error}");
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
