//! What is to become of each message of a listing. Decides; does nothing.

use std::collections::HashMap;

use crate::config::Keep;
use crate::pop3::{Listed, Sizes};
use crate::settings::FetchJob;
use crate::store::Seen;
use crate::text::Uid;

/// Seconds in a day.
const DAY: u64 = 24 * 60 * 60;

/// What is to become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// To be fetched.
    Wanted,
    /// Larger than anything that is wanted.
    TooLarge,
    /// Wanted, but not in this run.
    Postponed,
    /// Fetched before.
    Known,
    /// Fetched before, and to be deleted.
    Doomed,
}

impl Fate {
    /// In a word or two.
    pub(super) fn words(self, deletes_at_once: bool) -> &'static str {
        match self {
            Self::Wanted if deletes_at_once => "fetch and delete",
            Self::Wanted => "fetch",
            Self::TooLarge => "too large",
            Self::Postponed => "over the limit",
            Self::Known => "fetched before",
            Self::Doomed => "delete",
        }
    }
}

/// The decisions on one listing, to be asked for in its order.
pub(super) struct Plan<'a> {
    job: &'a FetchJob,
    /// How large the messages are, if that matters.
    sizes: Option<&'a Sizes>,
    /// How many may still be fetched.
    room: usize,
    /// Unique-ids that several messages have, and how often each has come by. RFC 1939 §7 allows
    /// it for messages that are alike; some servers do it for others. So each of them is fetched,
    /// and none is deleted, for nobody could say which.
    shared: HashMap<Uid, u32>,
}

impl<'a> Plan<'a> {
    /// `taken` messages were fetched in this run already.
    pub(super) fn new(
        job: &'a FetchJob,
        listing: &[Listed],
        sizes: Option<&'a Sizes>,
        taken: usize,
    ) -> Self {
        let uids = || listing.iter().filter_map(|listed| listed.uid.as_ref());
        let mut shared = HashMap::new();
        // Where they only ever grow, none is there twice.
        if !uids().is_sorted_by(|one, other| one < other) {
            let mut uids: Vec<_> = uids().collect();
            uids.sort_unstable();
            let twins = uids.array_windows().filter(|[one, other]| one == other);
            shared.extend(twins.map(|[uid, _]| ((*uid).clone(), 0)));
        }
        let room = job.limit.map_or(usize::MAX, |limit| limit.saturating_sub(taken));
        Self { job, sizes, room, shared }
    }

    /// What is to become of the next message. `seen` is what is known of its unique-id.
    pub(super) fn fate(&mut self, listed: &Listed, seen: Option<Seen>) -> Fate {
        let twin = listed.uid.as_ref().and_then(|uid| self.shared.get_mut(uid));
        let is_shared = twin.is_some();
        let before = twin.map_or(0, |before| std::mem::replace(before, *before + 1));
        match seen.filter(|seen| before < seen.copies && !self.job.all) {
            Some(seen) if !is_shared && self.is_due(seen) => Fate::Doomed,
            Some(_) => Fate::Known,
            None if self.is_too_large(listed) => Fate::TooLarge,
            None if self.room == 0 => Fate::Postponed,
            None => {
                self.room -= 1;
                Fate::Wanted
            }
        }
    }

    /// The unique-ids that several messages have, and how many.
    pub(super) fn into_shared(self) -> HashMap<Uid, u32> {
        self.shared
    }

    fn is_due(&self, seen: Seen) -> bool {
        match self.job.keep {
            Keep::Forever => false,
            Keep::Days(days) => {
                self.job.moment.seconds >= seen.fetched.saturating_add(u64::from(days) * DAY)
            }
        }
    }

    fn is_too_large(&self, listed: &Listed) -> bool {
        let limit = self.job.max_size.map(|limit| limit.octets);
        let size = self.sizes.and_then(|sizes| sizes.of(listed.number));
        size.zip(limit).is_some_and(|(size, limit)| size > limit)
    }
}
