//! The session as a typestate: what a state does not allow does not compile.

mod envelope;
mod login;
mod transaction;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

pub use self::envelope::{Envelope, MailData, MailParameters, Mark, RecipientPolicy};
pub use self::transaction::{Flight, Grouping, Submitted, Transaction};
use super::ehlo::Extensions;
use super::reply::Smtp;
use super::{Error, Extension, Subject};
use crate::text::{EhloName, Mailbox};
use crate::wire::{Command, Disclosure, Phase, Private, Stream, Wire};

/// A conversation in the state `State` over the stream `S`.
///
/// A message can be submitted after logging in. This compiles:
///
/// ```
/// use postie::{smtp::{self, Authenticated as State, Transaction}, tls::TlsStream};
/// fn submit(session: &mut smtp::Session<State, TlsStream>, messages: &mut [Transaction<'_>]) {
///     let _ = session.submit(messages);
/// }
/// ```
///
/// and before it, it does not:
///
/// ```compile_fail
/// use postie::{smtp::{self, Unauthenticated as State, Transaction}, tls::TlsStream};
/// fn submit(session: &mut smtp::Session<State, TlsStream>, messages: &mut [Transaction<'_>]) {
///     let _ = session.submit(messages);
/// }
/// ```
///
/// Login needs a private stream ([`Private`]).
pub struct Session<State, S> {
    wire: Wire<Smtp, S>,
    name: EhloName,
    offered: Extensions,
    /// The commands that are still without a reply.
    unheard: VecDeque<&'static str>,
    /// True while the server may be in a mail transaction.
    is_begun: bool,
    /// True if nothing was sent since the server accepted RSET.
    is_forgotten: bool,
    /// True once the server has announced its end, or a reply made no sense: no further message can
    /// be submitted.
    is_over: bool,
    /// True once the connection is lost or its replies make no sense.
    is_broken: bool,
    /// True if that happened to several messages in one flight.
    has_failed_flight: bool,
    /// True once the server did not know BDAT.
    lacks_chunking: bool,
    state: std::marker::PhantomData<State>,
}

/// Greeted, not logged in.
#[derive(Debug)]
pub enum Unauthenticated {}

/// Logged in: AUTH was accepted (RFC 4954 §6).
#[derive(Debug)]
pub enum Authenticated {}

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

    /// Returns whether no further message can be submitted in this session.
    pub fn is_over(&self) -> bool {
        self.is_over || self.is_broken
    }

    /// Returns whether the connection ended, or its replies made no sense, while several messages of
    /// one flight were unanswered: the server may not be able to take them so.
    pub fn has_failed_flight(&self) -> bool {
        self.has_failed_flight
    }

    /// Returns whether the server did not know BDAT, although it offers CHUNKING: it does not speak for
    /// itself, or a relay before it does.
    pub fn lacks_chunking(&self) -> bool {
        self.lacks_chunking
    }

    /// Ends any mail transaction (RSET), so that another message can be submitted. A flight of several
    /// messages has done so itself.
    ///
    /// # Errors
    ///
    /// Returns an error if RSET is refused or the conversation breaks.
    pub fn reset(mut self) -> Result<Self, Error> {
        if self.is_forgotten {
            self.wire.ensure_no_buffered_input(Phase::Sending("MAIL"))?;
        } else {
            self.forget()?;
        }
        Ok(self)
    }

    /// Hears out what is still in flight, and has the server forget the transaction.
    fn forget(&mut self) -> Result<(), Error> {
        const RSET: &str = "RSET";
        for verb in std::mem::take(&mut self.unheard) {
            let reply = self.wire.reply_to(verb)?;
            if verb == "DATA" && reply.code / 100 == 3 {
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
        (self.is_begun, self.is_forgotten) = (false, true);
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
            is_forgotten: false,
            is_over: false,
            is_broken: false,
            has_failed_flight: false,
            lacks_chunking: false,
            state,
        }
    }

    /// The extensions that the server offers.
    pub fn offered(&self) -> &Extensions {
        &self.offered
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
