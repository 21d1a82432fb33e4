//! A message on its way out, in canonical form (RFC 5322 §2.1, RFC 5321 §2.3.8): every line ends
//! in CRLF and neither CR nor LF stands alone, so that no server can read a second message into
//! it. The header is kept as fields, the body in memory up to a bound and else in an unlinked file.

mod encoded_words;
mod header;
mod line_ends;
mod mime;
mod plain;
mod transfer;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use tempfile::SpooledTempFile;

use self::header::{Defect, Field, Header};
use self::line_ends::{LineEnds, without_lone_cr};
use self::mime::{Declared, Text};
pub use self::plain::{Octets, TextPart};
pub use self::transfer::Encoder;

use crate::limits;
use crate::text::{Address, AddressError, Addressee, Addressees, Mailbox, plain, shown};

/// The reason why there is no message to send.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input of an SMTP conversation ended inside the message.
    #[error(
        "the input ended inside a message, which was not sent: its end is a line with a dot, and lines end in CRLF"
    )]
    Cut,
    /// The input is empty.
    #[error("the message is empty")]
    Empty,
    /// The header section is not one.
    #[error(transparent)]
    Header(#[from] Defect),
    /// A field that must hold addresses holds something else.
    #[error("{field}: {source}")]
    Address {
        /// The field's name.
        field: &'static str,
        /// The fault.
        source: AddressError,
    },
    /// The body is declared as binary and is. No server takes it unharmed (RFC 2045 §6.2).
    #[error("the message is declared as binary, which mail cannot carry: encode it in base64")]
    Binary,
    /// Standard input or the temporary file failed.
    #[error("cannot {doing} the message: {}", plain(source))]
    Io {
        /// The action, as a verb.
        doing: &'static str,
        /// The failure.
        source: io::Error,
    },
}

/// A whole message.
pub struct Message {
    fields: Vec<Field>,
    /// The Bcc fields, which are not sent.
    blind: Vec<Field>,
    body: Body,
}

/// The limits of a transport (RFC 2045 §2.7 and §2.8): lines of at most 998 octets, without NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// ASCII only.
    SevenBit,
    /// Any other octet too (RFC 6152).
    EightBit,
}

impl Message {
    /// Reads a message to its end, with any line ends.
    ///
    /// # Errors
    ///
    /// Returns an error if the input is empty, cannot be read, or has a header that cannot be sent.
    pub fn read(input: &mut dyn Read) -> Result<Self, Error> {
        let failed = |doing| move |source| Error::Io { doing, source };
        let mut intake = MessageWriter::new();
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

    /// The first field of this name that is not empty, unfolded and without blanks around it; of Resent
    /// fields, in the block that was put there last. `None` if there is none.
    pub fn field(&self, name: &str) -> Option<String> {
        let others = self.fields.iter().filter(|field| !field.is_resent());
        let fields = others.chain(self.last_resent());
        let mut values = fields.filter(|field| field.is(name)).map(Field::value);
        values.find(|value| !value.is_empty())
    }

    /// The Subject field with its encoded words decoded, for people. `None` if there is none.
    pub fn subject(&self) -> Option<String> {
        Some(shown(&encoded_words::decoded(&self.field("Subject")?)))
    }

    /// The addresses of a field, which is From or Resent-From. None if the field is missing or cannot
    /// be parsed as addresses.
    pub fn authors(&self, field: &str) -> Vec<Addressee<Address>> {
        let list = self.field(field).map(|value| Addressees::any_number(&value));
        list.and_then(Result::ok).map(|Addressees(list)| list).unwrap_or_default()
    }

    /// Returns whether the message was resent by another than its author (RFC 5322 §3.6.6).
    pub fn is_resent(&self) -> bool {
        self.fields.iter().any(Field::is_resent)
    }

    /// The addresses in To, Cc and Bcc; of a message that was resent, those it was resent to last.
    ///
    /// # Errors
    ///
    /// Returns an error if a field cannot be parsed as addresses.
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
                let list = Addressees::any_number(&found.value());
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

    /// Removes the Bcc fields. A message that has neither To nor Cc then gets an empty group as To,
    /// since many readers take it for broken otherwise; and the last block of Resent fields one as
    /// Resent-To, without which it might be gone and the block before it pass for the last.
    pub fn remove_bcc(&mut self) {
        const RESENT_BCC: &str = "Resent-Bcc";
        let resent = self.last_resent();
        let has = |name| resent.iter().any(|field| field.is(name));
        if has(RESENT_BCC) && !has("Resent-To") && !has("Resent-Cc") {
            let place = self.fields.iter().position(|field| field.is(RESENT_BCC));
            self.fields.insert(place.unwrap_or_default(), Field::new("Resent-To", UNDISCLOSED));
        }
        let is_blind = self.fields.iter().any(|field| field.is("Bcc"));
        let is_hidden = |field: &mut Field| field.is("Bcc") || field.is(RESENT_BCC);
        self.blind.extend(self.fields.extract_if(.., is_hidden));
        if is_blind && !self.fields.iter().any(|field| field.is("Cc")) {
            self.add_missing("To", UNDISCLOSED);
        }
    }

    /// Adds a field at the end of the header, or fills an empty one, unless there is one of its name.
    pub fn add_missing(&mut self, name: &str, value: &str) {
        if self.field(name).is_none() {
            self.replace(name, value);
        }
    }

    /// Gives a field another value; where there are several, one remains.
    pub fn replace(&mut self, name: &str, value: &str) {
        let place = self.fields.iter().position(|field| field.is(name));
        self.fields.retain(|field| !field.is(name));
        self.fields.insert(place.unwrap_or(self.fields.len()), Field::new(name, value));
    }

    /// Puts those whom `alias` names in the place of addresses in To and Cc, which no server would
    /// take there. Their display names stay, and so does a field that cannot be read.
    pub fn replace_recipients<'a>(&mut self, alias: impl Fn(&Address) -> Option<&'a [Mailbox]>) {
        let is_list = |field: &&mut Field| {
            ["To", "Cc", "Resent-To", "Resent-Cc"].iter().any(|name| field.is(name))
        };
        for field in self.fields.iter_mut().filter(is_list) {
            let Ok(Addressees(list)) = Addressees::<Address>::any_number(&field.value()) else {
                continue;
            };
            if list.iter().all(|addressee| alias(&addressee.address).is_none()) {
                continue;
            }
            let mut written = Vec::new();
            for Addressee { name, address } in &list {
                let own = match address {
                    Address::Mailbox(mailbox) => Some(mailbox.as_str()),
                    Address::Local(name) => Some(name.as_str()),
                };
                let replaced = alias(address).unwrap_or_default();
                let kept = own.filter(|_| replaced.is_empty());
                for address in replaced.iter().map(Mailbox::as_str).chain(kept) {
                    written.push(match name {
                        Some(name) => format!("{} <{address}>", quoted(name)),
                        None => address.to_owned(),
                    });
                }
            }
            field.set_value(&written.join(", "));
        }
    }

    /// Sets Resent-From, who has sent the message on, in the block of Resent fields that was added last,
    /// which is the first (RFC 5322 §3.6.6). The blocks before it stay as they are.
    pub fn set_resent_from(&mut self, value: &str) {
        const RESENT_FROM: &str = "Resent-From";
        let field = Field::new(RESENT_FROM, value);
        let start = self.fields.iter().position(Field::is_resent).unwrap_or_default();
        let length = self.last_resent().len();
        let mut block = self.fields.iter_mut().skip(start).take(length);
        match block.find(|field| field.is(RESENT_FROM)) {
            Some(found) => *found = field,
            None => self.fields.insert(start, field),
        }
    }

    /// Octets of the message in canonical form.
    pub fn octets(&self) -> u64 {
        let header: usize = self.fields.iter().map(|field| field.0.len()).sum();
        u64::try_from(header)
            .unwrap_or(u64::MAX)
            .saturating_add(2)
            .saturating_add(self.body.measure.octets)
    }

    /// Returns whether any octet is above 127.
    pub fn is_8bit(&self) -> bool {
        self.body.measure.high > 0 || self.fields.iter().any(|field| !field.0.is_ascii())
    }

    /// Encodes a text that would not survive the transport, declares one that is beyond ASCII, and
    /// does the same for the header: encoded words, and folds in fields that are too long. A header
    /// that is signed stays as it is, and so does a body that is signed, encoded already or made of
    /// parts.
    ///
    /// # Errors
    ///
    /// Returns an error if the message needs a change that a signature or its structure forbids, or
    /// a temporary file fails.
    pub fn encode_for(&mut self, transport: Transport) -> Result<(), Error> {
        if !self.fields.iter().any(Field::is_signature) {
            self.fields.iter_mut().for_each(Field::encode);
            self.fields.iter_mut().for_each(Field::fold);
        }
        let Declared::Text(text) = Declared::of(&self.fields) else { return Ok(()) };
        let charset = self.body.charset();
        let is_ascii = self.body.measure.high == 0;
        if !self.body.measure.is_transport_safe(transport) {
            let encoded = self.body.encoded();
            let (body, encoding) =
                encoded.map_err(|source| Error::Io { doing: "encode", source })?;
            self.body = body;
            self.declare(&text, charset, encoding);
            // These count what was there before.
            self.fields.retain(|field| !field.is("Content-Length") && !field.is("Lines"));
        } else if !is_ascii {
            self.declare(&text, charset, "8bit");
        } else if text.encoding.as_deref() == Some("binary") {
            self.replace("Content-Transfer-Encoding", "7bit");
        }
        Ok(())
    }

    /// Says in the header how the text is to be read.
    fn declare(&mut self, text: &Text, charset: &str, encoding: &str) {
        self.add_missing("MIME-Version", "1.0");
        if let Some(content_type) = text.with_charset(charset) {
            self.replace("Content-Type", &content_type);
        }
        self.replace("Content-Transfer-Encoding", encoding);
    }

    /// Returns whether the body is declared as binary and is not lines of text, so that it would
    /// arrive changed.
    fn is_binary(&self) -> bool {
        let Measure { has_nul, has_long_line, has_lone_cr, .. } = self.body.measure;
        match Declared::of(&self.fields) {
            Declared::Text(text) => has_nul && text.encoding.as_deref() == Some("binary"),
            Declared::Binary => has_nul || has_long_line || has_lone_cr,
            Declared::Fixed => false,
        }
    }

    /// Writes the message for its sender to keep: with the fields that are not sent, and lines that
    /// end in LF, as they do in files.
    ///
    /// # Errors
    ///
    /// Returns an error if reading the message or writing to `output` fails.
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

    /// Reads the whole text, from its beginning.
    ///
    /// # Errors
    ///
    /// Returns an error if the temporary file cannot be read.
    pub fn text(&mut self) -> Result<impl Read + '_, Error> {
        self.body.file.rewind().map_err(|source| Error::Io { doing: "read back", source })?;
        let mut header = self.fields.iter().map(|field| field.0.as_slice()).collect::<Vec<_>>();
        header.push(b"\r\n");
        Ok(io::Cursor::new(header.concat()).chain(&mut self.body.file))
    }
}

/// The body, behind the empty line.
#[derive(Debug)]
struct Body {
    file: SpooledTempFile,
    measure: Measure,
    utf8: Utf8,
}

impl Body {
    fn new() -> Self {
        Self {
            file: SpooledTempFile::new(usize::MAX),
            measure: Measure::default(),
            utf8: Utf8::default(),
        }
    }

    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        self.measure.take(text);
        self.utf8.take(text);
        let room = u64::try_from(limits::IN_MEMORY).unwrap_or(u64::MAX);
        if self.measure.octets > room && !self.file.is_rolled() {
            self.leave_memory()?;
        }
        self.file.write_all(text)
    }

    /// Moves the text to a file without a name. A caller's TMPDIR may be gone, or another user's.
    fn leave_memory(&mut self) -> io::Result<()> {
        let usual = tempfile::env::temp_dir();
        let mut outcome = Ok(());
        for dir in [usual.as_path(), Path::new("/var/tmp"), Path::new("/tmp")] {
            let mut file = SpooledTempFile::new_in(0, dir);
            outcome = file.roll();
            if outcome.is_ok() {
                self.file.rewind()?;
                io::copy(&mut self.file, &mut file)?;
                self.file = file;
                break;
            }
        }
        outcome
    }

    /// The character set of the text, as far as its octets tell.
    fn charset(&self) -> &'static str {
        match (self.measure.high, self.utf8.is_valid()) {
            (0, _) => "us-ascii",
            (_, true) => "utf-8",
            // A charset was not declared (RFC 1428 §3).
            (_, false) => "unknown-8bit",
        }
    }

    /// The body in ASCII, and the name of its encoding.
    fn encoded(&mut self) -> io::Result<(Self, &'static str)> {
        let mut encoder = self.measure.encoder();
        let encoding = encoder.name();
        let mut body = Self::new();
        let (mut chunk, mut output) = (vec![0; limits::BUFFER], Vec::new());
        self.file.rewind()?;
        loop {
            let read = self.file.read(&mut chunk)?;
            let Some(text) = chunk.get(..read).filter(|text| !text.is_empty()) else { break };
            encoder.encode(text, &mut output);
            body.append(&output)?;
            output.clear();
        }
        encoder.finish(&mut output);
        body.append(&output)?;
        Ok((body, encoding))
    }
}

/// The properties of a body that decide how it is sent.
#[derive(Clone, Copy, Debug, Default)]
struct Measure {
    octets: u64,
    /// The number of octets above 127.
    high: u64,
    has_nul: bool,
    has_long_line: bool,
    /// True if a CR without LF was made a line end.
    has_lone_cr: bool,
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

    /// The encoding that suits it.
    fn encoder(&self) -> Encoder {
        // With more than a third beyond ASCII quoted-printable would not be legible.
        let is_legible = !self.has_nul && self.high <= self.octets / 3;
        if is_legible { Encoder::quoted_printable() } else { Encoder::base64() }
    }

    fn is_transport_safe(&self, transport: Transport) -> bool {
        let fits = self.high == 0 || transport == Transport::EightBit;
        fits && !self.has_nul && !self.has_long_line
    }
}

/// Looks at text in pieces to see whether it is UTF-8.
#[derive(Debug, Default)]
struct Utf8 {
    /// The start of a character whose end has not come yet.
    begun: Vec<u8>,
    is_broken: bool,
}

impl Utf8 {
    fn take(&mut self, text: &[u8]) {
        if self.is_broken || (self.begun.is_empty() && text.is_ascii()) {
            return;
        }
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

/// A display name in quoted strings (RFC 5322 §3.2.4), apart from its encoded words, which would be none
/// there (RFC 2047 §5).
fn quoted(name: &str) -> String {
    let quote = |text: &str, _| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    encoded_words::around_words(name, encoded_words::is_encoded_in_name, quote)
}

/// The empty group (RFC 5322 §3.4), by its customary name.
pub const UNDISCLOSED: &str = "undisclosed-recipients:;";

/// Text as encoded words on one line (RFC 2047).
pub fn encoded_words(text: &str) -> String {
    encoded_words::words("utf-8", text.as_bytes()).replace("\r\n", "")
}

/// A copy of the input in an unlinked file, at its beginning.
///
/// # Errors
///
/// Returns an error if reading, or writing the temporary file, fails.
pub fn spooled(input: &mut dyn Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(input, &mut file)?;
    file.rewind()?;
    Ok(file)
}

/// A writer that makes a message of the octets written to it.
pub struct MessageWriter {
    line_ends: LineEnds,
    header: Header,
    body: Body,
}

impl MessageWriter {
    /// Creates a writer before its first octet.
    pub fn new() -> Self {
        Self { line_ends: LineEnds::default(), header: Header::default(), body: Body::new() }
    }

    /// Finishes the message.
    ///
    /// # Errors
    ///
    /// Returns an error if nothing but separators was written or the header cannot be sent.
    pub fn finish(mut self) -> Result<Message, Error> {
        let mut text = Vec::new();
        self.line_ends.finish(&mut text);
        let mut rest = self.header.take(&text);
        rest.extend(self.header.finish(self.line_ends.has_lf));
        if self.header.is_empty() {
            return Err(Error::Empty);
        }
        let finished = self.keep(&rest).and_then(|()| {
            let end: &[u8] = if self.body.measure.column == 0 { b"" } else { b"\r\n" };
            self.body.append(end)
        });
        finished.map_err(|error| self.reason(error))?;
        let fields = self.header.into_fields();
        let message = Message { fields, blind: Vec::new(), body: self.body };
        if message.is_binary() { Err(Error::Binary) } else { Ok(message) }
    }

    /// The error that a failed write stands for.
    pub fn reason(&self, source: io::Error) -> Error {
        match self.header.defect() {
            Some(defect) => defect.into(),
            None => Error::Io { doing: "keep", source },
        }
    }

    /// Adds text to the body, unless the header is at fault.
    fn keep(&mut self, text: &[u8]) -> io::Result<()> {
        if let Some(defect) = self.header.defect() {
            return Err(io::Error::other(Error::from(defect)));
        }
        let canonical = without_lone_cr(text);
        self.body.measure.has_lone_cr |= matches!(canonical, Cow::Owned(_));
        self.body.append(&canonical)
    }
}

impl Default for MessageWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for MessageWriter {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut text = Vec::with_capacity(octets.len() + octets.len() / 16);
        self.line_ends.append(octets, &mut text);
        let body = if self.header.is_whole() { text } else { self.header.take(&text) };
        self.keep(&body)?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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

    /// Why a message is refused.
    fn refused(input: impl AsRef<[u8]>) -> Defect {
        match Message::read(&mut input.as_ref()) {
            Err(Error::Header(defect)) => defect,
            other => panic!("{:?}", other.map(|mut message| text(&mut message))),
        }
    }

    #[test]
    fn every_kind_of_line_end_becomes_crlf_whatever_the_chunks() {
        let input = b"A: b\nC: d\r\r\n\r\n\re\rf\n\r\n\r\r\ng\n.\r\n\nh\r";
        let expected = "A: b\r\nC: d\r\n\r\n\r\ne\r\nf\r\n\r\n\r\ng\r\n.\r\n\r\nh\r\n";
        for size in 1..=input.len() {
            let mut intake = MessageWriter::new();
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
        let mut refusals = 0;
        let mut next = |below: usize| {
            seed = seed * 48_271 % 2_147_483_647;
            usize::try_from(seed).unwrap() % below
        };
        for _ in 0..20_000 {
            let input: Vec<u8> = (0..=next(12)).flat_map(|_| PIECES[next(16)].to_vec()).collect();
            let mut intake = MessageWriter::new();
            let size = 1 + next(input.len());
            let written = input.chunks(size).try_for_each(|chunk| intake.write_all(chunk));
            let message = match written {
                Ok(()) => intake.finish(),
                Err(error) => Err(intake.reason(error)),
            };
            let Ok(mut message) = message else {
                refused(&input);
                refusals += 1;
                continue;
            };
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
            message.encode_for(Transport::SevenBit).unwrap();
            let text = read(&mut message);
            let (header, body) = match memchr::memmem::find(&text, b"\r\n\r\n") {
                _ if text.starts_with(b"\r\n") => (&b""[..], &text[2..]),
                Some(end) => (&text[..end], &text[end + 4..]),
                None => (&text[..], &b""[..]),
            };
            assert!(body.is_ascii() && !body.contains(&0), "{input:?}");
            assert!(!header.split(|&octet| octet == b'\n').any(|line| line.starts_with(b"Bcc:")));
            let mut fields = header.split(|&octet| octet == b'\n').flat_map(<[u8]>::iter);
            assert!(fields.all(|octet| !octet.is_ascii_control() || b"\r\t".contains(octet)));
        }
        assert!((1_000..10_000).contains(&refusals), "{refusals}");
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
    fn a_carriage_return_ends_no_field() {
        for input in [
            "Subject: x\rBcc: eve@x.example\nTo: a@x\n\nhello\n",
            "Subject: x\r\rhello\nTo: a@x\n\nhello\n",
            "Subject: x\n a\rTo: eve@x.example\n\nhello\n",
            "Subject: x\r \n\n",
            "Subject: x\n\rBcc: eve@x.example\r\n\r\nhello\r\n",
            "Subject: x\r\nTo: a@x\r",
        ] {
            let number =
                1 + usize::from(!input.starts_with("Subject: x\r") || input.contains("x\r\n"));
            assert_eq!(refused(input), Defect::LoneCr(number), "{input:?}");
        }
        // Where there is no LF at all it is what lines end with; behind the header it ends lines, too.
        for (input, expected) in [
            ("A: b\rC: d\r\re\rf\r", "A: b\r\nC: d\r\n\r\ne\r\nf\r\n"),
            ("A: b\rhello\r\rC: d", "A: b\r\n\r\nhello\r\n\r\nC: d\r\n"),
            ("hello\rworld", "\r\nhello\r\nworld\r\n"),
            ("A: b\r\r\r\n\r\r\nhello\rworld", "A: b\r\n\r\nhello\r\nworld\r\n"),
            ("10%\r20%\ndone: x\n", "\r\n10%\r\n20%\r\ndone: x\r\n"),
        ] {
            assert_eq!(text(&mut message(input)), expected, "{input:?}");
        }
    }

    #[test]
    fn a_field_holds_no_control_character() {
        for octet in (0..32).chain([127]).filter(|octet| !b"\t\n\r".contains(octet)) {
            let input = [b"A: b\nSubject: x", &[octet][..], b"y\n\nhello\n"].concat();
            assert_eq!(refused(input), Defect::Control(2), "{octet}");
            let mut body = message([b"A: b\n\nx", &[octet][..], b"y\n"].concat());
            assert!(text(&mut body).contains(char::from(octet)));
        }
        assert_eq!(text(&mut message("A: b\tc\n\td\n\n")), "A: b\tc\r\n\td\r\n\r\n");
    }

    #[test]
    fn a_line_that_is_no_field_ends_the_header_only_if_none_follows() {
        for (input, line) in [
            ("Subject: x\nhello\nBcc: eve@x.example\n\nhello\n", 2),
            ("Subject: x\n\u{fc}: y\nTo: b@x\n\n", 2),
            ("Subject: x\nA: b\nFrom here\n\t\n and: on\nBcc: eve@x", 3),
            ("From ann Mon Nov 23 2026\nSubject: x\nhello\nBcc : eve@x\n", 3),
        ] {
            assert_eq!(refused(input), Defect::NotAField(line), "{input:?}");
            // However it comes in, and however long the line is.
            let long = input.replace("hello\nB", &format!("{}\nB", "hello ".repeat(20_000)));
            assert_eq!(refused(long), Defect::NotAField(line), "{input:?}");
        }
        for (input, expected) in [
            ("Subject: x\nhello\n\nBcc: y\n", "Subject: x\r\n\r\nhello\r\n\r\nBcc: y\r\n"),
            ("Subject: x\nhello\nworld", "Subject: x\r\n\r\nhello\r\nworld\r\n"),
            ("Subject: x\nhello\n all: y", "Subject: x\r\n\r\nhello\r\n all: y\r\n"),
            ("disk full\nSubject: x\n", "\r\ndisk full\r\nSubject: x\r\n"),
            (" a: b\nSubject: x\n", "\r\n a: b\r\nSubject: x\r\n"),
        ] {
            assert_eq!(text(&mut message(input)), expected, "{input:?}");
        }
        for (line, number) in [
            ("\u{feff}Bcc: eve@x.example", None),
            ("\u{a0}Bcc: eve@x.example", None),
            ("\u{b}Bcc: eve@x.example", None),
            ("\0Bcc : eve@x.example", None),
            ("Bcc\u{a0}: eve@x.example", None),
            ("Bcc\n : eve@x.example", Some(2)),
            ("Bcc\n \n\t: eve@x.example", Some(2)),
            ("hello\n\u{200b}Bcc: eve@x.example", Some(2)),
        ] {
            let expected = number.map_or(Defect::Disguised(2), Defect::NotAField);
            for end in ["", "\n", "\n\nhello\n"] {
                assert_eq!(refused(format!("Subject: x\n{line}{end}")), expected, "{line:?}");
            }
        }
        assert_eq!(refused(b"Subject: x\n\xa0Bcc: eve@x.example\n\n"), Defect::Disguised(2));
        let error = Error::from(Defect::NotAField(2)).to_string();
        assert_eq!(
            error,
            "line 2 of the message is not a header field, and header fields follow \
            it"
        );
    }

    #[test]
    fn what_stands_before_the_first_field_is_dropped_and_no_text_is() {
        let separator = "From ann Mon Nov 23 12:00:00 2026\n";
        for before in [
            "\u{feff}".to_owned(),
            separator.to_owned(),
            separator.repeat(3),
            format!(">{separator}{separator}"),
            format!("\u{feff}{separator}"),
        ] {
            let mut message = message(format!("{before}From : ann@x.example\nTo: b@x\n\nhello\n"));
            assert_eq!(message.field("From").unwrap(), "ann@x.example", "{before:?}");
            let expected = "From : ann@x.example\r\nTo: b@x\r\n\r\nhello\r\n";
            assert_eq!(text(&mut message), expected, "{before:?}");
        }
        for body in ["From now on\nall is well\n", "From now on\n\nhello\n", "From now on"] {
            let expected = format!("\r\n{}\r\n", body.trim_end().replace('\n', "\r\n"));
            assert_eq!(text(&mut message(body)), expected);
        }
        let utf16 = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        let units = utf16("Subject: x\r\n\r\nhello\r\n");
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for input in
            [[b"\xff\xfe", &little[..]].concat(), [b"\xfe\xff", &big[..]].concat(), little, big]
        {
            assert_eq!(refused(input), Defect::Utf16);
        }
    }

    #[test]
    fn an_empty_field_counts_as_missing() {
        let mut message = message("From:\nDate: \nTo:\nBcc: b@x\n\n");
        message.remove_bcc();
        message.add_missing("From", "a@x");
        message.add_missing("Date", "today");
        let expected = "From: a@x\r\nDate: today\r\nTo: undisclosed-recipients:;\r\n\r\n";
        assert_eq!(text(&mut message), expected);
    }

    #[test]
    fn who_resends_a_message_is_named_in_the_last_block_of_resent_fields() {
        let rest = "Resent-From: e@x\nResent-To: f@x\nFrom: h@x\n\n";
        for (first, expected) in [
            ("Resent-From: a@x\nResent-To: b@x\n", "Resent-From: new@x\nResent-To: b@x\n"),
            ("Resent-To: b@x\nX: y\n", "Resent-From: new@x\nResent-To: b@x\nX: y\n"),
            (
                "Resent-Bcc: c@x\nX: y\n",
                "Resent-From: new@x\nResent-To: undisclosed-recipients:;\nX: y\n",
            ),
        ] {
            let mut message = message(format!("{first}{rest}"));
            message.remove_bcc();
            assert!(message.is_resent());
            assert_eq!(message.field("Resent-From").is_some(), first.contains("From"), "{first}");
            message.set_resent_from("new@x");
            assert_eq!(text(&mut message).replace("\r\n", "\n"), format!("{expected}{rest}"));
        }
        assert!(!message(rest.split_once("From: h").unwrap().1).is_resent());
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
            message.encode_for(transport).unwrap();
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

    /// The header and the body of a message that is fit for the transport, with LF.
    fn fitted(input: impl AsRef<[u8]>, transport: Transport) -> (String, String) {
        let mut message = message(input);
        message.encode_for(transport).unwrap();
        let text = text(&mut message).replace("\r\n", "\n");
        let (header, body) = text.split_once("\n\n").unwrap();
        (header.to_owned(), body.to_owned())
    }

    #[test]
    fn what_is_made_of_parts_or_signed_or_encoded_stays_as_it_is() {
        let signed_long = format!("DKIM-Signature: v=1; h=x-long\nX-Long: {}w", "w ".repeat(600));
        for header in [
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x",
            "Content-Type: message/rfc822",
            "Content-Type: application/pkcs7-mime",
            "DKIM-Signature: v=1\nContent-Type: text/plain",
            "ARC-Message-Signature: i=1",
            &signed_long,
            "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable",
            "Content-Transfer-Encoding: BASE64",
            "Content-Transfer-Encoding: x-uuencode",
            "Content-Type: text/plain\nContent-Type: text/html",
            "Content-Type: text",
        ] {
            let input = format!("{header}\n\n\u{fc}\0{}\n", "x".repeat(2000));
            for transport in [Transport::SevenBit, Transport::EightBit] {
                let (fitted, body) = fitted(&input, transport);
                assert_eq!(format!("{fitted}\n\n{body}"), input);
            }
        }
    }

    #[test]
    fn one_text_with_mime_fields_is_encoded_like_one_without() {
        use Transport::{EightBit, SevenBit};
        let long = "x".repeat(3000);
        // As Debian's cron writes them for any output of a job.
        let cron = "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n\
                    Content-Transfer-Encoding: 8bit";
        let (header, body) = fitted(format!("{cron}\n\n{long}\n"), EightBit);
        assert_eq!(header, cron.replace("8bit", "quoted-printable"));
        assert!(body.lines().all(|line| line.len() <= 76), "{body}");
        assert_eq!(body.replace("=\n", ""), format!("{long}\n"));
        let (header, body) = fitted(format!("{cron}\n\nGr\u{fc}\u{df}e to all\n"), SevenBit);
        assert_eq!(
            (header, body.as_str()),
            (cron.replace("8bit", "quoted-printable"), "Gr=C3=BC=C3=9Fe to all\n")
        );
        let (header, body) = fitted(format!("{cron}\n\nGr\u{fc}\u{df}e\n"), EightBit);
        assert_eq!((header.as_str(), body.as_str()), (cron, "Gr\u{fc}\u{df}e\n"));
        // None of these says how the body is to be read.
        for field in
            ["MIME-Version: 1.0", "Content-Language: de", "Content-ID: <x>", "Content-Type:"]
        {
            let (header, body) = fitted(format!("{field}\n\n{long}\n"), EightBit);
            assert!(header.contains("MIME-Version: 1.0"), "{header}");
            assert!(header.contains("Content-Type: text/plain; charset=us-ascii"), "{header}");
            assert!(header.ends_with("Content-Transfer-Encoding: quoted-printable"), "{header}");
            assert!(body.lines().all(|line| line.len() <= 76), "{body}");
        }
        let (header, _) = fitted(format!("Content-Length: 3001\nLines: 1\n\n{long}\n"), EightBit);
        assert!(!header.contains("Length") && !header.contains("Lines"), "{header}");
        let (header, _) = fitted("Content-Length: 6\nLines: 1\n\nhello\n", EightBit);
        assert_eq!(header, "Content-Length: 6\nLines: 1");
    }

    #[test]
    fn text_beyond_ascii_is_declared_as_what_it_is() {
        let declared = |header: &str, text: &[u8]| {
            let input = [header.as_bytes(), b"\n\n", text, b"\n"].concat();
            fitted(input, Transport::EightBit).0
        };
        let (utf8, latin1) = ("Gr\u{fc}\u{df}e".as_bytes(), b"Gr\xfc\xdfe".as_slice());
        let plain = |charset: &str| {
            format!(
                "A: b\nMIME-Version: 1.0\nContent-Type: text/plain; charset={charset}\n\
                 Content-Transfer-Encoding: 8bit"
            )
        };
        assert_eq!(declared("A: b", utf8), plain("utf-8"));
        assert_eq!(declared("A: b", latin1), plain("unknown-8bit"));
        assert_eq!(declared("A: b", b"hello"), "A: b");
        for (given, expected) in [
            ("text/html", "text/html; charset=utf-8"),
            ("text/plain; format=flowed;", "text/plain; format=flowed; charset=utf-8"),
            ("text/plain; charset=\"US-ASCII\"; x=y", "text/plain; charset=utf-8; x=y"),
            ("text/plain; charset=ANSI_X3.4-1968", "text/plain; charset=utf-8"),
            (
                "text/plain; x=\"; charset=a\"; CharSet = koi8-r",
                "text/plain; x=\"; charset=a\"; CharSet = koi8-r",
            ),
            ("text/plain; charset=iso-8859-1", "text/plain; charset=iso-8859-1"),
        ] {
            let header = declared(&format!("Content-Type: {given}"), utf8);
            assert_eq!(header.lines().next().unwrap(), format!("Content-Type: {expected}"));
        }
        let seven = declared("Content-Transfer-Encoding: 7bit", utf8);
        assert!(seven.starts_with("Content-Transfer-Encoding: 8bit\n"), "{seven}");
    }

    #[test]
    fn what_is_binary_is_refused_and_text_that_is_called_so_is_sent() {
        let binary = |kind: &str, body: &[u8]| {
            let header = format!("Content-Type: {kind}\nContent-Transfer-Encoding: Binary\n\n");
            [header.as_bytes(), body, b"\n"].concat()
        };
        for (kind, body) in [
            ("image/png", b"\x89PNG\r\n\0".to_vec()),
            ("application/octet-stream", b"a\rb".to_vec()),
            ("multipart/mixed; boundary=x", b"x".repeat(2000)),
            ("text/plain; charset=utf-16", b"h\0i\0".to_vec()),
        ] {
            let read = Message::read(&mut binary(kind, &body).as_slice());
            assert!(matches!(read, Err(Error::Binary)), "{kind}");
        }
        // As Perl's MIME::Lite calls every multipart.
        let input = binary("multipart/mixed; boundary=x", b"--x\n\nhello\n--x--");
        let (header, _) = fitted(&input, Transport::SevenBit);
        assert!(input.starts_with(header.as_bytes()), "{header}");
        for (body, encoding) in [
            ("hello".to_owned(), "7bit"),
            ("Gr\u{fc}\u{df}e".to_owned(), "8bit"),
            ("x".repeat(2000), "quoted-printable"),
        ] {
            let (header, _) = fitted(binary("text/plain", body.as_bytes()), Transport::EightBit);
            assert!(header.contains(&format!("Content-Transfer-Encoding: {encoding}")), "{header}");
        }
    }

    #[test]
    fn a_field_that_is_too_long_is_folded_at_its_blanks() {
        let list = vec!["someone@example.org"; 200].join(", ");
        let (word, blanks) = ("x".repeat(2000), " ".repeat(1500));
        let input = format!("To: {list}\nX-Word: {word} y\nX-Blanks:{blanks}z\n\n");
        let mut message = message(&input);
        message.encode_for(Transport::EightBit).unwrap();
        let text = text(&mut message);
        assert_eq!(text.replace("\r\n ", " "), input.replace('\n', "\r\n"));
        let (to, _) = text.split_once("X-Word").unwrap();
        assert!(to.lines().count() == 5 && to.lines().all(|line| line.len() <= 998), "{to}");
        assert!(text.lines().all(|line| !line.trim().is_empty() || line.is_empty()), "{text}");
    }

    #[test]
    fn an_address_list_without_blanks_is_folded_behind_commas() {
        // As PHP's implode makes it.
        let list = vec!["someone.else@example.org"; 100].join(",");
        let header = format!("to: {list},\"a,b\" <c@x> (d,e)\nX-Other: {list}");
        let (folded, _) = fitted(format!("{header}\n\n"), Transport::EightBit);
        let (to, other) = folded.split_once("\nX-Other").unwrap();
        assert!(to.lines().count() == 3 && to.lines().all(|line| line.len() <= 998), "{to}");
        assert!(to.ends_with(", \"a,b\" <c@x> (d,e)"), "{to}");
        let addresses = |header: &str| message(format!("{header}\n\n")).addressees().unwrap();
        assert_eq!(addresses(to), addresses(&header));
        assert!(other.contains(&list));
        // A short one stays as it is, and so does one that is signed.
        let (short, _) = fitted("To: a@x,b@x\n\n", Transport::EightBit);
        assert_eq!(short, "To: a@x,b@x");
        let (signed, _) = fitted(format!("DKIM-Signature: x\n{header}\n\n"), Transport::EightBit);
        assert!(signed.contains(&list), "{signed}");
    }

    #[test]
    fn text_beyond_ascii_in_the_header_is_encoded_unless_it_is_signed() {
        let header = "From: J\u{f6}rg <j@x>\nTo: a@x,\n \"M\u{fc}ller, X\" <b@x>\n\
                      Subject: Gr\u{fc}\u{df}e\n to all\nX-Note: \u{fc}";
        let (encoded, _) = fitted(format!("{header}\n\n"), Transport::EightBit);
        assert_eq!(
            encoded,
            "From: =?utf-8?B?SsO2cmc=?= <j@x>\nTo: a@x, =?utf-8?B?TcO8bGxlciwgWA==?= <b@x>\n\
             Subject: =?utf-8?B?R3LDvMOfZQ==?= to all\nX-Note: \u{fc}"
        );
        let signed = format!("DKIM-Signature: x\n{header}");
        let (stays, _) = fitted(format!("{signed}\n\n"), Transport::EightBit);
        assert_eq!(stays, signed);
        // What is no UTF-8 has a name, too.
        let latin1 = [b"From: J\xf6rg <j@x>\nSubject: Gr\xfc\xdfe\n\n".as_slice()].concat();
        let (latin1, _) = fitted(latin1, Transport::EightBit);
        assert_eq!(
            latin1,
            "From: =?unknown-8bit?B?SvZyZw==?= <j@x>\nSubject: =?unknown-8bit?B?R3L832U=?="
        );
        let (long, _) = fitted(format!("Subject: {}\n\n", "x".repeat(2000)), Transport::EightBit);
        assert!(long.lines().all(|line| line.len() <= 76), "{long}");
    }

    #[test]
    fn recipients_that_only_this_machine_knows_give_way_to_their_aliases() {
        let ann: Vec<Mailbox> = vec!["ann@x".parse().unwrap(), "bob@x".parse().unwrap()];
        let alias = |address: &Address| address.is_local("box").then_some(ann.as_slice());
        for (header, expected) in [
            ("To: root", "To: ann@x, bob@x"),
            (
                "Cc: \"The \\\"root\\\"\" <root@box>, c@y.example",
                "Cc: \"The \\\"root\\\"\" <ann@x>, \"The \\\"root\\\"\" <bob@x>, c@y.example",
            ),
            (
                "To: =?utf-8?Q?=C3=BC?= the root <root@box>",
                "To: =?utf-8?Q?=C3=BC?= \"the root\" <ann@x>, =?utf-8?Q?=C3=BC?= \"the root\" <bob@x>",
            ),
            ("To: c@y.example,d@y.example", "To: c@y.example,d@y.example"),
            (
                "To: \"=?x?Q?,e@x,?=\" <root>",
                "To: \"=?x?Q?,e@x,?=\" <ann@x>, \"=?x?Q?,e@x,?=\" <bob@x>",
            ),
            ("To: root, broken <\nX-To: root", "To: root, broken <\nX-To: root"),
        ] {
            let mut message = message(format!("{header}\n\n"));
            message.replace_recipients(alias);
            assert_eq!(text(&mut message).replace("\r\n", "\n"), format!("{expected}\n\n"));
        }
    }

    #[test]
    fn characters_are_not_cut_by_chunks() {
        let body = "\u{1f600}x".repeat(limits::BUFFER);
        let mut message = message(format!("A: b\n\n{body}"));
        message.encode_for(Transport::SevenBit).unwrap();
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
        let authors = message.authors("From");
        assert_eq!(authors.first().unwrap().name.as_deref(), Some("Cron Daemon"));
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
    fn a_line_that_is_no_field_is_text_however_long_it_is() {
        let long = "x".repeat(limits::HEADER + 1);
        for (header, start) in [("", ""), ("A: b\n", ""), ("", "From "), ("", "From me\n")] {
            for end in ["", "\nhello", "\n\nA: b", ": y"] {
                let body = format!("{start}{long}{end}");
                let mut message = message(format!("{header}{body}"));
                let expected = format!("{header}\n{body}\n").replace('\n', "\r\n");
                assert!(text(&mut message) == expected, "{header:?} {start:?} {end:?}");
            }
        }
        let stray = format!("A: b\n{long}\nBcc: eve@x.example\n\n");
        assert_eq!(refused(stray), Defect::NotAField(2));
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let alert = "From host1 10:00:00 disk /dev/sda1 is full\n";
        assert_eq!(text(&mut message(alert)), format!("\r\n{}", alert.replace('\n', "\r\n")));
        let separator = "From ann Mon Nov 23 12:00:00 2026\n";
        for nothing in ["", "\u{feff}", separator, &format!("\u{feff}{separator}>{separator}")] {
            let read = Message::read(&mut nothing.as_bytes());
            assert!(matches!(read, Err(Error::Empty)), "{nothing:?}");
        }
        let long = "A: b\n".repeat(limits::HEADER / 5);
        assert!(matches!(refused(&long), Defect::TooLong));
        let endless = format!("A: {}", "x".repeat(limits::HEADER));
        assert!(matches!(refused(&endless), Defect::TooLong));
        assert!(matches!(refused(format!("A: b\n {endless}")), Defect::TooLong));
        let bad = message("To: root, not an address\n\n").addressees().unwrap_err();
        assert_eq!(bad.to_string(), "To: `not an address` is not an address: it has no `@`");
    }
}
