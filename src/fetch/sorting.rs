//! The listing of a session against the journal: which messages are retrieved, compared, deleted or
//! left, and the preview of a dry run.

use super::object::{ListedObject, PreviewObject};
use super::outcome::Lack;
use super::plan::{Action, Plan};
use super::server::Server;
use super::{Run, Suspect, connect, login, stand_ins};
use crate::config::Keep;
use crate::connect::Connector;
use crate::error::Error;
use crate::fetch::plan;
use crate::password::Attempts;
use crate::pop3::{self, ScanListing, Session, Sizes, Transaction, UniqueIds};
use crate::report::count;
use crate::store::disk::Os;
use crate::store::{Purpose, Standing, Store};
use crate::text::Identified;
use crate::wire::{Disclosure, Private};

impl Run<'_> {
    /// Returns whether the retention of a known message is over.
    pub(super) fn is_any_due(&self, store: &Store, known: &[ScanListing]) -> bool {
        let mut near = 0;
        let mut find = |uid| store.seen().find(uid, &mut near);
        let mut entries = known.iter().filter_map(|listed| find(listed.uid.as_ref()?));
        self.job.keep != Keep::Forever && entries.any(|entry| plan::is_due(self.job, entry))
    }

    /// The maildrop as the server shows it. Without unique-ids, messages that stay would be fetched
    /// again and again; and where `known` messages have them, a server that does not tell them has
    /// a passing reason.
    pub(super) fn listing(
        &mut self,
        session: &mut Session<Transaction, Box<dyn Private>>,
        known: usize,
    ) -> Result<Vec<ScanListing>, Error> {
        let are_needed = !self.job.deletes_at_once();
        let uids = UniqueIds { are_needed, are_known: known > 0 };
        let mut listing = session.list(uids)?;
        self.fetched.listed = listing.len() + self.fetched.deleted;
        if self.job.deletes_at_once() || listing.iter().all(|listed| listed.uid.is_some()) {
            return Ok(listing);
        }
        if listing.iter().all(|listed| listed.uid.is_none()) {
            return Err(pop3::Error::Missing(pop3::Feature::Uidl).into());
        }
        listing.retain(|listed| {
            let has_uid = listed.uid.is_some();
            if !has_uid {
                let reason = "the server lists no valid unique-id for it".to_owned();
                self.fetched.miss(listed.clone(), Lack::Retrieval, reason);
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
        let present = store.present();
        store.begin_listing();
        for listed in &listing {
            store.mark_listed(listed, listed.number);
        }
        let mut changes = store.end_listing()?;
        let (mut wanted, mut suspects, mut known) = (Vec::new(), Vec::new(), listing);
        let (mut too_large, mut skipped, mut postponed, mut near) = (0, 0, 0, 0);
        let mut elsewhere = None;
        // There may be a million of them, so those that are known stay where they are.
        known.retain(|listed| {
            let name = self.name(listed);
            if name.is_some_and(|uid| self.overlong.contains(uid)) {
                return false;
            }
            let uid = listed.uid.as_ref();
            let entry = uid.and_then(|uid| store.seen().find(uid, &mut near));
            let standing = entry.map_or(Standing::New, |entry| store.standing_of(entry, None));
            let condition = plan::condition(self.job, store.seen(), name);
            match plan.action(listed, entry, standing, condition) {
                Action::Retrieve => wanted.push(listed.clone()),
                Action::RetrieveLast => {
                    suspects.push(Suspect { listed: listed.clone(), purpose: Purpose::Deliver });
                }
                Action::Skipped => skipped += 1,
                Action::TooLarge => too_large += 1,
                Action::OverLimit => postponed += 1,
                Action::AlreadyFetched | Action::Compare | Action::Delete | Action::Unwanted => {
                    return true;
                }
                Action::Elsewhere => {
                    if let Standing::Elsewhere(path) = standing {
                        elsewhere = Some(path);
                    }
                    return true;
                }
            }
            false
        });
        if let Some(path) = elsewhere {
            self.fetched.elsewhere = Some(path.to_owned());
        }
        let fetched = &mut self.fetched;
        (fetched.too_large, fetched.skipped, fetched.postponed) = (too_large, skipped, postponed);
        if known.is_empty() {
            self.warn_about_new_uids(present);
        }
        let (shared, room) = plan.into_parts();
        self.fetched.postponed += suspects.len().saturating_sub(room);
        suspects.truncate(room);
        self.shared = shared;
        self.fetched.ambiguous = self.shared.values().sum();
        if self.job.all {
            let suspects = suspects.iter().map(|suspect| &suspect.listed);
            store.forget(wanted.iter().chain(suspects).filter_map(Identified::uid))?;
        }
        changes += wanted.len() + suspects.len() + self.fetched.too_large + self.fetched.postponed;
        let room = room.saturating_sub(suspects.len());
        Ok(Sorted { wanted, suspects, known, room, changes })
    }

    /// Says what would be done, and does nothing.
    pub(super) fn preview(&mut self, attempts: &Attempts) -> Result<(), Error> {
        let seen = Store::read_only(&Os, &self.job.state)?;
        let way = Connector::to(&self.job.peer, self.context.report, self.context.stop)?;
        let approach = Server::recall(self.job).approach();
        let disclosure = Disclosure::new(self.trace(), attempts.secrets());
        let session = connect(self.job, &way, disclosure, approach)?;
        let mut session = login(self.job, &way, session, attempts)?;
        let listing = self.listing(&mut session, seen.len())?;
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
    /// Messages that are known.
    pub(super) known: Vec<ScanListing>,
    /// The number of messages that may still be retrieved.
    pub(super) room: usize,
    /// The number of differences from the last listing.
    pub(super) changes: usize,
}
