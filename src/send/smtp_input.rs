//! SMTP on standard input and output (`sendmail -bs`), as frameworks speak it: RFC 5321's commands
//! for one message after another. The reply to a message says what became of it; nothing is answered
//! with 250 that is neither in the outbox nor with the server.

use std::io::{self, BufRead, Read, Write};

use super::input;
use crate::cli;
use crate::dot;
use crate::error::{Error, Exit};
use crate::limits;
use crate::message::{self, Message, MessageWriter};
use crate::net::Stop;
use crate::ownership;
use crate::report::{Report, written};
use crate::settings::Settings;
use crate::submission::first_attempt::{Ended, fail};
use crate::submission::{Attempt, SmtpSession};
use crate::text::{Address, Addressee, Addressees, LocalName, ReversePath, shown};

/// Serves SMTP on standard input and output until the caller quits or the input ends. `load` reads
/// the configuration, anew for each message, which so gets an identity and a time of its own.
pub fn speak(
    load: impl Fn() -> (Result<Settings, Error>, Option<Error>),
    report: &Report,
    stop: &Stop,
    then: impl Fn(&Settings, &str, SmtpSession),
) -> Exit {
    if !ownership::is_stdin_ours() {
        return fail(report, None, &Error::Elsewhere).exit;
    }
    let mut conversation =
        Conversation { input: io::stdin().lock(), output: io::stdout(), transaction: None };
    let deliver = |transaction: Transaction, message: Result<Message, message::Error>| {
        let message = match message {
            Ok(message) => message,
            Err(error) => return fail(report, None, &error.into()),
        };
        let (settings, broken) = load();
        let settings = match settings {
            Ok(settings) => settings,
            Err(error) => return fail(report, None, &error),
        };
        let args = transaction.args();
        let then = |name: &str, session| then(&settings, name, session);
        let ended =
            match input::completed(&settings, &args, broken, message, transaction.recipients) {
                Ok(taken) => {
                    super::dispatch(&settings, &args, taken, Attempt::OneReply, report, stop, then)
                }
                Err(error) => fail(report, None, &error),
            };
        // Each message has its own status, independent of the next.
        stop.decide(None);
        ended
    };
    match written(conversation.run(deliver)) {
        Ok(Conclusion::Ended) => Exit::Done,
        // That is said already, and no reply is.
        Ok(Conclusion::InDoubt) => Exit::InDoubt,
        Ok(Conclusion::Cut) => fail(report, None, &message::Error::Cut.into()).exit,
        Err(error) => fail(report, None, &error).exit,
    }
}

/// The envelope as far as it was said.
struct Transaction {
    /// The reverse-path; `None` if it was a name of this machine, which gives way to the account's
    /// address, as under -f.
    from: Option<ReversePath>,
    recipients: Vec<Address>,
}

impl Transaction {
    fn args(&self) -> cli::Send {
        let addressee = |address: &Address| Addressee { name: None, address: address.clone() };
        cli::Send {
            recipients: vec![Addressees(self.recipients.iter().map(addressee).collect())],
            from: self.from.clone().map(Into::into),
            ..cli::Send::default()
        }
    }
}

/// Both directions of a conversation.
struct Conversation<R, W> {
    input: R,
    output: W,
    transaction: Option<Transaction>,
}

/// The end of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Conclusion {
    /// The caller has quit, or sends or reads no more.
    #[default]
    Ended,
    /// The input ended inside a message.
    Cut,
    /// The last message may have been delivered, and nothing waits.
    InDoubt,
}

/// The state of the conversation after a command.
enum Next {
    Command,
    Message,
    End,
}

impl<R: BufRead, W: Write> Conversation<R, W> {
    /// Greets, and answers until QUIT or the end of input.
    fn run(
        &mut self,
        mut deliver: impl FnMut(Transaction, Result<Message, message::Error>) -> Ended,
    ) -> io::Result<Conclusion> {
        self.reply("220 postie ESMTP")?;
        while let Some(line) = self.line()? {
            match self.command(&line)? {
                Next::Command => {}
                Next::End => break,
                Next::Message => {
                    let Some(transaction) = self.transaction.take() else { continue };
                    // Without its end it is no message.
                    let Some(message) = self.message()? else { return Ok(Conclusion::Cut) };
                    let Ended { exit, text, is_forbidden } = deliver(transaction, message);
                    let code = match exit {
                        Exit::Done | Exit::Partial => "250 2.0.0 ok:",
                        // Neither reply would be true.
                        Exit::InDoubt => return Ok(Conclusion::InDoubt),
                        Exit::Message | Exit::NoRecipient | Exit::Missing | Exit::Usage => {
                            "554 5.0.0 not accepted:"
                        }
                        Exit::Denied if is_forbidden => "550 5.7.1 not accepted:",
                        _ => "451 4.0.0 not accepted:",
                    };
                    self.reply(&reply_line(code, &text))?;
                }
            }
        }
        Ok(Conclusion::Ended)
    }

    fn reply(&mut self, line: &str) -> io::Result<()> {
        self.output.write_all(format!("{line}\r\n").as_bytes())?;
        self.output.flush()
    }

    /// The next line without its end; empty if it is too long. `None` at the end of input.
    fn line(&mut self) -> io::Result<Option<String>> {
        let bound = u64::try_from(limits::SMTP_INPUT).unwrap_or(u64::MAX);
        let mut line = Vec::new();
        let mut is_too_long = false;
        loop {
            let read = (&mut self.input).take(bound).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(None);
            }
            if line.ends_with(b"\n") {
                break;
            }
            is_too_long = line.len() >= limits::SMTP_INPUT;
            line.clear();
        }
        let text = String::from_utf8(line).ok().filter(|_| !is_too_long);
        Ok(Some(text.unwrap_or_default().trim_end_matches(['\r', '\n']).to_owned()))
    }

    fn command(&mut self, line: &str) -> io::Result<Next> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let reply = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                self.transaction = None;
                self.reply("250-postie")?;
                self.reply("250-PIPELINING")?;
                "250 8BITMIME".to_owned()
            }
            "HELO" | "RSET" => {
                self.transaction = None;
                "250 2.0.0 ok".to_owned()
            }
            "NOOP" => "250 2.0.0 ok".to_owned(),
            "VRFY" => "252 2.5.0 send it and see".to_owned(),
            "MAIL" if self.transaction.is_some() => "503 5.5.1 one message at a time".to_owned(),
            "MAIL" => match path(rest, "FROM:").and_then(sender) {
                Ok(from) => {
                    self.transaction = Some(Transaction { from, recipients: Vec::new() });
                    "250 2.1.0 ok".to_owned()
                }
                Err(reason) => reason.reply("5.1.7"),
            },
            "RCPT" => match (&mut self.transaction, path(rest, "TO:")) {
                (None, _) => "503 5.5.1 MAIL comes first".to_owned(),
                (Some(known), _) if known.recipients.len() >= limits::SMTP_INPUT_RECIPIENTS => {
                    "452 4.5.3 too many recipients".to_owned()
                }
                (Some(known), text) => match text.and_then(|text| Ok(text.parse()?)) {
                    Ok(recipient) => {
                        known.recipients.push(recipient);
                        "250 2.1.5 ok".to_owned()
                    }
                    Err(reason) => reason.reply("5.1.3"),
                },
            },
            "DATA"
                if self.transaction.as_ref().is_some_and(|known| !known.recipients.is_empty()) =>
            {
                self.reply("354 end it with a dot on a line of its own")?;
                return Ok(Next::Message);
            }
            "DATA" => "503 5.5.1 MAIL and RCPT come first".to_owned(),
            "QUIT" => {
                self.reply("221 2.0.0 bye")?;
                return Ok(Next::End);
            }
            _ => "500 5.5.2 no such command".to_owned(),
        };
        self.reply(&reply)?;
        Ok(Next::Command)
    }

    /// The message behind 354; `None` if the input ends before it does. Lines end in CRLF alone: a
    /// dot between other line ends is text, and no way out of it.
    fn message(&mut self) -> io::Result<Option<Result<Message, message::Error>>> {
        let (mut decoder, mut intake) = (dot::Decoder::default(), MessageWriter::new());
        let mut failed = None;
        let mut text = Vec::new();
        while !decoder.is_done() {
            let octets = self.input.fill_buf()?;
            if octets.is_empty() {
                return Ok(None);
            }
            let used = decoder.decode(octets, &mut text);
            self.input.consume(used);
            // A message that cannot be kept is read to its end all the same.
            if failed.is_none() {
                failed = intake.write_all(&text).err();
            }
            text.clear();
        }
        Ok(Some(match failed {
            Some(error) => Err(intake.reason(error)),
            None => intake.finish(),
        }))
    }
}

/// A reply with words that others may have written: one line of printable ASCII, as long as a reply
/// may be (RFC 5321 §4.5.3.1.5).
fn reply_line(code: &str, text: &str) -> String {
    let printable = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    let line = format!("{code} {text}");
    line.chars().map(printable).take(limits::SMTP_REPLY - 2).collect()
}

/// The reason why a path is refused.
enum Refusal {
    Syntax,
    /// A parameter that is not offered.
    Parameter(String),
    Address(String),
}

impl Refusal {
    fn reply(&self, code: &str) -> String {
        match self {
            Self::Syntax => "501 5.5.4 expected an address in angle brackets".to_owned(),
            Self::Parameter(word) => format!("555 5.5.4 {word} is not understood"),
            Self::Address(reason) => format!("553 {code} {reason}"),
        }
    }
}

impl From<crate::text::AddressError> for Refusal {
    fn from(error: crate::text::AddressError) -> Self {
        Self::Address(error.to_string())
    }
}

/// Parses a reverse-path. `None` if it is a name of this machine.
fn sender(path: &str) -> Result<Option<ReversePath>, Refusal> {
    match path.parse::<LocalName>() {
        Ok(_) => Ok(None),
        Err(_) => Ok(Some(path.parse()?)),
    }
}

/// Returns the path in angle brackets behind `word`. Parameters that are determined anyway are
/// ignored (SIZE, BODY: RFC 1870, RFC 6152).
fn path<'a>(rest: &'a str, word: &str) -> Result<&'a str, Refusal> {
    let (start, path) = rest.trim_start().split_at_checked(word.len()).ok_or(Refusal::Syntax)?;
    let path = path.trim_start().strip_prefix('<').ok_or(Refusal::Syntax)?;
    let whole = path.strip_suffix('>').map(|path| (path, ""));
    let split = path.split_once("> ").or_else(|| path.split_once(">\t"));
    let (path, parameters) = split.or(whole).ok_or(Refusal::Syntax)?;
    if !start.eq_ignore_ascii_case(word) {
        return Err(Refusal::Syntax);
    }
    for parameter in parameters.split_ascii_whitespace() {
        let name = parameter.split('=').next().unwrap_or_default().to_ascii_uppercase();
        if !(word == "FROM:" && ["SIZE", "BODY"].contains(&name.as_str())) {
            return Err(Refusal::Parameter(shown(&name)));
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is answered, and what was delivered, with the exits that deliveries have in turn.
    fn converse(input: &str, given: &[Exit]) -> (Vec<String>, Vec<(String, String)>) {
        let mut conversation =
            Conversation { input: input.as_bytes(), output: Vec::new(), transaction: None };
        let (mut delivered, mut exits) = (Vec::new(), given.iter());
        let deliver = |transaction: Transaction, message: Result<Message, message::Error>| {
            let text = "gr\u{fc}n\r\n250 ok";
            let ended = |exit| Ended { exit, text: text.to_owned(), is_forbidden: false };
            let Ok(mut message) = message else { return ended(Exit::Message) };
            let mut text = Vec::new();
            io::copy(&mut message.text().unwrap(), &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            let Transaction { from, recipients } = transaction;
            let who = recipients.iter().map(|address| match address {
                Address::Mailbox(mailbox) => mailbox.to_string(),
                Address::Local(name) => name.to_string(),
            });
            let from = from.map(|from| from.to_string()).unwrap_or_default();
            delivered.push((format!("{from} {}", who.collect::<Vec<_>>().join(" ")), text));
            ended(*exits.next().unwrap())
        };
        let conclusion = conversation.run(deliver).unwrap();
        let replies = String::from_utf8(conversation.output).unwrap();
        let is_unanswered = replies.lines().last().is_some_and(|line| line.starts_with("354"));
        let expected = match given.contains(&Exit::InDoubt) {
            true => Conclusion::InDoubt,
            false if is_unanswered => Conclusion::Cut,
            false => Conclusion::Ended,
        };
        assert_eq!(conclusion, expected);
        (replies.lines().map(str::to_owned).collect(), delivered)
    }

    fn codes(replies: &[String]) -> String {
        replies.iter().map(|line| &line[..4]).collect::<String>().trim_end().to_owned()
    }

    const MESSAGE: &str = "MAIL FROM:<ann@x.example> BODY=8BITMIME SIZE=9\r\n\
                           RCPT TO:<bob@x.example>\r\nDATA\r\nA: b\r\n\r\n..\r\n.\r\n";

    #[test]
    fn one_message_follows_another() {
        let input = format!("HELO [127.0.0.1]\r\n{MESSAGE}NOOP\r\n{MESSAGE}QUIT\r\n{MESSAGE}");
        let (replies, delivered) = converse(&input, &[Exit::Done, Exit::Later]);
        assert_eq!(codes(&replies), "220 250 250 250 354 250 250 250 250 354 451 221");
        let one = ("ann@x.example bob@x.example".to_owned(), "A: b\r\n\r\n.\r\n".to_owned());
        assert_eq!(delivered, [one.clone(), one]);
    }

    #[test]
    fn only_crlf_ends_a_message() {
        let smuggled = MESSAGE.replace("..\r\n", "x\n.\nMAIL FROM:<eve@x>\r.\rRSET\n.\r\ny\r\n");
        let (replies, delivered) = converse(&smuggled, &[Exit::Done]);
        assert_eq!(codes(&replies), "220 250 250 354 250");
        assert!(delivered[0].1.contains("MAIL FROM:<eve@x>") && delivered[0].1.ends_with("y\r\n"));
    }

    #[test]
    fn what_did_not_end_is_not_delivered_and_what_is_in_doubt_is_not_answered() {
        let cut = MESSAGE.strip_suffix(".\r\n").unwrap();
        let (replies, delivered) = converse(cut, &[]);
        assert_eq!((codes(&replies).as_str(), delivered.len()), ("220 250 250 354", 0));
        let (replies, _) = converse(&format!("{MESSAGE}NOOP\r\n"), &[Exit::InDoubt]);
        assert_eq!(codes(&replies), "220 250 250 354");
        for (exit, code) in [
            (Exit::NoRecipient, "554"),
            (Exit::Message, "554"),
            (Exit::Disk, "451"),
            (Exit::Config, "451"),
        ] {
            let (replies, _) = converse(MESSAGE, &[exit]);
            assert_eq!(codes(&replies), format!("220 250 250 354 {code}"));
            // What others say begins no line of its own.
            assert!(replies[4].ends_with(" not accepted: gr?n??250 ok"), "{replies:?}");
        }
        let broken = MESSAGE.replace("A: b\r\n", "A: b\0\r\n");
        let (replies, delivered) = converse(&format!("{broken}QUIT\r\n"), &[]);
        assert_eq!((codes(&replies).as_str(), delivered.len()), ("220 250 250 354 554 221", 0));
    }

    #[test]
    fn commands_out_of_order_or_out_of_bounds_are_refused() {
        let long = format!("NOOP {}", "x".repeat(limits::SMTP_INPUT * 3));
        for (line, code) in [
            ("RCPT TO:<a@x>", "503"),
            ("DATA", "503"),
            ("MAIL FROM:a@x", "501"),
            ("MAIL FROM:<not an address>", "553"),
            ("MAIL FROM:<a@x> REQUIRETLS", "555"),
            ("MAIL FROM:<a@x> SIZE=1 AUTH=<>", "555"),
            ("MAIL FROM:<a@x>SIZE=1", "501"),
            ("MAIL FROM:<www-data>", "250"),
            ("MAIL FROM:<>\r\nMAIL FROM:<a@x>", "250 503"),
            ("MAIL FROM:<>\r\nRCPT TO:<root>\r\nRSET\r\nDATA", "250 250 250 503"),
            ("mail from:<a@x>\r\nrcpt to:<b@x> NOTIFY=NEVER", "250 555"),
            ("VRFY x", "252"),
            ("BDAT 3 LAST", "500"),
            (&long, "500"),
        ] {
            let (replies, _) = converse(&format!("{line}\r\n"), &[]);
            assert_eq!(codes(&replies), format!("220 {code}"), "{line}");
        }
        let (replies, _) = converse("EHLO x\r\n", &[]);
        assert_eq!(replies, ["220 postie ESMTP", "250-postie", "250-PIPELINING", "250 8BITMIME"]);
    }
}
