//! Transcripts: `C:` and `S:` lines as the RFCs print them, with how the program is run and what it
//! must leave behind. This is the parser; `player` speaks the server's part.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A transcript.
///
/// ```text
/// # What it shows. Lines that begin with `#` are for the reader.
/// args: fetch {account} --maildir Mail    how the program is run; {account} is all it must be told
///                                         of the server and the user, `ann` with `not-a-secret`,
///                                         {server} the server's address and port alone
/// tls: implicit                           or starttls, or none; implicit if it is not said
/// certificate: good                       or expired, other-name, other-authority; wildcard, for a
///                                         star in place of the name's beginning; common-name, for
///                                         a name where it does not count; incomplete, without the
///                                         authority in between; or asks-for-one, which wants to
///                                         see one of the client's, too
/// playing: whole, coalesced               if not every way of playing makes sense
/// config:                                 a block follows: what the configuration says of the
///                                         account `home`, apart from server, user and tls
/// | password-file = "password"            {pin} is that of the good certificate
/// stdin:                                  a block follows: what the program is given to read
/// | Subject: hello
/// |
/// | no line end after this\
///
/// S: +OK ready                            a line from the server, CRLF is added
/// C: CAPA                                 a line that the client must send
/// C: Date: *                              a line that may end as it likes
/// C: AUTH PLAIN {plain ann not-a-secret}  `\0ann\0not-a-secret` in base64
/// S: 334 {base64 Username:}               any text in base64; it knows the escapes below
/// ! raw -ERR \x1b[2J\r\n                  octets from the server, no CRLF is added
/// ! tls                                   both sides switch to TLS here
/// ! drip                                  from here on, a pause after each octet
/// ! times NUMBER TEXT                     TEXT, so many times
/// ! flood TEXT                            TEXT again and again until the client hangs up
/// ! stall                                 nothing more, whatever comes, until the client hangs up
/// ! close                                 the end, as TLS wants it
/// ! cut                                   the end, without a word to TLS
/// ! reset                                 the end, while the next octets of the client are unread
/// ! until Mail/new 2                      nothing more until that directory below home holds so
///                                         many files
/// ! kill Mail/tmp 2                       the program is killed (`exit: 137`) as soon as that
///                                         directory below home holds so many files
/// ! reconnect                             the client hangs up and connects again
/// ! scram 334 r={nonce}x,s=QSXC,i=4096    a challenge in base64, with the nonce that the client
///                                         has just sent
/// ! again                                 a second run in the same home: args, stdin, config, tls
///                                         and certificate stay unless they are said anew
/// exit: 0                                 the exit status
/// turns: 6                                how often the client waited for an answer
/// silent:                                 nothing on standard output and standard error
/// stdout: text                            something that is on standard output
/// stderr: text                            the same on standard error; {server} works here, too
/// files: Mail/new 1                       how many files a directory below home holds
/// file: Mail/new                          a block follows: one of them, octet for octet
/// | Subject: hello
/// ```
///
/// Without `! close`, `! cut`, `! reset`, `! stall` or `! kill` it is the client that ends the
/// conversation.
/// Lines of a block and `! raw` know the escapes `\r`, `\n`, `\t`, `\\` and `\xNN`.
#[derive(Debug)]
pub struct Transcript {
    pub path: PathBuf,
    pub runs: Vec<Run>,
}

/// One run of the program and its conversation.
#[derive(Clone, Debug, Default)]
pub struct Run {
    pub args: String,
    pub stdin: Vec<u8>,
    pub config: Vec<u8>,
    pub tls: Tls,
    pub certificate: Certificate,
    pub playings: Vec<Playing>,
    /// Without events the program must not even connect.
    pub dialogue: Vec<At<Event>>,
    pub facts: Vec<At<Fact>>,
}

/// Something, and the number of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    pub line: usize,
    pub what: T,
}

/// When the conversation is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    #[default]
    Implicit,
    Starttls,
    None,
}

impl Tls {
    const NAMES: [(&str, Self); 3] =
        [("implicit", Self::Implicit), ("starttls", Self::Starttls), ("none", Self::None)];

    /// As the command line calls it.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, tls)| *tls == self).unwrap().0
    }
}

/// What the server shows for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Certificate {
    #[default]
    Good,
    AsksForOne,
    Expired,
    OtherName,
    OtherAuthority,
    Wildcard,
    CommonName,
    Incomplete,
}

impl Certificate {
    const NAMES: [(&str, Self); 8] = [
        ("good", Self::Good),
        ("asks-for-one", Self::AsksForOne),
        ("expired", Self::Expired),
        ("other-name", Self::OtherName),
        ("other-authority", Self::OtherAuthority),
        ("wildcard", Self::Wildcard),
        ("common-name", Self::CommonName),
        ("incomplete", Self::Incomplete),
    ];
}

/// How the server's octets are cut into segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Playing {
    /// Consecutive lines leave together.
    Whole,
    /// Each octet leaves on its own.
    ByteByByte,
    /// All answers leave together whose commands came together.
    Coalesced,
}

impl Playing {
    pub const NAMES: [(&str, Self); 3] = [
        ("whole", Self::Whole),
        ("byte by byte", Self::ByteByByte),
        ("coalesced", Self::Coalesced),
    ];
}

/// One step of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Server(Vec<u8>),
    Client(Pattern),
    Tls,
    Drip,
    Flood(Vec<u8>),
    Stall,
    Close,
    Cut,
    Reset,
    Until { dir: String, number: usize },
    Kill { dir: String, number: usize },
    Reconnect,
    Scram { reply: String, challenge: String },
}

/// A line of the client, without its CRLF; a star at the end stands for any rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub String);

impl Pattern {
    pub fn matches(&self, line: &[u8]) -> bool {
        match self.0.strip_suffix('*') {
            Some(start) => line.starts_with(start.as_bytes()),
            None => line == self.0.as_bytes(),
        }
    }
}

/// Something that must be true after a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Exit(i32),
    Turns(usize),
    Silent,
    Stdout(String),
    Stderr(String),
    Files { dir: String, number: usize },
    File { dir: String, octets: Vec<u8> },
}

impl Transcript {
    /// Reads a transcript; an error names file and line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let name = path.display();
        let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        let runs = parse(&text).map_err(|At { line, what }| format!("{name}:{line}: {what}"))?;
        Ok(Self { path: path.to_owned(), runs })
    }
}

fn parse(text: &str) -> Result<Vec<Run>, At<String>> {
    let mut runs = vec![Run::default()];
    let mut block = None;
    let mut end = 0;
    for (line, text) in (1..).zip(text.lines()) {
        end = line;
        let run = runs.last_mut().unwrap();
        let at = |what| At { line, what };
        if let Some(text) = text.strip_prefix('|') {
            let octets = match block {
                Some(Block::Stdin) => &mut run.stdin,
                Some(Block::Config) => &mut run.config,
                Some(Block::File) => match run.facts.last_mut() {
                    Some(At { what: Fact::File { octets, .. }, .. }) => octets,
                    _ => return Err(at("a block without a header".to_owned())),
                },
                None => return Err(at("a block without a header".to_owned())),
            };
            let text = text.strip_prefix(' ').unwrap_or(text);
            octets.extend(block_line(text).map_err(at)?);
            continue;
        }
        block = None;
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if text == "! again" {
            end_run(run, line)?;
            let next = Run { dialogue: Vec::new(), facts: Vec::new(), ..run.clone() };
            runs.push(next);
            continue;
        }
        if let Some(event) = event(text).map_err(at)? {
            run.dialogue.push(At { line, what: event });
            continue;
        }
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| at(format!("expected a header, `C:`, `S:` or `!`, found `{text}`")))?;
        let value = value.trim();
        let fact = match name {
            "args" => {
                value.clone_into(&mut run.args);
                continue;
            }
            "stdin" => {
                run.stdin.clear();
                block = Some(Block::Stdin);
                continue;
            }
            "config" => {
                run.config.clear();
                block = Some(Block::Config);
                continue;
            }
            "tls" => {
                run.tls = one_of(&Tls::NAMES, value).map_err(at)?;
                continue;
            }
            "certificate" => {
                run.certificate = one_of(&Certificate::NAMES, value).map_err(at)?;
                continue;
            }
            "playing" => {
                let names = value.split(',').map(|name| one_of(&Playing::NAMES, name.trim()));
                run.playings = names.collect::<Result<_, _>>().map_err(at)?;
                continue;
            }
            "exit" => Fact::Exit(number(value).map_err(at)?),
            "turns" => Fact::Turns(number(value).map_err(at)?),
            "silent" => Fact::Silent,
            "stdout" => Fact::Stdout(value.to_owned()),
            "stderr" => Fact::Stderr(value.to_owned()),
            "files" => {
                let (dir, number) = counted(value).map_err(at)?;
                Fact::Files { dir, number }
            }
            "file" => {
                block = Some(Block::File);
                Fact::File { dir: value.to_owned(), octets: Vec::new() }
            }
            _ => return Err(at(format!("unknown header `{name}`"))),
        };
        run.facts.push(At { line, what: fact });
    }
    end_run(runs.last().unwrap(), end)?;
    Ok(runs)
}

/// What a line that begins with `|` belongs to.
enum Block {
    Stdin,
    Config,
    File,
}

fn end_run(run: &Run, line: usize) -> Result<(), At<String>> {
    let missing = |header: &str| At { line, what: format!("a run without `{header}:`") };
    if run.args.is_empty() {
        return Err(missing("args"));
    }
    let exit = run.facts.iter().find(|fact| matches!(fact.what, Fact::Exit(_)));
    exit.map(drop).ok_or_else(|| missing("exit"))
}

fn event(text: &str) -> Result<Option<Event>, String> {
    if let Some(line) = text.strip_prefix("S:") {
        let line = expanded(line.strip_prefix(' ').unwrap_or(line))? + "\r\n";
        return Ok(Some(Event::Server(line.into_bytes())));
    }
    if let Some(line) = text.strip_prefix("C:") {
        let line = expanded(line.strip_prefix(' ').unwrap_or(line))?;
        return Ok(Some(Event::Client(Pattern(line))));
    }
    let Some(directive) = text.strip_prefix("! ") else { return Ok(None) };
    let (name, value) = directive.split_once(' ').unwrap_or((directive, ""));
    let event = match (name, value) {
        ("raw", text) => Event::Server(unescaped(text)?),
        ("times", text) => {
            let (count, text) = text.split_once(' ').ok_or("expected a number and a text")?;
            Event::Server(unescaped(text)?.repeat(number(count)?))
        }
        ("flood", text) if !text.is_empty() => Event::Flood(unescaped(text)?),
        ("tls", "") => Event::Tls,
        ("drip", "") => Event::Drip,
        ("stall", "") => Event::Stall,
        ("close", "") => Event::Close,
        ("cut", "") => Event::Cut,
        ("reset", "") => Event::Reset,
        ("reconnect", "") => Event::Reconnect,
        ("scram", text) => {
            let (reply, challenge) =
                text.split_once(' ').ok_or("expected a reply and a challenge")?;
            Event::Scram { reply: reply.to_owned(), challenge: challenge.to_owned() }
        }
        ("until", value) => {
            let (dir, number) = counted(value)?;
            Event::Until { dir, number }
        }
        ("kill", value) => {
            let (dir, number) = counted(value)?;
            Event::Kill { dir, number }
        }
        _ => return Err(format!("unknown directive `{directive}`")),
    };
    Ok(Some(event))
}

/// Text in which what stands in braces was put into base64.
fn expanded(text: &str) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, braced)) = rest.split_once('{') {
        let (inside, after) = braced.split_once('}').ok_or("`{` without `}`")?;
        let (name, value) = inside.split_once(' ').unwrap_or((inside, ""));
        let secret = match name {
            "base64" => unescaped(value)?,
            "plain" => format!("\0{}", value.replacen(' ', "\0", 1)).into_bytes(),
            _ => return Err(format!("expected `plain` or `base64`, found `{inside}`")),
        };
        expanded += before;
        STANDARD.encode_string(secret, &mut expanded);
        rest = after;
    }
    Ok(expanded + rest)
}

/// A line of a block, LF included unless a backslash ends it.
fn block_line(text: &str) -> Result<Vec<u8>, String> {
    // An even number of backslashes are so many escaped ones.
    let backslashes = text.chars().rev().take_while(|&c| c == '\\').count();
    match text.strip_suffix('\\') {
        Some(text) if backslashes % 2 == 1 => unescaped(text),
        _ => unescaped(text).map(|octets| [octets.as_slice(), b"\n"].concat()),
    }
}

fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        octets.extend_from_slice(before.as_bytes());
        let mut chars = escape.chars();
        match chars.next() {
            Some('r') => octets.push(b'\r'),
            Some('n') => octets.push(b'\n'),
            Some('t') => octets.push(b'\t'),
            Some('\\') => octets.push(b'\\'),
            Some('x') => {
                let digits: String = chars.by_ref().take(2).collect();
                let octet = u8::from_str_radix(&digits, 16);
                octets.push(octet.map_err(|_| format!("`\\x{digits}` is no octet"))?);
            }
            _ => return Err(format!("unknown escape in `{text}`")),
        }
        rest = chars.as_str();
    }
    octets.extend_from_slice(rest.as_bytes());
    Ok(octets)
}

fn one_of<T: Copy>(names: &[(&str, T)], name: &str) -> Result<T, String> {
    let found = names.iter().find(|(known, _)| *known == name);
    found.map(|&(_, value)| value).ok_or_else(|| {
        let known: Vec<_> = names.iter().map(|(known, _)| *known).collect();
        format!("expected one of {}, found `{name}`", known.join(", "))
    })
}

/// A directory and how many files it holds.
fn counted(text: &str) -> Result<(String, usize), String> {
    let (dir, count) = text.rsplit_once(' ').unwrap_or((text, ""));
    Ok((dir.to_owned(), number(count)?))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("expected a number, found `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(text: &str) -> String {
        let At { line, what } = parse(text).unwrap_err();
        format!("{line}: {what}")
    }

    fn events(text: &str) -> Vec<Event> {
        let text = format!("args: x\nexit: 0\n{text}");
        let runs = parse(&text).unwrap();
        runs.into_iter().flat_map(|run| run.dialogue).map(|event| event.what).collect()
    }

    #[test]
    fn a_transcript_is_read_from_top_to_bottom() {
        let text = "# Shows something.\nargs: send {account} a@b\ntls: starttls\nexit: 75\n\
                    playing: whole, byte by byte\nstderr: {server}: \nstdin:\n| a\n|\n|  b\\\n\
                    S: 220 hi\nC: EHLO *\n! cut\nfile: Mail/new\n|x\n";
        let [run] = &parse(text).unwrap()[..] else { panic!("not one run") };
        assert_eq!(run.args, "send {account} a@b");
        assert_eq!(run.stdin, b"a\n\n b");
        assert_eq!((run.tls.name(), run.certificate), ("starttls", Certificate::Good));
        assert_eq!(run.playings, [Playing::Whole, Playing::ByteByByte]);
        assert_eq!(run.dialogue[0], At { line: 11, what: Event::Server(b"220 hi\r\n".to_vec()) });
        assert_eq!(run.dialogue.len(), 3);
        let facts: Vec<_> = run.facts.iter().map(|fact| fact.what.clone()).collect();
        let file = Fact::File { dir: "Mail/new".to_owned(), octets: b"x\n".to_vec() };
        assert_eq!(facts, [Fact::Exit(75), Fact::Stderr("{server}:".to_owned()), file]);
    }

    #[test]
    fn a_second_run_keeps_what_it_is_not_told_anew() {
        let text = "args: x\ntls: none\nexit: 0\nS: one\n! again\nexit: 75\nargs: y\n";
        let [first, second] = &parse(text).unwrap()[..] else { panic!("not two runs") };
        assert_eq!((first.args.as_str(), second.args.as_str()), ("x", "y"));
        assert_eq!((second.tls, second.dialogue.len()), (Tls::None, 0));
    }

    #[test]
    fn what_stands_in_braces_becomes_base64() {
        // RFC 4616 §4, the first example.
        let events =
            events("C: AUTH PLAIN {plain tim tanstaaftanstaaf}\nS: 334 {base64 Username:}");
        let line = "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm";
        assert_eq!(events[0], Event::Client(Pattern(line.to_owned())));
        assert_eq!(events[1], Event::Server(b"334 VXNlcm5hbWU6\r\n".to_vec()));
    }

    #[test]
    fn raw_octets_are_as_they_are_written() {
        let events = events("! raw a\\x00\\xff\\\\\\r\\nb\nS:\nS: \\r");
        let raw = [b"a\0\xff\\\r\nb".as_slice(), b"\r\n", b"\\r\r\n"];
        assert_eq!(events, raw.map(|octets| Event::Server(octets.to_vec())));
    }

    #[test]
    fn a_star_stands_for_any_rest() {
        let matches =
            |pattern: &str, line: &str| Pattern(pattern.to_owned()).matches(line.as_bytes());
        assert!(matches("*", "") && matches("EHLO *", "EHLO x") && matches("QUIT", "QUIT"));
        assert!(!matches("EHLO *", "EHLO") && !matches("QUIT", "QUIT ") && !matches("", "x"));
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        assert_eq!(fails("exit: 0\n"), "1: a run without `args:`");
        assert_eq!(fails("args: x\n\n! again\n"), "3: a run without `exit:`");
        assert_eq!(fails("args: x\nexit: no\n"), "2: expected a number, found `no`");
        assert_eq!(fails("c: x\n"), "1: unknown header `c`");
        assert_eq!(fails("hello\n"), "1: expected a header, `C:`, `S:` or `!`, found `hello`");
        assert_eq!(fails("! sleep\n"), "1: unknown directive `sleep`");
        assert_eq!(fails("! cut off\n"), "1: unknown directive `cut off`");
        assert_eq!(fails("| x\n"), "1: a block without a header");
        assert_eq!(fails("S: {plan x}\n"), "1: expected `plain` or `base64`, found `plan x`");
        assert_eq!(fails("! raw \\q\n"), "1: unknown escape in `\\q`");
        assert_eq!(fails("tls: yes\n"), "1: expected one of implicit, starttls, none, found `yes`");
    }
}
