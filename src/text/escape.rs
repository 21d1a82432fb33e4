//! Text of servers, messages and callers made printable: no control, format or blank-looking character
//! reaches a terminal, a log or JSON (RFC 8259 §7).

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::io;
use std::ops::RangeInclusive;

use crate::limits;

/// Makes text from servers and messages safe for a terminal or a log: one line, bounded in length,
/// with control, escape and direction-changing characters made visible.
pub fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len().min(limits::SHOWN));
    for (count, c) in text.trim_end_matches(['\r', '\n']).chars().enumerate() {
        if count == limits::SHOWN {
            safe.push('…');
            break;
        }
        match c {
            '\t' => safe.push(' '),
            c if is_unprintable(c) => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}

/// A whole text made safe for a terminal as it is, but for its line ends.
pub fn escaped(text: &str) -> Cow<'_, str> {
    rewritten(text, |c, safe| write!(safe, "\\u{{{:x}}}", u32::from(c)))
}

/// The text of a JSON object, safe for a terminal and with the same meaning: what JSON leaves as it
/// is in a string and a terminal does not is written as `\uXXXX` (RFC 8259 §7).
pub fn escaped_json(text: &str) -> Cow<'_, str> {
    rewritten(text, |c, safe| {
        c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(safe, "\\u{unit:04x}"))
    })
}

fn rewritten(text: &str, escape: impl Fn(char, &mut String) -> fmt::Result) -> Cow<'_, str> {
    let is_unsafe = |c: char| is_unprintable(c) && c != '\n';
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            // Writing to a String cannot fail.
            let _ = escape(c, &mut safe);
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Returns whether a character shows as nothing, or makes what surrounds it look like something
/// else: Unicode's general categories Cc, Cf, Co, Zl and Zp (version 16), the code points reserved
/// for Cf, and the letters and marks that look blank.
pub fn is_unprintable(c: char) -> bool {
    const FORMAT: [RangeInclusive<char>; 19] = [
        '\u{ad}'..='\u{ad}',
        '\u{600}'..='\u{605}',
        '\u{61c}'..='\u{61c}',
        '\u{6dd}'..='\u{6dd}',
        '\u{70f}'..='\u{70f}',
        '\u{890}'..='\u{891}',
        '\u{8e2}'..='\u{8e2}',
        '\u{180e}'..='\u{180e}',
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}', // With Zl and Zp in front.
        '\u{2060}'..='\u{206f}',
        '\u{feff}'..='\u{feff}',
        '\u{fff0}'..='\u{fffb}',
        '\u{110bd}'..='\u{110bd}',
        '\u{110cd}'..='\u{110cd}',
        '\u{13430}'..='\u{1343f}',
        '\u{1bca0}'..='\u{1bca3}',
        '\u{1d173}'..='\u{1d17a}',
        '\u{e0000}'..='\u{e007f}',
    ];
    const PRIVATE: [RangeInclusive<char>; 3] =
        ['\u{e000}'..='\u{f8ff}', '\u{f0000}'..='\u{ffffd}', '\u{100000}'..='\u{10fffd}'];
    const BLANK: [char; 8] = [
        '\u{34f}', '\u{115f}', '\u{1160}', '\u{17b4}', '\u{17b5}', '\u{2800}', '\u{3164}',
        '\u{ffa0}',
    ];
    c.is_control()
        || !c.is_ascii()
            && (FORMAT.iter().chain(&PRIVATE).any(|range| range.contains(&c)) || BLANK.contains(&c))
}

/// An operating system's error without the number that Rust appends.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut chars = words.chars();
    match (chars.next(), chars.next()) {
        // "Connection refused" reads as a fragment; "I/O error" stays as it is.
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(words.chars().skip(1)).collect()
        }
        _ => words.to_owned(),
    }
}

/// Characters that show nothing, or take the place of nothing: Unicode's general categories Cf, Co,
/// Zs but for the blank, Zl and Zp, and letters that look blank.
pub(super) fn is_unseen(c: char) -> bool {
    (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}'
            | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}' | '\u{115f}' | '\u{1160}'
            | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}
