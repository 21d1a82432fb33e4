//! Dot-stuffing both ways (RFC 1939 §3, RFC 5321 §4.5.2), a chunk at a time.
//!
//! A line begins after CRLF and nowhere else, in both directions: a lone CR or LF is text.

use memchr::memchr;

/// Undoes dot-stuffing and turns CRLF into LF; every other octet passes unchanged.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    LineStart,
    Text,
    /// A CR that may be half of a line end.
    Cr,
    /// A dot at the start of a line: stuffing, or half of the end.
    Dot,
    /// Dot and CR at the start of a line.
    DotCr,
    Done,
}

impl Decoder {
    /// Decodes from `input` to the end of `output`; returns how much of `input` was used, which is
    /// all of it unless the end was found.
    pub fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> usize {
        let mut rest = input;
        while let Some((&octet, tail)) = rest.split_first() {
            match (self.state, octet) {
                (State::Done, _) => break,
                (State::Text | State::LineStart, b'\r') => self.state = State::Cr,
                (State::Text, _) => {
                    let plain = memchr(b'\r', rest).unwrap_or(rest.len());
                    let (text, tail) = rest.split_at(plain);
                    output.extend_from_slice(text);
                    rest = tail;
                    continue;
                }
                (State::LineStart, b'.') => self.state = State::Dot,
                (State::Cr, b'\n') => {
                    output.push(b'\n');
                    self.state = State::LineStart;
                }
                (State::Cr, b'\r') => output.push(b'\r'),
                (State::Dot, b'\r') => self.state = State::DotCr,
                (State::DotCr, b'\n') => {
                    self.state = State::Done;
                    rest = tail;
                    break;
                }
                (State::DotCr, b'\r') => {
                    output.push(b'\r');
                    self.state = State::Cr;
                }
                // The octet itself is text, to be looked at again as such.
                (State::LineStart | State::Dot, _) => {
                    self.state = State::Text;
                    continue;
                }
                (State::Cr | State::DotCr, _) => {
                    output.push(b'\r');
                    self.state = State::Text;
                    continue;
                }
            }
            rest = tail;
        }
        input.len() - rest.len()
    }

    /// Returns whether the terminating line was seen.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }
}

/// Doubles a dot at the start of each line of a message in canonical form, and ends it.
#[derive(Debug)]
pub struct Encoder {
    line_start: bool,
    cr: bool,
}

impl Encoder {
    /// An encoder at the start of a message.
    pub fn new() -> Self {
        Self { line_start: true, cr: false }
    }

    /// Encodes all of `input` to the end of `output`.
    pub fn encode(&mut self, input: &[u8], output: &mut Vec<u8>) {
        let mut rest = input;
        while let Some(&first) = rest.first() {
            if self.line_start && first == b'.' {
                output.push(b'.');
            }
            let line = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let (text, tail) = rest.split_at(line);
            output.extend_from_slice(text);
            let crlf = text.ends_with(b"\r\n") || (text == b"\n" && self.cr);
            self.line_start = crlf;
            self.cr = text.ends_with(b"\r");
            rest = tail;
        }
    }

    /// Writes the terminating line, after a line end if the message lacked its last.
    pub fn finish(self, output: &mut Vec<u8>) {
        output.extend_from_slice(if self.line_start { b".\r\n" } else { b"\r\n.\r\n" });
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes in chunks of `size`; `None` if the end was not seen.
    fn decoded(input: &[u8], size: usize) -> Option<(Vec<u8>, usize)> {
        let (mut decoder, mut output, mut used) = (Decoder::default(), Vec::new(), 0);
        for chunk in input.chunks(size) {
            used += decoder.decode(chunk, &mut output);
        }
        decoder.is_done().then_some((output, used))
    }

    #[test]
    fn a_body_is_unstuffed_whatever_the_chunks() {
        let cases: [(&[u8], &[u8]); 10] = [
            (b".\r\n", b""),
            (b"a\r\n.\r\n", b"a\n"),
            (b"..\r\n...\r\n.\r\n", b".\n..\n"),
            (b".a\r\n.\r\n", b"a\n"),
            (b"a\n.\r\nb\r\n.\r\n", b"a\n.\nb\n"),
            (b"a\rb\r\r\n.\r\n", b"a\rb\r\n"),
            (b".\rx\r\n.\r\n", b"\rx\n"),
            (b".\r\r\n.\r\n", b"\r\n"),
            (b"\r\n\r\n.\r\n", b"\n\n"),
            (b"\0\xff\r\n.\r\n", b"\0\xff\n"),
        ];
        for (input, expected) in cases {
            for size in 1..=input.len() {
                let (output, used) = decoded(input, size).unwrap();
                assert_eq!(output, expected, "{input:?} in chunks of {size}");
                assert_eq!(used, input.len());
            }
        }
    }

    #[test]
    fn what_follows_the_end_is_left_alone() {
        let (output, used) = decoded(b"a\r\n.\r\n+OK", 99).unwrap();
        assert_eq!((output.as_slice(), used), (&b"a\n"[..], 6));
    }

    #[test]
    fn a_body_without_its_end_is_never_done() {
        let whole = b"a\r\n..b\r\n.\r\n";
        for cut in 0..whole.len() {
            assert_eq!(decoded(&whole[..cut], 4), None);
        }
    }

    #[test]
    fn a_message_is_stuffed_whatever_the_chunks() {
        let message = b".a\r\n\r\n..\r\nb.\r\n.\r\nc";
        for size in 1..=message.len() {
            let (mut encoder, mut output) = (Encoder::new(), Vec::new());
            for chunk in message.chunks(size) {
                encoder.encode(chunk, &mut output);
            }
            encoder.finish(&mut output);
            assert_eq!(output, b"..a\r\n\r\n...\r\nb.\r\n..\r\nc\r\n.\r\n", "chunks of {size}");
            let (back, _) = decoded(&output, 5).unwrap();
            assert_eq!(back, b".a\n\n..\nb.\n.\nc\n");
        }
    }
}
