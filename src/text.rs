//! Text that was parsed once and cannot be wrong afterwards: addresses (RFC 5321 §4.1.2), host
//! names, unique-ids (RFC 1939 §7), secrets; and what may be shown of text that others wrote.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::limits;

mod detour;
mod recipient_status;
mod url;

pub use self::detour::{Detour, DetourError};
pub use self::recipient_status::RecipientStatus;
pub use self::url::{HttpsUrl, UrlError};

/// An address `local-part@domain` (RFC 5321 §4.1.2 `Mailbox`), without display name or brackets.
///
/// Holds no control character, so that it cannot end a command line. A domain beyond ASCII becomes
/// the ASCII it stands for (RFC 5890 §2.3.2.1), which every server understands; such a local part
/// stays (RFC 6531), and whether a server takes it is the session's business.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox {
    text: String,
    at: usize,
}

impl Mailbox {
    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The local part, in front of the last `@` (RFC 5321 §4.1.2).
    pub fn local_part(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// The domain, behind the last `@`.
    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }

    /// Returns whether the address means nothing beyond the machine called `host`: its domain is
    /// the machine's name, or has no dot, as `localhost`.
    pub fn is_local(&self, host: &str) -> bool {
        let is_named = |name: &str| self.domain().eq_ignore_ascii_case(name);
        let is_bare = !self.domain().contains('.') && !is_address_literal(self.domain());
        is_bare || is_named(host) || is_named("localhost.localdomain")
    }

    /// Returns whether the domain is the machine called `host`, in full or by its first label.
    pub fn is_at_host(&self, host: &str) -> bool {
        let label = host.split('.').next().unwrap_or(host);
        ["localhost", "localhost.localdomain", host, label]
            .iter()
            .any(|name| self.domain().eq_ignore_ascii_case(name))
    }

    /// Returns whether the address needs SMTPUTF8 (RFC 6531 §3.3) in an envelope.
    pub fn is_international(&self) -> bool {
        !self.text.is_ascii()
    }
}

impl FromStr for Mailbox {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = |reason| AddressError { address: shown(text), reason };
        let text = text.trim_ascii();
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        if text.len() > limits::ADDRESS {
            return Err(wrong("it is longer than 254 octets"));
        }
        clean(text).map_err(wrong)?;
        let at = text.rfind('@').ok_or_else(|| wrong("it has no `@`"))?;
        let (local_part, domain) = text.split_at(at + 1);
        let address = Self { text: format!("{local_part}{}", ascii(domain)), at };
        if !is_local_part(address.local_part()) {
            return Err(wrong("what stands before the `@` is not a local part"));
        }
        let domain = address.domain();
        if !is_domain(domain) && !is_address_literal(domain) {
            return Err(wrong("what stands behind the `@` is not a domain"));
        }
        Ok(address)
    }
}

/// The reverse-path (RFC 5321 §4.4), to which failures are reported: an address, or `<>`, as in a
/// message that is itself a report or an automatic answer and must cause no other (§4.5.5, RFC 3834
/// §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReversePath {
    /// `<>`.
    Null,
    /// An address.
    Mailbox(Mailbox),
}

impl ReversePath {
    /// The address; empty without one.
    pub fn as_str(&self) -> &str {
        self.mailbox().map(Mailbox::as_str).unwrap_or_default()
    }

    /// The address, if there is one. `None` if there is none.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }
}

impl From<Mailbox> for ReversePath {
    fn from(mailbox: Mailbox) -> Self {
        Self::Mailbox(mailbox)
    }
}

impl FromStr for ReversePath {
    type Err = AddressError;

    /// Parses any form that callers write: `ann@x.example`, `<ann@x.example>`, `Ann
    /// <ann@x.example>`, `<>` or nothing.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.parse().map(|NamedReversePath { path, .. }| path)
    }
}

/// A reverse-path, and the name that stands before it where it is written for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedReversePath {
    /// The display name.
    pub name: Option<String>,
    /// The path.
    pub path: ReversePath,
}

impl From<ReversePath> for NamedReversePath {
    fn from(path: ReversePath) -> Self {
        Self { name: None, path }
    }
}

impl FromStr for NamedReversePath {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim_ascii();
        if text.is_empty() || text == "<>" {
            return Ok(Self { name: None, path: ReversePath::Null });
        }
        let Addressee { name, address } = text.parse()?;
        Ok(Self { name, path: ReversePath::Mailbox(address) })
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{address}` is not an address: {reason}")]
pub struct AddressError {
    address: String,
    reason: &'static str,
}

/// A name that only this machine knows, such as `root`: a local part on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalName(String);

impl LocalName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LocalName {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let name = text.trim_ascii();
        let is_clean = name.len() <= limits::ADDRESS && clean(name).is_ok();
        if is_clean && is_local_part(name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(AddressError { address: shown(text), reason: "it is not a local part either" })
        }
    }
}

impl fmt::Display for LocalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address as people write it: in full, or as a name that only this machine knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address with a domain.
    Mailbox(Mailbox),
    /// Without one.
    Local(LocalName),
}

impl Address {
    /// The address, if it means something on other machines too.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Mailbox(mailbox) => Some(mailbox),
            Self::Local(_) => None,
        }
    }

    /// Returns whether the address means nothing beyond the machine called `host`; true of every
    /// local name.
    pub fn is_local(&self, host: &str) -> bool {
        self.mailbox().is_none_or(|mailbox| mailbox.is_local(host))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.parse().map(Self::Local).or_else(|_| text.parse().map(Self::Mailbox))
    }
}

/// An address and the name that stands before it, if any (RFC 5322 §3.4 `mailbox`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee<A = Mailbox> {
    /// The display name, no longer quoted; or what stood in parentheses, as long ago.
    pub name: Option<String>,
    /// The address.
    pub address: A,
}

impl FromStr for Addressee {
    type Err = AddressError;

    /// Parses one address, with a display name or without.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        if !text.trim_ascii().ends_with('>') {
            return text.parse().map(|address| Self { name: None, address });
        }
        let Addressees(list) = text.parse::<Addressees>()?;
        match <[Self; 1]>::try_from(list) {
            Ok([addressee]) => Ok(addressee),
            Err(_) => {
                Err(AddressError { address: shown(text), reason: "a message has one sender" })
            }
        }
    }
}

/// An address list as it stands in To, Cc or Bcc (RFC 5322 §3.4), or on a command line: display
/// names and quoted strings are understood, groups and routes dropped, and so are comments unless
/// there is no other name. Unfolded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressees<A = Mailbox>(pub Vec<Addressee<A>>);

impl<A: FromStr<Err = AddressError>> FromStr for Addressees<A> {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut list = AddressList::default();
        if text.chars().any(|c| c.is_control() && c != '\t') {
            let reason = "it holds a control character";
            return Err(AddressError { address: shown(text), reason });
        }
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' if list.is_literal_text() => {
                    list.push(c);
                    chars.next().into_iter().for_each(|next| list.push(next));
                }
                c => list.take(c),
            }
        }
        list.finish();
        let addressee = |(name, address): &(String, String)| {
            let name = unquoted(name);
            let address = address.parse()?;
            Ok(Addressee { name: (!name.is_empty()).then_some(name), address })
        };
        list.found.iter().map(addressee).collect::<Result<_, _>>().map(Self)
    }
}

impl<A> Addressees<A> {
    /// The bare addresses.
    pub fn addresses(self) -> impl Iterator<Item = A> {
        self.0.into_iter().map(|addressee| addressee.address)
    }
}

/// A display name without its quotes and the backslashes within.
fn unquoted(phrase: &str) -> String {
    let mut name = String::with_capacity(phrase.len());
    let mut chars = phrase.trim().chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {}
            '\\' => name.extend(chars.next()),
            c => name.push(c),
        }
    }
    name
}

/// The entries of a list, as its characters come by.
#[derive(Default)]
struct AddressList {
    /// Display names and addresses.
    found: Vec<(String, String)>,
    name: String,
    entry: String,
    place: Place,
    /// The character that ends the quoted string or the domain literal that is being read; `None`
    /// outside of either.
    until: Option<char>,
    /// Depth of nested comments.
    depth: usize,
    /// The last comment.
    comment: String,
}

/// A position in an entry of an address list.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Words,
    /// Between `<` and `>`.
    Angle,
}

impl AddressList {
    fn is_literal_text(&self) -> bool {
        self.until == Some('"') || self.depth > 0
    }

    fn push(&mut self, c: char) {
        if self.depth > 0 { &mut self.comment } else { &mut self.entry }.push(c);
    }

    fn take(&mut self, c: char) {
        match c {
            ')' if self.depth > 0 => self.depth -= 1,
            '(' if self.until.is_none() || self.depth > 0 => {
                if self.depth == 0 {
                    self.comment.clear();
                }
                self.depth += 1;
            }
            c if self.depth > 0 => self.push(c),
            c if self.until.is_some() => {
                self.push(c);
                self.until = self.until.filter(|&end| end != c);
            }
            '"' | '[' => {
                self.push(c);
                self.until = Some(if c == '[' { ']' } else { c });
            }
            '<' => {
                self.name = std::mem::take(&mut self.entry);
                self.place = Place::Angle;
            }
            '>' if self.place == Place::Angle => {
                self.place = Place::Words;
                self.finish();
            }
            // A source route `@a,@b:user@c` is obsolete and ignored (RFC 5321 §4.1.1.3).
            ':' => self.entry.clear(),
            ',' | ';' if self.place != Place::Angle => self.finish(),
            c => self.push(c),
        }
    }

    fn finish(&mut self) {
        let (mut name, mut entry) =
            (std::mem::take(&mut self.name), std::mem::take(&mut self.entry));
        let comment = std::mem::take(&mut self.comment);
        if name.trim().is_empty() {
            name = comment;
        }
        if self.place == Place::Angle {
            // What was never closed is not to pass for an address.
            entry.insert(0, '<');
        }
        let entry = entry.trim_ascii();
        if !entry.is_empty() {
            self.found.push((name, entry.to_owned()));
        }
        self.place = Place::Words;
    }
}

/// The NOTIFY parameter (RFC 3461 §4.1): the occasions on which the sender wants a delivery status
/// notification, in the words of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify(String);

impl FromStr for Notify {
    type Err = NotifyError;

    fn from_str(text: &str) -> Result<Self, NotifyError> {
        let words = text.to_ascii_uppercase();
        let is_occasion = |word: &str| matches!(word, "SUCCESS" | "FAILURE" | "DELAY");
        if words == "NEVER" || words.split(',').all(is_occasion) {
            Ok(Self(words))
        } else {
            Err(NotifyError { found: shown(text) })
        }
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text names no occasions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected `never`, or some of `success`, `failure` and `delay` with commas, found `{found}`"
)]
pub struct NotifyError {
    found: String,
}

/// The RET parameter (RFC 3461 §4.3): the part of the message that a report of its failure holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// All of it.
    Full,
    /// The header only.
    Headers,
}

impl FromStr for Return {
    type Err = ReturnError;

    fn from_str(text: &str) -> Result<Self, ReturnError> {
        match text.to_ascii_lowercase().as_str() {
            "full" => Ok(Self::Full),
            "hdrs" => Ok(Self::Headers),
            _ => Err(ReturnError { found: shown(text) }),
        }
    }
}

impl fmt::Display for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        })
    }
}

/// The text names no part of a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `full` or `hdrs`, found `{found}`")]
pub struct ReturnError {
    found: String,
}

/// Text as a parameter of a command can hold it (RFC 3461 §4 `xtext`).
pub fn xtext(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_graphic() && !b"+=".contains(&octet) {
            encoded.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "+{octet:02X}");
        }
    }
    encoded
}

/// A header field `Name: value` that the user adds to a composed message: one line, and none of the
/// fields that this program writes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderField {
    /// The name, in front of the colon.
    pub name: String,
    /// The value, behind the colon, without blanks around it.
    pub value: String,
}

impl FromStr for HeaderField {
    type Err = HeaderFieldError;

    fn from_str(text: &str) -> Result<Self, HeaderFieldError> {
        const WRITTEN: [&str; 9] = [
            "bcc",
            "cc",
            "date",
            "from",
            "message-id",
            "mime-version",
            "reply-to",
            "subject",
            "to",
        ];
        let wrong = || HeaderFieldError::Malformed(shown(text));
        let (name, value) = text.split_once(':').ok_or_else(wrong)?;
        let value = value.trim();
        let is_name = !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic());
        if !is_name || value.is_empty() || value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(wrong());
        }
        let lower = name.to_ascii_lowercase();
        if WRITTEN.contains(&lower.as_str()) || lower.starts_with("content-") {
            return Err(HeaderFieldError::Written(name.to_owned()));
        }
        if lower == "resent-bcc" {
            return Err(HeaderFieldError::Removed(name.to_owned()));
        }
        if value.is_ascii() && !is_foldable(value) {
            return Err(HeaderFieldError::TooLong(name.to_owned()));
        }
        let field = Self { name: name.to_owned(), value: value.to_owned() };
        if let Some(Err(error)) = field.addressees() {
            return Err(HeaderFieldError::Address(name.to_owned(), error));
        }
        Ok(field)
    }
}

impl HeaderField {
    /// The addresses of a field that holds some and is not ASCII, so that their names must be
    /// encoded and they themselves must not (RFC 2047 §5). `None` for any other field.
    pub fn addressees(&self) -> Option<Result<Addressees, AddressError>> {
        const ADDRESSES: [&str; 13] = [
            "disposition-notification-to",
            "errors-to",
            "mail-followup-to",
            "mail-reply-to",
            "resent-cc",
            "resent-from",
            "resent-reply-to",
            "resent-sender",
            "resent-to",
            "return-receipt-to",
            "sender",
            "x-original-to",
            "x-sender",
        ];
        let is_known = |name: &&str| name.eq_ignore_ascii_case(&self.name);
        let has_addresses = !self.value.is_ascii() && ADDRESSES.iter().any(is_known);
        has_addresses.then(|| self.value.parse())
    }
}

/// The text is not a field that can be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFieldError {
    /// The text has no name and colon.
    #[error("expected `Name: value`, found `{0}`")]
    Malformed(String),
    /// The field would be in the message twice.
    #[error("`{0}` cannot be set with --header")]
    Written(String),
    /// The field would be removed before sending.
    #[error("`{0}` is removed from every message that is sent: use --bcc")]
    Removed(String),
    /// A word of it has no place on any line.
    #[error("`{0}` has a word of more than 998 octets")]
    TooLong(String),
    /// The field must hold addresses and does not.
    #[error("`{0}`: {1}")]
    Address(String, AddressError),
}

/// Returns whether text fits a header: no word of it is longer than a folded line, which begins
/// with a blank (RFC 5322 §2.1.1).
fn is_foldable(text: &str) -> bool {
    text.split_ascii_whitespace().all(|word| word.len() < limits::TEXT_LINE - 2)
}

/// The name before an address, as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullName(String);

impl FullName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FullName {
    type Err = FullNameError;

    fn from_str(text: &str) -> Result<Self, FullNameError> {
        // With quotes and backslashes around it, it may be twice as long; and an address follows.
        let room = (limits::TEXT_LINE - limits::ADDRESS) / 2;
        let is_short = text.split_ascii_whitespace().all(|word| word.len() < room);
        if is_short { Ok(Self(text.to_owned())) } else { Err(FullNameError) }
    }
}

/// The name has a word that no line of a header holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has a word too long for a header line")]
pub struct FullNameError;

/// A host to connect to: a name, or an address as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Domain(String);

impl Domain {
    /// The name as it was written, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let name = ascii(bare);
        if bare.parse::<IpAddr>().is_ok() || (is_domain(&name) && bare == text) {
            Ok(Self(name.to_ascii_lowercase()))
        } else {
            Err(DomainError { name: shown(text) })
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a host name")]
pub struct DomainError {
    name: String,
}

/// The name of a client in EHLO: a domain or an address literal (RFC 5321 §4.1.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EhloName(String);

impl EhloName {
    /// An address literal (RFC 5321 §4.1.3).
    pub fn literal(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self(format!("[{v4}]")),
            IpAddr::V6(v6) => Self(format!("[IPv6:{v6}]")),
        }
    }
}

impl FromStr for EhloName {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        let name = ascii(text);
        if is_domain(&name) || is_address_literal(text) {
            Ok(Self(name.into_owned()))
        } else {
            Err(DomainError { name: shown(text) })
        }
    }
}

impl fmt::Display for EhloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A unique-id (RFC 1939 §7): what a server calls one message for ever. A key in the journal,
/// never a file name.
///
/// The standard allows 1 to 70 octets from `!` to `~`; blanks, 8-bit octets and more length are
/// tolerated, since all that is asked of it is to be the same again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uid(Octets);

/// The octets of a unique-id. There may be millions of them, so the usual lengths are held in
/// place. Each text has one representation, so that equality of values is equality of texts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Octets {
    /// A short one, padded with zeros, which a unique-id cannot contain.
    Here([u8; 23]),
    Elsewhere(Box<[u8]>),
}

impl Uid {
    /// The octets as the server sent them; `None` if empty, too long, or with a control character.
    pub fn new(octets: &[u8]) -> Option<Self> {
        let fits = (1..=limits::UID).contains(&octets.len());
        // All of them are looked at, many at a time.
        let clean = !octets.iter().fold(false, |found, octet| found | octet.is_ascii_control());
        (fits && clean).then(|| {
            let mut here = [0; 23];
            Self(match here.get_mut(..octets.len()) {
                Some(place) => {
                    place.copy_from_slice(octets);
                    Octets::Here(here)
                }
                None => Octets::Elsewhere(octets.into()),
            })
        })
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Octets::Here(octets) => octets.split(|&octet| octet == 0).next().unwrap_or_default(),
            Octets::Elsewhere(octets) => octets,
        }
    }
}

impl Hash for Uid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Octets::Here(octets) => state.write(octets),
            Octets::Elsewhere(octets) => state.write(octets),
        }
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&String::from_utf8_lossy(self.as_bytes())))
    }
}

/// A message that a server has given a unique-id, or might have.
pub trait Identified {
    /// The unique-id, if it has one.
    fn uid(&self) -> Option<&Uid>;
}

/// A password or token. Its `Debug` says nothing; [`Secret::expose`] is the one way out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns whether the secret begins or ends with a blank, which is easily overlooked.
    pub fn has_blank_ends(&self) -> bool {
        self.0.trim() != self.0
    }

    /// The text itself, for the one command that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// Text with the user and password masked that stand in front of the host of a URL (RFC 3986 §3.2.1),
/// or of what was meant as one.
pub fn without_password(text: &str) -> Cow<'_, str> {
    let begin = text.find("://").map_or(0, |at| at + "://".len());
    let (scheme, rest) = text.split_at_checked(begin).unwrap_or(("", text));
    match rest.rsplit_once('@') {
        Some((user, host)) if user.contains(':') => Cow::Owned(format!("{scheme}****@{host}")),
        _ => Cow::Borrowed(text),
    }
}

/// Octets for people, in powers of 1,000.
pub fn size(octets: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.iter().find(|(unit, _)| octets >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", octets / unit, octets % unit * 10 / unit),
        None => format!("{octets} B"),
    }
}

/// Makes text from servers and messages safe for a terminal or a log: one line, bounded in length,
/// with control, escape and direction-changing characters made visible.
pub fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len().min(limits::SHOWN));
    for (count, c) in text.trim_end_matches(['\r', '\n']).chars().enumerate() {
        if count == limits::SHOWN {
            safe.push('…');
            break;
        }
        match c {
            '\t' => safe.push(' '),
            c if is_unprintable(c) => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}

/// A whole text made safe for a terminal as it is, but for its line ends.
pub fn escaped(text: &str) -> Cow<'_, str> {
    rewritten(text, |c, safe| write!(safe, "\\u{{{:x}}}", u32::from(c)))
}

/// The text of a JSON object, safe for a terminal and with the same meaning: what JSON leaves as it
/// is in a string and a terminal does not is written as `\uXXXX` (RFC 8259 §7).
pub fn escaped_json(text: &str) -> Cow<'_, str> {
    rewritten(text, |c, safe| {
        c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(safe, "\\u{unit:04x}"))
    })
}

fn rewritten(text: &str, escape: impl Fn(char, &mut String) -> fmt::Result) -> Cow<'_, str> {
    let is_unsafe = |c: char| is_unprintable(c) && c != '\n';
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            // Writing to a String cannot fail.
            let _ = escape(c, &mut safe);
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Returns whether a character shows as nothing, or makes what surrounds it look like something
/// else: Unicode's general categories Cc, Cf, Co, Zl and Zp (version 16), the code points reserved
/// for Cf, and the letters and marks that look blank.
pub fn is_unprintable(c: char) -> bool {
    const FORMAT: [RangeInclusive<char>; 19] = [
        '\u{ad}'..='\u{ad}',
        '\u{600}'..='\u{605}',
        '\u{61c}'..='\u{61c}',
        '\u{6dd}'..='\u{6dd}',
        '\u{70f}'..='\u{70f}',
        '\u{890}'..='\u{891}',
        '\u{8e2}'..='\u{8e2}',
        '\u{180e}'..='\u{180e}',
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}', // With Zl and Zp in front.
        '\u{2060}'..='\u{206f}',
        '\u{feff}'..='\u{feff}',
        '\u{fff0}'..='\u{fffb}',
        '\u{110bd}'..='\u{110bd}',
        '\u{110cd}'..='\u{110cd}',
        '\u{13430}'..='\u{1343f}',
        '\u{1bca0}'..='\u{1bca3}',
        '\u{1d173}'..='\u{1d17a}',
        '\u{e0000}'..='\u{e007f}',
    ];
    const PRIVATE: [RangeInclusive<char>; 3] =
        ['\u{e000}'..='\u{f8ff}', '\u{f0000}'..='\u{ffffd}', '\u{100000}'..='\u{10fffd}'];
    const BLANK: [char; 8] = [
        '\u{34f}', '\u{115f}', '\u{1160}', '\u{17b4}', '\u{17b5}', '\u{2800}', '\u{3164}',
        '\u{ffa0}',
    ];
    c.is_control()
        || !c.is_ascii()
            && (FORMAT.iter().chain(&PRIVATE).any(|range| range.contains(&c)) || BLANK.contains(&c))
}

/// An operating system's error without the number that Rust appends.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut chars = words.chars();
    match (chars.next(), chars.next()) {
        // "Connection refused" reads as a fragment; "I/O error" stays as it is.
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(words.chars().skip(1)).collect()
        }
        _ => words.to_owned(),
    }
}

/// Writes octets as text without blanks or slashes, as in a URL: for names and journal fields.
pub fn percent_encoded(octets: &[u8]) -> Cow<'_, str> {
    let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"@._-+=,!~$".contains(octet);
    if let Ok(text) = str::from_utf8(octets)
        && octets.iter().all(is_plain)
    {
        return text.into();
    }
    let mut text = String::with_capacity(octets.len());
    for &octet in octets {
        if is_plain(&octet) {
            text.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{octet:02X}");
        }
    }
    text.into()
}

/// Undoes [`percent_encoded`]; `None` if the text was not written by it.
pub fn percent_decoded(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !text.contains(&b'%') {
        return Some(text.into());
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first == b'%' {
            let (digits, tail) = rest.split_at_checked(2)?;
            octets.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = tail;
        } else {
            octets.push(first);
        }
    }
    Some(octets.into())
}

/// A decimal number: digits and nothing else. `None` for anything else, and for a number beyond 64
/// bits.
pub fn number(digits: &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    (!digits.is_empty()).then_some(number)
}

/// Checks that an address holds no invisible character and none that marks a wrong decoding
/// (U+FFFD). The error names what was found.
fn clean(address: &str) -> Result<(), &'static str> {
    for c in address.chars() {
        match c {
            c if c.is_control() => return Err("it holds a control character"),
            char::REPLACEMENT_CHARACTER => {
                return Err("it holds octets that are not UTF-8, and what they mean is not known");
            }
            c if is_unseen(c) => return Err("it holds a character that cannot be seen"),
            _ => {}
        }
    }
    Ok(())
}

/// Characters that show nothing, or take the place of nothing: Unicode's general categories Cf, Co,
/// Zs but for the blank, Zl and Zp, and letters that look blank.
fn is_unseen(c: char) -> bool {
    (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}'
            | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}' | '\u{115f}' | '\u{1160}'
            | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

/// RFC 5321 §4.1.2 `Dot-string` or `Quoted-string`; non-ASCII by RFC 6531 §3.3. Dots in unusual
/// places are let through: some providers gave out such addresses, and the server has the say.
fn is_local_part(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('"') {
        let Some(inner) = inner.strip_suffix('"') else { return false };
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match c {
                // Legal, and an end of the path to servers that look for no quotes.
                '"' | '<' | '>' => return false,
                '\\' if chars.next().is_none() => return false,
                _ => {}
            }
        }
        return true;
    }
    let atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    !text.is_empty() && text.chars().all(|c| !c.is_ascii() || atext(c))
}

/// A domain as every server understands it: U-labels become A-labels. What is no domain stays as
/// it is, and is no domain afterwards either.
fn ascii(domain: &str) -> Cow<'_, str> {
    match idna::domain_to_ascii(domain) {
        Ok(ascii) if !domain.is_ascii() => ascii.into(),
        _ => domain.into(),
    }
}

/// RFC 5321 §4.1.2 `Domain`; underscores occur in the wild.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    text.len() <= limits::DOMAIN && text.split('.').all(label)
}

/// RFC 5321 §4.1.3 `address-literal`.
fn is_address_literal(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return false;
    };
    match inner.strip_prefix("IPv6:") {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => inner.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_parsed_once_and_holds_no_line_end() {
        for good in
            ["ann@example.com", "a+b@x", "\"a b\"@x.example", "a@[127.0.0.1]", "jörg@x.example"]
        {
            assert_eq!(good.parse::<Mailbox>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "ann",
            "@x",
            "a@",
            "a b@x",
            "a@b c",
            "a@x\r\nRSET",
            "a@-x",
            "<a@x>",
            "a@x..y",
            "\"a@x",
            "a@[999.0.0.1]",
            "a\0@x",
        ] {
            assert!(bad.parse::<Mailbox>().is_err(), "{bad:?}");
        }
        assert!(format!("{}@x", "a".repeat(300)).parse::<Mailbox>().is_err());
    }

    #[test]
    fn a_domain_beyond_ascii_is_written_in_ascii_and_a_local_part_is_not() {
        let read = |text: &str| text.parse::<Mailbox>().unwrap();
        let ann = read("ann@Bücher.example");
        assert_eq!(ann.as_str(), "ann@xn--bcher-kva.example");
        assert!(!ann.is_international() && ann == read("ann@bücher.example"));
        let jörg = read("jörg@bücher.example");
        assert_eq!(jörg.as_str(), "jörg@xn--bcher-kva.example");
        assert!(jörg.is_international());
        let host = "Bücher.example".parse::<Domain>().unwrap();
        assert_eq!(host.as_str(), "xn--bcher-kva.example");
        assert_eq!("bücher.example".parse::<EhloName>().unwrap().to_string(), host.as_str());
        for wrong in ["a@bü..example", "a@ü b", "a@ü\u{ad}\u{200b}x y", "a@xn--ü"] {
            assert!(wrong.parse::<Mailbox>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_address_holds_nothing_that_cannot_be_seen_or_was_read_wrongly() {
        for c in [
            '\u{200b}',
            '\u{a0}',
            '\u{ad}',
            '\u{202e}',
            '\u{2028}',
            '\u{3000}',
            '\u{3164}',
            '\u{feff}',
            '\u{fffd}',
            '\u{e000}',
            '\u{e0041}',
            '\u{85}',
            '\u{2060}',
            '\u{1d173}',
        ] {
            for text in [
                format!("b{c}ob@x.example"),
                format!("{c}bob@x.example"),
                format!("bob@x{c}.example"),
                format!("bob@x.example{c}"),
                format!("\"b{c}\"@x.example"),
            ] {
                assert!(text.parse::<Mailbox>().is_err(), "{text:?}");
                assert!(text.parse::<Addressees>().is_err(), "{text:?}");
                assert!(text.parse::<ReversePath>().is_err(), "{text:?}");
                let angled = format!("Bob <{text}>");
                assert!(angled.parse::<Addressees<Address>>().is_err(), "{angled:?}");
            }
            assert!(format!("ro{c}ot").parse::<LocalName>().is_err(), "{c:?}");
        }
        for quoted in ["\"a>b\"@x.example", "\"<eve@y.example>,\"@x.example", "\"a<\"@x.example"] {
            assert!(quoted.parse::<Mailbox>().is_err(), "{quoted}");
            assert!(format!("Bob <{quoted}>").parse::<Addressees>().is_err(), "{quoted}");
        }
    }

    #[test]
    fn a_reverse_path_is_read_in_any_form() {
        for (text, path) in [
            ("", ""),
            ("<>", ""),
            (" <> ", ""),
            ("a@b", "a@b"),
            ("<a@b>", "a@b"),
            ("\"Doe, Ann\" <a@b>", "a@b"),
        ] {
            let read: ReversePath = text.parse().unwrap();
            assert_eq!(
                (read.as_str(), read.mailbox().is_some()),
                (path, !path.is_empty()),
                "{text}"
            );
        }
        for wrong in
            ["root", "a@b, c@d", "<a@b>, <c@d>", "<a@b", "a@b>", "<root>", "x: <a@b>;", "< >"]
        {
            assert!(wrong.parse::<ReversePath>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn occasions_and_parts_are_the_protocols_words() {
        for (text, words) in [("never", "NEVER"), ("Failure,delay", "FAILURE,DELAY")] {
            assert_eq!(text.parse::<Notify>().unwrap().to_string(), words);
        }
        for wrong in ["", "never,failure", "failure, delay", "sometimes"] {
            assert!(wrong.parse::<Notify>().is_err(), "{wrong:?}");
        }
        assert_eq!("hdrs".parse::<Return>().unwrap().to_string(), "HDRS");
        assert!("half".parse::<Return>().is_err());
        assert_eq!(xtext("a+b=c d\r\n@x"), "a+2Bb+3Dc+20d+0D+0A@x");
    }

    #[test]
    fn a_field_is_one_line_and_none_that_is_there_already() {
        let field = "X-Note:  a: b ".parse::<HeaderField>().unwrap();
        assert_eq!((field.name.as_str(), field.value.as_str()), ("X-Note", "a: b"));
        for wrong in ["", "x", ": y", "a b: c", "X:", "X: y\nBcc: z", "ü: x", "X: \0"] {
            let error = wrong.parse::<HeaderField>().unwrap_err();
            assert!(matches!(error, HeaderFieldError::Malformed(_)), "{wrong:?}");
        }
        for written in ["Bcc: x@y", "SUBJECT: x", "Content-Type: x", "mime-version: 1"] {
            let error = written.parse::<HeaderField>().unwrap_err();
            assert!(matches!(error, HeaderFieldError::Written(_)), "{written:?}");
        }
        let hidden = "resent-bcc: eve@x.example".parse::<HeaderField>().unwrap_err();
        assert!(matches!(hidden, HeaderFieldError::Removed(_)));
        let nobody = "Sender: Jörg".parse::<HeaderField>().unwrap_err();
        assert_eq!(nobody.to_string(), "`Sender`: `Jörg` is not an address: it has no `@`");
    }

    #[test]
    fn an_address_list_gives_up_its_addresses() {
        let read = |text: &str| -> Vec<String> {
            text.parse::<Addressees>().unwrap().addresses().map(|a| a.to_string()).collect()
        };
        assert_eq!(read("a@x, B <b@y>"), ["a@x", "b@y"]);
        assert_eq!(read("\"Doe, Jane\" <j@x>, (a comment, with comma) c@y (d@z)"), ["j@x", "c@y"]);
        assert_eq!(read("Friends: a@x, Bob <b@y>;, c@z"), ["a@x", "b@y", "c@z"]);
        assert_eq!(read("undisclosed-recipients:;"), Vec::<String>::new());
        assert_eq!(read("<@relay.example,@other:a@x>"), ["a@x"]);
        assert_eq!(read("A\t<a@x>,  b@y"), ["a@x", "b@y"]);
        assert_eq!(read("\"a,b\"@x"), ["\"a,b\"@x"]);
        assert_eq!(read(""), Vec::<String>::new());
        assert_eq!(read("<a@x> <b@y>"), ["a@x", "b@y"]);
        for wrong in ["a@x, nonsense", "a@x>", "<a@x", "Bob <b@y, c@z", "<a@x> and others"] {
            assert!(wrong.parse::<Addressees>().is_err(), "{wrong:?}");
        }
        assert!("a@x\r\n, b@y".parse::<Addressees>().is_err());
    }

    #[test]
    fn a_display_name_is_unquoted() {
        let name = |text: &str| text.parse::<Addressees>().unwrap().0.remove(0).name;
        assert_eq!(name("\"Doe, \\\"J\\\" Jane\" <j@x>").unwrap(), "Doe, \"J\" Jane");
        assert_eq!(name("Jürgen (him) Groß <j@x>").unwrap(), "Jürgen  Groß");
        assert_eq!(name("<j@x>"), None);
        assert_eq!(name("j@x"), None);
        assert_eq!(name("j@x (Jane (D.) Doe)").unwrap(), "Jane D. Doe");
        let Addressees(list) = "<j@x> (Jane), k@x".parse::<Addressees>().unwrap();
        assert!(list.iter().all(|addressee| addressee.name.is_none()));
    }

    #[test]
    fn a_name_without_a_domain_is_this_machines_business() {
        let read = |text: &str| text.parse::<Address>().unwrap();
        assert_eq!(read(" root "), Address::Local(LocalName("root".to_owned())));
        assert!(read("\"a@b\"").mailbox().is_none());
        assert_eq!(read("a@x.example").mailbox().unwrap().as_str(), "a@x.example");
        for local in
            ["root", "root@localhost", "root@Box", "a@box.example", "a@localhost.localdomain"]
        {
            assert!(read(local).is_local("Box.example"), "{local}");
        }
        for remote in ["a@x.example", "a@[127.0.0.1]", "a@[IPv6:::1]"] {
            assert!(!read(remote).is_local("box.example"), "{remote}");
        }
        for wrong in ["", "a b", "a\u{85}b", "root\r\nRSET", "<root", "a@", "@x"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn strangers_words_cannot_drive_a_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\r\n"), "a\\u{1b}[2Jb");
        assert_eq!(shown("x\u{202e}y"), "x\\u{202e}y");
        // One of each class: Cc, Cf, Co, Zl, Zp and blanks, and what is none of them.
        for c in
            "\u{0}\u{1b}\u{7f}\u{9b}\u{ad}\u{600}\u{61c}\u{200d}\u{206a}\u{206f}\u{fff9}\u{fffb}\
                  \u{e0041}\u{e000}\u{f0000}\u{10fffd}\u{2028}\u{2029}\u{3164}\u{2800}\u{115f}"
                .chars()
        {
            let (code, text) = (u32::from(c), format!("a{c}b"));
            assert_eq!(shown(&text), format!("a\\u{{{code:x}}}b"));
            assert_eq!(escaped(&text), format!("a\\u{{{code:x}}}b"));
            let json = format!("\"{}\"", escaped_json(&text));
            assert!(!json.chars().any(is_unprintable), "{json}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
        for text in ["a b\n", "Grüße, 日本語 👍🏽", "\u{a0}\u{fe0f}\u{fffd}"] {
            assert_eq!((escaped(text), escaped_json(text)), (text.into(), text.into()));
        }
        assert_eq!(shown(&"z".repeat(5000)).chars().count(), limits::SHOWN + 1);
    }

    #[test]
    fn percent_encoding_comes_back_as_it_was() {
        for octets in [&b"plain"[..], b"a b/c%", &[0, 255, b'\n']] {
            let text = percent_encoded(octets);
            assert!(!text.contains([' ', '/', '\n']));
            assert_eq!(percent_decoded(text.as_bytes()).unwrap(), octets);
        }
        assert_eq!(percent_decoded(b"%4"), None);
        assert_eq!(percent_decoded(b"%zz"), None);
    }

    #[test]
    fn a_unique_id_is_what_was_sent_however_long_it_is() {
        let hash = |uid: &Uid| {
            let mut hasher = std::hash::DefaultHasher::new();
            uid.hash(&mut hasher);
            hasher.finish()
        };
        for length in [1, 22, 23, 24, 255] {
            let octets: Vec<u8> = (b'!'..=b'~').cycle().take(length).collect();
            let (uid, same) = (Uid::new(&octets).unwrap(), Uid::new(&octets).unwrap());
            assert_eq!(uid.as_bytes(), octets);
            assert_eq!((&uid, hash(&uid)), (&same, hash(&same)));
            let other = [&octets[..length - 1], b"\xff"].concat();
            assert_ne!(uid, Uid::new(&other).unwrap());
        }
        assert!(Uid::new(b"").is_none());
        assert!(Uid::new(&[b'x'; 256]).is_none());
        assert!(Uid::new(b"a\0").is_none());
    }

    #[test]
    fn a_number_is_digits() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for wrong in ["18446744073709551616", "99999999999999999999", "", "+1", "-1", "1 ", "x"] {
            assert_eq!(number(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "****");
    }

    #[test]
    fn an_error_is_a_fragment_without_numbers() {
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(plain(&refused), "connection refused");
    }
}
