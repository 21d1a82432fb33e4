//! The digest of a message, by which it is recognised when it is retrieved again.
//!
//! The first 16 octets of SHA-256 over the text as it is delivered, without the header fields that
//! servers keep for themselves and change between sessions; of a message without a unique-id, with
//! them. What goes into it is part of the journal's format: it is the same in every version.

use aws_lc_rs::digest::{Context, SHA256};
use memchr::memchr;

/// Fields that are left out, in lower case. GNU Mailutils rewrites X-UID and Status in an mbox.
const LEFT_OUT: [&str; 9] = [
    "status",
    "x-status",
    "x-keywords",
    "x-uid",
    "x-uidl",
    "x-imap",
    "x-imapbase",
    "content-length",
    "lines",
];

/// Octets of the longest of these names.
const LONGEST: usize = 14;

/// A message's digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Digest([u8; 16]);

impl Digest {
    /// Reads what `Display` wrote: 32 hexadecimal digits in lower case. `None` for anything else.
    pub(super) fn parse(digits: &[u8; 32]) -> Option<Self> {
        // There may be a million of them, so all digits are looked at, many at a time.
        let are_digits = digits.iter().fold(true, |are_digits, digit| {
            are_digits & matches!(digit, b'0'..=b'9' | b'a'..=b'f')
        });
        let (digits, _) = digits.as_chunks::<2>();
        let digits: &[[u8; 2]; 16] = digits.try_into().ok()?;
        are_digits.then(|| Self(digits.map(|[high, low]| value(high) << 4 | value(low))))
    }
}

/// The value of a hexadecimal digit in lower case. Of those, letters alone have the bit of 64.
fn value(digit: u8) -> u8 {
    (digit & 15) + 9 * (digit >> 6)
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// A digest in the making. Texts come in chunks of any size.
pub(super) struct Digester {
    hash: Context,
    at: At,
    /// The field's name so far.
    name: Vec<u8>,
    is_left_out: bool,
    /// The fields that are left out.
    left_out: Option<Context>,
}

/// The digests of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digests {
    /// Without the fields that servers keep for themselves. It tells whether a message that goes by a
    /// known name is the known one.
    pub(super) named: Digest,
    /// With them. It is all that tells a message without a name from others.
    pub(super) whole: Digest,
}

#[derive(Clone, Copy)]
enum At {
    /// At the start of a header line, or inside a field's name.
    Name,
    /// Behind the name, up to the end of the line.
    Field,
    Body,
}

impl Digester {
    pub(super) fn new() -> Self {
        let (hash, name) = (Context::new(&SHA256), Vec::new());
        Self { hash, at: At::Name, name, is_left_out: false, left_out: None }
    }

    /// Takes in the next chunk of a text with LF at its line ends.
    pub(super) fn update(&mut self, mut text: &[u8]) {
        while let Some(&first) = text.first() {
            match self.at {
                At::Body => return self.hash.update(text),
                At::Field => {
                    let (line, rest) = match memchr(b'\n', text) {
                        Some(end) => {
                            self.at = At::Name;
                            text.split_at(end + 1)
                        }
                        None => (text, &[][..]),
                    };
                    self.field().0.update(line);
                    text = rest;
                }
                // A line that is folded belongs to the field above (RFC 5322 §2.2.3).
                At::Name if self.name.is_empty() && matches!(first, b' ' | b'\t') => {
                    self.at = At::Field;
                }
                At::Name if self.name.is_empty() && first == b'\n' => self.at = At::Body,
                At::Name if first == b':' || first == b'\n' || self.name.len() > LONGEST => {
                    let name = self.name.trim_ascii_end();
                    let is_name = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
                    self.is_left_out = first == b':' && LEFT_OUT.iter().any(|known| is_name(known));
                    let (hash, name) = self.field();
                    hash.update(name);
                    self.name.clear();
                    self.at = At::Field;
                }
                At::Name => {
                    self.name.push(first);
                    text = text.get(1..).unwrap_or_default();
                }
            }
        }
    }

    /// What the present field goes into, and its name.
    fn field(&mut self) -> (&mut Context, &[u8]) {
        let Self { hash, left_out, is_left_out, name, .. } = self;
        let left_out = is_left_out.then(|| left_out.get_or_insert_with(|| Context::new(&SHA256)));
        (left_out.unwrap_or(hash), name)
    }

    /// The digests of all that has come.
    pub(super) fn finish(mut self) -> Digests {
        self.hash.update(&self.name);
        let named = finished(self.hash);
        let whole = self.left_out.map_or(named, |mut left_out| {
            left_out.update(&named.0);
            finished(left_out)
        });
        Digests { named, whole }
    }
}

fn finished(hash: Context) -> Digest {
    let mut digest = [0; 16];
    digest.iter_mut().zip(hash.finish().as_ref()).for_each(|(to, from)| *to = *from);
    Digest(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(text: &str) -> Digests {
        let mut digester = Digester::new();
        digester.update(text.as_bytes());
        digester.finish()
    }

    fn digest(text: &str) -> Digest {
        digests(text).named
    }

    #[test]
    fn a_text_without_a_name_is_told_from_all_others() {
        let texts = [
            "A: b\n\nc\n",
            "A: b\nStatus: O\n\nc\n",
            "Status: O\nA: b\n\nc\n",
            "Lines: 1\nA: b\n\nc\n",
        ];
        for (at, one) in texts.iter().enumerate() {
            assert_eq!(digest(one), digest(texts[0]));
            // Only the order of what is left out and the rest makes no difference.
            let same =
                texts.iter().filter(|other| digests(other).whole == digests(one).whole).count();
            assert_eq!(same, [1, 2, 2, 1][at], "{one:?}");
        }
    }

    /// What stands in journals must be found again by every later version.
    #[test]
    fn a_digest_is_that_of_every_version() {
        let empty = digest("").to_string();
        assert_eq!(empty, "e3b0c44298fc1c149afbf4c8996fb924");
        assert_eq!(digest("Status: RO\n").to_string(), empty);
        let message = "Subject: x\nX-UID: 7\nLines:\n\t3\nTo: a\n\nStatus: x\n";
        assert_eq!(digest(message), digest("Subject: x\nTo: a\n\nStatus: x\n"));
        assert_eq!(digest(message).to_string(), "bcd22e56c38fcfeeecbf7e0631cdace7");
    }

    #[test]
    fn only_what_servers_keep_for_themselves_is_left_out() {
        let whole = digest("A: b\n\nc\n");
        for same in [
            "A: b\nStatus: O\n\nc\n",
            "x-imapbase : 1 2\n folded\n\tagain\nA: b\n\nc\n",
            "Content-Length: 2\nA: b\nX-KEYWORDS:\n\nc\n",
        ] {
            assert_eq!(digest(same), whole, "{same:?}");
        }
        for other in [
            "A: b\n\nc",
            "A: b\n\nd\n",
            "A: b\nc\n",
            "A: c\n\nc\n",
            "A: b\n\nStatus: O\nc\n",
            "A: b\nStatus\n\nc\n",
            "A: b\nX-Statuses: O\n\nc\n",
            "A: b\nDelivery-Status-Long: O\n\nc\n",
            "A: b\n Status: O\n\nc\n",
        ] {
            assert_ne!(digest(other), whole, "{other:?}");
        }
    }

    #[test]
    fn chunks_make_no_difference() {
        let text = "A: b\nStatus: O\n folded\nSubject: x\n y\nContent-Length: 2\n\nStatus: c\n\nd";
        for first in 0..text.len() {
            for second in first..text.len() {
                let mut digester = Digester::new();
                for part in [&text[..first], &text[first..second], &text[second..]] {
                    digester.update(part.as_bytes());
                }
                assert_eq!(digester.finish(), digests(text), "{first} {second}");
            }
        }
    }

    #[test]
    fn a_digest_comes_back_from_its_text() {
        let one = digest("x");
        assert_eq!(one.to_string().as_bytes().as_array().and_then(Digest::parse), Some(one));
        for wrong in [b'g', b'A', b'/', b':', b'`', 0xE9] {
            assert_eq!(Digest::parse(&[wrong; 32]), None, "{wrong}");
        }
    }
}
