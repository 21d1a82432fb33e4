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
pub mod callers;
mod command;
mod delivery;
mod digest;
pub mod disk;
mod entries;
mod entry;
mod error;
mod journal;
mod line;
pub mod log;
mod maildir;
pub mod outage;
pub mod outbox;
mod recovery;
mod seen;
mod texts;
pub mod token;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

pub use self::breaks::Condition;
pub use self::delivery::{Delivery, Measured};
use self::digest::Digest;
use self::disk::{Disk, Lock};
use self::entry::Kind;
pub use self::entry::{SeenEntry, is_credible};
pub use self::error::Error;
use self::journal::Journal;
pub use self::journal::Listed;
pub use self::maildir::{Draft, Maildir};
pub use self::recovery::Recovered;
pub use self::seen::{SeenUids, Standing};
use crate::run_id::RunId;
use crate::text::{Identified, Uid, UidRef};

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
    /// Returns the name of the destination in the journal.
    pub fn place(&self) -> Cow<'_, Path> {
        match self {
            Self::Maildir(root) => root.into(),
            Self::Program(words) => PathBuf::from(format!("|{}", words.join(" "))).into(),
        }
    }
}

/// A reason to retrieve messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Delivery of new messages.
    Deliver,
    /// Comparison with the messages that were delivered.
    Compare,
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
    /// True if messages are retrieved that earlier runs have delivered: what is delivered again takes
    /// the place of that.
    pub all: bool,
    /// True if session follows session until one brings nothing new.
    pub repeat: bool,
}

/// The state and destination of one maildrop, locked for this run.
pub struct Store {
    disk: Arc<dyn Disk>,
    journal: Journal,
    options: StoreOptions,
    /// The destination, or where messages wait for a program to take them.
    maildir: Maildir,
    recovered: Vec<Recovered>,
    /// The texts that this run has delivered, if there may be several sessions.
    texts: HashSet<Digest>,
    /// The number of messages that this run has delivered though it had delivered their texts before.
    repeated: usize,
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

    /// Opens the store as [`Store::open`], and makes its state directory if it is not there.
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
        let mut journal = Journal::open(Arc::clone(&disk), state, run_id.seconds, mark)?;
        journal.is_all = options.all;
        let mark = journal.seen.mark.unwrap_or(mark);
        let root = match destination {
            Destination::Maildir(root) => root.clone(),
            Destination::Program(_) => state.join("spool"),
        };
        let maildir = Maildir::at(Arc::clone(&disk), &root, run_id.clone(), mark);
        let (recovered, texts, repeated) = (Vec::new(), HashSet::new(), 0);
        let mut store = Self { disk, journal, options, maildir, recovered, texts, repeated, lock };
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

    /// Ends the work with a maildrop. A state directory without a journal is removed.
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

    /// Returns what the journal in `state` says, without a lock and without changing anything. `now` is in
    /// seconds since 1970.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be read or is of a newer version.
    pub fn read_only(disk: &dyn Disk, state: &Path, now: u64) -> Result<SeenUids, Error> {
        Journal::read_only(disk, state, now)
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
        // Of places, none is ever forgotten.
        if Journal::read_only(disk, state, 0)?.knows_place(root) {
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

    /// Begins a listing of the maildrop: no message counts as listed until [`Store::mark_listed`].
    pub fn begin_listing(&mut self) {
        self.journal.begin_listing();
    }

    /// Takes note of a message that the server lists. Returns the entry that stands for it; `None` if
    /// it is unknown, or if another message was listed under its unique-id before.
    pub fn mark_listed(&mut self, uid: UidRef<'_>, number: u32) -> Option<&SeenEntry> {
        self.journal.mark_listed(uid, number)
    }

    /// Takes note that several messages of a complete listing share a unique-id: at this server
    /// unique-ids prove nothing from here on.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn note_shared_uids(&mut self) -> Result<(), Error> {
        self.journal.record_shared_uids()
    }

    /// Ends a complete listing: records which messages are gone or back, and counts them.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn end_listing(&mut self) -> Result<Listed, Error> {
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

    /// Returns the standing of the message that has this entry.
    pub fn standing_of(&self, entry: &SeenEntry, size: Option<u64>) -> Standing<'_> {
        self.journal.seen.standing_of(entry, size, &self.options.destination.place())
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

    /// The place of a listed message that was delivered elsewhere; `None` if there is none.
    pub fn elsewhere(&self) -> Option<&Path> {
        self.journal.seen.elsewhere(&self.options.destination.place())
    }

    /// Has the next run look at the sizes of all messages, even if the listing is the last one.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn forget_sizes(&mut self) -> Result<(), Error> {
        self.journal.record_unmeasured()
    }

    /// Takes note that messages without unique-ids are deleted, by their numbers in this session: a
    /// message with an equal text is another one from here on.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn forget_deleted_texts(&mut self, numbers: &[u32]) -> Result<(), Error> {
        self.journal.forget_deleted_texts(numbers)
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

    /// Forgets that sessions ended in the middle of a message without a unique-id: it has come.
    pub fn forget_break(&mut self, stand_in: &Uid) {
        self.journal.forget_break(stand_in);
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

    /// Reserves memory for the entries of messages that are to be delivered: what grows by doubling takes
    /// twice as much.
    pub fn reserve(&mut self, messages: &[impl Identified]) {
        let uids = messages.iter().filter_map(Identified::uid);
        let octets = uids.map(|uid| uid.as_bytes().len()).sum();
        self.journal.seen.entries.reserve(messages.len(), octets);
    }

    /// Returns the Maildir in which the drafts of messages are made.
    pub fn drafts(&self) -> Maildir {
        self.maildir.clone()
    }

    /// The number of messages that this run has delivered under new unique-ids though it had delivered
    /// their texts before; 0 if there is one session only.
    pub fn repeated(&self) -> usize {
        self.repeated
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
}

/// The state in which a fetch would find the place of its deliveries.
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
    let tried = file.try_lock_shared();
    // Not by closing, which leaves it to a child that has this file until it runs its program.
    drop(file.unlock());
    matches!(tried, Err(TryLockError::WouldBlock))
}

/// Returns the age of a lock, by the time at which its file was last touched; zero if that is
/// unknown.
fn lock_age(path: &Path, now: u64) -> Duration {
    let touched = File::open(path).and_then(|file| file.metadata()?.modified());
    let touched = touched.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    touched.map_or(Duration::ZERO, |touched| Duration::from_secs(now).saturating_sub(touched))
}

/// Makes a directory, and its parents; one that is there must be this user's.
///
/// # Errors
///
/// Returns an error if it cannot be made, or is another user's.
pub fn directory(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
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

#[cfg(test)]
mod tests;
