//! SMTP submission (RFC 6409, RFC 5321) with STARTTLS (RFC 3207), AUTH (RFC 4954), PIPELINING
//! (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), DSN (RFC 3461), LIMITS
//! (RFC 9422), CHUNKING (RFC 3030) and REQUIRETLS (RFC 8689).
//!
//! ```text
//!   open ──> Session<Unauthenticated> ──auth──> Session<Authenticated> ──submit──> a reply
//!                │        ▲                                                   └──> or in doubt
//!                └starttls┘  everything learnt before is forgotten
//! ```
//!
//! There is no HELO and no way to send mail without logging in. The client never sees a socket, a
//! file or a clock.
#![warn(clippy::missing_errors_doc)]

mod ehlo;
mod reply;
mod session;

pub use ehlo::Extensions;
pub use reply::{Refusal, Smtp};
pub use session::{
    Authenticated, Envelope, Flight, Grouping, MailData, MailParameters, Mark, RecipientPolicy,
    Session, Submitted, Transaction, Unauthenticated,
};

use crate::text::size;
use crate::{sasl, wire};

/// An extension that a session or a message needs of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Extension {
    /// AUTH (RFC 4954), without which nothing is sent.
    #[error("AUTH, and no mail is sent without a login")]
    Auth,
    /// DSN (RFC 3461), for a message that asks for delivery status notifications.
    #[error("delivery reports (DSN)")]
    Dsn,
    /// REQUIRETLS (RFC 8689), for a message that asks for it.
    #[error("REQUIRETLS, so nothing was sent")]
    RequireTls,
    /// SMTPUTF8 (RFC 6531), for an envelope with an address that is not ASCII.
    #[error("SMTPUTF8, which a non-ASCII address requires")]
    SmtpUtf8,
    /// STARTTLS (RFC 3207), where `tls` is "starttls".
    #[error("STARTTLS, which `tls = \"starttls\"` requires")]
    Starttls,
}

/// The part of a session that a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Subject {
    /// EHLO.
    #[error("EHLO")]
    Ehlo,
    /// STARTTLS.
    #[error("STARTTLS")]
    Starttls,
    /// MAIL, and so the reverse-path.
    #[error("the sender's address")]
    Sender,
    /// RCPT, and so a recipient.
    #[error("a recipient's address")]
    Recipient,
    /// DATA, before the message.
    #[error("DATA")]
    Data,
    /// BDAT, which the server offers with CHUNKING and does not know: a word about the command, not
    /// about the message.
    #[error("BDAT")]
    Bdat,
    /// The message itself, after its end.
    #[error("the message")]
    Message,
}

/// The reason why a session ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The conversation itself broke, and no message was sent.
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
    },
    /// A command, or the message itself, was refused.
    #[error("{what} refused: {refusal}")]
    Refused {
        /// The part of the transaction that was refused.
        what: Subject,
        /// The server's words.
        refusal: Refusal,
    },
    /// The server does not offer a needed feature.
    #[error("the server does not offer {0}")]
    Missing(Extension),
    /// The server announced a smaller limit (RFC 1870 §6.1), so it was not asked.
    #[error("the message has {}; the server accepts at most {}", size(*.octets), size(*.limit))]
    TooLarge {
        /// Octets of the message in canonical form.
        octets: u64,
        /// Octets that the server takes.
        limit: u64,
    },
    /// The end of the message may have reached the server, and the final reply was lost.
    #[error("{0}: the message may have been delivered, so check before sending it again")]
    InDoubt(wire::Error),
}
