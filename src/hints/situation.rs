//! The situations that hints are for, and the errors that lead to each. Matches variants of errors and
//! codes of replies, never a sentence.

use std::fmt;
use std::io;

use crate::config::Tls;
use crate::error::Error;
use crate::settings::Peer;
use crate::store::outbox;
use crate::submit_frame::HandInError;
use crate::tls::CertificateProblem;
use crate::{
    config, net, ownership, password, pop3, sasl, settings, smtp, store, tls, token, wire,
};

/// A situation for which there is a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Situation {
    /// There is no configuration.
    NoFile,
    /// An account of the name that is to be added is there already.
    AccountExists,
    /// No source of the password is configured.
    NoPassword,
    /// The command that should print the password did not.
    PasswordCommandFailed,
    /// There is none where it should be.
    PasswordEmpty,
    /// The password contains a control character.
    PasswordUnfit,
    /// No login by OAuth 2.0 has been made.
    NoLoginYet,
    /// The login was made for another configuration, or its file is damaged.
    LoginChanged,
    /// The code of a login by OAuth 2.0 was not accepted.
    CodeRefused,
    /// The login by OAuth 2.0 has ended.
    LoginExpired,
    /// The authorization server does not take the client.
    ClientRefused,
    /// The user, or their administrator, has not consented.
    ConsentRefused,
    /// The answer is none of an authorization server's endpoint.
    NoEndpoint,
    /// The authorization server has no token now, or another run is asking it.
    TokenLater,
    /// A client of no id.
    NoClientId,
    /// No account that could log in by OAuth 2.0.
    NoOAuth,
    /// The mail server does not take the token.
    TokenRefused,
    /// The mail server takes tokens only.
    WantsToken,
    /// Others may read a file with a secret.
    SecretReadable,
    /// A file or directory belongs to another user.
    Foreign,
    /// The file of authorities cannot be used.
    CaFile,
    /// The program that is the connection fails.
    ConnectCommand,
    /// The name does not exist.
    NoHost,
    /// The resolver does not answer.
    NoLookup,
    /// The connection was refused.
    ConnectionRefused,
    /// The connection timed out.
    ConnectionTimedOut,
    /// The port for mail between servers does not answer.
    RelayPort,
    /// There is no route.
    Unreachable,
    /// A port of IMAP's.
    ImapPort,
    /// A server for something else.
    OtherProtocol,
    /// Plaintext where TLS was to begin.
    NotTls,
    /// TLS of versions that are not secure only.
    OldTls,
    /// TLS where plaintext was to begin.
    OnlyTls,
    /// The server sent no greeting on a plaintext port.
    Silence,
    /// The server does not answer to TLS, or sends no greeting inside.
    TlsSilence,
    /// The server does not offer STLS or STARTTLS.
    TlsNotOffered,
    /// A certificate of the future.
    NotYetValid,
    /// A certificate of the past.
    Expired,
    /// The key of the certificate is too short, whatever is trusted.
    WeakKey,
    /// The chain of certificates is at fault, whatever authority is trusted.
    Chain,
    /// The server requires a client certificate.
    NoClientCertificate,
    /// The certificate is for another name.
    OtherName,
    /// The certificate is its own issuer.
    SelfSigned,
    /// The certificate's issuer is not trusted.
    UnknownAuthority,
    /// A certificate of version 1.
    Version1,
    /// Another certificate than the pinned.
    NotPinned,
    /// The credentials were not accepted.
    LoginRefused,
    /// Nor by another mechanism, and nothing more is known.
    EachLoginRefused,
    /// The credentials are not at fault, and waiting does not help.
    LoginBarred,
    /// The login was refused for now.
    LoginLater,
    /// The server offers no way to log in.
    NoLogin,
    /// The greeting of a submission server is a refusal.
    ServerRefuses,
    /// The sender's address was refused.
    SenderRefused,
    /// A recipient's address was refused.
    RecipientRefused,
    /// The message was refused.
    MessageRefused,
    /// The server does not offer UIDL.
    NoUniqueIds,
    /// The Maildir has no parent.
    NoMaildir,
    /// The Maildir is no directory.
    NotDirectory,
    /// A part of a list of addresses is none.
    NotAnAddress,
    /// No source knows the servers of an address.
    NothingFound,
    /// The table of providers does not have the address's domain, and nothing else was asked.
    NotInTable,
    /// The domain of an address does not exist.
    NoSuchDomain,
    /// Servers that only an unsigned answer names.
    NotAccepted,
    /// Nothing listens at the socket of the submission service.
    NoService,
    /// A failure that no other row explains.
    Unexplained,
}

impl Situation {
    /// Returns the situation of an error.
    pub(super) fn of(error: &Error, peer: Option<&Peer>) -> Option<Self> {
        let is_token = peer.is_some_and(|peer| peer.source.is_token());
        match Self::of_any(error, peer) {
            Some(Self::LoginRefused) if is_token => Some(Self::TokenRefused),
            when => when,
        }
    }

    /// Returns the situation of an error, for passwords and tokens alike.
    fn of_any(error: &Error, peer: Option<&Peer>) -> Option<Self> {
        let is_imap = peer.is_some_and(|peer| matches!(peer.port, 993 | 143));
        let is_of_port = matches!(
            error,
            Error::Net(net::Error::Connect(_))
                | Error::Tls(tls::Error::NotTls | tls::Error::OnlyTls)
                | Error::Pop3(pop3::Error::Wire(_))
        );
        if peer.is_some_and(|peer| peer.connect_command.is_some()) && is_of_relay(error) {
            return Some(Self::ConnectCommand);
        }
        if is_imap && is_of_port {
            return Some(Self::ImapPort);
        }
        let is_relay = peer.is_some_and(|peer| peer.port == 25);
        if is_relay && matches!(error, Error::Net(net::Error::Connect(_))) {
            return Some(Self::RelayPort);
        }
        Some(match error {
            Error::Settings(settings::Error::Config(config::Error::Ownership(error)))
            | Error::Password(password::Error::Ownership(error))
            | Error::Tls(tls::Error::Ownership(error))
            | Error::Store(store::Error::Ownership(error))
            | Error::Outbox(outbox::Error::Store(store::Error::Ownership(error))) => match error {
                ownership::Error::Readable(_) => Self::SecretReadable,
                ownership::Error::Foreign { .. } => Self::Foreign,
                _ => return None,
            },
            // To a user who may not use it, it may well be there.
            Error::Service { error: HandInError::NoService(error), .. }
                if error.kind() != io::ErrorKind::PermissionDenied =>
            {
                Self::NoService
            }
            Error::Settings(settings::Error::NoFile { .. }) => Self::NoFile,
            Error::Settings(settings::Error::Config(config::Error::AccountExists { .. })) => {
                Self::AccountExists
            }
            Error::Settings(settings::Error::NoLogin { .. } | settings::Error::NoOAuth { .. }) => {
                Self::NoOAuth
            }
            Error::Settings(settings::Error::NoAlias(_)) => Self::NotAnAddress,
            Error::Settings(settings::Error::IncompleteClient { key: "client-id", .. }) => {
                Self::NoClientId
            }
            Error::Password(error) => match error {
                password::Error::Token(error) => return Self::of_token(error),
                password::Error::Nowhere => Self::NoPassword,
                password::Error::Run(..)
                | password::Error::Failed(..)
                | password::Error::Slow(_) => Self::PasswordCommandFailed,
                password::Error::Empty(_) => Self::PasswordEmpty,
                password::Error::Control(_) => Self::PasswordUnfit,
                _ => return None,
            },
            Error::Net(error) => match error {
                net::Error::NotFound(_) => Self::NoHost,
                net::Error::Lookup(_) => Self::NoLookup,
                net::Error::Connect(error) => match error.kind() {
                    io::ErrorKind::ConnectionRefused => Self::ConnectionRefused,
                    io::ErrorKind::TimedOut => Self::ConnectionTimedOut,
                    io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                        Self::Unreachable
                    }
                    _ => return None,
                },
                net::Error::Command(_) => Self::ConnectCommand,
                net::Error::NotLoopback(_) | net::Error::OtherUser { .. } => return None,
            },
            Error::Tls(error) => match error {
                tls::Error::Certificate { fault, .. } => match fault {
                    CertificateProblem::Expired => Self::Expired,
                    CertificateProblem::NotYetValid => Self::NotYetValid,
                    CertificateProblem::OtherName => Self::OtherName,
                    CertificateProblem::SelfSigned => Self::SelfSigned,
                    CertificateProblem::UnknownAuthority => Self::UnknownAuthority,
                    CertificateProblem::NotPinned => Self::NotPinned,
                    CertificateProblem::Version1 => Self::Version1,
                    CertificateProblem::WeakKey(_) => Self::WeakKey,
                    CertificateProblem::IssuerExpired(_) | CertificateProblem::Other(_) => {
                        Self::Chain
                    }
                },
                tls::Error::NotTls => Self::NotTls,
                tls::Error::OldTls => Self::OldTls,
                tls::Error::OnlyTls => Self::OnlyTls,
                tls::Error::NoClientCertificate => Self::NoClientCertificate,
                tls::Error::Stream(error) if error.kind() == io::ErrorKind::TimedOut => {
                    Self::TlsSilence
                }
                tls::Error::File { key: "ca-file", .. } => Self::CaFile,
                _ => return None,
            },
            Error::NothingFound { .. } => Self::NothingFound,
            Error::NotInTable { .. } => Self::NotInTable,
            Error::NoSuchDomain { .. } => Self::NoSuchDomain,
            Error::NotAccepted { .. } => Self::NotAccepted,
            Error::Pop3(error) => match error {
                pop3::Error::Wire(error) => return Self::of_wire(error, peer),
                pop3::Error::Sasl(error) => return Self::of_mechanisms(error, peer),
                pop3::Error::Login { refusal, .. } | pop3::Error::TurnedAway(refusal) => {
                    match (refusal.code, error) {
                        (Some(pop3::Code::SysPerm), _) => Self::LoginBarred,
                        (Some(pop3::Code::Auth), _) => Self::LoginRefused,
                        _ if refusal.is_temporary() => Self::LoginLater,
                        (None, pop3::Error::Login { .. }) => Self::LoginRefused,
                        _ => return None,
                    }
                }
                pop3::Error::Missing(pop3::Feature::Stls)
                | pop3::Error::Refused { command: "STLS", .. } => Self::TlsNotOffered,
                pop3::Error::Missing(pop3::Feature::Uidl) => Self::NoUniqueIds,
                _ => return None,
            },
            Error::Smtp(error) | Error::Oversized { error, .. } => match error {
                smtp::Error::Wire(error) => return Self::of_wire(error, peer),
                smtp::Error::Sasl(error) => return Self::of_mechanisms(error, peer),
                smtp::Error::Login { refusal, .. } if refusal.is_temporary() => Self::LoginLater,
                smtp::Error::Login { .. } => Self::LoginRefused,
                smtp::Error::Missing(smtp::Extension::Starttls)
                | smtp::Error::Refused { what: smtp::Subject::Starttls, .. } => Self::TlsNotOffered,
                smtp::Error::Missing(smtp::Extension::Auth) => Self::NoLogin,
                smtp::Error::TurnedAway(refusal) if refusal.is_temporary() => return None,
                smtp::Error::TurnedAway(_) => Self::ServerRefuses,
                smtp::Error::Refused { refusal, .. } if refusal.is_temporary() => return None,
                smtp::Error::Refused { what: smtp::Subject::Sender, .. } => Self::SenderRefused,
                smtp::Error::Refused { what: smtp::Subject::Recipient, .. } => {
                    Self::RecipientRefused
                }
                smtp::Error::Refused { .. } | smtp::Error::TooLarge { .. } => Self::MessageRefused,
                _ => return None,
            },
            Error::Store(store::Error::NoParent { .. }) => Self::NoMaildir,
            Error::Store(store::Error::Io { source, .. } | store::Error::Create { source, .. })
            | Error::Outbox(outbox::Error::Store(
                store::Error::Io { source, .. } | store::Error::Create { source, .. },
            )) if source.kind() == io::ErrorKind::NotADirectory => Self::NotDirectory,
            _ => return None,
        })
    }

    fn of_token(error: &token::Error) -> Option<Self> {
        Some(match error {
            token::Error::NoLogin { .. } => Self::NoLoginYet,
            token::Error::Changed { .. } | token::Error::Store(store::Error::Token(_)) => {
                Self::LoginChanged
            }
            token::Error::Expired { .. } => Self::LoginExpired,
            token::Error::Code { .. } => Self::CodeRefused,
            token::Error::Consent { .. } => Self::ConsentRefused,
            token::Error::Client { .. } => Self::ClientRefused,
            token::Error::NoEndpoint { .. } => Self::NoEndpoint,
            token::Error::Later { .. } | token::Error::Busy => Self::TokenLater,
            _ => return None,
        })
    }

    /// A list of mechanisms of which none will do, and some are for tokens.
    fn of_mechanisms(error: &sasl::Error, peer: Option<&Peer>) -> Option<Self> {
        let sasl::Error::NoMechanism { offered, .. } = error else { return None };
        let is_for_tokens = ["OAUTHBEARER", "XOAUTH2"].iter().any(|name| offered.contains(name));
        let has_token = peer.is_some_and(|peer| peer.source.is_token());
        (is_for_tokens && !has_token).then_some(Self::WantsToken)
    }

    /// A server that speaks TLS from the start waits for a client that does, too.
    fn of_wire(error: &wire::Error, peer: Option<&Peer>) -> Option<Self> {
        if let wire::Error::Malformed { phase: wire::Phase::Greeting, .. } = error {
            return Some(Self::OtherProtocol);
        }
        if let wire::Error::Stream { source, .. } = error
            && source.kind() == io::ErrorKind::PermissionDenied
        {
            return Some(Self::NoClientCertificate);
        }
        let is_silence = match error {
            wire::Error::Stream { phase: wire::Phase::Greeting, source } => {
                source.kind() == io::ErrorKind::TimedOut
            }
            wire::Error::Closed(phase) => *phase == wire::Phase::Greeting,
            _ => false,
        };
        let is_begun = peer?.tls == Tls::Implicit;
        let is_timeout = matches!(error, wire::Error::Stream { .. });
        match is_begun {
            false if is_silence => Some(Self::Silence),
            true if is_silence && is_timeout => Some(Self::TlsSilence),
            _ => None,
        }
    }
}

/// Whether a program that is the connection may be at fault: nothing of the server has come.
fn is_of_relay(error: &Error) -> bool {
    match error {
        Error::Tls(error) => matches!(error, tls::Error::Stream(_) | tls::Error::NotTls),
        Error::Pop3(pop3::Error::Wire(error)) | Error::Smtp(smtp::Error::Wire(error)) => {
            match error {
                wire::Error::Stream { phase, .. }
                | wire::Error::Closed(phase)
                | wire::Error::Malformed { phase, .. } => *phase == wire::Phase::Greeting,
                _ => false,
            }
        }
        _ => false,
    }
}

/// Shows the situation as the manual calls it.
impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFile => "There is no configuration file",
            Self::AccountExists => "The account exists already",
            Self::NoPassword => "There is no password and no terminal",
            Self::PasswordCommandFailed => "The password command fails",
            Self::PasswordEmpty => "The password is empty",
            Self::PasswordUnfit => "The password holds a control character",
            Self::NoLoginYet => "There is no OAuth 2.0 login",
            Self::LoginChanged => {
                "The OAuth 2.0 login is for another configuration, or its file is damaged"
            }
            Self::CodeRefused => "The code of an OAuth 2.0 login is refused",
            Self::LoginExpired => "The OAuth 2.0 login has expired",
            Self::ClientRefused => "The authorization server refuses the client",
            Self::ConsentRefused => "The authorization server refuses the user's login",
            Self::NoEndpoint => "No authorization server answers at a token endpoint",
            Self::TokenLater => "The authorization server is temporarily unavailable",
            Self::NoClientId => "A client has no `client-id`",
            Self::NoOAuth => "No account has `oauth`",
            Self::TokenRefused => "The login is refused, with a token",
            Self::WantsToken => "The server accepts no passwords",
            Self::SecretReadable => "Others may read a file with a secret",
            Self::Foreign => "A file or directory belongs to another user",
            Self::CaFile => "The file that `ca-file` names cannot be used",
            Self::ConnectCommand => "The program of `connect-command` fails",
            Self::NoHost => "The host name is not found",
            Self::NoLookup => "The host name cannot be looked up now",
            Self::ConnectionRefused => "The connection is refused",
            Self::ConnectionTimedOut => "The connection times out",
            Self::RelayPort => "Port 25 does not answer",
            Self::Unreachable => "The network or host is unreachable",
            Self::ImapPort => "The port is for IMAP",
            Self::OtherProtocol => "The server speaks another protocol",
            Self::NotTls => "The server does not speak TLS on this port",
            Self::OldTls => "The server speaks old versions of TLS only",
            Self::OnlyTls => "The server speaks TLS from the start on this port",
            Self::Silence => "The server sends no greeting without TLS",
            Self::TlsSilence => "The server does not answer on a port for TLS",
            Self::TlsNotOffered => "The server does not offer STLS or STARTTLS, or refuses it",
            Self::NotYetValid => "The certificate is not valid yet",
            Self::Expired => "The certificate has expired",
            Self::WeakKey => "The key of the certificate is too short",
            Self::Chain => "The chain of certificates is at fault",
            Self::NoClientCertificate => "The server requires a client certificate",
            Self::OtherName => "The certificate is for another name",
            Self::SelfSigned => "The certificate is self-signed",
            Self::UnknownAuthority => "The certificate's issuer is not trusted",
            Self::Version1 => "The certificate is of version 1",
            Self::NotPinned => "The certificate is not the pinned one",
            Self::LoginRefused => "The login is refused",
            Self::EachLoginRefused => "The login is refused by several mechanisms",
            Self::LoginBarred => "The login is refused by [SYS/PERM]",
            Self::LoginLater => "The login is refused temporarily",
            Self::NoLogin => "The server does not offer AUTH",
            Self::ServerRefuses => "The greeting of a submission server is a refusal",
            Self::SenderRefused => "The sender's address is refused",
            Self::RecipientRefused => "A recipient's address is refused",
            Self::MessageRefused => "The message is refused",
            Self::NoUniqueIds => "The server does not offer unique-ids (UIDL)",
            Self::NoMaildir => "The Maildir cannot be created",
            Self::NotDirectory => "The path of the Maildir is a file",
            Self::NotAnAddress => "A part of a list of addresses is no address",
            Self::NothingFound => "No servers are found for an address",
            Self::NotInTable => "A domain is not in the table of providers",
            Self::NoSuchDomain => "The domain of an address does not exist",
            Self::Unexplained => "A fetch or submission fails in another way",
            Self::NotAccepted => "Only an unsigned DNS answer names a server elsewhere",
            Self::NoService => "Nothing listens at the socket that `submit` names",
        })
    }
}
