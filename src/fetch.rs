//! `postie fetch`: one POP3 session per account, from the lock to QUIT: log in, list, retrieve what is
//! new, deliver it durably, delete what is due.

mod after;
mod delivery;
mod incoming;
mod object;
mod outcome;
mod plan;
mod refusals;
mod report;
mod retrieval;
mod schedule;
mod server;
mod sorting;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use self::incoming::too_large;
use self::outcome::{Fetched, FetchedFile, Lack};
use self::schedule::Schedule;
use self::server::Server;
use self::sorting::{Sorted, Unmatched};
use crate::config::{Keep, Tls};
use crate::connect::Connector;
use crate::error::{Error, Exit};
use crate::limits;
use crate::net::Stop;
use crate::password::Attempts;
use crate::pop3::{
    self, Approach, Authorization, Deletable, Listing, Number, Prefetch, ScanListing, Session,
    Sizes, Transaction,
};
use crate::report::Report;
use crate::settings::FetchJob;
use crate::store::disk::Os;
use crate::store::{self, Purpose, Store, StoreOptions};
use crate::text::Uid;
use crate::wire::{self, Disclosure, Private, Trace};

/// Fetches mailboxes, up to `at_once` of them side by side, and reports how each went. Without that
/// number there are as many as [`limits::ACCOUNTS`], and at one host as many as
/// [`limits::AT_ONE_HOST`]. What is to be done with accounts whose servers have answered is up to
/// `then`.
pub fn fetch(
    jobs: &[FetchJob],
    at_once: Option<usize>,
    report: &Report,
    stop: &Stop,
    then: impl Fn(&str) + Sync,
) -> Exit {
    let accounts = jobs.len();
    // A person is asked for one password after the other, before the screen is full. Everything else
    // that an account needs is opened, and every command it names is run, when its turn comes.
    let asked = |job: &FetchJob| {
        let is_typed = job.peer.source.is_typed();
        is_typed
            .then(|| reach(job, accounts, report, stop).and_then(|()| attempts(job, report, stop)))
    };
    let jobs: Vec<_> = jobs.iter().map(|job| (job, asked(job))).collect();
    let hosted = jobs.into_iter().map(|(job, asked)| (job.peer.host.as_str(), (job, asked)));
    let schedule = Schedule::new(hosted, at_once.unwrap_or(limits::AT_ONE_HOST).max(1));
    let most = at_once.unwrap_or(limits::ACCOUNTS).min(limits::ACCOUNTS);
    let width = schedule.width().min(most).max(1);
    let batch = (limits::FILES / width / 2).clamp(1, limits::BATCH);
    let context = FetchContext { report, stop, accounts, batch };
    let exit = Mutex::new(Exit::Done);
    let work = || {
        while let Some(((job, asked), turn)) = schedule.next() {
            // One that was not begun when a signal came has nothing to say.
            if stop.is_wanted() {
                continue;
            }
            let typed = asked.as_ref().and_then(|asked| asked.as_ref().ok().cloned());
            // What failed before any other account had its turn is not due to the others.
            let may_wait = asked.is_none() || typed.is_some();
            let mut run = Run::new(job, &context);
            let outcome = run.run(asked);
            if may_wait && run.was_turned_away(&outcome) && turn.is_one_too_many() {
                turn.give_back((job, typed.map(Ok)));
                continue;
            }
            let this = run.tell(&outcome);
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
        for _ in 1..width {
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

/// Connects to the server of an account whose password is to be typed, so that it is asked for after
/// the certificate held.
fn reach(job: &FetchJob, accounts: usize, report: &Report, stop: &Stop) -> Result<(), Error> {
    let way = Connector::to(&job.peer, report, stop)?;
    let trace = report.trace((accounts > 1).then_some(label(job)));
    connect(job, &way, Disclosure::new(trace, []), Approach::cautious())?.leave();
    Ok(())
}

fn label(job: &FetchJob) -> &str {
    job.account.as_deref().unwrap_or(&job.mailbox)
}

fn attempts(job: &FetchJob, report: &Report, stop: &Stop) -> Result<Attempts, Error> {
    let (peer, run) = (&job.peer, report.token_run(stop));
    Ok(peer.source.attempts(&peer.user, peer.host.as_str(), peer.auth, &run)?)
}

fn store_options(job: &FetchJob) -> StoreOptions {
    StoreOptions {
        state: job.state.clone(),
        destination: job.destination.clone(),
        run_id: job.run_id.clone(),
        deletes_at_once: job.deletes_at_once(),
        all: job.all,
        repeat: job.repeat,
    }
}

/// A fetch under way.
struct Run<'a> {
    job: &'a FetchJob,
    context: &'a FetchContext<'a>,
    /// The account's name.
    label: String,
    fetched: Fetched,
    /// The messages of the present listing that are to be looked at one by one.
    unmatched: Unmatched,
    deletable: Vec<Deletable>,
    /// Unique-ids that several messages have.
    shared: HashMap<Uid, u32>,
    /// Messages that were given up in this run because their texts did not end.
    overlong: HashSet<Uid>,
    /// What messages without unique-ids are called in the present session ([`Run::name`]).
    names: HashMap<Number, Uid>,
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
            label: label(job).to_owned(),
            fetched: Fetched::default(),
            unmatched: Unmatched::default(),
            deletable: Vec::new(),
            shared: HashMap::new(),
            overlong: HashSet::new(),
            names: HashMap::new(),
            is_for_suspects: false,
        }
    }

    /// `asked` is what a person said who was asked before.
    fn run(&mut self, asked: Option<Result<Attempts, Error>>) -> Result<(), Error> {
        let FetchContext { report, stop, .. } = self.context;
        let attempts = asked.unwrap_or_else(|| attempts(self.job, report, stop));
        let outcome = attempts.and_then(|attempts| {
            let attempts = attempts.ready()?;
            if self.job.dry_run { self.preview(&attempts) } else { self.sessions(&attempts) }
        });
        // The hook is for what has come, even if not everything did.
        let hook = self.after();
        outcome.and(hook)
    }

    /// Returns whether the server would not have the connection, maybe since it has others of this
    /// run, and there is nothing else to tell.
    fn was_turned_away(&self, outcome: &Result<(), Error>) -> bool {
        let is_about_connections = outcome.as_ref().is_err_and(Error::is_about_connections);
        is_about_connections && self.fetched.new == 0
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
        let Some(mut store) = opened else { return outcome };
        // A server that ends every session badly does not make the journal grow with every run. After
        // an error of the journal itself, the file is not what the store holds.
        let is_noted = !matches!(outcome, Err(Error::Store(_)));
        let ended = if is_noted { self.end_journal(&mut store) } else { Ok(()) };
        store.close();
        outcome.and(ended)
    }

    /// Leaves the journal as the next run needs it.
    fn end_journal(&self, store: &mut Store) -> Result<(), Error> {
        // A message that is left may be all that is listed under its unique-id next time.
        let is_left = |(uid, listed): (&Uid, &u32)| {
            store.seen().get(uid).is_some_and(|entry| entry.copies() < *listed)
        };
        if self.shared.iter().any(is_left) {
            store.forget_sizes()?;
        }
        Ok(store.compact()?)
    }

    fn repeat(&mut self, attempts: &Attempts, opened: &mut Option<Store>) -> Result<(), Error> {
        let way = Connector::to(&self.job.peer, self.context.report, self.context.stop)?;
        let mut server = Server::recall(self.job);
        let mut vain = 0;
        loop {
            let before = (self.fetched.new, self.fetched.deleted);
            let repeated = |store: &Option<Store>| store.as_ref().map_or(0, Store::repeated);
            let repeated_before = repeated(opened);
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
            // What was to be deleted and is still there may be new in every session.
            let is_stuck = self.job.deletes_at_once() && self.fetched.deleted == before.1;
            let is_over = !self.job.repeat || self.fetched.new == before.0 || is_stuck;
            if self.is_for_suspects {
                continue;
            }
            if is_over {
                return Ok(());
            }
            // A server that gives new unique-ids in every session has new messages in each.
            let are_known = self.fetched.new - before.0 == repeated(opened) - repeated_before;
            let is_vain = are_known && self.fetched.deleted == before.1;
            vain = if is_vain { vain + 1 } else { 0 };
            if vain == VAIN_SESSIONS {
                self.context.report.warn(format_args!(
                    "fetch {}: {}: --repeat ends: {VAIN_SESSIONS} sessions in a row brought only \
                     messages that this run had delivered before, with new unique-ids",
                    self.label, self.job.peer,
                ));
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
        let Some(uid) = self.name(listed).cloned().filter(|_| is_too_long) else { return false };
        if self.overlong.len() >= limits::OVERLONG {
            return false;
        }
        self.overlong.insert(uid);
        self.miss_overlong(listed.clone());
        true
    }

    /// Returns whether a message was given up in this run because its text did not end.
    fn is_overlong(&self, listed: &ScanListing) -> bool {
        self.name(listed).is_some_and(|uid| self.overlong.contains(uid))
    }

    fn miss_overlong(&mut self, listed: ScanListing) {
        let reason = too_large(self.most());
        self.fetched.miss(listed, Lack::Delivery, reason);
    }

    /// The unique-id of a message, or what stands for it where a message is recognised that a server
    /// cannot finish.
    fn name<'b>(&'b self, listed: &'b ScanListing) -> Option<&'b Uid> {
        listed.uid.as_ref().or_else(|| self.names.get(&listed.number))
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
        let disclosure = Disclosure::new(self.trace(), attempts.secrets());
        let session = connect(self.job, way, disclosure, server.approach())?;
        let store = match opened {
            Some(store) => store,
            none => none.insert(Store::create(Arc::new(Os), store_options(self.job))?),
        };
        let session = login(self.job, way, session, attempts, &mut self.matching(store))?;
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
        let listing = self.listing(&mut session, store)?;
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
                "fetch {}: the journal was damaged and is kept as {}; its readable entries count",
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
        let listing = self.listing(&mut session, store)?;
        server.learn(session.shown());
        let has_nameless = listing.iter().any(|listed| listed.uid.is_none());
        let do_sizes_decide = self.job.max_size.is_some() || has_nameless;
        let sizes = do_sizes_decide.then(|| session.sizes()).transpose()?;
        self.names = sizes.map(|sizes| stand_ins(&listing, sizes)).unwrap_or_default();
        let Sorted { mut wanted, mut suspects, has_known, mut room, changes } =
            self.sort_out(store, listing, sizes)?;
        if self.is_for_suspects {
            wanted.clear();
        }
        // Where the listing is not exactly the last one, or something is to be deleted, sizes show
        // whether what goes by a known name is what it was; and where that is still to be found out.
        let is_due = has_known && self.is_any_due(store);
        let is_other = changes > 0 || store.seen().needs_sizes();
        let do_sizes_matter = is_due || (is_other && has_known);
        if is_due || (do_sizes_matter && (wanted.is_empty() || room == 0)) {
            let sizes = session.sizes()?;
            store.note_sizes(|number| sizes.of(number))?;
        }
        let mut due = HashSet::new();
        // What is compared is there already, and takes no place from what is new.
        let mut comparisons = plan::room(self.job, 0);
        self.retrieve(&mut session, store, wanted, &mut room, &due, Purpose::Deliver)?;
        server.learn(session.shown());
        if do_sizes_matter {
            let sizes = session.sizes()?;
            let mut compare;
            (compare, due) = self.look_again(store, sizes, &mut suspects);
            if self.is_for_suspects {
                compare.clear();
                self.deletable.clear();
            }
            self.retrieve(&mut session, store, compare, &mut comparisons, &due, Purpose::Compare)?;
        }
        // Each in a flight of its own, so that the end of a session is due to it alone, and those
        // first that were not asked for for the longest time, lest one keep the others waiting.
        suspects.sort_by_key(|suspect| {
            self.name(&suspect.listed).and_then(|uid| store.seen().last_break(uid))
        });
        for Suspect { listed, purpose } in suspects {
            let room = match purpose {
                Purpose::Deliver => &mut room,
                Purpose::Compare => &mut comparisons,
            };
            if *room == 0 {
                self.fetched.postponed += usize::from(purpose == Purpose::Deliver);
                continue;
            }
            // One of the suspects before, too, may have come and be due.
            if !self.deletable.is_empty() {
                self.end(session, store)?;
                return Ok(Left::Suspects);
            }
            let stand_in = self.names.get(&listed.number).cloned();
            let wanted = vec![listed];
            let retrieved = self.retrieve(&mut session, store, wanted, room, &due, purpose);
            if let (Ok(()), Some(stand_in)) = (&retrieved, stand_in) {
                store.forget_break(&stand_in);
            }
            if let Err(error) = retrieved {
                if self.fetched.new > 0 {
                    store.settle()?;
                }
                return self.after_break(store, error);
            }
        }
        self.end(session, store)?;
        self.say_where(store)?;
        Ok(Left::Nothing)
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
                "fetch {}: nothing new: all messages were fetched before, into {}, and stay on \
                 the server; --all fetches them again",
                self.label,
                path.display(),
            ));
        }
        Ok(())
    }

    /// Runs `after-fetch` if there are new messages.
    fn after(&self) -> Result<(), Error> {
        match &self.job.after_fetch {
            Some(program) if self.fetched.new > 0 => after::run(program, limits::DELIVERY),
            _ => Ok(()),
        }
    }
}

/// Sessions in a row that bring nothing but texts that were delivered, and end --repeat.
const VAIN_SESSIONS: usize = 3;

/// Names for messages without unique-ids: their sizes, which tell most of them apart. One that ends
/// session after session is recognised by that, and asked for last; nothing is taken for delivered, or
/// deleted, because of it.
fn stand_ins(listing: &[ScanListing], sizes: &Sizes) -> HashMap<Number, Uid> {
    let nameless = listing.iter().filter(|listed| listed.uid.is_none());
    let named = |number| Uid::new(format!("?{}", sizes.of(number)?).as_bytes());
    nameless.filter_map(|listed| Some((listed.number, named(listed.number)?))).collect()
}

/// Connects, and verifies the server's certificate.
fn connect(
    job: &FetchJob,
    way: &Connector<'_>,
    disclosure: Disclosure,
    approach: Approach,
) -> Result<Session<Authorization, Box<dyn Private>>, Error> {
    let _connecting = way.step("connecting");
    Ok(match job.peer.tls {
        Tls::Implicit => Session::open(way.tls(way.tcp()?)?, disclosure, approach)?,
        Tls::Starttls => {
            let session = Session::open(way.tcp()?, disclosure, Approach::cautious())?;
            session.stls(|tcp| way.tls(tcp), approach)?
        }
        Tls::None => Session::open(way.loopback()?, disclosure, approach)?,
    })
}

/// Logs in.
fn login(
    job: &FetchJob,
    way: &Connector<'_>,
    session: Session<Authorization, Box<dyn Private>>,
    attempts: &Attempts,
    listing: &mut dyn Listing,
) -> Result<Session<Transaction, Box<dyn Private>>, Error> {
    // Otherwise they can wait until there is something to retrieve.
    let do_sizes_decide = job.max_size.is_some() || job.dry_run;
    let ahead = if do_sizes_decide { Prefetch::UidsAndSizes } else { Prefetch::Uids };
    let _logging_in = way.step("logging in");
    let attempts = attempts.clone().map(|attempt| attempt.map_err(Error::from));
    session.login(attempts, ahead, listing)
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
