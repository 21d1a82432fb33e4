//! Unique-ids of messages in a maildrop (RFC 1939 §7, UIDL), stored inline as long as they are short.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};

use super::shown;
use crate::limits;

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
pub(super) enum Octets {
    /// A short one, padded with zeros, which a unique-id cannot contain.
    Here([u8; 23]),
    Elsewhere(Box<[u8]>),
}

/// A unique-id in the line that it came in. Most are compared with known ones, and not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UidRef<'a>(&'a [u8]);

impl<'a> UidRef<'a> {
    /// The octets as the server sent them; `None` if empty, too long, or with a control character.
    pub fn new(octets: &'a [u8]) -> Option<Self> {
        let fits = (1..=limits::UID).contains(&octets.len());
        // All of them are looked at, many at a time.
        let clean = !octets.iter().fold(false, |found, octet| found | octet.is_ascii_control());
        (fits && clean).then_some(Self(octets))
    }

    /// The octets.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

impl From<UidRef<'_>> for Uid {
    fn from(UidRef(octets): UidRef<'_>) -> Self {
        let mut here = [0; 23];
        Self(match here.get_mut(..octets.len()) {
            Some(place) => {
                place.copy_from_slice(octets);
                Octets::Here(here)
            }
            None => Octets::Elsewhere(octets.into()),
        })
    }
}

impl Uid {
    /// The octets as the server sent them; `None` if empty, too long, or with a control character.
    pub fn new(octets: &[u8]) -> Option<Self> {
        UidRef::new(octets).map(Self::from)
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Octets::Here(octets) => {
                let last = octets.iter().rposition(|&octet| octet != 0);
                last.and_then(|last| octets.get(..=last)).unwrap_or_default()
            }
            Octets::Elsewhere(octets) => octets,
        }
    }
}

impl Borrow<[u8]> for Uid {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Hash for Uid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As `Borrow` demands.
        self.as_bytes().hash(state);
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
