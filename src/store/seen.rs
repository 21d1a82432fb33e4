//! What the journal says of a maildrop's messages, and what that proves: whether a listed message
//! is a known one, and whether it may be deleted.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::breaks::{BreakLog, Breaks, Condition};
use super::digest::Digest;
use super::entries::Entries;
use super::entry::{Kind, Place, SeenEntry, is_credible};
use super::line::{FORMAT, Size, VERSION, encoded_path, encoded_uid};
use super::texts::{Text, Texts};
use crate::text::Uid;

/// A message that vanished from the listing is remembered this long, in seconds: a server that
/// shows an empty maildrop once must not cause everything to be fetched again.
const MEMORY: u64 = 30 * 24 * 60 * 60;

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
    /// Messages that had no unique-id.
    pub(super) texts: Texts,
    /// Messages in whose middle sessions ended.
    pub(super) breaks: BreakLog,
    /// The messages to the user that are printed once only.
    pub(super) said: BTreeSet<String>,
    /// True if this server was seen to use a unique-id for another message, at once or later.
    pub(super) reuses_uids: bool,
    /// True if what is listed has changed, and the sizes were not seen since.
    pub(super) is_unmeasured: bool,
    /// True if a message was delivered in this run.
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
    /// Returns whether the server is known to tell unique-ids: one of them was listed within a day
    /// before `now`, in seconds since 1970, as far as is known. A server that has ceased to is not
    /// waited for longer.
    pub fn are_known(&self, now: u64) -> bool {
        const DAY: u64 = 24 * 60 * 60;
        let is_late = |since: u64| since.saturating_add(DAY) > now;
        self.entries.values().any(|entry| entry.missing().is_none_or(is_late))
    }

    /// The entry of a unique-id; `None` if it is unknown.
    pub fn get(&self, uid: &Uid) -> Option<&SeenEntry> {
        self.entries.get(uid.as_bytes())
    }

    /// The messages of the present listing whose unique-ids are known, in the order in which they
    /// were delivered: their numbers, unique-ids and entries. Of several that share a unique-id it is
    /// the last.
    pub fn listed(&self) -> impl Iterator<Item = (u32, &[u8], &SeenEntry)> {
        self.entries.iter().filter_map(|(uid, entry)| Some((entry.number()?, uid, entry)))
    }

    /// Returns whether sizes are needed even if the listing is the last one: they were not seen then,
    /// or showed a message that was not compared since.
    pub fn needs_sizes(&self) -> bool {
        self.is_unmeasured || self.listed().any(|(.., entry)| entry.is_resized())
    }

    /// The place of a listed message that was delivered elsewhere than `here`; `None` if there is
    /// none.
    pub fn elsewhere(&self, here: &Path) -> Option<&Path> {
        let here_too = |place: &PathBuf| place == here;
        if self.places.iter().all(here_too) {
            return None;
        }
        self.listed().find_map(|(.., entry)| match self.standing_of(entry, None, here) {
            Standing::Elsewhere(path) => Some(path),
            _ => None,
        })
    }

    /// Returns what is proven of a listed message: `size` is its size in the present listing,
    /// `here` the place where this run delivers. Every deletion without a comparison is decided
    /// here.
    pub fn standing(&self, uid: &Uid, size: Option<u64>, here: &Path) -> Standing<'_> {
        self.get(uid).map_or(Standing::New, |entry| self.standing_of(entry, size, here))
    }

    /// Returns the standing of the message that has this entry.
    pub fn standing_of(&self, entry: &SeenEntry, size: Option<u64>, here: &Path) -> Standing<'_> {
        let Kind::Delivered(place, _) = entry.kind() else { return Standing::Unwanted };
        // Of several messages under one name it cannot be said which is which.
        if entry.copies() > 1 || entry.is_shared() {
            return Standing::Shared;
        }
        let known = entry.size();
        let is_other_size = size.zip(known).is_some_and(|(now, then)| now != then);
        if entry.is_resized() || is_other_size {
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
        if self.reuses_uids || !entry.is_unbroken() || !is_same_size {
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
        self.get(uid).is_some_and(|entry| match entry.kind() {
            Kind::Delivered(at, _) => self.place(at) == Some(place),
            Kind::Noted | Kind::Imported => false,
        })
    }

    /// Returns the times of deliveries.
    pub(super) fn deliveries(&self) -> impl Iterator<Item = u64> {
        let delivered =
            self.entries.values().filter(|entry| matches!(entry.kind(), Kind::Delivered(..)));
        delivered.map(SeenEntry::time)
    }

    /// Returns the prospect of retrieving a message, by how earlier sessions ended.
    pub fn condition(&self, uid: &Uid, now: u64) -> Condition {
        self.breaks.condition(uid, now)
    }

    /// Returns the time when a session last ended in the middle of a message; `None` if none has.
    pub fn last_break(&self, uid: &Uid) -> Option<u64> {
        self.breaks.last(uid)
    }

    /// Returns whether the end of a session in the middle of this message counts.
    pub(super) fn is_break_news(&self, uid: &Uid, octets: u64) -> bool {
        self.breaks.is_news(uid, octets, |last| {
            self.has_delivered || self.deliveries().any(|time| time > last)
        })
    }

    /// Takes in a delivery of an earlier run.
    pub(super) fn deliver(&mut self, intent: &Intent) {
        let Intent { time, ref uid, size, digest, place, .. } = *intent;
        match uid {
            Some(uid) => {
                let kind = Kind::Delivered(Place::new(place), digest);
                self.enter(uid.as_bytes(), SeenEntry::new(time, kind, size));
            }
            None => self.texts.add(digest, time, place),
        }
    }

    /// Takes in a delivery of this run.
    pub(super) fn deliver_fresh(&mut self, intent: &Intent) {
        self.deliver(intent);
        match &intent.uid {
            Some(uid) => {
                if let Some(entry) = self.entries.get_mut(uid.as_bytes()) {
                    entry.set_fresh();
                }
            }
            None => self.texts.set_fresh(intent.digest),
        }
    }

    /// Takes in the entry of a delivered message.
    pub(super) fn enter(&mut self, uid: &[u8], entry: SeenEntry) {
        self.breaks.remove(uid);
        if let Some(known) = self.entries.add(uid, entry) {
            let earlier = std::mem::replace(known, entry);
            known.replace(&earlier);
        }
    }

    /// Takes note of a message that is not to be fetched. One that is known stays what it is.
    pub(super) fn unwanted(&mut self, uid: &[u8], time: u64, kind: Kind) {
        if let Some(known) = self.entries.add(uid, SeenEntry::new(time, kind, None))
            && known.kind() == kind
        {
            known.add_copy();
        }
    }

    /// Marks a message as absent from here on.
    pub(super) fn mark_absent(&mut self, uid: &Uid, time: u64) {
        if let Some(entry) = self.entries.get_mut(uid.as_bytes()) {
            entry.set_missing(time);
        }
    }

    /// Returns whether a text has the digest of the message delivered under a unique-id.
    pub(super) fn is_text_of(&self, uid: &Uid, digest: Digest) -> bool {
        let entry = self.get(uid);
        entry.is_some_and(
            |entry| matches!(entry.kind(), Kind::Delivered(_, known) if known == digest),
        )
    }

    /// Returns whether messages were delivered, or announced, into a place.
    pub(super) fn knows_place(&self, place: &Path) -> bool {
        self.places.iter().any(|known| known == place)
    }

    /// Withdraws every proof: a part of the journal is lost.
    pub(super) fn distrust(&mut self) {
        self.entries.iter_mut().for_each(|(_, entry)| entry.distrust());
    }

    /// Forgets what vanished long ago. A clock that cannot be right forgets nothing, and what was
    /// noted by such a clock is counted from now. Returns the fields that name what is forgotten.
    pub(super) fn forget_the_vanished(&mut self, now: u64) -> Vec<String> {
        if !is_credible(now) {
            return Vec::new();
        }
        let forgotten = self.entries.retain(|entry| {
            let Some(since) = entry.missing() else { return true };
            if !is_credible(since) || since > now {
                entry.set_missing(now);
                return true;
            }
            now < since.saturating_add(MEMORY)
        });
        self.breaks.retain(|time| time > now || now < time.saturating_add(MEMORY));
        let uids = forgotten.into_iter().map(|place| encoded_uid(self.entries.uid(place)));
        let texts = self.texts.forget_vanished(now, MEMORY).into_iter().map(text_field);
        uids.map(Cow::into_owned).chain(texts).collect()
    }

    /// The number of lines that all entries take, if deliveries changed their place only once.
    pub(super) fn lines(&self) -> usize {
        let entries = self.entries.values().map(SeenEntry::lines).sum::<usize>();
        1 + self.places.len() + entries + self.texts.len()
    }

    /// Writes a journal that says all this; how many lines it has, and the place that was last
    /// named.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<(usize, Option<usize>)> {
        let marks = [(self.reuses_uids, "reused"), (self.is_unmeasured, "unmeasured")];
        let mut lines = 1 + self.said.len();
        writeln!(out, "{FORMAT}{VERSION} {:016x}", self.mark.unwrap_or_default())?;
        for what in &self.said {
            writeln!(out, "said {what}")?;
        }
        for (_, mark) in marks.into_iter().filter(|(is_set, _)| *is_set) {
            writeln!(out, "{mark}")?;
            lines += 1;
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
        let place_of = |entry: &SeenEntry| match entry.kind() {
            Kind::Delivered(place, _) => place.number(),
            Kind::Noted | Kind::Imported => None,
        };
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(_, entry)| (place_of(entry), entry.time()));
        for (uid, entry) in entries {
            let (time, uid) = (entry.time(), encoded_uid(uid));
            match entry.kind() {
                // One whose place is not known is fetched again.
                Kind::Delivered(place, digest) => {
                    let Some(place) = place.number() else { continue };
                    go_to(out, place, &mut lines)?;
                    let size = Size(entry.size());
                    for _ in 0..entry.copies() {
                        writeln!(out, "delivered {time} {uid} {size} {digest}")?;
                    }
                }
                Kind::Noted => {
                    for _ in 0..entry.copies() {
                        writeln!(out, "unwanted {time} {uid} noted")?;
                    }
                }
                Kind::Imported => {
                    for _ in 0..entry.copies() {
                        writeln!(out, "unwanted {time} {uid} imported")?;
                    }
                }
            }
            match (entry.missing(), entry.is_unbroken()) {
                (Some(since), _) => writeln!(out, "missing {since} {uid}")?,
                (None, false) => writeln!(out, "missing {} {uid}\nlisted {uid}", time.max(1))?,
                (None, true) => {}
            }
            if let (true, Some(size)) = (entry.is_resized(), entry.size()) {
                writeln!(out, "size {uid} {size}")?;
            }
            lines += entry.lines();
        }
        for (digest, Text { time, place, copies, .. }) in self.texts.iter() {
            go_to(out, place, &mut lines)?;
            for _ in 0..copies {
                writeln!(out, "delivered {time} ? ? {digest}")?;
            }
            lines += copies;
        }
        for (uid, Breaks { count, last, octets }) in self.breaks.iter() {
            for _ in 0..*count {
                writeln!(out, "broke {last} {} {octets}", encoded_uid(uid.as_bytes()))?;
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

/// The field that names a message without a unique-id by its text.
pub(super) fn text_field(digest: Digest) -> String {
    format!("? {digest}")
}

impl Intent {
    /// The line that announces it.
    pub(super) fn line(&self) -> String {
        let Self { time, size, digest, name, .. } = self;
        format!("intent {time} {} {} {digest} {name}", self.uid(), Size(*size))
    }

    /// The line that says that it was delivered, without an announcement.
    pub(super) fn delivered_line(&self) -> String {
        let Self { time, size, digest, .. } = self;
        format!("delivered {time} {} {} {digest}", self.uid(), Size(*size))
    }

    fn uid(&self) -> Cow<'_, str> {
        self.uid.as_ref().map_or("?".into(), |uid| encoded_uid(uid.as_bytes()))
    }
}
