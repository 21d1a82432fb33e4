//! The envelope of a message, and the parameters of MAIL and RCPT (RFC 5321 §3.3, RFC 3461, RFC 8689).

use std::io::{self, Read};

use super::transaction::Grouping;
use crate::text::{Mailbox, Notify, Return, ReversePath, xtext};
use crate::wire::Command;

/// The reverse-path and at least one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    reverse_path: ReversePath,
    pub(super) recipients: Vec<Mailbox>,
    pub(super) terms: MailParameters,
}

/// Parameters of MAIL and RCPT that ask for more than delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// The occasions for a delivery status notification (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// The part of the message that a notification holds (RFC 3461 §4.3).
    pub ret: Option<Return>,
    /// The envelope identifier that a notification names (RFC 3461 §4.4).
    pub id: String,
    /// REQUIRETLS: the message is passed on by verified TLS, or not at all (RFC 8689).
    pub require_tls: bool,
}

impl MailParameters {
    pub(super) fn ask_for_reports(&self) -> bool {
        self.notify.is_some() || self.ret.is_some()
    }
}

impl Envelope {
    /// Creates an envelope. `None` without recipients. One that is named twice gets the message once;
    /// domains have no case (RFC 5321 §2.4).
    pub fn new(reverse_path: ReversePath, recipients: Vec<Mailbox>) -> Option<Self> {
        let mut known = std::collections::HashSet::new();
        let key = |mailbox: &Mailbox| {
            (mailbox.local_part().to_owned(), mailbox.domain().to_ascii_lowercase())
        };
        let recipients: Vec<_> =
            recipients.into_iter().filter(|mailbox| known.insert(key(mailbox))).collect();
        let terms = MailParameters::default();
        (!recipients.is_empty()).then_some(Self { reverse_path, recipients, terms })
    }

    /// Returns the envelope with these parameters of MAIL.
    #[must_use]
    pub fn on(self, terms: MailParameters) -> Self {
        Self { terms, ..self }
    }

    /// Returns the envelope for some of its recipients; `None` if there is none.
    pub fn among(&self, recipients: &[Mailbox]) -> Option<Self> {
        let recipients = recipients.to_vec();
        (!recipients.is_empty()).then(|| Self { recipients, ..self.clone() })
    }

    /// The MAIL command, without the parameters that depend on message and server.
    pub fn mail(&self) -> Command {
        let MailParameters { ret, id, require_tls, .. } = &self.terms;
        let mut mail = Command::new("MAIL").arg(format_args!("FROM:<{}>", self.reverse_path));
        if let Some(ret) = ret {
            mail = mail.arg(format_args!("RET={ret}"));
        }
        if self.terms.ask_for_reports() && !id.is_empty() {
            mail = mail.arg(format_args!("ENVID={}", xtext(id)));
        }
        if *require_tls {
            mail = mail.arg("REQUIRETLS");
        }
        mail
    }

    /// The RCPT command for a recipient.
    pub fn rcpt(&self, recipient: &Mailbox) -> Command {
        let mut rcpt = Command::new("RCPT").arg(format_args!("TO:<{recipient}>"));
        if let Some(notify) = &self.terms.notify {
            rcpt = rcpt.arg(format_args!("NOTIFY={notify}"));
        }
        // An international address would need a type of its own here (RFC 6533 §3).
        if self.terms.ask_for_reports() && !recipient.is_international() {
            rcpt = rcpt.arg(format_args!("ORCPT=rfc822;{}", xtext(recipient.as_str())));
        }
        rcpt
    }

    /// The reverse-path, to which failures are reported (RFC 5321 §3.3).
    pub fn reverse_path(&self) -> &ReversePath {
        &self.reverse_path
    }

    /// The parameters.
    pub fn terms(&self) -> &MailParameters {
        &self.terms
    }

    /// The recipients.
    pub fn recipients(&self) -> &[Mailbox] {
        &self.recipients
    }

    pub(super) fn is_international(&self) -> bool {
        self.reverse_path.mailbox().is_some_and(Mailbox::is_international)
            || self.recipients.iter().any(Mailbox::is_international)
    }
}

/// A message in canonical form, and what must be said of it beforehand.
pub struct MailData<'a> {
    /// The text; every line ends in CRLF.
    pub text: Box<dyn Read + 'a>,
    /// The size in octets, dots not stuffed (RFC 1870 §3).
    pub octets: u64,
    /// True if any octet is above 127.
    pub is_8bit: bool,
    /// The commands and messages that it may share a flight with; [`Grouping::Alone`] for one that is
    /// not small.
    pub grouping: Grouping,
    /// Set once in a transaction, before octets leave after which the server may have the whole message.
    pub mark: Box<dyn Mark + 'a>,
}

/// A mark that the last octets of a message may have left. An error keeps them here.
pub trait Mark {
    /// Sets the mark.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be written.
    fn set(&mut self) -> io::Result<()>;

    /// Waits until it is durable. Those of a flight are set before the first of them is waited for.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be made durable.
    fn sync(&mut self) -> io::Result<()>;
}

impl MailData<'_> {
    /// The whole text, which must be as long as was said.
    #[expect(clippy::disallowed_methods, reason = "its size is bounded")]
    pub(super) fn whole(&mut self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        (&mut self.text).take(self.octets.saturating_add(1)).read_to_end(&mut text)?;
        if u64::try_from(text.len()) == Ok(self.octets) {
            Ok(text)
        } else {
            Err(io::Error::other("the message has changed its size"))
        }
    }
}

/// The policy for a message some of whose recipients are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientPolicy {
    /// The others get the message.
    Any,
    /// The message is sent to none of them.
    All,
}
