//! Errors of TOML's syntax, in words for the person who writes a configuration. Values are never shown:
//! one may be a password.

use super::key::KEYS;
use super::oauth::OAUTH_KEYS;
use crate::text::shown;

/// Returns where the fault is, in octets, and what it is.
pub(super) fn explain(text: &str, error: &toml::de::Error) -> (usize, String) {
    let at = error.span().unwrap_or_default().start;
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim();
    let key = line.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
    // The parser has no codes for its errors; a test shows that these are its words.
    let what = match (error.message().split(',').next().unwrap_or_default(), key) {
        ("duplicate key", _) => twice(text.get(..start).unwrap_or_default(), line),
        (_, Some((key, ""))) => format!("`{}` has no value", shown(key)),
        ("string values must be quoted" | "invalid float", Some((key, _))) => quotes(key),
        ("invalid basic string" | "invalid literal string", Some((key, _))) => {
            format!("`{}`: the quote at the end of its value is missing", shown(key))
        }
        ("key with no value", None) => "expected KEY = VALUE: the `=` is missing".to_owned(),
        ("unclosed table", _) => "the bracket at the end is missing: expected `]`".to_owned(),
        ("unexpected key or value", _) => {
            "expected the end of the line after the value; a quote within it is written \\\", or the \
             other kind of quotes is put around it"
                .to_owned()
        }
        ("missing comma between array elements", _) => {
            "commas separate the words of a list".to_owned()
        }
        ("missing escaped value", _) => {
            "a backslash within \"...\" is written twice; within '...' it stands for itself".to_owned()
        }
        ("invalid unquoted key", _) => {
            "a name with other characters than letters, digits, `-` and `_` needs quotes, as in \
             [account.\"NAME\"]"
                .to_owned()
        }
        _ => shown(error.message()),
    };
    (at, what)
}

/// Returns the fault of a key or table that is there already, with its first line if that is found.
fn twice(before: &str, line: &str) -> String {
    let is_table = line.starts_with('[');
    let name = |line: &str| -> String {
        let end = if is_table { ']' } else { '=' };
        line.split(end).next().unwrap_or_default().split_whitespace().collect()
    };
    let wanted = name(line);
    let lines = before.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let mut earlier = lines.collect::<Vec<_>>().into_iter().rev();
    let first = if is_table {
        earlier.find(|(_, line)| line.starts_with('[') && name(line) == wanted)
    } else {
        let mut same_table = earlier.take_while(|(_, line)| !line.starts_with('['));
        same_table.find(|(_, line)| line.contains('=') && name(line) == wanted)
    };
    let what =
        if is_table { format!("{}]", shown(&wanted)) } else { format!("`{}`", shown(&wanted)) };
    match first {
        Some((number, _)) => format!("{what} is there twice, first in line {number}"),
        None => format!("{what} is there twice"),
    }
}

/// Returns the fault of a value without quotes.
pub(super) fn quotes(key: &str) -> String {
    let name = key.rsplit('.').next().unwrap_or(key).trim();
    let known = KEYS.iter().chain(OAUTH_KEYS).find(|known| known.name == name);
    let form = known.map(|known| known.value).filter(|form| form.starts_with('"'));
    let form = form.map(|form| format!(", as in {form}")).unwrap_or_default();
    format!("`{}` is text: write it in quotes{form}", shown(key))
}
