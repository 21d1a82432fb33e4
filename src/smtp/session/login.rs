//! The login: AUTH (RFC 4954), mechanisms in order. Only the session that it returns can submit.

use super::super::{Error, Extension};
use super::{Authenticated, Session, Unauthenticated};
use crate::limits;
use crate::sasl::{Credentials, Login, Mechanism, Negotiation, Refused};
use crate::wire::{self, Command, Private, Wait};

impl<S: Private> Session<Unauthenticated, S> {
    /// Ends a session in which no login was tried. Nothing depends on whether this arrives.
    pub fn leave(mut self) {
        drop(self.wire.send_only(&Command::new("QUIT")));
    }

    /// Logs in with the strongest mechanism that both sides know. Credentials that are refused are
    /// followed by the next ones.
    ///
    /// # Errors
    ///
    /// Returns an error if AUTH is not offered, no mechanism is common, the login is refused, or
    /// the conversation breaks.
    pub fn auth<E: From<Error>>(
        mut self,
        attempts: impl IntoIterator<Item = Result<Credentials, E>>,
    ) -> Result<Session<Authenticated, S>, E> {
        let mut refused = None;
        for credentials in attempts {
            match self.attempt(&credentials?) {
                Ok(()) => {
                    let Self { wire, name, offered, .. } = self;
                    return Ok(Session::new(wire, name, offered));
                }
                Err(Error::Login { refusal, explanation }) if !refusal.is_temporary() => {
                    refused = Some(Error::Login { refusal, explanation });
                }
                // A server that hangs up after a refusal has said what matters before.
                Err(error) => return Err(refused.unwrap_or(error).into()),
            }
        }
        Err(refused.unwrap_or(wire::Error::Bug("a login without credentials").into()).into())
    }

    /// The mechanism that would be tried first with these credentials.
    ///
    /// # Errors
    ///
    /// Returns an error if none is common to both sides, or AUTH is not offered.
    pub fn mechanism(&self, credentials: &Credentials) -> Result<Mechanism, Error> {
        let offered = &self.offered.auth;
        if offered.is_empty() {
            return Err(Error::Missing(Extension::Auth));
        }
        let negotiation = self.negotiation(credentials)?;
        // A negotiation without a candidate is an error.
        negotiation.mechanism().ok_or(wire::Error::Bug("a login without a mechanism").into())
    }

    fn negotiation<'a>(&self, credentials: &'a Credentials) -> Result<Negotiation<'a>, Error> {
        let binding = self.wire.stream().binding();
        Ok(Negotiation::new(&self.offered.auth, credentials, binding, None)?)
    }

    /// Tries one mechanism after the other, until one is accepted or a refusal is final.
    fn attempt(&mut self, credentials: &Credentials) -> Result<(), Error> {
        self.mechanism(credentials)?;
        credentials.key.secret().into_iter().for_each(|secret| self.wire.conceal(secret.expose()));
        let mut negotiation = self.negotiation(credentials)?;
        let mut refused = None;
        while let Some(mut login) = negotiation.begin() {
            match self.auth_by(&mut login) {
                Err(error @ Error::Login { .. }) => {
                    let Error::Login { refusal, .. } = &error else { continue };
                    let left_open = match refusal.code {
                        500..=504 => Refused::Mechanism,
                        _ if refusal.is_temporary() => return Err(error),
                        _ => Refused::Credentials,
                    };
                    negotiation.refused(&login, left_open);
                    refused = Some(error);
                }
                // A server that hangs up after a refusal has said what matters before.
                Err(Error::Wire(error)) => return Err(refused.unwrap_or(Error::Wire(error))),
                outcome => return outcome,
            }
        }
        Err(refused.unwrap_or(wire::Error::Bug("a login without a mechanism").into()))
    }

    fn auth_by(&mut self, login: &mut Login) -> Result<(), Error> {
        const AUTH: &str = "AUTH";
        let mut command = Command::new(AUTH).arg(login.mechanism().name());
        let room = limits::SMTP_COMMAND.saturating_sub(command.octets() + 1);
        if let Some(response) = login.initial_response(room) {
            command = command.secret(response.expose());
        }
        loop {
            let reply = self.wire.say_and_wait(command, Wait::Login)?;
            if reply.code == 334 {
                let challenge = reply.lines.join("");
                command = Command::response(AUTH, login.respond(&challenge)?.expose());
                continue;
            }
            return match reply.accepted(2, AUTH)? {
                Ok(_) => Ok(login.accepted()?),
                Err(refusal) => {
                    let explanation = login.explanation().map(|text| self.wire.masked(text));
                    Err(Error::Login { refusal, explanation })
                }
            };
        }
    }
}
