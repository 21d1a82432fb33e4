//! getmailrc (getmail6's documentation): one account in each file, as sections of parameters.

use std::path::Path;

use super::account::{
    Account, Becomes, Found, Keyword, Memory, Setting, Side, Value, identity, is_loopback, path,
};
use super::rc::{VERIFIED, word};
use super::source::Source;
use crate::error::Error;

/// A section of the file.
#[derive(Debug)]
struct Section {
    name: String,
    settings: Vec<Setting>,
}

/// Reads a getmailrc, which defines one account.
pub(super) fn read(source: &Source) -> Result<Found, Error> {
    let sections = sections(source)?;
    let get = |section: &str, word: &str| {
        let section = sections.iter().find(|found| found.name == section)?;
        let is_it = |setting: &&Setting| {
            setting.keyword.word.split_once('.').is_some_and(|(_, it)| it == word)
        };
        section.settings.iter().rev().find(is_it).filter(|setting| !setting.value.is_empty())
    };
    let retriever = |word: &str| get("retriever", word);
    let kind = retriever("type").ok_or_else(|| source.wrong(1, "[retriever] has no `type`"))?;
    let server = retriever("server").map_or("", |server| server.value.as_str());
    let origin = format!("getmail ({})", source.path.display());
    let mut account = Account::new(&name(&source.path, server), Side::Fetch, &origin);
    let has_tls = match kind.value.as_str() {
        "SimplePOP3SSLRetriever" => true,
        "SimplePOP3Retriever" => false,
        "BrokenUIDLPOP3Retriever" | "BrokenUIDLPOP3SSLRetriever" => {
            account.note(kind, "a server must give its messages unique-ids (UIDL)");
            kind.value.contains("SSL")
        }
        known if KINDS.contains(&known) => {
            account.note(kind, "only POP3 is spoken here, and each message has one destination");
            account.leave(format!("its retriever is a {known}"));
            kind.value.contains("SSL")
        }
        _ => return Err(source.wrong(kind.line, "unknown type of retriever")),
    };
    match server {
        "" => account.leave("it has no `server`"),
        server => account.key("server", server),
    }
    let port = retriever("port").map(|port| source.number(port, 1..=65_535)).transpose()?;
    if let Some(port) = port {
        account.key("port", Value::Number(port));
    }
    tls(source, has_tls, is_loopback(server), &retriever, &mut account)?;
    let user = retriever("username").map_or("", |user| user.value.as_str());
    match user {
        "" => account.leave("it has no `username`"),
        user => account.key("user", user),
    }
    match (retriever("password"), retriever("password_command")) {
        (Some(password), _) => account.password(password),
        (None, Some(command)) => {
            account.key("password-command", Value::List(tuple(source, command)?));
        }
        (None, None) => account.remark(
            "no password is given: postie asks for it. If it is in the desktop's keyring, \
             `keyring get SERVER USERNAME` prints it, as a `password-command`; ~/.netrc is not read",
        ),
    }
    if let Some(timeout) = retriever("timeout") {
        let seconds = source.number(timeout, 1..=u64::from(u32::MAX))?;
        account.key("timeout", Value::Number(seconds));
    }
    destination(source, &|word| get("destination", word), &mut account)?;
    options(source, &|word| get("options", word), &mut account)?;
    // Two names of one port are two files.
    let number = port.unwrap_or(if has_tls { 995 } else { 110 });
    let file = oldmail(server, number, user);
    let beside = source.path.parent().map(Path::to_owned).unwrap_or_default();
    let usual = ["~/.config/getmail", "~/.getmail"].map(Into::into);
    let places = std::iter::once(beside).chain(usual).collect();
    account.memory = Some(Memory::Named(file, places));
    for section in &sections {
        account.note_the_rest(section.settings.iter());
    }
    Ok(Found { accounts: vec![account], ..Found::default() })
}

/// The name of the file where getmail remembers what it has fetched.
pub(super) fn oldmail(server: &str, port: u64, user: &str) -> String {
    stripped(&format!("oldmail-{server}-{port}-{user}"))
}

/// A name as getmail gives it to a file: each run of characters that some system does not allow in
/// names is a hyphen.
fn stripped(name: &str) -> String {
    let mut found = String::new();
    let mut is_in_run = false;
    for c in name.chars() {
        let is_stripped = r"/\:;<>|".contains(c);
        match (is_stripped, is_in_run) {
            (true, true) => {}
            (true, false) => found.push('-'),
            (false, _) => found.push(c),
        }
        is_in_run = is_stripped;
    }
    found
}

/// The name of the account: that of the file, unless it is the usual one.
fn name(path: &Path, server: &str) -> String {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let bare = file.trim_start_matches('.');
    let bare = bare.strip_prefix("getmailrc").unwrap_or(bare);
    match bare.trim_start_matches(['-', '.', '_']) {
        "" if server.is_empty() => "getmail".to_owned(),
        "" => server.to_owned(),
        bare => bare.to_owned(),
    }
}

/// Reads the sections as Python's configparser does: `name = value` or `name: value`, goes on in lines
/// that begin with a blank, comments from `#` or `;` at the start of a line.
fn sections(source: &Source) -> Result<Vec<Section>, Error> {
    let mut sections: Vec<Section> = Vec::new();
    let mut can_continue = false;
    for (number, line) in source.lines() {
        let text = line.trim();
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        let Some(section) = sections.last_mut().filter(|_| !line.starts_with('[')) else {
            let name = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            let Some((name, _)) = name.filter(|(name, _)| !name.is_empty() && *name != "DEFAULT")
            else {
                return Err(source.wrong(number, "expected a section such as [retriever]"));
            };
            if sections.iter().any(|section| section.name == name) {
                return Err(
                    source.wrong(number, "this section is there twice: one account in each file")
                );
            }
            sections.push(Section { name: name.to_owned(), settings: Vec::new() });
            can_continue = false;
            continue;
        };
        if line.starts_with([' ', '\t']) && can_continue {
            if let Some(setting) = section.settings.last_mut() {
                setting.value = format!("{} {text}", setting.value);
            }
            continue;
        }
        let Some(at) = text.find(['=', ':']) else {
            return Err(source.wrong(number, "expected NAME = VALUE"));
        };
        let (word, value) = text.split_at_checked(at).unwrap_or((text, ""));
        let word = word.trim().to_ascii_lowercase();
        let value = value.get(1..).unwrap_or_default().trim().to_owned();
        let kind = kind(&section.name);
        let is_it = |keyword: &&Keyword| keyword.word.split_once('.') == Some((kind, &*word));
        let Some(keyword) = WORDS.iter().find(is_it) else {
            return Err(source.unknown(number, &format!("{kind}.{word}"), &[WORDS]));
        };
        if section.settings.iter().any(|setting| setting.keyword.word == keyword.word) {
            return Err(source.wrong(number, "this parameter is there twice in its section"));
        }
        section.settings.push(Setting { keyword, value, line: number });
        can_continue = true;
    }
    Ok(sections)
}

/// Returns the part of the table for a section's parameters. Sections with names of their own are
/// further destinations.
fn kind(section: &str) -> &str {
    match section {
        "retriever" | "options" => section,
        _ if section.to_ascii_lowercase().starts_with("filter") => "filter",
        _ => "destination",
    }
}

fn tls<'a>(
    source: &Source,
    has_tls: bool,
    is_loopback: bool,
    get: &impl Fn(&str) -> Option<&'a Setting>,
    account: &mut Account,
) -> Result<(), Error> {
    let mode = match (has_tls, is_loopback) {
        (true, _) => "implicit",
        (false, true) => "none",
        (false, false) => {
            account.remark(
                "getmail uses plain text here, which is for a loopback address only: STLS is asked \
                 for; try also `tls = \"implicit\"`",
            );
            "starttls"
        }
    };
    account.key("tls", mode);
    if mode == "none" {
        return Ok(());
    }
    if let Some(prints) = get("ssl_fingerprints") {
        let list = tuple(source, prints)?;
        let digits: Vec<_> = list.iter().map(|print| print.replace([':', ' '], "")).collect();
        match digits.as_slice() {
            [only] if only.len() == 64 && only.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
                account.key("pin", Value::Text(only.to_ascii_lowercase()));
            }
            _ => account.note(prints, "one SHA-256 fingerprint pins a certificate, not several"),
        }
    }
    if account.text("pin").is_none() {
        match get("ca_certs").map(|file| (file, path(&file.value))) {
            Some((_, Ok(file))) if !file.ends_with('/') => {
                account.key("ca-file", Value::Text(file));
            }
            Some((file, reason)) => {
                account.note(
                    file,
                    reason.err().unwrap_or("authorities come from one file: `ca-file`"),
                );
                account.key("trust", "system");
            }
            None => {
                account.remark(&format!(
                    "getmail verifies no certificate without ca_certs: {VERIFIED}"
                ));
                account.key("trust", "system");
            }
        }
    }
    identity(account, get("certfile"), get("keyfile"));
    Ok(())
}

fn destination<'a>(
    source: &Source,
    get: &impl Fn(&str) -> Option<&'a Setting>,
    account: &mut Account,
) -> Result<(), Error> {
    let Some(kind) = get("type") else {
        return Err(source.wrong(1, "[destination] has no `type`"));
    };
    let place = get("path");
    match (kind.value.as_str(), place) {
        ("Maildir", Some(place)) => match path(&place.value) {
            Ok(path) => account.key("maildir", Value::Text(path)),
            Err(reason) => account.note(place, reason),
        },
        ("MDA_external", Some(place)) => {
            let arguments = get("arguments").map(|list| tuple(source, list)).transpose()?;
            let arguments = arguments.unwrap_or_default();
            if !place.value.starts_with('/') {
                account.note(place, "no variables and home directories are looked up in commands: \
                                     set `deliver-command`; until then, mail goes to ~/Maildir");
            } else if arguments.iter().any(|argument| argument.contains("%(")) {
                account.note(place, "no addresses are put into a command line: set `deliver-command` \
                                     without them; until then, mail goes to ~/Maildir");
            } else {
                let words = std::iter::once(place.value.clone()).chain(arguments).collect();
                account.key("deliver-command", Value::List(words));
            }
        }
        (known, _) if DESTINATIONS.contains(&known) => account.note(
            kind,
            "messages go to a Maildir or a command: until `maildir` or `deliver-command` is set, to \
             ~/Maildir",
        ),
        _ => return Err(source.wrong(kind.line, "unknown type of destination")),
    }
    Ok(())
}

fn options<'a>(
    source: &Source,
    get: &impl Fn(&str) -> Option<&'a Setting>,
    account: &mut Account,
) -> Result<(), Error> {
    let is_true = |word: &str| -> Result<bool, Error> {
        let Some(setting) = get(word) else { return Ok(false) };
        match setting.value.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            _ => Err(source.wrong(setting.line, "expected true or false")),
        }
    };
    let number = |word: &str, most: u64| match get(word) {
        Some(setting) => source.number(setting, 0..=most),
        None => Ok(0),
    };
    let days = number("delete_after", u64::from(u32::MAX))?;
    let keep = match (is_true("delete")?, days) {
        (true, _) => "none".to_owned(),
        (false, 0) => "forever".to_owned(),
        (false, days) => format!("{days}d"),
    };
    account.key("keep", Value::Text(keep));
    match number("max_message_size", u64::MAX)? {
        0 => {}
        octets => account.key("max-size", Value::Text(octets.to_string())),
    }
    match number("max_messages_per_session", u64::from(u32::MAX))? {
        0 => {}
        messages => account.key("limit", Value::Number(messages)),
    }
    Ok(())
}

/// A tuple of quoted strings as Python writes it.
fn tuple(source: &Source, setting: &Setting) -> Result<Vec<String>, Error> {
    let read = || {
        let inside = setting.value.trim().strip_prefix('(')?.strip_suffix(')')?;
        let (mut rest, mut strings) = (inside.trim(), Vec::new());
        while !rest.is_empty() {
            let (text, behind) = string(rest)?;
            strings.push(text);
            rest = behind.trim_start();
            match rest.strip_prefix(',') {
                Some(behind) => rest = behind.trim_start(),
                None if rest.is_empty() => {}
                None => return None,
            }
        }
        Some(strings)
    };
    read().ok_or_else(|| source.wrong(setting.line, "expected a tuple such as (\"one\", \"two\")"))
}

/// The string that a text begins with, and what is behind it (Python's "String and Bytes literals").
fn string(text: &str) -> Option<(String, &str)> {
    let raw = text.strip_prefix(['r', 'R']);
    let text = raw.unwrap_or(text);
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let mut rest = text.get(1..)?;
    let mut found = String::new();
    loop {
        let c = rest.chars().next()?;
        rest = rest.get(c.len_utf8()..)?;
        match c {
            c if c == quote => return Some((found, rest)),
            '\\' if raw.is_none() && escaped(rest).is_some() => {
                let (c, length) = escaped(rest)?;
                found.push(c);
                rest = rest.get(length..)?;
            }
            '\\' => {
                let c = rest.chars().next()?;
                found.extend(['\\', c]);
                rest = rest.get(c.len_utf8()..)?;
            }
            c => found.push(c),
        }
    }
}

/// The character that the escape sequence after a backslash stands for, and the length of that in
/// octets; `None` if it stands for itself.
fn escaped(text: &str) -> Option<(char, usize)> {
    let digits = |begin: usize, length: usize, radix| {
        let digits = text.get(begin..begin + length)?;
        let c = char::from_u32(u32::from_str_radix(digits, radix).ok()?)?;
        Some((c, begin + length))
    };
    let plain = |c| Some((c, 1));
    match text.chars().next()? {
        c @ ('\\' | '"' | '\'') => plain(c),
        'a' => plain('\u{7}'),
        'b' => plain('\u{8}'),
        'f' => plain('\u{c}'),
        'n' => plain('\n'),
        'r' => plain('\r'),
        't' => plain('\t'),
        'v' => plain('\u{b}'),
        'x' => digits(1, 2, 16),
        'u' => digits(1, 4, 16),
        'U' => digits(1, 8, 16),
        '0'..='7' => {
            let octal = text.bytes().take(3).take_while(|digit| matches!(digit, b'0'..=b'7'));
            digits(0, octal.count(), 8)
        }
        _ => None,
    }
}

/// Retrievers that have no counterpart.
const KINDS: [&str; 8] = [
    "SimpleIMAPRetriever",
    "SimpleIMAPSSLRetriever",
    "MultidropPOP3Retriever",
    "MultidropPOP3SSLRetriever",
    "MultidropSDPSRetriever",
    "MultidropIMAPRetriever",
    "MultidropIMAPSSLRetriever",
    "SimpleIMAPAuthXOAUTH2Retriever",
];

/// Destinations that have none.
const DESTINATIONS: [&str; 8] = [
    "Maildir",
    "Mboxrd",
    "MDA_external",
    "MDA_lmtp",
    "MultiDestination",
    "MultiSorter",
    "MultiGuesser",
    "MDA_qmaillocal",
];

const IMAP: Becomes = Becomes::Comment("only POP3 is spoken here", &[]);
const ONE: Becomes =
    Becomes::Comment("each account has one destination: `maildir` or `deliver-command`", &[]);
const PERSON: Becomes =
    Becomes::Comment("it runs as the user who starts it, and its files are that user's", &["0600"]);
const COMMAND: Becomes = Becomes::Comment(
    "a command has taken a message when it ends with status 0, whatever it prints",
    &[],
);
const FILTER: Becomes = Becomes::Comment(
    "every message is fetched and stays as it is; `deliver-command` can change and sort them",
    &[],
);
const AS_IT_IS: Becomes = Becomes::Comment(
    "messages are delivered as they are, and nothing is added",
    &["false", "False", "no", "off", "0"],
);
const NETRC: Becomes = Becomes::Comment(
    "~/.netrc is not read: `password-command` can print what stands there",
    &["false", "False", "no", "off", "0"],
);
const LOG: Becomes = Becomes::Comment(
    "errors go to standard error, which cron mails",
    &["false", "False", "no", "off", "0"],
);
const CIPHERS: Becomes =
    Becomes::Comment("TLS 1.3 and 1.2 are spoken, with the ciphers of rustls", &[]);

/// Every parameter, behind the kind of its section.
pub(super) const WORDS: &[Keyword] = &[
    word("retriever.type", Becomes::Structure, "SimplePOP3SSLRetriever"),
    word("retriever.server", Becomes::Key("server"), "pop.example.com"),
    word("retriever.username", Becomes::Key("user"), "ann@example.com"),
    word("retriever.port", Becomes::Key("port"), "1995"),
    word("retriever.password", Becomes::Password, "not-a-secret"),
    word(
        "retriever.password_command",
        Becomes::Key("password-command"),
        "(\"/usr/bin/pass\", \"show\", \"mail\")",
    ),
    word("retriever.timeout", Becomes::Key("timeout"), "30"),
    word(
        "retriever.use_apop",
        Becomes::Comment(
            "APOP is not spoken here: its MD5 is broken",
            &["false", "False", "no", "off", "0"],
        ),
        "true",
    ),
    word(
        "retriever.delete_dup_msgids",
        Becomes::Comment(
            "nothing is deleted that was not fetched",
            &["false", "False", "no", "off", "0"],
        ),
        "true",
    ),
    word("retriever.keyfile", Becomes::Key("client-key"), "~/key.pem"),
    word("retriever.certfile", Becomes::Key("client-cert"), "~/certificate.pem"),
    word("retriever.ca_certs", Becomes::Key("ca-file"), "/etc/ssl/example.pem"),
    word("retriever.ssl_ciphers", CIPHERS, "DEFAULT"),
    word("retriever.ssl_version", CIPHERS, "sslv23"),
    word(
        "retriever.ssl_fingerprints",
        Becomes::Key("pin"),
        "(\"00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF\", )",
    ),
    word(
        "retriever.ssl_cert_hostname",
        Becomes::Comment(
            "a certificate is for the `server` by its name: use the name it is for, or `pin`",
            &[],
        ),
        "other.example.com",
    ),
    word("retriever.mailboxes", IMAP, "(\"INBOX\", )"),
    word("retriever.use_peek", IMAP, "true"),
    word("retriever.move_on_delete", IMAP, "Old"),
    word("retriever.record_mailbox", IMAP, "true"),
    word("retriever.use_kerberos", IMAP, "true"),
    word("retriever.use_cram_md5", IMAP, "true"),
    word("retriever.use_xoauth2", IMAP, "true"),
    word("retriever.imap_search", IMAP, "UNSEEN"),
    word("retriever.imap_on_delete", IMAP, "\\Seen"),
    word(
        "retriever.envelope_recipient",
        Becomes::Comment("it is for multidrop: a header does not prove whom a message is for", &[]),
        "delivered-to:1",
    ),
    word("destination.type", Becomes::Structure, "Maildir"),
    word("destination.path", Becomes::Key("maildir"), "~/Mail/"),
    word("destination.user", PERSON, "ann"),
    word("destination.group", PERSON, "mail"),
    word("destination.filemode", PERSON, "0640"),
    word("destination.locktype", ONE, "lockf"),
    word("destination.arguments", Becomes::Key("deliver-command"), "(\"-d\", \"ann\")"),
    word("destination.unixfrom", COMMAND, "true"),
    word("destination.allow_root_commands", COMMAND, "true"),
    word("destination.ignore_stderr", COMMAND, "true"),
    word("destination.pipe_stdout", COMMAND, "true"),
    word("destination.host", ONE, "localhost"),
    word("destination.port", ONE, "24"),
    word("destination.fallback", ONE, "ann@example.com"),
    word("destination.override", ONE, "ann@example.com"),
    word("destination.destinations", ONE, "(\"[one]\", )"),
    word("destination.default", ONE, "[one]"),
    word("destination.locals", ONE, "((\"ann@\", \"[one]\"), )"),
    word("destination.qmaillocal", ONE, "/var/qmail/bin/qmail-local"),
    word("destination.homedir", ONE, "/home/ann"),
    word("destination.localdomain", ONE, "example.com"),
    word("destination.defaultdelivery", ONE, "./Maildir/"),
    word("destination.conf-break", ONE, "-"),
    word("destination.localpart_translate", ONE, "(\"a\", \"b\")"),
    word("destination.strip_delivered_to", ONE, "true"),
    word(
        "options.verbose",
        Becomes::Comment("a run is silent unless something goes wrong; -v shows more", &["0"]),
        "1",
    ),
    word(
        "options.read_all",
        Becomes::Comment(
            "what was fetched before is not fetched again; `postie fetch --all` does it once",
            &["false", "False", "no", "off", "0"],
        ),
        "true",
    ),
    word("options.use_netrc", NETRC, "true"),
    word("options.netrc_file", NETRC, "~/.netrc"),
    word("options.delete", Becomes::Key("keep"), "true"),
    word("options.delete_after", Becomes::Key("keep"), "7"),
    word(
        "options.to_oldmail_on_each_mail",
        Becomes::Comment(
            "what was fetched is noted with each message, always",
            &["true", "True", "yes", "on", "1"],
        ),
        "false",
    ),
    word("options.skip_imap_fetch_size", IMAP, "true"),
    word(
        "options.fingerprint",
        Becomes::Comment("`postie check` shows the certificate", &[]),
        "true",
    ),
    word(
        "options.delete_bigger_than",
        Becomes::Comment("`keep` is for messages of any size", &["0"]),
        "1000000",
    ),
    word(
        "options.max_bytes_per_session",
        Becomes::Comment("`limit` bounds the messages of a run", &["0"]),
        "1000000",
    ),
    word("options.max_message_size", Becomes::Key("max-size"), "1000000"),
    word("options.max_messages_per_session", Becomes::Key("limit"), "100"),
    word("options.delivered_to", AS_IT_IS, "true"),
    word("options.received", AS_IT_IS, "true"),
    word("options.message_log", LOG, "~/.getmail/log"),
    word("options.message_log_syslog", LOG, "true"),
    word("options.message_log_verbose", LOG, "true"),
    word("filter.type", FILTER, "Filter_external"),
    word("filter.path", FILTER, "/usr/bin/filter"),
    word("filter.arguments", FILTER, "(\"-x\", )"),
    word("filter.unixfrom", FILTER, "true"),
    word("filter.user", FILTER, "ann"),
    word("filter.group", FILTER, "mail"),
    word("filter.allow_root_commands", FILTER, "true"),
    word("filter.ignore_header_shrinkage", FILTER, "true"),
    word("filter.ignore_stderr", FILTER, "true"),
    word("filter.exitcodes_drop", FILTER, "(99, )"),
    word("filter.exitcodes_keep", FILTER, "(0, )"),
    word("filter.conf-break", FILTER, "-"),
];
