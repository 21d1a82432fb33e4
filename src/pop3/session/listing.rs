//! The listings of a maildrop: LIST and UIDL (RFC 1939 §5, §7), each bounded in lines and octets. Which
//! messages are new is for the caller to decide, who is told of each while the listing arrives.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use super::super::Error;
use super::super::reply::{Pop3, Refusal, Reply};
use super::Number;
use crate::limits;
use crate::text::{self, Identified, Uid, UidRef, shown};
use crate::wire::{self, Body, Command, Exchange, Malformed, Phase, Wait};

/// A message as the server lists it (UIDL, RFC 1939 §7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanListing {
    /// The message-number in this session.
    pub number: Number,
    /// The unique-id; `None` if the server gave no valid one.
    pub uid: Option<Uid>,
}

impl Identified for ScanListing {
    fn uid(&self) -> Option<&Uid> {
        self.uid.as_ref()
    }
}

/// What the caller needs and knows of unique-ids when it asks for a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UniqueIds {
    /// Messages stay on the server, and without them would be retrieved again and again.
    pub are_needed: bool,
    /// The server has told them before, so a refusal is a passing one.
    pub are_known: bool,
}

/// The listings that are sent in one flight with a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefetch {
    /// The unique-ids.
    Uids,
    /// The unique-ids and the sizes.
    UidsAndSizes,
}

/// The sizes of the messages of a maildrop (RFC 1939 §5).
#[derive(Clone, Debug)]
pub struct Sizes(Arc<Vec<(Number, u64)>>);

impl Sizes {
    /// The size of a message in octets as the server counts, if it told. `None` if it did not.
    pub fn of(&self, number: Number) -> Option<u64> {
        let at = self.0.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.0.get(at).map(|(_, size)| *size)
    }

    /// The messages that have one.
    pub(super) fn numbers(&self) -> impl Iterator<Item = Number> {
        self.0.iter().map(|&(number, _)| number)
    }
}

/// A taker of the messages of a maildrop, while the server lists them.
pub trait Listing {
    /// Begins a listing. What an earlier one has brought counts no more.
    fn begin(&mut self);

    /// Takes the next message: its number and unique-id. The latter is `None` if the server gave no
    /// valid one.
    fn add(&mut self, number: Number, uid: Option<UidRef<'_>>);
}

impl Listing for Vec<ScanListing> {
    fn begin(&mut self) {
        self.clear();
    }

    fn add(&mut self, number: Number, uid: Option<UidRef<'_>>) {
        self.push(ScanListing { number, uid: uid.map(Uid::from) });
    }
}

/// The result of UIDL: what it says of the messages that went to the [`Listing`].
#[derive(Default)]
pub(super) struct UidListing {
    /// True if one of them has a valid unique-id.
    pub(super) has_uids: bool,
    /// The first line without one.
    pub(super) invalid: Option<Malformed>,
}

/// UIDL (RFC 1939 §7), which a server need not know.
pub(super) struct Uidl<'a, 'b>(pub(super) &'a Taker<'b>);

/// A taker of a listing, for whichever command of a flight brings it.
pub(super) type Taker<'a> = RefCell<&'a mut dyn Listing>;

impl Exchange for Uidl<'_, '_> {
    type Grammar = Pop3;
    type Answer = Result<UidListing, Refusal>;
    type Error = Error;

    fn command(&self) -> Command {
        Command::new("UIDL")
    }

    fn wait(&self) -> Wait {
        Wait::Login
    }

    fn answer(self, reply: Reply, body: Body<'_>) -> Result<Self::Answer, Error> {
        let (mut found, secrets) = (UidListing::default(), body.secrets());
        if let Err(refusal) = reply.accepted() {
            return Ok(Err(refusal));
        }
        let mut listing = self.0.borrow_mut();
        listing.begin();
        column(body, "UIDL", |number, text| {
            let uid = UidRef::new(text);
            found.has_uids |= uid.is_some();
            // One that is no unique-id does not keep the others from being fetched.
            if uid.is_none() {
                let shown = secrets.mask(text);
                let line = format!("{number} {}", String::from_utf8_lossy(&shown));
                found.invalid.get_or_insert_with(|| unexpected(line.trim()));
            }
            listing.add(number, uid);
            Some(())
        })?;
        Ok(Ok(found))
    }
}

/// LIST (RFC 1939 §5).
pub(super) struct List;

impl Exchange for List {
    type Grammar = Pop3;
    type Answer = Result<Sizes, Refusal>;
    type Error = Error;

    fn command(&self) -> Command {
        Command::new("LIST")
    }

    fn answer(self, reply: Reply, body: Body<'_>) -> Result<Self::Answer, Error> {
        if let Err(refusal) = reply.accepted() {
            return Ok(Err(refusal));
        }
        let mut sizes = Vec::new();
        column(body, "LIST", |number, text| {
            sizes.push((number, size(text)?));
            Some(())
        })?;
        // They are sorted already, as every server lists them.
        sizes.sort_unstable_by_key(|(number, _)| *number);
        Ok(Ok(Sizes(Arc::new(sizes))))
    }
}

/// LIST, unlike UIDL, is known to every server.
pub(super) fn accepted(sizes: Result<Sizes, Refusal>) -> Result<Sizes, Error> {
    sizes.map_err(|refusal| Error::Refused { command: "LIST", refusal })
}

/// Reads lines of a message-number and a value, with blanks of any kind around them, and hands each
/// to `entry`, which returns `None` for an invalid value. Lines without content are left out. A
/// number may stand there once.
fn column(
    body: Body<'_>,
    command: &'static str,
    mut entry: impl FnMut(Number, &[u8]) -> Option<()>,
) -> Result<(), Error> {
    let malformed =
        |what| Error::from(wire::Error::Malformed { phase: Phase::Text(command), what });
    let mut numbers = Numbers::default();
    body.lines(limits::LISTING, |line| -> Result<(), Error> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        let shown = || String::from_utf8_lossy(line);
        let found = text::leading_number(line).and_then(|(number, rest)| {
            let value = rest.trim_ascii_start();
            // The two have something between them.
            let is_apart = value.len() < rest.len() || value.is_empty();
            Some((number.try_into().ok().filter(|_| is_apart)?, value))
        });
        let (number, value) = found.ok_or_else(|| malformed(unexpected(&shown())))?;
        entry(number, value).ok_or_else(|| malformed(unexpected(&shown())))?;
        // Of two messages with one number it cannot be said which one would be deleted.
        if !numbers.add(number) {
            let line = text::shown(&shown());
            return Err(malformed(Malformed(format!("the same number twice: `{line}`"))));
        }
        Ok(())
    })
}

/// The numbers of a listing so far. Servers count without gaps, so these take no room.
#[derive(Default)]
struct Numbers {
    /// All numbers up to this one.
    counted: Number,
    others: HashSet<Number>,
}

impl Numbers {
    /// Returns whether the number is new.
    fn add(&mut self, number: Number) -> bool {
        if self.others.is_empty() && self.counted.checked_add(1) == Some(number) {
            self.counted = number;
            return true;
        }
        // No message has the number 0, but some servers may give it.
        !(1..=self.counted).contains(&number) && self.others.insert(number)
    }
}

fn unexpected(line: &str) -> Malformed {
    Malformed(format!("expected a message number and a value, found `{}`", shown(line)))
}

/// Some servers add remarks behind the size, which the standard allows (RFC 1939 §5).
pub(super) fn size(text: &[u8]) -> Option<u64> {
    text::number(text.split(u8::is_ascii_whitespace).next()?)
}
