//! What a message lacks before it can be submitted: its date, its identifier, its author.

use crate::compose;
use crate::config::RewriteFrom;
use crate::message::Message;
use crate::settings::{SendJob, Settings};
use crate::text::Mailbox;

/// Returns the senders that the message names, the most significant first: of a resent message
/// those who resent it, not its author (RFC 5322 §3.6.6).
pub fn authors(message: &Message) -> Vec<Mailbox> {
    let fields: &[&str] = if message.is_resent() { &["Resent-From", "From"] } else { &["From"] };
    let authors = fields.iter().filter_map(|field| message.author(field));
    authors.filter_map(|author| author.address.mailbox().cloned()).collect()
}

/// Adds what is missing in the header, and the account's address where it is wanted.
pub fn complete(message: &mut Message, job: &SendJob, full_name: Option<&str>) {
    let is_resent = message.is_resent();
    let field = if is_resent { "Resent-From" } else { "From" };
    let author = message.author(field);
    let address = author.as_ref().map(|author| &author.address);
    if message.field("Date").is_none() {
        // To find out the time zone takes a while.
        message.replace("Date", &job.run_id.date());
    }
    message.add_missing("Message-ID", &format!("<{}@{}>", job.run_id.unique(), job.from.domain()));
    let name = match message.field(field) {
        None => Some(full_name.or(job.name.as_deref())),
        Some(_) if job.rewrites(address) => {
            Some(author.as_ref().and_then(|author| author.name.as_deref()))
        }
        Some(_) => None,
    };
    if let Some(name) = name {
        let value = compose::named(name, &job.from);
        if is_resent { message.set_resent_from(&value) } else { message.replace("From", &value) }
    }
}

/// Replaces the recipients in To and Cc that only this machine knows by the addresses that `[aliases]`
/// gives for them, if the account's `rewrite-from` rewrites local senders.
pub fn rewrite_recipients(message: &mut Message, job: &SendJob, settings: &Settings) {
    if job.rewrite_from != RewriteFrom::Missing {
        message.replace_recipients(|address| settings.alias(address));
    }
}
