//! fetchmailrc (fetchmail(1)): server entries with users, in words that may stand on any lines.

mod lexer;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;

use self::lexer::{NOISE, Token, tokens};
pub(super) use self::words::CHOICES;
use self::words::{Choice, Scope, Takes};
use super::account::{Account, Found, Memory, Setting, Side, Value, identity, is_loopback, path};
use super::rc::VERIFIED;
use super::source::Source;
use crate::config::nearest;
use crate::error::Error;
use crate::text::shown;

type Settings = BTreeMap<&'static str, Setting>;

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
    let mut usual = User::default();
    for entry in defaults {
        usual.settings.extend(entry.settings);
        for user in entry.users {
            usual.settings.extend(user.settings);
            usual.remote = user.remote.or(usual.remote);
            usual.local.extend(user.local);
        }
    }
    let origin = format!("fetchmail ({})", source.path.display());
    let mut accounts = Vec::new();
    for entry in servers {
        let nobody = [User::default()];
        let users = if entry.users.is_empty() { &nobody[..] } else { &entry.users };
        for user in users {
            let mut settings = usual.settings.clone();
            settings.extend(entry.settings.clone());
            settings.extend(user.settings.clone());
            let remote = user.remote.clone().or_else(|| usual.remote.clone());
            // Names here take the place of those in the defaults.
            let local = if user.local.is_empty() { &usual.local } else { &user.local }.clone();
            let user = User { remote, local, settings };
            accounts.push(account(source, &entry, &user, &program, &origin)?);
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
    program: &Settings,
    origin: &str,
) -> Result<Account, Error> {
    let settings = &user.settings;
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
            "multidrop: a header does not prove whom a message is for, and a guess loses mail",
        );
    }
    connection(source, settings, &host, &mut account)?;
    if let Some(password) = get("password") {
        account.password(password);
    } else if account.text("user").is_some() {
        account.remark("no password is given: postie asks for it; ~/.netrc is not read");
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
                "sslproto '': nothing is sent in plaintext to another machine: STLS is asked for here",
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
