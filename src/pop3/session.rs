//! The session as a typestate: what a state does not allow does not compile.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::time::Duration;

use super::profile::{Pace, Profile, Shown};
use super::reply::{Capabilities, Code, Pop3, Refusal, Reply};
use super::{Error, Feature};
use crate::limits;
use crate::sasl::{Credentials, Key, Login, Mechanism, Negotiation, Refused};
use crate::store::{Measured, Saved};
use crate::text::{self, Identified, Uid, shown};
use crate::wire::{
    self, Body, Command, Exchange, Malformed, Phase, Private, Stream, Trace, Wait, Wire,
};

/// A conversation in the state `State` over the stream `S`.
///
/// Logging in takes a private stream. This compiles:
///
/// ```
/// use postie::{pop3, sasl::Credentials, tls::TlsStream as Stream};
/// fn login(session: pop3::Session<pop3::Authorization, Stream>, ann: Credentials) {
///     let _ = session.login::<pop3::Error>([Ok(ann)], pop3::Prefetch::Uids);
/// }
/// ```
///
/// and on a bare TCP stream it does not:
///
/// ```compile_fail
/// use postie::{pop3, sasl::Credentials, net::Tcp as Stream};
/// fn login(session: pop3::Session<pop3::Authorization, Stream>, ann: Credentials) {
///     let _ = session.login::<pop3::Error>([Ok(ann)], pop3::Prefetch::Uids);
/// }
/// ```
pub struct Session<State, S> {
    wire: Wire<Pop3, S>,
    /// The server's capabilities; those it offered last while CAPA is still to be sent.
    offered: Capabilities,
    approach: Approach,
    /// True while CAPA is to be sent together with the login.
    is_capa_due: bool,
    /// True once a reply is missing or one too many may come: no further reply can be believed.
    is_out_of_step: bool,
    /// The unique-ids, if they came with the answer to the login already.
    uids: Option<UidListing>,
    /// The sizes by LIST, once they were asked for.
    sizes: OnceCell<Sizes>,
    /// The listings that are asked for first.
    ahead: Prefetch,
    /// The mechanism of the accepted login.
    mechanism: Option<Mechanism>,
    /// True if the user chose the mechanism, so that it says nothing about others.
    is_pinned: bool,
    /// The time from the login to the end of the listing.
    listing: Duration,
    /// True if several commands were answered in one flight after the login.
    in_flight: bool,
    state: PhantomData<State>,
}

/// The pace of a session and the knowledge it starts from.
#[derive(Clone, Debug)]
pub struct Approach {
    /// The extent to which commands are sent ahead of replies.
    pub pace: Pace,
    /// The knowledge of the server.
    pub profile: Profile,
}

impl Approach {
    /// The approach to a server that was never met before.
    pub fn cautious() -> Self {
        Self { pace: Pace::Pipelined, profile: Profile::default() }
    }
}

/// Greeted, not logged in (RFC 1939 §4).
#[derive(Debug)]
pub enum Authorization {}

/// Logged in; the mailbox is locked and its messages are numbered (RFC 1939 §5).
#[derive(Debug)]
pub enum Transaction {}

/// A message's number, good for one session (RFC 1939 §5).
pub type Number = u32;

impl<S: Stream> Session<Authorization, S> {
    /// Waits for the greeting and asks what the server offers; or leaves that for the flight of the
    /// login, if the approach says so.
    ///
    /// # Errors
    ///
    /// Returns an error if the server turns the connection away, or the conversation breaks.
    pub fn open(stream: S, trace: Option<Trace>, approach: Approach) -> Result<Self, Error> {
        let mut wire = Wire::<Pop3, S>::new(stream, trace);
        wire.greeting()?.accepted().map_err(Error::TurnedAway)?;
        Self::ask_capabilities(wire, approach)
    }

    /// Starts TLS (RFC 2595 §4): `upgrade` makes the handshake. Capabilities learnt before are
    /// discarded, since an attacker could have sent them.
    ///
    /// # Errors
    ///
    /// Returns an error if STLS is not offered or refused, if octets came before TLS, or if the
    /// handshake fails.
    pub fn stls<T: Stream, E: From<Error>>(
        mut self,
        upgrade: impl FnOnce(S) -> Result<T, E>,
        approach: Approach,
    ) -> Result<Session<Authorization, T>, E> {
        if !self.offered.stls {
            return Err(Error::Missing(Feature::Stls).into());
        }
        self.wire
            .command(Command::new("STLS"))
            .map_err(Error::from)?
            .accepted()
            .map_err(|refusal| Error::Refused { command: "STLS", refusal })?;
        let (stream, trace) = self.wire.into_stream("STLS").map_err(Error::from)?;
        Ok(Session::ask_capabilities(Wire::new(upgrade(stream)?, trace), approach)?)
    }

    fn ask_capabilities(mut wire: Wire<Pop3, S>, approach: Approach) -> Result<Self, Error> {
        let may_wait =
            |known: &&Capabilities| known.pipelining && approach.pace == Pace::BehindCapa;
        let expected = approach.profile.capabilities().filter(may_wait);
        let (offered, is_capa_due) = match expected {
            Some(expected) => (expected.clone(), true),
            None => (wire.exchange(Capa)?, false),
        };
        let in_flight = approach.profile.is_known_to_pipeline();
        Ok(Self {
            wire,
            offered,
            approach,
            is_capa_due,
            is_out_of_step: false,
            uids: None,
            sizes: OnceCell::new(),
            ahead: Prefetch::Uids,
            mechanism: None,
            is_pinned: false,
            listing: Duration::ZERO,
            in_flight,
            state: PhantomData,
        })
    }
}

impl<S: Private> Session<Authorization, S> {
    /// Logs in: with the mechanism that is known to succeed, else with the strongest that both sides
    /// know, which may be USER and PASS (RFC 1939 §7), and with the next one where a refusal leaves
    /// that open ([`Negotiation`]). Credentials that are refused are followed by the next ones. The
    /// listings in `ahead` are asked for in the same flight if the approach says so: the unique-ids,
    /// and the sizes if they decide what is retrieved.
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
    ) -> Result<Session<Transaction, S>, E> {
        self.ahead = ahead;
        let mut refused = None;
        for credentials in attempts {
            let credentials = credentials?;
            self.is_pinned = credentials.auth.is_some();
            match self.negotiate(&credentials) {
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
    fn negotiate(&mut self, credentials: &Credentials) -> Result<Mechanism, Error> {
        let mut negotiation = self.negotiation(credentials)?;
        credentials.key.secret().into_iter().for_each(|secret| self.wire.conceal(secret.expose()));
        let (mut refused, mut mechanisms) = (None, 0);
        while let Some(mut login) = negotiation.begin() {
            let outcome = match login.mechanism() {
                Mechanism::User => self.user_and_pass(credentials),
                _ => self.auth(&mut login),
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
    ) -> Result<Result<(), LoginRefusal>, Error> {
        let Key::Password(password) = &credentials.key else {
            return Err(wire::Error::Bug("USER and PASS without a password").into());
        };
        let user = Command::new("USER").arg(&credentials.user);
        let pass = Command::new("PASS").secret(password.expose());
        let listings = self.listings();
        let replies = if self.window() > 1 {
            self.flight(vec![user, pass], listings)?
        } else {
            let mut replies = self.flight(vec![user], &[])?;
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

    fn auth(&mut self, login: &mut Login) -> Result<Result<(), LoginRefusal>, Error> {
        let mut command = auth(login);
        loop {
            let listings = if login.is_said_out() { self.listings() } else { &[] };
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
    fn listings(&self) -> &'static [LoginFlight] {
        match self.ahead {
            _ if self.approach.pace < Pace::BehindLogin || self.window() == 1 => &[],
            // One that is not announced may be refused, and that must not look like a lost command.
            _ if !self.offered.uidl => &[],
            Prefetch::Uids => &[LoginFlight::Uidl(Wait::SentAhead)],
            Prefetch::UidsAndSizes => {
                &[LoginFlight::Uidl(Wait::SentAhead), LoginFlight::List(Wait::SentAhead)]
            }
        }
    }

    /// Sends words of a login in one flight, and with them CAPA if that is due, and these listings;
    /// returns the replies to the words. A listing counts only if the login was accepted.
    fn flight(
        &mut self,
        words: Vec<Command>,
        listings: &[LoginFlight],
    ) -> Result<Vec<Reply>, Error> {
        let capa = std::mem::take(&mut self.is_capa_due);
        let (number, window) = (words.len(), self.window());
        let capas = capa.then_some(LoginFlight::Capa).into_iter();
        let flight =
            capas.chain(words.into_iter().map(LoginFlight::Word)).chain(listings.iter().cloned());
        let expected = &self.offered;
        let (mut replies, mut uids, mut sizes) = (Vec::new(), None, None);
        let heard = self.wire.exchange_each(window, flight, |answer| {
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
            Ok(()) if is_refused || is_asked && listings.is_empty() => return Ok(replies),
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
                    return Err(Error::SentAhead { pace: Pace::BehindLogin, error: error.into() });
                }
            },
        };
        self.is_out_of_step = true;
        match failed {
            // A server that hangs up after a refusal has said what matters before.
            _ if is_refused => Ok(replies),
            Error::CapabilitiesChanged => Err(failed),
            _ if capa && replies.len() < number => Err(failed.sent_ahead(Pace::BehindCapa)),
            _ if !listings.is_empty() => Err(failed.sent_ahead(Pace::BehindLogin)),
            _ if number > 1 => Err(failed.sent_ahead(Pace::Pipelined)),
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

impl<State, S: Stream> Session<State, S> {
    /// The server's capabilities.
    pub fn offered(&self) -> &Capabilities {
        &self.offered
    }

    /// The number of commands that may be in flight.
    fn window(&self) -> usize {
        let may_pipeline = self.offered.pipelining && self.approach.pace > Pace::OneByOne;
        if may_pipeline { limits::POP3_WINDOW } else { 1 }
    }
}

impl<S: Private> Session<Transaction, S> {
    /// All messages of the maildrop, in the server's order. Those without a valid unique-id have
    /// none. A server that does not know the command is asked for the messages' numbers alone.
    ///
    /// # Errors
    ///
    /// Returns an error if UIDL is refused though it is needed, or the conversation breaks.
    pub fn list(&mut self, uids: UniqueIds) -> Result<Vec<ScanListing>, Error> {
        let answer = match self.uids.take() {
            Some(listing) => Ok(listing),
            None => self.ask_listings()?,
        };
        match answer {
            Ok(UidListing { listed, invalid: Some(what) })
                if uids.are_needed && listed.iter().all(|listed| listed.uid.is_none()) =>
            {
                Err(wire::Error::Malformed { phase: Phase::Text("UIDL"), what }.into())
            }
            Ok(UidListing { listed, .. }) => Ok(listed),
            Err(Refusal { code: None, .. }) if !uids.are_known && !self.offered.uidl => {
                Ok(self.sizes()?.listed().collect())
            }
            Err(refusal) => Err(Error::Refused { command: "UIDL", refusal }),
        }
    }

    /// UIDL, and in the same flight LIST if sizes decide what is retrieved.
    fn ask_listings(&mut self) -> Result<Result<UidListing, Refusal>, Error> {
        let window = self.window();
        let needs_sizes = self.ahead == Prefetch::UidsAndSizes && window > 1;
        let list = needs_sizes.then_some(LoginFlight::List(Wait::Reply));
        let (mut uids, mut sizes) = (None, None);
        let flight = [LoginFlight::Uidl(Wait::Login)].into_iter().chain(list);
        self.wire.exchange_each(window, flight, |answer| {
            match answer {
                LoginFlightReply::Uids(listing) => uids = Some(listing),
                LoginFlightReply::Sizes(listing) => sizes = listing.ok(),
                LoginFlightReply::Capa(_) | LoginFlightReply::Word(_) => {}
            }
            Ok::<_, Error>(())
        })?;
        self.listing = self.wire.stream().waited();
        self.sizes = sizes.map(OnceCell::from).unwrap_or_default();
        // The flight ended well, so UIDL was answered.
        uids.ok_or(wire::Error::Bug("UIDL without an answer").into())
    }

    /// The observations of this session so far.
    pub fn shown(&self) -> Shown {
        Shown {
            capabilities: self.offered.clone(),
            mechanism: self.mechanism.filter(|_| !self.is_pinned),
            pace: self.approach.pace,
            listing: self.listing,
            in_flight: self.in_flight,
        }
    }

    /// The mechanism that the login succeeded with.
    pub fn mechanism(&self) -> Option<Mechanism> {
        self.mechanism
    }

    /// The sizes of the messages, asked for once (LIST).
    ///
    /// # Errors
    ///
    /// Returns an error if LIST is refused or the conversation breaks.
    pub fn sizes(&mut self) -> Result<&Sizes, Error> {
        let known = self.sizes.take();
        let sizes = known.map_or_else(|| accepted(self.wire.exchange(List)?), Ok)?;
        Ok(self.sizes.get_or_init(|| sizes))
    }

    /// Retrieves messages, as many in flight as the server allows, and in front of them their sizes
    /// unless those are known. A text of more than `most` octets ends the session, even if
    /// its listed size is smaller. `measured` is told the sizes, `draft` makes the place each message goes
    /// to when its text comes, and `each` is told how it went, in order.
    ///
    /// A message is handed over once the octets behind its final dot have turned out to be the reply
    /// to the next command, which behind the last one is NOOP: a server that does not stuff dots, or
    /// whose replies overtake its texts, would otherwise pass a part of a message for the whole
    /// ([`Error::Torn`]). An error with which the server ended the session in the middle of a message
    /// names that message ([`Error::InMessage`]).
    ///
    /// # Errors
    ///
    /// Returns the error of `each`, or the one that ended the session.
    pub fn retr_each<D: Write, E: From<Error>>(
        &mut self,
        wanted: impl IntoIterator<Item = ScanListing>,
        most: u64,
        measured: impl Fn(&Sizes),
        draft: impl Fn() -> D,
        mut each: impl FnMut(Result<Retrieved<D>, RetrRefused>) -> Result<(), E>,
    ) -> Result<(), E> {
        let window = self.window();
        let (sizes, draft) = (&self.sizes, &draft);
        sizes.get().iter().copied().for_each(&measured);
        let (unconfirmed, each) = (Cell::new(None::<Retrieved<D>>), RefCell::new(&mut each));
        let confirm = || match unconfirmed.take() {
            Some(whole) => each.borrow_mut()(Ok(whole)).map_err(Interrupted::ByCaller),
            None => Ok(()),
        };
        // What was asked for and not answered to its end, and how much of the first of these came.
        let (asked, arrived) = (RefCell::new(VecDeque::new()), Cell::new(0));
        let list = sizes.get().is_none().then_some(RetrFlight::List(sizes));
        let retr = |listed: ScanListing| {
            asked.borrow_mut().push_back(listed.clone());
            RetrFlight::Retr(Retr { listed, sizes, draft, most, arrived: &arrived })
        };
        let flight = list.into_iter().chain(wanted.into_iter().map(retr)).chain([RetrFlight::Noop]);
        let flight = flight.map(|exchange| Confirming { exchange, confirm: &confirm });
        let ended = self.wire.exchange_each(window, flight, |reply| match reply {
            RetrFlightReply::Sizes(sizes) => {
                measured(sizes);
                Ok(())
            }
            RetrFlightReply::Message(outcome) => {
                asked.borrow_mut().pop_front();
                match outcome {
                    Ok(retrieved) => {
                        unconfirmed.set(Some(retrieved));
                        Ok(())
                    }
                    Err(refused) => each.borrow_mut()(Err(refused)).map_err(Interrupted::ByCaller),
                }
            }
            RetrFlightReply::Noop => Ok(()),
        });
        let is_unproven = window > 1 && !self.in_flight;
        self.in_flight |= window > 1 && ended.is_ok();
        ended.map_err(|interrupted| match (interrupted, unconfirmed.take()) {
            (Interrupted::ByCaller(error), _) => error,
            (Interrupted::ByServer(Error::Wire(error)), Some(torn)) if error.is_no_reply() => {
                Error::Torn.in_message(torn.listed, torn.octets).into()
            }
            // A line that breaks in a text is just that.
            (Interrupted::ByServer(error), _) if is_unproven && !error.is_in_text() => {
                error.sent_ahead(Pace::Pipelined).into()
            }
            // Without the sizes, none of them was answered yet.
            (Interrupted::ByServer(error), _) if sizes.get().is_none() => error.into(),
            (Interrupted::ByServer(error), whole) => match (asked.take().pop_front(), whole) {
                (Some(listed), _) => error.in_message(listed, arrived.get()).into(),
                (None, Some(whole)) => error.in_message(whole.listed, whole.octets).into(),
                (None, None) => error.into(),
            },
        })
    }

    /// Asks for these messages' deletion, in the order of their numbers, and ends the session, in one
    /// flight; the server deletes
    /// when it accepts QUIT and not before (RFC 1939 §6).
    ///
    /// # Errors
    ///
    /// Returns an error if QUIT is refused or its reply is lost: then nothing is known to be
    /// deleted.
    pub fn quit(
        mut self,
        deletable: impl IntoIterator<Item = Deletable>,
    ) -> Result<Vec<DeleteResult>, Error> {
        let window = self.window();
        let mut partings = Vec::new();
        let mut deletable: Vec<_> = deletable.into_iter().collect();
        deletable.sort_unstable_by_key(|Deletable(listed)| listed.number);
        let exchanges = deletable.into_iter().map(QuitFlight::Dele).chain([QuitFlight::Quit]);
        self.wire.exchange_each(window, exchanges, |answer| {
            match answer {
                QuitFlightReply::Dele(parting) => partings.push(parting),
                QuitFlightReply::Quit(Ok(_)) => {}
                QuitFlightReply::Quit(Err(refusal)) => {
                    return Err(Error::Refused { command: "QUIT", refusal });
                }
            }
            Ok(())
        })?;
        Ok(partings)
    }

    /// Ends a session in which nothing was deleted. Nothing depends on whether this arrives, so no
    /// answer is waited for.
    pub fn abandon(mut self) {
        drop(self.wire.send_only(&Command::new("QUIT")));
    }
}

/// A message as the server lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanListing {
    /// The message-number in this session.
    pub number: Number,
    /// The unique-id; `None` if the server gave no valid one.
    pub uid: Option<Uid>,
}

impl Identified for ScanListing {
    fn uid(&self) -> Option<&Uid> {
        self.uid.as_ref()
    }
}

/// The caller's need for unique-ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UniqueIds {
    /// Messages stay on the server, and without them would be retrieved again and again.
    pub are_needed: bool,
    /// The server has told them before, so a refusal is a passing one.
    pub are_known: bool,
}

/// The listings that are sent in one flight with a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefetch {
    /// The unique-ids.
    Uids,
    /// The unique-ids and the sizes.
    UidsAndSizes,
}

/// The sizes of the messages of a maildrop (RFC 1939 §5).
#[derive(Clone, Debug)]
pub struct Sizes(Vec<(Number, u64)>);

impl Sizes {
    /// The size of a message in octets as the server counts, if it told. `None` if it did not.
    pub fn of(&self, number: Number) -> Option<u64> {
        let at = self.0.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.0.get(at).map(|(_, size)| *size)
    }

    /// The messages that have one.
    fn listed(&self) -> impl Iterator<Item = ScanListing> {
        self.0.iter().map(|&(number, _)| ScanListing { number, uid: None })
    }
}

/// A message of which the terminating line was seen, with the draft that it was written to: the
/// two travel together, so that one cannot be mistaken for another's.
#[derive(Debug)]
pub struct Retrieved<D> {
    listed: ScanListing,
    draft: D,
    octets: u64,
    size: Option<u64>,
}

impl<D> Retrieved<D> {
    /// The message's entry in the listing.
    pub fn listed(&self) -> &ScanListing {
        &self.listed
    }

    /// The draft it was written to.
    pub fn draft(&self) -> &D {
        &self.draft
    }

    /// Splits into its entry in the listing and the draft.
    pub fn into_parts(self) -> (ScanListing, D) {
        (self.listed, self.draft)
    }

    /// Octets that came, with LF at line ends.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Returns whether the message is so much shorter than listed that a part of it may be missing:
    /// less than half. Servers miscount by a few per cent where they convert messages, and by one
    /// octet for each line.
    pub fn is_short(&self) -> bool {
        let least = self.octets.saturating_mul(2).saturating_add(limits::MISCOUNT);
        self.size.is_some_and(|size| least < size)
    }
}

impl<D: AsMut<T>, T> AsMut<T> for Retrieved<D> {
    fn as_mut(&mut self) -> &mut T {
        self.draft.as_mut()
    }
}

impl<D> Identified for Retrieved<D> {
    fn uid(&self) -> Option<&Uid> {
        self.listed.uid()
    }
}

impl<D> Measured for Retrieved<D> {
    fn size(&self) -> Option<u64> {
        self.size
    }
}

/// A message that the server would not give.
#[derive(Debug)]
pub struct RetrRefused {
    /// The message.
    pub listed: ScanListing,
    /// The refusal.
    pub refusal: Refusal,
}

/// A message that may be deleted, because it is safe on this side. This compiles:
///
/// ```
/// # use postie::{pop3::{Deletable, Retrieved}, store::Saved};
/// fn dele<D>(message: Saved<Retrieved<D>>) -> Deletable { message.into() }
/// ```
///
/// and for a message that is not saved it does not:
///
/// ```compile_fail
/// # use postie::{pop3::{Deletable, Retrieved}, store::Saved};
/// fn dele<D>(message: Retrieved<D>) -> Deletable { message.into() }
/// ```
#[derive(Debug)]
pub struct Deletable(ScanListing);

impl<D> From<Saved<Retrieved<D>>> for Deletable {
    fn from(saved: Saved<Retrieved<D>>) -> Self {
        Self(saved.into_inner().listed)
    }
}

impl From<Saved<ScanListing>> for Deletable {
    fn from(saved: Saved<ScanListing>) -> Self {
        Self(saved.into_inner())
    }
}

impl Identified for Deletable {
    fn uid(&self) -> Option<&Uid> {
        self.0.uid()
    }
}

/// The answer to DELE for one message.
#[derive(Debug)]
pub struct DeleteResult {
    /// The message.
    pub listed: ScanListing,
    /// The refusal, if there was one: the message stays.
    pub refusal: Option<Refusal>,
}

/// CAPA (RFC 2449 §5). A server that does not know it offers nothing, which is an answer too.
struct Capa;

impl Exchange for Capa {
    type Grammar = Pop3;
    type Answer = Capabilities;
    type Error = Error;

    fn command(&self) -> Command {
        Command::new("CAPA")
    }

    fn answer(self, reply: Reply, body: Body<'_>) -> Result<Capabilities, Error> {
        let mut offered = Capabilities::default();
        if let Reply::Ok(_) = reply {
            body.lines(limits::CAPABILITIES, |line| {
                offered.add(line);
                Ok::<_, Error>(())
            })?;
        }
        Ok(offered)
    }
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
#[derive(Clone)]
enum LoginFlight {
    Capa,
    Word(Command),
    Uidl(Wait),
    List(Wait),
}

enum LoginFlightReply {
    Capa(Capabilities),
    Word(Reply),
    Uids(Result<UidListing, Refusal>),
    Sizes(Result<Sizes, Refusal>),
}

impl Exchange for LoginFlight {
    type Grammar = Pop3;
    type Answer = LoginFlightReply;
    type Error = Error;

    fn command(&self) -> Command {
        match self {
            Self::Capa => Capa.command(),
            Self::Word(command) => command.clone(),
            Self::Uidl(_) => Uidl.command(),
            Self::List(_) => List.command(),
        }
    }

    fn wait(&self) -> Wait {
        match self {
            Self::Capa => Wait::Reply,
            Self::Word(_) => Wait::Login,
            Self::Uidl(wait) | Self::List(wait) => *wait,
        }
    }

    fn answer(self, reply: Reply, body: Body<'_>) -> Result<LoginFlightReply, Error> {
        match self {
            Self::Capa => Capa.answer(reply, body).map(LoginFlightReply::Capa),
            Self::Word(_) => Ok(LoginFlightReply::Word(reply)),
            Self::Uidl(_) => Uidl.answer(reply, body).map(LoginFlightReply::Uids),
            Self::List(_) => List.answer(reply, body).map(LoginFlightReply::Sizes),
        }
    }
}

/// The messages that UIDL lists.
struct UidListing {
    listed: Vec<ScanListing>,
    /// The first line without a valid unique-id.
    invalid: Option<Malformed>,
}

/// UIDL (RFC 1939 §7), which a server need not know.
struct Uidl;

impl Exchange for Uidl {
    type Grammar = Pop3;
    type Answer = Result<UidListing, Refusal>;
    type Error = Error;

    fn command(&self) -> Command {
        Command::new("UIDL")
    }

    fn wait(&self) -> Wait {
        Wait::Login
    }

    fn answer(self, reply: Reply, body: Body<'_>) -> Result<Self::Answer, Error> {
        let mut invalid = None;
        // One that is no unique-id does not keep the others from being fetched.
        let listed = |number, uid: &[u8]| {
            let uid = Uid::new(uid).or_else(|| {
                let line = format!("{number} {}", String::from_utf8_lossy(uid));
                invalid.get_or_insert_with(|| unexpected(line.trim()));
                None
            });
            Some(ScanListing { number, uid })
        };
        if let Err(refusal) = reply.accepted() {
            return Ok(Err(refusal));
        }
        let listed = column(body, "UIDL", listed)?;
        Ok(Ok(UidListing { listed, invalid }))
    }
}

/// LIST (RFC 1939 §5).
struct List;

impl Exchange for List {
    type Grammar = Pop3;
    type Answer = Result<Sizes, Refusal>;
    type Error = Error;

    fn command(&self) -> Command {
        Command::new("LIST")
    }

    fn answer(self, reply: Reply, body: Body<'_>) -> Result<Self::Answer, Error> {
        if let Err(refusal) = reply.accepted() {
            return Ok(Err(refusal));
        }
        let mut sizes = column(body, "LIST", |number, text| Some((number, size(text)?)))?;
        // They are sorted already, as every server lists them.
        sizes.sort_unstable_by_key(|(number, _)| *number);
        Ok(Ok(Sizes(sizes)))
    }
}

/// LIST, unlike UIDL, is known to every server.
fn accepted(sizes: Result<Sizes, Refusal>) -> Result<Sizes, Error> {
    sizes.map_err(|refusal| Error::Refused { command: "LIST", refusal })
}

/// Lines of a message number and a value, with blanks of any kind around them. Lines without
/// content are left out.
fn column<T>(
    body: Body<'_>,
    command: &'static str,
    mut entry: impl FnMut(Number, &[u8]) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let mut entries = Vec::new();
    body.lines(limits::LISTING, |line| {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let found = line.split_at_checked(end).and_then(|(number, rest)| {
            entry(text::number(number)?.try_into().ok()?, rest.trim_ascii())
        });
        entries.push(found.ok_or_else(|| {
            let what = unexpected(&String::from_utf8_lossy(line));
            wire::Error::Malformed { phase: Phase::Text(command), what }
        })?);
        Ok::<_, Error>(())
    })?;
    Ok(entries)
}

fn unexpected(line: &str) -> Malformed {
    Malformed(format!("expected a message number and a value, found `{}`", shown(line)))
}

/// Some servers add remarks behind the size, which the standard allows (RFC 1939 §5).
fn size(text: &[u8]) -> Option<u64> {
    text::number(text.split(u8::is_ascii_whitespace).next()?)
}

/// The end of a flight of RETRs.
enum Interrupted<E> {
    ByCaller(E),
    ByServer(Error),
}

impl<E> From<Error> for Interrupted<E> {
    fn from(error: Error) -> Self {
        Self::ByServer(error)
    }
}

impl<E> From<wire::Error> for Interrupted<E> {
    fn from(error: wire::Error) -> Self {
        Self::ByServer(error.into())
    }
}

/// An exchange whose reply confirms, as soon as it is known to be one, what came before it.
struct Confirming<'a, X, E> {
    exchange: X,
    confirm: &'a dyn Fn() -> Result<(), Interrupted<E>>,
}

impl<X: Exchange<Grammar = Pop3, Error = Error>, E> Exchange for Confirming<'_, X, E> {
    type Grammar = Pop3;
    type Answer = X::Answer;
    type Error = Interrupted<E>;

    fn command(&self) -> Command {
        self.exchange.command()
    }

    fn answer(self, reply: Reply, body: Body<'_>) -> Result<X::Answer, Interrupted<E>> {
        (self.confirm)()?;
        Ok(self.exchange.answer(reply, body)?)
    }
}

/// The commands that retrieve messages: LIST unless the sizes are known, RETR for each message, and
/// NOOP, whose reply confirms the end of the last text.
enum RetrFlight<'a, F> {
    List(&'a OnceCell<Sizes>),
    Retr(Retr<'a, F>),
    Noop,
}

enum RetrFlightReply<'a, D> {
    Sizes(&'a Sizes),
    Message(Result<Retrieved<D>, RetrRefused>),
    Noop,
}

impl<'a, D: Write, F: Fn() -> D> Exchange for RetrFlight<'a, F> {
    type Grammar = Pop3;
    type Answer = RetrFlightReply<'a, D>;
    type Error = Error;

    fn command(&self) -> Command {
        match self {
            Self::List(_) => List.command(),
            Self::Retr(retr) => retr.command(),
            Self::Noop => Command::new("NOOP"),
        }
    }

    fn answer(self, reply: Reply, body: Body<'_>) -> Result<Self::Answer, Error> {
        match self {
            Self::List(place) => {
                let sizes = accepted(List.answer(reply, body)?)?;
                Ok(RetrFlightReply::Sizes(place.get_or_init(|| sizes)))
            }
            Self::Retr(retr) => retr.answer(reply, body).map(RetrFlightReply::Message),
            // A refusal is a reply as well.
            Self::Noop => Ok(RetrFlightReply::Noop),
        }
    }
}

/// RETR (RFC 1939 §5), and where the text goes.
struct Retr<'a, F> {
    listed: ScanListing,
    sizes: &'a OnceCell<Sizes>,
    draft: &'a F,
    /// Octets of the longest text that is read to its end.
    most: u64,
    /// Octets of this text that were written to its draft.
    arrived: &'a Cell<u64>,
}

/// A draft that counts what is written to it.
struct Counted<'a, D>(&'a mut D, &'a Cell<u64>);

impl<D: Write> Write for Counted<'_, D> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.0.write(octets)?;
        self.1.update(|before| before.saturating_add(u64::try_from(written).unwrap_or(u64::MAX)));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<D: Write, F: Fn() -> D> Exchange for Retr<'_, F> {
    type Grammar = Pop3;
    type Answer = Result<Retrieved<D>, RetrRefused>;
    type Error = Error;

    fn command(&self) -> Command {
        Command::new("RETR").arg(self.listed.number)
    }

    fn answer(self, reply: Reply, body: Body<'_>) -> Result<Self::Answer, Error> {
        let Self { listed, sizes, draft, most, arrived } = self;
        arrived.set(0);
        if let Err(refusal) = reply.accepted() {
            return Ok(Err(RetrRefused { listed, refusal }));
        }
        let mut draft = draft();
        let size = sizes.get().and_then(|sizes| sizes.of(listed.number));
        let octets = body.copy(most, &mut Counted(&mut draft, arrived))?;
        arrived.set(0);
        Ok(Ok(Retrieved { listed, draft, octets, size }))
    }
}

/// The last flight: DELE for each message, then QUIT.
enum QuitFlight {
    Dele(Deletable),
    Quit,
}

enum QuitFlightReply {
    Dele(DeleteResult),
    Quit(Result<String, Refusal>),
}

impl Exchange for QuitFlight {
    type Grammar = Pop3;
    type Answer = QuitFlightReply;
    type Error = Error;

    fn command(&self) -> Command {
        match self {
            Self::Dele(Deletable(listed)) => Command::new("DELE").arg(listed.number),
            Self::Quit => Command::new("QUIT"),
        }
    }

    fn answer(self, reply: Reply, _: Body<'_>) -> Result<QuitFlightReply, Error> {
        let answer = reply.accepted();
        Ok(match self {
            Self::Dele(Deletable(listed)) => {
                QuitFlightReply::Dele(DeleteResult { listed, refusal: answer.err() })
            }
            Self::Quit => QuitFlightReply::Quit(answer),
        })
    }
}
