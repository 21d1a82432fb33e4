//! The bounds of waits for a peer: of each wait, of the phase up to the login, of a whole connection;
//! and the least rate of a text.

use std::io::{self};
use std::time::{Duration, Instant};

use crate::wire::{Cancelled, Wait};

/// The bounds of waits for the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The bound of each single step.
    pub per_wait: Duration,
    /// The bound of a whole connection, from its beginning to its end; `None` if it has none.
    pub in_all: Option<Duration>,
}

/// The number of time-outs from the connection to the login, and for a reply that may take the
/// server minutes.
pub(super) const LONG: u32 = 5;

/// The number of time-outs for any other reply, from the first wait for it to its last octet.
const REPLY: u32 = 2;

/// The longest wait for the reply to a command that was sent ahead.
const SENT_AHEAD: Duration = Duration::from_secs(5);

/// The shortest wait: a socket takes zero for "for ever".
pub(super) const MOMENT: Duration = Duration::from_millis(1);

/// Octets a second that a text must pass at, measured over one time-out.
const RATE: u64 = 100;

#[expect(clippy::disallowed_methods, reason = "the network's clock is read here")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The bounds of a connection that was begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) bounds: Bounds,
    pub(super) end: Option<Instant>,
}

impl Deadline {
    pub(super) fn begin(bounds: Bounds) -> Self {
        Self { bounds, end: bounds.in_all.and_then(|all| now().checked_add(all)) }
    }

    /// Returns the longest time that the next wait may take.
    pub(super) fn wait(self) -> io::Result<Duration> {
        let Some(end) = self.end else { return Ok(self.bounds.per_wait) };
        match end.saturating_duration_since(now()) {
            Duration::ZERO => Err(self.passed()),
            left => Ok(left.min(self.bounds.per_wait).max(MOMENT)),
        }
    }

    pub(super) fn passed(self) -> io::Error {
        // A socket may give up a moment early.
        const EARLY: Duration = Duration::from_millis(100);
        let is_over = |end: Instant| end.saturating_duration_since(now()) < EARLY;
        match self.bounds.in_all.filter(|_| self.end.is_some_and(is_over)) {
            Some(in_all) => {
                let words = format!("timed out after {} s in all", in_all.as_secs_f64());
                io::Error::new(io::ErrorKind::TimedOut, Cancelled(words))
            }
            None => timed_out(self.bounds.per_wait, ""),
        }
    }
}

pub(super) fn timed_out(bound: Duration, words: &str) -> io::Error {
    let words = format!("timed out after {} s{words}", bound.as_secs_f64());
    io::Error::new(io::ErrorKind::TimedOut, words)
}

/// A socket's time-out comes as `WouldBlock` on some systems.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// A bound that can pass.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// The bound of the current wait.
    Wait(Duration),
    /// The bound from the connection to the login.
    Opening(Duration),
    /// The bound of the whole connection, as configured.
    Connection,
}

/// The bounds of what is waited for now, beside those of the connection.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) began: Instant,
    /// All of the wait; `None` for a text, whose rate counts instead.
    pub(super) bound: Option<Duration>,
    /// The longest that nothing at all may come.
    pub(super) silence: Duration,
    /// The time spent in reads and writes of a text, and the octets that passed in it, since the
    /// rate was last checked.
    pub(super) spent: Duration,
    pub(super) octets: u64,
}

impl Waiting {
    pub(super) fn begin(wait: Wait, time_out: Duration) -> Self {
        let (bound, silence) = match wait {
            Wait::Reply => (Some(time_out.saturating_mul(REPLY)), time_out),
            Wait::Login => {
                let bound = time_out.saturating_mul(LONG);
                (Some(bound), bound)
            }
            Wait::SentAhead => (Some(SENT_AHEAD.min(time_out)), SENT_AHEAD.min(time_out)),
            Wait::Text => (None, time_out),
        };
        Self { began: now(), bound, silence, spent: Duration::ZERO, octets: 0 }
    }

    /// Counts octets that took this long to pass; an error if they are too slow.
    pub(super) fn count(
        &mut self,
        octets: usize,
        spent: Duration,
        time_out: Duration,
    ) -> io::Result<()> {
        if self.bound.is_some() {
            return Ok(());
        }
        self.spent += spent;
        self.octets = self.octets.saturating_add(u64::try_from(octets).unwrap_or(u64::MAX));
        if self.spent < time_out {
            return Ok(());
        }
        let milliseconds = u64::try_from(self.spent.as_millis()).unwrap_or(u64::MAX);
        let due = RATE.saturating_mul(milliseconds) / 1000;
        if std::mem::take(&mut self.octets) < due {
            let words =
                format!("less than {RATE} octets a second over {} s", time_out.as_secs_f64());
            return Err(io::Error::new(io::ErrorKind::TimedOut, words));
        }
        self.spent = Duration::ZERO;
        Ok(())
    }
}
