//! What the octets of a text or a file are, as far as it decides how they may be sent as a part of a
//! message that this program makes.

use std::io::{self, Read};

use super::line_ends::{LineEnds, has_lone_cr, without_lone_cr};
use super::{Measure, Transport, Utf8};
use crate::limits;

/// A text as a part of a message: in canonical form, and in ASCII.
#[derive(Debug, PartialEq, Eq)]
pub struct TextPart {
    /// The octets, encoded unless they are 7bit.
    pub octets: Vec<u8>,
    /// The value of `charset`; `unknown-8bit` (RFC 1428 §3) for a text that is not UTF-8.
    pub charset: &'static str,
    /// The value of Content-Transfer-Encoding.
    pub encoding: &'static str,
}

impl TextPart {
    /// Takes any text: a byte order mark is dropped, UTF-16 that begins with one becomes UTF-8.
    pub fn new(text: &[u8]) -> Self {
        let units = |pair: fn([u8; 2]) -> u16, rest: &[u8]| {
            let units = rest.chunks(2).map(|two| match two {
                [one, other] => pair([*one, *other]),
                // Half a unit is no character.
                _ => 0xfffd,
            });
            let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
            text.collect::<String>().into_bytes()
        };
        match text {
            [0xff, 0xfe, rest @ ..] => Self::encoded(&units(u16::from_le_bytes, rest)),
            [0xfe, 0xff, rest @ ..] => Self::encoded(&units(u16::from_be_bytes, rest)),
            [0xef, 0xbb, 0xbf, rest @ ..] => Self::encoded(rest),
            text => Self::encoded(text),
        }
    }

    fn encoded(text: &[u8]) -> Self {
        let (mut line_ends, mut lines) = (LineEnds::default(), Vec::new());
        line_ends.append(text, &mut lines);
        line_ends.finish(&mut lines);
        let lines = without_lone_cr(&lines);
        let mut measure = Measure::default();
        measure.take(&lines);
        // The line end that follows a last line counts.
        measure.take(b"\r\n");
        let charset = if std::str::from_utf8(&lines).is_ok() { "utf-8" } else { "unknown-8bit" };
        if measure.is_transport_safe(Transport::SevenBit) {
            return Self { octets: lines.into_owned(), charset, encoding: "7bit" };
        }
        let (mut encoder, mut octets) = (measure.encoder(), Vec::new());
        let encoding = encoder.name();
        encoder.encode(&lines, &mut octets);
        encoder.finish(&mut octets);
        Self { octets, charset, encoding }
    }
}

/// The properties of a file's octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Octets {
    /// True if they are lines that a server with 8BITMIME takes unchanged.
    pub are_lines: bool,
    /// True if none is above 127.
    pub are_ascii: bool,
    /// True if they are UTF-8 text.
    pub are_utf8: bool,
}

impl Octets {
    /// Reads to the end.
    ///
    /// # Errors
    ///
    /// Returns an error if reading fails.
    pub fn of(input: &mut dyn Read) -> io::Result<Self> {
        let (mut measure, mut utf8, mut line_ends) =
            (Measure::default(), Utf8::default(), LineEnds::default());
        let (mut chunk, mut lines) = (vec![0; limits::BUFFER], Vec::new());
        let mut has_lone = false;
        loop {
            let read = match input.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            let octets = chunk.get(..read).unwrap_or_default();
            if octets.is_empty() {
                line_ends.finish(&mut lines);
            } else {
                line_ends.append(octets, &mut lines);
            }
            measure.take(&lines);
            utf8.take(&lines);
            has_lone |= has_lone_cr(&lines);
            lines.clear();
            if octets.is_empty() {
                break;
            }
        }
        measure.take(b"\r\n");
        Ok(Self {
            are_lines: !has_lone && measure.is_transport_safe(Transport::EightBit),
            are_ascii: measure.high == 0,
            are_utf8: utf8.is_valid() && !measure.has_nul,
        })
    }
}
