//! A message on its way out, in canonical form (RFC 5322 §2.1, RFC 5321 §2.3.8): every line ends
//! in CRLF and neither CR nor LF stands alone, so that no server can read a second message into
//! it. The header is kept as fields, the body in memory up to a bound and else in an unlinked file.

use std::io::{self, Read, Seek, Write};

use tempfile::SpooledTempFile;

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
    body: SpooledTempFile,
    body_octets: u64,
    is_8bit: bool,
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

    /// The addresses in To, Cc and Bcc; of a message that was resent, those it was resent to
    /// (RFC 5322 §3.6.6).
    pub fn addressees(&self) -> Result<Vec<Address>, Error> {
        const RESENT: [&str; 3] = ["Resent-To", "Resent-Cc", "Resent-Bcc"];
        let is_resent = self.fields.iter().any(|field| RESENT.iter().any(|name| field.is(name)));
        let names = if is_resent { RESENT } else { ["To", "Cc", "Bcc"] };
        let mut addressees = Vec::new();
        for field in names {
            for found in self.fields.iter().filter(|found| found.is(field)) {
                let list = found.value().parse::<Addressees<Address>>();
                let list = list.map_err(|source| Error::Address { field, source })?;
                addressees.extend(list.addresses());
            }
        }
        Ok(addressees)
    }

    /// Removes the fields that say who gets the message unbeknown to the others.
    pub fn remove_bcc(&mut self) {
        self.fields.retain(|field| !field.is("Bcc") && !field.is("Resent-Bcc"));
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
        u64::try_from(header).unwrap_or(u64::MAX).saturating_add(2).saturating_add(self.body_octets)
    }

    /// Whether any octet is above 127.
    pub fn is_8bit(&self) -> bool {
        self.is_8bit
    }

    /// The whole text, from its beginning.
    pub fn text(&mut self) -> Result<impl Read + '_, Error> {
        self.body.rewind().map_err(|source| Error::Io { doing: "read back", source })?;
        let mut header = self.fields.iter().map(|field| field.0.as_slice()).collect::<Vec<_>>();
        header.push(b"\r\n");
        Ok(io::Cursor::new(header.concat()).chain(&mut self.body))
    }
}

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
    body: SpooledTempFile,
    body_octets: u64,
    is_8bit: bool,
    is_empty: bool,
    /// Whether the last octets of the body were a line end.
    at_line_start: bool,
}

impl Intake {
    /// Nothing was written yet.
    pub fn new() -> Self {
        Self {
            canonical: Canonical::default(),
            header: Header::default(),
            body: SpooledTempFile::new(limits::IN_MEMORY),
            body_octets: 0,
            is_8bit: false,
            is_empty: true,
            at_line_start: true,
        }
    }

    /// Everything was written.
    pub fn finish(mut self) -> Result<Message, Error> {
        if self.is_empty {
            return Err(Error::Empty);
        }
        let rest = self.header.finish();
        let finished = self.write_body(&rest).and_then(|()| {
            let end: &[u8] = if self.at_line_start { b"" } else { b"\r\n" };
            self.write_body(end)
        });
        finished.map_err(|error| self.reason(error))?;
        let Self { header, body, body_octets, is_8bit, .. } = self;
        Ok(Message { fields: header.fields, body, body_octets, is_8bit })
    }

    /// What a failed write means.
    pub fn reason(&self, source: io::Error) -> Error {
        match self.header.state {
            HeaderState::TooLong => Error::Header,
            _ => Error::Io { doing: "keep", source },
        }
    }

    fn write_body(&mut self, octets: &[u8]) -> io::Result<()> {
        if let Some(last) = octets.last() {
            self.at_line_start = *last == b'\n';
            self.body_octets += u64::try_from(octets.len()).unwrap_or_default();
            self.body.write_all(octets)?;
        }
        Ok(())
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
        self.is_8bit |= !octets.is_ascii();
        let mut text = Vec::with_capacity(octets.len() + octets.len() / 16);
        self.canonical.append(octets, &mut text);
        let body = match self.header.state {
            HeaderState::Whole => text,
            _ => self.header.take(&text),
        };
        if matches!(self.header.state, HeaderState::TooLong) {
            return Err(io::Error::other(Error::Header));
        }
        self.write_body(&body)?;
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
