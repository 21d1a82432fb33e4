//! The header section of a message that comes in, line by line (RFC 5322 §2.2). Lines end in CRLF; a
//! CR that stands alone is still there, and is the reason why a field is refused.

use std::borrow::Cow;

use super::encoded_words;
use crate::limits;
use crate::text::is_unprintable;

/// Fields of unstructured text (RFC 5322 §3.6.5).
const TEXTS: [&str; 2] = ["Subject", "Comments"];

/// Fields of addresses (RFC 5322 §3.6.2, §3.6.3 and §3.6.6), of which Bcc is not sent.
const ADDRESS_LISTS: [&str; 11] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Resent-From",
    "Resent-Sender",
    "Resent-Reply-To",
    "Resent-To",
    "Resent-Cc",
    "Mail-Followup-To",
];

/// A header field as it will be sent, folds and last line end included.
#[derive(Clone, Debug)]
pub(super) struct Field(pub(super) Vec<u8>);

impl Field {
    pub(super) fn new(name: &str, value: &str) -> Self {
        // What comes here is text of our own; a line end in it must still not end the field.
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        Self(format!("{name}: {value}\r\n").into_bytes())
    }

    /// Returns whether the field's name is `name`, in any case (RFC 5322 §1.2.2).
    pub(super) fn is(&self, name: &str) -> bool {
        self.0.split_at_checked(name.len()).is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(name.as_bytes()) && rest.trim_ascii_start().starts_with(b":")
        })
    }

    /// Encodes text and names beyond ASCII (RFC 2047), and makes room for folds: text without blanks
    /// that is too long for a line is encoded, too, and addresses get a blank behind their commas.
    pub(super) fn encode(&mut self) {
        let is_text = TEXTS.iter().any(|name| self.is(name));
        let is_list = ADDRESS_LISTS.iter().any(|name| self.is(name));
        if !(is_text || is_list) || (self.0.is_ascii() && !self.has_long_line()) {
            return;
        }
        let colon = memchr::memchr(b':', &self.0).unwrap_or_default();
        let (name, value) = self.0.split_at(colon + 1);
        let value: Vec<u8> =
            value.iter().copied().filter(|octet| !b"\r\n".contains(octet)).collect();
        let value = value.trim_ascii();
        let encoded: Vec<u8> = if is_text {
            let longest = value.split(u8::is_ascii_whitespace).map(<[u8]>::len).max();
            if value.is_ascii() && longest > Some(limits::TEXT_LINE - colon - 4) {
                encoded_words::words("us-ascii", value).into()
            } else {
                encoded_words::unstructured(value).into()
            }
        } else {
            let list = encoded_words::address_list(value);
            match str::from_utf8(&list) {
                Ok(list) if self.has_long_line() => {
                    encoded_words::with_blanks_behind_commas(list).into()
                }
                _ => list,
            }
        };
        self.0 = [name, b" ", &encoded, b"\r\n"].concat();
    }

    fn has_long_line(&self) -> bool {
        self.0.split_inclusive(|&octet| octet == b'\n').any(|line| line.len() > limits::TEXT_LINE)
    }

    /// Breaks lines that are too long at their blanks, which changes nothing for who reads them
    /// (RFC 5322 §2.2.3). Where there is no blank nothing can be done.
    pub(super) fn fold(&mut self) {
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

    /// Gives it another value.
    pub(super) fn set_value(&mut self, value: &str) {
        let name = self.0.split(|&octet| octet == b':').next().unwrap_or_default();
        *self = Self::new(String::from_utf8_lossy(name).trim_end(), value);
    }

    /// The name in lower case.
    pub(super) fn name(&self) -> Vec<u8> {
        let name = self.0.split(|&octet| octet == b':').next().unwrap_or_default();
        name.trim_ascii_end().to_ascii_lowercase()
    }

    pub(super) fn is_resent(&self) -> bool {
        self.name().starts_with(b"resent-")
    }

    /// Returns whether the field signs the message, so that signed parts must not change (RFC 6376,
    /// RFC 8617).
    pub(super) fn is_signature(&self) -> bool {
        ["DKIM-Signature", "ARC-Message-Signature", "DomainKey-Signature"]
            .iter()
            .any(|name| self.is(name))
    }

    /// The value, without its folds. What is no UTF-8 in it is encoded where it can be.
    pub(super) fn value(&self) -> String {
        let mut field = Cow::Borrowed(self);
        if str::from_utf8(&self.0).is_err() {
            field.to_mut().encode();
        }
        let text = String::from_utf8_lossy(&field.0);
        let value = text.split_once(':').map(|(_, value)| value).unwrap_or_default();
        value.trim().replace("\r\n", "")
    }
}

/// The reason why a header cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// The header exceeds its bounds.
    #[error("the header is longer than {} octets", limits::HEADER)]
    TooLong,
    /// The header has a line that is no field, with fields behind it. Those, such as Bcc, would be
    /// sent as text.
    #[error("line {0} of the message is not a header field, and header fields follow it")]
    NotAField(usize),
    /// A line would be a field but for blanks or characters that cannot be seen. It too, such as
    /// Bcc, would be sent as text.
    #[error(
        "line {0} of the message looks like a header field, but has a character that cannot be \
         seen beside its name"
    )]
    Disguised(usize),
    /// A field has a CR without LF, which some take for a line end and others do not.
    #[error("line {0} of the message has a carriage return within a header field")]
    LoneCr(usize),
    /// A field has a NUL or another control character.
    #[error("line {0} of the message has a control character within a header field")]
    Control(usize),
    /// The message is UTF-16.
    #[error("the message is UTF-16, which mail cannot carry: convert it to UTF-8")]
    Utf16,
}

/// The header section as far as it was seen.
#[derive(Default)]
pub(super) struct Header {
    fields: Vec<Field>,
    /// The start of a line whose end has not come yet; where none is a field any more, the start of
    /// the last line, with those that it continues.
    line: Vec<u8>,
    /// Lines that were seen whole.
    lines: usize,
    octets: usize,
    /// The separator lines of an mbox file, in which the message was kept and which are no part of
    /// it; if no field follows, they were text.
    separators: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Default)]
enum State {
    /// Before the first field; only separators were seen.
    #[default]
    Begin,
    Fields,
    /// A line that is no field, with this number, has ended the header if no field follows it before
    /// an empty line.
    Stray(usize),
    /// The rest is body.
    Whole,
    Broken(Defect),
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Octets of a line in which a field's name and colon are looked for, and the most in a separator.
const NAME: usize = 1_000;

impl Header {
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.state, State::Whole)
    }

    pub(super) fn defect(&self) -> Option<Defect> {
        match self.state {
            State::Broken(defect) => Some(defect),
            _ => None,
        }
    }

    /// Returns whether nothing was seen that is part of a message.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.state, State::Begin)
    }

    pub(super) fn into_fields(self) -> Vec<Field> {
        self.fields
    }

    /// Takes text, and hands back what belongs to the body.
    pub(super) fn take(&mut self, text: &[u8]) -> Vec<u8> {
        let mut rest = text;
        while let State::Begin | State::Fields = self.state {
            let Some(end) = memchr::memchr(b'\n', rest) else {
                self.line.extend_from_slice(rest);
                if self.octets + self.line.len() <= limits::HEADER {
                    return Vec::new();
                }
                // Its start shows whether it is too long for a header or is text.
                let line = std::mem::take(&mut self.line);
                return self.end_with(line);
            };
            let (head, tail) = rest.split_at(end + 1);
            rest = tail;
            self.line.extend_from_slice(head);
            let line = std::mem::take(&mut self.line);
            let mut body = self.end_with(line);
            if !matches!(self.state, State::Begin | State::Fields) {
                self.watch(rest);
                body.extend_from_slice(rest);
                return body;
            }
        }
        self.watch(rest);
        rest.to_vec()
    }

    /// The text has ended. Hands back what is left of it for the body. Without any LF in it, its
    /// lines were ended by CR, as they once were.
    pub(super) fn finish(&mut self, has_lf: bool) -> Vec<u8> {
        match self.state {
            State::Begin | State::Fields => {
                let mut line = std::mem::take(&mut self.line);
                if !has_lf && line.contains(&b'\r') {
                    let mut body = self.take(&super::line_ends::without_lone_cr(&line));
                    body.extend(self.finish(true));
                    return body;
                }
                let mut body = Vec::new();
                // A byte order mark alone is no line.
                if !line.is_empty() && line != BYTE_ORDER_MARK {
                    line.extend_from_slice(b"\r\n");
                    body = self.end_with(line);
                }
                let separators = std::mem::take(&mut self.separators);
                if matches!(self.state, State::Begin) && !are_dated(&separators) {
                    self.state = State::Whole;
                    body = separators;
                }
                body
            }
            State::Stray(number) => {
                self.look_for_field(number);
                Vec::new()
            }
            State::Whole | State::Broken(_) => Vec::new(),
        }
    }

    /// Takes one line, its end included unless it is longer than a header, and hands back what it
    /// means for the body.
    fn end_with(&mut self, mut line: Vec<u8>) -> Vec<u8> {
        self.lines += 1;
        if self.lines == 1 {
            if is_utf16(&line) {
                self.state = State::Broken(Defect::Utf16);
                return Vec::new();
            }
            // A byte order mark says nothing in UTF-8, and is no part of a field's name.
            if line.starts_with(BYTE_ORDER_MARK) {
                line.drain(..BYTE_ORDER_MARK.len());
            }
        }
        let is_begin = matches!(self.state, State::Begin);
        let is_folded = line.starts_with(b" ") || line.starts_with(b"\t");
        let is_field = is_field(&line) || (is_folded && !is_begin);
        let is_separator = is_begin && is_separator(&line);
        if is_field || is_separator {
            self.octets += line.len();
        }
        if self.octets > limits::HEADER {
            self.state = State::Broken(Defect::TooLong);
        } else if is_field {
            self.add(line);
        } else if is_separator {
            self.separators.extend_from_slice(&line);
        } else if is_begin && (line != b"\r\n" || !self.separators.is_empty()) {
            // It has no header: all is body.
            self.state = State::Whole;
            let mut body = std::mem::take(&mut self.separators);
            body.extend(line);
            return body;
        } else if line == b"\r\n" {
            self.state = State::Whole;
        } else if holds_field(&line) {
            self.state = State::Broken(Defect::LoneCr(self.lines));
        } else if is_disguised(&line) {
            self.state = State::Broken(Defect::Disguised(self.lines));
        } else {
            self.state = State::Stray(self.lines);
            self.watch(&line);
            return line;
        }
        Vec::new()
    }

    /// Adds a field, or goes on with the last one.
    fn add(&mut self, line: Vec<u8>) {
        self.separators.clear();
        self.state = State::Fields;
        let text = line.strip_suffix(b"\r\n").unwrap_or(&line);
        if text.contains(&b'\r') {
            self.state = State::Broken(Defect::LoneCr(self.lines));
        } else if text.iter().any(|&octet| octet.is_ascii_control() && octet != b'\t') {
            self.state = State::Broken(Defect::Control(self.lines));
        }
        match self.fields.last_mut() {
            Some(field) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                field.0.extend_from_slice(&line);
            }
            _ => self.fields.push(Field(line)),
        }
    }

    /// Looks for fields in a line that was none and those behind it, up to the first empty line. One
    /// that begins with a blank continues the line before it.
    fn watch(&mut self, text: &[u8]) {
        for piece in text.split_inclusive(|&octet| octet == b'\n') {
            let State::Stray(number) = self.state else { return };
            if self.line.ends_with(b"\n") {
                let is_folded = piece.starts_with(b" ") || piece.starts_with(b"\t");
                let end = if is_folded { self.line.trim_ascii_end().len() } else { 0 };
                self.line.truncate(end);
            }
            let room = NAME.saturating_sub(self.line.len()).min(piece.len());
            self.line.extend_from_slice(piece.get(..room).unwrap_or_default());
            if piece.ends_with(b"\n") {
                if self.line == b"\r\n" {
                    self.state = State::Whole;
                    return;
                }
                self.look_for_field(number);
                if room < piece.len() {
                    self.line.push(b'\n');
                }
            }
        }
    }

    /// Refuses the header if the last line is a field, or looks like one. `number` is that of the line
    /// that was none.
    fn look_for_field(&mut self, number: usize) {
        if holds_field(&self.line) || is_disguised(&self.line) {
            self.state = State::Broken(Defect::NotAField(number));
        }
    }
}

/// A name of printable characters, perhaps blanks, a colon (RFC 5322 §2.2 and §4.5).
fn is_field(line: &[u8]) -> bool {
    let Some(colon) = colon(line) else { return false };
    is_name(line.get(..colon).unwrap_or_default().trim_ascii_end())
}

/// The place of the colon behind a field's name.
fn colon(line: &[u8]) -> Option<usize> {
    memchr::memchr(b':', line.get(..NAME).unwrap_or(line))
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

/// Returns whether a line would be a field without the blanks and the characters that cannot be seen
/// around its name: to its writer it is one.
fn is_disguised(line: &[u8]) -> bool {
    let Some(colon) = colon(line) else { return false };
    let name = line.get(..colon).unwrap_or_default();
    let name = match str::from_utf8(name) {
        Ok(name) => Cow::Borrowed(name),
        // Latin-1, whose no-break space is one octet.
        Err(_) => name.iter().map(|&octet| char::from(octet)).collect(),
    };
    is_name(name.trim_matches(|c: char| c.is_whitespace() || is_unprintable(c)).as_bytes())
}

/// Returns whether a line is a field, or has one inside for a reader that takes a lone CR for a
/// line end.
fn holds_field(line: &[u8]) -> bool {
    line.split(|&octet| octet == b'\r').any(is_field)
}

/// The line that begins a message in an mbox file (RFC 4155 appendix A).
fn is_separator(line: &[u8]) -> bool {
    let text = line.split(|&octet| octet == b'\r').next().unwrap_or_default();
    text.len() <= NAME && (text.starts_with(b"From ") || text.starts_with(b">From "))
}

/// Returns whether each of these separators has a date, as in `Thu Nov 26 12:00:00 2026` (RFC 4155
/// appendix A), by which it is told from text.
fn are_dated(separators: &[u8]) -> bool {
    const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    let is_number =
        |word: &[u8], length| word.len() == length && word.iter().all(u8::is_ascii_digit);
    let is_dated = |line: &[u8]| {
        let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let words: Vec<_> = words.collect();
        words.iter().any(|word| DAYS.contains(word)) && words.iter().any(|word| is_number(word, 4))
    };
    let mut lines = separators.split_inclusive(|&octet| octet == b'\n');
    lines.all(is_dated)
}

/// Returns whether the text is UTF-16: a byte order mark, or two characters of ASCII.
fn is_utf16(line: &[u8]) -> bool {
    match line {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [one, 0, other, 0, ..] | [0, one, 0, other, ..] => *one != 0 && *other != 0,
        _ => false,
    }
}
