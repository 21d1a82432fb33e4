//! Messages that wait to be sent. Each has a directory of its own, and where that stands says what
//! the message is.
//!
//! ```text
//!        what happens                              cut off here, the next run
//!   1    tmp/ID/: lock, message, journal, fsync    removes it; it was not accepted yet
//!   2    rename to waiting/ID/, fsync waiting/     finds it there, and sends it
//!   3    journal: attempt                          the same
//!   4    journal: data, fdatasync;                 sends it again, and says that it may come twice
//!        the last octets leave
//!   5    journal: what became of whom              goes on with those who have no answer
//!   6    fdatasync, if any wait or failed;         finds no recipient left, and does this
//!        rename to failed/ID/, or to tmp/ID/,
//!        fsync waiting/
//! ```
//!
//! After a power cut a run finds what the last of these syncs has made durable: between 5 and 6 that the
//! end left, and sends the message again with the same words as after 4.
//!
//! Messages that share a flight take steps 4 and 6 together: the line `data` of each is durable before
//! an octet of any of them leaves, and one fsync removes those that each recipient has. A run that is cut
//! off in 4 leaves all of them marked; where the connection ends, those whose end stayed here get a line
//! that says so, and the others stay marked.
//!
//! The journal is text that a person can read, and only ever added to:
//!
//! ```text
//! postie outbox 2
//! received TIME                 when the message was taken in
//! config FILE                   the configuration in force then
//! account NAME                  the account to send it with
//! from ADDRESS                  the reverse-path; `<>` for none
//! incomplete                    whether the configuration could not be used: the first attempt
//!                               chooses account and reverse-path unless they are here, resolves
//!                               aliases and completes the header, as for a message that comes then
//! full-name NAME                the sender's name, for a From field that is still to be added
//! notify WORDS, return WORD     the delivery status notifications that were asked for, if any
//! envid TEXT                    the envelope identifier in them
//! subject TEXT                  the message's, if it has one, for who looks at the list
//! require-tls                   whether every hop must use TLS
//! all-or-nothing                whether a refused recipient stops the message for all
//! to ADDRESS                    for each recipient
//! to-alias NAME                 for each that [aliases] is still to resolve
//!                               an empty line, and the history:
//! account NAME, from ADDRESS, to ADDRESS
//!                               what the first attempt chose and resolved;
//! resolved TIME                 it counts from here on
//! missing TIME WHAT             the configuration lacks what the message needs, which was reported
//! attempt TIME                  an attempt begins
//! data TIME                     the end of the message is about to leave
//! accepted ADDRESS REPLY        this recipient has it
//! refused ADDRESS REPLY         this one was refused permanently,
//! not-sent ADDRESS REASON       or the message cannot be sent to it,
//! abandoned ADDRESS REASON      or has waited for too long
//! reply TIME REPLY              the final reply of a transaction
//! notified TIME                 the sender knows of all who will not get it
//! deferred TIME REASON          the attempt is over: refused for now,
//! unreachable TIME REASON       or there was no connection,
//! login-refused TIME REASON     or no login,
//! in-doubt TIME REASON          or the final reply was lost
//! ```
//!
//! Times are seconds since 1970; names, paths and addresses are percent-encoded. A run that works on
//! a message holds a lock on the file `lock` beside its journal, opened for writing: NFS refuses an
//! exclusive lock on any other. Nothing is decided by the clock alone.
//!
//! `login.ACCOUNT` beside the directories has a line `refused TIME` for each login that was refused
//! since the last accepted one. It holds that account's messages back; losing it costs a login.

mod entry;
mod error;
mod record;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

pub use self::entry::{LockedEntry, RemovedEntry};
pub use self::error::Error;
pub use self::record::{Answer, AttemptResult, DeliveryRecord, QueuedEnvelope};
use self::record::{TRIES, octets, pause};
use super::directory;
use super::disk::{Disk, File, Lock};
use super::journal::sync_names;
use crate::limits;
use crate::run_id::RunId;
use crate::text::{percent_encoded, shown};

const LOCK: &str = "lock";
const JOURNAL: &str = "journal";
const MESSAGE: &str = "message.eml";

/// The id of a message in the outbox: its time, so that messages are sent in their order, and a random
/// number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(String);

impl Id {
    /// Creates an id that no other run gives.
    pub fn new(run_id: &RunId) -> Self {
        let RunId { seconds, fraction, random, .. } = run_id;
        Self(format!("{seconds:08x}.{fraction:04x}{:08x}", random >> 32))
    }

    /// The id of a message that was queued at this time.
    #[cfg(test)]
    pub(crate) fn at(seconds: u64, random: u64) -> Self {
        Self(format!("{seconds:08x}.{:012x}", random >> 32))
    }
}

impl FromStr for Id {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_digit = |octet: u8| octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet);
        let is_number = |part: &str| (8..=16).contains(&part.len()) && part.bytes().all(is_digit);
        let is_id = text.split_once('.').is_some_and(|(one, two)| is_number(one) && is_number(two));
        is_id.then(|| Self(text.to_owned())).ok_or_else(|| Error::Unknown(shown(text)))
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The state of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxState {
    /// Still to be sent.
    Waiting,
    /// Failed for a recipient, and kept for a person to look at.
    Failed,
}

impl OutboxState {
    fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Failed => "failed",
        }
    }
}

/// A message, looked at in passing.
#[derive(Debug)]
pub struct OutboxEntry {
    /// The id.
    pub id: Id,
    /// The state.
    pub place: OutboxState,
    /// The contents of its journal, or the reason why it cannot be read.
    pub record: Result<DeliveryRecord, Error>,
}

/// All messages that wait, or failed.
#[derive(Clone)]
pub struct Outbox {
    disk: Arc<dyn Disk>,
    root: Arc<Path>,
}

impl Outbox {
    /// Creates the outbox at `root`, which need not exist.
    pub fn new(disk: Arc<dyn Disk>, root: &Path) -> Self {
        Self { disk, root: root.into() }
    }

    /// Returns the outbox's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Takes in a message that `write` writes: durable, or not there.
    ///
    /// # Errors
    ///
    /// Returns an error if the message could not be made durable.
    pub fn add(
        &self,
        id: &Id,
        order: QueuedEnvelope,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<LockedEntry, NotAdded> {
        let not_listed = |error| NotAdded { error, may_be_listed: false };
        self.prepare().map_err(not_listed)?;
        self.sweep();
        let lock = self.draft(id).map_err(not_listed)?;
        // From here on the name is this message's own.
        let filled = self.fill(id, &order, write).and_then(|filled| {
            self.publish(&self.tmp(id), OutboxState::Waiting, id)?;
            Ok(filled)
        });
        match filled {
            Ok((journal, length)) => {
                Ok(self.held(id, DeliveryRecord::new(order), journal, length, lock))
            }
            // A caller that is told of the failure must not find it listed.
            Err(error) => Err(NotAdded { error, may_be_listed: self.withdraw(id).is_err() }),
        }
    }

    /// Makes the directories. `waiting/` comes last, when the names of those above it are durable:
    /// where it is there, they are.
    fn prepare(&self) -> Result<(), Error> {
        let waiting = self.root.join(OutboxState::Waiting.name());
        let exists =
            self.disk.exists(&waiting).map_err(|error| Error::io("look at", &waiting, error));
        directory(&*self.disk, &self.root)?;
        if !exists? {
            for name in ["tmp", OutboxState::Failed.name()] {
                self.make_dir(&self.root.join(name))?;
            }
            sync_names(&*self.disk, &self.root)?;
            self.make_dir(&waiting)?;
        }
        self.sync(&self.root)
    }

    fn make_dir(&self, dir: &Path) -> Result<(), Error> {
        self.disk.make_dir(dir).map_err(|error| Error::create(dir, error))
    }

    /// Makes a message's directory and locks it. Another run that comes between both may take it
    /// for a leftover and remove it: then it is made again.
    fn draft(&self, id: &Id) -> Result<Lock, Error> {
        let dir = self.tmp(id);
        for _ in 0..TRIES {
            self.make_dir(&dir)?;
            if let Some(lock) = self.locked(&dir)? {
                return Ok(lock);
            }
        }
        Err(Error::Busy)
    }

    fn fill(
        &self,
        id: &Id,
        order: &QueuedEnvelope,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(Box<dyn File>, u64), Error> {
        let draft = self.tmp(id);
        let path = draft.join(MESSAGE);
        let mut message = self.disk.create(&path).map_err(|error| Error::create(&path, error))?;
        let written = write(&mut message).and_then(|()| message.sync());
        written.map_err(|error| Error::io("write", &path, error))?;
        let path = draft.join(JOURNAL);
        let failed = |error| Error::io("write", &path, error);
        let mut journal = self.disk.create(&path).map_err(|error| Error::create(&path, error))?;
        let text = order.text();
        journal.write_all(text.as_bytes()).and_then(|()| journal.sync()).map_err(failed)?;
        self.sync(&draft)?;
        Ok((journal, octets(text.len())))
    }

    fn held(
        &self,
        id: &Id,
        record: DeliveryRecord,
        journal: Box<dyn File>,
        length: u64,
        lock: Lock,
    ) -> LockedEntry {
        let (outbox, id, owed, is_torn) = (self.clone(), id.clone(), String::new(), false);
        LockedEntry { outbox, id, record, journal, length, owed, is_torn, _lock: lock }
    }

    /// Takes back a message that may have been published. `Ok` proves that it waits nowhere, also
    /// after a power cut.
    fn withdraw(&self, id: &Id) -> Result<(), Error> {
        if self.is_there(OutboxState::Waiting, id)? {
            let (from, to) = (self.place(OutboxState::Waiting, id), self.tmp(id));
            self.disk.rename(&from, &to).map_err(|error| Error::io("remove", &from, error))?;
            self.sync(&self.root.join(OutboxState::Waiting.name()))?;
        }
        self.clear(id);
        Ok(())
    }

    /// Every message, the oldest first.
    ///
    /// # Errors
    ///
    /// Returns an error if a directory cannot be read.
    pub fn list(&self) -> Result<Vec<OutboxEntry>, Error> {
        let ids = self.ids()?.into_iter();
        Ok(ids.filter_map(|(id, place)| self.entry(id, place)).collect())
    }

    /// The ids and states of all messages, the oldest first.
    ///
    /// # Errors
    ///
    /// Returns an error if a directory cannot be read.
    pub fn ids(&self) -> Result<Vec<(Id, OutboxState)>, Error> {
        let mut ids = Vec::new();
        for place in [OutboxState::Failed, OutboxState::Waiting] {
            let names = self.names(&self.root.join(place.name()))?;
            ids.extend(names.into_iter().map(|id| (id, place)));
        }
        ids.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(ids)
    }

    /// Looks at a message. Nothing is locked: a run that works on it meanwhile is not disturbed. `None`
    /// if it is not there any more.
    pub fn entry(&self, id: Id, place: OutboxState) -> Option<OutboxEntry> {
        let record = self.record(&self.place(place, &id));
        // What another run has just removed is not damaged.
        let is_gone = || matches!(self.is_there(place, &id), Ok(false));
        if matches!(record, Err(Error::NoFile(_))) && is_gone() {
            return None;
        }
        Some(OutboxEntry { id, place, record })
    }

    fn record(&self, dir: &Path) -> Result<DeliveryRecord, Error> {
        let path = dir.join(JOURNAL);
        let text = self.disk.read(&path).map_err(|error| Error::io("read", &path, error))?;
        let text = text.ok_or_else(|| Error::NoFile(path.clone()))?;
        let (record, _) = DeliveryRecord::read(&text, &path)?;
        let path = dir.join(MESSAGE);
        let exists = self.disk.exists(&path).map_err(|error| Error::io("look at", &path, error));
        if exists? { Ok(record) } else { Err(Error::NoFile(path)) }
    }

    /// The text of a message that waits, as it was written.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened.
    pub fn message(&self, id: &Id) -> Result<impl Read + use<>, Error> {
        let path = self.place(OutboxState::Waiting, id).join(MESSAGE);
        let opened = self.disk.open(&path);
        opened.map(|(file, _)| file).map_err(|error| Error::io("read", &path, error))
    }

    /// Locks a message that waits, so that no other run works on it.
    ///
    /// # Errors
    ///
    /// Returns an error if another run works on the message, it is not there, or its journal cannot
    /// be read.
    pub fn hold(&self, id: &Id) -> Result<LockedEntry, Error> {
        let lock = self.lock(id)?;
        let path = &self.place(OutboxState::Waiting, id).join(JOURNAL);
        let failed = |doing| move |error| Error::io(doing, path, error);
        let text = self.disk.read(path).map_err(failed("read"))?;
        let text = text.ok_or_else(|| Error::NoFile(path.clone()))?;
        let (record, length) = DeliveryRecord::read(&text, path)?;
        let (length, is_torn) = (octets(length), length < text.len());
        if is_torn {
            // Half a line, from a run that was cut off. The next must not be glued to it.
            self.disk.truncate(path, length).map_err(failed("mend"))?;
        }
        let journal = self.disk.append(path).map_err(failed("write"))?;
        Ok(self.held(id, record, journal, length, lock))
    }

    /// Removes a message in any state, with any contents of its journal.
    ///
    /// # Errors
    ///
    /// Returns an error if the message is not there, locked by another run, or cannot be removed.
    pub fn remove(&self, id: &Id) -> Result<(), Error> {
        match self.lock(id) {
            Ok(_lock) => self.drop_from(OutboxState::Waiting, id),
            Err(Error::Unknown(_)) if self.is_there(OutboxState::Failed, id)? => {
                self.drop_from(OutboxState::Failed, id)
            }
            Err(error) => Err(error),
        }
    }

    fn lock(&self, id: &Id) -> Result<Lock, Error> {
        let lock = self.locked(&self.place(OutboxState::Waiting, id));
        // Who had the lock before may have been done with the message.
        if !self.is_there(OutboxState::Waiting, id)? {
            return Err(Error::Unknown(id.to_string()));
        }
        lock?.ok_or(Error::Busy)
    }

    /// The lock on a message's directory; `None` if another run has it, or the directory is gone.
    fn locked(&self, dir: &Path) -> Result<Option<Lock>, Error> {
        let path = dir.join(LOCK);
        match self.disk.lock_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            lock => lock.map_err(|error| Error::io("lock", &path, error)),
        }
    }

    fn is_there(&self, place: OutboxState, id: &Id) -> Result<bool, Error> {
        let path = self.place(place, id);
        self.disk.exists(&path).map_err(|error| Error::io("look at", &path, error))
    }

    /// Removes what runs that were cut off left in tmp/: what no run holds the lock of. What cannot
    /// be removed now is left for another day.
    pub fn sweep(&self) {
        let states = [OutboxState::Waiting, OutboxState::Failed];
        for id in self.names(&self.root.join("tmp")).unwrap_or_default() {
            let Ok(Some(_lock)) = self.locked(&self.tmp(&id)) else { continue };
            // It may come from there, and must not be there again after a power cut, without its files.
            if states.iter().all(|state| self.sync(&self.root.join(state.name())).is_ok()) {
                self.clear(&id);
            }
        }
    }

    /// Returns the time until which the account's messages are held back since its login was
    /// refused, in seconds since 1970; `None` if they are not. A time in the future, noted by a clock
    /// that was wrong, counts for nothing.
    pub fn held_back_until(&self, account: &str, now: u64) -> Option<u64> {
        let text = self.disk.read(&self.logins(account)).ok()??;
        let lines = std::str::from_utf8(&text).ok()?.lines();
        let times = lines.filter_map(|line| line.strip_prefix("refused ")?.parse::<u64>().ok());
        let times = times.filter(|time| *time <= now);
        let (count, last) = times.fold((0_u32, 0), |(count, _), time| (count + 1, time));
        let until = last.saturating_add(pause(count, limits::RETRY).as_secs());
        (count > 0 && until > now).then_some(until)
    }

    /// Notes that the account's login was refused.
    pub fn login_refused(&self, account: &str, now: u64) {
        let path = self.logins(account);
        // It saves the server from being asked, no more.
        drop(self.disk.append(&path).and_then(|mut file| writeln!(file, "refused {now}")));
    }

    /// Notes that the account's login was accepted.
    pub fn login_accepted(&self, account: &str) {
        drop(self.disk.remove(&self.logins(account)));
    }

    fn logins(&self, account: &str) -> PathBuf {
        self.root.join(format!("login.{}", percent_encoded(account.as_bytes())))
    }

    fn names(&self, dir: &Path) -> Result<Vec<Id>, Error> {
        let names = match self.disk.list(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            names => names.map_err(|error| Error::io("read", dir, error))?,
        };
        // What this program did not put there is not its business.
        Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
    }

    /// Removes messages that wait, and makes that durable for all of them together.
    ///
    /// # Errors
    ///
    /// Returns the first error. A message that cannot be taken from those that wait stays there, with
    /// all that was recorded of it.
    pub fn remove_all(
        entries: impl IntoIterator<Item = LockedEntry>,
    ) -> Result<Vec<RemovedEntry>, Error> {
        let mut taken = Vec::<LockedEntry>::new();
        let mut first_error = None;
        for mut entry in entries {
            if let Err(error) = entry.outbox.take_from(OutboxState::Waiting, &entry.id) {
                first_error.get_or_insert(error);
                // The next run removes it, if it finds the answers.
                drop(entry.sync());
            } else {
                taken.push(entry);
            }
        }
        for of_one in taken.chunk_by(|one, other| one.outbox.root == other.outbox.root) {
            let Some(LockedEntry { outbox, .. }) = of_one.first() else { continue };
            // What may come back after a power cut is left in tmp/, whole.
            outbox.sync(&outbox.root.join(OutboxState::Waiting.name()))?;
        }
        match first_error {
            None => Ok(taken.into_iter().map(RemovedEntry).collect()),
            Some(error) => Err(error),
        }
    }

    fn drop_from(&self, place: OutboxState, id: &Id) -> Result<(), Error> {
        self.take_from(place, id)?;
        self.sync(&self.root.join(place.name()))?;
        self.clear(id);
        Ok(())
    }

    fn take_from(&self, place: OutboxState, id: &Id) -> Result<(), Error> {
        let (from, to) = (self.place(place, id), self.tmp(id));
        self.disk.rename(&from, &to).map_err(|error| Error::io("remove", &from, error))
    }

    /// Removes what is in tmp/. What cannot go now is swept away another day.
    fn clear(&self, id: &Id) {
        let dir = self.tmp(id);
        drop(self.disk.remove(&dir.join(MESSAGE)));
        drop(self.disk.remove(&dir.join(JOURNAL)));
        drop(self.disk.remove(&dir.join(LOCK)));
        drop(self.disk.remove_dir(&dir));
    }

    fn publish(&self, from: &Path, place: OutboxState, id: &Id) -> Result<(), Error> {
        let to = self.place(place, id);
        self.disk.rename(from, &to).map_err(|error| Error::create(&to, error))?;
        self.sync(&self.root.join(place.name()))
    }

    fn sync(&self, dir: &Path) -> Result<(), Error> {
        self.disk.sync_dir(dir).map_err(|error| Error::io("write", dir, error))
    }

    fn tmp(&self, id: &Id) -> PathBuf {
        self.root.join("tmp").join(&id.0)
    }

    fn place(&self, place: OutboxState, id: &Id) -> PathBuf {
        self.root.join(place.name()).join(&id.0)
    }
}

/// The reason why a message was not accepted.
#[derive(Debug)]
pub struct NotAdded {
    /// The reason.
    pub error: Error,
    /// True if it may be listed all the same: then no other run must send it.
    pub may_be_listed: bool,
}

#[cfg(test)]
mod tests;
