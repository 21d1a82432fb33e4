//! Line ends as they come and as they must be (RFC 5321 §2.3.8).

use std::borrow::Cow;

use crate::limits;

/// Turns every LF, with the CRs before it, into CRLF. A CR that has no LF behind it stays.
#[derive(Default)]
pub(super) struct LineEnds {
    /// CRs of which it is not known whether an LF follows.
    crs: usize,
    /// True if there was any LF.
    pub(super) has_lf: bool,
}

impl LineEnds {
    pub(super) fn append(&mut self, mut octets: &[u8], output: &mut Vec<u8>) {
        while let Some(end) = memchr::memchr2(b'\r', b'\n', octets) {
            let (text, rest) = octets.split_at(end);
            self.text(text, output);
            if rest.starts_with(b"\n") {
                self.crs = 0;
                self.has_lf = true;
                output.extend_from_slice(b"\r\n");
            } else {
                self.crs += 1;
                if self.crs > limits::BUFFER {
                    self.finish(output);
                }
            }
            octets = rest.get(1..).unwrap_or_default();
        }
        self.text(octets, output);
    }

    /// The text has ended.
    pub(super) fn finish(&mut self, output: &mut Vec<u8>) {
        output.resize(output.len() + std::mem::take(&mut self.crs), b'\r');
    }

    fn text(&mut self, text: &[u8], output: &mut Vec<u8>) {
        if !text.is_empty() {
            self.finish(output);
            output.extend_from_slice(text);
        }
    }
}

/// Returns whether text from [`LineEnds`] has a CR that does not end a line.
pub(super) fn has_lone_cr(text: &[u8]) -> bool {
    // Each LF has a CR before it, so that any further one is alone.
    let count = |octet| memchr::memchr_iter(octet, text).count();
    count(b'\r') != count(b'\n')
}

/// Text from [`LineEnds`] in canonical form: what CRs are still alone end lines, too.
pub(super) fn without_lone_cr(text: &[u8]) -> Cow<'_, [u8]> {
    if !has_lone_cr(text) {
        return text.into();
    }
    let mut canonical = Vec::with_capacity(text.len() + text.len() / 16);
    let mut rest = text;
    while let Some(end) = memchr::memchr(b'\r', rest) {
        let (line, tail) = rest.split_at(end);
        canonical.extend_from_slice(line);
        canonical.extend_from_slice(b"\r\n");
        rest = tail.strip_prefix(b"\r\n").or(tail.get(1..)).unwrap_or_default();
    }
    canonical.extend_from_slice(rest);
    canonical.into()
}
