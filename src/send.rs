//! The story of a submission: have the whole message, then connect, log in, submit.

mod input;
pub mod queue;
mod record;
mod sent;
pub mod smtp_input;

use std::io::{self, Write};

use serde_json::{Value, json};

use self::input::{Input, Taken};
use self::sent::{Sent, statuses};
use crate::cli;
use crate::config::Tls;
use crate::error::{Error, Exit, Failure};
use crate::limits;
use crate::message::{self, Message, Transport};
use crate::net::Stop;
use crate::password::Source;
use crate::report::{Report, count, error_object, output, size, written};
use crate::settings::{SendJob, Settings};
use crate::smtp::{
    self, Authenticated, Content, Demand, Envelope, Session, Submitted, Terms, Unauthenticated,
};
use crate::store::outbox::{Held, NotAdded, Outbox};
use crate::text::Mailbox;
use crate::way::Way;
use crate::wire::Private;

/// Sends one message and reports how it went.
pub fn send(settings: &Settings, args: &cli::Send, report: &Report, stop: &Stop) -> Exit {
    send_as_far_as_possible(settings, args, None, report, stop)
}

/// The same where the configuration file cannot be read, for this reason: the message waits for it.
pub fn send_later(
    settings: &Settings,
    args: &cli::Send,
    broken: Error,
    report: &Report,
    stop: &Stop,
) -> Exit {
    if !queue::may_wait(settings, args) {
        return fail(report, None, &broken);
    }
    send_as_far_as_possible(settings, args, Some(broken), report, stop)
}

fn send_as_far_as_possible(
    settings: &Settings,
    args: &cli::Send,
    broken: Option<Error>,
    report: &Report,
    stop: &Stop,
) -> Exit {
    let taken = match input::take(settings, args, broken, report) {
        Ok(taken) => taken,
        Err(error) => return fail(report, None, &error),
    };
    dispatch(settings, args, taken, report, stop)
}

/// Sends what there is, keeps it, or says why it can do neither.
fn dispatch(
    settings: &Settings,
    args: &cli::Send,
    taken: Taken,
    report: &Report,
    stop: &Stop,
) -> Exit {
    let mut letter = match taken {
        Taken::Whole(input) => match letter(*input, args) {
            Ok(letter) => letter,
            Err(error) => return fail(report, None, &error),
        },
        Taken::Incomplete(incomplete) => {
            return queue::keep_incomplete(settings, args, *incomplete, report, stop);
        }
    };
    if args.dry_run {
        // Which server this would be is not known; most take eight bits.
        let shown = letter.message.fit(Transport::EightBit).map_err(Error::from);
        return match shown.and_then(|()| letter.show()) {
            Ok(()) => Exit::Done,
            Err(error) => fail(report, Some(&letter), &error),
        };
    }
    let outbox = settings.outbox();
    if letter.job.queue {
        match letter.enqueue(&outbox, settings.config()) {
            // From here on the message is safe, whatever becomes of this run.
            Ok(()) => stop.decide(Some(Exit::Done.status())),
            Err(NotAdded { error, may_be_listed: true }) => {
                return fail(report, Some(&letter), &error.into());
            }
            Err(NotAdded { error, may_be_listed: false }) => report
                .complaint(format_args!("send: {error}; the message is sent without the outbox")),
        }
    }
    if let Some(held_back) = letter.held_back(&outbox) {
        let (notice, outcome) = (letter.notice(&held_back.to_string()), Err(held_back));
        let result = report.result(None, || letter.object(&outcome, Exit::Done));
        report.notice(notice.unwrap_or_default());
        if let Err(error) = result {
            fail(report, Some(&letter), &error);
        }
        return Exit::Done;
    }
    let line = letter.begin().and_then(|()| login_noted(&letter, &outbox, report, stop));
    if line.is_ok() && letter.held.is_none() {
        // From here on the server may have the message, and no signal says that it has not.
        stop.decide(Some(Exit::InDoubt.status()));
    }
    let Attempted { outcome, line, fate } = letter.attempt(line, queue::Occasion::First, report);
    let exit = letter.exit(&outcome);
    stop.decide((exit != Exit::Later).then(|| exit.status()));
    let object = || letter.object(&outcome, exit);
    let sentence = outcome.as_ref().ok().and_then(|sent| letter.sentence(sent));
    let result = report.result(sentence.as_deref(), object);
    match &outcome {
        Ok(sent) => letter.complain(sent, report),
        Err(_) if letter.held.is_some() => {}
        Err(error) => drop(fail(report, Some(&letter), error)),
    }
    if let Some(notice) = letter.last().and_then(|last| letter.notice(&last)) {
        report.notice(notice);
    }
    let told = letter.told();
    // Whoever is not told, or is told of an outbox that failed, is not to send the message again for
    // that: the status stays.
    for error in [result.err(), fate.err(), told.err()].into_iter().flatten() {
        fail(report, Some(&letter), &error);
    }
    match (line, letter.job.account.take()) {
        (Some(line), Some(name)) => queue::in_passing(settings, &name, Some(line), report, stop),
        (Some(line), None) => line.quit(),
        (None, _) => {}
    }
    exit
}

fn fail(report: &Report, letter: Option<&Letter>, error: &Error) -> Exit {
    let job = letter.map(|letter| &letter.job);
    report.failure(&Failure {
        command: "send",
        account: job.and_then(|job| job.account.as_deref()),
        peer: job.map(|job| &job.peer),
        error,
        lasting: None,
    });
    error.into()
}

/// A message in its envelope, and where to take it.
struct Letter {
    job: SendJob,
    envelope: Envelope,
    message: Message,
    demand: Demand,
    /// Its place in the outbox, while it has one.
    held: Option<Held>,
}

/// Everything that is needed before a connection is worth making.
fn letter(input: Input, args: &cli::Send) -> Result<Letter, Error> {
    let Input { job, recipients, message } = input;
    let envelope = Envelope::new(job.reverse_path.clone(), recipients).ok_or(Error::NobodyNamed)?;
    let envelope = envelope.on(Terms {
        notify: args.dsn_notify.clone(),
        ret: args.dsn_return,
        id: job.moment.unique(),
        require_tls: args.require_tls,
    });
    let demand = if args.all_or_nothing { Demand::All } else { Demand::Any };
    Ok(Letter { job, envelope, message, demand, held: None })
}

impl Letter {
    /// Keeps what is to be kept. What is not kept was sent all the same, or not, as `outcome` says.
    fn remember(&mut self, outcome: &Result<Sent, Error>, report: &Report) {
        let copy = if self.is_to_be_kept(outcome) { self.keep() } else { Ok(()) };
        if let Err(error) = copy {
            report.complaint(format_args!("send: the message was sent, but no copy kept: {error}"));
        }
        if let Err(error) = self.log(outcome) {
            report.complaint(format_args!("send: {error}"));
        }
    }

    /// Whether somebody has the message now, and nobody had it before.
    fn is_to_be_kept(&self, outcome: &Result<Sent, Error>) -> bool {
        let Ok(sent) = outcome else { return false };
        let accepted = sent.recipients.iter().filter(|(_, answer)| answer.is_ok()).count();
        let in_all = self.held.as_ref().map_or(accepted, |held| held.record().sent());
        sent.accepted.is_some() && in_all <= accepted
    }

    /// The envelope as it would be said, and the message as it would be sent.
    fn show(&mut self) -> Result<(), Error> {
        let Self { envelope, message, .. } = self;
        let (mut text, mut output) = (message.text()?, output());
        let mut show = || -> io::Result<()> {
            writeln!(output, "{:?}", envelope.mail())?;
            for recipient in envelope.recipients() {
                writeln!(output, "{:?}", envelope.rcpt(recipient))?;
            }
            writeln!(output)?;
            io::copy(&mut text, &mut output)?;
            output.flush()
        };
        written(show())
    }

    fn sentence(&self, sent: &Sent) -> Option<String> {
        let reply = sent.accepted.as_ref()?;
        let number = sent.recipients.iter().filter(|(_, answer)| answer.is_ok()).count();
        let (recipients, size) = (count(number, "recipient"), size(self.message.octets()));
        Some(format!("sent to {recipients} ({size}): {reply}"))
    }

    /// A line for each recipient who does not get the message.
    fn complain(&self, sent: &Sent, report: &Report) {
        let peer = &self.job.peer;
        let label = self.job.account.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        let mut refusals = sent.recipients.iter().filter_map(|(recipient, answer)| {
            let refusal = answer.as_ref().err()?;
            (!self.waits_for(recipient)).then_some((recipient, refusal))
        });
        for (recipient, refusal) in refusals.clone() {
            report.complaint(format_args!("send{label}: {peer}: {recipient} refused: {refusal}"));
        }
        // What is to be done about one of them is to be done about most.
        if let Some((_, refusal)) = refusals.next() {
            let (what, refusal) = (smtp::RECIPIENT, refusal.clone());
            report.advise(&smtp::Error::Refused { what, refusal }.into(), Some(peer));
        }
        if let Some((error, recipients)) = &sent.broken {
            for recipient in recipients.iter().filter(|recipient| !self.waits_for(recipient)) {
                report.complaint(format_args!("send{label}: {peer}: {recipient}: {error}"));
            }
        }
        let refused = sent.recipients.iter().any(|(_, answer)| answer.is_err());
        let accepted = sent.recipients.iter().any(|(_, answer)| answer.is_ok());
        if refused && accepted && sent.accepted.is_none() && self.held.is_none() {
            report.complaint(format_args!("send{label}: {peer}: so nobody gets the message"));
        }
    }

    /// How the run ends. What waits is taken care of.
    fn exit(&self, outcome: &Result<Sent, Error>) -> Exit {
        match &self.held {
            Some(held) if held.record().failed().is_empty() => Exit::Done,
            Some(_) => Exit::Partial,
            None => self.verdict(outcome),
        }
    }

    /// How the attempt ended.
    fn verdict(&self, outcome: &Result<Sent, Error>) -> Exit {
        match outcome {
            Ok(sent) => sent.exit(self.demand),
            Err(error) => error.into(),
        }
    }

    fn object(&self, outcome: &Result<Sent, Error>, exit: Exit) -> Value {
        let recipients = statuses(outcome, self.envelope.recipients()).into_iter();
        let recipient = |(mailbox, status, reply): (&Mailbox, &str, String)| -> Value {
            let status = if self.waits_for(mailbox) { "queued" } else { status };
            json!({ "address": mailbox.as_str(), "status": status, "reply": reply })
        };
        let recipients: Vec<_> = recipients.map(recipient).collect();
        let error = match outcome {
            _ if exit == Exit::Done => None,
            Ok(Sent { broken: Some((error, _)), .. }) | Err(error) => {
                Some(error_object(exit, error))
            }
            Ok(_) => Some(error_object(exit, "recipients were refused")),
        };
        json!({
            "account": self.job.account,
            "host": self.job.peer.host.as_str(),
            "from": self.envelope.reverse_path().as_str(),
            "recipients": recipients,
            "size": self.message.octets(),
            "message_id": self.message.field("Message-ID"),
            "reply": outcome.as_ref().ok().and_then(|sent| sent.accepted.clone()),
            "queued": self.held.as_ref().map(|held| held.id().to_string()),
            "error": error,
        })
    }
}

/// A conversation in which messages can be submitted.
type Line = Session<Authenticated, Box<dyn Private>>;

/// What an attempt came to, the line if more can be said on it, and what became of the message in the
/// outbox.
struct Attempted {
    outcome: Result<Sent, Error>,
    line: Option<Line>,
    fate: Result<queue::Fate, Error>,
}

/// From the password to an accepted login, of which the outbox takes note.
fn login_noted(
    letter: &Letter,
    outbox: &Outbox,
    report: &Report,
    stop: &Stop,
) -> Result<Line, Error> {
    let line = login(&letter.job, report, stop);
    // What was typed wrong is typed anew.
    let is_typed = matches!(letter.job.peer.source, Source::Terminal);
    if let Some(account) = letter.job.account.as_ref().filter(|_| letter.held.is_some()) {
        match &line {
            Ok(_) => outbox.login_accepted(account),
            Err(error) if queue::is_login_refused(error) && !is_typed => {
                outbox.login_refused(account, letter.job.moment.seconds);
            }
            Err(_) => {}
        }
    }
    line
}

/// From the password to an accepted login.
fn login(job: &SendJob, report: &Report, stop: &Stop) -> Result<Line, Error> {
    let peer = &job.peer;
    let attempts = peer.source.attempts(&peer.user, peer.host.as_str(), peer.auth)?;
    let way = Way::to(peer, report, stop)?;
    let (hello, trace) = (job.hello.clone(), report.trace(None));
    let session: Session<Unauthenticated, _> = match peer.tls {
        Tls::Implicit => Session::open(way.tls(way.tcp()?)?, hello, trace)?,
        Tls::Starttls => Session::open(way.tcp()?, hello, trace)?.starttls(|tcp| way.tls(tcp))?,
        Tls::None => Session::open(way.loopback()?, hello, trace)?,
    };
    session.auth(attempts.map(|attempt| attempt.map_err(Error::from)))
}

impl Letter {
    /// Submits the message, and keeps account of it. What kept it from being submitted is not its
    /// own fault.
    fn attempt(
        &mut self,
        line: Result<Line, Error>,
        occasion: queue::Occasion,
        report: &Report,
    ) -> Attempted {
        let (outcome, line, is_submitted) = match line {
            Ok(line) => {
                let (outcome, line) = self.submit(line);
                (outcome, line, true)
            }
            Err(error) => (Err(error), None, false),
        };
        self.remember(&outcome, report);
        let fate = match &outcome {
            Err(error) if !is_submitted => self.postpone(&error.into(), occasion),
            outcome => self.settle(outcome, occasion),
        };
        Attempted { outcome, line, fate }
    }

    /// What becomes of the message, and the line unless it is broken.
    fn submit(&mut self, mut line: Line) -> (Result<Sent, Error>, Option<Line>) {
        let is_8bit = line.offered().eight_bit_mime;
        let transport = if is_8bit { Transport::EightBit } else { Transport::SevenBit };
        let fitted = self.message.fit(transport).map_err(Error::from);
        if !self.job.chunking {
            line.forgo_chunking();
        }
        if self.job.peer.pipelining == Some(false) {
            line.forgo_pipelining();
        }
        let outcome = fitted.and_then(|()| self.transactions(&mut line));
        if line.is_over() {
            line.quit();
            return (outcome, None);
        }
        (outcome, Some(line))
    }

    /// Whether the message may leave before the server is known to want it.
    fn may_go_along(&mut self) -> Result<bool, Error> {
        let mut text = Vec::new();
        if self.message.octets() <= limits::CHUNK {
            let read = io::copy(&mut self.message.text()?, &mut text);
            read.map_err(|source| message::Error::Io { doing: "read back", source })?;
        }
        Ok(!text.is_empty() && !smtp::holds_command(&text))
    }

    /// One transaction, and further ones for recipients who are too many for it, which some
    /// servers say beforehand (RFC 9422) and others when they have had enough.
    fn transactions(&mut self, line: &mut Line) -> Result<Sent, Error> {
        let mut most = match self.demand {
            Demand::Any => line.offered().recipients.unwrap_or(usize::MAX),
            // What is taken in parts is not taken by all.
            Demand::All => usize::MAX,
        };
        let (octets, is_8bit) = (self.message.octets(), self.message.is_8bit());
        let may_go_along = self.may_go_along()?;
        let mut sent = Sent::default();
        let mut waiting = self.envelope.recipients().to_vec();
        loop {
            let later = waiting.split_off(most.min(waiting.len()));
            let Some(envelope) = self.envelope.among(&waiting) else { return Ok(sent) };
            let now = self.job.moment.seconds;
            let (text, held) = (self.message.text()?, self.held.as_mut());
            let mut text = queue::HandedOver { text, left: octets, held, now };
            let mut content = Content { text: &mut text, octets, is_8bit, may_go_along };
            let Submitted { recipients, unanswered, outcome } =
                line.submit(&envelope, &mut content, self.demand);
            drop(text);
            let (asked, answered) = (waiting.len(), sent.recipients.len());
            let (accepted, broken) = match outcome {
                Ok(accepted) => (accepted, None),
                Err(error) => (None, Some(Error::from(error))),
            };
            if broken.is_none() {
                waiting = sent.add(recipients, accepted.as_deref(), self.demand);
                if !waiting.is_empty() {
                    most = asked - waiting.len();
                }
            } else {
                // Who was refused has an answer, whatever became of the others.
                let (refused, others): (Vec<_>, Vec<_>) =
                    recipients.into_iter().partition(|(_, answer)| answer.is_err());
                sent.recipients.extend(refused);
                waiting =
                    others.into_iter().map(|(mailbox, _)| mailbox).chain(unanswered).collect();
            }
            waiting.extend(later);
            let answers = sent.recipients.iter().skip(answered);
            let verdict = broken.is_none().then(|| accepted.as_deref().unwrap_or_default());
            let noted = match &mut self.held {
                Some(held) => queue::note(held, now, answers, verdict),
                None => Ok(()),
            };
            // With nobody left to send to, there is nothing to be remembered.
            let noted = noted.err().filter(|_| !waiting.is_empty()).map(Error::from);
            match broken.or(noted) {
                None => {}
                Some(error) if sent.recipients.is_empty() => return Err(error),
                Some(error) => {
                    sent.broken = Some((error, waiting));
                    return Ok(sent);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
