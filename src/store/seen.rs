//! What the journal says of a maildrop's messages, and what that proves: whether a listed message
//! is a known one, and whether it may be deleted.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::breaks::Breaks;
use super::digest::Digest;
use super::entries::Entries;
use super::journal::encoded_path;
use crate::limits;
use crate::text::{Uid, percent_encoded};

/// A message that vanished from the listing is remembered this long, in seconds: a server that
/// shows an empty maildrop once must not cause everything to be fetched again.
const MEMORY: u64 = 30 * 24 * 60 * 60;

/// The journal's entry for one unique-id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenEntry {
    /// The time when it was delivered or noted, in seconds since 1970.
    pub(super) time: u64,
    pub(super) kind: Kind,
    /// The number of messages delivered under this unique-id: a server may give several the same.
    pub(super) copies: u32,
    /// The size in the listing.
    pub(super) size: ListSize,
    /// Since when the server does not list it.
    pub(super) missing: Option<NonZero<u64>>,
    /// True if it was in every complete listing since its delivery, or since it was last compared,
    /// and DELE was not sent for it.
    pub(super) is_unbroken: bool,
    /// True if it was listed with another size and not compared since.
    pub(super) is_resized: bool,
    /// The message-number in the present listing; 0 if it is not there.
    pub(super) number: u32,
    /// True if several messages of the present listing have this unique-id.
    pub(super) is_shared: bool,
}

/// The reason why a unique-id is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Delivered into a place, with this digest.
    Delivered(Place, Digest),
    /// Noted as not to be fetched.
    Noted,
    /// Fetched by another program, whose list of fetched messages was imported.
    Imported,
}

/// The number of a place in [`SeenUids::places`], where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u16);

impl Place {
    /// The place of this number. Those beyond the last that can be told apart are none.
    pub(super) fn new(number: usize) -> Self {
        Self(u16::try_from(number).unwrap_or(u16::MAX))
    }

    /// The number; `None` if it could not be kept.
    fn number(self) -> Option<usize> {
        (self.0 != u16::MAX).then(|| self.0.into())
    }
}

/// A size in the listing, or none: if the server listed none, or the largest number there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListSize(u64);

impl ListSize {
    pub(super) const NONE: Self = Self(u64::MAX);

    pub(super) fn new(octets: Option<u64>) -> Self {
        octets.map_or(Self::NONE, Self)
    }

    pub(super) fn get(self) -> Option<u64> {
        (self != Self::NONE).then_some(self.0)
    }
}

impl SeenEntry {
    /// The number of messages delivered under this unique-id.
    pub fn copies(&self) -> u32 {
        self.copies
    }

    /// Seconds since its delivery; `None` while its time or the present one is not credible.
    pub fn age(&self, now: u64) -> Option<u64> {
        if !is_credible(now) || !is_credible(self.time) {
            return None;
        }
        now.checked_sub(self.time)
    }

    /// The number of lines that this entry takes.
    fn lines(&self) -> usize {
        let breaks = match self.missing {
            Some(_) => 1,
            None if self.is_unbroken => 0,
            None => 2,
        };
        usize::try_from(self.copies.max(1)).unwrap_or(usize::MAX).saturating_add(breaks)
            + usize::from(self.is_resized)
    }
}

/// Returns whether a clock that shows this time can be right.
pub fn is_credible(time: u64) -> bool {
    time >= limits::EARLIEST
}

/// The proof that journal and listing give of a listed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// The message was never delivered.
    New,
    /// The message was delivered where this run delivers, and may be deleted.
    Proven,
    /// The unique-id is that of a delivered message; it must be retrieved and compared before it may
    /// be deleted.
    Unproven,
    /// The unique-id is that of a delivered message, the size is not: it may well be another one.
    Resized,
    /// The message was delivered into another place.
    Elsewhere(&'a Path),
    /// Several listed messages share the unique-id, so that no proof is possible.
    Shared,
    /// The message was noted, or imported, as not to be fetched.
    Unwanted,
}

/// The entries of one maildrop, by unique-id, in the order of delivery.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SeenUids {
    pub(super) entries: Entries,
    pub(super) places: Vec<PathBuf>,
    pub(super) intents: Vec<Intent>,
    /// Messages in whose middle sessions ended.
    pub(super) breaks: IndexMap<Uid, Breaks>,
    /// The messages to the user that are printed once only.
    pub(super) said: BTreeSet<String>,
    /// True if this server was seen to use a unique-id again.
    pub(super) reuses_uids: bool,
    /// True if a message was delivered in this run. Those without unique-ids leave no entry.
    pub(super) has_delivered: bool,
    /// The mark in the names of this state directory's drafts, drawn once.
    pub(super) mark: Option<u64>,
}

/// A delivery that was announced and not confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) time: u64,
    pub(super) uid: Option<Uid>,
    pub(super) size: Option<u64>,
    pub(super) digest: Digest,
    pub(super) name: String,
    /// The destination, numbered as in [`SeenUids::places`].
    pub(super) place: usize,
}

impl SeenUids {
    /// The number of known unique-ids.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether none is known.
    pub fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    /// The entry of a unique-id; `None` if it is unknown.
    pub fn get(&self, uid: &Uid) -> Option<&SeenEntry> {
        self.entries.get(uid)
    }

    /// Finds the entry of a unique-id, for one message after the other. Servers list messages in
    /// the order in which they were delivered, so each is probably at `near`, which is left behind
    /// it.
    pub fn find(&self, uid: &Uid, near: &mut usize) -> Option<&SeenEntry> {
        let is_there = self.entries.at(*near).is_some_and(|(there, _)| there == uid);
        let place = if is_there { *near } else { self.entries.position(uid)? };
        *near = place + 1;
        self.entries.at(place).map(|(_, entry)| entry)
    }

    /// Returns what is proven of a listed message: `size` is its size in the present listing,
    /// `here` the place where this run delivers. Every deletion without a comparison is decided
    /// here.
    pub fn standing(&self, uid: &Uid, size: Option<u64>, here: &Path) -> Standing<'_> {
        self.get(uid).map_or(Standing::New, |entry| self.standing_of(entry, size, here))
    }

    /// Returns the standing of the message that has this entry.
    pub fn standing_of(&self, entry: &SeenEntry, size: Option<u64>, here: &Path) -> Standing<'_> {
        let Kind::Delivered(place, _) = entry.kind else { return Standing::Unwanted };
        // Of several messages under one name it cannot be said which is which.
        if entry.copies > 1 || entry.is_shared {
            return Standing::Shared;
        }
        let known = entry.size.get();
        let is_other_size = size.zip(known).is_some_and(|(now, then)| now != then);
        if entry.is_resized || is_other_size {
            return Standing::Resized;
        }
        // That a message is safe elsewhere proves nothing of this place.
        match self.place(place) {
            Some(place) if place != here => return Standing::Elsewhere(place),
            Some(_) => {}
            None => return Standing::Shared,
        }
        // Where a name was used twice, a name and a size prove nothing; nor do they if the message
        // was away, for then another one may have come under its name; nor does a size that was
        // never known.
        let is_same_size = size.is_some() && size == known;
        if self.reuses_uids || !entry.is_unbroken || !is_same_size {
            return Standing::Unproven;
        }
        Standing::Proven
    }

    fn place(&self, place: Place) -> Option<&Path> {
        self.places.get(place.number()?).map(PathBuf::as_path)
    }

    /// The number of a place, which is new if need be.
    pub(super) fn number(&mut self, place: &Path) -> usize {
        let known = self.places.iter().rposition(|known| known == place);
        known.unwrap_or_else(|| {
            self.places.push(place.to_owned());
            self.places.len() - 1
        })
    }

    /// Returns whether a message was delivered into a place.
    pub(super) fn is_at(&self, uid: &Uid, place: &Path) -> bool {
        let entry = self.entries.get(uid);
        entry.is_some_and(|entry| match entry.kind {
            Kind::Delivered(at, _) => self.place(at) == Some(place),
            Kind::Noted | Kind::Imported => false,
        })
    }

    /// Returns the times of deliveries.
    pub(super) fn deliveries(&self) -> impl Iterator<Item = u64> {
        let delivered =
            self.entries.values().filter(|entry| matches!(entry.kind, Kind::Delivered(..)));
        delivered.map(|entry| entry.time)
    }

    /// Takes in a delivery.
    pub(super) fn deliver(&mut self, intent: Intent) {
        let Intent { time, uid, size, digest, place, .. } = intent;
        let Some(uid) = uid else { return };
        self.breaks.swap_remove(&uid);
        let entry = SeenEntry {
            time,
            kind: Kind::Delivered(Place::new(place), digest),
            copies: 1,
            size: ListSize::new(size),
            missing: None,
            is_unbroken: true,
            is_resized: false,
            number: 0,
            is_shared: false,
        };
        match self.entries.get_mut(&uid) {
            Some(known) => {
                let SeenEntry { copies, number, is_shared, .. } = *known;
                *known = SeenEntry { copies: copies.saturating_add(1), number, is_shared, ..entry };
            }
            None => self.entries.add(uid, entry),
        }
    }

    /// Takes note of a message that is not to be fetched.
    pub(super) fn unwanted(&mut self, uid: Uid, time: u64, kind: Kind) {
        let entry = SeenEntry {
            time,
            kind,
            copies: 1,
            size: ListSize::NONE,
            missing: None,
            is_unbroken: true,
            is_resized: false,
            number: 0,
            is_shared: false,
        };
        if self.entries.get(&uid).is_none() {
            self.entries.add(uid, entry);
        }
    }

    /// Withdraws every proof: a part of the journal is lost.
    pub(super) fn distrust(&mut self) {
        self.entries.iter_mut().for_each(|(_, entry)| entry.is_unbroken = false);
    }

    /// Forgets what vanished long ago. A clock that cannot be right forgets nothing, and what was
    /// noted by such a clock is counted from now.
    pub(super) fn forget_the_vanished(&mut self, now: u64) {
        if !is_credible(now) {
            return;
        }
        self.entries.retain(|entry| {
            let Some(since) = entry.missing else { return true };
            if !is_credible(since.get()) || since.get() > now {
                entry.missing = NonZero::new(now);
                return true;
            }
            now < since.get().saturating_add(MEMORY)
        });
        let is_recent = |time: u64| time > now || now < time.saturating_add(MEMORY);
        self.breaks.retain(|_, breaks| is_recent(breaks.last));
    }

    /// The number of lines that all entries take, if deliveries changed their place only once.
    pub(super) fn lines(&self) -> usize {
        1 + self.places.len() + self.entries.values().map(SeenEntry::lines).sum::<usize>()
    }

    /// Writes a journal that says all this; how many lines it has, and the place that was last
    /// named.
    pub(super) fn write(
        &self,
        out: &mut impl Write,
        header: &str,
    ) -> io::Result<(usize, Option<usize>)> {
        let mut lines = 1 + self.said.len() + usize::from(self.reuses_uids);
        writeln!(out, "{header} {:016x}", self.mark.unwrap_or_default())?;
        for what in &self.said {
            writeln!(out, "said {what}")?;
        }
        if self.reuses_uids {
            writeln!(out, "reused")?;
        }
        let mut current = None;
        let mut go_to = |out: &mut dyn Write, place: usize, lines: &mut usize| -> io::Result<()> {
            if current != Some(place)
                && let Some(path) = self.places.get(place)
            {
                current = Some(place);
                *lines += 1;
                writeln!(out, "maildir {}", encoded_path(path))?;
            }
            Ok(())
        };
        // All places are named: into a Maildir that was ever delivered to, none is made again.
        for place in 0..self.places.len() {
            go_to(out, place, &mut lines)?;
        }
        let place_of = |entry: &SeenEntry| match entry.kind {
            Kind::Delivered(place, _) => place.number(),
            Kind::Noted | Kind::Imported => None,
        };
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(_, entry)| (place_of(entry), entry.time));
        for (uid, entry) in entries {
            let (time, uid) = (entry.time, percent_encoded(uid.as_bytes()));
            match entry.kind {
                // One whose place is not known is fetched again.
                Kind::Delivered(place, digest) => {
                    let Some(place) = place.number() else { continue };
                    go_to(out, place, &mut lines)?;
                    let size = Size(entry.size.get());
                    for _ in 0..entry.copies {
                        writeln!(out, "delivered {time} {uid} {size} {digest}")?;
                    }
                }
                Kind::Noted => writeln!(out, "unwanted {time} {uid} noted")?,
                Kind::Imported => writeln!(out, "unwanted {time} {uid} imported")?,
            }
            match (entry.missing, entry.is_unbroken) {
                (Some(since), _) => writeln!(out, "missing {since} {uid}")?,
                (None, false) => writeln!(out, "missing {} {uid}\nlisted {uid}", time.max(1))?,
                (None, true) => {}
            }
            if let (true, Some(size)) = (entry.is_resized, entry.size.get()) {
                writeln!(out, "size {uid} {size}")?;
            }
            lines += entry.lines();
        }
        for (uid, Breaks { count, last, octets }) in &self.breaks {
            for _ in 0..*count {
                writeln!(out, "broke {last} {} {octets}", percent_encoded(uid.as_bytes()))?;
                lines += 1;
            }
        }
        for intent in &self.intents {
            go_to(out, intent.place, &mut lines)?;
            writeln!(out, "{}", intent.line())?;
            lines += 1;
        }
        Ok((lines, current))
    }
}

impl Intent {
    /// The line that announces it.
    pub(super) fn line(&self) -> String {
        let Self { time, uid, size, digest, name, .. } = self;
        let uid = uid.as_ref().map_or("?".into(), |uid| percent_encoded(uid.as_bytes()));
        format!("intent {time} {uid} {} {digest} {name}", Size(*size))
    }

    /// The line that says that it was delivered, without an announcement.
    pub(super) fn delivered_line(&self) -> Option<String> {
        let Self { time, uid, size, digest, .. } = self;
        let uid = percent_encoded(uid.as_ref()?.as_bytes());
        Some(format!("delivered {time} {uid} {} {digest}", Size(*size)))
    }
}

/// A size in the listing, or `?` if there was none.
pub(super) struct Size(pub(super) Option<u64>);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(size) => write!(f, "{size}"),
            None => f.write_str("?"),
        }
    }
}
