//! What a fetch has come to: its sentence for a person, its object for a program, and the lines about
//! what was to be fetched or deleted and was not.

use std::path::PathBuf;

use super::object::{FetchResult, FileObject, RefusedObject};
use crate::error::{Error, Exit};
use crate::limits;
use crate::pop3::ScanListing;
use crate::report::{ErrorObject, count, enumerated, size, without_numbers};
use crate::text::Uid;

/// The results of a fetch so far.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub(super) listed: usize,
    /// Messages that are safe on this side, and their octets.
    pub(super) new: usize,
    pub(super) octets: u64,
    /// The fetched messages, for JSON.
    pub(super) files: Vec<FetchedFile>,
    /// The messages that were not fetched or deleted, in the order in which that turned out.
    pub(super) missed: Vec<Missed>,
    pub(super) deleted: usize,
    /// Noted as not to be fetched.
    pub(super) noted: usize,
    pub(super) too_large: usize,
    /// Messages not asked for today, since the server cannot finish them.
    pub(super) skipped: usize,
    /// Messages that are not deleted since they share their unique-ids.
    pub(super) ambiguous: u32,
    /// Messages left for the next run by this run's limit.
    pub(super) postponed: usize,
    /// Messages left for the next run, since the server refused one after the other.
    pub(super) unasked: usize,
    /// The place into which earlier runs delivered known messages, if another than this run's.
    pub(super) elsewhere: Option<PathBuf>,
}

/// A message that was to be fetched or deleted and was not.
#[derive(Debug)]
pub(super) struct Missed {
    pub(super) listed: ScanListing,
    pub(super) lack: Lack,
    pub(super) reason: String,
}

/// The step that a message misses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// The server did not give it; whether it has it is not known. Its refusal alone means this status.
    Retrieval(Exit),
    /// Delivery: the message stays on the server, for a reason on this side.
    Delivery,
    /// Deletion: the message is delivered, and stays on the server.
    Deletion,
    /// The server has shown again that it cannot finish it.
    End,
}

impl Lack {
    /// The status of a run that nothing came of but this.
    fn exit(self) -> Exit {
        match self {
            Self::Retrieval(exit) => exit,
            Self::Delivery => Exit::Later,
            // Everything was fetched that can be.
            Self::Deletion | Self::End => Exit::Partial,
        }
    }

    fn words(self, is_one: bool) -> &'static str {
        match (self, is_one) {
            (Self::Retrieval(_), true) => "was not retrieved",
            (Self::Retrieval(_), false) => "were not retrieved",
            (Self::Delivery, true) => "stays on the server",
            (Self::Delivery, false) => "stay on the server",
            (Self::Deletion, true) => "was not deleted",
            (Self::Deletion, false) => "were not deleted",
            (Self::End, true) => "ends every session, and is asked for once a day",
            (Self::End, false) => "end every session, and are asked for once a day",
        }
    }
}

/// A fetched message's unique-id, size and path.
#[derive(Debug)]
pub(super) struct FetchedFile {
    pub(super) octets: u64,
    pub(super) uid: Option<Uid>,
    pub(super) path: Option<PathBuf>,
}

impl Fetched {
    pub(super) fn miss(&mut self, listed: ScanListing, lack: Lack, reason: String) {
        self.missed.push(Missed { listed, lack, reason });
    }

    /// The status of a run that ended like this.
    pub(super) fn exit(&self, outcome: &Result<(), Error>) -> Exit {
        match outcome {
            Err(error) => error.into(),
            Ok(()) if self.missed.is_empty() => Exit::Done,
            Ok(()) if self.new > 0 => Exit::Partial,
            Ok(()) => {
                // Where nothing came, one failure that all share says more than that some failed.
                let exits = self.missed.iter().map(|missed| missed.lack.exit());
                let all = exits.reduce(|one, other| match (one, other) {
                    (Exit::Partial, _) | (_, Exit::Partial) => Exit::Partial,
                    (one, other) if one == other => one,
                    _ => Exit::Later,
                });
                all.unwrap_or(Exit::Done)
            }
        }
    }

    /// Returns whether a failure has lasted for days, so that it is reported even if others are
    /// temporary.
    pub(super) fn has_lasting(&self) -> bool {
        self.missed.iter().any(|missed| missed.lack == Lack::End)
    }

    /// The lines about messages that were not fetched or deleted: one for all failures alike, at
    /// most [`limits::ALIKE_LINES`]. Reasons are alike if they differ in numbers only.
    pub(super) fn missed_lines(&self) -> Vec<String> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut others = 0;
        for missed in &self.missed {
            let likeness = without_numbers(&missed.reason);
            let room = limits::ALIKE_LINES - groups.len();
            let mut known = groups.iter_mut();
            match known.find(|group| group.first.lack == missed.lack && group.likeness == likeness)
            {
                Some(group) => group.add(missed),
                None if room > 0 => groups.push(Group::of(missed, likeness)),
                None => others += 1,
            }
        }
        let mut lines: Vec<_> = groups.iter().map(Group::line).collect();
        if others > 0 {
            lines.push(format!(
                "{} could not be fetched or deleted either",
                count(others, "message")
            ));
        }
        if self.unasked > 0 {
            let unasked = count(self.unasked, "message");
            lines.push(format!("{unasked} not asked for after these refusals; the next run does"));
        }
        lines
    }

    pub(super) fn sentence(&self, label: &str) -> String {
        let mut sentence = if self.new == 0 {
            format!("{label}: nothing new")
        } else {
            let new = count(self.new, "new message");
            format!("{label}: {new} ({})", size(self.octets))
        };
        if self.noted > 0 {
            sentence += &format!(", {} noted as not to be fetched", self.noted);
        }
        if self.deleted > 0 {
            sentence += &format!(", {} deleted from the server", self.deleted);
        }
        if self.too_large > 0 {
            sentence += &format!(", {} left there as too large", self.too_large);
        }
        if self.skipped > 0 {
            sentence += &format!(", {} skipped that the server cannot finish", self.skipped);
        }
        if self.ambiguous > 0 {
            sentence += &format!(", {} there share unique-ids and stay", self.ambiguous);
        }
        let postponed = self.postponed + self.unasked;
        if postponed > 0 {
            sentence += &format!(", {postponed} left for the next run");
        }
        if let Some(path) = self.elsewhere.as_ref().filter(|_| self.new == 0) {
            sentence += &format!("; all messages were fetched before, into {}", path.display());
        }
        sentence
    }

    /// The numbers for a log.
    pub(super) fn numbers(&self) -> [(&'static str, u64); 5] {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        [
            ("new", number(self.new)),
            ("bytes", self.octets),
            ("deleted", number(self.deleted)),
            ("left", number(self.listed.saturating_sub(self.deleted))),
            ("refused", number(self.missed.len())),
        ]
    }

    pub(super) fn object<'a>(
        &'a self,
        label: &'a str,
        error: Option<ErrorObject>,
    ) -> FetchResult<'a> {
        let file = |FetchedFile { octets, uid, path }: &FetchedFile| FileObject {
            uid: uid.as_ref().map(ToString::to_string),
            size: *octets,
            path: path.as_ref().map(|path| path.to_string_lossy().into_owned()),
        };
        let refused = |Missed { listed, reason, .. }: &'a Missed| RefusedObject {
            number: listed.number,
            uid: listed.uid.as_ref().map(ToString::to_string),
            reason,
        };
        FetchResult {
            account: label,
            new: self.new,
            bytes: self.octets,
            files: self.files.iter().map(file).collect(),
            left: self.listed.saturating_sub(self.deleted),
            refused: self.missed.iter().take(limits::REFUSED).map(refused).collect(),
            deleted: self.deleted,
            error,
        }
    }
}

/// Messages that were missed for reasons that are alike.
struct Group<'a> {
    first: &'a Missed,
    likeness: String,
    /// The message-numbers, as far as they are named.
    numbers: Vec<u32>,
    more: usize,
}

impl<'a> Group<'a> {
    fn of(first: &'a Missed, likeness: String) -> Self {
        Self { first, likeness, numbers: vec![first.listed.number], more: 0 }
    }

    fn add(&mut self, missed: &Missed) {
        if self.numbers.len() < limits::ALIKE_NUMBERS {
            self.numbers.push(missed.listed.number);
        } else {
            self.more += 1;
        }
    }

    fn line(&self) -> String {
        let (words, reason) = (self.first.lack.words(self.numbers.len() == 1), &self.first.reason);
        let numbers: Vec<_> = self.numbers.iter().map(ToString::to_string).collect();
        let noun = if numbers.len() == 1 { "message" } else { "messages" };
        format!("{noun} {} {words}: {reason}", enumerated(&numbers, self.more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(reasons: impl IntoIterator<Item = String>) -> Fetched {
        let mut fetched = Fetched::default();
        for (number, reason) in (1..).zip(reasons) {
            fetched.miss(ScanListing { number, uid: None }, Lack::Retrieval(Exit::Later), reason);
        }
        fetched
    }

    #[test]
    fn refusals_alike_are_one_line_however_many() {
        let refusal = |number| format!("cannot open message {number}");
        let lines = |count| missed((1..=count).map(refusal)).missed_lines();
        assert_eq!(lines(1), ["message 1 was not retrieved: cannot open message 1"]);
        assert_eq!(lines(2), ["messages 1 and 2 were not retrieved: cannot open message 1"]);
        let many = lines(30_000);
        assert_eq!(
            many,
            ["messages 1, 2, 3, 4, 5 and 29995 more were not retrieved: cannot open message 1"]
        );
    }

    #[test]
    fn refusals_that_differ_are_a_few_lines_and_a_bounded_object() {
        let unlike = |number: u32| "x".repeat(usize::try_from(number % 3_000).unwrap());
        let fetched = missed((0..30_000).map(unlike));
        let lines = fetched.missed_lines();
        assert_eq!(lines.len(), limits::ALIKE_LINES + 1);
        assert!(lines.last().unwrap().ends_with("could not be fetched or deleted either"));
        let object = serde_json::to_value(fetched.object("home", None)).unwrap();
        assert_eq!(object["refused"].as_array().unwrap().len(), limits::REFUSED);
    }

    #[test]
    fn where_nothing_came_the_status_is_what_all_refusals_share() {
        let exit = |lacks: &[Lack], new| {
            let mut fetched = Fetched { new, ..Fetched::default() };
            for (number, lack) in (1..).zip(lacks) {
                fetched.miss(ScanListing { number, uid: None }, *lack, "no".to_owned());
            }
            fetched.exit(&Ok(()))
        };
        let (later, denied) = (Lack::Retrieval(Exit::Later), Lack::Retrieval(Exit::Denied));
        assert_eq!(exit(&[], 0), Exit::Done);
        assert_eq!(exit(&[later, Lack::Delivery], 0), Exit::Later);
        assert_eq!(exit(&[denied, denied], 0), Exit::Denied);
        assert_eq!(exit(&[denied, later], 0), Exit::Later);
        assert_eq!(exit(&[later, Lack::Deletion, later], 0), Exit::Partial);
        assert_eq!(exit(&[Lack::End], 0), Exit::Partial);
        assert_eq!(exit(&[denied], 1), Exit::Partial);
    }

    #[test]
    fn what_was_not_retrieved_and_what_was_not_deleted_are_told_apart() {
        let mut fetched = missed(["no".to_owned()]);
        fetched.miss(ScanListing { number: 7, uid: None }, Lack::Deletion, "no".to_owned());
        assert_eq!(
            fetched.missed_lines(),
            ["message 1 was not retrieved: no", "message 7 was not deleted: no"]
        );
    }
}
