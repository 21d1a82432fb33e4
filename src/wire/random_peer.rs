//! A peer that sends random octets, for the tests of both protocols.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::select;

use super::{Private, Stream, sealed};

/// Says what was prepared, a piece for each time that something is waited for, and then no more.
pub(crate) struct RandomPeer {
    pieces: VecDeque<Vec<u8>>,
    /// The octets that it received.
    pub(crate) heard: Rc<RefCell<Vec<u8>>>,
}

impl RandomPeer {
    pub(crate) fn new(pieces: VecDeque<Vec<u8>>) -> Self {
        Self { pieces, heard: Rc::default() }
    }
}

/// Some of a conversation as it should be, and then anything.
pub(crate) fn babble(
    good: &'static [&'static str],
    odd: &'static [&'static str],
) -> impl Strategy<Value = VecDeque<Vec<u8>>> {
    let text = |piece: &str| piece.as_bytes().to_vec();
    let piece = prop_oneof![
        2 => select(good).prop_map(text),
        3 => select(odd).prop_map(text),
        1 => vec(any::<u8>(), 1..9),
    ];
    (0..=good.len(), vec(piece, 0..8))
        .prop_map(move |(count, odd)| good[..count].iter().copied().map(text).chain(odd).collect())
}

impl Stream for RandomPeer {}

impl Read for RandomPeer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.pieces.pop_front().unwrap_or_default();
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

impl Write for RandomPeer {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.heard.borrow_mut().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl sealed::Sealed for RandomPeer {}

impl Private for RandomPeer {
    fn binding(&self) -> Option<[u8; 32]> {
        None
    }
}
