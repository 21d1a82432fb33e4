//! What to try when something went wrong: one table, of which the first row that fits is shown as
//! the hint. The manual prints it as TROUBLESHOOTING.
//!
//! To add a row, say when it holds, by which of the server's words it is known, and what to do about
//! it; before those that hold in more cases. What only one provider wants stands in `providers`.

mod check;
mod situation;

use self::check::CHECK;
pub use self::check::of_failure;
pub use self::situation::Situation;
use crate::error::Error;
use crate::password::Source;
use crate::pop3;
use crate::providers::Provider;
use crate::settings::{Peer, Side};
use crate::tls::{self, TrustAnchor};

/// A row of the table of hints: its words are the hint for errors in that situation whose text has one
/// of those parts.
#[derive(Debug)]
pub struct Advice {
    /// The situation.
    pub when: Situation,
    /// Parts of the error's text in lower case, one of which must occur; any text if empty.
    pub says: &'static [&'static str],
    /// The hint. `{pin}` stands for that of the server's certificate, [`PROVIDER`] for the text of
    /// its provider's row, `{service}`, `{implicit}` and `{starttls}` for POP3 or submission and its
    /// ports.
    pub words: &'static str,
}

/// All hints, the more specific first.
pub const TABLE: &[Advice] = &[
    on(Situation::NoFile, "run `postie setup ADDRESS --write`"),
    on(
        Situation::AccountExists,
        "rename the account in the file; or run this without --write (--save), and add the lines that \
         it prints under another name",
    ),
    on(
        Situation::NoPassword,
        "set `password-command` or `password-file` (--password-command, --password-file)",
    ),
    on(
        Situation::PasswordCommandFailed,
        "run the command by hand; cron gives it no terminal and few variables",
    ),
    on(
        Situation::PasswordEmpty,
        "only the first line is used: check the file or the command's output",
    ),
    on(Situation::PasswordUnfit, "enter it again on one line, without tabs"),
    on(
        Situation::NoLoginYet,
        "run `postie login {account}` once, with --device if this machine has no browser",
    ),
    on(Situation::LoginChanged, "run `postie login {account}` again"),
    says(
        Situation::LoginExpired,
        &["googleapis.com:"],
        "run `postie login {account}` again, and publish the client: in \"Testing\" a login ends \
         after 7 days",
    ),
    on(Situation::CodeRefused, "log in once more: a code is accepted once, and for a few minutes"),
    on(
        Situation::LoginExpired,
        "run `postie login {account}` again; a new password or 90 days without use can end a \
         login",
    ),
    says(
        Situation::ClientRefused,
        &["microsoftonline.com:"],
        "register the client as public, with the redirect http://localhost and permissions for \
         POP and SMTP; check `tenant`",
    ),
    on(
        Situation::ClientRefused,
        "compare `client-id`, `client-secret`, `scope` and `redirect` with the client's \
         registration",
    ),
    on(
        Situation::ConsentRefused,
        "if you did not refuse it yourself, ask your administrator to allow this client",
    ),
    on(
        Situation::NoEndpoint,
        "check `token` or `issuer` in [oauth.NAME]; a proxy may have answered instead",
    ),
    on(Situation::TokenLater, "try again later"),
    on(
        Situation::NoClientId,
        "register a client at the provider, or ask your organization for one; see postie-login(1)",
    ),
    on(
        Situation::NoOAuth,
        "set `oauth = \"NAME\"` in the account, and describe the client in [oauth.NAME]; see \
         postie-login(1)",
    ),
    on(
        Situation::TokenRefused,
        "the token must be for this `user`, with a `scope` for POP or SMTP; an administrator may \
         have disabled both",
    ),
    on(
        Situation::WantsToken,
        "this server accepts OAuth 2.0 tokens only: set `oauth`, see postie-login(1)",
    ),
    on(
        Situation::SecretReadable,
        "if all users may read it, as in a container: `password-command = [\"cat\", FILE]`",
    ),
    on(Situation::Foreign, "`chown` it to yourself or root"),
    on(Situation::CaFile, "name a file of PEM certificates, or leave `ca-file` out"),
    on(
        Situation::ConnectCommand,
        "run `connect-command` by hand: it must print nothing before the server's greeting",
    ),
    on(Situation::NoHost, "check the spelling of `server` (--server)"),
    on(Situation::NoLookup, "check the network connection, and try again in a minute"),
    on(Situation::RelayPort, "many networks block port 25: submit on port 465 or 587"),
    on(Situation::ConnectionRefused, "no server listens there: check `port` and `tls`"),
    on(Situation::ConnectionTimedOut, "a firewall may block the port: try another network"),
    on(Situation::Unreachable, "no route to the server: check the network connection"),
    on(
        Situation::ImapPort,
        "ports 993 and 143 are for IMAP; {service} uses {implicit} (TLS from the start) or {starttls} \
         (STARTTLS)",
    ),
    says(
        Situation::OtherProtocol,
        &["found `* ok", "found `* preauth", "found `* bye"],
        "this is an IMAP server; {service} uses port {implicit} or {starttls}",
    ),
    says(
        Situation::OtherProtocol,
        &["found `220"],
        "this is an SMTP server; POP3 uses port 995 or 110",
    ),
    says(
        Situation::OtherProtocol,
        &["found `+ok"],
        "this is a POP3 server; submission uses port 465 or 587",
    ),
    on(Situation::NotTls, "use `tls = \"starttls\"` (--tls starttls), usual on port {starttls}"),
    on(
        Situation::OldTls,
        "only the server's administrator can fix this; no setting allows older versions",
    ),
    on(Situation::OnlyTls, "use `tls = \"implicit\"` (--tls implicit), or leave it out"),
    on(
        Situation::Silence,
        "if the port expects TLS, like {implicit}, use `tls = \"implicit\"` (--tls implicit)",
    ),
    on(
        Situation::TlsSilence,
        "try again later, or from another network: a firewall or virus scanner may hold the \
         connection",
    ),
    on(
        Situation::TlsNotOffered,
        "if the server has port {implicit}, use `tls = \"implicit\"` (--tls implicit)",
    ),
    on(Situation::NotYetValid, "check this machine's clock"),
    on(
        Situation::Expired,
        "check this machine's clock; if it is right, tell the server's administrator",
    ),
    on(
        Situation::WeakKey,
        "only the server's administrator can fix this; `ca-file` and `pin` do not help",
    ),
    on(
        Situation::Chain,
        "only the server's administrator can fix this; if this is your own server: \
         `pin = \"{pin}\"`",
    ),
    on(Situation::NoClientCertificate, "set `client-cert` and `client-key`; see postie-config(5)"),
    on(Situation::OtherName, "set `server` to one of these names if it is your provider's"),
    on(
        Situation::SelfSigned,
        "if this is your own server: `pin = \"{pin}\"`, or `ca-file` (--ca-file)",
    ),
    on(
        Situation::UnknownAuthority,
        "if this is your own server: `ca-file` (--ca-file) or `pin = \"{pin}\"`; otherwise \
         someone may be intercepting the connection",
    ),
    on(
        Situation::Version1,
        "if this is your own server: `pin = \"{pin}\"`, or give it a certificate of version 3",
    ),
    on(Situation::NotPinned, "if the server has a new certificate: `pin = \"{pin}\"`"),
    says(
        Situation::LoginRefused,
        &["5.7.139", "5.7.30", "basic authentication is"],
        "Microsoft accepts no passwords here: use `oauth`; an administrator may have to enable \
         SMTP AUTH",
    ),
    says(
        Situation::LoginBarred,
        &["pop access"],
        "POP is disabled: enable it in the webmail settings (in Gmail: Forwarding and POP/IMAP)",
    ),
    says(
        Situation::LoginRefused,
        &["not enabled for pop", "pop is disabled", "pop3 is disabled", "enable pop"],
        "POP is disabled: enable it in the webmail settings",
    ),
    on(Situation::LoginRefused, PROVIDER),
    says(
        Situation::LoginRefused,
        &["application-specific password", "app password", "5.7.9"],
        "create an app password in the account's security settings",
    ),
    says(
        Situation::LoginRefused,
        &["starttls"],
        "the server requires TLS first: use `tls = \"starttls\"` (--tls starttls)",
    ),
    on(Situation::LoginRefused, "check user and password; many providers require an app password"),
    on(
        Situation::EachLoginRefused,
        "check user and password; if they are correct, set `auth`, e.g. to \"plain\"",
    ),
    on(
        Situation::LoginBarred,
        "check the account on the provider's web site, or ask the administrator",
    ),
    says(
        Situation::LoginLater,
        &["[in-use]"],
        "another session has locked the mailbox: close it or wait",
    ),
    says(
        Situation::LoginLater,
        &["[login-delay]"],
        "the server limits how often you may log in: fetch less often",
    ),
    on(Situation::LoginLater, "the server has a temporary problem: try again later"),
    on(Situation::NoLogin, "submit on port 465 or 587; port 25 is for mail between servers"),
    says(
        Situation::ServerRefuses,
        &["block", "reputation", "spamhaus", "dnsbl", "rbl", "black"],
        "this network's address is on a block list: try another network",
    ),
    on(Situation::ServerRefuses, "use port 465 or 587 of your provider's submission server"),
    says(
        Situation::SenderRefused,
        &["5.7.57"],
        "SMTP AUTH is off: an administrator of Microsoft 365 can enable it (Authenticated SMTP)",
    ),
    says(Situation::SenderRefused, &["5.4.5", "sending limit"], DAILY_LIMIT),
    says(
        Situation::SenderRefused,
        &["not verified"],
        "verify the sender's address or domain in the provider's console first",
    ),
    says(
        Situation::SenderRefused,
        &["authentication required", "530"],
        "use port 465 or 587 of your provider's submission server",
    ),
    says(
        Situation::SenderRefused,
        &["5.7.60", "not owned", "send as this sender", "does not belong"],
        NOT_OWN,
    ),
    says(
        Situation::SenderRefused,
        &["5.2.2", "quota"],
        "the account has reached a sending limit, or its mailbox is full",
    ),
    says(Situation::SenderRefused, &["550", "551", "553", "554"], NOT_OWN),
    says(
        Situation::RecipientRefused,
        &["sender address rejected", "not owned by", "5.7.60"],
        NOT_OWN,
    ),
    says(Situation::RecipientRefused, &["5.4.5", "sending limit"], DAILY_LIMIT),
    says(
        Situation::RecipientRefused,
        &["relay"],
        "the server does not relay for this account: check `server` and `user`",
    ),
    says(
        Situation::RecipientRefused,
        &["5.2.2", "quota", "mailbox is full", "mailbox full"],
        "the recipient's mailbox is full: try again later",
    ),
    says(
        Situation::RecipientRefused,
        &["5.1.1", "no such user", "user unknown"],
        "check the address for typing errors",
    ),
    says(
        Situation::MessageRefused,
        &["5.3.4", "too large", "exceeds", "accepts at most"],
        "send smaller attachments or a link; encoding makes them a third larger",
    ),
    says(
        Situation::MessageRefused,
        &["not verified"],
        "verify the sender in the console of Amazon SES; in its sandbox, the recipient too",
    ),
    says(
        Situation::MessageRefused,
        &["sendasdenied", "5.2.252", "from address", "not one of your addresses"],
        "use an address of this account as `from` (--from), or add this one at the provider's \
         web site",
    ),
    says(Situation::MessageRefused, &["5.4.5", "sending limit"], DAILY_LIMIT),
    says(
        Situation::MessageRefused,
        &["552-5.7.0", "552 5.7.0", "security issue"],
        "programs, scripts and encrypted archives are refused here: send a link",
    ),
    says(
        Situation::MessageRefused,
        &["spam", "unsolicited", "bulk"],
        "the server takes it for spam: check links, attachments and the sender's address",
    ),
    on(Situation::NotDirectory, "a Maildir is a directory: set another with `maildir` (--maildir)"),
    on(
        Situation::NotAnAddress,
        "write the whole address, or add it to [aliases]; a comma may stand for a dot, and one in \
         a name needs quotes",
    ),
    on(Situation::NoUniqueIds, "use `keep = \"none\"` (--keep none), which needs no unique-ids"),
    on(Situation::NoMaildir, "create the directory, or set another with `maildir` (--maildir)"),
    on(
        Situation::NothingFound,
        "ask your provider for its servers, and test them with `postie check --server`",
    ),
    on(Situation::NotInTable, "leave --offline out: what the domain publishes is then looked up"),
    on(Situation::NoSuchDomain, "check the address for typing errors"),
    on(Situation::NotAccepted, "if your provider names them, too, use --accept HOST for each"),
    on(
        Situation::NoService,
        "run `systemctl enable --now postie-submit.socket`; see postie-submit-server(1)",
    ),
    on(Situation::Unexplained, CHECK),
];

const NOT_OWN: &str = "use the account's own address as `from` (--from)";

const DAILY_LIMIT: &str = "the provider's daily limit is reached: try again tomorrow";

/// The placeholder of a hint that is the provider's own; such a row counts only for a known
/// provider.
pub const PROVIDER: &str = "{provider}";

const fn on(when: Situation, words: &'static str) -> Advice {
    Advice { when, says: &[], words }
}

const fn says(when: Situation, says: &'static [&'static str], words: &'static str) -> Advice {
    Advice { when, says, words }
}

/// Returns the words of a hint for one side of an account, or for both.
pub fn for_side(words: &str, side: Option<Side>) -> String {
    let (service, implicit, starttls) = match side {
        Some(Side::Fetch) => ("POP3", "995", "110"),
        Some(Side::Send) => ("submission", "465", "587"),
        None => ("the server", "995 (POP3) or 465 (submission)", "110 (POP3) or 587 (submission)"),
    };
    let words = words.replace("{service}", service).replace("{implicit}", implicit);
    words.replace("{starttls}", starttls)
}

/// Returns the hint for an error with a server; `None` if there is none.
pub fn hint(error: &Error, peer: Option<&Peer>) -> Option<String> {
    let facts = Facts::of(error, peer);
    let mut row = facts.row(Situation::of(error, peer)?)?;
    let several = matches!(error, Error::Pop3(pop3::Error::Login { mechanisms: 2.., .. }));
    // What is known of a provider or of its words says more.
    if several && row.words != PROVIDER && row.says.is_empty() {
        row = facts.row(Situation::EachLoginRefused).unwrap_or(row);
    }
    let account = peer.map_or("", |peer| match &peer.source {
        Source::Login { login, .. } => login.account.as_str(),
        _ => "",
    });
    let words = row.words.replace("{pin}", &facts.pin).replace("{account}", account);
    let words = for_side(&words, peer.map(|peer| peer.side));
    Some(words.replace(PROVIDER, &facts.provider))
}

/// What is known of an error and its server. What is not known is empty.
struct Facts {
    /// The error in lower case.
    text: String,
    /// The hint for the provider's refused logins.
    provider: String,
    /// The pin of the server's certificate, unless it is configured already.
    pin: String,
}

impl Facts {
    fn of(error: &Error, peer: Option<&Peer>) -> Self {
        let provider = peer.and_then(|peer| Provider::of_server(peer.host.as_str()));
        let own_pin = match peer.map(|peer| &peer.trust.anchor) {
            Some(TrustAnchor::Pin(own)) => Some(*own),
            _ => None,
        };
        let pin = match error {
            Error::Tls(tls::Error::Certificate { certificate: Some(certificate), .. })
                if own_pin != Some(certificate.pin) =>
            {
                certificate.pin.to_string()
            }
            _ => String::new(),
        };
        Self {
            text: error.to_string().to_ascii_lowercase(),
            provider: provider.and_then(Provider::refused_login).unwrap_or_default(),
            pin,
        }
    }

    /// Returns the first row for a situation; `None` if there is none.
    fn row(&self, when: Situation) -> Option<&'static Advice> {
        TABLE.iter().find(|row| row.when == when && self.fit(row))
    }

    /// Returns whether a row's words can be said, and its signs are in the error's text.
    fn fit(&self, row: &Advice) -> bool {
        let is_complete = (row.words != PROVIDER || !self.provider.is_empty())
            && (!row.words.contains("{pin}") || !self.pin.is_empty());
        let is_meant = row.says.is_empty() || row.says.iter().any(|sign| self.text.contains(sign));
        is_complete && is_meant
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Tls;
    use crate::oauth;
    use crate::pop3::Pop3;
    use crate::providers;
    use crate::smtp::Smtp;
    use crate::submit_frame::HandInError;
    use crate::tls::CertificateProblem;
    use crate::wire::{Grammar as _, Phase};
    use crate::{config, net, ownership, password, sasl, settings, smtp, store, token, wire};
    use std::io;

    const PIN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn certificate(fault: CertificateProblem) -> Error {
        let day = tls::Date { seconds: 0, day: "1970-01-01".to_owned() };
        let certificate = tls::Certificate {
            subject: "mail".to_owned(),
            issuer: "mail".to_owned(),
            names: Vec::new(),
            not_before: day.clone(),
            not_after: day,
            is_self_signed: true,
            rsa_bits: None,
            pin: PIN.parse().unwrap(),
        };
        tls::Error::Certificate { fault, certificate: Some(Box::new(certificate)) }.into()
    }

    /// An error of this kind in which a server says `words`.
    fn example(when: Situation, words: &str) -> Error {
        let kind = |kind: io::ErrorKind| Error::Net(net::Error::Connect(kind.into()));
        let mechanisms = if when == Situation::EachLoginRefused { 2 } else { 1 };
        let pop3 = |code: &str| {
            let line = format!("-ERR {}\r\n", format!("{code} {words}").trim());
            let (reply, _) = Pop3::parse(line.as_bytes()).unwrap().unwrap();
            let refusal = reply.accepted().unwrap_err();
            Error::Pop3(pop3::Error::Login { refusal, explanation: None, mechanisms })
        };
        let refused = |what| {
            let (reply, _) = Smtp::parse(format!("550 {words}\r\n").as_bytes()).unwrap().unwrap();
            Error::Smtp(smtp::Error::Refused { what, refusal: reply.into() })
        };
        let token = |error| password::Error::Token(error).into();
        let host = "auth.example".to_owned();
        let code = oauth::ErrorCode::Other(words.to_owned());
        let refusal = oauth::Refusal { code, description: String::new(), status: 400 };
        match when {
            Situation::NoFile => settings::Error::NoFile { path: "x".into() }.into(),
            Situation::AccountExists => {
                let (path, name) = ("x".into(), "y".to_owned());
                settings::Error::Config(config::Error::AccountExists { path, name }).into()
            }
            Situation::NoPassword => password::Error::Nowhere.into(),
            Situation::PasswordCommandFailed => {
                password::Error::Run("password", io::ErrorKind::NotFound.into()).into()
            }
            Situation::PasswordEmpty => password::Error::Empty("password").into(),
            Situation::PasswordUnfit => password::Error::Control("password").into(),
            Situation::NoLoginYet => token(token::Error::NoLogin { user: "ann".to_owned(), host }),
            Situation::LoginChanged => token(token::Error::Changed { host, what: "client-id" }),
            Situation::LoginExpired => token(token::Error::Expired { host, refusal, lost: None }),
            Situation::CodeRefused => token(token::Error::Code { host, refusal }),
            Situation::ClientRefused => token(token::Error::Client { host, refusal }),
            Situation::NoEndpoint => token(token::Error::NoEndpoint { url: host, status: 404 }),
            Situation::ConsentRefused => token(token::Error::Consent { host, refusal }),
            Situation::TokenLater => token(token::Error::Later { host, refusal }),
            Situation::NoClientId => {
                let (name, key) = ("microsoft".to_owned(), "client-id");
                settings::Error::IncompleteClient { name, key }.into()
            }
            Situation::WantsToken => {
                let (wanted, offered) = ("a password".to_owned(), "PLAINER XOAUTH2".to_owned());
                smtp::Error::Sasl(sasl::Error::NoMechanism { wanted, offered }).into()
            }
            Situation::SecretReadable => {
                password::Error::Ownership(ownership::Error::Readable("x".into())).into()
            }
            Situation::Foreign => {
                let (path, owner) = ("x".into(), "bob".to_owned());
                password::Error::Ownership(ownership::Error::Foreign { path, owner }).into()
            }
            Situation::CaFile => {
                let reason = "no such file".to_owned();
                tls::Error::File { key: "ca-file", path: "x".into(), reason }.into()
            }
            Situation::ConnectCommand => net::Error::Command(io::ErrorKind::NotFound.into()).into(),
            Situation::NoHost => net::Error::NotFound(io::ErrorKind::Other.into()).into(),
            Situation::NoLookup => net::Error::Lookup(io::ErrorKind::Other.into()).into(),
            Situation::ImapPort | Situation::ConnectionRefused => {
                kind(io::ErrorKind::ConnectionRefused)
            }
            Situation::ConnectionTimedOut | Situation::RelayPort => kind(io::ErrorKind::TimedOut),
            Situation::Unreachable => kind(io::ErrorKind::HostUnreachable),
            Situation::OtherProtocol => {
                let what = wire::Malformed(format!("expected another, {words}"));
                smtp::Error::Wire(wire::Error::Malformed { phase: Phase::Greeting, what }).into()
            }
            Situation::NotTls => tls::Error::NotTls.into(),
            Situation::OldTls => tls::Error::OldTls.into(),
            Situation::Version1 => certificate(CertificateProblem::Version1),
            Situation::OnlyTls => tls::Error::OnlyTls.into(),
            Situation::Silence => pop3::Error::Wire(wire::Error::Closed(Phase::Greeting)).into(),
            Situation::TlsSilence => tls::Error::Stream(io::ErrorKind::TimedOut.into()).into(),
            Situation::TlsNotOffered => smtp::Error::Missing(smtp::Extension::Starttls).into(),
            Situation::NotYetValid => certificate(CertificateProblem::NotYetValid),
            Situation::Expired => certificate(CertificateProblem::Expired),
            Situation::WeakKey => certificate(CertificateProblem::WeakKey(1024)),
            Situation::Chain => certificate(CertificateProblem::IssuerExpired(String::new())),
            Situation::NoClientCertificate => tls::Error::NoClientCertificate.into(),
            Situation::OtherName => certificate(CertificateProblem::OtherName),
            Situation::SelfSigned => certificate(CertificateProblem::SelfSigned),
            Situation::UnknownAuthority => certificate(CertificateProblem::UnknownAuthority),
            Situation::NotPinned => certificate(CertificateProblem::NotPinned),
            Situation::LoginRefused | Situation::TokenRefused => pop3("[AUTH]"),
            Situation::EachLoginRefused => pop3(""),
            Situation::LoginBarred => pop3("[SYS/PERM]"),
            Situation::LoginLater if words.starts_with('[') => pop3(""),
            Situation::LoginLater => pop3("[SYS/TEMP]"),
            Situation::NoLogin => smtp::Error::Missing(smtp::Extension::Auth).into(),
            Situation::ServerRefuses => {
                let greeting = format!("554 {words}\r\n");
                let (reply, _) = Smtp::parse(greeting.as_bytes()).unwrap().unwrap();
                smtp::Error::TurnedAway(reply.into()).into()
            }
            Situation::SenderRefused => refused(smtp::Subject::Sender),
            Situation::RecipientRefused => refused(smtp::Subject::Recipient),
            Situation::MessageRefused => refused(smtp::Subject::Message),
            Situation::NoUniqueIds => pop3::Error::Missing(pop3::Feature::Uidl).into(),
            Situation::NotDirectory => {
                let source = io::ErrorKind::NotADirectory.into();
                store::Error::Create { path: "x".into(), source }.into()
            }
            Situation::NotAnAddress => settings::Error::NoAlias("net".parse().unwrap()).into(),
            Situation::NothingFound => Error::NothingFound { domain: "x.example".to_owned() },
            Situation::NoSuchDomain => Error::NoSuchDomain { domain: "x.example".to_owned() },
            Situation::NoService => {
                let error = HandInError::NoService(io::ErrorKind::NotFound.into());
                Error::Service { socket: "x".into(), error }
            }
            Situation::NoOAuth => settings::Error::NoLogin { path: "x".into() }.into(),
            Situation::Unexplained => unreachable!("it is of no error"),
            Situation::NotInTable => Error::NotInTable { domain: "x.example".to_owned() },
            Situation::NotAccepted => Error::NotAccepted { hosts: "x.example".to_owned() },
            Situation::NoMaildir => {
                store::Error::NoParent { path: "x/y".into(), parent: "x".into() }.into()
            }
        }
    }

    pub(super) fn peer(host: &str) -> Peer {
        Peer {
            host: host.parse().unwrap(),
            port: 110,
            side: Side::Fetch,
            tls: Tls::Starttls,
            trust: tls::Trust::default(),
            source_address: None,
            connect_command: None,
            bounds: net::Bounds { per_wait: std::time::Duration::from_secs(1), in_all: None },
            pipelining: None,
            user: "ann".to_owned(),
            source: Source::Terminal,
            auth: None,
            detours: Vec::new(),
        }
    }

    /// Each row is given when it should be: it is true of its own example, and no row before it is.
    #[test]
    fn no_row_hides_another() {
        for row in TABLE {
            if row.words == PROVIDER || row.when == Situation::Unexplained {
                continue;
            }
            let words = if row.says.is_empty() { &["no"] } else { row.says };
            for words in words {
                let said = words.to_ascii_uppercase();
                let port = match row.when {
                    Situation::ImapPort => 993,
                    Situation::RelayPort => 25,
                    _ => 110,
                };
                let mut peer = Peer { port, ..peer("pop.mail.example") };
                if row.when == Situation::TokenRefused {
                    peer.source = Source::TokenCommand(config::CommandLine::shell("true"));
                }
                let said = hint(&example(row.when, &said), Some(&peer));
                let expected = row.words.replace("{pin}", PIN).replace("{account}", "");
                let expected = for_side(&expected, Some(Side::Fetch));
                assert_eq!(said.as_deref(), Some(expected.as_str()), "{:?} {words}", row.when);
            }
        }
    }

    #[test]
    fn a_refused_login_is_explained_by_what_the_provider_wants() {
        let mut explained = 0;
        for provider in providers::TABLE {
            let Some(expected) = provider.refused_login() else { continue };
            explained += 1;
            let endpoints = [provider.fetch, provider.send].into_iter().flatten();
            for host in
                endpoints.map(|endpoint| endpoint.host).chain(provider.servers.iter().copied())
            {
                // One operator's servers may serve several of its names.
                let known = Provider::of_server(host).unwrap();
                let refused = example(Situation::LoginRefused, "no");
                let said = hint(&refused, Some(&peer(host)));
                assert_eq!(said, known.refused_login(), "{host}");
                if known.name == provider.name {
                    assert_eq!(said, Some(expected.clone()), "{host}");
                }
            }
        }
        assert!(explained > 20);
    }

    #[test]
    fn rows_are_short_enough_for_a_line_and_their_signs_in_lower_case() {
        for row in TABLE {
            assert!(row.words.len() < 180, "{}", row.words);
            assert!(row.says.iter().all(|words| *words == words.to_ascii_lowercase()));
        }
    }

    #[test]
    fn a_provider_is_known_by_its_domain_and_not_by_what_looks_like_it() {
        let refused = example(Situation::LoginRefused, "no");
        let at = |host| hint(&refused, Some(&peer(host))).unwrap();
        assert!(at("POP.Gmail.com").starts_with("Gmail"));
        assert!(at("gmail.com").starts_with("Gmail"));
        assert!(at("notgmail.com").starts_with("check user"));
        assert!(at("gmail.com.example").starts_with("check user"));
        assert!(hint(&refused, None).unwrap().starts_with("check user"));
    }

    #[test]
    fn silence_means_tls_only_where_none_was_begun() {
        let silent = example(Situation::Silence, "");
        assert!(hint(&silent, Some(&peer("mail.example"))).is_some());
        let implicit = Peer { tls: Tls::Implicit, ..peer("mail.example") };
        assert_eq!(hint(&silent, Some(&implicit)), None, "it hung up");
        let source = io::ErrorKind::TimedOut.into();
        let silent = pop3::Error::Wire(wire::Error::Stream { phase: Phase::Greeting, source });
        let said = hint(&silent.into(), Some(&implicit)).unwrap();
        assert!(said.starts_with("try again later, or from another network"), "{said}");
    }

    #[test]
    fn a_service_that_this_user_may_not_use_is_not_to_be_started() {
        let advice = |kind: io::ErrorKind| {
            let error = HandInError::NoService(kind.into());
            hint(&Error::Service { socket: "x".into(), error }, None)
        };
        assert!(advice(io::ErrorKind::ConnectionRefused).is_some());
        assert_eq!(advice(io::ErrorKind::PermissionDenied), None);
    }

    #[test]
    fn a_hint_names_the_ports_of_its_own_side() {
        let said = |side, error: &Error| hint(error, Some(&Peer { side, ..peer("x") })).unwrap();
        let not_tls = Error::from(tls::Error::NotTls);
        assert!(said(Side::Fetch, &not_tls).ends_with("usual on port 110"));
        assert!(said(Side::Send, &not_tls).ends_with("usual on port 587"));
        for row in TABLE.iter().filter(|row| row.words.contains("{service}")) {
            let [fetch, send] = [Side::Fetch, Side::Send].map(|it| for_side(row.words, Some(it)));
            assert!(!fetch.contains("465") && !fetch.contains("587"), "{fetch}");
            assert!(!send.contains("995") && !send.contains("110"), "{send}");
        }
    }

    #[test]
    fn the_pin_is_ready_to_be_pasted() {
        let error = certificate(CertificateProblem::SelfSigned);
        assert!(hint(&error, None).unwrap().contains(&format!("`pin = \"{PIN}\"`")));
        // Nor is it proposed where it is configured.
        let pinned = TrustAnchor::Pin(PIN.parse().unwrap());
        let trust = tls::Trust { anchor: pinned, identity: None };
        assert_eq!(hint(&error, Some(&Peer { trust, ..peer("mail.example") })), None);
        // One that cannot be read has none.
        let fault = CertificateProblem::Other("it is damaged".to_owned());
        let damaged = tls::Error::Certificate { fault, certificate: None };
        assert_eq!(hint(&damaged.into(), None), None);
    }
}
