//! The session as a typestate: what a state does not allow does not compile.

use std::cell::{Cell, OnceCell, RefCell};
use std::io::{Read, Write};

use super::Error;
use super::reply::{Capabilities, Code, Pop3, Refusal, Reply};
use crate::limits;
use crate::sasl::{Credentials, Key, Login, Mechanism};
use crate::store::Saved;
use crate::text::{self, Identified, Uid, shown};
use crate::wire::{self, Body, Command, Exchange, Malformed, Phase, Private, Trace, Wire};

/// A conversation in the state `State` over the stream `S`.
///
/// Logging in takes a private stream. This compiles:
///
/// ```
/// use postie::{pop3, sasl::Credentials, tls::TlsStream as Stream};
/// fn login(session: pop3::Session<pop3::Authorization, Stream>, ann: Credentials) {
///     let _ = session.login::<pop3::Error>([Ok(ann)], pop3::Ahead::Uids);
/// }
/// ```
///
/// and on a bare TCP stream it does not:
///
/// ```compile_fail
/// use postie::{pop3, sasl::Credentials, net::Tcp as Stream};
/// fn login(session: pop3::Session<pop3::Authorization, Stream>, ann: Credentials) {
///     let _ = session.login::<pop3::Error>([Ok(ann)], pop3::Ahead::Uids);
/// }
/// ```
pub struct Session<State, S> {
    wire: Wire<Pop3, S>,
    offered: Capabilities,
    /// What the unique-ids are, if they came with the answer to the login already.
    uids: Option<Result<Vec<Listed>, Refusal>>,
    /// What the server says of sizes, once it was asked.
    sizes: OnceCell<Sizes>,
    state: std::marker::PhantomData<State>,
}

/// Greeted, not logged in (RFC 1939 §4).
#[derive(Debug)]
pub enum Authorization {}

/// Logged in; the mailbox is locked and its messages are numbered (RFC 1939 §5).
#[derive(Debug)]
pub enum Transaction {}

/// A message's number, good for one session (RFC 1939 §5).
pub type Number = u32;

impl<S: Read + Write> Session<Authorization, S> {
    /// Waits for the greeting and asks what the server offers.
    pub fn open(stream: S, trace: Option<Trace>) -> Result<Self, Error> {
        let mut wire = Wire::<Pop3, S>::new(stream, trace);
        wire.greeting()?.accepted().map_err(Error::TurnedAway)?;
        Self::ask_capabilities(wire)
    }

    /// Starts TLS (RFC 2595 §4): `upgrade` makes the handshake. What was offered before is
    /// forgotten, since anybody could have said it.
    pub fn stls<T: Read + Write, E: From<Error>>(
        mut self,
        upgrade: impl FnOnce(S) -> Result<T, E>,
    ) -> Result<Session<Authorization, T>, E> {
        if !self.offered.stls {
            return Err(Error::Missing("STLS, and without it nothing here would be private").into());
        }
        self.wire
            .say(Command::new("STLS"))
            .map_err(Error::from)?
            .accepted()
            .map_err(|refusal| Error::Refused { command: "STLS", refusal })?;
        let (stream, trace) = self.wire.into_stream("STLS").map_err(Error::from)?;
        Ok(Session::ask_capabilities(Wire::new(upgrade(stream)?, trace))?)
    }

    fn ask_capabilities(mut wire: Wire<Pop3, S>) -> Result<Self, Error> {
        let offered = wire.ask(Capa)?;
        let (uids, sizes) = (None, OnceCell::new());
        Ok(Self { wire, offered, uids, sizes, state: std::marker::PhantomData })
    }
}

impl<S: Private> Session<Authorization, S> {
    /// Logs in with the strongest mechanism that both sides know, which may be USER and PASS (RFC
    /// 1939 §7): a server need not announce them. Credentials that are refused are followed by the
    /// next ones. A server that takes several commands at once is asked for listings in the same
    /// flight: for the unique-ids, and for the sizes if they decide what is retrieved.
    pub fn login<E: From<Error>>(
        mut self,
        attempts: impl IntoIterator<Item = Result<Credentials, E>>,
        ahead: Ahead,
    ) -> Result<Session<Transaction, S>, E> {
        let mut refused = None;
        for credentials in attempts {
            match self.attempt(&credentials?, ahead) {
                Ok(()) => {
                    let Self { wire, offered, uids, sizes, .. } = self;
                    let state = std::marker::PhantomData;
                    return Ok(Session { wire, offered, uids, sizes, state });
                }
                Err(
                    error @ Error::Login {
                        refusal: Refusal { code: None | Some(Code::Auth), .. },
                        ..
                    },
                ) => {
                    refused = Some(error);
                }
                // A server that hangs up after a refusal has said what matters before.
                Err(error) => return Err(refused.unwrap_or(error).into()),
            }
        }
        Err(refused.unwrap_or(Error::Missing("a login without credentials")).into())
    }

    /// How these credentials would log in.
    pub fn mechanism(&self, credentials: &Credentials) -> Result<Mechanism, Error> {
        let mut offered = self.offered.sasl.clone();
        offered.push(Mechanism::User.name().to_owned());
        Ok(Mechanism::choose(&offered, credentials, self.wire.stream().binding())?)
    }

    fn attempt(&mut self, credentials: &Credentials, ahead: Ahead) -> Result<(), Error> {
        let binding = self.wire.stream().binding();
        let mechanism = self.mechanism(credentials)?;
        credentials.key.secret().into_iter().for_each(|secret| self.wire.conceal(secret.expose()));
        if let (Mechanism::User, Key::Password(password)) = (mechanism, &credentials.key) {
            let user = Command::new("USER").arg(&credentials.user);
            let pass = Command::new("PASS").secret(password.expose());
            // USER's refusal comes first and says more than the PASS that it spoils.
            let mut refused =
                self.last_words([user, pass], ahead)?.into_iter().map(Reply::accepted);
            let refused = refused.find_map(Result::err);
            return refused
                .map_or(Ok(()), |refusal| Err(Error::Login { refusal, explanation: None }));
        }
        let mut login = mechanism.start(credentials, binding);
        let mut command = auth(mechanism, &mut login);
        loop {
            let reply = if login.is_said_out() {
                self.last_words([command], ahead)?.into_iter().next()
            } else {
                Some(self.wire.say(command)?)
            };
            match reply {
                Some(Reply::Ok(_)) => return Ok(login.accepted()?),
                Some(Reply::Continue(challenge)) => {
                    let response = login.respond(&challenge)?;
                    command = Command::response("AUTH", response.expose());
                }
                Some(Reply::Err(refusal)) => {
                    let explanation = login.explanation().map(|text| self.wire.masked(text));
                    return Err(Error::Login { refusal, explanation });
                }
                // One command has one answer, or an error has ended all this before.
                None => return Err(Error::Missing("an answer to AUTH")),
            }
        }
    }

    /// Says what ends a login, and behind it, to a server that takes several commands at once, asks
    /// for the listings. They are of use only if the login is accepted.
    fn last_words(
        &mut self,
        words: impl IntoIterator<Item = Command>,
        ahead: Ahead,
    ) -> Result<Vec<Reply>, Error> {
        let window = self.window();
        let listings = match ahead {
            _ if window == 1 => &[][..],
            Ahead::Uids => &[Opening::Uidl],
            Ahead::UidsAndSizes => &[Opening::Uidl, Opening::List],
        };
        let flight = words.into_iter().map(Opening::Words).chain(listings.iter().cloned());
        let (mut replies, mut uids, mut sizes) = (Vec::new(), None, None);
        let heard = self.wire.ask_each(window, flight, |answer| {
            match answer {
                Opened::Words(reply) => replies.push(reply),
                Opened::Uids(column) => uids = Some(column),
                Opened::Sizes(column) => sizes = column.ok(),
            }
            Ok::<_, Error>(())
        });
        self.uids = uids;
        self.sizes = sizes.map(OnceCell::from).unwrap_or_default();
        match heard {
            // A server that hangs up after a refusal has said what matters before.
            Err(_) if replies.iter().any(|reply| matches!(reply, Reply::Err(_))) => Ok(replies),
            heard => heard.map(|()| replies),
        }
    }
}

impl<State, S: Read + Write> Session<State, S> {
    /// What the server offers.
    pub fn offered(&self) -> &Capabilities {
        &self.offered
    }

    /// How many commands may be in flight.
    fn window(&self) -> usize {
        if self.offered.pipelining { limits::POP3_WINDOW } else { 1 }
    }
}

impl<S: Private> Session<Transaction, S> {
    /// All messages of the mailbox, in the server's order, with unique-ids if the server knows such.
    pub fn list(&mut self) -> Result<Vec<Listed>, Error> {
        let uids = match self.uids.take() {
            Some(uids) => uids,
            None => self.wire.ask(Uidl)?,
        };
        match uids {
            Ok(listing) => Ok(listing),
            Err(Refusal { code: None, .. }) => Ok(self.sizes()?.listed().collect()),
            Err(refusal) => Err(Error::Refused { command: "UIDL", refusal }),
        }
    }

    /// How large the messages are.
    pub fn sizes(&mut self) -> Result<&Sizes, Error> {
        let known = self.sizes.take();
        let sizes = known.map_or_else(|| accepted(self.wire.ask(List)?), Ok)?;
        Ok(self.sizes.get_or_init(|| sizes))
    }

    /// Retrieves messages, as many in flight as the server allows, and in front of them their sizes
    /// unless those are known. `measured` is told the sizes, `draft` makes the place each message goes
    /// to when its text comes, and `each` is told how it went, in order.
    ///
    /// A message is handed over once the octets behind its final dot have turned out to be the reply
    /// to the next command, which behind the last one is NOOP: a server that does not stuff dots, or
    /// whose replies overtake its texts, would otherwise pass a part of a message for the whole
    /// ([`Error::Torn`]).
    pub fn retr_each<D: Write, E: From<Error>>(
        &mut self,
        wanted: impl IntoIterator<Item = Listed>,
        measured: impl Fn(&Sizes),
        draft: impl Fn() -> D,
        mut each: impl FnMut(Result<Retrieved<D>, Declined>) -> Result<(), E>,
    ) -> Result<(), E> {
        let window = self.window();
        let (sizes, draft) = (&self.sizes, &draft);
        sizes.get().iter().copied().for_each(&measured);
        let (unconfirmed, each) = (Cell::new(None::<Retrieved<D>>), RefCell::new(&mut each));
        let confirm = || match unconfirmed.take() {
            Some(whole) => each.borrow_mut()(Ok(whole)).map_err(Interrupted::ByCaller),
            None => Ok(()),
        };
        let list = sizes.get().is_none().then_some(RetrFlight::List(sizes));
        let retr = |listed| RetrFlight::Retr(Retr { listed, sizes, draft });
        let flight = list.into_iter().chain(wanted.into_iter().map(retr)).chain([RetrFlight::Noop]);
        let flight = flight.map(|exchange| Confirming { exchange, confirm: &confirm });
        let ended = self.wire.ask_each(window, flight, |reply| match reply {
            RetrFlightReply::Sizes(sizes) => {
                measured(sizes);
                Ok(())
            }
            RetrFlightReply::Message(Ok(retrieved)) => {
                unconfirmed.set(Some(retrieved));
                Ok(())
            }
            RetrFlightReply::Message(Err(refused)) => {
                each.borrow_mut()(Err(refused)).map_err(Interrupted::ByCaller)
            }
            RetrFlightReply::Noop => Ok(()),
        });
        ended.map_err(|interrupted| match (interrupted, unconfirmed.take()) {
            (Interrupted::ByCaller(error), _) => error,
            (Interrupted::ByServer(Error::Wire(error)), Some(torn)) if error.is_no_reply() => {
                Error::Torn { number: torn.listed.number }.into()
            }
            (Interrupted::ByServer(error), _) => error.into(),
        })
    }

    /// Asks for these messages' deletion and ends the session, in one flight; the server deletes
    /// when it accepts QUIT and not before (RFC 1939 §6).
    pub fn quit(mut self, doomed: impl IntoIterator<Item = Doomed>) -> Result<Vec<Parting>, Error> {
        let window = self.window();
        let mut partings = Vec::new();
        let exchanges = doomed.into_iter().map(Last::Dele).chain([Last::Quit]);
        self.wire.ask_each(window, exchanges, |answer| {
            match answer {
                Farewell::Dele(parting) => partings.push(parting),
                Farewell::Quit(Ok(_)) => {}
                Farewell::Quit(Err(refusal)) => {
                    return Err(Error::Refused { command: "QUIT", refusal });
                }
            }
            Ok(())
        })?;
        Ok(partings)
    }

    /// Ends a session in which nothing was deleted. Nothing depends on whether this arrives, so no
    /// answer is waited for.
    pub fn leave(mut self) {
        drop(self.wire.tell(&Command::new("QUIT")));
    }
}

/// A message as the server lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number in this session.
    pub number: Number,
    /// Its unique-id, if the server has such.
    pub uid: Option<Uid>,
}

impl Identified for Listed {
    fn uid(&self) -> Option<&Uid> {
        self.uid.as_ref()
    }
}

/// What is asked for in one flight with a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// The unique-ids.
    Uids,
    /// And the sizes.
    UidsAndSizes,
}

/// How large the messages of a mailbox are (RFC 1939 §5).
#[derive(Clone, Debug)]
pub struct Sizes(Vec<(Number, u64)>);

impl Sizes {
    /// The size of a message in octets as the server counts, if it told.
    pub fn of(&self, number: Number) -> Option<u64> {
        let at = self.0.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.0.get(at).map(|(_, size)| *size)
    }

    /// The messages that have one.
    fn listed(&self) -> impl Iterator<Item = Listed> {
        self.0.iter().map(|&(number, _)| Listed { number, uid: None })
    }
}

/// A message of which the terminating line was seen, with the draft that it was written to: the
/// two travel together, so that one cannot be mistaken for another's.
#[derive(Debug)]
pub struct Retrieved<D> {
    listed: Listed,
    draft: D,
    octets: u64,
}

impl<D> Retrieved<D> {
    /// What the server said of it.
    pub fn listed(&self) -> &Listed {
        &self.listed
    }

    /// Where it was written.
    pub fn draft(&self) -> &D {
        &self.draft
    }

    /// What the server said of it, and where it was written.
    pub fn into_parts(self) -> (Listed, D) {
        (self.listed, self.draft)
    }

    /// Octets written, with LF at line ends.
    pub fn octets(&self) -> u64 {
        self.octets
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

/// A message that the server would not give.
#[derive(Debug)]
pub struct Declined {
    /// Which.
    pub listed: Listed,
    /// Why not.
    pub refusal: Refusal,
}

/// A message that may be deleted, because it is safe on this side. This compiles:
///
/// ```
/// # use postie::{pop3::{Doomed, Retrieved}, store::Saved};
/// fn dele<D>(message: Saved<Retrieved<D>>) -> Doomed { message.into() }
/// ```
///
/// and for a message that is not saved it does not:
///
/// ```compile_fail
/// # use postie::{pop3::{Doomed, Retrieved}, store::Saved};
/// fn dele<D>(message: Retrieved<D>) -> Doomed { message.into() }
/// ```
#[derive(Debug)]
pub struct Doomed(Listed);

impl<D> From<Saved<Retrieved<D>>> for Doomed {
    fn from(saved: Saved<Retrieved<D>>) -> Self {
        Self(saved.into_inner().listed)
    }
}

impl From<Saved<Listed>> for Doomed {
    fn from(saved: Saved<Listed>) -> Self {
        Self(saved.into_inner())
    }
}

/// How the request to delete one message went.
#[derive(Debug)]
pub struct Parting {
    /// Which.
    pub listed: Listed,
    /// Why it stays, if it does.
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
fn auth(mechanism: Mechanism, login: &mut Login) -> Command {
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

/// What a login ends with, and what may follow in the same flight.
#[derive(Clone)]
enum Opening {
    Words(Command),
    Uidl,
    List,
}

enum Opened {
    Words(Reply),
    Uids(Result<Vec<Listed>, Refusal>),
    Sizes(Result<Sizes, Refusal>),
}

impl Exchange for Opening {
    type Grammar = Pop3;
    type Answer = Opened;
    type Error = Error;

    fn command(&self) -> Command {
        match self {
            Self::Words(command) => command.clone(),
            Self::Uidl => Uidl.command(),
            Self::List => List.command(),
        }
    }

    fn answer(self, reply: Reply, body: Body<'_>) -> Result<Opened, Error> {
        match self {
            Self::Words(_) => Ok(Opened::Words(reply)),
            Self::Uidl => Uidl.answer(reply, body).map(Opened::Uids),
            Self::List => List.answer(reply, body).map(Opened::Sizes),
        }
    }
}

/// UIDL (RFC 1939 §7), which a server need not know.
struct Uidl;

impl Exchange for Uidl {
    type Grammar = Pop3;
    type Answer = Result<Vec<Listed>, Refusal>;
    type Error = Error;

    fn command(&self) -> Command {
        Command::new("UIDL")
    }

    fn answer(self, reply: Reply, body: Body<'_>) -> Result<Self::Answer, Error> {
        let listed = |number, uid: &[u8]| Some(Listed { number, uid: Some(Uid::new(uid)?) });
        if let Err(refusal) = reply.accepted() {
            return Ok(Err(refusal));
        }
        column(body, "UIDL", listed).map(Ok)
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

/// Lines of a message number, a blank and a value.
fn column<T>(
    body: Body<'_>,
    command: &'static str,
    entry: impl Fn(Number, &[u8]) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let mut entries = Vec::new();
    body.lines(limits::LISTING, |line| {
        let found = line.iter().position(|&octet| octet == b' ').and_then(|blank| {
            let (number, rest) = line.split_at_checked(blank)?;
            entry(text::number(number)?.try_into().ok()?, rest.trim_ascii())
        });
        entries.push(found.ok_or_else(|| {
            let found = shown(&String::from_utf8_lossy(line));
            let what = Malformed(format!("expected a message number and a value, found `{found}`"));
            wire::Error::Malformed { phase: Phase::Text(command), what }
        })?);
        Ok::<_, Error>(())
    })?;
    Ok(entries)
}

/// Some servers add remarks behind the size, which the standard allows (RFC 1939 §5).
fn size(text: &[u8]) -> Option<u64> {
    text::number(text.split(|&octet| octet == b' ').next()?)
}

/// What ended a flight of RETRs.
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
    Message(Result<Retrieved<D>, Declined>),
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
    listed: Listed,
    sizes: &'a OnceCell<Sizes>,
    draft: &'a F,
}

impl<D: Write, F: Fn() -> D> Exchange for Retr<'_, F> {
    type Grammar = Pop3;
    type Answer = Result<Retrieved<D>, Declined>;
    type Error = Error;

    fn command(&self) -> Command {
        Command::new("RETR").arg(self.listed.number)
    }

    fn answer(self, reply: Reply, body: Body<'_>) -> Result<Self::Answer, Error> {
        let Self { listed, sizes, draft } = self;
        if let Err(refusal) = reply.accepted() {
            return Ok(Err(Declined { listed, refusal }));
        }
        let mut draft = draft();
        let announced = sizes.get().and_then(|sizes| sizes.of(listed.number)).unwrap_or_default();
        let limit = announced.saturating_mul(2).saturating_add(limits::EXCESS);
        let octets = body.copy(limit, &mut draft)?;
        Ok(Ok(Retrieved { listed, draft, octets }))
    }
}

/// The last flight: DELE for each message, then QUIT.
enum Last {
    Dele(Doomed),
    Quit,
}

enum Farewell {
    Dele(Parting),
    Quit(Result<String, Refusal>),
}

impl Exchange for Last {
    type Grammar = Pop3;
    type Answer = Farewell;
    type Error = Error;

    fn command(&self) -> Command {
        match self {
            Self::Dele(Doomed(listed)) => Command::new("DELE").arg(listed.number),
            Self::Quit => Command::new("QUIT"),
        }
    }

    fn answer(self, reply: Reply, _: Body<'_>) -> Result<Farewell, Error> {
        let answer = reply.accepted();
        Ok(match self {
            Self::Dele(Doomed(listed)) => Farewell::Dele(Parting { listed, refusal: answer.err() }),
            Self::Quit => Farewell::Quit(answer),
        })
    }
}
