//! The story of a fetch: lock, connect, log in, list, retrieve what is new, make it safe, delete
//! what may go.

mod keep;
mod plan;
mod server;

use std::collections::HashMap;
use std::io::{self, Write};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::json;

use self::keep::{Arrivals, Keeper};
use self::plan::{Fate, Plan};
use self::server::Server;
use crate::config::Tls;
use crate::error::{Error, Exit, Failure};
use crate::limits;
use crate::net::Stop;
use crate::password::Attempts;
use crate::pop3::{
    self, Ahead, Approach, Authorization, Doomed, Listed, Session, Sizes, Transaction, UniqueIds,
};
use crate::report::{Octets, Report, count, error_object, size};
use crate::settings::FetchJob;
use crate::store::disk::Os;
use crate::store::patience::Patience;
use crate::store::{Draft, Known, Stamp, Store};
use crate::text::{Identified, Uid, plain};
use crate::way::Way;
use crate::wire::{Private, Trace};

/// Fetches mailboxes, up to `at_once` of them side by side, and reports how each went. What is to
/// be done with accounts whose servers have answered is up to `then`.
pub fn fetch(
    jobs: &[FetchJob],
    at_once: usize,
    report: &Report,
    stop: &Stop,
    then: impl Fn(&str) + Sync,
) -> Exit {
    let at_once = at_once.clamp(1, jobs.len().max(1));
    let batch = (limits::FILES / at_once / 2).clamp(1, limits::BATCH);
    let company = Company { report, stop, talkers: jobs.len(), batch };
    // Whoever must be asked for a password is asked before the screen is full.
    let ready: Vec<_> = jobs.iter().map(|job| (job, Ready::for_job(job))).collect();
    let (ready, exit) = (Mutex::new(ready.into_iter()), Mutex::new(Exit::Done));
    let work = || {
        loop {
            let next = ready.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((job, ready)) = next else { return };
            let this = Run::new(job, &company).run(ready);
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
            scope.spawn(work);
        }
        work();
    });
    exit.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What all mailboxes of a run have in common.
struct Company<'a> {
    report: &'a Report,
    stop: &'a Stop,
    /// How many there are.
    talkers: usize,
    /// The most messages that one of them makes safe together.
    batch: usize,
}

/// What a mailbox needs before it is connected to: what is known of it, and something to log in
/// with.
struct Ready {
    memory: Memory,
    attempts: Attempts,
}

/// What is known of a mailbox.
enum Memory {
    /// To be added to, under a lock.
    Open(Box<Store>),
    /// To be looked at.
    Peeked(Known),
}

impl Ready {
    fn for_job(job: &FetchJob) -> Result<Self, Error> {
        let FetchJob { peer, moment, .. } = job;
        let memory = if job.dry_run {
            Memory::Peeked(Store::peek(&Os, &job.state)?)
        } else {
            let stamp = Stamp {
                seconds: moment.seconds,
                pid: moment.pid,
                host: moment.host.clone(),
                random: moment.random,
            };
            let (disk, destination) = (Arc::new(Os), job.destination.clone());
            let store = Store::open(disk, &job.state, &job.mailbox, destination, stamp)?;
            Memory::Open(Box::new(store))
        };
        let attempts = peer.source.attempts(&peer.user, peer.host.as_str(), peer.auth)?;
        Ok(Self { memory, attempts })
    }
}

/// What a fetch has come to, so far.
#[derive(Debug, Default)]
struct Fetched {
    listed: usize,
    /// Messages that are safe on this side, and their octets.
    new: usize,
    octets: u64,
    /// What they are called, for a result that speaks of each.
    files: Vec<Filed>,
    /// What was to be had and is not, by number, with the reason.
    missed: Vec<(pop3::Number, String)>,
    deleted: usize,
    too_large: usize,
    /// Not to be deleted, since they share their unique-ids.
    ambiguous: u32,
    /// For the next run, since this one's limit was reached.
    postponed: usize,
    /// Where earlier runs delivered what this one found fetched already, if not here.
    elsewhere: Option<PathBuf>,
}

/// What a message is called.
#[derive(Debug)]
struct Filed {
    octets: u64,
    uid: Option<Uid>,
    path: Option<PathBuf>,
}

impl Fetched {
    fn sentence(&self, label: &str) -> String {
        let mut sentence = if self.new == 0 {
            format!("{label}: nothing new")
        } else {
            let new = count(self.new, "new message");
            format!("{label}: {new} ({})", size(self.octets))
        };
        if self.deleted > 0 {
            sentence += &format!(", {} deleted from the server", self.deleted);
        }
        if self.too_large > 0 {
            sentence += &format!(", {} left there as too large", self.too_large);
        }
        if self.ambiguous > 0 {
            sentence += &format!(", {} there share unique-ids and stay", self.ambiguous);
        }
        if self.postponed > 0 {
            sentence += &format!(", {} left for the next run", self.postponed);
        }
        if let Some(path) = self.elsewhere.as_ref().filter(|_| self.new == 0) {
            sentence += &format!("; what is there was fetched before, into {}", path.display());
        }
        sentence
    }

    fn object(&self, label: &str, failure: Option<&Failure<'_>>) -> serde_json::Value {
        let file = |Filed { octets, uid, path }: &Filed| {
            let uid = uid.as_ref().map(ToString::to_string);
            let path = path.as_ref().map(|path| path.to_string_lossy());
            json!({ "uid": uid, "size": octets, "path": path })
        };
        json!({
            "account": label,
            "new": self.new,
            "bytes": self.octets,
            "files": self.files.iter().map(file).collect::<Vec<_>>(),
            "left": self.listed.saturating_sub(self.deleted),
            "deleted": self.deleted,
            "error": failure.map(|failure| error_object(failure.error.into(), failure)),
        })
    }
}

/// A fetch under way.
struct Run<'a> {
    job: &'a FetchJob,
    company: &'a Company<'a>,
    /// What the account is called.
    label: String,
    fetched: Fetched,
    doomed: Vec<Doomed>,
    /// Unique-ids that several messages have.
    shared: HashMap<Uid, u32>,
}

impl<'a> Run<'a> {
    fn new(job: &'a FetchJob, company: &'a Company<'a>) -> Self {
        Self {
            job,
            company,
            label: job.account.clone().unwrap_or_else(|| job.mailbox.clone()),
            fetched: Fetched::default(),
            doomed: Vec::new(),
            shared: HashMap::new(),
        }
    }

    fn run(mut self, ready: Result<Ready, Error>) -> Exit {
        let outcome = ready.and_then(|Ready { memory, attempts }| match memory {
            Memory::Open(mut store) => self.sessions(&mut store, &attempts),
            Memory::Peeked(known) => self.preview(&known, &attempts),
        });
        // The hook is for what has come, even if not everything did.
        let hook = self.after();
        self.tell(&outcome.and(hook))
    }

    /// One session, or as many as it takes until one brings nothing new.
    fn sessions(&mut self, store: &mut Store, attempts: &Attempts) -> Result<(), Error> {
        let way = Way::to(&self.job.peer, self.company.report, self.company.stop)?;
        let mut server = Server::recall(self.job);
        loop {
            let before = self.fetched.new;
            loop {
                let session = login(self.job, &way, self.trace(), attempts, server.approach());
                let outcome = session.and_then(|session| self.session(session, store, &mut server));
                let is_too_fast =
                    matches!(&outcome, Err(Error::Pop3(error)) if server.may_try_again(error));
                server.save();
                if !is_too_fast {
                    break outcome?;
                }
            }
            if !self.job.repeat || self.fetched.new == before {
                return Ok(());
            }
        }
    }

    fn trace(&self) -> Option<Trace> {
        let is_one_of_many = self.company.talkers > 1;
        self.company.report.trace(is_one_of_many.then_some(&self.label))
    }

    fn session(
        &mut self,
        mut session: Session<Transaction, Box<dyn Private>>,
        store: &mut Store,
        server: &mut Server<'_>,
    ) -> Result<(), Error> {
        let listing = self.listing(&mut session, store.present())?;
        server.learn(session.shown());
        let sizes = self.job.max_size.map(|_| session.sizes()).transpose()?;
        let wanted = self.sort_out(store, listing, sizes)?;
        self.retrieve(&mut session, store, wanted)?;
        server.learn(session.shown());
        let doomed = std::mem::take(&mut self.doomed);
        if doomed.is_empty() && !self.job.repeat {
            session.leave();
        } else {
            let partings = session.quit(doomed)?;
            let gone = partings.iter().filter(|parting| parting.refusal.is_none());
            self.fetched.deleted += gone.count();
        }
        Ok(store.compare()?)
    }

    /// The maildrop as the server shows it. Without unique-ids, messages that stay would be fetched
    /// again and again; and where `known` messages have them, a server that does not tell them has
    /// a passing reason.
    fn listing(
        &mut self,
        session: &mut Session<Transaction, Box<dyn Private>>,
        known: usize,
    ) -> Result<Vec<Listed>, Error> {
        let are_needed = !self.job.deletes_at_once();
        let uids = UniqueIds { are_needed, are_known: known > 0 };
        let mut listing = session.list(uids)?;
        self.fetched.listed = listing.len();
        if self.job.deletes_at_once() || listing.iter().all(|listed| listed.uid.is_some()) {
            return Ok(listing);
        }
        if listing.iter().all(|listed| listed.uid.is_none()) {
            return Err(pop3::Error::Missing(pop3::UNIQUE_IDS).into());
        }
        listing.retain(|listed| {
            let has_uid = listed.uid.is_some();
            if !has_uid {
                let reason = "the server lists no valid unique-id for it".to_owned();
                self.fetched.missed.push((listed.number, reason));
            }
            has_uid
        });
        Ok(listing)
    }

    /// A server that was moved may call all messages by new names, and then they are fetched
    /// again, since nobody can know that they are the old ones.
    fn greet_strangers(&self, present: usize) {
        let listed = self.fetched.listed;
        if present > 1 && listed >= present {
            self.company.report.complaint(format_args!(
                "fetch {}: {}: the server calls all of its {} by new unique-ids, so they are \
                 fetched again",
                self.label,
                self.job.peer,
                count(listed, "message"),
            ));
        }
    }

    /// Dooms what was fetched long enough ago, and returns what is to be fetched.
    fn sort_out(
        &mut self,
        store: &mut Store,
        listing: Vec<Listed>,
        sizes: Option<&Sizes>,
    ) -> Result<Vec<Listed>, Error> {
        let mut plan = Plan::new(self.job, &listing, sizes, self.fetched.new);
        let (mut known, present) = (0, store.present());
        store.begin_listing();
        let wanted = listing.into_iter().filter_map(|listed| {
            let seen = store.note(&listed);
            known += usize::from(seen.is_some());
            if let Some(path) = seen.and_then(|seen| store.elsewhere(&seen).map(PathBuf::from)) {
                self.fetched.elsewhere = Some(path);
            }
            match plan.fate(&listed, seen) {
                Fate::Wanted => return Some(listed),
                Fate::Doomed => self.doomed.extend(store.recall(listed).map(Doomed::from)),
                Fate::TooLarge => self.fetched.too_large += 1,
                Fate::Postponed => self.fetched.postponed += 1,
                Fate::Known => {}
            }
            None
        });
        // Where the listing was: of a new mailbox, it is most of what there is in memory.
        let wanted: Vec<_> = wanted.collect();
        if known == 0 {
            self.greet_strangers(present);
        }
        self.shared = plan.into_shared();
        self.fetched.ambiguous = self.shared.values().sum();
        store.forget(wanted.iter().filter(|_| self.job.all).filter_map(Identified::uid))?;
        Ok(wanted)
    }

    /// Messages stream in on one side and are made safe on the other. What is whole is delivered
    /// even if the line breaks behind it.
    fn retrieve(
        &mut self,
        session: &mut Session<Transaction, Box<dyn Private>>,
        store: &mut Store,
        wanted: Vec<Listed>,
    ) -> Result<(), Error> {
        if wanted.is_empty() {
            return Ok(());
        }
        let progress = self.company.report.progress(&self.label);
        progress.expect(wanted.len());
        let numbers: Vec<_> = wanted.iter().map(|listed| listed.number).collect();
        let measured = |sizes: &Sizes| {
            // The server may say that a message is as large as a number can be.
            let octets = numbers.iter().filter_map(|number| sizes.of(*number));
            progress.expect_octets(octets.fold(0, u64::saturating_add));
        };
        let drafts = store.drafts();
        let draft = || Incoming { draft: drafts.draft(), octets: progress.octets() };
        let arrivals = Arrivals::new(self.company.batch);
        let Self { job, company: Company { report, .. }, fetched, doomed, shared, .. } = self;
        let keeper = Keeper { job, report, store, fetched, doomed, shared };
        thread::scope(|scope| {
            let keeping = scope.spawn(|| keeper.keep(&arrivals));
            let present = arrivals.present();
            let retrieved = session.retr_each(wanted, measured, draft, |arrival| {
                progress.message();
                arrivals.add(arrival)
            });
            drop(present);
            let kept = keeping.join().unwrap_or_else(|panic| resume_unwind(panic));
            // If messages could not be kept, that is why no more were retrieved.
            kept.and(match retrieved {
                Ok(()) | Err(Halt::Unkept) => Ok(()),
                Err(Halt::Ended(error)) => Err(error.into()),
            })
        })
    }

    /// What the user wants done when something new has come.
    fn after(&self) -> Result<(), Error> {
        match &self.job.after_fetch {
            Some(program) if self.fetched.new > 0 => {
                let status = program.command().stdout(io::stderr()).status();
                let failed = |reason| Error::AfterFetch { reason };
                let status = status.map_err(|error| failed(plain(&error)))?;
                if status.success() { Ok(()) } else { Err(failed(status.to_string())) }
            }
            _ => Ok(()),
        }
    }

    /// Says what would be done, and does nothing.
    fn preview(&mut self, known: &Known, attempts: &Attempts) -> Result<(), Error> {
        let way = Way::to(&self.job.peer, self.company.report, self.company.stop)?;
        let approach = Server::recall(self.job).approach();
        let mut session = login(self.job, &way, self.trace(), attempts, approach)?;
        let listing = self.listing(&mut session, known.len())?;
        let sizes = session.sizes()?.clone();
        session.leave();
        let mut plan = Plan::new(self.job, &listing, Some(&sizes), 0);
        let _turn = self.company.report.turn();
        for listed in listing {
            let uid = listed.uid.as_ref();
            let fate = plan.fate(&listed, uid.and_then(|uid| known.get(uid)).copied());
            let what = fate.words(self.job.deletes_at_once());
            let (number, octets) = (listed.number, sizes.of(listed.number));
            if self.company.report.is_json() {
                let uid = uid.map(ToString::to_string);
                let message = json!({ "number": number, "size": octets, "uid": uid, "fate": what });
                self.company.report.answer(json!({ "account": self.label, "message": message }))?;
            } else {
                let octets = octets.map_or_else(|| "?".to_owned(), |octets| octets.to_string());
                let uid = uid.map_or_else(|| "-".to_owned(), ToString::to_string);
                let label = &self.label;
                let line = format_args!("{label} {number:>5} {octets:>9} {uid}  {what}");
                self.company.report.answer(line)?;
            }
        }
        Ok(())
    }

    fn tell(&self, outcome: &Result<(), Error>) -> Exit {
        let Self { job, company: Company { report, .. }, label, fetched, .. } = self;
        let exit = match outcome {
            Err(error) => error.into(),
            Ok(()) if fetched.missed.is_empty() => Exit::Done,
            Ok(()) if fetched.new == 0 => Exit::Later,
            Ok(()) => Exit::Partial,
        };
        let _turn = report.turn();
        let account = job.account.as_deref();
        let peer = &job.peer;
        for (number, reason) in &fetched.missed {
            report.complaint(format_args!(
                "fetch {label}: {peer}: message {number} stays on the server: {reason}"
            ));
        }
        let (is_told, lasting) = self.patience(exit);
        let failure = outcome.as_ref().err().map(|error| Failure {
            command: "fetch",
            account,
            peer: Some(peer),
            error,
            lasting,
        });
        // After a failure, "nothing new" is nothing that anybody knows.
        let is_sure = failure.is_none() || fetched.new > 0;
        let sentence = is_sure.then(|| fetched.sentence(label));
        let object = || fetched.object(label, failure.as_ref());
        let result = if job.dry_run { Ok(()) } else { report.result(sentence.as_deref(), object) };
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

    /// Whether a failure is to be told, and how many seconds it has lasted if that was counted.
    fn patience(&self, exit: Exit) -> (bool, Option<u64>) {
        let Some(span) = self.job.patience.filter(|_| self.company.report.is_unattended()) else {
            return (true, None);
        };
        let patience = Patience::new(&Os, &self.job.state, span.seconds);
        if exit != Exit::Later {
            patience.succeeded();
            return (true, None);
        }
        let lasting = patience.failed(self.job.moment.seconds);
        (lasting.is_some(), lasting)
    }
}

/// From a connection to an open mailbox.
fn login(
    job: &FetchJob,
    way: &Way<'_>,
    trace: Option<Trace>,
    attempts: &Attempts,
    approach: Approach,
) -> Result<Session<Transaction, Box<dyn Private>>, Error> {
    let session: Session<Authorization, _> = match job.peer.tls {
        Tls::Implicit => Session::open(way.tls(way.tcp()?)?, trace, approach)?,
        Tls::Starttls => {
            let session = Session::open(way.tcp()?, trace, Approach::cautious())?;
            session.stls(|tcp| way.tls(tcp), approach)?
        }
        Tls::None => Session::open(way.loopback()?, trace, approach)?,
    };
    // Otherwise they can wait until there is something to retrieve.
    let do_sizes_decide = job.max_size.is_some() || job.dry_run;
    let ahead = if do_sizes_decide { Ahead::UidsAndSizes } else { Ahead::Uids };
    session.login(attempts.clone().map(|attempt| attempt.map_err(Error::from)), ahead)
}

/// Why no more messages are retrieved.
enum Halt {
    /// The session ended.
    Ended(pop3::Error),
    /// Those that came could not be kept.
    Unkept,
}

impl From<pop3::Error> for Halt {
    fn from(error: pop3::Error) -> Self {
        Self::Ended(error)
    }
}

/// A draft whose octets somebody watches coming in.
struct Incoming {
    draft: Draft,
    octets: Octets,
}

impl Write for Incoming {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.draft.write(octets)?;
        self.octets.come(u64::try_from(written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.draft.flush()
    }
}

impl AsRef<Draft> for Incoming {
    fn as_ref(&self) -> &Draft {
        &self.draft
    }
}

impl AsMut<Draft> for Incoming {
    fn as_mut(&mut self) -> &mut Draft {
        &mut self.draft
    }
}

#[cfg(test)]
mod tests;
