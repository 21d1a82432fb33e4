//! Addresses as the envelope (RFC 5321 §4.1.2), a header (RFC 5322 §3.4) and the command line write
//! them. Groups and routes are read and dropped.

use std::fmt;
use std::hash::Hash;
use std::str::FromStr;

use super::escape::is_unseen;
use super::host::ascii;
use super::host::is_address_literal;
use super::host::is_domain;
use super::shown;
use crate::limits;

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
            return Err(wrong("the part before the `@` is not valid"));
        }
        let domain = address.domain();
        if !is_domain(domain) && !is_address_literal(domain) {
            return Err(wrong("the part after the `@` is not a domain"));
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

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailbox(mailbox) => mailbox.fmt(f),
            Self::Local(name) => name.fmt(f),
        }
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

    /// Parses a list of at least one address, or an empty group: what is written for a recipient
    /// must not come to nothing.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (list, has_nobody) = Self::parse(text)?;
        let is_group = text.contains(':') && text.trim_ascii_end().ends_with(';');
        if has_nobody || (list.0.is_empty() && !is_group) {
            return Err(AddressError { address: shown(text), reason: "it holds no address" });
        }
        Ok(list)
    }
}

impl<A: FromStr<Err = AddressError>> Addressees<A> {
    /// Parses a list that may be empty, as in a header field, where `Name <>` names no one.
    ///
    /// # Errors
    ///
    /// Returns an error if any part of it is not an address.
    pub fn any_number(text: &str) -> Result<Self, AddressError> {
        Ok(Self::parse(text)?.0)
    }

    /// Parses a list. Returns, too, whether there is a name in it with empty angle brackets.
    fn parse(text: &str) -> Result<(Self, bool), AddressError> {
        let wrong = |reason| AddressError { address: shown(text), reason };
        let mut list = AddressList::default();
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err(wrong("it holds a control character"));
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
        if list.is_open() {
            return Err(wrong("a parenthesis, quote or bracket is not closed"));
        }
        list.finish();
        let addressee = |(name, address): &(String, String)| {
            let name = unquoted(name);
            let address = address.parse()?;
            Ok(Addressee { name: (!name.is_empty()).then_some(name), address })
        };
        let found = list.found.iter().map(addressee).collect::<Result<_, _>>()?;
        Ok((Self(found), list.has_nobody))
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
    /// True if a name has empty angle brackets behind it.
    has_nobody: bool,
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

    /// Returns whether a comment, a quoted string, a domain literal or an angle is not closed.
    fn is_open(&self) -> bool {
        self.depth > 0 || self.until.is_some() || self.place == Place::Angle
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
            '<' if self.place != Place::Angle => {
                self.name = std::mem::take(&mut self.entry);
                self.place = Place::Angle;
            }
            '>' if self.place == Place::Angle => {
                self.place = Place::Words;
                if self.entry.trim_ascii().is_empty() && !has_at(&self.name) {
                    self.has_nobody = true;
                    self.name.clear();
                } else {
                    self.finish();
                }
            }
            ':' if self.is_label() => self.entry.clear(),
            ',' | ';' if self.place != Place::Angle => self.finish(),
            c => self.push(c),
        }
    }

    /// Returns whether what stands before a colon is no address: the name of a group, a source route
    /// `@a,@b:user@c`, which is obsolete and ignored (RFC 5321 §4.1.1.3), or the scheme of a URL.
    fn is_label(&self) -> bool {
        let entry = self.entry.trim_ascii();
        match self.place {
            Place::Words => !has_at(entry),
            Place::Angle => entry.starts_with('@') || entry.eq_ignore_ascii_case("mailto"),
        }
    }

    fn finish(&mut self) {
        let (mut name, mut entry) =
            (std::mem::take(&mut self.name), std::mem::take(&mut self.entry));
        let comment = std::mem::take(&mut self.comment);
        if entry.trim_ascii().is_empty() && !name.trim().is_empty() {
            // An addressee without an address, which is to be reported by name.
            entry = format!("{name}<>");
        }
        if name.trim().is_empty() {
            name = comment;
        }
        let entry = entry.trim_ascii();
        if !entry.is_empty() {
            self.found.push((name, entry.to_owned()));
        }
        self.place = Place::Words;
    }
}

/// Returns whether a phrase has an `@` outside quotes, and so may be an address.
fn has_at(phrase: &str) -> bool {
    let (mut is_quoted, mut is_escaped) = (false, false);
    phrase.chars().any(|c| {
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        c == '@' && !is_quoted
    })
}

/// Checks that an address holds no invisible character and none that marks a wrong decoding
/// (U+FFFD). The error names what was found.
pub(super) fn clean(address: &str) -> Result<(), &'static str> {
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
