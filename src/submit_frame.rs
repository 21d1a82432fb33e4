//! The frame in which a local user hands a message to the submission service, and the service's
//! answer: lines of text with a version, lengths and an end mark. It knows no socket and no file.
//!
//! ```text
//! service   postie submit 1 ready       or `busy`: it serves no more callers now
//! caller    submit 1                    the version of what follows
//!           from ADDRESS                the reverse-path, `<>` for none; without it the service's own
//!           to ADDRESS                  for each recipient; a name without a domain is an alias
//!           notify WORDS                delivery status notifications (RFC 3461 §4.1)
//!           return WORD                 the part of the message in them (RFC 3461 §4.3)
//!           require-tls                 every hop must use TLS (RFC 8689)
//!           all-or-nothing              a refused recipient stops the message for all
//!           message OCTETS              and as many octets
//!           end
//! service   status NUMBER               the exit status
//!           error TEXT, info TEXT, hint TEXT
//!                                       lines for the caller's standard error
//!           sentence TEXT               the result for a person
//!           object OCTETS               the result for a program: as many octets of JSON, a line end
//!           end
//! ```
//!
//! The lines come in this order, each at most once but for `to` and the lines for standard error. A
//! frame without its last line is none. There is no word for a file, a host, an account or a user:
//! the service knows these of itself and of the kernel.

use std::fmt::Display;
use std::io::{self, BufRead, Read, Write};
use std::str::FromStr;

use crate::limits;
use crate::text::{
    Address, Notify, Return, ReversePath, is_unprintable, number, plain, shown, size,
};

/// The version of the frame.
const VERSION: &str = "1";

const END: &str = "end";

/// The reason why a frame cannot be read or is not valid.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection ended before the frame did.
    #[error("the connection ended too early")]
    Cut,
    /// The connection failed.
    #[error("{}", plain(.0))]
    Io(io::Error),
    /// The other side speaks another version.
    #[error("expected version {VERSION}, found `{0}`")]
    Version(String),
    /// A line that has no place there.
    #[error("expected {expected}, found `{found}`")]
    Unexpected {
        /// The words that may stand there.
        expected: &'static str,
        /// The line.
        found: String,
    },
    /// A value of a line is wrong.
    #[error("{0}")]
    Value(String),
    /// A line, or the frame, exceeds its bound.
    #[error("{0} exceeds the limit")]
    TooLong(&'static str),
}

/// The reason why the submission service has not taken a message, or is not known to have.
#[derive(Debug, thiserror::Error)]
pub enum HandInError {
    /// Nothing listens at the socket, or this user may not connect.
    #[error("cannot reach the submission service: {}", plain(.0))]
    NoService(io::Error),
    /// A file of another kind is in the socket's place.
    #[error("this is not the socket of a submission service")]
    NotASocket,
    /// The service serves no more callers now.
    #[error("the submission service is busy")]
    Busy,
    /// The message is larger than a frame may hold.
    #[error(
        "the message has {}, and the submission service takes {}",
        size(*.0),
        size(limits::SUBMIT_MESSAGE)
    )]
    TooLarge(u64),
    /// The connection ended before the end of the frame left: the service drops such a frame.
    #[error("the submission service did not take the message: {0}")]
    NotTaken(Error),
    /// The other end is no submission service, or one of another version.
    #[error("not understood: {0}")]
    Protocol(Error),
    /// The whole frame left, and no answer came.
    #[error("no answer from the submission service ({0}): the message may have been delivered")]
    InDoubt(Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Cut,
            _ => Self::Io(error),
        }
    }
}

/// The first line from the service: whether it serves the caller now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// A frame may follow.
    Ready,
    /// The service closes the connection; another attempt may succeed.
    Busy,
}

impl Greeting {
    const NAME: &str = "postie submit ";

    fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Busy => "busy",
        }
    }

    /// Writes the greeting.
    ///
    /// # Errors
    ///
    /// Returns an error if `output` fails.
    pub fn write(self, output: &mut impl Write) -> io::Result<()> {
        output.write_all(format!("{}{VERSION} {}\n", Self::NAME, self.word()).as_bytes())
    }

    /// Reads the greeting.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Cut`] if the connection ends first, and an error if the line is no greeting
    /// of this version.
    pub fn read(input: &mut impl BufRead) -> Result<Self, Error> {
        let line = line(input)?;
        let words = line.strip_prefix(Self::NAME).and_then(|rest| rest.split_once(' '));
        match words {
            Some((VERSION, "ready")) => Ok(Self::Ready),
            Some((VERSION, "busy")) => Ok(Self::Busy),
            Some((version, _)) if version != VERSION => Err(Error::Version(shown(version))),
            _ => Err(unexpected("a greeting of the submission service", &line)),
        }
    }
}

/// The envelope of a message, as a caller hands it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The reverse-path, if the caller named one.
    pub from: Option<ReversePath>,
    /// The recipients, at least one.
    pub recipients: Vec<Address>,
    /// The occasions for a delivery status notification.
    pub notify: Option<Notify>,
    /// The part of the message that a notification holds.
    pub ret: Option<Return>,
    /// True if every hop must use TLS.
    pub require_tls: bool,
    /// True if a refused recipient stops the message for all.
    pub is_all_or_nothing: bool,
    /// The length of the message in octets.
    pub octets: u64,
}

impl Request {
    /// Writes the frame up to the message; `octets` octets of it and [`write_end`] complete the frame.
    ///
    /// # Errors
    ///
    /// Returns an error if `output` fails.
    pub fn write(&self, output: &mut impl Write) -> io::Result<()> {
        let mut text = format!("submit {VERSION}\n");
        let mut add = |name: &str, value: Option<String>| {
            text.extend(value.map(|value| format!("{name} {value}\n")));
        };
        let from = self.from.as_ref().map(|from| match from {
            ReversePath::Null => "<>".to_owned(),
            ReversePath::Mailbox(mailbox) => mailbox.to_string(),
        });
        add("from", from);
        for recipient in &self.recipients {
            add("to", Some(recipient.to_string()));
        }
        add("notify", self.notify.as_ref().map(Notify::to_string));
        add("return", self.ret.as_ref().map(Return::to_string));
        if self.require_tls {
            text += "require-tls\n";
        }
        if self.is_all_or_nothing {
            text += "all-or-nothing\n";
        }
        text += &format!("message {}\n", self.octets);
        output.write_all(text.as_bytes())
    }

    /// Reads the frame up to the message. Every value is parsed again.
    ///
    /// # Errors
    ///
    /// Returns an error for the first line that is wrong, and if the connection ends or fails.
    pub fn read(input: &mut impl BufRead) -> Result<Self, Error> {
        const WORDS: &str = "a line of the frame in its order";
        let first = line(input)?;
        match first.strip_prefix("submit ") {
            Some(VERSION) => {}
            Some(version) => return Err(Error::Version(shown(version))),
            None => return Err(unexpected("`submit`", &first)),
        }
        let mut request = Self {
            from: None,
            recipients: Vec::new(),
            notify: None,
            ret: None,
            require_tls: false,
            is_all_or_nothing: false,
            octets: 0,
        };
        let mut last = 0;
        loop {
            let line = line(input)?;
            let (name, value) = match line.split_once(' ') {
                Some((name, value)) => (name, Some(value)),
                None => (line.as_str(), None),
            };
            let place = match (name, value) {
                ("from", Some(value)) => {
                    request.from = Some(parsed(value)?);
                    1
                }
                ("to", Some(value)) => {
                    if request.recipients.len() >= limits::SUBMIT_RECIPIENTS {
                        return Err(Error::TooLong("the number of recipients"));
                    }
                    request.recipients.push(parsed(value)?);
                    2
                }
                ("notify", Some(value)) => {
                    request.notify = Some(parsed(value)?);
                    3
                }
                ("return", Some(value)) => {
                    request.ret = Some(parsed(value)?);
                    4
                }
                ("require-tls", None) => {
                    request.require_tls = true;
                    5
                }
                ("all-or-nothing", None) => {
                    request.is_all_or_nothing = true;
                    6
                }
                ("message", Some(value)) if !request.recipients.is_empty() => {
                    request.octets = length(value, limits::SUBMIT_MESSAGE, "the message")?;
                    return Ok(request);
                }
                _ => return Err(unexpected(WORDS, &line)),
            };
            if place < last || (place == last && name != "to") {
                return Err(unexpected(WORDS, &line));
            }
            last = place;
        }
    }
}

/// Writes the end mark of a frame.
///
/// # Errors
///
/// Returns an error if `output` fails.
pub fn write_end(output: &mut impl Write) -> io::Result<()> {
    output.write_all(b"end\n")
}

/// Reads the end mark of a frame.
///
/// # Errors
///
/// Returns an error if something else comes, or the connection ends first.
pub fn read_end(input: &mut impl BufRead) -> Result<(), Error> {
    let line = line(input)?;
    if line == END { Ok(()) } else { Err(unexpected("`end`", &line)) }
}

/// The octets of a message in a frame: as many as were announced. An earlier end is an error
/// ([`io::ErrorKind::UnexpectedEof`]), so that a part never passes for the whole.
#[derive(Debug)]
pub struct Octets<'a, R> {
    input: &'a mut R,
    left: u64,
    /// True if the input failed or ended too early.
    is_cut: bool,
}

impl<'a, R: Read> Octets<'a, R> {
    /// The next `octets` octets of `input`.
    pub fn new(input: &'a mut R, octets: u64) -> Self {
        Self { input, left: octets, is_cut: false }
    }

    /// Returns whether the connection failed or ended before the last octet.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl<R: Read> Read for Octets<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if room == 0 {
            return Ok(0);
        }
        let read = match self.input.read(buffer.get_mut(..room).unwrap_or_default()) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            read => read,
        };
        let is_interrupted = |error: &io::Error| error.kind() == io::ErrorKind::Interrupted;
        self.is_cut = read.as_ref().is_err_and(|error| !is_interrupted(error));
        let read = read?;
        self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

/// The kind of a line for standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A failure.
    Error,
    /// A notice that requires no action.
    Info,
    /// What to try.
    Hint,
}

impl LineKind {
    const NAMES: [(&'static str, Self); 3] =
        [("error", Self::Error), ("info", Self::Info), ("hint", Self::Hint)];

    fn word(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }
}

/// The service's answer to a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The exit status.
    pub status: u8,
    /// The lines for standard error.
    pub lines: Vec<(LineKind, String)>,
    /// The result for a person, if there is one.
    pub sentence: Option<String>,
    /// The result for a program, as JSON.
    pub object: Option<String>,
}

impl Answer {
    /// Writes the answer. Lines that exceed the bounds of an answer are left out, and the last says
    /// so.
    ///
    /// # Errors
    ///
    /// Returns an error if `output` fails.
    pub fn write(&self, output: &mut impl Write) -> io::Result<()> {
        let mut text = format!("status {}\n", self.status);
        for (kind, line) in self.lines.iter().take(limits::SUBMIT_LINES) {
            text += &format!("{} {}\n", kind.word(), one_line(line));
        }
        if self.lines.len() > limits::SUBMIT_LINES {
            let more = self.lines.len() - limits::SUBMIT_LINES;
            text += &format!("error and {more} lines more\n");
        }
        if let Some(sentence) = &self.sentence {
            text += &format!("sentence {}\n", one_line(sentence));
        }
        let is_small = |object: &&String| {
            u64::try_from(object.len()).is_ok_and(|octets| octets <= limits::SUBMIT_OBJECT)
        };
        if let Some(object) = self.object.as_ref().filter(is_small) {
            text += &format!("object {}\n{object}\n", object.len());
        }
        text += "end\n";
        output.write_all(text.as_bytes())
    }

    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// Returns an error for the first line that is wrong, and if the connection ends or fails.
    pub fn read(input: &mut impl BufRead) -> Result<Self, Error> {
        let first = line(input)?;
        let status = first.strip_prefix("status ").and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| unexpected("`status`", &first))?;
        let mut answer = Self { status, ..Self::default() };
        loop {
            let line = line(input)?;
            let Some((name, value)) = line.split_once(' ') else {
                if line == END {
                    return Ok(answer);
                }
                return Err(unexpected("a line of the answer", &line));
            };
            let kind = LineKind::NAMES.iter().find(|(word, _)| *word == name);
            match (name, kind) {
                _ if answer.object.is_some() => return Err(unexpected("`end`", &line)),
                (_, Some((_, kind))) if answer.sentence.is_none() => {
                    if answer.lines.len() > limits::SUBMIT_LINES {
                        return Err(Error::TooLong("the number of lines"));
                    }
                    answer.lines.push((*kind, value.to_owned()));
                }
                ("sentence", _) if answer.sentence.is_none() => {
                    answer.sentence = Some(value.to_owned());
                }
                ("object", _) => {
                    let octets = length(value, limits::SUBMIT_OBJECT, "the result")?;
                    answer.object = Some(object(input, octets)?);
                }
                _ => return Err(unexpected("a line of the answer", &line)),
            }
        }
    }
}

/// Reads this many octets of JSON and the line end behind them.
#[expect(clippy::disallowed_methods, reason = "its length is bounded")]
fn object(input: &mut impl BufRead, octets: u64) -> Result<String, Error> {
    let mut object = String::new();
    match Octets::new(input, octets).read_to_string(&mut object) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(Error::Value("the result is not UTF-8".to_owned()));
        }
        read => read?,
    };
    let rest = line(input)?;
    if rest.is_empty() { Ok(object) } else { Err(unexpected("a line end", &rest)) }
}

/// Reads a line without its end: UTF-8, no control character, within [`limits::SUBMIT_LINE`].
fn line(input: &mut impl BufRead) -> Result<String, Error> {
    let bound = limits::SUBMIT_LINE;
    let mut line = Vec::new();
    input.take(u64::try_from(bound).unwrap_or(u64::MAX)).read_until(b'\n', &mut line)?;
    let Some(line) = line.strip_suffix(b"\n") else {
        let is_cut = line.len() < bound;
        return Err(if is_cut { Error::Cut } else { Error::TooLong("a line") });
    };
    match str::from_utf8(line) {
        Ok(text) if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err(unexpected("text", &String::from_utf8_lossy(line))),
    }
}

/// A text that fits a line: without what is not printable, and of bounded length.
fn one_line(text: &str) -> String {
    // The name of the line stands before it, and a line end behind it.
    const ROOM: usize = limits::SUBMIT_LINE - 16;
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        let escaped = if is_unprintable(c) { c.escape_unicode().to_string() } else { c.into() };
        if line.len() + escaped.len() > ROOM {
            break;
        }
        line += &escaped;
    }
    line
}

fn parsed<T: FromStr<Err: Display>>(value: &str) -> Result<T, Error> {
    value.parse().map_err(|error: T::Err| Error::Value(error.to_string()))
}

/// Parses a length, which is at most `most`.
fn length(value: &str, most: u64, what: &'static str) -> Result<u64, Error> {
    match number(value.as_bytes()) {
        Some(octets) if octets <= most => Ok(octets),
        Some(_) => Err(Error::TooLong(what)),
        None => Err(unexpected("a number of octets", value)),
    }
}

fn unexpected(expected: &'static str, found: &str) -> Error {
    Error::Unexpected { expected, found: shown(found) }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use proptest::sample::select;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn frame(request: &Request, message: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        request.write(&mut frame).unwrap();
        frame.extend_from_slice(message);
        write_end(&mut frame).unwrap();
        frame
    }

    /// The request and the message of a whole frame.
    #[expect(clippy::disallowed_methods, reason = "its length is bounded")]
    fn read(mut frame: &[u8]) -> Result<(Request, Vec<u8>), Error> {
        let request = Request::read(&mut frame)?;
        let mut message = Vec::new();
        Octets::new(&mut frame, request.octets).read_to_end(&mut message)?;
        read_end(&mut frame)?;
        Ok((request, message))
    }

    fn requests() -> impl Strategy<Value = Request> {
        const ADDRESSES: [&str; 5] =
            ["ann@example.com", "\"a b\"@x.example", "root", "ä@b\u{fc}cher.example", "a@[::1]"];
        let address = select(ADDRESSES.iter().filter_map(|it| it.parse().ok()).collect::<Vec<_>>());
        let from = option::of(select(vec!["<>", "ann@example.com"]));
        let notify = option::of(select(vec!["never", "success,delay"]));
        let ret = option::of(select(vec!["full", "hdrs"]));
        (from, vec(address, 1..4), notify, ret, any::<(bool, bool)>()).prop_map(
            |(from, recipients, notify, ret, (require_tls, is_all_or_nothing))| Request {
                from: from.map(|from| from.parse().unwrap()),
                recipients,
                notify: notify.map(|notify| notify.parse().unwrap()),
                ret: ret.map(|ret| ret.parse().unwrap()),
                require_tls,
                is_all_or_nothing,
                octets: 0,
            },
        )
    }

    const PIECES: &[&[u8]] = &[
        b"submit 1\n",
        b"from <>\n",
        b"to ann@example.com\n",
        b"to root\n",
        b"notify NEVER\n",
        b"return FULL\n",
        b"require-tls\n",
        b"all-or-nothing\n",
        b"message 3\n",
        b"a\n\n",
        b"end\n",
        b"account home\n",
        b"user 0\n",
        b"status 0\n",
        b"\n",
        b" ",
        b"\0",
        b"\xff",
    ];

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2_000,
            rng_seed: RngSeed::Fixed(4409),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_frame_comes_out_as_it_went_in_and_cut_anywhere_is_none(
            request in requests(),
            message in vec(any::<u8>(), 0..40),
        ) {
            let request = Request { octets: message.len().try_into().unwrap(), ..request };
            let frame = frame(&request, &message);
            prop_assert_eq!(read(&frame).unwrap(), (request, message));
            for cut in 0..frame.len() {
                prop_assert!(matches!(read(&frame[..cut]), Err(Error::Cut)), "{}", cut);
            }
        }

        #[test]
        fn of_garbage_only_a_frame_in_its_order_is_read(pieces in vec(select(PIECES), 0..12)) {
            let octets = pieces.concat();
            if let Ok((request, message)) = read(&octets) {
                // A frame has one form, so what was read is what was there.
                prop_assert!(octets.starts_with(&frame(&request, &message)));
            }
        }

        #[test]
        fn an_answer_comes_out_as_it_went_in_and_cut_anywhere_is_none(
            status in any::<u8>(),
            lines in vec((select(vec![LineKind::Error, LineKind::Info, LineKind::Hint]), "[ -~]{0,20}"), 0..4),
            sentence in option::of("[ -~]{0,20}"),
            object in option::of("[ -~\n]{0,20}"),
        ) {
            let answer = Answer { status, lines, sentence, object };
            let mut written = Vec::new();
            answer.write(&mut written).unwrap();
            prop_assert_eq!(Answer::read(&mut &*written).unwrap(), answer);
            for cut in 0..written.len() {
                prop_assert!(matches!(Answer::read(&mut &written[..cut]), Err(Error::Cut)));
            }
        }

        #[test]
        fn any_text_fits_a_line(text in any::<String>()) {
            let answer = Answer { lines: vec![(LineKind::Error, text)], ..Answer::default() };
            let mut written = Vec::new();
            answer.write(&mut written).unwrap();
            let read = Answer::read(&mut &*written).unwrap();
            prop_assert_eq!(read.lines.len(), 1);
        }
    }

    #[test]
    fn what_has_no_place_in_a_frame_is_refused() {
        let head = "submit 1\nto ann@example.com\n";
        for wrong in [
            "submit 2\nto ann@example.com\nmessage 0\nend\n".to_owned(),
            "submit 1\nmessage 0\nend\n".to_owned(),
            format!("{head}uid 0\nmessage 0\nend\n"),
            format!("{head}account home\nmessage 0\nend\n"),
            format!("{head}from <>\nmessage 0\nend\n"),
            format!("{head}require-tls\nrequire-tls\nmessage 0\nend\n"),
            format!("{head}all-or-nothing yes\nmessage 0\nend\n"),
            format!("{head}to a@x\rRSET\nmessage 0\nend\n"),
            format!("{head}to -Cevil\u{0} x\nmessage 0\nend\n"),
            format!("{head}message 2147483648\n"),
            format!("{head}message -1\n"),
            format!("{head}message 1\naend \n"),
            format!("{head}to {}@example.com\nmessage 0\nend\n", "x".repeat(5_000)),
        ] {
            let error = read(wrong.as_bytes()).unwrap_err();
            assert!(!matches!(error, Error::Cut | Error::Io(_)), "{wrong}: {error}");
        }
        let many = "to a@x.example\n".repeat(limits::SUBMIT_RECIPIENTS + 1);
        let many = format!("submit 1\n{many}message 0\nend\n");
        assert!(matches!(read(many.as_bytes()), Err(Error::TooLong(_))));
    }

    #[test]
    fn a_greeting_of_another_version_is_named() {
        let mut greeting = Vec::new();
        Greeting::Busy.write(&mut greeting).unwrap();
        assert_eq!(Greeting::read(&mut &*greeting).unwrap(), Greeting::Busy);
        let error = Greeting::read(&mut &b"postie submit 2 ready\n"[..]).unwrap_err();
        assert_eq!(error.to_string(), "expected version 1, found `2`");
        for wrong in ["", "220 mail.example ESMTP\n", "postie submit 1 later\n"] {
            assert!(Greeting::read(&mut wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
