//! Errors of the settings: no configuration, no account, or one that is incomplete for its job. Their
//! exit statuses are in `error`.

use std::path::{Path, PathBuf};

use super::{NotPermitted, SYSTEM};
use crate::config;
use crate::text::LocalName;

/// The reason why there is no job.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file is at fault.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// There is no file.
    #[error("no configuration: {}", nowhere(path))]
    NoFile {
        /// The configuration file that was looked for before the system's.
        path: PathBuf,
    },
    /// There is a file, and it was not read because of a fault that is reported elsewhere.
    #[error("no configuration: {} is wrong", path.display())]
    Unread {
        /// The configuration file.
        path: PathBuf,
    },
    /// There is a file, and no account in it would do.
    #[error("no account in {} has a `server` to {purpose} with", path.display())]
    NoAccount {
        /// `fetch`, `send` or `check`.
        purpose: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The account that was named does not exist.
    #[error("no account `{name}`{}", meant(.nearest.as_ref()))]
    UnknownAccount {
        /// The name that was given.
        name: String,
        /// The nearest existing name.
        nearest: Option<String>,
    },
    /// Two accounts would fetch from one maildrop, and lock each other out.
    #[error("accounts `{first}` and `{second}` have the same maildrop: remove one, or name one")]
    SameMaildrop {
        /// The first of them.
        first: String,
        /// The other.
        second: String,
    },
    /// Several accounts could send, and none is chosen.
    #[error("several accounts could send: name one with --account, or set `default`")]
    Ambiguous,
    /// An account logs in with a client that is not described.
    #[error("there is no [oauth.{name}]{}", meant(.nearest.as_ref()))]
    UnknownClient {
        /// The name that the account uses.
        name: String,
        /// The nearest existing name.
        nearest: Option<String>,
    },
    /// The description of an OAuth 2.0 client lacks a key.
    #[error("[oauth.{name}] has no `{key}`")]
    IncompleteClient {
        /// The client.
        name: String,
        /// The missing key.
        key: &'static str,
    },
    /// The tenant cannot stand in an address.
    #[error("[oauth.{name}]: `{tenant}` is no tenant: expected an id or a domain")]
    Tenant {
        /// The client.
        name: String,
        /// The value.
        tenant: String,
    },
    /// No account has a login by OAuth 2.0.
    #[error("no account in {} has `oauth`", path.display())]
    NoLogin {
        /// The file.
        path: PathBuf,
    },
    /// The account has no login by OAuth 2.0.
    #[error("account `{account}` logs in without OAuth 2.0: it has no `oauth`")]
    NoOAuth {
        /// The account.
        account: String,
    },
    /// An account lacks `server` or `user`.
    #[error("account `{account}` has no `{key}`")]
    Incomplete {
        /// The account.
        account: String,
        /// The key.
        key: &'static str,
    },
    /// A program as the connection, which nothing would encrypt.
    #[error(
        "account `{account}`: `connect-command` needs TLS: `tls = \"none\"` is for this machine"
    )]
    CommandWithoutTls {
        /// The account.
        account: String,
    },
    /// An ad-hoc account without a name to log in with.
    #[error("--server needs --user")]
    NoUser,
    /// A name to log in with, and several accounts that it might be for.
    #[error("--user needs --server, or one account by its name")]
    UserAlone,
    /// A port that says nothing about what is spoken there.
    #[error("port {0} could be POP3 or SMTP: use --fetch or --send")]
    NoSide(u16),
    /// The fallback of an account is no account.
    #[error("account `{account}`: no account `{fallback}` to fall back on{}", meant(.nearest.as_ref()))]
    UnknownFallback {
        /// The account.
        account: String,
        /// The name that its `fallback` gives.
        fallback: String,
        /// The nearest existing name.
        nearest: Option<String>,
    },
    /// The fallbacks of accounts lead back to one of them.
    #[error("account `{account}`: its fallback `{fallback}` leads back to itself")]
    FallbackCycle {
        /// The account.
        account: String,
        /// Its fallback.
        fallback: String,
    },
    /// The account has no server of its own to be asked.
    #[error("account `{account}` sends through the service at {}: check that as the user of the service", socket.display())]
    SendsByService {
        /// The account.
        account: String,
        /// The service's socket.
        socket: PathBuf,
    },
    /// The reverse-path is to be the account's own, and it has none.
    #[error("`envelope = \"own\"` needs an address in `from`, or a user name that is one")]
    NoOwnAddress,
    /// There is no sender's address.
    #[error("no sender's address: use --from, or set `from`")]
    NoSender,
    /// A recipient is a local name that `[aliases]` does not have.
    #[error("`{0}` has no domain and no entry in [aliases]")]
    NoAlias(LocalName),
    /// The account's rules forbid a message that waits.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// The name to log in with would end a command.
    #[error("`{0}` cannot be a user name: it holds a control character")]
    User(String),
    /// Neither the environment nor the system says where this user's files are.
    #[error("no home directory: set HOME to a directory that belongs to this user")]
    NoHome,
    /// A path names the directory of credentials, and systemd has made none.
    #[error("$CREDENTIALS_DIRECTORY is not set: only a service with LoadCredential= has it")]
    NoCredentials,
    /// A path names another variable.
    #[error("in `{0}`: only $CREDENTIALS_DIRECTORY is expanded in paths")]
    Variable(String),
    /// A path begins in the home directory of another user.
    #[error("in `{0}`: only ~ itself is expanded in paths, not ~USER: write the path out")]
    OtherHome(String),
    /// The system gives no random numbers.
    #[error("the system has no random numbers")]
    Random,
}

fn nowhere(path: &Path) -> String {
    match path.display() {
        path if path.to_string() == SYSTEM => format!("{path} does not exist"),
        path => format!("neither {path} nor {SYSTEM} exists"),
    }
}

pub(super) fn meant(nearest: Option<&String>) -> String {
    nearest.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}
