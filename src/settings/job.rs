//! The jobs that commands work on: one side of one account, with a value for whatever is required.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Error;
use super::permissions::Permissions;
use crate::config::{CommandLine, Keep, RewriteFrom, Size, Span, Tls};
use crate::net::Bounds;
use crate::password::Source;
use crate::run_id::RunId;
use crate::sasl::Mechanism;
use crate::store::Destination;
use crate::text::{Address, Addressee, Detour, Domain, EhloName, Mailbox, ReversePath};
use crate::tls::Trust;

/// The other end of a conversation.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The server's name, which its certificate must have.
    pub host: Domain,
    /// The port.
    pub port: u16,
    /// The side of the account that it is for.
    pub side: Side,
    /// The kind of TLS.
    pub tls: Tls,
    /// The requirement for its certificate.
    pub trust: Trust,
    /// The address of this machine to connect from, if not any.
    pub source_address: Option<IpAddr>,
    /// The program that is the connection, if one is.
    pub connect_command: Option<CommandLine>,
    /// The bounds of waits.
    pub bounds: Bounds,
    /// True or false if the user decided whether commands are sent ahead of replies.
    pub pipelining: Option<bool>,
    /// The login name.
    pub user: String,
    /// The source of the password or token.
    pub source: Source,
    /// The mechanism, if the user chose one.
    pub auth: Option<Mechanism>,
    /// The addresses to dial in place of the real ones, for tests.
    pub detours: Vec<Detour>,
}

impl Peer {
    /// Returns the host and port to connect to: the server's own, except in tests.
    pub fn dialled(&self) -> (&Domain, u16) {
        let own = (&self.host, self.port);
        self.detours.iter().find_map(|detour| detour.of(&self.host, self.port)).unwrap_or(own)
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, .. } = self;
        if host.as_str().contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

/// A mailbox to be fetched.
#[derive(Clone, Debug)]
pub struct FetchJob {
    /// The account, unless it is an ad-hoc one.
    pub account: Option<String>,
    /// The server.
    pub peer: Peer,
    /// The destination of fetched messages.
    pub destination: Destination,
    /// The program that is run after a fetch that brought new messages.
    pub after_fetch: Option<CommandLine>,
    /// The retention on the server.
    pub keep: Keep,
    /// Larger messages stay there.
    pub max_size: Option<Size>,
    /// The most messages in one run.
    pub limit: Option<usize>,
    /// True if messages that were fetched before are fetched again.
    pub all: bool,
    /// True if sessions follow each other until one brings nothing new.
    pub repeat: bool,
    /// True if nothing is changed and the plan is printed.
    pub dry_run: bool,
    /// True if the listed messages are noted as not to be fetched.
    pub note_only: bool,
    /// The time for which temporary failures are not reported away from a terminal.
    pub patience: Option<Span>,
    /// The file that gets a line for each attempt.
    pub log_file: Option<PathBuf>,
    /// The maildrop's name in memory and messages: user and server.
    pub mailbox: String,
    /// The directory of the maildrop's state.
    pub state: PathBuf,
    /// The file with what is remembered of the server.
    pub server: PathBuf,
    /// The run's identity.
    pub run_id: RunId,
}

impl FetchJob {
    /// Returns whether messages are deleted from the server in the session that brings them.
    pub fn deletes_at_once(&self) -> bool {
        self.keep == Keep::Days(0)
    }

    /// The Maildir that messages go to, unless a program takes them. `None` if a program takes
    /// them.
    pub fn maildir(&self) -> Option<&Path> {
        match &self.destination {
            Destination::Maildir(root) => Some(root),
            Destination::Program(_) => None,
        }
    }
}

/// A message to be sent, apart from the message.
#[derive(Clone, Debug)]
pub struct SendJob {
    /// The account, unless it is an ad-hoc one.
    pub account: Option<String>,
    /// The server.
    pub peer: Peer,
    /// The account's address, or the one that the message is sent as: for what is missing in it.
    pub from: Mailbox,
    /// The name before that address in a From field that is added.
    pub name: Option<String>,
    /// The reverse-path: the sender's address, or `<>`.
    pub reverse_path: ReversePath,
    /// The client's name in EHLO.
    pub ehlo_name: EhloName,
    /// The From fields that `from` replaces.
    pub rewrite_from: RewriteFrom,
    /// True if BDAT may be used (CHUNKING).
    pub chunking: bool,
    /// The Maildir for a copy.
    pub sent_maildir: Option<PathBuf>,
    /// The file that gets a line for each attempt.
    pub log_file: Option<PathBuf>,
    /// True if the message waits in the outbox when it cannot be sent now.
    pub queue: bool,
    /// The account that is tried for a message that would otherwise wait. It has none of its own.
    pub fallback: Option<Box<Self>>,
    /// The recipients and callers that the account allows.
    pub permissions: Permissions,
    /// The file for what is learnt about the server; `None` if this user has no directory for it.
    pub server: Option<PathBuf>,
    /// The run's identity.
    pub run_id: RunId,
}

/// A message to be handed to the submission service of this machine, apart from the message.
#[derive(Clone, Debug)]
pub struct ServiceJob {
    /// The account.
    pub account: String,
    /// The service's socket.
    pub socket: PathBuf,
    /// The account's address and name, if it has them, for a From field that is missing.
    pub from: Option<Addressee>,
    /// The bound of each wait, but for that for the outcome.
    pub timeout: Duration,
    /// The run's identity.
    pub run_id: RunId,
}

/// The way of a message that is to be sent.
#[derive(Clone, Debug)]
pub enum Route {
    /// To a server.
    Server(Box<SendJob>),
    /// To the submission service of this machine, which knows a server.
    Service(ServiceJob),
}

impl SendJob {
    /// Returns whether a From field with this author is replaced; `None` is a field without an
    /// address.
    pub fn rewrites(&self, author: Option<&Address>) -> bool {
        let is_local = || author.is_none_or(|author| author.is_local(&self.run_id.host));
        self.rewrite_from.applies(is_local)
    }
}

/// A side of an account that is to be checked.
#[derive(Debug)]
pub struct Check {
    /// The account, unless it is an ad-hoc one.
    pub account: Option<String>,
    /// The side.
    pub side: Side,
    /// What is checked, or the reason why nothing is.
    pub target: Result<Target, Error>,
}

/// What a side of an account is checked against.
#[derive(Clone, Debug)]
pub enum Target {
    /// Its server.
    Server(Job),
    /// The submission service of this machine.
    Service(ServiceJob),
}

/// The job of one side of an account.
#[derive(Clone, Debug)]
pub enum Job {
    /// Fetching.
    Fetch(Box<FetchJob>),
    /// Sending.
    Send(Box<SendJob>),
}

impl Job {
    /// The server.
    pub fn peer(&self) -> &Peer {
        match self {
            Self::Fetch(job) => &job.peer,
            Self::Send(job) => &job.peer,
        }
    }

    /// The side of the account.
    pub fn side(&self) -> Side {
        match self {
            Self::Fetch(_) => Side::Fetch,
            Self::Send(_) => Side::Send,
        }
    }

    /// The run's identity.
    pub fn run_id(&self) -> &RunId {
        match self {
            Self::Fetch(job) => &job.run_id,
            Self::Send(job) => &job.run_id,
        }
    }
}

/// The half of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// POP3.
    Fetch,
    /// SMTP.
    Send,
}

impl Side {
    /// The ports of this side.
    pub fn default_ports(self) -> DefaultPorts {
        match self {
            Self::Fetch => DefaultPorts { implicit: 995, starttls: 110 },
            Self::Send => DefaultPorts { implicit: 465, starttls: 587 },
        }
    }

    /// Returns the side's word: `fetch` or `send`.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Send => "send",
        }
    }
}

/// The usual ports of a side, by the kind of TLS.
#[derive(Clone, Copy, Debug)]
pub struct DefaultPorts {
    /// The port for TLS from the first octet.
    pub implicit: u16,
    /// The port for STLS or STARTTLS.
    pub starttls: u16,
}

impl DefaultPorts {
    /// Returns both ports, each with its kind of TLS.
    pub fn ports(self) -> [(u16, Tls); 2] {
        [(self.implicit, Tls::Implicit), (self.starttls, Tls::Starttls)]
    }

    pub(super) fn has(self, port: u16) -> bool {
        self.ports().iter().any(|(usual, _)| *usual == port)
    }
}
