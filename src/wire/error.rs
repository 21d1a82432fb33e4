//! The reasons why a conversation ends, and the activities that are named in them.

use std::fmt;
use std::io;

use super::{Cancelled, Malformed};

/// The reason why a conversation ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stream failed: timed out, reset, or broken TLS.
    #[error("{source} {phase}")]
    Stream {
        /// The wait that failed.
        phase: Phase,
        /// The failure.
        source: io::Error,
    },
    /// The peer ended the stream where more was due.
    #[error("the server closed the connection {0}")]
    Closed(Phase),
    /// The peer does not speak the protocol.
    #[error("the server broke the protocol {phase}: {what}")]
    Malformed {
        /// The wait that ended in it.
        phase: Phase,
        /// The fault in what was received.
        what: Malformed,
    },
    /// The peer spoke before it was asked. After STARTTLS or STLS this is an attack: the octets
    /// would be taken for the first encrypted ones (CVE-2011-0411 and its kin).
    #[error("the server sent data before it was asked, {0}; a connection is not safe after that")]
    Leftover(Phase),
    /// A text did not end within a limit of this side's.
    #[error("the text is longer than {0} octets")]
    TooLong(u64),
    /// A state that cannot be: a fault of this program.
    #[error("a bug in postie, please report it: {0}")]
    Bug(&'static str),
    /// The destination of the message failed; the peer is not to blame.
    #[error("{0}")]
    Sink(io::Error),
    /// The source of the message failed; the peer is not to blame.
    #[error("{0}")]
    Source(io::Error),
}

impl Error {
    /// Returns whether octets that are no reply came where a reply was due, or earlier.
    pub fn is_no_reply(&self) -> bool {
        match self {
            Self::Leftover(_) => true,
            Self::Malformed { phase, .. } => matches!(phase, Phase::Answer(_) | Phase::Sending(_)),
            _ => false,
        }
    }
}

impl Error {
    /// Returns whether the peer, or the network, ended the connection.
    pub fn is_hang_up(&self) -> bool {
        let Self::Stream { source, .. } = self else { return matches!(self, Self::Closed(_)) };
        is_hang_up(source)
    }

    /// Returns whether the peer, or the network, ended the connection, be it by TLS's own word or
    /// without it.
    pub fn is_end(&self) -> bool {
        let is_cut = |source: &io::Error| source.kind() == io::ErrorKind::UnexpectedEof;
        self.is_hang_up() || matches!(self, Self::Stream { source, .. } if is_cut(source))
    }

    /// Returns whether a wait passed its bound.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Stream { source, .. } if source.kind() == io::ErrorKind::TimedOut)
    }

    /// Returns whether this side ended the connection ([`Cancelled`]).
    pub fn is_cancelled(&self) -> bool {
        let Self::Stream { source, .. } = self else { return false };
        source.get_ref().and_then(|inner| inner.downcast_ref::<Cancelled>()).is_some()
    }

    /// The same failure, for each of several messages that it is about.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        match self {
            Self::Stream { phase, source } => {
                Self::Stream { phase: *phase, source: duplicate(source) }
            }
            Self::Closed(phase) => Self::Closed(*phase),
            Self::Malformed { phase, what } => {
                Self::Malformed { phase: *phase, what: what.clone() }
            }
            Self::Leftover(phase) => Self::Leftover(*phase),
            Self::TooLong(octets) => Self::TooLong(*octets),
            Self::Bug(what) => Self::Bug(what),
            Self::Sink(error) => Self::Sink(duplicate(error)),
            Self::Source(error) => Self::Source(duplicate(error)),
        }
    }

    /// Returns whether it came in place of the greeting.
    pub fn is_in_greeting(&self) -> bool {
        let (Self::Stream { phase, .. } | Self::Closed(phase)) = self else { return false };
        *phase == Phase::Greeting
    }
}

/// Returns whether a failure of a stream means that the peer, or the network, ended it.
pub fn is_hang_up(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}

/// Copies an error of a stream; an end that this side chose stays one.
fn duplicate(error: &io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Cancelled>());
    match (error.raw_os_error(), inner) {
        (Some(number), _) => io::Error::from_raw_os_error(number),
        (None, Some(Cancelled(words))) => io::Error::new(error.kind(), Cancelled(words.clone())),
        (None, None) => io::Error::new(error.kind(), error.to_string()),
    }
}

/// An activity of the client, as words that follow an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the first reply.
    Greeting,
    /// The answer to this command.
    Answer(&'static str),
    /// The text that follows the answer to this command.
    Text(&'static str),
    /// Sending this command.
    Sending(&'static str),
    /// Sending the message itself.
    Message,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Greeting => f.write_str("waiting for the greeting"),
            Self::Answer(verb) => write!(f, "waiting for the answer to {verb}"),
            Self::Text(verb) => write!(f, "in the middle of the answer to {verb}"),
            Self::Sending(verb) => write!(f, "sending {verb}"),
            Self::Message => f.write_str("sending the message"),
        }
    }
}
