//! The request to stop, which a signal sets: it shuts down the sockets that are waited for.

use std::io::{self};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::wire::Cancelled;

/// The request to end this process, shared by all connections: a signal sets it, and every wait for
/// a peer ends.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Mutex<Stopping>>);

#[derive(Debug, Default)]
struct Stopping {
    pub(super) is_wanted: bool,
    /// The exit status that is final already, if there is one.
    decided: Option<u8>,
    /// Connections, as far as they are still open.
    open: Vec<Arc<TcpStream>>,
    /// Exchanges that a first signal must not cut off.
    sheltered: usize,
}

impl Stop {
    /// Ends all connections, so that nothing waits for a peer any more. Returns whether the run
    /// goes on to its own end: there were connections to end, or its status is final.
    pub fn stop(&self) -> bool {
        let mut stopping = self.lock();
        stopping.is_wanted = true;
        for stream in &stopping.open {
            // One that is not connected any more needs no ending.
            drop(stream.shutdown(Shutdown::Both));
        }
        !stopping.open.is_empty() || stopping.decided.is_some() || stopping.sheltered > 0
    }

    /// Delays the end by a first signal until the result is dropped: for an exchange that ends soon
    /// by itself and must not be interrupted, over a connection that this [`Stop`] does not know.
    #[must_use]
    pub fn shelter(&self) -> Shelter {
        self.lock().sheltered += 1;
        Shelter(self.clone())
    }

    /// Makes `status` final: a signal no longer changes it. `None` takes that back.
    pub fn decide(&self, status: Option<u8>) {
        self.lock().decided = status;
    }

    /// The status that the run ends with, if that is decided. `None` if it is still open.
    pub fn decided(&self) -> Option<u8> {
        self.lock().decided
    }

    /// Returns whether the end was requested.
    pub fn is_wanted(&self) -> bool {
        self.lock().is_wanted
    }

    pub(super) fn watch(&self, stream: &Arc<TcpStream>) -> io::Result<()> {
        let mut stopping = self.lock();
        stopping.open.push(Arc::clone(stream));
        if stopping.is_wanted { Err(stopped()) } else { Ok(()) }
    }

    pub(super) fn forget(&self, stream: &Arc<TcpStream>) {
        self.lock().open.retain(|open| !Arc::ptr_eq(open, stream));
    }

    fn lock(&self) -> MutexGuard<'_, Stopping> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a first signal from ending this process; see [`Stop::shelter`].
#[derive(Debug)]
pub struct Shelter(Stop);

impl Drop for Shelter {
    fn drop(&mut self) {
        let mut stopping = self.0.lock();
        stopping.sheltered = stopping.sheltered.saturating_sub(1);
    }
}

pub(super) fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, Cancelled("interrupted".to_owned()))
}
