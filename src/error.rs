//! Every way a run can fail, the exit status of each, and the line that says so.

mod exit;

use std::fmt;
use std::io;
use std::path::PathBuf;

pub use self::exit::Exit;
use crate::settings::Peer;
use crate::store::outbox;
use crate::submit_frame::{self, HandInError};
use crate::text::{plain, shown, size};
use crate::{compose, dns, http, message, net, password, pop3, settings, smtp, store, tls, wire};

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
    /// The outbox failed.
    #[error(transparent)]
    Outbox(#[from] outbox::Error),
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
    /// The domain offers neither POP3 nor submission.
    #[error("{domain} offers neither POP3 nor submission, by its SRV records")]
    NoMail {
        /// The domain.
        domain: String,
    },
    /// The provider offers no POP3.
    #[error("{name} has no POP3: {instead}")]
    NoPop3 {
        /// The provider.
        name: String,
        /// The alternatives that work.
        instead: &'static str,
    },
    /// The built-in table has no row for the domain, and nothing else was asked.
    #[error("{domain} is not in the table of providers")]
    NotInTable {
        /// The address's domain.
        domain: String,
    },
    /// Servers that only an unsigned answer names, which the user has not accepted.
    #[error("only an unsigned DNS answer names {hosts}, outside the address's domain")]
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
    /// The submission service sends as many messages as it may, and this one can wait.
    #[error("many messages are being sent")]
    ManyUnderWay,
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
    /// Standard input is not a socket with a local user at its other end.
    #[error("standard input is not a UNIX socket with a user of this machine at its other end")]
    NoCaller,
    /// The account does not send this message.
    #[error(transparent)]
    NotPermitted(#[from] settings::NotPermitted),
    /// The submission service has not taken the message, or is not known to have.
    #[error("{}: {error}", socket.display())]
    Service {
        /// The service's socket.
        socket: PathBuf,
        /// The failure.
        error: HandInError,
    },
    /// The frame of a caller of the submission service is wrong.
    #[error("not a message frame: {0}")]
    Frame(#[from] submit_frame::Error),
    /// The submission service cannot send with its own configuration. Its log has the reason.
    #[error("the submission service is not configured correctly: its log has the reason")]
    Misconfigured,
    /// The socket of the submission service cannot be made.
    #[error("cannot listen at {}: {}", path.display(), plain(source))]
    Listen {
        /// The socket.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// No recipient is named.
    #[error("no recipients: name them, or use --read-recipients (-t)")]
    NoRecipients,
    /// No recipient is in the header, where `-t` looks.
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
    #[error("cannot install to {}: the path is not one line of UTF-8", .0.display())]
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

impl Error {
    /// Returns whether the server refused the connection itself, such as for too many at once.
    pub fn is_about_connections(&self) -> bool {
        match self {
            Self::Pop3(error) => error.is_about_connections(),
            Self::Tls(tls::Error::Stream(error)) => {
                wire::is_hang_up(error) || error.kind() == io::ErrorKind::UnexpectedEof
            }
            _ => false,
        }
    }

    /// The refusal of a whole message, of its sender or of its DATA; `None` for any other error.
    pub fn refusal(&self) -> Option<&smtp::Refusal> {
        use smtp::Subject::{Data, Message, Sender};
        match self {
            Self::Smtp(smtp::Error::Refused { what: Sender | Data | Message, refusal }) => {
                Some(refusal)
            }
            _ => None,
        }
    }

    /// Returns whether the server, or the way to it, failed: then messages name it.
    pub fn is_remote(&self) -> bool {
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
