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

mod reply;
mod session;

pub use reply::{Capabilities, Code, Pop3, Refusal};
pub use session::{
    Ahead, Authorization, Declined, Doomed, Listed, Number, Parting, Retrieved, Session, Sizes,
    Transaction,
};

use crate::{sasl, wire};

/// What is missing where messages have no unique-ids.
pub const UNIQUE_IDS: &str =
    "unique-ids (UIDL), so only `keep = \"none\"` would not repeat messages";

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The conversation itself broke.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// The server does not want to talk at all.
    #[error("the server turned the connection away: {0}")]
    TurnedAway(Refusal),
    /// The login went wrong without being refused.
    #[error(transparent)]
    Sasl(#[from] sasl::Error),
    /// The credentials were not accepted.
    #[error("login refused: {refusal}{}", sasl::explained(.explanation.as_deref()))]
    Login {
        /// The server's words.
        refusal: Refusal,
        /// What it had to say of a token.
        explanation: Option<String>,
    },
    /// A command that should work was refused.
    #[error("{command} refused: {refusal}")]
    Refused {
        /// The command.
        command: &'static str,
        /// The server's words.
        refusal: Refusal,
    },
    /// What followed the final dot of a message was no reply, so the dot was none either.
    #[error(
        "message {number} came torn: what follows its end is no reply to the next command; \
         it stays on the server"
    )]
    Torn {
        /// The message's number.
        number: Number,
    },
    /// What is needed was not offered.
    #[error("the server does not offer {0}")]
    Missing(&'static str),
}
