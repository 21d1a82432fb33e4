//! Every way a run can fail, the exit status of each, and the line that says so.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::settings::Peer;
use crate::text::{plain, shown, size};
use crate::{
    compose, config, dns, http, message, net, password, pop3, sasl, settings, smtp, store, tls,
    token, wire,
};

/// Any failure of a run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no job.
    #[error(transparent)]
    Settings(#[from] settings::Error),
    /// There is no password.
    #[error(transparent)]
    Password(#[from] password::Error),
    /// There is no connection.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// The connection is not private.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// The conversation with a POP3 server failed.
    #[error(transparent)]
    Pop3(#[from] pop3::Error),
    /// The conversation with an SMTP server failed.
    #[error(transparent)]
    Smtp(#[from] smtp::Error),
    /// The message is larger than the server takes, and one of its attachments is the largest.
    #[error("{error}; the largest attachment is {} ({})", shown(.name), size(*.octets))]
    Oversized {
        /// Both sizes.
        error: smtp::Error,
        /// The attachment's name.
        name: String,
        /// Octets of the file, which base64 makes a third more.
        octets: u64,
    },
    /// The conversation with a web server failed.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// The Maildir or the journal failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// There is no message.
    #[error(transparent)]
    Message(#[from] message::Error),
    /// There are no parts to compose a message from.
    #[error(transparent)]
    Compose(#[from] compose::Error),
    /// The domain name system cannot be asked.
    #[error(transparent)]
    Dns(#[from] dns::Error),
    /// A web page is not what was looked for.
    #[error("not an answer: {reason}")]
    Page {
        /// The failure.
        reason: String,
    },
    /// The domain of an address does not exist.
    #[error("the domain {domain} does not exist")]
    NoSuchDomain {
        /// The domain.
        domain: String,
    },
    /// No source knows the servers of an address.
    #[error("no mail servers were found for {domain}")]
    NothingFound {
        /// The domain.
        domain: String,
    },
    /// The provider offers no POP3.
    #[error("{name} has no POP3: {instead}")]
    NoPop3 {
        /// The provider.
        name: &'static str,
        /// The alternatives that work.
        instead: &'static str,
    },
    /// Servers that only an unsigned answer names, which the user has not accepted.
    #[error("only an unsigned DNS answer names {hosts}, outside the address's domain: not written")]
    NotAccepted {
        /// The servers' names.
        hosts: String,
    },
    /// The `after-fetch` program failed; the fetched messages are safe.
    #[error("the after-fetch command failed: {reason}")]
    AfterFetch {
        /// The failure.
        reason: String,
    },
    /// The account's login was refused, and is not tried again yet.
    #[error("login refused earlier; next attempt in {time}")]
    HeldBack {
        /// The time until the next attempt, in words.
        time: String,
    },
    /// Standard input is a socket whose other end is not known to be this user.
    #[error("standard input is a socket of another user; -bs is for this user's own programs")]
    Elsewhere,
    /// A file to be imported says what is not understood.
    #[error("{}:{line}: {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The fault, without any text from the file.
        what: String,
    },
    /// A file to be imported cannot be read.
    #[error("cannot read {}: {}", path.display(), plain(source))]
    Input {
        /// The file.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// Others may write to a file that is to be obeyed.
    #[error(transparent)]
    Ownership(#[from] crate::ownership::Error),
    /// No recipient is named.
    #[error("no recipients: name them, or use --read-recipients (-t)")]
    NoRecipients,
    /// The same, and it was to be in the header.
    #[error("no recipients in To, Cc or Bcc")]
    NobodyNamed,
    /// The log cannot be written to.
    #[error("cannot write to {}: {}", path.display(), plain(source))]
    Log {
        /// The file.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// The system has no thread to spare.
    #[error("cannot start a thread: {}", plain(.0))]
    Thread(io::Error),
    /// A file of `postie install` cannot be handled.
    #[error("cannot {doing} {}: {}", path.display(), plain(source))]
    Install {
        /// The action, with "cannot".
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// A file is in the place of one that would be installed.
    #[error(
        "{} exists and was not installed by `postie install`, or was changed since; nothing was \
         installed",
        .0.display()
    )]
    NotInstalled(PathBuf),
    /// A path has a line end or is not UTF-8, and cannot stand in the record of what was installed.
    #[error("cannot install to {}: not a path on one line of UTF-8", .0.display())]
    Unrecordable(PathBuf),
    /// Standard output or input failed.
    #[error("{doing}: {}", plain(source))]
    Stdio {
        /// The action, with "cannot".
        doing: &'static str,
        /// The failure.
        source: io::Error,
    },
}

impl From<wire::Error> for Error {
    fn from(error: wire::Error) -> Self {
        Self::Pop3(error.into())
    }
}

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
    /// Every way, its status, a word for programs, and what it means: the manual's table.
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
        (Self::Denied, 77, "denied", "The login or the server's certificate was refused."),
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

    /// A word for programs.
    pub fn word(self) -> &'static str {
        self.row().2
    }

    /// The one of two that matters more: what lasts before what may pass.
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
            Error::Password(password::Error::Slow(_))
            | Error::HeldBack { .. }
            | Error::Thread(_)
            | Error::Dns(_) => Self::Later,
            Error::Password(password::Error::Token(error)) => error.into(),
            Error::Password(_) | Error::Foreign { .. } | Error::Ownership(_) => Self::Config,
            Error::Net(error) => error.into(),
            Error::Tls(error) => error.into(),
            Error::Pop3(error) => error.into(),
            Error::Smtp(error) | Error::Oversized { error, .. } => error.into(),
            Error::Http(error) => error.into(),
            Error::Page { .. } => Self::Protocol,
            Error::NoSuchDomain { .. } | Error::NothingFound { .. } => Self::NoHost,
            Error::NoPop3 { .. } => Self::Missing,
            Error::Store(error) => error.into(),
            Error::Message(error) => error.into(),
            Error::Compose(error) => match error {
                compose::Error::Attachment { .. } => Self::NoInput,
                compose::Error::StdinTwice => Self::Usage,
                compose::Error::Stdin(_) => Self::Disk,
                compose::Error::Message(error) => error.into(),
            },
            Error::Install { .. } | Error::NotInstalled(_) | Error::Unrecordable(_) => {
                Self::CannotCreate
            }
            Error::NotAccepted { .. } | Error::Elsewhere => Self::Denied,
            Error::NoRecipients => Self::Usage,
            Error::NobodyNamed => Self::Message,
            Error::Input { .. } => Self::NoInput,
            Error::Log { .. } | Error::Stdio { .. } | Error::AfterFetch { .. } => Self::Disk,
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
            tls::Error::NotTls | tls::Error::OnlyTls | tls::Error::Handshake(_) => Self::Protocol,
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
            | token::Error::Nobody
            | token::Error::NoBrowser { .. }
            // What others may read is for its owner to repair, not for a later run.
            | token::Error::Store(store::Error::Ownership(_)) => Self::Config,
            token::Error::Expired { .. } | token::Error::Consent { .. } => Self::Denied,
            token::Error::Later { .. } | token::Error::Busy | token::Error::NotInTime(_) => {
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
            | settings::Error::NoAccount { .. }
            | settings::Error::SameMaildrop { .. }
            | settings::Error::Ambiguous
            | settings::Error::Incomplete { .. }
            | settings::Error::UnknownClient { .. }
            | settings::Error::IncompleteClient { .. }
            | settings::Error::Tenant { .. }
            | settings::Error::NoOAuth { .. }
            | settings::Error::NoSender
            | settings::Error::CommandWithoutTls { .. }
            | settings::Error::NoHome
            | settings::Error::NoCredentials
            | settings::Error::Variable(_) => Self::Config,
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

impl From<&pop3::Error> for Exit {
    fn from(error: &pop3::Error) -> Self {
        let coded = |refusal: &pop3::Refusal, otherwise| match refusal.code {
            _ if refusal.is_temporary() => Self::Later,
            Some(_) => Self::Denied,
            None => otherwise,
        };
        match error {
            pop3::Error::Wire(error) => error.into(),
            pop3::Error::Login { refusal, .. } => coded(refusal, Self::Denied),
            pop3::Error::Sasl(error) => error.into(),
            pop3::Error::TurnedAway(refusal) | pop3::Error::Refused { refusal, .. } => {
                coded(refusal, Self::Later)
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
            // A command that is not known or not implemented (RFC 5321 §4.2.2).
            smtp::Error::Refused { refusal, .. } if matches!(refusal.code, 500 | 502 | 504) => {
                Self::Missing
            }
            // The login does not count (RFC 4954 §6), and nothing is wrong with the message.
            smtp::Error::Refused { what: smtp::Subject::Sender, refusal }
                if refusal.code == 530 =>
            {
                Self::Denied
            }
            smtp::Error::TurnedAway(refusal) => lasting(refusal, Self::Missing),
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
                disk(source).map_or(Self::Disk, Self::from)
            }
        }
    }
}

impl From<&store::Error> for Exit {
    fn from(error: &store::Error) -> Self {
        match error {
            store::Error::Locked { .. } | store::Error::Busy => Self::Later,
            store::Error::Unknown(_) => Self::Usage,
            store::Error::Program { .. } | store::Error::NewerJournal { .. } => Self::Config,
            store::Error::NoParent { .. }
            | store::Error::Create { .. }
            | store::Error::Ownership(_) => Self::CannotCreate,
            store::Error::Io { .. }
            | store::Error::Journal { .. }
            | store::Error::NoJournal(_)
            | store::Error::Token(_)
            | store::Error::MaildirGone(_) => Self::Disk,
        }
    }
}

impl From<&message::Error> for Exit {
    fn from(error: &message::Error) -> Self {
        match error {
            message::Error::Empty
            | message::Error::Header(_)
            | message::Error::Address { .. }
            | message::Error::Binary => Self::Message,
            message::Error::Io { .. } => Self::Disk,
        }
    }
}

/// The store's own error, which travels through a protocol as an I/O error.
fn disk(error: &io::Error) -> Option<&store::Error> {
    error.get_ref()?.downcast_ref()
}

impl Error {
    /// Returns whether the server, or the way to it, failed: then messages name it.
    fn is_remote(&self) -> bool {
        match self {
            Self::Tls(error) => !matches!(
                error,
                tls::Error::File { .. } | tls::Error::NoSystem(_) | tls::Error::Ownership(_)
            ),
            Self::Pop3(pop3::Error::Wire(error))
            | Self::Smtp(smtp::Error::Wire(error))
            | Self::Http(http::Error::Wire(error)) => {
                !matches!(error, wire::Error::Sink(_) | wire::Error::Source(_))
            }
            Self::Net(_)
            | Self::Pop3(_)
            | Self::Smtp(_)
            | Self::Oversized { .. }
            | Self::Http(_) => true,
            _ => false,
        }
    }
}

/// A failure and where it happened, in one line.
#[derive(Debug)]
pub struct Failure<'a> {
    /// The command that failed.
    pub command: &'static str,
    /// The account's name, if it has one.
    pub account: Option<&'a str>,
    /// The server, if one was to be reached.
    pub peer: Option<&'a Peer>,
    /// The error.
    pub error: &'a Error,
    /// The duration of the outage in seconds, if it is tracked.
    pub lasting: Option<u64>,
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.command)?;
        if let Some(account) = self.account {
            write!(f, " {account}")?;
        }
        if let Some(peer) = self.peer.filter(|_| self.error.is_remote()) {
            write!(f, ": {peer}")?;
        }
        write!(f, ": {}", self.error)?;
        match self.lasting {
            Some(seconds @ 0..7200) => write!(f, " (for {} minutes now)", seconds / 60),
            Some(seconds) => write!(f, " (for {} hours now)", seconds / 3600),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_has_one_row_and_statuses_rise() {
        for window in Exit::TABLE.windows(2) {
            assert!(window[0].1 < window[1].1);
        }
        for (exit, status, word, _) in Exit::TABLE {
            assert_eq!((exit.status(), exit.word()), (status, word));
        }
    }

    #[test]
    fn what_lasts_outweighs_what_may_pass() {
        assert_eq!(Exit::Done.worse(Exit::Later), Exit::Later);
        assert_eq!(Exit::Later.worse(Exit::Denied), Exit::Denied);
        assert_eq!(Exit::Denied.worse(Exit::Later), Exit::Denied);
        assert_eq!(Exit::Denied.worse(Exit::Config), Exit::Denied);
    }
}
