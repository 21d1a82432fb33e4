//! The number of RETRs in flight.
//!
//! A command in flight cannot be taken back. A server that begins to refuse every message, as where a
//! quota of downloads is used up, is asked in vain for all that are in flight. So where nothing is
//! known of a server the window starts small, and grows with each message that comes, faster than
//! TCP's own at the beginning of a connection: what is asked for is always more than what the line
//! can carry. Where a server has refused one message after the other lately it stays small. Everywhere
//! it is bounded in octets, too, by the sizes in the listing.

use std::cell::Cell;

use crate::limits;
use crate::wire::Window;

/// Commands by which the window grows for each message that comes: it is more than eight times as
/// large when it is filled for the second time, behind half of the first flight.
const GROWTH: usize = 15;

/// The number of RETR commands that may be in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retrs {
    /// Commands in the first flight.
    first: usize,
    /// Commands in any flight.
    most: usize,
}

impl Retrs {
    /// The number for a server of which nothing is known.
    pub const NEW: Self = Self { first: limits::RETR_WINDOW, most: limits::POP3_WINDOW };

    /// The number for a server that was met before and did not refuse one message after the other.
    pub const MANY: Self = Self { first: limits::POP3_WINDOW, most: limits::POP3_WINDOW };

    /// The number for a server that refused one message after the other.
    pub const FEW: Self = Self { first: limits::RETR_WINDOW, most: limits::RETR_WINDOW };
}

/// The window of one flight of RETRs.
pub(super) struct RetrWindow {
    /// Commands in flight at most, now and ever.
    size: Cell<usize>,
    most: usize,
    /// Its size when it was filled last.
    filled: Cell<usize>,
    /// Listed octets of the messages that were asked for and have not come.
    octets: Cell<u64>,
    /// Refusals in a row.
    refusals: Cell<usize>,
}

impl RetrWindow {
    /// A window of this size; of at most `most` commands.
    pub(super) fn new(retrs: Retrs, most: usize) -> Self {
        let most = retrs.most.min(most);
        let first = retrs.first.min(most);
        let (octets, refusals) = (Cell::new(0), Cell::new(0));
        Self { size: Cell::new(first), most, filled: Cell::new(first), octets, refusals }
    }

    /// A message of this listed size is asked for. Returns the octets that count for it.
    pub(super) fn asked(&self, size: Option<u64>) -> u64 {
        let octets = size.unwrap_or_default().min(limits::RETR_OCTETS);
        self.octets.set(self.octets.get().saturating_add(octets));
        octets
    }

    /// A message that counted for so many octets has come.
    pub(super) fn retrieved(&self, octets: u64) {
        self.octets.set(self.octets.get().saturating_sub(octets));
        self.refusals.set(0);
        self.size.set(self.size.get().saturating_add(GROWTH).min(self.most));
    }

    /// A message that counted for so many octets was refused.
    pub(super) fn refused(&self, octets: u64) {
        self.octets.set(self.octets.get().saturating_sub(octets));
        self.refusals.set(self.refusals.get().saturating_add(1));
        self.size.set(limits::RETR_WINDOW.min(self.most));
    }

    /// Returns whether so many messages in a row were refused that all may be.
    pub(super) fn is_refusing(&self) -> bool {
        self.refusals.get() >= limits::REFUSALS
    }
}

impl Window for RetrWindow {
    fn is_low(&self, in_flight: usize) -> bool {
        let is_heavy = self.octets.get() > limits::RETR_OCTETS / 2;
        let half = self.filled.get() / 2;
        let is_low = match in_flight {
            0 => true,
            // What is in flight decides whether more are asked for.
            _ if self.refusals.get() > 0 => false,
            few if is_heavy => few <= half.min(limits::RETR_WINDOW / 2),
            few => few <= half,
        };
        if is_low {
            self.filled.set(self.size.get());
        }
        is_low
    }

    fn has_room(&self, in_flight: usize) -> bool {
        let is_heavy = self.octets.get() >= limits::RETR_OCTETS;
        in_flight < self.size.get() && (!is_heavy || in_flight < limits::RETR_WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A fetch of messages of so many octets, each answered one round trip after it was asked for:
    /// the round trips, and the messages that were asked for. `gives` are given, others refused.
    fn fetch(retrs: Retrs, number: usize, octets: u64, gives: usize) -> (usize, usize) {
        let window = RetrWindow::new(retrs, limits::POP3_WINDOW);
        let (mut in_flight, mut asked, mut answered) = (VecDeque::new(), 0, 0);
        let mut round = 0;
        loop {
            if window.is_low(in_flight.len()) {
                while window.has_room(in_flight.len()) && asked < number && !window.is_refusing() {
                    in_flight.push_back((round + 1, window.asked(Some(octets))));
                    asked += 1;
                }
            }
            let Some((arrival, octets)) = in_flight.pop_front() else { return (round, asked) };
            round = arrival;
            answered += 1;
            if answered <= gives { window.retrieved(octets) } else { window.refused(octets) }
        }
    }

    const ALL: usize = usize::MAX;

    #[test]
    fn a_known_server_is_asked_for_as_many_as_may_be_in_flight() {
        assert_eq!(fetch(Retrs::MANY, 500, 2_000, ALL).0, 1);
        let (round_trips, _) = fetch(Retrs::MANY, 10_000, 2_000, ALL);
        assert!(round_trips <= 20, "{round_trips}");
    }

    #[test]
    fn a_new_server_costs_a_long_fetch_few_round_trips() {
        assert_eq!(fetch(Retrs::NEW, 30, 2_000, ALL).0, 1);
        assert_eq!(fetch(Retrs::NEW, 280, 2_000, ALL).0, 2);
        let (known, _) = fetch(Retrs::MANY, 10_000, 2_000, ALL);
        let (new, _) = fetch(Retrs::NEW, 10_000, 2_000, ALL);
        assert!(new <= known + 2, "{new} {known}");
    }

    #[test]
    fn a_server_that_refuses_all_is_asked_for_few() {
        assert_eq!(fetch(Retrs::NEW, 290, 2_000, 0), (1, limits::RETR_WINDOW));
        // One that begins later: no more than were in flight; and few where that is known of it.
        let (_, asked) = fetch(Retrs::NEW, 10_000, 50_000, 500);
        assert!((500..=500 + 90).contains(&asked), "{asked}");
        let (_, asked) = fetch(Retrs::FEW, 10_000, 500, 500);
        assert!((500..=500 + limits::RETR_WINDOW).contains(&asked), "{asked}");
    }

    #[test]
    fn what_is_in_flight_is_bounded_in_octets() {
        let window = RetrWindow::new(Retrs::MANY, usize::MAX);
        let mut in_flight = 0;
        while window.has_room(in_flight) {
            window.asked(Some(100_000));
            in_flight += 1;
        }
        assert_eq!(in_flight, 42);
        // However large messages are, or are said to be, some are.
        let window = RetrWindow::new(Retrs::MANY, usize::MAX);
        let mut in_flight = 0;
        while window.has_room(in_flight) {
            window.asked(Some(u64::MAX));
            in_flight += 1;
        }
        assert_eq!(in_flight, limits::RETR_WINDOW);
    }

    #[test]
    fn one_refusal_does_not_empty_the_line() {
        let window = RetrWindow::new(Retrs::MANY, usize::MAX);
        window.refused(0);
        assert!(!window.is_low(500));
        for _ in 0..limits::POP3_WINDOW / 2 {
            window.retrieved(0);
        }
        assert!(window.is_low(250));
    }
}
