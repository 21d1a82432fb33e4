//! Text of servers, messages and callers wherever it is shown or kept: at a terminal, in a pipe, in
//! JSON, in the conversation that -v shows, in logs, journals and lists. Each place that such text
//! can come from is tried with characters of every class that could act on a terminal, hide or look
//! blank, and with the password as it is and in base64. None of it comes out.

use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::support::names::Names;
use crate::support::pki::Authority;
use crate::support::postie::Home;
use crate::support::server::Server;
use crate::support::servers;
use crate::support::web::Web;
use crate::terminal::at_a_terminal;

const PASSWORD: &str = "not-a-secret";

/// Begins every text, so that it can be seen that a place was reached.
const MARK: &str = "SAID";

/// Unicode's general categories and the fillers, with the first and the last of what is found
/// together.
const CLASSES: [(&str, &str); 6] = [
    (
        "Cc",
        "\u{1}\u{7}\u{8}\u{b}\u{c}\u{e}\u{1a}\u{1b}]0;title\u{7}\u{1c}\u{1f}\u{7f}\u{80}\u{85}\u{90}\u{9b}\
         \u{9c}\u{9d}\u{9f}",
    ),
    (
        "Cf",
        "\u{ad}\u{600}\u{605}\u{61c}\u{6dd}\u{70f}\u{890}\u{891}\u{8e2}\u{180e}\u{200b}\u{200f}\u{202a}\
         \u{202e}\u{2060}\u{2064}\u{2066}\u{2069}\u{206a}\u{206f}\u{feff}\u{fff9}\u{fffb}\u{110bd}\
         \u{110cd}\u{13430}\u{1343f}\u{1bca0}\u{1bca3}\u{1d173}\u{1d17a}\u{e0001}\u{e0020}\u{e007f}",
    ),
    ("Co", "\u{e000}\u{f8ff}\u{f0000}\u{ffffd}\u{100000}\u{10fffd}"),
    ("Zl", "\u{2028}"),
    ("Zp", "\u{2029}"),
    ("blank", "\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{2800}\u{3164}\u{ffa0}"),
];

/// The characters of all classes.
fn characters() -> String {
    CLASSES.iter().map(|(_, characters)| *characters).collect()
}

/// Those of them that are no control characters, which many places do not even take.
fn without_controls() -> String {
    CLASSES.iter().skip(1).map(|(_, characters)| *characters).collect()
}

/// The password in all forms in which a server may say it back.
fn passwords() -> String {
    let login = format!("\0ann\0{PASSWORD}");
    format!(
        "{PASSWORD} <{}> {} {} x{PASSWORD}x {}",
        STANDARD.encode(&login),
        STANDARD.encode(PASSWORD),
        URL_SAFE.encode(format!("a{PASSWORD}")),
        STANDARD.encode(format!("ab{PASSWORD}")),
    )
}

/// What a server says that knows the password.
fn said() -> String {
    format!("{MARK} {} {}", passwords(), characters())
}

/// The same in one word.
fn word() -> String {
    said().replace(' ', "_")
}

/// Returns what must not be in an output: an unprintable character, or the password. At a terminal
/// the program draws with line ends and sequences of its own.
fn fault(output: &str, is_terminal: bool) -> Option<String> {
    let output = if is_terminal { without_drawing(output) } else { output.to_owned() };
    let all = characters();
    let is_bad = |c: char| {
        let is_line_end = c == '\n' || is_terminal && c == '\r';
        c.is_control() && !is_line_end || !c.is_ascii() && all.contains(c)
    };
    if let Some(c) = output.chars().find(|c| is_bad(*c)) {
        return Some(format!("U+{:04X}", u32::from(c)));
    }
    let encoded = ["", "a", "ab"].map(|before| {
        let encoded = STANDARD.encode(format!("{before}{PASSWORD}"));
        encoded[4 * before.len().min(1)..encoded.len() - 4].to_owned()
    });
    let usual = output.replace('-', "+").replace('_', "/");
    let is_in = output.contains(PASSWORD) || encoded.iter().any(|part| usual.contains(part));
    is_in.then(|| "the password".to_owned())
}

/// Takes out `ESC [ ... letter`, as bars are drawn with. The server's escape sequence is another.
fn without_drawing(screen: &str) -> String {
    let mut rest = screen;
    let mut text = String::new();
    while let Some((before, behind)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        rest = behind.trim_start_matches(|c: char| c.is_ascii_digit() || ";?".contains(c));
        rest = rest.strip_prefix(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest);
    }
    text + rest
}

/// A server without TLS that greets, and answers a command with what the first of `answers` says that
/// begins like it. Its threads end with the process.
fn serve(greeting: String, answers: Vec<(String, String)>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let script = Arc::new((greeting, answers));
    thread::spawn(move || {
        for socket in listener.incoming() {
            let script = Arc::clone(&script);
            thread::spawn(move || converse(socket.unwrap(), &script.0, &script.1));
        }
    });
    address
}

fn converse(
    mut socket: TcpStream,
    greeting: &str,
    answers: &[(String, String)],
) -> std::io::Result<()> {
    socket.set_read_timeout(Some(servers::PATIENCE))?;
    let mut lines = BufReader::new(socket.try_clone()?);
    socket.write_all(format!("{greeting}\r\n").as_bytes())?;
    let mut is_text = false;
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if is_text && line != "." {
            continue;
        }
        if let Some(length) = line.strip_prefix("BDAT ") {
            let length = length.split(' ').next().unwrap().parse().unwrap();
            lines.by_ref().take(length).read_to_end(&mut Vec::new())?;
        }
        let known = answers.iter().find(|(word, _)| line.starts_with(word.as_str()));
        let answer = known.map_or("", |(_, answer)| answer.as_str());
        is_text = line == "DATA" && answer.starts_with("354");
        socket.write_all(format!("{answer}\r\n").as_bytes())?;
        if line == "QUIT" {
            return Ok(());
        }
    }
}

const POP3: [(&str, &str); 11] = [
    ("", "+OK ready"),
    ("CAPA", "+OK\r\nSASL PLAIN\r\nUIDL\r\nUSER\r\n."),
    ("AUTH", "+OK"),
    ("USER", "+OK"),
    ("PASS", "+OK"),
    ("UIDL", "+OK\r\n1 a\r\n2 b\r\n."),
    ("LIST", "+OK\r\n1 18\r\n2 18\r\n."),
    ("RETR", "+OK\r\nSubject: x\r\n\r\nhello\r\n."),
    ("NOOP", "+OK"),
    ("DELE", "+OK"),
    ("QUIT", "+OK"),
];

/// Places in a conversation by POP3, each with the command that is answered otherwise.
const POP3_PLACES: &[(&str, &str)] = &[
    ("", "+OK {said}"),
    ("", "-ERR {said}"),
    ("", "-ERR [SYS/TEMP] {said}"),
    ("", "{said}"),
    ("CAPA", "-ERR {said}"),
    ("CAPA", "{said}"),
    ("CAPA", "+OK {said}\r\n{said}\r\nIMPLEMENTATION {said}\r\nUIDL\r\n."),
    ("CAPA", "+OK\r\nSASL {word} {word}\r\n."),
    ("CAPA", "+OK\r\nSASL PLAIN {word}\r\nUIDL\r\n."),
    ("CAPA", "+OK\r\nSASL PLAIN SAID not-a-secret\r\nUIDL\r\n."),
    ("AUTH", "+OK {said}"),
    ("AUTH", "-ERR {said}"),
    ("AUTH", "-ERR [AUTH] {said}"),
    ("AUTH", "-ERR [IN-USE] {said}"),
    ("AUTH", "-ERR [LOGIN-DELAY] {said}"),
    ("AUTH", "-ERR [SYS/TEMP] {said}"),
    ("AUTH", "-ERR [SYS/PERM] {said}"),
    ("AUTH", "-ERR [{said}] locked"),
    ("AUTH", "+ {said}"),
    ("AUTH", "+ {base64}"),
    ("AUTH", "{said}"),
    ("USER", "+OK {said}"),
    ("USER", "-ERR {said}"),
    ("USER", "{said}"),
    ("PASS", "+OK {said}"),
    ("PASS", "-ERR {said}"),
    ("PASS", "-ERR too many connections: {said}"),
    ("PASS", "{said}"),
    ("UIDL", "-ERR {said}"),
    ("UIDL", "{said}"),
    ("UIDL", "+OK {said}\r\n1 a\r\n."),
    ("UIDL", "+OK\r\n1 {said}\r\n2 b\r\n."),
    ("UIDL", "+OK\r\n1 {visible}\r\n2 {visible}\r\n."),
    ("UIDL", "+OK\r\n{said}\r\n."),
    ("LIST", "-ERR {said}"),
    ("LIST", "{said}"),
    ("LIST", "+OK {said}\r\n1 18 {said}\r\n."),
    ("LIST", "+OK\r\n1 {said}\r\n."),
    ("LIST", "+OK\r\n{said}\r\n."),
    ("RETR", "-ERR {said}"),
    ("RETR", "+OK {said}\r\nSubject: {said}\r\n\r\n{said}\r\n."),
    ("RETR", "{said}"),
    ("RETR 2", "-ERR {said}"),
    ("NOOP", "-ERR {said}"),
    ("DELE", "-ERR {said}"),
    ("DELE", "{said}"),
    ("QUIT", "-ERR {said}"),
    ("QUIT", "{said}"),
];

/// Challenges, which are shown nowhere, and what nobody waits for.
const UNSEEN: &[(&str, &str)] = &[
    ("AUTH", "+ {said}"),
    ("AUTH", "+ {base64}"),
    ("AUTH", "334 {said}"),
    ("AUTH", "334 {base64}"),
    ("NOOP", "{said}"),
];

const SMTP: [(&str, &str); 9] = [
    ("", "220 ready"),
    ("EHLO", "250-x\r\n250 AUTH PLAIN"),
    ("AUTH", "235 ok"),
    ("MAIL", "250 ok"),
    ("RCPT", "250 ok"),
    ("DATA", "354 go on"),
    (".", "250 2.0.0 taken"),
    ("RSET", "250 ok"),
    ("QUIT", "221 bye"),
];

const SMTP_PLACES: &[(&str, &str)] = &[
    ("", "220 {said}"),
    ("", "220-{said}\r\n220 {said}"),
    ("", "421 {said}"),
    ("", "554 {said}"),
    ("", "{said}"),
    ("EHLO", "550 {said}"),
    ("EHLO", "421 {said}"),
    ("EHLO", "{said}"),
    ("EHLO", "250-{said}\r\n250-{said}\r\n250 AUTH PLAIN"),
    ("EHLO", "250-x\r\n250 AUTH {word} {word}"),
    ("EHLO", "250-x\r\n250 AUTH PLAIN SAID not-a-secret"),
    ("EHLO", "250-x\r\n250-SIZE {said}\r\n250 AUTH PLAIN {word}"),
    ("EHLO", "250-x\r\n250-SIZE 1 {said}\r\n250 AUTH PLAIN"),
    ("AUTH", "235 {said}"),
    ("AUTH", "235-{said}\r\n235 {said}"),
    ("AUTH", "535 5.7.8 {said}"),
    ("AUTH", "535-{said}\r\n535 {said}"),
    ("AUTH", "454 4.7.0 {said}"),
    ("AUTH", "504 5.5.4 {said}"),
    ("AUTH", "421 {said}"),
    ("AUTH", "334 {said}"),
    ("AUTH", "334 {base64}"),
    ("AUTH", "{said}"),
    ("MAIL", "250 {said}"),
    ("MAIL", "450 {said}"),
    ("MAIL", "550 {said}"),
    ("MAIL", "421 {said}"),
    ("MAIL", "{said}"),
    ("RCPT", "250 {said}"),
    ("RCPT", "450 4.2.2 {said}"),
    ("RCPT", "550 5.1.1 {said}"),
    ("RCPT TO:<bob", "550-{said}\r\n550 5.1.1 {said}"),
    ("RCPT", "{said}"),
    ("DATA", "354 {said}"),
    ("DATA", "451 {said}"),
    ("DATA", "554 {said}"),
    ("DATA", "{said}"),
    (".", "250 {said}"),
    (".", "250-{said}\r\n250 {said}"),
    (".", "451 {said}"),
    (".", "554 {said}"),
    (".", "421 {said}"),
    (".", "{said}"),
    ("RSET", "{said}"),
];

/// A server of which one answer is another one.
fn server(usual: &[(&str, &str)], place: &(&str, &str)) -> SocketAddr {
    let (verb, answer) = place;
    let encoded = STANDARD.encode(said());
    let answer = answer
        .replace("{said}", &said())
        .replace("{word}", &word())
        .replace("{visible}", &format!("{MARK}{}", without_controls()))
        .replace("{base64}", &encoded);
    let mut answers: Vec<_> = usual.iter().map(|(verb, answer)| (*verb, *answer)).collect();
    // One message of many is answered before all others.
    if answers.iter().all(|(usual, _)| usual != verb) {
        answers.insert(1, (verb, ""));
    }
    let answers = answers.into_iter().map(|(usual, text)| {
        (usual.to_owned(), if usual == *verb { answer.clone() } else { text.to_owned() })
    });
    let mut answers: Vec<_> = answers.collect();
    let (_, greeting) = answers.remove(0);
    serve(greeting, answers)
}

/// What is looked at, and what was found in it.
struct Sweep {
    home: Home,
    faults: Vec<String>,
    /// True if the server's text was seen.
    was_shown: bool,
    outputs: usize,
}

impl Sweep {
    fn new() -> Self {
        Self { home: Home::new(), faults: Vec::new(), was_shown: false, outputs: 0 }
    }

    fn look(&mut self, place: &str, output: &str, is_terminal: bool) {
        self.outputs += 1;
        self.was_shown |= output.contains(MARK);
        if let Some(what) = fault(output, is_terminal) {
            self.faults.push(format!("{what} in {place}: {:?}", output.escape_debug().to_string()));
        }
    }

    /// Runs the program away from a terminal.
    fn run(&mut self, args: &[&str], stdin: &str) {
        let outcome = self.home.postie(args.iter().copied()).stdin(stdin).run();
        assert!(outcome.status != 101 && outcome.status != 70, "{args:?}: {outcome:?}");
        self.look(&format!("standard output of {args:?}"), &outcome.stdout, false);
        self.look(&format!("standard error of {args:?}"), &outcome.stderr, false);
    }

    /// Runs it at a terminal.
    fn run_at_a_terminal(&mut self, args: &[&str]) {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let screen = at_a_terminal(&self.home, &args, "");
        self.look(&format!("the screen of {args:?}"), &screen, true);
    }

    /// The same, with a file as standard input.
    fn run_at_a_terminal_with(&mut self, args: &[&str], input: &Path) {
        let line = format!("{}' <'{}", args.join("' '"), input.display());
        let screen = at_a_terminal(&self.home, &[line], "");
        self.look(&format!("the screen of {args:?}"), &screen, true);
    }

    /// Looks at what is left, and says what was found.
    fn end(mut self, name: &str) {
        self.look_at_files();
        let Self { faults, outputs, was_shown, .. } = self;
        assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
        assert!(was_shown, "none of it was ever shown");
        servers::note(&format!("{name}: {outputs} outputs, nothing slips through"));
    }

    /// Looks at all that is kept, but for messages.
    fn look_at_files(&mut self) {
        let mut dirs = vec![self.home.path().join(".local"), self.home.path().join("log")];
        while let Some(path) = dirs.pop() {
            if let Ok(entries) = fs::read_dir(&path) {
                dirs.extend(entries.map(|entry| entry.unwrap().path()));
            } else if let Ok(text) = fs::read(&path)
                && path.extension().is_none_or(|extension| extension != "eml")
            {
                let name = path.display().to_string();
                self.look(&name, &String::from_utf8_lossy(&text), false);
                self.look("the name of a file", &name, false);
            }
        }
    }
}

/// Tries all places, several at a time.
fn sweep(name: &str, places: &[(&str, &str)], play: impl Fn(&(&str, &str)) -> Sweep + Sync) {
    const AT_A_TIME: usize = 8;
    let (next, all) = (Mutex::new(places.iter()), Mutex::new((Vec::new(), 0)));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let place = next.lock().unwrap().next();
                    let Some(place) = place else { return };
                    let played = play(place);
                    let mut all = all.lock().unwrap();
                    all.1 += played.outputs;
                    all.0.extend(played.faults.iter().map(|fault| format!("{place:?}: {fault}")));
                    if played.was_shown == UNSEEN.contains(place) {
                        all.0.push(format!("{place:?}: shown: {}", played.was_shown));
                    }
                }
            });
        }
    });
    let (faults, outputs) = all.into_inner().unwrap();
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
    servers::note(&format!(
        "{name}: {} places, {outputs} outputs, nothing slips through",
        places.len()
    ));
}

fn account(address: SocketAddr, more: &str) -> String {
    format!(
        "[account.home]\nserver = \"{address}\"\ntls = \"none\"\nuser = \"ann\"\n\
         password = \"{PASSWORD}\"\nlog-file = \"log\"\ntimeout = 5\n{more}"
    )
}

#[test]
fn nothing_that_a_pop3_server_says_slips_through() {
    let is_there = servers::is_installed("script");
    sweep("POP3", POP3_PLACES, |place| {
        let mut sweep = Sweep::new();
        let address = server(&POP3, place);
        let auth = if ["USER", "PASS"].contains(&place.0) { "auth = \"user\"\n" } else { "" };
        let more = format!("{auth}[account.home.fetch]\nmaildir = \"Mail\"\nkeep = \"none\"\n");
        sweep.home.config(&account(address, &more));
        for args in [
            &["fetch"][..],
            &["fetch", "--json"],
            &["fetch", "-vv", "--json"],
            &["fetch", "--dry-run", "--json"],
            &["check", "--fetch", "--json"],
            &["check", "--fetch", "-v"],
        ] {
            sweep.run(args, "");
        }
        if is_there {
            sweep.run_at_a_terminal(&["fetch", "--all"]);
            sweep.run_at_a_terminal(&["fetch", "--dry-run"]);
            sweep.run_at_a_terminal(&["check", "--fetch"]);
        }
        sweep.look_at_files();
        sweep
    });
}

#[test]
fn nothing_that_a_submission_server_says_slips_through() {
    let is_there = servers::is_installed("script");
    sweep("SMTP", SMTP_PLACES, |place| {
        let mut sweep = Sweep::new();
        let address = server(&SMTP, place);
        sweep.home.config(&account(address, "[account.home.send]\nfrom = \"ann@example.com\"\n"));
        let message = "To: bob@example.net, carol@example.net\nSubject: hello\n\nhello\n";
        for args in [
            &["send", "-t"][..],
            &["send", "-t", "--all-or-nothing", "-vv", "--json"],
            &["send", "-t", "--queue", "--json"],
            &["queue"],
            &["queue", "--json"],
            &["queue", "flush", "--all", "-v"],
            &["queue", "flush", "--all", "--json"],
            &["check", "--send", "--json"],
            &["check", "--send", "-v", "--probe-sender"],
        ] {
            sweep.run(args, message);
        }
        if is_there {
            sweep.run_at_a_terminal(&["send", "--to=bob@example.net", "--body=hello"]);
            sweep.run_at_a_terminal(&["queue"]);
            sweep.run_at_a_terminal(&["check", "--send"]);
        }
        sweep.look_at_files();
        sweep
    });
}

/// A text with everything in it that a person could be made to pass on.
fn passed_on() -> String {
    format!("{MARK}{}", characters())
}

#[test]
fn nothing_in_a_command_line_or_a_configuration_slips_through() {
    let is_there = servers::is_installed("script");
    let mut sweep = Sweep::new();
    let text = passed_on();
    let visible = format!("{MARK}{}", without_controls());
    sweep.home.config(&account("127.0.0.1:1".parse().unwrap(), ""));
    let command_lines: &[&[&str]] = &[
        &["{}"],
        &["--{}"],
        &["fetch", "{}"],
        &["fetch", "--keep={}"],
        &["fetch", "--max-size={}"],
        &["fetch", "--server={}", "--user=ann", "--password-file=x"],
        &["fetch", "--server=127.0.0.1:1", "--tls=none", "--user={}", "--password-file={}"],
        &["fetch", "--config={}"],
        &["send", "{}"],
        &["send", "{}@example.net"],
        &["send", "bob@{}"],
        &["send", "--from={}", "bob@example.net"],
        &["send", "--account={}", "bob@example.net"],
        &["send", "--to={}", "--body=x"],
        &["send", "--to=bob@example.net", "--header={}", "--body=x"],
        &["send", "--to=bob@example.net", "--subject={}", "--body=x"],
        &["send", "--to=bob@example.net", "--full-name={}", "--body=x"],
        &["send", "--to=bob@example.net", "--attach", "{}"],
        &["queue", "remove", "{}"],
        &["check", "{}"],
        &["check", "{}@example.net", "--fetch"],
        &["setup", "{}", "--offline"],
        &["setup", "{}@example.net", "--offline"],
        &["login", "{}"],
        &["import", "{}"],
        &["man", "{}"],
        &["help", "{}"],
    ];
    for words in command_lines {
        for text in [&text, &visible] {
            let words: Vec<_> = words.iter().map(|word| word.replace("{}", text)).collect();
            let mut words: Vec<_> = words.iter().map(String::as_str).collect();
            sweep.run(&words, "Subject: x\n\nx\n");
            words.push("--json");
            sweep.run(&words, "Subject: x\n\nx\n");
            words.pop();
            if is_there {
                sweep.run_at_a_terminal_with(&words, Path::new("/dev/null"));
            }
        }
    }
    let escaped: Vec<_> = text.chars().map(|c| format!("\\U{:08X}", u32::from(c))).collect();
    let escaped = escaped.concat();
    for config in [
        "\"{}\" = 1",
        "default = \"{}\"",
        "[account.\"{}\"]\nserver = \"127.0.0.1:1\"",
        "[account.home]\nserver = \"{}\"\nuser = \"ann\"",
        "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"{}\"\npassword = \"x\"",
        "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"ann\"\npassword-file = \"{}\"",
        "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"ann\"\npassword-command = [\"{}\"]",
        "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"ann\"\nca-file = \"{}\"",
        "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"ann\"\nmaildir = \"{}/x\"",
        "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"ann\"\nkeep = \"{}\"",
        "[aliases]\nroot = \"{}\"",
    ] {
        sweep.home.config(&config.replace("{}", &escaped));
        for args in
            [&["fetch"][..], &["fetch", "--json"], &["check"], &["check", "--json"], &["queue"]]
        {
            sweep.run(args, "");
        }
        sweep.run(&["send", "bob@example.net"], "Subject: x\n\nx\n");
    }
    sweep.end("command lines and configurations");
}

#[test]
fn nothing_in_a_message_slips_through_where_it_is_listed_or_shown() {
    let is_there = servers::is_installed("script");
    let mut sweep = Sweep::new();
    let config = account("127.0.0.1:1".parse().unwrap(), "[account.home.send]\nqueue = true\n");
    sweep.home.config(&config);
    for text in [passed_on(), format!("{MARK}{}", without_controls())] {
        for header in [
            "To: bob@example.net\nSubject: {}",
            "To: \"{}\" <bob@example.net>\nSubject: x",
            "To: {} <bob@example.net>\nFrom: {} <ann@example.com>",
            "To: bob@example.net\nFrom: {}@example.com",
            "To: {}@example.net\nSubject: x",
            "To: bob@example.net\nX-{}: x",
            "To: bob@example.net\nMessage-ID: <{}@example.com>",
            "{}",
        ] {
            let message = format!("{}\n\n{text}\n", header.replace("{}", &text));
            for args in [
                &["send", "-t", "--from=ann@example.com"][..],
                &["send", "-t", "--json"],
                &["queue"],
                &["queue", "--json"],
            ] {
                sweep.run(args, &message);
            }
            if is_there {
                let file = sweep.home.file("message", &message);
                sweep.run_at_a_terminal(&["queue"]);
                sweep.run_at_a_terminal_with(&["send", "-t", "--dry-run"], &file);
            }
        }
    }
    sweep.end("messages");
}

#[test]
fn nothing_in_a_certificate_slips_through() {
    let text = passed_on();
    let mut sweep = Sweep::new();
    let authority = Authority::named(&text);
    sweep.home.file("ca.pem", authority.pem());
    let ascii: String = text.chars().filter(char::is_ascii).collect();
    for identity in [
        authority.issue(&["127.0.0.1"]),
        authority.issue_to_common_name(&text),
        authority.issue(&[&ascii]),
        authority.issue_expired(&["127.0.0.1"]),
    ] {
        let server = Server::start(identity.config(), &[("ann", PASSWORD)]);
        for ca in ["", "ca-file = \"ca.pem\"\n"] {
            let side = |address: SocketAddr| {
                account(address, ca).replace("tls = \"none\"", "tls = \"implicit\"")
            };
            for (address, command) in
                [(server.pop3, &["fetch"][..]), (server.smtp, &["send", "bob@example.net"])]
            {
                sweep.home.config(&side(address));
                for more in ["-v", "-vv", "--json"] {
                    let words: Vec<_> = command.iter().copied().chain([more]).collect();
                    sweep.run(&words, "Subject: x\n\nx\n");
                }
                let side = if command.len() == 1 { "--fetch" } else { "--send" };
                for words in [&["check", side][..], &["check", side, "--json"]] {
                    sweep.run(words, "");
                }
            }
        }
    }
    sweep.end("certificates");
}

/// Responses of a web server.
const RESPONSES: &[&str] = &[
    "HTTP/1.1 400 {said}\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 302 {said}\r\nLocation: {word}\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 302 Found\r\nLocation: https://{word}/\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n{said}\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: {said}\r\nContent-Length: {length}\r\n\r\n{body}",
    "{said}\r\n\r\n",
];

#[test]
fn nothing_that_an_authorization_server_says_slips_through() {
    let is_there = servers::is_installed("script");
    let authority = Authority::new();
    let (said, word) = (said(), word());
    let object = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).into()));
        serde_json::Value::Object(pairs.collect()).to_string()
    };
    let bodies = [
        said.clone(),
        object(&[("error", &word), ("error_description", &said), ("error_uri", &word)]),
        object(&[("error", "invalid_grant"), ("error_description", &said)]),
        object(&[("error", "invalid_client"), ("error_description", &said)]),
        object(&[("access_token", &said), ("token_type", &said)]),
        object(&[("access_token", "x"), ("token_type", &word), ("scope", &said)]),
        object(&[
            ("device_code", "x"),
            ("user_code", &said),
            ("verification_uri", &word),
            ("expires_in", "1"),
            ("interval", "1"),
        ]),
        format!("{{\"device_code\":\"x\",\"user_code\":{said:?},\"expires_in\":1}}"),
    ];
    let mut responses = Vec::new();
    for status in ["400 Bad Request", "401 Unauthorized", "500 Error", "200 OK"] {
        for body in &bodies {
            let length = body.len();
            responses.push(format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            ));
        }
    }
    for response in RESPONSES {
        let length = said.len().to_string();
        let response = response.replace("{said}", &said).replace("{word}", &word);
        responses.push(response.replace("{length}", &length).replace("{body}", &said));
    }
    let mut sweep = Sweep::new();
    let ca = sweep.home.file("ca.pem", authority.pem());
    let identity = authority.issue(&["127.0.0.1"]);
    for response in responses {
        let pages = ["/token", "/device", "/.well-known/openid-configuration"];
        // The port is not known yet, and the path is enough.
        let web = Web::start_for_all_hosts(
            identity.config(),
            pages.map(|page| (page.to_owned(), response.clone())).to_vec(),
        );
        let url = format!("https://{}", web.address);
        for grant in ["grant = \"client-credentials\"\n", ""] {
            let oauth = format!(
                "[oauth.house]\nclient-id = \"x\"\nclient-secret = \"{PASSWORD}\"\ntoken = \
                 \"{url}/token\"\ndevice = \"{url}/device\"\nauthorize = \"{url}/x\"\nscope = \
                 \"mail\"\nca-file = \"{}\"\n{grant}",
                ca.display()
            );
            let account = account("127.0.0.1:1".parse().unwrap(), "oauth = \"house\"\n");
            let account = account.replace(&format!("password = \"{PASSWORD}\"\n"), "");
            sweep.home.config(&format!("{oauth}{account}"));
            if grant.is_empty() {
                if is_there {
                    sweep.run_at_a_terminal(&["login", "home", "--device"]);
                }
                continue;
            }
            for args in [
                &["fetch", "-v"][..],
                &["fetch", "-vv", "--json"],
                &["check", "--fetch"],
                &["check", "--fetch", "--json"],
            ] {
                sweep.run(args, "");
            }
        }
    }
    sweep.end("authorization servers");
}

#[test]
fn nothing_that_setup_finds_slips_through() {
    let authority = Authority::new();
    let identity = authority.issue(&["autoconfig.example.org", "example.org"]);
    let (said, word) = (format!("{MARK} {}", characters()), passed_on());
    let document = |host: &str, name: &str, user: &str| {
        format!(
            "<clientConfig version=\"1.1\"><emailProvider id=\"{name}\"><domain>{name}</domain>\
             <displayName>{name}</displayName><incomingServer type=\"pop3\"><hostname>{host}\
             </hostname><port>995</port><socketType>SSL</socketType><username>{user}</username>\
             <authentication>password-cleartext</authentication></incomingServer></emailProvider>\
             </clientConfig>"
        )
    };
    let visible = format!("{MARK}{}", without_controls());
    let bodies = [
        said.clone(),
        document(&word, &said, "%EMAILADDRESS%"),
        document(&visible, &visible, &visible),
        document("pop.example.org", &visible, &visible),
        document("pop.example.org", "example.org", &visible),
        format!("<clientConfig version=\"1.1\"><{visible}></{visible}></clientConfig>"),
        format!("<?xml version=\"{visible}\"?><clientConfig {visible}=\"1.1\">&{visible};"),
    ];
    let mut responses: Vec<_> = bodies
        .iter()
        .map(|body| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
        .collect();
    for response in RESPONSES {
        let length = said.len().to_string();
        let response = response.replace("{said}", &said).replace("{word}", &word);
        responses.push(response.replace("{length}", &length).replace("{body}", &said));
    }
    let mut sweep = Sweep::new();
    sweep.home.file("ca.pem", authority.pem());
    for response in responses {
        let pages = [
            "autoconfig.example.org/mail/config-v1.1.xml",
            "example.org/.well-known/autoconfig/mail/config-v1.1.xml",
        ];
        let pages = pages.map(|page| (page.to_owned(), response.clone())).to_vec();
        let web = Web::start(identity.config(), pages);
        let names = Names::start(&["example.org"], &[]);
        let options = [
            format!("--dns={}", names.address),
            "--ca-file=ca.pem".to_owned(),
            format!("--connect-to=:443:{}", web.address),
            "--connect-to=:995:127.0.0.1:1".to_owned(),
            "--connect-to=:465:127.0.0.1:1".to_owned(),
        ];
        let words = |more: &'static str| {
            let words = ["setup", "ann@example.org", more].into_iter();
            words.chain(options.iter().map(String::as_str)).collect::<Vec<_>>()
        };
        for more in ["-v", "-vv", "--json"] {
            sweep.run(&words(more), "");
        }
    }
    sweep.end("setup");
}
