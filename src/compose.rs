//! A MIME message from its parts (RFC 2045 and its kin), for `send --to` and what goes with it.
//! mail-builder writes the fields and encodes the text; files pass by without being held.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use mail_builder::headers::Header;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;

use crate::limits;
use crate::message::{self, Encoder, Message, MessageWriter, Octets, TextPart, UNDISCLOSED};
use crate::text::{Addressee, Addressees, HeaderField, Mailbox, percent_decoded, plain};

/// The type of a file of which no other is known.
const OCTETS: &str = "application/octet-stream";

/// The reason why the parts do not make a message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that is to go along cannot be read.
    #[error("cannot read {}: {}", path.display(), plain(source))]
    Attachment {
        /// The file.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// Standard input cannot be read, or kept.
    #[error("cannot read standard input: {}", plain(.0))]
    Stdin(io::Error),
    /// Two parts are to be read from standard input.
    #[error("`-` is standard input, which can be one of --body, --html and --attach")]
    StdinTwice,
    /// The message cannot be kept.
    #[error(transparent)]
    Message(#[from] message::Error),
}

/// The parts of a message to compose.
pub struct Parts {
    /// The author.
    pub from: Addressee,
    /// The recipients.
    pub to: Vec<Addressee>,
    /// The recipients of copies.
    pub cc: Vec<Addressee>,
    /// The recipients of blind copies; [`Message::remove_bcc`] removes them.
    pub bcc: Vec<Addressee>,
    /// The addresses for replies, if not the author's.
    pub reply_to: Vec<Addressee>,
    /// The subject.
    pub subject: Option<String>,
    /// Other fields.
    pub fields: Vec<HeaderField>,
    /// The text, in UTF-8 if it can be helped; with `html`, none if it is empty.
    pub text: Vec<u8>,
    /// The text as HTML: an alternative to `text`, or the whole text if that is empty.
    pub html: Option<Vec<u8>>,
    /// Files that go along.
    pub attachments: Vec<Attachment>,
    /// The Date field's value.
    pub date: String,
    /// A text that no other message has, for Message-ID and boundaries.
    pub unique: String,
}

/// A file to attach to a message.
pub struct Attachment {
    path: PathBuf,
    file: File,
}

impl Attachment {
    /// Opens the file before a text is typed. `-` is standard input, which is read to its end.
    ///
    /// # Errors
    ///
    /// Returns an error if the path cannot be opened or is no file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if is_stdin(path) {
            let file = message::spooled(&mut io::stdin().lock()).map_err(Error::Stdin)?;
            return Ok(Self { path: "attachment".into(), file });
        }
        let failed = |source| Error::Attachment { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            // It is read twice, which no pipe can be.
            file = message::spooled(&mut file).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), file })
    }

    /// Reads the whole part into memory.
    ///
    /// # Errors
    ///
    /// Returns an error if reading fails.
    #[expect(clippy::disallowed_methods, reason = "the user chose the file and its size")]
    pub fn octets(mut self) -> Result<Vec<u8>, Error> {
        let mut octets = Vec::new();
        let read = self.file.read_to_end(&mut octets);
        read.map_err(|source| Error::Attachment { path: self.path.clone(), source })?;
        Ok(octets)
    }

    /// Returns the size of the file in octets; `None` if it cannot be read.
    pub fn size(&self) -> Option<u64> {
        Some(self.file.metadata().ok()?.len())
    }

    /// The file's name, without its directory.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Returns the file's properties; it is read from its beginning again afterwards.
    fn look(&mut self) -> Result<Octets, Error> {
        let found = Octets::of(&mut self.file).and_then(|found| {
            self.file.rewind()?;
            Ok(found)
        });
        found.map_err(|source| Error::Attachment { path: self.path.clone(), source })
    }

    /// The method of a calendar object (RFC 5546 §1.4), without which it is shown as a file.
    fn calendar_method(&mut self) -> Result<Option<String>, Error> {
        let mut head = vec![0; limits::BUFFER];
        let failed = |source| Error::Attachment { path: self.path.clone(), source };
        let length = self.file.read(&mut head).map_err(failed)?;
        self.file.rewind().map_err(failed)?;
        head.truncate(length);
        for line in String::from_utf8_lossy(&head).lines() {
            let Some((name, method)) = line.split_once(':') else { continue };
            if name.eq_ignore_ascii_case("METHOD") {
                let method = method.trim().to_ascii_uppercase();
                let is_word = method.bytes().all(|c| c.is_ascii_uppercase() || c == b'-');
                return Ok(is_word.then_some(method));
            }
        }
        Ok(None)
    }
}

/// Returns whether the path is `-`, standard input.
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

impl Parts {
    /// Puts the parts together.
    ///
    /// # Errors
    ///
    /// Returns an error if a part cannot be read, or the message cannot be written to its temporary
    /// file.
    pub fn compose(self) -> Result<Message, Error> {
        let mut header = Vec::new();
        let domain = self.from.address.domain();
        let id = format!("<{}@{domain}>", self.unique);
        field(&mut header, "Date", &Raw::new(self.date.as_str()));
        field(&mut header, "From", &list(std::slice::from_ref(&self.from)));
        if !self.reply_to.is_empty() {
            field(&mut header, "Reply-To", &list(&self.reply_to));
        }
        if !self.to.is_empty() {
            field(&mut header, "To", &list(&self.to));
        }
        if !self.cc.is_empty() {
            field(&mut header, "Cc", &list(&self.cc));
        }
        if !self.bcc.is_empty() {
            field(&mut header, "Bcc", &list(&self.bcc));
        }
        if self.to.is_empty() && self.cc.is_empty() {
            field(&mut header, "To", &Raw::new(UNDISCLOSED));
        }
        field(&mut header, "Message-ID", &Raw::new(id));
        if let Some(subject) = &self.subject {
            // A line end in it would be folded, and shown as a blank in the end.
            let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
            field(&mut header, "Subject", &Text::new(subject));
        }
        for other @ HeaderField { name, value } in &self.fields {
            if let Some(Ok(Addressees(addressees))) = other.addressees() {
                field(&mut header, name, &list(&addressees));
            } else if value.is_ascii() {
                // It may be more than text, and encoded words have no place in most of it.
                field(&mut header, name, &Raw::new(value.as_str()));
            } else {
                field(&mut header, name, &Text::new(value.as_str()));
            }
        }
        field(&mut header, "MIME-Version", &Raw::new("1.0"));
        let mut writing =
            Writing { intake: MessageWriter::new(), unique: self.unique.clone(), number: 0 };
        writing.put(&header)?;
        let domain = domain.to_owned();
        writing.part(self.body(&domain)?)?;
        Ok(writing.intake.finish()?)
    }

    /// The tree of parts: text or HTML or both, the files that the HTML shows, and the others.
    fn body(self, domain: &str) -> Result<Part, Error> {
        let Self { text, html, attachments, unique, .. } = self;
        let names: Vec<_> = attachments.iter().map(Attachment::name).collect();
        let mut files = attachments.into_iter().map(Part::file).collect::<Result<Vec<_>, _>>()?;
        let html = html.map(|html| {
            let id = |index| format!("{index}.{unique}@{domain}");
            let Ok(text) = str::from_utf8(&html) else { return Part::text("html", &html) };
            let (html, is_shown) = linked(text, &names, id);
            let mut related = vec![Part::text("html", html.as_bytes())];
            let mut others = Vec::new();
            for (index, (part, is_shown)) in files.drain(..).zip(is_shown).enumerate() {
                if is_shown {
                    related.push(part.inline(format!("<{}>", id(index))));
                } else {
                    others.push(part);
                }
            }
            files = others;
            // RFC 2387 §3.1 wants the type of the part that the others are for.
            Part::several("related", related, Some(("type", "text/html")))
        });
        let text = (html.is_none() || !text.is_empty()).then(|| Part::text("plain", &text));
        let body = Part::several("alternative", text.into_iter().chain(html).collect(), None);
        Ok(Part::several("mixed", std::iter::once(body).chain(files).collect(), None))
    }
}

/// The HTML with every `cid:NAME` that names a file made into the `cid:` of the part that `id`
/// gives its index (RFC 2392), and which of the files were named.
fn linked(html: &str, names: &[String], id: impl Fn(usize) -> String) -> (String, Vec<bool>) {
    const CID: &str = "cid:";
    let mut is_shown = vec![false; names.len()];
    let mut pieces = html.split(CID);
    let mut linked = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        linked.push_str(CID);
        // An attribute ends at its quote; one without quotes, at a blank.
        let quoted = piece.split(['"', '\'', '<', '>', ')']).next().unwrap_or_default();
        let bare = quoted.split_whitespace().next().unwrap_or_default();
        let file = |reference: &str| {
            let name = percent_decoded(reference.as_bytes()).unwrap_or_default();
            names.iter().position(|known| known == reference || known.as_bytes() == &*name)
        };
        let found = [quoted, bare].into_iter().find_map(|text| file(text).map(|at| (text, at)));
        match found {
            Some((reference, index)) => {
                is_shown.iter_mut().skip(index).take(1).for_each(|shown| *shown = true);
                linked.push_str(&id(index));
                linked.push_str(piece.strip_prefix(reference).unwrap_or_default());
            }
            None => linked.push_str(piece),
        }
    }
    (linked, is_shown)
}

/// A node of the tree, and the fields that describe it (RFC 2045, RFC 2183).
struct Part {
    kind: ContentType<'static>,
    disposition: Option<ContentType<'static>>,
    id: Option<String>,
    contents: Contents,
}

enum Contents {
    Text(TextPart),
    File(Attachment, FileEncoding),
    Parts(Vec<Part>),
}

/// The transfer encoding of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FileEncoding {
    SevenBit,
    EightBit,
    Base64,
}

impl FileEncoding {
    /// The value of Content-Transfer-Encoding.
    fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::EightBit => "8bit",
            Self::Base64 => "base64",
        }
    }
}

impl Part {
    fn new(kind: impl Into<String>, contents: Contents) -> Self {
        Self { kind: ContentType::new(kind.into()), disposition: None, id: None, contents }
    }

    fn text(subtype: &str, text: &[u8]) -> Self {
        let text = TextPart::new(text);
        let charset = text.charset;
        let mut part = Self::new(format!("text/{subtype}"), Contents::Text(text));
        part.kind = part.kind.attribute("charset", charset);
        part
    }

    fn file(mut attachment: Attachment) -> Result<Self, Error> {
        let kind = mime_guess::from_path(&attachment.path).first_or_octet_stream();
        let found = attachment.look()?;
        let name = attachment.name();
        // A message must not be encoded (RFC 2046 §5.2.1), and what cannot go as it is is no message.
        let (kind, encoding) = match kind.essence_str() {
            "message/rfc822" if !found.are_lines => (OCTETS, FileEncoding::Base64),
            "message/rfc822" if found.are_ascii => ("message/rfc822", FileEncoding::SevenBit),
            "message/rfc822" => ("message/rfc822", FileEncoding::EightBit),
            kind => (kind, FileEncoding::Base64),
        };
        let mut kind = ContentType::new(kind.to_owned());
        if kind.c_type == "text/calendar"
            && let Some(method) = attachment.calendar_method()?
        {
            kind = kind.attribute("method", method);
        }
        if kind.is_text() && found.are_utf8 {
            kind = kind.attribute("charset", "utf-8");
        }
        // Outlook reads neither `filename*` nor `name*`, but an encoded word here.
        if !name.is_ascii() {
            kind = kind.attribute("name", message::encoded_words(&name));
        }
        let disposition = ContentType::new("attachment").attribute("filename", name);
        let contents = Contents::File(attachment, encoding);
        Ok(Self { kind, disposition: Some(disposition), id: None, contents })
    }

    /// Returns whether a part holds octets above 127, which its header must declare (RFC 2045
    /// §6.4).
    fn is_8bit(&self) -> bool {
        match &self.contents {
            Contents::Text(_) => false,
            Contents::File(_, encoding) => *encoding == FileEncoding::EightBit,
            Contents::Parts(parts) => parts.iter().any(Self::is_8bit),
        }
    }

    fn inline(mut self, id: String) -> Self {
        self.disposition.iter_mut().for_each(|disposition| disposition.c_type = "inline".into());
        self.id = Some(id);
        self
    }

    /// Several parts as one; one is one already.
    fn several(
        subtype: &str,
        mut parts: Vec<Self>,
        attribute: Option<(&'static str, &'static str)>,
    ) -> Self {
        match (parts.pop(), parts.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                parts.extend(last);
                let mut several = Self::new(format!("multipart/{subtype}"), Contents::Parts(parts));
                if let Some((name, value)) = attribute {
                    several.kind = several.kind.attribute(name, value);
                }
                several
            }
        }
    }
}

/// A message that is being written.
struct Writing {
    intake: MessageWriter,
    unique: String,
    /// The number of the last boundary.
    number: u32,
}

impl Writing {
    fn put(&mut self, octets: &[u8]) -> Result<(), Error> {
        let written = self.intake.write_all(octets);
        Ok(written.map_err(|error| self.intake.reason(error))?)
    }

    /// The fields of a part, an empty line, and what is in it.
    fn part(&mut self, part: Part) -> Result<(), Error> {
        let is_8bit = part.is_8bit();
        let Part { mut kind, disposition, id, contents } = part;
        let encoding = match &contents {
            Contents::Text(text) => Some(text.encoding),
            Contents::File(_, encoding) => Some(encoding.name()),
            Contents::Parts(_) => is_8bit.then_some("8bit"),
        };
        let boundary = match &contents {
            Contents::Parts(_) => {
                self.number += 1;
                // `=_` is in no encoded text (RFC 2045 §6.7), the rest in no other by chance.
                let boundary = format!("=_{}_{}", self.number, self.unique);
                kind = kind.attribute("boundary", boundary.clone());
                boundary
            }
            _ => String::new(),
        };
        let mut header = Vec::new();
        if let Some(disposition) = &disposition {
            field(&mut header, "Content-Disposition", disposition);
        }
        if let Some(id) = id {
            field(&mut header, "Content-ID", &Raw::new(id));
        }
        field(&mut header, "Content-Type", &kind);
        if let Some(encoding) = encoding {
            field(&mut header, "Content-Transfer-Encoding", &Raw::new(encoding));
        }
        header.extend_from_slice(b"\r\n");
        self.put(&header)?;
        match contents {
            Contents::Text(text) => self.put(&text.octets),
            Contents::File(attachment, encoding) => self.file(attachment, encoding),
            Contents::Parts(parts) => {
                for part in parts {
                    self.put(format!("\r\n--{boundary}\r\n").as_bytes())?;
                    self.part(part)?;
                }
                self.put(format!("\r\n--{boundary}--\r\n").as_bytes())
            }
        }
    }

    fn file(&mut self, attachment: Attachment, encoding: FileEncoding) -> Result<(), Error> {
        let Attachment { path, mut file } = attachment;
        let mut encoder = Encoder::base64();
        let (mut chunk, mut text) = (vec![0; limits::BUFFER], Vec::new());
        loop {
            let read = match file.read(&mut chunk) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(Error::Attachment { path, source }),
            };
            let Some(octets) = chunk.get(..read).filter(|octets| !octets.is_empty()) else { break };
            if encoding == FileEncoding::Base64 {
                encoder.encode(octets, &mut text);
                self.put(&text)?;
                text.clear();
            } else {
                self.put(octets)?;
            }
        }
        encoder.finish(&mut text);
        self.put(&text)
    }
}

fn field(output: &mut Vec<u8>, name: &str, value: &impl Header) {
    output.extend_from_slice(name.as_bytes());
    output.extend_from_slice(b": ");
    value.write_header(output, name.len() + 2);
}

/// An address with a name before it, as it stands in From. Names from elsewhere may have been
/// encoded already (RFC 2047), so what can stand there as it is, does.
pub fn named(name: Option<&str>, mailbox: &Mailbox) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " !#$%&'*+-/=?^_`{|}~".contains(c);
    match name.map(str::trim).filter(|name| !name.is_empty()) {
        None => mailbox.to_string(),
        Some(name) if name.chars().any(char::is_control) => {
            named(Some(&name.replace(char::is_control, " ")), mailbox)
        }
        Some(name) if name.chars().all(is_plain) => format!("{name} <{mailbox}>"),
        Some(name) => {
            let mut value = Vec::new();
            Address::new_address(Some(name), mailbox.as_str())
                .write_header(&mut value, "From: ".len());
            String::from_utf8_lossy(&value).trim_end().to_owned()
        }
    }
}

fn list(addressees: &[Addressee]) -> Address<'_> {
    let address = |addressee: &Addressee| {
        // A line end in a name would be one in the header.
        let name = addressee.name.as_deref().map(|name| name.replace(char::is_control, " "));
        Address::new_address(name, addressee.address.as_str().to_owned())
    };
    Address::new_list(addressees.iter().map(address).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Parts {
        Parts {
            from: Addressee { name: None, address: "ann@x.example".parse().unwrap() },
            to: "\"Smith, Bob\" <bob@x.example>".parse::<Addressees>().unwrap().0,
            cc: Vec::new(),
            bcc: Vec::new(),
            reply_to: Vec::new(),
            subject: Some("Grüße".to_owned()),
            fields: Vec::new(),
            text: b"hello\n.\nbye".to_vec(),
            html: None,
            attachments: Vec::new(),
            date: "Tue, 24 Nov 2026 12:00:00 +0100".to_owned(),
            unique: "1".to_owned(),
        }
    }

    fn composed_octets(parts: Parts) -> Vec<u8> {
        let mut text = Vec::new();
        io::copy(&mut parts.compose().unwrap().text().unwrap(), &mut text).unwrap();
        text
    }

    fn composed(parts: Parts) -> String {
        String::from_utf8(composed_octets(parts)).unwrap()
    }

    #[test]
    fn names_and_subjects_are_encoded() {
        let text = composed(parts());
        for line in [
            "Date: Tue, 24 Nov 2026 12:00:00 +0100\r\n",
            "From: <ann@x.example>\r\n",
            "To: \"Smith, Bob\" <bob@x.example>\r\n",
            "Subject: =?utf-8?",
            "Message-ID: <1@x.example>\r\n",
            "Content-Type: text/plain; charset=\"utf-8\"\r\n",
            "\r\n\r\nhello\r\n.\r\nbye",
        ] {
            assert!(text.contains(line), "expected {line:?} in:\n{text}");
        }
        assert_eq!(text.matches("Message-ID").count(), 1);
        assert!(text.is_ascii());
    }

    #[test]
    fn a_subject_is_one_line() {
        let mut parts = parts();
        parts.subject = Some("hello\r\nBcc: eve@x.example".to_owned());
        let text = composed(parts);
        assert!(text.contains("Subject: hello Bcc: eve@x.example\r\n"), "{text}");
    }

    /// Files of these names, each with the same contents.
    fn files(names: &[&str], contents: &[u8]) -> (tempfile::TempDir, Vec<Attachment>) {
        let dir = tempfile::tempdir().unwrap();
        let open = |name: &&str| {
            let path = dir.path().join(name);
            File::create(&path).unwrap().write_all(contents).unwrap();
            Attachment::open(&path).unwrap()
        };
        let attachments = names.iter().map(open).collect();
        (dir, attachments)
    }

    #[test]
    fn an_attachment_has_type_and_name_and_loses_no_octet() {
        let (_dir, attachments) =
            files(&["Füße – 写真.pdf", "a\"b\\c.txt", "line\nend.zzz"], b"a\rb\nc\r\n\0\xff");
        let text = composed(Parts { attachments, ..parts() });
        for part in [
            "Content-Type: multipart/mixed;",
            "Content-Type: application/pdf; name=\"=?utf-8?B?",
            "filename*=UTF-8''F%C3%BC%C3%9Fe",
            "Content-Type: text/plain\r\n",
            "filename=\"a\\\"b\\\\c.txt\"",
            "Content-Type: application/octet-stream\r\n",
            "filename*=UTF-8''line%0Aend.zzz",
            "\r\n--=_1_1--\r\n",
        ] {
            assert!(text.contains(part), "expected {part:?} in:\n{text}");
        }
        assert_eq!(text.matches("\r\n\r\nYQ1iCmMNCgD/\r\n").count(), 3, "{text}");
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 78), "{text}");
        let gone = Attachment::open(Path::new("/nowhere/gone.jpg"));
        assert!(matches!(gone, Err(Error::Attachment { .. })));
    }

    /// The types of a message's parts, in order, with a parenthesis around what is in a multipart.
    fn structure(text: &str) -> String {
        let mut structure = String::new();
        for line in text.lines() {
            if let Some(kind) = line.strip_prefix("Content-Type: ") {
                let kind = kind.split(';').next().unwrap();
                structure.push_str(kind);
                structure.push(if kind.starts_with("multipart/") { '(' } else { ' ' });
            } else if line.starts_with("--=_") && line.ends_with("--") {
                structure.push(')');
            }
        }
        structure
    }

    #[test]
    fn parts_are_nested_as_their_purpose_asks() {
        let html = Some(b"<img src=\"cid:a.png\">".to_vec());
        let with = |text: &str, html: &Option<Vec<u8>>, names: &[&str]| {
            let (_dir, attachments) = files(names, b"x");
            let (text, html) = (text.into(), html.clone());
            structure(&composed(Parts { text, html, attachments, ..parts() }))
        };
        assert_eq!(with("", &None, &[]), "text/plain ");
        assert_eq!(with("x", &None, &["a.png"]), "multipart/mixed(text/plain image/png )");
        assert_eq!(with("", &html, &[]), "text/html ");
        assert_eq!(with("x", &html, &[]), "multipart/alternative(text/plain text/html )");
        assert_eq!(with("", &html, &["a.png"]), "multipart/related(text/html image/png )");
        assert_eq!(
            with("x", &html, &["b.pdf", "a.png"]),
            "multipart/mixed(multipart/alternative(text/plain \
             multipart/related(text/html image/png ))application/pdf )"
        );
    }

    #[test]
    fn html_shows_the_files_that_it_names() {
        let names = ["a.png", "a.png.png", "Füße 1.jpg", "c.gif"].map(str::to_owned);
        let id = |index: usize| format!("#{index}#");
        for (html, expected, shown) in [
            ("<img src=\"cid:a.png\">", "<img src=\"cid:#0#\">", "0"),
            ("<img src='cid:a.png.png'>", "<img src='cid:#1#'>", "1"),
            ("<img src=cid:a.png alt=x>", "<img src=cid:#0# alt=x>", "0"),
            ("url(cid:c.gif) \"cid:a.png\"", "url(cid:#3#) \"cid:#0#\"", "0 3"),
            ("\"cid:F%C3%BC%C3%9Fe%201.jpg\"", "\"cid:#2#\"", "2"),
            ("\"cid:Füße 1.jpg\"", "\"cid:#2#\"", "2"),
            ("\"cid:other@x\" cid:", "\"cid:other@x\" cid:", ""),
        ] {
            let (linked, is_shown) = linked(html, &names, id);
            let numbers = (0..).zip(is_shown).filter(|&(_, is_shown)| is_shown);
            let numbers: Vec<_> = numbers.map(|(number, _)| number.to_string()).collect();
            assert_eq!((linked.as_str(), numbers.join(" ").as_str()), (expected, shown), "{html}");
        }
        let (_dir, attachments) = files(&["a.png"], b"x");
        let html = Some(b"<img src=\"cid:a.png\">".to_vec());
        let text = composed(Parts { html, attachments, ..parts() });
        for part in [
            "<img src=3D\"cid:0.1@x.example\">",
            "Content-ID: <0.1@x.example>\r\n",
            "Content-Disposition: inline; filename=\"a.png\"\r\n",
            "type=\"text/html\"",
        ] {
            assert!(
                text.contains(part) || text.contains(&part.replace("=3D", "=")),
                "{part}\n{text}"
            );
        }
    }

    #[test]
    fn other_fields_stand_as_they_are_or_encoded() {
        let long = format!(
            "<https://x.example/{}>, <mailto:{}@x.example>",
            "u".repeat(90),
            "v".repeat(60)
        );
        let fields = [
            format!("List-Unsubscribe: {long}"),
            "X-Note: für dich".to_owned(),
            "In-Reply-To: <1@x.example>".to_owned(),
        ];
        let fields = fields.iter().map(|field| field.parse().unwrap()).collect();
        let reply_to = "Desk <desk@x.example>".parse::<Addressees>().unwrap().0;
        let text = composed(Parts { fields, reply_to, to: Vec::new(), ..parts() });
        let unfolded = text.replace("\r\n ", " ");
        for line in [
            format!("List-Unsubscribe: {long}\r\n"),
            "X-Note: =?utf-8?".to_owned(),
            "In-Reply-To: <1@x.example>\r\n".to_owned(),
            "Reply-To: \"Desk\" <desk@x.example>\r\n".to_owned(),
            "To: undisclosed-recipients:;\r\n".to_owned(),
        ] {
            assert!(unfolded.contains(&line), "expected {line:?} in:\n{text}");
        }
    }

    #[test]
    fn in_a_field_of_addresses_names_are_encoded_and_addresses_are_not() {
        for name in ["Sender", "Resent-From", "mail-followup-to"] {
            let fields = vec![format!("{name}: Jörg <joerg@x.example>").parse().unwrap()];
            let text = composed(Parts { fields, ..parts() }).replace("\r\n ", " ");
            let line = text.lines().find(|line| line.starts_with(&format!("{name}: "))).unwrap();
            assert!(line.contains("=?utf-8?") && line.ends_with(" <joerg@x.example>"), "{line}");
        }
    }

    #[test]
    fn a_name_is_no_way_into_the_header() {
        for name in ["x\r\nBcc: eve@x.example", "x\nBcc: eve@x.example\n\nhi", "ü\rBcc: eve@x\u{0}"]
        {
            let from = Addressee { name: Some(name.to_owned()), address: "a@x".parse().unwrap() };
            let text = composed(Parts { from, ..parts() });
            let (header, _) = text.split_once("\r\n\r\n").unwrap();
            assert!(!header.lines().any(|line| line.starts_with("Bcc")), "{header}");
            assert!(!named(Some(name), &"a@x".parse().unwrap()).contains(['\r', '\n', '\0']));
        }
    }

    #[test]
    fn a_name_before_an_address_is_encoded_once() {
        let ann = "ann@x.example".parse().unwrap();
        for (name, expected) in [
            (None, "ann@x.example"),
            (Some(" "), "ann@x.example"),
            (Some("Cron Daemon"), "Cron Daemon <ann@x.example>"),
            (Some("=?utf-8?Q?J=C3=BCrgen?="), "=?utf-8?Q?J=C3=BCrgen?= <ann@x.example>"),
            (Some("Smith, J. \"X\""), "\"Smith, J. \\\"X\\\"\" <ann@x.example>"),
        ] {
            assert_eq!(named(name, &ann), expected);
        }
        let encoded = named(Some("Jürgen"), &ann);
        assert!(encoded.is_ascii() && encoded.contains("=?utf-8?"), "{encoded}");
    }

    #[test]
    fn a_text_is_sent_whatever_it_is() {
        let sent = |text: &[u8]| composed(Parts { text: text.to_vec(), ..parts() });
        let fields = |charset: &str, encoding: &str| {
            format!(
                "Content-Type: text/plain; charset={charset}\r\n\
                 Content-Transfer-Encoding: {encoding}\r\n\r\n"
            )
        };
        for (text, charset, encoding, octets) in [
            (
                b"caf\xe9 au lait, please".as_slice(),
                "\"unknown-8bit\"",
                "quoted-printable",
                "caf=E9 au lait, please\r\n",
            ),
            (b"a\0b", "\"utf-8\"", "base64", "YQBi\r\n"),
            (b"\xff\xfeh\0i\0", "\"utf-8\"", "7bit", "hi\r\n"),
            (b"\xfe\xff\0h\0i", "\"utf-8\"", "7bit", "hi\r\n"),
            (b"\xef\xbb\xbfhi\rho", "\"utf-8\"", "7bit", "hi\r\nho\r\n"),
        ] {
            let text = sent(text);
            let expected = format!("{}{octets}", fields(charset, encoding));
            assert!(text.ends_with(&expected), "expected {expected:?} in:\n{text}");
        }
        let long = sent(&b"x".repeat(999));
        assert!(long.lines().all(|line| line.len() <= 78), "{long}");
    }

    #[test]
    fn a_message_is_attached_as_it_is_or_not_as_a_message() {
        let attached = |contents: &[u8]| {
            let (_dir, attachments) = files(&["a.eml"], contents);
            composed_octets(Parts { attachments, ..parts() })
        };
        let whole = |kind: &str, encoding: &str, contents: &[u8]| {
            let fields =
                format!("Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
            [fields.as_bytes(), contents].concat()
        };
        let holds =
            |text: &[u8], part: &[u8]| text.windows(part.len()).any(|octets| octets == part);
        let plain = attached(b"A: b\n\n.\nhello\n");
        assert!(holds(&plain, &whole("message/rfc822", "7bit", b"A: b\r\n\r\n.\r\nhello\r\n")));
        let eight = attached("A: b\n\nGr\u{fc}\u{df}e\n".as_bytes());
        assert!(holds(
            &eight,
            &whole("message/rfc822", "8bit", "A: b\r\n\r\nGr\u{fc}\u{df}e\r\n".as_bytes())
        ));
        // The whole of it is 8bit, then (RFC 2045 §6.4).
        let end = eight.windows(4).position(|octets| octets == b"\r\n\r\n").unwrap();
        assert!(holds(&eight[..end + 2], b"Content-Transfer-Encoding: 8bit\r\n"));
        for contents in [b"A: b\n\n\0\n".to_vec(), b"A: b\n\nx\ry\n".to_vec(), b"x".repeat(2000)] {
            let text = attached(&contents);
            assert!(holds(
                &text,
                b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
            ));
        }
    }

    #[test]
    fn an_attachment_says_what_its_readers_need_to_know() {
        let kind = |name: &str, contents: &[u8]| {
            let (_dir, attachments) = files(&[name], contents);
            let text = composed(Parts { attachments, ..parts() }).replace("\r\n\t", " ");
            let text = text.replace("\r\n ", " ");
            let mut kinds = text.lines().filter_map(|line| line.strip_prefix("Content-Type: "));
            kinds.next_back().unwrap().to_owned()
        };
        assert_eq!(kind("a.txt", "Gr\u{fc}\u{df}e".as_bytes()), "text/plain; charset=\"utf-8\"");
        assert_eq!(kind("a.csv", b"caf\xe9"), "text/csv");
        let long = "\u{fc}".repeat(2000);
        assert_eq!(kind("a.txt", long.as_bytes()), "text/plain; charset=\"utf-8\"");
        let invitation = b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n";
        assert_eq!(
            kind("a.ics", invitation),
            "text/calendar; method=\"REQUEST\"; charset=\"utf-8\""
        );
        assert_eq!(kind("a.ics", b"METHOD:X\"; y=z\r\n"), "text/calendar; charset=\"utf-8\"");
        assert_eq!(kind("\u{fc}.pdf", b"\0"), "application/pdf; name=\"=?utf-8?B?w7wucGRm?=\"");
    }
}
