//! What the outbox says to a program (`--json`).

use std::borrow::Cow;

use serde::Serialize;

use crate::error::Exit;
use crate::report::ErrorObject;
use crate::store::outbox::{self, Id};
use crate::submission::RecipientOutcome;

/// A message that is listed.
#[derive(Debug, Serialize)]
pub(super) struct QueueEntry<'a> {
    pub(super) id: String,
    /// `queued`, or `failed`.
    pub(super) state: &'static str,
    /// The time of its addition, in seconds of Unix time.
    pub(super) received: u64,
    pub(super) account: Option<&'a str>,
    /// The configuration with which it was added.
    pub(super) config: Cow<'a, str>,
    pub(super) from: Option<&'a str>,
    pub(super) subject: Option<&'a str>,
    pub(super) recipients: Vec<RecipientOutcome>,
    pub(super) attempts: u32,
    /// The time of the next attempt, in seconds of Unix time; `None` after a failure.
    pub(super) due: Option<u64>,
    /// The last reply or reason.
    pub(super) reply: Option<&'a str>,
    /// What the configuration in force lacks to send it.
    pub(super) missing: Option<&'a str>,
    /// True if the message may have been delivered before.
    pub(super) duplicate: bool,
}

/// A message that is listed and cannot be read.
#[derive(Debug, Serialize)]
pub(super) struct DamagedEntry {
    id: String,
    state: &'static str,
    error: ErrorObject,
}

impl DamagedEntry {
    pub(super) fn new(id: &Id, exit: Exit, error: &outbox::Error) -> Self {
        Self { id: id.to_string(), state: "damaged", error: ErrorObject::new(exit, error) }
    }
}

/// A message that was not tried: its account had failed before its turn came, or lacks something.
#[derive(Debug, Serialize)]
pub(super) struct PostponedObject<'a> {
    pub(super) id: String,
    pub(super) account: Option<&'a str>,
    pub(super) queued: Option<String>,
    pub(super) error: ErrorObject,
}
