//! The keys of an account: the table in which each may stand, the form of its value, and its text in
//! postie-config(5). Those of `[oauth.NAME]` are beside its table. Reads nothing.

use std::fmt;

/// A table in which a key may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `[account.NAME]` or `[defaults]`.
    Account,
    /// `[account.NAME.fetch]`.
    Fetch,
    /// `[account.NAME.send]`.
    Send,
    /// `[oauth.NAME]`.
    OAuth,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "accounts",
            Self::Fetch => "fetching",
            Self::Send => "sending",
            Self::OAuth => "[oauth.NAME]",
        })
    }
}

/// A key, as the manual shows it.
#[derive(Debug)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// [`Place::Account`]: it may stand anywhere.
    pub place: Place,
    /// The form of a value.
    pub value: &'static str,
    /// The effect.
    pub text: &'static str,
}

impl Key {
    pub(super) fn may_stand_in(&self, place: Place) -> bool {
        match (self.place, place) {
            (Place::OAuth, other) | (other, Place::OAuth) => other == Place::OAuth,
            (own, place) => place == Place::Account || own == Place::Account || own == place,
        }
    }
}

/// Keys of which a table may have one.
pub(super) const EXCLUSIVE: &[&[&str]] = &[
    &["password", "password-command", "password-file", "token-command", "oauth"],
    &["client-secret", "client-secret-command"],
    &["issuer", "token"],
    &["trust", "ca-file", "pin"],
    &["maildir", "deliver-command"],
    &["server", "submit"],
];

/// Every key of an account.
pub const KEYS: &[Key] = &[
    Key {
        name: "server",
        place: Place::Account,
        value: "\"HOST\"",
        text: "The mail server's host name. Its certificate must be for this name. A port may \
               follow, as in \"HOST:PORT\".",
    },
    Key {
        name: "user",
        place: Place::Account,
        value: "\"NAME\"",
        text: "The login name, often the whole address.",
    },
    Key {
        name: "password-command",
        place: Place::Account,
        value: "\"LINE\" | [\"WORD\", ...]",
        text: "A command that prints the password on its first line: a line for sh, or a list of \
               words that is run without a shell.",
    },
    Key {
        name: "password-file",
        place: Place::Account,
        value: "\"FILE\"",
        text: "A file whose first line is the password.",
    },
    Key {
        name: "password",
        place: Place::Account,
        value: "\"TEXT\"",
        text: "The password itself. The configuration file is refused if others may read it. If \
               none of the three is set, the password is asked for at the terminal.",
    },
    Key {
        name: "token-command",
        place: Place::Account,
        value: "\"LINE\" | [\"WORD\", ...]",
        text: "A command that prints an OAuth 2.0 access token, in place of a password. It is run \
               once more if the server refuses the token.",
    },
    Key {
        name: "oauth",
        place: Place::Account,
        value: "\"NAME\"",
        text: "Log in with the tokens of the client that [oauth.NAME] describes, in place of a \
               password. See postie-login(1).",
    },
    Key {
        name: "auth",
        place: Place::Account,
        value: "\"MECHANISM\"",
        text: "The only login mechanism to use: oauthbearer, xoauth2, external, \
               scram-sha-256-plus, scram-sha-1-plus, scram-sha-256, scram-sha-1, plain, login, or \
               user (POP3's USER and PASS). [default: the strongest that the server offers, in \
               this order]",
    },
    Key {
        name: "tls",
        place: Place::Account,
        value: "\"implicit\" | \"starttls\" | \"none\"",
        text: "TLS from the start, or after STLS or STARTTLS, before which nothing is sent. \
               \"none\" is accepted for a server on a loopback address only. [default: implicit]",
    },
    Key {
        name: "port",
        place: Place::Account,
        value: "NUMBER",
        text: "The port. [default: 995 and 465 for implicit TLS, 110 and 587 for starttls and \
               none]",
    },
    Key {
        name: "trust",
        place: Place::Account,
        value: "\"webpki\" | \"system\"",
        text: "The certification authorities to trust: the browsers', which are built in, or this \
               machine's. [default: webpki]",
    },
    Key {
        name: "ca-file",
        place: Place::Account,
        value: "\"FILE\"",
        text: "A PEM file of certification authorities, trusted instead of the others.",
    },
    Key {
        name: "pin",
        place: Place::Account,
        value: "\"SHA-256\"",
        text: "The SHA-256 of the only certificate to trust, in hexadecimal digits, regardless of \
               its issuer and name. `openssl x509 -noout -fingerprint -sha256` prints it.",
    },
    Key {
        name: "client-cert",
        place: Place::Account,
        value: "\"FILE\"",
        text: "A PEM file with the certificate to show to the server. Without a password and a \
               token, it is also the login (EXTERNAL).",
    },
    Key {
        name: "client-key",
        place: Place::Account,
        value: "\"FILE\"",
        text: "A PEM file with its private key, not encrypted, of mode 0600. It may be the same \
               file.",
    },
    Key {
        name: "timeout",
        place: Place::Account,
        value: "\"TIME\"",
        text: "The longest wait for each step of the network, such as \"60s\" or \"2m\"; a number \
               alone is seconds. [default: 60s]",
    },
    Key {
        name: "max-time",
        place: Place::Account,
        value: "\"TIME\"",
        text: "The longest duration of one connection, such as \"10m\". [default: unlimited]",
    },
    Key {
        name: "pipelining",
        place: Place::Account,
        value: "true | false",
        text: "Send commands ahead of the server's replies where it announces PIPELINING. With \
               false, each command waits for the reply to the one before. [default: try it step \
               by step, and remember what works]",
    },
    Key {
        name: "source-address",
        place: Place::Account,
        value: "\"ADDRESS\"",
        text: "The address of this machine to connect from, such as \"192.0.2.1\" or \
               \"2001:db8::1\". Only addresses of the server of the same family are tried. \
               [default: the system's choice]",
    },
    Key {
        name: "connect-command",
        place: Place::Account,
        value: "[\"WORD\", ...]",
        text: "A program and its arguments, whose standard input and output are the connection, \
               as in [\"ssh\", \"-W\", \"%h:%p\", \"jump\"]; %h is replaced by the host, %p by \
               the port. TLS runs inside, and the certificate must be for `server`. The program \
               looks up the name itself, `source-address` is ignored, and `tls` may not be \
               \"none\". It ends with the connection.",
    },
    Key {
        name: "patience",
        place: Place::Fetch,
        value: "\"6h\"",
        text: "Away from a terminal, report temporary failures (status 75) and refused messages \
               only after they have lasted this long, then once per that time; with -v always. \
               The exit status does not change. [default: report each]",
    },
    Key {
        name: "maildir",
        place: Place::Fetch,
        value: "\"DIRECTORY\"",
        text: "The Maildir for fetched messages. It is created if its parent exists. [default: \
               ~/Maildir]",
    },
    Key {
        name: "keep",
        place: Place::Fetch,
        value: "\"forever\" | \"none\" | \"30d\"",
        text: "How long a delivered message stays on the server: forever, not at all, or a number \
               of days after it was fetched. [default: forever]",
    },
    Key {
        name: "deliver-command",
        place: Place::Fetch,
        value: "\"LINE\" | [\"WORD\", ...]",
        text: "A command that takes each message on its standard input, in place of a Maildir. \
               With exit status 0 the message counts as delivered; with any other it stays on the \
               server and is offered again. After an interruption, a message may be delivered \
               twice.",
    },
    Key {
        name: "after-fetch",
        place: Place::Fetch,
        value: "\"LINE\" | [\"WORD\", ...]",
        text: "A command to run once after a fetch that delivered new messages.",
    },
    Key {
        name: "max-size",
        place: Place::Fetch,
        value: "\"25M\"",
        text: "Leave larger messages on the server. k, M and G are 10^3, 10^6 and 10^9 octets. \
               [default: unlimited]",
    },
    Key {
        name: "limit",
        place: Place::Fetch,
        value: "NUMBER",
        text: "Fetch at most this number of messages in one run, oldest first. [default: \
               unlimited]",
    },
    Key {
        name: "from",
        place: Place::Send,
        value: "\"ADDRESS\" | \"NAME <ADDRESS>\" | \"*@DOMAIN\"",
        text: "The sender's address, optionally with a name for a From field that is added. With \
               an asterisk, any address of the domain may send, and --from or the message must \
               have one. [default: user, if it has an @]",
    },
    Key {
        name: "ehlo-name",
        place: Place::Send,
        value: "\"NAME\"",
        text: "The client's name in EHLO. [default: the domain of the sender's address]",
    },
    Key {
        name: "rewrite-from",
        place: Place::Send,
        value: "\"missing\" | \"local\" | \"always\"",
        text: "When `from` replaces the address in the From field: only if there is no such \
               field; also if the address is local, such as root, root@localhost or an address at \
               the machine's own name; or always. The name before the address is kept; with \
               \"local\", so are further authors whose addresses are not local. The same holds \
               for an address given with --from. [default: missing]",
    },
    Key {
        name: "chunking",
        place: Place::Send,
        value: "true | false",
        text: "Send a small message together with its envelope where the server offers CHUNKING \
               and PIPELINING, which saves a round trip. Set false for servers that fail at it. \
               [default: true]",
    },
    Key {
        name: "sent-maildir",
        place: Place::Send,
        value: "\"DIRECTORY\"",
        text: "A Maildir for a copy of each message that the server accepted, with its Bcc field. \
               It is created if its parent exists. If the copy cannot be kept, that is reported; \
               the exit status is that of the submission.",
    },
    Key {
        name: "log-file",
        place: Place::Account,
        value: "\"FILE\"",
        text: "A file to which a line is added for each attempt. A submission: time, account, \
               server, sender, recipients with their replies, size, Message-ID, the final reply \
               or error, and the exit status. A fetch: time, account, server, user, the number of \
               new messages and their octets, the numbers deleted, left on the server and missed, \
               the error, and the exit status. It is opened for each line, so it may be renamed \
               at any time. If it cannot be written, that is reported, and nothing else changes.",
    },
    Key {
        name: "queue",
        place: Place::Send,
        value: "true | false",
        text: "Keep a message that cannot be sent now in the outbox; see postie-queue(1). \
               [default: false; true under the name sendmail]",
    },
    Key {
        name: "fallback",
        place: Place::Send,
        value: "\"ACCOUNT\"",
        text: "The account to try for a message that would otherwise wait or fail temporarily, if \
               no server has accepted the message and none may have it. Its own fallback is not \
               tried. The message keeps its sender, unless the other account's rewrite-from \
               replaces it.",
    },
    Key {
        name: "submit",
        place: Place::Send,
        value: "\"SOCKET\"",
        text: "The socket of this machine's submission service, which sends in place of a server: \
               postie-submit-server(1). Needs no server, user or password here, and keeps nothing \
               here: `queue` is the service's.",
    },
    Key {
        name: "max-recipients",
        place: Place::Send,
        value: "NUMBER",
        text: "Refuse a message with more recipients (77). Aliases are resolved before they are \
               counted.",
    },
    Key {
        name: "recipients",
        place: Place::Send,
        value: "[\"ADDRESS\" | \"*@DOMAIN\", ...]",
        text: "Refuse a message with a recipient who is not one of these (77). Aliases are resolved \
               before: their addresses must be among these, too.",
    },
    Key {
        name: "envelope",
        place: Place::Send,
        value: "\"caller\" | \"own\"",
        text: "The reverse-path: the one that the caller gives [default], or always the account's \
               address.",
    },
    Key {
        name: "allow-users",
        place: Place::Send,
        value: "[\"NAME\" | NUMBER, ...]",
        text: "The users who may send with this account by postie submit-server. Others are refused \
               (77) unless `allow-groups` has a group of theirs. Without both, all users may. A \
               name that the password database does not have matches no user.",
    },
    Key {
        name: "allow-groups",
        place: Place::Send,
        value: "[\"NAME\" | NUMBER, ...]",
        text: "The same for groups: that of the calling process, and those that the password \
               database gives its user.",
    },
    Key {
        name: "max-per-hour",
        place: Place::Send,
        value: "NUMBER",
        text: "Refuse further messages of a user of postie submit-server who has sent this number \
               with this account within an hour (77), up to 10000.",
    },
];
