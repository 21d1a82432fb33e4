//! The first attempt to send a message, for a caller who hears what became of it: what `postie send`,
//! SMTP on standard input and the submission service share.

use std::fmt::Display;

use super::{
    Attempt, Attempted, Disposition, Fallback, SmtpSession, Submission, SubmissionOutcome, login,
    login_noted,
};
use crate::error::{Error, Exit, Failure};
use crate::net::Stop;
use crate::report::Report;
use crate::settings::Settings;
use crate::smtp::{self, RecipientPolicy};
use crate::store::outbox::NotAdded;

/// The result of a first attempt.
pub struct Ended {
    /// The exit status.
    pub exit: Exit,
    /// The outcome in words, for a caller who gets one reply, and for the submission service's log.
    pub text: String,
    /// True if the account's own rules forbid the message, now and later.
    pub is_forbidden: bool,
}

impl Ended {
    /// The end of a run in which the message was not forbidden.
    pub fn new(exit: Exit, text: String) -> Self {
        Self { exit, text, is_forbidden: false }
    }
}

impl Submission {
    /// Sends the message or keeps it in the outbox, and reports how it went. `then` gets the account
    /// that it was sent with, and the session in which more can be sent.
    pub fn first_attempt(
        mut self,
        settings: &Settings,
        attempt: Attempt,
        report: &Report,
        stop: &Stop,
        then: impl FnOnce(&str, SmtpSession),
    ) -> Ended {
        if self.job.queue {
            let unkept = |error: &dyn Display| {
                report.warn(format_args!("send: {error}; the message is sent without the outbox"));
            };
            match settings.outbox() {
                Ok(outbox) => match self.enqueue(&outbox, settings.config()) {
                    // From here on the message is safe, even if this run is killed.
                    Ok(()) => stop.decide(Some(Exit::Done.status())),
                    Err(NotAdded { error, may_be_listed: true }) => {
                        return fail(report, Some(&self), &error.into());
                    }
                    Err(NotAdded { error, may_be_listed: false }) => unkept(&error),
                },
                Err(error) => unkept(&error),
            }
        }
        if attempt == Attempt::OneReply && self.held.is_none() {
            // One reply is true of all recipients only if they all have the message, or none has it.
            self.demand = RecipientPolicy::All;
        }
        let mut held_back = self.held.as_ref().and_then(|held| self.held_back(held.outbox()));
        let put_off = self.put_off.take().filter(|_| self.held.is_some());
        let waits = put_off.or_else(|| held_back.take_if(|_| self.job.fallback.is_none()));
        if let Some(held_back) = waits {
            let notice = self.notice(&held_back.to_string()).unwrap_or_default();
            let outcome = Err(held_back);
            let result = report.result(None, || self.object(&outcome, Exit::Done));
            report.waits(&notice);
            if let Err(error) = result {
                warn(report, &self, &error);
            }
            let text = match attempt {
                Attempt::OneReply => self.queued_as().unwrap_or_default(),
                Attempt::First | Attempt::Further => notice,
            };
            return Ended::new(Exit::Done, text);
        }
        let session = self.begin().and_then(|()| match held_back {
            Some(held_back) => Err(held_back),
            None => match &self.held {
                Some(held) => login_noted(&self, held.outbox(), report, stop),
                None => login(&self.job, report, stop),
            },
        });
        if session.is_ok() && self.held.is_none() {
            // From here on the server may have the message, and no signal says that it has not.
            stop.decide(Some(Exit::InDoubt.status()));
        }
        let mut fallback = Fallback::new("send", report, stop).counting(settings);
        let (mut attempted, mut session) =
            self.attempt(session, attempt, Some(&mut fallback), report);
        if is_bdat_unknown(&attempted.outcome) {
            // The server has not taken it: the refusal is about the command.
            self.job.chunking = false;
            let is_kept = self.held.is_some();
            stop.decide(is_kept.then(|| Exit::Done.status()));
            let again = self.begin().and_then(|()| login(&self.job, report, stop));
            if again.is_ok() && !is_kept {
                stop.decide(Some(Exit::InDoubt.status()));
            }
            (attempted, session) = self.attempt(again, attempt, Some(&mut fallback), report);
        }
        let Attempted { outcome, disposition } = attempted;
        let exit = self.exit(&outcome);
        stop.decide((exit != Exit::Later).then(|| exit.status()));
        let object = || self.object(&outcome, exit);
        let sentence = outcome.as_ref().ok().and_then(|sent| self.sentence(sent));
        let result = report.result(sentence.as_deref(), object);
        match &outcome {
            Ok(sent) => self.complain(sent, report),
            Err(_) if self.waiting().is_some() => {}
            Err(error) => warn(report, &self, error),
        }
        let notice = self.last().and_then(|last| self.notice(&last));
        if let Some(notice) = &notice {
            report.waits(notice);
        }
        if let Ok(Disposition::Failed { path, .. }) = &disposition {
            report.warn(format_args!("send: the message is in {} now", path.display()));
        }
        let notified = match attempt {
            // The one reply is for the recipients that the message waits for.
            Attempt::OneReply if self.waiting().is_some() => Ok(()),
            Attempt::OneReply | Attempt::First | Attempt::Further => self.notified(),
        };
        // A caller that is not told, or is told of an outbox that failed, is not to send the message again for
        // that: the status stays.
        for error in [result.err(), disposition.err(), notified.err()].into_iter().flatten() {
            warn(report, &self, &error);
        }
        let (session, other) = match self.fallback_of {
            Some(_) => (fallback.into_session(), session),
            None => (session, fallback.into_session()),
        };
        other.into_iter().for_each(SmtpSession::quit);
        match (session, &self.job.account) {
            (Some(session), Some(name)) => then(name, session),
            (Some(session), None) => session.quit(),
            (None, _) => {}
        }
        let one_reply = self.queued_as().filter(|_| attempt == Attempt::OneReply);
        let text = one_reply.unwrap_or_else(|| match (sentence, notice, &outcome) {
            (Some(sentence), Some(notice), _) => format!("{sentence}; {notice}"),
            (Some(text), None, _) | (None, Some(text), _) => text,
            (None, None, Ok(sent)) => sent.problem().unwrap_or_default(),
            (None, None, Err(error)) => error.to_string(),
        });
        Ended::new(exit, text)
    }
}

/// Returns whether the server did not know BDAT, which it offers.
fn is_bdat_unknown(outcome: &Result<SubmissionOutcome, Error>) -> bool {
    let refused = outcome.as_ref().err();
    let is_it = |error: &Error| {
        matches!(error, Error::Smtp(smtp::Error::Refused { what: smtp::Subject::Bdat, .. }))
    };
    refused.is_some_and(is_it)
}

/// Reports what ended the run before an attempt.
pub fn fail(report: &Report, submission: Option<&Submission>, error: &Error) -> Ended {
    report.sole_failure(&failure(submission, error));
    let is_forbidden = matches!(error, Error::NotPermitted(_));
    Ended { is_forbidden, ..Ended::new(error.into(), error.to_string()) }
}

/// Reports an error beside the outcome.
fn warn(report: &Report, submission: &Submission, error: &Error) {
    report.failure(&failure(Some(submission), error));
}

/// The failure of a submission, or of a run that has none yet.
pub fn failure<'a>(submission: Option<&'a Submission>, error: &'a Error) -> Failure<'a> {
    let job = submission.map(|submission| &submission.job);
    Failure {
        command: "send",
        account: job.and_then(|job| job.account.as_deref()),
        peer: job.map(|job| &job.peer),
        error,
        lasting: None,
    }
}
