//! What another program's configuration says of an account, in this program's words.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::text::{Secret, shown, without_password};

/// A word of another program's configuration, and its counterpart here.
#[derive(Debug)]
pub struct Keyword {
    /// The word, as the other program's manual spells it.
    pub word: &'static str,
    /// The counterpart.
    pub becomes: Becomes,
    /// A value that shows it.
    pub example: &'static str,
}

/// The counterpart of a word.
#[derive(Clone, Copy, Debug)]
pub enum Becomes {
    /// Structure: it begins an account, or says of which kind one is.
    Structure,
    /// A key of the account. A value that has no counterpart becomes a comment.
    Key(&'static str),
    /// The password, which goes into a file of its own.
    Password,
    /// The file in which the other program keeps what it has fetched.
    Memory,
    /// The table of aliases.
    Aliases,
    /// A comment with this reason, unless the value, one of these, says what is so here anyway.
    Comment(&'static str, &'static [&'static str]),
    /// A comment with this reason for a secret, whose value is not shown.
    Hidden(&'static str),
}

/// A word with its value and the line where it stands.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) keyword: &'static Keyword,
    pub(super) value: String,
    pub(super) line: usize,
}

impl Setting {
    /// The word as a comment names it: never with the value of a secret.
    fn shown(&self) -> String {
        let word = self.keyword.word.rsplit('.').next().unwrap_or_default();
        // The URI of a key on a device may hold its PIN (RFC 7512 §2.3).
        let is_hidden = matches!(self.keyword.becomes, Becomes::Password | Becomes::Hidden(_))
            || self.value.contains("pin-value");
        if is_hidden || self.value.is_empty() {
            format!("{word} (line {})", self.line)
        } else {
            format!("{word} {} (line {})", shown(&without_password(&self.value)), self.line)
        }
    }
}

/// Fetching or sending: each of an account's two tables is imported on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Fetch,
    Send,
}

impl Side {
    /// The name of its table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Send => "send",
        }
    }
}

/// A value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
    Number(u64),
    Flag(bool),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The place where another program keeps what it has fetched.
#[derive(Clone, Debug)]
pub(super) enum Memory {
    /// A file, among the lists of other accounts.
    File(PathBuf),
    /// A file of this name, in the first of these directories that has one.
    Named(String, Vec<PathBuf>),
}

/// The definitions of a configuration.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) accounts: Vec<Account>,
    /// The account to send with when nothing else decides.
    pub(super) default: Option<String>,
    /// The files with aliases that it names, and the lines where it does.
    pub(super) alias_files: Vec<(String, usize)>,
    /// Comments on what is no account.
    pub(super) remarks: Vec<String>,
}

/// An account of another program, for one side.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) side: Side,
    /// The program and the file that it comes from.
    pub(super) origin: String,
    pub(super) keys: Vec<(&'static str, Value)>,
    /// Comments: what was not carried over, and why.
    pub(super) notes: Vec<String>,
    /// The reason why it is not carried over at all.
    pub(super) left: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) memory: Option<Memory>,
}

impl Account {
    pub(super) fn new(name: &str, side: Side, origin: &str) -> Self {
        Self {
            name: name.to_owned(),
            side,
            origin: origin.to_owned(),
            keys: Vec::new(),
            notes: Vec::new(),
            left: None,
            password: None,
            memory: None,
        }
    }

    /// Sets a key. A value with a control character would not stand on one line and becomes a comment.
    pub(super) fn key(&mut self, key: &'static str, value: impl Into<Value>) {
        let value = value.into();
        let is_clean = |text: &String| !text.chars().any(char::is_control);
        let is_clean = match &value {
            Value::Text(text) => is_clean(text),
            Value::List(words) => words.iter().all(is_clean),
            Value::Number(_) | Value::Flag(_) => true,
        };
        if is_clean {
            self.keys.retain(|(known, _)| *known != key);
            self.keys.push((key, value));
        } else {
            self.notes.push(format!("{key}: its value holds a control character"));
        }
    }

    /// The text of a key that was set.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.keys.iter().find_map(|(known, value)| match value {
            Value::Text(text) if *known == key => Some(text.as_str()),
            _ => None,
        })
    }

    /// Adds a comment on a setting.
    pub(super) fn note(&mut self, setting: &Setting, reason: &str) {
        self.notes.push(format!("{}: {reason}", setting.shown()));
    }

    /// Adds a comment.
    pub(super) fn remark(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    /// Makes a comment of the whole account, unless it is one already.
    pub(super) fn leave(&mut self, reason: impl Into<String>) {
        self.left.get_or_insert_with(|| reason.into());
    }

    /// Adds the comments on those settings for which the table has nothing else.
    pub(super) fn note_the_rest<'a>(&mut self, settings: impl Iterator<Item = &'a Setting>) {
        for setting in settings {
            match setting.keyword.becomes {
                Becomes::Comment(reason, same) if !same.contains(&setting.value.as_str()) => {
                    self.note(setting, reason);
                }
                Becomes::Hidden(reason) => self.note(setting, reason),
                _ => {}
            }
        }
    }

    /// The password in the clear, for a file of its own.
    pub(super) fn password(&mut self, setting: &Setting) {
        if setting.value.chars().any(char::is_control) {
            self.note(setting, "a password with a control character cannot be said to a server");
        } else {
            self.password = Some(Secret::new(&*setting.value));
        }
    }
}

/// Sets the certificate to show and its key: both of them, or comments on what there is.
pub(super) fn identity(
    account: &mut Account,
    certificate: Option<&Setting>,
    key: Option<&Setting>,
) {
    let (of_certificate, of_key) =
        (certificate.map(|it| path(&it.value)), key.map(|it| path(&it.value)));
    if let (Some(Ok(certificate)), Some(Ok(key))) = (&of_certificate, &of_key) {
        account.key("client-cert", &**certificate);
        account.key("client-key", &**key);
        return;
    }
    for (setting, path) in [(certificate, of_certificate), (key, of_key)] {
        if let (Some(setting), Some(path)) = (setting, path) {
            account.note(
                setting,
                path.err().unwrap_or("a certificate and its key are needed together"),
            );
        }
    }
}

/// Returns whether a host is this machine's loopback address, by name or number.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A path as the configuration has it; or why it is none there.
pub(super) fn path(given: &str) -> Result<String, &'static str> {
    let below_home = |name| {
        let rest: &str = given.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("~{rest}"))
    };
    let text = below_home("$HOME").or_else(|| below_home("${HOME}"));
    let text = text.unwrap_or_else(|| given.to_owned());
    if text.contains('$') {
        Err("no variables are expanded in paths here: write the path out")
    } else if text.starts_with('/') || text == "~" || text.starts_with("~/") {
        Ok(text)
    } else if text.starts_with('~') {
        Err("the home directory of another user is not looked up: write the path out")
    } else {
        Err("it is relative to wherever the other program was started: write the path out")
    }
}
