//! Values with a grammar of their own: servers, kinds of TLS, times, sizes, commands, senders. Each is
//! parsed once, from the file or the command line.

use std::fmt;
use std::net::IpAddr;
use std::process::Command;
use std::str::FromStr;

use serde::Deserialize;

use crate::text::{AddressError, Addressee, Domain, Mailbox, shown, without_password};

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
    /// Every kind, by its name in the configuration.
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
    /// Returns the address of the account; of one for a whole domain, an address whose domain alone
    /// counts.
    pub fn address(&self) -> &Mailbox {
        match self {
            Self::Mailbox(Addressee { address, .. }) | Self::Anybody(address) => address,
        }
    }

    /// Returns the domain of the account's addresses.
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

/// The reverse-path that messages are sent with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EnvelopeFrom {
    /// The one that the caller named, if any.
    #[default]
    Caller,
    /// The account's address, whatever the caller named.
    Own,
}

impl FromStr for EnvelopeFrom {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        match text {
            "caller" => Ok(Self::Caller),
            "own" => Ok(Self::Own),
            _ => Err(WrongValue { found: shown(text), expected: "`caller` or `own`".to_owned() }),
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
        let (mut number, mut unit) = (text, 1);
        for (name, octets) in UNITS {
            if let Some(rest) = text.strip_suffix([name, name.to_ascii_lowercase()]) {
                (number, unit) = (rest, octets);
            }
        }
        match number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)) {
            Some(octets) => Ok(Self { octets }),
            None => Err(WrongValue {
                found: shown(text),
                expected: "a number of octets such as `500k` or `25M`".to_owned(),
            }),
        }
    }
}

/// A program to run and its arguments: given as a list, or as a line for `sh -c`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(from = "Typed")]
pub struct CommandLine(pub(super) Vec<String>);

/// A command line as it stands in the file.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a command as text, or a list of its words")]
enum Typed {
    Shell(String),
    Words(Vec<String>),
}

impl CommandLine {
    /// Creates the command that `sh -c` runs as this line.
    pub fn shell(line: &str) -> Self {
        Self(["sh", "-c", line].map(str::to_owned).to_vec())
    }

    /// The program's words as they stand.
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// Returns the program with its arguments, ready to be run.
    pub fn command(&self) -> Command {
        let mut words = self.0.iter();
        let mut command = Command::new(words.next().map_or("", String::as_str));
        command.args(words);
        command
    }
}

impl CommandLine {
    /// Returns the command for a server: in each word `%h` is replaced by its host, `%p` by its
    /// port.
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

/// The error for a value that a key or an option cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found `{found}`")]
pub struct WrongValue {
    found: String,
    expected: String,
}

/// Reads an IP address.
pub fn ip_address(text: &str) -> Result<IpAddr, WrongValue> {
    text.parse().map_err(|_| WrongValue {
        found: shown(text),
        expected: "an IP address such as `192.0.2.1`".to_owned(),
    })
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
