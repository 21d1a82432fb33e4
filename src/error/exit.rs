//! Exit statuses (sysexits.h and two more), and the one for each error; the manual's table is made of
//! them.

use std::io;

use super::Error;
use crate::store::outbox;
use crate::submit_frame::{self, HandInError};
use crate::{
    compose, config, http, message, net, password, pop3, sasl, settings, smtp, store, tls, token,
    wire,
};

/// The exit statuses (sysexits.h, and two of our own).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// 0
    Done,
    /// 64
    Usage,
    /// 65
    Message,
    /// 66
    NoInput,
    /// 67
    NoRecipient,
    /// 68
    NoHost,
    /// 69
    Missing,
    /// 70
    Bug,
    /// 73
    CannotCreate,
    /// 74
    Disk,
    /// 75
    Later,
    /// 76
    Protocol,
    /// 77
    Denied,
    /// 78
    Config,
    /// 80
    InDoubt,
    /// 81
    Partial,
}

impl Exit {
    /// Every status with its number, its word in JSON, and its meaning: the table of the manual.
    pub const TABLE: [(Self, u8, &'static str, &'static str); 16] = [
        (
            Self::Done,
            0,
            "done",
            "Success; also if nothing is new, or a message waits in the outbox.",
        ),
        (Self::Usage, 64, "usage", "The command line is wrong."),
        (Self::Message, 65, "message", "The message itself is bad, or was refused permanently."),
        (Self::NoInput, 66, "no-input", "A file to be attached or imported cannot be read."),
        (
            Self::NoRecipient,
            67,
            "no-recipient",
            "Every recipient was refused permanently, or one has neither domain nor alias.",
        ),
        (Self::NoHost, 68, "no-host", "The server's name does not exist."),
        (Self::Missing, 69, "missing", "The server lacks a required feature."),
        (Self::Bug, 70, "bug", "A bug in this program."),
        (Self::CannotCreate, 73, "cannot-create", "A file or directory cannot be created."),
        (Self::Disk, 74, "disk", "A local read or write failed."),
        (
            Self::Later,
            75,
            "later",
            "Try again later: no connection, timed out, refused temporarily, or another run is \
             active.",
        ),
        (Self::Protocol, 76, "protocol", "The server broke the protocol."),
        (
            Self::Denied,
            77,
            "denied",
            "The login or the server's certificate was refused, or it is not permitted here.",
        ),
        (Self::Config, 78, "config", "The configuration is wrong or incomplete."),
        (
            Self::InDoubt,
            80,
            "in-doubt",
            "The message may have been delivered: the server's final reply was lost.",
        ),
        (
            Self::Partial,
            81,
            "partial",
            "Sent to some of the recipients, or some of the messages were fetched.",
        ),
    ];

    /// The status for the shell.
    pub fn status(self) -> u8 {
        self.row().1
    }

    /// The status of another process of this program; `None` if it is none.
    pub fn of_status(status: u8) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.1 == status).map(|row| row.0)
    }

    /// Returns the word for this status in JSON.
    pub fn word(self) -> &'static str {
        self.row().2
    }

    /// Returns the worse of two statuses: done, then try again later, then partial, then any other. Of
    /// two alike, the first.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let weight = |exit| match exit {
            Self::Done => 0,
            Self::Later => 1,
            Self::Partial => 2,
            _ => 3,
        };
        if weight(other) > weight(self) { other } else { self }
    }

    fn row(self) -> &'static (Self, u8, &'static str, &'static str) {
        // Every variant has a row, which a test makes sure of; a missing one would be a bug.
        const BUG: &(Exit, u8, &str, &str) = &(Exit::Bug, 70, "bug", "");
        Self::TABLE.iter().find(|row| row.0 == self).unwrap_or(BUG)
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error {
            Error::Settings(error) => error.into(),
            Error::Password(password::Error::Slow(_) | password::Error::Interrupted(_))
            | Error::HeldBack { .. }
            | Error::ManyUnderWay
            | Error::Thread(_)
            | Error::Dns(_) => Self::Later,
            Error::Password(password::Error::Token(error)) => error.into(),
            Error::Password(_)
            | Error::Foreign { .. }
            | Error::Ownership(_)
            | Error::Misconfigured => Self::Config,
            Error::Net(error) => error.into(),
            Error::Tls(error) => error.into(),
            Error::Pop3(error) => error.into(),
            Error::Smtp(error) | Error::Oversized { error, .. } => error.into(),
            Error::Http(error) => error.into(),
            Error::Page { .. } => Self::Protocol,
            Error::NoSuchDomain { .. } | Error::NothingFound { .. } | Error::NotInTable { .. } => {
                Self::NoHost
            }
            Error::NoPop3 { .. } | Error::NoMail { .. } => Self::Missing,
            Error::Store(error) => error.into(),
            Error::Outbox(error) => error.into(),
            Error::Message(error) => error.into(),
            Error::Compose(error) => match error {
                compose::Error::Attachment { .. } => Self::NoInput,
                compose::Error::StdinTwice => Self::Usage,
                compose::Error::Stdin(_) => Self::Disk,
                compose::Error::Message(error) => error.into(),
            },
            Error::Install { .. }
            | Error::NotInstalled(_)
            | Error::Unrecordable(_)
            | Error::Listen { .. } => Self::CannotCreate,
            Error::NotAccepted { .. }
            | Error::Elsewhere
            | Error::NoCaller
            | Error::NotPermitted(_) => Self::Denied,
            Error::Service { error, .. } => error.into(),
            Error::Frame(submit_frame::Error::TooLong(_)) | Error::NobodyNamed => Self::Message,
            Error::Frame(_) | Error::NoRecipients => Self::Usage,
            Error::Input { .. } => Self::NoInput,
            Error::Log { .. } | Error::Stdio { .. } | Error::AfterFetch { .. } => Self::Disk,
        }
    }
}

impl From<&HandInError> for Exit {
    fn from(error: &HandInError) -> Self {
        match error {
            HandInError::NoService(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Self::Denied
            }
            HandInError::NoService(_) | HandInError::Busy | HandInError::NotTaken(_) => Self::Later,
            HandInError::NotASocket => Self::Config,
            HandInError::TooLarge(_) => Self::Message,
            HandInError::Protocol(_) => Self::Protocol,
            HandInError::InDoubt(_) => Self::InDoubt,
        }
    }
}

impl From<&net::Error> for Exit {
    fn from(error: &net::Error) -> Self {
        match error {
            net::Error::NotFound(_) => Self::NoHost,
            net::Error::Lookup(_) | net::Error::Connect(_) => Self::Later,
            net::Error::Command(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Self::Config,
                _ => Self::Later,
            },
            net::Error::NotLoopback(_) => Self::Config,
            net::Error::OtherUser { .. } => Self::Denied,
        }
    }
}

impl From<&tls::Error> for Exit {
    fn from(error: &tls::Error) -> Self {
        match error {
            tls::Error::Certificate { .. } | tls::Error::NoClientCertificate => Self::Denied,
            tls::Error::NotTls
            | tls::Error::OnlyTls
            | tls::Error::OldTls
            | tls::Error::Handshake(_) => Self::Protocol,
            tls::Error::Stream(_) => Self::Later,
            tls::Error::Name(_)
            | tls::Error::File { .. }
            | tls::Error::NoSystem(_)
            | tls::Error::Ownership(_) => Self::Config,
        }
    }
}

impl From<&http::Error> for Exit {
    fn from(error: &http::Error) -> Self {
        match error {
            http::Error::Wire(error) => error.into(),
            http::Error::Redirect(_) => Self::Protocol,
        }
    }
}

impl From<&token::Error> for Exit {
    fn from(error: &token::Error) -> Self {
        match error {
            token::Error::NoLogin { .. }
            | token::Error::Changed { .. }
            | token::Error::Client { .. }
            | token::Error::NoEndpoint { .. }
            | token::Error::Nobody
            | token::Error::NoBrowser { .. }
            // What others may read is for its owner to repair, not for a later run.
            | token::Error::Store(store::Error::Ownership(_)) => Self::Config,
            token::Error::Expired { .. }
            | token::Error::Code { .. }
            | token::Error::Consent { .. } => Self::Denied,
            token::Error::Later { .. } | token::Error::Busy | token::Error::NotInTime { .. } => {
                Self::Later
            }
            token::Error::NoDevice { .. } => Self::Usage,
            token::Error::Listen(_) => Self::CannotCreate,
            token::Error::Random => Self::Disk,
            token::Error::Protocol { .. } => Self::Protocol,
            token::Error::Unreached { error, .. } => match error {
                token::Unreached::Net(error) => error.into(),
                token::Unreached::Tls(error) => error.into(),
                token::Unreached::Http(error) => error.into(),
            },
            token::Error::Store(error) => error.into(),
        }
    }
}

impl From<&settings::Error> for Exit {
    fn from(error: &settings::Error) -> Self {
        match error {
            settings::Error::Config(config::Error::Write { .. }) => Self::CannotCreate,
            settings::Error::Config(_)
            | settings::Error::NoFile { .. }
            | settings::Error::Unread { .. }
            | settings::Error::NoAccount { .. }
            | settings::Error::SameMaildrop { .. }
            | settings::Error::Ambiguous
            | settings::Error::Incomplete { .. }
            | settings::Error::UnknownClient { .. }
            | settings::Error::UnknownFallback { .. }
            | settings::Error::FallbackCycle { .. }
            | settings::Error::IncompleteClient { .. }
            | settings::Error::Tenant { .. }
            | settings::Error::NoLogin { .. }
            | settings::Error::NoOAuth { .. }
            | settings::Error::NoSender
            | settings::Error::NoOwnAddress
            | settings::Error::SendsByService { .. }
            | settings::Error::CommandWithoutTls { .. }
            | settings::Error::NoHome
            | settings::Error::NoCredentials
            | settings::Error::Variable(_)
            | settings::Error::OtherHome(_) => Self::Config,
            settings::Error::NotPermitted(_) => Self::Denied,
            settings::Error::UnknownAccount { .. }
            | settings::Error::NoUser
            | settings::Error::NoSide(_)
            | settings::Error::UserAlone
            | settings::Error::User(_) => Self::Usage,
            settings::Error::NoAlias(_) => Self::NoRecipient,
            settings::Error::Random => Self::Disk,
        }
    }
}

/// Of any command but the login.
impl From<&pop3::Refusal> for Exit {
    fn from(refusal: &pop3::Refusal) -> Self {
        match refusal.code {
            Some(_) if !refusal.is_temporary() => Self::Denied,
            Some(_) | None => Self::Later,
        }
    }
}

impl From<&pop3::Error> for Exit {
    fn from(error: &pop3::Error) -> Self {
        match error {
            pop3::Error::Wire(error) => error.into(),
            pop3::Error::Login { refusal, .. } if refusal.is_temporary() => Self::Later,
            pop3::Error::Login { .. } => Self::Denied,
            pop3::Error::Sasl(error) => error.into(),
            pop3::Error::TurnedAway(refusal) | pop3::Error::Refused { refusal, .. } => {
                refusal.into()
            }
            pop3::Error::Missing(_) => Self::Missing,
            pop3::Error::Torn => Self::Protocol,
            pop3::Error::SentAhead { error, .. } | pop3::Error::InMessage { error, .. } => {
                error.as_ref().into()
            }
            pop3::Error::CapabilitiesChanged => Self::Later,
        }
    }
}

impl From<&smtp::Error> for Exit {
    fn from(error: &smtp::Error) -> Self {
        let lasting = |refusal: &smtp::Refusal, lasting| match refusal.code {
            400..500 => Self::Later,
            _ => lasting,
        };
        match error {
            smtp::Error::Wire(error) => error.into(),
            smtp::Error::Login { refusal, .. } => lasting(refusal, Self::Denied),
            smtp::Error::Sasl(error) => error.into(),
            smtp::Error::Refused { refusal, .. } if refusal.is_unknown_command() => Self::Missing,
            // The login does not count (RFC 4954 §6), and nothing is wrong with the message.
            smtp::Error::Refused { what: smtp::Subject::Sender | smtp::Subject::Data, refusal }
                if matches!(refusal.code, 530 | 534 | 535 | 538) =>
            {
                Self::Denied
            }
            // The session is not where it should be.
            smtp::Error::Refused { what: smtp::Subject::Sender, refusal }
                if refusal.code == 503 =>
            {
                Self::Protocol
            }
            // The service refuses to serve, whatever the message is.
            smtp::Error::TurnedAway(refusal)
            | smtp::Error::Refused {
                what: smtp::Subject::Ehlo | smtp::Subject::Starttls,
                refusal,
            } => lasting(refusal, Self::Missing),
            smtp::Error::Refused { refusal, .. } => lasting(refusal, Self::Message),
            smtp::Error::Missing(_) => Self::Missing,
            smtp::Error::TooLarge { .. } => Self::Message,
            smtp::Error::InDoubt(_) => Self::InDoubt,
        }
    }
}

impl From<&sasl::Error> for Exit {
    fn from(error: &sasl::Error) -> Self {
        match error {
            sasl::Error::NoMechanism { .. } => Self::Missing,
            // The peer is not the server that was called.
            sasl::Error::Nonce | sasl::Error::Unproven => Self::Denied,
            sasl::Error::Challenge(..) | sasl::Error::Rounds(_) | sasl::Error::Insistent => {
                Self::Protocol
            }
        }
    }
}

impl From<&wire::Error> for Exit {
    fn from(error: &wire::Error) -> Self {
        match error {
            // What is wrong inside TLS comes as invalid data.
            wire::Error::Stream { source, .. } if source.kind() == io::ErrorKind::InvalidData => {
                Self::Protocol
            }
            // The server requires a client certificate.
            wire::Error::Stream { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Self::Denied
            }
            wire::Error::Stream { .. } | wire::Error::Closed(_) => Self::Later,
            wire::Error::Bug(_) => Self::Bug,
            wire::Error::Malformed { .. } | wire::Error::Leftover(_) | wire::Error::TooLong(_) => {
                Self::Protocol
            }
            wire::Error::Sink(source) | wire::Error::Source(source) => {
                disk(source).unwrap_or(Self::Disk)
            }
        }
    }
}

impl From<&store::Error> for Exit {
    fn from(error: &store::Error) -> Self {
        match error {
            store::Error::Locked { .. } => Self::Later,
            store::Error::Program { .. } | store::Error::NewerJournal { .. } => Self::Config,
            store::Error::NoParent { .. }
            | store::Error::Create { .. }
            | store::Error::Ownership(_) => Self::CannotCreate,
            store::Error::Io { .. } | store::Error::Token(_) | store::Error::MaildirGone(_) => {
                Self::Disk
            }
        }
    }
}

impl From<&message::Error> for Exit {
    fn from(error: &message::Error) -> Self {
        match error {
            message::Error::Empty
            | message::Error::Cut
            | message::Error::Header(_)
            | message::Error::Address { .. }
            | message::Error::Binary => Self::Message,
            message::Error::Io { .. } => Self::Disk,
        }
    }
}

impl From<&outbox::Error> for Exit {
    fn from(error: &outbox::Error) -> Self {
        match error {
            outbox::Error::Busy => Self::Later,
            outbox::Error::Unknown(_) => Self::Usage,
            outbox::Error::NoFile(_) | outbox::Error::Journal { .. } => Self::Disk,
            outbox::Error::Store(error) => error.into(),
        }
    }
}

/// Returns the exit status of an error of the store or the outbox, which travels through a protocol
/// as an I/O error; `None` for any other.
fn disk(error: &io::Error) -> Option<Exit> {
    let error = error.get_ref()?;
    let of_store = error.downcast_ref::<store::Error>().map(Exit::from);
    of_store.or_else(|| error.downcast_ref::<outbox::Error>().map(Exit::from))
}
