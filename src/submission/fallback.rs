//! The fallback account: another server for a message that would otherwise wait. One step only: the
//! fallback's own fallback is not tried.

use std::path::PathBuf;

use super::outbox::Deferral;
use super::{Attempt, Attempted, FallbackOf, SmtpSession, Submission, SubmissionOutcome};
use super::{complete, login, login_noted, outbox, rate};
use crate::error::{Error, Exit};
use crate::net::Stop;
use crate::report::Report;
use crate::settings::{SendJob, Settings};
use crate::smtp::{Envelope, Refusal};
use crate::text::Mailbox;

/// A login at a fallback account's server, with what a submission says of it.
type Login<'a> = Box<dyn Fn(&Submission) -> Result<SmtpSession, Error> + 'a>;

/// The connection to a fallback account's server, for the messages of one account.
pub struct Fallback<'a> {
    /// The command, for what is reported.
    command: &'static str,
    report: &'a Report,
    stop: &'a Stop,
    login: Login<'a>,
    /// The session, from one message to the next.
    session: Option<SmtpSession>,
    /// The directory of what the submission service keeps of its callers.
    callers: Option<PathBuf>,
    /// True if a login failed: there is no other attempt in this run.
    is_dead: bool,
}

impl<'a> Fallback<'a> {
    /// Creates a connection that is made when the first message needs it.
    pub fn new(command: &'static str, report: &'a Report, stop: &'a Stop) -> Self {
        let login = move |submission: &Submission| match &submission.held {
            None => login(&submission.job, report, stop),
            Some(held) => match submission.held_back(held.outbox()) {
                Some(held_back) => Err(held_back),
                None => login_noted(submission, held.outbox(), report, stop),
            },
        };
        Self::with_login(command, report, stop, Box::new(login))
    }

    /// Returns a connection whose sessions `login` opens.
    pub(super) fn with_login(
        command: &'static str,
        report: &'a Report,
        stop: &'a Stop,
        login: Login<'a>,
    ) -> Self {
        Self { command, report, stop, login, session: None, callers: None, is_dead: false }
    }

    /// Returns a connection for a caller's message, which counts for the rate of the fallback's
    /// account as well.
    #[must_use]
    pub fn counting(self, settings: &Settings) -> Self {
        Self { callers: settings.callers().ok(), ..self }
    }

    /// Counts the message of a caller who is known. Returns the reason why it is not to be tried.
    fn count(&self, submission: &Submission, job: &SendJob) -> Option<Error> {
        let (caller, callers) = (submission.caller.as_ref()?, self.callers.as_deref()?);
        rate::count(job, caller, callers).err()
    }

    /// Returns whether no other message is tried with it.
    pub fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// The session, if more can be submitted in it.
    pub fn into_session(self) -> Option<SmtpSession> {
        self.session
    }

    /// The session of the last message, or a new one.
    fn session(&mut self, submission: &Submission) -> Result<SmtpSession, Error> {
        match self.session.take().map(SmtpSession::reset) {
            Some(Ok(session)) => Ok(session),
            Some(Err(_)) | None => (self.login)(submission),
        }
    }
}

impl Submission {
    /// The recipients for whom the message would wait after this outcome of the account's own
    /// attempt; none if a fallback must not be tried.
    ///
    /// This proves that no recipient has the message by this attempt: the outcome has no positive
    /// reply to the message, and is not in doubt. The session says in doubt whenever the last octet
    /// may have left and no final reply was read ([`smtp::Error::InDoubt`](crate::smtp::Error)); any
    /// other error therefore means that it did not leave, or that a refusal was read.
    pub(super) fn unsent(&self, outcome: &Result<SubmissionOutcome, Error>) -> Vec<Mailbox> {
        let is_open = |error: &Error| !outbox::is_final(error) && !is_in_doubt(error);
        match outcome {
            Err(error) if is_open(error) => self.envelope.recipients().to_vec(),
            Err(_) | Ok(SubmissionOutcome { accepted: Some(_), .. }) => Vec::new(),
            Ok(sent) if sent.exit(self.demand) == Exit::NoRecipient => Vec::new(),
            Ok(sent) => {
                let (is_open, unanswered) = match &sent.interrupted {
                    Some((error, unanswered)) => (is_open(error), unanswered.as_slice()),
                    None => (true, [].as_slice()),
                };
                let answered = sent
                    .recipients
                    .iter()
                    .filter(|(_, answer)| answer.as_ref().err().is_none_or(Refusal::is_temporary));
                let answered = answered.map(|(mailbox, _)| mailbox);
                let all = answered.chain(unanswered).cloned();
                if is_open { all.collect() } else { Vec::new() }
            }
        }
    }

    /// The fallback's outcome for a message that would wait after its account's own attempt, which
    /// came to `own`; else that.
    pub(super) fn or_fall_back(
        &mut self,
        own: Result<SubmissionOutcome, Error>,
        fallback: &mut Fallback<'_>,
    ) -> Result<SubmissionOutcome, Error> {
        let unsent = self.unsent(&own);
        // The outbox knows that the account's attempt is over before another one may be in doubt.
        if unsent.is_empty() || self.job.fallback.is_none() || self.end_own(&own).is_err() {
            return own;
        }
        let own_name = format!("{}: {}", self.label(), self.job.peer);
        let reason = Deferral::after(&own, self.demand);
        let Some(outcome) = self.fall_back(unsent.clone(), &reason, fallback) else { return own };
        let (command, other) = (fallback.command, self.label());
        let (report, reason) = (fallback.report, reason.reason());
        report.info(format_args!("{command}{own_name}: {reason}; tried the fallback{other}"));
        // What the account's server has refused permanently stays refused.
        let recipients = own.map(|sent| sent.recipients).unwrap_or_default();
        let mut refused = recipients;
        refused.retain(|(mailbox, _)| !unsent.contains(mailbox));
        match outcome {
            Ok(mut sent) => {
                sent.recipients.splice(0..0, refused);
                Ok(sent)
            }
            Err(error) if refused.is_empty() => Err(error),
            Err(error) => Ok(SubmissionOutcome {
                recipients: refused,
                accepted: None,
                interrupted: Some((error, unsent)),
                unnamed: Vec::new(),
            }),
        }
    }

    /// Attempts a message whose account's server is known to be out of reach, for this reason. `None` if it is to
    /// wait.
    pub fn attempt_fallback(
        &mut self,
        deferral: &Deferral,
        attempt: Attempt,
        fallback: &mut Fallback<'_>,
    ) -> Option<Attempted> {
        let outcome = self.fall_back(self.envelope.recipients().to_vec(), deferral, fallback)?;
        let mut attempted = self.conclude(outcome, attempt, None);
        drop(attempted.remove_sent(std::slice::from_mut(self)));
        Some(attempted)
    }

    /// Sends the message to these recipients with the account's fallback. `None` if there is none, or
    /// it is not to be tried, or no recipient has the message by it: everything is as before then.
    /// Where it has taken the message, or may have, the submission is the fallback's.
    fn fall_back(
        &mut self,
        unsent: Vec<Mailbox>,
        deferral: &Deferral,
        fallback: &mut Fallback<'_>,
    ) -> Option<Result<SubmissionOutcome, Error>> {
        // Nor by an earlier attempt: the outbox counts who was accepted, and remembers each final
        // reply that was lost.
        let is_untouched = self
            .held
            .as_ref()
            .is_none_or(|held| held.record().sent() == 0 && !held.record().may_be_duplicate());
        if !is_untouched || fallback.is_dead || fallback.stop.is_wanted() {
            return None;
        }
        let job = *self.job.fallback.clone()?;
        let envelope = Envelope::new(job.reverse_path.clone(), unsent)?;
        let envelope = envelope.on(self.envelope.terms().clone());
        if let Some(refusal) = fallback.count(self, &job) {
            let (command, label) = (fallback.command, self.label());
            let report = fallback.report;
            report.info(format_args!("{command}{label}: the fallback is not tried: {refusal}"));
            return None;
        }
        let own = std::mem::replace(&mut self.job, job);
        let all = std::mem::replace(&mut self.envelope, envelope);
        self.fallback_of = Some(FallbackOf {
            account: own.account.clone().unwrap_or_default(),
            peer: own.peer.to_string(),
            deferral: deferral.clone(),
        });
        complete::complete(&mut self.message, &self.job, None);
        let is_kept = self.held.is_some();
        if !is_kept {
            // Until the next session stands, a signal finds a message that was not sent.
            fallback.stop.decide(None);
        }
        let session = fallback.session(self);
        fallback.is_dead = session.is_err();
        if session.is_ok() && !is_kept {
            fallback.stop.decide(Some(Exit::InDoubt.status()));
        }
        let (outcome, session) = self.submit_over(session, fallback.report);
        fallback.session = session;
        let is_taken = match &outcome {
            Ok(SubmissionOutcome { accepted, interrupted, .. }) => {
                let error = interrupted.as_ref().map(|(error, _)| error);
                accepted.is_some() || error.is_some_and(is_in_doubt)
            }
            Err(error) => is_in_doubt(error),
        };
        if is_taken {
            return Some(outcome);
        }
        let (command, label, peer) = (fallback.command, self.label(), &self.job.peer);
        let reason = Deferral::after(&outcome, self.demand);
        let (report, reason) = (fallback.report, reason.reason());
        report.info(format_args!("{command}{label}: {peer}: {reason}; it is the fallback"));
        (self.job, self.envelope, self.fallback_of) = (own, all, None);
        None
    }
}

/// Returns whether the server may have the message.
fn is_in_doubt(error: &Error) -> bool {
    Exit::from(error) == Exit::InDoubt
}
