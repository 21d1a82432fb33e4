//! What a server says: status lines (RFC 1939 §3), response codes (RFC 2449 §8, RFC 3206), and
//! the capability list.

use std::fmt;

use crate::limits;
use crate::sasl::{KeyKind, Mechanism};
use crate::text::shown;
use crate::wire::{Grammar, Malformed};

/// The language of POP3 replies.
#[derive(Debug)]
pub enum Pop3 {}

/// A status line (RFC 1939 §3, RFC 5034 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+OK` and its text.
    Ok(String),
    /// `-ERR` and its text.
    Err(Refusal),
    /// `+ ` and a challenge (RFC 5034 §4).
    Continue(String),
}

impl Reply {
    /// Returns whether it is `+OK`.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok(_))
    }

    /// Splits the reply into the text of `+OK` and the refusal of `-ERR`. A challenge is neither:
    /// where none was asked for it counts as a refusal, and its text is not shown.
    pub fn accepted(self) -> Result<String, Refusal> {
        match self {
            Self::Ok(text) => Ok(text),
            Self::Err(refusal) => Err(refusal),
            Self::Continue(_) => Err(Refusal { code: None, text: "+ (a challenge)".to_owned() }),
        }
    }
}

/// A server's reason for saying no. Made safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The machine-readable part.
    pub code: Option<Code>,
    text: String,
}

impl Refusal {
    /// Words in a refusal without a response code that speak of a lock, of use by others, of too
    /// many connections or sessions, or of later.
    const TEMPORARY: [&'static str; 15] = [
        "lock",
        "locked",
        "locking",
        "busy",
        "in use",
        "too many",
        "later",
        "temporary",
        "temporarily",
        "already logged",
        "session is active",
        "number of sessions",
        "limit reached",
        "limit exceeded",
        "concurrent",
    ];

    /// Returns whether it is about too many connections at once.
    pub fn speaks_of_connections(&self) -> bool {
        self.is_temporary() && self.text.to_lowercase().contains("connections")
    }

    /// Returns whether waiting may help, rather than other credentials or an action by a person.
    pub fn is_temporary(&self) -> bool {
        match self.code {
            Some(Code::InUse | Code::LoginDelay | Code::SysTemp) => true,
            Some(Code::Auth | Code::SysPerm) => false,
            None => {
                let words = self.text.to_lowercase();
                let words =
                    words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
                let words = format!(" {} ", words.collect::<Vec<_>>().join(" "));
                Self::TEMPORARY.iter().any(|some| words.contains(&format!(" {some} ")))
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.text.is_empty() { "-ERR, without a reason" } else { &self.text })
    }
}

/// A response code, as far as it decides what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// `[AUTH]`: the credentials are at fault (RFC 3206 §5).
    Auth,
    /// `[IN-USE]`: another session holds the mailbox (RFC 2449 §8.1.2).
    InUse,
    /// `[LOGIN-DELAY]`: too soon after the last login (RFC 2449 §8.1.1).
    LoginDelay,
    /// `[SYS/PERM]`: permanent until a person acts (RFC 3206 §4).
    SysPerm,
    /// `[SYS/TEMP]`: later (RFC 3206 §4).
    SysTemp,
}

impl Code {
    const NAMES: [(&'static str, Self); 5] = [
        ("AUTH", Self::Auth),
        ("IN-USE", Self::InUse),
        ("LOGIN-DELAY", Self::LoginDelay),
        ("SYS/PERM", Self::SysPerm),
        ("SYS/TEMP", Self::SysTemp),
    ];

    fn parse(text: &str) -> Option<Self> {
        let (name, _) = text.strip_prefix('[')?.split_once(']')?;
        let known = |(known, _): &&(&str, Self)| name.eq_ignore_ascii_case(known);
        Self::NAMES.iter().find(known).map(|&(_, code)| code)
    }
}

impl Grammar for Pop3 {
    type Reply = Reply;

    fn challenge(reply: &Reply) -> Option<&'static str> {
        matches!(reply, Reply::Continue(_)).then_some("+")
    }

    fn parse(input: &[u8]) -> Result<Option<(Reply, usize)>, Malformed> {
        let Some(end) = memchr::memchr(b'\n', input.get(..limits::REPLY_LINE).unwrap_or(input))
        else {
            if input.len() >= limits::REPLY_LINE {
                return Err(Malformed("a line without end".to_owned()));
            }
            return Ok(None);
        };
        let line = input.get(..end).unwrap_or_default();
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        let reply = if let Some(text) = behind(&line, "+OK") {
            Reply::Ok(text.to_owned())
        } else if let Some(text) = behind(&line, "-ERR") {
            let text = text.trim();
            Reply::Err(Refusal { code: Code::parse(text), text: shown(text) })
        } else if let Some(text) =
            line.strip_prefix('+').filter(|text| !text.starts_with(|c: char| !c.is_whitespace()))
        {
            Reply::Continue(text.trim().to_owned())
        } else {
            let found = shown(&line);
            return Err(Malformed(format!("expected `+OK` or `-ERR`, found `{found}`")));
        };
        Ok(Some((reply, end + 1)))
    }
}

/// The text behind a status indicator in any case. RFC 1939 §3 wants a blank between them; servers
/// have been seen to leave it out, so anything but a letter or a digit ends the indicator.
fn behind<'a>(line: &'a str, indicator: &str) -> Option<&'a str> {
    let (status, text) = line.split_at_checked(indicator.len())?;
    let is_longer = text.starts_with(|c: char| c.is_alphanumeric());
    (status.eq_ignore_ascii_case(indicator) && !is_longer)
        .then(|| text.strip_prefix(' ').unwrap_or(text))
}

/// Returns whether a word can be the name of a mechanism (RFC 4422 §3.1), in any case. Names are
/// shown, and kept.
fn is_name(word: &&str) -> bool {
    let is_fit = |octet: u8| octet.is_ascii_alphanumeric() || b"-_".contains(&octet);
    (1..=20).contains(&word.len()) && word.bytes().all(is_fit)
}

/// The capabilities of a server (RFC 2449 §6) that this client uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// PIPELINING: commands may be sent ahead of their replies.
    pub pipelining: bool,
    /// STLS: TLS can be started (RFC 2595).
    pub stls: bool,
    /// UIDL: messages have unique-ids.
    pub uidl: bool,
    /// USER: the commands USER and PASS are available.
    pub user: bool,
    /// The names of the SASL mechanisms.
    pub sasl: Vec<String>,
}

impl Capabilities {
    /// Takes in one line of the list; an unknown capability is no business of ours.
    pub fn add(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_ascii_whitespace();
        match words.next().map(str::to_ascii_uppercase).as_deref() {
            Some("PIPELINING") => self.pipelining = true,
            Some("STLS") => self.stls = true,
            Some("UIDL") => self.uidl = true,
            Some("USER") => self.user = true,
            Some("SASL") => self.sasl = words.filter(is_name).map(str::to_owned).collect(),
            _ => {}
        }
    }

    /// Returns the lines of a capability list with these capabilities.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let flags = [
            (self.pipelining, "PIPELINING"),
            (self.stls, "STLS"),
            (self.uidl, "UIDL"),
            (self.user, "USER"),
        ];
        let flags = flags.into_iter().filter(|(is_set, _)| *is_set);
        let sasl = (!self.sasl.is_empty()).then(|| format!("SASL {}", self.sasl.join(" ")));
        flags.map(|(_, name)| name.to_owned()).chain(sasl)
    }

    /// The names of all mechanisms, USER for POP3's own commands among them. A server need not
    /// announce those, unless it announces SASL and none of its mechanisms takes a password: then
    /// it has no use for one.
    pub fn mechanisms(&self) -> Vec<String> {
        // The last two are not implemented here, but a server that offers them takes passwords.
        const OTHERS: [&str; 2] = ["CRAM-MD5", "DIGEST-MD5"];
        let takes_password = |name: &String| {
            name.parse::<Mechanism>().is_ok_and(|mechanism| mechanism.takes() == KeyKind::Password)
                || OTHERS.iter().any(|other| name.eq_ignore_ascii_case(other))
        };
        let mut mechanisms = self.sasl.clone();
        if self.user || self.sasl.is_empty() || self.sasl.iter().any(takes_password) {
            mechanisms.push(Mechanism::User.name().to_owned());
        }
        mechanisms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(input: &str) -> Result<Option<(Reply, usize)>, Malformed> {
        Pop3::parse(input.as_bytes())
    }

    #[test]
    fn status_lines_are_understood() {
        assert_eq!(parse("+OK\r\n").unwrap(), Some((Reply::Ok(String::new()), 5)));
        assert_eq!(parse("+ok 2 msgs\r\nx").unwrap(), Some((Reply::Ok("2 msgs".into()), 12)));
        assert_eq!(parse("+ \r\n").unwrap(), Some((Reply::Continue(String::new()), 4)));
        assert_eq!(parse("+OK 2 ms").unwrap(), None);
        for wrong in ["+Do you even care?\r\n", "* OK\r\n", "220 x\r\n", "\r\n", "OK\r\n"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn response_codes_are_understood_in_any_case() {
        let code = |line: &str| match parse(line).unwrap() {
            Some((Reply::Err(refusal), _)) => refusal.code,
            other => panic!("{other:?}"),
        };
        assert_eq!(code("-ERR [IN-USE] wait\r\n"), Some(Code::InUse));
        assert_eq!(code("-err [sys/temp] x\r\n"), Some(Code::SysTemp));
        assert_eq!(code("-ERR [LOGIN-DELAY]\r\n"), Some(Code::LoginDelay));
        assert_eq!(code("-ERR [ALIEN] x\r\n"), None);
        assert_eq!(code("-ERR no [AUTH]\r\n"), None);
    }

    #[test]
    fn a_refusal_without_a_code_is_temporary_if_it_speaks_of_others_or_of_later() {
        let is_temporary = |text: &str| match parse(&format!("-ERR {text}\r\n")).unwrap() {
            Some((Reply::Err(refusal), _)) => refusal.is_temporary(),
            other => panic!("{other:?}"),
        };
        for text in [
            "another POP3 session is active",
            "Maximum number of sessions reached",
            "connection limit exceeded",
            "limit reached.",
            "too many concurrent logins",
            "concurrent access denied",
            "maildrop locked",
        ] {
            assert!(is_temporary(text), "{text}");
        }
        for text in ["no such user", "[AUTH] try later", "your session is over", "unlimited"] {
            assert!(!is_temporary(text), "{text}");
        }
    }

    #[test]
    fn no_prefix_and_no_corruption_of_a_reply_panics() {
        let reply = b"-ERR [AUTH] bad \xff\x1b[2J\r\n";
        for cut in 0..reply.len() {
            assert!(Pop3::parse(&reply[..cut]).unwrap().is_none());
            for octet in 0..=255 {
                let mut broken = reply.to_vec();
                broken[cut] = octet;
                drop(Pop3::parse(&broken));
            }
        }
    }

    #[test]
    fn capabilities_are_gathered() {
        let mut offered = Capabilities::default();
        for line in ["TOP", "uidl", "SASL PLAIN LOGIN", "PIPELINING", "STLS", ""] {
            offered.add(line.as_bytes());
        }
        assert!(offered.pipelining && offered.stls && offered.uidl);
        assert_eq!(offered.sasl, ["PLAIN", "LOGIN"]);
    }
}
