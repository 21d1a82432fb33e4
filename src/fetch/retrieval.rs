//! Retrieval of the messages that are due, in one session, and the classification of a connection that
//! breaks in one. Delivery is the worker's, in `delivery`.

use std::cell::{Cell, RefCell};
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
    /// and returns those that must be compared, and which of these are deleted if they are equal.
    /// Suspects among them are added to `suspects`.
    pub(super) fn look_again(
        &mut self,
        store: &Store,
        sizes: &Sizes,
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
                        Condition::Sound => compare.push(listed),
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

    /// Retrieves the first of these messages, until there is no more room. One that is refused or
    /// could not be delivered takes none: the next one has its place.
    pub(super) fn retrieve(
        &mut self,
        session: &mut Session<Transaction, Box<dyn Private>>,
        store: &mut Store,
        wanted: Vec<ScanListing>,
        room: &mut usize,
        due: &HashSet<Uid>,
        purpose: Purpose,
    ) -> Result<(), Error> {
        if purpose == Purpose::Deliver {
            store.reserve(wanted.get(..*room).unwrap_or(&wanted));
        }
        let mut wanted = VecDeque::from(wanted);
        let rejected = |run: &Self| {
            run.fetched.missed.iter().filter(|missed| missed.lack == Lack::Delivery).count()
        };
        let before = rejected(self);
        // What keeps so many from being delivered is not due to them.
        while *room > 0 && !wanted.is_empty() && rejected(self) - before < limits::REFUSALS {
            self.retrieve_some(session, store, &mut wanted, room, due, purpose)?;
        }
        self.fetched.postponed += if purpose == Purpose::Deliver { wanted.len() } else { 0 };
        Ok(())
    }

    /// Retrieves messages as far as there is room, and takes from it what came. They stream in on one
    /// side and are made safe on the other. What is whole is delivered even if the line breaks behind
    /// it.
    fn retrieve_some(
        &mut self,
        session: &mut Session<Transaction, Box<dyn Private>>,
        store: &mut Store,
        wanted: &mut VecDeque<ScanListing>,
        room: &mut usize,
        due: &HashSet<Uid>,
        purpose: Purpose,
    ) -> Result<(), Error> {
        let progress = self.context.report.progress(&self.label);
        progress.expect(wanted.len().min(*room));
        let numbers: Vec<_> = wanted.iter().take(*room).map(|listed| listed.number).collect();
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
        let refusals = RefCell::new(Refusals::default());
        // Of what is in flight, any may come.
        let (places, asked) = (Cell::new(*room), Cell::new(0_usize));
        let is_free = || places.get() > 0 && !refusals.borrow().are_many();
        let take = || {
            places.update(|places| places.saturating_sub(1));
            asked.update(|asked| asked + 1);
        };
        let missed_before = self.fetched.missed.len();
        let mut are_all_refused = false;
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
                            let is_given_up = retrieved.draft().as_ref().failure().is_some();
                            places.update(|places| places + usize::from(is_given_up));
                            Arrival::Message(Box::new(retrieved))
                        }
                        Err(refused) => {
                            refusals.add(&refused.refusal.to_string());
                            places.update(|places| places + 1);
                            Arrival::Refused(refused)
                        }
                    })
                })
            };
            let mut retrieve = || {
                while places.get() > 0 && !wanted.is_empty() {
                    let mut flight =
                        iter::from_fn(|| wanted.pop_front_if(|_| is_free()).inspect(|_| take()));
                    retr_each(&mut flight)?;
                    let refused = refusals.borrow().count();
                    let are_many = refusals.borrow().are_many();
                    if let Some(last) = wanted.pop_back_if(|_| are_many) {
                        take();
                        retr_each(&mut iter::once(last))?;
                        if refusals.borrow().count() > refused {
                            are_all_refused = true;
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
        let missed = self.fetched.missed.iter().skip(missed_before);
        let missed = missed.filter(|missed| missed.lack != Lack::Deletion).count();
        *room = room.saturating_sub(asked.get().saturating_sub(missed));
        if are_all_refused {
            self.fetched.unasked += std::mem::take(wanted).len();
        }
        if let Err(Error::Pop3(pop3::Error::InMessage { listed, octets, .. })) = &ended
            && let Some(uid) = self.name(listed)
        {
            store.record_break(uid, *octets)?;
        }
        ended
    }
}
