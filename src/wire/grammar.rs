//! The syntax of a protocol's replies. Knows no stream: a reply is found in octets, or is incomplete.

/// The syntax of a protocol's replies.
pub trait Grammar {
    /// A whole reply.
    type Reply;

    /// Finds the reply at the start of `input`: itself and its length in octets, or `None` when
    /// more must be read first.
    ///
    /// # Errors
    ///
    /// Returns an error if the octets are not the beginning of a reply.
    fn parse(input: &[u8]) -> Result<Option<(Self::Reply, usize)>, Malformed>;

    /// The status of a reply that is a SASL challenge; `None` for any other. Challenges are masked
    /// in traces: with the response, a SCRAM challenge is enough to guess the password offline.
    fn challenge(reply: &Self::Reply) -> Option<&'static str>;
}

/// The octets are not a reply; the words say what was expected instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);
