//! mpoprc (mpop(1)): accounts to fetch from.

use std::path::PathBuf;

use super::account::{Account, Becomes, Found, Keyword, Memory, Side, Value, path};
use super::rc::{self, COMMON, Default, Section, given, is_on, word};
use super::source::Source;
use crate::error::Error;
use crate::text::shown;

/// Reads an mpoprc.
pub(super) fn read(source: &Source) -> Result<Found, Error> {
    let origin = format!("mpop ({})", source.path.display());
    let mut found = Found::default();
    for section in rc::sections(source, &[COMMON, WORDS])? {
        match section.another() {
            Some(other) => found.remarks.push(format!(
                "{}:{}: {} is another name of {}; every account is fetched from unless some are named",
                source.path.display(),
                section.line,
                shown(&section.name),
                shown(other),
            )),
            None => found.accounts.push(account(source, &section, &origin)?),
        }
    }
    Ok(found)
}

fn account(source: &Source, section: &Section, origin: &str) -> Result<Account, Error> {
    let settings = &section.settings;
    let mut account = Account::new(&section.name, Side::Fetch, origin);
    rc::connection(source, section, &mut account)?;
    if let Some(pipelining) = given(settings, "pipelining").filter(|it| it.value != "auto") {
        let is_on = is_on(source, settings, pipelining.keyword.word, Default::On)?;
        account.key("pipelining", Value::Flag(is_on));
    }
    if let Some(delivery) = given(settings, "delivery") {
        let (method, rest) =
            delivery.value.split_once([' ', '\t']).unwrap_or((&delivery.value, ""));
        let rest = rc::unquoted(rest.trim());
        match method {
            "maildir" => match path(rest) {
                Ok(path) => account.key("maildir", Value::Text(path)),
                Err(reason) => account.note(delivery, reason),
            },
            "mda" if !rest.contains("%F") => account.key("deliver-command", rest),
            "mda" => account.note(
                delivery,
                "the sender is not put into a command line: `deliver-command` gets the message on \
                 its standard input, without %F; until it is set, mail goes to ~/Maildir",
            ),
            "mbox" | "exchange" => account.note(
                delivery,
                "messages go to a Maildir or a command: until `maildir` is set, to ~/Maildir",
            ),
            _ => return Err(source.wrong(delivery.line, "unknown way to deliver")),
        }
    }
    match given(settings, "keep").map(|keep| (keep, keep.value.as_str())) {
        Some((_, "on")) => account.key("keep", "forever"),
        Some((keep, value)) if value != "off" => {
            let days = days(value);
            let days = days.ok_or_else(|| source.wrong(keep.line, "expected on, off or a time"))?;
            account.key("keep", Value::Text(format!("{days}d")));
            account.note(keep, "counted in whole days here, from the delivery on");
        }
        // Without an argument it is on; without the command it deletes.
        None if settings.contains_key("keep") => account.key("keep", "forever"),
        _ => account.key("keep", "none"),
    }
    if let Some(size) = given(settings, "skipsize").filter(|size| size.value != "off") {
        let octets = octets(&size.value);
        let octets = octets.ok_or_else(|| source.wrong(size.line, "expected off or a size"))?;
        account.key("max-size", Value::Text(octets.to_string()));
    }
    let user = account.text("user").unwrap_or_default().to_owned();
    let host = account.text("server").unwrap_or_default().to_owned();
    let file = given(settings, "uidls_file").map_or("~/.mpop_uidls/%U_at_%H", |file| &file.value);
    let file = file.replace("%U", &user).replace("%H", &host);
    match path(&file) {
        Ok(file) => account.memory = Some(Memory::File(PathBuf::from(file))),
        Err(reason) => {
            account.remark(&format!("its memory of what was fetched is not read: {reason}"));
        }
    }
    account.note_the_rest(settings.values());
    Ok(account)
}

/// A time such as `1d12h`, in whole days.
fn days(text: &str) -> Option<u64> {
    let mut seconds = 0_u64;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = rest.split_at_checked(end)?;
        let unit = match unit.chars().next()? {
            'd' => 24 * 60 * 60,
            'h' => 60 * 60,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        seconds = number.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(seconds)?;
        rest = rest.get(end + 1..)?.trim_start();
    }
    Some(seconds.div_ceil(24 * 60 * 60))
}

/// A size in octets, KiB (`k`) or MiB (`m`).
fn octets(text: &str) -> Option<u64> {
    let (number, unit) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1 << 10),
        None => match text.strip_suffix(['m', 'M']) {
            Some(number) => (number, 1 << 20),
            None => (text, 1),
        },
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// The commands that msmtp does not have.
pub(super) const WORDS: &[Keyword] = &[
    word("pipelining", Becomes::Key("pipelining"), "off"),
    word("delivery", Becomes::Key("maildir"), "maildir ~/Mail"),
    word("uidls_file", Becomes::Memory, "~/.mpop_uidls/%U_at_%H"),
    word(
        "only_new",
        Becomes::Comment(
            "what was fetched before is not fetched again; `postie fetch --all` does it once",
            &["", "on"],
        ),
        "off",
    ),
    word("keep", Becomes::Key("keep"), "on"),
    word(
        "killsize",
        Becomes::Comment(
            "nothing is deleted that was not fetched; `max-size` leaves large messages there",
            &["off"],
        ),
        "100m",
    ),
    word("skipsize", Becomes::Key("max-size"), "500k"),
    word(
        "filter",
        Becomes::Comment(
            "every message is fetched; `deliver-command` can sort them afterwards",
            &[""],
        ),
        "exit 0",
    ),
    word(
        "received_header",
        Becomes::Comment("messages are delivered as they are, and nothing is added", &["off"]),
        "on",
    ),
];
