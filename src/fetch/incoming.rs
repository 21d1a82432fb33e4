//! The text of one message while it is retrieved: written to its draft, counted for the progress bar,
//! and dropped once it is too large.

use std::io::{self, Write};

use crate::limits;
use crate::report::{Octets, size};
use crate::store::{Draft, is_no_room};
use crate::text::plain;

/// A draft that counts its octets for the progress bar, and that can be given up while the rest of
/// its text is read and dropped.
pub(super) struct Incoming {
    draft: Draft,
    octets: Octets,
    /// Octets of the largest message that is wanted.
    most: u64,
    arrived: u64,
}

impl Incoming {
    /// A draft for a message of at most `most` octets.
    pub(super) fn new(draft: Draft, octets: Octets, most: u64) -> Self {
        Self { draft, octets, most, arrived: 0 }
    }
}

/// The reason why a message of more than `most` octets is not delivered.
pub(super) fn too_large(most: u64) -> String {
    format!("it is larger than {}", size(most))
}

impl Write for Incoming {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let more = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        self.arrived = self.arrived.saturating_add(more);
        if self.draft.failure().is_some() {
            return Ok(octets.len());
        }
        if self.arrived > self.most {
            self.draft.fail(too_large(self.most));
            return Ok(octets.len());
        }
        match self.draft.write_all(octets) {
            // A disk without room for even a small message is full.
            Err(error) if is_no_room(&error) && self.arrived > limits::SMALL_MESSAGE => {
                self.draft.fail(plain(&error));
            }
            written => written?,
        }
        self.octets.add(more);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.draft.flush()
    }
}

impl AsRef<Draft> for Incoming {
    fn as_ref(&self) -> &Draft {
        &self.draft
    }
}

impl AsMut<Draft> for Incoming {
    fn as_mut(&mut self) -> &mut Draft {
        &mut self.draft
    }
}
