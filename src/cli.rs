//! The command line as it is typed. Nothing here depends on the machine, so that the manual pages
//! and completions made from it are the same everywhere.

pub mod sendmail;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Parser, Subcommand, ValueHint};

use crate::config::{Keep, Server, Size, Tls, seconds};
use crate::text::{
    Address, Addressees, Detour, Domain, FullName, HeaderField, Mailbox, NamedReversePath, Notify,
    Return,
};

/// Fetch mail by POP3 into a Maildir, and submit mail by SMTP.
#[derive(Debug, Parser)]
// Scripts and callers of sendmail add options to those that are there: the last one counts.
#[command(name = "postie", version, after_long_help = EXAMPLES, args_override_self = true)]
pub struct Args {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// The options of every command.
    #[command(flatten)]
    pub global: Global,
}

/// The options of every command.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Options for every command")]
pub struct Global {
    /// Read this configuration file instead of the default one.
    #[arg(short, long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Print errors only.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Show the conversation, passwords masked; -vv adds TLS and timing.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Give up on any network wait after TIME, e.g. 2m [default: 60s].
    #[arg(long, global = true, value_name = "TIME", value_parser = seconds)]
    pub timeout: Option<u32>,
    /// Print results as JSON, one object per line.
    #[arg(long, global = true)]
    pub json: bool,
    /// The name that the program was called by.
    #[arg(skip)]
    pub invoked_as: InvokedAs,
}

/// The name that the program was called by. What stands behind `sendmail` may come from strangers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InvokedAs {
    /// Its own.
    #[default]
    Postie,
    /// `sendmail`, `mailq` or `newaliases`, as by a link.
    Sendmail,
}

/// A command.
#[derive(Debug, Subcommand)]
// Only the options of the command that is called are described.
#[command(defer = true)]
#[expect(clippy::large_enum_variant, reason = "there is one of it in a run")]
pub enum Command {
    /// Fetch new messages from POP3 servers into a Maildir.
    Fetch(Fetch),
    /// Submit a message to an SMTP server, always logged in.
    Send(Send),
    /// List, send or remove the messages waiting in the outbox.
    Queue(Queue),
    /// Find out what is wrong with an account, step by step.
    Check(Check),
    /// Find the servers for an address and print its account configuration.
    Setup(Setup),
    /// Log in by OAuth 2.0; later runs renew the tokens.
    Login(Login),
    /// Submit messages for local users, who see no password.
    SubmitServer(SubmitServer),
    /// Import accounts and state from msmtp, mpop, fetchmail and getmail.
    Import(Import),
    /// Install the manual pages, shell completions and systemd units.
    Install(Install),
    /// Print a manual page.
    Man(Man),
    /// Print the completion script for a shell.
    Completions(Completions),
    /// Print the version.
    #[command(hide = true)]
    Version,
}

/// Fetch new messages from POP3 servers into a Maildir.
///
/// A message is delivered exactly once, even if a run is interrupted. It is deleted from the
/// server only if --keep asks for it, and only after it is durable on this machine.
#[derive(Debug, Default, clap::Args)]
#[command(after_long_help = FETCH_EXAMPLES)]
pub struct Fetch {
    /// Fetch from these accounts [default: all].
    #[arg(value_name = "ACCOUNT", conflicts_with = "server")]
    pub accounts: Vec<String>,
    /// Deliver into this Maildir instead of the account's [default: ~/Maildir].
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub maildir: Option<PathBuf>,
    /// Keep delivered messages on the server: forever, none, 30d [default: forever].
    #[arg(long, value_name = "TIME")]
    pub keep: Option<Keep>,
    /// Fetch again the messages that were fetched before.
    #[arg(long)]
    pub all: bool,
    /// Fetch at most NUMBER messages per account, oldest first
    #[arg(long, value_name = "NUMBER", value_parser = at_least_one::<u32>)]
    pub limit: Option<u32>,
    /// Leave messages larger than SIZE on the server, e.g. 25M.
    #[arg(long, value_name = "SIZE")]
    pub max_size: Option<Size>,
    /// Reconnect until a session brings no new messages.
    #[arg(long, conflicts_with = "all")]
    pub repeat: bool,
    /// List what would happen to each message; change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Record all listed messages as not to be fetched; fetch nothing.
    #[arg(long, conflicts_with_all = ["dry_run", "all", "repeat"])]
    pub note_only: bool,
    /// Fetch from NUMBER accounts in parallel [default: 64, 10 per host].
    #[arg(long, value_name = "NUMBER", value_parser = at_least_one::<u16>)]
    pub jobs: Option<u16>,
    /// The ad-hoc account.
    #[command(flatten)]
    pub one_off: OneOff,
}

/// Submit a message to an SMTP server, always logged in.
///
/// The message, including its header, is read from standard input. Missing Date, Message-ID and
/// From fields are added, and Bcc is removed. With --to, --subject or another composing option,
/// a message is composed, and standard input is its text.
#[derive(Debug, Default, clap::Args)]
#[command(after_long_help = SEND_EXAMPLES)]
pub struct Send {
    /// Send to these addresses
    #[arg(value_name = "RECIPIENT")]
    pub recipients: Vec<Addressees<Address>>,
    /// Send with this account [default: matched by the sender's address].
    #[arg(short, long, value_name = "NAME", conflicts_with = "server")]
    pub account: Option<String>,
    /// Set the sender's address, which receives failure reports; <> for none.
    #[arg(short, long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub from: Option<NamedReversePath>,
    /// Set the sender's name in an added From field.
    #[arg(short = 'F', long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub full_name: Option<FullName>,
    /// Send also to the addresses in To, Cc and Bcc.
    #[arg(short = 't', long, conflicts_with = "Compose")]
    pub read_recipients: bool,
    /// Send to no one unless every recipient is accepted
    #[arg(long)]
    pub all_or_nothing: bool,
    /// Request delivery reports: never, or any of success,failure,delay.
    #[arg(short = 'N', long, value_name = "WHEN")]
    pub dsn_notify: Option<Notify>,
    /// Request the full message, or only hdrs, in failure reports.
    #[arg(short = 'R', long, value_name = "WHAT")]
    pub dsn_return: Option<Return>,
    /// Require verified TLS on every hop to the recipients.
    #[arg(long)]
    pub require_tls: bool,
    /// Print the envelope and the message; connect to nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Keep the message in the outbox if it cannot be sent now
    #[arg(long, conflicts_with_all = ONE_OFF)]
    pub queue: bool,
    /// Speak SMTP on standard input and output, as `sendmail -bs`.
    #[arg(skip)]
    pub speaks_smtp: bool,
    /// The composing options.
    #[command(flatten)]
    pub compose: Compose,
    /// The ad-hoc account.
    #[command(flatten)]
    pub one_off: OneOff,
}

/// Log in by OAuth 2.0; later runs renew the tokens.
///
/// Prints a URL for a browser, waits until the browser returns to this machine or the URL of its
/// last page is pasted, stores the tokens, and checks the account.
#[derive(Debug, Default, clap::Args)]
#[command(after_long_help = LOGIN_EXAMPLES)]
pub struct Login {
    /// Log in with this account [default: the only one with oauth].
    #[arg(value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// Print a code to enter in a browser on any machine.
    #[arg(long, conflicts_with = "forget")]
    pub device: bool,
    /// Remove the stored tokens.
    #[arg(long)]
    pub forget: bool,
}

/// Find out what is wrong with an account, step by step.
///
/// Checks the configuration, the connection, the certificate, the login, and the maildrop or the
/// submission service. Stops at the first step that fails, with the reason and what to try.
/// Sends no mail, and changes nothing without --save. Sends no password before the server's
/// certificate is verified.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_long_help = CHECK_EXAMPLES)]
pub struct Check {
    /// Check these accounts or addresses [default: all accounts].
    #[arg(value_name = "ACCOUNT", conflicts_with = "server")]
    pub accounts: Vec<String>,
    /// Check fetching only.
    #[arg(long, conflicts_with_all = ["send", "from", "probe_sender"])]
    pub fetch: bool,
    /// Check sending only.
    #[arg(long)]
    pub send: bool,
    /// Ask whether the server accepts the sender (MAIL FROM, then RSET).
    #[arg(long)]
    pub probe_sender: bool,
    /// Set the sender's address.
    #[arg(short, long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub from: Option<Mailbox>,
    /// Add the account to the configuration file if every step succeeds.
    #[arg(long)]
    pub save: bool,
    /// Where to ask and connect, for tests.
    #[command(flatten)]
    pub elsewhere: Elsewhere,
    /// The ad-hoc account.
    #[command(flatten)]
    pub one_off: OneOff,
}

/// Find the servers for an address and print its account configuration.
///
/// Looks in a built-in table of providers, then at what the domain publishes, and tests each
/// server found. No password is asked for or sent.
#[derive(Debug, clap::Args)]
#[command(after_long_help = SETUP_EXAMPLES)]
pub struct Setup {
    /// Find the servers for this address.
    #[arg(value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub address: Mailbox,
    /// Name the account NAME [default: first part of the domain].
    #[arg(short, long, value_name = "NAME", value_hint = ValueHint::Other, value_parser = NonEmptyStringValueParser::new())]
    pub account: Option<String>,
    /// Add the account to the configuration file.
    #[arg(long)]
    pub write: bool,
    /// Look in the table of providers only; connect to nothing.
    #[arg(long)]
    pub offline: bool,
    /// Accept this server outside the domain, named by unsigned DNS only.
    #[arg(long, value_name = "HOST", value_hint = ValueHint::Hostname)]
    pub accept: Vec<Domain>,
    /// Trust only the certification authorities in FILE (PEM).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// Where to ask and connect, for tests.
    #[command(flatten)]
    pub elsewhere: Elsewhere,
}

/// Where servers are asked and connected to in place of their own addresses.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Elsewhere {
    /// Ask this resolver instead of the system's.
    #[arg(long, hide = true, value_name = "ADDRESS:PORT")]
    pub dns: Option<SocketAddr>,
    /// Connect to this address instead of a server's own.
    #[arg(long, hide = true, value_name = "[NAME]:[PORT]:HOST:PORT")]
    pub connect_to: Vec<Detour>,
}

/// The composing options.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Composing")]
pub struct Compose {
    /// Compose a message to these addresses.
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub to: Vec<Addressees<Address>>,
    /// Send copies to these addresses.
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub cc: Vec<Addressees<Address>>,
    /// Send blind copies to these addresses.
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub bcc: Vec<Addressees<Address>>,
    /// Direct replies to these addresses.
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub reply_to: Vec<Addressees>,
    /// Set the subject.
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
    pub subject: Option<String>,
    /// Add a header field, e.g. 'In-Reply-To: <1@example.net>'.
    #[arg(long, value_name = "NAME: VALUE", value_hint = ValueHint::Other)]
    pub header: Vec<HeaderField>,
    /// Use TEXT as the text; - is standard input [default: -].
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
    pub body: Option<String>,
    /// Read the text as HTML from FILE; - is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// Attach these files; - is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub attach: Vec<PathBuf>,
}

impl Compose {
    /// Returns whether a message is to be composed.
    pub fn is_wanted(&self) -> bool {
        let Self { to, cc, bcc, reply_to, subject, header, body, html, attach } = self;
        !(to.is_empty()
            && cc.is_empty()
            && bcc.is_empty()
            && reply_to.is_empty()
            && subject.is_none()
            && header.is_empty()
            && body.is_none()
            && html.is_none()
            && attach.is_empty())
    }
}

/// Import accounts and state from msmtp, mpop, fetchmail and getmail.
///
/// Prints a configuration: one account for each of theirs, and a comment for every setting without
/// a counterpart. The type of a file is detected from its content. The other program's list of
/// fetched messages is imported, too, so the first fetch retrieves new messages only.
#[derive(Debug, clap::Args)]
#[command(after_long_help = IMPORT_EXAMPLES)]
pub struct Import {
    /// Read these configuration files and lists of fetched messages.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Write the accounts, the passwords and the lists of fetched messages.
    #[arg(long)]
    pub write: bool,
}

/// Submit messages for local users, who see no password.
///
/// Serves one user on a connected UNIX socket that is standard input and output, as a service
/// manager starts it. The kernel names the user. With --listen, accepts connections itself.
#[derive(Debug, Default, clap::Args)]
#[command(after_long_help = SUBMIT_SERVER_EXAMPLES)]
pub struct SubmitServer {
    /// Accept connections at this UNIX socket, one process for each.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub listen: Option<PathBuf>,
}

/// List, send or remove the messages waiting in the outbox.
///
/// With --queue, or queue = true in the configuration, a message waits in the outbox until it is
/// sent or refused permanently. It is sent when it is due: by postie queue flush, or at the end
/// of a successful fetch or submission with the same account.
#[derive(Debug, clap::Args)]
#[command(after_long_help = QUEUE_EXAMPLES)]
pub struct Queue {
    /// The action; `None` lists the outbox.
    #[command(subcommand)]
    pub action: Option<QueueAction>,
}

/// An action on the outbox.
#[derive(Debug, Subcommand)]
pub enum QueueAction {
    /// Send the messages that are due.
    Flush {
        /// Send also the messages that are not due yet.
        #[arg(long)]
        all: bool,
    },
    /// Remove messages from the outbox.
    Remove {
        /// Remove the messages with these ids, as listed.
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
}

/// Install the manual pages, shell completions and systemd units.
///
/// The files are embedded in the program. Without --user or --prefix, they are installed below
/// /usr/local if root runs the command, otherwise for the current user. A file that this command
/// did not install, or that was changed since, is neither replaced nor removed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = INSTALL_EXAMPLES)]
pub struct Install {
    /// Install for this user, below ~/.local/share.
    #[arg(long, conflicts_with = "prefix")]
    pub user: bool,
    /// Install for the whole system, below DIR [default: /usr/local].
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub prefix: Option<PathBuf>,
    /// List the files and their states; change nothing.
    #[arg(long)]
    pub list: bool,
    /// Remove the installed files.
    #[arg(long, conflicts_with = "list")]
    pub remove: bool,
}

/// Print a manual page.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// Print this page: postie, config, providers, recipes or a command.
    #[arg(value_name = "PAGE", default_value = "postie")]
    pub page: String,
}

/// Print the completion script for a shell.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// Print completions for this shell.
    #[arg(value_name = "SHELL", value_parser = SHELLS, required_unless_present = "list")]
    pub shell: Option<String>,
    /// Print these names, one per line: for the completion scripts.
    #[arg(long, hide = true, value_name = "NAMES", conflicts_with = "shell")]
    pub list: Option<Names>,
}

/// Names that a completion script asks for.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Names {
    /// The accounts of the configuration.
    Accounts,
    /// The ids of the messages in the outbox.
    Messages,
}

/// The shells that there are completions for.
pub const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "elvish", "powershell"];

/// The options of an ad-hoc account, or that replace those of an account for this run.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Ad-hoc account")]
pub struct OneOff {
    /// Use this server, and no configuration file.
    #[arg(long, value_name = "HOST[:PORT]", value_hint = ValueHint::Hostname)]
    pub server: Option<Server>,
    /// Log in with this name.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other, value_parser = NonEmptyStringValueParser::new())]
    pub user: Option<String>,
    /// Use TLS: implicit, starttls, or none (loopback only) [default: implicit].
    #[arg(long, value_name = "HOW", value_parser = tls(), hide_possible_values = true)]
    pub tls: Option<Tls>,
    /// Read the password from the first line of FILE.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub password_file: Option<PathBuf>,
    /// Read the password from the first line that COMMAND prints.
    #[arg(long, value_name = "COMMAND", value_hint = ValueHint::CommandString, conflicts_with = "password_file")]
    pub password_command: Option<String>,
    /// Trust only the certification authorities in FILE (PEM).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
}

/// Every option of [`OneOff`].
const ONE_OFF: [&str; 6] =
    ["server", "user", "tls", "password_file", "password_command", "ca_file"];

impl OneOff {
    /// Returns whether any of these options was given.
    pub fn is_given(&self) -> bool {
        let Self { server, user, tls, password_file, password_command, ca_file } = self;
        server.is_some()
            || user.is_some()
            || tls.is_some()
            || password_file.is_some()
            || password_command.is_some()
            || ca_file.is_some()
    }
}

/// Examples of `postie`; a `#` begins a remark.
pub const EXAMPLES: &str = "\
Examples:
  postie setup ann@example.com              # print its account
  postie check                              # find out what is wrong
  postie fetch                              # fetch new messages
  postie send bob@example.net < message.eml # send a complete message";

/// Examples of `postie fetch`.
pub const FETCH_EXAMPLES: &str = "\
Examples:
  postie fetch                        # all accounts
  postie fetch home --keep 30d        # delete after 30 days
  postie fetch --server pop.example.com --user ann@example.com";

/// Examples of `postie send`.
pub const SEND_EXAMPLES: &str = "\
Examples:
  postie send bob@example.net < message.eml    # a complete message
  postie send -t < message.eml                 # recipients from the header
  date | postie send --to bob@example.net --subject \"The time\"";

impl Queue {
    /// Returns whether messages are to be sent.
    pub fn is_flush(&self) -> bool {
        matches!(self.action, Some(QueueAction::Flush { .. }))
    }
}

/// Examples of `postie queue`.
pub const QUEUE_EXAMPLES: &str = "\
Examples:
  postie queue                            # list messages and their status
  postie queue flush --all                # send all messages now
  postie queue remove 6924e3a1.8c1e5f0c81d2";

/// Examples of `postie submit-server`.
pub const SUBMIT_SERVER_EXAMPLES: &str = "\
Examples:
  postie submit-server --listen /run/postie/submit";

/// Examples of `postie import`.
pub const IMPORT_EXAMPLES: &str = "\
Examples:
  postie import ~/.mpoprc ~/.msmtprc            # print the configuration
  postie import ~/.mpoprc ~/.msmtprc --write    # write it
  postie check                                  # check that it works";

/// Examples of `postie check`.
pub const CHECK_EXAMPLES: &str = "\
Examples:
  postie check                        # fetching and sending, all accounts
  postie check home --send --probe-sender
  postie check ann@example.com        # an address without an account
  postie check --server mail.example.com --user ann@example.com";

/// Examples of `postie install`.
pub const INSTALL_EXAMPLES: &str = "\
Examples:
  postie install                      # for this user, or system as root
  postie install --list               # list installed files
  postie install --remove";

/// Examples of `postie setup`.
pub const SETUP_EXAMPLES: &str = "\
Examples:
  postie setup ann@example.com            # print the account
  postie setup ann@example.com --write    # write it
  postie setup ann@gmail.com --offline    # use the built-in table only";

/// Examples of `postie login`.
pub const LOGIN_EXAMPLES: &str = "\
Examples:
  postie login                        # the only account with oauth
  postie login work --device          # on a machine without a browser
  postie login work --forget";

fn at_least_one<T: TryFrom<u32>>(text: &str) -> Result<T, &'static str> {
    let number = text.parse().ok().filter(|&number: &u32| number > 0);
    number.and_then(|number| T::try_from(number).ok()).ok_or("expected a number of at least 1")
}

fn tls() -> impl TypedValueParser<Value = Tls> {
    PossibleValuesParser::new(Tls::NAMES.map(|(name, _)| name)).try_map(|name| name.parse::<Tls>())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    /// Of a command that is not called only its place in the list is known.
    #[test]
    fn a_command_says_of_itself_what_the_list_says_of_it() {
        let abouts = |command: &clap::Command| -> Vec<_> {
            let about = |it: &clap::Command| it.get_about().map(ToString::to_string);
            command.get_subcommands().map(|it| (it.get_name().to_owned(), about(it))).collect()
        };
        let mut command = Args::command();
        let listed = abouts(&command);
        command.build();
        for (name, about) in listed {
            let built = abouts(&command).into_iter().find(|(built, _)| *built == name).unwrap();
            assert_eq!(built.1, about, "{name}");
        }
    }

    #[test]
    fn one_argument_may_name_two_recipients() {
        let args = Args::try_parse_from(["postie", "send", "a@x,Bob <b@y>", "c@z"]).unwrap();
        let Command::Send(send) = args.command else { panic!("{args:?}") };
        assert_eq!(send.recipients.len(), 2);
        assert_eq!(send.recipients[0].0.len(), 2);
        assert!(!send.compose.is_wanted());
    }

    #[test]
    fn of_an_option_that_is_given_twice_the_last_counts() {
        let words = ["postie", "send", "-t", "-f", "a@x", "-t", "-q", "-q", "--from=b@x"];
        let args = Args::try_parse_from(words).unwrap();
        let Command::Send(send) = args.command else { panic!("{args:?}") };
        assert!(send.read_recipients && args.global.quiet);
        assert_eq!(send.from, "b@x".parse().ok());
        let words = ["postie", "--timeout=1", "fetch", "--jobs=2", "--jobs=3", "--timeout=2"];
        let args = Args::try_parse_from(words).unwrap();
        let Command::Fetch(fetch) = args.command else { panic!("{args:?}") };
        assert_eq!((fetch.jobs.map(usize::from), args.global.timeout), (Some(3), Some(2)));
    }

    #[test]
    fn what_cannot_be_meant_is_a_usage_error() {
        for wrong in [
            &["postie"][..],
            &["postie", "fetch", "--keep", "30"],
            &["postie", "fetch", "home", "--server", "x"],
            &["postie", "fetch", "--server", "x:y"],
            &["postie", "fetch", "--timeout", "0"],
            &["postie", "fetch", "--all", "--repeat"],
            &["postie", "fetch", "--server", "x", "--user", ""],
            &["postie", "fetch", "--tls", "maybe"],
            &["postie", "send", "some body"],
            &["postie", "send", "-t", "--to", "a@x"],
            &["postie", "send", "-t", "--subject", "x", "a@x"],
            &["postie", "send", "-t", "--attach", "x", "a@x"],
            &["postie", "send", "a@x\r\nRSET"],
            &["postie", "send", "--password-file", "x", "--password-command", "y"],
            &["postie", "send", "--queue", "--server", "x", "a@x"],
            &["postie", "send", "--queue", "--user", "x", "a@x"],
            &["postie", "send", "-F", &"x".repeat(999), "a@x"],
            &["postie", "send", "--to", "a@x", "--header", &format!("X-Y: z {}", "x".repeat(999))],
            &["postie", "queue", "remove"],
        ] {
            assert!(Args::try_parse_from(wrong).is_err(), "{wrong:?}");
        }
    }
}
