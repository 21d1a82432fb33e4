//! Output for a person, a script or an unattended run. Results go to standard output, messages to
//! standard error; away from a terminal, success is silent.

mod alike;
mod object;
mod step;

use std::cell::Cell;
use std::env;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde::Serialize;

pub use self::alike::{enumerated, without_numbers};
pub use self::object::ErrorObject;
use self::object::{FailureObject, MisuseObject};
pub use self::step::{Step, Stopwatch};
use crate::cli;
use crate::error::{Error, Exit, Failure};
use crate::hints;
use crate::limits;
use crate::net::Stop;
use crate::submit_frame::LineKind;
pub use crate::text::size;
use crate::text::{escaped, escaped_json, shown, without_password};
use crate::token::{self, Listener};
use crate::wire::{Trace, TraceEvent};

/// The output of a run, shared by everything that runs side by side.
#[derive(Debug)]
pub struct Report {
    quiet: bool,
    /// True unless the user gave --quiet, which a caller of sendmail does not.
    tells_what_waits: bool,
    verbose: u8,
    json: bool,
    /// True if standard output carries something other than results.
    is_stdout_taken: bool,
    /// True if standard output is a terminal.
    terminal: bool,
    /// True if colours are allowed (no-color.org).
    colour: bool,
    /// True if the terminal shows marks beyond ASCII; words are printed instead.
    has_marks: bool,
    start: Instant,
    bars: MultiProgress,
    /// True if progress bars are shown.
    has_bars: bool,
    turn: Mutex<()>,
    /// The output so far, where it is for another process to print.
    captured: Option<Mutex<Captured>>,
}

/// The output of a run that another process prints.
#[derive(Debug, Default)]
pub struct Captured {
    /// The lines for standard error.
    pub lines: Vec<(LineKind, String)>,
    /// The result for a person, if there is one.
    pub sentence: Option<String>,
    /// The result for a program, as JSON.
    pub object: Option<String>,
}

impl Report {
    /// A report as the global options ask for it.
    #[expect(clippy::disallowed_methods, reason = "a trace has times for people")]
    pub fn new(global: &cli::Global) -> Self {
        let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_bar_wanted =
            io::stderr().is_terminal() && !is_dumb && !global.quiet && global.verbose == 0;
        Self {
            quiet: global.quiet,
            tells_what_waits: !global.quiet || global.invoked_as == cli::InvokedAs::Sendmail,
            verbose: global.verbose,
            json: global.json,
            is_stdout_taken: false,
            terminal: io::stdout().is_terminal(),
            has_marks: !is_dumb && !is_ascii_locale(),
            colour: io::stdout().is_terminal()
                && !is_dumb
                && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            start: Instant::now(),
            has_bars: is_bar_wanted,
            bars: MultiProgress::with_draw_target(if is_bar_wanted {
                ProgressDrawTarget::stderr()
            } else {
                ProgressDrawTarget::hidden()
            }),
            turn: Mutex::new(()),
            captured: None,
        }
    }

    /// Returns a report that keeps its output for [`Self::captured`]. A trace is still printed.
    #[must_use]
    pub fn capturing(self) -> Self {
        Self { captured: Some(Mutex::default()), has_bars: false, terminal: false, ..self }
    }

    /// Takes the output so far; none if it is not kept.
    pub fn captured(&self) -> Captured {
        let take = |captured: &Mutex<Captured>| {
            std::mem::take(&mut *captured.lock().unwrap_or_else(PoisonError::into_inner))
        };
        self.captured.as_ref().map(take).unwrap_or_default()
    }

    /// Keeps output for another process. Returns false if it is printed here.
    fn capture(&self, keep: impl FnOnce(&mut Captured)) -> bool {
        let Some(captured) = &self.captured else { return false };
        keep(&mut captured.lock().unwrap_or_else(PoisonError::into_inner));
        true
    }

    fn capture_line(&self, kind: LineKind, line: &dyn fmt::Display) -> bool {
        self.capture(|captured| captured.lines.push((kind, line.to_string())))
    }

    /// Returns a report without results, where standard output is one direction of a conversation.
    #[must_use]
    pub fn without_results(self) -> Self {
        Self { is_stdout_taken: true, ..self }
    }

    /// Returns whether --verbose is given.
    pub fn is_verbose(&self) -> bool {
        self.verbose > 0
    }

    /// Returns whether standard error is not a terminal.
    pub fn is_unattended(&self) -> bool {
        !io::stderr().is_terminal()
    }

    /// Locks the output: while the guard lives, results of other threads wait.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a trace that prints the conversation; `None` without --verbose. `label` tells it
    /// from others.
    pub fn trace(&self, label: Option<&str>) -> Option<Trace> {
        if self.verbose == 0 {
            return None;
        }
        let start = (self.verbose > 1).then_some(self.start);
        let label = label.map(|label| format!("{label} ")).unwrap_or_default();
        let line = move |text: &dyn fmt::Display| {
            print_stderr(format_args!(
                "{}{label}{text}",
                start.as_ref().map(elapsed).unwrap_or_default()
            ));
        };
        Some(Box::new(move |said| match said {
            TraceEvent::Client(command) => line(&format_args!("C: {command:?}")),
            TraceEvent::Server(octets) => {
                line(&format_args!("S: {}", shown(&String::from_utf8_lossy(octets))));
            }
            TraceEvent::Octets(octets) => line(&format_args!("   ({octets} octets of message)")),
        }))
    }

    /// Returns the context for obtaining tokens in this run; `stop` ends it.
    pub fn token_run(&self, stop: &Stop) -> token::Run {
        token::Run::new(stop, self.listener())
    }

    /// Returns a listener for events beside the conversation; `None` without --verbose.
    fn listener(&self) -> Option<Listener> {
        if self.verbose == 0 {
            return None;
        }
        let start = (self.verbose > 1).then_some(self.start);
        Some(Arc::new(move |line: &dyn fmt::Display| {
            let line = shown(&line.to_string());
            print_stderr(format_args!("{}{line}", start.as_ref().map(elapsed).unwrap_or_default()));
        }))
    }

    /// Prints a detail below the conversation, with -vv only.
    pub fn detail(&self, line: impl fmt::Display) {
        if self.verbose > 1 {
            print_stderr(format_args!("{}{line}", elapsed(&self.start)));
        }
    }

    /// Starts a progress bar; it is shown at a terminal only.
    pub fn progress(&self, label: &str) -> Progress {
        let style = ProgressStyle::with_template(
            "{prefix} {wide_bar} {msg} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}",
        );
        let style = style.map(|it| if self.has_marks { it } else { it.progress_chars("#-") });
        let bar = ProgressBar::new(0).with_prefix(label.to_owned());
        // The template is a constant; should it be wrong, a plain bar will do.
        let bar = style.into_iter().fold(bar, ProgressBar::with_style);
        Progress { bar: self.bars.add(bar), messages: Cell::new(0), all: Cell::new(0) }
    }

    /// Shows the step under way, once it takes a second, until the result is dropped.
    pub fn slow_step(&self, what: impl fmt::Display) -> SlowStep {
        if !self.has_bars {
            return SlowStep(None);
        }
        let what = escaped(&what.to_string()).into_owned();
        let text = move |state: &ProgressState, output: &mut dyn fmt::Write| {
            if state.elapsed() >= limits::LONG_STEP {
                // Nothing depends on what is drawn.
                output.write_str(&what).unwrap_or_default();
            }
        };
        let style =
            ProgressStyle::with_template("{step}").map(|style| style.with_key("step", text));
        let Ok(style) = style else { return SlowStep(None) };
        let bar = self.bars.add(ProgressBar::new_spinner().with_style(style));
        bar.enable_steady_tick(limits::LONG_STEP / 4);
        SlowStep(Some(bar))
    }

    /// Prints a result: with --json the object, else the sentence if there is one and standard
    /// output is a terminal or --verbose is given.
    ///
    /// # Errors
    ///
    /// Returns an error if standard output cannot be written to.
    pub fn result<T: Serialize>(
        &self,
        sentence: Option<&str>,
        object: impl FnOnce() -> T,
    ) -> Result<(), Error> {
        if self.captured.is_some() {
            let object = object::line(&object());
            self.capture(|captured| {
                captured.sentence = sentence.map(str::to_owned);
                captured.object = Some(object);
            });
            return Ok(());
        }
        let is_wanted = (self.terminal || self.verbose > 0) && !self.quiet;
        self.bars.suspend(|| match sentence.filter(|_| is_wanted) {
            _ if self.is_stdout_taken => Ok(()),
            _ if self.json => self.object(&object()),
            Some(sentence) => self.answer(sentence),
            None => Ok(()),
        })
    }

    /// Prints several lines for copying, unless --json or --quiet is given.
    ///
    /// # Errors
    ///
    /// Returns an error if standard output cannot be written to.
    pub fn block(&self, text: &str) -> Result<(), Error> {
        if self.json || self.quiet {
            Ok(())
        } else {
            self.answer(format_args!("\n{}", text.trim_end()))
        }
    }

    /// Returns whether --quiet is given.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Returns whether --json is given.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints one line about a failure after which the rest goes on.
    pub fn warn(&self, line: impl fmt::Display) {
        if self.capture_line(LineKind::Error, &line) {
            return;
        }
        self.own_trouble(line);
    }

    /// Prints one line about a file of this user's, which is no concern of a caller for whom the output
    /// is kept: here in any case.
    pub fn own_trouble(&self, line: impl fmt::Display) {
        self.bars.suspend(|| print_stderr(format_args!("postie: {line}")));
    }

    /// Prints one line that requires no action, unless --quiet is given.
    pub fn info(&self, line: impl fmt::Display) {
        if !self.capture_line(LineKind::Info, &line) && !self.quiet {
            self.warn(line);
        }
    }

    /// Prints one line about a message that waits, unless the user gave --quiet: callers of sendmail
    /// get it.
    pub fn waits(&self, line: impl fmt::Display) {
        if !self.capture_line(LineKind::Info, &line) && self.tells_what_waits {
            self.warn(line);
        }
    }

    /// Prints one line about the failure that ended a job, and the hint if there is one.
    pub fn failure(&self, failure: &Failure<'_>) {
        self.warn(failure);
        self.advise(failure);
    }

    /// Reports a failure in words, and as a JSON object: the only result of a job that came to no
    /// other.
    pub fn sole_failure(&self, failure: &Failure<'_>) {
        self.failure(failure);
        let Failure { command, account, error, .. } = failure;
        let object = || {
            let error = ErrorObject::new((*error).into(), error);
            FailureObject { command, account: *account, error }
        };
        if let Err(error) = self.result(None, object) {
            self.warn(format_args!("{command}: {error}"));
        }
    }

    /// Prints the hint for a failure, if there is one and --quiet is not given.
    pub fn advise(&self, failure: &Failure<'_>) {
        self.hint(hints::of_failure(failure));
    }

    /// Prints a hint, if there is one and --quiet is not given.
    pub fn hint(&self, hint: Option<String>) {
        let Some(hint) = hint else { return };
        if !self.capture_line(LineKind::Hint, &hint) && !self.quiet {
            self.bars.suspend(|| print_stderr(format_args!("hint: {hint}")));
        }
    }

    /// Starts a stopwatch for the steps of a check or a run.
    #[expect(clippy::disallowed_methods, reason = "people want to know how long a step took")]
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Prints the heading of a checklist.
    ///
    /// # Errors
    ///
    /// Returns an error if standard output cannot be written to.
    pub fn heading(&self, title: impl fmt::Display) -> Result<(), Error> {
        if self.json || self.quiet {
            return Ok(());
        }
        let title = escaped(&title.to_string()).into_owned();
        print(&if self.colour { format!("\x1b[1m{title}\x1b[m") } else { title })
    }

    /// Prints a step of a check: a line, and its hint if there is one.
    ///
    /// # Errors
    ///
    /// Returns an error if standard output cannot be written to.
    pub fn step(&self, step: &Step) -> Result<(), Error> {
        let Step { name, is_good, text, hint, ms } = step;
        if self.json || self.quiet {
            return Ok(());
        }
        let (mark, colour) = match (is_good, hint) {
            (true, None) => ("ok", "32"),
            (true, Some(_)) => ("note", "33"),
            (false, _) => ("FAILED", "1;31"),
        };
        if self.terminal {
            let sign = match (self.has_marks, is_good) {
                (true, true) => "✓",
                (true, false) => "✗",
                (false, _) => mark,
            };
            let width = if self.has_marks { 1 } else { "FAILED".len() };
            let (on, dim, off) = if self.colour {
                (format!("\x1b[{colour}m"), "\x1b[2m", "\x1b[m")
            } else {
                (String::new(), "", "")
            };
            let text = escaped(text);
            print(&format!("  {on}{sign:<width$}{off} {name:<13} {text} {dim}({ms} ms){off}"))?;
            let Some(hint) = hint else { return Ok(()) };
            print(&format!("    {on}hint:{off} {}", escaped(hint)))
        } else {
            self.answer(format_args!("{mark} {name}: {text}"))?;
            let Some(hint) = hint else { return Ok(()) };
            self.answer(format_args!("hint: {hint}"))
        }
    }

    /// Prints a requested line to standard output, made safe to show.
    ///
    /// # Errors
    ///
    /// Returns an error if standard output cannot be written to.
    pub fn answer(&self, line: impl fmt::Display) -> Result<(), Error> {
        let line = line.to_string();
        print(&if self.json { escaped_json(&line) } else { escaped(&line) })
    }

    /// Prints an object for a program.
    ///
    /// # Errors
    ///
    /// Returns an error if standard output cannot be written to.
    pub fn object(&self, object: &impl Serialize) -> Result<(), Error> {
        print(&escaped_json(&object::line(object)))
    }

    /// Prints a line that the user has asked for and waits for, even with --quiet.
    pub fn say(&self, line: impl fmt::Display) {
        print_stderr(format_args!("{line}"));
    }

    /// Prints a line for a person at a terminal only.
    pub fn prompt(&self, line: impl fmt::Display) {
        if io::stdin().is_terminal() && io::stderr().is_terminal() && !self.quiet {
            print_stderr(format_args!("{line}"));
        }
    }
}

/// Returns whether the locale says that a terminal shows ASCII only. The first of the variables that
/// is set and not empty counts (POSIX, Environment Variables §8.2).
fn is_ascii_locale() -> bool {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    locale.is_some_and(|locale| locale == "C" || locale == "POSIX")
}

/// A step under way. Gone from the screen when dropped.
#[derive(Debug)]
pub struct SlowStep(Option<ProgressBar>);

impl Drop for SlowStep {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// A progress bar, removed from the screen when dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    messages: Cell<usize>,
    all: Cell<usize>,
}

impl Progress {
    /// Adds messages to the expected total.
    pub fn expect(&self, messages: usize) {
        self.all.update(|all| all + messages);
        self.show();
    }

    /// Adds octets to the expected total.
    pub fn expect_octets(&self, octets: u64) {
        self.bar.inc_length(octets);
    }

    /// The counter of octets that have arrived.
    pub fn octets(&self) -> Octets {
        Octets(self.bar.clone())
    }

    /// Counts a message that has arrived.
    pub fn message(&self) {
        self.messages.update(|messages| messages + 1);
        self.show();
    }

    fn show(&self) {
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{}/{}", self.messages.get(), self.all.get()));
        }
    }
}

/// The part of a [`Progress`] that counts octets.
#[derive(Debug)]
pub struct Octets(ProgressBar);

impl Octets {
    /// Adds octets that have arrived.
    pub fn add(&self, octets: u64) {
        self.0.inc(octets);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A line on standard output, which is safe to show.
fn print(line: &str) -> Result<(), Error> {
    written(writeln!(io::stdout(), "{line}"))
}

/// Standard output for octets that are a result: as they are, but made safe for a terminal.
pub fn output() -> Box<dyn Write> {
    if io::stdout().is_terminal() {
        Box::new(Screen { to: io::stdout(), line: Vec::new() })
    } else {
        Box::new(io::stdout().lock())
    }
}

/// Shows octets line by line.
struct Screen<W: Write> {
    to: W,
    line: Vec<u8>,
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        for line in octets.split_inclusive(|&octet| octet == b'\n') {
            self.line.extend_from_slice(line);
            if line.ends_with(b"\n") || self.line.len() > limits::BUFFER {
                self.flush()?;
            }
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line).replace("\r\n", "\n").replace('\t', "    ");
        self.to.write_all(escaped(&text).as_bytes())?;
        self.to.flush()
    }
}

/// Maps the outcome of writing a result. A reader that closed the pipe has read enough, which is no
/// failure.
pub fn written<T: Default>(written: io::Result<T>) -> Result<T, Error> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(T::default()),
        other => other.map_err(|source| Error::Stdio { doing: "cannot write the result", source }),
    }
}

/// Seconds since then, in front of a line.
fn elapsed(start: &Instant) -> String {
    format!("{:9.3} ", start.elapsed().as_secs_f64())
}

/// Prints clap's message about the command line in one line, and the nearest valid word.
pub fn usage(text: &str) {
    usage_error(text);
    for paragraph in text.split("\n\n").skip(1) {
        if let Some(tip) = words(paragraph).strip_prefix("tip: ") {
            match tip.split_once(" exists: ") {
                Some((_, nearest)) => print_stderr(format_args!("hint: did you mean {nearest}?")),
                None => print_stderr(format_args!("hint: {tip}")),
            }
        }
    }
}

/// Prints one line about a wrong command line.
pub fn usage_error(text: &str) {
    print_stderr(format_args!("postie: {} (see --help)", problem(text)));
}

/// Prints the JSON object for a wrong command line.
pub fn misuse_object(text: &str) {
    let object = MisuseObject { error: ErrorObject::new(Exit::Usage, problem(text)) };
    // Standard error has the same.
    drop(print(&escaped_json(&object::line(&object))));
}

/// What is wrong with a command line, in one line: of clap's text the first paragraph, in our words.
fn problem(text: &str) -> String {
    let line = words(text.split("\n\n").next().unwrap_or_default());
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    line.replace("unrecognized subcommand", "there is no command")
}

/// A paragraph in one line, bounded: arguments in it may have any length, and the cause stands at its
/// end.
fn words(paragraph: &str) -> String {
    const HEAD: usize = 80;
    let words = paragraph.split_whitespace().map(without_password);
    let line = words.collect::<Vec<_>>().join(" ");
    let length = line.chars().count();
    if length <= limits::SHOWN {
        return line;
    }
    let head: String = line.chars().take(HEAD).collect();
    let tail: String = line.chars().skip(length - (limits::SHOWN - HEAD)).collect();
    format!("{head}…{tail}")
}

/// Returns a number with its noun: `1 message`, `2 messages`.
pub fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Returns a length of time in the largest unit of which there are two at least, rounded down: `90s`,
/// `3h`.
pub fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(24 * 60 * 60, "d"), (60 * 60, "h"), (60, "m")];
    match UNITS.iter().find(|(unit, _)| seconds >= 2 * unit) {
        Some((unit, name)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

/// Prints a line to standard error. A failure is ignored: there is nowhere left to report it.
fn print_stderr(line: fmt::Arguments<'_>) {
    // In one write, lest a line of another process come in between.
    // A line end in a path or an argument does not begin another one.
    let line = line.to_string().replace('\n', "\\u{a}");
    drop(io::stderr().write_all(format!("{}\n", escaped(&line)).as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_on_a_screen_are_text_in_lines() {
        let mut shown = Vec::new();
        let mut screen = Screen { to: &mut shown, line: Vec::new() };
        for octets in [b"To: a\x1b[2J\r".as_slice(), b"\nx\xe2\x80", b"\xaey\xff\tz"] {
            screen.write_all(octets).unwrap();
        }
        screen.flush().unwrap();
        let text = String::from_utf8(shown).unwrap();
        assert_eq!(text, "To: a\\u{1b}[2J\nx\\u{202e}y\u{fffd}    z");
    }

    #[test]
    fn sizes_and_numbers_read_well() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1_999), "1.9 kB");
        assert_eq!(size(2_500_000_000), "2.5 GB");
        assert_eq!(count(1, "message"), "1 message");
        assert_eq!(count(0, "message"), "0 messages");
        assert_eq!(
            (span(119), span(120), span(7_199)),
            ("119s".into(), "2m".into(), "119m".into())
        );
        assert_eq!((span(47 * 3600), span(48 * 3600)), ("47h".into(), "2d".into()));
    }
}
