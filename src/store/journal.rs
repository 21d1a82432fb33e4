//! Which messages were fetched: an append-only text file that a person can read.
//!
//! ```text
//! postie journal 1
//! intent TIME UID NAME MAILDIR    the message is whole and durable in MAILDIR/tmp/NAME
//! done NAME                       and now it is in new/
//! void NAME                       or it was lost there: fetch it again
//! maildir MAILDIR                 the `seen` lines that follow were delivered there, or, behind a
//!                                 bar, to this program
//! seen TIME UID                   an intent and its done, after the journal was rewritten; or a
//!                                 delivery to a program
//! missing TIME UID                the server has not listed it since
//! listed UID                      and now it has again
//! forget UID                      it is to be fetched once more
//! ```
//!
//! Times are seconds since 1970; UIDs and paths are percent-encoded. A UID of `?` means that the
//! server gave none.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use memchr::{memchr_iter, memrchr};

use super::Error;
use super::disk::{Disk, File};
use crate::limits;
use crate::text::{Uid, number, percent_decoded, percent_encoded};

const HEADER: &str = "postie journal 1";
const FILE: &str = "journal";

/// A message that vanished from the listing is remembered this long, in seconds: a server that
/// shows an empty mailbox once must not cause everything to be fetched again.
const MEMORY: u64 = 30 * 24 * 60 * 60;

/// Lines that could be spared are tolerated up to this many, and one for every two that could not.
/// Every poll reads all of them; and what is rewritten that seldom costs little for each message.
const SPARE_LINES: usize = 1_000;

/// Octets of a journal that are read at a time.
const PART: u64 = 64 << 10;

/// Octets that may be a line of a journal. Whatever has no end for longer is none.
const LINE: usize = 1 << 20;

/// What is known of a fetched message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When it was fetched.
    pub fetched: u64,
    /// How often: a server may call several messages by one name.
    pub copies: u32,
    /// Since when the server does not list it.
    pub missing: Option<NonZero<u64>>,
    /// Whether it did when it was last asked.
    listed: bool,
    maildir: usize,
}

impl Seen {
    /// How many lines it takes to say this.
    fn lines(&self) -> usize {
        let copies = usize::try_from(self.copies).unwrap_or(usize::MAX);
        copies.saturating_add(usize::from(self.missing.is_some()))
    }
}

/// A delivery that was announced and not confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) time: u64,
    pub(super) uid: Option<Uid>,
    pub(super) name: String,
    /// Where it goes, as [`Journal::maildir`] knows it.
    pub(super) maildir: usize,
}

/// The journal of one mailbox. Whoever holds it holds the mailbox's lock.
pub(super) struct Journal {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    file: Box<dyn File>,
    lines: usize,
    contents: Contents,
    /// Where in [`Contents::seen`] the message is that is probably listed next.
    next: usize,
}

/// Messages that were fetched, in the order in which they were.
pub type Known = IndexMap<Uid, Seen>;

#[derive(Debug, Default, PartialEq, Eq)]
struct Contents {
    seen: Known,
    maildirs: Vec<PathBuf>,
    intents: Vec<Intent>,
}

impl Journal {
    /// Reads the journal in `dir`, or begins one. `now` is in seconds since 1970.
    pub(super) fn open(disk: Arc<dyn Disk>, dir: &Path, now: u64) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let failed = |doing| move |error| Error::io(doing, &dir.join(FILE), error);
        let replay = Replay::of(&*disk, &path)?;
        let (lines, length) = replay.understood;
        if replay.torn.is_some() {
            // What follows is half a line, from a run that was cut off. The next line must not be
            // glued to it.
            disk.truncate(&path, length).map_err(failed("mend"))?;
        }
        let mut file = disk.append(&path).map_err(|error| Error::create(&path, error))?;
        if lines == 0 {
            // Names first: a journal that has a header is one whose name is durable, whoever was
            // killed in between.
            sync_names(&*disk, dir)?;
            writeln!(file, "{HEADER}").map_err(failed("write"))?;
        }
        let mut contents = replay.contents;
        let is_over = |since: NonZero<u64>| now >= since.get().saturating_add(MEMORY);
        contents.seen.retain(|_, seen| !seen.missing.is_some_and(is_over));
        Ok(Self { disk, dir: dir.to_owned(), file, lines, contents, next: 0 })
    }

    /// What the journal in `dir` says, while others may be writing to it.
    pub(super) fn peek(disk: &dyn Disk, dir: &Path) -> Result<Known, Error> {
        let mut contents = Replay::of(disk, &dir.join(FILE))?.contents;
        for intent in std::mem::take(&mut contents.intents) {
            contents.settle(intent, Outcome::Done);
        }
        Ok(contents.seen)
    }

    /// What is known of a message.
    pub(super) fn recall(&self, uid: &Uid) -> Option<&Seen> {
        self.contents.seen.get(uid)
    }

    /// Where a message was delivered.
    pub(super) fn place(&self, seen: &Seen) -> Option<&Path> {
        self.maildir(seen.maildir)
    }

    /// The Maildir of that number.
    pub(super) fn maildir(&self, number: usize) -> Option<&Path> {
        self.contents.maildirs.get(number).map(PathBuf::as_path)
    }

    /// How many messages are known that the server listed when it was last asked.
    pub(super) fn present(&self) -> usize {
        self.contents.seen.values().filter(|seen| seen.missing.is_none()).count()
    }

    /// Deliveries that may or may not have happened.
    pub(super) fn intents(&self) -> &[Intent] {
        &self.contents.intents
    }

    /// Makes durable what it says.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        self.file.sync().map_err(|error| Error::io("write", &self.path(), error))
    }

    /// Announces deliveries to a Maildir, durably: of each message the unique-id and the file's name.
    pub(super) fn intend(
        &mut self,
        time: u64,
        maildir: &Path,
        messages: impl Iterator<Item = (Option<Uid>, String)>,
    ) -> Result<(), Error> {
        let (place, maildir) = (encoded_path(maildir), self.contents.number(maildir));
        let (mut text, mut intents) = (String::new(), Vec::new());
        for (uid, name) in messages {
            let encoded = uid.as_ref().map_or("?".into(), |uid| percent_encoded(uid.as_bytes()));
            let _ = writeln!(text, "intent {time} {encoded} {name} {place}");
            intents.push(Intent { time, uid, name, maildir });
        }
        self.append(&text)?;
        self.sync()?;
        self.contents.intents.extend(intents);
        Ok(())
    }

    /// Confirms everything announced so far. Not durable, since recovery finds it out by itself.
    pub(super) fn done(&mut self) -> Result<(), Error> {
        self.settle(|_| Outcome::Done)
    }

    /// Records a delivery that needed no announcement, durably.
    pub(super) fn delivered(&mut self, uid: Uid, place: &Path, now: u64) -> Result<(), Error> {
        let name = percent_encoded(uid.as_bytes());
        self.append(&format!("maildir {}\nseen {now} {name}\n", encoded_path(place)))?;
        self.sync()?;
        let maildir = self.contents.number(place);
        self.contents.see(uid, now, maildir);
        Ok(())
    }

    /// Lets messages be fetched once more. Not durable: who asked for it can ask again.
    pub(super) fn forget<'a>(&mut self, uids: impl Iterator<Item = &'a Uid>) -> Result<(), Error> {
        let mut text = String::new();
        for uid in uids {
            if self.contents.seen.swap_remove(uid).is_some() {
                let _ = writeln!(text, "forget {}", percent_encoded(uid.as_bytes()));
            }
        }
        self.append(&text)
    }

    /// Records what became of every announced delivery.
    pub(super) fn settle(&mut self, outcome: impl Fn(&Intent) -> Outcome) -> Result<(), Error> {
        let mut text = String::new();
        for intent in std::mem::take(&mut self.contents.intents) {
            let outcome = outcome(&intent);
            let _ = writeln!(text, "{} {}", outcome.word(), intent.name);
            self.contents.settle(intent, outcome);
        }
        self.append(&text)
    }

    /// The server is asked what it lists; [`Journal::note`] is told of each message.
    pub(super) fn begin_listing(&mut self) {
        self.contents.seen.values_mut().for_each(|seen| seen.listed = false);
        self.next = 0;
    }

    /// The server lists a message; what is known of it. Servers list messages in the order in which
    /// they were fetched, so one is usually found behind the one before.
    pub(super) fn note(&mut self, uid: &Uid) -> Option<Seen> {
        let seen = &mut self.contents.seen;
        let is_next = seen.get_index(self.next).is_some_and(|(next, _)| next == uid);
        let at = if is_next { self.next } else { seen.get_index_of(uid)? };
        self.next = at + 1;
        let (_, seen) = seen.get_index_mut(at)?;
        seen.listed = true;
        Some(*seen)
    }

    /// Compares what is known with what the server listed. Writes only what changed.
    pub(super) fn compare(&mut self, now: u64) -> Result<(), Error> {
        let mut text = String::new();
        for (uid, seen) in &mut self.contents.seen {
            let name = || percent_encoded(uid.as_bytes());
            match (seen.listed, seen.missing) {
                (false, None) => {
                    seen.missing = Some(NonZero::new(now).unwrap_or(NonZero::<u64>::MIN));
                    let _ = writeln!(text, "missing {now} {}", name());
                }
                (true, Some(_)) => {
                    seen.missing = None;
                    let _ = writeln!(text, "listed {}", name());
                }
                (false, Some(_)) | (true, None) => {}
            }
        }
        self.append(&text)
    }

    /// Rewrites the journal in as few lines as say the same, if that is worth it.
    pub(super) fn compact(&mut self) -> Result<(), Error> {
        let needed: usize = self.contents.seen.values().map(Seen::lines).sum();
        let spare = self.lines.saturating_sub(needed);
        if !self.contents.intents.is_empty() || spare <= needed / 2 + SPARE_LINES {
            return Ok(());
        }
        let (path, fresh) = (self.path(), self.dir.join("journal.new"));
        let failed = |doing| move |error| Error::io(doing, &path, error);
        if self.disk.exists(&fresh).map_err(failed("rewrite"))? {
            self.disk.remove(&fresh).map_err(|error| Error::io("remove", &fresh, error))?;
        }
        let path = self.path();
        let failed = |error| Error::io("rewrite", &path, error);
        let file = self.disk.create(&fresh).map_err(failed)?;
        let mut file = BufWriter::with_capacity(limits::BUFFER, file);
        let lines = self.contents.write(&mut file).map_err(failed)?;
        let mut file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync().map_err(failed)?;
        drop(file);
        self.disk.rename(&fresh, &path).map_err(failed)?;
        self.disk.sync_dir(&self.dir).map_err(failed)?;
        self.file = self.disk.append(&path).map_err(failed)?;
        self.lines = lines;
        Ok(())
    }

    fn append(&mut self, text: &str) -> Result<(), Error> {
        if text.is_empty() {
            return Ok(());
        }
        self.lines += text.lines().count();
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|error| Error::io("write", &self.path(), error))
    }

    fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }
}

/// Makes durable what a directory holds, and its name and those above, all of which may be new.
fn sync_names(disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
    let failed = |dir: &Path, error| Error::io("write", dir, error);
    disk.sync_dir(dir).map_err(|error| failed(dir, error))?;
    for above in dir.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        match disk.sync_dir(above) {
            // Where this user has no business, nothing of his is new.
            Err(error) if is_foreign(&error) => break,
            synced => synced.map_err(|error| failed(above, error))?,
        }
    }
    Ok(())
}

fn is_foreign(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), InvalidInput | PermissionDenied | ReadOnlyFilesystem)
}

/// What became of an announced delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It happened.
    Done,
    /// It did not, and the file is gone.
    Void,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Void => "void",
        }
    }
}

impl Contents {
    fn settle(&mut self, intent: Intent, outcome: Outcome) {
        if let (Outcome::Done, Some(uid)) = (outcome, intent.uid) {
            self.see(uid, intent.time, intent.maildir);
        }
    }

    fn see(&mut self, uid: Uid, fetched: u64, maildir: usize) {
        let new = Seen { fetched, copies: 0, missing: None, listed: true, maildir };
        let seen = self.seen.entry(uid).or_insert(new);
        *seen = Seen { copies: seen.copies.saturating_add(1), ..new };
    }

    fn number(&mut self, maildir: &Path) -> usize {
        let known = self.maildirs.iter().rposition(|known| known == maildir);
        known.unwrap_or_else(|| {
            self.maildirs.push(maildir.to_owned());
            self.maildirs.len() - 1
        })
    }

    /// Writes a journal that says all this; how many lines it has.
    fn write(&self, out: &mut impl Write) -> io::Result<usize> {
        let mut entries: Vec<_> = self.seen.iter().collect();
        entries.sort_by_key(|(_, seen)| (seen.maildir, seen.fetched));
        writeln!(out, "{HEADER}")?;
        let (mut lines, mut current) = (1, None);
        for (uid, seen) in entries {
            if current != Some(seen.maildir) {
                current = Some(seen.maildir);
                if let Some(maildir) = self.maildirs.get(seen.maildir) {
                    writeln!(out, "maildir {}", encoded_path(maildir))?;
                    lines += 1;
                }
            }
            let uid = percent_encoded(uid.as_bytes());
            for _ in 0..seen.copies {
                writeln!(out, "seen {} {uid}", seen.fetched)?;
            }
            if let Some(since) = seen.missing {
                writeln!(out, "missing {since} {uid}")?;
            }
            lines += seen.lines();
        }
        Ok(lines)
    }
}

/// The journal's lines, understood one after the other.
#[derive(Default)]
struct Replay {
    contents: Contents,
    /// Lines that were read.
    read: usize,
    /// Whole lines that were understood, and their octets.
    understood: (usize, u64),
    /// The number of the first line that was not.
    torn: Option<usize>,
    /// In order. They are settled in order, too, so the next one is the first.
    announced: VecDeque<Intent>,
    /// Where the last intent's message goes, as it is written and by its number.
    place: Option<(Vec<u8>, usize)>,
    /// Where the messages of the next `seen` lines were delivered.
    maildir: usize,
}

impl Replay {
    /// Of the journal at `path`, if there is one.
    #[expect(clippy::disallowed_methods, reason = "it is read in parts of a bounded size")]
    fn of(disk: &dyn Disk, path: &Path) -> Result<Self, Error> {
        let failed = |error| Error::io("read", path, error);
        let mut replay = Self::default();
        let (mut file, length) = match disk.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(replay),
            file => file.map_err(failed)?,
        };
        let mut parts = usize::try_from(length / PART).unwrap_or(usize::MAX);
        let mut text = Vec::new();
        loop {
            let read = file.by_ref().take(PART).read_to_end(&mut text).map_err(failed)?;
            let is_all = read == 0;
            let whole = match memrchr(b'\n', &text) {
                Some(end) if !is_all => end + 1,
                None if !is_all && text.len() < LINE => 0,
                _ => text.len(),
            };
            for line in lines(text.drain(..whole).as_slice()) {
                let journal = |line| Error::Journal { path: path.to_owned(), line };
                replay.take(line).map_err(journal)?;
            }
            if is_all {
                // What was announced and not settled may have happened or not.
                replay.contents.intents = std::mem::take(&mut replay.announced).into();
                return Ok(replay);
            }
            // The others are probably about as many messages as the first.
            let seen = &mut replay.contents.seen;
            let more = seen.len().saturating_mul(std::mem::take(&mut parts));
            seen.try_reserve(more).unwrap_or_default();
        }
    }

    /// Takes in one line. The number of one that is wrong is an error.
    fn take(&mut self, line: &[u8]) -> Result<(), usize> {
        self.read += 1;
        let whole = line.strip_suffix(b"\n");
        let understood = whole.and_then(|line| match self.read {
            1 => (line == HEADER.as_bytes()).then_some(()),
            _ => self.line(line),
        });
        match (understood, self.torn) {
            (Some(()), None) => {
                let (lines, octets) = &mut self.understood;
                *lines += 1;
                *octets += u64::try_from(line.len()).unwrap_or(u64::MAX);
            }
            // A torn write leaves its mark at the end. With sense behind it, it was no torn write,
            // and guessing could lose or double mail.
            (Some(()), Some(torn)) => return Err(torn),
            (None, None) if self.read == 1 && whole.is_some() => return Err(1),
            (None, None) => self.torn = Some(self.read),
            (None, Some(_)) => {}
        }
        Ok(())
    }

    fn settled(&mut self, name: &[u8]) -> Option<Intent> {
        let at = self.announced.iter().position(|announced| announced.name.as_bytes() == name)?;
        self.announced.remove(at)
    }

    fn line(&mut self, line: &[u8]) -> Option<()> {
        let contents = &mut self.contents;
        let mut fields = line.split(|&octet| octet == b' ');
        let word = fields.next()?;
        let mut field = || fields.next();
        match word {
            b"intent" => {
                let time = number(field()?)?;
                let uid = match field()? {
                    b"?" => None,
                    text => Some(decoded_uid(text)?),
                };
                let (name, place) = (str::from_utf8(field()?).ok()?.to_owned(), field()?);
                let maildir = match &self.place {
                    Some((same, number)) if same == place => *number,
                    _ => {
                        let number = contents.number(&decoded_path(place)?);
                        self.place = Some((place.to_owned(), number));
                        number
                    }
                };
                self.announced.push_back(Intent { time, uid, name, maildir });
            }
            b"done" => {
                let Intent { time, uid, maildir, .. } = self.settled(field()?)?;
                if let Some(uid) = uid {
                    self.contents.see(uid, time, maildir);
                }
            }
            b"void" => drop(self.settled(field()?)?),
            b"maildir" => self.maildir = contents.number(&decoded_path(field()?)?),
            b"seen" => {
                let fetched = number(field()?)?;
                contents.see(decoded_uid(field()?)?, fetched, self.maildir);
            }
            b"missing" => {
                let since = NonZero::new(number(field()?)?)?;
                let seen = contents.seen.get_mut(&decoded_uid(field()?)?)?;
                (seen.missing, seen.listed) = (Some(since), false);
            }
            b"forget" => drop(contents.seen.swap_remove(&decoded_uid(field()?)?)?),
            b"listed" => {
                let seen = contents.seen.get_mut(&decoded_uid(field()?)?)?;
                (seen.missing, seen.listed) = (None, true);
            }
            _ => return None,
        }
        fields.next().is_none().then_some(())
    }
}

/// The lines of a text, each with its end; the last may lack one.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let ends = memchr_iter(b'\n', text).map(|end| end + 1).chain([text.len()]);
    let lines = ends.filter_map(move |end| text.get(std::mem::replace(&mut start, end)..end));
    lines.filter(|line| !line.is_empty())
}

pub(super) fn encoded_path(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    percent_encoded(path.as_os_str().as_bytes()).replace("%2F", "/")
}

pub(super) fn decoded_path(text: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Some(std::ffi::OsString::from_vec(percent_decoded(text)?.into_owned()).into())
}

fn decoded_uid(text: &[u8]) -> Option<Uid> {
    Uid::new(&percent_decoded(text)?)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::store::disk::Os;
    use crate::store::disk::simulated::Simulated;

    const DAY: u64 = 24 * 60 * 60;

    fn uid(text: &str) -> Uid {
        Uid::new(text.as_bytes()).unwrap()
    }

    /// Announces messages, by unique-id and name.
    fn intend(journal: &mut Journal, messages: &[(&str, &str)]) {
        let messages = messages.iter().map(|(text, name)| (Some(uid(text)), (*name).to_owned()));
        journal.intend(1000, Path::new("/home/ann/Mail dir"), messages).unwrap();
    }

    fn names(journal: &Journal) -> Vec<&str> {
        journal.intents().iter().map(|intent| intent.name.as_str()).collect()
    }

    fn open(dir: &Path, now: u64) -> Journal {
        Journal::open(Arc::new(Os), dir, now).unwrap()
    }

    #[test]
    fn what_was_announced_and_confirmed_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), 1000);
        intend(&mut journal, &[("a/b c", "1.x"), ("b", "2.x")]);
        assert_eq!(open(dir.path(), 1000).intents().len(), 2);
        journal.done().unwrap();
        let journal = open(dir.path(), 2000);
        assert!(journal.intents().is_empty());
        let seen = journal.recall(&uid("a/b c")).unwrap();
        assert_eq!(seen.fetched, 1000);
        assert_eq!(journal.place(seen).unwrap(), Path::new("/home/ann/Mail dir"));
        assert!(journal.recall(&uid("c")).is_none());
    }

    #[test]
    fn a_torn_end_is_ignored_and_never_glued_to_the_next_line() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), 1000);
        intend(&mut journal, &[("a", "1.x")]);
        journal.done().unwrap();
        let path = dir.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        let hole = "\0".repeat(2 * LINE + 1);
        for tail in ["inte", "intent 5 x 2.x", "\0\0\0\0", "\0\0\n\0\n", &hole] {
            let mut torn = whole.clone();
            torn.extend_from_slice(tail.as_bytes());
            #[expect(clippy::disallowed_methods, reason = "a test may be blunt")]
            std::fs::write(&path, torn).unwrap();
            let mut journal = open(dir.path(), 1000);
            assert!(journal.intents().is_empty());
            intend(&mut journal, &[("b", "2.x")]);
            let journal = open(dir.path(), 1000);
            assert!(journal.recall(&uid("a")).is_some());
            assert_eq!(names(&journal), ["2.x"]);
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test may be blunt")]
    fn nonsense_with_sense_behind_it_is_not_guessed_at() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        for (text, line) in [
            ("postie journal 1\nseen 5 a\nrubbish\nseen 5 b\n", 3),
            ("postie journal 2\nseen 5 a\n", 1),
            ("something else\n", 1),
        ] {
            std::fs::write(&path, text).unwrap();
            match Journal::open(Arc::new(Os), dir.path(), 10) {
                Err(Error::Journal { line: found, .. }) => assert_eq!(found, line),
                Err(other) => panic!("{other}"),
                Ok(_) => panic!("accepted {text:?}"),
            }
        }
    }

    fn compare(journal: &mut Journal, listed: &[&str], now: u64) {
        journal.begin_listing();
        for name in listed {
            assert!(journal.note(&uid(name)).is_some());
        }
        journal.compare(now).unwrap();
    }

    #[test]
    fn a_vanished_message_is_remembered_for_thirty_days() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), 0);
        intend(&mut journal, &[("a", "1.x"), ("b", "2.x")]);
        journal.done().unwrap();
        compare(&mut journal, &[], DAY);
        let mut journal = open(dir.path(), 2 * DAY);
        assert!(journal.recall(&uid("a")).is_some());
        compare(&mut journal, &["b"], 3 * DAY);
        let journal = open(dir.path(), 40 * DAY);
        assert!(journal.recall(&uid("a")).is_none());
        assert!(journal.recall(&uid("b")).is_some());
    }

    #[test]
    fn comparing_writes_nothing_when_nothing_changed() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), 0);
        intend(&mut journal, &[("a", "1.x")]);
        journal.done().unwrap();
        let before = std::fs::read(dir.path().join(FILE)).unwrap();
        compare(&mut journal, &["a"], 9);
        journal.compact().unwrap();
        assert_eq!(std::fs::read(dir.path().join(FILE)).unwrap(), before);
    }

    #[test]
    fn a_rewritten_journal_says_the_same_in_fewer_lines() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), 0);
        for round in 0..600 {
            let name = format!("u{}", round % 3);
            journal.forget([uid(&name)].iter()).unwrap();
            intend(&mut journal, &[(&name, &format!("{round}.x"))]);
            journal.done().unwrap();
        }
        compare(&mut journal, &["u0", "u2"], 7);
        journal.compact().unwrap();
        assert_eq!(journal.lines, 6);
        let reopened = open(dir.path(), 8);
        assert_eq!(reopened.contents.seen, journal.contents.seen);
        assert_eq!(reopened.recall(&uid("u1")).unwrap().missing, NonZero::new(7));
        intend(&mut journal, &[("later", "x.x")]);
        assert_eq!(open(dir.path(), 8).intents().len(), 1);
    }

    #[test]
    fn a_journal_that_does_not_pay_is_rewritten_in_the_order_of_the_mailbox() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut journal = open(dir.path(), 0);
        // One line of two can be spared, which is tolerated for the first so many messages.
        let uids: Vec<_> = (0..3_000).map(|n| (n * 7 % 3_000).to_string()).collect();
        for batch in uids.chunks(500) {
            let messages: Vec<_> = batch.iter().map(|uid| (uid.as_str(), uid.as_str())).collect();
            intend(&mut journal, &messages);
            journal.done().unwrap();
            let before = std::fs::metadata(&path).unwrap().len();
            journal.compact().unwrap();
            let is_rewritten = std::fs::metadata(&path).unwrap().len() < before;
            assert_eq!(is_rewritten, journal.contents.seen.len() == 2_500);
        }
        let journal = open(dir.path(), 0);
        let order: Vec<_> = journal.contents.seen.keys().map(ToString::to_string).collect();
        assert_eq!(order, uids);
    }

    fn journal() -> impl Strategy<Value = Vec<u8>> {
        const PIECES: [&str; 20] = [
            "intent 5 a n.x /m\n",
            "intent 5 ? n.y /m\n",
            "done n.x\n",
            "void n.y\n",
            "maildir /m\n",
            "seen 5 a\n",
            "missing 18446744073709551615 a\n",
            "missing 5 a\n",
            "listed a\n",
            "forget a\n",
            "\n",
            " ",
            "seen ",
            "5",
            "a",
            "%2",
            "%zz",
            "\0\0",
            "intent 5 a",
            "postie journal 1\n",
        ];
        let piece = prop_oneof![
            9 => select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
            1 => vec(any::<u8>(), 0..3),
        ];
        let header =
            prop_oneof![9 => Just("postie journal 1\n"), 1 => Just("postie jour"), 1 => Just("")];
        (header, vec(piece, 0..10))
            .prop_map(|(header, pieces)| [header.as_bytes(), &pieces.concat()].concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2_000,
            rng_seed: RngSeed::Fixed(1939),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_journal_is_refused_or_can_be_added_to(text in journal()) {
            let dir = Path::new("/state");
            let disk = Simulated::new(dir);
            disk.append(&dir.join(FILE)).unwrap().write_all(&text).unwrap();
            let open = || Journal::open(Arc::new(disk.clone()), dir, 1000);
            match open() {
                Err(Error::Journal { .. }) => {}
                Err(other) => panic!("{other}"),
                Ok(mut journal) => {
                    let before = journal.contents.seen.clone();
                    intend(&mut journal, &[("new", "new.x")]);
                    let journal = open().unwrap();
                    let names = names(&journal);
                    prop_assert_eq!(names.last(), Some(&"new.x"));
                    prop_assert_eq!(&journal.contents.seen, &before);
                }
            }
        }
    }
}
