//! Command line, configuration file and environment become jobs, in which nothing is optional
//! that is required. Precedence: command line, side table, account, defaults. The clock, the
//! name of this machine and its source of randomness are read here, once per run.

mod error;
mod fetching;
mod job;
mod login;
mod permissions;
mod places;
mod sending;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use self::error::Error;
pub use self::job::{
    Check, DefaultPorts, FetchJob, Job, Peer, Route, SendJob, ServiceJob, Side, Target,
};
pub use self::permissions::{NotPermitted, Permissions};
use self::places::{Directories, variable};
pub use self::places::{UserPlaces, is_root};
use crate::cli::{self, InvokedAs};
use crate::config::{self, CommandLine, File, Server, Table, Tls, TrustStore};
use crate::net::Bounds;
use crate::password::Source;
use crate::run_id::RunId;
use crate::store::disk::Os;
use crate::store::outbox::Outbox;
use crate::text::{Detour, Mailbox, percent_encoded, shown};
use crate::tls::{Identity, Trust, TrustAnchor};
use crate::token::Renewals;

/// The configuration file of users who have none of their own.
const SYSTEM: &str = "/etc/postie/config.toml";

/// The merged configuration: file, environment and global options. Built once per process by
/// [`Settings::load`].
#[derive(Debug)]
pub struct Settings {
    file: Option<File>,
    /// The configuration file, whether it exists or not.
    path: PathBuf,
    /// The home directory, if this user has one.
    home: Option<PathBuf>,
    /// The directory of journals, outbox and tokens, if this user has one.
    state: Option<PathBuf>,
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

impl Settings {
    /// Reads the environment, and the configuration file if there is one. `--config` must name
    /// one; `one_off` says that none is needed.
    ///
    /// # Errors
    ///
    /// Returns an error if the configuration file is missing where it is needed, or wrong.
    pub fn load(global: &cli::Global, one_off: &cli::OneOff) -> Result<Self, Error> {
        let own = Self::read(global, one_off)?;
        match global.invoked_as {
            InvokedAs::Sendmail => own.or_of_system(global)?.with_aliases(),
            InvokedAs::Postie => own.with_aliases(),
        }
    }

    /// The same for what was queued under the name sendmail.
    ///
    /// # Errors
    ///
    /// Returns an error if the configuration file is missing where it is needed, or wrong.
    pub fn load_for_queue(global: &cli::Global) -> Result<Self, Error> {
        let own = || Self::read(global, &cli::OneOff::default());
        // Where the system's cannot be used, what waits for it is listed with what it lacks.
        let settings = own()?.or_of_system(global).or_else(|_| own())?;
        settings.with_aliases()
    }

    fn read(global: &cli::Global, one_off: &cli::OneOff) -> Result<Self, Error> {
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

    /// The settings, or the system's in the place of the user's own if these have no account to send
    /// with: a user who only fetches has none for the system's mail.
    fn or_of_system(self, global: &cli::Global) -> Result<Self, Error> {
        let system = Path::new(SYSTEM);
        let is_own = global.config.is_none() && self.path != system;
        if !is_own || !system.exists() || self.accounts_to_send_with().next().is_some() {
            return Ok(self);
        }
        Ok(Self { file: Some(File::read(system)?), path: system.to_owned(), ..self })
    }

    fn with_aliases(mut self) -> Result<Self, Error> {
        let aliases_file = self.file.as_ref().and_then(|file| file.aliases_file.clone());
        if let Some(aliases_file) = aliases_file {
            let aliases_file = self.path(&aliases_file)?;
            self.file.iter_mut().try_for_each(|file| file.add_aliases(&aliases_file))?;
        }
        Ok(self)
    }

    /// Reads the environment without the configuration file, for what has to be done although the
    /// file cannot be read.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no source of random numbers.
    pub fn without_file(global: &cli::Global) -> Result<Self, Error> {
        let directories = Directories::from_environment();
        let Directories { home, config, state, other_states } = directories;
        let system = Path::new(SYSTEM);
        let own = config.map_or_else(|| system.to_owned(), |config| config.join("config.toml"));
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

    /// Returns an error if there is no configuration, or none that could be read.
    pub fn no_configuration(&self) -> Option<Error> {
        self.file.is_none().then(|| self.no_account(Side::Send))
    }

    /// Returns whether there is an account of this name.
    pub fn has_account(&self, name: &str) -> bool {
        self.file.as_ref().is_some_and(|file| file.account.contains_key(name))
    }

    /// Returns `name`, with a number if this user's configuration file has an account of that name.
    pub fn free_name(&self, name: &str) -> String {
        // What cannot be read is reported when it is used or written to.
        let file = File::read(&self.own).ok();
        let is_taken =
            |name: &String| file.as_ref().is_some_and(|file| file.account.contains_key(name));
        let mut free = name.to_owned();
        let mut numbers = 2_u32..;
        while is_taken(&free)
            && let Some(number) = numbers.next()
        {
            free = format!("{name}{number}");
        }
        free
    }

    /// The names of all accounts, sorted.
    pub fn account_names(&self) -> impl Iterator<Item = &str> {
        self.file.iter().flat_map(|file| file.account.keys().map(String::as_str))
    }

    /// The names of the accounts that log in as an address, or send from it.
    pub fn accounts_of(&self, address: &Mailbox) -> Vec<String> {
        let is_its = |table: &Table| {
            let from = table.from.as_ref().map(|from| from.address().as_str());
            let mut own = table.user.as_deref().into_iter().chain(from);
            own.any(|own| own.eq_ignore_ascii_case(address.as_str()))
        };
        let names = self.account_names().filter(|name| {
            let sides = [Side::Fetch, Side::Send].map(|side| self.account(name, side));
            sides.iter().flatten().any(is_its)
        });
        names.map(str::to_owned).collect()
    }

    /// Returns settings with a configuration that is in no file yet, whose connections take
    /// `detours`.
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

    /// Returns settings with this configuration.
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

    /// The directory of what the submission service keeps of its callers.
    ///
    /// # Errors
    ///
    /// Returns an error if this user has no directory for it.
    pub fn callers(&self) -> Result<PathBuf, Error> {
        Ok(self.state()?.join("submit"))
    }

    /// Returns the outbox for new messages.
    ///
    /// # Errors
    ///
    /// Returns an error if this user has no directory for it.
    pub fn outbox(&self) -> Result<Outbox, Error> {
        Ok(Outbox::new(Arc::new(Os), &self.state()?.join("outbox")))
    }

    fn state(&self) -> Result<&Path, Error> {
        self.state.as_deref().ok_or(Error::NoHome)
    }

    fn home(&self) -> Result<&Path, Error> {
        self.home.as_deref().ok_or(Error::NoHome)
    }

    /// Returns every outbox of this user's: one for each state directory that a run with another environment
    /// may have used.
    pub fn outboxes(&self) -> Vec<Outbox> {
        let states = self.state.iter().chain(&self.other_states);
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

    fn peer(&self, account: Option<&str>, table: Table, side: Side) -> Result<Peer, Error> {
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
        let usual = side.default_ports();
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
            side,
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
    /// Returns an error if it names another variable, or there is no directory that it begins at.
    pub fn path(&self, path: &Path) -> Result<PathBuf, Error> {
        const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
        let mut components = path.components();
        let first = components.next().and_then(|first| first.as_os_str().to_str());
        match first.and_then(|first| first.strip_prefix('$')) {
            None if path.is_absolute() => Ok(path.to_owned()),
            None if first.is_some_and(|first| first.starts_with('~') && first != "~") => {
                Err(Error::OtherHome(shown(&path.to_string_lossy())))
            }
            None => Ok(self.home()?.join(path.strip_prefix("~").unwrap_or(path))),
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
            None if path.exists() => Error::Unread { path },
            None if self.home.is_none() && self.own == Path::new(SYSTEM) => Error::NoHome,
            None => Error::NoFile { path },
        }
    }
}
