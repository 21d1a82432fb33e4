//! The command line as it is typed. Nothing here depends on the machine, so that the manual pages
//! and completions made from it are the same everywhere.

pub mod sendmail;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Parser, Subcommand, ValueHint};

use crate::config::{Keep, Server, Size, Tls, seconds};
use crate::text::{
    Address, Addressees, Detour, Domain, FullName, HeaderField, Mailbox, NamedReversePath, Notify,
    Return,
};

/// Brings your mail and takes it away: POP3 to a Maildir, and authenticated SMTP submission.
#[derive(Debug, Parser)]
#[command(name = "postie", version, after_long_help = EXAMPLES)]
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
    /// Read this configuration file instead of the usual one.
    #[arg(short, long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Say nothing but errors.
    #[arg(short, long, global = true, overrides_with = "quiet")]
    pub quiet: bool,
    /// Show the conversation with the server, passwords masked.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Give up on any step of the network after this time, such as 30s or 2m [default: 60s].
    #[arg(long, global = true, value_name = "TIME", value_parser = seconds)]
    pub timeout: Option<u32>,
    /// Print results as one JSON object a line.
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
#[expect(clippy::large_enum_variant, reason = "there is one of it in a run")]
pub enum Command {
    /// Fetch new messages from POP3 servers into a Maildir.
    ///
    /// A message is delivered exactly once, whatever interrupts a run. It is deleted from the
    /// server only when `--keep` says so, and only when it is safe on this side.
    #[command(after_long_help = FETCH_EXAMPLES)]
    Fetch(Fetch),
    /// Submit a message to an SMTP server, logged in.
    ///
    /// The message is read from standard input, header and all; missing Date, Message-ID and From
    /// fields are added and Bcc is removed. With `--to`, `--subject` or another of
    /// the options for composing, a message is composed instead, and standard input is its text.
    #[command(after_long_help = SEND_EXAMPLES)]
    Send(Send),
    /// List the messages that wait to be sent; send them, or drop them.
    ///
    /// A message that was sent with `--queue`, or `queue = true`, waits unless it was sent or refused
    /// permanently: for the network, a login, the configuration. It is sent when it is due: by
    /// `postie queue flush`, or at the end of a fetch or submission with the same account.
    #[command(after_long_help = QUEUE_EXAMPLES)]
    Queue(Queue),
    /// Take over accounts from msmtp, mpop, fetchmail and getmail, and what they have fetched.
    ///
    /// Prints a configuration: an account for each of theirs, and a comment for whatever is not carried
    /// over. A file is known by what is in it. What the other program remembers of the messages that it
    /// has fetched is read, too, so that the first fetch brings what is new, and nothing twice.
    #[command(after_long_help = IMPORT_EXAMPLES)]
    Import(Import),
    /// Find out what is wrong with an account, and what to do about it.
    ///
    /// Goes step by step from the configuration to the mailbox or the readiness to take mail, and
    /// says at the first step that fails what is wrong and what to try. Sends no mail and changes
    /// nothing, here or there; no password is said before the server's certificate was verified.
    #[command(after_long_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Put the manual pages, completions and systemd units where they belong.
    ///
    /// They are in the program itself. Without `--user` and `--prefix` they are for the whole system,
    /// below /usr/local, if root asks, else for this user. A file that is there and was not put there by
    /// this command, or was changed since, is neither replaced nor removed.
    #[command(after_long_help = INSTALL_EXAMPLES)]
    Install(Install),
    /// Print a manual page.
    Man(Man),
    /// Print the completions of a shell.
    Completions(Completions),
    /// Find the servers of an address, and print the account to write into the configuration.
    ///
    /// Looks into a table of providers, then at what the address's domain publishes, and tells the
    /// servers found from the ones that work. No password is asked for or sent.
    #[command(after_long_help = SETUP_EXAMPLES)]
    Setup(Setup),
    /// Print the version.
    #[command(hide = true)]
    Version,
    /// Log in by OAuth 2.0 once, so that later runs have tokens by themselves.
    ///
    /// Prints an address for a browser, waits until the browser comes back to this machine or the
    /// address of its last page is pasted, keeps what was granted, and checks the account.
    #[command(after_long_help = LOGIN_EXAMPLES)]
    Login(Login),
}

/// `postie fetch`.
#[derive(Debug, Default, clap::Args)]
pub struct Fetch {
    /// Fetch from these accounts; from all of them if none is named.
    #[arg(value_name = "ACCOUNT", conflicts_with = "server")]
    pub accounts: Vec<String>,
    /// Deliver into this Maildir.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub maildir: Option<PathBuf>,
    /// What becomes of a message on the server when it is safe: `forever`, `none` or e.g. `30d`.
    #[arg(long, value_name = "HOW LONG")]
    pub keep: Option<Keep>,
    /// Fetch also what was fetched before.
    #[arg(long)]
    pub all: bool,
    /// Fetch at most NUMBER messages per account, oldest first
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Leave larger messages on the server, e.g. `500k` or `25M`.
    #[arg(long, value_name = "SIZE")]
    pub max_size: Option<Size>,
    /// Connect again until a session brings nothing new, for servers that show only a part.
    #[arg(long)]
    pub repeat: bool,
    /// Say what would happen to each message, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Note everything that is there as not to be fetched, and fetch nothing.
    #[arg(long, conflicts_with_all = ["dry_run", "all", "repeat"])]
    pub note_only: bool,
    /// Fetch from up to NUMBER accounts in parallel, 64 at most [default: 8].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// The one-off account.
    #[command(flatten)]
    pub one_off: OneOff,
}

/// `postie send`.
#[derive(Debug, Default, clap::Args)]
pub struct Send {
    /// Send to these addresses
    #[arg(value_name = "RECIPIENT")]
    pub recipients: Vec<Addressees<Address>>,
    /// Send with this account.
    #[arg(short, long, value_name = "NAME", conflicts_with = "server")]
    pub account: Option<String>,
    /// The sender's address, to which failures are reported, perhaps with a name; `<>` for none, as of
    /// messages that are not to be answered.
    #[arg(short, long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub from: Option<NamedReversePath>,
    /// The name that stands before the sender's address in a From field that is added.
    #[arg(short = 'F', long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub full_name: Option<FullName>,
    /// Send also to the addresses in To, Cc and Bcc.
    #[arg(short = 't', long, conflicts_with = "Compose")]
    pub read_recipients: bool,
    /// Send to no one unless every recipient is accepted
    #[arg(long)]
    pub all_or_nothing: bool,
    /// Ask for reports on `never`, or some of `success`, `failure` and `delay`, with commas.
    #[arg(short = 'N', long, value_name = "WHEN")]
    pub dsn_notify: Option<Notify>,
    /// Have failures reported with the `full` message or its header only (`hdrs`).
    #[arg(short = 'R', long, value_name = "WHAT")]
    pub dsn_return: Option<Return>,
    /// Have every server pass the message on by verified TLS, or not at all.
    #[arg(long)]
    pub require_tls: bool,
    /// Print the envelope and the message, and connect to nothing.
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
    /// The one-off account.
    #[command(flatten)]
    pub one_off: OneOff,
}

/// `postie login`.
#[derive(Debug, Default, clap::Args)]
pub struct Login {
    /// The account; may be left out if only one has `oauth`.
    #[arg(value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// Log in with a code that is typed into a page on any machine.
    #[arg(long, conflicts_with = "forget")]
    pub device: bool,
    /// Remove what is kept of the login.
    #[arg(long)]
    pub forget: bool,
}

/// `postie check`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Check {
    /// Check these accounts; all of them if none is named. An address that is no account is checked
    /// with the servers that `postie setup` finds for it.
    #[arg(value_name = "ACCOUNT", conflicts_with = "server")]
    pub accounts: Vec<String>,
    /// Check fetching only.
    #[arg(long, conflicts_with_all = ["send", "from", "probe_sender"])]
    pub fetch: bool,
    /// Check sending only.
    #[arg(long)]
    pub send: bool,
    /// Ask whether the server takes mail from the sender's address, with MAIL FROM and RSET.
    #[arg(long)]
    pub probe_sender: bool,
    /// The sender's address.
    #[arg(short, long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub from: Option<Mailbox>,
    /// If all of it works, add the account to the configuration file.
    #[arg(long)]
    pub save: bool,
    /// Where to ask and connect, for tests.
    #[command(flatten)]
    pub elsewhere: Elsewhere,
    /// The one-off account.
    #[command(flatten)]
    pub one_off: OneOff,
}

/// `postie setup`.
#[derive(Debug, clap::Args)]
pub struct Setup {
    /// The address.
    #[arg(value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub address: Mailbox,
    /// Give the account this name; the first part of the address's domain if none is given.
    #[arg(short, long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub account: Option<String>,
    /// Add the account to the configuration file.
    #[arg(long)]
    pub write: bool,
    /// Connect to nothing: only the table of providers is looked at.
    #[arg(long)]
    pub offline: bool,
    /// Accept a server outside the address's domain that only an unsigned DNS answer names.
    #[arg(long, value_name = "HOST", value_hint = ValueHint::Hostname)]
    pub accept: Vec<Domain>,
    /// Trust these certification authorities instead of the usual ones (PEM).
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
    /// Send copies to these addresses, and do not tell the others.
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub bcc: Vec<Addressees<Address>>,
    /// Have answers sent to these addresses.
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub reply_to: Vec<Addressees>,
    /// The subject.
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
    pub subject: Option<String>,
    /// Add a field to the header, as in `--header 'In-Reply-To: <1@example.net>'`.
    #[arg(long, value_name = "NAME: VALUE", value_hint = ValueHint::Other)]
    pub header: Vec<HeaderField>,
    /// The text, instead of standard input (`-`).
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
    pub body: Option<String>,
    /// The same as HTML, from a file or standard input (`-`); if there is no other text, all of it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// Attach files, or standard input (`-`). Further words are files as long as they exist and hold no
    /// `@`. One that the HTML shows by its name, as in `<img src="cid:photo.jpg">`, is
    /// part of the page.
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

/// `postie import`.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// Read these: msmtprc, mpoprc, fetchmailrc and getmailrc; mpop's uidls files, getmail's oldmail
    /// files and fetchmail's .fetchids.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Add the accounts to the configuration file, put passwords into files of their own, and note what
    /// was fetched before.
    #[arg(long)]
    pub write: bool,
}

/// `postie queue`.
#[derive(Debug, clap::Args)]
pub struct Queue {
    /// The action; `None` lists the outbox.
    #[command(subcommand)]
    pub action: Option<QueueAction>,
}

/// An action on the outbox.
#[derive(Debug, Subcommand)]
pub enum QueueAction {
    /// Send what is due.
    Flush {
        /// Send also what is not due yet.
        #[arg(long)]
        all: bool,
    },
    /// Drop messages.
    Remove {
        /// The ids, as `postie queue` lists them
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
}

/// `postie install`.
#[derive(Debug, clap::Args)]
pub struct Install {
    /// Install for this user, in `XDG_DATA_HOME` (`~/.local/share`).
    #[arg(long, conflicts_with = "prefix")]
    pub user: bool,
    /// Install for the whole system, below this directory.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub prefix: Option<PathBuf>,
    /// List the files and their states: `installed`, `missing`, `outdated` or `foreign`.
    #[arg(long)]
    pub list: bool,
    /// Remove what was installed.
    #[arg(long, conflicts_with = "list")]
    pub remove: bool,
}

/// `postie man`.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// The page: `postie`, `config`, or a command.
    #[arg(value_name = "PAGE", default_value = "postie")]
    pub page: String,
}

/// `postie completions`.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL", value_parser = SHELLS)]
    pub shell: String,
}

/// The shells that there are completions for.
pub const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "elvish", "powershell"];

/// An account of which no configuration file knows, or what is to be different this time.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "One-off account")]
pub struct OneOff {
    /// Use this server, and no configuration file.
    #[arg(long, value_name = "HOST[:PORT]", value_hint = ValueHint::Hostname)]
    pub server: Option<Server>,
    /// Log in with this name.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub user: Option<String>,
    /// TLS from the start (`implicit`, the default) or after STLS or STARTTLS (`starttls`), or
    /// `none`, which is for a server on this machine's loopback address only.
    #[arg(long, value_name = "HOW", value_parser = tls(), hide_possible_values = true)]
    pub tls: Option<Tls>,
    /// Read the password from the first line of a file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub password_file: Option<PathBuf>,
    /// Read the password from what a command prints on its first line.
    #[arg(long, value_name = "COMMAND", value_hint = ValueHint::CommandString, conflicts_with = "password_file")]
    pub password_command: Option<String>,
    /// Trust these certification authorities instead of the usual ones (PEM).
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
  postie fetch                                 # new messages of every account
  postie send bob@example.net < message.eml    # a message, header and all
  postie setup ann@example.com                 # what to write into the configuration
  postie check                                 # what is wrong, if something is";

/// Examples of `postie fetch`.
pub const FETCH_EXAMPLES: &str = "\
Examples:
  postie fetch                        # every account in the configuration file
  postie fetch home --keep 30d        # one; delete what was fetched 30 days ago
  postie fetch --server pop.example.com --user ann@example.com --maildir ~/Mail";

/// Examples of `postie send`.
pub const SEND_EXAMPLES: &str = "\
Examples:
  postie send bob@example.net < message.eml    # a message, header and all
  postie send -t < message.eml                 # recipients from its To, Cc and Bcc
  date | postie send --to bob@example.net --subject \"The time\" --attach photo.jpg";

impl Queue {
    /// Returns whether messages are to be sent.
    pub fn is_flush(&self) -> bool {
        matches!(self.action, Some(QueueAction::Flush { .. }))
    }
}

/// Examples of `postie queue`.
pub const QUEUE_EXAMPLES: &str = "\
Examples:
  postie queue                            # what waits, and why
  postie queue flush --all                # send everything now
  postie queue remove 6924e3a1.5f0c81d2";

/// How `postie import` is called.
pub const IMPORT_EXAMPLES: &str = "\
Examples:
  postie import ~/.mpoprc ~/.msmtprc            # what it would be here
  postie import ~/.mpoprc ~/.msmtprc --write    # take it over
  postie check                                  # whether it works";

/// Examples of `postie check`.
pub const CHECK_EXAMPLES: &str = "\
Examples:
  postie check                        # both sides of every account
  postie check home --send --probe-sender
  postie check ann@example.com        # an address that is no account yet
  postie check --server mail.example.com --user ann@example.com";

/// How `postie install` is called.
pub const INSTALL_EXAMPLES: &str = "\
Examples:
  postie install                      # for this user; as root, below /usr/local
  postie install --list               # what is where
  postie install --remove";

/// How `postie setup` is called.
pub const SETUP_EXAMPLES: &str = "\
Examples:
  postie setup ann@example.com            # what to write into the configuration
  postie setup ann@example.com --write    # write it
  postie setup ann@gmail.com --offline    # what is known without asking anybody";

/// How `postie login` is called.
pub const LOGIN_EXAMPLES: &str = "\
Examples:
  postie login                        # the only account that has `oauth`
  postie login work --device          # with a code, on a machine without a browser
  postie login work --forget";

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

    #[test]
    fn one_argument_may_name_two_recipients() {
        let args = Args::try_parse_from(["postie", "send", "a@x,Bob <b@y>", "c@z"]).unwrap();
        let Command::Send(send) = args.command else { panic!("{args:?}") };
        assert_eq!(send.recipients.len(), 2);
        assert_eq!(send.recipients[0].0.len(), 2);
        assert!(!send.compose.is_wanted());
    }

    #[test]
    fn what_cannot_be_meant_is_a_usage_error() {
        for wrong in [
            &["postie"][..],
            &["postie", "fetch", "--keep", "30"],
            &["postie", "fetch", "home", "--server", "x"],
            &["postie", "fetch", "--server", "x:y"],
            &["postie", "fetch", "--timeout", "0"],
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
