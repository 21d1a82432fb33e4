//! fetchmailrc (fetchmail(1)): server entries with users, in words that may stand on any lines.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::account::{
    Account, Becomes, Found, Keyword, Memory, Setting, Side, Value, identity, is_loopback, path,
};
use super::rc::{VERIFIED, word};
use super::source::Source;
use crate::config::nearest;
use crate::error::Error;
use crate::text::shown;

type Settings = BTreeMap<&'static str, Setting>;

/// An option, and how it is written.
#[derive(Debug)]
pub(super) struct Choice {
    /// The option.
    pub(super) keyword: Keyword,
    /// The alternative spellings.
    pub(super) also: &'static [&'static str],
    scope: Scope,
    takes: Takes,
}

#[cfg(test)]
impl Choice {
    /// The part of the configuration that it belongs to.
    pub(super) fn scope(&self) -> impl std::fmt::Debug {
        self.scope
    }
}

/// A part of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// The program: it follows `set`.
    Program,
    Server,
    User,
}

/// The argument of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// No argument; the option may follow `no`.
    Nothing,
    /// A word or number.
    Word,
    /// A word or number, even if it looks like an option.
    AnyWord,
    /// All words before the next option.
    Words,
    /// A number, which may be left out, and a word.
    NumberAndWord,
}

/// A token of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
    /// True if it stood in quotes, so that it is no option.
    is_quoted: bool,
}

/// Words that mean nothing.
const NOISE: [&str; 5] = ["and", "with", "has", "wants", "options"];

/// Divides the text into tokens, as fetchmail does: blanks, commas, colons and semicolons divide, `=`
/// stands for itself, and a comment is from `#` to the end of the line.
fn tokens(source: &Source) -> Result<Vec<Token>, Error> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (source.text(), 1);
    while let Some(c) = rest.chars().next() {
        let divides = |c: char| matches!(c, '=' | ';' | ':' | ',' | ' ' | '\t' | '\r' | '\n');
        let begun = line;
        let length = match c {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '=' => {
                found.push(Token { text: "=".to_owned(), line, is_quoted: false });
                1
            }
            '\\' if rest.get(1..).is_some_and(|rest| rest.starts_with('\n')) => 1,
            '"' | '\'' => {
                let inside = rest.get(1..).unwrap_or_default();
                let Some(end) = inside.find(c) else {
                    return Err(source.wrong(begun, "a quoted text has no end"));
                };
                let text = unescaped(inside.get(..end).unwrap_or_default());
                found.push(Token { text, line, is_quoted: true });
                end + 2
            }
            c if divides(c) => c.len_utf8(),
            _ => {
                let end = rest.find(divides).unwrap_or(rest.len());
                let text = unescaped(rest.get(..end).unwrap_or_default());
                found.push(Token { text, line, is_quoted: false });
                end
            }
        };
        let (passed, ahead) = rest.split_at_checked(length).unwrap_or((rest, ""));
        line += passed.matches('\n').count();
        rest = ahead;
    }
    Ok(found)
}

/// A text with its escapes replaced: `\n`, `\t`, `\b`, `\r`, decimal, octal (`\0..`) and hexadecimal
/// numbers of a character, and a line end that does not count.
fn unescaped(text: &str) -> String {
    let mut found = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        if c != '\\' {
            found.push(c);
            continue;
        }
        let Some(kind) = rest.chars().next() else { break };
        let (radix, skip) = match kind {
            'x' | 'X' => (16, 1),
            '0' => (8, 0),
            '1'..='9' => (10, 0),
            _ => {
                rest = rest.get(kind.len_utf8()..).unwrap_or_default();
                match kind {
                    '\n' => {}
                    'n' => found.push('\n'),
                    't' => found.push('\t'),
                    'b' => found.push('\u{8}'),
                    'r' => found.push('\r'),
                    other => found.push(other),
                }
                continue;
            }
        };
        rest = rest.get(skip..).unwrap_or_default();
        let most = if radix == 16 { 2 } else { 3 };
        let digits = rest.chars().take(most).take_while(|c| c.is_digit(radix)).count();
        let number = rest.get(..digits).unwrap_or_default();
        rest = rest.get(digits..).unwrap_or_default();
        let number = u32::from_str_radix(number, radix).unwrap_or_default();
        found.extend(char::from_u32(number));
    }
    found
}

/// A server entry.
#[derive(Debug, Default)]
struct Entry {
    /// The name after `poll`; none in `defaults`.
    name: Option<String>,
    line: usize,
    is_skipped: bool,
    settings: Settings,
    users: Vec<User>,
}

/// A user of an entry.
#[derive(Debug, Default)]
struct User {
    /// The name to log in with.
    remote: Option<String>,
    /// The local users; more than one is what fetchmail calls multidrop.
    local: Vec<String>,
    settings: Settings,
}

/// Reads a fetchmailrc.
pub(super) fn read(source: &Source) -> Result<Found, Error> {
    let mut parser = Parser { source, tokens: tokens(source)?, at: 0 };
    let (mut program, mut entries) = (Settings::new(), Vec::<Entry>::new());
    while let Some(token) = parser.next() {
        match token.text.as_str() {
            "set" if !token.is_quoted => parser.global(&mut program)?,
            "poll" | "server" | "skip" if !token.is_quoted => {
                let name = parser.word(token.line)?.text;
                let is_skipped = token.text == "skip";
                let entry =
                    Entry { name: Some(name), line: token.line, is_skipped, ..Entry::default() };
                entries.push(parser.entry(entry)?);
            }
            "defaults" if !token.is_quoted => {
                let entry = Entry { line: token.line, ..Entry::default() };
                entries.push(parser.entry(entry)?);
            }
            _ => return Err(parser.unknown(&token)),
        }
    }
    let (defaults, servers): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.name.is_none());
    let mut usual = Settings::new();
    for entry in defaults {
        usual.extend(entry.settings);
        usual.extend(entry.users.into_iter().flat_map(|user| user.settings));
    }
    let origin = format!("fetchmail ({})", source.path.display());
    let mut accounts = Vec::new();
    for entry in servers {
        let nobody = [User::default()];
        let users = if entry.users.is_empty() { &nobody[..] } else { &entry.users };
        for user in users {
            let mut settings = usual.clone();
            settings.extend(entry.settings.clone());
            settings.extend(user.settings.clone());
            accounts.push(account(source, &entry, user, &settings, &program, &origin)?);
        }
    }
    if let Some(first) = accounts.first_mut() {
        first.note_the_rest(program.values());
    }
    Ok(Found { accounts, ..Found::default() })
}

struct Parser<'a> {
    source: &'a Source,
    tokens: Vec<Token>,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned()?;
        self.at += 1;
        Some(token)
    }

    /// The next token if it is this word.
    fn skip(&mut self, word: &str) -> bool {
        let is_it = self.peek().is_some_and(|token| !token.is_quoted && token.text == word);
        self.at += usize::from(is_it);
        is_it
    }

    fn word(&mut self, line: usize) -> Result<Token, Error> {
        self.next()
            .ok_or_else(|| self.source.wrong(line, "a word is missing at the end of the file"))
    }

    fn unknown(&self, token: &Token) -> Error {
        let words: Vec<_> = CHOICES.iter().map(|choice| choice.keyword.word).collect();
        match nearest(&token.text, words.into_iter()) {
            Some(meant) => {
                self.source.wrong(token.line, &format!("unknown word; was `{meant}` meant?"))
            }
            None => self.source.wrong(token.line, "unknown word"),
        }
    }

    /// Reads the words behind `set`.
    fn global(&mut self, program: &mut Settings) -> Result<(), Error> {
        let line = self.tokens.get(self.at.saturating_sub(1)).map_or(1, |token| token.line);
        let is_no = self.skip("no");
        let token = self.word(line)?;
        let found = choice(&token, is_no);
        let is_global = |(choice, _): &(&Choice, bool)| {
            choice.scope == Scope::Program || choice.keyword.word == "properties"
        };
        let (choice, is_no) = found.filter(is_global).ok_or_else(|| self.unknown(&token))?;
        let setting = self.setting(choice, is_no, token.line)?;
        program.insert(setting.keyword.word, setting);
        Ok(())
    }

    /// The options of an entry and its users.
    fn entry(&mut self, mut entry: Entry) -> Result<Entry, Error> {
        while let Some(token) = self.peek().cloned() {
            let starts = ["set", "poll", "server", "skip", "defaults"];
            if !token.is_quoted && starts.contains(&token.text.as_str()) {
                break;
            }
            self.at += 1;
            match token.text.as_str() {
                word if !token.is_quoted && NOISE.contains(&word) => {}
                "user" | "username" if !token.is_quoted => {
                    entry.users.push(User::default());
                    let first = self.word(token.line)?.text;
                    let names = self.names(Some(first));
                    let user = entry.users.last_mut();
                    let is_here = self.skip("here");
                    self.skip("there");
                    // Several names are those of users here; one more word is no option.
                    if !is_here && names.len() > 1 {
                        return Err(self
                            .source
                            .wrong(token.line, "an unknown word follows the user"));
                    }
                    if let Some(user) = user {
                        if is_here {
                            user.local = names;
                        } else {
                            user.remote = names.into_iter().next();
                        }
                    }
                }
                "is" | "to" if !token.is_quoted => {
                    let first = self.word(token.line)?.text;
                    let names = self.names(Some(first));
                    let is_there = self.skip("there");
                    self.skip("here");
                    if entry.users.is_empty() {
                        entry.users.push(User::default());
                    }
                    if let Some(user) = entry.users.last_mut() {
                        if is_there {
                            user.remote = names.into_iter().next();
                        } else {
                            user.local.extend(names);
                        }
                    }
                }
                _ => {
                    let is_no = token.text == "no" && !token.is_quoted;
                    let token = if is_no { self.word(token.line)? } else { token };
                    let Some((choice, is_no)) = choice(&token, is_no) else {
                        return Err(self.unknown(&token));
                    };
                    let setting = self.setting(choice, is_no, token.line)?;
                    match choice.scope {
                        Scope::Program => {
                            return Err(self.source.wrong(token.line, "this option follows `set`"));
                        }
                        Scope::Server if entry.users.is_empty() || entry.name.is_none() => {
                            entry.settings.insert(setting.keyword.word, setting);
                        }
                        Scope::Server => {
                            return Err(self
                                .source
                                .wrong(token.line, "an option of the server behind a user's"));
                        }
                        Scope::User => {
                            if entry.users.is_empty() {
                                entry.users.push(User::default());
                            }
                            if let Some(user) = entry.users.last_mut() {
                                user.settings.insert(setting.keyword.word, setting);
                            }
                        }
                    }
                }
            }
        }
        Ok(entry)
    }

    /// A list of names: the first, which may be any word, and those that follow. What is mapped to
    /// another name is the name behind the `=`.
    fn names(&mut self, first: Option<String>) -> Vec<String> {
        let mut names: Vec<_> = first.into_iter().collect();
        loop {
            if self.skip("=") {
                if let (Some(mapped), Some(last)) = (self.next(), names.last_mut()) {
                    *last = mapped.text;
                }
                // A mapped name is one of several.
                names.push("*".to_owned());
                continue;
            }
            match self.peek() {
                Some(token) if is_plain(token) => names.extend(self.next().map(|token| token.text)),
                _ => return names,
            }
        }
    }

    /// An option with what follows it.
    fn setting(
        &mut self,
        choice: &'static Choice,
        is_no: bool,
        line: usize,
    ) -> Result<Setting, Error> {
        let keyword = &choice.keyword;
        let plain = |value: String| Setting { keyword, value, line };
        if choice.takes != Takes::Nothing && is_no {
            return Ok(plain("no".to_owned()));
        }
        self.skip("=");
        let value = match choice.takes {
            Takes::Nothing => if is_no { "no" } else { "" }.to_owned(),
            Takes::Word | Takes::AnyWord => self.word(line)?.text,
            Takes::NumberAndWord => {
                let first = self.word(line)?;
                let is_number = !first.is_quoted && first.text.parse::<u64>().is_ok();
                if is_number {
                    format!("{} {}", first.text, self.word(line)?.text)
                } else {
                    first.text
                }
            }
            Takes::Words => {
                let mut words = vec![self.word(line)?.text];
                while self.peek().is_some_and(is_plain) {
                    words.extend(self.next().map(|token| token.text));
                }
                words.join(" ")
            }
        };
        Ok(plain(value))
    }
}

/// Returns whether a token is part of a list of names, and not an option.
fn is_plain(token: &Token) -> bool {
    const OTHERS: [&str; 13] = [
        "set", "poll", "server", "skip", "defaults", "user", "username", "is", "to", "here",
        "there", "no", "=",
    ];
    let word = token.text.as_str();
    token.is_quoted
        || !(OTHERS.contains(&word) || NOISE.contains(&word) || choice(token, false).is_some())
}

/// The option that a token names, and whether it is switched off.
fn choice(token: &Token, is_no: bool) -> Option<(&'static Choice, bool)> {
    let named = |word: &str| {
        let is_it = |choice: &&Choice| choice.keyword.word == word || choice.also.contains(&word);
        CHOICES.iter().find(is_it).filter(|_| !token.is_quoted)
    };
    if let Some(choice) = named(&token.text) {
        return Some((choice, is_no));
    }
    // `nokeep` is `no keep`.
    let choice = named(token.text.strip_prefix("no")?)?;
    (choice.takes == Takes::Nothing && !is_no).then_some((choice, true))
}

fn account(
    source: &Source,
    entry: &Entry,
    user: &User,
    settings: &Settings,
    program: &Settings,
    origin: &str,
) -> Result<Account, Error> {
    let poll = entry.name.as_deref().unwrap_or_default();
    let name = match (&user.remote, entry.users.len()) {
        (Some(remote), 2..) => format!("{remote}@{poll}"),
        _ => poll.to_owned(),
    };
    let mut account = Account::new(&name, Side::Fetch, origin);
    let get = |word: &str| settings.get(word);
    let is_set = |word: &str| get(word).map(|setting| setting.value != "no");
    if entry.is_skipped {
        account.leave(format!(
            "skip (line {}): it is asked only by its name, and `postie fetch` without a name asks all",
            entry.line
        ));
    }
    let host = get("via").map_or(poll, |via| &via.value).to_owned();
    account.key("server", &*host);
    protocol(get("protocol"), &mut account);
    match &user.remote {
        Some(remote) => account.key("user", remote.as_str()),
        None => account.leave("it has no `user`"),
    }
    if user.local.len() > 1 || user.local.iter().any(|name| name == "*") {
        account.leave(
            "multidrop: whose a message is cannot be known from its header, and a guess loses mail",
        );
    }
    connection(source, settings, &host, &mut account)?;
    if let Some(password) = get("password") {
        account.password(password);
    } else if account.text("user").is_some() {
        account.remark("no password is here: it is asked for; ~/.netrc is not read");
    }
    delivery(get("mda"), &user.local, &mut account);
    account.key("keep", if is_set("keep") == Some(true) { "forever" } else { "none" });
    if let Some(limit) = get("limit") {
        let octets = source.number(limit, 0..=u64::MAX)?;
        if octets > 0 {
            account.key("max-size", Value::Text(octets.to_string()));
        }
    }
    if let Some(limit) = get("fetchlimit") {
        let messages = source.number(limit, 0..=u64::from(u32::MAX))?;
        if messages > 0 {
            account.key("limit", Value::Number(messages));
        }
    }
    let file = program.get("idfile").map_or("~/.fetchids", |file| file.value.as_str());
    match path(file) {
        Ok(file) => account.memory = Some(Memory::File(PathBuf::from(file))),
        Err(reason) => {
            account.remark(&format!("its memory of what was fetched is not read: {reason}"));
        }
    }
    account.note_the_rest(settings.values());
    Ok(account)
}

fn protocol(setting: Option<&Setting>, account: &mut Account) {
    let Some(setting) = setting else {
        account.remark("fetchmail looks for IMAP, too, as no protocol is named: here it is POP3");
        return;
    };
    match setting.value.to_ascii_lowercase().as_str() {
        "pop3" => {}
        "auto" => account.note(setting, "here it is POP3"),
        "apop" => account.note(
            setting,
            "APOP is not spoken here: its MD5 is broken; the strongest login that the server offers \
             is used",
        ),
        _ => account.leave(format!(
            "protocol {} (line {}): only POP3 is spoken here",
            shown(&setting.value),
            setting.line
        )),
    }
}

/// Port, TLS, trust, login and timeout.
fn connection(
    source: &Source,
    settings: &Settings,
    host: &str,
    account: &mut Account,
) -> Result<(), Error> {
    let get = |word: &str| settings.get(word);
    let is_on = |word: &str| get(word).is_some_and(|setting| setting.value != "no");
    for word in ["service", "port"] {
        let Some(port) = get(word) else { continue };
        match port.value.as_str() {
            "pop3" => account.key("port", Value::Number(110)),
            "pop3s" => account.key("port", Value::Number(995)),
            _ => account.key("port", Value::Number(source.number(port, 1..=65_535)?)),
        }
    }
    let proto = get("sslproto");
    let mode = match proto.map(|proto| proto.value.as_str()) {
        _ if is_on("ssl") => "implicit",
        Some("") if is_loopback(host) => "none",
        Some("") => {
            account.remark(
                "sslproto '': nothing is said in plain text to another machine: STLS is asked for here",
            );
            "starttls"
        }
        _ => "starttls",
    };
    account.key("tls", mode);
    if let Some(proto) = proto {
        let value = proto.value.to_ascii_lowercase();
        if !["", "auto", "tls1.2+", "ssl23"].contains(&value.as_str()) {
            account.note(proto, "TLS 1.3 and 1.2 are spoken, nothing older");
        }
    }
    if mode != "none" {
        if let Some(check) = get("sslcertck").filter(|check| check.value == "no") {
            account.note(check, VERIFIED);
        }
        let named = get("sslcertfile").filter(|file| !file.value.is_empty());
        match named.map(|file| (file, path(&file.value))) {
            Some((_, Ok(path))) => account.key("ca-file", Value::Text(path)),
            Some((file, Err(reason))) => {
                account.note(file, reason);
                account.key("trust", "system");
            }
            None => account.key("trust", "system"),
        }
        if let Some(dir) = get("sslcertpath")
            && dir.value.trim_end_matches('/') != "/etc/ssl/certs"
        {
            account.note(dir, "authorities come from one file: `ca-file`");
        }
        identity(account, get("sslcert"), get("sslkey"));
    }
    if let Some(auth) = get("auth").filter(|auth| !["any", "password"].contains(&&*auth.value)) {
        match auth.value.as_str() {
            "external" => account.key("auth", "external"),
            _ => {
                account.note(auth, "not spoken here: the strongest that the server offers is used");
            }
        }
    }
    if let Some(timeout) = get("timeout") {
        match source.number(timeout, 0..=u64::from(u32::MAX))? {
            0 => account.note(
                timeout,
                "every wait has a bound here, of 60 seconds unless `timeout` is set",
            ),
            seconds => account.key("timeout", Value::Number(seconds)),
        }
    }
    Ok(())
}

fn delivery(mda: Option<&Setting>, local: &[String], account: &mut Account) {
    let is_word = |name: &String| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            && !name.starts_with('-')
    };
    let owner = local.first().filter(|name| local.len() == 1 && is_word(name));
    match (mda, owner) {
        (None, _) => {
            account.remark(
                "fetchmail gives messages to the mail server of this machine; here they go to \
                 ~/Maildir. `maildir` names another, `deliver-command` a program that takes them, \
                 such as [\"/usr/sbin/sendmail\", \"-i\", \"--\", \"NAME\"]",
            );
        }
        (Some(mda), _) if !mda.value.contains('%') => {
            account.key("deliver-command", mda.value.as_str());
        }
        (Some(mda), Some(owner)) if !mda.value.replace("%T", "").contains('%') => {
            account.key("deliver-command", Value::Text(mda.value.replace("%T", owner)));
        }
        (Some(mda), _) => account.note(
            mda,
            "no addresses are put into a command line: `deliver-command` gets the message on its \
             standard input; until it is set, mail goes to ~/Maildir",
        ),
    }
}

const fn choice_of(
    keyword: Keyword,
    also: &'static [&'static str],
    scope: Scope,
    takes: Takes,
) -> Choice {
    Choice { keyword, also, scope, takes }
}

const MULTIDROP: Becomes =
    Becomes::Comment("it is for multidrop, and whose a message is is not guessed here", &[]);
const LISTENER: Becomes =
    Becomes::Comment("messages are delivered to a Maildir or a command, not to a mail server", &[]);
const DAEMON: Becomes =
    Becomes::Comment("there is no daemon: cron or a timer starts each run", &[]);
const AS_IT_IS: Becomes =
    Becomes::Comment("messages are delivered octet for octet, with LF line ends", &["no"]);
const IMAP: Becomes = Becomes::Comment("only POP3 is spoken here", &["no"]);

/// Every option.
pub(super) const CHOICES: &[Choice] = {
    use Scope::{Program, Server, User};
    use Takes::{AnyWord, Nothing, NumberAndWord, Word, Words};
    &[
        choice_of(word("daemon", DAEMON, "300"), &[], Program, Word),
        choice_of(word("postmaster", LISTENER, "root"), &[], Program, Word),
        choice_of(word("bouncemail", LISTENER, ""), &[], Program, Nothing),
        choice_of(word("spambounce", LISTENER, ""), &[], Program, Nothing),
        choice_of(word("softbounce", LISTENER, ""), &[], Program, Nothing),
        choice_of(
            word(
                "logfile",
                Becomes::Comment("errors go to standard error, which cron mails", &[]),
                "~/log",
            ),
            &[],
            Program,
            Word,
        ),
        choice_of(
            word("pidfile", Becomes::Comment("each maildrop has a lock of its own", &[]), "~/pid"),
            &[],
            Program,
            Word,
        ),
        choice_of(word("idfile", Becomes::Memory, "~/.fetchids"), &[], Program, Word),
        choice_of(
            word(
                "syslog",
                Becomes::Comment("errors go to standard error, which cron mails", &["no"]),
                "",
            ),
            &[],
            Program,
            Nothing,
        ),
        choice_of(word("invisible", AS_IT_IS, ""), &[], Program, Nothing),
        choice_of(
            word("showdots", Becomes::Comment("a terminal has a progress bar", &["no"]), ""),
            &[],
            Program,
            Nothing,
        ),
        choice_of(
            word("properties", Becomes::Comment("it means nothing to fetchmail itself", &[]), "x"),
            &[],
            User,
            Word,
        ),
        choice_of(word("via", Becomes::Key("server"), "mail.example.com"), &[], Server, Word),
        choice_of(word("protocol", Becomes::Structure, "pop3"), &["proto"], Server, Word),
        choice_of(word("localdomains", MULTIDROP, "example.com"), &["local"], Server, Words),
        choice_of(word("port", Becomes::Key("port"), "1995"), &[], Server, Word),
        choice_of(word("service", Becomes::Key("port"), "pop3s"), &[], Server, Word),
        choice_of(
            word(
                "auth",
                Becomes::Comment(
                    "not spoken here: the strongest that the server offers is used",
                    &["any", "password", "external", "cram-md5"],
                ),
                "cram-md5",
            ),
            &["authenticate", "preauth", "preauthenticate"],
            Server,
            AnyWord,
        ),
        choice_of(word("timeout", Becomes::Key("timeout"), "30"), &[], Server, Word),
        choice_of(word("envelope", MULTIDROP, "X-Envelope-To"), &[], Server, NumberAndWord),
        choice_of(word("qvirtual", MULTIDROP, "example-"), &[], Server, Word),
        choice_of(word("aka", MULTIDROP, "other.example.com"), &[], Server, Words),
        choice_of(
            word(
                "interface",
                Becomes::Comment("`source-address` is the address to connect from", &[]),
                "eth0/192.0.2.1",
            ),
            &[],
            Server,
            Word,
        ),
        choice_of(word("monitor", DAEMON, "eth0"), &[], Server, Word),
        choice_of(
            word("plugin", Becomes::Comment("servers are reached by TCP alone", &[]), "ssh %h"),
            &[],
            Server,
            Word,
        ),
        choice_of(word("plugout", LISTENER, "ssh %h"), &[], Server, Word),
        choice_of(word("dns", MULTIDROP, ""), &[], Server, Nothing),
        choice_of(word("checkalias", MULTIDROP, ""), &[], Server, Nothing),
        choice_of(
            word(
                "uidl",
                Becomes::Comment("messages are always told apart by their unique-ids", &[""]),
                "no",
            ),
            &[],
            Server,
            Nothing,
        ),
        choice_of(word("interval", DAEMON, "3"), &[], Server, Word),
        choice_of(word("tracepolls", AS_IT_IS, ""), &[], Server, Nothing),
        choice_of(
            word("principal", Becomes::Comment("Kerberos is not spoken here", &[]), "ann"),
            &[],
            Server,
            Word,
        ),
        choice_of(word("esmtpname", LISTENER, "ann"), &[], Server, Word),
        choice_of(
            word(
                "esmtppassword",
                Becomes::Hidden(
                    "messages are delivered to a Maildir or a command, not to a mail server",
                ),
                "not-a-secret",
            ),
            &[],
            Server,
            AnyWord,
        ),
        choice_of(
            word(
                "bad-header",
                Becomes::Comment("every message is fetched, whatever its header", &["accept"]),
                "reject",
            ),
            &[],
            Server,
            Word,
        ),
        choice_of(word("password", Becomes::Password, "not-a-secret"), &["pass"], User, AnyWord),
        choice_of(word("ssl", Becomes::Key("tls"), ""), &[], User, Nothing),
        choice_of(
            word("sslcert", Becomes::Key("client-cert"), "~/certificate.pem"),
            &[],
            User,
            Word,
        ),
        choice_of(word("sslkey", Becomes::Key("client-key"), "~/key.pem"), &[], User, Word),
        choice_of(
            word("sslcertck", Becomes::Comment(VERIFIED, &["", "no"]), "no"),
            &[],
            User,
            Nothing,
        ),
        choice_of(
            word("sslcertfile", Becomes::Key("ca-file"), "/etc/ssl/example.pem"),
            &[],
            User,
            Word,
        ),
        choice_of(word("sslcertpath", Becomes::Key("trust"), "/etc/ssl/certs"), &[], User, Word),
        choice_of(
            word(
                "sslcommonname",
                Becomes::Comment(
                    "a certificate is for the `server` by its name: use the name it is for, or `pin`",
                    &[],
                ),
                "other.example.com",
            ),
            &[],
            User,
            Word,
        ),
        choice_of(
            word(
                "sslfingerprint",
                Becomes::Comment("it is an MD5, which pins nothing: use `pin`", &[]),
                "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
            ),
            &[],
            User,
            AnyWord,
        ),
        choice_of(word("sslproto", Becomes::Key("tls"), "auto"), &[], User, Word),
        choice_of(word("folder", IMAP, "INBOX"), &["folders"], User, Words),
        choice_of(word("smtphost", LISTENER, "localhost"), &["smtp"], User, Words),
        choice_of(word("fetchdomains", IMAP, "example.com"), &[], User, Words),
        choice_of(word("smtpaddress", LISTENER, "example.com"), &[], User, Word),
        choice_of(word("smtpname", LISTENER, "ann@example.com"), &[], User, Word),
        choice_of(word("antispam", LISTENER, "571 550"), &[], User, Words),
        choice_of(word("mda", Becomes::Key("deliver-command"), "procmail -d ann"), &[], User, Word),
        choice_of(word("bsmtp", LISTENER, "~/batch"), &[], User, Word),
        choice_of(word("lmtp", LISTENER, ""), &[], User, Nothing),
        choice_of(
            word(
                "preconnect",
                Becomes::Comment("nothing is run before a connection: let cron's line do it", &[]),
                "true",
            ),
            &["pre"],
            User,
            Word,
        ),
        choice_of(
            word(
                "postconnect",
                Becomes::Comment("`after-fetch` runs when something new has come", &[]),
                "true",
            ),
            &["post"],
            User,
            Word,
        ),
        choice_of(word("keep", Becomes::Key("keep"), ""), &[], User, Nothing),
        choice_of(
            word(
                "flush",
                Becomes::Comment("nothing is deleted that was not fetched here", &["no"]),
                "",
            ),
            &[],
            User,
            Nothing,
        ),
        choice_of(
            word(
                "limitflush",
                Becomes::Comment("nothing is deleted that was not fetched here", &["no"]),
                "",
            ),
            &[],
            User,
            Nothing,
        ),
        choice_of(
            word(
                "fetchall",
                Becomes::Comment(
                    "what was fetched before is not fetched again; `postie fetch --all` does it once",
                    &["no"],
                ),
                "",
            ),
            &[],
            User,
            Nothing,
        ),
        choice_of(word("rewrite", AS_IT_IS, ""), &[], User, Nothing),
        choice_of(word("stripcr", AS_IT_IS, ""), &[], User, Nothing),
        choice_of(word("forcecr", AS_IT_IS, ""), &[], User, Nothing),
        choice_of(word("pass8bits", AS_IT_IS, ""), &["pass8"], User, Nothing),
        choice_of(word("dropstatus", AS_IT_IS, ""), &[], User, Nothing),
        choice_of(word("dropdelivered", AS_IT_IS, ""), &[], User, Nothing),
        choice_of(word("mimedecode", AS_IT_IS, ""), &["mimedec"], User, Nothing),
        choice_of(word("idle", IMAP, ""), &[], User, Nothing),
        choice_of(word("limit", Becomes::Key("max-size"), "500000"), &[], User, Word),
        choice_of(
            word(
                "warnings",
                Becomes::Comment("each run says which messages were too large", &[]),
                "3600",
            ),
            &[],
            User,
            Word,
        ),
        choice_of(word("batchlimit", LISTENER, "100"), &[], User, Word),
        choice_of(word("fetchlimit", Becomes::Key("limit"), "100"), &[], User, Word),
        choice_of(
            word("fetchsizelimit", Becomes::Comment("sizes are asked for all at once", &[]), "100"),
            &[],
            User,
            Word,
        ),
        choice_of(
            word(
                "fastuidl",
                Becomes::Comment("the whole listing is asked for, which takes one round trip", &[]),
                "10",
            ),
            &[],
            User,
            Word,
        ),
        choice_of(
            word(
                "expunge",
                Becomes::Comment("all deletions are asked for at the end, in one flight", &[]),
                "10",
            ),
            &[],
            User,
            Word,
        ),
        choice_of(word("moveto", IMAP, "Old"), &[], User, Word),
    ]
};
