//! The story of a fetch: lock, connect, log in, list, retrieve what is new, make it safe, delete
//! what may go.

mod after;
mod delivery;
mod incoming;
mod outcome;
mod plan;
mod refusals;
mod server;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::iter;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::json;

use self::delivery::{Arrival, DeliveryQueue, DeliveryWorker};
use self::incoming::{Incoming, too_large};
use self::outcome::{Fetched, FetchedFile, Lack, Missed};
use self::plan::{Action, Plan};
use self::refusals::Refusals;
use self::server::Server;
use crate::config::{Keep, Tls};
use crate::connect::Connector;
use crate::error::{Error, Exit, Failure};
use crate::limits;
use crate::net::Stop;
use crate::password::{Attempts, Source};
use crate::pop3::{
    self, Approach, Authorization, Deletable, Prefetch, ScanListing, Session, Sizes, Transaction,
    UniqueIds,
};
use crate::report::{Report, count};
use crate::settings::FetchJob;
use crate::store::disk::Os;
use crate::store::log::LogLine;
use crate::store::outage::OutageTracker;
use crate::store::{self, Condition, Purpose, Standing, Store, StoreOptions};
use crate::text::{Identified, Uid};
use crate::wire::{self, Private, Trace};

/// Fetches mailboxes, up to `at_once` of them side by side, and reports how each went. What is to
/// be done with accounts whose servers have answered is up to `then`.
pub fn fetch(
    jobs: &[FetchJob],
    at_once: usize,
    report: &Report,
    stop: &Stop,
    then: impl Fn(&str) + Sync,
) -> Exit {
    let at_once = at_once.clamp(1, jobs.len().clamp(1, limits::ACCOUNTS));
    let batch = (limits::FILES / at_once / 2).clamp(1, limits::BATCH);
    let context = FetchContext { report, stop, accounts: jobs.len(), batch };
    // A person is asked for a password before the screen is full. Everything else that an account
    // needs is opened, and every command it names is run, when its turn comes.
    let is_asked = |job: &&FetchJob| matches!(job.peer.source, Source::Terminal);
    let asked = |job| (job, Some(job).filter(is_asked).map(|job| attempts(job, &context)));
    let jobs: Vec<_> = jobs.iter().map(asked).collect();
    let (jobs, exit) = (Mutex::new(jobs.into_iter()), Mutex::new(Exit::Done));
    let work = || {
        loop {
            let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((job, asked)) = next else { return };
            let this = Run::new(job, &context).run(asked);
            if let Some(account) = &job.account
                && matches!(this, Exit::Done | Exit::Partial)
                && !job.dry_run
            {
                then(account);
            }
            let mut exit = exit.lock().unwrap_or_else(PoisonError::into_inner);
            *exit = exit.worse(this);
        }
    };
    thread::scope(|scope| {
        for _ in 1..at_once {
            // Where there can be no more threads, fewer accounts are fetched side by side.
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    exit.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The context that all accounts of a run share.
struct FetchContext<'a> {
    report: &'a Report,
    stop: &'a Stop,
    /// The number of accounts.
    accounts: usize,
    /// The most messages that one of them makes safe together.
    batch: usize,
}

fn attempts(job: &FetchJob, context: &FetchContext<'_>) -> Result<Attempts, Error> {
    let (peer, run) = (&job.peer, context.report.token_run(context.stop));
    Ok(peer.source.attempts(&peer.user, peer.host.as_str(), peer.auth, &run)?)
}

fn store_options(job: &FetchJob) -> StoreOptions {
    StoreOptions {
        state: job.state.clone(),
        destination: job.destination.clone(),
        run_id: job.run_id.clone(),
        deletes_at_once: job.deletes_at_once(),
    }
}

/// A fetch under way.
struct Run<'a> {
    job: &'a FetchJob,
    context: &'a FetchContext<'a>,
    /// The account's name.
    label: String,
    fetched: Fetched,
    deletable: Vec<Deletable>,
    /// Unique-ids that several messages have.
    shared: HashMap<Uid, u32>,
    /// Messages that were given up in this run because their texts did not end.
    overlong: HashSet<Uid>,
    /// True if suspects have a session of their own, since the one before had something to delete.
    is_for_suspects: bool,
}

/// A message in whose middle a session ended, and why it is wanted all the same.
struct Suspect {
    listed: ScanListing,
    purpose: Purpose,
}

/// The work that a session leaves to another one of the same run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Suspects,
}

impl<'a> Run<'a> {
    fn new(job: &'a FetchJob, context: &'a FetchContext<'a>) -> Self {
        Self {
            job,
            context,
            label: job.account.clone().unwrap_or_else(|| job.mailbox.clone()),
            fetched: Fetched::default(),
            deletable: Vec::new(),
            shared: HashMap::new(),
            overlong: HashSet::new(),
            is_for_suspects: false,
        }
    }

    /// `asked` is what a person said who was asked before.
    fn run(mut self, asked: Option<Result<Attempts, Error>>) -> Exit {
        let attempts = asked.unwrap_or_else(|| attempts(self.job, self.context));
        let outcome = attempts.and_then(|attempts| {
            let attempts = attempts.ready()?;
            if self.job.dry_run { self.preview(&attempts) } else { self.sessions(&attempts) }
        });
        // The hook is for what has come, even if not everything did.
        let hook = self.after();
        self.tell(&outcome.and(hook))
    }

    /// Runs one session, or sessions until one brings nothing new. The state is opened, and an
    /// earlier run's work finished, before connecting; state that does not exist is made once the
    /// certificate held, and the Maildir after the login.
    fn sessions(&mut self, attempts: &Attempts) -> Result<(), Error> {
        store::check_destination(&Os, &self.job.destination)?;
        let mut opened = Store::open(Arc::new(Os), store_options(self.job))?;
        if let Some(store) = &mut opened {
            self.take_over(store);
        }
        let outcome = self.repeat(attempts, &mut opened);
        if let Some(store) = opened {
            store.close();
        }
        outcome
    }

    fn repeat(&mut self, attempts: &Attempts, opened: &mut Option<Store>) -> Result<(), Error> {
        let way = Connector::to(&self.job.peer, self.context.report, self.context.stop)?;
        let mut server = Server::recall(self.job);
        loop {
            let before = self.fetched.new;
            let left = loop {
                let outcome = self.connected(&way, attempts, opened, &mut server);
                let is_too_fast =
                    matches!(&outcome, Err(Error::Pop3(error)) if server.may_try_again(error));
                server.save();
                if !is_too_fast && !self.passes_over(&outcome) {
                    break outcome?;
                }
            };
            self.is_for_suspects = left == Left::Suspects;
            let is_over = !self.job.repeat || self.fetched.new == before;
            if is_over && !self.is_for_suspects {
                return Ok(());
            }
        }
    }

    /// Returns whether a session ended because a text went far beyond the largest message that is
    /// wanted. That is this message's failure, and another session fetches the others, up to a
    /// bound for a server that does it with one message after the other.
    fn passes_over(&mut self, outcome: &Result<Left, Error>) -> bool {
        let Err(Error::Pop3(pop3::Error::InMessage { listed, error, .. })) = outcome else {
            return false;
        };
        let is_too_long = matches!(**error, pop3::Error::Wire(wire::Error::TooLong(_)));
        let Some(uid) = listed.uid.clone().filter(|_| is_too_long) else { return false };
        if self.overlong.len() >= limits::OVERLONG {
            return false;
        }
        // The others that were missed are asked for once more.
        let Self { fetched, overlong, .. } = self;
        fetched.missed.retain(|Missed { listed, lack, .. }| {
            *lack == Lack::Deletion || listed.uid.as_ref().is_some_and(|uid| overlong.contains(uid))
        });
        fetched.unasked = 0;
        overlong.insert(uid);
        let reason = too_large(self.most());
        self.fetched.miss(listed.clone(), Lack::Delivery, reason);
        true
    }

    /// Octets of the largest message that is wanted.
    fn most(&self) -> u64 {
        self.job.max_size.map_or(limits::MESSAGE, |limit| limit.octets)
    }

    /// Connects, prepares state and Maildir, and runs one session.
    fn connected(
        &mut self,
        way: &Connector<'_>,
        attempts: &Attempts,
        opened: &mut Option<Store>,
        server: &mut Server<'_>,
    ) -> Result<Left, Error> {
        let session = connect(self.job, way, self.trace(), server.approach())?;
        let store = match opened {
            Some(store) => store,
            none => none.insert(Store::create(Arc::new(Os), store_options(self.job))?),
        };
        let session = login(self.job, way, session, attempts)?;
        if self.job.note_only {
            self.note_all(session, store)?;
            return Ok(Left::Nothing);
        }
        store.prepare()?;
        self.session(session, store, server)
    }

    /// Notes everything that is listed as not to be fetched.
    fn note_all(
        &mut self,
        mut session: Session<Transaction, Box<dyn Private>>,
        store: &mut Store,
    ) -> Result<(), Error> {
        let listing = self.listing(&mut session, store.present())?;
        session.abandon();
        let new = listing.into_iter().filter_map(|listed| listed.uid);
        let new: Vec<_> = new.filter(|uid| store.seen().get(uid).is_none()).collect();
        self.fetched.noted = new.len();
        Ok(store.note_unwanted(new)?)
    }

    /// Reports as new what an earlier run had not finished to deliver.
    fn take_over(&mut self, store: &mut Store) {
        let report = self.context.report;
        if let Some(kept) = store.damaged() {
            report.warn(format_args!(
                "fetch {}: the journal was damaged and is kept as {}; what could be read of it counts",
                self.label,
                kept.display(),
            ));
        }
        for store::Recovered { uid, size, path } in store.take_recovered() {
            let octets = size.unwrap_or_default();
            self.fetched.new += 1;
            self.fetched.octets += octets;
            if report.is_json() {
                self.fetched.files.push(FetchedFile { octets, uid, path: Some(path) });
            }
        }
    }

    fn trace(&self) -> Option<Trace> {
        let is_one_of_many = self.context.accounts > 1;
        self.context.report.trace(is_one_of_many.then_some(&self.label))
    }

    /// Runs one session, from the listing on. Suspects come last, so that a session that they end
    /// is complete otherwise. If messages are to be deleted, which takes a session that ends well,
    /// suspects get another one.
    fn session(
        &mut self,
        mut session: Session<Transaction, Box<dyn Private>>,
        store: &mut Store,
        server: &mut Server<'_>,
    ) -> Result<Left, Error> {
        // Numbers are good for one session: what another may delete must not be deleted in this one.
        self.deletable.clear();
        let listing = self.listing(&mut session, store.present())?;
        server.learn(session.shown());
        let sizes = self.job.max_size.map(|_| session.sizes()).transpose()?;
        let Sorted { mut wanted, mut suspects, known, room, changes } =
            self.sort_out(store, listing, sizes)?;
        if self.is_for_suspects {
            wanted.clear();
        }
        // Where the listing is not exactly the last one, or something is to be deleted, sizes show
        // whether what goes by a known name is what it was.
        let is_due = known.iter().any(|listed| self.is_due(store, listed));
        let do_sizes_matter = is_due || (changes > 0 && !known.is_empty());
        if is_due || (do_sizes_matter && wanted.is_empty()) {
            let sizes = session.sizes()?;
            store.note_sizes(|number| sizes.of(number))?;
        }
        let mut due = HashSet::new();
        self.retrieve(&mut session, store, wanted, &due, Purpose::Deliver)?;
        server.learn(session.shown());
        if do_sizes_matter {
            let sizes = session.sizes()?;
            let mut compare;
            (compare, due) = self.look_again(store, known, sizes, room, &mut suspects);
            if self.is_for_suspects {
                compare.clear();
                self.deletable.clear();
            }
            self.retrieve(&mut session, store, compare, &due, Purpose::Compare)?;
        }
        if !suspects.is_empty() && !self.deletable.is_empty() {
            self.end(session, store)?;
            return Ok(Left::Suspects);
        }
        // Each in a flight of its own, so that the end of a session is due to it alone, and those
        // first that were not asked for for the longest time, lest one keep the others waiting.
        suspects.sort_by_key(|suspect| {
            suspect.listed.uid.as_ref().and_then(|uid| store.seen().last_break(uid))
        });
        for Suspect { listed, purpose } in suspects {
            let retrieved = self.retrieve(&mut session, store, vec![listed], &due, purpose);
            if let Err(error) = retrieved {
                if self.fetched.new > 0 {
                    store.settle()?;
                }
                return self.after_break(store, error);
            }
        }
        self.end(session, store)?;
        self.say_where(store)?;
        store.compact()?;
        Ok(Left::Nothing)
    }

    /// A session that ended in the middle of a message that has ended several is no failure of the
    /// run: everything else was fetched.
    fn after_break(&mut self, store: &Store, error: Error) -> Result<Left, Error> {
        match error {
            Error::Pop3(pop3::Error::InMessage { listed, error, .. })
                if listed.uid.as_ref().is_some_and(|uid| {
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
    fn end(
        &mut self,
        session: Session<Transaction, Box<dyn Private>>,
        store: &mut Store,
    ) -> Result<(), Error> {
        let deletable = std::mem::take(&mut self.deletable);
        if deletable.is_empty() {
            if self.fetched.new > 0 {
                store.settle()?;
            }
            if self.job.repeat {
                session.quit([])?;
            } else {
                session.abandon();
            }
            return Ok(());
        }
        store.record_deletions(deletable.iter().filter_map(Identified::uid))?;
        for parting in session.quit(deletable)? {
            match parting.refusal {
                None => self.fetched.deleted += 1,
                Some(refusal) => {
                    if let Some(uid) = &parting.listed.uid {
                        store.record_refusal(uid)?;
                    }
                    self.fetched.miss(parting.listed, Lack::Deletion, refusal.to_string());
                }
            }
        }
        Ok(())
    }

    fn is_due(&self, store: &Store, listed: &ScanListing) -> bool {
        let entry = listed.uid.as_ref().and_then(|uid| store.seen().get(uid));
        entry.is_some_and(|entry| plan::is_due(self.job, entry))
    }

    /// Decides on known messages with the sizes of the listing: marks those that may be deleted,
    /// and returns those that must be compared, at most `room`, and which of these are deleted if
    /// they are equal. Suspects among them are added to `suspects`.
    fn look_again(
        &mut self,
        store: &Store,
        known: Vec<ScanListing>,
        sizes: &Sizes,
        room: usize,
        suspects: &mut Vec<Suspect>,
    ) -> (Vec<ScanListing>, HashSet<Uid>) {
        let (mut compare, mut due) = (Vec::new(), HashSet::new());
        for listed in known {
            let Some(uid) = listed.uid.clone() else { continue };
            let Some(entry) = store.seen().get(&uid) else { continue };
            let size = sizes.of(listed.number);
            match plan::look_again(self.job, entry, store.standing(&uid, size)) {
                Action::Delete => {
                    self.deletable.extend(store.recall(listed, size).map(Deletable::from));
                }
                Action::Compare => {
                    if plan::is_too_large(self.job, Some(sizes), &listed) {
                        continue;
                    }
                    match plan::condition(self.job, store.seen(), &listed) {
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

    /// Reports once that nothing is new because everything was fetched into another place, where
    /// messages would be deleted.
    fn say_where(&self, store: &mut Store) -> Result<(), Error> {
        let report = self.context.report;
        let Some(path) = self.fetched.elsewhere.as_ref().filter(|_| self.fetched.new == 0) else {
            return Ok(());
        };
        if self.job.keep != Keep::Forever && store.say_once("elsewhere")? && report.is_unattended()
        {
            report.warn(format_args!(
                "fetch {}: nothing new; what is there was fetched before, into {}, and stays on the \
                 server; --all fetches it again",
                self.label,
                path.display(),
            ));
        }
        Ok(())
    }

    /// The maildrop as the server shows it. Without unique-ids, messages that stay would be fetched
    /// again and again; and where `known` messages have them, a server that does not tell them has
    /// a passing reason.
    fn listing(
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
                "fetch {}: {}: the server calls all of its {} by new unique-ids, so they are \
                 fetched again",
                self.label,
                self.job.peer,
                count(listed, "message"),
            ));
        }
    }

    /// Tells what is new of a listing from what is known, and notes what is gone and what is back.
    fn sort_out(
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
        let (mut wanted, mut suspects, mut known) = (Vec::new(), Vec::new(), Vec::new());
        let Fetched { too_large, skipped, postponed, .. } = &mut self.fetched;
        (*too_large, *skipped, *postponed) = (0, 0, 0);
        for listed in listing {
            if listed.uid.as_ref().is_some_and(|uid| self.overlong.contains(uid)) {
                continue;
            }
            let entry = listed.uid.as_ref().and_then(|uid| store.seen().get(uid));
            let standing = match &listed.uid {
                Some(uid) => store.standing(uid, None),
                None => Standing::New,
            };
            let condition = plan::condition(self.job, store.seen(), &listed);
            match plan.action(&listed, entry, standing, condition) {
                Action::Retrieve => wanted.push(listed),
                Action::RetrieveLast => {
                    suspects.push(Suspect { listed, purpose: Purpose::Deliver });
                }
                Action::Skipped => self.fetched.skipped += 1,
                Action::TooLarge => self.fetched.too_large += 1,
                Action::OverLimit => self.fetched.postponed += 1,
                Action::AlreadyFetched | Action::Compare | Action::Delete | Action::Unwanted => {
                    known.push(listed);
                }
                Action::Elsewhere => {
                    if let Standing::Elsewhere(path) = standing {
                        self.fetched.elsewhere = Some(path.to_owned());
                    }
                    known.push(listed);
                }
            }
        }
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

    /// Messages stream in on one side and are made safe on the other. What is whole is delivered
    /// even if the line breaks behind it.
    fn retrieve(
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
            && let Some(uid) = &listed.uid
        {
            store.record_break(uid, *octets)?;
        }
        ended
    }

    /// Runs `after-fetch` if there are new messages.
    fn after(&self) -> Result<(), Error> {
        match &self.job.after_fetch {
            Some(program) if self.fetched.new > 0 => after::run(program, limits::DELIVERY),
            _ => Ok(()),
        }
    }

    /// Says what would be done, and does nothing.
    fn preview(&mut self, attempts: &Attempts) -> Result<(), Error> {
        let seen = Store::read_only(&Os, &self.job.state)?;
        let way = Connector::to(&self.job.peer, self.context.report, self.context.stop)?;
        let approach = Server::recall(self.job).approach();
        let session = connect(self.job, &way, self.trace(), approach)?;
        let mut session = login(self.job, &way, session, attempts)?;
        let listing = self.listing(&mut session, seen.len())?;
        let sizes = session.sizes()?.clone();
        session.abandon();
        let mut plan = Plan::new(self.job, &listing, Some(&sizes), 0);
        let here = self.job.destination.place();
        let _turn = self.context.report.turn();
        for listed in listing {
            let uid = listed.uid.as_ref();
            let (number, octets) = (listed.number, sizes.of(listed.number));
            let standing = uid.map_or(Standing::New, |uid| seen.standing(uid, octets, &here));
            let condition = plan::condition(self.job, &seen, &listed);
            let entry = uid.and_then(|uid| seen.get(uid));
            let action = plan.action(&listed, entry, standing, condition);
            if self.context.report.is_json() {
                let uid = uid.map(ToString::to_string);
                let message = json!({ "number": number, "size": octets, "uid": uid, "action": action.word() });
                self.context.report.answer(json!({ "account": self.label, "message": message }))?;
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

    fn tell(&self, outcome: &Result<(), Error>) -> Exit {
        let Self { job, context: FetchContext { report, .. }, label, fetched, .. } = self;
        let exit = fetched.exit(outcome);
        let _turn = report.turn();
        let account = job.account.as_deref();
        let peer = &job.peer;
        self.log(outcome, exit);
        let (is_told, lasting) = self.patience(outcome, exit);
        for line in fetched.missed_lines().iter().filter(|_| is_told) {
            report.warn(format_args!("fetch {label}: {peer}: {line}"));
        }
        let failure = outcome.as_ref().err().map(|error| Failure {
            command: "fetch",
            account,
            peer: Some(peer),
            error,
            lasting,
        });
        // After a failure nothing is known of what is new.
        let is_sure = failure.is_none() || fetched.new > 0;
        let sentence = is_sure.then(|| fetched.sentence(label));
        let object = || fetched.object(label, failure.as_ref());
        let result = if job.dry_run && failure.is_none() {
            // Each message was one.
            Ok(())
        } else {
            report.result(sentence.as_deref(), object)
        };
        if let Some(failure) = failure.filter(|_| is_told) {
            report.failure(&failure);
        }
        match result {
            Ok(()) => exit,
            Err(error) => {
                let failure =
                    Failure { command: "fetch", account, peer: None, error: &error, lasting: None };
                report.failure(&failure);
                exit.worse((&error).into())
            }
        }
    }

    /// Adds a line to the log file, if there is one. That it cannot be written is reported, and
    /// changes nothing.
    fn log(&self, outcome: &Result<(), Error>, exit: Exit) {
        let Self { job, context: FetchContext { report, .. }, label, fetched, .. } = self;
        let Some(path) = job.log_file.as_ref().filter(|_| !job.dry_run) else { return };
        let mut line = LogLine::new(job.run_id.timestamp());
        line.add("account", job.account.as_deref().unwrap_or("-"));
        line.add("server", &job.peer.to_string());
        line.add("user", &job.peer.user);
        for (name, number) in fetched.numbers() {
            line.add(name, &number.to_string());
        }
        if let Err(error) = outcome {
            line.add("error", &error.to_string());
        }
        line.add("status", &exit.status().to_string());
        if let Err(source) = line.append_to(path) {
            let error = Error::Log { path: path.clone(), source };
            report.warn(format_args!("fetch {label}: {error}"));
        }
    }

    /// Returns whether a failure is reported now, and the outage's age in seconds if it is tracked.
    fn patience(&self, outcome: &Result<(), Error>, exit: Exit) -> (bool, Option<u64>) {
        if !self.context.report.is_unattended() {
            return (true, None);
        }
        // Not a failure, but a long first fetch.
        if matches!(outcome, Err(Error::Store(store::Error::Locked { age })) if *age < limits::LONG_RUN)
        {
            return (false, None);
        }
        let Some(span) = self.job.patience else { return (true, None) };
        let patience = OutageTracker::new(&Os, &self.job.state, span.seconds);
        let is_temporary = match exit {
            Exit::Later => true,
            Exit::Partial => outcome.is_ok() && !self.fetched.has_lasting(),
            _ => false,
        };
        if !is_temporary {
            patience.succeeded();
            return (true, None);
        }
        let lasting = patience.failed(self.job.run_id.seconds);
        (lasting.is_some(), lasting)
    }
}

/// A listing, sorted by action.
struct Sorted {
    /// New messages.
    wanted: Vec<ScanListing>,
    /// New messages that are asked for behind all others.
    suspects: Vec<Suspect>,
    /// Messages that are known.
    known: Vec<ScanListing>,
    /// The number of messages that may still be retrieved.
    room: usize,
    /// The number of differences from the last listing.
    changes: usize,
}

/// Connects, and verifies the server's certificate.
fn connect(
    job: &FetchJob,
    way: &Connector<'_>,
    trace: Option<Trace>,
    approach: Approach,
) -> Result<Session<Authorization, Box<dyn Private>>, Error> {
    let _connecting = way.step("connecting");
    Ok(match job.peer.tls {
        Tls::Implicit => Session::open(way.tls(way.tcp()?)?, trace, approach)?,
        Tls::Starttls => {
            let session = Session::open(way.tcp()?, trace, Approach::cautious())?;
            session.stls(|tcp| way.tls(tcp), approach)?
        }
        Tls::None => Session::open(way.loopback()?, trace, approach)?,
    })
}

/// Logs in.
fn login(
    job: &FetchJob,
    way: &Connector<'_>,
    session: Session<Authorization, Box<dyn Private>>,
    attempts: &Attempts,
) -> Result<Session<Transaction, Box<dyn Private>>, Error> {
    // Otherwise they can wait until there is something to retrieve.
    let do_sizes_decide = job.max_size.is_some() || job.dry_run;
    let ahead = if do_sizes_decide { Prefetch::UidsAndSizes } else { Prefetch::Uids };
    let _logging_in = way.step("logging in");
    session.login(attempts.clone().map(|attempt| attempt.map_err(Error::from)), ahead)
}

/// The reason why no more messages are retrieved.
enum Halt {
    /// The session ended.
    Ended(pop3::Error),
    /// The messages that arrived could not be written.
    Unkept,
}

impl From<pop3::Error> for Halt {
    fn from(error: pop3::Error) -> Self {
        Self::Ended(error)
    }
}

#[cfg(test)]
mod tests;
