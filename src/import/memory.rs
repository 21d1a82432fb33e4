//! What other programs remember of the messages that they have fetched: mpop's uidls files, getmail's
//! oldmail files, fetchmail's .fetchids. A file that is torn is an error, as a part of it would let
//! messages be fetched twice.

use std::ops::Range;

use super::source::Source;
use crate::error::Error;
use crate::text::{Uid, number};

/// The kind of a file, found out from what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// mpop's: a line with number, host and user, then as many unique-ids, since 1.4.23 with times.
    Uidls,
    /// getmail's: a unique-id, a NUL and the time on each line.
    Oldmail,
    /// fetchmail's: user, `@`, host, a blank and a unique-id on each line.
    Fetchids,
}

/// The unique-ids of one maildrop.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct List {
    /// User and host, if the file says them.
    pub(super) owner: Option<(String, String)>,
    pub(super) uids: Vec<Uid>,
}

/// Returns the kind of memory that a file is; `None` if it is none.
pub(super) fn kind(source: &Source) -> Option<Kind> {
    let mut lines = lines(&source.octets).map(|(_, line)| line);
    let is_remark = |line: &&[u8]| line.starts_with(b"#");
    if source.octets.starts_with(b"#") {
        let mut lines = lines.skip_while(is_remark);
        let is_uidls = match lines.next() {
            Some(line) => head(line).is_some(),
            None => find(&source.octets, b"begin a new UID list").is_some(),
        };
        return is_uidls.then_some(Kind::Uidls);
    }
    let first = lines.next()?;
    if oldmail(first).is_some() {
        Some(Kind::Oldmail)
    } else if head(first).is_some() {
        Some(Kind::Uidls)
    } else {
        // The first word of a configuration's line has no `@`, and there may be passwords behind it.
        let ((user, _), _) = fetchids(first)?;
        let is_sure = !user.contains(' ') || source.is_called("fetchids");
        is_sure.then_some(Kind::Fetchids)
    }
}

/// The lists of a file of this kind.
pub(super) fn read(source: &Source, kind: Kind) -> Result<Vec<List>, Error> {
    if !source.octets.ends_with(b"\n") {
        let last = lines(&source.octets).count();
        return Err(source.wrong(last, "half a line: the file is torn"));
    }
    match kind {
        Kind::Uidls => uidls(source),
        Kind::Oldmail => {
            let mut uids = Vec::new();
            for (number, line) in lines(&source.octets) {
                let uid = oldmail(line).and_then(Uid::new);
                uids.push(
                    uid.ok_or_else(|| source.wrong(number, "not a line of an oldmail file"))?,
                );
            }
            Ok(vec![List { owner: None, uids }])
        }
        Kind::Fetchids => {
            let mut lists: Vec<List> = Vec::new();
            for (number, line) in lines(&source.octets) {
                let found = fetchids(line).and_then(|(owner, uid)| Some((owner, Uid::new(uid)?)));
                let wrong = || source.wrong(number, "not a line of .fetchids: USER@HOST UID");
                let (owner, uid) = found.ok_or_else(wrong)?;
                match lists.last_mut().filter(|list| list.owner.as_ref() == Some(&owner)) {
                    Some(list) => list.uids.push(uid),
                    None => lists.push(List { owner: Some(owner), uids: vec![uid] }),
                }
            }
            Ok(lists)
        }
    }
}

fn uidls(source: &Source) -> Result<Vec<List>, Error> {
    let mut lists = Vec::new();
    let mut lines = lines(&source.octets).filter(|(_, line)| !line.starts_with(b"#"));
    while let Some((at, line)) = lines.next() {
        let wrong = || source.wrong(at, "expected the number of unique-ids, a host and a user");
        let (count, owner) = head(line).ok_or_else(wrong)?;
        let mut found = Vec::new();
        let mut last = at;
        for _ in 0..count {
            match lines.next() {
                Some((number, line)) if !line.starts_with(b" ") && !line.is_empty() => {
                    last = number;
                    found.push((number, line));
                }
                _ => return Err(source.wrong(last, "too few unique-ids follow: the file is torn")),
            }
        }
        // Since 1.4.23 each line ends in the time when the message was first seen.
        let has_times = !found.is_empty() && found.iter().all(|(_, line)| timed(line).is_some());
        let uid = |&(at, line): &(usize, &[u8])| {
            let uid = if has_times { timed(line) } else { Some(line) };
            uid.and_then(Uid::new).ok_or_else(|| source.wrong(at, "not a unique-id"))
        };
        let uids = found.iter().map(uid).collect::<Result<_, _>>()?;
        lists.push(List { owner: Some(owner), uids });
    }
    Ok(lists)
}

/// ` NUMBER HOST USER`.
fn head(line: &[u8]) -> Option<(usize, (String, String))> {
    let line = str::from_utf8(line.strip_prefix(b" ")?).ok()?;
    let mut words = line.split(' ');
    let (count, host, user) = (words.next()?, words.next()?, words.next()?);
    let is_whole = words.next().is_none() && !host.is_empty() && !user.is_empty();
    let count = count.parse().ok().filter(|count| *count > 0 && is_whole)?;
    Some((count, (user.to_owned(), host.to_owned())))
}

/// The unique-id before a time.
fn timed(line: &[u8]) -> Option<&[u8]> {
    let at = line.iter().rposition(|&octet| octet == b' ')?;
    number(line.get(at + 1..)?)?;
    line.get(..at).filter(|uid| !uid.is_empty())
}

/// The unique-id of a line of an oldmail file. Before 4.22 it stood behind server and mailbox.
fn oldmail(line: &[u8]) -> Option<&[u8]> {
    let at = line.iter().position(|&octet| octet == 0)?;
    number(line.get(at + 1..)?)?;
    let uid = line.get(..at)?;
    let mut parts = uid.splitn(3, |&octet| octet == b'/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(_), Some(last)) if !last.contains(&b'/') => Some(last),
        _ => Some(uid),
    }
}

/// User, host and unique-id of a line of .fetchids. A user's name may hold an `@`, and blanks before it.
fn fetchids(line: &[u8]) -> Option<((String, String), &[u8])> {
    let line = str::from_utf8(line).ok()?;
    let at = line.find('@')?;
    let blank = at + line.get(at..)?.find(' ')?;
    let (name, uid) = (line.get(..blank)?, line.get(blank + 1..)?);
    let (user, host) = name.rsplit_once('@')?;
    let is_clean = !line.contains(char::is_control);
    let is_whole = is_clean && !user.is_empty() && !host.is_empty() && !uid.is_empty();
    is_whole.then(|| ((user.to_owned(), host.to_owned()), uid.as_bytes()))
}

/// Lines without their ends, numbered from 1.
fn lines(octets: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let whole = octets.strip_suffix(b"\n").unwrap_or(octets);
    (1..).zip(whole.split(|&octet| octet == b'\n')).filter(|_| !octets.is_empty())
}

fn find(octets: &[u8], word: &[u8]) -> Option<Range<usize>> {
    let at = octets.windows(word.len()).position(|found| found == word)?;
    Some(at..at + word.len())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn source(text: &[u8]) -> Source {
        Source::of(Path::new("memory"), text.to_vec())
    }

    type Found = Vec<(Option<(String, String)>, Vec<String>)>;

    fn lists(text: &[u8]) -> Result<Found, String> {
        let source = source(text);
        let kind = kind(&source).ok_or("no memory")?;
        let lists = read(&source, kind).map_err(|error| error.to_string())?;
        let uids = |list: List| list.uids.iter().map(ToString::to_string).collect();
        Ok(lists.into_iter().map(|list| (list.owner.clone(), uids(list))).collect())
    }

    fn owner(user: &str) -> (String, String) {
        (user.to_owned(), "pop.example.com".to_owned())
    }

    #[test]
    fn uidls_are_read_in_both_forms() {
        let head = "# This file was generated by mpop version 1.4.18.\n#\n# Lines starting with a \
                    space begin a new UID list and have\n";
        let old = format!("{head} 2 pop.example.com ann\na1\nb 2\n 1 pop.example.com bob\nc3\n");
        let found = lists(old.as_bytes()).unwrap();
        assert_eq!(found[0], (Some(owner("ann")), vec!["a1".to_owned(), "b 2".to_owned()]));
        assert_eq!(found[1], (Some(owner("bob")), vec!["c3".to_owned()]));
        let new = format!("{head} 2 pop.example.com ann\na1 1785000000\nb 2 1785000001\n");
        assert_eq!(lists(new.as_bytes()).unwrap()[0].1, ["a1", "b 2"]);
        assert_eq!(lists(head.as_bytes()).unwrap(), []);
    }

    #[test]
    fn oldmail_and_fetchids_are_read() {
        let oldmail = b"a1\x001785000000\nserver/box/b2\x001785000001\n";
        assert_eq!(lists(oldmail).unwrap(), [(None, vec!["a1".to_owned(), "b2".to_owned()])]);
        let ids = b"ann@pop.example.com a1\nann@pop.example.com b 2\nbob@x@pop.example.com c\n";
        let found = lists(ids).unwrap();
        assert_eq!(found[0], (Some(owner("ann")), vec!["a1".to_owned(), "b 2".to_owned()]));
        assert_eq!(found[1], (Some(owner("bob@x")), vec!["c".to_owned()]));
        let ids = b"ann@pop.example.com a\nbob b@pop.example.com b 2\n";
        assert_eq!(lists(ids).unwrap()[1], (Some(owner("bob b")), vec!["b 2".to_owned()]));
    }

    #[test]
    fn what_is_torn_is_an_error_with_its_line() {
        for (text, line) in [
            (&b" 3 pop.example.com ann\na1\nb2\n"[..], "memory:3: too few"),
            (b" 2 pop.example.com ann\na1\nb", "memory:3: half a line"),
            (b" 2 pop.example.com ann\na1\n 1 pop.example.com bob\nx\n", "memory:2: too few"),
            (b"a1\x001785000000\nb2\x00", "memory:2: half a line"),
            (b"a1\x001785000000\nb2\n", "memory:2: not a line"),
            (b"ann@pop.example.com a1\nann@pop\n", "memory:2: not a line"),
            (b"ann@pop.example.com a1\nann@pop.example.com \x01\n", "memory:2: not a line"),
        ] {
            let error = lists(text).unwrap_err();
            assert!(error.starts_with(line), "{error}");
        }
        let rc = b"poll pop.example.com user ann password not-a-secret@home ssl\n";
        for text in [&rc[..], b"", b"\n", b"hello\n", b"a@b\n", b"\0\0\0", b"#!/bin/sh\necho\n"] {
            assert!(lists(text).is_err(), "{text:?}");
        }
    }
}
