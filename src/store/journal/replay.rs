//! The journal's lines, understood one after the other.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::Path;

use memchr::{memchr, memchr_iter, memrchr};

use super::super::Error;
use super::super::digest::Digest;
use super::super::disk::Disk;
use super::super::entry::{Kind, Place, SeenEntry};
use super::super::line::{FORMAT, VERSION, decoded_path, decoded_uid};
use super::super::seen::{Intent, SeenUids};
use crate::text::{Uid, leading_number, number};

/// Octets of a journal that are read at a time.
const PART: u64 = 64 << 10;

/// The longest line of a journal, in octets. A longer one is damage.
const LINE: usize = 1 << 20;

/// The contents of a journal, and its condition.
#[derive(Default)]
pub(super) struct Replay {
    pub(super) seen: SeenUids,
    /// Whole lines up to the last one that was understood, and their octets.
    pub(super) lines: usize,
    pub(super) octets: u64,
    /// True if an incomplete line follows them, left by a run that was interrupted.
    pub(super) is_torn: bool,
    /// True if it ends in NULs, which may have swallowed a line.
    pub(super) ends_in_hole: bool,
    /// True if lines in between are no lines of a journal.
    pub(super) is_damaged: bool,
    /// The place of the next deliveries.
    place: Option<usize>,
    /// True if a hole was skipped. Lines behind it may refer to what it has swallowed.
    has_hole: bool,
    /// True if one of them had NULs: it is no line that was cut off.
    has_nuls: bool,
    /// Lines and octets that were read.
    read: (usize, u64),
    /// The lines that were skipped behind the last that was understood: NULs, or others.
    passed: Option<Passed>,
    /// The announced deliveries in order. They are resolved in order, too, so the next one is the
    /// first.
    announced: VecDeque<Intent>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Passed {
    /// A page that did not reach the disk, or half a line.
    Hole,
    /// Any other line.
    Nonsense,
}

impl Replay {
    /// Reads the journal at `path`, if there is one.
    #[expect(clippy::disallowed_methods, reason = "it is read in parts of a bounded size")]
    pub(super) fn of(disk: &dyn Disk, path: &Path) -> Result<Self, Error> {
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
                replay.take(line, path)?;
            }
            if is_all {
                replay.end();
                return Ok(replay);
            }
            // The others are probably about as many messages as the first.
            replay.seen.entries.reserve_times(std::mem::take(&mut parts));
        }
    }

    fn end(&mut self) {
        // Half a line, or NULs, are what a cut leaves behind; whole lines of nonsense are not.
        match self.passed {
            Some(Passed::Nonsense) => self.is_damaged = true,
            Some(Passed::Hole) if self.lines == 0 && self.octets_passed() > LINE_OF_HEADER => {
                self.is_damaged = true;
            }
            Some(Passed::Hole) => {
                self.is_torn = true;
                // As for one in the middle: it may have said that messages were away.
                self.ends_in_hole = self.has_nuls && self.lines > 0;
                if self.ends_in_hole {
                    self.seen.distrust();
                }
            }
            None => {}
        }
        // Its mark is lost with its first line, and must not be drawn anew in every run.
        self.is_damaged |= self.lines > 0 && self.seen.mark.is_none();
        if self.is_damaged {
            self.seen.distrust();
        }
        // What was announced and not settled may have happened or not.
        self.seen.intents = std::mem::take(&mut self.announced).into();
    }

    fn octets_passed(&self) -> u64 {
        self.read.1 - self.octets
    }

    /// Takes in one line. A journal of a newer version is an error.
    fn take(&mut self, line: &[u8], path: &Path) -> Result<(), Error> {
        self.read.0 += 1;
        self.read.1 += u64::try_from(line.len()).unwrap_or(u64::MAX);
        let whole = line.strip_suffix(b"\n");
        let understood = match (whole, self.read.0) {
            (Some(line), 1) => self.header(line, path)?,
            (Some(line), _) => self.line(line),
            (None, _) => None,
        };
        match (understood, self.passed) {
            (Some(()), passed) => {
                // A page that got lost while a later one did not holds nothing that was synced: it
                // may have said that messages were away, but not that they were delivered.
                match passed {
                    Some(Passed::Hole) => self.seen.distrust(),
                    Some(Passed::Nonsense) => self.is_damaged = true,
                    None => {}
                }
                self.passed = None;
                (self.lines, self.octets) = self.read;
            }
            (None, Some(Passed::Nonsense)) => {}
            (None, _) => {
                let has_nuls = memchr(0, line).is_some();
                self.has_nuls |= has_nuls;
                let is_hole = whole.is_none() || has_nuls;
                let is_long = line.len() >= LINE && !has_nuls;
                self.passed = Some(if is_hole && !is_long {
                    // It may have named another place.
                    (self.has_hole, self.place) = (true, None);
                    Passed::Hole
                } else {
                    Passed::Nonsense
                });
            }
        }
        Ok(())
    }

    /// `postie journal VERSION MARK`.
    fn header(&mut self, line: &[u8], path: &Path) -> Result<Option<()>, Error> {
        let Some(rest) = line.strip_prefix(FORMAT.as_bytes()) else { return Ok(None) };
        let mut fields = rest.split(|&octet| octet == b' ');
        let version = fields.next().and_then(number);
        if let Some(version) = version.filter(|version| *version > VERSION) {
            return Err(Error::NewerJournal { path: path.to_owned(), version });
        }
        let mark = fields.next().and_then(|mark| str::from_utf8(mark).ok());
        let mark = mark.and_then(|mark| u64::from_str_radix(mark, 16).ok());
        self.seen.mark = mark.filter(|_| version == Some(VERSION));
        Ok(self.seen.mark.map(drop))
    }

    fn entry(&mut self, uid: &[u8]) -> Option<&mut SeenEntry> {
        self.seen.entries.get_mut(uid)
    }

    fn settled(&mut self, name: &[u8]) -> Option<Intent> {
        let at = self.announced.iter().position(|announced| announced.name.as_bytes() == name)?;
        self.announced.remove(at)
    }

    /// Takes in that a line speaks of a message that has no entry. `None` unless its delivery was
    /// announced, and a hole has swallowed the line that it was done, which was not synced.
    fn unsettled(&self, uid: &[u8]) -> Option<()> {
        self.lost(|intent| intent.uid.as_ref().is_some_and(|announced| announced.as_bytes() == uid))
    }

    fn lost(&self, is_it: impl Fn(&Intent) -> bool) -> Option<()> {
        (self.has_hole && self.announced.iter().any(is_it)).then_some(())
    }

    /// Takes in one line behind the first. `None` if it makes no sense.
    fn line(&mut self, line: &[u8]) -> Option<()> {
        let mut fields = Fields(Some(line));
        match fields.text()? {
            b"maildir" => {
                let path = decoded_path(fields.words()?.as_bytes())?;
                self.place = Some(self.seen.number(&path));
            }
            b"intent" => {
                let Delivered { time, uid, size, digest } = fields.delivered()?;
                let name = fields.words()?.to_owned();
                let uid = uid.as_deref().and_then(Uid::new);
                match self.place {
                    Some(place) => {
                        self.announced.push_back(Intent { time, uid, size, digest, name, place });
                    }
                    // Its run named the place before the hole. If that was not synced, nor was this,
                    // and the message was not delivered.
                    None if self.has_hole => {}
                    None => return None,
                }
            }
            b"delivered" => {
                let Delivered { time, uid, size, digest } = fields.delivered()?;
                let place = self.place?;
                match uid {
                    Some(uid) => {
                        let kind = Kind::Delivered(Place::new(place), digest);
                        self.seen.enter(&uid, SeenEntry::new(time, kind, size));
                    }
                    None => self.seen.texts.add(digest, time, place),
                }
            }
            // What it refers to was synced before, so that a hole has no excuse for it.
            b"done" => {
                let intent = self.settled(fields.text()?)?;
                self.seen.deliver(&intent);
            }
            b"void" => drop(self.settled(fields.text()?)?),
            b"unwanted" => {
                let (time, uid) = (fields.number()?, fields.uid()?);
                let kind = match fields.text()? {
                    b"noted" => Kind::Noted,
                    b"imported" => Kind::Imported,
                    _ => return None,
                };
                self.seen.unwanted(&uid, time, kind);
            }
            // The request to delete counts as an absence: if it is there again, it may be another.
            b"missing" | b"deleted" => {
                let since = fields.number().filter(|since| *since > 0)?;
                let uid = fields.uid()?;
                let Some(entry) = self.entry(&uid) else { return self.unsettled(&uid) };
                entry.set_missing(since);
            }
            b"listed" => {
                let uid = fields.uid()?;
                let Some(entry) = self.entry(&uid) else { return self.unsettled(&uid) };
                entry.set_present();
            }
            b"size" => {
                let (uid, size) = (fields.uid()?, fields.number()?);
                let Some(entry) = self.entry(&uid) else { return self.unsettled(&uid) };
                entry.resize(size);
            }
            b"same" => {
                let uid = fields.uid()?;
                let Some(entry) = self.entry(&uid) else { return self.unsettled(&uid) };
                entry.set_same();
                self.seen.breaks.remove(&uid);
            }
            b"forget" if fields.unknown() => {
                let digest = fields.digest()?;
                if !self.seen.texts.forget_one(digest) {
                    return self.lost(|intent| intent.uid.is_none() && intent.digest == digest);
                }
            }
            b"forget" => {
                let uid = fields.uid()?;
                if !self.seen.entries.remove(&uid) {
                    return self.unsettled(&uid);
                }
            }
            b"reused" => self.seen.reuses_uids = true,
            b"unmeasured" => self.seen.is_unmeasured = true,
            b"measured" => self.seen.is_unmeasured = false,
            b"broke" => {
                let (time, uid) = (fields.number()?, fields.uid()?);
                let octets = if fields.is_empty() { 0 } else { fields.number()? };
                self.seen.breaks.add(Uid::new(&uid)?, time, octets);
            }
            b"tried" => {
                let (time, uid) = (fields.number()?, fields.uid()?);
                self.seen.breaks.attempted(&uid, time);
            }
            b"said" => {
                self.seen.said.insert(fields.words()?.to_owned());
            }
            _ => return None,
        }
        fields.is_empty().then_some(())
    }
}

/// What is left of a line: fields with one blank between them. `None` if nothing is.
struct Fields<'a>(Option<&'a [u8]>);

/// The fields that say of a message that it was, or is to be, delivered: `TIME UID LISTSIZE DIGEST`.
struct Delivered<'a> {
    time: u64,
    uid: Option<Cow<'a, [u8]>>,
    size: Option<u64>,
    digest: Digest,
}

/// Each takes the next field. `None` if there is none, or if it is of another kind.
impl<'a> Fields<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let rest = self.0?;
        let end = memchr(b' ', rest).unwrap_or(rest.len());
        self.0 = rest.get(end + 1..);
        rest.get(..end)
    }

    /// A field of any text. A hole is none.
    fn words(&mut self) -> Option<&'a str> {
        str::from_utf8(self.text()?).ok().filter(|text| memchr(0, text.as_bytes()).is_none())
    }

    /// Goes on behind the end of a field; `None` if `rest` does not begin with one.
    fn end(&mut self, rest: &'a [u8]) -> Option<()> {
        self.0 = match rest.split_first() {
            None => None,
            Some((b' ', rest)) => Some(rest),
            Some(_) => return None,
        };
        Some(())
    }

    fn number(&mut self) -> Option<u64> {
        let (number, rest) = leading_number(self.0?)?;
        self.end(rest).map(|()| number)
    }

    fn digest(&mut self) -> Option<Digest> {
        let (digits, rest) = self.0?.split_first_chunk()?;
        self.end(rest).and_then(|()| Digest::parse(digits))
    }

    fn uid(&mut self) -> Option<Cow<'a, [u8]>> {
        decoded_uid(self.text()?)
    }

    /// Takes the field of something that is not known. Returns whether it was one.
    fn unknown(&mut self) -> bool {
        let rest = self.0.and_then(|rest| rest.strip_prefix(b"? "));
        self.0 = rest.or(self.0);
        rest.is_some()
    }

    fn delivered(&mut self) -> Option<Delivered<'a>> {
        Some(Delivered {
            time: self.number()?,
            uid: if self.unknown() { None } else { Some(self.uid()?) },
            size: if self.unknown() { None } else { Some(self.number()?) },
            digest: self.digest()?,
        })
    }
}

/// Octets of the longest first line: what is no longer than it may be a journal that was begun.
const LINE_OF_HEADER: u64 = 64;

/// The lines of a text, each with its end; the last may lack one.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let ends = memchr_iter(b'\n', text).map(|end| end + 1).chain([text.len()]);
    let lines = ends.filter_map(move |end| text.get(std::mem::replace(&mut start, end)..end));
    lines.filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn a_field_ends_where_the_next_blank_is() {
        let zeros = Digest::parse(&[b'0'; 32]);
        let fields = format!("word 12 a%2Fb {} ? x", "0".repeat(32));
        let mut fields = Fields(Some(fields.as_bytes()));
        assert_eq!((fields.text(), fields.number()), (Some(&b"word"[..]), Some(12)));
        assert!(!fields.unknown());
        assert_eq!((fields.uid().as_deref(), fields.digest()), (Some(&b"a/b"[..]), zeros));
        assert!(fields.unknown() && !fields.is_empty());
        assert_eq!(fields.text(), Some(&b"x"[..]));
        assert!(fields.is_empty() && fields.text().is_none() && !fields.unknown());

        for wrong in ["", " 1", "1x", "x", "-1", "18446744073709551616"] {
            assert_eq!(Fields(Some(wrong.as_bytes())).number(), None, "{wrong}");
        }
        for wrong in ["", "12", &"0".repeat(31), &"0".repeat(33), &format!("{:031} 0", 0)] {
            assert_eq!(Fields(Some(wrong.as_bytes())).digest(), None, "{wrong}");
        }
        for wrong in ["", " a", "%", "%0A", "a%7f", &"a".repeat(limits::UID + 1)] {
            assert_eq!(Fields(Some(wrong.as_bytes())).uid(), None, "{wrong}");
        }
    }
}
