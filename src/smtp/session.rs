//! The session as a typestate: what a state does not allow does not compile.

mod envelope;
mod login;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

pub use self::envelope::{Envelope, MailData, MailParameters, RecipientPolicy};
use super::ehlo::Extensions;
use super::reply::{Refusal, Reply, Smtp};
use super::{Error, Extension, Subject};
use crate::limits;
use crate::text::{EhloName, Mailbox};
use crate::wire::{self, Body, Command, Disclosure, Exchange, Phase, Private, Stream, Wire};

/// A conversation in the state `State` over the stream `S`.
///
/// A message can be submitted after logging in. This compiles:
///
/// ```
/// use postie::{smtp::{self, Authenticated as State, MailData, RecipientPolicy, Envelope}, tls::TlsStream};
/// fn submit(session: &mut smtp::Session<State, TlsStream>, to: &Envelope, message: &mut MailData<'_>) {
///     let _ = session.submit(to, message, RecipientPolicy::Any);
/// }
/// ```
///
/// and before it, it does not:
///
/// ```compile_fail
/// use postie::{smtp::{self, Unauthenticated as State, MailData, RecipientPolicy, Envelope}, tls::TlsStream};
/// fn submit(session: &mut smtp::Session<State, TlsStream>, to: &Envelope, message: &mut MailData<'_>) {
///     let _ = session.submit(to, message, RecipientPolicy::Any);
/// }
/// ```
///
/// Login needs a private stream ([`wire::Private`]).
pub struct Session<State, S> {
    wire: Wire<Smtp, S>,
    name: EhloName,
    offered: Extensions,
    /// The commands that are still without a reply.
    unheard: VecDeque<&'static str>,
    /// True while the server may be in a mail transaction.
    is_begun: bool,
    /// True once the server has announced its end, or a reply made no sense: no further message can
    /// be submitted.
    is_over: bool,
    /// True once the connection is lost or its replies make no sense.
    is_broken: bool,
    state: std::marker::PhantomData<State>,
}

/// Greeted, not logged in.
#[derive(Debug)]
pub enum Unauthenticated {}

/// AUTH was accepted (RFC 4954 §6).
#[derive(Debug)]
pub enum Authenticated {}

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

impl<S: Stream> Session<Unauthenticated, S> {
    /// Waits for the greeting and asks what the server offers.
    ///
    /// # Errors
    ///
    /// Returns an error if the server turns the connection away, refuses EHLO, or the conversation
    /// breaks.
    pub fn open(
        stream: S,
        name: EhloName,
        disclosure: impl Into<Disclosure>,
    ) -> Result<Self, Error> {
        let mut wire = Wire::<Smtp, S>::new(stream, disclosure);
        let greeting = wire.greeting()?.accepted(2, "the connection")?;
        greeting.map_err(Error::TurnedAway)?;
        Self::ehlo(wire, name)
    }

    /// Starts TLS (RFC 3207 §4): `upgrade` makes the handshake. Capabilities learnt before are
    /// discarded, since an attacker could have sent them (§6).
    ///
    /// # Errors
    ///
    /// Returns an error if STARTTLS is not offered or refused, if octets came before TLS, or if the
    /// handshake fails.
    pub fn starttls<T: Stream, E: From<Error>>(
        mut self,
        upgrade: impl FnOnce(S) -> Result<T, E>,
    ) -> Result<Session<Unauthenticated, T>, E> {
        const STARTTLS: &str = "STARTTLS";
        if !self.offered.starttls {
            return Err(Error::Missing(Extension::Starttls).into());
        }
        let answer =
            self.wire.command(Command::new(STARTTLS)).map_err(Error::from)?.accepted(2, STARTTLS);
        answer
            .map_err(Error::from)?
            .map_err(|refusal| Error::Refused { what: Subject::Starttls, refusal })?;
        let (stream, disclosure) = self.wire.into_stream(STARTTLS).map_err(Error::from)?;
        Ok(Session::ehlo(Wire::new(upgrade(stream)?, disclosure), self.name)?)
    }

    fn ehlo(mut wire: Wire<Smtp, S>, name: EhloName) -> Result<Self, Error> {
        const EHLO: &str = "EHLO";
        let reply = wire.command(Command::new(EHLO).arg(&name))?;
        let offered = Extensions::from(&reply);
        reply
            .accepted(2, EHLO)?
            .map_err(|refusal| Error::Refused { what: Subject::Ehlo, refusal })?;
        Ok(Self::new(wire, name, offered))
    }
}

impl<S: Private> Session<Authenticated, S> {
    /// Waits for each reply before the next command, as with a server that does not offer
    /// PIPELINING.
    pub fn forgo_pipelining(&mut self) {
        self.offered.pipelining = false;
    }

    /// Sends messages by DATA, as to a server that does not offer CHUNKING: not every one that
    /// offers it implements it correctly.
    pub fn forgo_chunking(&mut self) {
        self.offered.chunking = false;
    }

    /// Submits one message. The envelope leaves in one flight if the server offers PIPELINING, and
    /// a small message with it; any other follows when its recipients are known. A refusal that
    /// decides is returned at once, without waiting for the rest of the flight.
    pub fn submit(
        &mut self,
        envelope: &Envelope,
        message: &mut MailData<'_>,
        demand: RecipientPolicy,
    ) -> Submitted {
        let mut answers = Answers::default();
        let outcome = self.outcome(envelope, message, demand, &mut answers);
        self.is_broken |= matches!(outcome, Err(Error::Wire(_) | Error::InDoubt(_)));
        let recipients = answers.recipients;
        let unanswered = envelope.recipients.iter().skip(recipients.len()).cloned().collect();
        Submitted { recipients, unanswered, outcome }
    }

    fn outcome(
        &mut self,
        envelope: &Envelope,
        message: &mut MailData<'_>,
        demand: RecipientPolicy,
        answers: &mut Answers,
    ) -> Result<Option<String>, Error> {
        let mail = self.mail(envelope, message)?;
        if self.is_begun {
            self.forget()?;
        }
        let last = match (self.offered.pipelining, demand) {
            (true, RecipientPolicy::Any) => Some(self.last_step(message)?),
            // Whether there is to be a message depends on the answers.
            _ => None,
        };
        self.transaction(mail, envelope, last, answers)?;
        let accepted = answers.recipients.iter().filter(|(_, answer)| answer.is_ok()).count();
        let needed = if demand == RecipientPolicy::All { answers.recipients.len() } else { 1 };
        if accepted < needed {
            return Ok(None);
        }
        let verdict = if let Some(verdict) = answers.verdict.take() {
            verdict
        } else {
            let data = match answers.data.take() {
                Some(data) => data,
                None => self.wire.exchange(Step::Data)?.1,
            };
            data.map_err(|refusal| self.refused(Subject::Data, refusal))?;
            self.message(message)?
        };
        // Either answer ends the transaction (RFC 5321 §4.1.1.4).
        self.is_begun = false;
        verdict.map(Some).map_err(|refusal| self.refused(Subject::Message, refusal))
    }

    /// The error of a refusal, after which a server that says 421 is gone (RFC 5321 §3.8).
    fn refused(&mut self, what: Subject, refusal: Refusal) -> Error {
        self.is_over |= refusal.is_farewell();
        Error::Refused { what, refusal }
    }

    /// Returns whether no further message can be submitted in this session.
    pub fn is_over(&self) -> bool {
        self.is_over || self.is_broken
    }

    /// Ends any mail transaction (RSET), so that another message can be submitted.
    ///
    /// # Errors
    ///
    /// Returns an error if RSET is refused or the conversation breaks.
    pub fn reset(mut self) -> Result<Self, Error> {
        self.forget()?;
        Ok(self)
    }

    /// Hears out what is still in flight, and has the server forget the transaction.
    fn forget(&mut self) -> Result<(), Error> {
        const RSET: &str = "RSET";
        for verb in std::mem::take(&mut self.unheard) {
            let reply = self.wire.reply_to(verb)?;
            if verb == DATA && reply.code / 100 == 3 {
                // No recipient was accepted: the message ends before it begins (RFC 2920 §3.1),
                // and what the server thinks of that is no matter.
                self.wire.send_message(&mut io::empty())?;
                self.wire.send_rest()?;
                self.wire.reply_to("the empty message")?;
            }
        }
        let reply = self.wire.command(Command::new(RSET))?;
        if reply.code / 100 == 5 {
            // No server refuses this (RFC 5321 §4.1.1.5), and it would say nothing about a message.
            return Err(reply.nonsense(2, RSET).into());
        }
        if let Err(refusal) = reply.accepted(2, RSET)? {
            self.is_over = true;
            return Err(Error::TurnedAway(refusal));
        }
        self.is_begun = false;
        Ok(())
    }

    /// Asks whether mail may come from this address, and takes it back. As a message, this comes
    /// after AUTH only:
    ///
    /// ```
    /// # use postie::{smtp::{Authenticated as State, Session}, text::Mailbox, tls::TlsStream};
    /// fn ask(session: &mut Session<State, TlsStream>, from: &Mailbox) { drop(session.probe(from)); }
    /// ```
    ///
    /// ```compile_fail
    /// # use postie::{smtp::{Unauthenticated as State, Session}, text::Mailbox, tls::TlsStream};
    /// fn ask(session: &mut Session<State, TlsStream>, from: &Mailbox) { drop(session.probe(from)); }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the address is refused or the conversation breaks.
    pub fn probe(&mut self, reverse_path: &Mailbox) -> Result<(), Error> {
        let mut mail = Command::new("MAIL").arg(format_args!("FROM:<{reverse_path}>"));
        if reverse_path.is_international() {
            if !self.offered.smtp_utf8 {
                return Err(Error::Missing(Extension::SmtpUtf8));
            }
            mail = mail.arg("SMTPUTF8");
        }
        let answer = self.wire.command(mail)?.accepted(2, "MAIL")?;
        // A refusal of this would be strange and change nothing: what was begun ends with QUIT.
        drop(self.wire.command(Command::new("RSET"))?.accepted(2, "RSET")?);
        answer.map(drop).map_err(|refusal| Error::Refused { what: Subject::Sender, refusal })
    }

    /// Bounds all that is still waited for in this session, together.
    pub fn finish_within(&mut self, time: Duration) {
        self.wire.finish_within(time);
    }

    /// Sends QUIT if the connection still stands. Nothing depends on whether it arrives.
    pub fn quit(mut self) {
        if !self.is_broken {
            drop(self.wire.send_only(&Command::new("QUIT")));
        }
    }

    /// MAIL with its parameters, or why there is no use in asking.
    fn mail(&self, envelope: &Envelope, message: &MailData<'_>) -> Result<Command, Error> {
        let MailData { octets, is_8bit, .. } = *message;
        if envelope.terms.ask_for_reports() && !self.offered.dsn {
            return Err(Error::Missing(Extension::Dsn));
        }
        if envelope.terms.require_tls && !self.offered.require_tls {
            return Err(Error::Missing(Extension::RequireTls));
        }
        let mut mail = envelope.mail();
        if let Some(limit) = self.offered.size {
            if limit > 0 && octets > limit {
                return Err(Error::TooLarge { octets, limit });
            }
            mail = mail.arg(format_args!("SIZE={octets}"));
        }
        if is_8bit && self.offered.eight_bit_mime {
            mail = mail.arg("BODY=8BITMIME");
        }
        if envelope.is_international() {
            if !self.offered.smtp_utf8 {
                return Err(Error::Missing(Extension::SmtpUtf8));
            }
            mail = mail.arg("SMTPUTF8");
        }
        Ok(mail)
    }

    /// The command that ends the envelope's flight: a small message itself (BDAT), or DATA.
    fn last_step<'a>(&self, message: &mut MailData<'_>) -> Result<Step<'a>, Error> {
        if !self.offered.chunking || !message.may_go_along {
            return Ok(Step::Data);
        }
        let text = message.whole().map_err(wire::Error::Source)?;
        (message.before_last_octets)().map_err(wire::Error::Source)?;
        Ok(Step::Bdat(text))
    }

    /// Sends MAIL, RCPT for each recipient, and the command that may follow them, and reads replies
    /// until it is decided whether any recipient is accepted. The error is a refusal that decides.
    fn transaction(
        &mut self,
        mail: Command,
        envelope: &Envelope,
        last: Option<Step<'_>>,
        answers: &mut Answers,
    ) -> Result<(), Error> {
        let window = if self.offered.pipelining { limits::SMTP_WINDOW } else { 1 };
        let asked = RefCell::new(VecDeque::new());
        let steps = [Step::Mail(mail)]
            .into_iter()
            .chain(envelope.recipients.iter().map(|mailbox| Step::Rcpt(envelope, mailbox)))
            .chain(last)
            .inspect(|step| asked.borrow_mut().push_back(step.verb()));
        self.is_begun = true;
        let heard = self.wire.exchange_each(&window, steps, |(step, answer)| {
            asked.borrow_mut().pop_front();
            match (step, answer) {
                (Step::Mail(_), Err(refusal)) => {
                    return Err(Halt::Failed(Error::Refused { what: Subject::Sender, refusal }));
                }
                (Step::Rcpt(..), Err(refusal)) if refusal.is_farewell() => {
                    return Err(Halt::Failed(Error::TurnedAway(refusal)));
                }
                (Step::Mail(_), Ok(_)) => {}
                (Step::Rcpt(_, mailbox), answer) => {
                    answers.recipients.push((mailbox.clone(), answer));
                    if answers.is_for_nobody(envelope) {
                        return Err(Halt::Decided);
                    }
                }
                (Step::Data, answer) => answers.data = Some(answer),
                (Step::Bdat(_), answer) => answers.verdict = Some(answer),
            }
            Ok(())
        });
        self.unheard = asked.into_inner();
        // A server that did not take the chunk may take what is in it for commands; then its answers
        // are to these, and nothing that it says any more means anything.
        let is_out = self.unheard.contains(&BDAT);
        self.is_over |= is_out || matches!(answers.verdict, Some(Err(_)));
        match heard {
            Ok(()) | Err(Halt::Decided) => Ok(()),
            Err(Halt::Failed(Error::Wire(error))) => {
                let is_unsent =
                    matches!(error, wire::Error::Stream { phase: Phase::Sending(_), .. });
                // The server may have the whole message, and an accepted recipient.
                let is_doubtful = is_out && !is_unsent;
                Err(if is_doubtful { Error::InDoubt(error) } else { Error::Wire(error) })
            }
            Err(Halt::Failed(Error::Refused { what, refusal })) => Err(self.refused(what, refusal)),
            Err(Halt::Failed(error)) => {
                self.is_over = true;
                Err(error)
            }
        }
    }

    /// The message and its final reply, after 354.
    fn message(&mut self, message: &mut MailData<'_>) -> Result<Result<String, Refusal>, Error> {
        let sent = self
            .wire
            .send_message(message.text)
            .and_then(|()| (message.before_last_octets)().map_err(wire::Error::Source))
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

    /// A server that hangs up in the middle of a message may have said why.
    fn refusal_before_the_end(&mut self, error: &wire::Error) -> Option<Error> {
        let wire::Error::Stream { source, .. } = error else { return None };
        if source.kind() == io::ErrorKind::TimedOut {
            return None;
        }
        let reply = self.wire.reply_to(MESSAGE).ok()?;
        let refusal = reply.accepted(2, MESSAGE).ok()?.err()?;
        Some(Error::Refused { what: Subject::Message, refusal })
    }
}

impl<State, S: Stream> Session<State, S> {
    fn new(wire: Wire<Smtp, S>, name: EhloName, offered: Extensions) -> Self {
        let (unheard, state) = (VecDeque::new(), std::marker::PhantomData);
        Self {
            wire,
            name,
            offered,
            unheard,
            is_begun: false,
            is_over: false,
            is_broken: false,
            state,
        }
    }

    /// The extensions that the server offers.
    pub fn offered(&self) -> &Extensions {
        &self.offered
    }
}

/// The replies in a mail transaction.
#[derive(Default)]
struct Answers {
    recipients: Vec<(Mailbox, Result<String, Refusal>)>,
    /// The answer to DATA, if it was asked.
    data: Option<Result<String, Refusal>>,
    /// The answer to the message, if it went along.
    verdict: Option<Result<String, Refusal>>,
}

impl Answers {
    /// Returns whether every recipient was refused.
    fn is_for_nobody(&self, envelope: &Envelope) -> bool {
        self.recipients.len() == envelope.recipients.len()
            && self.recipients.iter().all(|(_, answer)| answer.is_err())
    }
}

/// A reason to stop reading a flight's replies.
enum Halt {
    /// Every recipient was refused.
    Decided,
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Returns whether a line of the text begins with MAIL, RCPT, DATA, BDAT or BURL in any case: a
/// server that takes a refused chunk for commands would begin a transaction with it, so such text
/// waits until a recipient is accepted (RFC 5321 §4.1.1, RFC 3030, RFC 4468). So does text with a
/// line longer than a command line, which a server may cut anywhere.
pub fn holds_command(text: &[u8]) -> bool {
    const VERBS: [&[u8]; 5] = [b"MAIL", b"RCPT", b"DATA", b"BDAT", b"BURL"];
    text.split(|&octet| octet == b'\n').any(|line| {
        let line = line.trim_ascii_start();
        let verb = line.get(..4).unwrap_or_default();
        line.len() > limits::TEXT_LINE || VERBS.iter().any(|known| verb.eq_ignore_ascii_case(known))
    })
}

const DATA: &str = "DATA";
const BDAT: &str = "BDAT";

/// The message, as errors call it.
const MESSAGE: &str = "the message";

/// The commands of a mail transaction (RFC 5321 §3.3).
enum Step<'a> {
    Mail(Command),
    Rcpt(&'a Envelope, &'a Mailbox),
    Data,
    /// The whole text in one chunk, the last.
    Bdat(Vec<u8>),
}

impl Step<'_> {
    fn verb(&self) -> &'static str {
        match self {
            Self::Mail(_) => "MAIL",
            Self::Rcpt(..) => "RCPT",
            Self::Data => DATA,
            Self::Bdat(_) => BDAT,
        }
    }
}

impl Exchange for Step<'_> {
    type Grammar = Smtp;
    type Answer = (Self, Result<String, Refusal>);
    type Error = Error;

    fn command(&self) -> Command {
        match self {
            Self::Mail(command) => command.clone(),
            Self::Rcpt(envelope, mailbox) => envelope.rcpt(mailbox),
            Self::Data => Command::new(DATA),
            Self::Bdat(text) => Command::new(BDAT).arg(text.len()).arg("LAST"),
        }
    }

    fn octets(&self) -> &[u8] {
        match self {
            Self::Bdat(text) => text,
            _ => &[],
        }
    }

    fn answer(self, reply: Reply, _: Body<'_>) -> Result<Self::Answer, Error> {
        let class = if matches!(self, Self::Data) { 3 } else { 2 };
        let answer = reply.accepted(class, self.verb())?;
        Ok((self, answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::ReversePath;

    #[test]
    fn recipients_whose_domains_differ_in_case_get_the_message_once() {
        let all = ["bob@x.example", "bob@X.Example", "Bob@x.example", "bob@x.example"];
        let all = all.map(|text| text.parse().unwrap()).to_vec();
        let envelope = Envelope::new(ReversePath::Null, all).unwrap();
        let recipients = envelope.recipients().iter().map(Mailbox::as_str);
        // A local part's case is its host's business (RFC 5321 §2.4).
        assert_eq!(recipients.collect::<Vec<_>>(), ["bob@x.example", "Bob@x.example"]);
    }
}
