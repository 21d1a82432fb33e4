//! Messages that wait in the outbox: how one gets there, what becomes of it with each attempt, and
//! how they are listed, sent and dropped.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::io::{self, Read};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::input::{self, Incomplete};
use super::sent::Sent;
use super::{Attempted, Letter, Line, login_noted};
use crate::cli;
use crate::error::{Error, Exit, Failure};
use crate::limits;
use crate::message::Message;
use crate::net::Stop;
use crate::password::Source;
use crate::report::{Report, count, span};
use crate::settings::{self, Peer, SendJob, Settings};
use crate::smtp::{self, Demand, Envelope, Refusal, Terms};
use crate::store;
use crate::store::outbox::{
    Answer, Ending, Held, Id, Listed, NotAdded, Order, Outbox, Place, Record,
};
use crate::text::{Address, LocalName, Mailbox, ReversePath};

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
    report.failure(&Failure { command: "queue", account, peer: None, error, lasting: None });
    error.into()
}

fn remove(settings: &Settings, id: &str) -> Result<(), Error> {
    let id: Id = id.parse()?;
    for outbox in settings.outboxes() {
        match outbox.remove(&id) {
            Err(store::Error::Unknown(_)) => {}
            removed => return Ok(removed?),
        }
    }
    Err(store::Error::Unknown(id.to_string()).into())
}

/// Every message in every outbox of this user's, the oldest first.
fn listed(settings: &Settings) -> Result<Vec<(Outbox, Listed)>, store::Error> {
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
    let (now, mut exit) = (settings.moment().seconds, Exit::Done);
    for (outbox, message) in &listed {
        match &message.record {
            Ok(record) => {
                let missing = missing(settings, message.place, record);
                let missing = missing.as_ref().map(ToString::to_string);
                let account = record.order.account.as_deref();
                let held_back = account.and_then(|account| outbox.held_back_until(account, now));
                let due = record.due(now).max(held_back.unwrap_or_default());
                if report.is_json() {
                    report.answer(object(message, record, due, missing.as_deref()))?;
                } else {
                    report.answer(entry(message, record, (now, due), missing.as_deref()))?;
                }
            }
            Err(error) => {
                report.complaint(format_args!("queue: {}: {error}", message.id));
                exit = exit.worse(Exit::from(error));
            }
        }
    }
    Ok(exit)
}

/// What the configuration in force lacks to send a message that waits.
fn missing(settings: &Settings, place: Place, record: &Record) -> Option<settings::Error> {
    if place == Place::Failed || !record.is_resolved {
        return None;
    }
    let Order { account, from, .. } = &record.order;
    settings.queued_job(account.as_deref()?, from.as_ref()?).err()
}

/// A message for people: a line of what it is, and indented what became of it.
fn entry(
    Listed { id, place, .. }: &Listed,
    record: &Record,
    (now, due): (u64, u64),
    missing: Option<&str>,
) -> String {
    let Order { received, account, recipients, aliases, config, .. } = &record.order;
    let failed = record.failed();
    let recipients: Vec<_> = match place {
        Place::Waiting => recipients.iter().filter(|mailbox| record.waits_for(mailbox)).collect(),
        Place::Failed => failed.iter().map(|(mailbox, _)| *mailbox).collect(),
    };
    let recipients = recipients.into_iter().map(Mailbox::as_str);
    let recipients: Vec<_> = recipients.chain(aliases.iter().map(LocalName::as_str)).collect();
    let age = span(now.saturating_sub(*received));
    let account = account.as_deref().unwrap_or("-");
    let mut text = format!("{id}  {age:>4}  {account}  {}", recipients.join(", "));
    // Writing to a String cannot fail.
    let mut add = |line: &dyn Display| write!(text, "\n    {line}").unwrap_or_default();
    let tried = match record.attempts {
        0 => "not tried yet".to_owned(),
        attempts => format!("tried {}", times(attempts)),
    };
    match place {
        Place::Failed => add(&format_args!("{tried}, will not be sent")),
        Place::Waiting if due <= now => add(&format_args!("{tried}, due now")),
        Place::Waiting => add(&format_args!("{tried}, due in {}", span(due - now))),
    }
    if let Some(last) = record.last.as_ref().filter(|_| *place == Place::Waiting) {
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

fn object(
    Listed { id, place, .. }: &Listed,
    record: &Record,
    due: u64,
    missing: Option<&str>,
) -> Value {
    let order = &record.order;
    let recipient = |mailbox: &Mailbox| {
        let (status, reply) = match record.answer(mailbox).map(Answer::parts) {
            Some((status, reply)) => (status, Some(reply)),
            None => ("queued", None),
        };
        json!({ "address": mailbox.as_str(), "status": status, "reply": reply })
    };
    let alias = |name: &LocalName| json!({ "address": name.as_str(), "status": "queued" });
    let aliases = order.aliases.iter().map(alias);
    json!({
        "id": id.to_string(),
        "state": match place { Place::Failed => "failed", Place::Waiting => "queued" },
        "received": order.received,
        "account": order.account,
        "config": order.config.to_string_lossy(),
        "from": order.from.as_ref().map(ReversePath::as_str),
        "recipients": order.recipients.iter().map(recipient).chain(aliases).collect::<Vec<_>>(),
        "attempts": record.attempts,
        "due": (*place == Place::Waiting).then_some(due),
        "reply": record.last,
        "missing": missing,
        "duplicate": record.may_be_duplicate(),
    })
}

/// Which of the messages that wait are to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Due,
    All,
}

/// Whether somebody wants to hear of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tone {
    /// Somebody asked for this.
    Asked,
    /// It is done in passing: what did not work and may pass is not worth a word.
    Passing,
}

/// Sends what waits, account by account.
fn flush(settings: &Settings, wanted: Wanted, report: &Report, stop: &Stop) -> Exit {
    let listed = match listed(settings) {
        Ok(listed) => listed,
        Err(error) => return fail(report, None, &error.into()),
    };
    let (now, mut exit, mut early) = (settings.moment().seconds, Exit::Done, 0);
    let mut accounts = BTreeMap::<_, Vec<_>>::new();
    for (outbox, Listed { id, place, record }) in listed {
        let record = match record {
            Ok(record) if place == Place::Waiting => record,
            Ok(_) => continue,
            Err(error) => {
                exit = exit.worse(fail(report, None, &error.into()));
                continue;
            }
        };
        match account_for(settings, wanted, &outbox, &id, record, report) {
            Ok(Some((account, record))) => {
                let is_held = || outbox.held_back_until(&account, now).is_some();
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
        let round = Round {
            settings,
            account,
            wanted,
            tone: Tone::Asked,
            report,
            stop,
            line: None,
            dead: None,
        };
        exit = exit.worse(round.walk(ids));
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
    record: Record,
    report: &Report,
) -> Result<Option<(String, Record)>, Exit> {
    let failed = |error: Error| fail(report, None, &error);
    let (now, place) = (settings.moment().seconds, Place::Waiting);
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
    report.complaint(format_args!(
        "queue: {id} waits: {problem}; it was queued with {}",
        record.order.config.display()
    ));
    Err(Exit::Config)
}

/// A message to work on; `None` if another run is working on it, or has.
fn hold(outbox: &Outbox, id: &Id) -> Result<Option<Held>, Error> {
    match outbox.hold(id) {
        Err(store::Error::Busy | store::Error::Unknown(_)) => Ok(None),
        held => Ok(Some(held?)),
    }
}

/// Chooses account and reverse-path as for a message that comes now, and resolves aliases. The inner
/// error is the configuration's.
fn resolve(settings: &Settings, held: &mut Held) -> Result<Result<String, settings::Error>, Error> {
    let Order { account, from, recipients, aliases, .. } = held.record().order.clone();
    let message = Message::read(&mut held.message()?)?;
    let from = from.map(Into::into);
    let args = cli::Send { account, from, ..cli::Send::default() };
    let job = match settings.send_job(&args, &input::authors(&message)) {
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
    let now = settings.moment().seconds;
    held.resolve(now, &account, &job.reverse_path, envelope.recipients())?;
    Ok(Ok(account))
}

/// Sends a few of the messages that are due for an account with which something else has just
/// worked, as far as that takes no time. Nothing depends on how that goes.
pub fn in_passing(
    settings: &Settings,
    account: &str,
    line: Option<Line>,
    report: &Report,
    stop: &Stop,
) {
    let now = settings.moment().seconds;
    // What is wrong with the outbox is for those to hear who ask for it.
    let mut listed = listed(settings).unwrap_or_default();
    listed.retain(|(_, Listed { place, record, .. })| {
        *place == Place::Waiting
            && record.as_ref().is_ok_and(|record| {
                record.is_resolved
                    && record.order.account.as_deref() == Some(account)
                    && record.is_due(now)
            })
    });
    let mut ids: Vec<_> = listed.into_iter().map(|(outbox, listed)| (outbox, listed.id)).collect();
    ids.truncate(limits::PASSING);
    if line.is_none() {
        ids.retain(|(outbox, _)| outbox.held_back_until(account, now).is_none());
    }
    let line = line.map(|mut line| {
        line.finish_within(limits::PASSING_TIME);
        line
    });
    let (wanted, tone) = (Wanted::Due, Tone::Passing);
    let round = Round { settings, account, wanted, tone, report, stop, line, dead: None };
    let _: Exit = round.walk(&ids);
}

/// A round with the messages of one account, over one connection if it lasts.
struct Round<'a> {
    settings: &'a Settings,
    account: &'a str,
    wanted: Wanted,
    tone: Tone,
    report: &'a Report,
    stop: &'a Stop,
    line: Option<Line>,
    /// Why there is no getting to the server.
    dead: Option<Setback>,
}

impl Round<'_> {
    fn walk(mut self, ids: &[(Outbox, Id)]) -> Exit {
        let mut exit = Exit::Done;
        let mut time = self.report.stopwatch();
        let mut spent = 0;
        let others = (0..ids.len()).rev();
        for ((outbox, id), others) in ids.iter().zip(others) {
            spent += time.lap();
            let is_late = u128::from(spent) > limits::PASSING_TIME.as_millis();
            // In passing, one line that breaks is enough.
            let is_over = is_late || self.dead.is_some();
            if self.stop.is_wanted() || (self.tone == Tone::Passing && is_over) {
                break;
            }
            match self.send(outbox, id, others) {
                Ok(this) => exit = exit.worse(this),
                // What is wrong with the account is for those to hear who ask for it.
                Err(Error::Settings(_)) if self.tone == Tone::Passing => break,
                Err(error) => {
                    exit = exit.worse(fail(self.report, Some(self.account), &error));
                    // There is no such account any more.
                    if matches!(error, Error::Settings(_)) {
                        break;
                    }
                }
            }
        }
        if let Some(line) = self.line {
            line.quit();
        }
        exit
    }

    /// Sends a message, before so many others.
    fn send(&mut self, outbox: &Outbox, id: &Id, others: usize) -> Result<Exit, Error> {
        let now = self.settings.moment().seconds;
        let Some(held) = hold(outbox, id)? else { return Ok(Exit::Done) };
        if self.wanted == Wanted::Due && !held.record().is_due(now) {
            return Ok(Exit::Done);
        }
        if held.record().waiting().is_empty() {
            // The run that had the last answer was cut off before it could tidy up.
            let fate = close(held)?;
            self.tell(None, id, &fate, 0);
            return Ok(Exit::Done);
        }
        let (Some(account), Some(from)) = (&held.record().order.account, &held.record().order.from)
        else {
            return Ok(Exit::Done);
        };
        let mut job = self.settings.queued_job(account, from)?;
        if self.tone == Tone::Passing {
            let time = limits::PASSING_TIME;
            job.peer.bounds.in_all = Some(job.peer.bounds.in_all.map_or(time, |all| all.min(time)));
        }
        let mut letter = Letter::queued(job, held)?;
        input::rewrite_recipients(&mut letter.message, &letter.job, self.settings);
        let is_asking = matches!(letter.job.peer.source, Source::Terminal) && self.line.is_none();
        if is_asking && self.tone == Tone::Passing {
            return Ok(Exit::Done);
        }
        // One that the server has had enough of is no line.
        let line = match self.line.take().map(Line::reset) {
            Some(Err(_)) if self.tone == Tone::Passing => {
                self.dead = Some(Setback::broken());
                return Ok(Exit::Done);
            }
            line => line.and_then(Result::ok),
        };
        letter.begin()?;
        if let Some(setback) = &self.dead {
            let fate = letter.postpone(setback, Occasion::Further)?;
            if !matches!(fate, Fate::Waits(_)) {
                self.tell(Some(&letter.job.peer), id, &fate, 0);
            }
            return Ok(Exit::Later);
        }
        let line = match line {
            Some(line) => Ok(line),
            None => login_noted(&letter, outbox, self.report, self.stop),
        };
        let is_reached = line.is_ok();
        let Attempted { outcome, line, fate } =
            letter.attempt(line, Occasion::Further, self.report);
        self.dead = match &outcome {
            Err(error) if !is_reached => Some(error.into()),
            // In passing, no second one is made.
            _ if line.is_none() && self.tone == Tone::Passing => Some(Setback::broken()),
            _ => None,
        };
        let others = if is_reached { 0 } else { others };
        self.line = line;
        let fate = fate?;
        let exit = letter.verdict(&outcome);
        self.answer(&letter, id, &outcome, exit)?;
        self.tell(Some(&letter.job.peer), id, &fate, others);
        if let (Err(error), Tone::Asked) = (&outcome, self.tone) {
            self.report.advise(error, Some(&letter.job.peer));
        }
        Ok(exit)
    }

    /// The result, for whoever asked for it.
    fn answer(
        &self,
        letter: &Letter,
        id: &Id,
        outcome: &Result<Sent, Error>,
        exit: Exit,
    ) -> Result<(), Error> {
        if self.tone == Tone::Passing {
            return Ok(());
        }
        let sentence = outcome.as_ref().ok().and_then(|sent| letter.sentence(sent));
        let sentence = sentence.map(|sentence| format!("{id}: {sentence}"));
        self.report.result(sentence.as_deref(), || {
            let mut object = letter.object(outcome, exit);
            if let Value::Object(members) = &mut object {
                members.insert("id".to_owned(), id.to_string().into());
            }
            object
        })
    }

    /// What went wrong, and for how many others too; if it may pass, for whoever asked for it.
    fn tell(&self, peer: Option<&Peer>, id: &Id, fate: &Fate, others: usize) {
        let (reason, then) = match fate {
            Fate::Waits(reason) if self.tone == Tone::Asked => match others {
                0 => (reason, "waits".to_owned()),
                _ => (reason, format!("waits, like {}", count(others, "other"))),
            },
            Fate::Gone | Fate::Waits(_) => return,
            Fate::Failed { path, reason } => (reason, format!("is in {} now", path.display())),
        };
        let account = self.account;
        let peer = peer.map(|peer| format!(" {peer}:")).unwrap_or_default();
        self.report.complaint(format_args!("queue {account}:{peer} {reason}; {id} {then}"));
    }
}

/// Which attempt it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// The first: somebody waits for an answer.
    First,
    /// A further one, of which the outbox alone keeps account.
    Further,
}

/// What became of a message in the outbox.
pub(super) enum Fate {
    /// It is not there any more.
    Gone,
    /// It waits, for this reason.
    Waits(String),
    /// Somebody will not get it, and somebody should look at it.
    Failed { path: PathBuf, reason: String },
}

/// Whether a message waits for the configuration. What was typed of the account is not known later.
pub(super) fn may_wait(settings: &Settings, args: &cli::Send) -> bool {
    let is_wanted = args.queue || settings.queues_by_default();
    is_wanted && !args.dry_run && !args.one_off.is_given()
}

/// Takes in a message for which the configuration cannot be used; an attempt completes it. Where it
/// is not to wait, or cannot, the reason is how the run ends.
pub(super) fn keep_incomplete(
    settings: &Settings,
    args: &cli::Send,
    incomplete: Incomplete,
    report: &Report,
    stop: &Stop,
) -> Exit {
    let Incomplete { recipients, mut message, error } = incomplete;
    // What was typed wrong is for the caller.
    if !may_wait(settings, args) || Exit::from(&error) != Exit::Config {
        return super::fail(report, None, &error);
    }
    let moment = settings.moment();
    if message.field("Date").is_none() {
        message.replace("Date", &moment.date());
    }
    let mut order = Order {
        received: moment.seconds,
        config: settings.config(),
        account: args.account.clone(),
        from: args.from.as_ref().map(|from| from.path.clone()),
        is_incomplete: true,
        full_name: input::full_name(args).map(str::to_owned),
        recipients: Vec::new(),
        aliases: Vec::new(),
        notify: args.dsn_notify.clone(),
        ret: args.dsn_return,
        envid: moment.unique(),
        require_tls: args.require_tls,
        is_all_or_nothing: args.all_or_nothing,
    };
    for recipient in recipients {
        match recipient {
            Address::Mailbox(mailbox) => order.recipients.push(mailbox),
            Address::Local(name) => order.aliases.push(name),
        }
    }
    let id = Id::new(moment.seconds, moment.random);
    match settings.outbox().add(&id, order, |file| message.copy(file)) {
        Ok(_) => {
            stop.decide(Some(Exit::Done.status()));
            let queued = json!({ "account": args.account, "queued": id.to_string() });
            let notice = format!("send: {error}; the message waits in the outbox as {id}");
            report.notice(notice);
            if let Err(error) = report.result(None, || queued) {
                super::fail(report, None, &error);
            }
            Exit::Done
        }
        Err(NotAdded { error: reason, .. }) => {
            super::fail(report, None, &reason.into());
            super::fail(report, None, &error)
        }
    }
}

impl Letter {
    /// Gives the message a place in the outbox, before anything else is done with it.
    pub(super) fn enqueue(&mut self, outbox: &Outbox, config: PathBuf) -> Result<(), NotAdded> {
        let Some(account) = self.job.account.clone() else { return Ok(()) };
        let moment = &self.job.moment;
        let Terms { notify, ret, id: envid, require_tls } = self.envelope.terms().clone();
        let order = Order {
            received: moment.seconds,
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
            require_tls,
            is_all_or_nothing: self.demand == Demand::All,
        };
        let id = Id::new(moment.seconds, moment.random);
        self.held = Some(outbox.add(&id, order, |file| self.message.copy(file))?);
        Ok(())
    }

    /// The message as it waits in the outbox, for those who are still to get it.
    pub(super) fn queued(mut job: SendJob, held: Held) -> Result<Self, Error> {
        let Order { from, notify, ret, envid, require_tls, is_all_or_nothing, .. } =
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
            input::complete(&mut message, &job, full_name.as_deref());
        }
        job.queue = true;
        Ok(Self {
            job,
            envelope: envelope.on(Terms { notify, ret, id: envid, require_tls }),
            message,
            demand: if is_all_or_nothing { Demand::All } else { Demand::Any },
            held: Some(held),
        })
    }

    /// Why no attempt is made now: the account's login was refused a short while ago.
    pub(super) fn held_back(&self, outbox: &Outbox) -> Option<Error> {
        self.held.as_ref()?;
        let (now, account) = (self.job.moment.seconds, self.job.account.as_ref()?);
        // A person may type another password.
        let is_typed = matches!(self.job.peer.source, Source::Terminal);
        let until = outbox.held_back_until(account, now).filter(|_| !is_typed)?;
        Some(Error::HeldBack { time: span(until.saturating_sub(now)) })
    }

    /// Lets the outbox know that an attempt begins.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        let now = self.job.moment.seconds;
        Ok(self.held.as_mut().map_or(Ok(()), |held| held.begin(now))?)
    }

    /// Lets the outbox know how the attempt went. What was answered for good at first is for the
    /// caller to hear; later, for whoever looks at what failed.
    pub(super) fn settle(
        &mut self,
        outcome: &Result<Sent, Error>,
        occasion: Occasion,
    ) -> Result<Fate, Error> {
        let Some(held) = &mut self.held else { return Ok(Fate::Gone) };
        let mut waiting = held.record().waiting();
        let (hopeless, setback) = match outcome {
            Err(error) => (is_final(error).then(|| waiting.clone()), error.into()),
            Ok(Sent { broken: Some((error, unanswered)), .. }) => {
                (is_final(error).then(|| unanswered.clone()), error.into())
            }
            Ok(sent) => {
                let is_hopeless = sent.exit(self.demand) == Exit::NoRecipient;
                (is_hopeless.then(|| waiting.clone()), Setback::of(sent, is_hopeless))
            }
        };
        let hopeless = hopeless.unwrap_or_default();
        waiting.retain(|mailbox| !hopeless.contains(mailbox));
        if waiting.is_empty() && occasion == Occasion::First {
            self.held.take().map_or(Ok(()), Held::remove)?;
            return Ok(Fate::Gone);
        }
        if !hopeless.is_empty() {
            held.answer(
                self.job.moment.seconds,
                hopeless.iter().map(|mailbox| (mailbox, Answer::NotSent(setback.reason.clone()))),
                Some(&setback.reason),
            )?;
        }
        match self.held.take_if(|_| waiting.is_empty()) {
            Some(held) => close(held),
            None => self.postpone(&setback, occasion),
        }
    }

    /// Lets the outbox know that the attempt is over for those who are still to get the message,
    /// who have waited long enough in the end.
    pub(super) fn postpone(
        &mut self,
        setback: &Setback,
        occasion: Occasion,
    ) -> Result<Fate, Error> {
        let Some(held) = &mut self.held else { return Ok(Fate::Gone) };
        let now = self.job.moment.seconds;
        held.end(now, setback.ending, &setback.reason)?;
        if occasion == Occasion::First || !held.record().is_too_old() {
            return Ok(Fate::Waits(setback.reason.clone()));
        }
        let waiting = held.record().waiting();
        held.answer(
            now,
            waiting.iter().map(|mailbox| (mailbox, Answer::Abandoned(setback.reason.clone()))),
            None,
        )?;
        self.held.take().map_or(Ok(Fate::Gone), close)
    }

    /// Whether the message waits for this recipient.
    pub(super) fn waits_for(&self, mailbox: &Mailbox) -> bool {
        self.held.as_ref().is_some_and(|held| held.record().waits_for(mailbox))
    }

    /// Lets the outbox know that the caller has heard of those who will never get the message.
    pub(super) fn told(&mut self) -> Result<(), Error> {
        let now = self.job.moment.seconds;
        match &mut self.held {
            Some(held) if !held.record().failed().is_empty() => Ok(held.told(now)?),
            _ => Ok(()),
        }
    }

    /// Why the message waits, as the last attempt left it.
    pub(super) fn last(&self) -> Option<String> {
        Some(self.held.as_ref()?.record().last.clone().unwrap_or_default())
    }

    /// What a caller is told whose message waits, for this reason.
    pub(super) fn notice(&self, reason: &str) -> Option<String> {
        let (held, peer) = (self.held.as_ref()?, &self.job.peer);
        let account = self.job.account.as_deref().unwrap_or_default();
        let id = held.id();
        Some(format!("send {account}: {peer}: {reason}; the message waits in the outbox as {id}"))
    }
}

/// Takes a message from those that wait, as nobody is to get it any more.
pub(super) fn close(held: Held) -> Result<Fate, Error> {
    let failed = held.record().failed();
    let Some((mailbox, answer)) = failed.first() else {
        held.remove()?;
        return Ok(Fate::Gone);
    };
    let others = match failed.len() - 1 {
        0 => String::new(),
        others => format!(" (and {} more)", count(others, "recipient")),
    };
    let reason = format!("{mailbox}: {answer}{others}");
    Ok(Fate::Failed { path: held.fail()?, reason })
}

/// Lets the outbox know which recipients have been answered for good: those who have the message,
/// and if nothing else is asked for, those who never will. `verdict` is on the message, if there is
/// one; it is empty if nobody was there to get it.
pub(super) fn note<'a>(
    held: &mut Held,
    now: u64,
    answers: impl Iterator<Item = &'a (Mailbox, Result<String, Refusal>)>,
    verdict: Option<&str>,
) -> Result<(), store::Error> {
    let is_all_or_nothing = held.record().order.is_all_or_nothing;
    let answers = answers.filter_map(|(mailbox, answer)| match answer {
        Ok(_) => {
            let reply = verdict.filter(|reply| !reply.is_empty())?;
            Some((mailbox, Answer::Accepted(reply.to_owned())))
        }
        Err(refusal) if refusal.is_temporary() || is_all_or_nothing => None,
        Err(refusal) => Some((mailbox, Answer::Refused(refusal.to_string()))),
    });
    held.answer(now, answers, verdict)
}

/// Why somebody is still to get the message.
#[derive(Clone)]
pub(super) struct Setback {
    ending: Ending,
    reason: String,
}

impl Setback {
    /// The refusal that decided.
    fn of(sent: &Sent, is_hopeless: bool) -> Self {
        let refusals = sent.recipients.iter().filter_map(|(mailbox, answer)| {
            answer.as_ref().err().map(|refusal| (mailbox, refusal))
        });
        let mut decisive = refusals.filter(|(_, refusal)| refusal.is_temporary() != is_hopeless);
        let reason =
            decisive.next().map(|(mailbox, refusal)| format!("{mailbox} refused: {refusal}"));
        Self { ending: Ending::Deferred, reason: reason.unwrap_or_default() }
    }

    /// The server broke off, and there is no other line.
    fn broken() -> Self {
        Self { ending: Ending::Deferred, reason: String::new() }
    }
}

impl From<&Error> for Setback {
    fn from(error: &Error) -> Self {
        let (ending, reason) = match error {
            Error::Smtp(smtp::Error::InDoubt(error)) => {
                (Ending::InDoubt, format!("{error}: the message may have been delivered"))
            }
            Error::Net(_) => (Ending::Unreachable, error.to_string()),
            error if is_login_refused(error) => (Ending::LoginRefused, error.to_string()),
            _ => (Ending::Deferred, error.to_string()),
        };
        Self { ending, reason }
    }
}

/// Whether the login was refused permanently, as for a wrong password.
pub(super) fn is_login_refused(error: &Error) -> bool {
    matches!(error, Error::Smtp(smtp::Error::Login { .. })) && Exit::from(error) == Exit::Denied
}

/// Whether a message is not to be tried again after its submission ended so: the message itself or
/// its recipients were refused, or the server lacks what it asked for. All else waits.
fn is_final(error: &Error) -> bool {
    matches!(Exit::from(error), Exit::Message | Exit::NoRecipient | Exit::Missing)
}

/// A text whose last octets leave only when the outbox knows that they do.
pub(super) struct HandedOver<'a, R> {
    pub(super) text: R,
    /// Octets that have not left.
    pub(super) left: u64,
    pub(super) held: Option<&'a mut Held>,
    pub(super) now: u64,
}

impl<R: Read> Read for HandedOver<'_, R> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(octets)?;
        self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        if let Some(held) = self.held.take_if(|_| self.left == 0) {
            held.hand_over(self.now).map_err(io::Error::other)?;
        }
        Ok(read)
    }
}
