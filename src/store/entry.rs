//! The journal's entry for one unique-id, in few octets: there may be a million of them.

use super::digest::Digest;
use crate::limits;

/// The journal's entry for one unique-id.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SeenEntry {
    /// Of a delivered message.
    digest: Digest,
    /// Seconds since 1970.
    time: Number<4>,
    /// Seconds since 1970; 0 if the server lists it.
    missing: Number<4>,
    /// The greatest if there is none.
    size: Number<4>,
    /// The message-number in the present listing; 0 if it is not there.
    number: Number<4>,
    copies: Number<3>,
    /// The greatest if it could not be kept.
    place: Number<2>,
    marks: u8,
}

/// Noted as not to be fetched.
const NOTED: u8 = 1;
/// The same, by import.
const IMPORTED: u8 = 1 << 1;
/// It was in every complete listing since its delivery, or since it was last compared, and DELE was
/// not sent for it.
const UNBROKEN: u8 = 1 << 2;
/// It was listed with another size and not compared since.
const RESIZED: u8 = 1 << 3;
/// Several messages of the present listing have this unique-id.
const SHARED: u8 = 1 << 4;
/// It is no entry any more.
const REMOVED: u8 = 1 << 5;
/// It was delivered in this run.
const FRESH: u8 = 1 << 6;

/// The reason why a unique-id is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Delivered into a place, with this digest.
    Delivered(Place, Digest),
    /// Noted as not to be fetched.
    Noted,
    /// Fetched by another program, whose list of fetched messages was imported.
    Imported,
}

/// The number of a place in the journal, where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(Number<2>);

impl Place {
    /// The place of this number. Those beyond the last that can be told apart are none.
    pub(super) fn new(number: usize) -> Self {
        Self(u64::try_from(number).map_or(Number::GREATEST, Number::new))
    }

    /// The number; `None` if it could not be kept.
    pub(super) fn number(self) -> Option<usize> {
        let number = (self.0 != Number::GREATEST).then(|| self.0.get())?;
        usize::try_from(number).ok()
    }
}

impl SeenEntry {
    /// The entry of a message that was delivered or noted at `time` (seconds since 1970).
    pub(super) fn new(time: u64, kind: Kind, size: Option<u64>) -> Self {
        let (place, digest, marks) = match kind {
            Kind::Delivered(place, digest) => (place, digest, UNBROKEN),
            Kind::Noted => (Place(Number::GREATEST), Digest::default(), UNBROKEN | NOTED),
            Kind::Imported => (Place(Number::GREATEST), Digest::default(), UNBROKEN | IMPORTED),
        };
        Self {
            digest,
            time: Number::new(time),
            missing: Number::new(0),
            size: size.map_or(Number::GREATEST, Number::new),
            number: Number::new(0),
            copies: Number::new(1),
            place: place.0,
            marks,
        }
    }

    /// The reason why it is known.
    pub(super) fn kind(&self) -> Kind {
        match self.marks & (NOTED | IMPORTED) {
            0 => Kind::Delivered(Place(self.place), self.digest),
            NOTED => Kind::Noted,
            _ => Kind::Imported,
        }
    }

    /// The time when it was delivered or noted, in seconds since 1970.
    pub(super) fn time(&self) -> u64 {
        self.time.get()
    }

    /// Counts its age from `now` (seconds since 1970).
    pub(super) fn stamp(&mut self, now: u64) {
        self.time = Number::new(now);
    }

    /// Seconds since its delivery; `None` while its time or the present one is not credible.
    pub fn age(&self, now: u64) -> Option<u64> {
        if !is_credible(now) || !is_credible(self.time()) {
            return None;
        }
        now.checked_sub(self.time())
    }

    /// The number of messages delivered under this unique-id: a server may give several the same.
    pub fn copies(&self) -> u32 {
        u32::try_from(self.copies.get()).unwrap_or(u32::MAX)
    }

    /// Returns whether it stands for one more message that is listed under its unique-id, behind so
    /// many: another program's list names each once, however many it has seen.
    pub fn is_one_of(&self, before: u32) -> bool {
        self.kind() == Kind::Imported || before < self.copies()
    }

    /// Takes in that it stands for one more message.
    pub(super) fn add_copy(&mut self) {
        self.copies = Number::new(self.copies.get() + 1);
    }

    /// Adds a copy to those of an earlier entry, which this one replaces.
    pub(super) fn replace(&mut self, earlier: &Self) {
        self.copies = Number::new(earlier.copies.get() + 1);
        self.number = earlier.number;
        self.marks |= earlier.marks & SHARED;
    }

    /// The size in the listing; `None` if the server listed none, or 4 GiB and more.
    pub(super) fn size(&self) -> Option<u64> {
        (self.size != Number::GREATEST).then(|| self.size.get())
    }

    /// Takes in the size of a message that is known to be the same.
    pub(super) fn set_size(&mut self, size: u64) {
        self.size = Number::new(size);
    }

    /// Takes in that it is listed with another size than before.
    pub(super) fn resize(&mut self, size: u64) {
        self.size = Number::new(size);
        self.marks |= RESIZED;
    }

    /// Returns whether it was listed with another size and not compared since.
    pub(super) fn is_resized(&self) -> bool {
        self.marks & RESIZED != 0
    }

    /// The time since which the server does not list it, in seconds since 1970; `None` if it does.
    pub(super) fn missing(&self) -> Option<u64> {
        Some(self.missing.get()).filter(|since| *since > 0)
    }

    /// Takes in that it is absent since then.
    pub(super) fn set_missing(&mut self, since: u64) {
        self.missing = Number::new(since.max(1));
        self.distrust();
    }

    /// Takes in that it is there again.
    pub(super) fn set_present(&mut self) {
        self.missing = Number::new(0);
    }

    /// Takes in that it is the message that was delivered.
    pub(super) fn set_same(&mut self) {
        self.set_present();
        self.marks = self.marks & !RESIZED | UNBROKEN;
    }

    /// Withdraws the proof that it is the message that was delivered.
    pub(super) fn distrust(&mut self) {
        self.marks &= !UNBROKEN;
    }

    /// Returns whether it was in every complete listing since its delivery, or since it was last
    /// compared, and DELE was not sent for it.
    pub(super) fn is_unbroken(&self) -> bool {
        self.marks & UNBROKEN != 0
    }

    /// The message-number in the present listing; `None` if it is not there.
    pub fn number(&self) -> Option<u32> {
        u32::try_from(self.number.get()).ok().filter(|number| *number > 0)
    }

    /// Takes in that the server lists a message under this unique-id. Returns whether it is the first
    /// of this listing.
    pub(super) fn list(&mut self, number: u32) -> bool {
        let is_first = self.number().is_none();
        if !is_first {
            self.marks |= SHARED;
        }
        self.number = Number::new(number.into());
        is_first
    }

    /// Takes in that a listing begins.
    pub(super) fn unlist(&mut self) {
        self.number = Number::new(0);
        self.marks &= !SHARED;
    }

    /// Returns whether several messages of the present listing have this unique-id.
    pub(super) fn is_shared(&self) -> bool {
        self.marks & SHARED != 0
    }

    /// Takes in that it was delivered in this run.
    pub(super) fn set_fresh(&mut self) {
        self.marks |= FRESH;
    }

    /// Returns whether it was delivered in this run.
    pub fn is_fresh(&self) -> bool {
        self.marks & FRESH != 0
    }

    /// Makes it no entry any more.
    pub(super) fn remove(&mut self) {
        self.marks |= REMOVED;
    }

    /// Returns whether it is no entry any more.
    pub(super) fn is_removed(&self) -> bool {
        self.marks & REMOVED != 0
    }

    /// The number of lines that this entry takes.
    pub(super) fn lines(&self) -> usize {
        let breaks = match self.missing() {
            Some(_) => 1,
            None if self.is_unbroken() => 0,
            None => 2,
        };
        usize::try_from(self.copies().max(1)).unwrap_or(usize::MAX).saturating_add(breaks)
            + usize::from(self.is_resized())
    }
}

impl std::fmt::Debug for SeenEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeenEntry")
            .field("time", &self.time())
            .field("kind", &self.kind())
            .field("copies", &self.copies())
            .field("size", &self.size())
            .field("missing", &self.missing())
            .field("number", &self.number())
            .field("is_unbroken", &self.is_unbroken())
            .field("is_resized", &self.is_resized())
            .field("is_shared", &self.is_shared())
            .finish()
    }
}

/// Returns whether a clock that shows this time can be right.
pub fn is_credible(time: u64) -> bool {
    time >= limits::EARLIEST
}

/// A number in `N` octets. The greatest stands for all that are no smaller: as a time that is the year
/// 2106, as a size 4 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number<const N: usize>([u8; N]);

impl<const N: usize> Number<N> {
    const GREATEST: Self = Self([u8::MAX; N]);

    fn new(number: u64) -> Self {
        match number.to_le_bytes().split_first_chunk() {
            Some((low, high)) if high.iter().all(|&octet| octet == 0) => Self(*low),
            _ => Self::GREATEST,
        }
    }

    fn get(self) -> u64 {
        let mut octets = [0; 8];
        if let Some((low, _)) = octets.split_first_chunk_mut() {
            *low = self.0;
        }
        u64::from_le_bytes(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_has_no_room_is_the_greatest() {
        for number in [0, 1, 255, 65_534] {
            assert_eq!(Number::<2>::new(number).get(), number);
        }
        for number in [65_535, 65_536, u64::MAX] {
            assert_eq!(Number::<2>::new(number), Number::GREATEST, "{number}");
        }
    }

    #[test]
    fn an_entry_takes_few_octets_and_keeps_what_it_is_told() {
        assert_eq!(size_of::<SeenEntry>(), 38);
        let kind = Kind::Delivered(Place::new(7), Digest::default());
        let mut entry = SeenEntry::new(limits::EARLIEST, kind, Some(9));
        assert_eq!((entry.kind(), entry.size(), entry.missing()), (kind, Some(9), None));
        assert_eq!(entry.age(limits::EARLIEST + 3), Some(3));
        assert!(entry.list(4) && !entry.list(5) && entry.is_shared());
        assert_eq!(entry.number(), Some(5));
        entry.unlist();
        assert!(entry.number().is_none() && !entry.is_shared() && entry.is_unbroken());
        entry.resize(8);
        entry.set_missing(0);
        assert_eq!((entry.missing(), entry.size(), entry.lines()), (Some(1), Some(8), 3));
        assert!(entry.is_resized() && !entry.is_unbroken());
        entry.set_same();
        assert_eq!((entry.missing(), entry.size(), entry.lines()), (None, Some(8), 1));
        let mut again = SeenEntry::new(limits::EARLIEST, Kind::Noted, Some(u64::MAX));
        again.replace(&entry);
        assert_eq!((again.copies(), again.kind(), again.size()), (2, Kind::Noted, None));
    }
}
