//! One side of a line-oriented conversation: the only buffer, and the only place that reads and
//! writes the stream. A [`Grammar`] says what a reply looks like, an [`Exchange`] is a command and
//! the meaning of its answer; neither knows of streams or clocks.
#![warn(clippy::missing_errors_doc)]

mod body;
mod command;
mod error;
mod grammar;
mod mask;
#[cfg(test)]
pub(crate) mod random_peer;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Duration;

pub use self::body::Body;
use self::body::Input;
use self::command::Raw;
pub use self::command::{Command, Exchange, Window};
pub use self::error::{Error, Phase, is_hang_up};
pub use self::grammar::{Grammar, Malformed};
pub(crate) use self::mask::Secrets;
use zeroize::Zeroizing;

use crate::dot;
use crate::limits;

/// A stream that ends a wait in time. A peer that sends an octet now and then keeps any time-out
/// for a single read from passing, so each wait has a bound as a whole, too.
pub trait Stream: Read + Write {
    /// Begins a wait: from here on, reads and writes fail with [`io::ErrorKind::TimedOut`] when its
    /// bound passes. Streams without a clock have no bounds.
    fn begin(&mut self, _wait: Wait) {}

    /// Bounds all that is still waited for on this stream, together.
    fn finish_within(&mut self, _time: Duration) {}

    /// The time since the wait began.
    fn waited(&self) -> Duration {
        Duration::ZERO
    }
}

/// A kind of wait, which decides its bound. "Time-out" means the configured one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A reply: two time-outs, and one without an octet.
    Reply,
    /// The reply that ends a login, or a listing of unique-ids, either of which may take a server
    /// with a large maildrop minutes: five time-outs, even without an octet.
    Login,
    /// The reply to a command that was sent ahead, which a server may have lost: five seconds, or
    /// one time-out if that is shorter.
    SentAhead,
    /// A text in either direction: as long as 100 octets a second pass, measured over one time-out.
    Text,
}

/// An end that this side chose, a signal or `max-time`: the peer is not to blame, and trying again
/// would not help. Travels inside [`Error::Stream`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Cancelled(pub String);

/// A stream on which credentials may be spoken: the peer's certificate was verified, or the peer
/// is on the loopback interface and the user said that this is enough. Sealed: `TlsStream` and
/// `Loopback` are the only ones.
///
/// A bare TCP stream is not private, so this does not compile:
///
/// ```compile_fail
/// fn is_private<S: postie::wire::Private>() {}
/// is_private::<postie::net::Tcp>();
/// ```
///
/// while its twin does:
///
/// ```
/// fn is_private<S: postie::wire::Private>() {}
/// is_private::<postie::tls::TlsStream>();
/// ```
pub trait Private: Stream + sealed::Sealed {
    /// Keying material known only to this connection's two ends (RFC 9266 §2), to which a login can
    /// be bound; `None` if the connection has none.
    fn binding(&self) -> Option<[u8; 32]>;
}

impl Stream for Box<dyn Private> {
    fn begin(&mut self, wait: Wait) {
        self.as_mut().begin(wait);
    }

    fn finish_within(&mut self, time: Duration) {
        self.as_mut().finish_within(time);
    }

    fn waited(&self) -> Duration {
        self.as_ref().waited()
    }
}

impl Private for Box<dyn Private> {
    fn binding(&self) -> Option<[u8; 32]> {
        self.as_ref().binding()
    }
}

impl sealed::Sealed for Box<dyn Private> {}

pub(crate) mod sealed {
    /// Keeps [`super::Private`] to this crate's two streams.
    pub trait Sealed {}
}

/// One event of a conversation, as a trace sees it.
#[derive(Clone, Copy)]
pub enum TraceEvent<'a> {
    /// A command was sent; shown by its `Debug`, which masks secrets.
    Client(&'a Command),
    /// A reply or a line of one came, without its line end. Not made safe to show.
    Server(&'a [u8]),
    /// Octets of message text that passed.
    Octets(u64),
}

/// A listener that is shown the conversation.
pub type Trace = Box<dyn FnMut(TraceEvent<'_>) + Send>;

/// The listener of a conversation, and the secrets that it is not shown, from the greeting on: a
/// server may know them from before.
#[derive(Default)]
pub struct Disclosure {
    trace: Option<Trace>,
    secrets: Secrets,
}

impl Disclosure {
    /// All of a conversation but passwords and tokens.
    pub fn new<'a>(trace: Option<Trace>, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut this = Self::from(trace);
        secrets.into_iter().for_each(|secret| this.secrets.add(secret));
        this
    }

    /// A text that came, with what is secret masked.
    pub fn masked<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        self.secrets.mask(text)
    }
}

impl From<Option<Trace>> for Disclosure {
    fn from(trace: Option<Trace>) -> Self {
        Self { trace, secrets: Secrets::default() }
    }
}

/// Octets of a flight for which there is room from the start. A login's is smaller: if its buffer grew,
/// the password would stay where it was before.
const FLIGHT: usize = 16 << 10;

/// A stream with its buffers, speaking the language `G`.
pub struct Wire<G, S> {
    stream: S,
    input: Input,
    /// What is to be sent; overwritten once it is.
    output: Zeroizing<Vec<u8>>,
    trace: Option<Trace>,
    secrets: Secrets,
    grammar: std::marker::PhantomData<G>,
}

impl<G: Grammar, S: Stream> Wire<G, S> {
    /// A conversation before its first octet.
    pub fn new(stream: S, disclosure: impl Into<Disclosure>) -> Self {
        let Disclosure { trace, secrets } = disclosure.into();
        Self {
            stream,
            input: Input::default(),
            output: Zeroizing::new(Vec::with_capacity(FLIGHT)),
            trace,
            secrets,
            grammar: std::marker::PhantomData,
        }
    }

    /// The stream underneath.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Masks a password or token in all that the server says from here on, challenges and the
    /// contents of texts excepted.
    pub fn conceal(&mut self, secret: &str) {
        self.secrets.add(secret);
    }

    /// The secrets that were sent.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Returns the text of a challenge, with what is secret masked.
    pub fn masked(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.secrets.mask(text.as_bytes())).into_owned()
    }

    /// Reads the reply that comes without a command.
    ///
    /// # Errors
    ///
    /// Returns an error if the stream ends or fails, or what came is no reply.
    pub fn greeting(&mut self) -> Result<G::Reply, Error> {
        self.reply(Phase::Greeting, Wait::Reply)
    }

    /// Sends one command and returns the meaning of its answer.
    ///
    /// # Errors
    ///
    /// Returns the exchange's own error, or that of the stream.
    pub fn exchange<X: Exchange<Grammar = G>>(
        &mut self,
        exchange: X,
    ) -> Result<X::Answer, X::Error> {
        let mut answers = Vec::with_capacity(1);
        self.exchange_each(&1, [exchange], |answer| {
            answers.push(answer);
            Ok::<_, X::Error>(())
        })?;
        // One exchange was put in and the loop ended well: its answer is there.
        answers.pop().ok_or_else(|| Error::Bug("an exchange without an answer").into())
    }

    /// Sends one command and returns its reply as received.
    ///
    /// # Errors
    ///
    /// Returns an error if the stream ends or fails, or what came is no reply.
    pub fn command(&mut self, command: Command) -> Result<G::Reply, Error> {
        self.say_and_wait(command, Wait::Reply)
    }

    /// Sends a command whose reply may take as long as `wait` says, and reads the reply.
    ///
    /// # Errors
    ///
    /// Returns an error if the stream ends or fails, or what came is no reply.
    pub fn say_and_wait(&mut self, command: Command, wait: Wait) -> Result<G::Reply, Error> {
        self.exchange(Raw(command, wait, std::marker::PhantomData))
    }

    /// An exchange with many commands, as many of them in flight as `window` says. `each` is handed
    /// the answers in order. All commands that can leave together leave in one write, up to octets
    /// behind one ([`Exchange::octets`]), so that it is known of each such whether it has left.
    ///
    /// # Errors
    ///
    /// Returns the first error: an exchange's own, that of `each`, or that of the stream.
    pub fn exchange_each<X, E>(
        &mut self,
        window: &impl Window,
        exchanges: impl IntoIterator<Item = X>,
        mut each: impl FnMut(X::Answer) -> Result<(), E>,
    ) -> Result<(), E>
    where
        X: Exchange<Grammar = G>,
        E: From<X::Error>,
    {
        let mut exchanges = exchanges.into_iter().fuse();
        let mut in_flight = VecDeque::<(X, &'static str)>::new();
        let mut unsent = None;
        loop {
            if window.is_low(in_flight.len()) {
                let mut is_first = in_flight.is_empty();
                let mut before = in_flight.len();
                while unsent.is_none()
                    && let Some(phase) = self.push_burst(window, &mut exchanges, &mut in_flight)
                {
                    if std::mem::take(&mut is_first) {
                        self.ensure_no_buffered_input(phase).map_err(X::Error::from)?;
                    }
                    // A peer that has hung up may have said why, and that is there to be read.
                    match self.send(phase) {
                        Err(error) if error.is_hang_up() => unsent = Some(error),
                        sent => sent.map_err(X::Error::from)?,
                    }
                    let sent = in_flight.range(before..).filter(|_| unsent.is_none());
                    sent.for_each(|(exchange, _)| exchange.sent());
                    before = in_flight.len();
                }
            }
            let Some((exchange, verb)) = in_flight.pop_front() else {
                return unsent.map_or(Ok(()), |error| Err(X::Error::from(error).into()));
            };
            let reply = self.reply(Phase::Answer(verb), exchange.wait());
            let reply = reply.map_err(|error| X::Error::from(unsent.take().unwrap_or(error)))?;
            let body = Body {
                stream: &mut self.stream,
                input: &mut self.input,
                trace: self.trace.as_mut(),
                secrets: &self.secrets,
                phase: Phase::Text(verb),
            };
            each(exchange.answer(reply, body)?)?;
        }
    }

    /// Collects what leaves in one write: commands as far as the window has room, up to octets behind
    /// one. Returns the phase of sending the first; `None` if there is none to send.
    fn push_burst<X: Exchange<Grammar = G>>(
        &mut self,
        window: &impl Window,
        exchanges: &mut impl Iterator<Item = X>,
        in_flight: &mut VecDeque<(X, &'static str)>,
    ) -> Option<Phase> {
        let before = in_flight.len();
        while window.has_room(in_flight.len())
            && let Some(exchange) = exchanges.next()
        {
            let command = exchange.command();
            self.push(&command);
            self.append(exchange.octets());
            let is_end = !exchange.octets().is_empty();
            in_flight.push_back((exchange, command.verb));
            if is_end {
                break;
            }
        }
        in_flight.get(before).map(|(_, verb)| Phase::Sending(verb))
    }

    /// Sends a command without waiting for its answer: the last of a conversation.
    ///
    /// # Errors
    ///
    /// Returns an error if the stream fails.
    pub fn send_only(&mut self, command: &Command) -> Result<(), Error> {
        self.push(command);
        self.send(Phase::Sending(command.verb))
    }

    /// Sends a message, dot-stuffed, up to but without its last octets: the terminating line is
    /// among those that [`Wire::send_rest`] sends, so that the moment from which the message may
    /// count as sent is one call. `message` must be in canonical form.
    ///
    /// # Errors
    ///
    /// Returns an error if reading the message or writing to the stream fails.
    pub fn send_message(&mut self, message: &mut dyn Read) -> Result<(), Error> {
        self.stream.begin(Wait::Text);
        let mut encoder = dot::Encoder::new();
        let mut chunk = vec![0; limits::BUFFER];
        let mut total = 0;
        loop {
            let read = match message.read(&mut chunk) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Source(error)),
            };
            let Some(text) = chunk.get(..read).filter(|text| !text.is_empty()) else { break };
            if !self.output.is_empty() {
                self.send(Phase::Message)?;
            }
            total += u64::try_from(read).unwrap_or_default();
            encoder.encode(text, &mut self.output);
        }
        encoder.finish(&mut self.output);
        self.trace(TraceEvent::Octets(total));
        Ok(())
    }

    /// Sends what [`Wire::send_message`] left over, and with it the end of the message.
    ///
    /// # Errors
    ///
    /// Returns an error if writing to the stream fails.
    pub fn send_rest(&mut self) -> Result<(), Error> {
        self.send(Phase::Message)
    }

    /// Reads the reply to what was not sent as an exchange.
    ///
    /// # Errors
    ///
    /// Returns an error if the stream ends or fails, or what came is no reply.
    pub fn reply_to(&mut self, verb: &'static str) -> Result<G::Reply, Error> {
        self.reply(Phase::Answer(verb), Wait::Reply)
    }

    /// The stream and what is disclosed of it, to put TLS around the one and keep the other. An error if the
    /// peer has already said more than it was asked ([`Error::Leftover`]).
    ///
    /// # Errors
    ///
    /// Returns [`Error::Leftover`] if octets are buffered.
    pub fn into_stream(self, verb: &'static str) -> Result<(S, Disclosure), Error> {
        self.ensure_no_buffered_input(Phase::Answer(verb))?;
        let Self { stream, trace, secrets, .. } = self;
        Ok((stream, Disclosure { trace, secrets }))
    }

    /// Bounds all that is still waited for, together.
    pub fn finish_within(&mut self, time: Duration) {
        self.stream.finish_within(time);
    }

    fn push(&mut self, command: &Command) {
        self.output.extend_from_slice(command.line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
        self.secrets.add_response(command.secret_part());
        self.trace(TraceEvent::Client(command));
    }

    fn append(&mut self, octets: &[u8]) {
        if !octets.is_empty() {
            self.output.extend_from_slice(octets);
            self.trace(TraceEvent::Octets(u64::try_from(octets.len()).unwrap_or(u64::MAX)));
        }
    }

    /// Checks that no octets are buffered while nothing is in flight.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Leftover`] if there are.
    pub fn ensure_no_buffered_input(&self, phase: Phase) -> Result<(), Error> {
        if self.input.is_empty() { Ok(()) } else { Err(Error::Leftover(phase)) }
    }

    /// Writes everything that is due in one write.
    fn send(&mut self, phase: Phase) -> Result<(), Error> {
        let sent = self.stream.write_all(&self.output).and_then(|()| self.stream.flush());
        // Passwords pass through here.
        self.output.fill(0);
        self.output.clear();
        sent.map_err(|source| Error::Stream { phase, source })
    }

    fn reply(&mut self, phase: Phase, wait: Wait) -> Result<G::Reply, Error> {
        let mut is_waiting = false;
        loop {
            match G::parse(self.input.waiting()) {
                Ok(Some((reply, length))) => {
                    let said = self.input.waiting().get(..length).unwrap_or_default();
                    let said = match G::challenge(&reply) {
                        Some(status) => Cow::Owned(format!("{status} ****").into_bytes()),
                        None => self.secrets.mask(said),
                    };
                    if let Some(trace) = &mut self.trace {
                        for line in said.split_inclusive(|&octet| octet == b'\n') {
                            trace(TraceEvent::Server(line));
                        }
                    }
                    // What is left of a reply without the secret is one of the same kind: a status
                    // that is a secret decides nothing.
                    let masked = match (&said, G::challenge(&reply)) {
                        (Cow::Owned(said), None) => G::parse(said).ok().flatten(),
                        _ => None,
                    };
                    self.input.consume(length);
                    return Ok(masked.map_or(reply, |(masked, _)| masked));
                }
                Ok(None) => {
                    if !std::mem::replace(&mut is_waiting, true) {
                        self.stream.begin(wait);
                    }
                    if !self.input.fill(&mut self.stream, phase)? {
                        return Err(Error::Closed(phase));
                    }
                }
                Err(what) => {
                    let what = match self.secrets.mask(self.input.waiting()) {
                        Cow::Borrowed(_) => what,
                        Cow::Owned(said) => G::parse(&said).err().unwrap_or_else(|| {
                            Malformed("expected a reply, found a secret".to_owned())
                        }),
                    };
                    return Err(Error::Malformed { phase, what });
                }
            }
        }
    }

    fn trace(&mut self, said: TraceEvent<'_>) {
        if let Some(trace) = &mut self.trace {
            trace(said);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that has said everything already and hears nothing.
    struct Script(io::Cursor<Vec<u8>>, Vec<u8>);

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let one = buffer.len().min(1);
            self.0.read(&mut buffer[..one])
        }
    }

    impl Write for Script {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.1.extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Stream for Script {}

    struct Lines;

    impl Grammar for Lines {
        type Reply = String;

        fn challenge(_: &Self::Reply) -> Option<&'static str> {
            None
        }

        fn parse(input: &[u8]) -> Result<Option<(String, usize)>, Malformed> {
            Ok(memchr::memchr(b'\n', input)
                .map(|end| (String::from_utf8_lossy(&input[..end]).trim_end().to_owned(), end + 1)))
        }
    }

    struct Noop(u32);

    impl Exchange for Noop {
        type Grammar = Lines;
        type Answer = String;
        type Error = Error;

        fn command(&self) -> Command {
            Command::new("NOOP").arg(self.0)
        }

        fn answer(self, reply: String, _: Body<'_>) -> Result<String, Error> {
            Ok(format!("{} {reply}", self.0))
        }
    }

    fn wire(says: &str) -> Wire<Lines, Script> {
        Wire::new(Script(io::Cursor::new(says.into()), Vec::new()), None)
    }

    #[test]
    fn commands_in_flight_are_answered_in_order() {
        let lines: Vec<_> = (0..9).map(|n| format!("+OK {n}\r\n")).collect();
        let mut wire = wire(&lines.concat());
        let mut heard = Vec::new();
        wire.exchange_each(&4, (0..9).map(Noop), |answer| {
            heard.push(answer);
            Ok::<_, Error>(())
        })
        .unwrap();
        let expected: Vec<_> = (0..9).map(|n| format!("{n} +OK {n}")).collect();
        assert_eq!(heard, expected);
    }

    #[test]
    fn an_early_reply_is_refused_before_the_next_command() {
        let mut wire = wire("one\r\n");
        assert_eq!(wire.exchange(Noop(1)).unwrap(), "1 one");
        wire.input.buffer = b"two\r\n".to_vec();
        (wire.input.start, wire.input.end) = (0, 5);
        assert!(matches!(wire.exchange(Noop(2)), Err(Error::Leftover(_))));
        assert!(matches!(wire.into_stream("STLS"), Err(Error::Leftover(_))));
    }

    #[test]
    fn an_argument_cannot_become_a_second_command() {
        let mut wire = wire("ok\r\n");
        wire.send_only(&Command::new("MAIL").arg("FROM:<a@x>\r\nRSET")).unwrap();
        assert_eq!(wire.stream.1, b"MAIL FROM:<a@x>??RSET\r\n");
    }

    #[test]
    fn a_command_masks_what_is_secret() {
        assert_eq!(format!("{:?}", Command::new("PASS").secret("hunter2")), "PASS ****");
        assert_eq!(format!("{:?}", Command::response("AUTH", "aHVudGVyMg==")), "****");
        assert_eq!(format!("{:?}", Command::new("RETR").arg(7)), "RETR 7");
    }

    /// A peer that lists messages without end.
    struct Endless;

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'x');
            *buffer.last_mut().unwrap() = b'\n';
            buffer.chunks_mut(4096).for_each(|line| line[0] = b'\n');
            Ok(buffer.len())
        }
    }

    impl Write for Endless {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Stream for Endless {}

    #[test]
    fn a_listing_is_bounded_in_octets_as_well_as_in_lines() {
        let (mut input, secrets) = (Input::default(), Secrets::default());
        let body = Body {
            stream: &mut Endless,
            input: &mut input,
            trace: None,
            secrets: &secrets,
            phase: Phase::Text("UIDL"),
        };
        let mut octets = 0;
        let ended = body.lines(usize::MAX, |line| {
            octets += line.len();
            Ok::<_, Error>(())
        });
        assert!(matches!(ended, Err(Error::Malformed { .. })), "{ended:?}");
        assert!((limits::LISTING_OCTETS - 4096..=limits::LISTING_OCTETS).contains(&octets));
    }

    #[test]
    fn a_line_without_end_is_an_error_and_not_a_growing_buffer() {
        let mut stream = Script(io::Cursor::new(vec![b'x'; 1 << 20]), Vec::new());
        let mut input = Input::default();
        let body = Body {
            stream: &mut stream,
            input: &mut input,
            trace: None,
            secrets: &Secrets::default(),
            phase: Phase::Text("UIDL"),
        };
        let ended = body.lines(10, |_| Ok::<_, Error>(()));
        assert!(matches!(ended, Err(Error::Malformed { .. })), "{ended:?}");
        assert!(input.buffer.len() <= 4 * limits::BUFFER);
    }
}
