//! Secrets that were sent, masked in whatever the server says: in clear, and in base64 (RFC 4648 §4) at
//! any place among other octets.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

/// Octets of the shortest secret that is in a name by no chance.
const CHANCE: usize = 12;

/// The replacement for a secret.
pub(super) const MASK: &[u8] = b"****";

/// The secrets of a conversation. There are few of them, and they are not told apart.
#[derive(Default)]
pub(crate) struct Secrets {
    /// Passwords, tokens, and responses as they were sent.
    plain: Vec<Zeroizing<Vec<u8>>>,
    /// For each secret, the parts of its base64 form that do not depend on what surrounds it.
    encoded: Vec<Zeroizing<Vec<u8>>>,
}

impl Secrets {
    /// Adds a password or token.
    pub(crate) fn add(&mut self, secret: &str) {
        self.add_response(secret);
        // Three octets are four characters, so it may begin in one of three places.
        for (before, start) in [(&[][..], 0), (&[0], 2), (&[0, 0], 3)] {
            let octets = Zeroizing::new([before, secret.as_bytes()].concat());
            let certain = octets.len() * 8 / 6;
            let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(&octets));
            let encoded = encoded.as_bytes().get(start..certain).unwrap_or_default();
            // Less than this would be found in any word.
            if encoded.len() >= 4 {
                insert(&mut self.encoded, encoded);
            }
        }
    }

    /// Adds what is secret in itself as it is sent, such as a SASL response in base64.
    pub(crate) fn add_response(&mut self, response: &str) {
        if !response.is_empty() {
            insert(&mut self.plain, response.as_bytes());
        }
    }

    /// Returns whether a name that a server chose has a whole secret in it. A short one may be there by
    /// chance.
    pub(crate) fn are_in(&self, name: &[u8]) -> bool {
        let is_in = |name: &[u8], secret: &[u8]| {
            secret.len() >= CHANCE
                && runs(name, secret).any(|(start, end)| end - start == secret.len())
        };
        let usual = usual(name);
        self.plain.iter().any(|secret| is_in(name, secret))
            || self.encoded.iter().any(|secret| is_in(&usual, secret))
    }

    /// A server's line, or several, without the secrets. The status at the start of each line stays.
    pub(crate) fn mask<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        if self.plain.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut hidden = Vec::new();
        for secret in &self.plain {
            let is_short = secret.len() < 4;
            hidden.extend(runs(text, secret).filter(|&(start, end)| {
                !is_short || (!is_word(text, start.wrapping_sub(1)) && !is_word(text, end))
            }));
        }
        let usual = usual(text);
        for secret in &self.encoded {
            // What stands around it may hold the rest of its bits.
            hidden.extend(runs(&usual, secret).map(|(start, end)| {
                let before = usual.iter().take(start).rev().take_while(|octet| is_base64(**octet));
                let behind = usual.iter().skip(end).take_while(|octet| is_base64(**octet));
                (start - before.count(), end + behind.count())
            }));
        }
        if hidden.is_empty() {
            return Cow::Borrowed(text);
        }
        hidden.sort_unstable();
        let mut masked = Vec::with_capacity(text.len());
        let mut at = 0;
        for (start, end) in hidden {
            if end <= at {
                continue;
            }
            if start >= at {
                masked.extend_from_slice(text.get(at..start).unwrap_or_default());
                masked.extend_from_slice(MASK);
            }
            at = end;
        }
        masked.extend_from_slice(text.get(at..).unwrap_or_default());
        Cow::Owned(masked)
    }
}

/// A text in which base64 has the usual alphabet: of the two, one is looked for.
fn usual(text: &[u8]) -> Vec<u8> {
    let usual = |octet: &u8| match octet {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    };
    text.iter().map(usual).collect()
}

fn insert(known: &mut Vec<Zeroizing<Vec<u8>>>, secret: &[u8]) {
    if !known.iter().any(|one| one.as_slice() == secret) {
        known.push(Zeroizing::new(secret.to_owned()));
    }
}

/// The positions of a secret, or of the beginning of a long one: servers cut short what they echo.
fn runs(text: &[u8], secret: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    const ENOUGH: usize = 12;
    let beginning = secret.get(..ENOUGH).unwrap_or(secret);
    memchr::memmem::find_iter(text, beginning).map(move |start| {
        let rest = text.iter().skip(start).zip(secret);
        (start, start + rest.take_while(|(one, other)| one == other).count())
    })
}

fn is_word(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_alphanumeric)
}

fn is_base64(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"+/=".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    fn masked(secret: &str, text: &str) -> String {
        let mut secrets = Secrets::default();
        secrets.add(secret);
        String::from_utf8(secrets.mask(text.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn a_secret_is_masked_as_it_is_and_nothing_else_is() {
        let said = masked("not-a-secret", "-ERR not-a-secret: not-a-secretnot-a-secret no");
        assert_eq!(said, "-ERR ****: ******** no");
        assert_eq!(masked("not-a-secret", "-ERR wrong password"), "-ERR wrong password");
        assert_eq!(masked("ERR", "-ERRATIC ERR errors"), "-ERRATIC **** errors");
        assert_eq!(masked("wörd\u{200b}", "535 wörd\u{200b}."), "535 ****.");
    }

    #[test]
    fn a_secret_is_masked_in_base64_wherever_it_begins_in_either_alphabet() {
        for secret in ["not-a-secret", "p\u{ff}\u{3ff}~~??>>", "four", "\u{fffd}\u{fffd}"] {
            for before in ["", "a", "ab", "abc", "\0ann\0", "\0tim@example.com\0"] {
                for behind in ["", "x", "xy", "\0"] {
                    let text = format!("{before}{secret}{behind}");
                    for encoded in [STANDARD.encode(&text), URL_SAFE.encode(&text)] {
                        let said = masked(secret, &format!("-ERR no user <{encoded}> here"));
                        assert_eq!(said, "-ERR no user <****> here", "{text:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_name_that_has_a_secret_in_it_is_told_from_one_that_has_a_short_one_by_chance() {
        let is_in = |secret: &str, name: &str| {
            let mut secrets = Secrets::default();
            secrets.add(secret);
            secrets.are_in(name.as_bytes())
        };
        assert!(is_in("not-a-secret", "<not-a-secret>"));
        assert!(is_in("not-a-secret", &URL_SAFE.encode("\0ann\0not-a-secret")));
        for name in ["not-a-secre", "000000015f3a9c00", "YW5u", ""] {
            assert!(!is_in("not-a-secret", name) && !is_in("00000001", name), "{name}");
        }
    }

    #[test]
    fn what_is_cut_off_is_masked_as_far_as_it_goes() {
        let token = "0123456789abcdefghijklmnopqrstuvwxyz".repeat(20);
        let said = masked(&token, &format!("535 bad token {}", &token[..300]));
        assert_eq!(said, "535 bad token ****");
        let encoded = STANDARD.encode(format!("auth=Bearer {token}"));
        assert_eq!(masked(&token, &format!("535 {}", &encoded[..200])), "535 ****");
    }

    #[test]
    fn a_response_is_masked_as_it_was_sent() {
        let mut secrets = Secrets::default();
        secrets.add_response("biwsbj1hbm4=");
        assert_eq!(secrets.mask(b"535 biwsbj1hbm4=?").as_ref(), b"535 ****?");
    }
}
