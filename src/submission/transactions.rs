//! The transactions that messages take in a session: the first of all messages of a flight together,
//! then further ones for recipients who exceed the server's limit.

use std::io::{self, Read};

use super::{SmtpSession, Submission, SubmissionOutcome, outbox};
use crate::error::Error;
use crate::limits;
use crate::message::{self, Transport};
use crate::report::{Octets, Progress, Report};
use crate::smtp::{
    self, Flight, Grouping, MailData, Mark, RecipientPolicy, Subject, Submitted, Transaction,
};
use crate::store::outbox::LockedEntry;
use crate::text::Mailbox;

/// Submits messages in one flight. Returns their outcomes in order, of one at least; the messages
/// behind those were not delivered, and can be submitted in another session.
pub(super) fn submit(
    flight: &mut [Submission],
    session: &mut SmtpSession,
    report: &Report,
) -> Vec<Result<SubmissionOutcome, Error>> {
    let deliveries = flight.iter_mut().map(|submission| Delivery::new(submission, session, report));
    let mut deliveries: Vec<_> = deliveries.collect();
    let first: Vec<_> = deliveries.iter_mut().filter(|it| it.outcome.is_none()).collect();
    transact(first, session);
    for delivery in &mut deliveries {
        while delivery.is_begun && delivery.outcome.is_none() {
            transact(vec![&mut *delivery], session);
        }
    }
    deliveries.into_iter().map_while(|delivery| delivery.outcome).collect()
}

/// Runs one transaction of each message, in one flight.
fn transact(mut deliveries: Vec<&mut Delivery<'_>>, session: &mut SmtpSession) {
    let (mut transactions, mut failed) = (Vec::new(), Vec::new());
    let is_shared = deliveries.len() > 1;
    for delivery in &mut deliveries {
        match delivery.transaction(is_shared) {
            Ok(transaction) => {
                transactions.push(transaction);
                failed.push(None);
            }
            Err(error) => failed.push(Some(Err(error))),
        }
    }
    let submitted = session.submit(&mut transactions);
    drop(transactions);
    for (delivery, failed) in deliveries.iter_mut().zip(failed) {
        delivery.outcome = failed;
    }
    let asked = deliveries.into_iter().filter(|delivery| delivery.outcome.is_none());
    asked.zip(submitted).for_each(|(delivery, submitted)| delivery.record(submitted));
}

/// A message between its transactions.
struct Delivery<'a> {
    submission: &'a mut Submission,
    grouping: Grouping,
    progress: Option<Progress>,
    /// The most recipients of a transaction, which some servers announce (RFC 9422) and others show by
    /// 452.
    most: usize,
    /// The recipients that are still to be answered: of this transaction, and of later ones.
    waiting: Vec<Mailbox>,
    later: Vec<Mailbox>,
    sent: SubmissionOutcome,
    /// True once a transaction was answered.
    is_begun: bool,
    /// The outcome of all transactions, once there is no other.
    outcome: Option<Result<SubmissionOutcome, Error>>,
}

impl<'a> Delivery<'a> {
    fn new(submission: &'a mut Submission, session: &SmtpSession, report: &Report) -> Self {
        let grouping = submission.fit(session).and_then(|()| submission.grouping());
        let (grouping, outcome) = match grouping {
            Ok(grouping) => (grouping, None),
            Err(error) => (Grouping::Alone, Some(Err(error))),
        };
        let most = match submission.demand {
            RecipientPolicy::Any => session.offered().recipients.unwrap_or(usize::MAX),
            // What is taken in parts is not taken by all.
            RecipientPolicy::All => usize::MAX,
        };
        Self {
            grouping,
            progress: submission.progress(report),
            most,
            waiting: submission.envelope.recipients().to_vec(),
            later: Vec::new(),
            sent: SubmissionOutcome::default(),
            is_begun: false,
            outcome,
            submission,
        }
    }

    /// The next transaction, in a flight with those of other messages or not.
    fn transaction(&mut self, is_shared: bool) -> Result<Transaction<'_>, Error> {
        let Submission { message, held, envelope, demand, job, .. } = &mut *self.submission;
        self.later = self.waiting.split_off(self.most.min(self.waiting.len()));
        // A chunk whose recipients are all refused ends the session, unless other messages of its flight
        // follow; so it does not go with them where others are still to be asked.
        let is_at_once = is_shared || self.later.is_empty();
        let envelope = envelope.among(&self.waiting).ok_or(Error::NobodyNamed)?;
        let (octets, is_8bit, now) = (message.octets(), message.is_8bit(), job.run_id.seconds);
        if let Some(progress) = &self.progress {
            progress.expect_octets(octets);
        }
        let left_octets = self.progress.as_ref().map(Progress::octets);
        let message = MailData {
            text: Box::new(Watched { text: message.text()?, progress: left_octets }),
            octets,
            is_8bit,
            grouping: if is_at_once { self.grouping } else { Grouping::Alone },
            mark: Box::new(OutboxMark { held: held.as_mut(), now }),
        };
        Ok(Transaction { envelope, message, demand: *demand })
    }

    /// Records the answers to a transaction, and the outcome if there is to be no other.
    fn record(&mut self, Submitted { recipients, unanswered, outcome }: Submitted) {
        let (sent, submission) = (&mut self.sent, &mut *self.submission);
        self.is_begun = true;
        let (asked, answered) = (self.waiting.len(), sent.recipients.len());
        let (accepted, interrupted) = match outcome {
            Ok(accepted) => (accepted, None),
            Err(error) => (None, Some(submission.explained(error))),
        };
        let mut waiting;
        if interrupted.is_none() {
            waiting = sent.add(recipients, accepted.as_deref(), submission.demand);
            if !waiting.is_empty() {
                self.most = asked - waiting.len();
            }
        } else {
            // A refused recipient has an answer, independent of the others.
            let (refused, others): (Vec<_>, Vec<_>) =
                recipients.into_iter().partition(|(_, answer)| answer.is_err());
            sent.recipients.extend(refused);
            waiting = others.into_iter().map(|(mailbox, _)| mailbox).chain(unanswered).collect();
        }
        let later = std::mem::take(&mut self.later);
        let is_in_doubt = matches!(interrupted, Some(Error::Smtp(smtp::Error::InDoubt(_))));
        if is_in_doubt {
            sent.unnamed.clone_from(&later);
        }
        waiting.extend(later);
        let now = submission.job.run_id.seconds;
        let answers = sent.recipients.iter().skip(answered);
        let final_reply = interrupted.is_none().then(|| accepted.as_deref().unwrap_or_default());
        let noted = match &mut submission.held {
            // What a fallback refuses waits for the account.
            Some(held) if submission.fallback_of.is_some() => {
                outbox::note(held, now, answers.filter(|(_, answer)| answer.is_ok()), final_reply)
            }
            Some(held) => outbox::note(held, now, answers, final_reply),
            None => Ok(()),
        };
        // Without a recipient to send to there is nothing to remember.
        let noted = noted.err().filter(|_| !waiting.is_empty()).map(Error::from);
        match interrupted.or(noted) {
            None if waiting.is_empty() => self.outcome = Some(Ok(std::mem::take(sent))),
            None => self.waiting = waiting,
            Some(error) if sent.recipients.is_empty() && sent.unnamed.is_empty() => {
                self.outcome = Some(Err(error));
            }
            Some(error) => {
                sent.interrupted = Some((error, waiting));
                self.outcome = Some(Ok(std::mem::take(sent)));
            }
        }
    }
}

impl Submission {
    /// Adds the message to a flight in this session. Returns whether there is room for it.
    pub fn joins(&mut self, flight: &mut Flight, session: &SmtpSession) -> bool {
        // What is wrong with it is found when it goes alone.
        let grouping = self.fit(session).and_then(|()| self.grouping());
        flight.admits(grouping.unwrap_or(Grouping::Alone), self.message.octets())
    }

    /// Encodes the message for what the server takes.
    fn fit(&mut self, session: &SmtpSession) -> Result<(), Error> {
        let is_8bit = session.offered().eight_bit_mime;
        let transport = if is_8bit { Transport::EightBit } else { Transport::SevenBit };
        Ok(self.message.encode_for(transport)?)
    }

    /// The commands and messages that the message may share a flight with.
    fn grouping(&mut self) -> Result<Grouping, Error> {
        if self.message.octets() > limits::CHUNK || self.demand == RecipientPolicy::All {
            return Ok(Grouping::Alone);
        }
        let mut text = Vec::new();
        let read = io::copy(&mut self.message.text()?, &mut text);
        read.map_err(|source| message::Error::Io { doing: "read back", source })?;
        Ok(if text.is_empty() { Grouping::Alone } else { Grouping::of(&text) })
    }

    /// Calls a refusal of MAIL for the message's SIZE one of the message, and adds the largest part to
    /// the error about it.
    fn explained(&self, error: smtp::Error) -> Error {
        let error = match error {
            smtp::Error::Refused { what: Subject::Sender, refusal } if is_about_size(&refusal) => {
                smtp::Error::Refused { what: Subject::Message, refusal }
            }
            error => error,
        };
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
}

/// Returns whether a refusal of MAIL is about its SIZE (RFC 1870 §6.1): 552 or X.3.4 (RFC 3463 §3.4),
/// but for a full mailbox (X.2.2).
fn is_about_size(refusal: &smtp::Refusal) -> bool {
    // The enhanced code stands behind the code (RFC 2034 §4).
    let text = refusal.to_string();
    let enhanced = text.split_ascii_whitespace().nth(1).unwrap_or_default();
    enhanced == "5.3.4" || (refusal.code == 552 && enhanced != "5.2.2")
}

/// The mark in a message's entry of the outbox, if it has one.
struct OutboxMark<'a> {
    held: Option<&'a mut LockedEntry>,
    now: u64,
}

impl Mark for OutboxMark<'_> {
    fn set(&mut self) -> io::Result<()> {
        let set = self.held.as_mut().map_or(Ok(()), |held| held.mark_data(self.now));
        set.map_err(io::Error::other)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.held.as_mut().map_or(Ok(()), |held| held.sync()).map_err(io::Error::other)
    }
}

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
