//! The login (RFC 1939 §7, RFC 5034): mechanisms in order, and what may go in flight behind the last
//! command to a server that is known to take it.

use std::cell::{OnceCell, RefCell};
use std::marker::PhantomData;

use super::super::Error;
use super::super::profile::{Pace, Profile};
use super::super::reply::{Capabilities, Code, Pop3, Refusal, Reply};
use super::super::window::Retrs;
use super::{
    Authorization, Capa, List, Listing, Prefetch, Session, Sizes, Taker, Transaction, UidListing,
    Uidl,
};
use crate::limits;
use crate::sasl::{Credentials, Key, Login, Mechanism, Negotiation, Refused};
use crate::wire::{self, Body, Command, Exchange, Phase, Private, Wait};

/// The pace of a session and the knowledge it starts from.
#[derive(Clone, Debug)]
pub struct Approach {
    /// The extent to which commands are sent ahead of replies.
    pub pace: Pace,
    /// The knowledge of the server.
    pub profile: Profile,
    /// The messages that may be asked for at once.
    pub retrs: Retrs,
}

impl Approach {
    /// The approach to a server that was never met before.
    pub fn cautious() -> Self {
        let profile = Profile::default();
        Self { pace: Pace::Pipelined, profile, retrs: Retrs::NEW }
    }
}

impl<S: Private> Session<Authorization, S> {
    /// Ends a session in which no login was tried. Nothing depends on whether this arrives.
    pub fn leave(mut self) {
        drop(self.wire.send_only(&Command::new("QUIT")));
    }

    /// Logs in: with the mechanism that is known to succeed, else with the strongest that both sides
    /// know, which may be USER and PASS (RFC 1939 §7), and with the next one where a refusal leaves
    /// that open ([`Negotiation`]). Credentials that are refused are followed by the next ones. The
    /// listings in `ahead` are asked for in the same flight if the approach says so: the unique-ids,
    /// which go to `listing` then, and the sizes if they decide what is retrieved.
    ///
    /// [`Error::SentAhead`] and [`Error::CapabilitiesChanged`] mean that the approach was wrong, and
    /// that a new session with another one may succeed.
    ///
    /// # Errors
    ///
    /// Returns an error if no mechanism is common, the login is refused, or the conversation
    /// breaks.
    pub fn login<E: From<Error>>(
        mut self,
        attempts: impl IntoIterator<Item = Result<Credentials, E>>,
        ahead: Prefetch,
        listing: &mut dyn Listing,
    ) -> Result<Session<Transaction, S>, E> {
        self.ahead = ahead;
        let (mut refused, listing) = (None, RefCell::new(listing));
        for credentials in attempts {
            let credentials = credentials?;
            self.is_pinned = credentials.auth.is_some();
            match self.negotiate(&credentials, &listing) {
                Ok(mechanism) => return Ok(self.logged_in(mechanism)),
                Err(error) if error.is_about_credentials() && !self.is_out_of_step => {
                    refused = Some(error);
                }
                // A server that hangs up after a refusal has said what matters before.
                Err(error) => return Err(refused.unwrap_or(error).into()),
            }
        }
        Err(refused.unwrap_or(wire::Error::Bug("a login without credentials").into()).into())
    }

    /// The mechanism that is tried first with these credentials.
    ///
    /// # Errors
    ///
    /// Returns an error if none is common to both sides.
    pub fn mechanism(&self, credentials: &Credentials) -> Result<Mechanism, Error> {
        let negotiation = self.negotiation(credentials)?;
        // A negotiation without a candidate is an error.
        negotiation.mechanism().ok_or(wire::Error::Bug("a login without a mechanism").into())
    }

    fn logged_in(self, mechanism: Mechanism) -> Session<Transaction, S> {
        Session {
            wire: self.wire,
            offered: self.offered,
            approach: self.approach,
            is_capa_due: self.is_capa_due,
            is_out_of_step: self.is_out_of_step,
            uids: self.uids,
            sizes: self.sizes,
            ahead: self.ahead,
            mechanism: Some(mechanism),
            is_pinned: self.is_pinned,
            listing: self.listing,
            in_flight: self.in_flight,
            is_refusing: self.is_refusing,
            state: PhantomData,
        }
    }

    fn negotiation<'a>(&self, credentials: &'a Credentials) -> Result<Negotiation<'a>, Error> {
        let mut offered = self.offered.mechanisms();
        if credentials.auth == Some(Mechanism::User) {
            // The user decided on it, so the server need not announce it.
            offered.push(Mechanism::User.name().to_owned());
        }
        let known = self.approach.profile.mechanism(&credentials.key, &self.offered);
        let binding = self.wire.stream().binding();
        Ok(Negotiation::new(&offered, credentials, binding, known)?)
    }

    /// Tries one mechanism after the other, until one is accepted or a refusal is final. Of several
    /// refusals, the last one about the credentials is returned.
    fn negotiate(
        &mut self,
        credentials: &Credentials,
        listing: &Taker<'_>,
    ) -> Result<Mechanism, Error> {
        let mut negotiation = self.negotiation(credentials)?;
        credentials.key.secret().into_iter().for_each(|secret| self.wire.conceal(secret.expose()));
        let (mut refused, mut mechanisms) = (None, 0);
        while let Some(mut login) = negotiation.begin() {
            let outcome = match login.mechanism() {
                Mechanism::User => self.user_and_pass(credentials, listing),
                _ => self.auth(&mut login, listing),
            };
            let refusal = match outcome {
                Ok(Ok(())) => return Ok(login.mechanism()),
                Ok(Err(refusal)) => refusal,
                // What a server does wrong in a mechanism is worse than a refusal.
                Err(error @ Error::Sasl(_)) => return Err(error),
                Err(error) => return Err(refused.unwrap_or(error)),
            };
            let LoginRefusal { refusal, explanation, is_of_user } = refusal;
            let left_open = match refusal.code {
                Some(Code::Auth) => Some(Refused::Credentials),
                None if !refusal.is_temporary() => Some(Refused::Either),
                _ => None,
            };
            mechanisms += 1;
            // A server that knows no USER has said more about the login before.
            let (refusal, explanation) = match refused.take() {
                Some(Error::Login { refusal, explanation, .. }) if is_of_user => {
                    (refusal, explanation)
                }
                _ => (refusal, explanation),
            };
            refused = Some(Error::Login { refusal, explanation, mechanisms });
            match left_open {
                Some(left_open) if !self.is_out_of_step => negotiation.refused(&login, left_open),
                _ => break,
            }
        }
        Err(refused.unwrap_or(wire::Error::Bug("a login without a mechanism").into()))
    }

    fn user_and_pass(
        &mut self,
        credentials: &Credentials,
        listing: &Taker<'_>,
    ) -> Result<Result<(), LoginRefusal>, Error> {
        let Key::Password(password) = &credentials.key else {
            return Err(wire::Error::Bug("USER and PASS without a password").into());
        };
        let user = Command::new("USER").arg(&credentials.user);
        let pass = Command::new("PASS").secret(password.expose());
        let listings = self.listings(listing);
        let replies = if self.window() > 1 {
            self.flight(vec![user, pass], listings)?
        } else {
            let mut replies = self.flight(vec![user], Vec::new())?;
            if replies.iter().all(Reply::is_ok) {
                replies.extend(self.flight(vec![pass], listings)?);
            }
            replies
        };
        // USER's refusal comes first and says more than the PASS that it spoils.
        let mut refusals = replies.into_iter().map(Reply::accepted).enumerate();
        let refused = refusals.find_map(|(at, reply)| Some((at, reply.err()?)));
        Ok(refused.map_or(Ok(()), |(at, refusal)| {
            Err(LoginRefusal { refusal, explanation: None, is_of_user: at == 0 })
        }))
    }

    fn auth(
        &mut self,
        login: &mut Login,
        listing: &Taker<'_>,
    ) -> Result<Result<(), LoginRefusal>, Error> {
        let mut command = auth(login);
        loop {
            let is_last = login.is_said_out();
            let listings = if is_last { self.listings(listing) } else { Vec::new() };
            match self.flight(vec![command], listings)?.pop() {
                Some(Reply::Ok(_)) => return Ok(Ok(login.accepted()?)),
                Some(Reply::Continue(challenge)) => {
                    let response = login.respond(&challenge)?;
                    command = Command::response("AUTH", response.expose());
                }
                Some(Reply::Err(refusal)) => {
                    let explanation = login.explanation().map(|text| self.wire.masked(text));
                    return Ok(Err(LoginRefusal { refusal, explanation, is_of_user: false }));
                }
                // One command has one answer, or an error has ended all this before.
                None => return Err(wire::Error::Bug("AUTH without an answer").into()),
            }
        }
    }

    /// The listings that are asked for behind the last word of a login.
    fn listings<'a, 'b>(&self, listing: &'a Taker<'b>) -> Vec<LoginFlight<'a, 'b>> {
        let uidl = LoginFlight::Uidl(Wait::SentAhead, listing);
        match self.ahead {
            _ if self.approach.pace < Pace::BehindLogin || self.window() == 1 => Vec::new(),
            // One that is not announced may be refused, and that must not look like a lost command.
            _ if !self.offered.uidl => Vec::new(),
            Prefetch::Uids => vec![uidl],
            Prefetch::UidsAndSizes => vec![uidl, LoginFlight::List(Wait::SentAhead)],
        }
    }

    /// Sends words of a login in one flight, and with them CAPA if that is due, and these listings;
    /// returns the replies to the words. A listing counts only if the login was accepted.
    fn flight(
        &mut self,
        words: Vec<Command>,
        listings: Vec<LoginFlight<'_, '_>>,
    ) -> Result<Vec<Reply>, Error> {
        let capa = std::mem::take(&mut self.is_capa_due);
        let (number, window) = (words.len(), self.window());
        let (capas, is_listing) = (capa.then_some(LoginFlight::Capa), !listings.is_empty());
        let words = words.into_iter().map(LoginFlight::Word);
        let flight = capas.into_iter().chain(words).chain(listings);
        let expected = &self.offered;
        let (mut replies, mut uids, mut sizes) = (Vec::new(), None, None);
        let heard = self.wire.exchange_each(&window, flight, |answer| {
            match answer {
                LoginFlightReply::Capa(offered) if offered == *expected => {}
                LoginFlightReply::Capa(_) => return Err(Error::CapabilitiesChanged),
                LoginFlightReply::Word(reply) => replies.push(reply),
                LoginFlightReply::Uids(listing) => uids = Some(listing),
                LoginFlightReply::Sizes(listing) => sizes = listing.ok(),
            }
            Ok::<_, Error>(())
        });
        let is_refused = replies.iter().any(|reply| matches!(reply, Reply::Err(_)));
        let is_asked = matches!(replies.last(), Some(Reply::Continue(_)));
        let failed = match heard {
            Err(error) => error,
            Ok(()) if is_refused || is_asked && !is_listing => return Ok(replies),
            // The server took the listing's command for the answer to its challenge.
            Ok(()) if is_asked => wire::Error::Leftover(Phase::Answer("AUTH")).into(),
            Ok(()) => match uids.transpose() {
                Ok(uids) => {
                    self.uids = uids;
                    self.sizes = sizes.map(OnceCell::from).unwrap_or_default();
                    self.listing = self.wire.stream().waited();
                    return Ok(replies);
                }
                // The server knows the command, so it did not see it as such.
                Err(refusal) => {
                    self.is_out_of_step = true;
                    let error = Error::Refused { command: "UIDL", refusal };
                    let (pace, is_logged_in) = (Pace::BehindLogin, true);
                    return Err(Error::SentAhead { pace, is_logged_in, error: error.into() });
                }
            },
        };
        self.is_out_of_step = true;
        let is_answered = replies.len() == number && !is_asked;
        match failed {
            // A server that hangs up after a refusal has said what matters before.
            _ if is_refused => Ok(replies),
            Error::CapabilitiesChanged => Err(failed),
            _ if capa && replies.len() < number => Err(failed.sent_ahead(Pace::BehindCapa, false)),
            _ if is_listing => Err(failed.sent_ahead(Pace::BehindLogin, is_answered)),
            _ if number > 1 => Err(failed.sent_ahead(Pace::Pipelined, is_answered)),
            _ => Err(failed),
        }
    }
}

/// A login that was refused.
struct LoginRefusal {
    refusal: Refusal,
    /// The server's explanation of a refused token.
    explanation: Option<String>,
    /// True if USER was refused, before a password was sent.
    is_of_user: bool,
}

/// AUTH with the initial response on the same line if it fits there (RFC 5034 §4, RFC 2449 §4).
fn auth(login: &mut Login) -> Command {
    let mechanism = login.mechanism();
    let bare = Command::new("AUTH").arg(mechanism.name());
    let room = match mechanism {
        // Microsoft's servers hang up on a token here, and all others wait for it.
        Mechanism::Xoauth2 => 0,
        _ => limits::POP3_COMMAND.saturating_sub(bare.octets() + 1),
    };
    match login.initial_response(room) {
        Some(response) => bare.secret(response.expose()),
        None => bare,
    }
}

/// A command in a flight with the words of a login.
pub(super) enum LoginFlight<'a, 'b> {
    Capa,
    Word(Command),
    Uidl(Wait, &'a Taker<'b>),
    List(Wait),
}

pub(super) enum LoginFlightReply {
    Capa(Capabilities),
    Word(Reply),
    Uids(Result<UidListing, Refusal>),
    Sizes(Result<Sizes, Refusal>),
}

impl Exchange for LoginFlight<'_, '_> {
    type Grammar = Pop3;
    type Answer = LoginFlightReply;
    type Error = Error;

    fn command(&self) -> Command {
        match self {
            Self::Capa => Capa.command(),
            Self::Word(command) => command.clone(),
            Self::Uidl(_, listing) => Uidl(listing).command(),
            Self::List(_) => List.command(),
        }
    }

    fn wait(&self) -> Wait {
        match self {
            Self::Capa => Wait::Reply,
            Self::Word(_) => Wait::Login,
            Self::Uidl(wait, _) | Self::List(wait) => *wait,
        }
    }

    fn answer(self, reply: Reply, body: Body<'_>) -> Result<LoginFlightReply, Error> {
        match self {
            Self::Capa => Capa.answer(reply, body).map(LoginFlightReply::Capa),
            Self::Word(_) => Ok(LoginFlightReply::Word(reply)),
            Self::Uidl(_, listing) => Uidl(listing).answer(reply, body).map(LoginFlightReply::Uids),
            Self::List(_) => List.answer(reply, body).map(LoginFlightReply::Sizes),
        }
    }
}
