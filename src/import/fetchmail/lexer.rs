//! The tokens of a fetchmailrc: words, numbers and quoted strings, with their lines.

use super::super::source::Source;
use crate::error::Error;

/// A token of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
    /// True if it stood in quotes, so that it is no option.
    pub(super) is_quoted: bool,
}

/// Words that mean nothing.
pub(super) const NOISE: [&str; 5] = ["and", "with", "has", "wants", "options"];

/// Divides the text into tokens, as fetchmail does: blanks, commas, colons and semicolons divide, `=`
/// stands for itself, and a comment is from `#` to the end of the line.
pub(super) fn tokens(source: &Source) -> Result<Vec<Token>, Error> {
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
