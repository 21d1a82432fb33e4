//! The way to the submission service of this machine: the connection to its socket, and its greeting.

use std::io::{self, BufReader};
use std::os::unix::fs::FileTypeExt as _;

use crate::error::Error;
use crate::limits;
use crate::net::Bounds;
use crate::net::local::{LocalStream, with_pauses};
use crate::ownership;
use crate::settings::ServiceJob;
use crate::submit_frame::{Error as FrameError, Greeting, HandInError};

/// Connects and reads the greeting. A service that is busy, or whose supervisor closes connections in
/// its place, is asked again for one time-out.
///
/// # Errors
///
/// Returns an error if nothing greets at the socket, or others may put one there.
pub fn connect(job: &ServiceJob) -> Result<BufReader<LocalStream>, Error> {
    let failed = |error| Error::Service { socket: job.socket.clone(), error };
    // Another user who could put a socket of his own there would get the mail.
    if job.socket.exists() {
        ownership::check_socket(&job.socket)?;
    }
    if job.socket.metadata().is_ok_and(|found| !found.file_type().is_socket()) {
        return Err(failed(HandInError::NotASocket));
    }
    let bounds = Bounds { per_wait: job.timeout, in_all: Some(limits::SUBMIT_TIME) };
    let attempt = || {
        let stream = match LocalStream::connect(&job.socket, bounds) {
            Ok(stream) => stream,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Some(Err(HandInError::Busy));
            }
            Err(error) => return Some(Err(HandInError::NoService(error))),
        };
        let mut stream = BufReader::new(stream);
        match Greeting::read(&mut stream) {
            Ok(Greeting::Ready) => Some(Ok(stream)),
            Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
                Some(Err(HandInError::NotTaken(FrameError::Io(error))))
            }
            Ok(Greeting::Busy) | Err(FrameError::Cut | FrameError::Io(_)) => None,
            Err(error) => Some(Err(HandInError::Protocol(error))),
        }
    };
    let greeted = with_pauses(job.timeout, attempt).unwrap_or(Err(HandInError::Busy));
    greeted.map_err(failed)
}
