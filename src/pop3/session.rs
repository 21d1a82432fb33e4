//! The session as a typestate: what a state does not allow does not compile.

mod listing;
mod login;
mod retrieval;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::io::Write;
use std::marker::PhantomData;
use std::time::Duration;

use self::listing::{List, Taker, UidListing, Uidl, accepted};
pub use self::listing::{Listing, Prefetch, ScanListing, Sizes, UniqueIds};
pub use self::login::Approach;
use self::login::{LoginFlight, LoginFlightReply};
use self::retrieval::{
    Confirming, Interrupted, QuitFlight, QuitFlightReply, Retr, RetrFlight, RetrFlightReply,
};
pub use self::retrieval::{Deletable, DeleteResult, RetrRefused, Retrieved};
use super::profile::{Pace, Shown};
use super::reply::{Capabilities, Pop3, Refusal, Reply};
use super::window::RetrWindow;
use super::{Error, Feature};
use crate::limits;
use crate::sasl::Mechanism;
use crate::text::Uid;
use crate::wire::{self, Body, Command, Disclosure, Exchange, Phase, Private, Stream, Wait, Wire};

/// A conversation in the state `State` over the stream `S`.
///
/// Logging in takes a private stream. This compiles:
///
/// ```
/// use postie::{pop3, sasl::Credentials, tls::TlsStream as Stream};
/// fn login(session: pop3::Session<pop3::Authorization, Stream>, ann: Credentials) {
///     let _ = session.login::<pop3::Error>([Ok(ann)], pop3::Prefetch::Uids, &mut Vec::new());
/// }
/// ```
///
/// and on a bare TCP stream it does not:
///
/// ```compile_fail
/// use postie::{pop3, sasl::Credentials, net::Tcp as Stream};
/// fn login(session: pop3::Session<pop3::Authorization, Stream>, ann: Credentials) {
///     let _ = session.login::<pop3::Error>([Ok(ann)], pop3::Prefetch::Uids, &mut Vec::new());
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
    /// Set if the unique-ids came with the answer to the login already.
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
    /// True if so many messages in a row were refused that all may be.
    is_refusing: bool,
    state: PhantomData<State>,
}

/// The AUTHORIZATION state: greeted, not logged in (RFC 1939 §4).
#[derive(Debug)]
pub enum Authorization {}

/// The TRANSACTION state: logged in, the maildrop locked and its messages numbered (RFC 1939 §5).
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
    pub fn open(
        stream: S,
        disclosure: impl Into<Disclosure>,
        approach: Approach,
    ) -> Result<Self, Error> {
        let mut wire = Wire::<Pop3, S>::new(stream, disclosure);
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
        let (stream, disclosure) = self.wire.into_stream("STLS").map_err(Error::from)?;
        Ok(Session::ask_capabilities(Wire::new(upgrade(stream)?, disclosure), approach)?)
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
            is_refusing: false,
            state: PhantomData,
        })
    }
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
    /// Hands all messages of the maildrop to `listing`, in the server's order, unless the login did.
    /// Those without a valid unique-id have none. A server that does not know the command is asked
    /// for the messages' numbers alone.
    ///
    /// # Errors
    ///
    /// Returns an error if UIDL is refused though it is needed, or the conversation breaks.
    pub fn list(&mut self, uids: UniqueIds, listing: &mut dyn Listing) -> Result<(), Error> {
        let answer = match self.uids.take() {
            Some(found) => Ok(found),
            None => self.ask_listings(listing)?,
        };
        match answer {
            Ok(UidListing { has_uids: false, invalid: Some(what) }) if uids.are_needed => {
                Err(wire::Error::Malformed { phase: Phase::Text("UIDL"), what }.into())
            }
            Ok(_) => Ok(()),
            Err(Refusal { code: None, .. }) if !uids.are_known && !self.offered.uidl => {
                listing.begin();
                self.sizes()?.numbers().for_each(|number| listing.add(number, None));
                Ok(())
            }
            Err(refusal) => Err(Error::Refused { command: "UIDL", refusal }),
        }
    }

    /// UIDL, and in the same flight LIST if sizes decide what is retrieved.
    fn ask_listings(
        &mut self,
        listing: &mut dyn Listing,
    ) -> Result<Result<UidListing, Refusal>, Error> {
        let window = self.window();
        let needs_sizes = self.ahead == Prefetch::UidsAndSizes && window > 1;
        let list = needs_sizes.then_some(LoginFlight::List(Wait::Reply));
        let (mut uids, mut sizes) = (None, None);
        let listing = RefCell::new(listing);
        let flight = [LoginFlight::Uidl(Wait::Login, &listing)].into_iter().chain(list);
        self.wire.exchange_each(&window, flight, |answer| {
            match answer {
                LoginFlightReply::Uids(found) => uids = Some(found),
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
            is_refusing: self.is_refusing,
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

    /// Returns whether a server made a unique-id from a secret that it was told.
    pub fn has_secret(&self, uid: &Uid) -> bool {
        self.wire.secrets().are_in(uid.as_bytes())
    }

    /// Retrieves messages, many in flight if the server allows it, and in front of them their sizes
    /// unless those are known. A text of more than `longest` octets ends the session, even if
    /// its listed size is smaller. `measured` is told the sizes, `draft` makes the place each message goes
    /// to when its text comes, and `each` is told how it went, in order.
    ///
    /// A message is handed over once the octets behind its final dot have turned out to be the reply
    /// to the next command, which behind the last one is NOOP, and no text follows that: a server that
    /// does not stuff dots, or whose replies overtake its texts, would otherwise pass a part of a
    /// message for the whole ([`Error::Torn`]). An error with which the server ended the session in the
    /// middle of a message names that message ([`Error::InMessage`]).
    ///
    /// # Errors
    ///
    /// Returns the error of `each`, or the one that ended the session.
    pub fn retr_each<D: Write, E: From<Error>>(
        &mut self,
        wanted: impl IntoIterator<Item = ScanListing>,
        longest: u64,
        measured: impl Fn(&Sizes),
        draft: impl Fn() -> D,
        mut each: impl FnMut(Result<Retrieved<D>, RetrRefused>) -> Result<(), E>,
    ) -> Result<(), E> {
        let most = self.window();
        let window = RetrWindow::new(self.approach.retrs, most);
        let (sizes, draft) = (&self.sizes, &draft);
        sizes.get().iter().copied().for_each(&measured);
        let (unconfirmed, each) = (Cell::new(None::<Retrieved<D>>), RefCell::new(&mut each));
        let confirm = || match unconfirmed.take() {
            Some(whole) => each.borrow_mut()(Ok(whole)).map_err(Interrupted::ByCaller),
            None => Ok(()),
        };
        // What was asked for and not answered to its end, and how much of the first of these came.
        let (asked, arrived) = (RefCell::new(VecDeque::new()), Cell::new(0));
        let is_refusing = Cell::new(false);
        let list = sizes.get().is_none().then_some(RetrFlight::List(sizes));
        let retr = |listed: ScanListing| {
            let size = sizes.get().and_then(|sizes| sizes.of(listed.number));
            asked.borrow_mut().push_back((listed.clone(), window.asked(size)));
            RetrFlight::Retr(Retr { listed, sizes, draft, longest, arrived: &arrived })
        };
        let flight = list.into_iter().chain(wanted.into_iter().map(retr)).chain([RetrFlight::Noop]);
        let flight = flight.map(|exchange| {
            let is_last = matches!(exchange, RetrFlight::Noop);
            Confirming { exchange, is_last, confirm: &confirm }
        });
        let ended = self.wire.exchange_each(&window, flight, |reply| match reply {
            RetrFlightReply::Sizes(sizes) => {
                measured(sizes);
                Ok(())
            }
            RetrFlightReply::Message(outcome) => {
                let octets = asked.borrow_mut().pop_front().map_or(0, |(_, octets)| octets);
                match outcome {
                    Ok(retrieved) => {
                        window.retrieved(octets);
                        unconfirmed.set(Some(retrieved));
                        Ok(())
                    }
                    Err(refused) => {
                        window.refused(octets);
                        is_refusing.set(is_refusing.get() || window.is_refusing());
                        each.borrow_mut()(Err(refused)).map_err(Interrupted::ByCaller)
                    }
                }
            }
            RetrFlightReply::Noop => Ok(()),
        });
        self.is_refusing |= is_refusing.get();
        let is_unproven = most > 1 && !self.in_flight;
        self.in_flight |= most > 1 && ended.is_ok();
        ended.map_err(|interrupted| match (interrupted, unconfirmed.take()) {
            (Interrupted::ByCaller(error), _) => error,
            (Interrupted::ByServer(Error::Wire(error)), Some(torn)) if error.is_no_reply() => {
                Error::Torn.in_message(torn.listed, torn.octets).into()
            }
            // A line that breaks in a text is just that.
            (Interrupted::ByServer(error), _) if is_unproven && !error.is_in_text() => {
                error.sent_ahead(Pace::Pipelined, true).into()
            }
            // Without the sizes, none of them was answered yet.
            (Interrupted::ByServer(error), _) if sizes.get().is_none() => error.into(),
            (Interrupted::ByServer(error), whole) => match (asked.take().pop_front(), whole) {
                (Some((listed, _)), _) => error.in_message(listed, arrived.get()).into(),
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
        deletable.sort_unstable_by_key(Deletable::number);
        let exchanges = deletable.into_iter().map(QuitFlight::Dele).chain([QuitFlight::Quit]);
        self.wire.exchange_each(&window, exchanges, |answer| {
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
            let secrets = body.secrets();
            body.lines(limits::CAPABILITIES, |line| {
                offered.add(&secrets.mask(line));
                Ok::<_, Error>(())
            })?;
        }
        Ok(offered)
    }
}
