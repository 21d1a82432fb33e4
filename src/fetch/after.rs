//! `after-fetch`: the command that is run once after a fetch that delivered new messages.

use std::io;
use std::time::Duration;

use crate::config::CommandLine;
use crate::error::Error;
use crate::program;
use crate::text::plain;

/// Runs the command, and ends it after `bound`. What it prints goes to standard error.
pub(super) fn run(line: &CommandLine, bound: Duration) -> Result<(), Error> {
    let failed = |reason| Error::AfterFetch { reason };
    let ended = program::run(line.command().stdout(io::stderr()), bound);
    match ended.map_err(|error| failed(plain(&error)))? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(failed(status.to_string())),
        None => Err(failed(format!("it had not ended after {} s", bound.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_does_not_end_in_time_is_ended_and_has_failed() {
        let run = |line: &str| {
            let line = CommandLine::shell(line);
            run(&line, Duration::from_millis(300)).map_err(|error| error.to_string())
        };
        assert_eq!(run("exit 0"), Ok(()));
        let slow = run("sleep 60").unwrap_err();
        assert!(slow.contains("it had not ended after"), "{slow}");
    }
}
