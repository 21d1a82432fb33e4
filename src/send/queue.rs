//! Messages that wait in the outbox: how one gets there, what becomes of it with each attempt, and
//! how they are listed, sent and dropped.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::io::{self, Read};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::sent::Sent;
use super::{Letter, Line, login};
use crate::cli;
use crate::error::{Error, Exit, Failure};
use crate::limits;
use crate::message::Message;
use crate::net::Stop;
use crate::password::Source;
use crate::report::{Report, count, span};
use crate::settings::{Peer, SendJob, Settings};
use crate::smtp::{self, Demand, Envelope, Refusal, Terms};
use crate::store;
use crate::store::outbox::{Ending, Held, Id, Listed, Order, Outbox, Place, Record};
use crate::text::Mailbox;

/// Lists the outbox, sends what is in it, or drops some of it.
pub fn queue(settings: &Settings, args: &cli::Queue, report: &Report, stop: &Stop) -> Exit {
    let outbox = settings.outbox();
    let done = match &args.action {
        None => list(&outbox, settings.moment().seconds, report),
        Some(cli::QueueAction::Flush { all }) => {
            let wanted = if *all { Wanted::All } else { Wanted::Due };
            return flush(settings, wanted, report, stop);
        }
        Some(cli::QueueAction::Remove { ids }) => ids.iter().try_for_each(|id| {
            let id: Id = id.parse()?;
            Ok(outbox.remove(&id)?)
        }),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(error) => fail(report, None, &error),
    }
}

fn fail(report: &Report, account: Option<&str>, error: &Error) -> Exit {
    report.failure(&Failure { command: "queue", account, peer: None, error, lasting: None });
    error.into()
}

fn list(outbox: &Outbox, now: u64, report: &Report) -> Result<(), Error> {
    let listed = outbox.list()?;
    if listed.is_empty() && !report.is_json() {
        // As `mailq` says it, and monitors look for it.
        return report.answer("Mail queue is empty");
    }
    for message in &listed {
        match &message.record {
            Ok(record) if report.is_json() => report.answer(object(message, record))?,
            Ok(record) => report.answer(entry(message, record, now))?,
            Err(error) => report.complaint(format_args!("queue: {}: {error}", message.id)),
        }
    }
    Ok(())
}

/// A message for people: a line of what it is, and indented what became of it.
fn entry(Listed { id, place, is_busy, .. }: &Listed, record: &Record, now: u64) -> String {
    let Order { accepted, account, recipients, .. } = &record.order;
    let failed = record.failed();
    let recipients: Vec<_> = match place {
        Place::Waiting => recipients.iter().filter(|mailbox| record.waits_for(mailbox)).collect(),
        Place::Failed => failed.iter().map(|(mailbox, _)| *mailbox).collect(),
    };
    let recipients: Vec<_> = recipients.into_iter().map(Mailbox::as_str).collect();
    let age = span(now.saturating_sub(*accepted));
    let mut text = format!("{id}  {age:>4}  {account}  {}", recipients.join(", "));
    // Writing to a String cannot fail.
    let mut add = |line: &dyn Display| write!(text, "\n    {line}").unwrap_or_default();
    let tried = match record.attempts {
        0 => "not tried yet".to_owned(),
        attempts => format!("tried {}", times(attempts)),
    };
    match place {
        Place::Failed => add(&format_args!("{tried}, will not be sent")),
        Place::Waiting if *is_busy => add(&"somebody is at work on it"),
        Place::Waiting if record.is_due(now) => add(&format_args!("{tried}, due now")),
        Place::Waiting => {
            add(&format_args!("{tried}, due in {}", span(record.due().saturating_sub(now))));
        }
    }
    if let Some(last) = record.last.as_ref().filter(|_| *place == Place::Waiting) {
        add(last);
    }
    for (mailbox, reason) in failed {
        add(&format_args!("{mailbox}: {reason}"));
    }
    if record.may_be_duplicate() && !is_busy {
        add(&"may be a duplicate: the verdict on it was lost");
    }
    text
}

fn times(number: u32) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "time")
}

fn object(Listed { id, place, is_busy, .. }: &Listed, record: &Record) -> Value {
    let order = &record.order;
    let failed = record.failed();
    let recipient = |mailbox: &Mailbox| {
        let reason = failed.iter().find(|(named, _)| *named == mailbox).map(|(_, reason)| reason);
        let status = match reason {
            Some(_) => "failed",
            None if record.waits_for(mailbox) => "waiting",
            None => "accepted",
        };
        json!({ "address": mailbox.as_str(), "status": status, "reply": reason })
    };
    let state = match place {
        Place::Failed => "failed",
        Place::Waiting if *is_busy => "busy",
        Place::Waiting => "waiting",
    };
    json!({
        "id": id.to_string(),
        "state": state,
        "accepted": order.accepted,
        "account": order.account,
        "from": order.from.as_str(),
        "recipients": order.recipients.iter().map(recipient).collect::<Vec<_>>(),
        "attempts": record.attempts,
        "due": (*place == Place::Waiting).then(|| record.due()),
        "reply": record.last,
        "duplicate": record.may_be_duplicate() && !is_busy,
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
    let listed = match settings.outbox().list() {
        Ok(listed) => listed,
        Err(error) => return fail(report, None, &error.into()),
    };
    let mut exit = Exit::Done;
    let mut accounts = BTreeMap::<_, Vec<_>>::new();
    let mut early = 0;
    for Listed { id, place, record, .. } in listed {
        match record {
            Ok(record) if place == Place::Waiting && is_known(settings, &record) => {
                if wanted == Wanted::All || record.is_due(settings.moment().seconds) {
                    accounts.entry(record.order.account).or_default().push(id);
                } else {
                    early += 1;
                }
            }
            Ok(_) => {}
            Err(error) => exit = exit.worse(fail(report, None, &error.into())),
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

/// Sends what is due for an account with which something else has just worked. Nothing depends on
/// how that goes.
pub fn in_passing(
    settings: &Settings,
    account: &str,
    line: Option<Line>,
    report: &Report,
    stop: &Stop,
) {
    // What is wrong with the outbox is for those to hear who ask for it.
    let mut listed = settings.outbox().list().unwrap_or_default();
    listed.retain(|Listed { place, record, .. }| {
        *place == Place::Waiting
            && record.as_ref().is_ok_and(|record| {
                record.order.account == account
                    && is_known(settings, record)
                    && record.is_due(settings.moment().seconds)
            })
    });
    let ids: Vec<_> = listed.into_iter().map(|listed| listed.id).collect();
    let (wanted, tone) = (Wanted::Due, Tone::Passing);
    let round = Round { settings, account, wanted, tone, report, stop, line, dead: None };
    let _: Exit = round.walk(&ids);
}

/// Whether the message's account is one of this configuration's. What came with another file is for
/// a run that reads that one.
fn is_known(settings: &Settings, record: &Record) -> bool {
    record.order.config == settings.config()
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
    fn walk(mut self, ids: &[Id]) -> Exit {
        let mut exit = Exit::Done;
        let others = (0..ids.len()).rev();
        for (id, others) in ids.iter().zip(others) {
            if self.stop.is_wanted() {
                break;
            }
            match self.send(id, others) {
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
    fn send(&mut self, id: &Id, others: usize) -> Result<Exit, Error> {
        let now = self.settings.moment().seconds;
        let held = match self.settings.outbox().hold(id) {
            // Somebody else is seeing to it, or has.
            Err(store::Error::Busy | store::Error::Unknown(_)) => return Ok(Exit::Done),
            held => held?,
        };
        if self.wanted == Wanted::Due && !held.record().is_due(now) {
            return Ok(Exit::Done);
        }
        if held.record().waiting().is_empty() {
            // The run that had the last answer was cut off before it could tidy up.
            let fate = close(held)?;
            self.tell(None, id, &fate, 0);
            return Ok(Exit::Done);
        }
        let Order { account, from, .. } = &held.record().order;
        let job = self.settings.queued_job(account, from)?;
        let mut letter = Letter::queued(job, held)?;
        let is_asking = matches!(letter.job.peer.source, Source::Terminal) && self.line.is_none();
        if is_asking && self.tone == Tone::Passing {
            return Ok(Exit::Done);
        }
        letter.begin()?;
        // One that the server has had enough of is no line.
        let line = self.line.take().and_then(|line| line.reset().ok());
        let (outcome, fate, others) = match (line, &self.dead) {
            (None, Some(setback)) => {
                let fate = letter.postpone(setback, Occasion::Further)?;
                if !matches!(fate, Fate::Waits(_)) {
                    self.tell(Some(&letter.job.peer), id, &fate, 0);
                }
                return Ok(Exit::Later);
            }
            (line, _) => {
                match line.map_or_else(|| login(&letter.job, self.report, self.stop), Ok) {
                    Ok(line) => {
                        let (outcome, line) = letter.submit(line);
                        self.line = line;
                        letter.remember(&outcome, self.report);
                        let fate = letter.settle(&outcome, Occasion::Further)?;
                        (outcome, fate, 0)
                    }
                    Err(error) => {
                        let setback = Setback::from(&error);
                        let outcome = Err(error);
                        letter.remember(&outcome, self.report);
                        let fate = letter.postpone(&setback, Occasion::Further)?;
                        self.dead = Some(setback);
                        (outcome, fate, others)
                    }
                }
            }
        };
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

impl Letter {
    /// Gives the message a place in the outbox, before anything else is done with it.
    pub(super) fn enqueue(&mut self, outbox: &Outbox, config: PathBuf) -> Result<(), Error> {
        let Some(account) = self.job.account.clone() else { return Ok(()) };
        let moment = &self.job.moment;
        let Terms { notify, ret, id: envid, require_tls } = self.envelope.terms().clone();
        let order = Order {
            accepted: moment.seconds,
            config,
            account,
            from: self.envelope.reverse_path().clone(),
            recipients: self.envelope.recipients().to_vec(),
            notify,
            ret,
            envid,
            require_tls,
            is_all_or_nothing: self.demand == Demand::All,
        };
        let id = Id::new(moment.seconds, moment.random);
        let held = outbox.add(&id, order, |file| self.message.copy(file))?;
        self.held = Some(held);
        Ok(())
    }

    /// The message as it waits in the outbox, for those who are still to get it.
    pub(super) fn queued(job: SendJob, held: Held) -> Result<Self, Error> {
        let Order { from, notify, ret, envid, require_tls, is_all_or_nothing, .. } =
            held.record().order.clone();
        let recipients = held.record().waiting();
        let envelope = Envelope::new(from, recipients).ok_or(Error::NobodyNamed)?;
        let mut message = Message::read(&mut held.message()?)?;
        message.remove_bcc();
        Ok(Self {
            job,
            envelope: envelope.on(Terms { notify, ret, id: envid, require_tls }),
            message,
            demand: if is_all_or_nothing { Demand::All } else { Demand::Any },
            held: Some(held),
        })
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
            Err(error) => (is_final(error, occasion).then(|| waiting.clone()), error.into()),
            Ok(Sent { broken: Some((error, unanswered)), .. }) => {
                // The message waits for others anyway; then what is not its own fault may pass.
                let others_wait = waiting.iter().any(|mailbox| !unanswered.contains(mailbox));
                let occasion = if others_wait { Occasion::Further } else { occasion };
                (is_final(error, occasion).then(|| unanswered.clone()), error.into())
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
                hopeless.iter().map(|mailbox| (mailbox, Err(setback.reason.clone()))),
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
    fn postpone(&mut self, setback: &Setback, occasion: Occasion) -> Result<Fate, Error> {
        let Some(held) = &mut self.held else { return Ok(Fate::Gone) };
        let now = self.job.moment.seconds;
        held.end(now, setback.ending, &setback.reason)?;
        if occasion == Occasion::First || !held.record().is_too_old(now) {
            return Ok(Fate::Waits(setback.reason.clone()));
        }
        let days = limits::GIVE_UP.as_secs() / (24 * 60 * 60);
        let reason = format!("given up after {days} days: {}", setback.reason);
        let waiting = held.record().waiting();
        held.answer(
            now,
            waiting.iter().map(|mailbox| (mailbox, Err(reason.clone()))),
            Some(&reason),
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

    /// What a caller is told whose message waits.
    pub(super) fn notice(&self) -> Option<String> {
        let held = self.held.as_ref()?;
        let account = &held.record().order.account;
        let (peer, id) = (&self.job.peer, held.id());
        let reason = held.record().last.as_deref().unwrap_or_default();
        Some(format!("send {account}: {peer}: {reason}; the message waits in the outbox as {id}"))
    }
}

/// Takes a message from those that wait, as nobody is to get it any more.
pub(super) fn close(held: Held) -> Result<Fate, Error> {
    let failed = held.record().failed();
    let Some((mailbox, reason)) = failed.first() else {
        held.remove()?;
        return Ok(Fate::Gone);
    };
    let others = match failed.len() - 1 {
        0 => String::new(),
        others => format!(" (and {} more)", count(others, "recipient")),
    };
    let reason = format!("{mailbox}: {reason}{others}");
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
        Ok(_) => Some((mailbox, Ok(verdict.filter(|reply| !reply.is_empty())?.to_owned()))),
        Err(refusal) if refusal.is_temporary() || is_all_or_nothing => None,
        Err(refusal) => Some((mailbox, Err(format!("refused: {refusal}")))),
    });
    held.answer(now, answers, verdict)
}

/// Why somebody is still to get the message.
#[derive(Clone)]
struct Setback {
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
        Self { ending: Ending::Later, reason: reason.unwrap_or_default() }
    }
}

impl From<&Error> for Setback {
    fn from(error: &Error) -> Self {
        let (ending, reason) = match error {
            Error::Smtp(smtp::Error::InDoubt(error)) => {
                (Ending::Doubt, format!("{error}: the message may have been delivered"))
            }
            Error::Net(_) => (Ending::Unreached, error.to_string()),
            _ => (Ending::Later, error.to_string()),
        };
        Self { ending, reason }
    }
}

/// Whether a message is not to be tried again after this. A caller is told of all that does not
/// pass by itself. Later, what is wrong with login, network or disk may be put right, and only what
/// was said of the message itself counts.
fn is_final(error: &Error, occasion: Occasion) -> bool {
    match occasion {
        // A server that serves nobody says nothing of the message.
        _ if matches!(error, Error::Smtp(smtp::Error::TurnedAway(_))) => false,
        Occasion::First => !matches!(Exit::from(error), Exit::Later | Exit::InDoubt),
        Occasion::Further => {
            matches!(Exit::from(error), Exit::Message | Exit::NoRecipient | Exit::Missing)
        }
    }
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
