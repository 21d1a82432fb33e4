//! The file of `aliases-file`: names and their targets in sendmail's format (aliases(5)), as far as
//! the targets are addresses or other names.

use std::collections::{BTreeMap, HashSet};

use indexmap::IndexSet;

use super::Aliases;
use crate::limits;
use crate::text::{Address, LocalName, Mailbox, shown};

/// A line, counted from 1, and the fault there.
type Finding = (usize, String);

/// The entries of the file, by name in lower case.
#[derive(Debug)]
pub(super) struct AliasFile(BTreeMap<String, Entry>);

/// A name and its targets. Lines are counted from 1.
#[derive(Debug)]
struct Entry {
    line: usize,
    targets: Vec<(usize, Address)>,
}

/// Beginnings of targets that mean something else than an address, with what they mean.
const OTHERS: [(char, &str); 4] = [
    ('|', "runs a program"),
    ('/', "is a file"),
    (':', "is an instruction to a mail server"),
    ('\\', "is a mailbox on this machine"),
];

impl AliasFile {
    /// Parses the file. A line that begins with a blank continues the one before.
    ///
    /// # Errors
    ///
    /// Returns the first fault with its line.
    pub(super) fn parse(text: &str) -> Result<Self, Finding> {
        let mut entries = BTreeMap::<String, Entry>::new();
        let mut last: Option<String> = None;
        for (line, text) in (1..).zip(text.lines()) {
            if text.trim_ascii().is_empty() || text.trim_ascii_start().starts_with('#') {
                continue;
            }
            let wrong = |what: String| (line, what);
            let targets = if text.starts_with([' ', '\t']) {
                text
            } else {
                let (name, targets) = divided(text, ':').ok_or_else(|| {
                    wrong(format!("expected `name: address`, found `{}`", shown(text)))
                })?;
                let name = name_of(name).map_err(wrong)?;
                if let Some(Entry { line: first, .. }) = entries.get(&name) {
                    return Err(wrong(format!("`{}` is on line {first}, too", shown(&name))));
                }
                entries.insert(name.clone(), Entry { line, targets: Vec::new() });
                last = Some(name);
                targets
            };
            let entry = last.as_ref().and_then(|name| entries.get_mut(name));
            let entry = entry.ok_or_else(|| wrong("it continues no line".to_owned()))?;
            let mut rest = targets;
            while !rest.is_empty() {
                let (target, others) = divided(rest, ',').unwrap_or((rest, ""));
                rest = others;
                if !target.trim_ascii().is_empty() {
                    entry.targets.push((line, target_of(target).map_err(wrong)?));
                }
            }
        }
        match entries.iter().find(|(_, entry)| entry.targets.is_empty()) {
            Some((name, entry)) => Err((entry.line, format!("`{}` has no address", shown(name)))),
            None => Ok(Self(entries)),
        }
    }

    /// The addresses of each name, through other names, here and in `[aliases]`.
    ///
    /// # Errors
    ///
    /// Returns the first target that leads nowhere or back to its own name, with its line.
    pub(super) fn resolved(&self, known: &Aliases) -> Result<Vec<(String, Vec<Mailbox>)>, Finding> {
        let mut resolved = Vec::with_capacity(self.0.len());
        for (name, entry) in &self.0 {
            let mut way = Way { trail: vec![name], done: HashSet::new(), found: IndexSet::new() };
            self.expand(entry, known, &mut way)?;
            resolved.push((name.clone(), way.found.into_iter().collect()));
        }
        Ok(resolved)
    }

    /// Adds the addresses of an entry.
    fn expand<'a>(
        &'a self,
        entry: &'a Entry,
        known: &Aliases,
        way: &mut Way<'a>,
    ) -> Result<(), Finding> {
        for (line, target) in &entry.targets {
            let name = match target {
                Address::Mailbox(mailbox) => {
                    way.found.insert(mailbox.clone());
                    continue;
                }
                Address::Local(name) => name,
            };
            let wrong = |what: &str| (*line, format!("`{}` {what}", shown(name.as_str())));
            let next = self.0.get_key_value(&name.as_str().to_ascii_lowercase());
            if let Some(mailboxes) = known.named(name) {
                way.found.extend(mailboxes.iter().cloned());
            } else if let Some((key, next)) = next {
                if way.trail.contains(&key.as_str()) {
                    return Err(wrong("leads back to itself"));
                }
                // Of a name that was expanded before, all addresses are there.
                if way.done.insert(key) {
                    if way.trail.len() >= limits::ALIAS_DEPTH {
                        return Err(wrong("is behind too many other names"));
                    }
                    way.trail.push(key);
                    self.expand(next, known, way)?;
                    way.trail.pop();
                }
            } else if let Some(mailboxes) = known.others() {
                way.found.extend(mailboxes.iter().cloned());
            } else {
                return Err(wrong("has no domain and no entry, here or in [aliases]"));
            }
            if way.found.len() > limits::ALIAS_ADDRESSES {
                return Err(wrong("stands for too many addresses"));
            }
        }
        Ok(())
    }
}

/// The expansion of one name.
struct Way<'a> {
    /// The names that led to the present one, none of them twice.
    trail: Vec<&'a str>,
    /// The names that were expanded, or are being expanded.
    done: HashSet<&'a str>,
    found: IndexSet<Mailbox>,
}

/// Divides a text at the first `separator` that is not between quotation marks.
fn divided(text: &str, separator: char) -> Option<(&str, &str)> {
    let mut is_quoted = false;
    let at = text.find(|c| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    })?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.strip_prefix(separator)?))
}

/// A name, in lower case.
fn name_of(text: &str) -> Result<String, String> {
    match unquoted(text).parse::<LocalName>() {
        // In [aliases] this would mean every name.
        Ok(name) if name.as_str() != Aliases::OTHERS => Ok(name.as_str().to_ascii_lowercase()),
        _ => Err(format!("expected a name without a domain, found `{}`", shown(text))),
    }
}

fn target_of(text: &str) -> Result<Address, String> {
    let target = unquoted(text);
    let other = OTHERS.iter().find(|(begin, _)| target.starts_with(*begin));
    if let Some((_, meaning)) = other {
        let target = shown(target);
        return Err(format!("`{target}` {meaning}: expected an address or another name"));
    }
    // Quotation marks may be part of an address.
    let address = text.trim_ascii().parse().or_else(|_| target.parse::<Address>());
    address.map_err(|error| error.to_string())
}

/// A text without blanks and quotation marks around it.
fn unquoted(text: &str) -> &str {
    let text = text.trim_ascii();
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.map_or(text, str::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str, known: &str) -> Result<String, Finding> {
        let known: Aliases = toml::from_str(known).unwrap();
        let resolved = AliasFile::parse(text)?.resolved(&known)?;
        let line = |(name, mailboxes): &(String, Vec<Mailbox>)| {
            let mailboxes = mailboxes.iter().map(Mailbox::as_str).collect::<Vec<_>>();
            format!("{name}={}", mailboxes.join(","))
        };
        Ok(resolved.iter().map(line).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn names_lead_to_addresses_through_other_names() {
        let text = "# comment\n\nPostmaster:\troot\nroot: ann@example.com,\n\n  # another\n\t\
                    \"bob b\"@example.net , Webmaster\n\"webmaster\": ann@example.com, other\n";
        assert_eq!(
            resolved(text, "other = 'eve@example.org'\nroot2 = 'x@example.com'").unwrap(),
            "postmaster=ann@example.com,\"bob b\"@example.net,eve@example.org \
             root=ann@example.com,\"bob b\"@example.net,eve@example.org \
             webmaster=ann@example.com,eve@example.org"
        );
        // [aliases] comes first; its `*` comes last.
        assert_eq!(
            resolved("a: b, c\nb: b@example.com\n", "B = 'x@x.example'\n'*' = 'y@x.example'"),
            Ok("a=x@x.example,y@x.example b=b@example.com".to_owned())
        );
        assert_eq!(resolved("", ""), Ok(String::new()));
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_line() {
        for (text, line, what) in [
            ("a: x@x.example\nb: |/bin/cat\n", 2, "`|/bin/cat` runs a program: expected"),
            ("a: \"|/bin/cat a, b\"", 1, "`|/bin/cat a, b` runs a program"),
            ("a: x@x.example,\n  /dev/null", 2, "`/dev/null` is a file"),
            ("a: :include:/etc/list", 1, "`:include:/etc/list` is an instruction"),
            ("a: \\a", 1, "`\\a` is a mailbox on this machine"),
            ("a: b\n", 1, "`b` has no domain and no entry, here or in [aliases]"),
            ("a: x@x.example\n\nb@x.example: x@x.example", 3, "expected a name without a domain"),
            ("*: x@x.example", 1, "expected a name without a domain, found `*`"),
            ("a x@x.example", 1, "expected `name: address`"),
            (" x@x.example", 1, "it continues no line"),
            ("# none\na:\nb: x@x.example", 2, "`a` has no address"),
            ("a: x@x.example\nA: y@x.example", 2, "`a` is on line 1, too"),
            ("a: not an address", 1, "not an address"),
            ("a: a", 1, "`a` leads back to itself"),
            ("a: b\nb: c\nc: x@x.example, a", 3, "`a` leads back to itself"),
        ] {
            let (at, found) = resolved(text, "").expect_err(text);
            assert!(at == line && found.contains(what), "{text}: {at}: {found}");
        }
    }

    #[test]
    fn a_long_way_or_a_crowd_has_a_bound() {
        let mut chain = String::new();
        for number in 0..limits::ALIAS_DEPTH + 2 {
            chain += &format!("a{number}: a{}\n", number + 1);
        }
        let (_, what) = resolved(&chain, "'*' = 'x@x.example'").unwrap_err();
        assert!(what.contains("behind too many other names"), "{what}");
        // Each name stands for the next a hundred times, and all of them for one address.
        let mut fan = String::new();
        for number in 1..limits::ALIAS_DEPTH {
            fan += &format!("a{number}: {}\n", format!("a{}, ", number + 1).repeat(100));
        }
        fan += &format!("a{}: x@x.example\n", limits::ALIAS_DEPTH);
        let fan = resolved(&fan, "").unwrap();
        assert!(fan.split(' ').all(|entry| entry.ends_with("=x@x.example")), "{fan}");
        let crowd: Vec<_> =
            (0..=limits::ALIAS_ADDRESSES).map(|number| format!("x{number}@x.example")).collect();
        let text = format!("a: b\nb: {}", crowd.join(", "));
        let (_, what) = resolved(&text, "").unwrap_err();
        assert!(what.contains("too many addresses"), "{what}");
    }
}
