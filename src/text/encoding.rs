//! Percent-encoding and numbers, as our files hold them. The encoding is our own because a line of a
//! journal that this program did not write is damage: a crate that decodes leniently would accept it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Writes octets as text without blanks or slashes, as in a URL: for names and journal fields.
pub fn percent_encoded(octets: &[u8]) -> Cow<'_, str> {
    let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"@._-+=,!~$".contains(octet);
    if let Ok(text) = str::from_utf8(octets)
        && octets.iter().all(is_plain)
    {
        return text.into();
    }
    let mut text = String::with_capacity(octets.len());
    for &octet in octets {
        if is_plain(&octet) {
            text.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{octet:02X}");
        }
    }
    text.into()
}

/// Undoes [`percent_encoded`]; `None` if the text was not written by it.
pub fn percent_decoded(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    // All octets are looked at, many at a time.
    if text.iter().fold(0, |found, &octet| found | u8::from(octet == b'%')) == 0 {
        return Some(text.into());
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first == b'%' {
            let (digits, tail) = rest.split_first_chunk::<2>()?;
            // A sign is no digit, although `from_str_radix` takes one.
            let digits = digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)?;
            octets.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
            rest = tail;
        } else {
            octets.push(first);
        }
    }
    Some(octets.into())
}

/// A decimal number: digits and nothing else. `None` for anything else, and for a number beyond 64
/// bits.
pub fn number(digits: &[u8]) -> Option<u64> {
    leading_number(digits).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number)
}

/// The decimal number at the start of a text, and the text behind its digits. `None` if there is no
/// digit, or for a number beyond 64 bits.
pub fn leading_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let (mut number, mut end) = (0_u64, 0);
    for digit in text.iter().map(|octet| octet.wrapping_sub(b'0')).take_while(|digit| *digit < 10) {
        // Whatever has no more digits than that fits.
        number = if end < 19 {
            number.wrapping_mul(10).wrapping_add(u64::from(digit))
        } else {
            number.checked_mul(10)?.checked_add(u64::from(digit))?
        };
        end += 1;
    }
    let rest = text.get(end..).filter(|_| end > 0)?;
    Some((number, rest))
}
