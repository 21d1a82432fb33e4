//! Files of aliases, as sendmail(8) and msmtp have them.

use std::collections::{BTreeSet, HashMap};

use super::document::Aliases;
use super::source::Source;
use crate::text::{LocalName, Mailbox, shown};

/// The names of a file of aliases (`name: address, ...`), and comments on those that are not carried
/// over. A name that stands for another is looked up.
pub(super) fn aliases(source: &Source) -> (Aliases, Vec<String>) {
    let (mut named, mut remarks) = (HashMap::new(), Vec::new());
    for (number, line) in source.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((name, targets)) = line.split_once(':').filter(|_| !line.trim().is_empty()) else {
            continue;
        };
        let targets: Vec<_> = targets.split(',').map(str::trim).collect();
        named.insert(name.trim(), (number, targets));
    }
    let mut found = Aliases::new();
    let sorted: BTreeSet<_> = named.keys().copied().collect();
    for name in sorted {
        let Some((number, _)) = named.get(name) else { continue };
        let key = if name == "default" { "*" } else { name };
        let mut addresses = Vec::new();
        let is_known = key == "*" || key.parse::<LocalName>().is_ok();
        if is_known && resolve(name, &named, 0, &mut addresses) && !addresses.is_empty() {
            addresses.dedup();
            found.insert(key.to_owned(), addresses);
        } else {
            remarks.push(format!(
                "alias {} ({}, line {number}): only addresses with a domain can get mail here",
                shown(name),
                source.path.display()
            ));
        }
    }
    (found, remarks)
}

/// The addresses that a name stands for; whether all of them are addresses.
fn resolve(
    name: &str,
    named: &HashMap<&str, (usize, Vec<&str>)>,
    depth: usize,
    addresses: &mut Vec<String>,
) -> bool {
    let Some((_, targets)) = named.get(name).filter(|_| depth < 8) else { return false };
    targets.iter().all(|target| match target.parse::<Mailbox>() {
        Ok(mailbox) => {
            addresses.push(mailbox.as_str().to_owned());
            true
        }
        Err(_) => resolve(target, named, depth + 1, addresses),
    })
}
