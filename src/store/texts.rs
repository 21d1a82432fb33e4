//! Messages that were delivered and had no unique-id. The text alone tells whether one that is
//! retrieved again is such a message: as long as it may still be on the server, its digest is known.

use std::collections::BTreeMap;

use super::digest::Digest;
use super::entry::is_credible;

/// Texts that were delivered and may still be on the server.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Texts(BTreeMap<Digest, Text>);

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
    /// The number of messages of the present session that have this text.
    met: usize,
}

impl Texts {
    /// Takes in a delivery of an earlier run.
    pub(super) fn add(&mut self, digest: Digest, time: u64, place: usize) {
        let new = Text { time, place, copies: 0, fresh: 0, met: 0 };
        let text = self.0.entry(digest).or_insert(new);
        if text.place != place {
            *text = new;
        }
        (text.time, text.copies) = (time, text.copies + 1);
    }

    /// Takes in that the last delivery of a text was one of the present session.
    pub(super) fn set_fresh(&mut self, digest: Digest) {
        if let Some(text) = self.0.get_mut(&digest) {
            text.fresh += 1;
            text.met += 1;
        }
    }

    /// Begins a session, in which each message is met anew.
    pub(super) fn begin_session(&mut self) {
        self.0.values_mut().for_each(|text| text.met = 0);
    }

    /// Takes in that a message of the present session has this text. Returns when such a message was
    /// last delivered here or met; `None` if there was none, or if this session has more messages of
    /// this text than were delivered, so that this one is new.
    pub(super) fn meet(
        &mut self,
        digest: Digest,
        time: u64,
        is_here: impl FnOnce(usize) -> bool,
    ) -> Option<u64> {
        match self.0.get_mut(&digest) {
            Some(text) if is_here(text.place) && text.met < text.copies => {
                text.met += 1;
                Some(std::mem::replace(&mut text.time, time))
            }
            _ => None,
        }
    }

    /// Forgets messages with a text. Returns whether one was known.
    pub(super) fn forget_one(&mut self, digest: Digest) -> bool {
        let Some(text) = self.0.get_mut(&digest) else { return false };
        text.copies -= 1;
        if text.copies == 0 {
            self.0.remove(&digest);
        }
        true
    }

    /// Forgets the messages that the present session has met: they are deleted. Returns the digest of
    /// each.
    pub(super) fn forget_met(&mut self) -> Vec<Digest> {
        self.forget(|text| text.met.min(text.copies))
    }

    /// Forgets what earlier runs have delivered. Returns the digest of each message.
    pub(super) fn forget_earlier(&mut self) -> Vec<Digest> {
        self.forget(|text| text.copies - text.fresh)
    }

    /// Forgets what was not met for `memory` seconds; what was noted by a clock that cannot be right
    /// counts from now. Returns the digest of each message.
    pub(super) fn forget_vanished(&mut self, now: u64, memory: u64) -> Vec<Digest> {
        for text in self.0.values_mut() {
            if !is_credible(text.time) || text.time > now {
                text.time = now;
            }
        }
        let is_over = |text: &Text| now >= text.time.saturating_add(memory);
        self.forget(|text| if is_over(text) { text.copies } else { 0 })
    }

    fn forget(&mut self, number: impl Fn(&Text) -> usize) -> Vec<Digest> {
        let mut forgotten = Vec::new();
        self.0.retain(|digest, text| {
            let gone = number(text);
            forgotten.extend(std::iter::repeat_n(*digest, gone));
            text.copies -= gone;
            (text.met, text.fresh) = (text.met.saturating_sub(gone), text.fresh.min(text.copies));
            text.copies > 0
        });
        forgotten
    }

    /// The texts with their digests.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Digest, Text)> {
        self.0.iter().map(|(digest, text)| (*digest, *text))
    }

    /// The number of messages.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(|text| text.copies).sum()
    }
}
