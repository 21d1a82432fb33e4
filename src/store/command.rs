//! The delivery of one message to a program, on its standard input; exit status 0 accepts it.

use std::fs::File;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Draft, Error};
use crate::program;

/// Runs the program with the message, and ends it after `bound`; why it did not take the message, if it
/// did not.
pub(super) fn run(
    words: &[String],
    draft: &mut Draft,
    bound: Duration,
) -> Result<Result<(), String>, Error> {
    let path = draft.path();
    draft.close().map_err(|error| Error::io("write", &path, error))?;
    let message = File::open(&path).map_err(|error| Error::io("read back", &path, error))?;
    let (program, arguments) =
        words.split_first().map_or(("", words), |(first, rest)| (first, rest));
    let failed = |source| Error::Program { program: program.to_owned(), source };
    let mut command = Command::new(program);
    // Standard output is for results.
    command.args(arguments).stdin(message).stdout(talk().map_err(failed)?);
    Ok(match program::run(&mut command, bound).map_err(failed)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("{program} refused it ({status})")),
        None => Err(format!("{program} did not finish within {} s", bound.as_secs())),
    })
}

/// Standard error, for a program whose output is talk.
fn talk() -> io::Result<Stdio> {
    use std::os::fd::AsFd as _;
    Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use super::*;
    use crate::run_id::RunId;
    use crate::store::Maildir;
    use crate::store::disk::Os;

    #[test]
    fn a_program_that_does_not_take_a_message_in_time_is_ended_and_has_not_taken_it() {
        let dir = tempfile::tempdir().unwrap();
        let run_id = RunId { seconds: 1, pid: 1, host: "here".to_owned(), random: 1, fraction: 0 };
        let maildir = Maildir::open(Arc::new(Os), dir.path(), run_id, "ann").unwrap();
        let hand_over = |line: &str| {
            let words = ["sh", "-c", line].map(str::to_owned);
            let mut draft = maildir.draft();
            draft.write_all(b"Subject: hello\n").unwrap();
            run(&words, &mut draft, Duration::from_millis(300)).unwrap()
        };
        let slow = hand_over("cat; sleep 60").unwrap_err();
        assert!(slow.starts_with("sh did not finish within"), "{slow}");
        let refused = hand_over("exit 75").unwrap_err();
        assert!(refused.starts_with("sh refused it"), "{refused}");
    }
}
