//! A command without line ends whose `Debug` masks secrets, and the exchange that it belongs to.

use std::fmt;

use zeroize::Zeroizing;

use super::body::Body;
use super::grammar::Grammar;
use super::{Error, Wait};

/// The number of commands that may be in flight (RFC 2449 §6.6, RFC 2920). A plain number is a window
/// of that size; one of 1 waits for each answer before the next command.
pub trait Window {
    /// Returns whether so few commands are in flight that more are to be sent.
    fn is_low(&self, in_flight: usize) -> bool;

    /// Returns whether one more may be sent.
    fn has_room(&self, in_flight: usize) -> bool;
}

impl Window for usize {
    fn is_low(&self, in_flight: usize) -> bool {
        in_flight <= self / 2
    }

    fn has_room(&self, in_flight: usize) -> bool {
        in_flight < *self
    }
}

/// A command and the meaning of its answer, in one value.
pub trait Exchange {
    /// The language both are in.
    type Grammar: Grammar;
    /// The meaning of the answer, a refusal included.
    type Answer;
    /// The error that ends the conversation.
    type Error: From<Error>;

    /// The command line.
    fn command(&self) -> Command;

    /// The kind of wait for the reply, which bounds it.
    fn wait(&self) -> Wait {
        Wait::Reply
    }

    /// Octets that follow the command line at once, as BDAT has them (RFC 3030 §2).
    fn octets(&self) -> &[u8] {
        &[]
    }

    /// Called when all of its octets have been written to the stream.
    fn sent(&self) {}

    /// Reads the answer. `body` is the multi-line part that follows in POP3.
    ///
    /// # Errors
    ///
    /// Returns an error if the answer makes no sense, so that the conversation cannot go on.
    fn answer(
        self,
        reply: <Self::Grammar as Grammar>::Reply,
        body: Body<'_>,
    ) -> Result<Self::Answer, Self::Error>;
}

/// A command line. It holds no line end, and its `Debug` masks secrets, so that neither a newline
/// in an argument nor a trace can do harm.
#[derive(Clone)]
pub struct Command {
    pub(super) verb: &'static str,
    pub(super) line: Zeroizing<String>,
    /// The number of octets from the start of the line that may be shown.
    pub(super) open: usize,
}

impl Command {
    /// A command without arguments yet. The verb is also its name in error messages.
    pub fn new(verb: &'static str) -> Self {
        Self { verb, line: Zeroizing::new(verb.to_owned()), open: verb.len() }
    }

    /// A line that is not a command but an answer to a challenge, all of it secret.
    pub fn response(verb: &'static str, secret: &str) -> Self {
        let mut command = Self { verb, line: Zeroizing::default(), open: 0 };
        command.push(secret);
        command
    }

    /// Adds a blank and an argument.
    #[must_use]
    pub fn arg(mut self, text: impl fmt::Display) -> Self {
        self.push(&format!(" {text}"));
        self.open = self.line.len();
        self
    }

    /// Adds a blank and an argument that is masked wherever the command is shown.
    #[must_use]
    pub fn secret(mut self, text: &str) -> Self {
        self.push(" ");
        self.push(text);
        self
    }

    /// Octets of the line, its end included.
    pub fn octets(&self) -> usize {
        self.line.len() + 2
    }

    pub(super) fn secret_part(&self) -> &str {
        self.line.get(self.open..).unwrap_or_default().trim_start()
    }

    // The values that come here have no control characters by their types; should one slip
    // through, it must not become a second command.
    pub(super) fn push(&mut self, text: &str) {
        let wanted = self.line.len() + text.len();
        if wanted > self.line.capacity() {
            // What is moved in memory would stay where it was, too.
            let mut line = Zeroizing::new(String::with_capacity(wanted));
            line.push_str(&self.line);
            self.line = line;
        }
        self.line.extend(text.chars().map(|c| if c.is_control() { '?' } else { c }));
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, secret) = self.line.split_at(self.open);
        let blank = if secret.starts_with(' ') { " " } else { "" };
        write!(f, "{open}{blank}{}", if secret.is_empty() { "" } else { "****" })
    }
}

/// A command whose asker looks at the reply.
pub(super) struct Raw<G>(
    pub(super) Command,
    pub(super) Wait,
    pub(super) std::marker::PhantomData<G>,
);

impl<G: Grammar> Exchange for Raw<G> {
    type Grammar = G;
    type Answer = G::Reply;
    type Error = Error;

    fn command(&self) -> Command {
        self.0.clone()
    }

    fn wait(&self) -> Wait {
        self.1
    }

    fn answer(self, reply: G::Reply, _: Body<'_>) -> Result<G::Reply, Error> {
        Ok(reply)
    }
}
