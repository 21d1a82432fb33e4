//! An outcome in a sentence for a person, in lines of what went wrong, and in an object for a program.

use indexmap::IndexMap;

use super::first_attempt::failure;
use super::object::{PlannedRecipient, SendPlan, SendResult};
use super::outcome::recipient_outcomes;
use super::{FallbackOf, Submission, SubmissionOutcome};
use crate::error::{Error, Exit};
use crate::limits;
use crate::report::{ErrorObject, Report, count, enumerated, size, without_numbers};
use crate::smtp;
use crate::text::{Mailbox, RecipientStatus, shown};

impl Submission {
    /// Returns a sentence about those who have the message now; `None` if the server did not take
    /// it.
    pub fn sentence(&self, sent: &SubmissionOutcome) -> Option<String> {
        let reply = sent.accepted.as_ref()?;
        let number = sent.recipients.iter().filter(|(_, answer)| answer.is_ok()).count();
        let (recipients, size) = (count(number, "recipient"), size(self.message.octets()));
        let by = match (&self.fallback_of, &self.job.account) {
            (Some(_), Some(account)) => format!(" by the fallback `{account}`"),
            _ => String::new(),
        };
        Some(format!("sent to {recipients}{by} ({size}): {reply}"))
    }

    /// The account's name for a line about it, after a space; empty without one.
    pub(super) fn label(&self) -> String {
        self.job.account.as_ref().map(|name| format!(" {name}")).unwrap_or_default()
    }

    /// The account and server that refused a recipient. Those whom the account's own server has refused
    /// were not named to its fallback's.
    fn refuser(&self, recipient: &Mailbox) -> String {
        let own = self.fallback_of.as_ref();
        match own.filter(|_| !self.envelope.recipients().contains(recipient)) {
            Some(FallbackOf { account, peer, .. }) => format!(" {account}: {peer}"),
            None => format!("{}: {}", self.label(), self.job.peer),
        }
    }

    /// Prints who does not get the message: many who were refused alike have one line.
    pub fn complain(&self, sent: &SubmissionOutcome, report: &Report) {
        let peer = &self.job.peer;
        let label = self.label();
        let mut refusals = sent.recipients.iter().filter_map(|(recipient, answer)| {
            let refusal = answer.as_ref().err()?;
            (!self.waits_for(recipient)).then_some((recipient, refusal))
        });
        let mut alike: IndexMap<_, Vec<_>> = IndexMap::new();
        for (recipient, refusal) in refusals.clone() {
            let reason = refusal.to_string().replace(recipient.as_str(), "*");
            let likeness = (self.refuser(recipient), refusal.code, without_numbers(&reason));
            alike.entry(likeness).or_default().push((recipient.to_string(), refusal));
        }
        for ((refuser, ..), refused) in alike {
            for line in lines(&refused) {
                let (names, refusals): (Vec<_>, Vec<_>) = line.iter().cloned().unzip();
                let (names, refusal) = (enumerated(&names, 0), refusals.first());
                let refusal = refusal.map(ToString::to_string).unwrap_or_default();
                report.warn(format_args!("send{refuser}: {names} refused: {refusal}"));
            }
        }
        // What is to be done about one of them is to be done about most.
        if let Some((_, refusal)) = refusals.next() {
            let (what, refusal) = (smtp::Subject::Recipient, refusal.clone());
            let error = smtp::Error::Refused { what, refusal }.into();
            report.advise(&failure(Some(self), &error));
        }
        if let Some((error, recipients)) = &sent.interrupted {
            let left = recipients.iter().filter(|recipient| !self.waits_for(recipient));
            for line in lines(&left.map(ToString::to_string).collect::<Vec<_>>()) {
                let names = enumerated(line, 0);
                report.warn(format_args!("send{label}: {peer}: {names}: {error}"));
            }
        }
        let refused = sent.recipients.iter().any(|(_, answer)| answer.is_err());
        let accepted = sent.recipients.iter().any(|(_, answer)| answer.is_ok());
        if refused && accepted && sent.accepted.is_none() && self.waiting().is_none() {
            report.warn(format_args!("send{label}: {peer}: so the message is sent to no one"));
        }
    }

    /// The message's identifier, bounded in length as all text of messages is.
    fn message_id(&self) -> Option<String> {
        self.message.field("Message-ID").as_deref().map(shown)
    }

    /// Returns the submission before it is made, for `--dry-run --json`.
    pub fn plan(&self) -> SendPlan<'_> {
        let recipients = self.envelope.recipients().iter();
        SendPlan {
            account: self.job.account.as_deref(),
            host: self.job.peer.host.as_str(),
            from: self.envelope.reverse_path().as_str(),
            recipients: recipients.map(|it| PlannedRecipient { address: it.as_str() }).collect(),
            size: self.message.octets(),
            message_id: self.message_id(),
        }
    }

    /// Returns the outcome for `--json`.
    pub fn object(&self, outcome: &Result<SubmissionOutcome, Error>, exit: Exit) -> SendResult<'_> {
        let waits = |address: &str| address.parse().is_ok_and(|mailbox| self.waits_for(&mailbox));
        let mut recipients = recipient_outcomes(outcome, self.envelope.recipients());
        for recipient in recipients.iter_mut().filter(|recipient| waits(&recipient.address)) {
            recipient.status = RecipientStatus::Queued;
        }
        let error = match outcome {
            _ if exit == Exit::Done => None,
            Ok(SubmissionOutcome { interrupted: Some((error, _)), .. }) | Err(error) => {
                Some(ErrorObject::new(exit, error))
            }
            Ok(_) => Some(ErrorObject::new(exit, "recipients were refused")),
        };
        SendResult {
            id: None,
            account: self.job.account.as_deref(),
            host: self.job.peer.host.as_str(),
            from: self.envelope.reverse_path().as_str(),
            recipients,
            size: self.message.octets(),
            message_id: self.message_id(),
            reply: match outcome {
                Ok(SubmissionOutcome { accepted: Some(reply), .. }) => Some(reply.clone()),
                Ok(SubmissionOutcome { interrupted: Some((error, _)), .. }) | Err(error) => {
                    error.refusal().map(ToString::to_string)
                }
                Ok(_) => None,
            },
            queued: self.waiting().map(|held| held.id().to_string()),
            error,
            fallback_of: self.fallback_of.as_ref().map(|own| own.account.as_str()),
        }
    }
}

/// Divides recipients who share a reason among lines: a few have a line each, which is easy to
/// search for; many would drown everything else.
fn lines<T>(alike: &[T]) -> impl Iterator<Item = &[T]> {
    alike.chunks(if alike.len() > limits::ALIKE_LINES { alike.len() } else { 1 })
}
