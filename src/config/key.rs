//! The keys of a table: where each may stand, and what it means.

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
        text: "The host that keeps the mail, and takes it. Its certificate must be for this name. \
               A port may follow, as in \"HOST:PORT\".",
    },
    Key {
        name: "user",
        place: Place::Account,
        value: "\"NAME\"",
        text: "The name to log in with; often the whole address.",
    },
    Key {
        name: "password-command",
        place: Place::Account,
        value: "\"LINE\" | [\"WORD\", ...]",
        text: "A command that prints the password, or prints it on its first line: a line for sh, \
               or a list of words that is run as it stands.",
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
        text: "The password itself. The configuration file is refused if others may read it. \
               Without any of the three, the password is asked for at the terminal.",
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
        text: "The one way to log in: oauthbearer, xoauth2, external, scram-sha-256-plus, \
               scram-sha-1-plus, scram-sha-256, scram-sha-1, plain, login, or user (POP3's USER \
               and PASS). Without it, the strongest that the server offers is used, in this order.",
    },
    Key {
        name: "tls",
        place: Place::Account,
        value: "\"implicit\" | \"starttls\" | \"none\"",
        text: "How the conversation becomes private: TLS from the start (the default), or after \
               STLS or STARTTLS, without which nothing is said. \"none\" is for a server on this \
               machine's loopback address and is refused for any other.",
    },
    Key {
        name: "port",
        place: Place::Account,
        value: "NUMBER",
        text: "If it is not the usual one: 995 and 465 for implicit TLS, 110 and 587 for STLS and \
               STARTTLS and for none.",
    },
    Key {
        name: "trust",
        place: Place::Account,
        value: "\"webpki\" | \"system\"",
        text: "Whose certification authorities to trust: the browsers', which are built in (the \
               default), or this machine's.",
    },
    Key {
        name: "ca-file",
        place: Place::Account,
        value: "\"FILE\"",
        text: "Certification authorities to trust instead of the usual ones, as PEM.",
    },
    Key {
        name: "pin",
        place: Place::Account,
        value: "\"SHA-256\"",
        text: "The one certificate to trust, by its SHA-256 in hexadecimal digits, whoever signed \
               it and whatever name it is for. `openssl x509 -noout -fingerprint -sha256` prints it.",
    },
    Key {
        name: "client-cert",
        place: Place::Account,
        value: "\"FILE\"",
        text: "A certificate to show to the server, as PEM. If there is no password and no token, \
               it is also what to log in with (EXTERNAL).",
    },
    Key {
        name: "client-key",
        place: Place::Account,
        value: "\"FILE\"",
        text: "Its private key, as PEM and not encrypted, in a file of mode 0600. It may be the \
               same file.",
    },
    Key {
        name: "timeout",
        place: Place::Account,
        value: "\"TIME\"",
        text: "How long to wait for each step of the network, such as \"60s\" or \"2m\"; a number alone is \
               seconds. [default: 60s]",
    },
    Key {
        name: "max-time",
        place: Place::Account,
        value: "\"TIME\"",
        text: "How long one connection may last in all, such as \"10m\"; not bounded if it is not given.",
    },
    Key {
        name: "pipelining",
        place: Place::Account,
        value: "true | false",
        text: "Whether commands are sent ahead of the server's replies where it announces \
               PIPELINING. If it is not given, this is tried step by step, and what works is \
               remembered. With false, each command waits for the reply to the one before.",
    },
    Key {
        name: "source-address",
        place: Place::Account,
        value: "\"ADDRESS\"",
        text: "The address of this machine to connect from, if not the one that the system chooses: \
               \"192.0.2.1\" or \"2001:db8::1\". Of the server's, only those of its kind are tried.",
    },
    Key {
        name: "connect-command",
        place: Place::Account,
        value: "[\"WORD\", ...]",
        text: "A program and its arguments, whose standard input and output are the connection, as \
               in [\"ssh\", \"-W\", \"%h:%p\", \"jump\"]; %h stands for the host, %p for the port. TLS \
               runs inside, and the certificate must be for `server`. The program looks up the name \
               itself, `source-address` does not count, and `tls` may not be \"none\". It ends with \
               the connection.",
    },
    Key {
        name: "patience",
        place: Place::Fetch,
        value: "\"6h\"",
        text: "Away from a terminal, say nothing of temporary failures (status 75) and of messages \
               that were refused until they have lasted this long, then once each time it has passed \
               again. The status stays.",
    },
    Key {
        name: "maildir",
        place: Place::Fetch,
        value: "\"DIRECTORY\"",
        text: "Where messages go; ~/Maildir if it is not given. It is created if its parent exists.",
    },
    Key {
        name: "keep",
        place: Place::Fetch,
        value: "\"forever\" | \"none\" | \"30d\"",
        text: "How long a delivered message stays on the server: forever [default], not at all, or \
               this number of days after it was fetched.",
    },
    Key {
        name: "deliver-command",
        place: Place::Fetch,
        value: "\"LINE\" | [\"WORD\", ...]",
        text: "A command that takes each message on its standard input, in place of a Maildir. \
               Exit status 0 says that it has it; with any other it stays on the server and comes \
               again. If this program is cut off in between, a message may come twice.",
    },
    Key {
        name: "after-fetch",
        place: Place::Fetch,
        value: "\"LINE\" | [\"WORD\", ...]",
        text: "A command to run once when something new has come.",
    },
    Key {
        name: "max-size",
        place: Place::Fetch,
        value: "\"25M\"",
        text: "Leave larger messages on the server. k, M and G are 10^3, 10^6 and 10^9 octets.",
    },
    Key {
        name: "limit",
        place: Place::Fetch,
        value: "NUMBER",
        text: "Fetch at most this number of messages in one run, oldest first.",
    },
    Key {
        name: "from",
        place: Place::Send,
        value: "\"ADDRESS\" | \"NAME <ADDRESS>\" | \"*@DOMAIN\"",
        text: "The sender's address, perhaps with the name for a From field that is added; the user \
               name if it is not given and has an @. With an \
               asterisk, any address with this domain may send, and --from or the message must \
               have one.",
    },
    Key {
        name: "ehlo-name",
        place: Place::Send,
        value: "\"NAME\"",
        text: "What this machine calls itself to the server; the domain of the sender's address if \
               it is not given.",
    },
    Key {
        name: "rewrite-from",
        place: Place::Send,
        value: "\"missing\" | \"local\" | \"always\"",
        text: "When `from` takes the place of the address in the From field: only if there is no \
               such field (the default); also if it means nothing beyond this machine, such as \
               root, root@localhost or an address at the machine's own name; or always. The name \
               before the address is kept. The same holds for an address given with --from.",
    },
    Key {
        name: "chunking",
        place: Place::Send,
        value: "true | false",
        text: "Whether a small message goes along with its envelope where the server offers \
               CHUNKING and PIPELINING, which saves a round trip (the default). For servers that \
               get it wrong.",
    },
    Key {
        name: "sent-maildir",
        place: Place::Send,
        value: "\"DIRECTORY\"",
        text: "A Maildir for a copy of each message that the server accepted, as it was sent and \
               with its Bcc field. It is created if its parent exists. A copy that cannot be kept \
               is complained about; the message was sent all the same, and the status says so.",
    },
    Key {
        name: "log-file",
        place: Place::Account,
        value: "\"FILE\"",
        text: "A file to which a line is added for each attempt. To send: when, with which account, \
               to which server, who sent, to whom with which reply, size, Message-ID, the server's \
               last words or the error, and the exit status. To fetch: when, account, server, user, \
               how many messages are new and their octets, how many were deleted, how many stay on \
               the server and how many were missed, the error, and the exit status. It is opened anew \
               for each line, so it may be renamed at any time. If it cannot be written, that is \
               reported, and changes nothing.",
    },
    Key {
        name: "queue",
        place: Place::Send,
        value: "true | false",
        text: "Whether a message that cannot be sent now waits in the outbox; see postie-queue(1). \
               The default is false (then it is for the caller to try again), and true under the \
               name sendmail.",
    },
    Key {
        name: "fallback",
        place: Place::Send,
        value: "\"ACCOUNT\"",
        text: "The account to send a message with that would otherwise wait, or fail for now: if this \
               one has no network, no login or no server that takes the message, and certainly \
               nobody has it yet. Its own fallback is not tried. The message keeps its sender, unless \
               the other account's rewrite-from replaces it.",
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
