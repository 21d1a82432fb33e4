//! Command line, configuration file and environment become jobs, in which nothing is optional
//! that is required. Precedence: command line, side table, account, defaults. The clock, the
//! name of this machine and its source of randomness are read here, once per run.

mod login;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::cli::{self, InvokedAs};
use crate::config::{
    self, CommandLine, File, Keep, RewriteFrom, Sender, Server, Size, Span, Table, Tls, TrustStore,
};
use crate::net::Bounds;
use crate::ownership;
use crate::password::Source;
use crate::run_id::RunId;
use crate::sasl::Mechanism;
use crate::store::disk::Os;
use crate::store::outbox::Outbox;
use crate::store::{self, Destination};
use crate::text::{
    Address, Addressee, Detour, Domain, EhloName, LocalName, Mailbox, ReversePath, percent_encoded,
    shown,
};
use crate::tls::{Identity, Trust, TrustAnchor};
use crate::token::Renewals;

/// The reason why there is no job.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file is at fault.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// There is no file.
    #[error("no account to {purpose} with: write {}, or use --server and --user", path.display())]
    NoFile {
        /// `fetch` or `send`.
        purpose: &'static str,
        /// The configuration file that was looked for.
        path: PathBuf,
    },
    /// There is a file, and no account in it would do.
    #[error("no account in {} has a `server` to {purpose} with", path.display())]
    NoAccount {
        /// `fetch` or `send`.
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
    /// There is no sender's address.
    #[error("no sender's address: use --from, or set `from`")]
    NoSender,
    /// A recipient is a local name that `[aliases]` does not have.
    #[error("`{0}` has no domain and no entry in [aliases]")]
    NoAlias(LocalName),
    /// The name to log in with would end a command.
    #[error("`{0}` cannot be a user name: it holds a control character")]
    User(String),
    /// Neither the environment nor the system says where this user's files are.
    #[error("no home directory for this user: set HOME")]
    NoHome,
    /// A path names the directory of credentials, and systemd has made none.
    #[error("$CREDENTIALS_DIRECTORY is not set: only a service with LoadCredential= has it")]
    NoCredentials,
    /// A path names another variable.
    #[error("in `{0}`: only $CREDENTIALS_DIRECTORY is expanded in paths")]
    Variable(String),
    /// The system gives no random numbers.
    #[error("the system has no random numbers")]
    Random,
}

fn meant(nearest: Option<&String>) -> String {
    nearest.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// The directories of this user. One that the environment names counts if it is absolute and
/// belongs to the user (if it does not exist: its nearest existing ancestor), since the environment
/// may be that of another user, as under `sudo` and `su`.
struct Directories {
    home: PathBuf,
    /// `postie/` in `XDG_CONFIG_HOME`, else in `~/.config`.
    config: PathBuf,
    /// `postie/` in `XDG_STATE_HOME`, else in `~/.local/state`.
    state: PathBuf,
    /// The same for a run with another environment: in the home directory that this one names, and
    /// in the one of the password database.
    other_states: Vec<PathBuf>,
}

impl Directories {
    fn from_environment() -> Result<Self, Error> {
        let home = || {
            let named = variable("HOME").filter(|home| home != Path::new("/"));
            named.filter(|home| ownership::is_ours(home)).or_else(ownership::home)
        };
        let home = home().ok_or(Error::NoHome)?;
        let named = |name| variable(name).map(|dir| dir.join("postie"));
        // What is only read may be root's.
        let config = named("XDG_CONFIG_HOME").filter(|dir| ownership::is_ours_or_roots(dir));
        let state = named("XDG_STATE_HOME").filter(|dir| ownership::is_ours(dir));
        let below = |home: &Path| home.join(".local/state/postie");
        let state = state.unwrap_or_else(|| below(&home));
        let mut other_states = Vec::new();
        for home in [Some(home.clone()), ownership::home()].into_iter().flatten() {
            let other = below(&home);
            if other != state && !other_states.contains(&other) && ownership::is_ours(&other) {
                other_states.push(other);
            }
        }
        let config = config.unwrap_or_else(|| home.join(".config/postie"));
        Ok(Self { home, config, state, other_states })
    }
}

/// The paths of a user's own files, and of the running program.
#[derive(Debug)]
pub struct UserPlaces {
    /// The home directory.
    pub home: PathBuf,
    /// `XDG_DATA_HOME`, else `~/.local/share`.
    pub data: PathBuf,
    /// The program, by its absolute path if that is known.
    pub program: PathBuf,
}

impl UserPlaces {
    /// Determines the paths from the environment, else from the password database.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no home directory.
    pub fn from_environment() -> Result<Self, Error> {
        let home = Directories::from_environment()?.home;
        let data = variable("XDG_DATA_HOME").filter(|dir| ownership::is_ours(dir));
        let data = data.unwrap_or_else(|| home.join(".local/share"));
        // Without /proc it is found by its name.
        let program = std::env::current_exe().unwrap_or_else(|_| "postie".into());
        Ok(Self { home, data, program })
    }
}

/// Returns whether this run is root's.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// An absolute path in the environment.
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The merged configuration: file, environment and global options. Built once per process by
/// [`Settings::load`].
#[derive(Debug)]
pub struct Settings {
    file: Option<File>,
    /// The configuration file, whether it exists or not.
    path: PathBuf,
    home: PathBuf,
    state: PathBuf,
    /// Further directories in which an outbox of this user's may be.
    other_states: Vec<PathBuf>,
    /// The configuration file of this user, even if another one is in force.
    own: PathBuf,
    timeout: Option<u32>,
    invoked_as: InvokedAs,
    detours: Vec<Detour>,
    /// The text of a configuration that is in no file yet.
    unsaved: Option<String>,
    run_id: RunId,
    renewals: Renewals,
}

/// The other end of a conversation.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The server's name, which its certificate must have.
    pub host: Domain,
    /// The port.
    pub port: u16,
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
    /// The host and port that connections go to: the server's own but in tests.
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
    /// The run's identity.
    pub run_id: RunId,
}

impl SendJob {
    /// Returns whether a From field with this author is replaced; `None` is a field without an
    /// address.
    pub fn rewrites(&self, author: Option<&Address>) -> bool {
        let is_local = || author.is_none_or(|author| author.is_local(&self.run_id.host));
        self.rewrite_from.applies(is_local)
    }
}

impl Settings {
    /// Reads the environment, and the configuration file if there is one. `--config` must name
    /// one; `one_off` says that none is needed.
    ///
    /// # Errors
    ///
    /// Returns an error if the configuration file is missing where it is needed, or wrong.
    pub fn load(global: &cli::Global, one_off: &cli::OneOff) -> Result<Self, Error> {
        let bare = Self::without_file(global)?;
        let (path, is_needed) = match &global.config {
            Some(path) => (path.clone(), true),
            None => (bare.path.clone(), bare.path.exists()),
        };
        let read = || match global.invoked_as {
            InvokedAs::Sendmail if global.config.is_some() => File::read_of_root(&path),
            _ => File::read(&path),
        };
        let file = (is_needed && one_off.server.is_none()).then(read).transpose()?;
        Ok(Self { file, path, ..bare })
    }

    /// The same without what the configuration file says, for what has to be done although it cannot
    /// be read.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no home directory or no source of random numbers.
    pub fn without_file(global: &cli::Global) -> Result<Self, Error> {
        let directories = Directories::from_environment()?;
        let Directories { home, config, state, other_states } = directories;
        let own = config.join("config.toml");
        let system = Path::new("/etc/postie/config.toml");
        let usual = if !own.exists() && system.exists() { system.to_owned() } else { own.clone() };
        let own = global.config.clone().unwrap_or(own);
        let path = global.config.clone().unwrap_or(usual);
        let (timeout, invoked_as) = (global.timeout, global.invoked_as);
        let run_id = RunId::now().ok_or(Error::Random)?;
        let detours = Vec::new();
        let renewals = Renewals::default();
        Ok(Self {
            file: None,
            path,
            home,
            state,
            other_states,
            own,
            timeout,
            invoked_as,
            detours,
            unsaved: None,
            run_id,
            renewals,
        })
    }

    /// Returns whether there is an account of this name.
    pub fn has_account(&self, name: &str) -> bool {
        self.file.as_ref().is_some_and(|file| file.account.contains_key(name))
    }

    /// The names of all accounts, sorted.
    pub fn account_names(&self) -> impl Iterator<Item = &str> {
        self.file.iter().flat_map(|file| file.account.keys().map(String::as_str))
    }

    /// The same for a configuration that is in no file yet, with connections that go elsewhere.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is no configuration.
    pub fn of_text(&self, text: &str, detours: Vec<Detour>) -> Result<Self, Error> {
        Ok(Self {
            file: Some(File::of_text(text, &self.own)?),
            path: self.own.clone(),
            home: self.home.clone(),
            state: self.state.clone(),
            other_states: self.other_states.clone(),
            own: self.own.clone(),
            timeout: self.timeout,
            invoked_as: self.invoked_as,
            detours,
            unsaved: Some(text.to_owned()),
            run_id: self.run_id.clone(),
            renewals: self.renewals.clone(),
        })
    }

    /// The same with this configuration, wherever it comes from.
    #[must_use]
    pub fn with(&self, file: File) -> Self {
        Self {
            file: Some(file),
            path: self.path.clone(),
            home: self.home.clone(),
            state: self.state.clone(),
            other_states: self.other_states.clone(),
            own: self.own.clone(),
            timeout: self.timeout,
            invoked_as: self.invoked_as,
            detours: self.detours.clone(),
            unsaved: None,
            run_id: self.run_id.clone(),
            renewals: self.renewals.clone(),
        }
    }

    /// The mailboxes to fetch: those that were named, or all.
    ///
    /// # Errors
    ///
    /// Returns an error if an account is unknown or incomplete, or two are one maildrop.
    pub fn fetch_jobs(&self, args: &cli::Fetch) -> Result<Vec<FetchJob>, Error> {
        let top = Table {
            maildir: args.maildir.clone(),
            keep: args.keep,
            max_size: args.max_size,
            limit: args.limit,
            ..self.command_line_table(&args.one_off)
        };
        if top.server.is_some() {
            return Ok(vec![self.fetch_job(None, top, args)?]);
        }
        if args.one_off.user.is_some() && args.accounts.len() != 1 {
            return Err(Error::UserAlone);
        }
        let accounts: Vec<_> = if args.accounts.is_empty() {
            let all = self.file.iter().flat_map(|file| file.account.keys());
            let has_server = |name: &&String| {
                self.account(name, Side::Fetch).is_ok_and(|table| table.server.is_some())
            };
            all.filter(has_server).cloned().collect()
        } else {
            args.accounts.clone()
        };
        if accounts.is_empty() {
            return Err(self.no_account(Side::Fetch));
        }
        let job = |name: String| {
            let table = self.account(&name, Side::Fetch)?;
            self.fetch_job(Some(name), top.clone().over(table), args)
        };
        let jobs = accounts.into_iter().map(job).collect::<Result<Vec<_>, _>>()?;
        let mut maildrops = HashMap::new();
        for job in &jobs {
            let name = job.account.clone().unwrap_or_default();
            if let Some(first) = maildrops.insert(&job.state, name.clone())
                && first != name
            {
                return Err(Error::SameMaildrop { first, second: name });
            }
        }
        Ok(jobs)
    }

    fn fetch_job(
        &self,
        account: Option<String>,
        mut table: Table,
        args: &cli::Fetch,
    ) -> Result<FetchJob, Error> {
        let destination = match (&table.maildir, &table.deliver_command) {
            (None, Some(program)) => Destination::Program(program.words().to_vec()),
            (maildir, _) => {
                let maildir = match maildir {
                    // What is typed is meant from where it is typed, what is configured from home.
                    Some(path) if account.is_none() => path.clone(),
                    Some(path) => self.path(path)?,
                    None => self.home.join("Maildir"),
                };
                // The journal outlives this run's working directory.
                Destination::Maildir(std::path::absolute(&maildir).unwrap_or(maildir))
            }
        };
        let (after_fetch, keep) = (table.after_fetch.take(), table.keep.unwrap_or_default());
        let (max_size, patience) = (table.max_size, table.patience);
        let limit = table.limit.and_then(|limit| usize::try_from(limit).ok());
        let log_file = table.log_file.as_ref().map(|path| self.path(path)).transpose()?;
        let peer = self.peer(account.as_deref(), table, Side::Fetch.default_ports())?;
        let mut mailbox = format!(
            "{}@{}",
            percent_encoded(peer.user.as_bytes()),
            percent_encoded(peer.host.as_str().as_bytes())
        );
        // Two tunnels to two servers are two mailboxes, whose unique-ids may be alike.
        if ![995, 110].contains(&peer.port) {
            mailbox = format!("{mailbox}+{}", peer.port);
        }
        let state = self.state.join("fetch").join(store::state_name(&mailbox).as_ref());
        let host = percent_encoded(peer.host.as_str().as_bytes());
        let server = self.state.join("server").join(format!("{host}+{}", peer.port));
        let run_id = self.run_id.clone();
        Ok(FetchJob {
            account,
            peer,
            destination,
            after_fetch,
            keep,
            max_size,
            limit,
            all: args.all,
            repeat: args.repeat,
            dry_run: args.dry_run,
            note_only: args.note_only,
            patience,
            log_file,
            mailbox,
            state,
            server,
            run_id,
        })
    }

    /// Returns the checks of the named accounts, or of all: of each the sides that were asked for,
    /// or those that have a server. A side that is incomplete comes as its error.
    pub fn checks(&self, args: &cli::Check) -> Result<Vec<Check>, Error> {
        let wanted: &[Side] = match (args.fetch, args.send) {
            (true, false) => &[Side::Fetch],
            (false, true) => &[Side::Send],
            _ => &[Side::Fetch, Side::Send],
        };
        if let Some(server) = &args.one_off.server {
            // A host may well be both; a port is one side's.
            let sides = match (server.port, wanted) {
                (Some(port), [_, _]) => {
                    let side = wanted.iter().find(|side| side.default_ports().has(port));
                    vec![*side.ok_or(Error::NoSide(port))?]
                }
                _ => wanted.to_vec(),
            };
            let check = |side| Check { account: None, side, job: self.job(None, side, args) };
            return Ok(sides.into_iter().map(check).collect());
        }
        if args.one_off.user.is_some() && args.accounts.len() != 1 {
            return Err(Error::UserAlone);
        }
        let file = self.file.as_ref().ok_or_else(|| self.nothing_to("check"))?;
        let names: Vec<_> = match args.accounts.as_slice() {
            [] => file.account.keys().cloned().collect(),
            named => named.to_vec(),
        };
        let mut checks = Vec::new();
        for name in names {
            let mut sides = Vec::new();
            for &side in wanted {
                if self.account(&name, side)?.server.is_some() {
                    sides.push(side);
                }
            }
            let sides = if sides.is_empty() { wanted } else { &sides };
            checks.extend(sides.iter().map(|&side| Check {
                account: Some(name.clone()),
                side,
                job: self.job(Some(&name), side, args),
            }));
        }
        if checks.is_empty() { Err(self.nothing_to("check")) } else { Ok(checks) }
    }

    /// Returns the configuration that makes a working ad-hoc account permanent; `None` for
    /// configured accounts.
    pub fn permanent(&self, args: &cli::Check, checks: &[Check]) -> Option<String> {
        let cli::OneOff { server, user, tls, password_file, password_command, ca_file } =
            &args.one_off;
        let path = |path: &PathBuf| {
            std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string()
        };
        if self.unsaved.is_some() {
            return self.unsaved.clone();
        }
        let password = match (password_file, password_command) {
            (Some(file), _) => Some(("password-file", path(file))),
            (_, Some(line)) => Some(("password-command", line.clone())),
            (None, None) => None,
        };
        let server = Some(("server", server.as_ref()?.to_string()));
        let from = args.from.as_ref().map(|from| ("from", from.to_string()));
        // Two sides share a server; one has it for itself, since the other's is elsewhere.
        let (shared, side, own) = match checks {
            [only] => (None, only.side, vec![server, from]),
            _ => (server, Side::Send, vec![from]),
        };
        let needs_from =
            args.from.is_none() && user.as_ref().is_some_and(|user| !user.contains('@'));
        let keys = [
            shared,
            user.clone().map(|user| ("user", user)),
            tls.map(|tls| ("tls", tls.name().to_owned())),
            ca_file.as_ref().map(|file| ("ca-file", path(file))),
            password,
        ];
        let mut block = "[account.home]\n".to_owned();
        for (key, value) in keys.into_iter().flatten() {
            block += &format!("{key} = {}\n", config::quoted(&value));
        }
        if password_file.is_none() && password_command.is_none() {
            block += "# password-command = \"...\"    # prints the password; without it, you are asked for it\n";
        }
        let mut head = format!("\n[account.home.{}]\n", side.purpose());
        for (key, value) in own.into_iter().flatten() {
            block += &std::mem::take(&mut head);
            block += &format!("{key} = {}\n", config::quoted(&value));
        }
        if needs_from && checks.iter().any(|check| check.side == Side::Send) {
            block += &std::mem::take(&mut head);
            block +=
                "# from = \"...\"                # your address, which messages are sent from\n";
        }
        Some(block)
    }

    /// Returns the job of one side of an account in a check.
    ///
    /// # Errors
    ///
    /// Returns an error if the account is unknown or incomplete.
    pub fn checked_job(&self, account: &str, side: Side) -> Result<Job, Error> {
        let args = cli::Check::default();
        self.job(Some(account), side, &args)
    }

    fn job(&self, account: Option<&str>, side: Side, args: &cli::Check) -> Result<Job, Error> {
        let (account, one_off) = (account.map(str::to_owned), args.one_off.clone());
        Ok(match side {
            Side::Fetch => {
                let accounts = account.into_iter().collect();
                let args = cli::Fetch { accounts, one_off, ..cli::Fetch::default() };
                let mut jobs = self.fetch_jobs(&args)?;
                Job::Fetch(Box::new(jobs.pop().ok_or_else(|| self.nothing_to("check"))?))
            }
            Side::Send => {
                // To log in needs no address, nor does it matter which; only to probe one does.
                let domain = match &account {
                    _ if args.probe_sender => None,
                    None => one_off.server.as_ref().map(|server| server.host.to_string()),
                    Some(name) => match self.account(name, side)?.from {
                        Some(Sender::Anybody(own)) => Some(own.domain().to_owned()),
                        _ => None,
                    },
                };
                let author = domain.and_then(|domain| format!("nobody@{domain}").parse().ok());
                let from = args.from.clone().map(|from| ReversePath::from(from).into());
                let args = cli::Send { account, from, one_off, ..cli::Send::default() };
                Job::Send(Box::new(self.send_job(&args, author.as_slice())?))
            }
        })
    }

    /// The account that a message is sent with: the one that was named, else the one that has the
    /// sender's address, else the one that has one of the authors', else the default, else the only
    /// one. `authors` are those whom the message names, the one that counts most first.
    ///
    /// # Errors
    ///
    /// Returns an error if no account, or more than one, is meant, or it is incomplete.
    pub fn send_job(&self, args: &cli::Send, authors: &[Mailbox]) -> Result<SendJob, Error> {
        let typed = args.from.as_ref().and_then(|from| from.path.mailbox());
        let typed_name = args.from.as_ref().and_then(|from| from.name.clone());
        let from = typed
            .cloned()
            .map(|address| Sender::Mailbox(Addressee { name: typed_name.clone(), address }));
        let mut top = Table { from, ..self.command_line_table(&args.one_off) };
        let mut configured = None;
        let (account, table) = if top.server.is_some() {
            (None, top)
        } else {
            if args.one_off.user.is_some() && args.account.is_none() {
                return Err(Error::UserAlone);
            }
            let name = match &args.account {
                Some(name) => name.clone(),
                None => self.sending_account(typed.into_iter().chain(authors))?,
            };
            let table = self.account(&name, Side::Send)?;
            if let Some(Sender::Mailbox(own)) = &table.from {
                configured = Some(own.clone());
            }
            let rewrite = table.rewrite_from.unwrap_or_default();
            let host = &self.run_id.host;
            let gives_way = |from: &Mailbox| rewrite.applies(|| from.is_local(host));
            top.from = top.from.filter(|_| !typed.is_some_and(gives_way));
            (Some(name), top.over(table))
        };
        let is_null = args.from.as_ref().is_some_and(|from| from.path == ReversePath::Null);
        let from = match sender(&table) {
            Some(Sender::Mailbox(Addressee { address, .. })) => Some(address),
            Some(anybody) => {
                let own = authors.iter().find(|author| anybody.likeness(author).is_some());
                own.or_else(|| authors.first().filter(|_| is_null)).cloned()
            }
            None => authors.first().filter(|_| account.is_none() || is_null).cloned(),
        };
        let from = from.ok_or(Error::NoSender)?;
        let reverse_path = if is_null { ReversePath::Null } else { from.clone().into() };
        let own = configured.filter(|own| own.address == from).and_then(|own| own.name);
        let name = typed_name.filter(|_| typed == Some(&from)).or(own);
        let job = self.sending(account, table, from, reverse_path)?;
        // What was typed of the account is not known later.
        let queue = (job.queue || args.queue) && !args.one_off.is_given();
        Ok(SendJob { name, queue, ..job })
    }

    /// The same for a message that was accepted from this sender before.
    ///
    /// # Errors
    ///
    /// Returns an error if the account no longer exists or is incomplete.
    pub fn queued_job(&self, account: &str, from: &ReversePath) -> Result<SendJob, Error> {
        let top = Table { timeout: self.timeout, ..Table::default() };
        let table = top.over(self.account(account, Side::Send)?);
        let own = match (from.mailbox(), sender(&table)) {
            (Some(mailbox), _) => mailbox.clone(),
            // The message has its From field: only EHLO is still to be named, after the domain.
            (None, Some(own)) => own.address().clone(),
            (None, None) => return Err(Error::NoSender),
        };
        self.sending(Some(account.to_owned()), table, own, from.clone())
    }

    fn sending(
        &self,
        account: Option<String>,
        table: Table,
        from: Mailbox,
        reverse_path: ReversePath,
    ) -> Result<SendJob, Error> {
        // An address literal is allowed (RFC 5321 §4.1.4), and keeps the machine's own name private.
        let ehlo_name = match &table.ehlo_name {
            Some(ehlo_name) => ehlo_name.clone(),
            None => from
                .domain()
                .parse()
                .unwrap_or_else(|_| EhloName::literal(Ipv4Addr::LOCALHOST.into())),
        };
        let rewrite_from = table.rewrite_from.unwrap_or_default();
        let chunking = table.chunking.unwrap_or(true);
        let sent_maildir = table.sent_maildir.as_ref().map(|path| self.path(path)).transpose()?;
        let log_file = table.log_file.as_ref().map(|path| self.path(path)).transpose()?;
        let queue = table.queue.unwrap_or(self.invoked_as == InvokedAs::Sendmail);
        let peer = self.peer(account.as_deref(), table, Side::Send.default_ports())?;
        let run_id = self.run_id.clone();
        Ok(SendJob {
            account,
            peer,
            from,
            name: None,
            reverse_path,
            ehlo_name,
            rewrite_from,
            chunking,
            sent_maildir,
            log_file,
            queue,
            run_id,
        })
    }

    /// The outbox for new messages.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(Arc::new(Os), &self.state.join("outbox"))
    }

    /// Every outbox of this user's, wherever a run with another environment may have put it.
    pub fn outboxes(&self) -> Vec<Outbox> {
        let states = std::iter::once(&self.state).chain(&self.other_states);
        let outbox = |state: &PathBuf| Outbox::new(Arc::new(Os), &state.join("outbox"));
        states.map(outbox).collect()
    }

    /// Returns whether a message waits for which no account can be found: `queue` in `[defaults]`,
    /// by default true under the name sendmail.
    pub fn queues_by_default(&self) -> bool {
        let of = |table: &Table| table.send.as_ref().and_then(|send| send.queue).or(table.queue);
        let said = self.file.as_ref().and_then(|file| of(&file.defaults));
        said.unwrap_or(self.invoked_as == InvokedAs::Sendmail)
    }

    /// The configuration file in force.
    pub fn config(&self) -> PathBuf {
        std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone())
    }

    /// The configuration file that this user's accounts are added to.
    pub fn own_config(&self) -> PathBuf {
        std::path::absolute(&self.own).unwrap_or_else(|_| self.own.clone())
    }

    /// The run's identity.
    pub fn run_id(&self) -> &RunId {
        &self.run_id
    }

    /// Resolves local names by `[aliases]`; other addresses stay. An error for a name that is not
    /// there.
    pub fn mailboxes(&self, addresses: Vec<Address>) -> Result<Vec<Mailbox>, Error> {
        let mut mailboxes = Vec::with_capacity(addresses.len());
        for address in addresses {
            match (self.alias(&address), address) {
                (Some(alias), _) => mailboxes.extend_from_slice(alias),
                (None, Address::Mailbox(mailbox)) => mailboxes.push(mailbox),
                (None, Address::Local(name)) => return Err(Error::NoAlias(name)),
            }
        }
        Ok(mailboxes)
    }

    /// Returns the alias of a local name, or of an address at this machine unless an account has
    /// that domain. `None` for any other address, and if there is no alias.
    pub fn alias(&self, address: &Address) -> Option<&[Mailbox]> {
        let aliases = &self.file.as_ref()?.aliases;
        match address {
            Address::Local(name) => aliases.of(name),
            Address::Mailbox(mailbox) => {
                let is_known = mailbox.is_at_host(&self.run_id.host) && !self.has_domain(mailbox);
                let name = mailbox.local_part().parse().ok().filter(|_| is_known)?;
                aliases.of(&name)
            }
        }
    }

    /// Returns whether an account's own address has the domain.
    fn has_domain(&self, mailbox: &Mailbox) -> bool {
        let names = self.file.iter().flat_map(|file| file.account.keys());
        let mut own = names.filter_map(|name| sender(&self.account(name, Side::Send).ok()?));
        own.any(|own| own.domain().eq_ignore_ascii_case(mailbox.domain()))
    }

    /// The account of the first of these addresses that is some account's.
    fn sending_account<'a>(
        &self,
        mut wanted: impl Iterator<Item = &'a Mailbox>,
    ) -> Result<String, Error> {
        let file = self.file.as_ref().ok_or_else(|| self.no_account(Side::Send))?;
        let mut able = file.account.keys().filter_map(|name| {
            let table = self.account(name, Side::Send).ok()?;
            table.server.is_some().then(|| (name, sender(&table)))
        });
        let able: Vec<_> = able.by_ref().collect();
        let has_address = |address: &Mailbox| {
            let like = |(name, from): &(&String, Option<Sender>)| {
                Some((from.as_ref()?.likeness(address)?, (*name).clone()))
            };
            able.iter().filter_map(like).min_by_key(|&(likeness, _)| likeness).map(|(_, name)| name)
        };
        if let Some(name) = wanted.find_map(has_address).or_else(|| file.default.clone()) {
            return Ok(name);
        }
        match able.as_slice() {
            [] => Err(self.no_account(Side::Send)),
            [(only, _)] => Ok((*only).clone()),
            _ => Err(Error::Ambiguous),
        }
    }

    /// Returns an account's table for one side, merged with the command line and the defaults.
    fn account(&self, name: &str, side: Side) -> Result<Table, Error> {
        let file = self.file.as_ref().ok_or_else(|| self.no_account(side))?;
        let Some(account) = file.account.get(name).cloned() else {
            let nearest = config::nearest(name, file.account.keys().map(String::as_str));
            return Err(Error::UnknownAccount { name: shown(name), nearest: nearest.map(shown) });
        };
        let side = |table: &Table| {
            let side = match side {
                Side::Fetch => &table.fetch,
                Side::Send => &table.send,
            };
            side.as_deref().cloned().unwrap_or_default()
        };
        let (special, usual) = (side(&account), side(&file.defaults));
        Ok(special.over(account).over(usual).over(file.defaults.clone()))
    }

    /// The command line as a table of an account.
    fn command_line_table(&self, one_off: &cli::OneOff) -> Table {
        let cli::OneOff { server, user, tls, password_file, password_command, ca_file } = one_off;
        let typed = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        Table {
            server: server.clone(),
            user: user.clone(),
            tls: *tls,
            password_file: password_file.as_ref().map(typed),
            password_command: password_command.as_deref().map(CommandLine::shell),
            ca_file: ca_file.as_ref().map(typed),
            timeout: self.timeout,
            ..Table::default()
        }
    }

    fn peer(
        &self,
        account: Option<&str>,
        table: Table,
        usual: DefaultPorts,
    ) -> Result<Peer, Error> {
        let missing = |key| match account {
            Some(account) => Error::Incomplete { account: shown(account), key },
            None => Error::NoUser,
        };
        let Server { host, port } = table.server.ok_or_else(|| missing("server"))?;
        let user = table.user.ok_or_else(|| missing("user"))?;
        if user.chars().any(char::is_control) {
            return Err(Error::User(shown(&user)));
        }
        let tls = table.tls.unwrap_or_default();
        let identity = match (table.client_cert, table.client_key) {
            (Some(certificate), Some(key)) => {
                Some(Identity { certificate: self.path(&certificate)?, key: self.path(&key)? })
            }
            (None, None) => None,
            (Some(_), None) => return Err(missing("client-key")),
            (None, Some(_)) => return Err(missing("client-cert")),
        };
        let anchor = match (table.pin, table.ca_file, table.trust) {
            (Some(pin), _, _) => TrustAnchor::Pin(pin),
            (_, Some(path), _) => TrustAnchor::CaFile(self.path(&path)?),
            (_, _, Some(TrustStore::System)) => TrustAnchor::System,
            (None, None, Some(TrustStore::Webpki) | None) => TrustAnchor::Webpki,
        };
        let source = match (table.password_command, table.password_file, table.password) {
            (Some(command), _, _) => Source::Command(command),
            (_, Some(path), _) => Source::File(self.path(&path)?),
            (_, _, Some(secret)) => Source::Text(secret),
            (None, None, None) => match (table.token_command, table.oauth) {
                (Some(command), _) => Source::TokenCommand(command),
                (None, Some(name)) => {
                    self.login(account.unwrap_or_default(), &name, &user, table.timeout)?
                }
                (None, None) if identity.is_some() => Source::Certificate,
                (None, None) => Source::Terminal,
            },
        };
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let port = table.port.or(port).unwrap_or(match tls {
            Tls::Implicit => usual.implicit,
            Tls::Starttls | Tls::None => usual.starttls,
        });
        if table.connect_command.is_some() && tls == Tls::None {
            let account = shown(account.unwrap_or_default());
            return Err(Error::CommandWithoutTls { account });
        }
        let connect_command = table.connect_command.map(|line| line.for_server(&host, port));
        Ok(Peer {
            host,
            port,
            tls,
            trust: Trust { anchor, identity },
            source_address: table.source_address,
            connect_command,
            bounds: Bounds {
                per_wait: seconds(table.timeout.unwrap_or(60)),
                in_all: table.max_time.map(seconds),
            },
            pipelining: table.pipelining,
            user,
            source,
            auth: table.auth,
            detours: self.detours.clone(),
        })
    }

    /// A path from the configuration: `~/` and relative paths begin at home, and
    /// `$CREDENTIALS_DIRECTORY/` is where systemd has put a service's credentials.
    ///
    /// # Errors
    ///
    /// Returns an error if it names another variable, or there is no directory of credentials.
    pub fn path(&self, path: &Path) -> Result<PathBuf, Error> {
        const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
        let mut components = path.components();
        let first = components.next().and_then(|first| first.as_os_str().to_str());
        match first.and_then(|first| first.strip_prefix('$')) {
            None => Ok(self.home.join(path.strip_prefix("~").unwrap_or(path))),
            Some(CREDENTIALS) => {
                let dir = variable(CREDENTIALS).ok_or(Error::NoCredentials)?;
                Ok(dir.join(components.as_path()))
            }
            Some(_) => Err(Error::Variable(shown(&path.to_string_lossy()))),
        }
    }

    fn no_account(&self, side: Side) -> Error {
        self.nothing_to(side.purpose())
    }

    fn nothing_to(&self, purpose: &'static str) -> Error {
        let path = self.path.clone();
        match self.file {
            Some(_) => Error::NoAccount { purpose, path },
            None => Error::NoFile { purpose, path },
        }
    }
}

/// A side of an account that is to be checked.
#[derive(Debug)]
pub struct Check {
    /// The account, unless it is an ad-hoc one.
    pub account: Option<String>,
    /// The side.
    pub side: Side,
    /// The job, or the reason why there is none.
    pub job: Result<Job, Error>,
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

/// The ports that follow from how a conversation becomes private.
#[derive(Clone, Copy, Debug)]
pub struct DefaultPorts {
    /// The port for TLS from the first octet.
    pub implicit: u16,
    /// The port for STLS or STARTTLS.
    pub starttls: u16,
}

impl DefaultPorts {
    /// Both, and what they want `tls` to be.
    pub fn ports(self) -> [(u16, Tls); 2] {
        [(self.implicit, Tls::Implicit), (self.starttls, Tls::Starttls)]
    }

    fn has(self, port: u16) -> bool {
        self.ports().iter().any(|(usual, _)| *usual == port)
    }
}

/// Returns the address or domain that an account sends from: `from`, else `user` if it has an `@`.
fn sender(table: &Table) -> Option<Sender> {
    table.from.clone().or_else(|| table.user.as_deref()?.parse().ok())
}
