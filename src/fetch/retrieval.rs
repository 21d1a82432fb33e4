//! Retrieval of the messages that are due, in one session, and the classification of a connection that
//! breaks in one. Delivery is the worker's, in `delivery`.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::iter;
use std::panic::resume_unwind;
use std::thread;

use super::delivery::{Arrival, DeliveryQueue, DeliveryWorker};
use super::incoming::Incoming;
use super::outcome::Lack;
use super::plan::Action;
use super::refusals::Refusals;
use super::{FetchContext, Halt, Left, Run, Suspect};
use crate::error::Error;
use crate::fetch::plan;
use crate::limits;
use crate::pop3::{self, Deletable, ScanListing, Session, Sizes, Transaction};
use crate::store::{Condition, Purpose, Store};
use crate::text::{Identified, Uid};
use crate::wire::Private;

impl Run<'_> {
    /// A session that ended in the middle of a message that has ended several is no failure of the
    /// run: everything else was fetched.
    pub(super) fn after_break(&mut self, store: &Store, error: Error) -> Result<Left, Error> {
        match error {
            Error::Pop3(pop3::Error::InMessage { listed, error, .. })
                if self.name(&listed).is_some_and(|uid| {
                    store.seen().condition(uid, self.job.run_id.seconds) == Condition::Broken
                }) =>
            {
                self.fetched.miss(listed, Lack::End, error.to_string());
                Ok(Left::Nothing)
            }
            error => Err(error),
        }
    }

    /// Deletes what may go, and ends the session.
    pub(super) fn end(
        &mut self,
        session: Session<Transaction, Box<dyn Private>>,
        store: &mut Store,
    ) -> Result<(), Error> {
        let deletable = std::mem::take(&mut self.deletable);
        if deletable.is_empty() {
            if self.fetched.new > 0 {
                store.settle()?;
            }
            if !self.job.repeat {
                session.abandon();
                return Ok(());
            }
            // The answer is awaited for the sake of the next session, and nothing depends on it.
            return match session.quit([]) {
                Err(error) if error.is_ours() => Err(error.into()),
                Ok(_) | Err(_) => Ok(()),
            };
        }
        store.record_deletions(deletable.iter().filter_map(Identified::uid))?;
        let mut nameless = Vec::new();
        for parting in session.quit(deletable)? {
            match parting.refusal {
                None => {
                    self.fetched.deleted += 1;
                    nameless.extend(parting.listed.uid.is_none().then_some(parting.listed.number));
                }
                Some(refusal) => {
                    if let Some(uid) = &parting.listed.uid {
                        store.record_refusal(uid)?;
                    }
                    self.fetched.miss(parting.listed, Lack::Deletion, refusal.to_string());
                }
            }
        }
        store.forget_deleted_texts(&nameless)?;
        Ok(())
    }

    /// Decides on known messages with the sizes of the listing: marks those that may be deleted,
    /// and returns those that must be compared, at most `room`, and which of these are deleted if
    /// they are equal. Suspects among them are added to `suspects`.
    pub(super) fn look_again(
        &mut self,
        store: &Store,
        sizes: &Sizes,
        room: usize,
        suspects: &mut Vec<Suspect>,
    ) -> (Vec<ScanListing>, HashSet<Uid>) {
        let (mut compare, mut due) = (Vec::new(), HashSet::new());
        for (number, uid, entry) in store.seen().listed() {
            if !plan::is_known(self.job, entry) {
                continue;
            }
            let size = sizes.of(number);
            let action = plan::look_again(self.job, entry, store.standing_of(entry, size));
            if !matches!(action, Action::Delete | Action::Compare) {
                continue;
            }
            let Some(uid) = Uid::new(uid) else { continue };
            let listed = ScanListing { number, uid: Some(uid.clone()) };
            if self.is_overlong(&listed) {
                self.miss_overlong(listed);
                continue;
            }
            match action {
                Action::Delete => {
                    self.deletable.extend(store.recall(listed, size).map(Deletable::from));
                }
                Action::Compare => {
                    if plan::is_too_large(self.job, Some(sizes), &listed) {
                        continue;
                    }
                    match plan::condition(self.job, store.seen(), Some(&uid)) {
                        Condition::Sound if compare.len() < room => compare.push(listed),
                        Condition::Sound => continue,
                        Condition::Suspect => {
                            suspects.push(Suspect { listed, purpose: Purpose::Compare });
                        }
                        Condition::Broken => {
                            self.fetched.skipped += 1;
                            continue;
                        }
                    }
                    if plan::is_due(self.job, entry) {
                        due.insert(uid);
                    }
                }
                _ => {}
            }
        }
        (compare, due)
    }

    /// Messages stream in on one side and are made safe on the other. What is whole is delivered
    /// even if the line breaks behind it.
    pub(super) fn retrieve(
        &mut self,
        session: &mut Session<Transaction, Box<dyn Private>>,
        store: &mut Store,
        wanted: Vec<ScanListing>,
        due: &HashSet<Uid>,
        purpose: Purpose,
    ) -> Result<(), Error> {
        if wanted.is_empty() {
            return Ok(());
        }
        if purpose == Purpose::Deliver {
            store.reserve(&wanted);
        }
        let progress = self.context.report.progress(&self.label);
        progress.expect(wanted.len());
        let numbers: Vec<_> = wanted.iter().map(|listed| listed.number).collect();
        let arrivals = DeliveryQueue::new(self.context.batch);
        let measured = |sizes: &Sizes| {
            // Where known messages have changed their sizes is noted before anything is delivered.
            drop(arrivals.add(Arrival::Sizes(sizes.clone())));
            // The server may say that a message is as large as a number can be.
            let octets = numbers.iter().filter_map(|number| sizes.of(*number));
            progress.expect_octets(octets.fold(0, u64::saturating_add));
        };
        let drafts = store.drafts();
        let most = self.most();
        let draft = || Incoming::new(drafts.draft(), progress.octets(), most);
        let (mut wanted, refusals) = (VecDeque::from(wanted), RefCell::new(Refusals::default()));
        let Self { job, context: FetchContext { report, .. }, fetched, deletable, shared, .. } =
            self;
        let keeper =
            DeliveryWorker { job, report, store, fetched, deletable, shared, due, purpose };
        let ended = thread::scope(|scope| {
            let keeping = thread::Builder::new()
                .spawn_scoped(scope, || keeper.keep(&arrivals))
                .map_err(Error::Thread)?;
            let present = arrivals.present();
            let longest = most.saturating_add(limits::EXCESS);
            let mut retr_each = |flight: &mut dyn Iterator<Item = ScanListing>| {
                session.retr_each(flight, longest, measured, draft, |arrival| {
                    progress.message();
                    let mut refusals = refusals.borrow_mut();
                    arrivals.add(match arrival {
                        Ok(retrieved) => {
                            refusals.end();
                            Arrival::Message(Box::new(retrieved))
                        }
                        Err(refused) => {
                            refusals.add(&refused.refusal.to_string());
                            Arrival::Refused(refused)
                        }
                    })
                })
            };
            let mut retrieve = || {
                while !wanted.is_empty() {
                    let mut flight = iter::from_fn(|| {
                        if refusals.borrow().are_many() { None } else { wanted.pop_front() }
                    });
                    retr_each(&mut flight)?;
                    let refused = refusals.borrow().count();
                    if let Some(last) = wanted.pop_back() {
                        retr_each(&mut iter::once(last))?;
                        if refusals.borrow().count() > refused {
                            break;
                        }
                        refusals.borrow_mut().end();
                    }
                }
                Ok(())
            };
            let retrieved = retrieve();
            drop(present);
            let kept = keeping.join().unwrap_or_else(|panic| resume_unwind(panic));
            // If messages could not be kept, that is why no more were retrieved.
            kept.and(match retrieved {
                Ok(()) | Err(Halt::Unkept) => Ok(()),
                Err(Halt::Ended(error)) => Err(error.into()),
            })
        });
        if ended.is_ok() {
            self.fetched.unasked += wanted.len();
        }
        if let Err(Error::Pop3(pop3::Error::InMessage { listed, octets, .. })) = &ended
            && let Some(uid) = self.name(listed)
        {
            store.record_break(uid, *octets)?;
        }
        ended
    }
}
