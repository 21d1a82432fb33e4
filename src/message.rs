//! A message on its way out, in canonical form (RFC 5322 §2.1, RFC 5321 §2.3.8): every line ends
//! in CRLF and neither CR nor LF stands alone, so that no server can read a second message into
//! it. The header is kept as fields, the body in memory up to a bound and else in an unlinked file.

mod transfer;

use std::collections::HashSet;
use std::io::{self, Read, Seek, Write};

use tempfile::SpooledTempFile;

pub use self::transfer::Encoder;

use crate::limits;
use crate::text::{Address, AddressError, Addressee, Addressees, plain};

/// Why there is no message to send.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No input at all.
    #[error("the message is empty")]
    Empty,
    /// The header section is out of bounds.
    #[error("the header is longer than {} octets", limits::HEADER)]
    Header,
    /// A field that must hold addresses holds something else.
    #[error("{field}: {source}")]
    Address {
        /// The field's name.
        field: &'static str,
        /// What is wrong.
        source: AddressError,
    },
    /// Standard input or the temporary file failed.
    #[error("cannot {doing} the message: {}", plain(source))]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// A whole message.
pub struct Message {
    fields: Vec<Field>,
    /// Those that are not sent.
    blind: Vec<Field>,
    body: Body,
}

/// What a server takes unharmed (RFC 2045 §2.7 and §2.8): lines of 998 octets at most, without NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// ASCII only.
    SevenBit,
    /// Any other octet too (RFC 6152).
    EightBit,
}

impl Message {
    /// Reads a message to its end, whatever its line ends are.
    pub fn read(input: &mut dyn Read) -> Result<Self, Error> {
        let failed = |doing| move |source| Error::Io { doing, source };
        let mut intake = Intake::new();
        let mut chunk = vec![0; limits::BUFFER];
        loop {
            let read = match input.read(&mut chunk) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed("read")(error)),
            };
            let Some(octets) = chunk.get(..read).filter(|octets| !octets.is_empty()) else { break };
            intake.write_all(octets).map_err(|error| intake.reason(error))?;
        }
        intake.finish()
    }

    /// The first field of this name, unfolded and without blanks around it.
    pub fn field(&self, name: &str) -> Option<String> {
        self.fields.iter().find(|field| field.is(name)).map(Field::value)
    }

    /// The first of those in the From field.
    pub fn author(&self) -> Option<Addressee<Address>> {
        let Addressees(list) = self.field("From")?.parse().ok()?;
        list.into_iter().next()
    }

    /// The addresses in To, Cc and Bcc; of a message that was resent, those it was resent to last.
    pub fn addressees(&self) -> Result<Vec<Address>, Error> {
        let resent = self.last_resent();
        let (names, fields) = if resent.is_empty() {
            (["To", "Cc", "Bcc"], self.fields.iter().collect())
        } else {
            (["Resent-To", "Resent-Cc", "Resent-Bcc"], resent)
        };
        let mut addressees = Vec::new();
        for field in names {
            for found in fields.iter().filter(|found| found.is(field)) {
                let list = found.value().parse::<Addressees<Address>>();
                let list = list.map_err(|source| Error::Address { field, source })?;
                addressees.extend(list.addresses());
            }
        }
        Ok(addressees)
    }

    /// The block of Resent fields that was put there last, which is the first (RFC 5322 §3.6.6): up
    /// to another field, or to one of a name that was there already.
    fn last_resent(&self) -> Vec<&Field> {
        let mut names = HashSet::new();
        let fields = self.fields.iter().skip_while(|field| !field.is_resent());
        fields.take_while(|field| field.is_resent() && names.insert(field.name())).collect()
    }

    /// Removes the fields that say who gets the message unbeknown to the others. If nobody else
    /// was named, that much is said: a message without To and Cc looks like a broken one to many.
    pub fn remove_bcc(&mut self) {
        let is_blind = self.fields.iter().any(|field| field.is("Bcc"));
        let is_hidden = |field: &mut Field| field.is("Bcc") || field.is("Resent-Bcc");
        self.blind.extend(self.fields.extract_if(.., is_hidden));
        if is_blind && !self.fields.iter().any(|field| field.is("Cc")) {
            self.add_missing("To", UNDISCLOSED);
        }
    }

    /// Adds a field at the end of the header, unless there is one of its name.
    pub fn add_missing(&mut self, name: &str, value: &str) {
        if !self.fields.iter().any(|field| field.is(name)) {
            self.fields.push(Field::new(name, value));
        }
    }

    /// Gives a field another value; where there are several, one remains.
    pub fn replace(&mut self, name: &str, value: &str) {
        let place = self.fields.iter().position(|field| field.is(name));
        self.fields.retain(|field| !field.is(name));
        self.fields.insert(place.unwrap_or(self.fields.len()), Field::new(name, value));
    }

    /// Octets of the message in canonical form.
    pub fn octets(&self) -> u64 {
        let header: usize = self.fields.iter().map(|field| field.0.len()).sum();
        u64::try_from(header)
            .unwrap_or(u64::MAX)
            .saturating_add(2)
            .saturating_add(self.body.measure.octets)
    }

    /// Whether any octet is above 127.
    pub fn is_8bit(&self) -> bool {
        self.body.measure.high > 0 || self.fields.iter().any(|field| !field.0.is_ascii())
    }

    /// Encodes a body that would not survive the transport, and says so in the header; folds fields
    /// that would not. A message that has MIME fields of its own says already how its body is to be
    /// read, which stays as it is.
    pub fn fit(&mut self, transport: Transport) -> Result<(), Error> {
        self.fields.iter_mut().for_each(Field::fold);
        let has_mime = self.fields.iter().any(Field::is_mime);
        if has_mime || self.body.measure.survives(transport) {
            return Ok(());
        }
        let (body, charset, encoding) =
            self.body.encoded().map_err(|source| Error::Io { doing: "encode", source })?;
        self.body = body;
        self.add_missing("MIME-Version", "1.0");
        self.add_missing("Content-Type", &format!("text/plain; charset={charset}"));
        self.add_missing("Content-Transfer-Encoding", encoding);
        Ok(())
    }

    /// Writes the message for its sender to keep: with the fields that are not sent, and lines that
    /// end in LF, as they do in files.
    pub fn copy(&mut self, output: &mut dyn Write) -> io::Result<()> {
        self.body.file.rewind()?;
        let fields = self.blind.iter().chain(&self.fields).map(|field| field.0.as_slice());
        let header = fields.chain([b"\r\n".as_slice()]).collect::<Vec<_>>().concat();
        let mut text = io::Cursor::new(header).chain(&mut self.body.file);
        let mut chunk = vec![0; limits::BUFFER];
        loop {
            let read = text.read(&mut chunk)?;
            let Some(octets) = chunk.get(..read).filter(|octets| !octets.is_empty()) else {
                return Ok(());
            };
            // In canonical form there is no CR but at line ends.
            octets.split(|&octet| octet == b'\r').try_for_each(|piece| output.write_all(piece))?;
        }
    }

    /// The whole text, from its beginning.
    pub fn text(&mut self) -> Result<impl Read + '_, Error> {
        self.body.file.rewind().map_err(|source| Error::Io { doing: "read back", source })?;
        let mut header = self.fields.iter().map(|field| field.0.as_slice()).collect::<Vec<_>>();
        header.push(b"\r\n");
        Ok(io::Cursor::new(header.concat()).chain(&mut self.body.file))
    }
}

/// What stands behind the empty line.
#[derive(Debug)]
struct Body {
    file: SpooledTempFile,
    measure: Measure,
}

impl Body {
    fn new() -> Self {
        Self { file: SpooledTempFile::new(limits::IN_MEMORY), measure: Measure::default() }
    }

    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        self.measure.take(text);
        self.file.write_all(text)
    }

    /// The same in ASCII, its character set, and how it is encoded.
    fn encoded(&mut self) -> io::Result<(Self, &'static str, &'static str)> {
        // With more than a third beyond ASCII nobody could read it as it stands anyway.
        let Measure { octets, high, has_nul, .. } = self.measure;
        let is_legible = !has_nul && high <= octets / 3;
        let mut encoder = if is_legible { Encoder::quoted_printable() } else { Encoder::base64() };
        let encoding = encoder.name();
        let (mut body, mut utf8) = (Self::new(), Utf8::default());
        let (mut chunk, mut output) = (vec![0; limits::BUFFER], Vec::new());
        self.file.rewind()?;
        loop {
            let read = self.file.read(&mut chunk)?;
            let Some(text) = chunk.get(..read).filter(|text| !text.is_empty()) else { break };
            utf8.take(text);
            encoder.encode(text, &mut output);
            body.append(&output)?;
            output.clear();
        }
        encoder.finish(&mut output);
        body.append(&output)?;
        let charset = match (high, utf8.is_valid()) {
            (0, _) => "us-ascii",
            (_, true) => "utf-8",
            // It is something, and nobody said what (RFC 1428 §3).
            (_, false) => "unknown-8bit",
        };
        Ok((body, charset, encoding))
    }
}

/// What there is to know of a body before it is sent.
#[derive(Clone, Copy, Debug, Default)]
struct Measure {
    octets: u64,
    /// Those above 127.
    high: u64,
    has_nul: bool,
    has_long_line: bool,
    /// Octets since the last line end.
    column: usize,
}

impl Measure {
    fn take(&mut self, text: &[u8]) {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.octets += number(text.len());
        // Most text has none, which is seen much faster than they are counted.
        if !text.is_ascii() {
            self.high += number(text.iter().filter(|octet| !octet.is_ascii()).count());
        }
        self.has_nul |= memchr::memchr(0, text).is_some();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', text).map(|at| at + 1) {
            self.has_long_line |= self.column + (end - start) > limits::TEXT_LINE;
            (self.column, start) = (0, end);
        }
        self.column += text.len() - start;
        self.has_long_line |= self.column > limits::TEXT_LINE;
    }

    fn survives(&self, transport: Transport) -> bool {
        let fits = self.high == 0 || transport == Transport::EightBit;
        fits && !self.has_nul && !self.has_long_line
    }
}

/// Looks at text in pieces to see whether it is UTF-8.
#[derive(Default)]
struct Utf8 {
    /// The start of a character whose end has not come yet.
    begun: Vec<u8>,
    is_broken: bool,
}

impl Utf8 {
    fn take(&mut self, text: &[u8]) {
        self.begun.extend_from_slice(text);
        let whole = match std::str::from_utf8(&self.begun) {
            Ok(text) => text.len(),
            Err(error) => {
                self.is_broken |= error.error_len().is_some();
                error.valid_up_to()
            }
        };
        self.begun.drain(..if self.is_broken { self.begun.len() } else { whole });
    }

    fn is_valid(&self) -> bool {
        !self.is_broken && self.begun.is_empty()
    }
}

/// The empty group (RFC 5322 §3.4), by its customary name.
pub const UNDISCLOSED: &str = "undisclosed-recipients:;";

/// One header field as it will be sent, folds and last line end included.
#[derive(Debug)]
struct Field(Vec<u8>);

impl Field {
    fn new(name: &str, value: &str) -> Self {
        // What comes here is text of our own; a line end in it must still not end the field.
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        Self(format!("{name}: {value}\r\n").into_bytes())
    }

    /// Whether this is a field called `name`; names have no case (RFC 5322 §1.2.2).
    fn is(&self, name: &str) -> bool {
        self.0.split_at_checked(name.len()).is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(name.as_bytes()) && rest.trim_ascii_start().starts_with(b":")
        })
    }

    /// Breaks lines that are too long at their blanks, which changes nothing for who reads them
    /// (RFC 5322 §2.2.3). Where there is no blank nothing can be done.
    fn fold(&mut self) {
        let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t');
        let mut folded = Vec::with_capacity(self.0.len());
        for line in self.0.split_inclusive(|&octet| octet == b'\n') {
            let mut rest = line;
            while rest.len() > limits::TEXT_LINE {
                let room = rest.get(..limits::TEXT_LINE - 2).unwrap_or(rest);
                // A fold before the first word would leave a line of blanks.
                let word = room.iter().position(|octet| !is_blank(octet)).unwrap_or(room.len());
                let Some(end) = room.iter().rposition(is_blank).filter(|&end| end > word) else {
                    break;
                };
                let (head, tail) = rest.split_at(end);
                folded.extend_from_slice(head);
                folded.extend_from_slice(b"\r\n");
                rest = tail;
            }
            folded.extend_from_slice(rest);
        }
        self.0 = folded;
    }

    /// The name in lower case.
    fn name(&self) -> Vec<u8> {
        let name = self.0.split(|&octet| octet == b':').next().unwrap_or_default();
        name.trim_ascii_end().to_ascii_lowercase()
    }

    fn is_resent(&self) -> bool {
        self.name().starts_with(b"resent-")
    }

    /// Whether it says how the body is to be read.
    fn is_mime(&self) -> bool {
        self.is("MIME-Version") || self.name().starts_with(b"content-")
    }

    fn value(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let value = text.split_once(':').map(|(_, value)| value).unwrap_or_default();
        value.trim().replace("\r\n", "")
    }
}

/// Takes in a message as it is written: from standard input, or by whoever composes one.
pub struct Intake {
    canonical: Canonical,
    header: Header,
    body: Body,
    is_empty: bool,
}

impl Intake {
    /// Nothing was written yet.
    pub fn new() -> Self {
        Self {
            canonical: Canonical::default(),
            header: Header::default(),
            body: Body::new(),
            is_empty: true,
        }
    }

    /// Everything was written.
    pub fn finish(mut self) -> Result<Message, Error> {
        if self.is_empty {
            return Err(Error::Empty);
        }
        let rest = self.header.finish();
        let finished = self.body.append(&rest).and_then(|()| {
            let end: &[u8] = if self.body.measure.column == 0 { b"" } else { b"\r\n" };
            self.body.append(end)
        });
        finished.map_err(|error| self.reason(error))?;
        Ok(Message { fields: self.header.fields, blind: Vec::new(), body: self.body })
    }

    /// What a failed write means.
    pub fn reason(&self, source: io::Error) -> Error {
        match self.header.state {
            HeaderState::TooLong => Error::Header,
            _ => Error::Io { doing: "keep", source },
        }
    }
}

impl Default for Intake {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Intake {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.is_empty &= octets.is_empty();
        let mut text = Vec::with_capacity(octets.len() + octets.len() / 16);
        self.canonical.append(octets, &mut text);
        let body = match self.header.state {
            HeaderState::Whole => text,
            _ => self.header.take(&text),
        };
        if matches!(self.header.state, HeaderState::TooLong) {
            return Err(io::Error::other(Error::Header));
        }
        self.body.append(&body)?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Turns CR, LF and CRLF alike into CRLF.
#[derive(Default)]
struct Canonical {
    /// The last octet was a CR, which has become a whole line end already.
    cr: bool,
}

impl Canonical {
    fn append(&mut self, mut octets: &[u8], output: &mut Vec<u8>) {
        if self.cr && !octets.is_empty() {
            self.cr = false;
            octets = octets.strip_prefix(b"\n").unwrap_or(octets);
        }
        while let Some(end) = memchr::memchr2(b'\r', b'\n', octets) {
            let (line, rest) = octets.split_at(end);
            output.extend_from_slice(line);
            output.extend_from_slice(b"\r\n");
            octets = match rest {
                [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
                [] => rest,
            };
            self.cr = rest == b"\r";
        }
        output.extend_from_slice(octets);
    }
}

/// The header section, line by line.
#[derive(Default)]
struct Header {
    fields: Vec<Field>,
    /// The start of a line whose end has not come yet.
    line: Vec<u8>,
    octets: usize,
    state: HeaderState,
}

#[derive(Clone, Copy, Default)]
enum HeaderState {
    /// Not one line was seen.
    #[default]
    Begin,
    Fields,
    /// The empty line was seen, or a line that cannot stand in a header.
    Whole,
    TooLong,
}

impl Header {
    /// Takes canonical text, and hands back what belongs to the body.
    fn take(&mut self, text: &[u8]) -> Vec<u8> {
        let mut rest = text;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (head, tail) = rest.split_at(end + 1);
            rest = tail;
            self.line.extend_from_slice(head);
            let line = std::mem::take(&mut self.line);
            if let Some(mut body) = self.end_with(line) {
                body.extend_from_slice(rest);
                return body;
            }
        }
        self.line.extend_from_slice(rest);
        if self.octets + self.line.len() > limits::HEADER {
            self.state = HeaderState::TooLong;
        }
        Vec::new()
    }

    /// The text has ended: what remains is a last line without its end, of the header or of the
    /// body.
    fn finish(&mut self) -> Vec<u8> {
        let mut line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return line;
        }
        line.extend_from_slice(b"\r\n");
        self.end_with(line).unwrap_or_default()
    }

    /// Takes one line, its end included. If the header ends there, what the line means for the
    /// body: nothing when it is empty, else it is the body's first, for somebody forgot the line
    /// between them.
    fn end_with(&mut self, line: Vec<u8>) -> Option<Vec<u8>> {
        let at_begin = matches!(self.state, HeaderState::Begin);
        self.octets += line.len();
        if self.octets > limits::HEADER {
            self.state = HeaderState::TooLong;
            return None;
        }
        self.state = HeaderState::Fields;
        if line == b"\r\n" {
            self.state = HeaderState::Whole;
            return Some(Vec::new());
        }
        if at_begin && (line.starts_with(b"From ") || line.starts_with(b">From ")) {
            // The separator of an mbox file, which is where the message was kept and no part of it.
            return None;
        }
        match self.fields.last_mut() {
            Some(field) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                field.0.extend_from_slice(&line);
                None
            }
            _ if is_field(&line) => {
                self.fields.push(Field(line));
                None
            }
            _ => {
                self.state = HeaderState::Whole;
                Some(line)
            }
        }
    }
}

/// A name of printable characters, perhaps blanks, a colon (RFC 5322 §2.2 and §4.5).
fn is_field(line: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', line) else { return false };
    let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(input: impl AsRef<[u8]>) -> Message {
        Message::read(&mut input.as_ref()).unwrap()
    }

    fn text(message: &mut Message) -> String {
        let mut text = Vec::new();
        io::copy(&mut message.text().unwrap(), &mut text).unwrap();
        assert_eq!(u64::try_from(text.len()).unwrap(), message.octets());
        String::from_utf8_lossy(&text).into_owned()
    }

    #[test]
    fn every_kind_of_line_end_becomes_crlf_whatever_the_chunks() {
        let input = b"A: b\nC: d\r\n\re\rf\n\r\n\r\r\ng\n.\r\n\nh";
        let expected = "A: b\r\nC: d\r\n\r\ne\r\nf\r\n\r\n\r\n\r\ng\r\n.\r\n\r\nh\r\n";
        for size in 1..=input.len() {
            let mut intake = Intake::new();
            for chunk in input.chunks(size) {
                intake.write_all(chunk).unwrap();
            }
            assert_eq!(text(&mut intake.finish().unwrap()), expected, "chunks of {size}");
        }
    }

    /// Whether no CR and no LF stands alone.
    fn is_canonical(text: &[u8]) -> bool {
        let crlf = text.windows(2).filter(|two| two == b"\r\n").count();
        let count = |octet| memchr::memchr_iter(octet, text).count();
        count(b'\r') == crlf && count(b'\n') == crlf
    }

    #[test]
    fn nothing_that_is_read_can_break_out_of_canonical_form() {
        const PIECES: [&[u8]; 16] = [
            b"\r",
            b"\n",
            b"\r\n",
            b"\n\n",
            b".",
            b"\r\n.\r\n",
            b"\n.\n",
            b" ",
            b"\0",
            b"\xff",
            b"a",
            b"Bcc: x@y",
            b"To: z",
            b"From b",
            b"MIME-Version: 1.0",
            b":",
        ];
        // Any fixed sequence will do, so long as it is long and without a pattern (Lehmer).
        let mut seed = 1_u64;
        let mut next = |below: usize| {
            seed = seed * 48_271 % 2_147_483_647;
            usize::try_from(seed).unwrap() % below
        };
        for _ in 0..20_000 {
            let input: Vec<u8> = (0..=next(12)).flat_map(|_| PIECES[next(16)].to_vec()).collect();
            let mut intake = Intake::new();
            let size = 1 + next(input.len());
            input.chunks(size).for_each(|chunk| intake.write_all(chunk).unwrap());
            let mut message = intake.finish().unwrap();
            let read = |message: &mut Message| {
                let mut text = Vec::new();
                io::copy(&mut message.text().unwrap(), &mut text).unwrap();
                assert_eq!(u64::try_from(text.len()).unwrap(), message.octets());
                assert!(is_canonical(&text) && text.ends_with(b"\r\n"), "{input:?}");
                text
            };
            let text = read(&mut message);
            // Read again, it is the same; and it is the same in every chunk size.
            assert_eq!(read(&mut Message::read(&mut text.as_slice()).unwrap()), text, "{input:?}");
            assert_eq!(read(&mut Message::read(&mut input.as_slice()).unwrap()), text, "{input:?}");
            message.remove_bcc();
            message.fit(Transport::SevenBit).unwrap();
            let text = read(&mut message);
            let (header, body) = match memchr::memmem::find(&text, b"\r\n\r\n") {
                _ if text.starts_with(b"\r\n") => (&b""[..], &text[2..]),
                Some(end) => (&text[..end], &text[end + 4..]),
                None => (&text[..], &b""[..]),
            };
            let is_safe = body.is_ascii() && !body.contains(&0);
            let has_mime = memchr::memmem::find(header, b"MIME-Version: 1.0").is_some();
            assert!(is_safe || has_mime, "{input:?}");
            assert!(!header.split(|&octet| octet == b'\n').any(|line| line.starts_with(b"Bcc:")));
        }
    }

    #[test]
    fn a_text_without_header_is_a_body() {
        for input in ["hello\nworld\n", "hello\nworld", "\nhello\nworld\n"] {
            let text = text(&mut message(input));
            assert_eq!(text, "\r\nhello\r\nworld\r\n", "{input:?}");
        }
        // A line that cannot stand in a header begins the body.
        assert_eq!(text(&mut message("Subject: x\nhello\n")), "Subject: x\r\n\r\nhello\r\n");
        assert_eq!(text(&mut message("Subject: x")), "Subject: x\r\n\r\n");
    }

    #[test]
    fn the_line_of_an_mbox_is_dropped_at_the_very_start_only() {
        let mut dropped = message("From ann Mon Nov 23 2026\nA: b\n\nFrom me\n");
        assert_eq!(text(&mut dropped), "A: b\r\n\r\nFrom me\r\n");
        let mut kept = message("A: b\nFrom me\n\n");
        assert_eq!(text(&mut kept), "A: b\r\n\r\nFrom me\r\n\r\n");
    }

    #[test]
    fn blind_recipients_are_read_and_removed_with_their_folds() {
        let mut message = message(
            "To: ann@x.example\nbcc: eve@x.example,\n  Bob <bob@x.example>\nBCC :c@x.example\n\
             Bccc: d@x.example\n\nBcc: body@x.example\n",
        );
        let addressees: Vec<_> = message
            .addressees()
            .unwrap()
            .iter()
            .map(|a| a.mailbox().unwrap().to_string())
            .collect();
        let expected = ["ann@x.example", "eve@x.example", "bob@x.example", "c@x.example"];
        assert_eq!(addressees, expected);
        message.remove_bcc();
        assert_eq!(
            text(&mut message),
            "To: ann@x.example\r\nBccc: d@x.example\r\n\r\nBcc: body@x.example\r\n"
        );
    }

    #[test]
    fn a_copy_has_what_is_not_sent_and_the_line_ends_of_a_file() {
        let mut message = message("To: a@x\nBcc: b@x,\n c@x\n\n.\n\nend");
        message.remove_bcc();
        let mut copy = Vec::new();
        message.copy(&mut copy).unwrap();
        assert_eq!(copy, b"Bcc: b@x,\n c@x\nTo: a@x\n\n.\n\nend\n");
        assert!(!text(&mut message).contains("Bcc"));
    }

    #[test]
    fn a_message_whose_only_recipients_are_blind_says_that_much() {
        for (header, expected) in [
            ("Bcc: a@x", "To: undisclosed-recipients:;\r\n"),
            ("To: b@x\nBcc: a@x", "To: b@x\r\n"),
            ("Cc: b@x\nBcc: a@x", "Cc: b@x\r\n"),
            ("Subject: x", "Subject: x\r\n"),
        ] {
            let mut message = message(format!("{header}\n\n"));
            message.remove_bcc();
            assert_eq!(text(&mut message), format!("{expected}\r\n"));
        }
    }

    #[test]
    fn a_message_that_was_resent_goes_to_those_of_the_last_time() {
        let addressees = |header: &str| {
            let list = message(format!("{header}\n\n")).addressees().unwrap();
            list.iter().map(|a| a.mailbox().unwrap().to_string()).collect::<Vec<_>>().join(" ")
        };
        let first = "Resent-From: a@x\nResent-To: b@x\nresent-bcc: c@x,\n d@x";
        let before = "Resent-From: e@x\nResent-To: f@x\nResent-Cc: g@x";
        let rest = "From: h@x\nTo: i@x\nBcc: j@x";
        assert_eq!(addressees(&format!("{first}\n{rest}")), "b@x c@x d@x");
        // Another block may follow at once, or behind a trace field.
        assert_eq!(addressees(&format!("{first}\n{before}\n{rest}")), "b@x c@x d@x");
        let traced = format!("Received: x\n{first}\nReceived: y\n{before}\n{rest}");
        assert_eq!(addressees(&traced), "b@x c@x d@x");
        assert_eq!(addressees(rest), "i@x j@x");
    }

    #[test]
    fn a_body_that_would_not_survive_is_encoded_and_declared() {
        use Transport::{EightBit, SevenBit};
        let long = "x".repeat(999);
        let fitted = |body: &[u8], transport| {
            let mut message = message([b"Subject: x\n\n", body, b"\n"].concat());
            message.fit(transport).unwrap();
            text(&mut message)
        };
        let declared = |charset: &str, encoding: &str| {
            format!(
                "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset={charset}\r\n\
                 Content-Transfer-Encoding: {encoding}\r\n\r\n"
            )
        };
        let text = "Gr\u{fc}\u{df}e from here".as_bytes();
        let quoted = declared("utf-8", "quoted-printable") + "Gr=C3=BC=C3=9Fe from here\r\n";
        assert_eq!(fitted(text, SevenBit), quoted);
        assert!(!fitted(text, EightBit).contains("MIME"));
        let latin = declared("unknown-8bit", "quoted-printable") + "Gr=FC=DFe from here\r\n";
        assert_eq!(fitted(b"Gr\xfc\xdfe from here", SevenBit), latin);
        // For base64, the octets of the canonical text, NUL and all.
        let base64 = declared("us-ascii", "base64") + "YQBiDQo=\r\n";
        assert_eq!(fitted(b"a\0b", EightBit), base64);
        let dense = fitted("\u{5199}\u{771f}".repeat(50).as_bytes(), SevenBit);
        assert!(dense.starts_with(&declared("utf-8", "base64")), "{dense}");
        assert!(!fitted(&long.as_bytes()[..998], EightBit).contains("MIME"));
        let split = fitted(long.as_bytes(), EightBit);
        assert!(split.starts_with(&declared("us-ascii", "quoted-printable")), "{split}");
        let (_, body) = split.split_once("\r\n\r\n").unwrap();
        assert_eq!(body.replace("=\r\n", ""), format!("{long}\r\n"));
    }

    #[test]
    fn a_message_with_mime_fields_of_its_own_is_left_alone() {
        for field in ["MIME-Version: 1.0", "content-type : text/html", "Content-ID: <x>"] {
            let input = format!("{field}\n\n\u{fc}\0{}\n", "x".repeat(2000));
            let mut message = message(&input);
            message.fit(Transport::SevenBit).unwrap();
            assert_eq!(text(&mut message), input.replace('\n', "\r\n"));
        }
    }

    #[test]
    fn a_field_that_is_too_long_is_folded_at_its_blanks() {
        let list = vec!["someone@example.org"; 200].join(", ");
        let (word, blanks) = ("x".repeat(2000), " ".repeat(1500));
        let input = format!("To: {list}\nX-Word: {word} y\nX-Blanks:{blanks}z\n\n");
        let mut message = message(&input);
        message.fit(Transport::EightBit).unwrap();
        let text = text(&mut message);
        assert_eq!(text.replace("\r\n ", " "), input.replace('\n', "\r\n"));
        let (to, _) = text.split_once("X-Word").unwrap();
        assert!(to.lines().count() == 5 && to.lines().all(|line| line.len() <= 998), "{to}");
        assert!(text.lines().all(|line| !line.trim().is_empty() || line.is_empty()), "{text}");
    }

    #[test]
    fn characters_are_not_cut_by_chunks() {
        let body = "\u{1f600}x".repeat(limits::BUFFER);
        let mut message = message(format!("A: b\n\n{body}"));
        message.fit(Transport::SevenBit).unwrap();
        assert!(text(&mut message).contains("charset=utf-8"));
    }

    #[test]
    fn what_is_missing_is_added_and_what_is_there_is_left() {
        let mut message = message("date: today\nSubject: x\n\ny\n");
        message.add_missing("Date", "tomorrow");
        message.add_missing("Message-ID", "<1@x.example>\r\nBcc: evil@x.example");
        assert_eq!(
            text(&mut message),
            "date: today\r\nSubject: x\r\nMessage-ID: <1@x.example>Bcc: evil@x.example\r\n\r\ny\r\n"
        );
    }

    #[test]
    fn a_field_is_replaced_where_it_stands_and_once() {
        let mut message = message("A: b\nFrom: root (Cron\n Daemon)\nC: d\nfrom: x@y\n\nz\n");
        let author = message.author().unwrap();
        assert_eq!(author.name.as_deref(), Some("Cron Daemon"));
        message.replace("From", "Cron <ann@x.example>");
        let expected = "A: b\r\nFrom: Cron <ann@x.example>\r\nC: d\r\n\r\nz\r\n";
        assert_eq!(text(&mut message), expected);
    }

    #[test]
    fn a_message_larger_than_memory_is_kept_whole() {
        let body = "0123456789abcdef\n".repeat(200_000);
        let mut message = message(format!("A: b\n\n{body}"));
        let expected = format!("A: b\r\n\r\n{}", body.replace('\n', "\r\n"));
        // Twice, since it may have to be sent again.
        for _ in 0..2 {
            assert!(text(&mut message) == expected);
        }
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert!(matches!(Message::read(&mut io::empty()), Err(Error::Empty)));
        let long = "A: b\n".repeat(limits::HEADER / 5);
        assert!(matches!(Message::read(&mut long.as_bytes()), Err(Error::Header)));
        let endless = "x".repeat(limits::HEADER + 1);
        assert!(matches!(Message::read(&mut endless.as_bytes()), Err(Error::Header)));
        let bad = message("To: root, not an address\n\n").addressees().unwrap_err();
        assert_eq!(bad.to_string(), "To: `not an address` is not an address: it has no `@`");
    }
}
