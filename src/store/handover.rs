//! A program takes a message on its standard input and says by its exit status whether it has it.

use std::fs::File;
use std::io;
use std::process::{Command, Stdio};

use super::{Draft, Error};
use crate::limits;
use crate::program;

/// Runs the program with the message; why it did not take it, if it did not.
pub(super) fn run(words: &[String], draft: &mut Draft) -> Result<Result<(), String>, Error> {
    let path = draft.path();
    draft.close().map_err(|error| Error::io("write", &path, error))?;
    let message = File::open(&path).map_err(|error| Error::io("read back", &path, error))?;
    let (program, arguments) =
        words.split_first().map_or(("", words), |(first, rest)| (first, rest));
    let failed = |source| Error::Program { program: program.to_owned(), source };
    let mut command = Command::new(program);
    // Standard output is for results.
    command.args(arguments).stdin(message).stdout(talk().map_err(failed)?);
    Ok(match program::run(&mut command, limits::DELIVERY).map_err(failed)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("{program} did not take it ({status})")),
        None => Err(format!("{program} had not taken it after {} s", limits::DELIVERY.as_secs())),
    })
}

/// Standard error, for a program whose output is talk.
fn talk() -> io::Result<Stdio> {
    use std::os::fd::AsFd as _;
    Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
}
