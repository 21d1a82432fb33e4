//! Messages that were delivered and had no unique-id. The text alone tells whether one that is
//! retrieved again is such a message: until it is deleted, its digest is known.

use std::collections::{BTreeMap, HashMap};
use std::iter;

use super::digest::Digest;
use super::entry::is_credible;

/// Texts that were delivered, of messages that were not deleted since.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Texts {
    known: BTreeMap<Digest, Text>,
    /// The text of each message of the present session, by message-number.
    met: HashMap<u32, Digest>,
}

/// One text, as often as it was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text {
    /// When it was last delivered or met, in seconds since 1970.
    pub(super) time: u64,
    /// The place of its deliveries, numbered as in [`super::SeenUids`].
    pub(super) place: usize,
    pub(super) copies: usize,
    /// Those of them that were delivered in this run.
    fresh: usize,
    /// The messages of the present session that were known by it, or delivered.
    met: usize,
}

impl Texts {
    /// Takes in a delivery.
    pub(super) fn add(&mut self, digest: Digest, time: u64, place: usize) {
        let new = Text { time, place, copies: 0, fresh: 0, met: 0 };
        let text = self.known.entry(digest).or_insert(new);
        if text.place != place {
            *text = new;
        }
        (text.time, text.copies) = (time, text.copies + 1);
    }

    /// Takes in that the last delivery of a text was one of the present session.
    pub(super) fn set_fresh(&mut self, digest: Digest) {
        if let Some(text) = self.known.get_mut(&digest) {
            text.fresh += 1;
            text.met += 1;
        }
    }

    /// Begins a session, in which each message is met anew.
    pub(super) fn begin_session(&mut self) {
        self.met.clear();
        self.known.values_mut().for_each(|text| text.met = 0);
    }

    /// Takes in that a message of the present session has this text. Returns when such a message was
    /// last delivered or met; `None` if that was in none of the places that count, or if this session
    /// has more messages of this text than were delivered, so that this one is new. With `is_all`
    /// only deliveries of this run count.
    pub(super) fn meet(
        &mut self,
        number: u32,
        digest: Digest,
        time: u64,
        is_all: bool,
        is_here: impl FnOnce(usize) -> bool,
    ) -> Option<u64> {
        self.met.insert(number, digest);
        let text = self.known.get_mut(&digest)?;
        let known = if is_all { text.fresh } else { text.copies };
        if text.met >= known || !is_here(text.place) {
            return None;
        }
        text.met += 1;
        Some(std::mem::replace(&mut text.time, time))
    }

    /// Forgets one message with a text. Returns whether one was known.
    pub(super) fn forget_one(&mut self, digest: Digest) -> bool {
        let Some(text) = self.known.get_mut(&digest) else { return false };
        text.copies -= 1;
        text.met = text.met.saturating_sub(1);
        text.fresh = text.fresh.min(text.copies);
        if text.copies == 0 {
            self.known.remove(&digest);
        }
        true
    }

    /// Forgets a message of an earlier run with this text. Returns whether one was known.
    pub(super) fn forget_earlier(&mut self, digest: Digest) -> bool {
        let Some(text) = self.known.get_mut(&digest).filter(|text| text.copies > text.fresh) else {
            return false;
        };
        text.copies -= 1;
        if text.copies == 0 {
            self.known.remove(&digest);
        }
        true
    }

    /// Forgets messages of the present session, which are deleted. Returns their digests.
    pub(super) fn forget_deleted(&mut self, numbers: &[u32]) -> Vec<Digest> {
        let met = numbers.iter().filter_map(|number| self.met.remove(number)).collect::<Vec<_>>();
        met.into_iter().filter(|digest| self.forget_one(*digest)).collect()
    }

    /// Forgets what was not met for `memory` seconds; what was noted by a clock that cannot be right
    /// counts from now. Returns the digest of each message.
    pub(super) fn forget_vanished(&mut self, now: u64, memory: u64) -> Vec<Digest> {
        let mut forgotten = Vec::new();
        self.known.retain(|digest, text| {
            if !is_credible(text.time) || text.time > now {
                text.time = now;
            }
            let is_over = now >= text.time.saturating_add(memory);
            if is_over {
                forgotten.extend(iter::repeat_n(*digest, text.copies));
            }
            !is_over
        });
        forgotten
    }

    /// The texts with their digests.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Digest, Text)> {
        self.known.iter().map(|(digest, text)| (*digest, *text))
    }

    /// The number of messages.
    pub(super) fn len(&self) -> usize {
        self.known.values().map(|text| text.copies).sum()
    }
}
