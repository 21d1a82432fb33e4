//! Exactly once from a server's mailbox into a Maildir, whatever is cut off and when.
//!
//! ```text
//!        what happens                            cut off here, the next run
//!   1    message streams into tmp/NAME           removes tmp/NAME, fetches again
//!   2    fsync each file, fsync tmp/             the same
//!   3    journal: intent UID NAME, fdatasync     finds the intent and tmp/NAME: does step 4
//!   4    rename to new/NAME, fsync new/          finds the intent and no tmp/NAME: delivered
//!   5    journal: done NAME                      nothing to find
//! ```
//!
//! A reader may move a file out of new/ at once, so its absence there proves nothing; but nobody
//! touches a file in tmp/ that is younger than 36 hours. So a missing tmp/NAME means that step 4
//! happened, unless the intent is older than that and the file is nowhere: then the message is
//! fetched again, since a message twice is better than none.
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

pub mod disk;
mod handover;
mod journal;
mod maildir;
pub mod outbox;
pub mod patience;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

pub use self::journal::{Known, Seen};
pub use self::maildir::{Draft, Maildir, Stamp};

use self::disk::Disk;
use self::journal::{Intent, Journal, Outcome};
use crate::limits;
use crate::ownership;
use crate::text::{Identified, Uid, plain};

/// Maildir readers remove what has been in tmp/ for longer than this many seconds.
const TMP_IS_SAFE: u64 = 36 * 60 * 60;

/// What went wrong on the disk.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another run holds the lock.
    #[error("another run is at work on this mailbox")]
    Locked,
    /// A Maildir is made, its parents are not.
    #[error("cannot create {}: {} does not exist", path.display(), parent.display())]
    NoParent {
        /// The Maildir.
        path: PathBuf,
        /// What is missing.
        parent: PathBuf,
    },
    /// A file or directory could not be made.
    #[error("cannot create {}: {}", path.display(), plain(source))]
    Create {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Anything else the disk refused.
    #[error("cannot {doing} {}: {}", path.display(), plain(source))]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Something else wrote to the journal.
    #[error("{}:{line}: not a line of a journal", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
    },
    /// The program that takes messages cannot be run.
    #[error("cannot run {}: {}", program, plain(source))]
    Program {
        /// Which.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// Another run has the message's lock.
    #[error("another run is at work on this message")]
    Busy,
    /// There is no such message in the outbox.
    #[error("no message `{0}` in the outbox")]
    Unknown(String),
    /// Another user has written there, or could; or could read what this run would write.
    #[error(transparent)]
    Ownership(#[from] ownership::Error),
    /// A delivery was under way to a Maildir that is not there now.
    #[error("a message was on its way into {}, which is not there now", .0.display())]
    Unreachable(PathBuf),
}

impl Error {
    fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }

    fn create(path: &Path, source: io::Error) -> Self {
        Self::Create { path: path.to_owned(), source }
    }
}

/// Something that is durable on this side. Only the store makes one: of a message that it has
/// published ([`Store::deliver`]), or that the journal knows ([`Store::recall`]).
#[derive(Debug)]
pub struct Saved<T>(T);

impl<T> Saved<T> {
    /// What was saved.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// What was saved, no longer with the proof that it was.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Into the Maildir there.
    Maildir(PathBuf),
    /// To a program and its arguments, on its standard input.
    Program(Vec<String>),
}

impl Destination {
    /// As the journal calls it.
    fn place(&self) -> Cow<'_, Path> {
        match self {
            Self::Maildir(root) => root.into(),
            Self::Program(words) => PathBuf::from(format!("|{}", words.join(" "))).into(),
        }
    }
}

/// A message that its destination did not take: the message, and why not.
#[derive(Debug)]
pub struct Rejected<T>(pub T, pub String);

/// One remote mailbox and where it is fetched to, locked for this run.
pub struct Store {
    disk: Arc<dyn Disk>,
    journal: Journal,
    destination: Destination,
    /// The destination, or where messages wait for a program to take them.
    maildir: Maildir,
    now: u64,
    /// Unlocked when dropped, or when the process ends in any way.
    _lock: File,
}

impl Store {
    /// Takes the lock, reads the journal, and finishes what an earlier run left unfinished.
    ///
    /// `state` is the directory for this mailbox, `mailbox` its name, which must be the same in
    /// every run.
    pub fn open(
        disk: Arc<dyn Disk>,
        state: &Path,
        mailbox: &str,
        destination: Destination,
        stamp: Stamp,
    ) -> Result<Self, Error> {
        let lock = lock(state)?;
        let now = stamp.seconds;
        let root = match &destination {
            Destination::Maildir(root) => root.clone(),
            Destination::Program(_) => state.join("spool"),
        };
        let maildir = Maildir::open(Arc::clone(&disk), &root, stamp, mailbox)?;
        let journal = Journal::open(Arc::clone(&disk), state, now)?;
        let mut store = Self { disk, journal, destination, maildir, now, _lock: lock };
        store.recover()?;
        store.sweep()?;
        Ok(store)
    }

    /// What is known of the mailbox whose state is in `state`, without a lock and without changing
    /// anything.
    pub fn peek(disk: &dyn Disk, state: &Path) -> Result<Known, Error> {
        Journal::peek(disk, state)
    }

    /// Whether messages could be delivered, without a lock and without changing anything.
    pub fn foresee(
        disk: &dyn Disk,
        state: &Path,
        destination: &Destination,
    ) -> Result<Outlook, Error> {
        if is_locked(&state.join(LOCK)) {
            return Ok(Outlook::Busy);
        }
        let Destination::Maildir(root) = destination else { return Ok(Outlook::Ready) };
        if disk.exists(root).map_err(|error| Error::io("look at", root, error))? {
            return Ok(Outlook::Ready);
        }
        maildir::parent_exists(disk, root)?;
        Ok(Outlook::ToBeMade)
    }

    /// The server is about to list what it has.
    pub fn begin_listing(&mut self) {
        self.journal.begin_listing();
    }

    /// Takes note of a message that the server lists; what is known of it.
    pub fn note(&mut self, message: &impl Identified) -> Option<Seen> {
        self.journal.note(message.uid()?)
    }

    /// The message with the proof that it was delivered before; or the message alone.
    pub fn recall<T: Identified>(&self, message: T) -> Result<Saved<T>, T> {
        match message.uid().and_then(|uid| self.journal.recall(uid)) {
            Some(_) => Ok(Saved(message)),
            None => Err(message),
        }
    }

    /// How many messages were there when the server was last asked, and were fetched.
    pub fn present(&self) -> usize {
        self.journal.present()
    }

    /// Lets messages be fetched once more.
    pub fn forget<'a>(&mut self, uids: impl Iterator<Item = &'a Uid>) -> Result<(), Error> {
        self.journal.forget(uids)
    }

    /// Where a message was delivered, if not where this run's go.
    pub fn elsewhere(&self, seen: &Seen) -> Option<&Path> {
        let (there, here) = (self.journal.place(seen)?, self.destination.place());
        // They nearly always are the same to the octet, which is seen faster than that paths are.
        let is_here = there.as_os_str() == here.as_os_str() || there == here;
        (!is_here).then_some(there)
    }

    /// A place for one message that is about to come.
    pub fn drafts(&self) -> Maildir {
        self.maildir.clone()
    }

    /// Delivers messages, each of which carries its draft, and hands `each` what became of them in
    /// their order.
    pub fn deliver<T: AsMut<Draft> + Identified>(
        &mut self,
        batch: Vec<T>,
        mut each: impl FnMut(Result<Saved<T>, Rejected<T>>),
    ) -> Result<(), Error> {
        match &self.destination {
            Destination::Maildir(_) => self.commit(batch)?.into_iter().map(Ok).for_each(each),
            Destination::Program(words) => {
                let words = words.clone();
                for message in batch {
                    each(self.hand_over(message, &words)?);
                }
            }
        }
        Ok(())
    }

    fn hand_over<T: AsMut<Draft> + Identified>(
        &mut self,
        mut message: T,
        words: &[String],
    ) -> Result<Result<Saved<T>, Rejected<T>>, Error> {
        if let Err(reason) = handover::run(words, message.as_mut())? {
            return Ok(Err(Rejected(message, reason)));
        }
        if let Some(uid) = message.uid().cloned() {
            self.journal.delivered(uid, &self.destination.place(), self.now)?;
        }
        Ok(Ok(Saved(message)))
    }

    /// Delivers messages to the Maildir: durable, in new/, and in the journal, all or none of them
    /// as far as the next run can tell.
    fn commit<T: AsMut<Draft> + Identified>(
        &mut self,
        mut batch: Vec<T>,
    ) -> Result<Vec<Saved<T>>, Error> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let (tmp, new) = (self.maildir.root().join("tmp"), self.maildir.root().join("new"));
        let mut drafts: Vec<&mut Draft> = batch.iter_mut().map(AsMut::as_mut).collect();
        sync(&mut drafts)?;
        self.sync_dir(&tmp)?;
        // From here on the journal may know the files, even if what follows fails half-way: they
        // stay where they are, and recovery has the last word.
        for draft in &mut drafts {
            draft.leave();
        }
        let named = |message: &mut T| (message.uid().cloned(), message.as_mut().name.clone());
        self.journal.intend(self.now, self.maildir.root(), batch.iter_mut().map(named))?;
        for draft in batch.iter_mut().map(AsMut::as_mut) {
            self.publish(&draft.path(), &new.join(&draft.name))?;
        }
        self.sync_dir(&new)?;
        self.journal.done()?;
        Ok(batch.into_iter().map(Saved).collect())
    }

    /// Records which messages the server no longer lists, so that they can be forgotten in time.
    pub fn compare(&mut self) -> Result<(), Error> {
        self.journal.compare(self.now)?;
        self.journal.compact()
    }

    fn publish(&self, from: &Path, to: &Path) -> Result<(), Error> {
        self.disk.rename(from, to).map_err(|error| Error::io("deliver", to, error))
    }

    fn sync_dir(&self, path: &Path) -> Result<(), Error> {
        self.disk.sync_dir(path).map_err(|error| Error::io("write", path, error))
    }

    /// Finishes or gives up every delivery that was announced and not confirmed.
    fn recover(&mut self) -> Result<(), Error> {
        if self.journal.intents().is_empty() {
            return Ok(());
        }
        // Whoever announced them may have been killed before that was durable.
        self.journal.sync()?;
        let intents = self.journal.intents();
        let maildirs: BTreeSet<_> = intents.iter().map(|intent| intent.maildir).collect();
        let mut lost = HashSet::new();
        for number in maildirs {
            let root = self.journal.maildir(number).map(PathBuf::from).unwrap_or_default();
            let here = || intents.iter().filter(|intent| intent.maildir == number);
            let is_old = |intent: &Intent| self.now.saturating_sub(intent.time) > TMP_IS_SAFE;
            let (tmp, new, cur) = (root.join("tmp"), root.join("new"), root.join("cur"));
            let exists = |path: &Path| {
                self.disk.exists(path).map_err(|error| Error::io("look at", path, error))
            };
            if !exists(&tmp)? || !exists(&new)? {
                // A disk that is not mounted looks like this, so nothing is decided in a hurry.
                if here().all(is_old) {
                    lost.extend(here().map(|intent| intent.name.clone()));
                    continue;
                }
                return Err(Error::Unreachable(root));
            }
            let mut read = None;
            for intent in here() {
                let from = tmp.join(&intent.name);
                if exists(&from)? {
                    self.publish(&from, &new.join(&intent.name))?;
                } else if is_old(intent) {
                    let read = match &mut read {
                        Some(read) => read,
                        none => none.insert(self.names(&[&new, &cur])?),
                    };
                    if !read.contains(&intent.name) {
                        lost.insert(intent.name.clone());
                    }
                }
            }
            self.sync_dir(&new)?;
        }
        self.journal.settle(
            |intent| {
                if lost.contains(&intent.name) { Outcome::Void } else { Outcome::Done }
            },
        )
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

    /// Removes what runs that were cut off left in tmp/. None of it is announced any more.
    fn sweep(&self) -> Result<(), Error> {
        let tmp = self.maildir.root().join("tmp");
        let names = self.disk.list(&tmp).map_err(|error| Error::io("read", &tmp, error))?;
        for name in names.iter().filter(|name| self.maildir.is_ours(name)) {
            let path = tmp.join(name);
            self.disk.remove(&path).map_err(|error| Error::io("remove", &path, error))?;
        }
        Ok(())
    }
}

/// What a delivery would meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Everything is there.
    Ready,
    /// There is no Maildir yet, and it can be made.
    ToBeMade,
    /// Another run has the lock.
    Busy,
}

/// The lock in the directory of a mailbox's state.
const LOCK: &str = "lock";

/// Whether somebody holds the lock. It is asked for by sharing it for a moment, which makes nothing
/// that is not there.
fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Makes a directory, and its parents; one that is there must be this user's.
fn directory(path: &Path) -> Result<(), Error> {
    let mut dirs = DirBuilder::new();
    dirs.recursive(true).mode(0o700).create(path).map_err(|error| Error::create(path, error))?;
    Ok(ownership::check_place(path)?)
}

/// Makes files durable: the disk is told of all of them before the first is waited for, and a large
/// batch is waited for side by side, since what waits together can be written together.
fn sync(drafts: &mut [&mut Draft]) -> Result<(), Error> {
    let wait = |part: &mut [&mut Draft]| {
        for draft in part.iter_mut() {
            draft.begin_sync();
        }
        part.iter_mut().try_for_each(|draft| {
            draft.sync().map_err(|error| Error::io("write", &draft.path(), error))
        })
    };
    let mut parts = drafts.chunks_mut(limits::WAIT_TOGETHER);
    let Some(first) = parts.next() else { return Ok(()) };
    thread::scope(|scope| {
        let others: Vec<_> = parts.map(|part| scope.spawn(|| wait(part))).collect();
        let done = wait(first);
        let ended =
            others.into_iter().map(|other| other.join().unwrap_or_else(|p| resume_unwind(p)));
        ended.fold(done, Result::and)
    })
}

/// Makes the directory of a mailbox's state and locks it.
fn lock(state: &Path) -> Result<File, Error> {
    directory(state)?;
    let path = state.join(LOCK);
    let file = disk::own().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| Error::create(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", &path, error)),
    }
}

#[cfg(test)]
mod tests;
