//! The journal's entries, by unique-id. There may be a million of them, and every poll reads them all,
//! so as long as unique-ids only ever grow, as most servers give them, there is no index.

use indexmap::IndexMap;

use super::seen::SeenEntry;
use crate::text::Uid;

/// Entries in the order in which they were added, as long as none is removed.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    /// All entries, while each unique-id is greater than the one before, so that none is there twice.
    growing: Vec<(Uid, SeenEntry)>,
    /// All entries from then on.
    indexed: IndexMap<Uid, SeenEntry>,
}

impl Entries {
    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.growing.len() + self.indexed.len()
    }

    /// The entry of a unique-id; `None` if it is unknown.
    pub(super) fn get(&self, uid: &Uid) -> Option<&SeenEntry> {
        self.at(self.position(uid)?).map(|(_, entry)| entry)
    }

    /// The entry of a unique-id, to be changed; `None` if it is unknown.
    pub(super) fn get_mut(&mut self, uid: &Uid) -> Option<&mut SeenEntry> {
        self.at_mut(self.position(uid)?)
    }

    /// The place of a unique-id; `None` if it is unknown.
    pub(super) fn position(&self, uid: &Uid) -> Option<usize> {
        if self.is_greatest(uid) {
            return None;
        }
        if self.indexed.is_empty() {
            return self.growing.binary_search_by(|(known, _)| known.cmp(uid)).ok();
        }
        self.indexed.get_index_of(uid)
    }

    /// The entry at a place.
    pub(super) fn at(&self, place: usize) -> Option<(&Uid, &SeenEntry)> {
        let growing = self.growing.get(place).map(|(uid, entry)| (uid, entry));
        growing.or_else(|| self.indexed.get_index(place))
    }

    /// The entry at a place, to be changed.
    pub(super) fn at_mut(&mut self, place: usize) -> Option<&mut SeenEntry> {
        let growing = self.growing.get_mut(place).map(|(_, entry)| entry);
        growing.or_else(|| self.indexed.get_index_mut(place).map(|(_, entry)| entry))
    }

    /// Adds the entry of a unique-id that is unknown.
    pub(super) fn add(&mut self, uid: Uid, entry: SeenEntry) {
        if self.is_greatest(&uid) {
            self.growing.push((uid, entry));
        } else {
            self.index().insert(uid, entry);
        }
    }

    /// Removes an entry; the last one takes its place. Returns whether there was one.
    pub(super) fn remove(&mut self, uid: &Uid) -> bool {
        self.position(uid).is_some() && self.index().swap_remove(uid).is_some()
    }

    /// Keeps those entries for which `is_kept` says so.
    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(&mut SeenEntry) -> bool) {
        self.growing.retain_mut(|(_, entry)| is_kept(entry));
        self.indexed.retain(|_, entry| is_kept(entry));
    }

    /// Reserves memory for more entries, if there is any.
    pub(super) fn reserve(&mut self, more: usize) {
        let reserved = if self.indexed.is_empty() {
            self.growing.try_reserve_exact(more).is_ok()
        } else {
            self.indexed.try_reserve(more).is_ok()
        };
        // Otherwise each addition asks for its own.
        let _ = reserved;
    }

    /// The entries, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Uid, &SeenEntry)> {
        self.growing.iter().map(|(uid, entry)| (uid, entry)).chain(&self.indexed)
    }

    /// The entries in order, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&Uid, &mut SeenEntry)> {
        self.growing.iter_mut().map(|(uid, entry)| (&*uid, entry)).chain(&mut self.indexed)
    }

    /// The entries alone, in order.
    pub(super) fn values(&self) -> impl Iterator<Item = &SeenEntry> {
        self.iter().map(|(_, entry)| entry)
    }

    /// Returns whether it needs no index to see that a unique-id is unknown.
    fn is_greatest(&self, uid: &Uid) -> bool {
        self.indexed.is_empty() && self.growing.last().is_none_or(|(last, _)| last < uid)
    }

    fn index(&mut self) -> &mut IndexMap<Uid, SeenEntry> {
        self.indexed.extend(std::mem::take(&mut self.growing));
        &mut self.indexed
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Entries {}
