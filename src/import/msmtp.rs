//! msmtprc (msmtp(1)): accounts to send with.

use super::account::{Account, Becomes, Found, Keyword, Side, Value, path};
use super::rc::{self, COMMON, Section, given, word};
use super::source::Source;
use crate::error::Error;

/// Reads an msmtprc.
pub(super) fn read(source: &Source) -> Result<Found, Error> {
    let origin = format!("msmtp ({})", source.path.display());
    let mut found = Found::default();
    for section in rc::sections(source, &[COMMON, WORDS])? {
        let aliases = given(&section.settings, "aliases");
        found.alias_files.extend(aliases.map(|file| (file.value.clone(), file.line)));
        let is_default = section.name == "default";
        if let Some(other) = section.another().filter(|_| is_default) {
            found.default = Some(other.to_owned());
            continue;
        }
        found.default = found.default.or(is_default.then(|| section.name.clone()));
        found.accounts.push(account(source, &section, &origin)?);
    }
    Ok(found)
}

fn account(source: &Source, section: &Section, origin: &str) -> Result<Account, Error> {
    let settings = &section.settings;
    let mut account = Account::new(&section.name, Side::Send, origin);
    rc::connection(source, section, &mut account)?;
    if given(settings, "protocol").is_some_and(|protocol| protocol.value == "lmtp") {
        account.leave("LMTP is not spoken here");
    }
    let name = given(settings, "from_full_name").map(|name| name.value.as_str());
    match given(settings, "from") {
        Some(from) if from.value.contains('%') => {
            account.note(from, "no patterns are filled in here: write the address out");
        }
        Some(from) if from.value.contains(['*', '?', '[']) => {
            let domain = from.value.strip_prefix("*@").filter(|at| !at.contains(['*', '?', '[']));
            match domain {
                Some(_) => account.key("from", from.value.as_str()),
                None => account.note(from, "of all patterns only \"*@DOMAIN\" is known here"),
            }
        }
        Some(from) => match name {
            Some(name) => {
                account.key("from", Value::Text(format!("{} <{}>", phrase(name), from.value)));
            }
            None => account.key("from", from.value.as_str()),
        },
        None => {}
    }
    if let Some(full_name) = given(settings, "from_full_name")
        && account.text("from").is_none_or(|from| !from.contains('<'))
    {
        account.note(full_name, "it needs an address: `from = \"NAME <ADDRESS>\"`");
    }
    let has_address = account.text("from").is_some()
        || account.text("user").is_some_and(|user| user.contains('@'));
    if !has_address {
        account.remark("no sender's address is here: set `from`, or use --from");
    }
    if let Some(domain) = given(settings, "domain") {
        if domain.value.contains('%') {
            account.note(
                domain,
                "no patterns are filled in here: the name in EHLO is the domain of `from`",
            );
        } else {
            account.key("ehlo-name", domain.value.as_str());
        }
    }
    match given(settings, "set_from_header") {
        Some(set) if set.value == "on" => account.key("rewrite-from", "always"),
        Some(set) if set.value == "off" => account.note(set, ADDED),
        _ => {}
    }
    if let Some(log) = given(settings, "logfile") {
        match path(&log.value) {
            Ok(path) => account.key("log-file", Value::Text(path)),
            Err(reason) => account.note(log, reason),
        }
    }
    account.note_the_rest(settings.values());
    Ok(account)
}

/// A name as it stands before an address (RFC 5322 §3.2.5).
fn phrase(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || c == ' ');
    if is_plain {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The commands that mpop does not have.
pub(super) const WORDS: &[Keyword] = &[
    word("protocol", Becomes::Structure, "smtp"),
    word("domain", Becomes::Key("ehlo-name"), "example.com"),
    word("from", Becomes::Key("from"), "ann@example.com"),
    word("from_full_name", Becomes::Key("from"), "Ann Example"),
    word(
        "allow_from_override",
        Becomes::Comment("any caller may choose the sender's address with --from", &["", "on"]),
        "off",
    ),
    word(
        "dsn_notify",
        Becomes::Comment("asked for with each message: --dsn-notify", &["", "off"]),
        "failure",
    ),
    word(
        "dsn_return",
        Becomes::Comment("asked for with each message: --dsn-return", &["", "off"]),
        "full",
    ),
    word("set_from_header", Becomes::Key("rewrite-from"), "on"),
    word("add_missing_from_header", Becomes::Comment(ADDED, &["", "on"]), "off"),
    word("set_date_header", Becomes::Comment(ADDED, &["", "auto"]), "off"),
    word("add_missing_date_header", Becomes::Comment(ADDED, &["", "on"]), "off"),
    word("set_msgid_header", Becomes::Comment(ADDED, &["", "auto"]), "off"),
    word(
        "set_to_header",
        Becomes::Comment("To and Cc are sent as they are", &["", "off"]),
        "undisclosed_recipients",
    ),
    word("remove_bcc_headers", Becomes::Comment(BCC, &["", "on"]), "off"),
    word("keepbcc", Becomes::Comment(BCC, &["off"]), "on"),
    word(
        "undisclosed_recipients",
        Becomes::Comment("To and Cc are sent as they are", &["off"]),
        "on",
    ),
    word("logfile", Becomes::Key("log-file"), "~/.msmtp.log"),
    word(
        "logfile_time_format",
        Becomes::Comment("the times in the log are those of RFC 3339", &[""]),
        "%s",
    ),
    word("syslog", Becomes::Comment("the log is a file: `log-file`", &["off"]), "LOG_MAIL"),
    word("aliases", Becomes::Aliases, "/etc/aliases"),
    word(
        "auto_from",
        Becomes::Comment("the sender's address is `from`, written out", &["off"]),
        "on",
    ),
    word(
        "maildomain",
        Becomes::Comment("the sender's address is `from`, written out", &[""]),
        "example.com",
    ),
];

const ADDED: &str = "From, Date and Message-ID are added where they are missing";

const BCC: &str = "Bcc is always removed";
