//! The configuration that an import prints: accounts, and comments on what they do not carry over. A
//! value stands in quotes as the `toml` crate writes them, a comment on one line.

use std::collections::BTreeMap;
use std::path::Path;

use super::account::{Account, Value};
use crate::config::quoted;
use crate::text::shown;

/// Aliases: names without a domain, and the addresses that get their mail.
pub(super) type Aliases = BTreeMap<String, Vec<String>>;

/// An account's table. What is no account here is all comments.
pub(super) fn table(account: &Account) -> String {
    let mut keys = format!("[account.{}.{}]\n", key(&account.name), account.side.name());
    for (name, value) in &account.keys {
        keys += &format!("{name} = {}\n", text_of(value));
    }
    match &account.left {
        None => keys,
        Some(_) => format!("# {}\n", keys.trim_end().replace('\n', "\n# ")),
    }
}

/// The table with its comments.
pub(super) fn section(account: &Account) -> String {
    let mut text = comment(&match &account.left {
        None => format!("From {}.", account.origin),
        Some(reason) => format!("From {}, and not an account here: {reason}.", account.origin),
    });
    text += &table(account);
    for note in &account.notes {
        text += &comment(note);
    }
    text
}

/// The key for the account to send with.
pub(super) fn default(name: &str) -> String {
    format!("default = {}\n", quoted(name))
}

/// The table of aliases.
pub(super) fn aliases(aliases: &Aliases) -> String {
    let mut text = "[aliases]\n".to_owned();
    for (name, addresses) in aliases {
        let value = match addresses.as_slice() {
            [only] => Value::Text(only.clone()),
            several => Value::List(several.to_vec()),
        };
        text += &format!("{} = {}\n", key(name), text_of(&value));
    }
    text
}

/// Returns a comment line with any text.
pub(super) fn comment(text: &str) -> String {
    format!("# {}\n", shown_whole(text))
}

/// The key for a password in a file of its own.
pub(super) fn password_file(path: &Path) -> Value {
    Value::Text(path.display().to_string())
}

/// Makes text safe to show without cutting it: its length is bounded already.
fn shown_whole(text: &str) -> String {
    let words = text.split(' ').map(shown);
    words.collect::<Vec<_>>().join(" ")
}

fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::List(words) => {
            let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
            format!("[{}]", words.join(", "))
        }
        Value::Number(number) => number.to_string(),
        Value::Flag(flag) => flag.to_string(),
    }
}
