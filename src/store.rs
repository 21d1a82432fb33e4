//! Exactly once from a server's maildrop into a Maildir, even if it is interrupted at any moment.
//!
//! ```text
//!        what happens                            cut off here, the next run
//!   1    message streams into tmp/NAME           removes tmp/NAME, fetches again
//!   2    fsync each file, fsync tmp/             the same
//!   3    journal: intent UID NAME, fdatasync     finds the intent and tmp/NAME: does step 4
//!   4    rename to new/NAME, fsync new/          finds the intent and new/NAME or cur/NAME: delivered
//!   5    journal: done NAME                      nothing to find
//! ```
//!
//! A message is delivered if step 4's rename returned, or if its file is found in new/ or cur/. That
//! it is not in tmp/ proves nothing: the Maildir may be another one, or another program may have
//! removed it. What is found nowhere is fetched again, since a message twice is better than none.
//! All of this is found out before anything is made.
//!
//! A program that takes messages in place of a Maildir gets each from a file in tmp/ of the state
//! directory's own Maildir; the journal learns of it when the program has said that it has it. Cut
//! off in between, the program gets the message once more: at least once is what can be had.
//!
//! A file is no safer than the directories that lead to it, so where those may be new, they are
//! synced before anything is put into them.
//!
//! All of this happens under a lock that is held for the whole run. What is to be sent and waits
//! for it is another matter, and [`outbox`]'s.
#![warn(clippy::missing_errors_doc)]

mod breaks;
mod command;
mod digest;
pub mod disk;
mod entries;
mod journal;
pub mod log;
mod maildir;
pub mod outage;
pub mod outbox;
mod seen;
pub mod token;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fs::{File, TryLockError};
use std::io;
use std::iter;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

pub use self::breaks::Condition;
pub use self::maildir::{Draft, Maildir};
pub use self::seen::{SeenEntry, SeenUids, Standing, is_credible};

use self::disk::{Dir, Disk, Lock};
use self::journal::{FollowUp, Journal, Outcome};
use self::seen::{Intent, Kind};
use crate::limits;
use crate::ownership;
use crate::run_id::RunId;
use crate::text::{Identified, Uid, plain};

/// A failure of the disk or of what it holds.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another run holds the lock.
    #[error("another run is active on this mailbox")]
    Locked {
        /// The age of the lock.
        age: Duration,
    },
    /// A Maildir is made, its parents are not.
    #[error("cannot create {}: {} does not exist", path.display(), parent.display())]
    NoParent {
        /// The Maildir.
        path: PathBuf,
        /// The directory that is missing.
        parent: PathBuf,
    },
    /// A file or directory could not be made.
    #[error("cannot create {}: {}", path.display(), plain(source))]
    Create {
        /// The file or directory.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// Any other failure of the disk.
    #[error("cannot {doing} {}: {}", path.display(), plain(source))]
    Io {
        /// The action, as a verb.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// A version of this program that is newer than this one wrote the journal.
    #[error("{} is a journal of version {version}, newer than this program", path.display())]
    NewerJournal {
        /// The journal.
        path: PathBuf,
        /// The journal's version.
        version: u64,
    },
    /// A line of a file of the outbox makes no sense.
    #[error("{}:{line}: not a line of a journal", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// The program that takes messages cannot be run.
    #[error("cannot run {}: {}", program, plain(source))]
    Program {
        /// The program.
        program: String,
        /// The failure.
        source: io::Error,
    },
    /// Another run has the message's lock.
    #[error("another run is active on this message")]
    Busy,
    /// A message in the outbox has lost its journal.
    #[error("damaged: {} is not there", .0.display())]
    NoJournal(PathBuf),
    /// There is no such message in the outbox.
    #[error("no message `{0}` in the outbox")]
    Unknown(String),
    /// The file with the tokens of a login makes no sense.
    #[error("{} is damaged", .0.display())]
    Token(PathBuf),
    /// Another user has written there, or could; or could read what this run would write.
    #[error(transparent)]
    Ownership(#[from] ownership::Error),
    /// A Maildir into which messages were delivered is not there, or not whole.
    #[error("{} is gone, and mail was delivered into it", .0.display())]
    MaildirGone(PathBuf),
}

impl Error {
    fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }

    fn create(path: &Path, source: io::Error) -> Self {
        Self::Create { path: path.to_owned(), source }
    }
}

/// Proof that something is durable on this side. Only the store makes one: of a message that it has
/// published or compared ([`Store::deliver`]), or that the journal proves ([`Store::recall`]).
#[derive(Debug)]
pub struct Saved<T>(T);

impl<T> Saved<T> {
    /// The value.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// The value without the proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// A destination of fetched messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Into the Maildir there.
    Maildir(PathBuf),
    /// A program and its arguments, which gets each message on its standard input.
    Program(Vec<String>),
}

impl Destination {
    /// The destination's name in the journal.
    pub fn place(&self) -> Cow<'_, Path> {
        match self {
            Self::Maildir(root) => root.into(),
            Self::Program(words) => PathBuf::from(format!("|{}", words.join(" "))).into(),
        }
    }
}

/// The result of delivering a retrieved message.
#[derive(Debug)]
pub enum Delivery<T> {
    /// A new message that was delivered.
    New(Saved<T>),
    /// A message equal to the one that was delivered here before.
    Same(Saved<T>),
    /// A message equal to the one that was delivered elsewhere before.
    SameElsewhere(T),
    /// A message that was not delivered, with the reason.
    Rejected(T, String),
}

/// A reason to retrieve messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Delivery of new messages.
    Deliver,
    /// Comparison with the messages that were delivered.
    Compare,
}

/// A message that a run before this one had not finished to deliver, and that is delivered now.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The unique-id.
    pub uid: Option<Uid>,
    /// The size in the listing.
    pub size: Option<u64>,
    /// The file's path until a mail reader moves it.
    pub path: PathBuf,
}

/// The options of a store.
#[derive(Clone)]
pub struct StoreOptions {
    /// The directory of the maildrop's state.
    pub state: PathBuf,
    /// The destination.
    pub destination: Destination,
    /// The run's identity.
    pub run_id: RunId,
    /// True if messages are deleted from the server in the session that brings them.
    pub deletes_at_once: bool,
}

/// The state and destination of one maildrop, locked for this run.
pub struct Store {
    disk: Arc<dyn Disk>,
    journal: Journal,
    options: StoreOptions,
    /// The destination, or where messages wait for a program to take them.
    maildir: Maildir,
    recovered: Vec<Recovered>,
    /// Unlocked when dropped, or when the process ends in any way.
    lock: Lock,
}

impl Store {
    /// Opens the state of a maildrop that was fetched before: takes the lock, reads the journal, and
    /// finishes what an earlier run left unfinished. Makes nothing; `None` if there is no state.
    ///
    /// # Errors
    ///
    /// Returns an error if another run holds the lock, the state cannot be read, or the Maildir is
    /// gone.
    pub fn open(disk: Arc<dyn Disk>, options: StoreOptions) -> Result<Option<Self>, Error> {
        let state = &options.state;
        if !disk.exists(state).map_err(|error| Error::io("look at", state, error))? {
            return Ok(None);
        }
        Self::lock(disk, options).map(Some)
    }

    /// The same, and makes the directory of the state if it is not there.
    ///
    /// # Errors
    ///
    /// Returns an error as [`Store::open`], or if the directory cannot be made.
    pub fn create(disk: Arc<dyn Disk>, options: StoreOptions) -> Result<Self, Error> {
        directory(&*disk, &options.state)?;
        Self::lock(disk, options)
    }

    fn lock(disk: Arc<dyn Disk>, options: StoreOptions) -> Result<Self, Error> {
        let StoreOptions { state, destination, run_id, .. } = &options;
        disk.check_place(state)?;
        let path = state.join(LOCK);
        let lock = disk.lock_file(&path).map_err(|error| Error::create(&path, error))?;
        let lock = lock.ok_or_else(|| Error::Locked { age: lock_age(&path, run_id.seconds) })?;
        let drawn = [state.as_os_str().as_encoded_bytes(), &run_id.random.to_be_bytes()].concat();
        let mark = maildir::fnv1a(&drawn);
        let journal = Journal::open(Arc::clone(&disk), state, run_id.seconds, mark)?;
        let mark = journal.seen.mark.unwrap_or(mark);
        let root = match destination {
            Destination::Maildir(root) => root.clone(),
            Destination::Program(_) => state.join("spool"),
        };
        let maildir = Maildir::at(Arc::clone(&disk), &root, run_id.clone(), mark);
        let recovered = Vec::new();
        let mut store = Self { disk, journal, options, maildir, recovered, lock };
        store.require_maildir()?;
        store.sweep()?;
        store.recover()?;
        Ok(store)
    }

    /// Checks that a Maildir into which messages were delivered is there. One that is gone may be
    /// on a disk that is not mounted, and a new one in its place would be hidden once it is.
    fn require_maildir(&self) -> Result<(), Error> {
        if let Destination::Maildir(root) = &self.options.destination
            && self.journal.seen.knows_place(root)
            && !self.maildir.is_there()?
        {
            return Err(Error::MaildirGone(root.clone()));
        }
        Ok(())
    }

    /// Makes what is not there yet of journal and Maildir. To be called when it is known that there
    /// will be a use for them.
    ///
    /// # Errors
    ///
    /// Returns an error if journal or Maildir cannot be made, or the Maildir is gone.
    pub fn prepare(&mut self) -> Result<(), Error> {
        self.begin()?;
        let root = self.maildir.root();
        if self.journal.seen.knows_place(root) {
            // It is not made again, be it that it went away a moment ago.
            self.require_maildir()?;
            return self.maildir.check();
        }
        self.maildir.make()?;
        self.maildir.check()?;
        // Once the journal knows it, it is not made again, so all of it must be durable before.
        let above = root.parent().filter(|above| !above.as_os_str().is_empty());
        self.sync_dir(root)?;
        self.sync_dir(above.unwrap_or(Path::new(".")))
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.journal.begin(self.maildir.mark())
    }

    /// Gives up the state if there is nothing in it.
    pub fn close(self) {
        if self.journal.is_begun() {
            return;
        }
        // It may hold what others put there; and what is left makes no difference. The lock is given
        // up last, so that no run holds one that has no name.
        let state = &self.options.state;
        drop(self.disk.remove(&state.join(LOCK)));
        drop(self.disk.remove_dir(state));
        drop(self.lock);
    }

    /// Returns what the journal in `state` says, without a lock and without changing anything.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be read or is of a newer version.
    pub fn read_only(disk: &dyn Disk, state: &Path) -> Result<SeenUids, Error> {
        Journal::read_only(disk, state)
    }

    /// Returns whether messages could be delivered, without a lock and without changing anything.
    ///
    /// # Errors
    ///
    /// Returns an error if the Maildir is gone or cannot be made.
    pub fn readiness(
        disk: &dyn Disk,
        state: &Path,
        destination: &Destination,
    ) -> Result<Readiness, Error> {
        if is_locked(&state.join(LOCK)) {
            return Ok(Readiness::Busy);
        }
        let Destination::Maildir(root) = destination else { return Ok(Readiness::Ready) };
        check_destination(disk, destination)?;
        if disk.exists(root).map_err(|error| Error::io("look at", root, error))? {
            return Ok(Readiness::Ready);
        }
        if Journal::read_only(disk, state)?.knows_place(root) {
            return Err(Error::MaildirGone(root.clone()));
        }
        maildir::parent_exists(disk, root)?;
        Ok(Readiness::ToBeMade)
    }

    /// Returns the messages that an earlier run had not finished to deliver and that are delivered
    /// now; once.
    pub fn take_recovered(&mut self) -> Vec<Recovered> {
        std::mem::take(&mut self.recovered)
    }

    /// The path to which a damaged journal was moved when it was opened; `None` if it was not
    /// damaged.
    pub fn damaged(&self) -> Option<&Path> {
        self.journal.damaged()
    }

    /// The journal's entries.
    pub fn seen(&self) -> &SeenUids {
        &self.journal.seen
    }

    /// The server is about to list what it has.
    pub fn begin_listing(&mut self) {
        self.journal.begin_listing();
    }

    /// Takes note of a message that the server lists; what is known of it. `None` if it is unknown.
    pub fn mark_listed(&mut self, message: &impl Identified, number: u32) -> Option<&SeenEntry> {
        self.journal.mark_listed(message.uid()?, number)
    }

    /// The listing is complete. Notes what is gone and what is back, and says how many there are.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn end_listing(&mut self) -> Result<usize, Error> {
        self.journal.end_listing(self.options.run_id.seconds)
    }

    /// Notes which messages are listed with another size than before.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn note_sizes(&mut self, size_of: impl Fn(u32) -> Option<u64>) -> Result<(), Error> {
        self.journal.note_sizes(size_of)
    }

    /// Returns what the journal and the listing prove of a message.
    pub fn standing(&self, uid: &Uid, size: Option<u64>) -> Standing<'_> {
        self.journal.seen.standing(uid, size, &self.options.destination.place())
    }

    /// The message with the proof that it was delivered here before; or the message alone.
    ///
    /// # Errors
    ///
    /// Returns the message alone if the journal does not prove that it was delivered here.
    pub fn recall<T: Identified>(&self, message: T, size: Option<u64>) -> Result<Saved<T>, T> {
        match message.uid().map(|uid| self.standing(uid, size)) {
            Some(Standing::Proven) => Ok(Saved(message)),
            _ => Err(message),
        }
    }

    /// The number of fetched messages that were in the server's last listing.
    pub fn present(&self) -> usize {
        self.journal.seen.entries.values().filter(|entry| entry.missing.is_none()).count()
    }

    /// Lets messages be fetched once more.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn forget<'a>(&mut self, uids: impl Iterator<Item = &'a Uid>) -> Result<(), Error> {
        self.journal.forget(uids)
    }

    /// Notes messages as not to be fetched.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn note_unwanted(&mut self, uids: Vec<Uid>) -> Result<(), Error> {
        self.begin()?;
        self.journal.record_unwanted(uids, Kind::Noted, self.options.run_id.seconds)
    }

    /// Notes messages that another program has fetched as not to be fetched. Known ones stay as they
    /// are.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn note_imported(&mut self, mut uids: Vec<Uid>) -> Result<(), Error> {
        uids.retain(|uid| self.journal.seen.get(uid).is_none());
        self.begin()?;
        self.journal.record_unwanted(uids, Kind::Imported, self.options.run_id.seconds)
    }

    /// Records that the server ended a session in the middle of a message, after this many octets
    /// of it.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn record_break(&mut self, uid: &Uid, octets: u64) -> Result<(), Error> {
        self.journal.record_break(uid, self.options.run_id.seconds, octets)
    }

    /// Returns whether this message to the user is new, and records it.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn say_once(&mut self, what: &str) -> Result<bool, Error> {
        self.journal.say_once(what)
    }

    /// Notes that the deletion of messages is about to be asked for, and makes durable what the
    /// journal says. If the server's answer is lost and such a message is there again, it may be
    /// another one.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written; then nothing may be deleted.
    pub fn record_deletions<'a>(
        &mut self,
        uids: impl Iterator<Item = &'a Uid>,
    ) -> Result<(), Error> {
        self.journal.record_deletions(uids, self.options.run_id.seconds)?;
        self.journal.sync()
    }

    /// Notes that the server refused to delete a message, so that it is there as before.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn record_refusal(&mut self, uid: &Uid) -> Result<(), Error> {
        self.journal.record_same(uid, None)
    }

    /// A place for one message that is about to come.
    pub fn drafts(&self) -> Maildir {
        self.maildir.clone()
    }

    /// Delivers messages, each of which carries its draft, and hands `each` what became of them.
    /// Those that are to be compared are delivered only if they are others than those that are known
    /// by their unique-ids.
    ///
    /// # Errors
    ///
    /// Returns an error if the disk fails; messages not yet handed to `each` are not delivered, or
    /// recovered by the next run.
    pub fn deliver<T: AsMut<Draft> + Identified + Measured>(
        &mut self,
        batch: Vec<T>,
        purpose: Purpose,
        mut each: impl FnMut(Delivery<T>),
    ) -> Result<(), Error> {
        let mut new = Vec::with_capacity(batch.len());
        for mut message in batch {
            if let Some(reason) = message.as_mut().take_failure() {
                each(Delivery::Rejected(message, reason));
                continue;
            }
            let digest = message.as_mut().digest();
            match message.uid().cloned() {
                Some(uid) if purpose == Purpose::Compare => {
                    if self.journal.seen.is_text_of(&uid, digest) {
                        self.journal.record_same(&uid, message.size())?;
                        let here = self.options.destination.place();
                        let is_here = self.journal.seen.is_at(&uid, &here);
                        // It is equal to what was delivered; only if that was here is it safe here.
                        each(if is_here {
                            Delivery::Same(Saved(message))
                        } else {
                            Delivery::SameElsewhere(message)
                        });
                        continue;
                    }
                    self.journal.record_reuse(&uid)?;
                }
                _ => {}
            }
            new.push((message, digest));
        }
        match self.options.destination.clone() {
            Destination::Maildir(root) => self.commit(new, &root, &mut each),
            Destination::Program(words) => {
                for (message, digest) in new {
                    each(self.hand_over(message, digest, &words)?);
                }
                Ok(())
            }
        }
    }

    fn intent<T: AsMut<Draft> + Identified + Measured>(
        &self,
        message: &mut T,
        digest: digest::Digest,
    ) -> Intent {
        Intent {
            time: self.options.run_id.seconds,
            uid: message.uid().cloned(),
            size: message.size(),
            digest,
            name: message.as_mut().name.clone(),
            place: self.journal.seen.places.len(),
        }
    }

    fn hand_over<T: AsMut<Draft> + Identified + Measured>(
        &mut self,
        mut message: T,
        digest: digest::Digest,
        words: &[String],
    ) -> Result<Delivery<T>, Error> {
        let place = self.options.destination.place().into_owned();
        let intent = self.intent(&mut message, digest);
        // What could not be noted afterwards would be handed over again in every run.
        self.journal.reserve(&intent, &place)?;
        if let Err(reason) = command::run(words, message.as_mut(), limits::DELIVERY)? {
            return Ok(Delivery::Rejected(message, reason));
        }
        self.journal.record_delivery(intent, &place)?;
        Ok(Delivery::New(Saved(message)))
    }

    /// Delivers messages to the Maildir: durable, in new/, and in the journal, all or none of them
    /// as far as the next run can tell.
    fn commit<T: AsMut<Draft> + Identified + Measured>(
        &mut self,
        mut batch: Vec<(T, digest::Digest)>,
        root: &Path,
        each: &mut impl FnMut(Delivery<T>),
    ) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let (tmp, new) = (self.maildir.root().join("tmp"), self.maildir.root().join("new"));
        let mut drafts: Vec<&mut Draft> =
            batch.iter_mut().map(|(message, _)| message.as_mut()).collect();
        sync(&mut drafts)?;
        // A message for which there is no room, as is known only now, is not delivered; the others are.
        let mut kept = Vec::with_capacity(batch.len());
        for (mut message, digest) in batch {
            match message.as_mut().take_failure() {
                Some(reason) => each(Delivery::Rejected(message, reason)),
                None => kept.push((message, digest)),
            }
        }
        let mut batch = kept;
        self.sync_dir(&tmp)?;
        // From here on the journal may know the files, even if what follows fails half-way: they
        // stay where they are, and recovery has the last word.
        for (message, _) in &mut batch {
            message.as_mut().keep_file();
        }
        let intents: Vec<_> =
            batch.iter_mut().map(|(message, digest)| self.intent(message, *digest)).collect();
        self.journal.record_intents(root, intents.into_iter())?;
        let into = self.open_dir(&new)?;
        for (message, _) in &mut batch {
            let draft = message.as_mut();
            if let Err(error) = self.publish(&draft.path(), &new.join(&draft.name)) {
                // It was there a moment ago. Wherever it is now, it was not delivered.
                let name = draft.name.clone();
                let is_it = |intent: &Intent| (intent.name == name).then_some(Outcome::Void);
                self.journal.resolve(is_it, FollowUp::None)?;
                return Err(error);
            }
        }
        self.sync_opened(&*into, &new)?;
        // What will be deleted at once is noted as such with its delivery: if this run is cut off
        // before, another message may have its unique-id when the next one looks.
        let follow_up = if self.options.deletes_at_once {
            FollowUp::Note("deleted", self.options.run_id.seconds.max(1))
        } else {
            FollowUp::None
        };
        self.journal.resolve(|_| Some(Outcome::Done), follow_up)?;
        for (message, _) in batch {
            each(Delivery::New(Saved(message)));
        }
        Ok(())
    }

    /// Makes durable what the journal says.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn settle(&mut self) -> Result<(), Error> {
        self.journal.sync()
    }

    /// Rewrites the journal if that is worth it.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn compact(&mut self) -> Result<(), Error> {
        self.journal.compact()
    }

    fn publish(&self, from: &Path, to: &Path) -> Result<(), Error> {
        self.disk.rename(from, to).map_err(|error| Error::io("deliver", to, error))
    }

    /// A directory that is about to get files. Its Maildir may go away before it is synced, and
    /// another one be in its place.
    fn open_dir(&self, path: &Path) -> Result<Box<dyn Dir>, Error> {
        self.disk.open_dir(path).map_err(|error| Error::io("open", path, error))
    }

    fn sync_opened(&self, dir: &dyn Dir, path: &Path) -> Result<(), Error> {
        let synced = self.disk.sync_opened(dir, path);
        synced.map_err(|error| Error::io("write", path, error))
    }

    fn sync_dir(&self, path: &Path) -> Result<(), Error> {
        self.disk.sync_dir(path).map_err(|error| Error::io("write", path, error))
    }

    /// Finishes or gives up every delivery that was announced and not confirmed.
    fn recover(&mut self) -> Result<(), Error> {
        if self.journal.seen.intents.is_empty() {
            return Ok(());
        }
        // That they can be read does not mean that they are durable, nor that a sync would make them
        // so: one that failed gives up what it could not write.
        self.journal.rewrite()?;
        let intents = self.journal.seen.intents.clone();
        let places: BTreeSet<_> = intents.iter().map(|intent| intent.place).collect();
        let (mut found, mut recovered) = (HashSet::new(), Vec::new());
        for place in places {
            let root = self.journal.seen.places.get(place).cloned().unwrap_or_default();
            let (tmp, new, cur) = (root.join("tmp"), root.join("new"), root.join("cur"));
            for dir in [&tmp, &new, &cur] {
                // A disk that is not mounted looks like this.
                if !self.exists(dir)? {
                    return Err(Error::MaildirGone(root));
                }
            }
            let opened = [(self.open_dir(&new)?, new.clone()), (self.open_dir(&cur)?, cur.clone())];
            let read = self.names(&[&new, &cur])?;
            for intent in intents.iter().filter(|intent| intent.place == place) {
                let (from, to) = (tmp.join(&intent.name), new.join(&intent.name));
                if !read.contains(&intent.name) {
                    if !self.exists(&from)? {
                        continue;
                    }
                    self.publish(&from, &to)?;
                }
                found.insert(intent.name.clone());
                let (uid, size) = (intent.uid.clone(), intent.size);
                recovered.push(Recovered { uid, size, path: to });
            }
            for (dir, path) in opened {
                self.sync_opened(&*dir, &path)?;
            }
        }
        let outcome = |intent: &Intent| {
            Some(if found.contains(&intent.name) { Outcome::Done } else { Outcome::Void })
        };
        // The time since the interrupted session is unknown: they count as absent since.
        let follow_up = FollowUp::Note("missing", self.options.run_id.seconds.max(1));
        self.journal.resolve(outcome, follow_up)?;
        self.journal.sync()?;
        self.recovered = recovered;
        Ok(())
    }

    fn exists(&self, path: &Path) -> Result<bool, Error> {
        self.disk.exists(path).map_err(|error| Error::io("look at", path, error))
    }

    /// The unique part of every file name in these directories: readers append `:2,` and flags.
    fn names(&self, dirs: &[&Path]) -> Result<HashSet<String>, Error> {
        let mut names = HashSet::new();
        for dir in dirs {
            let list = self.disk.list(dir).map_err(|error| Error::io("read", dir, error))?;
            names.extend(list.iter().filter_map(|name| {
                let name = name.to_str()?;
                Some(name.split(':').next().unwrap_or(name).to_owned())
            }));
        }
        Ok(names)
    }

    /// Removes what runs that were cut off left in tmp/, apart from what they had announced: before
    /// anything is written, for the disk may be full of it.
    fn sweep(&self) -> Result<(), Error> {
        let tmp = self.maildir.root().join("tmp");
        if !self.journal.is_begun() || !self.exists(&tmp)? {
            return Ok(());
        }
        let announced: HashSet<_> =
            self.journal.seen.intents.iter().map(|intent| intent.name.as_str()).collect();
        let names = self.disk.list(&tmp).map_err(|error| Error::io("read", &tmp, error))?;
        for name in names.iter().filter(|name| self.maildir.is_ours(name)) {
            if name.to_str().is_some_and(|name| announced.contains(name)) {
                continue;
            }
            let path = tmp.join(name);
            match self.disk.remove(&path) {
                // Another sweeper was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(|error| Error::io("remove", &path, error))?,
            }
        }
        Ok(())
    }
}

/// A message that may have a size in the listing.
pub trait Measured {
    /// Octets, as the server counts.
    fn size(&self) -> Option<u64>;
}

/// The outlook of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Nothing is missing.
    Ready,
    /// There is no Maildir yet, and it can be made.
    ToBeMade,
    /// Another run has the lock.
    Busy,
}

/// Returns whether a file cannot grow: the disk is full, a quota is reached, or the file's size is
/// limited.
pub fn is_no_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull)
}

/// Octets of a name that every file system has room for: eCryptfs has 143, and writers add to it.
const LONGEST_NAME: usize = 100;

/// The name of a maildrop's directory: the maildrop's own, in ASCII and without slashes, unless that
/// is too long; then its beginning, and a hash of the whole.
pub fn state_name(maildrop: &str) -> Cow<'_, str> {
    if maildrop.len() <= LONGEST_NAME {
        return maildrop.into();
    }
    let beginning = maildrop.get(..LONGEST_NAME - 17).unwrap_or_default();
    format!("{beginning}~{:016x}", maildir::fnv1a(maildrop.as_bytes())).into()
}

/// Finds out what can be known of a destination before the server is asked for anything: whether a
/// Maildir's parent is there, and what is there of the Maildir is this user's.
///
/// # Errors
///
/// Returns an error if the destination cannot be used.
pub fn check_destination(disk: &dyn Disk, destination: &Destination) -> Result<(), Error> {
    let Destination::Maildir(root) = destination else { return Ok(()) };
    maildir::parent_exists(disk, root)?;
    for dir in [root, &root.join("tmp"), &root.join("new"), &root.join("cur")] {
        if disk.exists(dir).map_err(|error| Error::io("look at", dir, error))? {
            disk.check_place(dir)?;
        }
    }
    Ok(())
}

/// The lock in the directory of a mailbox's state.
const LOCK: &str = "lock";

/// Returns whether another run holds the lock. A shared lock is tried for a moment, which creates
/// nothing.
fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Returns the age of a lock, by the time at which its file was last touched; zero if that is
/// unknown.
fn lock_age(path: &Path, now: u64) -> Duration {
    let touched = File::open(path).and_then(|file| file.metadata()?.modified());
    let touched = touched.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    touched.map_or(Duration::ZERO, |touched| Duration::from_secs(now).saturating_sub(touched))
}

/// Makes a directory, and its parents; one that is there must be this user's.
fn directory(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    let mut missing = Vec::new();
    for dir in path.ancestors().filter(|dir| !dir.as_os_str().is_empty()) {
        if disk.exists(dir).map_err(|error| Error::io("look at", dir, error))? {
            break;
        }
        missing.push(dir);
    }
    for dir in missing.into_iter().rev() {
        disk.make_dir(dir).map_err(|error| Error::create(dir, error))?;
        // What will be in it is no safer than its name.
        if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
            disk.sync_dir(above).map_err(|error| Error::io("write", above, error))?;
        }
    }
    Ok(disk.check_place(path)?)
}

/// Makes files durable: write-back is begun for all before the first is waited for, and a large
/// batch is waited for in parallel, since what waits together can be written together.
fn sync(drafts: &mut [&mut Draft]) -> Result<(), Error> {
    let wait = |part: &mut [&mut Draft]| {
        for draft in part.iter_mut() {
            draft.begin_sync();
        }
        part.iter_mut().try_for_each(|draft| {
            let draft: &mut Draft = draft;
            match draft.sync() {
                // This file has no room, which others may have.
                Err(error) if is_no_room(&error) => {
                    draft.fail(plain(&error));
                    Ok(())
                }
                synced => synced.map_err(|error| Error::io("write", &draft.path(), error)),
            }
        })
    };
    let count = drafts.len().div_ceil(limits::WAIT_TOGETHER);
    let parts = Mutex::new(drafts.chunks_mut(limits::WAIT_TOGETHER));
    let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || iter::from_fn(next).map(wait).fold(Ok(()), Result::and);
    thread::scope(|scope| {
        // Where there can be no more threads, those there are wait for one part after the other.
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..count).map_while(spawn).collect();
        let done = work();
        let ended =
            others.into_iter().map(|other| other.join().unwrap_or_else(|p| resume_unwind(p)));
        ended.fold(done, Result::and)
    })
}

#[cfg(test)]
mod tests;
