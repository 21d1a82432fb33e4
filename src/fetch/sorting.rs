//! The listing of a session against the journal: which messages are retrieved, compared, deleted or
//! left, and the preview of a dry run.

use std::collections::HashSet;

use super::object::{ListedObject, PreviewObject};
use super::outcome::{Lack, Missed};
use super::plan::{Action, Plan};
use super::server::Server;
use super::{Run, Suspect, connect, login, stand_ins};
use crate::config::Keep;
use crate::connect::Connector;
use crate::error::{Error, Exit};
use crate::fetch::plan;
use crate::password::Attempts;
use crate::pop3::{self, Listing, Number, ScanListing, Session, Sizes, Transaction, UniqueIds};
use crate::report::count;
use crate::settings::FetchJob;
use crate::store::disk::Os;
use crate::store::{Listed, Purpose, SeenEntry, Standing, Store};
use crate::text::{Uid, UidRef};
use crate::wire::{Disclosure, Private};

impl Run<'_> {
    /// Returns whether the retention of a known message is over.
    pub(super) fn is_any_due(&self, store: &Store) -> bool {
        let mut listed = store.seen().listed();
        let is_due = |entry| plan::is_known(self.job, entry) && plan::is_due(self.job, entry);
        self.job.keep != Keep::Forever && listed.any(|(.., entry)| is_due(entry))
    }

    /// The taker of a listing that is compared with the journal.
    pub(super) fn matching<'b>(&'b mut self, store: &'b mut Store) -> Matching<'b> {
        Matching { store, unmatched: &mut self.unmatched, job: self.job }
    }

    /// Compares the maildrop with the journal, and returns the messages that are to be looked at one
    /// by one.
    pub(super) fn listing(
        &mut self,
        session: &mut Session<Transaction, Box<dyn Private>>,
        store: &mut Store,
    ) -> Result<Vec<ScanListing>, Error> {
        let uids = self.unique_ids(store.seen().are_known(self.job.run_id.seconds));
        session.list(uids, &mut self.matching(store))?;
        let Unmatched { mut messages, listed } = std::mem::take(&mut self.unmatched);
        // The oldest first: a server may list them in any order.
        messages.sort_by_key(|listed| listed.number);
        // What would be noted and shown is left, without its unique-id.
        let has_secret =
            |listed: &mut ScanListing| listed.uid.take_if(|uid| session.has_secret(uid)).is_some();
        let secret: Vec<_> = messages.extract_if(.., has_secret).collect();
        // What an earlier session of this run has missed and what is listed again is tried again.
        if !self.is_for_suspects && !self.fetched.missed.is_empty() {
            let unmatched: HashSet<_> =
                messages.iter().chain(&secret).map(|listed| listed.uid.as_ref()).collect();
            let is_listed = |uid: &Uid| {
                let entry = store.seen().get(uid);
                entry.is_some_and(|entry| entry.number().is_some())
            };
            self.fetched.missed.retain(|Missed { listed, .. }| {
                let uid = listed.uid.as_ref();
                !unmatched.contains(&uid) && !uid.is_some_and(is_listed)
            });
        }
        if !self.is_for_suspects {
            self.fetched.unasked = 0;
        }
        for listed in secret {
            self.miss_nameless(listed, "its unique-id has a secret in it that was sent");
        }
        self.with_unique_ids(messages, listed)
    }

    /// Leaves a message that has no unique-id to note, once for all sessions of suspects.
    fn miss_nameless(&mut self, listed: ScanListing, reason: &str) {
        if !self.is_for_suspects {
            self.fetched.miss(listed, Lack::Retrieval(Exit::Later), reason.to_owned());
        }
    }

    /// Returns whether messages without unique-ids are left: those that stay would be fetched again
    /// and again, and there is nothing by which they could be noted.
    fn needs_unique_ids(&self) -> bool {
        !self.job.deletes_at_once() || self.job.note_only
    }

    /// The need for unique-ids. Where known messages have them, a server that does not tell them has a
    /// passing reason.
    fn unique_ids(&self, are_known: bool) -> UniqueIds {
        UniqueIds { are_needed: self.needs_unique_ids(), are_known }
    }

    /// Leaves messages that lack the unique-ids that they need. `listed` is the number of all that
    /// are listed.
    fn with_unique_ids(
        &mut self,
        mut listing: Vec<ScanListing>,
        listed: usize,
    ) -> Result<Vec<ScanListing>, Error> {
        self.fetched.listed = listed + self.fetched.deleted;
        let nameless = listing.iter().filter(|listed| listed.uid.is_none()).count();
        if !self.needs_unique_ids() || nameless == 0 {
            return Ok(listing);
        }
        if nameless == listed {
            return Err(pop3::Error::Missing(pop3::Feature::Uidl).into());
        }
        listing.retain(|listed| {
            let has_uid = listed.uid.is_some();
            if !has_uid {
                self.miss_nameless(listed.clone(), "the server lists no valid unique-id for it");
            }
            has_uid
        });
        Ok(listing)
    }

    /// Warns that a server lists none of the known unique-ids: a server that was moved may have
    /// renamed all messages, and then they are fetched again.
    fn warn_about_new_uids(&self, present: usize) {
        let listed = self.fetched.listed;
        if present > 1 && listed >= present {
            self.context.report.warn(format_args!(
                "fetch {}: {}: the server lists its {} with new unique-ids, so they are \
                 fetched again",
                self.label,
                self.job.peer,
                count(listed, "message"),
            ));
        }
    }

    /// Tells what is new of a listing from what is known, and notes what is gone and what is back.
    pub(super) fn sort_out(
        &mut self,
        store: &mut Store,
        listing: Vec<ScanListing>,
        sizes: Option<&Sizes>,
    ) -> Result<Sorted, Error> {
        let mut plan = Plan::new(self.job, &listing, sizes, self.fetched.new);
        let is_known =
            |uid: &Uid| store.seen().get(uid).is_some_and(|entry| plan::is_known(self.job, entry));
        let uids = listing.iter().filter_map(|listed| listed.uid.as_ref());
        uids.filter(|uid| is_known(uid)).for_each(|uid| plan.count_known(uid));
        if plan.has_shared() {
            store.note_shared_uids()?;
        }
        let Listed { known, before, mut changes } = store.end_listing()?;
        // Sorted in place, since a listing may be long.
        let (mut wanted, mut suspects, mut overlong) = (listing, Vec::new(), Vec::new());
        let (mut too_large, mut skipped) = (0, 0);
        wanted.retain(|listed| {
            let name = self.name(listed);
            if name.is_some_and(|uid| self.overlong.contains(uid)) {
                overlong.push(listed.clone());
                return false;
            }
            let entry = listed.uid.as_ref().and_then(|uid| store.seen().get(uid));
            let standing = entry.map_or(Standing::New, |entry| store.standing_of(entry, None));
            let condition = plan::condition(self.job, store.seen(), name);
            match plan.action(listed, entry, standing, condition) {
                // One that the server refuses makes room for one that is over the limit.
                Action::Retrieve | Action::OverLimit => return true,
                Action::RetrieveLast => {
                    suspects.push(Suspect { listed: listed.clone(), purpose: Purpose::Deliver });
                }
                Action::Skipped => skipped += 1,
                Action::TooLarge => too_large += 1,
                // It shares its unique-id with a known one.
                Action::AlreadyFetched
                | Action::Compare
                | Action::Delete
                | Action::Unwanted
                | Action::Elsewhere => {}
            }
            false
        });
        if let Some(path) = store.elsewhere().filter(|_| !self.job.all) {
            self.fetched.elsewhere = Some(path.to_owned());
        }
        if !self.is_for_suspects {
            for listed in overlong {
                self.miss_overlong(listed);
            }
        }
        let fetched = &mut self.fetched;
        (fetched.too_large, fetched.skipped, fetched.postponed) = (too_large, skipped, 0);
        // A server that hides what was retrieved lists others in every session.
        if known == 0 && self.fetched.new == 0 {
            self.warn_about_new_uids(before);
        }
        self.shared = plan.into_shared();
        self.fetched.ambiguous = self.shared.values().sum();
        changes += wanted.len() + suspects.len() + self.fetched.too_large;
        let room = plan::room(self.job, self.fetched.new);
        let has_known =
            known > 0 && store.seen().listed().any(|(.., entry)| plan::is_known(self.job, entry));
        Ok(Sorted { wanted, suspects, has_known, room, changes })
    }

    /// Says what would be done, and does nothing.
    pub(super) fn preview(&mut self, attempts: &Attempts) -> Result<(), Error> {
        let seen = Store::read_only(&Os, &self.job.state, self.job.run_id.seconds)?;
        let way = Connector::to(&self.job.peer, self.context.report, self.context.stop)?;
        let approach = Server::recall(self.job).approach();
        let disclosure = Disclosure::new(self.trace(), attempts.secrets());
        let session = connect(self.job, &way, disclosure, approach)?;
        let mut listing = Vec::new();
        let mut session = login(self.job, &way, session, attempts, &mut listing)?;
        let uids = self.unique_ids(seen.are_known(self.job.run_id.seconds));
        session.list(uids, &mut listing)?;
        listing.retain(|listed| !listed.uid.as_ref().is_some_and(|uid| session.has_secret(uid)));
        let listed = listing.len();
        let listing = self.with_unique_ids(listing, listed)?;
        let sizes = session.sizes()?.clone();
        session.abandon();
        self.names = stand_ins(&listing, &sizes);
        let mut plan = Plan::new(self.job, &listing, Some(&sizes), 0);
        let here = self.job.destination.place();
        let _turn = self.context.report.turn();
        for listed in listing {
            let uid = listed.uid.as_ref();
            let (number, octets) = (listed.number, sizes.of(listed.number));
            let standing = uid.map_or(Standing::New, |uid| seen.standing(uid, octets, &here));
            let condition = plan::condition(self.job, &seen, self.name(&listed));
            let entry = uid.and_then(|uid| seen.get(uid));
            let action = plan.action(&listed, entry, standing, condition);
            if self.context.report.is_json() {
                let uid = uid.map(ToString::to_string);
                let message = ListedObject { number, size: octets, uid, action: action.word() };
                let object = PreviewObject { account: &self.label, message };
                self.context.report.object(&object)?;
            } else {
                let octets = octets.map_or_else(|| "?".to_owned(), |octets| octets.to_string());
                let uid = uid.map_or_else(|| "-".to_owned(), ToString::to_string);
                let label = &self.label;
                let what = action.words(self.job.deletes_at_once());
                let line = format_args!("{label} {number:>5} {octets:>9} {uid}  {what}");
                self.context.report.answer(line)?;
            }
        }
        Ok(())
    }
}

/// A listing, sorted by action.
pub(super) struct Sorted {
    /// New messages.
    pub(super) wanted: Vec<ScanListing>,
    /// New messages that are asked for behind all others.
    pub(super) suspects: Vec<Suspect>,
    /// True if known messages are listed that are not to be fetched again.
    pub(super) has_known: bool,
    /// The number of messages that may still be retrieved.
    pub(super) room: usize,
    /// The number of differences from the last listing.
    pub(super) changes: usize,
}

/// The messages of a listing that are to be looked at one by one: those that no entry of the journal
/// stands for, or with `--all` each of them.
#[derive(Debug, Default)]
pub(super) struct Unmatched {
    messages: Vec<ScanListing>,
    /// The number of all messages that are listed.
    listed: usize,
}

/// A taker of a listing that marks in the journal what is known. There may be a million of them, so no
/// more of them is kept.
pub(super) struct Matching<'a> {
    store: &'a mut Store,
    unmatched: &'a mut Unmatched,
    job: &'a FetchJob,
}

impl Listing for Matching<'_> {
    fn begin(&mut self) {
        self.store.begin_listing();
        *self.unmatched = Unmatched::default();
    }

    fn add(&mut self, number: Number, uid: Option<UidRef<'_>>) {
        self.unmatched.listed += 1;
        let is_known = |entry: &SeenEntry| plan::is_known(self.job, entry);
        if !uid.is_some_and(|uid| self.store.mark_listed(uid, number).is_some_and(is_known)) {
            self.unmatched.messages.push(ScanListing { number, uid: uid.map(Uid::from) });
        }
    }
}
