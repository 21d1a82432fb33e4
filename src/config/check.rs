//! The check of a configuration before it is turned into types: unknown keys, keys in the wrong table,
//! keys that exclude each other, values of the wrong kind. Reports the first fault in the order of the
//! file. What accounts lack for a job is `settings`' to say.

use toml::de::{DeArray, DeTable, DeValue};

use super::key::EXCLUSIVE;
use super::key::{KEYS, Key, Place};
use super::oauth::OAUTH_KEYS;
use super::syntax::quotes;
use super::{Aliases, nearest};
use crate::text::{LocalName, shown};

/// Goes through all keys before their values are looked at, so that a misspelt one is reported
/// with its place and the one that was probably meant.
pub(super) struct Check {
    pub(super) has_password: bool,
}

/// A line number, and the fault there.
type Finding = (usize, String);

impl Check {
    pub(super) fn root(&mut self, table: &DeTable<'_>) -> Result<(), Finding> {
        let accounts = table.get("account").and_then(|accounts| accounts.get_ref().as_table());
        let names = accounts.into_iter().flat_map(|accounts| accounts.keys());
        let names: Vec<_> = names.map(|name| name.get_ref().as_ref()).collect();
        for (key, value) in table {
            let at = key.span().start;
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("default", DeValue::String(name)) if names.contains(&name.as_ref()) => {}
                ("default", DeValue::String(name)) => {
                    return Err((at, with_meant("no account", name, names.into_iter())));
                }
                ("aliases-file", value) if value.is_str() => {}
                (name @ ("default" | "aliases-file"), _) => return Err((at, quotes(name))),
                ("defaults", DeValue::Table(table)) => self.table(table, Place::Account)?,
                ("account", DeValue::Table(accounts)) => {
                    for (name, account) in accounts {
                        let DeValue::Table(table) = account.get_ref() else {
                            let name = shown(name.get_ref());
                            let what = format!("expected an account, as in [account.{name}]");
                            return Err((account.span().start, what));
                        };
                        self.table(table, Place::Account)?;
                    }
                }
                ("oauth", DeValue::Table(clients)) => {
                    for (name, client) in clients {
                        let DeValue::Table(table) = client.get_ref() else {
                            let name = shown(name.get_ref());
                            let what = format!("expected a client, as in [oauth.{name}]");
                            return Err((client.span().start, what));
                        };
                        self.table(table, Place::OAuth)?;
                    }
                }
                ("aliases", DeValue::Table(aliases)) => {
                    for name in aliases.keys() {
                        let (at, name) = (name.span().start, name.get_ref().as_ref());
                        if name != Aliases::OTHERS && name.parse::<LocalName>().is_err() {
                            let what = "expected a name without a domain, or \"*\"";
                            return Err((at, format!("{what}, found `{}`", shown(name))));
                        }
                    }
                }
                (name @ ("defaults" | "account" | "aliases" | "oauth"), _) => {
                    return Err((at, format!("expected a table, as in [{name}]")));
                }
                // Most likely an account's key above the first [account.NAME].
                (name, _) if KEYS.iter().any(|key| key.name == name) => {
                    let what = "belongs in [account.NAME] or [defaults]";
                    return Err((at, format!("`{}` {what}", shown(name))));
                }
                (name, value) => {
                    let known =
                        ["default", "defaults", "aliases", "aliases-file", "oauth", "account"];
                    let mut what = unknown(name, known.into_iter());
                    if value.is_table() && nearest(name, known.into_iter()).is_none() {
                        what += &format!(", did you mean [account.{}]?", shown(name));
                    }
                    return Err((at, what));
                }
            }
        }
        Ok(())
    }

    fn table(&mut self, table: &DeTable<'_>, place: Place) -> Result<(), Finding> {
        for (key, value) in table {
            let (at, name) = (key.span().start, key.get_ref().as_ref());
            match (name, place, value.get_ref()) {
                ("fetch", Place::Account, DeValue::Table(side)) => {
                    self.table(side, Place::Fetch)?;
                    continue;
                }
                ("send", Place::Account, DeValue::Table(side)) => {
                    self.table(side, Place::Send)?;
                    continue;
                }
                _ => {}
            }
            if let ("fetch" | "send", Place::Account) = (name, place) {
                return Err((at, format!("`{name}` is a table, as in [account.NAME.{name}]")));
            }
            let keys = || KEYS.iter().chain(OAUTH_KEYS);
            if !keys().any(|known| known.name == name && known.may_stand_in(place)) {
                if let Some(known) = keys().find(|known| known.name == name) {
                    return Err((at, format!("`{name}` is for {} only", known.place)));
                }
                let known = keys().filter(|known| known.may_stand_in(place));
                return Err((at, unknown(name, known.map(|known| known.name))));
            }
            if let Some(known) = keys().find(|known| known.name == name)
                && let Some(what) = misfit(known, value.get_ref())
            {
                return Err((at, what));
            }
            let is_password = matches!(name, "password" | "client-secret");
            self.has_password |= is_password;
        }
        for group in EXCLUSIVE {
            let mut found: Vec<_> = table
                .iter()
                .map(|(key, _)| (key.span().start, key.get_ref().as_ref()))
                .filter(|(_, name)| group.contains(name))
                .collect();
            found.sort_unstable();
            if let [(_, one), (at, other), ..] = found.as_slice() {
                return Err((*at, format!("`{one}` and `{other}`: only one of them may be set")));
            }
        }
        Ok(())
    }
}

/// Returns what a value of another kind than the key's should be; the value itself may be a secret.
/// `None` if it is of that kind.
fn misfit(key: &Key, value: &DeValue<'_>) -> Option<String> {
    let name = key.name;
    let is_text = key.value.starts_with('"') && !key.value.contains('[');
    match key.value {
        "true | false" if !value.is_bool() => {
            Some(format!("`{name}` is true or false, without quotes"))
        }
        "NUMBER" if !value.is_integer() => Some(format!("`{name}` is a number, without quotes")),
        // A number is one of seconds.
        "\"TIME\"" => None,
        _ if is_text && !value.is_str() => Some(quotes(name)),
        list if list.starts_with('[') && !value.is_array() && !name.ends_with("command") => {
            Some(format!("`{name}` is a list: {list}"))
        }
        _ => {
            let is_command = key.value.starts_with("\"LINE\"");
            let is_of_words = |list: &DeArray<'_>| list.iter().all(|word| word.get_ref().is_str());
            if is_command && !value.is_str() && !value.as_array().is_some_and(is_of_words) {
                return Some("expected a command as text, or a list of its words".to_owned());
            }
            // A secret's is found when it is used, and a command may have lines.
            let is_plain = !is_command && key.value != "\"TEXT\"";
            if is_plain && value.as_str().is_some_and(|text| text.contains(char::is_control)) {
                return Some(format!("`{name}` holds a control character"));
            }
            let is_empty = match value {
                DeValue::String(line) if is_command => runs_nothing(line),
                DeValue::String(text) => text.is_empty(),
                // An empty list of recipients or users allows none; an empty command is none.
                DeValue::Array(words) => is_command && words.is_empty(),
                _ => false,
            };
            is_empty.then(|| format!("`{name}` is empty"))
        }
    }
}

/// Returns whether a line for sh holds nothing but blanks and comments. sh ends such a line with
/// status 0, which would count as a delivery.
fn runs_nothing(line: &str) -> bool {
    line.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'))
}

/// Keys of other programs, and what does here what they do there.
pub(super) const ELSEWHERE: &[(&str, &str)] = &[
    ("username", "the name to log in with is `user`"),
    ("login", "the name to log in with is `user`"),
    ("host", "the server is `server`"),
    ("hostname", "the server is `server`"),
    ("email", "the name to log in with is `user`, the sender's address `from`"),
    ("insecure", VERIFIED),
    ("tls-verify", VERIFIED),
    ("verify", VERIFIED),
    ("ssl", "`tls` is \"implicit\" (the default) or \"starttls\""),
];

const VERIFIED: &str =
    "certificates are always verified; for a server of your own, `ca-file` or `pin`";

/// The message for an unknown key.
fn unknown(name: &str, known: impl Iterator<Item = &'static str>) -> String {
    let found = shown(name);
    if let Some((_, answer)) = ELSEWHERE.iter().find(|(other, _)| *other == name) {
        return format!("unknown key `{found}`: {answer}");
    }
    with_meant("unknown key", name, known)
}

/// What is wrong with a name, and the one of `known` that was probably meant.
fn with_meant<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let found = shown(name);
    match nearest(name, known) {
        Some(meant) => format!("{what} `{found}`, did you mean `{}`?", shown(meant)),
        None => format!("{what} `{found}`"),
    }
}
