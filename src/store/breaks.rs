//! Messages in whose middle sessions ended: what that says of them, and what of the line.

use indexmap::IndexMap;

use crate::text::Uid;

/// Sessions that ended in the middle of a message, at the same place of it, and between any two of
/// them other messages came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Breaks {
    pub(super) count: u32,
    /// The time when a session last ended in it, be it one that does not count, in seconds since 1970.
    pub(super) last: u64,
    /// Octets of the message that came in the last that counts.
    pub(super) octets: u64,
}

/// The number of such sessions after which a message counts as one that the server cannot finish.
const LASTING: u32 = 3;

/// The interval in seconds at which such a message is asked for all the same.
const AGAIN: u64 = 24 * 60 * 60;

/// Octets by which two ends may differ and be at the same place: what came is known but for a buffer,
/// each time. A line that drops ends a large message at another place each time; one that ends a
/// message that is no larger than this three times, and lets others pass in between, hardly exists.
const SAME_PLACE: u64 = 128 << 10;

/// The prospect of retrieving a message, by earlier sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No session ended in it.
    Sound,
    /// A session ended in the middle of it: it is asked for last, so that nothing waits for it.
    Suspect,
    /// Session after session ended there, and others came through. It is not asked for today.
    Broken,
}

impl Breaks {
    fn is_at(&self, octets: u64) -> bool {
        self.octets.abs_diff(octets) <= SAME_PLACE
    }

    fn is_lasting(&self) -> bool {
        self.count >= LASTING
    }
}

/// The messages in whose middle sessions ended, by unique-id.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BreakLog(IndexMap<Uid, Breaks>);

impl BreakLog {
    /// Returns the prospect of retrieving a message. A time noted by a wrong clock is no reason to
    /// skip it.
    pub(super) fn condition(&self, uid: &Uid, now: u64) -> Condition {
        match self.0.get(uid) {
            None => Condition::Sound,
            Some(breaks) if breaks.is_lasting() => match now.checked_sub(breaks.last) {
                Some(age) if age < AGAIN => Condition::Broken,
                _ => Condition::Suspect,
            },
            Some(_) => Condition::Suspect,
        }
    }

    /// The time when a session last ended in the middle of a message; `None` if none has.
    pub(super) fn last(&self, uid: &Uid) -> Option<u64> {
        self.0.get(uid).map(|breaks| breaks.last)
    }

    /// Returns whether the end of a session in the middle of this message counts: not if the
    /// connection dropped again before another message was received. `have_others_come` says whether
    /// one was since a time.
    pub(super) fn is_news(
        &self,
        uid: &Uid,
        octets: u64,
        have_others_come: impl FnOnce(u64) -> bool,
    ) -> bool {
        self.0.get(uid).is_none_or(|breaks| {
            breaks.is_lasting() || !breaks.is_at(octets) || have_others_come(breaks.last)
        })
    }

    /// Takes in that a session ended in the middle of a message; another place than before begins the
    /// count anew.
    pub(super) fn add(&mut self, uid: Uid, now: u64, octets: u64) {
        let before = self.0.get(&uid).filter(|breaks| breaks.is_at(octets));
        let count = before.map_or(0, |breaks| breaks.count).saturating_add(1).min(LASTING);
        self.0.insert(uid, Breaks { count, last: now, octets });
    }

    /// Takes in that a session ended in the middle of a message, and that it does not count.
    pub(super) fn attempted(&mut self, uid: &[u8], now: u64) {
        if let Some(breaks) = self.0.get_mut(uid) {
            breaks.last = now;
        }
    }

    /// Forgets a message. Returns whether it was there.
    pub(super) fn remove(&mut self, uid: &[u8]) -> bool {
        self.0.swap_remove(uid).is_some()
    }

    /// Keeps those of which `is_kept` says so, by the time of the last of them.
    pub(super) fn retain(&mut self, is_kept: impl Fn(u64) -> bool) {
        self.0.retain(|_, breaks| is_kept(breaks.last));
    }

    /// The messages, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Uid, &Breaks)> {
        self.0.iter()
    }
}
