//! Retrieval and deletion of messages: RETRs in flight, and DELEs in one flight with QUIT (RFC 1939 §5,
//! §6). A message is whole only once the reply behind it was read.

use std::cell::{Cell, OnceCell};
use std::io::{self, Write};

use super::super::Error;
use super::super::reply::{Pop3, Refusal, Reply};
use super::Number;
use super::listing::{List, accepted};
use super::listing::{ScanListing, Sizes};
use crate::limits;
use crate::store::{Measured, Saved};
use crate::text::{Identified, Uid};
use crate::wire::{self, Body, Command, Exchange};

/// A message of which the terminating line was seen, with the draft that it was written to: the
/// two travel together, so that one cannot be mistaken for another's.
#[derive(Debug)]
pub struct Retrieved<D> {
    pub(super) listed: ScanListing,
    draft: D,
    pub(super) octets: u64,
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
    fn number(&self) -> Number {
        self.listed.number
    }

    /// A text that came short is not what the listing measured, so the size never proves that it is the
    /// message on the server.
    fn size(&self) -> Option<u64> {
        self.size.filter(|_| !self.is_short())
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

impl Deletable {
    /// Returns the message's number in this session.
    pub fn number(&self) -> Number {
        let Self(listed) = self;
        listed.number
    }
}

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

/// The end of a flight of RETRs.
pub(super) enum Interrupted<E> {
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
pub(super) struct Confirming<'a, X, E> {
    pub(super) exchange: X,
    /// True if it is the last of its flight, so that nothing may follow its reply.
    pub(super) is_last: bool,
    pub(super) confirm: &'a dyn Fn() -> Result<(), Interrupted<E>>,
}

impl<X: Exchange<Grammar = Pop3, Error = Error>, E> Exchange for Confirming<'_, X, E> {
    type Grammar = Pop3;
    type Answer = X::Answer;
    type Error = Interrupted<E>;

    fn command(&self) -> Command {
        self.exchange.command()
    }

    fn answer(self, reply: Reply, body: Body<'_>) -> Result<X::Answer, Interrupted<E>> {
        if self.is_last {
            body.ensure_none()?;
        }
        (self.confirm)()?;
        Ok(self.exchange.answer(reply, body)?)
    }
}

/// The commands that retrieve messages: LIST unless the sizes are known, RETR for each message, and
/// NOOP, whose reply confirms the end of the last text.
pub(super) enum RetrFlight<'a, F> {
    List(&'a OnceCell<Sizes>),
    Retr(Retr<'a, F>),
    Noop,
}

pub(super) enum RetrFlightReply<'a, D> {
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
pub(super) struct Retr<'a, F> {
    pub(super) listed: ScanListing,
    pub(super) sizes: &'a OnceCell<Sizes>,
    pub(super) draft: &'a F,
    /// Octets of the longest text that is read to its end.
    pub(super) longest: u64,
    /// Octets of this text that were written to its draft.
    pub(super) arrived: &'a Cell<u64>,
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
        let Self { listed, sizes, draft, longest, arrived } = self;
        arrived.set(0);
        if let Err(refusal) = reply.accepted() {
            return Ok(Err(RetrRefused { listed, refusal }));
        }
        let mut draft = draft();
        let size = sizes.get().and_then(|sizes| sizes.of(listed.number));
        let octets = body.copy(longest, &mut Counted(&mut draft, arrived))?;
        arrived.set(0);
        Ok(Ok(Retrieved { listed, draft, octets, size }))
    }
}

/// The last flight: DELE for each message, then QUIT.
pub(super) enum QuitFlight {
    Dele(Deletable),
    Quit,
}

pub(super) enum QuitFlightReply {
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
