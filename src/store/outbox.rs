//! Messages that wait to be sent. Each has a directory of its own, and where that stands says what
//! the message is.
//!
//! ```text
//!        what happens                              cut off here, the next run
//!   1    tmp/ID/: lock, message, journal, fsync    removes it; it was not accepted yet
//!   2    rename to waiting/ID/, fsync waiting/     finds it there, and sends it
//!   3    journal: attempt                          the same
//!   4    journal: data; the last octets leave      sends it again, and says that it may come twice
//!   5    journal: what became of whom              goes on with those who have no answer
//!   6    rename to failed/ID/, or to tmp/ID/       finds no recipient left, and does this
//! ```
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

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::disk::{Disk, File, Lock};
use super::journal::{decoded_path, encoded_path, sync_names};
use super::{Error, directory};
use crate::limits;
use crate::text::{
    LocalName, Mailbox, Notify, RecipientStatus, Return, ReversePath, percent_decoded,
    percent_encoded, shown,
};

const HEADER: &str = "postie outbox 2";
/// The version of the format in [`HEADER`].
const VERSION: u64 = 2;
const LOCK: &str = "lock";
const JOURNAL: &str = "journal";
const MESSAGE: &str = "message.eml";

/// The most of the time between two attempts that counts as waiting.
const DAY: u64 = 24 * 60 * 60;

/// The number of attempts to find a free name in tmp/ while other runs remove leftovers.
const TRIES: u32 = 10;

/// The id of a message in the outbox: its time, and a random number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(String);

impl Id {
    /// A new one.
    pub fn new(seconds: u64, random: u64) -> Self {
        Self(format!("{seconds:08x}.{:08x}", random >> 32))
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

/// A queued message's envelope and options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedEnvelope {
    /// The time when it was accepted, in seconds since 1970.
    pub received: u64,
    /// The configuration file in force then.
    pub config: PathBuf,
    /// The account to send it with; known unless the order is incomplete.
    pub account: Option<String>,
    /// The reverse-path; known unless the order is incomplete.
    pub from: Option<ReversePath>,
    /// True if the configuration could not be used: an attempt chooses account and reverse-path
    /// unless they are given, resolves aliases and completes the header.
    pub is_incomplete: bool,
    /// The sender's name, for a From field that is still to be added.
    pub full_name: Option<String>,
    /// The recipients.
    pub recipients: Vec<Mailbox>,
    /// Recipients that `[aliases]` is still to resolve.
    pub aliases: Vec<LocalName>,
    /// The occasions for a delivery status notification (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// The part of the message that a notification holds (RFC 3461 §4.3).
    pub ret: Option<Return>,
    /// The envelope identifier in them.
    pub envid: String,
    /// The message's subject, if it has one.
    pub subject: Option<String>,
    /// True if every hop must use TLS (RFC 8689).
    pub require_tls: bool,
    /// True if a refused recipient stops the message for all.
    pub is_all_or_nothing: bool,
}

impl QueuedEnvelope {
    /// The beginning of a journal.
    fn text(&self) -> String {
        let (received, config) = (self.received, encoded_path(&self.config));
        let mut text = format!("{HEADER}\nreceived {received}\nconfig {config}\n");
        let mut add = |word, value: Option<String>| {
            text.extend(value.map(|value| format!("{word} {value}\n")));
        };
        let name = |name: &String| percent_encoded(name.as_bytes()).into_owned();
        add("account", self.account.as_ref().map(name));
        add("from", self.from.as_ref().map(|from| reverse_path(from).into_owned()));
        add("full-name", self.full_name.as_ref().map(name));
        add("notify", self.notify.as_ref().map(ToString::to_string));
        add("return", self.ret.as_ref().map(ToString::to_string));
        add("envid", Some(self.envid.clone()));
        add("subject", self.subject.as_ref().map(name));
        for mailbox in &self.recipients {
            add("to", Some(encoded(mailbox).into()));
        }
        for alias in &self.aliases {
            add("to-alias", Some(name(&alias.to_string())));
        }
        if self.is_incomplete {
            text += "incomplete\n";
        }
        if self.require_tls {
            text += "require-tls\n";
        }
        if self.is_all_or_nothing {
            text += "all-or-nothing\n";
        }
        text + "\n"
    }
}

/// The result of an attempt for the recipients that still wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// The server refused for now, or broke off, or something on this side failed.
    Deferred,
    /// There was no connection.
    Unreachable,
    /// The login was refused.
    LoginRefused,
    /// The server may have taken the message.
    InDoubt,
}

impl AttemptResult {
    const NAMES: [(&'static str, Self); 4] = [
        ("deferred", Self::Deferred),
        ("unreachable", Self::Unreachable),
        ("login-refused", Self::LoginRefused),
        ("in-doubt", Self::InDoubt),
    ];
}

/// The final outcome for a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The server took the message for it, with this reply.
    Accepted(String),
    /// The server refused it permanently, with this reply.
    Refused(String),
    /// The message cannot be sent to it, for this reason.
    NotSent(String),
    /// The message has waited for too long, last for this reason.
    Abandoned(String),
}

impl Answer {
    /// Returns the status, whose word is in the journal, and the server's reply or the reason.
    pub fn parts(&self) -> (RecipientStatus, &str) {
        match self {
            Self::Accepted(reply) => (RecipientStatus::Accepted, reply),
            Self::Refused(reply) => (RecipientStatus::Refused, reply),
            Self::NotSent(reason) => (RecipientStatus::NotSent, reason),
            Self::Abandoned(reason) => (RecipientStatus::Abandoned, reason),
        }
    }

    /// `None` unless the status is final.
    fn new(status: RecipientStatus, text: String) -> Option<Self> {
        Some(match status {
            RecipientStatus::Accepted => Self::Accepted(text),
            RecipientStatus::Refused => Self::Refused(text),
            RecipientStatus::NotSent => Self::NotSent(text),
            RecipientStatus::Abandoned => Self::Abandoned(text),
            RecipientStatus::Deferred | RecipientStatus::InDoubt | RecipientStatus::Queued => {
                return None;
            }
        })
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Accepted(reply) | Self::NotSent(reply) => f.write_str(reply),
            Self::Refused(reply) => write!(f, "refused: {reply}"),
            Self::Abandoned(reason) => {
                let days = limits::GIVE_UP.as_secs() / DAY;
                write!(f, "abandoned after {days} days: {reason}")
            }
        }
    }
}

/// The state of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxState {
    /// It is still to be sent.
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
    root: PathBuf,
}

impl Outbox {
    /// The one at `root`, which need not be there.
    pub fn new(disk: Arc<dyn Disk>, root: &Path) -> Self {
        Self { disk, root: root.to_owned() }
    }

    /// The directory.
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
        let (outbox, id, owed) = (self.clone(), id.clone(), String::new());
        LockedEntry { outbox, id, record, journal, length, owed, _lock: lock }
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

    /// Every message, the oldest first. Nothing is locked: a run that works on one meanwhile is not
    /// disturbed.
    ///
    /// # Errors
    ///
    /// Returns an error if a directory cannot be read.
    pub fn list(&self) -> Result<Vec<OutboxEntry>, Error> {
        let mut listed = Vec::new();
        for place in [OutboxState::Failed, OutboxState::Waiting] {
            for id in self.names(&self.root.join(place.name()))? {
                let path = self.place(place, &id).join(JOURNAL);
                let text = self.disk.read(&path).map_err(|error| Error::io("read", &path, error));
                let record = match text {
                    Ok(Some(text)) => DeliveryRecord::read(&text, &path).map(|(record, _)| record),
                    // It may have gone since; without its journal it is damaged.
                    Ok(None) if !self.is_there(place, &id)? => continue,
                    Ok(None) => Err(Error::NoJournal(path)),
                    Err(error) => Err(error),
                };
                listed.push(OutboxEntry { id, place, record });
            }
        }
        listed.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(listed)
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
        let text = text.ok_or_else(|| Error::NoJournal(path.clone()))?;
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
        let unknown = || Error::Unknown(id.to_string());
        if !self.is_there(OutboxState::Waiting, id)? {
            return Err(unknown());
        }
        let lock = match self.locked(&self.place(OutboxState::Waiting, id)) {
            // Who had the lock before may have been done with the message.
            _ if !self.is_there(OutboxState::Waiting, id)? => return Err(unknown()),
            lock => lock?,
        };
        lock.ok_or(Error::Busy)
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
    fn sweep(&self) {
        for id in self.names(&self.root.join("tmp")).unwrap_or_default() {
            if let Ok(Some(_lock)) = self.locked(&self.tmp(&id)) {
                self.clear(&id);
            }
        }
    }

    /// Returns the time until which the account's messages are held back since its login was
    /// refused, in seconds since 1970; `None` if they are not. A time in the future counts as
    /// `now`.
    pub fn held_back_until(&self, account: &str, now: u64) -> Option<u64> {
        let text = self.disk.read(&self.logins(account)).ok()??;
        let lines = std::str::from_utf8(&text).ok()?.lines();
        let times = lines.filter_map(|line| line.strip_prefix("refused ")?.parse::<u64>().ok());
        let (count, last) = times.fold((0_u32, 0), |(count, _), time| (count + 1, time));
        let until = last.min(now).saturating_add(pause(count, limits::RETRY).as_secs());
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

    fn drop_from(&self, place: OutboxState, id: &Id) -> Result<(), Error> {
        let (from, to) = (self.place(place, id), self.tmp(id));
        self.disk.rename(&from, &to).map_err(|error| Error::io("remove", &from, error))?;
        self.sync(&self.root.join(place.name()))?;
        self.clear(id);
        Ok(())
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

/// A locked message that waits.
pub struct LockedEntry {
    outbox: Outbox,
    id: Id,
    record: DeliveryRecord,
    journal: Box<dyn File>,
    /// The length of the journal's whole lines, in octets.
    length: u64,
    /// Lines that are still to be written behind them.
    owed: String,
    _lock: Lock,
}

impl LockedEntry {
    /// The id.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// The contents of its journal.
    pub fn record(&self) -> &DeliveryRecord {
        &self.record
    }

    /// The message, as it was written.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened.
    pub fn message(&self) -> Result<impl Read + use<>, Error> {
        let path = self.path().join(MESSAGE);
        let opened = self.outbox.disk.open(&path);
        opened.map(|(file, _)| file).map_err(|error| Error::io("read", &path, error))
    }

    /// An account was chosen, and `[aliases]` resolved: the message is sent with it from now on, by
    /// this reverse-path and to these recipients.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn resolve(
        &mut self,
        now: u64,
        account: &str,
        from: &ReversePath,
        recipients: &[Mailbox],
    ) -> Result<(), Error> {
        let account = percent_encoded(account.as_bytes());
        let mut text = format!("account {account}\nfrom {}\n", reverse_path(from));
        for mailbox in recipients {
            text += &format!("to {}\n", encoded(mailbox));
        }
        self.write(&format!("{text}resolved {now}\n"))
    }

    /// The configuration lacks what the message needs, which is being reported.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn missing(&mut self, now: u64, what: &str) -> Result<(), Error> {
        self.write(&format!("missing {now} {}\n", shown(what)))
    }

    /// An attempt begins.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn begin(&mut self, now: u64) -> Result<(), Error> {
        self.write(&format!("attempt {now}\n"))
    }

    /// The end of the message is about to leave: from here on the server may have taken it.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be made durable: then the end must not be sent.
    pub fn mark_data(&mut self, now: u64) -> Result<(), Error> {
        self.write(&format!("data {now}\n"))
    }

    /// The server has answered for these recipients: they have the message, or never will. Without
    /// a verdict on the message itself, what was in doubt stays so.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn answer<'a>(
        &mut self,
        now: u64,
        answers: impl IntoIterator<Item = (&'a Mailbox, Answer)>,
        verdict: Option<&str>,
    ) -> Result<(), Error> {
        let mut text = String::new();
        for (mailbox, answer) in answers {
            let (word, reply) = answer.parts();
            text += &format!("{word} {} {}\n", encoded(mailbox), shown(reply));
        }
        if let Some(verdict) = verdict {
            text += &format!("reply {now} {}\n", shown(verdict));
        }
        if text.is_empty() { Ok(()) } else { self.write(&text) }
    }

    /// Records that the sender was told of every recipient that will never get the message.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn record_notification(&mut self, now: u64) -> Result<(), Error> {
        self.write(&format!("notified {now}\n"))
    }

    /// The attempt is over, for those who are still to get the message.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn end(&mut self, now: u64, ending: AttemptResult, reason: &str) -> Result<(), Error> {
        let word =
            AttemptResult::NAMES.iter().find(|(_, named)| *named == ending).map_or("", |row| row.0);
        self.write(&format!("{word} {now} {}\n", shown(reason)))
    }

    /// Drops the message: each recipient has it, or the sender knows of those who have not.
    ///
    /// # Errors
    ///
    /// Returns an error if the message cannot be removed.
    pub fn remove(self) -> Result<(), Error> {
        self.outbox.drop_from(OutboxState::Waiting, &self.id)
    }

    /// Puts the message where a person will look at it, and says where that is.
    ///
    /// # Errors
    ///
    /// Returns an error if the message cannot be moved.
    pub fn fail(self) -> Result<PathBuf, Error> {
        let Self { outbox, id, .. } = &self;
        outbox.publish(&self.path(), OutboxState::Failed, id)?;
        outbox.sync(&outbox.root.join(OutboxState::Waiting.name()))?;
        Ok(outbox.place(OutboxState::Failed, id))
    }

    fn path(&self) -> PathBuf {
        self.outbox.place(OutboxState::Waiting, &self.id)
    }

    /// Makes lines durable. What they say is true, even if it cannot be written; the next are
    /// written behind it then, and not behind the half of it that was.
    fn write(&mut self, text: &str) -> Result<(), Error> {
        text.lines().for_each(|line| self.record.take(line).unwrap_or_default());
        let path = self.path().join(JOURNAL);
        let mended = match self.owed.as_str() {
            "" => Ok(()),
            _ => self.outbox.disk.truncate(&path, self.length),
        };
        self.owed += text;
        mended
            .and_then(|()| self.journal.write_all(self.owed.as_bytes()))
            .and_then(|()| self.journal.sync())
            .map_err(|error| Error::io("write", &path, error))?;
        self.length = self.length.saturating_add(octets(self.owed.len()));
        self.owed.clear();
        Ok(())
    }
}

/// The contents of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The envelope and options.
    pub order: QueuedEnvelope,
    /// True if account, reverse-path and recipients are known.
    pub is_resolved: bool,
    /// Final answers, and whether the sender knows of them.
    answers: HashMap<Mailbox, (Answer, bool)>,
    /// The number of attempts.
    pub attempts: u32,
    /// The time of the last attempt.
    pub tried: Option<u64>,
    /// The time over which it was tried, in seconds; of a pause between two attempts, a day at most
    /// counts.
    waited: u64,
    /// The last reply, or the last failure to reach the server.
    pub last: Option<String>,
    /// The configuration that is missing, and the time of the last report of it.
    pub missing: Option<(u64, String)>,
    ending: Option<AttemptResult>,
    /// An attempt's choices, while not all of them are known to be there.
    resolving: (Option<String>, Option<ReversePath>, Vec<Mailbox>),
    /// The end of the message left, and nothing is known of a final reply.
    is_handed_over: bool,
    is_in_doubt: bool,
}

impl DeliveryRecord {
    fn new(order: QueuedEnvelope) -> Self {
        Self {
            is_resolved: !order.is_incomplete,
            order,
            answers: HashMap::new(),
            attempts: 0,
            tried: None,
            waited: 0,
            last: None,
            missing: None,
            ending: None,
            resolving: (None, None, Vec::new()),
            is_handed_over: false,
            is_in_doubt: false,
        }
    }

    /// Returns whether all recipients are known and each of them has a final answer.
    pub fn is_finished(&self) -> bool {
        self.is_resolved && self.waiting().is_empty()
    }

    /// The recipients that still wait.
    pub fn waiting(&self) -> Vec<Mailbox> {
        let all = self.order.recipients.iter();
        all.filter(|mailbox| self.waits_for(mailbox)).cloned().collect()
    }

    /// Returns whether this recipient still waits.
    pub fn waits_for(&self, mailbox: &Mailbox) -> bool {
        !self.answers.contains_key(mailbox)
    }

    /// The final answer for a recipient, if there is one. `None` if the recipient still waits.
    pub fn answer(&self, mailbox: &Mailbox) -> Option<&Answer> {
        self.answers.get(mailbox).map(|(answer, _)| answer)
    }

    /// The number of recipients that were accepted.
    pub fn sent(&self) -> usize {
        self.answers.values().filter(|(answer, _)| matches!(answer, Answer::Accepted(_))).count()
    }

    /// The recipients that will never get the message, with the reason, unless the sender was told.
    pub fn failed(&self) -> Vec<(&Mailbox, &Answer)> {
        let failed = |mailbox| match self.answers.get(mailbox)? {
            (Answer::Accepted(_), _) | (_, true) => None,
            (answer, false) => Some((mailbox, answer)),
        };
        self.order.recipients.iter().filter_map(failed).collect()
    }

    /// Returns whether a recipient may get the message twice, since the final reply to an attempt
    /// was lost.
    pub fn may_be_duplicate(&self) -> bool {
        self.is_in_doubt || self.is_handed_over
    }

    /// Returns whether an attempt began and did not end: it is in progress, or was interrupted.
    pub fn is_under_way(&self) -> bool {
        self.attempts > 0 && self.ending.is_none() && !self.waiting().is_empty()
    }

    /// The time of the next attempt. A time in the future counts as `now`.
    pub fn due(&self, now: u64) -> u64 {
        let most = match self.ending {
            Some(AttemptResult::Unreachable) => limits::RETRY_UNREACHED,
            _ => limits::RETRY,
        };
        match self.tried {
            None => self.order.received.min(now),
            // A clock that was put back does not make it wait.
            Some(tried) if tried > now => now,
            Some(tried) => tried.saturating_add(pause(self.attempts, most).as_secs()),
        }
    }

    /// Returns whether the next attempt is due.
    pub fn is_due(&self, now: u64) -> bool {
        now >= self.due(now)
    }

    /// Returns whether the message has been tried for the longest time (RFC 5321 §4.5.4.1).
    /// Attempts count, not the time when it was accepted, which a wrong clock may have given.
    pub fn is_too_old(&self) -> bool {
        self.waited > limits::GIVE_UP.as_secs()
    }

    /// Understands a journal; also says how many octets of it are whole lines.
    fn read(text: &[u8], path: &Path) -> Result<(Self, usize), Error> {
        let wrong = |line| Error::Journal { path: path.to_owned(), line };
        // A newer program's words mean something else.
        let version = text.strip_prefix(b"postie outbox ").map(|rest| {
            let digits = rest.split(|&octet| octet == b'\n').next().unwrap_or_default();
            std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok())
        });
        if let Some(Some(version)) =
            version.filter(|version| version.is_some_and(|it| it > VERSION))
        {
            return Err(Error::NewerJournal { path: path.to_owned(), version });
        }
        let mut reading = Reading::default();
        let (mut end, mut length, mut torn) = (0, 0, None);
        for (index, line) in text.split_inclusive(|&octet| octet == b'\n').enumerate() {
            let line_text =
                line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
            let understood = line_text.and_then(|line| reading.line(index, line));
            end += line.len();
            match (understood, torn) {
                (Some(()), None) => length = end,
                (Some(()), Some((line, is_hole))) => match &mut reading {
                    // A page that got lost while a later one did not leaves NULs. It may have said
                    // that the end of the message left, or who got it.
                    Reading::Record(record) if is_hole => {
                        record.is_in_doubt = true;
                        (length, torn) = (end, None);
                    }
                    // A torn write leaves its mark at the end. With sense behind it, it was none.
                    _ => return Err(wrong(line)),
                },
                (None, None) => torn = Some((index + 1, line.contains(&0))),
                (None, Some(_)) => {}
            }
        }
        match reading {
            Reading::Record(record) => Ok((*record, length)),
            // It was whole before it had its name.
            Reading::Order(_) => Err(wrong(torn.map_or(1, |(line, _)| line))),
        }
    }

    /// Takes in a line of history.
    fn take(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        let (first, words) = rest.split_once(' ').unwrap_or((rest, ""));
        let words = Some(words.to_owned()).filter(|words| !words.is_empty());
        match word {
            "account" => self.resolving = (Some(decoded(first)?), None, Vec::new()),
            "from" => self.resolving.1 = Some(decoded(first)?.parse().ok()?),
            "to" => self.resolving.2.push(mailbox(first)?),
            "resolved" => {
                first.parse::<u64>().ok()?;
                let (account, from, recipients) = std::mem::take(&mut self.resolving);
                // A message without a recipient would count as finished.
                (!recipients.is_empty()).then_some(())?;
                (self.order.account, self.order.from) = (Some(account?), Some(from?));
                self.order.recipients = recipients;
                self.order.aliases.clear();
                self.is_resolved = true;
            }
            "missing" => self.missing = Some((first.parse().ok()?, words.unwrap_or_default())),
            "attempt" => {
                let now: u64 = first.parse().ok()?;
                self.is_in_doubt |= self.is_handed_over;
                self.is_handed_over = false;
                self.attempts = self.attempts.saturating_add(1);
                // What a clock showed that was wrong is no time to count from.
                let tried = self.tried.filter(|&tried| tried >= limits::EARLIEST);
                let since = tried.map_or(0, |tried| now.saturating_sub(tried));
                self.waited = self.waited.saturating_add(since.min(DAY));
                self.tried = Some(now);
                self.ending = None;
            }
            "data" => {
                first.parse::<u64>().ok()?;
                self.is_handed_over = true;
            }
            "notified" => {
                first.parse::<u64>().ok()?;
                self.answers.values_mut().for_each(|(_, is_notified)| *is_notified = true);
            }
            "reply" => {
                first.parse::<u64>().ok()?;
                self.is_handed_over = false;
                self.last = words;
            }
            _ => {
                if let Some((_, ending)) =
                    AttemptResult::NAMES.iter().find(|(name, _)| *name == word)
                {
                    first.parse::<u64>().ok()?;
                    self.is_handed_over = false;
                    self.is_in_doubt |= *ending == AttemptResult::InDoubt;
                    self.ending = Some(*ending);
                    self.last = words;
                } else {
                    let answer = Answer::new(word.parse().ok()?, words.unwrap_or_default())?;
                    self.answers.insert(mailbox(first)?, (answer, false));
                }
            }
        }
        Some(())
    }
}

/// A journal, as its lines come by: the order first.
enum Reading {
    Order(Box<Draft>),
    Record(Box<DeliveryRecord>),
}

/// An order of which not all is known.
#[derive(Default)]
struct Draft {
    received: Option<u64>,
    config: Option<PathBuf>,
    account: Option<String>,
    from: Option<ReversePath>,
    is_incomplete: bool,
    full_name: Option<String>,
    recipients: Vec<Mailbox>,
    aliases: Vec<LocalName>,
    notify: Option<Notify>,
    ret: Option<Return>,
    envid: String,
    subject: Option<String>,
    require_tls: bool,
    is_all_or_nothing: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self::Order(Box::default())
    }
}

impl Reading {
    fn line(&mut self, index: usize, line: &str) -> Option<()> {
        if index == 0 {
            return (line == HEADER).then_some(());
        }
        match self {
            Self::Record(record) => record.take(line),
            Self::Order(draft) if line.is_empty() => {
                *self = Self::Record(Box::new(DeliveryRecord::new(draft.finish()?)));
                Some(())
            }
            Self::Order(draft) => draft.line(line),
        }
    }
}

impl Draft {
    fn line(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "received" => self.received = Some(rest.parse().ok()?),
            "full-name" => self.full_name = Some(decoded(rest)?),
            "to-alias" => self.aliases.push(decoded(rest)?.parse().ok()?),
            "config" => self.config = Some(decoded_path(rest.as_bytes())?),
            "account" => self.account = Some(decoded(rest)?),
            "from" if rest.is_empty() => return None,
            "from" => self.from = Some(decoded(rest)?.parse().ok()?),
            "to" => self.recipients.push(mailbox(rest)?),
            "notify" => self.notify = Some(rest.parse().ok()?),
            "return" => self.ret = Some(rest.parse().ok()?),
            "envid" => rest.clone_into(&mut self.envid),
            "subject" => self.subject = Some(decoded(rest)?),
            "incomplete" => self.is_incomplete = true,
            "require-tls" => self.require_tls = true,
            "all-or-nothing" => self.is_all_or_nothing = true,
            _ => return None,
        }
        Some(())
    }

    fn finish(&mut self) -> Option<QueuedEnvelope> {
        let draft = std::mem::take(self);
        let has_recipient = !draft.recipients.is_empty() || !draft.aliases.is_empty();
        let is_known = draft.account.is_some() && draft.from.is_some() && draft.aliases.is_empty();
        let is_whole = has_recipient && (is_known || draft.is_incomplete);
        is_whole.then_some(())?;
        Some(QueuedEnvelope {
            received: draft.received?,
            config: draft.config?,
            account: draft.account,
            from: draft.from,
            is_incomplete: draft.is_incomplete,
            full_name: draft.full_name,
            recipients: draft.recipients,
            aliases: draft.aliases,
            notify: draft.notify,
            ret: draft.ret,
            envid: draft.envid,
            subject: draft.subject,
            require_tls: draft.require_tls,
            is_all_or_nothing: draft.is_all_or_nothing,
        })
    }
}

/// The pause after this many attempts: it doubles with each, up to `most`.
fn pause(attempts: u32, most: Duration) -> Duration {
    limits::FIRST_RETRY.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(most)
}

fn octets(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn encoded(mailbox: &Mailbox) -> Cow<'_, str> {
    percent_encoded(mailbox.as_str().as_bytes())
}

fn reverse_path(from: &ReversePath) -> Cow<'_, str> {
    from.mailbox().map_or_else(|| percent_encoded(b"<>"), encoded)
}

fn mailbox(text: &str) -> Option<Mailbox> {
    decoded(text)?.parse().ok()
}

fn decoded(text: &str) -> Option<String> {
    String::from_utf8(percent_decoded(text.as_bytes())?.into_owned()).ok()
}

#[cfg(test)]
mod tests;
