//! The manual pages and completions are made here from the command line's own definition, and
//! the committed files must be what comes out. `BLESS=1 cargo test assets` rewrites them.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::CommandFactory;
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};
use postie::cli::IMPORT_EXAMPLES;
use postie::cli::{
    Args, CHECK_EXAMPLES, EXAMPLES, FETCH_EXAMPLES, INSTALL_EXAMPLES, LOGIN_EXAMPLES,
    QUEUE_EXAMPLES, SEND_EXAMPLES, SETUP_EXAMPLES,
};
use postie::config::{KEYS, OAUTH_KEYS, Place, Tls};
use postie::error::Exit;
use postie::hints::{self, Advice};
use postie::import::{Becomes, vocabulary};
use postie::limits;
use postie::providers::{Endpoint, LoginName, TABLE};
use postie::text::RecipientStatus;

/// Set by hand with every release: a page must not change because the day does.
const DATE: &str = "2026-11-24";

#[test]
fn the_manual_pages_are_fresh() {
    fresh("man/postie.1", &postie_1());
    fresh(
        "man/postie-fetch.1",
        &command(
            "postie-fetch",
            FETCH_USAGE,
            FETCH_EXAMPLES,
            &[
                ("EXACTLY ONCE", Text::Prose(EXACTLY_ONCE)),
                ("TO A PROGRAM", Text::Prose(TO_A_PROGRAM)),
                ("SEVERAL ACCOUNTS", Text::Prose(SEVERAL_ACCOUNTS)),
                ("WHAT THE SERVER SAYS", Text::Table(SERVER_SAYS)),
            ],
        ),
    );
    fresh(
        "man/postie-send.1",
        &command(
            "postie-send",
            SEND_USAGE,
            SEND_EXAMPLES,
            &[
                ("THE MESSAGE", Text::Prose(THE_MESSAGE)),
                ("COMPOSING", Text::Prose(COMPOSING)),
                ("AS SENDMAIL", Text::Prose(AS_SENDMAIL)),
            ],
        ),
    );
    fresh(
        "man/postie-queue.1",
        &command(
            "postie-queue",
            QUEUE_USAGE,
            QUEUE_EXAMPLES,
            &[
                ("COMMANDS", Text::Table(QUEUE_COMMANDS)),
                ("WHAT WAITS", Text::Prose(WHAT_WAITS)),
                ("WHEN IT IS SENT", Text::Prose(WHEN_IT_IS_SENT)),
                ("WHAT FAILED", Text::Prose(WHAT_FAILED)),
                ("POSSIBLE DUPLICATES", Text::Prose(POSSIBLE_DUPLICATES)),
            ],
        ),
    );
    fresh(
        "man/postie-import.1",
        &command(
            "postie-import",
            IMPORT_USAGE,
            IMPORT_EXAMPLES,
            &[
                ("WHAT IS READ", Text::Prose(IMPORT_READS)),
                ("WHAT HAS BEEN FETCHED", Text::Prose(IMPORT_MEMORY)),
                ("PASSWORDS", Text::Prose(IMPORT_PASSWORDS)),
                ("WRITING", Text::Prose(IMPORT_WRITES)),
                ("WORDS", Text::Words),
            ],
        ),
    );
    fresh(
        "man/postie-check.1",
        &command(
            "postie-check",
            CHECK_USAGE,
            CHECK_EXAMPLES,
            &[
                ("THE RUNGS", Text::Table(THE_RUNGS)),
                ("WHAT IS CHECKED", Text::Prose(WHAT_IS_CHECKED)),
                ("OUTPUT", Text::Prose(CHECK_OUTPUT)),
                ("TROUBLESHOOTING", Text::Advice),
            ],
        ),
    );
    fresh(
        "man/postie-install.1",
        &command(
            "postie-install",
            INSTALL_USAGE,
            INSTALL_EXAMPLES,
            &[
                ("PLACES", Text::Table(INSTALL_PLACES)),
                ("OWN FILES", Text::Prose(OWN_FILES)),
                ("UNITS", Text::Prose(INSTALL_UNITS)),
            ],
        ),
    );
    fresh(
        "man/postie-setup.1",
        &command(
            "postie-setup",
            SETUP_USAGE,
            SETUP_EXAMPLES,
            &[
                ("WHERE IT LOOKS", Text::Table(WHERE_IT_LOOKS)),
                ("OUTPUT", Text::Prose(SETUP_OUTPUT)),
                ("FOR TESTS", Text::Table(SETUP_TESTS)),
            ],
        ),
    );
    fresh(
        "man/postie-login.1",
        &command(
            "postie-login",
            LOGIN_USAGE,
            LOGIN_EXAMPLES,
            &[
                ("WHO NEEDS IT", Text::Prose(WHO_NEEDS_A_LOGIN)),
                ("A CLIENT OF ONE'S OWN", Text::Prose(A_CLIENT)),
                ("THE LOGIN", Text::Prose(THE_LOGIN)),
                ("WHAT IS KEPT", Text::Prose(WHAT_IS_KEPT)),
                ("WITHOUT A PERSON", Text::Prose(WITHOUT_A_PERSON)),
                ("OTHER PROGRAMS", Text::Table(TOKEN_COMMANDS)),
            ],
        ),
    );
    fresh("man/postie-config.5", &postie_config_5());
    fresh("man/postie-providers.7", &postie_providers_7());
}

#[test]
fn the_completions_are_fresh() {
    for (shell, name) in [
        (Shell::Bash, "postie.bash"),
        (Shell::Zsh, "_postie"),
        (Shell::Fish, "postie.fish"),
        (Shell::Elvish, "postie.elv"),
        (Shell::PowerShell, "_postie.ps1"),
    ] {
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

fn postie_1() -> Vec<u8> {
    let command = Args::command();
    let mut page = page(command.clone(), "postie", "1");
    let man = Man::new(command);
    let mut text = Vec::new();
    man.render_description_section(&mut text).unwrap();
    page.extend(synopsis(&["postie [OPTION]... COMMAND [ARGUMENT]..."]));
    page.extend(text);

    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    for (name, about) in [
        ("postie-fetch(1)", "fetch new messages from POP3 servers into a Maildir"),
        ("postie-send(1)", "submit a message to an SMTP server, logged in"),
        ("postie-queue(1)", "list the messages that wait to be sent; send them, or drop them"),
        ("postie-import(1)", "take over accounts from msmtp, mpop, fetchmail and getmail"),
        ("postie-check(1)", "find out what is wrong with an account, and what to do about it"),
        ("postie-install(1)", "put manual pages, completions and systemd units where they belong"),
        ("postie-login(1)", "log in by OAuth 2.0 once, so that later runs have tokens"),
    ] {
        roff.control("TP", []).text([bold(name)]).text([roman(about)]);
    }
    paragraphs(&mut roff, "CONFIGURATION", CONFIGURATION);
    page.extend(roff.to_roff().into_bytes());
    man.render_options_section(&mut page).unwrap();

    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (_, status, word, meaning) in Exit::TABLE {
        let word = roman(format!(" ({word})"));
        roff.control("TP", []).text([bold(status.to_string()), word]).text([roman(meaning)]);
    }
    roff.control("PP", []).text([roman(
        "The words in parentheses are what --json calls them. A refusal for now (4xx, or a POP3 \
         response code that says so) is 75 and never 65, 67 or 77; a refusal for good is never 75. \
         Of several accounts, the status of the most lasting failure counts.",
    )]);
    paragraphs(&mut roff, "OUTPUT", OUTPUT);
    roff.control("PP", []).text([roman(
        "A recipient has one of these for a status, in JSON, in the log file and in the outbox:",
    )]);
    for (status, meaning) in RecipientStatus::ALL {
        roff.control("TP", []).text([bold(status.word())]).text([roman(format!("{meaning}."))]);
    }
    roff.control("SH", ["FILES"]);
    for (file, meaning) in FILES {
        roff.control("TP", []).text([italic(file)]).text([roman(meaning)]);
    }
    roff.control("SH", ["ENVIRONMENT"]);
    for (name, meaning) in ENVIRONMENT {
        roff.control("TP", []).text([bold(name)]).text([roman(meaning)]);
    }
    paragraphs(&mut roff, "SECURITY", SECURITY);
    roff.control("SH", ["LIMITS"]).text([roman(
        "Reaching one of these is an error, not a program that grows. Where a standard has a figure \
         of its own, it stands beside ours.",
    )]);
    for (_, what, bound) in bounds() {
        roff.control("TP", []).text([roman(what)]).text([roman(bound)]);
    }
    examples(&mut roff, EXAMPLES);
    let pages = [
        "postie-fetch(1)",
        "postie-send(1)",
        "postie-queue(1)",
        "postie-import(1)",
        "postie-check(1)",
        "postie-install(1)",
        "postie-setup(1)",
        "postie-login(1)",
        "postie-config(5)",
        "postie-providers(7)",
    ];
    see_also(&mut roff, &pages);
    page.extend(roff.to_roff().into_bytes());
    page
}

/// What stands in a section.
#[derive(Clone, Copy)]
enum Text {
    Prose(&'static str),
    /// What may happen, and what it comes to.
    Table(&'static [(&'static str, &'static str)]),
    /// What is known to help.
    Advice,
    /// The words of other programs' configurations, and what becomes of them.
    Words,
}

fn command(name: &'static str, usage: &[&str], text: &str, sections: &[(&str, Text)]) -> Vec<u8> {
    let mut args = Args::command();
    args.build();
    let command = args.find_subcommand(name.trim_start_matches("postie-")).unwrap().clone();
    let mut page = page(command.clone(), name, "1");
    let man = Man::new(command);
    page.extend(synopsis(usage));
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    let mut roff = Roff::new();
    for (title, text) in sections {
        match text {
            Text::Advice => troubleshooting(&mut roff, title),
            Text::Words => words(&mut roff, title),
            Text::Prose(text) => paragraphs(&mut roff, title, text),
            Text::Table(rows) => {
                roff.control("SH", [*title]);
                for (head, text) in *rows {
                    roff.control("TP", []).text([bold(*head)]).text([roman(*text)]);
                }
            }
        }
    }
    roff.control("SH", ["EXIT STATUS"]).text([roman("See "), bold("postie"), roman("(1).")]);
    examples(&mut roff, text);
    let pages = ["postie(1)", "postie-check(1)", "postie-config(5)"];
    let others: Vec<_> = pages.into_iter().filter(|page| !page.starts_with(name)).collect();
    see_also(&mut roff, &others);
    page.extend(roff.to_roff().into_bytes());
    page
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
        ("LISTING", "Messages in a mailbox", limits::LISTING.to_string()),
        ("LISTING_OCTETS", "A POP3 listing", octets(&limits::LISTING_OCTETS)),
        (
            "ADDRESSES",
            "Further addresses of a server that a check asks",
            limits::ADDRESSES.to_string(),
        ),
        (
            "EXCESS",
            "Read and dropped of a message that is too large, to come to the next",
            octets(&limits::EXCESS),
        ),
        ("OVERLONG", "Sessions of a run that such a text may end", limits::OVERLONG.to_string()),
        ("UID", "A unique-id", format!("{} octets (RFC 1939: 70)", limits::UID)),
        ("ADDRESS", "An address", format!("{} octets (RFC 5321: 254)", limits::ADDRESS)),
        ("DOMAIN", "A host name", format!("{} octets (RFC 1035: 253)", limits::DOMAIN)),
        (
            "POP3_COMMAND",
            "A POP3 command with a login's first response",
            format!("{} octets (RFC 2449: 255)", limits::POP3_COMMAND),
        ),
        (
            "SMTP_COMMAND",
            "An SMTP command with a login's first response",
            format!("{} octets (RFC 5321: 512)", limits::SMTP_COMMAND),
        ),
        (
            "SMTP_INPUT",
            "A line of SMTP on standard input",
            format!("{} octets (RFC 5321: 512)", limits::SMTP_INPUT),
        ),
        (
            "SMTP_REPLY",
            "A line that answers it",
            format!("{} octets (RFC 5321: 512)", limits::SMTP_REPLY),
        ),
        (
            "LONG_SUBMISSION",
            "A message whose submission has a progress bar at a terminal",
            format!("from {}", octets(&limits::LONG_SUBMISSION)),
        ),
        (
            "LONG_STEP",
            "How long connecting and logging in take before a terminal shows it",
            seconds(limits::LONG_STEP),
        ),
        (
            "SMTP_INPUT_RECIPIENTS",
            "Recipients of a message that comes by SMTP on standard input",
            format!("{} (RFC 5321: 100)", limits::SMTP_INPUT_RECIPIENTS),
        ),
        ("SHOWN", "A server's words in a message", format!("{} characters", limits::SHOWN)),
        (
            "TEXT_LINE",
            "A line of a message that is not encoded",
            format!("{} octets (RFC 5321: 1000)", limits::TEXT_LINE),
        ),
        ("HEADER", "The header of a message to be sent", octets(&limits::HEADER)),
        (
            "IN_MEMORY",
            "What is held in memory of a message to be sent; the rest waits in a file",
            octets(&limits::IN_MEMORY),
        ),
        ("BUFFER", "What is read or written at a time", octets(&limits::BUFFER)),
        ("CHUNK", "A message that goes along with its envelope", octets(&limits::CHUNK)),
        ("POP3_WINDOW", "POP3 commands in flight", limits::POP3_WINDOW.to_string()),
        ("SMTP_WINDOW", "SMTP commands in flight", limits::SMTP_WINDOW.to_string()),
        ("FILES", "Files that a fetch holds open", limits::FILES.to_string()),
        ("ACCOUNTS", "Accounts fetched from side by side", limits::ACCOUNTS.to_string()),
        ("BATCH", "Messages made durable together", limits::BATCH.to_string()),
        (
            "WAIT_TOGETHER",
            "Of these, those that one thread waits for",
            limits::WAIT_TOGETHER.to_string(),
        ),
        ("BATCH_WAIT", "The wait for another to join them", seconds(limits::BATCH_WAIT)),
        ("BATCH_OCTETS", "Their size, unless one is larger", octets(&limits::BATCH_OCTETS)),
        (
            "SCRAM_ROUNDS",
            "Rounds of hashing that a server may ask for",
            format!("{} to {} (RFC 7677: at least 4096)", rounds.start(), rounds.end()),
        ),
        (
            "SECRET_WAIT",
            "The time to print a password or token, where there is no terminal",
            seconds(limits::SECRET_WAIT),
        ),
        (
            "HTTP_TIME",
            "An exchange with an authorization server",
            format!("{} s", limits::HTTP_TIME.as_secs()),
        ),
        (
            "LOGIN",
            "The wait of a login for the browser",
            format!("{} minutes", limits::LOGIN.as_secs() / 60),
        ),
        (
            "LOGIN_REQUEST",
            "What a browser says when it comes back from a login",
            octets(&limits::LOGIN_REQUEST),
        ),
        ("TOKENS", "The file with the tokens of a login", octets(&limits::TOKENS)),
        (
            "TOKEN_LOCK",
            "The wait for another run that renews the same login",
            format!("{} s", limits::TOKEN_LOCK.as_secs()),
        ),
        (
            "TOKEN_MARGIN",
            "What is left of an access token that is renewed, or half its lifetime",
            format!("{} minutes", limits::TOKEN_MARGIN.as_secs() / 60),
        ),
        (
            "PROGRAM_END",
            "The time that a program has to end in when it is told to",
            seconds(limits::PROGRAM_END),
        ),
        (
            "DELIVERY",
            "The time that a program may take over a message, or after a fetch",
            format!("{} (RFC 1939: servers wait for 600 s)", seconds(limits::DELIVERY)),
        ),
        (
            "FIRST_RETRY",
            "The wait before a queued message is tried again, which doubles each time",
            seconds(limits::FIRST_RETRY),
        ),
        (
            "RETRY",
            "The longest such wait after a refusal",
            format!("{} (RFC 5321: at least 1800 s)", seconds(limits::RETRY)),
        ),
        (
            "RETRY_UNREACHED",
            "The longest such wait where the server was not reached",
            seconds(limits::RETRY_UNREACHED),
        ),
        (
            "GIVE_UP",
            "How long a queued message is tried before it is abandoned",
            format!("{} (RFC 5321: 4 or 5 days)", seconds(limits::GIVE_UP)),
        ),
        (
            "REPORT",
            "How often a message is reported that cannot be sent with the configuration in force",
            seconds(limits::REPORT),
        ),
        (
            "PASSING",
            "Queued messages that another command sends when it is done",
            limits::PASSING.to_string(),
        ),
        ("PASSING_TIME", "How long it takes for them", seconds(limits::PASSING_TIME)),
        ("SECRET", "A password file, or what a password command prints", octets(&limits::SECRET)),
        ("CONFIG", "The configuration file", octets(&limits::CONFIG)),
        ("JOURNAL", "The journal of a message in the outbox", octets(&limits::JOURNAL)),
        ("CONNECTIONS", "The system's table of connections", octets(&limits::CONNECTIONS)),
        ("PEM", "A file of certificates", octets(&limits::PEM)),
        ("IMPORT", "A file of another program that is imported", octets(&limits::IMPORT)),
        ("EARLIEST", "The earliest credible time", format!("{} s since 1970", limits::EARLIEST)),
        ("MESSAGE", "A fetched message", octets(&limits::MESSAGE)),
        ("KEPT_FREE", "Free space that a large message leaves", octets(&limits::KEPT_FREE)),
        (
            "SMALL_MESSAGE",
            "A message without room for which a disk is full",
            octets(&limits::SMALL_MESSAGE),
        ),
        (
            "MISCOUNT",
            "A message that counts as whole, below half its listed size",
            octets(&limits::MISCOUNT),
        ),
        (
            "INSTALLED",
            "A file that may be one that postie install put there",
            octets(&limits::INSTALLED),
        ),
        ("URL", "The path and query of a web address", octets(&limits::URL)),
        ("HTTP_HEAD", "The head of a web server's response", octets(&limits::HTTP_HEAD)),
        ("HTTP_BODY", "Its body", octets(&limits::HTTP_BODY)),
        ("HTTP_REDIRECTS", "Redirects that are followed", limits::HTTP_REDIRECTS.to_string()),
        (
            "DNS_ALIASES",
            "Aliases in a row in an answer of the domain name system",
            limits::DNS_ALIASES.to_string(),
        ),
        ("DNS_RECORDS", "Records of it that are looked at", limits::DNS_RECORDS.to_string()),
        ("DNS_MESSAGE", "The answer itself", octets(&limits::DNS_MESSAGE)),
        ("AUTOCONFIG", "An autoconfig file", octets(&limits::AUTOCONFIG)),
        ("AUTOCONFIG_NODES", "Its elements and texts", limits::AUTOCONFIG_NODES.to_string()),
        (
            "REFUSALS",
            "Refusals alike before only the last is asked for",
            limits::REFUSALS.to_string(),
        ),
        ("ALIKE_LINES", "Lines about messages that were refused", limits::ALIKE_LINES.to_string()),
        ("ALIKE_NUMBERS", "Messages that one of them names", limits::ALIKE_NUMBERS.to_string()),
        ("REFUSED", "Refused messages in an object", limits::REFUSED.to_string()),
        ("LONG_RUN", "A run that others wait for in silence", seconds(limits::LONG_RUN)),
    ]
}

fn postie_config_5() -> Vec<u8> {
    let mut roff = Roff::new();
    let manual = format!("postie {}", env!("CARGO_PKG_VERSION"));
    roff.control("TH", ["POSTIE-CONFIG", "5", DATE, manual.as_str(), "File Formats"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman("postie-config - the configuration file of postie(1)")]);
    paragraphs(&mut roff, "DESCRIPTION", CONFIG);
    for (place, title) in [
        (Place::Account, "KEYS OF AN ACCOUNT"),
        (Place::Fetch, "KEYS FOR FETCHING"),
        (Place::Send, "KEYS FOR SENDING"),
    ] {
        roff.control("SH", [title]);
        for key in KEYS.iter().filter(|key| key.place == place) {
            let head = [bold(key.name), roman(format!(" = {}", key.value))];
            roff.control("TP", []).text(head).text([roman(key.text)]);
        }
    }
    roff.control("SH", ["KEYS OF A CLIENT"]).text([roman(
        "[oauth.NAME] describes a client that is registered at an authorization server. An account \
         with oauth = \"NAME\" logs in with its tokens. Where NAME is microsoft, google or fastmail, \
         all but client-id is known. See postie-login(1).",
    )]);
    for key in &OAUTH_KEYS {
        let head = [bold(key.name), roman(format!(" = {}", key.value))];
        roff.control("TP", []).text(head).text([roman(key.text)]);
    }
    paragraphs(&mut roff, "OWNERS AND PERMISSIONS", PERMISSIONS);
    examples(&mut roff, CONFIG_EXAMPLE);
    let pages = [
        "postie(1)",
        "postie-fetch(1)",
        "postie-send(1)",
        "postie-queue(1)",
        "postie-import(1)",
        "postie-check(1)",
        "postie-login(1)",
    ];
    see_also(&mut roff, &pages);
    roff.to_roff().into_bytes()
}

/// The table of providers, for people.
fn postie_providers_7() -> Vec<u8> {
    let mut roff = Roff::new();
    let manual = format!("postie {}", env!("CARGO_PKG_VERSION"));
    roff.control("TH", ["POSTIE-PROVIDERS", "7", DATE, manual.as_str(), "Miscellanea"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman("postie-providers - the mail providers that postie(1) knows")]);
    let confirmed = TABLE.iter().filter(|row| row.is_confirmed).count();
    let count = format!(
        "Of these {} providers, {confirmed} are confirmed: Thunderbird's autoconfig file and a help page \
         of the provider say the same. Of the others one source was read. None was tried.",
        TABLE.len()
    );
    paragraphs(&mut roff, "DESCRIPTION", PROVIDERS);
    paragraphs(&mut roff, "SOURCES", &count);
    roff.control("SH", ["PROVIDERS"]);
    for row in TABLE {
        let endpoint = |what: &str, endpoint: Option<Endpoint>| {
            let Endpoint { host, port, tls } = endpoint?;
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let tls = if tls == Tls::Implicit { "" } else { ", tls = \"starttls\"" };
            Some(format!("{what} {host}{port}{tls}"))
        };
        let user = match row.login {
            LoginName::Address => "user = the whole address",
            LoginName::LocalPart => "user = what stands before the @",
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
            [] => "its customers' own domains".to_owned(),
            domains => domains.join(" "),
        };
        roff.control("TP", []).text([bold(row.name), roman(format!(" ({domains})"))]);
        roff.text([roman(format!("{}.", facts.join("; ")))]);
    }
    see_also(&mut roff, &["postie(1)", "postie-setup(1)", "postie-config(5)"]);
    roff.to_roff().into_bytes()
}

const PROVIDERS: &str = "\
What an account at a provider needs: its servers, the name to log in with, what has to be switched on \
before, and what to use for a password. Ports and TLS are the usual ones (995 and 465, TLS from the \
start) where nothing else is said.

An address at a domain of one's own is at the provider that takes the domain's mail.";

/// The table of hints: what went wrong, where and with which words, and what to do.
fn troubleshooting(roff: &mut Roff, title: &str) {
    roff.control("SH", [title]).text([roman(
        "What a line that starts with \"hint:\" may say, here and after a fetch or a message that \
         failed. The first that fits is said.",
    )]);
    let mut last = None;
    for Advice { when, says, words } in &hints::TABLE {
        let says: Vec<_> = says.iter().map(|words| format!("\"{}\"", words.trim())).collect();
        let (title, words) = match says.join(" or ").as_str() {
            "" if *words == hints::PROVIDER => (
                format!("{when}, at a provider with rules of its own"),
                "What the provider wants: see postie-providers(7).",
            ),
            "" if last == Some(*when) => (format!("{when}, otherwise"), *words),
            "" => (when.to_string(), *words),
            says => (format!("{when}, and the server says {says}"), *words),
        };
        last = Some(*when);
        roff.control("TP", []).text([bold(title)]).text([roman(words.replace("{pin}", "PIN"))]);
    }
}

/// The words of other programs' configurations.
fn words(roff: &mut Roff, title: &str) {
    roff.control("SH", [title]).text([roman(
        "Every word of the four manuals, and what becomes of it. A value that has no counterpart \
         becomes a comment.",
    )]);
    for (program, words) in vocabulary() {
        roff.control("SS", [program]);
        for keyword in words {
            let becomes = match keyword.becomes {
                Becomes::Structure => "read for what it says of the others".to_owned(),
                Becomes::Key(key) => key.to_owned(),
                Becomes::Password => "password-file, and the file with --write".to_owned(),
                Becomes::Memory => "where the memory of fetched messages is read".to_owned(),
                Becomes::Aliases => "[aliases], from the file that it names".to_owned(),
                Becomes::Comment(reason, _) | Becomes::Hidden(reason) => {
                    format!("a comment: {reason}")
                }
            };
            roff.control("TP", []).text([bold(keyword.word)]).text([roman(becomes)]);
        }
    }
}

/// The head of a page: title line and name.
fn page(command: clap::Command, name: &'static str, section: &str) -> Vec<u8> {
    let man = Man::new(command.name(name))
        .title(name.to_uppercase())
        .section(section)
        .date(DATE)
        .source(format!("postie {}", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    page
}

/// Words in capitals are to be replaced, all others typed as they stand.
fn synopsis(usage: &[&str]) -> Vec<u8> {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    for (index, line) in usage.iter().enumerate() {
        if index > 0 {
            roff.control("br", []);
        }
        let mut inlines = Vec::new();
        for word in line.split_inclusive([' ', '[', ']']) {
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
    roff.to_roff().into_bytes()
}

/// Text with an empty line between paragraphs.
fn paragraphs(roff: &mut Roff, title: &str, text: &str) {
    roff.control("SH", [title]);
    for (index, paragraph) in text.trim().split("\n\n").enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        if paragraph.starts_with("  ") {
            verbatim(roff, paragraph);
        } else {
            roff.text([roman(paragraph.replace('\n', " "))]);
        }
    }
}

fn examples(roff: &mut Roff, text: &str) {
    roff.control("SH", ["EXAMPLES"]);
    verbatim(roff, text.strip_prefix("Examples:\n").unwrap_or(text));
}

fn verbatim(roff: &mut Roff, text: &str) {
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    roff.control("fi", []);
}

fn see_also(roff: &mut Roff, pages: &[&str]) {
    roff.control("SH", ["SEE ALSO"]);
    let mut line = Vec::new();
    for (index, page) in pages.iter().enumerate() {
        let (name, section) = page.split_once('(').unwrap();
        line.push(bold(name));
        let end = if index + 1 < pages.len() { ", " } else { "" };
        line.push(roman(format!("({section}{end}")));
    }
    roff.text(line);
}

const FETCH_USAGE: &[&str] = &[
    "postie fetch [OPTION]... [ACCOUNT]...",
    "postie fetch --server HOST --user NAME [OPTION]...",
];

const SEND_USAGE: &[&str] = &[
    "postie send [OPTION]... RECIPIENT...",
    "postie send -t [OPTION]... [RECIPIENT]...",
    "postie send --to ADDRESS [OPTION]... [RECIPIENT]...",
];

const QUEUE_USAGE: &[&str] = &[
    "postie queue [OPTION]...",
    "postie queue flush [--all] [OPTION]...",
    "postie queue remove [OPTION]... ID...",
];

const IMPORT_USAGE: &[&str] = &["postie import [--write] [OPTION]... FILE..."];

const IMPORT_READS: &str = "\
A file is known by what is in it: msmtprc, mpoprc, fetchmailrc or getmailrc (one account in each file), \
or one of the memories below. Several files are imported together. Accounts of one name, as an msmtprc \
and an mpoprc may have them, become the two sides of one account.

Nothing is run: a line with eval becomes a comment. An unknown word is an error with its line (78), and \
so is a file that is torn, binary or another program's; then nothing is printed and nothing is written. \
No error shows what stands in the file, which may be half a password. A file that others may write to \
is refused.

What is printed can be loaded. An account that could not be used here stands there as comments, with \
the reason: IMAP, LMTP, multidrop, a login that is missing, a second account of one maildrop. \
Plain text is spoken to a loopback address alone; for any other server STARTTLS is asked for instead, \
and a comment says so. Where the other program trusts the authorities of the system, so does the \
account here. What the other program deletes after fetching it, keep = \"none\" deletes here.";

const IMPORT_MEMORY: &str = "\
The memory of an account is read where the other program keeps it: mpop's uidls file (with times or \
without), getmail's oldmail file beside the getmailrc or in ~/.config/getmail or ~/.getmail, \
fetchmail's .fetchids. One that lies elsewhere is named on the command line, along with the \
configuration or alone, for an account that is there already. mpop and fetchmail know an account by \
user and host, so its list is for all accounts with both.

With --write its unique-ids are noted in the journal as not to be fetched, so that the first fetch \
brings what is new and nothing twice. Noted messages are never deleted from the server, whatever keep \
says, for their delivery is not this program's to prove. postie fetch --all fetches them all the same. \
getmail writes a hyphen for a slash in a unique-id; messages with such a one are fetched again.

If no memory is found, a comment says so: postie fetch --note-only then notes all that is there.";

const IMPORT_PASSWORDS: &str = "\
A password that stands in a configuration is never printed. The account gets password-file in its \
place, and --write makes that file, readable by its owner alone, beside the configuration file. A \
command that prints a password is carried over as password-command, or as token-command if the login \
is by OAuth. ~/.netrc and keyrings are not read; a comment shows the command that asks the keyring.";

const IMPORT_WRITES: &str = "\
Without --write nothing is changed. With it, passwords, journals and the configuration are written in \
this order, each durably, so that an import that is cut off can be run again. The accounts are added to \
the end of the configuration file; what is there stays as it is, and an account that is there is an \
error before anything is written. A default account and aliases are added to a file that has neither, \
else they become comments.

With --json, one object: config (the text), imported (for each memory: account, file, messages) and \
written (the configuration file, or null).";

const CHECK_USAGE: &[&str] = &[
    "postie check [OPTION]... [ACCOUNT]...",
    "postie check --server HOST --user NAME [OPTION]...",
];

const INSTALL_USAGE: &[&str] = &[
    "postie install [--user | --prefix DIR] [--list | --remove] [OPTION]...",
    "postie man [PAGE]",
    "postie completions SHELL",
];

const INSTALL_PLACES: &[(&str, &str)] = &[
    (
        "The whole system, below DIR (/usr/local)",
        "share/man/man1, man5 and man7; share/bash-completion/completions, share/zsh/site-functions and \
         share/fish/vendor_completions.d; lib/systemd/user. The units name the program without a path: \
         systemd looks for it in /usr/local/bin and /usr/bin.",
    ),
    (
        "One user, below $XDG_DATA_HOME (~/.local/share)",
        "bash-completion/completions, zsh/site-functions, fish/vendor_completions.d and systemd/user; \
         the pages in man/man1, man5 and man7. If the program is in a directory of the user's called bin, \
         such as ~/.cargo/bin, the pages are in share/man beside it, where man(1) finds them if that bin \
         is in PATH. For zsh, add the directory to fpath before compinit.",
    ),
    (
        "Elvish, PowerShell",
        "They have no such place; postie completions prints what they can read at their start.",
    ),
];

const OWN_FILES: &str = "\
A record of what was installed, with the SHA-256 of each file and the directories that had to be made, \
is share/postie/installed below DIR, or postie/installed in $XDG_DATA_HOME. A file that the record \
names, with the digest that it has, is this program's: a newer version replaces it, and --remove removes \
it, and then those directories if they are empty. If another file is in the place of one that would be \
installed, and is not the same already, nothing is installed (73). A file that was changed is not \
removed; a warning names it.

Each file is complete and durable before it has its name. After an interruption, run the command again.";

const INSTALL_UNITS: &str = "\
postie-fetch.timer runs postie fetch every five minutes, postie-queue.timer postie queue flush. Neither \
is enabled:

  systemctl --user daemon-reload
  systemctl --user enable --now postie-fetch.timer

Before --remove, disable what was enabled. After loginctl enable-linger they run while the user is not \
logged in, too. The services, and with them the programs in the configuration, cannot gain privileges, \
and use no network but IP and local sockets; they write wherever the user may. The options of systemd \
for file systems, such as ProtectSystem, are not used: for a user's services they need a user namespace, \
in which the files of root do not appear as root's.";

const SETUP_USAGE: &[&str] = &["postie setup [OPTION]... ADDRESS"];

const WHERE_IT_LOOKS: &[(&str, &str)] = &[
    (
        "The table of providers",
        "By the address's domain: see postie-providers(7). Nobody is asked.",
    ),
    (
        "https://autoconfig.DOMAIN/mail/config-v1.1.xml",
        "And https://DOMAIN/.well-known/autoconfig/mail/config-v1.1.xml: what the domain publishes, \
         signed for its web server. Never by http, and without the address.",
    ),
    (
        "MX records",
        "If a known provider takes the domain's mail, its servers from the table. The answer is not \
         signed, but can only name a provider in the table.",
    ),
    (
        "SRV records (RFC 6186, RFC 8314)",
        "Not signed: a server outside the domain is printed as a remark, and neither spoken to nor \
         written unless --accept names it.",
    ),
    (
        "Usual names",
        "pop., pop3. and mail., and smtp. and mail., in front of the domain, where a server has a \
         certificate for the name.",
    ),
];

const SETUP_OUTPUT: &str = "\
Standard output is the account as it stands in the configuration file; with --json an object with \
address, account, source (table, autoconfig, mx, srv or names), provider, confirmed, user, fetch and \
send (server, port, tls; null if there is none), config (the text), first (what to do before), written \
and status. Standard error says where the account comes from, how far that is to be trusted, what to do \
first, and whether each server answers: name, connection, certificate and what it offers, without a \
login.

The first source that names a server counts. All of it takes ten seconds at most, and the servers \
then as long as --timeout allows. --write adds the account to the end of the configuration file, which \
only its owner may read if it is new; an account that is there already, and a server that does not \
answer as it should, are not written. A provider without POP3 ends with 69, a domain that does not exist \
or says nothing with 68, a server that nobody vouches for with 77.";

const SETUP_TESTS: &[(&str, &str)] = &[
    ("--dns ADDRESS:PORT", "Asks this resolver instead of the system's."),
    (
        "--connect-to [NAME]:[PORT]:HOST:PORT",
        "Connects to this address instead of a server's own, or all servers' if it is HOST:PORT. \
         Name and certificate stay the server's.",
    ),
];

const LOGIN_USAGE: &[&str] =
    &["postie login [ACCOUNT] [--device]", "postie login [ACCOUNT] --forget"];

const WHO_NEEDS_A_LOGIN: &str = "\
Microsoft takes no passwords from mail programs for POP3, and from the end of 2026 on by default none \
for SMTP; organizations may do the same. Gmail, Yahoo, Fastmail and most others still take an app \
password, which is simpler: see `password-command` in postie-config(5).

Whoever has a personal Outlook.com mailbox and no Microsoft directory can register no client, and so \
cannot log in with this program: Microsoft lets only members of a directory register one. What is left \
is to have the mail forwarded to a mailbox elsewhere, or a directory of one's own, which comes with an \
Azure account.";

const A_CLIENT: &str = "\
An authorization server gives tokens to clients that it knows. postie has no client id of its own and \
uses none of another program: `client-id` is the id of a client that you or your organization has \
registered. How to register one at Microsoft and Google is in the README, step by step.

With the id, two tables make the account: [oauth.microsoft] with client-id = \"ID\", and an \
[account.NAME] with server, user and oauth = \"microsoft\". Where NAME is microsoft, google or \
fastmail, endpoints and scopes are known; another server is named by its `issuer` (RFC 8414), or by \
`authorize`, `token` and `scope`. See postie-config(5).";

const THE_LOGIN: &str = "\
The authorization code grant with PKCE (RFC 6749 §4.1, RFC 7636, RFC 8252): the address that is \
printed leads to the server's own page, where the user logs in. The browser then comes back to a port \
of this machine's loopback address, which is open for this login only. If it is on another machine, \
it ends at a page that it cannot show, whose address is pasted at the prompt. Answers that belong to \
another login or come from another server are not believed, and the waiting goes on, for ten minutes.

With --device, a short code is printed, to be typed into a page on any machine (RFC 8628). Google has \
no such login for mail.

At the end the account is checked as by postie-check(1). Nothing else ever begins a login: a run that \
needs one and has none ends with status 78 and says what to do.";

const WHAT_IS_KEPT: &str = "\
One file for each user and token endpoint, with mode 0600, in the state directory (login/): the access \
token, the refresh token and what they are for. Who can read it can read the mailbox; one that others \
may read is refused. A new token is durable before it is used. --forget removes the file; the \
provider's account page ends the login itself.

An access token is renewed when less than ten minutes of it are left, or half its lifetime; one run \
at a time renews it, and the others wait and use what it got. A run with a fresh token makes no \
connection to the authorization server. When a mail server refuses a token, it is renewed once. A \
renewal is not cut off by the first signal, and lasts 30 s at most. If the server's answer is lost, \
the old refresh token is tried again; where the server takes each only once, a new login is needed, \
and the error says that an answer was lost, and when.

Only https is spoken, to a server with a verified certificate; a form with secrets follows no \
redirect. With --verbose, each exchange is a line with its address and status, and never more.";

const WITHOUT_A_PERSON: &str = "\
With grant = \"client-credentials\" in [oauth.NAME], the client itself gets the token (RFC 6749 \
§4.4), with client-secret or client-secret-command. Nobody logs in; the organization's administrator \
has to allow the client to use the mailbox.";

const TOKEN_COMMANDS: &[(&str, &str)] = &[
    (
        "oama",
        "token-command = [\"oama\", \"access\", \"ann@example.com\"] in place of `oauth`. It keeps \
         tokens in a keyring or encrypted by GnuPG.",
    ),
    ("pizauth", "token-command = [\"pizauth\", \"show\", \"work\"], with its server running."),
    (
        "mutt_oauth2.py",
        "token-command = [\"mutt_oauth2.py\", \"/home/ann/.mutt/work.tokens\"]. It keeps tokens \
         encrypted by GnuPG.",
    ),
];

const THE_RUNGS: &[(&str, &str)] = &[
    ("configuration", "What the account comes to; whether the files that it trusts can be read."),
    ("maildir", "Where messages go, and whether another run is at work. For fetching only."),
    ("password", "Whether it is to be had, or a token; whether it is empty or ends in a blank."),
    (
        "token",
        "In place of the password, for an account with `oauth`: for how long it is good, since when \
         the user is logged in, and whether it had to be renewed.",
    ),
    ("name", "Which addresses the server's name has."),
    (
        "connection",
        "Which of them answer. If none does, whether the other usual port for this answers.",
    ),
    ("tls", "Version, key exchange and cipher."),
    ("certificate", "Whom it is for, who signed it, how many days it holds; or why it does not."),
    ("greeting", "What the server says first. With STLS or STARTTLS this comes before tls."),
    ("capabilities", "What the server offers of what postie can use, and how it will log in."),
    ("login", "Whether it is accepted."),
    ("mailbox", "How many messages are there, their size, and how many were not fetched yet."),
    (
        "submission",
        "The largest message that is taken, and with --probe-sender, whether the sender's address \
         is.",
    ),
];

const WHAT_IS_CHECKED: &str = "\
Both sides of an account that have a server are checked unless --fetch or --send picks one. A port \
given with --server picks the side that it is usual for. A check of several goes on after one that \
failed.

A one-off account whose steps all succeed is followed by the lines that make it permanent.";

const CHECK_OUTPUT: &str = "\
One line a step on standard output, wherever it goes: \"ok\", \"note\" (it holds, and the hint below \
is worth knowing) or \"FAILED\", its name, and what was found. A terminal gets marks, colours unless \
NO_COLOR is set, and the time that each took. With --quiet, nothing but the failure, on standard \
error.

With --json, one object for each account and side: account (null if it is a one-off one), side \
(\"fetch\" or \"send\"), server, steps, status. Each of the steps has name, ok (whether it \
holds), text, hint (null if there is none) and ms (how long it took). If there is nothing to check, \
account, side and server are null. The status of the run is that of the first step that failed.";

const CONFIGURATION: &str = "\
Three facts make an account: the name of the server, the name of the user, the password. They \
stand in a file that postie-config(5) describes:

  [account.home]
  server = \"mail.example.com\"
  user = \"ann@example.com\"
  password-command = \"pass show mail/home\"

Or they are given as --server and --user, and no file is read at all; the password is then asked \
for at the terminal unless --password-file or --password-command says where it is.";

const OUTPUT: &str = "\
Away from a terminal nothing is printed unless something went wrong. An error is one line on \
standard error: what was done, for which account, with which server, and what happened, in the \
server's words where it had any. A line that starts with \"hint:\" may follow. At a terminal, or \
with --verbose, one line on standard output sums up the run; --json prints an object instead, \
always.

The object of a fetch has account, new, bytes, files (each with uid, size and path), left, refused \
(each with number, uid and reason; a thousand at most), deleted and error; one for each account. With --dry-run it has account and message, one for each message, \
with number, size, uid and action (retrieve, known, compare, delete, over-limit, too-large, elsewhere, \
unwanted or skipped). That of a sent message has account, host, from, recipients (each with address, status \
and reply), size, message_id, reply, queued (what the outbox calls it, if it waits there) and error. \
That of a message in the outbox has id, state (queued or failed), received (seconds since \
1970), account, config, from, subject, recipients, attempts, due, reply, missing (what the configuration in \
force lacks to send it) and duplicate. An error has kind, status and message, and is null \
if there is none. A run that ends before that has command, account and error alone, and one whose \
arguments make no sense only error.";

const FILES: [(&str, &str); 6] = [
    ("$XDG_CONFIG_HOME/postie/config.toml", "The configuration, usually in ~/.config."),
    ("/etc/postie/config.toml", "The configuration for those who have none of their own."),
    ("~/Maildir", "Where fetched messages go unless `maildir` says otherwise."),
    (
        "$XDG_STATE_HOME/postie/fetch/USER@SERVER",
        "What was fetched from a mailbox, usually in ~/.local/state: a journal that a person can \
         read, and a lock file.",
    ),
    (
        "$XDG_STATE_HOME/postie/login/USER@TOKEN-ENDPOINT",
        "The tokens of a login by OAuth 2.0 (token), which are worth as much as a password, and a \
         lock file.",
    ),
    (
        "$XDG_STATE_HOME/postie/outbox",
        "Messages that wait to be sent (in waiting) and those that could not be (in failed), each \
         in a directory with the message and a journal that a person can read.",
    ),
];

const ENVIRONMENT: [(&str, &str); 5] = [
    ("CREDENTIALS_DIRECTORY", "What it stands for in paths: see postie-config(5)."),
    ("HOME", "Where files are looked for."),
    ("NO_COLOR", "If it is set and not empty, a check has no colours."),
    ("TZ", "The time zone of a Date field that is added."),
    ("XDG_CONFIG_HOME, XDG_STATE_HOME", "Where configuration and state are, if elsewhere."),
];

const SECURITY: &str = "\
Credentials and mail travel over TLS 1.3 or 1.2 only, to a server whose certificate was verified; \
the one exception is a server on this machine's loopback address, asked for with --tls none. There \
is no switch that turns verification off. Nothing is sent before the server accepted a login, so \
this program cannot be used as a relay.

A password never appears on the command line, in an error or in the conversation that --verbose \
shows. Files are made with mode 0600, directories with 0700; a Maildir or state directory that \
belongs to another user is not used, and no symbolic link in the latter is followed. A configuration \
that another user could have written is refused: see OWNERS AND PERMISSIONS in postie-config(5).

A fetched message has a name of this program's own making in the Maildir; nothing that a server says \
is part of a path.";

const EXACTLY_ONCE: &str = "\
A message is written to tmp/ in the Maildir, made durable, entered in the journal, moved to new/, \
and only then may it be deleted from the server. A run that is interrupted anywhere neither loses \
nor repeats a message; the next one finishes what was begun. A second run on the same mailbox ends \
at once with status 75.

A message counts as delivered if its file was moved to new/, or is found in new/ or cur/ by the next \
run, under any flags. One that a reader moved elsewhere before that is fetched again. A Maildir into \
which messages were delivered and that is not there, or lacks tmp/, new/ or cur/, is an error (74) and \
is not made anew: its disk may not be mounted.

Which messages were fetched is remembered by the unique-ids that the server gives them (UIDL). A \
server that has none can only be fetched from with --keep none, and if such a session is cut off \
after messages were delivered and before they were deleted, they are fetched again.

A message that the server no longer lists is remembered for 30 days. With --all, what was fetched \
before comes once more.

Some servers use a unique-id again for another message, above all after a mailbox was restored. A \
known message is deleted without being looked at only if it was in every listing since its delivery \
and has the size it had. If its size changes, or if it is to be deleted and was away or its deletion \
had been asked for, it is retrieved again and compared with a digest of what was delivered: equal, it \
is not delivered again; different, it is new. At a server that was seen to use a unique-id again, \
every known message is compared before it is deleted.

What was delivered into another Maildir is neither fetched nor deleted, and that is said once; nor is \
what --note-only has noted.

A clock that is earlier than the release of this program deletes nothing by age, and what was fetched \
under it counts from when the clock is right.

A message counts as whole when the server's reply to the next command follows its end. If something \
else does, it is not delivered, and the run ends with 76. One that is larger than --max-size, whatever \
the listing says, or that finds no room, is reported and left there.

A journal that is damaged is kept as journal.damaged, which is said. What can be read of it counts, \
and is compared before it is deleted.

One message that the server will not give is reported; the others are fetched, and the status is 81. \
Refusals that differ in numbers alone are one line. After ten of them in a row the last message is \
asked for, and if that is refused alike, no more are in this session (75).

A message in whose middle the server ends the session, stalls, or garbles the text, is named. The next \
run asks for it behind all others, and in a session of its own if something is to be deleted. Once \
that has happened three times at the same place of the message (give or take 128 KiB), with other \
messages delivered in between, the message is skipped: it is asked for once a day, or with --all, and \
only then reported (81). Lines that drop somewhere else each time, or signals and max-time, count for \
nothing. \
Line ends become LF; nothing else in a message is changed and nothing is added.

If several messages have one unique-id, each of them is fetched and none is deleted. If a server \
calls all messages by new unique-ids, as may happen when it is moved, that is said and all are \
fetched again.

A run that gets SIGINT, SIGTERM or SIGHUP delivers and records what was whole, and ends by the \
signal. It does not say QUIT, so nothing is deleted. A second signal ends it at once, which is as \
safe.";

const TO_A_PROGRAM: &str = "\
With deliver-command in the configuration, a program takes each message on its standard input, \
whole and with LF at line ends. If it exits with 0, the message is delivered. With any other \
status, or after nine minutes, the message stays on the server, is reported, and comes again in \
the next run; the others are fetched. What the program prints goes to standard error.

A server that deletes messages because they were retrieved loses those that the program refuses.

A run that is cut off after the program has taken a message and before that is in the journal \
gives it to the program again: this is delivery at least once, not exactly once.

With after-fetch, a command is run once at the end if anything new has come. If it fails, that is \
said, and the status is 74.";

const SEVERAL_ACCOUNTS: &str = "\
Up to eight accounts, or as many as --jobs says, are fetched from side by side. Passwords that a person \
must type are asked for before that, one after the other; commands for passwords and tokens run when \
the account's turn comes, and so many accounts need no more files open than few do. What happens to one account is no matter to the others. \
The status is that of the most lasting failure: one that may pass (75) yields to a partial success \
(81), and that to any other.";

const SERVER_SAYS: &[(&str, &str)] = &[
    ("+OK", "goes on."),
    ("-ERR to the greeting", "ends with 75, unless a response code says more."),
    ("-ERR to the login", "ends with 77, unless a response code says more."),
    (
        "-ERR [AUTH]",
        "ends with 77: user or password are wrong, or the account wants an app password.",
    ),
    ("-ERR [SYS/PERM]", "ends with 77: somebody must act."),
    ("-ERR [SYS/TEMP]", "ends with 75: trouble on the server that should pass."),
    ("-ERR [IN-USE]", "ends with 75: another session has the mailbox."),
    ("-ERR [LOGIN-DELAY]", "ends with 75: too soon after the last login."),
    ("-ERR to CAPA", "takes the server to offer nothing, and logs in with USER and PASS."),
    ("no STLS with tls = \"starttls\"", "ends with 69 before anything secret is said."),
    ("-ERR to UIDL", "ends with 69, unless --keep none makes unique-ids unnecessary."),
    ("-ERR to LIST", "ends with 75."),
    ("-ERR to RETR", "reports that message and fetches the others: 81, or 75 if none came."),
    ("-ERR to DELE", "reports that message (81); the next run asks again."),
    ("-ERR to QUIT", "ends with 75; the deletions are asked for again in the next run."),
    ("-ERR to AUTH with a token", "runs token-command once more and tries what it prints."),
    (
        "nothing at all",
        "ends with 75 after the time-out, and says what was waited for. The reply to the login and \
         the listing of unique-ids may take five time-outs.",
    ),
    (
        "an octet now and then",
        "ends with 75: from the connection to the login five time-outs may pass, for any other reply \
         two, and a message must come at 100 octets a second.",
    ),
    (
        "a mechanism refused that was announced",
        "is followed by the next one, unless the refusal says [AUTH] or a SCRAM challenge was sent. \
         The password itself is shown twice at most.",
    ),
    (
        "nothing to what was sent ahead of its replies",
        "begins the session anew, one flight at a time, and remembers this for 30 days.",
    ),
    (
        "the end of the connection",
        "ends with 75; whole messages are delivered, the one under way is named and dropped.",
    ),
    ("anything else", "ends with 76: the server broke the protocol."),
    ("an empty mailbox, once", "forgets nothing: unique-ids are remembered for 30 days."),
];

const THE_MESSAGE: &str = "\
All of standard input is read before a connection is made. Line ends of any kind become CRLF. A byte \
order mark at the very start is dropped, and so are the separator lines of an mbox file before the \
first field. If the first line is no field, the input has no header and is all body. A later line \
that is no field ends the header if no field follows before the first empty line; otherwise the \
message is refused with status 65, since a Bcc below that line would be sent as text. A field with \
a control character is refused, too, and so is a carriage return without line feed in the header, \
unless there is no line feed at all; UTF-16 is refused.

Date, Message-ID and From are added at the end of the header if they are missing or empty; Bcc and \
Resent-Bcc are removed, and if that leaves neither To nor Cc, a To field says \
\"undisclosed-recipients:;\". From may give way to the account's own address, as `rewrite-from` says. \
In a message that was resent, the same is done with Resent-From, and From stays as it is.

A text that would not arrive as it is, for it has a line of more than 998 octets, or NUL, or octets \
above 127 where the server does not offer 8BITMIME, is encoded as quoted-printable or base64, and \
the MIME fields say so. 8-bit text without a charset is declared as UTF-8, or as unknown-8bit if it is \
not. A message that consists of parts, is encoded already or has a DKIM-Signature is sent as it is. \
One with \"Content-Transfer-Encoding: binary\" is refused unless it consists of lines. Text beyond \
ASCII in Subject and in display names is encoded (RFC 2047) unless the message is signed. Header lines \
that are too long are folded at blanks, lists of addresses behind commas; a header of more than 1 MiB is refused. Nothing else is changed.

Recipients are the arguments, those of --to, --cc and --bcc, and with -t those in the message. An \
argument may hold several addresses, with commas between them. Each gets the \
message once, and domains that differ in case are the same. A name without a domain, such as root, and \
one at localhost or at this machine's own name, unless an account has that domain, is looked up in the \
[aliases] of postie-config(5); with `rewrite-from`, To and Cc name those who get the message instead. Of a message that \
was resent, -t reads the Resent fields that were added last. A domain beyond ASCII is written in \
ASCII; a local part beyond ASCII needs a server that offers SMTPUTF8.

The account is the one named with --account; otherwise the one whose `from` equals the address of \
--from, else of Resent-From, else of From, ignoring a +tag; then one with the same domain; else the \
`default`, else the only one. With --from=<> (or an empty address) failures are reported to nobody, as \
a message wants that is itself a report or an automatic answer; account, EHLO name and a missing From \
field then follow from the header or the account.

If some recipients are refused, the others get the message, the refused ones are listed, and the \
status is 81; with --all-or-nothing, nobody gets it. Those who are too many for the server to \
take at once get it in further transactions of the same session. If the connection is lost after the end of \
the message was sent and before the server's verdict came, the status is 80: the message may have \
been delivered, so look before sending it again.

With --queue, a message that cannot be sent now waits in the outbox; see postie-queue(1).

--dsn-notify and --dsn-return ask the recipients' servers for reports (RFC 3461). A server that does \
not offer to pass this on gets no message, and the status is 69. The same holds for --require-tls \
(RFC 8689), which has the message come back rather than go on to a server without verified TLS. For \
the opposite, put a field \"TLS-Required: No\" into the header.";

const COMPOSING: &str = "\
Any of --to, --cc, --bcc, --reply-to, --subject, --header, --body, --html and --attach makes a \
message of what they say; standard input is its text, unless --body is given. Text and HTML must be \
UTF-8. With both, a reader shows either; with --html and no text, the message is the page alone.

A file that the HTML names as cid:NAME, where NAME is that of the file, is sent as part of the page, \
any other as an attachment. Its type follows from its name. Files arrive octet for octet, and pass \
by without being held in memory.

--header takes no field that the program writes itself. If neither --to nor --cc names anybody, the \
To field says \"undisclosed-recipients:;\".";

const AS_SENDMAIL: &str = "\
Called by the name of sendmail, as by a symbolic link, the program understands what cron, at, git, \
mutt, PHP and others pass to /usr/sbin/sendmail; with \"postie send\", these words may stand among \
its own, as in

  set sendmail = \"postie send -a work -oi\"

-f and -r give the sender's address: a name without @ stands for the account's own, <> or nothing for \
none. -F is its full name; -t reads recipients from the message; -N and -R ask for reports; -v shows \
the conversation. -C names a configuration file, which must be root's and writable by nobody else; no \
line of it is printed. -bp is \"postie queue\" and -q \
is \"postie queue flush\"; -bi and -I do nothing, successfully. -bs speaks SMTP on \
standard input and output, one message after another. With an outbox, 250 means that the message was \
sent or waits there, and a recipient that is refused alone stands in it as failed; 5xx means that the \
first attempt ended it for all. Without one, all recipients have the message or none, and where that \
is in doubt the conversation ends without a reply. -bs is refused (77) on a socket, unless a \
program of this user or of root made it. -bd and other modes are refused. All other options \
of sendmail are accepted and change nothing. An option that begins with -o is one word: what \
follows it is a recipient.

Under the name sendmail a word that begins with two dashes is refused with status 64 before anything \
is read or run, for a program may pass on what a stranger wrote. What cannot be sent now waits in the outbox \
unless the configuration says `queue = false`. A message that is neither sent nor \
kept in the outbox ends with 69 in place of 75, which callers take for \"queued\".

Input is always read to its end; a dot on a line of its own does not end it, with or without -i. \
With -t, recipients that are arguments are added to those in the message. There is no output but \
errors, of one line each.";

const QUEUE_COMMANDS: &[(&str, &str)] = &[
    (
        "postie queue",
        "lists all messages, the oldest first: what each is called, how long ago it came, its \
         account, and who is still to get it; below that, how often it was tried, when it is due, and \
         what the server said last.",
    ),
    (
        "postie queue flush",
        "sends what is due; with --all, everything. The messages of an account go over one \
         connection. What somebody else is sending is left to them, so any number of flushes may run \
         at once.",
    ),
    ("postie queue remove", "drops messages, whether they wait or failed."),
];

const WHAT_WAITS: &str = "\
With --queue, or `queue = true` in the configuration, a message is durable in the outbox before a \
connection is made, and \"postie send\" ends with 0 when it waits there. Under the name sendmail that is \
the default. One line says so, unless --quiet does not want it. Recipients who have the message do not \
get it again; it waits for those who do not.

Only these end a message at once: it is no message, the server or all of its recipients' addresses \
refuse it permanently (65, 67), or the server lacks what it asks for, such as reports (69). Everything \
else waits: no network, an unknown host, a refused login, a password command that fails, a certificate \
that is not trusted, a server that refused it for now or left it in doubt. So does a message for which \
the configuration cannot be read, or has no account: with --queue, or under the name sendmail. Its \
account is chosen, its aliases are resolved and its header is completed when it is sent.

Nothing of the account may be said on the command line: what is typed is not known later. The outbox is \
the user's, whatever configuration file is in force: an account of the same name serves. Where there is \
none, the message waits, the list says what is missing, and \"postie queue flush\" reports it once a day \
(78). A run with another environment, as under sudo or in a service, may have used another of the \
user's places (XDG_STATE_HOME, HOME, the home directory of the password database); all of them are \
looked at. Where no outbox can be made, the message is sent without one, and that is said.

Date and Message-ID are fixed when a message enters the outbox. If a run is killed at any moment, the \
message is there, or whoever wanted to send it has not been told that it is.";

const WHEN_IT_IS_SENT: &str = "\
A message is due one minute after the first attempt, and after each further one it waits twice as \
long: up to 15 minutes if the server could not be reached, up to four hours if it answered. A refused \
login holds all of the account's messages back for as long, new ones too, since providers lock accounts \
that are tried too often; --all asks at once, and once. A message is \
sent by \"postie queue flush\", and at the end of every fetch or submission with the same account \
that succeeded, whose output and status do not depend on it: ten messages at most, in five seconds, \
and none after the connection broke. From cron:

  */5 * * * * postie queue flush

The status is 0 if nothing went wrong, and otherwise that of the most lasting failure: 75 if a message \
was refused for now, 65 or 67 if for good. A login that is refused (77) leaves all messages \
waiting.";

const WHAT_FAILED: &str = "\
If some recipients are refused for good, or still do not have the message after attempts over five days, nobody \
waits for an answer any more. That is said on standard error, the message is moved to failed, and \
stays in the list until it is removed. It can be sent anew:

  postie send bob@example.net < ~/.local/state/postie/outbox/failed/ID/message.eml";

const POSSIBLE_DUPLICATES: &str = "\
Between the end of a message and the server's verdict nobody can know whether it was taken. If a \
connection is lost there, or a run killed, the message is sent again, as losing it would be worse, \
and from then on the list says that it may be a duplicate. Many mail readers show a message of the \
same Message-ID once. A message whose verdict is known is never sent again.";

const CONFIG: &str = "\
The file is TOML. It is looked for at $XDG_CONFIG_HOME/postie/config.toml (usually \
~/.config/postie/config.toml), then at /etc/postie/config.toml; --config names another.

Each account is a table [account.NAME]. What holds for fetching only may stand in \
[account.NAME.fetch], what holds for sending only in [account.NAME.send]; any key of an account may \
be repeated there. [defaults], with [defaults.fetch] and [defaults.send], holds for all accounts. \
The command line wins over a side's table, that over the account's, that over the defaults.

default = \"NAME\" at the top of the file names the account to send with when nothing else decides.

[aliases] says who gets mail for names without a domain, as system mail has them. Each key is such \
a name, or \"*\" for all others; its value is an address, several with commas between them, or a list.

A key that is not known is an error. Of password, password-command and password-file a table may \
have one. Paths may begin with ~/; other relative ones begin at home too. A path may begin with \
$CREDENTIALS_DIRECTORY/, where systemd puts the credentials of a service; no other variable is \
expanded.";

const PERMISSIONS: &str = "\
With tls = \"none\", the port of this machine that answers must not be held by another person (a user \
with a number of 1000 or above, but for 65534), as the system's table of connections shows; what it does \
not show is trusted, and so are system services (77).

Files are checked when they are opened. One that fails is refused with status 78, a directory for \
mail or state with 73. \"You\" is the user that postie runs as.

  File                      Owner        Who else may write   Who else may read
  config.toml               you or root  own group            everybody
    with a password in it   you          nobody               nobody
                            root         own group            the file's group
  password-file, client-key you          nobody               nobody
                            root         own group            the file's group
  ca-file, client-cert      you or root  own group            everybody
  directory of any of these you or root  own group; all users everybody
                                         if it is sticky
  Maildir and its parts,    you or root  (not checked)        (not checked)
    state, outbox

An own group is one that has the owner's number or the owner's name, as many systems make one for \
each user. An ACL counts: whoever it lets write or read is somebody else. Of a file that a symbolic \
link leads to, both directories are checked. Directories further up are not.

Another user's file counts as yours on a file system that is mounted read-only, and on one where a \
file that you make gets that same owner (NFS that squashes, CIFS). Where everybody is meant to read \
a password, as some container systems have it, use password-command = [\"cat\", \"FILE\"].

HOME, XDG_CONFIG_HOME and XDG_STATE_HOME count if they are absolute and belong to you (if they do \
not exist: their nearest parent that does). HOME does not count if it is /; XDG_CONFIG_HOME may be \
root's. Otherwise ~/.config and ~/.local/state are used, and the home directory in the password \
database.";

const CONFIG_EXAMPLE: &str = "\
default = \"home\"

[aliases]
root = \"ann@example.com\"

[account.home]
server = \"mail.example.com\"
user = \"ann@example.com\"
password-command = \"pass show mail/home\"

[account.home.fetch]
maildir = \"~/Mail\"
keep = \"30d\"

[account.work]
user = \"ann\"
password-file = \"~/.config/postie/work.password\"

[account.work.fetch]
server = \"pop.example.org\"

[account.work.send]
server = \"smtp.example.org\"
tls = \"starttls\"
from = \"ann@example.org\"";
