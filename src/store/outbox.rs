//! Messages that wait to be sent. Each has a directory of its own, and where that stands says what
//! the message is.
//!
//! ```text
//!        what happens                              cut off here, the next run
//!   1    tmp/ID/: message and journal, fsync       removes it in a day; nobody counted on it yet
//!   2    rename to waiting/ID/, fsync waiting/     finds it there, and sends it
//!   3    journal: try                              the same
//!   4    journal: data; the last octets leave      sends it again, and says that it may come twice
//!   5    journal: what became of whom              goes on with those who have no answer
//!   6    rename to failed/ID/, or to tmp/ID/       finds nobody left to send to, and does this
//! ```
//!
//! The journal is text that a person can read, and only ever added to:
//!
//! ```text
//! postie outbox 1
//! accepted TIME                 when the message came
//! config FILE                   where the account is
//! account NAME
//! from ADDRESS                  where failures are reported to; `<>` for nowhere
//! notify WORDS, return WORD     the reports that were asked for, if any
//! envid TEXT                    what they call the message
//! require-tls                   if it is to go by TLS all the way
//! all-or-nothing                unless some will do
//! to ADDRESS                    for each recipient
//! try TIME                      an attempt begins
//! data TIME                     the end of the message is about to leave
//! sent ADDRESS REPLY            this recipient has it
//! failed ADDRESS REASON         this one never will
//! verdict TIME REPLY            so much for a transaction
//! told TIME                     whoever sent the message knows of all who failed
//! later TIME REASON             the attempt is over: refused for now,
//! unreached TIME REASON         or there was no connection,
//! doubt TIME REASON             or the verdict was lost
//! ```
//!
//! Times are seconds since 1970; names, paths and addresses are percent-encoded. Whoever works on a
//! message holds a lock on its journal, and on nothing else.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::disk::{Disk, File, Lock};
use super::journal::{decoded_path, encoded_path};
use super::{Error, directory};
use crate::limits;
use crate::text::{Mailbox, Notify, Return, ReversePath, percent_decoded, percent_encoded, shown};

const HEADER: &str = "postie outbox 1";
const JOURNAL: &str = "journal";
const MESSAGE: &str = "message.eml";

/// Nobody takes a day over the first two steps.
const DAY: u64 = 24 * 60 * 60;

/// What a message in the outbox is called: when it came, and a number drawn at random.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(String);

impl Id {
    /// A new one.
    pub fn new(seconds: u64, random: u64) -> Self {
        Self(format!("{seconds:08x}.{:08x}", random >> 32))
    }

    fn seconds(&self) -> Option<u64> {
        u64::from_str_radix(self.0.split('.').next()?, 16).ok()
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

/// What is to be done with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// When it came, in seconds since 1970.
    pub accepted: u64,
    /// The configuration file that knows the account.
    pub config: PathBuf,
    /// The account to send it with.
    pub account: String,
    /// The reverse-path.
    pub from: ReversePath,
    /// Who gets it.
    pub recipients: Vec<Mailbox>,
    /// On which occasions reports are wanted.
    pub notify: Option<Notify>,
    /// How much of the message they hold.
    pub ret: Option<Return>,
    /// What they call it.
    pub envid: String,
    /// Whether it is to go by TLS all the way.
    pub require_tls: bool,
    /// Whether nobody gets it unless everybody does.
    pub is_all_or_nothing: bool,
}

impl Order {
    /// The beginning of a journal.
    fn text(&self) -> String {
        let mut text = format!(
            "{HEADER}\naccepted {}\nconfig {}\naccount {}\nfrom {}\n",
            self.accepted,
            encoded_path(&self.config),
            percent_encoded(self.account.as_bytes()),
            reverse_path(&self.from),
        );
        let mut add = |word, value: Option<String>| {
            text.extend(value.map(|value| format!("{word} {value}\n")));
        };
        add("notify", self.notify.as_ref().map(ToString::to_string));
        add("return", self.ret.as_ref().map(ToString::to_string));
        add("envid", Some(self.envid.clone()));
        for mailbox in &self.recipients {
            add("to", Some(encoded(mailbox).into()));
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

/// How an attempt ended for those who are still to get the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The server said so, or broke off.
    Later,
    /// There was no connection.
    Unreached,
    /// The server may have taken the message.
    Doubt,
}

impl Ending {
    const NAMES: [(&'static str, Self); 3] =
        [("later", Self::Later), ("unreached", Self::Unreached), ("doubt", Self::Doubt)];
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is still to be sent.
    Waiting,
    /// Somebody will not get it.
    Failed,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Failed => "failed",
        }
    }
}

/// A message, looked at in passing.
#[derive(Debug)]
pub struct Listed {
    /// What it is called.
    pub id: Id,
    /// Where it stands.
    pub place: Place,
    /// Whether somebody is working on it right now.
    pub is_busy: bool,
    /// What its journal says.
    pub record: Result<Record, Error>,
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

    /// Takes in a message that `write` writes: durable, or not there.
    pub fn add(
        &self,
        id: &Id,
        order: Order,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Held, Error> {
        directory(&super::disk::Os, &self.root)?;
        for name in ["tmp", Place::Failed.name(), Place::Waiting.name()] {
            let dir = self.root.join(name);
            self.disk.make_dir(&dir).map_err(|error| Error::create(&dir, error))?;
        }
        for dir in self.root.ancestors().take(2) {
            self.sync(dir)?;
        }
        self.sweep(order.accepted)?;
        let draft = self.tmp(id);
        self.disk.make_dir(&draft).map_err(|error| Error::create(&draft, error))?;
        let path = draft.join(MESSAGE);
        // From here on the name is this message's own.
        let file = self.disk.create(&path).map_err(|error| Error::create(&path, error))?;
        let added = self.fill(id, file, order, write);
        if added.is_err() {
            // Whoever is told that it failed must not find it listed.
            self.withdraw(id);
        }
        added
    }

    fn fill(
        &self,
        id: &Id,
        mut message: Box<dyn File>,
        order: Order,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Held, Error> {
        let draft = self.tmp(id);
        let path = draft.join(MESSAGE);
        let written = write(&mut message).and_then(|()| message.sync());
        written.map_err(|error| Error::io("write", &path, error))?;
        let path = draft.join(JOURNAL);
        let failed = |error| Error::io("write", &path, error);
        let mut journal = self.disk.create(&path).map_err(|error| Error::create(&path, error))?;
        let lock = self.locked(&path)?.ok_or(Error::Busy)?;
        let text = order.text();
        journal.write_all(text.as_bytes()).and_then(|()| journal.sync()).map_err(failed)?;
        self.sync(&draft)?;
        self.publish(&draft, Place::Waiting, id)?;
        let record = Record::new(order);
        Ok(self.held(id, record, journal, octets(text.len()), lock))
    }

    fn held(
        &self,
        id: &Id,
        record: Record,
        journal: Box<dyn File>,
        length: u64,
        lock: Lock,
    ) -> Held {
        let (outbox, id, owed) = (self.clone(), id.clone(), String::new());
        Held { outbox, id, record, journal, length, owed, _lock: lock }
    }

    fn withdraw(&self, id: &Id) {
        if !self.disk.exists(&self.tmp(id)).unwrap_or(true) {
            drop(self.disk.rename(&self.place(Place::Waiting, id), &self.tmp(id)));
        }
        self.clear(id);
    }

    /// Every message, the oldest first.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        let mut listed = Vec::new();
        for place in [Place::Failed, Place::Waiting] {
            for id in self.names(&self.root.join(place.name()))? {
                let path = self.place(place, &id).join(JOURNAL);
                let text = self.disk.read(&path).map_err(|error| Error::io("read", &path, error));
                // It may have gone since.
                let Some(text) = text.transpose() else { continue };
                let record = text.and_then(|text| Ok(Record::read(&text, &path)?.0));
                let is_busy = matches!(self.locked(&path), Ok(None));
                listed.push(Listed { id, place, is_busy, record });
            }
        }
        listed.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(listed)
    }

    /// Takes hold of a message that waits, so that nobody else works on it.
    pub fn hold(&self, id: &Id) -> Result<Held, Error> {
        let lock = self.lock(id)?;
        let path = &self.place(Place::Waiting, id).join(JOURNAL);
        let failed = |doing| move |error| Error::io(doing, path, error);
        let text = self.disk.read(path).map_err(failed("read"))?.unwrap_or_default();
        let (record, length) = Record::read(&text, path)?;
        let (length, is_torn) = (octets(length), length < text.len());
        if is_torn {
            // Half a line, from a run that was cut off. The next must not be glued to it.
            self.disk.truncate(path, length).map_err(failed("mend"))?;
        }
        let journal = self.disk.append(path).map_err(failed("write"))?;
        Ok(self.held(id, record, journal, length, lock))
    }

    /// Drops a message, whether it waits or failed, and whatever its journal says.
    pub fn remove(&self, id: &Id) -> Result<(), Error> {
        match self.lock(id) {
            Ok(_lock) => self.drop_from(Place::Waiting, id),
            Err(Error::Unknown(_)) if self.is_there(Place::Failed, id)? => {
                self.drop_from(Place::Failed, id)
            }
            Err(error) => Err(error),
        }
    }

    fn lock(&self, id: &Id) -> Result<Lock, Error> {
        let unknown = || Error::Unknown(id.to_string());
        if !self.is_there(Place::Waiting, id)? {
            return Err(unknown());
        }
        let path = self.place(Place::Waiting, id).join(JOURNAL);
        let lock = self.locked(&path)?.ok_or(Error::Busy)?;
        // Who had the lock before may have been done with the message.
        if self.is_there(Place::Waiting, id)? { Ok(lock) } else { Err(unknown()) }
    }

    /// The lock on a journal; `None` if somebody else has it, or if the journal is gone.
    fn locked(&self, path: &Path) -> Result<Option<Lock>, Error> {
        match self.disk.lock(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            lock => lock.map_err(|error| Error::io("lock", path, error)),
        }
    }

    fn is_there(&self, place: Place, id: &Id) -> Result<bool, Error> {
        let path = self.place(place, id);
        self.disk.exists(&path).map_err(|error| Error::io("look at", &path, error))
    }

    /// Removes what runs that were cut off left in tmp/.
    fn sweep(&self, now: u64) -> Result<(), Error> {
        let is_old =
            |id: &Id| id.seconds().is_some_and(|seconds| seconds < now.saturating_sub(DAY));
        self.names(&self.root.join("tmp"))?
            .iter()
            .filter(|id| is_old(id))
            .for_each(|id| self.clear(id));
        Ok(())
    }

    fn names(&self, dir: &Path) -> Result<Vec<Id>, Error> {
        let names = match self.disk.list(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            names => names.map_err(|error| Error::io("read", dir, error))?,
        };
        // What this program did not put there is not its business.
        Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
    }

    fn drop_from(&self, place: Place, id: &Id) -> Result<(), Error> {
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
        drop(self.disk.remove_dir(&dir));
    }

    fn publish(&self, from: &Path, place: Place, id: &Id) -> Result<(), Error> {
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

    fn place(&self, place: Place, id: &Id) -> PathBuf {
        self.root.join(place.name()).join(&id.0)
    }
}

/// A message that waits, and that nobody else works on.
pub struct Held {
    outbox: Outbox,
    id: Id,
    record: Record,
    journal: Box<dyn File>,
    /// How much of the journal is whole lines.
    length: u64,
    /// Lines that are still to be written behind them.
    owed: String,
    _lock: Lock,
}

impl Held {
    /// What it is called.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// What its journal says.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The message, as it was written.
    pub fn message(&self) -> Result<impl Read + use<>, Error> {
        let path = self.path().join(MESSAGE);
        let opened = self.outbox.disk.open(&path);
        opened.map(|(file, _)| file).map_err(|error| Error::io("read", &path, error))
    }

    /// An attempt begins.
    pub fn begin(&mut self, now: u64) -> Result<(), Error> {
        self.write(&format!("try {now}\n"))
    }

    /// The end of the message is about to leave: from here on the server may have taken it.
    pub fn hand_over(&mut self, now: u64) -> Result<(), Error> {
        self.write(&format!("data {now}\n"))
    }

    /// The server has answered for these recipients: they have the message, or never will. Without
    /// a verdict on the message itself, what was in doubt stays so.
    pub fn answer<'a>(
        &mut self,
        now: u64,
        answers: impl IntoIterator<Item = (&'a Mailbox, Result<String, String>)>,
        verdict: Option<&str>,
    ) -> Result<(), Error> {
        let mut text = String::new();
        for (mailbox, answer) in answers {
            let (word, reply) = match answer {
                Ok(reply) => ("sent", reply),
                Err(reason) => ("failed", reason),
            };
            text += &format!("{word} {} {}\n", encoded(mailbox), shown(&reply));
        }
        if let Some(verdict) = verdict {
            text += &format!("verdict {now} {}\n", shown(verdict));
        }
        if text.is_empty() { Ok(()) } else { self.write(&text) }
    }

    /// Whoever sent the message has heard of those who will never get it.
    pub fn told(&mut self, now: u64) -> Result<(), Error> {
        self.write(&format!("told {now}\n"))
    }

    /// The attempt is over, for those who are still to get the message.
    pub fn end(&mut self, now: u64, ending: Ending, reason: &str) -> Result<(), Error> {
        let word = Ending::NAMES.iter().find(|(_, named)| *named == ending).map_or("", |row| row.0);
        self.write(&format!("{word} {now} {}\n", shown(reason)))
    }

    /// Drops the message: nobody is to get it any more.
    pub fn remove(self) -> Result<(), Error> {
        self.outbox.drop_from(Place::Waiting, &self.id)
    }

    /// Puts the message where a person will look at it, and says where that is.
    pub fn fail(self) -> Result<PathBuf, Error> {
        let Self { outbox, id, .. } = &self;
        outbox.publish(&self.path(), Place::Failed, id)?;
        outbox.sync(&outbox.root.join(Place::Waiting.name()))?;
        Ok(outbox.place(Place::Failed, id))
    }

    fn path(&self) -> PathBuf {
        self.outbox.place(Place::Waiting, &self.id)
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

/// What became of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Sent,
    Failed(String),
    /// The same, and nobody need hear of it again.
    Told,
}

/// What a journal says of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What is to be done.
    pub order: Order,
    answers: HashMap<Mailbox, Answer>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was tried last.
    pub tried: Option<u64>,
    /// What was heard last, of the server or of the way to it.
    pub last: Option<String>,
    ending: Option<Ending>,
    /// The end of the message left, and nothing is known of a verdict.
    is_handed_over: bool,
    is_in_doubt: bool,
}

impl Record {
    fn new(order: Order) -> Self {
        Self {
            order,
            answers: HashMap::new(),
            attempts: 0,
            tried: None,
            last: None,
            ending: None,
            is_handed_over: false,
            is_in_doubt: false,
        }
    }

    /// Who is still to get the message.
    pub fn waiting(&self) -> Vec<Mailbox> {
        let all = self.order.recipients.iter();
        all.filter(|mailbox| self.waits_for(mailbox)).cloned().collect()
    }

    /// Whether this recipient is still to get the message.
    pub fn waits_for(&self, mailbox: &Mailbox) -> bool {
        !self.answers.contains_key(mailbox)
    }

    /// How many have it.
    pub fn sent(&self) -> usize {
        self.answers.values().filter(|answer| **answer == Answer::Sent).count()
    }

    /// Who will never get it, and why, unless somebody has heard of it.
    pub fn failed(&self) -> Vec<(&Mailbox, &str)> {
        let reason = |mailbox| match self.answers.get(mailbox)? {
            Answer::Failed(reason) => Some(reason.as_str()),
            Answer::Sent | Answer::Told => None,
        };
        let all = self.order.recipients.iter();
        all.filter_map(|mailbox| Some((mailbox, reason(mailbox)?))).collect()
    }

    /// Whether somebody may get the message twice, since the verdict of an attempt was lost.
    pub fn may_be_duplicate(&self) -> bool {
        self.is_in_doubt || self.is_handed_over
    }

    /// When it is to be tried again.
    pub fn due(&self) -> u64 {
        let most = match self.ending {
            Some(Ending::Unreached) => limits::RETRY_UNREACHED,
            _ => limits::RETRY,
        };
        let doubled = 1 << self.attempts.saturating_sub(1).min(16);
        let pause = limits::FIRST_RETRY.saturating_mul(doubled).min(most);
        self.tried.map_or(self.order.accepted, |tried| tried.saturating_add(pause.as_secs()))
    }

    /// Whether it is to be tried now. A clock that was put back does not make it wait for long.
    pub fn is_due(&self, now: u64) -> bool {
        now >= self.due() || self.tried.is_some_and(|tried| now < tried)
    }

    /// Whether it has waited for as long as anything does (RFC 5321 §4.5.4.1).
    pub fn is_too_old(&self, now: u64) -> bool {
        now.saturating_sub(self.order.accepted) > limits::GIVE_UP.as_secs()
    }

    /// Understands a journal; also says how many octets of it are whole lines.
    fn read(text: &[u8], path: &Path) -> Result<(Self, usize), Error> {
        let wrong = |line| Error::Journal { path: path.to_owned(), line };
        let mut reading = Reading::default();
        let (mut length, mut torn) = (0, None);
        for (index, line) in text.split_inclusive(|&octet| octet == b'\n').enumerate() {
            let line_text =
                line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
            let understood = line_text.and_then(|line| reading.line(index, line));
            match (understood, torn) {
                (Some(()), None) => length += line.len(),
                // A torn write leaves its mark at the end. With sense behind it, it was none.
                (Some(()), Some(line)) => return Err(wrong(line)),
                (None, None) => torn = Some(index + 1),
                (None, Some(_)) => {}
            }
        }
        match reading {
            Reading::Record(record) => Ok((*record, length)),
            // It was whole before it had its name.
            Reading::Order(_) => Err(wrong(torn.unwrap_or(1))),
        }
    }

    /// Takes in a line of history.
    fn take(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        let (first, words) = rest.split_once(' ').unwrap_or((rest, ""));
        let words = Some(words.to_owned()).filter(|words| !words.is_empty());
        match word {
            "try" => {
                self.is_in_doubt |= self.is_handed_over;
                self.is_handed_over = false;
                self.attempts = self.attempts.saturating_add(1);
                self.tried = Some(first.parse().ok()?);
                self.ending = None;
            }
            "data" => {
                first.parse::<u64>().ok()?;
                self.is_handed_over = true;
            }
            "sent" => drop(self.answers.insert(mailbox(first)?, Answer::Sent)),
            "failed" => {
                let answer = Answer::Failed(words.unwrap_or_default());
                self.answers.insert(mailbox(first)?, answer);
            }
            "told" => {
                first.parse::<u64>().ok()?;
                let failed = |answer: &&mut Answer| matches!(answer, Answer::Failed(_));
                self.answers.values_mut().filter(failed).for_each(|answer| *answer = Answer::Told);
            }
            "verdict" => {
                first.parse::<u64>().ok()?;
                self.is_handed_over = false;
                self.last = words;
            }
            _ => {
                let (_, ending) = Ending::NAMES.iter().find(|(name, _)| *name == word)?;
                first.parse::<u64>().ok()?;
                self.is_handed_over = false;
                self.is_in_doubt |= *ending == Ending::Doubt;
                self.ending = Some(*ending);
                self.last = words;
            }
        }
        Some(())
    }
}

/// A journal, as its lines come by: the order first.
enum Reading {
    Order(Box<Draft>),
    Record(Box<Record>),
}

/// An order of which not all is known.
#[derive(Default)]
struct Draft {
    accepted: Option<u64>,
    config: Option<PathBuf>,
    account: Option<String>,
    from: Option<ReversePath>,
    recipients: Vec<Mailbox>,
    notify: Option<Notify>,
    ret: Option<Return>,
    envid: String,
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
                *self = Self::Record(Box::new(Record::new(draft.finish()?)));
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
            "accepted" => self.accepted = Some(rest.parse().ok()?),
            "config" => self.config = Some(decoded_path(rest.as_bytes())?),
            "account" => self.account = Some(decoded(rest)?),
            "from" if rest.is_empty() => return None,
            "from" => self.from = Some(decoded(rest)?.parse().ok()?),
            "to" => self.recipients.push(mailbox(rest)?),
            "notify" => self.notify = Some(rest.parse().ok()?),
            "return" => self.ret = Some(rest.parse().ok()?),
            "envid" => rest.clone_into(&mut self.envid),
            "require-tls" => self.require_tls = true,
            "all-or-nothing" => self.is_all_or_nothing = true,
            _ => return None,
        }
        Some(())
    }

    fn finish(&mut self) -> Option<Order> {
        let draft = std::mem::take(self);
        Some(Order {
            accepted: draft.accepted?,
            config: draft.config?,
            account: draft.account?,
            from: draft.from?,
            recipients: Some(draft.recipients).filter(|recipients| !recipients.is_empty())?,
            notify: draft.notify,
            ret: draft.ret,
            envid: draft.envid,
            require_tls: draft.require_tls,
            is_all_or_nothing: draft.is_all_or_nothing,
        })
    }
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
