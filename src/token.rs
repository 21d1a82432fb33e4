//! Access tokens by OAuth 2.0: the one that is kept as long as it is good, else a new one, for all
//! runs and all accounts of a login together.
//!
//! A refresh token may be good for one use only, and what replaces it comes in a single answer. So
//! one run at a time asks, under a lock, after it has read again what is kept; and what came is
//! durable before any of it is used.

mod error;
mod remote;

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

pub use self::error::{Error, Unreached};
use self::remote::Remote;
use crate::http::{Form, Response, form_encoded};
use crate::limits;
use crate::net::Stop;
use crate::oauth::{self, Client, Endpoints, Granted, Meaning, Server};
use crate::store;
use crate::store::disk::{Disk, Lock, Os};
use crate::store::token::{TokenStore, Tokens};
use crate::text::{HttpsUrl, Secret};
use crate::tls::Trust;
use crate::wire::Secrets;

/// A listener for lines about what goes on, which hold no secrets.
pub type Listener = Arc<dyn Fn(&dyn fmt::Display) + Send + Sync>;

/// The run in which tokens are asked for.
#[derive(Clone, Default)]
pub struct Run {
    stop: Stop,
    listener: Option<Listener>,
}

impl Run {
    /// A run that `stop` ends, except in the middle of an exchange.
    pub fn new(stop: &Stop, listener: Option<Listener>) -> Self {
        Self { stop: stop.clone(), listener }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("stop", &self.stop).finish_non_exhaustive()
    }
}

/// The logins that this process has renewed after a mail server had refused their token. Its clones
/// are the same set.
#[derive(Clone, Debug, Default)]
pub struct Renewals(Arc<Mutex<HashSet<PathBuf>>>);

impl Renewals {
    /// Returns whether this is the first renewal of a login, and records it.
    fn is_first(&self, dir: &Path) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(dir.to_owned())
    }
}

/// A user's login at an authorization server, by way of a client.
#[derive(Clone, Debug)]
pub struct Login {
    /// The account.
    pub account: String,
    /// The login name.
    pub user: String,
    /// The client, as `[oauth.NAME]` describes it.
    pub client: Client,
    /// The directory of what is kept.
    pub dir: PathBuf,
    /// The trust in the authorization server.
    pub trust: Trust,
    /// The time-out of each step.
    pub per_wait: Duration,
    /// The logins that were renewed in this process.
    pub renewals: Renewals,
}

/// An access token that is good now.
#[derive(Clone, Debug)]
pub struct Access {
    /// The token.
    pub token: Secret,
    /// True if this run has obtained it.
    pub is_new: bool,
    /// The date when the user logged in; `None` for a client without a person.
    pub since: Option<String>,
    granted: u64,
    expires: u64,
}

impl Access {
    fn of(tokens: &Tokens, is_new: bool) -> Self {
        let has_person = tokens.refresh.is_some();
        Self {
            token: tokens.access.clone(),
            is_new,
            since: has_person.then(|| date(tokens.since)),
            granted: tokens.granted,
            expires: tokens.expires,
        }
    }

    /// Returns whether enough of its lifetime is left to use it.
    pub fn is_fresh(&self) -> bool {
        is_fresh(self.granted, self.expires, now())
    }

    /// Seconds that are left of it.
    pub fn left(&self) -> u64 {
        self.expires.saturating_sub(now())
    }
}

#[expect(clippy::disallowed_methods, reason = "a token ends by the clock, whenever the run began")]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// A day, in UTC.
fn date(seconds: u64) -> String {
    time(seconds).split('T').next().unwrap_or_default().to_owned()
}

fn time(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or_default();
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

/// Seconds that are left of a token; `None` if it has ended, or the clock was set back behind its
/// beginning, so that nothing is known of its end.
fn left(granted: u64, expires: u64, now: u64) -> Option<u64> {
    let left = expires.checked_sub(now).filter(|left| *left > 0)?;
    (left <= expires.saturating_sub(granted)).then_some(left)
}

fn is_fresh(granted: u64, expires: u64, now: u64) -> bool {
    let margin = limits::TOKEN_MARGIN.as_secs().min(expires.saturating_sub(granted) / 2);
    left(granted, expires, now).is_some_and(|left| left > margin)
}

impl Login {
    /// The authorization server's name.
    pub fn host(&self) -> String {
        self.client.server.url().host().to_string()
    }

    fn place(url: &HttpsUrl) -> String {
        match url.host().as_str() {
            address if address.contains(':') => format!("[{address}]:{}", url.port()),
            name => format!("{name}:{}", url.port()),
        }
    }

    /// Returns an access token to log in with: the stored one if it is fresh, else a new one. After a
    /// mail server has refused `refused`, another; `None` if there was another before and it was
    /// renewed for that in this run. The client's secret is asked for when it is needed.
    pub fn access<E: From<Error>>(
        &self,
        refused: Option<&Secret>,
        run: &Run,
        secret: impl FnOnce() -> Result<Option<Secret>, E>,
    ) -> Result<Option<Access>, E> {
        if let Some(access) = self.kept(&Os, refused, now())? {
            return Ok(Some(access));
        }
        let secret = secret()?;
        let mut server = Remote::new(self, run)?;
        Ok(self.renew(&Os, refused, secret.as_ref(), &mut server)?)
    }

    fn store<'a>(&'a self, disk: &'a dyn Disk) -> TokenStore<'a> {
        TokenStore::new(disk, &self.dir)
    }

    /// Returns the stored tokens if they fit the configuration; `None` if there are none.
    fn read(&self, disk: &dyn Disk) -> Result<Option<Tokens>, Error> {
        let has_person = self.client.grant == oauth::Grant::Code;
        let tokens = match self.store(disk).read() {
            // What no person has to log in for is simply asked for anew.
            Err(store::Error::Token(_)) | Ok(None) if !has_person => return Ok(None),
            found => found?,
        };
        let Some(tokens) = tokens else {
            return Err(Error::NoLogin { user: self.user.clone(), host: self.host() });
        };
        let endpoint = match &self.client.server {
            Server::Known(endpoints) => Some(endpoints.token.to_string()),
            // The issuer stands in the name of the directory.
            Server::Issuer(_) => None,
        };
        let differs = [
            (tokens.client != self.client.id, "client-id"),
            (endpoint.is_some_and(|endpoint| endpoint != tokens.endpoint), "token endpoint"),
            (tokens.user != self.user, "user"),
            (!covers(&tokens.scope, &self.client.scope), "scope"),
        ];
        match differs.into_iter().find(|(differs, _)| *differs) {
            Some(_) if !has_person => Ok(None),
            Some((_, what)) => Err(Error::Changed { host: self.host(), what }),
            None => Ok(Some(tokens)),
        }
    }

    /// The token that is kept, if it is fresh and not the one that was refused.
    fn kept(
        &self,
        disk: &dyn Disk,
        refused: Option<&Secret>,
        now: u64,
    ) -> Result<Option<Access>, Error> {
        let tokens = self.read(disk)?.filter(|tokens| {
            Some(&tokens.access) != refused && is_fresh(tokens.granted, tokens.expires, now)
        });
        Ok(tokens.map(|tokens| Access::of(&tokens, false)))
    }

    /// Asks for a new token under the lock, unless another run has done so meanwhile.
    fn renew(
        &self,
        disk: &dyn Disk,
        refused: Option<&Secret>,
        secret: Option<&Secret>,
        server: &mut dyn AuthorizationServer,
    ) -> Result<Option<Access>, Error> {
        // A token that ends soon does until the authorization server answers.
        let living = |tokens: Option<&Tokens>, now| {
            let tokens = tokens.filter(|tokens| {
                Some(&tokens.access) != refused
                    && left(tokens.granted, tokens.expires, now).is_some()
            });
            tokens.map(|tokens| Access::of(tokens, false))
        };
        // While one lives, no other run that renews it is waited for.
        let lives = living(self.read(disk)?.as_ref(), server.now()).is_some();
        let patience = if lives { Duration::ZERO } else { limits::TOKEN_LOCK };
        let lock = self.lock(disk, server, patience);
        let tokens = self.read(disk)?;
        let now = server.now();
        if let Some(access) = self.kept(disk, refused, now)? {
            return Ok(Some(access));
        }
        let living = living(tokens.as_ref(), now);
        let _lock = match lock {
            Err(Error::Busy) if living.is_some() => return Ok(living),
            lock => lock?,
        };
        if refused.is_some() && !self.renewals.is_first(&self.dir) {
            return Ok(None);
        }
        let renewed = match (self.client.grant, tokens) {
            (oauth::Grant::ClientCredentials, _) => self.request(disk, secret, server),
            (oauth::Grant::Code, Some(tokens)) => self.refresh(disk, tokens, secret, server),
            (oauth::Grant::Code, None) => {
                Err(Error::NoLogin { user: self.user.clone(), host: self.host() })
            }
        };
        match (renewed, living) {
            (Ok(tokens), _) => Ok(Some(Access::of(&tokens, true))),
            (
                Err(
                    Error::Later { .. }
                    | Error::Unreached { .. }
                    | Error::NoEndpoint { .. }
                    | Error::Protocol { .. },
                ),
                Some(living),
            ) => Ok(Some(living)),
            (Err(error), _) => Err(error),
        }
    }

    /// Locks the login; another run that renews it is waited for, so long.
    fn lock(
        &self,
        disk: &dyn Disk,
        server: &mut dyn AuthorizationServer,
        patience: Duration,
    ) -> Result<Lock, Error> {
        let mut waited = Duration::ZERO;
        loop {
            if let Some(lock) = self.store(disk).lock()? {
                return Ok(lock);
            }
            if waited >= patience {
                return Err(Error::Busy);
            }
            waited += server.pause();
        }
    }

    /// A new access token for the refresh token that is kept (RFC 6749 §6).
    fn refresh(
        &self,
        disk: &dyn Disk,
        mut tokens: Tokens,
        secret: Option<&Secret>,
        server: &mut dyn AuthorizationServer,
    ) -> Result<Tokens, Error> {
        let store = self.store(disk);
        let Some(refresh) = tokens.refresh.clone() else {
            return Err(Error::NoLogin { user: self.user.clone(), host: self.host() });
        };
        let endpoint: HttpsUrl =
            tokens.endpoint.parse().map_err(|_| Error::Store(store::Error::Token(store.path())))?;
        server.connect(&endpoint)?;
        // From here on the server may replace the refresh token, and the answer may be lost.
        let before = tokens.unanswered;
        tokens.unanswered = Some(before.unwrap_or(server.now()));
        store.write(&tokens)?;
        let secrets = [Some(&refresh), secret, Some(&tokens.access)];
        let form = self.client.refresh_form(&refresh, secret);
        let response = server.ask(&endpoint, form)?;
        match granted(&endpoint, &response, &secrets) {
            Ok(granted) => {
                let tokens = self.tokens(&endpoint, granted, server.now(), Some(tokens));
                store.write(&tokens)?;
                Ok(tokens)
            }
            Err(error) => {
                if error.is_decided() {
                    tokens.unanswered = before;
                    store.write(&tokens)?;
                } else if let Some(next) = Granted::rest(response.status, &response.body) {
                    tokens.refresh = Some(next);
                    tokens.unanswered = None;
                    store.write(&tokens)?;
                }
                Err(match error {
                    Error::Expired { host, refusal, .. } => {
                        let words = |at| {
                            format!(
                                "; its answer of {} was lost, and with it the next token",
                                time(at)
                            )
                        };
                        Error::Expired { host, refusal, lost: before.map(words) }
                    }
                    error => error,
                })
            }
        }
    }

    /// A token of the client's own (RFC 6749 §4.4).
    fn request(
        &self,
        disk: &dyn Disk,
        secret: Option<&Secret>,
        server: &mut dyn AuthorizationServer,
    ) -> Result<Tokens, Error> {
        let endpoint = server.endpoints()?.token;
        server.connect(&endpoint)?;
        let response = server.ask(&endpoint, self.client.credentials_form(secret))?;
        let granted = granted(&endpoint, &response, &[secret])?;
        let granted = Granted { refresh: None, ..granted };
        let tokens = self.tokens(&endpoint, granted, server.now(), None);
        self.store(disk).write(&tokens)?;
        Ok(tokens)
    }

    /// Returns the tokens to store after a grant at `now`, completed from those stored before.
    fn tokens(
        &self,
        endpoint: &HttpsUrl,
        granted: Granted,
        now: u64,
        before: Option<Tokens>,
    ) -> Tokens {
        let (since, refresh) = match before {
            // A server that sends no new one goes on taking the old one.
            Some(tokens) => (tokens.since, tokens.refresh),
            None => (now, None),
        };
        Tokens {
            endpoint: endpoint.to_string(),
            client: self.client.id.clone(),
            user: self.user.clone(),
            scope: self.client.scope.clone(),
            access: granted.access,
            granted: now,
            expires: now.saturating_add(granted.lifetime),
            refresh: granted.refresh.or(refresh),
            since,
            unanswered: None,
        }
    }

    /// Returns whether a login is stored.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read.
    pub fn is_kept(&self) -> Result<bool, Error> {
        Ok(self.store(&Os).read()?.is_some())
    }

    /// Removes the stored login. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be removed.
    pub fn forget(&self) -> Result<bool, Error> {
        if !self.dir.exists() {
            return Ok(false);
        }
        let _lock = self.lock(&Os, &mut Remote::new(self, &Run::default())?, limits::TOKEN_LOCK)?;
        // A damaged file is removed as well.
        let was_kept = !matches!(self.store(&Os).read(), Ok(None));
        self.store(&Os).forget()?;
        Ok(was_kept)
    }

    /// Begins a login: finds the authorization server's endpoints, by asking it where they are not
    /// configured or known, and makes sure that a login can be kept.
    ///
    /// # Errors
    ///
    /// Returns an error if the client is incomplete, the server's endpoints cannot be found, or the
    /// directory cannot be written to.
    pub fn begin<'a>(&'a self, run: &'a Run) -> Result<Beginning<'a>, Error> {
        let mut server = Remote::new(self, run)?;
        let endpoints = server.endpoints()?;
        // What cannot be kept is not asked for: a person would have logged in for nothing.
        let lock = self.lock(&Os, &mut server, limits::TOKEN_LOCK)?;
        self.store(&Os).try_to_write()?;
        drop(lock);
        Ok(Beginning { login: self, server, endpoints })
    }
}

/// Parses the answer of the token endpoint. Secrets that the server echoes are masked.
fn granted(
    endpoint: &HttpsUrl,
    response: &Response,
    secrets: &[Option<&Secret>],
) -> Result<Granted, Error> {
    let host = endpoint.host().to_string();
    if response.redirect(endpoint).is_some() {
        let error = oauth::Error::Malformed("it redirects a request that holds secrets".to_owned());
        return Err(Error::Protocol { host, error });
    }
    let granted = Granted::read(response.status, &response.body);
    granted.map_err(|error| refused(endpoint, error, secrets))
}

/// Returns whether the granted scopes include the wanted ones, in any order.
fn covers(granted: &str, wanted: &str) -> bool {
    let granted: HashSet<_> = granted.split_ascii_whitespace().collect();
    wanted.split_ascii_whitespace().all(|scope| granted.contains(scope))
}

fn refused(url: &HttpsUrl, error: oauth::Error, secrets: &[Option<&Secret>]) -> Error {
    let host = url.host().to_string();
    let refusal = match error {
        oauth::Error::Refused(refusal) => refusal,
        error @ oauth::Error::Malformed(_) => return Error::Protocol { host, error },
    };
    let mut known = Secrets::default();
    for secret in secrets.iter().copied().flatten() {
        known.add(secret.expose());
        known.add_response(&form_encoded(secret.expose()));
    }
    let refusal =
        refusal.map_text(|text| String::from_utf8_lossy(&known.mask(text.as_bytes())).into_owned());
    match refusal.meaning() {
        Meaning::Later | Meaning::SlowDown => Error::Later { host, refusal },
        Meaning::None => Error::NoEndpoint { url: url.to_string(), status: refusal.status },
        Meaning::Expired => Error::Expired { host, refusal, lost: None },
        Meaning::Consent => Error::Consent { host, refusal },
        Meaning::Client | Meaning::Pending => Error::Client { host, refusal },
    }
}

/// A login that is under way: the user has to act before there are tokens.
pub struct Beginning<'a> {
    login: &'a Login,
    server: Remote<'a>,
    endpoints: Endpoints,
}

impl Beginning<'_> {
    /// The endpoints.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Asks for a device code at this endpoint.
    pub fn device_code(
        &mut self,
        endpoint: &HttpsUrl,
        secret: Option<&Secret>,
    ) -> Result<oauth::DeviceCode, Error> {
        let form = self.login.client.device_form(secret);
        let response = self.server.ask(endpoint, form)?;
        let code = oauth::DeviceCode::read(response.status, &response.body);
        code.map_err(|error| refused(endpoint, error, &[secret]))
    }

    /// Posts a form to the token endpoint, and keeps what is granted. `sent` are the secrets in it.
    /// Returns `None` as long as the user has to act first, with the seconds by which the next
    /// question is to come later.
    pub fn exchange(
        &mut self,
        form: Form,
        sent: &[Option<&Secret>],
    ) -> Result<Result<Access, u64>, Error> {
        const SLOWER: u64 = 5;
        let endpoint = self.endpoints.token.clone();
        // Until what is granted is kept.
        let _shelter = self.server.run.stop.shelter();
        let response = self.server.ask(&endpoint, form)?;
        let granted = match granted(&endpoint, &response, sent) {
            Err(Error::Client { refusal, .. }) if refusal.meaning() == Meaning::Pending => {
                return Ok(Err(0));
            }
            Err(Error::Later { refusal, .. }) if refusal.meaning() == Meaning::SlowDown => {
                return Ok(Err(SLOWER));
            }
            // No login has ended: there is none yet.
            Err(Error::Expired { host, refusal, .. }) => return Err(Error::Code { host, refusal }),
            granted => granted?,
        };
        if granted.refresh.is_none() {
            let words = "it grants no refresh token; `scope` may need `offline_access`";
            let error = oauth::Error::Malformed(words.to_owned());
            return Err(Error::Protocol { host: endpoint.host().to_string(), error });
        }
        let _lock = self.login.lock(&Os, &mut self.server, limits::TOKEN_LOCK)?;
        let tokens = self.login.tokens(&endpoint, granted, now(), None);
        self.login.store(&Os).write(&tokens)?;
        Ok(Ok(Access::of(&tokens, true)))
    }
}

/// An authorization server; in tests, a scripted one.
trait AuthorizationServer {
    /// The time.
    fn now(&self) -> u64;

    /// Waits a little, and returns how long.
    fn pause(&mut self) -> Duration;

    /// Returns the endpoints.
    fn endpoints(&mut self) -> Result<Endpoints, Error>;

    /// Makes a connection for the next question. Until then nothing has been asked.
    fn connect(&mut self, url: &HttpsUrl) -> Result<(), Error>;

    /// Posts a form on that connection.
    fn ask(&mut self, url: &HttpsUrl, form: Form) -> Result<Response, Error>;
}

#[cfg(test)]
mod tests;
