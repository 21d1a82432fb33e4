//! The words of `/usr/sbin/sendmail`, as cron, git, mutt and PHP use them, in those of
//! `postie send` and `postie queue`. What speaks of a daemon of sendmail's own means nothing here;
//! what would change where a message goes is honoured or refused.

use std::ffi::OsString;
use std::path::Path;

/// What a command line comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Call {
    /// Words for [`super::Args`], the program's name first.
    Args(Vec<OsString>),
    /// There is nothing to do (`-bi`): no aliases to compile.
    Nothing,
    /// Words that cannot be honoured, and why.
    Refused(String),
}

/// By which name the program is called, which decides what `-c`, `-h`, `-q` and `-v` mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Face {
    Postie,
    Sendmail,
}

/// Reads a whole command line, the program's name first. One that has nothing of sendmail's comes
/// out as it was.
pub fn call(words: impl IntoIterator<Item = OsString>) -> Call {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let name = words.first().and_then(|program| Path::new(program).file_name());
    let is_sendmail = name.is_some_and(|name| name == "sendmail");
    let (face, mut args, rest) = if is_sendmail {
        (Face::Sendmail, ["postie", "send"].map(OsString::from).to_vec(), words.split_off(1))
    } else if let Some(behind) = behind_send(&words) {
        let rest = words.split_off(behind);
        (Face::Postie, words, rest)
    } else {
        return Call::Args(words);
    };
    let mut reading = Reading { face, args: Vec::new(), is_sendmail };
    let mut rest = rest.into_iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            reading.args.push(word);
            reading.args.extend(rest);
            break;
        }
        // Long options are our own under either name; a dash alone is nobody's.
        let letters = word.to_str().and_then(|word| word.strip_prefix('-'));
        match letters.filter(|letters| !letters.is_empty() && !letters.starts_with('-')) {
            Some(letters) => {
                if let Some(other) = reading.letters(letters, &mut rest) {
                    return other;
                }
            }
            None => reading.args.push(word),
        }
    }
    if reading.is_sendmail {
        // Whoever calls sendmail expects nothing but errors, and those in one line.
        args.push(OsString::from("--quiet"));
    }
    args.extend(reading.args);
    Call::Args(args)
}

/// Where the words of `postie send` begin; options for every command may stand before it.
fn behind_send(words: &[OsString]) -> Option<usize> {
    let mut words = words.iter().enumerate().skip(1);
    while let Some((at, word)) = words.next() {
        match word.to_str()? {
            "send" => return Some(at + 1),
            "-c" | "--config" | "--timeout" => drop(words.next()),
            word if word.starts_with('-') => {}
            _ => return None,
        }
    }
    None
}

/// What was understood so far.
struct Reading {
    face: Face,
    args: Vec<OsString>,
    is_sendmail: bool,
}

impl Reading {
    /// Takes one word of single-letter options, dash removed, and the next word if it is the value
    /// of the last of them.
    fn letters(
        &mut self,
        letters: &str,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Option<Call> {
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            let attached = letters.as_str();
            let mut value = || match attached {
                "" => rest.next().unwrap_or_default(),
                _ => OsString::from(attached),
            };
            match (letter, self.face) {
                ('t' | 'v', _) => {
                    self.args.push(format!("-{letter}").into());
                    continue;
                }
                ('q', Face::Postie) => {
                    self.args.push("-q".into());
                    continue;
                }
                ('a' | 'c' | 'f' | 'F' | 'h' | 'N' | 'R', Face::Postie) => {
                    self.args.push(format!("-{letter}{attached}").into());
                    return None;
                }
                _ => self.is_sendmail = true,
            }
            match letter {
                // To its end, alone or not, is how input is read; the others are settings of
                // daemons, header rewriting and user interfaces that do not exist here.
                'i' | 'm' | 'n' | 'U' | 'G' => continue,
                // The option and its value are one word: what follows may be a recipient.
                'o' | 'd' => {}
                // A local sender is the account's, as is the empty one of a bounce.
                'f' | 'r' => {
                    let from = value();
                    if from.to_str().is_some_and(|from| from.contains('@')) {
                        self.option("--from", &from);
                    }
                }
                'F' => self.option("--full-name", &value()),
                'a' => self.option("--account", &value()),
                'C' => self.option("--config", &value()),
                'N' => self.option("--dsn-notify", &value()),
                'R' => self.option("--dsn-return", &value()),
                'A' | 'B' | 'h' | 'L' | 'O' | 'p' | 'V' | 'X' => drop(value()),
                'b' => match attached {
                    "m" => {}
                    "p" => return Some(self.queue(&[])),
                    "i" => return Some(Call::Nothing),
                    _ => {
                        return Some(Call::Refused(format!("-b{attached}: {}", no_mode(attached))));
                    }
                },
                // How often, and which of them, is for a daemon to know.
                'q' => return Some(self.queue(&["flush"])),
                _ => return Some(Call::Refused(format!("-{letter} means nothing here"))),
            }
            return None;
        }
        None
    }

    /// A call for the outbox, with what was said so far that means something to it.
    fn queue(&self, action: &[&str]) -> Call {
        let is_global = |word: &&OsString| {
            word.to_str().is_some_and(|word| word == "-v" || word.starts_with("--config="))
        };
        let words = ["postie", "queue", "--quiet"].iter().chain(action).map(OsString::from);
        Call::Args(words.chain(self.args.iter().filter(is_global).cloned()).collect())
    }

    fn option(&mut self, name: &str, value: &OsString) {
        let mut option = OsString::from(name);
        option.push("=");
        option.push(value);
        self.args.push(option);
    }
}

/// Why a mode of operation of sendmail's does not exist.
fn no_mode(mode: &str) -> &'static str {
    match mode {
        "s" => "this program does not speak SMTP on standard input",
        "d" | "D" => "this program is no daemon",
        _ => "there is no such mode",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Call {
        call(line.split(' ').map(OsString::from))
    }

    fn args(line: &str) -> String {
        let Call::Args(args) = read(line) else { panic!("{line}: {:?}", read(line)) };
        args.iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn sendmails_words_become_ours() {
        for (line, expected) in [
            ("sendmail a@x", "a@x"),
            ("/usr/sbin/sendmail -ti", "-t"),
            ("sendmail -it", "-t"),
            ("sendmail -oem simon", "simon"),
            ("sendmail -o simon", "simon"),
            ("sendmail -oi -odb -oQ/var/q -or0s -o7 x", "x"),
            ("sendmail -f a@x -r b@x -fc@x x", "--from=a@x --from=b@x --from=c@x x"),
            ("sendmail -f root x", "x"),
            ("sendmail -f <> x", "x"),
            ("sendmail -FCronDaemon -F Cron x", "--full-name=CronDaemon --full-name=Cron x"),
            ("sendmail -B8BITMIME -B 7BIT -V id -L tag -X log -h 3 -O k=v x", "x"),
            ("sendmail -N never -Rhdrs x", "--dsn-notify=never --dsn-return=hdrs x"),
            ("sendmail -Am -A c -G -U -m -n -d0.1 -p x y", "y"),
            ("sendmail -bm -v -- -t -oi", "-v -- -t -oi"),
            ("sendmail -C file -a work x", "--config=file --account=work x"),
            ("sendmail --dry-run --config f -i x", "--dry-run --config f x"),
            ("postie send -a work -oi -oem -f a@x -N never -- x", "-a work -f a@x -N never -- x"),
            ("postie send -qi -c file x", "-q -c file x"),
        ] {
            assert_eq!(args(line), format!("postie send --quiet {expected}"), "{line}");
        }
    }

    #[test]
    fn options_for_every_command_may_stand_before_send() {
        let line = "postie -c send --json --timeout 5 -v send -oi x";
        assert_eq!(args(line), "postie -c send --json --timeout 5 -v send --quiet x");
    }

    #[test]
    fn our_own_words_stay_as_they_are() {
        for line in [
            "postie",
            "postie fetch -q -oi",
            "postie -c send fetch -oi",
            "postie send -a work -c file -f a@x -Fname -h",
            "postie send -q -v -t --to a@x -",
            "postie send --subject=-oi -- -i",
        ] {
            assert_eq!(args(line), line);
        }
    }

    #[test]
    fn what_speaks_of_the_queue_is_for_the_outbox() {
        assert_eq!(args("sendmail -bp"), "postie queue --quiet");
        assert_eq!(args("sendmail -C file -v -bp"), "postie queue --quiet --config=file -v");
        for line in ["sendmail -q", "sendmail -q30m", "sendmail -qRhost", "sendmail -i -q"] {
            assert_eq!(args(line), "postie queue --quiet flush");
        }
    }

    #[test]
    fn other_modes_are_refused_by_name_or_come_to_nothing() {
        assert_eq!(read("sendmail -bi"), Call::Nothing);
        for (line, word) in [
            ("sendmail -bs", "-bs: "),
            ("sendmail -bd -q1h", "-bd: "),
            ("sendmail -bt", "-bt: "),
            ("sendmail -x", "-x "),
            ("postie send -bs", "-bs: "),
        ] {
            let Call::Refused(why) = read(line) else { panic!("{line}") };
            assert!(why.starts_with(word), "{why}");
        }
    }
}
