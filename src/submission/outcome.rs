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
    /// Those of them who were not named to the server in that transaction: their turn was to come in a
    /// later one, so the message is not in doubt for them.
    pub unnamed: Vec<Mailbox>,
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
    use RecipientStatus::{Accepted, NotSent};
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
    let is_unnamed = |mailbox| outcome.as_ref().is_ok_and(|sent| sent.unnamed.contains(mailbox));
    outcomes.extend(unanswered.iter().map(|mailbox| match error.refusal() {
        _ if is_unnamed(mailbox) => RecipientOutcome::new(mailbox, NotSent, UNNAMED.to_owned()),
        // What is said of the message is said for each of them.
        Some(refusal) => RecipientOutcome::new(mailbox, refusal.status(), refusal.to_string()),
        None => RecipientOutcome::new(mailbox, unanswered_status(error), error.to_string()),
    }));
    outcomes
}

/// The reason for a recipient whose turn did not come.
const UNNAMED: &str = "the session ended before this recipient was named";

fn unanswered_status(error: &Error) -> RecipientStatus {
    match Exit::from(error) {
        Exit::InDoubt => RecipientStatus::InDoubt,
        _ => RecipientStatus::NotSent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::{self, Subject};
    use crate::wire::{self, Phase};

    fn statuses(outcome: &Result<SubmissionOutcome, Error>) -> Vec<RecipientStatus> {
        let recipients = [named("bob"), named("eve")];
        recipient_outcomes(outcome, &recipients).iter().map(|it| it.status).collect()
    }

    fn named(name: &str) -> Mailbox {
        format!("{name}@example.org").parse().unwrap()
    }

    #[test]
    fn what_is_said_of_the_message_is_said_for_each_recipient() {
        use RecipientStatus::{Deferred, NotSent, Refused};
        for (what, code, status) in [
            (Subject::Message, 554, Refused),
            (Subject::Message, 452, Deferred),
            (Subject::Sender, 550, Refused),
            (Subject::Data, 451, Deferred),
            // Nothing is said of the message by it.
            (Subject::Ehlo, 550, NotSent),
        ] {
            let refusal = Refusal::new(code);
            let error = smtp::Error::Refused { what, refusal }.into();
            assert_eq!(statuses(&Err(error)), [status; 2], "{what:?} {code}");
        }
    }

    #[test]
    fn who_was_not_named_yet_is_not_in_doubt() {
        let error = wire::Error::Closed(Phase::Answer("the message"));
        let error = smtp::Error::InDoubt(error).into();
        let sent = SubmissionOutcome {
            interrupted: Some((error, vec![named("bob"), named("eve")])),
            unnamed: vec![named("eve")],
            ..SubmissionOutcome::default()
        };
        let expected = [RecipientStatus::InDoubt, RecipientStatus::NotSent];
        assert_eq!(statuses(&Ok(sent)), expected);
    }
}
