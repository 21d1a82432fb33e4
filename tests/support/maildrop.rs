//! What the POP3 servers have in common: one user's maildrop, reached in two ways.

use super::dovecot::Dovecot;
use super::mailutils::{Mailutils, without_uidl};
use super::servers::Site;
use super::transcript::Tls;

/// A POP3 server with one user's maildrop.
pub trait Maildrop {
    fn site(&self) -> &Site;

    fn port(&self, tls: Tls) -> u16;

    /// Puts messages into the maildrop, behind those that are there.
    fn deliver(&self, messages: &[Vec<u8>]);

    /// The messages as the server stores them, in any order, with the fields that it has added.
    fn held(&self) -> Vec<Vec<u8>>;

    /// How many messages are left.
    fn count(&self) -> usize {
        self.held().len()
    }

    /// What mpop is told of mechanisms: `on` to choose for itself.
    fn mpops_auth(&self) -> &'static str {
        "on"
    }

    /// Whether the server gives this message back as it is.
    fn is_faithful_to(&self, _message: &[u8]) -> bool {
        true
    }

    /// A message that was fetched, as the server stores it: without what it adds on the way.
    fn as_stored(&self, text: &[u8]) -> Vec<u8> {
        text.to_vec()
    }
}

impl Maildrop for Dovecot {
    fn site(&self) -> &Site {
        &self.site
    }

    fn port(&self, tls: Tls) -> u16 {
        self.port(tls)
    }

    fn deliver(&self, messages: &[Vec<u8>]) {
        self.deliver(messages);
    }

    fn held(&self) -> Vec<Vec<u8>> {
        self.held()
    }
}

impl Maildrop for Mailutils {
    fn site(&self) -> &Site {
        &self.site
    }

    fn port(&self, tls: Tls) -> u16 {
        self.port(tls)
    }

    fn deliver(&self, messages: &[Vec<u8>]) {
        self.deliver(messages);
    }

    fn held(&self) -> Vec<Vec<u8>> {
        self.held()
    }

    fn mpops_auth(&self) -> &'static str {
        // The server greets with a timestamp, as for APOP, which it then refuses.
        "user"
    }

    fn is_faithful_to(&self, message: &[u8]) -> bool {
        self.is_faithful_to(message)
    }

    fn as_stored(&self, text: &[u8]) -> Vec<u8> {
        without_uidl(text)
    }
}
