//! What becomes of a submission's entry in the outbox with each attempt.

use std::path::PathBuf;

use super::complete::complete;
use super::{Submission, SubmissionOutcome};
use crate::error::{Error, Exit};
use crate::message::Message;
use crate::password::{self, Source};
use crate::report::{count, span};
use crate::settings::SendJob;
use crate::smtp::{self, Envelope, Extension, MailParameters, RecipientPolicy, Refusal, Subject};
use crate::store::outbox::{
    self, Answer, AttemptResult, Id, LockedEntry, NotAdded, Outbox, QueuedEnvelope, RemovedEntry,
};
use crate::text::Mailbox;

/// The kind of an attempt, by who hears of its outcome.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The first, for a caller who hears of each recipient.
    First,
    /// The first, for a caller who gets one reply for all recipients (SMTP). A recipient refused
    /// while others are not stays in the outbox as failed.
    OneReply,
    /// A further one, of which the outbox alone keeps account.
    Further,
}

/// The state of a message in the outbox after an attempt.
pub enum Disposition {
    /// Finished: no recipient waits, and the caller knows every outcome.
    Done,
    /// Waiting, for this reason.
    Deferred(String),
    /// Failed for a recipient, and kept for a person to look at.
    Failed {
        /// The entry's new directory.
        path: PathBuf,
        /// The first of those who will not get it, and why.
        reason: String,
        /// True if another recipient has it.
        is_sent: bool,
    },
}

impl Disposition {
    /// Returns the exit status for those who will not get the message; of success if there are none.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Done | Self::Deferred(_) => Exit::Done,
            Self::Failed { is_sent: true, .. } => Exit::Partial,
            Self::Failed { is_sent: false, .. } => Exit::NoRecipient,
        }
    }
}

impl Submission {
    /// Gives the message a place in the outbox, before anything else is done with it.
    ///
    /// # Errors
    ///
    /// Returns an error if the message could not be made durable.
    pub fn enqueue(&mut self, outbox: &Outbox, config: PathBuf) -> Result<(), NotAdded> {
        let Some(account) = self.job.account.clone() else { return Ok(()) };
        let run_id = &self.job.run_id;
        let MailParameters { notify, ret, id: envid, require_tls } = self.envelope.terms().clone();
        let order = QueuedEnvelope {
            received: run_id.seconds,
            config,
            account: Some(account),
            from: Some(self.envelope.reverse_path().clone()),
            is_incomplete: false,
            full_name: None,
            recipients: self.envelope.recipients().to_vec(),
            aliases: Vec::new(),
            notify,
            ret,
            envid,
            subject: self.message.subject(),
            require_tls,
            is_all_or_nothing: self.demand == RecipientPolicy::All,
        };
        let id = Id::new(run_id);
        self.held = Some(outbox.add(&id, order, |file| self.message.copy(file))?);
        Ok(())
    }

    /// The message as it waits in the outbox, for those who are still to get it.
    ///
    /// # Errors
    ///
    /// Returns an error if no recipient waits.
    pub fn queued(mut job: SendJob, held: LockedEntry) -> Result<Self, Error> {
        let QueuedEnvelope { from, notify, ret, envid, require_tls, is_all_or_nothing, .. } =
            held.record().order.clone();
        let from = from.unwrap_or_else(|| job.reverse_path.clone());
        let recipients = held.record().waiting();
        let envelope = Envelope::new(from, recipients).ok_or(Error::NobodyNamed)?;
        let mut message = Message::read(&mut held.message()?)?;
        message.remove_bcc();
        if held.record().order.is_incomplete {
            let full_name = held.record().order.full_name.clone();
            // Each attempt completes it in the same way.
            message.add_missing("Message-ID", &format!("<{envid}@{}>", job.from.domain()));
            complete(&mut message, &job, full_name.as_deref());
        }
        job.queue = true;
        // Who handed the message in is not known now, so an account that asks for it is no fallback.
        let is_allowed = |job: &SendJob| {
            let permissions = &job.permissions;
            let is_for_all = permissions.users.is_none() && permissions.groups.is_none();
            is_for_all && permissions.check_recipients(envelope.recipients()).is_ok()
        };
        job.fallback = job.fallback.take().filter(|fallback| is_allowed(fallback));
        Ok(Self {
            job,
            envelope: envelope.on(MailParameters { notify, ret, id: envid, require_tls }),
            message,
            demand: if is_all_or_nothing { RecipientPolicy::All } else { RecipientPolicy::Any },
            held: Some(held),
            largest: None,
            fallback_of: None,
            put_off: None,
            caller: None,
        })
    }

    /// Returns the error if the account's login was refused a short while ago, so that no attempt
    /// is made now. `None` if it was not.
    pub fn held_back(&self, outbox: &Outbox) -> Option<Error> {
        self.held.as_ref()?;
        let (now, account) = (self.job.run_id.seconds, self.job.account.as_ref()?);
        // A person may type another password.
        let is_typed = matches!(self.job.peer.source, Source::Terminal);
        let until = outbox.held_back_until(account, now).filter(|_| !is_typed)?;
        Some(Error::HeldBack { time: span(until.saturating_sub(now)) })
    }

    /// Lets the outbox know that an attempt begins.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn begin(&mut self) -> Result<(), Error> {
        let now = self.job.run_id.seconds;
        Ok(self.held.as_mut().map_or(Ok(()), |held| held.begin(now))?)
    }

    /// Records the attempt's outcome in the outbox. A message that each recipient has is still to be
    /// removed ([`Self::remove_sent`]). Permanent failures are reported to the caller at first
    /// ([`Self::notified`]); later they are kept for a person to look at.
    pub(super) fn settle(
        &mut self,
        outcome: &Result<SubmissionOutcome, Error>,
        attempt: Attempt,
    ) -> Result<Disposition, Error> {
        let Some(held) = &mut self.held else { return Ok(Disposition::Done) };
        let mut waiting = held.record().waiting();
        let deferral = Deferral::after(outcome, self.demand);
        let hopeless = match outcome {
            Err(error) => is_final(error).then(|| waiting.clone()),
            Ok(SubmissionOutcome { interrupted: Some((error, unanswered)), .. }) => {
                is_final(error).then(|| unanswered.clone())
            }
            Ok(sent) => (sent.exit(self.demand) == Exit::NoRecipient).then(|| waiting.clone()),
        };
        let hopeless = hopeless.unwrap_or_default();
        waiting.retain(|mailbox| !hopeless.contains(mailbox));
        if !hopeless.is_empty() {
            held.answer(
                self.job.run_id.seconds,
                hopeless.iter().map(|mailbox| (mailbox, Answer::NotSent(deferral.reason.clone()))),
                Some(&deferral.reason),
            )?;
        }
        if !held.record().is_finished() {
            return self.postpone(&deferral, attempt);
        }
        // The caller hears of those who will not get it before the entry goes.
        let is_heard = match attempt {
            Attempt::First => true,
            // The one reply is a refusal, so it is true of all.
            Attempt::OneReply => held.record().sent() == 0,
            Attempt::Further => false,
        };
        if held.record().is_sent() {
            return Ok(Disposition::Done);
        }
        if is_heard {
            held.sync()?;
            return Ok(Disposition::Done);
        }
        self.held.take().map_or(Ok(Disposition::Done), close)
    }

    /// Removes those of the messages from the outbox that each of their recipients has, as the final
    /// answers in their records prove.
    ///
    /// # Errors
    ///
    /// Returns an error if a message cannot be removed.
    pub(super) fn remove_sent(flight: &mut [Self]) -> Result<Vec<RemovedEntry>, Error> {
        let sent =
            flight.iter_mut().filter_map(|it| it.held.take_if(|held| held.record().is_sent()));
        Ok(Outbox::remove_all(sent)?)
    }

    /// Lets the outbox know that the account's own attempt is over, before its fallback is tried.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub(super) fn end_own(
        &mut self,
        outcome: &Result<SubmissionOutcome, Error>,
    ) -> Result<(), Error> {
        let Some(held) = &mut self.held else { return Ok(()) };
        let Deferral { ending, reason } = Deferral::after(outcome, self.demand);
        Ok(held.end(self.job.run_id.seconds, ending, &reason)?)
    }

    /// Lets the outbox know that the attempt is over for those who are still to get the message,
    /// who have waited long enough in the end.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn postpone(
        &mut self,
        deferral: &Deferral,
        attempt: Attempt,
    ) -> Result<Disposition, Error> {
        let Some(held) = &mut self.held else { return Ok(Disposition::Done) };
        let now = self.job.run_id.seconds;
        held.end(now, deferral.ending, &deferral.reason)?;
        if attempt != Attempt::Further || !held.record().is_too_old() {
            return Ok(Disposition::Deferred(deferral.reason.clone()));
        }
        let waiting = held.record().waiting();
        held.answer(
            now,
            waiting.iter().map(|mailbox| (mailbox, Answer::Abandoned(deferral.reason.clone()))),
            None,
        )?;
        self.held.take().map_or(Ok(Disposition::Done), close)
    }

    /// Returns whether the message waits for this recipient.
    pub fn waits_for(&self, mailbox: &Mailbox) -> bool {
        self.held.as_ref().is_some_and(|held| held.record().waits_for(mailbox))
    }

    /// Records that the caller knows of the recipients that will never get the message. If no other
    /// recipient waits, the entry is removed.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn notified(&mut self) -> Result<(), Error> {
        let now = self.job.run_id.seconds;
        let Some(held) = self.held.as_mut().filter(|held| !held.record().failed().is_empty())
        else {
            return Ok(());
        };
        held.record_notification(now)?;
        self.held
            .take_if(|held| held.record().is_finished())
            .map_or(Ok(()), LockedEntry::remove)?;
        Ok(())
    }

    /// The entry in the outbox, if a recipient still waits; else `None`.
    pub fn waiting(&self) -> Option<&LockedEntry> {
        self.held.as_ref().filter(|held| !held.record().is_finished())
    }

    /// The reason why the message waits, from the last attempt. `None` before the first attempt.
    pub fn last(&self) -> Option<String> {
        Some(self.waiting()?.record().last.clone().unwrap_or_default())
    }

    /// The id in the outbox, in words; `None` if the message is not there.
    pub fn queued_as(&self) -> Option<String> {
        self.held.as_ref().map(|held| format!("queued as {}", held.id()))
    }

    /// The sentence for a caller whose message waits, with this reason. `None` if it does not wait.
    pub fn notice(&self, reason: &str) -> Option<String> {
        let (held, peer) = (self.waiting()?, &self.job.peer);
        let account = self.job.account.as_deref().unwrap_or_default();
        let id = held.id();
        Some(format!("send {account}: {peer}: {reason}; the message waits in the outbox as {id}"))
    }
}

/// Takes a finished message from those that wait: it is removed if each recipient has it, or the sender
/// knows of those who have not. Otherwise it is put where a person looks for it.
///
/// # Errors
///
/// Returns an error if the message cannot be removed or moved.
pub fn close(held: LockedEntry) -> Result<Disposition, Error> {
    let failed = held.record().failed();
    let Some((mailbox, answer)) = failed.first() else {
        // The final answer for each recipient is in the record, which is what this proves.
        held.remove()?;
        return Ok(Disposition::Done);
    };
    let others = match failed.len() - 1 {
        0 => String::new(),
        others => format!(" (and {} more)", count(others, "recipient")),
    };
    let reason = format!("{mailbox}: {answer}{others}");
    let is_sent = held.record().sent() > 0;
    Ok(Disposition::Failed { path: held.fail()?, reason, is_sent })
}

/// Records recipients that are answered permanently: those who have the message, and if nothing
/// else is asked for, those who never will. `final_reply` is the reply to the message, empty if no
/// recipient was left for it.
///
/// # Errors
///
/// Returns an error if the journal cannot be written.
pub fn note<'a>(
    held: &mut LockedEntry,
    now: u64,
    answers: impl Iterator<Item = &'a (Mailbox, Result<String, Refusal>)>,
    final_reply: Option<&str>,
) -> Result<(), outbox::Error> {
    let is_all_or_nothing = held.record().order.is_all_or_nothing;
    let answers = answers.filter_map(|(mailbox, answer)| match answer {
        Ok(_) => {
            let reply = final_reply.filter(|reply| !reply.is_empty())?;
            Some((mailbox, Answer::Accepted(reply.to_owned())))
        }
        Err(refusal) if refusal.is_temporary() || is_all_or_nothing => None,
        Err(refusal) => Some((mailbox, Answer::Refused(refusal.to_string()))),
    });
    held.answer(now, answers, final_reply)
}

/// The reason why a recipient still waits.
#[derive(Clone)]
pub struct Deferral {
    ending: AttemptResult,
    reason: String,
}

impl Deferral {
    /// The reason in an attempt's outcome.
    pub(super) fn after(
        outcome: &Result<SubmissionOutcome, Error>,
        demand: RecipientPolicy,
    ) -> Self {
        match outcome {
            Err(error) | Ok(SubmissionOutcome { interrupted: Some((error, _)), .. }) => {
                error.into()
            }
            Ok(sent) => Self::of(sent, sent.exit(demand) == Exit::NoRecipient),
        }
    }

    /// The refusal that decided.
    fn of(sent: &SubmissionOutcome, is_hopeless: bool) -> Self {
        let refusals = sent.recipients.iter().filter_map(|(mailbox, answer)| {
            answer.as_ref().err().map(|refusal| (mailbox, refusal))
        });
        let is_decisive = |(_, refusal): &(_, &Refusal)| refusal.is_temporary() != is_hopeless;
        // What a fallback refuses permanently waits, too; its refusals stand behind the account's own.
        let decisive = refusals.clone().find(is_decisive).or_else(|| refusals.clone().next_back());
        let reason = decisive.map(|(mailbox, refusal)| format!("{mailbox} refused: {refusal}"));
        Self { ending: AttemptResult::Deferred, reason: reason.unwrap_or_default() }
    }

    /// Returns the reason in words.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Creates the reason for messages that were not reached, since the server ended the session and
    /// there is no other.
    pub fn interrupted() -> Self {
        Self { ending: AttemptResult::Deferred, reason: String::new() }
    }
}

impl From<&Error> for Deferral {
    fn from(error: &Error) -> Self {
        let (ending, reason) = match error {
            Error::Smtp(smtp::Error::InDoubt(error)) => {
                (AttemptResult::InDoubt, format!("{error}: the message may have been delivered"))
            }
            Error::Net(_) => (AttemptResult::Unreachable, error.to_string()),
            error if is_login_refused(error) => (AttemptResult::LoginRefused, error.to_string()),
            _ => (AttemptResult::Deferred, error.to_string()),
        };
        Self { ending, reason }
    }
}

/// Returns whether the login was refused permanently, by the mail server or by the authorization
/// server.
pub fn is_login_refused(error: &Error) -> bool {
    match error {
        Error::Smtp(smtp::Error::Login { .. }) => Exit::from(error) == Exit::Denied,
        Error::Password(password::Error::Token(error)) => error.is_refusal(),
        _ => false,
    }
}

/// Returns whether a message is not tried again after this error. Each case proves that the server
/// refused this message, or that the message cannot be sent; everything else waits.
pub fn is_final(error: &Error) -> bool {
    match error {
        // The server's final reply to it.
        Error::Smtp(smtp::Error::Refused { what: Subject::Message, refusal }) => {
            !refusal.is_temporary()
        }
        // Its reply to this sender or its DATA; but that it does not know a command (500, 502 and 504),
        // or that the login does not count, is its own fault.
        Error::Smtp(smtp::Error::Refused { what: Subject::Sender | Subject::Data, .. }) => {
            Exit::from(error) == Exit::Message
        }
        // What the message itself asks for, and the server does not have.
        Error::Smtp(smtp::Error::Missing(extension)) => match extension {
            Extension::Dsn | Extension::RequireTls | Extension::SmtpUtf8 => true,
            Extension::Auth | Extension::Starttls => false,
        },
        Error::Smtp(smtp::Error::TooLarge { .. }) | Error::Oversized { .. } => true,
        // It cannot be encoded for this server.
        Error::Message(_) => Exit::from(error) == Exit::Message,
        _ => false,
    }
}
