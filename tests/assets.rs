//! The manual pages and completions are made here: the prose lies in `man/text/`, the options, keys,
//! hints and limits come from the program's own tables, and the committed files must be what comes
//! out. `BLESS=1 cargo test assets` rewrites them.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::{Arg, Command, CommandFactory};
use clap_complete::{Shell, generate};
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use postie::cli::{
    Args, CHECK_EXAMPLES, EXAMPLES, FETCH_EXAMPLES, IMPORT_EXAMPLES, INSTALL_EXAMPLES,
    LOGIN_EXAMPLES, QUEUE_EXAMPLES, SEND_EXAMPLES, SETUP_EXAMPLES, SUBMIT_SERVER_EXAMPLES,
};
use postie::config::{KEYS, Key, OAUTH_KEYS, Place, Tls};
use postie::error::Exit;
use postie::hints::{self, Advice};
use postie::import::{Becomes, vocabulary};
use postie::limits;
use postie::providers::{Endpoint, LoginName, TABLE};
use postie::text::RecipientStatus;

use crate::support::completions::{bash, fish, zsh};

/// Set by hand with every release: a page must not change because the day does.
const DATE: &str = "2026-11-24";

/// The widest line that an example may have: 80 columns, less the indentation.
const WIDTH: usize = 73;

#[test]
fn the_manual_pages_are_fresh() {
    for (page, section, examples) in [
        ("postie", "1", EXAMPLES),
        ("postie-fetch", "1", FETCH_EXAMPLES),
        ("postie-send", "1", SEND_EXAMPLES),
        ("postie-queue", "1", QUEUE_EXAMPLES),
        ("postie-import", "1", IMPORT_EXAMPLES),
        ("postie-check", "1", CHECK_EXAMPLES),
        ("postie-install", "1", INSTALL_EXAMPLES),
        ("postie-setup", "1", SETUP_EXAMPLES),
        ("postie-login", "1", LOGIN_EXAMPLES),
        ("postie-submit-server", "1", SUBMIT_SERVER_EXAMPLES),
        ("postie-config", "5", include_str!("../man/text/postie-config.toml")),
        ("postie-providers", "7", ""),
        ("postie-recipes", "7", ""),
    ] {
        let text = fs::read_to_string(format!("man/text/{page}.txt")).unwrap();
        let rendered = Page { name: page, section, examples }.render(&text);
        fresh(&format!("man/{page}.{section}"), rendered.as_bytes());
    }
}

#[test]
fn the_completions_are_fresh() {
    let mut program = Args::command();
    program.build();
    for (name, text) in [
        ("postie.bash", bash(&program)),
        ("_postie", zsh(&program)),
        ("postie.fish", fish(&program)),
    ] {
        fresh(&format!("completions/{name}"), text.as_bytes());
    }
    for (shell, name) in [(Shell::Elvish, "postie.elv"), (Shell::PowerShell, "_postie.ps1")] {
        let mut text = Vec::new();
        generate(shell, &mut Args::command(), "postie", &mut text);
        fresh(&format!("completions/{name}"), &text);
    }
}

#[test]
fn every_limit_is_in_the_manual() {
    let source = fs::read_to_string("src/limits.rs").unwrap();
    let names = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split_once(':'));
    let names: Vec<_> = names.map(|(name, _)| name.to_owned()).collect();
    let told: Vec<_> = bounds().into_iter().map(|(name, ..)| name.to_owned()).collect();
    assert_eq!(names, told);
}

/// Compares a committed file with what it should be, or makes it so.
fn fresh(name: &str, text: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let found = fs::read(&path).unwrap_or_default();
    assert!(found == text, "{name} is stale: run `BLESS=1 cargo test assets` and commit it");
}

/// A page of the manual, and what its text does not hold.
struct Page {
    name: &'static str,
    section: &'static str,
    examples: &'static str,
}

impl Page {
    /// Renders the text of a page. A line `# TITLE` begins a section, an empty line ends a paragraph.
    /// A paragraph of lines with `| ` is a synopsis, one that is indented stands as it is, one whose
    /// second line begins with `: ` defines its first line, and `{name}` stands for a table. Words
    /// in backticks are bold.
    fn render(&self, text: &str) -> String {
        let mut roff = Roff::new();
        let manual = format!("postie {}", env!("CARGO_PKG_VERSION"));
        let title = self.name.to_uppercase();
        let volume = match self.section {
            "1" => "User Commands",
            "5" => "File Formats",
            _ => "Miscellanea",
        };
        roff.control("TH", [title.as_str(), self.section, DATE, manual.as_str(), volume]);
        roff.control("SH", ["NAME"]).text([roman(format!("{} - {}", self.name, self.purpose()))]);
        let mut is_first = true;
        for paragraph in text.trim().split("\n\n") {
            if let Some(title) = paragraph.strip_prefix("# ") {
                roff.control("SH", [title]);
                is_first = true;
                continue;
            }
            if let Some(name) = paragraph.strip_prefix('{').and_then(|name| name.strip_suffix('}'))
            {
                self.table(&mut roff, name);
            } else if let Some((head, definition)) = paragraph.split_once("\n: ") {
                roff.control("TP", []).text([bold(head)]).text(inlines(definition));
            } else if paragraph.starts_with("| ") {
                synopsis(&mut roff, paragraph);
            } else {
                if !is_first {
                    roff.control("PP", []);
                }
                if paragraph.starts_with("  ") {
                    verbatim(&mut roff, paragraph);
                } else {
                    roff.text(inlines(paragraph));
                }
            }
            is_first = false;
        }
        roff.to_roff()
    }

    /// What stands behind the name of the page.
    fn purpose(&self) -> String {
        match self.section {
            "5" => "the configuration file of postie(1)".to_owned(),
            "7" if self.name == "postie-recipes" => "common tasks with postie(1)".to_owned(),
            "7" => "mail providers known to postie(1)".to_owned(),
            _ => self.command().get_about().unwrap().to_string(),
        }
    }

    fn command(&self) -> Command {
        let mut args = Args::command();
        args.build();
        match self.name.strip_prefix("postie-") {
            Some(name) => args.find_subcommand(name).unwrap().clone(),
            None => args,
        }
    }

    fn table(&self, roff: &mut Roff, name: &str) {
        match name {
            "description" => {
                let command = self.command();
                let text = command.get_long_about().or(command.get_about()).unwrap().to_string();
                for (index, paragraph) in text.split("\n\n").enumerate() {
                    if index > 0 {
                        roff.control("PP", []);
                    }
                    let end = if paragraph.ends_with('.') { "" } else { "." };
                    roff.text([roman(format!("{paragraph}{end}"))]);
                }
            }
            "options" => options(roff, &self.command()),
            "commands" => commands(roff),
            "exit status" => {
                for (_, status, word, meaning) in Exit::TABLE {
                    let head = [bold(status.to_string()), roman(format!(" ({word})"))];
                    roff.control("TP", []).text(head).text(inlines(meaning));
                }
            }
            "recipient status" => {
                for (status, meaning) in RecipientStatus::ALL {
                    let head = [bold(status.word())];
                    roff.control("TP", []).text(head).text([roman(format!("{meaning}."))]);
                }
            }
            "limits" => {
                for (_, what, bound) in bounds() {
                    roff.control("TP", []).text([roman(what)]).text([roman(bound)]);
                }
            }
            "hints" => troubleshooting(roff),
            "keywords" => keywords(roff),
            "account keys" => keys(roff, KEYS.iter().filter(|key| key.place == Place::Account)),
            "fetch keys" => keys(roff, KEYS.iter().filter(|key| key.place == Place::Fetch)),
            "send keys" => keys(roff, KEYS.iter().filter(|key| key.place == Place::Send)),
            "oauth keys" => keys(roff, OAUTH_KEYS.iter()),
            "provider count" => {
                let confirmed = TABLE.iter().filter(|row| row.is_confirmed).count();
                roff.text([roman(format!(
                    "{confirmed} of these {} providers are confirmed: Thunderbird's autoconfig file \
                     and a help page of the provider agree. For the others, one source was read, \
                     or the two differ. None was tested.",
                    TABLE.len()
                ))]);
            }
            "providers" => providers(roff),
            "examples" => {
                let text = self.examples;
                verbatim(roff, text.strip_prefix("Examples:\n").unwrap_or(text));
            }
            other => panic!("{other}"),
        }
    }
}

/// Text in which words in backticks are bold.
fn inlines(text: &str) -> Vec<Inline> {
    let text = text.replace('\n', " ");
    let parts = text.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 0 { roman(part) } else { bold(part) }).collect()
}

/// Words in capitals are to be replaced, all others typed as they stand.
fn synopsis(roff: &mut Roff, text: &str) {
    for (index, line) in text.lines().enumerate() {
        if index > 0 {
            roff.control("br", []);
        }
        let mut inlines = Vec::new();
        for word in line.strip_prefix("| ").unwrap().split_inclusive([' ', '[', ']']) {
            let is_free = word.chars().any(char::is_uppercase);
            let is_typed = word.chars().any(char::is_lowercase);
            inlines.push(if is_free {
                italic(word)
            } else if is_typed {
                bold(word)
            } else {
                roman(word)
            });
        }
        roff.text(inlines);
    }
}

fn verbatim(roff: &mut Roff, text: &str) {
    roff.control("nf", []);
    for line in text.lines() {
        let line = line.strip_prefix("  ").unwrap_or(line);
        assert!(line.chars().count() <= WIDTH, "{line}");
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

/// Arguments, then options, then those under headings of their own.
fn options(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["OPTIONS"]);
    let shown = |arg: &&Arg| !arg.is_hide_set();
    for arg in command.get_positionals().filter(shown) {
        option(roff, arg);
    }
    let mut headings: Vec<Option<&str>> = vec![None];
    for arg in command.get_opts().chain(command.get_arguments()).filter(shown) {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    for heading in headings {
        if let Some(heading) = heading {
            roff.control("SS", [heading]);
        }
        let of_heading = |arg: &&Arg| !arg.is_positional() && arg.get_help_heading() == heading;
        for arg in command.get_arguments().filter(shown).filter(of_heading) {
            option(roff, arg);
        }
    }
}

fn option(roff: &mut Roff, arg: &Arg) {
    let mut head = Vec::new();
    if let Some(short) = arg.get_short() {
        head.extend([bold(format!("-{short}")), roman(", ")]);
    }
    if let Some(long) = arg.get_long() {
        head.push(bold(format!("--{long}")));
    }
    let takes_value = arg.is_positional() || arg.get_action().takes_values();
    if let Some([value, ..]) = arg.get_value_names().filter(|_| takes_value) {
        let before = if arg.is_positional() { "" } else { " " };
        head.extend([roman(before), italic(value.as_str())]);
    }
    let mut text = match arg.get_id().as_str() {
        "help" => "Print help; -h prints a summary".to_owned(),
        _ => arg.get_help().unwrap().to_string(),
    };
    if let [default] = arg.get_default_values()
        && takes_value
    {
        text = format!("{text} [default: {}]", default.to_string_lossy());
    }
    roff.control("TP", []).text(head).text([roman(format!("{text}."))]);
}

fn commands(roff: &mut Roff) {
    for command in Args::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let about = command.get_about().unwrap().to_string();
        let name = command.get_name();
        let page = match name {
            "man" | "completions" => "postie-install".to_owned(),
            name => format!("postie-{name}"),
        };
        let head = [bold(format!("postie {name}"))];
        roff.control("TP", []).text(head);
        roff.text([roman(format!("{about}: ")), bold(page), roman("(1).")]);
    }
}

fn keys<'a>(roff: &mut Roff, keys: impl Iterator<Item = &'a Key>) {
    for key in keys {
        let head = [bold(key.name), roman(format!(" = {}", key.value))];
        roff.control("TP", []).text(head).text(inlines(key.text));
    }
}

fn providers(roff: &mut Roff) {
    for row in TABLE {
        let endpoint = |what: &str, endpoint: Option<Endpoint>| {
            let Endpoint { host, port, tls } = endpoint?;
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let tls = if tls == Tls::Implicit { "" } else { ", tls = \"starttls\"" };
            Some(format!("{what} {host}{port}{tls}"))
        };
        let user = match row.login {
            LoginName::Address => "user = the whole address",
            LoginName::LocalPart => "user = the part before the @",
        };
        let facts = [endpoint("POP3", row.fetch), endpoint("SMTP", row.send)];
        let mut facts: Vec<_> = facts.into_iter().flatten().collect();
        if row.fetch.is_none() {
            facts.push(format!("no POP3: {}", row.instead));
        }
        if !facts.is_empty() && row.send.is_some() {
            facts.push(user.to_owned());
        }
        facts.extend(row.preparation());
        facts.push(if row.is_confirmed { "confirmed" } else { "not confirmed" }.to_owned());
        let domains = match row.domains {
            [] => "customers' own domains".to_owned(),
            domains => domains.join(" "),
        };
        roff.control("TP", []).text([bold(row.name), roman(format!(" ({domains})"))]);
        roff.text(inlines(&format!("{}.", facts.join("; "))));
    }
}

/// The table of hints: the situation, the server's words, and what to do.
fn troubleshooting(roff: &mut Roff) {
    let mut last = None;
    for Advice { when, says, words } in hints::TABLE {
        let says: Vec<_> = says.iter().map(|words| format!("\"{}\"", words.trim())).collect();
        let (title, words) = match says.join(" or ").as_str() {
            "" if *words == hints::PROVIDER => (
                format!("{when}, at a provider with its own rules"),
                "The provider's rule; see postie-providers(7).",
            ),
            "" if last == Some(*when) => (format!("{when}, otherwise"), *words),
            "" => (when.to_string(), *words),
            says => (format!("{when}, and the server's reply has {says}"), *words),
        };
        last = Some(*when);
        let title = title.replace('`', "");
        roff.control("TP", []).text([bold(title)]).text(inlines(&hints::for_side(
            &words.replace("{pin}", "PIN").replace("{check}", "postie check ACCOUNT"),
            None,
        )));
    }
}

/// The words of other programs' configurations.
fn keywords(roff: &mut Roff) {
    for (program, words) in vocabulary() {
        roff.control("SS", [program]);
        for keyword in words {
            let becomes = match keyword.becomes {
                Becomes::Structure => "used to read the others".to_owned(),
                Becomes::Key(key) => key.to_owned(),
                Becomes::Password => "password-file, and its content with --write".to_owned(),
                Becomes::Memory => "the place of the list of fetched messages".to_owned(),
                Becomes::Aliases => "[aliases], from the file it names".to_owned(),
                Becomes::Comment(reason, _) | Becomes::Hidden(reason) => {
                    format!("a comment: {reason}")
                }
            };
            roff.control("TP", []).text([bold(keyword.word)]).text(inlines(&becomes));
        }
    }
}

/// Every limit by name, what it bounds, and how, in the order of their module.
fn bounds() -> Vec<(&'static str, &'static str, String)> {
    let octets = |limit: &dyn Display| format!("{limit} octets");
    let seconds = |limit: Duration| format!("{} s", limit.as_secs_f64());
    let rounds = limits::SCRAM_ROUNDS;
    vec![
        (
            "REPLY_LINE",
            "A line of a server's reply",
            format!("{} octets (RFC 2449: 512, RFC 4954: 12288)", limits::REPLY_LINE),
        ),
        ("REPLY", "A whole SMTP reply", octets(&limits::REPLY)),
        ("REPLY_LINES", "Lines in an SMTP reply", limits::REPLY_LINES.to_string()),
        ("CAPABILITIES", "Lines in a POP3 capability list", limits::CAPABILITIES.to_string()),
        ("LISTING", "Messages in a maildrop", limits::LISTING.to_string()),
        ("LISTING_OCTETS", "A POP3 listing", octets(&limits::LISTING_OCTETS)),
        (
            "ADDRESSES",
            "Additional server addresses that a check tries",
            limits::ADDRESSES.to_string(),
        ),
        (
            "EXCESS",
            "Discarded of an oversized message before the session is ended",
            octets(&limits::EXCESS),
        ),
        ("OVERLONG", "Sessions per run ended by oversized messages", limits::OVERLONG.to_string()),
        ("UID", "A unique-id", format!("{} octets (RFC 1939: 70)", limits::UID)),
        ("ADDRESS", "An address", format!("{} octets (RFC 5321: 254)", limits::ADDRESS)),
        ("DOMAIN", "A host name", format!("{} octets (RFC 1035: 253)", limits::DOMAIN)),
        (
            "POP3_COMMAND",
            "A POP3 command with an initial response",
            format!("{} octets (RFC 2449: 255)", limits::POP3_COMMAND),
        ),
        (
            "SMTP_COMMAND",
            "An SMTP command with an initial response",
            format!("{} octets (RFC 5321: 512)", limits::SMTP_COMMAND),
        ),
        (
            "SMTP_INPUT",
            "A line of SMTP on standard input",
            format!("{} octets (RFC 5321: 512)", limits::SMTP_INPUT),
        ),
        (
            "SMTP_REPLY",
            "A line of the reply to it",
            format!("{} octets (RFC 5321: 512)", limits::SMTP_REPLY),
        ),
        (
            "LONG_SUBMISSION",
            "A message with a progress bar at a terminal",
            format!("from {}", octets(&limits::LONG_SUBMISSION)),
        ),
        ("LONG_STEP", "Time before a slow step is shown at a terminal", seconds(limits::LONG_STEP)),
        (
            "LAST_WORD",
            "Wait for the reply of a server that stopped reading the message",
            seconds(limits::LAST_WORD),
        ),
        (
            "SMTP_INPUT_RECIPIENTS",
            "Recipients per message with -bs",
            format!("{} (RFC 5321: 100)", limits::SMTP_INPUT_RECIPIENTS),
        ),
        ("SHOWN", "Server text in an error or log line", format!("{} characters", limits::SHOWN)),
        (
            "TEXT_LINE",
            "A line of a message that is not encoded",
            format!("{} octets (RFC 5321: 1000)", limits::TEXT_LINE),
        ),
        ("HEADER", "The header of a message to be sent", octets(&limits::HEADER)),
        (
            "IN_MEMORY",
            "Part of an outgoing message held in memory; the rest is in a file",
            octets(&limits::IN_MEMORY),
        ),
        ("BUFFER", "Read and write buffers", octets(&limits::BUFFER)),
        ("CHUNK", "A message sent together with its envelope", octets(&limits::CHUNK)),
        ("POP3_WINDOW", "POP3 commands in flight", limits::POP3_WINDOW.to_string()),
        (
            "RETR_WINDOW",
            "POP3 commands in the first flight of RETRs to a new server",
            limits::RETR_WINDOW.to_string(),
        ),
        ("RETR_OCTETS", "Messages retrieved in one flight", octets(&limits::RETR_OCTETS)),
        ("SMTP_WINDOW", "SMTP commands in flight", limits::SMTP_WINDOW.to_string()),
        (
            "FLIGHT_MESSAGES",
            "Queued messages sent before a reply is awaited",
            limits::FLIGHT_MESSAGES.to_string(),
        ),
        ("FLIGHT_OCTETS", "The same, together", octets(&limits::FLIGHT_OCTETS)),
        (
            "FLIGHT_MEMORY",
            "One queued message at a time after such a flight failed",
            seconds(limits::FLIGHT_MEMORY),
        ),
        ("FILES", "Open message files per fetch", limits::FILES.to_string()),
        (
            "AT_ONE_HOST",
            "Accounts fetched in parallel from one host, unless --jobs is given",
            limits::AT_ONE_HOST.to_string(),
        ),
        ("ACCOUNTS", "Accounts fetched in parallel", limits::ACCOUNTS.to_string()),
        ("BATCH", "Messages made durable together", limits::BATCH.to_string()),
        (
            "WAIT_TOGETHER",
            "Of these, messages that one thread waits for",
            limits::WAIT_TOGETHER.to_string(),
        ),
        ("BATCH_WAIT", "Wait for another message to join the batch", seconds(limits::BATCH_WAIT)),
        (
            "BATCH_OCTETS",
            "Size of a batch, unless a single message is larger",
            octets(&limits::BATCH_OCTETS),
        ),
        (
            "SCRAM_ROUNDS",
            "SCRAM iterations requested by a server",
            format!("{} to {} (RFC 7677: at least 4096)", rounds.start(), rounds.end()),
        ),
        (
            "SECRET_WAIT",
            "Time for a password or token command without a terminal",
            seconds(limits::SECRET_WAIT),
        ),
        (
            "HTTP_TIME",
            "Time for a request to an authorization server",
            format!("{} s", limits::HTTP_TIME.as_secs()),
        ),
        (
            "LOGIN",
            "Wait for the browser during a login",
            format!("{} minutes", limits::LOGIN.as_secs() / 60),
        ),
        ("LOGIN_REQUEST", "The browser's request after a login", octets(&limits::LOGIN_REQUEST)),
        ("TOKENS", "The file with the tokens of a login", octets(&limits::TOKENS)),
        (
            "TOKEN_LOCK",
            "Wait for another run that renews the same token",
            format!("{} s", limits::TOKEN_LOCK.as_secs()),
        ),
        (
            "TOKEN_MARGIN",
            "Remaining lifetime at which an access token is renewed (or half its lifetime)",
            format!("{} minutes", limits::TOKEN_MARGIN.as_secs() / 60),
        ),
        ("PROGRAM_END", "Time for a program to end after a signal", seconds(limits::PROGRAM_END)),
        (
            "DELIVERY",
            "Time for deliver-command per message, and for after-fetch",
            format!("{} (RFC 1939: servers wait for 600 s)", seconds(limits::DELIVERY)),
        ),
        (
            "FIRST_RETRY",
            "First retry delay of a queued message; doubles each time",
            seconds(limits::FIRST_RETRY),
        ),
        (
            "RETRY",
            "Longest retry delay after a refusal",
            format!("{} (RFC 5321: at least 1800 s)", seconds(limits::RETRY)),
        ),
        (
            "RETRY_UNREACHED",
            "Longest retry delay if the server was unreachable",
            seconds(limits::RETRY_UNREACHED),
        ),
        (
            "GIVE_UP",
            "Age at which a queued message is abandoned",
            format!("{} (RFC 5321: 4 or 5 days)", seconds(limits::GIVE_UP)),
        ),
        (
            "REPORT",
            "Interval of reports about a message without a usable account",
            seconds(limits::REPORT),
        ),
        (
            "PASSING",
            "Queued messages sent at the end of another command",
            limits::PASSING.to_string(),
        ),
        ("PASSING_TIME", "Time for these", seconds(limits::PASSING_TIME)),
        ("SECRET", "A password file, or the output of a password command", octets(&limits::SECRET)),
        ("TYPED", "A typed password, with the end of its line", octets(&limits::TYPED)),
        (
            "ALIAS_DEPTH",
            "Names between a name in aliases-file and its address",
            limits::ALIAS_DEPTH.to_string(),
        ),
        (
            "ALIAS_ADDRESSES",
            "Addresses of one name in aliases-file",
            limits::ALIAS_ADDRESSES.to_string(),
        ),
        ("CONFIG", "The configuration file", octets(&limits::CONFIG)),
        ("JOURNAL", "The journal of a message in the outbox", octets(&limits::JOURNAL)),
        ("CONNECTIONS", "The system's table of connections", octets(&limits::CONNECTIONS)),
        ("PEM", "A file of certificates", octets(&limits::PEM)),
        ("IMPORT", "A file of another program that is imported", octets(&limits::IMPORT)),
        ("EARLIEST", "The earliest credible time", format!("{} s since 1970", limits::EARLIEST)),
        ("MESSAGE", "A fetched message", octets(&limits::MESSAGE)),
        ("KEPT_FREE", "Free space left by a large message", octets(&limits::KEPT_FREE)),
        (
            "SMALL_MESSAGE",
            "Message size at which lack of space means a full disk",
            octets(&limits::SMALL_MESSAGE),
        ),
        (
            "MISCOUNT",
            "Message size below which the listed size is not compared",
            octets(&limits::MISCOUNT),
        ),
        ("INSTALLED", "A file compared by postie install", octets(&limits::INSTALLED)),
        ("URL", "The path and query of a web address", octets(&limits::URL)),
        ("HTTP_HEAD", "The head of a web server's response", octets(&limits::HTTP_HEAD)),
        ("HTTP_BODY", "The body of the response", octets(&limits::HTTP_BODY)),
        ("HTTP_REDIRECTS", "HTTP redirects followed", limits::HTTP_REDIRECTS.to_string()),
        ("DNS_ALIASES", "Chained aliases in a DNS answer", limits::DNS_ALIASES.to_string()),
        ("DNS_RECORDS", "Records used of a DNS answer", limits::DNS_RECORDS.to_string()),
        ("DNS_MESSAGE", "A DNS answer", octets(&limits::DNS_MESSAGE)),
        ("AUTOCONFIG", "An autoconfig file", octets(&limits::AUTOCONFIG)),
        (
            "AUTOCONFIG_NODES",
            "Elements and texts in an autoconfig file",
            limits::AUTOCONFIG_NODES.to_string(),
        ),
        (
            "REFUSALS",
            "Identical refusals before only the last message is tried",
            limits::REFUSALS.to_string(),
        ),
        ("ALIKE_LINES", "Lines about messages that were refused", limits::ALIKE_LINES.to_string()),
        ("ALIKE_NUMBERS", "Messages named in such a line", limits::ALIKE_NUMBERS.to_string()),
        ("REFUSED", "Refused messages in a JSON object", limits::REFUSED.to_string()),
        (
            "LONG_RUN",
            "Age of a run below which a second run ends silently",
            seconds(limits::LONG_RUN),
        ),
        (
            "SUBMIT_RECIPIENTS",
            "Recipients of a message for the submission service",
            limits::SUBMIT_RECIPIENTS.to_string(),
        ),
        ("SUBMIT_MESSAGE", "Such a message", octets(&limits::SUBMIT_MESSAGE)),
        ("SUBMIT_LINE", "A line between the service and a caller", octets(&limits::SUBMIT_LINE)),
        (
            "SUBMIT_LINES",
            "Lines of errors in the service's answer",
            limits::SUBMIT_LINES.to_string(),
        ),
        (
            "SUBMIT_OBJECT",
            "The JSON object in the service's answer",
            octets(&limits::SUBMIT_OBJECT),
        ),
        ("SUBMIT_TIME", "Handing a message to the service", seconds(limits::SUBMIT_TIME)),
        ("SUBMIT_WAIT", "Waiting for the service's answer", seconds(limits::SUBMIT_WAIT)),
        (
            "SUBMIT_PLACES",
            "Callers that hand in at the same time, and messages that the service sends",
            limits::SUBMIT_PLACES.to_string(),
        ),
        (
            "SUBMIT_PLACES_OF_USER",
            "Those of one user among them",
            limits::SUBMIT_PLACES_OF_USER.to_string(),
        ),
    ]
}
