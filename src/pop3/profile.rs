//! What earlier sessions learnt of a server, as text. A cache: losing it costs round trips, never a
//! message.

use std::fmt;
use std::time::Duration;

use super::reply::Capabilities;
use super::window::Retrs;
use crate::sasl::{Key, Mechanism};

/// Seconds for which a failure is remembered.
const MEMORY: u64 = 30 * 24 * 60 * 60;

/// A listing that came within this time after the login may be asked for together with it.
const PROMPT: Duration = Duration::from_secs(1);

/// The first line of the file.
const HEADER: &str = "postie server 1";

/// The extent to which commands are sent ahead of the server's replies.
///
/// A server announces PIPELINING for what it parses itself. Behind the last word of a login another
/// program may go on, and what that word's read has taken along is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// Each command waits for the reply to the one before.
    OneByOne,
    /// Several commands in flight, before and after the login but not across it.
    Pipelined,
    /// The listing is asked for behind the login.
    BehindLogin,
    /// The login is sent behind CAPA, too.
    BehindCapa,
}

impl Pace {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::OneByOne, "one-by-one"),
        (Self::Pipelined, "pipelined"),
        (Self::BehindLogin, "behind-login"),
        (Self::BehindCapa, "behind-capa"),
    ];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(pace, _)| *pace == self).map_or("", |(_, name)| name)
    }

    fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(pace, _)| *pace)
    }

    fn faster(self) -> Self {
        match self {
            Self::OneByOne => Self::Pipelined,
            Self::Pipelined => Self::BehindLogin,
            Self::BehindLogin | Self::BehindCapa => Self::BehindCapa,
        }
    }

    /// Returns the next slower pace; the slowest has none and stays.
    #[must_use]
    pub fn slower(self) -> Self {
        match self {
            Self::OneByOne | Self::Pipelined => Self::OneByOne,
            Self::BehindLogin => Self::Pipelined,
            Self::BehindCapa => Self::BehindLogin,
        }
    }
}

/// Observations of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The capabilities, under TLS.
    pub capabilities: Capabilities,
    /// The mechanism that the login succeeded with, unless it was decided by the user.
    pub mechanism: Option<Mechanism>,
    /// The pace that it kept.
    pub pace: Pace,
    /// The time from the login's reply to the end of the listing.
    pub listing: Duration,
    /// True if several commands of the transaction state were answered in one flight.
    pub in_flight: bool,
    /// True if so many messages in a row were refused that all may be.
    pub is_refusing: bool,
}

/// Knowledge of a server from earlier sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    capabilities: Option<Capabilities>,
    /// The mechanisms that last succeeded, one for each kind of key.
    mechanisms: Vec<Mechanism>,
    /// The fastest pace that worked.
    pace: Option<Pace>,
    /// The slowest pace that did not, and when (Unix seconds).
    failed: Option<(Pace, u64)>,
    slow_listing: bool,
    in_flight: bool,
    /// When it last refused one message after the other (Unix seconds).
    refused: Option<u64>,
}

impl Profile {
    /// Reads what [`Profile`]'s `Display` wrote. Lines that are not understood are left out; a file
    /// of another version says nothing.
    pub fn read(text: &str) -> Self {
        let mut profile = Self::default();
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return profile;
        }
        for line in lines {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "capa" => {
                    profile.capabilities.get_or_insert_default().add(rest.as_bytes());
                }
                "mechanism" => {
                    if let Ok(mechanism) = rest.parse() {
                        profile.succeeded_with(mechanism);
                    }
                }
                "pace" => profile.pace = Pace::parse(rest),
                "failed" => {
                    profile.failed = rest
                        .split_once(' ')
                        .and_then(|(pace, time)| Some((Pace::parse(pace)?, time.parse().ok()?)));
                }
                "slow-listing" => profile.slow_listing = true,
                "in-flight" => profile.in_flight = true,
                "refused" => profile.refused = rest.parse().ok(),
                _ => {}
            }
        }
        profile
    }

    /// The pace of the next session, which begins at `now` (Unix seconds): one step faster than
    /// what worked, and slower than what failed within the last 30 days. A failure at an incredible
    /// time, in the future, counts as none.
    pub fn pace(&self, now: u64) -> Pace {
        let next = self.pace.map_or(Pace::Pipelined, Pace::faster);
        let next = if self.slow_listing { next.min(Pace::Pipelined) } else { next };
        match self.failed {
            Some((pace, time)) if is_remembered(time, now) => next.min(pace.slower()),
            _ => next,
        }
    }

    /// The messages that may be asked for at once in the next session, which begins at `now` (Unix
    /// seconds): few at a server that refused one after the other within the last 30 days, and few
    /// first at one that was never met.
    pub fn retrs(&self, now: u64) -> Retrs {
        match self.refused {
            Some(time) if is_remembered(time, now) => Retrs::FEW,
            _ if self.capabilities.is_some() => Retrs::MANY,
            _ => Retrs::NEW,
        }
    }

    /// The capabilities that the server offered last. `None` if no session was recorded, or it is
    /// too long ago.
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.capabilities.as_ref()
    }

    /// The mechanism for this key that last succeeded while the server offered what it offers now.
    /// `None` if none is known, or the capabilities changed.
    pub fn mechanism(&self, key: &Key, offered: &Capabilities) -> Option<Mechanism> {
        let is_same = self.capabilities.as_ref() == Some(offered);
        let mut known = self.mechanisms.iter().copied().filter(|_| is_same);
        known.find(|mechanism| mechanism.takes() == key.kind())
    }

    /// Returns whether several commands in flight were seen to work.
    pub fn is_known_to_pipeline(&self) -> bool {
        self.in_flight
    }

    /// Takes in what a session has shown at `now` (Unix seconds). Failures are forgotten when the
    /// server offers something else than before.
    pub fn learn(&mut self, shown: Shown, now: u64) {
        let Shown { capabilities, mechanism, pace, listing, in_flight, is_refusing } = shown;
        if self.capabilities.as_ref() != Some(&capabilities) {
            *self = Self { capabilities: Some(capabilities), ..Self::default() };
        }
        if let Some(mechanism) = mechanism {
            self.succeeded_with(mechanism);
        }
        self.pace = self.pace.max(Some(pace));
        self.slow_listing = listing > PROMPT;
        self.in_flight |= in_flight;
        if is_refusing {
            self.refused = Some(now);
        }
    }

    /// Takes in that this pace failed at `now` (Unix seconds).
    pub fn failed(&mut self, pace: Pace, now: u64) {
        self.failed = Some((pace, now));
        self.pace = self.pace.map(|known| known.min(pace.slower()));
        self.in_flight &= pace > Pace::Pipelined;
    }

    /// Takes over a later failure that is known of the same server.
    pub fn take_failure(&mut self, other: &Self) {
        let time = |profile: &Self| profile.failed.map(|(_, time)| time);
        if other.capabilities == self.capabilities
            && time(other) > time(self)
            && let Some((pace, time)) = other.failed
        {
            self.failed(pace, time);
        }
        if other.capabilities == self.capabilities {
            self.refused = self.refused.max(other.refused);
        }
    }

    fn succeeded_with(&mut self, mechanism: Mechanism) {
        self.mechanisms.retain(|known| known.takes() != mechanism.takes());
        self.mechanisms.push(mechanism);
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        for line in self.capabilities.iter().flat_map(Capabilities::lines) {
            writeln!(f, "capa {line}")?;
        }
        for mechanism in &self.mechanisms {
            writeln!(f, "mechanism {}", mechanism.name())?;
        }
        if let Some(pace) = self.pace {
            writeln!(f, "pace {}", pace.name())?;
        }
        if let Some((pace, time)) = self.failed {
            writeln!(f, "failed {} {time}", pace.name())?;
        }
        if self.slow_listing {
            writeln!(f, "slow-listing")?;
        }
        if self.in_flight {
            writeln!(f, "in-flight")?;
        }
        if let Some(time) = self.refused {
            writeln!(f, "refused {time}")?;
        }
        Ok(())
    }
}

/// Returns whether what happened at `time` counts at `now`. A time in the future is none.
fn is_remembered(time: u64, now: u64) -> bool {
    (time..time.saturating_add(MEMORY)).contains(&now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Secret;

    const NOW: u64 = 2_000_000_000;

    fn offered(lines: &[&str]) -> Capabilities {
        let mut capabilities = Capabilities::default();
        for line in lines {
            capabilities.add(line.as_bytes());
        }
        capabilities
    }

    fn shown(pace: Pace) -> Shown {
        Shown {
            capabilities: offered(&["PIPELINING", "UIDL", "SASL PLAIN"]),
            mechanism: Some(Mechanism::Plain),
            pace,
            listing: Duration::from_millis(3),
            in_flight: true,
            is_refusing: false,
        }
    }

    fn learnt(pace: Pace) -> Profile {
        let mut profile = Profile::default();
        profile.learn(shown(pace), NOW);
        profile
    }

    #[test]
    fn each_session_is_one_step_faster_than_what_worked() {
        assert_eq!(Profile::default().pace(NOW), Pace::Pipelined);
        assert_eq!(learnt(Pace::Pipelined).pace(NOW), Pace::BehindLogin);
        assert_eq!(learnt(Pace::BehindLogin).pace(NOW), Pace::BehindCapa);
        assert_eq!(learnt(Pace::BehindCapa).pace(NOW), Pace::BehindCapa);
    }

    #[test]
    fn a_failure_counts_for_thirty_days() {
        let mut profile = learnt(Pace::BehindCapa);
        profile.failed(Pace::BehindLogin, NOW);
        for later in [0, 60, MEMORY - 1] {
            assert_eq!(profile.pace(NOW + later), Pace::Pipelined, "{later}");
        }
        assert_eq!(profile.pace(NOW + MEMORY), Pace::BehindLogin);
        // A clock that was wrong when it was written does not make it last.
        assert_eq!(profile.pace(NOW - 1), Pace::BehindLogin);
        profile.failed(Pace::Pipelined, NOW);
        assert_eq!(profile.pace(NOW), Pace::OneByOne);
        assert!(!profile.is_known_to_pipeline());
    }

    #[test]
    fn what_another_account_found_to_fail_is_taken_over() {
        let (mut profile, mut other) = (learnt(Pace::BehindCapa), learnt(Pace::BehindLogin));
        other.failed(Pace::BehindLogin, NOW);
        profile.take_failure(&other);
        assert_eq!(profile.pace(NOW), Pace::Pipelined);
        profile.take_failure(&learnt(Pace::BehindCapa));
        assert_eq!(profile.pace(NOW), Pace::Pipelined);
    }

    #[test]
    fn a_server_that_offers_something_else_is_a_new_one() {
        let mut profile = learnt(Pace::BehindCapa);
        profile.failed(Pace::BehindLogin, NOW);
        let capabilities = offered(&["PIPELINING", "UIDL", "SASL PLAIN LOGIN"]);
        let key = Key::Password(Secret::new("not-a-secret"));
        assert_eq!(profile.mechanism(&key, &capabilities), None);
        profile.learn(Shown { capabilities, ..shown(Pace::Pipelined) }, NOW);
        assert_eq!(profile.pace(NOW), Pace::BehindLogin);
    }

    #[test]
    fn a_mechanism_is_remembered_for_the_kind_of_key_that_it_takes() {
        let mut profile = learnt(Pace::Pipelined);
        profile.learn(Shown { mechanism: Some(Mechanism::Xoauth2), ..shown(Pace::Pipelined) }, NOW);
        let offered = shown(Pace::Pipelined).capabilities;
        let known = |key| profile.mechanism(&key, &offered);
        assert_eq!(known(Key::Password(Secret::new("x"))), Some(Mechanism::Plain));
        assert_eq!(known(Key::Token(Secret::new("x"))), Some(Mechanism::Xoauth2));
        assert_eq!(known(Key::Certificate), None);
    }

    #[test]
    fn a_slow_listing_is_not_asked_for_behind_the_login() {
        let mut profile = learnt(Pace::BehindCapa);
        profile.learn(Shown { listing: Duration::from_secs(2), ..shown(Pace::BehindCapa) }, NOW);
        assert_eq!(profile.pace(NOW), Pace::Pipelined);
    }

    #[test]
    fn a_server_that_refuses_one_message_after_the_other_is_asked_for_few_at_once() {
        assert_eq!(Profile::default().retrs(NOW), Retrs::NEW);
        let mut profile = learnt(Pace::Pipelined);
        assert_eq!(profile.retrs(NOW), Retrs::MANY);
        profile.learn(Shown { is_refusing: true, ..shown(Pace::Pipelined) }, NOW);
        profile.learn(shown(Pace::Pipelined), NOW + 60);
        assert_eq!(profile.retrs(NOW + MEMORY - 1), Retrs::FEW);
        assert_eq!(profile.retrs(NOW + MEMORY), Retrs::MANY);
        assert_eq!(profile.retrs(NOW - 1), Retrs::MANY);
    }

    #[test]
    fn what_is_written_is_read_again_and_nothing_else_is() {
        let mut profile = learnt(Pace::BehindLogin);
        profile.failed(Pace::BehindCapa, NOW);
        profile.learn(Shown { listing: Duration::from_secs(2), ..shown(Pace::BehindLogin) }, NOW);
        profile.learn(Shown { is_refusing: true, ..shown(Pace::BehindLogin) }, NOW);
        assert_eq!(Profile::read(&profile.to_string()), profile);
        let newer = profile.to_string().replace(HEADER, "postie server 2");
        for text in ["", "\0\0\0", "capa PIPELINING", &newer] {
            assert_eq!(Profile::read(text), Profile::default(), "{text}");
        }
        let torn = format!("{HEADER}\nfailed never\npace fast\nmechanism MAGIC\nfailed\n");
        assert_eq!(Profile::read(&torn), Profile::default());
    }
}
