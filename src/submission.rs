//! A message with its envelope and job, from account to outcome: what the commands that submit
//! messages share. It neither reads messages from outside nor decides when they are sent.

pub mod complete;
mod fallback;
pub mod first_attempt;
mod object;
mod outbox;
mod outcome;
pub mod rate;
mod record;
mod server;
mod summary;
mod transactions;

use crate::config::Tls;
use crate::connect::Connector;
use crate::error::{Error, Exit};
use crate::message::Message;
use crate::net::Stop;
use crate::ownership::Caller;
use crate::password::Source;
use crate::report::Report;
use crate::settings::SendJob;
use crate::smtp::{
    Authenticated, Envelope, MailParameters, RecipientPolicy, Session, Unauthenticated,
};
use crate::store::outbox::{AttemptResult, LockedEntry, Outbox, RemovedEntry};
use crate::text::Mailbox;
use crate::wire::{self, Disclosure, Private};

pub use self::fallback::Fallback;
pub use self::object::{SendPlan, SendResult};
pub use self::outbox::{Attempt, Deferral, Disposition, close};
pub use self::outcome::{RecipientOutcome, SubmissionOutcome};
use self::server::Feature;
pub use self::server::takes_flights;

/// A session in which messages can be submitted.
pub type SmtpSession = Session<Authenticated, Box<dyn Private>>;

/// The account whose server a message did not get through, so that its fallback has it.
pub struct FallbackOf {
    /// The account's name.
    pub account: String,
    /// Its server, as it is shown.
    pub peer: String,
    /// The reason why its own server did not get the message.
    pub deferral: Deferral,
}

/// A message in its envelope, and where to take it.
pub struct Submission {
    /// The account.
    pub job: SendJob,
    /// Reverse-path and recipients.
    pub envelope: Envelope,
    /// The message in canonical form.
    pub message: Message,
    /// The policy for refused recipients.
    pub demand: RecipientPolicy,
    /// The entry in the outbox, while it has one.
    pub held: Option<LockedEntry>,
    /// The largest attachment, if that is known: its name and octets.
    pub largest: Option<(String, u64)>,
    /// The account whose fallback `job` is, once it is.
    pub fallback_of: Option<FallbackOf>,
    /// The reason why no attempt is made with it now, if it can wait.
    pub put_off: Option<Error>,
    /// The user who handed it in, if that was by the submission service.
    pub caller: Option<Caller>,
}

/// The result of an attempt with one message.
pub struct Attempted {
    /// The outcome for the recipients.
    pub outcome: Result<SubmissionOutcome, Error>,
    /// The state of the outbox's entry after it.
    pub disposition: Result<Disposition, Error>,
}

impl Attempted {
    /// Removes from the outbox what was sent. An error becomes this attempt's.
    fn remove_sent(&mut self, flight: &mut [Submission]) -> Vec<RemovedEntry> {
        Submission::remove_sent(flight).unwrap_or_else(|error| {
            self.disposition = Err(error);
            Vec::new()
        })
    }
}

/// The results of an attempt with several messages in one flight.
pub struct AttemptedFlight {
    /// The results of the messages in order, of one at least. The messages behind those were not
    /// delivered, and have no result yet ([`Submission::put_back`]).
    pub attempted: Vec<Attempted>,
    /// The entries of those that were sent, whose files go when these are dropped.
    pub removed: Vec<RemovedEntry>,
    /// The account's own session, if more can be submitted in it.
    pub session: Option<SmtpSession>,
    /// True if the server may not be able to take several messages in one flight.
    pub has_failed: bool,
}

impl Submission {
    /// A message that is not in the outbox. `Err` if it has no recipient, or one that the account does
    /// not allow.
    pub fn new(
        mut job: SendJob,
        recipients: Vec<Mailbox>,
        message: Message,
        terms: MailParameters,
        demand: RecipientPolicy,
    ) -> Result<Self, Error> {
        let from = job.reverse_path.clone();
        let envelope = Envelope::new(from, recipients).ok_or(Error::NobodyNamed)?.on(terms);
        job.permissions.check_recipients(envelope.recipients())?;
        // Another server is no way around the bounds of its account.
        let is_allowed =
            |job: &SendJob| job.permissions.check_recipients(envelope.recipients()).is_ok();
        job.fallback = job.fallback.take().filter(|fallback| is_allowed(fallback));
        let (held, largest, fallback_of, put_off, caller) = (None, None, None, None, None);
        Ok(Self { job, envelope, message, demand, held, largest, fallback_of, put_off, caller })
    }

    /// Returns the run's exit status: a message that waits counts as done.
    pub fn exit(&self, outcome: &Result<SubmissionOutcome, Error>) -> Exit {
        match self.waiting() {
            Some(held) if held.record().failed().is_empty() => Exit::Done,
            Some(_) => Exit::Partial,
            None => self.attempt_exit(outcome),
        }
    }

    /// Returns the exit status of the attempt itself.
    pub fn attempt_exit(&self, outcome: &Result<SubmissionOutcome, Error>) -> Exit {
        match outcome {
            Ok(sent) => sent.exit(self.demand),
            Err(error) => error.into(),
        }
    }

    /// Keeps what is to be kept. What is not kept was sent all the same, or not, as `outcome` says.
    fn remember(&mut self, outcome: &Result<SubmissionOutcome, Error>, report: &Report) {
        let copy = if self.is_to_be_kept(outcome) { self.keep() } else { Ok(()) };
        if let Err(error) = copy {
            report.own_trouble(format_args!(
                "send: the message was sent, but its copy was not kept: {error}"
            ));
        }
        if let Err(error) = self.log(outcome) {
            report.own_trouble(format_args!("send: {error}"));
        }
    }

    /// Returns whether nothing is left to be done with the message but to remove it.
    fn is_to_be_removed_at_once(&self) -> bool {
        self.job.sent_maildir.is_none()
            && self.held.as_ref().is_none_or(|held| held.record().is_sent())
    }

    /// Returns whether a recipient has the message now and none had it before.
    fn is_to_be_kept(&self, outcome: &Result<SubmissionOutcome, Error>) -> bool {
        let Ok(sent) = outcome else { return false };
        let accepted = sent.recipients.iter().filter(|(_, answer)| answer.is_ok()).count();
        let in_all = self.held.as_ref().map_or(accepted, |held| held.record().sent());
        sent.accepted.is_some() && in_all <= accepted
    }
}

/// Logs in, and records in the outbox whether the login was accepted.
///
/// # Errors
///
/// Returns an error if there is no password, no connection, or the login is refused.
pub fn login_noted(
    submission: &Submission,
    outbox: &Outbox,
    report: &Report,
    stop: &Stop,
) -> Result<SmtpSession, Error> {
    let session = login(&submission.job, report, stop);
    // What was typed wrong is typed anew.
    let is_typed = matches!(submission.job.peer.source, Source::Terminal);
    if let Some(account) = submission.job.account.as_ref().filter(|_| submission.held.is_some()) {
        match &session {
            Ok(_) => outbox.login_accepted(account),
            Err(error) if outbox::is_login_refused(error) && !is_typed => {
                outbox.login_refused(account, submission.job.run_id.seconds);
            }
            Err(_) => {}
        }
    }
    session
}

/// Reads the password, connects and logs in.
fn login(job: &SendJob, report: &Report, stop: &Stop) -> Result<SmtpSession, Error> {
    let peer = &job.peer;
    let way = Connector::to(peer, report, stop)?;
    if peer.source.is_typed() {
        connect(job, &way, Disclosure::new(report.trace(None), []))?.leave();
    }
    let run = report.token_run(stop);
    let attempts = peer.source.attempts(&peer.user, peer.host.as_str(), peer.auth, &run)?;
    let attempts = attempts.ready()?;
    let disclosure = Disclosure::new(report.trace(None), attempts.secrets());
    let session = connect(job, &way, disclosure)?;
    let _logging_in = way.step("logging in");
    let mut session = session.auth(attempts.map(|attempt| attempt.map_err(Error::from)))?;
    if !job.chunking || !server::can(job, Feature::Chunking) {
        session.forgo_chunking();
    }
    if peer.pipelining == Some(false) {
        session.forgo_pipelining();
    }
    Ok(session)
}

/// Connects, and verifies the server's certificate.
fn connect(
    job: &SendJob,
    way: &Connector<'_>,
    disclosure: Disclosure,
) -> Result<Session<Unauthenticated, Box<dyn Private>>, Error> {
    let hello = job.ehlo_name.clone();
    let _connecting = way.step("connecting");
    Ok(match job.peer.tls {
        Tls::Implicit => Session::open(way.tls(way.tcp()?)?, hello, disclosure)?,
        Tls::Starttls => {
            Session::open(way.tcp()?, hello, disclosure)?.starttls(|tcp| way.tls(tcp))?
        }
        Tls::None => Session::open(way.loopback()?, hello, disclosure)?,
    })
}

impl Submission {
    /// Submits the message, and keeps account of it. What would wait is sent with the account's
    /// fallback, if there is one and `fallback` a connection for it. Returns the session, too, if more
    /// can be submitted in it.
    pub fn attempt(
        &mut self,
        session: Result<SmtpSession, Error>,
        attempt: Attempt,
        fallback: Option<&mut Fallback<'_>>,
        report: &Report,
    ) -> (Attempted, Option<SmtpSession>) {
        let (outcome, session) = self.submit_over(session, report);
        let mut attempted = self.conclude(outcome, attempt, fallback);
        drop(attempted.remove_sent(std::slice::from_mut(self)));
        (attempted, session)
    }

    /// Attempts messages of one account in one flight, which they have joined ([`Self::joins`]). What
    /// became of each is as if it had been attempted alone.
    pub fn attempt_flight(
        flight: &mut [Self],
        session: Result<SmtpSession, Error>,
        attempt: Attempt,
        mut fallback: Option<&mut Fallback<'_>>,
        report: &Report,
    ) -> AttemptedFlight {
        let Submitting { outcomes, session, has_failed } =
            Self::submit_flight(flight, session, report);
        let mut attempted = Vec::new();
        for (submission, outcome) in flight.iter_mut().zip(outcomes) {
            attempted.push(submission.conclude(outcome, attempt, fallback.as_deref_mut()));
        }
        let last = attempted.last_mut();
        let removed = last.map(|last| last.remove_sent(flight)).unwrap_or_default();
        AttemptedFlight { attempted, removed, session, has_failed }
    }

    /// Sends what would wait with the fallback, and records in the outbox how the attempt ended.
    fn conclude(
        &mut self,
        outcome: Result<SubmissionOutcome, Error>,
        attempt: Attempt,
        fallback: Option<&mut Fallback<'_>>,
    ) -> Attempted {
        let outcome = match fallback {
            Some(fallback) => self.or_fall_back(outcome, fallback),
            None => outcome,
        };
        let disposition = self.settle(&outcome, attempt);
        Attempted { outcome, disposition }
    }

    /// Submits the message over a session, if there is one, and writes the log.
    fn submit_over(
        &mut self,
        session: Result<SmtpSession, Error>,
        report: &Report,
    ) -> (Result<SubmissionOutcome, Error>, Option<SmtpSession>) {
        let flight = std::slice::from_mut(self);
        let Submitting { outcomes, session, .. } = Self::submit_flight(flight, session, report);
        let lost = || Err(wire::Error::Bug("a message without an outcome").into());
        (outcomes.into_iter().next().unwrap_or_else(lost), session)
    }

    /// Submits the messages of a flight over a session, if there is one, and writes the log.
    fn submit_flight(
        flight: &mut [Self],
        session: Result<SmtpSession, Error>,
        report: &Report,
    ) -> Submitting {
        let submitting = match (session, flight.first()) {
            (Ok(mut session), Some(_)) => {
                let outcomes = transactions::submit(flight, &mut session, report);
                let has_failed = session.has_failed_flight();
                let lacks_chunking = session.lacks_chunking();
                if let Some(Self { job, .. }) = flight.first() {
                    has_failed.then(|| server::failed(job, Feature::Flights));
                    lacks_chunking.then(|| server::failed(job, Feature::Chunking));
                }
                let is_over = session.is_over();
                let session = if is_over {
                    session.quit();
                    None
                } else {
                    Some(session)
                };
                Submitting { outcomes, session, has_failed }
            }
            (Ok(session), None) => {
                Submitting { outcomes: Vec::new(), session: Some(session), has_failed: false }
            }
            (Err(error), _) => {
                Submitting { outcomes: vec![Err(error)], session: None, has_failed: false }
            }
        };
        // Whatever is done before the messages are removed, no power cut is to leave them in doubt then.
        if flight.iter().any(|submission| !submission.is_to_be_removed_at_once()) {
            flight.iter_mut().filter_map(|it| it.held.as_mut()).for_each(|held| drop(held.sync()));
        }
        for (submission, outcome) in flight.iter_mut().zip(&submitting.outcomes) {
            submission.remember(outcome, report);
        }
        submitting
    }

    /// Records in the outbox that the attempt is over without an outcome: the message was not
    /// delivered, and is to be tried again in another session.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn put_back(&mut self) -> Result<(), Error> {
        let Some(held) = &mut self.held else { return Ok(()) };
        let reason = "the connection ended before the message was sent";
        Ok(held.end(self.job.run_id.seconds, AttemptResult::Deferred, reason)?)
    }
}

/// The outcomes of a flight's messages, the session unless it is over, and whether a flight of several
/// failed in it.
struct Submitting {
    outcomes: Vec<Result<SubmissionOutcome, Error>>,
    session: Option<SmtpSession>,
    has_failed: bool,
}

#[cfg(test)]
mod tests;
