//! The words of fetchmail's manual, and what each becomes in a configuration.

use super::super::account::{Becomes, Keyword};
use super::super::rc::{VERIFIED, word};

/// An option, and how it is written.
#[derive(Debug)]
pub(in crate::import) struct Choice {
    /// The option.
    pub(in crate::import) keyword: Keyword,
    /// The alternative spellings.
    pub(in crate::import) also: &'static [&'static str],
    pub(super) scope: Scope,
    pub(super) takes: Takes,
}

#[cfg(test)]
impl Choice {
    /// The part of the configuration that it belongs to.
    pub(in crate::import) fn scope(&self) -> impl std::fmt::Debug {
        self.scope
    }
}

/// A part of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The program: it follows `set`.
    Program,
    Server,
    User,
}

/// The argument of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// No argument; the option may follow `no`.
    Nothing,
    /// A word or number.
    Word,
    /// A word or number, even if it looks like an option.
    AnyWord,
    /// All words before the next option.
    Words,
    /// A number, which may be left out, and a word.
    NumberAndWord,
}

const fn choice_of(
    keyword: Keyword,
    also: &'static [&'static str],
    scope: Scope,
    takes: Takes,
) -> Choice {
    Choice { keyword, also, scope, takes }
}

const MULTIDROP: Becomes =
    Becomes::Comment("it is for multidrop: a header does not prove whom a message is for", &[]);
const LISTENER: Becomes =
    Becomes::Comment("messages are delivered to a Maildir or a command, not to a mail server", &[]);
const DAEMON: Becomes =
    Becomes::Comment("there is no daemon: cron or a timer starts each run", &[]);
const AS_IT_IS: Becomes =
    Becomes::Comment("messages are delivered octet for octet, with LF line ends", &["no"]);
const IMAP: Becomes = Becomes::Comment("only POP3 is spoken here", &["no"]);

/// Every option.
pub(in crate::import) const CHOICES: &[Choice] = {
    use Scope::{Program, Server, User};
    use Takes::{AnyWord, Nothing, NumberAndWord, Word, Words};
    &[
        choice_of(word("daemon", DAEMON, "300"), &[], Program, Word),
        choice_of(word("postmaster", LISTENER, "root"), &[], Program, Word),
        choice_of(word("bouncemail", LISTENER, ""), &[], Program, Nothing),
        choice_of(word("spambounce", LISTENER, ""), &[], Program, Nothing),
        choice_of(word("softbounce", LISTENER, ""), &[], Program, Nothing),
        choice_of(
            word(
                "logfile",
                Becomes::Comment("errors go to standard error, which cron mails", &[]),
                "~/log",
            ),
            &[],
            Program,
            Word,
        ),
        choice_of(
            word("pidfile", Becomes::Comment("each maildrop has a lock of its own", &[]), "~/pid"),
            &[],
            Program,
            Word,
        ),
        choice_of(word("idfile", Becomes::Memory, "~/.fetchids"), &[], Program, Word),
        choice_of(
            word(
                "syslog",
                Becomes::Comment("errors go to standard error, which cron mails", &["no"]),
                "",
            ),
            &[],
            Program,
            Nothing,
        ),
        choice_of(word("invisible", AS_IT_IS, ""), &[], Program, Nothing),
        choice_of(
            word("showdots", Becomes::Comment("a terminal has a progress bar", &["no"]), ""),
            &[],
            Program,
            Nothing,
        ),
        choice_of(
            word("properties", Becomes::Comment("it means nothing to fetchmail itself", &[]), "x"),
            &[],
            User,
            Word,
        ),
        choice_of(word("via", Becomes::Key("server"), "mail.example.com"), &[], Server, Word),
        choice_of(word("protocol", Becomes::Structure, "pop3"), &["proto"], Server, Word),
        choice_of(word("localdomains", MULTIDROP, "example.com"), &["local"], Server, Words),
        choice_of(word("port", Becomes::Key("port"), "1995"), &[], Server, Word),
        choice_of(word("service", Becomes::Key("port"), "pop3s"), &[], Server, Word),
        choice_of(
            word(
                "auth",
                Becomes::Comment(
                    "not spoken here: the strongest that the server offers is used",
                    &["any", "password", "external", "cram-md5"],
                ),
                "cram-md5",
            ),
            &["authenticate", "preauth", "preauthenticate"],
            Server,
            AnyWord,
        ),
        choice_of(word("timeout", Becomes::Key("timeout"), "30"), &[], Server, Word),
        choice_of(word("envelope", MULTIDROP, "X-Envelope-To"), &[], Server, NumberAndWord),
        choice_of(word("qvirtual", MULTIDROP, "example-"), &[], Server, Word),
        choice_of(word("aka", MULTIDROP, "other.example.com"), &[], Server, Words),
        choice_of(
            word(
                "interface",
                Becomes::Comment("`source-address` is the address to connect from", &[]),
                "eth0/192.0.2.1",
            ),
            &[],
            Server,
            Word,
        ),
        choice_of(word("monitor", DAEMON, "eth0"), &[], Server, Word),
        choice_of(
            word(
                "plugin",
                Becomes::Comment("`connect-command` does this: it takes a list of words", &[]),
                "ssh %h",
            ),
            &[],
            Server,
            Word,
        ),
        choice_of(word("plugout", LISTENER, "ssh %h"), &[], Server, Word),
        choice_of(word("dns", MULTIDROP, ""), &[], Server, Nothing),
        choice_of(word("checkalias", MULTIDROP, ""), &[], Server, Nothing),
        choice_of(
            word(
                "uidl",
                Becomes::Comment("messages are always told apart by their unique-ids", &[""]),
                "no",
            ),
            &[],
            Server,
            Nothing,
        ),
        choice_of(word("interval", DAEMON, "3"), &[], Server, Word),
        choice_of(word("tracepolls", AS_IT_IS, ""), &[], Server, Nothing),
        choice_of(
            word("principal", Becomes::Comment("Kerberos is not spoken here", &[]), "ann"),
            &[],
            Server,
            Word,
        ),
        choice_of(word("esmtpname", LISTENER, "ann"), &[], Server, Word),
        choice_of(
            word(
                "esmtppassword",
                Becomes::Hidden(
                    "messages are delivered to a Maildir or a command, not to a mail server",
                ),
                "not-a-secret",
            ),
            &[],
            Server,
            AnyWord,
        ),
        choice_of(
            word(
                "bad-header",
                Becomes::Comment("every message is fetched, whatever its header", &["accept"]),
                "reject",
            ),
            &[],
            Server,
            Word,
        ),
        choice_of(word("password", Becomes::Password, "not-a-secret"), &["pass"], User, AnyWord),
        choice_of(word("ssl", Becomes::Key("tls"), ""), &[], User, Nothing),
        choice_of(
            word("sslcert", Becomes::Key("client-cert"), "~/certificate.pem"),
            &[],
            User,
            Word,
        ),
        choice_of(word("sslkey", Becomes::Key("client-key"), "~/key.pem"), &[], User, Word),
        choice_of(
            word("sslcertck", Becomes::Comment(VERIFIED, &["", "no"]), "no"),
            &[],
            User,
            Nothing,
        ),
        choice_of(
            word("sslcertfile", Becomes::Key("ca-file"), "/etc/ssl/example.pem"),
            &[],
            User,
            Word,
        ),
        choice_of(word("sslcertpath", Becomes::Key("trust"), "/etc/ssl/certs"), &[], User, Word),
        choice_of(
            word(
                "sslcommonname",
                Becomes::Comment(
                    "a certificate is for the `server` by its name: use the name it is for, or `pin`",
                    &[],
                ),
                "other.example.com",
            ),
            &[],
            User,
            Word,
        ),
        choice_of(
            word(
                "sslfingerprint",
                Becomes::Comment("it is an MD5 fingerprint, which can be forged: use `pin`", &[]),
                "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
            ),
            &[],
            User,
            AnyWord,
        ),
        choice_of(word("sslproto", Becomes::Key("tls"), "auto"), &[], User, Word),
        choice_of(word("folder", IMAP, "INBOX"), &["folders"], User, Words),
        choice_of(word("smtphost", LISTENER, "localhost"), &["smtp"], User, Words),
        choice_of(word("fetchdomains", IMAP, "example.com"), &[], User, Words),
        choice_of(word("smtpaddress", LISTENER, "example.com"), &[], User, Word),
        choice_of(word("smtpname", LISTENER, "ann@example.com"), &[], User, Word),
        choice_of(word("antispam", LISTENER, "571 550"), &[], User, Words),
        choice_of(word("mda", Becomes::Key("deliver-command"), "procmail -d ann"), &[], User, Word),
        choice_of(word("bsmtp", LISTENER, "~/batch"), &[], User, Word),
        choice_of(word("lmtp", LISTENER, ""), &[], User, Nothing),
        choice_of(
            word(
                "preconnect",
                Becomes::Comment("nothing is run before a connection: let cron's line do it", &[]),
                "true",
            ),
            &["pre"],
            User,
            Word,
        ),
        choice_of(
            word(
                "postconnect",
                Becomes::Comment("`after-fetch` runs when something new has come", &[]),
                "true",
            ),
            &["post"],
            User,
            Word,
        ),
        choice_of(word("keep", Becomes::Key("keep"), ""), &[], User, Nothing),
        choice_of(
            word(
                "flush",
                Becomes::Comment("nothing is deleted that was not fetched here", &["no"]),
                "",
            ),
            &[],
            User,
            Nothing,
        ),
        choice_of(
            word(
                "limitflush",
                Becomes::Comment("nothing is deleted that was not fetched here", &["no"]),
                "",
            ),
            &[],
            User,
            Nothing,
        ),
        choice_of(
            word(
                "fetchall",
                Becomes::Comment(
                    "what was fetched before is not fetched again; `postie fetch --all` does it once",
                    &["no"],
                ),
                "",
            ),
            &[],
            User,
            Nothing,
        ),
        choice_of(word("rewrite", AS_IT_IS, ""), &[], User, Nothing),
        choice_of(word("stripcr", AS_IT_IS, ""), &[], User, Nothing),
        choice_of(word("forcecr", AS_IT_IS, ""), &[], User, Nothing),
        choice_of(word("pass8bits", AS_IT_IS, ""), &["pass8"], User, Nothing),
        choice_of(word("dropstatus", AS_IT_IS, ""), &[], User, Nothing),
        choice_of(word("dropdelivered", AS_IT_IS, ""), &[], User, Nothing),
        choice_of(word("mimedecode", AS_IT_IS, ""), &["mimedec"], User, Nothing),
        choice_of(word("idle", IMAP, ""), &[], User, Nothing),
        choice_of(word("limit", Becomes::Key("max-size"), "500000"), &[], User, Word),
        choice_of(
            word(
                "warnings",
                Becomes::Comment("each run says which messages were too large", &[]),
                "3600",
            ),
            &[],
            User,
            Word,
        ),
        choice_of(word("batchlimit", LISTENER, "100"), &[], User, Word),
        choice_of(word("fetchlimit", Becomes::Key("limit"), "100"), &[], User, Word),
        choice_of(
            word("fetchsizelimit", Becomes::Comment("sizes are asked for all at once", &[]), "100"),
            &[],
            User,
            Word,
        ),
        choice_of(
            word(
                "fastuidl",
                Becomes::Comment("the whole listing is asked for, which takes one round trip", &[]),
                "10",
            ),
            &[],
            User,
            Word,
        ),
        choice_of(
            word(
                "expunge",
                Becomes::Comment("all deletions are asked for at the end, in one flight", &[]),
                "10",
            ),
            &[],
            User,
            Word,
        ),
        choice_of(word("moveto", IMAP, "Old"), &[], User, Word),
    ]
};
