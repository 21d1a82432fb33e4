//! The text that follows a reply, read line by line or copied up to its end, within a limit.

use std::io::{self, Read, Write};

use super::Stream;
use super::grammar::Malformed;
use super::mask::Secrets;
use super::{Error, Phase, Trace, TraceEvent, Wait};
use crate::dot;
use crate::limits;

/// The dot-terminated text that follows a reply (RFC 1939 §3). If it is due and not read, the
/// next reply will not make sense, so an answer either refuses or reads it whole.
pub struct Body<'a> {
    pub(super) stream: &'a mut dyn Stream,
    pub(super) input: &'a mut Input,
    pub(super) trace: Option<&'a mut Trace>,
    pub(super) secrets: &'a Secrets,
    pub(super) phase: Phase,
}

impl<'a> Body<'a> {
    /// The secrets of the conversation, to be masked in what is kept or shown of a text.
    pub(crate) fn secrets(&self) -> &'a Secrets {
        self.secrets
    }

    /// Checks that no text has come behind the reply: it has none, and no other reply is due. An empty
    /// line, which some servers add, is none.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Leftover`] if other octets than line ends are buffered.
    pub fn ensure_none(&self) -> Result<(), Error> {
        let is_text = |octet| !matches!(octet, b'\r' | b'\n');
        let has_text = self.input.waiting().iter().copied().any(is_text);
        if has_text { Err(Error::Leftover(self.phase)) } else { Ok(()) }
    }

    /// Hands every line to `each`, unstuffed and without its end; at most `limit` lines, and as many
    /// octets as [`limits::LISTING_OCTETS`].
    ///
    /// # Errors
    ///
    /// Returns the error of `each`, or an error if the text exceeds its bounds or the stream ends.
    pub fn lines<E: From<Error>>(
        mut self,
        limit: usize,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut count, mut octets) = (0, 0);
        self.stream.begin(Wait::Text);
        loop {
            let waiting = self.input.waiting();
            let mut start = 0;
            for end in memchr::memchr_iter(b'\n', waiting) {
                let line = waiting.get(start..end).unwrap_or_default();
                start = end + 1;
                if let Some(trace) = &mut self.trace {
                    trace(TraceEvent::Server(&self.secrets.mask(line)));
                }
                let text = line.strip_suffix(b"\r").unwrap_or(line);
                if text == b"." {
                    self.input.consume(start);
                    return Ok(());
                }
                count += 1;
                if count > limit {
                    return Err(self.malformed(format!("more than {limit} lines")).into());
                }
                octets += line.len();
                if octets > limits::LISTING_OCTETS {
                    let most = limits::LISTING_OCTETS;
                    return Err(self.malformed(format!("more than {most} octets")).into());
                }
                let text = text.strip_prefix(b".").unwrap_or(text);
                // An error that shows the line shows it masked.
                each(text)
                    .map_err(|error| each(&self.secrets.mask(text)).err().unwrap_or(error))?;
            }
            let rest = waiting.len() - start;
            self.input.consume(start);
            if rest > limits::REPLY_LINE {
                return Err(self.malformed("a line without end".to_owned()).into());
            }
            if !self.input.fill(self.stream, self.phase)? {
                return Err(Error::Closed(self.phase).into());
            }
        }
    }

    /// Copies the text to `sink`, unstuffed and with LF at line ends; returns its octets. More than
    /// `limit` of them are an error ([`Error::TooLong`]).
    ///
    /// # Errors
    ///
    /// Returns an error if the text exceeds `limit`, the stream ends, or writing to `sink` fails.
    pub fn copy(mut self, limit: u64, sink: &mut dyn Write) -> Result<u64, Error> {
        let (mut decoder, mut total) = (dot::Decoder::default(), 0_u64);
        // However little comes at a time, as much as this is written.
        let mut text = Vec::with_capacity(limits::BUFFER);
        self.stream.begin(Wait::Text);
        while !decoder.is_done() {
            if self.input.is_empty() && !self.input.fill(self.stream, self.phase)? {
                return Err(Error::Closed(self.phase));
            }
            if text.len() + self.input.waiting().len() > limits::BUFFER {
                sink.write_all(&text).map_err(Error::Sink)?;
                text.clear();
            }
            let before = text.len();
            let used = decoder.decode(self.input.waiting(), &mut text);
            self.input.consume(used);
            total = total.saturating_add(u64::try_from(text.len() - before).unwrap_or(u64::MAX));
            if total > limit {
                return Err(Error::TooLong(limit));
            }
        }
        sink.write_all(&text).map_err(Error::Sink)?;
        if let Some(trace) = &mut self.trace {
            trace(TraceEvent::Octets(total));
        }
        Ok(total)
    }

    fn malformed(&self, what: String) -> Error {
        Error::Malformed { phase: self.phase, what: Malformed(what) }
    }
}

/// Octets that came and were not yet understood.
#[derive(Default)]
pub(super) struct Input {
    pub(super) buffer: Vec<u8>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Input {
    pub(super) fn waiting(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(super) fn consume(&mut self, length: usize) {
        self.start = (self.start + length).min(self.end);
    }

    /// Reads once; false at the end of the stream.
    pub(super) fn fill(
        &mut self,
        stream: &mut (impl Read + ?Sized),
        phase: Phase,
    ) -> Result<bool, Error> {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            // At first it takes one record of TLS. There may be many sessions side by side.
            self.buffer.resize((self.buffer.len() * 2).max(limits::BUFFER / 4), 0);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        loop {
            match stream.read(room) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Stream { phase, source }),
            }
        }
    }
}
