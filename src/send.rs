//! The story of a submission: have the whole message, then connect, log in, submit.

mod input;
mod record;
mod sent;

use std::io::{self, Write};

use serde_json::{Value, json};

use self::input::Input;
use self::sent::Sent;
use crate::cli;
use crate::config::Tls;
use crate::error::{Error, Exit, Failure};
use crate::message::{Message, Transport};
use crate::net::Stop;
use crate::password::Attempts;
use crate::report::{Report, count, error_object, size, written};
use crate::settings::{SendJob, Settings};
use crate::smtp::{
    self, Authenticated, Content, Demand, Envelope, Session, Terms, Unauthenticated,
};
use crate::text::Mailbox;
use crate::way::Way;
use crate::wire::Private;

/// Sends one message and reports how it went.
pub fn send(settings: &Settings, args: &cli::Send, report: &Report, stop: &Stop) -> Exit {
    let mut letter = match letter(settings, args, report) {
        Ok(letter) => letter,
        Err(error) => return fail(report, None, &error),
    };
    if args.dry_run {
        // Which server this would be is not known; most take eight bits.
        let shown = letter.message.fit(Transport::EightBit).map_err(Error::from);
        return match shown.and_then(|()| letter.show()) {
            Ok(()) => Exit::Done,
            Err(error) => fail(report, Some(&letter), &error),
        };
    }
    let outcome = conversation(&mut letter, report, stop);
    let exit = match &outcome {
        Ok(sent) => sent.exit(letter.demand),
        Err(error) => error.into(),
    };
    letter.remember(&outcome, exit, report);
    let object = || letter.object(&outcome);
    let sentence = outcome.as_ref().ok().and_then(|sent| letter.sentence(sent));
    let result = report.result(sentence.as_deref(), object);
    match &outcome {
        Ok(sent) => letter.complain(sent, report),
        Err(error) => drop(fail(report, Some(&letter), error)),
    }
    match result {
        Ok(()) => exit,
        Err(error) => exit.worse(fail(report, Some(&letter), &error)),
    }
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
}

/// Everything that is needed before a connection is worth making.
fn letter(settings: &Settings, args: &cli::Send, report: &Report) -> Result<Letter, Error> {
    let Input { job, recipients, message } = Input::take(settings, args, report)?;
    let envelope = Envelope::new(job.from.clone(), recipients).ok_or(Error::NobodyNamed)?;
    let envelope = envelope.on(Terms {
        notify: args.dsn_notify.clone(),
        ret: args.dsn_return,
        id: job.moment.unique(),
        require_tls: args.require_tls,
    });
    let demand = if args.all_or_nothing { Demand::All } else { Demand::Any };
    Ok(Letter { job, envelope, message, demand })
}

impl Letter {
    /// Keeps what is to be kept. What is not kept was sent all the same, or not, as `exit` says.
    fn remember(&mut self, outcome: &Result<Sent, Error>, exit: Exit, report: &Report) {
        let is_accepted = outcome.as_ref().is_ok_and(|sent| sent.accepted.is_some());
        let copy = if is_accepted { self.keep() } else { Ok(()) };
        if let Err(error) = copy {
            report.complaint(format_args!("send: the message was sent, but no copy kept: {error}"));
        }
        if let Err(error) = self.log(outcome, exit) {
            report.complaint(format_args!("send: {error}"));
        }
    }

    /// The envelope as it would be said, and the message as it would be sent.
    fn show(&mut self) -> Result<(), Error> {
        let Self { envelope, message, .. } = self;
        let (mut text, mut output) = (message.text()?, io::stdout().lock());
        let mut show = || -> io::Result<()> {
            writeln!(output, "{:?}", envelope.mail())?;
            for recipient in envelope.recipients() {
                writeln!(output, "{:?}", envelope.rcpt(recipient))?;
            }
            writeln!(output)?;
            io::copy(&mut text, &mut output).map(drop)
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
        for (recipient, answer) in &sent.recipients {
            if let Err(refusal) = answer {
                let line = format_args!("send{label}: {peer}: {recipient} refused: {refusal}");
                report.complaint(line);
            }
        }
        // What is to be done about one of them is to be done about most.
        let refusal = sent.recipients.iter().find_map(|(_, answer)| answer.as_ref().err());
        if let Some(refusal) = refusal.cloned() {
            let error = smtp::Error::Refused { what: smtp::RECIPIENT, refusal };
            report.advise(&error.into(), Some(peer));
        }
        if let Some((error, recipients)) = &sent.broken {
            for recipient in recipients {
                report.complaint(format_args!("send{label}: {peer}: {recipient}: {error}"));
            }
        }
        let refused = sent.recipients.iter().any(|(_, answer)| answer.is_err());
        let accepted = sent.recipients.iter().any(|(_, answer)| answer.is_ok());
        if refused && accepted && sent.accepted.is_none() {
            report.complaint(format_args!("send{label}: {peer}: so nobody gets the message"));
        }
    }

    fn object(&self, outcome: &Result<Sent, Error>) -> Value {
        let one = |mailbox: &Mailbox, status: &str, reply: String| -> Value {
            json!({ "address": mailbox.as_str(), "status": status, "reply": reply })
        };
        let mut recipients = Vec::new();
        for (mailbox, answer) in outcome.iter().flat_map(|sent| &sent.recipients) {
            recipients.push(match answer {
                Ok(reply) => one(mailbox, "accepted", reply.clone()),
                Err(refusal) => one(mailbox, "refused", refusal.to_string()),
            });
        }
        for (error, mailboxes) in outcome.iter().flat_map(|sent| &sent.broken) {
            let unanswered = |mailbox| one(mailbox, "unanswered", error.to_string());
            recipients.extend(mailboxes.iter().map(unanswered));
        }
        let error = match outcome {
            Ok(sent) => match (sent.exit(self.demand), &sent.broken) {
                (Exit::Done, _) => None,
                (exit, Some((error, _))) => Some(error_object(exit, error)),
                (exit, None) => Some(error_object(exit, "recipients were refused")),
            },
            Err(error) => Some(error_object(error.into(), error)),
        };
        json!({
            "account": self.job.account,
            "host": self.job.peer.host.as_str(),
            "from": self.envelope.reverse_path().as_str(),
            "recipients": recipients,
            "size": self.message.octets(),
            "message_id": self.message.field("Message-ID"),
            "reply": outcome.as_ref().ok().and_then(|sent| sent.accepted.clone()),
            "error": error,
        })
    }
}

/// From the password to the verdict.
fn conversation(letter: &mut Letter, report: &Report, stop: &Stop) -> Result<Sent, Error> {
    let peer = letter.job.peer.clone();
    let attempts = peer.source.attempts(&peer.user, peer.host.as_str(), peer.auth)?;
    let way = Way::to(&peer, report, stop)?;
    let (hello, trace) = (letter.job.hello.clone(), report.trace(None));
    let session = match peer.tls {
        Tls::Implicit => Session::open(way.tls(way.tcp()?)?, hello, trace)?,
        Tls::Starttls => Session::open(way.tcp()?, hello, trace)?.starttls(|tcp| way.tls(tcp))?,
        Tls::None => Session::open(way.loopback()?, hello, trace)?,
    };
    letter.submit(session, attempts)
}

impl Letter {
    fn submit(
        &mut self,
        session: Session<Unauthenticated, Box<dyn Private>>,
        attempts: Attempts,
    ) -> Result<Sent, Error> {
        let mut session = session.auth(attempts.map(|attempt| attempt.map_err(Error::from)))?;
        let is_8bit = session.offered().eight_bit_mime;
        self.message.fit(if is_8bit { Transport::EightBit } else { Transport::SevenBit })?;
        if !self.job.chunking {
            session.forgo_chunking();
        }
        let outcome = self.transactions(&mut session);
        let error = match &outcome {
            Ok(sent) => sent.broken.as_ref().map(|(error, _)| error),
            Err(error) => Some(error),
        };
        // A line that is broken is not said goodbye to.
        if !matches!(error, Some(Error::Smtp(smtp::Error::Wire(_) | smtp::Error::InDoubt(_)))) {
            session.quit();
        }
        outcome
    }

    /// One transaction, and further ones for recipients who are too many for it, which some
    /// servers say beforehand (RFC 9422) and others when they have had enough.
    fn transactions(
        &mut self,
        session: &mut Session<Authenticated, Box<dyn Private>>,
    ) -> Result<Sent, Error> {
        let mut most = match self.demand {
            Demand::Any => session.offered().recipients.unwrap_or(usize::MAX),
            // What is taken in parts is not taken by all.
            Demand::All => usize::MAX,
        };
        let (octets, is_8bit) = (self.message.octets(), self.message.is_8bit());
        let mut sent = Sent::default();
        let mut waiting = self.envelope.recipients().to_vec();
        loop {
            let later = waiting.split_off(most.min(waiting.len()));
            let Some(envelope) = self.envelope.among(&waiting) else { return Ok(sent) };
            let mut content = Content { text: &mut self.message.text()?, octets, is_8bit };
            match session.submit(&envelope, &mut content, self.demand) {
                Ok(submitted) => {
                    let asked = waiting.len();
                    waiting = sent.add(submitted, self.demand);
                    if !waiting.is_empty() {
                        most = asked - waiting.len();
                    }
                    waiting.extend(later);
                }
                Err(error) if sent.recipients.is_empty() => return Err(error.into()),
                Err(error) => {
                    waiting.extend(later);
                    sent.broken = Some((error.into(), waiting));
                    return Ok(sent);
                }
            }
        }
    }
}
