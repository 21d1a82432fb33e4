//! What a person, a script or nobody gets to see. Results go to standard output, talk to standard
//! error; away from a terminal, success is silent.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};

use crate::cli;
use crate::error::{Error, Exit, Failure};
use crate::text::shown;
use crate::wire::{Said, Trace};

/// How this run talks.
#[derive(Debug)]
pub struct Report {
    quiet: bool,
    verbose: bool,
    json: bool,
    terminal: bool,
}

impl Report {
    /// As the command line wants it.
    pub fn new(global: &cli::Global) -> Self {
        Self {
            quiet: global.quiet,
            verbose: global.verbose > 0,
            json: global.json,
            terminal: io::stdout().is_terminal(),
        }
    }

    /// Somebody to listen in on the conversation, if that is wanted.
    pub fn trace(&self) -> Option<Trace> {
        self.verbose.then(|| -> Trace {
            Box::new(|said| match said {
                Said::Client(command) => talk(format_args!("C: {command:?}")),
                Said::Server(line) => {
                    talk(format_args!("S: {}", shown(&String::from_utf8_lossy(line))));
                }
                Said::Octets(octets) => talk(format_args!("   ({octets} octets of message)")),
            })
        })
    }

    /// A result: a sentence for a person if there is one to be said, an object for a program,
    /// nothing for nobody.
    pub fn result(&self, sentence: Option<&str>, object: &Value) -> Result<(), Error> {
        let is_wanted = (self.terminal || self.verbose) && !self.quiet;
        let written = match sentence.filter(|_| is_wanted) {
            _ if self.json => writeln!(io::stdout(), "{object}"),
            Some(sentence) => writeln!(io::stdout(), "{sentence}"),
            None => Ok(()),
        };
        match written {
            // Whoever reads has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => {
                other.map_err(|source| Error::Stdio { doing: "cannot write the result", source })
            }
        }
    }

    /// One line about something that failed while the rest went on.
    pub fn complaint(&self, line: impl fmt::Display) {
        talk(format_args!("postie: {line}"));
    }

    /// One line about what ended a job, and perhaps one of advice.
    pub fn failure(&self, failure: &Failure<'_>) {
        talk(format_args!("postie: {failure}"));
        if let Some(hint) = failure.error.hint() {
            talk(format_args!("hint: {hint}"));
        }
    }

    /// Something that only a person at the keyboard needs to know.
    pub fn prompt(&self, line: impl fmt::Display) {
        if io::stdin().is_terminal() && io::stderr().is_terminal() && !self.quiet {
            talk(format_args!("{line}"));
        }
    }
}

/// What clap has to say about the command line, in one line, and what was probably meant.
pub fn usage(text: &str) {
    for paragraph in text.split("\n\n") {
        let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(error) = words.strip_prefix("error: ") {
            talk(format_args!("postie: {error} (see --help)"));
        } else if let Some(tip) = words.strip_prefix("tip: ") {
            talk(format_args!("hint: {tip}"));
        }
    }
}

/// An error as programs get it.
pub fn error_object(exit: Exit, message: impl fmt::Display) -> Value {
    json!({ "kind": exit.word(), "status": exit.status(), "message": message.to_string() })
}

/// Octets for people.
pub fn size(octets: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.iter().find(|(unit, _)| octets >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", octets / unit, octets % unit * 10 / unit),
        None => format!("{octets} B"),
    }
}

/// A number of things.
pub fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Standard error is the last resort: if it cannot be written to, nobody can be told.
fn talk(line: fmt::Arguments<'_>) {
    drop(writeln!(io::stderr(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_numbers_read_well() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1_999), "1.9 kB");
        assert_eq!(size(2_500_000_000), "2.5 GB");
        assert_eq!(count(1, "message"), "1 message");
        assert_eq!(count(0, "message"), "0 messages");
    }
}
