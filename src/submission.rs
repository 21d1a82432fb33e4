//! A message with its envelope and job, from account to outcome: what the commands that submit
//! messages share. It neither reads messages from outside nor decides when they are sent.

pub mod complete;
mod fallback;
pub mod first_attempt;
mod object;
mod outbox;
mod outcome;
mod record;
mod summary;

use std::io::{self, Read};

use crate::config::Tls;
use crate::connect::Connector;
use crate::error::{Error, Exit};
use crate::limits;
use crate::message::{self, Message, Transport};
use crate::net::Stop;
use crate::ownership::Caller;
use crate::password::Source;
use crate::report::{Octets, Progress, Report};
use crate::settings::SendJob;
use crate::smtp::{
    self, Authenticated, Envelope, MailData, MailParameters, RecipientPolicy, Session, Submitted,
    Unauthenticated,
};
use crate::store::outbox::{LockedEntry, Outbox};
use crate::text::Mailbox;
use crate::wire::{Disclosure, Private};

pub use self::fallback::Fallback;
pub use self::object::{SendPlan, SendResult};
pub use self::outbox::{Attempt, Deferral, Disposition, close};
pub use self::outcome::{RecipientOutcome, SubmissionOutcome};

/// A session in which messages can be submitted.
pub type SmtpSession = Session<Authenticated, Box<dyn Private>>;

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
    pub fallback_of: Option<String>,
    /// The user who handed it in, if that was by the submission service.
    pub caller: Option<Caller>,
}

/// The result of an attempt.
pub struct Attempted {
    /// The outcome for the recipients.
    pub outcome: Result<SubmissionOutcome, Error>,
    /// The account's own session, if more can be submitted in it.
    pub session: Option<SmtpSession>,
    /// The state of the outbox's entry after it.
    pub disposition: Result<Disposition, Error>,
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
        let (held, largest, fallback_of, caller) = (None, None, None, None);
        Ok(Self { job, envelope, message, demand, held, largest, fallback_of, caller })
    }

    /// Returns the run's exit status: a message that waits counts as done.
    pub fn exit(&self, outcome: &Result<SubmissionOutcome, Error>) -> Exit {
        match self.waiting() {
            Some(held) if held.record().failed().is_empty() => Exit::Done,
            Some(_) => Exit::Partial,
            None => self.verdict(outcome),
        }
    }

    /// Returns the exit status of the attempt itself.
    pub fn verdict(&self, outcome: &Result<SubmissionOutcome, Error>) -> Exit {
        match outcome {
            Ok(sent) => sent.exit(self.demand),
            Err(error) => error.into(),
        }
    }

    /// Keeps what is to be kept. What is not kept was sent all the same, or not, as `outcome` says.
    fn remember(&mut self, outcome: &Result<SubmissionOutcome, Error>, report: &Report) {
        let copy = if self.is_to_be_kept(outcome) { self.keep() } else { Ok(()) };
        if let Err(error) = copy {
            report.warn(format_args!(
                "send: the message was sent, but its copy was not kept: {error}"
            ));
        }
        if let Err(error) = self.log(outcome) {
            report.warn(format_args!("send: {error}"));
        }
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
    let run = report.token_run(stop);
    let attempts = peer.source.attempts(&peer.user, peer.host.as_str(), peer.auth, &run)?;
    let attempts = attempts.ready()?;
    let way = Connector::to(peer, report, stop)?;
    let hello = job.ehlo_name.clone();
    let disclosure = Disclosure::new(report.trace(None), attempts.secrets());
    let connecting = way.step("connecting");
    let session: Session<Unauthenticated, _> = match peer.tls {
        Tls::Implicit => Session::open(way.tls(way.tcp()?)?, hello, disclosure)?,
        Tls::Starttls => {
            Session::open(way.tcp()?, hello, disclosure)?.starttls(|tcp| way.tls(tcp))?
        }
        Tls::None => Session::open(way.loopback()?, hello, disclosure)?,
    };
    drop(connecting);
    let _logging_in = way.step("logging in");
    session.auth(attempts.map(|attempt| attempt.map_err(Error::from)))
}

impl Submission {
    /// Submits the message, and keeps account of it. What would wait is sent with the account's
    /// fallback, if there is one and `fallback` a connection for it.
    pub fn attempt(
        &mut self,
        session: Result<SmtpSession, Error>,
        attempt: Attempt,
        fallback: Option<&mut Fallback<'_>>,
        report: &Report,
    ) -> Attempted {
        let (outcome, session) = self.submit_over(session, report);
        let outcome = match fallback {
            Some(fallback) => self.or_fall_back(outcome, fallback),
            None => outcome,
        };
        let disposition = self.settle(&outcome, attempt);
        Attempted { outcome, session, disposition }
    }

    /// Submits the message over a session, if there is one, and writes the log.
    fn submit_over(
        &mut self,
        session: Result<SmtpSession, Error>,
        report: &Report,
    ) -> (Result<SubmissionOutcome, Error>, Option<SmtpSession>) {
        let (outcome, session) = match session {
            Ok(session) => self.submit(session, report),
            Err(error) => (Err(error), None),
        };
        self.remember(&outcome, report);
        (outcome, session)
    }

    /// Submits the message. Returns the outcome, and the session unless it is over.
    fn submit(
        &mut self,
        mut session: SmtpSession,
        report: &Report,
    ) -> (Result<SubmissionOutcome, Error>, Option<SmtpSession>) {
        let is_8bit = session.offered().eight_bit_mime;
        let transport = if is_8bit { Transport::EightBit } else { Transport::SevenBit };
        let fitted = self.message.encode_for(transport).map_err(Error::from);
        if !self.job.chunking {
            session.forgo_chunking();
        }
        if self.job.peer.pipelining == Some(false) {
            session.forgo_pipelining();
        }
        let outcome = fitted.and_then(|()| self.transactions(&mut session, report));
        if session.is_over() {
            session.quit();
            return (outcome, None);
        }
        (outcome, Some(session))
    }

    /// Returns whether the message may leave before the server has accepted a recipient.
    fn may_go_along(&mut self) -> Result<bool, Error> {
        let mut text = Vec::new();
        if self.message.octets() <= limits::CHUNK {
            let read = io::copy(&mut self.message.text()?, &mut text);
            read.map_err(|source| message::Error::Io { doing: "read back", source })?;
        }
        Ok(!text.is_empty() && !smtp::holds_command(&text))
    }

    /// Adds the largest part to the error about a message's size.
    fn explained(&self, error: smtp::Error) -> Error {
        match &self.largest {
            Some((name, octets)) if matches!(error, smtp::Error::TooLarge { .. }) => {
                Error::Oversized { error, name: name.clone(), octets: *octets }
            }
            _ => error.into(),
        }
    }

    /// A bar for what takes a while to be sent.
    fn progress(&self, report: &Report) -> Option<Progress> {
        let label = self.job.account.as_deref().unwrap_or(self.job.peer.host.as_str());
        let is_long = self.message.octets() >= limits::LONG_SUBMISSION;
        is_long.then(|| report.progress(label))
    }

    /// Runs one transaction, and further ones for recipients who exceed the server's limit, which
    /// some servers announce (RFC 9422) and others answer with 452.
    fn transactions(
        &mut self,
        session: &mut SmtpSession,
        report: &Report,
    ) -> Result<SubmissionOutcome, Error> {
        let mut most = match self.demand {
            RecipientPolicy::Any => session.offered().recipients.unwrap_or(usize::MAX),
            // What is taken in parts is not taken by all.
            RecipientPolicy::All => usize::MAX,
        };
        let (octets, is_8bit) = (self.message.octets(), self.message.is_8bit());
        let may_go_along = self.may_go_along()?;
        let progress = self.progress(report);
        let mut sent = SubmissionOutcome::default();
        let mut waiting = self.envelope.recipients().to_vec();
        loop {
            let later = waiting.split_off(most.min(waiting.len()));
            let Some(envelope) = self.envelope.among(&waiting) else { return Ok(sent) };
            let now = self.job.run_id.seconds;
            if let Some(progress) = &progress {
                progress.expect_octets(octets);
            }
            let left_octets = progress.as_ref().map(Progress::octets);
            let mut text = Watched { text: self.message.text()?, progress: left_octets };
            // The server may have the message once these have left: the outbox knows it first.
            let mut before_last_octets = || match &mut self.held {
                Some(held) => held.mark_data(now).map_err(io::Error::other),
                None => Ok(()),
            };
            let mut content = MailData {
                text: &mut text,
                octets,
                is_8bit,
                may_go_along,
                before_last_octets: &mut before_last_octets,
            };
            let Submitted { recipients, unanswered, outcome } =
                session.submit(&envelope, &mut content, self.demand);
            drop(text);
            let (asked, answered) = (waiting.len(), sent.recipients.len());
            let (accepted, interrupted) = match outcome {
                Ok(accepted) => (accepted, None),
                Err(error) => (None, Some(self.explained(error))),
            };
            if interrupted.is_none() {
                waiting = sent.add(recipients, accepted.as_deref(), self.demand);
                if !waiting.is_empty() {
                    most = asked - waiting.len();
                }
            } else {
                // A refused recipient has an answer, independent of the others.
                let (refused, others): (Vec<_>, Vec<_>) =
                    recipients.into_iter().partition(|(_, answer)| answer.is_err());
                sent.recipients.extend(refused);
                waiting =
                    others.into_iter().map(|(mailbox, _)| mailbox).chain(unanswered).collect();
            }
            waiting.extend(later);
            let answers = sent.recipients.iter().skip(answered);
            let verdict = interrupted.is_none().then(|| accepted.as_deref().unwrap_or_default());
            let noted = match &mut self.held {
                // What a fallback refuses waits for the account.
                Some(held) if self.fallback_of.is_some() => {
                    outbox::note(held, now, answers.filter(|(_, answer)| answer.is_ok()), verdict)
                }
                Some(held) => outbox::note(held, now, answers, verdict),
                None => Ok(()),
            };
            // Without a recipient to send to there is nothing to remember.
            let noted = noted.err().filter(|_| !waiting.is_empty()).map(Error::from);
            match interrupted.or(noted) {
                None => {}
                Some(error) if sent.recipients.is_empty() => return Err(error),
                Some(error) => {
                    sent.interrupted = Some((error, waiting));
                    return Ok(sent);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

/// A text that counts its octets for a progress bar.
struct Watched<R> {
    text: R,
    progress: Option<Octets>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(octets)?;
        if let Some(progress) = &self.progress {
            progress.add(u64::try_from(read).unwrap_or(u64::MAX));
        }
        Ok(read)
    }
}
