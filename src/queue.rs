//! `postie queue`: lists the messages that wait in the outbox, sends those that are due, drops some.

mod object;
mod run;

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::io::Read;

use self::object::{DamagedEntry, PostponedObject, QueueEntry};
use self::run::QueueRun;
use crate::cli;
use crate::error::{Error, Exit, Failure};
use crate::limits;
use crate::message::Message;
use crate::net::Stop;
use crate::report::{ErrorObject, Report, count, span};
use crate::settings::{self, Settings};
use crate::smtp::Envelope;
use crate::store::outbox::{
    self, Answer, DeliveryRecord, Id, LockedEntry, Outbox, OutboxEntry, OutboxState, QueuedEnvelope,
};
use crate::submission::{RecipientOutcome, SmtpSession, complete};
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
            let removed = ids.iter().map(|id| match remove(settings, id) {
                Ok(()) => Exit::Done,
                Err(error) => fail(report, None, &error),
            });
            return removed.fold(Exit::Done, Exit::worse);
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

/// Every message in every outbox of this user's, the oldest first. Each is read when its turn comes, so
/// that any number of them takes little memory.
fn listed(
    settings: &Settings,
) -> Result<impl Iterator<Item = (Outbox, OutboxEntry)>, outbox::Error> {
    let mut all = Vec::new();
    for outbox in settings.outboxes() {
        all.extend(outbox.ids()?.into_iter().map(|(id, place)| (outbox.clone(), id, place)));
    }
    all.sort_by(|(_, one, _), (_, other, _)| one.cmp(other));
    Ok(all.into_iter().filter_map(|(outbox, id, place)| {
        let entry = outbox.entry(id, place)?;
        Some((outbox, entry))
    }))
}

fn list(settings: &Settings, report: &Report) -> Result<Exit, Error> {
    let mut listed = listed(settings)?.peekable();
    if listed.peek().is_none() && !report.is_json() {
        // As `mailq` says it, and monitors look for it.
        report.answer("Mail queue is empty")?;
    }
    let (now, mut exit) = (settings.run_id().seconds, Exit::Done);
    for (outbox, message) in listed {
        match &message.record {
            Ok(record) => {
                let missing = lacks(settings, &outbox, &message, record);
                let account = record.order.account.as_deref();
                let held_back = account.and_then(|account| outbox.held_back_until(account, now));
                let due = record.due(now).max(held_back.unwrap_or_default());
                if report.is_json() {
                    report.object(&object(&message, record, due, missing.as_deref()))?;
                } else {
                    report.answer(entry(&message, record, (now, due), missing.as_deref()))?;
                }
            }
            Err(error) => {
                let this = Exit::from(error);
                report.warn(format_args!("queue: {}: {error}", message.id));
                if report.is_json() {
                    report.object(&DamagedEntry::new(&message.id, this, error))?;
                }
                exit = exit.worse(this);
            }
        }
    }
    Ok(exit)
}

/// Returns what a message that waits lacks to be sent, also if its account is still to be chosen; `None`
/// if it lacks nothing.
fn lacks(
    settings: &Settings,
    outbox: &Outbox,
    OutboxEntry { id, place, .. }: &OutboxEntry,
    record: &DeliveryRecord,
) -> Option<String> {
    let problem = match missing(settings, *place, record) {
        None if *place == OutboxState::Waiting && !record.is_resolved => {
            let message = outbox.message(id).map_err(Error::from);
            match message.and_then(|mut message| choose(settings, record, &mut message)) {
                Ok(chosen) => chosen.err(),
                Err(error) => return Some(error.to_string()),
            }
        }
        problem => problem,
    };
    problem.map(|problem| problem.to_string())
}

/// Returns what the configuration in force lacks to send a message that waits, or which of its rules
/// forbids that; `None` if there is nothing.
fn missing(
    settings: &Settings,
    place: OutboxState,
    record: &DeliveryRecord,
) -> Option<settings::Error> {
    match place {
        OutboxState::Failed => return None,
        // Which account it is for is not known yet.
        OutboxState::Waiting if !record.is_resolved => return settings.no_configuration(),
        OutboxState::Waiting => {}
    }
    let QueuedEnvelope { account, from, .. } = &record.order;
    // The rules may have come later than the message.
    let job = settings.queued_job(account.as_deref()?, from.as_ref()?);
    job.and_then(|job| Ok(job.permissions.check_recipients(&record.waiting())?)).err()
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
    // Even where no message comes any more, none that was sent stays on the disk.
    settings.outboxes().iter().for_each(Outbox::sweep);
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
        let run = QueueRun::new(settings, account, wanted, Verbosity::Asked, report, stop);
        exit = exit.worse(run.run(ids, None));
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
    let line = format!(
        "queue: {id} waits: {problem}; it was queued with {}",
        record.order.config.display()
    );
    report.warn(&line);
    let object = || PostponedObject {
        id: id.to_string(),
        account: record.order.account.as_deref(),
        queued: Some(id.to_string()),
        error: ErrorObject::new(Exit::Config, &line),
    };
    report.result(None, object).map_err(failed)?;
    Err(Exit::Config)
}

/// A message to work on; `None` if another run is working on it, or has.
fn hold(outbox: &Outbox, id: &Id) -> Result<Option<LockedEntry>, Error> {
    match outbox.hold(id) {
        Err(outbox::Error::Busy | outbox::Error::Unknown(_)) => Ok(None),
        held => Ok(Some(held?)),
    }
}

/// Chooses account and reverse-path, and resolves aliases, from now on. The inner error is the
/// configuration's.
fn resolve(
    settings: &Settings,
    held: &mut LockedEntry,
) -> Result<Result<String, settings::Error>, Error> {
    let (account, envelope) = match choose(settings, held.record(), &mut held.message()?)? {
        Ok(chosen) => chosen,
        Err(problem) => return Ok(Err(problem)),
    };
    let now = settings.run_id().seconds;
    held.resolve(now, &account, envelope.reverse_path(), envelope.recipients())?;
    Ok(Ok(account))
}

/// Returns the account and envelope that a message would have if it came now. The inner error is the
/// configuration's.
fn choose(
    settings: &Settings,
    record: &DeliveryRecord,
    message: &mut dyn Read,
) -> Result<Result<(String, Envelope), settings::Error>, Error> {
    let QueuedEnvelope { account, from, recipients, aliases, .. } = record.order.clone();
    let message = Message::read(message)?;
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
    let envelope = Envelope::new(job.reverse_path, recipients).ok_or(Error::NobodyNamed)?;
    if let Err(forbidden) = job.permissions.check_recipients(envelope.recipients()) {
        return Ok(Err(forbidden.into()));
    }
    Ok(Ok((job.account.unwrap_or_default(), envelope)))
}

/// Sends up to [`limits::PASSING`] messages of the account that are due, for [`limits::PASSING_TIME`] at
/// most, after another message was sent or mail was fetched: over `session` if there is one. Temporary
/// failures are not reported.
pub fn flush_due(
    settings: &Settings,
    account: &str,
    session: Option<SmtpSession>,
    report: &Report,
    stop: &Stop,
) {
    let now = settings.run_id().seconds;
    // What is wrong with the outbox is for those to hear who ask for it.
    let is_due = |record: &DeliveryRecord| {
        let is_account = record.order.account.as_deref() == Some(account);
        record.is_resolved
            && is_account
            && record.is_due(now)
            && missing(settings, OutboxState::Waiting, record).is_none()
    };
    let due =
        listed(settings).into_iter().flatten().filter(|(_, OutboxEntry { place, record, .. })| {
            *place == OutboxState::Waiting && record.as_ref().is_ok_and(is_due)
        });
    let due = due.take(limits::PASSING);
    let mut ids: Vec<_> = due.map(|(outbox, entry)| (outbox, entry.id)).collect();
    if session.is_none() {
        ids.retain(|(outbox, _)| outbox.held_back_until(account, now).is_none());
    }
    let session = session.map(|mut session| {
        session.finish_within(limits::PASSING_TIME);
        session
    });
    let run = QueueRun::new(settings, account, Wanted::Due, Verbosity::Passing, report, stop);
    let _: Exit = run.run(&ids, session);
}
