//! POP3 (RFC 1939) with capabilities (RFC 2449), STLS (RFC 2595) and AUTH (RFC 5034).
//!
//! ```text
//!   open ──> Session<Authorization> ──login──> Session<Transaction> ──quit──> deletions happen
//!                  │      ▲                       uidl list retr
//!                  └─stls─┘  everything learnt before is forgotten
//! ```
//!
//! The client never sees a socket, a file or a clock. APOP is left out: its MD5 can be broken by a
//! server in the middle (CVE-2007-1558).
#![warn(clippy::missing_errors_doc)]

mod profile;
mod reply;
mod session;
mod window;

pub use profile::{Pace, Profile, Shown};
pub use reply::{Capabilities, Code, Pop3, Refusal};
pub use session::{
    Approach, Authorization, Deletable, DeleteResult, Listing, Number, Prefetch, RetrRefused,
    Retrieved, ScanListing, Session, Sizes, Transaction, UniqueIds,
};
pub use window::Retrs;

use crate::{sasl, wire};

/// A feature that a session needs of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Feature {
    /// STLS, where `tls` is "starttls" (RFC 2595 §4).
    #[error("STLS, which `tls = \"starttls\"` requires")]
    Stls,
    /// UIDL, unless every message is deleted once it is fetched (RFC 1939 §7).
    #[error("unique-ids (UIDL), which all but `keep = \"none\"` requires")]
    Uidl,
}

/// The reason why a session ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The conversation itself broke.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// The server does not want to talk at all.
    #[error("the server refused the connection: {0}")]
    TurnedAway(Refusal),
    /// The login went wrong without being refused.
    #[error(transparent)]
    Sasl(#[from] sasl::Error),
    /// The credentials were not accepted.
    #[error("login refused: {refusal}{}", sasl::explained(.explanation.as_deref()))]
    Login {
        /// The server's words.
        refusal: Refusal,
        /// The server's explanation of a refused token.
        explanation: Option<String>,
        /// The number of mechanisms that were refused.
        mechanisms: usize,
    },
    /// A command that should work was refused.
    #[error("{command} refused: {refusal}")]
    Refused {
        /// The command.
        command: &'static str,
        /// The server's words.
        refusal: Refusal,
    },
    /// The octets after a message's final dot are no reply, so the dot did not end it.
    #[error(
        "its text came torn: what follows its end is no reply to the next command; \
         it stays on the server"
    )]
    Torn,
    /// The server ended the session in the middle of a message, or of waiting for it.
    #[error("message {}: {error}", .listed.number)]
    InMessage {
        /// The message.
        listed: ScanListing,
        /// Octets of its text that came before, give or take a buffer.
        octets: u64,
        /// The failure.
        error: Box<Self>,
    },
    /// The server does not offer a needed feature.
    #[error("the server does not offer {0}")]
    Missing(Feature),
    /// Commands that were sent ahead of the server's replies were lost, or answered out of step.
    /// A session at a slower pace may succeed.
    #[error("{error} (commands were sent ahead; `pipelining = false` prevents that)")]
    SentAhead {
        /// The pace that was too fast.
        pace: Pace,
        /// True if it was known by then that the login was accepted. If not, it may have been the login
        /// that the server did not like.
        is_logged_in: bool,
        /// The error.
        error: Box<Self>,
    },
    /// The server does not offer what it offered in the session before, and commands were sent in
    /// the belief that it does.
    #[error("the server's capabilities changed")]
    CapabilitiesChanged,
}

impl Error {
    /// Wraps the error as a failure of this pace, if it can be one.
    fn sent_ahead(self, pace: Pace, is_logged_in: bool) -> Self {
        let is_wire = matches!(self, Self::Wire(_));
        if is_wire && !self.is_ours() {
            Self::SentAhead { pace, is_logged_in, error: Box::new(self) }
        } else {
            self
        }
    }

    /// Wraps the error as one in the middle of a message, unless this side ended the session.
    fn in_message(self, listed: ScanListing, octets: u64) -> Self {
        if self.is_ours() { self } else { Self::InMessage { listed, octets, error: self.into() } }
    }

    /// Returns whether this side ended the session (a signal, `max-time`), or could not write what
    /// it received.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Wire(wire::Error::Stream { source, .. }) => source
                .get_ref()
                .is_some_and(<dyn std::error::Error + Send + Sync>::is::<wire::Cancelled>),
            Self::Wire(error) => matches!(error, wire::Error::Sink(_) | wire::Error::Source(_)),
            _ => false,
        }
    }

    /// Returns whether the connection ended inside a multi-line reply.
    fn is_in_text(&self) -> bool {
        use wire::Error::{Closed, Malformed, Stream, TooLong};
        use wire::Phase::Text;
        matches!(
            self,
            Self::Wire(
                Closed(Text(_))
                    | Stream { phase: Text(_), .. }
                    | Malformed { phase: Text(_), .. }
                    | TooLong(_)
            )
        )
    }

    /// Returns whether the server refused the connection itself, such as for too many at once.
    pub fn is_about_connections(&self) -> bool {
        match self {
            Self::TurnedAway(_) => true,
            Self::Wire(error) => error.is_hang_up() && error.is_in_greeting(),
            Self::Login { refusal, .. } => refusal.speaks_of_connections(),
            _ => false,
        }
    }

    /// Returns whether other credentials may succeed.
    fn is_about_credentials(&self) -> bool {
        match self {
            Self::Login { refusal, .. } => match refusal.code {
                Some(code) => code == Code::Auth,
                None => !refusal.is_temporary(),
            },
            _ => false,
        }
    }
}
