//! Mail transactions (RFC 5321 §3.3): of one message, or of several in one flight (RFC 2920, RFC 3030),
//! with RSET behind each.
//!
//! ```text
//!   one message                       several in one flight
//!   MAIL RCPT... BDAT  ── replies     MAIL RCPT... BDAT RSET  MAIL RCPT... BDAT RSET  ── replies
//!   or MAIL RCPT... DATA ── replies, text ── reply
//! ```
//!
//! The reply to RSET proves that the replies so far were to the commands so far. A server that takes a
//! refused message for commands replies to its first line instead, and no line of a message that shares
//! a flight is a command ([`Grouping::WithMessages`]), so that this reply is no 2xx. Then nothing is
//! believed any more.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use super::super::reply::{Refusal, Reply, Smtp};
use super::super::{Error, Subject};
use super::envelope::{Envelope, MailData, RecipientPolicy};
use super::{Authenticated, Session};
use crate::limits;
use crate::text::Mailbox;
use crate::wire::{self, Body, Command, Exchange, Malformed, Phase, Private};

/// A message in its envelope, as it is submitted.
pub struct Transaction<'a> {
    /// The envelope.
    pub envelope: Envelope,
    /// The message.
    pub message: MailData<'a>,
    /// The policy for refused recipients.
    pub demand: RecipientPolicy,
}

impl Transaction<'_> {
    /// All or nothing is decided by the recipients' answers.
    fn grouping(&self) -> Grouping {
        match self.demand {
            RecipientPolicy::Any => self.message.grouping,
            RecipientPolicy::All => Grouping::Alone,
        }
    }
}

/// The outcome of a submission that was answered.
#[derive(Debug)]
pub struct Submitted {
    /// The replies to RCPT, in the order of the envelope.
    pub recipients: Vec<(Mailbox, Result<String, Refusal>)>,
    /// The recipients behind these, whose RCPT was not answered.
    pub unanswered: Vec<Mailbox>,
    /// The server's words when it took the message; `None` if too few recipients were accepted and
    /// nothing was sent; or why it was not sent to those who were not refused, or may have been.
    pub outcome: Result<Option<String>, Error>,
}

/// The room for messages in a flight that is being filled.
#[derive(Clone, Debug)]
pub struct Flight {
    messages: usize,
    octets: u64,
    /// True if further messages may follow.
    is_open: bool,
}

impl Flight {
    /// Returns whether a further message may have room.
    pub fn is_open(&self) -> bool {
        self.is_open && self.messages < limits::FLIGHT_MESSAGES
    }

    /// Adds a message of so many octets. Returns whether there is room for it: for the first always.
    pub fn admits(&mut self, grouping: Grouping, octets: u64) -> bool {
        let shares = grouping == Grouping::WithMessages;
        let octets = self.octets.saturating_add(octets);
        let has_room = self.is_open() && shares && octets <= limits::FLIGHT_OCTETS;
        if self.messages > 0 && !has_room {
            return false;
        }
        (self.messages, self.octets) = (self.messages + 1, octets);
        self.is_open &= shares;
        true
    }
}

impl<S: Private> Session<Authenticated, S> {
    /// Creates a flight without a message yet. It has room for several if the server offers CHUNKING
    /// and PIPELINING.
    pub fn flight(&self) -> Flight {
        let is_open = self.offered.pipelining && self.offered.chunking;
        Flight { messages: 0, octets: 0, is_open }
    }

    /// Submits messages in one flight, which the caller has found room for ([`Flight::admits`]).
    ///
    /// Alone, a message's envelope leaves in one flight if the server offers PIPELINING, and a small
    /// message with it; any other follows when its recipients are known. A refusal that decides is
    /// returned at once, without waiting for the rest of the flight.
    ///
    /// Returns the outcomes in the order of the messages, of one at least. The messages behind those
    /// were not delivered, since the connection ended before their last octets had left, or behind a
    /// 421: they can be submitted in another session.
    pub fn submit(&mut self, flight: &mut [Transaction<'_>]) -> Vec<Submitted> {
        let mut room = self.flight();
        let admitted = flight.iter().take_while(|it| room.admits(it.grouping(), it.message.octets));
        let admitted = admitted.count();
        let flight = flight.get_mut(..admitted).unwrap_or_default();
        let mut courses: Vec<_> = flight.iter().map(|_| Course::default()).collect();
        self.run(flight, &mut courses);
        let ended = flight.iter().zip(courses).map_while(|(transaction, course)| {
            let (recipients, outcome) = (course.recipients, course.outcome?);
            let all = transaction.envelope.recipients.iter();
            let unanswered = all.skip(recipients.len()).cloned().collect();
            Some(Submitted { recipients, unanswered, outcome })
        });
        let ended: Vec<_> = ended.collect();
        self.is_broken |= ended
            .iter()
            .any(|submitted| matches!(submitted.outcome, Err(Error::Wire(_) | Error::InDoubt(_))));
        ended
    }

    /// Runs the transactions of a flight, and leaves their outcomes in their courses.
    fn run(&mut self, flight: &mut [Transaction<'_>], courses: &mut [Course]) {
        if self.is_over() {
            let closed = wire::Error::Closed(Phase::Sending("MAIL"));
            return end_first(courses, closed.into());
        }
        if self.is_begun
            && let Err(error) = self.forget()
        {
            return end_first(courses, error);
        }
        let mut openings: Vec<_> = flight.iter_mut().map(|it| self.opening(it)).collect();
        // All marks are set before the first is waited for: a disk makes them durable together.
        for (transaction, opening) in flight.iter_mut().zip(&mut openings) {
            if let Ok(FirstFlight { last: Some(Part::Bdat(_)), .. }) = opening
                && let Err(error) = transaction.message.mark.sync()
            {
                *opening = Err(wire::Error::Source(error).into());
            }
        }
        let is_shared = openings.iter().filter(|opening| opening.is_ok()).count() > 1;
        // Whether all octets of each have left.
        let lefts = vec![Cell::new(false); flight.len()];
        let mut steps = Vec::new();
        for (message, opening) in openings.into_iter().enumerate() {
            let (Some(transaction), Some(course)) = (flight.get(message), courses.get_mut(message))
            else {
                continue;
            };
            let FirstFlight { mail, last } = match opening {
                Ok(opening) => opening,
                Err(error) => {
                    course.end(Err(error));
                    continue;
                }
            };
            let envelope = &transaction.envelope;
            let parts = [Part::Mail(mail)]
                .into_iter()
                .chain(envelope.recipients.iter().map(|mailbox| Part::Rcpt(envelope, mailbox)))
                .chain(last)
                .chain(is_shared.then_some(Part::Rset));
            let left = lefts.get(message);
            steps.extend(parts.map(|part| Step { message, part, left }));
        }
        if steps.is_empty() {
            return;
        }
        let ended = self.exchange_flight(steps, courses, is_shared);
        let is_in_doubt = |course: &Course| course.outcome.is_none() && course.farewell.is_none();
        let in_doubt = courses.iter().zip(&lefts).filter(|it| is_in_doubt(it.0) && it.1.get());
        self.has_failed_flight |= match &ended {
            Ended::Broken(wire::Error::Malformed { .. }) => is_shared,
            Ended::Broken(error) => in_doubt.count() > 1 && !error.is_cancelled(),
            Ended::Heard | Ended::Over => false,
        };
        let mut is_first = true;
        for ((transaction, course), left) in flight.iter_mut().zip(courses).zip(&lefts) {
            if course.outcome.is_some() {
                continue;
            }
            match &ended {
                Ended::Heard => {
                    let (message, demand) = (&mut transaction.message, transaction.demand);
                    course.end(self.rest(message, demand, course));
                }
                // The server may have the whole message, and an accepted recipient.
                // A server that has said that it goes, and has not taken the message.
                Ended::Broken(_) | Ended::Over if course.farewell.is_some() => course.turn_away(),
                Ended::Broken(error) if left.get() => {
                    course.end(Err(Error::InDoubt(error.duplicate())));
                }
                Ended::Broken(error) if is_first => course.end(Err(error.duplicate().into())),
                // What has not left was not taken, nor what is behind a 421 (RFC 5321 §3.8).
                Ended::Broken(_) | Ended::Over => return,
            }
            is_first = false;
        }
    }

    /// The part of a transaction that leaves in its first flight. The mark is set if the message goes
    /// along.
    fn opening<'a>(&self, transaction: &mut Transaction<'_>) -> Result<FirstFlight<'a>, Error> {
        let Transaction { envelope, message, demand } = transaction;
        let mail = self.mail(envelope, message)?;
        if !self.offered.pipelining || *demand == RecipientPolicy::All {
            // Whether there is to be a message depends on the answers.
            return Ok(FirstFlight { mail, last: None });
        }
        if !self.offered.chunking || message.grouping == Grouping::Alone {
            return Ok(FirstFlight { mail, last: Some(Part::Data) });
        }
        let text = message.whole().map_err(wire::Error::Source)?;
        message.mark.set().map_err(wire::Error::Source)?;
        Ok(FirstFlight { mail, last: Some(Part::Bdat(text)) })
    }

    /// Sends the steps and reads replies until each message's outcome is decided, or nothing that the
    /// server says is about it any more.
    fn exchange_flight(
        &mut self,
        steps: Vec<Step<'_>>,
        courses: &mut [Course],
        is_shared: bool,
    ) -> Ended {
        let window = if self.offered.pipelining { limits::SMTP_WINDOW } else { 1 };
        // The steps that left, or were to, and are still without a reply.
        let asked = RefCell::new(VecDeque::new());
        let steps =
            steps.into_iter().inspect(|step| asked.borrow_mut().push_back(step.part.verb()));
        (self.is_begun, self.is_forgotten) = (true, false);
        // Whether the last reply was 421, and whether any was.
        let (mut is_farewell, mut is_over) = (false, false);
        let heard = self.wire.exchange_each(&window, steps, |(step, answer)| {
            asked.borrow_mut().pop_front();
            is_farewell = answer.as_ref().is_err_and(Refusal::is_farewell);
            is_over |= is_farewell;
            let Some(course) = courses.get_mut(step.message) else { return Ok(()) };
            course.take(step.part, answer)?;
            if is_shared || (is_farewell && asked.borrow().contains(&BDAT)) {
                // A server that goes on after 421 may take what is behind it, and says so.
                Ok(())
            } else if is_farewell {
                Err(Halt::Farewell)
            } else if course.outcome.is_some() {
                Err(Halt::Decided)
            } else {
                Ok(())
            }
        });
        let asked = asked.into_inner();
        // A server that did not take a chunk may take what is in it for commands; then its answers are
        // to these, and nothing that it says any more means anything.
        let is_chunk_out = asked.contains(&BDAT);
        let is_chunk_refused = courses.iter().any(|course| course.is_chunk_refused);
        self.is_over |= !is_shared && (is_chunk_out || is_chunk_refused);
        self.lacks_chunking |= courses.iter().any(|course| course.is_chunk_unknown);
        self.is_over |= is_over;
        self.unheard = asked;
        // The answer to a message ends its transaction (RFC 5321 §4.1.1.4).
        let is_taken = courses.iter().any(|course| matches!(course.outcome, Some(Ok(Some(_)))));
        self.is_begun &= !is_taken;
        match heard {
            Ok(()) if is_shared => {
                (self.is_begun, self.is_forgotten) = (false, true);
                Ended::Heard
            }
            Ok(()) | Err(Halt::Decided) => Ended::Heard,
            Err(Halt::Farewell) => Ended::Over,
            // It has kept its word, and taken nothing more (RFC 5321 §3.8).
            Err(Halt::Failed(error)) if is_farewell && (error.is_end() || error.is_timeout()) => {
                Ended::Over
            }
            Err(Halt::Failed(error)) => {
                self.is_broken = true;
                Ended::Broken(error)
            }
        }
    }

    /// What is left of a transaction whose message did not go along: DATA, unless the server has
    /// answered it, and the message.
    fn rest(
        &mut self,
        message: &mut MailData<'_>,
        demand: RecipientPolicy,
        course: &Course,
    ) -> Result<Option<String>, Error> {
        let accepted = course.recipients.iter().filter(|(_, answer)| answer.is_ok()).count();
        let needed = if demand == RecipientPolicy::All { course.recipients.len() } else { 1 };
        if accepted < needed {
            return Ok(None);
        }
        if !course.is_invited {
            let data = self.wire.exchange(Step { message: 0, part: Part::Data, left: None })?.1;
            data.map_err(|refusal| self.refused(Subject::Data, refusal))?;
        }
        let reply = self.message(message)?;
        // Either answer ends the transaction (RFC 5321 §4.1.1.4).
        self.is_begun = false;
        reply.map(Some).map_err(|refusal| self.refused(Subject::Message, refusal))
    }

    /// The error of a refusal, after which a server that says 421 is gone (RFC 5321 §3.8).
    fn refused(&mut self, what: Subject, refusal: Refusal) -> Error {
        self.is_over |= refusal.is_farewell();
        Error::Refused { what, refusal }
    }

    /// The message and its final reply, after 354.
    fn message(&mut self, message: &mut MailData<'_>) -> Result<Result<String, Refusal>, Error> {
        let sent = self
            .wire
            .send_message(&mut *message.text)
            .and_then(|()| message.mark.set().map_err(wire::Error::Source))
            .and_then(|()| message.mark.sync().map_err(wire::Error::Source))
            .and_then(|()| self.wire.send_rest());
        if let Err(error) = sent {
            // Its end has not left, so it is not delivered.
            self.is_broken = true;
            return Err(self.refusal_before_the_end(&error).unwrap_or(error.into()));
        }
        // From here on the server may have all of it.
        let reply = self.wire.reply_to(MESSAGE).map_err(Error::InDoubt)?;
        reply.accepted(2, MESSAGE).map_err(Error::InDoubt)
    }

    /// A server that hangs up in the middle of a message, or reads no further, may have said why.
    fn refusal_before_the_end(&mut self, error: &wire::Error) -> Option<Error> {
        let wire::Error::Stream { .. } = error else { return None };
        if error.is_timeout() {
            // Only what has come already.
            self.wire.finish_within(limits::LAST_WORD);
        }
        let reply = self.wire.reply_to(MESSAGE).ok()?;
        let refusal = reply.accepted(2, MESSAGE).ok()?.err()?;
        Some(Error::Refused { what: Subject::Message, refusal })
    }
}

/// How the replies to a flight ended.
enum Ended {
    /// All that matter were read.
    Heard,
    /// With a 421, and in a flight of several with the connection behind it.
    Over,
    /// With the connection, or in replies that make no sense.
    Broken(wire::Error),
}

/// The course of one transaction in a flight.
#[derive(Default)]
struct Course {
    recipients: Vec<(Mailbox, Result<String, Refusal>)>,
    /// A 421 in place of an answer to RCPT, and the number of recipients that were answered before.
    farewell: Option<(usize, Refusal)>,
    /// True if DATA was accepted.
    is_invited: bool,
    /// True if the message went along and was refused.
    is_chunk_refused: bool,
    /// True if the server does not know BDAT.
    is_chunk_unknown: bool,
    outcome: Option<Result<Option<String>, Error>>,
}

impl Course {
    /// Decides the outcome, unless it is decided: nothing later overrules it.
    fn end(&mut self, outcome: Result<Option<String>, Error>) {
        self.outcome.get_or_insert(outcome);
    }

    /// Ends a transaction in which the server said that it goes, and has not taken the message: what
    /// it said of recipients afterwards does not count.
    fn turn_away(&mut self) {
        if let Some((answered, refusal)) = self.farewell.take() {
            self.recipients.truncate(answered);
            self.end(Err(Error::TurnedAway(refusal)));
        }
    }

    /// Takes in the answer to a part of the transaction.
    fn take(&mut self, part: Part<'_>, answer: Result<String, Refusal>) -> Result<(), Halt> {
        match (part, answer) {
            // The message was for nobody: a server that takes it is answering something else.
            (Part::Bdat(_), Ok(reply)) if self.outcome.is_some() => {
                return Err(Halt::Failed(out_of_step(BDAT, "a refusal", &reply)));
            }
            _ if self.outcome.is_some() => {}
            (Part::Mail(_), Err(refusal)) => {
                self.end(Err(Error::Refused { what: Subject::Sender, refusal }));
            }
            (Part::Mail(_), Ok(_)) | (Part::Rset, _) => {}
            (Part::Rcpt(envelope, mailbox), answer) => {
                if let Err(refusal) = &answer
                    && refusal.is_farewell()
                {
                    let answered = self.recipients.len();
                    self.farewell.get_or_insert_with(|| (answered, refusal.clone()));
                }
                self.recipients.push((mailbox.clone(), answer));
                if self.is_for_nobody(envelope) {
                    self.turn_away();
                    self.end(Ok(None));
                }
            }
            (Part::Data, Ok(_)) => self.is_invited = true,
            (Part::Data, Err(refusal)) => {
                self.end(Err(Error::Refused { what: Subject::Data, refusal }));
            }
            (Part::Bdat(_), Ok(reply)) => self.end(Ok(Some(reply))),
            (Part::Bdat(_), Err(refusal)) => {
                self.is_chunk_refused = true;
                self.is_chunk_unknown = refusal.is_unknown_command();
                self.turn_away();
                let what = if self.is_chunk_unknown { Subject::Bdat } else { Subject::Message };
                self.end(Err(Error::Refused { what, refusal }));
            }
        }
        Ok(())
    }

    /// Returns whether every recipient was refused.
    fn is_for_nobody(&self, envelope: &Envelope) -> bool {
        self.recipients.len() == envelope.recipients.len()
            && self.recipients.iter().all(|(_, answer)| answer.is_err())
    }
}

/// Decides the outcome of the first transaction that has none yet.
fn end_first(courses: &mut [Course], error: Error) {
    if let Some(course) = courses.iter_mut().find(|course| course.outcome.is_none()) {
        course.end(Err(error));
    }
}

/// A reason to stop reading a flight's replies.
enum Halt {
    /// The outcome of the only message is decided.
    Decided,
    /// The server said 421.
    Farewell,
    /// The conversation broke.
    Failed(wire::Error),
}

impl From<wire::Error> for Halt {
    fn from(error: wire::Error) -> Self {
        Self::Failed(error)
    }
}

/// The error for a reply that shows that the replies are not to what was sent.
fn out_of_step(verb: &'static str, expected: &str, found: &str) -> wire::Error {
    let what = Malformed(format!("expected {expected}, found `{found}`"));
    wire::Error::Malformed { phase: Phase::Answer(verb), what }
}

/// How a text may be grouped with commands and other messages (RFC 2920), by what its lines would be
/// for a server that takes a refused chunk for commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// It waits until a recipient is accepted.
    Alone,
    /// It may go along with its envelope.
    WithEnvelope,
    /// It may share a flight with other messages.
    WithMessages,
}

impl Grouping {
    /// The grouping of a text in canonical form.
    ///
    /// A line that begins with MAIL, RCPT, DATA, BDAT or BURL in any case would begin a transaction
    /// (RFC 5321 §4.1.1, RFC 3030, RFC 4468), so it waits. So does a line longer than a text line,
    /// which a server may cut anywhere. A line that begins with any other command could be accepted,
    /// and the reply be taken for one to RSET, so such a text shares no flight; nor does one with a
    /// line longer than a command line.
    pub fn of(text: &[u8]) -> Self {
        const TRANSACTION: [&[u8]; 5] = [b"MAIL", b"RCPT", b"DATA", b"BDAT", b"BURL"];
        // Those of RFC 5321 and its extensions, of its predecessors, and of servers.
        const OTHERS: [&[u8]; 23] = [
            b"ATRN", b"AUTH", b"DEBU", b"EHLO", b"ETRN", b"EXPN", b"HELO", b"HELP", b"LHLO",
            b"NOOP", b"ONEX", b"QUIT", b"RSET", b"SAML", b"SEND", b"SOML", b"STAR", b"TURN",
            b"VERB", b"VRFY", b"XCLI", b"XEXC", b"XFOR",
        ];
        let mut grouping = Self::WithMessages;
        for line in text.split(|&octet| octet == b'\n') {
            let line = line.trim_ascii_start();
            let verb = line.get(..4).unwrap_or_default();
            let is_any = |verbs: &[&[u8]]| verbs.iter().any(|it| verb.eq_ignore_ascii_case(it));
            if line.len() > limits::TEXT_LINE || is_any(&TRANSACTION) {
                return Self::Alone;
            }
            if line.len() > limits::SMTP_COMMAND || is_any(&OTHERS) {
                grouping = Self::WithEnvelope;
            }
        }
        grouping
    }
}

const DATA: &str = "DATA";
const BDAT: &str = "BDAT";
const RSET: &str = "RSET";

/// The message, as errors call it.
const MESSAGE: &str = "the message";

/// The part of a transaction that leaves in its first flight, but for the recipients.
struct FirstFlight<'a> {
    mail: Command,
    /// The command that ends the envelope: the message itself (BDAT), or DATA. `None` if the answers
    /// decide whether there is to be a message.
    last: Option<Part<'a>>,
}

/// A command of a flight.
struct Step<'a> {
    /// The index of the message that it belongs to.
    message: usize,
    part: Part<'a>,
    /// Set when the message has left.
    left: Option<&'a Cell<bool>>,
}

/// The commands of a mail transaction (RFC 5321 §3.3).
enum Part<'a> {
    Mail(Command),
    Rcpt(&'a Envelope, &'a Mailbox),
    Data,
    /// The whole text in one chunk, the last.
    Bdat(Vec<u8>),
    Rset,
}

impl Part<'_> {
    fn verb(&self) -> &'static str {
        match self {
            Self::Mail(_) => "MAIL",
            Self::Rcpt(..) => "RCPT",
            Self::Data => DATA,
            Self::Bdat(_) => BDAT,
            Self::Rset => RSET,
        }
    }
}

impl Exchange for Step<'_> {
    type Grammar = Smtp;
    type Answer = (Self, Result<String, Refusal>);
    type Error = wire::Error;

    fn command(&self) -> Command {
        match &self.part {
            Part::Mail(command) => command.clone(),
            Part::Rcpt(envelope, mailbox) => envelope.rcpt(mailbox),
            Part::Data => Command::new(DATA),
            Part::Bdat(text) => Command::new(BDAT).arg(text.len()).arg("LAST"),
            Part::Rset => Command::new(RSET),
        }
    }

    fn octets(&self) -> &[u8] {
        match &self.part {
            Part::Bdat(text) => text,
            _ => &[],
        }
    }

    fn sent(&self) {
        if let (Part::Bdat(_), Some(left)) = (&self.part, self.left) {
            left.set(true);
        }
    }

    fn answer(self, reply: Reply, _: Body<'_>) -> Result<Self::Answer, wire::Error> {
        let verb = self.part.verb();
        // One to RSET shows that those before were to what was sent; 221 is about QUIT.
        if matches!(self.part, Part::Rset) && (reply.code / 100 != 2 || reply.code == 221) {
            return Err(out_of_step(verb, "250", &reply.to_string()));
        }
        let class = if matches!(self.part, Part::Data) { 3 } else { 2 };
        let answer = reply.accepted(class, verb)?;
        Ok((self, answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_a_line_that_a_server_could_obey_shares_less() {
        let grouping =
            |line: &str| Grouping::of(format!("Subject: x\r\n\r\n{line}\r\n").as_bytes());
        for line in
            ["hello", "", ".", "remail me", "a NOOP", "The mail", "RSE", "X-Mailer: x", "no op"]
        {
            assert_eq!(grouping(line), Grouping::WithMessages, "{line}");
        }
        for line in
            ["NOOP", "noop x", "  Help me", "Quit: no", "rset", "Send it", "VRFY ann", "XCLIENT"]
        {
            assert_eq!(grouping(line), Grouping::WithEnvelope, "{line}");
        }
        for line in ["MAIL FROM:<x>", "rcpt", "\tData: x", "BDAT 1", "Burl"] {
            assert_eq!(grouping(line), Grouping::Alone, "{line}");
        }
        assert_eq!(grouping(&"x".repeat(600)), Grouping::WithEnvelope);
        assert_eq!(grouping(&"x".repeat(1200)), Grouping::Alone);
        assert_eq!(grouping("noop\r\nmail"), Grouping::Alone);
    }

    #[test]
    fn a_flight_has_room_for_eight_messages_or_as_many_octets() {
        let flight = || Flight { messages: 0, octets: 0, is_open: true };
        let admitted = |mut flight: Flight, grouping, octets| {
            (0..20).take_while(|_| flight.admits(grouping, octets)).count()
        };
        assert_eq!(admitted(flight(), Grouping::WithMessages, 500), 8);
        assert_eq!(admitted(flight(), Grouping::WithMessages, 60_000), 4);
        assert_eq!(admitted(flight(), Grouping::WithMessages, 1 << 30), 1);
        assert_eq!(admitted(flight(), Grouping::WithEnvelope, 500), 1);
        assert_eq!(admitted(flight(), Grouping::Alone, 500), 1);
        let closed = Flight { is_open: false, ..flight() };
        assert_eq!(admitted(closed, Grouping::WithMessages, 500), 1);
        let mut mixed = flight();
        assert!(mixed.admits(Grouping::WithMessages, 500));
        assert!(!mixed.admits(Grouping::WithEnvelope, 500));
        assert!(mixed.admits(Grouping::WithMessages, 500));
    }
}
