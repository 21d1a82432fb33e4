//! The status of a recipient: one set of words for sessions, JSON, the log and the outbox.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The status of a recipient, in an attempt or in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecipientStatus {
    /// The server took the message for it.
    Accepted,
    /// The server refused it permanently (5xx).
    Refused,
    /// The server refused it temporarily (4xx).
    Deferred,
    /// Not submitted: no reply of the server decided about it.
    NotSent,
    /// The message may have been delivered: the final reply was lost.
    InDoubt,
    /// The message waits for it in the outbox.
    Queued,
    /// The message waited for it for too long.
    Abandoned,
}

impl RecipientStatus {
    /// Each of them, with what it means.
    pub const ALL: [(Self, &str); 7] = [
        (Self::Accepted, "the server took the message for this recipient"),
        (Self::Refused, "the server refused it permanently (5xx)"),
        (Self::Deferred, "the server refused it temporarily (4xx), and nothing waits"),
        (Self::NotSent, "the message was not submitted to it, for the reason beside it"),
        (Self::InDoubt, "the message may have been delivered: the final reply was lost"),
        (Self::Queued, "the message waits for it in the outbox"),
        (Self::Abandoned, "the message waited for it for too long"),
    ];

    /// The word in JSON, in the log and in the journal of the outbox.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Deferred => "deferred",
            Self::NotSent => "not-sent",
            Self::InDoubt => "in-doubt",
            Self::Queued => "queued",
            Self::Abandoned => "abandoned",
        }
    }
}

impl fmt::Display for RecipientStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for RecipientStatus {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        let mut all = Self::ALL.into_iter().map(|(status, _)| status);
        all.find(|status| status.word() == word).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_one_word_everywhere() {
        for (status, _) in RecipientStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.word());
            assert_eq!(status.word().parse(), Ok(status));
        }
        assert_eq!("sent".parse::<RecipientStatus>(), Err(()));
    }
}
