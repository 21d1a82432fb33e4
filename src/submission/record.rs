//! What is kept of an attempt to send: a copy of what was accepted, and a line in a log. Neither
//! changes what became of the message.

use std::sync::Arc;

use super::Submission;
use super::SubmissionOutcome;
use super::outcome::recipient_outcomes;
use crate::error::Error;
use crate::store::disk::Os;
use crate::store::log::LogLine;
use crate::store::{self, Maildir};
use crate::text::RecipientStatus;

impl Submission {
    /// Keeps a copy in the Maildir for what was sent, if there is one.
    pub(super) fn keep(&mut self) -> Result<(), store::Error> {
        let Some(root) = &self.job.sent_maildir else { return Ok(()) };
        let maildir = Maildir::open(Arc::new(Os), root, self.job.run_id.clone(), "sent")?;
        maildir.keep(|file| self.message.copy(file))
    }

    /// Adds a line to the log file, if there is one.
    pub(super) fn log(&self, outcome: &Result<SubmissionOutcome, Error>) -> Result<(), Error> {
        let Some(path) = &self.job.log_file else { return Ok(()) };
        let written = self.line(outcome).append_to(path);
        written.map_err(|source| Error::Log { path: path.clone(), source })
    }

    fn line(&self, outcome: &Result<SubmissionOutcome, Error>) -> LogLine {
        let mut line = LogLine::new(self.job.run_id.timestamp());
        let mut add = |name: &str, value: &str| line.add(name, value);
        add("account", self.job.account.as_deref().unwrap_or("-"));
        if let Some(caller) = &self.caller {
            add("uid", &caller.uid.to_string());
            add("user", caller.name.as_deref().unwrap_or_default());
        }
        add("server", &self.job.peer.to_string());
        add("from", self.envelope.reverse_path().as_str());
        for recipient in recipient_outcomes(outcome, self.envelope.recipients()) {
            add(recipient.status.word(), &recipient.address);
            let is_refused =
                matches!(recipient.status, RecipientStatus::Deferred | RecipientStatus::Refused);
            if let Some(reply) = recipient.reply.filter(|_| is_refused && outcome.is_ok()) {
                add("because", &reply);
            }
        }
        let error = match outcome {
            Ok(SubmissionOutcome { interrupted, .. }) => {
                interrupted.as_ref().map(|(error, _)| error)
            }
            Err(error) => Some(error),
        };
        add("size", &self.message.octets().to_string());
        add("id", &self.message.field("Message-ID").unwrap_or_default());
        if let Some(reply) = outcome.as_ref().ok().and_then(|sent| sent.accepted.as_ref()) {
            add("reply", reply);
        }
        if let Some(error) = error {
            add("error", &error.to_string());
        }
        if let Some(held) = &self.held {
            add("outbox", &held.id().to_string());
            if held.record().may_be_duplicate() {
                add("duplicate", "maybe");
            }
        }
        add("status", &self.attempt_exit(outcome).status().to_string());
        line
    }
}
