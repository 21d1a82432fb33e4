//! Errors of a token: none stored, refused, or an authorization server that cannot be reached.

use std::io;

use super::refused;
use crate::http::{self};
use crate::limits;
use crate::net::{self};
use crate::oauth::{self, Refusal};
use crate::store;
use crate::text::{HttpsUrl, Secret, plain};
use crate::tls::{self};

/// The reason why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No login has been made yet.
    #[error("no login for {user} at {host}")]
    NoLogin {
        /// The account's user.
        user: String,
        /// The authorization server.
        host: String,
    },
    /// The stored tokens were granted for another configuration.
    #[error("{host}: the login is for another {what} than the configured one")]
    Changed {
        /// The authorization server.
        host: String,
        /// The key that differs.
        what: &'static str,
    },
    /// The login has ended.
    #[error("{host}: the login has expired or was revoked ({refusal}){}", .lost.as_deref().unwrap_or_default())]
    Expired {
        /// The authorization server.
        host: String,
        /// The server's answer.
        refusal: Refusal,
        /// The time when an answer was lost before, in words.
        lost: Option<String>,
    },
    /// The code of a login that is being made is not accepted.
    #[error("{host}: the login is refused ({refusal})")]
    Code {
        /// The authorization server.
        host: String,
        /// The server's answer.
        refusal: Refusal,
    },
    /// The user, or their administrator, has not consented.
    #[error("{host}: refused: {refusal}")]
    Consent {
        /// The authorization server.
        host: String,
        /// The server's answer.
        refusal: Refusal,
    },
    /// The client is not registered as it should be.
    #[error("{host}: the client is refused ({refusal})")]
    Client {
        /// The authorization server.
        host: String,
        /// The server's answer.
        refusal: Refusal,
    },
    /// The answer is no answer of an authorization server's endpoint.
    #[error("{url}: HTTP status {status}, without an error code of OAuth 2.0")]
    NoEndpoint {
        /// The URL that was asked.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server cannot answer now.
    #[error("{host}: no token now ({refusal})")]
    Later {
        /// The authorization server.
        host: String,
        /// The server's answer.
        refusal: Refusal,
    },
    /// The server's answer makes no sense.
    #[error("{host}: {error}")]
    Protocol {
        /// The authorization server.
        host: String,
        /// The fault.
        error: oauth::Error,
    },
    /// The server could not be reached, or the connection failed.
    #[error("{place}: {error}")]
    Unreached {
        /// Host and port.
        place: String,
        /// The failure.
        error: Unreached,
    },
    /// There is no terminal to log in at.
    #[error("a login needs a terminal")]
    Nobody,
    /// The login was not made in time.
    #[error("no login within {seconds} s{}", .last.as_ref().map(|last| format!(": {last}")).unwrap_or_default())]
    NotInTime {
        /// The time in which it was to be made.
        seconds: u64,
        /// The failure of the last question, if that had no answer.
        last: Option<Box<Self>>,
    },
    /// The server has no page to log in at.
    #[error("{host} has no authorization endpoint: use --device, or set `authorize`")]
    NoBrowser {
        /// The authorization server.
        host: String,
    },
    /// The server has no login with a code.
    #[error("{host} has no device login for mail: leave --device out, and paste the address")]
    NoDevice {
        /// The authorization server.
        host: String,
    },
    /// The browser cannot come back.
    #[error("cannot listen on this machine for the browser: {}", plain(.0))]
    Listen(io::Error),
    /// The system gives no random numbers.
    #[error("the system has no random numbers")]
    Random,
    /// Another run renews the same login, and takes too long.
    #[error("another run is renewing this login, and had not finished after {} s", limits::TOKEN_LOCK.as_secs())]
    Busy,
    /// The token file cannot be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    /// Returns the error for a refusal, with the secrets that were sent masked.
    pub fn refused(url: &HttpsUrl, refusal: Refusal, secrets: &[Option<&Secret>]) -> Self {
        refused(url, oauth::Error::Refused(refusal), secrets)
    }

    /// Returns whether the server has decided and granted nothing.
    pub(super) fn is_decided(&self) -> bool {
        match self {
            Self::Expired { refusal, .. }
            | Self::Consent { refusal, .. }
            | Self::Client { refusal, .. }
            | Self::Later { refusal, .. } => refusal.is_decided(),
            // What stands there grants nothing.
            Self::NoEndpoint { .. } => true,
            _ => false,
        }
    }

    /// Returns whether the login was refused, and stays so until a new login.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Expired { .. } | Self::Consent { .. })
    }
}

/// The reason why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unreached {
    /// There is no connection.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// TLS failed.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// The conversation failed.
    #[error(transparent)]
    Http(#[from] http::Error),
}
