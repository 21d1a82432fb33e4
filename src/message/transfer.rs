//! Transfer encodings (RFC 2045 §6.7 and §6.8), a chunk at a time: text of any octets becomes lines
//! of at most 76 characters of ASCII. The text is in canonical form, and read back as such.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Characters in a line, its end not counted.
const LINE: usize = 76;

/// An encoder to quoted-printable or base64 (RFC 2045 §6).
#[derive(Debug)]
pub enum Encoder {
    /// Quoted-printable, which keeps mostly-ASCII text legible.
    QuotedPrintable(QuotedPrintable),
    /// Base64, for any octets.
    Base64(Base64),
}

impl Encoder {
    /// A quoted-printable encoder before its first octet.
    pub fn quoted_printable() -> Self {
        Self::QuotedPrintable(QuotedPrintable::default())
    }

    /// A base64 encoder before its first octet.
    pub fn base64() -> Self {
        Self::Base64(Base64::default())
    }

    /// The value of Content-Transfer-Encoding.
    pub fn name(&self) -> &'static str {
        match self {
            Self::QuotedPrintable(_) => "quoted-printable",
            Self::Base64(_) => "base64",
        }
    }

    /// Encodes all of `input` to the end of `output`, but for what depends on what follows.
    pub fn encode(&mut self, input: &[u8], output: &mut Vec<u8>) {
        match self {
            Self::QuotedPrintable(encoder) => {
                for &octet in input {
                    encoder.take(octet, output);
                }
            }
            Self::Base64(encoder) => encoder.take(input, output),
        }
    }

    /// Writes the rest to the end of `output`. A text that ends with a line end is encoded as one.
    pub fn finish(self, output: &mut Vec<u8>) {
        match self {
            Self::QuotedPrintable(mut encoder) => encoder.end_line(output),
            Self::Base64(encoder) => line(&encoder.waiting, output),
        }
    }
}

/// An encoder to quoted-printable (RFC 2045 §6.7).
#[derive(Debug, Default)]
pub struct QuotedPrintable {
    column: usize,
    /// A blank, which must not end a line as it is.
    blank: Option<u8>,
}

impl QuotedPrintable {
    fn take(&mut self, octet: u8, output: &mut Vec<u8>) {
        if octet == b'\n' {
            self.end_line(output);
            output.extend_from_slice(b"\r\n");
            self.column = 0;
        } else if octet != b'\r' {
            if let Some(blank) = self.blank.take() {
                self.put(&[blank], output);
            }
            match octet {
                b' ' | b'\t' => self.blank = Some(octet),
                b'=' => self.put_encoded(octet, output),
                _ if octet.is_ascii_graphic() => self.put(&[octet], output),
                _ => self.put_encoded(octet, output),
            }
        }
    }

    fn end_line(&mut self, output: &mut Vec<u8>) {
        if let Some(blank) = self.blank.take() {
            self.put_encoded(blank, output);
        }
    }

    fn put_encoded(&mut self, octet: u8, output: &mut Vec<u8>) {
        self.put(format!("={octet:02X}").as_bytes(), output);
    }

    /// Writes an indivisible piece; on a new line if this one would grow too long with its soft
    /// end.
    fn put(&mut self, piece: &[u8], output: &mut Vec<u8>) {
        if self.column + piece.len() >= LINE {
            output.extend_from_slice(b"=\r\n");
            self.column = 0;
        }
        output.extend_from_slice(piece);
        self.column += piece.len();
    }
}

/// An encoder to base64 (RFC 2045 §6.8).
#[derive(Debug, Default)]
pub struct Base64 {
    /// Less than makes a line.
    waiting: Vec<u8>,
}

impl Base64 {
    fn take(&mut self, input: &[u8], output: &mut Vec<u8>) {
        const OCTETS: usize = LINE / 4 * 3;
        self.waiting.extend_from_slice(input);
        let whole = self.waiting.len() - self.waiting.len() % OCTETS;
        for octets in self.waiting.drain(..whole).as_slice().chunks(OCTETS) {
            line(octets, output);
        }
    }
}

fn line(octets: &[u8], output: &mut Vec<u8>) {
    if !octets.is_empty() {
        output.extend_from_slice(STANDARD.encode(octets).as_bytes());
        output.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text encoded in chunks of `size`.
    fn encoded(mut encoder: Encoder, text: &[u8], size: usize) -> String {
        let mut output = Vec::new();
        for chunk in text.chunks(size) {
            encoder.encode(chunk, &mut output);
        }
        encoder.finish(&mut output);
        String::from_utf8(output).unwrap()
    }

    /// RFC 2045 §6.7, read backwards.
    fn unquoted(text: &str) -> Vec<u8> {
        let text = text.replace("=\r\n", "");
        let mut pieces = text.split('=');
        let mut octets = pieces.next().unwrap().as_bytes().to_vec();
        for piece in pieces {
            octets.push(u8::from_str_radix(&piece[..2], 16).unwrap());
            octets.extend_from_slice(&piece.as_bytes()[2..]);
        }
        octets
    }

    fn texts() -> Vec<Vec<u8>> {
        vec![
            b"plain\r\n".to_vec(),
            "Gr\u{fc}\u{df}e = \u{1f600} \t\r\n\r\n .\r\n".into(),
            (0..=255).filter(|octet| !b"\r\n".contains(octet)).chain(*b"\r\n").collect(),
            [b"x".repeat(5000), b"\r\n".to_vec(), b" ".repeat(200), b"\r\n".to_vec()].concat(),
            b"no end \t".to_vec(),
        ]
    }

    #[test]
    fn what_was_encoded_reads_as_before_whatever_the_chunks() {
        for text in texts() {
            for size in [1, 2, 3, 56, 57, 58, 1000, 9000] {
                let quoted = encoded(Encoder::quoted_printable(), &text, size);
                assert_eq!(unquoted(&quoted), text, "chunks of {size}");
                let base64 = encoded(Encoder::base64(), &text, size);
                let decoded = STANDARD.decode(base64.replace("\r\n", "")).unwrap();
                assert_eq!(decoded, text, "chunks of {size}");
                for line in quoted.split("\r\n").chain(base64.split("\r\n")) {
                    assert!(line.len() <= LINE && line.is_ascii(), "{line:?}");
                    assert!(!line.ends_with([' ', '\t']), "{line:?}");
                    assert!(!line.contains(|c: char| c.is_control() && c != '\t'), "{line:?}");
                }
            }
        }
    }

    #[test]
    fn legible_text_stays_legible() {
        let text = "Gr\u{fc}\u{df}e, Ann \r\n";
        let quoted = encoded(Encoder::quoted_printable(), text.as_bytes(), 7);
        assert_eq!(quoted, "Gr=C3=BC=C3=9Fe, Ann=20\r\n");
    }
}
