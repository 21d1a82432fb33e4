//! The password or token, and the login with it: obtained once for both sides of an account.

use super::{At as _, Checklist, FailedStep};
use crate::error::Error;
use crate::net::Stop;
use crate::password::{self, Attempts, Source};
use crate::sasl::{Credentials, Key};
use crate::settings::Peer;
use crate::token;

impl Checklist<'_> {
    /// Obtains the credentials, and a session to log in with: the configured ones, or what is typed
    /// now. Typing takes time, so the connection is made anew after it.
    pub(super) fn login<T>(
        &mut self,
        session: T,
        login: Option<Login>,
        (peer, asked, stop): (&Peer, &mut PromptCache, &Stop),
        words: &str,
        open: impl FnOnce(&mut Self) -> Result<T, FailedStep>,
    ) -> Result<(T, Login), FailedStep> {
        if let Some(login) = login {
            return Ok((session, login));
        }
        drop(session);
        self.good("capabilities", words.trim_end_matches("; "))?;
        let login = self.password(peer, asked, stop)?;
        // These were reported before.
        self.is_silent = true;
        let session = open(self);
        self.is_silent = false;
        Ok((session?, login))
    }

    /// Obtains the password or token.
    pub(super) fn password(
        &mut self,
        peer: &Peer,
        asked: &mut PromptCache,
        stop: &Stop,
    ) -> Result<Login, FailedStep> {
        const NAME: &str = "password";
        let run = self.report.token_run(stop);
        if let Source::Login { .. } = peer.source {
            return self.token(peer, &run);
        }
        let mut attempts = asked.attempts(peer, &run).at(NAME)?;
        let first = attempts.next().unwrap_or(Err(password::Error::Nowhere)).at(NAME)?;
        let text = match &peer.source {
            Source::Text(_) => "it is in the configuration".to_owned(),
            Source::Command(_) => "the command prints it".to_owned(),
            Source::File(path) => format!("it is in {}", path.display()),
            Source::Terminal => "it was typed".to_owned(),
            Source::TokenCommand(_) | Source::Login { .. } => {
                "the command prints a token".to_owned()
            }
            Source::Certificate => "the client certificate is the login".to_owned(),
        };
        let is_blank = match &first.key {
            Key::Password(secret) | Key::Token(secret) => secret.has_blank_ends(),
            Key::Certificate => false,
        };
        let hint = is_blank.then(|| {
            "it begins or ends with a space; remove it if it is not part of the password".to_owned()
        });
        self.note(NAME, text, hint)?;
        Ok(self.known(first, attempts))
    }

    /// A token of a login by OAuth 2.0, renewed if that is due.
    fn token(&mut self, peer: &Peer, run: &token::Run) -> Result<Login, FailedStep> {
        const NAME: &str = "token";
        let attempts = peer.source.attempts(&peer.user, peer.host.as_str(), peer.auth, run);
        let mut attempts = attempts.and_then(Attempts::ready).at(NAME)?;
        let mut text = String::new();
        if let Some(access) = attempts.access() {
            let state = if access.is_new { "renewed, good" } else { "good" };
            text = format!("{state} for {}", minutes(access.left()));
            if let Some(since) = &access.since {
                text += &format!(", logged in {since}");
            }
        }
        let first = attempts.next().unwrap_or(Err(password::Error::Nowhere)).at(NAME)?;
        self.good(NAME, text)?;
        Ok(self.known(first, attempts))
    }

    /// From here on, what is secret in it is masked in all that a server says.
    fn known(&mut self, first: Credentials, attempts: Attempts) -> Login {
        self.secrets.extend(first.key.secret().cloned());
        Login { first, attempts }
    }
}

/// Credentials, of which the first were examined already.
pub(super) struct Login {
    pub(super) first: Credentials,
    attempts: Attempts,
}

impl Login {
    pub(super) fn attempts(self) -> impl Iterator<Item = Result<Credentials, Error>> {
        let rest = self.attempts.map(|attempt| attempt.map_err(Error::from));
        [Ok(self.first)].into_iter().chain(rest)
    }
}

/// The typed passwords of this run: both sides of an account mostly have the same one, which is
/// asked for once.
#[derive(Default)]
pub(super) struct PromptCache(Vec<(String, String, Attempts)>);

impl PromptCache {
    /// Returns whether the password was typed before.
    pub(super) fn knows(&self, peer: &Peer) -> bool {
        let (user, host) = (peer.user.as_str(), peer.host.as_str());
        self.0.iter().any(|(whose, at, _)| whose == user && at == host)
    }

    fn attempts(&mut self, peer: &Peer, run: &token::Run) -> Result<Attempts, password::Error> {
        let (user, host) = (peer.user.as_str(), peer.host.as_str());
        let is_typed = matches!(peer.source, Source::Terminal);
        let known = self.0.iter().find(|(whose, at, _)| is_typed && whose == user && at == host);
        if let Some((_, _, attempts)) = known {
            return Ok(attempts.clone());
        }
        let attempts = peer.source.attempts(user, host, peer.auth, run)?;
        if is_typed {
            self.0.push((user.to_owned(), host.to_owned(), attempts.clone()));
        }
        Ok(attempts)
    }
}

fn minutes(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        _ => format!("{} min", seconds / 60),
    }
}
