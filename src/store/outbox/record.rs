//! The journal of an entry of the outbox, as text and as values: the envelope, and the history of its
//! delivery, from which the next attempt and the recipients still owed are computed. Does no I/O.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::line::{decoded_path, encoded_path};
use super::Error;
use crate::limits;
use crate::store;
use crate::text::{
    LocalName, Mailbox, Notify, RecipientStatus, Return, ReversePath, percent_decoded,
    percent_encoded,
};

const HEADER: &str = "postie outbox 2";

/// The version of the format in [`HEADER`].
const VERSION: u64 = 2;

/// The most of the time between two attempts that counts as waiting.
pub(super) const DAY: u64 = 24 * 60 * 60;

/// The number of attempts to find a free name in tmp/ while other runs remove leftovers.
pub(super) const TRIES: u32 = 10;

/// A queued message's envelope and options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedEnvelope {
    /// The time when it was accepted, in seconds since 1970.
    pub received: u64,
    /// The configuration file in force then.
    pub config: PathBuf,
    /// The account to send it with; known unless the order is incomplete.
    pub account: Option<String>,
    /// The reverse-path; known unless the order is incomplete.
    pub from: Option<ReversePath>,
    /// True if the configuration could not be used: an attempt chooses account and reverse-path
    /// unless they are given, resolves aliases and completes the header.
    pub is_incomplete: bool,
    /// The sender's name, for a From field that is still to be added.
    pub full_name: Option<String>,
    /// The recipients.
    pub recipients: Vec<Mailbox>,
    /// Recipients that `[aliases]` is still to resolve.
    pub aliases: Vec<LocalName>,
    /// The occasions for a delivery status notification (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// The part of the message that a notification holds (RFC 3461 §4.3).
    pub ret: Option<Return>,
    /// The envelope identifier in them.
    pub envid: String,
    /// The message's subject, if it has one.
    pub subject: Option<String>,
    /// True if every hop must use TLS (RFC 8689).
    pub require_tls: bool,
    /// True if a refused recipient stops the message for all.
    pub is_all_or_nothing: bool,
}

impl QueuedEnvelope {
    /// The beginning of a journal.
    pub(super) fn text(&self) -> String {
        let (received, config) = (self.received, encoded_path(&self.config));
        let mut text = format!("{HEADER}\nreceived {received}\nconfig {config}\n");
        let mut add = |word, value: Option<String>| {
            text.extend(value.map(|value| format!("{word} {value}\n")));
        };
        let name = |name: &String| percent_encoded(name.as_bytes()).into_owned();
        add("account", self.account.as_ref().map(name));
        add("from", self.from.as_ref().map(|from| reverse_path(from).into_owned()));
        add("full-name", self.full_name.as_ref().map(name));
        add("notify", self.notify.as_ref().map(ToString::to_string));
        add("return", self.ret.as_ref().map(ToString::to_string));
        add("envid", Some(self.envid.clone()));
        add("subject", self.subject.as_ref().map(name));
        for mailbox in &self.recipients {
            add("to", Some(encoded(mailbox).into()));
        }
        for alias in &self.aliases {
            add("to-alias", Some(name(&alias.to_string())));
        }
        if self.is_incomplete {
            text += "incomplete\n";
        }
        if self.require_tls {
            text += "require-tls\n";
        }
        if self.is_all_or_nothing {
            text += "all-or-nothing\n";
        }
        text + "\n"
    }
}

/// The result of an attempt for the recipients that still wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// The server refused for now, or broke off, or something on this side failed.
    Deferred,
    /// There was no connection.
    Unreachable,
    /// The login was refused.
    LoginRefused,
    /// The server may have taken the message.
    InDoubt,
}

impl AttemptResult {
    pub(super) const NAMES: [(&'static str, Self); 4] = [
        ("deferred", Self::Deferred),
        ("unreachable", Self::Unreachable),
        ("login-refused", Self::LoginRefused),
        ("in-doubt", Self::InDoubt),
    ];
}

/// The final outcome for a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The server took the message for it, with this reply.
    Accepted(String),
    /// The server refused it permanently, with this reply.
    Refused(String),
    /// The message cannot be sent to it, for this reason.
    NotSent(String),
    /// The message has waited for too long, last for this reason.
    Abandoned(String),
}

impl Answer {
    /// Returns the status, whose word is in the journal, and the server's reply or the reason.
    pub fn parts(&self) -> (RecipientStatus, &str) {
        match self {
            Self::Accepted(reply) => (RecipientStatus::Accepted, reply),
            Self::Refused(reply) => (RecipientStatus::Refused, reply),
            Self::NotSent(reason) => (RecipientStatus::NotSent, reason),
            Self::Abandoned(reason) => (RecipientStatus::Abandoned, reason),
        }
    }

    /// `None` unless the status is final.
    pub(super) fn new(status: RecipientStatus, text: String) -> Option<Self> {
        Some(match status {
            RecipientStatus::Accepted => Self::Accepted(text),
            RecipientStatus::Refused => Self::Refused(text),
            RecipientStatus::NotSent => Self::NotSent(text),
            RecipientStatus::Abandoned => Self::Abandoned(text),
            RecipientStatus::Deferred | RecipientStatus::InDoubt | RecipientStatus::Queued => {
                return None;
            }
        })
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Accepted(reply) | Self::NotSent(reply) => f.write_str(reply),
            Self::Refused(reply) => write!(f, "refused: {reply}"),
            Self::Abandoned(reason) => {
                let days = limits::GIVE_UP.as_secs() / DAY;
                write!(f, "abandoned after {days} days: {reason}")
            }
        }
    }
}

/// The contents of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The envelope and options.
    pub order: QueuedEnvelope,
    /// True if account, reverse-path and recipients are known.
    pub is_resolved: bool,
    /// Final answers, and whether the sender knows of them.
    pub(super) answers: HashMap<Mailbox, (Answer, bool)>,
    /// The number of attempts.
    pub attempts: u32,
    /// The time of the last attempt.
    pub tried: Option<u64>,
    /// The time over which it was tried, in seconds; of a pause between two attempts, a day at most
    /// counts.
    pub(super) waited: u64,
    /// The last reply, or the last failure to reach the server.
    pub last: Option<String>,
    /// The configuration that is missing, and the time of the last report of it.
    pub missing: Option<(u64, String)>,
    pub(super) ending: Option<AttemptResult>,
    /// An attempt's choices, while not all of them are known to be there.
    pub(super) resolving: Resolution,
    /// The end of the message left, and nothing is known of a final reply.
    pub(super) is_handed_over: bool,
    pub(super) is_in_doubt: bool,
}

impl DeliveryRecord {
    pub(super) fn new(order: QueuedEnvelope) -> Self {
        Self {
            is_resolved: !order.is_incomplete,
            order,
            answers: HashMap::new(),
            attempts: 0,
            tried: None,
            waited: 0,
            last: None,
            missing: None,
            ending: None,
            resolving: Resolution::default(),
            is_handed_over: false,
            is_in_doubt: false,
        }
    }

    /// Returns whether all recipients are known and each of them has a final answer.
    pub fn is_finished(&self) -> bool {
        self.is_resolved && self.waiting().is_empty()
    }

    /// Returns whether each recipient has the message, or the sender knows of those who have not.
    pub fn is_sent(&self) -> bool {
        self.is_finished() && self.failed().is_empty()
    }

    /// The recipients that still wait.
    pub fn waiting(&self) -> Vec<Mailbox> {
        let all = self.order.recipients.iter();
        all.filter(|mailbox| self.waits_for(mailbox)).cloned().collect()
    }

    /// Returns whether this recipient still waits.
    pub fn waits_for(&self, mailbox: &Mailbox) -> bool {
        !self.answers.contains_key(mailbox)
    }

    /// The final answer for a recipient, if there is one. `None` if the recipient still waits.
    pub fn answer(&self, mailbox: &Mailbox) -> Option<&Answer> {
        self.answers.get(mailbox).map(|(answer, _)| answer)
    }

    /// The number of recipients that were accepted.
    pub fn sent(&self) -> usize {
        self.answers.values().filter(|(answer, _)| matches!(answer, Answer::Accepted(_))).count()
    }

    /// The recipients that will never get the message, with the reason, unless the sender was told.
    pub fn failed(&self) -> Vec<(&Mailbox, &Answer)> {
        let failed = |mailbox| match self.answers.get(mailbox)? {
            (Answer::Accepted(_), _) | (_, true) => None,
            (answer, false) => Some((mailbox, answer)),
        };
        self.order.recipients.iter().filter_map(failed).collect()
    }

    /// Returns whether a recipient may get the message twice, since the final reply to an attempt
    /// was lost.
    pub fn may_be_duplicate(&self) -> bool {
        self.is_in_doubt || self.is_handed_over
    }

    /// Returns whether an attempt began and did not end: it is in progress, or was interrupted.
    pub fn is_under_way(&self) -> bool {
        self.attempts > 0 && self.ending.is_none() && !self.waiting().is_empty()
    }

    /// The time of the next attempt. A time in the future counts as `now`.
    pub fn due(&self, now: u64) -> u64 {
        let most = match self.ending {
            Some(AttemptResult::Unreachable) => limits::RETRY_UNREACHED,
            _ => limits::RETRY,
        };
        match self.tried {
            None => self.order.received.min(now),
            // A clock that was put back does not make it wait.
            Some(tried) if tried > now => now,
            Some(tried) => tried.saturating_add(pause(self.attempts, most).as_secs()),
        }
    }

    /// Returns whether the next attempt is due.
    pub fn is_due(&self, now: u64) -> bool {
        now >= self.due(now)
    }

    /// Returns whether the message has been tried for the longest time (RFC 5321 §4.5.4.1).
    /// Attempts count, not the time when it was accepted, which a wrong clock may have given.
    pub fn is_too_old(&self) -> bool {
        self.waited > limits::GIVE_UP.as_secs()
    }

    /// Understands a journal; also says how many octets of it are whole lines.
    pub(super) fn read(text: &[u8], path: &Path) -> Result<(Self, usize), Error> {
        let wrong = |line| Error::Journal { path: path.to_owned(), line };
        // A newer program's words mean something else.
        let version = text.strip_prefix(b"postie outbox ").map(|rest| {
            let digits = rest.split(|&octet| octet == b'\n').next().unwrap_or_default();
            std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok())
        });
        if let Some(Some(version)) =
            version.filter(|version| version.is_some_and(|it| it > VERSION))
        {
            return Err(store::Error::NewerJournal { path: path.to_owned(), version }.into());
        }
        let mut reading = Reading::default();
        let (mut end, mut length, mut torn) = (0, 0, None);
        for (index, line) in text.split_inclusive(|&octet| octet == b'\n').enumerate() {
            let line_text =
                line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
            let understood = line_text.and_then(|line| reading.line(index, line));
            end += line.len();
            match (understood, torn) {
                (Some(()), None) => length = end,
                (Some(()), Some((line, is_hole))) => match &mut reading {
                    // A page that got lost while a later one did not leaves NULs. It may have said
                    // that the end of the message left, or who got it.
                    Reading::Record(record) if is_hole => {
                        record.is_in_doubt = true;
                        (length, torn) = (end, None);
                    }
                    // A torn write leaves its mark at the end. With sense behind it, it was none.
                    _ => return Err(wrong(line)),
                },
                (None, None) => torn = Some((index + 1, line.contains(&0))),
                (None, Some(_)) => {}
            }
        }
        match reading {
            Reading::Record(record) => Ok((*record, length)),
            // It was whole before it had its name.
            Reading::Order(_) => Err(wrong(torn.map_or(1, |(line, _)| line))),
        }
    }

    /// Takes in a line of history. `None` if it is no such line.
    pub(super) fn take(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        let (first, words) = rest.split_once(' ').unwrap_or((rest, ""));
        let words = Some(words.to_owned()).filter(|words| !words.is_empty());
        match word {
            "account" => {
                let account = Some(decoded(first)?);
                self.resolving = Resolution { account, ..Resolution::default() };
            }
            "from" => self.resolving.from = Some(decoded(first)?.parse().ok()?),
            "to" => self.resolving.recipients.push(mailbox(first)?),
            "resolved" => {
                time(first)?;
                self.resolve()?;
            }
            "missing" => self.missing = Some((time(first)?, words.unwrap_or_default())),
            "attempt" => self.attempt(time(first)?),
            "data" => {
                time(first)?;
                self.is_handed_over = true;
            }
            "notified" => {
                time(first)?;
                self.answers.values_mut().for_each(|(_, is_notified)| *is_notified = true);
            }
            "reply" => {
                time(first)?;
                self.is_handed_over = false;
                self.last = words;
            }
            _ => {
                let mut endings = AttemptResult::NAMES.iter();
                if let Some((_, ending)) = endings.find(|(name, _)| *name == word) {
                    time(first)?;
                    self.is_handed_over = false;
                    self.is_in_doubt |= *ending == AttemptResult::InDoubt;
                    self.ending = Some(*ending);
                    self.last = words;
                } else {
                    let answer = Answer::new(word.parse().ok()?, words.unwrap_or_default())?;
                    self.answers.insert(mailbox(first)?, (answer, false));
                }
            }
        }
        Some(())
    }

    /// Makes an attempt's choices count. `None` if one of them is not there.
    fn resolve(&mut self) -> Option<()> {
        let Resolution { account, from, recipients } = std::mem::take(&mut self.resolving);
        // A message without a recipient would count as finished.
        (!recipients.is_empty()).then_some(())?;
        (self.order.account, self.order.from) = (Some(account?), Some(from?));
        self.order.recipients = recipients;
        self.order.aliases.clear();
        self.is_resolved = true;
        Some(())
    }

    /// Counts an attempt that begins at this time.
    fn attempt(&mut self, now: u64) {
        self.is_in_doubt |= self.is_handed_over;
        self.is_handed_over = false;
        self.attempts = self.attempts.saturating_add(1);
        // What a clock showed that was wrong is no time to count from.
        let tried = self.tried.filter(|&tried| tried >= limits::EARLIEST);
        let since = tried.map_or(0, |tried| now.saturating_sub(tried));
        self.waited = self.waited.saturating_add(since.min(DAY));
        self.tried = Some(now);
        self.ending = None;
    }
}

/// An attempt's choices, of which all are there when the line `resolved` is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resolution {
    account: Option<String>,
    from: Option<ReversePath>,
    recipients: Vec<Mailbox>,
}

/// A journal, as its lines come by: the order first.
enum Reading {
    Order(Box<Draft>),
    Record(Box<DeliveryRecord>),
}

/// An order of which not all is known.
#[derive(Default)]
struct Draft {
    received: Option<u64>,
    config: Option<PathBuf>,
    account: Option<String>,
    from: Option<ReversePath>,
    is_incomplete: bool,
    full_name: Option<String>,
    recipients: Vec<Mailbox>,
    aliases: Vec<LocalName>,
    notify: Option<Notify>,
    ret: Option<Return>,
    envid: String,
    subject: Option<String>,
    require_tls: bool,
    is_all_or_nothing: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self::Order(Box::default())
    }
}

impl Reading {
    fn line(&mut self, index: usize, line: &str) -> Option<()> {
        if index == 0 {
            return (line == HEADER).then_some(());
        }
        match self {
            Self::Record(record) => record.take(line),
            Self::Order(draft) if line.is_empty() => {
                *self = Self::Record(Box::new(DeliveryRecord::new(draft.finish()?)));
                Some(())
            }
            Self::Order(draft) => draft.line(line),
        }
    }
}

impl Draft {
    fn line(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "received" => self.received = Some(rest.parse().ok()?),
            "full-name" => self.full_name = Some(decoded(rest)?),
            "to-alias" => self.aliases.push(decoded(rest)?.parse().ok()?),
            "config" => self.config = Some(decoded_path(rest.as_bytes())?),
            "account" => self.account = Some(decoded(rest)?),
            "from" if rest.is_empty() => return None,
            "from" => self.from = Some(decoded(rest)?.parse().ok()?),
            "to" => self.recipients.push(mailbox(rest)?),
            "notify" => self.notify = Some(rest.parse().ok()?),
            "return" => self.ret = Some(rest.parse().ok()?),
            "envid" => rest.clone_into(&mut self.envid),
            "subject" => self.subject = Some(decoded(rest)?),
            "incomplete" => self.is_incomplete = true,
            "require-tls" => self.require_tls = true,
            "all-or-nothing" => self.is_all_or_nothing = true,
            _ => return None,
        }
        Some(())
    }

    fn finish(&mut self) -> Option<QueuedEnvelope> {
        let draft = std::mem::take(self);
        let has_recipient = !draft.recipients.is_empty() || !draft.aliases.is_empty();
        let is_known = draft.account.is_some() && draft.from.is_some() && draft.aliases.is_empty();
        let is_whole = has_recipient && (is_known || draft.is_incomplete);
        is_whole.then_some(())?;
        Some(QueuedEnvelope {
            received: draft.received?,
            config: draft.config?,
            account: draft.account,
            from: draft.from,
            is_incomplete: draft.is_incomplete,
            full_name: draft.full_name,
            recipients: draft.recipients,
            aliases: draft.aliases,
            notify: draft.notify,
            ret: draft.ret,
            envid: draft.envid,
            subject: draft.subject,
            require_tls: draft.require_tls,
            is_all_or_nothing: draft.is_all_or_nothing,
        })
    }
}

/// The pause after this many attempts: it doubles with each, up to `most`.
pub(super) fn pause(attempts: u32, most: Duration) -> Duration {
    limits::FIRST_RETRY.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(most)
}

pub(super) fn octets(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

pub(super) fn encoded(mailbox: &Mailbox) -> Cow<'_, str> {
    percent_encoded(mailbox.as_str().as_bytes())
}

pub(super) fn reverse_path(from: &ReversePath) -> Cow<'_, str> {
    from.mailbox().map_or_else(|| percent_encoded(b"<>"), encoded)
}

/// The seconds since 1970 in a line.
fn time(text: &str) -> Option<u64> {
    text.parse().ok()
}

pub(super) fn mailbox(text: &str) -> Option<Mailbox> {
    decoded(text)?.parse().ok()
}

fn decoded(text: &str) -> Option<String> {
    String::from_utf8(percent_decoded(text.as_bytes())?.into_owned()).ok()
}
