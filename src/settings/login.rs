//! The logins by OAuth 2.0 (RFC 6749): `[oauth.NAME]` and an account's `oauth`, completed by what is
//! built in about the provider. Asks no server; tokens are [`crate::token`]'s.

use std::sync::Arc;
use std::time::Duration;

use super::{Error, Settings, Side, config, percent_encoded, shown};
use crate::config::OAuth;
use crate::limits;
use crate::oauth::{Client, Endpoints, Grant, Loopback, OWN_CLIENT_ID, Provider, Server};
use crate::password::Source;
use crate::store;
use crate::tls::{Trust, TrustAnchor};
use crate::token::Login;

impl Settings {
    /// Returns the source of tokens for an account with `oauth = "NAME"`.
    pub(super) fn login(
        &self,
        account: &str,
        name: &str,
        user: &str,
        timeout: Option<u32>,
    ) -> Result<Source, Error> {
        let known = self.file.iter().flat_map(|file| &file.oauth);
        let Some((_, table)) = known.clone().find(|(known, _)| *known == name) else {
            let nearest = config::nearest(name, known.map(|(name, _)| name.as_str()));
            let nearest = nearest.map(|name| format!("[oauth.{}]", shown(name)));
            return Err(Error::UnknownClient { name: shown(name), nearest });
        };
        let client = client(name, table)?;
        let anchor = match &table.ca_file {
            Some(path) => TrustAnchor::CaFile(self.path(path)?),
            None => TrustAnchor::Webpki,
        };
        let secret = match (&table.client_secret, &table.client_secret_command) {
            (Some(secret), _) => Some(Source::Text(secret.clone())),
            (None, Some(command)) => Some(Source::Command(command.clone())),
            (None, None) => None,
        };
        // A user may have logins with several servers, and two endpoints of one server are two.
        let url = client.server.url();
        let place = url.to_string();
        let place = place.strip_prefix("https://").unwrap_or(&place);
        let state = format!(
            "{}@{}",
            percent_encoded(user.as_bytes()),
            percent_encoded(place.trim_end_matches('/').as_bytes())
        );
        let login = Login {
            account: account.to_owned(),
            user: user.to_owned(),
            dir: self.state()?.join("login").join(store::state_name(&state).as_ref()),
            trust: Trust { anchor, identity: None },
            per_wait: timeout
                .map_or(limits::HTTP_TIME, |seconds| Duration::from_secs(seconds.into())),
            renewals: self.renewals.clone(),
            client,
        };
        Ok(Source::Login { login: Arc::new(login), secret: secret.map(Box::new) })
    }

    /// The account to log in with by OAuth 2.0: the one that was named, else the only one that has
    /// `oauth`.
    ///
    /// # Errors
    ///
    /// Returns an error if no account, or more than one, is meant.
    pub fn login_account(&self, named: Option<&str>) -> Result<String, Error> {
        let has_oauth = |name: &str| {
            [Side::Fetch, Side::Send].iter().any(|&side| {
                self.account(name, side)
                    .is_ok_and(|table| table.server.is_some() && table.oauth.is_some())
            })
        };
        let none = || Error::NoFile { path: self.path.clone() };
        let file = self.file.as_ref().ok_or_else(none)?;
        if let Some(name) = named {
            // An unknown name is an error of its own.
            self.account(name, Side::Fetch)?;
            return if has_oauth(name) {
                Ok(name.to_owned())
            } else {
                Err(Error::NoOAuth { account: shown(name) })
            };
        }
        let able: Vec<_> = file.account.keys().filter(|name| has_oauth(name)).collect();
        match able.as_slice() {
            [] => Err(Error::NoLogin { path: self.path.clone() }),
            [only] => Ok((*only).clone()),
            _ => Err(Error::Ambiguous),
        }
    }
}

impl Settings {
    /// Returns the OAuth 2.0 logins of an account's sides, each once.
    ///
    /// # Errors
    ///
    /// Returns an error if the account is unknown or its login incomplete.
    pub fn logins(&self, account: &str) -> Result<Vec<Source>, Error> {
        let mut found: Vec<Source> = Vec::new();
        for side in [Side::Fetch, Side::Send] {
            let table = self.account(account, side)?;
            if table.server.is_none() || table.oauth.is_none() {
                continue;
            }
            let source = self.peer(Some(account), table, side)?.source;
            let dir = |source: &Source| match source {
                Source::Login { login, .. } => Some(login.dir.clone()),
                _ => None,
            };
            if found.iter().all(|other| dir(other) != dir(&source)) {
                found.push(source);
            }
        }
        Ok(found)
    }
}

fn client(name: &str, table: &OAuth) -> Result<Client, Error> {
    let provider = Provider::named(name);
    let grant = table.grant.unwrap_or_default();
    let own = Some(OWN_CLIENT_ID).filter(|id| !id.is_empty() && name == "microsoft");
    let Some(id) = table.client_id.as_deref().or(own) else {
        return Err(missing(name, "client-id"));
    };
    let server = server(name, table, provider)?;
    let scope = match (&table.scope, provider, grant) {
        (Some(scope), ..) => scope.as_str(),
        (None, Some(provider), Grant::Code) => provider.scope,
        (None, Some(provider), Grant::ClientCredentials) => provider.scope_without_person,
        (None, None, Grant::Code) => return Err(missing(name, "scope")),
        (None, None, Grant::ClientCredentials) => "",
    };
    let redirect = match (&table.redirect, provider) {
        (Some(redirect), _) => redirect.clone(),
        (None, Some(provider)) => provider.redirect.parse().unwrap_or_default(),
        (None, None) => Loopback::default(),
    };
    let extras = provider.map(|provider| provider.extras).unwrap_or_default();
    Ok(Client { id: id.to_owned(), grant, server, scope: scope.to_owned(), redirect, extras })
}

/// Returns the authorization server of a client: the `issuer`, else the endpoints of the known
/// provider, of which each may be replaced (national clouds, tests), else the endpoints alone.
fn server(name: &str, table: &OAuth, provider: Option<&Provider>) -> Result<Server, Error> {
    if let Some(issuer) = &table.issuer {
        return Ok(Server::Issuer(issuer.clone()));
    }
    let Some(provider) = provider else {
        let Some(token) = table.token.clone() else { return Err(missing(name, "issuer")) };
        return Ok(Server::Known(Box::new(Endpoints {
            issuer: None,
            names_issuer: false,
            authorize: table.authorize.clone(),
            token,
            device: table.device.clone(),
        })));
    };
    let tenant = table.tenant.as_deref();
    let Some(mut endpoints) = provider.endpoints(tenant) else {
        let tenant = shown(tenant.unwrap_or_default());
        return Err(Error::Tenant { name: shown(name), tenant });
    };
    if table.authorize.is_some() {
        endpoints.authorize.clone_from(&table.authorize);
        endpoints.issuer = None;
    }
    if let Some(token) = &table.token {
        endpoints.token.clone_from(token);
    }
    if table.device.is_some() {
        endpoints.device.clone_from(&table.device);
    }
    Ok(Server::Known(Box::new(endpoints)))
}

fn missing(name: &str, key: &'static str) -> Error {
    Error::IncompleteClient { name: shown(name), key }
}
