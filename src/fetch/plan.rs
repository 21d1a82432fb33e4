//! The action for each message of a listing. Decides; does nothing.

use std::collections::HashMap;

use crate::config::Keep;
use crate::pop3::{ScanListing, Sizes};
use crate::settings::FetchJob;
use crate::store::{Condition, SeenEntry, SeenUids, Standing};
use crate::text::Uid;

/// Seconds in a day.
const DAY: u64 = 24 * 60 * 60;

/// The planned action for a listed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Fetch it: it is new.
    Retrieve,
    /// Fetch it behind all others: it is new, and a session ended in the middle of it.
    RetrieveLast,
    /// Skip it: it is new, and the server cannot finish it.
    Skipped,
    /// Leave it: it is new, and larger than `max-size`.
    TooLarge,
    /// Leave it for the next run: it is new, and this run's limit is reached.
    OverLimit,
    /// Leave it: it was fetched before.
    AlreadyFetched,
    /// Retrieve and compare it: it may be the message that was fetched before.
    Compare,
    /// Delete it: it was fetched before, and its retention is over.
    Delete,
    /// Leave it: it was fetched before into another place.
    Elsewhere,
    /// Leave it: it was noted as not to be fetched.
    Unwanted,
}

impl Action {
    /// The word for scripts.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Retrieve | Self::RetrieveLast => "retrieve",
            Self::Skipped => "skipped",
            Self::TooLarge => "too-large",
            Self::OverLimit => "over-limit",
            Self::AlreadyFetched => "known",
            Self::Compare => "compare",
            Self::Delete => "delete",
            Self::Elsewhere => "elsewhere",
            Self::Unwanted => "unwanted",
        }
    }

    /// The words for people.
    pub(super) fn words(self, deletes_at_once: bool) -> &'static str {
        match self {
            Self::Retrieve | Self::RetrieveLast if deletes_at_once => "fetch and delete",
            Self::Retrieve | Self::RetrieveLast => "fetch",
            Self::Skipped => "skipped, since the server cannot finish it",
            Self::TooLarge => "too large",
            Self::OverLimit => "over the limit",
            Self::AlreadyFetched => "fetched before",
            Self::Compare => "compare",
            Self::Delete => "delete",
            Self::Elsewhere => "fetched before, into another place",
            Self::Unwanted => "not to be fetched",
        }
    }
}

/// The decisions on one listing, to be asked for in its order.
pub(super) struct Plan<'a> {
    job: &'a FetchJob,
    /// The sizes, if the action depends on them.
    sizes: Option<&'a Sizes>,
    /// The number of messages that may still be retrieved.
    room: usize,
    /// The unique-ids that several messages have, and the number of messages seen for each so far.
    /// RFC 1939 §7 allows it for identical messages; some servers do it for others. Each is fetched
    /// and none is deleted, since they cannot be told apart.
    shared: HashMap<Uid, u32>,
}

impl<'a> Plan<'a> {
    /// `taken` messages were retrieved in this run already.
    pub(super) fn new(
        job: &'a FetchJob,
        listing: &[ScanListing],
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
        Self { job, sizes, room: room(job, taken), shared }
    }

    /// Takes in that the message for which a unique-id is known was listed before these.
    pub(super) fn count_known(&mut self, uid: &Uid) {
        self.shared.insert(uid.clone(), 1);
    }

    /// Returns whether several messages of the listing have the same unique-id.
    pub(super) fn has_shared(&self) -> bool {
        !self.shared.is_empty()
    }

    /// Returns the action for the next message, by its unique-id: `entry` is its entry in the
    /// journal, `standing` what that proves, `condition` whether the server can finish it.
    pub(super) fn action(
        &mut self,
        listed: &ScanListing,
        entry: Option<&SeenEntry>,
        standing: Standing<'_>,
        condition: Condition,
    ) -> Action {
        let twin = listed.uid.as_ref().and_then(|uid| self.shared.get_mut(uid));
        let before = twin.map_or(0, |before| std::mem::replace(before, *before + 1));
        let known = entry.filter(|entry| entry.is_one_of(before) && is_known(self.job, entry));
        match known {
            Some(entry) => look_again(self.job, entry, standing),
            None if is_too_large(self.job, self.sizes, listed) => Action::TooLarge,
            // Neither takes room from others.
            None if condition == Condition::Broken => Action::Skipped,
            None if condition == Condition::Suspect => Action::RetrieveLast,
            None if self.room == 0 => Action::OverLimit,
            None => {
                self.room -= 1;
                Action::Retrieve
            }
        }
    }

    /// The unique-ids that several messages have, and how many.
    pub(super) fn into_shared(self) -> HashMap<Uid, u32> {
        self.shared
    }
}

/// The number of messages that may still be retrieved in a run that has brought so many.
pub(super) fn room(job: &FetchJob, taken: usize) -> usize {
    job.limit.map_or(usize::MAX, |limit| limit.saturating_sub(taken))
}

/// Returns whether a message counts as fetched before: with --all, only what this very run has fetched,
/// in a session before the present one.
pub(super) fn is_known(job: &FetchJob, entry: &SeenEntry) -> bool {
    !job.all || entry.is_fresh()
}

/// Returns whether the server can finish a message; with --all each is asked for anyway.
pub(super) fn condition(job: &FetchJob, seen: &SeenUids, name: Option<&Uid>) -> Condition {
    let Some(uid) = name else { return Condition::Sound };
    match seen.condition(uid, job.run_id.seconds) {
        Condition::Broken if job.all => Condition::Suspect,
        condition => condition,
    }
}

/// Returns the action for a known message.
pub(super) fn look_again(job: &FetchJob, entry: &SeenEntry, standing: Standing<'_>) -> Action {
    let is_due = is_due(job, entry);
    match standing {
        Standing::Elsewhere(_) => Action::Elsewhere,
        Standing::Unwanted => Action::Unwanted,
        Standing::Resized => Action::Compare,
        Standing::Proven if is_due => Action::Delete,
        Standing::Unproven if is_due => Action::Compare,
        Standing::New | Standing::Proven | Standing::Unproven | Standing::Shared => {
            Action::AlreadyFetched
        }
    }
}

/// Returns whether a message's retention is over.
pub(super) fn is_due(job: &FetchJob, entry: &SeenEntry) -> bool {
    match job.keep {
        Keep::Forever => false,
        Keep::Days(0) => true,
        // A clock that cannot be right, now or then, says nothing of how long ago it was.
        Keep::Days(days) => {
            entry.age(job.run_id.seconds).is_some_and(|age| age >= u64::from(days) * DAY)
        }
    }
}

/// Returns whether a message is larger than `max-size`, by its size in the listing.
pub(super) fn is_too_large(job: &FetchJob, sizes: Option<&Sizes>, listed: &ScanListing) -> bool {
    let limit = job.max_size.map(|limit| limit.octets);
    let size = sizes.and_then(|sizes| sizes.of(listed.number));
    size.zip(limit).is_some_and(|(size, limit)| size > limit)
}
