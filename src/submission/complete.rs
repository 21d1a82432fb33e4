//! What a message lacks before it can be submitted: its date, its identifier, its author.

use indexmap::IndexMap;

use crate::compose;
use crate::config::RewriteFrom;
use crate::message::Message;
use crate::settings::{SendJob, Settings};
use crate::text::{Address, Addressee, Mailbox};

/// Returns the senders that the message names, the most significant first: of a resent message
/// those who resent it, not its author (RFC 5322 §3.6.6).
pub fn authors(message: &Message) -> Vec<Mailbox> {
    let fields: &[&str] = if message.is_resent() { &["Resent-From", "From"] } else { &["From"] };
    let authors = fields.iter().filter_map(|field| message.authors(field).into_iter().next());
    authors.filter_map(|author| author.address.mailbox().cloned()).collect()
}

/// Adds what is missing in the header, and the account's address where it is wanted.
pub fn complete(message: &mut Message, job: &SendJob, full_name: Option<&str>) {
    let is_resent = message.is_resent();
    let field = if is_resent { "Resent-From" } else { "From" };
    let authors = message.authors(field);
    if message.field("Date").is_none() {
        // To find out the time zone takes a while.
        message.replace("Date", &job.run_id.date());
    }
    message.add_missing("Message-ID", &format!("<{}@{}>", job.run_id.unique(), job.from.domain()));
    let value = match message.field(field) {
        None => Some(compose::named(full_name.or(job.name.as_deref()), &job.from)),
        Some(_) if authors.is_empty() => {
            job.rewrites(None).then(|| compose::named(None, &job.from))
        }
        Some(_) => rewritten(&authors, job),
    };
    if let Some(value) = value {
        if is_resent { message.set_resent_from(&value) } else { message.replace("From", &value) }
    }
}

/// Returns a From field's value with the account's address, once, for those that it replaces. `None`
/// if it replaces none.
fn rewritten(authors: &[Addressee<Address>], job: &SendJob) -> Option<String> {
    let is_replaced = |address: &Address| job.rewrites(Some(address));
    if !authors.iter().any(|author| is_replaced(&author.address)) {
        return None;
    }
    let mut written = IndexMap::new();
    for Addressee { name, address } in authors {
        let kept = address.mailbox().filter(|_| !is_replaced(address));
        written.entry(kept.unwrap_or(&job.from)).or_insert(name.as_deref());
    }
    let written = written.into_iter().map(|(mailbox, name)| compose::named(name, mailbox));
    Some(written.collect::<Vec<_>>().join(", "))
}

/// Replaces the recipients in To and Cc that only this machine knows by the addresses that `[aliases]`
/// gives for them, if the account's `rewrite-from` rewrites local senders.
pub fn rewrite_recipients(message: &mut Message, job: &SendJob, settings: &Settings) {
    if job.rewrite_from != RewriteFrom::Missing {
        message.replace_recipients(|address| settings.alias(address));
    }
}
