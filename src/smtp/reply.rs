//! What a server says: three digits and text, in one line or several (RFC 5321 §4.2).

use std::fmt;

use crate::limits;
use crate::text::{RecipientStatus, shown};
use crate::wire::{Grammar, Malformed, Phase};

/// The language of SMTP replies.
#[derive(Debug)]
pub enum Smtp {}

/// A reply with all of its lines (RFC 5321 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The code, from 200 to 599; the first digit decides (RFC 5321 §4.2.1).
    pub code: u16,
    /// The text of each line, as it came.
    pub lines: Vec<String>,
}

impl Reply {
    /// Returns the text of a reply whose code begins with `class`, 2 or 3, or the refusal in one that
    /// begins with 4 or 5 (RFC 5321 §4.2.1).
    ///
    /// # Errors
    ///
    /// Any other code breaks the protocol. `verb` is the command that was answered.
    pub fn accepted(
        self,
        class: u16,
        verb: &'static str,
    ) -> Result<Result<String, Refusal>, crate::wire::Error> {
        match self.code / 100 {
            found if found == class => Ok(Ok(self.to_string())),
            4 | 5 => Ok(Err(self.into())),
            _ => Err(self.nonsense(class, verb)),
        }
    }

    /// Returns the error for a reply whose code is neither of `class` nor a refusal.
    pub fn nonsense(&self, class: u16, verb: &'static str) -> crate::wire::Error {
        let what = Malformed(format!("expected {class}xx or a refusal, found `{self}`"));
        crate::wire::Error::Malformed { phase: Phase::Answer(verb), what }
    }
}

/// Shows the reply on one line, made safe to show.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        f.write_str(&shown(format!("{} {text}", self.code).trim_end()))
    }
}

/// A server's reason for saying no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code, from 400 to 599.
    pub code: u16,
    text: String,
}

impl Refusal {
    /// A refusal with this code, for tests.
    #[cfg(test)]
    pub(crate) fn new(code: u16) -> Self {
        Self { code, text: "no".to_owned() }
    }

    /// Returns whether the same command may succeed later (4xx, RFC 5321 §4.2.1).
    pub fn is_temporary(&self) -> bool {
        self.code < 500
    }

    /// Returns the status of a recipient that was refused so.
    pub fn status(&self) -> RecipientStatus {
        if self.is_temporary() { RecipientStatus::Deferred } else { RecipientStatus::Refused }
    }

    /// Returns whether the server closes the connection with it (421, RFC 5321 §3.8).
    pub fn is_farewell(&self) -> bool {
        self.code == 421
    }

    /// Returns whether it is about the command itself, which the server does not know or does not
    /// implement (RFC 5321 §4.2.2).
    pub fn is_unknown_command(&self) -> bool {
        matches!(self.code, 500 | 502 | 504)
    }

    /// Returns whether it may be about the number of recipients so far: 452, or 552 as before RFC
    /// 2821 (RFC 5321 §4.5.3.1.10).
    pub fn is_too_many(&self) -> bool {
        matches!(self.code, 452 | 552)
    }
}

impl From<Reply> for Refusal {
    fn from(reply: Reply) -> Self {
        Self { code: reply.code, text: reply.to_string() }
    }
}

/// Code and text, on one line, and safe to show.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Grammar for Smtp {
    type Reply = Reply;

    fn challenge(reply: &Reply) -> Option<&'static str> {
        (reply.code == 334).then_some("334")
    }

    fn parse(input: &[u8]) -> Result<Option<(Reply, usize)>, Malformed> {
        let mut lines = Vec::new();
        let mut first = None;
        let mut rest = input;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, tail) = rest.split_at(end + 1);
            rest = tail;
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let (code, last, text) = split(text.strip_suffix(b"\r").unwrap_or(text))?;
            if *first.get_or_insert(code) != code {
                return Err(Malformed(format!("one reply with two codes, {first:?} and {code}")));
            }
            lines.push(text);
            if lines.len() > limits::REPLY_LINES {
                return Err(Malformed(format!("more than {} lines", limits::REPLY_LINES)));
            }
            if last {
                let lines = lines.iter().map(|text| String::from_utf8_lossy(text).into_owned());
                let reply = Reply { code, lines: lines.collect() };
                return Ok(Some((reply, input.len() - rest.len())));
            }
        }
        if rest.len() > limits::REPLY_LINE || input.len() > limits::REPLY {
            return Err(Malformed("a reply without end".to_owned()));
        }
        Ok(None)
    }
}

/// Code, whether this is the last line, and text. RFC 5321 §4.2 lets a client accept a code that
/// stands alone.
fn split(line: &[u8]) -> Result<(u16, bool, &[u8]), Malformed> {
    let wrong = || {
        let found = shown(&String::from_utf8_lossy(line));
        Malformed(format!("expected a three-digit code, found `{found}`"))
    };
    let (digits, rest) = line.split_at_checked(3).ok_or_else(wrong)?;
    let code = digits.iter().try_fold(0, |code, &digit| {
        digit.is_ascii_digit().then(|| code * 10 + u16::from(digit - b'0'))
    });
    let code = code.filter(|code| (200..600).contains(code)).ok_or_else(wrong)?;
    match rest.split_first() {
        None => Ok((code, true, rest)),
        Some((b' ', text)) => Ok((code, true, text)),
        Some((b'-', text)) => Ok((code, false, text)),
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(input: &str) -> Result<Option<(Reply, usize)>, Malformed> {
        Smtp::parse(input.as_bytes())
    }

    #[test]
    fn replies_of_one_and_of_several_lines_are_understood() {
        let (reply, length) = parse("250 ok\r\n354").unwrap().unwrap();
        assert_eq!((reply.to_string().as_str(), length), ("250 ok", 8));
        let (reply, length) =
            parse("550-5.1.1 no\r\n550-5.1.1 such\r\n550 user\r\n").unwrap().unwrap();
        assert_eq!((reply.code, reply.lines.len(), length), (550, 3, 40));
        assert_eq!(Refusal::from(reply).to_string(), "550 5.1.1 no 5.1.1 such user");
        assert_eq!(parse("250\r\n").unwrap().unwrap().0.to_string(), "250");
        assert_eq!(parse("250-a\r\n250").unwrap(), None);
        assert_eq!(parse("").unwrap(), None);
    }

    #[test]
    fn what_is_not_a_reply_is_refused() {
        for wrong in ["25 x\r\n", "250_ok\r\n", "+OK\r\n", "150 x\r\n", "600 x\r\n", "\r\n"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("250-a\r\n251 b\r\n").is_err());
        assert!(parse(&"250-a\r\n".repeat(limits::REPLY_LINES + 1)).is_err());
        assert!(parse(&"2".repeat(limits::REPLY_LINE + 1)).is_err());
    }

    #[test]
    fn the_first_digit_decides() {
        let accepted = |line: &str, class| parse(line).unwrap().unwrap().0.accepted(class, "DATA");
        assert!(accepted("250 ok\r\n", 2).unwrap().is_ok());
        assert!(accepted("299 ok\r\n", 2).unwrap().is_ok());
        assert!(accepted("450 later\r\n", 2).unwrap().unwrap_err().is_temporary());
        assert!(!accepted("550 no\r\n", 3).unwrap().unwrap_err().is_temporary());
        assert!(accepted("250 ok\r\n", 3).is_err());
        assert!(accepted("354 go\r\n", 2).is_err());
    }

    #[test]
    fn no_prefix_and_no_corruption_of_a_reply_panics() {
        let reply = b"250-x \xff\r\n250 y\r\n";
        for cut in 0..reply.len() {
            assert!(Smtp::parse(&reply[..cut]).unwrap().is_none());
            for octet in 0..=255 {
                let mut broken = reply.to_vec();
                broken[cut] = octet;
                drop(Smtp::parse(&broken));
            }
        }
    }
}
