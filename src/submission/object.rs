//! What a submission says to a program (`--json`).

use serde::Serialize;

use super::outcome::RecipientOutcome;
use crate::report::ErrorObject;

/// The outcome of a message.
#[derive(Debug, Serialize)]
pub struct SendResult<'a> {
    /// The entry in the outbox, when that is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The account's name; `None` for an ad-hoc one.
    pub account: Option<&'a str>,
    /// The server's name.
    pub host: &'a str,
    /// The reverse-path.
    pub from: &'a str,
    /// The recipients, each with its status.
    pub recipients: Vec<RecipientOutcome>,
    /// The message's octets in canonical form.
    pub size: u64,
    /// The message's Message-ID.
    pub message_id: Option<String>,
    /// The server's reply that decided about the message: it took it, or refused it for all.
    pub reply: Option<String>,
    /// The entry in the outbox in which the message waits.
    pub queued: Option<String>,
    /// The error; `None` if the exit status is 0.
    pub error: Option<ErrorObject>,
    /// The account whose fallback this one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_of: Option<&'a str>,
}

/// A submission before it is made (`--dry-run`).
#[derive(Debug, Serialize)]
pub struct SendPlan<'a> {
    /// The account's name; `None` for an ad-hoc one.
    pub account: Option<&'a str>,
    /// The server's name.
    pub host: &'a str,
    /// The reverse-path.
    pub from: &'a str,
    /// The recipients.
    pub recipients: Vec<PlannedRecipient<'a>>,
    /// The message's octets in canonical form.
    pub size: u64,
    /// The message's Message-ID.
    pub message_id: Option<String>,
}

/// A recipient of a submission before it is made.
#[derive(Debug, Serialize)]
pub struct PlannedRecipient<'a> {
    /// The recipient's address.
    pub address: &'a str,
}
