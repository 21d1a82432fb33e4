//! The journal's entries, by unique-id. There may be a million of them, and every poll reads them all,
//! so as long as unique-ids only ever grow, as most servers give them, there is no index.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::entry::SeenEntry;
use crate::limits;

/// The number of entries whose unique-ids have their ends counted from the same place: as many as
/// leave a count that fits into 16 bits.
const BLOCK: usize = 65_535 / limits::UID;

/// Entries in the order in which they were added. A removed one keeps its place until it is added
/// again.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    /// The unique-ids, one behind the other.
    uids: Vec<u8>,
    /// Where the unique-ids of each block begin.
    blocks: Vec<usize>,
    /// Where each unique-id ends, counted from the beginning of its block.
    ends: Vec<u16>,
    contents: Vec<SeenEntry>,
    /// The number of entries that are removed.
    removed: usize,
    /// The places by unique-id, once one was not greater than the one before.
    index: Option<Box<Index>>,
}

#[derive(Clone, Debug, Default)]
struct Index {
    places: HashTable<usize>,
    hasher: RandomState,
}

impl Entries {
    /// The number of entries.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.contents.len() - self.removed
    }

    /// The entry of a unique-id; `None` if it is unknown.
    pub(super) fn get(&self, uid: &[u8]) -> Option<&SeenEntry> {
        self.contents.get(self.position(uid)?)
    }

    /// The entry of a unique-id, to be changed; `None` if it is unknown.
    pub(super) fn get_mut(&mut self, uid: &[u8]) -> Option<&mut SeenEntry> {
        let place = self.position(uid)?;
        self.contents.get_mut(place)
    }

    /// The place of a unique-id; `None` if it is unknown.
    pub(super) fn position(&self, uid: &[u8]) -> Option<usize> {
        if self.is_greatest(uid) {
            return None;
        }
        self.place(uid).filter(|place| self.contents.get(*place).is_some_and(is_there))
    }

    /// The place of a unique-id, whether its entry is removed or not.
    fn place(&self, uid: &[u8]) -> Option<usize> {
        let Some(Index { places, hasher }) = self.index.as_deref() else {
            return self.search(uid);
        };
        places.find(hasher.hash_one(uid), |place| self.uid(*place) == uid).copied()
    }

    /// Finds a unique-id among those that grow.
    fn search(&self, uid: &[u8]) -> Option<usize> {
        let (mut from, mut to) = (0, self.contents.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            match self.uid(middle).cmp(uid) {
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => to = middle,
            }
        }
        None
    }

    /// Returns whether the entry at a place is that of a unique-id.
    pub(super) fn is_at(&self, place: usize, uid: &[u8]) -> bool {
        self.contents.get(place).is_some_and(is_there) && self.uid(place) == uid
    }

    /// The entry at a place, to be changed.
    pub(super) fn at_mut(&mut self, place: usize) -> Option<&mut SeenEntry> {
        self.contents.get_mut(place)
    }

    /// Adds the entry of a unique-id, unless it is known: then returns that entry, to be changed.
    pub(super) fn add(&mut self, uid: &[u8], entry: SeenEntry) -> Option<&mut SeenEntry> {
        if !self.is_greatest(uid) {
            if let Some(place) = self.place(uid) {
                let known = self.contents.get_mut(place)?;
                if known.is_removed() {
                    *known = entry;
                    self.removed -= 1;
                    return None;
                }
                return Some(known);
            }
            if self.index.is_none() {
                self.index = Some(Box::default());
                (0..self.contents.len()).for_each(|place| self.insert(place));
            }
        }
        if self.contents.len().is_multiple_of(BLOCK) {
            self.blocks.push(self.uids.len());
        }
        self.uids.extend_from_slice(uid);
        let begun = self.blocks.last().copied().unwrap_or_default();
        // No block has more octets than that.
        self.ends.push(u16::try_from(self.uids.len() - begun).unwrap_or(u16::MAX));
        self.contents.push(entry);
        self.insert(self.contents.len() - 1);
        None
    }

    /// Enters a place into the index, if there is one.
    fn insert(&mut self, place: usize) {
        let Some(mut index) = self.index.take() else { return };
        let Index { places, hasher } = &mut *index;
        let hash = |place: &usize| hasher.hash_one(self.uid(*place));
        places.insert_unique(hash(&place), place, hash);
        self.index = Some(index);
    }

    /// Removes an entry. Returns whether there was one.
    pub(super) fn remove(&mut self, uid: &[u8]) -> bool {
        let Some(entry) = self.get_mut(uid) else { return false };
        entry.remove();
        self.removed += 1;
        true
    }

    /// Keeps those entries for which `is_kept` says so. Returns the places of the others.
    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(&mut SeenEntry) -> bool) -> Vec<usize> {
        let mut removed = Vec::new();
        let there = self.contents.iter_mut().enumerate().filter(|(_, entry)| is_there(entry));
        for (place, entry) in there {
            if !is_kept(entry) {
                entry.remove();
                removed.push(place);
            }
        }
        self.removed += removed.len();
        removed
    }

    /// Reserves memory for so many entries more, whose unique-ids have so many octets together, if there
    /// is any.
    pub(super) fn reserve(&mut self, entries: usize, octets: usize) {
        // Otherwise each addition asks for its own.
        let _ = self.uids.try_reserve_exact(octets);
        let _ = self.ends.try_reserve_exact(entries);
        let _ = self.contents.try_reserve_exact(entries);
    }

    /// Reserves memory for as many entries more as this many times those that are there.
    pub(super) fn reserve_times(&mut self, times: usize) {
        let more = |number: usize| number.saturating_mul(times);
        self.reserve(more(self.contents.len()), more(self.uids.len()));
    }

    /// The entries with their unique-ids, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &SeenEntry)> {
        let numbered = self.contents.iter().enumerate().filter(|(_, entry)| is_there(entry));
        numbered.map(|(place, entry)| (self.uid(place), entry))
    }

    /// The entries in order, to be changed, each with the place of its unique-id.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut SeenEntry)> {
        self.contents.iter_mut().enumerate().filter(|(_, entry)| is_there(entry))
    }

    /// The entries alone, in order.
    pub(super) fn values(&self) -> impl Iterator<Item = &SeenEntry> {
        self.contents.iter().filter(|entry| is_there(entry))
    }

    /// The unique-id at a place; empty if there is none.
    pub(super) fn uid(&self, place: usize) -> &[u8] {
        let end = |place: usize| self.ends.get(place).copied().map(usize::from);
        let begun = self.blocks.get(place / BLOCK).copied().unwrap_or_default();
        let start = if place.is_multiple_of(BLOCK) { Some(0) } else { end(place - 1) };
        let range = start.zip(end(place)).map(|(start, end)| begun + start..begun + end);
        range.and_then(|range| self.uids.get(range)).unwrap_or_default()
    }

    /// Returns whether it needs no index to see that a unique-id is unknown.
    fn is_greatest(&self, uid: &[u8]) -> bool {
        let last = self.contents.len().checked_sub(1);
        self.index.is_none() && last.is_none_or(|last| self.uid(last) < uid)
    }
}

fn is_there(entry: &SeenEntry) -> bool {
    !entry.is_removed()
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Entries {}

#[cfg(test)]
mod tests {
    use super::super::entry::Kind;
    use super::*;

    fn entry(time: u64) -> SeenEntry {
        SeenEntry::new(time, Kind::Noted, None)
    }

    /// Adds, removes and adds again, and looks everything up.
    fn check(uids: &[Vec<u8>]) {
        let mut entries = Entries::default();
        for (uid, time) in uids.iter().zip(0..) {
            assert!(entries.get(uid).is_none());
            assert!(entries.add(uid, entry(time)).is_none());
        }
        for (place, uid) in uids.iter().enumerate() {
            assert_eq!(entries.position(uid), Some(place));
            assert!(entries.is_at(place, uid));
            assert_eq!(entries.uid(place), uid);
        }
        assert!(entries.iter().map(|(uid, _)| uid).eq(uids));
        for uid in uids.iter().step_by(3) {
            assert!(entries.remove(uid) && !entries.remove(uid));
            assert!(entries.get(uid).is_none());
        }
        assert_eq!(entries.len(), uids.len() - uids.len().div_ceil(3));
        assert_eq!(
            (entries.iter().count(), entries.values().count()),
            (entries.len(), entries.len())
        );
        for uid in uids.iter().step_by(3) {
            assert!(entries.add(uid, entry(9)).is_none());
            assert_eq!(entries.add(uid, entry(8)).map(|known| known.time()), Some(9));
        }
        entries.retain(|entry| entry.time() == 9);
        assert_eq!(entries.len(), uids.len().div_ceil(3));
        assert!(entries.iter().map(|(uid, _)| uid).eq(uids.iter().step_by(3)));
    }

    #[test]
    fn entries_are_found_whether_their_unique_ids_grow_or_not() {
        let growing: Vec<_> = (0..1_000).map(|n| format!("{n:08}").into_bytes()).collect();
        check(&growing);
        let shuffled: Vec<_> =
            (0..1_000).map(|n| format!("{}", n * 7 % 1_000).into_bytes()).collect();
        check(&shuffled);
        // As long as they may be, so that each block is full.
        let long: Vec<_> = (0..1_000).map(|n| format!("{n:0255}").into_bytes()).collect();
        check(&long);
        check(&[]);
    }
}
