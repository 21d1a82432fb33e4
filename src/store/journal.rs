//! Which messages were delivered: an append-only text file that a person can read.
//!
//! ```text
//! postie journal 2 MARK                  MARK is in the names of this state directory's drafts
//! maildir PLACE                          the deliveries that follow go there, or, behind a bar, to
//!                                        this program
//! intent TIME UID LISTSIZE DIGEST NAME   the message is whole and durable in PLACE/tmp/NAME
//! done NAME                              and now it is in new/
//! void NAME                              it is not: it is to be fetched again
//! delivered TIME UID LISTSIZE DIGEST     an intent and its done, after the journal was rewritten; or
//!                                        a delivery to a program
//! unwanted TIME UID noted|imported       it is not to be fetched
//! missing TIME UID                       the server has not listed it since
//! listed UID                             it lists it again
//! size UID LISTSIZE                      it lists it with another size; not compared yet
//! unmeasured                             what is listed has changed, the sizes were not seen yet
//! measured                               and now they were
//! deleted TIME UID                       its deletion is asked for; noted before it is
//! same UID                               retrieved again, and equal; or its deletion was refused
//! reused                                 this server uses unique-ids again, or for several messages
//! broke TIME UID OCTETS                  a session ended in the middle of it, behind so many
//! tried TIME UID                         the same, while no other message came: it does not count
//! said WHAT                              this was said, and is not said again
//! forget UID                             it is fetched once more, or vanished long ago
//! forget ? DIGEST                        the same, or deleted, of a message without a unique-id
//! ```
//!
//! Times are seconds since 1970; UIDs and paths are percent-encoded. A UID of `?` means that the
//! server gave none, a LISTSIZE of `?` that LIST did not. The DIGEST of a message without a unique-id is
//! that of its whole text.

mod replay;

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::replay::Replay;
use super::Error;
use super::digest::Digest;
use super::disk::{Disk, File};
use super::entry::{Kind, SeenEntry, is_credible};
use super::line::{FORMAT, VERSION, encoded_path, encoded_uid};
use super::seen::{Intent, SeenUids, text_field};
use crate::limits;
use crate::text::{Uid, UidRef};

const FILE: &str = "journal";

/// Seconds in a day.
const DAY: u64 = 24 * 60 * 60;

/// Lines that could be spared are tolerated up to this many, and one for every two that could not.
/// Every poll reads all of them; and what is rewritten that seldom costs little for each message.
const SPARE_LINES: usize = 1_000;

/// The journal of one maildrop. Its owner holds the maildrop's lock.
pub(super) struct Journal {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// The file to which lines are appended; created with the first of them.
    file: Option<Box<dyn File>>,
    lines: usize,
    octets: u64,
    pub(super) seen: SeenUids,
    /// The place that the last `maildir` line of this run names. Each run names it anew: a line of
    /// an earlier one may not be durable, though it can be read.
    place: Option<usize>,
    /// The index in [`SeenUids::entries`] of the message that is probably listed next.
    next: usize,
    /// The lines that say what was forgotten when it was opened. They go before the next line, whatever
    /// that is: a message that comes under one of these unique-ids is another one.
    forgotten: String,
    /// True if only this run's deliveries count, and take the place of earlier ones.
    pub(super) is_all: bool,
    /// True if a change can only be recorded by rewriting the journal.
    is_stale: bool,
    /// True if a line could neither be written whole nor be taken back: none may follow it.
    is_broken: bool,
    /// The path to which a damaged journal was moved.
    damaged: Option<PathBuf>,
}

impl Journal {
    /// Reads the journal in `dir`, if there is one. `now` is in seconds since 1970; `mark` is drawn in
    /// case that it has lost its own.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        now: u64,
        mark: u64,
    ) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let failed = |doing| move |error| Error::io(doing, &dir.join(FILE), error);
        let replay = Replay::of(&*disk, &path)?;
        if replay.is_torn && !replay.is_damaged && !replay.ends_in_hole {
            // What follows is half a line, from a run that was cut off. The next line must not be
            // glued to it.
            disk.truncate(&path, replay.octets).map_err(failed("mend"))?;
        }
        let (lines, octets) = (replay.lines, replay.octets);
        let (is_damaged, ends_in_hole) = (replay.is_damaged, replay.ends_in_hole);
        let mut journal = Self {
            disk,
            dir: dir.to_owned(),
            file: None,
            lines,
            octets,
            seen: replay.seen,
            place: None,
            next: 0,
            forgotten: String::new(),
            is_all: false,
            is_stale: false,
            is_broken: false,
            damaged: None,
        };
        if is_damaged {
            journal.seen.mark.get_or_insert(mark);
            journal.set_aside()?;
        } else if ends_in_hole {
            // That nothing is proven any more must outlive this run.
            journal.rewrite()?;
        }
        for name in journal.seen.forget_the_vanished(now) {
            let _ = writeln!(journal.forgotten, "forget {name}");
        }
        Ok(journal)
    }

    /// Returns what the journal in `dir` says, even while another run writes to it. `now` is in seconds
    /// since 1970.
    pub(super) fn read_only(disk: &dyn Disk, dir: &Path, now: u64) -> Result<SeenUids, Error> {
        let mut seen = Replay::of(disk, &dir.join(FILE))?.seen;
        seen.forget_the_vanished(now);
        for intent in std::mem::take(&mut seen.intents) {
            seen.deliver(&intent);
        }
        Ok(seen)
    }

    /// Keeps a damaged journal under another name, and goes on with what could be read of it.
    fn set_aside(&mut self) -> Result<(), Error> {
        let path = self.path();
        let failed = |error| Error::io("keep a copy of", &path, error);
        let names = [String::new()].into_iter().chain((1..).map(|number| format!(".{number}")));
        for name in names {
            let kept = self.dir.join(format!("journal.damaged{name}"));
            if self.disk.exists(&kept).map_err(failed)? {
                continue;
            }
            let (mut from, _) = self.disk.open(&path).map_err(failed)?;
            let mut to = self.disk.create(&kept).map_err(failed)?;
            io::copy(&mut from, &mut to).map_err(failed)?;
            to.sync().map_err(failed)?;
            self.damaged = Some(kept);
            break;
        }
        self.rewrite()
    }

    /// The path to which a damaged journal was moved; `None` if this one was not damaged.
    pub(super) fn damaged(&self) -> Option<&Path> {
        self.damaged.as_deref()
    }

    /// Returns whether the journal exists on the disk.
    pub(super) fn is_begun(&self) -> bool {
        self.lines > 0
    }

    /// Begins the journal unless it is begun. `mark` was drawn for it.
    pub(super) fn begin(&mut self, mark: u64) -> Result<(), Error> {
        if self.is_begun() {
            return Ok(());
        }
        self.seen.mark = Some(mark);
        // Names first: a journal that has a header is one whose name is durable, even if a run was killed
        // in between.
        self.file()?;
        sync_names(&*self.disk, &self.dir)?;
        self.append(&format!("{FORMAT}{VERSION} {mark:016x}\n"))
    }

    /// Makes durable what it says.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        let path = self.path();
        self.file()?.sync().map_err(|error| Error::io("write", &path, error))
    }

    /// Makes sure that there is room for a delivery's line.
    pub(super) fn reserve(&mut self, intent: &Intent, place: &Path) -> Result<(), Error> {
        let room = intent.line().len() + encoded_path(place).len() + 64;
        let room = u64::try_from(room).unwrap_or(u64::MAX);
        let path = self.path();
        self.file()?.reserve(room).map_err(|error| Error::io("write", &path, error))
    }

    /// Announces deliveries to a Maildir, durably.
    pub(super) fn record_intents(
        &mut self,
        place: &Path,
        intents: impl Iterator<Item = Intent>,
    ) -> Result<(), Error> {
        let mut text = self.go_to(place);
        let place = self.seen.number(place);
        let intents: Vec<_> = intents.map(|intent| Intent { place, ..intent }).collect();
        for intent in &intents {
            let _ = writeln!(text, "{}", intent.line());
            // Behind it, so that there is no moment without either.
            text += &self.replaced(intent).unwrap_or_default();
        }
        self.append(&text)?;
        self.sync()?;
        self.seen.intents.extend(intents);
        Ok(())
    }

    /// Records what became of announced deliveries; those that are neither stay announced. Not
    /// durable, since recovery finds it out by itself. With what is `deleted` goes the note that its
    /// deletion will be asked for.
    pub(super) fn resolve(
        &mut self,
        outcome: impl Fn(&Intent) -> Option<Outcome>,
        follow_up: FollowUp,
    ) -> Result<(), Error> {
        let mut text = String::new();
        for intent in std::mem::take(&mut self.seen.intents) {
            let Some(outcome) = outcome(&intent) else {
                self.seen.intents.push(intent);
                continue;
            };
            let _ = writeln!(text, "{} {}", outcome.word(), intent.name);
            if outcome == Outcome::Void {
                continue;
            }
            let absent = match follow_up {
                FollowUp::None => None,
                FollowUp::Deleted(time) => Some(("deleted", time)),
                FollowUp::Missing(time) => Some(("missing", time)),
            };
            match follow_up {
                FollowUp::Missing(_) => self.seen.deliver(&intent),
                FollowUp::None | FollowUp::Deleted(_) => self.seen.deliver_fresh(&intent),
            }
            if let (Some(uid), Some((word, time))) = (intent.uid, absent) {
                let _ = writeln!(text, "{word} {time} {}", encoded_uid(uid.as_bytes()));
                self.seen.mark_absent(&uid, time);
            }
        }
        self.append(&text)
    }

    /// Records a delivery that needed no announcement, durably.
    pub(super) fn record_delivery(&mut self, intent: Intent, place: &Path) -> Result<(), Error> {
        let mut text = self.go_to(place);
        text += &self.replaced(&intent).unwrap_or_default();
        let _ = writeln!(text, "{}", intent.delivered_line());
        self.append(&text)?;
        self.sync()?;
        let place = self.seen.number(place);
        self.seen.deliver_fresh(&Intent { place, ..intent });
        Ok(())
    }

    /// The number of a place, and the line that names it if it is not the last named one.
    fn go_to(&mut self, place: &Path) -> String {
        let number = self.seen.number(place);
        if self.place.replace(number) == Some(number) {
            return String::new();
        }
        format!("maildir {}\n", encoded_path(place))
    }

    /// Notes messages as not to be fetched, durably.
    pub(super) fn record_unwanted(
        &mut self,
        uids: Vec<Uid>,
        kind: Kind,
        now: u64,
    ) -> Result<(), Error> {
        let mut text = String::new();
        let why = if kind == Kind::Imported { "imported" } else { "noted" };
        for uid in uids {
            let _ = writeln!(text, "unwanted {now} {} {why}", encoded_uid(uid.as_bytes()));
            self.seen.unwanted(uid.as_bytes(), now, kind);
        }
        self.append(&text)?;
        self.sync()
    }

    /// Records that the deletion of messages is about to be asked for.
    pub(super) fn record_deletions<'a>(
        &mut self,
        uids: impl Iterator<Item = &'a Uid>,
        now: u64,
    ) -> Result<(), Error> {
        let (mut text, now) = (String::new(), now.max(1));
        for uid in uids {
            let is_noted = self.seen.get(uid).is_none_or(|entry| entry.missing() == Some(now));
            if !is_noted {
                let _ = writeln!(text, "deleted {now} {}", encoded_uid(uid.as_bytes()));
                self.seen.mark_absent(uid, now);
            }
        }
        self.append(&text)
    }

    /// Records that a message is the one that was delivered: it was compared, or it was known to be
    /// and its deletion was refused.
    pub(super) fn record_same(&mut self, uid: &Uid, size: Option<u64>) -> Result<(), Error> {
        let Some(entry) = self.seen.entries.get_mut(uid.as_bytes()) else { return Ok(()) };
        self.seen.breaks.remove(uid.as_bytes());
        let name = encoded_uid(uid.as_bytes());
        let mut text = String::new();
        if let Some(size) = size.filter(|size| entry.size() != Some(*size)) {
            let _ = writeln!(text, "size {name} {size}");
            entry.set_size(size);
        }
        let _ = writeln!(text, "same {name}");
        entry.set_same();
        self.append(&text)
    }

    /// Records that another message has come under a known unique-id.
    pub(super) fn record_reuse(&mut self, uid: &Uid) -> Result<(), Error> {
        self.seen.reuses_uids = true;
        self.seen.entries.remove(uid.as_bytes());
        self.append(&format!("reused\nforget {}\n", encoded_uid(uid.as_bytes())))
    }

    /// Records that several listed messages share a unique-id, durably: the one that was not delivered
    /// may be all that is left in the next listing.
    pub(super) fn record_shared_uids(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.seen.reuses_uids, true) {
            return Ok(());
        }
        self.append_durably("reused\n")
    }

    /// Records that sizes are to be looked at, even if the next listing is the last one.
    pub(super) fn record_unmeasured(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.seen.is_unmeasured, true) {
            return Ok(());
        }
        self.append_durably("unmeasured\n")
    }

    /// Records that a session ended in the middle of a message, after this many octets of it: as an
    /// attempt, so that others have their turns, even if it does not count.
    pub(super) fn record_break(&mut self, uid: &Uid, now: u64, octets: u64) -> Result<(), Error> {
        let name = encoded_uid(uid.as_bytes());
        if !self.seen.is_break_news(uid, octets) {
            self.seen.breaks.attempted(uid.as_bytes(), now);
            return self.append(&format!("tried {now} {name}\n"));
        }
        self.seen.breaks.add(uid.clone(), now, octets);
        self.append(&format!("broke {now} {name} {octets}\n"))
    }

    /// Forgets the ends of sessions in the middle of a message.
    pub(super) fn forget_break(&mut self, uid: &Uid) {
        self.is_stale |= self.seen.breaks.remove(uid.as_bytes());
    }

    /// Returns whether this message to the user is new, and records it.
    pub(super) fn say_once(&mut self, what: &str) -> Result<bool, Error> {
        let is_first = self.seen.said.insert(what.to_owned());
        if is_first {
            self.append(&format!("said {what}\n"))?;
        }
        Ok(is_first)
    }

    /// Takes in that a message of the present session has this text and no unique-id. Returns whether
    /// it was delivered `here` before, in a run that counts.
    pub(super) fn meet_text(
        &mut self,
        number: u32,
        digest: Digest,
        now: u64,
        here: &Path,
    ) -> Result<bool, Error> {
        let (is_all, SeenUids { texts, places, .. }) = (self.is_all, &mut self.seen);
        let is_here = |place: usize| places.get(place).is_some_and(|place| place == here);
        let Some(before) = texts.meet(number, digest, now, is_all, is_here) else {
            return Ok(false);
        };
        // One that stays on the server is remembered for as long as it does.
        if now.saturating_sub(before) >= DAY {
            let (place, field) = (self.go_to(here), text_field(digest));
            self.append(&format!("{place}forget {field}\ndelivered {now} ? ? {digest}\n"))?;
        }
        Ok(true)
    }

    /// Forgets messages of the present session that had no unique-ids: they are deleted. Not durable:
    /// where the line is lost, an equal message is taken for the one that was delivered.
    pub(super) fn forget_deleted_texts(&mut self, numbers: &[u32]) -> Result<(), Error> {
        let mut text = String::new();
        for digest in self.seen.texts.forget_deleted(numbers) {
            let _ = writeln!(text, "forget {}", text_field(digest));
        }
        self.append(&text)
    }

    /// Forgets the earlier delivery of a message that was retrieved once more. Returns the line that
    /// says so, if there was one.
    fn replaced(&mut self, intent: &Intent) -> Option<String> {
        if !self.is_all {
            return None;
        }
        let SeenUids { entries, texts, .. } = &mut self.seen;
        let (was_known, name) = match &intent.uid {
            Some(uid) => {
                let uid = uid.as_bytes();
                let is_earlier = entries.get(uid).is_some_and(|entry| !entry.is_fresh());
                (is_earlier && entries.remove(uid), encoded_uid(uid))
            }
            None => (texts.forget_earlier(intent.digest), text_field(intent.digest).into()),
        };
        was_known.then(|| format!("forget {name}\n"))
    }

    /// Begins a listing; [`Journal::mark_listed`] follows for each message.
    pub(super) fn begin_listing(&mut self) {
        for (_, entry) in self.seen.entries.iter_mut() {
            entry.unlist();
        }
        self.seen.texts.begin_session();
        self.next = 0;
    }

    /// The server lists a message. Returns the entry that stands for it; `None` if it is unknown, or
    /// if another message was listed under its unique-id before. Servers list messages in the order
    /// in which they were fetched, so one is usually found behind the one before.
    pub(super) fn mark_listed(&mut self, uid: UidRef<'_>, number: u32) -> Option<&SeenEntry> {
        let (entries, uid) = (&mut self.seen.entries, uid.as_bytes());
        let is_next = entries.is_at(self.next, uid);
        let place = if is_next { Some(self.next) } else { entries.position(uid) };
        let place = place?;
        self.next = place + 1;
        let entry = entries.at_mut(place)?;
        entry.list(number).then_some(&*entry)
    }

    /// The listing is complete: notes what is gone and what is back, durably.
    pub(super) fn end_listing(&mut self, now: u64) -> Result<Listed, Error> {
        let mut listed = Listed::default();
        let (mut changed, mut text) = (Vec::new(), String::new());
        for (place, entry) in self.seen.entries.iter_mut() {
            let is_listed = entry.number().is_some();
            listed.known += usize::from(is_listed);
            listed.before += usize::from(entry.missing().is_none());
            match (is_listed, entry.missing()) {
                (false, None) => {
                    entry.set_missing(now);
                    changed.push((place, false));
                }
                (true, Some(_)) => {
                    entry.set_present();
                    changed.push((place, true));
                }
                (false, Some(_)) | (true, None) => {}
            }
            // What was delivered while the clock was wrong counts from now.
            let is_wrong = !is_credible(entry.time()) || entry.time() > now;
            if is_listed && is_wrong && is_credible(now) {
                entry.stamp(now);
                self.is_stale = true;
            }
        }
        listed.changes = changed.len();
        // Without it, a session that ends before LIST would leave a listing that looks like the last
        // one, and no size would be asked for.
        let is_due = listed.changes > 0 && listed.known > 0;
        if is_due && !std::mem::replace(&mut self.seen.is_unmeasured, true) {
            text.push_str("unmeasured\n");
        }
        for (place, is_listed) in changed {
            let name = encoded_uid(self.seen.entries.uid(place));
            let _ = if is_listed {
                writeln!(text, "listed {name}")
            } else {
                writeln!(text, "missing {} {name}", now.max(1))
            };
        }
        self.append_durably(&text)?;
        Ok(listed)
    }

    /// Notes which messages are listed with another size than before, durably.
    pub(super) fn note_sizes(&mut self, size_of: impl Fn(u32) -> Option<u64>) -> Result<(), Error> {
        let (mut changed, mut text) = (Vec::new(), String::new());
        for (place, entry) in self.seen.entries.iter_mut() {
            let is_one = entry.copies() == 1 && !entry.is_shared();
            let is_delivered = matches!(entry.kind(), Kind::Delivered(..));
            let number = entry.number().filter(|_| is_one && is_delivered);
            let Some(size) = number.and_then(&size_of) else { continue };
            if entry.size().is_some_and(|known| known != size) {
                entry.resize(size);
                changed.push((place, size));
            }
        }
        for (place, size) in changed {
            let name = encoded_uid(self.seen.entries.uid(place));
            let _ = writeln!(text, "size {name} {size}");
        }
        self.append_durably(&text)?;
        if std::mem::take(&mut self.seen.is_unmeasured) {
            self.append("measured\n")?;
        }
        Ok(())
    }

    /// Appends and syncs. Without the sync, a power cut could lose the record that a message was
    /// absent.
    fn append_durably(&mut self, text: &str) -> Result<(), Error> {
        if !text.is_empty() {
            self.append(text)?;
            self.sync()?;
        }
        Ok(())
    }

    /// Rewrites the journal in as few lines as say the same, if that is worth it.
    pub(super) fn compact(&mut self) -> Result<(), Error> {
        let needed = self.seen.lines();
        let spare = self.lines.saturating_sub(needed);
        let is_worth_it = self.is_stale || spare > needed / 2 + SPARE_LINES;
        if !self.is_begun() || !self.seen.intents.is_empty() || !is_worth_it {
            return Ok(());
        }
        self.rewrite()
    }

    /// Writes a journal anew that says the same, and puts it in the place of this one.
    pub(super) fn rewrite(&mut self) -> Result<(), Error> {
        let (path, fresh) = (self.path(), self.dir.join("journal.new"));
        let failed = |error| Error::io("rewrite", &path, error);
        if self.disk.exists(&fresh).map_err(failed)? {
            self.disk.remove(&fresh).map_err(|error| Error::io("remove", &fresh, error))?;
        }
        let file = self.disk.create(&fresh).map_err(failed)?;
        let mut file = BufWriter::with_capacity(limits::BUFFER, file);
        let (lines, place) = self.seen.write(&mut file).map_err(failed)?;
        let mut file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync().map_err(failed)?;
        drop(file);
        let (_, octets) = self.disk.open(&fresh).map_err(failed)?;
        self.disk.rename(&fresh, &path).map_err(failed)?;
        self.disk.sync_dir(&self.dir).map_err(failed)?;
        (self.file, self.place, self.is_stale) = (None, place, false);
        (self.lines, self.octets) = (lines, octets);
        self.forgotten.clear();
        Ok(())
    }

    fn append(&mut self, text: &str) -> Result<(), Error> {
        if text.is_empty() {
            return Ok(());
        }
        let text = &format!("{}{text}", self.forgotten);
        let path = self.path();
        let failed = |error| Error::io("write", &path, error);
        if self.is_broken {
            return Err(failed(io::ErrorKind::StorageFull.into()));
        }
        let written = self.file()?.write_all(text.as_bytes());
        if let Err(error) = written {
            // Nothing may follow half a line.
            self.is_broken = self.disk.truncate(&path, self.octets).is_err();
            return Err(failed(error));
        }
        self.lines += text.lines().count();
        self.octets += u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.forgotten.clear();
        Ok(())
    }

    fn file(&mut self) -> Result<&mut Box<dyn File>, Error> {
        let path = self.path();
        match &mut self.file {
            Some(file) => Ok(file),
            none => {
                let file = self.disk.append(&path).map_err(|error| Error::create(&path, error))?;
                Ok(none.insert(file))
            }
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }
}

/// A complete listing, compared with the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The number of listed unique-ids that are known.
    pub known: usize,
    /// The number of known unique-ids that were there before.
    pub before: usize,
    /// The number of those that are gone or back.
    pub changes: usize,
}

/// A record that accompanies a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FollowUp {
    /// No record.
    None,
    /// Its deletion will be asked for, at this time (seconds since 1970).
    Deleted(u64),
    /// An earlier run has delivered it, and it counts as absent since this time.
    Missing(u64),
}

/// Makes durable what a directory holds, and its name and those above, all of which may be new.
pub(super) fn sync_names(disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
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

/// The outcome of an announced delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The message was delivered.
    Done,
    /// The message was not delivered.
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use proptest::test_runner::RngSeed;

    use super::super::digest::Digest;
    use super::*;
    use crate::store::disk::Os;
    use crate::store::disk::simulated::Simulated;
    use crate::store::seen::Standing;

    const NOW: u64 = limits::EARLIEST + 1_000;

    fn uid(text: &str) -> Uid {
        Uid::new(text.as_bytes()).unwrap()
    }

    const HERE: &str = "/home/ann/Mail dir";

    fn digest() -> Digest {
        Digest::parse(&[b'0'; 32]).unwrap()
    }

    fn intent(text: &str, name: &str, time: u64) -> Intent {
        let (uid, name) = (Some(uid(text)), name.to_owned());
        Intent { time, uid, size: Some(9), digest: digest(), name, place: 0 }
    }

    /// A message without a unique-id.
    fn nameless(text: u8) -> Intent {
        let digest = Digest::parse(&[b'a' + text; 32]).unwrap();
        Intent { uid: None, digest, ..intent("x", "x", NOW) }
    }

    /// Announces messages, by unique-id and name.
    fn intend(journal: &mut Journal, messages: &[(&str, &str)]) {
        journal.begin(7).unwrap();
        let intents = messages.iter().map(|(text, name)| intent(text, name, NOW));
        journal.record_intents(Path::new(HERE), intents).unwrap();
    }

    fn done(journal: &mut Journal) {
        journal.resolve(|_| Some(Outcome::Done), FollowUp::None).unwrap();
    }

    fn names(journal: &Journal) -> Vec<&str> {
        journal.seen.intents.iter().map(|intent| intent.name.as_str()).collect()
    }

    fn open(dir: &Path, now: u64) -> Journal {
        Journal::open(Arc::new(Os), dir, now, 7).unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "a test may be blunt")]
    fn write(path: &Path, text: impl AsRef<[u8]>) {
        std::fs::write(path, text).unwrap();
    }

    fn standing<'a>(journal: &'a Journal, text: &str, size: u64) -> Standing<'a> {
        journal.seen.standing(&uid(text), Some(size), Path::new(HERE))
    }

    #[test]
    fn what_was_announced_and_confirmed_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), NOW);
        intend(&mut journal, &[("a/b c", "1.x"), ("b", "2.x")]);
        assert_eq!(names(&open(dir.path(), NOW)), ["1.x", "2.x"]);
        done(&mut journal);
        let journal = open(dir.path(), NOW + 1);
        assert!(journal.seen.intents.is_empty());
        assert_eq!(journal.seen.get(&uid("a/b c")).unwrap().time(), NOW);
        assert_eq!(standing(&journal, "a/b c", 9), Standing::Proven);
        assert_eq!(standing(&journal, "c", 9), Standing::New);
    }

    #[test]
    fn a_message_under_a_unique_id_that_was_forgotten_is_the_only_one_under_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), NOW);
        intend(&mut journal, &[("a", "1.x"), ("b", "2.x")]);
        done(&mut journal);
        compare(&mut journal, &["b"], NOW);
        // Nothing but the new delivery is written in this run, and it ends without being rewritten.
        let mut journal = open(dir.path(), NOW + 31 * DAY);
        assert_eq!(standing(&journal, "a", 9), Standing::New);
        intend(&mut journal, &[("a", "3.x")]);
        done(&mut journal);
        let journal = open(dir.path(), NOW + 31 * DAY);
        assert_eq!(standing(&journal, "a", 9), Standing::Proven);
        assert_eq!(standing(&journal, "a", 8), Standing::Resized);
        let seen = Journal::read_only(&Os, dir.path(), NOW + 31 * DAY).unwrap();
        assert_eq!(seen, journal.seen);
    }

    #[test]
    fn a_torn_end_is_ignored_and_never_glued_to_the_next_line() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), NOW);
        intend(&mut journal, &[("a", "1.x")]);
        done(&mut journal);
        let path = dir.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        let hole = "\0".repeat(3 << 20);
        for tail in ["inte", "intent 5 x 2.x", "\0\0\0\0", "\0\0\n\0\n", &hole] {
            let mut torn = whole.clone();
            torn.extend_from_slice(tail.as_bytes());
            write(&path, torn);
            let mut journal = open(dir.path(), NOW);
            assert!(journal.seen.intents.is_empty() && journal.damaged().is_none());
            intend(&mut journal, &[("b", "2.x")]);
            let journal = open(dir.path(), NOW);
            // Half a line says nothing of others; a hole may have swallowed what was away.
            let is_hole = tail.contains('\0');
            let expected = if is_hole { Standing::Unproven } else { Standing::Proven };
            assert_eq!(standing(&journal, "a", 9), expected);
            assert_eq!(names(&journal), ["2.x"]);
        }
        // In the name of an announced message, too.
        write(&path, [whole.as_slice(), b"intent 5 x 9 ", &[b'0'; 32], b" 3.\0\0\n"].concat());
        let journal = open(dir.path(), NOW);
        assert!(journal.seen.intents.is_empty() && journal.damaged().is_none());
    }

    /// A page of lines that were not synced got lost, and a later one did not.
    #[test]
    fn a_hole_is_passed_over_and_proves_nothing_of_what_stands_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), NOW);
        intend(&mut journal, &[("a", "1.x"), ("b", "2.x")]);
        done(&mut journal);
        let path = dir.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        write(&path, text.replace("done 1.x\n", "do\0\0\0\0\0\n"));
        let journal = open(dir.path(), NOW);
        assert!(journal.damaged().is_none());
        assert_eq!(names(&journal), ["1.x"]);
        assert_eq!(standing(&journal, "b", 9), Standing::Unproven);
        // Behind the hole, another delivery: what stands before it counts as unproven.
        write(&path, format!("{text}\0\0\0\0\nsaid something\n"));
        let journal = open(dir.path(), NOW);
        assert!(journal.damaged().is_none());
        assert_eq!(standing(&journal, "a", 9), Standing::Unproven);
        // What it has swallowed, of what was announced, was not synced.
        let behind = format!("deleted {NOW} b\nlisted b\nsame b\nforget b\n");
        write(&path, format!("{}\0\0\0\n{behind}", text.replace("done 2.x\n", "")));
        let journal = open(dir.path(), NOW);
        assert!(journal.damaged().is_none());
        assert_eq!(names(&journal), ["2.x"]);
        // It may have swallowed the name of another place, so what was announced behind it is not of
        // this one. None of it was synced, or it would be there.
        let behind = format!("intent {NOW} c 9 {} 3.x\n", digest());
        write(&path, format!("{text}\0\0\0\0\n{behind}"));
        let mut journal = open(dir.path(), NOW);
        assert!(journal.damaged().is_none() && journal.seen.intents.is_empty());
        // The next run names its place, though the journal has named it.
        intend(&mut journal, &[("e", "5.x")]);
        assert_eq!(names(&open(dir.path(), NOW)), ["5.x"]);
    }

    #[test]
    fn a_damaged_journal_is_kept_and_what_can_be_read_of_it_counts_and_proves_nothing() {
        let entry = |uid| format!("delivered {NOW} {uid} 9 {}\n", digest());
        let (a, b) = (entry("a"), entry("b"));
        let head = format!("postie journal 2 {:016x}\nmaildir /home/ann/Mail%20dir\n", 5);
        for (text, known) in [
            (format!("{head}{a}rubbish\n{b}"), 2),
            (format!("{head}{a}{b}rubbish\n"), 2),
            (format!("{head}{a}done 1.x\n"), 1),
            ("something else\n".to_owned(), 0),
            ("\0".repeat(5_000), 0),
            (format!("{}{a}said something\n", "\0".repeat(60)), 0),
            // A hole over what was synced, as the lines behind it show.
            (format!("{head}{a}\0\0\0\n{b}"), 1),
            (format!("{head}{a}\0\0\0\ndone 4.x\n"), 1),
            (format!("{head}{a}\0\0\0\nvoid 4.x\n"), 1),
            (format!("{head}{a}\0\0\0\nforget d\n"), 1),
            (format!("{head}{a}\0\0\0\nmissing {NOW} d\n"), 1),
            (format!("{head}{a}\0\0\0\nforget ? {}\n", digest()), 1),
            ("x".repeat(3 << 20), 0),
            (format!("postie journal 1\n{a}"), 0),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(FILE);
            write(&path, &text);
            let kept = dir.path().join("journal.damaged");
            let journal = open(dir.path(), NOW);
            assert_eq!(journal.damaged(), Some(kept.as_path()), "{text:.60}");
            assert_eq!(std::fs::read(&kept).unwrap(), text.as_bytes());
            assert_eq!(journal.seen.entries.len(), known, "{text:.60}");
            let mut journal = open(dir.path(), NOW);
            assert!(journal.damaged().is_none(), "{text:.60}");
            assert!(journal.seen.entries.values().all(|entry| !entry.is_unbroken()));
            intend(&mut journal, &[("c", "1.x")]);
            assert_eq!(names(&open(dir.path(), NOW)), ["1.x"]);
        }
    }

    #[test]
    fn a_journal_of_a_newer_version_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        write(&path, "postie journal 3 0000000000000005 and more\nsomething new\n");
        let opened = Journal::open(Arc::new(Os), dir.path(), NOW, 7).map(drop);
        assert!(matches!(opened, Err(Error::NewerJournal { version: 3, .. })), "{opened:?}");
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("something new\n"));
    }

    fn compare(journal: &mut Journal, listed: &[&str], now: u64) {
        journal.begin_listing();
        for (name, number) in listed.iter().zip(1..) {
            journal.mark_listed(UidRef::new(name.as_bytes()).unwrap(), number);
        }
        journal.end_listing(now).unwrap();
    }

    #[test]
    fn a_vanished_message_is_remembered_for_thirty_days() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), NOW);
        intend(&mut journal, &[("a", "1.x"), ("b", "2.x")]);
        done(&mut journal);
        compare(&mut journal, &[], NOW + DAY);
        // A clock that cannot be right forgets nothing.
        let journal = open(dir.path(), 5);
        assert!(journal.seen.get(&uid("a")).is_some());
        let mut journal = open(dir.path(), NOW + 2 * DAY);
        assert!(journal.seen.get(&uid("a")).is_some());
        compare(&mut journal, &["b"], NOW + 3 * DAY);
        let journal = open(dir.path(), NOW + 40 * DAY);
        assert!(journal.seen.get(&uid("a")).is_none());
        assert_eq!(standing(&journal, "b", 9), Standing::Unproven);
    }

    #[test]
    fn what_a_listing_and_a_comparison_prove_outlives_the_run_and_a_rewriting() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), NOW);
        let all = ["same", "gone", "back", "other", "deleted", "equal", "refused"];
        let messages = all.map(|uid| (uid, uid));
        intend(&mut journal, &messages);
        done(&mut journal);
        compare(&mut journal, &["same", "gone", "other", "deleted", "equal", "refused"], NOW);
        compare(&mut journal, &["same", "back", "other", "deleted", "equal", "refused"], NOW);
        // Sizes are by number.
        journal.note_sizes(|number| Some(if matches!(number, 3 | 5) { 8 } else { 9 })).unwrap();
        let deleted = [uid("deleted"), uid("refused")];
        journal.record_deletions(deleted.iter(), NOW).unwrap();
        journal.record_same(&uid("equal"), Some(8)).unwrap();
        journal.record_same(&uid("refused"), None).unwrap();
        let expected = [
            ("same", 9, Standing::Proven),
            ("same", 8, Standing::Resized),
            ("gone", 9, Standing::Unproven),
            ("back", 9, Standing::Unproven),
            ("other", 8, Standing::Resized),
            ("other", 9, Standing::Resized),
            ("deleted", 9, Standing::Unproven),
            ("equal", 8, Standing::Proven),
            ("equal", 9, Standing::Resized),
            ("refused", 9, Standing::Proven),
        ];
        let check = |journal: &Journal, when| {
            for (uid, size, is) in expected {
                assert_eq!(standing(journal, uid, size), is, "{uid} {size} {when}");
            }
            let unknown = journal.seen.standing(&uid("same"), None, Path::new(HERE));
            assert_eq!(unknown, Standing::Unproven);
            let other = journal.seen.standing(&uid("same"), Some(9), Path::new("/other"));
            assert_eq!(other, Standing::Elsewhere(Path::new(HERE)));
        };
        check(&journal, "at once");
        let mut journal = open(dir.path(), NOW);
        check(&journal, "in the next run");
        journal.rewrite().unwrap();
        check(&journal, "rewritten");
        check(&open(dir.path(), NOW), "rewritten, in the next run");
        journal.record_reuse(&uid("gone")).unwrap();
        journal.rewrite().unwrap();
        let journal = open(dir.path(), NOW);
        assert_eq!(standing(&journal, "gone", 9), Standing::New);
        assert_eq!(standing(&journal, "same", 9), Standing::Unproven);
    }

    #[test]
    fn what_several_messages_share_is_never_proven() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), NOW);
        intend(&mut journal, &[("a", "1.x"), ("a", "2.x"), ("b", "3.x")]);
        done(&mut journal);
        compare(&mut journal, &["a", "b", "b"], NOW);
        for uid in ["a", "b"] {
            assert_eq!(standing(&journal, uid, 9), Standing::Shared, "{uid}");
        }
    }

    #[test]
    fn what_was_delivered_while_the_clock_was_wrong_counts_from_when_it_is_right() {
        for wrong in [0, 5, NOW + 5000 * DAY] {
            let dir = tempfile::tempdir().unwrap();
            let mut journal = open(dir.path(), wrong);
            journal.begin(7).unwrap();
            let intents = [intent("a", "1.x", wrong)];
            journal.record_intents(Path::new(HERE), intents.into_iter()).unwrap();
            done(&mut journal);
            let age = |journal: &Journal, now| journal.seen.get(&uid("a")).unwrap().age(now);
            assert_eq!(age(&journal, NOW), None);
            compare(&mut journal, &["a"], NOW);
            journal.compact().unwrap();
            assert_eq!(age(&open(dir.path(), NOW), NOW + DAY), Some(DAY));
            assert_eq!(age(&journal, 5), None);
        }
    }

    #[test]
    fn comparing_writes_nothing_when_nothing_changed() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), NOW);
        intend(&mut journal, &[("a", "1.x")]);
        done(&mut journal);
        let before = std::fs::read(dir.path().join(FILE)).unwrap();
        compare(&mut journal, &["a"], NOW + 9);
        journal.note_sizes(|_| Some(9)).unwrap();
        journal.compact().unwrap();
        assert_eq!(std::fs::read(dir.path().join(FILE)).unwrap(), before);
    }

    #[test]
    fn messages_without_unique_ids_are_known_by_their_texts_until_they_are_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let here = Path::new(HERE);
        // Whether messages with these texts are known, in one session.
        let met = |journal: &mut Journal, texts: &[u8], now: u64, place: &str| {
            journal.begin_listing();
            let numbered = (1..).zip(texts.iter().map(|text| nameless(*text).digest));
            let met = numbered.map(|(number, digest)| {
                journal.meet_text(number, digest, now, Path::new(place)).unwrap()
            });
            met.collect::<Vec<_>>()
        };
        let deliver = |journal: &mut Journal, text: u8| {
            journal.record_intents(here, [nameless(text)].into_iter()).unwrap();
            done(journal);
        };
        let mut journal = open(dir.path(), NOW);
        journal.begin(7).unwrap();
        for text in [0, 0, 1] {
            deliver(&mut journal, text);
        }
        // Of the present session none is known again.
        assert!(!journal.meet_text(1, nameless(0).digest, NOW, here).unwrap());
        assert_eq!(
            met(&mut journal, &[0, 0, 0, 1, 2], NOW, HERE),
            [true, true, false, true, false]
        );
        // With --all, what this run delivered counts, and what it delivers replaces the rest.
        let mut journal = open(dir.path(), NOW);
        journal.is_all = true;
        journal.begin_listing();
        assert!(!journal.meet_text(1, nameless(1).digest, NOW, here).unwrap());
        deliver(&mut journal, 1);
        journal.begin_listing();
        assert!(journal.meet_text(1, nameless(1).digest, NOW, here).unwrap());
        let mut journal = open(dir.path(), NOW);
        assert_eq!(met(&mut journal, &[0, 1], NOW, "/elsewhere"), [false, false]);
        assert_eq!(met(&mut journal, &[1, 0, 1], NOW, HERE), [true, true, false]);
        // One of them is deleted, and whatever is no message of this session.
        journal.forget_deleted_texts(&[2, 7]).unwrap();
        let mut journal = open(dir.path(), NOW);
        assert_eq!(met(&mut journal, &[0, 0, 1], NOW + 20 * DAY, HERE), [true, false, true]);
        // That they were met is noted.
        let mut journal = open(dir.path(), NOW + 40 * DAY);
        assert_eq!(met(&mut journal, &[0, 0, 1], NOW + 40 * DAY, HERE), [true, false, true]);
        // What is not met is forgotten in the end, and stays so.
        let mut journal = open(dir.path(), NOW + 71 * DAY);
        journal.record_delivery(nameless(1), here).unwrap();
        let mut journal = open(dir.path(), NOW);
        assert_eq!(met(&mut journal, &[0, 1], NOW, HERE), [false, true]);
    }

    #[test]
    fn what_is_delivered_once_more_takes_the_place_of_what_was_before() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), NOW);
        intend(&mut journal, &[("a", "1.x"), ("b", "2.x")]);
        done(&mut journal);
        let mut journal = open(dir.path(), NOW);
        journal.is_all = true;
        let again = [intent("a", "3.x", NOW)].into_iter();
        journal.record_intents(Path::new("/other"), again).unwrap();
        // Cut off here, recovery has the last word on the one, and the other is as it was.
        assert!(open(dir.path(), NOW).seen.get(&uid("a")).is_none());
        done(&mut journal);
        assert!(journal.seen.get(&uid("a")).unwrap().is_fresh());
        let journal = open(dir.path(), NOW);
        assert_eq!(journal.seen.get(&uid("a")).unwrap().copies(), 1);
        assert!(matches!(standing(&journal, "a", 9), Standing::Elsewhere(_)));
        assert_eq!(standing(&journal, "b", 9), Standing::Proven);
    }

    #[test]
    fn a_rewritten_journal_says_the_same_in_fewer_lines() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), NOW);
        journal.begin(7).unwrap();
        journal.record_unwanted(vec![uid("n")], Kind::Noted, NOW).unwrap();
        assert!(journal.say_once("elsewhere").unwrap());
        journal.record_break(&uid("poison"), NOW, 5).unwrap();
        for round in 0..600 {
            let name = format!("u{}", round % 3);
            journal = open(dir.path(), NOW);
            journal.is_all = true;
            intend(&mut journal, &[(&name, &format!("{round}.x"))]);
            done(&mut journal);
        }
        compare(&mut journal, &["n", "u0", "u2"], NOW);
        journal.record_delivery(nameless(0), Path::new(HERE)).unwrap();
        // What was delivered by which run is not in it.
        let mut journal = open(dir.path(), NOW);
        journal.compact().unwrap();
        // The header, what was said, the place, six messages, one that is missing, and that no size was
        // seen since.
        assert_eq!(journal.lines, 11);
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(text.lines().count(), 11);
        assert_eq!(u64::try_from(text.len()).unwrap(), journal.octets);
        let mut reopened = open(dir.path(), NOW);
        assert_eq!(reopened.seen, journal.seen);
        assert_eq!(reopened.seen.get(&uid("u1")).unwrap().missing(), Some(NOW));
        assert!(!reopened.say_once("elsewhere").unwrap());
        intend(&mut journal, &[("later", "x.x")]);
        assert_eq!(open(dir.path(), NOW).seen.intents.len(), 1);
    }

    #[test]
    fn a_journal_that_does_not_pay_is_rewritten_in_the_order_of_the_mailbox() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut journal = open(dir.path(), NOW);
        // One line of two can be spared, which is tolerated for the first so many messages.
        let uids: Vec<_> = (0..3_000).map(|n| (n * 7 % 3_000).to_string()).collect();
        for batch in uids.chunks(500) {
            let messages: Vec<_> = batch.iter().map(|uid| (uid.as_str(), uid.as_str())).collect();
            intend(&mut journal, &messages);
            done(&mut journal);
            let before = std::fs::metadata(&path).unwrap().len();
            journal.compact().unwrap();
            let is_rewritten = std::fs::metadata(&path).unwrap().len() < before;
            assert_eq!(is_rewritten, journal.seen.entries.len() == 2_500);
        }
        let journal = open(dir.path(), NOW);
        let order: Vec<_> = journal.seen.entries.iter().map(|(uid, _)| uid.to_owned()).collect();
        let uids: Vec<_> = uids.into_iter().map(String::into_bytes).collect();
        assert_eq!(order, uids);
    }

    fn journal() -> impl Strategy<Value = Vec<u8>> {
        const PIECES: [&str; 27] = [
            "maildir /m\n",
            "intent 5 a 9 00000000000000000000000000000000 n.x\n",
            "intent 5 ? ? 00000000000000000000000000000000 n.y\n",
            "done n.x\n",
            "void n.y\n",
            "delivered 5 a 9 00000000000000000000000000000000\n",
            "missing 18446744073709551615 a\n",
            "missing 5 a\n",
            "deleted 5 a\n",
            "listed a\n",
            "size a 8\n",
            "same a\n",
            "unmeasured\n",
            "measured\n",
            "reused\n",
            "broke 5 a\n",
            "tried 6 a\n",
            "said x\n",
            "forget a\n",
            "\n",
            " ",
            "5",
            "a",
            "%2",
            "\0\0",
            "intent 5 a",
            "postie journal 2 0000000000000007\n",
        ];
        let piece = prop_oneof![
            9 => select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
            1 => vec(any::<u8>(), 0..3),
        ];
        let header = prop_oneof![
            9 => Just("postie journal 2 0000000000000007\nmaildir /m\n"),
            1 => Just("postie jour"),
            1 => Just("")
        ];
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
        fn any_journal_can_be_read_and_added_to(text in journal()) {
            let dir = Path::new("/state");
            let disk = Simulated::new(dir);
            disk.append(&dir.join(FILE)).unwrap().write_all(&text).unwrap();
            let open = || Journal::open(Arc::new(disk.clone()), dir, NOW, 7).unwrap();
            let mut journal = open();
            let before = journal.seen.entries.clone();
            intend(&mut journal, &[("new", "new.x")]);
            let journal = open();
            prop_assert!(journal.damaged().is_none());
            let names = names(&journal);
            prop_assert_eq!(names.last(), Some(&"new.x"));
            prop_assert_eq!(&journal.seen.entries, &before);
        }
    }
}
