//! `postie queue`: lists the messages that wait in the outbox, sends those that are due, drops some.

mod object;

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use self::object::{PostponedObject, QueueEntry};
use crate::cli;
use crate::error::{Error, Exit, Failure};
use crate::limits;
use crate::message::Message;
use crate::net::Stop;
use crate::password::Source;
use crate::report::{ErrorObject, Report, count, span};
use crate::settings::{self, Peer, Settings};
use crate::smtp::Envelope;
use crate::store::outbox::{
    self, Answer, DeliveryRecord, Id, LockedEntry, Outbox, OutboxEntry, OutboxState, QueuedEnvelope,
};
use crate::submission::{
    Attempt, Attempted, Deferral, Disposition, Fallback, RecipientOutcome, SendResult, SmtpSession,
    Submission, SubmissionOutcome, close, complete, login_noted,
};
use crate::text::{Address, LocalName, Mailbox, RecipientStatus, ReversePath};

/// Lists the outbox, sends what is in it, or drops some of it.
pub fn queue(settings: &Settings, args: &cli::Queue, report: &Report, stop: &Stop) -> Exit {
    let done = match &args.action {
        None => list(settings, report),
        Some(cli::QueueAction::Flush { all }) => {
            let wanted = if *all { Wanted::All } else { Wanted::Due };
            return flush(settings, wanted, report, stop);
        }
        Some(cli::QueueAction::Remove { ids }) => {
            ids.iter().try_for_each(|id| remove(settings, id)).map(|()| Exit::Done)
        }
    };
    done.unwrap_or_else(|error| fail(report, None, &error))
}

fn fail(report: &Report, account: Option<&str>, error: &Error) -> Exit {
    report.sole_failure(&Failure { command: "queue", account, peer: None, error, lasting: None });
    error.into()
}

fn remove(settings: &Settings, id: &str) -> Result<(), Error> {
    let id: Id = id.parse()?;
    for outbox in settings.outboxes() {
        match outbox.remove(&id) {
            Err(outbox::Error::Unknown(_)) => {}
            removed => return Ok(removed?),
        }
    }
    Err(outbox::Error::Unknown(id.to_string()).into())
}

/// Every message in every outbox of this user's, the oldest first.
fn listed(settings: &Settings) -> Result<Vec<(Outbox, OutboxEntry)>, outbox::Error> {
    let mut all = Vec::new();
    for outbox in settings.outboxes() {
        all.extend(outbox.list()?.into_iter().map(|listed| (outbox.clone(), listed)));
    }
    all.sort_by(|(_, one), (_, other)| one.id.cmp(&other.id));
    Ok(all)
}

fn list(settings: &Settings, report: &Report) -> Result<Exit, Error> {
    let listed = listed(settings)?;
    if listed.is_empty() && !report.is_json() {
        // As `mailq` says it, and monitors look for it.
        report.answer("Mail queue is empty")?;
    }
    let (now, mut exit) = (settings.run_id().seconds, Exit::Done);
    for (outbox, message) in &listed {
        match &message.record {
            Ok(record) => {
                let missing = missing(settings, message.place, record);
                let missing = missing.as_ref().map(ToString::to_string);
                let account = record.order.account.as_deref();
                let held_back = account.and_then(|account| outbox.held_back_until(account, now));
                let due = record.due(now).max(held_back.unwrap_or_default());
                if report.is_json() {
                    report.object(&object(message, record, due, missing.as_deref()))?;
                } else {
                    report.answer(entry(message, record, (now, due), missing.as_deref()))?;
                }
            }
            Err(error) => {
                report.warn(format_args!("queue: {}: {error}", message.id));
                exit = exit.worse(Exit::from(error));
            }
        }
    }
    Ok(exit)
}

/// Returns what the configuration in force lacks to send a message that waits; `None` if it lacks
/// nothing.
fn missing(
    settings: &Settings,
    place: OutboxState,
    record: &DeliveryRecord,
) -> Option<settings::Error> {
    if place == OutboxState::Failed || !record.is_resolved {
        return None;
    }
    let QueuedEnvelope { account, from, .. } = &record.order;
    settings.queued_job(account.as_deref()?, from.as_ref()?).err()
}

/// A message for people: a line of what it is, and indented what became of it.
fn entry(
    OutboxEntry { id, place, .. }: &OutboxEntry,
    record: &DeliveryRecord,
    (now, due): (u64, u64),
    missing: Option<&str>,
) -> String {
    let QueuedEnvelope { received, account, recipients, aliases, config, subject, .. } =
        &record.order;
    let failed = record.failed();
    let recipients: Vec<_> = match place {
        OutboxState::Waiting => {
            recipients.iter().filter(|mailbox| record.waits_for(mailbox)).collect()
        }
        OutboxState::Failed => failed.iter().map(|(mailbox, _)| *mailbox).collect(),
    };
    let recipients = recipients.into_iter().map(Mailbox::as_str);
    let recipients: Vec<_> = recipients.chain(aliases.iter().map(LocalName::as_str)).collect();
    let age = span(now.saturating_sub(*received));
    let account = account.as_deref().unwrap_or("-");
    let mut text = format!("{id}  {age:>4}  {account}  {}", recipients.join(", "));
    // Writing to a String cannot fail.
    let mut add = |line: &dyn Display| write!(text, "\n    {line}").unwrap_or_default();
    if let Some(subject) = subject {
        add(&format_args!("Subject: {subject}"));
    }
    let tried = match record.attempts {
        0 => "not tried yet".to_owned(),
        attempts => format!("tried {}", times(attempts)),
    };
    match place {
        OutboxState::Failed => add(&format_args!("{tried}, will not be sent")),
        OutboxState::Waiting if due <= now => add(&format_args!("{tried}, due now")),
        OutboxState::Waiting => add(&format_args!("{tried}, due in {}", span(due - now))),
    }
    if let Some(last) = record.last.as_ref().filter(|_| *place == OutboxState::Waiting) {
        add(last);
    }
    if record.is_under_way() {
        add(&"the last attempt is under way, or was interrupted");
    }
    if let Some(missing) = missing {
        add(&format_args!("{missing}; queued with {}", config.display()));
    }
    for (mailbox, answer) in failed {
        add(&format_args!("{mailbox}: {answer}"));
    }
    if record.may_be_duplicate() {
        add(&"may be a duplicate: the final reply to it was lost");
    }
    text
}

fn times(number: u32) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "time")
}

fn object<'a>(
    OutboxEntry { id, place, .. }: &OutboxEntry,
    record: &'a DeliveryRecord,
    due: u64,
    missing: Option<&'a str>,
) -> QueueEntry<'a> {
    let order = &record.order;
    let recipient = |address: &str, answer: Option<&Answer>| RecipientOutcome {
        address: address.to_owned(),
        status: answer.map_or(RecipientStatus::Queued, |answer| answer.parts().0),
        reply: answer.map(|answer| answer.parts().1.to_owned()),
    };
    let mailbox = |mailbox: &Mailbox| recipient(mailbox.as_str(), record.answer(mailbox));
    let aliases = order.aliases.iter().map(|name| recipient(name.as_str(), None));
    QueueEntry {
        id: id.to_string(),
        state: match place {
            OutboxState::Failed => "failed",
            OutboxState::Waiting => "queued",
        },
        received: order.received,
        account: order.account.as_deref(),
        config: order.config.to_string_lossy(),
        from: order.from.as_ref().map(ReversePath::as_str),
        subject: order.subject.as_deref(),
        recipients: order.recipients.iter().map(mailbox).chain(aliases).collect(),
        attempts: record.attempts,
        due: (*place == OutboxState::Waiting).then_some(due),
        reply: record.last.as_deref(),
        missing,
        duplicate: record.may_be_duplicate(),
    }
}

/// The messages to send.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Due,
    All,
}

/// The verbosity of a queue run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verbosity {
    /// The user asked for the run.
    Asked,
    /// The run follows a successful `postie send`: temporary failures are not reported.
    Passing,
}

/// Sends what waits, account by account.
fn flush(settings: &Settings, wanted: Wanted, report: &Report, stop: &Stop) -> Exit {
    let listed = match listed(settings) {
        Ok(listed) => listed,
        Err(error) => return fail(report, None, &error.into()),
    };
    let (now, mut exit, mut early) = (settings.run_id().seconds, Exit::Done, 0);
    let mut accounts = BTreeMap::<_, Vec<_>>::new();
    for (outbox, OutboxEntry { id, place, record }) in listed {
        let record = match record {
            Ok(record) if place == OutboxState::Waiting => record,
            Ok(_) => continue,
            Err(error) => {
                exit = exit.worse(fail(report, None, &error.into()));
                continue;
            }
        };
        match account_for(settings, wanted, &outbox, &id, record, report) {
            Ok(Some((account, record))) => {
                let is_held = || {
                    let is_held = outbox.held_back_until(&account, now).is_some();
                    is_held && !settings.has_fallback(&account)
                };
                if wanted == Wanted::All || (record.is_due(now) && !is_held()) {
                    accounts.entry(account).or_default().push((outbox, id));
                } else {
                    early += 1;
                }
            }
            Ok(None) => {}
            Err(this) => exit = exit.worse(this),
        }
    }
    for (account, ids) in &accounts {
        let run = QueueRun {
            settings,
            account,
            wanted,
            verbosity: Verbosity::Asked,
            report,
            stop,
            session: None,
            dead: None,
            fallback: Fallback::new("queue", report, stop),
        };
        exit = exit.worse(run.run(ids));
    }
    if early > 0 {
        let early = count(early, "message");
        report
            .prompt(format_args!("{early} not due yet: `postie queue flush --all` does not wait"));
    }
    exit
}

/// The account to send a message with, which is chosen now if it was not before. `None` if the
/// configuration lacks what it needs, and that was reported within a day; an error when it is
/// reported now.
fn account_for(
    settings: &Settings,
    wanted: Wanted,
    outbox: &Outbox,
    id: &Id,
    record: DeliveryRecord,
    report: &Report,
) -> Result<Option<(String, DeliveryRecord)>, Exit> {
    let failed = |error: Error| fail(report, None, &error);
    let (now, place) = (settings.run_id().seconds, OutboxState::Waiting);
    let problem = match (missing(settings, place, &record), record.order.account.clone()) {
        (None, Some(account)) if record.is_resolved => return Ok(Some((account, record))),
        (Some(problem), _) => problem,
        (None, _) => {
            let Some(mut held) = hold(outbox, id).map_err(failed)? else { return Ok(None) };
            match resolve(settings, &mut held).map_err(failed)? {
                Ok(account) => return Ok(Some((account, held.record().clone()))),
                Err(problem) => problem,
            }
        }
    };
    let is_recent = |reported: u64| now.saturating_sub(reported) < limits::REPORT.as_secs();
    // A time in the future is no reason to be silent.
    let is_known = |(reported, _): &(u64, String)| *reported <= now && is_recent(*reported);
    if wanted == Wanted::Due && record.missing.as_ref().is_some_and(is_known) {
        return Ok(None);
    }
    let Some(mut held) = hold(outbox, id).map_err(failed)? else { return Ok(None) };
    let problem = problem.to_string();
    held.missing(now, &problem).map_err(|error| failed(error.into()))?;
    report.warn(format_args!(
        "queue: {id} waits: {problem}; it was queued with {}",
        record.order.config.display()
    ));
    Err(Exit::Config)
}

/// A message to work on; `None` if another run is working on it, or has.
fn hold(outbox: &Outbox, id: &Id) -> Result<Option<LockedEntry>, Error> {
    match outbox.hold(id) {
        Err(outbox::Error::Busy | outbox::Error::Unknown(_)) => Ok(None),
        held => Ok(Some(held?)),
    }
}

/// Chooses account and reverse-path as for a message that comes now, and resolves aliases. The inner
/// error is the configuration's.
fn resolve(
    settings: &Settings,
    held: &mut LockedEntry,
) -> Result<Result<String, settings::Error>, Error> {
    let QueuedEnvelope { account, from, recipients, aliases, .. } = held.record().order.clone();
    let message = Message::read(&mut held.message()?)?;
    let from = from.map(Into::into);
    let args = cli::Send { account, from, ..cli::Send::default() };
    let job = match settings.send_job(&args, &complete::authors(&message)) {
        Ok(job) => job,
        Err(error) => return Ok(Err(error)),
    };
    let mut addresses: Vec<_> = recipients.into_iter().map(Address::Mailbox).collect();
    addresses.extend(aliases.into_iter().map(Address::Local));
    let recipients = match settings.mailboxes(addresses) {
        Ok(recipients) => recipients,
        Err(error) => return Ok(Err(error)),
    };
    // Twice the same is once: what was answered for one is answered for both.
    let envelope = Envelope::new(job.reverse_path.clone(), recipients).ok_or(Error::NobodyNamed)?;
    let account = job.account.unwrap_or_default();
    let now = settings.run_id().seconds;
    held.resolve(now, &account, &job.reverse_path, envelope.recipients())?;
    Ok(Ok(account))
}

/// Sends a few of the messages that are due for an account with which something else has just
/// worked, as far as that takes no time. Nothing depends on how that goes.
pub fn flush_due(
    settings: &Settings,
    account: &str,
    session: Option<SmtpSession>,
    report: &Report,
    stop: &Stop,
) {
    let now = settings.run_id().seconds;
    // What is wrong with the outbox is for those to hear who ask for it.
    let mut listed = listed(settings).unwrap_or_default();
    listed.retain(|(_, OutboxEntry { place, record, .. })| {
        *place == OutboxState::Waiting
            && record.as_ref().is_ok_and(|record| {
                record.is_resolved
                    && record.order.account.as_deref() == Some(account)
                    && record.is_due(now)
            })
    });
    let mut ids: Vec<_> = listed.into_iter().map(|(outbox, listed)| (outbox, listed.id)).collect();
    ids.truncate(limits::PASSING);
    if session.is_none() {
        ids.retain(|(outbox, _)| outbox.held_back_until(account, now).is_none());
    }
    let session = session.map(|mut session| {
        session.finish_within(limits::PASSING_TIME);
        session
    });
    let (wanted, verbosity) = (Wanted::Due, Verbosity::Passing);
    let (dead, fallback) = (None, Fallback::new("queue", report, stop));
    let run =
        QueueRun { settings, account, wanted, verbosity, report, stop, session, dead, fallback };
    let _: Exit = run.run(&ids);
}

/// A run with the messages of one account, over one connection if it lasts.
struct QueueRun<'a> {
    settings: &'a Settings,
    account: &'a str,
    wanted: Wanted,
    verbosity: Verbosity,
    report: &'a Report,
    stop: &'a Stop,
    session: Option<SmtpSession>,
    /// The reason why the server cannot be reached.
    dead: Option<Deferral>,
    /// The connection to the fallback's server, for a run that the user asked for.
    fallback: Fallback<'a>,
}

impl QueueRun<'_> {
    fn run(mut self, ids: &[(Outbox, Id)]) -> Exit {
        let mut exit = Exit::Done;
        let mut time = self.report.stopwatch();
        let mut spent = 0;
        let others = (0..ids.len()).rev();
        for ((outbox, id), others) in ids.iter().zip(others) {
            spent += time.lap();
            let is_late = u128::from(spent) > limits::PASSING_TIME.as_millis();
            // In passing, one session that breaks is enough.
            let is_over = is_late || self.dead.is_some();
            if self.stop.is_wanted() || (self.verbosity == Verbosity::Passing && is_over) {
                break;
            }
            match self.send(outbox, id, others) {
                Ok(this) => exit = exit.worse(this),
                // What is wrong with the account is for those to hear who ask for it.
                Err(Error::Settings(_)) if self.verbosity == Verbosity::Passing => break,
                Err(error) => {
                    exit = exit.worse(self.fail(&error));
                    // There is no such account any more.
                    if matches!(error, Error::Settings(_)) {
                        break;
                    }
                }
            }
        }
        let sessions = [self.session, self.fallback.into_session()];
        sessions.into_iter().flatten().for_each(SmtpSession::quit);
        exit
    }

    /// Sends one message; `others` more follow it.
    fn send(&mut self, outbox: &Outbox, id: &Id, others: usize) -> Result<Exit, Error> {
        let now = self.settings.run_id().seconds;
        let Some(held) = hold(outbox, id)? else { return Ok(Exit::Done) };
        if self.wanted == Wanted::Due && !held.record().is_due(now) {
            return Ok(Exit::Done);
        }
        if held.record().is_finished() {
            // The run that had the last answer was cut off before it could tidy up.
            let is_sent = held.record().sent() > 0;
            let disposition = close(held)?;
            self.tell(None, id, &disposition, 0);
            return Ok(match disposition {
                Disposition::Failed { .. } if is_sent => Exit::Partial,
                Disposition::Failed { .. } => Exit::NoRecipient,
                Disposition::Done | Disposition::Deferred(_) => Exit::Done,
            });
        }
        let (Some(account), Some(from)) = (&held.record().order.account, &held.record().order.from)
        else {
            return Ok(Exit::Done);
        };
        let mut job = self.settings.queued_job(account, from)?;
        if self.verbosity == Verbosity::Passing {
            let time = limits::PASSING_TIME;
            job.peer.bounds.in_all = Some(job.peer.bounds.in_all.map_or(time, |all| all.min(time)));
        }
        let mut submission = Submission::queued(job, held)?;
        complete::rewrite_recipients(&mut submission.message, &submission.job, self.settings);
        let is_asking =
            matches!(submission.job.peer.source, Source::Terminal) && self.session.is_none();
        if is_asking && self.verbosity == Verbosity::Passing {
            return Ok(Exit::Done);
        }
        // One that the server has had enough of is no session.
        let session = match self.session.take().map(SmtpSession::reset) {
            Some(Err(_)) if self.verbosity == Verbosity::Passing => {
                self.dead = Some(Deferral::interrupted());
                return Ok(Exit::Done);
            }
            session => session.and_then(Result::ok),
        };
        submission.begin()?;
        if self.wanted == Wanted::Due && self.dead.is_none() && session.is_none() {
            let held_back = submission.held_back(outbox);
            self.dead = held_back.map(|error| Deferral::from(&error));
        }
        if let Some(deferral) = &self.dead {
            if self.verbosity == Verbosity::Asked
                && let Some(attempted) =
                    submission.attempt_fallback(Attempt::Further, &mut self.fallback)
            {
                return self.finish(&submission, id, attempted, 0);
            }
            let disposition = submission.postpone(deferral, Attempt::Further)?;
            if self.verbosity == Verbosity::Asked {
                self.report.result(None, || PostponedObject {
                    id: id.to_string(),
                    account: self.account,
                    queued: submission.held.is_some().then(|| id.to_string()),
                    error: ErrorObject::new(Exit::Later, deferral.reason()),
                })?;
            }
            if !matches!(disposition, Disposition::Deferred(_)) {
                self.tell(Some(&submission.job.peer), id, &disposition, 0);
            }
            return Ok(Exit::Later);
        }
        let session = match session {
            Some(session) => Ok(session),
            None => login_noted(&submission, outbox, self.report, self.stop),
        };
        let is_reached = session.is_ok();
        let fallback = Some(&mut self.fallback).filter(|_| self.verbosity == Verbosity::Asked);
        let mut attempted = submission.attempt(session, Attempt::Further, fallback, self.report);
        let (outcome, session) = (&attempted.outcome, attempted.session.take());
        self.dead = match outcome {
            Err(error) if !is_reached && submission.fallback_of.is_none() => Some(error.into()),
            // Its fallback has the message, or is in doubt about this one alone; what was wrong with
            // the account is wrong for the next.
            _ if !is_reached => Some(Deferral::interrupted()),
            // In passing, no second one is made.
            _ if session.is_none() && self.verbosity == Verbosity::Passing => {
                Some(Deferral::interrupted())
            }
            _ => None,
        };
        let others = if is_reached { 0 } else { others };
        self.session = session;
        self.finish(&submission, id, attempted, others)
    }

    /// Reports an attempt.
    fn finish(
        &self,
        submission: &Submission,
        id: &Id,
        attempted: Attempted,
        others: usize,
    ) -> Result<Exit, Error> {
        let Attempted { outcome, disposition, .. } = attempted;
        let disposition = disposition?;
        let exit = submission.verdict(&outcome);
        self.answer(submission, id, &outcome, exit)?;
        self.tell(Some(&submission.job.peer), id, &disposition, others);
        if let (Err(error), Verbosity::Asked) = (&outcome, self.verbosity) {
            let (account, peer) = (Some(self.account), Some(&submission.job.peer));
            let failure = Failure { command: "queue", account, peer, error, lasting: None };
            self.report.advise(&failure);
        }
        Ok(exit)
    }

    fn fail(&self, error: &Error) -> Exit {
        if self.verbosity == Verbosity::Asked {
            return fail(self.report, Some(self.account), error);
        }
        let (command, account) = ("queue", Some(self.account));
        self.report.failure(&Failure { command, account, peer: None, error, lasting: None });
        error.into()
    }

    /// Prints the result, if the user asked for the run.
    fn answer(
        &self,
        submission: &Submission,
        id: &Id,
        outcome: &Result<SubmissionOutcome, Error>,
        exit: Exit,
    ) -> Result<(), Error> {
        if self.verbosity == Verbosity::Passing {
            return Ok(());
        }
        let sentence = outcome.as_ref().ok().and_then(|sent| submission.sentence(sent));
        let sentence = sentence.map(|sentence| format!("{id}: {sentence}"));
        self.report.result(sentence.as_deref(), || {
            let object = submission.object(outcome, exit);
            SendResult { id: Some(id.to_string()), ..object }
        })
    }

    /// Prints a failure, and the number of others it holds for; a temporary one only if the user
    /// asked for the run.
    fn tell(&self, peer: Option<&Peer>, id: &Id, disposition: &Disposition, others: usize) {
        let (reason, then) = match disposition {
            Disposition::Deferred(reason) if self.verbosity == Verbosity::Asked => match others {
                0 => (reason, "waits".to_owned()),
                _ => (reason, format!("waits, like {}", count(others, "other"))),
            },
            Disposition::Done | Disposition::Deferred(_) => return,
            Disposition::Failed { path, reason } => {
                (reason, format!("is in {} now", path.display()))
            }
        };
        let account = self.account;
        let peer = peer.map(|peer| format!(" {peer}:")).unwrap_or_default();
        self.report.warn(format_args!("queue {account}:{peer} {reason}; {id} {then}"));
    }
}
