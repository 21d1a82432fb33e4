//! When to stop asking a server that refuses one message after the other.
//!
//! A refusal may be about its message, and then the others are to be had; or about all of them, as
//! where a quota of downloads is used up, and then to ask on is useless. Many in a row that are alike
//! suggest the second; that the last message of all is refused alike, too, decides it. So messages
//! that cannot be opened, however many, never keep those behind them from being fetched.

use crate::limits;
use crate::report::without_numbers;

/// Refusals in a row that differ in numbers alone.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    likeness: String,
    count: usize,
}

impl Refusals {
    /// A message was refused.
    pub(super) fn add(&mut self, refusal: &str) {
        let likeness = without_numbers(refusal);
        if likeness == self.likeness {
            self.count += 1;
        } else {
            *self = Self { likeness, count: 1 };
        }
    }

    /// A message came, or the count is to begin anew.
    pub(super) fn end(&mut self) {
        self.count = 0;
    }

    /// The number of refusals alike.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Returns whether there are enough of them to be about all messages.
    pub(super) fn are_many(&self) -> bool {
        self.count >= limits::REFUSALS
    }
}
