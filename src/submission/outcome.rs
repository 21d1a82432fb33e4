//! What became of a message, recipient by recipient, and what that comes to.

use serde::Serialize;

use crate::error::{Error, Exit};
use crate::smtp::{RecipientPolicy, Refusal};
use crate::text::{Mailbox, RecipientStatus};

/// The outcome of a message, over all transactions that it took.
#[derive(Default)]
pub struct SubmissionOutcome {
    /// The recipients that were answered, with the server's replies.
    pub recipients: Vec<(Mailbox, Result<String, Refusal>)>,
    /// The server's words when it last took the message.
    pub accepted: Option<String>,
    /// The error that interrupted the session after some recipients were answered, and the
    /// recipients that were not.
    pub interrupted: Option<(Error, Vec<Mailbox>)>,
}

impl SubmissionOutcome {
    /// Returns the exit status by the policy: 0, 67, 75 or 81.
    pub fn exit(&self, demand: RecipientPolicy) -> Exit {
        let mut refusals = self.recipients.iter().filter_map(|(_, answer)| answer.as_ref().err());
        let is_refused = |(_, answer): &(Mailbox, Result<String, Refusal>)| {
            answer.as_ref().is_err_and(|refusal| !refusal.is_temporary())
        };
        match (&self.accepted, &self.interrupted) {
            // One permanent refusal is enough, with anything behind it.
            (None, Some(_))
                if demand == RecipientPolicy::All && self.recipients.iter().any(is_refused) =>
            {
                Exit::NoRecipient
            }
            (Some(_), Some((error, _))) if Exit::from(error) != Exit::InDoubt => Exit::Partial,
            (_, Some((error, _))) => error.into(),
            (Some(_), None) if refusals.next().is_some() => Exit::Partial,
            (Some(_), None) => Exit::Done,
            (None, None) => {
                let is_hopeless = match demand {
                    RecipientPolicy::Any => refusals.all(|refusal| !refusal.is_temporary()),
                    RecipientPolicy::All => refusals.any(|refusal| !refusal.is_temporary()),
                };
                if is_hopeless { Exit::NoRecipient } else { Exit::Later }
            }
        }
    }

    /// The first refusal, or what interrupted the session; `None` if neither came.
    pub fn problem(&self) -> Option<String> {
        let mut refusals = self.recipients.iter().filter_map(|(mailbox, answer)| {
            Some(format!("{mailbox} refused: {}", answer.as_ref().err()?))
        });
        let interrupted = || self.interrupted.as_ref().map(|(error, _)| error.to_string());
        refusals.next().or_else(interrupted)
    }

    /// Adds the outcome of a transaction, and returns the recipients that exceeded its limit. Where
    /// none was accepted, a refusal is about something else.
    pub fn add(
        &mut self,
        recipients: Vec<(Mailbox, Result<String, Refusal>)>,
        accepted: Option<&str>,
        demand: RecipientPolicy,
    ) -> Vec<Mailbox> {
        let is_split = accepted.is_some() && demand == RecipientPolicy::Any;
        let mut too_many = Vec::new();
        for (mailbox, answer) in recipients {
            match answer {
                Err(refusal) if is_split && refusal.is_too_many() => too_many.push(mailbox),
                answer => self.recipients.push((mailbox, answer)),
            }
        }
        self.accepted = accepted.map(str::to_owned).or(self.accepted.take());
        too_many
    }
}

/// A recipient's status, with the server's reply or the reason.
#[derive(Debug, Serialize)]
pub struct RecipientOutcome {
    /// The recipient's address.
    pub address: String,
    /// The status.
    pub status: RecipientStatus,
    /// The reply, or the reason.
    pub reply: Option<String>,
}

impl RecipientOutcome {
    fn new(mailbox: &Mailbox, status: RecipientStatus, reply: String) -> Self {
        Self { address: mailbox.as_str().to_owned(), status, reply: Some(reply) }
    }
}

/// Returns each recipient's outcome in an attempt.
pub fn recipient_outcomes(
    outcome: &Result<SubmissionOutcome, Error>,
    recipients: &[Mailbox],
) -> Vec<RecipientOutcome> {
    use RecipientStatus::{Accepted, InDoubt, NotSent};
    let mut outcomes = Vec::new();
    let has_message = outcome.as_ref().is_ok_and(|sent| sent.accepted.is_some());
    for (mailbox, answer) in outcome.iter().flat_map(|sent| &sent.recipients) {
        outcomes.push(match answer {
            Ok(reply) => {
                let status = if has_message { Accepted } else { NotSent };
                RecipientOutcome::new(mailbox, status, reply.clone())
            }
            Err(refusal) => RecipientOutcome::new(mailbox, refusal.status(), refusal.to_string()),
        });
    }
    let (error, unanswered) = match outcome {
        Ok(SubmissionOutcome { interrupted: Some((error, mailboxes)), .. }) => {
            (error, mailboxes.as_slice())
        }
        Ok(_) => return outcomes,
        Err(error) => (error, recipients),
    };
    let status = if Exit::from(error) == Exit::InDoubt { InDoubt } else { NotSent };
    let unanswered = unanswered.iter();
    outcomes.extend(
        unanswered.map(|mailbox| RecipientOutcome::new(mailbox, status, error.to_string())),
    );
    outcomes
}
