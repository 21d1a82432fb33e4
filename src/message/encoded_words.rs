//! Header text beyond ASCII as encoded words (RFC 2047), which every server takes. Addresses are
//! left alone: an encoded word has no place in one (§5).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Octets of text in one encoded word. With its charset it fits on a line of 76 characters (§2),
/// behind the name of a field.
const OCTETS: usize = 39;

/// Encodes unstructured text (RFC 5322 §2.2.1): the words beyond ASCII, and those between them. What is
/// encoded already stays as it is.
pub(super) fn unstructured(text: &[u8]) -> String {
    if text.is_ascii() {
        return String::from_utf8_lossy(text).into_owned();
    }
    let encoded = with_octets(text, |text, words| {
        let encode = |text: &str, (is_behind_word, is_before_word): (bool, bool)| {
            let Some(first) = text.find(|c: char| !c.is_ascii()) else { return text.to_owned() };
            let last = text.rfind(|c: char| !c.is_ascii()).unwrap_or(first);
            // From the blank before the first such character to the blank behind the last.
            let (before, _) = text.split_at(first);
            let (head, rest) = text.split_at(before.rfind(' ').map_or(0, |blank| blank + 1));
            let (_, behind) = text.split_at(last);
            let tail = behind.find(' ').map_or("", |blank| behind.split_at(blank).1);
            let (middle, _) = rest.split_at(rest.len() - tail.len());
            let left = if is_behind_word && head.is_empty() { " " } else { "" };
            let right = if is_before_word && tail.is_empty() { " " } else { "" };
            format!("{head}{}{tail}", words(&format!("{left}{middle}{right}")))
        };
        around_words(text, is_encoded, encode)
    });
    String::from_utf8_lossy(&encoded).into_owned()
}

/// Applies `encode` to a text, with what makes words of a part of it. Of a text that is no UTF-8 each
/// octet is a character meanwhile; those that are left are octets again.
fn with_octets(text: &[u8], encode: impl Fn(&str, &dyn Fn(&str) -> String) -> String) -> Vec<u8> {
    if let Ok(text) = std::str::from_utf8(text) {
        return encode(text, &|part| words("utf-8", part.as_bytes())).into_bytes();
    }
    let octet = |c: char| u8::try_from(u32::from(c)).unwrap_or(b'?');
    let octets = |text: &str| text.chars().map(octet).collect::<Vec<_>>();
    let text: String = text.iter().copied().map(char::from).collect();
    octets(&encode(&text, &|part| {
        let part = octets(part);
        let is_utf8 = std::str::from_utf8(&part).is_ok();
        words(if is_utf8 { "utf-8" } else { "unknown-8bit" }, &part)
    }))
}

/// The text with `encode` applied to what stands between encoded words. It is told whether there is
/// one before it, and behind it: a blank between two of them is no text (RFC 2047 §6.2), so one that
/// is must be encoded, too.
pub(super) fn around_words(
    text: &str,
    is_encoded: impl Fn(&str) -> bool,
    encode: impl Fn(&str, (bool, bool)) -> String,
) -> String {
    let words: Vec<_> = text.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
    if !words.iter().any(|word| is_encoded(word)) {
        return encode(text, (false, false));
    }
    let mut runs = words.chunk_by(|one, other| !is_encoded(one) && !is_encoded(other)).peekable();
    let (mut parts, mut is_behind_word) = (Vec::new(), false);
    while let Some(run) = runs.next() {
        let run = run.join(" ");
        let is_word = is_encoded(&run);
        let is_before_word = runs.peek().is_some();
        parts.push(if is_word { run } else { encode(&run, (is_behind_word, is_before_word)) });
        is_behind_word = is_word;
    }
    parts.join(" ")
}

/// Returns whether a word is an encoded one, in any charset.
fn is_encoded(word: &str) -> bool {
    let within = word.strip_prefix("=?").and_then(|word| word.strip_suffix("?="));
    let parts: Vec<_> = within.map(|within| within.split('?').collect()).unwrap_or_default();
    matches!(parts.as_slice(), [charset, "B" | "b" | "Q" | "q", _] if !charset.is_empty())
        && word.bytes().all(|octet| octet.is_ascii_graphic())
}

/// Returns whether a word is an encoded one that may stand in a display name (RFC 2047 §5): there is
/// nothing in it that would end the name.
pub(super) fn is_encoded_in_name(word: &str) -> bool {
    let is_harmless = |c: char| c.is_ascii_alphanumeric() || "!*+-/=_?".contains(c);
    is_encoded(word) && word.chars().all(is_harmless)
}

/// Encodes the display names, the names of groups and the comments of an address list (RFC 5322
/// §3.4). Octets that are no UTF-8 and are not in one of these stay.
pub(super) fn address_list(list: &[u8]) -> Vec<u8> {
    with_octets(list, |list, words| {
        let mut output = String::with_capacity(list.len() * 2);
        let mut rest = list;
        // Where the last bracket closes is found once, however many open behind it.
        let closed = list.rfind('>').map_or(0, |at| at + 1);
        while !rest.is_empty() {
            let end = end_of_entry(rest);
            let (entry, tail) = rest.split_at(end);
            let is_name = tail.starts_with(['<', ':']);
            let outside = |text: &str| if is_name { phrase(text, words) } else { text.to_owned() };
            output.push_str(&comments(entry, words, outside));
            // An address in angle brackets stays as it is.
            let is_closed = tail.starts_with('<') && list.len() - tail.len() < closed;
            let skipped = if is_closed { tail.find('>') } else { None };
            let (delimiter, tail) = tail.split_at(skipped.map_or(tail.len().min(1), |at| at + 1));
            output.push_str(delimiter);
            rest = tail;
        }
        output
    })
}

/// The list with a blank behind each comma between its addresses, where it may be folded.
pub(super) fn with_blanks_behind_commas(list: &str) -> String {
    let mut output = String::with_capacity(list.len() + list.len() / 16);
    let mut rest = list;
    while !rest.is_empty() {
        let end = end_of_entry(rest);
        let (entry, tail) = rest.split_at(end);
        let (delimiter, tail) = tail.split_at(tail.len().min(1));
        output.push_str(entry);
        output.push_str(delimiter);
        if delimiter == "," && !tail.starts_with([' ', '\t']) {
            output.push(' ');
        }
        rest = tail;
    }
    output
}

/// Returns the position of the delimiter that ends a display name or an address: outside quotes,
/// comments and domain literals. All delimiters are ASCII.
fn end_of_entry(text: &str) -> usize {
    let (mut depth, mut until, mut is_escaped) = (0_usize, None, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if until == Some('"') || depth > 0 => is_escaped = true,
            '(' if until.is_none() => depth += 1,
            ')' if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            c if until.is_some() => until = until.filter(|&end| end != c),
            '"' => until = Some('"'),
            '[' => until = Some(']'),
            '<' | ',' | ';' | ':' => return at,
            _ => {}
        }
    }
    text.len()
}

/// A display name, without its quotes if it must be encoded.
fn phrase(text: &str, words: &dyn Fn(&str) -> String) -> String {
    let is_blank = |c: char| matches!(c, ' ' | '\t');
    let name = text.trim_matches(is_blank);
    if name.is_ascii() {
        return text.to_owned();
    }
    let blank = if text.starts_with(is_blank) { " " } else { "" };
    // In quotes there are no encoded words.
    let encoded = if name.contains('"') {
        let (mut bare, mut is_quoted) = (String::with_capacity(name.len()), false);
        let mut chars = name.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => is_quoted = !is_quoted,
                '\\' if is_quoted => bare.extend(chars.next()),
                c => bare.push(c),
            }
        }
        words(&bare)
    } else {
        all_encoded(name, words)
    };
    format!("{blank}{encoded} ")
}

/// Text with comments, each of which is a place of its own: the name of an address's owner in old
/// messages. What stands outside of them goes through `outside`.
fn comments(
    text: &str,
    words: &dyn Fn(&str) -> String,
    outside: impl Fn(&str) -> String,
) -> String {
    let mut output = String::with_capacity(text.len());
    let (mut part, mut depth, mut is_quoted) = (String::new(), 0_usize, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, depth) {
            ('\\', _) if depth > 0 || is_quoted => {
                part.push(c);
                part.extend(chars.next());
            }
            ('(', 0) if !is_quoted => {
                output += &outside(&std::mem::take(&mut part));
                output.push(c);
                depth = 1;
            }
            (')', 1) => {
                output += &comment(&std::mem::take(&mut part), words);
                output.push(c);
                depth = 0;
            }
            _ => {
                match (c, depth) {
                    ('"', 0) => is_quoted = !is_quoted,
                    ('(', 1..) => depth += 1,
                    (')', 2..) => depth -= 1,
                    _ => {}
                }
                part.push(c);
            }
        }
    }
    // A comment that is not closed is none.
    output + &if depth > 0 { part } else { outside(&part) }
}

/// What stands in a comment.
fn comment(text: &str, words: &dyn Fn(&str) -> String) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut bare = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' { bare.extend(chars.next()) } else { bare.push(c) }
    }
    all_encoded(&bare, words)
}

/// Encodes all of a text but the encoded words in it.
fn all_encoded(text: &str, words: &dyn Fn(&str) -> String) -> String {
    around_words(text, is_encoded_in_name, |text, (is_behind_word, is_before_word)| {
        let blank = |is_there: bool| if is_there { " " } else { "" };
        words(&format!("{}{text}{}", blank(is_behind_word), blank(is_before_word)))
    })
}

/// Encodes text in as many encoded words as needed (RFC 2047), each on its own line, none with a
/// part of a character.
pub(super) fn words(charset: &str, text: &[u8]) -> String {
    let mut output = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let starts_character = |at: &usize| rest.get(*at).is_none_or(|octet| octet & 0xc0 != 0x80);
        let most = OCTETS.min(rest.len());
        let end = (1..=most).rev().find(starts_character).unwrap_or(most);
        let (now, later) = rest.split_at(end);
        let fold = if output.is_empty() { "" } else { "\r\n " };
        // Writing to a String cannot fail.
        let _ = write!(output, "{fold}=?{charset}?B?{}?=", STANDARD.encode(now));
        rest = later;
    }
    output
}

/// Decodes what others may have encoded, in UTF-8 or US-ASCII (RFC 2047 §6.2). Anything else stays
/// as it is.
pub(super) fn decoded(text: &str) -> String {
    let mut output = String::new();
    // Half a character may be in one word, and half in the next.
    let mut octets = Vec::new();
    let mut rest = text;
    let mut is_behind_word = false;
    while let Some((before, from_word)) = rest.split_once("=?") {
        // Blanks between two encoded words are no text.
        if !(is_behind_word && before.trim().is_empty()) {
            output += &String::from_utf8_lossy(&std::mem::take(&mut octets));
            output += before;
        }
        if let Some((word, behind)) = encoded_word(from_word) {
            octets.extend(word);
            (is_behind_word, rest) = (true, behind);
        } else {
            output += &String::from_utf8_lossy(&std::mem::take(&mut octets));
            output += "=?";
            (is_behind_word, rest) = (false, from_word);
        }
    }
    output + &String::from_utf8_lossy(&octets) + rest
}

/// The octets of an encoded word behind its `=?`, and what follows it.
fn encoded_word(text: &str) -> Option<(Vec<u8>, &str)> {
    let (charset, text) = text.split_once('?')?;
    let (encoding, text) = text.split_once('?')?;
    let (text, behind) = text.split_once("?=")?;
    let charset = charset.split('*').next().unwrap_or_default().to_ascii_lowercase();
    if !matches!(charset.as_str(), "utf-8" | "us-ascii") || text.contains(' ') {
        return None;
    }
    let octets = match encoding {
        "B" | "b" => STANDARD.decode(text).ok()?,
        "Q" | "q" => quoted(text)?,
        _ => return None,
    };
    Some((octets, behind))
}

/// The Q encoding (RFC 2047 §4.2).
fn quoted(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'_' => b' ',
            b'=' => {
                let digit = |octet: Option<u8>| char::from(octet?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            octet => octet,
        });
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_are_decoded_and_what_is_none_stays() {
        for (text, expected) in [
            ("hello", "hello"),
            ("=?UTF-8?Q?Gr=C3=BC=C3=9Fe_aus?= K", "Gr\u{fc}\u{df}e aus K"),
            ("a =?utf-8?B?R3LD?=  =?utf-8?B?vMOfZQ==?= b", "a Gr\u{fc}\u{df}e b"),
            ("=?us-ascii*en?q?a=3D?=", "a="),
            ("=?iso-8859-1?q?=FC?= x", "=?iso-8859-1?q?=FC?= x"),
            ("=?utf-8?q?=F?= =?utf-8?x?a?= =?", "=?utf-8?q?=F?= =?utf-8?x?a?= =?"),
            ("=?utf-8?b?/w==?=!", "\u{fffd}!"),
        ] {
            assert_eq!(decoded(text), expected, "{text}");
        }
    }

    #[test]
    fn unstructured_text_reads_as_before() {
        for text in [
            "hello".to_owned(),
            "Gr\u{fc}\u{df}e".to_owned(),
            "Re: Gr\u{fc}\u{df}e aus K\u{f6}ln to all of you".to_owned(),
            "\u{5199}\u{771f} ".repeat(200),
        ] {
            let encoded = unstructured(text.as_bytes());
            assert!(encoded.is_ascii(), "{encoded}");
            assert!(encoded.split("\r\n").all(|line| line.len() <= 76), "{encoded}");
            let words = encoded.split_whitespace().filter(|word| word.starts_with("=?"));
            assert!(words.clone().all(|word| word.len() <= 75 && decoded(word) != word));
            assert_eq!(decoded(&encoded.replace("\r\n ", " ")), text);
        }
        let encoded = unstructured("Re: Gr\u{fc}\u{df}e aus K\u{f6}ln to you".as_bytes());
        assert!(
            encoded.starts_with("Re: =?utf-8?B?") && encoded.ends_with("?= to you"),
            "{encoded}"
        );
        assert_eq!(unstructured(b"caf\xe9"), "=?unknown-8bit?B?Y2Fm6Q==?=");
    }

    #[test]
    fn names_are_encoded_and_addresses_are_not() {
        for (list, expected) in [
            ("a@x, \"B, c\" <b@x>", "a@x, \"B, c\" <b@x>"),
            ("J\u{f6}rg <j@x>,a@x", "=?utf-8?B?SsO2cmc=?= <j@x>,a@x"),
            ("a@x, \"J\u{f6}, \\\"r\\\"\" <j@x>", "a@x, =?utf-8?B?SsO2LCAiciI=?= <j@x>"),
            ("j@x (J\u{f6}rg), b@x (Bob)", "j@x (=?utf-8?B?SsO2cmc=?=), b@x (Bob)"),
            (
                "K\u{f6}ln: a@x, J\u{f6}rg <j@x>;",
                "=?utf-8?B?S8O2bG4=?= : a@x, =?utf-8?B?SsO2cmc=?= <j@x>;",
            ),
            ("j\u{f6}rg@x, <\u{fc}@x>", "j\u{f6}rg@x, <\u{fc}@x>"),
            ("a@[IPv6:::1], \"a:b\u{fc}\"@x", "a@[IPv6:::1], \"a:b\u{fc}\"@x"),
            ("broken <\u{fc}", "broken <\u{fc}"),
            // Whatever looks like an encoded word in quotes, or would end the name, is none.
            ("\"=?x?Q?,e@x,?= \u{fc}\" <a@x>", "=?utf-8?B?PT94P1E/LGVAeCw/PSDDvA==?= <a@x>"),
            ("=?x?Q?(?= \u{fc} <a@x>", "=?x?Q?(?= \u{fc} <a@x>"),
            ("\"(\u{fc}\" <a@x>", "=?utf-8?B?KMO8?= <a@x>"),
            ("(p) m@x (B\u{fc}), b@x", "(p) m@x (=?utf-8?B?QsO8?=), b@x"),
            ("\"x(\u{fc}\"@x (c)", "\"x(\u{fc}\"@x (c)"),
            ("a@x (\u{fc}\\) y)", "a@x (=?utf-8?B?w7wpIHk=?=)"),
            ("a@x (b (\u{fc}) c)", "a@x (=?utf-8?B?YiAow7wpIGM=?=)"),
            ("J (x) \u{fc} <a@x>", "J (x) =?utf-8?B?w7w=?= <a@x>"),
        ] {
            let encoded = String::from_utf8(address_list(list.as_bytes())).unwrap();
            assert_eq!(encoded, expected);
        }
        let list = b"J\xf6rg <j\xf6@x>, a@x (\xfc), \"B, c\" <b@x>";
        let expected =
            b"=?unknown-8bit?B?SvZyZw==?= <j\xf6@x>, a@x (=?unknown-8bit?B?/A==?=), \"B, c\" <b@x>";
        assert_eq!(address_list(list), expected);
    }

    #[test]
    fn what_is_encoded_already_stays_and_no_blank_is_lost_beside_it() {
        let latin = "=?iso-8859-1?Q?=E4?=";
        for (text, expected) in [
            ("=?utf-8?Q?=C3=A4?= \u{fc}", "\u{e4} \u{fc}"),
            ("\u{fc} =?utf-8?Q?=C3=A4?=", "\u{fc} \u{e4}"),
            ("\u{fc} =?utf-8?Q?=C3=A4?= and \u{fc} b", "\u{fc} \u{e4} and \u{fc} b"),
            ("=?utf-8?Q?a?= =?utf-8?Q?b?= \u{fc}", "ab \u{fc}"),
            ("=?x \u{fc} ?=", "=?x \u{fc} ?="),
            ("=?utf-8?Q?a?=\t\u{fc}", "a \u{fc}"),
            ("\u{fc}  =?utf-8?Q?a?=", "\u{fc} a"),
            ("=?utf-8?Q?a?=  =?utf-8?Q?b?= \u{fc}", "ab \u{fc}"),
        ] {
            let encoded = unstructured(text.as_bytes());
            assert!(encoded.is_ascii(), "{encoded}");
            assert_eq!(decoded(&encoded), expected, "{encoded}");
            let list = format!("{text} <a@x>");
            let encoded = String::from_utf8(address_list(list.as_bytes())).unwrap();
            assert_eq!(decoded(&encoded), format!("{expected} <a@x>"), "{encoded}");
        }
        for encoded in
            [unstructured(format!("{latin} \u{fc}").as_bytes()), unstructured(latin.as_bytes())]
        {
            assert!(encoded.starts_with(latin), "{encoded}");
        }
    }
}
