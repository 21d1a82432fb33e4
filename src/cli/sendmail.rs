//! The command line of sendmail(8), which programs have spoken for forty years. Called by that name
//! the program understands these words alone: what a caller passes on may come from a stranger, so
//! no word of it can run a command, read a file or name a server. `postie send` takes them among its
//! own. Single-letter options only; each is honoured, ignored or refused.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use clap::{Arg, Args as _};

use super::{Global, InvokedAs, Send};
use crate::text::shown;

/// The result of parsing a command line.
#[derive(Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Words for [`Args`](super::Args), the program's name first, and the name that it was called by.
    Args(InvokedAs, Vec<OsString>),
    /// Words for `send`, whose messages come by SMTP on standard input (`-bs`).
    Smtp(InvokedAs, Vec<OsString>),
    /// `-bi`: to compile the aliases, perhaps by a configuration file that is named (`-C`).
    Aliases(Option<PathBuf>),
    /// Words that cannot be honoured, and why.
    Refused(String),
}

/// Reads a whole command line, the program's name first. One that has nothing of sendmail's comes
/// out as it was.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Invocation {
    let mut words: Vec<OsString> = words.into_iter().collect();
    if let (InvokedAs::Sendmail, mode) = by_name(&words) {
        let mut parser = Parser::new(InvokedAs::Sendmail);
        let parsed = parser.sendmail(words.split_off(1));
        parser.mode = mode.or(parser.mode);
        return parser.invocation(parsed);
    }
    // The other commands, with all their texts, are not put together for this.
    let global = Global::augment_args(clap::Command::new("postie"));
    let Some(behind) = behind_send(&global, &words) else {
        return Invocation::Args(InvokedAs::Postie, words);
    };
    // The options for every command, and `--help`, are its own, too.
    let send = clap::Command::new("send").args(global.get_arguments().cloned());
    let mut send = Send::augment_args(send);
    send.build();
    let mut parser = Parser::new(InvokedAs::Postie);
    let rest = words.split_off(behind);
    parser.global = words;
    let parsed = parser.postie(&send, rest);
    parser.invocation(parsed)
}

/// Returns the name that the program was called by, from a command line with that name first.
pub fn invoked_as(words: &[OsString]) -> InvokedAs {
    by_name(words).0
}

/// Returns that name, and the mode that a name of sendmail's stands for, with any words behind it.
fn by_name(words: &[OsString]) -> (InvokedAs, Option<Mode>) {
    let name = words.first().and_then(|program| Path::new(program).file_name());
    match name.and_then(OsStr::to_str) {
        Some("sendmail") => (InvokedAs::Sendmail, None),
        Some("mailq") => (InvokedAs::Sendmail, Some(Mode::List)),
        Some("newaliases") => (InvokedAs::Sendmail, Some(Mode::Aliases)),
        _ => (InvokedAs::Postie, None),
    }
}

/// Returns the position behind the word `send`; options for every command may stand before it.
/// `None` if another command is given.
fn behind_send(command: &clap::Command, words: &[OsString]) -> Option<usize> {
    let mut words = words.iter().enumerate().skip(1);
    while let Some((at, word)) = words.next() {
        match Word::of(word) {
            Word::Plain => return (word == "send").then_some(at + 1),
            Word::End => return None,
            Word::Long if wants_value(command, word) => drop(words.next()),
            Word::Long => {}
            Word::Letters(letters) => {
                let valued = letters.iter().position(|&letter| takes_value(short(command, letter)));
                if valued.is_some_and(|place| place + 1 == letters.len()) {
                    words.next();
                }
            }
        }
    }
    None
}

/// The option that is called by a letter.
fn short(command: &clap::Command, letter: u8) -> Option<&Arg> {
    command.get_arguments().find(|arg| arg.get_short() == Some(char::from(letter)))
}

fn takes_value(arg: Option<&Arg>) -> bool {
    arg.is_some_and(|arg| arg.get_action().takes_values())
}

/// Returns whether a long option has its value in the next word.
fn wants_value(command: &clap::Command, word: &OsStr) -> bool {
    let name = word.to_str().and_then(|word| word.strip_prefix("--"));
    takes_value(command.get_arguments().find(|arg| name.is_some() && arg.get_long() == name))
}

/// A word of a command line, by its first octets.
enum Word<'a> {
    /// A word that is no option; a lone dash is none either.
    Plain,
    /// `--`: no options follow.
    End,
    /// `--name`.
    Long,
    /// `-abc`, without its dash.
    Letters(&'a [u8]),
}

impl<'a> Word<'a> {
    fn of(word: &'a OsStr) -> Self {
        match word.as_bytes() {
            b"--" => Self::End,
            [b'-', b'-', ..] => Self::Long,
            [b'-', letters @ ..] if !letters.is_empty() => Self::Letters(letters),
            _ => Self::Plain,
        }
    }
}

/// A mode of sendmail other than sending a message.
enum Mode {
    /// `-bp`: to list the outbox.
    List,
    /// `-q`: to send what is due. How often, and which of them, is for a daemon to know.
    Flush,
    /// `-bi`: to compile aliases.
    Aliases,
    /// `-bs`: to speak SMTP.
    Smtp,
}

impl Mode {
    /// The word for a mode that reads no message; `None` if it reads them.
    fn without_message(&self) -> Option<&'static str> {
        match self {
            Self::List => Some("-bp"),
            Self::Flush => Some("-q"),
            Self::Aliases => Some("-bi"),
            Self::Smtp => None,
        }
    }
}

/// The words understood so far.
struct Parser {
    invoked_as: InvokedAs,
    /// Words before those of `send`.
    global: Vec<OsString>,
    options: Vec<OsString>,
    /// The words that are no options, wherever they stand.
    recipients: Vec<OsString>,
    mode: Option<Mode>,
    /// True if one of sendmail's own options was given.
    is_sendmail: bool,
}

impl Parser {
    fn new(invoked_as: InvokedAs) -> Self {
        Self {
            invoked_as,
            global: vec![OsString::from("postie")],
            options: Vec::new(),
            recipients: Vec::new(),
            mode: None,
            is_sendmail: invoked_as == InvokedAs::Sendmail,
        }
    }

    /// Parses the words behind `sendmail`. None of them reaches [`Args`](super::Args) as an option:
    /// those are made here, and everything else stands behind `--`.
    fn sendmail(&mut self, words: Vec<OsString>) -> Result<(), String> {
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match Word::of(&word) {
                Word::Plain => self.recipients.push(word),
                Word::End => self.recipients.extend(words.by_ref()),
                Word::Long => {
                    let word = shown(&word.to_string_lossy());
                    return Err(format!(
                        "{word}: under the name sendmail there are no such options; use `postie send`"
                    ));
                }
                Word::Letters(letters) => self.letters(letters, &mut words)?,
            }
        }
        Ok(())
    }

    /// Reads the words behind `send`: its own options stay as they are.
    fn postie(&mut self, send: &clap::Command, words: Vec<OsString>) -> Result<(), String> {
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            match Word::of(&word) {
                Word::Plain => self.options.push(word),
                Word::End => {
                    self.recipients.extend(words.by_ref());
                }
                Word::Long => {
                    let value = if wants_value(send, &word) { words.next() } else { None };
                    let takes_more = word == ATTACH && value.is_some();
                    self.options.push(word);
                    self.options.extend(value);
                    while let Some(file) = words.next_if(|word| takes_more && is_attachment(word)) {
                        self.options.extend([OsString::from(ATTACH), file]);
                    }
                }
                Word::Letters(letters) => {
                    let own = letters.iter().take_while(|&&letter| {
                        short(send, letter).is_some_and(|arg| !arg.get_action().takes_values())
                    });
                    let (flags, rest) = letters.split_at(own.count());
                    self.options.extend(flags.iter().map(|&flag| option(flag)));
                    match rest {
                        [] => {}
                        [letter, value @ ..] if takes_value(short(send, *letter)) => {
                            let value = match value {
                                [] => words.next(),
                                value => Some(OsString::from_vec(value.to_vec())),
                            };
                            self.options.push(option(*letter));
                            self.options.extend(value);
                        }
                        rest => {
                            self.is_sendmail = true;
                            self.letters(rest, &mut words)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads a word of sendmail's single-letter options, and the next word if it is the value of
    /// the last of them.
    fn letters(
        &mut self,
        letters: &[u8],
        words: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), String> {
        let mut letters = letters.iter();
        while let Some(&letter) = letters.next() {
            let attached = letters.as_slice();
            let mut value = || match attached {
                [] => words.next().ok_or_else(|| format!("-{} needs a value", char::from(letter))),
                _ => Ok(OsString::from_vec(attached.to_vec())),
            };
            match letter {
                b't' | b'v' => {
                    self.options.push(option(letter));
                    continue;
                }
                // To its end, alone or not, is how input is read; the others are settings of
                // daemons, header rewriting and user interfaces that do not exist here.
                b'i' | b'm' | b'n' | b'U' | b'G' => continue,
                // The option and its value are one word: what follows may be a recipient.
                b'o' | b'd' => {}
                b'f' | b'r' => self.sender(&value()?),
                // Names come in the machine's encoding.
                b'F' => self.option("--full-name", value()?.to_string_lossy().as_ref().as_ref()),
                b'C' => self.option("--config", &value()?),
                b'N' => self.option("--dsn-notify", &value()?),
                b'R' => self.option("--dsn-return", &value()?),
                // `-em`, `-eq` and others say how errors are reported.
                b'A' | b'B' | b'e' | b'h' | b'L' | b'O' | b'p' | b'V' | b'X' => drop(value()?),
                b'b' => self.mode(attached)?,
                // An address may begin like them.
                b'I' | b'q' if attached.contains(&b'@') => {
                    let word = String::from_utf8_lossy(attached);
                    let (letter, word) = (char::from(letter), shown(&word));
                    return Err(format!("-{letter}{word}: an address goes behind `--`"));
                }
                b'I' => self.mode = Some(Mode::Aliases),
                b'q' => self.mode = Some(Mode::Flush),
                _ => {
                    // mail(1) has it; a caller of sendmail cannot use what would be named.
                    let meant = match (letter, self.invoked_as) {
                        (b's', InvokedAs::Postie) => ": the subject is --subject",
                        _ => "",
                    };
                    let letter = char::from(letter).escape_default();
                    return Err(format!("-{letter} is not an option here{meant}"));
                }
            }
            return Ok(());
        }
        Ok(())
    }

    /// The sender's address. A local one is the account's; without any (`<>` or nothing) the message
    /// is one that must not be answered (RFC 5321 §4.5.5).
    fn sender(&mut self, from: &OsStr) {
        let text = from.as_bytes().trim_ascii();
        if text.is_empty() || text == b"<>" {
            self.option("--from", OsStr::new("<>"));
        } else if text.contains(&b'@') {
            self.option("--from", from);
        }
    }

    fn mode(&mut self, mode: &[u8]) -> Result<(), String> {
        match mode {
            b"m" => {}
            b"p" => self.mode = Some(Mode::List),
            b"i" => self.mode = Some(Mode::Aliases),
            b"s" => self.mode = Some(Mode::Smtp),
            mode => {
                let why = match mode {
                    b"d" | b"D" => "this program does not run as a daemon",
                    _ if self.invoked_as == InvokedAs::Postie => {
                        "unknown mode; blind copies are --bcc"
                    }
                    _ => "unknown mode",
                };
                return Err(format!("-b{}: {why}", mode.escape_ascii()));
            }
        }
        Ok(())
    }

    fn option(&mut self, name: &str, value: &OsStr) {
        let mut option = OsString::from(name);
        option.push("=");
        option.push(value);
        self.options.push(option);
    }

    /// Returns the command line that the words mean, once all of them are parsed.
    fn invocation(self, parsed: Result<(), String>) -> Invocation {
        if let Err(why) = parsed {
            return Invocation::Refused(why);
        }
        // A message, or a word of it, is not dropped because another word asks for something else.
        let is_for_message = !self.recipients.is_empty() || self.options.contains(&option(b't'));
        if is_for_message && let Some(word) = self.mode.as_ref().and_then(Mode::without_message) {
            return Invocation::Refused(format!("{word} takes no recipients"));
        }
        let mut words = self.global;
        let is_smtp = matches!(self.mode, Some(Mode::Smtp));
        let command: &[&str] = match self.mode {
            Some(Mode::Aliases) => {
                let config = |word: &OsString| {
                    let path = word.as_bytes().strip_prefix(b"--config=")?;
                    Some(PathBuf::from(OsStr::from_bytes(path)))
                };
                return Invocation::Aliases(self.options.iter().filter_map(config).next_back());
            }
            Some(Mode::List) => &["queue"],
            Some(Mode::Flush) => &["queue", "flush"],
            Some(Mode::Smtp) => &["send"],
            None if self.invoked_as == InvokedAs::Sendmail => &["send"],
            // It is the last of the words before these.
            None => &[],
        };
        if self.mode.is_some() && self.invoked_as == InvokedAs::Postie {
            words.pop();
        }
        words.extend(command.iter().map(OsString::from));
        if self.is_sendmail {
            // Callers of sendmail expect nothing but errors, and those in one line.
            words.push(OsString::from("--quiet"));
        }
        if self.mode.is_some() {
            // What was said of a message means nothing to the outbox.
            let is_global = |word: &&OsString| *word == "-v" || starts_with(word, "--config=");
            words.extend(self.options.iter().filter(is_global).cloned());
        } else {
            words.extend(self.options);
            if !self.recipients.is_empty() {
                words.push(OsString::from("--"));
                words.extend(self.recipients);
            }
        }
        if is_smtp {
            return Invocation::Smtp(self.invoked_as, words);
        }
        Invocation::Args(self.invoked_as, words)
    }
}

/// The option that takes further words, as a shell makes them of `*.jpg`.
const ATTACH: &str = "--attach";

/// Returns whether a word behind a file to attach is a further file, and no recipient.
fn is_attachment(word: &OsStr) -> bool {
    matches!(Word::of(word), Word::Plain)
        && !word.as_bytes().contains(&b'@')
        && Path::new(word).is_file()
}

/// A single-letter option as a word.
fn option(letter: u8) -> OsString {
    OsString::from_vec(vec![b'-', letter])
}

fn starts_with(word: &OsStr, start: &str) -> bool {
    word.as_bytes().starts_with(start.as_bytes())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::Args;
    use super::*;

    fn read(line: &str) -> Invocation {
        parse(line.split(' ').map(OsString::from))
    }

    fn args(line: &str) -> String {
        let Invocation::Args(_, args) = read(line) else { panic!("{line}: {:?}", read(line)) };
        args.iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn sendmails_words_become_ours() {
        for (line, expected) in [
            ("sendmail a@x", "-- a@x"),
            ("/usr/sbin/sendmail -ti", "-t"),
            ("sendmail -it", "-t"),
            ("sendmail -oem simon", "-- simon"),
            ("sendmail -o simon", "-- simon"),
            ("sendmail -em -e q simon", "-- simon"),
            ("sendmail -oi -odb -oQ/var/q -or0s -o7 x", "-- x"),
            ("sendmail -f a@x -r b@x -fc@x x", "--from=a@x --from=b@x --from=c@x -- x"),
            ("sendmail -f root x", "-- x"),
            ("sendmail -f <> x", "--from=<> -- x"),
            ("sendmail -f  x", "--from=<> -- x"),
            ("sendmail -f <a@b> x", "--from=<a@b> -- x"),
            ("sendmail -FCronDaemon -F Cron x", "--full-name=CronDaemon --full-name=Cron -- x"),
            ("sendmail -B8BITMIME -B 7BIT -V id -L tag -X log -h 3 -O k=v x", "-- x"),
            ("sendmail -N never -Rhdrs x", "--dsn-notify=never --dsn-return=hdrs -- x"),
            ("sendmail -Am -A c -G -U -m -n -d0.1 -p x y", "-- y"),
            ("sendmail -bm -v -- -t --to=x", "-v -- -t --to=x"),
            ("sendmail -C file x", "--config=file -- x"),
            ("sendmail -F --body=x -f --to=a@b x", "--full-name=--body=x --from=--to=a@b -- x"),
        ] {
            assert_eq!(args(line), format!("postie send --quiet {expected}"), "{line}");
        }
        for (line, expected) in [
            (
                "postie send -a work -oi -oem -f a@x -N never -- x",
                "postie send --quiet -a work -f a@x -N never -- x",
            ),
            ("postie send -qi -c file x", "postie send --quiet -q -c file x"),
            ("postie send -q -oi -C file x", "postie send --quiet -q --config=file x"),
            (
                "postie send -tifa@x --subject -oi x",
                "postie send --quiet -t --from=a@x --subject -oi x",
            ),
        ] {
            assert_eq!(args(line), expected, "{line}");
        }
    }

    #[test]
    fn under_the_name_sendmail_no_word_is_an_option_of_ours() {
        let send = Args::command();
        let send = send.find_subcommand("send").unwrap();
        for name in send.get_arguments().filter_map(Arg::get_long).chain(["help", "version", "x"]) {
            for line in [
                format!("sendmail --{name}"),
                format!("sendmail --{name}=x -t"),
                format!("sendmail -t a@x --{name}"),
                format!("sendmail -bi --{name}"),
                format!("sendmail -bp --{name}"),
            ] {
                let Invocation::Refused(why) = read(&line) else { panic!("{line}") };
                assert!(why.contains(&format!("--{name}")), "{why}");
            }
        }
        let octets = OsString::from_vec(b"--attach=\xff".to_vec());
        let words = [OsString::from("sendmail"), octets];
        assert!(matches!(parse(words), Invocation::Refused(_)));
        for letter in ["-a", "-c", "-f", "-F", "-N"] {
            assert!(matches!(read(&format!("sendmail {letter}")), Invocation::Refused(_)));
        }
    }

    #[test]
    fn every_option_for_every_command_may_stand_before_send() {
        for arg in Args::command().get_arguments() {
            let value = if takes_value(Some(arg)) { " send" } else { "" };
            let attached = if takes_value(Some(arg)) { "send" } else { "" };
            let mut forms = Vec::new();
            if let Some(letter) = arg.get_short() {
                let last = if value.is_empty() { "v" } else { "" };
                forms.push(format!("-{letter}{value}"));
                forms.push(format!("-{letter}{attached}"));
                forms.push(format!("-q{letter}{last}{value}"));
            }
            if let Some(long) = arg.get_long() {
                forms.push(format!("--{long}{value}"));
                forms
                    .push(format!("--{long}{}{attached}", if value.is_empty() { "" } else { "=" }));
            }
            for form in forms {
                let found = args(&format!("postie {form} -v send -oi x"));
                assert_eq!(found, format!("postie {form} -v send --quiet x"));
                let found = args(&format!("postie send {form} -oi x"));
                assert!(found.starts_with("postie send --quiet -"), "{found}");
                assert!(found.ends_with(" x") && !found.contains("-oi"), "{found}");
            }
        }
    }

    #[test]
    fn our_own_words_stay_as_they_are() {
        for line in [
            "postie",
            "postie fetch -q -oi",
            "postie -c send fetch -oi",
            "postie send -a work -c file -f a@x -F name -h",
            "postie send -q -v -t --to a@x -",
            "postie send --subject=-oi -- -i",
        ] {
            assert_eq!(args(line), line);
        }
        let split = "postie send -a work -q -F name -h";
        assert_eq!(args("postie send -awork -qFname -h"), split);
    }

    #[test]
    fn smtp_is_spoken_when_it_is_asked_for_and_no_other_word_counts() {
        for line in [
            "sendmail -bs",
            "sendmail -t -i -bs bob@x",
            "sendmail -bs -em",
            "sendmail -bs -f a@x --",
            "postie send -bs",
        ] {
            let Invocation::Smtp(_, words) = read(line) else { panic!("{line}") };
            assert_eq!(words.join(OsStr::new(" ")), "postie send --quiet", "{line}");
        }
    }

    #[test]
    fn what_speaks_of_the_queue_is_for_the_outbox() {
        assert_eq!(args("sendmail -bp"), "postie queue --quiet");
        assert_eq!(args("/usr/bin/mailq"), "postie queue --quiet");
        assert_eq!(args("mailq -v -Ac"), "postie queue --quiet -v");
        assert_eq!(args("sendmail -C file -v -bp"), "postie queue --quiet --config=file -v");
        for line in ["sendmail -q", "sendmail -q30m", "sendmail -qRhost", "sendmail -i -q"] {
            assert_eq!(args(line), "postie queue flush --quiet");
        }
    }

    #[test]
    fn no_message_is_dropped_because_a_word_speaks_of_the_queue() {
        for (line, why) in [
            ("sendmail -q -t", "-q takes no recipients"),
            ("sendmail -bm -q30m root", "-q takes no recipients"),
            ("sendmail -bp a@x", "-bp takes no recipients"),
            ("mailq -- a@x", "-bp takes no recipients"),
            ("sendmail -i -I a@x", "-bi takes no recipients"),
            ("postie send -bp -t", "-bp takes no recipients"),
            ("sendmail -i -q@x.example", "-q@x.example: an address goes behind `--`"),
            ("sendmail -i a@x -qRob@x.example", "-qRob@x.example: an address goes behind `--`"),
            ("sendmail -i -Ian@x.example", "-Ian@x.example: an address goes behind `--`"),
        ] {
            assert_eq!(read(line), Invocation::Refused(why.to_owned()), "{line}");
        }
    }

    #[test]
    fn other_modes_are_refused_by_name_or_come_to_nothing() {
        assert_eq!(read("sendmail -bi -C file"), Invocation::Aliases(Some("file".into())));
        assert_eq!(read("sendmail -I"), Invocation::Aliases(None));
        assert_eq!(read("/usr/bin/newaliases"), Invocation::Aliases(None));
        assert_eq!(read("newaliases -v"), Invocation::Aliases(None));
        assert!(matches!(read("mailq --all"), Invocation::Refused(_)));
        for (line, word) in
            [("sendmail -bd -q1h", "-bd: "), ("sendmail -bt", "-bt: "), ("sendmail -x", "-x ")]
        {
            let Invocation::Refused(why) = read(line) else { panic!("{line}") };
            assert!(why.starts_with(word), "{why}");
        }
    }
}
